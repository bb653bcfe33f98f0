"""Traps of image files: each once read or wrote something else, without a word."""

import shutil
import struct

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import rasterio
import tifffile
import zarr
from few_bits import write_few_bits
from PIL import Image
from sample import SAMPLE
from tables import crossed

from kmeans_np import Metadata, read_image, read_metadata, write_image
from kmeans_np.__main__ import main
from kmeans_np.cli.palettes import read_palette

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (9, 11, 3)).astype(np.uint8)
FOUR = RNG.integers(0, 256, (9, 11, 4)).astype(np.uint8)
DEEP = RNG.integers(0, 1024, (3, 32, 32, 3)).astype(np.uint16)
FILM = RNG.integers(0, 4, (16, 16, 16, 3)).astype(np.uint8) * 80
VOLUME = np.zeros((5, 8, 8), np.uint8)
VOLUME[3, :, 2:5] = VOLUME[4, 0] = 200


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_film(name, n=16, **how):
    first, *others = map(Image.fromarray, FILM[:n])
    first.save(name, save_all=True, append_images=others, **how)


# ---- Reading -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "compression"),
    crossed(
        ["int16", "int32", "float32", "uint16", "uint8", "float64"],
        ["zlib", "lzw", None, "packbits"],
    ),
)
def test_numbers_of_either_byte_order(dtype, compression):
    image = (np.arange(60).reshape(6, 10) * 7).astype(dtype)
    if image.dtype.kind != "u":
        image -= 100
    for order in "<>":
        for big in (False, True):
            how = {"byteorder": order, "bigtiff": big, "resolution": (99, 98)}
            how |= {"resolutionunit": "inch", "compression": compression}
            tifffile.imwrite("image.tif", image, **how)
            assert np.array_equal(read_image("image.tif"), image)
            assert np.array_equal(read_image("image.tif", page="all"), image)
            assert read_metadata("image.tif").resolution == (99, 98)


def test_frames_of_an_avif_of_10_bits(folder):
    data = imagecodecs.avif_encode(DEEP, bitspersample=10, level=100)
    (folder / "film.avif").write_bytes(data)
    found = read_image("film.avif", page="all")
    assert (found.shape, found.dtype) == (DEEP.shape, np.uint16)
    assert np.array_equal(found, np.rint(DEEP * (65_535 / 1023)).astype(np.uint16))
    for page in range(3):
        assert np.array_equal(read_image("film.avif", page=page), found[page])


def test_images_in_a_heic_of_more_than_8_bits():
    white = np.full((32, 32, 3), 65_535, np.uint16)
    file = pillow_heif.HeifFile()
    for image in (white, DEEP[0] * 60):
        file.add_frombytes("RGB;16", (32, 32), image.tobytes())
    file.save("photo.heic", quality=-1)
    assert read_image("photo.heic").min() == 65_535
    found = read_image("photo.heic", page="all")
    assert (found.shape, found.dtype) == ((2, 32, 32, 3), np.uint16)
    assert np.array_equal(found[1], read_image("photo.heic", page=1))


def test_a_header_far_behind_the_begin_is_found(folder):
    data = imagecodecs.jpeg2k_encode(DEEP[0] * 60, level=0, reversible=True)
    at = data.index(b"jp2c") - 4
    box = struct.pack(">I", 100_008) + b"xml " + b" " * 100_000
    (folder / "map.jp2").write_bytes(data[:at] + box + data[at:])
    assert np.array_equal(read_image("map.jp2"), DEEP[0] * 60)


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_comments_in_a_netpbm(folder, end):
    head = b"P6" + end + b"# a comment" + end + b"3 2" + end + b"65535" + end
    numbers = np.arange(18, dtype=">u2")
    (folder / "image.ppm").write_bytes(head + numbers.tobytes())
    assert np.array_equal(read_image("image.ppm").ravel(), numbers)
    words = b"P2" + end + b"2 1 4095" + end + b"0 # black" + end + b"4095"
    (folder / "image.pgm").write_bytes(words)
    assert read_image("image.pgm").tolist() == [[0, 65_535]]


@pytest.mark.parametrize("bits", [-64, 16])
def test_numbers_of_a_fits_are_not_guessed(folder, bits):
    cards = [f"SIMPLE  = {'T':>20}", f"BITPIX  = {bits:>20}", f"NAXIS   = {2:>20}"]
    cards += [f"NAXIS1  = {3:>20}", f"NAXIS2  = {1:>20}", "END"]
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    kind = ">f8" if bits < 0 else ">i2"
    data = np.array([1, 2, -3], kind).tobytes().ljust(2880, b"\0")
    (folder / "sky.fits").write_bytes(head + data)
    with pytest.raises(ValueError, match="convert it to a PNG or TIFF"):
        read_image("sky.fits")


