"""The nearest centroid of each of many points, looked at once.

A pass of a run remembers much of a point so that later passes may leave it out. Where
there is only one look, as to predict or to paint, none of that pays.

References
----------
.. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition
   (2002), chapter 3. :doi:`10.1137/1.9780898718027`
"""

from typing import Any

import numpy as np

from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.blocked import nearest_directly
from kmeans_np.sweeps.products import (
    MANY_CLUSTERS,
    aligned,
    multiply_stacks,
    multiply_turned,
)
from kmeans_np.sweeps.scaling import Scaling
from kmeans_np.sweeps.totals import FEW_FEATURES
from kmeans_np.threads import in_threads, one_blas_thread

# How many distances, and how many numbers of points, are looked at together: about as
# many as fit the second-level cache; of fewer, threads would wait for the interpreter's
# lock longer than they work. How many of both are work enough for a thread.
TABLE, NUMBERS, WORK = 2**18, 2**19, 2**21
# What is done to columns and one number, NumPy does to shorter ones through a buffer.
LONG = 2**13
# How far from 0 points may be, in units of their scale, to be taken as they are; and
# at which scales float32 squares them without loss.
NEAR, SCALES = 4, (2.0**-32, 2.0**32)
# With a bound for all points of a block, so many of them may be in doubt, one of these.
FEW = 64
# Up to so many differences are made at once.
DIRECT = 2**16


def label_points(points: Array, centroids: Floats, scaling: Scaling) -> Array:
    """Find the nearest centroid of each point; of two at the same distance, the first.

    |c|^2 - 2 x c, from a matrix product, is smallest for the nearest centroid, but for
    rounding, which is bounded [1]_. Where this leaves several, the product is repeated
    in float64; and where that does, too, direct differences decide, as in the textbook.
    So the labels are the textbook's.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points; there may be none.
    centroids : (k, d) array of float64
        The centroids.
    scaling : Scaling
        How to move and scale the points.

    Returns
    -------
    (n,) array of int
        The labels, of the smallest signed type that holds them.

    References
    ----------
    .. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition
       (2002), chapter 3. :doi:`10.1137/1.9780898718027`
    """
    labels, unsure = _label_by_products(points, centroids, scaling, np.float32)
    if len(unsure) * centroids.size > DIRECT:
        some = points[unsure]
        found = _label_by_products(some, centroids, scaling, np.float64)
        labels[unsure], unsure = found[0], unsure[found[1]]
    labels[unsure] = nearest_directly(points[unsure], centroids)
    return labels


