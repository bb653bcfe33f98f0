"""Writing images that are too large for memory, a block at a time.

What this file adds: `write_sliced`, which reads an image in blocks, each pixel once,
and writes them to a .npy, .zarr or TIFF file as they come. What it leaves out: where
the blocks come from, and all other kinds of files, which are written as a whole
(`kmeans_np.files.writing`).
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.blocks import tiles
from kmeans_np.checks import ArgumentTypeError, ArgumentValueError
from kmeans_np.files.deep import CLASSIC_TIFF, TIFF_TYPES, tiff_options
from kmeans_np.files.opening import SLICED_KINDS, is_number, tiff_library, zarr_library
from kmeans_np.files.paths import as_path, open_draft
from kmeans_np.lloyd import Array

# Bytes that are read at once.
BLOCK = 2**25
# Smaller chunks, in bytes, would be too many files; and a part of the image lies in too
# many chunks if they are so many times longer than wide.
SMALLEST_CHUNK, SLENDER = 2**16, 16
CHUNK_SIDE, TILE_SIDE = 1024, 512
USUAL_TILE_SIDES = range(128, 1025, 16)
LONGEST_TIFF, MOST_BANDS = 2**31 - 1, 2**16 - 1
_AIM = "to be written in blocks"

Place = tuple[slice, ...]
Progress = Callable[[int, int], object]


class _SourceError(Exception):
    """The image could not be read, which says nothing about the file to write."""


# What the image or `progress` may raise that would be taken for something else: for an
# error of the file that is written, or for the end of the blocks.
_FOREIGN = (OSError, StopIteration)


class _Source(NamedTuple):
    """An image that is read in blocks, and who is told how far that is."""

    image: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    progress: Progress | None

    def blocks(self, cell: Sequence[int]) -> Iterator[tuple[Place, Array]]:
        """Read the whole image in blocks of whole cells."""
        done, pixels = 0, math.prod(self.shape[:2])
        for place in tiles(self.shape, cell, BLOCK // self.dtype.itemsize):
            block = self._read(place)
            yield place, block
            done += block.size
            self._report(done * pixels // math.prod(self.shape), pixels)

    def _read(self, place: Place) -> Array:
        try:
            block = np.asarray(self.image[place])
        except _FOREIGN as error:
            raise _SourceError(error) from error
        expected = tuple(part.stop - part.start for part in place)
        if block.shape != expected or block.dtype.newbyteorder("=") != self.dtype:
            raise ArgumentValueError(
                "image",
                "give blocks of its own type and of the shape that is asked for, "
                f"{expected} of {self.dtype}",
                f"{block.shape} of {block.dtype}",
                "correct its shape and dtype",
            )
        return block.astype(self.dtype, copy=False)

    def _report(self, done: int, total: int) -> None:
        try:
            if self.progress is not None:
                self.progress(done, total)
        except _FOREIGN as error:
            raise _SourceError(error) from error


def write_sliced(
    path: str | os.PathLike[str], image: Any, *, progress: Progress | None = None
) -> None:
    """Write an image of any size to a file, block by block, or leave all as it was.

    The file is written under another name in the same folder and renamed when it is
    complete. A file that is there is replaced, and so is a folder that is a Zarr.

    Parameters
    ----------
    path : str or path-like
        Where to; its suffix names the kind: .npy; .zarr, a folder in Zarr's format 3,
        each chunk with a checksum (extra ``kmeans-np[zarr]``); .tif or .tiff, in tiles,
        a BigTIFF if it could exceed 4 GB (extra ``kmeans-np[deep]``).
    image : (rows, columns) or (rows, columns, channels) array_like
        The image: an array, what `open_image` returns, or anything else with `shape`,
        `dtype` and slices; each pixel is read once, in blocks of about 32 MiB. If it
        has `chunks`, the blocks are made of whole chunks where that is possible, and
        a Zarr gets the same, unless they are very small, large, or slender. As .npy
        and .zarr of any number of axes and of type bool, integer or float of at most
        64 bits; as .tif of type uint8, uint16, uint32, int8, int16, int32, float32 or
        float64.
    progress : callable, optional
        Called after each block with the number of pixels that are done and of all
        pixels (rows times columns).

    Raises
    ------
    TypeError
        If `image` cannot be read in slices, or is of another type.
    ValueError
        If the suffix is unknown, the shape of `image` not possible in such a file, an
        extra is not installed, the folder at `path` no Zarr, or what is there neither
        file nor folder.
    FileNotFoundError, NotADirectoryError, IsADirectoryError
        If the folder does not exist, or `path` is a folder and its suffix not .zarr.
    PermissionError, OSError
        If the file may not be written, or the disk is full.
    """
    path = as_path(path)
    suffix = path.suffix.lower()
    source = _checked(path, suffix, image, progress)
    write = {".npy": _write_npy, ".zarr": _write_zarr}.get(suffix, _write_tiff)
    problem: Exception | None = None
    try:
        with open_draft(path, folder=suffix == ".zarr") as draft:
            write(draft, source)
    except _SourceError as error:
        problem = error.args[0]
    if problem is not None:
        raise problem


def check_sliced(path: Path, image: Any) -> None:
    """Raise TypeError or ValueError if such an image cannot be in such a file."""
    _checked(path, path.suffix.lower(), image, None)


def _checked(path: Path, suffix: str, image: Any, progress: Progress | None) -> _Source:
    """Return the source if such an image can be in such a file."""
    if suffix not in SLICED_KINDS:
        rule = f"end in one of {', '.join(SLICED_KINDS)} {_AIM}"
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
    tiff = suffix.startswith(".tif")
    if not (dtype in TIFF_TYPES if tiff else is_number(dtype)):
        names = "bool, integers or floats of at most 64 bits"
        raise ArgumentTypeError(
            "image",
            f"hold {' or '.join(TIFF_TYPES) if tiff else names} to be written to a "
            f"{suffix} file",
            f"type {dtype}",
            f"{'choose .zarr or .npy, or ' if tiff and is_number(dtype) else ''}"
            "convert it",
        )
    fits = len(shape) in (2, 3) and max(shape[:2]) <= LONGEST_TIFF
    fits = fits and max(shape[2:], default=1) <= MOST_BANDS
    if math.prod(shape) == 0 or not shape or (tiff and not fits):
        rule = "have rows and columns, and up to 65,535 channels," if tiff else "have"
        raise ArgumentValueError(
            "image",
            f"{rule} at least one pixel to be written to a {suffix} file",
            f"shape {shape}",
            "choose another part or another suffix",
        )
    if tiff:
        tiff_library(path, _AIM)
    elif suffix == ".zarr":
        zarr_library(path, _AIM)
    return _Source(image, shape, dtype, progress)


# ---- The kinds -------------------------------------------------------------------


def _write_npy(draft: Path, source: _Source) -> None:
    shape, dtype = source.shape, source.dtype
    about = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    steps = [
        math.prod(shape[axis + 1 :]) * dtype.itemsize for axis in range(len(shape))
    ]
    # Not by a map of the file: where the disk is full, that ends the process.
    with draft.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        begin = file.tell()
        for place, block in source.blocks(_chunks(source)):
            # Behind the last axis that is cut, the numbers stand together.
            cut = [axis for axis, n in enumerate(block.shape) if n < shape[axis]]
            loose = block.shape[: max(cut, default=0)]
            first = sum(part.start * step for part, step in zip(place, steps))
            for at in np.ndindex(*loose):
                file.seek(begin + first + sum(i * step for i, step in zip(at, steps)))
                file.write(np.ascontiguousarray(block[at]).data)


def _write_zarr(draft: Path, source: _Source) -> None:
    from concurrent.futures import ThreadPoolExecutor

    chunks = _chunks(source)
    library = zarr_library(draft, _AIM)
    # As it compresses by itself, and a checksum, which it has but does not use.
    codecs = [library.codecs.ZstdCodec(), library.codecs.Crc32cCodec()]
    array = library.create_array(
        draft,
        shape=source.shape,
        dtype=source.dtype,
        chunks=chunks,
        compressors=codecs,
    )
    # Zarr writes in threads of its own. An interrupt must wait for them, or they would
    # go on writing where all is to be removed.
    with ThreadPoolExecutor(1) as worker:
        for place, block in source.blocks(chunks):
            worker.submit(array.__setitem__, place, block).result()


def _write_tiff(draft: Path, source: _Source) -> None:
    tifffile = tiff_library(draft, _AIM)
    shape, dtype = source.shape, source.dtype
    if len(shape) == 3 and shape[2] == 1:
        shape = shape[:2]
    tile = _tile(source)
    padded = math.prod(-(-n // side) * side for n, side in zip(shape, tile))
    size = padded * math.prod(shape[2:]) * dtype.itemsize
    parts = _tiles(source, tile, shape[2:])
    with tifffile.TiffWriter(draft, bigtiff=size > CLASSIC_TIFF) as file:
        file.write(
            # In a chain, since it would close the generator before the end.
            chain(parts),
            shape=shape,
            dtype=dtype,
            tile=tile,
            buffersize=BLOCK,
            **tiff_options(shape),
        )
    # After the last tile it does not ask for more, but only then is all reported.
    next(parts, None)


def _tiles(
    source: _Source, tile: tuple[int, int], bands: tuple[int, ...]
) -> Iterator[Array]:
    """Yield the tiles, row by row, each of full size."""
    for _, block in source.blocks((*tile, *source.shape[2:])):
        for place in tiles(block.shape[:2], tile, size=1):
            part = block[place]
            full = np.zeros((*tile, *bands), source.dtype)
            full[: part.shape[0], : part.shape[1]] = part.reshape(
                *part.shape[:2], *bands
            )
            yield full


def _tile(source: _Source) -> tuple[int, int]:
    """Return the shape of a tile: the source's own, as far as a TIFF can have it."""
    sides = [
        min(own if own in USUAL_TILE_SIDES else TILE_SIDE, -(-length // 16) * 16)
        for length, own in zip(source.shape, (_own_chunks(source) or (0, 0))[:2])
    ]
    each = math.prod(source.shape[2:]) * source.dtype.itemsize
    while math.prod(sides) * each > BLOCK and max(sides) > 16:
        longer = sides.index(max(sides))
        sides[longer] = -(-sides[longer] // 32) * 16
    return sides[0], sides[1]


# ---- Blocks ----------------------------------------------------------------------


def _chunks(source: _Source) -> tuple[int, ...]:
    """Return the chunks that the source has, or that suit it if it has no good ones."""
    own = _own_chunks(source)
    if own is not None:
        return _cut_strips(own, source)
    chunk = [min(n, CHUNK_SIDE) for n in source.shape[:2]] + list(source.shape[2:])
    while math.prod(chunk) * source.dtype.itemsize > BLOCK:
        longest = chunk.index(max(chunk))
        chunk[longest] = -(-chunk[longest] // 2)
    return tuple(chunk)


def _cut_strips(own: tuple[int, ...], source: _Source) -> tuple[int, ...]:
    """Return chunks that are not slender; each strip of rows is read once."""
    thin, long = sorted((0, 1), key=lambda axis: own[axis])
    bands = math.prod(source.shape[2:])
    if own[long] <= SLENDER * own[thin] or bands >= min(source.shape[:2]):
        return own
    # A block has all of these strips, from one end of the image to the other.
    strip = own[thin] * source.shape[long] * bands * source.dtype.itemsize
    chunk = list(own)
    chunk[thin] *= max(1, min(CHUNK_SIDE // own[thin], BLOCK // strip))
    chunk[thin] = min(chunk[thin], source.shape[thin])
    chunk[long] = min(own[long], max(CHUNK_SIDE, SMALLEST_CHUNK // chunk[thin]))
    return tuple(chunk)


def _own_chunks(source: _Source) -> tuple[int, ...] | None:
    """Return the chunks that the source has, if they are neither small nor large."""
    shape, each = source.shape, source.dtype.itemsize
    own = getattr(source.image, "chunks", None)
    if not isinstance(own, tuple) or len(own) != len(shape):
        return None
    # Dask has the sizes of all chunks in this place.
    if not all(isinstance(n, (int, np.integer)) and n > 0 for n in own):
        return None
    chunk = tuple(min(int(n), length) for n, length in zip(own, shape))
    least = min(SMALLEST_CHUNK, math.prod(shape) * each)
    return chunk if least <= math.prod(chunk) * each <= BLOCK else None
