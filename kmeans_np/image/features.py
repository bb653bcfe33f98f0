"""What is compared of the pixels of an image.

What this file adds: the way from colors in the image's unit to the features that are
clustered, and back: CIELAB, channels of unit variance, the place in the picture. And
equal pixels are taken together here, where that pays. What it leaves out: to cluster.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.checks import Compared
from kmeans_np.colors import (
    Colors,
    distinct_colors,
    distinct_values,
    lab_from_rgb,
    look_up,
    rgb_from_lab,
)
from kmeans_np.image.pixels import Pixels
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pieces import branches, pieces, tree_sum
from kmeans_np.sweeps.frame import extremes


class Features(NamedTuple):
    """What is compared, in numbers.

    Attributes
    ----------
    white : float or None
        The value of white, to compare in CIELAB; None to compare channels as they are.
    center, scale : (c,) arrays of float64, or None
        What to subtract from each channel, and to multiply it with then.
    pixel : float
        How much a row or a column counts; 0 if the place is not compared.
    """

    white: float | None = None
    center: Floats | None = None
    scale: Floats | None = None
    pixel: float = 0.0

    def of(
        self, colors: Array, places: Array | None = None, name: str = "image"
    ) -> Array:
        """Return the features of colors (n, c) at places (n, axes), one a row.

        Raises ValueError about the argument `name` if they get too large.
        """
        features = colors
        if self.white is not None:
            features = lab_from_rgb(colors, self.white)
        with np.errstate(over="ignore", invalid="ignore"):
            features = self.scaled(features)
            if places is not None:
                features = np.append(features, places * self.pixel, axis=1)
        if features is not colors:
            checks.features(features, name)
        return features

    def of_block(self, pixels: Pixels, place: tuple[slice, ...]) -> Array:
        """Return the features of the pixels of a block, (n, d), at a place."""
        where = None
        if self.pixel:
            steps = [cut.step or 1 for cut in place]
            where = _places(pixels) * steps + [cut.start for cut in place]
        return self.of(pixels.values, where)

    def scaled(self, values: Array) -> Array:
        """Return values of the channels (..., c) in the unit in which they count."""
        if self.center is None or self.scale is None:
            return values
        scaled: Floats = np.subtract(values, self.center, dtype=np.float64) * self.scale
        return scaled

    def of_centroids(self, centroids: Floats, channels: int, name: str) -> Floats:
        """Return the features of centroids in the image's unit, with their places."""
        places = centroids[:, channels:] if self.pixel else None
        features: Floats = self.of(centroids[:, :channels], places, name)
        return features

    def centroids(self, features: Floats, channels: int) -> Floats:
        """Return centroids in the image's unit, with their places: the way back."""
        colors, places = np.split(features, [channels], axis=1)
        if self.center is not None and self.scale is not None:
            colors = colors / self.scale + self.center
        if self.white is not None:
            colors = rgb_from_lab(colors) * self.white
        return np.append(colors, places / self.pixel, axis=1) if self.pixel else colors


class Points(NamedTuple):
    """What is clustered.

    Attributes
    ----------
    colors : (m, c) array of the image's type
        Distinct colors, or the pixels that take part.
    points : (m, d) array of real numbers
        Their features.
    weights : (m,) array of float64
        How many times each counts.
    distinct : Colors or None
        How to get from distinct colors to the pixels; None if the points are these.
    weighted : bool
        Whether the pixels have weights of their own.
    """

    colors: Array
    points: Array
    weights: Floats
    distinct: Colors | None
    weighted: bool

    @property
    def cells(self) -> bool:
        """Whether the points are 8-bit colors in the order of their cells."""
        distinct = self.distinct is not None and self.points is self.colors
        return distinct and self.points.dtype == np.uint8 and self.points.shape[1] == 3

    def to_pixels(self, values: Array) -> Array:
        """Give every pixel the value of its point."""
        return values if self.distinct is None else look_up(values, self.distinct)


