"""The features of pixels that are clustered: conversion from the image, and back."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import Rows
from kmeans_np.clustering import ColumnStats, column_stats
from kmeans_np.colors import COLOR_SPACES, UNUSABLE, ColorSpace, of_profile
from kmeans_np.image.layout import Pixels
from kmeans_np.lloyd import Array, Floats
from kmeans_np.stack_level import find_stack_level


class FeatureSpec(NamedTuple):
    """The options that define the features; they have passed their checks."""

    color_space: str = "rgb"
    normalize: bool = False
    position_weight: float = 0.0
    # The profile of the image, for color spaces other than "rgb"; None for sRGB.
    color_profile: bytes | None = None

    def n_features(self, channels: int, n_axes: int) -> int:
        """Return the number of features of a pixel."""
        return channels + (n_axes if self.position_weight else 0)


def feature_spec(
    color_space: Any,
    normalize: Any = False,
    position_weight: Any = 0.0,
    color_profile: Any = None,
) -> FeatureSpec:
    """Check the options that define the features."""
    checks.check_color_profile(color_profile)
    spec = FeatureSpec(
        checks.one_of(color_space, "color_space", COLOR_SPACES),
        checks.check_bool(normalize, "normalize"),
        checks.position_weight(position_weight),
        color_profile,
    )
    space = COLOR_SPACES[spec.color_space]
    if space is None or color_profile is None:
        return spec._replace(color_profile=None)
    if of_profile(space, color_profile) is None:
        warnings.warn(UNUSABLE, UserWarning, stacklevel=find_stack_level())
        return spec._replace(color_profile=None)
    return spec


class Features(NamedTuple):
    """The conversion of pixels to features, and back."""

    # The color space, an entry of `COLOR_SPACES`.
    color_space: str = "rgb"
    # The value of white in the image, and its ICC profile; None for sRGB.
    white: float = 1.0
    color_profile: bytes | None = None
    # (c,) arrays of float64: subtracted from each channel, and then multiplied with it.
    center: Floats | None = None
    scale: Floats | None = None
    # The factor of row and column numbers; 0 if positions are not features.
    pixel: float = 0.0

    @property
    def space(self) -> ColorSpace | None:
        """The conversion to the color space and back, None for "rgb"."""
        space = COLOR_SPACES[self.color_space]
        if space is None or self.color_profile is None:
            return space
        return of_profile(space, self.color_profile)

    @property
    def are_colors(self) -> bool:
        """Whether the features are just the channels, unchanged."""
        plain = self.space is None and self.center is None
        return plain and not self.pixel

    def transform(
        self, colors: Array, places: Array | None = None, name: str = "image"
    ) -> Array:
        """Return the features of colors (n, c) at positions (n, axes), one per row.

        Raises ValueError about the argument `name` if they get too large.
        """
        features, space = colors, self.space
        if space is not None:
            features = space.from_rgb(colors, self.white)
        with np.errstate(over="ignore", invalid="ignore"):
            features = self._scaled(features)
            if self.pixel and places is not None:
                features = np.append(features, places * self.pixel, axis=1)
        if features is not colors:
            checks.features(features, name)
        return features

    def of_block(self, pixels: Pixels, place: tuple[slice, ...]) -> Array:
        """Return the features (n, d) of the pixels of the block at `place`."""
        places = pixels.places(place) if self.pixel else None
        return self.transform(pixels.values, places)

    def _scaled(self, values: Array) -> Array:
        """Return values of the channels (..., c), centered and scaled."""
        if self.center is None or self.scale is None:
            return values
        scaled: Floats = np.subtract(values, self.center, dtype=np.float64) * self.scale
        return scaled

    def of_centroids(self, centroids: Floats, channels: int, name: str) -> Floats:
        """Return the features of centroids in the image's unit, with positions."""
        places = centroids[:, channels:] if self.pixel else None
        features: Floats = self.transform(centroids[:, :channels], places, name)
        return features

    def inverse_transform(self, features: Floats, channels: int) -> Floats:
        """Return centroids in the image's unit, with positions, from their features."""
        colors, places = np.split(features, [channels], axis=1)
        if self.center is not None and self.scale is not None:
            colors = colors / self.scale + self.center
        space = self.space
        if space is not None:
            colors = space.to_rgb(colors) * self.white
        return np.append(colors, places / self.pixel, axis=1) if self.pixel else colors

    def palette(self, colors: Floats, dtype: np.dtype[Any]) -> Array:
        """Return colors in the image's unit as `dtype`, rounded for integers.

        Means of colors are within the range of the type, except those computed in
        another color space, which a screen may not be able to show; these are clipped.
        """
        if self.space is not None:
            colors = np.clip(colors, 0, self.white)
        return (colors if dtype.kind == "f" else np.rint(colors)).astype(dtype)

    def _of_stats(self, stats: ColumnStats, c: int) -> ColumnStats:
        """Convert statistics of c channels and of positions to these features."""

        def scaled(rows: Array) -> Array:
            places = rows[..., c:] * self.pixel
            return np.append(self._scaled(rows[..., :c]), places, axis=-1)

        low, high, sample = map(scaled, (stats.low, stats.high, stats.sample))
        checks.features(np.stack([low, high]), "image")
        return stats._replace(low=low, high=high, sample=sample)


def fit_features(
    rows: Rows, spec: FeatureSpec, side: int
) -> tuple[Features, Rows, ColumnStats | None]:
    """Return the features, fitted to the pixels of an image with this longest side.

    Also returns the rows of the features and their statistics; the statistics are None
    if no pass over the pixels was needed.
    """
    if spec == FeatureSpec():
        return Features(), rows, None
    dtype, c = rows.dtype, rows.shape[1]
    space, white = COLOR_SPACES[spec.color_space], 1.0
    if space is not None:
        white = checks.white(dtype, c, spec.color_space)
    # The scale is not known yet.
    pixel = float(spec.position_weight > 0)
    first = Features(spec.color_space, white, spec.color_profile, pixel=pixel)
    shown = with_features(rows, first)
    stats = column_stats(shown, spec.normalize)
    if space is not None:
        extremes = stats.stored_low, stats.stored_high
        checks.range_of_rgb(dtype, *extremes, spec.color_space)
    features = first
    if spec.normalize:
        variance = stats.variance[:c]
        # A constant channel is left unscaled; its variance may be nothing but rounding.
        varies = (stats.low[:c] < stats.high[:c]) & (variance > 0)
        scale = 1 / np.sqrt(np.where(varies, variance, 1))
        features = features._replace(center=stats.mean[:c], scale=scale)
    if spec.position_weight:
        low, high = (features._scaled(x[:c]) for x in (stats.low, stats.high))
        widest = float((high - low).max()) or 1.0
        pixel = max(spec.position_weight * widest / side, np.finfo(float).tiny)
        features = features._replace(pixel=pixel)
    if features is first:
        return features, shown, stats
    return features, with_features(rows, features), features._of_stats(stats, c)


def with_features(rows: Rows, features: Features) -> Rows:
    """Return pixels as rows of their features."""
    if features.are_colors:
        return rows
    d = rows.shape[1] + (rows.n_axes if features.pixel else 0)
    return rows.transformed(features.transform, d, bool(features.pixel))
