"""`KMeans`: what scikit-learn's own tests ask, and where it is better."""

import importlib
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClusterMixin, clone, is_clusterer
from sklearn.cluster import Birch
from sklearn.datasets import load_digits, load_iris, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator
from tables import chosen, crossed

from kmeans_np import KMeans, kmeans

HERE = Path(__file__).parent
# Not ours, as in the process that runs scikit-learn's tests.
assert sklearn.cluster.KMeans.__module__.startswith("sklearn.")
BLOBS, _ = make_blobs(300, 3, centers=6, random_state=0)


class SklearnKMeans(KMeans, ClusterMixin, BaseEstimator):
    """K-means that is an instance of scikit-learn's classes."""


# ---- scikit-learn's own tests ------------------------------------------------------


# scikit-learn warns that it is not made of its own base class, and checks all the same.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", chosen([KMeans, SklearnKMeans], KMeans))
def test_every_check_of_estimators_passes(kind):
    results = check_estimator(kind(), on_fail=None)
    assert len(results) > 45
    for result in results:
        # Some need libraries or settings that are not here, and say so.
        left_out = result["status"] == "skipped" and "Skip" in repr(result["exception"])
        assert result["status"] == "passed" or left_out, result
        assert result["expected_to_fail"] is False


@pytest.mark.slow
def test_scikit_learns_tests_of_dense_k_means_pass(tmp_path):
    """In a process of its own, over seeds 0 to 4, with no failure expected."""
    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "sklearn_swap",
            "-p", "no:cacheprovider", "--pyargs", "sklearn.cluster.tests.test_k_means",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
            "SKLEARN_TESTS_GLOBAL_RANDOM_SEED": "0-4",
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    summary = run.stdout.splitlines()[-1]
    assert int(re.search(r"(\d+) passed", summary)[1]) > 150, summary
    assert "xfailed" not in summary
    assert "failed" not in summary


# ---- Equal -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "name"), crossed([2, 3, 8, 20, 50], ["iris", "digits", "wine", "blobs"])
)
def test_from_the_same_start_it_is_scikit_learn(name, k):
    load = {"iris": load_iris, "digits": load_digits, "wine": load_wine}
    data = BLOBS if name == "blobs" else load[name]().data
    rng = np.random.default_rng(k)
    # Off the grid that the data lie on: a tie there falls by rounding in theirs.
    start = data[rng.choice(len(data), k, replace=False)] + rng.normal(
        0, 1e-3, (k, data.shape[1])
    )
    ours = KMeans(k, init=start).fit(data)
    theirs = sklearn.cluster.KMeans(k, init=start, n_init=1).fit(data)
    assert np.array_equal(ours.labels_, theirs.labels_)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(
        ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-9, atol=1e-9
    )
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9)
    np.testing.assert_allclose(ours.transform(data), theirs.transform(data), atol=1e-4)


def test_it_is_the_function_of_the_package():
    start = BLOBS[:4]
    model, result = KMeans(4, init=start).fit(BLOBS), kmeans(BLOBS, 4, init=start)
    assert np.array_equal(model.labels_, result.labels)
    np.testing.assert_allclose(model.cluster_centers_, result.centroids, rtol=1e-12)


# ---- Better ------------------------------------------------------------------------


def test_far_from_zero_in_float32_predict_says_what_fit_said():
    rng = np.random.default_rng(0)
    data = (30_000 + 8 * rng.integers(0, 5, (2000, 2))).astype(np.float32)
    start = np.unique(data, axis=0)[:8]
    ours = KMeans(8, init=start).fit(data)
    assert np.array_equal(ours.predict(data), ours.labels_)
    assert ours.score(data) == -ours.inertia_
    assert ours.cluster_centers_.dtype == np.float32
    theirs = sklearn.cluster.KMeans(8, init=start, n_init=1).fit(data)
    assert (theirs.predict(data) != theirs.labels_).mean() > 0.1


