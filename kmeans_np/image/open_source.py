"""Opens an image as a source: the one place that asks where its pixels lie."""

from functools import partial
from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import (
    LazyArray,
    Report,
    in_memory,
    is_dask,
    is_sliced,
    shape_only,
)
from kmeans_np.files.pillow import array_of, is_picture
from kmeans_np.image.block_source import BlockImage
from kmeans_np.image.dask_source import DaskImage
from kmeans_np.image.layout import Layout, channels_last, lay_out
from kmeans_np.image.source import MemoryImage, Source
from kmeans_np.lloyd import Array


def open_source(
    image: Any,
    mask: Any = None,
    weights: Any = None,
    channel_axis: Any = -1,
    alpha: Any = "auto",
    progress: Report | None = None,
    in_blocks: bool = False,
) -> Source:
    """Return an image as a source; check its axes and those of what lies over it.

    `in_blocks` says to read it so even if it is in memory.
    """
    checks.function(progress, "progress", "Progress")
    image = as_pixels(image)
    if isinstance(alpha, str) and alpha == "weights":
        weights, alpha = _by_opacity(image, weights, channel_axis)
        source = open_source(
            image, mask, weights, channel_axis, alpha, progress, in_blocks
        )
        source.by_opacity = alpha
        return source
    if is_dask(image):
        return DaskImage(image, mask, weights, channel_axis, alpha, progress)
    if in_blocks and not is_sliced(image):
        image = checks.real_array(image, "image")
    if in_blocks or is_sliced(image):
        return BlockImage(image, mask, weights, channel_axis, alpha, progress)
    return MemoryImage(image, mask, weights, channel_axis, alpha)


def _by_opacity(image: Any, weights: Any, channel_axis: Any) -> tuple[Any, bool]:
    """Return weights times what alpha covers, from 0 to 1, and whether there is alpha.

    They lie where the image does.
    """
    layout, _ = lay_out(shape_only(image), channel_axis, "weights")
    axis = layout.channel_axis
    if not layout.has_alpha or axis is None:
        return weights, False
    white = float(np.iinfo(layout.dtype).max) if layout.dtype.kind in "iu" else 1.0
    if is_dask(image):
        place = (slice(None),) * axis + (-1,)
        opacity = image[place] / white
        return (opacity if weights is None else opacity * weights), True
    if is_sliced(image):
        chunks = getattr(image, "chunks", None)
        small = None if chunks is None else layout.without_channels(chunks)
        work = partial(_opacity, image, weights, layout, white)
        return LazyArray(layout.shape, np.dtype(np.float64), small, work), True
    over = None if weights is None else in_memory(weights, "weights")
    every = tuple(slice(0, n) for n in layout.shape)
    image = checks.real_array(image, "image")
    return _opacity(image, over, layout, white, every), True


def _opacity(
    image: Any, weights: Any, layout: Layout, white: float, place: tuple[slice, ...]
) -> Array:
    """Return the weights of the pixels at a place."""
    block = np.asarray(image[layout.with_channels(place)])
    opacity: Array = channels_last(block, layout.channel_axis)[..., -1] / white
    return opacity if weights is None else opacity * np.asarray(weights[place])


def as_pixels(image: Any) -> Any:
    """Return an image as it is, but of Pillow's and of a memoryview the array."""
    if is_picture(image):
        # NumPy would take the indices of a palette for grays.
        return array_of(image)
    return np.asarray(image) if isinstance(image, memoryview) else image
