"""Points that lie outside of memory, from looking at them first to the answer.

What this file adds: all that is asked of such points beside the passes. Are they
finite, where should their origin be, which of them are the starts (random ones, or
k-means||), and what is the inertia. Each is a look at all parts whose findings are
merged. What it leaves out: the passes (`kmeans_np.sweeps.parted`), and where the parts
are (`kmeans_np.blocks.rows`).

References
----------
.. [1] B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable
   k-means++", Proceedings of the VLDB Endowment 5 (2012), 622-633.
   :doi:`10.14778/2180912.2180915`
.. [2] E. Ohlsson, "Sequential Poisson sampling", Journal of Official Statistics 14
   (1998), 149-162.
"""

# NumPy loads numpy.random when it is first named, which takes as long as the rest of
# this package: so it is not named in annotations that are evaluated.
from __future__ import annotations

from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.clustering.passes import exact_origin, in_32_bits, inertias_of_pieces
from kmeans_np.lloyd import Array, Floats, squared_distances
from kmeans_np.order import (
    Buckets,
    Distinct,
    Places,
    Ranked,
    Selection,
    classes_of,
    distinct,
    distinct_if_few,
    merge_distinct,
)
from kmeans_np.pieces import Branches, branches, joined, tree_sum
from kmeans_np.seeding import (
    FEW_POINTS,
    SEEDINGS,
    Cells,
    Extent,
    Histograms,
    RankedUrn,
    distinct_points,
    first_of_each,
    plus_plus,
)
from kmeans_np.sweeps.frame import extremes, frame_of, sample_step
from kmeans_np.sweeps.parted import (
    PartedSweep,
    Parts,
    Seen,
    label_rows,
    moved,
    number_of_piece,
)

# k-means||: how many rounds, and how many points for each cluster are taken in each.
ROUNDS, TAKEN = 5, 2
# How many numbers are brought together at most to find those at some ranks, and about
# how many points divide the others.
MOST_NUMBERS, SPLITTERS = 2**22, 2**12


