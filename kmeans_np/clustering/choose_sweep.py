"""The choice of a pass over points, and of their origin."""

from collections.abc import Iterator

import numpy as np

from kmeans_np.lloyd import Array, Floats, Sweep, squared_distances
from kmeans_np.sweeps import BlockedSweep, BoundedSweep, CellSweep
from kmeans_np.sweeps.nearest import label_points
from kmeans_np.sweeps.partitioned import shift
from kmeans_np.sweeps.scaling import extremes, find_scaling, sample_step
from kmeans_np.sweeps.totals import TEXTBOOK
from kmeans_np.tree_sums import branches, pieces, tree_sum

# From so many differences in a pass of the textbook on (points times features times
# clusters), it pays to keep account of which points can change cluster.
MUCH_WORK = 100_000
# From so many distinct 8-bit colors, it pays to ask whole cells of them.
FEW_COLORS = 1000
# How many numbers are looked at together to add up the inertia: they stay in the
# processor's cache.
BLOCK = 2**16


def make_sweep(
    points: Array, weights: Floats, k: int, cells: bool = False
) -> tuple[Sweep, Floats]:
    """Return the fastest pass over checked points for k clusters, and its origin.

    `cells` says that the points are distinct 8-bit colors in the order of their cells.
    """
    kind, origin = sweep_type(points, k, cells), np.zeros(points.shape[1])
    if kind is not CellSweep:
        origin = exact_origin(*extremes(points))
    return kind(shift(points, origin), weights), origin


def sweep_type(points: Array, k: int, cells: bool) -> type[Sweep]:
    """Return the fastest kind of pass over points; `cells` as in `make_sweep`."""
    if cells and len(points) > FEW_COLORS:
        return CellSweep
    return BoundedSweep if points.size * k >= MUCH_WORK else BlockedSweep


def use_tree_sums(n: int, d: int, k: int) -> bool:
    """Return whether so many points are added up piece by piece, as those in parts are.

    Of few, the sums are those of the textbook.
    """
    return n > TEXTBOOK and n * d * k >= MUCH_WORK


def exact_origin(low: Floats, high: Floats) -> Floats:
    """Where to move the origin, for each column, so that no digits are lost.

    Far from the origin, float64 keeps few digits for differences and sums: at 1e8,
    steps of 1.5e-8. So a column whose values are far from 0 compared with their range
    is moved close to 0. The way is a multiple of a power of two that is not larger
    than the range; hence the subtraction is exact, and only then is it worth doing.

    Parameters
    ----------
    low, high : (d,) arrays of float64
        The smallest and the largest number of each column.

    Returns
    -------
    (d,) array of float64
        What to subtract from each column; 0 where it would not help.
    """
    width, middle = high - low, low / 2 + high / 2
    # The power of two at or below the range; for a constant column any will do, since
    # its own value is subtracted.
    grid = np.exp2(np.floor(np.log2(np.where(width > 0, width, 1))))
    near = np.where(width > 0, np.round(middle / grid) * grid, low)
    return np.where(np.abs(middle) > 8 * width, near, 0.0)


def nearest_centroids(points: Array, centroids: Floats) -> Array:
    """Return the number of the nearest centroid of each of checked points."""
    sample = points[:: sample_step(len(points))]
    low, high = extremes(sample)
    origin = np.zeros(len(low))
    # Where points of the sample are so near to 0, others cannot make a difference.
    if (np.minimum(np.abs(low), np.abs(high)) > 7 * (high - low)).any():
        origin = exact_origin(*extremes(points))
    scaling = find_scaling(shift(sample, origin))
    return label_points(shift(points, origin), centroids - origin, scaling)


def direct_inertia(
    points: Array, weights: Floats, centroids: Floats, labels: Array
) -> float:
    """Add up the weighted squared distances, point by point."""
    parts = branches(inertias_of_pieces(points, weights, centroids, labels))
    return float(tree_sum(parts))


def inertias_of_pieces(
    points: Array, weights: Floats, centroids: Floats, labels: Array
) -> Iterator[Floats]:
    """Yield the inertia of the points in each piece."""
    step = max(512, BLOCK // points.shape[1])
    for piece in pieces(*points.shape):
        total = np.zeros(())
        for start in range(piece.start, piece.stop, step):
            block = slice(start, min(start + step, piece.stop))
            nearest = centroids.take(labels[block], axis=0)
            distances = squared_distances(points[block], nearest)
            total = total + (weights[block] * distances).sum()
        yield total
