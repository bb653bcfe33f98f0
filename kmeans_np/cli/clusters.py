"""The clusters that the command line finds, of one picture or of all together."""

import argparse
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kmeans_np import checks
from kmeans_np.checks import pluralize
from kmeans_np.cli.inputs import Overlays, Picture, open_picture, which_take_part
from kmeans_np.cli.messages import (
    PROBLEMS,
    Progress,
    describe_segmentation,
    noted,
    print_lines,
    report,
)
from kmeans_np.cli.palettes import Palette
from kmeans_np.image import Segmentation, apply_palette, cluster_image
from kmeans_np.image.batch import ColorPool
from kmeans_np.image.features import feature_spec
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import find_clusters, make_plan
from kmeans_np.image.segmentation import build_segmentation

# What finds the clusters of a picture, given its name, for the progress.
Find = Callable[[Picture, str], Segmentation]


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
    args: argparse.Namespace, overlays: Overlays, picture: Picture, name: str = ""
) -> Segmentation:
    """Find the clusters of a picture; `name` is what the progress calls it."""
    with Progress(name) as progress:
        return cluster_image(
            picture.image,
            args.k,
            **which_take_part(picture, overlays),
            color_space=args.color_space,
            normalize=args.normalize,
            position_weight=args.position_weight,
            color_profile=picture.about.color_profile,
            progress=progress.of_blocks,
            **how_to_run(args, progress),
        )


def in_palette(
    args: argparse.Namespace,
    overlays: Overlays,
    palette: Palette,
    picture: Picture,
    _: str,
) -> Segmentation:
    """Give every pixel of a picture the nearest color of a palette."""
    which = which_take_part(picture, overlays)
    del which["weights"]
    return apply_palette(
        picture.image,
        palette.like(picture),
        **which,
        color_space=args.color_space,
        color_profile=picture.about.color_profile,
    )


def common_palette(
    args: argparse.Namespace, overlays: Overlays, paths: Sequence[Path]
) -> tuple[Find, set[Path]]:
    """Return what finds the clusters that pictures have in common, and the pictures.

    Those that are bad are reported, and are not among them.
    """
    pool, several = ColorPool(), len(paths) > 1
    good: set[Path] = set()
    profiles: set[bytes | None] = set()
    for path in paths:
        try:
            with warnings.catch_warnings():
                # What is worth a note is noted when the picture is written.
                warnings.simplefilter("ignore")
                with open_picture(args, path) as picture:
                    which = which_take_part(picture, overlays)
                    pool.add(open_source(picture.image, **which), str(path))
                    profiles.add(picture.about.color_profile)
            good.add(path)
        except PROBLEMS as error:
            report(error, path if several else "")
    if not good:
        return partial(search, args, overlays), good
    with noted(), Progress("all pictures") as progress:
        if len(profiles) > 1:
            words = "the pictures have several color profiles; numbers are compared"
            warnings.warn(words, stacklevel=2)
            profiles = {None}
        compared = args.color_space, args.normalize, 0, *profiles
        how = {**how_to_run(args, progress), "coarse_start": True}
        plan = make_plan(pool, args.k, *compared, **how)
        answer = build_segmentation(pool, pool.run(find_clusters, plan))
    print_lines(
        f"one palette for {pluralize(len(good), 'picture')}: "
        f"{describe_segmentation(answer)}"
    )

    def find(picture: Picture, _: str) -> Segmentation:
        mask = which_take_part(picture, overlays)["mask"]
        return answer.apply(picture.image, mask=mask)

    return find, good
