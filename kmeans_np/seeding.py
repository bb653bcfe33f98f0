"""Where the centroids start: at random points, spread out, or where you say.

What this file adds: the choice of the first centroids, which K-means takes as given
and on which its answer depends. What it leaves out: trying several starts and keeping
the best, which is `kmeans_np.clustering`.

Every random choice is made by weight, with one number between 0 and 1 from the
generator for each draw. So a point of weight 3 is drawn just as the same point three
times would be.

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

import numpy as np

from kmeans_np.lloyd import Array, Floats, squared_distances

# Up to this many chosen points are compared with all points one after the other; for
# more, to sort all points is faster.
MANY = 100


def draw(weights: Floats, size: int, rng: np.random.Generator) -> Array:
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


def first_of_each(rows: Array) -> Array:
    """Drop the rows that are equal to an earlier one, keeping the order."""
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)]


def _among(points: Array, chosen: Array) -> Array:
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
    left, chosen = weights, np.empty((0, points.shape[1]))
    while True:
        # Two draws for each missing centroid: equal ones among them cost nothing.
        new = points[draw(left, 2 * (k - len(chosen)), rng)].astype(np.float64)
        # subtle: two centroids at the same place would be one, since the lower number
        # wins every tie, and the other would start out empty.
        new = first_of_each(new)
        chosen = np.concatenate([chosen, new])[:k]
        if len(chosen) == k:
            return chosen
        # So few draws were different that copies must abound (a black background, a
        # logo): leave out all copies of what was chosen, and draw from the rest.
        left = np.where(_among(points, new), 0, left)
        if not left.any():
            return chosen


def plus_plus(
    points: Array, k: int, weights: Floats, rng: np.random.Generator
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
    centroids = points[draw(weights, 1, rng)].astype(np.float64)
    nearest = squared_distances(points, centroids[0])
    n_draws = 2 + int(np.log(k))
    while len(centroids) < k:
        # subtle: the squared distance, not the distance: it is what the inertia adds
        # up, and only for it does the paper's bound hold.
        chances = weights * nearest
        if not chances.any():
            break
        best = np.inf
        for place in draw(chances, n_draws, rng):
            candidate = points[place].astype(np.float64)
            distances = np.minimum(nearest, squared_distances(points, candidate))
            inertia = (weights * distances).sum()
            if inertia < best:
                best, best_candidate, best_distances = inertia, candidate, distances
        centroids = np.concatenate([centroids, best_candidate[np.newaxis]])
        nearest = best_distances
    return centroids


SEEDINGS = {"random": random_points, "k-means++": plus_plus}


def seed(
    init: str | Floats,
    points: Array,
    k: int,
    weights: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Return the starting centroids: those given, or by the seeding of that name."""
    if isinstance(init, str):
        return SEEDINGS[init](points, k, weights, rng)
    return init
