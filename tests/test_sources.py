"""The same promises wherever points and images lie: in memory, in files, on Dask."""

import pickle
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import dask
import dask.array as da
import numpy as np
import pytest
from sample import SAMPLE
from sources import (
    ARRAYS,
    POINT_SOURCES,
    Slices,
    few_as_many,
    in_chunks,
    mapped,
    on_dask,
)
from tables import chosen, crossed

from kmeans_np import (
    cluster_image,
    inertia_curve,
    kmeans,
    open_image,
    segment_image,
    write_image,
)
from kmeans_np.arrays.stacked import ReIterable

RNG = np.random.default_rng(0)
POINTS = np.repeat(RNG.normal(scale=30, size=(9, 3)), 250, axis=0)[:2000]
POINTS += RNG.normal(scale=12, size=POINTS.shape)
PICTURE = SAMPLE[::6, ::6][:50, :60]
FLOATS = (PICTURE / 255 + RNG.normal(scale=0.02, size=PICTURE.shape)).astype("f4")
SEE_THROUGH = np.dstack([FLOATS, (np.indices(FLOATS.shape[:2]).sum(0) % 7) / 6])
MASK = np.indices(FLOATS.shape[:2]).sum(0) % 5 > 0


@pytest.fixture(autouse=True)
def small():
    with few_as_many(), dask.config.set(scheduler="synchronous"):
        yield


OPEN = []


def opened(suffix):
    def write_and_open(array, folder):
        write_image(folder / f"image{suffix}", Slices(array))
        OPEN.append(open_image(folder / f"image{suffix}"))
        return OPEN[-1]

    return write_and_open


@pytest.fixture(autouse=True)
def close():
    yield
    while OPEN:
        OPEN.pop().close()


FILES = (".npy", ".zarr", ".tif")
IMAGE_SOURCES = ARRAYS | {"dask": on_dask}
IMAGE_SOURCES |= {suffix: opened(suffix) for suffix in FILES}
IMAGES = {
    "colors": (PICTURE, {}),
    "floats": (FLOATS, {}),
    "floats with alpha and mask": (SEE_THROUGH.astype("f4"), {"mask": MASK}),
    "floats and places": (FLOATS, {"position_weight": 0.5}),
    "floats normalized": (FLOATS, {"normalize": True}),
}


def followed(run, stop_after=99):
    """Run with a callback; return the answer, and a copy of all that it was shown."""
    steps = []

    def callback(step):
        labels = step.labels
        assert labels.ndim == 1
        assert labels.dtype.kind in "iu"
        with pytest.raises(ValueError, match=r"read-only|cannot be written to"):
            labels[0] = 1
        assert np.array_equal(labels[5:2], [])
        assert labels[-1] == np.asarray(labels)[-1]
        assert np.array_equal(labels[1:-1:3], np.asarray(labels)[1:-1:3])
        steps.append(step._replace(labels=np.array(labels, np.int32)))
        return step.iteration >= stop_after

    return run(callback), steps


