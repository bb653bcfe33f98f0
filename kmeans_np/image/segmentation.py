"""`Segmentation`: the result of clustering an image."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np import checks
from kmeans_np.arrays import shape_only
from kmeans_np.clustering import describe_stop
from kmeans_np.image.clusters import Clusters, FoundClusters
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import assign_clusters
from kmeans_np.image.source import Source
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pictures import NOTEBOOK, label_overlay, segmentation_in_html


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """The result of `cluster_image`. Clusters are ordered by size, the largest first.

    For an image that was read in blocks, `labels` and `image` are computed when they
    are read: ``answer.labels[:100]`` computes a hundred rows,
    ``np.asarray(answer.labels)`` all of them; so do arithmetic, `overlay` and
    `mask_of`. They are read-only, and need the image to be still there, unchanged.
    Several threads may read them, and the result can be pickled if the image can.

    Attributes
    ----------
    labels : ([planes,] rows, columns) array of int8, int16 or int32
        The cluster of each pixel, 0 to k - 1, in the smallest of these types that holds
        them; -1 for excluded pixels (outside of the mask, or fully transparent). Since
        clusters are ordered by size, label 0 may be another color in another image; use
        `apply` to get the same labels.
    palette : (k, channels) array of the image's dtype; (k,) for gray without channels
        The color of each cluster, without alpha: its centroid, rounded if the image
        holds integers.
    centroids : (k, channels) array of float64
        The same without rounding; with `position_weight`, followed by the mean row and
        column (plane, row and column) of the cluster, in pixels.
    counts : (k,) array of int64, or of float64 if there are weights
        The number of pixels in each cluster; with weights, the sum of their weights;
        with ``alpha="weights"``, of their opacity.
    shares : (k,) array of float64
        `counts` as fractions of their sum, from 0 to 1.
    image : array with the shape and dtype of the image
        The segmented image: every pixel in the color of its cluster. Alpha and excluded
        pixels are unchanged.
    inertia : float
        The weighted sum of the squared distances of the pixels to their centroids, in
        the squared unit of the features: of the image's unit (gray levels for uint8),
        of CIELAB or Oklab, or of standard deviations.
    n_iter : int
        The number of steps of the best start, on all pixels; 0 if the clusters were
        given. The steps that find that start, on a histogram of the colors, are not
        counted.
    stopped_by : str
        Why the run stopped: "labels" (no label changed), "tol" (the centroids hardly
        moved), "max_iter" (the maximum number of steps) or "callback" (the callback
        returned a true value); "given" if the clusters were given, not searched for.
    n_starts : int
        The number of starts that were tried.
    """

    labels: NDArray[np.signedinteger[Any]]
    palette: Array
    centroids: Floats
    counts: Array
    shares: Floats
    image: Array
    inertia: float
    n_iter: int
    stopped_by: str
    n_starts: int
    _source: Source = field(kw_only=True)
    _clusters: Clusters = field(kw_only=True)

    def __repr__(self) -> str:
        size = " x ".join(str(length) for length in self.image.shape)
        colors = checks.pluralize(len(self.palette), "color")
        end = "clusters given"
        if self.stopped_by != "given":
            end = describe_stop(self.n_iter, self.stopped_by, self.n_starts)
        return (
            f"<Segmentation of a {size} image of {self.image.dtype} into {colors}: "
            f"inertia {self.inertia:.6g}, {end}>"
        )

    def _repr_html_(self) -> str:
        """Return the segmented image and its palette with shares, as HTML."""
        shown, labels = self._source.preview(self.image, self.labels, NOTEBOOK)
        visible = shown.image[..., -1] > 0 if shown.has_alpha else None
        part, palette = labels >= 0, self._clusters.palette
        return segmentation_in_html(
            shown.colors, part, visible, palette, self.shares, self._heading
        )

    @property
    def _heading(self) -> str:
        """What a notebook says above the palette."""
        colors = checks.pluralize(len(self.palette), "color")
        end = "given"
        if self.stopped_by != "given":
            end = describe_stop(self.n_iter, self.stopped_by, self.n_starts)
        return f"{colors}, {end}; inertia {self.inertia:.6g}"

    def overlay(self, *, alpha: float = 0.35, outline: bool = False) -> Array:
        """Draw the labels in well-separated colors over the image.

        The image is the one that was clustered, not a copy: later changes to it show
        here.

        Parameters
        ----------
        alpha : float, default 0.35
            The opacity of the label colors: 0 (only the image) to 1 (only the colors).
        outline : bool, default False
            Whether to draw a line, one pixel wide, around each region of a label: white
            where the picture is dark, black where it is light.

        Returns
        -------
        ([planes,] rows, columns, 3) array of uint8
            The picture. Excluded pixels show the image alone. An image of uint8 with 1
            or 3 channels is shown as it is. Other images are scaled from their smallest
            to their largest value; if there are not 3 channels, each channel is scaled
            on its own and their mean is shown.

        Raises
        ------
        TypeError
            If `alpha` is not a number or `outline` not a bool.
        ValueError
            If `alpha` is not from 0 to 1.
        """
        alpha = checks.check_fraction(alpha, "alpha")
        outline = checks.check_bool(outline, "outline")
        k = len(self.palette)
        labels = np.asarray(self.labels)
        image = self._source.colors_in_memory()
        return label_overlay(image, labels, k, alpha, outline)

    @property
    def thresholds(self) -> Array:
        """The k - 1 thresholds between the clusters of an image with one channel.

        A threshold is the largest value of a cluster; the next cluster begins above it,
        as in ``image > threshold``. With ``init="optimal"``, these are the thresholds
        of Otsu's method for k classes [1]_; for an image of at most 256 levels, those
        of `skimage.filters.threshold_multiotsu`. The whole image is read to compute
        them.

        Returns
        -------
        (k - 1,) array of the image's dtype
            The thresholds, in rising order.

        Raises
        ------
        ValueError
            If the image has several channels, or was clustered with `position_weight`.

        References
        ----------
        .. [1] N. Otsu, "A threshold selection method from gray-level histograms", IEEE
           Transactions on Systems, Man and Cybernetics 9 (1979), 62-66.
           :doi:`10.1109/TSMC.1979.4310076`
        """
        self._check_thresholds()
        return levels_between(self.centroids[:, 0], *self._largest_values())

    def _check_thresholds(self) -> None:
        channels, features = self._source.layout.channels, self._clusters.features
        if channels > 1 or features.pixel:
            rule = "have one channel and no position_weight to have thresholds"
            got = "several channels" if channels > 1 else "a position_weight"
            remedy = (
                "cluster one of them" if channels > 1 else "leave position_weight out"
            )
            raise checks.ArgumentValueError("the image", rule, got, remedy)

    def _largest_values(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return the largest level of each cluster of gray, and which have pixels."""
        labels, values = np.asarray(self.labels), self._source.colors_in_memory()
        inside = labels >= 0
        labels, values = labels[inside], values[inside][:, 0]
        largest: Array = np.full(len(self.palette), values.min())
        np.maximum.at(largest, labels, values)
        return largest, np.bincount(labels, minlength=len(largest)) > 0

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """Return the mask of a cluster.

        Parameters
        ----------
        label : int
            The number of the cluster, 0 to k - 1.

        Returns
        -------
        ([planes,] rows, columns) array of bool
            True for the pixels of this cluster. Passed as `mask` to another call, it
            restricts that call to them.

        Raises
        ------
        TypeError
            If `label` is not an integer.
        ValueError
            If `label` is not from 0 to k - 1.
        """
        found: NDArray[np.bool_]
        found = self.labels == checks.check_label(label, len(self.palette))
        return found

    def apply(
        self, image: ArrayLike, *, mask: ArrayLike | None = None
    ) -> "Segmentation":
        """Find the same clusters in another image.

        So the frames of a film do not flicker, and all images of a batch have one
        palette.

        Parameters
        ----------
        image : ([planes,] rows, columns[, channels]) array_like of real numbers
            The other image, of the same dtype and with the same channels as the first;
            it may have another size.
        mask : ([planes,] rows, columns) array_like of bool or int, optional
            True (or nonzero) for the pixels to include; by default, all.

        Returns
        -------
        Segmentation
            The result for this image: every pixel is assigned to the nearest of these
            clusters, which keep their numbers and palette. Some may have no pixels.

        Raises
        ------
        TypeError
            If `image` is not an array of real numbers, or `mask` not one of bools or
            integers.
        ValueError
            If `image` has another dtype or other channels than the first, is empty,
            fully transparent or not finite, or `mask` has another shape or is False
            everywhere.
        """
        first = self._source.layout
        checks.like(shape_only(image), first.ndim, first.dtype)
        alpha: Any = "weights" if self._source.by_opacity else first.has_alpha
        source = open_source(image, mask, None, first.channel_axis, alpha)
        checks.same_channels(source.layout.channels, first.channels)
        found = source.run(assign_clusters, self._clusters)
        return build_segmentation(source, found)


