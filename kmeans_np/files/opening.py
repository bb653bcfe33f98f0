"""Opening images that are too large for memory.

What this file adds: `open_image`, and which .npy, .zarr and TIFF files can be read in
slices. What it leaves out: reading them (`kmeans_np.files.sliced`), and all other kinds
of files, which can only be read as a whole (`kmeans_np.files.reading`).
"""

import copyreg
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kmeans_np.checks import counted
from kmeans_np.files.deep import (
    ORIENTATION,
    PREMULTIPLIED,
    check_parts,
    libraries,
    tiff_page,
    unlike_gray_or_rgb,
)
from kmeans_np.files.paths import (
    READABLE,
    as_path,
    check_readable,
    path_errors,
    path_refusal,
)
from kmeans_np.files.sliced import MappedImage, SlicedImage, TiffImage, ZarrImage

SLICED_KINDS = (".npy", ".zarr", ".tif", ".tiff")
_AIM = "to be read in slices"


def open_image(path: str | os.PathLike[str]) -> SlicedImage:
    """Open an image file to read it in slices.

    Parameters
    ----------
    path : str or path-like
        A .npy file; a .zarr folder: an array, or a group, of which the array "0" is
        taken, or the only one (extra ``kmeans-np[zarr]``); or a .tif or .tiff file,
        classic or BigTIFF, in tiles or strips, of gray, RGB or any number of bands, of
        type uint8, uint16, uint32, int8, int16, int32, float32 or float64, of which
        the first page is taken (extra ``kmeans-np[deep]``).

    Returns
    -------
    SlicedImage
        With `shape`, `dtype`, `ndim` and `chunks`, and slices of it as arrays.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, NotADirectoryError
        If there is no such file, or a folder in its place, or the reverse.
    PermissionError, OSError
        If the file may not or cannot be read.
    TypeError
        If `path` is neither a string nor a path.
    ValueError
        If the file is of another kind, cut short or seen to be damaged, holds no
        numbers, or needs an extra that is not installed, or is no file but a FIFO, a
        socket or a device; of a TIFF also if it is not upright, its colors are
        multiplied by its alpha, or a tile is larger than 256 MiB. Slicing raises it
        where a part of the file cannot be read.

    Notes
    -----
    Damage to the pixels is found, when they are read, where the file has checksums: in
    a TIFF that is compressed by deflate and in a .zarr with a checksum for each chunk,
    as `write_image` writes both. A .npy has none, nor has a TIFF without compression or
    with another one, nor the description of the image in any of them: there a changed
    bit may give other pixels. Chunks of a .zarr that are missing hold its fill value.
    """
    path = as_path(path)
    suffix = path.suffix.lower()
    if suffix not in SLICED_KINDS:
        rule = f"end in one of {', '.join(SLICED_KINDS)} {_AIM}"
        remedy = "convert it, or read it as a whole with read_image"
        raise ValueError(path_refusal(rule, path, "", remedy))
    with path_errors(path, READABLE):
        check_readable(path)
        if suffix == ".npy":
            return _open_npy(path)
        return _open_zarr(path) if suffix == ".zarr" else _open_tiff(path)


def _open_again(image: SlicedImage) -> tuple[Any, tuple[Path]]:
    """Say how an image is opened in a process that it is sent to."""
    image.check_open()
    return open_image, (image.place,)


for _kind in (MappedImage, TiffImage, ZarrImage):
    copyreg.pickle(_kind, _open_again)


def tiff_library(path: Path, aim: str) -> ModuleType:
    """Return tifffile, or raise ValueError that says what to do without."""
    missing = "as long as tifffile and imagecodecs are missing"
    return libraries(f"be a .npy or .zarr {aim}, {missing}", path)[1]


def zarr_library(path: Path, aim: str) -> ModuleType:
    """Return zarr, or raise ValueError that says what to do without."""
    try:
        import zarr
    except ImportError as error:
        rule = f"be a .npy, .tif or .tiff {aim}, as long as zarr is missing"
        remedy = 'install what it needs: pip install "kmeans-np[zarr]"'
        raise ValueError(path_refusal(rule, path, "", remedy)) from error
    return zarr