def assert_same_steps(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        for name in ("labels", "centroids", "new_centroids"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        numbers = {"labels": None, "centroids": None, "new_centroids": None}
        assert one._replace(**numbers) == other._replace(**numbers)


# ---- A callback and progress -------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "stop_after"),
    crossed(POINT_SOURCES, [2, 99], usual=["slices", "dask", "blocks anew"]),
)
def test_a_callback_is_shown_the_same_steps_for_points(source, stop_after, tmp_path):
    points = POINT_SOURCES[source](POINTS, tmp_path)

    def run(array):
        how = {"rng": 1, "max_iter": 3}
        return followed(lambda see: kmeans(array, 5, callback=see, **how), stop_after)

    answer, steps = run(points)
    expected, expected_steps = run(POINTS)
    assert_same_steps(steps, expected_steps)
    assert answer.stopped_by == ("callback" if stop_after == 2 else "max_iter")
    assert np.array_equal(np.asarray(answer.labels), expected.labels)


@pytest.mark.parametrize(
    ("source", "kind"),
    crossed(IMAGE_SOURCES, IMAGES, usual=["slices", "dask", ".tif", ".zarr", "array"]),
)
def test_a_callback_is_shown_the_same_steps_for_images(kind, source, tmp_path):
    image, how = IMAGES[kind]
    if source == ".tif" and image.shape[-1] == 4:
        pytest.skip("alpha that is not multiplied is another test's")
    outside = IMAGE_SOURCES[source](image, tmp_path)
    how = how | {"rng": 1, "max_iter": 2}
    told = []

    def run(array):
        return followed(
            lambda see: cluster_image(
                array, 4, callback=see, progress=told.append, **how
            )
        )

    answer, steps = run(outside)
    assert bool(told) == (source != "array")
    expected, expected_steps = run(image)
    assert_same_steps(steps, expected_steps)
    assert np.array_equal(np.asarray(answer.labels), expected.labels)


CALLS = {
    "kmeans": lambda **how: kmeans(POINTS[:500], 3, rng=0, **how),
    "kmeans of slices": lambda **how: kmeans(Slices(POINTS), 3, rng=0, **how),
    "kmeans on dask": lambda **how: kmeans(on_dask(POINTS), 3, rng=0, **how),
    "cluster_image": lambda **how: cluster_image(PICTURE, 3, rng=0, **how),
    "of slices": lambda **how: cluster_image(Slices(PICTURE), 3, rng=0, **how),
    "of float slices": lambda **how: cluster_image(Slices(FLOATS), 3, rng=0, **how),
    "of several": lambda **how: cluster_image([PICTURE, PICTURE], 3, rng=0, **how),
    "segment_image": lambda **how: segment_image(PICTURE, 3, rng=0, **how),
    "inertia_curve": lambda **how: inertia_curve(PICTURE, [2, 3], rng=0, **how),
}


class EnoughError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "call"), crossed([StopIteration, EnoughError, KeyboardInterrupt], CALLS)
)
def test_what_a_callback_raises_comes_out(call, error):
    def callback(_):
        raise error("enough")

    with pytest.raises(error, match="enough"):
        CALLS[call](callback=callback)
    if call in ("of slices", "of float slices", "of several"):
        with pytest.raises(error, match="enough"):
            CALLS[call](progress=callback)


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize(
    "error", [StopIteration, OSError, EnoughError, KeyboardInterrupt]
)
def test_what_is_raised_while_a_file_is_written_comes_out(error, suffix, tmp_path):
    def fail(*_):
        raise error("enough")

    class Failing(Slices):
        __getitem__ = fail

    path = tmp_path / f"image{suffix}"
    with pytest.raises(error, match=r"^enough$"):
        write_image(path, Slices(PICTURE), progress=fail)
    with pytest.raises(error, match=r"^enough$"):
        write_image(path, Failing(PICTURE))
    assert [*tmp_path.iterdir()] == []


def test_what_a_callback_raises_on_dask_is_not_taken_for_an_unreadable_chunk():
    readable = [True]

    def read(block):
        if not readable[0]:
            raise ValueError("torn")
        return block

    def callback(_):
        readable[0] = False
        raise EnoughError("enough")

    points = on_dask(POINTS).map_blocks(read, dtype=POINTS.dtype)
    with pytest.raises(EnoughError, match=r"^enough$"):
        kmeans(points, 4, rng=0, callback=callback)


CALLS_TO_FOLLOW = {name: CALLS[name] for name in CALLS if "image" in name}
CALLS_TO_FOLLOW |= {
    "of slices": CALLS["of slices"],
    "of several": CALLS["of several"],
    "write_image": lambda **how: write_image("never-written.png", PICTURE, **how),
}


@pytest.mark.parametrize("call", CALLS_TO_FOLLOW)
def test_progress_that_is_no_function_is_refused(call):
    with pytest.raises(TypeError, match=r"progress must be a function .* got 3 \(int"):
        CALLS_TO_FOLLOW[call](progress=3)


# ---- Several threads, another process, and nothing ---------------------------------


class Numbers:
    """Something to iterate over, whose iterator two threads cannot ask at once."""

    def __iter__(self):
        for number in range(40):
            yield sum([number] * 99) // 99


