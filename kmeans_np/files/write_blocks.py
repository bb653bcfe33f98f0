"""Writing images that are too large for memory, a block at a time."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.arrays import tiles
from kmeans_np.checks import ArgumentTypeError, ArgumentValueError
from kmeans_np.files.formats import (
    ANY_NUMBERS,
    check_extra,
    format_of,
    is_number,
    suffixes,
)
from kmeans_np.files.metadata import NOTHING, Metadata
from kmeans_np.files.paths import as_path, open_draft
from kmeans_np.lloyd import Array

# The number of bytes that are read at once.
BLOCK = 2**25
# Smaller chunks, in bytes, would mean too many files. If chunks are more than this many
# times longer than wide, a region of the image lies in too many of them.
SMALLEST_CHUNK, SLENDER = 2**16, 16
CHUNK_SIDE, TILE_SIDE = 1024, 512
USUAL_TILE_SIDES = range(128, 1025, 16)
_AIM = "to be written in blocks"

Place = tuple[slice, ...]
Progress = Callable[[int, int], object]


class _SourceError(Exception):
    """The image could not be read, which is no error of the file to write."""


@contextmanager
def _source_errors() -> Iterator[None]:
    """Raise _SourceError for errors that would be mistaken for others.

    These are errors of the file being written, and the end of the blocks.
    """
    try:
        yield
    except (OSError, StopIteration) as error:
        raise _SourceError(error) from error


class Source(NamedTuple):
    """An image that is read in blocks, and the function to report progress to."""

    image: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    progress: Progress | None
    metadata: Metadata = NOTHING

    def blocks(self, cell: Sequence[int]) -> Iterator[tuple[Place, Array]]:
        """Read the whole image in blocks of whole cells."""
        done, pixels = 0, math.prod(self.shape[:2])
        for place in tiles(self.shape, cell, BLOCK // self.dtype.itemsize):
            block = self._read(place)
            yield place, block
            done += block.size
            if self.progress is not None:
                with _source_errors():
                    self.progress(done * pixels // math.prod(self.shape), pixels)

    def _read(self, place: Place) -> Array:
        with _source_errors():
            block = np.asarray(self.image[place])
        expected = tuple(part.stop - part.start for part in place)
        if block.shape != expected or block.dtype.newbyteorder("=") != self.dtype:
            raise ArgumentValueError(
                "image",
                "give blocks of its own type and of the requested shape, "
                f"{expected} of {self.dtype}",
                f"{block.shape} of {block.dtype}",
                "correct its shape and dtype",
            )
        return block.astype(self.dtype, copy=False)


def write_sliced(
    path: str | os.PathLike[str],
    image: Any,
    *,
    metadata: Metadata = NOTHING,
    progress: Progress | None = None,
) -> None:
    """Write an image like `write_image`, block by block, reading each pixel once.

    `progress` is called after each block, of about 32 MiB, with the number of pixels
    done and of all.
    """
    path = as_path(path)
    source = check_sliced(path, image, progress)._replace(metadata=metadata)
    row = format_of(path)
    assert row.write_blocks is not None
    problem: Exception | None = None
    try:
        with open_draft(path, row.folder) as draft:
            row.write_blocks(draft, source)
    except _SourceError as error:
        problem = error.args[0]
    if problem is not None:
        raise problem


def check_sliced(path: Path, image: Any, progress: Progress | None = None) -> Source:
    """Return the source if a file of this format can hold such an image, or raise."""
    row, suffix = format_of(path), path.suffix.lower()
    if row.write_blocks is None:
        names = ", ".join(suffixes(lambda each: each.write_blocks, arrays_first=True))
        rule = f"end in one of {names} {_AIM}"
        raise ArgumentValueError("path", rule, path, "choose one of these")
    if not all(hasattr(image, name) for name in ("shape", "dtype", "__getitem__")):
        raise ArgumentTypeError(
            "image",
            "have a shape, a dtype and slices",
            type(image).__name__,
            "pass an array or what open_image returns",
        )
    shape = tuple(map(int, image.shape))
    dtype = np.dtype(image.dtype).newbyteorder("=")
    if not row.keeps(dtype):
        raise ArgumentTypeError(
            "image",
            f"hold {' or '.join(row.types or [ANY_NUMBERS])} to be written to a "
            f"{suffix} file",
            f"type {dtype}",
            f"{'choose .zarr or .npy, or ' if is_number(dtype) else ''}convert it",
        )
    if not row.fits(shape) or (row.channels and max(shape[:2]) > row.longest):
        rule = "have"
        if row.channels:
            rule += f" rows and columns, and up to {row.channels[-1]:,} channels,"
        raise ArgumentValueError(
            "image",
            f"{rule} at least one pixel to be written to a {suffix} file",
            f"shape {shape}",
            "choose another part or another suffix",
        )
    check_extra(path, _AIM)
    return Source(image, shape, dtype, progress)


# ---- The shape of blocks ---------------------------------------------------------


def tile_of(source: Source) -> tuple[int, int]:
    """Return the shape of a tile: the source's own, if a TIFF can have it."""
    sides = [
        min(own if own in USUAL_TILE_SIDES else TILE_SIDE, -(-length // 16) * 16)
        for length, own in zip(source.shape, (_own_chunks(source) or (0, 0))[:2])
    ]
    each = math.prod(source.shape[2:]) * source.dtype.itemsize
    while math.prod(sides) * each > BLOCK and max(sides) > 16:
        longer = sides.index(max(sides))
        sides[longer] = -(-sides[longer] // 32) * 16
    return sides[0], sides[1]


def chunks(source: Source) -> tuple[int, ...]:
    """Return the chunks of the source, or suitable ones if it has no good ones."""
    own = _own_chunks(source)
    if own is not None:
        return _cut_strips(own, source)
    chunk = [min(n, CHUNK_SIDE) for n in source.shape[:2]] + list(source.shape[2:])
    while math.prod(chunk) * source.dtype.itemsize > BLOCK:
        longest = chunk.index(max(chunk))
        chunk[longest] = -(-chunk[longest] // 2)
    return tuple(chunk)


def _cut_strips(own: tuple[int, ...], source: Source) -> tuple[int, ...]:
    """Return chunks that are not slender; each strip of rows is read once."""
    thin, long = sorted((0, 1), key=lambda axis: own[axis])
    bands = math.prod(source.shape[2:])
    if own[long] <= SLENDER * own[thin] or bands >= min(source.shape[:2]):
        return own
    # A block consists of whole strips, from one end of the image to the other.
    strip = own[thin] * source.shape[long] * bands * source.dtype.itemsize
    chunk = list(own)
    chunk[thin] *= max(1, min(CHUNK_SIDE // own[thin], BLOCK // strip))
    chunk[thin] = min(chunk[thin], source.shape[thin])
    chunk[long] = min(own[long], max(CHUNK_SIDE, SMALLEST_CHUNK // chunk[thin]))
    return tuple(chunk)


def _own_chunks(source: Source) -> tuple[int, ...] | None:
    """Return the chunks of the source, if they are neither too small nor too large."""
    shape, each = source.shape, source.dtype.itemsize
    own = getattr(source.image, "chunks", None)
    if not isinstance(own, tuple) or len(own) != len(shape):
        return None
    # For Dask, `chunks` has the sizes of all chunks.
    if not all(isinstance(n, (int, np.integer)) and n > 0 for n in own):
        return None
    chunk = tuple(min(int(n), length) for n, length in zip(own, shape))
    least = min(SMALLEST_CHUNK, math.prod(shape) * each)
    return chunk if least <= math.prod(chunk) * each <= BLOCK else None
