"""Starting centroids: at random points, spread out, or where you say.

`random_points` and `kmeans_plusplus` choose among the points; `coarse_start` makes many
such starts on a histogram and keeps the best. `SEEDINGS` is the table of the ways that
have a name.

Every random choice is made by weight, with one number between 0 and 1 from the
generator for each draw. So a point of weight 3 is drawn just as the same point three
times would be. And it is made among distinct points in the order of their values
(`kmeans_np.order`). So it does not matter how points are stored.

References
----------
.. [1] E. Forgy, "Cluster analysis of multivariate data: efficiency versus
   interpretability of classifications", Biometrics 21 (1965), 768-769.
.. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding",
   Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms (2007), 1027-1035.
"""

# NumPy loads numpy.random when it is first named, which takes as long as the rest of
# this package: so it is not named in annotations that are evaluated.
from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import (
    Array,
    Far,
    Floats,
    Sweep,
    Tally,
    lloyd,
    squared_distances,
)
from kmeans_np.order import (
    Distinct,
    at_ranks,
    distinct,
    distinct_if_few,
)
from kmeans_np.tree_sums import branches, pieces, tree_sum

# The means of the cells, (m, d), and the weights in them, (m,).
Histogram = tuple[Floats, Floats]

# Among up to so many distinct points, ten random starts take a moment, so "auto" makes
# them; and so many are brought together to draw from.
FEW_POINTS = 10_000
# Up to this many chosen points are compared with all points one after the other; for
# more, to sort all points is faster.
MANY = 100
# How many distances are looked at together: as many as fit the second-level cache, and
# few enough that a matrix product is done by one thread. On how many share it depend
# its last bits.
BLOCK = 2**16
# When a run on a histogram stops: at a smaller shift than on all points, since a step
# costs less; but not for a shift that never gets small.
LAST_TOL, LAST_STEPS = 1e-5, 100
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
# How many draws k-means++ makes for each centroid that comes to those of another run.
MANY_DRAWS = 10
# A histogram can stand for the points if it has some cells for each cluster; a coarse
# one, if it has many.
SOME_CELLS, MANY_CELLS = 4, 32
# Levels closer than this are too close to be told apart.
LEAST_STEP = 1e-290


def draw_weighted(weights: Floats, size: int, rng: np.random.Generator) -> Array:
    """Draw `size` places, each with a chance in proportion to its weight.

    Lay the weights end to end as a ruler, throw a dart at it, and see whose stretch it
    hits. Places without weight have no stretch, and are never drawn.
    """
    ruler = np.cumsum(weights)
    darts = rng.random(size) * ruler[-1]
    # subtle: side="right", so that a dart at the very start of a stretch, 0 included,
    # hits that stretch and not an empty one before it.
    places: Array = np.searchsorted(ruler, darts, side="right")
    # subtle: among the smallest numbers of all, a dart can be rounded up to the end.
    last: Array = np.searchsorted(ruler, ruler[-1])
    return np.minimum(places, last)


def unique_rows(rows: Array) -> Array:
    """Drop the rows that are equal to an earlier one, keeping the order."""
    return np.array(list(dict.fromkeys(map(tuple, rows.tolist()))))


def isin_rows(points: Array, chosen: Array) -> Array:
    """Say which points are equal to one of the chosen."""
    if len(chosen) <= MANY:
        found = np.zeros(len(points), bool)
        for point in chosen:
            found |= (points == point).all(axis=1)
        return found
    rows = np.concatenate([chosen, points])
    _, numbers = np.unique(rows, axis=0, return_inverse=True)
    numbers = numbers.ravel()
    return np.isin(numbers[len(chosen) :], numbers[: len(chosen)])


class WeightedSampler:
    """Points to draw from, each with a chance in proportion to its weight.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each point counts.
    """

    def __init__(self, points: Array, weights: Floats) -> None:
        self.points, self.left = points, weights

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """Draw some points, (size, d), and put them back."""
        return self.points[draw_weighted(self.left, size, rng)].astype(np.float64)

    def leave_out(self, chosen: Floats) -> bool:
        """Leave out all copies of chosen points; say whether any others are left."""
        self.left = np.where(isin_rows(self.points, chosen), 0, self.left)
        return bool(self.left.any())


