"""The run around the loop: choose the starts, run, keep the best, settle the answer."""

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
from kmeans_np.lloyd import Floats, Labels, Step, lloyd
from kmeans_np.order import Distinct
from kmeans_np.seeding import SEEDINGS
from kmeans_np.stack_level import find_stack_level

# Starts that end in the same clusters may differ in the last digits of their inertia.
TIED = 1e-9
# If points occur so many times on average, starts are tried on the distinct ones.
SEVERAL_COPIES = 2


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
            f"<Clustering of {pluralize(n, 'point')} with {pluralize(d, 'feature')} "
            f"into {pluralize(k, 'cluster')}: inertia {self.inertia:.6g}, {end}>"
        )


def warn_if_fewer(found: int, k: int, noun: str) -> None:
    """Warn that there are fewer clusters than asked for."""
    if found < k:
        warnings.warn(
            f"k = {k:,} clusters were asked for, the answer has {found:,}: there are "
            f"no more distinct {noun}",
            stacklevel=find_stack_level(),
        )


def fit(
    data: Data, k: int, options: checks.Options, *, largest_first: bool = False
) -> Clustering:
    """Run K-means on checked input: the best of all starts.

    Parameters
    ----------
    data : Data
        The points with their weights.
    k : int
        The number of clusters, at most that of the points with a weight.
    options : Options
        How to run.
    largest_first : bool, default False
        Whether to put the clusters in order of their counts, and equal ones in order
        of their centroids, instead of that of the starting centroids.

    Returns
    -------
    Clustering
        The answer; of fewer than k clusters if there are fewer distinct points.
    """
    searched = options.coarse_start and isinstance(options.init, str)
    result = _best(data, k, options, data.histograms() if searched else None)
    if largest_first:
        result = _sort_by_size(data, result)
    result = _with_inertia(data, result)
    labels: Any = data.labels_of_all(result.labels, result.centroids)
    return replace(result, labels=labels)


def fit_path(data: Data, ks: list[int], options: checks.Options) -> list[Clustering]:
    """Run K-means for rising numbers of clusters, each from the answer before.

    To the centroids found so far come others, to the number asked for: that can only
    lower the inertia, and so can all that follows. On histograms, where they cost
    little, such starts compete with starts anew. The best start needs none of that
    (`Options.from_the_best_start`). The labels are those of the points
    with a weight. If the callback ends it, there are fewer answers than `ks`.
    """
    short = data.histograms() if options.coarse_start else None
    warm_start, last, results = None, np.inf, []
    for k in ks:
        result = _best(data, k, options, short, warm_start)
        if result.inertia > last and result.stopped_by != "callback":
            # What was best on a histogram need not be so on the points.
            result = _best(data, k, options, None, warm_start)
        result = _with_inertia(data, result)
        results.append(result)
        if result.stopped_by == "callback":
            break
        if options.coarse_start:
            warm_start, last = result.centroids - data.origin, result.inertia
    return results


def assign_to(data: Data, centroids: Floats) -> Clustering:
    """Give points the nearest of centroids that stay where they are; some may be empty.

    All points have a weight.
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

    `short` are the points in short, to choose starts on; `warm_start` are fewer
    centroids to which others can come, as seen from the origin of the data.
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
        # Of many distinct points, one start takes long enough.
        if options.n_init is None and n_starts > 1 and data.few is None:
            n_starts = 1
        starts = _draw_starts(data, k, options, n_starts)
    best: Clustering | None = None
    for start in starts:
        result = _run(data, start, options)
        if n_starts > 1:
            result = _with_inertia(data, result)
        if best is None or result.inertia < (1 - TIED) * best.inertia:
            best = result
        if result.stopped_by == "callback":
            break
    assert best is not None
    return best


def _draw_starts(
    data: Data, k: int, options: checks.Options, n_starts: int
) -> Iterator[Floats]:
    """Yield starts; only the best, if it costs little to know which that is."""
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
    """Return the start that is the best, tried on the distinct points alone.

    With their numbers as weights, they have the inertia of all points.
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
    """Run the loop from one start, as seen from the origin of the data."""
    origin = data.origin
    for step in lloyd(data.sweep, start, max_iter=options.max_iter, tol=options.tol):
        stopped_by = step.stopped_by
        if options.callback is not None and options.callback(_shown(step, origin)):
            stopped_by = "callback"
            break
    # As they are returned: to move them back to the data's own origin may round them.
    centroids = (step.new_centroids + origin) - origin
    end = (step.iteration, str(stopped_by))
    return _final_assignment(data, centroids, *end, step.labels)


def _shown(step: Step, origin: Floats) -> Step:
    """Return the step as seen from the data's own origin, for others to look at."""
    labels = step.labels
    if isinstance(labels, np.ndarray):
        # Those that are computed when they are read cannot be written to anyway.
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
    once more, to these centroids, which may be written to. If that leaves a cluster
    empty, it gets the farthest point: its centroid had no points to lose, so this only
    makes distances smaller and ends soon. Clusters stay empty only for lack of distinct
    points; they are left out. The labels of the last step, if given, only save time.
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
    """Put the clusters in order of their counts; equal ones, of their centroids.

    A point that is equally near to two centroids belongs to the first of them, which
    may be another one in the new order. That moves points from smaller clusters to
    larger ones only, so the order settles.
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

    Passes may take it as a difference of sums. Where that leaves little, it leaves few
    digits.
    """
    weight = len(data.origin) * float(result.counts.sum())
    if result.inertia > data.sweep.mean_variance() * weight / 1000:
        return result
    inertia = data.inertia(result.centroids - data.origin, result.labels)
    return replace(result, inertia=inertia)
