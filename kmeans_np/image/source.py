"""The interface of images, wherever they are stored, and images in memory.

A source can count its colors, process its pixels one by one, and be painted. The steps
from an image to its clusters (`kmeans_np.image.pipeline`) are the same for all sources.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import MemoryRows, Rows, in_memory
from kmeans_np.clustering import Clustering, Data
from kmeans_np.colors import Colors, Units, distinct_of, look_up
from kmeans_np.image.clusters import Clusters, FoundClusters
from kmeans_np.image.layout import Layout, Pixels, paint, take_apart
from kmeans_np.lloyd import Array

Found = TypeVar("Found")


class Source(ABC):
    """An image, wherever its pixels are stored.

    Attributes
    ----------
    layout : Layout
        The layout of the image.
    weighted : bool
        Whether the pixels have weights.
    by_opacity : bool
        Whether opacity is the weight of a pixel.
    n_weighted : int
        The number of included pixels with a positive weight, if they are weighted.
    """

    layout: Layout
    weighted: bool = False
    by_opacity: bool = False

    def __getstate__(self) -> dict[str, Any]:
        # The progress function is not sent to other processes.
        return {**self.__dict__, "report": None}

    @property
    def size(self) -> int:
        """The number of pixels."""
        return self.layout.size

    @property
    def n_weighted(self) -> int:
        """The number of included pixels with a positive weight, if weighted."""
        return 0

    @abstractmethod
    def count(self) -> Colors | None:
        """Return the distinct colors of the included pixels, and the weight of each.

        None if it is better to cluster pixels.
        """

    @abstractmethod
    def rows(self) -> Rows:
        """Return the included pixels, one per row."""

    def run(self, work: Callable[..., Found], *args: Any) -> Found:
        """Return what `work(source, *args)` returns."""
        return work(self, *args)

    def later(self, work: Callable[..., Found], *args: Any) -> Any:
        """Return the result of `run`, or a delayed object for it."""
        return work(self, *args)

    def prepare_painting(
        self, clusters: Clusters, result: Clustering, colors: Colors | None, data: Data
    ) -> FoundClusters:
        """Return the clusters with everything that is needed to paint this image.

        `result` has the labels of `colors`, or of the pixels if that is None; `data`
        are the points that were clustered.
        """
        del data
        return FoundClusters(clusters, result, colors)

    @abstractmethod
    def paint(self, found: FoundClusters) -> tuple[Any, Any]:
        """Return the segmented image and the labels, possibly computed when read."""

    def paint_image(self, found: Any) -> Any:
        """Return the segmented image alone, from the result of `later`."""
        return self.paint(found)[0]

    def write(self, found: FoundClusters, out: Any) -> None:
        """Write the segmented image into an array."""
        out[...] = self.paint_image(found)

    @abstractmethod
    def colors_in_memory(self) -> Array:
        """Return the whole image, with its channels last, without alpha."""

    def preview(self, image: Any, labels: Any, longest: int) -> tuple[Pixels, Array]:
        """Return a segmented image and its labels, with rows and columns left out."""
        n_axes, axis = len(self.layout.shape), self.layout.channel_axis
        steps = [slice(None, None, -(-max(self.layout.shape) // longest))] * n_axes
        where = steps if axis is None else [*steps[:axis], slice(None), *steps[axis:]]
        small = self.layout.pixels(np.asarray(image[tuple(where)]), None)
        return small, np.asarray(labels[tuple(steps)])


class MemoryImage(Source):
    """An image in memory.

    For the parameters, see `kmeans_np.cluster_image`.
    """

    def __init__(
        self, image: Any, mask: Any, weights: Any, channel_axis: Any, alpha: Any
    ) -> None:
        self.layout, self.pixels = take_apart(
            image, in_memory(mask, "mask"), channel_axis, alpha
        )
        shape, part = self.layout.shape, self.pixels.part
        self.weights, self.weighted = None, weights is not None
        if weights is not None:
            every = checks.weights_image(in_memory(weights, "weights"), shape)
            self.weights = checks.pixel_weights(every, part)
            found = checks.weight_stats(self.weights, range(len(self.weights)))
            self.units = Units.of(found.least, found.largest, every.size)

    @property
    def n_weighted(self) -> int:
        """The number of included pixels with a positive weight."""
        return 0 if self.weights is None else int(np.count_nonzero(self.weights))

    def count(self) -> Colors | None:
        """Return the distinct colors of the included pixels, and the weight of each."""
        colors = distinct_of(self.pixels.values)
        if colors is None or self.weights is None:
            return colors
        m = len(colors.counts)
        numbers = look_up(np.arange(m, dtype=np.int32), colors)
        split = [w for w in self.units.split(self.weights) if w.any()]
        counts = np.sum([np.bincount(numbers, w, m) for w in split], axis=0)
        return colors._replace(counts=counts)

    def rows(self) -> Rows:
        """Return the included pixels, one per row."""
        rows = MemoryRows(self.pixels.values, self.weights, self.pixels.places)
        rows.n_axes = len(self.layout.shape)
        return rows

    def paint(self, found: FoundClusters) -> tuple[Array, Array]:
        """Return the segmented image and the labels."""
        palette, labels = found.clusters.palette, found.result.labels
        labels = labels.astype(np.min_scalar_type(-len(palette)))
        if found.colors is not None:
            labels = look_up(labels, found.colors)
        painted = paint(self.pixels, palette, labels)
        # From here on, only the image itself is needed, for overlays.
        self.pixels = self.pixels._replace(values=self.pixels.values[:0].copy())
        self.weights = None
        return painted

    def preview(self, image: Array, labels: Array, _: int) -> tuple[Pixels, Array]:
        """Return the segmented image and its labels."""
        return self.pixels.of_the_same(image), labels

    def colors_in_memory(self) -> Array:
        """Return the whole image, with its channels last, without alpha."""
        return self.pixels.colors
