"""`inertia_curve`: how much each further cluster is worth."""

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

    Drawn over k, it falls steeply at first, and from some k on, the elbow, hardly any
    more [1]_: further clusters only divide what belongs together.

    Parameters
    ----------
    image_or_points : (n, d), or (..., rows, columns, channels) array_like of numbers
        Points, one a row, as `kmeans` takes them; or an image, as `cluster_image` takes
        it. `kind` says which.
    ks : (m,) array_like of int
        The numbers of clusters, in any order.
    kind : "auto", "image" or "points", default "auto"
        Whether it is an image, of which 2 axes are gray, or points. With "auto", 3 and
        more axes are an image, and so is all with ``channel_axis=None``. An array of 2
        axes is taken for points if it has more rows than columns and at most 16
        columns; otherwise it is refused, since it might be a gray image.
    weights : array_like of real numbers, optional
        How many times each pixel or point counts; once when not given.
    normalize : bool, default False
        Whether to bring each channel or feature to a variance of 1 first.
    mask, channel_axis, alpha, color_space, position_weight, color_profile
        What takes part of an image and what is compared, see `cluster_image`.
    init : "k-means++", "random" or "optimal", default "k-means++"
        How starts anew are made. "optimal", for one feature, gives the least inertia
        that there is for each k.
    max_iter, tol, rng
        How to run for each k, see `cluster_image`.
    callback : callable, optional
        Called with each `kmeans_np.Step`, for one k after the other, from the smallest
        on. If it returns a true value, all ends there; the inertia for what was not
        begun is NaN.

    Returns
    -------
    (m,) array of float64
        The inertia for each of `ks`, as `Segmentation` and `Clustering` have it. It
        never rises with k: unless starts anew (by `init` [2]_, on a histogram) lead
        to less, a run goes on from the centroids of the one before, and others spread
        out among the points.

    Raises
    ------
    TypeError
        If `ks` is not an array of integers, or another argument not of its type.
    ValueError
        If `ks` is empty, or one of them below 1 or above the number of pixels or
        points; or another argument is not as `cluster_image` wants it.
    ValueError
        If an array of 2 axes may be an image or points and `kind` does not say which,
        or what only images have is given for points.

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
    warn_if_fewer(len(results[-1].counts), tried[-1], "colors or points")
    # It does not rise but by rounding.
    found = np.full(len(rising), np.nan)
    inertias = [result.inertia for result in results]
    found[: len(tried)] = np.minimum.accumulate(inertias)
    values: Floats = found[np.searchsorted(rising, numbers)]
    return values


def _points(points: Any, weights: Any) -> tuple[Rows, int]:
    """Return points as rows, and how many have a weight."""
    outside = is_sliced(points)
    array: Any = check_outside(points) if outside else checks.points(points)
    weights, n = checked_weights(weights, array)
    return as_rows(array, weights) if outside else MemoryRows(array, weights), n
