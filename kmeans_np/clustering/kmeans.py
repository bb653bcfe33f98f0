"""`kmeans`: points in, clusters out."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.arrays import (
    as_rows,
    concatenate_blocks,
    in_memory,
    is_sliced,
)
from kmeans_np.clustering.choose_sweep import use_tree_sums
from kmeans_np.clustering.data import Data, PointsInMemory
from kmeans_np.clustering.fitting import Clustering, fit, warn_if_fewer
from kmeans_np.clustering.outside import check_outside, checked_weights
from kmeans_np.clustering.partitioned import PartitionedPoints
from kmeans_np.lloyd import Weights
from kmeans_np.sweeps.partitioned import label_rows


def kmeans(
    points: ArrayLike,
    k: int,
    *,
    weights: Weights = None,
    init: str | ArrayLike = "random",
    n_init: int | str = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
) -> Clustering:
    """Divide points into k clusters, each around the mean of its points.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points, one per row, of any real type and memory order, between -1e100 and
        1e100 (integers: within 2**53). They are never modified. Points outside of
        memory may be a memory map or another array with a shape, a dtype and slices
        (Zarr, h5py, Dask), or blocks of points, (m, d) each: a list of such arrays, or
        an iterable that yields them again each time it is iterated over.
    k : int
        The number of clusters, from 1 to the number of points (with a positive weight).
    weights : (n,) array_like of real numbers, optional
        How many times each point counts: 0, or between 1e-100 and 1e100; by default,
        once. A point of weight 3 counts like three equal points; a point of weight 0
        does not influence the clusters, but gets a label. If the points are outside of
        memory, the weights may be, too.
    init : str or (k, d) array_like of real numbers, default "random"
        Where the centroids start:

        - "random": at k distinct points drawn at random [1]_;
        - "k-means++": at points that are spread out [2]_. Outside of memory, more than
          10,000 distinct points are spread out in a few passes by k-means|| [3]_;
        - "optimal": at the best centroids of all [4]_, for points with one feature. The
          loop only confirms them, and `tol` is not used. Outside of memory, there may
          be at most 10,000 distinct points;
        - an array: at these centroids, in the unit of the points.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept. "auto"
        is 10 for random starts among at most 10,000 distinct points, and 1 otherwise.
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
        Called with each `kmeans_np.Step` of each start. If it returns a true value, the
        run ends with the best result so far. For points outside of memory, its labels
        are computed when they are read.

    Returns
    -------
    Clustering
        Labels, centroids, counts, inertia, number of steps, and why the run stopped.
        The labels are those of the nearest of these centroids, even if the run was cut
        short. No cluster is empty. For points outside of memory, the labels are
        computed when they are read (for a Dask array, by Dask).

    Raises
    ------
    TypeError
        - If `points`, `weights` or `init` is not an array of real numbers, or `points`
          can be iterated over only once, as a generator.
        - If `k`, `n_init` or `max_iter` is not an integer, or `tol` not a number.
        - If `rng` is nothing that `numpy.random.default_rng` accepts, or `callback` is
          not callable.
    ValueError
        - If `points` does not have two axes, is empty, has NaN, infinity or numbers
          whose squares overflow, has blocks of different types or numbers of features,
          or is a Dask array of unknown shape.
        - If `weights` has another length than `points`, or is negative, not finite, out
          of range, or 0 everywhere.
        - If `k` is below 1 or above the number of points (with a positive weight).
        - If `init` is an unknown name, or an array of another shape or not finite; or
          is "optimal" for several features, or for more than 10,000 distinct points
          outside of memory.
        - If `n_init` or `max_iter` is below 1, or `n_init` is above 1 with given or
          optimal centroids.
        - If `tol` is negative or not finite, or `rng` is negative.
    OSError
        If points outside of memory cannot be read; the message says where.

    Warns
    -----
    UserWarning
        If there are fewer distinct points than `k`. There are then only as many
        clusters as distinct points.

    See Also
    --------
    lloyd : the same step by step, from given centroids.
    segment_image : the same for the pixels of an image.

    Notes
    -----
    A cluster that loses all its points restarts at the point that is farthest from its
    centroid. Points closer to each other than about 1e-160 count as equal.

    Starts are drawn from the distinct points in order of their values. So they do not
    depend on the order of the points, on their type and unit, or on whether points are
    repeated or have weights.

    Points outside of memory are read a block at a time, once per step; a Dask array is
    read by its workers, on any scheduler. From random or given starts, the result
    equals that of the same points in memory, to the last bit, for any chunks and any
    number of workers; so does "k-means++" among at most 10,000 distinct points.

    For points in memory, the additional memory needed is about 60 + 4 d bytes per
    point, for any k, and a copy in float64 if a column is far from 0 relative to its
    range.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.
    .. [3] B. Bahmani, B. Moseley, A. Vattani, R. Kumar and S. Vassilvitskii, "Scalable
       k-means++", Proceedings of the VLDB Endowment 5 (2012), 622-633.
       :doi:`10.14778/2180912.2180915`
    .. [4] H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one
       dimension by dynamic programming", The R Journal 3 (2011), 29-33.

    Examples
    --------
    >>> from kmeans_np import kmeans
    >>> points = [[1.0, 1.0], [1.0, 2.0], [8.0, 8.0], [9.0, 8.0]]
    >>> result = kmeans(points, 2, rng=0)
    >>> result.inertia
    1.0
    >>> result.counts
    array([2., 2.])
    >>> sorted(result.centroids.tolist())
    [[1.0, 1.5], [8.5, 8.0]]
    """
    points = concatenate_blocks(points)
    outside = is_sliced(points)
    array: Any = check_outside(points) if outside else checks.points(points)
    n, d = array.shape
    weights, n_counting = checked_weights(weights, array)
    noun = "points" if weights is None else "points with a weight"
    k = checks.n_clusters(k, n_counting, noun)
    options = checks.options(
        k,
        d,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        rng=rng,
        callback=callback,
    )
    if outside and use_tree_sums(n_counting, d, k):
        data: Data = PartitionedPoints(as_rows(array, weights))
        result = fit(data, k, options)
        labels: Any = result.labels
        # Of all points, including those of weight 0.
        args = labels.centroids, labels.shift
        labels = as_rows(array).each(label_rows, np.int32, *args)
    else:
        if outside:
            array = checks.points(in_memory(array, "points"))
        data = PointsInMemory(
            array, checks.weights(in_memory(weights, "weights"), n), k
        )
        result = fit(data, k, options)
        labels = result.labels.astype(np.int32, copy=False)
    warn_if_fewer(len(result.centroids), k, "point")
    return replace(result, labels=labels)
