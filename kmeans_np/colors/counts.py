"""Color counts of an image that is read block by block.

The colors of two parts of an image are merged, and their counts added. So a block can
be released once it has been counted, and the number of counts is limited by the type of
the image, not by its size.
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

# With more possible codes per pixel than this, a table of all takes longer than
# merging.
CODES_PER_PIXEL = 16
# Codes with too many bits for a table are merged when this many have been collected.
MANY_COLORS = 2**22

# The minimum and maximum of each channel.
Ranges = Sequence[tuple[int, int]]


class ColorPacking:
    """How pixels are packed into one number each, using the range of each channel.

    Parameters
    ----------
    dtype : numpy.dtype
        The dtype of the pixels.
    channels : int
        The number of channels.
    ranges : sequence of (int, int), optional
        The minimum and maximum of each channel, within 2**53; by default, those of the
        dtype.
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
        """Whether such pixels can be packed into one number."""
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

        With `weights`, (u, n), as `Units.split` returns them, the counts are their
        sums.
        """

        def count_block(start: int) -> Counted:
            block = slice(start, start + COUNT_BLOCK)
            codes = self.codes(pixels[block])
            if weights is not None:
                return sum_weights(codes, weights[:, block])
            return count_codes(codes, self.n_bits)

        # At least one part, even without pixels.
        starts = range(0, max(1, len(pixels)), COUNT_BLOCK)
        return in_threads(count_block, starts)

    def is_worth_counting(self, n_colors: int, n_pixels: int) -> bool:
        """Return whether to cluster distinct colors instead of pixels.

        Always for 8-bit gray and RGB; for other types, see `worth_counting`.
        """
        return self.is_gray or self.is_rgb or worth_counting(n_colors, n_pixels)

    def are_too_many(self, n_colors: int) -> bool:
        """Return whether so many colors do not pay off, whatever pixels follow."""
        return not self.is_worth_counting(n_colors, 2 * n_colors)

    def colors(self, counted: Counted) -> Colors:
        """Return the colors of codes with their counts, without any pixels."""
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
    """The units that weights are split into, so that their sums are exact in any order.

    A weight is split into the nearest multiple of the largest unit, the multiple of the
    next unit that is nearest to the rest, and so on. The units are so large that
    float64 can represent the sums over all pixels exactly, and so many that the
    smallest weight keeps 48 bits.
    """

    sizes: tuple[float, ...]

    @classmethod
    def of(cls, least: float, largest: float, n: int) -> "Units":
        """Return the units for n weights from `least` to `largest`, both positive."""
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
    """Return the merged counts of all parts, sorted by code."""
    if parts[0][1].ndim == 1:
        return merge_codes(parts)
    codes, weights = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts))
    return sum_weights(codes, weights)


class ColorCounts:
    """The counts of colors in consecutive blocks of an image.

    Parameters
    ----------
    packing : ColorPacking
        How pixels are packed into codes.
    n : int
        The number of pixels of the image.
    """

    def __init__(self, packing: ColorPacking, n: int) -> None:
        self.packing, self.n_pixels, self.n_merged = packing, 0, 0
        self.parts: list[Counted] = []
        self.are_too_many = False
        # Unused parts of a table take no memory, but time to search.
        n_codes = 2**packing.n_bits
        self.in_table = packing.n_bits <= TABLE_BITS and n_codes <= CODES_PER_PIXEL * n
        self.table = np.zeros(n_codes if self.in_table else 0, np.uint64)

    def add(self, pixels: Array, weights: Floats | None = None) -> None:
        """Count the pixels (n, c) of a block, unless there are too many colors already.

        Either all blocks have weights (u, n), as `Units.split` returns them, or none
        has.
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
        """Return the colors and counts; None if clustering colors does not pay off."""
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
