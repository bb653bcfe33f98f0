"""The sample image: a sunset over a lake, computed rather than read from a file.

Only operations that IEEE 754 rounds exactly are used, and integer hashing instead of a
random generator. So every machine and NumPy version computes the same bytes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

# float32 is faster; NumPy 1 would widen it wherever a whole scalar exceeds 16 bits.
Plane = npt.NDArray[np.floating[Any]]

# For each range, far to near: row of the foot, rise to the right, roughness, color.
_HILLS = (
    (206, -10, 0.15, 124, 146, 192),
    (232, 10, 0.35, 56, 126, 124),
    (254, 74, 0.9, 50, 106, 42),
)


def _hash(row: Plane, column: Plane, seed: int) -> Plane:
    """Return a random-looking value in [0, 1) for each point of whole numbers >= 0."""
    bits = row.astype(np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
    bits = bits ^ (column.astype(np.uint32) * np.uint32(0x85EBCA77))
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    # A float32 holds 24 bits exactly.
    return (bits >> np.uint32(8)).astype(np.float32) / 16777216.0


def _step(low: float, high: float, value: Plane) -> Plane:
    """Pass smoothly from 0 where `value` is `low` to 1 where it is `high`."""
    part: Plane = np.clip((value - low) / (high - low), 0.0, 1.0)
    return part * part * (3.0 - 2.0 * part)


def _noise(y: Plane, x: Plane, seed: int, octaves: int) -> Plane:
    """Return cloudy noise around 0.5 whose largest blobs are one unit wide."""
    total, weight = 0.0 * y, 0.5
    for _ in range(octaves):
        top, left = np.floor(y), np.floor(x)
        down, across = _step(0, 1, y - top), _step(0, 1, x - left)
        a, b = _hash(top, left, seed), _hash(top, left + 1.0, seed)
        c, d = _hash(top + 1.0, left, seed), _hash(top + 1.0, left + 1.0, seed)
        upper, lower = a + (b - a) * across, c + (d - c) * across
        total = total + weight * (upper + (lower - upper) * down)
        y, x, seed, weight = 2 * y, 2 * x, seed + 1, weight / 2
    return total + weight


def _lay(picture: Plane, mask: Plane, *color: float) -> Plane:
    """Cover `picture` with `color` as far as `mask` (0 to 1) says."""
    return picture + (np.array(color, np.float32)[:, None, None] - picture) * mask


def sample_image() -> npt.NDArray[np.uint8]:
    """Return the built-in sample image: a lake at sunset, with hills and trees.

    Returns
    -------
    (375, 500, 3) array of uint8
        The image in RGB, 0 to 255; the same bytes on every machine.

    Examples
    --------
    >>> from kmeans_np import sample_image
    >>> sample_image().shape
    (375, 500, 3)
    """
    row, column = (axis.astype(np.float32) for axis in np.ogrid[:375, :500])
    high, depth, x = row[:250], row[250:] - 250, column - 300
    far = ((high - 150) * (high - 150) + x * x) / 900
    land = np.array([12, 78, 172], np.float32)[:, None, None]
    land = _lay(land, _step(-20, 220, high), 160, 220, 250)
    land = _lay(land, 1 / (1 + far * far / 110), 255, 190, 160)
    land = _lay(land, 1 / (1 + far * far / 26), 255, 168, 56)
    cloud = _noise(high / 30 + 16, column / 110 + high / 90, 11, 4)
    # Clouds are lit from below: shaded only where they continue further down.
    shade = 0.7 * _step(0.52, 0.72, np.roll(cloud, -5, axis=0))
    cloud = _step(0.5, 0.74, cloud) * _step(200, 100, high) * _step(0, 24, far)
    land = _lay(land, cloud, 255, 212, 204)
    land = _lay(land, cloud * shade, 200, 150, 190)
    land = _lay(land, _step(1, 0.87, far), 255, 238, 136)
    leaf = _noise(high / 4, column / 4 + high / 16, 8, 2) - 0.5
    for foot, rise, rough, *color in _HILLS:
        ridge = foot - 70 * (_noise(row[:1] + 0.5, column / 130, foot, 7) - 0.25)
        drop = high - ridge + rise * _step(270, 520, column) + 6 * rough * leaf
        hill, mist = np.clip(drop, 0, 1), 0.5 * (1 - rough) * _step(0, 70, drop)
        land = _lay(land, hill, *color) * (1 - 1.5 * rough * leaf * hill)
        land = _lay(land, mist, 222, 196, 196)
    wave = _noise(1200 / (depth + 14), x / (depth + 30) * 3 + 99.0, 60, 3)
    mirror = 249 - depth * 1.5 + (wave - 0.5) * (8 + depth * 1.2)
    water = land[:, np.clip(mirror, 0, 249).astype(np.intp), np.arange(500)]
    calm = np.abs(x) / (50 + depth * 1.1)
    murk = 0.6 * _step(-0.2, 2.5, calm) + 0.4 * _step(0.5, 0.2, wave)
    water = _lay(water, murk, 8, 112, 120)
    water = _lay(water, _step(1, 0, calm) * _step(0.42, 0.6, wave), 255, 226, 124)
    grain = _hash(row, column, 1) + _hash(row, column, 2) - 1
    bank = 380 - 70 * _step(260, 0, column) - 30 * _noise(row[:1], column / 60, 3, 6)
    shade = np.clip(row - bank, 0, 1)
    for trunk, tip in ((18, 172), (60, 52), (103, 148), (146, 236)):
        drop = (row - tip) * (row < bank + 5)
        half = drop * (0.08 + 0.1 * (drop / 11 - np.floor(drop / 11))) * (1 + grain / 3)
        shade = np.maximum(shade, np.clip(half - np.abs(column - trunk), 0, 1))
    picture = _lay(np.concatenate([land, water], axis=1), shade, 20, 30, 36) + 8 * grain
    return np.moveaxis(np.clip(picture, 0, 255), 0, 2).astype(np.uint8, order="C")
