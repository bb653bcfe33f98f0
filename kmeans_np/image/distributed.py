"""Images that are Dask arrays: counted, clustered and painted by Dask.

What this file adds: the tasks. Every chunk counts its own colors; counts are merged in
a tree, since they add up; K-means runs on the colors in one task; and every chunk is
painted with the centroids. The centroids travel, the pixels do not. Nothing is computed
before somebody asks for it, on whatever scheduler they have. What it leaves out: images
whose pixels hardly repeat.
"""

import copy
import math
import pickle
import threading
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import Sliced, known_shape, place_of_errors, stand_in
from kmeans_np.clustering import Clustering, nearest, warn_if_fewer
from kmeans_np.colors import TABLE_BITS, Coding, Counted, merged, take
from kmeans_np.image.features import compare_again, fitted
from kmeans_np.image.finding import Take, fitted_clusters
from kmeans_np.image.pixels import Layout, Pixels, lay_out, paint
from kmeans_np.image.segmentation import Clusters, Segmentation, told
from kmeans_np.image.streamed import Streamed, points_of
from kmeans_np.lloyd import Array

# How many counts a task merges.
TOGETHER = 8


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


# ---- Tasks -------------------------------------------------------------------------


class Tally(NamedTuple):
    """What a chunk, or several, have counted."""

    counted: Counted
    n_masked: int


def count_chunk(block: Array, mask: Array | None, layout: Layout) -> Tally:
    """Count the colors of a chunk."""
    values, coding = layout.pixels(block, mask).values, layout.coding
    parts = coding.count(values) if len(values) else [coding.nothing]
    n_masked = 0 if mask is None else int(np.count_nonzero(mask))
    return Tally(merged(parts), n_masked)


def merge(tallies: list[Tally]) -> Tally:
    """Merge what several chunks have counted."""
    counted = merged([tally.counted for tally in tallies])
    return Tally(counted, sum(tally.n_masked for tally in tallies))


def find(tally: Tally, plan: Plan) -> Found:
    """Find the clusters of all that was counted."""
    _, counts = tally.counted
    n, size = int(counts.sum()), math.prod(plan.layout.shape)
    checks.some_take_part(n, size, tally.n_masked if plan.is_masked else None)
    checks.n_clusters(plan.k, n, "pixels")
    coding = plan.layout.coding
    if not coding.pays(len(counts), n):
        raise ValueError(
            "image must have on average two pixels of each color as a Dask array, got "
            f"{len(counts):,} colors of {n:,} pixels; compute it, image.compute(), or "
            "round its values"
        )
    colors = coding.colors(tally.counted)
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
            return _nearest(values, clusters)
        table, codes = self.table(clusters, coding), coding.codes(values)
        labels = take(table, codes)
        unknown = np.flatnonzero(labels < 0)
        if len(unknown):
            # Threads that do the same at once write the same.
            table[codes[unknown]] = _nearest(values[unknown], clusters)
            labels[unknown] = table[codes[unknown]]
        return labels


def _nearest(values: Array, clusters: Clusters) -> Array:
    pixels = Pixels(values[np.newaxis], values, None, False, -1)
    points = compare_again(pixels, clusters.features)
    result = nearest(points.points, points.weights, clusters.centroids, points.cells)
    kind = np.min_scalar_type(-len(clusters.palette))
    return points.to_pixels(result.labels.astype(kind))


KNOWN = Known()


def _painted(
    block: Array, mask: Array | None, found: Found, layout: Layout
) -> tuple[Array, Array]:
    palette, pixels = found.clusters.palette, layout.pixels(block, mask)
    if not len(pixels.values):
        return block, np.full(pixels.shape, -1, np.min_scalar_type(-len(palette)))
    labels = KNOWN.labels(pixels.values, found.clusters, layout.coding)
    return paint(pixels, palette, labels)


def paint_chunk(
    block: Array, mask: Array | None, found: Found, layout: Layout
) -> Array:
    """Paint a chunk."""
    return _painted(block, mask, found, layout)[0]


def label_chunk(
    block: Array, mask: Array | None, found: Found, layout: Layout
) -> Array:
    """Return the labels of a chunk."""
    return _painted(block, mask, found, layout)[1]


# ---- The graph ---------------------------------------------------------------------


