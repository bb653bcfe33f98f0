"""Opening images that are too large for memory, and reading slices of them."""

import math
import mmap
import operator
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from kmeans_np.checks import (
    ArgumentError,
    ArgumentIndexError,
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    pluralize,
)
from kmeans_np.files.formats import (
    ANY_NUMBERS,
    check_extra,
    format_of,
    is_number,
    suffixes_in_slices,
)
from kmeans_np.files.paths import (
    READABLE,
    UNREADABLE,
    as_path,
    check_readable,
    path_errors,
)
from kmeans_np.lloyd import Array

# A larger tile or chunk, in bytes, is not useful for reading slices, or its size is
# wrong.
LARGEST_CHUNK = 2**28
# Files without chunks are read in parts of this many bytes.
MAPPED_CHUNK = 2**22


def open_image(path: str | os.PathLike[str]) -> "SlicedImage":
    """Open an image file to read it in slices.

    Parameters
    ----------
    path : str or path-like
        - A .npy file.
        - A .zarr folder, which is an array or a group; of a group, the array "0" or the
          only array is opened. Needs zarr.
        - A .tif or .tiff file, of which the first page is opened: classic or BigTIFF,
          in tiles or strips, of gray, RGB or any number of bands, of dtype uint8,
          uint16, uint32, int8, int16, int32, float32 or float64. Needs tifffile and
          imagecodecs.

    Returns
    -------
    SlicedImage
        An object with `shape`, `dtype`, `ndim` and `chunks`, whose slices are arrays.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    IsADirectoryError
        If `path` is a folder instead of a file.
    NotADirectoryError
        If `path` is a file instead of a folder, or a part of it is a file.
    PermissionError
        If the file may not be read.
    OSError
        If the file cannot be read for another reason.
    TypeError
        If `path` is neither a string nor a path.
    ValueError
        - If the file is of another format, incomplete, visibly damaged, or not an
          ordinary file but a FIFO, a socket or a device.
        - If it does not hold numbers, or needs a package that is not installed.
        - If it is a TIFF that is not upright, whose colors are multiplied by its alpha,
          whose first page is only a preview, or that has a tile larger than 256 MiB.
        - Slicing raises it if a part of the file cannot be read.

    Notes
    -----
    Damage to the pixels is detected when they are read, if the file has checksums: in a
    TIFF compressed with deflate, and in a .zarr with a checksum for each chunk;
    `write_image` writes both like this. There are no checksums in .npy files, in TIFF
    files with another compression or none, or for the description of the image in any
    of these: there, a changed bit may give other pixels. Missing chunks of a .zarr have
    its fill value.
    """
    path = as_path(path)
    row = format_of(path)
    if row.open is None:
        rule = f"end in one of {suffixes_in_slices()} to be read in slices"
        remedy = "convert it, or read it as a whole with read_image"
        raise ArgumentValueError("path", rule, path, remedy)
    with path_errors(path, READABLE):
        check_readable(path)
        check_extra(path, "to be read in slices")
        image: SlicedImage = row.open(path)
        return image


