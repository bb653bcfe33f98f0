"""The range, mean and variance of each column of points, from one pass over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays.rows import Part, Rows
from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.scaling import extremes, sample_step
from kmeans_np.tree_sums import branches, merge_branches, pieces, tree_sum


class ColumnStats(NamedTuple):
    """What is known of points after the first pass."""

    # (c,) arrays of float64: the minimum and maximum of each stored column.
    stored_low: Floats
    stored_high: Floats
    # (d,) arrays of float64: the same for the features.
    low: Floats
    high: Floats
    # (m, d) array: evenly spaced points.
    sample: Array
    # (d,) arrays of float64: the weighted mean and variance of each feature; NaN unless
    # requested.
    mean: Floats
    variance: Floats


def column_stats(rows: Rows, spread: bool = False) -> ColumnStats:
    """Make the first pass over points; reject those that are not finite or too large.

    `spread` requests mean and variance.
    """
    found = rows.gather(_look, _merge, sample_step(rows.shape[0]), spread)
    low, high = float(found.stored[0].min()), float(found.stored[1].max())
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = rows.gather(_look_for_bad, _merge_bad)
        raise rows.names.not_finite(bad.nan, bad.infinite, np.array(bad.first))
    rows.names.check_size(found.dtype, low, high)
    numbers, sample = found.sample
    sample = sample[np.argsort(numbers)]
    mean = variance = np.full(rows.shape[1], np.nan)
    if spread:
        total = tree_sum(found.spread)
        mean, variance = total.mean, total.squares / total.weight
    return ColumnStats(*found.stored, *found.features, sample, mean, variance)


@dataclass(frozen=True)
class Spread:
    """The weight, mean and sum of squared deviations of some points, by column.

    The spreads of two parts add up to that of both, as in [1]_.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the
       sample variance", The American Statistician 37 (1983), 242-247.
       :doi:`10.1080/00031305.1983.10483115`
    """

    weight: float
    mean: Floats
    squares: Floats

    def __add__(self, other: "Spread") -> "Spread":
        weight = self.weight + other.weight
        mean = (self.weight * self.mean + other.weight * other.mean) / weight
        way = self.mean - other.mean
        # subtle: symmetric in both operands, to the last bit.
        between = way * way * (self.weight * other.weight / weight)
        return Spread(weight, mean, self.squares + other.squares + between)


class _Found(NamedTuple):
    """What was found in a part; `sample` has the numbers of points and the points."""

    dtype: np.dtype[Any]
    stored: tuple[Floats, Floats]
    features: tuple[Floats, Floats]
    sample: tuple[Array, Array]
    spread: dict[tuple[int, int], Spread]


def _look(part: Part, every: int, spread: bool) -> _Found:
    stored = extremes(part.values)
    if not (np.abs(stored) <= checks.LARGEST).all():
        # These will be rejected; no features can be computed from them.
        nothing = np.empty(0), np.empty(0)
        return _Found(part.values.dtype, stored, nothing, nothing, {})
    points, first = part.points, -part.start % every
    features = stored if points is part.values else extremes(points)
    numbers = np.arange(part.start + first, part.start + len(part), every)
    sample = numbers, points[first::every].copy()
    each = branches(_spreads(part), part.piece) if spread else {}
    return _Found(part.values.dtype, stored, features, sample, each)


def _spreads(part: Part) -> Iterator[Spread]:
    for piece in pieces(*part.points.shape):
        weights = part.weights[piece]
        total = float(weights.sum())
        columns = part.points[piece].T.astype(np.float64)
        mean = np.array([(weights * x).sum() for x in columns]) / total
        squares = [(weights * (x - m) ** 2).sum() for x, m in zip(columns, mean)]
        yield Spread(total, mean, np.array(squares))


def _merge(parts: list[_Found]) -> _Found:
    dtypes, stored, features, samples, spreads = zip(*parts)
    return _Found(
        dtypes[0],
        _range_of_all(stored),
        _range_of_all(features),
        _strung(samples),
        merge_branches(spreads),
    )


def _strung(samples: Any) -> tuple[Array, Array]:
    # Empty samples may have another number of features.
    some = [sample for sample in samples if len(sample[0])] or samples[:1]
    numbers, points = (np.concatenate(column) for column in zip(*some))
    return numbers, points


def _range_of_all(ranges: Any) -> tuple[Floats, Floats]:
    # There are no features for numbers that are not finite, which will be rejected.
    lows, highs = zip(*ranges)
    if len({len(low) for low in lows}) > 1:
        return lows[0], highs[0]
    return np.min(lows, axis=0), np.max(highs, axis=0)


class _Bad(NamedTuple):
    """The position of the first value that is not finite, and how many there are."""

    first: tuple[int, int] | None
    nan: int
    infinite: int


def _look_for_bad(part: Part) -> _Bad:
    bad = np.argwhere(~np.isfinite(part.values))
    nan = int(np.isnan(part.values).sum())
    first = (part.start + int(bad[0, 0]), int(bad[0, 1])) if len(bad) else None
    return _Bad(first, nan, len(bad) - nan)


def _merge_bad(parts: list[_Bad]) -> _Bad:
    firsts, nans, infinite = zip(*parts)
    return _Bad(min(filter(None, firsts), default=None), sum(nans), sum(infinite))
