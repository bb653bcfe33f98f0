"""Passes over the points that give the textbook's answer in less time and memory.

What this file adds: two ways to find the nearest centroids. `BlockedSweep` looks at
every point, in blocks that stay in the processor's cache. `CellSweep` looks at cells of
neighboring points, and at single points only where a cell lies between centroids. What
it leaves out: every decision. The loop, the rule for ties, the means and the empty
clusters are those of `kmeans_np.lloyd`.

References
----------
.. [1] T. Kanungo et al., "An efficient k-means clustering algorithm: analysis and
   implementation", IEEE Transactions on Pattern Analysis and Machine Intelligence 24
   (2002), 881-892. :doi:`10.1109/TPAMI.2002.1017616`
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np.lloyd import Array, Floats, Sweep, Tally, Weights, squared_distances

# The number of slices along each axis. Cubed, it must fit 16 bits.
SLICES = 32
# How many distances from cells to centroids are looked at together: as many as fit the
# second-level cache.
CELL_BLOCK = 2**16


class BlockedSweep(Sweep):
    """A pass that goes through the points in blocks, remembering only the best.

    The textbook writes down all distances, n times k of them, and then looks for the
    smallest in each row. But to know the smallest number so far, one need not remember
    the others: go through the centroids, and keep for each point its best distance and
    whose it was. The few columns of a block stay in the processor's cache meanwhile,
    and the memory needed does not grow with k.

    The distances are the same sums, added in the same order, as in
    `kmeans_np.lloyd.squared_distances`, and a later centroid wins only if it is
    strictly nearer. So the answer equals the textbook's to the last bit, for any size
    of the blocks, and for any memory order and real type of the points, which are not
    copied.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.
    block_size : int, optional
        The number of points in a block. When not given, such that a block takes half
        a megabyte.
    """

    def __init__(
        self,
        points: ArrayLike,
        weights: Weights = None,
        *,
        block_size: int | None = None,
    ) -> None:
        super().__init__(points, weights)
        # Measured: from 8,000 to 32,000 RGB pixels are equally fast; below, NumPy's
        # cost for each call shows, above, the second-level cache overflows.
        self.block_size = block_size or max(512, 2**16 // self.points.shape[1])

    def assign(self, centroids: Floats) -> tuple[Array, Floats]:
        """Labels, as int32, and squared distances to the nearest centroids."""
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
    """Write the nearest centroids of m points into `labels`, which is all zeros so far.

    Their squared distances go into `nearest`.
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


