"""Image files: what is read, what is written, and what is said when that fails."""

import hashlib
import os
import struct
import subprocess
import sys
import threading
import zlib
from io import BytesIO
from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps
from refusals import refused
from tables import chosen, crossed

from kmeans_np import read_image, sample_image, write_image
from kmeans_np.files import check_writable, png_bytes
from kmeans_np.files import png as png_module
from kmeans_np.files import tiff as tiff_module

RNG = np.random.default_rng(7)
GRAY = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
LA = RNG.integers(0, 256, (9, 13, 2), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 13, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (9, 13, 4), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (9, 13), dtype=np.uint16)
# Few colors, so that a palette holds them all.
FEW = np.array([[250, 10, 30], [0, 0, 0], [90, 200, 7], [31, 62, 255]], np.uint8)
FLAT = FEW[RNG.integers(0, 4, (9, 13))]
SMOOTH = np.add.outer(np.arange(40), 2 * np.arange(60)).astype(np.uint8)  # to 157
DEEP_COLORS = {
    name: RNG.integers(0, 65536, (9, 13, channels), dtype=np.uint16)
    for name, channels in [("LA", 2), ("RGB", 3), ("RGBA", 4)]
}
TIFF_TYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float32"]
TIFF_TYPES.append("float64")


def saved(path, image, mode=None, **options):
    """Write an image with Pillow, not with the code under test."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image, mode)
    image.save(path, **options)
    return path


def palette_image(image=FLAT):
    return Image.fromarray(image).quantize(4, method=Image.Quantize.MEDIANCUT)


def png(width, height, bits, model, pixels, extra=b""):
    """Return a PNG file, made by hand. Models: 0 gray, 2 RGB, 4 LA, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, bits, model, 0, 0, 0)
    rows = zlib.compress(pixels)
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    if extra:
        parts.insert(1, extra if isinstance(extra, tuple) else (b"tRNS", extra))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )  # fmt: skip


def deep_tiff(channels):
    """Return a TIFF file of one pixel with 16 bits a channel, made by hand."""
    tags = [
        (256, 1), (257, 1), (258, None), (259, 1), (262, 2), (273, None),
        (277, channels), (278, 1), (279, 2 * channels),
    ]  # fmt: skip
    if channels == 4:
        tags.append((338, 2))
    end = 8 + 2 + 12 * len(tags) + 4
    data = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    for tag, value in tags:
        count = channels if tag == 258 else 1
        place = {258: end, 273: end + 2 * channels}.get(tag, value)
        data += struct.pack("<HHII", tag, 3, count, place)
    return (
        data
        + bytes(4)
        + struct.pack(f"<{channels}H", *[16] * channels)
        + struct.pack(f"<{channels}H", *range(1000, 1000 + channels))
    )


def same(image, expected):
    assert image.shape == expected.shape
    assert image.dtype == expected.dtype
    assert np.array_equal(image, expected)
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert image.dtype.isnative


# ---- Reading ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    "image", [GRAY, LA, RGB, RGBA, DEEP], ids=["gray", "LA", "RGB", "RGBA", "16-bit"]
)
def test_png_and_tiff_come_as_they_are(tmp_path, image, suffix):
    same(read_image(saved(tmp_path / f"picture.{suffix}", image)), image)


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tif"])
def test_a_palette_comes_as_rgb(tmp_path, suffix):
    same(read_image(saved(tmp_path / f"picture.{suffix}", palette_image())), FLAT)


@pytest.mark.parametrize("alphas", [bytes([0]), bytes([255, 128, 0, 7])])
def test_a_palette_with_transparency_comes_as_rgba(tmp_path, alphas):
    indexed = palette_image()
    path = saved(tmp_path / "picture.png", indexed, transparency=alphas)
    alpha = np.array([*alphas, 255, 255, 255], np.uint8)[np.asarray(indexed)]
    same(read_image(path), np.dstack([FLAT, alpha]))


def test_a_gif_with_a_transparent_color_comes_as_rgba(tmp_path):
    indexed = palette_image()
    path = saved(tmp_path / "picture.gif", indexed, transparency=2)
    image = read_image(path)
    hidden = np.asarray(indexed) == 2
    assert image.shape == (9, 13, 4)
    assert np.array_equal(image[..., 3], np.where(hidden, 0, 255))
    assert np.array_equal(image[~hidden, :3], FLAT[~hidden])


def test_a_transparent_color_of_rgb_comes_as_rgba(tmp_path):
    color = tuple(FEW[2].tolist())
    path = saved(tmp_path / "picture.png", FLAT, transparency=color)
    alpha = np.where((FEW[2] == FLAT).all(axis=2), 0, 255).astype(np.uint8)
    same(read_image(path), np.dstack([FLAT, alpha]))


def test_a_transparent_level_of_gray_comes_as_rgba(tmp_path):
    gray = FLAT[..., 0]
    path = saved(tmp_path / "picture.png", gray, transparency=250)
    alpha = np.where(gray == 250, 0, 255).astype(np.uint8)
    same(read_image(path), np.dstack([gray, gray, gray, alpha]))


def test_transparent_black_of_black_and_white_comes_as_rgba(tmp_path):
    bits = GRAY > 99
    path = saved(tmp_path / "picture.png", bits, transparency=0)
    level = np.where(bits, 255, 0).astype(np.uint8)
    same(read_image(path), np.dstack([level] * 4))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_black_and_white_comes_as_0_and_255(tmp_path, suffix):
    path = saved(tmp_path / f"picture.{suffix}", GRAY > 99)
    image = read_image(path)
    same(image.reshape(9, 13, -1)[..., 0], np.where(GRAY > 99, 255, 0).astype(np.uint8))


def test_two_and_four_bits_of_gray_come_as_0_to_255(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png(4, 1, 2, 0, b"\0\x1b"))
    same(read_image(path), np.array([[0, 85, 170, 255]], np.uint8))
    path.write_bytes(png(2, 2, 4, 0, b"\0\x0f\0\x37"))
    same(read_image(path), np.array([[0, 255], [51, 119]], np.uint8))


def test_sixteen_bits_of_the_other_byte_order_keep_their_values(tmp_path):
    same(read_image(saved(tmp_path / "picture.tif", DEEP.astype(">u2"))), DEEP)


def test_floats_and_whole_numbers_of_a_tiff_keep_their_values(tmp_path):
    floats = RNG.normal(size=(9, 13)).astype(np.float32)
    same(read_image(saved(tmp_path / "floats.tif", floats)), floats)
    whole = RNG.integers(-(10**9), 10**9, (9, 13), dtype=np.int32)
    same(read_image(saved(tmp_path / "whole.tif", whole)), whole)


@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_comes_as_gray_or_rgb(tmp_path, mode, quality):
    pixels = {"L": GRAY, "RGB": RGB, "CMYK": RGBA}[mode]
    picture = Image.frombytes(mode, (13, 9), pixels.tobytes())
    path = saved(tmp_path / "photo.jpg", picture, quality=quality)
    with Image.open(path) as picture:
        assert picture.mode == mode
        expected = picture.convert("L" if mode == "L" else "RGB")
    same(read_image(path), np.asarray(expected))


@pytest.mark.parametrize("image", [RGB, RGBA], ids=["RGB", "RGBA"])
def test_webp_comes_as_it_is(tmp_path, image):
    path = saved(tmp_path / "picture.webp", image, lossless=True, exact=True)
    same(read_image(path), image)


