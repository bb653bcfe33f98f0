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

_ONE_PICTURE = "the picture, or - for standard input"


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
    every = ", or all, to read a volume or an animation" if several_pages else ""
    group.add_argument(
        "--page",
        metavar="N",
        type=page if several_pages else int,
        default=1,
        help=f"the image to read from a file that has several{every} (default: 1)",
    )
    group.add_argument(
        "--channel-axis",
        metavar="N",
        type=channel_axis,
        default="auto",
        help="the axis of the channels: 0 if bands come first, none for a gray volume "
        "(default: auto, the last axis, or none for a volume of pages)",
    )
    group.add_argument(
        "--alpha",
        choices=["auto", "yes", "no", "weights"],
        default="auto",
        help="yes: the last channel is alpha, and fully transparent pixels are "
        "excluded; no: treat it as data; weights: it is alpha, and pixels count by "
        "their opacity (default: auto, as the file declares, otherwise alpha for 2 or "
        "4 channels)",
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
        help="a picture of the same size; pixels where it is black or transparent are "
        "excluded",
    )
    if several_pages:
        group.add_argument(
            "--weights",
            metavar="FILE",
            help="a gray picture or an array of the same size: the weight of each "
            "pixel",
        )


def _choices(table: Mapping[str, Any]) -> str:
    """Return the names in a table, each with what it stands for."""
    entries = (f"{name}: {entry.about}" for name, entry in table.items() if entry)
    return "; ".join(entries)


def _what_to_compare(parser: Parser) -> None:
    group = parser.add_argument_group("input and features")
    _what_takes_part(group)
    _color_space(group)
    group.add_argument(
        "--normalize",
        action="store_true",
        help="standardize the channels first, for bands of different scales",
    )
    _add(
        group,
        "--position-weight",
        "W",
        0.0,
        "the weight of the position relative to the color, for compact regions; at 1, "
        " the longer side of the picture counts as much as its range of colors",
    )


def _color_space(group: Any) -> None:
    group.add_argument(
        "--color-space",
        choices=[*COLOR_SPACES],
        default="rgb",
        help=f"the space in which colors are compared. rgb: as stored; "
        f"{_choices(COLOR_SPACES)} (default: rgb)",
    )


def _how_to_search(parser: Parser, tries_starts: bool = True) -> None:
    group = parser.add_argument_group("clustering")
    group.add_argument(
        "--init",
        choices=[*SEEDINGS],
        default="random",
        help=f"the starting colors. {_choices(SEEDINGS)} (default: random)",
    )
    if tries_starts:
        group.add_argument(
            "--n-init",
            type=number_of_starts,
            default="auto",
            metavar="N",
            help="try N starts and keep the best (default: auto, several where that is "
            "fast)",
        )
    else:
        _add(group, "--n-init", "N", 1, "try N starts and keep the best")
    _add(group, "--max-iter", "N", 300, "maximum steps per start")
    _add(
        group,
        "--tol",
        "T",
        1e-4,
        "convergence tolerance, relative to the picture's variance; 0: run until "
        "nothing changes",
    )
    _add(group, "--seed", "S", 0, "random seed; the same seed gives the same result")


def _what_to_write(parser: Parser) -> None:
    group = parser.add_argument_group("output")
    written = [each for each in FORMATS if each.write or each.write_blocks]
    keeping = either(suffixes(lambda each: each in written and each.lossless))
    blurring = either(suffixes(lambda each: each in written and not each.lossless))
    arrays = suffixes(lambda each: each.types is None and holds_labels(each))
    grays = suffixes(lambda each: each.types and holds_labels(each))
    group.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the output file, a folder (created if OUT ends with /), or - for "
        "standard output; several pictures need a folder (default: IMAGE-kK.png next "
        f"to the input, or - if that is -). {keeping} keep exactly K colors, "
        f"{blurring} do not",
    )
    group.add_argument(
        "--labels",
        metavar="OUT",
        help="also write the label of each pixel, 0 for the most frequent color, as "
        f"{either([*arrays, *grays])}, or into a folder. A PNG is indexed: its numbers "
        "are the labels, its palette the colors (from 256 colors on, it is gray). "
        "Excluded pixels are -1; in a PNG 255 or 65535",
    )
    group.add_argument(
        "--overlay",
        metavar="OUT",
        help="also write the picture with its regions tinted and outlined, as a file "
        "or into a folder",
    )
    _force(group)


def _force(group: Any) -> None:
    group.add_argument(
        "--force",
        action="store_true",
        help="overwrite inputs and existing files. Without it, a file is overwritten "
        "only if you name it as OUT",
    )


def _segment_options(parser: Parser) -> None:
    parser.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        help="the pictures: file names, patterns such as 'scans/*.png', or - for "
        "standard input",
    )
    colors = parser.add_mutually_exclusive_group(required=True)
    colors.add_argument("-k", type=int, help="the number of colors")
    colors.add_argument(
        "--palette",
        metavar="FILE",
        help="use the colors in FILE instead of finding them: the output of kmeans-np "
        "palette (also --json), lines such as #ff8800, orange or 255 136 0, a GIMP "
        "palette, or a picture of swatches",
    )
    parser.add_argument(
        "--shared-palette",
        action="store_true",
        help="find one palette for all pictures, which must be of the same type; "
        "a label then stands for the same color in each",
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
        "--sample", action="store_true", help="use the built-in picture"
    )
    parser.add_argument(
        "--playground",
        action="store_true",
        help="write a page in which you open pictures and choose k and the start",
    )
    parser.add_argument(
        "-k",
        type=int,
        help="the number of clusters (optional with --playground)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the output file or a folder: .html is a page to step through, .gif an "
        "animation, .png a sheet of all steps (default: IMAGE-kK.html next to the "
        "input, or playground.html)",
    )
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    _force(parser)
    _what_takes_part(parser, several_pages=False)
    _color_space(parser)
    _how_to_search(parser, tries_starts=False)


def _cloud_options(parser: Parser) -> None:
    parser.add_argument("image", metavar="IMAGE", help=_ONE_PICTURE)
    parser.add_argument("-k", type=int, help="also draw the K colors of the picture")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the output file, a folder, or - for standard output (default: "
        "IMAGE-cloud.png next to the input)",
    )
    _force(parser)
    _what_to_compare(parser)
    _how_to_search(parser)


def _demo_options(parser: Parser) -> None:
    _add(parser, "--output", "FOLDER", DEMO_FOLDER, "where to write to")
    parser.add_argument(
        "--force",
        action="store_true",
        help="overwrite files in any folder",
    )
    _add(parser, "--seed", "S", 0, "random seed")


COMMANDS = (
    (
        segment,
        _segment_options,
        "reduce pictures to K colors",
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
        "show every step of a run, as a page, an animation or a sheet",
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
        "draw the distribution of the colors of a picture",
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
  0    success
  1    a file could not be read or written (others are still processed)
  2    wrong usage; nothing was written
  130  interrupted

NO_COLOR turns off colors in the terminal."""


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
            help="print only errors and requested output",
        )
    return parser
