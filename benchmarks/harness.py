"""One way to time jobs beside each other, and to keep what came out.

Jobs of a case take turns, in an order that changes from round to round, and the medians
are kept: wall time, and the time of all cores together.
"""

import contextlib
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

# Threads of a job may go on spinning after its answer, at the cost of the next one: so
# long they are given to fall asleep.
SLEEP = 0.02
# A run as long as this needs no second round: it is long beside what disturbs it.
LONG = 1.0
OURS = "kmeans_np"


class Spent(NamedTuple):
    """Seconds on the clock, and of all cores together."""

    wall: float
    cpu: float


class Case(NamedTuple):
    """Jobs that do the same.

    Attributes
    ----------
    part, name : str
        Which part of the benchmarks it belongs to, and what is done.
    jobs : dict of str to tuple of callables
        Who does it, ours first, and in which ways; the fastest way of each counts.
    judge : callable, optional
        Returns the inertia of what a job returned.
    tolerance : float, optional
        By how much, relatively, the inertia of ours may be above that of any other.
    """

    part: str
    name: str
    jobs: dict[str, tuple[Callable[[], Any], ...]]
    judge: Callable[[Any], float] | None = None
    tolerance: float = math.inf


class Row(NamedTuple):
    """What came of a case: times and inertia of everybody."""

    part: str
    name: str
    spent: dict[str, Spent]
    inertia: dict[str, float]

    def ratio(self, other: str) -> float:
        """Return how many times our time another takes."""
        return self.spent[other].wall / self.spent[OURS].wall

    def others(self) -> list[str]:
        """Return who else did it, the fastest first."""
        return sorted(set(self.spent) - {OURS}, key=self.ratio)


def measure(case: Case, rounds: int) -> Row:
    """Time all jobs of a case."""
    ways = [(who, job) for who, jobs in case.jobs.items() for job in jobs]
    seconds: list[list[Spent]] = [[] for _ in ways]
    results: dict[str, Any] = {}
    for turn in range(rounds):
        for number in range(len(ways))[:: -1 if turn % 2 else 1]:
            who, job = ways[number]
            if seconds[number] and seconds[number][0].wall > LONG:
                continue
            time.sleep(SLEEP)
            spent, result = timed(job)
            seconds[number].append(spent)
            results.setdefault(who, result)
    spent_by: dict[str, Spent] = {}
    for (who, _), runs in zip(ways, seconds):
        middle = Spent(*map(statistics.median, zip(*runs)))
        spent_by[who] = min(middle, spent_by.get(who, middle))
    judge = case.judge
    inertia = {who: judge(found) for who, found in results.items()} if judge else {}
    row = Row(case.part, case.name, spent_by, inertia)
    fastest = next(iter(row.others()), OURS)
    say(f"{case.part}: {case.name}: {row.ratio(fastest):.2f} ({fastest})")
    return row


def timed(job: Callable[[], Any]) -> tuple[Spent, Any]:
    """Run a job; return what it spent and what it returned."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = job()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu), result


def disagreements(case: Case, row: Row) -> Iterator[str]:
    """Say where our answer is worse than it may be."""
    for who, inertia in row.inertia.items():
        if row.inertia[OURS] > inertia * (1 + case.tolerance):
            yield (
                f"{case.part}, {case.name}: our inertia is {row.inertia[OURS]:.8g}, "
                f"that of {who} {inertia:.8g}"
            )


def say(line: str) -> None:
    """Say on stderr how far the run is."""
    print(line, file=sys.stderr, flush=True)


# ---- What disturbs, and what limits --------------------------------------------------


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Keep one core busy with another process."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Let kmeans_np have so many threads."""
    name = "KMEANS_NP_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = str(number)
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


# ---- Telling -------------------------------------------------------------------------


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean, NaN of nothing."""
    values = list(values)
    return statistics.geometric_mean(values) if values else math.nan


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table: the first column to the left, numbers to the right."""
    rule = ("---", *("---:" for _ in heads[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))


def ms(seconds: float) -> str:
    """Return seconds as milliseconds, of three digits or more."""
    digits = max(0, 2 - math.floor(math.log10(max(seconds, 1e-9) * 1e3)))
    return f"{seconds * 1e3:,.{digits}f}"


def percent(value: float, base: float) -> str:
    """Return how far a value is above another."""
    return f"{100 * (value / base - 1):+.2f} %"
