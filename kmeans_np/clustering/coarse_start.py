"""Starts chosen on a histogram of the points, where many cost less than one on all."""

# NumPy loads numpy.random when it is first named, which takes as long as the rest of
# this package: so it is not named in annotations that are evaluated.
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

# How many distances are looked at together: as many as fit the second-level cache, and
# few enough that a matrix product is done by one thread. On how many share it depend
# its last bits.
BLOCK = 2**16
# When a run on a histogram stops: at a smaller shift than on all points, since a step
# costs less; but not for a shift that never gets small. Fewer steps than the least do
# not show which starts are worth more of them.
LAST_TOL, LAST_STEPS, LEAST_STEPS = 1e-5, 100, 10
# A run on all points looks at each of them about ten times. So the search for its start
# may take as long as so many of these looks, or as so many distances to centroids:
# these take a tenth of a second.
LOOKS, FEW_DISTANCES = 2, 2**27
# Into how many slices each axis of points with so many features is cut, for a coarse
# histogram and a fine one. With more features, most cells would hold one point.
SLICES = {
    1: (256, 256),
    2: (64, 128),
    3: (16, 32),
    4: (8, 16),
    5: (4, 8),
    6: (4, 6),
}
# A histogram can stand for the points if it has some cells for each cluster; a coarse
# one, if it has many.
SOME_CELLS, MANY_CELLS = 4, 32
# Levels closer than this are too close to be told apart.
LEAST_STEP = 1e-290


class Histograms(NamedTuple):
    """Points in short, twice."""

    # Pairs of ((m, d) array of float64, (m,) array of float64): the means of the cells
    # and the weights in them. The two may be the same.
    coarse: Histogram
    fine: Histogram
    # (d,) array of float64: where 0 of the means lies among the points.
    low: Floats
    # How long 1 is there.
    step: float


class Search(NamedTuple):
    """A search for the best start, on two histograms, and what it may cost."""

    # Each of at least as many cells as there are clusters. They may be the same.
    coarse: Histogram
    fine: Histogram
    # How many starts to try.
    n_starts: int
    # How often all of them together may look at a cell.
    looks: float = np.inf


class HistogramGrid(NamedTuple):
    """A grid that sorts points into cells.

    It reaches from the smallest number to the largest, whatever their unit, which makes
    them levels from 0 to 255: so whole numbers and floats, large ones and small ones,
    have the same cells.
    """

    # (d,) array of float64: where level 0 of each feature lies.
    low: Floats
    # How far it is from there to level 1.
    step: float

    @property
    def d(self) -> int:
        """How many features the points have."""
        return len(self.low)

    def sums_of_pieces(self, points: Array, weights: Floats) -> Iterator[Floats]:
        """Yield the weights in each cell, and the sums of levels: (d + 1, cells)."""
        _, many = SLICES[self.d]
        for piece in pieces(*points.shape):
            w = weights[piece]
            places: Array = np.zeros(len(w), np.intp)
            levels = [
                (x.astype(np.float64) - low) / self.step
                for x, low in zip(points[piece].T, self.low)
            ]
            for level in levels:
                # subtle: whole levels are where cells begin, and rounding must not move
                # any of them to the cell before.
                places = places * many + (level * (many / 256) + 1e-6).astype(np.intp)
            rows = [w, *(w * level for level in levels)]
            yield np.stack([np.bincount(places, row, many**self.d) for row in rows])

    def histograms(self, totals: Floats) -> Histograms:
        """Return the histograms of points with these sums over all pieces."""
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
    """Return the grid for points; the same whatever their origin.

    It does not depend on what is added to all features that are in one unit either.
    None if there are more than 6 features, or the numbers of each are all the same.

    Parameters
    ----------
    low, high : (d,) arrays of float64
        The smallest and the largest number of each feature, as seen from `origin`.
    origin : (d,) array of float64
        Where the points have their zero.
    n_alike : int
        How many features, the first ones, are in one unit: channels, but not places.
    """
    low, high = low + origin, high + origin
    low[:n_alike], high[:n_alike] = low[:n_alike].min(), high[:n_alike].max()
    step = float((high - low).max()) / 255
    possible = len(low) in SLICES and step > LEAST_STEP
    return HistogramGrid(low - origin, step) if possible else None


def histograms(
    points: Array, weights: Floats, origin: Floats, n_alike: int
) -> Histograms | None:
    """Return histograms of points; None where there is no grid for them.

    For the arguments see `histogram_grid`.
    """
    grid = histogram_grid(*extremes(points), origin, n_alike)
    if grid is None:
        return None
    return grid.histograms(tree_sum(branches(grid.sums_of_pieces(points, weights))))


