"""What is compared of the pixels of an image: the way to features, and back."""

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
    """What is compared: arguments that have passed their checks."""

    color_space: str = "rgb"
    normalize: bool = False
    position_weight: float = 0.0
    # What the numbers stand for, in another color space than "rgb"; None for sRGB.
    color_profile: bytes | None = None

    def n_features(self, channels: int, n_axes: int) -> int:
        """Return how many numbers are compared of a pixel."""
        return channels + (n_axes if self.position_weight else 0)


def feature_spec(
    color_space: Any,
    normalize: Any = False,
    position_weight: Any = 0.0,
    color_profile: Any = None,
) -> FeatureSpec:
    """Check what is to be compared."""
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
    """What is compared, in numbers."""

    # The space of the colors, an entry of `COLOR_SPACES`.
    color_space: str = "rgb"
    # The value of white in an image, and its ICC profile; None for sRGB.
    white: float = 1.0
    color_profile: bytes | None = None
    # (c,) arrays of float64: what to subtract from each channel, and to multiply it
    # with then.
    center: Floats | None = None
    scale: Floats | None = None
    # How much a row or a column counts; 0 if the place is not compared.
    pixel: float = 0.0

    @property
    def space(self) -> ColorSpace | None:
        """The way to the color space and back, None if colors are compared as such."""
        space = COLOR_SPACES[self.color_space]
        if space is None or self.color_profile is None:
            return space
        return of_profile(space, self.color_profile)

    @property
    def are_colors(self) -> bool:
        """Whether the colors are compared as they are, and nothing else."""
        plain = self.space is None and self.center is None
        return plain and not self.pixel

    def transform(
        self, colors: Array, places: Array | None = None, name: str = "image"
    ) -> Array:
        """Return the features of colors (n, c) at places (n, axes), one a row.

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
        """Return the features of the pixels of a block, (n, d), at a place."""
        places = pixels.places(place) if self.pixel else None
        return self.transform(pixels.values, places)

    def _scaled(self, values: Array) -> Array:
        """Return values of the channels (..., c) in the unit in which they count."""
        if self.center is None or self.scale is None:
            return values
        scaled: Floats = np.subtract(values, self.center, dtype=np.float64) * self.scale
        return scaled

    def of_centroids(self, centroids: Floats, channels: int, name: str) -> Floats:
        """Return the features of centroids in the image's unit, with their places."""
        places = centroids[:, channels:] if self.pixel else None
        features: Floats = self.transform(centroids[:, :channels], places, name)
        return features

    def inverse_transform(self, features: Floats, channels: int) -> Floats:
        """Return centroids in the image's unit, with their places: the way back."""
        colors, places = np.split(features, [channels], axis=1)
        if self.center is not None and self.scale is not None:
            colors = colors / self.scale + self.center
        space = self.space
        if space is not None:
            colors = space.to_rgb(colors) * self.white
        return np.append(colors, places / self.pixel, axis=1) if self.pixel else colors

    def palette(self, colors: Floats, dtype: np.dtype[Any]) -> Array:
        """Return colors in the image's unit as `dtype`, rounded if that is of integers.

        They are in its range, as means of such numbers are; but for those of another
        color space, which may lie outside of what a screen can show.
        """
        if self.space is not None:
            colors = np.clip(colors, 0, self.white)
        return (colors if dtype.kind == "f" else np.rint(colors)).astype(dtype)

    def _of_stats(self, stats: ColumnStats, c: int) -> ColumnStats:
        """Return stats of c channels in their space and of places in these features."""

        def scaled(rows: Array) -> Array:
            places = rows[..., c:] * self.pixel
            return np.append(self._scaled(rows[..., :c]), places, axis=-1)

        low, high, sample = map(scaled, (stats.low, stats.high, stats.sample))
        checks.features(np.stack([low, high]), "image")
        return stats._replace(low=low, high=high, sample=sample)


def fit_features(
    rows: Rows, spec: FeatureSpec, side: int
) -> tuple[Features, Rows, ColumnStats | None]:
    """Return what is compared, fitted to pixels of an image of this longest side.

    The rows are those of the features, the stats theirs; None if nobody has looked at
    the pixels yet.
    """
    if spec == FeatureSpec():
        return Features(), rows, None
    dtype, c = rows.dtype, rows.shape[1]
    space, white = COLOR_SPACES[spec.color_space], 1.0
    if space is not None:
        white = checks.white(dtype, c, spec.color_space)
    # At first without the scale, which nobody knows.
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
        # A channel that is the same everywhere has nothing to say in any unit; its
        # variance may be that of rounding.
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
    """Return pixels as the rows of their features."""
    if features.are_colors:
        return rows
    d = rows.shape[1] + (rows.n_axes if features.pixel else 0)
    return rows.transformed(features.transform, d, bool(features.pixel))
