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

from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.clustering.passes import exact_origin, in_32_bits, inertias_of_pieces
from kmeans_np.lloyd import Array, Floats, squared_distances
from kmeans_np.pieces import Branches, branches, joined, tree_sum
from kmeans_np.seeding import (
    Cells,
    Histograms,
    among,
    cells_for,
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
        frame = frame_of(moved(survey.sample(), origin))
        super().__init__(parts, Seen(origin, frame))
        self.low = float((survey.low - origin).min())
        self.high = float((survey.high - origin).max())

    @property
    def origin(self) -> Floats:
        """Where the points have their zero."""
        return self.seen.origin

    def seed(self, init: str | Floats, k: int, rng: np.random.Generator) -> Floats:
        """Return the starting centroids: given ones, or by the seeding of a name."""
        if not isinstance(init, str):
            return init
        urn = PartedUrn(self.parts, self.seen)
        if init == "random":
            return distinct_points(urn, k, rng)
        return self._spread_out(urn.draw(1, rng), k, rng)

    def _spread_out(
        self, centroids: Floats, k: int, rng: np.random.Generator
    ) -> Floats:
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

    def in_short(self) -> Histograms | None:
        """Return histograms of the points, None if there are none."""
        cells = cells_for(self.parts.shape[1], self.low, self.high)
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


class PartedUrn:
    """An `Urn` whose points lie in parts."""

    def __init__(self, parts: Parts, seen: Seen) -> None:
        self.parts, self.seen = parts, seen
        self.n_left, d = parts.shape
        self.out = np.empty((0, d))
        # How many are left before each part; None as long as all are.
        self.before: dict[int, int] | None = None

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """Draw some points, (size, d), and put them back."""
        ranks = np.floor(rng.random(size) * self.n_left).astype(np.int64)
        ranks = np.minimum(ranks, self.n_left - 1)
        found = self.parts.gather(
            _of_ranks, _joined, self.seen, self.out, self.before, ranks
        )
        return np.array([found[i] for i in range(size)], np.float64)

    def leave_out(self, chosen: Floats) -> bool:
        """Leave out all copies of chosen points; say whether any others are left."""
        self.out = np.concatenate([self.out, chosen])
        counts = self.parts.gather(_count_left, _joined, self.seen, self.out)
        self.before, self.n_left = {}, 0
        for start in sorted(counts):
            self.before[start] = self.n_left
            self.n_left += counts[start]
        return self.n_left > 0


def _joined(parts: list[dict[int, Any]]) -> dict[int, Any]:
    return {key: value for part in parts for key, value in part.items()}


def _count_left(points: Array, start: int, seen: Seen, out: Floats) -> dict[int, int]:
    return {start: int(np.count_nonzero(~among(seen.moved(points), out)))}


def _of_ranks(
    points: Array,
    start: int,
    seen: Seen,
    out: Floats,
    before: dict[int, int] | None,
    ranks: Array,
) -> dict[int, Array]:
    """Return the points of a part that were drawn, by the number of their draw."""
    points = seen.moved(points)
    left = points if before is None else points[~among(points, out)]
    inside = ranks - (start if before is None else before[start])
    drawn = np.flatnonzero((inside >= 0) & (inside < len(left)))
    return {int(i): left[inside[i]].astype(np.float64) for i in drawn}


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
