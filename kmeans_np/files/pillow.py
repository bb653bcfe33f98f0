"""What Pillow reads and writes without loss, and JPEG."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.colors import distinct_colors
from kmeans_np.files.formats import DEEP, Format
from kmeans_np.files.metadata import Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.lloyd import Array

# Color models, and as which they are read.
_READ_AS = dict.fromkeys(("P", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")
_READ_AS |= {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
# Color models of which one color may be declared transparent.
_MAY_HIDE = ("1", "L", "P", "RGB")
_GIF_COLORS = 256
ORIENTATION = 0x0112
# Across and down; and inches for each unit that it may be in.
_RESOLUTION, _UNIT, _IN_INCHES = (0x011A, 0x011B), 0x0128, {2: 1.0, 3: 2.54}


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


def read_with_pillow(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read what Pillow holds without loss, upright."""
    from imageio import v3 as iio

    with decode_errors(path), warnings.catch_warnings():
        # As in `header`.
        warnings.simplefilter("ignore")
        opened: Any = iio.imopen(file, "r", plugin="pillow")
        with opened as reader:
            about = reader.metadata(index=page)
            mode = _READ_AS.get(about["mode"])
            if "transparency" in about and about["mode"] in _MAY_HIDE:
                mode = "RGBA"
            image: Array = reader.read(index=page, mode=mode)
            # Only now, since Pillow turns some kinds of files upright itself.
            held = reader.metadata(index=page, exclude_applied=False)
    return upright(image, held.get("Orientation"))


def array_of(picture: Any) -> Array:
    """Return the array of a picture of Pillow's, as `read_image` would read it."""
    mode = _READ_AS.get(picture.mode, picture.mode)
    if "transparency" in picture.info and picture.mode in _MAY_HIDE:
        mode = "RGBA"
    return np.asarray(picture.convert(mode) if mode != picture.mode else picture)


def is_picture(value: Any) -> bool:
    """Return whether it is a picture of Pillow's, which need not be imported."""
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def describe_with_pillow(file: BinaryIO, path: Path, mode: str = "") -> Metadata:
    """Return what a file says about its numbers, as far as Pillow knows.

    `mode` is the color model, if Pillow takes it for another one.
    """
    with decode_errors(path), header(file) as picture:
        mode = mode or picture.mode
        channels = len(_READ_AS.get(mode, mode))
        dpi = picture.info.get("dpi")
        if picture.format == "WEBP":
            # In a WebP it stands among what cameras note down, in inches or cm.
            exif = picture.getexif()
            found, unit = [exif.get(tag) for tag in _RESOLUTION], exif.get(_UNIT, 2)
            if all(found) and unit in _IN_INCHES:
                dpi = [each * _IN_INCHES[unit] for each in found]
        return Metadata(
            color_profile=fitting(picture.info.get("icc_profile"), mode),
            resolution=dpi and (float(dpi[0]), float(dpi[1])),
            extra_channels=("alpha",) if channels in (2, 4) else None,
            n_pages=getattr(picture, "n_frames", 1),
        )


def fitting(profile: bytes | None, mode: str) -> bytes | None:
    """Return an ICC profile if it is for the color model that a file is read as."""
    model = b"GRAY" if mode.startswith(("1", "L", "I", "F")) else b"RGB "
    # Here it says what it is for.
    is_kept = mode not in ("CMYK", "LAB", "YCbCr", "HSV")
    return profile if profile and is_kept and profile[16:20] == model else None


def with_metadata(
    image: Array, metadata: Metadata, names: Sequence[str], suffix: str, **options: Any
) -> bytes:
    """Return the content of a file that says, of metadata, what it can hold."""
    known = {"color_profile": "icc_profile", "resolution": "dpi"}
    for name, option in known.items():
        value = getattr(metadata, name) if name in names else None
        if value is not None and (name, suffix) == ("resolution", ".webp"):
            from PIL import Image

            exif = Image.Exif()
            exif.update({**dict(zip(_RESOLUTION, value)), _UNIT: 2})
            options["exif"] = exif.tobytes()
        elif value is not None:
            options[option] = value
    return pillow_bytes(image, suffix, **options)


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


_HOLDS = ("color_profile", "resolution")
# Written without loss where they can be, so that a segmented image keeps its k colors.
JPEG = Format(
    (".jpg", ".jpeg"),
    read_with_pillow,
    describe_with_pillow,
    write=partial(
        with_metadata, names=_HOLDS, suffix=".jpg", quality=95, subsampling=0
    ),
    longest=65_500,
    metadata=_HOLDS,
    lossless=False,
)
WEBP = Format(
    (".webp",),
    read_with_pillow,
    describe_with_pillow,
    write=partial(
        with_metadata, names=_HOLDS, suffix=".webp", lossless=True, exact=True
    ),
    channels=(1, 3, 4),
    longest=16_383,
    metadata=_HOLDS,
)
BMP = Format(
    (".bmp",),
    read_with_pillow,
    describe_with_pillow,
    write=partial(with_metadata, names=_HOLDS[1:], suffix=".bmp"),
    metadata=_HOLDS[1:],
)
GIF = Format(
    (".gif",), read_with_pillow, describe_with_pillow, write=_gif_bytes, longest=65_535
)
ANY = Format((), read_with_pillow, describe_with_pillow)
