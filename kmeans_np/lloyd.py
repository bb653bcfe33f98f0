"""K-means as the textbook has it: assign, update, repeat.

What this file adds: the algorithm, whole. Everything else in the package chooses the
first centroids, finds the nearest centroid faster, or dresses the answer.

What it leaves out: speed, checks of the input, and pictures. All arithmetic is
float64, all distances are differences taken directly, and a table of every point's
distance to every centroid is allowed to exist.

Read it top to bottom. `assign` and `update` are the method, `lloyd` is the loop around
them, `stop_reason` ends it. What stands between them is bookkeeping: a `Sweep` does
both moves in one pass over the points, and `restart_empty` helps a cluster that lost
all of its points.

References
----------
.. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
   Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
.. [2] C. M. Bishop, "Pattern Recognition and Machine Learning" (2006), section 9.1.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Labels = NDArray[np.integer]
Weights = ArrayLike | None


# ---- The two moves: assign and update --------------------------------------------


def squared_distances(points: Array, centroid: Floats) -> Floats:
    """Squared Euclidean distance of every point to one centroid.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    centroid : (d,) or (n, d) array of float64
        One centroid for all the points, or one for each.

    Returns
    -------
    (n,) array of float64
        The squared distances, in the square of the points' unit.
    """
    total = np.zeros(len(points))
    # Pythagoras, a column at a time: (x1 - c1)^2 + (x2 - c2)^2 + ... Turned by .T, an
    # array hands out its columns; a single centroid hands out its numbers.
    for x, c in zip(points.T, centroid.T, strict=True):
        # subtle: float64, whatever the points are. In uint8, 10 - 20 would be 246.
        difference = np.subtract(x, c, dtype=np.float64)
        # subtle: added in the order of the columns, so that not even the last bit
        # depends on how the points lie in memory or are cut into blocks.
        total += difference * difference
    return total


def assign(points: ArrayLike, centroids: ArrayLike) -> tuple[Array, Floats]:
    """Give every point the number of its nearest centroid.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    centroids : (k, d) array_like of real numbers
        The centroids.

    Returns
    -------
    labels : (n,) array of int
        The number, 0 to k - 1, of the nearest centroid of each point. Of two centroids
        at the same distance, the one with the lower number.
    distances : (n,) array of float64
        The squared distance of each point to that centroid.

    Examples
    --------
    >>> labels, distances = assign([[0.0], [1.0], [8.0]], [[0.0], [10.0]])
    >>> labels
    array([0, 0, 1])
    >>> distances
    array([0., 1., 4.])
    """
    points, centroids = np.asarray(points), np.asarray(centroids, dtype=np.float64)
    # A table: one row for each point, one column for each centroid.
    distances = np.stack([squared_distances(points, c) for c in centroids], axis=1)
    # subtle: of equal values, argmin takes the first. That is the rule for ties.
    return distances.argmin(axis=1), distances.min(axis=1)


def add_up(
    points: Array, labels: Array, k: int, weights: Floats
) -> tuple[Array, Array]:
    """Sum, (k, d), and count, (k,), of the points of each cluster, with weights."""
    # bincount(labels, values) adds up the values that have the same label.
    counts = np.bincount(labels, weights, minlength=k)
    sums = [np.bincount(labels, weights * x, minlength=k) for x in points.T]
    return np.stack(sums, axis=1), counts


def means(sums: Floats, counts: Floats, centroids: Floats) -> Floats:
    """Sum over count; where the count is 0, the centroid stays where it was."""
    # subtle: 0 / 0 would make the centroid NaN, and argmin takes NaN for the smallest
    # of all distances: the empty cluster would win every point.
    some, new = counts > 0, centroids.copy()
    new[some] = sums[some] / counts[some, np.newaxis]
    return new


def update(
    points: ArrayLike, labels: ArrayLike, centroids: ArrayLike, weights: Weights = None
) -> Floats:
    """Move every centroid to the mean of the points that have its number.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    labels : (n,) array_like of int
        The cluster of each point, 0 to k - 1, as `assign` gives it.
    centroids : (k, d) array_like of real numbers
        The centroids so far. One that has no points stays where it is.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.

    Returns
    -------
    (k, d) array of float64
        The new centroids.

    Examples
    --------
    >>> update([[0.0], [1.0], [8.0]], [0, 0, 1], [[0.0], [10.0]])
    array([[0.5],
           [8. ]])
    """
    sweep, now = Sweep(points, weights), np.asarray(centroids, dtype=np.float64)
    return means(
        *add_up(sweep.points, np.asarray(labels), len(now), sweep.weights), now
    )


# ---- Both moves in one pass over the points --------------------------------------


class Tally(NamedTuple):
    """What one pass over the points brings back.

    Cut the points into blocks, and the whole can be put together from the blocks:
    sums, counts, inertia and changes add up, labels are strung together.

    Attributes
    ----------
    labels : (n,) array of int
        The nearest centroid of each point.
    sums : (k, d) array of float64
        The weighted sum of the points of each cluster.
    counts : (k,) array of float64
        The sum of the weights of each cluster.
    inertia : float
        The weighted sum of the squared distances to the nearest centroids.
    n_changed : float
        The sum of the weights of the points whose label is not the previous one.
    """

    labels: Labels
    sums: Floats
    counts: Floats
    inertia: float
    n_changed: float


class Far(NamedTuple):
    """A point that is not on its centroid, with all of its copies.

    Attributes
    ----------
    point : (d,) array of float64
        Where it is.
    weight : float
        The sum of the weights of all the points that are there.
    label : int
        The cluster that they belong to.
    """

    point: Floats
    weight: float
    label: int


class Sweep:
    """A pass over the points: the one part of the loop that can be exchanged.

    A sweep holds the points and answers three questions: the call itself, `farthest`
    and `mean_variance`. A subclass may answer them in its own way (in blocks, in
    threads, on other machines, without looking at points that cannot have changed),
    but the answers stay these. Bounds and buffers are its own affair. That is all that
    the loop asks; `kmeans_np.kmeans`, which chooses where it starts, reads `points` and
    `weights` as well.

    Empty clusters are the loop's affair. A pass says that the count is 0 and, if asked,
    names the farthest points; so an ordinary pass pays nothing for them. Over blocks,
    the farthest points are found among the farthest of each block: take equal ones
    together, adding their weights, and order them again.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.
    """

    def __init__(self, points: ArrayLike, weights: Weights = None) -> None:
        self.points: Array = np.asarray(points)
        self.weights = np.asarray(1.0 if weights is None else weights, np.float64)
        self.weights = np.broadcast_to(self.weights, len(self.points))

    def assign(self, centroids: Floats) -> tuple[Array, Floats]:
        """Labels and squared distances, as the function `assign` gives them."""
        return assign(self.points, centroids)

    def __call__(self, centroids: Floats, previous: Labels | None = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        labels, distances = self.assign(centroids)
        sums, counts = add_up(self.points, labels, len(centroids), self.weights)
        changed = self.weights if previous is None else self.weights[labels != previous]
        inertia = (self.weights * distances).sum()
        return Tally(labels, sums, counts, float(inertia), float(changed.sum()))

    def farthest(self, centroids: Floats, labels: Labels) -> Iterator[Far]:
        """Yield the points that are not on their centroid, the farthest first.

        Equally far points come in the order of their coordinates, points at the same
        place come as one, and points without weight do not come.
        """
        distances = squared_distances(self.points, centroids[labels])
        distances[self.weights == 0] = 0
        while (reach := distances.max()) > 0:
            tied = np.flatnonzero(distances == reach)
            # lexsort goes by its last key first, hence the columns in reverse.
            first = tied[np.lexsort(self.points[tied].T[::-1])[0]]
            # subtle: all copies go together. If one of two equal pixels went alone, a
            # color of weight 2 would not end as the same color twice does.
            copies = tied[(self.points[tied] == self.points[first]).all(axis=1)]
            point = self.points[first].astype(np.float64)
            yield Far(point, float(self.weights[copies].sum()), int(labels[first]))
            distances[copies] = 0

    def mean_variance(self) -> float:
        """Return the weighted variance of each column, averaged over the columns."""
        mean = [np.average(x, weights=self.weights) for x in self.points.T]
        distances = squared_distances(self.points, np.array(mean))
        return float(np.average(distances, weights=self.weights)) / len(mean)


# ---- A cluster that lost all of its points ---------------------------------------


def restart_empty(sweep: Sweep, centroids: Floats, tally: Tally) -> tuple[int, ...]:
    """Give every empty cluster the point that is farthest from its centroid.

    The point leaves its cluster, with all of its copies, and becomes the first of the
    empty one, whose centroid so restarts there. The last point of a cluster is never
    taken. No cluster stays empty as long as there are as many distinct points as
    clusters; and since every restart lowers the inertia, it cannot go on for ever.
    This is scikit-learn's rule, but for distinct points and for the last ones.

    Corrects the sums and counts of the tally; returns the clusters that restarted.
    """
    sums, counts, restarted = tally.sums, tally.counts, []
    far = sweep.farthest(centroids, tally.labels)
    # subtle: `weight < counts`, but for the rounding in sums like 0.1 + 0.2.
    # And it is asked of each point anew, as the moves below change the counts.
    movable = (f for f in far if f.weight < counts[f.label] * (1 - 1e-12))
    # subtle: zip asks for an empty cluster first. If there is none, nobody looks for
    # the farthest points, which would be another pass.
    for empty, (point, weight, owner) in zip(np.flatnonzero(counts == 0), movable):
        sums[owner] -= weight * point
        counts[owner] -= weight
        sums[empty], counts[empty] = weight * point, weight
        restarted.append(int(empty))
    return tuple(restarted)


# ---- The loop --------------------------------------------------------------------


class Step(NamedTuple):
    """One iteration: what it started from, what it saw, what it did.

    Attributes
    ----------
    iteration : int
        Its number, from 1.
    centroids : (k, d) array of float64
        The centroids that it started from.
    labels : (n,) array of int
        The nearest of these centroids for each point. Of points outside of memory, they
        are computed when they are read.
    inertia : float
        The weighted sum of the squared distances of the points to these centroids.
    new_centroids : (k, d) array of float64
        Where the centroids moved to.
    n_changed : float
        How many points (the sum of their weights) changed cluster since the step
        before; in the first step, all.
    shift : float
        The squared distances that the centroids moved, summed up.
    restarted : tuple of int
        The clusters that were empty and restarted at the farthest points.
    stopped_by : str or None
        None while it goes on. In the last step, why it is the last: "labels", "tol" or
        "max_iter", as `stop_reason` says.
    """

    iteration: int
    centroids: Floats
    labels: Labels
    inertia: float
    new_centroids: Floats
    n_changed: float
    shift: float
    restarted: tuple[int, ...]
    stopped_by: str | None = None


def stop_reason(step: Step, smallest_shift: float, max_iter: int) -> str | None:
    """Say why this step is the last, or None to go on.

    There are three reasons, looked at in this order:

    - "labels": no label changed, so the means would not either, and every step from
      here on would be the same;
    - "tol": shift <= smallest_shift, which is tol times the mean variance of the
      features; but not in a step that restarted an empty cluster, whose first points
      are still to come;
    - "max_iter": this is the last step allowed.
    """
    if step.n_changed == 0:
        return "labels"
    if not step.restarted and step.shift <= smallest_shift:
        return "tol"
    return "max_iter" if step.iteration == max_iter else None


def lloyd(
    points: ArrayLike | Sweep,
    centroids: ArrayLike,
    *,
    weights: Weights = None,
    max_iter: int = 300,
    tol: float = 1e-4,
) -> Iterator[Step]:
    """Run K-means from given centroids, a step at a time.

    Parameters
    ----------
    points : (n, d) array_like of real numbers, or Sweep
        The points, or a sweep that holds them and goes over them in its own way.
    centroids : (k, d) array_like of real numbers
        Where the centroids start.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given. A sweep has its own.
    max_iter : int, default 300
        The largest number of steps.
    tol : float, default 1e-4
        Stop when the squared distances that the centroids moved sum up to at most
        `tol` times the mean variance of the features. With 0, go on until nothing
        changes any more.

    Yields
    ------
    Step
        One for each iteration. The last says in `stopped_by` why it is the last.

    Notes
    -----
    The inertia never rises, but for rounding: `assign` gives every point its smallest
    distance, and the mean is the place with the smallest sum of squared distances to
    its points [1]_, [2]_.

    The labels of a step belong to the centroids that it started from. After a stop by
    "tol" or "max_iter", `assign` once more to get those of `new_centroids`;
    `kmeans_np.kmeans` does so.

    The input is trusted here; `kmeans_np.kmeans` checks it.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [2] C. M. Bishop, "Pattern Recognition and Machine Learning" (2006),
       section 9.1.

    Examples
    --------
    >>> points = [[0.0], [1.0], [9.0], [10.0]]
    >>> for step in lloyd(points, centroids=[[0.0], [1.0]]):
    ...     print(step.iteration, step.labels, f"{step.inertia:.2f}", step.stopped_by)
    1 [0 1 1 1] 145.00 None
    2 [0 0 1 1] 17.56 None
    3 [0 0 1 1] 1.00 labels
    """
    sweep = points if isinstance(points, Sweep) else Sweep(points, weights)
    now, labels = np.array(centroids, dtype=np.float64), None
    smallest_shift = tol * sweep.mean_variance()
    for iteration in range(1, max_iter + 1):
        # Every point joins its nearest centroid, ...
        tally = sweep(now, labels)
        # ... every centroid moves to the mean of its points, ...
        restarted = restart_empty(sweep, now, tally)
        new = means(tally.sums, tally.counts, now)
        shift = float(((new - now) ** 2).sum())
        labels, inertia, n_changed = tally.labels, tally.inertia, tally.n_changed
        step = Step(iteration, now, labels, inertia, new, n_changed, shift, restarted)
        step = step._replace(stopped_by=stop_reason(step, smallest_shift, max_iter))
        yield step
        # ... and so on from there, until there is a reason to stop.
        if step.stopped_by is not None:
            return
        now = new
