"""Checks of weights, all at once or part by part."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.checks.arrays import LARGEST, ErrorContext, place_along, real_array
from kmeans_np.checks.errors import ArgumentValueError
from kmeans_np.lloyd import Array, Floats


class WeightStats(NamedTuple):
    """What is known of weights after examining them."""

    # The numbers of positive, NaN and infinite weights.
    n: int
    nan: int
    infinite: int
    # The index of the first that is NaN or infinite.
    not_finite: int | None
    # The index and value of the first that is negative, too small or too large.
    bad: tuple[int, float] | None
    # The extremes of the positive and finite ones; infinity and 0 if there are none.
    least: float
    largest: float


def weight_stats(weights: Array, numbers: Sequence[int] | Array) -> WeightStats:
    """Examine weights (n,); `numbers` are their indices among all weights."""
    # In float64, since smaller types cannot represent the limits.
    sizes = weights.astype(np.float64, copy=False)
    least, largest = float(sizes.min(initial=np.inf)), float(sizes.max(initial=0))
    if least >= 1 / LARGEST and largest <= LARGEST:
        # The usual case: none is 0, and none is bad.
        return WeightStats(len(sizes), 0, 0, None, None, least, largest)
    finite = np.isfinite(sizes)
    with np.errstate(invalid="ignore"):
        bad = (sizes < 0) | ((sizes > 0) & (sizes < 1 / LARGEST)) | (sizes > LARGEST)
        usual = sizes[finite & (sizes > 0)]
    bad &= finite
    others = np.flatnonzero(~finite)
    first = np.flatnonzero(bad)[:1]
    return WeightStats(
        n=int(np.count_nonzero(weights)),
        nan=int(np.isnan(weights).sum()),
        infinite=int(np.isinf(weights).sum()),
        not_finite=int(numbers[others[0]]) if len(others) else None,
        bad=(int(numbers[first[0]]), weights[first[0]].item()) if len(first) else None,
        least=float(usual.min(initial=np.inf)),
        largest=float(usual.max(initial=0)),
    )


def merge_weight_stats(parts: list[WeightStats]) -> WeightStats:
    """Return the merged findings of several parts."""
    n, nan, infinite, not_finite, bad, least, largest = zip(*parts)
    firsts = [number for number in not_finite if number is not None]
    return WeightStats(
        sum(n),
        sum(nan),
        sum(infinite),
        min(firsts, default=None),
        min(filter(None, bad), default=None),
        min(least),
        max(largest),
    )


def check_weight_stats(
    found: WeightStats,
    say_place: Callable[[Array], str],
    noun: str,
    among: str = "",
    name: str = "weights",
) -> int:
    """Reject bad weights, given what was found; return how many are positive."""
    remedy = f"give {noun}s that do not count a weight of 0"
    if found.not_finite is not None:
        names = ErrorContext(name, say_place, remedy)
        first = np.array([found.not_finite])
        raise names.not_finite(found.nan, found.infinite, first)
    if found.bad is not None:
        number, value = found.bad
        rule = f"be 0 or between {1 / LARGEST:g} and {LARGEST:g}"
        got = f"{value} at {say_place(np.array([number]))}"
        remedy = remedy if value < 0 else "scale them all"
        raise ArgumentValueError(name, rule, got, remedy)
    if not found.n:
        remedy = f"give at least one {noun}{among} a positive weight"
        raise ArgumentValueError(name, "not all be 0", "only zeros", remedy)
    return found.n


def not_negative(
    array: Array,
    say_place: Callable[[Array], str],
    noun: str,
    among: str = "",
    name: str = "weights",
) -> Floats:
    """Return weights as float64; reject invalid ones."""
    found = weight_stats(array, range(len(array)))
    check_weight_stats(found, say_place, noun, among, name)
    return array.astype(np.float64)


def weights(value: Any, n: int) -> Floats:
    """Return the weights as an (n,) array of float64; all 1 for None."""
    if value is None:
        return np.broadcast_to(np.float64(1), n)
    array = real_array(value, "weights")
    check_weights_shape(array.shape, n)
    return not_negative(array, place_along("place"), "point")


def check_weights_shape(shape: tuple[int, ...], n: int) -> None:
    """Reject weights that are not one for each of n points."""
    if shape != (n,):
        raise ArgumentValueError(
            "weights",
            f"have one number for each of the {n:,} points, shape ({n},)",
            f"shape {shape}",
            "pass them in the order of the points",
        )
