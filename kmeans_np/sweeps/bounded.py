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
from kmeans_np.sweeps.totals import cluster_totals, inertia_from_totals
from kmeans_np.threads import in_threads

# How many distances are looked at together: as many as fit the second-level cache.
TABLE = 2**17
# How many multiplications OpenBLAS, which NumPy multiplies with, does without threads
# of its own. They and ours would wait for each other.
PRODUCT = 2**18
# How many numbers make it worth while to start threads: fewer centroids times columns,
# or points times columns to be added up, are done before they help.
HEAVY, LONG = 2**12, 2**18
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
    deadlines with the drifts, and looks only at the points whose deadline has come: a
    fifth of them, on average. This is Hamerly's bound [1]_ in the form of a sum that
    need not be updated for each point [2]_.

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
    centroid's last bit decides them.) The answer does not depend on the number of
    threads, nor on how many a matrix product takes.

    The memory needed is 4 d + 12 bytes for each point, 1 to 4 for each array of labels,
    up to 16 for each point that changes cluster; and for blocks, in each thread, some
    2 megabytes, and 0.2 more for each column.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.
    block_size : int, optional
        The number of points that a thread takes at a time. When not given, such that
        there is work for some milliseconds.

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
        self.rows = np.empty((n, d + 2), np.float32)
        parts = in_threads(self._prepare, range(0, n, PIECE))
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
        factors = self._factors(np.float32)
        blocks = range(0, len(new), self.step)
        threads = in_threads if old is None or centroids.size >= HEAVY else map
        parts = threads(lambda start: self._look(start, old, new, factors), blocks)
        changed = np.concatenate([*parts])
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
            in_threads(lambda b: _norms(centroids[labels[b]] - self.points[b]), blocks)
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
        total = self.scatter - float((self.lever**2).sum()) / self.mass
        return max(total, 0.0) / self.mass / len(self.lever)

    # ---- What is computed once ---------------------------------------------------

    def _prepare(self, start: int) -> tuple[float, Floats]:
        """Fill rows with x - center, 1 and |x - center|^2; add up the latter."""
        scatter, lever = 0.0, np.zeros(len(self.center))
        step = max(64, 2**15 // len(lever))
        for first in range(start, min(start + PIECE, len(self.points)), step):
            block = slice(first, min(first + step, start + PIECE))
            x, squares = self._fill(self.rows[block], self.points[block])
            scatter += float((self.weights[block] * squares).sum())
            lever += np.einsum("i,ij->j", self.weights[block], x)
        return scatter, lever

    def _fill(self, rows: Array, points: Array) -> tuple[Floats, Floats]:
        """Write the rows of points; return x - center and |x - center|^2."""
        x = np.subtract(points, self.center, dtype=np.float64)
        squares = _norms(x)
        with np.errstate(over="ignore"):
            np.multiply(x, self.scale, out=rows[:, :-2], casting="same_kind")
            rows[:, -2] = 1
            rows[:, -1] = squares * self.scale**2
        return x, squares

    # ---- What a pass consists of -------------------------------------------------

    def _begin(self, k: int) -> None:
        """Begin anew, with k clusters."""
        n, d = self.points.shape
        step = self.block_size or min(max(2**25 // (k * (d + 8)), 2**13), 2**16)
        # Blocks of about the same size, so that no thread waits long for another.
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
        """What rows are multiplied with for squared distances; (k, d + 2)."""
        c = (self.centroids - self.center) * self.scale
        squares = _norms(c)[:, np.newaxis]
        with np.errstate(over="ignore"):
            return np.hstack([-2 * c, squares, np.ones_like(squares)]).astype(dtype)

    def _look(self, start: int, old: Any, new: Array, factors: Array) -> Array:
        """Look at the points of a block whose deadline has come.

        Writes their labels and deadlines. Returns which of the points of the block
        changed their label; in the first pass, none.
        """
        block = slice(start, min(start + self.step, len(new)))
        drift = self.drifts[start // self.step]
        step = max(64, min(TABLE // len(factors), 4 * TABLE // len(factors.T)))
        table = np.empty(len(factors) * step, factors.dtype)
        due = self._due(block, drift, old)
        if all_due := due is None:
            drift[:] = 0
            due = np.arange(start, block.stop)
        unsure = []
        for first in range(0, len(due), step):
            some = due[first : first + step]
            where = slice(some[0], some[-1] + 1) if all_due else some
            own = None if old is None else _pick(old, where)
            labels, gaps = _nearest(_pick(self.rows, where), factors, own, table)
            new[where] = labels
            self._promise(where, labels, gaps, drift)
            unsure.append(some[~(gaps > 0)])
        if sum(map(len, unsure)):
            where = np.concatenate(unsure)
            new[where], gaps = self._look_closely(where)
            self._promise(where, new[where], gaps, drift)
        before = new if old is None else old
        return np.flatnonzero(new[block] != before[block]) + start

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
        step = max(64, TABLE // 2 // max(k, d))
        factors = self._factors(np.float64)
        table = np.empty(k * min(step, len(where)))
        for start in range(0, len(where), step):
            part = slice(start, start + step)
            points = self.points[where[part]]
            rows = np.empty((len(points), d + 2))
            self._fill(rows, points)
            labels[part], gap = _nearest(rows, factors, None, table)
            close = np.flatnonzero(~(gap > 0))
            gap[close] = 0
            labels[part][close] = nearest_directly(points[close], self.centroids)
            gaps[part] = gap
        return labels, gaps

    # ---- Sums --------------------------------------------------------------------

    def _add_up_changes(self, changed: Array, old: Any, new: Array) -> None:
        """Bring the sums and counts, `totals`, up to date with the new labels."""
        self.n_since += len(changed)
        # A few points are added up anew: as fast, and to the last bit as the textbook.
        if old is not None and max(PIECE, 2 * self.n_since) < len(new):
            totals = self.totals + self._add_up(changed, new, old)
            # Where little is left of a cluster, rounding would be too large a part of
            # it; and an empty one must come out as exactly 0.
            if (totals[:, -1] >= self.counts / 1024).all():
                self.totals = totals
                return
        self.totals = self._add_up(slice(0, len(new)), new)
        self.counts, self.n_since = self.totals[:, -1].copy(), 0

    def _add_up(self, where: Where, labels: Array, old: Any = None) -> Floats:
        """Sums and count, (k, d + 1), of some points of each cluster, with weights.

        Minus those by the old labels, if there are such.
        """
        k, d = self.centroids.shape
        size = where.stop if isinstance(where, slice) else len(where)

        def work(start: int) -> Floats:
            part = slice(start, min(start + PIECE, size))
            some = part if isinstance(where, slice) else where[part]
            points = _pick(self.points, some)
            weights = self.weights[some] if self.weighted else None
            totals = cluster_totals(points, labels[some], k, weights)
            if old is not None:
                totals -= cluster_totals(points, old[some], k, weights)
            return totals

        pieces = range(0, size, PIECE)
        parts = in_threads(work, pieces) if size * d >= LONG else map(work, pieces)
        return sum(parts, np.zeros((k, d + 1)))


def _norms(vectors: Array) -> Floats:
    """Return the squared length of each row."""
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors))


def _pick(array: Array, where: Where) -> Array:
    # take is up to five times as fast as an index, unless it has to copy all first; and
    # twice as fast as that if it need not check for an IndexError before it begins.
    if isinstance(where, slice) or not array.flags.c_contiguous:
        return array[where]
    return array.take(where, axis=0, mode="clip")


def _nearest(
    rows: Array, factors: Array, own: Any, table: Array
) -> tuple[Array, Array]:
    """Find the nearest centroids of some points, and the gaps to the second nearest.

    Parameters
    ----------
    rows : (m, d + 2) array of floats
        The points, as `BoundedSweep._fill` writes them.
    factors : (k, d + 2) array of floats
        The centroids, as `BoundedSweep._factors` gives them.
    own : (m,) array of int or None
        Labels that are mostly right, if there are such.
    table : (m k,) array of floats, or larger
        Memory for the distances.

    Returns
    -------
    labels : (m,) array of int
        The nearest centroids; where the gap is positive, there is no doubt.
    gaps : (m,) array of floats
        By how much nearer, at least, the nearest centroid is than any other. NaN, or
        not above 0, where rounding may decide.
    """
    m, k = len(rows), len(factors)
    distances = table[: k * m].reshape(k, m)
    # What overflowed float32 is infinite or becomes NaN, and never decides anything.
    with np.errstate(over="ignore", invalid="ignore"):
        _multiply(factors, rows, distances)
        first = distances.min(axis=0)
        flat, place = distances.reshape(-1), np.arange(m)
        if own is None:
            labels = np.zeros(m, np.intp)
            wrong, rest, best = place, distances, first
        else:
            labels = own.astype(np.intp)
            wrong = np.flatnonzero(flat.take(labels * m + place) != first)
            rest, best = distances.take(wrong, axis=1), first[wrong]
        # To compare with the known minimum is far faster than argmin over columns.
        numbers = np.arange(k, dtype=np.min_scalar_type(k - 1))[:, np.newaxis]
        labels[wrong] = ((rest == best).view(np.uint8) * numbers).max(axis=0)
        flat[labels * m + place] = np.inf
        return labels, _gaps(first, distances.min(axis=0), rows)


def _multiply(factors: Array, rows: Array, out: Array) -> None:
    """Write factors @ rows.T, in parts that OpenBLAS multiplies without threads."""
    (m, width), k = rows.shape, len(factors)
    # Measured: from 16 to 256 points and up to 64 centroids at a time are fastest.
    size = min(max(16, PRODUCT // (min(k, 64) * width) // 16 * 16), 256)
    step = max(1, min(64, PRODUCT // (size * width)))
    even = m // size * size
    # Turned beforehand, a few columns are multiplied faster; many are, as they are.
    columns = np.ascontiguousarray(rows.T) if width <= 18 else rows.T
    parts = columns[:, :even].reshape(width, -1, size).transpose(1, 0, 2)
    for i in range(0, k, step):
        some = factors[i : i + step]
        whole = out[i : i + step, :even].reshape(len(some), -1, size)
        np.matmul(some, parts, out=whole.transpose(1, 0, 2))
        np.matmul(some, columns[:, even:], out=out[i : i + step, even:])


def _gaps(first: Array, second: Array, rows: Array) -> Array:
    """Return by how much two distances differ at least; their squares are given.

    A product of d + 2 terms in any order is off by at most (d + 2) u times the sum of
    their absolute values, with u the largest rounding of one operation; here, that is
    (|x| + |c|)^2, and since |c| <= |x| + |x - c|, at most 8 |x|^2 + 2 |x - c|^2. The
    rounding of the terms themselves and of what is done here adds some u more. We allow
    for all of it twice: the second time is for what the textbook rounds.
    """
    dtype = rows.dtype.type
    slack = (rows.shape[1] + 16) * np.finfo(dtype).eps
    allowance = rows[:, -1] * dtype(8 * slack) + np.finfo(dtype).tiny * dtype(2**10)
    low = np.maximum((second - allowance) * dtype(1 - 3 * slack), 0)
    high = (first + allowance) * dtype(1 + 3 * slack)
    return np.asarray(np.sqrt(low) - np.sqrt(high))
