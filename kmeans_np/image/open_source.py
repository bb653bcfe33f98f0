"""Opens an image as a source: the one place that asks where its pixels lie."""

from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import Report, is_dask, is_sliced
from kmeans_np.files.pillow import array_of, is_picture
from kmeans_np.image.block_source import BlockImage
from kmeans_np.image.dask_source import DaskImage
from kmeans_np.image.source import MemoryImage, Source


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
    if is_dask(image):
        return DaskImage(image, mask, weights, channel_axis, alpha, progress)
    if in_blocks and not is_sliced(image):
        image = checks.real_array(image, "image")
    if in_blocks or is_sliced(image):
        return BlockImage(image, mask, weights, channel_axis, alpha, progress)
    return MemoryImage(image, mask, weights, channel_axis, alpha)


def as_pixels(image: Any) -> Any:
    """Return an image as it is, but of Pillow's and of a memoryview the array."""
    if is_picture(image):
        # NumPy would take the indices of a palette for grays.
        return array_of(image)
    return np.asarray(image) if isinstance(image, memoryview) else image
