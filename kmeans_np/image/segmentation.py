"""The answer: everything that is known about a segmented image.

What this file adds: `Segmentation`, and how it is made of clusters, or of a palette
that was given. What it leaves out: to find the clusters (`kmeans_np.image.cluster`).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np import checks
from kmeans_np.blocks import is_sliced, stand_in
from kmeans_np.clustering import Clustering, describe_stop, nearest
from kmeans_np.image.features import Features, Points
from kmeans_np.image.pixels import Pixels, paint
from kmeans_np.image.streamed import ColorLabels, Painted, Streamed, look_at
from kmeans_np.lloyd import Array, Floats
from kmeans_np.pictures import NOTEBOOK, label_overlay, segmentation_in_html
from kmeans_np.sweeps.frame import extremes

# About how many pixels show whether clusters have a single color.
SAMPLE = 2**12


class Clusters(NamedTuple):
    """What a `Segmentation` needs to find its clusters in other images."""

    features: Features
    centroids: Floats
    palette: Array


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
        The number of pixels in each cluster; with weights, the sum of theirs.
    shares : (k,) array of float64
        The same as parts of 1 of all that takes part.
    image : array of the shape and type of the image
        The segmented image: every pixel in the color of its cluster. An alpha channel
        and pixels that take no part are unchanged.
    inertia : float
        The weighted sum of the squared distances of the pixels to their centroids, in
        the square of what is compared: of the image's unit (gray levels for uint8), of
        CIELAB, or of standard deviations.
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
    _pixels: Pixels | Streamed = field(kw_only=True)
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
        labels = self.labels
        if isinstance(self._pixels, Streamed):
            shown, labels = self._pixels.seen_from_afar(self.image, labels, NOTEBOOK)
        else:
            shown = self._pixels.of_the_same(self.image)
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
        return label_overlay(self._pixels.colors, labels, k, alpha, outline)

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
        first, features = self._pixels, self._clusters.features
        in_memory = features.pixel or not is_sliced(image)
        like = image if in_memory else stand_in(image)
        like = checks.like(like, self.image.ndim, self.image.dtype)
        image = like if in_memory else image
        seen = look_at(image, mask, first.channel_axis, first.has_alpha)
        checks.same_channels(seen.values.shape[1], len(self._clusters.palette.T))
        if features.white is not None:
            checks.white(seen.values.dtype, *extremes(seen.values))
        points = seen.points(features)
        centroids = self._clusters.centroids
        result = nearest(points.points, points.weights, centroids, points.cells)
        return in_full(result, seen.pixels, points, self._clusters)


def in_full(
    result: Clustering, pixels: Pixels | Streamed, points: Points, clusters: Clusters
) -> Segmentation:
    """Return everything that is known when the points have been clustered."""
    palette = clusters.palette.astype(points.colors.dtype, copy=False)
    clusters = clusters._replace(palette=palette)
    labels = result.labels.astype(np.min_scalar_type(-len(palette)))
    if isinstance(pixels, Streamed):
        assert points.distinct is not None
        codes = points.distinct.color_codes
        find = ColorLabels(labels, codes, pixels.layout.coding)
        views = Painted(pixels, find, palette)
        return told(result, pixels, clusters, views.image, views.labels)
    painted, label_image = paint(pixels, palette, points.to_pixels(labels))
    # Only the image is needed any more, to look at.
    pixels = pixels._replace(values=pixels.values[:0].copy())
    weighted = points.weighted
    return told(result, pixels, clusters, painted, label_image, weighted)


def told(
    result: Clustering,
    pixels: Pixels | Streamed,
    clusters: Clusters,
    painted: Any,
    labels: Any,
    weighted: bool = False,
) -> Segmentation:
    """Return the answer, given the image painted and its labels."""
    features, centroids, palette = clusters
    counts = result.counts if weighted else result.counts.astype(np.int64)
    return Segmentation(
        labels=labels,
        # Copies: what is written to them must not change what `apply` finds.
        palette=(palette[:, 0] if pixels.channel_axis is None else palette).copy(),
        centroids=features.centroids(centroids, palette.shape[1]).copy(),
        counts=counts,
        shares=result.counts / result.counts.sum(),
        image=painted,
        inertia=result.inertia,
        n_iter=result.n_iter,
        stopped_by=result.stopped_by,
        _pixels=pixels,
        _clusters=clusters,
    )


def single_colors(
    colors: Array, labels: Array, k: int
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which clusters have a single color.

    Parameters
    ----------
    colors : (n, c) array
        The colors of pixels, as they are compared.
    labels : (n,) array of int
        The cluster of each, 0 to k - 1.
    k : int
        The number of clusters.

    Returns
    -------
    single : (k,) array of bool
        Whether no two of the pixels of each cluster have different colors; also True
        if there is none.
    first : (k,) array of int
        The number of a pixel of each cluster, if there is one.
    """
    single, first = np.ones(k, bool), np.zeros(k, np.intp)
    some: Any = slice(None, None, max(1, len(labels) // SAMPLE))
    # Some pixels show of most clusters that they have several; then all are looked at
    # of the others.
    for _ in range(2):
        numbers = np.arange(len(labels))[some]
        first[labels[some][::-1]] = numbers[::-1]
        differ = (colors[some] != colors[first[labels[some]]]).any(axis=1)
        single[labels[some][differ]] = False
        some = np.flatnonzero(single.take(labels))
    return single, first


def undo_rounding(
    colors: Floats, single: NDArray[np.bool_], own: Array, k: int
) -> Floats:
    """Return the colors of clusters, exact where their pixels have a single one, `own`.

    The mean of equal numbers may be another in the last place. If it is far, it is no
    mean of theirs: the run was cut short. But if there are fewer than the k clusters
    asked for, each color is one.
    """
    scale = 1e-9 * np.abs(own) + 1e-12 * np.abs(colors).max()
    near = (np.abs(colors - own) <= scale).all(axis=1) | (len(colors) < k)
    exact: Floats = np.where((single & near)[:, np.newaxis], own, colors)
    return exact


def rounded(colors: Array, dtype: np.dtype[Any], white: float | None = None) -> Array:
    """Return colors as `dtype`, rounded to the nearest if it holds integers.

    They are in its range, as means of such numbers are; but for those from CIELAB,
    which may lie outside of what a screen can show.
    """
    if white is not None:
        colors = np.clip(colors, 0, white)
    return (colors if dtype.kind == "f" else np.rint(colors)).astype(dtype)
