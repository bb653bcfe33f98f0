"""Points that are a Dask array, one a row, looked at where they are.

What this file adds: `DaskRows`, of which each chunk is looked at by a task; findings
are merged in a tree of tasks, so that the points never come together. And what is to be
known of any Dask array. What it leaves out: what is looked for.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

import numpy as np

from kmeans_np.blocks.sliced import Place, unreadable
from kmeans_np.checks import ArgumentError, ArgumentValueError
from kmeans_np.lloyd import Array
from kmeans_np.pieces import piece_of

Found = TypeVar("Found")

# How many findings of chunks a task merges.
TOGETHER = 16


def is_dask(value: Any) -> bool:
    """Return whether something is a Dask array, without importing Dask."""
    dask = sys.modules.get("dask.array")
    return dask is not None and isinstance(value, dask.Array)


def known_shape(array: Any, name: str) -> None:
    """Refuse a Dask array that does not know its own shape."""
    if any(math.isnan(length) for length in array.shape):
        rule = "have a known shape as a Dask array"
        remedy = f"call {name}.compute_chunk_sizes() first"
        raise ArgumentValueError(name, rule, array.shape, remedy)


@contextmanager
def place_of_errors(array: Any, name: str) -> Iterator[None]:
    """Say where a Dask array cannot be read, if that is why a computation fails.

    Dask does not tell which chunk it was. So chunks are read again, half of them, half
    of the half that cannot be read, and so on.
    """
    try:
        yield
    except ArgumentError:
        raise
    except Exception as error:
        place = _unreadable(array)
        if place is None:
            raise
        raise unreadable(name, place, error) from error


def _unreadable(array: Any) -> Place | None:
    """Return the place of a chunk that cannot be read, None if there is none."""
    numbers = [*np.ndindex(*array.numblocks)]
    if _readable(array, numbers):
        return None
    while len(numbers) > 1:
        half = len(numbers) // 2
        first = numbers[:half]
        numbers = numbers[half:] if _readable(array, first) else first
    ends = [np.cumsum(sizes) for sizes in array.chunks]
    cuts = zip(ends, array.chunks, numbers[0])
    return tuple(slice(e[i] - sizes[i], e[i]) for e, sizes, i in cuts)


def _readable(array: Any, numbers: list[tuple[int, ...]]) -> bool:
    import dask

    blocks = [array.blocks[number].to_delayed().item() for number in numbers]
    try:
        dask.compute([dask.delayed(np.shape)(block) for block in blocks])
    except Exception:
        return False
    return True


def merged_in_tree(found: list[Any], merge: Callable[[list[Any]], Any]) -> Any:
    """Return a delayed object that merges all of these, some at a time."""
    import dask

    together = dask.delayed(merge, pure=True)
    while len(found) > 1:
        starts = range(0, len(found), TOGETHER)
        found = [together(found[i : i + TOGETHER]) for i in starts]
    return found[0]


class DaskRows:
    """Points (n, d) that are a Dask array.

    Parameters
    ----------
    array : dask.array.Array
        The points. They are read in every `gather`, unless they are persisted.
    name : str, optional
        What errors call them that say which chunk cannot be read; not given if whoever
        asks for a `gather` says so.
    """

    def __init__(self, array: Any, name: str | None = None) -> None:
        self.shape, self.dtype = array.shape, array.dtype
        self.source, self.name = array, name
        # A row is in one chunk.
        self.array = array.rechunk({1: -1})
        # And a piece: a few rows go to the next chunk.
        piece = piece_of(array.shape[1])
        ends = np.cumsum(array.chunks[0])
        ends[:-1] = -(-ends[:-1] // piece) * piece
        ends = np.unique(np.minimum(ends, len(array)))
        ends = ends[ends > 0]
        sizes = tuple(np.diff(ends, prepend=0).tolist()) or (0,)
        self.pieces = self.array.rechunk({0: sizes})

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Look at all chunks, on the scheduler that is there, and merge in a tree."""
        import dask

        sizes = self.pieces.chunks[0]
        starts = (np.cumsum(sizes) - sizes).tolist()
        blocks = self.pieces.to_delayed().ravel()
        # Once for all tasks: it may be many centroids.
        how = dask.delayed(partial(_looked_at, look, args), pure=True)
        found = [how(block, start) for block, start in zip(blocks, starts, strict=True)]
        # Only what reads may be to blame, not what is done between two passes.
        named = (
            nullcontext()
            if self.name is None
            else place_of_errors(self.source, self.name)
        )
        with named:
            merged: Found = merged_in_tree(found, merge).compute()
        return merged

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> Any:
        """Return what `work(points, *args)` gives for each point, as a Dask array."""
        return self.array.map_blocks(
            _worked_on,
            work,
            args,
            dtype,
            dtype=dtype,
            drop_axis=1,
            meta=np.empty(0, dtype),
        )


def _looked_at(
    look: Callable[..., Found], args: Any, points: Array, start: int
) -> Found:
    return look(points, start, *args)


def _worked_on(points: Array, work: Any, args: Any, dtype: Any) -> Array:
    done: Array = work(points, *args).astype(dtype, copy=False)
    return done
