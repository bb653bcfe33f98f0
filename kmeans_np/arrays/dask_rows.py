"""Points in a Dask array, one per row, processed where the chunks are stored.

Each chunk is processed by a task, and findings are merged in a tree of tasks, so that
the points are never collected.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays.chunks import Place, unreadable
from kmeans_np.arrays.lazy import Report, Reporter
from kmeans_np.arrays.rows import (
    ROW_AND_COLUMN,
    ArrayRows,
    Found,
    Part,
    Rows,
    Transform,
    names_of_rows,
)
from kmeans_np.checks import ArgumentError
from kmeans_np.lloyd import Array
from kmeans_np.tree_sums import piece_of

# The number of findings that a task merges.
TOGETHER = 16


def is_dask(value: Any) -> bool:
    """Return whether a value is a Dask array, without importing Dask."""
    dask = sys.modules.get("dask.array")
    return dask is not None and isinstance(value, dask.Array)


@contextmanager
def locate_errors(array: Any, name: str) -> Iterator[None]:
    """Report which part of a Dask array cannot be read, if a computation fails.

    Dask does not report the chunk. So chunks are read again by bisection: half of them,
    half of the half that cannot be read, and so on. `array` may be None.
    """
    try:
        yield
    except ArgumentError:
        raise
    except Exception as error:
        place = None if array is None else _unreadable(array)
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


def merge_in_tree(found: list[Any], merge: Callable[[list[Any]], Any]) -> Any:
    """Return a delayed object that merges all findings, some at a time."""
    import dask

    together = dask.delayed(merge, pure=True)
    while len(found) > 1:
        starts = range(0, len(found), TOGETHER)
        found = [together(found[i : i + TOGETHER]) for i in starts]
    return found[0]


class DaskRows(Rows):
    """Points (n, d) that are a Dask array.

    They are read again in every `gather`, unless they are persisted.

    Parameters
    ----------
    values : (n, c) dask.array.Array
        The stored values of each point.
    weights : (n,) dask.array.Array, optional
        How many times each point counts, above 0, in the same chunks; by default, once.
    numbers : (n,) dask.array.Array of int, optional
        The numbers of the points, in the same chunks.
    place_of : callable, optional
        Returns the positions, (m, axes), of points with these numbers.
    name : str, optional
        The name of the argument in errors that report an unreadable chunk; not needed
        if callers of `gather` locate errors themselves.
    """

    def __init__(
        self,
        values: Any,
        weights: Any = None,
        numbers: Any = None,
        place_of: Callable[[Array], Array] | None = None,
        name: str = "",
    ) -> None:
        self.shape, self.dtype = values.shape, values.dtype
        self.source, self.name = values, name
        # Each row must be in one chunk.
        self.values = values.rechunk({1: -1})
        self.weights, self.numbers, self.place_of = weights, numbers, place_of
        self.report: Report | None = None

    def load(self) -> Part:
        """Return all points, in memory."""
        import dask

        numbers = self.numbers if self.with_places else None
        values, weights, numbers = dask.compute(self.values, self.weights, numbers)
        places = None
        if numbers is not None and self.place_of is not None:
            places = self.place_of(numbers)
        return Part(values, weights, places, 0, self.transform)

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Call `look` on all chunks, on the scheduler in use, and merge in a tree."""
        import dask

        sizes = _whole_pieces(self.values.chunks[0], piece_of(self.shape[1]))
        starts = (np.cumsum(sizes) - sizes).tolist()
        numbers = self.numbers if self.with_places else None
        columns = (self.values, self.weights, numbers)
        blocks = [_blocks(column, sizes) for column in columns]
        # One object for all tasks, since it may hold many centroids.
        work = partial(_look_at, look, args, self.transform, self.place_of)
        how = dask.delayed(work, pure=True)
        found = [how(start, *some) for start, *some in zip(starts, *blocks)]
        # Errors are located only here, not between two passes.
        errors = locate_errors(self.source, self.name) if self.name else nullcontext()
        with errors:
            merged: Found = merge_in_tree(found, merge).compute()
        Reporter(self.report, "look", self.shape[0]).reach(self.shape[0])
        return merged

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> Any:
        """Return what `work(points, *args)` returns for each point, as a Dask array."""
        numbers = (self.numbers[:, None],) if self.with_places else ()
        return self.values.map_blocks(
            _compute,
            *numbers,
            work=work,
            args=args,
            kind=dtype,
            transform=self.transform,
            place_of=self.place_of,
            dtype=dtype,
            drop_axis=1,
            meta=np.empty(0, dtype),
        )


