"""Several images with one palette: the frames of a film, the scans of a day.

Of each image, only the distinct colors are kept. So memory grows with the number of
distinct colors, not with the number of images; for images of floats, it grows with the
number of pixels.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import MemoryRows, Report, Reporter, Rows, is_sliced, re_iterable
from kmeans_np.checks import pluralize
from kmeans_np.clustering import Clustering, Data
from kmeans_np.colors import Colors, distinct_of, look_up
from kmeans_np.files import open_image, read_image
from kmeans_np.files.formats import is_opened
from kmeans_np.image.clusters import Clusters, FoundClusters
from kmeans_np.image.layout import Layout
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import assign_clusters
from kmeans_np.image.segmentation import Segmentation, levels_between
from kmeans_np.image.source import Source
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pictures import palette_in_html, picture_in_html, screen

# The colors of several images are merged when there are this many.
MANY_COLORS = 2**22
# How many images a notebook shows, and their longest side there.
SHOWN, THUMBNAIL = 4, 200


def is_batch(value: Any) -> bool:
    """Return whether a value is several images, not one image that is array_like.

    Several images are a list or tuple of paths or of arrays with rows and columns, or
    another iterable that is not an array.
    """
    one = (str, bytes, memoryview, Set, Mapping, os.PathLike)
    if isinstance(value, one) or is_sliced(value):
        return False
    if any(hasattr(value, name) for name in ("__array__", "__array_interface__")):
        return False
    if isinstance(value, Sequence):
        return len(value) > 0 and _is_image(value[0])
    return hasattr(value, "__iter__")


def _is_image(value: Any) -> bool:
    if isinstance(value, (str, os.PathLike)) or is_sliced(value):
        return True
    return isinstance(value, np.ndarray) and value.ndim >= 2


class LazySequence(Sequence[Array]):
    """One array for each image of a batch, computed on access."""

    def __init__(self, n: int, compute: Callable[[int], Array]) -> None:
        self.n, self._compute = n, compute

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(self.n)[number]]
        return self._compute(range(self.n)[number])

    def __iter__(self) -> Iterator[Array]:
        # Not a generator, which two threads cannot advance at the same time.
        return map(self._compute, range(self.n))


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Segmentation):
    """The result of `cluster_image` for several images, with one palette for all.

    ``answer[i]`` is the `Segmentation` of image i, and a slice is a list of them;
    iteration yields one after the other. They are computed on access and not kept;
    image files are read again.

    Attributes
    ----------
    labels, image : sequences of arrays
        The label image and the segmented image of each image, computed on access.
    palette, centroids, counts, shares, inertia, n_iter, stopped_by
        As in `Segmentation`, over all images together.
    """

    def __repr__(self) -> str:
        colors = checks.pluralize(len(self.palette), "color")
        images = checks.pluralize(len(self), "image")
        return f"<Batch of {images} in {colors}: inertia {self.inertia:.6g}>"

    def _repr_html_(self) -> str:
        """Return the first images and the palette with its shares, for a notebook."""
        pictures, shows = "", None
        for number in range(min(len(self), SHOWN)):
            each: Segmentation = self[number]
            shown, labels = each._source.preview(each.image, each.labels, THUMBNAIL)
            visible = shown.image[..., -1] > 0 if shown.has_alpha else None
            shows = shows or screen(shown.colors, labels >= 0)
            pictures += picture_in_html(shown.colors, labels >= 0, visible, THUMBNAIL)
        more = len(self) - SHOWN
        pictures += f" and {more:,} more" if more > 0 else ""
        assert shows is not None
        caption = palette_in_html(
            self._clusters.palette, shows, self.shares, self._heading
        )
        return f'<figure style="margin:0">{pictures}{caption}</figure>'

    @property
    def _images(self) -> Sequence[Any]:
        return cast(SeveralImages, self._source).images

    @property
    def thresholds(self) -> Array:
        """The k - 1 thresholds between the clusters; see `Segmentation.thresholds`."""
        self._check_thresholds()
        largest: Array | None = None
        there = np.zeros(len(self.palette), bool)
        for each in self:
            own, has_some = each._largest_values()
            if largest is None:
                largest = own
            more = has_some & (~there | (own > largest))
            largest, there = np.where(more, own, largest), there | has_some
        assert largest is not None
        return levels_between(self.centroids[:, 0], largest, there)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        return self.apply(open_if_path(self._images[number]))

    def __iter__(self) -> Iterator[Segmentation]:
        return map(self.__getitem__, range(len(self)))

    def overlay(self, *, alpha: float = 0.35, outline: bool = False) -> Any:
        """Draw the labels over each image; see `Segmentation.overlay`.

        Parameters
        ----------
        alpha : float, default 0.35
            The opacity of the label colors, 0 to 1.
        outline : bool, default False
            Whether to draw an outline around each region.

        Returns
        -------
        sequence of ([planes,] rows, columns, 3) arrays of uint8
            The pictures, computed on access.

        Raises
        ------
        TypeError
            If `alpha` is not a number or `outline` not a bool.
        ValueError
            If `alpha` is not from 0 to 1.
        """
        alpha = checks.check_fraction(alpha, "alpha")
        outline = checks.check_bool(outline, "outline")
        return self._each("overlay", alpha=alpha, outline=outline)

    def mask_of(self, label: int) -> Any:
        """Return the mask of a cluster in each image; see `Segmentation.mask_of`.

        Parameters
        ----------
        label : int
            The number of the cluster, 0 to k - 1.

        Returns
        -------
        sequence of ([planes,] rows, columns) arrays of bool
            The masks, computed on access.

        Raises
        ------
        TypeError
            If `label` is not an integer.
        ValueError
            If `label` is not from 0 to k - 1.
        """
        label = checks.check_label(label, len(self.palette))
        return self._each("mask_of", label=label)

    def _each(self, method: str, **how: Any) -> "LazySequence":
        return LazySequence(len(self), partial(self._call, method, how))

    def _call(self, method: str, how: dict[str, Any], number: int) -> Any:
        return getattr(self[number], method)(**how)


def open_if_path(image: Any) -> Any:
    """Return an image; if it is a path, open or read the file."""
    if not isinstance(image, (str, os.PathLike)):
        return image
    return open_image(image) if is_opened(Path(image)) else read_image(image)


class ColorPool(Source):
    """The colors of many images, and their counts, as one source."""

    def __init__(self) -> None:
        self.kind, self._n_weighted = "", 0
        self.values: list[Array] = []
        self.counts: list[Floats] = []
        self.n_merged = 0

    @property
    def size(self) -> int:
        """The number of pixels, which is not known before they are counted."""
        return sys.maxsize

    @property
    def n_weighted(self) -> int:
        """The number of pixels with a positive weight, among those added so far."""
        return self._n_weighted

    def add(self, source: Source, name: str) -> None:
        """Add the included pixels of an image; errors call it `name`."""
        kind = _kind_of(source.layout)
        if self.kind not in ("", kind):
            rule, found = f"be {self.kind}, as the first one is", f"which is {kind}"
            raise checks.ArgumentValueError(
                "image", rule, name, "convert it", found=found
            )
        colors = source.count()
        if colors is None:
            rows = source.rows()
            loaded = rows.load()
            if rows.outside:
                checks.finite(loaded.values, rows.names)
            self._add(loaded.values, np.asarray(loaded.weights))
        else:
            self._add(colors.colors, colors.counts)
        if not self.kind:
            self.kind, self.layout = kind, source.layout
            self.weighted, self.by_opacity = source.weighted, source.by_opacity
        self._n_weighted += source.n_weighted

    def _add(self, values: Array, counts: Floats) -> None:
        self.values.append(values)
        self.counts.append(counts)
        if sum(map(len, self.counts)) > max(MANY_COLORS, 2 * self.n_merged):
            self._merge()

    def _merge(self) -> Colors | None:
        """Merge equal colors of different images, and return the colors."""
        values, counts = np.concatenate(self.values), np.concatenate(self.counts)
        colors = distinct_of(values)
        if colors is not None:
            m = len(colors.counts)
            numbers = look_up(np.arange(m, dtype=np.int32), colors)
            values = colors.colors
            counts = np.bincount(numbers, counts, m).astype(np.float64)
            colors = colors._replace(counts=counts)
        self.values, self.counts, self.n_merged = [values], [counts], len(values)
        return colors

    def count(self) -> Colors | None:
        """Return the distinct colors of all images, and their counts."""
        return self._merge()

    def prepare_painting(
        self, clusters: Clusters, result: Clustering, colors: Colors | None, data: Data
    ) -> FoundClusters:
        """Return the clusters, and release the colors."""
        del colors, data
        self.values = self.counts = []
        return FoundClusters(clusters, result)

    def rows(self) -> Rows:
        """Return the included pixels, one per row."""
        (values,), (counts,) = self.values, self.counts
        return MemoryRows(values, counts)

    def paint(self, found: FoundClusters) -> tuple[Any, Any]:
        """Return nothing: a pool of colors cannot be painted."""
        del found
        return None, None

    def colors_in_memory(self) -> Array:
        """Raise NotImplementedError: a pool of colors is no image."""
        raise NotImplementedError


class SeveralImages(ColorPool):
    """Several images, each of which is read once to be counted and again to be painted.

    For the parameters, see `kmeans_np.cluster_image`.
    """

    def __init__(
        self,
        images: Any,
        mask: Any,
        weights: Any,
        channel_axis: Any,
        alpha: Any,
        report: Report | None,
    ) -> None:
        super().__init__()
        checks.function(report, "progress", "Progress")
        refuse_for_several(mask=mask is not None, weights=weights is not None)
        self.images = re_iterable(images, "image", "to count and to paint")
        self.report, self.where = report, (channel_axis, alpha)
        if not len(self.images):
            rule = "hold at least one image"
            raise checks.ArgumentValueError("image", rule, "none", "pass some")
        # Kept open until it has been counted.
        self.first: Source | None = self._open(0)
        self.layout = self.first.layout

    def _open(self, number: int) -> Source:
        return open_source(open_if_path(self.images[number]), None, None, *self.where)

    def count(self) -> Colors | None:
        """Count the colors of all images."""
        reporter = Reporter(self.report, "count", len(self.images))
        for number in range(len(self.images)):
            source = self.first if number == 0 else None
            source = source or self._open(number)
            self.add(source, f"image {number}")
            reporter.add(1)
        self.first = None
        return self._merge()

    def paint_image(self, found: FoundClusters) -> Any:
        """Return an iterator over the segmented images."""
        return iter(self._each(partial(_paint_one, 0), found.clusters))

    def paint(self, found: FoundClusters) -> tuple[Any, Any]:
        """Return the segmented images and the labels, computed on access."""
        painted, labels = (partial(_paint_one, part) for part in (0, 1))
        return self._each(painted, found.clusters), self._each(labels, found.clusters)

    def _each(self, work: Callable[..., Any], clusters: Clusters) -> "LazySequence":
        return LazySequence(len(self.images), partial(self._one, work, clusters))

    def _one(self, work: Callable[..., Any], clusters: Clusters, number: int) -> Any:
        source = self._open(number)
        return work(source, source.run(assign_clusters, clusters))


def _paint_one(part: int, source: Source, found: FoundClusters) -> Any:
    return source.paint(found)[part]


def refuse_for_several(**given: bool) -> None:
    """Reject arguments that refer to the positions of pixels in a single image."""
    for name, is_there in given.items():
        if is_there:
            raise checks.ArgumentValueError(
                name,
                "be left out for several images, whose sizes may differ",
                "",
                "leave it out, or pass one image at a time",
            )


def _kind_of(layout: Layout) -> str:
    """Return the kind of an image in words, for errors."""
    planes = " in planes" * (len(layout.shape) > 2)
    if layout.channel_axis is None:
        return f"gray of type {layout.dtype}{planes}"
    n, has_alpha = layout.channels, layout.has_alpha
    names = {(1, True): "gray with alpha", (3, False): "RGB", (3, True): "RGBA"}
    plain = pluralize(n, "channel") + " and alpha" * has_alpha
    return f"{names.get((n, has_alpha), plain)} of type {layout.dtype}{planes}"
