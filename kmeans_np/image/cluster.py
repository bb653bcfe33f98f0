"""`segment_image` and `cluster_image`: an image in, the image in k colors out.

What this file adds: the whole task for images. Take the image apart, compare what is to
be compared, cluster it, and put everything together again. What it leaves out: files
(`kmeans_np.files`).

Nothing is scaled on the way. To divide all values by 255 would divide all distances by
255, and change neither which centroid is nearest nor when it stops, while whole gray
levels add up without any rounding.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.clustering import Clustering, fit, warn_if_fewer
from kmeans_np.image.features import Features, Points, compare
from kmeans_np.image.pixels import Pixels, take_apart
from kmeans_np.image.segmentation import Clusters, Segmentation, in_full, rounded
from kmeans_np.lloyd import Array


def segment_image(
    image: ArrayLike,
    k: int,
    *,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    channel_axis: int | None = -1,
    alpha: bool | str = "auto",
    color_space: str = "rgb",
    normalize: bool = False,
    position_weight: float = 0.0,
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
    image : (rows, columns[, channels]) or (planes, rows, columns[, channels]) array
        The image, see `cluster_image`.
    k : int
        The number of clusters, from 1 to the number of pixels that take part.
    mask, weights, channel_axis, alpha
        What takes part, see `cluster_image`.
    color_space, normalize, position_weight
        What is compared, see `cluster_image`.
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
        If the image has fewer distinct colors than `k`; it then comes back as it is.

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
    pixels = take_apart(image, mask, channel_axis, alpha)
    return _cluster(
        pixels,
        k,
        weights,
        checks.compared(color_space, normalize, position_weight),
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
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    channel_axis: int | None = -1,
    alpha: bool | str = "auto",
    color_space: str = "rgb",
    normalize: bool = False,
    position_weight: float = 0.0,
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
    image : (rows, columns[, channels]) or (planes, rows, columns[, channels]) array
        The image: array_like of bools, integers or floats of any unit, in any memory
        order; never written to. Two axes are gray. Three are an image with channels,
        of which there may be any number; four, a volume or a film with channels. For a
        gray volume say ``channel_axis=None``.
    k : int
        The number of clusters, from 1 to the number of pixels that take part.
    mask : (rows, columns) or (planes, rows, columns) array_like of bool, optional
        True (or a whole number other than 0) for the pixels that take part, such as a
        region of interest, or what has data: ``np.isfinite(image).all(axis=-1)``. The
        others come out unchanged, with the label -1. All when not given.
    weights : (rows, columns) or (planes, rows, columns) array_like, optional
        How many times each pixel counts, as if it were there so many times; once when
        not given. A pixel of weight 0 has no say, but gets a label and is painted.
    channel_axis : int or None, default -1
        Which axis has the channels; None if there are none.
    alpha : "auto" or bool, default "auto"
        Whether the last channel is alpha: it is then carried through, and pixels where
        it is 0 take no part. "auto" takes it for alpha if there are 2 channels or 4.
        For a scene with 2 or 4 bands say False.
    color_space : "rgb" or "lab", default "rgb"
        What is compared: the channels as they are; or, for an image in sRGB, their
        place in CIELAB [1]_ (D65), where equal distances look about equally large.
        White is the largest number of the type of an unsigned image, and 1 in floats.
    normalize : bool, default False
        Whether to bring each channel to a variance of 1 first, as bands of unlike
        scale need it.
    position_weight : float, default 0
        How much the place of a pixel counts beside its color, so that regions hold
        together: with 1, the longest side of the picture counts as much as the widest
        range of values of any one channel.
    init : "random", "k-means++" or (k, channels) array_like, default "random"
        Where the centroids start: at the colors of k random pixels, all different
        [2]_, at colors that are spread out [3]_ (which seldom overlooks a small cluster
        far from all others), or at these, in the image's own unit, without alpha; with
        `position_weight`, followed by row and column (plane, row and column), as in
        `Segmentation.centroids`.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept.
        "auto" is 10 for random starts and 4 for "k-means++" where they are tried on a
        histogram (`coarse_start`); otherwise 10 for random starts among at most 10,000
        points (distinct colors or pixels, see Notes) and 1 for all else.
    max_iter : int, default 300
        The largest number of steps of a start.
    tol : float, default 1e-4
        Stop when the squared distances that the centroids moved in a step sum up to
        at most `tol` times the mean variance of what is compared. With 0, go on until
        nothing changes any more.
    rng : None, int or numpy.random.Generator, optional
        Where the random numbers come from; all that `numpy.random.default_rng` takes.
        The same number gives the same result, to the last bit.
    callback : callable, optional
        Called with each `kmeans_np.Step` of each start. Its labels and centroids are
        those of what is compared: of distinct colors or pixels, see Notes. If it
        returns a true value, all ends there, with the best answer so far.
    coarse_start : bool, default True
        Whether the starts in an image of which up to 6 numbers are compared (channels
        and places) are chosen and tried on a histogram of these, where ten cost less
        than one on the image. The best goes on with all pixels, until `tol` or
        `max_iter` stops it there; these are the steps that are counted and shown to
        `callback`. Given centroids always start where they are, and so do all in an
        image whose histogram is too small for `k`.

    Returns
    -------
    Segmentation
        Labels, palette, counts, shares, the segmented image, and more.

    Raises
    ------
    TypeError
        If `image`, `weights` or `init` is not an array of real numbers, or `mask` not
        one of bools or whole numbers.
    TypeError
        If `k`, `n_init` or `max_iter` is not an integer, `channel_axis` neither an
        integer nor None, or `tol` or `position_weight` not a number.
    TypeError
        If `rng` is nothing that `numpy.random.default_rng` takes, `callback` is not
        callable, `coarse_start` or `normalize` is not a bool, or `alpha` neither a
        bool nor "auto".
    ValueError
        If `image` has other axes, is empty or fully transparent, or holds NaN,
        infinity or numbers whose squares overflow in pixels that take part.
    ValueError
        If `mask` or `weights` has another shape, or leaves no pixel; or weights are
        negative or not finite.
    ValueError
        If `channel_axis` is not an axis of the image, `alpha` is True for fewer than 2
        channels, or `color_space` is unknown, or "lab" for anything but RGB.
    ValueError
        If `k` is below 1 or above the number of pixels that take part.
    ValueError
        If `init` is an unknown word, or an array of another shape or not finite.
    ValueError
        If `n_init` or `max_iter` is below 1, or `n_init` above 1 with given
        centroids, or `tol`, `position_weight` or `rng` is negative, or the first two
        not finite.

    Warns
    -----
    UserWarning
        If the image has fewer distinct colors than `k`. There are then only as many
        clusters as colors, and the image comes back as it is.

    See Also
    --------
    segment_image : only the segmented image.
    apply_palette : the clusters of a palette that is given.
    inertia_curve : the inertia for several k, to choose one.
    kmeans : the same for any points.

    Notes
    -----
    Images of integers are clustered by their distinct colors, each weighted by its
    number of pixels [4]_, unless most pixels have a color of their own or their place
    is compared. Images of floats are clustered by their pixels. The answer is the same.
    Colors nearer to each other than about 1e-160 count as equal.

    The memory needed besides the image is at most 24 bytes for each pixel of a photo of
    12 megapixels of uint8, and 120 for other images of up to 4 channels, whatever k is.

    References
    ----------
    .. [1] CIE 15:2004, "Colorimetry", section 8.2.1.
    .. [2] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [3] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.
    .. [4] M. E. Celebi, "Improving the performance of k-means for color quantization",
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
    pixels = take_apart(image, mask, channel_axis, alpha)
    return _cluster(
        pixels,
        k,
        weights,
        checks.compared(color_space, normalize, position_weight),
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
        coarse_start=coarse_start,
    )


def _cluster(
    pixels: Pixels, k: int, weights: Any, what: checks.Compared, **how: Any
) -> Segmentation:
    masses = checks.pixel_weights(weights, pixels.shape, pixels.part)
    n, channels = pixels.values.shape
    n = n if masses is None else int(np.count_nonzero(masses))
    k = checks.n_clusters(k, n, "pixels" if masses is None else "pixels with a weight")
    axes = len(pixels.shape) if what.position_weight else 0
    options = checks.options(k, channels + axes, **how)
    features, points = compare(pixels, masses, what)
    if not isinstance(options.init, str):
        init = features.of_centroids(options.init, channels, "init")
        options = options._replace(init=init)
    result = fit(
        points.points,
        points.weights,
        k,
        options,
        cells=points.cells,
        largest_first=True,
    )
    warn_if_fewer(len(result.counts), k, "colors", stacklevel=3)
    clusters = _clusters(result, features, points, k)
    return in_full(result, pixels, points, clusters)


def _clusters(
    result: Clustering, features: Features, points: Points, k: int
) -> Clusters:
    """Return the clusters found, with the palette to paint with."""
    channels = points.colors.shape[1]
    colors = features.centroids(result.centroids, channels)[:, :channels]
    if len(colors) < k:
        # Each color is a cluster; so the image comes back to the last bit.
        counting = np.flatnonzero(points.weights > 0)
        _, first = np.unique(result.labels[counting], return_index=True)
        colors = points.colors[counting[first]]
    palette = rounded(colors, points.colors.dtype, features.white)
    return Clusters(features, result.centroids, palette)
