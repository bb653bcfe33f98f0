"""Images that are read in blocks: the same answer as in memory, to the last bit."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_blocks import Elsewhere

from kmeans_np import (
    Progress,
    apply_palette,
    cluster_image,
    sample_image,
    segment_image,
    write_image,
)
from kmeans_np.arrays import LazyArray
from kmeans_np.arrays import chunks as sliced_module
from kmeans_np.colors import (
    ColorCounts,
    ColorPacking,
    distinct_colors,
    distinct_values,
    merge_counts,
)
from kmeans_np.colors import counts as counts_module

PICTURE = sample_image()[::3, ::3]
TYPES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", ">u2")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """So small that a small image has many."""
    monkeypatch.setattr(sliced_module, "BLOCK", 1000)
    monkeypatch.setattr(counts_module, "COUNT_BLOCK", 300)
    monkeypatch.setattr(counts_module, "MANY_COLORS", 200)


def same(one, other):
    assert np.array_equal(one.labels, other.labels)
    assert one.labels.dtype == other.labels.dtype
    for name in ("palette", "centroids", "counts", "shares", "image"):
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        assert a.tobytes() == b.tobytes(), name
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
    for name in ("inertia", "n_iter", "stopped_by"):
        assert getattr(one, name) == getattr(other, name), name


def picture(rng, dtype, channels, levels=6, shape=(37, 41)):
    """A picture of few colors, spread over all of its type."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        low, high = 0, 1
    else:
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
    values = np.linspace(low, high, levels).astype(kind)
    return rng.choice(values, (*shape, *channels))


# ---- The same answer ---------------------------------------------------------------


@given(
    dtype=st.sampled_from(TYPES),
    channels=st.sampled_from([(), (1,), (2,), (3,), (4,)]),
    seed=st.integers(0, 2**32 - 1),
    chunks=st.sampled_from([None, (5, 7), (40, 40), (1, 41)]),
    masked=st.booleans(),
)
def test_what_is_read_in_blocks_has_the_answer_of_what_is_in_memory(
    dtype, channels, seed, chunks, masked
):
    rng = np.random.default_rng(seed)
    image = picture(rng, dtype, channels)
    mask = rng.random(image.shape[:2]) < 0.7 if masked else None
    how = {"mask": mask, "rng": seed}
    k = 2 if dtype == "bool" else 3
    source = Elsewhere(image, None if chunks is None else (*chunks, *channels))
    same(cluster_image(source, k, **how), cluster_image(image, k, **how))
    if np.dtype(dtype).itemsize * (channels or (1,))[0] <= 8:
        assert source.largest <= max(1600, 41 * 40) * (channels or (1,))[0]


@pytest.mark.parametrize(
    "how",
    [
        {"k": 70},
        {"init": "k-means++"},
        {"color_space": "lab"},
        {"normalize": True},
        {"init": [[0, 0, 0], [90, 90, 90], [200, 120, 60]], "k": 3},
        {"max_iter": 2},
        {"coarse_start": False},
    ],
    ids=str,
)
def test_options_do_the_same_in_blocks(how):
    image = PICTURE
    how = {"k": 5, "rng": 1} | how
    k = how.pop("k")
    same(cluster_image(Elsewhere(image), k, **how), cluster_image(image, k, **how))


def test_a_channel_axis_in_front_and_volumes():
    rng = np.random.default_rng(0)
    volume = picture(rng, "uint8", (), 9, (3, 20, 30))
    answer = cluster_image(Elsewhere(volume), 3, channel_axis=None, rng=0)
    same(answer, cluster_image(volume, 3, channel_axis=None, rng=0))
    answer = cluster_image(Elsewhere(volume, (1, 8, 8)), 3, channel_axis=0, rng=0)
    same(answer, cluster_image(volume, 3, channel_axis=0, rng=0))
    expected = cluster_image(volume, 3, channel_axis=0, rng=0).image
    assert np.array_equal(answer.image[1, ::-3], expected[1, ::-3])


@pytest.mark.parametrize(
    ("image", "how"),
    [
        (np.random.default_rng(0).normal(size=(20, 30)), {}),
        (np.random.default_rng(0).integers(0, 2**16, (20, 30, 3), np.uint16), {}),
        (np.random.default_rng(0).integers(0, 9, (20, 30, 3)), {}),
        (sample_image()[:30, :40], {"position_weight": 1}),
        (sample_image()[:30, :40], {"weights": np.arange(1200).reshape(30, 40)}),
        (np.random.default_rng(0).integers(0, 9, (20, 30, 12), np.uint16), {}),
    ],
    ids=["floats", "hardly repeats", "64 bits", "places", "weights", "12 bands"],
)
def test_what_cannot_be_counted_is_read_as_a_whole(image, how):
    how = {"rng": 0, "alpha": False, **how}
    same(cluster_image(Elsewhere(image), 3, **how), cluster_image(image, 3, **how))


def test_a_memory_map_is_read_in_blocks(tmp_path):
    image = PICTURE
    np.save(tmp_path / "image.npy", image)
    opened = np.load(tmp_path / "image.npy", mmap_mode="r")
    answer = cluster_image(opened, 4, rng=0)
    assert isinstance(answer.labels, LazyArray)
    same(answer, cluster_image(image, 4, rng=0))


