"""The optimal clusters of points with one feature.

On a line, the points of a cluster are neighbors: no other point lies between them. So
the clusters are the sorted points, cut at k - 1 places, and the best cuts can be found
by dynamic programming [1]_: the best k clusters of the first n points are a last
cluster, of the points from i on, and the best k - 1 clusters of those before i. Not all
i have to be tried: for a larger n, the best i is never smaller. So the n in the middle
is solved first, and its result leaves fewer i to try on either side [2]_.

References
----------
.. [1] H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension
   by dynamic programming", The R Journal 3 (2011), 29-33.
.. [2] A. Gronlund et al., "Fast exact k-means, k-medians and Bregman divergence
   clustering in 1D" (2017). https://arxiv.org/abs/1701.07204
"""

# As in `kmeans_np.seeding`.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmeans_np.lloyd import Array, Floats

# The number of candidate cuts that are compared together: as many as fit the
# second-level cache.
BLOCK = 2**15

Places = NDArray[np.intp]


class OptimalClusters:
    """The centroids of the optimal k clusters, for any k.

    Of equally good cuts, the first are taken, as far as rounding can distinguish them:
    sums have an error of about 1e-16 of the inertia of all points as one cluster.

    Parameters
    ----------
    points : (m, 1) array of real numbers
        Distinct points in order of their values.
    weights : (m,) array of float64
        How many times each point counts.
    """

    def __init__(self, points: Array, weights: Floats) -> None:
        counting = weights > 0
        self.weights = weights[counting]
        self.values = points[counting, 0].astype(np.float64)
        # Relative to their mean, sums of squares keep the most digits.
        w, x = self.weights, self.values - np.average(self.values, weights=self.weights)
        # Sums over the first n points: of weights, of values, and of their squares.
        self.weight_before, self.sums, squares = (
            np.concatenate([[0.0], np.cumsum(each)]) for each in (w, w * x, w * x * x)
        )
        self.squares = squares
        # The inertia of the first n points in one more cluster than there are cuts; at
        # first, all in one.
        self.inertias = np.zeros(len(w) + 1)
        one = self.sums[1:] ** 2 / self.weight_before[1:]
        self.inertias[1:] = np.maximum(squares[1:] - one, 0)
        # For each number of clusters from 2 on, and each n, where the last cluster
        # begins.
        self.begins: list[NDArray[np.int32]] = []

    def __call__(self, k: int) -> Floats:
        """Return the centroids, (k, 1), in order; fewer if there are fewer points."""
        k = min(k, len(self.values))
        while len(self.begins) < k - 1:
            self._add_cluster()
        cuts, n = [0] * k, len(self.values)
        for number in range(k - 1, 0, -1):
            n = cuts[number] = int(self.begins[number - 1][n])
        # Relative to its first point, the mean of a cluster of equal points is exact.
        first = self.values[cuts]
        steps = self.values - np.repeat(first, np.diff([*cuts, len(self.values)]))
        sums = np.add.reduceat(self.weights * steps, cuts)
        centroids: Floats = first + sums / np.add.reduceat(self.weights, cuts)
        return centroids[:, np.newaxis]

    def _add_cluster(self) -> None:
        """Find the best clusters of the first n points, for one more cluster."""
        m, k = len(self.values), len(self.begins) + 2
        # Without the term that does not depend on where the last cluster begins.
        gain = self.inertias - self.squares
        begins, best = np.zeros(m + 1, np.int32), np.zeros(m + 1)
        # Ranges of n, and the range of cuts that remain to be tried in each.
        n_low, n_high = np.array([k]), np.array([m])
        i_low, i_high = np.array([k - 1]), np.array([m - 1])
        while len(n_low):
            n = (n_low + n_high) // 2
            at, least = self._best_begins(gain, n, i_low, np.minimum(i_high, n - 1))
            begins[n], best[n] = at, least
            # The ranges below and above each n.
            low, high = np.stack([n_low, n + 1]), np.stack([n - 1, n_high])
            first, last = np.stack([i_low, at]), np.stack([at, i_high])
            some = low <= high
            n_low, n_high, i_low, i_high = (
                low[some],
                high[some],
                first[some],
                last[some],
            )
        self.begins.append(begins)
        self.inertias = np.maximum(best + self.squares, 0)
        self.inertias[:k] = 0

    def _best_begins(
        self, gain: Floats, n: Places, first: Places, last: Places
    ) -> tuple[Places, Floats]:
        """Return where it is best to begin the last cluster of the first n points.

        `n` has several values; the cuts to try, from `first` to `last`, are
        concatenated. Also returns what this leaves of the inertia, without the squares.
        """
        at, least = np.empty_like(n), np.empty(len(n))
        lengths = last - first + 1
        ends = np.cumsum(lengths)
        start = 0
        while start < len(n):
            # Several short ranges, or one long range.
            before = ends[start] - lengths[start]
            stop = max(start + 1, int(np.searchsorted(ends, before + BLOCK)))
            some, length = slice(start, stop), lengths[start:stop]
            begin = ends[some] - length - before
            i = np.arange(length.sum()) + np.repeat(first[some] - begin, length)
            # Its squared sum divided by its weight is what the mean of a cluster
            # subtracts from its sum of squares.
            taken = np.repeat(self.sums[n[some]], length) - self.sums[i]
            taken *= taken
            weight = np.repeat(self.weight_before[n[some]], length)
            weight -= self.weight_before[i]
            # A weight may be too small to change the sum of the others.
            np.divide(taken, weight, out=taken, where=weight > 0)
            left = np.subtract(gain[i], taken, out=taken)
            least[some] = np.minimum.reduceat(left, begin)
            hits = np.flatnonzero(left == np.repeat(least[some], length))
            at[some] = i[hits[np.searchsorted(hits, begin)]]
            start = stop
        return at, least


def optimal_points(
    points: Array, k: int, weights: Floats, rng: np.random.Generator
) -> Floats:
    """Return the centroids of the optimal k clusters of points with one feature.

    Parameters
    ----------
    points : (m, 1) array of real numbers
        Distinct points in order of their values.
    k : int
        The number of centroids.
    weights : (m,) array of float64
        How many times each point counts.
    rng : numpy.random.Generator
        Not used, since there is nothing to draw.

    Returns
    -------
    (k, 1) array of float64
        The centroids, in order; fewer if there are fewer points.
    """
    del rng
    return OptimalClusters(points, weights)(k)
