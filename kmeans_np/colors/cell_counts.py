"""Counting 8-bit colors in a table, for processors that sort slowly.

To sort is the fastest way to count where NumPy has instructions for it that the
processor carries out well; where not, it takes up to seven times as long. A table of
all 16.7 million colors would not fit any cache. But a picture's colors lie close: they
are in a few thousand of the 32,768 cells of 8 x 8 x 8 colors. So which cells there are
is found first, and then the colors are counted in a table of these alone.
"""

import threading
import time
from functools import cache

import numpy as np

from kmeans_np.lloyd import Array
from kmeans_np.threads import in_threads, n_threads

# How many cells there are, and how many colors each has.
CELLS, COLORS = 2**15, 2**9
# How many pixels are looked at together: as many as fit the second-level cache.
BLOCK = 2**16
# From so many times as long as to sort 16 bits, which is done by their digits on every
# processor, sorting 32 bits takes longer than to count in a table.
SLOW = 6
# How many numbers are sorted to find out, and how often: the fastest time counts.
SAMPLE, TIMES = 2**16, 3


@cache
def sorts_slowly() -> bool:
    """Return whether this processor takes long to sort numbers of 32 bits."""
    numbers = np.arange(SAMPLE, dtype=np.uint32) * np.uint32(2654435761)
    halves = (numbers >> np.uint32(16)).astype(np.uint16)

    def taken(array: Array) -> float:
        start = time.perf_counter()
        np.sort(array, kind="stable" if array.itemsize == 2 else None)
        return time.perf_counter() - start

    whole, half = (min(taken(a) for _ in range(TIMES)) for a in (numbers, halves))
    return whole > SLOW * half


def count_in_cells(codes: Array, blocks: list[slice]) -> tuple[Array, Array] | None:
    """Count the colors of many pixels.

    Parameters
    ----------
    codes : (n,) array of uint32
        The color of each pixel: its channels side by side, red in the lowest 8 bits.
    blocks : list of slice
        What a thread looks at, at a time.

    Returns
    -------
    color_codes : (m,) array of uint32
        The distinct colors, in the order of their cells and then of their codes.
    counts : (m,) array of uint32 or uint64
        How often each occurs.

    None if there are so many cells that the tables of all threads together would have
    more numbers than two for each pixel.
    """

    def find(block: slice) -> Array:
        occurs = np.zeros(CELLS, bool)
        for some in _cut(codes[block]):
            occurs[_cells(some)] = True
        return occurs

    cells = np.flatnonzero(np.any(in_threads(find, blocks), axis=0))
    size = COLORS * len(cells)
    if size * min(n_threads(), len(blocks)) > 2 * len(codes):
        return None
    places = np.zeros(CELLS, np.intp)
    places[cells] = np.arange(0, size, COLORS)
    dtype = np.uint32 if len(codes) < 2**32 else np.uint64
    # Each thread counts in a table of its own; whole numbers add up in any order.
    tables: dict[int, Array] = {}

    def count(block: slice) -> None:
        here = threading.get_ident()
        if here not in tables:
            tables[here] = np.zeros(size, dtype)
        for some in _cut(codes[block]):
            where = places.take(_cells(some))
            where += _inside(some)
            np.add.at(tables[here], where, dtype(1))

    in_threads(count, blocks)
    first, *others = tables.values()
    for other in others:
        first += other
    # Far faster than to look for what is not 0 among numbers.
    found = np.flatnonzero(first != 0)
    return _codes(cells[found // COLORS], found % COLORS), first[found]


def _cut(codes: Array) -> list[Array]:
    return [codes[start : start + BLOCK] for start in range(0, len(codes), BLOCK)]


def _cells(codes: Array) -> Array:
    """Return the cell of each color: the upper five bits of red, green and blue."""
    upper = codes >> np.uint32(3)
    cells = (upper & np.uint32(0b11111)) << np.uint32(10)
    cells |= (upper >> np.uint32(3)) & np.uint32(0b11111 << 5)
    cells |= upper >> np.uint32(16)
    return cells


def _inside(codes: Array) -> Array:
    """Return which color of its cell each is: the lower bits of blue, green and red."""
    lower = codes & np.uint32(0b111)
    lower |= (codes >> np.uint32(5)) & np.uint32(0b111 << 3)
    lower |= (codes >> np.uint32(10)) & np.uint32(0b111 << 6)
    return lower


def _codes(cells: Array, inside: Array) -> Array:
    """Return the colors that are these of these cells: the way back."""
    codes = (cells >> 10 << 3) | (inside & 0b111)
    codes |= (cells >> 5 & 0b11111) << 11 | (inside >> 3 & 0b111) << 8
    codes |= (cells & 0b11111) << 19 | (inside >> 6) << 16
    return codes.astype(np.uint32)
