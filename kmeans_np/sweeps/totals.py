"""Sums and counts of clusters, and the inertia that follows from them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kmeans_np.lloyd import Array, Floats

# Up to this many features, adding up column by column is faster than row by row.
FEW_FEATURES = 16
# The same for any number of features, with fewer values than this per cluster.
FEW_NUMBERS = 3000
# This many rows stay in the processor's cache.
ROWS = 512
# Up to this many clusters and features, a matrix product is faster than adding up. With
# products of this few points, OpenBLAS uses only one thread, and hence always the same
# order.
FEW_CLUSTERS, SOME_FEATURES, PIECE = 8, 32, 2**10
# Up to this many points, sums are recomputed in every pass.
TEXTBOOK = 2**14


class RunningTotals:
    """The sums and counts of clusters, kept up to date with the labels.

    They are corrected by the points that changed cluster, and recomputed before
    rounding can add up.

    Parameters
    ----------
    n : int
        The number of points.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        # Sums and counts; the counts when these were last recomputed; and the number of
        # points that have changed since.
        self.totals, self.counts, self.n_since = np.empty((0, 1)), np.empty(0), 0

    def bring_up(
        self,
        n_changed: int,
        anew: Callable[[], Floats],
        change: Callable[[], Floats] | None,
    ) -> Floats:
        """Return the totals, (k, d + 1), after `n_changed` points changed cluster.

        `anew` computes them from all points. `change` returns how they changed; None if
        there are no previous totals.
        """
        self.n_since += n_changed
        few = 2 * n_changed < self.n and self.n_since < 4 * self.n
        # For few points, recomputing is as fast, and equals the textbook to the last
        # bit.
        if change is not None and few and self.n > TEXTBOOK:
            totals = self.totals + change()
            # If little is left of a cluster, rounding errors would be too large
            # relative to it; and the totals of an empty one must be exactly 0.
            if (totals[:, -1] >= self.counts / 1024).all():
                self.totals = totals
                return totals
        self.totals = anew()
        self.counts, self.n_since = self.totals[:, -1].copy(), 0
        return self.totals


def cluster_totals(points: Array, labels: Array, k: int, weights: Any) -> Floats:
    """Add up the points of each cluster, and their weights.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    labels : (n,) array of int
        The cluster of each point, 0 to k - 1.
    k : int
        The number of clusters.
    weights : (n,) array of float64 or None
        How many times each point counts; None for once.

    Returns
    -------
    (k, d + 1) array of float64
        The weighted sum of the points of each cluster, and in the last column the sum
        of their weights.
    """
    few = points.shape[1] <= FEW_FEATURES or points.size < FEW_NUMBERS * k
    add = _add_columns if few else _add_rows
    return add(points, labels, k, weights)


def change_of_totals(
    points: Array, labels: Array, before: Array, k: int, weights: Any
) -> Floats:
    """Return how `cluster_totals` changes with the labels of the points.

    `before` has the previous labels; for the other parameters, see `cluster_totals`.
    """
    n, d = points.shape
    if k > FEW_CLUSTERS or d > SOME_FEATURES:
        totals = cluster_totals(points, labels, k, weights)
        return totals - cluster_totals(points, before, k, weights)
    numbers = np.arange(k)[:, np.newaxis]
    # 1 where a point joins a cluster, -1 where it leaves.
    moves = np.subtract(labels == numbers, before == numbers, dtype=np.float64)
    if weights is not None:
        moves *= weights
    rows = points.astype(np.float64, order="C")
    totals = np.zeros((k, d + 1))
    for start in range(0, n, PIECE):
        part = slice(start, start + PIECE)
        totals[:, :-1] += moves[:, part] @ rows[part]
    totals[:, -1] = moves.sum(axis=1)
    return totals


def inertia_from_totals(
    sums: Floats, counts: Floats, centroids: Floats, center: Floats, scatter: float
) -> float:
    """Return the inertia without another pass over the points.

    With x and c relative to a center of the points, |x - c|^2 is |x|^2 - 2 x c + |c|^2.
    The sums of x and of 1 over each cluster are known (`sums`, `counts`), and that of
    |x|^2 is the same for all centroids (`scatter`).
    """
    c = centroids - center
    s = sums - counts[:, np.newaxis] * center
    inertia = scatter - 2 * (c * s).sum() + (counts * (c**2).sum(axis=1)).sum()
    return max(float(inertia), 0.0)


def _add_columns(points: Array, labels: Array, k: int, weights: Any) -> Floats:
    totals = np.empty((k, points.shape[1] + 1))
    labels = labels.astype(np.intp)
    columns = points.T.astype(np.float64, order="C")
    if weights is not None:
        columns *= weights
    for number, column in enumerate(columns):
        totals[:, number] = np.bincount(labels, column, k)
    totals[:, -1] = np.bincount(labels, weights, k)
    return totals


def _add_rows(points: Array, labels: Array, k: int, weights: Any) -> Floats:
    totals = np.zeros((k, points.shape[1] + 1))
    totals[:, -1] = np.bincount(labels, weights, k)
    order = labels.argsort(kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=k))
    for number in np.flatnonzero(np.diff(ends, prepend=0)):
        start = ends[number - 1] if number else 0
        for first in range(start, ends[number], ROWS):
            who = order[first : min(first + ROWS, ends[number])]
            rows = points.take(who, axis=0, mode="clip").astype(np.float64)
            if weights is not None:
                rows *= weights[who, np.newaxis]
            totals[number, :-1] += rows.sum(axis=0)
    return totals
