"""The formats JPEG, BMP, WebP and GIF, and all others that Pillow reads."""

from functools import partial

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.colors import distinct_colors
from kmeans_np.files.formats import Format
from kmeans_np.files.frames import animation_bytes, read_frames, write_frames
from kmeans_np.files.metadata import NOTHING, Metadata
from kmeans_np.files.pillow import (
    describe_with_pillow,
    pillow_bytes,
    read_with_pillow,
    with_metadata,
)
from kmeans_np.files.png import PALETTE_SIZE, numbered_colors
from kmeans_np.lloyd import Array


def write_gif(image: Array, _: Metadata) -> bytes:
    """Return the content of a GIF of one image."""
    if image.ndim == 2:
        # With a palette of only the grays that occur, it would not be read as gray
        # again.
        return pillow_bytes(image, ".gif", optimize=False)
    return write_gif_frames(image[np.newaxis], NOTHING)


def write_gif_frames(images: Array, metadata: Metadata) -> bytes:
    """Return the content of a GIF with at most 256 colors in all frames together."""
    from PIL import Image

    if images.ndim == 3:
        images = np.repeat(images[..., np.newaxis], 3, axis=3)
    pixels = images.reshape(-1, images.shape[3])
    if images.shape[3] == 4:
        alpha = pixels[:, 3:]
        if ((alpha > 0) & (alpha < 255)).any():
            rule = "be transparent or opaque everywhere to be written to a .gif file"
            got, remedy = "some pixels that are neither", "choose .png"
            raise ArgumentValueError("image", rule, got, remedy)
        # All transparent pixels are one color.
        pixels = np.where(alpha > 0, pixels, 0)
    found = numbered_colors(pixels)
    if found is None:
        rule = f"have at most {PALETTE_SIZE} colors to be written to a .gif file"
        got = f"{len(distinct_colors(pixels[:, :3]).counts):,}"
        raise ArgumentValueError("image", rule, got, "choose .png, or fewer colors")
    palette, numbers = found
    frames, how = [], {}
    for frame in numbers.reshape(images.shape[:3]):
        frames.append(Image.fromarray(frame))
        frames[-1].putpalette(palette[:, :3].tobytes())
    hidden = np.flatnonzero(palette[:, 3:] == 0)
    if len(hidden):
        # So that no frame shows through the next one.
        how = {"transparency": int(hidden[0]), "disposal": 2}
    return animation_bytes(frames, metadata, ".gif", optimize=False, **how)


_HOLDS = ("color_profile", "resolution")
# Written without loss where possible, so that a segmented image keeps its k colors.
JPEG = Format(
    (".jpg", ".jpeg"),
    read_with_pillow,
    read_frames,
    describe_with_pillow,
    write=partial(with_metadata, suffix=".jpg", quality=95, subsampling=0),
    longest=65_500,
    metadata=_HOLDS,
    resolutions=(0.5, 2**16 - 1),
    lossless=False,
)
BMP = Format(
    (".bmp",),
    read_with_pillow,
    read_frames,
    describe_with_pillow,
    write=partial(with_metadata, suffix=".bmp"),
    metadata=_HOLDS[1:],
    resolutions=(0.02, 2**24),
)
WEBP = Format(
    (".webp",),
    read_with_pillow,
    read_frames,
    describe_with_pillow,
    write=partial(with_metadata, suffix=".webp", lossless=True, exact=True),
    write_all=partial(write_frames, suffix=".webp", lossless=True, exact=True),
    channels=(1, 3, 4),
    longest=16_383,
    metadata=(*_HOLDS, "durations"),
)
GIF = Format(
    (".gif",),
    read_with_pillow,
    read_frames,
    describe_with_pillow,
    write=write_gif,
    write_all=write_gif_frames,
    channels=(1, 3, 4),
    longest=65_535,
    metadata=("durations",),
)
ANY = Format((), read_with_pillow, read_frames, describe_with_pillow)
