"""The format PNG: with a palette if that is smaller, and with 16 bits per channel."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.colors import distinct_colors, look_up, take
from kmeans_np.files.formats import Format
from kmeans_np.files.frames import read_frames, write_frames
from kmeans_np.files.metadata import NOTHING, Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.files.pillow import (
    ORIENTATION,
    check_extra_to_read,
    check_extra_to_write,
    describe_with_pillow,
    header,
    is_plain,
    pillow_bytes,
    read_with_pillow,
    upright,
)
from kmeans_np.lloyd import Array

PALETTE_SIZE = 256
# An image with too many colors for a palette usually shows this in a sample of this
# many pixels. If not, all are counted in vain, which takes little time.
SAMPLE = 2**16
# The dtypes that Pillow writes as gray, besides uint8.
_GRAY = ("uint16",)
_SIGNATURE = 8
METERS_IN_INCH = 0.0254


def read_png(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a PNG; with 16 bits per color channel, imagecodecs reads it."""
    head = file.read(26)
    with decode_errors(path):
        _check_chunks(file)
    # Bytes 24 and 25 are the bits per channel and the color model, 0 for gray.
    if head[24:25] != b"\x10" or head[25:26] == b"\0":
        image = read_with_pillow(file, path, page)
        return _with_hidden(image, file) if image.dtype == np.uint16 else image
    check_extra_to_read(path, "a PNG with 16 bits a color channel")
    import imagecodecs

    with decode_errors(path):
        with header(file) as picture:
            orientation = picture.getexif().get(ORIENTATION)
        data = file.read()
        if page > 0:
            return upright(imagecodecs.apng_decode(data, index=page), orientation)
        return upright(imagecodecs.png_decode(data), orientation)


def _read_png_frames(file: BinaryIO, path: Path) -> Array:
    """Read all frames of a PNG; with 16 bits per color channel, imagecodecs does."""
    head = file.read(26)
    file.seek(0)
    if head[24:25] != b"\x10" or head[25:26] == b"\0":
        return read_frames(file, path)
    check_extra_to_read(path, "a PNG with 16 bits a color channel")
    import imagecodecs

    with decode_errors(path):
        frames: Array = imagecodecs.apng_decode(file.read())
        return frames


def _with_hidden(image: Array, file: BinaryIO) -> Array:
    """Add alpha to 16-bit gray if a PNG declares one gray transparent."""
    with header(file) as picture:
        hidden = picture.info.get("transparency")
    if hidden is None:
        return image
    alpha = np.where(image == hidden, 0, np.iinfo(image.dtype).max)
    return np.dstack([image, alpha.astype(image.dtype)])


def describe_png(file: BinaryIO, path: Path, page: int = 0) -> Metadata:
    """Return the metadata of a PNG."""
    head = file.read(26)
    file.seek(0)
    # Pillow reports 16-bit gray with alpha as color.
    mode = "LA" if head[25:26] == b"\4" else ""
    return describe_with_pillow(file, path, page, mode)


