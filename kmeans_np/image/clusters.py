"""Clusters that have been found, and a block of an image painted with them."""

import pickle
import threading
from typing import Any, NamedTuple, Protocol

import numpy as np

from kmeans_np.clustering import Clustering
from kmeans_np.colors import (
    TABLE_BITS,
    ColorPacking,
    Colors,
    Lookup,
    distinct_of,
    look_up,
    take,
)
from kmeans_np.image.features import Features
from kmeans_np.image.layout import Pixels, paint
from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.partitioned import Shift, label_rows

Place = tuple[slice, ...]


class FindLabels(Protocol):
    """A function that finds the labels of the pixels of a block."""

    def __call__(self, pixels: Pixels, place: Place) -> Array:
        """Return the label of each included pixel of the block at `place`."""


class Clusters(NamedTuple):
    """What is needed to find the same clusters in any image of the same kind."""

    # How features are computed from pixels.
    features: Features
    # (k, d) array of float64: the centroids, as features.
    centroids: Floats
    # (k, c) array of the image's type: the color of each cluster.
    palette: Array

    @property
    def label_dtype(self) -> np.dtype[Any]:
        """The smallest signed type that holds the labels."""
        return np.min_scalar_type(-len(self.palette))


class FoundClusters(NamedTuple):
    """The clusters of an image."""

    # The features, centroids and palette.
    clusters: Clusters
    # The clustering of the points: of distinct colors, or of pixels.
    result: Clustering
    # The distinct colors, if the labels are theirs and are needed for painting.
    colors: Colors | None = None
    # The function that finds the labels of pixels; None if they are known.
    find: FindLabels | None = None


class NearestPixels(NamedTuple):
    """Finds the labels of pixels by comparing their features with all centroids."""

    features: Features
    centroids: Floats
    shift: Shift

    @classmethod
    def of(cls, clusters: Clusters, shift: Shift) -> "NearestPixels":
        """Return the function for these clusters, with the origin and scaling given."""
        return cls(clusters.features, clusters.centroids - shift.origin, shift)

    def __call__(self, pixels: Pixels, place: Place) -> Array:
        """Return the label of each pixel of the block at `place`."""
        features = self.features.of_block(pixels, place)
        return label_rows(features, self.centroids, self.shift)


class ColorLabels:
    """Finds the labels of pixels by their colors, whose labels are all known.

    Parameters
    ----------
    labels : (m,) array of int
        The label of each color.
    color_codes : (m,) array of uint8, uint32 or uint64
        The codes of the colors.
    packing : ColorPacking
        How pixels are packed into codes.
    """

    def __init__(
        self, labels: Array, color_codes: Array, packing: ColorPacking
    ) -> None:
        self.args = labels, color_codes, packing
        self.packing = packing
        self.label_of = Lookup(labels, color_codes, packing.n_bits)

    def __reduce__(self) -> tuple[Any, ...]:
        # The table of all codes is larger than these arguments.
        return ColorLabels, self.args

    def __call__(self, pixels: Pixels, place: Place) -> Array:  # noqa: ARG002
        """Return the label of each pixel."""
        return self.label_of(self.packing.codes(pixels.values))


class NearestColors(NamedTuple):
    """Finds the labels of pixels by their colors, whose labels are not known yet."""

    nearest: NearestPixels
    packing: ColorPacking

    def __call__(self, pixels: Pixels, place: Place) -> Array:  # noqa: ARG002
        """Return the label of each pixel."""
        if self.packing.n_bits <= TABLE_BITS:
            return CACHE.labels(pixels.values, self)
        colors = distinct_of(pixels.values)
        if colors is None:
            return self.labels(pixels.values)
        return look_up(self.labels(colors.colors), colors)

    def labels(self, colors: Array) -> Array:
        """Return the labels of colors (m, c)."""
        _, centroids, shift = self.nearest
        labels = label_rows(self.nearest.features.transform(colors), centroids, shift)
        return labels.astype(np.min_scalar_type(-len(centroids)), copy=False)


class LabelCache:
    """The labels of the colors seen so far in this process, for the latest clusters.

    Neighboring chunks have most colors in common, and looking labels up takes a
    fraction of the time of finding the nearest centroids again. The cache holds at most
    two tables, of 16 megabytes each (32 for 128 clusters or more).
    """

    def __init__(self) -> None:
        self.tables: dict[bytes, Array] = {}
        self.lock = threading.Lock()

    def table(self, find: NearestColors) -> Array:
        """Return the table of labels by code, with -1 for codes not seen so far."""
        # Imported late, since it takes long to load.
        import hashlib

        dtype = np.min_scalar_type(-len(find.nearest.centroids))
        key = hashlib.sha256(pickle.dumps((find.nearest, find.packing.n_bits))).digest()
        with self.lock:
            table = self.tables.pop(key, None)
            if table is None:
                table = np.full(2**find.packing.n_bits, -1, dtype)
            # The table that was requested last is the last to be dropped.
            self.tables = {**dict(list(self.tables.items())[-1:]), key: table}
        return table

    def labels(self, values: Array, find: NearestColors) -> Array:
        """Return the label of each pixel (n, c)."""
        table, codes = self.table(find), find.packing.codes(values)
        labels = take(table, codes)
        unknown = np.flatnonzero(labels < 0)
        if len(unknown):
            # Threads that do this at the same time write the same values.
            table[codes[unknown]] = find.labels(values[unknown])
            labels[unknown] = table[codes[unknown]]
        return labels


CACHE = LabelCache()


def paint_block(
    pixels: Pixels, place: Place, find: FindLabels, palette: Array
) -> tuple[Array, Array]:
    """Return the painted pixels of the block at `place`, and their labels."""
    dtype = np.min_scalar_type(-len(palette))
    labels = np.empty(0, dtype)
    if len(pixels.values):
        labels = find(pixels, place).astype(dtype, copy=False)
    return paint(pixels, palette, labels)
