"""A pass over points that lie elsewhere, in parts.

What this file adds: a pass of which every part of the points does its own share,
wherever it lies, and sends back only what adds up: sums, counts, and the few points
that are farthest. They are added up as in `BoundedSweep`, piece by piece in a tree, so
the answer is the same to the last bit, however the points are cut into parts of whole
pieces. Nobody keeps labels: they are those of the nearest centroids, and are computed
when they are read. What it leaves out: where the parts are, and who does their share
(`kmeans_np.blocks`).
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmeans_np.blocks.sliced import Place
from kmeans_np.blocks.views import View
from kmeans_np.lloyd import Array, Far, Floats, Sweep, Tally
from kmeans_np.pieces import Branches, branches, joined, piece_of, tree_sum
from kmeans_np.sweeps.bounded import BoundedSweep
from kmeans_np.sweeps.frame import Frame, mean_variance
from kmeans_np.sweeps.totals import RunningTotals

# How many of the farthest points are asked for at first.
FEW = 64

Found = TypeVar("Found")


class Parts(Protocol):
    """Points that lie in parts, elsewhere.

    Attributes
    ----------
    shape : (n, d)
        How many points there are, and with how many features.
    dtype : numpy.dtype
        Their type.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def gather(
        self,
        look: Callable[..., Found],
        merge: Callable[[list[Found]], Found],
        *args: Any,
    ) -> Found:
        """Have every part looked at, and merge what is found.

        `look(points, start, *args)` is called with the points (m, d) of each part and
        the number of its first among all, where a piece begins. It, and `merge`, must
        be functions of a module, so that they can be sent to another process.
        """

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> Any:
        """Return what `work(points, *args)` gives for each point, as a lazy array."""


class Seen(NamedTuple):
    """From where the points are seen: their origin, and their frame."""

    origin: Floats
    frame: Frame

    def sweep(self, points: Array) -> BoundedSweep:
        """Return a pass over the points of a part."""
        return BoundedSweep(self.moved(points), frame=self.frame)

    def moved(self, points: Array) -> Array:
        """Return points as seen from the origin."""
        return moved(points, self.origin)


def moved(points: Array, origin: Floats) -> Array:
    """Return points as seen from an origin; as they are, if that is 0."""
    if not origin.any():
        return points
    return np.subtract(points, origin, dtype=np.float64)


def label_rows(points: Array, centroids: Floats, seen: Seen) -> Array:
    """Return the nearest centroid of each of some points, which may be none."""
    if not len(points):
        return np.empty(0, np.int32)
    sweep = seen.sweep(points)
    sweep.relabel(centroids)
    return np.asarray(sweep.labels)


class NearestLabels(View):
    """Labels that nobody has written down: those of the nearest of some centroids.

    Parameters
    ----------
    parts : Parts
        The points.
    seen : Seen
        From where they are seen.
    centroids : (k, d) array of float64
        The centroids.
    """

    __slots__ = ("centroids", "parts", "seen")

    def __init__(self, parts: Parts, seen: Seen, centroids: Floats) -> None:
        self.parts, self.seen, self.centroids = parts, seen, centroids
        super().__init__(parts.shape[:1], np.dtype(np.int32), None, self._look)

    def _look(self, place: Place) -> Array:
        each = self.parts.each(label_rows, self.dtype, self.centroids, self.seen)
        return np.asarray(each[place])

    def without(self, empty: NDArray[np.bool_]) -> "NearestLabels":
        """Return the labels without the numbers of these clusters, which are empty."""
        return NearestLabels(self.parts, self.seen, self.centroids[~empty])


class PartedSweep(Sweep):
    """A pass over points that lie elsewhere, in parts.

    Parameters
    ----------
    parts : Parts
        The points; none of them is kept.
    seen : Seen
        From where they are seen.
    """

    def __init__(self, parts: Parts, seen: Seen) -> None:
        self.parts, self.seen = parts, seen
        self.moments = tree_sum(parts.gather(_moments, joined, seen))
        # The centroids of the last pass that came to its end; None if there was none.
        self.last: Floats | None = None
        self.totals = RunningTotals(parts.shape[0])

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        now, old = centroids.copy(), self.last
        if old is not None and len(old) != len(now):
            old = None
        n_changed, change = 0, None
        if old is not None:
            share = self.parts.gather(_changes, _sum_of_shares, self.seen, now, old)
            n_changed, change = share.n_changed, lambda: tree_sum(share.changes)
        totals = self.totals.bring_up(n_changed, lambda: self._anew(now), change)
        self.last = now
        if previous is None:
            n_changed = self.parts.shape[0]
        elif previous.centroids is not old:
            share = self.parts.gather(
                _changes, _sum_of_shares, self.seen, now, previous.centroids
            )
            n_changed = share.n_changed
        labels = NearestLabels(self.parts, self.seen, now)
        return self.seen.frame.tally(
            labels, totals, centroids, self.moments, float(n_changed)
        )

    def _anew(self, now: Floats) -> Floats:
        return tree_sum(self.parts.gather(_sums, joined, self.seen, now))

    def farthest(self, centroids: Floats, labels: Any) -> Iterator[Far]:
        """Yield the points that are not on their centroid, the farthest first."""
        n_known, n, own = 0, FEW, labels.centroids
        while True:
            far = self.parts.gather(_farthest, _first, self.seen, centroids, own, n)
            yield from (one for _, one in far.found[n_known:])
            if len(far.found) < n:
                return
            n_known, n = n, 4 * n

    def mean_variance(self) -> float:
        """Return the variance of each column, averaged over the columns."""
        return mean_variance(self.moments, self.parts.shape[0])


# ---- What the parts do ---------------------------------------------------------------


class Share(NamedTuple):
    """What a part, or several, add to a pass: who changed, and how much that is."""

    changes: Branches
    n_changed: int


def number_of_piece(points: Array, start: int) -> int:
    """Return the number of the first piece of a part."""
    return start // piece_of(points.shape[1])


def _moments(points: Array, start: int, seen: Seen) -> Branches:
    return branches(seen.sweep(points).moments, number_of_piece(points, start))


def _sums(points: Array, start: int, seen: Seen, now: Floats) -> Branches:
    sweep = seen.sweep(points)
    sweep.relabel(now)
    return branches(sweep.sums_of_pieces(sweep.labels), number_of_piece(points, start))


def _changes(points: Array, start: int, seen: Seen, now: Floats, old: Floats) -> Share:
    sweep = seen.sweep(points)
    sweep.relabel(old)
    before, changed = sweep.relabel(now)
    sums = sweep.changes_of_pieces(changed, before, sweep.labels)
    return Share(branches(sums, number_of_piece(points, start)), len(changed))


def _sum_of_shares(shares: list[Share]) -> Share:
    changes, changed = zip(*shares)
    return Share(joined(changes), sum(changed))


class Farthest(NamedTuple):
    """At most n points, the farthest first, each with what orders it."""

    n: int
    found: list[tuple[tuple[float, ...], Far]]


def _farthest(
    points: Array, _: int, seen: Seen, centroids: Floats, own: Floats, n: int
) -> Farthest:
    """Return the farthest points, whose labels are those of the centroids `own`."""
    sweep = seen.sweep(points)
    sweep.relabel(own)
    found = []
    for far in islice(sweep.farthest(centroids, sweep.labels), n):
        away = far.point - centroids[far.label]
        distance = sum(float(way) * float(way) for way in away)
        found.append(((-distance, *far.point.tolist()), far))
    return Farthest(n, found)


def _first(parts: list[Farthest]) -> Farthest:
    """Merge the farthest points of several parts; copies become one."""
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
