"""Starting centroids: distinct points, drawn by weight, spread out by k-means++."""

from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import generic_points, repetitions, tied_points

from kmeans_np import Sweep, assign, lloyd
from kmeans_np import seeding as seeding_module
from kmeans_np.clustering import coarse_start as coarse_start_module
from kmeans_np.clustering.coarse_start import BatchedStarts, Search, coarse_start
from kmeans_np.seeding import (
    draw_weighted,
    kmeans_plusplus,
    random_points,
    seed,
)

SEEDINGS = [random_points, kmeans_plusplus]


def rows(array):
    return {tuple(row) for row in array.tolist()}


@pytest.mark.parametrize("seeding", SEEDINGS)
class TestBoth:
    @given(case=tied_points(max_k=12), data=st.data())
    def test_distinct_points_while_there_are_some(self, seeding, case, data):
        points, start = case
        weights = data.draw(repetitions(len(points)))
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        chosen = seeding(points, len(start), weights, rng)
        possible = rows(points[weights > 0])
        assert len(rows(chosen)) == len(chosen) == min(len(start), len(possible))
        assert rows(chosen) <= possible

    @given(case=tied_points(max_k=12), data=st.data())
    def test_weights_are_repetitions_to_the_bit(self, seeding, case, data):
        points, start = case
        weights = data.draw(repetitions(len(points)))
        repeated = np.repeat(points, weights.astype(int), axis=0)
        ones = np.ones(len(repeated))
        one = seeding(points, len(start), weights, np.random.default_rng(1))
        other = seeding(repeated, len(start), ones, np.random.default_rng(1))
        assert np.array_equal(one, other)

    def test_few_colors_among_many_copies(self, seeding):
        # A black page with three marks on it: draws hit black nearly always.
        points = np.zeros((100_000, 3))
        points[[5, 50_000, 99_999]] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        chosen = seeding(points, 4, np.ones(len(points)), np.random.default_rng(0))
        assert rows(chosen) == rows(points)

    def test_seeds_are_float64_whatever_the_points(self, seeding, rng):
        points = rng.integers(0, 256, (50, 3)).astype(np.uint8)
        chosen = seeding(points, 5, np.ones(50), rng)
        assert chosen.dtype == np.float64
        assert rows(chosen) <= rows(points)

    def test_the_points_are_not_touched(self, seeding, rng):
        points, weights = rng.normal(size=(50, 2)), np.ones(50)
        points.flags.writeable = weights.flags.writeable = False
        seeding(points, 50, weights, rng)


class TestDraw:
    def test_in_proportion_to_the_weights(self, rng):
        counts = np.bincount(draw_weighted(np.array([1.0, 0, 3, 6]), 100_000, rng))
        np.testing.assert_allclose(counts / 1e5, [0.1, 0, 0.3, 0.6], atol=0.01)

    def test_never_a_place_without_weight(self):
        class Corners:
            """A generator at the ends of its range."""

            def random(self, size):
                return np.resize([0.0, np.nextafter(1, 0)], size)

        weights = np.array([0.0, 0, 0.1, 0, 0.2, 0.7, 0, 0])
        assert draw_weighted(weights, 2, Corners()).tolist() == [2, 5]

    def test_the_smallest_numbers_do_not_lead_past_the_end(self):
        weights = np.array([0.0, 5e-324, 5e-324, 0.0])
        assert set(draw_weighted(weights, 100, np.random.default_rng(0))) <= {1, 2}


class TestRandomPoints:
    @given(case=tied_points(max_k=12), data=st.data())
    def test_few_or_many_chosen_points_are_compared_alike(self, case, data):
        points, start = case
        seed_number = data.draw(st.integers(0, 99))

        def chosen():
            rng = np.random.default_rng(seed_number)
            return random_points(points, len(start), np.ones(len(points)), rng)

        one_by_one = chosen()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seeding_module, "MANY", 0)
            assert np.array_equal(chosen(), one_by_one)

    def test_every_point_has_the_same_chance(self):
        points = np.arange(5.0)[:, np.newaxis]
        rng = np.random.default_rng(0)
        chosen = [random_points(points, 2, np.ones(5), rng) for _ in range(5000)]
        counts = np.bincount(np.ravel(chosen).astype(int))
        np.testing.assert_allclose(counts / 5000, 0.4, atol=0.03)


