"""Damage to files that have checksums: it is found, whichever bit it is."""

import struct
import sys
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from tables import chosen

from kmeans_np import open_image, read_image, write_image
from kmeans_np.files import tiff_pages as tiff_module
from kmeans_np.files import write_blocks

RNG = np.random.default_rng(5)
ROWS, COLUMNS = np.mgrid[:30, :40]
SMOOTH = np.stack([(7 * ROWS + i * COLUMNS) % 256 for i in range(3)], -1).astype("u1")
NOISY = (SMOOTH // 2 + RNG.integers(0, 99, SMOOTH.shape)).astype("u1")
FEW = SMOOTH // 64 * 64


def by_pillow(image, **options):
    def write(path):
        Image.fromarray(image).save(path, **options)

    return write


def by_tifffile(image, **options):
    def write(path):
        options.setdefault("compression", "zlib")
        tifffile.imwrite(path, image, photometric="rgb", metadata=None, **options)

    return write


def ours(image):
    return lambda path: write_image(path, image)


# Who writes it, by the name of the file.
FILES = {
    "few.tif": ours(FEW),
    "noisy.tif": ours(NOISY),
    "gray 16.tif": ours(SMOOTH[..., 0].astype("u2") * 257),
    "float.tif": ours(SMOOTH[..., 0] / np.float32(7)),
    "alpha.tif": ours(np.dstack([SMOOTH, SMOOTH[..., 0]])),
    "bands.tif": ours(np.dstack([SMOOTH, FEW])),
    "black and white.tif": lambda path: (
        Image.fromarray(FEW).convert("1").save(path, compression="tiff_deflate")
    ),
    "pillow.tif": by_pillow(SMOOTH, compression="tiff_deflate"),
    "adobe.tif": by_pillow(FEW, compression="tiff_adobe_deflate"),
    "strips.tif": by_tifffile(SMOOTH, rowsperstrip=7),
    "predictor.tif": by_tifffile(NOISY, predictor=True),
    "tiles.tif": by_tifffile(FEW, tile=(16, 16)),
    "old number.tif": by_tifffile(FEW, compression="deflate"),
    "big.tif": by_tifffile(FEW, bigtiff=True),
    "big endian.tif": by_tifffile(FEW, byteorder=">"),
    "big big endian.tif": by_tifffile(FEW, bigtiff=True, byteorder=">"),
    "few.png": ours(FEW),
    "noisy.png": ours(NOISY),
    "gray.png": ours(SMOOTH[..., 0]),
    "gray 16.png": ours(SMOOTH[..., 0].astype("u2") * 257),
    "alpha.png": ours(np.dstack([FEW, SMOOTH[..., 0]])),
    "deep.png": ours(SMOOTH.astype("u2") * 257),
    "transparent.png": by_pillow(FEW[..., 0], transparency=64),
    "chunks.png": by_pillow(RNG.integers(0, 256, (300, 200, 3), np.uint8)),
}


def compressed(path):
    """The places in a file that have a checksum."""
    if path.suffix == ".png":
        return np.arange(path.stat().st_size)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        parts = zip(page.dataoffsets, page.databytecounts)
        return np.concatenate([np.arange(start, start + n) for start, n in parts])


def read_slices(path):
    with open_image(path) as image:
        return image[...]


def outcomes(path, places, read, n):
    """How many of some flipped bits are errors, the right pixels, and wrong ones."""
    right, content = read(path), bytearray(path.read_bytes())
    found = {"error": 0, "right": 0, "wrong": 0}
    bits = np.arange(8 * len(places))
    for bit in RNG.choice(bits, min(n, len(bits)), replace=False):
        place, mask = places[bit // 8], 1 << bit % 8
        content[place] ^= mask
        path.write_bytes(content)
        content[place] ^= mask
        try:
            image = read(path)
        except ValueError:
            found["error"] += 1
        else:
            same = image.shape == right.shape and np.array_equal(image, right)
            found["right" if same else "wrong"] += 1
    path.write_bytes(content)
    return found


@pytest.mark.parametrize("n", chosen([30, 600], 30))
@pytest.mark.parametrize("name", chosen(FILES, *[*FILES][::2]))
def test_a_flipped_bit_is_never_another_image(tmp_path, name, n):
    path = tmp_path / name
    FILES[name](path)
    places = compressed(path)
    reads = [read_image]
    if path.suffix == ".tif" and not name.startswith("black"):
        reads.append(read_slices)
    for read in reads:
        found = outcomes(path, places, read, n)
        assert found["wrong"] == 0
        # A few bits have no meaning, where a stream ends amid a byte.
        assert found["error"] > 9 * found["right"]


# ---- What is whole is read -------------------------------------------------------


def png_bytes():
    file = BytesIO()
    Image.fromarray(FEW).save(file, "PNG")
    return file.getvalue()


def tiff(data, *, tags=(), without=()):
    """A TIFF of one strip in these bytes, made by hand."""
    rows, columns, channels = FEW.shape
    entries = {
        256: columns, 257: rows, 258: 8, 259: 8, 262: 2, 273: 8, 277: channels,
        278: rows, 279: len(data), **dict(tags),
    }  # fmt: skip
    entries = {tag: entries[tag] for tag in sorted({*entries} - {*without})}
    # Three times 8 bits, and where that stands.
    entries[258] = 8 + len(data)
    data += struct.pack("<3H", 8, 8, 8)
    start = 8 + len(data)
    head = struct.pack("<2sHI", b"II", 42, start)
    table = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, value)
        for tag, value in entries.items()
    )
    return head + data + struct.pack("<H", len(entries)) + table + bytes(4)