def test_bmp_comes_as_it_is(tmp_path):
    same(read_image(saved(tmp_path / "picture.bmp", RGB)), RGB)
    same(read_image(saved(tmp_path / "gray.bmp", GRAY)), GRAY)


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_of_several_images_the_first_comes(tmp_path, suffix):
    more = [Image.fromarray(FLAT[::-1]), Image.fromarray(255 - FLAT)]
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"film.{suffix}"
    saved(path, FLAT, save_all=True, append_images=more, **options)
    image = read_image(path)
    same(image[..., :3].copy(), FLAT)
    # Films in WebP are RGBA.
    assert image.shape[2] == 3 or (image[..., 3] == 255).all()


ORIENTATIONS = pytest.mark.parametrize("orientation", range(1, 9))


def held(orientation):
    """Return the EXIF block of a camera that was held in one of eight ways."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@ORIENTATIONS
@pytest.mark.parametrize("image", [RGB, GRAY], ids=["RGB", "gray"])
def test_photos_are_turned_upright(tmp_path, image, orientation):
    path = saved(tmp_path / "photo.jpg", image, exif=held(orientation))
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    assert expected.shape[:2] == ((9, 13) if orientation < 5 else (13, 9))
    same(read_image(path), expected)


KINDS = {
    "RGB": RGB, "RGBA": RGBA, "gray": GRAY, "LA": LA, "16-bit": DEEP, "palette": FLAT,
}  # fmt: skip


OTHER_FILES = [*product(("png", "tif"), KINDS), ("webp", "RGB"), ("webp", "RGBA")]


@pytest.mark.parametrize(
    ("file", "orientation"), crossed(OTHER_FILES, range(1, 9)), ids=str
)
def test_other_files_are_turned_upright(tmp_path, file, orientation):
    suffix, kind = file
    picture = palette_image() if kind == "palette" else KINDS[kind]
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    path = tmp_path / f"picture.{suffix}"
    saved(path, picture, exif=held(orientation), **options)
    same(read_image(path), turned(KINDS[kind], orientation))


def turned(image, orientation):
    """Return the image upright, by numpy.rot90 and numpy.fliplr."""
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}[orientation]
    image = np.rot90(image, turns)
    return np.fliplr(image) if orientation in (2, 4, 5, 7) else image


@ORIENTATIONS
def test_transparent_gray_is_turned_upright_with_its_colors(tmp_path, orientation):
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    path = tmp_path / "picture.png"
    saved(path, gray, exif=held(orientation), transparency=5)
    alpha = np.where(gray == 5, 0, 255).astype(np.uint8)
    same(read_image(path), turned(np.dstack([gray, gray, gray, alpha]), orientation))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(tmp_path, orientation):
    path = saved(tmp_path / "picture.png", RGB, exif=held(orientation))
    same(read_image(path), RGB)


ODD_NAMES = [
    "two words.png",
    "Überweg 日本 🌅.png",
    "100%#1?&*.png",
    "-k.png",
    "a'b\"c.png",
    "~.png",
    "imageio:chelsea.png",
    "no suffix",
    "wrong.jpg",
    "dots.in.the.name.png",
]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_the_name_of_a_file_does_not_matter(tmp_path, name, kind):
    if sys.platform == "win32" and set(name) & set('?*":'):
        pytest.skip("Windows has no such names")
    path = saved(tmp_path / name, RGB, format="PNG")
    same(read_image(kind(path)), RGB)


def test_a_relative_path_is_read_from_the_working_folder(tmp_path, monkeypatch):
    saved(tmp_path / "picture.png", RGB)
    monkeypatch.chdir(tmp_path)
    same(read_image("picture.png"), RGB)
    write_image("copy.png", RGB)
    same(read_image(tmp_path / "copy.png"), RGB)


def test_an_image_that_was_read_keeps_no_file_open(tmp_path):
    """An open file is a ResourceWarning, hence an error; Windows could not delete."""
    path = saved(tmp_path / "picture.png", RGB)
    read_image(path)
    path.unlink()
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="not a readable image"):
        read_image(tmp_path / "text.png")


# ---- What cannot be read ---------------------------------------------------------


DAMAGED = (
    "path must be an image file, got {path}: not a readable image (unsupported format "
    "or damaged file); convert it to PNG"
)


def test_a_missing_file_is_refused(tmp_path):
    path = tmp_path / "missing.png"
    refused(
        FileNotFoundError,
        f"path must be an image file that can be read, got {path}: no such file or "
        f"folder; check the spelling",
        read_image,
        path,
    )


def test_a_folder_is_refused(tmp_path):
    if sys.platform == "win32":
        pytest.skip("Windows says that it is not permitted")
    refused(
        IsADirectoryError,
        f"path must be an image file that can be read, got {tmp_path}: is a folder; "
        f"name a file in it",
        read_image,
        str(tmp_path),
    )


def test_a_path_through_a_file_is_refused(tmp_path):
    if sys.platform == "win32":
        pytest.skip("Windows says that there is no such file")
    path = saved(tmp_path / "picture.png", RGB) / "inside.png"
    refused(
        NotADirectoryError,
        f"path must be an image file that can be read, got {path}: a part of it is a "
        f"file, not a folder; check the spelling",
        read_image,
        path,
    )


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = saved(tmp_path / "picture.png", RGB)
    path.chmod(0)
    refused(
        PermissionError,
        f"path must be an image file that can be read, got {path}: permission "
        "denied; check the permissions of the file and its folder",
        read_image,
        path,
    )


def test_a_file_that_the_system_does_not_permit_is_refused(tmp_path, monkeypatch):
    def open_not(*_):
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path / "picture.png", RGB)
    monkeypatch.setattr(Path, "open", open_not)
    refused(
        PermissionError,
        f"path must be an image file that can be read, got {path}: permission "
        "denied; check the permissions of the file and its folder",
        read_image,
        path,
    )


def test_a_name_that_is_too_long_is_refused(tmp_path):
    if sys.platform == "win32":
        pytest.skip("Windows says that there is no such file")
    path = tmp_path / ("long" * 100 + ".png")
    refused(
        OSError,
        f"path must be an image file that can be read, got {path}: file name too "
        "long; choose another path",
        read_image,
        path,
    )


@pytest.mark.parametrize("path", [None, 3, 2.5, b"photo.jpg", ["photo.jpg"], RGB])
@pytest.mark.parametrize("function", [read_image, lambda path: write_image(path, RGB)])
def test_what_names_no_file_is_refused(path, function):
    refused(
        TypeError,
        f"path must be a string or a path, got {type(path).__name__}; pass the name of "
        "a file, such as 'photo.jpg'",
        function,
        path,
    )


@pytest.mark.parametrize("function", [read_image, lambda path: write_image(path, RGB)])
def test_a_null_character_is_refused(function):
    refused(
        ValueError,
        "path must not hold a null character, got 'a\\x00b.png'; check the spelling",
        function,
        "a\0b.png",
    )


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    refused(
        ValueError,
        f"path must be an image file, got {path}: is empty; download it or write it "
        f"again",
        read_image,
        path,
    )


@pytest.mark.parametrize(
    "content",
    [b"Dear diary,\n", b"\0" * 1000, b"<svg xmlns='...'/>", b"%PDF-1.7\n", b"P", b"II"],
)
@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.tif"])
def test_what_is_no_image_is_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    refused(ValueError, DAMAGED.format(path=path), read_image, path)


@pytest.mark.parametrize(
    ("suffix", "part"),
    crossed(["png", "jpg", "webp", "tif", "bmp", "gif"], [0.02, 0.3, 0.5, 0.9]),
)
def test_a_file_that_is_cut_short_is_refused(tmp_path, suffix, part):
    path = tmp_path / f"picture.{suffix}"
    write_image(path, sample_image()[::5, ::5] // 64 * 64)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused(ValueError, DAMAGED.format(path=path), read_image, path)


@pytest.mark.parametrize(
    ("suffix", "place", "bit"),
    [("png", 0, 1), ("png", 12, 1), ("png", 60, 16), ("png", 65, 1), ("gif", 34, 128)],
    ids=["signature", "kind of chunk", "length of chunk", "pixels", "code size"],
)
def test_a_file_with_a_flipped_bit_is_refused(tmp_path, suffix, place, bit):
    path = saved(tmp_path / f"picture.{suffix}", palette_image())
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)
    refused(ValueError, DAMAGED.format(path=path), read_image, path)


@pytest.mark.parametrize("side", [60_000, 2**31 - 1])
def test_a_file_that_claims_to_be_huge_is_refused(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, 8, 0, b"\0"))
    refused(
        ValueError,
        f"path must be an image of at most 179 million pixels, got {path}, which "
        "claims to have more; cut it into parts, or raise PIL.Image.MAX_IMAGE_PIXELS "
        "if you trust it",
        read_image,
        path,
    )


@pytest.mark.parametrize("name", ["large.png", "large.tif", "deep.png", "deep.tif"])
def test_a_large_picture_is_read_without_a_warning(tmp_path, monkeypatch, name):
    """Pillow warns from half of its limit on; warnings are errors in these tests."""
    path, image = tmp_path / name, RGB if name[0] == "l" else DEEP_COLORS["RGB"]
    write_image(path, image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    same(read_image(path), image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ValueError, match="at most 179 million pixels"):
        read_image(path)


def test_a_lack_of_memory_is_not_taken_for_damage(tmp_path, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    path = saved(tmp_path / "picture.png", RGB)
    monkeypatch.setattr(Image.Image, "load", no_memory)
    with pytest.raises(MemoryError):
        read_image(path)


SMALL = RGB[:3, :4]
PNG_BYTES, JPEG_BYTES = BytesIO(), BytesIO()
saved(PNG_BYTES, SMALL, format="PNG")
saved(JPEG_BYTES, SMALL, format="JPEG")


def tiff_bytes(image, **options):
    """Return a TIFF file, written with tifffile alone."""
    file = BytesIO()
    tifffile.imwrite(file, image, metadata=None, **options)
    return file.getvalue()


DEEP_FILES = {
    "deep.png": imagecodecs.png_encode(DEEP_COLORS["RGB"]),
    "plain.tif": tiff_bytes(DEEP_COLORS["RGB"], photometric="rgb", rowsperstrip=2),
    "strips.tif": tiff_bytes(
        DEEP_COLORS["RGB"], photometric="rgb", compression="zlib", rowsperstrip=2
    ),
    "tiles.tif": tiff_bytes(DEEP_COLORS["RGB"], photometric="rgb", tile=(16, 16)),
    "packed tiles.tif": tiff_bytes(
        DEEP_COLORS["RGB"], photometric="rgb", tile=(16, 16), compression="zlib"
    ),
    "large.tif": tiff_bytes(
        DEEP_COLORS["RGB"], photometric="rgb", bigtiff=True, compression="lzw"
    ),
}
FILES = {"png": PNG_BYTES.getvalue(), "jpg": JPEG_BYTES.getvalue(), **DEEP_FILES}


@given(
    suffix=st.sampled_from(sorted(FILES)),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
    end=st.none() | st.integers(0, 10**6),
)
@example(suffix="png", flips=[], end=None)
@example(suffix="jpg", flips=[], end=0)
def test_a_damaged_file_is_an_array_or_a_value_error(tmp_path_factory, **damage):
    content = bytearray(FILES[damage["suffix"]])
    for place, value in damage["flips"]:
        content[place % len(content)] ^= value
    if damage["end"] is not None:
        del content[damage["end"] % len(content) :]
    path = tmp_path_factory.getbasetemp() / f"damaged.{damage['suffix']}"
    path.write_bytes(content)
    sentence, image = None, None
    try:
        image = read_image(path)
    except ValueError as error:
        sentence = str(error)
    # The other sentence: a TIFF of a type that does not exist.
    starts = ("path must be an image", "path must be a TIFF of one plane of gray")
    assert sentence is None or sentence.startswith(starts)
    assert image is None or (image.ndim in (2, 3) and image.size > 0)


# ---- Writing ---------------------------------------------------------------------

LOSSLESS = {
    ".png": (GRAY, LA, RGB, RGBA, DEEP),
    ".tif": (GRAY, LA, RGB, RGBA, DEEP),
    ".tiff": (GRAY, LA, RGB, RGBA, DEEP),
    ".webp": (RGB, RGBA),
    ".bmp": (GRAY, RGB),
    ".gif": (FLAT,),
}


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
@pytest.mark.parametrize(
    ("suffix", "image"),
    [(suffix, image) for suffix, images in LOSSLESS.items() for image in images],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}",
)
def test_what_is_written_is_read_again(tmp_path, suffix, image, upper):
    path = tmp_path / f"picture{suffix.upper() if upper else suffix}"
    write_image(path, image)
    assert files_in(tmp_path) == [path.name]
    same(read_image(path), image)


def test_gray_is_read_again_as_rgb_where_files_know_only_that(tmp_path):
    write_image(tmp_path / "gray.webp", GRAY)
    same(read_image(tmp_path / "gray.webp"), np.dstack([GRAY] * 3))


@pytest.mark.parametrize("levels", [1, 2, 5, 256])
def test_gray_is_read_again_as_gray_from_a_gif(tmp_path, levels):
    gray = (GRAY % np.int64(levels) * (255 // levels)).astype(np.uint8)
    write_image(tmp_path / "gray.gif", gray)
    same(read_image(tmp_path / "gray.gif"), gray)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".jpg"])
def test_one_channel_is_written_as_gray(tmp_path, suffix):
    write_image(tmp_path / f"a{suffix}", SMOOTH[..., np.newaxis])
    write_image(tmp_path / f"b{suffix}", SMOOTH)
    assert (tmp_path / f"a{suffix}").read_bytes() == (
        tmp_path / f"b{suffix}"
    ).read_bytes()
    assert read_image(tmp_path / f"a{suffix}").shape == SMOOTH.shape


def test_a_gif_keeps_256_colors(tmp_path):
    colors = RNG.permutation(np.arange(256))[:, None] * [1, 7, 13] % 256
    image = colors[RNG.permutation(512).reshape(16, 32) % 256].astype(np.uint8)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) == 256
    write_image(tmp_path / "picture.gif", image)
    same(read_image(tmp_path / "picture.gif"), image)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
@pytest.mark.parametrize(
    "image",
    [SMOOTH, np.dstack([SMOOTH, SMOOTH // 2, 200 - SMOOTH])],
    ids=["gray", "RGB"],
)
def test_jpeg_changes_smooth_pictures_little(tmp_path, suffix, image):
    write_image(tmp_path / f"photo{suffix}", image)
    again = read_image(tmp_path / f"photo{suffix}")
    assert again.shape == image.shape
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - image).max() <= 6


@pytest.mark.parametrize(
    "image",
    [
        np.asfortranarray(RGB),
        RGB[::-1, ::2],
        np.broadcast_to(RGB[0], RGB.shape),
        RGB[:1, :1],
        RGB[:, :1],
        DEEP.astype(">u2"),
    ],
    ids=["columns first", "mirrored", "repeated", "one pixel", "one column", "swapped"],
)
def test_any_memory_order_is_written(tmp_path, image):
    before = image.copy()
    write_image(tmp_path / "picture.png", image)
    assert np.array_equal(read_image(tmp_path / "picture.png"), image)
    assert np.array_equal(image, before)


@given(
    image=hnp.arrays(
        np.uint8,
        st.one_of(
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([2, 3, 4])),
        ),
    )
)
def test_every_8_bit_picture_survives_png(tmp_path_factory, image):
    path = tmp_path_factory.getbasetemp() / "drawn.png"
    write_image(path, image)
    same(read_image(path), image)


@pytest.mark.parametrize("name", [*ODD_NAMES[:6], "n" * 251 + ".png"])
@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_any_name_with_a_suffix_is_written(tmp_path, name, kind):
    if sys.platform == "win32" and (set(name) & set('?*":') or len(name) > 100):
        pytest.skip("Windows has no such names")
    write_image(kind(tmp_path / name), RGB)
    assert files_in(tmp_path) == [name]
    same(read_image(tmp_path / name), RGB)


def test_a_file_that_is_there_is_replaced(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("something longer than any picture" * 1000)
    write_image(path, RGB)
    same(read_image(path), RGB)
    assert files_in(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing yet"])
def test_a_link_stays_a_link(tmp_path, there):
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    target, link = tmp_path / "real" / "picture.dat", tmp_path / "links" / "picture.png"
    if there:
        target.write_text("before")
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("links are not permitted here")
    write_image(link, RGB)
    assert link.is_symlink()
    assert not target.is_symlink()
    same(read_image(target), RGB)
    assert files_in(tmp_path / "links") == ["picture.png"]
    assert files_in(tmp_path / "real") == ["picture.dat"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_who_may_read_a_new_file_is_what_the_user_set(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_image(tmp_path / "picture.png", RGB)
    finally:
        os.umask(before)
    assert (tmp_path / "picture.png").stat().st_mode & 0o777 == mode


@pytest.mark.slow
def test_threads_may_write_the_same_file(tmp_path):
    path = tmp_path / "picture.png"
    failures = []

    def write():
        try:
            for _ in range(20):
                write_image(path, RGB)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    same(read_image(path), RGB)
    assert files_in(tmp_path) == ["picture.png"]


# ---- What cannot be written ------------------------------------------------------


def write_half(path, data):
    """Write half of a file, then find the disk full."""
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
    raise OSError(28, "No space left on device")


def full(*_):
    raise OSError(28, "No space left on device")


def interrupted(*_):
    raise KeyboardInterrupt


FAILURES = pytest.mark.parametrize(
    ("method", "failure", "error"),
    [
        ("write_bytes", write_half, OSError),
        ("replace", full, OSError),
        ("write_bytes", interrupted, KeyboardInterrupt),
        ("replace", interrupted, KeyboardInterrupt),
    ],
    ids=["disk full", "rename fails", "stopped writing", "stopped renaming"],
)


@FAILURES
@pytest.mark.parametrize("before", [None, b"what was there before"])
def test_a_failure_leaves_everything_as_it_was(
    tmp_path, monkeypatch, method, failure, error, before
):
    path = tmp_path / "picture.png"
    if before is not None:
        path.write_bytes(before)
    monkeypatch.setattr(Path, method, failure)
    with pytest.raises(error) as caught:
        write_image(path, RGB)
    monkeypatch.undo()
    assert files_in(tmp_path) == ([] if before is None else ["picture.png"])
    assert before is None or path.read_bytes() == before
    if error is OSError:
        assert str(caught.value) == (
            f"path must be a file that can be written, got {path}: no space left on "
            f"device; choose another path"
        )


def test_a_missing_folder_is_refused(tmp_path):
    path = tmp_path / "missing" / "picture.png"
    refused(
        FileNotFoundError,
        f"path must be a file that can be written, got {path}: its folder does "
        "not exist; create it, or name another",
        write_image,
        path,
        RGB,
    )
    assert files_in(tmp_path) == []


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    path = tmp_path / "folder.png"
    path.mkdir()
    refused(
        IsADirectoryError,
        f"path must be a file that can be written, got {path}: is a folder; name a "
        f"file in it",
        write_image,
        path,
        RGB,
    )
    assert files_in(tmp_path) == ["folder.png"]
    assert files_in(path) == []


def test_a_file_is_not_used_as_a_folder(tmp_path):
    if sys.platform == "win32":
        pytest.skip("Windows says that there is no such file")
    inside = saved(tmp_path / "picture.png", RGB) / "inside.png"
    refused(
        NotADirectoryError,
        f"path must be a file that can be written, got {inside}: a part of it is a "
        f"file, not a folder; check the spelling",
        write_image,
        inside,
        RGB,
    )
    same(read_image(tmp_path / "picture.png"), RGB)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    path = tmp_path / "picture.png"
    try:
        refused(
            PermissionError,
            f"path must be a file that can be written, got {path}, which is not "
            "permitted; check the permissions of the file and its folder",
            write_image,
            path,
            RGB,
        )
    finally:
        tmp_path.chmod(0o700)


SUFFIXES = (
    "path must end in one of .png, .jpg, .jpeg, .webp, .tif, .tiff, .bmp, .gif, .npy, "
    ".zarr to be written, got {path}; choose one of these, such as .png"
)


@pytest.mark.parametrize(
    "name", ["picture.xyz", "picture", "picture.", "png", "a.png "]
)
def test_an_unknown_suffix_is_refused(tmp_path, name):
    path = tmp_path / name
    refused(ValueError, SUFFIXES.format(path=path), write_image, path, RGB)
    assert files_in(tmp_path) == []


WRONG_IMAGES = {
    "float": (
        "picture.png",
        RGB / 255,
        TypeError,
        "image must hold numbers of type uint8 or uint16 to be written to a .png file, "
        "got type float64; choose .tif, or scale it to 0 to 255 and convert it, as in "
        "np.rint(255 * image).astype(np.uint8)",
    ),
    "bool": (
        "picture.tif",
        GRAY > 9,
        TypeError,
        "image must hold numbers of type uint8 or uint16 or uint32 or int8 or int16 or "
        "int32 or float32 or float64 to be written to a .tif file, got type bool; "
        "scale it to 0 to 255 and convert it, as in np.rint(255 * image).astype("
        "np.uint8)",
    ),
    "a name": (
        "picture.png",
        "photo.jpg",
        TypeError,
        "image must hold real numbers of at most 64 bits, got 'photo.jpg' (str); "
        "pass an array of numbers, such as read_image returns",
    ),
    "None": (
        "picture.png",
        None,
        TypeError,
        "image must hold real numbers of at most 64 bits, got None (NoneType); pass "
        "an array of numbers, such as read_image returns",
    ),
    "ragged": (
        "picture.png",
        [[1, 2], [3]],
        ValueError,
        "image must be a rectangular array, got nested sequences of different lengths; "
        "make them equally long",
    ),
    "16 bits for JPEG": (
        "photo.jpg",
        DEEP,
        TypeError,
        "image must hold numbers of type uint8 to be written to a .jpg file, got type "
        "uint16; choose .png, or convert it, as in (image // 257).astype(np.uint8)",
    ),
    "five channels of 16 bits": (
        "picture.png",
        np.zeros((4, 4, 5), np.uint16),
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA to be written as uint16 "
        "to a .png file, got shape (4, 4, 5); choose other channels, another suffix or "
        "another type",
    ),
    "more channels than can be counted": (
        "picture.tif",
        np.zeros((1, 1, 65_536), np.uint8),
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA or of up to 65,535 "
        "channels to be written as uint8 to a .tif file, got shape (1, 1, 65536); "
        "choose other channels, another suffix or another type",
    ),
    "no channels": (
        "picture.tif",
        np.zeros((4, 4, 0), np.float32),
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA or of up to 65,535 "
        "channels to be written as float32 to a .tif file, got shape (4, 4, 0); "
        "choose other channels, another suffix or another type",
    ),
    "alpha for JPEG": (
        "photo.jpg",
        RGBA,
        ValueError,
        "image must be gray or RGB to be written as uint8 to a .jpg file, got shape "
        "(9, 13, 4); choose other channels, another suffix or another type",
    ),
    "alpha for BMP": (
        "picture.BMP",
        LA,
        ValueError,
        "image must be gray or RGB to be written as uint8 to a .bmp file, got shape "
        "(9, 13, 2); choose other channels, another suffix or another type",
    ),
    "gray with alpha for WebP": (
        "picture.webp",
        LA,
        ValueError,
        "image must be gray or RGB or RGBA to be written as uint8 to a .webp file, got "
        "shape (9, 13, 2); choose other channels, another suffix or another type",
    ),
    "five channels": (
        "picture.png",
        np.zeros((4, 4, 5), np.uint8),
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA to be written as uint8 "
        "to a .png file, got shape (4, 4, 5); choose other channels, another suffix or "
        "another type",
    ),
    "one number": (
        "picture.png",
        np.uint8(3),
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA to be written as uint8 "
        "to a .png file, got shape (); choose other channels, another suffix or "
        "another type",
    ),
    "flat": (
        "picture.png",
        RGB.reshape(-1),
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA to be written as uint8 "
        "to a .png file, got shape (351,); choose other channels, another suffix or "
        "another type",
    ),
    "several images": (
        "film.bmp",
        RGB[np.newaxis],
        ValueError,
        "image must be one image to be written to a .bmp file, got 1 image, shape (1, "
        "9, 13, 3); choose .png, .webp, .tif, .tiff or .gif, or write one image after "
        "the other",
    ),
    "no pixels": (
        "picture.png",
        RGB[:0],
        ValueError,
        "image must be gray or gray with alpha or RGB or RGBA to be written as uint8 "
        "to a .png file, got shape (0, 13, 3); choose other channels, another suffix "
        "or another type",
    ),
}


@pytest.mark.parametrize("case", WRONG_IMAGES)
def test_what_a_file_cannot_hold_is_refused(tmp_path, case):
    name, image, error, sentence = WRONG_IMAGES[case]
    (tmp_path / name).write_bytes(b"before")
    refused(error, sentence, write_image, tmp_path / name, image)
    assert files_in(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"before"


# ---- The picture that needs no file ----------------------------------------------


def test_the_sample_image_is_the_same_everywhere():
    image = sample_image()
    assert image.shape == (375, 500, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert hashlib.sha256(image.tobytes()).hexdigest() == (
        "750ed1cd726d532e53e515fb626f265d718fe69e6c2c674cd190a09defb35682"
    )


@pytest.mark.slow
def test_the_sample_image_has_the_texture_of_a_photograph():
    assert len(np.unique(sample_image().reshape(-1, 3), axis=0)) >= 30_000


def test_the_sample_image_is_made_anew_each_time():
    first = sample_image()
    first[:] = 0
    assert sample_image().any()


# ---- What a kind of file cannot hold ---------------------------------------------


def test_a_gif_never_loses_colors_silently(tmp_path):
    path = tmp_path / "many.gif"
    colors = np.arange(257, dtype=np.uint16)
    image = np.stack([colors % 256, colors // 256, colors * 0], axis=-1)[np.newaxis]
    image = image.astype(np.uint8)
    refused(
        ValueError,
        "image must have at most 256 colors to be written to a .gif file, got 257; "
        "choose .png, or fewer colors",
        write_image,
        path,
        image,
    )
    assert not path.exists()
    write_image(path, image[:, :256])
    assert np.array_equal(read_image(path), image[:, :256])


@pytest.mark.parametrize(
    ("suffix", "longest"), [(".webp", 16_383), (".jpg", 65_500), (".gif", 65_535)]
)
def test_an_image_that_is_too_long_is_refused(tmp_path, suffix, longest):
    path = tmp_path / f"long{suffix}"
    image = np.zeros((1, longest + 1), np.uint8)
    refused(
        ValueError,
        f"image must have at most {longest:,} rows and columns to be written to a "
        f"{suffix} file, got shape {image.shape}; choose .png",
        write_image,
        path,
        image,
    )
    write_image(path, image[:, 1:])
    assert read_image(path).shape[:2] == (1, longest)


def test_webp_keeps_colors_that_are_hidden(tmp_path):
    image = np.full((4, 4, 4), 77, np.uint8)
    image[:2, :, 3] = 0
    write_image(tmp_path / "hidden.webp", image)
    assert np.array_equal(read_image(tmp_path / "hidden.webp"), image)


def test_a_replaced_file_keeps_its_mode(tmp_path):
    path = tmp_path / "private.png"
    write_image(path, np.zeros((2, 2), np.uint8))
    path.chmod(0o600)
    write_image(path, np.ones((2, 2), np.uint8))
    assert path.stat().st_mode & 0o777 == 0o600


def tiff(values):
    """A minimal TIFF of one strip, little-endian, of any type."""
    rows, columns = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = [
        (256, 4, columns), (257, 4, rows), (258, 3, 8 * values.itemsize), (259, 3, 1),
        (262, 3, 1), (273, 4, 8 + 2 + 12 * 10 + 4), (277, 3, 1), (278, 4, rows),
        (279, 4, values.nbytes), (339, 3, kind),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, form, 1, x) for tag, form, x in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + b"\0" * 4 + values.tobytes()


@pytest.mark.parametrize("dtype", TIFF_TYPES)
def test_a_tiff_of_each_type_is_read_as_it_is(tmp_path, dtype):
    values = np.array([[1, -2 if dtype[0] != "u" else 2], [3, 100]], dtype)
    (tmp_path / "a.tif").write_bytes(tiff(values))
    same(read_image(tmp_path / "a.tif"), values)


# ---- PNG with a palette ----------------------------------------------------------


def plain_png(image):
    """Return the PNG file that Pillow makes of an image, without a palette."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def depth_and_model(content):
    return content[24], content[25]


