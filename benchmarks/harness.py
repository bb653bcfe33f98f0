"""How contenders are timed against each other, and what is kept of their runs.

This machine may be busy with other things. So contenders take turns, in an order that
changes from round to round, and medians are what is reported.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from benchmarks.pictures import Answer, Array, picture_inertia

TOL = 1e-4
MAX_ITER = 300
# The threads of a contender may go on spinning after its answer, at the cost of the
# next one: so long they are given to fall asleep.
SLEEP = 0.02
# A run as long as this needs no second round: it is long beside what disturbs it.
LONG = 0.5
# All cores win on an idle machine. But where another process wants one of them, threads
# wait for each other at every step, and one thread was seen to be many times as fast.
# So both ways are run and the faster one counts, unless the work is this long: then
# threads pay.
WORTH_ONE_CORE = 2.0

OURS = "kmeans_np"
PLUS_PLUS = " (k-means++)"
OURS_PLUS_PLUS = OURS + PLUS_PLUS
LLOYD = "scikit-learn"
LLOYD_PLUS_PLUS = LLOYD + PLUS_PLUS
REQUIRED = (OURS, OURS_PLUS_PLUS, LLOYD)


class Disagreements(list[str]):
    """What should have agreed and did not: told at the end, after all the tables."""

    def unless(self, agree: bool, sentence: str) -> None:
        """Note the sentence down, unless they agree."""
        if not agree:
            self.append(sentence)
            progress(f"DISAGREEMENT: {sentence}")


def progress(line: str) -> None:
    """Say on stderr how far the run is."""
    print(line, file=sys.stderr, flush=True)


def timed(job: Callable[[], Any]) -> tuple[float, Any]:
    """Run a job; return its seconds and what it returned."""
    start = time.perf_counter()
    result = job()
    return time.perf_counter() - start, result


def take_turns(*jobs: Callable[[], Any], rounds: int) -> list[tuple[float, Any]]:
    """Run all jobs in every round; return each one's median seconds and last result.

    A job that took long is run once only.
    """
    seconds: list[list[float]] = [[] for _ in jobs]
    results: list[Any] = [None] * len(jobs)
    for turn in range(rounds):
        order = range(len(jobs)) if turn % 2 == 0 else reversed(range(len(jobs)))
        for number in order:
            if seconds[number] and seconds[number][0] > LONG:
                continue
            time.sleep(SLEEP)
            spent, results[number] = timed(jobs[number])
            seconds[number].append(spent)
    return [(statistics.median(s), result) for s, result in zip(seconds, results)]


def faster_way(
    found: tuple[float, Any], one_core: Callable[[], Any], rounds: int
) -> tuple[float, Any]:
    """Run a job on one core, too, if that may be faster; return the faster of both."""
    if found[0] > WORTH_ONE_CORE:
        return found
    (alone,) = take_turns(one_core, rounds=rounds)
    return min(found, alone, key=itemgetter(0))


# ---- Contenders --------------------------------------------------------------------


class Start(NamedTuple):
    """What a contender starts from.

    Attributes
    ----------
    image : (rows, columns, 3) array of uint8
        The picture.
    k, seed : int
        The number of clusters, and the seed of a contender's own random numbers.
    centroids : (k, 3) array of float64, or None
        The given centroids, if any.
    labels : (n,) array of int32, or None
        The nearest of these for each pixel, for those who want to be given labels.
    max_iter : int
        The largest number of steps.
    steps : int or None
        The number of steps that scikit-learn took, for those who have no stop rule.
    """

    image: Array
    k: int
    seed: int
    centroids: Array | None = None
    labels: Array | None = None
    max_iter: int = MAX_ITER
    steps: int | None = None


Job = Callable[[Start], Any]


def the_answer(_: Start, result: Answer) -> Answer:
    """Return what a contender brought back, which is its answer already."""
    return result


class Contender(NamedTuple):
    """Who clusters a picture.

    Attributes
    ----------
    run : callable
        The whole job, which is timed: from the uint8 array to the painted image.
    one_core : callable or None
        The same on one core, for those who may be faster so.
    counted : bool
        Whether it runs as many steps as it is told, having no stop rule.
    reveal : callable
        Makes an `Answer` of what `run` returned, outside the clock.
    """

    run: Job
    one_core: Job | None = None
    counted: bool = False
    reveal: Callable[[Start, Any], Answer] = the_answer


# ---- Cells -------------------------------------------------------------------------


class Run(NamedTuple):
    """One contender from one start."""

    seed: int
    seconds: float
    inertia: float
    steps: int | None


@dataclass
class Cell:
    """One picture and one k: the runs of every contender, and who did not run.

    `agreement` has how far our answers and scikit-learn's are apart in the worst seed.
    """

    picture: str
    k: int
    max_iter: int = MAX_ITER
    runs: dict[str, list[Run]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.picture}, k = {self.k}"

    def seconds(self, name: str, seeds: Iterable[int] | None = None) -> float:
        """Return the median time of a contender, over some or all of its seeds."""
        some = [run.seconds for run in self.runs[name] if _in(run.seed, seeds)]
        return statistics.median(some)

    def inertia(self, name: str, seeds: Iterable[int] | None = None) -> float:
        """Return the mean inertia of a contender, over some or all of its seeds."""
        return statistics.fmean(
            run.inertia for run in self.runs[name] if _in(run.seed, seeds)
        )

    def steps(self, name: str) -> float | None:
        """Return the median number of steps, if the contender tells."""
        told = [run.steps for run in self.runs[name] if run.steps is not None]
        return statistics.median(told) if told else None

    def shared(self, name: str) -> set[int]:
        """Return the seeds that a contender and we have both run."""
        ours = {run.seed for run in self.runs[OURS]}
        return ours & {run.seed for run in self.runs[name]}

    def ratio(self, name: str) -> float:
        """Return how many times our time a peer takes, from the same starts."""
        seeds = self.shared(name)
        return self.seconds(name, seeds) / self.seconds(OURS, seeds)

    def fastest(self, names: Iterable[str]) -> str:
        """Return who of these is the fastest beside us."""
        return min((name for name in names if name in self.runs), key=self.ratio)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain lists and dicts."""
        runs = {who: [run._asdict() for run in some] for who, some in self.runs.items()}
        return vars(self) | {"runs": runs}


