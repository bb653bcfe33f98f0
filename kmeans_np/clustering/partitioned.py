"""Points outside of memory: everything that a run needs of them besides the passes.

This is the drawing of starts (random ones, or k-means|| [1]_), the histograms, and the
inertia. Each is a pass over all parts, whose findings are merged.

References
----------
.. [1] B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable
   k-means++", Proceedings of the VLDB Endowment 5 (2012), 622-633.
   :doi:`10.14778/2180912.2180915`
.. [2] E. Ohlsson, "Sequential Poisson sampling", Journal of Official Statistics 14
   (1998), 149-162.
"""

# NumPy loads numpy.random when it is first used, which takes as long as loading the
# rest of this package. So annotations that name it must not be evaluated.
from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.arrays.rows import Part, Rows
from kmeans_np.clustering.choose_sweep import exact_origin, inertias_of_pieces
from kmeans_np.clustering.coarse_start import (
    HistogramGrid,
    Histograms,
    histogram_grid,
    in_32_bits,
)
from kmeans_np.clustering.column_stats import ColumnStats, column_stats
from kmeans_np.clustering.uniform import (
    merge_one_of_each,
    one_of_each,
    single_points,
)
from kmeans_np.lloyd import Array, Floats, Labels, squared_distances
from kmeans_np.order import (
    N_BUCKETS,
    Buckets,
    Distinct,
    Selection,
    classes_of,
    distinct,
    distinct_if_few,
    merge_distinct,
)
from kmeans_np.seeding import (
    FEW_POINTS,
    SEEDINGS,
    isin_rows,
    kmeans_plusplus,
    unique_rows,
)
from kmeans_np.sweeps.partitioned import (
    Moments,
    PartitionedSweep,
    Shift,
    label_rows,
    merge_moments,
    moments_of_part,
    shift,
)
from kmeans_np.sweeps.scaling import find_scaling
from kmeans_np.tree_sums import Branches, branches, merge_branches, tree_sum

# k-means||: the number of rounds, and of points drawn per cluster in each round.
ROUNDS, TAKEN = 5, 2
# The largest number of values that are collected to find the points at some ranks, and
# about how many points divide the others.
MOST_NUMBERS, SPLITTERS = 2**22, 2**12


class PartitionedPoints:
    """Points outside of memory, to run K-means on.

    Parameters
    ----------
    rows : Rows
        The points with a positive weight.
    n_alike : int, optional
        The number of leading features that have the same unit; by default, all.
    stats : ColumnStats, optional
        What the first pass found, if there was one already.
    coarse_start : bool, default False
        Whether histograms will be needed.
    """

    def __init__(
        self,
        rows: Rows,
        n_alike: int | None = None,
        stats: ColumnStats | None = None,
        coarse_start: bool = False,
    ) -> None:
        stats = stats or column_stats(rows)
        self.rows, (self.n, d) = rows, rows.shape
        self.origin = exact_origin(stats.low, stats.high)
        self.shift = Shift(self.origin, find_scaling(shift(stats.sample, self.origin)))
        self.sample = stats.sample
        low, high = stats.low - self.origin, stats.high - self.origin
        self.n_alike = d if n_alike is None else n_alike
        self.cells: HistogramGrid | None = None
        if coarse_start:
            self.cells = histogram_grid(low, high, self.origin, self.n_alike)
        # Buckets are ranges of the first column that varies.
        column = int((low < high).argmax())
        self.buckets = Buckets(column, float(low[column]), float(high[column]))
        self.sweep = PartitionedSweep(rows, self.shift)

    def inertia(self, centroids: Floats, labels: Any) -> float:
        """Add up the weighted squared distances, point by point."""
        own = labels.centroids
        found = self.rows.gather(_inertias, merge_branches, self.shift, centroids, own)
        return float(tree_sum(found))

    def labels_of_all(self, labels: Labels, _centroids: Floats) -> Labels:
        """Return the labels; there are no points of weight 0."""
        return labels

    def uniform_clusters(
        self, labels: Any, centroids: Floats
    ) -> tuple[NDArray[np.bool_], Array]:
        """Return which clusters have only equal points, and a stored point of each."""
        k, own = len(centroids), labels.centroids
        sampled = label_rows(self.sample, own, self.shift)
        # A sample shows for most clusters that their points differ.
        single, _ = single_points(self.sample[:, : self.n_alike], sampled, k)
        values = np.zeros((k, 1))
        if single.any():
            args = self.shift, own, single, self.n_alike
            found = self.rows.gather(one_of_each, merge_one_of_each, *args)
            values = np.zeros((k, len(next(iter(found.values()))[0])))
            for label, (stored, point) in found.items():
                values[label], single[label] = stored, point is not None
        return single, values

    # ---- The second pass, for everything needed before the first step ---------------

    @cached_property
    def second_look(self) -> SecondLook:
        """Everything that is needed before the first step, from one pass."""
        args = self.shift, self.buckets, self.cells
        found = self.rows.gather(_look, _merge_looks, *args)
        self.sweep.moments = found.moments
        return found

    def histograms(self) -> Histograms | None:
        """Return histograms of the points, None if there are none."""
        if self.cells is None:
            return None
        return in_32_bits(self.cells.histograms(tree_sum(self.second_look.cells)))

    # ---- Starts ---------------------------------------------------------------------

    @property
    def few(self) -> Distinct | None:
        """The distinct points in order, if they are few; otherwise None."""
        return self.second_look.few

    def start(self, init: str, k: int, rng: np.random.Generator) -> Floats:
        """Return starting centroids by the seeding of this name; see `Starts.start`."""
        seeding = SEEDINGS[init]
        if self.few is not None:
            points, weights = self.few
            return seeding.choose(points, k, weights, rng)
        if seeding.draw is not None:
            return seeding.draw(self.sampler(), k, rng)
        if seeding.outside is not None:
            return seeding.outside(self, k, rng)
        possible = [repr(name) for name, s in SEEDINGS.items() if s.draw or s.outside]
        raise checks.ArgumentValueError(
            "init",
            f"be {' or '.join(possible)} for more than {FEW_POINTS:,} distinct points "
            "outside of memory",
            repr(init),
            "pass one of these, or the points in memory",
        )

    def sampler(self) -> PartitionedSampler:
        """Return a sampler of the points."""
        return PartitionedSampler(self)

    def extend(self, centroids: Floats, k: int, rng: np.random.Generator) -> Floats:
        """Spread k starting centroids out in a few passes: k-means|| [1]_.

        Each round adds not one but 2 k points to the centroids so far, with chances as
        in k-means++. In the end there are far more than k; each is weighted by the
        points that are nearest to it, and k-means++ chooses among them. In the paper,
        every point is drawn independently; here exactly 2 k points are drawn per round,
        by sequential Poisson sampling [2]_, whatever the sum of their squared distances
        is.
        """
        for _ in range(ROUNDS):
            key, n = int(rng.integers(2**63)), TAKEN * k
            drawn = self.rows.gather(_draw, _first, self.shift, centroids, n, key)
            if not len(drawn.points):
                break
            centroids = unique_rows(np.concatenate([centroids, drawn.points]))
        return kmeans_plusplus(centroids, k, self.sweep(centroids).counts, rng)


