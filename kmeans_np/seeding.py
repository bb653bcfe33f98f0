"""Starting centroids: at random points, spread out, or where you say.

`random_points` and `kmeans_plusplus` choose among the points; `SEEDINGS` is the table
of the ways that have a name. For one feature, the best that there is can be found
(`kmeans_np.optimal`).

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

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Floats, squared_distances
from kmeans_np.optimal import OptimalClusters, optimal_points
from kmeans_np.order import Distinct, at_ranks, distinct, distinct_if_few

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
# How many draws k-means++ makes for each centroid that comes to those of another run.
MANY_DRAWS = 10


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
    """A way to choose starting centroids."""

    # Where it starts, for the help of the command line.
    about: str
    # Returns at most k of some distinct points (m, d), which are in the order of their
    # values, given them, k, their weights (m,) and a generator.
    choose: Callable[[Array, int, Floats, np.random.Generator], Floats]
    # How many starts "auto" makes among few distinct points,
    n_starts: int = 1
    # and how many of them on a histogram.
    n_tried: int = 4
    # Makes the same choice with a `WeightedSampler` to draw from in place of points and
    # weights; so points need not be sorted, nor come together.
    draw: Callable[[Any, int, np.random.Generator], Floats] | None = None
    # Makes a choice of its own among points that do not come together
    # (`kmeans_np.clustering.partitioned.PartitionedPoints`), given them, k and a
    # generator. With neither, points outside of memory must have few distinct ones.
    outside: Callable[[Any, int, np.random.Generator], Floats] | None = None
    # Prepares points (m, 1) and weights for the best centroids that there are, and
    # returns what gives them for any k; for one feature only. Then all starts are the
    # same, and the loop only confirms them.
    prepare_best: Callable[[Array, Floats], Callable[[int], Floats]] | None = None


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
        "colors that are spread out (for logos, charts and screenshots)",
        kmeans_plusplus,
        outside=_spread_outside,
    ),
    "optimal": Seeding(
        "the best colors that there are, for gray only",
        optimal_points,
        prepare_best=OptimalClusters,
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
        # What is prepared for any k, by the name of the seeding.
        self.prepared: dict[str, Callable[[int], Floats]] = {}

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
        if seeding.prepare_best is not None:
            if init not in self.prepared:
                self.prepared[init] = seeding.prepare_best(points, weights)
            return self.prepared[init](k)
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
