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

from kmeans_np.checks import ArgumentValueError
from kmeans_np.cli.messages import named
from kmeans_np.files import as_path, check_readable, open_image, path_errors, read_image
from kmeans_np.files.formats import format_of, is_opened
from kmeans_np.lloyd import Array

# From so many pixels on, a picture that can be read in slices is.
LARGE = 2**26

_HEX = re.compile("#[0-9a-fA-F]{6}")


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


def read_picture(path: Path, option: str = "IMAGE") -> Array:
    """Read a picture that was named by an option or argument."""
    with named(option), _quiet():
        return read_image(path)


def open_picture(path: Path) -> AbstractContextManager[Any]:
    """Return what closes a picture to segment: one too large for memory is not read."""
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


def mask_for(image: Array, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return the mask if it has the size of a picture."""
    if mask is not None and mask.shape != image.shape[:2]:
        (rows, columns), (r, c) = image.shape[:2], mask.shape
        raise ArgumentValueError(
            "--mask",
            f"have as many rows and columns as the picture, {rows} and {columns}",
            f"{r} and {c}",
            "make it of the same size",
        )
    return mask


class Palette(NamedTuple):
    """Colors from a file."""

    # (k, 3) of uint8, or (k,) or (k, channels) of float64.
    colors: Array
    # Whether they were written as #rrggbb, and are not yet in a picture's own unit.
    are_hex: bool

    def like(self, image: Array) -> Array:
        """Return the colors in the unit of a picture."""
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
        raise _no_palette(path, "is no text") from None
    if text.lstrip().startswith("{"):
        return Palette(_from_json(text, path), are_hex=False)
    colors = []
    for number, line in enumerate(text.splitlines(), 1):
        word, *_ = line.split() or [""]
        if _HEX.fullmatch(word):
            colors.append([*bytes.fromhex(word[1:])])
        elif word:
            raise _no_palette(path, f"has {word[:20]!r} in line {number}")
    if not colors:
        raise _no_palette(path, "has no colors")
    return Palette(np.array(colors, np.uint8), are_hex=True)


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
        "be what kmeans-np palette prints, or lines that begin with a color like "
        "#ff8800",
        path,
        "choose another file",
        found=f"which {what}",
    )
