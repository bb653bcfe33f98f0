"""An image that is read in blocks: counted in one pass, painted in another.

What this file adds: the two passes over an image that need not fit in memory. Of 8 or
16 bits a number, an image of any size has few colors beside its pixels; when these are
counted, K-means runs on them in memory, and the answer is that of the whole image, to
the last bit. What it leaves out: images whose pixels hardly repeat.
"""

import math
from collections.abc import Callable, Iterator
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
from kmeans_np.image.pixels import Layout, Pixels, lay_out, paint, take_apart
from kmeans_np.lloyd import Array

Place = tuple[slice, ...]
# Returns the labels of pixels, or of their features, (n, c).
Finder = Callable[[Array], Array]


class Streamed(NamedTuple):
    """An image outside of memory, and which of its pixels take part.

    Attributes
    ----------
    source : Sliced
        The image.
    mask : Sliced or None
        Which pixels take part; None for all.
    layout : Layout
        How the image is laid out.
    """

    source: Sliced
    mask: Sliced | None
    layout: Layout

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the image without its channels."""
        return self.layout.shape

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.layout.has_alpha

    @property
    def channel_axis(self) -> int | None:
        """Where the image has its channels; None for gray without an axis for them."""
        return self.layout.channel_axis

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
        seen = self.layout.pixels(np.asarray(image[tuple(where)]), None)
        return seen, np.asarray(labels[tuple(steps)])

    def pixels(self, place: Place) -> Pixels:
        """Read the pixels at a place, given without channels."""
        axis = self.channel_axis
        where = place
        if axis is not None:
            where = (*place[:axis], slice(0, self.source.shape[axis]), *place[axis:])
        mask = None if self.mask is None else self.mask[place]
        return self.layout.pixels(self.source[where], mask)

    def blocks(self) -> Iterator[Place]:
        """Yield places, without channels, that together are the whole image."""
        chunks = self.source.chunks
        yield from tiles(self.shape, chunks and self.layout.without_channels(chunks))


def open_streamed(
    image: Any, mask: Any, channel_axis: int | None, alpha: Any
) -> Streamed:
    """Check an image that is read in slices, without reading it."""
    source = Sliced(image)
    layout, _ = lay_out(stand_in(source), channel_axis, alpha)
    if mask is not None:
        mask = Sliced(mask if hasattr(mask, "dtype") else np.asarray(mask), "mask")
        checks.mask(stand_in(mask), layout.shape)
    return Streamed(source, mask, layout)


def count(streamed: Streamed, report: Report | None = None) -> Colors | None:
    """Count the colors in one pass.

    None if most pixels have one of their own, or, without a pass, if they cannot be
    written as numbers of 64 bits, such as floats.
    """
    if not streamed.layout.coding.is_possible:
        return None
    counts, size = ColorCounts(streamed.layout.coding), math.prod(streamed.shape)
    reporter = Reporter(report, "count", size)
    for place in streamed.blocks():
        pixels = streamed.pixels(place)
        if len(pixels.values):
            counts.add(pixels.values)
        reporter.add(math.prod(pixels.shape))
        if counts.are_too_many:
            return None
    some_take_part(counts.n_pixels, streamed)
    return counts.colors()


def some_take_part(n: int, streamed: Streamed) -> None:
    """Refuse an image of which no pixel takes part."""
    n_masked = None
    if streamed.mask is not None and not n:
        # Only the error wants to know.
        parts = (streamed.mask[place] for place in streamed.blocks())
        n_masked = sum(int(np.count_nonzero(part)) for part in parts)
    checks.some_take_part(n, math.prod(streamed.shape), n_masked)


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


class ColorLabels:
    """Finds the labels of pixels, (n, c), by their colors.

    Parameters
    ----------
    labels : (m,) array of int
        The label of each color.
    color_codes : (m,) array of uint8, uint32 or uint64
        The codes of the colors.
    coding : Coding
        How pixels are written as numbers.
    """

    def __init__(self, labels: Array, color_codes: Array, coding: Coding) -> None:
        self.args = labels, color_codes, coding
        self.coding, self.look_up = coding, Lookup(labels, color_codes, coding.n_bits)

    def __reduce__(self) -> tuple[Any, ...]:
        # A table of all codes is larger than what it is made of.
        return ColorLabels, self.args

    def __call__(self, pixels: Array) -> Array:
        """Return the label of each pixel."""
        return self.look_up(self.coding.codes(pixels))


def look_at(image: Any, mask: Any, channel_axis: int | None, alpha: Any) -> Seen:
    """Look at an image; in blocks, if it lies outside of memory and can be counted."""
    if is_sliced(image):
        streamed = open_streamed(image, mask, channel_axis, alpha)
        colors = count(streamed)
        if colors is not None:
            return Seen(streamed, colors)
    return Seen(take_apart(in_memory(image), mask, channel_axis, alpha), None)


class Painted:
    """The labels and colors of an image that is read in blocks.

    Parameters
    ----------
    streamed : Streamed
        The image.
    find : callable
        Returns the labels of the features of pixels (n, d).
    palette : (k, c) array
        What each label is painted with.
    features : Features, optional
        What is compared; the pixels as they are when not given.
    """

    def __init__(
        self,
        streamed: Streamed,
        find: Finder,
        palette: Array,
        features: Features | None = None,
    ) -> None:
        self.streamed, self.find, self.palette = streamed, find, palette
        self.features = features or Features()
        self.kind = np.min_scalar_type(-len(palette))
        source = streamed.source
        chunks = source.chunks
        self.image = View(source.shape, source.dtype, chunks, self._image)
        small = None if chunks is None else streamed.layout.without_channels(chunks)
        self.labels = View(streamed.shape, self.kind, small, self._labels)

    def _paint(self, place: Place) -> tuple[Array, Array]:
        pixels = self.streamed.pixels(place)
        labels = np.empty(0, self.kind)
        if len(pixels.values):
            features = self.features.of_block(pixels, place)
            labels = self.find(features).astype(self.kind, copy=False)
        return paint(pixels, self.palette, labels)

    def _image(self, place: Place) -> Array:
        painted, _ = self._paint(self.streamed.layout.without_channels(place))
        axis = self.streamed.channel_axis
        if axis is None:
            return painted
        channels = (slice(None),) * axis + (place[axis],)
        return painted[channels]

    def _labels(self, place: Place) -> Array:
        _, labels = self._paint(place)
        return labels
