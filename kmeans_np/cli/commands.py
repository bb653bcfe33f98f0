"""The commands `segment`, `palette` and `demo`, each a few calls of the package."""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.cli.clusters import (
    Find,
    check_options,
    common_palette,
    in_palette,
    search,
)
from kmeans_np.cli.inputs import open_picture, read_overlays
from kmeans_np.cli.messages import (
    PROBLEMS,
    describe_segmentation,
    named,
    noted,
    print_lines,
    report,
    shown,
    status_of,
    swatch,
)
from kmeans_np.cli.outputs import (
    Output,
    Outputs,
    Plan,
    check_new,
    make_folder,
    write,
)
from kmeans_np.cli.palettes import read_palette, shown_colors
from kmeans_np.files import write_image
from kmeans_np.image import cluster_image
from kmeans_np.pictures import above_its_colors, in_a_row
from kmeans_np.sample import sample_image

DEMO_FOLDER, DEMO_KS = "kmeans-np-demo", (2, 4, 8)


def segment(args: argparse.Namespace) -> int:
    """Write pictures in k colors, and return the exit status."""
    _refuse_both(args)
    check_options(args)
    palette = None if args.palette is None else read_palette(args.palette)
    plan = Plan(args, args.k if palette is None else len(palette.colors))
    overlays = read_overlays(args)
    pictures, several = plan.pictures, len(plan.pictures) > 1
    find: Find = partial(search, args, overlays)
    if palette is not None:
        find = partial(in_palette, args, overlays, palette)
    if args.shared_palette:
        paths = [each.source for each in pictures]
        find, good = common_palette(args, overlays, paths)
        pictures = [each for each in pictures if each.source in good]
    status = 0 if len(pictures) == len(plan.pictures) else 1
    for outputs in pictures:
        about = outputs.source if several else ""
        try:
            with noted(about):
                lines = _segmented(outputs, plan, find, several)
        except PROBLEMS as error:
            report(error, about)
            status = 1 if several else status_of(error)
        else:
            print_lines(*lines)
    return status


def _segmented(outputs: Outputs, plan: Plan, find: Find, several: bool) -> list[str]:
    """Segment a picture, and return a line about each file written.

    Afterwards nothing holds the picture in memory while the next is read.
    """
    with open_picture(plan.args, outputs.source) as picture:
        outputs = plan.checked(outputs, picture)
        answer = find(picture, outputs.source.name if several else "")
        return write(plan, outputs, answer, picture.about)


def _refuse_both(args: argparse.Namespace) -> None:
    """Refuse options that say nothing together."""
    given = {
        "--weights": args.weights is not None,
        "--palette": args.palette is not None,
        "--shared-palette": args.shared_palette,
        "--normalize": args.normalize,
        "--position-weight": args.position_weight != 0,
    }
    for one, other in (
        ("--shared-palette", "--palette"),
        ("--weights", "--palette"),
        ("--weights", "--shared-palette"),
        ("--normalize", "--palette"),
        ("--position-weight", "--palette"),
        ("--position-weight", "--shared-palette"),
    ):
        if given[one] and given[other]:
            rule = f"be left out with {other}"
            raise ArgumentValueError(one, rule, "both", "leave one out")


def palette(args: argparse.Namespace) -> None:
    """Print the colors and their shares."""
    check_options(args)
    overlays = read_overlays(args)
    with noted(), open_picture(args, Path(args.image)) as picture:
        answer, about = search(args, overlays, picture), picture.about
        colors = shown_colors(answer.palette, about)
        rows = zip(answer.palette, answer.counts.tolist(), answer.shares.tolist())
        clusters = [
            {
                "hex": None if colors is None else f"#{colors[number].tobytes().hex()}",
                "color": color.tolist(),
                "count": count,
                "share": share,
            }
            for number, (color, count, share) in enumerate(rows)
        ]
    if args.json:
        summary = {
            "image": shown(args.image),
            "clusters": clusters,
            "inertia": answer.inertia,
            "n_iter": answer.n_iter,
            "stopped_by": answer.stopped_by,
        }
        print(json.dumps(summary, indent=2))
        return
    is_weighted = answer.counts.dtype.kind == "f"
    form = ",.1f" if is_weighted else ","
    nouns = ("weighted pixels",) * 2 if is_weighted else ("pixels", "pixel")
    width = len(format(clusters[0]["count"], form))
    for number, row in enumerate(clusters):
        patch = "" if colors is None else swatch(colors[number])
        # Of more than 8 bits, a hex color would say less than the numbers do.
        is_short = answer.palette.dtype == np.uint8 and row["hex"]
        name, count = is_short or row["color"], format(row["count"], form)
        noun = nouns[row["count"] == 1]
        print(f"{patch}{name}  {row['share']:7.2%}  {count:>{width}} {noun}")


def demo(args: argparse.Namespace) -> None:
    """Write the built-in picture, the same in 2, 4 and 8 colors, and all in a row."""
    folder, image = Path(args.output), sample_image()
    answers = [cluster_image(image, k, rng=args.seed) for k in DEMO_KS]
    names = ["sample.png", *(f"sample-k{k}.png" for k in DEMO_KS), "demo.png"]
    own = args.output == DEMO_FOLDER
    for name in names:
        check_new(Output("--output", folder / name, chosen=False), own or args.force)
    make_folder(folder, "--output")
    panels = [above_its_colors(image)]
    with named("--output"):
        write_image(folder / "sample.png", image)
        print_lines(f"{folder / 'sample.png'}: the built-in picture")
        for k, answer in zip(DEMO_KS, answers):
            target = folder / f"sample-k{k}.png"
            write_image(target, answer.image)
            print_lines(f"{target}: {describe_segmentation(answer)}")
            panels.append(above_its_colors(answer.image, answer.palette, answer.shares))
        write_image(folder / "demo.png", in_a_row(panels))
        print_lines(f"{folder / 'demo.png'}: all four side by side")
