"""The format .npy: an array as it is stored in memory."""

import math
from pathlib import Path

import numpy as np

from kmeans_np.files.formats import Format
from kmeans_np.files.open import MappedImage, slice_errors
from kmeans_np.files.write_blocks import Source, chunks


def open_npy(path: Path) -> MappedImage:
    """Map an array from a file into memory."""
    with slice_errors(path):
        mapped = np.lib.format.open_memmap(path, mode="r")
    return MappedImage(path, mapped, mapped)


def write_npy(draft: Path, source: Source) -> None:
    """Write the blocks of an array to their places in the file."""
    shape, dtype = source.shape, source.dtype
    about = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    steps = [math.prod(shape[at + 1 :]) * dtype.itemsize for at in range(len(shape))]
    # Not by a memory map: if the disk is full, that ends the process.
    with draft.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        begin = file.tell()
        for place, block in source.blocks(chunks(source)):
            # After the last axis that is cut, values are contiguous.
            cut = [axis for axis, n in enumerate(block.shape) if n < shape[axis]]
            loose = block.shape[: max(cut, default=0)]
            first = sum(part.start * step for part, step in zip(place, steps))
            for at in np.ndindex(*loose):
                file.seek(begin + first + sum(i * step for i, step in zip(at, steps)))
                file.write(np.ascontiguousarray(block[at]).data)


NPY = Format(
    (".npy",), open=open_npy, write_blocks=write_npy, types=None, channels=None
)
