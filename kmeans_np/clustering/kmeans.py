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
        The points, one a row. Any real type and memory order; never written to. A
        memory map, or any other array with shape, type and slices (Zarr, h5py, Dask),
        may be larger than memory; so may blocks of points, (m, d) each: a list of such
        arrays, or anything that yields them anew each time it is iterated over.
    k : int
        The number of clusters, from 1 to n.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given. A point of weight 3 is
        that point three times, a point of weight 0 has no say (but gets a label). If
        the points are outside of memory, they may be, too, as what points may be.
    init : "random", "k-means++", "optimal" or (k, d) array_like, default "random"
        Where the centroids start: at k random distinct points [1]_; at points that
        are spread out [2]_; for one feature, where they are best of all [4]_, which the
        loop only confirms (`tol` is not used then); or at these places. Outside of
        memory, more than 10,000 distinct points are spread out in a few passes,
        k-means|| [3]_, and the best places are not known.
    n_init : int or "auto", default "auto"
        The number of starts, of which the one with the smallest inertia is kept.
        "auto" is 10 for random starts among at most 10,000 distinct points and 1
        otherwise.
    max_iter : int, default 300
        The largest number of steps of a start.
    tol : float, default 1e-4
        Stop when the squared distances that the centroids moved in a step sum up to
        at most `tol` times the mean variance of the features. With 0, go on until
        nothing changes any more.
    rng : None, int or numpy.random.Generator, optional
        Where the random numbers come from; all that `numpy.random.default_rng` takes.
        The same number gives the same result, to the last bit.
    callback : callable, optional
        Called with each `kmeans_np.Step` of each start. If it returns a true value,
        all ends there, with the best answer so far. Of points outside of memory, the
        labels in it are computed when they are read.

    Returns
    -------
    Clustering
        Labels, centroids, counts, inertia, number of steps, and why it stopped.
        The labels are those of the nearest of these centroids, also when the run was
        cut short. No cluster is empty. Of points outside of memory, the labels are
        computed when they are read (of a Dask array, by Dask).

    Raises
    ------
    TypeError
        If `points`, `weights` or `init` is not an array of real numbers, or `points`
        can be iterated over only once, as a generator.
    TypeError
        If `k`, `n_init` or `max_iter` is not an integer, or `tol` not a number.
    TypeError
        If `rng` is nothing that `numpy.random.default_rng` takes, or `callback` is
        not callable.
    ValueError
        If `points` has not two axes, is empty, or holds NaN, infinity or numbers
        whose squares overflow, or blocks of different types or numbers of features.
    ValueError
        If `weights` has another length than `points`, is negative, not finite, or 0
        everywhere.
    ValueError
        If `k` is below 1 or above the number of points (with a positive weight).
    ValueError
        If the shape of a Dask array is not known.
    ValueError
        If `init` is an unknown word, or an array of another shape or not finite.
    ValueError
        If `n_init` or `max_iter` is below 1, or `n_init` above 1 with given
        centroids, or `tol` or `rng` is negative, or `tol` not finite.
    OSError
        If points outside of memory cannot be read; the message says where.

    Warns
    -----
    UserWarning
        If there are fewer distinct points than `k`. There are then only as many
        clusters as distinct points.

    See Also
    --------
    lloyd : the same a step at a time, from given centroids.
    segment_image : the same for the pixels of an image.

    Notes
    -----
    A cluster that loses all its points starts again at the point that is farthest
    from its centroid. Points nearer to each other than about 1e-160 count as equal.

    Starts are drawn among the distinct points in the order of their values. So neither
    the order of the points, nor their type and unit, nor whether they are repeated or
    have weights, makes a difference to them.

    Points outside of memory are read a block at a time, in every step once; of a Dask
    array, by the workers that have them, on whatever scheduler there is. Starts that
    are random or given lead to the answer that the points would have in memory, to the
    last bit, for any chunks and any number of workers; so does "k-means++" among at
    most 10,000 distinct points.

    In memory, the memory needed besides the input is about 60 + 4 d bytes for each
    point, whatever k is; and that of a copy in float64, if a column is far from 0
    beside its range.

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
        # Of all points, also those that have no weight.
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
    warn_if_fewer(len(result.centroids), k, noun)
    return replace(result, labels=labels)
