"""`inertia_curve`: the inertia for several numbers of clusters, to choose one."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.arrays import MemoryRows, Rows, as_rows, is_sliced, shape_only
from kmeans_np.clustering import check_outside, checked_weights, fit_path, warn_if_fewer
from kmeans_np.image.features import feature_spec
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import find_path, prepare_data
from kmeans_np.lloyd import Floats
from kmeans_np.seeding import SEEDINGS


def inertia_curve(
    image_or_points: ArrayLike,
    ks: ArrayLike,
    *,
    kind: str = "auto",
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    channel_axis: int | None = -1,
    alpha: bool | str = "auto",
    color_space: str = "rgb",
    normalize: bool = False,
    position_weight: float = 0.0,
    color_profile: bytes | None = None,
    init: str = "k-means++",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
) -> Floats:
    """Return the inertia for several numbers of clusters, to choose one.

    Plotted over k, the inertia falls steeply at first and hardly any more beyond some
    k, the elbow [1]_: further clusters only divide what belongs together.

    Parameters
    ----------
    image_or_points : (n, d) or image array_like of real numbers
        Points, one per row, as in `kmeans`; or an image, ([planes,] rows, columns[,
        channels]), as in `cluster_image`. `kind` decides between the two.
    ks : (m,) array_like of int
        The numbers of clusters, in any order, each from 1 to the number of pixels or
        points.
    kind : "auto", "image" or "points", default "auto"
        Whether the array is an image or points. An image with 2 axes is gray. With
        "auto", arrays of 3 or more axes are images, and so are all arrays with
        ``channel_axis=None``. An array of 2 axes is points if it has more rows than
        columns and at most 16 columns; otherwise an error is raised, since it might be
        a gray image.
    mask : ([planes,] rows, columns) array_like of bool or int, optional
        True (or nonzero) for the pixels to include; by default, all. Only for images.
    weights : (n,) or ([planes,] rows, columns) array_like of real numbers, optional
        How many times each point or pixel counts: 0, or between 1e-100 and 1e100; by
        default, once.
    channel_axis : int or None, default -1
        The axis of the channels; None if the image has no such axis. Only for images.
    alpha : bool, "auto" or "weights", default "auto"
        Whether the last channel is alpha, as in `cluster_image`. Only for images.
    color_space : "rgb", "lab" or "oklab", default "rgb"
        The space in which colors are compared, as in `cluster_image`. Only for images.
    normalize : bool, default False
        Whether to scale each channel or feature to a variance of 1 first.
    position_weight : float, default 0
        How much the position of a pixel counts relative to its color, from 0 to 1e6, as
        in `cluster_image`. Only for images.
    color_profile : bytes, optional
        The ICC profile of the image, as in `cluster_image`. Only for images.
    init : "k-means++", "random" or "optimal", default "k-means++"
        How new starts are chosen. "optimal", for one feature, gives the smallest
        possible inertia for each k.
    max_iter : int, default 300
        The maximum number of iterations per start.
    tol : float, default 1e-4
        Convergence tolerance, relative to the mean variance of the features, at least
        0, as in `cluster_image`.
    rng : None, int or numpy.random.Generator, optional
        The source of random numbers: anything that `numpy.random.default_rng` accepts.
    callback : callable, optional
        Called with each `kmeans_np.Step`, for one k after the other, from the smallest
        on. If it returns a true value, the runs end there, and the inertia for the k
        that were not begun is NaN.

    Returns
    -------
    (m,) array of float64
        The inertia for each of `ks`, as in `Segmentation` and `Clustering`. It never
        rises with k: each run continues from the centroids of the one before and
        further ones that are spread out, unless new starts (by `init` [2]_, on a
        histogram) give a smaller inertia.

    Raises
    ------
    TypeError
        If `ks` is not an array of integers, or another argument has a wrong type.
    ValueError
        - If `ks` is empty, or one of them is below 1 or above the number of pixels or
          points.
        - If an array of 2 axes may be an image or points, and `kind` does not say
          which.
        - If an argument that is only for images is given for points, or another
          argument has a wrong value, as in `cluster_image`.

    Warns
    -----
    UserWarning
        If there are fewer distinct colors or points than the largest of `ks`.

    References
    ----------
    .. [1] R. L. Thorndike, "Who belongs in the family?", Psychometrika 18 (1953),
       267-276. :doi:`10.1007/BF02289263`
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.

    Examples
    --------
    >>> from kmeans_np import inertia_curve
    >>> inertia_curve([[0.0], [2.0], [10.0], [12.0]], [1, 2, 4], rng=0).tolist()
    [104.0, 4.0, 0.0]
    """
    is_image = checks.image_or_points(
        shape_only(image_or_points, "image_or_points"),
        kind,
        mask,
        channel_axis,
        alpha,
        color_space,
        position_weight,
        color_profile,
    )
    numbers = checks.several_k(ks)
    spec = feature_spec(color_space, normalize, position_weight, color_profile)
    how = {"max_iter": max_iter, "tol": tol, "rng": rng, "callback": callback}
    how |= {"n_init": "auto", "coarse_start": True}
    how["init"], rising = checks.one_of(init, "init", SEEDINGS), sorted(set(numbers))
    if is_image:
        source = open_source(image_or_points, mask, weights, channel_axis, alpha)
        layout = source.layout
        d = spec.n_features(layout.channels, len(layout.shape))
        options = checks.options(1, d, **how)
        results = source.run(find_path, rising, spec, options)
    else:
        rows, n = _points(image_or_points, weights)
        options = checks.options(1, rows.shape[1], **how)
        noun = "points" if weights is None else "points with a weight"
        checks.largest_k(rising[-1], n, noun)
        data = prepare_data(rows, None, rising[-1], spec)
        results = fit_path(data, rising, options)
    tried = rising[: len(results)]
    warn_if_fewer(len(results[-1].counts), tried[-1], "color" if is_image else "point")
    # It rises only by rounding errors, which this removes.
    found = np.full(len(rising), np.nan)
    inertias = [result.inertia for result in results]
    found[: len(tried)] = np.minimum.accumulate(inertias)
    values: Floats = found[np.searchsorted(rising, numbers)]
    return values


def _points(points: Any, weights: Any) -> tuple[Rows, int]:
    """Return points as rows, and how many have a positive weight."""
    outside = is_sliced(points)
    array: Any = check_outside(points) if outside else checks.points(points)
    weights, n = checked_weights(weights, array)
    return as_rows(array, weights) if outside else MemoryRows(array, weights), n