STREAM = zlib.compress(FEW.tobytes())
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in STREAM)
WHOLE = {
    "strip.tif": tiff(STREAM),
    "more behind.tif": tiff(STREAM + b"anything"),
    "bits reversed.tif": tiff(REVERSED, tags={266: 2}.items()),
    "one strip without end.tif": tiff(STREAM, tags={278: 2**32 - 1}.items()),
    "more rows than there are.tif": tiff(zlib.compress(FEW.tobytes() + bytes(500))),
    "no rows for each strip.tif": tiff(STREAM, without=[278]),
    "no length.tif": tiff(STREAM, without=[279]),
    "old number.tif": tiff(STREAM, tags={259: 32946}.items()),
    "no end.png": png_bytes()[:-12],
    "more behind.png": png_bytes() + b"anything",
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(WHOLE[name])
    assert np.array_equal(read_image(tmp_path / name), FEW)


@pytest.mark.parametrize(
    "content",
    [
        tiff(STREAM[:-1]),
        tiff(STREAM[:-4]),
        tiff(STREAM[:-4] + bytes(4)),
        tiff(b""),
        # Not followed to the end of a gigabyte.
        tiff(zlib.compress(FEW.tobytes() + bytes(10**6))),
        png_bytes()[:-13],
        png_bytes()[:-15],
        png_bytes()[:-20],
    ],
)
def test_what_is_not_whole_is_refused(tmp_path, content):
    path = tmp_path / f"picture.{'png' if content[0] == 0x89 else 'tif'}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged file"):
        read_image(path)


@pytest.mark.parametrize("missing", ["tifffile", "a core", "lengths", "none"])
def test_so_it_is_without_what_may_be_missing(tmp_path, monkeypatch, missing):
    path = tmp_path / "few.tif"
    path.write_bytes(tiff(STREAM, without=[279] if missing == "lengths" else []))
    if missing == "tifffile":
        monkeypatch.setitem(sys.modules, missing, None)
    elif missing in ("a core", "none"):
        # Both at once, as of a large file.
        monkeypatch.setattr(tiff_module, "_LARGE", 0)
        monkeypatch.setenv("OMP_NUM_THREADS", "1" if missing == "a core" else "2")
    places = np.arange(8, 8 + len(STREAM))
    assert outcomes(path, places, read_image, 40)["wrong"] == 0


# ---- Zarr ------------------------------------------------------------------------


class Source:
    """An image that is written in blocks."""

    def __init__(self, image):
        self.image, self.shape, self.ndim = image, image.shape, image.ndim
        self.dtype, self.chunks = image.dtype, (16, 24, 3)

    def __getitem__(self, index):
        return self.image[index]


@pytest.mark.slow
@pytest.mark.parametrize("image", [NOISY, Source(NOISY)], ids=["array", "in blocks"])
def test_a_flipped_bit_in_a_chunk_of_a_zarr_is_an_error_that_says_where(
    tmp_path, monkeypatch, image
):
    monkeypatch.setattr(write_blocks, "SMALLEST_CHUNK", 1)
    path = tmp_path / "image.zarr"
    write_image(path, image)
    # Plain zarr reads it, with the codec that it has for this.
    array = zarr.open_array(path, mode="r")
    assert np.array_equal(array[...], NOISY)
    assert [*map(repr, array.compressors)][-1].startswith("Crc32cCodec")
    chunks = [file for file in (path / "c").rglob("*") if file.is_file()]
    assert len(chunks) == (1 if isinstance(image, np.ndarray) else 4)
    with open_image(path) as opened:
        for chunk in chunks:
            content = bytearray(chunk.read_bytes())
            row, column, _ = map(int, chunk.relative_to(path / "c").parts)
            size = opened.chunks
            ends = [
                min((place + 1) * n, length) - 1
                for place, n, length in zip((row, column), size, NOISY.shape)
            ]
            where = f"rows {row * size[0]} to {ends[0]} and columns "
            where += f"{column * size[1]} to {ends[1]} cannot be"
            for bit in RNG.choice(8 * len(content), 12, replace=False):
                content[bit // 8] ^= 1 << bit % 8
                chunk.write_bytes(content)
                content[bit // 8] ^= 1 << bit % 8
                with pytest.raises(ValueError, match=f": {where}"):
                    opened[...]
            chunk.write_bytes(content)
        assert np.array_equal(opened[...], NOISY)
