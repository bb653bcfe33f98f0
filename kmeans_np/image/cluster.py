"""`segment_image` and `cluster_image`: an image in, the image in k colors out."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.arrays import Report, is_dask, shape_only
from kmeans_np.image.batch import Batch, SeveralImages, is_batch, refuse_for_several
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import Plan, find_clusters, make_plan
from kmeans_np.image.segmentation import Segmentation, build_segmentation
from kmeans_np.image.source import Source


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
    color_profile: bytes | None = None,
    init: str | ArrayLike = "random",
    n_init: int | str = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
    coarse_start: bool = True,
    out: Any = None,
    progress: Report | None = None,
) -> Any:
    """Segment an image: paint every pixel in the color of its cluster, one of k.

    The same as the `image` of the result of `cluster_image`.

    Parameters
    ----------
    image : ([planes,] rows, columns[, channels]) array_like of real numbers
        The image: bools, integers or floats, in any unit and memory order. It is never
        modified. Two axes are a gray image; three, an image with any number of
        channels; four, a volume or a film with channels. For a gray volume, pass
        ``channel_axis=None``.

        Memory maps, and other objects with a shape, a dtype and slices that are not
        NumPy arrays, such as Zarr or HDF5 arrays, are read in blocks. Dask arrays are
        counted and painted by Dask, and the result is lazy. See the Notes of
        `cluster_image`.

        Several images get one common palette: pass a list or tuple of such arrays or of
        file names, or another iterable that can be iterated over more than once.
    k : int
        The number of clusters, from 1 to the number of included pixels (with a positive
        weight).
    mask : ([planes,] rows, columns) array_like of bool or int, optional
        True (or nonzero) for the pixels to include, such as a region of interest, or
        the pixels that have data: ``np.isfinite(image).all(axis=-1)``. Excluded pixels
        are left unchanged. By default, all pixels are included.
    weights : ([planes,] rows, columns) array_like of real numbers, optional
        How many times each pixel counts: 0, or between 1e-100 and 1e100; by default,
        once. A pixel of weight 0 does not influence the clusters, but is labeled and
        painted. If `image` is outside of memory, `weights` and `mask` may be, too: as
        memory maps, Zarr or HDF5 arrays, or Dask arrays.
    channel_axis : int or None, default -1
        The axis of the channels; None if the image has no such axis.
    alpha : bool, "auto" or "weights", default "auto"
        Whether the last channel is alpha. If so, it is left unchanged, and pixels where
        it is 0 are excluded.

        - "auto": images with 2 or 4 channels have alpha. For a scene with 2 or 4 bands,
          pass False to treat the last channel as data.
        - "weights": images with 2, 4 or more channels have alpha, and the weight of a
          pixel is its opacity, from 0 to 1 (times `weights`, if given).
    color_space : "rgb", "lab" or "oklab", default "rgb"
        The space in which colors are compared. "rgb" compares the channels as they are.
        "lab" (CIELAB [1]_, D65) and "oklab" [5]_, where equal distances look about
        equally large, need an image in sRGB or a `color_profile`. White is the largest
        number of an unsigned type, and 1 for floats.
    normalize : bool, default False
        Whether to scale each channel to a variance of 1 first, for bands of different
        scale.
    position_weight : float, default 0
        How much the position of a pixel counts relative to its color, from 0 to 1e6;
        above 0, regions are more compact. With 1, the longest side of the image counts
        as much as the widest range of values of any channel.
    color_profile : bytes, optional
        The ICC profile of the image, as in `Metadata.color_profile`, for an image that
        is not in sRGB. It is used if `color_space` is not "rgb". A profile that
        consists of tables, not of curves and a matrix, is ignored with a warning.
    init : str or (k, channels) array_like of real numbers, default "random"
        Where the centroids start:

        - "random": at k distinct colors drawn at random [2]_;
        - "k-means++": at colors that are spread out [3]_, which seldom misses a rare
          color; better for logos, charts and screenshots;
        - "optimal": at the best centroids of all [4]_, for images with one channel. The
          loop only confirms them, and `tol` is not used. Outside of memory, there may
          be at most 10,000 levels;
        - an array: at these centroids, in the unit of the image, without alpha; with
          `position_weight`, each followed by its row and column (plane, row and
          column), as in `Segmentation.centroids`.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept. "auto"
        tries up to 10 random starts, or up to 4 of "k-means++", on a histogram (see
        `coarse_start`), as many as pay off. Without a histogram, it is 10 for random
        starts among at most 10,000 distinct points (features of the pixels), and 1
        otherwise.
    max_iter : int, default 300
        The maximum number of iterations per start.
    tol : float, default 1e-4
        Convergence tolerance, relative to the mean variance of the features, at least
        0. A run stops when the squared distances that the centroids moved in a step sum
        up to at most `tol` times that variance; with 0, when nothing changes any more.
    rng : None, int or numpy.random.Generator, optional
        The source of random numbers: anything that `numpy.random.default_rng` accepts.
        The same int gives the same result, to the last bit.
    callback : callable, optional
        Called with each `kmeans_np.Step` of each start. Its labels and centroids are
        those of the features: of distinct colors or of pixels (see the Notes of
        `cluster_image`). If it returns a true value, the run ends with the best result
        so far. For pixels that are processed in blocks, the labels are computed when
        they are read.
    coarse_start : bool, default True
        Whether to choose and try the starts on a histogram of the features, where ten
        starts cost less than one on the image. The best start then runs on all pixels,
        until `tol` or `max_iter` stops it; only these steps are counted and passed to
        `callback`. A histogram is used for up to 6 features (channels and coordinates
        of the position), unless it is too small for `k`, or so large that trying a
        start on it would take about as long as a run on all pixels. Given centroids
        always start as they are.
    out : array with the shape and dtype of `image`, optional
        Where to write the segmented image, block by block: an array, a memory map, or
        another object that can be assigned slices, such as a Zarr or HDF5 array. It may
        be `image` itself. If the call fails while writing, `out` holds a part of the
        result.
    progress : callable, optional
        Called with a `Progress` after each block of an image that is read in blocks,
        and after each pass over an image on Dask.

    Returns
    -------
    array with the shape and dtype of `image`
        The segmented image, or `out` if that is given. For several images, an iterator
        over the segmented images, each of which is painted when it is requested.

    Raises
    ------
    TypeError
        If an argument has a wrong type, as in `cluster_image`.
    ValueError
        If an argument has a wrong value, as in `cluster_image`, or `out` has another
        shape or dtype than `image`, cannot be written to, or is given for several
        images.
    FileNotFoundError
        If an image is the name of a file that does not exist.
    PermissionError
        If an image is the name of a file that may not be read.
    OSError
        If an image cannot be read.

    Warns
    -----
    UserWarning
        If the image has fewer distinct colors than `k`, so that it is returned
        unchanged; or if `color_profile` cannot be used.

    See Also
    --------
    cluster_image : labels, palette and more.

    References
    ----------
    .. [1] CIE 15:2004, "Colorimetry", section 8.2.1.
    .. [2] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [3] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.
    .. [4] H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one
       dimension by dynamic programming", The R Journal 3 (2011), 29-33.
    .. [5] B. Ottosson, "A perceptual color space for image processing" (2020).
       https://bottosson.github.io/posts/oklab/

    Examples
    --------
    >>> from kmeans_np import sample_image, segment_image
    >>> image = sample_image()
    >>> image.shape, image.dtype
    ((375, 500, 3), dtype('uint8'))
    >>> segmented = segment_image(image, 4, rng=0)
    >>> segmented.shape, segmented.dtype
    ((375, 500, 3), dtype('uint8'))

    An image larger than memory, from file to file:

    >>> import numpy as np
    >>> source = np.load("scene.npy", mmap_mode="r")  # doctest: +SKIP
    >>> target = np.lib.format.open_memmap(
    ...     "segmented.npy", "w+", source.dtype, source.shape
    ... )  # doctest: +SKIP
    >>> segment_image(source, 8, out=target)  # doctest: +SKIP
    """
    _check_out(out, image)
    source, plan = _prepare(
        image,
        k,
        (mask, weights, channel_axis, alpha, progress),
        (color_space, normalize, position_weight, color_profile),
        in_blocks=out is not None,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
        coarse_start=coarse_start,
    )
    if out is None:
        return source.paint_image(source.later(find_clusters, plan))
    source.write(source.run(find_clusters, plan), out)
    return out


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
    color_profile: bytes | None = None,
    init: str | ArrayLike = "random",
    n_init: int | str = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
    coarse_start: bool = True,
    progress: Report | None = None,
) -> Segmentation:
    """Divide the pixels of an image into k clusters of similar color.

    Parameters
    ----------
    image : ([planes,] rows, columns[, channels]) array_like of real numbers
        The image: bools, integers or floats, in any unit and memory order. It is never
        modified. Two axes are a gray image; three, an image with any number of
        channels; four, a volume or a film with channels. For a gray volume, pass
        ``channel_axis=None``.

        Memory maps, and other objects with a shape, a dtype and slices that are not
        NumPy arrays, such as Zarr or HDF5 arrays, are read in blocks. Dask arrays are
        counted and painted by Dask, and the result is lazy. See the Notes.

        Several images get one common palette: pass a list or tuple of such arrays or of
        file names, or another iterable that can be iterated over more than once.
    k : int
        The number of clusters, from 1 to the number of included pixels (with a positive
        weight).
    mask : ([planes,] rows, columns) array_like of bool or int, optional
        True (or nonzero) for the pixels to include, such as a region of interest, or
        the pixels that have data: ``np.isfinite(image).all(axis=-1)``. Excluded pixels
        are left unchanged and have the label -1. By default, all pixels are included.
    weights : ([planes,] rows, columns) array_like of real numbers, optional
        How many times each pixel counts: 0, or between 1e-100 and 1e100; by default,
        once. A pixel of weight 0 does not influence the clusters, but is labeled and
        painted. If `image` is outside of memory, `weights` and `mask` may be, too: as
        memory maps, Zarr or HDF5 arrays, or Dask arrays.
    channel_axis : int or None, default -1
        The axis of the channels; None if the image has no such axis.
    alpha : bool, "auto" or "weights", default "auto"
        Whether the last channel is alpha. If so, it is left unchanged, and pixels where
        it is 0 are excluded.

        - "auto": images with 2 or 4 channels have alpha. For a scene with 2 or 4 bands,
          pass False to treat the last channel as data.
        - "weights": images with 2, 4 or more channels have alpha, and the weight of a
          pixel is its opacity, from 0 to 1 (times `weights`, if given).
    color_space : "rgb", "lab" or "oklab", default "rgb"
        The space in which colors are compared. "rgb" compares the channels as they are.
        "lab" (CIELAB [1]_, D65) and "oklab" [7]_, where equal distances look about
        equally large, need an image in sRGB or a `color_profile`. White is the largest
        number of an unsigned type, and 1 for floats.
    normalize : bool, default False
        Whether to scale each channel to a variance of 1 first, for bands of different
        scale.
    position_weight : float, default 0
        How much the position of a pixel counts relative to its color, from 0 to 1e6;
        above 0, regions are more compact. With 1, the longest side of the image counts
        as much as the widest range of values of any channel.
    color_profile : bytes, optional
        The ICC profile of the image, as in `Metadata.color_profile`, for an image that
        is not in sRGB. It is used if `color_space` is not "rgb". A profile that
        consists of tables, not of curves and a matrix, is ignored with a warning.
    init : str or (k, channels) array_like of real numbers, default "random"
        Where the centroids start:

        - "random": at k distinct colors drawn at random [2]_;
        - "k-means++": at colors that are spread out [3]_, which seldom misses a rare
          color; better for logos, charts and screenshots;
        - "optimal": at the best centroids of all [6]_, for images with one channel. The
          loop only confirms them, and `tol` is not used. Outside of memory, there may
          be at most 10,000 levels;
        - an array: at these centroids, in the unit of the image, without alpha; with
          `position_weight`, each followed by its row and column (plane, row and
          column), as in `Segmentation.centroids`.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept. "auto"
        tries up to 10 random starts, or up to 4 of "k-means++", on a histogram (see
        `coarse_start`), as many as pay off. Without a histogram, it is 10 for random
        starts among at most 10,000 distinct points (features of the pixels), and 1
        otherwise.
    max_iter : int, default 300
        The maximum number of iterations per start.
    tol : float, default 1e-4
        Convergence tolerance, relative to the mean variance of the features, at least
        0. A run stops when the squared distances that the centroids moved in a step sum
        up to at most `tol` times that variance; with 0, when nothing changes any more.
    rng : None, int or numpy.random.Generator, optional
        The source of random numbers: anything that `numpy.random.default_rng` accepts.
        The same int gives the same result, to the last bit.
    callback : callable, optional
        Called with each `kmeans_np.Step` of each start. Its labels and centroids are
        those of the features: of distinct colors or of pixels (see the Notes). If it
        returns a true value, the run ends with the best result so far. For pixels that
        are processed in blocks, the labels are computed when they are read.
    coarse_start : bool, default True
        Whether to choose and try the starts on a histogram of the features, where ten
        starts cost less than one on the image. The best start then runs on all pixels,
        until `tol` or `max_iter` stops it; only these steps are counted and passed to
        `callback`. A histogram is used for up to 6 features (channels and coordinates
        of the position), unless it is too small for `k`, or so large that trying a
        start on it would take about as long as a run on all pixels. Given centroids
        always start as they are.
    progress : callable, optional
        Called with a `Progress` after each block of an image that is read in blocks,
        and after each pass over an image on Dask.

    Returns
    -------
    Segmentation
        Labels, palette, counts, shares, the segmented image, and more. For several
        images, a `Batch`, which also has the `Segmentation` of each.

    Raises
    ------
    TypeError
        - If `image`, `weights` or `init` is not an array of real numbers, or `mask` not
          an array of bools or integers.
        - If `image` can be iterated over only once, as a generator.
        - If `k`, `n_init` or `max_iter` is not an integer, `channel_axis` neither an
          integer nor None, or `tol` or `position_weight` not a number.
        - If `normalize` or `coarse_start` is not a bool, `alpha` neither a bool nor
          "auto" nor "weights", or `color_profile` not bytes.
        - If `rng` is nothing that `numpy.random.default_rng` accepts, or `callback` or
          `progress` is not callable.
    ValueError
        - If `image` has an unsupported number of axes, is empty or fully transparent,
          or has NaN, infinity or numbers whose squares overflow in included pixels.
        - If `mask` or `weights` has another shape or leaves no pixel, or weights are
          negative, not finite or out of range.
        - If `channel_axis` is not an axis of the image; `alpha` is True for fewer than
          2 channels; or, with ``alpha="weights"``, alpha is neither unsigned nor from 0
          to 1.
        - If `color_space` is unknown, or is not "rgb" and the image is not RGB.
        - If `k` is below 1 or above the number of included pixels (with a positive
          weight).
        - If `init` is an unknown name, or an array of another shape or not finite; or
          is "optimal" for several channels, with `position_weight`, or for more than
          10,000 levels of an image outside of memory.
        - If `n_init` or `max_iter` is below 1, or `n_init` is above 1 with given or
          optimal centroids.
        - If `tol` or `position_weight` is negative or not finite, `position_weight` is
          above 1e6, or `rng` is negative.
        - If, of several images, there is none, or one is of another kind than the
          first; or if `mask`, `weights` or `position_weight` is given for several
          images.
    FileNotFoundError
        If an image is the name of a file that does not exist.
    PermissionError
        If an image is the name of a file that may not be read.
    OSError
        If an image cannot be read.

    Warns
    -----
    UserWarning
        If the image has fewer distinct colors than `k`: there are then only as many
        clusters as colors, and the segmented image equals the image; or if
        `color_profile` cannot be used.

    See Also
    --------
    segment_image : only the segmented image.
    apply_palette : the clusters of a given palette.
    inertia_curve : the inertia for several k, to choose one.
    kmeans : the same for any points.

    Notes
    -----
    Starts are drawn from the distinct colors in order of their values. So with the same
    `rng`, the same image has the same starts and labels in 8 or 16 bits, in floats of
    any unit, in memory, in blocks or on Dask. There are two exceptions: pixels exactly
    as near to one centroid as to another, where rounding decides (in float32 more often
    than in float64), and "k-means++" outside of memory, where it is k-means|| (see
    below).

    Images of integers are clustered by their distinct colors, each weighted by its
    number of pixels [4]_, unless most pixels have a color of their own, or
    `position_weight` is used. Images of floats are clustered by their pixels. The
    result is the same. Colors closer to each other than about 1e-160 count as equal.

    The colors of an image that is read in blocks are counted in one pass, and
    `Segmentation.labels` and `Segmentation.image` are computed when they are read, in
    slices or as a whole. The result equals that of the same image in memory, to the
    last bit. The memory needed does not grow with the image, and stays below a
    gigabyte. This holds for integers whose channels together take at most 64 bits, if
    there are at most half as many distinct colors as pixels, and at most 8.4 million of
    them; for 8-bit RGB, it holds for any number of colors. All other images (floats,
    many bands) are processed pixel by pixel, in one pass per step and three before the
    first step (one more for alpha, and one more if counting the colors was given up).
    For these, "k-means++" is k-means|| [5]_ if there are more than 10,000 distinct
    colors and no histogram is used.

    For a Dask array, `segment_image` returns a Dask array with the same chunks, and
    nothing is computed until it is requested; `cluster_image` finds the clusters at
    once, and `labels` and `image` are Dask arrays. Each chunk counts its colors, the
    counts are merged in a tree, and the centroids are sent back to the chunks, on any
    scheduler. The result equals that of the array in memory, to the last bit. All
    passes are computed where the chunks are, by the task that finds the clusters; that
    task also calls the `callback` of a lazy result.

    For an image in memory, the additional memory needed is at most 24 bytes per pixel
    for a photo of 12 megapixels of uint8, and 120 bytes per pixel for other images with
    up to 4 channels, for any k.

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
    .. [5] B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable
       k-means++", Proceedings of the VLDB Endowment 5 (2012), 622-633.
       :doi:`10.14778/2180912.2180915`
    .. [6] H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one
       dimension by dynamic programming", The R Journal 3 (2011), 29-33.
    .. [7] B. Ottosson, "A perceptual color space for image processing" (2020).
       https://bottosson.github.io/posts/oklab/

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
    source, plan = _prepare(
        image,
        k,
        (mask, weights, channel_axis, alpha, progress),
        (color_space, normalize, position_weight, color_profile),
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
        coarse_start=coarse_start,
    )
    found = source.run(find_clusters, plan)
    return build_segmentation(source, found, Batch if is_batch(image) else Segmentation)


