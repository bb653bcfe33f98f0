"""Work in threads: in order, and nothing of it stays behind."""

import os
import signal
import threading
import time
import types
import warnings

import numpy as np
import pytest

from kmeans_np import kmeans, threads
from kmeans_np.estimator import KMeans
from kmeans_np.sweeps import products
from kmeans_np.threads import in_threads, n_threads, one_blas_thread


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 4)


@pytest.mark.usefixtures("four_cores")
def test_results_come_in_the_order_of_the_jobs():
    assert in_threads(lambda x: time.sleep(0.02 / (x + 1)) or x, range(9)) == [
        *range(9)
    ]
    assert in_threads(str, []) == []


@pytest.mark.usefixtures("four_cores")
def test_the_jobs_run_in_threads_that_end():
    names = in_threads(lambda _: threading.current_thread().name, range(50))
    assert all(name.startswith("kmeans_np") for name in names)
    assert not [t for t in threading.enumerate() if t.name.startswith("kmeans_np")]


@pytest.mark.usefixtures("four_cores")
def test_one_job_or_one_core_needs_no_thread(monkeypatch):
    here = threading.current_thread()
    assert in_threads(lambda _: threading.current_thread(), [0]) == [here]
    monkeypatch.setattr(threads, "n_threads", lambda: 1)
    assert in_threads(lambda _: threading.current_thread(), [0, 1]) == [here, here]


@pytest.mark.usefixtures("four_cores")
def test_an_error_in_a_job_is_an_error_here():
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda x: 1 / x, [1, 1, 0, 1])


@pytest.mark.usefixtures("four_cores")
def test_an_interrupt_stops_it_and_leaves_no_thread():
    done = []

    def job(number):
        time.sleep(0.05)
        done.append(number)

    timer = threading.Timer(0.12, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        in_threads(job, range(200))
    timer.join()
    assert len(done) < 100
    assert not [t for t in threading.enumerate() if t.name.startswith("kmeans_np")]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("1", 1), ("2", 2), ("3", 3), ("64", 6), ("0", 1), ("", 6), ("4,2", 4), ("x", 6)],
)
def test_the_number_of_cores_and_its_limit(variable, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.delenv("KMEANS_NP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert n_threads() == expected
    # Our own counts before that of all.
    monkeypatch.setenv("KMEANS_NP_NUM_THREADS", "3")
    assert n_threads() == 3


def threads_of_blas():
    return {library["num_threads"] for library in threads.blas().info()}


@pytest.fixture
def three_threads():
    """BLAS with a setting of the caller's own."""
    with threads.blas().limit(limits=3):
        yield


def test_ctrl_c_while_blas_is_set_leaves_it_as_it_was(monkeypatch):
    class Library:
        number = 5

        def get_num_threads(self):
            return self.number

        def set_num_threads(self, number):
            if self is libraries[1] and number == 1:
                raise KeyboardInterrupt
            self.number = number

    libraries = [Library(), Library()]
    found = types.SimpleNamespace(lib_controllers=libraries)
    monkeypatch.setattr(threads, "blas", lambda: found)
    with pytest.raises(KeyboardInterrupt), one_blas_thread():
        pass
    assert [library.number for library in libraries] == [5, 5]


@pytest.mark.usefixtures("three_threads")
def test_blas_takes_one_thread_and_then_as_many_as_before():
    with one_blas_thread():
        assert threads_of_blas() == {1}
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert threads_of_blas() == {1}
    assert threads_of_blas() == {3}


@pytest.mark.usefixtures("three_threads")
def test_whoever_ends_last_restores_the_threads_of_blas():
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads_of_blas() == {1}
    second.__exit__(None, None, None)
    assert threads_of_blas() == {3}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.usefixtures("three_threads")
def test_a_child_does_not_inherit_what_callers_of_its_parent_do():
    with one_blas_thread(), warnings.catch_warnings():
        # From Python 3.12 on, since there may be other threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            with one_blas_thread():
                inside = threads_of_blas() == {1}
            os._exit(0 if inside and threads_of_blas() == {3} else 1)
        _, status = os.waitpid(child, 0)
    assert status == 0


@pytest.mark.usefixtures("three_threads")
def test_a_run_leaves_the_threads_of_blas_as_they_were():
    rng = np.random.default_rng(0)
    points, seen = rng.normal(size=(20_000, 4)), []
    kmeans(points, 9, rng=0, callback=lambda _: seen.append(threads_of_blas()))
    assert seen[0] == {3}
    assert threads_of_blas() == {3}


@pytest.mark.usefixtures("three_threads")
def test_products_of_a_run_are_made_by_one_thread(monkeypatch):
    rng, seen = np.random.default_rng(0), []

    def multiply(*args):
        seen.append(threads_of_blas())
        threads.multiply(*args)

    monkeypatch.setattr(products, "multiply", multiply)
    points = rng.normal(size=(20_000, 4))
    KMeans(9, random_state=0).fit(points).predict(points)
    assert seen
    assert all(number == {1} for number in seen)


def test_products_do_not_depend_on_what_limits_blas(monkeypatch):
    rng = np.random.default_rng(0)
    rows, factors = rng.normal(size=(999, 7)), rng.normal(size=(7, 5))
    monkeypatch.setattr(threads, "blas", lambda: None)
    monkeypatch.setattr(threads, "SMALL_PRODUCT", 35 * 100)
    for order in "CF":
        out = np.empty((999, 5), order=order)
        threads.multiply(rows, factors, out)
        np.testing.assert_allclose(out, rows @ factors)
