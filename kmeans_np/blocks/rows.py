"""Points that lie outside of memory, one a row, looked at block by block.

What this file adds: `Rows`, which takes points as they come, has whole pieces of them
looked at, and merges what is found, so that the points never come together. What it
leaves out: what is looked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np

from kmeans_np.blocks.dask_rows import DaskRows, is_dask
from kmeans_np.blocks.sliced import Place, Sliced, tiles
from kmeans_np.blocks.views import Report, Reporter, View
from kmeans_np.lloyd import Array
from kmeans_np.pieces import piece_of

Found = TypeVar("Found")

# How many numbers are looked at at once, at most, but for one piece; and how many bytes
# are read at once, if chunks are so large.
BLOCK, CHUNK_BYTES = 2**22, 2**28


class Rows(ABC):
    """Points (n, d) that come in blocks, in their order, as often as asked for.

    Parameters
    ----------
    shape : (n, d)
        How many there are, and with how many features.
    dtype : numpy.dtype
        Their type.
    report : callable, optional
        Who wants to know how far a pass over the points is.
    """

    def __init__(
        self, shape: tuple[int, int], dtype: np.dtype[Any], report: Report | None = None
    ) -> None:
        self.shape, self.dtype, self.report = shape, dtype, report

    @abstractmethod
    def blocks(self) -> Iterator[Array]:
        """Yield the points, (m, d), some at a time."""

    @abstractmethod
    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> View:
        """Return what `work(points, *args)` gives for each point, when it is read."""

    @property
    def at_once(self) -> int:
        """How many numbers it is best to read at once."""
        return BLOCK

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Look at the points block by block, and merge what is found."""
        found: list[Found] = []
        reporter = Reporter(self.report, "look", self.shape[0])
        for points, start in self._pieces():
            found = [merge([*found, look(points, start, *args)])]
            reporter.add(len(points))
        return found[0]

    def _pieces(self) -> Iterator[tuple[Array, int]]:
        """Yield blocks of whole pieces, with the number of their first point."""
        d = self.shape[1]
        piece = piece_of(d)
        step = piece * max(1, BLOCK // (piece * d))
        start, rest = 0, np.empty((0, d), self.dtype)
        for block in self.blocks():
            points = np.concatenate([rest, block]) if len(rest) else block
            whole = len(points) - len(points) % piece
            for first in range(0, whole, step):
                yield points[first : min(first + step, whole)], start + first
            start, rest = start + whole, points[whole:].copy()
        if len(rest):
            yield rest, start


class ArrayRows(Rows):
    """Points (n, d) that are an array outside of memory.

    Parameters
    ----------
    array : memory map or array-like with shape, dtype and slices
        The points.
    """

    def __init__(self, array: Any) -> None:
        self.source = Sliced(array, "points")
        n, d = self.source.shape
        super().__init__((n, d), self.source.dtype)

    def blocks(self) -> Iterator[Array]:
        """Yield the points, in whole chunks if these are not too large."""
        n, d = self.shape
        chunk = self.source.chunks[0] if self.source.chunks else 1
        chunk = min(chunk, max(1, CHUNK_BYTES // (d * self.dtype.itemsize)))
        for place in tiles((n, d), (chunk, d), self.at_once):
            yield self.source[place]

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> View:
        """Return what `work(points, *args)` gives for each point, when it is read."""
        chunks = self.source.chunks and self.source.chunks[:1]
        compute = partial(self._work_on, work, args, np.dtype(dtype))
        return View(self.shape[:1], np.dtype(dtype), chunks, compute)

    def _work_on(
        self, work: Callable[..., Array], args: Any, dtype: Any, place: Place
    ) -> Array:
        rows = self.source[(*place, slice(0, self.shape[1]))]
        return work(rows, *args).astype(dtype, copy=False)


def rows_of(array: Any) -> ArrayRows | DaskRows:
    """Return points outside of memory as what can be looked at in parts."""
    return DaskRows(array, "points") if is_dask(array) else ArrayRows(array)
