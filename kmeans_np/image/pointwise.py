"""An image outside of memory whose pixels hardly repeat: floats, or many bands.

What this file adds: its pixels as points in parts, of which each step of K-means is a
pass, as for any other points. What it leaves out: the passes (`kmeans_np.clustering`),
and weights.
"""

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import CHUNK_BYTES, Report, Rows, View, tiles
from kmeans_np.clustering import Clustering, fit_parts, surveyed
from kmeans_np.image.features import Features, in_space, placed, powers, scaled
from kmeans_np.image.pixels import Layout
from kmeans_np.image.segmentation import (
    Clusters,
    rounded,
    single_colors,
    undo_rounding,
)
from kmeans_np.image.streamed import Finder, Place, Streamed, some_take_part
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pieces import Branches, branches, joined, tree_sum
from kmeans_np.sweeps.parted import Parts, label_rows, number_of_piece


class PixelRows(Rows):
    """The pixels of an image that take part, one a row, in the order of memory."""

    def __init__(self, streamed: Streamed, report: Report | None = None) -> None:
        self.streamed, self.features = streamed, Features()
        self.places = [*self._bands()]
        layout = streamed.layout
        if streamed.mask is None and not layout.has_alpha:
            sizes = [math.prod(cut.stop - cut.start for cut in p) for p in self.places]
        else:
            sizes = [len(streamed.pixels(place).values) for place in self.places]
            some_take_part(sum(sizes), streamed)
        # How many pixels there are before each band, and in all.
        self.starts = np.cumsum([0, *sizes])
        super().__init__((sum(sizes), layout.channels), layout.dtype, report)

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

    def read(self, place: Place) -> Array:
        """Read the pixels of a band that take part."""
        return self.features.of_block(self.streamed.pixels(place), place)

    def blocks(self) -> Iterator[Array]:
        """Yield the pixels, band by band."""
        return map(self.read, self.places)

    def each(self, work: Callable[..., Array], dtype: Any, *args: Any) -> View:
        """Return what `work(pixels, *args)` gives for each pixel, when it is read."""
        compute = partial(self._work_on, work, args, np.dtype(dtype))
        return View(self.shape[:1], np.dtype(dtype), None, compute)

    def _work_on(
        self, work: Callable[..., Array], args: Any, dtype: Any, place: Place
    ) -> Array:
        """Do the work for some pixels, in all bands that have one of them."""
        some = range(self.shape[0])[place[0]]
        first, last = self._band_of(some[0]), self._band_of(some[-1])
        done = [work(self.read(p), *args) for p in self.places[first : last + 1]]
        begin = self.starts[first]
        found = np.concatenate(done)[some.start - begin : some.stop - begin : some.step]
        return found.astype(dtype, copy=False)

    def _band_of(self, number: int) -> int:
        """Return which band has the pixel of this number."""
        return int(np.searchsorted(self.starts, number, "right")) - 1

    def compared_by(self, features: Features) -> "PixelRows":
        """Return the features of these pixels, and where they are if that counts."""
        other = copy.copy(self)
        n, channels = self.shape
        axes = len(self.streamed.shape) if features.pixel else 0
        other.features, other.shape = features, (n, channels + axes)
        other.dtype = np.dtype(np.float64)
        return other

    def named(self) -> checks.Named:
        """Return how errors speak of the pixels."""
        return checks.named_pixels(self._say_place, self.streamed.channel_axis)

    def _say_place(self, index: Array) -> str:
        """Say where the pixel of a row is."""
        number = self._band_of(int(index[0]))
        place, inside = self.places[number], int(index[0]) - self.starts[number]
        part = self.streamed.pixels(place).part
        if part is not None:
            inside = np.flatnonzero(part)[inside]
        shape = [cut.stop - cut.start for cut in place]
        begin = [cut.start for cut in place]
        return checks.place_of_pixel(np.add(begin, np.unravel_index(inside, shape)))


class AlphaRows(PixelRows):
    """The alpha of the pixels that the mask lets take part, if only it is finite."""

    def __init__(self, streamed: Streamed) -> None:
        layout = streamed.layout
        both = layout._replace(has_alpha=False, channels=layout.channels + 1)
        super().__init__(streamed._replace(layout=both))
        self.shape = (self.shape[0], 1)

    def read(self, place: Place) -> Array:
        """Read the alpha of a band."""
        return super().read(place)[:, -1:]


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
    labels are computed when they are read; what paints other pixels; and what finds the
    labels of features.
    """
    parts: Parts
    parts, features, channels = pixels, Features(), pixels.shape[1]
    if what != checks.AS_THEY_ARE:
        features = _fitted(pixels, what, side, named)
        parts = pixels.compared_by(features)
    if not isinstance(options.init, str):
        init = features.of_centroids(options.init, channels, "init")
        options = options._replace(init=init)
    result, sweep = fit_parts(
        parts, k, options, named=named, largest_first=True, n_alike=channels
    )
    labels: Any = result.labels
    find = partial(label_rows, centroids=labels.centroids, seen=sweep.seen)
    colors = features.centroids(result.centroids, channels)[:, :channels]
    # Some pixels show of most clusters that they have several colors.
    sample = sweep.sample
    single, _ = single_colors(sample[:, :channels], find(sample), len(colors))
    if single.any():
        found = parts.gather(_one_of_each, _those_of_one, find, single, channels)
        numbers = np.array([number for number, _ in found.values()])
        own = pixels.gather(_rows_at, _together, numbers)
        exact = colors.copy()
        for label, (number, color) in found.items():
            single[label], exact[label] = color is not None, own[number]
        colors = undo_rounding(colors, single, exact, k)
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


# The number of a pixel of each cluster, and its color, as it is compared; None if there
# are several.
OneOfEach = dict[int, tuple[int, Array | None]]


def _one_of_each(
    features: Array, start: int, find: Finder, wanted: Array, channels: int
) -> OneOfEach:
    labels, colors = find(features), features[:, :channels]
    single, first = single_colors(colors, labels, len(wanted))
    return {
        int(label): (
            start + int(first[label]),
            colors[first[label]].copy() if single[label] else None,
        )
        for label in np.flatnonzero(np.bincount(labels, minlength=len(wanted)) * wanted)
    }


def _those_of_one(parts: list[OneOfEach]) -> OneOfEach:
    found: OneOfEach = {}
    for part in parts:
        for label, (number, color) in part.items():
            number, other = found.setdefault(label, (number, color))
            same = color is not None and other is not None and (color == other).all()
            found[label] = number, other if same else None
    return found


def _rows_at(pixels: Array, start: int, numbers: Array) -> dict[int, Array]:
    here = numbers[(numbers >= start) & (numbers < start + len(pixels))]
    return {int(number): pixels[number - start].copy() for number in here}


def _together(parts: list[dict[int, Array]]) -> dict[int, Array]:
    return {number: pixel for part in parts for number, pixel in part.items()}