def _prepare(
    image: Any,
    k: Any,
    where: tuple[Any, Any, Any, Any, Any],
    compared: tuple[Any, Any, Any, Any],
    in_blocks: bool = False,
    **options: Any,
) -> tuple[Source, Plan]:
    """Check everything that can be rejected before any pixel is read."""
    if not is_batch(image):
        source = open_source(image, *where, in_blocks=in_blocks)
        return source, make_plan(source, k, *compared, **options)
    several = SeveralImages(image, *where)
    plan = make_plan(several, k, *compared, **options)
    refuse_for_several(position_weight=plan.spec.position_weight > 0)
    return several, plan


def _check_out(out: Any, image: Any) -> None:
    """Reject an `out` that does not fit the image."""
    if out is None:
        return
    if is_batch(image):
        raise checks.ArgumentValueError(
            "out",
            "be left out for several images",
            type(out).__name__,
            "write each image as it comes",
        )
    if is_dask(out) or not getattr(getattr(out, "flags", None), "writeable", True):
        what = "a Dask array" if is_dask(out) else "a read-only one"
        remedy = "pass one in memory, a memory map or an array of Zarr or HDF5"
        raise checks.ArgumentValueError(
            "out", "be an array that can be written to", what, remedy
        )
    like = np.asarray(shape_only(image))
    for name in ("shape", "dtype"):
        wanted, got = getattr(like, name), getattr(out, name, None)
        if got != wanted:
            raise checks.ArgumentValueError(
                "out",
                f"have the {name} of the image, {wanted}",
                "none" if got is None else got,
                "make it like the image",
            )
