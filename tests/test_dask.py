"""What only Dask has: when it computes, how much, where, and with whom."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import dask
import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st
from sample import SAMPLE
from sources import Slices, assert_same
from tables import few_examples

from kmeans_np import assign, cluster_image, segment_image
from kmeans_np.colors import ColorPacking
from kmeans_np.image.clusters import LabelCache, NearestColors, NearestPixels
from kmeans_np.image.features import Features
from kmeans_np.sweeps.partitioned import Shift
from kmeans_np.sweeps.scaling import find_scaling

PHOTO = SAMPLE
EXPECTED = segment_image(PHOTO, 5, rng=0)
# So many that they do not go into memory.
FLOATS = (PHOTO[:150, :150] / 255).astype("f4")


@given(
    dtype=st.sampled_from([np.uint8, np.int8, np.uint16]),
    channels=st.integers(1, 4),
    k=st.sampled_from([2, 130]),
    seed=st.integers(0, 2**32 - 1),
)
@few_examples
def test_known_labels_are_those_of_the_nearest_centroids(dtype, channels, k, seed):
    rng = np.random.default_rng(seed)
    coding, cache = ColorPacking(np.dtype(dtype), channels), LabelCache()
    for _ in range(4):
        # Several sets of clusters, of which not all are kept.
        palette = rng.integers(0, 99, (k, channels)).astype(dtype)
        shift = Shift(np.zeros(channels), find_scaling(palette))
        nearest = NearestPixels(Features(), palette.astype(float), shift)
        find = NearestColors(nearest, coding)
        for _ in range(2):
            values = rng.integers(0, 127, (500, channels)).astype(dtype)
            expected, _ = assign(values, palette)
            assert np.array_equal(find.labels(values), expected)
            if coding.n_bits <= 24:
                assert np.array_equal(cache.labels(values, find), expected)
        assert len(cache.tables) <= 2


# ---- When it is computed, and how much ---------------------------------------------


class Reads(Slices):
    """An array that keeps in mind which chunks are read."""

    ndim = 3

    def __init__(self, array):
        super().__init__(array)
        self.places = []

    def __getitem__(self, place):
        found = super().__getitem__(place)
        # Dask looks at none of the pixels when it makes the array.
        if found.size:
            self.places.append(tuple((cut.start, cut.stop) for cut in place))
        return found


def in_places(array, chunks):
    source = Reads(array)
    return source, da.from_array(source, chunks=chunks, name=False)


def test_nothing_is_computed_before_it_is_asked_for():
    source, chunked = in_places(PHOTO, (100, 100, 3))
    segmented = segment_image(chunked, 5, rng=0)
    assert isinstance(segmented, da.Array)
    assert (segmented.shape, segmented.dtype) == (PHOTO.shape, PHOTO.dtype)
    assert segmented.chunks == chunked.chunks
    assert not source.places
    assert np.array_equal(segmented.compute(scheduler="threads"), EXPECTED)
    # Once to count, once to paint, or once for both.
    assert all(source.places.count(place) <= 2 for place in source.places)


@pytest.mark.slow
def test_what_is_computed_twice_has_the_same_draws():
    source, lazy = in_places(FLOATS, (75, 90, 3))
    # So that other draws give another answer, and those of a generator of one's own.
    how = {"max_iter": 1, "coarse_start": False}
    painted = segment_image(lazy, 5, rng=np.random.default_rng(7), **how)
    assert not source.places
    expected = segment_image(FLOATS, 5, rng=np.random.default_rng(7), **how)
    with dask.config.set(scheduler="synchronous"):
        assert painted.compute().tobytes() == expected.tobytes()
        assert painted[:60].compute().tobytes() == expected[:60].tobytes()


def test_chunks_of_the_answer_are_those_of_the_image():
    volume = PHOTO[..., 0].reshape(15, 25, 500)
    for image, chunks, axis in (
        (PHOTO, (200, 150, 2), -1),
        (volume, (9, 20, 300), None),
    ):
        chunked = da.from_array(image, chunks=chunks)
        answer = cluster_image(chunked, 3, rng=0, channel_axis=axis, max_iter=2)
        n = len(answer.labels.shape)
        assert answer.image.chunks[:n] == answer.labels.chunks == chunked.chunks[:n]


def test_a_part_of_the_answer_is_painted_alone():
    source, chunked = in_places(PHOTO, (100, 100, 3))
    answer = cluster_image(chunked, 5, rng=0)
    source.places.clear()
    part = answer.image[:50, :50].compute(scheduler="synchronous")
    assert np.array_equal(part, EXPECTED[:50, :50])
    assert len(source.places) == 1


@pytest.mark.slow
@pytest.mark.parametrize("side", [10, 20, 40])
def test_tasks_are_linear_in_chunks(side):
    chunked = da.zeros((side, side, 3), dtype=np.uint8, chunks=(1, 1, 3))
    segmented = segment_image(chunked, 2)
    chunks = side * side
    assert len(dict(segmented.__dask_graph__())) <= 6 * chunks


def test_at_most_so_many_counts_are_merged_together():
    merged = []

    class Watch(Callback):
        def _pretask(self, key, dsk, state):  # noqa: ARG002
            if "merge" in str(key):
                merged.append(len(dsk[key].dependencies))

    chunked = da.from_array(PHOTO, chunks=(20, 500, 3))
    with Watch(), dask.config.set(scheduler="synchronous"):
        cluster_image(chunked, 2, rng=0)
    assert merged
    assert max(merged) <= 17


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["threads", "synchronous", "processes"])
@pytest.mark.parametrize("image", [PHOTO, FLOATS], ids=["bytes", "floats"])
def test_any_scheduler(image, scheduler):
    chunked, how = da.from_array(image, chunks=(200, 90, 3)), {"rng": 0, "max_iter": 3}
    lazy = segment_image(chunked, 5, **how)
    expected = cluster_image(image, 5, **how)
    assert np.array_equal(lazy.compute(scheduler=scheduler), expected.image)
    with dask.config.set(scheduler=scheduler):
        assert_same(cluster_image(chunked, 5, **how), expected)


# ---- Workers that die --------------------------------------------------------------


@contextmanager
def cluster_of(**workers):
    distributed = pytest.importorskip("distributed")
    # A busy machine takes its time to start processes.
    patience = {"distributed.comm.timeouts.connect": "120s"}
    # Any port that is free, since the usual one may be somebody else's.
    workers |= {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with dask.config.set(patience), distributed.LocalCluster(**workers) as cluster:
        yield cluster


@contextmanager
def client_of(cluster):
    import distributed

    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def processes():
    with cluster_of(processes=True) as cluster:
        yield cluster


@pytest.fixture
def client(processes):
    with client_of(processes) as client:
        yield client


@pytest.mark.slow
def test_a_cluster_gives_the_same_answer():
    chunked = da.from_array(PHOTO, chunks=(100, 250, 3))
    with cluster_of(processes=False) as cluster, client_of(cluster):
        assert_same(cluster_image(chunked, 5, rng=0), cluster_image(PHOTO, 5, rng=0))
        # The task that waits for the passes leaves its thread to them.
        lazy = da.from_array(FLOATS, chunks=(80, 75, 3)).persist()
        painted = segment_image(lazy, 4, rng=0, max_iter=2)
        expected = segment_image(FLOATS, 4, rng=0, max_iter=2)
        assert painted.compute().tobytes() == expected.tobytes()


def slowly(block):
    time.sleep(0.1)
    return block


@pytest.mark.slow
@pytest.mark.usefixtures("client")
def test_a_cluster_of_processes_gives_the_same_answer():
    chunked = da.from_array(PHOTO, chunks=(100, 250, 3))
    assert_same(cluster_image(chunked, 5, rng=0), cluster_image(PHOTO, 5, rng=0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "task", ["count_block", "_run_in_task", "_paint_chunk", "_look_at"]
)
def test_a_worker_killed_in_the_middle_does_not_change_the_answer(client, task):
    """Killed by the system, without a word, while such a task runs or has run."""
    chunked = da.from_array(PHOTO, chunks=(40, 250, 3)).map_blocks(slowly, dtype="u1")
    pids = client.run(os.getpid)
    killed = []

    def kill_one():
        # As soon as the scheduler knows of a first such task that is done or runs.
        for _ in range(600):
            seen = client.run_on_scheduler(states_of, task=task)
            if seen:
                address = seen[0] if seen[0] in pids else next(iter(pids))
                os.kill(pids[address], signal.SIGKILL)
                killed.append(address)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    if task == "_look_at":
        found = segment_image(chunked / 255, 5, rng=0, max_iter=3).compute()
        expected = segment_image(PHOTO / 255, 5, rng=0, max_iter=3)
    else:
        future = client.compute(segment_image(chunked, 5, rng=0))
        found, expected = future.result(timeout=60), EXPECTED
    killer.join()
    assert killed
    assert np.array_equal(found, expected)


def states_of(dask_scheduler, task):
    """Return where tasks of such a name run, or have run."""
    return [
        next(iter(state.who_has)).address
        if state.who_has
        else state.processing_on.address
        for key, state in dask_scheduler.tasks.items()
        if task in str(key) and (state.who_has or state.processing_on)
    ]


# ---- Bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "how", "message"),
    [
        (PHOTO, {"k": 0}, "k must be a whole number"),
        (PHOTO, {"k": 10**6}, "k must be at most the number of pixels, 187,500"),
        (PHOTO, {"weights": PHOTO}, "weights must have one number for each pixel"),
        (PHOTO, {"callback": 3}, "callback must be a function of one Step"),
        (PHOTO, {"mask": PHOTO > 3}, "mask must have one value for each pixel"),
        (PHOTO[0, 0], {}, "image must have 2 axes"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_anything_is_computed(image, how, message):
    how = {"k": 2} | how
    chunked = da.from_array(image, chunks=100)
    with pytest.raises((ValueError, TypeError), match=message):
        segment_image(chunked, how.pop("k"), **how)


def test_what_only_the_pixels_tell_is_refused_when_they_are_seen():
    chunked = da.from_array(PHOTO, chunks=100)
    lazy = segment_image(chunked, 2, mask=np.zeros((375, 500), bool))
    with pytest.raises(ValueError, match="mask must include at least one pixel"):
        lazy.compute()
