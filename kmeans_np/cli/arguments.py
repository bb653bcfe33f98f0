"""The options of each command, and their help."""

import argparse
from collections.abc import Mapping
from typing import Any

import kmeans_np
from kmeans_np.cli.commands import DEMO_FOLDER, demo, palette, segment
from kmeans_np.cli.explaining import cloud, explain
from kmeans_np.cli.outputs import holds_labels
from kmeans_np.cli.parser import Parser, PrintCompletion
from kmeans_np.colors import COLOR_SPACES
from kmeans_np.files.formats import FORMATS, either, suffixes
from kmeans_np.seeding import SEEDINGS

_ONE_PICTURE = "the picture to read, or - for standard input"


def number_of_starts(text: str) -> int | str:
    """Return "auto" or an int."""
    return text if text == "auto" else int(text)


def _add(group: Any, flag: str, metavar: str, default: Any, text: str) -> None:
    """Add an option with a value of the type of its default."""
    text = f"{text} (default: {default})"
    kind = type(default)
    group.add_argument(flag, metavar=metavar, type=kind, default=default, help=text)


def page(text: str) -> int | str:
    """Return "all" or an int."""
    return text if text == "all" else int(text)


def channel_axis(text: str) -> int | str | None:
    """Return "auto", the number of an axis, or None for "none"."""
    if text == "auto":
        return text
    return None if text == "none" else int(text)


def _what_takes_part(group: Any, several_pages: bool = True) -> None:
    every = ", or all, as a volume or a film" if several_pages else ""
    group.add_argument(
        "--page",
        metavar="N",
        type=page if several_pages else int,
        default=1,
        help=f"which of several images in a file{every} (default: 1)",
    )
    group.add_argument(
        "--channel-axis",
        metavar="N",
        type=channel_axis,
        default="auto",
        help="which axis of an array has the channels: 0 if bands come first, none for "
        "a gray volume (default: auto, the last one, or none for a volume of pages)",
    )
    group.add_argument(
        "--alpha",
        choices=["auto", "yes", "no", "weights"],
        default="auto",
        help="whether the last channel is alpha, which says what can be seen, or a "
        "band like the others; weights: it is alpha, and a pixel that is half "
        "transparent counts half (default: auto, what the file says, or else that the "
        "last of 2 or 4 channels is alpha)",
    )
    group.add_argument(
        "--no-alpha",
        dest="alpha",
        action="store_const",
        const="no",
        help="the same as --alpha no",
    )
    group.add_argument(
        "--mask",
        metavar="FILE",
        help="a picture of the same size; where it is black or transparent, pixels "
        "take no part",
    )
    if several_pages:
        group.add_argument(
            "--weights",
            metavar="FILE",
            help="a gray picture or an array of the same size: how much each pixel "
            "counts",
        )


def _choices(table: Mapping[str, Any]) -> str:
    """Return what the entries of a table say about themselves."""
    return ", or ".join(entry.about for entry in table.values() if entry is not None)


def _what_to_compare(parser: Parser) -> None:
    group = parser.add_argument_group("what is compared")
    _what_takes_part(group)
    _color_space(group)
    group.add_argument(
        "--normalize",
        action="store_true",
        help="bring all channels to the same variance first, for bands of unlike scale",
    )
    _add(
        group,
        "--position-weight",
        "W",
        0.0,
        "how much the place counts beside the color, for regions that hold together; "
        "with 1, the picture's longer side counts as much as all its range of colors",
    )


def _color_space(group: Any) -> None:
    group.add_argument(
        "--color-space",
        choices=[*COLOR_SPACES],
        default="rgb",
        help=f"compare colors as they are, or {_choices(COLOR_SPACES)} (default: rgb)",
    )


def _how_to_search(parser: Parser, tries_starts: bool = True) -> None:
    group = parser.add_argument_group("how to search")
    group.add_argument(
        "--init",
        choices=[*SEEDINGS],
        default="random",
        help=f"start from {_choices(SEEDINGS)} (default: random)",
    )
    if tries_starts:
        group.add_argument(
            "--n-init",
            type=number_of_starts,
            default="auto",
            metavar="N",
            help="try N starts and keep the best (default: auto, which tries several "
            "where that takes little time)",
        )
    else:
        _add(group, "--n-init", "N", 1, "try N starts and keep the best")
    _add(group, "--max-iter", "N", 300, "stop a start after N steps")
    _add(
        group,
        "--tol",
        "T",
        1e-4,
        "stop when the squared moves of the colors sum up to T times the picture's "
        "variance; 0 goes on until nothing changes any more",
    )
    _add(group, "--seed", "S", 0, "the same seed gives the same picture")


def _what_to_write(parser: Parser) -> None:
    group = parser.add_argument_group("what is written")
    written = [each for each in FORMATS if each.write or each.write_blocks]
    keeping = either(suffixes(lambda each: each in written and each.lossless))
    blurring = either(suffixes(lambda each: each in written and not each.lossless))
    arrays = either(suffixes(lambda each: each.types is None and holds_labels(each)))
    grays = either(suffixes(lambda each: each.types and holds_labels(each)))
    group.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the picture in K colors, or a folder for it, as several pictures need "
        "one; it is made if OUT ends with /; or - for standard output (default: "
        "IMAGE-kK.png beside the input, or - for a picture from standard input); "
        f"{keeping} keeps exactly K colors, {blurring} does not",
    )
    group.add_argument(
        "--labels",
        metavar="OUT",
        help=f"the number of each pixel's color, the most frequent 0, as {arrays}, or "
        f"as gray {grays}; or a folder. A PNG has the clusters' colors as its palette; "
        "the numbers in it are the labels (from 256 colors on, it is gray). For pixels "
        "that take no part it is -1, in a PNG 255, or 65535",
    )
    group.add_argument(
        "--overlay",
        metavar="OUT",
        help="the picture with its regions tinted and outlined, or a folder for it",
    )
    _force(group)


