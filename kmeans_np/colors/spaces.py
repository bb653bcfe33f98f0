"""Color spaces in which colors can be compared, and conversions to and from them.

`COLOR_SPACES` is the table of them; a new color space needs only a new entry.

References
----------
.. [1] IEC 61966-2-1:1999, "Default RGB colour space - sRGB".
.. [2] CIE 15:2004, "Colorimetry", section 8.2.1.
.. [3] B. Ottosson, "A perceptual color space for image processing" (2020).
   https://bottosson.github.io/posts/oklab/
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Floats
from kmeans_np.threads import in_threads

# The matrix from linear sRGB to X, Y and Z [1]_, in the digits that scikit-image uses;
# and X, Y and Z of white, daylight (D65) for the 2 degree observer.
XYZ_FROM_RGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
RGB_FROM_XYZ = np.linalg.inv(XYZ_FROM_RGB)
WHITE = np.array([0.95047, 1.0, 1.08883])
# Where the curve of sRGB, and that of lightness, becomes a straight line.
DARK, DARK_LINEAR = 0.04045, 0.0031308
DIM, SLOPE, START = 0.008856, 7.787, 16 / 116
# For Oklab [3]_: the matrix from linear sRGB to X, Y and Z, in the digits of the
# standard [1]_; from these to the responses of the long, medium and short cones; and
# from the cube roots of those to L, a and b.
XYZ_OF_STANDARD = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
LMS_FROM_XYZ = np.array(
    [
        [0.8189330101, 0.3618667424, -0.1288597137],
        [0.0329845436, 0.9293118715, 0.0361456387],
        [0.0482003018, 0.2643662691, 0.6338517070],
    ]
)
LMS_FROM_RGB = LMS_FROM_XYZ @ XYZ_OF_STANDARD
RGB_FROM_LMS = np.linalg.inv(LMS_FROM_RGB)
OKLAB_FROM_ROOTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
ROOTS_FROM_OKLAB = np.linalg.inv(OKLAB_FROM_ROOTS)
# The number of colors that a thread converts at a time.
BLOCK = 2**16


def lab_from_rgb(rgb: Array, white: float = 1.0) -> Floats:
    """Convert colors from sRGB to CIELAB [1]_, [2]_.

    Parameters
    ----------
    rgb : (n, 3) array of real numbers
        Red, green and blue, 0 to `white`.
    white : float, default 1
        The largest value of a channel.

    Returns
    -------
    (n, 3) array of float64
        L, from 0 (black) to 100 (white); a, from green to red; b, from blue to yellow.

    References
    ----------
    .. [1] IEC 61966-2-1:1999, "Default RGB colour space - sRGB".
    .. [2] CIE 15:2004, "Colorimetry", section 8.2.1.
    """
    return _in_blocks(_lab, rgb, white)


def _in_blocks(convert: Callable[[Floats], Floats], rgb: Array, white: float) -> Floats:
    """Convert colors, 0 to `white`, block by block."""
    converted = np.empty((len(rgb), 3))

    def convert_block(start: int) -> None:
        block = slice(start, start + BLOCK)
        converted[block] = convert(rgb[block].astype(np.float64) / white)

    in_threads(convert_block, range(0, len(rgb), BLOCK))
    return converted


def _lab(rgb: Floats) -> Floats:
    xyz = times(linear_from_srgb(rgb), XYZ_FROM_RGB) / WHITE
    bent = np.cbrt(np.maximum(xyz, DIM))
    x, y, z = np.where(xyz > DIM, bent, SLOPE * xyz + START).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def rgb_from_lab(lab: Array) -> Floats:
    """Convert colors from CIELAB to sRGB: the inverse of `lab_from_rgb`.

    Parameters
    ----------
    lab : (n, 3) array of float
        L, a and b.

    Returns
    -------
    (n, 3) array of float64
        Red, green and blue, 0 to 1; outside of this range for colors that are not in
        sRGB.
    """
    light, a, b = np.asarray(lab, np.float64).T
    y = (light + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=1)
    xyz = np.where(f > np.cbrt(DIM), f**3, (f - START) / SLOPE) * WHITE
    return srgb_from_linear(times(xyz, RGB_FROM_XYZ))


def oklab_from_rgb(rgb: Array, white: float = 1.0) -> Floats:
    """Convert colors from sRGB to Oklab [1]_.

    Parameters
    ----------
    rgb : (n, 3) array of real numbers
        Red, green and blue, 0 to `white`.
    white : float, default 1
        The largest value of a channel.

    Returns
    -------
    (n, 3) array of float64
        L, from 0 (black) to 1 (white); a, from green to red; b, from blue to yellow.

    References
    ----------
    .. [1] B. Ottosson, "A perceptual color space for image processing" (2020).
       https://bottosson.github.io/posts/oklab/
    """
    return _in_blocks(_oklab, rgb, white)


def _oklab(rgb: Floats) -> Floats:
    cones = times(linear_from_srgb(rgb), LMS_FROM_RGB)
    return times(np.cbrt(cones), OKLAB_FROM_ROOTS)


def rgb_from_oklab(oklab: Array) -> Floats:
    """Convert colors from Oklab to sRGB: the inverse of `oklab_from_rgb`.

    Parameters
    ----------
    oklab : (n, 3) array of float
        L, a and b.

    Returns
    -------
    (n, 3) array of float64
        Red, green and blue, 0 to 1; outside of this range for colors that are not in
        sRGB.
    """
    cones = times(np.asarray(oklab, np.float64), ROOTS_FROM_OKLAB) ** 3
    return srgb_from_linear(times(cones, RGB_FROM_LMS))


def linear_from_srgb(rgb: Floats) -> Floats:
    """Return the linear intensities of sRGB values [1]_, 0 to 1.

    Below 0, the curve is continued as a straight line: means of colors may be outside
    of sRGB.

    References
    ----------
    .. [1] IEC 61966-2-1:1999, "Default RGB colour space - sRGB".
    """
    curved = ((np.maximum(rgb, DARK) + 0.055) / 1.055) ** 2.4
    return np.where(rgb > DARK, curved, rgb / 12.92)


def srgb_from_linear(linear: Floats) -> Floats:
    """Return sRGB values of linear intensities: the inverse of `linear_from_srgb`."""
    curved = 1.055 * np.maximum(linear, DARK_LINEAR) ** (1 / 2.4) - 0.055
    return np.where(linear > DARK_LINEAR, curved, 12.92 * linear)


def times(rows: Floats, matrix: Floats) -> Floats:
    """Multiply every row with a matrix, with the same bits for any number of rows."""
    # Not a matrix product, whose last bits depend on the numbers of rows and threads.
    x, y, z = rows.T
    columns = [x * r + y * g + z * b for r, g, b in matrix]
    return np.stack(columns, axis=1)


class ColorSpace(NamedTuple):
    """The conversion of colors to a color space and back."""

    # Its usual name.
    name: str
    # Returns (n, 3) coordinates, given (n, 3) red, green and blue in sRGB and the value
    # of white.
    from_rgb: Callable[[Array, float], Floats]
    # Returns red, green and blue, 0 to 1, given (n, 3) coordinates; outside of this
    # range for colors that are not in sRGB.
    to_rgb: Callable[[Array], Floats]
    # A description for the help of the command line.
    about: str


# None compares the channels as they are, whatever they represent.
COLOR_SPACES: dict[str, ColorSpace | None] = {
    "rgb": None,
    "lab": ColorSpace("CIELAB", lab_from_rgb, rgb_from_lab, "CIELAB, perceptual"),
    "oklab": ColorSpace(
        "Oklab",
        oklab_from_rgb,
        rgb_from_oklab,
        "Oklab, perceptual, with truer blues",
    ),
}
