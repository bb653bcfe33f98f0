"""Points, one per row, processed part by part, in memory or not.

`Rows` is the interface of points for the passes: `gather` calls a function on each part
and merges the findings, `each` computes a value for every point when it is read.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any, Self, TypeVar

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays.chunks import BlockReader, Place, tiles
from kmeans_np.arrays.lazy import LazyArray, Report, Reporter
from kmeans_np.lloyd import Array, Floats
from kmeans_np.tree_sums import piece_of

Found = TypeVar("Found")
# Returns features, (m, d), given stored values and the position of each row, (m, axes).
Transform = Callable[[Array, Array | None], Array]

# The largest number of values processed at once, unless a piece has more; and the
# largest number of bytes read at once, if chunks are that large.
BLOCK, CHUNK_BYTES = 2**22, 2**28


class Part:
    """Consecutive points, in whole pieces except for the last.

    Parameters
    ----------
    values : (m, c) array
        The stored values of each point.
    weights : (m,) array of float64, or None
        How many times each point counts, above 0; None for once.
    places : (m, axes) array of int, or None
        The position of each point, if positions are features.
    start : int
        The number of the first point among all points.
    transform : callable, optional
        Computes points from values and positions; by default, points are the values.
    """

    def __init__(
        self,
        values: Array,
        weights: Floats | None = None,
        places: Array | None = None,
        start: int = 0,
        transform: Transform | None = None,
    ) -> None:
        self.values, self.places = values, places
        self.start, self.transform = start, transform
        self.weights: Floats = np.broadcast_to(
            np.float64(1) if weights is None else weights, len(values)
        )

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def points(self) -> Array:
        """The points, (m, d)."""
        if self.transform is None:
            return self.values
        return self.transform(self.values, self.places)

    def select(self, some: Array) -> "Part":
        """Return a part with only the selected points, (m,) of bool."""
        part = Part(self.values[some], self.weights[some])
        part.points = self.points[some]
        return part

    @property
    def piece(self) -> int:
        """The number of its first piece."""
        return self.start // piece_of(self.points.shape[1])


class Rows(ABC):
    """Points (n, d), each with a weight, that are processed part by part.

    Attributes
    ----------
    shape : (n, d)
        The number of points with a positive weight, and of features.
    dtype : numpy.dtype
        The dtype of the points.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    # Whether they are stored outside of memory, and how errors refer to them.
    outside: bool = True
    names: checks.ErrorContext = checks.POINTS
    # The number of coordinates of a position, and whether positions are features.
    n_axes: int = 0
    with_places: bool = False
    transform: Transform | None = None

    def transformed(self, transform: Transform, d: int, with_places: bool) -> Self:
        """Return the same points with d features that `transform` computes.

        `with_places` says whether it also needs their positions.
        """
        other = copy.copy(self)
        other.transform, other.with_places = transform, with_places
        other.shape, other.dtype = (self.shape[0], d), np.dtype(np.float64)
        return other

    @abstractmethod
    def load(self) -> "Part":
        """Return all points, in memory."""

    @abstractmethod
    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Call a function on every part, and merge the findings.

        `look(part, *args)` is called with each `Part`. `look` and `merge` must be
        functions of a module, so that they can be sent to another process.
        """

    @abstractmethod
    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> Any:
        """Return what `work(points, *args)` gives for each point, as a lazy array."""


# Values, weights and positions, as in `Part`.
Selected = tuple[Array, Floats | None, Array | None]


class BlockRows(Rows):
    """Points that are read block by block, in order, as often as needed.

    Parameters
    ----------
    shape : (n, d)
        The number of points with a positive weight, and of features.
    dtype : numpy.dtype
        The dtype of the points.
    blocks : list
        The blocks, in the form that `read` expects, such as slices.
    sizes : sequence of int
        The number of points with a positive weight in each block.
    report : callable, optional
        The function to report the progress of passes to.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        blocks: list[Any],
        sizes: list[int],
        report: Report | None = None,
    ) -> None:
        self.shape, self.dtype, self.report = shape, dtype, report
        # The number of points before each block, and of all.
        self.blocks, self.starts = blocks, np.cumsum([0, *sizes])

    @abstractmethod
    def read(self, block: Any) -> Selected:
        """Read the points of a block that have a positive weight."""

    def load(self) -> Part:
        """Return all points, in memory."""
        columns = self.read(self.blocks[0])
        for block in self.blocks[1:]:
            columns = _joined(columns, self.read(block))
        return Part(*columns, 0, self.transform)

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Call `look` on the points block by block, and merge the findings."""
        found: list[Found] = []
        reporter = Reporter(self.report, "look", self.shape[0])
        for part in self._parts():
            found = [merge([*found, look(part, *args)])]
            reporter.add(len(part))
        return found[0]

    def _parts(self) -> Iterator[Part]:
        d = self.shape[1]
        piece = piece_of(d)
        step = piece * max(1, BLOCK // (piece * d))
        start, rest = 0, None
        for block in self.blocks:
            read = self.read(block)
            columns = read if rest is None else _joined(rest, read)
            n = len(columns[0])
            whole = n - n % piece
            for first in range(0, whole, step):
                some = _cut(columns, slice(first, min(first + step, whole)))
                yield Part(*some, start + first, self.transform)
            start, rest = start + whole, None
            if whole < n:
                rest = _cut(columns, slice(whole, None))
        if rest is not None:
            yield Part(*rest, start, self.transform)

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> LazyArray:
        """Return what `work(points, *args)` returns for each point, as a lazy array."""
        compute = partial(self._compute, work, args, np.dtype(dtype))
        return LazyArray(self.shape[:1], np.dtype(dtype), None, compute)

    def _compute(
        self, work: Callable[..., Array], args: Any, dtype: Any, place: Place
    ) -> Array:
        """Do the work for some points, in all blocks that have one of them."""
        some = range(self.shape[0])[place[0]]
        first, last = self.block_of(some[0]), self.block_of(some[-1])
        done = [
            work(self._points(self.read(block)), *args)
            for block in self.blocks[first : last + 1]
        ]
        begin = self.starts[first]
        found = np.concatenate(done)[some.start - begin : some.stop - begin : some.step]
        return found.astype(dtype, copy=False)

    def _points(self, read: Selected) -> Array:
        return Part(*read, transform=self.transform).points

    def block_of(self, number: int) -> int:
        """Return which block has the point of this number."""
        return int(np.searchsorted(self.starts, number, "right")) - 1


def bands(shape: tuple[int, ...], chunk: tuple[int, ...], d: int) -> list[Place]:
    """Cut an array of points with d numbers each into blocks that are read at once."""
    return [*tiles(shape, chunk, max(1, BLOCK // d))]


def _joined(some: Selected, others: Selected) -> Selected:
    values, weights, places = (
        None if a is None or b is None else np.concatenate([a, b])
        for a, b in zip(some, others)
    )
    assert values is not None
    return values, weights, places


def _cut(columns: Selected, where: slice) -> Selected:
    values, weights, places = (None if c is None else c[where] for c in columns)
    assert values is not None
    return values, weights, places


class MemoryRows(Rows):
    """Points in memory, all of them in one part.

    Parameters
    ----------
    values : (n, c) array
        The stored values of each point.
    weights : (n,) array of float64, or None
        How many times each point counts; None for once. `load` returns points of weight
        0, `gather` excludes them.
    find_places : callable, optional
        Returns the position of each point, (n, axes).
    """

    outside = False

    def __init__(
        self,
        values: Array,
        weights: Floats | None = None,
        find_places: Callable[[], Array] | None = None,
    ) -> None:
        self.values, self.weights, self.find_places = values, weights, find_places
        n = len(values) if weights is None else int(np.count_nonzero(weights))
        self.shape, self.dtype = (n, values.shape[1]), values.dtype

    def transformed(self, transform: Transform, d: int, with_places: bool) -> Self:
        """Return the same points with d features that `transform` computes."""
        other = super().transformed(transform, d, with_places)
        other.__dict__.pop("_part", None)
        return other

    @cached_property
    def _part(self) -> Part:
        find = self.find_places if self.with_places else None
        places = None if find is None else find()
        return Part(self.values, self.weights, places, 0, self.transform)

    def load(self) -> Part:
        """Return all points, including those of weight 0."""
        return self._part

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Call `look` on all points with a positive weight."""
        part = self._part
        if self.weights is not None and not self.weights.all():
            part = part.select(self.weights > 0)
        return merge([look(part, *args)])

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> Array:
        """Return what `work(points, *args)` returns for each point."""
        return work(self._part.points, *args).astype(dtype, copy=False)