class TestPlusPlus:
    def test_chances_go_with_the_squared_distance(self):
        # From a first centroid at 0, the points 1 and 3 are drawn as 1 to 9; of two
        # draws, greedy keeps the point that leaves less: 3, unless both hit 1.
        points = np.array([[0.0], [1.0], [3.0]])
        weights = np.array([1e9, 1.0, 1.0])
        rng = np.random.default_rng(0)
        seconds = [kmeans_plusplus(points, 2, weights, rng)[1, 0] for _ in range(2500)]
        assert np.mean(np.equal(seconds, 1)) == pytest.approx(0.1**2, abs=0.005)

    def test_finds_separate_groups(self, rng):
        centers = 100 * np.arange(9.0)[:, np.newaxis]
        points = np.concatenate([c + rng.normal(size=(50, 1)) for c in centers])
        for attempt in range(20):
            rng = np.random.default_rng(attempt)
            chosen = kmeans_plusplus(points, 9, np.ones(len(points)), rng)
            assert sorted(np.round(chosen.ravel() / 100)) == list(range(9))

    def test_starts_better_than_random_points(self, iris):
        def mean_inertia(seeding):
            rng = np.random.default_rng(0)
            starts = [seeding(iris, 8, np.ones(len(iris)), rng) for _ in range(50)]
            return np.mean([Sweep(iris)(start).inertia for start in starts])

        assert mean_inertia(kmeans_plusplus) < 0.8 * mean_inertia(random_points)

    @pytest.mark.slow
    def test_as_good_as_scikit_learns(self, iris):
        from sklearn.cluster import kmeans_plusplus as theirs_of

        def ours(s):
            return kmeans_plusplus(iris, 6, np.ones(150), np.random.default_rng(s))

        def theirs(s):
            return theirs_of(iris, 6, random_state=s)[0]

        def mean_inertia(start):
            return np.mean([Sweep(iris)(start(s)).inertia for s in range(100)])

        assert mean_inertia(ours) == pytest.approx(mean_inertia(theirs), rel=0.05)


class Darts:
    """A generator that throws what it is told to."""

    def __init__(self, *darts):
        self.darts = list(darts)

    def random(self, size):
        thrown, self.darts = self.darts[:size], self.darts[size:]
        return np.array(thrown)


class TestGreedyCandidates:
    # Points 0, 1, 3, 10; the point 1 counts twice. After 0, the chances are 0, 2, 9
    # and 100 of 111. With 1 as the next, an inertia of 4 + 81 is left; with 3, of
    # 2 + 49; with 10, of 2 + 9.
    points = np.array([[0.0], [1.0], [3.0], [10.0]])
    weights = np.array([1.0, 2.0, 1.0, 1.0])
    hits = MappingProxyType({1: 1 / 111, 3: 5 / 111, 10: 50 / 111})
    leaves = MappingProxyType({1: 85, 3: 51, 10: 11})

    @pytest.mark.parametrize("block", [3, 6, 2**16])
    def test_the_inertia_that_each_leaves(self, block, monkeypatch):
        monkeypatch.setattr(seeding_module, "BLOCK", block)
        candidates = np.array(list(self.leaves), dtype=float)[:, np.newaxis]
        nearest = self.points[:, 0] ** 2
        inertias = seeding_module._inertias_with(
            candidates, self.points, self.weights, nearest
        )
        assert inertias.tolist() == list(self.leaves.values())

    @pytest.mark.parametrize("pair", [(1, 3), (3, 1), (3, 10), (10, 3), (10, 1)])
    def test_the_one_that_leaves_least_is_kept(self, pair):
        rng = Darts(0, *(self.hits[point] for point in pair))
        chosen = kmeans_plusplus(self.points, 2, self.weights, rng)
        assert chosen.ravel().tolist() == [0, min(pair, key=self.leaves.get)]

    def test_of_equally_good_ones_the_first_drawn(self):
        points = np.array([[-2.0], [0.0], [2.0]])
        # In tenths, 0.5 is a little farther from 0.7 than 0.9 is.
        for unit, zero in ((1, 0), (0.1, 0.7), (-0.1, 0.7)):
            for darts, expected in (((0.1, 0.9), -2), ((0.9, 0.1), 2)):
                darts = Darts(0.5, *darts)
                chosen = kmeans_plusplus(points * unit + zero, 2, np.ones(3), darts)
                levels = np.rint((chosen - zero) / unit)
                assert levels.ravel().tolist() == [0, expected]


def test_seed_goes_by_name_or_takes_what_is_given(iris):
    for name, seeding in (("random", random_points), ("k-means++", kmeans_plusplus)):
        by_name = seed(name, iris, 4, np.ones(150), np.random.default_rng(3))
        points, counts = np.unique(iris, axis=0, return_counts=True)
        direct = seeding(points, 4, counts.astype(float), np.random.default_rng(3))
        assert np.array_equal(by_name, direct)
    given_centroids = iris[:3]
    assert seed(given_centroids, iris, 3, np.ones(150), None) is given_centroids