def _check_chunks(file: BinaryIO) -> None:
    """Compare the checksums of all chunks, which Pillow does not; go to the start.

    Raises ValueError for a damaged chunk.
    """
    file.seek(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        # The image may be complete even if the end is missing.
        if not head:
            break
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        data, checksum = file.read(length), file.read(4)
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(checksum, "big"):
            raise ValueError("wrong checksum")
    file.seek(0)


def write_png(image: Array, metadata: Metadata) -> bytes:
    """Return the content of a PNG file; imagecodecs encodes color of 16 bits."""
    return _with_chunks(_encoded(image), metadata)


def _with_chunks(data: bytes, metadata: Metadata) -> bytes:
    """Return the content of a PNG with additional chunks for metadata."""
    # After the signature and the header, before everything about colors.
    place = _SIGNATURE + 25
    return data[:place] + b"".join(_chunks(metadata)) + data[place:]


def _chunks(metadata: Metadata) -> Iterator[bytes]:
    """Yield the chunks of a PNG that hold metadata."""
    profile, resolution = metadata.color_profile, metadata.resolution
    if profile is not None:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if resolution is not None:
        per_meter = (round(each / METERS_IN_INCH) for each in resolution)
        yield _chunk(b"pHYs", struct.pack(">IIB", *per_meter, 1))


def _chunk(kind: bytes, data: bytes) -> bytes:
    length, checksum = len(data), zlib.crc32(kind + data)
    return struct.pack(">I", length) + kind + data + struct.pack(">I", checksum)


def _encoded(image: Array) -> bytes:
    if not is_plain(image, _GRAY):
        import imagecodecs

        return bytes(imagecodecs.png_encode(np.ascontiguousarray(image)))
    if image.ndim == 3 and image.shape[2] > 2:
        return png_bytes(image)
    return pillow_bytes(image, ".png")


class _LongerError(Exception):
    """The file has become longer than the other one."""


class _Shorter(io.BytesIO):
    """A file that raises an error when it becomes longer than another one."""

    limit: float = np.inf

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.limit:
            raise _LongerError
        return super().write(data)


def png_bytes(image: Array) -> bytes:
    """Return the content of a PNG file of an image of uint8, RGB or RGBA.

    It has a palette if there are at most 256 colors and that makes it smaller. In both
    cases `read_image` returns the same array.
    """
    from imageio import v3 as iio

    indexed = _indexed(image)
    file = _Shorter()
    if indexed is not None:
        file.limit = len(indexed)
    try:
        # Even with few colors, a file may be smaller without a palette, for example for
        # smooth gray. That must be tried; the attempt ends once it is larger.
        iio.imwrite(file, image, extension=".png", plugin="pillow", is_batch=False)
    except _LongerError:
        assert indexed is not None
        return indexed
    return file.getvalue()


def _indexed(image: Array) -> bytes | None:
    """Return a PNG file with a palette, None if there are too many colors."""
    pixels = image.reshape(-1, image.shape[2])
    if numbered_colors(pixels[:: max(1, len(pixels) // SAMPLE)]) is None:
        return None
    numbered = numbered_colors(pixels)
    if numbered is None:
        return None
    palette, numbers = numbered
    return indexed_bytes(numbers.reshape(image.shape[:2]), palette)


def indexed_bytes(
    numbers: Array, palette: Array, metadata: Metadata = NOTHING
) -> bytes:
    """Return the content of a PNG with a palette.

    Parameters
    ----------
    numbers : (rows, columns) array of uint8
        The index of the color of each pixel.
    palette : (n, 3) or (n, 4) array of uint8
        Colors, with or without alpha.
    metadata : Metadata, optional
        The metadata to write.
    """
    # imageio cannot write palettes.
    from PIL import Image

    picture = Image.fromarray(numbers)
    picture.putpalette(palette[:, :3].tobytes())
    alpha = palette[:, 3:].tobytes()
    file = io.BytesIO()
    # Pillow uses as few bits as the palette allows.
    picture.save(file, "PNG", **({"transparency": alpha} if alpha else {}))
    return _with_chunks(file.getvalue(), metadata)


def numbered_colors(pixels: Array) -> tuple[Array, Array] | None:
    """Return the colors of pixels, and the index of the color of each pixel."""
    colors = distinct_colors(pixels[:, :3])
    palette = colors.colors
    if len(palette) > PALETTE_SIZE:
        return None
    numbers = look_up(np.arange(len(palette), dtype=np.uint8), colors)
    if pixels.shape[1] == 3:
        return palette, numbers
    # The index of the color and alpha are combined into one number of two bytes.
    both = numbers.astype(np.uint16) << 8 | pixels[:, 3]
    occurs = np.zeros(2**16, bool)
    occurs[both] = True
    found = np.flatnonzero(occurs)
    if len(found) > PALETTE_SIZE:
        return None
    table = np.empty(2**16, np.uint8)
    table[found] = np.arange(len(found))
    palette = np.column_stack([palette[found >> 8], (found & 255).astype(np.uint8)])
    return palette, take(table, both)


PNG = Format(
    (".png",),
    read_png,
    _read_png_frames,
    describe_png,
    starts=(b"\x89PNG",),
    write=write_png,
    write_all=partial(write_frames, suffix=".png"),
    types=("uint8", "uint16"),
    channels=(1, 2, 3, 4),
    metadata=("color_profile", "resolution", "durations"),
    resolutions=(0.02, 2**24),
    axes="TIZ",
    check=partial(check_extra_to_write, gray=_GRAY),
)
