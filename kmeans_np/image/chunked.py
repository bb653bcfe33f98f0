"""The pixels of a Dask array, one a row.

What this file adds: whole rows of the image as chunks of rows of pixels, of which those
that take part are kept, so that each step of K-means is a pass over them, where they
are. What it leaves out: the passes (`kmeans_np.image.pointwise`).
"""

import math
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import CHUNK_BYTES, DaskRows
from kmeans_np.clustering import surveyed
from kmeans_np.image.features import Features
from kmeans_np.image.pixels import Layout
from kmeans_np.lloyd import Array


class PixelChunks(DaskRows):
    """Pixels, one a row, in the order of memory.

    Parameters
    ----------
    rows : (n, c) dask.array.Array
        All pixels of an image.
    part : (n,) dask.array.Array of bool, or None
        Which of them take part, in the same chunks; None for all.
    layout : Layout
        How the image is laid out.
    """

    def __init__(self, rows: Any, part: Any, layout: Layout) -> None:
        import dask.array

        self.layout = layout
        # The number of each pixel says where it is.
        numbers = dask.array.arange(len(rows), chunks=rows.chunks[:1])[:, None]
        if part is not None:
            # To know how many there are takes a look at all.
            rows = rows[part].compute_chunk_sizes()
            kept = rows.chunks[0], (1,)
            numbers = numbers.map_blocks(_kept, part[:, None], chunks=kept)
        self.numbers = numbers
        super().__init__(rows)

    def compared_by(self, features: Features) -> DaskRows:
        """Return the features of these pixels, and where they are if that counts."""
        axes = len(self.layout.shape) if features.pixel else 0
        compared = self.array.map_blocks(
            _features,
            self.numbers,
            features=features,
            shape=self.layout.shape,
            chunks=(self.array.chunks[0], (self.shape[1] + axes,)),
            meta=np.empty((0, 0)),
        )
        return DaskRows(compared)

    def named(self) -> checks.Named:
        """Return how errors speak of the pixels."""
        return checks.named_pixels(self._say_place, self.layout.channel_axis)

    def _say_place(self, index: Array) -> str:
        """Say where the pixel of a row is."""
        number = self.numbers[int(index[0])].compute()
        return checks.place_of_pixel(_places(number, self.layout.shape)[0])


def _kept(numbers: Array, part: Array) -> Array:
    return numbers[part[:, 0]]


def _features(
    pixels: Array, numbers: Array, features: Features, shape: tuple[int, ...]
) -> Array:
    where = _places(numbers[:, 0], shape) if features.pixel else None
    return features.of(pixels, where)


def _places(numbers: Array, shape: tuple[int, ...]) -> Array:
    """Return where pixels of these numbers are in an image, (n, axes)."""
    return np.stack(np.unravel_index(numbers, shape), axis=1)


def pixels_of(image: Any, mask: Any, layout: Layout) -> PixelChunks:
    """Return the pixels of an image that take part."""
    import dask.array

    axis = layout.channel_axis
    last = image[..., None] if axis is None else dask.array.moveaxis(image, axis, -1)
    rows = _in_rows(last, _height(last))
    part = None
    if mask is not None:
        part = _in_rows(mask.astype(bool)[..., None], _height(last))[:, 0]
    if layout.has_alpha:
        alpha = rows[:, -1]
        if layout.dtype.kind == "f":
            opaque = PixelChunks(alpha[:, None], part, layout)
            _some_take_part(opaque, mask)
            surveyed(opaque, opaque.named())
        part = alpha > 0 if part is None else part & (alpha > 0)
    pixels = PixelChunks(rows[:, : layout.channels], part, layout)
    _some_take_part(pixels, mask)
    return pixels


def _some_take_part(pixels: PixelChunks, mask: Any) -> None:
    n, size, n_masked = pixels.shape[0], math.prod(pixels.layout.shape), None
    if mask is not None and not n:
        # Only the error wants to know.
        n_masked = int(mask.astype(bool).sum().compute())
    checks.some_take_part(n, size, n_masked)


def _height(image: Any) -> int:
    """Return how many rows of an image are a chunk: no more than it may have."""
    *_, columns, channels = image.shape
    row = int(columns * channels * image.dtype.itemsize)
    largest = CHUNK_BYTES // 4 // row
    return max(1, min(int(max(image.chunks[-3])), largest))


def _in_rows(image: Any, height: int) -> Any:
    """Return an image with its channels last as pixels, so many rows in a chunk."""
    planes = dict.fromkeys(range(image.ndim - 3), 1)
    sizes = {image.ndim - 3: height, image.ndim - 2: -1, image.ndim - 1: -1}
    return image.rechunk({**planes, **sizes}).reshape((-1, image.shape[-1]))
