"""What a file says about its numbers is in the file that comes out, or is said."""

import io
import json

import numpy as np
import pytest
import tifffile
from icc import P3, ink_profile, profile
from PIL import Image, ImageCms

from kmeans_np import (
    Metadata,
    cluster_image,
    open_image,
    read_image,
    read_metadata,
    write_image,
)
from kmeans_np.__main__ import main

# Scale, points and keys of a GeoTIFF: 10 m pixels in UTM 33 north.
PLACE = {
    33550: (12, (10.0, 10.0, 0.0)),
    33922: (12, (0.0, 0.0, 0.0, 5e5, 5e6, 0.0)),
    34735: (3, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)),
}
GDAL = (
    '<GDALMetadata>\n  <Item name="TIME">2026</Item>\n'
    '  <Item name="SCALE" sample="0" role="scale">0.1</Item>\n'
    '  <Item name="STATISTICS_MAXIMUM" sample="0">180</Item>\n</GDALMetadata>'
)


THREE = np.zeros((20, 30, 3), np.uint8)
THREE[:, :10], THREE[:, 10:20], THREE[:, 20:] = (
    (220, 70, 60),
    (90, 190, 80),
    (60, 70, 200),
)


def as_shown(path):
    """The three colors as a viewer shows them, in sRGB."""
    with Image.open(path) as picture:
        icc, picture = picture.info.get("icc_profile"), picture.convert("RGB")
    if icc:
        own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        picture = ImageCms.profileToProfile(picture, own, srgb)
    return np.asarray(picture)[10, [5, 15, 25]].astype(int)


