"""The pass with bounds gives the textbook's answer on any features (contract 1)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import any_points, generic_points, repetitions, tied_points
from tables import chosen, crossed

from kmeans_np import Sweep, assign, lloyd
from kmeans_np.sweeps import BlockedSweep, BoundedSweep, bounded, products, totals
from kmeans_np.sweeps.blocked import nearest_directly


def assert_same_run(sweep, textbook, start, **options):
    """The same labels and steps; centroids to 1e-9 of the data's range."""
    fast, slow = ([*lloyd(s, start, **options)] for s in (sweep, textbook))
    assert len(fast) == len(slow)
    margin = 1e-9 * np.ptp(textbook.points, axis=0).max()
    scatter = float(np.ptp(textbook.points)) ** 2 * textbook.points.size
    for one, other in zip(fast, slow):
        assert np.array_equal(one.labels, other.labels)
        assert np.abs(one.new_centroids - other.new_centroids).max() <= margin
        assert one.inertia == pytest.approx(other.inertia, rel=1e-9, abs=1e-9 * scatter)
        assert one.n_changed == pytest.approx(other.n_changed)
        assert one.restarted == other.restarted
        assert one.stopped_by == other.stopped_by
    return fast


def mixture(n, d, k, dtype=np.float64, seed=0):
    """Overlapping clusters, and k of their points."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, d)) * 3 / np.sqrt(d)
    points = (centers[rng.integers(k, size=n)] + rng.normal(size=(n, d))).astype(dtype)
    return points, points[rng.choice(n, k, replace=False)].astype(np.float64)


@settings(max_examples=4 * settings.default.max_examples)
@given(any_points(), st.booleans())
def test_is_the_textbook(case, in_rows):
    points, start = case
    with pytest.MonkeyPatch.context() as patch:
        # As for many clusters, or as for few.
        patch.setattr(products, "MANY_CLUSTERS", 1 if in_rows else 10**9)
        # Stacks of a few points, and some that are left.
        patch.setattr(products, "SMALL_PRODUCT", 1)
        patch.setattr(products, "SMALL_STACK", 3)
        sweep = BoundedSweep(points)
        assert_same_run(sweep, Sweep(points), start, tol=0, max_iter=40)


@given(st.data(), any_points())
def test_is_the_textbook_with_weights(data, case):
    points, start = case
    weights = data.draw(repetitions(len(points)))
    sweep, textbook = BoundedSweep(points, weights), Sweep(points, weights)
    assert_same_run(sweep, textbook, start, tol=0, max_iter=40)


@pytest.mark.slow
@given(tied_points(), st.integers(1, 30), st.integers(1, 99), st.integers(1, 9))
def test_for_every_size_of_blocks_tables_and_pieces(case, block_size, table, piece):
    points, start = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "TABLE", table)
        patch.setattr(products, "TABLE", table)
        patch.setattr(bounded, "PIECE", piece)
        sweep = BoundedSweep(points, block_size=block_size)
        assert_same_run(sweep, Sweep(points), start, tol=0, max_iter=40)


@given(tied_points(max_d=3))
def test_sums_of_whole_numbers_are_the_textbooks_to_the_last_bit(case):
    points, start = case
    fast, slow = (
        [*lloyd(s, start, tol=0)] for s in (BoundedSweep(points), Sweep(points))
    )
    for one, other in zip(fast, slow, strict=True):
        assert np.array_equal(one.new_centroids, other.new_centroids)


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    crossed([(1, 5), (2, 16), (3, 64), (8, 4), (33, 20)], [np.float32, np.float64]),
)
@pytest.mark.parametrize("n", chosen([3000, 20_000], 3000))
def test_many_points(sizes, dtype, n):
    d, k = sizes
    points, start = mixture(n, d, k, dtype)
    assert_same_run(BoundedSweep(points), BlockedSweep(points), start, max_iter=9)


def test_few_points_are_looked_at_in_late_passes(monkeypatch):
    points, start = mixture(30_000, 3, 8)
    looked_at = []
    nearest = bounded.nearest_by_products

    def counting(rows, *others):
        looked_at[-1] += len(rows)
        return nearest(rows, *others)

    monkeypatch.setattr(bounded, "nearest_by_products", counting)
    looked_at.append(0)
    for _ in lloyd(BoundedSweep(points), start, tol=1e-7):
        looked_at.append(0)
    assert looked_at[0] >= 30_000
    assert sum(looked_at[5:-1]) < 0.4 * 30_000 * len(looked_at[5:-1])


@pytest.mark.parametrize("offset", [3e4, 3e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_from_the_origin(offset, dtype):
    rng = np.random.default_rng(0)
    # Multiples of a number that float32 resolves out there.
    near = rng.integers(0, 40, (20_000, 3)) * (offset / 2**12 // 1)
    points = (near + offset).astype(dtype)
    start = points[:8].astype(np.float64)
    assert_same_run(BoundedSweep(points), BlockedSweep(points), start, max_iter=20)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e90])
def test_numbers_of_any_size(scale):
    points, start = mixture(3000, 3, 6)
    points, start = points * scale, start * scale
    assert_same_run(BoundedSweep(points), Sweep(points), start)


def test_numbers_of_unlike_sizes():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 2)) * [1e-6, 1e6]
    points[::2] *= 1e-9
    assert_same_run(BoundedSweep(points), Sweep(points), points[:7].copy())


def test_memory_orders_and_types():
    points, start = mixture(3000, 4, 6)
    points, start = np.rint(points * 20), np.rint(start * 20)
    wide = np.zeros((6000, 8))
    wide[::2, ::2] = points
    variants = [np.asfortranarray(points), wide[::2, ::2], points[::-1][::-1]]
    variants += [points.astype(t) for t in (np.int16, np.int64, np.float16, np.float32)]
    for variant in variants:
        variant.flags.writeable = False
        before = variant.copy()
        assert_same_run(BoundedSweep(variant), Sweep(points), start)
        assert np.array_equal(variant, before)


@pytest.mark.parametrize("n", chosen([4000, 30_000], 4000))
@pytest.mark.parametrize("d", [3, 20])
def test_the_same_bits_for_any_size_of_blocks(n, d):
    points, start = mixture(n, d, 30)
    weights = np.random.default_rng(1).random(len(points))
    runs = []
    for block_size in (None, n // 6, 700):
        sweep = BoundedSweep(points, weights, block_size=block_size)
        runs.append([*lloyd(sweep, start, max_iter=6)])
    for run in runs[1:]:
        for one, other in zip(run, runs[0], strict=True):
            assert one.labels.tobytes() == other.labels.tobytes()
            assert one.new_centroids.tobytes() == other.new_centroids.tobytes()
            assert (one.inertia, one.shift) == (other.inertia, other.shift)


def test_labels_once_given_do_not_change():
    points, start = mixture(5000, 3, 8)
    steps = [(s.labels, s.labels.copy()) for s in lloyd(BoundedSweep(points), start)]
    assert len(steps) > 5
    assert all(np.array_equal(one, other) for one, other in steps)


def test_centroids_in_another_order_and_of_another_number():
    points, start = mixture(5000, 3, 8)
    sweep, textbook = BoundedSweep(points), Sweep(points)
    first = sweep(start).labels
    for centroids in (start[::-1], start[:3], start, start + 0.01):
        tally, expected = sweep(centroids, first), textbook(centroids, first)
        assert np.array_equal(tally.labels, expected.labels)
        assert tally.n_changed == expected.n_changed


def test_equal_centroids_and_restarts():
    points, start = mixture(5000, 2, 8)
    start[3] = start[5] = start[1]
    start[7] = 1e6
    steps = assert_same_run(BoundedSweep(points), Sweep(points), start)
    assert steps[0].restarted == (3, 5, 7)


@given(generic_points(max_d=40, max_n=200), st.booleans(), st.data())
def test_totals_of_clusters(case, weighted, data):
    points, _ = case
    labels = data.draw(
        st.lists(st.integers(0, 5), min_size=len(points), max_size=len(points))
    )
    labels = np.array(labels, np.int8)
    weights = np.arange(1.0, len(points) + 1) if weighted else None
    found = totals.cluster_totals(points, labels, 7, weights)
    for cluster in range(7):
        mine = labels == cluster
        w = np.ones(mine.sum()) if weights is None else weights[mine]
        assert found[cluster, -1] == w.sum()
        expected = (w[:, np.newaxis] * points[mine]).sum(axis=0)
        scale = np.abs(points).max() * len(points) ** 2
        np.testing.assert_allclose(found[cluster, :-1], expected, atol=1e-13 * scale)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("d", "k"), [(1, 2), (3, 8), (32, 5), (33, 4), (5, 9)])
def test_totals_change_as_labels_do(d, k, weighted, rng):
    points = rng.integers(-9, 9, (5000, d)).astype(np.float32)
    before, labels = rng.integers(0, k, (2, len(points))).astype(np.int8)
    weights = rng.integers(1, 9, len(points)).astype(float) if weighted else None
    one, other = (
        totals.cluster_totals(points, some, k, weights) for some in (labels, before)
    )
    found = totals.change_of_totals(points, labels, before, k, weights)
    assert np.array_equal(found, one - other)


@pytest.mark.parametrize(
    ("d", "k", "dtype"),
    crossed([150, 1, 3, 17], [2, 9, 70, 500], [np.float32, np.float64]),
)
def test_no_gap_is_larger_than_the_true_one(d, k, dtype, rng):
    # Half of the points lie almost between two centroids, at all distances from 0.
    centroids = rng.normal(size=(k, d)) * 10.0 ** rng.uniform(-3, 3, (k, 1))
    one, other = centroids[rng.integers(0, k, (2, 2000))]
    points = (one + other) / 2 + 1e-6 * rng.normal(size=(2000, d)) * np.abs(one)
    points[::2] += rng.normal(size=(1000, d))
    points, centroids = points.astype(dtype), centroids.astype(dtype)
    rows = np.hstack([points, np.ones((len(points), 1), dtype)])
    squares, lengths = ((x.astype(float) ** 2).sum(axis=1) for x in (points, centroids))
    factors = np.hstack([-2 * centroids, lengths[:, np.newaxis]]).astype(dtype)
    exact = [
        np.sqrt(((points.astype(np.longdouble) - c) ** 2).sum(axis=1))
        for c in centroids.astype(np.longdouble)
    ]
    nearest, next_to_it = np.sort(exact, axis=0)[:2]
    for own in (None, rng.integers(0, k, len(points)), np.argmin(exact, axis=0)):
        labels, gaps = products.nearest_by_products(
            rows, squares.astype(dtype), factors, own
        )
        sure = gaps > 0
        assert sure.mean() > 0.2
        assert np.array_equal(labels[sure], np.argmin(exact, axis=0)[sure])
        assert (gaps[sure] <= (next_to_it - nearest)[sure]).all()


@pytest.mark.parametrize("far", [1e6, 1e19, 1e30, 1e60, 1e150])
def test_numbers_that_float32_cannot_hold_next_to_the_others(far):
    points, start = mixture(3000, 3, 6)
    start[2] = far
    assert_same_run(BoundedSweep(points), Sweep(points), start)
    points[7] = far
    assert_same_run(BoundedSweep(points), Sweep(points), points[5:9].copy())


@pytest.mark.parametrize("n", chosen([5000, 30_000], 5000))
def test_wild_weights_do_not_spoil_small_clusters(n):
    # What is left of a cluster after a weight of 1e9 went must not drown in rounding.
    points, start = mixture(n, 3, 40)
    weights = np.exp(np.random.default_rng(1).normal(size=len(points)) * 8)
    sweep, textbook = BoundedSweep(points, weights), BlockedSweep(points, weights)
    assert_same_run(sweep, textbook, start, max_iter=40)


@given(tied_points(max_n=40))
def test_the_farthest_points_are_the_textbooks(case):
    points, centroids = case
    labels = Sweep(points)(centroids).labels
    expected = [*Sweep(points).farthest(centroids, labels)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "FEW", 3)
        found = [*BoundedSweep(points).farthest(centroids, labels)]
    assert [(tuple(f.point), f[1:]) for f in found] == [
        (tuple(f.point), f[1:]) for f in expected
    ]


def test_many_exact_ties(rng):
    # On a grid of 9 x 9, every third point or so is between centroids in the corners.
    points = rng.integers(0, 9, (20_000, 2)).astype(np.float64)
    corners = np.array([[x, y] for x in (0.0, 8) for y in (0.0, 8)] * 2)
    sweep, textbook = BoundedSweep(points), BlockedSweep(points)
    assert np.array_equal(sweep(corners).labels, textbook(corners).labels)
    assert_same_run(sweep, textbook, corners[[3, 1, 2, 0]], tol=0)


def test_differences_are_added_in_the_textbooks_order(rng):
    # Equally far but for rounding: the order of the columns decides.
    centroids = np.stack([rng.permutation(np.linspace(0.1, 1, 40)) for _ in range(50)])
    points = np.zeros((3, 40))
    assert np.array_equal(
        nearest_directly(points, centroids), assign(points, centroids)[0]
    )


def test_what_is_left_of_a_cluster_does_not_drown_in_rounding():
    points = np.full((20_000, 1), 10.0)
    points[:2] = [[0.3], [4.9]]
    weights = np.ones(len(points))
    weights[:2] = [1e-3, 1e12]
    sweep = BoundedSweep(points, weights)
    assert sweep(np.array([[2.0], [10.0]])).counts[0] == 1e12 + 1e-3
    tally = sweep(np.array([[-1.0], [8.0]]))
    assert tally.counts[0] == 1e-3
    assert tally.sums[0, 0] == 1e-3 * 0.3
    sweep(np.array([[2.0], [10.0]]))
    assert sweep(np.array([[-99.0], [8.0]])).counts[0] == 0


@pytest.mark.parametrize("n", [50, 5000])
def test_variance(n, rng):
    points = np.sort(rng.normal(size=(n, 3)), axis=0) + 5
    weights = np.linspace(0, 1, n) ** 4
    found = BoundedSweep(points, weights).mean_variance()
    assert found == pytest.approx(Sweep(points, weights).mean_variance(), rel=1e-12)
    assert BoundedSweep(np.full((n, 2), 200.3)).mean_variance() == 0


def test_a_pass_that_was_cut_short_leaves_nothing_behind(monkeypatch):
    points, start = mixture(5000, 3, 8)
    sweep, later = BoundedSweep(points, block_size=500), start[::-1]
    first = sweep(start).labels
    nearest, calls = bounded.nearest_by_products, iter([False, False])

    def stop(*arguments):
        if next(calls, True):
            raise KeyboardInterrupt
        return nearest(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(bounded, "nearest_by_products", stop)
        with pytest.raises(KeyboardInterrupt):
            sweep(later, first)
    tally, expected = sweep(later, first), Sweep(points)(later, first)
    assert np.array_equal(tally.labels, expected.labels)
    assert tally.n_changed == expected.n_changed
    with pytest.raises(ValueError, match="read-only"):
        tally.labels[0] = 1