class Graph:
    """A Dask array to segment, whose tasks have not run yet."""

    def __init__(
        self, image: Any, k: int, take: Take, what: checks.Compared, how: dict[str, Any]
    ) -> None:
        import dask.array

        like = _stand_in(image, "image")
        self.layout, _ = lay_out(like, take.channel_axis, take.alpha)
        _only_what_repeats(self.layout, take, what, how)
        checks.n_clusters(k, math.prod(self.layout.shape), "pixels")
        options = checks.options(k, self.layout.channels, callback=None, **how)
        # The caller's generator may go on elsewhere before the tasks run.
        options = options._replace(rng=copy.deepcopy(options.rng))
        # All channels of a pixel are in one chunk.
        axis = self.layout.channel_axis
        self.image = image if axis is None else image.rechunk({axis: -1})
        self.mask = None
        if take.mask is not None:
            mask = dask.array.asarray(take.mask)
            checks.mask(_stand_in(mask, "mask"), self.layout.shape)
            chunks = self.layout.without_channels(self.image.chunks)
            self.mask = mask.rechunk(chunks)
        self.plan = Plan(self.layout, k, what, options, self.mask is not None)

    def found(self) -> Any:
        """Return the clusters as a delayed object."""
        import dask

        blocks = self.image.to_delayed().ravel()
        masks: Any = [None] * len(blocks)
        if self.mask is not None:
            masks = self.mask.to_delayed().ravel()
        count = dask.delayed(count_chunk, pure=True)
        tallies = [
            count(block, mask, self.layout)
            for block, mask in zip(blocks, masks, strict=True)
        ]
        while len(tallies) > 1:
            starts = range(0, len(tallies), TOGETHER)
            together = dask.delayed(merge, pure=True)
            tallies = [together(tallies[i : i + TOGETHER]) for i in starts]
        return dask.delayed(find, pure=False)(tallies[0], self.plan)

    def painted(self, found: Any) -> Any:
        """Return the segmented image as a Dask array of the same chunks."""
        return self._map(paint_chunk, found, self.image.dtype, drop=None)

    def labels(self, found: Any, k: int) -> Any:
        """Return the labels as a Dask array of the same chunks."""
        kind, axis = np.min_scalar_type(-k), self.layout.channel_axis
        return self._map(label_chunk, found, kind, drop=axis)

    def _map(self, work: Any, found: Any, dtype: Any, drop: int | None) -> Any:
        import dask.array

        task = partial(_in_place, work=work, layout=self.layout)
        arrays = [self.image]
        if self.mask is not None:
            axis = self.layout.channel_axis
            mask = self.mask
            arrays.append(mask if axis is None else dask.array.expand_dims(mask, axis))
        return dask.array.map_blocks(
            task,
            *arrays,
            found=found,
            dtype=dtype,
            drop_axis=[] if drop is None else [drop],
            meta=np.empty((0,) * (self.image.ndim - (drop is not None)), dtype),
        )


def _in_place(
    block: Array, mask: Array | None = None, *, work: Any, layout: Layout, found: Found
) -> Array:
    """Do the work of a chunk, whose mask has an axis for channels as well."""
    if mask is not None and layout.channel_axis is not None:
        mask = mask.squeeze(layout.channel_axis)
    done: Array = work(block, mask, found, layout)
    return done


def _stand_in(array: Any, name: str) -> Array:
    known_shape(array, name)
    return stand_in(array)


def _only_what_repeats(
    layout: Layout, take: Take, what: checks.Compared, how: dict[str, Any]
) -> None:
    """Refuse what Dask arrays cannot be segmented by."""
    for name, is_there in (
        ("weights", take.weights is not None),
        ("position_weight", what.position_weight != 0),
        ("callback", how.pop("callback") is not None),
        ("progress", how.pop("progress") is not None),
    ):
        if is_there:
            raise ValueError(
                f"{name} must be left out for a Dask array, whose chunks know nothing "
                "of each other; leave it out, or pass image.compute()"
            )
    if not layout.coding.is_possible:
        raise ValueError(
            "image must hold integers of at most 32 bits a channel and 64 bits a pixel "
            f"as a Dask array, got {checks.counted(layout.channels, 'channel')} of "
            f"{layout.dtype}; round its values, or pass image.compute()"
        )


def segment_dask(
    image: Any,
    k: int,
    take: Take,
    what: checks.Compared,
    progress: Any = None,
    out: Any = None,
    **how: Any,
) -> Any:
    """Return the segmented image as a Dask array; nothing is computed yet.

    With `out`, compute it, write it there, and return that.
    """
    import dask.array

    graph = Graph(image, k, take, what, {**how, "progress": progress})
    painted = graph.painted(graph.found())
    if out is None:
        return painted
    with place_of_errors(graph.image, "image"):
        dask.array.store(painted, out)
    return out


def cluster_dask(
    image: Any,
    k: int,
    take: Take,
    what: checks.Compared,
    progress: Any = None,
    **how: Any,
) -> Segmentation:
    """Compute the clusters; labels and segmented image are Dask arrays."""
    graph = Graph(image, k, take, what, {**how, "progress": progress})
    with place_of_errors(graph.image, "image"):
        found: Found = graph.found().compute()
    mask = None if graph.mask is None else Sliced(graph.mask)
    streamed = Streamed(Sliced(graph.image), mask, graph.layout)
    labels = graph.labels(found, len(found.clusters.palette))
    return told(found.result, streamed, found.clusters, graph.painted(found), labels)
