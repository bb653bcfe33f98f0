"""Conversion of colors from an ICC profile to sRGB, and back, by Pillow's ImageCms."""

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
        The profile of the colors; None for sRGB.

    Returns
    -------
    (k, 3) array of uint8
        Red, green and blue: the nearest colors in sRGB.
    """
    rgb = np.repeat(colors, 3, axis=1) if colors.shape[1] == 1 else colors
    return rgb if profile is None else _converted(colors, profile, to_rgb=True)


def from_srgb(colors: Array, profile: bytes | None) -> Array:
    """Convert (k, 3) colors from sRGB to an ICC profile: the inverse of `to_srgb`.

    For a profile of grays, the result is (k, 1).
    """
    return colors if profile is None else _converted(colors, profile, to_rgb=False)


def rgb_of(picture: Any, profile: bytes) -> Any:
    """Convert a Pillow image of another color model to sRGB."""
    from PIL import ImageCms

    try:
        own: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb: Any = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        _warn()
        return picture.convert("RGB")


def named_color(word: str) -> list[int]:
    """Return red, green and blue (sRGB) of a CSS color name, or of #rgb.

    Raises ValueError for an unknown name.
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
    """Return colors unchanged, as viewers show them if a profile cannot be used."""
    _warn()
    return np.repeat(colors, 3, axis=1) if colors.shape[1] == 1 else colors


def _warn() -> None:
    warnings.warn(UNUSABLE, UserWarning, stacklevel=find_stack_level())
