"""The format TIFF: as a whole by Pillow or tifffile, in slices and in tiles."""

import math
import os
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.arrays import tiles
from kmeans_np.checks import ArgumentValueError, pluralize
from kmeans_np.files.formats import DEEP, Format, either
from kmeans_np.files.metadata import Metadata
from kmeans_np.files.open import MappedImage, SlicedImage, slice_errors
from kmeans_np.files.paths import decode_errors, too_large
from kmeans_np.files.pillow import (
    ORIENTATION,
    check_extra_to_read,
    check_extra_to_write,
    header,
    is_plain,
    read_with_pillow,
    upright,
    with_metadata,
)
from kmeans_np.files.tiff_tags import (
    CHANNELS,
    describe_tiff,
    numbers_of,
    says_unspecified,
    tags_for_pillow,
    tags_of,
    tiff_options,
)
from kmeans_np.files.write_blocks import BLOCK, Source, tile_of
from kmeans_np.lloyd import Array
from kmeans_np.threads import in_threads

TIFF_TYPES = (
    "uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64",
)  # fmt: skip
# From here on a TIFF needs places of 64 bits, with something to spare for the rest.
CLASSIC_TIFF = 2**32 - 2**25
_PREMULTIPLIED = 1
_GRAY_OR_RGB, _JPEG = ("MINISBLACK", "RGB"), 7
# What Pillow writes as gray, besides uint8.
_GRAY = ("uint16", "int32", "float32")
# Pillow takes its numbers for those of a classic TIFF.
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
# Tags of a TIFF, and the compressions whose parts are streams of zlib.
_WIDTH, _LENGTH, _BITS, _FORMAT = 256, 257, 258, 339
_COMPRESSION, _FILL_ORDER = 259, 266
_STRIPS, _STRIP_BYTES, _STRIP_ROWS = 273, 279, 278
_TILES, _TILE_BYTES, _TILE_WIDTH, _TILE_LENGTH = 324, 325, 322, 323
_DEFLATE = (8, 32946)
_SUBFILE_TYPE, _SUB_IFDS = 254, 330
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# To start threads takes longer than to read a smaller file, in bytes.
_LARGE = 2**20
_KINDS = {1: "uint", 2: "int", 3: "float"}


