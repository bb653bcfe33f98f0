"""Reading and writing with Pillow: images and their metadata."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.colors import UNUSABLE
from kmeans_np.files.formats import DEEP
from kmeans_np.files.metadata import Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.files.profiles import rgb_of
from kmeans_np.lloyd import Array

# Color models, and those that they are read as.
_READ_AS = dict.fromkeys(("P", "CMYK", "YCbCr", "LAB", "HSV"), "RGB")
_READ_AS |= {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
# Color models in which one color may be declared transparent.
_MAY_HIDE = ("1", "L", "P", "RGB")
ORIENTATION = 0x0112
# Pillow's names for values of more than 8 bits in a file.
_DEEP = re.compile(r"(?<!BGR);1\d|SGI16|BC6")
_NETPBM_DEEP = re.compile(r"'ppm.*, (\d{4,}|[3-9]\d\d|2[6-9]\d|25[6-9])\)")
# Horizontal and vertical resolution, their unit, and the factors to pixels per inch.
_RESOLUTION, _UNIT, _IN_INCHES = (0x011A, 0x011B), 0x0128, {2: 1.0, 3: 2.54}


@contextmanager
def header(file: BinaryIO) -> Iterator[Any]:
    """Let Pillow open a file without reading pixels, and return to its start."""
    from PIL import Image

    # Above 89 million pixels, Pillow warns that a file may be an attack. Here that is
    # just a large image; above twice that, Pillow rejects it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", UNUSABLE)
        with Image.open(file) as picture:
            yield picture
    file.seek(0)


def check_size(file: BinaryIO) -> None:
    """Let Pillow reject a file that claims to have too many pixels."""
    with header(file):
        pass


def read_with_pillow(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read an image that Pillow can represent without loss, upright."""
    with decode_errors(path), header(file) as picture:
        if page > 0:
            picture.seek(page)
        image = _as_array(frame_of(picture, path), picture.format)
        # Only now, since Pillow itself turns some formats upright.
        return upright(image, picture.getexif().get(ORIENTATION))


def frame_of(picture: Any, path: Path) -> Any:
    """Return a frame of an open picture in the color model that it is read as.

    Raises ValueError if values of more than 8 bits would be rounded.
    """
    stored = str(picture.tile)
    is_deep = _DEEP.search(stored) or _NETPBM_DEEP.search(stored)
    # Values of a FITS file have an offset and a scale, which Pillow ignores.
    is_scaled = picture.format == "FITS" and picture.mode != "L"
    if (picture.mode[0] not in "IF" and is_deep) or is_scaled:
        rule, found = "have at most 8 bits a channel in such a file", "which has more"
        remedy = "convert it to a PNG or TIFF of 16 bits"
        raise ArgumentValueError("path", rule, path, remedy, found=found)
    picture.load()
    return _in_read_mode(picture)


def _in_read_mode(picture: Any) -> Any:
    if picture.mode == "CMYK" and picture.info.get("icc_profile"):
        return rgb_of(picture, picture.info["icc_profile"])
    mode = _READ_AS.get(picture.mode, picture.mode)
    if "transparency" in picture.info and picture.mode in _MAY_HIDE:
        mode = "RGBA"
    # A copy, since the picture may move on to another frame.
    return picture.convert(mode) if mode != picture.mode else picture.copy()


def array_of(picture: Any) -> Array:
    """Return a Pillow image as an array, as `read_image` would read it."""
    return _as_array(_in_read_mode(picture), picture.format)


def _as_array(frame: Any, kind: str | None) -> Array:
    # Not `asarray`, which is read-only.
    image: Array = np.array(frame)
    # Older versions represent 16-bit gray as 32-bit integers.
    is_short = (frame.mode, kind) == ("I", "PNG")
    return image.astype(np.uint16) if is_short else image


def is_picture(value: Any) -> bool:
    """Return whether a value is a Pillow image, without importing Pillow."""
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def describe_with_pillow(
    file: BinaryIO, path: Path, page: int = 0, mode: str = ""
) -> Metadata:
    """Return the metadata of a file, as far as Pillow knows them.

    `mode` is the color model, if Pillow reports another one.
    """
    with decode_errors(path), header(file) as picture:
        frames = _describe_frames(picture)
        if page > 0:
            picture.seek(page)
        mode = mode or picture.mode
        channels = len(_READ_AS.get(mode, mode.partition(";")[0]))
        dpi = picture.info.get("dpi")
        if picture.format == "WEBP":
            # A WebP has it in its EXIF data, in inches or cm.
            exif = picture.getexif()
            found, unit = [exif.get(tag) for tag in _RESOLUTION], exif.get(_UNIT, 2)
            if all(found) and unit in _IN_INCHES:
                dpi = [each * _IN_INCHES[unit] for each in found]
        return Metadata(
            color_profile=fitting(picture.info.get("icc_profile"), mode),
            resolution=dpi and (float(dpi[0]), float(dpi[1])),
            extra_channels=("alpha",) if channels in (2, 4) else None,
            size=size_seen(picture.size[::-1], picture.getexif().get(ORIENTATION)),
            **frames,
        )


