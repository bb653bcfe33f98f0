"""Reading image files.

What this file adds: `read_image`, and who reads what: imageio everything that Pillow
holds without loss, `kmeans_np.files.deep` the rest. What it leaves out: what to do with
the pixels.
"""

import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import counted
from kmeans_np.files.checksums import check_chunks, check_streams
from kmeans_np.files.deep import header, read_png, read_tiff
from kmeans_np.files.paths import (
    READABLE,
    as_path,
    check_readable,
    decode_errors,
    path_errors,
    path_refusal,
)
from kmeans_np.lloyd import Array
from kmeans_np.threads import in_threads

# Color models that are read as red, green and blue.
_READ_AS = {
    "1": "L",
    "P": "RGB",
    "PA": "RGBA",
    "La": "LA",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}
# Color models of which one color may be declared transparent.
_MAY_HIDE = ("1", "L", "P", "RGB")

# Pillow takes its numbers for those of a classic TIFF.
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
# Tags of a TIFF, and the compressions whose parts are streams of zlib.
_BITS, _COMPRESSION, _CHANNELS, _FORMAT = 258, 259, 277, 339
_DEFLATE = (8, 32946)
# To start threads takes longer than to read a smaller file, in bytes.
_LARGE = 2**20
_FORMATS = {1: "uint", 2: "int", 3: "float"}


def read_image(path: str | os.PathLike[str]) -> Array:
    """Read an image file.

    Parameters
    ----------
    path : str or path-like
        A PNG, JPEG, WebP, TIFF, BMP or GIF file, or another that Pillow reads. Of a
        file with several images, the first is read.

    Returns
    -------
    (rows, columns) or (rows, columns, channels) array
        Gray, gray with alpha, RGB or RGBA, of type uint8; or gray of type uint16,
        int16, int32 or float32 if the file holds that. Turned upright, if the file
        says how the camera was held. Palettes and other color models come as RGB, with
        transparency as RGBA, black and white as 0 and 255.

        With the extra ``kmeans-np[deep]`` also PNG files of uint16 gray with alpha, RGB
        or RGBA, and TIFF files of any number of bands, of type uint8, uint16, uint32,
        int8, int16, int32, float32 or float64.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError, NotADirectoryError
        If `path` is a folder, or goes through a file.
    PermissionError, OSError
        If the file may not or cannot be read.
    TypeError
        If `path` is neither a string nor a path.
    ValueError
        If the file is empty, no image, cut short or seen to be damaged, of more than
        about 179 million pixels (four bands count as one), of a type that would change
        on the way, or of one that needs the extra, which is not installed; or if it is
        no file but a FIFO, a socket or a device.

    Notes
    -----
    Damage to the pixels is found where the file has checksums, which are compared: in
    a PNG, and in a TIFF that is compressed by deflate, as `write_image` compresses it.
    In other files (JPEG, WebP, BMP, GIF, and TIFF without compression or with another
    one) a reader can only find what makes no sense. There, and in the header of any
    TIFF, a changed bit may give an image with other pixels.
    """
    path = as_path(path)
    with path_errors(path, READABLE):
        check_readable(path)
        with path.open("rb") as file:
            image, orientation = _read_kind(file, path)
    image = _upright(image, orientation)
    # 16-bit files may come in the byte order of the machine that wrote them.
    return np.ascontiguousarray(image, image.dtype.newbyteorder("="))


def _read_kind(file: BinaryIO, path: Path) -> tuple[Array, Any]:
    """Read what the first bytes say that it is; return it with its orientation."""
    head = file.read(32)
    file.seek(0)
    if not head:
        found, remedy = "which is empty", "get the file anew"
        raise ValueError(path_refusal("be an image file", path, found, remedy))
    if head.startswith(b"\x89PNG"):
        with decode_errors(path):
            check_chunks(file)
        # At 24 and 25 are the bits a channel and the color model, 0 for gray.
        if head[24:25] == b"\x10" and head[25:26] > b"\0":
            return read_png(file, path)
    if head.startswith((b"II", b"MM")):
        return _read_tiff(file, path)
    return _read(file, path)


