"""Distinct colors: an exact shortcut, there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kmeans_np import colors
from kmeans_np.colors import distinct_colors, look_up


def pixels(channels, top=255):
    shape = st.tuples(st.integers(1, 200), st.just(channels))
    return hnp.arrays(np.uint8, shape, elements=st.integers(0, top))


@given(st.one_of(pixels(1), pixels(3), pixels(3, top=3)), st.integers(1, 30))
def test_colors_and_counts_are_those_of_unique(values, block):
    expected, counts = np.unique(values, axis=0, return_counts=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colors, "COUNT_BLOCK", block)
        found = distinct_colors(values)
    order = np.lexsort(found.colors.T[::-1])
    assert np.array_equal(found.colors[order], expected)
    assert np.array_equal(found.counts[order], counts)
    cells = [[channel // 8 for channel in color] for color in found.colors.tolist()]
    assert cells == sorted(cells), "the passes want them cell by cell"


@given(pixels(3))
def test_memory_orders(values):
    expected = distinct_colors(values)
    wide = np.zeros((2 * len(values), 6), np.uint8)
    wide[::2, ::2] = values
    for same in (np.asfortranarray(values), wide[::2, ::2], values[::-1][::-1]):
        same.flags.writeable = False
        for one, other in zip(distinct_colors(same), expected):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("few", [0, 10**9])
@given(values=st.one_of(pixels(1), pixels(3), pixels(3, top=3)))
def test_look_up_gives_each_pixel_what_its_color_has(few, values):
    found = distinct_colors(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colors, "FEW_PIXELS", few)
        patch.setattr(colors, "BLOCK", 7)
        for channel in range(values.shape[1]):
            back = look_up(found.colors[:, channel].astype(np.uint8), found)
            assert np.array_equal(back, values[:, channel])


@pytest.mark.parametrize("few", [0, 10**9])
@given(st.data())
def test_color_in_is_indexing(few, data):
    k, channels = data.draw(st.sampled_from([1, 2, 8, 127, 128, 200])), 3
    kind = np.min_scalar_type(-k)
    palette = data.draw(hnp.arrays(np.uint8, (k, channels)))
    labels = data.draw(
        hnp.arrays(kind, st.integers(1, 99), elements=st.integers(0, k - 1))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colors, "FEW_PIXELS", few)
        assert np.array_equal(colors.color_in(palette, labels), palette[labels])


def test_a_photograph(china):
    values = china.reshape(-1, 3)
    found = distinct_colors(values)
    assert len(found.colors) == 96_615
    assert found.counts.sum() == len(values)
    back = np.stack([look_up(column, found) for column in found.colors.T], axis=1)
    assert np.array_equal(back, values)