def compare(
    pixels: Pixels, weights: Floats | None, what: Compared
) -> tuple[Features, Points]:
    """Return the features to compare, fitted to these pixels, and the points."""
    distinct = None if what.position_weight else _distinct(pixels.values)
    colors = pixels.values if distinct is None else distinct.colors
    masses = _masses(pixels, weights, distinct)
    features = fitted(colors, masses, what, max(pixels.shape))
    points = features.of(colors, _places(pixels) if features.pixel else None)
    return features, Points(colors, points, masses, distinct, weights is not None)


def compare_again(pixels: Pixels, features: Features) -> Points:
    """Return the points of another image, for the features of the first."""
    distinct = None if features.pixel else _distinct(pixels.values)
    colors = pixels.values if distinct is None else distinct.colors
    points = features.of(colors, _places(pixels) if features.pixel else None)
    return Points(colors, points, _masses(pixels, None, distinct), distinct, False)


def _distinct(values: Array) -> Colors | None:
    """Return the distinct colors of pixels (n, c), if it pays to look for them."""
    if values.dtype == np.uint8 and values.shape[1] in (1, 3):
        return distinct_colors(values)
    return None if values.dtype.kind == "f" else distinct_values(values)


def _masses(pixels: Pixels, weights: Floats | None, distinct: Colors | None) -> Floats:
    """Return how many times each color counts, or each pixel."""
    if distinct is None:
        n = len(pixels.values)
        return np.broadcast_to(np.float64(1), n) if weights is None else weights
    if weights is None:
        return distinct.counts
    m = len(distinct.counts)
    numbers = look_up(np.arange(m, dtype=np.int32), distinct)
    return np.bincount(numbers, weights, m).astype(np.float64, copy=False)


def _places(pixels: Pixels) -> Array:
    """Return row and column (plane, row and column) of each pixel that takes part."""
    if pixels.part is not None:
        return np.argwhere(pixels.part)
    return np.indices(pixels.shape).reshape(len(pixels.shape), -1).T


def fitted(colors: Array, weights: Floats, what: Compared, side: int) -> Features:
    """Return what is compared, fitted to colors (m, c) of a picture of this size."""
    features = in_space(colors.dtype, *extremes(colors), what)
    if not what.normalize and not what.position_weight:
        return features
    counting = weights > 0
    values = features.of(colors)
    if what.normalize:
        mass, zero = weights.sum(), np.zeros(values.shape[1])
        center = tree_sum(branches(powers(values, weights, zero, 1))) / mass
        variances = tree_sum(branches(powers(values, weights, center, 2))) / mass
        features = scaled(features, center, variances, _ranges(values, counting))
        values = features.of(colors)
    return placed(features, what, _ranges(values, counting), side)


def in_space(
    dtype: np.dtype[Any], low: Floats, high: Floats, what: Compared
) -> Features:
    """Return the features of the color space, for numbers from `low` to `high`."""
    is_lab = what.color_space == "lab"
    return Features(checks.white(dtype, low, high) if is_lab else None)


def powers(
    values: Array, weights: Floats, center: Floats, power: int
) -> Iterator[Floats]:
    """Yield the sums of (values - center)**power, column by column, of each piece."""
    for piece in pieces(*values.shape):
        columns = values[piece].T.astype(np.float64) - center[:, np.newaxis]
        yield np.array([(weights[piece] * x**power).sum() for x in columns])


def scaled(
    features: Features, center: Floats, variances: Floats, ranges: Floats
) -> Features:
    """Return features that have mean 0 and variance 1 besides."""
    # A channel that is the same everywhere has nothing to say in any unit; its variance
    # may be that of rounding.
    varies = (ranges > 0) & (variances > 0)
    scale = 1 / np.sqrt(np.where(varies, variances, 1))
    return features._replace(center=center, scale=scale)


def placed(features: Features, what: Compared, ranges: Floats, side: int) -> Features:
    """Return features with the place besides, in a picture of this size."""
    if not what.position_weight:
        return features
    widest = float(ranges.max()) or 1.0
    pixel = max(what.position_weight * widest / side, np.finfo(float).tiny)
    return features._replace(pixel=pixel)


def _ranges(values: Array, counting: Array) -> Floats:
    """Return largest minus smallest value of each column, of the rows that count."""
    low, high = extremes(values if counting.all() else values[counting])
    return high - low
