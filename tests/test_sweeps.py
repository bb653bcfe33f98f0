"""Every pass gives the textbook's answer (contract 1)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_points, arrays, repetitions, tied_points
from tables import chosen

from kmeans_np import Sweep, lloyd
from kmeans_np.colors import distinct_colors
from kmeans_np.sweeps import BlockedSweep, CellSweep, cells
from kmeans_np.sweeps.cells import cell_numbers


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

    @pytest.mark.parametrize("d", chosen([1, 2, 3, 8, 33], 1, 3, 8))
    def test_many_blocks_of_the_size_it_picks(self, d, rng):
        points = rng.normal(size=(40_000, d))
        assert_same_run(BlockedSweep(points), Sweep(points), points[:5], max_iter=3)


def in_cells(points, weights=None):
    """Colors as uint8 in the order of their cells, and their weights."""
    points = np.asarray(points, np.uint8)
    order = np.argsort(cell_numbers(points), kind="stable")
    weights = np.ones(len(points)) if weights is None else weights
    return points[order], weights[order]


@st.composite
def colors(draw, max_n=200, max_k=12):
    """Colors and their counts, crowded or scattered, and a start near them."""
    n, top = draw(st.integers(1, max_n)), draw(st.sampled_from([1, 7, 40, 255]))
    points = draw(arrays((n, 3), st.integers(0, top).map(float)))
    weights = draw(st.one_of(st.just(np.ones(n)), repetitions(n, least=1)))
    k = draw(st.integers(1, min(max_k, n)))
    start = draw(arrays((k, 3), st.integers(0, 2 * top).map(lambda x: x / 2)))
    return *in_cells(points, weights), start


class TestCellSweep:
    @given(colors())
    def test_is_the_textbook_on_colors(self, case):
        points, weights, start = case
        sweep, textbook = CellSweep(points, weights), Sweep(points, weights)
        assert_same_run(sweep, textbook, start, tol=0, max_iter=40)

    @pytest.mark.slow
    @given(colors(), st.integers(1, 50), st.integers(1, 50))
    def test_for_every_block_size(self, case, cell_block, block):
        points, weights, start = case
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cells, "CELL_BLOCK", cell_block)
            patch.setattr(cells, "BLOCK", block)
            sweep, textbook = CellSweep(points, weights), Sweep(points, weights)
            assert_same_run(sweep, textbook, start, tol=0, max_iter=40)

    @pytest.mark.slow
    @pytest.mark.parametrize("k", [1, 2, 8, 64, 300])
    def test_is_the_textbook_on_a_photograph(self, china, k, rng):
        found = distinct_colors(china.reshape(-1, 3))
        start = found.colors[rng.choice(len(found.colors), k, replace=False)]
        sweep = CellSweep(found.colors, found.counts)
        textbook = BlockedSweep(found.colors, found.counts)
        assert_same_run(sweep, textbook, start, max_iter=12)

    def test_ties_along_the_border_of_two_centroids(self):
        # A full cube of colors, cut exactly through the middle of a layer of it.
        axis = np.arange(0.0, 256.0, 8)
        points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        points, _ = in_cells(points)
        for start in ([[0, 0, 0], [240, 0, 0]], [[248, 248, 248], [0, 0, 0]]):
            start = np.array(start, dtype=float)
            assert_same_run(CellSweep(points), Sweep(points), start, max_iter=3)

    def test_many_ties_within_cells(self):
        axis = np.arange(100, 124)
        points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        points, _ = in_cells(points)
        for start in ([[104, 111, 111], [118, 111, 111], [111, 104, 111]],):
            start = np.array(start, dtype=float)
            assert_same_run(CellSweep(points), Sweep(points), start, max_iter=9)

    @pytest.mark.parametrize("far", [1e3, 1e5, 1e9, 1e30, 1e90])
    def test_centroids_far_outside_of_all_colors(self, far, rng):
        points, _ = in_cells(rng.integers(0, 256, (3000, 3)))
        outside = [[far, 0, 0], [0, -far, far], [90, 90, 90], [200, 9, 90], [far] * 3]
        assert_same_run(CellSweep(points), Sweep(points), np.array(outside))

    def test_equal_centroids(self):
        points, _ = in_cells(np.arange(255).reshape(-1, 3))
        start = np.array([[9.0, 9, 9], [9, 9, 9], [200, 200, 200]])
        assert_same_run(CellSweep(points), Sweep(points), start)

    def test_another_order_of_the_same_centroids(self, rng):
        # As when clusters are put in order of their size after the last step.
        points, _ = in_cells(rng.integers(0, 256, (3000, 3)))
        sweep, textbook = CellSweep(points), Sweep(points)
        start = points[:9].astype(float)
        first = sweep(start)
        for centroids in (start[::-1], start[:4], start):
            second, expected = (s(centroids, first.labels) for s in (sweep, textbook))
            assert np.array_equal(second.labels, expected.labels)
            assert np.array_equal(second.sums, expected.sums)
            assert second.n_changed == expected.n_changed

    def test_labels_once_given_do_not_change(self, rng):
        points, _ = in_cells(rng.integers(0, 256, (3000, 3)))
        steps = [
            (step.labels, step.labels.copy())
            for step in lloyd(CellSweep(points), points[:9].astype(float), tol=0)
        ]
        assert len(steps) > 5
        assert all(np.array_equal(one, other) for one, other in steps)

    @given(colors(), st.sampled_from([1, 2, 8, 32]))
    def test_histogram(self, case, slices):
        points, weights, _ = case
        means, masses = CellSweep(points, weights).histogram(slices)
        width = 256 // slices
        expected = {}
        for point, weight in zip(points.astype(float), weights):
            mass, total = expected.get(tuple(point // width), (0, 0))
            expected[tuple(point // width)] = mass + weight, total + weight * point
        found = {
            tuple(mean // width): pair for mean, *pair in zip(means, masses, means)
        }
        assert len(found) == len(means) == len(expected)
        for cell, (mass, total) in expected.items():
            assert found[cell][0] == mass
            np.testing.assert_allclose(found[cell][1], total / mass)


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
