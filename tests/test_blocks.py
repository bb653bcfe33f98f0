"""Arrays that are read in blocks and computed when they are read."""

import math
import operator
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices
from sources import Slices
from tables import few_examples

from kmeans_np import segment_image
from kmeans_np.arrays import BlockReader, LazyArray, Progress, is_sliced, tiles
from kmeans_np.arrays import chunks as sliced_module
from kmeans_np.arrays import lazy as views_module

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


# ---- Tiles -------------------------------------------------------------------------


@given(shape=SHAPES, size=st.integers(1, 200), data=st.data())
def test_tiles_cover_everything_once_in_whole_chunks(shape, size, data):
    chunks = data.draw(
        st.none() | st.tuples(*(st.integers(1, n + 2) for n in shape)), "chunks"
    )
    seen = np.zeros(shape, int)
    for place in tiles(shape, chunks, size):
        seen[place] += 1
        least = math.prod(map(min, shape, chunks)) if chunks else 1
        assert seen[place].size <= max(size, least)
        for cut, chunk in zip(place, chunks or []):
            assert cut.start % min(chunk, max(1, cut.start)) == 0 or chunk == 1
    assert (seen == 1).all()


@given(shape=SHAPES, size=st.integers(1, 200))
def test_tiles_come_in_the_order_of_memory_where_rows_fit(shape, size):
    places = [
        np.arange(math.prod(shape)).reshape(shape)[t] for t in tiles(shape, None, size)
    ]
    in_rows = np.concatenate([place.ravel() for place in places])
    assert np.array_equal(in_rows, np.arange(math.prod(shape)))


# ---- What is read in slices --------------------------------------------------------


def test_what_is_read_in_slices(tmp_path):
    array = np.zeros((3, 4))
    np.save(tmp_path / "a.npy", array)
    assert is_sliced(np.load(tmp_path / "a.npy", mmap_mode="r"))
    assert is_sliced(Slices(array))
    for other in (array, array.tolist(), np.float64(1), 3, "a.npy", None, {}, [array]):
        assert not is_sliced(other)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_blocks_of_a_memory_map_are_what_is_in_the_file(tmp_path, mode):
    array = np.arange(1200, dtype=">u2").reshape(40, 30)
    np.save(tmp_path / "a.npy", array)
    opened = np.load(tmp_path / "a.npy", mmap_mode=mode)
    if mode != "r":
        opened[3] = 7
    expected = array if mode == "r" else np.array(opened)
    source = BlockReader(opened)
    assert source.dtype == np.dtype(">u2")
    for place in tiles(source.shape, None, 90):
        assert np.array_equal(source[place], expected[place])
    # Nothing that was written is lost: on disk with "r+", in memory with "c".
    assert np.array_equal(opened, expected)
    assert np.array_equal(
        np.load(tmp_path / "a.npy"), array if mode == "c" else expected
    )


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_in_another_process_is_what_it_is_here(tmp_path, mode):
    for order in "CF":
        array = np.array(np.arange(1200, dtype=">u2").reshape(40, 30), order=order)
        np.save(tmp_path / "a.npy", array)
        opened = np.load(tmp_path / "a.npy", mmap_mode=mode)
        if mode != "r":
            opened[3] = 7
        for each in (opened, opened[5:, ::2], opened.T):
            source = BlockReader(each)
            data = pickle.dumps(source)
            place = tuple(slice(0, n) for n in source.shape)
            assert np.array_equal(pickle.loads(data)[place], each)
            if each is opened and mode != "c":
                assert len(data) < 400


@pytest.mark.slow
def test_what_was_read_of_a_file_does_not_stay_in_memory(tmp_path):
    array = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (2**27,))
    array[:] = 1
    array.flush()
    source = BlockReader(np.load(tmp_path / "a.npy", mmap_mode="r"))
    del array

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    try:
        before = resident()
    except OSError:
        pytest.skip("no /proc here")
    total = sum(int(source[place].sum()) for place in tiles(source.shape, None, 2**20))
    assert total == 2**27
    assert resident() - before < 2**25


# ---- Views -------------------------------------------------------------------------


def view_of(array, chunks=None):
    def compute(place):
        assert all(cut.step > 0 for cut in place)
        return array[place].copy()

    return LazyArray(array.shape, array.dtype, chunks, compute)