def frames_of(picture: Any) -> Iterator[Any]:
    """Yield an open picture at each of its frames."""
    # An animated PNG may begin with an image for readers that do not support
    # animations.
    first = int(bool(picture.info.get("default_image")))
    for number in range(first, n_images(picture)):
        picture.seek(number)
        yield picture


def n_images(picture: Any) -> int:
    """Return the number of images in an open picture; layers are parts of one image."""
    return 1 if picture.format == "PSD" else getattr(picture, "n_frames", 1)


def _describe_frames(picture: Any) -> dict[str, Any]:
    """Return the metadata of the frames of an open picture, if it has several."""
    n = n_images(picture)
    if n == 1:
        return {}
    found = []
    for frame in frames_of(picture):
        if picture.format == "WEBP":
            # The duration is known only after decoding.
            frame.load()
        found.append(frame.info.get("duration"))
    loop = picture.info.get("loop")
    if picture.format == "GIF":
        # A GIF stores the number of repetitions; without one, it is played once.
        loop = 1 if loop is None else loop and loop + 1
    picture.seek(0)
    return {
        "n_pages": n,
        "stack": (("T", len(found)),),
        "durations": None if None in found else tuple(map(float, found)),
        "loop": loop,
    }


def fitting(profile: bytes | None, mode: str) -> bytes | None:
    """Return an ICC profile if it is for the color model that a file is read as."""
    model = b"GRAY" if mode.startswith(("1", "L", "I", "F")) else b"RGB "
    # These bytes of a profile are its color model.
    is_kept = mode not in ("CMYK", "LAB", "YCbCr", "HSV")
    return profile if profile and is_kept and profile[16:20] == model else None


def with_metadata(
    image: Array, metadata: Metadata, suffix: str, **options: Any
) -> bytes:
    """Return the content of a file with the metadata that it can hold."""
    return pillow_bytes(image, suffix, **options_for(metadata, suffix), **options)


def options_for(metadata: Metadata, suffix: str) -> dict[str, Any]:
    """Return Pillow's options for the metadata that such a file can hold."""
    options: dict[str, Any] = {}
    profile, resolution = metadata.color_profile, metadata.resolution
    if profile is not None and suffix not in (".bmp", ".gif"):
        options["icc_profile"] = profile
    if resolution is not None and suffix == ".webp":
        from PIL import Image

        exif = Image.Exif()
        exif.update({**dict(zip(_RESOLUTION, resolution)), _UNIT: 2})
        options["exif"] = exif.tobytes()
    elif resolution is not None and suffix != ".gif":
        options["dpi"] = resolution
    return options


def upright(image: Array, orientation: Any) -> Array:
    """Turn an image as EXIF says; imageio would mirror the channels of a palette."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def size_seen(size: tuple[int, int], orientation: Any) -> tuple[int, int]:
    """Return the rows and columns of an image when it is upright."""
    return size[::-1] if orientation in (5, 6, 7, 8) else size


def check_extra_to_read(path: Path, kind: str) -> None:
    """Raise ValueError if a package for files that Pillow cannot read is missing."""
    rule = "be an image with 8 bits a channel, or gray of type uint16, int32 or float32"
    DEEP.check(f"{rule}, {DEEP.missing}", path, kind)


def check_extra_to_write(image: Array, suffix: str, gray: tuple[str, ...]) -> None:
    """Raise ValueError if a package for images that Pillow cannot write is missing."""
    if not is_plain(image, gray):
        DEEP.check(
            f"be gray, or of type uint8 with at most 4 channels, {DEEP.missing}, to be "
            f"written to a {suffix} file",
            f"shape {image.shape} of type {image.dtype}",
            argument="image",
        )


def is_plain(image: Array, gray: tuple[str, ...]) -> bool:
    """Return whether Pillow can write an image: 8 bits, or gray of other dtypes."""
    channels = 1 if image.ndim < 3 else image.shape[2]
    if image.dtype == np.uint8:
        return channels <= 4
    return channels == 1 and image.dtype in gray


def pillow_bytes(image: Array, suffix: str, **options: Any) -> bytes:
    """Return the content of a file in the format that the suffix names."""
    from imageio import v3 as iio

    how = {"extension": suffix, "plugin": "pillow", "is_batch": False, **options}
    data: bytes = iio.imwrite("<bytes>", image, **how)
    return data
