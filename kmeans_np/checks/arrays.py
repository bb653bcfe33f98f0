"""Checks of arrays and of points: that they hold finite real numbers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.checks.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    pluralize,
)
from kmeans_np.lloyd import Array

# Sums of squared numbers up to this, times weights up to this, are finite in float64.
LARGEST = 1e100
# float64 represents every integer up to this exactly.
LARGEST_INTEGER = 2**53

_REMEDIES = {
    "c": "take its real part or its magnitude",
    "f": "convert it to float64, if you can spare the digits",
}


def real_array(value: Any, name: str) -> Array:
    """Return `value` as an array of real numbers, of its own dtype."""
    if isinstance(value, np.ma.MaskedArray):
        remedy = "fill it or leave the masked values out"
        if name == "image":
            remedy = "pass image.data, and a mask that is False where it is masked"
        raise ArgumentTypeError(
            name,
            "be a plain array",
            "a masked array",
            remedy,
            found="whose mask would be lost",
        )
    try:
        array = np.asarray(value)
    except ValueError:
        raise ArgumentValueError(
            name,
            "be a rectangular array",
            "nested sequences of different lengths",
            "make them equally long",
        ) from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        got = f"an array of type {array.dtype}"
        if array.ndim == 0:
            got = describe(value, with_type=True)
        otherwise = "pass an array of numbers, such as read_image returns"
        remedy = _REMEDIES.get(array.dtype.kind, otherwise)
        rule = "hold real numbers of at most 64 bits"
        raise ArgumentTypeError(name, rule, got, remedy)
    return array


def place_along(*axes: str) -> Callable[[Array], str]:
    """Return a function that says where a value is, using the names of the axes."""
    return lambda place: ", ".join(f"{axis} {i}" for axis, i in zip(axes, place))


class ErrorContext(NamedTuple):
    """How errors refer to values: the argument's name, the place, and the remedy."""

    # The name of the argument.
    name: str
    # Returns an index in words.
    say_place: Callable[[Array], str]
    # The remedies for NaN and infinity, for large numbers, and for NaN and infinity on
    # the command line.
    remedy: str
    if_large: str = "scale it down"
    shell_remedy: str | None = None

    def not_finite(self, nan: int, infinite: int, first: Array) -> ArgumentValueError:
        """Return the error for this many NaN and infinite values."""
        got = [pluralize(nan, "NaN value")] if nan else []
        got += [pluralize(infinite, "infinite value")] if infinite else []
        return ArgumentValueError(
            self.name,
            "be finite",
            " and ".join(got),
            self.remedy,
            found=f"the first at {self.say_place(first)}",
            shell_remedy=self.shell_remedy,
        )

    def check_size(self, dtype: np.dtype[Any], low: float, high: float) -> None:
        """Reject numbers in this range if their squares would overflow."""
        limit: float = LARGEST_INTEGER
        form, why = ",", "float64 holds it exactly"
        if dtype.kind == "f":
            limit, form, why = LARGEST, ".4g", "sums of squares stay finite"
        largest = max(high, -low)
        if largest > limit:
            rule = f"lie between -{limit:{form}} and {limit:{form}}, so that {why}"
            got = f"a value of size {largest:{form}}"
            raise ArgumentValueError(self.name, rule, got, self.if_large)


POINTS = ErrorContext(
    "points",
    place_along("row", "column"),
    "leave those rows out, as in points[np.isfinite(points).all(axis=1)]",
)


def finite(array: Array, named: ErrorContext) -> None:
    """Reject NaN, infinity, and numbers whose squares would overflow."""
    if array.dtype.kind in "biu" and array.dtype.itemsize < 8:
        return
    with np.errstate(invalid="ignore"):
        high, low = array.max().item(), array.min().item()
    # If any value is NaN, both are.
    if not (np.isfinite(high) and np.isfinite(low)):
        good = np.isfinite(array)
        nan = int(np.isnan(array).sum())
        infinite = int(good.size - good.sum()) - nan
        raise named.not_finite(nan, infinite, np.argwhere(~good)[0])
    named.check_size(array.dtype, low, high)


def points(value: Any) -> Array:
    """Return the points as an (n, d) array of finite real numbers."""
    array = real_array(value, "points")
    points_shape(array.shape)
    finite(array, POINTS)
    return array


def points_shape(shape: tuple[int, ...]) -> None:
    """Reject shapes that are not (n, d) with at least one value."""
    if len(shape) != 2:
        remedy = "pass one row for each point and one column for each feature"
        if len(shape) == 1:
            remedy = "if each number is a point, pass np.reshape(points, (-1, 1))"
        rule = "have 2 axes, (n, d)"
        raise ArgumentValueError("points", rule, f"shape {shape}", remedy)
    if 0 in shape:
        rule = "hold at least one point with at least one feature"
        remedy = "check how they were selected"
        raise ArgumentValueError("points", rule, f"shape {shape}", remedy)
