"""Points in the order of their values, and starts that do not depend on storage."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import Slices
from strategies import tied_points
from tables import chosen, crossed, few_examples

from kmeans_np import KMeans, cluster_image, explain, inertia_curve, kmeans, order
from kmeans_np.arrays import as_rows, rows
from kmeans_np.clustering import partitioned
from kmeans_np.clustering.coarse_start import histograms
from kmeans_np.clustering.partitioned import PartitionedPoints, PartitionedSampler
from kmeans_np.order import at_ranks, classes_of, distinct, distinct_if_few
from kmeans_np.seeding import (
    RankedSampler,
    Starts,
    distinct_points,
    random_points,
)

# ---- The order ---------------------------------------------------------------------

DTYPES = st.sampled_from([np.float64, np.float32, np.int8])


@given(tied_points(), DTYPES)
def test_distinct_points_come_in_order_with_their_weights(case, dtype):
    points = case[0].astype(dtype)
    weights = np.arange(len(points)) % 3 * 0.5
    weights[0] = 1
    found, masses = distinct(points, weights)
    expected, which = np.unique(points[weights > 0], axis=0, return_inverse=True)
    assert found.dtype == dtype
    assert np.array_equal(found, expected)
    assert np.array_equal(masses, np.bincount(which.ravel(), weights[weights > 0]))


@given(tied_points(), st.integers(1, 12), st.integers(1, 40))
def test_distinct_points_if_they_are_few(case, limit, sample):
    points = case[0]
    expected, counts = np.unique(points, axis=0, return_counts=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "SAMPLE", sample)
        found = distinct_if_few(points, limit)
    if len(expected) > limit:
        assert found is None
    else:
        assert np.array_equal(found[0], expected)
        assert np.array_equal(found[1], counts)


def test_few_distinct_points_that_hide_from_a_sample():
    points = np.zeros((100_000, 2))
    points[1:500, 1] = np.arange(499)
    found, counts = distinct_if_few(points, 600)
    assert np.array_equal(found[:, 1], np.arange(499))
    assert counts[0] == 100_000 - 498
    assert distinct_if_few(points, 400) is None


def test_zero_is_a_single_value():
    points = np.array([[0.0, 1.0], [-0.0, 1.0]] * 50)
    found, counts = distinct_if_few(points, 1)
    assert (found.tolist(), counts.tolist()) == ([[0.0, 1.0]], [100.0])


RANGES = st.sampled_from([1.0, 1e-320, 1e90, 2.0**-1060])


@given(tied_points(), st.data(), RANGES)
def test_points_at_ranks_are_those_of_all_points_in_order(case, data, scale):
    points = case[0] * scale
    points[0] *= data.draw(st.sampled_from([1, 1e9]), "outlier")
    ranks = data.draw(st.lists(st.integers(0, len(points) - 1), min_size=1), "ranks")
    found = at_ranks(points, np.array(ranks))
    whole = points[np.lexsort(points.T[::-1])]
    assert np.array_equal(found, whole[ranks])


@given(tied_points(), st.integers(1, 30))
def test_classes_tell_where_points_lie_among_others(case, n):
    points = case[0]
    splitters = np.unique(points[:n] + [0.5, 0][n % 2], axis=0)
    for point, number in zip(points.tolist(), classes_of(points, splitters)):
        less = sum(other < point for other in splitters.tolist())
        assert number == 2 * less + (point in splitters.tolist())


@few_examples
@given(
    points=tied_points(max_n=60).map(lambda case: case[0]),
    chunk=st.integers(1, 40),
    most=st.sampled_from([1, 20, 10**6]),
    data=st.data(),
)
def test_points_at_ranks_in_parts_are_those_in_memory(points, chunk, most, data):
    points = np.concatenate([points, points[:1] * 1e6, points + 0.25])
    ranks = data.draw(st.lists(st.integers(0, len(points) - 1), min_size=1), "ranks")
    expected = at_ranks(points, np.array(ranks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitioned, "MOST_NUMBERS", most)
        patch.setattr(partitioned, "SPLITTERS", 3)
        patch.setattr(rows, "BLOCK", chunk * points.shape[1])
        outside = PartitionedPoints(as_rows(Slices(points)))
        sampler = PartitionedSampler(outside)
        # As if there were no more than these.
        sampler.sample = sampler.sample[:2]
        found = sampler.at_ranks(np.array(ranks, float))
    assert np.array_equal(found + outside.origin, expected)


@given(tied_points(max_k=12), st.integers(0, 99))
def test_draws_by_rank_are_those_among_distinct_points(case, seed):
    points, start = case
    sampler = RankedSampler(points)
    merged, counts = distinct(points, np.ones(len(points)))
    k, generator = len(start), np.random.default_rng
    expected = random_points(merged, k, counts, generator(seed))
    assert np.array_equal(distinct_points(sampler, k, generator(seed)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_draws_by_rank_leave_out_all_copies(weighted):
    # A black page with some marks on it: draws hit black nearly always.
    points = np.zeros((9000, 2))
    points[[5, 4000, 8999, 77]] = [[1, 0], [-1, 0], [0, -1], [0, 2]]
    weights = np.where(points.any(axis=1), 0.25, 1.5) if weighted else np.ones(9000)
    merged, counts = distinct(points, weights)
    outside = PartitionedPoints(as_rows(Slices(points), weights))
    for seed in range(20):
        samplers = [PartitionedSampler(outside)]
        if not weighted:
            samplers.append(RankedSampler(points))
        expected = random_points(merged, 4, counts, np.random.default_rng(seed))
        for sampler in samplers:
            found = distinct_points(sampler, 4, np.random.default_rng(seed))
            assert np.array_equal(found, expected)


# ---- Starts do not depend on how points are stored ---------------------------------


def crowd(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 30, (n, 3)) + rng.integers(0, 3, (n, 1)) * 60


STORED = {
    "as they are": lambda points: points,
    "uint8": lambda points: points.astype(np.uint8),
    "uint16": lambda points: points.astype(np.uint16) * 257,
    "unit": lambda points: points / 255,
    "float32": lambda points: (points / 255).astype(np.float32),
    "offset": lambda points: points + 1000.5,
    "turned around": lambda points: points[::-1],
    "shuffled": lambda points: np.random.default_rng(1).permutation(points),
    "columns": lambda points: np.asfortranarray(points),
}


@pytest.mark.parametrize(("init", "n"), crossed(["random", "k-means++"], [12_000, 200]))
def test_starts_among_points_do_not_depend_on_their_storage(n, init):
    points = crowd(n)
    low, high = points.min(), points.max()

    def starts(stored, known=True):
        among = Starts(stored, np.ones(n))
        if known:
            assert (among.few is None) == (n > 10_000)
        drawn = among.start(init, 9, np.random.default_rng(4))
        level = (drawn - stored.min()) / (float(stored.max()) - stored.min())
        return np.rint(level * (high - low)) + low

    expected = starts(points)
    for name, store in STORED.items():
        for known in (True, False):
            found = starts(store(points), known)
            assert np.array_equal(found, expected), (name, known)


def flat_areas(n, channels, shape=(108, 144)):
    """Flat areas of n colors, with too small a histogram for several clusters.

    None lies just as far from one of the others as from another, which rounding would
    tell apart in another unit.
    """
    rng = np.random.default_rng(n)
    colors = np.stack([rng.permutation(256)[:n] for _ in range(channels)], axis=1)
    places = rng.integers(0, n, (shape[0] // 4, shape[1] // 4))
    return colors.astype(np.uint8)[places.repeat(4, 0).repeat(4, 1)]


PICTURES = {
    "logo": (flat_areas(9, 3), -1),
    "gray": (flat_areas(11, 1)[..., 0], -1),
    "many bands": (flat_areas(60, 7), -1),
    "volume": (flat_areas(10, 1).reshape(4, 27, 144), None),
    "channels apart": (flat_areas(9, 3) // 4 + np.array([0, 100, 190], "u1"), -1),
    "photograph": (np.random.default_rng(0).integers(0, 256, (40, 50, 3), "u1"), -1),
}
UNITS = {
    "uint16": lambda image: image.astype(np.uint16) * 257,
    "int32": lambda image: image.astype(np.int32) - 77,
    "floats": lambda image: image / 255,
    "float32": lambda image: (image / 255).astype(np.float32),
    "offset": lambda image: image + 1000.0,
    "slices": lambda image: Slices(image),
    "float slices": lambda image: Slices(image / 255),
    "dask": lambda image: da.from_array(image, chunks=50),
    "floats on dask": lambda image: da.from_array(image / 255, chunks=50),
}
OPTIONS = {
    "default": {},
    "no coarse start": {"coarse_start": False},
    "k-means++": {"init": "k-means++"},
    "k-means++ on colors": {"init": "k-means++", "coarse_start": False},
    "several starts": {"n_init": 3, "coarse_start": False},
    "places": {"position_weight": 0.3},
}


@pytest.mark.parametrize(
    ("picture", "unit", "options"), crossed(PICTURES, UNITS, OPTIONS)
)
def test_the_unit_does_not_matter(picture, unit, options):
    image, axis = PICTURES[picture]
    how = {"channel_axis": axis} | OPTIONS[options]
    stored = UNITS[unit](image)
    for k, seed in ((3, 0), (7, 2)):
        expected = cluster_image(image, k, rng=seed, **how)
        found = cluster_image(stored, k, rng=seed, **how)
        assert np.array_equal(np.asarray(found.labels), expected.labels), (k, seed)


@pytest.mark.parametrize(
    ("unit", "options"),
    crossed(
        ["offset", "int32", "float slices", "dask"], ["default", "places", "k-means++"]
    ),
)
def test_the_unit_does_not_matter_where_a_histogram_is_used(unit, options):
    rng = np.random.default_rng(0)
    smooth = np.indices((60, 80)).sum(0)[..., np.newaxis] // 3
    image = (smooth + rng.integers(0, 9, (60, 80, 3)) + [0, 60, 150]).astype(np.uint8)
    how = {"rng": 1} | OPTIONS[options]
    expected = cluster_image(image, 6, **how)
    found = cluster_image(UNITS[unit](image), 6, **how)
    assert np.array_equal(np.asarray(found.labels), expected.labels)


@pytest.mark.parametrize("offset", [0.0, 300.0, -5000.0])
def test_the_cells_of_a_histogram_do_not_depend_on_what_is_added(offset):
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 60, (4000, 2)) + np.array([0, 150])
    places = rng.random((4000, 1)) * 90
    origin = np.array([0.0, 512.0, 0.0]) * (offset != 0)

    def cells(added):
        points = np.concatenate([colors + added, places], axis=1)
        start = origin if added else np.zeros(3)
        return histograms(points - start, np.ones(4000), start, 2)

    one, other = cells(0.0), cells(offset)
    assert np.array_equal(one.fine[1], other.fine[1])
    np.testing.assert_allclose(one.fine[0], other.fine[0], atol=1e-6)
    assert one.step == pytest.approx(other.step)


def test_places_do_not_change_the_histogram_of_an_image_with_an_offset():
    rng = np.random.default_rng(0)
    image = rng.normal(15, 8, (90, 110)) + np.indices((90, 110))[0] / 9
    how = {"position_weight": 0.5, "rng": 0}
    expected = cluster_image(image, 8, **how)
    for stored in (image + 273.15, Slices(image + 273.15)):
        found = cluster_image(stored, 8, **how)
        assert (np.asarray(found.labels) == expected.labels).mean() > 0.999


@pytest.mark.slow
def test_starts_that_end_alike_are_told_apart_alike_in_every_unit():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 9000, (3000, 3)) + rng.integers(0, 5, (3000, 1)) * 97_000
    for seed in range(3):
        expected = kmeans(points, 5, rng=seed).labels
        for stored in (points / 255, points / 7 + 0.3):
            assert np.array_equal(kmeans(stored, 5, rng=seed).labels, expected)


@pytest.mark.parametrize("seed", chosen(range(3), 0))
def test_the_best_of_several_starts_is_the_best_beside_a_point_far_away(seed):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(3500, 2))
    points[:, 0] += rng.integers(0, 6, 3500) * 6
    points = np.concatenate([points, [[1e12, 0]]])
    how = {"n_init": 1, "init": "random"}
    generator = np.random.default_rng(seed)
    single = [kmeans(points, 7, rng=generator, **how).inertia for _ in range(5)]
    for stored in (points, points[::-1]):
        best = kmeans(stored, 7, rng=seed, n_init=5).inertia
        assert best == pytest.approx(min(single), rel=1e-6)


def test_copies_and_their_weights_have_the_same_starts():
    points, weights = crowd(4000), np.arange(4000) % 4
    repeated = np.repeat(points, weights, axis=0)
    for init in ("random", "k-means++"):
        how = {"init": init, "rng": 3}
        one = kmeans(points, 5, weights=weights, **how)
        other = kmeans(repeated, 5, **how)
        assert np.allclose(one.centroids, other.centroids, rtol=1e-12)
        # Which of 10 starts and one is made depends on distinct points alone.
        assert one.n_iter == other.n_iter


@pytest.mark.parametrize("kind", ["estimator", "explain", "curve"])
def test_other_functions_draw_in_the_same_order(kind):
    points = crowd(500).astype(float)
    turned = points[::-1] / 255

    def centroids(points):
        if kind == "estimator":
            model = KMeans(4, random_state=2, n_init=1, max_iter=1).fit(points)
            return model.cluster_centers_
        if kind == "explain":
            return explain(points, 4, rng=2).steps[0].centroids
        return inertia_curve(points, [2, 3, 4], rng=2) ** 0.5

    assert np.allclose(centroids(turned) * 255, centroids(points))


def test_memory_for_draws_does_not_grow_with_the_points(monkeypatch):
    monkeypatch.setattr(partitioned, "MOST_NUMBERS", 2**10)
    brought = []
    merge = partitioned.merge_distinct
    monkeypatch.setattr(
        partitioned,
        "merge_distinct",
        lambda parts: brought.append(max(len(p) for p, _ in parts)) or merge(parts),
    )
    rng = np.random.default_rng(0)
    points = np.exp(rng.normal(scale=9, size=(20_000, 2)))
    expected = kmeans(points, 5, rng=0, max_iter=2, n_init=1)
    found = kmeans(Slices(points), 5, rng=0, max_iter=2, n_init=1)
    assert np.array_equal(found.centroids, expected.centroids)
    assert max(brought) * 2 <= 2**10 + 2 * 5 * 2