def test_the_frame_that_was_asked_for_of_a_deep_png(folder):
    data = imagecodecs.apng_encode(DEEP * 60)
    (folder / "film.png").write_bytes(data)
    for page in range(3):
        assert np.array_equal(read_image("film.png", page=page), DEEP[page] * 60)


def test_an_image_in_front_of_an_animation_is_none_of_its_frames():
    first, *others = map(Image.fromarray, FILM[:4])
    how = {"save_all": True, "append_images": others, "duration": [50, 60, 70]}
    first.save("film.png", default_image=True, **how)
    assert np.array_equal(read_image("film.png", page="all"), FILM[1:4])
    assert np.array_equal(read_image("film.png"), FILM[0])
    about = read_metadata("film.png")
    assert (about.stack, about.durations) == ((("T", 3),), (50, 60, 70))


def test_layers_are_parts_of_one_image(folder):
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 9, 11, 8, 3) + bytes(12)
    planes = RGB.transpose(2, 0, 1).tobytes()
    (folder / "photo.psd").write_bytes(head + struct.pack(">H", 0) + planes)
    assert np.array_equal(read_image("photo.psd"), RGB)
    assert read_metadata("photo.psd").n_pages == 1


def test_15_bits_a_pixel_are_not_more_than_8_a_channel(folder):
    rows = (np.arange(64) * 511).astype("<u2").tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 16, 0, len(rows), 0, 0, 0, 0)
    start = struct.pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54)
    (folder / "old.bmp").write_bytes(start + head + rows)
    assert read_image("old.bmp").shape == (8, 8, 3)


@pytest.mark.parametrize("name", ["film.jpg", "film.bmp", "film.png", "film.dat"])
@pytest.mark.parametrize("kind", ["MPO", "GIF", "WEBP"])
def test_all_images_are_read_whatever_the_name(kind, name):
    save_film(name, 3, format=kind, **{"lossless": True} if kind == "WEBP" else {})
    assert read_image(name, page="all").shape == (3, 16, 16, 3)
    assert read_metadata(name).n_pages == 3


def test_all_images_are_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    first, *others = (Image.fromarray(frame[:8]) for frame in FILM[:3])
    how = {"save_all": True, "append_images": others, "exif": exif}
    first.save("photo.mpo", format="MPO", **how)
    found = read_image("photo.mpo", page="all")
    assert found.shape == (3, 16, 8, 3)
    assert np.array_equal(found[0], read_image("photo.mpo"))


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "L", "RGB"])
def test_all_pages_are_what_each_of_them_is(mode):
    first, *others = (Image.fromarray(frame).convert(mode) for frame in FILM[:3])
    first.save("pages.tif", save_all=True, append_images=others)
    found = read_image("pages.tif", page="all")
    each = [read_image("pages.tif", page=number) for number in range(3)]
    assert np.array_equal(found, each)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_brought_to_all_of_8(bits):
    pages = np.arange(48).reshape(2, 4, 6).astype(np.uint8) % 2**bits
    write_few_bits("few.tif", pages, bits, "minisblack")
    found = read_image("few.tif", page="all")
    assert found.max() == 255
    assert np.array_equal(found[1], read_image("few.tif", page=1))


