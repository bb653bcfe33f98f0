"""The run around the loop: choose starts, run each, keep the best, assign once more."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.checks import pluralize
from kmeans_np.clustering.coarse_start import (
    Histograms,
    coarse_start,
    plan_search,
)
from kmeans_np.clustering.data import Data, PointsInMemory
from kmeans_np.clustering.stop_reasons import describe_stop
from kmeans_np.clustering.table import clusters_in_html
from kmeans_np.lloyd import Floats, Labels, Step, lloyd
from kmeans_np.order import Distinct
from kmeans_np.seeding import SEEDINGS
from kmeans_np.stack_level import find_stack_level

# Starts that end in the same clusters may differ in the last digits of the inertia.
TIED = 1e-9
# If points occur this many times on average, starts are tried on the distinct points.
SEVERAL_COPIES = 2


@dataclass(frozen=True, eq=False, repr=False)
class Clustering:
    """The result of `kmeans`.

    Attributes
    ----------
    labels : (n,) array of int32
        The number, 0 to k - 1, of the nearest centroid of each point; of two at the
        same distance, the lower number.
    centroids : (k, d) array of float64
        The centroids, in the unit of the points and the order of the starting
        centroids.
    counts : (k,) array of float64
        The number of points in each cluster; with weights, the sum of their weights.
    inertia : float
        The weighted sum of the squared distances of the points to their centroids, in
        the squared unit of the points.
    n_iter : int
        The number of steps of the best start.
    stopped_by : str
        Why the run stopped: "labels" (no label changed), "tol" (the centroids hardly
        moved), "max_iter" (the maximum number of steps) or "callback" (the callback
        returned a true value).
    """

    labels: NDArray[np.int32]
    centroids: Floats
    counts: Floats
    inertia: float
    n_iter: int
    stopped_by: str
    n_starts: int = 1

    def __repr__(self) -> str:
        n, (k, d) = len(self.labels), self.centroids.shape
        end = describe_stop(self.n_iter, self.stopped_by, self.n_starts)
        return (
            f"<Clustering of {pluralize(n, 'point')} with {pluralize(d, 'feature')} "
            f"into {pluralize(k, 'cluster')}: inertia {self.inertia:.6g}, {end}>"
        )

    def _repr_html_(self) -> str:
        """Return a table of the clusters, for a notebook."""
        return clusters_in_html(repr(self), self.counts, self.centroids)


def warn_if_fewer(found: int, k: int, noun: str) -> None:
    """Warn if fewer clusters than requested were found."""
    if found < k:
        warnings.warn(
            f"asked for k = {k:,}, but there {'is' if found == 1 else 'are'} only "
            f"{pluralize(found, f'distinct {noun}')}",
            stacklevel=find_stack_level(),
        )


def fit(
    data: Data, k: int, options: checks.Options, *, largest_first: bool = False
) -> Clustering:
    """Run K-means on checked input, and return the best of all starts.

    Parameters
    ----------
    data : Data
        The points with their weights.
    k : int
        The number of clusters, at most the number of points with a positive weight.
    options : Options
        The options of the run.
    largest_first : bool, default False
        Whether to sort the clusters by their counts, the largest first, and equal ones
        by their centroids. By default, they are in the order of the starting centroids.

    Returns
    -------
    Clustering
        The result, with fewer than k clusters if there are fewer distinct points.
    """
    searched = options.coarse_start and isinstance(options.init, str)
    result = _best(data, k, options, data.histograms() if searched else None)
    if largest_first:
        result = _sort_by_size(data, result)
    result = _with_inertia(data, result)
    labels: Any = data.labels_of_all(result.labels, result.centroids)
    return replace(result, labels=labels)


def fit_path(data: Data, ks: list[int], options: checks.Options) -> list[Clustering]:
    """Run K-means for rising numbers of clusters, each starting from the result before.

    The centroids found so far are completed to the next number of clusters. This and
    all further steps can only lower the inertia. On histograms, where they cost little,
    such starts compete with new starts. Optimal starts need none of this
    (`Options.from_the_best_start`). The labels are those of the points with a positive
    weight. If the callback ends the run, there are fewer results than `ks`.
    """
    short = data.histograms() if options.coarse_start else None
    warm_start, last, results = None, np.inf, []
    for k in ks:
        result = _best(data, k, options, short, warm_start)
        if result.inertia > last and result.stopped_by != "callback":
            # The best start on a histogram need not be the best on the points.
            result = _best(data, k, options, None, warm_start)
        result = _with_inertia(data, result)
        results.append(result)
        if result.stopped_by == "callback":
            break
        if options.coarse_start:
            warm_start, last = result.centroids - data.origin, result.inertia
    return results


def assign_to(data: Data, centroids: Floats) -> Clustering:
    """Assign points to the nearest of fixed centroids; some clusters may be empty.

    All points must have a positive weight.
    """
    tally = data.sweep(centroids - data.origin)
    labels: Any = tally.labels
    result = Clustering(
        labels=labels,
        centroids=centroids,
        counts=tally.counts,
        inertia=tally.inertia,
        n_iter=0,
        stopped_by="given",
    )
    return _with_inertia(data, result)


def _best(
    data: Data,
    k: int,
    options: checks.Options,
    short: Histograms | None,
    warm_start: Floats | None = None,
) -> Clustering:
    """Return the best of all runs.

    `short` has histograms of the points, to choose starts on. `warm_start` has the
    centroids, relative to the origin of the data, of a run with fewer clusters.
    """
    init, n_starts, search = options.init, 1, None
    if short is not None and isinstance(init, str):
        n_wanted = options.n_init or SEEDINGS[init].n_tried
        search = plan_search(short, data.n, k, n_wanted, bool(options.n_init))
    starts: Iterator[Floats]
    if not isinstance(init, str):
        starts = iter([init - data.origin])
    elif short is not None and search is not None:
        there = None if warm_start is None else (warm_start - short.low) / short.step
        found = coarse_start(
            search, k, init, options.rng, there, max_iter=options.max_iter
        )
        starts = iter([found * short.step + short.low])
    elif warm_start is not None:
        starts = iter([data.extend(warm_start, k, options.rng)])
    else:
        n_starts = options.n_init or SEEDINGS[init].n_starts
        # With many distinct points, one start takes long enough.
        if options.n_init is None and n_starts > 1 and data.few is None:
            n_starts = 1
        starts = _draw_starts(data, k, options, n_starts)
    best: Clustering | None = None
    n_tried = n_starts if search is None else search.n_starts
    for start in starts:
        result = _run(data, start, options)
        if n_starts > 1:
            result = _with_inertia(data, result)
        if best is None or result.inertia < (1 - TIED) * best.inertia:
            best = result
        if result.stopped_by == "callback":
            break
    assert best is not None
    return replace(best, n_starts=n_tried)


def _draw_starts(
    data: Data, k: int, options: checks.Options, n_starts: int
) -> Iterator[Floats]:
    """Yield the starts; or only the best, if finding out which it is costs little."""
    init = str(options.init)
    starts = (data.start(init, k, options.rng) for _ in range(n_starts))
    few = data.few if n_starts > 1 and options.callback is None else None
    if few is not None and SEVERAL_COPIES * len(few[0]) <= data.n:
        yield _best_start(starts, few, k, options)
    else:
        yield from starts


def _best_start(
    starts: Iterator[Floats], few: Distinct, k: int, options: checks.Options
) -> Floats:
    """Return the best start, tried on the distinct points alone.

    Weighted by their counts, these have the same inertia as all points.
    """
    data = PointsInMemory(*few, k)
    best: tuple[Floats, float] | None = None
    for start in starts:
        result = _run(data, start - data.origin, options)
        inertia = _with_inertia(data, result).inertia
        if best is None or inertia < (1 - TIED) * best[1]:
            best = start, inertia
    assert best is not None
    return best[0]


def _run(data: Data, start: Floats, options: checks.Options) -> Clustering:
    """Run the loop from one start, given relative to the origin of the data."""
    origin = data.origin
    for step in lloyd(data.sweep, start, max_iter=options.max_iter, tol=options.tol):
        stopped_by = step.stopped_by
        if options.callback is not None and options.callback(_shown(step, origin)):
            stopped_by = "callback"
            break
    # Rounded as they will be returned: moving them back to the original coordinates may
    # round them.
    centroids = (step.new_centroids + origin) - origin
    end = (step.iteration, str(stopped_by))
    return _final_assignment(data, centroids, *end, step.labels)


def _shown(step: Step, origin: Floats) -> Step:
    """Return the step in the original coordinates, for the callback."""
    labels = step.labels
    if isinstance(labels, np.ndarray):
        # Lazy labels are read-only anyway.
        labels = labels.view()
        labels.flags.writeable = False
    return step._replace(
        centroids=step.centroids + origin,
        labels=labels,
        new_centroids=step.new_centroids + origin,
    )


def _final_assignment(
    data: Data,
    centroids: Floats,
    n_iter: int,
    stopped_by: str,
    labels: Labels | None = None,
) -> Clustering:
    """Make labels, counts and inertia those of exactly the centroids returned.

    The labels of the last step belong to the centroids before its update. So assign
    once more, to these centroids, which may be modified. If that leaves a cluster
    empty, its centroid moves to the farthest point: it had no points to lose, so this
    only makes distances smaller, and soon ends. Clusters that stay empty for lack of
    distinct points are removed. The labels of the last step, if given, only save time.
    """
    while True:
        tally = data.sweep(centroids, labels)
        empty = np.flatnonzero(tally.counts == 0)
        if not len(empty):
            break
        far = [*islice(data.sweep.farthest(centroids, tally.labels), len(empty))]
        for number, (point, _, _) in zip(empty, far):
            centroids[number] = point
        labels = tally.labels
        if not far:
            centroids, labels = np.delete(centroids, empty, axis=0), None
    found: Any = tally.labels
    return Clustering(
        labels=found,
        centroids=centroids + data.origin,
        counts=tally.counts,
        inertia=tally.inertia,
        n_iter=n_iter,
        stopped_by=stopped_by,
    )


def _sort_by_size(data: Data, result: Clustering) -> Clustering:
    """Sort the clusters by their counts; equal ones, by their centroids.

    A point that is equally near to two centroids belongs to the first of them, which
    may be another one in the new order. That moves points only from smaller to larger
    clusters, so the order settles.
    """
    while True:
        order = np.lexsort((*result.centroids.T[::-1], -result.counts))
        if np.array_equal(order, np.arange(len(order))):
            return result
        centroids = result.centroids[order] - data.origin
        end = result.n_iter, result.stopped_by
        result = _final_assignment(data, centroids, *end)


def _with_inertia(data: Data, result: Clustering) -> Clustering:
    """Add the inertia up directly, if that of the pass may have lost digits.

    A pass may compute it as a difference of sums, which has few correct digits if it is
    small relative to them.
    """
    weight = len(data.origin) * float(result.counts.sum())
    if result.inertia > data.sweep.mean_variance() * weight / 1000:
        return result
    inertia = data.inertia(result.centroids - data.origin, result.labels)
    return replace(result, inertia=inertia)
