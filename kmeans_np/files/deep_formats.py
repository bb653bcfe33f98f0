"""Formats of more than 8 bits, which Pillow would round: JPEG 2000, PPM, AVIF, HEIC.

Files of 8 bits are left to Pillow.

References
----------
.. [1] ISO/IEC 15444-1, "JPEG 2000 image coding system", section A.5.1 (SIZ).
.. [2] AOMedia, "AV1 Codec ISO Media File Format Binding", section 2.3 (av1C).
.. [3] J. Poskanzer, "PPM format specification", Netpbm.
"""

import re
import struct
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.files.formats import Extra, Format
from kmeans_np.files.frames import read_frames
from kmeans_np.files.metadata import NOTHING, Metadata
from kmeans_np.files.paths import decode_errors, too_large, unlike_images
from kmeans_np.files.pillow import (
    check_extra_to_read,
    check_size,
    describe_with_pillow,
    fitting,
    read_with_pillow,
)
from kmeans_np.lloyd import Array

HEIF = Extra(("pillow_heif",), "pillow-heif")
# The first bytes of a JPEG 2000 stream, and the place of the number of components.
_SIZ, _N_COMPONENTS = b"\xff\x4f\xff\x51", 40
# A color space that is not decoded to RGB: luma and chroma.
_YCC = b"colr\x01\0\0" + struct.pack(">I", 18)
# The configuration of an AV1 stream, and the place of the bits for its depth.
_AV1C, _DEPTH = b"av1C", 6
_TURNED, _MIRRORED = b"irot", b"imir"
_NETPBM = re.compile(rb"P([2356])" + 3 * rb"(?:\s|#[^\n\r]*[\n\r])+(\d+)" + rb"\s")
_COMMENT = re.compile(rb"#[^\n\r]*")
_ASCII, _COLOR = b"23", b"36"


