"""`cluster_image` and `segment_image`: the round trip of the tensor."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tables import chosen

from kmeans_np import (
    Segmentation,
    assign,
    cluster_image,
    kmeans,
    lloyd,
    sample_image,
    segment_image,
)
from kmeans_np.clustering import choose_sweep


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return cluster_image(*args, **options)


@st.composite
def images(draw, channels=(0, 1, 3)):
    """Small 8-bit images, gray or with channels, with few or many colors."""
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    depth = draw(st.sampled_from(channels))
    values = st.integers(0, draw(st.sampled_from([1, 3, 20, 255])))
    return draw(
        hnp.arrays(np.uint8, (*shape, depth) if depth else shape, elements=values)
    )


def flat(image):
    return image.reshape(image.shape[0] * image.shape[1], -1)


def colors_of(image):
    return {tuple(row) for row in flat(image).tolist()}


def assert_painted(answer, image):
    """What every answer keeps, whatever the image (contracts 3, 4 and 10)."""
    centroids, k = answer.centroids, len(answer.centroids)
    labels, distances = assign(flat(image), centroids)
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.image.shape == image.shape
    assert answer.image.dtype == image.dtype
    assert answer.labels.shape == image.shape[:2]
    assert np.array_equal(answer.image, answer.palette[answer.labels])
    rounded = np.rint(centroids) if image.dtype.kind in "iub" else centroids
    assert np.array_equal(
        flat(answer.palette[:, np.newaxis]), rounded.astype(image.dtype)
    )
    assert np.array_equal(
        answer.counts, np.bincount(answer.labels.ravel(), minlength=k)
    )
    assert (answer.counts > 0).all()
    assert (np.diff(answer.counts) <= 0).all()
    assert answer.shares.sum() == pytest.approx(1)
    assert answer.inertia == pytest.approx(distances.sum(), rel=1e-9, abs=1e-9)


# ---- The tensor ------------------------------------------------------------------


@given(images(), st.integers(1, 9), st.sampled_from(["random", "k-means++"]))
def test_the_round_trip(image, k, init):
    k = min(k, image.shape[0] * image.shape[1])
    answer = quietly(image, k, init=init, rng=0)
    assert len(answer.palette) == min(k, len(colors_of(image)))
    assert_painted(answer, image)


EVERY_K = pytest.mark.parametrize("k", [2, 4, 8])


@pytest.mark.slow
@EVERY_K
def test_a_photograph(china, k):
    answer = cluster_image(china, k, rng=0)
    assert answer.image.shape == (427, 640, 3)
    assert answer.image.dtype == np.uint8
    assert len(colors_of(answer.image)) == k
    assert_painted(answer, china)
    for label in range(k):
        mean = china[answer.labels == label].mean(axis=0)
        # Half a gray level of rounding, and what `tol` leaves.
        assert np.abs(mean - answer.palette[label]).max() < 0.5 + 1


def test_the_articles_shapes():
    image = sample_image()
    assert image.shape == (375, 500, 3)
    answer = cluster_image(image, 4, rng=0)
    assert answer.labels.shape == (375, 500)
    assert answer.palette.shape == (4, 3)
    assert segment_image(image, 4, rng=0).shape == (375, 500, 3)


@given(images(channels=(0,)), st.integers(1, 5))
def test_gray_is_one_channel(image, k):
    k = min(k, image.size)
    gray, channel = quietly(image, k, rng=0), quietly(image[..., None], k, rng=0)
    assert np.array_equal(gray.labels, channel.labels)
    assert np.array_equal(gray.palette, channel.palette[:, 0])
    assert np.array_equal(gray.image, channel.image[..., 0])
    assert gray.centroids.shape == (len(gray.palette), 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_images_keep_their_type_and_unit(dtype, china):
    image = (china[:100, :100] / 255).astype(dtype)
    answer = cluster_image(image, 5, rng=0)
    assert_painted(answer, image)
    assert answer.palette.dtype == dtype
    assert 0 <= answer.palette.min() <= answer.palette.max() <= 1


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int32, np.int64])
def test_other_integers_are_rounded_not_truncated(dtype, rng):
    image = rng.integers(0, 2 if dtype is bool else 100, (30, 30, 3)).astype(dtype)
    assert_painted(cluster_image(image, 4, rng=0), image)


def test_rounds_to_the_nearest_gray_level():
    image = np.array([[0, 1, 1, 100]], np.uint8)
    assert cluster_image(image, 2, rng=0).palette.tolist() == [1, 100]
    assert cluster_image(image, 2, rng=0).centroids[0, 0] == pytest.approx(2 / 3)


def test_segment_image_is_the_image_of_cluster_image(china):
    options = {"init": "k-means++", "n_init": 2, "max_iter": 5, "tol": 0.01, "rng": 7}
    segmented = segment_image(china, 6, **options)
    assert np.array_equal(segmented, cluster_image(china, 6, **options).image)


# ---- All pixels or distinct colors: one answer -----------------------------------


@given(images(), st.data())
def test_distinct_colors_give_the_answer_of_all_pixels(image, data):
    pixels = flat(image).astype(np.float64)
    k = data.draw(st.integers(1, min(6, len(pixels))))
    start = data.draw(
        hnp.arrays(int, (k, pixels.shape[1]), elements=st.integers(0, 255))
    )
    steps = list(lloyd(pixels, start))
    answer, plain = quietly(image, k, init=start), kmeans_quietly(pixels, k, start)
    assert answer.n_iter == plain.n_iter == len(steps)
    assert answer.stopped_by == plain.stopped_by == steps[-1].stopped_by
    # The same centroids, put in order; the labels are then those of `assign`.
    assert sorted(answer.centroids.tolist()) == sorted(plain.centroids.tolist())
    labels, _ = assign(pixels, answer.centroids)
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.inertia == pytest.approx(plain.inertia, rel=1e-12)


def kmeans_quietly(points, k, start):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return kmeans(points, k, init=start)


@pytest.mark.slow
@EVERY_K
def test_a_photograph_against_the_textbook_on_every_pixel(china, k):
    pixels = china.reshape(-1, 3)
    start = np.random.default_rng(k).choice(pixels, k).astype(np.float64)
    answer = cluster_image(china, k, init=start, max_iter=8)
    steps = list(lloyd(pixels, start, max_iter=8))
    centroids = steps[-1].new_centroids
    labels, distances = assign(pixels, centroids)
    order = np.lexsort((*centroids.T[::-1], -np.bincount(labels, minlength=k)))
    assert answer.n_iter == len(steps)
    assert np.array_equal(answer.centroids, centroids[order])
    assert np.array_equal(order[answer.labels.ravel()], labels)
    assert answer.inertia == pytest.approx(distances.sum(), rel=1e-12)


@pytest.mark.slow
@EVERY_K
def test_a_photograph_against_scikit_learn(china, k):
    from sklearn.cluster import KMeans

    pixels = china.reshape(-1, 3).astype(np.float64)
    start = np.random.default_rng(k).choice(pixels, k)
    theirs = KMeans(k, init=start, n_init=1).fit(pixels)
    ours = cluster_image(china, k, init=start)
    assert ours.n_iter == theirs.n_iter_
    order = np.argsort(-np.bincount(theirs.labels_), kind="stable")
    assert np.array_equal(order[ours.labels.ravel()], theirs.labels_)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-6)


@pytest.mark.parametrize("few", chosen([0, 10**9], 10**9))
def test_cells_or_blocks_give_the_same_bits(few, china, monkeypatch):
    start = china[::60, 30].astype(np.float64)
    expected = cluster_image(china, 8, init=start)
    monkeypatch.setattr(choose_sweep, "FEW_COLORS", few)
    answer = cluster_image(china, 8, init=start)
    assert answer.centroids.tobytes() == expected.centroids.tobytes()
    assert answer.labels.tobytes() == expected.labels.tobytes()


def test_scaling_by_255_changes_nothing(china):
    image = china[:200, :200]
    start = image[::40, 50].astype(np.float64)
    levels = cluster_image(image, 5, init=start)
    scaled = cluster_image(image / 255, 5, init=start / 255)
    assert np.array_equal(levels.labels, scaled.labels)
    assert levels.n_iter == scaled.n_iter
    np.testing.assert_allclose(scaled.centroids * 255, levels.centroids, atol=1e-9)
    assert scaled.inertia * 255**2 == pytest.approx(levels.inertia)


# ---- Order, labels, seeds --------------------------------------------------------


def test_largest_first_and_ties_by_color():
    image = np.array([[9, 9, 9, 5, 5, 7, 7, 200]], np.uint8)
    answer = cluster_image(image, 4, rng=0)
    assert answer.palette.tolist() == [9, 5, 7, 200]
    assert answer.counts.tolist() == [3, 2, 2, 1]
    assert answer.labels.tolist() == [[0, 0, 0, 1, 1, 2, 2, 3]]


@pytest.mark.parametrize(("k", "dtype"), [(128, np.int8), (129, np.int16)])
def test_labels_have_the_smallest_signed_type(k, dtype):
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    answer = cluster_image(image, k, rng=0, max_iter=2)
    assert answer.labels.dtype == dtype
    assert answer.labels.max() == k - 1
    assert_painted(answer, image)


def test_the_same_seed_gives_the_same_bytes(china):
    # At once after the start: in the end, different starts may reach the same.
    one_step = {"coarse_start": False, "n_init": 1, "max_iter": 1}
    for how in ({}, one_step):
        first, again = (cluster_image(china, 5, rng=3, **how) for _ in range(2))
        assert first.image.tobytes() == again.image.tobytes()
        assert first.labels.tobytes() == again.labels.tobytes()
    other = segment_image(china, 5, rng=4, **one_step)
    assert other.tobytes() != first.image.tobytes()


def test_more_clusters_than_colors_give_the_image_back_and_one_warning():
    image = np.array([[0, 50, 50], [0, 0, 99]], np.uint8)
    message = "asked for k = 5, but there are only 3 distinct colors"
    for function in (segment_image, cluster_image):
        for variant in (image, image.astype(float), np.dstack([image] * 3)):
            with pytest.warns(UserWarning, match="k = 5") as caught:
                answer = function(variant, 5, rng=0)
            assert [str(warning.message) for warning in caught] == [message]
            assert caught[0].filename == __file__
            painted = answer if function is segment_image else answer.image
            assert np.array_equal(painted, variant)


# ---- Alpha -----------------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_alpha_is_carried_through_and_hidden_colors_take_no_part(channels, dtype, rng):
    image = rng.integers(0, 256, (20, 30, channels)).astype(dtype)
    image[..., -1] = rng.choice([0, 1, 255], (20, 30))
    before = image.copy()
    answer = cluster_image(image, 3, rng=0)
    visible = image[..., -1] > 0
    assert np.array_equal(image, before)
    assert np.array_equal(answer.image[..., -1], image[..., -1])
    assert np.array_equal(answer.image[~visible], image[~visible])
    assert (answer.labels[~visible] == -1).all()
    assert answer.counts.sum() == visible.sum()
    assert answer.palette.shape == (3, channels - 1)
    row = image[..., :-1][visible][np.newaxis]
    alone = cluster_image(row, 3, rng=0)
    assert np.array_equal(alone.labels[0], answer.labels[visible])
    assert np.array_equal(alone.image[0], answer.image[..., :-1][visible])
    assert np.array_equal(alone.centroids, answer.centroids)


def test_alpha_must_be_finite():
    image = np.ones((2, 3, 4))
    image[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="1 NaN value, the first at row 1, column 2"):
        segment_image(image, 1)


def test_opaque_alpha_changes_nothing(china):
    opaque = np.dstack([china, np.full(china.shape[:2], 255, np.uint8)])
    plain, answer = cluster_image(china, 4, rng=0), cluster_image(opaque, 4, rng=0)
    assert np.array_equal(answer.labels, plain.labels)
    assert np.array_equal(answer.image, np.dstack([plain.image, opaque[..., -1]]))


# ---- Input -----------------------------------------------------------------------


def test_the_input_is_not_touched_whatever_its_memory_order(china):
    image = china[:60, :80]
    expected = cluster_image(image.copy(), 4, rng=0)
    wide = np.zeros((120, 160, 3), np.uint8)
    wide[::-2, ::2] = image
    for variant in (np.asfortranarray(image), wide[::-2, ::2], image.copy()):
        variant.flags.writeable = False
        before = variant.tobytes()
        answer = cluster_image(variant, 4, rng=0)
        assert variant.tobytes() == before
        assert np.array_equal(answer.image, expected.image)
        assert answer.image.flags.writeable


def test_given_centroids_are_in_the_images_unit():
    gray = np.array([[10, 20, 200]], np.uint8)
    for init in ([10, 200], [[10], [200]]):
        assert cluster_image(gray, 2, init=init).palette.tolist() == [15, 200]
    color = np.dstack([gray, gray, gray])
    answer = cluster_image(color, 2, init=[[10, 10, 10], [200, 200, 200]])
    assert answer.palette.tolist() == [[15] * 3, [200] * 3]


def test_inertia_is_in_gray_levels_squared():
    assert cluster_image(np.array([[10, 14]], np.uint8), 1).inertia == 8
    assert cluster_image(np.array([[10.0, 14.0]]) / 255, 1).inertia == pytest.approx(
        8 / 255**2
    )


def test_the_callback_can_stop(china):
    start = china[::60, 30].astype(np.float64)
    answer = cluster_image(
        china, 8, init=start, callback=lambda step: step.iteration == 3
    )
    assert (answer.stopped_by, answer.n_iter) == ("callback", 3)
    assert_painted(answer, china)


def test_the_callback_counts_pixels(china):
    first = []
    cluster_image(china, 3, rng=0, callback=lambda step: first.append(step) or True)
    assert first[0].n_changed == 427 * 640


def test_a_segmentation_prints_as_one_line():
    answer = cluster_image(np.array([[10, 14, 90]], np.uint8), 2, init=[10, 90])
    assert isinstance(answer, Segmentation)
    assert repr(answer) == (
        "<Segmentation of a 1 x 3 image of uint8 into 2 colors: inertia 8, stopped by "
        "'labels' after 2 steps>"
    )
    with pytest.raises(AttributeError):
        answer.inertia = 1