def _force(group: Any) -> None:
    group.add_argument(
        "--force",
        action="store_true",
        help="also replace inputs, and what is there under names that were not given. "
        "Without it, a file is only replaced if OUT is its name",
    )


def _segment_options(parser: Parser) -> None:
    parser.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        help="the pictures to read: names, patterns such as 'scans/*.png', or - for "
        "standard input",
    )
    colors = parser.add_mutually_exclusive_group(required=True)
    colors.add_argument("-k", type=int, help="the number of colors")
    colors.add_argument(
        "--palette",
        metavar="FILE",
        help="take these colors instead of searching: what kmeans-np palette prints, "
        "also with --json, lines like #ff8800, orange or 255 136 0, a palette of GIMP, "
        "or a picture of swatches",
    )
    parser.add_argument(
        "--shared-palette",
        action="store_true",
        help="find one palette for all pictures, which must be of the same type; "
        "labels then mean the same in each",
    )
    _what_to_write(parser)
    _what_to_compare(parser)
    _how_to_search(parser)


def _palette_options(parser: Parser) -> None:
    parser.add_argument("image", metavar="IMAGE", help=_ONE_PICTURE)
    parser.add_argument("-k", type=int, required=True, help="the number of colors")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _what_to_compare(parser)
    _how_to_search(parser)


def _explain_options(parser: Parser) -> None:
    parser.add_argument(
        "image",
        metavar="IMAGE",
        nargs="?",
        help=f"{_ONE_PICTURE}, or points, one a row of numbers: .csv, .tsv or .txt; "
        "or .npy, with more rows than columns",
    )
    parser.add_argument(
        "--sample", action="store_true", help="take the built-in picture instead"
    )
    parser.add_argument(
        "--playground",
        action="store_true",
        help="write a page to open pictures in, and to choose k and the start there",
    )
    parser.add_argument(
        "-k",
        type=int,
        help="the number of clusters (not needed for --playground)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="what to write, or a folder for it: .html is a page to step through, .gif "
        "a film, .png a sheet (default: IMAGE-kK.html beside the input, or "
        "playground.html)",
    )
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    _force(parser)
    _what_takes_part(parser, several_pages=False)
    _color_space(parser)
    _how_to_search(parser, tries_starts=False)


def _cloud_options(parser: Parser) -> None:
    parser.add_argument("image", metavar="IMAGE", help=_ONE_PICTURE)
    parser.add_argument(
        "-k", type=int, help="the number of colors to find, if they are to be drawn"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the drawing, or a folder for it, or - for standard output (default: "
        "IMAGE-cloud.png beside the input)",
    )
    _force(parser)
    _what_to_compare(parser)
    _how_to_search(parser)


def _demo_options(parser: Parser) -> None:
    _add(parser, "--output", "FOLDER", DEMO_FOLDER, "where to write to")
    parser.add_argument(
        "--force",
        action="store_true",
        help="also replace files in another folder than that",
    )
    _add(parser, "--seed", "S", 0, "the same seed gives the same pictures")


COMMANDS = (
    (
        segment,
        _segment_options,
        "write pictures in K colors",
        (
            "segment photo.jpg -k 8",
            "segment photo.jpg -k 4 -o poster.png --color-space lab",
            "segment *.png -k 8 --shared-palette -o results/",
            "segment slide.tif -k 3 --mask tissue.png --labels labels.npy",
            "segment photo.jpg --palette colors.txt --overlay regions.png",
        ),
    ),
    (
        palette,
        _palette_options,
        "print the K colors of a picture and their shares",
        (
            "palette photo.jpg -k 5",
            "palette photo.jpg -k 5 --mask face.png",
            "palette photo.jpg -k 5 --json > colors.json",
        ),
    ),
    (
        explain,
        _explain_options,
        "write all the steps of a run, to walk through",
        (
            "explain photo.jpg -k 4 -o page.html --open",
            "explain --sample -k 4",
            "explain --playground --open",
            "explain points.csv -k 3",
            "explain photo.jpg -k 4 -o steps.gif",
            "explain photo.jpg -k 4 -o sheet.png",
        ),
    ),
    (
        cloud,
        _cloud_options,
        "draw how the colors of a picture are distributed",
        ("cloud photo.jpg", "cloud photo.jpg -k 4 -o colors.png"),
    ),
    (
        demo,
        _demo_options,
        "write the built-in picture in 2, 4 and 8 colors",
        ("demo", "demo --output pictures/"),
    ),
)


_STATUS = """exit status:
  0  everything was done
  1  a file could not be read or written; of several, the others are done
  2  an option or argument is wrong; nothing is done
  130  interrupted"""


def build_parser() -> Parser:
    """Return the parser of all the commands."""
    parser = Parser(
        prog="kmeans-np",
        description="Segment pictures by color with K-means.",
        epilog="For the options of a command, and examples: kmeans-np COMMAND --help"
        f"\n\n{_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"kmeans-np {kmeans_np.__version__}"
    )
    parser.add_argument("--print-completion", action=PrintCompletion)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for run, add_options, summary, examples in COMMANDS:
        command = commands.add_parser(
            run.__name__,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog="examples:" + "".join(f"\n  kmeans-np {line}" for line in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run, parser=command)
        add_options(command)
        command.add_argument(
            "-q",
            "--quiet",
            action="store_true",
            help="print errors only, and what was asked for",
        )
    return parser
