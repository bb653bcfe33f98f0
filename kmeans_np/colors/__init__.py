"""Colors: which there are, where they are, and how they look beside each other.

What this file adds: nothing but the names. `distinct_colors` and `distinct_values` find
what occurs in an image and how often, `ColorCounts` the same block by block, `look_up`
and `color_in` go back to its pixels, `lab_from_rgb` and `rgb_from_lab` go to a space of
perceived colors and back. What it leaves out: images, whose axes are the affair of
`kmeans_np.image`.
"""

from kmeans_np.colors.counts import Coding, ColorCounts
from kmeans_np.colors.distinct import (
    TABLE_BITS,
    Colors,
    Counted,
    Lookup,
    distinct_colors,
    distinct_values,
    look_up,
    merged,
)
from kmeans_np.colors.lookup import color_in, take
from kmeans_np.colors.spaces import lab_from_rgb, rgb_from_lab

__all__ = [
    "TABLE_BITS",
    "Coding",
    "ColorCounts",
    "Colors",
    "Counted",
    "Lookup",
    "color_in",
    "distinct_colors",
    "distinct_values",
    "lab_from_rgb",
    "look_up",
    "merged",
    "rgb_from_lab",
    "take",
]
