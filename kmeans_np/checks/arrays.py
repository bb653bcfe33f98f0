"""The border for arrays: points, weights and images.

What this file adds: one function for each kind of array. It returns the array in the
form that the rest of the package relies on, or raises the error. What it leaves out:
numbers and choices (`kmeans_np.checks.options`).
"""

from typing import Any

import numpy as np

from kmeans_np.lloyd import Array, Floats

# Numbers up to here, squared, times weights up to here, add up to a finite float64.
LARGEST = 1e100
# Every integer up to here is a float64.
LARGEST_INTEGER = 2**53

_REMEDIES = {
    "c": "take its real part or its magnitude",
    "f": "convert it to float64, if you can spare the digits",
}


def real_array(value: Any, name: str) -> Array:
    """Return `value` as an array of real numbers, of the type that it has."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a plain array, got a masked array, whose mask would be "
            "lost; fill it or leave the masked values out"
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
        return f"{value!r} ({type(value).__name__})"
    return f"an array of type {array.dtype}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def finite(array: Array, name: str, axes: tuple[str, ...], remedy: str) -> None:
    """Refuse NaN, infinity, and numbers whose squares would overflow.

    `axes` names the leading axes, for the place of the first bad value.
    """
    if array.dtype.kind in "biu" and array.dtype.itemsize < 8:
        return
    with np.errstate(invalid="ignore"):
        high, low = array.max().item(), array.min().item()
    # NaN anywhere makes both NaN.
    if not (np.isfinite(high) and np.isfinite(low)):
        good = np.isfinite(array)
        nan = int(np.isnan(array).sum())
        infinite = int(good.size - good.sum()) - nan
        found = [counted(nan, "NaN value")] if nan else []
        found += [counted(infinite, "infinite value")] if infinite else []
        places = zip(axes, np.argwhere(~good)[0])
        place = ", ".join(f"{axis} {i}" for axis, i in places)
        raise ValueError(
            f"{name} must be finite, got {' and '.join(found)}, the first at {place}; "
            f"{remedy}"
        )
    limit: float = LARGEST_INTEGER
    form, why = ",", "float64 holds it exactly"
    if array.dtype.kind == "f":
        limit, form, why = LARGEST, ".4g", "sums of squares stay finite"
    largest = max(high, -low)
    if largest > limit:
        raise ValueError(
            f"{name} must lie between -{limit:{form}} and {limit:{form}}, so that "
            f"{why}, got a value of size {largest:{form}}; scale it down"
        )


def points(value: Any) -> Array:
    """Return the points as an (n, d) array of finite real numbers."""
    array = real_array(value, "points")
    if array.ndim != 2:
        remedy = "pass one row for each point and one column for each feature"
        if array.ndim == 1:
            remedy = "if each number is a point, pass points.reshape(-1, 1)"
        raise ValueError(
            f"points must have 2 axes, (n, d), got shape {array.shape}; {remedy}"
        )
    if array.size == 0:
        raise ValueError(
            f"points must hold at least one point with at least one feature, got shape "
            f"{array.shape}; check how they were selected"
        )
    finite(
        array,
        "points",
        ("row", "column"),
        "leave those rows out, as in points[np.isfinite(points).all(axis=1)]",
    )
    return array


def weights(value: Any, n: int) -> Floats:
    """Return the weights as an (n,) array of float64; all 1 if they are None."""
    if value is None:
        return np.broadcast_to(np.float64(1), n)
    array = real_array(value, "weights")
    if array.shape != (n,):
        raise ValueError(
            f"weights must have one number for each of the {n:,} points, shape "
            f"({n},), got shape {array.shape}; pass them in the order of the points"
        )
    finite(array, "weights", ("place",), "give points that do not count a weight of 0")
    bad = (array < 0) | ((array > 0) & (array < 1 / LARGEST))
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"weights must be 0 or between {1 / LARGEST:g} and {LARGEST:g}, got "
            f"{array[place]} at place {place}; give points that do not count a weight "
            "of 0"
        )
    if not array.any():
        raise ValueError(
            "weights must not all be 0, got only zeros; give at least one point a "
            "positive weight"
        )
    return array.astype(np.float64)


def image(value: Any) -> Array:
    """Return the image as an array (rows, columns) or (rows, columns, channels)."""
    array = real_array(value, "image")
    if array.ndim not in (2, 3):
        raise ValueError(
            "image must have 2 axes, (rows, columns), or 3, (rows, columns, channels), "
            f"got shape {array.shape}; pass one image at a time, and flat pixels to "
            "kmeans"
        )
    if array.size == 0:
        raise ValueError(
            "image must hold at least one row, one column and one channel, got shape "
            f"{array.shape}; check how it was cut out"
        )
    return array


def finite_pixels(pixels: Array) -> None:
    """Refuse NaN and infinity among (rows, columns[, channels]) of an image."""
    remedy = (
        "replace them, as in np.where(np.isfinite(image), image, 0), or cut them out"
    )
    finite(pixels, "image", ("row", "column"), remedy)


def some_visible(visible: Array) -> None:
    """Refuse an image without pixels to cluster."""
    if not visible.any():
        raise ValueError(
            "image must have at least one pixel that is not fully transparent, got "
            f"{visible.size:,} transparent ones; pass image[..., :-1] to cluster the "
            "hidden colors"
        )
