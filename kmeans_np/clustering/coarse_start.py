"""Starts chosen on a histogram, where trying many costs less than one full run."""

# NumPy loads numpy.random when it is first used, which takes as long as loading the
# rest of this package. So annotations that name it must not be evaluated.
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Far, Floats, Sweep, Tally, lloyd
from kmeans_np.seeding import SEEDINGS, kmeans_plusplus
from kmeans_np.sweeps.cells import CellSweep
from kmeans_np.sweeps.scaling import extremes
from kmeans_np.tree_sums import branches, pieces, tree_sum

# The means of the cells, (m, d), and the weights in them, (m,).
Histogram = tuple[Floats, Floats]

# The number of distances per block: they fit the second-level cache, and are few enough
# that BLAS computes a matrix product in one thread. (The last bits of a product depend
# on the number of threads.)
BLOCK = 2**16
# When a run on a histogram stops: at a smaller shift than on all points, since its
# steps cost less, and at a maximum number of steps in case the shift never gets small.
# Fewer steps than the minimum do not show which starts deserve more of them.
LAST_TOL, LAST_STEPS, LEAST_STEPS = 1e-5, 100, 10
# A run on all points examines each of them about ten times. So the search for its start
# may take as long as this many passes over the points, or as this many distances to
# centroids, which take a tenth of a second.
LOOKS, FEW_DISTANCES = 2, 2**27
# The number of slices along each axis, by the number of features, for a coarse and a
# fine histogram. With more features, most cells would hold one point.
SLICES = {
    1: (256, 256),
    2: (64, 128),
    3: (16, 32),
    4: (8, 16),
    5: (4, 8),
    6: (4, 6),
}
# The number of cells per cluster that a histogram must have to be used at all, and that
# a coarse histogram must have.
SOME_CELLS, MANY_CELLS = 4, 32
# Levels closer than this cannot be distinguished.
LEAST_STEP = 1e-290


class Histograms(NamedTuple):
    """Two histograms of the same points, a coarse and a fine one."""

    # Pairs of (m, d) and (m,) arrays of float64: the means of the cells, and the
    # weights in them. Both histograms may be the same.
    coarse: Histogram
    fine: Histogram
    # (d,) array of float64: the point where all levels are 0.
    low: Floats
    # The length of one level.
    step: float


class Search(NamedTuple):
    """A search for the best start on two histograms, with its budget."""

    # Both have at least as many cells as there are clusters. They may be the same.
    coarse: Histogram
    fine: Histogram
    # The number of starts to try.
    n_starts: int
    # The budget: how many times cells may be examined in total.
    looks: float = np.inf


