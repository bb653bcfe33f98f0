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
import sys
import threading
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import Sliced, stand_in
from kmeans_np.clustering import Clustering, nearest, warn_if_fewer
from kmeans_np.colors import TABLE_BITS, Coding, Counted, merged, take
from kmeans_np.image.features import compare_again, fitted
from kmeans_np.image.finding import Take, fitted_clusters
from kmeans_np.image.pixels import Pixels, apart, channels_last, paint
from kmeans_np.image.segmentation import Clusters, Segmentation, told
from kmeans_np.image.streamed import Streamed, points_of
from kmeans_np.lloyd import Array

# How many counts a task merges.
TOGETHER = 8


def is_dask(value: Any) -> bool:
    """Return whether something is a Dask array, without importing Dask."""
    dask = sys.modules.get("dask.array")
    return dask is not None and isinstance(value, dask.Array)


class Chunk(NamedTuple):
    """How a chunk is taken apart: what is known of all of them."""

    dtype: np.dtype[Any]
    channels: int
    has_alpha: bool
    channel_axis: int | None

    def pixels(self, block: Array, mask: Array | None) -> Pixels:
        """Return the pixels of a chunk that take part."""
        mask = None if mask is None else mask.astype(bool, copy=False)
        image = channels_last(block, self.channel_axis)
        return apart(image, mask, self.has_alpha, self.channel_axis)


class Plan(NamedTuple):
    """What is to be found: all that the task that fits must know."""

    chunk: Chunk
    k: int
    what: checks.Compared
    options: checks.Options
    shape: tuple[int, ...]
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


def count_chunk(block: Array, mask: Array | None, chunk: Chunk) -> Tally:
    """Count the colors of a chunk."""
    values = chunk.pixels(block, mask).values
    coding = Coding(chunk.dtype, chunk.channels)
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
    n, size = int(counts.sum()), math.prod(plan.shape)
    checks.some_take_part(n, size, tally.n_masked if plan.is_masked else None)
    checks.n_clusters(plan.k, n, "pixels")
    coding = Coding(plan.chunk.dtype, plan.chunk.channels)
    if not coding.pays(len(counts), n):
        raise ValueError(
            "image must have on average two pixels of each color as a Dask array, got "
            f"{len(counts):,} colors of {n:,} pixels; compute it, image.compute(), or "
            "round its values"
        )
    colors = coding.colors(tally.counted)
    features = fitted(colors.colors, colors.counts, plan.what, max(plan.shape))
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
    block: Array, mask: Array | None, found: Found, chunk: Chunk
) -> tuple[Array, Array]:
    palette, pixels = found.clusters.palette, chunk.pixels(block, mask)
    if not len(pixels.values):
        return block, np.full(pixels.shape, -1, np.min_scalar_type(-len(palette)))
    coding = Coding(chunk.dtype, chunk.channels)
    labels = KNOWN.labels(pixels.values, found.clusters, coding)
    return paint(pixels, palette, labels)


def paint_chunk(block: Array, mask: Array | None, found: Found, chunk: Chunk) -> Array:
    """Paint a chunk."""
    return _painted(block, mask, found, chunk)[0]


def label_chunk(block: Array, mask: Array | None, found: Found, chunk: Chunk) -> Array:
    """Return the labels of a chunk."""
    return _painted(block, mask, found, chunk)[1]


# ---- The graph ---------------------------------------------------------------------


class Graph:
    """A Dask array to segment, whose tasks have not run yet."""

    def __init__(
        self, image: Any, k: int, take: Take, what: checks.Compared, how: dict[str, Any]
    ) -> None:
        import dask.array

        like, axis = checks.image(_stand_in(image, "image"), take.channel_axis)
        like = channels_last(like, axis)
        shape, channels = like.shape[:-1], like.shape[-1]
        has_alpha = checks.has_alpha(take.alpha, None if axis is None else channels)
        channels -= has_alpha
        self.chunk = Chunk(image.dtype, channels, has_alpha, axis)
        _only_what_repeats(self.chunk, take, what, how)
        checks.n_clusters(k, math.prod(shape), "pixels")
        options = checks.options(k, channels, callback=None, **how)
        # The caller's generator may go on elsewhere before the tasks run.
        options = options._replace(rng=copy.deepcopy(options.rng))
        # All channels of a pixel are in one chunk.
        self.image = image if axis is None else image.rechunk({axis: -1})
        self.mask = None
        if take.mask is not None:
            mask = dask.array.asarray(take.mask)
            checks.mask(_stand_in(mask, "mask"), shape)
            self.mask = mask.rechunk(self._without_channels(self.image.chunks))
        self.plan = Plan(self.chunk, k, what, options, shape, self.mask is not None)

    def _without_channels(self, each: tuple[Any, ...]) -> tuple[Any, ...]:
        axis = self.chunk.channel_axis
        return each if axis is None else each[:axis] + each[axis + 1 :]

    def found(self) -> Any:
        """Return the clusters as a delayed object."""
        import dask

        blocks = self.image.to_delayed().ravel()
        masks: Any = [None] * len(blocks)
        if self.mask is not None:
            masks = self.mask.to_delayed().ravel()
        count = dask.delayed(count_chunk, pure=True)
        tallies = [
            count(block, mask, self.chunk)
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
        kind, axis = np.min_scalar_type(-k), self.chunk.channel_axis
        return self._map(label_chunk, found, kind, drop=axis)

    def _map(self, work: Any, found: Any, dtype: Any, drop: int | None) -> Any:
        import dask.array

        task = partial(_in_place, work=work, chunk=self.chunk)
        arrays = [self.image]
        if self.mask is not None:
            axis = self.chunk.channel_axis
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
    block: Array, mask: Array | None = None, *, work: Any, chunk: Chunk, found: Found
) -> Array:
    """Do the work of a chunk, whose mask has an axis for channels as well."""
    if mask is not None and chunk.channel_axis is not None:
        mask = mask.squeeze(chunk.channel_axis)
    done: Array = work(block, mask, found, chunk)
    return done


def _stand_in(array: Any, name: str) -> Array:
    if any(math.isnan(length) for length in array.shape):
        raise ValueError(
            f"{name} must have a known shape as a Dask array, got {array.shape}; call "
            "compute_chunk_sizes() on it"
        )
    return stand_in(array)


def _only_what_repeats(
    chunk: Chunk, take: Take, what: checks.Compared, how: dict[str, Any]
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
    if not Coding(chunk.dtype, chunk.channels).is_possible:
        raise ValueError(
            "image must hold integers of at most 32 bits a channel and 64 bits a pixel "
            f"as a Dask array, got {checks.counted(chunk.channels, 'channel')} of "
            f"{chunk.dtype}; round its values, or pass image.compute()"
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
    found: Found = graph.found().compute()
    chunk, mask = graph.chunk, graph.mask
    streamed = Streamed(
        Sliced(graph.image),
        None if mask is None else Sliced(mask),
        chunk.has_alpha,
        chunk.channel_axis,
    )
    labels = graph.labels(found, len(found.clusters.palette))
    return told(found.result, streamed, found.clusters, graph.painted(found), labels)
