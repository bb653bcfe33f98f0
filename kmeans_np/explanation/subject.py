"""What is explained: a picture or points, scaled, flattened, and made small to show.

Only what is shown is reduced, never what is computed.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_np.arrays import in_memory
from kmeans_np.colors import Colors, look_up
from kmeans_np.image.features import Features, feature_spec, fit_features
from kmeans_np.image.layout import Pixels
from kmeans_np.image.open_source import as_pixels, open_source
from kmeans_np.image.pipeline import colors_or_pixels
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pictures import Screen, screen

# What is shown takes at most so many bytes, before it is compressed.
MOST_BYTES = 900_000
# A cloud has at most so many dots.
MOST_DOTS = 4000
CHANNELS = {1: ("gray",), 3: ("red", "green", "blue")}
# The features of a color in another space than RGB.
SPACE_AXES = ("L", "a", "b")


class Subject(NamedTuple):
    """Something to explain K-means with."""

    # Whether it is an image, and not points; its shape and type, as it came.
    is_image: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    # How many pixels or points take part, and how many there are.
    n: int
    n_all: int
    # The name of each feature.
    axes: tuple[str, ...]
    # What the values are divided by, so that they lie between 0 and 1.
    unit: float
    # The distinct colors, scaled or in their space, or the points, (m, d); and how many
    # pixels have each.
    points: Floats
    weights: Floats
    # How to get from distinct colors to the pixels; None if the points are these.
    colors: Colors | None
    # The pixels that are shown, (rows, columns, d), reduced if they are many; or the
    # points, (n_shown, d).
    shown: Array
    # Which of the shown pixels take part, (rows, columns); None for all.
    part: NDArray[np.bool_] | None
    # How many rows and columns the shown pixels stand for; or how many points.
    size: tuple[int, ...]
    # Of a volume, which plane is shown, and how many there are.
    plane: tuple[int, int] | None
    # The numbers of those shown that take part, among all that take part.
    where: Array
    # How colors in the unit of the image become RGB.
    screen: Screen
    # In which space colors are compared, and the way there and back.
    features: Features = Features()

    @property
    def reduced(self) -> bool:
        """Whether not all of it is shown."""
        return len(self.where) < self.n

    def labels_shown(self, labels: Array) -> Array:
        """Return the label of each shown pixel, given those of `points`, (m,).

        It is -1 where none takes part.
        """
        each = labels if self.colors is None else look_up(labels, self.colors)
        seen = each[self.where].astype(np.intp)
        if self.part is None:
            return seen.reshape(self.shown.shape[:-1])
        picture = np.full(self.part.shape, -1)
        picture[self.part] = seen
        return picture

    def rgb(self, values: Floats) -> NDArray[np.uint8]:
        """Return points (..., d) as RGB."""
        colors = self.colors_of(np.asarray(values))
        if self.screen.as_it_is:
            colors = np.clip(np.rint(colors), 0, 255).astype(np.uint8)
        return self.screen.rgb(colors)

    def colors_of(self, points: Floats) -> Floats:
        """Return points (..., d) as colors in the unit of the image."""
        if self.features.space is None:
            return points * self.unit
        flat = self.features.inverse_transform(points.reshape(-1, 3), 3)
        return np.clip(flat, 0, self.features.white).reshape(points.shape)

    def points_of(self, colors: Floats, name: str) -> Floats:
        """Return colors (k, d) in the unit of the image, an argument, as points."""
        if self.features.space is None:
            return colors / self.unit
        return self.features.of_centroids(colors, 3, name)


def subject_of_points(points: Floats) -> Subject:
    """Return points as material."""
    n, d = points.shape
    most = max(1, MOST_BYTES // (8 * d))
    where = np.arange(n) if n <= most else np.arange(most) * n // most
    return Subject(
        is_image=False,
        shape=points.shape,
        dtype=points.dtype,
        n=n,
        n_all=n,
        axes=tuple(f"feature {number}" for number in range(1, d + 1)),
        unit=1.0,
        points=points.astype(np.float64),
        weights=np.ones(n),
        colors=None,
        shown=points[where],
        part=None,
        size=(n,),
        plane=None,
        where=where,
        screen=Screen(np.zeros(1), np.ones(1)),
    )


def subject_of_image(
    image: Any,
    mask: Any,
    channel_axis: int | None,
    alpha: Any,
    color_space: Any = "rgb",
) -> Subject:
    """Check an image and return it as material."""
    image = in_memory(as_pixels(image))
    source: Any = open_source(image, mask, None, channel_axis, alpha)
    rows, distinct = colors_or_pixels(source, of_places=False)
    features, rows, _ = fit_features(rows, feature_spec(color_space), 1)
    pixels, found = source.pixels, rows.load()
    kind = pixels.values.dtype
    unit = float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0
    everywhere = np.ones(pixels.shape, bool) if pixels.part is None else pixels.part
    colors, part, numbers, plane = _plane(pixels, everywhere)
    # Each shown pixel is one of the image: none is a mixture, whose label nobody knows.
    shrink = min(1.0, (MOST_BYTES / colors.nbytes) ** 0.5)
    here = np.ix_(*(_evenly(n, shrink) for n in part.shape))
    channels = pixels.values.shape[1]
    axes = CHANNELS.get(channels, tuple(f"channel {j + 1}" for j in range(channels)))
    points = found.values / unit
    if features.space is not None:
        axes, points = SPACE_AXES, found.points
    return Subject(
        is_image=True,
        shape=np.shape(image),
        dtype=kind,
        n=len(pixels.values),
        n_all=everywhere.size,
        axes=axes,
        unit=unit,
        points=np.asarray(points, np.float64),
        weights=np.asarray(found.weights),
        colors=distinct,
        shown=colors[here],
        part=None if part[here].all() else part[here],
        size=part.shape,
        plane=plane,
        where=numbers[here][part[here]],
        screen=screen(pixels.colors, everywhere),
        features=features,
    )


def _plane(
    pixels: Pixels, part: NDArray[np.bool_]
) -> tuple[Array, NDArray[np.bool_], Array, tuple[int, int] | None]:
    """Return the plane to show.

    That is its colors, which of its pixels take part, and their numbers among all that
    do; and of a volume, which plane it is, and of how many.
    """
    numbers = np.cumsum(part).reshape(pixels.shape) - 1
    if part.ndim == 2:
        return pixels.colors, part, numbers, None
    # The one nearest to the middle in which any pixel takes part.
    inside = np.flatnonzero(part.any(axis=(1, 2)))
    plane = int(inside[np.abs(inside - len(part) // 2).argmin()])
    return pixels.colors[plane], part[plane], numbers[plane], (plane, len(part))


def _evenly(n: int, share: float) -> Array:
    """Return a share of the numbers 0 to n - 1, evenly spread."""
    kept = max(1, int(n * share))
    return np.arange(kept) * n // kept


def cloud(points: Floats, weights: Floats) -> tuple[Floats, Array]:
    """Return points as a cloud of some thousand dots, and the weight of each.

    Many points of up to 3 features are sorted into the cells of a grid, and a dot is
    the mean of a cell; of more features, every so-manyth point is a dot.
    """
    m, d = points.shape
    if m <= MOST_DOTS:
        return points, weights
    if d > 3:
        chosen = np.arange(MOST_DOTS) * m // MOST_DOTS
        return points[chosen], weights[chosen]
    low, width = points.min(axis=0), np.ptp(points, axis=0).max()
    # Many cells are empty. So begin with too many.
    size = 4 * int(MOST_DOTS ** (1 / d))
    while True:
        places = np.minimum((points - low) / width * size, size - 1).astype(np.intp)
        codes = np.ravel_multi_index(tuple(places.T), (size,) * d)
        if (np.bincount(codes) > 0).sum() <= MOST_DOTS:
            break
        size = size * 9 // 10
    masses = np.bincount(codes, weights)
    some = masses > 0
    sums = [np.bincount(codes, weights * x)[some] for x in points.T]
    return np.stack(sums, axis=1) / masses[some, np.newaxis], masses[some]
