"""The commands `explain` and `cloud`, which draw a run, and the colors of a picture."""

import argparse
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.cli.clusters import check_options, search
from kmeans_np.cli.inputs import (
    Picture,
    open_picture,
    read_overlays,
    read_points,
    which_take_part,
)
from kmeans_np.cli.messages import (
    Progress,
    describe_end,
    describe_segmentation,
    named,
    noted,
    print_lines,
)
from kmeans_np.cli.outputs import (
    Output,
    check_new,
    check_output,
    identity,
    make_folder,
    output_of,
)
from kmeans_np.explanation import as_playground, check_suffix, color_cloud
from kmeans_np.explanation import explain as explained
from kmeans_np.files import as_path, check_writable, write_image
from kmeans_np.files.metadata import NOTHING
from kmeans_np.image.layout import lay_out
from kmeans_np.sample import sample_image

# How many clusters a playground begins with.
PLAYGROUND_CLUSTERS = 4


def explain(args: argparse.Namespace) -> None:
    """Write a page, a film or a sheet of all the steps of a run."""
    source, k = _what_to_explain(args)
    beside = source.parent / f"{source.stem}-k{k}.html"
    if args.playground:
        beside = Path("playground.html")
    output = _output(args, source, beside, check_suffix)
    if args.playground and output.path.suffix.lower() != ".html":
        rule, got = "end in .html with --playground", output.path
        raise checks.ArgumentValueError("-o", rule, got, "it is a page")
    checks.n_clusters(k, max(k, 1), "pixels")
    image, about = _read_subject(args, source)
    check_output(output)
    with noted(), Progress() as progress:
        answer = explained(
            image,
            k,
            **about,
            color_space=args.color_space,
            init=args.init,
            n_init=args.n_init,
            max_iter=args.max_iter,
            tol=args.tol,
            rng=args.seed,
            callback=progress,
        )
    if args.playground:
        answer = as_playground(answer)
    if not output.chosen:
        make_folder(output.path.parent, "-o")
    with named("-o"):
        answer.save(output.path)
    end = describe_end(answer.n_iter, answer.stopped_by)
    # Of an image, there are not more than distinct colors.
    found = min(k, len(answer.points))
    print_lines(f"{output.path}: {checks.pluralize(found, 'cluster')}, {end}")
    if args.open and not webbrowser.open(output.path.resolve().as_uri()):
        print_lines(f"no browser was found; open {output.path} in one")


def _read_subject(args: argparse.Namespace, source: Path) -> tuple[Any, dict[str, Any]]:
    """Return a picture or points, and the arguments that say what of it to explain."""
    if args.image is None:
        image, title = sample_image(), "The built-in picture"
        picture = Picture(image, NOTHING, lay_out(image, -1, "auto")[0])
    else:
        title = checks.printable(source.name)
        points = read_points(source)
        if points is not None:
            # It has no mask, which is refused.
            return points, {"kind": "points", "mask": args.mask, "title": title}
        whole = open_picture(args, source, in_slices=False)
        with noted(), whole as picture:
            pass
    which = which_take_part(picture, read_overlays(args))
    del which["weights"]
    return picture.image, {"kind": "image", "title": title, **which}


def _what_to_explain(args: argparse.Namespace) -> tuple[Path, int]:
    """Return which picture is asked for, and the number of clusters."""
    n_given = sum([args.image is not None, args.sample, args.playground])
    if n_given != 1:
        rule = "be given, or --sample for the built-in picture, or --playground"
        got = "none of them" if n_given == 0 else "more than one of them"
        raise checks.ArgumentValueError("IMAGE", rule, got, "pass one of them")
    if args.k is None and not args.playground:
        remedy = "pass the number of clusters to find, such as 8"
        raise checks.ArgumentValueError("-k", "be given", "nothing", remedy)
    k = PLAYGROUND_CLUSTERS if args.k is None else args.k
    return Path("sample" if args.image is None else args.image), k


def cloud(args: argparse.Namespace) -> None:
    """Draw the colors of a picture, with its clusters if their number is given."""
    if args.k is not None:
        check_options(args)
    source = Path(args.image)
    beside = source.parent / f"{source.stem}-cloud.png"
    output = _output(args, source, beside, check_picture)
    overlays = read_overlays(args)
    with noted(), open_picture(args, source, in_slices=False) as picture:
        answer = None if args.k is None else search(args, overlays, picture)
        which = which_take_part(picture, overlays)
        del which["weights"]
        drawn = color_cloud(picture.image, answer, **which)
    if not output.chosen:
        make_folder(output.path.parent, "-o")
    with named("-o"):
        write_image(output.path, drawn)
    words = "" if answer is None else f", {describe_segmentation(answer)}"
    print_lines(f"{output.path}: the colors{words}")


def check_picture(path: Path) -> None:
    """Refuse a path to which no picture can be written."""
    check_writable(np.zeros((1, 1, 3), np.uint8), path)


def _output(
    args: argparse.Namespace,
    source: Path,
    beside: Path,
    check: Callable[[Path], None],
) -> Output:
    """Return what to write: what was asked for, or a file beside the picture."""
    with named("IMAGE"):
        as_path(source)
    output = output_of("-o", args.output, beside)
    if output.chosen:
        with named("-o"):
            check(output.path)
        check_output(output)
    else:
        check_new(output, args.force)
    read = {identity(Path(path)) for path in (args.image, args.mask) if path}
    if identity(output.path) in read - {None} and not args.force:
        remedy = "write it to another file, or pass --force to write over the input"
        got = output.path
        raise checks.ArgumentValueError("the output", "not be an input", got, remedy)
    return output