def handed_out(folder):
    """Yield all that is computed or read when it is asked for, and what it holds."""
    for number, (image, suffix) in enumerate(
        (image, suffix)
        for image in (PICTURE, FLOATS)
        for suffix in (".tif", ".zarr", ".npy")
    ):
        (folder / str(number)).mkdir()
        source = opened(suffix)(image, folder / str(number))
        answer = cluster_image(source, 4, rng=0, max_iter=2)
        expected = cluster_image(image, 4, rng=0, max_iter=2)
        name = f"{image.dtype} {suffix}"
        yield f"image of {name}", source, image
        yield f"labels of {name}", answer.labels, expected.labels
        yield f"segmented {name}", answer.image, expected.image
    for image in (PICTURE, FLOATS):
        how = {"position_weight": 1.0, "rng": 0, "max_iter": 2}
        lazy, whole = (cluster_image(x, 4, **how) for x in (Slices(image), image))
        yield f"labels of {image.dtype} and places", lazy.labels, whole.labels
        yield f"{image.dtype} segmented with places", lazy.image, whole.image
    for name, source in POINT_SOURCES.items():
        if name not in ("array", "hdf5"):
            (folder / name).mkdir()
            found = kmeans(source(POINTS, folder / name), 5, rng=0, max_iter=2)
            expected = kmeans(POINTS, 5, rng=0, max_iter=2)
            yield f"labels of points, {name}", found.labels, expected.labels
    frames = [PICTURE, PICTURE[::-1], FLOATS[..., 0] > 0.5, PICTURE[:, ::-1]][:2]
    batch = cluster_image(ReIterable(frames, "image"), 4, rng=0)
    whole = [np.asarray(each) for each in batch.labels]
    yield "labels of a batch", batch.labels, whole
    assert [np.array_equal(each.labels, whole[1]) for each in batch[1:]] == [True]
    yield "masks of a batch", batch.mask_of(1), [each == 1 for each in whole]
    yield "items again and again", ReIterable(Numbers(), "image"), [*range(40)]


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    """All of it, for tests that leave it as it is."""
    with few_as_many():
        everything = [*handed_out(tmp_path_factory.mktemp("handed"))]
    files = OPEN.copy()
    OPEN.clear()
    yield everything
    for file in files:
        file.close()


