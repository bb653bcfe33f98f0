"""Distinct colors: an exact shortcut, there and back."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kmeans_np import cluster_image
from kmeans_np.colors import (
    ColorCounts,
    ColorPacking,
    Units,
    distinct,
    distinct_colors,
    distinct_values,
    lab_from_rgb,
    look_up,
    lookup,
    merge_counts,
    rgb_from_lab,
    take_colors,
)


def pixels(channels, top=255):
    shape = st.tuples(st.integers(1, 200), st.just(channels))
    return hnp.arrays(np.uint8, shape, elements=st.integers(0, top))


@given(st.one_of(pixels(1), pixels(3), pixels(3, top=3)), st.integers(1, 30))
def test_colors_and_counts_are_those_of_unique(values, block):
    expected, counts = np.unique(values, axis=0, return_counts=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "COUNT_BLOCK", block)
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
        patch.setattr(distinct, "FEW_PIXELS", few)
        patch.setattr(lookup, "BLOCK", 7)
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
        patch.setattr(lookup, "FEW_PIXELS", few)
        assert np.array_equal(take_colors(palette, labels), palette[labels])


def test_a_photograph(china):
    values = china.reshape(-1, 3)
    found = distinct_colors(values)
    assert len(found.colors) == 96_615
    assert found.counts.sum() == len(values)
    back = np.stack([look_up(column, found) for column in found.colors.T], axis=1)
    assert np.array_equal(back, values)


# ---- Integers of any width -------------------------------------------------------

WIDE = [
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
]


@st.composite
def repeated(draw):
    """Pixels of integers of any type, each at least twice."""
    kind = draw(st.sampled_from(WIDE))
    limits = np.iinfo(kind)
    low, high = max(limits.min, -(2**53)), min(limits.max, 2**53)
    near = draw(st.integers(low, high))
    span = draw(st.sampled_from([0, 1, 300, 2**20, 2**60]))
    values = st.integers(max(low, near - span), min(high, near + span))
    shape = st.tuples(st.integers(1, 60), st.integers(1, 5))
    pixels = draw(hnp.arrays(kind, shape, elements=values))
    return draw(st.permutations([*pixels, *pixels])), kind


@pytest.mark.parametrize("few", [0, 10**9])
@given(repeated(), st.integers(1, 30))
def test_distinct_values_are_those_of_unique(few, drawn, block):
    rows, kind = drawn
    pixels = np.array(rows, kind)
    expected, counts = np.unique(pixels, axis=0, return_counts=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "FEW_PIXELS", few)
        patch.setattr(distinct, "SEARCH_BLOCK", block)
        found = distinct_values(pixels)
        spans = np.ptp(expected.astype(object), axis=0)
        if sum(int(span).bit_length() for span in spans) > 64:
            assert found is None
            return
        assert found.colors.dtype == kind
        assert np.array_equal(found.colors, expected)
        assert np.array_equal(found.counts, counts)
        for channel in range(pixels.shape[1]):
            back = look_up(found.colors[:, channel], found)
            assert np.array_equal(back, pixels[:, channel])


def test_black_and_white_are_two_values():
    pixels = np.array([[True], [False], [True], [True]])
    found = distinct_values(pixels)
    assert found.colors.ravel().tolist() == [False, True]
    assert found.counts.tolist() == [1, 3]


def test_values_that_hardly_repeat_are_not_counted():
    once = np.arange(100, dtype=np.uint16)[:, None]
    assert distinct_values(once) is None
    assert distinct_values(np.concatenate([once, once[:98]])) is None
    assert len(distinct_values(np.concatenate([once, once])).counts) == 100


# ---- CIELAB ----------------------------------------------------------------------


@given(hnp.arrays(np.float64, (7, 3), elements=st.floats(-0.3, 1.3)))
def test_there_and_back(rgb):
    np.testing.assert_allclose(rgb_from_lab(lab_from_rgb(rgb)), rgb, atol=1e-6)


def test_a_color_is_the_same_alone_and_among_others(rng):
    rgb = rng.random((1000, 3))
    together = lab_from_rgb(rgb)
    assert all(
        np.array_equal(lab_from_rgb(rgb[i : i + 1])[0], together[i])
        for i in range(0, 1000, 50)
    )


def test_white_black_and_grays_have_no_hue():
    grays = np.repeat(np.linspace(0, 1, 11), 3).reshape(-1, 3)
    lab = lab_from_rgb(grays)
    assert np.abs(lab[:, 1:]).max() < 0.02
    assert lab[0].tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    assert lab[-1, 0] == pytest.approx(100)
    assert (np.diff(lab[:, 0]) > 0).all()


# ---- Weights of colors ---------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 300]))
def test_weights_add_up_exactly_in_any_order(seed, power):
    rng = np.random.default_rng(seed)
    weights = np.maximum(rng.random(500) ** power, 1e-100) * 10.0 ** rng.integers(0, 99)
    split = Units.of(weights.min(), weights.max(), len(weights)).split(weights)
    order = rng.permutation(500)
    cuts = np.split(order, [3, 200, 477])
    for part, exact in zip(split, map(math.fsum, split), strict=True):
        assert sum(part[cut].sum() for cut in cuts) == part.sum() == exact
    assert split.sum() == pytest.approx(math.fsum(weights), rel=1e-15)
    # Each keeps its first 48 bits, however small it is.
    assert (np.abs(split.sum(axis=0) - weights) <= 2.0**-48 * weights).all()


def test_whole_weights_are_kept_as_they_are():
    weights = np.arange(1, 1000.0)
    large, *small = Units.of(1, 999, 1000).split(weights)
    assert np.array_equal(large, weights)
    assert not np.any(small)


def test_counts_of_weighted_pixels_are_the_sums_of_their_weights():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 3, (90, 70, 3), np.uint8)
    weights = rng.random((90, 70)) ** 9
    answer = cluster_image(image, 5, weights=weights, rng=0)
    for label, count in enumerate(answer.counts):
        exact = math.fsum(weights[answer.labels == label])
        assert count == pytest.approx(exact, rel=1e-14)


def test_tiny_weights_beside_large_ones_are_counted():
    image, weights = np.uint8([[255, 255, 255, 0, 0]]), [[1, 1, 1, 1e-100, 2e-100]]
    answer = cluster_image(image, 2, weights=weights, rng=0, coarse_start=False)
    assert answer.counts == pytest.approx([3, 3e-100], rel=1e-14)


# ---- Counts of blocks --------------------------------------------------------------

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")


def counted(blocks, dtype, channels, n=2000):
    counts = ColorCounts(ColorPacking(np.dtype(dtype), channels), n)
    for block in blocks:
        counts.add(block)
    return counts.colors()


@given(
    dtype=st.sampled_from(TYPES),
    channels=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 2000), max_size=5),
    shuffled=st.booleans(),
    n=st.sampled_from([2000, 2**20]),
)
def test_any_cut_into_blocks_in_any_order_counts_the_same(
    dtype, channels, seed, cuts, shuffled, n
):
    rng = np.random.default_rng(seed)
    ends = np.iinfo(dtype)
    pixels = rng.choice(np.linspace(ends.min, ends.max, 4), (2000, channels))
    pixels = pixels.astype(dtype)
    coding = ColorPacking(np.dtype(dtype), channels)
    if not coding.is_possible:
        return
    blocks = np.split(pixels, sorted(cuts))
    if shuffled:
        blocks = [blocks[i] for i in rng.permutation(len(blocks))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kmeans_np.colors.counts.COUNT_BLOCK", 300)
        patch.setattr("kmeans_np.colors.counts.MANY_COLORS", 200)
        found = counted(blocks, dtype, channels, n)
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