@given(shape=SHAPES, size=st.integers(1, 60), data=st.data())
def test_a_view_is_indexed_like_an_array(shape, size, data):
    array = np.arange(math.prod(shape)).reshape(shape)
    index = data.draw(basic_indices(shape, allow_newaxis=True), "index")
    chunks = data.draw(st.none() | st.just(tuple(min(3, n) for n in shape)), "chunks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views_module, "BLOCK", size)
        view = view_of(array, chunks)
        found = view[index]
        assert np.array_equal(found, array[index])
        assert np.shape(found) == array[index].shape
        assert np.array_equal(np.asarray(view), array)


def test_a_view_is_an_array_wherever_one_is_asked_for():
    array = np.arange(12).reshape(3, 4)
    view = view_of(array)
    assert (view.shape, view.ndim, view.size, len(view)) == ((3, 4), 2, 12, 3)
    assert np.array_equal(view == 5, array == 5)
    assert np.array_equal(1 - view, 1 - array)
    assert np.array_equal(np.add.reduce(view), array.sum(axis=0))
    assert np.array_equal(view[[2, 0]], array[[2, 0]])
    assert np.array_equal(view[array > 3], array[array > 3])
    assert np.array_equal(np.unique(view), np.arange(12))
    assert [row.tolist() for row in view] == array.tolist()
    assert np.asarray(view, np.float32).dtype == np.float32
    assert view.max() == 11
    assert view.T.shape == (4, 3)
    with pytest.raises(AttributeError, match="a LazyArray has no attribute 'palette'"):
        view.palette  # noqa: B018
    assert repr(view) == f"<LazyArray of 3 x 4 {array.dtype}, computed when it is read>"
    for wrong in ((0, 0, 0), (3,), (0, -5), (..., ...)):
        with pytest.raises(IndexError):
            view[wrong]


def outcome(action, array):
    """Return what an action on an array gives: its bits, or the kind of its error."""
    try:
        found = action(array)
    except Exception as error:
        return type(error)
    if isinstance(found, tuple):
        return tuple(outcome(lambda each: each, each) for each in found)
    if isinstance(found, (np.ndarray, np.generic)):
        return found.shape, found.dtype, found.tobytes()
    return found


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), data=st.data())
def test_a_view_is_indexed_like_an_array_also_by_arrays_and_wrongly(shape, data):
    array = read_only(np.arange(math.prod(shape)).reshape(shape))
    one = st.one_of(
        st.integers(-5, 5),
        st.integers(-5, 5).map(np.int8),
        st.sampled_from([True, False, None, ..., 1.5, "a", np.True_, np.False_]),
        st.slices(3),
        st.lists(st.integers(-2, 2), max_size=3),
        st.lists(st.booleans(), min_size=1, max_size=4),
        st.just(np.array(0)),
        st.just(array > 2),
        st.just(slice(None, None, 0)),
    )
    index = data.draw(one | st.lists(one, max_size=4).map(tuple), "index")
    expected = outcome(lambda each: each[index], array)
    assert outcome(lambda each: each[index], view_of(array)) == expected


ARRAY = read_only(np.arange(-5, 7, dtype=np.int8).reshape(3, 4))
# All but those that ask for the same object, or for what is no array's.
OPERATORS = {*operator.__all__} - {
    "attrgetter", "call", "concat", "iconcat", "is_", "is_not", "itemgetter",
    "methodcaller",
}  # fmt: skip
METHODS = {
    "methods that would write": lambda a: [a.sort(), a.fill(3), a.put(0, 1)],
    "flat": lambda a: a.flat.__setitem__(0, 1),
    "a view of its own": lambda a: a.ravel().__setitem__(0, 1),
    "item": lambda a: a.__setitem__((0, 0), 1),
    "every item": lambda a: a.__setitem__(..., 1),
    "out": lambda a: np.add(1, 2, out=a),
    "one of several out": lambda a: np.divmod(7, 2, out=(None, a)),
    "out of a reduction": lambda a: np.add.reduce(np.ones((2, 3, 4)), out=a),
    "at": lambda a: np.add.at(a, 0, 1),
    "at with it as values": lambda a: np.add.at(np.zeros((3, 4)), ..., a),
    "where": lambda a: np.add(1, a, where=a > 0, out=np.zeros((3, 4))),
    "it as where": lambda a: np.add(1, 2, where=a != 0, out=np.zeros((3, 4))),
    "outer": lambda a: np.multiply.outer(a, a),
    "accumulate": lambda a: np.maximum.accumulate(a, axis=1),
    "reduceat": lambda a: np.add.reduceat(a, [0, 2], axis=1),
    "two outputs": lambda a: np.divmod(a, 3),
    "an array on the left": lambda a: np.ones((3, 4)) * a,
    "added to an array": lambda a: operator.iadd(np.ones((3, 4)), a),
    "matrix product": lambda a: a @ a.T,
    "functions": lambda a: np.concatenate([a, a[::2]]).tolist(),
    "sums": lambda a: [np.sum(a), np.mean(a, axis=0).tolist(), a.any()],
    "contains": lambda a: [3 in a, 100 in a],
    "truth": bool,
    "truth of one": lambda a: bool(a[:1, :1]),
    "length": len,
    "bytes": lambda a: [a.nbytes, a.itemsize, a.size],
    "hash": hash,
    "content": bytes,
    "compared with a word": lambda a: [(a == "a").tolist(), (a != "a").tolist()],
    "compared with nothing": lambda a: [(a == None).tolist(), (a != None).tolist()],  # noqa: E711
    "reversed": lambda a: [row.tolist() for row in reversed(a)],
    "item deleted": lambda a: a.__delitem__(0),
    "a new attribute": lambda a: setattr(a, "name", 3),
    "another way around": lambda a: setattr(a, "T", 3),
    "no copy": lambda a: np.array(a, copy=None).tolist(),
}


