"""The best clusters of one feature: as by trying all cuts, and Otsu's levels."""

from itertools import combinations, pairwise

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import SAMPLE
from skimage import data
from skimage.filters import threshold_multiotsu
from sources import few_as_many
from tables import chosen, crossed

from kmeans_np import (
    KMeans,
    apply_palette,
    cluster_image,
    explain,
    inertia_curve,
    kmeans,
    read_image,
    segment_image,
    write_image,
)
from kmeans_np.optimal import BLOCK, OptimalClusters

GRAY = SAMPLE[::4, ::4, 1]


def by_all_cuts(values, weights, k):
    """The least inertia of k clusters."""
    best = np.inf
    for cuts in combinations(range(1, len(values)), k - 1):
        ends, inertia = [0, *cuts, len(values)], 0.0
        for start, stop in pairwise(ends):
            x, w = values[start:stop], weights[start:stop]
            inertia += (w * (x - np.average(x, weights=w)) ** 2).sum()
        best = min(best, inertia)
    return best


def inertia_of(values, weights, centroids):
    return (weights * np.square(values[:, np.newaxis] - centroids).min(axis=1)).sum()


NUMBERS = {
    "levels": st.integers(0, 255).map(float),
    "few levels": st.integers(0, 12).map(float),
    "floats": st.floats(-1e6, 1e6, width=32),
    "far from 0": st.integers(0, 50).map(lambda n: 1e8 + n),
}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("weighted", [False, True])
@given(data=st.data())
def test_no_cuts_are_better(kind, weighted, data):
    drawn = data.draw(st.lists(NUMBERS[kind], min_size=1, max_size=10))
    values, weights = np.unique(np.float64(drawn), return_counts=True)
    weights = weights.astype(float)
    if weighted:
        weights *= data.draw(st.sampled_from([0.5, 1 / 3, 1e-3, 7]))
    k = data.draw(st.integers(1, len(values)))
    centroids = OptimalClusters(values[:, np.newaxis], weights)(k)
    assert centroids.shape == (k, 1)
    assert (np.diff(centroids[:, 0]) > 0).all()
    least = by_all_cuts(values, weights, k)
    spread = inertia_of(values, weights, np.average(values, weights=weights))
    assert inertia_of(values, weights, centroids[:, 0]) <= least + 1e-13 * spread


def test_by_hand():
    points = [[0.0], [1.0], [9.0], [10.0], [11.0], [30.0]]
    for k, centroids in (
        (1, [61 / 6]),
        (2, [6.2, 30]),
        (3, [0.5, 10, 30]),
        (5, [0, 1, 9, 10.5, 30]),
        (6, [0, 1, 9, 10, 11, 30]),
    ):
        found = kmeans(points, k, init="optimal")
        assert found.centroids[:, 0] == pytest.approx(centroids)
        assert found.stopped_by == "labels"
        assert found.n_iter <= 2


@pytest.mark.parametrize("weights", [[1, 1, 1e-17, 1e-17, 1], [1e20, 1, 1, 1, 1]])
def test_weights_that_vanish_beside_others(weights):
    found = cluster_image(
        np.uint8([[0, 1, 2, 3, 50]]), 3, weights=[weights], init="optimal"
    )
    assert len(found.palette) == 3
    assert 50 in found.palette


def test_of_equal_cuts_the_first_is_taken():
    # 0 and 1, or 1 and 2: the last cluster begins as early as it can.
    found = kmeans([[0.0], [1.0], [2.0]], 2, init="optimal")
    assert found.centroids.tolist() == [[0.0], [1.5]]


@pytest.mark.parametrize("n", [2, 3, 1000, 3 * BLOCK])
def test_many_points_are_cut_as_well_as_few(n, monkeypatch):
    rng = np.random.default_rng(n)
    values = np.sort(rng.standard_normal(n))[:, np.newaxis]
    weights = rng.integers(1, 9, n).astype(float)
    expected = OptimalClusters(values, weights)(min(n, 6))
    monkeypatch.setattr("kmeans_np.optimal.BLOCK", 7 if n <= 1000 else 999)
    assert np.array_equal(OptimalClusters(values, weights)(min(n, 6)), expected)


def test_a_table_serves_every_k():
    values = np.arange(40.0)[:, np.newaxis] ** 2
    once = OptimalClusters(values, np.ones(40))
    for k in (7, 3, 40, 1, 8, 99):
        assert np.array_equal(once(k), OptimalClusters(values, np.ones(40))(k))


