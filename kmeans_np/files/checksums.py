"""Checksums of PNG and TIFF files, which Pillow does not compare."""

import zlib
from typing import Any, BinaryIO

# Tags of a TIFF.
_WIDTH, _LENGTH, _BITS, _CHANNELS, _FILL_ORDER = 256, 257, 258, 277, 266
_STRIPS, _STRIP_BYTES, _STRIP_ROWS = 273, 279, 278
_TILES, _TILE_BYTES, _TILE_WIDTH, _TILE_LENGTH = 324, 325, 322, 323
_SIGNATURE = 8
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_chunks(file: BinaryIO) -> None:
    """Raise ValueError if a chunk of a PNG is not what its writer wrote.

    Afterwards the file is at its start again.
    """
    file.seek(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        # Without its end, a picture may be whole.
        if not head:
            break
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        data, checksum = file.read(length), file.read(4)
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(checksum, "big"):
            raise ValueError("wrong checksum")
    file.seek(0)


def check_streams(file: BinaryIO, tags: Any) -> None:
    """Raise zlib.error or EOFError if a part of a deflated TIFF is not what it was."""
    tiled = _TILES in tags
    offsets = _numbers(tags, _TILES if tiled else _STRIPS)
    # Without their lengths, the streams still know where they end.
    lengths = _numbers(tags, _TILE_BYTES if tiled else _STRIP_BYTES)
    lengths = lengths or [-1] * len(offsets)
    largest = _largest_part(tags, tiled)
    for offset, length in zip(offsets, lengths):
        file.seek(offset)
        data = file.read(length)
        if tags.get(_FILL_ORDER) == 2:
            data = data.translate(_REVERSED)
        stream = zlib.decompressobj()
        # A stream of much more than a part holds is not followed to its end.
        stream.decompress(data, largest)
        if not stream.eof:
            raise EOFError


def _numbers(tags: Any, tag: int) -> list[int]:
    found = tags.get(tag, ())
    return [found] if isinstance(found, int) else [*found]


def _largest_part(tags: Any, tiled: bool) -> int:
    """Return more bytes than the pixels of a strip or tile have."""
    rows, columns = int(tags[_LENGTH]), int(tags[_WIDTH])
    if tiled:
        rows, columns = int(tags[_TILE_LENGTH]), int(tags[_TILE_WIDTH])
    else:
        rows = min(rows, int(tags.get(_STRIP_ROWS, rows)))
    bits = max(_numbers(tags, _BITS) or [1]) * int(tags.get(_CHANNELS, 1))
    return 2 * rows * columns * -(-bits // 8) + 2**16
