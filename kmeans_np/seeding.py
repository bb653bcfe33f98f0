"""Starting centroids: random points, spread-out points, optimal or given ones.

`random_points` and `kmeans_plusplus` choose among the points; `SEEDINGS` is the table
of the named methods. For one feature, the optimal centroids can be found
(`kmeans_np.optimal`).

Every random choice is weighted, with one number between 0 and 1 from the generator for
each draw. So a point of weight 3 is drawn exactly as three equal points would be.
Choices are made among the distinct points in order of their values (`kmeans_np.order`).
So they do not depend on how points are stored.

References
----------
.. [1] E. Forgy, "Cluster analysis of multivariate data: efficiency versus
   interpretability of classifications", Biometrics 21 (1965), 768-769.
.. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding",
   Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms (2007), 1027-1035.
"""

# NumPy loads numpy.random when it is first used, which takes as long as loading the
# rest of this package. So annotations that name it must not be evaluated.
from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Floats, squared_distances
from kmeans_np.optimal import OptimalClusters, optimal_points
from kmeans_np.order import Distinct, at_ranks, distinct, distinct_if_few

# Up to this many distinct points, "auto" makes ten random starts, since they take
# little time; and up to this many are collected to draw from.
FEW_POINTS = 10_000
# Up to this many chosen points are compared with all points one by one; for more,
# sorting all points is faster.
MANY = 100
# The number of distances per block: they fit the second-level cache, and are few enough
# that BLAS computes a matrix product in one thread. (The last bits of a product depend
# on the number of threads.)
BLOCK = 2**16
# The number of candidates of k-means++ for each centroid that is added to a warm start.
MANY_DRAWS = 10


def draw_weighted(weights: Floats, size: int, rng: np.random.Generator) -> Array:
    """Draw `size` indices, each with a chance in proportion to its weight.

    Lay the weights end to end as a ruler, throw a dart at it, and see which stretch it
    hits. Indices without weight have no stretch, and are never drawn.
    """
    ruler = np.cumsum(weights)
    darts = rng.random(size) * ruler[-1]
    # subtle: side="right", so that a dart at the very start of a stretch, 0 included,
    # hits that stretch and not an empty one before it.
    places: Array = np.searchsorted(ruler, darts, side="right")
    # subtle: with the smallest positive floats as weights, a dart can be rounded up to
    # the end.
    last: Array = np.searchsorted(ruler, ruler[-1])
    return np.minimum(places, last)


def unique_rows(rows: Array) -> Array:
    """Drop the rows that are equal to an earlier one, keeping the order."""
    return np.array(list(dict.fromkeys(map(tuple, rows.tolist()))))


def isin_rows(points: Array, chosen: Array) -> Array:
    """Return which points are equal to one of the chosen ones."""
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
    """Draws points, each with a chance in proportion to its weight.

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
        """Draw points (size, d), with replacement."""
        return self.points[draw_weighted(self.left, size, rng)].astype(np.float64)

    def leave_out(self, chosen: Floats) -> bool:
        """Exclude all copies of the chosen points; return whether any others remain."""
        self.left = np.where(isin_rows(self.points, chosen), 0, self.left)
        return bool(self.left.any())


class RankedSampler:
    """Draws points of weight 1, which are found by rank.

    It draws the same points as a `WeightedSampler` of the distinct points in order,
    without sorting all points.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    """

    def __init__(self, points: Array) -> None:
        self.left = points

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """Draw points (size, d), with replacement."""
        ranks = (rng.random(size) * len(self.left)).astype(np.intp)
        ranks = np.minimum(ranks, len(self.left) - 1)
        return at_ranks(self.left, ranks).astype(np.float64)

    def leave_out(self, chosen: Floats) -> bool:
        """Exclude all copies of the chosen points; return whether any others remain."""
        self.left = self.left[~isin_rows(self.left, chosen)]
        return len(self.left) > 0


def random_points(
    points: Array, k: int, weights: Floats, rng: np.random.Generator
) -> Floats:
    """Choose k distinct points at random, as Forgy [1]_ does.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    k : int
        The number of centroids.
    weights : (n,) array of float64
        How many times each point counts.
    rng : numpy.random.Generator
        The source of random numbers.

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
    """Draw k distinct points from a sampler; fewer if it has fewer."""
    chosen: Floats | None = None
    while True:
        # Two draws for each missing centroid, so that duplicates cost nothing.
        new = sampler.draw(2 * (k - (0 if chosen is None else len(chosen))), rng)
        # subtle: two equal centroids would act as one, since the lower number wins
        # every tie, and the other would start out empty.
        new = unique_rows(new)
        chosen = (new if chosen is None else np.concatenate([chosen, new]))[:k]
        # So few draws were distinct that there must be many copies (a black background,
        # a logo): exclude all copies of the chosen points, and draw from the rest.
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
    its squared distance to the nearest centroid so far: far points are likely, and
    points that are centroids already are impossible. Greedy means that of several such
    draws, 2 + ln k of them, the one that leaves the smallest inertia is kept.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    k : int
        The number of centroids.
    weights : (n,) array of float64
        How many times each point counts.
    rng : numpy.random.Generator
        The source of random numbers.
    warm_start : (j, d) array of float64, optional
        The first centroids, if there are some already. The others are then chosen from
        more draws, since there is no other start that could make up for bad ones.

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
        # subtle: of equal ones, the first. Values that differ only by rounding, which
        # depends on the unit, count as equal.
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
    """A method for choosing starting centroids."""

    # A description for the help of the command line.
    about: str
    # Returns at most k centroids, given distinct points (m, d) in order of their
    # values, k, their weights (m,) and a generator.
    choose: Callable[[Array, int, Floats, np.random.Generator], Floats]
    # The number of starts that "auto" makes among few distinct points.
    n_starts: int = 1
    # The number of starts that "auto" tries on a histogram.
    n_tried: int = 4
    # Makes the same choice, given a `WeightedSampler` instead of points and weights. So
    # points need not be sorted, nor all in memory.
    draw: Callable[[Any, int, np.random.Generator], Floats] | None = None
    # Makes its own choice, given points outside of memory
    # (`kmeans_np.clustering.partitioned.PartitionedPoints`), k and a generator. Without
    # `draw` and `outside`, points outside of memory must have few distinct ones.
    outside: Callable[[Any, int, np.random.Generator], Floats] | None = None
    # Returns a function that gives the optimal centroids for any k, given points (m, 1)
    # and weights; for one feature only. Then all starts are the same, and the loop only
    # confirms them.
    prepare_best: Callable[[Array, Floats], Callable[[int], Floats]] | None = None


