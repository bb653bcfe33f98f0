"""An image of integers as its distinct colors and how often each occurs.

An 8-bit photograph has far fewer colors than pixels, equal pixels always share a
cluster, and the weighted mean of colors is the mean of their pixels. So it is enough to
cluster the colors, each weighted by its number of pixels, and to look up the label of
each pixel afterwards: the result is that of clustering all pixels from the same start
[1]_.

References
----------
.. [1] M. E. Celebi, "Improving the performance of k-means for color quantization",
   Image and Vision Computing 29 (2011), 260-271. :doi:`10.1016/j.imavis.2010.10.002`
"""

from typing import Any, NamedTuple

import numpy as np

from kmeans_np.colors.cell_counts import count_in_cells, sorts_slowly
from kmeans_np.colors.lookup import take
from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.cells import cell_numbers
from kmeans_np.threads import in_threads

# Up to this many pixels, a binary search for each code is faster than a table of all
# 16.7 million codes. Codes of more bits than the second number are always searched for;
# codes of up to the third number of bits are counted in a table.
FEW_PIXELS, TABLE_BITS, COUNT_BITS = 2**14, 24, 16
# The number of pixels that a thread counts or searches for at a time: enough work to
# outweigh the thread.
COUNT_BLOCK, SEARCH_BLOCK = 2**21, 2**18
# From this many pixels on, a processor that sorts slowly counts in a table.
MANY_PIXELS = 2**16
# The largest number of distinct values to count, except for 8-bit RGB.
MOST_COLORS = 2**23
# The counts of blocks are merged in this many ranges of colors, each by one thread, and
# within these in ranges of this many codes. If there are more codes than the third
# number per color, sorting is faster.
MERGE_RANGES, RANGE, SPARSE = 4, 2**17, 16

# Distinct codes in rising order, and their counts, of 32 bits if these suffice.
Counted = tuple[Array, Array]


class Colors(NamedTuple):
    """The distinct colors of some pixels."""

    # (m, c) array of the type of the pixels: the distinct colors, in the order of their
    # codes; those of `distinct_colors` in the order of their cells
    # (`kmeans_np.sweeps.cells.cell_numbers`), and then of their codes.
    colors: Array
    # (m,) array of float64: the number of pixels of each color.
    counts: Floats
    # (n,) array of uint8, uint32 or uint64: the code of each pixel, which is its
    # channels side by side.
    codes: Array
    # (m,) array of uint8, uint32 or uint64: the codes of the distinct colors.
    color_codes: Array
    # The number of bits of a code.
    n_bits: int

    @property
    def are_cells(self) -> bool:
        """Whether they are in the order of their cells."""
        return self.colors.dtype == np.uint8 and self.colors.shape[1] == 3


def distinct_colors(pixels: Array) -> Colors:
    """Find the distinct colors of 8-bit pixels and count them.

    Parameters
    ----------
    pixels : (n, c) array of uint8
        The pixels; c is 1 for gray and 3 for color.

    Returns
    -------
    Colors
        The colors, their counts, and what `look_up` needs to map them to pixels.
    """
    if pixels.shape[1] == 1:
        levels = np.bincount(pixels[:, 0], minlength=256)
        found = np.flatnonzero(levels).astype(np.uint8)
        counts = levels[found].astype(np.float64)
        return Colors(found[:, np.newaxis], counts, pixels[:, 0], found, 8)
    codes = np.empty(len(pixels), np.uint32)
    blocks = [slice(i, i + COUNT_BLOCK) for i in range(0, len(pixels), COUNT_BLOCK)]
    if len(pixels) >= MANY_PIXELS and sorts_slowly():
        in_threads(lambda block: pack_rgb(pixels[block], codes[block]), blocks)
        counted = count_in_cells(codes, blocks)
        if counted is not None:
            return _rgb_colors(*counted, codes)

    def count(block: slice) -> Counted:
        pack_rgb(pixels[block], codes[block])
        return count_codes(codes[block].copy(), 24)

    return in_cells(*_merge(in_threads(count, blocks)), codes)


def in_cells(color_codes: Array, numbers: Array, codes: Array) -> Colors:
    """Return the 8-bit colors of codes in the order of their cells."""
    order = np.argsort(cell_numbers(_channels(color_codes).T), kind="stable")
    return _rgb_colors(color_codes.take(order), numbers.take(order), codes)


def _rgb_colors(color_codes: Array, numbers: Array, codes: Array) -> Colors:
    # The passes read contiguous columns fastest.
    colors = _channels(color_codes).T
    return Colors(colors, numbers.astype(np.float64), codes, color_codes, 24)


