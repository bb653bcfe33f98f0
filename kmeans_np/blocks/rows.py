"""Points that lie outside of memory, one a row, looked at block by block.

What this file adds: `Rows`, which reads some rows at a time, has them looked at, and
merges what is found, so that the points never come together. What it leaves out: what
is looked for.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from kmeans_np.blocks.dask_rows import DaskRows, is_dask
from kmeans_np.blocks.sliced import Sliced, tiles
from kmeans_np.blocks.views import View
from kmeans_np.lloyd import Array
from kmeans_np.pieces import piece_of

Found = TypeVar("Found")

# How many numbers are read at once.
BLOCK = 2**22


class Rows:
    """Points (n, d) that are read in blocks of rows.

    Parameters
    ----------
    array : memory map or array-like with shape, dtype and slices
        The points.
    """

    def __init__(self, array: Any) -> None:
        self.source = Sliced(array, "points")
        n, d = self.source.shape
        self.shape, self.dtype = (n, d), self.source.dtype

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Look at the points block by block, and merge what is found."""
        found: list[Found] = []
        # Whole pieces of whole rows.
        n, d = self.shape
        for place in tiles((n, d), (piece_of(d), d), BLOCK):
            found.append(look(self.source[place], place[0].start, *args))
            found = [merge(found)]
        return found[0]

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> View:
        """Return what `work(points, *args)` gives for each point, when it is read."""

        def compute(place: tuple[slice, ...]) -> Array:
            rows = self.source[(*place, slice(0, self.shape[1]))]
            return work(rows, *args).astype(dtype, copy=False)

        chunks = self.source.chunks and self.source.chunks[:1]
        return View(self.shape[:1], np.dtype(dtype), chunks, compute)


def rows_of(array: Any) -> Rows | DaskRows:
    """Return points outside of memory as what can be looked at in parts."""
    return DaskRows(array) if is_dask(array) else Rows(array)