# ---- Color profiles --------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("source", [".jpg", ".png", ".tif", ".webp"])
def test_a_photo_looks_as_before(source, suffix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    how = {"quality": 97, "subsampling": 0} if source == ".jpg" else {}
    how |= {"lossless": True} if source == ".webp" else {}
    Image.fromarray(THREE).save(f"photo{source}", icc_profile=P3, **how)
    assert read_metadata(f"photo{source}").color_profile == P3
    assert main(["segment", f"photo{source}", "-k", "3", "-o", f"out{suffix}"]) == 0
    assert np.abs(as_shown(f"out{suffix}") - as_shown(f"photo{source}")).max() <= 4
    assert read_metadata(f"out{suffix}").color_profile == P3
    assert "cannot hold" not in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_the_resolution_is_kept(suffix, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(THREE).save("photo.jpg", dpi=(300, 300))
    assert main(["segment", "photo.jpg", "-k", "3", "-o", f"out{suffix}"]) == 0
    found = read_metadata(f"out{suffix}").resolution
    assert found == pytest.approx((300, 300), rel=1e-3)
    assert "cannot hold" not in capsys.readouterr().err
    with Image.open(f"out{suffix}") as picture:
        assert picture.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_every_kind_of_image_keeps_its_profile(suffix, channels, dtype, tmp_path):
    shape = (9, 12, channels)[: 2 if channels == 1 else 3]
    image = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    own = profile(model=b"GRAY") if channels < 3 else P3
    path = tmp_path / f"image{suffix}"
    write_image(path, image, like=Metadata(color_profile=own, resolution=(300, 150)))
    assert np.array_equal(read_image(path), image)
    found = read_metadata(path)
    assert found.color_profile == own
    assert found.resolution == pytest.approx((300, 150), rel=1e-3)
    # One of another color model would make the file wrong.
    other = P3 if channels < 3 else profile(model=b"GRAY")
    write_image(path, image, like=Metadata(color_profile=other))
    assert read_metadata(path).color_profile is None
    assert np.array_equal(read_image(path), image)


def test_the_palette_is_srgb_and_comes_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(THREE).save("photo.png", icc_profile=P3)
    main(["palette", "photo.png", "-k", "3", "--json"])
    clusters = json.loads(capsys.readouterr().out)["clusters"]
    shown = {tuple(color) for color in as_shown("photo.png").tolist()}
    assert {tuple(bytes.fromhex(each["hex"][1:])) for each in clusters} == shown
    assert {tuple(each["color"]) for each in clusters} == {
        tuple(color) for color in THREE[10, [5, 15, 25]].tolist()
    }
    main(["palette", "photo.png", "-k", "3"])
    (tmp_path / "colors.txt").write_text(capsys.readouterr().out)
    main(["segment", "photo.png", "--palette", "colors.txt", "-o", "out.png"])
    assert np.abs(read_image("out.png").astype(int) - THREE).max() <= 2


@pytest.mark.parametrize("end", [20, 128, 140, 300])
def test_a_damaged_profile_is_said(end, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(THREE).save("photo.png", icc_profile=P3[:end])
    assert main(["palette", "photo.png", "-k", "3"]) == 0
    out, err = capsys.readouterr()
    assert "#dc463c" in out
    assert err.count("\n") == 1
    assert "note: the color profile cannot be used" in err
    (tmp_path / "colors.txt").write_text(out)
    assert main(["segment", "photo.png", "--palette", "colors.txt"]) == 0
    assert np.array_equal(read_image("photo-palette.png"), THREE)


def test_a_gray_palette_is_srgb_and_comes_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = np.repeat(np.uint8([[30, 120, 220]]), 4, axis=0)
    own = profile(gamma=1.2, model=b"GRAY")
    Image.fromarray(image).save("gray.png", icc_profile=own)
    main(["palette", "gray.png", "-k", "3"])
    (tmp_path / "colors.txt").write_text(out := capsys.readouterr().out)
    assert "#787878" not in out
    main(["segment", "gray.png", "--palette", "colors.txt", "-o", "out.png"])
    assert np.abs(read_image("out.png").astype(int) - image).max() <= 2


# ---- What extra channels are -----------------------------------------------------


def four_bands():
    """Grass and a green roof, which only infrared tells apart, and a road."""
    kind = np.repeat(np.arange(3), 30)[np.newaxis].repeat(40, axis=0)
    bands = np.array([[60, 90, 50, 200], [61, 91, 51, 40], [120, 118, 115, 100]])
    noise = np.random.default_rng(0).normal(0, 3, (40, 90, 4))
    return kind, (bands[kind] + noise).clip(0, 255)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_infrared_is_no_alpha(dtype, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind, image = four_bands()
    image = image.astype(dtype)
    image[:5, :5, 3] = 0
    how = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    tifffile.imwrite("bands.tif", image, **how)
    assert read_metadata("bands.tif").extra_channels == ("unspecified",)
    files = ["-o", "out.tif", "--labels", "labels.npy"]
    assert main(["segment", "bands.tif", "-k", "3", *files]) == 0
    labels = np.load("labels.npy")
    assert labels.min() == 0
    right = sum(np.bincount(kind[labels == each]).max() for each in range(3))
    assert right >= 0.98 * kind.size
    with tifffile.TiffFile("out.tif") as file:
        assert file.pages[0].extrasamples == (0,)
    assert read_image("out.tif").shape == image.shape


def test_infrared_is_no_alpha_in_a_shared_palette(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kind, image = four_bands()
    image[:5, :5, 3] = 0
    how = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(name, image.astype(np.uint8), **how)
    files = ["-o", "out/", "--labels", "out/", "--shared-palette"]
    assert main(["segment", "a.tif", "b.tif", "-k", "3", *files]) == 0
    with Image.open("out/a-labels.png") as picture:
        labels = np.asarray(picture)
    right = sum(np.bincount(kind[labels == each]).max() for each in range(3))
    assert right >= 0.98 * kind.size
    assert "Warning" not in capsys.readouterr().err


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_alpha_stays_alpha(extra, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, image = four_bands()
    image[..., 3] = 255
    image[:5, :, 3] = 0
    image[:5, :, :3] *= extra == "unassalpha"
    tifffile.imwrite("logo.tif", image.astype(np.uint8), extrasamples=[extra])
    main(["segment", "logo.tif", "-k", "2", "-o", "out.tif", "--labels", "l.npy"])
    assert (np.load("l.npy")[:5] == -1).all()
    assert read_metadata("out.tif").extra_channels == ("alpha",)


# ---- Place on Earth, and no data -------------------------------------------------


def write_terrain(path, no_data, dtype="float32", bands=1, tile=None):
    """Three heights, of which a part is not known."""
    kind = np.repeat(np.arange(3), 30)[np.newaxis].repeat(60, axis=0)
    heights = np.array([100, 140, 180])[kind]
    image = heights + np.random.default_rng(0).normal(0, 2, kind.shape)
    image[:20, :40] = no_data
    image = np.dstack([image] * bands).astype(dtype)
    tags = [(tag, t, len(value), value, True) for tag, (t, value) in PLACE.items()]
    tags.append((42112, 2, 0, GDAL, True))
    tags.append((42113, 2, 0, f"{no_data}", True))
    image = image[..., 0] if bands == 1 else image
    how = {"photometric": "minisblack", "planarconfig": "contig" if bands > 1 else None}
    tifffile.imwrite(path, image, extratags=tags, tile=tile, metadata=None, **how)
    return image


@pytest.mark.parametrize("bands", [1, 5])
@pytest.mark.parametrize(
    ("dtype", "no_data"), [("float32", -9999), ("float32", np.nan), ("int16", -1)]
)
def test_a_scene_stays_where_it_is(dtype, no_data, bands, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = write_terrain("scene.tif", no_data, dtype, bands)
    found = read_metadata("scene.tif")
    assert {tag: found.place[tag] for tag in PLACE} == PLACE
    assert np.array_equal(found.no_data, no_data, equal_nan=True)
    files = ["-o", "out.tif", "--labels", "labels.tif"]
    assert main(["segment", "scene.tif", "-k", "3", *files]) == 0
    out, labels = read_image("out.tif"), read_image("labels.tif")
    hidden = np.zeros((60, 90), bool)
    hidden[:20, :40] = True
    assert np.array_equal(out[hidden], image[hidden], equal_nan=True)
    assert np.array_equal(labels == -1, hidden)
    assert {*np.unique(labels[~hidden])} == {0, 1, 2}
    for name, value in (("out.tif", no_data), ("labels.tif", -1)):
        written = read_metadata(name)
        assert {tag: written.place[tag] for tag in PLACE} == PLACE
        assert np.array_equal(written.no_data, value, equal_nan=True)
        words = written.place[42112][1]
        assert 'name="TIME"' in words
        assert "STATISTICS" not in words
        assert ("SCALE" in words) is (name == "out.tif")


def test_rasterio_reads_the_result(tmp_path, monkeypatch):
    import rasterio

    monkeypatch.chdir(tmp_path)
    write_terrain("scene.tif", -9999)
    main(["segment", "scene.tif", "-k", "3", "-o", "o.tif", "--labels", "l.tif"])
    with rasterio.open("scene.tif") as before:
        for name, no_data in (("o.tif", -9999), ("l.tif", -1)):
            with rasterio.open(name) as after:
                assert after.crs == before.crs
                assert after.crs.to_epsg() == 32633
                assert after.transform == before.transform
                assert after.nodata == no_data
                assert after.tags()["TIME"] == "2026"
                assert not after.read_masks(1)[:20, :40].any()
                assert after.read_masks(1)[20:].all()


def test_a_scene_in_blocks_stays_where_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kmeans_np.cli.inputs.LARGE", 1)
    image = write_terrain("scene.tif", -9999, tile=(16, 16))
    files = ["-o", "out.tif", "--labels", "labels.tif"]
    assert main(["segment", "scene.tif", "-k", "3", *files]) == 0
    with open_image("out.tif") as out, open_image("labels.tif") as labels:
        assert out.chunks[:2] == (16, 16) or out.shape == image.shape
        assert np.array_equal(np.asarray(labels) == -1, image == -9999)
    assert read_metadata("out.tif").no_data == -9999
    assert read_metadata("labels.tif").place[33550] == PLACE[33550]


def test_what_a_format_cannot_hold_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_terrain("scene.tif", 0, "uint8")
    assert main(["segment", "scene.tif", "-k", "2"]) == 0
    words = capsys.readouterr().err
    assert words.count("\n") == 1
    assert "scene-k2.png: a .png file cannot hold the place on Earth and " in words
    files = ["-o", "out.tif", "--labels", "labels.npy"]
    assert main(["segment", "scene.tif", "-k", "2", *files]) == 0
    words = "kmeans-np: note: labels.npy: a .npy file cannot hold the place on Earth\n"
    assert capsys.readouterr().err == words
    with pytest.warns(UserWarning, match=r"\.gif file cannot hold the color profile"):
        write_image("three.gif", THREE, like=Metadata(color_profile=P3))


# ---- In Python -------------------------------------------------------------------


def test_like_takes_a_file_or_metadata(tmp_path):
    source, target = tmp_path / "scene.tif", tmp_path / "out.tif"
    image = write_terrain(source, -9999)
    found = cluster_image(image, 3, mask=image != read_metadata(source).no_data, rng=0)
    for like in (source, str(source), read_metadata(source)):
        write_image(target, found.image, like=like)
        assert read_metadata(target) == read_metadata(source)
        assert np.array_equal(read_image(target), found.image)


@pytest.mark.parametrize("like", [3, b"photo.png", {"resolution": (1, 1)}])
def test_other_things_are_refused(like, tmp_path):
    with pytest.raises(TypeError, match="like"):
        write_image(tmp_path / "out.png", THREE, like=like)


@pytest.mark.parametrize("suffix", [".npy", ".zarr"])
def test_arrays_say_nothing(suffix, tmp_path):
    path = tmp_path / f"array{suffix}"
    write_image(path, THREE)
    assert read_metadata(path) == Metadata()


@pytest.mark.parametrize("n_pages", [1, 3])
@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_one_of_many_is_said(suffix, n_pages, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = [Image.fromarray(np.roll(THREE, 40 * i, 1)) for i in range(n_pages)]
    how = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(f"m{suffix}", save_all=True, append_images=frames[1:], **how)
    assert read_metadata(f"m{suffix}").n_pages == n_pages
    assert main(["palette", f"m{suffix}", "-k", "2"]) == 0
    assert ("page 1 of 3" in capsys.readouterr().err) is (n_pages == 3)
    for page in range(n_pages):
        found = read_image(f"m{suffix}", page=page)
        assert np.array_equal(found[..., :3], np.roll(THREE, 40 * page, 1))
    with pytest.raises(IndexError, match=f"from 0 to {n_pages - 1}"):
        read_image(f"m{suffix}", page=n_pages)
    if n_pages > 1:
        assert main(["segment", f"m{suffix}", "-k", "3", "--page", "2"]) == 0
        assert "page 2 of 3" in capsys.readouterr().err
    for page in ("0", f"{n_pages + 1}"):
        assert main(["segment", f"m{suffix}", "-k", "3", "--page", page]) == 2
        assert f"--page must be from 1 to {n_pages}" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["rgb", "cfa"])
def test_a_preview_is_not_taken_for_the_picture(model, tmp_path):
    path, picture = tmp_path / "photo.tif", THREE.astype(np.uint16) * 200
    how = {"photometric": model}
    with tifffile.TiffWriter(path) as file:
        file.write(THREE[::4, ::4], photometric="rgb", subfiletype=1, subifds=2)
        file.write(THREE[::2, ::2], photometric="rgb", subfiletype=1)
        if model == "cfa":
            # The raw numbers of a sensor are no picture yet.
            picture, pattern = picture[..., 0], (33421, 3, 2, (2, 2), True)
            how["extratags"] = [pattern, (33422, 1, 4, b"\0\1\1\2", True)]
        file.write(picture, **how)
    if model == "cfa":
        with pytest.raises(ValueError, match=r"begins with a preview.* model CFA"):
            read_image(path)
    else:
        assert np.array_equal(read_image(path), picture)
    with pytest.raises(ValueError, match="which begins with a preview"):
        open_image(path)


# ---- Pictures of Pillow's, and other objects -------------------------------------


@pytest.mark.parametrize("icc", [None, ink_profile()], ids=["", "profile"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_a_picture_of_pillow_is_what_is_read_of_its_file(mode, icc, tmp_path):
    picture = Image.fromarray(THREE).convert(mode)
    path = tmp_path / "picture.tif"
    if mode == "CMYK" and icc:
        picture.info["icc_profile"] = icc
    picture.save(path)
    k = 2 if mode in ("1", "L", "LA") else 3
    ours, of_file = (cluster_image(x, k, rng=0) for x in (picture, read_image(path)))
    assert np.array_equal(ours.palette, of_file.palette)
    assert np.array_equal(ours.labels, of_file.labels)


def test_a_memoryview_is_an_array():
    found = cluster_image(memoryview(THREE), 3, rng=0)
    assert np.array_equal(found.image, THREE)


class Tensor:
    """An array of another library, which NumPy can make one of its own of."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, "tensor.uint8"

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype, copy=copy or False)

    def __getitem__(self, index):
        return Tensor(self.array[index])

    def __len__(self):
        return len(self.array)


def test_what_numpy_makes_an_array_of_is_one(tmp_path):
    found = cluster_image(Tensor(THREE), 3, rng=0)
    assert isinstance(found.image, np.ndarray)
    assert np.array_equal(found.image, THREE)
    write_image(tmp_path / "tensor.png", Tensor(THREE))
    assert np.array_equal(read_image(tmp_path / "tensor.png"), THREE)


# ---- Labels as files -------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".npy"])
def test_labels_are_written_as_they_are(suffix, dtype, tmp_path):
    labels = np.arange(12, dtype=dtype).reshape(3, 4)
    path = tmp_path / f"labels{suffix}"
    write_image(path, labels)
    if suffix == ".npy":
        assert np.array_equal(np.load(path), labels)
    else:
        found = read_image(path)
        assert np.array_equal(found if found.ndim == 2 else found[..., 0], labels)


def test_no_label_needs_a_format_that_keeps_it(tmp_path):
    labels = np.array([[-1, 0, 1]])
    with pytest.raises(TypeError, match="which keep -1") as error:
        write_image(tmp_path / "labels.png", labels)
    code = str(error.value).partition(", as in ")[2].replace("image", "labels")
    write_image(tmp_path / "labels.png", eval(code, {"np": np, "labels": labels}))
    assert read_image(tmp_path / "labels.png").tolist() == [[255, 0, 1]]
    write_image(tmp_path / "labels.tif", labels)
    assert read_image(tmp_path / "labels.tif").tolist() == labels.tolist()


# ---- Palettes as text ------------------------------------------------------------

DEEP = {
    "uint16": np.uint16([[400, 900, 300], [600, 1000, 250], [500, 1100, 200]]),
    "int16": np.int16([[-400, 9, 3], [600, -1000, 25], [5, 11, -20]]),
    "float32": np.float32([[0.1, 1 / 3, 0.9], [0.25, 0.5, 1e-7], [1, 2, 3]]),
}


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("dtype", DEEP)
def test_what_palette_prints_is_accepted(dtype, as_json, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = DEEP[dtype][np.arange(60).reshape(6, 10) % 3]
    write_image("deep.tif", image)
    main(["palette", "deep.tif", "-k", "3", *["--json"] * as_json])
    (tmp_path / "colors.txt").write_text(capsys.readouterr().out)
    main(["segment", "deep.tif", "--palette", "colors.txt", "-o", "out.tif"])
    assert np.array_equal(read_image("out.tif"), image)


ORANGE_AND_TEAL = {
    "six digits": "#ffa500\n#008080\n",
    "three digits, a name": "#fa0\nteal\n",
    "names": "orange\nteal  50.00%  300 pixels\n",
    "numbers": "255 165 0\n0 128 128\n",
    "with commas": "[255, 165, 0]  50.00%  3 pixels\n[0, 128, 128]\n",
    "Lospec": "ffa500\n008080\n",
    "GIMP": "GIMP Palette\nName: Two\nColumns: 2\n# made by hand\n"
    "255 165   0\tOrange\n  0 128 128\tTeal\n",
}


@pytest.mark.parametrize("text", ORANGE_AND_TEAL)
def test_palettes_of_every_kind_are_read(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", np.uint8([[[250, 160, 10], [10, 120, 120]]]))
    (tmp_path / "two.txt").write_text(ORANGE_AND_TEAL[text])
    assert main(["segment", "photo.png", "--palette", "two.txt", "-o", "out.png"]) == 0
    first, second = read_image("out.png")[0].tolist()
    assert first == ([255, 170, 0] if "three" in text else [255, 165, 0])
    assert second == [0, 128, 128]


def test_a_picture_of_swatches_is_a_palette(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", np.uint8([[[250, 160, 10], [10, 120, 120]]]))
    swatches = np.uint8([[255, 165, 0], [0, 128, 128]])
    write_image("swatches.png", np.repeat(swatches[np.newaxis], 9, axis=0))
    main(["segment", "photo.png", "--palette", "swatches.png", "-o", "out.png"])
    assert read_image("out.png")[0].tolist() == swatches.tolist()


@pytest.mark.parametrize(
    "text", ["#ff880", "#12", "#ff000000", "nocolor", "x 1 2", "#fff\n1 2 3"]
)
def test_other_palettes_are_refused(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", THREE)
    (tmp_path / "bad.txt").write_text(text)
    assert main(["segment", "photo.png", "--palette", "bad.txt"]) == 1
    words = capsys.readouterr().err
    assert words.startswith("kmeans-np: error: --palette must be a palette")
    assert words.count("\n") == 1