class SecondLook(NamedTuple):
    """What is needed before the first step, and found in one pass."""

    # The moments, which give the variance.
    moments: Moments
    # The distinct points in order, if they are few; otherwise None.
    few: Distinct | None
    # (2, m) array of float64: the weight of the points in each bucket, and their
    # number.
    counts: Floats
    # The sums of the cells of a histogram; empty if there is no histogram.
    cells: Branches


def _look(
    part: Part, shift: Shift, buckets: Buckets, cells: HistogramGrid | None
) -> SecondLook:
    points = shift.apply(part.points)
    return SecondLook(
        moments_of_part(part, shift),
        distinct_if_few(points, FEW_POINTS, part.weights),
        _count(buckets.numbers(points), part.weights, N_BUCKETS),
        {} if cells is None else _cells(part, shift, cells),
    )


def _merge_looks(parts: list[SecondLook]) -> SecondLook:
    moments, few, counts, cells = zip(*parts)
    together = None
    if all(some is not None for some in few):
        together = merge_distinct([*few])
        together = together if len(together[0]) <= FEW_POINTS else None
    return SecondLook(
        merge_moments([*moments]), together, _sum(counts), merge_branches(cells)
    )


def _cells(part: Part, shift: Shift, cells: HistogramGrid) -> Branches:
    sums = cells.sums_of_pieces(shift.apply(part.points), part.weights)
    return branches(sums, part.piece)


# ---- Draws ---------------------------------------------------------------------------


class PartitionedSampler:
    """Draws points outside of memory, each with a chance in proportion to its weight.

    It draws the same points as a `kmeans_np.seeding.WeightedSampler` of the distinct
    points in order.

    Parameters
    ----------
    points : PartitionedPoints
        The points.
    """

    def __init__(self, points: PartitionedPoints) -> None:
        self.rows, self.shift, self.buckets = points.rows, points.shift, points.buckets
        self.sample, self.counts = points.sample, points.second_look.counts
        # The points that are excluded.
        self.out = np.empty((0, points.rows.shape[1]))

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """Draw points (size, d), with replacement."""
        ranks = rng.random(size) * self.counts[0].cumsum()[-1]
        return self.at_ranks(ranks).astype(np.float64)

    def leave_out(self, chosen: Floats) -> bool:
        """Exclude all copies of the chosen points; return whether any others remain."""
        self.out = np.concatenate([self.out, chosen])
        self.counts = self._gather(_bucket_counts, _sum, self.buckets)
        return bool(self.counts[0].any())

    def at_ranks(self, ranks: Floats) -> Array:
        """Return the points at these ranks, counted in weight, in order of values."""
        weights, numbers = self.counts
        selection, d = Selection(weights, ranks), self.rows.shape[1]
        if numbers[selection.wanted].sum() * d <= MOST_NUMBERS:
            wanted = selection.wanted
            some = self._gather(_in_buckets, merge_distinct, self.buckets, wanted)
            return selection.find(some)
        # Most points are in a few buckets, or equal to each other. Then more and more
        # of the points themselves are used to divide them.
        splitters = self.shift.apply(self.sample)
        while True:
            splitters, _ = distinct(splitters)
            weights, numbers = self._gather(_class_counts, _sum, splitters)
            selection = Selection(weights, ranks)
            wanted = selection.wanted.copy()
            # The points of these classes are known: they are equal to a splitter.
            wanted[1::2] = False
            if numbers[wanted].sum() * d <= MOST_NUMBERS:
                break
            more = self._gather(_some_of_classes, _thin, splitters, wanted)
            splitters = np.concatenate([splitters, more])
        some = self._gather(_in_classes, merge_distinct, splitters, wanted)
        equal = selection.wanted[1::2]
        return selection.find(
            merge_distinct([some, (splitters[equal], weights[1::2][equal])])
        )

    def _gather(self, look: Any, merge: Any, *args: Any) -> Any:
        return self.rows.gather(look, merge, self.shift, self.out, *args)


