"""Sums of millions, and values far from 0 (contract 7), in bounded memory (8)."""

import gc
import tracemalloc

import numpy as np
import pytest
from tables import crossed

from kmeans_np import assign, cluster_image, kmeans, segment_image

VALUE = 200.3
# Extra bytes for each pixel of a gray image of floats at the peak, the input excluded:
# 32 for the passes, and 8 for a copy where the origin is moved.
GRAY_FLOAT_BOUND = 48


# ---- Millions of equal pixels ----------------------------------------------------


def equal_pixels(millions, dtype, other=None):
    """A gray image of one value, of which another takes a tenth of a percent."""
    image = np.full((1000, 1000 * millions), VALUE, dtype)
    if other is not None:
        image[0] = other
    return image


@pytest.mark.parametrize(
    ("dtype", "millions"),
    [
        (np.float32, 2),
        pytest.param(np.float32, 10, marks=pytest.mark.slow),
        pytest.param(np.float64, 10, marks=pytest.mark.slow),
    ],
)
def test_the_mean_of_millions_of_equal_pixels_is_their_value(dtype, millions):
    image = equal_pixels(millions, dtype)
    answer = cluster_image(image, 1)
    # What the image holds: in float32, the number closest to 200.3.
    assert answer.centroids.tolist() == [[float(dtype(VALUE))]]
    assert answer.counts.tolist() == [millions * 10**6]
    assert answer.inertia == 0
    assert np.array_equal(answer.image, image)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)]
)
def test_also_beside_another_value(dtype):
    image = equal_pixels(10, dtype, other=7.1)
    answer = cluster_image(image, 2, rng=0, n_init=1)
    expected = [[float(dtype(VALUE))], [float(dtype(7.1))]]
    np.testing.assert_allclose(answer.centroids, expected, rtol=1e-9)
    assert answer.counts.tolist() == [9_990_000, 10_000]
    assert np.array_equal(answer.labels, image < 100)
    np.testing.assert_allclose(answer.image, image, rtol=1e-9)


def test_a_weight_of_10_million_is_as_many_points():
    points, weights = np.array([[VALUE], [0.1]]), np.array([1e7, 1e7])
    result = kmeans(points, 1, weights=weights)
    assert result.centroids[0, 0] == pytest.approx((VALUE + 0.1) / 2, rel=1e-15)
    assert result.inertia == pytest.approx(2e7 * 100.1**2, rel=1e-12)


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_counts_of_8_bit_pixels_are_not_lost(channels):
    # More of one color than can be counted one by one in float32.
    image = np.full((1000, 20_000, channels), 200, np.uint8)
    image[0, 0] = 50
    answer = cluster_image(image, 2, rng=0)
    assert answer.counts.tolist() == [19_999_999, 1]
    assert answer.centroids.tolist() == [[200] * channels, [50] * channels]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2])
def test_40_million_equal_pixels_in_bounded_memory(dtype, k):
    image = equal_pixels(40, dtype, other=None if k == 1 else 7.1)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        answer = cluster_image(image, k, rng=0, n_init=1, max_iter=3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.centroids[0, 0] == pytest.approx(float(dtype(VALUE)), rel=1e-9)
    assert answer.counts.sum() == 40_000_000
    assert (peak - before) / 40e6 < GRAY_FLOAT_BOUND


# ---- Far from 0 ------------------------------------------------------------------

# The numbers are whole steps from the offset, so that each is exact in float32, with
# and without it.
FAR = pytest.mark.parametrize(("offset", "step"), [(3e4, 8), (3e6, 256)])


def far_and_near(offset, step, n=24_000, d=3, seed=0):
    """The same points in float32 far from 0 and in float64 around it."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(-300, 300, (8, d))
    steps = groups[rng.integers(0, 8, n)] + np.rint(rng.normal(size=(n, d)) * 60)
    near = steps * step
    far = (near + offset).astype(np.float32)
    assert np.array_equal(far - np.float64(offset), near)
    return far, near


@pytest.mark.parametrize(
    ("init", "far"), crossed(["random", "k-means++", "given"], FAR.args[1])
)
def test_points_in_float32_far_from_0_have_the_labels_of_those_around_it(far, init):
    offset, step = far
    far, near = far_and_near(offset, step)
    starts = (far[:9], near[:9]) if init == "given" else (init, init)
    moved, plain = (
        kmeans(points, 9, init=start, rng=0, tol=0)
        for points, start in zip((far, near), starts)
    )
    assert moved.n_iter == plain.n_iter > 5
    assert np.array_equal(moved.labels, plain.labels)
    assert np.array_equal(moved.counts, plain.counts)
    scale = np.ptp(near)
    np.testing.assert_allclose(
        moved.centroids - offset, plain.centroids, rtol=0, atol=1e-9 * scale
    )
    assert moved.inertia == pytest.approx(plain.inertia, rel=1e-9)


@FAR
def test_so_have_images_and_new_points(offset, step):
    far, near = far_and_near(offset, step)
    images = [points.reshape(120, 200, 3) for points in (far, near)]
    moved, plain = (cluster_image(image, 5, rng=1, n_init=1, tol=0) for image in images)
    assert np.array_equal(moved.labels, plain.labels)
    assert moved.inertia == pytest.approx(plain.inertia, rel=1e-9)
    painted = segment_image(images[0], 5, rng=1, n_init=1, tol=0)
    np.testing.assert_allclose(painted - offset, plain.image, atol=offset * 1e-7)
    # As `predict` does it: points that the centroids were not made from.
    more_far, more_near = far_and_near(offset, step, seed=1)
    labels, _ = assign(more_far, moved.centroids)
    expected, _ = assign(more_near, plain.centroids)
    assert np.array_equal(labels, expected)


@FAR
def test_float32_cannot_tell_but_it_is_told(offset, step):
    # Half of the points lie in the middle between two centroids, but for a difference
    # that would be lost in 32 bits: they are nearer to the second.
    rng = np.random.default_rng(0)
    near = rng.integers(-400, 400, (20_000, 3)) * float(step)
    near[:10_000, 0] = 0
    near[10_000:, 0] = rng.choice([-500, 500], 10_000) * step
    far = (near + offset).astype(np.float32)
    start = np.array([[-500.0 * step, 0, 0], [500.0 * step - 2**-10, 0, 0]])
    assert (assign(near[:10_000], start)[0] == 1).all()
    plain, moved = [], []
    kmeans(near, 2, init=start, callback=plain.append)
    result = kmeans(far, 2, init=start + offset, callback=moved.append)
    assert len(plain) == len(moved)
    for one, other in zip(plain, moved):
        assert np.array_equal(one.labels, other.labels)
    assert (result.labels[:10_000] == 1).all()
