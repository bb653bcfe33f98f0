"""Images of floats and of many bands, outside of memory: the answer in memory."""

import tracemalloc
import warnings

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmeans_np import (
    cluster_image,
    open_image,
    pieces,
    sample_image,
    segment_image,
    write_image,
)
from kmeans_np.blocks import rows

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


@pytest.fixture(params=[2**11, 2**16], ids=["small pieces", "usual pieces"])
def pieces_of_two_sizes(request, monkeypatch):
    monkeypatch.setattr(pieces, "MOST", request.param)
    monkeypatch.setattr(rows, "BLOCK", 4 * request.param)


# ---- The same answer ---------------------------------------------------------------


@pytest.mark.usefixtures("pieces_of_two_sizes")
@pytest.mark.parametrize("k", [3, 9])
@pytest.mark.parametrize("name", IMAGES)
def test_the_answer_is_that_in_memory(name, k):
    image, axis = IMAGES[name]
    how = {"rng": k, "channel_axis": axis, "max_iter": 20}
    expected = cluster_image(image, k, **how)
    found = cluster_image(
        Outside(image, tuple(n // 2 + 1 for n in image.shape)), k, **how
    )
    assert not isinstance(found.labels, np.ndarray)
    same(found, expected)
    same(cluster_image(Outside(image), k, **how), expected)


@pytest.mark.parametrize("name", [name for name in IMAGES if "16" not in name])
def test_dask_gives_the_answer_in_memory(name):
    image, axis = IMAGES[name]
    how = {"rng": 0, "channel_axis": axis, "max_iter": 20}
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


@settings(max_examples=15)
@given(
    rows_=st.integers(40, 375),
    columns=st.integers(150, 500),
    chunk=st.tuples(st.integers(9, 200), st.integers(9, 300)),
    masked=st.floats(0, 0.9),
    alpha=st.booleans(),
    init=st.sampled_from(["random", "given"]),
    coarse_start=st.booleans(),
)
def test_any_shape_mask_and_chunks(
    rows_, columns, chunk, masked, alpha, init, coarse_start
):
    image = BANDS[:rows_, :columns].copy()
    rng = np.random.default_rng(columns)
    mask = rng.random((rows_, columns)) >= masked if masked else None
    if mask is not None:
        image[~mask] = np.nan
    if alpha:
        # Nine bands of a byte, and alpha: they cannot be counted either.
        image = (np.nan_to_num(image[..., :10]) * 255).clip(0, 255).astype("u1")
        image[..., 9] = np.where(rng.random((rows_, columns)) < 0.2, 0, image[..., 9])
    channels = image.shape[-1] - alpha
    starts = rng.random((4, channels)) * (255 if alpha else 1)
    how = {
        "init": "random" if init == "random" else starts,
        "coarse_start": coarse_start,
        "mask": mask,
        "alpha": alpha,
        "rng": 0,
        "max_iter": 8,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "MOST", 2**11)
        expected = cluster_image(image, 4, **how)
        found = cluster_image(Outside(image, (*chunk, 2)), 4, **how)
        same(found, expected)


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
        segment_image(da.from_array(image, chunks=100), 90, rng=0)
    for answer in answers:
        assert len(answer.palette) == expected
        assert np.asarray(answer.image).tobytes() == image.tobytes()
    assert [w.filename for w in warned] == [__file__] * 4
    assert f"the answer has {expected}" in str(warned[0].message)


def test_few_pixels_on_dask():
    image = PHOTO[:30, :40]
    lazy = da.from_array(image, chunks=17)
    same(cluster_image(lazy, 4, rng=0), cluster_image(image, 4, rng=0))


def test_scalable_starts_do_not_depend_on_the_chunks():
    image = np.concatenate([BANDS[:60, :300], BANDS[:60, :300] ** 2], axis=-1)
    how = {"init": "k-means++", "rng": 0, "max_iter": 3}
    expected = cluster_image(Outside(image), 5, **how)
    same(cluster_image(Outside(image, (7, 9, 3)), 5, **how), expected)
    same(cluster_image(da.from_array(image, chunks=25), 5, **how), expected)


def test_from_file_to_file(tmp_path):
    write_image(tmp_path / "scene.npy", PHOTO)
    with open_image(tmp_path / "scene.npy") as scene:
        answer = cluster_image(scene, 6, rng=0)
        write_image(tmp_path / "painted.npy", answer.image)
    expected = segment_image(PHOTO, 6, rng=0)
    assert np.load(tmp_path / "painted.npy").tobytes() == expected.tobytes()


def test_what_needs_the_image_in_memory_is_as_it_was():
    for how in (
        {"normalize": True},
        {"position_weight": 0.5},
        {"weights": np.arange(375 * 500).reshape(375, 500) % 3},
        {"alpha": True},
    ):
        expected = cluster_image(PHOTO, 4, rng=0, **how)
        same(cluster_image(Outside(PHOTO), 4, rng=0, **how), expected)


def test_apply_to_others():
    found = cluster_image(Outside(PHOTO[:200]), 4, rng=0)
    expected = cluster_image(PHOTO[:200], 4, rng=0)
    same(found.apply(PHOTO[200:]), expected.apply(PHOTO[200:]))
    assert found.mask_of(2).tobytes() == expected.mask_of(2).tobytes()
    assert repr(found) == repr(expected)


# ---- Memory, progress, errors ------------------------------------------------------


def test_memory_does_not_grow_with_the_image(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 2**17)
    monkeypatch.setattr("kmeans_np.image.pointwise.CHUNK_BYTES", 2**18)
    peaks = []
    for height in (200, 1600):
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
    if not masked:
        assert said(da.from_array(image, chunks=99)) == expected


def test_no_pixel_takes_part():
    with pytest.raises(ValueError, match="mask must let at least one pixel take part"):
        cluster_image(Outside(PHOTO), 4, mask=np.zeros((375, 500), bool))


class Broken(Outside):
    def __getitem__(self, place):
        if place[0].start <= 140 < place[0].stop:
            raise ValueError("bad checksum")
        return super().__getitem__(place)


@pytest.mark.parametrize("dtype", ["f4", "u1"])
def test_a_chunk_that_dask_cannot_read_is_named(dtype):
    image = (PHOTO * 200).clip(0, 255).astype(dtype)
    lazy = da.from_array(Broken(image), chunks=(100, 500, 3))
    sentence = "image must be readable everywhere, .* from 100 to 199, 0 to 499, 0 to 2"
    with pytest.raises(OSError, match=sentence + ": ValueError: bad checksum;"):
        cluster_image(lazy, 4, rng=0)
    with pytest.raises(OSError, match=sentence):
        segment_image(lazy, 4, rng=0, out=np.empty_like(image))
