"""Arrays outside of memory that are read in slices, such as files."""

import itertools
import math
import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kmeans_np.checks import ArgumentOSError, ArgumentValueError
from kmeans_np.lloyd import Array

Place = tuple[slice, ...]

# The number of pixels per block: enough to occupy every core, and not much of the
# memory of any machine.
BLOCK = 2**23


def is_sliced(value: Any) -> bool:
    """Return whether a value is an array that should be read in slices.

    That is a memory map, or an object that is not a NumPy array but has a shape, a
    NumPy dtype and slices, such as a Zarr or HDF5 array.
    """
    if isinstance(value, np.memmap):
        return True
    if isinstance(value, (np.ndarray, np.generic)):
        return False
    if not all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__")):
        return False
    return isinstance(value.dtype, np.dtype) and isinstance(value.shape, tuple)


def tiles(
    shape: Sequence[int], chunks: Sequence[int] | None, size: int | None = None
) -> Iterator[Place]:
    """Cut an array into blocks of whole chunks, in memory order.

    Parameters
    ----------
    shape : sequence of int
        The lengths of the axes.
    chunks : sequence of int or None
        The shape of the chunks that are best read as a whole; None if any shape will
        do.
    size : int, optional
        The maximum number of elements per block, unless a chunk has more; by default,
        `BLOCK`.

    Yields
    ------
    tuple of slice
        The place of a block.
    """
    size = BLOCK if size is None else size
    block = [min(n, c) for n, c in zip(shape, chunks or [1] * len(shape))]
    for axis in reversed(range(len(block))):
        times = max(1, size // max(1, math.prod(block)))
        block[axis] = max(1, min(shape[axis], block[axis] * times))
    ranges = [range(0, n, step) for n, step in zip(shape, block)]
    for starts in itertools.product(*ranges):
        ends = (min(a + b, n) for a, b, n in zip(starts, block, shape))
        yield tuple(map(slice, starts, ends))


class BlockReader:
    """Reads blocks of an array outside of memory.

    Parameters
    ----------
    array : memory map or array-like with shape, dtype and slices
        The array. For a NumPy array that is not a memory map, blocks are views.
    name : str
        The name of the argument in errors.
    """

    def __init__(self, array: Any, name: str = "image") -> None:
        check_known_shape(array, name)
        self.array, self.name = array, name
        self.shape = tuple(map(int, array.shape))
        self.ndim = len(self.shape)
        self.dtype: np.dtype[Any] = array.dtype
        self.chunks = chunks_of(array)

    def __getstate__(self) -> dict[str, Any]:
        # A memory map of a whole file is sent to another process by file name. For a
        # part of a file, its place in the file is not known, and changes to a
        # copy-on-write map ("c") are in no file: the values of these are sent.
        array, by_name = self.array, None
        is_whole = isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)
        if is_whole and array.mode != "c":
            order = "C" if array.flags.c_contiguous else "F"
            by_name = array.filename, self.dtype, "r", array.offset, self.shape, order
        if by_name is None or by_name[0] is None:
            return self.__dict__
        return {**self.__dict__, "array": by_name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.array, tuple):
            self.array = np.memmap(*self.array)

    def __getitem__(self, place: Place) -> Array:
        try:
            block = np.asarray(self.array[place], self.dtype)
        except MemoryError:
            raise
        # Any library may fail to read a chunk, with any exception.
        except Exception as error:
            if type(self.array).__module__.startswith("kmeans_np."):
                # It is an error of this package already.
                raise
            raise unreadable(self.name, place, error) from error
        if isinstance(self.array, np.memmap):
            block = np.array(block, order="C")
            release_pages(self.array)
        return block


def unreadable(name: str, place: Place, error: Exception) -> ArgumentOSError:
    """Return the error for a part of an array that cannot be read."""
    where = ", ".join(f"{cut.start}:{cut.stop}" for cut in place)
    return ArgumentOSError(
        name,
        "be readable everywhere",
        f"{type(error).__name__}: {error}",
        "mend that part or leave it out",
        found=f"at [{where}]",
    )


def in_memory(value: Any, name: str = "image") -> Any:
    """Read an array that is read in slices as a whole; return others unchanged."""
    if not is_sliced(value):
        return value
    source = BlockReader(value, name)
    return source[tuple(slice(0, n) for n in source.shape)]


def check_known_shape(array: Any, name: str) -> None:
    """Reject a Dask array of unknown shape."""
    if any(math.isnan(length) for length in array.shape):
        rule = "have a known shape as a Dask array"
        remedy = f"call {name}.compute_chunk_sizes() first"
        raise ArgumentValueError(name, rule, array.shape, remedy)


def shape_only(array: Any, name: str = "image") -> Any:
    """Return zeros of the same shape and dtype that take no memory.

    Values that are not read in slices are returned unchanged. Errors call it `name`.
    """
    if not is_sliced(array):
        return array
    check_known_shape(array, name)
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def chunks_of(array: Any) -> tuple[int, ...] | None:
    """Return the shape of the chunks of an array, None if it has no common one."""
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != len(array.shape):
        return None
    # Chunks of Dask may differ: each axis has a tuple of sizes.
    sizes = tuple(max(c) if isinstance(c, tuple) else int(c) for c in chunks)
    return sizes if all(size > 0 for size in sizes) else None


def release_pages(array: np.memmap[Any, Any]) -> None:
    """Release the memory of pages of a file that have been read or written.

    The system would reclaim it when it needs it; until then it counts as memory of this
    process.
    """
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    # Changes to a copy-on-write map ("c") exist only in memory.
    if isinstance(base, mmap.mmap) and array.mode in ("r", "r+", "w+"):
        if array.mode != "r":
            array.flush()
        if hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)
