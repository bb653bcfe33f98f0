"""A pass over points in parts, which are stored on disk or on a Dask cluster.

Every part of the points is processed where it is stored, and sends back only what can
be merged: sums, counts, and the few farthest points. These are added up as in
`BoundedSweep`, piece by piece in a tree. So the result is the same to the last bit,
however the points are cut into parts of whole pieces. Labels are not stored: they are
those of the nearest centroids, and are computed when they are read.
"""

import heapq
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.arrays.chunks import Place
from kmeans_np.arrays.lazy import LazyArray
from kmeans_np.arrays.rows import Part, Rows
from kmeans_np.lloyd import Array, Far, Floats, Sweep, Tally
from kmeans_np.sweeps.bounded import BoundedSweep
from kmeans_np.sweeps.nearest import label_points
from kmeans_np.sweeps.scaling import Scaling, mean_variance
from kmeans_np.sweeps.totals import RunningTotals
from kmeans_np.tree_sums import Branches, branches, merge_branches, tree_sum

# The number of farthest points that are requested at first.
FEW = 64


class Shift(NamedTuple):
    """The origin of points, and their centering and scaling."""

    origin: Floats
    scaling: Scaling

    def sweep(self, points: Array, weights: Floats | None = None) -> BoundedSweep:
        """Return a pass over the points of a part."""
        return BoundedSweep(self.apply(points), weights, scaling=self.scaling)

    def apply(self, points: Array) -> Array:
        """Return points relative to the origin."""
        return shift(points, self.origin)


def shift(points: Array, origin: Floats) -> Array:
    """Return points relative to an origin; unchanged, if that is 0."""
    if not origin.any():
        return points
    return np.subtract(points, origin, dtype=np.float64)


def label_rows(points: Array, centroids: Floats, shift: Shift) -> Array:
    """Return the nearest centroid of each point; there may be no points."""
    return label_points(shift.apply(points), centroids, shift.scaling)


class NearestLabels(LazyArray):
    """Labels that are not stored, but computed from the nearest centroids when read.

    Parameters
    ----------
    rows : Rows
        The points.
    shift : Shift
        Their origin and scaling.
    centroids : (k, d) array of float64
        The centroids, relative to that origin.
    """

    __slots__ = ("centroids", "rows", "shift")

    def __init__(self, rows: Rows, shift: Shift, centroids: Floats) -> None:
        self.rows, self.shift, self.centroids = rows, shift, centroids
        super().__init__(rows.shape[:1], np.dtype(np.int32), None, self._look)

    def _look(self, place: Place) -> Array:
        each = self.rows.each(label_rows, self.dtype, self.centroids, self.shift)
        return np.asarray(each[place])


class PartitionedSweep(Sweep):
    """A pass over points in parts, which are never all in memory.

    Parameters
    ----------
    rows : Rows
        The points; none of them is kept.
    shift : Shift
        Their origin and scaling.
    """

    def __init__(self, rows: Rows, shift: Shift) -> None:
        self.rows, self.shift = rows, shift
        # The centroids of the last complete pass; None if there was none.
        self.last: Floats | None = None
        self.totals = RunningTotals(rows.shape[0])

    @cached_property
    def moments(self) -> "Moments":
        """The moments of the points, which give their variance, and their weight."""
        return self.rows.gather(moments_of_part, merge_moments, self.shift)

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        now, old = centroids.copy(), self.last
        if old is not None and len(old) != len(now):
            old = None
        n, n_changed, change = 0, 0.0, None
        if old is not None:
            found = self._changes(now, old)
            n, n_changed = found.n, float(tree_sum(found.weights))
            change = partial(tree_sum, found.sums)
        totals = self.totals.bring_up(n, lambda: self._anew(now), change)
        self.last = now
        if previous is None:
            n_changed = float(tree_sum(self.moments.weights))
        elif previous.centroids is not old:
            found = self._changes(now, previous.centroids)
            n_changed = float(tree_sum(found.weights))
        labels = NearestLabels(self.rows, self.shift, now)
        moments = tree_sum(self.moments.sums)
        return self.shift.scaling.tally(labels, totals, centroids, moments, n_changed)

    def _changes(self, now: Floats, old: Floats) -> "Changes":
        return self.rows.gather(changes_of_part, merge_changes, self.shift, now, old)

    def _anew(self, now: Floats) -> Floats:
        return tree_sum(self.rows.gather(_sums, merge_branches, self.shift, now))

    def farthest(self, centroids: Floats, labels: Any) -> Iterator[Far]:
        """Yield the points that are not on their centroid, the farthest first."""
        n_known, n, own = 0, FEW, labels.centroids
        while True:
            far = self.rows.gather(_farthest, _first, self.shift, centroids, own, n)
            yield from (one for _, one in far.found[n_known:])
            if len(far.found) < n:
                return
            n_known, n = n, 4 * n

    def mean_variance(self) -> float:
        """Return the weighted variance of each column, averaged over the columns."""
        sums, weights = self.moments
        return mean_variance(tree_sum(sums), float(tree_sum(weights)))


