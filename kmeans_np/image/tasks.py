"""What each chunk of an image does by itself, wherever it is.

What this file adds: to count the colors of a chunk, to merge counts, to find the
clusters of all that was counted, and to paint a chunk. Each is a function of what it is
given, so it may run on any machine, and once more where one was lost. What it leaves
out: who runs what, and when (`kmeans_np.image.distributed`).
"""

import copy
import math
import pickle
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.clustering import Clustering, nearest, warn_if_fewer
from kmeans_np.colors import TABLE_BITS, Coding, Counted, merged, take
from kmeans_np.image.features import compare_again, fitted
from kmeans_np.image.finding import fitted_clusters
from kmeans_np.image.pixels import Layout, Pixels, paint
from kmeans_np.image.segmentation import Clusters
from kmeans_np.image.streamed import Finder, Place, points_of
from kmeans_np.lloyd import Array, Floats


class Plan(NamedTuple):
    """What is to be found: all that the task that fits must know."""

    layout: Layout
    k: int
    what: checks.Compared
    options: checks.Options
    is_masked: bool


class Found(NamedTuple):
    """The clusters of all chunks, small enough to travel."""

    clusters: Clusters
    result: Clustering
    # What finds the labels of the features of pixels, if no colors were counted.
    find: Finder | None = None


class Tally(NamedTuple):
    """What a chunk, or several, have counted: no colors if they are too many."""

    counted: Counted | None
    n_pixels: int
    n_masked: int


def count_chunk(block: Array, mask: Array | None, layout: Layout) -> Tally:
    """Count the colors of a chunk."""
    values, coding = layout.pixels(block, mask).values, layout.coding
    parts = coding.count(values) if len(values) else [coding.nothing]
    n_masked = 0 if mask is None else int(np.count_nonzero(mask))
    return Tally(merged(parts), len(values), n_masked)


def merge(tallies: list[Tally], coding: Coding) -> Tally:
    """Merge what several chunks have counted."""
    counted, n_pixels, n_masked = zip(*tallies)
    together = None
    if None not in counted:
        together = merged([*counted])
        if coding.are_too_many(len(together[0])):
            together = None
    return Tally(together, sum(n_pixels), sum(n_masked))


def find(tally: Tally, plan: Plan, in_passes: Callable[[], Found]) -> Found:
    """Find the clusters of all that was counted; `in_passes` if it does not pay."""
    counted, n, n_masked = tally
    size = math.prod(plan.layout.shape)
    checks.some_take_part(n, size, n_masked if plan.is_masked else None)
    checks.n_clusters(plan.k, n, "pixels")
    coding = plan.layout.coding
    if counted is None or not coding.pays(len(counted[0]), n):
        return in_passes()
    colors = coding.colors(counted)
    features = fitted(colors.colors, colors.counts, plan.what, max(plan.layout.shape))
    points = points_of(colors, features)
    # A copy, since a task may run again.
    options = plan.options._replace(rng=copy.deepcopy(plan.options.rng))
    result, clusters = fitted_clusters(features, points, plan.k, options)
    warn_if_fewer(len(result.counts), plan.k, "colors", stacklevel=2)
    # The labels of all colors need not travel: every chunk finds those of its own.
    return Found(clusters, replace(result, labels=result.labels[:0].copy()))


class Known:
    """The labels of the colors that a process has met, for the clusters of late.

    Neighboring chunks have most colors in common; to look them up takes a fraction of
    finding the nearest centroids anew. It holds two tables at most, of 16 megabytes, or
    32 from 128 clusters on.
    """

    def __init__(self) -> None:
        self.tables: dict[bytes, Array] = {}
        self.lock = threading.Lock()

    def table(self, clusters: Clusters, coding: Coding) -> Array:
        """Return the labels of all codes, -1 for those that have not been met."""
        # Only now, since it takes long to load.
        import hashlib

        kind = np.min_scalar_type(-len(clusters.palette))
        key = hashlib.sha256(pickle.dumps((clusters, coding.n_bits))).digest()
        with self.lock:
            table = self.tables.pop(key, None)
            if table is None:
                table = np.full(2**coding.n_bits, -1, kind)
            # The one that was asked for last is the last to go.
            self.tables = {**dict(list(self.tables.items())[-1:]), key: table}
        return table

    def labels(self, values: Array, clusters: Clusters, coding: Coding) -> Array:
        """Return the label of each pixel (n, c)."""
        if coding.n_bits > TABLE_BITS:
            return nearest_to(values, clusters)
        table, codes = self.table(clusters, coding), coding.codes(values)
        labels = take(table, codes)
        unknown = np.flatnonzero(labels < 0)
        if len(unknown):
            # Threads that do the same at once write the same.
            table[codes[unknown]] = nearest_to(values[unknown], clusters)
            labels[unknown] = table[codes[unknown]]
        return labels


def nearest_to(values: Array, clusters: Clusters) -> Array:
    """Return the labels of pixels (n, c)."""
    pixels = Pixels(values[np.newaxis], values, None, False, -1)
    points = compare_again(pixels, clusters.features)
    result = nearest(points.points, points.weights, clusters.centroids, points.cells)
    kind = np.min_scalar_type(-len(clusters.palette))
    return points.to_pixels(result.labels.astype(kind))


def nearest_features(features: Array, centroids: Floats) -> Array:
    """Return the labels of features of pixels (n, d)."""
    ones = np.broadcast_to(1.0, len(features))
    return nearest(features, ones, centroids, cells=False).labels


KNOWN = Known()


def _painted(
    block: Array, mask: Array | None, found: Found, layout: Layout, place: Place
) -> tuple[Array, Array]:
    palette, pixels = found.clusters.palette, layout.pixels(block, mask)
    if not len(pixels.values):
        return block, np.full(pixels.shape, -1, np.min_scalar_type(-len(palette)))
    if found.find is None:
        labels = KNOWN.labels(pixels.values, found.clusters, layout.coding)
    else:
        features = found.clusters.features.of_block(pixels, place)
        labels = found.find(features).astype(np.min_scalar_type(-len(palette)))
    return paint(pixels, palette, labels)


def paint_chunk(
    block: Array, mask: Array | None, found: Found, layout: Layout, place: Place
) -> Array:
    """Paint a chunk at a place, given without channels."""
    return _painted(block, mask, found, layout, place)[0]


def label_chunk(
    block: Array, mask: Array | None, found: Found, layout: Layout, place: Place
) -> Array:
    """Return the labels of a chunk at a place, given without channels."""
    return _painted(block, mask, found, layout, place)[1]