def test_smaller_copies_and_masks_are_no_pages():
    image = np.kron(RGB[..., 0], np.ones((99, 99), np.uint8))
    how = {"driver": "COG", "height": 891, "width": 1089, "count": 1, "dtype": "uint8"}
    how |= {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open("map.tif", "w", **how) as file:
        file.write(image[np.newaxis])
        file.write_mask(image > 9)
    with tifffile.TiffFile("map.tif") as file:
        assert len(file.pages) > 2
    assert read_metadata("map.tif").n_pages == 1
    assert np.array_equal(read_image("map.tif", page="all"), image)


def test_pages_written_one_by_one_are_a_stack():
    with tifffile.TiffWriter("pages.tif") as file:
        for frame in FILM[:3]:
            file.write(frame, photometric="rgb")
    assert np.array_equal(read_image("pages.tif", page="all"), FILM[:3])
    assert read_metadata("pages.tif").stack == (("I", 3),)


def test_a_turned_stack_stays_one():
    planes = RNG.integers(0, 999, (3, 9, 14)).astype(np.uint16)
    with tifffile.TiffWriter("turned.tif") as file:
        for plane in planes:
            file.write(plane, metadata=None, extratags=[(274, 3, 1, 6, True)])
    found = read_image("turned.tif", page="all")
    assert found.shape == (3, 14, 9)
    assert read_metadata("turned.tif").size == (14, 9)
    write_image("again.tif", found, like="turned.tif")
    assert np.array_equal(read_image("again.tif", page="all"), found)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_gray_of_16_bits_has_no_alpha(suffix):
    write_image(f"gray{suffix}", DEEP[0, ..., 0])
    assert read_metadata(f"gray{suffix}").has_alpha is None


def test_all_frames_of_a_deep_png(folder):
    (folder / "film.png").write_bytes(imagecodecs.apng_encode(DEEP * 60))
    assert np.array_equal(read_image("film.png", page="all"), DEEP * 60)


def test_images_of_unlike_size_in_a_heic():
    file = pillow_heif.HeifFile()
    for size in (32, 48):
        file.add_frombytes("RGB", (size, size), bytes(size * size * 3))
    file.save("photo.heic")
    with pytest.raises(ValueError, match="images of one size"):
        read_image("photo.heic", page="all")
    # The one that is declared to be the first is.
    file.save("other.heic", primary_index=1)
    assert read_image("other.heic").shape == (48, 48, 3)


# ---- What is said of which image ---------------------------------------------------


def test_a_small_image_has_as_many_rows_as_there_are_frames():
    save_film("spin.gif")
    assert main(["segment", "spin.gif", "-k", "3", "--labels", "l.npy"]) == 0
    assert np.load("l.npy").shape == (16, 16)
    write_image("one.png", read_image("spin.gif"), like="spin.gif")
    assert read_metadata("one.png").n_pages == 1
    assert np.array_equal(read_image("one.png"), FILM[0])


def test_each_page_says_for_itself():
    none = (42113, 2, 0, "0", True)
    with tifffile.TiffWriter("pages.tif") as file:
        how = {"photometric": "rgb", "metadata": None, "resolutionunit": "inch"}
        file.write(RGB, resolution=(72, 72), extratags=[none], **how)
        how |= {"extrasamples": ["unspecified"]}
        file.write(FOUR // 128 * 128, resolution=(300, 300), **how)
    first, second = (read_metadata("pages.tif", page=page) for page in (0, 1))
    assert (first.no_data, first.resolution, first.has_alpha) == (0, (72, 72), None)
    assert (second.no_data, second.resolution) == (None, (300, 300))
    assert second.has_alpha is False
    how = ["-k", "2", "--page", "2", "-o", "o.tif", "--labels", "l.npy"]
    assert main(["segment", "pages.tif", *how]) == 0
    assert np.load("l.npy").min() == 0
    assert read_metadata("o.tif").resolution == pytest.approx((300, 300))
    with pytest.raises(IndexError, match="page must be from 0 to 1"):
        read_metadata("pages.tif", page=2)


@pytest.mark.parametrize("page", ["all", 0.5, True])
def test_metadata_are_those_of_one_page(page):
    write_image("one.png", RGB)
    with pytest.raises(TypeError, match="page must be a whole number"):
        read_metadata("one.png", page=page)


# ---- Writing -----------------------------------------------------------------------


@pytest.mark.parametrize("option", [[], ["-o", "picture.tif"]])
def test_planes_that_are_alike_all_have_labels(option):
    write_image("z.tif", VOLUME, like=Metadata(stack=(("Z", 5),)))
    how = ["-k", "2", "--page", "all", *option, "--labels", "labels.png"]
    assert main(["segment", "z.tif", *how]) == 0
    assert np.array_equal(read_image("labels.png", page="all"), VOLUME > 0)
    np.save("z.npy", VOLUME)
    how = ["-k", "2", "--channel-axis", "none", "--labels", "again.png"]
    assert main(["segment", "z.npy", *how]) == 0
    assert np.array_equal(read_image("again.png", page="all"), VOLUME > 0)


def test_infrared_does_not_become_alpha(capsys):
    about = Metadata(extra_channels=("unspecified",))
    write_image("scene.tif", FOUR, like=about)
    assert main(["segment", "scene.tif", "-k", "3"]) == 0
    assert read_metadata("scene-k3.tif").has_alpha is False
    for suffix in (".png", ".webp", ".gif"):
        with pytest.raises(ValueError, match=r"no channels other .* choose \.tif"):
            write_image(f"scene{suffix}", FOUR, like=about)
        assert main(["segment", "scene.tif", "-k", "3", "-o", f"o{suffix}"]) == 2
    assert "choose .tif" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".webp", ".bmp"])
