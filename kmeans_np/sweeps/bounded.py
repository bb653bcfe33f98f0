"""A pass that examines only the points that may have changed cluster.

References
----------
.. [1] G. Hamerly, "Making k-means even faster", Proceedings of the 2010 SIAM
   International Conference on Data Mining, 130-140. :doi:`10.1137/1.9781611972801.12`
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

# The number of distances in a table, as many as fit the second-level cache; and the
# largest number of points for it.
TABLE, LARGEST_TABLE = 2**19, 2**15
# The largest and smallest number of points per block, and about how many operations a
# pass over a whole block takes.
LARGEST_BLOCK, SMALLEST_BLOCK, BLOCK_WORK = 2**17, 2**13, 2**28
# The number of points added up together; and the number that `farthest` sorts first.
PIECE, FEW = 2**14, 256
# Factors larger than the rounding of a few operations in float32; and a distance that
# is too large for it: if a centroid moves that far, all points are due.
UP, DOWN, FAR = 1 + 2.0**-21, np.float32(1 - 2.0**-21), 2.0**126

Where = slice | NDArray[np.intp]


class BoundedSweep(Sweep):
    """A pass that examines only the points that may have changed cluster.

    When a point is examined, its gap is found: the difference of its distances to the
    nearest and to the second nearest centroid. Later the centroids move. As long as the
    point's own centroid and the fastest of the others have together moved by less than
    the gap, no other can have become nearer, by the triangle inequality, and the point
    need not be examined. So for each cluster, the pass adds up how far its centroid and
    the fastest other one have moved: the cluster's drift. The drift at which the gap of
    a point will be used up is the point's deadline. A pass compares the deadlines with
    the drifts, and examines only the points whose deadline has come: all of them at
    first, few in the end. This is Hamerly's bound [1]_, in the form of a sum that need
    not be updated for each point [2]_.

    Distances to all centroids come from a matrix product, |x - c|^2 = |x|^2 - 2 x c +
    |c|^2, in float32, with the origin moved to the middle of the points. Where its
    rounding, which is bounded [3]_, might decide between the nearest two, the product
    is repeated in float64; where the rounding of that might decide, too, direct
    differences decide, as in the textbook. So the labels are the textbook's.

    The sums are corrected by the points that changed cluster, and recomputed before
    rounding can add up. They equal the textbook's to the last bit if no sum is rounded,
    as with integers, or if there are few points with few features; otherwise centroids
    agree to 1e-9 of the range of the data. (Exact ties, in data of rounded decimals,
    may be assigned to another of the nearest clusters than in the textbook, since the
    last bit of a centroid decides them.) The result does not depend on how many threads
    compute a matrix product.

    The memory needed is 4 d + 12 bytes per point, 1 to 4 bytes per point for each array
    of labels, up to 16 for each point that changes cluster; and in each thread about 5
    megabytes for blocks, and 0.2 more per column.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; by default, once.
    block_size : int, optional
        The number of points that share the drifts of their clusters; by default, such
        that examining all of them takes some milliseconds.
    scaling : Scaling, optional
        The centering and scaling of the points, if they are a part of others; by
        default, it is computed from the points.

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
        # The state after the last pass; without labels, nothing is known.
        self.labels: Any = None
        self.centroids = np.empty((0, d))
        self.deadlines = np.empty(n, np.float32)
        self.totals = RunningTotals(n)
        # The number of points that the last pass examined: the next will examine about
        # as many.
        self.n_due = n

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        old, changed = self.relabel(centroids)
        # If the pass is interrupted, nothing is known afterwards.
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

        Returns the previous labels, None if there were none, and which points changed.
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
            # Values that overflow float32 become infinite or NaN, and never decide
            # anything.
            with np.errstate(over="ignore", invalid="ignore"):
                return self._look(start, old, new, factors)

        # An estimate: a product and its comparisons for each distance, and a few
        # operations per point.
        k, d = centroids.shape
        n_operations = self.n_due * k * (d + 8) + 8 * len(new)
        with one_blas_thread():
            looked = in_threads(look, blocks, n_operations)
        changed = np.concatenate([found for found, _ in looked])
        self.n_due = sum(n_due for _, n_due in looked)
        # Read-only: it is returned to callers, and the next pass relies on it.
        new.flags.writeable = False
        self.labels = new if old is None or len(changed) else old
        return old, changed

    def farthest(self, centroids: Floats, labels: Any) -> Iterator[Far]:
        """Yield the points that are not on their centroid, the farthest first."""
        # Usually few are requested. So only points that may be among the first are
        # sorted, by distances that are right up to rounding; the others follow if
        # necessary.
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

    # ---- Computed once -----------------------------------------------------------

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
        # If there are few columns, processing contiguous columns one by one is faster.
        order: Any = "F" if points.shape[1] <= FEW_FEATURES else "C"
        x = points.astype(np.float64, order=order)
        x -= self.scaling.center
        norms = _norms(x)
        with np.errstate(over="ignore"):
            rows[:, :-1] = x * self.scaling.scale
            rows[:, -1] = 1
            squares[:] = norms * self.scaling.scale**2
        return x, norms

    # ---- The parts of a pass -----------------------------------------------------

    def _begin(self, k: int) -> None:
        """Reset the drifts, for k clusters."""
        n, d = self.points.shape
        fit = max(BLOCK_WORK // (k * (d + 8)), SMALLEST_BLOCK)
        step = self.block_size or min(fit, LARGEST_BLOCK)
        # Blocks of about the same size, so that none is too small for its overhead.
        self.step = -(-n // -(-n // step))
        self.drifts = np.zeros((-(-n // self.step), k))

    def _movement(self, centroids: Floats) -> Floats:
        """Return how far each centroid and the fastest of the others moved together."""
        moved = np.sqrt(_norms(centroids - self.centroids)) * self.scaling.scale
        fastest = moved.argmax()
        others = np.full(len(moved), moved[fastest])
        others[fastest] = np.delete(moved, fastest).max(initial=0)
        return np.asarray(np.minimum(moved + others, FAR))

    def _factors(self, dtype: Any) -> Array:
        """Return what rows are multiplied with for |c|^2 - 2 x c; (k, d + 1)."""
        c: Floats = self.scaling.apply(self.centroids, np.float64)
        return np.hstack([-2 * c, _norms(c)[:, np.newaxis]]).astype(dtype)

    def _look(
        self, start: int, old: Any, new: Array, factors: Array
    ) -> tuple[Array, int]:
        """Examine the points of a block whose deadline has come.

        Writes their labels and deadlines. Returns which points of the block changed
        their label (none in the first pass), and how many were examined.
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
        # Processing all rows is faster than selecting more than this share of them.
        return None if len(due) > 0.7 * len(spent) else due + block.start

    def _promise(self, where: Where, labels: Array, gaps: Array, drift: Floats) -> None:
        """Write the deadlines of points with these gaps."""
        ends = (gaps + drift.astype(np.float32).take(labels)) * DOWN
        self.deadlines[where] = np.minimum(ends, FAR / 2)

    def _look_closely(self, where: Array) -> tuple[Array, Array]:
        """Return labels and gaps of some points, from products in float64.

        Points for which these cannot decide are assigned by direct differences, with a
        gap of 0.
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
        """Return how the sums of each piece change with the labels of `changed`."""
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
    """Return the squared length of each row; its bits do not depend on other rows."""
    if vectors.shape[1] > FEW_FEATURES:
        return np.asarray(np.einsum("ij,ij->i", vectors, vectors))
    total = np.square(vectors[:, 0])
    for column in vectors.T[1:]:
        total += column * column
    return np.asarray(total)


def _numbers(where: Where, places: Array) -> Array:
    """Return the numbers of the points at these places of a selection."""
    return where.start + places if isinstance(where, slice) else where[places]


def _pick(array: Array, where: Where) -> Array:
    # `take` is up to five times as fast as indexing, unless it has to copy everything
    # first; with mode="clip", which avoids a check for IndexError, it is twice as fast
    # again.
    if isinstance(where, slice) or not array.flags.c_contiguous:
        return array[where]
    return array.take(where, axis=0, mode="clip")