@st.composite
def images_of_few_colors(draw):
    """Draw an RGB or RGBA image of 1 to 257 colors, a pixel or thousands."""
    channels = draw(st.sampled_from([3, 4]))
    n_colors = draw(st.sampled_from([1, 2, 3, 4, 5, 16, 17, 255, 256, 257]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    codes = rng.choice(256**channels, size=n_colors, replace=False, shuffle=False)
    colors = codes.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :channels].copy()
    alpha = draw(st.sampled_from(["any", "opaque", "hidden", "mixed"]))
    if channels == 4 and alpha != "any":
        colors[:, 3] = {"opaque": 255, "hidden": 0}.get(alpha, 7)
        colors[::3, 3] = {"opaque": 255, "hidden": 0}.get(alpha, 255)
    shape = draw(st.sampled_from([(1, 1), (1, 7), (7, 1), (5, 6), (40, 37)]))
    image = colors[rng.integers(0, n_colors, shape)]
    if draw(st.booleans()):
        image = np.repeat(np.repeat(image, 3, axis=0), 5, axis=1)
    return image


@given(image=images_of_few_colors())
def test_a_png_is_the_shorter_of_two_and_comes_back(tmp_path_factory, image):
    path = tmp_path_factory.getbasetemp() / "few.png"
    before = image.copy()
    write_image(path, image)
    content = path.read_bytes()
    same(read_image(path), image)
    assert np.array_equal(image, before)
    plain = plain_png(image)
    bits, model = depth_and_model(content)
    assert len(content) < len(plain) if model == 3 else content == plain
    if model == 3:
        n = len(np.unique(image.reshape(-1, image.shape[2]), axis=0))
        assert n <= 256
        assert bits == next(bits for bits in (1, 2, 4, 8) if n <= 2**bits)


def blots(n_colors, channels=3, side=60):
    """Return an image whose colors lie in patches, as after clustering."""
    codes = np.arange(n_colors, dtype="<u4") * 9_699_691 + (0xFF << 24)
    colors = codes.view(np.uint8).reshape(-1, 4)[:, :channels]
    places = np.resize(np.random.default_rng(3).permutation(n_colors), (side, side))
    return np.repeat(np.repeat(colors[places], 4, axis=0), 4, axis=1)


BITS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 16: 4, 17: 8, 256: 8}