class SlicedImage:
    """An image file of which only the requested slices are read.

    Indexing with slices of positive steps and integers reads those pixels as a new
    array, and `numpy.asarray` reads all. Several threads may do so at the same time; a
    process that it is sent to opens the file again. Close it when done, or open it in a
    ``with`` statement.

    Attributes
    ----------
    shape : tuple of int
        Rows, columns and channels, as far as the file has them, or any other axes.
    dtype : numpy.dtype
        The dtype of the values, in the byte order of this machine.
    ndim : int
        The number of axes.
    chunks : tuple of int
        The shape of the blocks in which it is best read, counted from the start.
    """

    def __init__(
        self, path: Path, shape: Sequence[int], dtype: Any, chunks: Sequence[int]
    ) -> None:
        dtype = np.dtype(dtype)
        if not is_number(dtype):
            rule, found = f"hold {ANY_NUMBERS}", f"which holds {dtype}"
            remedy = "convert it with another library"
            raise ArgumentValueError("path", rule, path, remedy, found=found)
        size = math.prod(map(int, chunks)) * dtype.itemsize
        if size > LARGEST_CHUNK:
            rule = f"have tiles, strips or chunks of at most {LARGEST_CHUNK:,} bytes"
            found, remedy = f"which has some of {size:,}", "write it with smaller ones"
            raise ArgumentValueError("path", rule, path, remedy, found=found)
        # The path for errors, and the absolute path, in case the working folder
        # changes.
        self.path, self.place = path, path.absolute()
        self.shape = tuple(shape)
        self.dtype = dtype.newbyteorder("=")
        self.ndim = len(self.shape)
        self.chunks = tuple(max(1, min(pair)) for pair in zip(chunks, self.shape))
        self._closed, self._token = False, os.urandom(16).hex()

    def __getitem__(self, index: Any) -> Array:
        self.check_open()
        parts, kept = _selected(index, self.shape)
        return self._read(parts).reshape([len(parts[axis]) for axis in kept])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            rule = "be True or None for an image that is read from a file"
            raise ArgumentValueError("copy", rule, "False", "leave it out")
        return self[...].astype(dtype or self.dtype, copy=False)

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        self.check_open()
        return open_image, (self.place,)

    def __dask_tokenize__(self) -> str:
        # By its file name, Dask would confuse the current content of the file with an
        # earlier one.
        return self._token

    def check_open(self) -> None:
        """Raise ValueError if the file has been closed."""
        if self._closed:
            rule, found = "be open to be read", "which was closed"
            remedy = "open it again"
            raise ArgumentValueError("image", rule, self.path, remedy, found=found)

    def close(self) -> None:
        """Close the file."""
        self._closed = True

    def __enter__(self) -> "SlicedImage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, parts: Sequence[range]) -> Array:
        """Read the given indices along each axis, chunk by chunk, into a new array."""
        image = np.empty([len(part) for part in parts], self.dtype)
        touched = (
            range(part[0] // size, part[-1] // size + 1) if part else part
            for part, size in zip(parts, self.chunks)
        )
        for place in product(*touched):
            pairs = [
                _overlap(part, at * size, size)
                for part, at, size in zip(parts, place, self.chunks)
            ]
            # Steps may be longer than a chunk.
            if any(into.start == into.stop for into, _ in pairs):
                continue
            try:
                chunk = self._chunk(place)
                image[tuple(p[0] for p in pairs)] = chunk[tuple(p[1] for p in pairs)]
            except MemoryError:
                raise
            # Damaged files make decoders fail in many ways.
            except Exception as error:
                self.check_open()
                raise self._unreadable(place) from error
        return image

    def _chunk(self, place: tuple[int, ...]) -> Array:
        """Read one chunk; at the end of an axis it may be longer than the axis."""
        raise NotImplementedError

    def _unreadable(self, place: tuple[int, ...]) -> ValueError:
        where = " and ".join(
            f"{name} {at * size} to {min((at + 1) * size, length) - 1}"
            for name, at, size, length in zip(
                ("rows", "columns"), place, self.chunks, self.shape
            )
        )
        rule, found = "be readable everywhere", f": {where} cannot be read"
        remedy = "download it or write it again"
        return ArgumentValueError("path", rule, self.path, remedy, found=found)


class MappedImage(SlicedImage):
    """An image file in which values are stored as in memory."""

    def __init__(self, path: Path, mapped: Any, image: Array) -> None:
        shape = image.shape
        # In a file in Fortran order, columns are contiguous.
        backwards = mapped.flags.f_contiguous and not mapped.flags.c_contiguous
        # Empty strings, which are rejected, have no bytes.
        itemsize = image.dtype.itemsize or 1
        chunks = _run(shape[::-1] if backwards else shape, itemsize)
        super().__init__(path, shape, image.dtype, chunks[:: -1 if backwards else 1])
        # Both in one attribute, since another thread may close the file.
        self._mapped: tuple[Array, Any] | None = image, mapped.base

    def _read(self, parts: Sequence[range]) -> Array:
        mapped = self._mapped
        self.check_open()
        assert mapped is not None
        image, base = mapped
        cut = tuple(slice(part.start, part.stop, part.step) for part in parts)
        read = np.array(image[cut], self.dtype, order="C")
        # Otherwise, what was read would count as memory of this process until it is
        # closed.
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)
        return read

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._mapped = None


@contextmanager
def slice_errors(path: Path) -> Iterator[None]:
    """Raise ValueError if the content of a file cannot be decoded."""
    try:
        yield
    except (MemoryError, OSError, ArgumentError):
        raise
    # Damaged files make decoders fail in many ways.
    except Exception as error:
        remedy = f"convert it to one of {suffixes_in_slices()}"
        raise ArgumentValueError(
            "path", "be an image file", path, remedy, found=UNREADABLE
        ) from error


def _run(shape: Sequence[int], itemsize: int) -> list[int]:
    """Return the shape of a block of values that are contiguous in a file."""
    chunk, left = [], MAPPED_CHUNK // itemsize
    for length in reversed(shape):
        chunk.append(max(1, min(length, left)))
        left //= chunk[-1]
    return chunk[::-1]


def _overlap(part: range, start: int, size: int) -> tuple[slice, slice]:
    """Return which indices of a part lie in a chunk, and where in the chunk."""
    # The first index that is not before the chunk, by division rounded up.
    before = max(0, -(-(start - part.start) // part.step))
    inside = range(
        part.start + before * part.step, min(part.stop, start + size), part.step
    )
    return (
        slice(before, before + len(inside)),
        slice(inside.start - start, inside.stop - start, part.step),
    )


def _selected(index: Any, shape: tuple[int, ...]) -> tuple[list[range], list[int]]:
    """Return the indices along each axis, and the axes that are kept."""
    parts = list(index) if isinstance(index, tuple) else [index]
    dots = [at for at, part in enumerate(parts) if part is Ellipsis]
    missing = len(shape) - len(parts) + len(dots)
    if missing < 0 or len(dots) > 1:
        rule = f"have at most {pluralize(len(shape), 'part')} and one '...'"
        got = f"{describe(index)} for an image of shape {shape}"
        raise ArgumentIndexError("index", rule, got, "leave some out")
    at = dots[0] if dots else len(parts)
    parts[at : at + 1] = [slice(None)] * missing
    kept = [axis for axis, part in enumerate(parts) if isinstance(part, slice)]
    return [_places(part, length) for part, length in zip(parts, shape)], kept


def _places(part: Any, length: int) -> range:
    if isinstance(part, slice):
        places = range(*part.indices(length))
        if places.step < 0:
            rule, remedy = "have positive steps", "reverse what was read"
            raise ArgumentValueError("index", rule, part, remedy)
        return places
    if isinstance(part, (bool, np.bool_)) or not hasattr(part, "__index__"):
        rule, got = "be of slices, whole numbers and '...'", type(part).__name__
        raise ArgumentTypeError("index", rule, got, "read a slice and index that")
    place = operator.index(part)
    if not -length <= place < length:
        rule = f"be from {-length} to {length - 1} along an axis of length {length}"
        raise ArgumentIndexError("index", rule, place, "count from 0")
    return range(place % length, place % length + 1)