def _spread_outside(points: Any, k: int, rng: np.random.Generator) -> Floats:
    """Spread centroids out among points outside of memory."""
    first: Floats = points.sampler().draw(1, rng)
    centroids: Floats = points.extend(first, k, rng)
    return centroids


# Another method needs only a new entry. Random starts are cheap, and the more there
# are, the better the best one is; k-means++ rarely chooses badly.
SEEDINGS = {
    "random": Seeding(
        "colors of random pixels",
        random_points,
        n_starts=10,
        n_tried=10,
        draw=distinct_points,
    ),
    "k-means++": Seeding(
        "spread-out colors, for logos, charts and screenshots",
        kmeans_plusplus,
        outside=_spread_outside,
    ),
    "optimal": Seeding(
        "the best possible colors, for gray only",
        optimal_points,
        prepare_best=OptimalClusters,
    ),
}


class Starts:
    """Chooses starting centroids among points, in order of their values.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each point counts.
    """

    def __init__(self, points: Array, weights: Floats) -> None:
        self.points, self.weights, self.n = points, weights, len(points)
        # What was prepared for any k, by the name of the seeding.
        self.prepared: dict[str, Callable[[int], Floats]] = {}

    @cached_property
    def count_once(self) -> bool:
        """Whether each point has weight 1."""
        return bool((self.weights == 1).all())

    @cached_property
    def few(self) -> Distinct | None:
        """The distinct points in order, if they are few; otherwise None."""
        if self.count_once and len(self.points) > FEW_POINTS:
            return distinct_if_few(self.points, FEW_POINTS)
        return self.all if len(self.all[0]) <= FEW_POINTS else None

    @cached_property
    def all(self) -> Distinct:
        """The distinct points in order."""
        return distinct(self.points, self.weights)

    def start(self, init: str, k: int, rng: np.random.Generator) -> Floats:
        """Return starting centroids by the seeding of this name.

        They are the same whether there are few distinct points or not.
        """
        # Finding the distinct points takes longer than a draw, unless that has been
        # done.
        known = "few" in self.__dict__ or len(self.points) <= FEW_POINTS
        few = self.few if known else None
        seeding = SEEDINGS[init]
        if seeding.draw is not None and self.count_once and few is None:
            # This avoids sorting all points, which may take as long as clustering them.
            return seeding.draw(RankedSampler(self.points), k, rng)
        points, weights = few or self.all
        if seeding.prepare_best is not None:
            if init not in self.prepared:
                self.prepared[init] = seeding.prepare_best(points, weights)
            return self.prepared[init](k)
        return seeding.choose(points, k, weights, rng)

    def extend(self, warm_start: Floats, k: int, rng: np.random.Generator) -> Floats:
        """Return these centroids and others that k-means++ spreads out, k in all."""
        points, weights = self.few or self.all
        return kmeans_plusplus(points, k, weights, rng, warm_start)


def seed(
    init: str | Floats,
    points: Array,
    k: int,
    weights: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Return the starting centroids: those given, or those of the named seeding.

    For the other parameters, see `Starts`.
    """
    if isinstance(init, str):
        return Starts(points, weights).start(init, k, rng)
    return init
