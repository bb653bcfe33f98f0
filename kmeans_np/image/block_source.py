"""An image that is read in blocks, such as a memory map, Zarr or TIFF file."""

import copy
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import (
    CHUNK_BYTES,
    BlockReader,
    BlockRows,
    LazyArray,
    Report,
    Reporter,
    chunks_of,
    release_pages,
    shape_only,
    tiles,
)
from kmeans_np.arrays.rows import Selected, bands
from kmeans_np.clustering import Clustering, Data, column_stats
from kmeans_np.colors import ColorCounts, Colors, Units
from kmeans_np.image.clusters import (
    Clusters,
    ColorLabels,
    FindLabels,
    FoundClusters,
    NearestPixels,
    paint_block,
)
from kmeans_np.image.layout import Pixels, lay_out
from kmeans_np.image.selection import check_looks, look_at_part
from kmeans_np.image.source import Source
from kmeans_np.lloyd import Array, Floats

Place = tuple[slice, ...]


class BlockImage(Source):
    """An image that is read in blocks.

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
        self.source, self.report = BlockReader(image), report
        self.layout, _ = lay_out(shape_only(self.source), channel_axis, alpha)
        self.mask = self.weights = None
        if mask is not None:
            mask = mask if hasattr(mask, "dtype") else np.asarray(mask)
            self.mask = BlockReader(mask, "mask")
            checks.mask(shape_only(self.mask), self.layout.shape)
        self.weighted = weights is not None
        if weights is not None:
            weights = weights if hasattr(weights, "dtype") else np.asarray(weights)
            self.weights = BlockReader(weights, "weights")
            checks.weights_image(shape_only(self.weights), self.layout.shape)

    def pixels(self, place: Place) -> Pixels:
        """Read the pixels of a block; `place` has no slice for the channels."""
        mask = None if self.mask is None else self.mask[place]
        return self.layout.pixels(self.source[self.layout.with_channels(place)], mask)

    def weights_of(self, pixels: Pixels, place: Place) -> Floats | None:
        """Read the weights of the included pixels of a block."""
        if self.weights is None:
            return None
        weights = self.weights[place]
        flat = weights.ravel() if pixels.part is None else weights[pixels.part]
        return flat.astype(np.float64)

    @cached_property
    def selection(self) -> "BlockSelection":
        """Which pixels are included, from a pass over mask, weights and alpha."""
        return select_pixels(self)

    @property
    def n_weighted(self) -> int:
        """The number of included pixels with a positive weight."""
        return sum(self.selection.sizes)

    def count(self) -> Colors | None:
        """Return the distinct colors of the included pixels, and the weight of each."""
        units = self.selection.units if self.weighted else None
        if self.layout.needs_ranges:
            stats = column_stats(self.rows())
            self.layout = self.layout.with_ranges(stats.stored_low, stats.stored_high)
        if not self.layout.packing.is_possible:
            return None
        counts = ColorCounts(self.layout.packing, self.size)
        reporter = Reporter(self.report, "count", self.size)
        for place in self._places():
            pixels = self.pixels(place)
            if len(pixels.values):
                weights = self.weights_of(pixels, place)
                split = None
                if weights is not None and units is not None:
                    split = units.split(weights)
                counts.add(pixels.values, split)
            reporter.add(math.prod(pixels.shape))
            if counts.are_too_many:
                return None
        n_masked = None
        if self.mask is not None and not counts.n_pixels:
            # Only needed for the error.
            masks = (self.mask[place] for place in self._places())
            n_masked = sum(int(np.count_nonzero(mask)) for mask in masks)
        checks.some_take_part(counts.n_pixels, self.size, n_masked)
        return counts.colors()

    def _places(self) -> Iterator[Place]:
        chunks = self.source.chunks
        own = None if chunks is None else self.layout.without_channels(chunks)
        return tiles(self.layout.shape, own)

    def rows(self) -> "PixelRows":
        """Return the included pixels, one per row."""
        return PixelRows(self)

    def prepare_painting(
        self, clusters: Clusters, result: Clustering, colors: Colors | None, data: Data
    ) -> FoundClusters:
        """Return the clusters with a function that finds the labels of pixels."""
        find: FindLabels
        if colors is None:
            find = NearestPixels.of(clusters, data.shift)
        else:
            labels = result.labels.astype(clusters.label_dtype)
            find = ColorLabels(labels, colors.color_codes, self.layout.packing)
        return FoundClusters(clusters, result, find=find)

    def paint(self, found: FoundClusters) -> tuple[LazyArray, LazyArray]:
        """Return the segmented image and the labels, computed when they are read."""
        assert found.find is not None
        # The weights are not needed any more.
        self.weights = None
        self.__dict__.pop("selection", None)
        lazy = LazyPainting(self, found.find, found.clusters.palette)
        return lazy.image, lazy.labels

    def paint_image(self, found: FoundClusters) -> Array:
        """Return the segmented image in memory, painted block by block."""
        out = np.empty(self.source.shape, self.source.dtype)
        self.write(found, out)
        return out

    def write(self, found: FoundClusters, out: Any) -> None:
        """Write the segmented image into an array, block by block.

        The array may be the image itself: no pixel is read after it has been written.
        """
        painted, _ = self.paint(found)
        reporter = Reporter(self.report, "paint", self.size)
        chunks = chunks_of(out) or self.source.chunks
        for place in tiles(
            self.layout.shape, chunks and self.layout.without_channels(chunks)
        ):
            where = self.layout.with_channels(place)
            out[where] = painted[where]
            if isinstance(out, np.memmap):
                release_pages(out)
            reporter.add(math.prod(cut.stop - cut.start for cut in place))

    def colors_in_memory(self) -> Array:
        """Read the whole image, with its channels last, without alpha."""
        whole = self.pixels(tuple(slice(0, n) for n in self.layout.shape))
        return whole.colors


class BlockSelection(NamedTuple):
    """Which pixels are included."""

    # Bands of whole rows of the image, in memory order.
    bands: list[Place]
    # The number of included pixels with a positive weight in each band.
    sizes: list[int]
    # The units that weights are split into for exact sums; None without weights.
    units: Units | None


def select_pixels(image: BlockImage) -> BlockSelection:
    """Find the included pixels, reading only mask, weights and alpha."""
    layout = image.layout
    found = bands(layout.shape, _band(image), layout.channels)
    sizes = [math.prod(cut.stop - cut.start for cut in band) for band in found]
    if image.mask is None and image.weights is None and not layout.has_alpha:
        return BlockSelection(found, sizes, None)
    looks, start = [], 0
    for band, n in zip(found, sizes):
        alpha = image.pixels(band).image[..., -1].ravel() if layout.has_alpha else None
        over = (image.mask, image.weights)
        mask, weights = (None if x is None else x[band].ravel() for x in over)
        looks.append(look_at_part(n, mask, alpha, weights, start))
        start += n
    units = check_looks(looks, layout, image.mask is not None)
    return BlockSelection(found, [look.size for look in looks], units)


def _band(image: BlockImage) -> tuple[int, ...]:
    """Return the shape of a band of whole rows, made of whole chunks if possible."""
    layout = image.layout
    *planes, _, columns = layout.shape
    own = image.source.chunks
    height = layout.without_channels(own)[-2] if own is not None else 1
    row = columns * layout.channels * layout.dtype.itemsize
    height = max(1, min(height, CHUNK_BYTES // row))
    return (*[1] * len(planes), height, columns)


class PixelRows(BlockRows):
    """The included pixels of an image in blocks, in memory order."""

    def __init__(self, image: BlockImage) -> None:
        layout, selection = image.layout, image.selection
        shape = (sum(selection.sizes), layout.channels)
        super().__init__(
            shape, layout.dtype, selection.bands, selection.sizes, image.report
        )
        # A copy, which keeps the weights: the labels of a step may be read after the
        # run.
        self.image, self.n_axes = copy.copy(image), len(layout.shape)
        self.names = checks.named_pixels(self._say_place, layout.channel_axis)

    def read(self, block: Place) -> Selected:
        """Read the included pixels of a band that have a positive weight."""
        pixels = self.image.pixels(block)
        weights = self.image.weights_of(pixels, block)
        places = pixels.places(block) if self.with_places else None
        if weights is None or weights.all():
            return pixels.values, weights, places
        some = weights > 0

        def say_place(index: Array) -> str:
            return checks.place_of_pixel(pixels.places(block)[~some][index[0]])

        axis = self.image.layout.channel_axis
        checks.finite(pixels.values[~some], checks.named_pixels(say_place, axis))
        places = None if places is None else places[some]
        return pixels.values[some], weights[some], places

    def _say_place(self, index: Array) -> str:
        """Say where the pixel of a row is in the image."""
        number = self.block_of(int(index[0]))
        block, inside = self.blocks[number], int(index[0]) - self.starts[number]
        pixels = self.image.pixels(block)
        places = pixels.places(block)
        weights = self.image.weights_of(pixels, block)
        places = places if weights is None else places[weights > 0]
        return checks.place_of_pixel(places[inside])


class LazyPainting:
    """The labels and the segmented image of an image in blocks, computed when read.

    Parameters
    ----------
    image : BlockImage
        The image.
    find : callable
        Returns the labels of the pixels of a block.
    palette : (k, c) array
        The color of each label.
    """

    def __init__(self, image: BlockImage, find: FindLabels, palette: Array) -> None:
        self.of, self.find, self.palette = image, find, palette
        source, layout = image.source, image.layout
        chunks, dtype = source.chunks, np.min_scalar_type(-len(palette))
        small = None if chunks is None else layout.without_channels(chunks)
        self.image = LazyArray(source.shape, source.dtype, chunks, self._image)
        self.labels = LazyArray(layout.shape, dtype, small, self._labels)

    def _paint(self, place: Place) -> tuple[Array, Array]:
        pixels = self.of.pixels(place)
        return paint_block(pixels, place, self.find, self.palette)

    def _image(self, place: Place) -> Array:
        layout = self.of.layout
        painted, _ = self._paint(layout.without_channels(place))
        axis = layout.channel_axis
        if axis is None:
            return painted
        channels = (slice(None),) * axis + (place[axis],)
        return painted[channels]

    def _labels(self, place: Place) -> Array:
        _, labels = self._paint(place)
        return labels
