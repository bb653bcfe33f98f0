"""Counting colors without sorting: the same count, whichever way it is made."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_coarse_start import bits

from kmeans_np import cluster_image
from kmeans_np.colors import cell_counts, distinct, distinct_colors
from kmeans_np.colors.cell_counts import count_in_cells, sorts_slowly


def as_codes(pixels):
    return pixels.astype(np.uint32) @ np.array([1, 2**8, 2**16], np.uint32)


def counted(codes):
    blocks = [slice(start, start + 1000) for start in range(0, len(codes), 1000)]
    return count_in_cells(codes, blocks)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_counts, "BLOCK", 300)
        patch.setattr(distinct, "COUNT_BLOCK", 1000)
        patch.setattr(distinct, "MANY_PIXELS", 1000)
        yield


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(3))))
def test_each_color_is_counted_and_cells_stay_together(some):
    # Each often enough for a table to pay.
    pixels = np.tile(some, (64, 1))
    codes, counts = counted(as_codes(pixels))
    colors = np.stack([codes & 255, codes >> 8 & 255, codes >> 16], axis=1)
    expected, numbers = np.unique(pixels, axis=0, return_counts=True)
    order = np.lexsort(colors.T[::-1])
    assert np.array_equal(colors[order], expected)
    assert np.array_equal(counts[order], numbers)
    cells = (colors >> 3).astype(int) @ [32**2, 32, 1]
    assert (np.diff(cells) >= 0).all()
    assert (np.diff(codes.astype(int))[np.diff(cells) == 0] > 0).all()


def test_all_codes_come_back():
    # Of a prime distance, so that all values of all channels are among them.
    codes = np.arange(0, 2**24, 251, dtype=np.uint32)
    assert np.array_equal(cell_counts._codes(cell_counts._numbers(codes)), codes)


@pytest.mark.parametrize("crop", [np.s_[:], np.s_[::40]])
def test_an_image_has_the_same_bits(china, crop, monkeypatch):
    found, asked = [], []
    for slow in (False, True):
        monkeypatch.setattr(distinct, "sorts_slowly", lambda slow=slow: slow)
        monkeypatch.setattr(
            distinct, "count_in_cells", lambda *a: asked.append(0) or count_in_cells(*a)
        )
        colors = distinct_colors(china[crop].reshape(-1, 3))
        found.append([array.tobytes() for array in colors[:4]])
        found[-1].append(bits(cluster_image(china[crop], 4, rng=0)))
    assert found[0] == found[1]
    assert len(asked) == 2


def test_a_table_larger_than_the_image_is_not_made(china, monkeypatch):
    monkeypatch.setattr(cell_counts, "SMALL_TABLE", 2**10)
    few = as_codes(china[::40, ::40].reshape(-1, 3))
    assert counted(few) is None


def test_tables_of_many_threads_are_not_larger_together(china, monkeypatch):
    monkeypatch.setattr(cell_counts, "SMALL_TABLE", 0)
    codes = np.tile(as_codes(china[::20, ::20].reshape(-1, 3)), 500)
    n_cells = len({*(cell_counts._numbers(codes) // 64).tolist()})
    fit = 2 * len(codes) // (n_cells * 64)
    assert fit >= 1
    for n_threads, fits in ((1, True), (fit, True), (fit + 1, False)):
        monkeypatch.setattr(cell_counts, "n_threads", lambda n=n_threads: n)
        assert (counted(codes) is not None) is fits


@pytest.mark.parametrize("slow", [True, False])
def test_what_is_slow_is_measured(slow, monkeypatch):
    real = np.sort

    def sort(array, **how):
        if array.itemsize == (4 if slow else 2):
            time.sleep(0.02)
        return real(array, **how)

    monkeypatch.setattr("numpy.sort", sort)
    assert sorts_slowly.__wrapped__() is slow
