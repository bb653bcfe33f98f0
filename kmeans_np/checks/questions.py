"""Checks of what is compared, of palettes, and of what is asked of an answer."""

from typing import Any, NamedTuple

import numpy as np

from kmeans_np.checks.arrays import LARGEST, Named, finite, place_along, real_array
from kmeans_np.checks.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    pluralize,
)
from kmeans_np.checks.options import at_least_0, check_bool
from kmeans_np.lloyd import Array, Floats


class Compared(NamedTuple):
    """What is compared of the pixels: arguments that have passed their checks."""

    color_space: str
    normalize: bool
    position_weight: float

    def n_axes(self, shape: tuple[int, ...]) -> int:
        """Return how many numbers say where a pixel is; 0 if that is not compared."""
        return len(shape) if self.position_weight else 0


# With more columns, an array of 2 axes is taken for points only if that is said.
FEW_COLUMNS = 16
# The channels, nothing else.
AS_THEY_ARE = Compared("rgb", False, 0.0)


def compared(color_space: Any, normalize: Any, position_weight: Any) -> Compared:
    """Return what is compared."""
    if not isinstance(color_space, str) or color_space not in ("rgb", "lab"):
        rule, got = "be 'rgb' or 'lab'", describe(color_space)
        raise ArgumentValueError("color_space", rule, got, "pass one of these")
    remedy = "pass 0 to compare colors only, or about 1 for regions that hold together"
    weight = at_least_0(position_weight, "position_weight", remedy)
    if weight > 1e6:
        rule = "be at most a million"
        raise ArgumentValueError("position_weight", rule, f"{weight:g}", remedy)
    return Compared(color_space, check_bool(normalize, "normalize"), weight)


def white(dtype: np.dtype[Any], low: Floats, high: Floats) -> float:
    """Return the value of white in an RGB image.

    `low` and `high` are the smallest and the largest number of each channel.
    """
    if len(low) != 3:
        rule = "have the channels red, green and blue for"
        raise ArgumentValueError(
            "image",
            f"{rule} color_space='lab'",
            f"{pluralize(len(low), 'channel')} without alpha",
            "leave color_space out",
            shell_rule=f"{rule} --color-space lab",
            shell_remedy="leave that out",
        )
    if dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize < 8):
        return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
    if dtype.kind != "f" or low.min() < 0 or high.max() > 1:
        rule = "hold unsigned integers or floats from 0 to 1 for"
        raise ArgumentValueError(
            "image",
            f"{rule} color_space='lab'",
            f"{dtype} from {low.min():g} to {high.max():g}",
            "scale it, as in image / 255",
            shell_rule=f"{rule} --color-space lab",
            shell_remedy="scale it, or leave that out",
        )
    return 1.0


def image_or_points(
    value: Any, kind: Any, mask: Any, channel_axis: Any, alpha: Any, what: Compared
) -> tuple[Array, bool]:
    """Return an array, and whether it is an image; otherwise it is points, (n, d).

    An array of 2 axes may be either: a gray image, or points with a row each. Unless
    `kind` says so, it is taken for points only if it cannot well be an image.
    """
    if not isinstance(kind, str) or kind not in ("auto", "image", "points"):
        rule, got = "be 'auto', 'image' or 'points'", describe(kind)
        raise ArgumentValueError("kind", rule, got, "pass one of these")
    array = real_array(value, "image_or_points")
    got = f"shape {array.shape}"
    if array.ndim < 2:
        raise ArgumentValueError(
            "image_or_points",
            "have 2 axes, (n, d), or those of an image",
            got,
            "if each number is a point, pass np.reshape(points, (-1, 1)) and "
            "kind='points'",
        )
    plainly_image = array.ndim > 2 or channel_axis is None
    if kind == "image" or (kind == "auto" and plainly_image):
        return array, True
    if array.ndim > 2:
        raise ArgumentValueError(
            "image_or_points",
            "have 2 axes, (n, d), for kind='points'",
            got,
            "pass kind='image', or one point a row, as in "
            f"np.reshape(points, (-1, {array.shape[-1]}))",
        )
    if kind == "auto" and not _plainly_points(*array.shape):
        raise ArgumentValueError(
            "image_or_points",
            f"have more rows than columns and at most {FEW_COLUMNS} columns to be "
            "taken for points",
            got,
            "pass kind='image' for a gray image, or kind='points' if each row is a "
            "point",
        )
    _only_for_images(mask, channel_axis, alpha, what)
    return array, False


def _plainly_points(rows: int, columns: int) -> bool:
    # Without any numbers it is neither, which the check of points says.
    return columns <= FEW_COLUMNS and (rows > columns or 0 in (rows, columns))


