"""Clusters whose points are all equal, so that their centroid can be exact."""

import numpy as np
from numpy.typing import NDArray

from kmeans_np.arrays.rows import Part
from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.partitioned import Shift, label_rows

# About how many points show whether clusters have different ones, and how many are
# looked at together then.
SAMPLE, BLOCK = 2**12, 2**18
# For each cluster the stored numbers of one of its points, and, if all are equal, its
# features; None if they differ.
OneOfEach = dict[int, tuple[Array, Array | None]]


def single_points(
    points: Array, labels: Array, k: int
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which clusters have equal points only.

    Parameters
    ----------
    points : (n, d) array
        The points.
    labels : (n,) array of int
        The cluster of each, 0 to k - 1.
    k : int
        The number of clusters.

    Returns
    -------
    single : (k,) array of bool
        Whether no two of the points of each cluster differ; also True if there is none.
    first : (k,) array of int
        The number of a point of each cluster, if there is one.
    """
    n, single = len(labels), np.ones(k, bool)
    first, found = np.zeros(k, np.intp), np.zeros(k, bool)

    def look(numbers: NDArray[np.intp]) -> None:
        own = labels[numbers]
        new = numbers[~found[own]]
        # Written backwards, so that the first of a cluster stays.
        first[labels[new][::-1]] = new[::-1]
        found[own] = True
        differ = (points[numbers] != points[first[own]]).any(axis=1)
        single[own[differ]] = False

    # Some points show of most clusters that they have several; then all are looked at
    # of the others.
    look(np.arange(0, n, max(1, n // SAMPLE)))
    for start in range(0, n, BLOCK) if single.any() else ():
        look(start + np.flatnonzero(single.take(labels[start : start + BLOCK])))
    return single, first


def one_of_each(
    part: Part, shift: Shift, centroids: Floats, wanted: Array, n_alike: int
) -> OneOfEach:
    """Return one point of each wanted cluster that has any in a part."""
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
    """Return the same of several parts."""
    found: OneOfEach = {}
    for part in parts:
        for label, (values, point) in part.items():
            first, other = found.setdefault(label, (values, point))
            same = point is not None and other is not None and (point == other).all()
            found[label] = first, other if same else None
    return found
