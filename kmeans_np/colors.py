"""An 8-bit image as its distinct colors and how often each occurs.

What this file adds: the exact shortcut for 8-bit images. A photograph has far fewer
colors than pixels, equal pixels always share a cluster, and a weighted mean of colors
is the mean of their pixels. So it is enough to cluster the colors, each weighted by its
number of pixels, and to look up each pixel's label afterwards: the answer is that of
clustering all the pixels. What it leaves out: images of other types, whose values
hardly repeat.

References
----------
.. [1] M. E. Celebi, "Improving the performance of k-means for color quantization",
   Image and Vision Computing 29 (2011), 260-271. :doi:`10.1016/j.imavis.2010.10.002`
"""

from typing import NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps.cells import cell_numbers
from kmeans_np.threads import in_threads

# Up to this many pixels, searching for the code of each is faster than to fill and
# read a table for all 16.7 million codes.
FEW_PIXELS = 2**14
# How many pixels a thread counts, and how many it looks up, at a time: enough for the
# work to outweigh the thread.
COUNT_BLOCK, LOOK_UP_BLOCK = 2**21, 2**20
# The counts of the blocks are merged in so many ranges of colors, each by a thread.
MERGE_RANGES = 4
# Pixels are looked up in blocks, since NumPy turns the places into 64-bit numbers.
BLOCK = 2**16


class Colors(NamedTuple):
    """The distinct colors of some pixels.

    Attributes
    ----------
    colors : (m, c) array of uint8
        The distinct colors: gray levels rising; others in the order of their cells,
        as `kmeans_np.sweeps.cells.cell_numbers` gives them, and then of their codes.
    counts : (m,) array of float64
        How many pixels have each color.
    codes : (n,) array of uint8 or uint32
        The color of each pixel as one number: blue, green and red side by side.
    color_codes : (m,) array of uint8 or uint32
        The codes of the distinct colors.
    """

    colors: Array
    counts: Floats
    codes: Array
    color_codes: Array


def distinct_colors(pixels: Array) -> Colors:
    """Find the distinct colors of 8-bit pixels and count them.

    Parameters
    ----------
    pixels : (n, c) array of uint8
        The pixels; c is 1 for gray and 3 for color.

    Returns
    -------
    Colors
        The colors, their counts, and what `look_up` needs to get back to the pixels.
    """
    if pixels.shape[1] == 1:
        levels = np.bincount(pixels[:, 0], minlength=256)
        found = np.flatnonzero(levels).astype(np.uint8)
        counts = levels[found].astype(np.float64)
        return Colors(found[:, np.newaxis], counts, pixels[:, 0], found)
    codes = np.empty(len(pixels), np.uint32)

    def count(start: int) -> tuple[Array, Array]:
        block = slice(start, start + COUNT_BLOCK)
        _pack(pixels[block], codes[block])
        ordered = np.sort(codes[block])
        begins = _begins(ordered)
        counts = np.diff(begins, append=len(ordered))
        return ordered.take(begins), counts.astype(np.uint64)

    parts = in_threads(count, range(0, len(pixels), COUNT_BLOCK))
    color_codes, numbers = _merge(parts)
    shifts = np.array([[0], [8], [16]], np.uint32)
    colors = (color_codes >> shifts).astype(np.uint8)
    order = np.argsort(cell_numbers(colors.T), kind="stable")
    # Columns that lie in one piece are what the passes read fastest.
    colors, color_codes = colors.take(order, axis=1), color_codes.take(order)
    return Colors(colors.T, numbers.take(order).astype(np.float64), codes, color_codes)


def _pack(pixels: Array, codes: Array) -> None:
    """Write one number for each pixel: blue, green and red side by side."""
    # A window of four bytes from the start of each pixel holds its three channels and
    # the next pixel's first. But for the last, which has no next.
    flat = np.ascontiguousarray(pixels).reshape(-1)
    windows = np.ndarray(len(pixels) - 1, "<u4", buffer=flat, strides=3)
    np.bitwise_and(windows, 0xFFFFFF, out=codes[:-1])
    red, green, blue = map(int, flat[-3:])
    codes[-1] = blue << 16 | green << 8 | red


def _begins(ordered: Array) -> Array:
    """Return where in ordered numbers each run of equal ones begins."""
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])


def _merge(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Make one count of distinct codes and their counts from those of several parts."""
    if len(parts) == 1:
        return parts[0]
    longest, _ = max(parts, key=lambda part: len(part[0]))
    bounds = longest[len(longest) * np.arange(1, MERGE_RANGES) // MERGE_RANGES]
    cut = [
        zip(*(np.split(array, np.searchsorted(part[0], bounds)) for array in part))
        for part in parts
    ]
    ranges = in_threads(_merge_range, zip(*cut))
    codes, counts = (np.concatenate(arrays) for arrays in zip(*ranges))
    return codes, counts


def _merge_range(parts: tuple[tuple[Array, Array], ...]) -> tuple[Array, Array]:
    # Code and count in one number: sorting it keeps them together.
    both = np.concatenate([codes.astype(np.uint64) << 32 | n for codes, n in parts])
    both.sort()
    codes = (both >> 32).astype(np.uint32)
    begins = _begins(codes)
    return codes.take(begins), np.add.reduceat(both & 0xFFFFFFFF, begins)


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
    codes, color_codes = colors.codes, colors.color_codes
    if len(codes) <= FEW_PIXELS:
        order = np.argsort(color_codes)
        return values[order[np.searchsorted(color_codes, codes, sorter=order)]]
    # Only the entries for colors that occur are ever written or read.
    table = np.empty(256 ** colors.colors.shape[1], values.dtype)
    table[color_codes] = values
    return take(table, codes)


def color_in(palette: Array, labels: Array) -> Array:
    """Give every pixel the color of its label.

    Parameters
    ----------
    palette : (k, c) array
        The colors.
    labels : (n,) array of int
        The label of each pixel, 0 to k - 1.

    Returns
    -------
    (n, c) array of the type of `palette`
        The color of each pixel.
    """
    if len(labels) < FEW_PIXELS or labels.itemsize > 1:
        return take(palette, labels)
    # NumPy copies color by color. Two labels of a byte each make a number that has its
    # entry in a table of pairs of colors: half as many copies.
    k, channels = palette.shape
    pairs = np.empty((256, 256, 2, channels), palette.dtype)
    pairs[:k, :k, 0], pairs[:k, :k, 1] = palette, palette[:, np.newaxis]
    even = len(labels) // 2 * 2
    colors = np.empty((len(labels), channels), palette.dtype)
    both = colors[:even].reshape(-1, 2 * channels)
    take(pairs.reshape(2**16, -1), labels[:even].view("<u2"), both)
    colors[even:] = palette[labels[even:]]
    return colors


def take(table: Array, places: Array, out: Array | None = None) -> Array:
    """Return table[places] without a copy of all places as 64-bit numbers."""
    shape = (len(places), *table.shape[1:])
    result = np.empty(shape, table.dtype) if out is None else out

    def look_up_block(begin: int) -> None:
        for start in range(begin, min(begin + LOOK_UP_BLOCK, len(places)), BLOCK):
            block = slice(start, start + BLOCK)
            # mode="clip" spares a check, and with it another copy.
            np.take(table, places[block], axis=0, out=result[block], mode="clip")

    in_threads(look_up_block, range(0, len(places), LOOK_UP_BLOCK))
    return result