@given(
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    offset=st.sampled_from([0, 30_000, -3e6]),
    n=st.sampled_from([60, 3000]),
    init=st.sampled_from(["random", "k-means++", "given"]),
    weighted=st.booleans(),
)
def test_predict_and_score_repeat_what_fit_said(seed, dtype, offset, n, init, weighted):
    rng = np.random.default_rng(seed)
    data = (offset + 8 * rng.normal(0, rng.uniform(0.1, 2), (n, 3))).astype(dtype)
    weights = rng.integers(0, 3, n) if weighted else None
    start = data[rng.choice(n, 16, replace=False)] if init == "given" else init
    how = {"n_init": 1, "random_state": seed}
    with warnings.catch_warnings():
        # Far away there may be fewer than 16 numbers of float32.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(16, init=start, **how).fit(data, sample_weight=weights)
        exact = KMeans(16, init=start, **how).fit(data.astype(float), None, weights)
    assert np.array_equal(model.predict(data), model.labels_)
    assert model.score(data, sample_weight=weights) == -model.inertia_
    # float32 is computed with as float64.
    assert np.array_equal(model.cluster_centers_, exact.cluster_centers_.astype(dtype))
    assert np.array_equal(model.labels_, exact.labels_)
    assert (model.inertia_, model.n_iter_) == (exact.inertia_, exact.n_iter_)
    distances = ((data[:, np.newaxis] - exact.cluster_centers_) ** 2).sum(axis=2)
    assert np.array_equal(distances.argmin(axis=1), model.labels_)
    masses = np.ones(n) if weights is None else weights
    assert model.inertia_ == pytest.approx((masses * distances.min(axis=1)).sum())


OFFSETS = {np.float32: [2**10, 2**20, -(2**19)], np.float64: [-(2**30), 2**45]}


@pytest.mark.parametrize(
    ("dtype", "init"), crossed(OFFSETS, ["random", "k-means++", "given", "called"])
)
def test_an_exact_offset_changes_no_label(dtype, init):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        # Near 2**20, float32 goes in steps of an eighth.
        data = (rng.integers(0, 400, (3000, 2)) / 8).astype(dtype)
        # Starts may lie between these steps.
        some = rng.choice(3000, 20, replace=False)
        start = data[some] + rng.integers(0, 64, (20, 2)) / 64

        def fitted(data, offset, init=init, start=start, seed=seed):
            here = start + offset
            init = {"given": here, "called": lambda *_, **__: here}.get(init, init)
            return KMeans(20, init=init, n_init=1, tol=0, random_state=seed).fit(data)

        near = fitted(data, 0)
        for offset in OFFSETS[dtype]:
            moved = data + dtype(offset)
            assert moved.dtype == dtype
            assert np.array_equal(moved - dtype(offset), data)
            far = fitted(moved, offset)
            assert np.array_equal(far.labels_, near.labels_)
            assert far.n_iter_ == near.n_iter_
            assert far.inertia_ == pytest.approx(near.inertia_, rel=1e-6)
            assert np.array_equal(far.predict(moved), near.labels_)


def set_to(values):
    def change(model):
        model.cluster_centers_ = values(model.cluster_centers_)

    return change


def changed_in_place(model):
    model.cluster_centers_[0] += 7


CENTERS = {
    "set": set_to(lambda centers: centers + 7),
    "set to float64": set_to(lambda centers: centers.astype(float)),
    "set to a list": set_to(lambda centers: (centers + 7).tolist()),
    "set to integers": set_to(lambda centers: centers.astype(int)),
    "set to fewer": set_to(lambda centers: centers[:2]),
    "changed in place": changed_in_place,
    "of an old pickle": lambda model: delattr(model, "_float64_centers"),
}


