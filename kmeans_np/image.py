"""`segment_image`: an image in, the image in k colors out.

What this file adds: the round trip of the tensor. An image of shape (375, 500, 3) is
flattened to 187,500 points with 3 features, the points are clustered, every pixel is
painted with its centroid, and the result is reshaped to (375, 500, 3). What it leaves
out: files (`kmeans_np.files`).

Nothing is scaled on the way. To divide all values by 255 would divide all distances by
255, and change neither which centroid is nearest nor when it stops, while whole gray
levels add up without any rounding.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np import checks
from kmeans_np.clustering import (
    cluster,
    describe_stop,
    sweep_over,
    warn_if_fewer,
)
from kmeans_np.colors import Colors, color_in, distinct_colors, look_up
from kmeans_np.lloyd import Array, Floats, Sweep
from kmeans_np.seeding import Histogram
from kmeans_np.sweeps import BlockedSweep, CellSweep

# Cells pay when there are many colors; a histogram as a start, when it has some cells
# for each cluster; a coarse one, when it has many.
FEW_COLORS = 1000
SOME_CELLS, MANY_CELLS = 4, 32


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """The answer of `cluster_image`. Clusters are in order of size, the largest first.

    Attributes
    ----------
    labels : (rows, columns) array of int8, int16 or int32
        The cluster of each pixel, 0 to k - 1, in the smallest of these types that
        holds them; -1 for a fully transparent pixel, which takes no part.
    palette : (k, channels) array of the image's type; (k,) for an image (rows, columns)
        The color of each cluster: its centroid, rounded if the image holds integers.
        The alpha channel, if there is one, is not a part of it.
    centroids : (k, channels) array of float64
        The same without rounding.
    counts : (k,) array of int64
        The number of pixels in each cluster.
    shares : (k,) array of float64
        The same as parts of 1 of all pixels that take part.
    image : array of the shape and type of the image
        The segmented image: every pixel in the color of its cluster. An alpha channel
        and fully transparent pixels are unchanged.
    inertia : float
        The sum of the squared distances of the pixels to their centroids, in the
        square of the image's unit (gray levels squared for uint8).
    n_iter : int
        The number of steps of the best start.
    stopped_by : str
        Why it stopped: "labels" (no label changed), "tol" (the centroids hardly
        moved), "max_iter" (out of steps) or "callback" (the callback said so).
    """

    labels: NDArray[np.signedinteger[Any]]
    palette: Array
    centroids: Floats
    counts: NDArray[np.int64]
    shares: Floats
    image: Array
    inertia: float
    n_iter: int
    stopped_by: str

    def __repr__(self) -> str:
        size = " x ".join(str(length) for length in self.image.shape)
        colors = checks.counted(len(self.palette), "color")
        return (
            f"<Segmentation of a {size} image of {self.image.dtype} into {colors}: "
            f"inertia {self.inertia:.6g}, "
            f"{describe_stop(self.n_iter, self.stopped_by)}>"
        )


def segment_image(
    image: ArrayLike,
    k: int,
    *,
    init: str | ArrayLike = "random",
    n_init: int | str = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
    coarse_start: bool = True,
) -> Array:
    """Paint an image in k colors, every pixel in that of its cluster.

    Takes what `cluster_image` takes, and returns the `image` of its answer.

    Parameters
    ----------
    image : (rows, columns) or (rows, columns, channels) array_like of real numbers
        The image, see `cluster_image`.
    k : int
        The number of clusters, from 1 to the number of pixels.
    init, n_init, max_iter, tol, rng, callback, coarse_start
        How to run, see `cluster_image`.

    Returns
    -------
    array of the shape and type of `image`
        The segmented image.

    Raises
    ------
    TypeError, ValueError
        As `cluster_image` does.

    Warns
    -----
    UserWarning
        If the image has fewer distinct colors than `k`; it then comes back as it is
        (a float image, but for rounding).

    Examples
    --------
    >>> from kmeans_np import sample_image, segment_image
    >>> image = sample_image()
    >>> image.shape, image.dtype
    ((375, 500, 3), dtype('uint8'))
    >>> segmented = segment_image(image, 4, rng=0)
    >>> segmented.shape, segmented.dtype
    ((375, 500, 3), dtype('uint8'))
    """
    return _cluster_image(
        image,
        k,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
        coarse_start=coarse_start,
    ).image


def cluster_image(
    image: ArrayLike,
    k: int,
    *,
    init: str | ArrayLike = "random",
    n_init: int | str = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
    coarse_start: bool = True,
) -> Segmentation:
    """Divide the pixels of an image into k clusters of similar color.

    Parameters
    ----------
    image : (rows, columns) or (rows, columns, channels) array_like of real numbers
        The image, of any real type and any unit, in any memory order; never written
        to. With 2 or 4 channels, the last is alpha: it is carried through, and pixels
        where it is 0 take no part. (A scene of four bands is not an image with alpha:
        pass ``scene.reshape(-1, 4)`` to `kmeans`.)
    k : int
        The number of clusters, from 1 to the number of pixels.
    init : "random", "k-means++" or (k, channels) array_like, default "random"
        Where the centroids start: at the colors of k random pixels, all different
        [1]_, at colors that are spread out [2]_, or at these, in the image's own unit,
        without alpha.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept.
        "auto" is 10 for random starts and 4 for "k-means++" where they are tried on a
        histogram (`coarse_start`); otherwise 10 for random starts among at most 10,000
        distinct colors (of uint8 images; pixels of others) and 1 for all else.
    max_iter : int, default 300
        The largest number of steps of a start.
    tol : float, default 1e-4
        Stop when the squared distances that the centroids moved in a step sum up to
        at most `tol` times the mean variance of the channels. With 0, go on until
        nothing changes any more.
    rng : None, int or numpy.random.Generator, optional
        Where the random numbers come from; all that `numpy.random.default_rng` takes.
        The same number gives the same result, to the last bit.
    callback : callable, optional
        Called with each `kmeans_np.Step` of each start. Its labels are those of what
        is clustered: the distinct colors of an 8-bit image, else the pixels. If it
        returns a true value, all ends there, with the best answer so far.
    coarse_start : bool, default True
        Whether the starts in a gray or RGB image of uint8 are chosen and tried on a
        histogram of its colors, where ten cost less than one on the image. The best
        goes on with all colors, until `tol` or `max_iter` stops it there; these are the
        steps that are counted and shown to `callback`. Given centroids always start
        where they are, and so do all in an image whose histogram is too small for `k`.

    Returns
    -------
    Segmentation
        Labels, palette, counts, shares, the segmented image, and more.

    Raises
    ------
    TypeError
        If `image` or `init` is not an array of real numbers.
    TypeError
        If `k`, `n_init` or `max_iter` is not an integer, or `tol` not a number.
    TypeError
        If `rng` is nothing that `numpy.random.default_rng` takes, `callback` is not
        callable, or `coarse_start` is not a bool.
    ValueError
        If `image` has not 2 or 3 axes, is empty or fully transparent, or holds NaN,
        infinity or numbers whose squares overflow in pixels that take part.
    ValueError
        If `k` is below 1 or above the number of pixels that take part.
    ValueError
        If `init` is an unknown word, or an array of another shape or not finite.
    ValueError
        If `n_init` or `max_iter` is below 1, or `n_init` above 1 with given
        centroids, or `tol` or `rng` is negative, or `tol` not finite.

    Warns
    -----
    UserWarning
        If the image has fewer distinct colors than `k`. There are then only as many
        clusters as colors.

    See Also
    --------
    segment_image : only the segmented image.
    kmeans : the same for any points.

    Notes
    -----
    Gray and RGB images of uint8 are clustered by their distinct colors, each weighted
    by its number of pixels [3]_. The answer is that of all the pixels.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.
    .. [3] M. E. Celebi, "Improving the performance of k-means for color quantization",
       Image and Vision Computing 29 (2011), 260-271.
       :doi:`10.1016/j.imavis.2010.10.002`

    Examples
    --------
    >>> from kmeans_np import cluster_image
    >>> image = [[0, 10, 200], [0, 10, 210]]
    >>> answer = cluster_image(image, 2, rng=0)
    >>> answer.palette
    array([  5, 205])
    >>> answer.counts
    array([4, 2])
    >>> answer.image
    array([[  5,   5, 205],
           [  5,   5, 205]])
    """
    return _cluster_image(
        image,
        k,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
        coarse_start=coarse_start,
    )


class Pixels(NamedTuple):
    """An image taken apart.

    Attributes
    ----------
    values : (n, channels) array of the image's type
        The pixels that take part, without alpha.
    visible : (rows, columns) array of bool, or None
        Which they are; None for all.
    has_alpha : bool
        Whether the last channel is alpha.
    """

    values: Array
    visible: NDArray[np.bool_] | None
    has_alpha: bool


def _cluster_image(value: ArrayLike, k: int, **how: Any) -> Segmentation:
    image = checks.image(value)
    pixels = flatten(image)
    n, channels = pixels.values.shape
    k = checks.n_clusters(k, n, "pixels")
    options = checks.options(k, channels, **how)
    colors, histograms, origin = None, None, np.zeros(channels)
    sweep: Sweep
    if image.dtype == np.uint8 and channels in (1, 3):
        colors = distinct_colors(pixels.values)
        sweep = _sweep_over(colors)
        if options.coarse_start and isinstance(options.init, str):
            histograms = _histograms(sweep, k)
    else:
        sweep, origin = sweep_over(pixels.values, checks.weights(None, n), k)
    result = cluster(
        sweep, k, options, origin, largest_first=True, histograms=histograms
    )
    centroids, counts = result.centroids, result.counts.astype(np.int64)
    warn_if_fewer(len(counts), k, "colors", stacklevel=3)
    labels = result.labels.astype(np.min_scalar_type(-len(counts)))
    if colors is not None:
        labels = look_up(labels, colors)
    palette = _round_to(centroids, image.dtype)
    painted, label_image = paint(image, pixels, palette, labels)
    return Segmentation(
        labels=label_image,
        palette=palette[:, 0] if image.ndim == 2 else palette,
        centroids=centroids,
        counts=counts,
        shares=counts / n,
        image=painted,
        inertia=result.inertia,
        n_iter=result.n_iter,
        stopped_by=result.stopped_by,
    )


def _sweep_over(colors: Colors) -> Sweep:
    many = colors.colors.shape[1] == 3 and len(colors.counts) > FEW_COLORS
    return (CellSweep if many else BlockedSweep)(colors.colors, colors.counts)


def _histograms(sweep: Sweep, k: int) -> tuple[Histogram, Histogram] | None:
    """Return a coarse and a fine histogram, or None if both are too small for k."""
    if isinstance(sweep, CellSweep):
        coarse, fine = (sweep.histogram(slices) for slices in (16, 32))
    else:
        # Few colors are their own histogram.
        coarse = fine = sweep.points.astype(np.float64), sweep.weights
    if len(fine[1]) < SOME_CELLS * k:
        return None
    return (coarse if len(coarse[1]) >= MANY_CELLS * k else fine), fine


def flatten(image: Array) -> Pixels:
    """Return the pixels of a checked image that take part, one a row.

    Raises ValueError if there are none, or if they are not finite.
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    has_alpha = channels in (2, 4)
    colors = image[..., :-1] if has_alpha else image
    visible = None
    if has_alpha:
        checks.finite_pixels(image[..., -1])
        visible = image[..., -1] > 0
    if visible is not None and visible.all():
        visible = None
    if visible is None:
        checks.finite_pixels(colors)
        values = colors.reshape(-1, channels - has_alpha)
    else:
        checks.some_visible(visible)
        checks.finite_pixels(np.where(visible[..., np.newaxis], colors, 0))
        values = colors[visible]
    return Pixels(values, visible, has_alpha)


def _round_to(values: Floats, dtype: np.dtype[Any]) -> Array:
    """Return values as `dtype`, rounded to the nearest if it holds integers.

    They are in its range, since they are means of such numbers.
    """
    return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)


def paint(
    image: Array, pixels: Pixels, palette: Array, labels: Array
) -> tuple[Array, Array]:
    """Paint every pixel with its palette entry, and reshape it and its label.

    Returns
    -------
    painted : array of the shape and type of `image`
        The segmented image.
    label_image : (rows, columns) array of the type of `labels`
        The labels, -1 where a pixel took no part.
    """
    colors = color_in(palette, labels)
    rows_columns = image.shape[:2]
    if not pixels.has_alpha:
        return colors.reshape(image.shape), labels.reshape(rows_columns)
    painted = np.array(image, order="C")
    if pixels.visible is None:
        painted[..., :-1] = colors.reshape(*rows_columns, -1)
        return painted, labels.reshape(rows_columns)
    painted[..., :-1][pixels.visible] = colors
    label_image = np.full(rows_columns, -1, labels.dtype)
    label_image[pixels.visible] = labels
    return painted, label_image