class PartedPoints(PartedSweep):
    """A pass over points in parts that finds its own starts.

    Parameters
    ----------
    parts : Parts
        The points, which are checked here.
    named : Named
        How errors speak of them.
    """

    def __init__(self, parts: Parts, named: checks.Named = checks.POINTS) -> None:
        survey = surveyed(parts, named)
        origin = exact_origin(survey.low, survey.high)
        # Every so many of the points, as they come.
        self.sample = survey.sample()
        frame = frame_of(moved(self.sample, origin))
        super().__init__(parts, Seen(origin, frame))
        self.low, self.high = survey.low - origin, survey.high - origin
        # Of the first column that varies.
        column = int((self.low < self.high).argmax())
        low, high = float(self.low[column]), float(self.high[column])
        self.buckets = Buckets(column, low, high)

    @property
    def origin(self) -> Floats:
        """Where the points have their zero."""
        return self.seen.origin

    def start(self, init: str, k: int, rng: np.random.Generator, known: bool) -> Floats:
        """Return starting centroids by the seeding of a name; see `Starts.start`."""
        if (known or init != "random") and self.few is not None:
            points, weights = self.few
            return SEEDINGS[init](points, k, weights, rng)
        urn = RankedUrn(self.parts.shape[0], self.at_ranks)
        if init == "random":
            return distinct_points(urn, k, rng)
        return self.go_on(urn.draw(1, rng), k, rng)

    @property
    def n(self) -> int:
        """How many points there are."""
        return self.parts.shape[0]

    @property
    def few(self) -> Distinct | None:
        """The distinct points in order, if there are few."""
        return self._first_look[0]

    @cached_property
    def _first_look(self) -> tuple[Distinct | None, Places]:
        """The distinct points if there are few, and how many are in each bucket."""
        return self.parts.gather(_few_and_counts, _all_counts, self.seen, self.buckets)

    def at_ranks(self, ranks: Places) -> Ranked:
        """Return the points at some ranks in the order of values."""
        d, (_, counts) = self.parts.shape[1], self._first_look
        selection = Selection(counts, ranks)
        if selection.size * d <= MOST_NUMBERS:
            some = self.parts.gather(
                _in_buckets, merge_distinct, self.seen, self.buckets, selection.wanted
            )
            return selection.find(some)
        # Most points are in a few buckets, or equal to each other. Then more and more
        # of the points themselves divide them.
        splitters = moved(self.sample, self.origin)
        while True:
            splitters, _ = distinct(splitters)
            counts = self.parts.gather(_class_counts, _sum, self.seen, splitters)
            selection = Selection(counts, ranks)
            wanted = selection.wanted.copy()
            # All points of these are known: they are equal to a splitter.
            wanted[1::2] = False
            if counts[wanted].sum() * d <= MOST_NUMBERS:
                break
            more = self.parts.gather(
                _some_of_classes, _thinned, self.seen, splitters, wanted
            )
            splitters = np.concatenate([splitters, more])
        some = self.parts.gather(
            _in_classes, merge_distinct, self.seen, splitters, wanted
        )
        equal = selection.wanted[1::2]
        known = splitters[equal], counts[1::2][equal].astype(np.float64)
        return selection.find(merge_distinct([some, known]))

    def go_on(self, centroids: Floats, k: int, rng: np.random.Generator) -> Floats:
        """Spread k starting centroids out in a few looks: k-means|| [1]_.

        In each round some points come to the centroids so far, not one but 2 k of them,
        with chances as in k-means++. In the end they are far more than k; each stands
        for the points that are nearest to it, and k-means++ chooses among them. In the
        paper every point throws its own dice; here the dice decide which are the first
        2 k of all [2]_, whatever their squared distances sum up to.
        """
        for _ in range(ROUNDS):
            key, n = int(rng.integers(2**63)), TAKEN * k
            drawn = self.parts.gather(_draw, _first, self.seen, centroids, n, key)
            if not len(drawn.points):
                break
            centroids = first_of_each(np.concatenate([centroids, drawn.points]))
        return plus_plus(centroids, k, self(centroids).counts, rng)

    def in_short(self, n_alike: int) -> Histograms | None:
        """Return histograms of the points, None if there are none.

        The first `n_alike` features are in one unit.
        """
        cells = Extent(self.low, self.high, self.origin, n_alike).cells()
        if cells is None:
            return None
        found = self.parts.gather(_cells, joined, self.seen, cells)
        return in_32_bits(cells.histograms(tree_sum(found)))

    def inertia(self, centroids: Floats, labels: Any) -> float:
        """Add up the squared distances, point by point."""
        own = labels.centroids
        found = self.parts.gather(_inertias, joined, self.seen, centroids, own)
        return float(tree_sum(found))


# ---- The first look ------------------------------------------------------------------


class Survey(NamedTuple):
    """What is known of points after the first look.

    Attributes
    ----------
    low, high : (d,) arrays of float64
        The smallest and the largest number of each column; NaN if there is any.
    some : list of (int, (d,) array)
        Every so many points, with their numbers.
    """

    low: Floats
    high: Floats
    some: list[tuple[int, Array]]

    def sample(self) -> Array:
        """Return these points in the order of their numbers."""
        return np.array([point for _, point in sorted(self.some, key=itemgetter(0))])


def _survey(points: Array, start: int, every: int) -> Survey:
    first = -start % every
    some = [*enumerate(points[first::every])]
    return Survey(
        *extremes(points), [(start + first + every * i, row.copy()) for i, row in some]
    )


def _whole_survey(parts: list[Survey]) -> Survey:
    lows, highs, some = zip(*parts)
    return Survey(np.min(lows, axis=0), np.max(highs, axis=0), [*chain(*some)])


