"""`kmeans`: the contracts, and values known from elsewhere."""

import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import any_points, generic_points, repetitions, tied_points
from tables import crossed

from kmeans_np import Clustering, Sweep, assign, kmeans, lloyd


def quietly(*args, **options):
    """Run kmeans where fewer distinct points than clusters are part of the game."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return kmeans(*args, **options)


def assert_consistent(result, points, weights=None):
    """Labels, counts and inertia are those of exactly these centroids (contract 3)."""
    points = np.asarray(points, dtype=np.float64)
    weights = np.ones(len(points)) if weights is None else np.asarray(weights)
    labels, distances = assign(points, result.centroids)
    k = len(result.centroids)
    assert np.array_equal(result.labels, labels)
    assert result.inertia == pytest.approx((weights * distances).sum(), rel=1e-9)
    np.testing.assert_allclose(result.counts, np.bincount(labels, weights, k))
    assert (result.counts > 0).all()
    assert np.isfinite(result.centroids).all()


def n_distinct(points):
    return len(np.unique(points, axis=0))


# ---- Contract 1: one answer ------------------------------------------------------


@given(tied_points())
def test_given_centroids_give_the_textbooks_run(case):
    points, start = case
    assume(n_distinct(points) >= len(start))
    steps = list(lloyd(points, start))
    result = kmeans(points, len(start), init=start)
    assert result.n_iter == len(steps)
    assert result.stopped_by == steps[-1].stopped_by
    labels, _ = assign(points, steps[-1].new_centroids)
    if len(np.unique(labels)) == len(start):
        assert np.array_equal(result.labels, labels)
        np.testing.assert_allclose(
            result.centroids, steps[-1].new_centroids, rtol=0, atol=1e-9
        )


# ---- Contract 2: same seed, same bits --------------------------------------------


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_same_seed_same_bits(init, rng):
    points = rng.normal(size=(5000, 3))
    first = kmeans(points, 7, init=init, rng=5, n_init=2)
    again = kmeans(points, 7, init=init, rng=np.random.default_rng(5), n_init=2)
    assert first.centroids.tobytes() == again.centroids.tobytes()
    assert first.labels.tobytes() == again.labels.tobytes()
    assert first.inertia == again.inertia
    other = kmeans(points, 7, init=init, rng=6, n_init=2)
    assert other.centroids.tobytes() != first.centroids.tobytes()


@pytest.mark.slow
def test_same_bits_for_any_number_of_blas_threads():
    code = (
        "import numpy as np, hashlib, kmeans_np as k;"
        "x = np.random.default_rng(0).normal(size=(40_000, 3));"
        "r = k.kmeans(x, 9, rng=0, max_iter=20);"
        "s = k.cluster_image(k.sample_image(), 9, rng=0);"
        "b = [r.centroids, r.labels, s.centroids, s.labels, s.image];"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in b)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"OPENBLAS_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in (1, 2)
    }
    assert len(digests) == 1


@pytest.mark.slow
def test_calls_in_parallel_do_not_disturb_each_other(rng):
    points = rng.normal(size=(1000, 3))
    expected = kmeans(points, 5, rng=1).centroids.tobytes()
    found = []

    def work():
        found.append(kmeans(points, 5, rng=1).centroids.tobytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


# ---- Contract 3: labels belong to the centroids ----------------------------------


@given(any_points(), st.sampled_from([1, 2, 3, 300]), st.sampled_from([0, 1e-4, 0.5]))
def test_labels_belong_to_the_centroids(case, max_iter, tol):
    points, start = case
    k = len(start)
    result = quietly(points, k, init=start, max_iter=max_iter, tol=tol)
    assert_consistent(result, points)
    result = quietly(points, k, rng=0, max_iter=max_iter, tol=tol)
    assert_consistent(result, points)


def test_labels_belong_to_the_centroids_when_stopped_by_the_callback(rng):
    points = rng.normal(size=(500, 2))
    seen = []

    def stop_at_second(step):
        seen.append(step)
        return step.iteration == 2

    result = kmeans(points, 4, rng=0, n_init=5, callback=stop_at_second)
    assert (result.stopped_by, result.n_iter, len(seen)) == ("callback", 2, 2)
    assert_consistent(result, points)


def test_why_it_stopped(rng):
    points = rng.normal(size=(500, 2))
    assert kmeans(points, 4, rng=0, tol=0).stopped_by == "labels"
    assert kmeans(points, 4, rng=0, tol=0.5).stopped_by == "tol"
    limited = kmeans(points, 4, rng=0, tol=0, max_iter=2, n_init=1)
    assert (limited.stopped_by, limited.n_iter) == ("max_iter", 2)


# ---- Contract 4: exactly min(k, distinct) clusters -------------------------------


@pytest.mark.slow
@settings(max_examples=200)
@given(tied_points(max_n=25, max_k=25), st.sampled_from([1, 2, 300]))
def test_exactly_as_many_clusters_as_possible(case, max_iter):
    points, start = case
    k = len(start)
    for init in ("random", "k-means++", start):
        result = quietly(points, k, init=init, rng=0, max_iter=max_iter)
        assert len(result.centroids) == min(k, n_distinct(points))
        assert_consistent(result, points)


def test_a_cluster_that_the_last_move_emptied_is_filled():
    # After one step the centroids are 11, 4 and 19/3, and none is nearest to the last.
    points = [[9.0], [11.0], [4.0], [5.0], [5.0]]
    result = kmeans(points, 3, init=[[13.0], [2.0], [6.0]], max_iter=1)
    assert result.centroids.ravel().tolist() == [11, 4, 9]
    assert result.labels.tolist() == [2, 0, 1, 1, 1]
    assert (result.inertia, result.n_iter) == (2, 1)


def test_one_warning_with_both_numbers_when_points_are_too_few():
    points = [[0.0], [0.0], [1.0], [1.0], [5.0]]
    message = "asked for k = 4, but there are only 3 distinct points"
    for init in ("random", "k-means++", [[0.0], [0.1], [0.2], [9.0]]):
        with pytest.warns(UserWarning, match="k = 4") as caught:
            result = kmeans(points, 4, init=init, rng=0)
        assert [str(warning.message) for warning in caught] == [message]
        assert caught[0].filename == __file__
        assert sorted(result.centroids.ravel()) == [0, 1, 5]
        assert result.inertia == 0


def test_k_equal_to_n_gives_every_point_its_own(rng):
    points = rng.normal(size=(40, 3))
    result = kmeans(points, 40, rng=0)
    assert result.inertia == 0
    assert sorted(result.labels) == list(range(40))


def test_clusters_keep_the_order_of_their_starts():
    points = [[0.0], [1.0], [10.0], [11.0]]
    assert kmeans(points, 2, init=[[0.0], [10.0]]).centroids.tolist() == [[0.5], [10.5]]
    assert kmeans(points, 2, init=[[10.0], [0.0]]).centroids.tolist() == [[10.5], [0.5]]


# ---- Contract 6: weights are repetitions -----------------------------------------


@given(st.data(), tied_points(), st.sampled_from(["random", "k-means++", "given"]))
def test_weights_are_repetitions(data, case, init):
    points, start = case
    weights = data.draw(repetitions(len(points)))
    times = weights.astype(int)
    k = min(len(start), int((weights > 0).sum()))
    init = start[:k] if init == "given" else init
    weighted = quietly(points, k, weights=weights, init=init, rng=3, n_init=1)
    repeated = np.repeat(points, times, axis=0)
    plain = quietly(repeated, k, init=init, rng=3, n_init=1)
    assert np.array_equal(np.repeat(weighted.labels, times), plain.labels)
    assert np.array_equal(weighted.centroids, plain.centroids)
    assert np.array_equal(weighted.counts, plain.counts)
    assert weighted.inertia == pytest.approx(plain.inertia, rel=1e-12)
    assert weighted.n_iter == plain.n_iter
    assert_consistent(weighted, points, weights)


def test_a_point_of_weight_0_only_gets_a_label():
    result = kmeans([[0.0], [1.0], [9.0], [500.0]], 2, weights=[1, 1, 1, 0], rng=0)
    assert sorted(result.centroids.ravel()) == [0.5, 9]
    assert result.labels[3] == result.labels[2]
    assert sorted(result.counts) == [1, 2]


def test_a_common_factor_of_the_weights_changes_nothing(iris):
    weights = np.linspace(1, 2, len(iris))
    one = kmeans(iris, 3, weights=weights, init=iris[:3])
    other = kmeans(iris, 3, weights=weights * 1024, init=iris[:3])
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.centroids, other.centroids)


# ---- Contract 7: no surprise in numbers ------------------------------------------


@given(tied_points(), st.sampled_from([1e3, -3e4, 2.0**20, 1e8, -1e8]))
def test_a_constant_changes_no_label(case, constant):
    points, start = case
    # Means like 1/3 are rounded differently far from 0, which decides whether two
    # centroids are equally near; so leave out the cases with such near-ties.
    for step in lloyd(points, start, tol=0):
        table = ((points[:, np.newaxis] - step.centroids) ** 2).sum(axis=2)
        gaps = np.diff(np.sort(table, axis=1)[:, :2])
        whole = np.array_equal(step.centroids, step.centroids.round())
        assume(whole or (gaps > 1e-3).all())
    plain = quietly(points, len(start), init=start, tol=0)
    moved = quietly(points + constant, len(start), init=start + constant, tol=0)
    assert np.array_equal(plain.labels, moved.labels)
    np.testing.assert_allclose(moved.centroids - constant, plain.centroids, atol=1e-7)


@pytest.mark.parametrize("offset", [3e4, 3e6])
def test_float32_far_from_0(offset, rng):
    step = np.spacing(np.float32(offset)) * 4
    points = (offset + step * rng.integers(-500, 500, (2000, 3))).astype(np.float32)
    near = points.astype(np.float64) - offset
    moved = kmeans(points, 8, init=points[:8], tol=0)
    plain = kmeans(near, 8, init=near[:8], tol=0)
    assert moved.n_iter == plain.n_iter
    assert np.array_equal(moved.labels, plain.labels)
    np.testing.assert_allclose(
        moved.centroids - offset, plain.centroids, atol=1e-9 * offset
    )
    assert_consistent(moved, points)


@given(generic_points(), st.sampled_from([1e8, -1e8]))
def test_far_from_0_the_answer_is_still_consistent(case, offset):
    points, start = case
    points, start = points + offset, start + offset
    result = quietly(points, len(start), init=start)
    labels, distances = assign(points, result.centroids)
    assert np.array_equal(result.labels, labels)
    assert result.inertia == pytest.approx(distances.sum(), rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("offset", [1e8, 1e8 + 1, 1e8 + 3, 2e9, -1e8, -3e8])
def test_far_from_0_labels_belong_to_the_rounded_centroids(offset):
    # After one step the centroids are 1/3 and nearly 5/3, and the point 1 is nearer to
    # the second, by less than float64 can tell so far from 0.
    points = offset + np.array([[0.0], [0.0], [1.0], [1.5], [2.0]])
    start = offset + np.array([[0.5], [1.75]])
    weights = np.array([1, 1, 1, 2 / 3 + 2e-10, 1 / 3 - 2e-10])
    result = kmeans(points, 2, weights=weights, init=start, max_iter=1)
    assert_consistent(result, points, weights)


@pytest.mark.slow
def test_sums_lose_no_counts():
    points = np.full((10_000_000, 1), 200.3)
    assert kmeans(points, 1).centroids[0, 0] == 200.3
    points[0] = 0
    result = kmeans(points, 2, init=[[0.0], [200.0]], max_iter=2)
    np.testing.assert_allclose(result.centroids, [[0], [200.3]], rtol=1e-9)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int64, np.float16, bool]
)
def test_types_give_the_answer_of_float64(dtype, rng):
    points = rng.integers(0, 100, (300, 3)).astype(dtype)
    narrow = quietly(points, 4, init=points[:4])
    wide = quietly(points.astype(float), 4, init=points[:4].astype(float))
    assert np.array_equal(narrow.labels, wide.labels)
    assert np.array_equal(narrow.centroids, wide.centroids)
    assert narrow.centroids.dtype == np.float64


@given(tied_points(), st.sampled_from([1e-12, 2.0**-40, 1e9]))
def test_a_factor_changes_no_label(case, factor):
    points, start = case
    factor = 2.0 ** np.round(np.log2(factor))
    plain = quietly(points, len(start), init=start)
    scaled = quietly(points * factor, len(start), init=start * factor)
    assert np.array_equal(plain.labels, scaled.labels)
    assert np.array_equal(plain.centroids * factor, scaled.centroids)
    assert plain.n_iter == scaled.n_iter


# ---- Contract 9: the input is not touched ----------------------------------------


def test_read_only_input_of_any_memory_order(rng):
    points = rng.normal(size=(400, 3))
    expected = kmeans(points, 5, init=points[:5])
    wide = np.zeros((800, 6))
    wide[::-2, ::2] = points
    for variant in (points.copy(), np.asfortranarray(points), wide[::-2, ::2]):
        init, weights = variant[:5].copy(), np.ones(400)
        for array in (variant, init, weights):
            array.flags.writeable = False
        before = variant.tobytes()
        result = kmeans(variant, 5, init=init, weights=weights)
        assert variant.tobytes() == before
        assert np.array_equal(result.labels, expected.labels)
        assert np.array_equal(result.centroids, expected.centroids)


@given(tied_points(), st.data())
def test_the_order_of_the_points_does_not_matter(case, data):
    points, start = case
    order = data.draw(st.permutations(range(len(points))))
    one = quietly(points, len(start), init=start)
    other = quietly(points[order], len(start), init=start)
    assert np.array_equal(one.labels[order], other.labels)
    assert np.array_equal(one.centroids, other.centroids)


# ---- Edges -----------------------------------------------------------------------


def test_one_cluster_is_the_mean(iris):
    result = kmeans(iris, 1)
    np.testing.assert_allclose(result.centroids[0], iris.mean(axis=0), rtol=1e-14)
    assert result.inertia == pytest.approx(((iris - iris.mean(axis=0)) ** 2).sum())
    assert not result.labels.any()


def test_one_point():
    result = kmeans([[3.0, 4.0]], 1)
    assert result.centroids.tolist() == [[3, 4]]
    assert (result.inertia, result.n_iter, result.counts.tolist()) == (0, 1, [1])


def test_constant_columns_do_not_matter(rng):
    points = rng.normal(size=(300, 2))
    constant = np.full((300, 1), 7.3)
    plain = kmeans(points, 4, init=points[:4])
    wider = np.hstack([constant, points, constant])
    result = kmeans(wider, 4, init=wider[:4])
    assert np.array_equal(plain.labels, result.labels)
    assert (result.centroids[:, [0, 3]] == 7.3).all()


def test_a_clustering_prints_as_one_line():
    result = kmeans([[0.0], [1.0], [9.0]], 2, init=[[0.0], [9.0]])
    assert isinstance(result, Clustering)
    assert repr(result) == (
        "<Clustering of 3 points with 1 feature into 2 clusters: inertia 0.5, "
        "stopped by 'labels' after 2 steps>"
    )


def test_a_clustering_is_frozen():
    result = kmeans([[0.0]], 1)
    with pytest.raises(AttributeError):
        result.inertia = 1


def test_restarts_keep_the_best(iris):
    single = [kmeans(iris, 5, rng=s, n_init=1).inertia for s in range(20)]
    assert kmeans(iris, 5, rng=0, n_init=30).inertia <= np.quantile(single, 0.1)


def test_auto_makes_ten_random_starts_for_few_points(iris):
    def starts(points, **options):
        firsts = []
        kmeans(
            points, 3, callback=lambda s: firsts.append(s.iteration) and None, **options
        )
        return firsts.count(1)

    assert starts(iris) == 10
    assert starts(iris, n_init=4) == 4
    assert starts(iris, init="k-means++") == 1
    assert starts(iris, init=iris[:3]) == 1
    assert starts(np.random.default_rng(0).normal(size=(10_001, 1)), max_iter=2) == 1


def test_the_callback_ends_all_starts_also_in_the_last_step_of_one(iris):
    steps = []

    def at_the_end(step):
        steps.append(step)
        return step.stopped_by is not None

    result = kmeans(iris, 3, rng=0, callback=at_the_end)
    assert sum(step.iteration == 1 for step in steps) == 1
    assert result.stopped_by == "callback"
    assert_consistent(result, iris)


def test_the_callback_cannot_disturb_the_run(iris):
    def spoil(step):
        with pytest.raises(ValueError, match="read-only"):
            step.labels[:] = 0
        step.centroids[:] = 0

    plain = kmeans(iris, 3, rng=0)
    assert np.array_equal(kmeans(iris, 3, rng=0, callback=spoil).labels, plain.labels)


def test_the_warning_says_when_points_without_weight_are_left_out():
    with pytest.warns(UserWarning, match="k = 3, but there are only 2 distinct points"):
        kmeans([[0.0], [1.0], [1.0], [5.0]], 3, weights=[1, 1, 1, 0], rng=0)


def test_the_callback_sees_steps_in_the_datas_own_unit(rng):
    points = 1e6 + rng.normal(size=(100, 2))
    seen = []
    kmeans(points, 3, init=points[:3], callback=seen.append)
    expected = list(lloyd(points, points[:3]))
    assert len(seen) == len(expected)
    for one, other in zip(seen, expected):
        np.testing.assert_allclose(one.centroids, other.centroids, rtol=1e-12)
        assert one.inertia == pytest.approx(other.inertia, rel=1e-6)


# ---- Values known from elsewhere -------------------------------------------------


def test_iris_has_the_known_best_inertia(iris):
    result = kmeans(iris, 3, rng=0)
    assert result.inertia == pytest.approx(78.85144142614601)
    assert sorted(result.counts) == [38, 50, 62]


@pytest.mark.parametrize(
    ("k", "name"), crossed([2, 3, 8, 20], ["iris", "wine", "digits"])
)
def test_equal_to_scikit_learn_from_the_same_start(name, k):
    from sklearn import datasets
    from sklearn.cluster import KMeans

    points = getattr(datasets, f"load_{name}")().data
    rng = np.random.default_rng(k)
    start = points[rng.choice(len(points), k, replace=False)]
    # The measurements have one decimal, so that many points are equally far from two
    # of these but for rounding, which differs: move the start off its grid.
    start = start + rng.normal(size=start.shape) * points.std() / 100
    theirs = KMeans(k, init=start, n_init=1, tol=1e-4).fit(points)
    ours = kmeans(points, k, init=start, tol=1e-4)
    assert np.array_equal(ours.labels, theirs.labels_)
    assert ours.n_iter == theirs.n_iter_
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-6)
    scale = np.ptp(points)
    np.testing.assert_allclose(
        ours.centroids, theirs.cluster_centers_, atol=1e-9 * scale
    )


def test_empty_clusters_restart_as_in_scikit_learn():
    from sklearn.cluster import KMeans

    points = np.array([[0.0, 0], [0.5, 0], [0.5, 1], [1, 1], [7, 2], [5, 2]])
    start = np.array([[-1000.0, -1000], [0.5, 0.5], [4, 3]])
    theirs = KMeans(3, init=start, n_init=1).fit(points)
    ours = kmeans(points, 3, init=start)
    assert np.array_equal(ours.labels, theirs.labels_)
    assert ours.n_iter == theirs.n_iter_
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_)


def test_mean_inertia_of_a_pass_is_a_sweeps(iris):
    result = kmeans(iris, 4, rng=0)
    tally = Sweep(iris)(result.centroids)
    assert np.array_equal(tally.labels, result.labels)
    assert np.array_equal(tally.counts, result.counts)


@pytest.mark.parametrize("n", [400, 40_000])
def test_the_inertia_of_tight_clusters_keeps_its_digits(n, rng):
    centers = rng.normal(size=(4, 3)) * 1e6
    points = centers[rng.integers(0, 4, n)] + rng.normal(size=(n, 3)) * 1e-3
    answer = kmeans(points, 4, init=centers)
    apart = points.astype(np.longdouble) - answer.centroids[answer.labels]
    assert answer.inertia == pytest.approx(float((apart**2).sum()), rel=1e-6)