@pytest.mark.parametrize(("n_colors", "channels"), crossed(BITS, [3, 4]))
def test_few_colors_make_a_png_with_as_few_bits_as_possible(n_colors, channels):
    image = blots(n_colors, channels)
    assert len(np.unique(image.reshape(-1, channels), axis=0)) == n_colors
    content = png_bytes(image)
    assert depth_and_model(content) == (BITS[n_colors], 3)
    assert (b"tRNS" in content) == (channels == 4)
    assert len(content) < len(plain_png(image))


@pytest.mark.parametrize("channels", [3, 4])
def test_257_colors_make_a_png_without_a_palette(channels):
    image = blots(257, channels)
    assert png_bytes(image) == plain_png(image)
    # Not one color more than a palette, but one alpha.
    if channels == 4:
        image = blots(256, 4)
        assert depth_and_model(png_bytes(image)) == (8, 3)
        image[0, 0, 3] = 254
        assert png_bytes(image) == plain_png(image)


@pytest.mark.slow
def test_a_color_that_only_one_pixel_has_is_counted():
    """The colors of some pixels are counted first, but never instead of all."""
    image = np.tile(blots(256, side=120), (2, 2, 1))
    assert image.size // 3 > 8 * png_module.SAMPLE
    assert depth_and_model(png_bytes(image)) == (8, 3)
    image[-1, -2] = [1, 2, 3]
    assert png_bytes(image) == plain_png(image)


