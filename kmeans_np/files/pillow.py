"""What Pillow reads and writes without loss, and JPEG."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.colors import distinct_colors
from kmeans_np.files.formats import DEEP, Format
from kmeans_np.files.paths import decode_errors
from kmeans_np.lloyd import Array

# Color models, and as which they are read.
_READ_AS = dict.fromkeys(("P", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")
_READ_AS |= {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
# Color models of which one color may be declared transparent.
_MAY_HIDE = ("1", "L", "P", "RGB")
_GIF_COLORS = 256
ORIENTATION = 0x0112


@contextmanager
def header(file: BinaryIO) -> Iterator[Any]:
    """Let Pillow look at a file, without its pixels, and go back to the start."""
    from PIL import Image

    # Pillow warns from 89 million pixels on that a file may be an attack. Here that is
    # just a large picture; at twice that, Pillow refuses.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as picture:
            yield picture
    file.seek(0)


def read_with_pillow(file: BinaryIO, path: Path) -> Array:
    """Read what Pillow holds without loss, upright."""
    from imageio import v3 as iio

    with decode_errors(path), warnings.catch_warnings():
        # As in `header`.
        warnings.simplefilter("ignore")
        opened: Any = iio.imopen(file, "r", plugin="pillow")
        with opened as reader:
            about = reader.metadata(index=0)
            mode = _READ_AS.get(about["mode"])
            if "transparency" in about and about["mode"] in _MAY_HIDE:
                mode = "RGBA"
            image: Array = reader.read(index=0, mode=mode)
            # Only now, since Pillow turns some kinds of files upright itself.
            held = reader.metadata(index=0, exclude_applied=False)
    return upright(image, held.get("Orientation"))


def upright(image: Array, orientation: Any) -> Array:
    """Turn an image as EXIF says; imageio would mirror the channels of a palette."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def check_extra_to_read(path: Path, kind: str) -> None:
    """Raise ValueError if what reads other files than Pillow does is missing."""
    rule = "be an image with 8 bits a channel, or gray of type uint16, int32 or float32"
    DEEP.check(f"{rule}, {DEEP.missing}", path, kind)


def check_extra_to_write(image: Array, suffix: str, gray: tuple[str, ...]) -> None:
    """Raise ValueError if what writes an image is missing and Pillow does not."""
    if not is_plain(image, gray):
        DEEP.check(
            f"be gray, or of type uint8 with at most 4 channels, {DEEP.missing}, to be "
            f"written to a {suffix} file",
            f"shape {image.shape} of type {image.dtype}",
            argument="image",
        )


def is_plain(image: Array, gray: tuple[str, ...]) -> bool:
    """Return whether Pillow writes an image, of 8 bits or gray of some other types."""
    channels = 1 if image.ndim < 3 else image.shape[2]
    if image.dtype == np.uint8:
        return channels <= 4
    return channels == 1 and image.dtype in gray


def pillow_bytes(image: Array, suffix: str, **options: Any) -> bytes:
    """Return the content of a file of the kind that the suffix names."""
    from imageio import v3 as iio

    how = {"extension": suffix, "plugin": "pillow", "is_batch": False, **options}
    data: bytes = iio.imwrite("<bytes>", image, **how)
    return data


def _gif_bytes(image: Array) -> bytes:
    if image.ndim == 2:
        # Cut to the grays that occur, its palette would not be known as one of grays.
        return pillow_bytes(image, ".gif", optimize=False)
    n_colors = len(distinct_colors(image.reshape(-1, 3)).counts)
    if n_colors > _GIF_COLORS:
        rule = f"have at most {_GIF_COLORS} colors to be written to a .gif file"
        remedy = "choose .png, or fewer colors"
        raise ArgumentValueError("image", rule, f"{n_colors:,}", remedy)
    return pillow_bytes(image, ".gif")


# Written without loss where they can be, so that a segmented image keeps its k colors.
JPEG = Format(
    (".jpg", ".jpeg"),
    read_with_pillow,
    write=partial(pillow_bytes, suffix=".jpg", quality=95, subsampling=0),
    longest=65_500,
    lossless=False,
)
WEBP = Format(
    (".webp",),
    read_with_pillow,
    write=partial(pillow_bytes, suffix=".webp", lossless=True, exact=True),
    channels=(1, 3, 4),
    longest=16_383,
)
BMP = Format((".bmp",), read_with_pillow, write=partial(pillow_bytes, suffix=".bmp"))
GIF = Format((".gif",), read_with_pillow, write=_gif_bytes, longest=65_535)
