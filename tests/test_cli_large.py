"""The command line on files that are read and written in blocks."""

import numpy as np
import pytest
from sample import SAMPLE, labels_in

from kmeans_np import cluster_image, open_image, read_image, write_image
from kmeans_np.__main__ import main
from kmeans_np.cli import inputs

PHOTO = SAMPLE[::4, ::4]
ANSWER = cluster_image(PHOTO, 5, rng=0)


@pytest.fixture(autouse=True)
def every_tiff_is_large(monkeypatch):
    monkeypatch.setattr(inputs, "LARGE", 1)


def run(capsys, *words):
    with pytest.raises(SystemExit) as end:
        raise SystemExit(main([*map(str, words)]))
    return end.value.code or 0, *capsys.readouterr()


def whole(path):
    with open_image(path) as image:
        return image[...]


@pytest.mark.parametrize("suffix", [".zarr", ".tif", ".npy"])
def test_from_file_to_file_of_a_kind(tmp_path, capsys, suffix):
    source, target = tmp_path / f"scene{suffix}", tmp_path / f"painted{suffix}"
    write_image(source, PHOTO)
    labels = tmp_path / f"labels{suffix}"
    words = ("segment", source, "-k", 5, "-o", target, "--labels", labels)
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == f"{labels}: labels 0 to 4"
    assert np.array_equal(whole(target), ANSWER.image)
    assert np.array_equal(whole(labels), ANSWER.labels)


@pytest.mark.parametrize("suffix", [".zarr", ".npy"])
def test_an_array_stays_one_if_nobody_says_otherwise(tmp_path, capsys, suffix):
    source = tmp_path / f"scene{suffix}"
    write_image(source, PHOTO)
    status, out, _ = run(capsys, "segment", source, "-k", 5)
    target = tmp_path / f"scene-k5{suffix}"
    assert status == 0
    assert out.startswith(f"{target}: 5 colors, ")
    assert np.array_equal(whole(target), ANSWER.image)


def test_to_a_picture_and_with_a_mask(tmp_path, capsys):
    source, mask = tmp_path / "scene.zarr", np.zeros(PHOTO.shape[:2], bool)
    mask[50:200, 100:] = True
    write_image(source, PHOTO)
    write_image(tmp_path / "mask.png", mask * np.uint8(255))
    words = ("-o", tmp_path / "o.png", "--labels", tmp_path / "l.png")
    words = ("segment", source, "-k", 3, "--mask", tmp_path / "mask.png", *words)
    status, out, _ = run(capsys, *words)
    answer = cluster_image(PHOTO, 3, mask=mask, rng=0)
    assert status == 0
    assert "labels 0 to 2, and 255 for pixels that take no part" in out
    assert np.array_equal(read_image(tmp_path / "o.png"), answer.image)
    expected = np.where(answer.labels < 0, 255, answer.labels.astype(int))
    assert np.array_equal(labels_in(tmp_path / "l.png"), expected)


@pytest.mark.slow
def test_one_palette_for_files_of_several_kinds(tmp_path, capsys):
    paths = [tmp_path / name for name in ("a.zarr", "b.npy", "c.tif", "d.png")]
    for path, part in zip(paths, np.array_split(PHOTO, 4)):
        write_image(path, part)
    words = ("segment", *paths, "-k", 4, "--shared-palette", "-o", f"{tmp_path}/o/")
    assert run(capsys, *words)[0] == 0
    answer = cluster_image(PHOTO, 4, rng=0)
    parts = np.array_split(PHOTO, 4)
    for name, part, read in zip(
        ("a-k4.zarr", "b-k4.npy", "c-k4.tif", "d-k4.png"),
        parts,
        (whole, whole, whole, read_image),
    ):
        painted = read(tmp_path / "o" / name)
        assert np.array_equal(painted, answer.apply(part).image)


def test_the_palette_of_a_large_file(tmp_path, capsys):
    write_image(tmp_path / "scene.zarr", PHOTO)
    write_image(tmp_path / "scene.png", PHOTO)
    texts = [
        run(capsys, "palette", tmp_path / name, "-k", 3)[1]
        for name in ("scene.zarr", "scene.png")
    ]
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) == 3


def test_how_far_it_is_with_the_time_left(tmp_path, capsys, monkeypatch):
    from kmeans_np.cli import messages

    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    write_image(tmp_path / "scene.zarr", PHOTO)
    status, _, err = run(capsys, "segment", tmp_path / "scene.zarr", "-k", 3)
    assert status == 0
    assert "counting: 100%, 0 s left" in err
    assert "painting: 100%, 0 s left" in err
    assert err.endswith("\r\x1b[K")


def test_what_cannot_be_read_is_one_line(tmp_path, capsys):
    (tmp_path / "no.zarr").mkdir()
    (tmp_path / "no.npy").write_bytes(b"nothing")
    for name in ("no.zarr", "no.npy", "none.zarr"):
        status, out, err = run(capsys, "segment", tmp_path / name, "-k", 3)
        assert (status, out) == (1, "")
        assert err.startswith(
            (
                "kmeans-np: error: IMAGE must be ",
                f"kmeans-np: error: {tmp_path / name}: ",
            )
        )
        assert err.count("\n") == 1


def test_a_tiff_that_cannot_be_read_in_slices_is_read_as_a_whole(tmp_path, capsys):
    from PIL import Image

    picture = Image.fromarray(PHOTO).quantize(16)
    picture.save(tmp_path / "palette.tif")
    assert run(capsys, "segment", tmp_path / "palette.tif", "-k", 3)[0] == 0
    expected = cluster_image(np.array(picture.convert("RGB")), 3, rng=0).image
    assert np.array_equal(read_image(tmp_path / "palette-k3.png"), expected)