def _read_jpeg_2000(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a JPEG 2000; values of more than 8 bits, or signed ones, are unchanged."""
    data = file.read()
    file.seek(0)
    with decode_errors(path):
        # If something is not found, the file is rejected as damaged.
        at = data.index(_SIZ) + _N_COMPONENTS
        (n,) = struct.unpack_from(">H", data, at)
        depths = data[at + 2 :][: 3 * n : 3]
        # The first bit says whether values are signed, the others are the depth minus
        # 1.
        is_deep = max(depths) >= 8
    if not is_deep:
        return read_with_pillow(file, path, page)
    check_extra_to_read(path, "a JPEG 2000 of more than 8 bits")
    import imagecodecs

    if _YCC in data:
        raise _convert_it(path, "of luma and chroma of more than 8 bits")
    with decode_errors(path):
        check_size(file)
        image: Array = imagecodecs.jpeg2k_decode(data)
        return image


def _read_netpbm(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a PGM or PPM; of more than 8 bits as uint16, with white as 65,535."""
    data = file.read()
    file.seek(0)
    found = _NETPBM.match(data)
    with decode_errors(path):
        is_deep = found is not None and int(found[4]) >= 2**8
    if found is None or not is_deep:
        return read_with_pillow(file, path, page)
    with decode_errors(path):
        check_size(file)
        kind, (columns, rows, white) = found[1], map(int, found.groups()[1:])
        shape = (rows, columns, 3) if kind in _COLOR else (rows, columns)
        size, rest = int(np.prod(shape)), data[found.end() :]
        if kind in _ASCII:
            words = _COMMENT.sub(b" ", rest).split(maxsplit=size)
            values = np.array(words[:size], np.uint32)
        else:
            values = np.frombuffer(rest, ">u2", size)
        if len(values) < size or white > 65_535 or values.max() > white:
            raise EOFError
        return _in_16_bits(values, white).reshape(shape)


def _read_avif(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read an AVIF; of more than 8 bits as uint16, with white as 65,535."""
    frames = _deep_avif(file, path)
    return read_with_pillow(file, path, page) if frames is None else frames[page]


def _read_avif_frames(file: BinaryIO, path: Path) -> Array:
    """Read all frames of an AVIF, as one array."""
    frames = _deep_avif(file, path)
    return read_frames(file, path) if frames is None else frames


def _deep_avif(file: BinaryIO, path: Path) -> Array | None:
    """Return all frames of an AVIF of more than 8 bits; None if it has 8 bits."""
    data = file.read()
    file.seek(0)
    with decode_errors(path):
        bits_of_depth = data[data.index(_AV1C) + _DEPTH]
    if not bits_of_depth & 0x40:
        return None
    check_extra_to_read(path, "an AVIF of more than 8 bits")
    import imagecodecs

    if _TURNED in data or _MIRRORED in data:
        raise _convert_it(path, "of more than 8 bits and rotated")
    with decode_errors(path):
        check_size(file)
        image = _in_16_bits(
            imagecodecs.avif_decode(data), 2 ** _bits(bits_of_depth) - 1
        )
        return image if image.ndim == 4 else image[np.newaxis]


def _bits(bits_of_depth: int) -> int:
    return 12 if bits_of_depth & 0x20 else 10


def _in_16_bits(values: Array, white: int) -> Array:
    """Scale values from 0 to white to 0 to 65,535."""
    scaled: Array = (values.astype(np.uint32) * 65_535 + white // 2) // white
    return scaled.astype(np.uint16)


def _convert_it(path: Path, what: str) -> ArgumentValueError:
    remedy = "convert it to a PNG or TIFF of 16 bits"
    rule, found = "hold gray, RGB or other bands, upright", f"which is {what}"
    return ArgumentValueError("path", rule, path, remedy, found=found)


def _read_heic(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a HEIC; of more than 8 bits as uint16, with white as 65,535."""
    with decode_errors(path):
        images = _heif(file, path)
        # By default, the image that viewers show.
        return _of_heif(images[page or images.primary_index], path)


def _read_heic_images(file: BinaryIO, path: Path) -> Array:
    """Read all images of a HEIC, which must have the same size, as one array."""
    with decode_errors(path):
        images = [_of_heif(image, path) for image in _heif(file, path)]
        if len({image.shape for image in images}) > 1:
            raise unlike_images(path, "images of one size")
        return np.stack(images)


def _heif(file: BinaryIO, path: Path) -> Any:
    """Return an open HEIC."""
    HEIF.check(f"not be HEIC, {HEIF.missing}", path)
    import pillow_heif

    return pillow_heif.open_heif(file, convert_hdr_to_8bit=False)


def _of_heif(image: Any, path: Path) -> Array:
    """Return the array of an image in a HEIC."""
    from PIL import Image

    limit, (columns, rows) = Image.MAX_IMAGE_PIXELS, image.size
    if limit is not None and columns * rows > 2 * limit:
        raise too_large(path)
    array = np.array(image)
    if array.dtype != np.uint16:
        return array
    # The values are stored in the upper bits of 16.
    bits = int(image.info.get("bit_depth", 16))
    return _in_16_bits(array >> (16 - bits), 2**bits - 1)


def _describe_heic(file: BinaryIO, path: Path, page: int = 0) -> Metadata:
    """Return the metadata of a HEIC."""
    try:
        import_module("pillow_heif")
    except ImportError:
        return NOTHING
    with decode_errors(path):
        images = _heif(file, path)
        image, n = images[page or images.primary_index], len(images)
        mode = image.mode.partition(";")[0]
        return Metadata(
            color_profile=fitting(image.info.get("icc_profile"), mode),
            extra_channels=("alpha",) if mode.endswith("A") else None,
            n_pages=n,
            stack=(("I", n),) if n > 1 else None,
            size=image.size[::-1],
        )


JPEG_2000 = Format(
    (".jp2", ".j2k", ".jpx", ".j2c"),
    _read_jpeg_2000,
    describe=describe_with_pillow,
    starts=(b"\0\0\0\x0cjP  \r\n\x87\n", _SIZ),
)
NETPBM = Format(
    (".ppm", ".pgm"),
    _read_netpbm,
    describe=describe_with_pillow,
    starts=(b"P2", b"P3", b"P5", b"P6"),
)
AVIF = Format(
    (".avif",),
    _read_avif,
    _read_avif_frames,
    describe_with_pillow,
    starts=(b"ftypavif", b"ftypavis"),
)
HEIC = Format(
    (".heic", ".heif"),
    _read_heic,
    _read_heic_images,
    _describe_heic,
    starts=tuple(
        b"ftyp" + brand
        for brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"mif1", b"msf1")
    ),
)
