"""An image outside of memory whose pixels hardly repeat: floats, or many bands.

What this file adds: its pixels as points in parts, of which each step of K-means is a
pass, as for any other points. What it leaves out: the passes (`kmeans_np.clustering`),
and weights.
"""

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import CHUNK_BYTES, Report, Rows, tiles
from kmeans_np.clustering import Clustering, fit_parts, surveyed
from kmeans_np.image.features import Features, in_space, placed, powers, scaled
from kmeans_np.image.pixels import Layout
from kmeans_np.image.segmentation import Clusters, rounded
from kmeans_np.image.streamed import Finder, Place, Streamed, some_take_part
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pieces import Branches, branches, joined, tree_sum
from kmeans_np.sweeps.parted import Parts, label_rows, number_of_piece


class PixelRows(Rows):
    """The pixels of an image that take part, one a row, in the order of memory."""

    def __init__(self, streamed: Streamed, report: Report | None = None) -> None:
        self.streamed, self.features = streamed, Features()
        layout, n = streamed.layout, int(np.prod(streamed.shape, dtype=object))
        if streamed.mask is not None or layout.has_alpha:
            n = sum(len(streamed.pixels(place).values) for place in self._bands())
            some_take_part(n, streamed)
        super().__init__((n, layout.channels), layout.dtype, self._read, report)

    def _bands(self) -> Iterator[Place]:
        """Yield blocks of whole rows of the image, and of chunks if not too large."""
        layout = self.streamed.layout
        *planes, _, columns = shape = self.streamed.shape
        own = self.streamed.source.chunks
        height = layout.without_channels(own)[-2] if own is not None else 1
        row = columns * layout.channels * layout.dtype.itemsize
        height = max(1, min(height, CHUNK_BYTES // row))
        chunk = (*[1] * len(planes), height, columns)
        yield from tiles(shape, chunk, self.at_once // layout.channels)

    def _read(self) -> Iterator[Array]:
        for place in self._bands():
            yield self.features.of_block(self.streamed.pixels(place), place)

    def compared_by(self, features: Features) -> "PixelRows":
        """Return the features of these pixels, and where they are if that counts."""
        other = copy.copy(self)
        n, channels = self.shape
        axes = len(self.streamed.shape) if features.pixel else 0
        other.features, other.shape = features, (n, channels + axes)
        other.dtype, other.blocks = np.dtype(np.float64), other._read
        return other

    def named(self) -> checks.Named:
        """Return how errors speak of the pixels."""
        return checks.named_pixels(self._say_place, self.streamed.channel_axis)

    def _say_place(self, index: Array) -> str:
        """Say where the pixel of a row is."""
        number = int(index[0])
        for place in self._bands():
            part = self.streamed.pixels(place).part
            shape = tuple(cut.stop - cut.start for cut in place)
            n = int(np.prod(shape)) if part is None else int(np.count_nonzero(part))
            if number < n:
                where = number if part is None else np.flatnonzero(part)[number]
                inside = np.unravel_index(where, shape)
                begin = [cut.start for cut in place]
                return checks.place_of_pixel(np.add(begin, inside))
            number -= n
        raise AssertionError("there is a pixel for each row")


class AlphaRows(PixelRows):
    """The alpha of the pixels that the mask lets take part, if only it is finite."""

    def __init__(self, streamed: Streamed) -> None:
        layout = streamed.layout
        both = layout._replace(has_alpha=False, channels=layout.channels + 1)
        super().__init__(streamed._replace(layout=both))
        self.shape = (self.shape[0], 1)

    def _read(self) -> Iterator[Array]:
        for pixels in super()._read():
            yield pixels[:, -1:]


class PixelParts(Parts, Protocol):
    """Pixels that lie in parts."""

    def compared_by(self, features: Features) -> Parts:
        """Return the features of these pixels."""


def with_ranges(layout: Layout, pixels: Parts, named: checks.Named) -> Layout:
    """Return the layout with the smallest and largest number of each channel in it."""
    survey = surveyed(pixels, named)
    return layout._replace(
        ranges=tuple((int(a), int(b)) for a, b in zip(survey.low, survey.high))
    )


def fit_pixels(
    pixels: PixelParts,
    k: int,
    what: checks.Compared,
    side: int,
    options: checks.Options,
    named: checks.Named,
) -> tuple[Clustering, Clusters, Finder]:
    """Cluster pixels that lie in parts, of which it is known that they are many.

    They are of an image of which the longest side is given. Returns the answer, whose
    labels are `Nearest`; what paints other pixels; and what finds the labels of
    features.
    """
    parts: Parts
    parts, features, channels = pixels, Features(), pixels.shape[1]
    if what != checks.AS_THEY_ARE:
        features = _fitted(pixels, what, side, named)
        parts = pixels.compared_by(features)
    if not isinstance(options.init, str):
        init = features.of_centroids(options.init, channels, "init")
        options = options._replace(init=init)
    result, seen = fit_parts(parts, k, options, named=named, largest_first=True)
    labels: Any = result.labels
    find = partial(label_rows, labels=labels, seen=seen)
    colors = features.centroids(result.centroids, channels)[:, :channels]
    if len(colors) < k and not features.pixel:
        # Each color is a cluster; so the image comes back to the last bit.
        found = pixels.gather(_one_of_each, _any, find, features)
        colors = np.array([found[label] for label in range(len(colors))])
    palette = rounded(colors, pixels.dtype, features.white)
    return result, Clusters(features, result.centroids, palette), find


def _fitted(
    pixels: PixelParts, what: checks.Compared, side: int, named: checks.Named
) -> Features:
    """Return what is compared, fitted to pixels that lie in parts."""
    survey = surveyed(pixels, named)
    features = in_space(pixels.dtype, survey.low, survey.high, what)
    parts: Parts = pixels
    if features.white is not None and (what.normalize or what.position_weight):
        parts = pixels.compared_by(features)
        survey = surveyed(parts, named)
    low, high = survey.low, survey.high
    if what.normalize:
        n, d = parts.shape
        center = tree_sum(parts.gather(_powers, joined, np.zeros(d), 1)) / n
        variances = tree_sum(parts.gather(_powers, joined, center, 2)) / n
        features = scaled(features, center, variances, high - low)
        low, high = (features.scaled(x) for x in (low, high))
    return placed(features, what, high - low, side)


def _powers(values: Array, start: int, center: Floats, power: int) -> Branches:
    ones = np.broadcast_to(1.0, len(values))
    sums = powers(values, ones, center, power)
    return branches(sums, number_of_piece(values, start))


def _one_of_each(
    pixels: Array, _: int, find: Finder, features: Features
) -> dict[int, Array]:
    labels = find(features.of(pixels))
    found, first = np.unique(labels, return_index=True)
    return {int(label): pixels[i].copy() for label, i in zip(found, first)}


def _any(parts: list[dict[int, Array]]) -> dict[int, Array]:
    return {label: pixel for part in parts for label, pixel in part.items()}
