"""Several images in a file, such as the frames of an animation, as one array."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.files.metadata import Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.files.pillow import frame_of, frames_of, header, options_for
from kmeans_np.lloyd import Array

# How long a frame is shown, in milliseconds, if nobody says.
DURATION = 100.0


def read_frames(file: BinaryIO, path: Path) -> Array:
    """Read all images in a file, which must be of one size, as one array."""
    with decode_errors(path), header(file) as picture:
        frames = [frame_of(each, path) for each in frames_of(picture)]
        if len({frame.size for frame in frames}) > 1:
            rule, remedy = "hold images of one size", "choose one with {}page"
            raise ArgumentValueError(
                "path",
                f"{rule} to be read at once",
                path,
                remedy.format(""),
                shell_remedy=remedy.format("--"),
            )
        modes = "".join({frame.mode for frame in frames})
        if len({frame.mode for frame in frames}) > 1:
            # Some may be gray or opaque, and others not.
            mode = ("RGB" if "R" in modes else "L") + "A" * ("A" in modes)
            frames = [frame.convert(mode) for frame in frames]
        images = np.stack([np.asarray(frame) for frame in frames])
        # An animated WebP has alpha to leave out what stays, seen or not.
        is_opaque = picture.format == "WEBP" and (images[..., 3:] == 255).all()
        return images[..., :3] if is_opaque else images


def write_frames(
    images: Array, metadata: Metadata, suffix: str, **options: Any
) -> bytes:
    """Return the content of an animation of (n, rows, columns[, channels]) images.

    A frame like the one before it is not written; that is shown longer instead.
    """
    from PIL import Image

    return animation_bytes([*map(Image.fromarray, images)], metadata, suffix, **options)


def animation_bytes(
    frames: list[Any], metadata: Metadata, suffix: str, **how: Any
) -> bytes:
    """Return the content of a file of these frames."""
    if len(frames) > 1:
        durations, loop = metadata.durations, metadata.loop
        if durations is None or len(durations) != len(frames):
            durations, loop = (DURATION,) * len(frames), loop or 0
        how |= {"save_all": True, "append_images": frames[1:]}
        how |= {"duration": [round(each) for each in durations]}
        # Without a word on that, a GIF is played once.
        how |= {} if loop is None else {"loop": loop}
    file = io.BytesIO()
    frames[0].save(file, suffix[1:].upper(), **options_for(metadata, suffix), **how)
    return file.getvalue()