@pytest.mark.parametrize("k", chosen([2, 5, 16], 5))
def test_no_random_start_is_better(k):
    found = cluster_image(GRAY, k, init="optimal")
    for init, seed in [("random", s) for s in range(90)] + [("k-means++", 0)] * 10:
        other = cluster_image(GRAY, k, init=init, rng=seed, n_init=1, tol=0)
        assert found.inertia <= other.inertia * (1 + 1e-12)


# ---- Every source ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, bool])
def test_every_source_gives_the_same(dtype, tmp_path):
    image = GRAY > 128 if dtype is bool else GRAY.astype(dtype)
    if dtype == np.uint16:
        image = image * 100 + np.arange(image.size).reshape(image.shape) % 97
    k = 2 if dtype is bool else 5
    expected = cluster_image(image, k, init="optimal")
    assert expected.stopped_by == "labels"
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    found = cluster_image(mapped, k, init="optimal")
    assert np.array_equal(found.labels, expected.labels)
    assert found.inertia == pytest.approx(expected.inertia, rel=1e-12)
    lazy = segment_image(da.from_array(image, chunks=40), k, init="optimal")
    assert np.array_equal(lazy.compute(scheduler="synchronous"), expected.image)
    both = cluster_image([image[:30], image[30:]], k, init="optimal")
    assert both.inertia == pytest.approx(expected.inertia, rel=1e-12)
    flat = kmeans(image.reshape(-1, 1).astype(float), k, init="optimal")
    assert flat.inertia == pytest.approx(expected.inertia, rel=1e-12)


def test_masks_weights_alpha_and_volumes(rng):
    mask, weights = rng.random(GRAY.shape) < 0.7, rng.random(GRAY.shape)
    found = cluster_image(GRAY, 4, mask=mask, weights=weights, init="optimal")
    levels, numbers = np.unique(GRAY[mask], return_inverse=True)
    masses = np.bincount(numbers, weights[mask])
    best = OptimalClusters(levels[:, np.newaxis], masses)(4)
    assert np.sort(found.centroids, axis=0) == pytest.approx(best)
    both = np.dstack([GRAY, mask * np.uint8(255)])
    same = cluster_image(both, 4, weights=weights, init="optimal")
    assert np.array_equal(same.labels, found.labels)
    volume = np.stack([GRAY, GRAY[::-1]])
    of_planes = cluster_image(volume, 4, channel_axis=None, init="optimal")
    alone = cluster_image(GRAY, 4, init="optimal")
    assert np.array_equal(of_planes.labels[0], alone.labels)


def test_fewer_levels_than_clusters_are_said():
    with pytest.warns(UserWarning, match="only 2 distinct colors"):
        found = cluster_image(np.uint8([[3, 3, 9, 9]]), 4, init="optimal")
    assert found.palette.tolist() == [3, 9]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cluster_image(SAMPLE, 3, init="optimal"), "got 'optimal' for 3"),
        (lambda: kmeans(np.eye(4), 2, init="optimal"), "got 'optimal' for 4"),
        (
            lambda: cluster_image(GRAY, 3, init="optimal", position_weight=1),
            "for several features",
        ),
        (lambda: cluster_image(GRAY, 3, init="optimal", n_init=5), "n_init must be 1"),
        (lambda: KMeans(2, init="optimal").fit(np.eye(3)), "more than one feature"),
        (lambda: inertia_curve(SAMPLE, [2], init="optimal"), "for several features"),
        (lambda: explain(SAMPLE, 2, init="optimal"), "for several features"),
        (lambda: inertia_curve(GRAY, [2], kind="image", init="best"), "init must be"),
    ],
)
def test_several_features_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_more_values_than_come_together_are_refused(rng):
    points = da.from_array(rng.standard_normal((20_000, 1)), chunks=5000)
    with few_as_many(), pytest.raises(ValueError, match="distinct points outside of"):
        kmeans(points, 3, init="optimal")


def test_the_estimator_finds_them():
    points = GRAY[::4].reshape(-1, 1)
    found = KMeans(5, init="optimal").fit(points)
    expected = kmeans(points, 5, init="optimal")
    assert np.array_equal(found.labels_, expected.labels)
    assert found.inertia_ == pytest.approx(expected.inertia)
    assert found.n_iter_ <= 2


def test_the_curve_is_the_true_one():
    ks = [1, 2, 4, 3, 9]
    found = inertia_curve(GRAY, ks, kind="image", init="optimal")
    expected = [cluster_image(GRAY, k, init="optimal").inertia for k in ks]
    assert found == pytest.approx(expected)
    searched = inertia_curve(GRAY, ks, kind="image", rng=0)
    assert (found <= searched * (1 + 1e-12)).all()
    of_points = inertia_curve(GRAY.reshape(-1, 1), ks, init="optimal")
    assert of_points == pytest.approx(expected)


