"""Images that are Dask arrays, processed where their chunks are stored.

Centroids are sent to the pixels, not pixels to the centroids. Nothing is computed until
it is requested, on the scheduler in use.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import (
    CHUNK_BYTES,
    DaskRows,
    Report,
    Reporter,
    check_known_shape,
    locate_errors,
    merge_in_tree,
    select,
    shape_only,
)
from kmeans_np.clustering import Clustering, Data, column_stats
from kmeans_np.colors import ColorPacking, Colors, Counted, Units, merge_counts
from kmeans_np.image.clusters import (
    Clusters,
    FindLabels,
    FoundClusters,
    NearestColors,
    NearestPixels,
    paint_block,
)
from kmeans_np.image.layout import Layout, lay_out
from kmeans_np.image.selection import (
    PartLook,
    check_looks,
    look_at_part,
    which_take_part,
)
from kmeans_np.image.source import Found, Source
from kmeans_np.lloyd import Array

Place = tuple[slice, ...]


class DaskImage(Source):
    """An image that is a Dask array.

    For the parameters, see `kmeans_np.cluster_image`.
    """

    def __init__(
        self,
        image: Any,
        mask: Any,
        weights: Any,
        channel_axis: Any,
        alpha: Any,
        report: Report | None,
    ) -> None:
        check_known_shape(image, "image")
        self.layout, _ = lay_out(shape_only(image), channel_axis, alpha)
        # All channels of a pixel must be in one chunk.
        axis = self.layout.channel_axis
        self.array = image if axis is None else image.rechunk({axis: -1})
        self.mask = self._over(mask, "mask", checks.mask)
        self.weights = self._over(weights, "weights", checks.weights_image)
        self.weighted, self.report = weights is not None, report

    def _over(self, value: Any, name: str, check: Callable[..., Any]) -> Any:
        """Return a mask or weights as a Dask array with the chunks of the image."""
        import dask.array

        if value is None:
            return None
        array = dask.array.asarray(value)
        check_known_shape(array, name)
        check(shape_only(array), self.layout.shape)
        return array.rechunk(self.layout.without_channels(self.array.chunks))

    # ---- The interface of a source ---------------------------------------------------

    def run(self, work: Callable[..., Found], *args: Any) -> Found:
        """Return what `work(source, *args)` returns."""
        with (
            locate_errors(self.array, "image"),
            locate_errors(self.mask, "mask"),
            locate_errors(self.weights, "weights"),
        ):
            return work(self, *args)

    def prepare_painting(
        self, clusters: Clusters, result: Clustering, colors: Colors | None, data: Data
    ) -> FoundClusters:
        """Return the clusters with a function that finds the labels of pixels.

        Every chunk finds its own labels, so the labels of all need not be sent.
        """
        result = replace(result, labels=np.empty(0, np.int32))
        nearest = NearestPixels.of(clusters, data.shift)
        find: FindLabels = nearest
        if colors is not None:
            find = NearestColors(nearest, self.layout.packing)
        return FoundClusters(clusters, result, find=find)

    def later(self, work: Callable[..., Found], *args: Any) -> Any:
        """Return the result of `run` as a delayed object."""
        import dask

        # A copy, since the caller may use the generator before the task runs.
        task = dask.delayed(_run_in_task, pure=False)
        return task(self, work, copy.deepcopy(args))

    @property
    def n_weighted(self) -> int:
        """The number of included pixels with a positive weight."""
        return sum(look.size for look in self.selection.looks)

    def count(self) -> Colors | None:
        """Return the distinct colors of the included pixels, and the weight of each."""
        import dask

        if self.layout.needs_ranges:
            stats = column_stats(self.rows())
            self.layout = self.layout.with_ranges(stats.stored_low, stats.stored_high)
        packing = self.layout.packing
        if not packing.is_possible:
            return None
        units = None if self.weights is None else self.selection.units
        work = dask.delayed(partial(count_block, layout=self.layout, units=units))
        arrays = (self.array, self.mask, self.weights)
        counts = [work(*blocks) for blocks in zip(*map(self._blocks, arrays))]
        merge = partial(merge_block_counts, packing=packing)
        found: BlockCount = merge_in_tree(counts, merge).compute()
        size, is_masked = self.size, self.mask is not None
        Reporter(self.report, "count", size).reach(size)
        n_masked = found.n_masked if is_masked else None
        checks.some_take_part(found.n, size, n_masked)
        counted = found.counted
        if counted is None or not packing.is_worth_counting(len(counted[0]), found.n):
            return None
        return packing.colors(counted)

    def _blocks(self, array: Any) -> list[Any]:
        if array is None:
            return [None] * math.prod(self.array.numblocks)
        return [*array.to_delayed().ravel()]

    def rows(self) -> DaskRows:
        """Return the included pixels, one per row."""
        values, weights, numbers = self.selection.columns
        place_of = partial(_places, shape=self.layout.shape)
        found = DaskRows(values, weights, numbers, place_of)
        found.n_axes, found.report = len(self.layout.shape), self.report
        axis = self.layout.channel_axis
        found.names = checks.named_pixels(partial(_say_place, numbers, place_of), axis)
        return found

    @cached_property
    def selection(self) -> "DaskSelection":
        """Which pixels are included, from a pass over mask, weights and alpha."""
        return select_pixels(self)

    def paint_image(self, found: Any) -> Any:
        """Return the segmented image as a Dask array; the clusters may be delayed."""
        return self._map(found, self.array.dtype, of_labels=False)

    def paint(self, found: FoundClusters) -> tuple[Any, Any]:
        """Return the segmented image and the labels as Dask arrays."""
        # The weights are not needed any more.
        self.weights = None
        self.__dict__.pop("selection", None)
        labels = self._map(found, found.clusters.label_dtype, of_labels=True)
        return self.paint_image(found), labels

    def _map(self, found: Any, dtype: Any, *, of_labels: bool) -> Any:
        import dask.array

        axis = self.layout.channel_axis
        drop = [axis] if of_labels and axis is not None else []
        arrays = [self.array]
        if self.mask is not None:
            mask = self.mask
            arrays.append(mask if axis is None else dask.array.expand_dims(mask, axis))
        return dask.array.map_blocks(
            _paint_chunk,
            *arrays,
            found=found,
            layout=self.layout,
            of_labels=of_labels,
            dtype=dtype,
            drop_axis=drop,
            meta=np.empty((0,) * (self.array.ndim - len(drop)), dtype),
        )

    def write(self, found: FoundClusters, out: Any) -> None:
        """Write the segmented image into an array."""
        import dask.array

        with locate_errors(self.array, "image"):
            dask.array.store(self.paint_image(found), out)
        Reporter(self.report, "paint", self.size).reach(self.size)

    def colors_in_memory(self) -> Array:
        """Compute the whole image, with its channels last, without alpha."""
        return self.layout.pixels(self.array.compute(), None).colors


def _run_in_task(
    source: DaskImage, work: Callable[..., Found], args: tuple[Any, ...]
) -> Found:
    # A copy, since a task may run more than once.
    return source.run(work, *copy.deepcopy(args))


def _places(numbers: Array, shape: tuple[int, ...]) -> Array:
    """Return the positions, (n, axes), of pixels with these numbers in an image."""
    return np.stack(np.unravel_index(numbers, shape), axis=1)


def _say_place(numbers: Any, place_of: Callable[[Array], Array], index: Array) -> str:
    """Say where the pixel of a row is in the image."""
    row = int(index[0])
    return checks.place_of_pixel(place_of(numbers[row : row + 1].compute())[0])


# ---- The work for one chunk ----------------------------------------------------------


class BlockCount(NamedTuple):
    """What was counted in one or more chunks; `counted` is None for too many colors."""

    counted: Counted | None
    n: int
    n_masked: int


def count_block(
    block: Array,
    mask: Array | None,
    weights: Array | None,
    layout: Layout,
    units: Units | None,
) -> BlockCount:
    """Count the colors of a chunk."""
    pixels = layout.pixels(block, mask)
    split = None
    if weights is not None and units is not None:
        flat = weights.ravel() if pixels.part is None else weights[pixels.part]
        split = units.split(flat.astype(np.float64))
    counted = merge_counts(layout.packing.count(pixels.values, split))
    n_masked = 0 if mask is None else int(np.count_nonzero(mask))
    return BlockCount(counted, len(pixels.values), n_masked)


def merge_block_counts(counts: list[BlockCount], packing: ColorPacking) -> BlockCount:
    """Merge what several chunks have counted."""
    parts = [one.counted for one in counts if one.counted is not None]
    together = merge_counts(parts) if len(parts) == len(counts) else None
    if together is not None and packing.are_too_many(len(together[0])):
        together = None
    n, n_masked = (sum(column) for column in list(zip(*counts))[1:])
    return BlockCount(together, n, n_masked)


def _paint_chunk(
    block: Array,
    mask: Array | None = None,
    *,
    found: FoundClusters,
    layout: Layout,
    of_labels: bool,
    block_info: Any,
) -> Array:
    """Return a painted chunk, or its labels; its mask has an axis for channels, too."""
    axis = layout.channel_axis
    if mask is not None and axis is not None:
        mask = mask.squeeze(axis)
    place = tuple(slice(*ends) for ends in block_info[0]["array-location"])
    pixels = layout.pixels(block, mask)
    place = layout.without_channels(place)
    assert found.find is not None
    return paint_block(pixels, place, found.find, found.clusters.palette)[of_labels]


# ---- Pixels, one per row -------------------------------------------------------------


class DaskSelection(NamedTuple):
    """Which pixels are included and have a positive weight."""

    # The values (n, c), weights (n,) or None, and numbers (n,) of these pixels, as Dask
    # arrays.
    columns: list[Any]
    # The findings for each chunk.
    looks: list[PartLook]
    # The units that weights are split into for exact sums; None without weights.
    units: Units | None


def select_pixels(image: DaskImage) -> DaskSelection:
    """Find the included pixels, from mask, weights and alpha, which are checked."""
    import dask.array

    layout, axis = image.layout, image.layout.channel_axis
    last = image.array[..., None] if axis is None else image.array
    last = last if axis is None else dask.array.moveaxis(last, axis, -1)
    height = _height(last)
    rows = _in_rows(last, height)
    values, alpha = rows[:, : layout.channels], None
    if layout.has_alpha:
        alpha = rows[:, -1]
    over = (image.mask, image.weights)
    mask, weights = (
        None if one is None else _in_rows(one[..., None], height)[:, 0] for one in over
    )
    numbers = dask.array.arange(len(rows), chunks=rows.chunks[:1])
    what = [mask, alpha, weights]
    weights = None if weights is None else weights.astype(np.float64)
    columns = [values, weights, numbers]
    if all(one is None for one in what):
        return DaskSelection(columns, [], None)
    sizes = rows.chunks[0]
    starts = (np.cumsum(sizes) - sizes).tolist()
    blocks = [
        [None] * len(sizes) if one is None else [*one.to_delayed().ravel()]
        for one in what
    ]
    look = dask.delayed(look_at_part, pure=True)
    looks = [*dask.compute(*map(look, sizes, *blocks, starts))]
    units = check_looks(looks, layout, image.mask is not None)
    keep, others = which_take_part(*what), None
    if weights is not None:
        # Included pixels of weight 0 must be finite, too.
        part = which_take_part(mask, alpha, None)
        others = (weights <= 0) if part is None else part & (weights <= 0)
    names_of = partial(_names_of, shape=layout.shape, axis=axis)
    sizes = [one.size for one in looks]
    return DaskSelection(select(columns, keep, sizes, others, names_of), looks, units)


def _names_of(
    numbers: Array, shape: tuple[int, ...], axis: int | None
) -> checks.ErrorContext:
    return checks.names_of_pixels(_places(numbers, shape), axis)


def _height(image: Any) -> int:
    """Return the number of image rows in a chunk, limited by the size of a chunk."""
    *_, columns, channels = image.shape
    row = int(columns * channels * image.dtype.itemsize)
    largest = CHUNK_BYTES // 4 // row
    return max(1, min(int(max(image.chunks[-3])), largest))


def _in_rows(image: Any, height: int) -> Any:
    """Return an image with its channels last as pixels, in chunks of `height` rows."""
    planes = dict.fromkeys(range(image.ndim - 3), 1)
    sizes = {image.ndim - 3: height, image.ndim - 2: -1, image.ndim - 1: -1}
    return image.rechunk({**planes, **sizes}).reshape((-1, image.shape[-1]))