# ---- The work for one part -----------------------------------------------------------


class Moments(NamedTuple):
    """The moments of points, which give their variance, and their total weight."""

    sums: Branches
    weights: Branches


def moments_of_part(part: Part, shift: Shift) -> Moments:
    """Return the moments of a part."""
    sweep = shift.sweep(part.points, part.weights)
    return Moments(
        branches(sweep.moments, part.piece), branches(sweep.piece_weights, part.piece)
    )


def merge_moments(parts: list[Moments]) -> Moments:
    """Return the moments of several parts."""
    sums, weights = zip(*parts)
    return Moments(merge_branches(sums), merge_branches(weights))


def _sums(part: Part, shift: Shift, now: Floats) -> Branches:
    sweep = shift.sweep(part.points, part.weights)
    sweep.relabel(now)
    return branches(sweep.sums_of_pieces(sweep.labels), part.piece)


class Changes(NamedTuple):
    """How the sums of clusters change; weight and number of the points that changed."""

    sums: Branches
    weights: Branches
    n: int


def changes_of_part(part: Part, shift: Shift, now: Floats, old: Floats) -> Changes:
    """Return the changes in a part when centroids move."""
    sweep = shift.sweep(part.points, part.weights)
    sweep.relabel(old)
    before, changed = sweep.relabel(now)
    sums = sweep.changes_of_pieces(changed, before, sweep.labels)
    weights = sweep.weights_of_pieces(changed)
    return Changes(
        branches(sums, part.piece), branches(weights, part.piece), len(changed)
    )


def merge_changes(parts: list[Changes]) -> Changes:
    """Return the changes in several parts."""
    sums, weights, numbers = zip(*parts)
    return Changes(merge_branches(sums), merge_branches(weights), sum(numbers))


class Farthest(NamedTuple):
    """At most n points, the farthest first, each with its sort key."""

    n: int
    found: list[tuple[tuple[float, ...], Far]]


def _farthest(
    part: Part, shift: Shift, centroids: Floats, own: Floats, n: int
) -> Farthest:
    """Return the farthest points, whose labels are those of the centroids `own`."""
    sweep = shift.sweep(part.points, part.weights)
    sweep.relabel(own)
    found = []
    for far in islice(sweep.farthest(centroids, sweep.labels), n):
        away = far.point - centroids[far.label]
        distance = sum(float(way) * float(way) for way in away)
        found.append(((-distance, *far.point.tolist()), far))
    return Farthest(n, found)


def _first(parts: list[Farthest]) -> Farthest:
    """Merge the farthest points of several parts; copies become one point."""
    found: list[tuple[tuple[float, ...], Far]] = []
    for key, far in heapq.merge(
        *(part.found for part in parts), key=lambda one: one[0]
    ):
        if found and found[-1][0] == key:
            same = found[-1][1]
            found[-1] = key, far._replace(weight=same.weight + far.weight)
        elif len(found) < parts[0].n:
            found.append((key, far))
        else:
            break
    return Farthest(parts[0].n, found)