def _only_for_images(mask: Any, channel_axis: Any, alpha: Any, what: Compared) -> None:
    """Refuse what says something about an image when there are points."""
    for name, value, default in (
        ("mask", mask, None),
        ("channel_axis", channel_axis, -1),
        ("alpha", alpha, "auto"),
        ("color_space", what.color_space, "rgb"),
        ("position_weight", what.position_weight, 0),
    ):
        if value is not default and not (np.isscalar(value) and value == default):
            rule = "be left out for points, (n, d)"
            remedy = "for a gray image pass kind='image'"
            remedy += " instead" if name == "channel_axis" else ""
            raise ArgumentValueError(name, rule, describe(value), remedy)


def palette(
    value: Any, channels: int, dtype: np.dtype[Any], white: float | None
) -> Floats:
    """Return a palette for images of this type as (k, channels) float64.

    `white` is the value of white if it is for CIELAB.
    """
    array = real_array(value, "palette")
    if channels == 1 and array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.shape[1] != channels or array.size == 0:
        raise ArgumentValueError(
            "palette",
            f"hold one color a row with {pluralize(channels, 'number')} each, as the "
            "image has without alpha",
            f"shape {array.shape}",
            f"pass an array of shape (k, {channels})",
            shell_remedy="choose another palette",
        )
    place = place_along("row", "column")
    finite(array, Named("palette", place, "pass finite colors"))
    low: float = 0
    high: float = 1 if white is None else white
    if white is None and dtype.kind != "b":
        limits: Any = (np.finfo if dtype.kind == "f" else np.iinfo)(dtype)
        low, high = limits.min, limits.max
    bad = (array < low) | (array > high)
    if bad.any():
        where = np.argwhere(bad)[0]
        raise ArgumentValueError(
            "palette",
            f"lie between {low} and {high}, as an image of type {dtype} does",
            f"{array[tuple(where)]} at {place(where)}",
            "give colors in the unit of the image",
        )
    return array.astype(np.float64)


def like(value: Any, n_axes: int, dtype: np.dtype[Any]) -> Array:
    """Return another image, if it has the axes and the type of the first."""
    array = real_array(value, "image")
    if array.ndim != n_axes:
        rule = f"have as many axes as the image that was clustered, {n_axes}"
        got = f"shape {array.shape}"
        raise ArgumentValueError("image", rule, got, "pass one of its kind")
    if array.dtype.newbyteorder("=") != dtype.newbyteorder("="):
        rule = f"be of the type of the image that was clustered, {dtype}"
        remedy = "convert it, with care for the unit"
        raise ArgumentValueError("image", rule, array.dtype, remedy)
    return array


def same_channels(channels: int, first: int) -> None:
    """Refuse another image that has not as many channels as the first."""
    if channels != first:
        what = "channels without alpha as the image that was clustered"
        rule = f"have as many {what}, {first}"
        raise ArgumentValueError("image", rule, channels, "pass one of its kind")


def check_label(value: Any, k: int) -> int:
    """Return the number of one of k clusters."""
    rule, remedy = (
        f"be a whole number from 0 to {k - 1}",
        "pass the number of a cluster",
    )
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ArgumentTypeError("label", rule, describe(value, with_type=True), remedy)
    if not 0 <= value < k:
        raise ArgumentValueError("label", rule, value, remedy)
    return int(value)


def check_fraction(value: Any, name: str) -> float:
    """Return `value` as a float from 0 to 1."""
    remedy = "pass a share from 0 to 1"
    number = at_least_0(value, name, remedy)
    if number > 1:
        raise ArgumentValueError(name, "be at most 1", f"{number:g}", remedy)
    return number


def several_k(value: Any, n: int, noun: str) -> list[int]:
    """Return several numbers of clusters, each from 1 to n, the number of `noun`."""
    array = real_array(value, "ks")
    remedy = "pass the numbers of clusters to try, such as range(1, 11)"
    if array.ndim != 1 or array.size == 0:
        rule = "be a list of at least one number"
        raise ArgumentValueError("ks", rule, f"shape {array.shape}", remedy)
    if array.dtype.kind not in "iu":
        got = f"an array of type {array.dtype}"
        raise ArgumentTypeError("ks", "hold whole numbers", got, remedy)
    low, high = int(array.min()), int(array.max())
    if low < 1 or high > n:
        rule = f"be from 1 to the number of {noun}, {n:,}"
        got = f"{low if low < 1 else high:,}"
        raise ArgumentValueError("ks", rule, got, "leave it out")
    return [int(k) for k in array]


def features(array: Array, name: str) -> None:
    """Refuse features that got too large on the way from the values of `name`."""
    if not array.size:
        return
    # NaN is not within any limits.
    if not (array.min() >= -LARGEST and array.max() <= LARGEST):
        raise ArgumentValueError(
            name,
            f"stay between -{LARGEST:.4g} and {LARGEST:.4g} when it is normalized or "
            "its place is weighted",
            "larger numbers",
            "bring it to the unit and scale of the image",
        )
