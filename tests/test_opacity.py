"""A half-transparent pixel counts half, if alpha is said to be weights."""

import json

import dask.array as da
import numpy as np
import pytest
from PIL import Image
from sample import SAMPLE, labels_in

from kmeans_np import (
    apply_palette,
    cluster_image,
    explain,
    inertia_curve,
    segment_image,
    write_image,
)

RNG = np.random.default_rng(0)
COLORS = SAMPLE[::6, ::6]
OPACITY = RNG.integers(0, 256, COLORS.shape[:2]).astype(np.uint8)
OPACITY[:9] = 0
IMAGE = np.dstack([COLORS, OPACITY])


def same(found, expected):
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.counts, expected.counts)
    assert np.array_equal(found.image[..., :3], expected.image[..., :3])


def test_opacity_is_the_weight():
    found = cluster_image(IMAGE, 4, alpha="weights", rng=0)
    same(found, cluster_image(IMAGE, 4, weights=OPACITY / 255, rng=0))
    assert found.counts.sum() == pytest.approx(OPACITY.sum() / 255)
    assert (found.labels[:9] == -1).all()
    assert np.array_equal(found.image[..., 3], OPACITY)
    assert not np.array_equal(found.counts, cluster_image(IMAGE, 4, rng=0).counts)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_most_of_alpha_counts_once(dtype):
    most = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    image = np.zeros((2, 2, 4), dtype)
    image[..., 3] = np.array([[most, most], [most * 0.5, 0]]).astype(dtype)
    image[0, 0, 0] = most
    found = cluster_image(image, 2, alpha="weights", rng=0)
    assert sorted(found.counts) == pytest.approx([1, 1.5], rel=1e-2)


def test_weights_and_opacity_are_multiplied():
    weights = RNG.random(OPACITY.shape)
    found = cluster_image(IMAGE, 4, alpha="weights", weights=weights, rng=0)
    same(found, cluster_image(IMAGE, 4, weights=weights * (OPACITY / 255), rng=0))


@pytest.mark.parametrize("channels", [1, 3])
def test_without_alpha_all_pixels_count(channels):
    image = COLORS[..., 0] if channels == 1 else COLORS
    found = cluster_image(image, 3, alpha="weights", rng=0)
    same_as = cluster_image(image, 3, rng=0)
    assert np.array_equal(found.labels, same_as.labels)
    assert found.counts.dtype == np.int64


def test_batches_apply_and_palettes():
    batch = cluster_image([IMAGE[:30], IMAGE[30:]], 4, alpha="weights", rng=0)
    whole = cluster_image(IMAGE, 4, alpha="weights", rng=0)
    assert batch.counts == pytest.approx(whole.counts)
    assert batch[1].counts.sum() == pytest.approx(OPACITY[30:].sum() / 255)
    assert whole.apply(IMAGE).counts == pytest.approx(whole.counts)
    given = apply_palette(IMAGE, whole.palette, alpha="weights")
    assert given.counts.sum() == pytest.approx(OPACITY.sum() / 255)
    floats = [IMAGE[:30] / np.float32(255), IMAGE[30:] / np.float32(255)]
    of_floats = cluster_image(floats, 4, alpha="weights", rng=0)
    assert of_floats.counts == pytest.approx(whole.counts, rel=0.02)


def test_curves_and_explanations():
    (inertia,) = inertia_curve(IMAGE, [4], alpha="weights", rng=0)
    assert inertia <= cluster_image(IMAGE, 4, alpha="weights", rng=0).inertia * 1.01
    shown = explain(IMAGE, 3, alpha="weights", rng=0)
    assert shown.weights.sum() == pytest.approx(OPACITY.sum() / 255)


def test_a_batch_of_hidden_pixels_is_refused():
    hidden = IMAGE.copy()
    hidden[..., 3] = 0
    with pytest.raises(ValueError, match="not fully transparent"):
        cluster_image(hidden, 2, alpha="weights")
    hidden[0, 0, 3] = 9
    with pytest.raises(ValueError, match="number of pixels with a weight, 1"):
        cluster_image(hidden, 2, alpha="weights")


@pytest.mark.parametrize("shape", [(9, 9), (63, 1), (63, 84, 1), (84, 63)])
@pytest.mark.parametrize("source", [np.asarray, lambda x: da.from_array(x, chunks=40)])
def test_weights_of_another_shape_are_refused(shape, source):
    with pytest.raises(ValueError, match="weights must have one"):
        cluster_image(source(IMAGE), 2, alpha="weights", weights=np.ones(shape))


def test_weights_may_be_a_list():
    weights = RNG.random(OPACITY.shape)
    found = cluster_image(IMAGE, 3, alpha="weights", weights=weights.tolist(), rng=0)
    same(found, cluster_image(IMAGE, 3, alpha="weights", weights=weights, rng=0))


@pytest.mark.parametrize(
    "image", [IMAGE.astype(int), IMAGE.tolist(), IMAGE.astype(np.float32)]
)
def test_an_alpha_of_another_unit_is_refused(image):
    with pytest.raises(ValueError, match=r"alpha='weights', got .*image / 255"):
        cluster_image(image, 2, alpha="weights")


# ---- On the command line -----------------------------------------------------------


@pytest.fixture
def logo(tmp_path, monkeypatch):
    """A disc of three colors over a shadow that hardly shows."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:100, :100]
    image = np.zeros((100, 100, 4), np.uint8)
    image[..., 3] = np.clip(
        70 - np.maximum(np.hypot(x - 55, y - 57) - 20, 0) * 2, 0, 70
    )
    disc = np.hypot(x - 47, y - 47) < 22
    image[disc] = 230, 40, 60, 255
    image[disc & (abs(x - 47) < 6)] = 255, 220, 60, 255
    image[disc & (abs(y - 47) < 3)] = 40, 90, 220, 255
    Image.fromarray(image).save("logo.png")
    return image


def test_a_faint_shadow_is_no_main_color(logo, run):
    status, out, _ = run("palette", "logo.png", "-k", 4, "--alpha", "weights", "--json")
    assert status == 0
    found = json.loads(out)["clusters"]
    expected = cluster_image(logo, 4, alpha="weights", rng=0)
    assert [row["color"] for row in found] == expected.palette.tolist()
    assert [row["share"] for row in found] == expected.shares.tolist()
    plain = cluster_image(logo, 4, rng=0)
    black = [(a.palette.sum(axis=1) == 0) for a in (expected, plain)]
    assert expected.shares[black[0]].sum() < plain.shares[black[1]].sum() / 2
    status, out, _ = run("palette", "logo.png", "-k", 4, "--alpha", "weights")
    assert "weighted pixels" in out


def test_every_command_takes_it(logo, run):
    how = ("-k", 3, "--alpha", "weights")
    assert run("segment", "logo.png", *how, "--labels", "l.png")[0] == 0
    expected = cluster_image(logo, 3, alpha="weights", rng=0)
    numbers = labels_in("l.png")
    assert np.array_equal(numbers, expected.labels.astype(np.uint8))
    assert run("explain", "logo.png", *how)[0] == 0
    one = (*how, "--shared-palette", "-o", "to/", "--labels", "to/")
    assert run("segment", "logo.png", *one)[0] == 0
    assert np.array_equal(labels_in("to/logo-labels.png"), numbers)
    out = np.zeros_like(logo)
    segment_image(logo, 3, alpha="weights", rng=0, out=out)
    assert np.array_equal(out, expected.image)
    write_image("rgb.png", logo[..., :3])
    status, out, _ = run("palette", "rgb.png", *how)
    assert status == 0
    assert "weighted" not in out
