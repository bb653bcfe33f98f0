"""The clusters that the command line finds.

What this file adds: the arguments of a command as those of the functions, and one
palette for many pictures. What it leaves out: files to write.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.checks import counted
from kmeans_np.cli.inputs import Palette, mask_for, read_picture
from kmeans_np.cli.words import PROBLEMS, Progress, in_words, noted, report, say
from kmeans_np.image import Segmentation, apply_palette, cluster_image
from kmeans_np.image.features import Features, compare, compare_again
from kmeans_np.image.pixels import Pixels, take_apart
from kmeans_np.lloyd import Array, Floats

Mask = NDArray[np.bool_] | None
# What finds the clusters of a picture, given its name as well, for the progress.
Find = Callable[[Array, str], Segmentation]

# From so many colors on, those of several pictures are taken together.
MANY_COLORS = 2**22
_KINDS = {(): "gray", (2,): "gray with alpha", (3,): "RGB", (4,): "RGBA"}


def check_options(args: argparse.Namespace) -> None:
    """Refuse, before any file is read, what no picture could mend."""
    checks.compared(args.color_space, args.normalize, args.position_weight)
    checks.options(
        1,
        1,
        init=args.init,
        n_init=args.n_init,
        max_iter=args.max_iter,
        tol=args.tol,
        rng=args.seed,
        callback=None,
    )
    if args.k is not None:
        checks.n_clusters(args.k, max(args.k, 1), "pixels")


def search(
    image: Array,
    mask: Mask,
    args: argparse.Namespace,
    about: str = "",
    weights: Floats | None = None,
) -> Segmentation:
    """Find the clusters of a picture; `about` says in the progress which it is."""
    progress = Progress(about)
    try:
        return cluster_image(
            image,
            args.k,
            mask=mask_for(image, mask),
            weights=weights,
            alpha=args.alpha,
            color_space=args.color_space,
            normalize=args.normalize,
            position_weight=args.position_weight,
            init=args.init,
            n_init=args.n_init,
            max_iter=args.max_iter,
            tol=args.tol,
            rng=args.seed,
            callback=progress,
        )
    finally:
        progress.clear()


def one_by_one(mask: Mask, args: argparse.Namespace) -> Find:
    """Return what finds the clusters of each picture."""

    def find(image: Array, name: str) -> Segmentation:
        return search(image, mask, args, name)

    return find


def in_palette(palette: Palette, mask: Mask, args: argparse.Namespace) -> Find:
    """Return what gives every pixel the nearest color of a palette."""

    def find(image: Array, _: str) -> Segmentation:
        return apply_palette(
            image,
            palette.like(image),
            mask=mask_for(image, mask),
            alpha=args.alpha,
            color_space=args.color_space,
        )

    return find


def in_common(
    paths: Sequence[Path], mask: Mask, args: argparse.Namespace
) -> tuple[Find, set[Path]]:
    """Return what finds the clusters that pictures have in common, and the pictures.

    Those that are bad are reported, and are not among them.
    """
    pool, several = Pool(), len(paths) > 1
    good: set[Path] = set()
    for path in paths:
        try:
            pool.add(path, mask, args.alpha)
            good.add(path)
        except PROBLEMS as error:
            report(error, path if several else "")
    if not good:
        return one_by_one(mask, args), good
    with noted():
        row, weights = pool.as_picture(args.k)
        answer = search(row, None, args, "all pictures", weights)
    say(f"one palette for {counted(len(good), 'picture')}: {in_words(answer)}")

    def find(image: Array, _: str) -> Segmentation:
        return answer.apply(image, mask=mask_for(image, mask))

    return find, good


class Pool:
    """The colors of many pictures, and how often each occurs.

    Of each picture only these are kept, so that memory does not grow with the number
    of pictures, but with that of their colors; if they hold floats, with that of their
    pixels.
    """

    def __init__(self) -> None:
        self.kind, self.gray, self.has_alpha = "", False, False
        self.colors: list[Array] = []
        self.counts: list[Floats] = []
        self.n_merged = 0

    def add(self, path: Path, mask: Mask, alpha: bool | str) -> None:
        """Add the pixels of a picture that take part."""
        image = read_picture(path)
        channels = image.shape[2:]
        kind = _KINDS.get(channels, f"of {channels[-1:]} channels")
        kind = f"{kind} of type {image.dtype}"
        if self.kind not in ("", kind):
            raise ValueError(
                f"IMAGE must be {self.kind} with --shared-palette, as the first one "
                f"is, got {path}, which is {kind}; convert it"
            )
        pixels = take_apart(image, mask_for(image, mask), -1, alpha)
        points = compare_again(pixels, Features())
        self.kind, self.gray, self.has_alpha = kind, not channels, pixels.has_alpha
        self.colors.append(points.colors)
        self.counts.append(points.weights)
        if sum(map(len, self.counts)) > max(MANY_COLORS, 2 * self.n_merged):
            self._merge()

    def _merge(self) -> None:
        """Take equal colors of different pictures together."""
        colors, counts = np.concatenate(self.colors), np.concatenate(self.counts)
        pixels = Pixels(colors[np.newaxis], colors, None, False, -1)
        _, points = compare(pixels, counts, checks.AS_THEY_ARE)
        self.colors, self.counts = [points.colors], [points.weights]
        self.n_merged = len(points.colors)

    def as_picture(self, k: int) -> tuple[Array, Floats]:
        """Return one row of all the colors, opaque, and their weights.

        If there are fewer than k, they come several times, as they do in the pictures,
        so that it is no error to ask for more.
        """
        self._merge()
        (colors,), (counts,) = self.colors, self.counts
        if len(colors) < k:
            times = np.minimum(counts, k).astype(int)
            colors, counts = colors.repeat(times, 0), (counts / times).repeat(times)
        if self.has_alpha:
            colors = np.append(colors, np.ones_like(colors[:, :1]), axis=1)
        row = colors[np.newaxis]
        return row[..., 0] if self.gray else row, counts[np.newaxis]
