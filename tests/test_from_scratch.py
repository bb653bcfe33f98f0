"""What from-scratch K-means code gets wrong, each failure by its name."""

import numpy as np
import pytest

from kmeans_np import (
    assign,
    cluster_image,
    kmeans,
    lloyd,
    segment_image,
    threads,
    update,
)
from kmeans_np.seeding import kmeans_plusplus


def test_an_empty_cluster_does_not_become_nan_and_win_every_pixel():
    points = np.array([[0.0], [1.0], [2.0]])
    for step in lloyd(points, [[1.0], [1e6]]):
        assert np.isfinite(step.new_centroids).all()
    assert len(set(step.labels.tolist())) == 2


def test_uint8_does_not_wrap_around():
    # In uint8, (10 - 20) ** 2 is 246 ** 2 = 100 modulo 256, and (10 - 250) ** 2 is 0.
    labels, distances = assign(
        np.array([[10]], np.uint8), np.array([[20], [250]], np.uint8)
    )
    assert (labels[0], distances[0]) == (0, 100)
    image = np.array([[10, 12, 250, 252]], np.uint8)
    assert cluster_image(image, 2, rng=0).palette.tolist() == [11, 251]


def test_no_array_of_points_by_clusters_by_features(rng, monkeypatch):
    import tracemalloc

    # Each thread has blocks of its own, of a fixed size.
    monkeypatch.setattr(threads, "n_threads", lambda: 1)
    points = rng.normal(size=(50_000, 10))
    tracemalloc.start()
    try:
        kmeans(points, 50, init=points[:50], max_iter=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.3 * 8 * 50_000 * 50


@pytest.mark.slow
def test_starting_points_are_not_equal():
    image = np.zeros((100, 100), np.uint8)
    image[0, :3] = 50, 100, 200
    for seed in range(20):
        assert len(cluster_image(image, 4, rng=seed).palette) == 4


@pytest.mark.slow
def test_plus_plus_squares_the_distances():
    # At distances 1 and 10 the second is drawn 100 times as often, not 10 times.
    points, weights = np.array([[0.0], [-1.0], [10.0]]), np.array([1e9, 1.0, 1.0])
    rng = np.random.default_rng(0)
    near = sum(
        kmeans_plusplus(points, 2, weights, rng)[1, 0] == -1 for _ in range(3000)
    )
    assert near <= 3


@pytest.mark.slow
def test_it_converges_by_a_tolerance_and_by_labels_and_ends():
    points = np.random.default_rng(0).normal(size=(2000, 2))
    assert kmeans(points, 8, rng=0, tol=0, max_iter=10_000).stopped_by == "labels"
    assert kmeans(points, 8, rng=0, tol=1e-2).stopped_by == "tol"
    assert kmeans(points, 8, rng=0, tol=0, max_iter=3).stopped_by == "max_iter"


def test_shifts_of_opposite_sign_do_not_cancel():
    # The centroids move by +1 and -1: nothing in sum, but they move.
    first = next(lloyd([[1.0], [1.0], [9.0], [9.0]], [[0.0], [10.0]]))
    assert first.new_centroids.ravel().tolist() == [1, 9]
    assert first.shift == 2
    assert first.stopped_by is None


def test_the_callers_global_generator_is_neither_read_nor_seeded():
    points = np.random.default_rng(0).normal(size=(50, 2))
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = kmeans(points, 3, rng=0)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(kmeans(points, 3, rng=0).labels, first.labels)


def test_assign_on_new_points_does_not_train_again():
    result = kmeans([[0.0], [1.0], [9.0], [10.0]], 2, init=[[0.0], [9.0]])
    before = result.centroids.copy()
    labels, _ = assign([[100.0], [101.0], [-5.0]], result.centroids)
    assert labels.tolist() == [1, 1, 0]
    assert np.array_equal(result.centroids, before)


def test_labels_are_not_those_before_the_last_update():
    points = np.random.default_rng(0).normal(size=(3000, 2))
    for max_iter in (1, 2, 5):
        result = kmeans(points, 20, rng=0, max_iter=max_iter, tol=0)
        labels, _ = assign(points, result.centroids)
        assert np.array_equal(result.labels, labels)


def test_a_tie_does_not_shift_later_labels():
    labels, _ = assign([[0.0], [1.0], [2.0], [3.0]], [[0.0], [2.0], [4.0]])
    assert labels.tolist() == [0, 0, 1, 1]


def test_colors_are_rounded_not_truncated():
    image = np.array([[100, 101, 101]], np.uint8)
    assert segment_image(image, 1).tolist() == [[101, 101, 101]]


def test_rgba_is_not_read_as_rows_of_three():
    image = np.zeros((6, 5, 4), np.uint8)
    image[:3] = (250, 10, 10, 255)
    image[3:] = (10, 10, 250, 128)
    assert np.array_equal(segment_image(image, 2, rng=0), image)


def test_input_is_validated():
    with pytest.raises(ValueError, match="k must be at most the number of points"):
        kmeans([[0.0]], 2)


def test_update_is_the_mean_and_not_the_median_or_the_last_point():
    assert update([[0.0], [0.0], [9.0]], [0, 0, 0], [[5.0]]).tolist() == [[3.0]]