class CellSweep(Sweep):
    """A pass that asks cells of neighboring points for their nearest centroid.

    Cut the box around the points into 32 slices along each axis. If all points of a
    cell have the same nearest centroid, that one question labels them all, and the sums
    of the cell, added up once and for all, go to its cluster whole. Only the points of
    cells that are cut by the border between clusters are looked at one by one, and only
    with the centroids that can win there.

    Which can, shows a ball around the cell, with its middle m and radius r. Let b be
    the centroid nearest to m. The border between b and another centroid c is the plane
    half-way between them, and the distance of m to it is
    (|m - c|^2 - |m - b|^2) / (2 |c - b|). If that is larger than r, the whole ball lies
    on b's side, and c can win no point of the cell. This is the filtering of [1]_, with
    a grid for its tree.

    Labels are the textbook's. Sums are, to the last bit, if all coordinates and weights
    are integers (such as colors and their counts), since then no sum is rounded.

    Parameters
    ----------
    points : (n, d) array_like of real numbers
        The points; d is at most 3.
    weights : (n,) array_like of real numbers, optional
        How many times each point counts; once when not given.

    References
    ----------
    .. [1] T. Kanungo et al., "An efficient k-means clustering algorithm: analysis and
       implementation", IEEE Transactions on Pattern Analysis and Machine Intelligence
       24 (2002), 881-892. :doi:`10.1109/TPAMI.2002.1017616`
    """

    def __init__(self, points: ArrayLike, weights: Weights = None) -> None:
        super().__init__(points, weights)
        cells = _cell_numbers(self.points)
        # From here on, the points lie in the order of their cells, one axis a row.
        self.order = np.argsort(cells, kind="stable")
        cells = cells[self.order]
        self.columns = self.points.T[:, self.order].astype(np.float64, copy=False)
        self.masses = self.weights[self.order]
        self.starts = np.flatnonzero(np.append(True, cells[1:] != cells[:-1]))
        self.sizes = np.diff(self.starts, append=len(cells))
        low = np.minimum.reduceat(self.columns, self.starts, axis=1)
        high = np.maximum.reduceat(self.columns, self.starts, axis=1)
        self.middles = low / 2 + high / 2
        self.radii = np.sqrt(((high - self.middles) ** 2).sum(axis=0))
        self.farthest_out = (self.middles**2).sum(axis=0).max()
        totals = [self.masses, *(self.masses * x for x in self.columns)]
        self.cell_totals = np.stack([np.add.reduceat(t, self.starts) for t in totals])
        self.center = self.middles.mean(axis=1)
        scatter = squared_distances(self.columns.T, self.center)
        scatter *= self.masses
        self.scatter = scatter.sum()

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the points to centroids (k, d), compare with previous labels, add up.

        `previous` is None in the first pass: all points count as changed.
        """
        k = len(centroids)
        nearest, n_rivals, rivals = self._filter(centroids)
        # The cells with most rivals first: then those that have one more rival than
        # others are always the first few.
        cut = np.argsort(-n_rivals, kind="stable")[: np.count_nonzero(n_rivals > 1)]
        members, sizes = self._members(cut), self.sizes[cut]
        x, masses = self.columns[:, members], self.masses[members]
        n_cut, first = n_rivals[cut], (np.cumsum(n_rivals) - n_rivals)[cut]
        winners = _compare(x, sizes, rivals, first, n_cut, centroids)

        ordered = np.repeat(nearest.astype(np.int32), self.sizes)
        ordered[members] = winners
        labels = np.empty_like(ordered)
        labels[self.order] = ordered
        whole = n_rivals == 1
        totals = _per_cluster(self.cell_totals * whole, nearest, k)
        totals += _per_cluster(np.stack([masses, *(masses * x)]), winners, k)
        sums, counts = totals[1:].T, totals[0]
        changed = self.weights if previous is None else self.weights[labels != previous]
        inertia = self._inertia(sums, counts, centroids)
        return Tally(labels, sums, counts, inertia, float(changed.sum()))

    def _inertia(self, sums: Floats, counts: Floats, centroids: Floats) -> float:
        """Return the inertia without another look at the points.

        With x and c as seen from the center of all points, |x - c|^2 is
        |x|^2 - 2 x c + |c|^2; the sums of |x|^2, x and 1 are known.
        """
        c = centroids - self.center
        s = sums - counts[:, np.newaxis] * self.center
        inertia = self.scatter - 2 * (c * s).sum() + (counts * (c**2).sum(axis=1)).sum()
        return max(float(inertia), 0.0)

    def _filter(self, centroids: Floats) -> tuple[Array, Array, Array]:
        """Find the centroid nearest to each cell's middle, and all that can win in it.

        Returns
        -------
        nearest : (cells,) array of int
            The number of the centroid nearest to the middle.
        n_rivals : (cells,) array of int
            How many centroids can be nearest to some point of the cell; at least 1.
        rivals : (sum of n_rivals,) array of int
            Which these are, in rising order, cell after cell.
        """
        squares = (centroids**2).sum(axis=1)
        apart = np.sqrt(((centroids[:, np.newaxis] - centroids) ** 2).sum(axis=2))
        # Rounding moves the numbers below by some 1e-16 of the squares in them. With
        # this allowance, a centroid that ties anywhere in a cell stays a rival.
        slack = 1e-12 * (squares.max() + self.farthest_out)
        parts = []
        step = max(1, CELL_BLOCK // len(centroids))
        for start in range(0, len(self.sizes), step):
            block = slice(start, start + step)
            # |m - c|^2 without |m|^2, which is the same for all c.
            distances = self.middles[:, block].T @ (-2 * centroids.T)
            distances += squares
            nearest = distances.argmin(axis=1)
            smallest = distances[np.arange(len(nearest)), nearest]
            bounds = apart[nearest]
            bounds *= 2 * self.radii[block, np.newaxis]
            bounds += (smallest + slack)[:, np.newaxis]
            cells, rivals = np.divmod(
                np.flatnonzero(distances <= bounds), len(centroids)
            )
            parts.append((nearest, np.bincount(cells, minlength=len(nearest)), rivals))
        near, counts, who = (np.concatenate(part) for part in zip(*parts))
        return near, counts, who

    def _members(self, cells: Array) -> Array:
        """Return the places of the points of these cells, cell after cell."""
        sizes = self.sizes[cells]
        before = np.cumsum(sizes) - sizes
        return np.repeat(self.starts[cells] - before, sizes) + np.arange(sizes.sum())


def _compare(
    columns: Floats,
    sizes: Array,
    rivals: Array,
    first: Array,
    n_rivals: Array,
    centroids: Floats,
) -> Array:
    """Find the nearest centroid of each point of some cells.

    Parameters
    ----------
    columns : (d, m) array of float64
        The points, cell after cell.
    sizes : (cells,) array of int
        The number of points of each cell.
    rivals : array of int
        The numbers of centroids that can win, those of a cell in rising order.
    first : (cells,) array of int
        Where in `rivals` those of each cell begin.
    n_rivals : (cells,) array of int
        How many each cell has; from cell to cell, not more.
    centroids : (k, d) array of float64
        The centroids.

    Returns
    -------
    (m,) array of int
        The number of the nearest centroid of each point.
    """
    ends = np.cumsum(sizes)
    winners = np.zeros(columns.shape[1], np.intp)
    distances = np.full(columns.shape[1], np.inf)
    for turn in range(n_rivals.max(initial=0)):
        # The cells that have another rival, and where their points end.
        left = np.count_nonzero(n_rivals > turn)
        end = ends[left - 1]
        rival = np.repeat(rivals[first[:left] + turn], sizes[:left])
        total = np.zeros(end)
        for x, c in zip(columns, centroids.T.copy()):
            difference = x[:end] - c.take(rival)
            difference *= difference
            total += difference
        closer = total < distances[:end]
        np.copyto(winners[:end], rival, where=closer)
        np.minimum(total, distances[:end], out=distances[:end])
    return winners


def _per_cluster(rows: Floats, labels: Array, k: int) -> Floats:
    """Add up the values of each row that have the same label."""
    sums: Floats = np.stack([np.bincount(labels, row, k) for row in rows])
    return sums


def _cell_numbers(points: Array) -> Array:
    """Return the number of each point's cell, as uint16, which NumPy sorts fastest."""
    cells = np.zeros(len(points), np.uint16)
    for x in points.T:
        low, high = float(x.min()), float(x.max())
        slices = ((x - low) * (SLICES / (high - low or 1))).astype(np.uint16)
        cells *= np.uint16(SLICES)
        cells += np.minimum(slices, np.uint16(SLICES - 1))
    return cells
