"""The colors of an image as a picture, with the clusters among them."""

import io

import numpy as np
import pytest
from PIL import Image
from sample import SAMPLE

from kmeans_np import cluster_image, color_cloud, read_image, write_image

PICTURE = SAMPLE[::5, ::5]
KINDS = {
    "RGB": PICTURE,
    "gray": PICTURE[..., 0],
    "16 bits": PICTURE.astype(np.uint16) * 200,
    "floats": PICTURE / np.float32(255),
    "two channels, not alpha": PICTURE[..., :2],
    "five bands": np.dstack([PICTURE, PICTURE[..., :2]]),
    "RGBA": np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)]),
    "bools": PICTURE[..., 0] > 99,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_image_has_a_cloud(kind):
    image, how = KINDS[kind], {"alpha": False} if kind.startswith("two") else {}
    plain = color_cloud(image, **how)
    assert (plain.shape, plain.dtype) == ((488, 640, 3), np.uint8)
    answer = cluster_image(image, 2, rng=0, **how)
    drawn = color_cloud(image, answer, **how)
    assert drawn.shape[0] > plain.shape[0]
    # The centroids are drawn over the colors, and nothing else is another.
    assert (drawn[:470] != plain[:470]).any()
    assert np.array_equal(color_cloud(image, answer, **how), drawn)


def test_the_dots_have_the_colors_of_the_pixels():
    image = np.repeat(np.uint8([[[250, 10, 10], [10, 10, 250]]]), 50, axis=1)
    found = color_cloud(image).reshape(-1, 3)
    for color in image[0, [0, -1]]:
        assert (found == color).all(axis=1).any()
    assert not (found == [10, 250, 10]).all(axis=1).any()


def test_below_are_the_colors_by_their_shares():
    answer = cluster_image(PICTURE, 4, rng=0)
    bar = color_cloud(PICTURE, answer)[-50, 16:-16]
    for color, share in zip(answer.palette, answer.shares):
        assert (bar == color).all(axis=1).mean() == pytest.approx(share, abs=0.01)


def test_what_is_masked_is_not_shown():
    part = np.zeros(PICTURE.shape[:2], bool)
    part[:20] = True
    shown = color_cloud(PICTURE, mask=part)
    assert np.array_equal(shown, color_cloud(PICTURE[:20]))
    clear = np.dstack([PICTURE, part * np.uint8(255)])
    assert np.array_equal(color_cloud(clear), shown)


@pytest.mark.parametrize("size", [120, 333, 1000])
def test_it_is_as_wide_as_one_likes(size):
    assert (
        color_cloud(PICTURE, cluster_image(PICTURE, 9, rng=0), size=size).shape[1]
        == size
    )


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"size": 100}, ValueError, "size must be a whole number of at least 120"),
        ({"size": "wide"}, TypeError, "size must be"),
        ({"segmentation": PICTURE}, TypeError, "must be a Segmentation"),
        (
            {"segmentation": cluster_image(PICTURE[..., 0], 2, rng=0)},
            ValueError,
            "segmentation must have 3 channels, as the image has, got 1 channel",
        ),
        ({"mask": np.ones((2, 2), bool)}, ValueError, "mask must"),
    ],
)
def test_bad_arguments_are_refused(how, error, words):
    with pytest.raises(error, match=words):
        color_cloud(PICTURE, **how)


def test_on_the_command_line(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image("photo.png", PICTURE)
    status, out, err = run("cloud", "photo.png")
    assert (status, out, err) == (0, "photo-cloud.png: the colors\n", "")
    assert np.array_equal(read_image("photo-cloud.png"), color_cloud(PICTURE))
    how = ("-k", 4, "--init", "k-means++", "-o", "drawn.png")
    status, out, _ = run("cloud", "photo.png", *how)
    assert out.startswith("drawn.png: the colors, 4 colors, best of ")
    answer = cluster_image(PICTURE, 4, init="k-means++", rng=0)
    assert np.array_equal(read_image("drawn.png"), color_cloud(PICTURE, answer))
    assert run("cloud", "photo.png")[0] == 2
    assert run("cloud", "photo.png", "--force")[0] == 0
    status, _, err = run("cloud", "photo.png", "-o", "photo.png")
    assert status == 2
    assert "not be an input" in err
    status, _, err = run("cloud", "photo.png", "-o", "cloud.txt")
    assert status == 2
    assert "-o must end in one of" in err
    with Image.open(io.BytesIO((tmp_path / "drawn.png").read_bytes())) as picture:
        assert picture.size[0] == 640
