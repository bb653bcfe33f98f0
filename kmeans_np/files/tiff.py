"""The format TIFF: written as a whole or in tiles, and read in slices."""

import math
import os
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.arrays import tiles
from kmeans_np.checks import ArgumentValueError, pluralize
from kmeans_np.files.formats import DEEP, Format
from kmeans_np.files.metadata import Metadata
from kmeans_np.files.open import MappedImage, SlicedImage, slice_errors
from kmeans_np.files.pillow import (
    ORIENTATION,
    check_extra_to_write,
    is_plain,
    with_metadata,
)
from kmeans_np.files.tiff_pages import (
    PREMULTIPLIED,
    SUB_IFDS,
    SUBFILE_TYPE,
    TIFF_TYPES,
    check_kind,
    check_parts,
    is_preview,
    page_of,
    read_stack,
    read_tiff,
)
from kmeans_np.files.tiff_tags import (
    describe_tiff,
    in_pages,
    says_unspecified,
    tags_for_pillow,
    tiff_options,
)
from kmeans_np.files.write_blocks import BLOCK, Source, tile_of
from kmeans_np.lloyd import Array

# Above this size, a TIFF needs offsets of 64 bits; some bytes are reserved for the
# rest.
CLASSIC_TIFF = 2**32 - 2**25
# The dtypes that Pillow writes as gray, besides uint8.
_GRAY = ("uint16", "int32", "float32")


def write_tiff(image: Array, metadata: Metadata) -> bytes:
    """Return the content of a TIFF file, compressed by deflate."""
    if metadata.has_channel_pages:
        rule = f"not store its channels in pages, {DEEP.missing}"
        DEEP.check(rule, f"shape {image.shape}", argument="image")
        return write_stack(image, metadata)
    channels = 1 if image.ndim == 2 else image.shape[2]
    unspecified = says_unspecified(metadata, channels)
    if unspecified:
        rule = f"have no channels other than colors and alpha, {DEEP.missing}"
        DEEP.check(rule, f"shape {image.shape}", argument="image")
    if is_plain(image, _GRAY) and not unspecified:
        how = {"tiffinfo": tags_for_pillow(metadata), "compression": "tiff_deflate"}
        return with_metadata(image, metadata, ".tif", **how)
    import tifffile

    file, big = BytesIO(), image.nbytes > CLASSIC_TIFF
    tifffile.imwrite(file, image, bigtiff=big, **tiff_options(image.shape, metadata))
    return file.getvalue()


def write_stack(images: Array, metadata: Metadata) -> bytes:
    """Return the content of a TIFF of several pages, with the names of its axes."""
    import tifffile

    file, big = BytesIO(), images.nbytes > CLASSIC_TIFF
    images, about, n_axes = in_pages(images, metadata)
    options = tiff_options(images.shape[-n_axes:], metadata)
    options["metadata"] = about
    tifffile.imwrite(file, images, bigtiff=big, ome=about is not None, **options)
    return file.getvalue()


# ---- In slices and in tiles ------------------------------------------------------


