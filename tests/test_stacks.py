"""Several images in one file: planes of a volume, channels, frames of an animation."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from sample import SAMPLE, labels_in
from tables import crossed

from kmeans_np import (
    Metadata,
    cluster_image,
    read_image,
    read_metadata,
    write_image,
)
from kmeans_np.__main__ import main

PLANES = np.random.default_rng(0).integers(0, 4000, (2, 3, 4, 20, 30)).astype(np.uint16)
# Axes of a file, what is written, and what comes back: planes, rows, columns, channels.
STACKS = {
    "ZYX": (PLANES[0, 0], PLANES[0, 0], (("Z", 4),)),
    "TZYX": (PLANES[0], PLANES[0].reshape(12, 20, 30), (("T", 3), ("Z", 4))),
    "ZCYX": (PLANES[0], np.moveaxis(PLANES[0], 1, -1), (("Z", 3), ("C", 4))),
    "TZCYX": (
        PLANES,
        np.moveaxis(PLANES, 2, -1).reshape(6, 20, 30, 4),
        (("T", 2), ("Z", 3), ("C", 4)),
    ),
    "CYX": (PLANES[0, 0], np.moveaxis(PLANES[0, 0], 0, -1), (("C", 4),)),
}
FILM = np.stack([np.roll(SAMPLE[::8, ::8], 3 * n, axis=1) for n in range(4)])
FEW = (FILM // 64 * 64).astype(np.uint8)


def with_alpha(film):
    alpha = np.where(film[..., :1] > 60, 255, 0).astype(np.uint8)
    return np.concatenate([film, alpha], axis=-1)


def frames_to(path, film, **how):
    first, *others = map(Image.fromarray, film)
    if path.suffix == ".webp":
        how |= {"lossless": True, "exact": True}
    first.save(path, save_all=True, append_images=others, **how)


# ---- Stacks ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("axes", STACKS)
def test_axes_say_what_pages_are(axes, kind, tmp_path):
    written, expected, stack = STACKS[axes]
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path,
        written,
        photometric="minisblack",
        metadata={"axes": axes},
        **{kind: True},
    )
    assert np.array_equal(read_image(path, page="all"), expected)
    about = read_metadata(path)
    assert (about.stack, about.n_pages) == (stack, written[..., 0, 0].size)
    first = written.reshape(-1, 20, 30)
    assert np.array_equal(read_image(path, page=1), first[1])
    # Four channels are not RGBA, if the file says that they are channels.
    assert about.has_alpha is (False if "C" in axes else None)


@pytest.mark.parametrize(
    ("axes", "dtype"), crossed(STACKS, [np.uint8, np.uint16, np.int32, np.float32])
)
def test_a_stack_is_written_as_one(axes, dtype, tmp_path):
    _, images, stack = STACKS[axes]
    images, path = images.astype(dtype), tmp_path / "out.tif"
    about = Metadata(resolution=(50_800, 25_400), stack=stack)
    write_image(path, images, like=about)
    assert np.array_equal(read_image(path, page="all"), images)
    found = read_metadata(path)
    assert found.stack == stack
    assert found.resolution == pytest.approx((50_800, 25_400))
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.series[0].axes == axes
        assert 'PhysicalSizeX="0.5"' in file.ome_metadata


@pytest.mark.parametrize("channels", [3, 4])
def test_a_film_of_colors_is_a_stack_of_them(channels, tmp_path):
    film = FILM if channels == 3 else with_alpha(FILM)
    write_image(tmp_path / "film.tif", film)
    assert np.array_equal(read_image(tmp_path / "film.tif", page="all"), film)
    assert read_metadata(tmp_path / "film.tif").stack == (("I", 4),)


def test_imagej_has_large_stacks_with_one_page(tmp_path):
    path, planes = tmp_path / "stack.tif", PLANES[0, 0]
    how = {"metadata": {"axes": "ZYX", "unit": "micron"}, "resolution": (4, 2)}
    tifffile.imwrite(path, planes, imagej=True, truncate=True, **how)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    about = read_metadata(path)
    assert (about.n_pages, about.stack) == (4, (("Z", 4),))
    assert about.resolution == pytest.approx((4 * 25_400, 2 * 25_400))
    assert np.array_equal(read_image(path, page="all"), planes)
    for number in range(4):
        assert np.array_equal(read_image(path, page=number), planes[number])


@pytest.mark.parametrize("unit", ["micron", "\\u00B5m", "um", "mm", "cm", "inch", "nm"])
def test_the_unit_of_imagej_is_understood(unit, tmp_path):
    inches = {"mm": 25.4, "cm": 2.54, "inch": 1, "nm": 25.4e6}.get(unit, 25_400)
    how = {"metadata": {"unit": unit}, "resolution": (2, 2)}
    tifffile.imwrite(tmp_path / "i.tif", PLANES[0, 0, 0], imagej=True, **how)
    found = read_metadata(tmp_path / "i.tif").resolution
    assert found == pytest.approx((2 * inches, 2 * inches), rel=1e-5)


def test_planes_are_turned_upright(tmp_path):
    with tifffile.TiffWriter(tmp_path / "turned.tif") as file:
        for plane in PLANES[0, 0]:
            file.write(plane, metadata=None, extratags=[(274, 3, 1, 6, True)])
    found = read_image(tmp_path / "turned.tif", page="all")
    each = [read_image(tmp_path / "turned.tif", page=n) for n in range(4)]
    assert found.shape == (4, 30, 20)
    assert np.array_equal(found, each)


def test_pages_that_are_not_alike_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as file:
        for plane in (PLANES[0, 0, 0], PLANES[0, 0, 0, :9], PLANES[0, 0, 1]):
            file.write(plane, metadata=None)
    with pytest.raises(ValueError, match=r"one size and type .* choose one with page$"):
        read_image(tmp_path / "mixed.tif", page="all")
    assert read_image(tmp_path / "mixed.tif", page=1).shape == (9, 30)
    assert read_metadata(tmp_path / "mixed.tif").stack is None


def test_a_stack_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, PLANES[0, 0], imagej=True, metadata={"axes": "ZYX"})
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match="path must"):
        read_image(path, page="all")


@pytest.mark.parametrize("page", ["every", "1", 1.5, None, True])
def test_page_is_a_number_or_all(page, tmp_path):
    write_image(tmp_path / "one.png", FILM[0])
    with pytest.raises((TypeError, ValueError), match=r'page .*"all"'):
        read_image(tmp_path / "one.png", page=page)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".gif", ".bmp"])
def test_all_pages_of_one_image_are_that_image(suffix, tmp_path):
    path = tmp_path / f"one{suffix}"
    write_image(path, FEW[0])
    assert np.array_equal(read_image(path, page="all"), read_image(path))
    assert read_metadata(path).stack is None


# ---- Animations --------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_an_animation_is_a_film_and_is_written_as_one(suffix, alpha, tmp_path):
    film = with_alpha(FEW) if alpha else FEW
    path = tmp_path / f"film{suffix}"
    about = Metadata(stack=(("T", 4),), durations=(40, 80, 120, 160), loop=3)
    write_image(path, film, like=about)
    found = read_image(path, page="all")
    if alpha and suffix != ".png":
        found = np.where(found[..., 3:] > 0, found, 0)
        film = np.where(film[..., 3:] > 0, film, 0)
    assert np.array_equal(found, film)
    said = read_metadata(path)
    assert (said.stack, said.n_pages, said.loop) == (about.stack, 4, 3)
    assert said.durations == about.durations
    with Image.open(path) as picture:
        assert picture.n_frames == 4
    # What was read is written again as it was, with all that is said.
    write_image(tmp_path / f"again{suffix}", found, like=said)
    assert np.array_equal(read_image(tmp_path / f"again{suffix}", page="all"), found)
    assert read_metadata(tmp_path / f"again{suffix}") == said


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_frames_of_pillow_come_as_they_are_shown(suffix, tmp_path):
    path = tmp_path / f"film{suffix}"
    frames_to(path, FEW, duration=[20, 40, 60, 80])
    found, about = read_image(path, page="all"), read_metadata(path)
    assert np.array_equal(found, FEW)
    assert about.durations == (20, 40, 60, 80)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_a_frame_like_the_one_before_is_shown_longer(suffix, tmp_path):
    path = tmp_path / f"film{suffix}"
    write_image(path, FEW[[0, 0, 1, 1, 1]])
    assert np.array_equal(read_image(path, page="all"), FEW[:2])
    assert read_metadata(path).durations == (200, 300)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_the_profile_and_resolution_of_a_film_are_kept(suffix, tmp_path):
    path = tmp_path / f"film{suffix}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    about = Metadata(color_profile=profile, resolution=(300, 300))
    if suffix == ".gif":
        with pytest.warns(UserWarning, match="cannot hold the color profile and res"):
            write_image(path, FEW, like=about)
        return
    write_image(path, FEW, like=about)
    found = read_metadata(path)
    assert found.color_profile == profile
    assert found.resolution == pytest.approx((300, 300), rel=1e-3)


BAD_FILMS = {
    "too many colors": (".gif", FILM, "at most 256 colors .* choose .png"),
    "half transparent": (".gif", with_alpha(FEW) // 2, "transparent or opaque"),
    "deep": (".png", FEW.astype(np.uint16), "of type uint8 .* choose .tif"),
    "a photograph": (".jpg", FEW, "be one image .*choose .png, .webp, .tif"),
    "one to a bitmap": (".bmp", FEW, "be one image"),
}


@pytest.mark.parametrize("case", BAD_FILMS)
def test_a_film_that_a_file_cannot_hold_is_refused(case, tmp_path):
    suffix, film, words = BAD_FILMS[case]
    with pytest.raises((TypeError, ValueError), match=words):
        write_image(tmp_path / f"film{suffix}", film)
    assert [*tmp_path.iterdir()] == []


# ---- On the command line -----------------------------------------------------------


def test_a_stack_is_segmented_as_a_volume(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("s.tif", PLANES[0, 0], imagej=True, metadata={"axes": "ZYX"})
    how = ["-k", "3", "--page", "all", "--labels", "labels.tif"]
    assert main(["segment", "s.tif", *how]) == 0
    assert capsys.readouterr().err == ""
    expected = cluster_image(PLANES[0, 0], 3, channel_axis=None, rng=0)
    assert np.array_equal(read_image("s-k3.tif", page="all"), expected.image)
    assert np.array_equal(read_image("labels.tif", page="all"), expected.labels)
    assert read_metadata("labels.tif").stack == (("Z", 4),)


def test_channels_in_pages_are_channels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    about = {"axes": "CYX"}
    tifffile.imwrite(
        "c.ome.tif", PLANES[0, 0], photometric="minisblack", metadata=about
    )
    how = ["-k", "3", "--page", "all", "--labels", "labels.npy"]
    assert main(["segment", "c.ome.tif", *how]) == 0
    image = np.moveaxis(PLANES[0, 0], 0, -1)
    expected = cluster_image(image, 3, alpha=False, rng=0)
    assert np.array_equal(np.load("labels.npy"), expected.labels)
    assert np.array_equal(read_image("c.ome-k3.tif", page="all"), expected.image)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_an_animation_is_segmented_as_a_film(suffix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames_to(tmp_path / f"film{suffix}", FEW, duration=[50, 60, 70, 80], loop=0)
    film, about = (
        read_image(f"film{suffix}", page="all"),
        read_metadata(f"film{suffix}"),
    )
    how = ["-k", "4", "--page", "all", "--labels", "l.png", "--overlay", "o.png"]
    assert main(["segment", f"film{suffix}", *how]) == 0
    expected = cluster_image(film, 4, rng=0)
    found = read_metadata(f"film-k4{suffix}")
    assert np.array_equal(read_image(f"film-k4{suffix}", page="all"), expected.image)
    assert (found.durations, found.loop) == (about.durations, about.loop)
    labels, over = (read_image(name, page="all") for name in ("l.png", "o.png"))
    assert np.array_equal(labels, expected.labels)
    assert over.shape == film.shape
    assert len(np.unique(expected.palette, axis=0)) == 4
    capsys.readouterr()
    assert main(["palette", f"film{suffix}", "-k", "4", "--page", "all"]) == 0
    assert capsys.readouterr().err == ""


def test_pages_of_an_array_are_not_there(tmp_path, capsys):
    np.save(tmp_path / "a.npy", PLANES[0, 0])
    how = ["-k", "2", "--channel-axis", "none"]
    for page, status in (("all", 0), ("1", 0), ("2", 2)):
        given = ["palette", str(tmp_path / "a.npy"), *how, "--page", page]
        assert main(given) == status
    assert "--page must be from 1 to 1" in capsys.readouterr().err


# ---- Labels one can look at --------------------------------------------------------


@pytest.mark.parametrize(("k", "masked"), crossed([2, 5, 255], [False, True]))
def test_the_indices_of_a_png_are_the_labels(k, masked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = SAMPLE[::6, ::6]
    part = np.ones(image.shape[:2], np.uint8)
    part[:9, :9] = not masked
    write_image("in.png", image)
    write_image("mask.png", part * np.uint8(255))
    how = ["-k", str(k), "--mask", "mask.png", "--labels", "labels.png"]
    assert main(["segment", "in.png", *how]) == 0
    expected = cluster_image(image, k, mask=part > 0, rng=0)
    numbers = labels_in("labels.png")
    assert numbers.dtype == np.uint8
    assert np.array_equal(numbers, expected.labels.astype(np.uint8))
    # It looks like the segmented picture, and what takes no part is transparent.
    shown = read_image("labels.png")
    assert np.array_equal(shown[part > 0][:, :3], expected.image[part > 0])
    assert shown.shape[2] == (4 if masked else 3)
    if masked:
        assert np.array_equal(shown[..., 3] > 0, part > 0)


@pytest.mark.parametrize("kind", ["gray", "deep", "floats", "bands"])
def test_labels_of_any_picture_are_to_be_seen(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gray = SAMPLE[::6, ::6, 0]
    image = {
        "gray": gray,
        "deep": gray.astype(np.uint16),
        "floats": gray.astype(np.float32),
        "bands": np.dstack([gray] * 6),
    }[kind]
    write_image("in.tif", image)
    assert main(["segment", "in.tif", "-k", "4", "--labels", "labels.png"]) == 0
    expected = cluster_image(image, 4, rng=0)
    assert np.array_equal(labels_in("labels.png"), expected.labels)
    shown = read_image("labels.png")
    colors = np.unique(shown.reshape(-1, 3), axis=0).astype(int)
    assert len(colors) == 4
    if kind == "gray":
        assert np.array_equal(shown[..., 0], expected.image)
    else:
        assert np.abs(np.diff(colors, axis=0)).max(axis=1).min() > 60


def test_with_weights_all_pixels_take_part(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_image("in.png", SAMPLE[::6, ::6])
    np.save("w.npy", np.full((63, 84), 0.25))
    how = ["-k", "3", "--weights", "w.npy", "--labels", "labels.tif"]
    assert main(["segment", "in.png", *how]) == 0
    assert "take no part" not in capsys.readouterr().out
    assert read_metadata("labels.tif").no_data is None
