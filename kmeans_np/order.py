"""Points in lexicographic order: by the first feature, equal ones by the next.

Draws in this order do not depend on how points are stored: not on their dtype, their
unit or their order in memory, nor on whether a point is repeated or has that weight.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_np.lloyd import Array, Floats

Places = NDArray[np.intp]
# Ranks in the order, counted in points or, if these have weights, in weight.
Ranks = NDArray[np.intp] | Floats
# Distinct points in order, (m, d), and the weight of each, (m,).
Distinct = tuple[Array, Floats]

# About how many points are examined to find out that there are many distinct ones.
SAMPLE = 2**14
# The number of buckets that points are sorted into to find those at some ranks; and the
# number of points in a bucket that are simply sorted.
N_BUCKETS, FEW_ROWS = 2**14, 2**12
# The number of different marks (hashes) of points, and of points per block.
N_MARKS, BLOCK = 2**20, 2**16


def distinct(points: Array, weights: Floats | None = None) -> Distinct:
    """Return the distinct points in order of their values.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64, optional
        How many times each point counts; by default, once. Points of weight 0 are
        removed.

    Returns
    -------
    points : (m, d) array of the dtype of the points
        The distinct points.
    weights : (m,) array of float64
        The total weight of each.
    """
    if weights is None:
        weights = np.ones(len(points))
    elif not weights.all():
        points, weights = points[weights > 0], weights[weights > 0]
    if not len(points):
        return points, weights
    order = np.argsort(points[:, 0])
    equal = np.diff(points[order, 0]) == 0
    # Points with equal first features are sorted by those other features in which some
    # of them differ.
    tied = np.append(equal, False) | np.append(False, equal)
    some = order[tied]
    rows = points[some]
    differ = (rows[1:] != rows[:-1]) & (rows[1:, :1] == rows[:-1, :1])
    keys = [0, *np.flatnonzero(differ.any(axis=0))]
    order[tied] = some[np.lexsort(rows[:, keys].T[::-1])]
    points, weights = points[order], weights[order]
    begins = np.append(True, (points[1:] != points[:-1]).any(axis=1))
    if begins.all():
        return points, weights
    which = np.cumsum(begins) - 1
    return points[begins], np.bincount(which, weights).astype(np.float64, copy=False)


def distinct_if_few(
    points: Array, limit: int, weights: Floats | None = None
) -> Distinct | None:
    """Return the distinct points in order, and the total weight of each.

    Without weights, each point counts once. None if there are more distinct points than
    `limit`, which is found out quickly if there are many more.
    """
    found: list[Distinct] = []
    left = points
    weights_left = np.broadcast_to(1.0, len(points)) if weights is None else weights
    while len(left):
        # Evenly spaced points among those left, and how often they occur among all of
        # these.
        some = left[:: max(1, len(left) // max(SAMPLE, 2 * limit))]
        marks = np.zeros(N_MARKS, bool)
        marks[_marks(some)] = True
        # Points with different marks are different.
        if np.count_nonzero(marks) > limit:
            return None
        known, _ = distinct(some)
        if len(known) > limit:
            return None
        counts, left, weights_left = _count(left, weights_left, known)
        found.append((known, counts))
        if sum(len(known) for known, _ in found) > limit:
            return None
    return merge_distinct(found)


def _count(
    points: Array, weights: Floats, known: Array
) -> tuple[Floats, Array, Floats]:
    """Return how many points are equal to each known one, and the other points."""
    counts, others = np.zeros(len(known)), np.zeros(len(points), bool)
    number_at = np.zeros(N_MARKS, np.intp)
    number_at[_marks(known)] = np.arange(len(known))
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        numbers = number_at.take(_marks(block))
        other = (block != known.take(numbers, axis=0)).any(axis=1)
        if other.any():
            # A few known points have the same mark as others.
            classes = classes_of(block[other], known)
            numbers[other] = np.minimum(classes // 2, len(known) - 1)
            other[other] = classes % 2 == 0
        others[start : start + BLOCK] = other
        own = np.where(other, 0, weights[start : start + BLOCK])
        counts += np.bincount(numbers, own, len(known))
    return counts, points[others], weights[others]


def _marks(points: Array) -> Places:
    """Return a hash of each point; equal points have equal hashes."""
    hashes = np.zeros(len(points), np.uint64)
    for x in points.T:
        # Added to 0, since -0 equals 0 but has other bits.
        bits = np.add(x, 0, dtype=np.float64).view(np.uint64)
        hashes = (hashes ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return (hashes >> np.uint64(65 - N_MARKS.bit_length())).astype(np.intp)


def merge_distinct(parts: list[Distinct]) -> Distinct:
    """Return the distinct points of several parts."""
    points, weights = (np.concatenate(arrays) for arrays in zip(*parts))
    return distinct(points, weights)


class Buckets(NamedTuple):
    """Ranges of equal width of the first feature that varies."""

    # The index of that feature.
    column: int
    # Where the first begins and the last ends. Points outside are in these two.
    low: float
    high: float

    def numbers(self, points: Array) -> NDArray[np.uint16]:
        """Return the bucket of each point (n, d)."""
        x = points[:, self.column].astype(np.float64)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            scale = N_BUCKETS / np.float64(self.high - self.low)
        if not np.isfinite(scale):
            return np.zeros(len(x), np.uint16)
        np.clip(x, self.low, self.high, out=x)
        x -= self.low
        x *= scale
        # subtle: each of these operations keeps the order, even with rounding.
        return np.minimum(x, N_BUCKETS - 1).astype(np.uint16)


class Selection:
    """The buckets that contain the points at some ranks.

    Parameters
    ----------
    counts : (m,) array of int or float
        The number of points in each bucket, or their weight.
    ranks : (r,) array of int or float
        The ranks, from 0.

    Attributes
    ----------
    wanted : (m,) array of bool
        Which buckets contain them.
    """

    def __init__(self, counts: Ranks, ranks: Ranks) -> None:
        mine = _bucket_of(counts, ranks)
        self.wanted = np.zeros(len(counts), bool)
        self.wanted[mine] = True
        # How many points come before each rank and are not in a wanted bucket.
        self.before = np.cumsum(np.where(self.wanted, 0, counts))[mine]
        self.ranks = ranks

    def find(self, some: Distinct) -> Array:
        """Return the points at the ranks, given all points in the wanted buckets."""
        points, weights = some
        return points[_bucket_of(weights, self.ranks - self.before)]


def _bucket_of(counts: Ranks, ranks: Ranks) -> Places:
    """Return the bucket of each rank."""
    ends = np.cumsum(counts)
    # subtle: a rank can be rounded up to the total.
    last = np.searchsorted(ends, ends[-1])
    buckets: Places = np.minimum(np.searchsorted(ends, ranks, "right"), last)
    return buckets


def at_ranks(points: Array, ranks: Places) -> Array:
    """Return the points at some ranks, counted from 0, without sorting all points.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    ranks : (m,) array of int
        The ranks, 0 to n - 1.

    Returns
    -------
    (m, d) array of the type of the points
        The points at these ranks.
    """
    found = np.empty((len(ranks), points.shape[1]), points.dtype)
    # Points that are consecutive in the order; which ranks are theirs; the rank of the
    # first of them; and the column up to which they are all equal.
    groups = [(np.arange(len(points)), np.arange(len(ranks)), 0, 0)]
    while groups:
        who, asked, first, equal = groups.pop()
        varying = _first_that_varies(points, who, equal)
        if varying is None:
            found[asked] = points[who[0]]
            continue
        (column, x), inside = varying, ranks[asked] - first
        numbers = Buckets(0, float(x.min()), float(x.max())).numbers(x[:, np.newaxis])
        n_inside = np.bincount(numbers, minlength=N_BUCKETS)
        ends = np.cumsum(n_inside)
        mine = np.searchsorted(ends, inside, "right")
        # Large buckets are divided again; the points of the others are sorted.
        large = n_inside[mine] > max(FEW_ROWS, len(who) // 64)
        large &= n_inside[mine] < len(who)
        for number in np.unique(mine[large]):
            begin = first + int(ends[number] - n_inside[number])
            them = who[numbers == number]
            groups.append((them, asked[mine == number], begin, column))
        if large.all():
            continue
        selection = Selection(n_inside, inside[~large])
        some = points[who[selection.wanted.take(numbers)]]
        found[asked[~large]] = selection.find(distinct(some))
    return found


def _first_that_varies(
    points: Array, who: Places, column: int
) -> tuple[int, Array] | None:
    """Return the first column from `column` on with different values, and these."""
    for number in range(column, points.shape[1]):
        # If these are all points, this avoids a copy.
        is_all = len(who) == len(points)
        x = points[:, number] if is_all else points[who, number]
        if (x != x[0]).any():
            return number, x
    return None


def classes_of(points: Array, splitters: Array) -> Places:
    """Return where each point lies among the splitters.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    splitters : (m, d) array of real numbers
        Distinct points in order of their values.

    Returns
    -------
    (n,) array of int
        2 i + 1 for a point that is equal to splitter i, and 2 i for one between
        splitters i - 1 and i.
    """
    classes = np.empty(len(points), np.intp)
    # Points that are equal, up to a column, to all splitters of a range.
    groups = [(np.arange(len(points)), 0, len(splitters), 0)]
    while groups:
        who, begin, end, column = groups.pop()
        # The column up to which these splitters are equal to each other.
        differ = splitters[begin] != splitters[end - 1]
        stop = int(differ.argmax()) if differ.any() else len(differ)
        if stop > column:
            compared = _compared(points[who], splitters[begin], column, stop)
            classes[who] = 2 * (begin + (compared > 1) * (end - begin))
            who = who[compared == 1]
            if end - begin == 1:
                classes[who] += 1
                continue
        values, x = splitters[begin:end, stop], points[who, stop]
        left = np.searchsorted(values, x)
        classes[who] = 2 * (begin + left)
        tied = np.flatnonzero(values.take(left, mode="clip") == x)
        # NumPy sorts small dtypes many times faster.
        numbers = left[tied].astype(np.min_scalar_type(end))
        tied = tied[np.argsort(numbers, kind="stable")]
        cuts = np.flatnonzero(np.diff(left[tied])) + 1
        for them in np.split(tied, cuts) if len(tied) else []:
            same = left[them[0]]
            last = np.searchsorted(values, values[same], "right")
            if last == same + 1 and stop + 1 == len(differ):
                classes[who[them]] += 1
                continue
            groups.append((who[them], begin + same, begin + last, stop + 1))
    return classes


def _compared(rows: Array, other: Array, column: int, stop: int) -> Places:
    """Return 0 for rows before `other`, 1 for equal ones, 2 for those after it.

    Only the columns from `column` to `stop` are compared.
    """
    rows, other = rows[:, column:stop], other[column:stop]
    differs = rows != other
    where = differs.argmax(axis=1)
    theirs = np.take_along_axis(rows, where[:, np.newaxis], axis=1)[:, 0]
    own = other[where]
    number: Places = np.add(theirs >= own, theirs > own, dtype=np.intp)
    return number
