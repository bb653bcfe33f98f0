"""Counting 8-bit colors in a table, for processors that sort slowly.

Sorting is the fastest way to count if NumPy has instructions for it that the processor
executes well; otherwise it takes up to seven times as long. A table of all 16.7 million
colors would not fit any cache. But the colors of an image are close together: they are
in few of the 262,144 cells of 8 x 8 x 1 colors. So the cells that occur are found
first, and then the colors are counted in a table of only these cells.
"""

import threading
import time
from functools import cache

import numpy as np

from kmeans_np.lloyd import Array
from kmeans_np.threads import in_threads, n_threads

# The number of cells, and of colors per cell.
CELLS, COLORS = 2**18, 2**6
# How the bits of a code move to the bits of the number of its color: the shift to the
# left, and the bits of the number. In order: the upper bits of red and of green, all of
# blue, the lower bits of green. The lower bits of red stay.
MOVES = (16, 31 << 19), (3, 31 << 14), (-10, 255 << 6), (-5, 7 << 3)
# A table of up to this many entries may be larger than the image.
SMALL_TABLE = 2**21
# The number of pixels per block: with fewer, threads would wait for the interpreter's
# lock.
BLOCK = 2**18
# Sorting 16-bit numbers is a radix sort on every processor. If sorting 32-bit numbers
# takes more than this many times as long, counting in a table is faster.
SLOW = 5
# The number of values sorted to measure this, and of repetitions: the fastest counts.
SAMPLE, TIMES = 2**14, 3


@cache
def sorts_slowly() -> bool:
    """Return whether this processor sorts 32-bit numbers slowly."""
    numbers = np.arange(SAMPLE, dtype=np.uint32) * np.uint32(2654435761)
    halves = (numbers >> np.uint32(16)).astype(np.uint16)

    def taken(array: Array) -> float:
        start = time.perf_counter()
        np.sort(array, kind="stable" if array.itemsize == 2 else None)
        return time.perf_counter() - start

    whole, half = (min(taken(a) for _ in range(TIMES)) for a in (numbers, halves))
    return whole > SLOW * half


def count_in_cells(codes: Array, blocks: list[slice]) -> tuple[Array, Array] | None:
    """Count the colors of many pixels, if their cells are few.

    Parameters
    ----------
    codes : (n,) array of uint32
        The color of each pixel: its channels side by side, red in the lowest 8 bits.
    blocks : list of slice
        The blocks that a thread processes at a time.

    Returns
    -------
    color_codes : (m,) array of uint32
        The distinct colors, in the order of their cells and then of their codes.
    counts : (m,) array of uint32 or uint64
        The number of pixels of each color.

    Notes
    -----
    Returns None if there are so many cells that the tables of all threads together
    would have more than two entries per pixel, and more than `SMALL_TABLE`.
    """

    def find(block: slice) -> Array:
        occurs = np.zeros(CELLS, bool)
        for some in _cut(codes[block]):
            # Indexing with another type takes three times as long.
            occurs[(_numbers(some) // COLORS).astype(np.intp)] = True
        return occurs

    cells = np.flatnonzero(np.any(in_threads(find, blocks), axis=0))
    size = COLORS * len(cells)
    if size * min(n_threads(), len(blocks)) > max(2 * len(codes), SMALL_TABLE):
        return None
    # What to subtract from the number of a color to get its place in the table.
    shifts = np.zeros(CELLS, np.uint32)
    shifts[cells] = COLORS * (cells - np.arange(len(cells)))
    dtype = np.uint32 if len(codes) < 2**32 else np.uint64
    # Each thread has its own table; integers add up exactly in any order.
    tables: dict[int, Array] = {}

    def count(block: slice) -> None:
        here = threading.get_ident()
        if here not in tables:
            tables[here] = np.zeros(size, dtype)
        for some in _cut(codes[block]):
            numbers = _numbers(some)
            numbers -= shifts.take(numbers // COLORS)
            np.add.at(tables[here], numbers.astype(np.intp), dtype(1))

    in_threads(count, blocks)
    first, *others = tables.values()
    for other in others:
        first += other
    # On booleans, flatnonzero is far faster than on integers.
    found = np.flatnonzero(first != 0)
    numbers = found + shifts[cells].take(found // COLORS)
    return _codes(numbers.astype(np.uint32)), first[found]


def _cut(codes: Array) -> list[Array]:
    return [codes[start : start + BLOCK] for start in range(0, len(codes), BLOCK)]


def _numbers(codes: Array) -> Array:
    """Number colors so that those with the same upper bits per channel are adjacent.

    The upper five bits of red, green and blue come first, then the lower bits of blue,
    green and red.
    """
    numbers = codes & np.uint32(0b111)
    for left, bits in MOVES:
        numbers |= _shifted(codes, left) & np.uint32(bits)
    return numbers


def _codes(numbers: Array) -> Array:
    """Return the codes of numbered colors: the inverse of `_numbers`."""
    codes = numbers & np.uint32(0b111)
    for left, bits in MOVES:
        codes |= _shifted(numbers & np.uint32(bits), -left)
    return codes


def _shifted(numbers: Array, left: int) -> Array:
    return numbers << np.uint32(left) if left > 0 else numbers >> np.uint32(-left)
