"""A pass in blocks that stay in the processor's cache."""

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np.lloyd import Array, Floats, Sweep, Weights

# The number of distances in a table.
TABLE = 2**16


class BlockedSweep(Sweep):
    """A pass over blocks of points that keeps only the best distance of each point.

    The textbook stores all n times k distances, and then finds the smallest in each
    row. But the smallest so far can be kept without the others: go through the
    centroids, and keep for each point its best distance and the number of that
    centroid. The few columns of a block stay in the processor's cache meanwhile, and
    the memory needed does not grow with k.

    The distances are the same sums, added in the same order, as in
    `kmeans_np.lloyd.squared_distances`, and a later centroid wins only if it is
    strictly nearer. So the result equals the textbook's to the last bit, for any block
    size, memory order and real type of the points, which are not copied.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; by default, once.
    block_size : int, optional
        The number of points per block; by default, such that a block takes half a
        megabyte.
    """

    def __init__(
        self,
        points: ArrayLike,
        weights: Weights = None,
        *,
        block_size: int | None = None,
    ) -> None:
        super().__init__(points, weights)
        # Measured: 8,000 to 32,000 RGB pixels are equally fast. Below, the overhead of
        # NumPy calls shows; above, the second-level cache overflows.
        self.block_size = block_size or max(512, 2**16 // self.points.shape[1])

    def assign(self, centroids: Floats) -> tuple[Array, Floats]:
        """Return labels, as int32, and squared distances to the nearest centroids."""
        labels = np.zeros(len(self.points), np.int32)
        distances = np.empty(len(self.points))
        for start in range(0, len(self.points), self.block_size):
            block = slice(start, start + self.block_size)
            _find_nearest(
                self.points[block], centroids, labels[block], distances[block]
            )
        return labels, distances


def _find_nearest(
    points: Array, centroids: Floats, labels: Array, nearest: Floats
) -> None:
    """Write the nearest centroids of m points into `labels`, which must be all zeros.

    Their squared distances are written into `nearest`.
    """
    columns = np.ascontiguousarray(points.T, dtype=np.float64)
    distance, square = np.empty(len(points)), np.empty(len(points))
    closer = np.empty(len(points), bool)
    for number, centroid in enumerate(centroids):
        total = nearest if number == 0 else distance
        np.subtract(columns[0], centroid[0], out=total)
        np.multiply(total, total, out=total)
        for x, c in zip(columns[1:], centroid[1:], strict=True):
            np.subtract(x, c, out=square)
            np.multiply(square, square, out=square)
            np.add(total, square, out=total)
        if number:
            np.less(distance, nearest, out=closer)
            np.copyto(labels, number, where=closer)
            np.minimum(distance, nearest, out=nearest)


def nearest_directly(points: Array, centroids: Floats) -> Array:
    """Find the nearest centroids of few points from tables of distances.

    The arithmetic is the textbook's, to the last bit.
    """
    labels = np.empty(len(points), np.intp)
    step = max(1, TABLE // len(centroids))
    for start in range(0, len(points), step):
        columns = points[start : start + step].T.astype(np.float64)
        table = np.zeros((columns.shape[1], len(centroids)))
        for x, c in zip(columns, centroids.T, strict=True):
            difference = np.subtract.outer(x, c)
            difference *= difference
            table += difference
        labels[start : start + step] = table.argmin(axis=1)
    return labels