def test_a_resolution_of_0_is_none(suffix):
    none = ((0, 1), (0, 1))
    tifffile.imwrite("r.tif", RGB, photometric="rgb", resolution=none, metadata=None)
    assert read_metadata("r.tif").resolution is None
    assert main(["segment", "r.tif", "-k", "2", "-o", f"out{suffix}"]) == 0


@pytest.mark.parametrize("value", [np.inf, -1, np.nan, 0])
def test_a_resolution_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="have a resolution of numbers above 0"):
        write_image("out.png", RGB, like=Metadata(resolution=(value, 1)))


@pytest.mark.parametrize(
    ("suffix", "value"), [(".jpg", 254_000), (".png", 1e-3), (".bmp", 1e-3)]
)
def test_a_resolution_that_a_file_cannot_hold_is_said(suffix, value):
    with pytest.warns(UserWarning, match="cannot hold the resolution"):
        write_image(f"out{suffix}", RGB, like=Metadata(resolution=(value, value)))
    found = read_metadata(f"out{suffix}").resolution
    assert found is None or np.rint(found[0]) in (72, 96)


def test_durations_and_axes_that_a_file_cannot_hold_are_said():
    about = Metadata(stack=(("T", 4),), durations=(50,) * 4)
    with pytest.warns(UserWarning, match="durations of frames"):
        write_image("film.tif", FILM[:4], like=about)
    with pytest.warns(UserWarning, match="axes of the stack"):
        write_image("film.gif", FILM[:4], like=Metadata(stack=(("Z", 4),)))


@pytest.mark.parametrize("loop", [0, 1, 3])
@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_a_film_is_played_as_often_as_before(suffix, loop):
    about = Metadata(stack=(("T", 4),), durations=(50,) * 4, loop=loop)
    write_image(f"film{suffix}", FILM[:4], like=about)
    assert read_metadata(f"film{suffix}").loop == loop


def test_a_gif_that_does_not_say_so_is_played_once():
    save_film("once.gif", 4, duration=50)
    about = read_metadata("once.gif")
    assert about.loop == 1
    for suffix in (".gif", ".png", ".webp"):
        write_image(f"again{suffix}", FILM[:4], like=about)
        assert read_metadata(f"again{suffix}").loop == 1


def test_durations_need_no_name_of_the_axis():
    write_image("film.gif", FILM[:4], like=Metadata(durations=(50,) * 4, loop=3))
    about = read_metadata("film.gif")
    assert (about.durations, about.loop) == ((50,) * 4, 3)


@pytest.mark.parametrize(
    "about",
    [{"durations": (np.nan,) * 4}, {"loop": -2}, {"loop": 10**6}, {"resolution": "ab"}],
)
def test_metadata_that_are_none_are_refused(about):
    with pytest.raises(ValueError, match="like must have a"):
        write_image("film.gif", FILM[:4], like=Metadata(**about))


def test_no_image_is_not_written():
    with pytest.raises(ValueError, match="at least one image"):
        write_image("film.gif", FILM[:0])


def test_a_gif_counts_hundredths_of_seconds():
    about = Metadata(stack=(("T", 4),), durations=(33, 4, 700_000, 50))
    write_image("film.gif", FILM[:4], like=about)
    assert read_metadata("film.gif").durations == (30, 10, 655_350, 50)


