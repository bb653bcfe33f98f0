"""The colors of an image that is read block by block: counts that grow.

The colors of two parts of an image are those of either, and how often each occurs adds
up; so an image of any size has at most as many colors as its type allows, and a block
of it is forgotten when it has been counted.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.colors.distinct import (
    COUNT_BLOCK,
    TABLE_BITS,
    Colors,
    Counted,
    count_codes,
    in_cells,
    merge_codes,
    pack,
    pack_rgb,
    run_starts,
    unpack,
    worth_counting,
)
from kmeans_np.lloyd import Array, Floats
from kmeans_np.threads import in_threads

# With more codes than this for each pixel, a table of all takes longer than to merge.
CODES_PER_PIXEL = 16
# Codes of more bits than a table has are merged when so many have come together.
MANY_COLORS = 2**22

# The smallest and the largest number of each channel.
Ranges = Sequence[tuple[int, int]]


class ColorPacking:
    """Pixels as one number each, by the range of their type, or by one that is given.

    Parameters
    ----------
    dtype : numpy.dtype
        The type of the pixels.
    channels : int
        How many numbers a pixel has.
    ranges : sequence of (int, int), optional
        The smallest and the largest number of each channel, none larger than 2**53;
        when not given, those of the type.
    """

    def __init__(
        self, dtype: np.dtype[Any], channels: int, ranges: Ranges | None = None
    ) -> None:
        self.dtype, self.channels, self.is_known = dtype, channels, ranges is not None
        if ranges is not None:
            self.lows = [low for low, _ in ranges]
            self.bits = [(high - low).bit_length() for low, high in ranges]
        else:
            signed = dtype.kind == "i"
            self.lows = [int(np.iinfo(dtype).min) if signed else 0] * channels
            self.bits = [8 * dtype.itemsize] * channels
        self.n_bits = sum(self.bits)
        one_byte = dtype == np.uint8 and ranges is None
        self.is_gray, self.is_rgb = (one_byte and channels == n for n in (1, 3))

    @property
    def is_possible(self) -> bool:
        """Whether such pixels can be written as one number."""
        safe = self.is_known or self.dtype.itemsize < 8
        return self.dtype.kind in "bui" and self.n_bits <= 64 and safe

    def codes(self, pixels: Array) -> Array:
        """Return the codes of pixels (n, c)."""
        if not self.is_rgb:
            return pack(pixels, self.lows, self.bits)
        codes = np.empty(len(pixels), np.uint32)
        if len(pixels):
            pack_rgb(pixels, codes)
        return codes

    def count(self, pixels: Array, weights: Floats | None = None) -> list[Counted]:
        """Return the distinct codes in parts of pixels (n, c), and their counts.

        Those are the sums of `weights`, (u, n), as `Units.split` gives them, if there
        are any.
        """

        def count_block(start: int) -> Counted:
            block = slice(start, start + COUNT_BLOCK)
            codes = self.codes(pixels[block])
            if weights is not None:
                return sum_weights(codes, weights[:, block])
            return count_codes(codes, self.n_bits)

        # At least one part, if only of no pixels.
        starts = range(0, max(1, len(pixels)), COUNT_BLOCK)
        return in_threads(count_block, starts)

    def is_worth_counting(self, n_colors: int, n_pixels: int) -> bool:
        """Return whether to compare colors is better than to compare pixels.

        It is for 8-bit gray and RGB in any case; for others, see `worth_counting`.
        """
        return self.is_gray or self.is_rgb or worth_counting(n_colors, n_pixels)

    def are_too_many(self, n_colors: int) -> bool:
        """Return whether so many colors do not pay, whatever comes besides."""
        return not self.is_worth_counting(n_colors, 2 * n_colors)

    def colors(self, counted: Counted) -> Colors:
        """Return the colors of codes and their counts, without any pixels."""
        order = np.argsort(counted[0])
        color_codes, counts = (array.take(order, axis=-1) for array in counted)
        if counts.ndim == 2:
            counts = counts.sum(axis=0)
        nowhere = color_codes[:0]
        if self.is_rgb:
            return in_cells(color_codes, counts, nowhere)
        colors = unpack(color_codes, self.lows, self.bits, self.dtype)
        return Colors(
            colors, counts.astype(np.float64), nowhere, color_codes, self.n_bits
        )


class Units(NamedTuple):
    """What weights are split into, so that their sums are exact in any order.

    Of a weight, the multiple of the largest unit that is nearest to it, then that of
    the next one nearest to the rest, and so on. The units are so large that float64
    holds the sums over all pixels; and there are so many that the smallest weight keeps
    48 bits.
    """

    sizes: tuple[float, ...]

    @classmethod
    def of(cls, least: float, largest: float, n: int) -> "Units":
        """Return the units for n weights between these two, which are positive."""
        of_all = math.ceil(math.log2(n))
        first = math.ceil(math.log2(largest)) + of_all - 52
        last = math.floor(math.log2(least)) - 48
        return cls(tuple(2.0**e for e in range(first, last - 52, of_all - 52)))

    def split(self, weights: Floats) -> Floats:
        """Return weights (n,) as multiples of the units, (units, n)."""
        parts, rest = np.empty((len(self.sizes), len(weights))), weights
        for part, size in zip(parts, self.sizes):
            np.rint(np.divide(rest, size, out=part), out=part)
            part *= size
            if size != self.sizes[-1]:
                rest = rest - part
        return parts


def sum_weights(codes: Array, weights: Floats) -> Counted:
    """Return the distinct codes and the sums of their weights (u, n)."""
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    starts = run_starts(codes)
    return codes[starts], np.add.reduceat(weights[:, order], starts, axis=1)


def merge_counts(parts: list[Counted]) -> Counted:
    """Return the counts of all parts together, with rising codes."""
    if parts[0][1].ndim == 1:
        return merge_codes(parts)
    codes, weights = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts))
    return sum_weights(codes, weights)


class ColorCounts:
    """How often each color occurs in blocks that come one after the other.

    Parameters
    ----------
    packing : ColorPacking
        How the pixels are written as numbers.
    n : int
        How many pixels the image has.
    """

    def __init__(self, packing: ColorPacking, n: int) -> None:
        self.packing, self.n_pixels, self.n_merged = packing, 0, 0
        self.parts: list[Counted] = []
        self.are_too_many = False
        # What nobody writes to takes no memory, but it takes time to look for the rest.
        n_codes = 2**packing.n_bits
        self.in_table = packing.n_bits <= TABLE_BITS and n_codes <= CODES_PER_PIXEL * n
        self.table = np.zeros(n_codes if self.in_table else 0, np.uint64)

    def add(self, pixels: Array, weights: Floats | None = None) -> None:
        """Count the pixels (n, c) of a block, unless their colors are too many.

        All blocks have weights (u, n), as `Units.split` gives them, or none has.
        """
        self.n_pixels += len(pixels)
        if self.are_too_many:
            return
        parts = self.packing.count(pixels, weights)
        if self.in_table and weights is None:
            for codes, counts in parts:
                self.table[codes] += counts
            return
        self.parts += parts
        n_new = sum(len(codes) for codes, _ in self.parts)
        if n_new > max(MANY_COLORS, 2 * self.n_merged):
            self._merge()

    def _merge(self) -> None:
        self.parts = [merge_counts(self.parts)]
        self.n_merged = len(self.parts[0][0])
        if self.packing.are_too_many(self.n_merged):
            self.are_too_many, self.parts = True, []

    def colors(self) -> Colors | None:
        """Return the colors and counts; None if it does not pay to have them."""
        if self.in_table and not self.parts:
            codes = np.flatnonzero(self.table).astype(np.uint32)
            counts = self.table[codes]
        else:
            self._merge()
            if self.are_too_many:
                return None
            codes, counts = self.parts[0]
        if not self.packing.is_worth_counting(len(codes), self.n_pixels):
            return None
        return self.packing.colors((codes, counts))
