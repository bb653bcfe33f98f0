"""Pages and stacks of a TIFF, read as a whole by Pillow or tifffile."""

import math
import os
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError, pluralize
from kmeans_np.files.formats import either
from kmeans_np.files.paths import decode_errors, too_large, unlike_images
from kmeans_np.files.pillow import (
    ORIENTATION,
    check_extra_to_read,
    header,
    read_with_pillow,
    upright,
)
from kmeans_np.files.tiff_tags import (
    CHANNELS,
    LENGTH,
    SUBFILE_TYPE,
    WIDTH,
    are_alike,
    numbers_of,
    order_of,
    pages_of,
    series_of,
    tags_of,
)
from kmeans_np.lloyd import Array
from kmeans_np.threads import in_threads

TIFF_TYPES = (
    "uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64",
)  # fmt: skip
PREMULTIPLIED = 1
_GRAY_OR_RGB, _JPEG = ("MINISBLACK", "RGB"), 7
# Pillow mistakes its offsets for those of a classic TIFF.
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
# Tags of a TIFF, and the compressions whose parts are zlib streams.
_BITS, _FORMAT = 258, 339
_COMPRESSION, _FILL_ORDER = 259, 266
_COLOR_MODEL, _WHITE_IS_ZERO = 262, 0
_STRIPS, _STRIP_BYTES, _STRIP_ROWS = 273, 279, 278
_TILES, _TILE_BYTES, _TILE_WIDTH, _TILE_LENGTH = 324, 325, 322, 323
_DEFLATE = (8, 32946)
SUB_IFDS = 330
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# Starting threads takes longer than reading a smaller file, in bytes.
_LARGE = 2**20
_KINDS = {1: "uint", 2: "int", 3: "float"}


