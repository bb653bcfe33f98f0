"""Threads, processes and Ctrl-C: the same bits (contract 2), nothing left behind."""

import concurrent.futures
import functools
import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tables import chosen, crossed

from kmeans_np import assign, cluster_image, kmeans, threads, tree_sums
from kmeans_np.colors import cell_counts, distinct, lookup
from kmeans_np.sweeps import bounded, totals

START = "given"
INITS = ["random", "k-means++", START]


def digest(answer, steps):
    """A hash of all bits of an answer, and of what its callback was shown."""
    arrays = [answer.centroids, answer.labels, answer.counts]
    arrays += [answer.image] if hasattr(answer, "image") else []
    numbers = [answer.inertia, answer.n_iter]
    for step in steps:
        numbers += [step.inertia, step.shift, step.n_changed]
        arrays.append(step.new_centroids)
    arrays.append(np.array(numbers))
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def digest_of(call, values, k, **how):
    steps = []
    return digest(call(values, k, callback=steps.append, **how), steps)


# ---- Any number of threads -------------------------------------------------------


@pytest.fixture
def jobs(monkeypatch):
    """Blocks so small that threads are used; counts the jobs of each call."""
    monkeypatch.setattr(distinct, "COUNT_BLOCK", 2**16)
    monkeypatch.setattr(lookup, "LOOK_UP_BLOCK", 2**16)
    counts = []

    def watched(work, jobs):
        jobs = list(jobs)
        counts.append(len(jobs))
        return threads.in_threads(work, jobs)

    for module in (cell_counts, distinct, lookup):
        monkeypatch.setattr(module, "in_threads", watched)
    return counts


def over_threads(monkeypatch, call):
    """Call with 1, 2, 3 and 8 threads, for little work too; return the results."""
    monkeypatch.setattr(threads, "LEAST_WORK", 0)
    found = []
    for number in (1, 2, 3, 8):
        monkeypatch.setattr(threads, "n_threads", lambda number=number: number)
        found.append(call())
    return found


