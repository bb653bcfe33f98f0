"""A TIFF whose numbers have a few bits each, which need not fill bytes."""

import numpy as np
import tifffile


def write_few_bits(path, pages, bits, photometric):
    """Write pages, a (n, rows, columns) array, of which each row begins on a byte."""
    digits = pages[..., np.newaxis] >> np.arange(bits)[::-1] & 1
    rows = np.packbits(digits.reshape(*pages.shape[:-1], -1).astype(np.uint8), axis=-1)
    tifffile.imwrite(
        path,
        (page.tobytes() for page in rows),
        shape=pages.shape,
        dtype=pages.dtype,
        bitspersample=bits,
        rowsperstrip=pages.shape[-2],
        photometric=photometric,
        metadata=None,
    )
