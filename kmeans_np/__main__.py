"""The command line: ``kmeans-np`` or ``python -m kmeans_np``.

What this file adds: files in, files out, from a shell. What it leaves out: everything
that the functions do; each command is a few calls of them.
"""

import argparse
import io
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from kmeans_np.checks import counted
from kmeans_np.files import check_writable, explained, read_image, write_image
from kmeans_np.image import Segmentation, cluster_image
from kmeans_np.lloyd import Array, Step
from kmeans_np.pictures import above_its_colors, in_a_row
from kmeans_np.sample import sample_image

SECONDS_BEFORE_PROGRESS = 0.5
DEMO_KS = (2, 4, 8)
# What the functions call otherwise than the command line does.
FLAGS = {"n_init": "--n-init", "max_iter": "--max-iter", "rng": "--seed"}


class Progress:
    """A line on stderr that says how far the run is, if a person is waiting there."""

    def __init__(self) -> None:
        self.due = time.monotonic() + SECONDS_BEFORE_PROGRESS
        self.shown = False

    def __call__(self, step: Step) -> None:
        """Show this step, unless the last one was shown a moment ago."""
        if sys.stderr.isatty() and time.monotonic() >= self.due:
            self.due = time.monotonic() + 0.1
            self.shown = True
            changed = f"{step.n_changed:,.0f} pixels changed cluster"
            sys.stderr.write(f"\r\x1b[Kstep {step.iteration}: {changed}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


# ---- The commands ----------------------------------------------------------------


def segment(args: argparse.Namespace) -> None:
    """Write the picture in k colors."""
    source = Path(args.image)
    target = source.parent / f"{source.stem}-k{args.k}.png"
    if args.output is not None:
        output = Path(args.output)
        is_folder = output.is_dir() or args.output.endswith(("/", os.sep))
        target = output / target.name if is_folder else output
    image = read_image(source)
    if target.exists() and source.samefile(target) and not args.force:
        raise ValueError(
            f"the output must not be the input, got {target} for both; choose another "
            "-o, or --force to overwrite the input"
        )
    check_writable(image, target)
    answer = _cluster(image, args)
    if args.output is not None and is_folder:
        _make_folder(output)
    write_image(target, answer.image)
    print(f"{target}: {_in_words(answer)}")


def palette(args: argparse.Namespace) -> None:
    """Print the colors and their shares."""
    answer = _cluster(read_image(args.image), args)
    rows = zip(answer.palette, answer.counts.tolist(), answer.shares.tolist())
    clusters = [
        {"hex": _hex(color), "color": color.tolist(), "count": count, "share": share}
        for color, count, share in rows
    ]
    if args.json:
        summary = {
            "image": str(args.image),
            "clusters": clusters,
            "inertia": answer.inertia,
            "n_iter": answer.n_iter,
            "stopped_by": answer.stopped_by,
        }
        print(json.dumps(summary, indent=2))
        return
    width = len(f"{clusters[0]['count']:,}")
    for row in clusters:
        name, count = row["hex"] or row["color"], f"{row['count']:{width},}"
        print(f"{name}  {row['share']:7.2%}  {count} pixels")


def demo(args: argparse.Namespace) -> None:
    """Write the built-in picture, the same in 2, 4 and 8 colors, and all in a row."""
    folder, image = Path(args.output), sample_image()
    answers = [cluster_image(image, k, rng=args.seed) for k in DEMO_KS]
    _make_folder(folder)
    panels = [above_its_colors(image)]
    write_image(folder / "sample.png", image)
    print(f"{folder / 'sample.png'}: the built-in picture")
    for k, answer in zip(DEMO_KS, answers):
        target = folder / f"sample-k{k}.png"
        write_image(target, answer.image)
        print(f"{target}: {_in_words(answer)}")
        panels.append(above_its_colors(answer.image, answer))
    write_image(folder / "demo.png", in_a_row(panels))
    print(f"{folder / 'demo.png'}: all four side by side")


# ---- What they share -------------------------------------------------------------


def _cluster(image: Array, args: argparse.Namespace) -> Segmentation:
    progress = Progress()
    try:
        return cluster_image(
            image,
            args.k,
            init=args.init,
            n_init=args.n_init,
            max_iter=args.max_iter,
            tol=args.tol,
            rng=args.seed,
            callback=progress,
        )
    finally:
        progress.clear()


def _make_folder(folder: Path) -> None:
    with explained(folder, "a folder that can be written"):
        folder.mkdir(parents=True, exist_ok=True)


def _in_words(answer: Segmentation) -> str:
    reasons = {
        "labels": "until no pixel changed cluster",
        "tol": "until the colors hardly moved",
        "max_iter": "which was the limit",
    }
    colors = counted(len(answer.palette), "color")
    after = counted(answer.n_iter, "step")
    return f"{colors} after {after}, {reasons[answer.stopped_by]}"


def _hex(color: Array) -> str | None:
    """Return a color as #rrggbb, None if it has no 8-bit equivalent."""
    if color.dtype == np.uint16:
        color = np.rint(color / 257).astype(np.uint8)
    if color.dtype != np.uint8:
        return None
    levels = np.broadcast_to(color, 3).tolist()
    return "#" + "".join(f"{level:02x}" for level in levels)


# ---- Arguments -------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message on one line and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")

    def option(self, flag: str, metavar: str, default: Any, text: str) -> None:
        """Add an option with a value of the type of its default."""
        text = f"{text} (default: {default})"
        kind = type(default)
        self.add_argument(flag, metavar=metavar, type=kind, default=default, help=text)

    def clustering_options(self) -> None:
        """Add the picture, k and how to run."""
        self.add_argument("image", metavar="IMAGE", help="the picture to read")
        self.add_argument("-k", type=int, required=True, help="the number of colors")
        self.add_argument(
            "--init",
            choices=["random", "k-means++"],
            default="random",
            help="start from random colors of the picture, or from colors that are "
            "spread out (default: random)",
        )
        self.add_argument(
            "--n-init",
            type=number_of_starts,
            default="auto",
            metavar="N",
            help="try N starts and keep the best (default: auto, 10 random starts for "
            "up to 10,000 colors and 1 otherwise)",
        )
        self.option("--max-iter", "N", 300, "stop a start after N steps")
        self.option(
            "--tol",
            "T",
            1e-4,
            "stop when the squared moves of the colors sum up to T times the picture's "
            "variance; 0 goes on until nothing changes any more",
        )
        self.option("--seed", "S", 0, "the same seed gives the same picture")


def number_of_starts(text: str) -> int | str:
    """Return "auto" or an int."""
    return text if text == "auto" else int(text)


def build_parser() -> Parser:
    """Return the parser of all the commands."""
    parser = Parser(
        prog="kmeans-np",
        description="Segment pictures by color with K-means.",
        epilog="kmeans-np COMMAND --help has the options of a command and examples.",
    )
    parser.add_argument(
        "--version", action="version", version=f"kmeans-np {version('kmeans-np')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    added = {}
    for run, summary, examples in COMMANDS:
        added[run] = commands.add_parser(
            run.__name__,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog="examples:" + "".join(f"\n  kmeans-np {line}" for line in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added[run].set_defaults(run=run)
    added[segment].clustering_options()
    added[segment].add_argument("-o", "--output", metavar="OUT", help=OUTPUT_HELP)
    added[segment].add_argument(
        "--force", action="store_true", help="allow OUT to be the input itself"
    )
    added[palette].clustering_options()
    added[palette].add_argument("--json", action="store_true", help="print JSON")
    added[demo].option("--output", "FOLDER", "kmeans-np-demo", "where to write to")
    added[demo].option("--seed", "S", 0, "the same seed gives the same pictures")
    return parser


COMMANDS = (
    (
        segment,
        "write a picture in K colors",
        (
            "segment photo.jpg -k 8",
            "segment photo.jpg -k 4 -o poster.png --init k-means++",
            "segment photo.jpg -k 16 -o results/ --seed 1",
        ),
    ),
    (
        palette,
        "print the K colors of a picture and their shares",
        ("palette photo.jpg -k 5", "palette photo.jpg -k 5 --json > palette.json"),
    ),
    (
        demo,
        "write the built-in picture in 2, 4 and 8 colors",
        ("demo", "demo --output pictures/"),
    ),
)
OUTPUT_HELP = (
    "the picture to write, or a folder for it (default: IMAGE-kK.png beside the "
    "input); .png, .webp and .tif keep exactly K colors, .jpg does not"
)


def _prepare_output() -> None:
    """Let nothing fail because output is closed or a file name cannot be printed."""
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _prepare_output()
    args = build_parser().parse_args(argv)
    status = 0
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always", UserWarning)
            args.run(args)
            sys.stdout.flush()
        for note in notes:
            print(f"kmeans-np: note: {note.message}", file=sys.stderr)
    except BrokenPipeError:
        pass  # The reader of our output has seen enough, as `head` has.
    except (OSError, ValueError, TypeError, MemoryError) as error:
        text = " ".join(str(error).split()) or "not enough memory for this picture"
        name, _, rest = text.partition(" ")
        print(f"kmeans-np: error: {FLAGS.get(name, name)} {rest}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("kmeans-np: stopped", file=sys.stderr)
        status = 130
    try:
        sys.stdout.flush()
    except OSError:
        # Nothing can be printed any more, not even by the interpreter when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


if __name__ == "__main__":
    sys.exit(main())