def _label_by_products(
    points: Array, centroids: Floats, scaling: Scaling, dtype: type
) -> tuple[Array, Array]:
    """Return the labels of points, and which of them this precision cannot tell."""
    n, (k, d) = len(points), centroids.shape
    labels = np.empty(n, np.min_scalar_type(-k))
    look = _Look(centroids, scaling, dtype)
    step = max(TABLE // k, LONG if k < MANY_CLUSTERS else 64)
    step = min(step, max(64, NUMBERS // d))
    together = step * max(1, WORK // (step * (k + d)))

    def label(start: int) -> Array:
        room = look.room(min(step, n - start))
        unsure = [np.empty(0, np.intp)]
        for first in range(start, min(start + together, n), step):
            block = slice(first, min(first + step, n))
            labels[block], some = look.labels(points[block], room)
            unsure.append(some + first)
        return np.concatenate(unsure)

    with one_blas_thread():
        found = in_threads(label, range(0, n, together))
    return labels, np.concatenate([np.empty(0, np.intp), *found])


class _Look:
    """A look at points in one precision.

    Parameters
    ----------
    centroids, scaling
        As of `label_points`.
    dtype : type
        The precision, float32 or float64.
    """

    def __init__(self, centroids: Floats, scaling: Scaling, dtype: type) -> None:
        k, d = centroids.shape
        self.dtype, (center, scale) = dtype, scaling
        self.as_they_are = SCALES[0] <= scale <= SCALES[1]
        self.as_they_are &= float(np.square(center * scale).sum()) <= NEAR**2
        self.scaling = Scaling(np.zeros(d), 1.0) if self.as_they_are else scaling
        factors: Floats = self.scaling.apply(centroids, np.float64)
        # What overflows is infinite or NaN, and never decides anything.
        with np.errstate(over="ignore"):
            self.squares = np.square(factors).sum(axis=1).astype(dtype)
            factors = (-2 * factors.T).astype(dtype)
        self.factors: Array = np.ascontiguousarray(factors)
        self.numbers = np.arange(k, dtype=np.min_scalar_type(k - 1))[:, np.newaxis]

    def room(self, m: int) -> list[Array]:
        """Return the tables that are written for m points.

        New ones for each block would take longer than what is written into them.
        """
        size = len(self.squares) * m
        dtypes = self.dtype, np.bool_, self.numbers.dtype
        return [aligned(size, dtype) for dtype in dtypes]

    def labels(self, points: Array, room: list[Array]) -> tuple[Array, Array]:
        """Return the labels of points (m, d), and the numbers of those in doubt."""
        k = len(self.squares)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.as_they_are:
                rows: Array = np.ascontiguousarray(points, self.dtype)
            else:
                rows = self.scaling.apply(points, self.dtype)
            tables = [table[: k * len(points)] for table in room]
            find = self._in_columns if k < MANY_CLUSTERS else self._in_rows
            labels, smallest, unsure = find(rows, *tables)
        # Infinity and NaN may be near to nothing, not even to themselves.
        unsure |= ~np.isfinite(smallest)
        return labels, np.flatnonzero(unsure)

    def _in_columns(
        self, rows: Array, table: Array, near: Array, numbers: Array
    ) -> tuple[Array, Array, Array]:
        """Look with a table of k columns, of which each has a number for each row.

        Returns labels, smallest numbers, and which points are in doubt.
        """
        shape = len(self.squares), len(rows)
        table, near, numbers = (a.reshape(shape) for a in (table, near, numbers))
        multiply_turned(rows, self.factors, table)
        table += self.squares[:, np.newaxis]
        smallest = table.min(axis=0)
        for doubt in (self._doubt, self._doubt_of_each):
            np.less_equal(table, smallest + doubt(rows), out=near)
            # To add up bytes is far faster than to look for those that are not 0.
            unsure = near.view(np.uint8).sum(axis=0, dtype=np.uint8) != 1
            if np.count_nonzero(unsure) <= len(rows) // FEW:
                break
        # To compare with the smallest is far faster than argmin over columns.
        np.multiply(near.view(np.uint8), self.numbers, out=numbers)
        return numbers.max(axis=0), smallest, unsure

    def _in_rows(
        self, rows: Array, table: Array, near: Array, numbers: Array
    ) -> tuple[Array, Array, Array]:
        """Look with a table of k numbers for each row; see `_in_columns`."""
        del near, numbers
        k = len(self.squares)
        begins, distances = k * np.arange(len(rows)), table.reshape(-1, k)
        multiply_stacks(rows, self.factors, distances)
        distances += self.squares
        labels = distances.argmin(axis=1)
        smallest = table.take(begins + labels)
        table[begins + labels] = np.inf
        second = table.take(begins + distances.argmin(axis=1))
        for doubt in (self._doubt, self._doubt_of_each):
            unsure = ~(second > smallest + doubt(rows))
            if np.count_nonzero(unsure) <= len(rows) // FEW:
                break
        return labels, smallest, unsure

    def _doubt(self, rows: Array) -> float:
        """Return an upper bound of `_doubt_of_each` that takes no time."""
        d = rows.shape[1]
        if d > FEW_FEATURES:
            return float(self._doubt_of_each(rows).max())
        largest = max(float(rows.max()), -float(rows.min()))
        doubt: float = self._rounding(d * largest**2)
        return doubt

    def _doubt_of_each(self, rows: Array) -> Array:
        """Return how much larger a number can be that belongs to a centroid as near.

        A sum of d products in any order is off by at most d u times the sum of their
        absolute values, with u the largest rounding of one operation [1]_. That sum is
        at most (|x| + |c|)^2 <= 2 |x|^2 + 2 |c|^2. So much for each of two centroids
        that are compared; the rounding of the terms themselves, and of what is done
        here and in the textbook, adds some u more.
        """
        doubt: Array = self._rounding(np.einsum("ij,ij->i", rows, rows))
        return doubt

    def _rounding(self, squares: Any) -> Any:
        slack = 2 * (len(self.factors) + 24) * float(np.finfo(self.dtype).eps)
        return (squares + float(self.squares.max())) * slack
