"""Several images in a file, such as the frames of an animation, as one array."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.files.metadata import Metadata
from kmeans_np.files.paths import decode_errors, unlike_images
from kmeans_np.files.pillow import (
    ORIENTATION,
    frame_of,
    frames_of,
    header,
    options_for,
    upright,
)
from kmeans_np.lloyd import Array

# The default duration of a frame, and the longest one, in milliseconds.
DURATION = 100.0
LONGEST = 655_350


def read_frames(file: BinaryIO, path: Path) -> Array:
    """Read all images in a file, which must have the same size, as one array."""
    with decode_errors(path), header(file) as picture:
        frames, turns = [], []
        for each in frames_of(picture):
            frames.append(frame_of(each, path))
            turns.append(each.getexif().get(ORIENTATION))
        if len({frame.size for frame in frames}) > 1:
            raise unlike_images(path, "images of one size")
        modes = "".join({frame.mode for frame in frames})
        if len({frame.mode for frame in frames}) > 1:
            # Some frames may be gray or opaque, and others not.
            mode = ("RGB" if "R" in modes else "L") + "A" * ("A" in modes)
            frames = [frame.convert(mode) for frame in frames]
        arrays = [upright(np.asarray(x), turn) for x, turn in zip(frames, turns)]
        images = np.stack(arrays)
        # An animated WebP may use alpha only to leave unchanged pixels out.
        is_opaque = picture.format == "WEBP" and (images[..., 3:] == 255).all()
        return images[..., :3] if is_opaque else images


def write_frames(
    images: Array, metadata: Metadata, suffix: str, **options: Any
) -> bytes:
    """Return the content of an animation of (n, rows, columns[, channels]) images.

    A frame equal to the one before it is not written; that one is shown longer.
    """
    from PIL import Image

    return animation_bytes([*map(Image.fromarray, images)], metadata, suffix, **options)


def animation_bytes(
    frames: list[Any], metadata: Metadata, suffix: str, **how: Any
) -> bytes:
    """Return the content of a file of these frames."""
    if len(frames) > 1:
        how |= {"save_all": True, "append_images": frames[1:]}
        how |= _timing(len(frames), metadata, suffix)
    file = io.BytesIO()
    frames[0].save(file, suffix[1:].upper(), **options_for(metadata, suffix), **how)
    return file.getvalue()


def _timing(n: int, metadata: Metadata, suffix: str) -> dict[str, Any]:
    """Return Pillow's options for the durations of n frames and for repetitions."""
    names = {name for name, _ in metadata.planes}
    if suffix == ".png" and not names <= {*"TI"}:
        # Planes have no durations. So equal ones must all be kept.
        return {}
    durations, loop = metadata.durations, metadata.loop or 0
    if durations is None or len(durations) != n:
        durations = (DURATION,) * n
    shown = [round(min(max(each, 0), LONGEST)) for each in durations]
    if suffix == ".gif":
        # In hundredths of a second, with the number of repetitions if there are any.
        shown = [max(round(each / 10), 1) * 10 for each in shown]
        repeated = {0: {"loop": 0}, 1: {}}.get(loop, {"loop": loop - 1})
        return {"duration": shown, **repeated}
    return {"duration": shown, "loop": loop}