def _read(file: BinaryIO, path: Path) -> tuple[Array, Any]:
    """Read what Pillow holds without loss; return it with its orientation."""
    from imageio import v3 as iio

    with decode_errors(path), warnings.catch_warnings():
        # As in `kmeans_np.files.deep.header`.
        warnings.simplefilter("ignore")
        opened: Any = iio.imopen(file, "r", plugin="pillow")
        with opened as reader:
            about = reader.metadata(index=0)
            mode = _READ_AS.get(about["mode"])
            if "transparency" in about and about["mode"] in _MAY_HIDE:
                mode = "RGBA"
            image: Array = reader.read(index=0, mode=mode)
            # Only now, since Pillow turns some kinds of files upright itself.
            held = reader.metadata(index=0, exclude_applied=False)
    return image, held.get("Orientation")


def _read_tiff(file: BinaryIO, path: Path) -> tuple[Array, Any]:
    """Read a TIFF; return it with its orientation."""
    head = file.read(4)
    file.seek(0)
    if head == _BIG_ENDIAN_BIGTIFF:
        return read_tiff(file, path, "a BigTIFF of big-endian byte order")
    with decode_errors(path):
        tags = _tags(file)
        channels, kind, bits = _described(tags)
        by_pillow = _pillow_holds(file, channels, kind, bits)
    if not by_pillow:
        what = f"a TIFF of {counted(channels, 'channel')} of {kind}{bits}"
        return read_tiff(file, path, what)
    if tags.get(_COMPRESSION) in _DEFLATE:
        image, orientation = _read_and_check(file, path, tags)
    else:
        image, orientation = _read(file, path)
    # Pillow knows only one type of integers with sign.
    return (
        image.astype(np.int16) if kind == "int" and bits == 16 else image
    ), orientation


def _read_and_check(file: BinaryIO, path: Path, tags: Any) -> tuple[Array, Any]:
    """Read a TIFF of streams with checksums, and compare these."""

    def check() -> None:
        with decode_errors(path), path.open("rb") as own:
            check_streams(own, tags)

    if os.fstat(file.fileno()).st_size < _LARGE:
        check()
        return _read(file, path)
    # Both at once: to check alone takes more than half as long as to read.
    jobs: list[Callable[[], Any]] = [partial(_read, file, path), check]
    image, orientation = in_threads(lambda job: job(), jobs)[0]
    return image, orientation


def _tags(file: BinaryIO) -> Any:
    """Return the tags of the first page of a TIFF."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    head = file.read(8)
    if 43 in head[2:4]:  # a large TIFF, with places of 64 bits
        head += file.read(8)
    tags = ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    file.seek(0)
    return tags


def _described(tags: Any) -> tuple[int, str, int]:
    """Return the number of channels of a TIFF, their kind of numbers, and bits."""
    kind = _FORMATS.get(max(tags.get(_FORMAT, (1,))), "void")
    return int(tags.get(_CHANNELS, 1)), kind, max(tags.get(_BITS, (1,)))


def _pillow_holds(file: BinaryIO, channels: int, kind: str, bits: int) -> bool:
    """Return whether Pillow reads all channels of a TIFF, and all of their bits."""
    from PIL import UnidentifiedImageError

    # Pillow would print a line about the rest.
    if channels > 4:
        return False
    try:
        with header(file) as picture:
            mode, bands = picture.mode, len(picture.getbands())
    except UnidentifiedImageError:
        file.seek(0)
        return False
    if mode == "I":
        fits = kind == "int"
    elif mode == "F":
        fits = (kind, bits) == ("float", 32)
    else:
        fits = kind == "uint" and bits <= (16 if mode.startswith("I;16") else 8)
    return bands == channels and fits


def _upright(image: Array, orientation: Any) -> Array:
    """Turn an image as EXIF says; imageio would mirror the channels of a palette."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image
