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
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.files.formats import Extra, Format
from kmeans_np.files.frames import read_frames
from kmeans_np.files.metadata import NOTHING, Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.files.pillow import (
    check_extra_to_read,
    check_size,
    describe_with_pillow,
    read_with_pillow,
)
from kmeans_np.lloyd import Array

HEIF = Extra("pillow-heif", ("pillow_heif",))
# What a stream of JPEG 2000 begins with, and where the header has its components.
_SIZ, _N_COMPONENTS = b"\xff\x4f\xff\x51", 40
# A color space that is not decoded to RGB: luma and chroma.
_YCC = b"colr\x01\0\0" + struct.pack(">I", 18)
# The configuration of an AV1 stream, and where it has the bits of the depth.
_AV1C, _DEPTH = b"av1C", 6
_TURNED, _MIRRORED = b"irot", b"imir"
_NETPBM = re.compile(rb"P([2356])" + 3 * rb"(?:\s|#[^\n]*\n)+(\d+)" + rb"\s")
_ASCII, _BINARY, _COLOR = b"23", b"56", b"36"
# Boxes and headers stand at the beginning.
_HEAD = 2**16


def _read_jpeg_2000(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a JPEG 2000; numbers of more than 8 bits, or with signs, as they are."""
    head = file.read(_HEAD)
    file.seek(0)
    siz = head.find(_SIZ)
    with decode_errors(path):
        (n,) = struct.unpack_from(">H", head, siz + _N_COMPONENTS)
        depths = head[siz + _N_COMPONENTS + 2 :][: 3 * n : 3]
    # The first bit says whether there are signs, the others are the depth without 1.
    if siz < 0 or max(depths) < 8:
        return read_with_pillow(file, path, page)
    check_extra_to_read(path, "a JPEG 2000 of more than 8 bits")
    import imagecodecs

    if _YCC in head:
        raise _convert_it(path, "of luma and chroma of more than 8 bits")
    with decode_errors(path):
        check_size(file)
        image: Array = imagecodecs.jpeg2k_decode(file.read())
        return image


def _read_netpbm(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a PGM or PPM; of more than 8 bits as uint16, with white as 65,535."""
    found = _NETPBM.match(file.read(_HEAD))
    file.seek(0)
    if found is None or int(found[4]) < 2**8:
        return read_with_pillow(file, path, page)
    with decode_errors(path):
        check_size(file)
        kind, (columns, rows, white) = found[1], map(int, found.groups()[1:])
        shape = (rows, columns, 3) if kind in _COLOR else (rows, columns)
        size = int(np.prod(shape))
        data = file.read()[found.end() :]
        if kind in _ASCII:
            values = np.array(data.split(maxsplit=size)[:size], np.uint32)
        else:
            values = np.frombuffer(data, ">u2", size)
        if len(values) < size or white > 65_535 or values.max() > white:
            raise EOFError
        return _in_16_bits(values, white).reshape(shape)


def _read_avif(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read an AVIF; of more than 8 bits as uint16, with white as 65,535."""
    head = file.read(_HEAD)
    file.seek(0)
    at = head.find(_AV1C)
    if at < 0 or not head[at + _DEPTH] & 0x40:
        return read_with_pillow(file, path, page)
    check_extra_to_read(path, "an AVIF of more than 8 bits")
    import imagecodecs

    if _TURNED in head or _MIRRORED in head:
        raise _convert_it(path, "of more than 8 bits that is to be turned")
    with decode_errors(path):
        check_size(file)
        bits = 12 if head[at + _DEPTH] & 0x20 else 10
        image = imagecodecs.avif_decode(file.read(), index=page)
        return _in_16_bits(image, 2**bits - 1)


def _in_16_bits(values: Array, white: int) -> Array:
    """Return numbers from 0 to white as such from 0 to 65,535."""
    scaled: Array = (values.astype(np.uint32) * 65_535 + white // 2) // white
    return scaled.astype(np.uint16)


def _convert_it(path: Path, what: str) -> ArgumentValueError:
    remedy = "convert it to a PNG or TIFF of 16 bits"
    rule, found = "be gray, RGB or other bands as they are seen", f"which is {what}"
    return ArgumentValueError("path", rule, path, remedy, found=found)


def _read_heic(file: BinaryIO, path: Path, page: int = 0) -> Array:
    """Read a HEIC; of more than 8 bits as uint16."""
    HEIF.check(f"be of another kind than HEIC, {HEIF.missing}", path)
    import pillow_heif

    with decode_errors(path):
        images = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
        return np.array(images[page])


def _describe_heic(file: BinaryIO, path: Path) -> Metadata:
    """Return what a HEIC says about its numbers."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return NOTHING
    register_heif_opener()
    return describe_with_pillow(file, path)


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
    read_frames,
    describe_with_pillow,
    starts=(b"ftypavif", b"ftypavis"),
)
HEIC = Format(
    (".heic", ".heif"),
    _read_heic,
    read_frames,
    _describe_heic,
    starts=tuple(
        b"ftyp" + brand
        for brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"mif1", b"msf1")
    ),
)
