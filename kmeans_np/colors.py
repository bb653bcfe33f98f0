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

# Up to this many pixels, searching for the code of each is faster than to fill and
# read a table for all 16.7 million codes.
FEW_PIXELS = 2**14
# Pixels are looked up in blocks, since NumPy turns the places into 64-bit numbers.
BLOCK = 2**16


class Colors(NamedTuple):
    """The distinct colors of some pixels.

    Attributes
    ----------
    colors : (m, c) array of float64
        The distinct colors, in rising order of their codes.
    counts : (m,) array of float64
        How many pixels have each color.
    codes : (n,) array of uint8 or uint32
        The color of each pixel as one number: red, green and blue side by side.
    color_codes : (m,) array of uint8 or uint32
        The codes of the distinct colors.
    """

    colors: Floats
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
    codes = _pack(pixels)
    # Equal codes stand side by side once they are sorted, and a color begins wherever
    # a code differs from the one before.
    ordered = np.sort(codes)
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    color_codes = ordered[begins]
    counts = np.diff(begins, append=len(codes)).astype(np.float64)
    shifts = range(8 * (pixels.shape[1] - 1), -1, -8)
    columns = [(color_codes >> shift & 255).astype(np.float64) for shift in shifts]
    # Columns that lie in one piece are what the passes read fastest.
    return Colors(np.array(columns).T, counts, codes, color_codes)


def _pack(pixels: Array) -> Array:
    """Return one number for each pixel: its channels side by side."""
    if pixels.shape[1] == 1:
        return pixels[:, 0]
    codes = pixels[:, 0].astype(np.uint32)
    for channel in pixels[:, 1:].T:
        codes <<= 8
        codes |= channel
    return codes


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
        return values[np.searchsorted(color_codes, codes)]
    # Only the entries for colors that occur are ever written or read.
    table = np.empty(256 ** colors.colors.shape[1], values.dtype)
    table[color_codes] = values
    return take(table, codes)


def take(table: Array, places: Array) -> Array:
    """Return table[places] without a copy of all places as 64-bit numbers."""
    result = np.empty((len(places), *table.shape[1:]), table.dtype)
    for start in range(0, len(places), BLOCK):
        block = slice(start, start + BLOCK)
        # mode="clip" spares a check, and with it another copy.
        np.take(table, places[block], axis=0, out=result[block], mode="clip")
    return result
