"""Chooses the pass over points, and the origin of their coordinates."""

from collections.abc import Iterator

import numpy as np

from kmeans_np.lloyd import Array, Floats, Sweep, squared_distances
from kmeans_np.sweeps import BlockedSweep, BoundedSweep, CellSweep
from kmeans_np.sweeps.nearest import label_points
from kmeans_np.sweeps.partitioned import shift
from kmeans_np.sweeps.scaling import extremes, find_scaling, sample_step
from kmeans_np.sweeps.totals import TEXTBOOK
from kmeans_np.tree_sums import branches, pieces, tree_sum

# From this many differences in a textbook pass (points times features times clusters),
# keeping bounds for each point pays off.
MUCH_WORK = 100_000
# From this many distinct 8-bit colors, labeling whole cells of them pays off.
FEW_COLORS = 1000
# The number of values per block when the inertia is added up: a block fits the
# processor's cache.
BLOCK = 2**16


def make_sweep(
    points: Array, weights: Floats, k: int, cells: bool = False
) -> tuple[Sweep, Floats]:
    """Return the fastest pass over checked points for k clusters, and its origin.

    `cells` says whether the points are distinct 8-bit colors, sorted by cell.
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
    """Return whether this many points are added up piece by piece, as if in parts.

    For few points, the sums are those of the textbook.
    """
    return n > TEXTBOOK and n * d * k >= MUCH_WORK


def exact_origin(low: Floats, high: Floats) -> Floats:
    """Return the origin of each column that avoids a loss of digits.

    Far from the origin, float64 has few digits for differences and sums: at 1e8, its
    steps are 1.5e-8. So a column whose values are far from 0 relative to their range is
    shifted close to 0. The shift is a multiple of a power of two that is not larger
    than the range; hence the subtraction is exact, which is a condition for it to help.

    Parameters
    ----------
    low, high : (d,) arrays of float64
        The minimum and maximum of each column.

    Returns
    -------
    (d,) array of float64
        The number to subtract from each column; 0 where it would not help.
    """
    width, middle = high - low, low / 2 + high / 2
    # The power of two at or below the range. A constant column may use any, since its
    # own value is subtracted.
    grid = np.exp2(np.floor(np.log2(np.where(width > 0, width, 1))))
    near = np.where(width > 0, np.round(middle / grid) * grid, low)
    return np.where(np.abs(middle) > 8 * width, near, 0.0)


def nearest_centroids(points: Array, centroids: Floats) -> Array:
    """Return the number of the nearest centroid of each point; points are checked."""
    sample = points[:: sample_step(len(points))]
    low, high = extremes(sample)
    origin = np.zeros(len(low))
    # If the points of the sample are this near to 0, the others cannot change the
    # origin.
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
    """Yield the inertia of each piece of the points."""
    step = max(512, BLOCK // points.shape[1])
    for piece in pieces(*points.shape):
        total = np.zeros(())
        for start in range(piece.start, piece.stop, step):
            block = slice(start, min(start + step, piece.stop))
            nearest = centroids.take(labels[block], axis=0)
            distances = squared_distances(points[block], nearest)
            total = total + (weights[block] * distances).sum()
        yield total
