"""Images that are Dask arrays: counted, clustered and painted by Dask.

What this file adds: the graph of tasks. Every chunk counts its own colors; counts are
merged in a tree, since they add up; K-means runs on the colors in one task; and every
chunk is painted with the centroids. The centroids travel, the pixels do not. Nothing is
computed before somebody asks for it, on whatever scheduler they have; only floats and
many bands cannot be counted, so K-means goes over them step by step before anything is
painted. What it leaves out: weights, and places.
"""

import copy
import math
from functools import partial
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import (
    CHUNK_BYTES,
    DaskRows,
    Sliced,
    known_shape,
    merged_in_tree,
    place_of_errors,
    stand_in,
)
from kmeans_np.clustering import are_many, warn_if_fewer
from kmeans_np.image.features import compare
from kmeans_np.image.finding import Take, fitted_clusters
from kmeans_np.image.pixels import Layout, lay_out, take_apart
from kmeans_np.image.pointwise import fit_pixels
from kmeans_np.image.segmentation import Segmentation, told
from kmeans_np.image.streamed import Finder, Streamed
from kmeans_np.image.tasks import (
    Found,
    Plan,
    count_chunk,
    find,
    label_chunk,
    merge,
    nearest_to,
    paint_chunk,
)
from kmeans_np.lloyd import Array


class Graph:
    """A Dask array to segment, whose tasks have not run yet."""

    def __init__(
        self, image: Any, k: int, take: Take, what: checks.Compared, how: dict[str, Any]
    ) -> None:
        import dask.array

        like = _stand_in(image, "image")
        self.layout, _ = lay_out(like, take.channel_axis, take.alpha)
        _only_what_is_possible(self.layout, take, what, how)
        k = checks.n_clusters(k, math.prod(self.layout.shape), "pixels")
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

    def found(self, stacklevel: int) -> Any:
        """Return the clusters as a delayed object.

        If colors cannot be counted, they are found here and now.
        """
        import dask

        if not self.layout.coding.is_possible:
            with place_of_errors(self.image, "image"):
                return dask.delayed(self._found_in_passes(stacklevel + 1), pure=False)

        blocks = self.image.to_delayed().ravel()
        masks: Any = [None] * len(blocks)
        if self.mask is not None:
            masks = self.mask.to_delayed().ravel()
        count = dask.delayed(count_chunk, pure=True)
        tallies = [
            count(block, mask, self.layout)
            for block, mask in zip(blocks, masks, strict=True)
        ]
        tally = merged_in_tree(tallies, merge)
        return dask.delayed(find, pure=False)(tally, self.plan)

    def _found_in_passes(self, stacklevel: int) -> Found:
        """Find the clusters of pixels that are compared one by one."""
        k, layout, options = self.plan.k, self.layout, self.plan.options
        pixels = self._pixels()
        n, d = pixels.shape
        if not are_many(n, d, k):
            # Few of them are as well in one place.
            axis = layout.channel_axis
            whole = take_apart(self.image.compute(), None, axis, alpha=False)
            compared = compare(whole, None, self.plan.what)
            result, clusters = fitted_clusters(*compared, k, options)
            find: Finder = partial(nearest_to, clusters=clusters)
        else:
            named = checks.named_pixels(self._say_place, layout.channel_axis)
            result, clusters, find = fit_pixels(DaskRows(pixels), k, options, named)
        warn_if_fewer(len(result.counts), k, "colors", stacklevel)
        return Found(clusters, result, find)

    def _pixels(self) -> Any:
        """Return the pixels, one a row, in the order of memory."""
        import dask.array

        axis, image = self.layout.channel_axis, self.image
        image = (
            image[..., None] if axis is None else dask.array.moveaxis(image, axis, -1)
        )
        # Whole rows of the image, as many as a chunk may have.
        *_, columns, channels = image.shape
        largest = CHUNK_BYTES // 4 // (columns * channels * image.dtype.itemsize)
        height = max(1, min(max(image.chunks[-3]), largest))
        planes = dict.fromkeys(range(image.ndim - 3), 1)
        image = image.rechunk({**planes, image.ndim - 3: height, image.ndim - 2: -1})
        return image.reshape((-1, channels))

    def _say_place(self, index: Array) -> str:
        place = np.unravel_index(int(index[0]), self.layout.shape)
        return checks.place_of_pixel(np.array(place))

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


def _only_what_is_possible(
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
    if layout.coding.is_possible:
        return
    for name, is_there in (
        ("mask", take.mask is not None),
        ("alpha", layout.has_alpha),
        ("color_space", what.color_space != "rgb"),
        ("normalize", what.normalize),
    ):
        if is_there:
            raise ValueError(
                f"{name} must be left out for a Dask array of floats, or of more than "
                f"64 bits a pixel, got {checks.counted(layout.channels, 'channel')} of "
                f"{layout.dtype}; leave it out, round the values to integers, or pass "
                "image.compute()"
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
    painted = graph.painted(graph.found(stacklevel=5))
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
        found: Found = graph.found(stacklevel=4).compute()
    mask = None if graph.mask is None else Sliced(graph.mask)
    streamed = Streamed(Sliced(graph.image), mask, graph.layout)
    labels = graph.labels(found, len(found.clusters.palette))
    return told(found.result, streamed, found.clusters, graph.painted(found), labels)
