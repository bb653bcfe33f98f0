"""Work for several cores: independent blocks of it, given to threads.

NumPy lets go of the interpreter's lock while it sorts, multiplies, compares or looks up
large arrays, so threads are enough, and no data travels. Results come in the order of
the blocks, whichever thread was first, so that whoever adds them up gets the same bits
with any number of threads. No thread outlives the call that started it.
"""

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def n_threads() -> int:
    """Return the number of cores that this process may use.

    The environment variable OMP_NUM_THREADS, by which numerical libraries are told to
    leave cores to others, lowers it.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(limit))) if limit.isdecimal() else cores


def in_threads(work: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
    """Return [work(job) for job in jobs], the jobs being shared among threads.

    An exception in one of the jobs, and Ctrl-C, cancel those that have not begun and
    wait for those that have.
    """
    jobs = list(jobs)
    workers = min(n_threads(), len(jobs))
    if workers <= 1:
        return [work(job) for job in jobs]
    # Only now, since it takes as long to load as a part of this package.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers, thread_name_prefix="kmeans_np") as pool:
        try:
            return list(pool.map(work, jobs))
        except BaseException:
            # Ctrl-C may come while jobs are still being handed out.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
