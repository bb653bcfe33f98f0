"""A pass over 8-bit colors that labels whole cells of them at once.

References
----------
.. [1] T. Kanungo et al., "An efficient k-means clustering algorithm: analysis and
   implementation", IEEE Transactions on Pattern Analysis and Machine Intelligence 24
   (2002), 881-892. :doi:`10.1109/TPAMI.2002.1017616`
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np.lloyd import Array, Floats, Sweep, Tally, Weights
from kmeans_np.sweeps.blocked import nearest_directly
from kmeans_np.sweeps.totals import inertia_from_totals

# The cube of all colors is cut into this many slices along each axis.
SLICES = 32
# A cell is a cube of 8 x 8 x 8 colors. These are the distances from its middle to its
# faces and to its corners.
HALF = 3.5
RADIUS = HALF * 3**0.5
# The colors of a cell relative to its middle, each followed by a 1.
INSIDE = np.ones((512, 4), np.float32)
INSIDE[:, :3] = np.indices((8, 8, 8)).reshape(3, 512).T - HALF
# The middle of the cube of all colors. Relative to it, squares are smallest, and so are
# their rounding errors in float32.
MIDDLE = 127.5
# The number of distances from cells to centroids per block, and of colors per block.
# They fit the second-level cache, and the distances are few enough that BLAS computes
# their product in one thread; waiting for others would take longer.
CELL_BLOCK, BLOCK = 2**16, 2**15
# Centroids farther from the middle than this are far outside of all colors, and their
# squares too large for float32.
FAR_OUT = 1e4


def cell_numbers(colors: Array) -> Array:
    """Return the number of the cell of each of n colors, (n, 3), as uint16.

    It consists of the upper five bits of each channel.
    """
    numbers = np.zeros(len(colors), np.uint16)
    for channel in colors.T:
        numbers <<= 5
        numbers |= channel >> 3
    return numbers


class Candidates(NamedTuple):
    """The centroids that can be nearest in each cell."""

    # (cells,) array of unsigned int: the centroid nearest to the middle of each cell.
    nearest: Array
    # (cells,) array of int: the number of its rivals: other centroids that can be
    # nearer to some color of the cell.
    counts: Array
    # (sum of counts,) array of unsigned int: the rivals, cell by cell.
    rivals: Array
    # (sum of counts, 4) array of float32 or float64: for each rival, the factors of a
    # color (relative to the middle of the cell, followed by a 1) that give how much
    # farther, in squared distance, the color is from the rival than from `nearest`.
    planes: Array
    # The largest rounding error of these products.
    margin: float


class CellSweep(Sweep):
    """A pass that finds the nearest centroids for whole cells of neighboring colors.

    The cube of all colors is cut into 32 slices along each axis. If all colors of a
    cell have the same nearest centroid, one comparison labels them all. Only the colors
    of cells that are cut by a border between clusters are examined one by one, and only
    with the centroids that can be nearest there.

    To find these, let m be the middle of the cell and b the centroid nearest to it. How
    much farther a color x is from another centroid c than from b,

        |x - c|^2 - |x - b|^2 = (|m - c|^2 - |m - b|^2) - 2 (c - b) (x - m),

    is a plane over the cell, and lowest in one of its corners. If it is not below zero
    even there, c cannot be nearest to any color of the cell. This is the filtering of
    [1]_, with a grid instead of a tree. The same plane then decides for single colors:
    four products in float32 each, since x - m is small. Where the result is so close to
    zero that rounding could have changed its sign, distances are compared as in the
    textbook.

    Few colors change from one pass to the next. So sums and counts are those of the
    pass before, corrected by the colors that changed. As long as all weights are
    integers (counts of pixels), no sum is rounded, and each equals the textbook's to
    the last bit.

    Parameters
    ----------
    points : (n, 3) array of uint8
        The colors, in the order of their `cell_numbers`.
    weights : (n,) array_like of real numbers, optional
        How many times each color counts; by default, once.

    Attributes
    ----------
    cell_totals : (4, cells) array of float64
        For each cell, the sum of the weights and of the weighted colors.

    References
    ----------
    .. [1] T. Kanungo et al., "An efficient k-means clustering algorithm: analysis and
       implementation", IEEE Transactions on Pattern Analysis and Machine Intelligence
       24 (2002), 881-892. :doi:`10.1109/TPAMI.2002.1017616`
    """

    def __init__(self, points: ArrayLike, weights: Weights = None) -> None:
        super().__init__(points, weights)
        self.points = np.asfortranarray(self.points)
        n = len(self.points)
        numbers = cell_numbers(self.points)
        self.starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
        self.sizes = np.diff(self.starts, append=n)
        corners = self.points[self.starts] & 0b11111000
        self.middles = corners.T + HALF
        from_middle = self.middles - MIDDLE
        self.squares = (from_middle**2).sum(axis=0)
        ones = np.ones((1, len(self.sizes)))
        self.to_multiply = np.append(from_middle, ones, axis=0).T.copy()
        # The number of each color within its cell, which is a row of INSIDE.
        self.places = np.zeros(n, np.uint16)
        self.cell_totals = np.empty((4, len(self.sizes)))
        self.cell_totals[0] = np.add.reduceat(self.weights, self.starts)
        for axis, channel in enumerate(self.points.T):
            self.places <<= 3
            self.places |= channel & 0b111
            total = np.add.reduceat(self.weights * channel, self.starts)
            self.cell_totals[axis + 1] = total
        totals = self.cell_totals.sum(axis=1)
        self.weight, self.mean = totals[0], totals[1:] / totals[0]
        self.scatter = 0.0
        for channel, mean in zip(self.points.T, self.mean):
            difference = channel - mean
            difference *= difference
            # Not a dot product, whose last bits depend on the number of threads.
            self.scatter += float((self.weights * difference).sum())
        # The labels that were returned last, and the state that the next pass needs.
        self.labels: Array = np.empty(0)
        self.totals = np.empty((0, 4))
        self.nearest, self.whole = np.empty(0), np.empty(0, bool)

    def mean_variance(self) -> float:
        """Return the weighted variance of each channel, averaged over the channels."""
        return self.scatter / float(self.weight) / 3

    def histogram(self, slices: int) -> tuple[Floats, Floats]:
        """Return the colors on a coarser grid.

        Parameters
        ----------
        slices : int
            The number of slices along each axis: a power of two, at most 32.

        Returns
        -------
        means : (m, 3) array of float64
            The weighted mean of the colors of each cell that has any.
        weights : (m,) array of float64
            The sum of their weights.
        """
        totals = self.cell_totals.T
        if slices < SLICES:
            red, green, blue = self.middles.astype(np.intp) // (256 // slices)
            numbers = (red * slices + green) * slices + blue
            totals = _per_cluster(self.cell_totals, numbers, slices**3)
            totals = totals[totals[:, 0] > 0]
        return totals[:, 1:] / totals[:, :1], totals[:, 0].copy()

    def __call__(self, centroids: Floats, previous: Any = None) -> Tally:
        """Assign the colors to centroids (k, 3), compare with previous labels, add up.

        `previous` is None in the first pass: all colors count as changed.
        """
        rivals = self._filter(centroids)
        whole = rivals.counts == 0
        # The cells with the most rivals come first, so that those with at least a given
        # number of rivals are always the first ones.
        cut = np.flatnonzero(rivals.counts)
        cut = cut[np.argsort(-rivals.counts[cut], kind="stable")]
        goes_on = previous is self.labels and len(self.totals) == len(centroids)
        if goes_on:
            moved = whole & ((self.nearest != rivals.nearest) | ~self.whole)
            cells = np.append(cut, np.flatnonzero(moved))
            self.labels = self.labels.copy()
            self.totals = self.totals.copy()
        else:
            cells = cut
            self.labels = np.repeat(rivals.nearest, self.sizes)
            self.totals = _per_cluster(self.cell_totals, rivals.nearest, len(centroids))
        self.nearest, self.whole = rivals.nearest, whole
        n_changed = self._look_closer(cells, rivals, centroids)
        if not goes_on:
            changed = slice(None) if previous is None else self.labels != previous
            n_changed = float(self.weights[changed].sum())
        counts, sums = self.totals[:, 0].copy(), self.totals[:, 1:].copy()
        inertia = inertia_from_totals(sums, counts, centroids, self.mean, self.scatter)
        return Tally(self.labels, sums, counts, inertia, n_changed)

    def _filter(self, centroids: Floats) -> Candidates:
        """Find the centroid nearest to the middle of each cell, and its rivals."""
        k, c = len(centroids), centroids - MIDDLE
        squares = (c**2).sum(axis=1)
        real = np.float32 if np.abs(c).max() < FAR_OUT else np.float64
        # |m - c|^2 without |m|^2, which is the same for all c, is one matrix product.
        factors = np.append(-2 * c, squares[:, np.newaxis], axis=1).astype(real)
        # Rounding changes the numbers below by about 1e-7 of the squares in them. With
        # this allowance, a centroid that ties anywhere in a cell remains a rival.
        slack = 2e-6 * (squares.max() + self.squares.max())
        nearest, found = np.empty(len(self.sizes), np.intp), []
        step = max(1, CELL_BLOCK // k)
        for start in range(0, len(nearest), step):
            block = slice(start, start + step)
            distances = self.to_multiply[block].astype(real) @ factors.T
            nearest[block] = distances.argmin(axis=1)
            places = np.arange(0, distances.size, k) + nearest[block]
            square = self.squares[block]
            bound = np.maximum(distances.ravel().take(places) + square, 0) + slack
            # By the triangle inequality, a centroid farther than this from the middle
            # cannot be nearest. This removes most; the corners decide about the rest.
            bound = (np.sqrt(bound) + 2 * RADIUS) ** 2 - square + slack
            near = distances <= bound[:, np.newaxis].astype(real)
            near.ravel()[places] = False
            found.append(np.flatnonzero(near) + start * k)
        return self._cut_by_planes(nearest, np.concatenate(found), centroids, real)

    def _cut_by_planes(
        self, nearest: Array, found: Array, centroids: Floats, real: type
    ) -> Candidates:
        """Keep the rivals found (cell * k + rival) that can be nearest in a corner."""
        k, columns = len(centroids), centroids.T.copy()
        cells = found // k
        rivals = found - cells * k
        b, c = (columns.take(who, axis=1) for who in (nearest[cells], rivals))
        apart = c - b
        farther = (apart * (b + c - 2 * self.middles.take(cells, axis=1))).sum(axis=0)
        reach = 2 * HALF * np.abs(apart).sum(axis=0)
        doubt = 1e-12 * (1 + np.square(centroids).max())
        keep = np.flatnonzero(farther <= reach + doubt)
        planes: Array = np.empty((len(keep), 4), real)
        for column, values in zip(planes.T, (*(-2 * apart), farther)):
            column[:] = values.take(keep)
        small = np.min_scalar_type(k - 1)
        return Candidates(
            nearest.astype(small),
            np.bincount(cells[keep], minlength=len(nearest)),
            rivals[keep].astype(small),
            planes,
            4e-6 * float(reach[keep].max(initial=0)) + doubt,
        )

    def _look_closer(
        self, cells: Array, rivals: Candidates, centroids: Floats
    ) -> float:
        """Label the colors of some cells; return the weight of those that changed.

        The cells must be in falling order of their number of rivals.
        """
        first = np.cumsum(rivals.counts) - rivals.counts
        ends = np.cumsum(self.sizes[cells])
        n_changed, begin, done = 0.0, 0, 0
        while begin < len(cells):
            end = int(np.searchsorted(ends, done + BLOCK, side="right"))
            end = max(end, begin + 1)
            block = cells[begin:end]
            sizes = self.sizes.take(block)
            before = np.cumsum(sizes) - sizes
            members = np.repeat(self.starts.take(block) - before, sizes)
            members += np.arange(len(members))
            begins = first.take(block)
            winners = self._winners(block, members, begins, rivals, centroids)
            n_changed += self._change(members, winners)
            begin, done = end, ends[end - 1]
        return n_changed

    def _winners(
        self,
        cells: Array,
        members: Array,
        first: Array,
        rivals: Candidates,
        centroids: Floats,
    ) -> Array:
        """Find the nearest centroid of each color (`members`) of some cells.

        `first` is where the rivals of each cell begin.
        """
        sizes, counts = self.sizes.take(cells), rivals.counts.take(cells)
        ends = np.cumsum(sizes)
        winners = np.repeat(rivals.nearest.take(cells), sizes)
        inside = INSIDE.take(self.places.take(members), axis=0)
        ahead, in_doubt = np.zeros(len(members), rivals.planes.dtype), []
        ones = np.ones(4, rivals.planes.dtype)
        for turn in range(counts[0]):
            # The number of cells that have another rival, and where their colors end.
            left = np.count_nonzero(counts > turn)
            end, sizes = ends[left - 1], sizes[:left]
            which = first[:left] + turn
            products = np.repeat(rivals.planes.take(which, axis=0), sizes, axis=0)
            products *= inside[:end]
            # How much farther the rival is than the best so far.
            farther = products @ ones - ahead[:end]
            closer = farther < -rivals.margin
            surely_not = farther > rivals.margin
            if np.count_nonzero(closer) + np.count_nonzero(surely_not) < end:
                in_doubt.append(np.flatnonzero(closer == surely_not))
            # The same as winners[closer] = rival[closer], but many times faster.
            rival = np.repeat(rivals.rivals.take(which), sizes)
            rival ^= winners[:end]
            winners[:end] ^= rival * closer
            ahead[:end] += np.minimum(farther, 0)
        if in_doubt:
            places = np.unique(np.concatenate(in_doubt))
            colors = self.points[members[places]]
            winners[places] = nearest_directly(colors, centroids)
        return winners

    def _change(self, members: Array, winners: Array) -> float:
        """Label these colors; return the weight of those whose label changed."""
        old = self.labels.take(members)
        places = np.flatnonzero(old != winners)
        who, old, new = (a.take(places) for a in (members, old, winners))
        self.labels[who] = new
        weights = self.weights.take(who)
        rows = [weights, *(weights * x.take(who) for x in self.points.T)]
        # What leaves the old cluster joins the new one.
        both = np.append(old, new).astype(np.intp)
        rows = [np.append(-row, row) for row in rows]
        self.totals += _per_cluster(rows, both, len(self.totals))
        return float(weights.sum())


def _per_cluster(rows: Any, labels: Array, k: int) -> Floats:
    """Add up the values of each row that have the same label: (k, rows)."""
    return np.stack([np.bincount(labels, row, k) for row in rows], axis=1)
