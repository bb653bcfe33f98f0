"""`kmeans`: points in, clusters out.

What this file adds: the whole task around the loop. Check the input, choose the
starts, run, make sure that the answer is consistent, keep the best. What it leaves
out: the loop itself (`kmeans_np.lloyd`) and pictures (`kmeans_np.image`).
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np import checks
from kmeans_np.checks import counted
from kmeans_np.lloyd import (
    Array,
    Floats,
    Step,
    Sweep,
    Weights,
    lloyd,
    squared_distances,
)
from kmeans_np.seeding import Histogram, coarse_start, seed
from kmeans_np.sweeps import BlockedSweep, BoundedSweep

# Up to this many points ten random starts take a moment, so "auto" makes them.
FEW_POINTS = 10_000
# From so many differences in a pass of the textbook on (points times features times
# clusters), it pays to keep account of which points can change cluster.
MUCH_WORK = 100_000
# How many numbers are looked at together to add up the inertia: they stay in the
# processor's cache.
BLOCK = 2**16
# How many numbers in a row are wide.
WIDE = 512


@dataclass(frozen=True, eq=False, repr=False)
class Clustering:
    """The answer of `kmeans`.

    Attributes
    ----------
    labels : (n,) array of int32
        The number, 0 to k - 1, of the nearest centroid of each point; of two at the
        same distance, the lower.
    centroids : (k, d) array of float64
        The centroids, in the order of those that they started from.
    counts : (k,) array of float64
        The number of points in each cluster; with weights, the sum of their weights.
    inertia : float
        The weighted sum of the squared distances of the points to their centroids.
    n_iter : int
        The number of steps of the best start.
    stopped_by : str
        Why it stopped: "labels" (no label changed), "tol" (the centroids hardly
        moved), "max_iter" (out of steps) or "callback" (the callback said so).
    """

    labels: NDArray[np.int32]
    centroids: Floats
    counts: Floats
    inertia: float
    n_iter: int
    stopped_by: str

    def __repr__(self) -> str:
        n, (k, d) = len(self.labels), self.centroids.shape
        end = describe_stop(self.n_iter, self.stopped_by)
        return (
            f"<Clustering of {counted(n, 'point')} with {counted(d, 'feature')} into "
            f"{counted(k, 'cluster')}: inertia {self.inertia:.6g}, {end}>"
        )


def describe_stop(n_iter: int, stopped_by: str) -> str:
    """Say in words after how many steps a run stopped, and why."""
    return f"stopped by {stopped_by!r} after {counted(n_iter, 'step')}"


def kmeans(
    points: ArrayLike,
    k: int,
    *,
    weights: Weights = None,
    init: str | ArrayLike = "random",
    n_init: int | str = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
) -> Clustering:
    """Divide points into k clusters, each around the mean of its points.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points, one a row. Any real type and memory order; never written to.
    k : int
        The number of clusters, from 1 to n.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given. A point of weight 3 is
        that point three times, a point of weight 0 has no say (but gets a label).
    init : "random", "k-means++" or (k, d) array_like, default "random"
        Where the centroids start: at k random distinct points [1]_, at points that
        are spread out [2]_, or at these places.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept.
        "auto" is 10 for random starts among at most 10,000 points and 1 otherwise.
    max_iter : int, default 300
        The largest number of steps of a start.
    tol : float, default 1e-4
        Stop when the squared distances that the centroids moved in a step sum up to
        at most `tol` times the mean variance of the features. With 0, go on until
        nothing changes any more.
    rng : None, int or numpy.random.Generator, optional
        Where the random numbers come from; all that `numpy.random.default_rng` takes.
        The same number gives the same result, to the last bit.
    callback : callable, optional
        Called with each `kmeans_np.Step` of each start. If it returns a true value,
        all ends there, with the best answer so far.

    Returns
    -------
    Clustering
        Labels, centroids, counts, inertia, number of steps, and why it stopped.
        The labels are those of the nearest of these centroids, also when the run was
        cut short. No cluster is empty.

    Raises
    ------
    TypeError
        If `points`, `weights` or `init` is not an array of real numbers.
    TypeError
        If `k`, `n_init` or `max_iter` is not an integer, or `tol` not a number.
    TypeError
        If `rng` is nothing that `numpy.random.default_rng` takes, or `callback` is
        not callable.
    ValueError
        If `points` has not two axes, is empty, or holds NaN, infinity or numbers
        whose squares overflow.
    ValueError
        If `weights` has another length than `points`, is negative, not finite, or 0
        everywhere.
    ValueError
        If `k` is below 1 or above the number of points (with a positive weight).
    ValueError
        If `init` is an unknown word, or an array of another shape or not finite.
    ValueError
        If `n_init` or `max_iter` is below 1, or `n_init` above 1 with given
        centroids, or `tol` or `rng` is negative, or `tol` not finite.

    Warns
    -----
    UserWarning
        If there are fewer distinct points than `k`. There are then only as many
        clusters as distinct points.

    See Also
    --------
    lloyd : the same a step at a time, from given centroids.
    segment_image : the same for the pixels of an image.

    Notes
    -----
    A cluster that loses all its points starts again at the point that is farthest
    from its centroid. Points nearer to each other than about 1e-160 count as equal.

    The memory needed besides the input is about 60 + 4 d bytes for each point, whatever
    k is; and that of a copy in float64, if a column is far from 0 beside its range.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.

    Examples
    --------
    >>> from kmeans_np import kmeans
    >>> points = [[1.0, 1.0], [1.0, 2.0], [8.0, 8.0], [9.0, 8.0]]
    >>> result = kmeans(points, 2, rng=0)
    >>> result.inertia
    1.0
    >>> result.counts
    array([2., 2.])
    >>> sorted(result.centroids.tolist())
    [[1.0, 1.5], [8.5, 8.0]]
    """
    array = checks.points(points)
    masses = checks.weights(weights, len(array))
    some = masses > 0
    noun = "points" if weights is None else "points with a weight"
    k = checks.n_clusters(k, int(some.sum()), noun)
    options = checks.options(
        k,
        array.shape[1],
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
    )
    if some.all():
        sweep, origin = sweep_over(array, masses, k)
        result = cluster(sweep, k, options, origin)
    else:
        sweep, origin = sweep_over(array[some], masses[some], k)
        result = cluster(sweep, k, options, origin)
        labels, _ = BlockedSweep(array).assign(result.centroids)
        result = replace(result, labels=labels)
    result = replace(result, labels=result.labels.astype(np.int32, copy=False))
    warn_if_fewer(len(result.centroids), k, noun, stacklevel=2)
    return result


def warn_if_fewer(found: int, k: int, noun: str, stacklevel: int) -> None:
    """Warn that there are fewer clusters than asked for."""
    if found < k:
        warnings.warn(
            f"k = {k:,} clusters were asked for, the answer has {found:,}: there are "
            f"no more distinct {noun}",
            stacklevel=stacklevel + 1,
        )


def cluster(
    sweep: Sweep,
    k: int,
    options: checks.Options,
    origin: Floats,
    *,
    largest_first: bool = False,
    histograms: tuple[Histogram, Histogram] | None = None,
) -> Clustering:
    """Run K-means on checked input: the best of all starts.

    Parameters
    ----------
    sweep : Sweep
        The points, with positive weights, their origin moved to `origin`.
    k : int
        The number of clusters.
    options : Options
        How to run.
    origin : (d,) array of float64
        The zero of the points, in the data's own coordinates.
    largest_first : bool, default False
        Whether to put the clusters in order of their counts, and equal ones in order
        of their centroids, instead of that of the starting centroids.
    histograms : pair of histograms, optional
        The points in short. When given, starts are chosen and tried on these, as
        `kmeans_np.seeding.coarse_start` does, and only the best on the points.

    Returns
    -------
    Clustering
        The answer in the data's own coordinates; of fewer than k clusters if there are
        fewer distinct points.
    """
    init = options.init if isinstance(options.init, str) else options.init - origin

    def starts() -> Iterator[Floats]:
        if histograms is not None:
            # k-means++ takes longer to choose, and seldom chooses badly.
            n_starts = options.n_init or (10 if init == "random" else 4)
            yield coarse_start(histograms, k, str(init), n_starts, options.rng)
            return
        for _ in range(_n_starts(options, len(sweep.points))):
            yield seed(init, sweep.points, k, sweep.weights, options.rng)

    def results() -> Iterator[Clustering]:
        for start in starts():
            result = _run(sweep, start, origin, options)
            yield result
            if result.stopped_by == "callback":
                return

    best = min(results(), key=attrgetter("inertia"))
    if largest_first:
        best = _in_order(sweep, best, origin)
    # Passes may take the inertia as a difference of sums. Where that leaves little, it
    # leaves few digits; then the inertia is added up directly.
    scatter = sweep.mean_variance() * len(origin) * float(sweep.weights.sum())
    if best.inertia > scatter / 1000:
        return best
    inertia = _direct_inertia(sweep, best.centroids - origin, best.labels)
    return replace(best, inertia=inertia)


def _n_starts(options: checks.Options, n: int) -> int:
    if options.n_init is not None:
        return options.n_init
    at_random = isinstance(options.init, str) and options.init == "random"
    return 10 if at_random and n <= FEW_POINTS else 1


def sweep_over(points: Array, weights: Floats, k: int) -> tuple[Sweep, Floats]:
    """Return the fastest pass over checked points for k clusters, and its origin."""
    origin = exact_origin(points)
    if origin.any():
        points = np.subtract(points, origin, dtype=np.float64)
    kind = BoundedSweep if points.size * k >= MUCH_WORK else BlockedSweep
    return kind(points, weights), origin


def exact_origin(points: Array) -> Floats:
    """Where to move the origin, for each column, so that no digits are lost.

    Far from the origin, float64 keeps few digits for differences and sums: at 1e8,
    steps of 1.5e-8. So a column whose values are far from 0 compared with their range
    is moved close to 0. The way is a multiple of a power of two that is not larger
    than the range; hence the subtraction is exact, and only then is it worth doing.

    Returns
    -------
    (d,) array of float64
        What to subtract from each column; 0 where it would not help.
    """
    # NumPy goes through wide rows much faster, so many are taken side by side.
    n, d = points.shape
    wide = max(1, min(n, WIDE // d)) if points.flags.c_contiguous else 1
    whole = n - n % wide
    rows = points[:whole].reshape(-1, wide * d)
    low, high = (
        find(np.concatenate([find(rows, 0).reshape(wide, d), points[whole:]]), 0)
        for find in (np.min, np.max)
    )
    low, high = low.astype(np.float64), high.astype(np.float64)
    width, middle = high - low, low / 2 + high / 2
    # The power of two at or below the range; for a constant column any will do, since
    # its own value is subtracted.
    grid = np.exp2(np.floor(np.log2(np.where(width > 0, width, 1))))
    near = np.where(width > 0, np.round(middle / grid) * grid, low)
    return np.where(np.abs(middle) > 8 * width, near, 0.0)


def _run(
    sweep: Sweep,
    start: Floats,
    origin: Floats,
    options: checks.Options,
) -> Clustering:
    """Run the loop from one start. Sweep and start have their origin moved."""
    for step in lloyd(sweep, start, max_iter=options.max_iter, tol=options.tol):
        stopped_by = step.stopped_by
        if options.callback is not None and options.callback(_shown(step, origin)):
            stopped_by = "callback"
            break
    end = (step.iteration, str(stopped_by))
    return _settled(sweep, step.new_centroids, origin, *end, step.labels)


def _shown(step: Step, origin: Floats) -> Step:
    """Return the step as seen from the data's own origin, for others to look at."""
    labels = step.labels.view()
    labels.flags.writeable = False
    return step._replace(
        centroids=step.centroids + origin,
        labels=labels,
        new_centroids=step.new_centroids + origin,
    )


