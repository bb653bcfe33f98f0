"""Clusters whose points are all equal, so that their centroid can be exact."""

import numpy as np
from numpy.typing import NDArray

from kmeans_np.arrays.rows import Part
from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.partitioned import Shift, label_rows

# About how many points are examined first, and how many are then examined together.
SAMPLE, BLOCK = 2**12, 2**18
# For each cluster, the stored values of one of its points, and the features of that
# point if all points are equal; None if they differ.
OneOfEach = dict[int, tuple[Array, Array | None]]


def single_points(
    points: Array, labels: Array, k: int
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which clusters have only equal points.

    Parameters
    ----------
    points : (n, d) array
        The points.
    labels : (n,) array of int
        The cluster of each point, 0 to k - 1.
    k : int
        The number of clusters.

    Returns
    -------
    single : (k,) array of bool
        Whether all points of each cluster are equal; True if there are none.
    first : (k,) array of int
        The number of a point of each cluster, if there is one.
    """
    n, single = len(labels), np.ones(k, bool)
    first, found = np.zeros(k, np.intp), np.zeros(k, bool)

    def look(numbers: NDArray[np.intp]) -> None:
        own = labels[numbers]
        new = numbers[~found[own]]
        # Assigned backwards, so that the first point of a cluster is kept.
        first[labels[new][::-1]] = new[::-1]
        found[own] = True
        differ = (points[numbers] != points[first[own]]).any(axis=1)
        single[own[differ]] = False

    # A sample shows for most clusters that their points differ; then all points of the
    # others are examined.
    look(np.arange(0, n, max(1, n // SAMPLE)))
    for start in range(0, n, BLOCK) if single.any() else ():
        look(start + np.flatnonzero(single.take(labels[start : start + BLOCK])))
    return single, first


def one_of_each(
    part: Part, shift: Shift, centroids: Floats, wanted: Array, n_alike: int
) -> OneOfEach:
    """Return one point of each wanted cluster that has any in this part."""
    labels = label_rows(part.points, centroids, shift)
    points = part.points[:, :n_alike]
    single, first = single_points(points, labels, len(wanted))
    n = np.bincount(labels, minlength=len(wanted))
    return {
        int(label): (
            part.values[first[label]].copy(),
            points[first[label]].copy() if single[label] else None,
        )
        for label in np.flatnonzero(n * wanted)
    }


def merge_one_of_each(parts: list[OneOfEach]) -> OneOfEach:
    """Merge the points of several parts."""
    found: OneOfEach = {}
    for part in parts:
        for label, (values, point) in part.items():
            first, other = found.setdefault(label, (values, point))
            same = point is not None and other is not None and (point == other).all()
            found[label] = first, other if same else None
    return found