def test_words_of_gdal_keep_their_letters():
    how = {"driver": "GTiff", "height": 9, "width": 11, "count": 3, "dtype": "uint8"}
    how |= {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open("in.tif", "w", **how) as file:
        file.write(RGB.transpose(2, 0, 1))
        file.set_band_description(1, "gré")
        file.update_tags(WHO="Jörg")
    assert main(["segment", "in.tif", "-k", "2", "-o", "out.tif"]) == 0
    with rasterio.open("out.tif") as file:
        assert file.descriptions[0] == "gré"
        assert file.tags()["WHO"] == "Jörg"


# ---- The command line --------------------------------------------------------------


def test_a_pattern_of_several_does_not_go_to_standard_output(capsys):
    for name in ("a.png", "b.png"):
        write_image(name, RGB)
    assert main(["segment", "[ab].png", "-k", "2", "-o", "-"]) == 2
    assert "-o must be a folder for several pictures" in capsys.readouterr().err


def test_a_zarr_is_not_replaced_by_surprise(folder, capsys):
    write_image("in.zarr", RGB)
    write_image("in-k2.zarr", np.arange(5.0))
    assert main(["segment", "in.zarr", "-k", "2"]) == 2
    assert "already exists" in capsys.readouterr().err
    zarr.open_group("group.zarr", mode="w")
    shutil.copytree("in.zarr", "group.zarr/a.zarr")
    assert main(["segment", "group.zarr/a.zarr", "-k", "2", "-o", "group.zarr"]) == 2
    assert "not replace a folder that holds another" in capsys.readouterr().err
    write_image("a.png", RGB)
    shutil.copytree("in.zarr", "p.zarr")
    how = ["-k", "2", "-o", "p.zarr/a.png", "--labels", "p.zarr"]
    assert main(["segment", "a.png", *how]) == 2
    assert (folder / "group.zarr" / "a.zarr").exists()
    assert not (folder / "p.zarr" / "a.png").exists()


def test_outputs_of_films_in_a_folder():
    save_film("spin.gif")
    how = [
        "-k",
        "3",
        "--page",
        "all",
        "-o",
        "to/",
        "--labels",
        "to/",
        "--overlay",
        "to/",
    ]
    assert main(["segment", "spin.gif", *how]) == 0
    assert read_image("to/spin-k3.gif", page="all").shape == FILM.shape
    assert labels_shape("to/spin-labels.png") == FILM.shape[:3]
    assert read_image("to/spin-overlay.png", page="all").shape == FILM.shape


def labels_shape(name):
    return read_image(name, page="all").shape


def test_a_film_of_more_colors_than_a_gif_holds_goes_to_a_png():
    # Half of it takes no part, and keeps its many colors.
    film = np.stack([SAMPLE[::8, ::8], 255 - SAMPLE[::8, ::8]])
    save = [Image.fromarray(frame).quantize(200) for frame in film]
    save[0].save("rich.gif", save_all=True, append_images=save[1:])
    part = np.zeros((2, *film.shape[1:3]), np.uint8)
    part[:, :20] = 255
    write_image("mask.tif", part, like=Metadata(stack=(("T", 2),)))
    how = ["-k", "3", "--page", "all", "--mask", "mask.tif"]
    assert main(["segment", "rich.gif", *how]) == 0
    assert read_image("rich-k3.png", page="all").shape == film.shape
    assert main(["segment", "rich.gif", *how, "-o", "x.gif"]) == 2


@pytest.mark.parametrize(
    ("option", "words"),
    [("--overlay=o.jpg", "one image"), ("--labels=l.jpg", "end in")],
)
def test_what_cannot_be_written_is_refused_before_anything_is(option, words, capsys):
    save_film("spin.gif")
    how = ["-k", "3", "--page", "all", "-o", "out.gif", option]
    assert main(["segment", "spin.gif", *how]) == 2
    assert words in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        read_image("out.gif")


def test_labels_say_what_their_file_cannot_hold(capsys):
    how = {"driver": "GTiff", "height": 9, "width": 11, "count": 3, "dtype": "uint8"}
    how |= {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open("in.tif", "w", **how) as file:
        file.write(RGB.transpose(2, 0, 1))
    given = ["-k", "2", "-o", "out.tif", "--labels", "labels.png"]
    assert main(["segment", "in.tif", *given]) == 0
    assert "labels.png: a .png file cannot hold the place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("100000  50.0%  3 pixels\n200000  50.0%  3 pixels\n", [100_000, 200_000]),
        ("GIMP Palette\nName: x\n#\n255 0 0\t1\n0 128 0\t50 red\n", None),
    ],
)
def test_numbers_in_palettes_are_numbers(folder, text, colors):
    (folder / "palette.txt").write_text(text)
    found = read_palette("palette.txt")
    assert found.are_hex is (colors is None)
    expected = [[255, 0, 0], [0, 128, 0]] if colors is None else colors
    assert found.colors.tolist() == expected


@pytest.mark.parametrize("line", ["300 0 0", "0.5 0 0", "1 2"])
def test_a_palette_of_gimp_has_bytes(folder, line):
    (folder / "bad.gpl").write_text(f"GIMP Palette\n#\n{line}\n")
    with pytest.raises(ValueError, match="in line 3"):
        read_palette("bad.gpl")


def test_a_film_and_a_picture_have_no_palette_in_common(capsys):
    save_film("film.gif", 4)
    write_image("a.png", FILM[0])
    how = ["-k", "3", "--page", "all", "--shared-palette", "-o", "to/"]
    assert main(["segment", "film.gif", "a.png", *how]) == 1
    assert "must be RGB of type uint8 in planes" in capsys.readouterr().err
