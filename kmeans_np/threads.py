"""Work for several cores: independent blocks of it, given to threads.

NumPy lets go of the interpreter's lock while it sorts, multiplies, compares or looks up
large arrays, so threads are enough, and no data travels. Results come in the order of
the blocks, whichever thread was first, so that whoever adds them up gets the same bits
with any number of threads. No thread outlives the call that started it. BLAS is kept to
one thread for each matrix product meanwhile.
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

# So that the threads of every call have names of their own.
_NUMBERS = count()
# What this package alone is told, and what all numerical libraries are: to leave cores
# to others.
LIMITS = "KMEANS_NP_NUM_THREADS", "OMP_NUM_THREADS"
# Of fewer operations on numbers, threads would wait for the interpreter's lock and for
# each other longer than they work.
LEAST_WORK = 2**25

Job = TypeVar("Job")
Result = TypeVar("Result")


def n_threads() -> int:
    """Return the number of cores that this process may use.

    The first of the environment variables `LIMITS` that is set to a number lowers it.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    for name in LIMITS:
        # OpenMP's own may have a number for each level of threads within threads.
        limit = os.environ.get(name, "").split(",")[0]
        if limit.isdecimal():
            return max(1, min(cores, int(limit)))
    return cores


def in_threads(
    work: Callable[[Job], Result], jobs: Iterable[Job], n_operations: float = np.inf
) -> list[Result]:
    """Return [work(job) for job in jobs], the jobs being shared among threads.

    If all jobs together have fewer operations, about, than a thread is worth, they are
    done here. An exception in one of the jobs, and Ctrl-C, cancel those that have not
    begun and wait for those that have.
    """
    jobs = list(jobs)
    workers = min(n_threads(), len(jobs)) if n_operations > LEAST_WORK else 1
    if workers <= 1:
        return [work(job) for job in jobs]
    # Only now, since it takes as long to load as a part of this package.
    from concurrent.futures import ThreadPoolExecutor

    name = f"kmeans_np {next(_NUMBERS)}"
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    try:
        return list(pool.map(work, jobs))
    finally:
        _end(pool, name)


def _end(pool: Any, name: str) -> None:
    """Wait for the jobs that have begun, also if Ctrl-C comes meanwhile."""
    interrupt, left = None, True
    while left:
        try:
            pool.shutdown(cancel_futures=True)
            # A pool does not know of a thread if Ctrl-C came just as it was started.
            left = any(t.name.startswith(f"{name}_") for t in threading.enumerate())
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


# Products of up to so many multiplications OpenBLAS leaves to one thread.
SMALL_PRODUCT, LEAST_ROWS = 2**18, 32
# Who keeps BLAS to one thread at present, and how many threads it took before.
_LOCK = threading.Lock()
_callers: dict[object, list[int]] = {}


@cache
def blas() -> Any:
    """Return what sets how many threads BLAS takes; None if there is nothing."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    found = ThreadpoolController().select(user_api="blas")
    return found if found.lib_controllers else None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep the matrix products of the process to one thread each.

    The threads of BLAS wait for each other by spinning, which costs more than they
    bring for products as small as ours, and much more beside other work. It needs
    threadpoolctl, which comes with scikit-learn.
    """
    if blas() is None:
        yield
        return
    caller = object()
    try:
        with _LOCK:
            # Only the first sees the setting of before, and the last restores it. It is
            # noted first: Ctrl-C may come as soon as something has been set.
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
    """Set how many threads each BLAS takes.

    What threadpoolctl has for this looks at much else first, which is too long for what
    is done in each pass.
    """
    for library, number in zip(blas().lib_controllers, numbers):
        library.set_num_threads(number)


def _forget() -> None:
    """Undo in a child process what callers of its parent do, who are not there."""
    global _LOCK
    _LOCK = threading.Lock()
    for before in [*_callers.values()][:1]:
        _set_threads(before)
    _callers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def multiply(rows: Array, factors: Array, out: Array) -> None:
    """Write the matrix product of rows (m, d) and factors (d, k), by one thread.

    Where nothing keeps BLAS to one thread, products are made so small that it does not
    take more, if they are not tiny then.
    """
    m, step = len(rows), SMALL_PRODUCT // factors.size
    if blas() is not None or step < LEAST_ROWS:
        step = m
    for start in range(0, m, step):
        part = slice(start, start + step)
        np.matmul(rows[part], factors, out=out[part])