def test_few_colors_make_no_palette_if_that_is_longer():
    tiny = RGB[:2, :2]
    assert png_bytes(tiny) == plain_png(tiny)
    # Differences between neighbors are few, numbers in a palette are not.
    smooth = np.dstack([np.add.outer(np.arange(400), np.arange(400)) // 4] * 3)
    smooth = smooth.astype(np.uint8)
    assert len(np.unique(smooth)) <= 256
    indexed = png_module._indexed(smooth)
    assert len(indexed) > len(plain_png(smooth))
    assert png_bytes(smooth) == plain_png(smooth)


def test_a_png_is_the_content_of_the_file(tmp_path):
    for image in (FLAT, RGB, RGBA, blots(5), blots(300, 4)):
        write_image(tmp_path / "picture.png", image)
        assert (tmp_path / "picture.png").read_bytes() == png_bytes(image)


@pytest.mark.parametrize("image", [GRAY // 128, LA // 128], ids=["gray", "LA"])
def test_gray_never_has_a_palette(tmp_path, image):
    image = np.repeat(np.repeat(image, 20, axis=0), 20, axis=1)
    write_image(tmp_path / "picture.png", image)
    same(read_image(tmp_path / "picture.png"), image)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [3, 4])
def test_of_an_image_with_many_colors_only_a_sample_is_counted(monkeypatch, channels):
    sizes = []

    def count(pixels):
        sizes.append(len(pixels))
        return distinct_colors(pixels)

    distinct_colors = png_module.distinct_colors
    monkeypatch.setattr(png_module, "distinct_colors", count)
    image = RNG.integers(0, 256, (1000, 600, channels), dtype=np.uint8)
    assert depth_and_model(png_bytes(image))[1] != 3
    assert len(sizes) == 1
    assert sizes[0] <= 2 * png_module.SAMPLE
    # Nor where only the alphas are many.
    if channels == 4:
        sizes.clear()
        image[..., :3] = image[..., :1] // 128
        png_bytes(image)
        assert len(sizes) == 1


# ---- What Pillow cannot hold -----------------------------------------------------


@pytest.mark.parametrize("kind", DEEP_COLORS)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".PNG"])
def test_color_of_16_bits_is_written_and_read_again(tmp_path, kind, suffix):
    path = tmp_path / f"deep{suffix}"
    write_image(path, DEEP_COLORS[kind])
    same(read_image(path), DEEP_COLORS[kind])
    assert files_in(tmp_path) == [path.name]
    if suffix == ".png":
        model = {"LA": 4, "RGB": 2, "RGBA": 6}[kind]
        assert depth_and_model(path.read_bytes()) == (16, model)


@given(
    image=st.sampled_from(TIFF_TYPES).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            st.one_of(
                hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
                st.tuples(*[st.integers(1, 9)] * 2, st.integers(2, 9)),
            ),
        )
    )
)
def test_every_tiff_is_read_again(tmp_path_factory, image):
    path = tmp_path_factory.getbasetemp() / "drawn.tif"
    write_image(path, image)
    again = read_image(path)
    assert again.shape == image.shape
    assert again.dtype == image.dtype
    assert again.tobytes() == image.tobytes()