def read_tiff(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a page of a TIFF, upright."""
    head = file.read(4)
    file.seek(0)
    if head == _BIG_ENDIAN_BIGTIFF:
        what = "a BigTIFF of big-endian byte order"
        return _read_with_tifffile(file, path, page, what)
    with decode_errors(path):
        tags = tags_of(file, page)
        _refuse_preview(path, tags.get(_SUBFILE_TYPE), tags.get(_SUB_IFDS))
        channels, bits = int(tags.get(CHANNELS, 1)), max(tags.get(_BITS, (1,)))
        kind = _KINDS.get(max(tags.get(_FORMAT, (1,))), "void")
        by_pillow = _pillow_holds(file, page, channels, kind, bits)
    if not by_pillow:
        what = f"a TIFF of {pluralize(channels, 'channel')} of {kind}{bits}"
        return _read_with_tifffile(file, path, page, what)
    if tags.get(_COMPRESSION) in _DEFLATE:
        image = _read_and_check(file, path, page, tags)
    else:
        image = read_with_pillow(file, path, page)
    # Pillow knows only one type of integers with sign.
    return image.astype(np.int16) if kind == "int" and bits == 16 else image


def _refuse_preview(path: Path, kind: int | None, others: Any) -> None:
    """Refuse a page that is a small copy of one in another place, as in a DNG."""
    if kind is not None and kind & 1 and others:
        rule = "begin with its picture"
        found = "which begins with a preview, as a camera's raw file does"
        remedy = "develop it, and read the PNG or TIFF that comes of it"
        raise ArgumentValueError("path", rule, path, remedy, found=found)


def _read_and_check(file: BinaryIO, path: Path, page: int, tags: Any) -> Array:
    """Read a TIFF of streams with checksums, and compare these."""

    def check() -> None:
        with decode_errors(path), path.open("rb") as own:
            _check_streams(own, tags)

    if os.fstat(file.fileno()).st_size < _LARGE:
        check()
        return read_with_pillow(file, path, page)
    # Both at once: to check alone takes more than half as long as to read.
    jobs: list[Callable[[], Any]] = [partial(read_with_pillow, file, path, page), check]
    image: Array = in_threads(lambda job: job(), jobs)[0]
    return image


def _check_streams(file: BinaryIO, tags: Any) -> None:
    """Compare the checksums of a deflated TIFF, which Pillow does not.

    Raises zlib.error or EOFError for a part that is not what its writer wrote.
    """
    tiled = _TILES in tags
    offsets = numbers_of(tags, _TILES if tiled else _STRIPS)
    # Without their lengths, the streams still know where they end.
    lengths = numbers_of(tags, _TILE_BYTES if tiled else _STRIP_BYTES)
    lengths = lengths or [-1] * len(offsets)
    rows, columns = int(tags[_LENGTH]), int(tags[_WIDTH])
    if tiled:
        rows, columns = int(tags[_TILE_LENGTH]), int(tags[_TILE_WIDTH])
    else:
        rows = min(rows, int(tags.get(_STRIP_ROWS, rows)))
    bits = max(numbers_of(tags, _BITS) or [1]) * int(tags.get(CHANNELS, 1))
    # A stream of much more than a strip or tile holds is not followed to its end.
    largest = 2 * rows * columns * -(-bits // 8) + 2**16
    for offset, length in zip(offsets, lengths):
        file.seek(offset)
        data = file.read(length)
        if tags.get(_FILL_ORDER) == 2:
            data = data.translate(_REVERSED)
        stream = zlib.decompressobj()
        stream.decompress(data, largest)
        if not stream.eof:
            raise EOFError


def _pillow_holds(
    file: BinaryIO, page: int, channels: int, kind: str, bits: int
) -> bool:
    """Return whether Pillow reads all channels of a page, and all of their bits."""
    from PIL import UnidentifiedImageError

    # Pillow would print a line about the rest.
    if channels > 4:
        return False
    try:
        with header(file) as picture:
            picture.seek(page)
            mode, bands = picture.mode, len(picture.getbands())
    except UnidentifiedImageError:
        file.seek(0)
        return False
    if mode == "I":
        fits = kind == "int"
    elif mode == "F":
        fits = (kind, bits) == ("float", 32)
    else:
        fits = kind == "uint" and bits <= (16 if mode.startswith("I;16") else 8)
    return bands == channels and fits


def _read_with_tifffile(file: BinaryIO, path: Path, number: int, kind: str) -> Array:
    """Read a page of a TIFF, all its bands, as they are, upright.

    `kind` says what is known of it, if it cannot be read.
    """
    from PIL import Image

    check_extra_to_read(path, kind)
    with decode_errors(path):
        page, (rows, columns, bands) = _page(file, number)
        # A tile may claim to be larger than the image.
        highest, widest = max(rows, page.tilelength), max(columns, page.tilewidth)
        # As Pillow refuses it; four bands take the place of a pixel.
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and highest * widest * -(-bands // 4) > 2 * limit:
            raise too_large(path)
        _check_kind(path, page, kind)
        _check_parts(file, page)
        # Axes: bands one after the other, depth, rows, columns, bands side by side.
        image = np.moveaxis(page.asarray(squeeze=False)[:, 0], 0, -2)
        image = image.reshape((rows, columns, bands)[: 2 if bands == 1 else 3])
        if bands in (2, 4) and _PREMULTIPLIED in page.extrasamples:
            image = _without_alpha(image)
        return upright(image, page.tags.valueof(ORIENTATION))


def _page(file: BinaryIO, number: int) -> tuple[Any, tuple[int, ...]]:
    """Return a page of a TIFF, with its rows, columns and bands."""
    import tifffile

    page: Any = tifffile.TiffFile(file).pages[number]
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    return page, tuple(map(int, shape))


def _check_kind(path: Path, page: Any, kind: str) -> None:
    """Refuse a page of another color model than gray and RGB, or of other types."""
    model = getattr(page.photometric, "name", page.photometric)
    planes = int(page.imagedepth)
    # Tiles in JPEG are decoded to RGB.
    known = model in _GRAY_OR_RGB or (model == "YCBCR" and page.compression == _JPEG)
    if not known or page.dtype not in TIFF_TYPES or planes != 1:
        rule = "be a TIFF of one plane of gray, RGB or other bands of the type "
        raise ArgumentValueError(
            "path",
            rule + either(TIFF_TYPES),
            path,
            "read it with another library and pass the array",
            found=f"{kind}, of {pluralize(planes, 'plane')} of the color model {model}",
            shell_remedy="convert it",
        )


def _check_parts(file: BinaryIO, page: Any) -> None:
    """Refuse missing parts, and parts cut short; tifffile would leave holes."""
    end = file.seek(0, os.SEEK_END)
    parts = list(zip(page.dataoffsets, page.databytecounts))
    cut = any(count == 0 or start + count > end for start, count in parts)
    if cut or len(parts) != math.prod(page.chunked):
        raise EOFError


def _without_alpha(image: Array) -> Array:
    """Undo that colors were multiplied by their alpha, as Pillow does for 8 bits."""
    full = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    alpha = image[..., -1:].astype(np.float64)
    result = image * np.divide(full, alpha, out=np.ones_like(alpha), where=alpha > 0)
    if image.dtype.kind != "f":
        result = np.rint(np.minimum(result, full))
    result[..., -1:] = alpha
    return result.astype(image.dtype)


def write_tiff(image: Array, metadata: Metadata) -> bytes:
    """Return the content of a TIFF file, compressed by deflate."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    unspecified = says_unspecified(metadata, channels)
    if unspecified:
        rule = f"have no channels beside colors and alpha, {DEEP.missing}"
        DEEP.check(rule, f"shape {image.shape}", argument="image")
    if is_plain(image, _GRAY) and not unspecified:
        how = {"tiffinfo": tags_for_pillow(metadata), "compression": "tiff_deflate"}
        return with_metadata(image, metadata, TIFF.metadata, ".tif", **how)
    import tifffile

    file, big = BytesIO(), image.nbytes > CLASSIC_TIFF
    tifffile.imwrite(file, image, bigtiff=big, **tiff_options(image.shape, metadata))
    return file.getvalue()


# ---- In slices and in tiles ------------------------------------------------------


class TiffImage(SlicedImage):
    """The first page of a TIFF, in tiles or strips."""

    def __init__(
        self, path: Path, file: BinaryIO, page: Any, shape: Sequence[int]
    ) -> None:
        # One of its own, which is closed in `__del__`, too: in a process that the image
        # was sent to, nobody knows that there is a file to close.
        self._number = os.dup(file.fileno())
        self._file, self._page = os.fdopen(self._number, "rb", closefd=False), page
        # Who reads from one place in a file moves it for everyone.
        self._lock = threading.Lock()
        tile = (page.tilelength, page.tilewidth)
        if not page.is_tiled:
            # Of a single strip it may say that it goes on forever.
            tile = (min(page.rowsperstrip, shape[0]), page.imagewidth)
        self._apart = page.planarconfig == 2 and len(shape) == 3
        # Now, since tifffile may read the file for these.
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
        page, (rows, columns, bands) = _page(file, 0)
        _check_kind(
            path, page, f"a TIFF of {pluralize(bands, 'channel')} of {page.dtype}"
        )
        kinds = map(page.tags.valueof, (_SUBFILE_TYPE, _SUB_IFDS))
        _refuse_preview(path, *kinds)
        _check_for_slices(path, page)
        _check_parts(file, page)
        shape = (rows, columns, bands)[: 2 if bands == 1 else 3]
        if not page.is_final:
            return TiffImage(path, file, page, shape)
        # Uncompressed and in one piece, for which one strip of any size is usual.
        order = page.dtype.newbyteorder(page.parent.byteorder)
        mapped = np.memmap(file, order, "r", page.dataoffsets[0], page.shaped)
        image = np.moveaxis(mapped[:, 0], 0, -2).reshape(shape)
        return MappedImage(path, mapped, image)


def _check_for_slices(path: Path, page: Any) -> None:
    """Refuse what cannot be undone in slices."""
    rule = ""
    if page.tags.valueof(ORIENTATION) in range(2, 9):
        rule, found = "upright", "which is to be turned or mirrored"
    elif page.samplesperpixel in (2, 4) and _PREMULTIPLIED in page.extrasamples:
        rule, found = "of colors as they are", "whose colors are multiplied by alpha"
    if rule:
        remedy = "read it as a whole with read_image and write it again"
        rule = f"be a TIFF that is {rule} to be read in slices"
        raise ArgumentValueError("path", rule, path, remedy, found=found)


def write_tiles(draft: Path, source: Source) -> None:
    """Write the tiles of a TIFF, or BigTIFF if it needs that."""
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
        # In a chain, since it would close the generator before the end.
        file.write(chain(parts), shape=shape, **how)
    # After the last tile it does not ask for more, but only then is all reported.
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
    describe_tiff,
    starts=(b"II", b"MM"),
    open=open_tiff,
    write=write_tiff,
    write_blocks=write_tiles,
    types=TIFF_TYPES,
    channels=range(1, 2**16),
    metadata=("color_profile", "resolution", "place", "no_data"),
    extra=DEEP,
    check=partial(check_extra_to_write, gray=_GRAY),
)
