"""Palettes in files: what `kmeans-np palette` prints, lists of colors, swatches."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.cli.inputs import Picture, read_array
from kmeans_np.cli.messages import named, reading
from kmeans_np.files import Metadata, as_path, check_readable, path_errors
from kmeans_np.files.profiles import from_srgb, named_color, to_srgb
from kmeans_np.lloyd import Array

# A picture of more colors is no palette, but a photograph.
MOST_SWATCHES = 256
# More of a line is not looked at for numbers.
LONGEST_LINE = 10_000

_HEX, _SHORT_HEX = re.compile("#?[0-9a-fA-F]{6}"), re.compile("#[0-9a-fA-F]{3}")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
# Several in brackets or not, with commas or without.
_NUMBERS = re.compile(
    rf"\s*\[?\s*{_NUMBER}(?:[\s,]+{_NUMBER}(?![\d.%]))*\s*\]?(?=\s|$)"
)


class Palette(NamedTuple):
    """Colors from a file."""

    # (k, 3) of uint8, or (k,) or (k, channels) of float64.
    colors: Array
    # Whether they were written as #rrggbb, and are not yet in a picture's own unit.
    are_hex: bool

    def like(self, picture: Picture) -> Array:
        """Return the colors in the unit and the color profile of a picture."""
        if not self.are_hex:
            return self.colors
        dtype, is_gray = picture.image.dtype, picture.layout.channels == 1
        if dtype not in (np.uint8, np.uint16):
            rule = "hold the picture's own numbers for type"
            raise ArgumentValueError(
                "--palette",
                f"{rule} {dtype}",
                "colors like #ff8800",
                "write its numbers",
            )
        colors = self.colors
        if is_gray:
            for color in colors:
                if len({*color}) > 1:
                    written = "#" + color.tobytes().hex()
                    rule = "hold grays for a gray picture"
                    remedy = "write one such as #808080"
                    raise ArgumentValueError("--palette", rule, written, remedy)
        colors = from_srgb(colors, picture.about.color_profile)
        colors = colors[:, :1] if is_gray else colors
        return colors * np.uint16(257) if dtype == np.uint16 else colors


def shown_colors(colors: Array, about: Metadata) -> Array | None:
    """Return colors of a picture as (k, 3) of uint8 in sRGB; None if it has others."""
    if colors.dtype == np.uint16:
        colors = np.rint(colors / 257).astype(np.uint8)
    colors = colors.reshape(len(colors), -1)
    if colors.dtype != np.uint8 or colors.shape[1] not in (1, 3):
        return None
    return to_srgb(colors, about.color_profile)


@reading()
def read_palette(path: str) -> Palette:
    """Read what `kmeans-np palette` prints, or lines of colors."""
    with named("--palette"), path_errors(Path(path), "a file that can be read"):
        file = as_path(path)
        # What another command prints comes as a FIFO.
        if not file.is_fifo():
            check_readable(file)
        data = file.read_bytes()
    # Some shells of Windows write UTF-16.
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except ValueError:
        return Palette(_swatches(path), are_hex=True)
    if text.lstrip().startswith("{"):
        return Palette(_from_json(text, path), are_hex=False)
    # A palette of GIMP begins with a few lines about itself.
    is_gimp = text.startswith("GIMP Palette")
    about = re.compile(r"GIMP Palette|(Name|Columns):|#" if is_gimp else "//|;")
    lines = enumerate(text.splitlines(), 1)
    some = [(number, line) for number, line in lines if line.strip()]
    some = [(number, line) for number, line in some if not about.match(line)]
    read = _gimp_color if is_gimp else _color
    colors = [read(line, number, path) for number, line in some]
    if not colors:
        raise _no_palette(path, "has no colors")
    bytes_only = all(each[1] for each in colors)
    try:
        values = np.array([each[0] for each in colors], np.float64)
    except ValueError:
        raise _no_palette(path, "has colors of unlike channels") from None
    if bytes_only:
        return Palette(values.astype(np.uint8), are_hex=True)
    if any(each[1] for each in colors):
        raise _no_palette(path, "has names of colors, and numbers as well")
    grays = values.shape[1] == 1
    return Palette(values[:, 0] if grays else values, are_hex=False)


def _color(line: str, number: int, path: str) -> tuple[list[float], bool]:
    """Return the color that a line begins with, and whether it is named in bytes."""
    word, *others = line.split(maxsplit=1)
    # Without the sign, and beside others, six digits are a number.
    if _HEX.fullmatch(word) and (word[0] == "#" or not others):
        return [*bytes.fromhex(word.removeprefix("#"))], True
    if word.isalpha() or _SHORT_HEX.fullmatch(word):
        with suppress(ValueError):
            return [*map(float, named_color(word))], True
    # What follows, such as a share, is not the color's.
    elif numbers := _NUMBERS.match(line[:LONGEST_LINE]):
        return [*map(float, re.findall(_NUMBER, numbers[0]))], False
    raise _no_palette(path, f"has {word[:20]!r} in line {number}")


def _gimp_color(line: str, number: int, path: str) -> tuple[list[float], bool]:
    """Return the color in a line of a palette of GIMP, whose name may follow."""
    words = line.split(maxsplit=3)[:3]
    if len(words) == 3 and all(word.isdecimal() and int(word) < 256 for word in words):
        return [*map(float, words)], True
    raise _no_palette(path, f"has {line[:20]!r} in line {number}")


def _swatches(path: str) -> Array:
    """Return the colors of a picture of swatches, in the order in which they come."""
    try:
        image = read_array(Path(path), "--palette")
    except ValueError:
        raise _no_palette(path, "is neither text nor a picture") from None
    if image.dtype != np.uint8:
        raise _no_palette(path, f"is a picture of type {image.dtype}")
    pixels = image[..., np.newaxis] if image.ndim == 2 else image
    pixels = pixels.reshape(-1, pixels.shape[2])
    if pixels.shape[1] in (2, 4):
        # What cannot be seen is no swatch.
        pixels = pixels[pixels[:, -1] > 0]
    rgb = pixels[:, :3] if pixels.shape[1] > 2 else np.repeat(pixels[:, :1], 3, axis=1)
    colors, first = np.unique(rgb, axis=0, return_index=True)
    if len(colors) > MOST_SWATCHES:
        what = f"is a picture of {len(colors):,} colors, more than {MOST_SWATCHES}"
        raise _no_palette(path, what)
    swatches: Array = colors[np.argsort(first)]
    return swatches


def _from_json(text: str, path: str) -> Array:
    try:
        clusters = json.loads(text)["clusters"]
        colors = np.array([cluster["color"] for cluster in clusters], np.float64)
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        raise _no_palette(path, "is other JSON, or none") from None
    if colors.size == 0:
        raise _no_palette(path, "has no colors")
    return colors


def _no_palette(path: str, what: str) -> ArgumentValueError:
    return ArgumentValueError(
        "--palette",
        "be a palette: the output of kmeans-np palette, lines that begin with a color "
        "such as #ff8800, orange or 255 136 0, or a picture of swatches",
        path,
        "choose another file",
        found=f"which {what}",
    )
