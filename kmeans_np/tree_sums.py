"""Sums over many points in a fixed order: piece by piece, in a binary tree.

Points are added up piece by piece, the sums of pieces in pairs, those of pairs in
pairs, and so on. Consecutive pieces can be added up to whole branches in one place, and
others elsewhere; the sum is the same to the last bit. And rounding errors hardly
accumulate in a tree.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from kmeans_np.lloyd import Array

# The number of values in a piece, and its largest and smallest number of points.
NUMBERS, MOST, LEAST = 2**22, 2**16, 2**10

# Sums of branches, by their height in the tree and their number at that height. A sum
# is an array, or another object whose addition is commutative.
Sum = TypeVar("Sum")
Tree = dict[tuple[int, int], Sum]
Branches = Tree[Array]


def piece_of(d: int) -> int:
    """Return the number of points with d features in a piece: a power of two."""
    fit = 2 ** ((NUMBERS // d).bit_length() - 1) if d <= NUMBERS else LEAST
    return max(LEAST, min(MOST, fit))


def branches(sums: Iterable[Sum], first: int = 0) -> Tree[Sum]:
    """Return the branches of consecutive pieces, counted from the number `first`."""
    found: Tree[Sum] = {}
    for number, total in enumerate(sums, first):
        _grow(found, 0, number, total)
    return found


def merge_branches(parts: Iterable[Tree[Sum]]) -> Tree[Sum]:
    """Return the merged branches of several parts, in any order."""
    found: Tree[Sum] = {}
    for part in parts:
        for (height, number), total in part.items():
            _grow(found, height, number, total)
    return found


def _grow(found: Tree[Any], height: int, number: int, total: Any) -> None:
    """Add a branch, and join it with its neighbor as long as there is one."""
    while (height, number ^ 1) in found:
        total = found.pop((height, number ^ 1)) + total
        height, number = height + 1, number // 2
    found[height, number] = total


def tree_sum(found: Tree[Sum]) -> Sum:
    """Return the sum of all pieces, from their branches."""
    totals = [found[where] for where in sorted(found)]
    total: Any = totals[0]
    for larger in totals[1:]:
        total = total + larger
    whole: Sum = total
    return whole


def pieces(n: int, d: int) -> list[slice]:
    """Cut n points with d features into pieces."""
    step = piece_of(d)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
