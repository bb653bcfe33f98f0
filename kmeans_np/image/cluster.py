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
    color_space, normalize, position_weight, color_profile
        What is compared, see `cluster_image`.
    init, n_init, max_iter, tol, rng, callback, coarse_start
        How to run, see `cluster_image`.
    out : array of the shape and type of `image`, optional
        Where the segmented image is written, block by block: an array, a memory map, or
        anything that takes slices, such as an array of Zarr or HDF5. It may be `image`
        itself. If the call fails while it is written, it holds a part of the answer.
    progress : callable, optional
        Called with a `Progress` after each block of an image that is read in blocks,
        and after each pass over one on Dask.

    Returns
    -------
    array of the shape and type of `image`
        The segmented image; `out`, if that is given. Of several images an iterator over
        the segmented images, each of which is painted when it is asked for.

    Raises
    ------
    TypeError, ValueError
        As `cluster_image` does.
    ValueError
        If `out` has another shape or type than `image`.

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
    image : (rows, columns[, channels]) or (planes, rows, columns[, channels]) array
        The image: array_like of bools, integers or floats of any unit, in any memory
        order; never written to. Two axes are gray. Three are an image with channels,
        of which there may be any number; four, a volume or a film with channels. For a
        gray volume say ``channel_axis=None``.

        A memory map, and whatever else has a shape, a type and slices but is no array
        of NumPy's, such as an array of Zarr or HDF5, is read in blocks (see Notes).

        A Dask array is counted and painted by Dask, and the answer lazy (see Notes).

        Or several images, which then get one palette: a list or tuple of such arrays or
        of names of files, or anything else to iterate over more than once.
    k : int
        The number of clusters, from 1 to the number of pixels that take part.
    mask : (rows, columns) or (planes, rows, columns) array_like of bool, optional
        True (or a whole number other than 0) for the pixels that take part, such as a
        region of interest, or what has data: ``np.isfinite(image).all(axis=-1)``. The
        others come out unchanged, with the label -1. All when not given.
    weights : (rows, columns) or (planes, rows, columns) array_like, optional
        How many times each pixel counts, as if it were there so many times; once when
        not given. A pixel of weight 0 has no say, but gets a label and is painted. Like
        `mask`, they may be a memory map, in Zarr or HDF5, or on Dask if `image` is
        outside of memory.
    channel_axis : int or None, default -1
        Which axis has the channels; None if there are none.
    alpha : "auto", "weights" or bool, default "auto"
        Whether the last channel is alpha: it is then carried through, and pixels where
        it is 0 take no part. "auto" takes it for alpha if there are 2 channels or 4.
        For a scene with 2 or 4 bands say False. With "weights", a pixel that is half
        transparent counts half: its opacity, from 0 to 1, is its weight (times
        `weights`, if there are any); if there are 1 or 3 channels, none is alpha.
    color_space : "rgb", "lab" or "oklab", default "rgb"
        What is compared: the channels as they are; or, for an image in sRGB or with a
        `color_profile`, their place in CIELAB [1]_ (D65) or Oklab [7]_, where equal
        distances look about equally large. White is the largest number of the type of
        an unsigned image, and 1 in floats.
    normalize : bool, default False
        Whether to bring each channel to a variance of 1 first, as bands of unlike
        scale need it.
    position_weight : float, default 0
        How much the place of a pixel counts beside its color, so that regions hold
        together: with 1, the longest side of the picture counts as much as the widest
        range of values of any one channel.
    color_profile : bytes, optional
        The image's ICC profile, as in `Metadata.color_profile`, for another color space
        than "rgb": what its numbers stand for, if that is not sRGB. One of tables,
        rather than of curves and a matrix, is not used, with a warning.
    init : "random", "k-means++", "optimal" or (k, channels) array_like
        Where the centroids start: at the colors of k random pixels, all different
        [2]_, the default; at colors that are spread out [3]_, which seldom overlooks a
        rare one, and is better for logos, charts and screenshots; for one channel,
        where they are best of all [6]_, which the loop only confirms (`tol` is not used
        then, and outside of memory there may be at most 10,000 levels); or at these, in
        the image's own unit, without alpha; with `position_weight`, followed by row and
        column (plane, row and column), as in `Segmentation.centroids`.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept.
        "auto" is up to 10 for random starts and 4 for "k-means++" where they are tried
        on a histogram (`coarse_start`), as many as are worth it; otherwise 10 for
        random starts among at most 10,000 distinct points (of what is compared) and 1
        for all else.
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
        returns a true value, all ends there, with the best answer so far. Labels of
        pixels that are compared in blocks are computed when they are read.
    coarse_start : bool, default True
        Whether the starts in an image of which up to 6 numbers are compared (channels
        and places) are chosen and tried on a histogram of these, where ten cost less
        than one on the image. The best goes on with all pixels, until `tol` or
        `max_iter` stops it there; these are the steps that are counted and shown to
        `callback`. Given centroids always start where they are, and so do all in an
        image whose histogram is too small for `k`, or too large: where to try a start
        on it would take about as long as a run on all pixels.
    progress : callable, optional
        Called with a `Progress` after each block of an image that is read in blocks,
        and after each pass over one on Dask.

    Returns
    -------
    Segmentation
        Labels, palette, counts, shares, the segmented image, and more. Of several
        images a `Batch`, which also has the `Segmentation` of each.

    Raises
    ------
    TypeError
        If `image`, `weights` or `init` is not an array of real numbers, or `mask` not
        one of bools or whole numbers.
    TypeError
        If `k`, `n_init` or `max_iter` is not an integer, `channel_axis` neither an
        integer nor None, or `tol` or `position_weight` not a number.
    TypeError
        If `rng` is nothing that `numpy.random.default_rng` takes, `callback` or
        `progress` is not callable, `coarse_start` or `normalize` is not a bool,
        `alpha` neither a bool nor "auto" nor "weights", or `color_profile` not bytes.
    ValueError
        If `image` has other axes, is empty or fully transparent, or holds NaN,
        infinity or numbers whose squares overflow in pixels that take part.
    ValueError
        If `mask` or `weights` has another shape, or leaves no pixel; or weights are
        negative or not finite.
    ValueError
        If `channel_axis` is not an axis of the image, `alpha` is True for fewer than 2
        channels, or `color_space` is unknown, or not "rgb" for anything but RGB; or
        with ``alpha="weights"``, alpha is neither unsigned nor from 0 to 1.
    ValueError
        If `k` is below 1 or above the number of pixels that take part.
    ValueError
        If `init` is an unknown word, or an array of another shape or not finite; or
        "optimal" for several channels, for places, or for more than 10,000 levels of an
        image outside of memory.
    ValueError
        If `n_init` or `max_iter` is below 1, or `n_init` above 1 with given or optimal
        centroids, or `tol`, `position_weight` or `rng` is negative, or the first two
        not finite.
    TypeError
        If `image` can be iterated over only once, as a generator.
    ValueError
        If there is no image among several, or one is of another kind than the first, or
        there is a `mask`, `weights` or a `position_weight` for them.
    FileNotFoundError, PermissionError, OSError
        If an image is the name of a file that is not there or cannot be read.

    Warns
    -----
    UserWarning
        If the image has fewer distinct colors than `k`. There are then only as many
        clusters as colors, and the image comes back as it is.
    UserWarning
        If `color_profile` cannot be used.

    See Also
    --------
    segment_image : only the segmented image.
    apply_palette : the clusters of a palette that is given.
    inertia_curve : the inertia for several k, to choose one.
    kmeans : the same for any points.

    Notes
    -----
    Starts are drawn among the distinct colors in the order of their values. So the
    same image in 8 or 16 bits, in floats of any unit, in memory, in blocks or on Dask
    has the same starts with the same `rng`, and the same labels; but for pixels that
    are exactly as near to one centroid as to another, which rounding tells apart (in
    float32 more than in float64), and but for "k-means++" in blocks, as said below.

    Images of integers are clustered by their distinct colors, each weighted by its
    number of pixels [4]_, unless most pixels have a color of their own or their place
    is compared. Images of floats are clustered by their pixels. The answer is the same.
    Colors nearer to each other than about 1e-160 count as equal.

    An image that is read in blocks is counted in one pass, and `Segmentation.labels`
    and `Segmentation.image` are computed when they are read, a slice or all of them.
    The answer is that of the same image in memory, to the last bit, and the memory
    needed does not grow with the image: it stays below a gigabyte. That is so for
    integers whose channels side by side take at most 64 bits, of which on average two
    pixels are equal, and at most 8.4 million are different (of 8-bit RGB, any number).
    All others (floats, many bands) are compared pixel by pixel, in a pass for each
    step, and three times before the first (once more for alpha, and where colors were
    counted in vain); among more than 10,000 distinct colors, k-means++ is k-means||
    then [5]_, if no histogram is used.

    For a Dask array, `segment_image` returns a Dask array of the same chunks, of which
    nothing is computed before somebody asks for it; `cluster_image` finds the clusters
    at once, and `labels` and `image` are Dask arrays. Each chunk counts its colors,
    counts are merged in a tree, and the centroids go back to the chunks, on whatever
    scheduler is yours; the answer is that of the array in memory, to the last bit. All
    passes are computed where the chunks are, by the task that finds the clusters, which
    is also where a `callback` of a lazy answer is called.

    The memory needed besides an image in memory is at most 24 bytes for each pixel of a
    photo of 12 megapixels of uint8, and 120 for other images of up to 4 channels,
    whatever k is.

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
    """Check all that can be refused before any pixel is read."""
    if not is_batch(image):
        source = open_source(image, *where, in_blocks=in_blocks)
        return source, make_plan(source, k, *compared, **options)
    several = SeveralImages(image, *where)
    plan = make_plan(several, k, *compared, **options)
    refuse_for_several(position_weight=plan.spec.position_weight > 0)
    return several, plan


def _check_out(out: Any, image: Any) -> None:
    """Refuse an array to write to that does not fit the image."""
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
