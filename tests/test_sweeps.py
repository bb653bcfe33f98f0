"""Every pass gives the textbook's answer (contract 1)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import any_points, arrays, generic_points, repetitions, tied_points

from kmeans_np import Sweep, lloyd
from kmeans_np.colors import distinct_colors
from kmeans_np.sweeps import BlockedSweep, CellSweep


def assert_same_run(sweep, textbook, start, **options):
    fast, slow = (
        list(lloyd(sweep, start, **options)),
        list(lloyd(textbook, start, **options)),
    )
    assert len(fast) == len(slow)
    for one, other in zip(fast, slow):
        assert np.array_equal(one.labels, other.labels)
        assert np.array_equal(one.new_centroids, other.new_centroids)
        scale = textbook.mean_variance() * len(textbook.points)
        assert one.inertia == pytest.approx(other.inertia, rel=1e-9, abs=1e-9 * scale)
        assert one.n_changed == other.n_changed
        assert one.restarted == other.restarted
        assert one.stopped_by == other.stopped_by


class TestBlockedSweep:
    @given(any_points(), st.integers(1, 70))
    def test_is_the_textbook_for_every_block_size(self, case, block_size):
        points, start = case
        sweep = BlockedSweep(points, block_size=block_size)
        assert_same_run(sweep, Sweep(points), start, max_iter=30)

    @given(st.data(), any_points())
    def test_is_the_textbook_with_weights(self, data, case):
        points, start = case
        weights = data.draw(repetitions(len(points)))
        sweep = BlockedSweep(points, weights, block_size=7)
        assert_same_run(sweep, Sweep(points, weights), start, max_iter=30)

    @given(tied_points())
    def test_types_and_memory_orders(self, case):
        points, start = case
        wide = np.zeros((len(points), 2 * points.shape[1]))
        wide[:, ::2] = points
        variants = [np.asfortranarray(points), wide[:, ::2], points[::-1][::-1]]
        variants += [
            points.astype(dtype) for dtype in (np.int8, np.float16, np.float32)
        ]
        for variant in variants:
            sweep = BlockedSweep(variant, block_size=5)
            assert_same_run(sweep, Sweep(points), start, max_iter=30)

    @pytest.mark.parametrize("d", [1, 2, 3, 8, 33])
    def test_many_blocks_of_the_size_it_picks(self, d, rng):
        points = rng.normal(size=(150_000, d))
        assert_same_run(BlockedSweep(points), Sweep(points), points[:5], max_iter=3)


class TestCellSweep:
    @settings(max_examples=200)
    @given(st.data())
    def test_is_the_textbook_on_colors(self, data):
        d, n = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 200))
        top = data.draw(st.sampled_from([1, 7, 40, 255]))
        points = data.draw(arrays((n, d), st.integers(0, top).map(float)))
        weights = data.draw(st.one_of(st.none(), repetitions(n, least=1)))
        k = data.draw(st.integers(1, min(12, n)))
        start = data.draw(arrays((k, d), st.integers(0, 2 * top).map(lambda x: x / 2)))
        sweep, textbook = CellSweep(points, weights), Sweep(points, weights)
        assert_same_run(sweep, textbook, start, tol=0, max_iter=40)

    @given(generic_points(max_n=300, max_d=3))
    def test_labels_are_the_textbooks_on_any_numbers(self, case):
        points, start = case
        tally, textbook = CellSweep(points)(start), Sweep(points)(start)
        assert np.array_equal(tally.labels, textbook.labels)
        scale = np.abs(points).max() * len(points)
        np.testing.assert_allclose(
            tally.sums, textbook.sums, rtol=0, atol=1e-12 * scale
        )
        assert np.array_equal(tally.counts, textbook.counts)
        total = Sweep(points).mean_variance() * points.size
        assert tally.inertia == pytest.approx(textbook.inertia, abs=1e-12 * total)

    @pytest.mark.parametrize("k", [1, 2, 8, 64, 300])
    def test_is_the_textbook_on_a_photograph(self, china, k, rng):
        colors = distinct_colors(china.reshape(-1, 3))
        start = colors.colors[rng.choice(len(colors.colors), k, replace=False)]
        sweep = CellSweep(colors.colors, colors.counts)
        textbook = BlockedSweep(colors.colors, colors.counts)
        assert_same_run(sweep, textbook, start, max_iter=6)

    def test_ties_along_the_border_of_two_centroids(self):
        # A full cube of colors, cut exactly through the middle of a layer of it.
        axis = np.arange(0.0, 256.0, 8)
        points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        for start in ([[0, 0, 0], [240, 0, 0]], [[248, 248, 248], [0, 0, 0]]):
            start = np.array(start, dtype=float)
            assert_same_run(CellSweep(points), Sweep(points), start, max_iter=3)

    def test_equal_centroids(self):
        points = np.arange(300.0).reshape(-1, 3)
        start = np.array([[9.0, 9, 9], [9, 9, 9], [200, 200, 200]])
        assert_same_run(CellSweep(points), Sweep(points), start)


class TestFarthest:
    """What a pass answers for empty clusters, also when put together from blocks."""

    @given(st.data(), tied_points())
    def test_all_distinct_points_off_their_centroid_farthest_first(self, data, case):
        points, centroids = case
        weights = data.draw(repetitions(len(points)))
        sweep = Sweep(points, weights)
        labels = sweep(centroids).labels
        far = list(sweep.farthest(centroids, labels))
        distances = [((f.point - centroids[f.label]) ** 2).sum() for f in far]
        keys = [(-distance, tuple(f.point)) for distance, f in zip(distances, far)]
        assert keys == sorted(keys)
        off = weights * (((points - centroids[labels]) ** 2).sum(axis=1) > 0)
        expected = {tuple(p): 0.0 for p in points[off > 0]}
        for point, weight in zip(points, off):
            if weight:
                expected[tuple(point)] += weight
        assert {tuple(f.point): f.weight for f in far} == expected

    @given(tied_points(max_n=40), st.integers(1, 12))
    def test_those_of_blocks_make_those_of_the_whole(self, case, size):
        points, centroids = case
        labels = Sweep(points)(centroids).labels
        merged = {}
        for start in range(0, len(points), size):
            block, part = (
                Sweep(points[start : start + size]),
                labels[start : start + size],
            )
            for far in block.farthest(centroids, part):
                weight = merged.get((tuple(far.point), far.label), 0)
                merged[tuple(far.point), far.label] = weight + far.weight
        whole = list(Sweep(points).farthest(centroids, labels))
        assert merged == {(tuple(f.point), f.label): f.weight for f in whole}