@pytest.mark.parametrize("dtype", TIFF_TYPES)
@pytest.mark.parametrize("bands", [None, 2, 3, 4, 5, 12])
def test_a_tiff_is_compressed(tmp_path, dtype, bands):
    path = tmp_path / "picture.tif"
    image = np.zeros((30, 20, bands) if bands else (30, 20), dtype)
    write_image(path, image)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert page.compression in (8, 32946)  # deflate, by its new and its old number
        assert page.dtype == image.dtype
        assert page.photometric.name == ("RGB" if bands in (3, 4) else "MINISBLACK")
        alpha = [extra.name for extra in page.extrasamples]
    if bands is not None and 1 < bands < 5:
        assert alpha == ["UNASSALPHA"] * (bands % 2 == 0)


@pytest.mark.parametrize(
    ("dtype", "compression", "layout"),
    crossed(TIFF_TYPES, [None, "zlib", "lzw"], ["contig", "separate"]),
)
@pytest.mark.parametrize("step", chosen([5, 1], 5))
def test_a_tiff_of_bands_is_read(tmp_path, dtype, compression, layout, step):
    models = [("minisblack", bands) for bands in (2, 3, 4, 5, 7)]
    models += [("rgb", bands) for bands in (3, 4, 5, 7)]
    cases = [*product(models, (None, 4), "<>")][::step]
    for (model, bands), rows, order in cases:
        image = (RNG.random((9, 13, bands)) * 100).astype(dtype)
        planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
        content = tiff_bytes(
            image if layout == "contig" else planes,
            photometric=model,
            planarconfig=layout,
            compression=compression,
            rowsperstrip=rows,
            byteorder=order,
        )
        (tmp_path / "bands.tif").write_bytes(content)
        same(read_image(tmp_path / "bands.tif"), image)