def _settled(
    sweep: Sweep,
    centroids: Floats,
    origin: Floats,
    n_iter: int,
    stopped_by: str,
    labels: Any = None,
) -> Clustering:
    """Make labels, counts and inertia those of exactly the centroids returned.

    The labels of the last step belong to the centroids before its update; and to move
    back to the data's own origin may round the centroids. So assign once more, to the
    centroids as they are returned. If that leaves a cluster empty, it gets the
    farthest point: its centroid had no points to lose, so this only makes distances
    smaller and ends soon. Clusters stay empty only for lack of distinct points; they
    are left out. The labels of the last step, if given, only save time.
    """
    centroids = centroids + origin - origin
    while True:
        tally = sweep(centroids, labels)
        labels = tally.labels
        empty = np.flatnonzero(tally.counts == 0)
        far = list(islice(sweep.farthest(centroids, labels), len(empty)))
        if not far:
            break
        for number, (point, _, _) in zip(empty, far):
            centroids[number] = point
    full = tally.counts > 0
    new_numbers = np.cumsum(full, dtype=np.int32) - 1
    return Clustering(
        labels=labels if full.all() else new_numbers[labels],
        centroids=centroids[full] + origin,
        counts=tally.counts[full],
        inertia=tally.inertia,
        n_iter=n_iter,
        stopped_by=stopped_by,
    )


def _in_order(sweep: Sweep, result: Clustering, origin: Floats) -> Clustering:
    """Put the clusters in order of their counts; equal ones, of their centroids.

    A point that is equally near to two centroids belongs to the first of them, which
    may be another one in the new order. That moves points from smaller clusters to
    larger ones only, so the order settles.
    """
    while True:
        order = np.lexsort((*result.centroids.T[::-1], -result.counts))
        if np.array_equal(order, np.arange(len(order))):
            return result
        centroids = result.centroids[order] - origin
        result = _settled(sweep, centroids, origin, result.n_iter, result.stopped_by)


def _direct_inertia(sweep: Sweep, centroids: Floats, labels: Array) -> float:
    """Add up the weighted squared distances, point by point."""
    step, total = max(512, BLOCK // sweep.points.shape[1]), 0.0
    for start in range(0, len(labels), step):
        block = slice(start, start + step)
        nearest = centroids.take(labels[block], axis=0)
        distances = squared_distances(sweep.points[block], nearest)
        total += float((sweep.weights[block] * distances).sum())
    return total
