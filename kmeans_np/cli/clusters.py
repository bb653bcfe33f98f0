"""The clusters that the command line finds, of one picture or of all together."""

import argparse
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.checks import pluralize
from kmeans_np.cli.inputs import (
    Palette,
    alpha_of,
    describe_picture,
    mask_for,
    open_picture,
)
from kmeans_np.cli.messages import (
    PROBLEMS,
    Progress,
    describe_segmentation,
    noted,
    print_lines,
    report,
)
from kmeans_np.files import Metadata
from kmeans_np.image import Segmentation, apply_palette, cluster_image
from kmeans_np.image.batch import ColorPool
from kmeans_np.image.features import feature_spec
from kmeans_np.image.pipeline import find_clusters, make_plan
from kmeans_np.image.segmentation import build_segmentation
from kmeans_np.lloyd import Array

Mask = NDArray[np.bool_] | None
# What finds the clusters of a picture, given what its file says, and its name, for the
# progress.
Find = Callable[[Array, Metadata, str], Segmentation]


def check_options(args: argparse.Namespace) -> None:
    """Refuse, before any file is read, what no picture could mend."""
    feature_spec(args.color_space, args.normalize, args.position_weight)
    checks.options(1, 1, **how_to_run(args, None))
    if args.k is not None:
        checks.n_clusters(args.k, max(args.k, 1), "pixels")


def how_to_run(args: argparse.Namespace, callback: Any) -> dict[str, Any]:
    """Return the arguments that say how to run."""
    return {
        "init": args.init,
        "n_init": args.n_init,
        "max_iter": args.max_iter,
        "tol": args.tol,
        "rng": args.seed,
        "callback": callback,
    }


def search(
    args: argparse.Namespace,
    mask: Mask,
    image: Array,
    about: Metadata,
    name: str = "",
) -> Segmentation:
    """Find the clusters of a picture; `name` is what the progress calls it."""
    with Progress(name) as progress:
        return cluster_image(
            image,
            args.k,
            mask=mask_for(image, mask, about),
            alpha=alpha_of(args.alpha, image, about),
            color_space=args.color_space,
            normalize=args.normalize,
            position_weight=args.position_weight,
            progress=progress.of_blocks,
            **how_to_run(args, progress),
        )


def in_palette(
    args: argparse.Namespace,
    mask: Mask,
    palette: Palette,
    image: Array,
    about: Metadata,
    _: str,
) -> Segmentation:
    """Give every pixel of a picture the nearest color of a palette."""
    return apply_palette(
        image,
        palette.like(image, about),
        mask=mask_for(image, mask, about),
        alpha=alpha_of(args.alpha, image, about),
        color_space=args.color_space,
    )


def common_palette(
    args: argparse.Namespace, mask: Mask, paths: Sequence[Path]
) -> tuple[Find, set[Path]]:
    """Return what finds the clusters that pictures have in common, and the pictures.

    Those that are bad are reported, and are not among them.
    """
    pool, several = ColorPool(), len(paths) > 1
    good: set[Path] = set()
    for path in paths:
        try:
            with open_picture(path, args.page) as image, warnings.catch_warnings():
                # What is worth a note is noted when the picture is written.
                warnings.simplefilter("ignore")
                about = describe_picture(path, args.page)
                alpha = alpha_of(args.alpha, image, about)
                source = pool.open(image, mask_for(image, mask, about), alpha)
                pool.add(source, str(path))
            good.add(path)
        except PROBLEMS as error:
            report(error, path if several else "")
    if not good:
        return partial(search, args, mask), good
    compared = args.color_space, args.normalize, 0
    with noted(), Progress("all pictures") as progress:
        how = {**how_to_run(args, progress), "coarse_start": True}
        plan = make_plan(pool, args.k, *compared, **how)
        answer = build_segmentation(pool, pool.run(find_clusters, plan))
    print_lines(
        f"one palette for {pluralize(len(good), 'picture')}: "
        f"{describe_segmentation(answer)}"
    )

    def find(image: Array, about: Metadata, _: str) -> Segmentation:
        return answer.apply(image, mask=mask_for(image, mask, about))

    return find, good
