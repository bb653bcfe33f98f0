"""Writing image files.

What this file adds: `write_image`, and what each kind of file can hold. What it leaves
out: who asked for it.
"""

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kmeans_np.blocks import Report, Reporter, in_memory, is_sliced
from kmeans_np.checks import (
    ArgumentTypeError,
    ArgumentValueError,
    function,
    real_array,
)
from kmeans_np.colors import distinct_colors
from kmeans_np.files.deep import TIFF_TYPES, encode, libraries
from kmeans_np.files.paths import as_path, check_replaceable, write_whole
from kmeans_np.files.png import png_bytes
from kmeans_np.files.tiles import check_sliced, write_sliced
from kmeans_np.lloyd import Array


class _Format(NamedTuple):
    """How a kind of file is written, without loss where it can be, and what it holds.

    A segmented image keeps its k colors in all of them but JPEG.
    """

    options: dict[str, Any]
    channels: range | tuple[int, ...]
    longest: int
    types: tuple[str, ...] = ("uint8",)


_JPEG = _Format({"quality": 95, "subsampling": 0}, (1, 3), 65_500)
_TIFF = _Format({"compression": "tiff_deflate"}, range(1, 2**16), 2**31 - 1, TIFF_TYPES)
_FORMATS = {
    ".png": _Format({}, (1, 2, 3, 4), 2**31 - 1, ("uint8", "uint16")),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _Format({"lossless": True, "exact": True}, (1, 3, 4), 16_383),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _Format({}, (1, 3), 2**31 - 1),
    ".gif": _Format({}, (1, 3), 65_535),
}
_GIF_COLORS = 256
_KINDS = {1: "gray", 2: "gray with alpha", 3: "RGB", 4: "RGBA"}
# What Pillow writes as gray only, besides uint8.
_GRAY_TYPES = {
    ".png": ("uint16",),
    ".tif": ("uint16", "int32", "float32"),
    ".tiff": ("uint16", "int32", "float32"),
}


# Arrays in files, of any size.
_ARRAYS = (".npy", ".zarr")


def write_image(
    path: str | os.PathLike[str],
    image: npt.ArrayLike,
    *,
    progress: Report | None = None,
) -> None:
    """Write an image file, or leave everything as it was.

    The file is written under another name in the same folder and renamed when it is
    complete, so that `path` never holds half a picture. A file that is there is
    replaced; the new one has its permissions.

    Parameters
    ----------
    path : str or path-like
        Where to; its suffix names the kind: .png, .tif, .tiff, .webp, .bmp and .gif
        keep every pixel (.gif has at most 256 colors, and gray comes back from .webp as
        RGB), .jpg and .jpeg (of quality 95) blur the edges between colors. A .png of at
        most 256 colors has a palette if that makes it smaller. What a link points to is
        replaced, not the link.
    image : (rows, columns) or (rows, columns, channels) array_like
        The image: gray, gray with alpha, RGB or RGBA of type uint8, as far as the kind
        of file allows; or gray of type uint16 as .png, .tif and .tiff, and of type
        int32 or float32 as .tif and .tiff.

        With the extra ``kmeans-np[deep]`` also gray with alpha, RGB and RGBA of type
        uint16 as .png, and any number of channels of type uint8, uint16, uint32, int8,
        int16, int32, float32 or float64 as .tif and .tiff.

        As .npy, and with the extra ``kmeans-np[zarr]`` as .zarr (a folder), any number
        of axes and any real type; each chunk of a .zarr has a checksum. An image
        outside of memory, such as that of a `Segmentation` of one, is written block by
        block as .npy, .zarr, .tif and .tiff, the last two in tiles, and as BigTIFF
        where that is needed.
    progress : callable, optional
        Called with a `Progress` after each block, where an image is written in blocks.

    Raises
    ------
    TypeError
        If `image` is of another type than the kind of file can hold, or `progress` is
        not callable.
    ValueError
        If the suffix is unknown, or the shape of `image`, or the number of its colors,
        not possible in such a file, or only with the extra, which is not installed.
    ValueError
        If there is something else than a file at `path`, such as a FIFO or a device,
        or, for a .zarr, a folder that is no Zarr; or if the file system cannot hold
        such a name.
    FileNotFoundError, NotADirectoryError, IsADirectoryError
        If the folder does not exist, or `path` is a folder.
    PermissionError, OSError
        If the file may not be written, or the disk is full.

    Notes
    -----
    A process that is killed leaves `path` as it was, and beside it a file or folder
    named ``.`` and 16 hexadecimal digits and ``.part``, which can be deleted. The one
    exception: a .zarr that replaces another is renamed in two steps, and between them
    the old one has such a name, and `path` does not exist.

    The system may keep what was written in memory for a while: it is not asked to bring
    it to the disk before the file is renamed. So after a crash of the machine, rather
    than of the process, the file at `path` may be incomplete.
    """
    path = as_path(path)
    function(progress, "progress", "Progress")
    if _in_blocks(image, path):
        _write_in_blocks(path, image, progress)
        return
    array = real_array(in_memory(image), "image")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    check_writable(array, path)
    # Before the work of encoding it.
    check_replaceable(path)
    write_whole(path, _encode(array, path.suffix.lower()))


