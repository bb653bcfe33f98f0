"""Writing image files, as a whole or in blocks."""

import math
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kmeans_np.arrays import Report, Reporter, in_memory, is_sliced
from kmeans_np.checks import (
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    function,
    pluralize,
    real_array,
)
from kmeans_np.files.formats import (
    ANY_NUMBERS,
    Format,
    either,
    format_of,
    suffixes,
)
from kmeans_np.files.metadata import KEPT, NOTHING, Metadata, lost, read_metadata
from kmeans_np.files.paths import as_path, check_replaceable, write_whole
from kmeans_np.files.tiff import TIFF_TYPES
from kmeans_np.files.write_blocks import check_sliced, write_sliced
from kmeans_np.lloyd import Array
from kmeans_np.stack_level import find_stack_level


def write_image(
    path: str | os.PathLike[str],
    image: npt.ArrayLike,
    *,
    like: Metadata | str | os.PathLike[str] | None = None,
    progress: Report | None = None,
) -> None:
    """Write an image file, or leave everything as it was.

    The file is written under another name in the same folder and renamed when it is
    complete, so that `path` never has a part of an image. An existing file is replaced,
    and its permissions are kept.

    Parameters
    ----------
    path : str or path-like
        The path to write to; its suffix determines the format. If it is a link, the
        file that it points to is replaced.

        - .png, .tif, .tiff, .webp, .bmp and .gif keep every pixel. Exceptions: .gif has
          at most 256 colors, gray is read from .webp as RGB, and in .gif and animated
          .webp, transparent pixels have no color.
        - .jpg and .jpeg (of quality 95) blur the edges between colors.
        - .png has a palette if there are at most 256 colors and that makes it smaller.
        - .npy and .zarr (a folder) keep arrays of any shape.
    image : ([pages,] rows, columns[, channels]) array_like of real numbers
        The image: gray, gray with alpha, RGB or RGBA of dtype uint8, as far as the
        format allows; or gray of dtype uint16 (.png, .tif, .tiff), int32 or float32
        (.tif, .tiff). Integers of other dtypes, such as labels, are written if their
        values fit into one of these.

        - With tifffile and imagecodecs: gray with alpha, RGB and RGBA of dtype uint16
          as .png, and any number of channels of dtype uint8, uint16, uint32, int8,
          int16, int32, float32 or float64 as .tif and .tiff.
        - Several images, as an array with an axis for them in front: .gif, .png and
          .webp become an animation with frames of dtype uint8; .tif and .tiff get
          pages, with tifffile and imagecodecs. Gray images, (pages, rows, columns),
          need a `like` whose `stack` says so.
        - As .npy, and with zarr as .zarr: any number of axes and any real dtype. Each
          chunk of a .zarr has a checksum.
        - An image outside of memory, such as the `image` of a `Segmentation` of one, is
          written block by block as .npy, .zarr, .tif or .tiff; the latter two in tiles,
          and as BigTIFF if necessary.
    like : Metadata, str or path-like, optional
        The metadata to write, such as color profile, resolution and location on Earth,
        or an image file that has them. What the format cannot hold is left out, with a
        warning.
    progress : callable, optional
        Called with a `Progress` after each block, if an image is written in blocks.

    Raises
    ------
    TypeError
        If the format cannot hold the dtype of `image`, `like` is neither metadata nor a
        path, or `progress` is not callable.
    ValueError
        - If the suffix is unknown, or the format cannot hold the shape of `image` or
          the number of its colors, or only with a package that is not installed.
        - If `like` has an invalid resolution, durations or loop, or declares that the
          last channel is not alpha and the format would take it for alpha.
        - If there is something other than a file at `path`, such as a FIFO or a device,
          or, for a .zarr, a folder that is not a Zarr.
        - If the file system cannot hold such a name.
    FileNotFoundError
        If the folder does not exist.
    NotADirectoryError
        If a part of `path` is a file, not a folder.
    IsADirectoryError
        If `path` is a folder.
    PermissionError
        If the file may not be written.
    OSError
        If the file cannot be written for another reason, such as a full disk.

    Warns
    -----
    UserWarning
        If the format cannot hold some of the metadata.

    Notes
    -----
    If the process is killed, `path` is as it was, and next to it there may be a file or
    folder whose name is ``.``, 16 hexadecimal digits and ``.part``; it can be deleted.
    One exception: a .zarr that replaces another is renamed in two steps, and between
    them the old one has such a name, and `path` does not exist.

    The operating system may keep what was written in memory for a while: the data are
    not flushed to the disk before the file is renamed. So after a crash of the machine,
    not just of the process, the file at `path` may be incomplete.
    """
    path = as_path(path)
    function(progress, "progress", "Progress")
    metadata = _as_metadata(like)
    if _in_blocks(image, path):
        source: Any = image if is_sliced(image) else real_array(image, "image")
        metadata = suiting_file(metadata, path, source.shape)
        reporter = Reporter(progress, "paint", math.prod(source.shape[:2]))

        def tell(done: int, _: int) -> None:
            reporter.reach(done)

        write_sliced(path, source, metadata=metadata, progress=tell)
        return
    array = real_array(in_memory(image), "image")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array = _in_kept_type(array, format_of(path))
    metadata = suiting_file(metadata, path, array.shape)
    check_writable(array, path, metadata)
    # Checked before the image is encoded, which takes time.
    check_replaceable(path)
    row = format_of(path)
    assert row.write is not None
    n_axes = 3 if metadata.planes else 2
    gray = row.channels is not None and array.shape[n_axes:] == (1,)
    array = array[..., 0] if gray else array
    if metadata.planes and row.write_all is not None:
        write_whole(path, row.write_all(array, metadata))
        return
    how = (metadata,) if row.metadata else ()
    write_whole(path, row.write(array, *how))


