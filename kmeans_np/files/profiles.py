"""Colors from the profile of a picture to sRGB, and back, by Pillow's ImageCms."""

import io
import warnings
from typing import Any

import numpy as np

from kmeans_np.colors import UNUSABLE
from kmeans_np.lloyd import Array
from kmeans_np.stack_level import find_stack_level


def to_srgb(colors: Array, profile: bytes | None) -> Array:
    """Convert colors from an ICC profile to sRGB.

    Parameters
    ----------
    colors : (k, 1) or (k, 3) array of uint8
        Grays, or red, green and blue.
    profile : bytes or None
        What they stand for; None for sRGB.

    Returns
    -------
    (k, 3) array of uint8
        Red, green and blue; the nearest that there are in sRGB.
    """
    rgb = np.repeat(colors, 3, axis=1) if colors.shape[1] == 1 else colors
    return rgb if profile is None else _converted(colors, profile, to_rgb=True)


def from_srgb(colors: Array, profile: bytes | None) -> Array:
    """Convert (k, 3) colors from sRGB to an ICC profile: the way back.

    Of a profile of grays, (k, 1).
    """
    return colors if profile is None else _converted(colors, profile, to_rgb=False)


def rgb_of(picture: Any, profile: bytes) -> Any:
    """Return a picture of Pillow's of another color model in sRGB."""
    from PIL import ImageCms

    try:
        own: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb: Any = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        _warn()
        return picture.convert("RGB")


def named_color(word: str) -> list[int]:
    """Return the red, green and blue of sRGB that CSS has for a name, or for #rgb.

    Raises ValueError if it has none.
    """
    from PIL import ImageColor

    return [*ImageColor.getrgb(word)[:3]]


def _converted(colors: Array, profile: bytes, to_rgb: bool) -> Array:
    from PIL import Image, ImageCms

    try:
        own: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except OSError:
        return _unconverted(colors)
    srgb: Any = ImageCms.createProfile("sRGB")
    mode = "L" if profile[16:20] == b"GRAY" and not to_rgb else "RGB"
    gray = colors.shape[1] == 1
    row = np.ascontiguousarray(colors[np.newaxis, :, 0] if gray else colors[np.newaxis])
    picture = Image.fromarray(row)
    ends = (own, srgb) if to_rgb else (srgb, own)
    try:
        found = ImageCms.profileToProfile(picture, *ends, outputMode=mode)
    except ImageCms.PyCMSError:
        return _unconverted(colors)
    converted: Array = np.asarray(found).reshape(len(colors), -1)
    return converted


def _unconverted(colors: Array) -> Array:
    """Return colors as they are, as every viewer takes those of such a picture."""
    _warn()
    return np.repeat(colors, 3, axis=1) if colors.shape[1] == 1 else colors


def _warn() -> None:
    warnings.warn(UNUSABLE, UserWarning, stacklevel=find_stack_level())