# ---- Many starts on a histogram ----------------------------------------------------


def side_by_side_case(n_starts, k, m, d=3, offset=0.0):
    """Weighted points without ties, and a list of starts among them."""
    rng = np.random.default_rng([n_starts, k, m, d])
    points = rng.normal(size=(m, d)) * 20 + offset
    weights = rng.integers(1, 50, m).astype(float)
    starts = [points[rng.choice(m, k, replace=False)] + 1e-3 for _ in range(n_starts)]
    return points, weights, starts


def assert_textbook_for_each_start(points, weights, starts):
    k, total = len(starts[0]), weights.sum()
    sweep = BatchedStarts(points, weights, len(starts))
    tally = sweep(np.concatenate(starts))
    spread = np.ptp(points)
    for number, start in enumerate(starts):
        mine = slice(number * k, (number + 1) * k)
        expected = Sweep(points, weights)(start)
        # A point between two centroids may be taken for one of the other, or for one
        # of both: of 10,000, one.
        atol = 1e-4 * total
        np.testing.assert_allclose(tally.counts[mine], expected.counts, atol=atol)
        sums = tally.sums[mine] - tally.counts[mine, np.newaxis] * sweep.mean
        wanted = expected.sums - expected.counts[:, np.newaxis] * sweep.mean
        np.testing.assert_allclose(sums, wanted, atol=atol * spread)
        assert sweep.inertias[number] == pytest.approx(expected.inertia, rel=1e-4)
    assert tally.inertia == pytest.approx(sweep.inertias.sum(), rel=1e-6)


class TestSideBySide:
    # All starts at once; some at once, the last fewer; one at a time, in one block and
    # in several; so many clusters that the smallest block is taken.
    SIZES = ((1, 3, 50), (4, 5, 40), (7, 20, 1000), (3, 64, 1024), (2, 8, 20_000))
    MANY_CLUSTERS = (3, 300, 700)

    @pytest.mark.parametrize("size", [*SIZES, MANY_CLUSTERS])
    def test_is_the_textbook_for_each_start(self, size):
        assert_textbook_for_each_start(*side_by_side_case(*size))

    @pytest.mark.parametrize("block", [1, 1000, 10_000])
    @pytest.mark.parametrize("size", [(1, 3, 50), (5, 6, 600)])
    def test_for_small_blocks(self, size, block, monkeypatch):
        monkeypatch.setattr(seeding_module, "BLOCK", block)
        assert_textbook_for_each_start(*side_by_side_case(*size))

    @pytest.mark.parametrize("d", [1, 2, 9])
    def test_for_any_number_of_features_and_far_from_0(self, d):
        # In 32 bits, squares of 1e5 have steps of 1,000.
        assert_textbook_for_each_start(*side_by_side_case(3, 4, 200, d, offset=1e5))

    def test_a_point_between_two_centroids_counts_for_both(self):
        points, weights = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 4.0, 1.0])
        sweep = BatchedStarts(points, weights, 2)
        tally = sweep(np.array([[0.0], [2.0], [1.0], [9.0]]))
        assert tally.counts.tolist() == [5, 5, 6, 0]
        assert tally.sums.ravel().tolist() == [4, 6, 6, 0]
        assert sweep.inertias.tolist() == [4, 2]
        assert tally.inertia == 6

    def test_an_emptied_centroid_stays_and_the_others_move(self):
        points = np.array([[0.0], [1.0], [8.0], [9.0]])
        sweep = BatchedStarts(points, np.ones(4), 2)
        together = np.array([[0.0], [500.0], [0.0], [9.0]])
        *_, last = lloyd(sweep, together, max_iter=3, tol=0)
        assert last.new_centroids.ravel().tolist() == [4.5, 500, 0.5, 8.5]
        assert last.restarted == ()

    def test_many_steps_are_those_of_each_start(self):
        points, weights, starts = side_by_side_case(4, 5, 300)
        sweep = BatchedStarts(points, weights, 4)
        *_, last = lloyd(sweep, np.concatenate(starts), max_iter=6, tol=0)
        found = last.new_centroids.reshape(4, 5, 3)
        for start, centroids in zip(starts, found):
            *_, expected = lloyd(points, start, weights=weights, max_iter=6, tol=0)
            np.testing.assert_allclose(centroids, expected.new_centroids, atol=1e-3)

    def test_goes_on_for_as_long_as_the_starts_do_on_average(self):
        points, weights, starts = side_by_side_case(6, 3, 80)
        sweep, one = BatchedStarts(points, weights, 6), Sweep(points, weights)
        assert sweep.mean_variance() == pytest.approx(6 * one.mean_variance())
        # The number of labels that change is not known: never none.
        together = np.concatenate(starts)
        steps = list(lloyd(sweep, together, max_iter=60, tol=0))
        assert steps[-1].stopped_by in ("tol", "max_iter")