def test_what_can_be_done_with_an_answer_in_blocks():
    image = PICTURE
    one, other = (cluster_image(each, 4, rng=0) for each in (image, Elsewhere(image)))
    assert np.array_equal(other.mask_of(2), one.mask_of(2))
    assert np.array_equal(other.overlay(outline=True), one.overlay(outline=True))
    assert other._repr_html_() == one._repr_html_()
    assert repr(other) == repr(one)
    same(other.apply(image[::2]), one.apply(image[::2]))
    same(other.apply(Elsewhere(image[::2])), one.apply(image[::2]))
    with pytest.raises(ValueError, match="image must have as many channels"):
        one.apply(Elsewhere(np.zeros((5, 5, 2), np.uint8)))
    with pytest.raises(ValueError, match="image must be of the type of the image"):
        one.apply(Elsewhere(image.astype(np.uint16)))


@pytest.mark.slow
def test_a_large_picture_is_shown_small():
    image = np.kron(sample_image(), np.ones((4, 4, 1), np.uint8))
    one, other = (cluster_image(each, 4, rng=0) for each in (image, Elsewhere(image)))
    assert other._repr_html_() == one._repr_html_()


def test_a_palette_is_applied_in_blocks():
    image = PICTURE
    palette = [[0, 0, 0], [255, 120, 60], [30, 60, 90]]
    for space in ("rgb", "lab"):
        answer = apply_palette(Elsewhere(image), palette, color_space=space)
        assert isinstance(answer.image, LazyArray)
        same(answer, apply_palette(image, palette, color_space=space))


# ---- Counts ------------------------------------------------------------------------


def counted(blocks, dtype, channels):
    counts = ColorCounts(ColorPacking(np.dtype(dtype), channels))
    for block in blocks:
        counts.add(block)
    return counts.colors()


@given(
    dtype=st.sampled_from(TYPES[1:-1]),
    channels=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 2000), max_size=5),
    shuffled=st.booleans(),
)
def test_any_cut_into_blocks_in_any_order_counts_the_same(
    dtype, channels, seed, cuts, shuffled
):
    rng = np.random.default_rng(seed)
    pixels = picture(rng, dtype, (channels,), 4, (2000, 1))[:, 0]
    coding = ColorPacking(np.dtype(dtype), channels)
    if not coding.is_possible:
        return
    blocks = np.split(pixels, sorted(cuts))
    if shuffled:
        blocks = [blocks[i] for i in rng.permutation(len(blocks))]
    found = counted(blocks, dtype, channels)
    fast = dtype == "uint8" and channels in (1, 3)
    expected = distinct_colors(pixels) if fast else distinct_values(pixels)
    assert np.array_equal(found.colors, expected.colors)
    assert np.array_equal(found.counts, expected.counts)
    assert found.counts.dtype == np.float64


@st.composite
def counts_of_parts(draw):
    """Rising codes with counts, of several parts, some large and some empty."""
    kind = draw(st.sampled_from([np.uint32, np.uint64]))
    last = np.iinfo(kind).max
    top = draw(st.sampled_from([5, 300, 2**24 - 1, last]))
    least = draw(st.sampled_from([0, last - top]))
    much = draw(st.sampled_from([3, 2**31, 2**33]))
    parts = draw(
        st.lists(
            st.dictionaries(
                st.integers(least, least + top), st.integers(1, much), max_size=9
            ),
            min_size=1,
            max_size=6,
        )
    )
    return [
        (
            np.array(sorted(part), kind),
            np.array([part[code] for code in sorted(part)], np.uint64),
        )
        for part in parts
    ]


@given(parts=counts_of_parts(), size=st.sampled_from([2, 2**17]), data=st.data())
def test_merging_counts_is_adding_up_in_any_order_and_grouping(parts, size, data):
    expected = {}
    for codes, counts in parts:
        for code, n in zip(codes.tolist(), counts.tolist()):
            expected[code] = expected.get(code, 0) + n
    order = data.draw(st.permutations(parts))
    cut = data.draw(st.integers(1, len(parts)))
    with mock.patch("kmeans_np.colors.distinct.RANGE", size):
        grouped = [
            merge_counts(order[:cut]),
            *([merge_counts(order[cut:])] if order[cut:] else []),
        ]
        answers = [merge_counts(parts), merge_counts(order), merge_counts(grouped)]
    for codes, counts in answers:
        assert dict(zip(codes.tolist(), counts.tolist())) == expected
        assert codes.tolist() == sorted(expected)
        assert codes.dtype == parts[0][0].dtype
        few = sum(expected.values()) < 2**32
        assert counts.dtype == (np.uint32 if few else np.uint64)