def _channels(codes: Array) -> Array:
    """Return red, green and blue of codes (m,), as (3, m)."""
    shifts = np.array([[0], [8], [16]], np.uint32)
    return (codes >> shifts).astype(np.uint8)


def pack_rgb(pixels: Array, codes: Array) -> None:
    """Write the code of each pixel: blue, green and red side by side."""
    # A window of four bytes from the start of each pixel has its three channels and the
    # first channel of the next pixel; but the last pixel has no next one.
    flat = np.ascontiguousarray(pixels).reshape(-1)
    windows = np.ndarray(len(pixels) - 1, "<u4", buffer=flat, strides=3)
    np.bitwise_and(windows, 0xFFFFFF, out=codes[:-1])
    red, green, blue = map(int, flat[-3:])
    codes[-1] = blue << 16 | green << 8 | red


def count_codes(codes: Array, n_bits: int) -> Counted:
    """Count codes with this many bits; they are sorted in place."""
    if n_bits <= COUNT_BITS:
        levels = np.bincount(codes)
        found = np.flatnonzero(levels)
        return found.astype(codes.dtype), levels[found].astype(count_dtype(len(codes)))
    codes.sort()
    starts = run_starts(codes)
    counts = np.empty(len(starts), count_dtype(len(codes)))
    np.subtract(starts[1:], starts[:-1], out=counts[:-1], casting="unsafe")
    counts[-1:] = len(codes) - starts[-1:]
    return codes.take(starts), counts


def run_starts(ordered: Array) -> Array:
    """Return the start of each run of equal numbers among sorted ones."""
    is_first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return np.flatnonzero(is_first)