def read_tiff(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a page of a TIFF, upright."""
    head = file.read(4)
    file.seek(0)
    with decode_errors(path):
        pages = pages_of(file)
        if page > 0 and page >= len(pages):
            return _read_plane(file, path, page)
        tags, page = tags_of(file, page), pages[page][0]
        if head == _BIG_ENDIAN_BIGTIFF:
            what = "a BigTIFF of big-endian byte order"
            return _read_with_tifffile(file, path, page, what)
        if is_preview(tags.get(SUBFILE_TYPE), tags.get(SUB_IFDS)):
            return _read_largest(file, path, page)
        channels, bits = int(tags.get(CHANNELS, 1)), max(tags.get(_BITS, (1,)))
        kind = _KINDS.get(max(tags.get(_FORMAT, (1,))), "void")
        by_pillow = _pillow_holds(file, page, channels, kind, bits)
        if head[:2] == b"MM" and tags.get(_COMPRESSION, 1) != 1 and kind != "uint":
            # Pillow would read the bytes of its values in the wrong order.
            by_pillow = False
        # Pillow inverts 8-bit images itself; others are inverted below.
        inverted = bits > 8 and tags.get(_COLOR_MODEL) == _WHITE_IS_ZERO
    if not by_pillow or (inverted and kind != "uint"):
        what = f"a TIFF of {pluralize(channels, 'channel')} of {kind}{bits}"
        return _read_with_tifffile(file, path, page, what)
    if tags.get(_COMPRESSION) in _DEFLATE:
        image = _read_and_check(file, path, page, tags)
    else:
        image = read_with_pillow(file, path, page)
    if inverted:
        image = np.uint16(2**bits - 1) - image
    # Pillow has only one signed integer type.
    return image.astype(np.int16) if kind == "int" and bits == 16 else image


def is_preview(kind: int | None, others: Any) -> bool:
    """Return whether a page is a reduced copy of an image elsewhere, as in a DNG."""
    return kind is not None and bool(kind & 1) and bool(others)


def _read_largest(file: BinaryIO, path: Path, number: int) -> Array:
    """Read the largest of the images that belong to a page, which is a preview."""
    kind = "a file that begins with a preview, as a camera's raw file does"
    check_extra_to_read(path, kind)
    with decode_errors(path):
        pages: Any = page_of(file, number)[0].pages
        page = max(pages, key=lambda each: math.prod(each.shape))
        return _as_array(file, path, page, kind)


def _read_and_check(file: BinaryIO, path: Path, page: int, tags: Any) -> Array:
    """Read a TIFF of streams with checksums, and compare the checksums."""

    def check() -> None:
        with decode_errors(path), path.open("rb") as own:
            _check_streams(own, tags)

    if os.fstat(file.fileno()).st_size < _LARGE:
        check()
        return read_with_pillow(file, path, page)
    # Both at once: checking alone takes more than half as long as reading.
    jobs: list[Callable[[], Any]] = [partial(read_with_pillow, file, path, page), check]
    image: Array = in_threads(lambda job: job(), jobs)[0]
    return image


def _check_streams(file: BinaryIO, tags: Any) -> None:
    """Compare the checksums of a deflated TIFF, which Pillow does not.

    Raises zlib.error or EOFError for a damaged part.
    """
    tiled = _TILES in tags
    offsets = numbers_of(tags, _TILES if tiled else _STRIPS)
    # Even without lengths, the streams have a mark where they end.
    lengths = numbers_of(tags, _TILE_BYTES if tiled else _STRIP_BYTES)
    lengths = lengths or [-1] * len(offsets)
    rows, columns = int(tags[LENGTH]), int(tags[WIDTH])
    if tiled:
        rows, columns = int(tags[_TILE_LENGTH]), int(tags[_TILE_WIDTH])
    else:
        rows = min(rows, int(tags.get(_STRIP_ROWS, rows)))
    bits = max(numbers_of(tags, _BITS) or [1]) * int(tags.get(CHANNELS, 1))
    # A stream much longer than a strip or tile is not followed to its end.
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
    """Return whether Pillow reads all channels of a page with all of their bits."""
    from PIL import UnidentifiedImageError

    # Pillow would print a line for others.
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
    """Read a page of a TIFF with all its bands, unchanged and upright.

    `kind` describes the page in errors.
    """
    check_extra_to_read(path, kind)
    with decode_errors(path):
        return _as_array(file, path, page_of(file, number)[0], kind)


def _as_array(file: BinaryIO, path: Path, page: Any, kind: str) -> Array:
    """Return the array of a page, upright, with its bands last."""
    _check_page(file, path, page, kind)
    # Axes: bands stored separately, depth, rows, columns, bands within pixels.
    image = np.moveaxis(page.asarray(squeeze=False)[:, 0], 0, -2)
    bands = int(page.samplesperpixel)
    shape, bits = (*image.shape[:2], bands), int(page.bitspersample)
    if bits < 8 and image.dtype == np.uint8:
        # Pillow also scales gray to 8 bits.
        image = np.rint(image * (255 / (2**bits - 1))).astype(np.uint8)
    return _as_seen(image.reshape(shape[: 2 if bands == 1 else 3]), page)


def read_stack(file: BinaryIO, path: Path) -> Array:
    """Read all pages of a TIFF, which must be alike, upright.

    Channels are the last axis, and all axes other than rows and columns are combined
    into the first one.
    """
    kind = "a TIFF of several pages"
    check_extra_to_read(path, kind)
    with decode_errors(path):
        series = series_of(file)
        if len(series) > 1 and not are_alike(file):
            shapes = either([f"{each.shape} of {each.dtype}" for each in series], "and")
            found = f"which holds {shapes}"
            raise unlike_images(path, "pages of one size and type", found)
        pages, first = series[0].pages, series[0].keyframe
        if None in pages:
            rule, found = "hold all its pages", "of which some are in other files"
            remedy = "write all of them to one file"
            raise ArgumentValueError("path", rule, path, remedy, found=found)
        if len(series) > 1 or first.bitspersample < 8 or not _is_known(first):
            # Palettes, inks and the like: each page is read by itself.
            numbers = range(len(pages_of(file)))
            return np.stack([read_tiff(file, path, number) for number in numbers])
        _check_page(file, path, first, kind)
        for page in pages:
            check_parts(file, page)
        axes = series[0].axes
        image = series[0].asarray().transpose(order_of(axes))
        n_axes = 2 + bool({*axes} & {*"SC"})
        in_planes = image.ndim > n_axes
        if in_planes:
            image = image.reshape(-1, *image.shape[-n_axes:])
        return _as_seen(image, first, in_planes)


def _read_plane(file: BinaryIO, path: Path, number: int) -> Array:
    """Read a plane of an ImageJ stack that has no page of its own."""
    check_extra_to_read(path, "a stack of ImageJ's with one page")
    with decode_errors(path):
        (stack,) = series_of(file)
        _check_page(file, path, stack.keyframe, "a TIFF")
        planes = stack.asarray()
        plane: Array = planes.reshape(-1, *stack.keyframe.shape)[number]
        return plane


def _check_page(file: BinaryIO, path: Path, page: Any, kind: str) -> None:
    """Reject a page that is too large, of another kind, or incomplete."""
    from PIL import Image

    # A tile may claim to be larger than the image.
    highest = max(page.imagelength, page.tilelength)
    widest = max(page.imagewidth, page.tilewidth)
    # Pillow's limit; four bands count as one pixel.
    limit = Image.MAX_IMAGE_PIXELS
    size = highest * widest * -(-page.samplesperpixel // 4)
    if limit is not None and size > 2 * limit:
        raise too_large(path)
    check_kind(path, page, kind)
    check_parts(file, page)


def _as_seen(image: Array, page: Any, in_planes: bool = False) -> Array:
    """Return an image upright, with colors that are not multiplied by alpha."""
    if page.samplesperpixel in (2, 4) and PREMULTIPLIED in page.extrasamples:
        image = _without_alpha(image)
    # Turning affects rows and columns, so planes are moved to the end meanwhile.
    image = np.moveaxis(image, 0, -1) if in_planes else image
    image = upright(image, page.tags.valueof(ORIENTATION))
    return np.moveaxis(image, -1, 0) if in_planes else image


def page_of(file: BinaryIO, number: int) -> tuple[Any, tuple[int, ...]]:
    """Return a page of a TIFF, with its numbers of rows, columns and bands."""
    import tifffile

    page: Any = tifffile.TiffFile(file).pages[number]
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    return page, tuple(map(int, shape))


def _is_known(page: Any) -> bool:
    """Return whether a page is gray, RGB or other bands."""
    model = getattr(page.photometric, "name", page.photometric)
    # Tiles in JPEG are decoded to RGB.
    return model in _GRAY_OR_RGB or (model == "YCBCR" and page.compression == _JPEG)


def check_kind(path: Path, page: Any, kind: str) -> None:
    """Reject a page of a color model other than gray and RGB, or of another dtype."""
    model = getattr(page.photometric, "name", page.photometric)
    planes = int(page.imagedepth)
    if not _is_known(page) or page.dtype not in TIFF_TYPES or planes != 1:
        rule = "be a TIFF of one plane of gray, RGB or other bands of the type "
        raise ArgumentValueError(
            "path",
            rule + either(TIFF_TYPES),
            path,
            "read it with another library and pass the array",
            found=f"{kind}, of {pluralize(planes, 'plane')} of the color model {model}",
            shell_remedy="convert it",
        )


def check_parts(file: BinaryIO, page: Any) -> None:
    """Reject missing and incomplete parts, which tifffile would leave empty."""
    end = file.seek(0, os.SEEK_END)
    parts = list(zip(page.dataoffsets, page.databytecounts))
    cut = any(count == 0 or start + count > end for start, count in parts)
    if cut or len(parts) != math.prod(page.chunked):
        raise EOFError


def _without_alpha(image: Array) -> Array:
    """Undo the multiplication of colors by alpha, as Pillow does for 8 bits."""
    full = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    alpha = image[..., -1:].astype(np.float64)
    result = image * np.divide(full, alpha, out=np.ones_like(alpha), where=alpha > 0)
    if image.dtype.kind != "f":
        result = np.rint(np.minimum(result, full))
    result[..., -1:] = alpha
    return result.astype(image.dtype)
