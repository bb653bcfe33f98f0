"""Arrays that lie outside of memory: files, and whatever else is read in slices."""

import itertools
import math
import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kmeans_np.checks import ArgumentOSError, ArgumentValueError
from kmeans_np.lloyd import Array

Place = tuple[slice, ...]

# How many pixels are read together: several pieces of work for every core, and not
# much of any machine's memory.
BLOCK = 2**23


def is_sliced(value: Any) -> bool:
    """Return whether something is an array that should be read in slices.

    That is a memory map, or anything else that is no array of NumPy's but has a shape,
    a type that NumPy knows, and slices, as the arrays of Zarr and HDF5 do.
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
    """Cut an array into blocks of whole chunks, in the order of memory.

    Parameters
    ----------
    shape : sequence of int
        The lengths of the axes.
    chunks : sequence of int or None
        Those of the pieces that are best read as a whole; None if any are.
    size : int, optional
        How many elements a block has at most, unless a chunk has more; when not given,
        `BLOCK`.

    Yields
    ------
    tuple of slice
        Where a block is.
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
    """An array outside of memory, of which blocks are read.

    Parameters
    ----------
    array : memory map or array-like with shape, dtype and slices
        The array. If it is one of NumPy's that is no memory map, blocks are views.
    name : str
        What errors call it.
    """

    def __init__(self, array: Any, name: str = "image") -> None:
        check_known_shape(array, name)
        self.array, self.name = array, name
        self.shape = tuple(map(int, array.shape))
        self.ndim = len(self.shape)
        self.dtype: np.dtype[Any] = array.dtype
        self.chunks = chunks_of(array)

    def __getstate__(self) -> dict[str, Any]:
        # A memory map of a whole file goes to another process by its name. Of a part it
        # is not known where it is in the file, and what is written to a copy on write
        # ("c") is in no file: their numbers go.
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
        # Whoever it is that cannot read a chunk, and whatever they call it.
        except Exception as error:
            if type(self.array).__module__.startswith("kmeans_np."):
                # It says so itself.
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
    """Return all of what is read in slices, and anything else as it is."""
    if not is_sliced(value):
        return value
    source = BlockReader(value, name)
    return source[tuple(slice(0, n) for n in source.shape)]


def check_known_shape(array: Any, name: str) -> None:
    """Refuse a Dask array that does not know its own shape."""
    if any(math.isnan(length) for length in array.shape):
        rule = "have a known shape as a Dask array"
        remedy = f"call {name}.compute_chunk_sizes() first"
        raise ArgumentValueError(name, rule, array.shape, remedy)


def shape_only(array: Any, name: str = "image") -> Any:
    """Return zeros of the same shape and type, without their memory.

    What is not read in slices is returned as it is. Errors call it `name`.
    """
    if not is_sliced(array):
        return array
    check_known_shape(array, name)
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def chunks_of(array: Any) -> tuple[int, ...] | None:
    """Return the shape of the chunks of an array, None if it has none of one shape."""
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != len(array.shape):
        return None
    # Those of Dask may differ: each axis has a tuple of them.
    sizes = tuple(max(c) if isinstance(c, tuple) else int(c) for c in chunks)
    return sizes if all(size > 0 for size in sizes) else None


def release_pages(array: np.memmap[Any, Any]) -> None:
    """Give back the memory of what was read of a file, or written to it.

    The system would take it back when it needs it; until then it counts as ours.
    """
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    # Changes to a copy on write ("c") are nowhere but in memory.
    if isinstance(base, mmap.mmap) and array.mode in ("r", "r+", "w+"):
        if array.mode != "r":
            array.flush()
        if hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)