def _merge(parts: list[Counted]) -> Counted:
    """Merge the distinct codes and counts of several parts."""
    if len(parts) == 1:
        return parts[0]
    longest, _ = max(parts, key=lambda part: len(part[0]))
    bounds = longest[len(longest) * np.arange(1, MERGE_RANGES) // MERGE_RANGES]
    cut = [
        zip(*(np.split(array, np.searchsorted(part[0], bounds)) for array in part))
        for part in parts
    ]
    ranges = in_threads(merge_codes, map(list, zip(*cut)))
    codes, counts = (np.concatenate(arrays) for arrays in zip(*ranges))
    return codes, counts


def merge_codes(parts: list[Counted]) -> Counted:
    """Return the merged counts of all parts, sorted by code."""
    total = sum(int(counts.sum()) for _, counts in parts)
    parts = [part for part in parts if len(part[0])] or parts[:1]
    if len(parts) == 1:
        codes, counts = parts[0]
        return codes, counts.astype(count_dtype(total), copy=False)
    low = min(int(codes[0]) for codes, _ in parts)
    span = max(int(codes[-1]) for codes, _ in parts) - low + 1
    if span <= SPARSE * sum(len(codes) for codes, _ in parts):
        return _merged_in_ranges(parts, low, span, total)
    codes, counts = (np.concatenate(arrays) for arrays in zip(*parts))
    if codes.itemsize <= 4 and total < 2**32:
        # Code and count in one number: sorting keeps them together, and the lower half
        # of a sum is the sum of the counts.
        both = codes.astype(np.uint64)
        both <<= np.uint64(32)
        both |= counts
        both.sort()
        codes = (both >> np.uint64(32)).astype(codes.dtype)
        starts = run_starts(codes)
        sums = np.add.reduceat(both, starts) & np.uint64(0xFFFFFFFF)
    else:
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        starts = run_starts(codes)
        sums = np.add.reduceat(counts[order].astype(np.uint64), starts)
    return codes[starts], sums.astype(count_dtype(total), copy=False)


def _merged_in_ranges(parts: list[Counted], low: int, span: int, total: int) -> Counted:
    """Merge counts of dense codes, in a table of one range of codes at a time.

    A range is small enough to stay in the processor's cache.
    """
    dtype = parts[0][0].dtype.type
    starts = [dtype(low + start) for start in range(0, span, RANGE)]
    cuts = [np.append(np.searchsorted(part[0], starts), len(part[0])) for part in parts]
    table = np.zeros(min(span, RANGE), count_dtype(total))
    found: list[Counted] = []
    for number, start in enumerate(starts):
        for (codes, counts), cut in zip(parts, cuts):
            one = slice(cut[number], cut[number + 1])
            table[codes[one] - start] += counts[one]
        places = np.flatnonzero(table != 0)
        found.append((places.astype(dtype) + start, table[places]))
        table[places] = 0
    codes, counts = (np.concatenate(arrays) for arrays in zip(*found))
    return codes, counts


def count_dtype(total: int) -> type[Any]:
    """Return the smallest dtype for counts that have this sum."""
    return np.uint32 if total < 2**32 else np.uint64


def distinct_values(pixels: Array) -> Colors | None:
    """Find the distinct pixels of any integers and count them, if that pays off.

    Parameters
    ----------
    pixels : (n, c) array of bool or integers
        The pixels, within 2**53.

    Returns
    -------
    Colors or None
        As in `distinct_colors`, in the order of their codes. None if it does not pay
        off, or if the ranges of the channels together take more than 64 bits.
    """
    lows = [int(channel.min()) for channel in pixels.T]
    highs = [int(channel.max()) for channel in pixels.T]
    bits = [(high - low).bit_length() for low, high in zip(lows, highs)]
    n_bits = sum(bits)
    if n_bits > 64:
        return None
    codes = pack(pixels, lows, bits)
    color_codes, counts = count_codes(codes.copy(), n_bits)
    if not worth_counting(len(color_codes), len(pixels)):
        return None
    colors = unpack(color_codes, lows, bits, pixels.dtype)
    return Colors(colors, counts.astype(np.float64), codes, color_codes, n_bits)


def worth_counting(n_colors: int, n_pixels: int) -> bool:
    """Return whether to cluster distinct colors instead of pixels.

    That pays off if there are at most half as many colors as pixels, unless there are
    so many that their counts would take hundreds of megabytes.
    """
    return 2 * n_colors <= n_pixels and n_colors <= MOST_COLORS


def pack(pixels: Array, lows: list[int], bits: list[int]) -> Array:
    """Write one number for each pixel (n, c): its channels, less `lows`, in `bits`."""
    dtype = np.uint32 if sum(bits) <= 32 else np.uint64
    codes: Array = np.zeros(len(pixels), dtype)
    for channel, low, width in zip(pixels.T, lows, bits):
        if width:
            codes <<= dtype(width % (8 * codes.itemsize))
            codes |= (channel.astype(np.int64) - low).astype(dtype)
    return codes


def unpack(
    codes: Array, lows: list[int], bits: list[int], dtype: np.dtype[Any]
) -> Array:
    """Return the colors, (m, c), of codes: the inverse of `pack`."""
    colors = np.empty((len(bits), len(codes)), dtype)
    left = codes.astype(np.uint64)
    for row, low, width in reversed([*zip(colors, lows, bits)]):
        row[:] = (left & np.uint64(2**width - 1)).astype(np.int64) + low
        left >>= np.uint64(width % 64)
    return colors.T


class Lookup:
    """Looks up the value of each pixel by the code of its color.

    Parameters
    ----------
    values : (m,) array
        One value for each distinct color.
    color_codes : (m,) array of uint8, uint32 or uint64
        The codes of the colors.
    n_bits : int
        The number of bits of a code.
    few : bool, default False
        Whether only few pixels will be looked up.
    """

    def __init__(
        self, values: Array, color_codes: Array, n_bits: int, few: bool = False
    ) -> None:
        self.searching = few or n_bits > TABLE_BITS
        if self.searching:
            order = np.argsort(color_codes)
            self.ordered, self.values = color_codes[order], values[order]
        else:
            # Only entries of colors that occur are ever written or read.
            self.values = np.empty(2**n_bits, values.dtype)
            self.values[color_codes] = values

    def __call__(self, codes: Array) -> Array:
        """Return the value of each code, in the dtype of the values."""
        if not self.searching:
            return take(self.values, codes)

        def search(start: int) -> Array:
            block = codes[start : start + SEARCH_BLOCK]
            return self.values[np.searchsorted(self.ordered, block)]

        return np.concatenate(in_threads(search, range(0, len(codes), SEARCH_BLOCK)))


def distinct_of(pixels: Array) -> Colors | None:
    """Return the distinct colors of pixels (n, c), if clustering these pays off."""
    if pixels.dtype == np.uint8 and pixels.shape[1] in (1, 3):
        return distinct_colors(pixels)
    return None if pixels.dtype.kind == "f" else distinct_values(pixels)


def look_up(values: Array, colors: Colors) -> Array:
    """Give every pixel the value of its color.

    Parameters
    ----------
    values : (m,) array
        One value for each distinct color.
    colors : Colors
        The colors and codes of the pixels.

    Returns
    -------
    (n,) array of the type of `values`
        The value of each pixel.
    """
    few = len(colors.codes) <= FEW_PIXELS
    return Lookup(values, colors.color_codes, colors.n_bits, few)(colors.codes)
