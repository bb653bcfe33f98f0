"""Contracts 8 and 9: memory is linear and bounded, and the input is not touched."""

import gc
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from sources import Slices

from kmeans_np import cluster_image, kmeans, threads

# What the answer may cost at the peak: extra bytes for each pixel, the input excluded
# and the answer included.
UINT8_BOUND = 24
FLOAT_BOUND = 120
# The peak of a step is that of any step but the first, which has no labels before it.
FEW_STEPS = 3


def enlarged(china, rows, columns):
    """A photo of any size, float32, with the grain of a sensor: its noise grows with
    the root of the light, so that colors hardly repeat."""
    size = (columns, rows)
    resized = Image.fromarray(china).resize(size, Image.Resampling.LANCZOS)
    values = np.asarray(resized).astype(np.float32)
    grain = np.random.default_rng(0).standard_normal(values.shape, dtype=np.float32)
    values += grain * np.sqrt(4 + values / 10)
    values.flags.writeable = False
    return values


def as_uint8(photo):
    return np.rint(photo.clip(0, 255)).astype(np.uint8)


def peak_bytes_each(call, values, k, **how):
    """The peak of one call for each pixel or point, the input excluded."""
    how = {"max_iter": FEW_STEPS, "n_init": 1, "rng": 0} | how
    n = values.shape[0] if call is kmeans else values.shape[0] * values.shape[1]
    gc.collect()
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        call(values, k, **how)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (peak - before) / n


@pytest.fixture(scope="module")
def photo(china):
    """1 megapixel, float32."""
    return enlarged(china, 864, 1160)


@pytest.fixture(scope="module")
def large_photo(china):
    """12 megapixels, float32."""
    return enlarged(china, 3000, 4000)


# ---- Bounds ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_a_large_8_bit_photo_needs_less_than_24_bytes_a_pixel(large_photo, init):
    photo = as_uint8(large_photo)
    codes = photo.reshape(-1, 3) @ np.array([2**16, 2**8, 1])
    assert len(np.unique(codes)) > 1_000_000
    assert peak_bytes_each(cluster_image, photo, 8, init=init) < UINT8_BOUND


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_a_large_float_photo_needs_less_than_120_bytes_a_pixel(
    large_photo, dtype, init
):
    photo = large_photo.astype(dtype)
    assert peak_bytes_each(cluster_image, photo, 8, init=init) < FLOAT_BOUND


@pytest.mark.parametrize(
    ("dtype", "init", "offset"),
    [
        (np.float32, "random", 0),
        pytest.param(np.float64, "random", 0, marks=pytest.mark.slow),
        # Far from 0, the points are copied, to move their origin.
        pytest.param(np.float64, "k-means++", 1e5, marks=pytest.mark.slow),
    ],
)
def test_a_float_photo_needs_less_than_120_bytes_a_pixel(photo, dtype, init, offset):
    photo = photo[:432].astype(dtype) + dtype(offset)
    assert peak_bytes_each(cluster_image, photo, 8, init=init) < FLOAT_BOUND


@pytest.mark.slow
def test_a_restart_of_empty_clusters_stays_within_the_bound(photo):
    start = np.array([[50.0] * 3, [200.0] * 3, [1e4] * 3, [2e4] * 3])
    assert peak_bytes_each(cluster_image, photo[:432], 4, init=start) < FLOAT_BOUND


@pytest.mark.slow
def test_partly_transparent_float_pixels_stay_within_the_bound(photo):
    image = np.dstack([photo, photo[..., 0] > 100]).astype(np.float64)
    assert peak_bytes_each(cluster_image, image, 8) < FLOAT_BOUND


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (np.uint8, "weights"),
        pytest.param(np.uint16, "all", marks=pytest.mark.slow),
        pytest.param(np.float32, "place", marks=pytest.mark.slow),
        *(
            pytest.param(dtype, kind, marks=pytest.mark.slow)
            for dtype in (np.uint8, np.float32)
            for kind in ("mask", "lab", "normalize", "alpha")
        ),
    ],
)
def test_other_kinds_of_images_need_less_than_120_bytes_a_pixel(photo, dtype, kind):
    image = photo.clip(0, 255)
    image = image / 255 if dtype == np.float32 else image.astype(dtype)
    some = image[..., 1] > image.max() / 6
    how = {
        "all": {},
        "mask": {"mask": some},
        "weights": {"weights": some + 1.0},
        "lab": {"color_space": "lab"},
        "normalize": {"normalize": True},
        "place": {"position_weight": 1},
        "alpha": {},
    }[kind]
    if kind == "alpha":
        image = np.dstack([image, some.astype(dtype)])
    assert peak_bytes_each(cluster_image, image, 8, **how) < FLOAT_BOUND


# ---- No table of all distances ---------------------------------------------------


def kinds_of_data(photo):
    floats = photo.astype(np.float64)
    return {
        "8-bit image": (cluster_image, as_uint8(photo)),
        "float image": (cluster_image, floats),
        "points": (kmeans, floats.reshape(-1, 3)),
    }


@pytest.mark.parametrize(
    "data",
    [
        "8-bit image",
        pytest.param("float image", marks=pytest.mark.slow),
        pytest.param("points", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "init", ["random", pytest.param("k-means++", marks=pytest.mark.slow)]
)
def test_memory_does_not_grow_with_k(photo, data, init, monkeypatch):
    # 56 more clusters would need 56 more bytes a pixel, and that only with one byte
    # for each distance. By one thread: others have tables of a fixed size of their own,
    # and need not be in the same place at the same time.
    monkeypatch.setattr(threads, "n_threads", lambda: 1)
    call, values = kinds_of_data(photo[:216])[data]
    few = peak_bytes_each(call, values, 8, init=init)
    many = peak_bytes_each(call, values, 64, init=init)
    assert many < few + 4


# ---- The input is not touched ----------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [3, 4])
def test_the_image_is_not_written_to(photo, dtype, channels):
    # Every other pixel of it: the copy to compare with is not of the same memory.
    image = as_uint8(photo).astype(dtype)[::8, ::4]
    if channels == 4:
        image = np.concatenate([image, image[..., :1] // 64], axis=2)
    before = image.copy()
    cluster_image(image, 4, rng=0)
    np.testing.assert_array_equal(image, before)
    image.flags.writeable = False
    answer = cluster_image(image, 4, rng=0)
    assert not np.shares_memory(answer.image, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_points_weights_and_start_are_not_written_to(rng, init):
    points, weights = rng.normal(size=(500, 3)) + 1e6, rng.integers(0, 3, 500) * 1.0
    arrays = [points, weights, points[:4].copy()]
    before = [array.copy() for array in arrays]
    kmeans(points, 4, weights=weights, init=init, rng=0)
    kmeans(points, 4, weights=weights, init=arrays[2])
    for array, copy in zip(arrays, before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_image(monkeypatch):
    monkeypatch.setattr("kmeans_np.arrays.rows.BLOCK", 2**17)
    monkeypatch.setattr("kmeans_np.image.block_source.CHUNK_BYTES", 2**18)
    peaks = []
    for height in (400, 3200):
        image = np.random.default_rng(0).random((height, 512, 3), np.float32)
        source = Slices(image, (height, 100, 3))
        tracemalloc.start()
        try:
            cluster_image(source, 3, rng=0, max_iter=2, coarse_start=False)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert source.largest < 1.1 * 2**17 * 2
    assert peaks[1] < 1.1 * peaks[0]
