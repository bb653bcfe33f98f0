"""What the command line reads: pictures, masks and palettes."""

import json
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_np.arrays import LazyArray
from kmeans_np.checks import ArgumentValueError
from kmeans_np.cli.messages import named
from kmeans_np.files import (
    Metadata,
    as_path,
    check_readable,
    open_image,
    path_errors,
    read_image,
    read_metadata,
)
from kmeans_np.files.formats import format_of, is_opened
from kmeans_np.files.metadata import NOTHING
from kmeans_np.files.profiles import from_srgb, named_color
from kmeans_np.lloyd import Array

# From so many pixels on, a picture that can be read in slices is.
LARGE = 2**26

# A picture of more colors is no palette, but a photograph.
MOST_SWATCHES = 256

_HEX, _SHORT_HEX = re.compile("#?[0-9a-fA-F]{6}"), re.compile("#[0-9a-fA-F]{3}")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# Several in brackets or not, with commas or without.
_NUMBERS = re.compile(
    rf"\s*\[?\s*{_NUMBER}(?:[\s,]+{_NUMBER}(?![\d.%]))*\s*\]?(?=\s|$)"
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing on stderr from libraries, of which some print what they think.

    That may be libraries in C, so it is the stream of the process that is turned.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # It is closed, which is quiet enough.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def read_picture(path: Path, option: str = "IMAGE", page: int = 1) -> Array:
    """Read a picture that was named by an option or argument."""
    with named(option), _quiet():
        n_pages = read_metadata(path).n_pages if page != 1 else 1
        if 1 <= page <= n_pages:
            return read_image(path, page=page - 1)
    rule = f"be from 1 to {n_pages:,}, the number of images in {path}"
    raise ArgumentValueError("--page", rule, page, "choose one of these")


def open_picture(path: Path, page: int = 1) -> AbstractContextManager[Any]:
    """Return what closes a picture to segment: one too large for memory is not read."""
    if page != 1:
        return nullcontext(read_picture(path, page=page))
    if is_opened(path):
        with named("IMAGE"):
            return open_image(path)
    if format_of(path).open is not None:
        # Not all files of such a format can be read in slices, and few need it.
        with suppress(OSError, ValueError), _quiet():
            image = open_image(path)
            if math.prod(image.shape[:2]) >= LARGE:
                return image
            image.close()
    return nullcontext(read_picture(path))


def describe_picture(path: Path, page: int = 1) -> Metadata:
    """Return what the file of a picture says about its numbers, and note the rest.

    What cannot be told is no reason not to do anything with the picture.
    """
    about = NOTHING
    with suppress(OSError, ValueError), _quiet():
        about = read_metadata(path)
    if about.n_pages > 1:
        warnings.warn(f"page {page} of {about.n_pages:,} is read", stacklevel=2)
    return about


def read_mask(path: str | None) -> NDArray[np.bool_] | None:
    """Read which pixels take part: those that are neither black nor transparent."""
    if path is None:
        return None
    image = read_picture(Path(path), "--mask")
    channels = image[..., np.newaxis] if image.ndim == 2 else image
    # NaN is neither.
    some = (channels > 0) | (channels < 0)
    if channels.shape[2] in (2, 4):
        some = some[..., :-1] & some[..., -1:]
    part: NDArray[np.bool_] = np.logical_or.reduce(some, axis=2)
    if not part.any():
        rule, remedy = "let at least one pixel take part", "paint white what takes part"
        found = "which is black or transparent everywhere"
        raise ArgumentValueError("--mask", rule, path, remedy, found=found)
    return part


def mask_for(image: Array, mask: NDArray[np.bool_] | None, about: Metadata) -> Any:
    """Return which pixels take part: of a mask of this size, those that have data."""
    if mask is not None and mask.shape != image.shape[:2]:
        (rows, columns), (r, c) = image.shape[:2], mask.shape
        raise ArgumentValueError(
            "--mask",
            f"have as many rows and columns as the picture, {rows} and {columns}",
            f"{r} and {c}",
            "make it of the same size",
        )
    if about.no_data is None:
        return mask
    with np.errstate(over="ignore", invalid="ignore"):
        no_data = np.asarray(about.no_data).astype(image.dtype)
    if image.dtype.kind != "f" and no_data != about.no_data:
        # Such a number cannot be in it.
        return mask

    def have_data(place: Any) -> NDArray[np.bool_]:
        block = np.asarray(image[place])
        bad = (block == no_data) | ((block != block) & (no_data != no_data))
        good: NDArray[np.bool_] = ~(bad if bad.ndim == 2 else bad.any(axis=2))
        return good if mask is None else good & mask[place]

    shape, chunks = image.shape[:2], getattr(image, "chunks", None)
    if isinstance(image, np.ndarray):
        return have_data(np.s_[:, :])
    return LazyArray(shape, np.dtype(bool), chunks and chunks[:2], have_data)


def alpha_of(alpha: Any, image: Array, about: Metadata) -> Any:
    """Return whether the last channel is alpha, as an option or else the file says."""
    if alpha != "auto" or about.has_alpha is None or image.ndim < 3:
        return alpha
    return about.has_alpha and image.shape[2] > 1


class Palette(NamedTuple):
    """Colors from a file."""

    # (k, 3) of uint8, or (k,) or (k, channels) of float64.
    colors: Array
    # Whether they were written as #rrggbb, and are not yet in a picture's own unit.
    are_hex: bool

    def like(self, image: Array, about: Metadata) -> Array:
        """Return the colors in the unit and the color profile of a picture."""
        if not self.are_hex:
            return self.colors
        if image.dtype not in (np.uint8, np.uint16):
            rule = "be the JSON of kmeans-np palette --json for a picture of type"
            raise ArgumentValueError(
                "--palette",
                f"{rule} {image.dtype}",
                "colors like #ff8800",
                "write its numbers",
            )
        colors = self.colors
        if image.ndim == 2 or image.shape[2] <= 2:
            for color in colors:
                if len({*color}) > 1:
                    written = "#" + color.tobytes().hex()
                    rule = "hold grays for a gray picture"
                    remedy = "write one such as #808080"
                    raise ArgumentValueError("--palette", rule, written, remedy)
        colors = from_srgb(colors, about.color_profile)
        if image.ndim == 2 or image.shape[2] <= 2:
            colors = colors[:, :1]
        return colors * np.uint16(257) if image.dtype == np.uint16 else colors


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
    colors = [_color(line, number, path) for number, line in some]
    if not colors:
        raise _no_palette(path, "has no colors")
    bytes_only = all(each[1] for each in colors)
    try:
        values = np.array([each[0] for each in colors], np.float64)
    except ValueError:
        raise _no_palette(path, "has colors of unlike channels") from None
    if is_gimp or bytes_only:
        return Palette(values.astype(np.uint8), are_hex=True)
    if any(each[1] for each in colors):
        raise _no_palette(path, "has names of colors, and numbers as well")
    grays = values.shape[1] == 1
    return Palette(values[:, 0] if grays else values, are_hex=False)


def _color(line: str, number: int, path: str) -> tuple[list[float], bool]:
    """Return the color that a line begins with, and whether it is named in bytes."""
    word = line.split()[0]
    if _HEX.fullmatch(word):
        return [*bytes.fromhex(word.removeprefix("#"))], True
    if word.isalpha() or _SHORT_HEX.fullmatch(word):
        with suppress(ValueError):
            return [*map(float, named_color(word))], True
    # What follows, such as a share, is not the color's.
    elif numbers := _NUMBERS.match(line):
        return [*map(float, re.findall(_NUMBER, numbers[0]))], False
    raise _no_palette(path, f"has {word[:20]!r} in line {number}")


def _swatches(path: str) -> Array:
    """Return the colors of a picture of swatches, in the order in which they come."""
    try:
        image = read_picture(Path(path), "--palette")
    except ValueError:
        raise _no_palette(path, "is neither text nor a picture") from None
    if image.dtype != np.uint8:
        raise _no_palette(path, f"is a picture of type {image.dtype}")
    pixels = image[..., np.newaxis] if image.ndim == 2 else image
    pixels = pixels.reshape(-1, pixels.shape[2])
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
        "be what kmeans-np palette prints, or lines that begin with a color, like "
        "#ff8800, orange or 255 136 0, or a picture of swatches",
        path,
        "choose another file",
        found=f"which {what}",
    )