def _points_in(part: Part, shift: Shift, out: Array) -> tuple[Array, Floats]:
    """Return the points of a part that may be drawn, and their weights."""
    points, weights = shift.apply(part.points), part.weights
    if not len(out):
        return points, weights
    left = ~isin_rows(points, out)
    return points[left], weights[left]


def _count(numbers: Array, weights: Floats, n: int) -> Floats:
    """Return the total weight and the count of each number below n."""
    return np.stack([np.bincount(numbers, weights, n), np.bincount(numbers, None, n)])


def _bucket_counts(part: Part, shift: Shift, out: Array, buckets: Buckets) -> Floats:
    points, weights = _points_in(part, shift, out)
    return _count(buckets.numbers(points), weights, N_BUCKETS)


def _in_buckets(
    part: Part, shift: Shift, out: Array, buckets: Buckets, wanted: Array
) -> Distinct:
    points, weights = _points_in(part, shift, out)
    some = wanted.take(buckets.numbers(points))
    return distinct(points[some], weights[some])


def _sum(parts: Any) -> Floats:
    total: Floats = np.sum(parts, axis=0)
    return total


def _class_counts(part: Part, shift: Shift, out: Array, splitters: Array) -> Floats:
    points, weights = _points_in(part, shift, out)
    return _count(classes_of(points, splitters), weights, 2 * len(splitters) + 1)


def _in_classes(
    part: Part, shift: Shift, out: Array, splitters: Array, wanted: Array
) -> Distinct:
    points, weights = _points_in(part, shift, out)
    some = wanted.take(classes_of(points, splitters))
    return distinct(points[some], weights[some])


def _some_of_classes(
    part: Part, shift: Shift, out: Array, splitters: Array, wanted: Array
) -> Array:
    points, _ = _points_in(part, shift, out)
    return _thin([points[wanted.take(classes_of(points, splitters))]])


def _thin(parts: list[Array]) -> Array:
    """Return evenly spaced points, so that there are not too many."""
    points = np.concatenate(parts)
    return points[:: max(1, len(points) // SPLITTERS)].copy()


class DrawnPoints(NamedTuple):
    """The n points that come first, and the keys that order them."""

    n: int
    turns: Floats
    points: Floats


def _draw(part: Part, shift: Shift, centroids: Floats, n: int, key: int) -> DrawnPoints:
    labels = label_rows(part.points, centroids, shift)
    points = shift.apply(part.points)
    distances = squared_distances(points, centroids[labels])
    # The random number of a point depends only on its number, not on its part: the
    # generator gives four random numbers per count.
    dice = np.random.Philox(key=key, counter=[part.start // 4, 0, 0, 0])
    skipped = part.start % 4
    numbers = np.random.Generator(dice).random(len(points) + skipped)[skipped:]
    chances = part.weights * distances
    with np.errstate(divide="ignore", over="ignore"):
        turns = np.where(chances > 0, (1 - numbers) / chances, np.inf)
    few = np.argpartition(turns, n)[:n] if len(turns) > n else np.arange(len(turns))
    few = few[np.isfinite(turns[few])]
    # Sorted, even if there is nothing to merge with.
    return _first([DrawnPoints(n, turns[few], points[few].astype(np.float64))])


def _first(parts: list[DrawnPoints]) -> DrawnPoints:
    """Return those points of several parts that come first, in order."""
    n = parts[0].n
    turns, points = (np.concatenate(some) for some in list(zip(*parts))[1:])
    order = np.lexsort((*points.T[::-1], turns))[:n]
    return DrawnPoints(n, turns[order], points[order])


def _inertias(part: Part, shift: Shift, centroids: Floats, own: Floats) -> Branches:
    labels, points = label_rows(part.points, own, shift), shift.apply(part.points)
    sums = inertias_of_pieces(points, part.weights, centroids, labels)
    return branches(sums, part.piece)