def _means(totals: Floats) -> Histogram:
    """Return means (m, d) and weights (m,) of cells from their sums (1 + d, m)."""
    return (totals[1:] / totals[0]).T.copy(), totals[0]


class BatchedStarts(Sweep):
    """A rough pass for several starts at once, over few weighted points.

    What NumPy takes for each call would outweigh the work for a single start. So the
    loop is given the centroids of all starts as one long list, and every point has one
    label from each start. Distances are matrix products in 32 bits, a point between
    two equally near centroids counts for both, and an emptied centroid stays where it
    is: good enough for a start, whose every step is done again on all points.

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
        """Give each point a centroid of every start, and add up, start after start."""
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
        """Return that of the points, as often as there are starts."""
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

    A histogram stands for many points by few: the mean of each of its cells, weighted
    by what is in the cell. Where K-means ends there is close to where it ends on all
    the points, and is found in a fraction of the time: so many starts can be tried,
    and what is left to do for all points is a few steps. All starts run on the coarse
    histogram, the better half of them takes some steps on the fine one, and the best
    goes on there to the end.

    It is K-means on a reduced image as a start for the whole, as in [1]_.

    Parameters
    ----------
    search : Search
        The histograms, of at least k cells, and how much may be done with them.
    k : int
        The number of centroids.
    init : str
        The name of the seeding on the coarse histogram.
    rng : numpy.random.Generator
        Where the random numbers come from.
    warm_start : (j, d) array of float64, optional
        The centroids of a run with fewer clusters. As many more starts are then these
        with others spread out.
    max_iter : int, optional
        The largest number of steps of a start on a histogram.

    Returns
    -------
    (k, d) array of float64
        The centroids of the start with the smallest inertia, that with most points
        first.

    References
    ----------
    .. [1] M. E. Celebi, "Improving the performance of k-means for color quantization",
       Image and Vision Computing 29 (2011), 260-271.
       :doi:`10.1016/j.imavis.2010.10.002`
    """
    coarse, fine, n_starts, looks = search
    points, weights = coarse
    # Cells have an order of their own, which does not depend on the points' unit.
    choose = SEEDINGS[init].choose
    starts = [choose(points, k, weights, rng) for _ in range(n_starts)]
    if warm_start is not None:
        starts += [
            kmeans_plusplus(points, k, weights, rng, warm_start)
            for _ in range(n_starts)
        ]
    # Where steps cost next to nothing, all starts run to the end; else, a few steps
    # show which are worth more of them. Each round may take half of what is left.
    few = LAST_STEPS if coarse is not fine else LEAST_STEPS
    rounds = (
        (coarse, few, (len(starts) + 1) // 2, 2),
        (fine, 20, 1, 2),
        (fine, LAST_STEPS, 1, 1),
    )
    for (points, weights), most, n_best, part in rounds:
        sweep = BatchedStarts(points, weights, len(starts))
        together, cost = np.concatenate(starts), len(starts) * len(points)
        # The last look is one at the centroids of the last step.
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
        # The cells of the pass are those of the histogram.
        cells = sweep.histogram(16), sweep.histogram(32)
        return in_32_bits(Histograms(*cells, np.zeros(3), 1.0))
    return in_32_bits(histograms(points, sweep.weights, origin, n_alike))


def in_32_bits(short: Histograms | None) -> Histograms | None:
    """Return histograms with weights that 32 bits can hold."""
    if short is None:
        return None
    # By a power of two, no digit changes.
    unit = np.exp2(np.floor(np.log2(short.fine[1].max())))
    coarse, fine = ((means, weights / unit) for means, weights in short[:2])
    one = short.coarse is short.fine
    return short._replace(coarse=fine if one else coarse, fine=fine)


def choose_histograms(short: Histograms, k: int) -> tuple[Histogram, Histogram] | None:
    """Return a coarse and a fine histogram for k clusters, or None if too small."""
    if len(short.fine[1]) < SOME_CELLS * k:
        return None
    many = len(short.coarse[1]) >= MANY_CELLS * k
    return short.coarse if many else short.fine, short.fine


def plan_search(
    short: Histograms, n: int, k: int, n_starts: int, all_of_them: bool
) -> Search | None:
    """Return a search for the start of a run on n points; None if it does not pay.

    `all_of_them` says that no fewer than `n_starts` will do, as if each of them were to
    be run on all points.
    """
    pair = choose_histograms(short, k)
    if pair is None:
        return None
    looks = max(FEW_DISTANCES / k, LOOKS * n)
    # They may not have fewer steps than show which start is worth more of them.
    n_paid = int(looks / 2 // (LEAST_STEPS * len(pair[0][1])))
    if not n_paid:
        return None
    if all_of_them:
        return Search(*pair, n_starts, looks * n_starts)
    return Search(*pair, min(n_paid, n_starts), looks)
