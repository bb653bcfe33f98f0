"""Starting centroids: distinct points, drawn by weight, spread out by k-means++."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import repetitions, tied_points

from kmeans_np import Sweep
from kmeans_np import seeding as seeding_module
from kmeans_np.seeding import draw, plus_plus, random_points, seed

SEEDINGS = [random_points, plus_plus]


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
        counts = np.bincount(draw(np.array([1.0, 0, 3, 6]), 100_000, rng))
        np.testing.assert_allclose(counts / 1e5, [0.1, 0, 0.3, 0.6], atol=0.01)

    def test_never_a_place_without_weight(self):
        class Corners:
            """A generator at the ends of its range."""

            def random(self, size):
                return np.resize([0.0, np.nextafter(1, 0)], size)

        weights = np.array([0.0, 0, 0.1, 0, 0.2, 0.7, 0, 0])
        assert draw(weights, 2, Corners()).tolist() == [2, 5]

    def test_the_smallest_numbers_do_not_lead_past_the_end(self):
        weights = np.array([0.0, 5e-324, 5e-324, 0.0])
        assert set(draw(weights, 100, np.random.default_rng(0))) <= {1, 2}


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
        seconds = [plus_plus(points, 2, weights, rng)[1, 0] for _ in range(5000)]
        assert np.mean(np.equal(seconds, 1)) == pytest.approx(0.1**2, abs=0.005)

    def test_finds_separate_groups(self, rng):
        centers = 100 * np.arange(9.0)[:, np.newaxis]
        points = np.concatenate([c + rng.normal(size=(50, 1)) for c in centers])
        for attempt in range(20):
            rng = np.random.default_rng(attempt)
            chosen = plus_plus(points, 9, np.ones(len(points)), rng)
            assert sorted(np.round(chosen.ravel() / 100)) == list(range(9))

    def test_starts_better_than_random_points(self, iris):
        def mean_inertia(seeding):
            rng = np.random.default_rng(0)
            starts = [seeding(iris, 8, np.ones(len(iris)), rng) for _ in range(50)]
            return np.mean([Sweep(iris)(start).inertia for start in starts])

        assert mean_inertia(plus_plus) < 0.8 * mean_inertia(random_points)

    def test_as_good_as_scikit_learns(self, iris):
        from sklearn.cluster import kmeans_plusplus

        def ours(s):
            return plus_plus(iris, 6, np.ones(150), np.random.default_rng(s))

        def theirs(s):
            return kmeans_plusplus(iris, 6, random_state=s)[0]

        def mean_inertia(start):
            return np.mean([Sweep(iris)(start(s)).inertia for s in range(100)])

        assert mean_inertia(ours) == pytest.approx(mean_inertia(theirs), rel=0.05)


def test_seed_goes_by_name_or_takes_what_is_given(iris):
    for name, seeding in (("random", random_points), ("k-means++", plus_plus)):
        by_name = seed(name, iris, 4, np.ones(150), np.random.default_rng(3))
        direct = seeding(iris, 4, np.ones(150), np.random.default_rng(3))
        assert np.array_equal(by_name, direct)
    given_centroids = iris[:3]
    assert seed(given_centroids, iris, 3, np.ones(150), None) is given_centroids
