"""Images of floats and of many bands, outside of memory: the answer in memory."""

import tracemalloc
import warnings

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import chosen, crossed, few_examples

from kmeans_np import (
    cluster_image,
    open_image,
    sample_image,
    segment_image,
    tree_sums,
    write_image,
)
from kmeans_np.arrays import chunks, rows

NOISE = np.random.default_rng(0).normal(scale=0.03, size=(375, 500, 3))
PHOTO = (sample_image() / 255 + NOISE).astype(np.float32)
BANDS = np.concatenate([PHOTO, PHOTO[..., ::-1] * 2, PHOTO**2, PHOTO], axis=-1)
IMAGES = {
    "colors": (PHOTO, -1),
    "gray": (PHOTO[..., 0].astype(np.float64), None),
    "12 bands": (BANDS[:200, :300], -1),
    "12 bands of bytes": ((BANDS[:200, :300] * 255).clip(0, 255).astype("u1"), -1),
    "channels first": (np.moveaxis(PHOTO, -1, 0), 0),
    "gray volume": (PHOTO[:120, :250, :3].transpose(2, 0, 1), None),
    "volume": (np.stack([PHOTO[:100, :200], PHOTO[100:200, :200]]), -1),
    "far from 0": (PHOTO.astype(np.float64) + 1e4, -1),
    "16 bits that hardly repeat": ((PHOTO * 9e3).clip(0).astype("u2"), -1),
}


class Outside:
    """An image that is read in slices."""

    def __init__(self, array, chunks=None):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.ndim, self.largest = array.ndim, 0
        if chunks:
            self.chunks = chunks

    def __getitem__(self, place):
        found = self.array[place]
        self.largest = max(self.largest, found.size)
        return found


def same(one, other):
    for name in ("labels", "image", "palette", "centroids", "counts", "shares"):
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        assert a.tobytes() == b.tobytes(), name
    for name in ("inertia", "n_iter", "stopped_by"):
        assert getattr(one, name) == getattr(other, name), name


USUAL = pytest.param(2**16, marks=pytest.mark.slow, id="usual pieces")


@pytest.fixture(params=[pytest.param(2**11, id="small pieces"), USUAL])
def pieces_of_two_sizes(request, monkeypatch):
    monkeypatch.setattr(tree_sums, "MOST", request.param)
    monkeypatch.setattr(rows, "BLOCK", 4 * request.param)
    return request.param


def cut(image):
    """Return as much of an image as many small pieces need."""
    return image[(slice(140),) * image.ndim]


# ---- The same answer ---------------------------------------------------------------


