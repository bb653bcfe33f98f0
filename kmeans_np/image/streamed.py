"""An image that is read in blocks: counted in one pass, painted in another.

What this file adds: the two passes over an image that need not fit in memory. Of 8 or
16 bits a number, an image of any size has few colors beside its pixels; when these are
counted, K-means runs on them in memory, and the answer is that of the whole image, to
the last bit. What it leaves out: images whose pixels hardly repeat.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import (
    Report,
    Reporter,
    Sliced,
    View,
    in_memory,
    is_sliced,
    stand_in,
    tiles,
)
from kmeans_np.colors import Coding, ColorCounts, Colors, Lookup
from kmeans_np.image.features import Features, Points, compare_again
from kmeans_np.image.pixels import Pixels, apart, channels_last, paint, take_apart
from kmeans_np.lloyd import Array

Place = tuple[slice, ...]


class Streamed(NamedTuple):
    """An image outside of memory, and which of its pixels take part.

    Attributes
    ----------
    source : Sliced
        The image.
    mask : Sliced or None
        Which pixels take part; None for all.
    has_alpha : bool
        Whether the last channel is alpha.
    channel_axis : int or None
        Where the image has its channels; None for gray without an axis for them.
    """

    source: Sliced
    mask: Sliced | None
    has_alpha: bool
    channel_axis: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the image without its channels."""
        return self.without_channels(self.source.shape)

    @property
    def n_channels(self) -> int:
        """The number of channels that are compared."""
        axis = self.channel_axis
        return 1 if axis is None else self.source.shape[axis] - self.has_alpha

    @property
    def colors(self) -> Array:
        """All of the image in memory, with its channels last, without alpha."""
        whole = self.pixels(tuple(slice(0, n) for n in self.shape))
        return whole.colors

    def seen_from_afar(
        self, image: Array, labels: Array, longest: int
    ) -> tuple[Pixels, Array]:
        """Read every so many rows and columns of a segmented image and its labels."""
        steps = [slice(None, None, -(-max(self.shape) // longest))] * len(self.shape)
        axis = self.channel_axis
        where = steps if axis is None else [*steps[:axis], slice(None), *steps[axis:]]
        small = channels_last(np.asarray(image[tuple(where)]), axis)
        seen = apart(small, None, self.has_alpha, axis)
        return seen, np.asarray(labels[tuple(steps)])

    def without_channels(self, each: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what belongs to each axis of the image, but not that of channels."""
        axis = self.channel_axis
        return each if axis is None else each[:axis] + each[axis + 1 :]

    def pixels(self, place: Place) -> Pixels:
        """Read the pixels at a place, given without channels."""
        axis = self.channel_axis
        where = place
        if axis is not None:
            where = (*place[:axis], slice(0, self.source.shape[axis]), *place[axis:])
        mask = None if self.mask is None else self.mask[place].astype(bool, copy=False)
        block = channels_last(self.source[where], axis)
        return apart(block, mask, self.has_alpha, axis)

    def blocks(self) -> Iterator[Place]:
        """Yield places, without channels, that together are the whole image."""
        chunks = self.source.chunks
        yield from tiles(self.shape, chunks and self.without_channels(chunks))


def open_streamed(
    image: Any, mask: Any, channel_axis: int | None, alpha: Any
) -> Streamed | None:
    """Check an image that is read in slices, without reading it.

    None if its pixels cannot be written as numbers of 64 bits, such as floats, so that
    they have to be compared one by one.
    """
    source = Sliced(image)
    like, axis = checks.image(stand_in(source), channel_axis)
    like = channels_last(like, axis)
    shape, channels = like.shape[:-1], like.shape[-1]
    has_alpha = checks.has_alpha(alpha, None if axis is None else channels)
    if mask is not None:
        mask = Sliced(mask if hasattr(mask, "dtype") else np.asarray(mask))
        checks.mask(stand_in(mask), shape)
    streamed = Streamed(source, mask, has_alpha, axis)
    coding = Coding(source.dtype, streamed.n_channels)
    return streamed if coding.is_possible else None


def count(streamed: Streamed, report: Report | None = None) -> Colors | None:
    """Count the colors in one pass; None if most pixels have one of their own."""
    counts = ColorCounts(Coding(streamed.source.dtype, streamed.n_channels))
    size, n_masked = math.prod(streamed.shape), 0
    reporter = Reporter(report, "count", size)
    for place in streamed.blocks():
        pixels = streamed.pixels(place)
        if len(pixels.values):
            counts.add(pixels.values)
        if streamed.mask is not None:
            n_masked += int(np.count_nonzero(streamed.mask[place]))
        reporter.add(math.prod(pixels.shape))
    masked = None if streamed.mask is None else n_masked
    checks.some_take_part(counts.n_pixels, size, masked)
    return counts.colors()


class Seen(NamedTuple):
    """An image that has been looked at, in memory or in blocks.

    Attributes
    ----------
    pixels : Pixels or Streamed
        The image.
    counted : Colors or None
        The colors that were counted in blocks; None for an image in memory.
    """

    pixels: Pixels | Streamed
    counted: Colors | None

    @property
    def values(self) -> Array:
        """The pixels that take part, or their distinct colors, one a row."""
        if isinstance(self.pixels, Pixels):
            return self.pixels.values
        assert self.counted is not None
        return self.counted.colors

    def points(self, features: Features) -> Points:
        """Return the points to compare, by given features."""
        if isinstance(self.pixels, Pixels):
            return compare_again(self.pixels, features)
        assert self.counted is not None
        return points_of(self.counted, features)


def points_of(colors: Colors, features: Features) -> Points:
    """Return counted colors as the points to compare."""
    points = features.of(colors.colors)
    return Points(colors.colors, points, colors.counts, colors, weighted=False)


def look_at(image: Any, mask: Any, channel_axis: int | None, alpha: Any) -> Seen:
    """Look at an image; in blocks, if it lies outside of memory and can be counted."""
    if is_sliced(image):
        streamed = open_streamed(image, mask, channel_axis, alpha)
        colors = None if streamed is None else count(streamed)
        if streamed is not None and colors is not None:
            return Seen(streamed, colors)
    return Seen(take_apart(in_memory(image), mask, channel_axis, alpha), None)


class Painted:
    """The labels and colors of an image that is read in blocks.

    Parameters
    ----------
    streamed : Streamed
        The image.
    points : Points
        Its colors.
    labels : (m,) array of int
        The label of each color.
    palette : (k, c) array
        What each label is painted with.
    """

    def __init__(
        self, streamed: Streamed, points: Points, labels: Array, palette: Array
    ) -> None:
        colors = points.distinct
        assert colors is not None
        self.streamed, self.palette = streamed, palette
        self.coding = Coding(streamed.source.dtype, streamed.n_channels)
        self.find = Lookup(labels, colors.color_codes, colors.n_bits)
        source = streamed.source
        chunks = source.chunks
        self.image = View(source.shape, source.dtype, chunks, self._image)
        small = None if chunks is None else streamed.without_channels(chunks)
        self.labels = View(streamed.shape, labels.dtype, small, self._labels)

    def _paint(self, place: Place) -> tuple[Array, Array]:
        pixels = self.streamed.pixels(place)
        labels = self.find(self.coding.codes(pixels.values))
        return paint(pixels, self.palette, labels)

    def _image(self, place: Place) -> Array:
        painted, _ = self._paint(self.streamed.without_channels(place))
        axis = self.streamed.channel_axis
        if axis is None:
            return painted
        channels = (slice(None),) * axis + (place[axis],)
        return painted[channels]

    def _labels(self, place: Place) -> Array:
        _, labels = self._paint(place)
        return labels
