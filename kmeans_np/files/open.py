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
from kmeans_np.files.paths import READABLE, as_path, check_readable, path_errors
from kmeans_np.lloyd import Array

# A larger tile or chunk, in bytes, is no use to a reader of slices, or a lie.
LARGEST_CHUNK = 2**28
# What has no chunks is read in parts of this many bytes.
MAPPED_CHUNK = 2**22


def open_image(path: str | os.PathLike[str]) -> "SlicedImage":
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
    """An image file of which nothing is read but what is asked for.

    Indexing with slices of positive steps and whole numbers reads those pixels, as a
    new array, and `numpy.asarray` reads all. Several threads may do so at the same
    time; another process to which it is sent opens the file anew. Close it when done,
    or open it in a ``with`` statement.

    Attributes
    ----------
    shape : tuple of int
        Rows, columns and channels, as far as the file has them, or any other axes.
    dtype : numpy.dtype
        The type of the numbers, in the byte order of this machine.
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
        # What it is called in errors, and where it is, also from another folder.
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
        # By what it is sent as, the name of the file, Dask would take what stands in
        # the file later for what stood there before.
        return self._token

    def check_open(self) -> None:
        """Raise ValueError if the file was closed."""
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
        """Read some places along each axis, chunk by chunk, into a new array."""
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
            # Steps may be wider than a chunk.
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
        """Read one chunk; at the end of an axis it may be longer than that."""
        raise NotImplementedError

    def _unreadable(self, place: tuple[int, ...]) -> ValueError:
        where = " and ".join(
            f"{name} {at * size} to {min((at + 1) * size, length) - 1}"
            for name, at, size, length in zip(
                ("rows", "columns"), place, self.chunks, self.shape
            )
        )
        rule, found = "be readable everywhere", f"of which {where} cannot be read"
        remedy = "get it anew or write it again"
        return ArgumentValueError("path", rule, self.path, remedy, found=found)


class MappedImage(SlicedImage):
    """Numbers that stand in a file as they stand in memory."""

    def __init__(self, path: Path, mapped: Any, image: Array) -> None:
        shape = image.shape
        # Columns stand together in a file of Fortran's order.
        backwards = mapped.flags.f_contiguous and not mapped.flags.c_contiguous
        # Texts without characters, which are refused, have no bytes.
        itemsize = image.dtype.itemsize or 1
        chunks = _run(shape[::-1] if backwards else shape, itemsize)
        super().__init__(path, shape, image.dtype, chunks[:: -1 if backwards else 1])
        # Both in one place, which another thread may close.
        self._mapped: tuple[Array, Any] | None = image, mapped.base

    def _read(self, parts: Sequence[range]) -> Array:
        mapped = self._mapped
        self.check_open()
        assert mapped is not None
        image, base = mapped
        cut = tuple(slice(part.start, part.stop, part.step) for part in parts)
        read = np.array(image[cut], self.dtype, order="C")
        # What was read would count as memory of this process until it is closed.
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)
        return read

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._mapped = None


@contextmanager
def slice_errors(path: Path) -> Iterator[None]:
    """Raise ValueError if what stands in a file cannot be understood."""
    try:
        yield
    except (MemoryError, OSError, ArgumentError):
        raise
    # Damaged files make decoders fail in many ways.
    except Exception as error:
        found = "which is damaged, cut short, no image or of a kind that cannot be read"
        remedy = f"get it anew or convert it to one of {suffixes_in_slices()}"
        raise ArgumentValueError(
            "path", "be an image file", path, remedy, found=f"{found} in slices"
        ) from error


def _run(shape: Sequence[int], itemsize: int) -> list[int]:
    """Return the shape of a block of numbers that stand together in a file."""
    chunk, left = [], MAPPED_CHUNK // itemsize
    for length in reversed(shape):
        chunk.append(max(1, min(length, left)))
        left //= chunk[-1]
    return chunk[::-1]


def _overlap(part: range, start: int, size: int) -> tuple[slice, slice]:
    """Return which places of a part lie in a chunk, and where in the chunk."""
    # The first place that is not before the chunk, by division rounded up.
    before = max(0, -(-(start - part.start) // part.step))
    inside = range(
        part.start + before * part.step, min(part.stop, start + size), part.step
    )
    return (
        slice(before, before + len(inside)),
        slice(inside.start - start, inside.stop - start, part.step),
    )


def _selected(index: Any, shape: tuple[int, ...]) -> tuple[list[range], list[int]]:
    """Return the places along each axis, and the axes that are kept."""
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