ROW_AND_COLUMN = checks.place_along("row", "column")


def names_of_rows(numbers: Array) -> checks.ErrorContext:
    """Return how errors refer to points with these numbers."""

    def say_place(index: Array) -> str:
        return ROW_AND_COLUMN(np.array([numbers[index[0]], index[1]]))

    return checks.POINTS._replace(say_place=say_place)


class ArrayRows(BlockRows):
    """Points (n, d) that are an array outside of memory.

    Parameters
    ----------
    array : memory map or array-like with shape, dtype and slices
        The points.
    weights : (n,) array, or anything with shape, dtype and slices, optional
        How many times each point counts; by default, once. They have passed their
        checks.
    """

    def __init__(self, array: Any, weights: Any = None) -> None:
        self.source = BlockReader(array, "points")
        self.weights = None if weights is None else BlockReader(weights, "weights")
        n, d = self.source.shape
        chunk = self.source.chunks[0] if self.source.chunks else 1
        itemsize = self.source.dtype.itemsize
        chunk = min(chunk, max(1, CHUNK_BYTES // (d * itemsize)))
        # Blocks of whole chunks, if these are not too large.
        blocks = [(rows, slice(0, d)) for (rows,) in bands((n,), (chunk,), d)]
        sizes = [rows.stop - rows.start for rows, _ in blocks]
        if self.weights is not None:
            parts = (self.weights[place[:1]] for place in blocks)
            sizes = [int(np.count_nonzero(part)) for part in parts]
        super().__init__((sum(sizes), d), self.source.dtype, blocks, sizes)
        self.names = checks.POINTS._replace(say_place=self._say_place)

    def read(self, block: Place) -> Selected:
        """Read the points of a block with a positive weight; all must be finite."""
        values = self.source[block]
        if self.weights is None:
            return values, None, None
        weights = self.weights[block[:1]].astype(np.float64)
        some = weights > 0
        if some.all():
            return values, weights, None
        others = np.flatnonzero(~some) + block[0].start
        checks.finite(values[~some], names_of_rows(others))
        return values[some], weights[some], None

    def _say_place(self, index: Array) -> str:
        """Say where a value is, given its row among those with a positive weight."""
        number = self.block_of(int(index[0]))
        rows, inside = self.blocks[number][0], int(index[0]) - self.starts[number]
        if self.weights is not None:
            inside = np.flatnonzero(self.weights[(rows,)])[inside]
        return ROW_AND_COLUMN(np.array([rows.start + inside, index[1]]))

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> LazyArray:
        """Return what `work(points, *args)` returns for each point, as a lazy array."""
        if self.weights is not None:
            return super().each(work, dtype, *args)
        # All points are included, so only those requested need to be read.
        chunks = self.source.chunks and self.source.chunks[:1]
        compute = partial(self._compute_rows, work, args, np.dtype(dtype))
        return LazyArray(self.shape[:1], np.dtype(dtype), chunks, compute)

    def _compute_rows(
        self, work: Callable[..., Array], args: Any, dtype: Any, place: Place
    ) -> Array:
        rows = self.source[(*place, slice(0, self.shape[1]))]
        return work(rows, *args).astype(dtype, copy=False)