class TiffImage(SlicedImage):
    """The first page of a TIFF, in tiles or strips."""

    def __init__(
        self, path: Path, file: BinaryIO, page: Any, shape: Sequence[int]
    ) -> None:
        # A file descriptor of its own, which `__del__` closes as well: in another
        # process that the image was sent to, no other code closes it.
        self._number = os.dup(file.fileno())
        self._file, self._page = os.fdopen(self._number, "rb", closefd=False), page
        # Reading moves the position in the file for all threads.
        self._lock = threading.Lock()
        tile = (page.tilelength, page.tilewidth)
        if not page.is_tiled:
            # For a single strip, the number of rows may be unlimited.
            tile = (min(page.rowsperstrip, shape[0]), page.imagewidth)
        self._apart = page.planarconfig == 2 and len(shape) == 3
        # Read now, since tifffile may read the file for these.
        self._decode = page.decode
        self._tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        bands = [1] if self._apart else shape[2:]
        super().__init__(path, shape, page.dtype, (*tile, *bands))
        self._grid = [-(-n // size) for n, size in zip(shape, self.chunks)]

    def _chunk(self, place: tuple[int, ...]) -> Array:
        number = place[0] * self._grid[1] + place[1]
        if self._apart:
            number += place[2] * self._grid[0] * self._grid[1]
        with self._lock:
            self._file.seek(self._page.dataoffsets[number])
            data = self._file.read(self._page.databytecounts[number])
        tile: Array = self._decode(data, number, **self._tables)[0][0]
        return tile if self.ndim == 3 else tile[..., 0]

    def close(self) -> None:
        """Close the file."""
        super().close()
        with self._lock:
            if not self._file.closed:
                self._file.close()
                os.close(self._number)

    def __del__(self) -> None:
        self.close()


def open_tiff(path: Path) -> SlicedImage:
    """Open the first page of a TIFF."""
    with path.open("rb") as file, slice_errors(path):
        page, (rows, columns, bands) = page_of(file, 0)
        check_kind(
            path, page, f"a TIFF of {pluralize(bands, 'channel')} of {page.dtype}"
        )
        _check_for_slices(path, page)
        check_parts(file, page)
        shape = (rows, columns, bands)[: 2 if bands == 1 else 3]
        if not page.is_final:
            return TiffImage(path, file, page, shape)
        # Uncompressed and contiguous; such files usually have one strip of any size.
        order = page.dtype.newbyteorder(page.parent.byteorder)
        mapped = np.memmap(file, order, "r", page.dataoffsets[0], page.shaped)
        image = np.moveaxis(mapped[:, 0], 0, -2).reshape(shape)
        return MappedImage(path, mapped, image)


def _check_for_slices(path: Path, page: Any) -> None:
    """Reject files that cannot be corrected slice by slice."""
    rule = ""
    if page.tags.valueof(ORIENTATION) in range(2, 9):
        rule, found = "that is stored upright", "which is rotated or mirrored"
    elif page.samplesperpixel in (2, 4) and PREMULTIPLIED in page.extrasamples:
        rule, found = (
            "without premultiplied alpha",
            "whose colors are premultiplied by alpha",
        )
    elif is_preview(*map(page.tags.valueof, (SUBFILE_TYPE, SUB_IFDS))):
        rule, found = "whose first page is the picture", "which begins with a preview"
    if rule:
        remedy = "read it as a whole with read_image and write it again"
        rule = f"be a TIFF {rule} to be read in slices"
        raise ArgumentValueError("path", rule, path, remedy, found=found)


def write_tiles(draft: Path, source: Source) -> None:
    """Write the tiles of a TIFF, or of a BigTIFF if necessary."""
    import tifffile

    shape, dtype = source.shape, source.dtype
    if len(shape) == 3 and shape[2] == 1:
        shape = shape[:2]
    tile = tile_of(source)
    padded = math.prod(-(-n // side) * side for n, side in zip(shape, tile))
    size = padded * math.prod(shape[2:]) * dtype.itemsize
    parts = _tiles(source, tile, shape[2:])
    with tifffile.TiffWriter(draft, bigtiff=size > CLASSIC_TIFF) as file:
        how: dict[str, Any] = {"dtype": dtype, "tile": tile, "buffersize": BLOCK}
        how |= tiff_options(shape, source.metadata)
        # In a chain, since tifffile would close the generator before the end.
        file.write(chain(parts), shape=shape, **how)
    # tifffile requests nothing after the last tile, but the generator reports the last
    # progress only when it is resumed.
    next(parts, None)


def _tiles(
    source: Source, tile: tuple[int, int], bands: tuple[int, ...]
) -> Iterator[Array]:
    """Yield the tiles, row by row, each of full size."""
    for _, block in source.blocks((*tile, *source.shape[2:])):
        for place in tiles(block.shape[:2], tile, size=1):
            part = block[place]
            rows, columns = part.shape[:2]
            full = np.zeros((*tile, *bands), source.dtype)
            full[:rows, :columns] = part.reshape(rows, columns, *bands)
            yield full


TIFF = Format(
    (".tif", ".tiff"),
    read_tiff,
    read_stack,
    describe_tiff,
    starts=(b"II", b"MM"),
    open=open_tiff,
    write=write_tiff,
    write_all=write_stack,
    write_blocks=write_tiles,
    types=TIFF_TYPES,
    channels=range(1, 2**16),
    metadata=("color_profile", "resolution", "place", "no_data"),
    axes="TIZ",
    extra=DEEP,
    check=partial(check_extra_to_write, gray=_GRAY),
)