def _in_blocks(image: Any, path: Path) -> bool:
    """Return whether an image is written to a file block by block."""
    suffix = path.suffix.lower()
    return suffix in _ARRAYS or (suffix in (".tif", ".tiff") and is_sliced(image))


def _write_in_blocks(path: Path, image: Any, progress: Report | None) -> None:
    image = image if is_sliced(image) else real_array(image, "image")
    reporter = Reporter(progress, "paint", math.prod(image.shape[:2]))
    write_sliced(path, image, progress=lambda done, _: reporter.reach(done))


def check_writable(image: Any, path: Path) -> None:
    """Raise TypeError or ValueError if such an image cannot be in such a file."""
    if _in_blocks(image, path):
        check_sliced(path, image)
        return
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        rule = f"end in one of {', '.join((*_FORMATS, *_ARRAYS))} to be written"
        remedy = "choose one of these, such as .png"
        raise ArgumentValueError("path", rule, path, remedy)
    _check_type(image, suffix)
    kind = _FORMATS[suffix]
    if (
        image.ndim not in (2, 3)
        or 0 in image.shape
        or _channels(image) not in kind.channels
    ):
        names = " or ".join(_KINDS[number] for number in kind.channels[:4])
        names += " or of up to 65,535 channels" if len(kind.channels) > 4 else ""
        raise ArgumentValueError(
            "image",
            f"be {names} to be written as {image.dtype} to a {suffix} file",
            f"shape {image.shape}",
            "choose other channels, another suffix or another type",
        )
    if max(image.shape[:2]) > kind.longest:
        rule = f"have at most {kind.longest:,} rows and columns to be written to a "
        rule, got = f"{rule}{suffix} file", f"shape {image.shape}"
        raise ArgumentValueError("image", rule, got, "choose .png")
    if not _pillow_holds(image, suffix):
        libraries(
            "be gray, or of type uint8 with at most 4 channels, as long as tifffile "
            f"and imagecodecs are missing, to be written to a {suffix} file",
            f"shape {image.shape} of type {image.dtype}",
            argument="image",
        )


def _check_type(image: Array, suffix: str) -> None:
    types = _FORMATS[suffix].types
    if image.dtype not in types:
        remedy, code = "scale it to 0 to 255 and convert it", "np.rint(255 * image)"
        if image.dtype == np.uint16:
            remedy, code = "choose .png, or convert it", "(image // 257)"
        elif image.dtype in TIFF_TYPES:
            remedy = f"choose .tif, or {remedy}"
        raise ArgumentTypeError(
            "image",
            f"hold numbers of type {' or '.join(types)} to be written to a {suffix} "
            "file",
            f"type {image.dtype}",
            f"{remedy}, as in {code}.astype(np.uint8)",
            shell_remedy=remedy,
        )


def _channels(image: Array) -> int:
    return 1 if image.ndim < 3 else image.shape[2]


def _pillow_holds(image: Array, suffix: str) -> bool:
    """Return whether Pillow writes such an image."""
    if image.dtype == np.uint8:
        return _channels(image) <= 4
    return _channels(image) == 1 and image.dtype in _GRAY_TYPES[suffix]


def _encode(image: Array, suffix: str) -> bytes:
    """Return the content of a file of the kind that the suffix names."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if not _pillow_holds(image, suffix):
        return encode(image, suffix)
    if suffix == ".png" and _channels(image) > 2:
        return png_bytes(image)
    if suffix == ".gif" and image.ndim == 3:
        n_colors = len(distinct_colors(image.reshape(-1, 3)).counts)
        if n_colors > _GIF_COLORS:
            rule = f"have at most {_GIF_COLORS} colors to be written to a .gif file"
            remedy = "choose .png, or fewer colors"
            raise ArgumentValueError("image", rule, f"{n_colors:,}", remedy)
    options = _FORMATS[suffix].options
    if suffix == ".gif" and image.ndim == 2:
        # Cut to the grays that occur, its palette would not be known as one of grays.
        options = {"optimize": False}
    from imageio import v3 as iio

    data: bytes = iio.imwrite(
        "<bytes>",
        image,
        extension=suffix,
        plugin="pillow",
        is_batch=False,
        **options,
    )
    return data
