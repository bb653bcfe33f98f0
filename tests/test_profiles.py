"""CIELAB of an image with a color profile is that of the colors it shows."""

import io
import struct
import warnings

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icc import DISPLAY_P3, P3, SRGB_CURVE, ink_profile, parametric, profile
from PIL import Image, ImageCms
from sample import SAMPLE

from kmeans_np import (
    apply_palette,
    cluster_image,
    inertia_curve,
    read_image,
    read_metadata,
    segment_image,
)
from kmeans_np.__main__ import main
from kmeans_np.colors.profiles import matrix_profile
from kmeans_np.colors.spaces import linear_from_srgb, rgb_from_lab

TABLE = (np.linspace(0, 1, 300) ** 1.8 * 65_535).astype(">u2")
CURVES = {
    "gamma": None,
    "linear": b"curv\0\0\0\0" + struct.pack(">I", 0),
    "table": b"curv\0\0\0\0" + struct.pack(">I", 300) + TABLE.tobytes(),
    "0": parametric(0, 2.2),
    "1": parametric(1, 2.2, 0.95, 0.05),
    "2": parametric(2, 2.2, 0.9, 0.05, 0.01),
    "3": SRGB_CURVE,
    "4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.002, 0),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def by_pillow(colors, icc):
    own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    picture = Image.fromarray(colors[np.newaxis])
    srgb = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    found = ImageCms.profileToProfile(picture, own, srgb, renderingIntent=intent)
    return np.asarray(found)[0]


@pytest.mark.parametrize("kind", CURVES)
def test_colors_are_those_of_pillow(kind):
    icc = profile(curve=CURVES[kind])
    levels = np.arange(0, 256, 17)
    colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    colors = colors.astype(np.uint8)
    found = matrix_profile(icc).to_srgb(colors / 255)
    # What sRGB cannot hold, Pillow cuts off.
    inside = ((found > 0) & (found < 1)).all(axis=1)
    assert inside.sum() > 1000
    expected = by_pillow(colors[inside], icc)
    assert np.abs(found[inside] * 255 - expected).max() < 1.6


def test_srgb_is_srgb():
    colors = np.random.default_rng(0).random((1000, 3))
    assert np.abs(matrix_profile(SRGB).to_srgb(colors) - colors).max() < 2e-3


def test_the_primaries_of_display_p3():
    found = linear_from_srgb(matrix_profile(DISPLAY_P3).to_srgb(np.eye(3)))
    # As in https://www.w3.org/TR/css-color-4/#color-conversion-code, one a row.
    expected = [
        [1.2249, -0.0420, -0.0196],
        [-0.2249, 1.0420, -0.0786],
        [0.0, 0.0, 1.0979],
    ]
    assert np.abs(found - expected).max() < 2e-3


@given(
    st.sampled_from([*CURVES]),
    st.lists(st.integers(0, 65_535), min_size=3, max_size=3),
)
def test_there_is_a_way_back(kind, color):
    icc = matrix_profile(profile(curve=CURVES[kind]))
    color = np.array([color]) / 65_535
    back = icc.from_srgb(icc.to_srgb(color))
    # Where a curve is flat, as many numbers mean the same color.
    assert np.allclose(icc.to_srgb(back), icc.to_srgb(color), atol=1e-6)
    if kind not in ("1", "2", "4"):
        assert np.allclose(back, color, atol=2e-3)


# ---- The same colors in another profile ----------------------------------------------

IMAGE = np.float64(SAMPLE[::8, ::8] / 255)
IN_P3 = matrix_profile(DISPLAY_P3).from_srgb(IMAGE.reshape(-1, 3)).reshape(IMAGE.shape)
HOW = {"color_space": "lab", "rng": 0}


def test_clusters_are_those_of_the_same_colors_in_srgb():
    expected = cluster_image(IMAGE, 5, **HOW)
    found = cluster_image(IN_P3, 5, color_profile=DISPLAY_P3, **HOW)
    assert np.array_equal(found.labels, expected.labels)
    assert found.inertia == pytest.approx(expected.inertia, rel=1e-9)
    in_srgb = matrix_profile(DISPLAY_P3).to_srgb(found.palette)
    assert np.allclose(in_srgb, expected.palette, atol=1e-4)
    # Without the profile these are other colors.
    other = cluster_image(IN_P3, 5, **HOW)
    assert not np.array_equal(other.labels, expected.labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_source_gives_the_same(dtype, tmp_path):
    image = IN_P3
    if np.dtype(dtype).kind == "u":
        image = np.rint(IN_P3 * np.iinfo(dtype).max)
    image = image.astype(dtype)
    how = {**HOW, "color_profile": DISPLAY_P3}
    expected = cluster_image(image, 4, **how)
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    target = np.empty_like(image)
    segment_image(mapped, 4, out=target, **how)
    assert np.array_equal(target, expected.image)
    lazy = segment_image(da.from_array(image, chunks=20), 4, **how)
    assert np.array_equal(lazy.compute(scheduler="synchronous"), expected.image)
    batch = cluster_image([image[:20], image[20:]], 4, **how)
    assert batch.inertia == pytest.approx(expected.inertia, rel=1e-3)
    again = expected.apply(image)
    assert np.array_equal(again.labels, expected.labels)
    (inertia,) = inertia_curve(image, [4], **how)
    assert inertia <= expected.inertia * 1.1
    given = apply_palette(
        image, expected.palette, color_space="lab", color_profile=DISPLAY_P3
    )
    assert (given.labels != expected.labels).mean() < 0.02


def test_in_rgb_numbers_are_compared_as_they_are():
    expected = cluster_image(IN_P3, 4, rng=0)
    found = cluster_image(IN_P3, 4, rng=0, color_profile=DISPLAY_P3)
    assert np.array_equal(found.labels, expected.labels)


def test_on_the_command_line_the_file_says_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = np.rint(IN_P3 * 255).astype(np.uint8)
    Image.fromarray(image).save("photo.png", icc_profile=DISPLAY_P3)
    given = ["-k", "5", "--color-space", "lab", "--labels", "labels.npy"]
    assert main(["segment", "photo.png", *given]) == 0
    expected = cluster_image(image, 5, color_profile=DISPLAY_P3, **HOW)
    assert np.array_equal(np.load("labels.npy"), expected.labels)
    assert not np.array_equal(cluster_image(image, 5, **HOW).labels, expected.labels)
    one = ["-k", "5", "--color-space", "lab", "--shared-palette", "-o", "to/"]
    assert main(["segment", "photo.png", *one, "--labels", "to/"]) == 0


def test_several_profiles_in_one_palette_are_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = np.rint(IN_P3 * 255).astype(np.uint8)
    Image.fromarray(image).save("a.png", icc_profile=DISPLAY_P3)
    Image.fromarray(image).save("b.png", icc_profile=P3)
    how = ["-k", "3", "--shared-palette", "-o", "to/"]
    assert main(["segment", "a.png", "b.png", *how]) == 0
    assert "note: the pictures have several color profiles" in capsys.readouterr().err


# ---- What is no use ----------------------------------------------------------------


@pytest.mark.parametrize(
    "icc",
    [
        P3.replace(b"rTRC", b"A2B0"),
        P3.replace(b"curv", b"mine"),
        P3[:200],
        P3[:40],
        profile(curve=parametric(9, 1.0)),
        b"",
        b"no profile" * 20,
    ],
)
def test_a_profile_of_another_kind_is_said(icc):
    with pytest.warns(UserWarning, match="profile cannot be used"):
        found = cluster_image(IN_P3, 3, color_profile=icc, **HOW)
    assert np.array_equal(found.labels, cluster_image(IN_P3, 3, **HOW).labels)


@pytest.mark.parametrize("value", ["P3", 3, bytearray(P3)])
def test_what_is_no_profile_is_refused(value):
    with pytest.raises(
        TypeError, match=r"color_profile must be .*Metadata\.color_profile"
    ):
        cluster_image(IMAGE, 3, color_profile=value)


@pytest.mark.parametrize("icc", [None, P3, b"no profile"])
def test_inks_without_a_profile_of_inks(icc, tmp_path):
    picture = Image.fromarray(np.rint(IMAGE * 255).astype(np.uint8)).convert("CMYK")
    picture.save(tmp_path / "print.jpg", icc_profile=icc)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        found = read_image(tmp_path / "print.jpg")
    said = ["profile cannot be used" in str(note.message) for note in notes]
    assert said == [True] * (icc is not None)
    with Image.open(tmp_path / "print.jpg") as again:
        assert np.array_equal(found, np.asarray(again.convert("RGB")))


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_inks_are_read_as_their_profile_says(suffix, tmp_path):
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, 16:, 0] = 255
    picture = Image.fromarray(inks, "CMYK")
    path = tmp_path / f"print{suffix}"
    how = {"quality": 100} if suffix == ".jpg" else {}
    picture.save(path, icc_profile=ink_profile(), **how)
    found = read_image(path)
    assert np.abs(found[4, 4].astype(int) - 255).max() <= 3
    cyan = rgb_from_lab(np.array([[55.0, -30, -40]]))[0] * 255
    assert np.abs(found[4, 28] - np.clip(cyan, 0, 255)).max() < 12
    # What it is now is sRGB.
    assert read_metadata(path).color_profile is None