def _in(seed: int, seeds: Iterable[int] | None) -> bool:
    return seeds is None or seed in seeds


# ---- The race ----------------------------------------------------------------------


class Pace(NamedTuple):
    """How long to measure a cell.

    Every contender runs from the first seed, and from the others as long as all its
    runs together stay within `seconds` (ours and scikit-learn's, which are compared
    everywhere: `scikit_learn_seconds`).
    """

    seeds: int
    rounds: int
    seconds: float
    scikit_learn_seconds: float

    def allows(self, name: str, runs: Sequence[Run]) -> bool:
        """Say whether a contender may run from another seed."""
        if not runs:
            return True
        ours = name in (OURS, OURS_PLUS_PLUS)
        longer = ours or name == LLOYD
        budget = self.scikit_learn_seconds if longer else self.seconds
        return sum(run.seconds for run in runs) + runs[-1].seconds <= budget


class Trial:
    """What one start has brought so far: the times of every way to run everybody."""

    def __init__(self) -> None:
        self.first: dict[str, Run] = {}
        self.answers: dict[str, Answer] = {}
        self.seconds: dict[tuple[str, Job], list[float]] = {}

    def run(self, name: str, contender: Contender, start: Start) -> Run:
        """Run a contender, with one core as well if that may be faster."""
        seconds, result = self.timed(name, contender.run, start)
        if contender.one_core and seconds <= WORTH_ONE_CORE:
            self.timed(name, contender.one_core, start)
        answer = contender.reveal(start, result)
        if name in (OURS, LLOYD):
            self.answers[name] = answer
        inertia = picture_inertia(start.image, answer)
        self.first[name] = Run(start.seed, seconds, inertia, answer.n_iter)
        return self.first[name]

    def timed(self, name: str, job: Job, start: Start) -> tuple[float, Any]:
        """Run a job; note its seconds down, and return them with its result."""
        time.sleep(SLEEP)
        seconds, result = timed(partial(job, start))
        self.seconds.setdefault((name, job), []).append(seconds)
        return seconds, result

    def again(self, start: Start, rounds: int) -> None:
        """Repeat the short runs, in turns."""
        short = [key for key, some in self.seconds.items() if some[0] <= LONG]
        for turn in range(1, rounds):
            for name, job in short[:: -1 if turn % 2 else 1]:
                self.timed(name, job, start)

    def runs(self) -> Iterator[tuple[str, Run]]:
        """Yield each contender's run, with the median time of its faster way."""
        for name, run in self.first.items():
            ways = [some for (who, _), some in self.seconds.items() if who == name]
            yield name, run._replace(seconds=min(map(statistics.median, ways)))


def race(
    cell: Cell, contenders: Mapping[str, Contender], starts: Iterable[Start], pace: Pace
) -> Iterator[tuple[Start, dict[str, Answer]]]:
    """Run contenders from every start, and note their runs down in the cell.

    Yields each start with the answers of ours and of scikit-learn, to be compared.
    """
    for turn, start in enumerate(starts):
        names = [
            name
            for name in contenders
            if name not in cell.skipped and pace.allows(name, cell.runs.get(name, []))
        ]
        trial = Trial()
        for name in in_order(names, turn):
            if contenders[name].counted and start.steps is None:
                continue
            try:
                run = trial.run(name, contenders[name], start)
            except Exception as error:
                # A peer that fails, for lack of memory or of an option, is no reason
                # to lose the rest of a long run.
                if name in REQUIRED:
                    raise
                cell.skipped[name] = f"{type(error).__name__}: {error}"
                continue
            if name in (LLOYD, LLOYD_PLUS_PLUS):
                start = start._replace(steps=run.steps)
        trial.again(start, pace.rounds)
        for name, run in trial.runs():
            cell.runs.setdefault(name, []).append(run)
        yield start, trial.answers


def in_order(names: Sequence[str], turn: int) -> list[str]:
    """Return the names in another order each turn.

    Ours and scikit-learn come first, as others take as many steps as the latter.
    """
    head = [name for name in (OURS, LLOYD, LLOYD_PLUS_PLUS) if name in names]
    tail = [name for name in names if name not in head]
    shift = turn % len(tail) if tail else 0
    return head[:: -1 if turn % 2 else 1] + tail[shift:] + tail[:shift]