def test_on_the_command_line(tmp_path, run):
    write_image(tmp_path / "gray.png", GRAY)
    target = tmp_path / "out.png"
    status, out, _ = run(
        "segment", tmp_path / "gray.png", "-k", 5, "--init", "optimal", "-o", target
    )
    assert status == 0
    assert "5 colors, converged in 2 steps" in out
    expected = cluster_image(GRAY, 5, init="optimal")
    assert np.array_equal(read_image(target), expected.image)
    write_image(tmp_path / "color.png", SAMPLE[::9, ::9])
    how = ("-k", 2, "--init", "optimal")
    status, _, err = run("palette", tmp_path / "color.png", *how)
    assert (status, err.count("\n")) == (2, 1)
    assert "error: --init must be 'random' or 'k-means++'" in err
    assert run("explain", tmp_path / "gray.png", *how)[0] == 0


# ---- Thresholds --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["camera", "coins", "page", "moon", "text", "cell"])
@pytest.mark.parametrize("k", chosen([2, 3, 4], 2, 3))
def test_thresholds_are_those_of_otsu(name, k):
    image = getattr(data, name)()
    answer = cluster_image(image, k, init="optimal")
    assert answer.thresholds.tolist() == threshold_multiotsu(image, k).tolist()
    # Above each of them the next cluster begins.
    numbers = np.argsort(np.argsort(answer.palette))[answer.labels]
    assert np.array_equal((image[..., np.newaxis] > answer.thresholds).sum(-1), numbers)


def test_levels_that_do_not_occur_are_passed_as_scikit_image_does():
    image = np.repeat(np.uint8([10, 12, 200, 202]), 5).reshape(4, 5)
    found = cluster_image(image, 2, init="optimal").thresholds
    assert found.tolist() == [12] == threshold_multiotsu(image, 2).tolist()
    assert found.dtype == np.uint8


@pytest.mark.parametrize(
    ("kind", "dtype"),
    crossed(
        ["memory", "blocks", "dask", "batch", "mask", "alpha"],
        [np.uint8, np.int16, np.float32, bool],
    ),
)
def test_thresholds_part_the_clusters(kind, dtype, rng, tmp_path):
    image = GRAY > 99 if dtype is bool else GRAY.astype(dtype)
    image = image - np.int16(99) if dtype is np.int16 else image
    k, how, given = 2 if dtype is bool else 4, {"rng": 0}, image
    if kind == "blocks":
        np.save(tmp_path / "image.npy", image)
        given = np.load(tmp_path / "image.npy", mmap_mode="r")
    if kind == "dask":
        given = da.from_array(image, chunks=40)
    if kind == "batch":
        given = [image[:40], image[40:]]
    if kind == "mask":
        how["mask"] = rng.random(image.shape) < 0.8
    if kind == "alpha":
        given = np.dstack([image, np.ones_like(image)])
    answer = cluster_image(given, k, **how)
    labels = answer.labels
    labels = np.concatenate([*labels]) if kind == "batch" else np.asarray(labels)
    found = answer.thresholds
    assert found.shape == (k - 1,)
    assert found.dtype == image.dtype
    order = np.argsort(np.argsort(answer.centroids[:, 0]))
    numbers = (image[..., np.newaxis] > found).sum(axis=-1)
    inside = labels >= 0
    assert np.array_equal(numbers[inside], order[labels[inside]])


def test_a_cluster_without_pixels_has_a_level_of_its_own():
    answer = cluster_image(np.uint8([[0, 100, 200]]), 3, init="optimal")
    other = answer.apply(np.uint8([[0, 0, 200]]))
    assert other.thresholds.tolist() == [0, 150]


def test_floats_have_levels_halfway():
    given = apply_palette([[0.1, 0.9]], [0.1, 0.5, 0.9])
    assert given.thresholds == pytest.approx([0.1, 0.7])


def test_levels_of_several_images_are_those_of_one():
    pictures = [np.uint8([[0, 10, 200]]), np.uint8([[100, 110, 210]])]
    both = cluster_image(pictures, 3, init="optimal")
    one = cluster_image(np.concatenate(pictures), 3, init="optimal")
    assert both.thresholds.tolist() == one.thresholds.tolist() == [10, 110]


def test_one_cluster_has_no_thresholds():
    assert cluster_image(GRAY, 1).thresholds.tolist() == []


def test_several_channels_have_no_thresholds():
    with pytest.raises(ValueError, match="one channel"):
        _ = cluster_image(SAMPLE, 2, rng=0).thresholds
    with pytest.raises(ValueError, match="no position_weight"):
        _ = cluster_image(GRAY, 2, position_weight=1, rng=0).thresholds