@pytest.mark.parametrize("init", chosen(INITS, "random"))
def test_an_image_has_the_same_bits_for_any_number_of_threads(
    china, init, jobs, monkeypatch
):
    how = {"rng": 0} if init != START else {"init": china[::60, 30].astype(float)}
    how = {"init": init, **how, "max_iter": 20}
    call = functools.partial(digest_of, cluster_image, china, 8, **how)
    found = over_threads(monkeypatch, call)
    assert len({*found}) == 1
    # To count, to look up the labels, to paint: always shared.
    for_each_call = jobs[: len(jobs) // 4]
    assert jobs == 4 * for_each_call
    assert len(for_each_call) >= 3
    assert min(for_each_call) > 1


def test_over_many_blocks_the_answer_is_right(china, jobs, monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 3)
    answer = cluster_image(china, 5, rng=0)
    labels, distances = assign(china.reshape(-1, 3), answer.centroids)
    assert np.array_equal(answer.labels.ravel(), labels)
    assert np.array_equal(answer.image, answer.palette[answer.labels])
    assert np.array_equal(answer.counts, np.bincount(labels))
    assert answer.inertia == pytest.approx(distances.sum(), rel=1e-12)
    assert min(jobs) > 1


@pytest.mark.parametrize(("init", "dtype"), crossed(INITS, [np.float32, np.float64]))
def test_points_have_the_same_bits_for_any_number_of_threads(init, dtype, monkeypatch):
    for module, name, value in (
        (bounded, "LARGEST_BLOCK", 3000),
        (tree_sums, "MOST", 2**11),
        (totals, "TEXTBOOK", 2**10),
    ):
        monkeypatch.setattr(module, name, value)
    points = np.random.default_rng(1).normal(size=(20_000, 5)).astype(dtype)
    init = points[:6] if init == START else init
    shared = []

    def watched(work, jobs, *n_operations):
        shared.append(work.__name__)
        return threads.in_threads(work, jobs, *n_operations)

    monkeypatch.setattr(bounded, "in_threads", watched)
    call = functools.partial(digest_of, kmeans, points, 6, init=init, rng=0, max_iter=9)
    assert len({*over_threads(monkeypatch, call)}) == 1
    assert {*shared} == {"_prepare", "look", "sums", "change"}


def test_threads_are_no_more_than_there_are_jobs_and_end(china, jobs, monkeypatch):
    pools = []
    real = concurrent.futures.ThreadPoolExecutor

    def pool(workers, **how):
        pools.append(workers)
        return real(workers, **how)

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", pool)
    monkeypatch.setattr(threads, "n_threads", lambda: 4)
    before = threading.enumerate()
    cluster_image(china, 4, rng=0)
    assert threading.enumerate() == before
    assert pools == [min(4, n) for n in jobs]
    assert max(pools) == 4


def test_nothing_is_left_when_the_callback_raises(china, jobs, monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 4)

    def fail(_):
        raise ZeroDivisionError

    before = threading.enumerate()
    for call, values in ((cluster_image, china), (kmeans, china.reshape(-1, 3) / 2)):
        with pytest.raises(ZeroDivisionError):
            call(values, 4, rng=0, callback=fail)
        assert threading.enumerate() == before
    assert jobs


@pytest.mark.parametrize("size", [(8, 8, 3), (64, 64, 3), (64, 64)])
def test_small_work_starts_no_thread(size, rng, monkeypatch):
    def pool(*_, **__):
        raise AssertionError("a thread for small work")

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", pool)
    monkeypatch.setattr(threads, "n_threads", lambda: 8)
    image = rng.integers(0, 256, size).astype(np.uint8)
    cluster_image(image, 4, rng=0)
    cluster_image(image / 255, 4, rng=0)
    kmeans(image.reshape(-1, 1) / 7, 4, rng=0)


def test_only_steps_that_look_at_many_points_start_threads(rng, monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 4)
    monkeypatch.setattr(threads, "LEAST_WORK", 2**22)
    monkeypatch.setattr(bounded, "LARGEST_BLOCK", 2**14)
    places, real = [], bounded.BoundedSweep._look

    def look(*args):
        places.append((threading.current_thread() is here, *real(*args)))
        return places[-1][1:]

    here = threading.current_thread()
    monkeypatch.setattr(bounded.BoundedSweep, "_look", look)
    points = rng.normal(size=(60_000, 8)) + 9 * rng.integers(0, 4, (60_000, 1))
    kmeans(points, 8, init=points[:8], tol=0)
    steps = [places[i : i + 4] for i in range(0, len(places), 4)]
    assert not any(is_here for is_here, *_ in steps[0])
    assert all(is_here for is_here, *_ in steps[-1])
    assert sum(n_due for _, _, n_due in steps[-1]) < len(points) / 8


# ---- Programs of their own -------------------------------------------------------

SMALL_BLOCKS = """
import hashlib, multiprocessing, os, signal, sys, threading, time
import numpy as np
from kmeans_np import cluster_image, kmeans, sample_image, threads
from kmeans_np.clustering import choose_sweep
from kmeans_np.colors import cell_counts, distinct, lookup
threads.LEAST_WORK = 0
distinct.COUNT_BLOCK = distinct.SEARCH_BLOCK = lookup.LOOK_UP_BLOCK = 2**15
choose_sweep.BLOCK = 2**14

def left_behind():
    return [t.name for t in threading.enumerate() if t is not threading.main_thread()]
"""

DIGEST = '''
def digests(full=True):
    """Hashes of answers, and of what the callback was shown, each with its name."""
    rng = np.random.default_rng(0)
    # Nearly every pixel a color of its own, in 20,000 of the cells.
    noise = rng.integers(0, 256, (150, 200, 3)).astype(np.uint8)
    photo, table = sample_image(), rng.normal(size=(20_000, 7))
    found = []

    def add(name, call, values, k, **how):
        answer, shown = hashlib.sha256(), hashlib.sha256()

        def show(step):
            for x in (step.inertia, step.shift, step.n_changed):
                shown.update(np.float64(x).tobytes())
            shown.update(step.new_centroids.tobytes())

        a = call(values, k, callback=show, rng=0, **how)
        for x in (a.centroids, a.labels, np.float64(a.inertia)):
            answer.update(x.tobytes())
        if call is cluster_image:
            answer.update(a.image.tobytes())
        found.append(f"{name}:answer:{answer.hexdigest()}")
        found.append(f"{name}:steps:{shown.hexdigest()}")

    for init in ("random", "k-means++"):
        add(f"photo-{init}", cluster_image, photo, 9, init=init, max_iter=9)
        add(f"table-{init}", kmeans, table, 5, init=init, max_iter=3)
        if full:
            add(f"noise-2-{init}", cluster_image, noise, 2, init=init, max_iter=3)
            add(f"noise-40-{init}", cluster_image, noise, 40, init=init, max_iter=3)
    if full:
        table, start = table.astype(np.float32), photo[40, :400:50].astype(float)
        add("float32", kmeans, table, 40, max_iter=3)
        add("wide", kmeans, rng.normal(size=(20_000, 40)), 5, max_iter=3)
        add("line", kmeans, rng.normal(size=(60_000, 1)), 3, max_iter=4)
        add("photo-300", cluster_image, photo, 300, max_iter=2)
        add("given", cluster_image, photo, 8, init=start)
        how = {"coarse_start": False, "n_init": 3, "max_iter": 9}
        add("plain", cluster_image, photo, 8, **how)
        add("float-photo", cluster_image, photo / 255, 8, max_iter=3)
        small = np.ascontiguousarray(photo[100:300, :250])
        deep, mask = small.astype(np.uint16) * 257, small[..., 0] > 60
        add("deep", cluster_image, deep, 8, max_iter=3)
        how = {"mask": mask, "weights": deep[..., 0], "max_iter": 3}
        add("masked", cluster_image, small, 8, **how)
        how = {"color_space": "lab", "normalize": True, "max_iter": 3}
        add("lab", cluster_image, small / 255, 8, **how)
        add("places", cluster_image, small, 8, max_iter=3, position_weight=1)
    return found
'''


# The programs import the package that is tested here, and use all cores.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(threads.__file__).parents[1])}
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    ENVIRONMENT.pop(variable, None)


def program(text, *, header=SMALL_BLOCKS + DIGEST, **variables):
    """Start Python with a program, in an environment with these variables."""
    return subprocess.Popen(
        [sys.executable, "-c", header + text],
        env=ENVIRONMENT | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process, timeout=60):
    out, error = process.communicate(timeout=timeout)
    assert process.returncode == 0, error
    return out.split()


ENVIRONMENTS = list(product(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "12"))


@pytest.mark.parametrize(
    ("full", "number_of_runs", "environments"),
    [
        pytest.param(False, 4, ENVIRONMENTS[1:3], id="some", marks=pytest.mark.slow),
        pytest.param(True, 19, ENVIRONMENTS, id="all", marks=pytest.mark.slow),
    ],
)
def test_the_same_bits_whatever_the_environment_says_of_threads(
    full, number_of_runs, environments
):
    text = f"print(*digests({full})); assert not left_behind(), left_behind()"
    processes = [program(text, **{name: number}) for name, number in environments]
    first, *others = [said(process) for process in processes]
    assert len(first) == 2 * number_of_runs
    for other in others:
        assert other == first


# ---- Ctrl-C ----------------------------------------------------------------------

LONG_RUNS = {
    "kmeans": "kmeans(rng.normal(size=(200_000, 4)), 32, ",
    "an image": "cluster_image(rng.integers(0, 256, (600, 600, 3)).astype('u1'), 48, ",
    "a float image": "cluster_image(rng.normal(size=(400, 400, 3)), 32, ",
}

UNTIL_CTRL_C = """
rng = np.random.default_rng(0)
steps, at = [], []

def press():
    at.append(len(steps))
    os.kill(os.getpid(), signal.SIGINT)

def say(step):
    steps.append(step.iteration)
    # Once it is in the middle of a step.
    if step.iteration == 2 and not at:
        timer.start()

timer = threading.Timer(0.05, press)
try:
    CALL init="random", n_init=1, tol=0, max_iter=10**6, rng=0, callback=say)
except KeyboardInterrupt:
    timer.join()
    print(len(steps) - at[0], len(left_behind()))
else:
    print("ended before")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize("run", LONG_RUNS)
def test_ctrl_c_ends_a_long_run_at_once_and_leaves_no_thread(run):
    text = UNTIL_CTRL_C.replace("CALL", LONG_RUNS[run])
    steps, left = said(program("threads.n_threads = lambda: 3\n" + text))
    assert left == "0"
    # It may have come between two steps.
    assert int(steps) <= 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_while_colors_are_counted_leaves_no_thread():
    # 300 million pixels' worth of blocks, of which only a few are done.
    text = """
threads.n_threads = lambda: 3
pixels = np.random.default_rng(0).integers(0, 256, (10**6, 3)).astype("u1")
many = np.broadcast_to(pixels, (300, 10**6, 3))
timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
begun = []

def work(block):
    begun.append(1)
    if len(begun) == 1:
        timer.start()
    return distinct.distinct_colors(block).counts.sum()

try:
    threads.in_threads(work, many)
except KeyboardInterrupt:
    timer.join()
    print(len(begun), len(left_behind()))
"""
    begun, left = said(program(text))
    assert left == "0"
    assert int(begun) < 100


# ---- Children --------------------------------------------------------------------

CHILDREN = """
def work(queue):
    queue.put((digests(full=False), left_behind()))

if __name__ == "__main__":
    before = digests(full=False)
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.Queue()
    child = context.Process(target=work, args=(queue,))
    child.start()
    found, left = queue.get(timeout=50)
    child.join(timeout=50)
    assert child.exitcode == 0
    assert left == []
    assert found == before
    # And the parent goes on.
    assert digests(full=False) == before
    assert left_behind() in ([], ["QueueFeederThread"])
    print("well")
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_works_after_the_parent_has_used_it(method, tmp_path):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this platform")
    # A spawned child imports the program, so it has to be a file.
    file = tmp_path / "children.py"
    many = "\nthreads.n_threads = lambda: 3\n"
    file.write_text(SMALL_BLOCKS + DIGEST + many + CHILDREN, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, file, method],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "well\n"