@pytest.mark.parametrize(("name", "k"), crossed(IMAGES, [3, 9]))
def test_the_answer_is_that_in_memory(name, k, pieces_of_two_sizes):
    image, axis = IMAGES[name]
    image = cut(image) if pieces_of_two_sizes < 2**16 else image
    how = {"rng": k, "channel_axis": axis, "max_iter": 9}
    expected = cluster_image(image, k, **how)
    found = cluster_image(
        Outside(image, tuple(n // 2 + 1 for n in image.shape)), k, **how
    )
    assert not isinstance(found.labels, np.ndarray)
    same(found, expected)
    same(cluster_image(Outside(image), k, **how), expected)


@pytest.mark.parametrize("name", chosen(IMAGES, "colors", "volume", "far from 0"))
def test_dask_gives_the_answer_in_memory(name):
    image, axis = IMAGES[name]
    image = cut(image)
    how = {"rng": 0, "channel_axis": axis, "max_iter": 9}
    chunks = tuple(n // 2 + 1 for n in image.shape)
    lazy = da.from_array(image, chunks=chunks)
    expected = cluster_image(image, 5, **how)
    found = cluster_image(lazy, 5, **how)
    same(found, expected)
    painted = segment_image(lazy, 5, **how)
    assert isinstance(painted, da.Array)
    if axis is None:
        assert painted.chunks == found.labels.chunks == lazy.chunks
    assert painted.compute().tobytes() == expected.image.tobytes()


FEATURES = {
    "normalize": {"normalize": True},
    "lab": {"color_space": "lab"},
    "both": {"normalize": True, "color_space": "lab"},
}


@pytest.mark.usefixtures("pieces_of_two_sizes")
@pytest.mark.parametrize(
    ("name", "what"),
    crossed(["colors", "channels first", "16 bits that hardly repeat"], FEATURES),
)
def test_features_are_compared_as_in_memory(name, what):
    image, axis = IMAGES[name]
    image = image[..., :130, :140] if axis == 0 else image[:130, :140]
    if image.dtype.kind == "f":
        image = image.clip(0, 1)
    start = image.reshape(-1, 3)[:5] if axis == -1 else image.reshape(3, -1).T[:5]
    for init in ("random", start.astype(float)):
        how = {"rng": 1, "channel_axis": axis, "max_iter": 6, "init": init}
        how |= FEATURES[what]
        expected = cluster_image(image, 5, **how)
        chunks = tuple(n // 2 + 1 for n in image.shape)
        found = cluster_image(Outside(image, chunks), 5, **how)
        assert not isinstance(found.labels, np.ndarray)
        same(found, expected)
        same(cluster_image(da.from_array(image, chunks=chunks), 5, **how), expected)


@pytest.mark.slow
@pytest.mark.usefixtures("pieces_of_two_sizes")
@pytest.mark.parametrize(
    "name",
    chosen(["gray volume", "12 bands of bytes", "channels first"], "channels first"),
)
def test_places_are_compared_as_in_memory(name):
    image, axis = IMAGES[name]
    shape, channels = image.shape, 1
    if axis is not None:
        shape, channels = np.moveaxis(image, axis, -1).shape[:-1], image.shape[axis]
    rng = np.random.default_rng(0)
    given = rng.random((4, channels + len(shape))) * [*[1] * channels, *shape]
    for how in (
        {"position_weight": 0.5},
        {"position_weight": 2, "normalize": True, "mask": rng.random(shape) < 0.3},
        {"position_weight": 1, "init": given},
    ):
        how |= {"rng": 0, "max_iter": 9, "channel_axis": axis}
        expected = cluster_image(image, 4, **how)
        chunks = tuple(n // 2 + 1 for n in image.shape)
        found = cluster_image(Outside(image, chunks), 4, **how)
        assert not isinstance(found.labels, np.ndarray)
        same(found, expected)
        where = tuple(slice(n // 3, None) for n in shape)
        assert np.array_equal(found.labels[where], expected.labels[where])
        lazy = da.from_array(image, chunks=chunks)
        same(cluster_image(lazy, 4, **how), expected)
    painted = segment_image(lazy, 4, **how)
    where = (slice(None), *where) if axis == 0 else where
    part = np.asarray(expected.image)[where]
    assert painted[where].compute().tobytes() == part.tobytes()


@pytest.mark.slow
def test_places_of_colors_that_are_counted_otherwise():
    for image, how in (
        (sample_image()[:200], {}),
        (sample_image()[:200], {"color_space": "lab"}),
        (sample_image()[:200].astype(np.int64) // 9, {}),
    ):
        how |= {"position_weight": 0.7, "rng": 0, "max_iter": 9}
        expected = cluster_image(image, 5, **how)
        same(cluster_image(Outside(image), 5, **how), expected)
        same(cluster_image(da.from_array(image, chunks=160), 5, **how), expected)


REPEATING = {
    # Their types are too wide for one number, what is in them is not.
    "12 bands of few levels": (BANDS[:200, :300] * 3).clip(0, 3).astype("u1"),
    "64 bits": (PHOTO[:200, :300] * 20).astype(np.int64),
    "64 bits far from 0": (PHOTO[:200, :300] * 20).astype(np.uint64) + 2**52,
    "64 bits that hardly repeat": (PHOTO * 1e6).astype(np.int64),
    "gray of 64 bits": (PHOTO[..., 0] * 90).astype(np.int64),
}


@pytest.mark.parametrize(("name", "masked"), crossed(REPEATING, [False, True]))
def test_integers_are_counted_by_what_is_in_them(name, masked):
    image = cut(REPEATING[name])
    how = {"rng": 2, "max_iter": 9, "normalize": masked}
    if masked:
        mask = np.random.default_rng(0).random(image.shape[:2]) < 0.6
        image = image.copy()
        image[~mask] += image.dtype.type(2**52 if image.itemsize == 8 else 90)
        how["mask"] = mask
    expected = cluster_image(image, 5, **how)
    found = cluster_image(Outside(image, (64, 70, 4)), 5, **how)
    assert not isinstance(found.labels, np.ndarray)
    same(found, expected)
    lazy = da.from_array(image, chunks=90)
    same(cluster_image(lazy, 5, **how), expected)
    assert segment_image(lazy, 5, **how).compute().tobytes() == (
        expected.image.tobytes()
    )


@pytest.mark.slow
@pytest.mark.parametrize("most", [100, 40_000])
def test_too_many_colors_are_not_counted_to_the_end(most, monkeypatch):
    monkeypatch.setattr("kmeans_np.colors.distinct.MOST_COLORS", most)
    monkeypatch.setattr("kmeans_np.colors.counts.MANY_COLORS", 50_000)
    monkeypatch.setattr(chunks, "BLOCK", 2**15)
    # On average each color has four pixels.
    image = np.tile((PHOTO[:100] * 2**14).clip(0).astype("u2"), (4, 1, 1))
    expected = cluster_image(image, 4, rng=0)
    told = []
    found = cluster_image(Outside(image, (25, 500, 3)), 4, rng=0, progress=told.append)
    same(found, expected)
    same(cluster_image(da.from_array(image, chunks=80), 4, rng=0), expected)
    counted = [one.done for one in told if one.task == "count"]
    assert 50_000 < max(counted) < 100_000 < told[0].total


def test_colors_of_lab_that_no_screen_can_show():
    corners = np.random.default_rng(0).integers(0, 2, (200, 200, 3)).astype(np.float32)
    image = (corners * 0.999 + PHOTO[:200, :200].clip(0, 1) / 1000).clip(0, 1)
    how = {"color_space": "lab", "rng": 0, "max_iter": 9}
    expected = cluster_image(image, 5, **how)
    assert (expected.centroids < 0).any() or (expected.centroids > 1).any()
    same(cluster_image(Outside(image), 5, **how), expected)
    lazy = da.from_array(image, chunks=70)
    same(cluster_image(lazy, 5, **how), expected)


def test_a_mask_that_leaves_whole_chunks_out():
    mask = np.zeros((375, 500), bool)
    mask[120:170], mask[230:300, 100:] = True, True
    how = {"mask": mask, "rng": 0, "max_iter": 9}
    expected = cluster_image(PHOTO, 5, **how)
    same(cluster_image(Outside(PHOTO, (50, 60, 3)), 5, **how), expected)
    lazy = da.from_array(PHOTO, chunks=(50, 60, 3))
    same(cluster_image(lazy, 5, **how), expected)


@pytest.mark.slow
def test_bands_in_units_of_their_own():
    image = BANDS[:250, :300] * np.geomspace(1e-3, 1e4, 12)
    image[..., 3] = 7
    expected = cluster_image(image, 4, rng=0, normalize=True)
    same(cluster_image(Outside(image), 4, rng=0, normalize=True), expected)
    lazy = da.from_array(image, chunks=(99, 120, 5))
    same(cluster_image(lazy, 4, rng=0, normalize=True), expected)


@pytest.mark.slow
@few_examples
@given(
    rows_=st.integers(40, 375),
    columns=st.integers(150, 500),
    chunk=st.tuples(st.integers(9, 200), st.integers(9, 300)),
    masked=st.floats(0, 0.9),
    alpha=st.sampled_from(["none", "bytes", "floats"]),
    init=st.sampled_from(["random", "given"]),
    normalize=st.booleans(),
    coarse_start=st.booleans(),
)
def test_any_shape_mask_and_chunks(
    rows_, columns, chunk, masked, alpha, init, normalize, coarse_start
):
    image = BANDS[:rows_, :columns].copy()
    rng = np.random.default_rng(columns)
    mask = rng.random((rows_, columns)) >= masked if masked else None
    if mask is not None:
        image[~mask] = np.nan
    if alpha == "bytes":
        # Nine bands of a byte, and alpha: they cannot be counted either.
        image = (np.nan_to_num(image[..., :10]) * 255).clip(0, 255).astype("u1")
    if alpha != "none":
        seen = rng.random((rows_, columns)) < 0.8
        image[..., -1] = np.where(seen, image[..., -1], 0)
    channels = image.shape[-1] - (alpha != "none")
    starts = rng.random((4, channels)) * (255 if alpha == "bytes" else 1)
    how = {
        "init": "random" if init == "random" else starts,
        "coarse_start": coarse_start,
        "mask": mask,
        "alpha": alpha != "none",
        "normalize": normalize,
        "rng": 0,
        "max_iter": 8,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree_sums, "MOST", 2**11)
        expected = cluster_image(image, 4, **how)
        found = cluster_image(Outside(image, (*chunk, 2)), 4, **how)
        same(found, expected)
        lazy = da.from_array(image, chunks=(*chunk, 2))
        same(cluster_image(lazy, 4, **how), expected)


@pytest.mark.slow
def test_fewer_colors_than_clusters_come_back_to_the_last_bit():
    image = np.round(PHOTO.clip(0.1) * 2) * np.array([0.1, 0.3, 0.7])
    expected = len(np.unique(image.reshape(-1, 3), axis=0))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        answers = [
            cluster_image(Outside(image), 90, rng=0),
            cluster_image(da.from_array(image, chunks=100), 90, rng=0),
        ]
        segment_image(Outside(image), 90, rng=0)
    for answer in answers:
        assert len(answer.palette) == expected
        assert np.asarray(answer.image).tobytes() == image.tobytes()
    assert [w.filename for w in warned] == [__file__] * 3
    message = f"the answer has {expected}"
    assert message in str(warned[0].message)
    lazy = segment_image(da.from_array(image, chunks=100), 90, rng=0)
    with pytest.warns(UserWarning, match=message):
        assert lazy.compute().tobytes() == image.tobytes()


def test_few_pixels_on_dask():
    image = PHOTO[:30, :40]
    lazy = da.from_array(image, chunks=17)
    same(cluster_image(lazy, 4, rng=0), cluster_image(image, 4, rng=0))


def test_scalable_starts_do_not_depend_on_the_chunks():
    image = np.concatenate([BANDS[:60, :300], BANDS[:60, :300] ** 2], axis=-1)
    how = {"init": "k-means++", "rng": 0, "max_iter": 2}
    expected = cluster_image(Outside(image), 5, **how)
    same(cluster_image(Outside(image, (13, 40, 3)), 5, **how), expected)
    same(cluster_image(da.from_array(image, chunks=25), 5, **how), expected)


def test_from_file_to_file(tmp_path):
    write_image(tmp_path / "scene.npy", PHOTO)
    with open_image(tmp_path / "scene.npy") as scene:
        answer = cluster_image(scene, 6, rng=0)
        write_image(tmp_path / "painted.npy", answer.image)
    expected = segment_image(PHOTO, 6, rng=0)
    assert np.load(tmp_path / "painted.npy").tobytes() == expected.tobytes()


def test_what_needs_the_image_in_memory_is_as_it_was():
    weights = np.arange(375 * 500).reshape(375, 500) % 3
    expected = cluster_image(PHOTO, 4, rng=0, weights=weights)
    same(cluster_image(Outside(PHOTO), 4, rng=0, weights=weights), expected)


def test_apply_to_others():
    found = cluster_image(Outside(PHOTO[:200]), 4, rng=0)
    expected = cluster_image(PHOTO[:200], 4, rng=0)
    same(found.apply(PHOTO[200:]), expected.apply(PHOTO[200:]))
    assert found.mask_of(2).tobytes() == expected.mask_of(2).tobytes()
    assert repr(found) == repr(expected)


# ---- Memory, progress, errors ------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_image(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 2**17)
    monkeypatch.setattr("kmeans_np.image.block_source.CHUNK_BYTES", 2**18)
    peaks = []
    for height in (400, 3200):
        image = np.random.default_rng(0).random((height, 512, 3), np.float32)
        source = Outside(image, (height, 100, 3))
        tracemalloc.start()
        try:
            cluster_image(source, 3, rng=0, max_iter=2, coarse_start=False)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert source.largest < 1.1 * 2**17 * 2
    assert peaks[1] < 1.1 * peaks[0]


def test_progress_of_each_pass():
    told = []
    cluster_image(Outside(PHOTO), 4, rng=0, max_iter=2, progress=told.append)
    assert {one.task for one in told} == {"look"}
    assert told[-1].done == told[-1].total == 375 * 500
    assert all(one.seconds_left >= 0 for one in told)


def said(image, **how):
    with pytest.raises(ValueError, match="image must be finite") as error:
        cluster_image(image, 4, **how)
    return str(error.value)


@pytest.mark.parametrize("masked", [False, True])
def test_the_place_of_what_is_no_number(masked, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 2**15)
    image, mask = PHOTO.copy(), None
    image[200, 300, 1], image[201, 7] = np.nan, np.inf
    if masked:
        mask = np.random.default_rng(0).random((375, 500)) < 0.7
        mask[200, 300] = mask[201, 7] = True
    expected = said(image, mask=mask)
    assert "1 NaN value and 3 infinite values, the first at row 200, column 300" in (
        expected
    )
    assert said(Outside(image, (64, 64, 3)), mask=mask) == expected
    assert said(da.from_array(image, chunks=99), mask=mask) == expected
    assert said(Outside(image), mask=mask, normalize=True) == expected


@pytest.mark.parametrize("place", [(0, 0), (98, 499), (99, 0), (374, 499)])
def test_the_place_in_a_chunk_of_dask(place):
    image, mask = PHOTO.copy(), np.random.default_rng(0).random((375, 500)) < 0.7
    image[place], mask[place] = np.nan, True
    row, column = place
    lazy = da.from_array(image, chunks=99)
    assert f"the first at row {row}, column {column}" in said(lazy, mask=mask)


@pytest.mark.parametrize("kind", [Outside, da.from_array])
def test_no_pixel_takes_part(kind):
    none, hidden = np.zeros((375, 500), bool), PHOTO.copy()
    hidden[..., 2] = 0
    for image, how in (
        (PHOTO, {"mask": none}),
        (hidden, {"alpha": True}),
        (hidden, {"alpha": True, "mask": ~none}),
        (hidden, {"alpha": True, "mask": none}),
    ):
        with pytest.raises(ValueError, match="must ") as expected:
            cluster_image(image, 4, **how)
        with pytest.raises(ValueError, match=r"must (let|have) at least one") as error:
            cluster_image(kind(image), 4, **how)
        assert str(error.value) == str(expected.value)


@pytest.mark.parametrize("kind", [Outside, da.from_array])
def test_an_alpha_that_is_no_number(kind):
    image = PHOTO.copy()
    image[150, 20, 2] = np.nan
    expected = said(image, alpha=True)
    assert "the first at row 150, column 20" in expected
    assert said(kind(image), alpha=True) == expected
    mask = np.ones((375, 500), bool)
    mask[150, 20] = mask[3, 3] = False
    expected = cluster_image(image, 4, alpha=True, mask=mask, rng=0)
    same(cluster_image(kind(image), 4, alpha=True, mask=mask, rng=0), expected)


@pytest.mark.parametrize("kind", [Outside, da.from_array])
def test_colors_that_lab_does_not_know(kind):
    for image, message in (
        (PHOTO * 2, "floats from 0 to 1 for color_space='lab', got float32 from -0"),
        (BANDS, "red, green and blue for color_space='lab', got 12 channels"),
    ):
        with pytest.raises(ValueError, match=message):
            cluster_image(kind(image), 4, color_space="lab")


class Broken(Outside):
    def __getitem__(self, place):
        if place[0].start <= 140 < place[0].stop:
            raise ValueError("bad checksum")
        return super().__getitem__(place)


@pytest.mark.parametrize("dtype", ["f4", "u1"])
def test_a_chunk_that_dask_cannot_read_is_named(dtype):
    image = (PHOTO * 200).clip(0, 255).astype(dtype)
    lazy = da.from_array(Broken(image), chunks=(100, 500, 3))
    sentence = (
        "image must be readable everywhere, got ValueError: bad checksum, at "
        r"\[100:200, 0:500, 0:3\];"
    )
    with pytest.raises(OSError, match=sentence):
        cluster_image(lazy, 4, rng=0)
    with pytest.raises(OSError, match=sentence):
        segment_image(lazy, 4, rng=0, out=np.empty_like(image))
    painted = segment_image(lazy, 4, rng=0)
    with pytest.raises(OSError, match=sentence):
        painted.compute()


# ---- Dask --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["colors", "16 bits that hardly repeat"])
def test_dask_computes_nothing_before_it_is_asked(name):
    image, places = IMAGES[name][0][:240, :300], []

    class Watched(Outside):
        def __getitem__(self, place):
            places.append(place)
            return super().__getitem__(place)

    lazy = da.from_array(Watched(image), chunks=(100, 200, 3))
    # So that other draws give another answer.
    how = {"rng": 0, "max_iter": 1, "coarse_start": False}
    painted = segment_image(lazy, 5, **how)
    assert not places
    assert painted.chunks == lazy.chunks
    expected = segment_image(image, 5, **how)
    assert painted.compute().tobytes() == expected.tobytes()
    # And once more, with the same draws.
    assert painted[:120].compute().tobytes() == expected[:120].tobytes()


@pytest.mark.parametrize(
    "scheduler", chosen(["threads", "synchronous", "processes"], "threads")
)
def test_any_scheduler(scheduler):
    lazy = da.from_array(PHOTO, chunks=(200, 250, 3))
    painted = segment_image(lazy, 4, rng=0, max_iter=5)
    expected = segment_image(PHOTO, 4, rng=0, max_iter=5)
    assert painted.compute(scheduler=scheduler).tobytes() == expected.tobytes()


@pytest.mark.slow
def test_a_cluster_of_one_thread_each():
    from distributed import Client, LocalCluster

    expected = segment_image(PHOTO, 4, rng=0, max_iter=5)
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with LocalCluster(**workers, dashboard_address=":0") as cluster, Client(cluster):
        # The task that waits for the passes leaves its thread to them.
        lazy = da.from_array(PHOTO, chunks=(200, 250, 3)).persist()
        painted = segment_image(lazy, 4, rng=0, max_iter=5)
        assert painted.compute().tobytes() == expected.tobytes()
