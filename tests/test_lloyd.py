"""The textbook: every number of it, worked out by hand or from its definition."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_points, repetitions, tied_points

from kmeans_np import Step, Sweep, assign, lloyd, update
from kmeans_np.lloyd import squared_distances

# Six points worked out by hand: two groups on a line, and a start that has to move.
POINTS = np.array([[0.0], [2.0], [4.0], [10.0], [12.0], [14.0]])


def run(points, centroids, **options):
    return list(lloyd(points, centroids, **options))


class TestByHand:
    def test_assign_takes_the_nearest_centroid(self):
        labels, distances = assign(POINTS, [[1.0], [5.0]])
        assert labels.tolist() == [0, 0, 1, 1, 1, 1]
        assert distances.tolist() == [1, 1, 1, 25, 49, 81]

    def test_a_tie_goes_to_the_lower_number(self):
        assert assign([[1.0]], [[0.0], [2.0]])[0].tolist() == [0]
        assert assign([[1.0]], [[2.0], [0.0]])[0].tolist() == [0]
        assert assign([[1.0]], [[9.0], [2.0], [2.0]])[0].tolist() == [1]

    def test_update_moves_centroids_to_the_means(self):
        moved = update(POINTS, [0, 0, 1, 1, 1, 1], [[1.0], [5.0]])
        assert moved.tolist() == [[1.0], [10.0]]

    def test_update_with_weights(self):
        moved = update([[0.0], [3.0]], [0, 0], [[9.0]], weights=[2, 1])
        assert moved.tolist() == [[1.0]]

    def test_update_leaves_a_centroid_without_points_where_it_was(self):
        moved = update([[0.0], [2.0]], [0, 0], [[5.0], [7.0]])
        assert moved.tolist() == [[1.0], [7.0]]

    def test_points_and_centroids_of_different_width_do_not_go_together(self):
        with pytest.raises(ValueError, match="zip"):
            assign([[0, 0, 9], [5, 5, 0]], [[0, 0], [5, 5]])

    def test_a_whole_run(self):
        first, second, third = run(POINTS, [[1.0], [5.0]], tol=0)
        assert first.iteration == 1
        assert first.centroids.tolist() == [[1.0], [5.0]]
        assert first.labels.tolist() == [0, 0, 1, 1, 1, 1]
        assert first.inertia == 1 + 1 + 1 + 25 + 49 + 81
        assert first.new_centroids.tolist() == [[1.0], [10.0]]
        assert first.n_changed == 6
        assert first.shift == 25
        assert first.restarted == ()
        assert first.stopped_by is None

        assert second.centroids.tolist() == [[1.0], [10.0]]
        assert second.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert second.inertia == 1 + 1 + 9 + 0 + 4 + 16
        assert second.new_centroids.tolist() == [[2.0], [12.0]]
        assert second.n_changed == 1
        assert second.shift == 1 + 4
        assert second.stopped_by is None

        assert third.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert third.inertia == 4 + 0 + 4 + 4 + 0 + 4
        assert third.n_changed == 0
        assert third.shift == 0
        assert third.stopped_by == "labels"

    def test_distances_are_exact_for_every_type(self):
        for dtype in (np.uint8, np.int16, np.float16, np.float32, bool):
            points = np.array([[0, 1], [1, 0]], dtype)
            assert squared_distances(points, np.array([3.0, 0.0])).tolist() == [10, 4]


class TestStopRule:
    def test_tol_is_measured_in_the_variance_of_the_features(self):
        # The mean is 7, so the variance is (49 + 25 + 9) / 3 = 83 / 3. The first step
        # shifts by 25, the second by 5.
        below, at = 24.9 / (83 / 3), 25.1 / (83 / 3)
        assert len(run(POINTS, [[1.0], [5.0]], tol=below)) == 2
        steps = run(POINTS, [[1.0], [5.0]], tol=at)
        assert len(steps) == 1
        assert steps[0].stopped_by == "tol"

    def test_variance_is_the_mean_over_the_features(self):
        points = np.array([[0.0, 0.0], [2.0, 10.0]])
        assert Sweep(points).mean_variance() == (1 + 25) / 2

    def test_variance_counts_weights(self):
        assert Sweep([[0.0], [4.0]], [3, 1]).mean_variance() == 3
        assert Sweep([[0.0]] * 3 + [[4.0]]).mean_variance() == 3

    def test_max_iter_ends_it(self):
        steps = run(POINTS, [[1.0], [5.0]], tol=0, max_iter=2)
        assert [step.stopped_by for step in steps] == [None, "max_iter"]

    def test_labels_come_before_tol(self):
        assert run(POINTS, [[2.0], [12.0]], tol=10)[-1].stopped_by == "tol"
        assert run(POINTS, [[1.0], [5.0]], tol=0)[-1].stopped_by == "labels"
        last = run(POINTS, [[1.0], [10.0]], tol=1e-9)[-1]
        assert (last.n_changed, last.shift, last.stopped_by) == (0, 0, "labels")


class TestEmptyClusters:
    def test_an_empty_cluster_restarts_at_the_farthest_point(self):
        points = [[0.0], [1.0], [2.0], [9.0]]
        step = run(points, [[1.0], [100.0]])[0]
        assert step.labels.tolist() == [0, 0, 0, 0]
        assert step.restarted == (1,)
        # The farthest point, 9, is no longer in the mean of the others.
        assert step.new_centroids.tolist() == [[1.0], [9.0]]

    def test_several_restart_in_order(self):
        points = [[0.0], [1.0], [20.0], [-30.0]]
        step = run(points, [[100.0], [0.0], [200.0]])[0]
        assert step.restarted == (0, 2)
        assert step.new_centroids.tolist() == [[-30.0], [0.5], [20.0]]

    def test_all_copies_of_the_farthest_point_move(self):
        step = run([[0.0], [2.0], [9.0], [9.0]], [[1.0], [100.0]])[0]
        assert step.new_centroids.tolist() == [[1.0], [9.0]]

    def test_two_empty_clusters_do_not_share_a_point(self):
        step = run([[0.0], [2.0], [9.0], [9.0], [7.0]], [[1.0], [100.0], [100.0]])[0]
        assert sorted(step.new_centroids.ravel()) == [1, 7, 9]

    def test_the_last_point_of_a_cluster_is_not_taken(self):
        # The point 50 is the farthest, but alone in its cluster.
        points = [[50.0], [0.0], [1.0], [3.0]]
        step = run(points, [[40.0], [1.0], [-100.0]])[0]
        assert step.labels.tolist() == [0, 1, 1, 1]
        assert step.restarted == (2,)
        assert step.new_centroids.tolist() == [[50.0], [0.5], [3.0]]

    def test_equally_far_points_go_by_their_coordinates_not_their_place(self):
        for points in ([[-3.0], [0.0], [3.0]], [[3.0], [0.0], [-3.0]]):
            step = run(points, [[0.0], [100.0]])[0]
            assert step.new_centroids.tolist() == [[1.5], [-3.0]]

    def test_weights_do_not_make_a_point_farther(self):
        step = run([[0.0], [5.0], [6.0]], [[0.0], [100.0]], weights=[1, 100, 1])[0]
        assert step.new_centroids[1].tolist() == [6.0]

    def test_points_without_weight_are_no_restart(self):
        step = run([[0.0], [5.0], [6.0]], [[0.0], [100.0]], weights=[1, 1, 0])[0]
        assert step.new_centroids.tolist() == [[0.0], [5.0]]

    def test_a_step_that_restarted_is_not_the_last(self):
        steps = run([[0.0], [1.0], [2.0], [9.0]], [[1.0], [100.0]], tol=1e9)
        assert steps[0].restarted == (1,)
        assert steps[0].stopped_by is None

    def test_too_few_distinct_points_end_without_nan(self):
        steps = run([[1.0], [1.0], [4.0]], [[0.0], [9.0], [20.0], [30.0]])
        assert np.isfinite(steps[-1].new_centroids).all()
        assert steps[-1].stopped_by == "tol"
        assert len(set(steps[-1].labels.tolist())) == 2

    @given(tied_points())
    def test_no_cluster_stays_empty_while_there_are_enough_points(self, case):
        points, start = case
        enough = len(np.unique(points, axis=0)) >= len(start)
        steps = run(points, start, tol=0, max_iter=1000)
        assert steps[-1].stopped_by != "max_iter"
        if enough:
            assert len(np.unique(steps[-1].labels)) == len(start)


class TestLaws:
    @given(any_points())
    def test_every_step_is_assign_then_update(self, case):
        points, start = case
        for step in lloyd(points, start, tol=0):
            labels, distances = assign(points, step.centroids)
            assert np.array_equal(step.labels, labels)
            assert step.inertia == pytest.approx(distances.sum(), rel=1e-12)
            if not step.restarted:
                moved = update(points, labels, step.centroids)
                assert np.array_equal(step.new_centroids, moved)

    @given(any_points())
    def test_steps_hang_together(self, case):
        points, start = case
        steps = run(points, start, tol=0, max_iter=1000)
        assert [step.iteration for step in steps] == list(range(1, len(steps) + 1))
        assert steps[0].n_changed == len(points)
        for before, after in pairwise(steps):
            assert np.array_equal(before.new_centroids, after.centroids)
            assert after.n_changed == (before.labels != after.labels).sum()
            assert before.stopped_by is None
            assert after.inertia <= before.inertia * (1 + 1e-12)
        for step in steps:
            moved = ((step.new_centroids - step.centroids) ** 2).sum()
            assert step.shift == pytest.approx(moved, rel=1e-12)

    @given(any_points())
    def test_the_end_is_a_fixed_point(self, case):
        points, start = case
        last = run(points, start, tol=0, max_iter=1000)[-1]
        assert np.array_equal(last.new_centroids, last.centroids)

    @given(st.data(), tied_points())
    def test_weights_are_repetitions(self, data, case):
        points, start = case
        weights = data.draw(repetitions(len(points)))
        times = weights.astype(int)
        weighted = run(points, start, weights=weights, tol=0, max_iter=50)
        repeated = run(np.repeat(points, times, axis=0), start, tol=0, max_iter=50)
        assert len(weighted) == len(repeated)
        for one, other in zip(weighted, repeated):
            assert np.array_equal(np.repeat(one.labels, times), other.labels)
            assert np.array_equal(one.new_centroids, other.new_centroids)
            assert one.inertia == pytest.approx(other.inertia, rel=1e-12)
            assert one.n_changed == other.n_changed
            assert one.restarted == other.restarted

    @given(st.data(), tied_points())
    def test_the_order_of_the_points_does_not_matter(self, data, case):
        points, start = case
        order = data.draw(st.permutations(range(len(points))))
        for one, other in zip(run(points, start), run(points[order], start)):
            assert np.array_equal(one.labels[order], other.labels)
            assert np.array_equal(one.new_centroids, other.new_centroids)

    @given(tied_points())
    def test_memory_order_and_type_do_not_matter(self, case):
        points, start = case
        expected = run(points, start)
        wide = np.zeros((2 * len(points), points.shape[1]))
        wide[::2] = points
        variants = [np.asfortranarray(points), wide[::2], points.tolist()]
        variants += [
            points.astype(dtype) for dtype in (np.int8, np.float16, np.float32)
        ]
        for variant in variants:
            for one, other in zip(expected, run(variant, start)):
                assert np.array_equal(one.labels, other.labels)
                assert np.array_equal(one.new_centroids, other.new_centroids)

    def test_a_step_is_a_named_tuple_that_does_not_change_later(self):
        steps = lloyd(POINTS, [[1.0], [5.0]], tol=0)
        first = next(steps)
        kept = [np.copy(first.centroids), np.copy(first.labels)]
        list(steps)
        assert isinstance(first, Step)
        assert np.array_equal(first.centroids, kept[0])
        assert np.array_equal(first.labels, kept[1])
