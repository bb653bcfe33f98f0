"""The nearest centroids of points from matrix products, as far as rounding allows.

References
----------
.. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition
   (2002), chapter 3. :doi:`10.1137/1.9780898718027`
"""

from typing import Any

import numpy as np

from kmeans_np.lloyd import Array
from kmeans_np.sweeps.totals import FEW_FEATURES
from kmeans_np.threads import multiply

# The number of distances per table: as many as fit the second-level cache.
TABLE = 2**18
# Up to this many clusters, a product with many features is better computed for stacks
# of this many points, and transposed afterwards.
FEW_CLUSTERS, STACK = 16, 256
# From this many clusters on, a table with one row per point is faster than one with one
# column per point.
MANY_CLUSTERS = 128
# BLAS computes products of up to this many multiplications in one thread, and without
# first copying everything into an order of its own, which would take most of the time.
# But a stack has at least the second number of points, or there would be too many
# products.
SMALL_PRODUCT, SMALL_STACK = 2**18, 2**4
# The number of bytes that a processor loads into its cache at once.
CACHE_LINE = 64


def nearest_by_products(
    rows: Array, squares: Array, factors: Array, own: Array | None = None
) -> tuple[Array, Array]:
    """Find the nearest centroids of some points, and the gaps to the second nearest.

    Parameters
    ----------
    rows : (m, d + 1) array of float32 or float64
        The points, each followed by a 1.
    squares : (m,) array of the same type
        The squared length of each point.
    factors : (k, d + 1) array of the same type
        The centroids times -2, each followed by its squared length.
    own : (m,) array of int, optional
        Labels that are mostly right, which save time.

    Returns
    -------
    labels : (m,) array of int
        The nearest centroids; certain where the gap is positive.
    gaps : (m,) array of floats
        The least difference of the distances to the nearest centroid and to any other.
        NaN, or not above 0, where rounding may decide.
    """
    labels, first, second = _nearest_two(rows, factors, own)
    if own is not None:
        other = np.flatnonzero(~(first < second))
        found = _nearest_two(rows.take(other, axis=0), factors)
        labels[other], first[other], second[other] = found
    first += squares
    second += squares
    return labels, _gaps(first, second, squares, factors)


def _nearest_two(
    rows: Array, factors: Array, own: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return labels, their |c|^2 - 2 x c, and the smallest such value of the others."""
    m, k = len(rows), len(factors)
    labels = np.empty(m, np.intp) if own is None else own.astype(np.intp)
    first, second = np.empty((2, m), rows.dtype)
    numbers = np.arange(k, dtype=np.min_scalar_type(k - 1))[:, np.newaxis]
    step, in_rows = max(64, TABLE // k), k >= MANY_CLUSTERS
    turned = np.ascontiguousarray(factors.T)
    table = aligned(k * min(step, m), rows.dtype)
    for start in range(0, m, step):
        part = slice(start, start + step)
        points = np.arange(len(rows[part]))
        flat = table[: k * len(points)]
        if in_rows:
            distances, begins, apart = flat.reshape(-1, k), k * points, 1
            multiply_stacks(rows[part], turned, distances)
        else:
            distances, begins, apart = flat.reshape(k, -1), points, len(points)
            multiply_turned(rows[part], turned, distances)
        if own is None and in_rows:
            labels[part] = distances.argmin(axis=1)
        elif own is None:
            # Comparing with the smallest is far faster than argmin along columns.
            smallest = (distances == distances.min(axis=0)).view(np.uint8)
            labels[part] = (smallest * numbers).max(axis=0)
        places = begins + apart * labels[part]
        np.take(flat, places, out=first[part], mode="clip")
        flat[places] = np.inf
        if in_rows:
            places = begins + distances.argmin(axis=1)
            np.take(flat, places, out=second[part], mode="clip")
        else:
            distances.min(axis=0, out=second[part])
    return labels, first, second


def aligned(size: int, dtype: Any) -> Array:
    """Return a new array of which no element crosses a border of cache lines.

    Operations on a large table are up to a fifth faster then.
    """
    dtype = np.dtype(dtype)
    array: Array = np.empty(size + CACHE_LINE // dtype.itemsize, dtype)
    start = -array.ctypes.data % CACHE_LINE // dtype.itemsize
    return array[start : start + size]


def multiply_stacks(rows: Array, factors: Array, out: Array) -> None:
    """Write the product of rows (m, d) and factors (d, k), as many small products."""
    (m, d), k = rows.shape, factors.shape[1]
    stack = max(SMALL_STACK, SMALL_PRODUCT // factors.size)
    whole = m - m % stack
    stacked = out[:whole].reshape(-1, stack, k)
    np.matmul(rows[:whole].reshape(-1, stack, d), factors, out=stacked)
    np.matmul(rows[whole:], factors, out=out[whole:])


def multiply_turned(rows: Array, factors: Array, out: Array) -> None:
    """Write the product of rows (m, d) and factors (d, k), transposed: (k, m)."""
    d, k = factors.shape
    if k > FEW_CLUSTERS or d <= FEW_FEATURES:
        multiply(rows, factors, out.T)
        return
    whole = len(rows) - len(rows) % STACK
    stacks = rows[:whole].reshape(-1, STACK, d) @ factors
    out[:, :whole] = stacks.reshape(whole, k).T
    out[:, whole:] = (rows[whole:] @ factors).T


def _gaps(first: Array, second: Array, squares: Array, factors: Array) -> Array:
    """Return the least difference of two distances, whose squares are given.

    A sum of d + 2 products in any order is off by at most (d + 2) u times the sum of
    their absolute values, where u is the largest rounding error of one operation [1]_.
    That sum is (|x| + |c|)^2 <= 2 |x|^2 + 2 |c|^2, and |c|^2 is at most that of the
    outermost centroid, and at most 2 |x|^2 + 2 |x - c|^2. The rounding of the terms
    themselves, and of the operations here and in the textbook, adds a few u more.
    """
    real = squares.dtype.type
    slack = (factors.shape[1] + 16) * float(np.finfo(real).eps) / 2
    allowance = np.minimum(squares * real(2), factors[:, -1].max())
    allowance += squares
    allowance *= real(2 * slack)
    allowance += np.finfo(real).tiny * real(2**10)
    low = second - allowance
    low *= real(1 - 8 * slack)
    high = np.add(first, allowance, out=allowance)
    high *= real(1 + 8 * slack)
    np.sqrt(np.maximum(low, 0, out=low), out=low)
    low -= np.sqrt(np.maximum(high, 0, out=high), out=high)
    return np.asarray(low)