@pytest.mark.parametrize("size", [2, 3, 2**17])
@pytest.mark.parametrize("least", [0, 2**32 - 6])
def test_close_codes_are_merged_in_ranges(size, least, monkeypatch):
    monkeypatch.setattr("kmeans_np.colors.distinct.RANGE", size)
    parts = [
        (np.array([0, 1, 5]), np.array([1, 2, 3])),
        (np.array([], int), np.array([], int)),
        (np.array([1, 4, 5]), np.array([5, 2**32 - 1, 7])),
    ]
    codes, counts = merge_counts(
        [((a + least).astype(np.uint32), b.astype(np.uint64)) for a, b in parts]
    )
    assert (codes - np.uint32(least)).tolist() == [0, 1, 4, 5]
    assert counts.tolist() == [1, 7, 2**32 - 1, 10]
    assert counts.dtype == np.uint64


# ---- Where the answer goes ---------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, Elsewhere], ids=["memory", "elsewhere"])
def test_the_answer_is_written_where_it_is_asked_for(kind, tmp_path):
    image = PICTURE
    expected = segment_image(image, 4, rng=0)
    out = np.lib.format.open_memmap(tmp_path / "o.npy", "w+", np.uint8, image.shape)
    assert segment_image(kind(image), 4, rng=0, out=out) is out
    assert np.array_equal(np.load(tmp_path / "o.npy"), expected)
    assert np.array_equal(segment_image(kind(image), 4, rng=0), expected)


def test_the_answer_may_take_the_place_of_the_image(tmp_path):
    image = PICTURE
    out = np.lib.format.open_memmap(tmp_path / "i.npy", "w+", np.uint8, image.shape)
    out[:] = image
    segment_image(out, 4, rng=0, out=out)
    assert np.array_equal(out, segment_image(image, 4, rng=0))


def test_floats_are_written_too():
    image = np.random.default_rng(0).normal(size=(20, 30))
    out = np.empty_like(image)
    segment_image(image, 3, rng=0, out=out)
    assert np.array_equal(out, segment_image(image, 3, rng=0))


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((375, 500), np.uint8), "out must have the shape of the image, "),
        (np.zeros((375, 500, 3), float), "out must have the dtype of the image, uint8"),
        ([], "out must have the shape of the image, .* got none"),
    ],
)
def test_an_out_that_does_not_fit_is_refused(out, message):
    with pytest.raises(ValueError, match=message):
        segment_image(sample_image(), 4, out=out)


def test_progress_is_told_of_both_passes():
    told = []
    image = PICTURE
    segment_image(Elsewhere(image), 4, rng=0, progress=told.append)
    tasks = [one.task for one in told]
    assert tasks == sorted(tasks)
    assert {*tasks} == {"count", "paint"}
    for task in ("count", "paint"):
        last = [one for one in told if one.task == task][-1]
        assert isinstance(last, Progress)
        assert last.done == last.total == 125 * 167


# ---- Bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "how", "message"),
    [
        (np.zeros((4, 4)), {"k": 17}, "k must be at most the number of pixels, 16"),
        (np.zeros((4, 4), int), {"k": 0}, "k must be a whole number of at least 1"),
        (np.zeros((4, 4), np.uint8), {"tol": -1}, "tol must be"),
        (np.zeros(9, np.uint8), {}, "image must have 2 axes"),
        (np.zeros((0, 4), np.uint8), {}, "image must hold at least one row"),
        (np.zeros((4, 4), np.uint8), {"mask": np.ones(4)}, "mask must hold bools"),
        (np.zeros((4, 4), np.uint8), {"mask": np.ones(4, int)}, "mask must have one"),
        (np.zeros((4, 4), np.uint8), {"mask": np.zeros((4, 4), int)}, "mask must let"),
        (np.zeros((4, 4, 4), np.uint8), {}, "image must have at least one pixel that"),
        (np.zeros((4, 4), np.uint8), {"alpha": True}, "alpha must be False"),
        (np.zeros((4, 4), complex), {}, "image must hold real numbers"),
    ],
    ids=str,
)
def test_bad_input_is_refused_as_in_memory(array, how, message):
    how = {"k": 2} | how
    k = how.pop("k")
    for image in (array, Elsewhere(array)):
        with pytest.raises((ValueError, TypeError), match=message):
            cluster_image(image, k, **how)


def test_a_block_that_cannot_be_read_says_where_it_is():
    class Broken(Elsewhere):
        def __getitem__(self, place):
            if place[0].start <= 100 < place[0].stop:
                raise RuntimeError("bad sector")
            return super().__getitem__(place)

    image = Broken(PICTURE)
    message = r"got RuntimeError: bad sector, at \[100:105, 0:167, 0:3\]; mend that"
    with pytest.raises(OSError, match=message):
        cluster_image(image, 3)


def test_an_error_while_painting_leaves_the_source_as_it_was(tmp_path):
    image = PICTURE
    answer = cluster_image(Elsewhere(image), 3, rng=0)

    def interrupt(_):
        raise KeyboardInterrupt

    for name in ("o.npy", "o.zarr", "o.tif"):
        with pytest.raises(KeyboardInterrupt):
            write_image(tmp_path / name, answer.image, progress=interrupt)
    assert not list(tmp_path.iterdir())
    write_image(tmp_path / "o.npy", answer.image)
    assert np.array_equal(np.load(tmp_path / "o.npy"), answer.image)
