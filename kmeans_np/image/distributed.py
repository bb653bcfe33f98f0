"""Images that are Dask arrays: counted, clustered and painted by Dask.

What this file adds: the graph of tasks. Every chunk counts its own colors; counts are
merged in a tree, since they add up; K-means runs on the colors in one task; and every
chunk is painted with the centroids. The centroids travel, the pixels do not. Nothing is
computed before somebody asks for it, on whatever scheduler they have. Floats and many
bands cannot be counted, so the task of K-means has a pass over all chunks computed for
each step. What it leaves out: weights.
"""

import copy
import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import (
    Sliced,
    known_shape,
    merged_in_tree,
    place_of_errors,
    stand_in,
)
from kmeans_np.clustering import Clustering, are_many, warn_if_fewer
from kmeans_np.image.chunked import pixels_of
from kmeans_np.image.features import compare
from kmeans_np.image.finding import Take, fitted_clusters
from kmeans_np.image.pixels import Layout, lay_out, take_apart
from kmeans_np.image.pointwise import fit_pixels, with_ranges
from kmeans_np.image.segmentation import Clusters, Segmentation, told
from kmeans_np.image.streamed import Finder, Place, Streamed
from kmeans_np.image.tasks import (
    Found,
    Plan,
    count_chunk,
    find,
    label_chunk,
    merge,
    nearest_features,
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
        _only_what_is_possible(take, how)
        k = checks.n_clusters(k, math.prod(self.layout.shape), "pixels")
        # Places make every pixel another one.
        self.axes = what.n_axes(self.layout.shape)
        options = checks.options(
            k, self.layout.channels + self.axes, callback=None, **how
        )
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

    @property
    def may_be_counted(self) -> bool:
        """Whether it may pay to count the colors."""
        return self.layout.coding.is_possible and not self.axes

    def found(self) -> Any:
        """Return the clusters as a delayed object."""
        import dask

        if not self.may_be_counted:
            return dask.delayed(self.found_in_passes, pure=False)()
        blocks = self.image.to_delayed().ravel()
        masks: Any = [None] * len(blocks)
        if self.mask is not None:
            masks = self.mask.to_delayed().ravel()
        count = dask.delayed(count_chunk, pure=True)
        tallies = [
            count(block, mask, self.layout)
            for block, mask in zip(blocks, masks, strict=True)
        ]
        tally = merged_in_tree(tallies, partial(merge, coding=self.layout.coding))
        return dask.delayed(find, pure=False)(tally, self.plan, self.found_in_passes)

    def found_in_passes(self, stacklevel: int = 2) -> Found:
        """Find the clusters of pixels that are compared one by one.

        Every pass is computed by itself: a task that does this waits for others.
        """
        plan = self.plan
        # A copy, since a task may run again.
        options = plan.options._replace(rng=copy.deepcopy(plan.options.rng))
        with place_of_errors(self.image, "image"):
            pixels = pixels_of(self.image, self.mask, self.layout)
            if self.layout.needs_ranges and not self.axes:
                layout = with_ranges(self.layout, pixels, pixels.named())
                if layout.coding.is_possible:
                    found: Found = self._in(layout).found().compute()
                    return found
            n, channels = pixels.shape
            k = checks.n_clusters(plan.k, n, "pixels")
            if are_many(n, channels + self.axes, k):
                side, named = max(self.layout.shape), pixels.named()
                fitted = fit_pixels(pixels, k, plan.what, side, options, named)
            else:
                fitted = self._fitted_in_memory(k, options)
        result, clusters, find = fitted
        warn_if_fewer(len(result.counts), k, "colors", stacklevel + 1)
        # The labels of all need not travel: every chunk finds those of its own.
        result = replace(result, labels=np.empty(0, np.int32))
        return Found(clusters, result, find)

    def _in(self, layout: Layout) -> "Graph":
        """Return this with more known about the layout."""
        other = copy.copy(self)
        other.layout, other.plan = layout, self.plan._replace(layout=layout)
        return other

    def _fitted_in_memory(
        self, k: int, options: checks.Options
    ) -> tuple[Clustering, Clusters, Finder]:
        """Cluster few pixels, which are as well in one place."""
        mask = None if self.mask is None else self.mask.compute()
        axis, alpha = self.layout.channel_axis, self.layout.has_alpha
        whole = take_apart(self.image.compute(), mask, axis, alpha)
        compared = compare(whole, None, self.plan.what)
        result, clusters = fitted_clusters(*compared, k, options)
        find = partial(nearest_features, centroids=clusters.centroids)
        return result, clusters, find

    def painted(self, found: Any) -> Any:
        """Return the segmented image as a Dask array of the same chunks."""
        return self._map(paint_chunk, found, self.image.dtype, drop=None)

    def labels(self, found: Any, k: int) -> Any:
        """Return the labels as a Dask array of the same chunks."""
        kind, axis = np.min_scalar_type(-k), self.layout.channel_axis
        return self._map(label_chunk, found, kind, drop=axis)

    def _map(self, work: Any, found: Any, dtype: Any, drop: int | None) -> Any:
        import dask.array

        # To know where a chunk is costs something for every chunk.
        in_place = _at_its_place if self.axes else _in_place
        task = partial(in_place, work=work, layout=self.layout)
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
    block: Array,
    mask: Array | None = None,
    *,
    work: Any,
    layout: Layout,
    found: Found,
    place: Place = (),
) -> Array:
    """Do the work of a chunk, whose mask has an axis for channels as well."""
    if mask is not None and layout.channel_axis is not None:
        mask = mask.squeeze(layout.channel_axis)
    done: Array = work(block, mask, found, layout, place)
    return done


def _at_its_place(*blocks: Array, layout: Layout, block_info: Any, **how: Any) -> Array:
    """Do the work of a chunk for which it matters where it is."""
    place = tuple(slice(*ends) for ends in block_info[0]["array-location"])
    place = layout.without_channels(place)
    return _in_place(*blocks, layout=layout, place=place, **how)


def _stand_in(array: Any, name: str) -> Array:
    known_shape(array, name)
    return stand_in(array)


def _only_what_is_possible(take: Take, how: dict[str, Any]) -> None:
    """Refuse what Dask arrays cannot be segmented by."""
    for name, is_there in (
        ("weights", take.weights is not None),
        ("callback", how.pop("callback") is not None),
        ("progress", how.pop("progress") is not None),
    ):
        if is_there:
            raise checks.ArgumentValueError(
                name,
                "be left out for a Dask array, whose chunks know nothing of each other",
                "",
                "leave it out, or pass image.compute()",
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
        if graph.may_be_counted:
            found: Found = graph.found().compute()
        else:
            found = graph.found_in_passes(stacklevel=3)
    mask = None if graph.mask is None else Sliced(graph.mask, "mask")
    streamed = Streamed(Sliced(graph.image), mask, graph.layout)
    labels = graph.labels(found, len(found.clusters.palette))
    return told(found.result, streamed, found.clusters, graph.painted(found), labels)