class RankedSampler:
    """A sampler of points that all count once, which are found by their ranks.

    It draws what a `WeightedSampler` of the distinct points in order draws, without
    sorting all.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    """

    def __init__(self, points: Array) -> None:
        self.left = points

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """Draw some points, (size, d), and put them back."""
        ranks = (rng.random(size) * len(self.left)).astype(np.intp)
        ranks = np.minimum(ranks, len(self.left) - 1)
        return at_ranks(self.left, ranks).astype(np.float64)

    def leave_out(self, chosen: Floats) -> bool:
        """Leave out all copies of chosen points; say whether any others are left."""
        self.left = self.left[~isin_rows(self.left, chosen)]
        return len(self.left) > 0


def random_points(
    points: Array, k: int, weights: Floats, rng: np.random.Generator
) -> Floats:
    """Take k distinct points at random, as the article and Forgy [1]_ do.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    k : int
        The number of centroids.
    weights : (n,) array of float64
        How many times each point counts.
    rng : numpy.random.Generator
        Where the random numbers come from.

    Returns
    -------
    (k, d) array of float64
        The centroids, all different; fewer if there are fewer distinct points.

    References
    ----------
    .. [1] E. Forgy, "Cluster analysis of multivariate data: efficiency versus
       interpretability of classifications", Biometrics 21 (1965), 768-769.
    """
    return distinct_points(WeightedSampler(points, weights), k, rng)


def distinct_points(sampler: Any, k: int, rng: np.random.Generator) -> Floats:
    """Take k distinct points from a `WeightedSampler`; fewer if it holds fewer."""
    chosen: Floats | None = None
    while True:
        # Two draws for each missing centroid: equal ones among them cost nothing.
        new = sampler.draw(2 * (k - (0 if chosen is None else len(chosen))), rng)
        # subtle: two centroids at the same place would be one, since the lower number
        # wins every tie, and the other would start out empty.
        new = unique_rows(new)
        chosen = (new if chosen is None else np.concatenate([chosen, new]))[:k]
        # So few draws were different that copies must abound (a black background, a
        # logo): leave out all copies of what was chosen, and draw from the rest.
        if len(chosen) == k or not sampler.leave_out(new):
            return chosen


def kmeans_plusplus(
    points: Array,
    k: int,
    weights: Floats,
    rng: np.random.Generator,
    warm_start: Floats | None = None,
) -> Floats:
    """Spread k starting centroids out: greedy k-means++ [1]_.

    The first is a random point. Each next one is drawn with a chance in proportion to
    its squared distance to the nearest centroid so far: far points are likely, taken
    ones impossible. Greedy: of a few such draws, 2 + ln k of them, the one that leaves
    the smallest inertia is kept.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    k : int
        The number of centroids.
    weights : (n,) array of float64
        How many times each point counts.
    rng : numpy.random.Generator
        Where the random numbers come from.
    warm_start : (j, d) array of float64, optional
        The first centroids, if there are some already. The others are then looked for
        with more draws, since there is no other start that could make up for bad ones.

    Returns
    -------
    (k, d) array of float64
        The centroids, all different; fewer if there are fewer distinct points.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035. The greedy form is in the conclusion of the technical report;
       the number of draws is scikit-learn's.
    """
    n_draws = 2 + int(np.log(k)) if warm_start is None else MANY_DRAWS
    if warm_start is None:
        warm_start = points[draw_weighted(weights, 1, rng)].astype(np.float64)
    centroids = warm_start
    nearest = squared_distances(points, centroids[0])
    for centroid in centroids[1:]:
        nearest = np.minimum(nearest, squared_distances(points, centroid))
    while len(centroids) < k:
        # subtle: the squared distance, not the distance: it is what the inertia adds
        # up, and only for it does the paper's bound hold.
        chances = weights * nearest
        if not chances.any():
            break
        candidates = points[draw_weighted(chances, n_draws, rng)].astype(np.float64)
        inertias = _inertias_with(candidates, points, weights, nearest)
        # subtle: of equal ones the first; and equal are those that rounding tells
        # apart in one unit, but not in another.
        best = candidates[(inertias <= (1 + 1e-6) * inertias.min()).argmax()]
        nearest = np.minimum(nearest, squared_distances(points, best))
        centroids = np.concatenate([centroids, best[np.newaxis]])
    return centroids