def _in_kept_type(array: Array, row: Format) -> Array:
    """Return integers, such as labels, in a dtype that the file keeps, if they fit."""
    if array.dtype.kind not in "iu" or not array.size or row.keeps(array.dtype):
        return array
    if array.dtype == np.uint16:
        # This is an image, and as another dtype it would be a different one.
        return array
    low, high = array.min(), array.max()
    for dtype in map(np.dtype, ("uint8", "uint16", "int32")):
        kept = np.iinfo(dtype)
        if row.keeps(dtype) and kept.min <= low and high <= kept.max:
            return array.astype(dtype)
    return array


def _as_metadata(like: Any) -> Metadata:
    """Return the metadata to write, after checks."""
    if like is None:
        return NOTHING
    if isinstance(like, Metadata):
        _check_metadata(like)
        return like
    if isinstance(like, (str, os.PathLike)):
        return read_metadata(like)
    rule, got = "be Metadata, or the path of an image file", type(like).__name__
    remedy = "pass what read_metadata returns"
    raise ArgumentTypeError("like", rule, got, remedy)


def _check_metadata(like: Metadata) -> None:
    """Reject metadata with invalid values."""
    for name, rule, is_right in (
        ("resolution", "numbers above 0", lambda x: 0 < x < np.inf),
        ("durations", "numbers of at least 0", lambda x: 0 <= x < np.inf),
        ("loop", "a number from 0 to 65,535", lambda x: x in range(2**16)),
    ):
        value = getattr(like, name)
        parts = value if isinstance(value, (tuple, list)) else [value]
        if value is None or all(
            isinstance(part, (int, float, np.number)) and is_right(part)
            for part in parts
        ):
            continue
        rule, got = f"have a {name} of {rule}", describe(value)
        raise ArgumentValueError("like", rule, got, "leave it out")


def suiting_file(metadata: Metadata, path: Path, shape: tuple[int, ...]) -> Metadata:
    """Return the metadata for an image of this shape; warn of what is left out."""
    metadata = metadata.suiting(shape)
    left_out = lost(path, metadata)
    if left_out:
        what = either(left_out, "and")
        words = f"{path.name}: a {path.suffix.lower()} file cannot hold the {what}"
        warnings.warn(words, UserWarning, stacklevel=find_stack_level())
    if KEPT["resolution"] in left_out:
        metadata = replace(metadata, resolution=None)
    return metadata


