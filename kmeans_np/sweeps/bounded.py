"""A pass that looks only at the points that may have changed cluster.

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
from kmeans_np.sweeps.scaling import (
    Scaling,
    find_scaling,
    mean_variance,
    sample_step,
)
from kmeans_np.sweeps.totals import (
    FEW_FEATURES,
    RunningTotals,
    change_of_totals,
    cluster_totals,
)
from kmeans_np.threads import in_threads, one_blas_thread
from kmeans_np.tree_sums import branches, pieces, tree_sum

# How many numbers are looked at together, as many as fit the second-level cache; and of
# how many points at most.
TABLE, LARGEST_TABLE = 2**19, 2**15
# How many points a block has at most and at least, and how many operations a look at
# all of them takes, about.
LARGEST_BLOCK, SMALLEST_BLOCK, BLOCK_WORK = 2**17, 2**13, 2**28
# How many points are added up together; how many `farthest` orders first.
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
    0.2 more for each column, in each thread.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.
    block_size : int, optional
        The number of points whose clusters' drifts are kept together. When not given,
        such that a look at all of them takes some milliseconds.
    scaling : Scaling, optional
        From where to look at the points, if they are a part of others. When not given,
        from their own middle.

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
        scaling: Scaling | None = None,
    ) -> None:
        super().__init__(points, weights)
        n, d = self.points.shape
        self.block_size = block_size
        self.weighted = not (self.weights == 1).all()
        self.piece_weights = [*self.weights_of_pieces()]
        self.scaling = scaling or find_scaling(self.points[:: sample_step(n)])
        self.rows = np.empty((n, d + 1), np.float32)
        self.squares = np.empty(n, np.float32)
        self.moments = in_threads(self._prepare, pieces(n, d), 8 * n * d)
        # What is known since the last pass; no labels, nothing.
        self.labels: Any = None
        self.centroids = np.empty((0, d))
        self.deadlines = np.empty(n, np.float32)
        self.totals = RunningTotals(n)
        # How many points the last pass looked at: about as many as the next will.
        self.n_due = n

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        old, changed = self.relabel(centroids)
        # If the pass does not come to its end, nothing is known.
        new, self.labels = self.labels, None

        def anew() -> Floats:
            return tree_sum(branches(self.sums_of_pieces(new)))

        def change() -> Floats:
            return tree_sum(branches(self.changes_of_pieces(changed, old, new)))

        known = old is not None
        totals = self.totals.bring_up(len(changed), anew, change if known else None)
        self.labels = new
        weights = self.piece_weights
        if previous is not None:
            where = changed if previous is old else np.flatnonzero(new != previous)
            weights = [*self.weights_of_pieces(where)]
        n_changed = float(tree_sum(branches(weights)))
        return self.scaling.tally(new, totals, centroids, self._moments(), n_changed)

    def relabel(self, centroids: Floats) -> tuple[Any, Array]:
        """Bring `labels` up to date with centroids (k, d).

        Returns what they were, None if nothing was known, and which points changed.
        """
        old = self.labels if len(centroids) == len(self.centroids) else None
        if old is None:
            self._begin(len(centroids))
            new = np.empty(len(self.points), np.min_scalar_type(-len(centroids)))
        else:
            self.drifts += self._movement(centroids)
            new = old.copy()
        self.labels, self.centroids = None, centroids.copy()
        blocks = range(0, len(new), self.step)
        with np.errstate(over="ignore", invalid="ignore"):
            factors = self._factors(np.float32)

        def look(start: int) -> tuple[Array, int]:
            # What overflows float32 is infinite or NaN, and never decides anything.
            with np.errstate(over="ignore", invalid="ignore"):
                return self._look(start, old, new, factors)

        # About a product, and what is said of it, for each distance; all else, once.
        k, d = centroids.shape
        n_operations = self.n_due * k * (d + 8) + 8 * len(new)
        with one_blas_thread():
            looked = in_threads(look, blocks, n_operations)
        changed = np.concatenate([found for found, _ in looked])
        self.n_due = sum(n_due for _, n_due in looked)
        # Handed out, and what the next pass goes on from: not to be written to.
        new.flags.writeable = False
        self.labels = new if old is None or len(changed) else old
        return old, changed

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
        total_weight = float(tree_sum(branches(self.piece_weights)))
        return mean_variance(self._moments(), total_weight)

    def _moments(self) -> Floats:
        return tree_sum(branches(self.moments))

    # ---- What is computed once ---------------------------------------------------

    def _prepare(self, piece: slice) -> Floats:
        """Fill rows with x - center, 1 and |x - center|^2; return their moments."""
        d = self.points.shape[1]
        moments, step = np.zeros(d + 1), max(64, 2**15 // d)
        for first in range(piece.start, piece.stop, step):
            block = slice(first, min(first + step, piece.stop))
            rows, squares = self.rows[block], self.squares[block]
            x, norms = self._fill(rows, squares, self.points[block])
            moments[0] += (self.weights[block] * norms).sum()
            moments[1:] += np.einsum("i,ij->j", self.weights[block], x)
        return moments

    def _fill(
        self, rows: Array, squares: Array, points: Array
    ) -> tuple[Floats, Floats]:
        """Write rows and squares of points; return x - center and |x - center|^2."""
        # Few columns are faster one by one, each in one piece.
        order: Any = "F" if points.shape[1] <= FEW_FEATURES else "C"
        x = points.astype(np.float64, order=order)
        x -= self.scaling.center
        norms = _norms(x)
        with np.errstate(over="ignore"):
            rows[:, :-1] = x * self.scaling.scale
            rows[:, -1] = 1
            squares[:] = norms * self.scaling.scale**2
        return x, norms

    # ---- What a pass consists of -------------------------------------------------

    def _begin(self, k: int) -> None:
        """Begin anew, with k clusters."""
        n, d = self.points.shape
        fit = max(BLOCK_WORK // (k * (d + 8)), SMALLEST_BLOCK)
        step = self.block_size or min(fit, LARGEST_BLOCK)
        # Blocks of about the same size: none that is hardly worth its overhead.
        self.step = -(-n // -(-n // step))
        self.drifts = np.zeros((-(-n // self.step), k))

    def _movement(self, centroids: Floats) -> Floats:
        """How far each centroid and the fastest of the others moved together."""
        moved = np.sqrt(_norms(centroids - self.centroids)) * self.scaling.scale
        fastest = moved.argmax()
        others = np.full(len(moved), moved[fastest])
        others[fastest] = np.delete(moved, fastest).max(initial=0)
        return np.asarray(np.minimum(moved + others, FAR))

    def _factors(self, dtype: Any) -> Array:
        """What rows are multiplied with for |c|^2 - 2 x c; (k, d + 1)."""
        c: Floats = self.scaling.apply(self.centroids, np.float64)
        return np.hstack([-2 * c, _norms(c)[:, np.newaxis]]).astype(dtype)

    def _look(
        self, start: int, old: Any, new: Array, factors: Array
    ) -> tuple[Array, int]:
        """Look at the points of a block whose deadline has come.

        Writes their labels and deadlines. Returns which of the points of the block
        changed their label, in the first pass none, and how many were looked at.
        """
        block = slice(start, min(start + self.step, len(new)))
        drift = self.drifts[start // self.step]
        step = min(max(64, TABLE // len(factors.T)), LARGEST_TABLE)
        due = self._due(block, drift, old)
        if due is None:
            drift[:] = 0
        n_due = block.stop - start if due is None else len(due)
        changed = [np.empty(0, np.intp)]
        for first in range(0, n_due, step):
            where: Where = slice(start + first, min(start + first + step, block.stop))
            if due is not None:
                where = due[first : first + step]
            own = None if old is None else _pick(old, where)
            rows, squares = _pick(self.rows, where), _pick(self.squares, where)
            labels, gaps = nearest_by_products(rows, squares, factors, own)
            unsure = np.flatnonzero(~(gaps > 0))
            if len(unsure):
                closely = self._look_closely(_numbers(where, unsure))
                labels[unsure], gaps[unsure] = closely
            self._promise(where, labels, gaps, drift)
            if own is None:
                new[where] = labels
            else:
                other = np.flatnonzero(labels != own)
                changed.append(_numbers(where, other))
                new[changed[-1]] = labels[other]
        return np.concatenate(changed), n_due

    def _due(self, block: slice, drift: Floats, old: Any) -> Array | None:
        """Return the points whose deadline has come; None for all of them."""
        if old is None:
            return None
        spent = (drift * UP).astype(np.float32).take(old[block], mode="clip")
        due = np.flatnonzero(self.deadlines[block] <= spent)
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
        if d <= FEW_FEATURES and len(where) * k * d <= 2**14:
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

    def sums_of_pieces(self, labels: Array) -> list[Floats]:
        """Return the sums and counts, (k, d + 1), of the points in each piece."""
        (n, d), k = self.points.shape, len(self.centroids)

        def sums(piece: slice) -> Floats:
            totals = np.zeros((k, d + 1))
            for start in range(piece.start, piece.stop, PIECE):
                part = slice(start, min(start + PIECE, piece.stop))
                weights = self.weights[part] if self.weighted else None
                totals += cluster_totals(self.points[part], labels[part], k, weights)
            return totals

        return in_threads(sums, pieces(n, d), 8 * n * d)

    def weights_of_pieces(self, who: Array | None = None) -> Iterator[Floats]:
        """Yield the sum of the weights of some points, or of all, in each piece."""
        parts: list[Any] = pieces(*self.points.shape)
        if who is not None:
            ends = np.searchsorted(who, [piece.stop for piece in parts])
            parts = np.split(who, ends[:-1])
        for some in parts:
            yield np.asarray(self.weights[some].sum())

    def changes_of_pieces(self, changed: Array, old: Array, new: Array) -> list[Floats]:
        """Return how these have changed with the labels of the points `changed`."""
        (n, d), k = self.points.shape, len(self.centroids)
        cut = pieces(n, d)
        ends = np.searchsorted(changed, [piece.stop for piece in cut])

        def change(who: Array) -> Floats:
            totals = np.zeros((k, d + 1))
            for start in range(0, len(who), PIECE):
                some = who[start : start + PIECE]
                points = _pick(self.points, some)
                weights = self.weights[some] if self.weighted else None
                totals += change_of_totals(points, new[some], old[some], k, weights)
            return totals

        return in_threads(change, np.split(changed, ends[:-1]), 16 * len(changed) * d)


def _norms(vectors: Array) -> Floats:
    """Return the squared length of each row, whatever other rows there are."""
    if vectors.shape[1] > FEW_FEATURES:
        return np.asarray(np.einsum("ij,ij->i", vectors, vectors))
    total = np.square(vectors[:, 0])
    for column in vectors.T[1:]:
        total += column * column
    return np.asarray(total)


def _numbers(where: Where, places: Array) -> Array:
    """Return which points are at these places among those picked."""
    return where.start + places if isinstance(where, slice) else where[places]


def _pick(array: Array, where: Where) -> Array:
    # take is up to five times as fast as an index, unless it has to copy all first; and
    # twice as fast as that if it need not check for an IndexError before it begins.
    if isinstance(where, slice) or not array.flags.c_contiguous:
        return array[where]
    return array.take(where, axis=0, mode="clip")
