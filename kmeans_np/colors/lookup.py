"""Fast lookup of a table entry for each pixel."""

import numpy as np

from kmeans_np.lloyd import Array
from kmeans_np.threads import in_threads

# Below this many pixels, a table of pairs takes longer to build than it saves.
FEW_PIXELS = 2**14
# The number of pixels that a thread looks up at a time: enough work to outweigh the
# thread.
LOOK_UP_BLOCK = 2**20
# Pixels are looked up in blocks, since NumPy converts indices to 64-bit integers.
BLOCK = 2**16


def take_colors(palette: Array, labels: Array) -> Array:
    """Give every pixel the color of its label.

    Parameters
    ----------
    palette : (k, c) array
        The colors.
    labels : (n,) array of int
        The label of each pixel, 0 to k - 1.

    Returns
    -------
    (n, c) array of the type of `palette`
        The color of each pixel.
    """
    if len(labels) < FEW_PIXELS or labels.itemsize > 1:
        return take(palette, labels)
    # NumPy copies color by color. Two labels of a byte each are one number, which
    # indexes a table of pairs of colors: half as many copies.
    k, channels = palette.shape
    pairs = np.empty((256, 256, 2, channels), palette.dtype)
    pairs[:k, :k, 0], pairs[:k, :k, 1] = palette, palette[:, np.newaxis]
    even = len(labels) // 2 * 2
    colors = np.empty((len(labels), channels), palette.dtype)
    both = colors[:even].reshape(-1, 2 * channels)
    take(pairs.reshape(2**16, -1), labels[:even].view("<u2"), both)
    colors[even:] = palette[labels[even:]]
    return colors


def take(table: Array, places: Array, out: Array | None = None) -> Array:
    """Return table[places] without making all indices 64-bit integers at once."""
    shape = (len(places), *table.shape[1:])
    result = np.empty(shape, table.dtype) if out is None else out

    def look_up_block(begin: int) -> None:
        whole = np.empty(min(BLOCK, len(places)), np.intp)
        for start in range(begin, min(begin + LOOK_UP_BLOCK, len(places)), BLOCK):
            block = slice(start, start + BLOCK)
            some = whole[: len(places[block])]
            some[:] = places[block]
            # mode="clip" spares a check, and with it another copy.
            np.take(table, some, axis=0, out=result[block], mode="clip")

    in_threads(look_up_block, range(0, len(places), LOOK_UP_BLOCK))
    return result
