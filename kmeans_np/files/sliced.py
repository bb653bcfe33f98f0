"""Image files of which only what a slice overlaps is read: .npy, Zarr and TIFF."""

import math
import mmap
import operator
import os
import threading
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import (
    ArgumentIndexError,
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    pluralize,
)
from kmeans_np.lloyd import Array

# A larger tile or chunk, in bytes, is no use to a reader of slices, or a lie.
LARGEST_CHUNK = 2**28
# What has no chunks is read in parts of this many bytes.
MAPPED_CHUNK = 2**22


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
        # What it is called in errors, and where it is, also from another folder.
        self.path, self.place = path, path.absolute()
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
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

    def __dask_tokenize__(self) -> str:
        # By what it is sent as, the name of the file, Dask would take what stands in
        # the file later for what stood there before.
        return self._token

    def check_open(self) -> None:
        """Raise ValueError if the file was closed."""
        if self._closed:
            raise self._was_closed()

    def _was_closed(self) -> ValueError:
        rule, found, remedy = "be open to be read", "which was closed", "open it again"
        return ArgumentValueError("image", rule, self.path, remedy, found=found)

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
        chunks = _run(shape[::-1] if backwards else shape, image.dtype.itemsize)
        super().__init__(path, shape, image.dtype, chunks[:: -1 if backwards else 1])
        # Both in one place, which another thread may close.
        self._mapped: tuple[Array, Any] | None = image, mapped.base

    def _read(self, parts: Sequence[range]) -> Array:
        mapped = self._mapped
        if mapped is None:
            raise self._was_closed()
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


class ZarrImage(SlicedImage):
    """An array of Zarr; chunks that were never written hold its fill value."""

    def __init__(self, path: Path, array: Any) -> None:
        _check_chunk(path, array.chunks, array.dtype)
        super().__init__(path, array.shape, array.dtype, array.chunks)
        self._array = array

    def _read(self, parts: Sequence[range]) -> Array:
        cut = tuple(slice(part.start, part.stop, part.step) for part in parts)
        try:
            return np.array(self._array[cut], self.dtype, order="C")
        except MemoryError:
            raise
        # All at once is faster, and one after the other tells what cannot be read.
        except Exception:
            return super()._read(parts)

    def _chunk(self, place: tuple[int, ...]) -> Array:
        cut = tuple(
            slice(at * size, (at + 1) * size) for at, size in zip(place, self.chunks)
        )
        return np.asarray(self._array[cut])


class TiffImage(SlicedImage):
    """The first page of a TIFF, in tiles or strips."""

    def __init__(
        self, path: Path, file: BinaryIO, page: Any, shape: Sequence[int]
    ) -> None:
        # One of its own, which is closed in `__del__`, too: in a process that the image
        # was sent to, nobody knows that there is a file to close.
        self._number = os.dup(file.fileno())
        self._file, self._page = os.fdopen(self._number, "rb", closefd=False), page
        # Who reads from one place in a file moves it for everyone.
        self._lock = threading.Lock()
        tile = (page.tilelength, page.tilewidth)
        if not page.is_tiled:
            # Of a single strip it may say that it goes on forever.
            tile = (min(page.rowsperstrip, shape[0]), page.imagewidth)
        self._apart = page.planarconfig == 2 and len(shape) == 3
        # Now, since tifffile may read the file for these.
        self._decode = page.decode
        self._tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        super().__init__(path, shape, page.dtype, (*tile, 1 if self._apart else 2**16))
        bands = self.chunks[2:] or (1,)
        _check_chunk(path, (*tile, *bands), self.dtype)
        self._grid = [-(-n // size) for n, size in zip(shape, self.chunks)]

    def _chunk(self, place: tuple[int, ...]) -> Array:
        number = place[0] * self._grid[1] + place[1]
        if self._apart:
            number += place[2] * self._grid[0] * self._grid[1]
        with self._lock:
            self._file.seek(self._page.dataoffsets[number])
            data = self._file.read(self._page.databytecounts[number])
        tile: Array = self._decode(data, number, **self._tables)[0][0]
        return tile if self.ndim == 3 else tile[..., 0]

    def close(self) -> None:
        """Close the file."""
        super().close()
        with self._lock:
            if not self._file.closed:
                self._file.close()
                os.close(self._number)

    def __del__(self) -> None:
        self.close()


def _check_chunk(path: Path, chunk: Sequence[int], dtype: Any) -> None:
    size = math.prod(map(int, chunk)) * dtype.itemsize
    if size > LARGEST_CHUNK:
        rule = f"have tiles, strips or chunks of at most {LARGEST_CHUNK:,} bytes"
        found, remedy = f"which has some of {size:,}", "write it with smaller ones"
        raise ArgumentValueError("path", rule, path, remedy, found=found)


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
    """Return the places along one axis."""
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
