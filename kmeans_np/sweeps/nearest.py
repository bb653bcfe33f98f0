"""The nearest centroid of each of many points, for points that are assigned only once.

The passes of a run keep bounds for each point, so that later passes can skip it. For a
single pass, as in predicting or painting, that does not pay off.

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

# The number of distances, and of coordinates, per table: about as many as fit the
# second-level cache. With fewer, threads would wait for the interpreter's lock longer
# than they work. The third is the number of both that is enough work for a thread.
TABLE, NUMBERS, WORK = 2**18, 2**19, 2**21
# NumPy buffers operations on columns and a scalar if the columns are shorter than this.
LONG = 2**13
# How far from 0 points may be, in units of their scale, to be used unchanged; and at
# which scales float32 can square them without loss.
NEAR, SCALES = 4, (2.0**-32, 2.0**32)
# If a common bound leaves more than one in this many points undecided, each point gets
# a bound of its own.
FEW = 64
# Up to this many differences are computed directly.
DIRECT = 2**16


def label_points(points: Array, centroids: Floats, scaling: Scaling) -> Array:
    """Find the nearest centroid of each point; of two at the same distance, the first.

    |c|^2 - 2 x c, from a matrix product, is smallest for the nearest centroid, up to
    rounding, which is bounded [1]_. Where this leaves several, the product is repeated
    in float64; where that leaves several, too, direct differences decide, as in the
    textbook. So the labels are the textbook's.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points; there may be none.
    centroids : (k, d) array of float64
        The centroids.
    scaling : Scaling
        The centering and scaling of the points.

    Returns
    -------
    (n,) array of int
        The labels, in the smallest signed dtype that holds them.

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
    """Return the labels of points, and which of them this precision cannot decide."""
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
    """Labels points with products in one precision.

    Parameters
    ----------
    centroids, scaling
        As in `label_points`.
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
        # Values that overflow become infinite or NaN, and never decide anything.
        with np.errstate(over="ignore"):
            self.squares = np.square(factors).sum(axis=1).astype(dtype)
            factors = (-2 * factors.T).astype(dtype)
        self.factors: Array = np.ascontiguousarray(factors)
        self.numbers = np.arange(k, dtype=np.min_scalar_type(k - 1))[:, np.newaxis]

    def room(self, m: int) -> list[Array]:
        """Return tables for m points, to be reused.

        New ones for each block would take longer than filling them.
        """
        size = len(self.squares) * m
        dtypes = self.dtype, np.bool_, self.numbers.dtype
        return [aligned(size, dtype) for dtype in dtypes]

    def labels(self, points: Array, room: list[Array]) -> tuple[Array, Array]:
        """Return the labels of points (m, d), and the numbers of undecided ones."""
        k = len(self.squares)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.as_they_are:
                rows: Array = np.ascontiguousarray(points, self.dtype)
            else:
                rows = self.scaling.apply(points, self.dtype)
            tables = [table[: k * len(points)] for table in room]
            find = self._in_columns if k < MANY_CLUSTERS else self._in_rows
            labels, smallest, unsure = find(rows, *tables)
        # Comparisons with infinity and NaN decide nothing.
        unsure |= ~np.isfinite(smallest)
        return labels, np.flatnonzero(unsure)

    def _in_columns(
        self, rows: Array, table: Array, near: Array, numbers: Array
    ) -> tuple[Array, Array, Array]:
        """Use a table of k columns, each with one value per point.

        Returns labels, smallest values, and which points are undecided.
        """
        shape = len(self.squares), len(rows)
        table, near, numbers = (a.reshape(shape) for a in (table, near, numbers))
        multiply_turned(rows, self.factors, table)
        table += self.squares[:, np.newaxis]
        smallest = table.min(axis=0)
        for doubt in (self._doubt, self._doubt_of_each):
            np.less_equal(table, smallest + doubt(rows), out=near)
            # Adding up bytes is far faster than counting nonzero values.
            unsure = near.view(np.uint8).sum(axis=0, dtype=np.uint8) != 1
            if np.count_nonzero(unsure) <= len(rows) // FEW:
                break
        # Comparing with the smallest is far faster than argmin along columns.
        np.multiply(near.view(np.uint8), self.numbers, out=numbers)
        return numbers.max(axis=0), smallest, unsure

    def _in_rows(
        self, rows: Array, table: Array, near: Array, numbers: Array
    ) -> tuple[Array, Array, Array]:
        """Use a table with a row of k values per point; see `_in_columns`."""
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
        """Return a cheap upper bound of `_doubt_of_each`."""
        d = rows.shape[1]
        if d > FEW_FEATURES:
            return float(self._doubt_of_each(rows).max())
        largest = max(float(rows.max()), -float(rows.min()))
        doubt: float = self._rounding(d * largest**2)
        return doubt

    def _doubt_of_each(self, rows: Array) -> Array:
        """Return by how much the value of an equally near centroid can be larger.

        A sum of d products in any order is off by at most d u times the sum of their
        absolute values, where u is the largest rounding error of one operation [1]_.
        That sum is at most (|x| + |c|)^2 <= 2 |x|^2 + 2 |c|^2. The bound is this for
        each of the two centroids compared; the rounding of the terms themselves, and of
        the operations here and in the textbook, adds a few u more.
        """
        doubt: Array = self._rounding(np.einsum("ij,ij->i", rows, rows))
        return doubt

    def _rounding(self, squares: Any) -> Any:
        slack = 2 * (len(self.factors) + 24) * float(np.finfo(self.dtype).eps)
        return (squares + float(self.squares.max())) * slack
