"""Converts an image to pixels, one per row, and back.

An image of shape (375, 500, 3) is flattened to 187,500 points with 3 features; the
result for every point is reshaped to an image again.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np import checks
from kmeans_np.colors import ColorPacking, take_colors
from kmeans_np.lloyd import Array, Floats


class Pixels(NamedTuple):
    """The pixels of an image, one per row."""

    # ([planes,] rows, columns, channels) array: the image, with its channels last; a
    # gray image has one.
    image: Array
    # (n, c) array of the image's type: the included pixels, without alpha.
    values: Array
    # ([planes,] rows, columns) array of bool: which pixels are included; None for all.
    part: NDArray[np.bool_] | None
    # Whether the last channel is alpha.
    has_alpha: bool
    # The axis of the channels in the caller's image; None for gray without such an
    # axis.
    channel_axis: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the image without its channels."""
        return self.image.shape[:-1]

    @property
    def colors(self) -> Array:
        """The image without alpha."""
        return self.image[..., :-1] if self.has_alpha else self.image

    def places(self, begin: tuple[slice, ...] | None = None) -> Array:
        """Return the row and column (plane, row and column) of each included pixel.

        If this is a block of an image, `begin` is its place there.
        """
        if self.part is not None:
            inside = np.argwhere(self.part)
        else:
            inside = np.indices(self.shape).reshape(len(self.shape), -1).T
        if begin is None:
            return inside
        steps = [cut.step or 1 for cut in begin]
        places: Array = inside * steps + [cut.start for cut in begin]
        return places

    def of_the_same(self, image: Array) -> "Pixels":
        """Return these pixels with another image that has the same axes."""
        return self._replace(image=channels_last(image, self.channel_axis))


def take_apart(
    image: ArrayLike, mask: ArrayLike | None, channel_axis: int | None, alpha: Any
) -> tuple["Layout", Pixels]:
    """Check an image; return its layout, and its included pixels, one per row."""
    layout, array = lay_out(image, channel_axis, alpha)
    shape, axis = layout.shape, layout.channel_axis
    masked = checks.mask(mask, shape)
    if layout.has_alpha:
        checks.finite_pixels(_flat(array[..., -1:], masked), shape, masked, axis)
    pixels = apart(array, masked, layout.has_alpha, axis)
    n_masked = None if masked is None else int(np.count_nonzero(masked))
    checks.some_take_part(len(pixels.values), math.prod(shape), n_masked)
    checks.finite_pixels(pixels.values, shape, pixels.part, axis)
    return layout, pixels


class Layout(NamedTuple):
    """The layout of an image: what is known before any of its pixels are read."""

    # The shape of the image without channels.
    shape: tuple[int, ...]
    # The type of the image.
    dtype: np.dtype[Any]
    # The number of channels without alpha.
    channels: int
    # Whether the last channel is alpha.
    has_alpha: bool
    # The axis of the channels; None for gray without such an axis.
    channel_axis: int | None
    # The minimum and maximum of each channel, if they are known.
    ranges: tuple[tuple[int, int], ...] | None = None

    @property
    def size(self) -> int:
        """The number of pixels."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """The number of axes of the image."""
        return len(self.shape) + (self.channel_axis is not None)

    @property
    def packing(self) -> ColorPacking:
        """How pixels are packed into one number each."""
        return ColorPacking(self.dtype, self.channels, self.ranges)

    @property
    def needs_ranges(self) -> bool:
        """Whether pixels might be packed if the range of each channel was known."""
        unknown = self.ranges is None and self.dtype.kind in "iu"
        return unknown and not self.packing.is_possible

    def with_ranges(self, low: Floats, high: Floats) -> "Layout":
        """Return this layout with the minimum and maximum of each channel."""
        ranges = tuple((int(a), int(b)) for a, b in zip(low, high))
        return self._replace(ranges=ranges)

    def without_channels(self, each: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a tuple with one entry per axis, without that of the channels."""
        axis = self.channel_axis
        return each if axis is None else each[:axis] + each[axis + 1 :]

    def with_channels(self, place: tuple[slice, ...]) -> tuple[slice, ...]:
        """Return the slices of a block, with one for all channels."""
        axis = self.channel_axis
        if axis is None:
            return place
        return *place[:axis], slice(0, self.channels + self.has_alpha), *place[axis:]

    def pixels(self, block: Array, mask: Array | None) -> Pixels:
        """Return the pixels of a block of the image that its mask does not exclude."""
        mask = None if mask is None else mask.astype(bool, copy=False)
        image = channels_last(block, self.channel_axis)
        return apart(image, mask, self.has_alpha, self.channel_axis)


def lay_out(
    image: ArrayLike, channel_axis: int | None, alpha: Any
) -> tuple[Layout, Array]:
    """Check the axes of an image; return its layout, and it with its channels last."""
    array, axis = checks.image(image, channel_axis)
    array = channels_last(array, axis)
    shape, channels = array.shape[:-1], array.shape[-1]
    has_alpha = checks.has_alpha(alpha, None if axis is None else channels)
    return Layout(shape, array.dtype, channels - has_alpha, has_alpha, axis), array


def apart(
    image: Array,
    mask: NDArray[np.bool_] | None,
    has_alpha: bool,
    channel_axis: int | None,
) -> Pixels:
    """Return the pixels of an image with its channels last, without checks."""
    part = mask
    if has_alpha:
        # NaN outside of the mask counts as invisible: it is not above 0.
        visible = image[..., -1] > 0
        part = visible if mask is None else mask & visible
    part = None if part is None or part.all() else part
    values = _flat(image[..., :-1] if has_alpha else image, part)
    return Pixels(image, values, part, has_alpha, channel_axis)


def channels_last(image: Array, axis: int | None) -> Array:
    """Return an image with its channels as the last axis; a gray image gets one."""
    return image[..., np.newaxis] if axis is None else np.moveaxis(image, axis, -1)


def _flat(channels: Array, part: NDArray[np.bool_] | None) -> Array:
    """Return the channels of the included pixels, one pixel per row."""
    return channels.reshape(-1, channels.shape[-1]) if part is None else channels[part]


def paint(pixels: Pixels, palette: Array, labels: Array) -> tuple[Array, Array]:
    """Paint every pixel in the color of its label, and reshape colors and labels.

    Returns
    -------
    painted : array with the shape and dtype of the image
        The segmented image, with its channels on their original axis.
    label_image : ([planes,] rows, columns) array of int
        The labels, -1 for excluded pixels.
    """
    colors = take_colors(palette, labels)
    if pixels.part is None:
        label_image = labels.reshape(pixels.shape)
    else:
        label_image = np.full(pixels.shape, -1, labels.dtype)
        label_image[pixels.part] = labels
    if pixels.part is None and not pixels.has_alpha:
        painted = colors.reshape(pixels.image.shape)
    else:
        painted = np.array(pixels.image, order="C")
        inside = painted[..., : colors.shape[1]]
        if pixels.part is None:
            inside[...] = colors.reshape(inside.shape)
        else:
            inside[pixels.part] = colors
    if pixels.channel_axis is None:
        return painted[..., 0], label_image
    moved = np.moveaxis(painted, -1, pixels.channel_axis)
    return np.ascontiguousarray(moved), label_image