def surveyed(parts: Parts, named: checks.Named = checks.POINTS) -> Survey:
    """Look at points for the first time; refuse those not finite, or too large."""
    survey = parts.gather(_survey, _whole_survey, sample_step(parts.shape[0]))
    low, high = float(survey.low.min()), float(survey.high.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = parts.gather(_not_finite, _all_not_finite)
        raise named.not_finite(bad.nan, bad.infinite, np.array(bad.first))
    named.check_size(parts.dtype, low, high)
    return survey


class Bad(NamedTuple):
    """Numbers that are none: how many, and where the first is."""

    first: tuple[int, int] | None
    nan: int
    infinite: int


def _not_finite(points: Array, start: int) -> Bad:
    good = np.isfinite(points)
    nan = int(np.isnan(points).sum())
    places = np.argwhere(~good)
    first = (start + int(places[0, 0]), int(places[0, 1])) if len(places) else None
    return Bad(first, nan, len(places) - nan)


def _all_not_finite(parts: list[Bad]) -> Bad:
    firsts, nans, infinite = zip(*parts)
    return Bad(min(filter(None, firsts), default=None), sum(nans), sum(infinite))


# ---- Histograms ----------------------------------------------------------------------


def _cells(points: Array, start: int, seen: Seen, cells: Cells) -> Branches:
    ones = np.broadcast_to(1.0, len(points))
    sums = cells.sums_of_pieces(seen.moved(points), ones)
    return branches(sums, number_of_piece(points, start))


# ---- Draws ---------------------------------------------------------------------------


def _few_and_counts(
    points: Array, _: int, seen: Seen, buckets: Buckets
) -> tuple[Distinct | None, Places]:
    points = seen.moved(points)
    return distinct_if_few(points, FEW_POINTS), buckets.counts(points)


def _all_counts(
    parts: list[tuple[Distinct | None, Places]],
) -> tuple[Distinct | None, Places]:
    counts = _sum([counts for _, counts in parts])
    few = [few for few, _ in parts if few is not None]
    if len(few) < len(parts):
        return None, counts
    together = merge_distinct(few)
    return (together if len(together[0]) <= FEW_POINTS else None), counts


def _in_buckets(
    points: Array, _: int, seen: Seen, buckets: Buckets, wanted: Array
) -> Distinct:
    points = seen.moved(points)
    some = points[wanted.take(buckets.numbers(points))]
    return distinct(some)


def _sum(parts: list[Places]) -> Places:
    total: Places = np.sum(parts, axis=0)
    return total


def _class_counts(points: Array, _: int, seen: Seen, splitters: Array) -> Places:
    classes = classes_of(seen.moved(points), splitters)
    return np.bincount(classes, minlength=2 * len(splitters) + 1)


def _of_classes(points: Array, seen: Seen, splitters: Array, wanted: Array) -> Array:
    points = seen.moved(points)
    return points[wanted.take(classes_of(points, splitters))]


def _in_classes(
    points: Array, _: int, seen: Seen, splitters: Array, wanted: Array
) -> Distinct:
    some = _of_classes(points, seen, splitters, wanted)
    return distinct(some)


def _some_of_classes(
    points: Array, _: int, seen: Seen, splitters: Array, wanted: Array
) -> Array:
    return _thinned([_of_classes(points, seen, splitters, wanted)])


def _thinned(parts: list[Array]) -> Array:
    """Return every so many of some points, so that they are not too many."""
    points = np.concatenate(parts)
    return points[:: max(1, len(points) // SPLITTERS)].copy()


class Drawn(NamedTuple):
    """The n points that came first, and what orders them."""

    n: int
    turns: Floats
    points: Floats


def _draw(
    points: Array, start: int, seen: Seen, centroids: Floats, n: int, key: int
) -> Drawn:
    labels = label_rows(points, centroids, seen)
    points = seen.moved(points)
    distances = squared_distances(points, centroids[labels])
    # The dice of a point depend on its number only, not on the part that it is in: the
    # generator gives four numbers for each count.
    dice = np.random.Philox(key=key, counter=[start // 4, 0, 0, 0])
    skipped = start % 4
    numbers = np.random.Generator(dice).random(len(points) + skipped)[skipped:]
    with np.errstate(divide="ignore", over="ignore"):
        turns = np.where(distances > 0, (1 - numbers) / distances, np.inf)
    few = np.argpartition(turns, n)[:n] if len(turns) > n else np.arange(len(turns))
    few = few[np.isfinite(turns[few])]
    # In order, also where no others come to be merged with.
    return _first([Drawn(n, turns[few], points[few].astype(np.float64))])


def _first(parts: list[Drawn]) -> Drawn:
    """Return the points of several parts that come first, in this order."""
    n = parts[0].n
    turns, points = (np.concatenate(some) for some in list(zip(*parts))[1:])
    order = np.lexsort((*points.T[::-1], turns))[:n]
    return Drawn(n, turns[order], points[order])


# ---- The inertia ---------------------------------------------------------------------


def _inertias(
    points: Array, start: int, seen: Seen, centroids: Floats, own: Floats
) -> Branches:
    labels, ones = label_rows(points, own, seen), np.broadcast_to(1.0, len(points))
    sums = inertias_of_pieces(seen.moved(points), ones, centroids, labels)
    return branches(sums, number_of_piece(points, start))