class HistogramGrid(NamedTuple):
    """A grid that sorts points into cells.

    It reaches from the minimum to the maximum, which become the levels 0 to 255 in any
    unit. So integers and floats, large and small ones, have the same cells.
    """

    # (d,) array of float64: the value of level 0 of each feature.
    low: Floats
    # The length of one level.
    step: float

    @property
    def d(self) -> int:
        """The number of features."""
        return len(self.low)

    def sums_of_pieces(self, points: Array, weights: Floats) -> Iterator[Floats]:
        """Yield the weights and the sums of levels in each cell: (d + 1, cells)."""
        _, many = SLICES[self.d]
        for piece in pieces(*points.shape):
            w = weights[piece]
            places: Array = np.zeros(len(w), np.intp)
            levels = [
                (x.astype(np.float64) - low) / self.step
                for x, low in zip(points[piece].T, self.low)
            ]
            for level in levels:
                # subtle: cells begin at whole levels, and rounding must not move a
                # level to the cell before.
                places = places * many + (level * (many / 256) + 1e-6).astype(np.intp)
            rows = [w, *(w * level for level in levels)]
            yield np.stack([np.bincount(places, row, many**self.d) for row in rows])

    def histograms(self, totals: Floats) -> Histograms:
        """Return the histograms of points from these sums over all pieces."""
        d, (few, many) = self.d, SLICES[self.d]
        cells = np.flatnonzero(totals[0])
        totals = totals.take(cells, axis=1)
        fine = coarse = _means(totals)
        if few < many:
            axes = [axis * few // many for axis in np.unravel_index(cells, (many,) * d)]
            places = np.ravel_multi_index(axes, (few,) * d)
            merged = np.zeros((d + 1, few**d))
            for total, row in zip(merged, totals):
                total += np.bincount(places, row, few**d)
            coarse = _means(merged[:, merged[0] > 0])
        return Histograms(coarse, fine, self.low, self.step)


def histogram_grid(
    low: Floats, high: Floats, origin: Floats, n_alike: int
) -> HistogramGrid | None:
    """Return the grid for points; it does not depend on their origin.

    Nor does it depend on a number added to all features that have the same unit. None
    if there are more than 6 features, or all features are constant.

    Parameters
    ----------
    low, high : (d,) arrays of float64
        The minimum and maximum of each feature, relative to `origin`.
    origin : (d,) array of float64
        The origin of the points.
    n_alike : int
        The number of leading features that have the same unit: channels, but not
        positions.
    """
    low, high = low + origin, high + origin
    low[:n_alike], high[:n_alike] = low[:n_alike].min(), high[:n_alike].max()
    step = float((high - low).max()) / 255
    possible = len(low) in SLICES and step > LEAST_STEP
    return HistogramGrid(low - origin, step) if possible else None


def histograms(
    points: Array, weights: Floats, origin: Floats, n_alike: int
) -> Histograms | None:
    """Return histograms of points; None if there is no grid for them.

    For the parameters, see `histogram_grid`.
    """
    grid = histogram_grid(*extremes(points), origin, n_alike)
    if grid is None:
        return None
    return grid.histograms(tree_sum(branches(grid.sums_of_pieces(points, weights))))


def _means(totals: Floats) -> Histogram:
    """Return means (m, d) and weights (m,) of cells from their sums (1 + d, m)."""
    return (totals[1:] / totals[0]).T.copy(), totals[0]


class BatchedStarts(Sweep):
    """An approximate pass for several starts at once, over few weighted points.

    For a single start, the overhead of NumPy calls would outweigh the work. So the loop
    gets the centroids of all starts as one long array, and every point has one label
    per start. Distances are matrix products in float32, a point between two equally
    near centroids counts for both, and an emptied centroid stays where it is. That is
    good enough for choosing a start: the exact run begins anew from it, on all points.

    Parameters
    ----------
    points : (m, d) array of float64
        The points.
    weights : (m,) array of float64
        How many times each point counts.
    n_starts : int
        The number of starts.

    Attributes
    ----------
    inertias : (n_starts,) array of float32
        The inertia of each start in the last pass.
    """

    def __init__(self, points: Floats, weights: Floats, n_starts: int) -> None:
        super().__init__(points, weights)
        self.n_starts = n_starts
        self.mean = np.average(points, axis=0, weights=weights)
        around = points - self.mean
        self.inertias = np.zeros(n_starts, np.float32)
        self.scatter = float((weights[:, np.newaxis] * around**2).sum())
        ones = np.ones((len(points), 1))
        self.extended = np.append(around, ones, axis=1).astype(np.float32)
        rows = self.extended * weights[:, np.newaxis]
        self.to_add_up = rows.astype(np.float32)

    def __call__(self, centroids: Floats, _previous: Any = None) -> Tally:
        """Assign each point to a centroid of every start, and add up by start."""
        m, d = self.points.shape
        k = len(centroids) // self.n_starts
        c = centroids - self.mean
        factors = np.append(-2 * c, (c**2).sum(axis=1, keepdims=True), axis=1)
        factors = factors.astype(np.float32).reshape(self.n_starts, k, d + 1)
        totals = np.zeros((self.n_starts, k, d + 1))
        self.inertias[:] = self.scatter
        together, step = max(1, BLOCK // (k * m)), max(1, BLOCK // k)
        for first in range(0, self.n_starts, together):
            starts = slice(first, first + together)
            some = factors[starts].reshape(-1, d + 1)
            for begin in range(0, m, step):
                block = slice(begin, begin + step)
                distances = some @ self.extended[block].T
                by_start = distances.reshape(-1, k, distances.shape[1])
                nearest = by_start.min(axis=1, keepdims=True)
                belongs = (by_start == nearest).astype(np.float32)
                rows = self.to_add_up[block]
                added = belongs.reshape(distances.shape) @ rows
                totals[starts] += added.reshape(-1, k, d + 1)
                # The last column has the weights.
                self.inertias[starts] += (nearest[:, 0] * rows[:, -1]).sum(axis=1)
        sums, counts = np.split(totals.reshape(-1, d + 1), [d], axis=1)
        sums += counts * self.mean
        nobody = np.empty(0, int)
        return Tally(nobody, sums, counts[:, 0], self.inertias.sum(), n_changed=1.0)

    def farthest(self, _centroids: Floats, _labels: Any) -> Iterator[Far]:
        """Yield nothing: emptied centroids stay where they are."""
        return iter(())

    def mean_variance(self) -> float:
        """Return the mean variance of the points, times the number of starts."""
        n_values = self.weights.sum() * self.points.shape[1]
        return self.n_starts * self.scatter / float(n_values)


def coarse_start(
    search: Search,
    k: int,
    init: str,
    rng: np.random.Generator,
    warm_start: Floats | None = None,
    *,
    max_iter: int = LAST_STEPS,
) -> Floats:
    """Run K-means from many starts on a histogram, and return the best centroids.

    A histogram represents many points by few: the mean of each cell, weighted by the
    points in it. K-means on the histogram ends close to where it ends on all points, in
    a fraction of the time. So many starts can be tried, and few steps are left for all
    points. All starts run on the coarse histogram, the better half of them takes some
    steps on the fine one, and the best one runs there to the end.

    Using K-means on a reduced image as the start for the whole image is described in
    [1]_.

    Parameters
    ----------
    search : Search
        The histograms, with at least k cells each, and the budget.
    k : int
        The number of centroids.
    init : str
        The name of the seeding on the coarse histogram.
    rng : numpy.random.Generator
        The source of random numbers.
    warm_start : (j, d) array of float64, optional
        The centroids of a run with fewer clusters. They are completed to as many
        further starts by spreading out others.
    max_iter : int, optional
        The maximum number of iterations per start on a histogram.

    Returns
    -------
    (k, d) array of float64
        The centroids with the smallest inertia, the one with the most points first.

    References
    ----------
    .. [1] M. E. Celebi, "Improving the performance of k-means for color quantization",
       Image and Vision Computing 29 (2011), 260-271.
       :doi:`10.1016/j.imavis.2010.10.002`
    """
    coarse, fine, n_starts, looks = search
    points, weights = coarse
    # The order of cells does not depend on the unit of the points.
    choose = SEEDINGS[init].choose
    starts = [choose(points, k, weights, rng) for _ in range(n_starts)]
    if warm_start is not None:
        starts += [
            kmeans_plusplus(points, k, weights, rng, warm_start)
            for _ in range(n_starts)
        ]
    # On a separate coarse histogram, steps cost almost nothing and all starts run to
    # the end; otherwise, a few steps show which starts deserve more. Each round may use
    # half of the remaining budget.
    few = LAST_STEPS if coarse is not fine else LEAST_STEPS
    rounds = (
        (coarse, few, (len(starts) + 1) // 2, 2),
        (fine, 20, 1, 2),
        (fine, LAST_STEPS, 1, 1),
    )
    for (points, weights), most, n_best, part in rounds:
        sweep = BatchedStarts(points, weights, len(starts))
        together, cost = np.concatenate(starts), len(starts) * len(points)
        # One more pass follows, over the centroids of the last step.
        n_steps = int(max(1, min(most, max_iter, looks / part // cost - 1)))
        for step in lloyd(sweep, together, max_iter=n_steps, tol=LAST_TOL):
            together = step.new_centroids
        looks -= (step.iteration + 1) * cost
        tally = sweep(together)
        order = np.argsort(sweep.inertias, kind="stable")[:n_best]
        starts = list(together.reshape(len(starts), k, -1)[order])
    return starts[0][np.argsort(-tally.counts, kind="stable")]


def histograms_of(sweep: Sweep, origin: Floats, n_alike: int) -> Histograms | None:
    """Return histograms of the points of a pass; see `histogram_grid`."""
    points = sweep.points
    if isinstance(sweep, CellSweep) and points.min() == 0 and points.max() == 255:
        # The pass already has the sums of these cells.
        cells = sweep.histogram(16), sweep.histogram(32)
        return in_32_bits(Histograms(*cells, np.zeros(3), 1.0))
    return in_32_bits(histograms(points, sweep.weights, origin, n_alike))


def in_32_bits(short: Histograms | None) -> Histograms | None:
    """Return histograms with weights scaled to fit float32."""
    if short is None:
        return None
    # Scaling by a power of two changes no digit.
    unit = np.exp2(np.floor(np.log2(short.fine[1].max())))
    coarse, fine = ((means, weights / unit) for means, weights in short[:2])
    one = short.coarse is short.fine
    return short._replace(coarse=fine if one else coarse, fine=fine)


def choose_histograms(short: Histograms, k: int) -> tuple[Histogram, Histogram] | None:
    """Return a coarse and a fine histogram for k clusters; None if too small."""
    if len(short.fine[1]) < SOME_CELLS * k:
        return None
    many = len(short.coarse[1]) >= MANY_CELLS * k
    return short.coarse if many else short.fine, short.fine


def plan_search(
    short: Histograms, n: int, k: int, n_starts: int, all_of_them: bool
) -> Search | None:
    """Return the search for a start of a run on n points; None if it does not pay off.

    With `all_of_them`, exactly `n_starts` are tried, with the budget of as many runs.
    """
    pair = choose_histograms(short, k)
    if pair is None:
        return None
    looks = max(FEW_DISTANCES / k, LOOKS * n)
    # Each start needs enough steps to show whether it deserves more.
    n_paid = int(looks / 2 // (LEAST_STEPS * len(pair[0][1])))
    if not n_paid:
        return None
    if all_of_them:
        return Search(*pair, n_starts, looks * n_starts)
    return Search(*pair, min(n_paid, n_starts), looks)
