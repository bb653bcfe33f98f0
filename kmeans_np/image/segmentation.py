"""The answer: everything that is known about a segmented image."""

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
    """The answer of `cluster_image`. Clusters are in order of size, the largest first.

    Of an image that was read in blocks, `labels` and `image` are computed when they are
    read: ``answer.labels[:100]`` computes a hundred rows, ``np.asarray(answer.labels)``
    all of them; so do arithmetic, `overlay` and `mask_of`. They cannot be written to.
    The image must still be there then, as it was. Several threads may read them, and
    the answer may be pickled if the image may be.

    Attributes
    ----------
    labels : (rows, columns) or (planes, rows, columns) array of int8, int16 or int32
        The cluster of each pixel, 0 to k - 1, in the smallest of these types that
        holds them; -1 for a pixel that takes no part (outside of the mask, or fully
        transparent). They go by size: what is 0 here may be 1 in another picture,
        unless that got its labels by `apply`.
    palette : (k, channels) array of the image's type; (k,) for gray without channels
        The color of each cluster: its centroid, rounded if the image holds integers.
        The alpha channel, if there is one, is not a part of it.
    centroids : (k, channels) array of float64
        The same without rounding; with `position_weight`, followed by the mean row and
        column (plane, row and column) of the cluster, in pixels.
    counts : (k,) array of int64, or float64 if there are weights
        The number of pixels in each cluster; with weights, the sum of theirs; with
        ``alpha="weights"``, of their opacity.
    shares : (k,) array of float64
        The same as parts of 1 of all that takes part.
    image : array of the shape and type of the image
        The segmented image: every pixel in the color of its cluster. An alpha channel
        and pixels that take no part are unchanged.
    inertia : float
        The weighted sum of the squared distances of the pixels to their centroids, in
        the square of what is compared: of the image's unit (gray levels for uint8), of
        CIELAB or Oklab, or of standard deviations.
    n_iter : int
        The number of steps of the best start; 0 if the clusters were given.
    stopped_by : str
        Why it stopped: "labels" (no label changed), "tol" (the centroids hardly
        moved), "max_iter" (out of steps) or "callback" (the callback said so); "given"
        if the clusters were given and not searched for.
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
    _source: Source = field(kw_only=True)
    _clusters: Clusters = field(kw_only=True)

    def __repr__(self) -> str:
        size = " x ".join(str(length) for length in self.image.shape)
        colors = checks.pluralize(len(self.palette), "color")
        end = "clusters given"
        if self.stopped_by != "given":
            end = describe_stop(self.n_iter, self.stopped_by)
        return (
            f"<Segmentation of a {size} image of {self.image.dtype} into {colors}: "
            f"inertia {self.inertia:.6g}, {end}>"
        )

    def _repr_html_(self) -> str:
        """Return the picture and its palette with shares, for a notebook."""
        shown, labels = self._source.preview(self.image, self.labels, NOTEBOOK)
        visible = shown.image[..., -1] > 0 if shown.has_alpha else None
        part, palette = labels >= 0, self._clusters.palette
        return segmentation_in_html(shown.colors, part, visible, palette, self.shares)

    def overlay(self, *, alpha: float = 0.5, outline: bool = False) -> Array:
        """Lay the labels in well-separated colors over the image, to look at.

        The image is that which was clustered, not a copy: what is written to it later
        shows here.

        Parameters
        ----------
        alpha : float, default 0.5
            How much the colors cover: 0 (only the image) to 1 (only the colors).
        outline : bool, default False
            Whether to draw a line, one pixel wide, around each region of a label:
            white where the image is dark, black where it is light.

        Returns
        -------
        (rows, columns, 3) or (planes, rows, columns, 3) array of uint8
            The picture. Pixels that take no part show the image alone. An image of
            uint8 with 1 or 3 channels shows as it is; any other from its smallest to
            its largest value, and, unless there are 3 channels, as the mean of them,
            each so stretched.

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
        """The k - 1 levels between the clusters of an image with one channel.

        The largest value of each cluster but the last, in the order of their values:
        above it the next begins, as ``image > threshold``. With ``init="optimal"``
        these are the thresholds of Otsu's method for k classes [1]_; of an image of at
        most 256 levels, those of `skimage.filters.threshold_multiotsu`. All of the
        image is read for them.

        Returns
        -------
        (k - 1,) array of the image's type
            The levels.

        Raises
        ------
        ValueError
            If the image has several channels, or places were compared, too.

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
            rule = "have one channel, and no places compared, to have thresholds"
            got = "several channels" if channels > 1 else "places"
            remedy = "cluster one of them" if channels > 1 else "leave out the places"
            raise checks.ArgumentValueError("the image", rule, got, remedy)

    def _largest_values(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return the largest value of each cluster of gray, and which have one."""
        labels, values = np.asarray(self.labels), self._source.colors_in_memory()
        inside = labels >= 0
        labels, values = labels[inside], values[inside][:, 0]
        largest: Array = np.full(len(self.palette), values.min())
        np.maximum.at(largest, labels, values)
        return largest, np.bincount(labels, minlength=len(largest)) > 0

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """Return where a cluster is.

        Parameters
        ----------
        label : int
            The number of the cluster, 0 to k - 1.

        Returns
        -------
        (rows, columns) or (planes, rows, columns) array of bool
            True for the pixels of this cluster. As `mask` of another call, it
            restricts that to them.

        Raises
        ------
        TypeError, ValueError
            If `label` is not a whole number from 0 to k - 1.
        """
        found: NDArray[np.bool_]
        found = self.labels == checks.check_label(label, len(self.palette))
        return found

    def apply(
        self, image: ArrayLike, *, mask: ArrayLike | None = None
    ) -> "Segmentation":
        """Find the same clusters in another image.

        So the frames of a film do not flicker, and a batch has one palette.

        Parameters
        ----------
        image : (rows, columns[, channels]) or (planes, rows, columns[, channels]) array
            The other image, of the same type and channels as the first; its size may
            be another.
        mask : (rows, columns) or (planes, rows, columns) array_like of bool, optional
            True for the pixels that take part; all when not given.

        Returns
        -------
        Segmentation
            The answer for this image, with the numbers and the palette of these
            clusters, of which some may have no pixels. Every pixel has the nearest.

        Raises
        ------
        TypeError
            If `image` is not an array of real numbers, or `mask` of bools.
        ValueError
            If `image` has another type or other channels than the first, is empty or
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
    """Return the levels between clusters, given which have a largest value.

    Of a cluster without pixels, it is halfway to the next one.
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
    """Return everything that is known when the clusters have been found."""
    image, labels = source.paint(found)
    clusters, result = found.clusters, found.result
    palette, counts = clusters.palette, result.counts
    gray = source.layout.channel_axis is None
    centroids = clusters.features.inverse_transform(
        clusters.centroids, palette.shape[1]
    )
    return kind(
        labels=labels,
        # Copies: what is written to them must not change what `apply` finds.
        palette=(palette[:, 0] if gray else palette).copy(),
        centroids=centroids.copy(),
        counts=counts if source.weighted else counts.astype(np.int64),
        shares=counts / counts.sum(),
        image=image,
        inertia=result.inertia,
        n_iter=result.n_iter,
        stopped_by=result.stopped_by,
        _source=source,
        _clusters=clusters,
    )
