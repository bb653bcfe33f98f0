"""An image outside of memory whose pixels hardly repeat: floats, or many bands.

What this file adds: its pixels as points in parts, of which each step of K-means is a
pass, as for any other points. What it leaves out: the passes (`kmeans_np.clustering`),
and what makes more of a pixel than its numbers: other color spaces, places, weights.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import CHUNK_BYTES, Report, Rows, tiles
from kmeans_np.clustering import Clustering, fit_parts
from kmeans_np.image.features import Features
from kmeans_np.image.segmentation import Clusters, rounded
from kmeans_np.image.streamed import Finder, Place, Streamed, some_take_part
from kmeans_np.lloyd import Array
from kmeans_np.sweeps.parted import Nearest, Parts, Seen, label_rows


class PixelRows(Rows):
    """The pixels of an image that take part, one a row, in the order of memory."""

    def __init__(self, streamed: Streamed, report: Report | None = None) -> None:
        self.streamed = streamed
        layout, n = streamed.layout, int(np.prod(streamed.shape, dtype=object))
        if streamed.mask is not None or layout.has_alpha:
            n = sum(len(streamed.pixels(place).values) for place in self._bands())
            some_take_part(n, streamed)
        super().__init__((n, layout.channels), layout.dtype, self._read, report)

    def _bands(self) -> Iterator[Place]:
        """Yield blocks of whole rows of the image, and of chunks if not too large."""
        layout = self.streamed.layout
        *planes, _, columns = shape = self.streamed.shape
        own = self.streamed.source.chunks
        height = layout.without_channels(own)[-2] if own is not None else 1
        row = columns * layout.channels * layout.dtype.itemsize
        height = max(1, min(height, CHUNK_BYTES // row))
        chunk = (*[1] * len(planes), height, columns)
        yield from tiles(shape, chunk, self.at_once // layout.channels)

    def _read(self) -> Iterator[Array]:
        for place in self._bands():
            yield self.streamed.pixels(place).values

    def named(self) -> checks.Named:
        """Return how errors speak of the pixels."""
        return checks.named_pixels(self._say_place, self.streamed.channel_axis)

    def _say_place(self, index: Array) -> str:
        """Say where the pixel of a row is."""
        number = int(index[0])
        for place in self._bands():
            part = self.streamed.pixels(place).part
            shape = tuple(cut.stop - cut.start for cut in place)
            n = int(np.prod(shape)) if part is None else int(np.count_nonzero(part))
            if number < n:
                where = number if part is None else np.flatnonzero(part)[number]
                inside = np.unravel_index(where, shape)
                begin = [cut.start for cut in place]
                return checks.place_of_pixel(np.add(begin, inside))
            number -= n
        raise AssertionError("there is a pixel for each row")


def fit_pixels(
    parts: Parts, k: int, options: checks.Options, named: checks.Named
) -> tuple[Clustering, Clusters, Finder]:
    """Cluster pixels that lie in parts, of which it is known that they are many.

    Returns the answer, whose labels are `Nearest`; what paints other pixels; and what
    finds their labels.
    """
    result, seen = fit_parts(parts, k, options, named=named, largest_first=True)
    colors = result.centroids
    if len(colors) < k:
        # Each color is a cluster; so the image comes back to the last bit.
        found = parts.gather(_one_of_each, _any, result.labels, seen)
        colors = np.array([found[label] for label in range(len(colors))])
    clusters = Clusters(Features(), result.centroids, rounded(colors, parts.dtype))
    labels: Any = result.labels
    return result, clusters, partial(label_rows, labels=labels, seen=seen)


def _one_of_each(
    pixels: Array, _: int, labels: Nearest, seen: Seen
) -> dict[int, Array]:
    found, first = np.unique(labels.of(pixels, seen), return_index=True)
    return {int(label): pixels[i].copy() for label, i in zip(found, first)}


def _any(parts: list[dict[int, Array]]) -> dict[int, Array]:
    return {label: pixel for part in parts for label, pixel in part.items()}
