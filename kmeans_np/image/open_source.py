"""Opens an image as a source: the only code that checks where pixels are stored."""

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
    """Check the axes of an image, its mask and weights, and return it as a source.

    With `in_blocks`, it is read in blocks even if it is in memory.
    """
    checks.function(progress, "progress", "Progress")
    image = as_pixels(image)
    if isinstance(alpha, str) and alpha == "weights":
        weights, has_alpha = _by_opacity(image, weights, channel_axis)
        source = open_source(
            image, mask, weights, channel_axis, has_alpha, progress, in_blocks
        )
        source.by_opacity = has_alpha
        return source
    if is_dask(image):
        return DaskImage(image, mask, weights, channel_axis, alpha, progress)
    if in_blocks and not is_sliced(image):
        image = checks.real_array(image, "image")
    if in_blocks or is_sliced(image):
        return BlockImage(image, mask, weights, channel_axis, alpha, progress)
    return MemoryImage(image, mask, weights, channel_axis, alpha)


def _by_opacity(image: Any, weights: Any, channel_axis: Any) -> tuple[Any, bool]:
    """Return the weights times the opacity, from 0 to 1, and whether there is alpha.

    The weights are stored where the image is.
    """
    layout, _ = lay_out(shape_only(image), channel_axis, "weights")
    axis = layout.channel_axis
    if not layout.has_alpha or axis is None:
        return weights, False
    if layout.dtype.kind == "i":
        raise _no_opacity(str(layout.dtype))
    if weights is not None and not is_dask(weights):
        weights = weights if hasattr(weights, "dtype") else np.asarray(weights)
    if weights is not None:
        checks.weights_image(shape_only(weights), layout.shape)
    work = partial(_opacity, layout=layout)
    if is_dask(image):
        place = (slice(None),) * axis + (slice(-1, None),)
        opacity = image[place].map_blocks(work, dtype=np.float64).squeeze(axis)
        return (opacity if weights is None else opacity * weights), True
    if is_sliced(image):
        chunks = getattr(image, "chunks", None)
        small = None if chunks is None else layout.without_channels(chunks)
        of_place = partial(_weights_at, image, weights, layout)
        return LazyArray(layout.shape, np.dtype(np.float64), small, of_place), True
    over = None if weights is None else in_memory(weights, "weights")
    every = tuple(slice(0, n) for n in layout.shape)
    return _weights_at(checks.real_array(image, "image"), over, layout, every), True


def _weights_at(
    image: Any, weights: Any, layout: Layout, place: tuple[slice, ...]
) -> Array:
    """Return the weights of the pixels of the block at `place`."""
    block = np.asarray(image[layout.with_channels(place)])
    last = channels_last(block, layout.channel_axis)[..., -1]
    opacity = _opacity(last, layout)
    return opacity if weights is None else opacity * np.asarray(weights[place])


def _opacity(alpha: Array, layout: Layout) -> Array:
    """Return the opacity, from 0 to 1."""
    if layout.dtype.kind == "f" and alpha.size and alpha.max() > 1:
        raise _no_opacity(f"an alpha of {alpha.max():g} in {layout.dtype}")
    most = np.iinfo(layout.dtype).max if layout.dtype.kind == "u" else 1
    return alpha / np.float64(most)


def _no_opacity(got: str) -> checks.ArgumentValueError:
    rule = "hold unsigned integers or floats from 0 to 1"
    return checks.ArgumentValueError(
        "image",
        f"{rule} for alpha='weights'",
        got,
        "scale it, as in image / 255",
        shell_rule=f"{rule} for --alpha weights",
        shell_remedy="scale it, or leave that out",
    )


def as_pixels(image: Any) -> Any:
    """Return an image unchanged, but Pillow images and memoryviews as arrays."""
    if is_picture(image):
        # NumPy would return palette indices as grays.
        return array_of(image)
    return np.asarray(image) if isinstance(image, memoryview) else image