@pytest.mark.parametrize("action", METHODS.values(), ids=METHODS)
def test_a_view_is_a_read_only_array(action):
    expected = outcome(action, ARRAY)
    assert outcome(action, view_of(ARRAY)) == expected


@pytest.mark.parametrize("others", [(), (2,), (ARRAY,), ((1, 2), 3)], ids=str)
def test_operators_take_a_view_for_an_array(others):
    for name in sorted(OPERATORS):

        def act(array, name=name):
            return getattr(operator, name)(array, *others)

        assert outcome(act, view_of(ARRAY)) == outcome(act, ARRAY), name


def test_what_is_written_to_a_view_is_refused_with_what_to_do():
    view = view_of(ARRAY)
    with pytest.raises(ValueError, match=r"write to a copy, such as numpy.array"):
        view += 1
    labels = np.array(view)
    labels[0] = 1
    assert labels[0].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", [bool, int, float, operator.index])
def test_a_view_of_one_element_is_a_number(kind):
    for dtype in (np.int8, np.float32):
        array = read_only(np.array([[3]], dtype))
        assert outcome(kind, view_of(array)) == outcome(kind, array)


def test_only_what_is_asked_for_is_computed():
    asked = []

    def compute(place):
        asked.append(place)
        return np.zeros([cut.stop - cut.start for cut in place])

    view = LazyArray((10**9, 10**9), np.dtype(float), None, compute)
    assert view[5, 7:9].shape == (2,)
    assert asked == [(slice(5, 6, 1), slice(7, 9, 1))]


@few_examples
@given(shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), size=st.integers(1, 40))
@pytest.mark.parametrize("axis", [0, -1])
def test_writing_paints_everything_and_tells_how_far_it_is(axis, shape, size):
    rng = np.random.default_rng(math.prod(shape) + size)
    image = rng.integers(0, 9, (*shape, 3), np.uint8) * 20
    image = np.ascontiguousarray(np.moveaxis(image, -1, axis))
    how = {"rng": 0, "channel_axis": axis, "max_iter": 2}
    expected, told = segment_image(image, 1, **how), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sliced_module, "BLOCK", size)
        for out in (np.zeros_like(image), image):
            told.clear()
            segment_image(image, 1, out=out, progress=told.append, **how)
            assert np.array_equal(out, expected)
    told = [one for one in told if one.task == "paint"]
    assert [one.done for one in told] == sorted({one.done for one in told})
    assert told[-1].done == told[-1].total == math.prod(shape)
    assert told[-1].seconds_left == 0


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_an_image_may_be_painted_over_in_blocks(axis, monkeypatch):
    rng = np.random.default_rng(0)
    image = np.moveaxis(rng.integers(0, 8, (40, 50, 3), np.uint8) * 30, -1, axis)
    image = np.ascontiguousarray(image)
    how = {"rng": 0, "channel_axis": axis, "max_iter": 2}
    expected = segment_image(image, 4, **how)
    monkeypatch.setattr(sliced_module, "BLOCK", 1000)
    segment_image(image, 4, out=image, **how)
    assert np.array_equal(image, expected)


def test_the_time_left_is_that_of_the_rest_at_the_same_speed():
    assert Progress("count", 25, 100, 2.0).seconds_left == 6.0
    assert sliced_module.BLOCK >= 2**20
