"""Pictures to show what was found.

What this file adds: a picture above the bar of its colors, and several such in a row.
What it leaves out: files, and finding anything.
"""

import numpy as np

from kmeans_np.image import Segmentation
from kmeans_np.lloyd import Array

# Heights in pixels.
BAR, GAP = 24, 12


def above_its_colors(image: Array, answer: Segmentation | None = None) -> Array:
    """Return an RGB picture above a bar of its colors, each as wide as its share.

    The bar's place is empty without an answer. The picture is RGBA, with transparent
    gaps, so that it fits light and dark pages.
    """
    rows, columns, _ = image.shape
    picture = np.zeros((rows + GAP + BAR, columns, 4), np.uint8)
    picture[:rows] = np.dstack([image, np.full((rows, columns), 255, np.uint8)])
    if answer is not None:
        ends = np.rint(np.cumsum(answer.shares) * columns).astype(int)
        for start, end, color in zip([0, *ends], ends, answer.palette):
            picture[rows + GAP :, start:end] = [*color, 255]
    return picture


def in_a_row(pictures: list[Array]) -> Array:
    """Return RGBA pictures of the same height side by side, with gaps."""
    gap = np.zeros((len(pictures[0]), GAP, 4), np.uint8)
    row = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(row[1:], axis=1)
