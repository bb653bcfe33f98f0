"""Several images with one palette: the frames of a film, the scans of a day.

What this file adds: to count image after image, and to give each the clusters that all
have in common. Of each image only its colors are kept, so that memory does not grow
with the number of images, but with that of their colors; if they hold floats, with that
of their pixels. What it leaves out: to find clusters (`kmeans_np.image.finding`).
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import Report, Reporter, again, is_sliced
from kmeans_np.checks import counted
from kmeans_np.files import open_image, read_image
from kmeans_np.files.formats import is_opened
from kmeans_np.image.features import Features, compare
from kmeans_np.image.finding import Take, cluster
from kmeans_np.image.pixels import Pixels
from kmeans_np.image.segmentation import Segmentation
from kmeans_np.image.streamed import Streamed, look_at
from kmeans_np.lloyd import Array, Floats

# From so many colors on, those of several images are taken together.
MANY_COLORS = 2**22


def is_batch(value: Any) -> bool:
    """Return whether something is several images, and not one that is array_like.

    That is a list or tuple of arrays with rows and columns, or of paths; or anything
    else to iterate over that is no array.
    """
    if isinstance(value, (str, bytes, Set, Mapping, os.PathLike)) or is_sliced(value):
        return False
    if any(hasattr(value, name) for name in ("__array__", "__array_interface__")):
        return False
    if isinstance(value, Sequence):
        return len(value) > 0 and _is_image(value[0])
    return hasattr(value, "__iter__")


def _is_image(value: Any) -> bool:
    if isinstance(value, (str, os.PathLike)) or is_sliced(value):
        return True
    return isinstance(value, np.ndarray) and value.ndim >= 2


class Several(Sequence[Array]):
    """Something of each image of a batch, computed when it is asked for."""

    def __init__(self, n: int, compute: Callable[[int], Array]) -> None:
        self.n, self._compute = n, compute

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(self.n)[number]]
        return self._compute(range(self.n)[number])

    def __iter__(self) -> Iterator[Array]:
        # Not a generator, which two threads cannot ask at the same time.
        return map(self._compute, range(self.n))


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Segmentation):
    """The answer of `cluster_image` for several images, with one palette for all.

    ``answer[i]`` is the `Segmentation` of image i, a slice is a list of them, and
    iterating over the answer gives one after the other. They are computed when they are
    asked for, and not kept; files are read again.

    Attributes
    ----------
    labels, image : sequences of arrays
        The label image and the segmented image of each; computed when asked for.
    palette, centroids, counts, shares, inertia, n_iter, stopped_by
        As of a `Segmentation`, over all images together.
    """

    _images: Sequence[Any] = field(kw_only=True)
    _whole: Segmentation = field(kw_only=True)

    def __repr__(self) -> str:
        colors = checks.counted(len(self.palette), "color")
        images = checks.counted(len(self), "image")
        return f"<Batch of {images} in {colors}: inertia {self.inertia:.6g}>"

    def _repr_html_(self) -> str:
        """Return the first image and the palette with the shares in it."""
        html: str = self[0]._repr_html_()
        return html

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        return self._whole.apply(opened(self._images[number]))

    def __iter__(self) -> Iterator[Segmentation]:
        return map(self.__getitem__, range(len(self)))

    def overlay(self, *, alpha: float = 0.5, outline: bool = False) -> Any:
        """Lay the labels over each image; see `Segmentation.overlay`.

        Returns
        -------
        sequence of arrays
            The pictures, computed when they are asked for.
        """
        return self._each("overlay", alpha=alpha, outline=outline)

    def mask_of(self, label: int) -> Any:
        """Return where a cluster is in each image; see `Segmentation.mask_of`.

        Returns
        -------
        sequence of arrays of bool
            The masks, computed when they are asked for.
        """
        return self._each("mask_of", label=label)

    def _each(self, method: str, **how: Any) -> "Several":
        return Several(len(self), partial(self._call, method, how))

    def _call(self, method: str, how: dict[str, Any], number: int) -> Any:
        return getattr(self[number], method)(**how)

    def apply(self, image: Any, *, mask: Any = None) -> Segmentation:
        """Find the same clusters in another image; see `Segmentation.apply`."""
        return self._whole.apply(image, mask=mask)


def opened(image: Any) -> Any:
    """Return an image that may be given as the name of a file."""
    if not isinstance(image, (str, os.PathLike)):
        return image
    return open_image(image) if is_opened(Path(image)) else read_image(image)


def cluster_batch(
    images: Any,
    k: int,
    take: Take,
    what: checks.Compared,
    progress: Report | None = None,
    stacklevel: int = 3,
    **how: Any,
) -> Batch:
    """Find the clusters that images have in common."""
    _only_for_one(take, what)
    images = again(images, "image", "to count and to paint")
    if not len(images):
        raise ValueError("image must hold at least one image, got none; pass some")
    checks.options(1, 1, **{**how, "init": "random"})
    pool = Pool(take)
    reporter = Reporter(progress, "count", len(images))
    for number, image in enumerate(images):
        pool.add(opened(image), f"image {number}")
        reporter.add(1)
    whole = pool.clustered(k, what, how, stacklevel + 2)
    several = {
        name: Several(len(images), partial(_of_one, whole, images, name))
        for name in ("image", "labels")
    }
    of_all = {each.name: getattr(whole, each.name) for each in fields(Segmentation)}
    return Batch(**{**of_all, **several}, _images=images, _whole=whole)


def _of_one(whole: Segmentation, images: Sequence[Any], name: str, number: int) -> Any:
    return getattr(whole.apply(opened(images[number])), name)


def _only_for_one(take: Take, what: checks.Compared) -> None:
    """Refuse what says something about the places of one image."""
    for name, is_there in (
        ("mask", take.mask is not None),
        ("weights", take.weights is not None),
        ("position_weight", what.position_weight != 0),
    ):
        if is_there:
            raise ValueError(
                f"{name} must be left out for several images, which differ in their "
                "places; leave it out, or pass one image at a time"
            )


def _kind_of(pixels: Pixels | Streamed, n: int) -> str:
    """Say in words what kind of image it is, with n channels besides alpha."""
    if pixels.channel_axis is None:
        return "gray"
    names = {(1, True): "gray with alpha", (3, False): "RGB", (3, True): "RGBA"}
    plain = counted(n, "channel") + " and alpha" * pixels.has_alpha
    return names.get((n, pixels.has_alpha), plain)


class Pool:
    """The colors of many images, and how often each occurs.

    Parameters
    ----------
    take : Take
        What of each image takes part.
    """

    def __init__(self, take: Take) -> None:
        self.take, self.kind = take, ""
        self.colors: list[Array] = []
        self.counts: list[Floats] = []
        self.n_merged = 0

    def add(self, image: Any, name: str, mask: Any = None) -> None:
        """Add the pixels of an image that take part; `name` is for errors."""
        seen = look_at(image, mask, self.take.channel_axis, self.take.alpha)
        pixels = seen.pixels
        kind = f"{_kind_of(pixels, seen.values.shape[1])} of type {seen.values.dtype}"
        if self.kind not in ("", kind):
            raise ValueError(
                f"image must be {self.kind}, as the first one is, got {name}, which is "
                f"{kind}; convert it"
            )
        points = seen.points(Features())
        if not self.kind:
            self.kind, self.first = kind, pixels
        self.colors.append(points.colors)
        self.counts.append(points.weights)
        if sum(map(len, self.counts)) > max(MANY_COLORS, 2 * self.n_merged):
            self._merge()

    def _merge(self) -> None:
        """Take equal colors of different images together."""
        colors, counts = np.concatenate(self.colors), np.concatenate(self.counts)
        pixels = Pixels(colors[np.newaxis], colors, None, False, -1)
        _, points = compare(pixels, counts, checks.AS_THEY_ARE)
        self.colors, self.counts = [points.colors], [points.weights]
        self.n_merged = len(points.colors)

    def clustered(
        self,
        k: int,
        what: checks.Compared,
        how: dict[str, Any],
        stacklevel: int = 3,
    ) -> Segmentation:
        """Return the clusters of all images together, to be applied to each.

        If there are fewer colors than k, they come several times, as they do in the
        images, so that it is no error to ask for more.
        """
        self._merge()
        (colors,), (counts,) = self.colors, self.counts
        if len(colors) < k:
            times = np.minimum(counts, k).astype(int)
            colors, counts = colors.repeat(times, 0), (counts / times).repeat(times)
        first = self.first
        if first.has_alpha:
            # Opaque.
            colors = np.append(colors, np.ones_like(colors[:, :1]), axis=1)
        # One row of all the colors.
        gray = first.channel_axis is None
        row = colors[np.newaxis, :, 0] if gray else colors[np.newaxis]
        take = Take(None, counts[np.newaxis], None if gray else -1, first.has_alpha)
        whole = cluster(row, k, take, what, stacklevel=stacklevel, **how)
        # From here on it is like the images.
        assert isinstance(whole._pixels, Pixels)
        shape = first.shape if gray else (*first.shape, colors.shape[1])
        like = np.broadcast_to(row.dtype.type(0), shape)
        return replace(
            whole,
            image=like,
            counts=whole.counts.astype(np.int64),
            _pixels=whole._pixels._replace(channel_axis=first.channel_axis),
        )