@pytest.mark.parametrize("change", CENTERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_centers_that_were_set_are_those_that_count(change, dtype):
    data = (BLOBS + 1000).astype(dtype)
    model = pickle.loads(pickle.dumps(KMeans(3, random_state=0).fit(data)))
    inside = np.array(model._float64_centers)
    CENTERS[change](model)
    centers = np.asarray(model.cluster_centers_, float)
    assert dtype == np.float64 or not np.array_equal(centers, inside)
    distances = np.linalg.norm(data[:, np.newaxis].astype(float) - centers, axis=2)
    assert np.array_equal(model.predict(data), distances.argmin(axis=1))
    assert -model.score(data) == pytest.approx((distances.min(axis=1) ** 2).sum())
    np.testing.assert_allclose(model.transform(data), distances, rtol=1e-6)


@pytest.mark.parametrize("init", ["random", "k-means++"])
def test_neither_order_nor_repetition_changes_a_bit(init):
    rng = np.random.default_rng(0)
    data = rng.integers(0, 9, (200, 3)).astype(float)
    weights = rng.integers(1, 4, 200)
    one = KMeans(5, init=init, random_state=3).fit(data, sample_weight=weights)
    order = rng.permutation(weights.sum())
    other = KMeans(5, init=init, random_state=3).fit(
        data.repeat(weights, axis=0)[order]
    )
    assert np.array_equal(one.cluster_centers_, other.cluster_centers_)
    assert np.array_equal(one.labels_.repeat(weights)[order], other.labels_)


def test_the_random_state_is_what_the_starts_come_from():
    data = np.random.default_rng(0).uniform(size=(400, 2))

    def centers(state):
        return KMeans(12, n_init=1, random_state=state).fit(data).cluster_centers_

    makers = [
        lambda: 1,
        lambda: 2,
        lambda: np.random.default_rng(1),
        lambda: np.random.RandomState(2),
    ]
    found = [centers(make()) for make in makers]
    assert np.array_equal(found[0], found[2])
    for make, once in zip(makers, found):
        assert np.array_equal(centers(make()), once)
    assert len({one.tobytes() for one in found}) == 3
    assert not np.array_equal(centers(None), centers(None))


def test_of_the_starts_of_a_callable_the_best_is_kept():
    data = np.array([[0.0], [1], [10], [11], [20], [21]])
    starts = [[[0], [1], [10]], [[0], [10], [20]], [[1], [0], [10]]]

    def start(samples, n_clusters, random_state):
        assert np.array_equal(samples, data)
        assert isinstance(random_state, np.random.RandomState)
        assert n_clusters == 3
        return starts.pop(0)

    model = KMeans(3, init=start, n_init=3).fit(data)
    assert model.cluster_centers_.tolist() == [[0.5], [10.5], [20.5]]
    assert not starts


def test_the_global_random_state_is_left_alone():
    def state():
        return np.random.get_state()[1].copy()  # noqa: NPY002

    before = state()
    KMeans(3).fit(BLOBS)
    KMeans(3, random_state=1).fit(BLOBS)
    assert np.array_equal(state(), before)


# ---- At home in scikit-learn -------------------------------------------------------


def test_clone_pickle_and_parameters():
    model = KMeans(4, init="k-means++", random_state=0)
    other = clone(model)
    assert other is not model
    assert other.get_params() == model.get_params()
    assert repr(other) == "KMeans(n_clusters=4, init='k-means++', random_state=0)"
    assert len(repr(KMeans(init=[[0.0, 0.0]] * 500))) <= 700
    again = pickle.loads(pickle.dumps(model.fit(BLOBS)))
    assert np.array_equal(again.predict(BLOBS), model.labels_)
    with pytest.raises(ValueError, match="Invalid parameter 'clusters'"):
        model.set_params(clusters=3)


def test_a_subclass_is_an_instance_of_scikit_learns_classes():
    with pytest.raises(ValueError, match=r"an instance of 'sklearn.base.ClusterMixin'"):
        Birch(n_clusters=KMeans(3)).fit(BLOBS)
    model = SklearnKMeans(3, random_state=0)
    assert len({*Birch(n_clusters=model).fit(BLOBS).labels_}) == 3
    assert is_clusterer(model)
    assert get_tags(model) == get_tags(KMeans())
    again = pickle.loads(pickle.dumps(clone(model).fit(BLOBS)))
    assert np.array_equal(again.labels_, KMeans(3, random_state=0).fit_predict(BLOBS))
    assert np.array_equal(again.predict(BLOBS), again.labels_)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        make_pipeline(scaler, model).fit(BLOBS, sample_weight=np.ones(300))


@pytest.mark.parametrize("n_jobs", chosen([1, 2], 1))
def test_pipelines_and_searches(n_jobs):
    pipeline = make_pipeline(StandardScaler(), KMeans(random_state=0))
    search = GridSearchCV(pipeline, {"kmeans__n_clusters": [2, 6]}, cv=3, n_jobs=n_jobs)
    search.fit(BLOBS)
    assert search.best_params_ == {"kmeans__n_clusters": 6}
    scores = cross_val_score(KMeans(6, random_state=0), BLOBS, cv=3)
    assert (scores < 0).all()
    assert len(pipeline.fit(BLOBS).predict(BLOBS)) == len(BLOBS)


class Frame:
    """As much of a data frame as is asked for: no frame library is needed for it."""

    def __init__(self, values, columns):
        self.values, self.columns, self.shape = values, columns, values.shape

    def to_numpy(self):
        return self.values


def test_names_of_columns_are_remembered_and_compared():
    frame = Frame(BLOBS, ["a", "b", "c"])
    model = KMeans(3, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert np.array_equal(model.predict(frame), model.labels_)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(BLOBS)
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- d\n.*missing:\n- c"):
        model.predict(Frame(BLOBS, ["a", "b", "d"]))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(Frame(BLOBS, ["b", "a", "c"]))
    wide = Frame(np.zeros((2, 9)), list("ijklmnopq"))
    with pytest.raises(ValueError, match=r"\n- i\n(- .\n){3}- m\n- \.\.\.\nF"):
        model.predict(wide)
    with pytest.raises(TypeError, match="only supported if all input features"):
        model.fit(Frame(BLOBS, ["a", 1, "c"]))
    model.fit(BLOBS)
    assert not hasattr(model, "feature_names_in_")
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        model.predict(frame)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_go_in_and_come_out(library):
    frames = importlib.import_module(library)
    frame = frames.DataFrame(dict(zip("abc", BLOBS.T)))
    model = KMeans(2, random_state=0).set_output(transform=library).fit(frame)
    assert np.array_equal(model.labels_, KMeans(2, random_state=0).fit(BLOBS).labels_)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    out = model.transform(frame)
    assert isinstance(out, frames.DataFrame)
    assert list(out.columns) == ["kmeans0", "kmeans1"]
    expected = model.set_output(transform="default").transform(frame)
    assert np.array_equal(out.to_numpy(), expected)
    model.fit(frame, sample_weight=frames.Series(np.ones(300)))
    with sklearn.config_context(transform_output=library):
        form = KMeans(2, random_state=0).fit_transform(frame)
    assert isinstance(form, frames.DataFrame)


@pytest.mark.parametrize("fitted", [np.float32, np.float64, int])
@pytest.mark.parametrize("given", [np.float32, np.float64, np.float16, int])
def test_distances_have_the_type_that_scikit_learn_gives_them(fitted, given):
    data = np.arange(24).reshape(12, 2)
    ours, theirs = (
        kind(2, init=data[:2], n_init=1).fit(data.astype(fitted))
        for kind in (KMeans, sklearn.cluster.KMeans)
    )
    assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype
    expected = theirs.transform(data.astype(given))
    found = ours.transform(data.astype(given))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5)


NAMES = [
    None, ["a", "b", "c"], ("a", "b", "c"), np.array(["a", "b", "c"]), ["a", "c", "b"],
    ["x"], [], list("abcd"), [1, 2, 3], "abc", [["a"], ["b"]],
]  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_names_of_features_are_checked_as_scikit_learn_does(named):
    data = pd.DataFrame(BLOBS, columns=["a", "b", "c"]) if named else BLOBS
    ours, theirs = (
        kind(2, n_init=1, random_state=0).fit(data)
        for kind in (KMeans, sklearn.cluster.KMeans)
    )
    refused = 0
    for names in NAMES:
        try:
            expected = theirs.get_feature_names_out(names)
        except (ValueError, TypeError) as error:
            # Theirs fails on a single string, which has no length.
            message = str(error) if isinstance(error, ValueError) else "input_features"
            with pytest.raises(ValueError, match=re.escape(message)):
                ours.get_feature_names_out(names)
            refused += 1
        else:
            assert np.array_equal(ours.get_feature_names_out(names), expected)
    assert refused > 4


def test_an_unknown_form_of_output_is_refused():
    with pytest.raises(ValueError, match=r"output config must be in .*, got 'numpy'"):
        KMeans().set_output(transform="numpy")


def test_rows_of_a_frame_keep_their_names():
    frame = pd.DataFrame(BLOBS, columns=["a", "b", "c"], index=range(7, 307))
    model = KMeans(2, random_state=0).set_output(transform="pandas")
    assert model.fit_transform(frame).index.equals(frame.index)


def test_missing_values_of_pandas_are_missing_values():
    frame = pd.DataFrame({"a": pd.array([1, 2, None], dtype="Int64"), "b": [1.0, 2, 3]})
    with pytest.raises(ValueError, match="Input X contains NaN"):
        KMeans(2).fit(frame)
    model = KMeans(2, random_state=0).fit(frame.dropna())
    assert model.inertia_ == 0


def test_scikit_learn_is_not_imported():
    code = (
        "import sys; from kmeans_np import KMeans;"
        "m = KMeans(2, random_state=0).fit([[0.], [1.], [9.]]); m.predict([[3.]]);"
        "m.transform([[3.]]); repr(m); print('sklearn' in sys.modules)"
    )
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


# ---- Bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "'n_clusters' parameter of KMeans must be an int in the"),
        ({"n_clusters": 2.0}, "'n_clusters' parameter of KMeans must be an int in the"),
        ({"n_clusters": 301}, "n_samples=300 should be >= n_clusters=301."),
        ({"n_init": 0}, "'n_init' parameter of KMeans must be an int in the range"),
        ({"n_init": "many"}, "'n_init' parameter of KMeans must be a str among"),
        ({"max_iter": 0}, "'max_iter' parameter of KMeans must be an int in the range"),
        ({"tol": -1}, "'tol' parameter of KMeans must be a float in the range"),
        ({"init": "best"}, "'init' parameter of KMeans must be a str among"),
        ({"algorithm": "full"}, "'algorithm' parameter of KMeans must be a str among"),
        ({"copy_x": 1}, "'copy_x' parameter of KMeans must be an instance of 'bool'"),
        ({"verbose": -1}, "'verbose' parameter of KMeans must be an int in the range"),
        ({"verbose": "a"}, "'verbose' parameter of KMeans must be an int in the range"),
        ({"random_state": -1}, "'random_state' parameter of KMeans must be None, an"),
        ({"random_state": 1.5}, "'random_state' parameter of KMeans must be None, an"),
        ({"random_state": "a"}, "'random_state' parameter of KMeans must be None, an"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        KMeans(**parameters).fit(BLOBS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(299), "sample_weight.shape == (299,), expected (300,)!"),
        (np.ones((300, 2)), "Sample weights must be 1D array or scalar"),
        (-np.ones(300), "Negative values in data passed to `sample_weight`"),
        (np.zeros(300), "sample_weight must not be zero everywhere"),
        (np.full(300, np.nan), "Input sample_weight contains NaN"),
        (np.full(300, -np.inf), "Input sample_weight contains infinity"),
        (np.nan, "Input sample_weight contains NaN"),
        (np.inf, "Input sample_weight contains infinity"),
        (10**400, "Input sample_weight contains infinity"),
        (1.01e100, "sample_weight must lie between -1e+100 and 1e+100"),
        (np.full(300, 1.01e100), "sample_weight must lie between -1e+100 and 1e+100"),
        (0.99e-100, "sample_weight must be 0 or between 1e-100 and 1e+100, got 9.9e-"),
        (np.full(300, 5e-324), "sample_weight must be 0 or between 1e-100 and 1e+100"),
        (2**53 + 1, "sample_weight must lie between -9,007,199,254,740,992 and"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        KMeans(2).fit(BLOBS, sample_weight=weights)
    model = KMeans(2, random_state=0).fit(BLOBS)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.score(BLOBS, sample_weight=weights)


LARGE = {
    "1e100": 1e100,
    "above 1e100": np.nextafter(1e100, np.inf),
    "below -1e100": -np.nextafter(1e100, np.inf),
    "1e160": 1e160,
    "float32": np.finfo(np.float32).max,
    "float16": np.finfo(np.float16).max,
    "2**53": np.int64(2**53),
    "above 2**53": np.int64(2**53 + 1),
    "int64": np.iinfo(np.int64).min,
    "uint64": np.uint64(2**64 - 1),
}
LINE = np.array([[0], [1], [2]], np.float32)
# Where numbers come in. The model has been fitted.
BORDERS = {
    "fit": lambda model, bad: model.fit(bad),
    "predict": lambda model, bad: model.predict(bad),
    "transform": lambda model, bad: model.transform(bad),
    "score": lambda model, bad: model.score(bad),
    "init": lambda _, bad: KMeans(2, init=bad[:2]).fit(LINE),
    "callable": lambda _, bad: KMeans(2, init=lambda *_, **__: bad[:2]).fit(LINE),
}


@pytest.mark.parametrize(("value", "border"), crossed(LARGE, BORDERS))
def test_the_numbers_that_kmeans_refuses_are_refused(border, value):
    bad = np.array([[LARGE[value]], [0], [1]], np.asarray(LARGE[value]).dtype)
    model = KMeans(2, random_state=0).fit([[0.0], [1.0], [3.0]])
    try:
        kmeans(bad, 2, rng=0)
    except ValueError as error:
        name = "init" if border in ("init", "callable") else "X"
        message = str(error).replace("points", name)
        for data in (bad, bad.astype(object)):
            with pytest.raises(ValueError, match=re.escape(message)):
                BORDERS[border](model, data)
    else:
        BORDERS[border](model, bad)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**70, "X must lie between -9,007,199,254,740,992 and 9,007,199,254,740,992"),
        (10**101, "X must lie between -1e+100 and 1e+100, so that sums of squares"),
        (-(10**400), "Input X contains infinity or a value too large for"),
        (np.longdouble("1e4000"), "Input X contains infinity or a value too large for"),
        (np.nan, "Input X contains NaN"),
        (None, "Input X contains NaN"),
        (pd.NA, "Input X contains NaN"),
        (np.inf, "Input X contains infinity or a value too large for dtype('float64')"),
        ("1e160", "X must lie between -1e+100 and 1e+100, so that sums of squares"),
    ],
    ids=str,
)
def test_objects_are_converted_or_refused(value, message):
    if value is pd.NA:
        data = pd.DataFrame({"a": pd.array([2**53, 1, None], dtype="Int64")})
        data.loc[0] = 5
    else:
        data = [[value], [1], [2.5]]
    with pytest.raises(ValueError, match=re.escape(message)):
        KMeans(2).fit(data)