@pytest.mark.parametrize("layout", ["contig", "separate"])
def test_a_tiff_in_tiles_is_read(tmp_path, layout):
    image = RNG.normal(size=(40, 33, 5)).astype(np.float32)
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    content = tiff_bytes(
        image if layout == "contig" else planes,
        photometric="minisblack",
        planarconfig=layout,
        tile=(16, 16),
        compression="zlib",
        predictor=True,
    )
    (tmp_path / "tiles.tif").write_bytes(content)
    same(read_image(tmp_path / "tiles.tif"), image)


@pytest.mark.parametrize("name", ["deep.png", "strips.tif"])
@ORIENTATIONS
def test_deep_files_are_turned_upright(tmp_path, name, orientation):
    path, image = tmp_path / name, DEEP_COLORS["RGB"]
    if name == "deep.png":
        rows = [b"\0" + row.astype(">u2").tobytes() for row in image]
        block = held(orientation).tobytes().removeprefix(b"Exif\0\0")
        content = png(13, 9, 16, 2, b"".join(rows), extra=(b"eXIf", block))
    else:
        tag = (274, "H", 1, orientation, True)
        content = tiff_bytes(image, photometric="rgb", extratags=[tag])
    path.write_bytes(content)
    same(read_image(path), turned(image, orientation))


def test_a_transparent_color_of_16_bits_comes_as_rgba(tmp_path):
    path = tmp_path / "deep.png"
    row = struct.pack(">6H", 1000, 2000, 3000, 1000, 2000, 3001)
    extra = struct.pack(">3H", 1000, 2000, 3000)
    path.write_bytes(png(2, 1, 16, 2, b"\0" + row, extra))
    expected = [[[1000, 2000, 3000, 0], [1000, 2000, 3001, 65535]]]
    same(read_image(path), np.array(expected, np.uint16))


def test_colors_that_were_multiplied_by_their_alpha_are_divided_by_it(tmp_path):
    path = tmp_path / "deep.tif"
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    # Divided, kept, kept where nothing can be known, and never above the largest.
    held = [[1000, 30000, 0, 32768], [5, 6, 7, 65535], [7, 8, 9, 0], [9, 9, 9, 3]]
    path.write_bytes(tiff_bytes(np.array([held], np.uint16), **options))
    color = [[2000, 59999, 0, 32768], [5, 6, 7, 65535], [7, 8, 9, 0]]
    color.append([65535, 65535, 65535, 3])
    same(read_image(path), np.array([color], np.uint16))
    floats = np.array([[[0.25, 0.5, 0, 0.5], [3, 4, 5, 0]]], np.float32)
    path.write_bytes(tiff_bytes(floats, **options))
    same(read_image(path), np.array([[[0.5, 1, 0, 0.5], [3, 4, 5, 0]]], np.float32))


def test_of_a_tiff_of_several_deep_images_the_first_comes(tmp_path):
    path = tmp_path / "film.tif"
    film = RNG.integers(0, 65536, (3, 9, 13, 3), dtype=np.uint16)
    path.write_bytes(tiff_bytes(film, photometric="rgb"))
    same(read_image(path), film[0])


def test_many_bands_print_nothing(tmp_path, caplog, capfd):
    """Pillow prints a line for every file with more channels than it knows."""
    image = RNG.integers(0, 256, (9, 13, 7), dtype=np.uint8)
    write_image(tmp_path / "bands.tif", image)
    same(read_image(tmp_path / "bands.tif"), image)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bands", [None, 3])
def test_a_tiff_of_more_than_4_gigabytes_has_longer_places(
    tmp_path, monkeypatch, bands
):
    image = np.ones((9, 13, bands) if bands else (9, 13), np.float64)
    write_image(tmp_path / "small.tif", image)
    assert (tmp_path / "small.tif").read_bytes()[:4] in (b"II*\0", b"MM\0*")
    monkeypatch.setattr(tiff_module, "CLASSIC_TIFF", 100)
    write_image(tmp_path / "large.tif", image)
    assert (tmp_path / "large.tif").read_bytes()[:4] in (b"II+\0", b"MM\0+")
    same(read_image(tmp_path / "large.tif"), image)


@pytest.mark.parametrize("name", chosen(DEEP_FILES, "deep.png", "strips.tif"))
def test_a_deep_file_that_is_cut_short_is_refused(tmp_path, name):
    path, content = tmp_path / name, DEEP_FILES[name]
    path.write_bytes(content)
    same(read_image(path), DEEP_COLORS["RGB"])
    # The last 12 bytes of a PNG only say that it ends.
    for end in range(1, len(content) - (12 if name == "deep.png" else 0), 5):
        path.write_bytes(content[:end])
        refused(ValueError, DAMAGED.format(path=path), read_image, path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEP_FILES)
def test_every_flipped_bit_of_a_header_is_an_array_or_a_value_error(tmp_path, name):
    """Not a lack of memory, since a tag claims to be long, and nothing else."""
    path = tmp_path / name
    for place in range(320):
        content = bytearray(DEEP_FILES[name])
        content[place] ^= 16
        path.write_bytes(content)
        image, sentence = None, "path must be "
        try:
            image = read_image(path)
        except ValueError as error:
            sentence = str(error)
        assert sentence.startswith("path must be ")
        assert image is None or image.size > 0


def tag_changed(content, tag, value):
    """Return a little-endian TIFF in which a tag is this one number of 32 bits."""
    content = bytearray(content)
    (start,) = struct.unpack_from("<I", content, 4)
    (number,) = struct.unpack_from("<H", content, start)
    for entry in range(start + 2, start + 2 + 12 * number, 12):
        if struct.unpack_from("<H", content, entry) == (tag,):
            struct.pack_into("<HII", content, entry + 2, 4, 1, value)
    return bytes(content)


def test_a_tiff_of_which_parts_are_missing_is_refused(tmp_path):
    """Rather than read with holes, as a file whose writer was stopped."""
    path, image = tmp_path / "parts.tif", DEEP_COLORS["RGB"]
    strips = tiff_bytes(image, photometric="rgb", rowsperstrip=9, compression="zlib")
    path.write_bytes(strips)
    same(read_image(path), image)
    # Twice the rows; a strip of no bytes; a strip behind the end.
    for tag, value in [(257, 18), (279, 0), (273, len(strips))]:
        path.write_bytes(tag_changed(strips, tag, value))
        refused(ValueError, DAMAGED.format(path=path), read_image, path)


HUGE = (
    "path must be an image of at most 179 million pixels, got {path}, which claims to "
    "have more; cut it into parts, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
)


@pytest.mark.parametrize("model", [2, 4, 6])
def test_a_deep_png_that_claims_to_be_huge_is_refused(tmp_path, monkeypatch, model):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(60_000, 60_000, 16, model, b"\0"))
    monkeypatch.setattr(imagecodecs, "png_decode", None)
    refused(ValueError, HUGE.format(path=path), read_image, path)


