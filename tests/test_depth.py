"""Files of more than 8 bits are read whole, or refused: none is rounded in silence."""

import io
import struct
import sys
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from few_bits import write_few_bits
from PIL import Image
from tables import chosen

from kmeans_np import read_image, read_metadata

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 4096, (24, 30)).astype(np.uint16)
RGB = RNG.integers(0, 4096, (24, 30, 3)).astype(np.uint16)
rows, columns = np.indices((24, 30))
SMOOTH = np.dstack([rows * 170, columns * 136, (rows + columns) * 75]).astype(np.uint16)
SIGNED = (GRAY.astype(int) - 2000).astype(np.int16)


def chunk(kind, data):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png_with_hidden(image, hidden):
    """A PNG of 16 bits that declares one color transparent."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    size = struct.pack(">II", image.shape[1], image.shape[0])
    model = struct.pack(">BBBBB", 16, 2 if image.ndim == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            chunk(b"IHDR", size + model),
            chunk(b"tRNS", np.asarray(hidden, ">u2").tobytes()),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def jpeg_2000(image, **how):
    return imagecodecs.jpeg2k_encode(image, level=0, reversible=True, **how)


def netpbm(image, kind, white):
    head = (
        f"P{kind}\n# a comment\n{image.shape[1]} {image.shape[0]}\n{white}\n".encode()
    )
    if kind in (2, 3):
        return head + b" ".join(b"%d" % n for n in image.ravel())
    return head + image.astype(">u2").tobytes()


def sixteen(image, white):
    return np.rint(image * (65_535 / white)).astype(np.uint16)


FILES = {
    "gray.jp2": (jpeg_2000(GRAY, bitspersample=12), GRAY),
    "gray.j2k": (jpeg_2000(GRAY, codecformat="j2k", bitspersample=12), GRAY),
    "rgb.jp2": (jpeg_2000(RGB, bitspersample=12), RGB),
    "sixteen.jp2": (jpeg_2000(GRAY * 15), GRAY * 15),
    "signed.jp2": (jpeg_2000(SIGNED), SIGNED),
    "signed of 8 bits.jp2": (jpeg_2000((SIGNED // 32).astype(np.int8)), SIGNED // 32),
    "gray.pgm": (netpbm(GRAY * 15, 5, 65_535), GRAY * 15),
    "12 bits.pgm": (netpbm(GRAY, 5, 4095), sixteen(GRAY, 4095)),
    "10 bits.ppm": (netpbm(RGB // 4, 6, 1023), sixteen(RGB // 4, 1023)),
    "text.pgm": (netpbm(GRAY, 2, 4095), sixteen(GRAY, 4095)),
    "text.ppm": (netpbm(RGB, 3, 4095), sixteen(RGB, 4095)),
    "10 bits.avif": (
        imagecodecs.avif_encode(RGB // 4, level=100, bitspersample=10),
        sixteen(RGB // 4, 1023),
    ),
    "12 bits.avif": (
        imagecodecs.avif_encode(RGB, level=100, bitspersample=12),
        sixteen(RGB, 4095),
    ),
    "hidden gray.png": (
        png_with_hidden(GRAY, GRAY[3, 4]),
        np.dstack([GRAY, np.where(GRAY[3, 4] == GRAY, 0, 65_535)]),
    ),
    "hidden color.png": (
        png_with_hidden(RGB, RGB[3, 4]),
        np.dstack([RGB, np.where((RGB[3, 4] == RGB).all(axis=2), 0, 65_535)]),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_bit_is_read(name, tmp_path):
    data, expected = FILES[name]
    (tmp_path / name).write_bytes(data)
    found = read_image(tmp_path / name)
    assert np.array_equal(found, expected)
    assert len(np.unique(found)) == len(np.unique(expected))
    assert read_metadata(tmp_path / name).n_pages == 1


@pytest.mark.parametrize("name", chosen(FILES, "rgb.jp2", "gray.pgm", "10 bits.avif"))
def test_names_do_not_matter(name, tmp_path):
    data, expected = FILES[name]
    (tmp_path / "wrong.jpg").write_bytes(data)
    assert np.array_equal(read_image(tmp_path / "wrong.jpg"), expected)


@pytest.mark.parametrize("name", FILES)
def test_cut_short_it_is_refused(name, tmp_path):
    data, _ = FILES[name]
    (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ValueError, match="path must"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["rgb.jp2", "10 bits.avif", "hidden color.png"])
def test_without_the_extra_it_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    (tmp_path / name).write_bytes(FILES[name][0])
    with pytest.raises(ValueError, match=r"pip install tifffile imagecodecs"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["gray.jp2", "rgb.ppm", "rgb.avif", "gray.pgm"])
def test_of_8_bits_nothing_is_needed(name, tmp_path, monkeypatch):
    image = (SMOOTH if "rgb" in name else GRAY) // 16
    image = image.astype(np.uint8)
    how = {".jp2": {"irreversible": False}, ".avif": {"quality": 100}}
    path = tmp_path / name
    Image.fromarray(image).save(path, **how.get(path.suffix, {}))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert np.abs(read_image(path).astype(int) - image).max() <= 8 * ("avif" in name)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("kind", ["uint", "int", "float"])
def test_white_may_be_zero(kind, bits, tmp_path):
    path = tmp_path / "gray.tif"
    if kind == "float":
        image = GRAY.astype(np.float32)
    elif kind == "int":
        image = SIGNED
    else:
        image = GRAY * 15 if bits == 16 else GRAY // 16 if bits == 8 else GRAY
        image = image.astype(np.uint8 if bits == 8 else np.uint16)
    if bits == 12 and kind == "uint":
        write_few_bits(path, image[np.newaxis], 12, "miniswhite")
    else:
        tifffile.imwrite(path, image, photometric="miniswhite", metadata=None)
    if kind == "uint" and bits != 12:
        assert np.array_equal(read_image(path), 2**bits - 1 - image)
        return
    with pytest.raises(ValueError, match="color model MINISWHITE"):
        read_image(path)


def test_what_only_pillow_reads_is_not_rounded(tmp_path):
    image = Image.fromarray((RGB // 16).astype(np.uint8))
    image.save(tmp_path / "deep.sgi", bpc=2)
    with pytest.raises(ValueError, match=r"at most 8 bits .* PNG or TIFF of 16 bits"):
        read_image(tmp_path / "deep.sgi")
    image.save(tmp_path / "flat.sgi", bpc=1)
    assert np.array_equal(read_image(tmp_path / "flat.sgi"), np.asarray(image))


def test_luma_and_chroma_of_more_than_8_bits_are_refused(tmp_path):
    data = jpeg_2000(RGB, bitspersample=12)
    box = b"colr\x01\0\0" + struct.pack(">I", 16)
    assert box in data
    (tmp_path / "ycc.jp2").write_bytes(data.replace(box, box[:-1] + b"\x12"))
    with pytest.raises(ValueError, match=r"luma and chroma .*; convert it to a PNG"):
        read_image(tmp_path / "ycc.jp2")


# ---- HEIC ----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 10])
def test_heic_is_read_by_pillow_heif(bits, tmp_path):
    image = SMOOTH * 16 if bits == 10 else (SMOOTH // 16).astype(np.uint8)
    mode = "RGB;16" if bits == 10 else "RGB"
    picture = pillow_heif.from_bytes(mode, (30, 24), image.tobytes())
    file = io.BytesIO()
    picture.save(file, quality=-1)
    (tmp_path / "photo.heic").write_bytes(file.getvalue())
    found = read_image(tmp_path / "photo.heic")
    assert found.dtype == (np.uint16 if bits == 10 else np.uint8)
    assert found.shape == RGB.shape
    assert len(np.unique(found)) > (256 if bits == 10 else 60)
    assert np.abs(found.astype(int) - image).mean() < (512 if bits == 10 else 4)
    assert read_metadata(tmp_path / "photo.heic").n_pages == 1


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_heic_names_what_it_needs(brand, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    head = struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1heic"
    (tmp_path / "photo.heic").write_bytes(head + bytes(100))
    with pytest.raises(ValueError, match=r"pip install pillow-heif$"):
        read_image(tmp_path / "photo.heic")