def test_whole_numbers_of_pandas_are_not_rounded():
    data = pd.DataFrame({"a": pd.array([2**53 + 1, 1, 2], dtype="Int64")})
    with pytest.raises(ValueError, match=r"got a value of size 9,007,199,254,740,993"):
        KMeans(2).fit(data)


def test_sparse_data_are_refused_in_a_sentence():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"X must be dense, got a sparse csr_array; .*"):
        KMeans(2).fit(csr_array(BLOBS))


def test_masked_data_are_refused():
    masked = np.ma.array(BLOBS, mask=BLOBS > 3)
    with pytest.raises(TypeError, match="X must be a plain array, got a masked array"):
        KMeans(2).fit(masked)


def test_unfitted_and_too_few_distinct_samples():
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        KMeans().predict(BLOBS)
    with pytest.warns(
        ConvergenceWarning, match=r"distinct clusters \(2\) found smaller"
    ):
        model = KMeans(4, random_state=0).fit([[0.0], [0.0], [1.0], [1.0]])
    # The last one twice more; none of the samples belongs to these.
    assert np.array_equal(model.cluster_centers_[1:], model.cluster_centers_[[1, 1, 1]])
    assert {*model.labels_.tolist()} == {0, 1}
    assert model.inertia_ == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict([[0.2]])