@pytest.mark.parametrize("claim", ["rows", "columns", "tile width", "tile height"])
def test_a_deep_tiff_that_claims_to_be_huge_is_refused(tmp_path, claim):
    path, image = tmp_path / "bomb.tif", np.ones((16, 16, 5), np.uint16)
    options = {"planarconfig": "contig", "photometric": "minisblack", "tile": (16, 16)}
    content = tiff_bytes(image, **options, compression="zlib")
    tags = {"rows": 257, "columns": 256, "tile width": 322, "tile height": 323}
    path.write_bytes(tag_changed(content, tags[claim], 2**26))
    refused(ValueError, HUGE.format(path=path), read_image, path)


def test_four_bands_take_the_place_of_a_pixel(tmp_path, monkeypatch):
    path, image = tmp_path / "bands.tif", np.ones((16, 16, 5), np.uint16)
    write_image(path, image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 255)
    refused(ValueError, HUGE.format(path=path), read_image, path)
    for limit in (256, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        same(read_image(path), image)


@pytest.mark.parametrize(
    ("image", "model", "what"),
    [
        (
            np.ones((4, 5, 4), np.uint16),
            "separated",
            "4 channels of uint16, of 1 plane",
        ),
        (np.ones((4, 5, 3), np.uint16), "cielab", "3 channels of uint16, of 1 plane"),
        (np.ones((6, 4, 5, 3), np.uint16), "rgb", "3 channels of uint16, of 6 planes"),
        (np.ones((4, 5), np.float64), "miniswhite", "1 channel of float64, of 1 plane"),
        (np.ones((4, 5), np.uint64), "minisblack", "1 channel of uint64, of 1 plane"),
        (np.ones((4, 5), np.float16), "minisblack", "1 channel of float16, of 1 plane"),
    ],
)
def test_a_tiff_of_another_kind_is_refused(tmp_path, image, model, what):
    path = tmp_path / "odd.tif"
    tiles = {"volumetric": True, "tile": (16, 16, 16)} if image.ndim == 4 else {}
    path.write_bytes(tiff_bytes(image, photometric=model, **tiles))
    refused(
        ValueError,
        "path must be a TIFF of one plane of gray, RGB or other bands of the type "
        "uint8, uint16, uint32, int8, int16, int32, float32 or float64, got "
        f"{path}, a TIFF of {what} of the color model {model.upper()}; "
        "read it with another library and pass the array",
        read_image,
        path,
    )


# ---- Without the extra -----------------------------------------------------------

MISSING = pytest.mark.parametrize("missing", ["imagecodecs", "tifffile"])
INSTALL = "install what it needs: pip install tifffile imagecodecs"
NEEDS_EXTRA = (
    "path must be an image with 8 bits a channel, or gray of type uint16, int32 or "
    "float32, while tifffile and imagecodecs are not installed, got {path}, {what}; "
    + INSTALL
)


@MISSING
@pytest.mark.parametrize("model", [2, 4, 6], ids=["RGB", "LA", "RGBA"])
def test_a_color_png_of_16_bits_needs_the_extra(tmp_path, monkeypatch, model, missing):
    path = tmp_path / "deep.png"
    path.write_bytes(png(1, 1, 16, model, b"\0" + bytes(8)))
    monkeypatch.setitem(sys.modules, missing, None)
    what = "a PNG with 16 bits a color channel"
    refused(ValueError, NEEDS_EXTRA.format(path=path, what=what), read_image, path)


@MISSING
@pytest.mark.parametrize("channels", [3, 4])
def test_a_color_tiff_of_16_bits_needs_the_extra(
    tmp_path, monkeypatch, channels, missing
):
    path = tmp_path / "deep.tif"
    path.write_bytes(deep_tiff(channels))
    with Image.open(path) as picture:
        assert picture.mode == ("RGB" if channels == 3 else "RGBA")  # a good file
    values = np.arange(1000, 1000 + channels, dtype=np.uint16)
    same(read_image(path), values[np.newaxis, np.newaxis])
    monkeypatch.setitem(sys.modules, missing, None)
    what = f"a TIFF of {channels} channels of uint16"
    refused(ValueError, NEEDS_EXTRA.format(path=path, what=what), read_image, path)


@MISSING
@pytest.mark.parametrize(
    ("image", "model", "what"),
    [
        (GRAY.astype(np.uint32), "minisblack", "1 channel of uint32"),
        (GRAY.astype(np.int8), "minisblack", "1 channel of int8"),
        (GRAY.astype(np.float64), "minisblack", "1 channel of float64"),
        (np.dstack([RGB, LA]), "rgb", "5 channels of uint8"),
        (RGB.astype(np.float32), "rgb", "3 channels of float32"),
    ],
)
def test_a_tiff_that_would_change_needs_the_extra(
    tmp_path, monkeypatch, image, model, what, missing
):
    """Pillow would drop channels, wrap numbers around, or know nothing of it."""
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_bytes(image, photometric=model))
    same(read_image(path), image)
    monkeypatch.setitem(sys.modules, missing, None)
    what = f"a TIFF of {what}"
    refused(ValueError, NEEDS_EXTRA.format(path=path, what=what), read_image, path)


@MISSING
@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.png", DEEP_COLORS["RGB"]),
        ("a.tif", DEEP_COLORS["LA"]),
        ("a.tiff", GRAY.astype(np.float64)),
        ("a.tif", np.dstack([RGB, LA])),
    ],
)
def test_what_pillow_does_not_write_needs_the_extra(
    tmp_path, monkeypatch, name, image, missing
):
    monkeypatch.setitem(sys.modules, missing, None)
    sentence = (
        "image must be gray, or of type uint8 with at most 4 channels, while "
        "tifffile and imagecodecs are not installed, to be written to a "
        f"{Path(name).suffix} file, got shape {image.shape} of type {image.dtype}; "
        + INSTALL
    )
    refused(ValueError, sentence, write_image, tmp_path / name, image)
    refused(ValueError, sentence, check_writable, image, tmp_path / name)
    assert files_in(tmp_path) == []


def test_what_pillow_holds_needs_no_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    numbers = RNG.integers(-(10**9), 10**9, (9, 13), dtype=np.int32)
    more = (numbers, numbers.astype(np.float32))
    for suffix, images in LOSSLESS.items():
        for image in (*images, *(more if suffix.startswith(".tif") else ())):
            write_image(tmp_path / f"picture{suffix}", image)
            same(read_image(tmp_path / f"picture{suffix}"), image)
    (tmp_path / "a.tif").write_bytes(tiff(DEEP.astype(np.int16)))
    same(read_image(tmp_path / "a.tif"), DEEP.astype(np.int16))


def test_the_extra_is_only_imported_for_what_needs_it(tmp_path):
    write_image(tmp_path / "a.tif", RGB)
    write_image(tmp_path / "b.png", DEEP)
    code = (
        "import sys; from kmeans_np import read_image, write_image;"
        "write_image('c.png', read_image('a.tif'));"
        "write_image('d.tif', read_image('b.png'));"
        "print({'tifffile', 'imagecodecs'} & {*sys.modules});"
        "write_image('e.tif', read_image('a.tif') / 255);"
        "print(sorted({'tifffile', 'imagecodecs'} & {*sys.modules}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split("\n")[:2] == ["set()", "['imagecodecs', 'tifffile']"]
