"""Conversion from the ICC profile of an image to sRGB, and back.

References
----------
.. [1] ICC.1:2022, "Image technology colour management", sections 10.6 (curveType),
   10.18 (parametricCurveType), E.3 (chromatic adaptation) and F.3 (three-component
   matrix-based profiles).
"""

import functools
import struct
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.colors.spaces import (
    RGB_FROM_XYZ,
    WHITE,
    ColorSpace,
    linear_from_srgb,
    srgb_from_linear,
    times,
)
from kmeans_np.lloyd import Array, Floats

# The white point of profiles, daylight of 5,000 K (D50), and the response of the eye's
# cones, by which colors are adapted to another white point (Bradford).
D50 = np.array([0.9642, 1.0, 0.8249])
CONES = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# Curves are sampled at every value of 16 bits.
PLACES = np.arange(2**16) / (2**16 - 1)
_HEADER, _ENTRY = 128, 12
UNUSABLE = "the color profile cannot be used, and colors are taken for sRGB"


class MatrixProfile(NamedTuple):
    """A profile of red, green and blue: a curve for each, and a matrix."""

    # (3, 65536) array: the linear intensity for values from 0 to 1, rising.
    curves: Floats
    # (3, 3) array: the conversion from linear colors of the profile to linear sRGB.
    matrix: Floats

    def to_srgb(self, rgb: Floats) -> Floats:
        """Return (n, 3) colors from 0 to 1 in sRGB, possibly outside of 0 to 1."""
        pairs = zip(np.clip(rgb, 0, 1).T, self.curves)
        columns = [np.interp(column, PLACES, curve) for column, curve in pairs]
        light: Floats = np.stack(columns, axis=1)
        return srgb_from_linear(times(light, self.matrix))

    def from_srgb(self, srgb: Floats) -> Floats:
        """Return (n, 3) sRGB colors in the profile, clipped to 0 to 1: the inverse."""
        back: Any = np.linalg.inv(self.matrix)
        light = times(linear_from_srgb(srgb), back)
        pairs = zip(np.clip(light, 0, 1).T, self.curves)
        columns = [np.interp(column, curve, PLACES) for column, curve in pairs]
        return np.stack(columns, axis=1)


def matrix_profile(data: bytes) -> MatrixProfile | None:
    """Return the profile in an ICC file [1]_, None if it has no matrix."""
    try:
        (n,) = struct.unpack_from(">I", data, _HEADER)
        tags = {}
        for at in range(_HEADER + 4, _HEADER + 4 + min(n, 100) * _ENTRY, _ENTRY):
            name, start, size = struct.unpack_from(">4sII", data, at)
            tags[name] = data[start : start + size]
        with np.errstate(all="ignore"):
            found = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        # A falling curve has no inverse.
        rises = all(curve[-1] > curve[0] for curve in found)
        curves = np.maximum.accumulate(np.clip(found, 0, 1), axis=1)
        colorants = [_fixed(tags[name], 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        matrix = RGB_FROM_XYZ @ _adapted(np.array(colorants).T)
        # Some matrices have no inverse.
        np.linalg.inv(matrix)
    except (struct.error, KeyError, ValueError, np.linalg.LinAlgError):
        return None
    is_usable = rises and np.isfinite(curves).all()
    return MatrixProfile(curves, matrix) if is_usable else None


def _fixed(tag: bytes, start: int, n: int) -> list[float]:
    """Return fixed-point numbers of 16 bits before and 16 after the binary point."""
    return [number / 2**16 for number in struct.unpack_from(f">{n}i", tag, start)]


def _curve(tag: bytes) -> Floats:
    """Return the linear intensity at each of `PLACES`."""
    kind = tag[:4]
    if kind == b"curv":
        (n,) = struct.unpack_from(">I", tag, 8)
        if n == 0:
            return PLACES
        values = struct.unpack_from(f">{n}H", tag, 12)
        if n == 1:
            gamma: Floats = PLACES ** (values[0] / 2**8)
            return gamma
        table = np.array(values) / (2**16 - 1)
        found: Floats = np.interp(PLACES * (n - 1), np.arange(n), table)
        return found
    if kind != b"para":
        raise ValueError(kind)
    (form,) = struct.unpack_from(">H", tag, 8)
    if form > 4:
        raise ValueError(form)
    g, *rest = _fixed(tag, 12, (1, 3, 4, 5, 7)[form])
    a, b, c, d, e, f = [*rest, *[0.0] * (6 - len(rest))]
    if form == 0:
        a = 1.0
    elif form in (1, 2):
        # Below the curve there is a constant, the value at which the curve begins.
        c, d, e, f = 0.0, -b / a if a else 0.0, c, c
    power = np.maximum(a * PLACES + b, 0) ** g + e
    return np.where(d <= PLACES, power, c * PLACES + f)


def _adapted(xyz: Floats) -> Floats:
    """Return X, Y and Z of colors, one per column, for daylight of 6,500 K."""
    scale = (CONES @ WHITE) / (CONES @ D50)
    adapted: Floats = np.linalg.inv(CONES) @ np.diag(scale) @ CONES @ xyz
    return adapted


@functools.lru_cache(maxsize=8)
def of_profile(space: ColorSpace, data: bytes) -> ColorSpace | None:
    """Return a color space for colors with a profile; None if that has no matrix."""
    profile = matrix_profile(data)
    if profile is None:
        return None

    def from_rgb(rgb: Array, white: float) -> Floats:
        return space.from_rgb(profile.to_srgb(rgb.astype(np.float64) / white), 1.0)

    def to_rgb(coordinates: Array) -> Floats:
        return profile.from_srgb(space.to_rgb(coordinates))

    return space._replace(from_rgb=from_rgb, to_rgb=to_rgb)
