"""The nearest centroid of each of many points, looked at once: the textbook's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import any_points

from kmeans_np import threads
from kmeans_np.sweeps import nearest
from kmeans_np.sweeps.blocked import nearest_directly
from kmeans_np.sweeps.nearest import label_points
from kmeans_np.sweeps.scaling import find_scaling, sample_step

CHANGES = {
    "as they are": lambda x: x,
    "rounded": np.round,
    "far from 0": lambda x: x + 1e4,
    "tiny": lambda x: x * 1e-18,
    "large": lambda x: x * 1e18,
    "one far off": lambda x: np.concatenate([x[:1] * 1e12, x[1:]]),
    "most alike": lambda x: np.where(np.arange(len(x))[:, np.newaxis] < 9, x, x[:1]),
}


def assert_textbook(points, centroids):
    scaling = find_scaling(points[:: sample_step(len(points))])
    found = label_points(points, centroids, scaling)
    assert np.array_equal(found, nearest_directly(points, centroids))
    assert found.dtype == np.min_scalar_type(-len(centroids))


@settings(max_examples=3 * settings.default.max_examples)
@given(any_points())
def test_is_the_textbook(case):
    assert_textbook(*case)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8"])
@pytest.mark.parametrize("k", [1, 2, 31, 32, 256, 300])
@pytest.mark.parametrize("d", [1, 3, 16, 17, 40])
def test_for_every_type_and_size(d, k, dtype):
    rng = np.random.default_rng(d * k)
    points = (rng.normal(size=(350, d)) * 9 + 20).astype(dtype)
    assert_textbook(points, points[rng.choice(350, k)].astype(float))
    assert_textbook(np.asfortranarray(points), rng.normal(size=(k, d)) * 9 + 20)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [5, 40])
def test_near_ties_in_every_unit(k, dtype, change):
    rng = np.random.default_rng(k)
    points = change(rng.normal(size=(500, 3))).astype(dtype)
    centroids = points[rng.choice(500, k)].astype(float)
    assert_textbook(points, centroids)
    # Pairs that only the last digits tell apart.
    twins = np.concatenate([centroids, centroids * (1 + 1e-15), centroids[::-1]])
    assert_textbook(points, twins)


@given(any_points(), st.integers(1, 99), st.integers(1, 99), st.booleans())
def test_for_every_size_of_blocks(case, table, work, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "TABLE", table)
        patch.setattr(nearest, "WORK", work)
        patch.setattr(nearest, "DIRECT", 0)
        patch.setattr(nearest, "LONG", 1)
        patch.setattr(nearest, "MANY_CLUSTERS", 0 if rows else 128)
        assert_textbook(*case)


@pytest.mark.parametrize("k", [4, 40])
def test_what_float32_decides_is_not_looked_at_again(k, monkeypatch):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 4)).astype(np.float32)
    centroids = rng.normal(size=(k, 4))
    asked = []

    def counting(points, centroids):
        asked.append(len(points))
        return nearest_directly(points, centroids)

    monkeypatch.setattr(nearest, "nearest_directly", counting)
    assert_textbook(points, centroids)
    assert sum(asked) < 50


def test_nothing_is_near_to_infinity():
    points = np.array([[1e30], [-1e30], [1.0]], np.float32)
    assert_textbook(points, np.array([[1e30], [0.0], [-1e30]]))


@pytest.mark.parametrize("k", [4, 40])
def test_without_anything_that_limits_blas(k, monkeypatch):
    monkeypatch.setattr(threads, "blas", lambda: None)
    monkeypatch.setattr(threads, "SMALL_PRODUCT", 64 * 5 * k)
    rng = np.random.default_rng(0)
    assert_textbook(rng.normal(size=(1000, 5)), rng.normal(size=(k, 5)))