def _inertias_with(
    candidates: Floats, points: Array, weights: Floats, nearest: Floats
) -> Floats:
    """Return the inertia that each candidate would leave as the next centroid."""
    inertias = np.zeros(len(candidates))
    step = BLOCK // len(candidates)
    for start in range(0, len(points), step):
        block = slice(start, start + step)
        total = np.zeros((len(candidates), 1))
        for x, c in zip(points[block].T, candidates.T):
            difference = np.subtract(x, c[:, np.newaxis], dtype=np.float64)
            total = total + difference * difference
        np.minimum(total, nearest[block], out=total)
        inertias += (total * weights[block]).sum(axis=1)
    return inertias


class Seeding(NamedTuple):
    """A way to choose starting centroids.

    Attributes
    ----------
    about : str
        Where it starts, for the help of the command line.
    choose : callable
        Returns at most k of some distinct points (m, d), which are in the order of
        their values, given them, k, their weights (m,) and a generator.
    n_starts : int, default 1
        How many starts "auto" makes among few distinct points,
    n_tried : int, default 4
        and how many of them on a histogram.
    draw : callable, optional
        Makes the same choice with a `WeightedSampler` to draw from in place of points
        and weights; so points need not be sorted, nor come together.
    outside : callable, optional
        Makes a choice of its own among points that do not come together
        (`kmeans_np.clustering.partitioned.PartitionedPoints`), given them, k and a
        generator. With neither, points outside of memory must have few distinct ones.
    """

    about: str
    choose: Callable[[Array, int, Floats, np.random.Generator], Floats]
    n_starts: int = 1
    n_tried: int = 4
    draw: Callable[[Any, int, np.random.Generator], Floats] | None = None
    outside: Callable[[Any, int, np.random.Generator], Floats] | None = None


def _spread_outside(points: Any, k: int, rng: np.random.Generator) -> Floats:
    """Spread centroids out among points that do not come together."""
    first: Floats = points.sampler().draw(1, rng)
    centroids: Floats = points.extend(first, k, rng)
    return centroids


# A new entry is all that another way needs. Random starts are quick to make, and the
# more of them there are, the better is the best; k-means++ seldom chooses badly.
SEEDINGS = {
    "random": Seeding(
        "random colors of the picture",
        random_points,
        n_starts=10,
        n_tried=10,
        draw=distinct_points,
    ),
    "k-means++": Seeding(
        "colors that are spread out", kmeans_plusplus, outside=_spread_outside
    ),
}


class Starts:
    """Starting centroids among points, drawn in the order of their values.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each point counts.
    """

    def __init__(self, points: Array, weights: Floats) -> None:
        self.points, self.weights, self.n = points, weights, len(points)

    @cached_property
    def count_once(self) -> bool:
        """Whether each point counts once."""
        return bool((self.weights == 1).all())

    @cached_property
    def few(self) -> Distinct | None:
        """The distinct points in order, if there are few."""
        if self.count_once and len(self.points) > FEW_POINTS:
            return distinct_if_few(self.points, FEW_POINTS)
        return self.all if len(self.all[0]) <= FEW_POINTS else None

    @cached_property
    def all(self) -> Distinct:
        """The distinct points in order."""
        return distinct(self.points, self.weights)

    def start(self, init: str, k: int, rng: np.random.Generator) -> Floats:
        """Return starting centroids by the seeding of a name.

        They are the same whether there are few distinct points or not.
        """
        # To find the few takes longer than a draw, unless that has been done.
        known = "few" in self.__dict__ or len(self.points) <= FEW_POINTS
        few = self.few if known else None
        seeding = SEEDINGS[init]
        if seeding.draw is not None and self.count_once and few is None:
            # Without sorting all points, which may take as long as to cluster them.
            return seeding.draw(RankedSampler(self.points), k, rng)
        points, weights = few or self.all
        return seeding.choose(points, k, weights, rng)

    def extend(self, warm_start: Floats, k: int, rng: np.random.Generator) -> Floats:
        """Return some centroids, and others spread out by k-means++, k in all."""
        points, weights = self.few or self.all
        return kmeans_plusplus(points, k, weights, rng, warm_start)


