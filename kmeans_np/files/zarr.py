"""The format Zarr: an array in chunks, each of them a file in a folder."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kmeans_np.checks import ArgumentValueError, pluralize
from kmeans_np.files.formats import Extra, Format
from kmeans_np.files.open import SlicedImage, slice_errors
from kmeans_np.files.write_blocks import Source, chunks
from kmeans_np.lloyd import Array


class ZarrImage(SlicedImage):
    """A Zarr array; chunks that were never written have its fill value."""

    def __init__(self, path: Path, array: Any) -> None:
        super().__init__(path, array.shape, array.dtype, array.chunks)
        self._array = array

    def _read(self, parts: Sequence[range]) -> Array:
        cut = tuple(slice(part.start, part.stop, part.step) for part in parts)
        try:
            return np.array(self._array[cut], self.dtype, order="C")
        except MemoryError:
            raise
        # Reading all chunks at once is faster; reading one by one shows which is
        # unreadable.
        except Exception:
            return super()._read(parts)

    def _chunk(self, place: tuple[int, ...]) -> Array:
        cut = tuple(
            slice(at * size, (at + 1) * size) for at, size in zip(place, self.chunks)
        )
        return np.asarray(self._array[cut])


def open_zarr(path: Path) -> ZarrImage:
    """Open the Zarr array in a folder."""
    # Errors of the system about the folder come first, before Zarr rejects it.
    next(path.iterdir(), None)
    with slice_errors(path):
        return ZarrImage(path, _array_of(path))


def _array_of(path: Path) -> Any:
    import zarr

    try:
        # Zarr warns of unrelated files in the folder, and the like.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Zarr opens the files of chunks later, when the working folder may have
            # changed.
            found: Any = zarr.open(path.absolute(), mode="r")
            if isinstance(found, zarr.Array):
                return found
            names = sorted(found.array_keys())
            name = names[0] if len(names) == 1 else "0"
            if name in names:
                return found[name]
    except FileNotFoundError as error:
        raise ValueError("no array and no group") from error
    rule = "be a Zarr array, or a group with one array or with an array '0'"
    listed = f"{': ' if names else ''}{', '.join(names)}"
    group = f"a group of {pluralize(len(names), 'array')}{listed}"
    remedy = "pass the path of an array"
    raise ArgumentValueError("path", rule, path, remedy, found=group)


def write_zarr(draft: Path, source: Source) -> None:
    """Write the chunks of an array, each with a checksum."""
    from concurrent.futures import ThreadPoolExecutor

    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    cell = chunks(source)
    # Zarr's default compression, and a checksum, which it does not use by default.
    codecs = [ZstdCodec(), Crc32cCodec()]
    array = zarr.create_array(
        draft, shape=source.shape, dtype=source.dtype, chunks=cell, compressors=codecs
    )
    # Zarr writes in its own threads. An interrupt must wait for them, or they would go
    # on writing to the folder that is being removed.
    with ThreadPoolExecutor(1) as worker:
        for place, block in source.blocks(cell):
            worker.submit(array.__setitem__, place, block).result()


ZARR = Format(
    (".zarr",),
    open=open_zarr,
    write_blocks=write_zarr,
    types=None,
    channels=None,
    folder=True,
    extra=Extra(("zarr",), "zarr"),
)
