"""Points in, clusters out, on checked input.

What this file adds: all that is around the loop. Choose the starts, run, make sure that
the answer is consistent, keep the best. What it leaves out: the loop itself
(`kmeans_np.lloyd`) and the checks.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.checks import pluralize
from kmeans_np.clustering.parted import PartedPoints
from kmeans_np.clustering.passes import (
    direct_inertia,
    fastest,
    in_short,
    pair_for,
    sweep_over,
)
from kmeans_np.lloyd import Array, Floats, Step, Sweep, lloyd
from kmeans_np.order import Distinct
from kmeans_np.seeding import Histograms, Starts, coarse_start
from kmeans_np.sweeps import BlockedSweep
from kmeans_np.sweeps.parted import NearestLabels, Parts

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


def describe_stop(n_iter: int, stopped_by: str) -> str:
    """Say in words after how many steps a run stopped, and why."""
    return f"stopped by {stopped_by!r} after {pluralize(n_iter, 'step')}"


def warn_if_fewer(found: int, k: int, noun: str, stacklevel: int) -> None:
    """Warn that there are fewer clusters than asked for."""
    if found < k:
        warnings.warn(
            f"k = {k:,} clusters were asked for, the answer has {found:,}: there are "
            f"no more distinct {noun}",
            stacklevel=stacklevel + 1,
        )


def fit(
    points: Array,
    weights: Floats,
    k: int,
    options: checks.Options,
    *,
    cells: bool = False,
    largest_first: bool = False,
    n_alike: int | None = None,
) -> Clustering:
    """Run K-means on checked input: the best of all starts.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each point counts. Those of weight 0 get a label.
    k : int
        The number of clusters, at most that of the points with a weight.
    options : Options
        How to run.
    cells : bool, default False
        Whether the points are distinct 8-bit colors in the order of their cells.
    largest_first : bool, default False
        Whether to put the clusters in order of their counts, and equal ones in order
        of their centroids, instead of that of the starting centroids.
    n_alike : int, optional
        How many features, the first ones, are in one unit; all when not given.

    Returns
    -------
    Clustering
        The answer; of fewer than k clusters if there are fewer distinct points.
    """
    some = weights > 0
    all_count = bool(some.all())
    counting = (points, weights) if all_count else (points[some], weights[some])
    sweep, origin = sweep_over(*counting, k, cells)
    n_alike = points.shape[1] if n_alike is None else n_alike
    short = in_short(sweep, origin, n_alike) if options.coarse_start else None
    drawn = Starts(sweep.points, sweep.weights)
    result = cluster(sweep, k, options, origin, short, drawn)
    if largest_first:
        result = _in_order(sweep, result, origin)
    result = _with_inertia(sweep, result, origin)
    if not all_count:
        labels = np.empty(len(points), np.int32)
        labels[some] = result.labels
        labels[~some], _ = BlockedSweep(points[~some]).assign(result.centroids)
        result = replace(result, labels=labels)
    return result


def fit_parts(
    parts: Parts,
    k: int,
    options: checks.Options,
    *,
    named: checks.Named = checks.POINTS,
    largest_first: bool = False,
    n_alike: int | None = None,
) -> tuple[Clustering, PartedPoints]:
    """Run K-means on points that lie in parts, of which it is known that they are many.

    The labels of the answer are `NearestLabels`; the pass over the points comes with
    it. Errors speak of the points as `named`. For the other arguments see `fit`.
    """
    sweep = PartedPoints(parts, named)
    n_alike = parts.shape[1] if n_alike is None else n_alike
    short = sweep.in_short(n_alike) if options.coarse_start else None
    result = cluster(sweep, k, options, sweep.origin, short, sweep)
    if largest_first:
        result = _in_order(sweep, result, sweep.origin)
    return _with_inertia(sweep, result, sweep.origin), sweep


def cluster(
    sweep: Sweep,
    k: int,
    options: checks.Options,
    origin: Floats,
    short: Histograms | None,
    drawn: Starts | PartedPoints,
    begun: Floats | None = None,
) -> Clustering:
    """Run K-means with a pass, whose points have weights and their zero at `origin`.

    `short` are the points in short, to choose starts on; `drawn` chooses among all of
    them; `begun` are fewer centroids to which others can come.
    """
    init = options.init if isinstance(options.init, str) else options.init - origin
    pair = pair_for(short, k) if short is not None else None

    n_starts = 1
    if isinstance(init, str) and pair is None and begun is None:
        many = init == "random" and options.n_init is None and drawn.few is not None
        n_starts = 10 if many else options.n_init or 1

    def starts() -> Iterator[Floats]:
        if not isinstance(init, str):
            yield init
        elif pair is not None and short is not None:
            # k-means++ takes longer to choose, and seldom chooses badly.
            n_tried = options.n_init or (10 if init == "random" else 4)
            there = None if begun is None else (begun - short.low) / short.step
            found = coarse_start(pair, k, init, n_tried, options.rng, there)
            yield found * short.step + short.low
        elif begun is not None:
            yield drawn.go_on(begun, k, options.rng)
        else:
            several = n_starts > 1
            drawing = (
                drawn.start(init, k, options.rng, several) for _ in range(n_starts)
            )
            few = drawn.few if several and options.callback is None else None
            if few is not None and SEVERAL_COPIES * len(few[0]) <= drawn.n:
                yield _best_start(drawing, few, k, options)
            else:
                yield from drawing

    best: Clustering | None = None
    for start in starts():
        result = _run(sweep, start, origin, options)
        if n_starts > 1:
            result = _with_inertia(sweep, result, origin)
        if best is None or result.inertia < (1 - TIED) * best.inertia:
            best = result
        if result.stopped_by == "callback":
            break
    assert best is not None
    return best


def _best_start(
    starts: Iterator[Floats], few: Distinct, k: int, options: checks.Options
) -> Floats:
    """Return the start that is the best, tried on the distinct points alone.

    With their numbers as weights, they have the inertia of all points.
    """
    sweep, origin = sweep_over(*few, k)
    best: tuple[Floats, float] | None = None
    for start in starts:
        result = _run(sweep, start - origin, origin, options)
        inertia = _with_inertia(sweep, result, origin).inertia
        if best is None or inertia < (1 - TIED) * best[1]:
            best = start, inertia
    assert best is not None
    return best[0]


def fit_each(
    points: Array,
    weights: Floats,
    ks: list[int],
    options: checks.Options,
    cells: bool,
    n_alike: int,
) -> list[Clustering]:
    """Run K-means for rising numbers of clusters, each from the answer before.

    To the centroids found so far come others, to the number asked for: that can only
    lower the inertia, and so can all that follows. On histograms, where they cost
    little, such starts compete with starts anew. The arguments are those of `fit`. If
    the callback ends it, there are fewer answers than `ks`.
    """
    some = weights > 0
    if not some.all():
        points, weights = points[some], weights[some]
    sweep, origin = sweep_over(points, weights, max(ks), cells)
    short, begun, last = in_short(sweep, origin, n_alike), None, np.inf
    results, drawn = [], Starts(sweep.points, sweep.weights)
    for k in ks:
        result = cluster(sweep, k, options, origin, short, drawn, begun)
        if result.inertia > last and result.stopped_by != "callback":
            # What was best on a histogram need not be so on the points.
            result = cluster(sweep, k, options, origin, None, drawn, begun)
        result = _with_inertia(sweep, result, origin)
        results.append(result)
        if result.stopped_by == "callback":
            break
        begun, last = result.centroids - origin, result.inertia
    return results


def nearest(
    points: Array, weights: Floats, centroids: Floats, cells: bool
) -> Clustering:
    """Give points the nearest of centroids that stay where they are; some may be empty.

    The arguments are those of `fit`; all weights are positive.
    """
    sweep = fastest(points, len(centroids), cells)(points, weights)
    tally = sweep(centroids)
    labels: Any = tally.labels
    result = Clustering(
        labels=labels,
        centroids=centroids,
        counts=tally.counts,
        inertia=tally.inertia,
        n_iter=0,
        stopped_by="given",
    )
    return _with_inertia(sweep, result, np.zeros(points.shape[1]))


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
    # As they are returned: to move them back to the data's own origin may round them.
    centroids = (step.new_centroids + origin) - origin
    end = (step.iteration, str(stopped_by))
    return _settled(sweep, centroids, origin, *end, step.labels)


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


def _settled(
    sweep: Sweep,
    centroids: Floats,
    origin: Floats,
    n_iter: int,
    stopped_by: str,
    labels: Any = None,
) -> Clustering:
    """Make labels, counts and inertia those of exactly the centroids returned.

    The labels of the last step belong to the centroids before its update. So assign
    once more, to these centroids, which may be written to. If that leaves a cluster
    empty, it gets the farthest point: its centroid had no points to lose, so this only
    makes distances smaller and ends soon. Clusters stay empty only for lack of distinct
    points; they are left out. The labels of the last step, if given, only save time.
    """
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
    return Clustering(
        labels=labels if full.all() else _renumbered(labels, full),
        centroids=centroids[full] + origin,
        counts=tally.counts[full],
        inertia=tally.inertia,
        n_iter=n_iter,
        stopped_by=stopped_by,
    )


def _renumbered(labels: Any, full: Array) -> Any:
    """Return labels without the numbers of empty clusters."""
    if isinstance(labels, NearestLabels):
        return labels.without(~full)
    return (np.cumsum(full, dtype=np.int32) - 1)[labels]


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


def _with_inertia(sweep: Sweep, result: Clustering, origin: Floats) -> Clustering:
    """Add the inertia up directly, if that of the pass may have lost digits.

    Passes may take it as a difference of sums. Where that leaves little, it leaves few
    digits.
    """
    scatter = sweep.mean_variance() * len(origin) * float(result.counts.sum())
    if result.inertia > scatter / 1000:
        return result
    centroids = result.centroids - origin
    if isinstance(sweep, PartedPoints):
        inertia = sweep.inertia(centroids, result.labels)
    else:
        inertia = direct_inertia(sweep.points, sweep.weights, centroids, result.labels)
    return replace(result, inertia=inertia)