def seed(
    init: str | Floats,
    points: Array,
    k: int,
    weights: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Return the starting centroids: those given, or by the seeding of that name.

    For the other arguments see `Starts`.
    """
    if isinstance(init, str):
        return Starts(points, weights).start(init, k, rng)
    return init


# ---- Many starts on a histogram ----------------------------------------------------


class Histograms(NamedTuple):
    """Points in short, twice.

    Attributes
    ----------
    coarse, fine : pairs of ((m, d) array of float64, (m,) array of float64)
        The means of the cells and the weights in them. The two may be the same.
    low : (d,) array of float64
        Where 0 of the means lies among the points.
    step : float
        How long 1 is there.
    """

    coarse: Histogram
    fine: Histogram
    low: Floats
    step: float


class HistogramGrid(NamedTuple):
    """A grid that sorts points into cells.

    It reaches from the smallest number to the largest, whatever their unit, which makes
    them levels from 0 to 255: so whole numbers and floats, large ones and small ones,
    have the same cells.

    Attributes
    ----------
    low : (d,) array of float64
        Where level 0 of each feature lies.
    step : float
        How far it is from there to level 1.
    """

    low: Floats
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


class Extent(NamedTuple):
    """How far points reach.

    Attributes
    ----------
    low, high : (d,) arrays of float64
        The smallest and the largest number of each feature, as seen from `origin`.
    origin : (d,) array of float64
        Where the points have their zero.
    n_alike : int
        How many features, the first ones, are in one unit: channels, but not places.
    """

    low: Floats
    high: Floats
    origin: Floats
    n_alike: int

    def cells(self) -> HistogramGrid | None:
        """Return the cells of such points.

        They do not depend on the origin, nor on what is added to all features that are
        in one unit. None if there are more than 6 features, or the numbers of each are
        all the same.
        """
        low, high = self.low + self.origin, self.high + self.origin
        low[: self.n_alike] = low[: self.n_alike].min()
        high[: self.n_alike] = high[: self.n_alike].max()
        step = float((high - low).max()) / 255
        possible = len(low) in SLICES and step > LEAST_STEP
        return HistogramGrid(low - self.origin, step) if possible else None


def histograms(points: Array, weights: Floats, extent: Extent) -> Histograms | None:
    """Sort points with up to 6 features into cells.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each point counts.
    extent : Extent
        How far they reach.

    Returns
    -------
    Histograms or None
        The cells that hold any points, the first feature changing slowest. None for
        points with more features, or all the same.
    """
    cells = extent.cells()
    if cells is None:
        return None
    return cells.histograms(tree_sum(branches(cells.sums_of_pieces(points, weights))))


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
    pair: tuple[Histogram, Histogram],
    k: int,
    init: str,
    n_starts: int,
    rng: np.random.Generator,
    warm_start: Floats | None = None,
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
    pair : pair of ((m, d) array of float64, (m,) array of float64)
        The means of the cells and their weights, of a coarse histogram and a fine one
        (which may be the same), each of at least k cells.
    k : int
        The number of centroids.
    init : str
        The name of the seeding on the coarse histogram.
    n_starts : int
        How many starts to try.
    rng : numpy.random.Generator
        Where the random numbers come from.
    warm_start : (j, d) array of float64, optional
        The centroids of a run with fewer clusters. As many more starts are then these
        with others spread out.

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
    coarse, fine = pair
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
    # show which are worth more of them.
    few = LAST_STEPS if coarse is not fine else 10
    rounds = (
        (coarse, few, (len(starts) + 1) // 2),
        (fine, 20, 1),
        (fine, LAST_STEPS, 1),
    )
    for (points, weights), max_iter, n_best in rounds:
        sweep = BatchedStarts(points, weights, len(starts))
        together = np.concatenate(starts)
        for step in lloyd(sweep, together, max_iter=max_iter, tol=LAST_TOL):
            together = step.new_centroids
        tally = sweep(together)
        order = np.argsort(sweep.inertias, kind="stable")[:n_best]
        starts = list(together.reshape(len(starts), k, -1)[order])
    return starts[0][np.argsort(-tally.counts, kind="stable")]