def _whole_pieces(chunks: tuple[int, ...], piece: int) -> tuple[int, ...]:
    """Return the lengths of chunks that end where pieces end.

    A few rows of a chunk move to the next.
    """
    ends = np.cumsum(chunks)
    n = int(ends[-1])
    ends = np.unique(np.minimum(-(-ends // piece) * piece, n))
    return tuple(np.diff(ends[ends > 0], prepend=0).tolist()) or (0,)


def _blocks(column: Any, sizes: tuple[int, ...]) -> list[Any]:
    """Return chunks of these lengths as delayed objects; None for no column."""
    if column is None:
        return [None] * len(sizes)
    return [*column.rechunk({0: sizes}).to_delayed().ravel()]


def _look_at(
    look: Callable[..., Found],
    args: Any,
    transform: Transform | None,
    place_of: Callable[[Array], Array] | None,
    start: int,
    values: Array,
    weights: Array | None,
    numbers: Array | None,
) -> Found:
    places = None if numbers is None or place_of is None else place_of(numbers)
    return look(Part(values, weights, places, start, transform), *args)


def _compute(
    values: Array,
    numbers: Array | None = None,
    *,
    work: Any,
    args: Any,
    kind: Any,
    transform: Transform | None,
    place_of: Callable[[Array], Array] | None,
) -> Array:
    places = None if numbers is None or place_of is None else place_of(numbers[:, 0])
    points = Part(values, None, places, 0, transform).points
    done: Array = work(points, *args).astype(kind, copy=False)
    return done


def select(
    columns: list[Any],
    keep: Any,
    sizes: list[int],
    checked: Any = None,
    names_of: Callable[[Array], checks.ErrorContext] | None = None,
) -> list[Any]:
    """Return the selected rows of Dask arrays that have the same chunks.

    Parameters
    ----------
    columns : list of dask.array.Array
        Values (n, c), weights (n,) or None, and the numbers of the rows (n,).
    keep : (n,) dask.array.Array of bool
        Which rows to keep.
    sizes : list of int
        The number of rows to keep in each chunk.
    checked : (n,) dask.array.Array of bool, optional
        Which of the other rows must be finite as well.
    names_of : callable, optional
        Returns how errors refer to rows with these numbers.
    """
    if sum(sizes) == len(keep):
        return columns
    values, weights, numbers = columns
    others = (None, None) if checked is None else (checked[:, None], numbers[:, None])
    values = values.map_blocks(
        _keep_values,
        keep[:, None],
        *(other for other in others if other is not None),
        names_of=names_of,
        chunks=(tuple(sizes), values.chunks[1]),
        dtype=values.dtype,
    )
    kept = [
        None
        if column is None
        else column.map_blocks(_keep, keep, chunks=(tuple(sizes),), dtype=column.dtype)
        for column in (weights, numbers)
    ]
    return [values, *kept]


def _keep(column: Array, keep: Array) -> Array:
    return column[keep]


def _keep_values(
    values: Array,
    keep: Array,
    checked: Array | None = None,
    numbers: Array | None = None,
    *,
    names_of: Any,
) -> Array:
    if checked is not None and numbers is not None and checked.any():
        some = checked[:, 0]
        checks.finite(values[some], names_of(numbers[some, 0]))
    return values[keep[:, 0]]


def as_rows(points: Any, weights: Any = None, name: str = "points") -> Rows:
    """Return points outside of memory, with their weights, as `Rows`.

    `name` is the name of the argument in errors if they cannot be read.
    """
    if not is_dask(points):
        return ArrayRows(points, weights)
    if weights is None:
        return DaskRows(points, name=name)
    import dask.array

    values = points.rechunk({1: -1})
    weights = weights.rechunk(points.chunks[:1]).astype(np.float64)
    numbers = dask.array.arange(len(points), chunks=points.chunks[:1])
    keep = weights > 0
    counts = [dask.delayed(np.count_nonzero)(b) for b in keep.to_delayed().ravel()]
    sizes = [int(count) for count in dask.compute(*counts)]
    columns = [values, weights, numbers]
    values, weights, numbers = select(columns, keep, sizes, ~keep, names_of_rows)
    rows = DaskRows(values, weights, numbers, name=name)
    rows.names = checks.POINTS._replace(say_place=partial(_say_row, numbers))
    return rows


def _say_row(numbers: Any, index: Array) -> str:
    """Say where a value is, given its row among those that were kept."""
    row = int(index[0])
    number = int(numbers[row : row + 1].compute()[0])
    return ROW_AND_COLUMN(np.array([number, index[1]]))
