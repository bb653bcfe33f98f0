"""Work in threads: in order, and nothing of it stays behind."""

import os
import signal
import threading
import time

import pytest

from kmeans_np import threads
from kmeans_np.threads import in_threads, n_threads


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
    [("1", 1), ("2", 2), ("3", 3), ("64", 6), ("0", 1), ("", 6), ("4,2", 6)],
)
def test_the_number_of_cores_and_its_limit(variable, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert n_threads() == expected
