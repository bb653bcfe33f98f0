"""Checks of features, of palettes, and of arguments of methods of results."""

from typing import Any

import numpy as np

from kmeans_np.checks.arrays import (
    LARGEST,
    ErrorContext,
    finite,
    place_along,
    real_array,
)
from kmeans_np.checks.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    pluralize,
)
from kmeans_np.checks.options import at_least_0, one_of
from kmeans_np.lloyd import Array, Floats

# An array of 2 axes with more columns is taken as points only if `kind` says so.
FEW_COLUMNS = 16


def position_weight(value: Any) -> float:
    """Return how much the position of a pixel counts relative to its color."""
    remedy = "pass 0 to compare colors only, or about 1 for compact regions"
    weight = at_least_0(value, "position_weight", remedy)
    if weight > 1e6:
        rule = "be at most a million"
        raise ArgumentValueError("position_weight", rule, f"{weight:g}", remedy)
    return weight


def white(dtype: np.dtype[Any], channels: int, space: str) -> float:
    """Return the value of white in an RGB image that is converted to a color space."""
    if channels != 3:
        rule = "have the channels red, green and blue for"
        raise ArgumentValueError(
            "image",
            f"{rule} color_space={space!r}",
            f"{pluralize(channels, 'channel')} without alpha",
            "leave color_space out",
            shell_rule=f"{rule} --color-space {space}",
            shell_remedy="leave that out",
        )
    if dtype.kind == "u" and dtype.itemsize < 8:
        return float(np.iinfo(dtype).max)
    return 1.0


def range_of_rgb(dtype: np.dtype[Any], low: Floats, high: Floats, space: str) -> None:
    """Reject an image with values from `low` to `high` that cannot be RGB."""
    if dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize < 8):
        return
    if dtype.kind != "f" or low.min() < 0 or high.max() > 1:
        rule = "hold unsigned integers or floats from 0 to 1 for"
        raise ArgumentValueError(
            "image",
            f"{rule} color_space={space!r}",
            f"{dtype} from {low.min():g} to {high.max():g}",
            "scale it, as in image / 255",
            shell_rule=f"{rule} --color-space {space}",
            shell_remedy="scale it, or leave that out",
        )


def image_or_points(
    value: Any,
    kind: Any,
    mask: Any,
    channel_axis: Any,
    alpha: Any,
    color_space: Any = "rgb",
    position_weight: Any = 0,
    color_profile: Any = None,
) -> bool:
    """Return whether a value is an image; otherwise it is points, (n, d).

    An array of 2 axes may be a gray image, or points with one row each. Unless `kind`
    decides, it is taken as points only if it is unlikely to be an image.
    """
    one_of(kind, "kind", ("auto", "image", "points"))
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
        return True
    if array.ndim > 2:
        raise ArgumentValueError(
            "image_or_points",
            "have 2 axes, (n, d), for kind='points'",
            got,
            "pass kind='image', or one point a row, as in "
            f"np.reshape(points, (-1, {array.shape[-1]}))",
        )
    rows, columns = array.shape
    # An empty array is neither; the check of points rejects it.
    plainly_points = columns <= FEW_COLUMNS and (rows > columns or 0 in array.shape)
    if kind == "auto" and not plainly_points:
        raise ArgumentValueError(
            "image_or_points",
            f"have more rows than columns and at most {FEW_COLUMNS} columns to be "
            "taken for points",
            got,
            "pass kind='image' for a gray image, or kind='points' if each row is a "
            "point",
        )
    _only_of_images(
        mask=mask,
        channel_axis=channel_axis,
        alpha=alpha,
        color_space=color_space,
        position_weight=position_weight,
        color_profile=color_profile,
    )
    return False


# The arguments that are only for images, and their defaults.
_OF_IMAGES = {
    "mask": None,
    "channel_axis": -1,
    "alpha": "auto",
    "color_space": "rgb",
    "position_weight": 0,
    "color_profile": None,
}


def _only_of_images(**arguments: Any) -> None:
    """Reject arguments that are only for images, but were given for points."""
    for name, given in arguments.items():
        default = _OF_IMAGES[name]
        if given is default or (np.isscalar(given) and given == default):
            continue
        raise ArgumentValueError(
            name,
            "be left out for points, (n, d)",
            describe(given),
            "leave it out, or for a gray image pass kind='image'",
            shell_rule="be left out for points",
            shell_remedy="leave it out, or pass a picture",
        )


def check_color_profile(value: Any) -> None:
    """Reject values that are neither bytes nor None."""
    if value is not None and not isinstance(value, bytes):
        rule, remedy = "be bytes or None", "pass what Metadata.color_profile holds"
        got = describe(value, with_type=True)
        raise ArgumentTypeError("color_profile", rule, got, remedy)


def palette(
    value: Any, channels: int, dtype: np.dtype[Any], white: float | None
) -> Floats:
    """Return a palette for images of this dtype as (k, channels) float64.

    `white` is the value of white if the colors are sRGB, None if they may be anything.
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
    finite(array, ErrorContext("palette", place, "pass finite colors"))
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
    """Return another image, which must have the axes and the dtype of the first."""
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
    """Reject another image whose number of channels differs from that of the first."""
    if channels != first:
        what = "channels without alpha as the image that was clustered"
        rule = f"have as many {what}, {first}"
        raise ArgumentValueError("image", rule, channels, "pass one of its kind")


def check_label(value: Any, k: int) -> int:
    """Return the label of one of k clusters."""
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


def several_k(value: Any) -> list[int]:
    """Return the numbers of clusters as a list, each at least 1."""
    array = real_array(value, "ks")
    remedy = "pass the numbers of clusters to try, such as range(1, 11)"
    if array.ndim != 1 or array.size == 0:
        rule = "be a list of at least one number"
        raise ArgumentValueError("ks", rule, f"shape {array.shape}", remedy)
    if array.dtype.kind not in "iu":
        got = f"an array of type {array.dtype}"
        raise ArgumentTypeError("ks", "hold whole numbers", got, remedy)
    if array.min() < 1:
        got = f"{array.min():,}"
        raise ArgumentValueError("ks", "be at least 1", got, "leave it out")
    return [int(k) for k in array]


def largest_k(k: int, n: int, noun: str) -> None:
    """Reject the largest of several k if there are not that many points (`noun`)."""
    if k > n:
        rule = f"be from 1 to the number of {noun}, {n:,}"
        raise ArgumentValueError("ks", rule, f"{k:,}", "leave it out")


def features(array: Array, name: str) -> None:
    """Reject features that got too large; they were computed from `name`."""
    if not array.size:
        return
    # NaN fails this comparison, too.
    if not (array.min() >= -LARGEST and array.max() <= LARGEST):
        raise ArgumentValueError(
            name,
            f"stay between -{LARGEST:.4g} and {LARGEST:.4g} when it is normalized or "
            f"has a position_weight",
            "larger numbers",
            "bring it to the unit and scale of the image",
        )