def _open_npy(path: Path) -> SlicedImage:
    with _understood(path):
        mapped = np.lib.format.open_memmap(path, mode="r")
    _check_type(path, mapped.dtype)
    return MappedImage(path, mapped, mapped)


def _open_tiff(path: Path) -> SlicedImage:
    tifffile = tiff_library(path, _AIM)
    with path.open("rb") as file:
        with _understood(path):
            page, (rows, columns, bands) = tiff_page(tifffile, file)
            kind = f"a TIFF of {counted(bands, 'channel')} of {page.dtype}"
            refusal = unlike_gray_or_rgb(path, page, kind) or _unlike_slices(path, page)
        if refusal:
            raise refusal
        with _understood(path):
            check_parts(file, page)
        shape = (rows, columns, bands)[: 2 if bands == 1 else 3]
        if not page.is_final:
            return TiffImage(path, file, page, shape)
        # Uncompressed and in one piece, for which one strip of any size is usual.
        order = page.dtype.newbyteorder(page.parent.byteorder)
        with _understood(path):
            mapped = np.memmap(file, order, "r", page.dataoffsets[0], page.shaped)
            image = np.moveaxis(mapped[:, 0], 0, -2).reshape(shape)
        return MappedImage(path, mapped, image)


def _unlike_slices(path: Path, page: Any) -> ValueError | None:
    """Return the error for what cannot be undone in slices, if there is some."""
    if page.tags.valueof(ORIENTATION) in range(2, 9):
        rule, found = "upright", "which is to be turned or mirrored"
    elif page.samplesperpixel in (2, 4) and PREMULTIPLIED in page.extrasamples:
        rule, found = "of colors as they are", "whose colors are multiplied by alpha"
    else:
        return None
    remedy = "read it as a whole with read_image and write it again"
    rule = f"be a TIFF that is {rule} {_AIM}"
    return ValueError(path_refusal(rule, path, found, remedy))


def _open_zarr(path: Path) -> SlicedImage:
    zarr = zarr_library(path, _AIM)
    # What the system says of the folder, before the library says that it is no Zarr.
    next(path.iterdir(), None)
    with _understood(path):
        found, names = _array_of(zarr, path)
    if found is None:
        rule = "be a Zarr array, or a group with one array or with an array '0'"
        listed = f"{': ' if names else ''}{', '.join(names)}"
        group = f"a group of {counted(len(names), 'array')}{listed}"
        remedy = "pass the path of an array"
        raise ValueError(path_refusal(rule, path, group, remedy))
    _check_type(path, found.dtype)
    return ZarrImage(path, found)


def _array_of(zarr: ModuleType, path: Path) -> tuple[Any, list[str]]:
    """Return the array that a folder stands for, or None; and the names of all."""
    try:
        # It warns of files in the folder that do not belong to it, and the like.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Zarr opens the files of chunks later, when this may be another folder.
            found: Any = zarr.open(path.absolute(), mode="r")
            if isinstance(found, zarr.Array):
                return found, []
            names = sorted(found.array_keys())
            name = names[0] if len(names) == 1 else "0"
            return (found[name] if name in names else None), names
    except FileNotFoundError as error:
        raise ValueError("no array and no group") from error


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Raise ValueError if what stands in a file cannot be understood."""
    try:
        yield
    except (MemoryError, OSError):
        raise
    # Damaged files make decoders fail in many ways.
    except Exception as error:
        found = "which is damaged, cut short, no image or of a kind that cannot be read"
        remedy = f"get it anew or convert it to one of {', '.join(SLICED_KINDS)}"
        raise ValueError(
            path_refusal("be an image file", path, f"{found} in slices", remedy)
        ) from error


def _check_type(path: Path, dtype: Any) -> None:
    if not is_number(dtype):
        rule = "hold bool, integers or floats of at most 64 bits"
        remedy = "convert it with another library"
        raise ValueError(path_refusal(rule, path, f"which holds {dtype}", remedy))


def is_number(dtype: Any) -> bool:
    """Return whether it is a real type of at most 64 bits, or bool."""
    return dtype.kind in "buif" and dtype.itemsize <= 8