def _in_blocks(image: Any, path: Path) -> bool:
    row = format_of(path)
    return row.write_blocks is not None and (row.write is None or is_sliced(image))


def check_writable(image: Any, path: Path, metadata: Metadata = NOTHING) -> None:
    """Raise TypeError or ValueError if a file of this format cannot hold the image.

    `metadata` says whether it is several images.
    """
    if _in_blocks(image, path):
        check_sliced(path, image)
        return
    row, suffix = format_of(path), path.suffix.lower()
    if row.write is None:
        names = suffixes(lambda each: each.write or each.write_blocks)
        rule = f"end in one of {', '.join(names)} to be written"
        remedy = "choose one of these, such as .png"
        raise ArgumentValueError("path", rule, path, remedy)
    shape = image.shape
    in_planes = row.channels is not None and metadata.suiting(shape).planes
    if in_planes:
        shape = shape[1:]
        _check_stack(row, image, suffix)
    if not row.keeps(image.dtype):
        remedy, code = "scale it to 0 to 255 and convert it", "np.rint(255 * image)"
        if image.dtype == np.uint16:
            remedy, code = "choose .png, or convert it", "(image // 257)"
        elif image.dtype.kind == "i":
            # Such as the labels -1 of excluded pixels.
            remedy = "choose .tif or .npy, which keep -1, or make it 255"
            code = "np.where(image < 0, 255, image)"
        elif image.dtype in TIFF_TYPES:
            remedy = f"choose .tif, or {remedy}"
        types = " or ".join(row.types or [ANY_NUMBERS])
        raise ArgumentTypeError(
            "image",
            f"hold numbers of type {types} to be written to a {suffix} file",
            f"type {image.dtype}",
            f"{remedy}, as in {code}.astype(np.uint8)",
            shell_remedy=remedy,
        )
    if shape[2:] in ((2,), (4,)) and row.extra is None and row.channels is not None:
        about = metadata.suiting(image.shape)
        if about.has_alpha is False:
            rule = f"have no channels other than colors and alpha for a {suffix} file"
            got = "a channel that is declared not to be alpha"
            raise ArgumentValueError("image", rule, got, "choose .tif")
    if not row.fits(shape):
        raise ArgumentValueError(
            "image",
            f"be {row.kinds} to be written as {image.dtype} to a {suffix} file",
            f"shape {image.shape}",
            "choose other channels, another suffix or another type",
        )
    if max(shape[:2]) > row.longest:
        rule = f"have at most {row.longest:,} rows and columns to be written to a "
        rule, got = f"{rule}{suffix} file", f"shape {image.shape}"
        raise ArgumentValueError("image", rule, got, "choose .png")
    if row.check and not in_planes:
        row.check(image, suffix)


def _check_stack(row: Format, images: Any, suffix: str) -> None:
    """Reject several images if such a file can hold only one."""
    if not len(images):
        rule = f"have at least one image to be written to a {suffix} file"
        raise ArgumentValueError("image", rule, "none", "pass some")
    if row.write_all is None:
        names = either(suffixes(lambda each: each.write_all))
        rule = f"be one image to be written to a {suffix} file"
        remedy = f"choose {names}, or write one image after the other"
        got = f"{pluralize(len(images), 'image')}, shape {images.shape}"
        raise ArgumentValueError("image", rule, got, remedy)
    if row.extra is not None:
        rule = f"be one image to be written to a {suffix} file, {row.extra.missing}"
        row.extra.check(rule, f"shape {images.shape}", argument="image")
    if row.types is not None and images.dtype != np.uint8 and row.extra is None:
        rule = f"be of type uint8 to be written to a {suffix} file as an animation"
        raise ArgumentTypeError("image", rule, images.dtype, "choose .tif")