def blobs(n_blobs, size=40, seed=0):
    """Groups of points around the corners of a grid, as a histogram; and where."""
    rng = np.random.default_rng(seed)
    centers = np.array([(i % 3, i // 3) for i in range(n_blobs)]) * 100.0
    points = np.concatenate([c + rng.normal(size=(size, 2)) * 8 for c in centers])
    return (points, rng.integers(1, 9, len(points)).astype(float)), centers


def finds(centroids, centers):
    """Whether each group has its centroid."""
    nearest, distances = assign(centers, centroids)
    return len(set(nearest.tolist())) == len(centers) and distances.max() < 10**2


class TestCoarseStart:
    @pytest.mark.parametrize("init", ["random", "k-means++"])
    @pytest.mark.parametrize("n_starts", [1, 2, 7])
    def test_k_centroids_those_of_most_points_first(self, init, n_starts):
        histogram, _ = blobs(6)
        points, weights = histogram
        for seed_number in range(5):
            rng = np.random.default_rng(seed_number)
            found = coarse_start(Search(histogram, histogram, n_starts), 5, init, rng)
            assert found.shape == (5, 2)
            assert found.dtype == np.float64
            tally = Sweep(points, weights)(found)
            assert (np.diff(tally.counts) <= 0).all()
            # It went to the end: the means are where the centroids are.
            means = tally.sums / tally.counts[:, np.newaxis]
            np.testing.assert_allclose(found, means, atol=0.01 * 200)

    @pytest.mark.parametrize("init", ["random", "k-means++"])
    def test_the_same_generator_gives_the_same_bits(self, init):
        histogram, _ = blobs(9)

        def start(seed_number, n_starts=4):
            rng = np.random.default_rng(seed_number)
            found = coarse_start(Search(histogram, histogram, n_starts), 6, init, rng)
            # It also leaves the generator in the same state.
            return found.tobytes(), rng.random()

        assert start(3) == start(3)
        assert len({start(number) for number in range(6)}) > 1

    @pytest.mark.slow
    def test_finds_groups_that_one_start_misses(self):
        histogram, centers = blobs(4)

        def hits(n_starts):
            found = [
                coarse_start(
                    Search(histogram, histogram, n_starts),
                    4,
                    "random",
                    np.random.default_rng(seed_number),
                )
                for seed_number in range(30)
            ]
            return sum(finds(centroids, centers) for centroids in found)

        assert hits(1) < 20
        assert hits(20) == 30

    def test_starts_on_the_first_histogram_and_ends_on_the_second(self):
        # The first has every group at a wrong place: it says only which they are.
        (points, weights), centers = blobs(6)
        first = centers + 30, np.array([3.0, 1, 1, 1, 1, 1])
        for init in ("random", "k-means++"):
            rng = np.random.default_rng(0)
            found = coarse_start(Search(first, (points, weights), 3), 6, init, rng)
            assert finds(found, centers)
            groups = np.split(np.arange(len(points)), 6)
            means = [np.average(points[g], axis=0, weights=weights[g]) for g in groups]
            _, distances = assign(means, found)
            assert distances.max() < 1e-6

    def test_the_last_choice_is_made_on_the_second_histogram(self):
        # Two clusters can part the three points in two ways, and both ways last. In
        # the first histogram it is better to leave 0 alone, in the second 20.
        points = np.array([[0.0], [9.9], [20.0]])
        first, second = [(points, np.array(w)) for w in ([1.2, 1, 1], [1.0, 1, 5])]

        def found(last, seed_number):
            rng = np.random.default_rng(seed_number)
            return coarse_start(Search(first, last, 20), 2, "random", rng).ravel()

        for number in range(5):
            np.testing.assert_allclose(found(first, number), [14.95, 0], atol=1e-4)
            np.testing.assert_allclose(found(second, number), [20, 4.95], atol=1e-4)

    def test_draws_its_starts_one_after_the_other(self):
        # With one start and points on which it cannot move, it is the seeding.
        points = np.array([[0.0], [10.0], [30.0]])
        histogram = points, np.array([1.0, 9.0, 3.0])
        for init in ("random", "k-means++"):
            found = coarse_start(
                Search(histogram, histogram, 1), 3, init, np.random.default_rng(0)
            )
            np.testing.assert_allclose(found.ravel(), [10, 30, 0], atol=1e-4)
        rng, other = np.random.default_rng(5), np.random.default_rng(5)
        coarse_start(Search(histogram, histogram, 4), 2, "random", rng)
        for _ in range(4):
            random_points(*((points, 2, histogram[1])), other)
        assert rng.random() == other.random()

    @pytest.mark.parametrize("init", ["random", "k-means++"])
    @pytest.mark.parametrize("n_starts", [1, 10])
    def test_as_many_clusters_as_cells(self, init, n_starts, rng):
        points = rng.permutation(60)[:, np.newaxis] * [1.0, 5.0]
        weights = rng.permutation(np.arange(1.0, 61))
        histogram = points, weights
        found = coarse_start(Search(histogram, histogram, n_starts), 60, init, rng)
        np.testing.assert_allclose(found, points[np.argsort(-weights)], atol=1e-4)

    def test_the_histograms_are_not_touched(self):
        (points, weights), _ = blobs(3)
        points.flags.writeable = weights.flags.writeable = False
        search = Search((points, weights), (points, weights), 3)
        coarse_start(search, 3, "random", np.random.default_rng(0))


def histograms(points, weights):
    d = points.shape[1]
    return coarse_start_module.histograms(points, weights, np.zeros(d), d)


class TestHistograms:
    """Points in the cells of a grid."""

    @given(generic_points(max_d=6), st.booleans())
    def test_cells_hold_all_points(self, case, weighted):
        points, _ = case
        weights = np.arange(1.0, len(points) + 1) if weighted else np.ones(len(points))
        found = histograms(points, weights)
        if found is None:
            assert np.ptp(points) == 0
            return
        for means, masses in (found.coarse, found.fine):
            assert masses.sum() == pytest.approx(weights.sum())
            mean = masses @ (means * found.step + found.low) / masses.sum()
            np.testing.assert_allclose(mean, weights @ points / weights.sum())
            assert (means >= -1e-9).all()
            assert (means <= 255 + 1e-9).all()
            assert len(masses) == len(means)
            assert (masses > 0).all()

    @pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6])
    @pytest.mark.parametrize(
        "change",
        [
            lambda x: x.astype(np.uint16) * 256,
            lambda x: x / 255,
            lambda x: x / 255 + 1000,
            lambda x: -7.0 + x * 1e-9,
        ],
    )
    def test_the_unit_does_not_matter(self, d, change, rng):
        points = rng.integers(3, 240, (5000, d)).astype(np.uint8)
        one, other = (histograms(p, np.ones(5000)) for p in (points, change(points)))
        for mine, theirs in ((one.coarse, other.coarse), (one.fine, other.fine)):
            np.testing.assert_allclose(mine[0], theirs[0], rtol=0, atol=1e-4)
            assert np.array_equal(mine[1], theirs[1])

    def test_gray_levels_are_cells(self, rng):
        levels = rng.integers(40, 90, (900, 1)).astype(np.uint8)
        found = histograms(levels, np.ones(900))
        assert found.coarse is found.fine
        means, masses = found.fine
        expected, counts = np.unique(levels, return_counts=True)
        np.testing.assert_allclose(means[:, 0] * found.step + found.low, expected)
        assert np.array_equal(masses, counts)

    def test_many_features_or_one_value_have_none(self, rng):
        assert histograms(rng.random((50, 7)), np.ones(50)) is None
        assert histograms(np.full((50, 2), 7), np.ones(50)) is None
        assert histograms(np.array([[0.0], [5e-324]]), np.ones(2)) is None

    def test_blocks_do_not_matter(self, rng, monkeypatch):
        points = rng.integers(0, 256, (3000, 3)).astype(np.uint8)
        expected = histograms(points, np.ones(3000))
        monkeypatch.setattr("kmeans_np.tree_sums.MOST", 2**10)
        found = histograms(points, np.ones(3000))
        assert found.fine[0].tobytes() == expected.fine[0].tobytes()


def test_plus_plus_goes_on_from_centroids_that_are_there(rng):
    points = np.repeat([[0.0], [10.0], [20.0], [30.0]], 5, axis=0)
    warm_start = np.array([[10.0], [30.0]])
    found = kmeans_plusplus(points, 4, np.ones(20), rng, warm_start)
    assert np.array_equal(found[:2], warm_start)
    assert sorted(found[2:].ravel()) == [0, 20]
    assert np.array_equal(
        kmeans_plusplus(points, 2, np.ones(20), rng, warm_start), warm_start
    )
    assert len(kmeans_plusplus(points, 9, np.ones(20), rng, warm_start)) == 4
