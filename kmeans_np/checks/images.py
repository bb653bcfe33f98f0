"""Checks of images, and of their masks and weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np.checks.arrays import ErrorContext, finite, place_along, real_array
from kmeans_np.checks.errors import ArgumentTypeError, ArgumentValueError, describe
from kmeans_np.checks.weights import not_negative
from kmeans_np.lloyd import Array, Floats

AXES = ("plane", "row", "column")


def image(value: Any, channel_axis: Any) -> tuple[Array, int | None]:
    """Return the image as an array, and the axis of its channels; None for gray.

    An array of 2 axes is gray.
    """
    array = real_array(value, "image")
    axis, n_axes = channel_axis, array.ndim
    is_axis = isinstance(axis, (int, np.integer)) and not isinstance(axis, bool)
    if axis is not None and not is_axis:
        raise ArgumentTypeError(
            "channel_axis",
            "be a whole number or None",
            describe(axis, with_type=True),
            "pass the axis of the channels, such as -1, or None for a gray volume",
        )
    if n_axes == 2 and axis == -1:
        axis = None
    elif n_axes == 2 and axis is not None:
        rule = "be -1 or None for an image of 2 axes, which is gray"
        raise ArgumentValueError("channel_axis", rule, axis, "leave it out")
    elif n_axes and axis is not None and not -n_axes <= axis < n_axes:
        rule = f"be an axis of image, -{n_axes} to {n_axes - 1}"
        remedy = "pass the axis of the channels, such as -1"
        raise ArgumentValueError("channel_axis", rule, axis, remedy)
    if n_axes - (axis is not None) not in (2, 3):
        rule = "have 2 axes, (rows, columns), "
        if channel_axis is None:
            rule += "or 3, (planes, rows, columns), without channels"
        else:
            rule += "3, with channels, or 4, (planes, rows, columns) with channels"
        remedy = "pass one image at a time, and flat pixels to kmeans"
        raise ArgumentValueError("image", rule, f"shape {array.shape}", remedy)
    if array.size == 0:
        rule = "hold at least one row, one column and one channel"
        remedy = "check how it was cropped"
        raise ArgumentValueError("image", rule, f"shape {array.shape}", remedy)
    return array, None if axis is None else int(axis) % n_axes


def has_alpha(value: Any, channels: int | None) -> bool:
    """Return whether the last channel is alpha; `channels` is None for gray."""
    if isinstance(value, str) and value == "auto":
        return channels in (2, 4)
    if isinstance(value, str) and value == "weights":
        # With three channels, the last one is blue.
        return channels is not None and channels > 1 and channels != 3
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentTypeError(
            "alpha",
            "be True, False, 'auto' or 'weights'",
            describe(value, with_type=True),
            "pass True if the last channel is alpha",
        )
    if value and (channels is None or channels < 2):
        rule = "be False or 'auto' for an image with fewer than 2 channels"
        raise ArgumentValueError("alpha", rule, "True", "leave it out")
    return bool(value)


def mask(value: Any, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return the mask as an array of bool of this shape, or None."""
    if value is None:
        return None
    array = real_array(value, "mask")
    if array.dtype.kind == "f":
        raise ArgumentTypeError(
            "mask",
            "hold bools or whole numbers",
            f"an array of type {array.dtype}",
            "convert it, as in mask > 0.5",
        )
    _check_shape(array, shape, "mask", "value", "any")
    return array.astype(bool, copy=False)


def _check_shape(
    array: Array, shape: tuple[int, ...], name: str, noun: str, reduce: str
) -> None:
    """Reject arrays that do not have one value for each pixel of an image."""
    if array.shape != shape:
        remedy = "pass one that fits the image"
        if array.ndim > len(shape):
            remedy = f"leave the channels out, as in {name}.{reduce}(axis=-1)"
        rule = f"have one {noun} for each pixel, shape {shape}"
        raise ArgumentValueError(name, rule, f"shape {array.shape}", remedy)


def some_take_part(n: int, size: int, n_masked: int | None) -> None:
    """Reject an image of which no pixel is included.

    `n` and `size` are the numbers of included and of all pixels; `n_masked` is the
    number of pixels that the mask includes, None without a mask.
    """
    if n:
        return
    if n_masked == 0:
        raise ArgumentValueError(
            "mask",
            "include at least one pixel",
            f"none of {size:,}",
            "mark the pixels to include with True, or pass ~mask if it marks the "
            "others",
        )
    if n_masked is not None:
        remedy = "pass another mask, or {} to cluster the hidden colors"
        raise ArgumentValueError(
            "mask",
            "include at least one pixel that is not fully transparent",
            "only transparent ones",
            remedy.format("alpha=False"),
            shell_remedy=remedy.format("--alpha no"),
        )
    raise ArgumentValueError(
        "image",
        "have at least one pixel that is not fully transparent",
        f"{size:,} transparent ones",
        "pass alpha=False, or the image without its last channel, to cluster the "
        "hidden colors",
        shell_remedy="pass --alpha no to cluster the hidden colors",
    )


def _place_of_pixel(
    shape: tuple[int, ...], part: NDArray[np.bool_] | None
) -> Callable[[Array], str]:
    """Return a function that says where an included pixel is, given its number."""

    def say(place: Array) -> str:
        number = place[0] if part is None else np.flatnonzero(part)[place[0]]
        return place_of_pixel(np.array(np.unravel_index(number, shape)))

    return say


def place_of_pixel(index: Array) -> str:
    """Say where the pixel with this index is."""
    return place_along(*AXES[-len(index) :])(index)


def finite_pixels(
    values: Array,
    shape: tuple[int, ...],
    part: NDArray[np.bool_] | None,
    channel_axis: int | None,
) -> None:
    """Reject NaN and infinity among values (n, channels) of an image of this shape.

    `part` says which pixels these are, None for all.
    """
    if values.size:
        finite(values, named_pixels(_place_of_pixel(shape, part), channel_axis))


def names_of_pixels(places: Array, channel_axis: int | None) -> ErrorContext:
    """Return how errors refer to pixels at these positions, (n, axes)."""
    return named_pixels(lambda index: place_of_pixel(places[index[0]]), channel_axis)


def named_pixels(
    say_place: Callable[[Array], str], channel_axis: int | None
) -> ErrorContext:
    """Return how errors refer to the pixels of an image."""
    good = "np.isfinite(image)"
    if channel_axis is not None:
        good += f".all(axis={channel_axis})"
    remedy = "leave those pixels out with a mask"
    if_large = "scale it down, or leave out with a mask what stands for no data"
    return ErrorContext(
        "image", say_place, f"{remedy}, such as {good}", if_large, remedy
    )


def weights_image(value: Any, shape: tuple[int, ...]) -> Array:
    """Return the weights of all pixels as an array of this shape."""
    array = real_array(value, "weights")
    _check_shape(array, shape, "weights", "number", "mean")
    return array


def pixel_weights(weights: Array, part: NDArray[np.bool_] | None) -> Floats:
    """Return the weights of the included pixels."""
    flat = weights.ravel() if part is None else weights[part]
    among = "" if part is None else " that is included"
    say_place = _place_of_pixel(weights.shape, part)
    return not_negative(flat, say_place, "pixel", among)
