"""Threads: independent blocks of work, shared among the cores.

NumPy releases the interpreter's lock while it sorts, multiplies, compares or looks up
large arrays, so threads are enough, and no data need be sent. Results are in the order
of the blocks, whichever thread finishes first, so that adding them up gives the same
bits for any number of threads. No thread outlives the call that started it. Meanwhile,
BLAS is limited to one thread per matrix product.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, TypeVar

import numpy as np

from kmeans_np.lloyd import Array

# Numbers for the names of threads, which differ for every call.
_NUMBERS = count()
# The environment variables that limit the number of threads: of this package, and of
# all numerical libraries.
LIMITS = "KMEANS_NP_NUM_THREADS", "OMP_NUM_THREADS"
# With fewer operations, threads would wait for the interpreter's lock and for each
# other longer than they work.
LEAST_WORK = 2**25

Job = TypeVar("Job")
Result = TypeVar("Result")


def n_threads() -> int:
    """Return the number of cores that this process may use.

    The first of the environment variables in `LIMITS` that is a number lowers it.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    for name in LIMITS:
        # OpenMP's variable may have a number for each level of nested threads.
        limit = os.environ.get(name, "").split(",")[0]
        if limit.isdecimal():
            return max(1, min(cores, int(limit)))
    return cores


def in_threads(
    work: Callable[[Job], Result], jobs: Iterable[Job], n_operations: float = np.inf
) -> list[Result]:
    """Return [work(job) for job in jobs], with the jobs shared among threads.

    If all jobs together have too few operations for threads, they run in this thread.
    An exception in a job, or Ctrl-C, cancels jobs that have not begun and waits for
    those that have.
    """
    jobs = list(jobs)
    workers = min(n_threads(), len(jobs)) if n_operations > LEAST_WORK else 1
    if workers <= 1:
        return [work(job) for job in jobs]
    # Imported late, since it takes a while to load.
    from concurrent.futures import ThreadPoolExecutor

    name = f"kmeans_np {next(_NUMBERS)}"
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    try:
        return list(pool.map(work, jobs))
    finally:
        _end(pool, name)


def _end(pool: Any, name: str) -> None:
    """Wait for the jobs that have begun, even if Ctrl-C is pressed meanwhile."""
    interrupt, left = None, True
    while left:
        try:
            pool.shutdown(cancel_futures=True)
            # A pool does not know of a thread if Ctrl-C interrupted its start.
            left = any(t.name.startswith(f"{name}_") for t in threading.enumerate())
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


# OpenBLAS computes products of up to this many multiplications in one thread; with
# fewer rows than the second number, products would be too small.
SMALL_PRODUCT, LEAST_ROWS = 2**18, 32
# The callers that currently limit BLAS to one thread, with the numbers of threads
# before.
_LOCK = threading.Lock()
_callers: dict[object, list[int]] = {}


@cache
def blas() -> Any:
    """Return the controller of BLAS threads; None if there is none."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    found = ThreadpoolController().select(user_api="blas")
    return found if found.lib_controllers else None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the matrix products of the process to one thread each.

    BLAS threads wait for each other by spinning, which costs more than they gain for
    products as small as those here, and much more if other work is running. This needs
    threadpoolctl, which is installed with scikit-learn.
    """
    if blas() is None:
        yield
        return
    caller = object()
    try:
        with _LOCK:
            # The first caller reads the original setting, and the last one restores it.
            # It is stored before anything is set, since Ctrl-C may come right after.
            others = [*_callers.values()]
            libraries = blas().lib_controllers
            before = others[0] if others else [x.get_num_threads() for x in libraries]
            _callers[caller] = before
            if not others:
                _set_threads([1] * len(before))
        yield
    finally:
        with _LOCK:
            before = _callers.pop(caller, [])
            if not _callers:
                _set_threads(before)


def _set_threads(numbers: list[int]) -> None:
    """Set the number of threads of each BLAS.

    threadpoolctl's own function for this inspects much else first, which takes too long
    for every pass.
    """
    for library, number in zip(blas().lib_controllers, numbers):
        library.set_num_threads(number)


def _forget() -> None:
    """Reset the limits in a child process, which does not have its parent's callers."""
    global _LOCK
    _LOCK = threading.Lock()
    for before in [*_callers.values()][:1]:
        _set_threads(before)
    _callers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def multiply(rows: Array, factors: Array, out: Array) -> None:
    """Write the matrix product of rows (m, d) and factors (d, k), using one thread.

    If BLAS cannot be limited to one thread, the product is split into products so small
    that BLAS uses only one, unless they would be tiny.
    """
    m, step = len(rows), SMALL_PRODUCT // factors.size
    if blas() is not None or step < LEAST_ROWS:
        step = m
    for start in range(0, m, step):
        part = slice(start, start + step)
        np.matmul(rows[part], factors, out=out[part])
