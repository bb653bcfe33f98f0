"""A pass that looks only at the points that may have changed cluster.

What this file adds: bounds. A point far inside its cluster stays there, however often
one looks; so compute when it may leave, and let it alone until then. What it leaves
out: to take many points at once, which the pass over cells does.

References
----------
.. [1] G. Hamerly, "Making k-means even faster", Proceedings of the 2010 SIAM
   International Conference on Data Mining, 130-140.
   :doi:`10.1137/1.9781611972801.12`
.. [2] J. Newling and F. Fleuret, "Fast k-means with accurate bounds", Proceedings of
   the 33rd International Conference on Machine Learning (2016), 936-944.
.. [3] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition
   (2002), chapter 3. :doi:`10.1137/1.9780898718027`
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np.lloyd import Array, Far, Floats, Sweep, Tally, Weights
from kmeans_np.sweeps.blocked import nearest_directly
from kmeans_np.sweeps.products import nearest_by_products
from kmeans_np.sweeps.totals import (
    FEW_FEATURES,
    change_of_totals,
    cluster_totals,
    inertia_from_totals,
)

# How many numbers are looked at together: as many as fit the second-level cache.
TABLE = 2**19
# How many points are prepared and added up together; how many `farthest` orders first.
PIECE, FEW = 2**14, 256
# Factors beyond all rounding of a few operations in float32; and how far is too far for
# it: when a centroid moves that far, all points are due.
UP, DOWN, FAR = 1 + 2.0**-21, np.float32(1 - 2.0**-21), 2.0**126

Where = slice | NDArray[np.intp]


class BoundedSweep(Sweep):
    """A pass that looks only at the points that may have changed cluster.

    When a point is looked at, it learns its distances to the nearest centroid and to
    the second nearest, and the gap between them. Later the centroids move. As long as
    the point's own centroid and the fastest of the others have together moved by less
    than the gap, no other can have become nearer, by the triangle inequality, and
    nobody needs to look. So for each cluster one adds up, from pass to pass, how far
    its centroid and the fastest other one moved: the cluster's drift. The drift at
    which a point's gap will be used up is the point's deadline. A pass compares the
    deadlines with the drifts, and looks only at the points whose deadline has come: all
    of them at first, few in the end. This is Hamerly's bound [1]_ in the form of a sum
    that need not be updated for each point [2]_.

    Distances to all centroids come from a matrix product,
    |x - c|^2 = |x|^2 - 2 x c + |c|^2, in float32, with the origin moved to the middle
    of the points. Where its rounding, which is bounded [3]_, might decide between the
    nearest two, the product is repeated in float64; and where that might, too, direct
    differences decide, as in the textbook. So the labels are the textbook's.

    The sums are corrected by the points that changed cluster, and made anew before
    rounding can add up. To the last bit they are the textbook's if no sum is rounded,
    as with integers, or if there are few points of few features; otherwise centroids
    agree to 1e-9 of the data's range. (Points that tie exactly, in data of rounded
    decimals, may go to another of the nearest clusters than in the textbook, since a
    centroid's last bit decides them.) The answer does not depend on how many threads a
    matrix product takes.

    The memory needed is 4 d + 12 bytes for each point, 1 to 4 for each array of labels,
    up to 16 for each point that changes cluster; and for blocks some 5 megabytes, and
    0.2 more for each column.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.
    block_size : int, optional
        The number of points whose clusters' drifts are kept together. When not given,
        such that a look at all of them takes some milliseconds.

    References
    ----------
    .. [1] G. Hamerly, "Making k-means even faster", Proceedings of the 2010 SIAM
       International Conference on Data Mining, 130-140.
       :doi:`10.1137/1.9781611972801.12`
    .. [2] J. Newling and F. Fleuret, "Fast k-means with accurate bounds", Proceedings
       of the 33rd International Conference on Machine Learning (2016), 936-944.
    .. [3] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition
       (2002), chapter 3. :doi:`10.1137/1.9780898718027`
    """

    def __init__(
        self,
        points: ArrayLike,
        weights: Weights = None,
        *,
        block_size: int | None = None,
    ) -> None:
        super().__init__(points, weights)
        n, d = self.points.shape
        self.block_size = block_size
        self.mass = float(self.weights.sum())
        self.weighted = not (self.weights == 1).all()
        # A place in the middle, and the size of things there, as a power of two.
        sample = self.points[:: -(-n // 1024)].astype(np.float64)
        self.center = sample[0] + (sample - sample[0]).mean(axis=0)
        typical = ((sample - self.center) ** 2).sum(axis=1).mean()
        self.scale = 2.0 ** -max(int(np.frexp(typical)[1]) // 2, -500)
        self.rows = np.empty((n, d + 1), np.float32)
        self.squares = np.empty(n, np.float32)
        parts = [self._prepare(start) for start in range(0, n, PIECE)]
        # The weighted sums of |x - center|^2 and x - center.
        self.scatter = float(sum(scatter for scatter, _ in parts))
        self.lever = np.sum([lever for _, lever in parts], axis=0)
        # What is known since the last pass; no labels, nothing.
        self.labels: Any = None
        self.centroids = np.empty((0, d))
        self.deadlines = np.empty(n, np.float32)
        # The sums and counts of the clusters, (k, d + 1); the counts when these were
        # last added up from the points; and how many points have changed since.
        self.totals, self.counts, self.n_since = np.empty((0, d + 1)), np.empty(0), 0

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        old = self.labels if len(centroids) == len(self.centroids) else None
        if old is None:
            self._begin(len(centroids))
            new = np.empty(len(self.points), np.min_scalar_type(-len(centroids)))
        else:
            self.drifts += self._movement(centroids)
            new = old.copy()
        # If the pass does not come to its end, nothing is known.
        self.labels, self.centroids = None, centroids.copy()
        blocks = range(0, len(new), self.step)
        # What overflows float32 is infinite or becomes NaN, and never decides anything.
        with np.errstate(over="ignore", invalid="ignore"):
            factors = self._factors(np.float32)
            parts = [self._look(start, old, new, factors) for start in blocks]
        changed = np.concatenate(parts)
        self._add_up_changes(changed, old, new)
        # Handed out, and what the next pass goes on from: not to be written to.
        new.flags.writeable = False
        self.labels = new if old is None or len(changed) else old
        n_changed = self.mass
        if previous is not None:
            where = changed if previous is old else self.labels != previous
            n_changed = float(self.weights[where].sum())
        sums, counts = self.totals[:, :-1].copy(), self.totals[:, -1].copy()
        inertia = inertia_from_totals(
            sums, counts, centroids, self.center, self.scatter
        )
        return Tally(self.labels, sums, counts, inertia, n_changed)

    def farthest(self, centroids: Floats, labels: Any) -> Iterator[Far]:
        """Yield the points that are not on their centroid, the farthest first."""
        # Few are asked for. So order only those that may be among the first, by
        # distances that are right but for rounding, and the others if it comes to that.
        blocks = [slice(i, i + PIECE) for i in range(0, len(self.points), PIECE)]
        rough = np.concatenate(
            [_norms(centroids[labels[b]] - self.points[b]) for b in blocks]
        )
        rough[self.weights == 0] = 0
        limit = np.partition(rough, -FEW)[-FEW] if len(rough) > FEW else 0.0
        some = rough >= limit * (1 - 1e-9)
        few = Sweep(self.points[some], self.weights[some])
        for far in few.farthest(centroids, labels[some]):
            if ((far.point - centroids[far.label]) ** 2).sum() >= limit:
                yield far
        if limit > 0:
            for far in super().farthest(centroids, labels):
                if ((far.point - centroids[far.label]) ** 2).sum() < limit:
                    yield far

    def mean_variance(self) -> float:
        """Return the weighted variance of each column, averaged over the columns."""
        # Divided first, since a square of sums of large numbers may be infinite.
        total = self.scatter - float((self.lever / self.mass * self.lever).sum())
        return max(total, 0.0) / self.mass / len(self.lever)

    # ---- What is computed once ---------------------------------------------------

    def _prepare(self, start: int) -> tuple[float, Floats]:
        """Fill rows with x - center, 1 and |x - center|^2; add up the latter."""
        scatter, lever = 0.0, np.zeros(len(self.center))
        step = max(64, 2**15 // len(lever))
        for first in range(start, min(start + PIECE, len(self.points)), step):
            block = slice(first, min(first + step, start + PIECE))
            rows, squares = self.rows[block], self.squares[block]
            x, norms = self._fill(rows, squares, self.points[block])
            scatter += float((self.weights[block] * norms).sum())
            lever += np.einsum("i,ij->j", self.weights[block], x)
        return scatter, lever

    def _fill(
        self, rows: Array, squares: Array, points: Array
    ) -> tuple[Floats, Floats]:
        """Write rows and squares of points; return x - center and |x - center|^2."""
        # Few columns are faster one by one, each in one piece.
        order: Any = "F" if points.shape[1] <= FEW_FEATURES else "C"
        x = points.astype(np.float64, order=order)
        x -= self.center
        norms = _norms(x)
        with np.errstate(over="ignore"):
            rows[:, :-1] = x * self.scale
            rows[:, -1] = 1
            squares[:] = norms * self.scale**2
        return x, norms

    # ---- What a pass consists of -------------------------------------------------

    def _begin(self, k: int) -> None:
        """Begin anew, with k clusters."""
        n, d = self.points.shape
        step = self.block_size or min(max(2**25 // (k * (d + 8)), 2**13), 2**16)
        # Blocks of about the same size: none that is hardly worth its overhead.
        self.step = -(-n // -(-n // step))
        self.drifts = np.zeros((-(-n // self.step), k))

    def _movement(self, centroids: Floats) -> Floats:
        """How far each centroid and the fastest of the others moved together."""
        moved = np.sqrt(_norms(centroids - self.centroids)) * self.scale
        fastest = moved.argmax()
        others = np.full(len(moved), moved[fastest])
        others[fastest] = np.delete(moved, fastest).max(initial=0)
        return np.asarray(np.minimum(moved + others, FAR))

    def _factors(self, dtype: Any) -> Array:
        """What rows are multiplied with for |c|^2 - 2 x c; (k, d + 1)."""
        c = (self.centroids - self.center) * self.scale
        return np.hstack([-2 * c, _norms(c)[:, np.newaxis]]).astype(dtype)

    def _look(self, start: int, old: Any, new: Array, factors: Array) -> Array:
        """Look at the points of a block whose deadline has come.

        Writes their labels and deadlines. Returns which of the points of the block
        changed their label; in the first pass, none.
        """
        block = slice(start, min(start + self.step, len(new)))
        drift = self.drifts[start // self.step]
        step = max(64, TABLE // len(factors.T))
        due = self._due(block, drift, old)
        if all_due := due is None:
            drift[:] = 0
            due = np.arange(start, block.stop)
        changed = [due[:0]]
        for first in range(0, len(due), step):
            some = due[first : first + step]
            where = slice(some[0], some[-1] + 1) if all_due else some
            own = None if old is None else _pick(old, where)
            rows, squares = _pick(self.rows, where), _pick(self.squares, where)
            labels, gaps = nearest_by_products(rows, squares, factors, own)
            unsure = np.flatnonzero(~(gaps > 0))
            if len(unsure):
                labels[unsure], gaps[unsure] = self._look_closely(some[unsure])
            self._promise(where, labels, gaps, drift)
            if own is None:
                new[where] = labels
            else:
                other = np.flatnonzero(labels != own)
                changed.append(some[other])
                new[changed[-1]] = labels[other]
        return np.concatenate(changed)

    def _due(self, block: slice, drift: Floats, old: Any) -> Array | None:
        """Return the points whose deadline has come; None for all of them."""
        if old is None:
            return None
        spent = (drift * UP).astype(np.float32).take(old[block], mode="clip")
        due = np.flatnonzero(~(self.deadlines[block] > spent))
        # To go through all rows is faster than to pick more than this of them.
        return None if len(due) > 0.7 * len(spent) else due + block.start

    def _promise(self, where: Where, labels: Array, gaps: Array, drift: Floats) -> None:
        """Write the deadlines of points with these gaps."""
        ends = (gaps + drift.astype(np.float32).take(labels)) * DOWN
        self.deadlines[where] = np.minimum(ends, FAR / 2)

    def _look_closely(self, where: Array) -> tuple[Array, Array]:
        """Return labels and gaps of some points, by products in float64.

        What these cannot decide either, direct differences do; the gap is then 0.
        """
        k, d = self.centroids.shape
        labels, gaps = np.empty(len(where), np.intp), np.zeros(len(where))
        if len(where) * k * d <= 2**16:
            return nearest_directly(self.points[where], self.centroids), gaps
        step = max(64, TABLE // 4 // max(k, d))
        factors = self._factors(np.float64)
        for start in range(0, len(where), step):
            part = slice(start, start + step)
            points = self.points[where[part]]
            rows, squares = np.empty((len(points), d + 1)), np.empty(len(points))
            self._fill(rows, squares, points)
            labels[part], gap = nearest_by_products(rows, squares, factors)
            close = np.flatnonzero(~(gap > 0))
            gap[close] = 0
            labels[part][close] = nearest_directly(points[close], self.centroids)
            gaps[part] = gap
        return labels, gaps

    # ---- Sums --------------------------------------------------------------------

    def _add_up_changes(self, changed: Array, old: Any, new: Array) -> None:
        """Bring the sums and counts, `totals`, up to date with the new labels."""
        n = len(new)
        self.n_since += len(changed)
        few = 2 * len(changed) < n and self.n_since < 4 * n
        # A few points are added up anew: as fast, and to the last bit as the textbook.
        if old is not None and few and n > PIECE:
            totals = self.totals + self._add_up(changed, new, old)
            # Where little is left of a cluster, rounding would be too large a part of
            # it; and an empty one must come out as exactly 0.
            if (totals[:, -1] >= self.counts / 1024).all():
                self.totals = totals
                return
        self.totals = self._add_up(slice(0, n), new)
        self.counts, self.n_since = self.totals[:, -1].copy(), 0

    def _add_up(self, where: Where, labels: Array, old: Any = None) -> Floats:
        """Sums and count, (k, d + 1), of some points of each cluster, with weights.

        With old labels, how these have changed since.
        """
        k, d = self.centroids.shape
        totals = np.zeros((k, d + 1))
        size = where.stop if isinstance(where, slice) else len(where)
        for start in range(0, size, PIECE):
            part = slice(start, min(start + PIECE, size))
            some = part if isinstance(where, slice) else where[part]
            points = _pick(self.points, some)
            weights = self.weights[some] if self.weighted else None
            if old is None:
                totals += cluster_totals(points, labels[some], k, weights)
            else:
                totals += change_of_totals(points, labels[some], old[some], k, weights)
        return totals


def _norms(vectors: Array) -> Floats:
    """Return the squared length of each row."""
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors))


def _pick(array: Array, where: Where) -> Array:
    # take is up to five times as fast as an index, unless it has to copy all first; and
    # twice as fast as that if it need not check for an IndexError before it begins.
    if isinstance(where, slice) or not array.flags.c_contiguous:
        return array[where]
    return array.take(where, axis=0, mode="clip")
