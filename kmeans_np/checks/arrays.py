"""The border for arrays: points and their weights.

What this file adds: one function for each kind of array. It returns the array in the
form that the rest of the package relies on, or raises the error. And how errors show
values and names. What it leaves out: images (`kmeans_np.checks.images`), numbers and
choices (`kmeans_np.checks.options`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import Array

# Numbers up to here, squared, times weights up to here, add up to a finite float64.
LARGEST = 1e100
# Every integer up to here is a float64.
LARGEST_INTEGER = 2**53
# So many characters of a value are shown.
LONGEST = 60

_REMEDIES = {
    "c": "take its real part or its magnitude",
    "f": "convert it to float64, if you can spare the digits",
}


def printable(text: object) -> str:
    """Return text with an escape for each character that cannot be shown.

    Names of files may hold anything, and a terminal obeys some of it.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    # So Python has the bytes of a file name that are no UTF-8.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def shown(value: Any) -> str:
    """Return a value in words that fit on one line."""
    text = repr(value)
    # A string keeps its spaces.
    text = printable(text if isinstance(value, str) else " ".join(text.split()))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def got(value: Any) -> str:
    """Return a value with the name of its type."""
    return f"{shown(value)} ({type(value).__name__})"


def real_array(value: Any, name: str) -> Array:
    """Return `value` as an array of real numbers, of the type that it has."""
    if isinstance(value, np.ma.MaskedArray):
        remedy = "fill it or leave the masked values out"
        if name == "image":
            remedy = "pass image.data, and as mask where nothing is masked"
        raise TypeError(
            f"{name} must be a plain array, got a masked array, whose mask would be "
            f"lost; {remedy}"
        )
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} must be a rectangular array, got nested sequences of different "
            "lengths; make them equally long"
        ) from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        otherwise = "pass an array of numbers, such as read_image makes of a file"
        remedy = _REMEDIES.get(array.dtype.kind, otherwise)
        raise TypeError(
            f"{name} must hold real numbers of at most 64 bits, got "
            f"{_describe(value, array)}; {remedy}"
        )
    return array


def _describe(value: Any, array: Array) -> str:
    if array.ndim == 0:
        return f"{got(value)}"
    return f"an array of type {array.dtype}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def place_along(*axes: str) -> Callable[[Array], str]:
    """Return what says where a value is, by the names of its leading axes."""
    return lambda place: ", ".join(f"{axis} {i}" for axis, i in zip(axes, place))


class Named(NamedTuple):
    """How errors speak of numbers: what they call them, where one is, and what to do.

    Attributes
    ----------
    name : str
        The argument.
    say_place : callable
        Makes words of an index.
    remedy, if_large : str
        What to do about NaN and infinity, and about large numbers.
    """

    name: str
    say_place: Callable[[Array], str]
    remedy: str
    if_large: str = "scale it down"

    def not_finite(self, nan: int, infinite: int, first: Array) -> ValueError:
        """Return the error for so many values that are no numbers."""
        found = [counted(nan, "NaN value")] if nan else []
        found += [counted(infinite, "infinite value")] if infinite else []
        return ValueError(
            f"{self.name} must be finite, got {' and '.join(found)}, the first at "
            f"{self.say_place(first)}; {self.remedy}"
        )

    def check_size(self, dtype: np.dtype[Any], low: float, high: float) -> None:
        """Refuse numbers of this range whose squares would overflow."""
        limit: float = LARGEST_INTEGER
        form, why = ",", "float64 holds it exactly"
        if dtype.kind == "f":
            limit, form, why = LARGEST, ".4g", "sums of squares stay finite"
        largest = max(high, -low)
        if largest > limit:
            raise ValueError(
                f"{self.name} must lie between -{limit:{form}} and {limit:{form}}, so "
                f"that {why}, got a value of size {largest:{form}}; {self.if_large}"
            )


POINTS = Named(
    "points",
    place_along("row", "column"),
    "leave those rows out, as in points[np.isfinite(points).all(axis=1)]",
)


def finite(array: Array, named: Named) -> None:
    """Refuse NaN, infinity, and numbers whose squares would overflow."""
    if array.dtype.kind in "biu" and array.dtype.itemsize < 8:
        return
    with np.errstate(invalid="ignore"):
        high, low = array.max().item(), array.min().item()
    # NaN anywhere makes both NaN.
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
    """Refuse shapes that are not (n, d) with at least one number."""
    if len(shape) != 2:
        remedy = "pass one row for each point and one column for each feature"
        if len(shape) == 1:
            remedy = "if each number is a point, pass points.reshape(-1, 1)"
        raise ValueError(
            f"points must have 2 axes, (n, d), got shape {shape}; {remedy}"
        )
    if 0 in shape:
        raise ValueError(
            f"points must hold at least one point with at least one feature, got shape "
            f"{shape}; check how they were selected"
        )