def levels_between(
    centroids: Floats, largest: Array, there: NDArray[np.bool_]
) -> Array:
    """Return the thresholds between clusters, given the largest values of some.

    For a cluster without pixels, it is halfway to the next centroid.
    """
    order = np.argsort(centroids)
    levels = centroids[order]
    between = (levels[:-1] + levels[1:]) / 2
    if largest.dtype.kind != "f":
        between = np.floor(between)
    tops = largest[order]
    tops[:-1] = np.where(there[order][:-1], tops[:-1], between.astype(tops.dtype))
    found: Array = np.maximum.accumulate(tops[:-1])
    return found


def build_segmentation(
    source: Source, found: FoundClusters, kind: type[Segmentation] = Segmentation
) -> Segmentation:
    """Return the result, once the clusters have been found."""
    image, labels = source.paint(found)
    clusters, result = found.clusters, found.result
    palette, counts = clusters.palette, result.counts
    gray = source.layout.channel_axis is None
    centroids = clusters.features.inverse_transform(
        clusters.centroids, palette.shape[1]
    )
    return kind(
        labels=labels,
        # Copies, so that writing to them does not change the results of `apply`.
        palette=(palette[:, 0] if gray else palette).copy(),
        centroids=centroids.copy(),
        counts=counts if source.weighted else counts.astype(np.int64),
        shares=counts / counts.sum(),
        image=image,
        inertia=result.inertia,
        n_iter=result.n_iter,
        stopped_by=result.stopped_by,
        n_starts=result.n_starts,
        _source=source,
        _clusters=clusters,
    )