@pytest.fixture
def hurried():
    """Threads that take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_whatever_is_handed_out_serves_several_threads(tmp_path):
    for name, lazy, whole in handed_out(tmp_path):
        n = len(whole)

        def look(number, lazy=lazy, whole=whole, n=n):
            cut = slice(number * 7 % n, number * 7 % n + n // 5 + 1)
            return np.array_equal(np.asarray(lazy[cut]), whole[cut])

        with ThreadPoolExecutor(8) as pool:
            assert Counter(pool.map(look, range(16))) == {True: 16}, name


def test_whatever_is_handed_out_goes_to_another_process(handed):
    for name, lazy, whole in handed:
        sent = pickle.loads(pickle.dumps(lazy))
        assert np.array_equal(np.asarray(sent[: len(whole)]), whole), name
        if hasattr(sent, "close"):
            sent.close()


def test_whatever_is_handed_out_is_sliced_to_nothing(handed):
    for name, lazy, whole in handed:
        for cut in (slice(0, 0), slice(5, 3), slice(10**6, None)):
            found, expected = np.asarray(lazy[cut]), np.asarray(whole[cut])
            assert len(found) == 0, name
            if isinstance(whole, np.ndarray):
                assert (found.shape, found.dtype) == (expected.shape, whole.dtype), name


def test_whatever_is_handed_out_is_sliced_in_steps(handed):
    for name, lazy, whole in handed:
        backwards = [slice(None, None, -2)] * (not name.startswith("image of"))
        for cut in (slice(None, None, 2), slice(3, -1, 7), *backwards):
            found, expected = (np.asarray(each[cut]) for each in (lazy, whole))
            assert np.array_equal(found, expected), name
            if expected.ndim > 1 and not isinstance(whole, list):
                found, expected = lazy[1:, 2::3], whole[1:, 2::3]
                assert np.array_equal(np.asarray(found), expected), name


@pytest.mark.parametrize(
    ("kind", "source"),
    crossed(IMAGES, ["memory map", ".npy", ".zarr", "slices", "dask"]),
)
def test_a_segmentation_goes_to_another_process(kind, source, tmp_path):
    image, how = IMAGES[kind]
    outside = IMAGE_SOURCES[source](image, tmp_path)
    answer = cluster_image(outside, 4, rng=0, max_iter=3, **how)
    data = pickle.dumps(answer)
    if kind == "floats" and source in ("memory map", ".npy", ".zarr"):
        # It is opened anew, and not sent.
        assert len(data) < image.nbytes / 2
    sent = pickle.loads(data)
    for name in ("labels", "image", "palette", "counts"):
        one, other = (np.asarray(getattr(each, name)) for each in (sent, answer))
        assert np.array_equal(one, other)
    masks = [np.asarray(each.mask_of(1)) for each in (sent, answer)]
    assert np.array_equal(*masks)
    other = PICTURE if kind == "colors" else image
    if kind != "floats and places":
        one, two = (each.apply(other[:50]).labels for each in (sent, answer))
        assert np.array_equal(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FILES)
def test_dask_sees_that_a_file_was_written_again(suffix, tmp_path):
    names = []
    for image in (FLOATS, FLOATS + 1):
        source = opened(suffix)(image, tmp_path)
        answer = cluster_image(source, 3, rng=0, max_iter=1)
        names.append({da.from_array(each).name for each in (source, answer.image)})
        assert np.array_equal(da.from_array(source)[:9].compute(), image[:9])
    assert len(names[0] | names[1]) == 4


@pytest.mark.parametrize("suffix", FILES)
def test_an_image_stays_open_when_the_folder_changes(suffix, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    write_image(f"image{suffix}", Slices(PICTURE))
    image = open_image(f"image{suffix}")
    monkeypatch.chdir(tmp_path / "elsewhere")
    write_image(f"image{suffix}", Slices(PICTURE // 2))
    sent = pickle.loads(pickle.dumps(image))
    for each in (image, sent):
        assert np.array_equal(each, PICTURE)
        each.close()


def test_an_image_that_was_closed_is_not_sent(tmp_path):
    image = opened(".tif")(PICTURE, tmp_path)
    image.close()
    with pytest.raises(ValueError, match="image must be open to be read"):
        pickle.dumps(image)


@pytest.mark.parametrize("suffix", [".tif", ".zarr", ".npy"])
def test_an_image_in_a_file_is_an_array_where_one_is_asked_for(suffix, tmp_path):
    image = opened(suffix)(PICTURE, tmp_path)
    assert np.array_equal(image, PICTURE)
    assert np.asarray(image, np.float32).dtype == np.float32
    assert np.array(image, copy=True).dtype == np.uint8


def test_what_gives_fewer_items_later_is_named():
    class Fewer:
        n = 3

        def __iter__(self):
            yield from [PICTURE] * self.n
            self.n = 2

    with pytest.raises(
        ValueError, match=r"image must give the same items .* 3 items at first and at m"
    ):
        cluster_image(Fewer(), 3, rng=0)


def test_an_iterator_that_breaks_off_is_begun_anew():
    attempts = []

    class Weak:
        def __iter__(self):
            attempts.append(1)
            for number in range(6):
                if number == 3 and len(attempts) == 2:
                    raise OSError("no signal")
                yield number

    items = ReIterable(Weak(), "image")
    assert items[2] == 2
    with pytest.raises(OSError, match="no signal"):
        items[4]
    assert items[4] == 4
    assert items[1:3] == [1, 2]


# ---- Parts of size 0 ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "where"), crossed([2000, 300], ["first", "middle", "last", "all over"])
)
def test_chunks_and_blocks_that_are_empty(n, where):
    points = POINTS[:n]
    cuts = {"first": [0], "middle": [99, 99], "last": [n]}.get(where, [0, 9, 9, n, n])
    edges = [0, *cuts, n]
    blocks = [points[a:b] for a, b in pairwise(edges)]
    expected = kmeans(points, 4, rng=0, max_iter=3)
    for source in (blocks, in_chunks(points, edges)):
        found = kmeans(source, 4, rng=0, max_iter=3)
        assert np.array_equal(np.asarray(found.labels), expected.labels)
        assert np.array_equal(found.centroids, expected.centroids)
    for image in (PICTURE,) if n == 300 else (FLOATS,):
        lazy = in_chunks(image, [min(edge, len(image)) for edge in edges])
        found = cluster_image(lazy, 4, rng=0, max_iter=3)
        expected = cluster_image(image, 4, rng=0, max_iter=3)
        assert np.array_equal(np.asarray(found.labels), expected.labels)
        painted = segment_image(lazy, 4, rng=0, max_iter=3)
        assert np.array_equal(painted.compute(), expected.image)
        assert painted[5:5].compute().shape == (0, *image.shape[1:])


def test_bands_of_which_no_pixel_takes_part(tmp_path, monkeypatch):
    monkeypatch.setattr("kmeans_np.arrays.rows.BLOCK", 5 * FLOATS[0].size)
    mask = MASK.copy()
    mask[10:20], mask[-10:] = False, False
    answer, steps = followed(
        lambda see: cluster_image(
            mapped(FLOATS, tmp_path), 4, mask=mask, rng=0, max_iter=3, callback=see
        )
    )
    expected = cluster_image(FLOATS, 4, mask=mask, rng=0, max_iter=3)
    assert np.array_equal(np.asarray(answer.labels), expected.labels)
    assert len(steps[-1].labels) == mask.sum()


# ---- Clusters of a single color ----------------------------------------------------


# Their sums are not exact: the mean of many of one of them is another number.
AWKWARD = np.array([[0.1, 0.7, 0.3], [0.6, 0.1, 0.9], [0.9, 0.3, 0.7], [0.2, 0.2, 0.1]])
WHERE_IT_IS = {
    "memory": lambda image: image,
    "slices": Slices,
    "dask": lambda image: da.from_array(image, chunks=30),
    "several": lambda image: [image, image],
}
COMPARED = {
    "as it is": {},
    "lab": {"color_space": "lab"},
    "normalized": {"normalize": True},
    "both": {"color_space": "lab", "normalize": True},
    "masked": {"mask": np.indices((50, 57)).sum(0) % 3 > 0},
}


def painted(image, k, how):
    found = cluster_image(image, k, rng=0, **how).image
    return np.asarray(found[0] if isinstance(image, list) else found)


@pytest.mark.parametrize(
    ("dtype", "compared", "where"), crossed(["f2", "f4", "f8"], COMPARED, WHERE_IT_IS)
)
def test_as_many_clusters_as_colors_give_the_picture_back(dtype, compared, where):
    if (where, compared) == ("several", "masked"):
        pytest.skip("several images have no mask")
    rng = np.random.default_rng(0)
    image = AWKWARD.astype(dtype)[rng.integers(0, 4, (50, 57))]
    stored, how = WHERE_IT_IS[where](image), COMPARED[compared]
    assert painted(stored, 4, how).tobytes() == image.tobytes()
    if where != "several":
        # Their place makes every pixel another one, but not its color.
        how = {"position_weight": 1e-3, "init": "k-means++"} | how
        assert painted(stored, 4, how).tobytes() == image.tobytes()


@pytest.mark.parametrize("where", WHERE_IT_IS)
def test_a_background_keeps_its_color(where):
    rng = np.random.default_rng(0)
    image = rng.normal(0.8, 0.05, (50, 57, 3))
    back = np.indices((50, 57)).sum(0) % 7 > 1
    image[back] = [0.1, 0.2, 0.3]
    found = painted(WHERE_IT_IS[where](image), 2, {})
    assert found[back].tobytes() == image[back].tobytes()
    assert len(np.unique(found[~back], axis=0)) == 1


def test_the_smallest_numbers_keep_their_color():
    with pytest.warns(UserWarning, match="only . distinct color"):
        answer = cluster_image([[5e-324, 5e-324]], 2, weights=[[0.5, 0.5]])
    assert answer.image.tolist() == [[5e-324, 5e-324]]


def test_large_integers_keep_their_color():
    image = np.array([2**53 - 1, 2**52 + 7, -(2**53) + 3])[RNG.integers(0, 3, (90, 90))]
    assert painted(image, 3, {}).tobytes() == image.tobytes()


@pytest.mark.parametrize("where", ["memory", "slices", "dask"])
@pytest.mark.parametrize("seed", chosen(range(6), 0))
def test_a_run_cut_short_paints_its_centroids(where, seed):
    lines = np.random.default_rng(0).random((6, 130, 1))[seed] * 9
    image = np.repeat(lines, 15, axis=1)
    image[:, :3] = [1e8, 20, 30][seed % 3]
    how = {"rng": seed, "max_iter": 1, "tol": 0, "coarse_start": False}
    answer = cluster_image(WHERE_IT_IS[where](image), 100, **how)
    assert answer.stopped_by == "max_iter"
    assert np.abs(answer.palette - answer.centroids[:, 0]).max() <= 1e-3
