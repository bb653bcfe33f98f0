"""What is measured: one function for each part, which returns the rows of its table.

This machine may be busy with other things. So contenders take turns, in an order that
changes from round to round, and medians are what is reported.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from benchmarks import contenders
from benchmarks.contenders import Answer, Array
from kmeans_np import cluster_image, kmeans, segment_image
from kmeans_np import image as image_module

# How far apart the inertias of two answers from the same start may be: scikit-learn's
# sums in float32 move its centroids, the more so the more pixels there are, and may end
# a run a few steps earlier or later.
INERTIA_MARGIN = 0.002
# How far our own inertia may be from that added up over all pixels.
ROUNDING = 1e-8


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
    """Run all jobs in every round; return each one's median seconds and last result."""
    seconds: list[list[float]] = [[] for _ in jobs]
    results: list[Any] = [None] * len(jobs)
    for turn in range(rounds):
        order = range(len(jobs)) if turn % 2 == 0 else reversed(range(len(jobs)))
        for number in order:
            spent, results[number] = timed(jobs[number])
            seconds[number].append(spent)
    return [(statistics.median(s), result) for s, result in zip(seconds, results)]


class Best(NamedTuple):
    """The peer's run with the setting that was fastest."""

    seconds: float
    answer: Answer
    cores: str


def compete(
    our_job: Callable[[], Any], *start: Any, rounds: int
) -> tuple[tuple[float, Any], Best]:
    """Run our job and the peer from this start (image, k, init, seed), in turns."""
    peer_jobs = [partial(run, *start) for run in contenders.PEERS.values()]
    ours, *peers = take_turns(our_job, *peer_jobs, rounds=rounds)
    settings = [Best(*run, cores) for run, cores in zip(peers, contenders.PEERS)]
    return ours, min(settings, key=attrgetter("seconds"))


# ---- a. The same start ---------------------------------------------------------------


class PhotoCell(NamedTuple):
    """One picture and one k: medians over the seeds, inertia averaged."""

    picture: str
    k: int
    n_seeds: int
    our_seconds: float
    peer_seconds: float
    ratio: float
    peer_cores: str
    our_steps: float
    peer_steps: float
    our_inertia: float
    peer_inertia: float
    largest_difference: float
    smallest_share_alike: float


def same_start(
    picture: str, image: Array, k: int, n_seeds: int, rounds: int, bad: Disagreements
) -> PhotoCell:
    """Cluster an image from the same given centroids, ours against the peer."""
    rows = []
    for seed in range(n_seeds):
        init = contenders.random_centroids(image, k, seed)
        start = (image, k, init, seed)
        (our_time, our), (peer_time, peer, cores) = compete(
            partial(contenders.ours, *start), *start, rounds=rounds
        )
        where = f"{picture}, k = {k}, seed {seed}"
        mine = inertia_of_ours(image, our, where, bad)
        theirs = contenders.inertia(image, peer)
        apart = abs(mine / theirs - 1)
        bad.unless(
            apart <= INERTIA_MARGIN,
            f"{where}: our inertia {mine:.8g}, scikit-learn's {theirs:.8g}, from the "
            f"same start in {our.n_iter} and {peer.n_iter} steps",
        )
        alike = contenders.share_alike(our, peer)
        times = (our_time, peer_time, peer_time / our_time)
        steps = (our.n_iter, peer.n_iter)
        rows.append((*times, cores, *steps, mine, theirs, apart, alike))
    median, mean, mode = statistics.median, statistics.fmean, statistics.mode
    summaries = (median, median, median, mode, median, median, mean, mean, max, min)
    columns = (summary(column) for summary, column in zip(summaries, zip(*rows)))
    cell = PhotoCell(picture, k, n_seeds, *columns)
    progress(f"{picture}, k = {k}: {cell.ratio:.2f} times as fast as scikit-learn")
    return cell


def inertia_of_ours(
    image: Array, answer: Answer, where: str, bad: Disagreements
) -> float:
    """Return the inertia over all pixels, having compared it with the reported one."""
    found = contenders.inertia(image, answer)
    bad.unless(
        abs(answer.inertia / found - 1) <= ROUNDING,
        f"{where}: we report the inertia {answer.inertia!r}, over all pixels it is "
        f"{found!r}",
    )
    return found


# ---- b. The whole job, as users call it ----------------------------------------------


class WholeJob(NamedTuple):
    """One contender on one picture from its own random starts."""

    contender: str
    k: int
    n_seeds: int
    median_seconds: float
    sum_seconds: float
    mean_inertia: float
    mean_steps: float


def whole_job(
    image: Array, k: int, n_seeds: int, rounds: int, bad: Disagreements
) -> list[WholeJob]:
    """Segment an image with one random start of each contender's own."""
    progress(f"the whole job, k = {k}, {n_seeds} seeds")
    ours, theirs = [], []
    for seed in range(n_seeds):
        (our_time, painted), (peer_time, peer, _) = compete(
            partial(segment_image, image, k, n_init=1, rng=seed),
            *(image, k, "random", seed),
            rounds=rounds,
        )
        # The same seed once more, to see what is behind the painted image.
        our = contenders.ours(image, k, "random", seed)
        where = f"the whole job, k = {k}, seed {seed}"
        same = np.array_equal(painted, our.image)
        bad.unless(same, f"{where}: segment_image and cluster_image differ")
        ours.append((our_time, inertia_of_ours(image, our, where, bad), our.n_iter))
        theirs.append((peer_time, contenders.inertia(image, peer), peer.n_iter))
    return [
        WholeJob(
            contender,
            k,
            n_seeds,
            statistics.median(seconds),
            sum(seconds),
            statistics.fmean(inertias),
            statistics.fmean(steps),
        )
        for contender, (seconds, inertias, steps) in (
            ("kmeans_np", zip(*ours)),
            ("scikit-learn", zip(*theirs)),
        )
    ]


# ---- c. Import -----------------------------------------------------------------------


class ImportCost(NamedTuple):
    """What an import adds to the start of the interpreter."""

    statement: str
    median_seconds: float
    ratio: float


def import_costs(rounds: int) -> list[ImportCost]:
    """Time imports in fresh interpreters, less the interpreter's own start."""
    progress(f"imports, {rounds} rounds")
    statements = ("pass", "import numpy", "import kmeans_np")
    with tempfile.TemporaryDirectory() as compiled:
        # All of them find compiled code, wherever the environment would put it.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        jobs = [
            partial(
                subprocess.run,
                [sys.executable, "-c", statement],
                check=True,
                env=environment,
            )
            for statement in statements
        ]
        take_turns(*jobs, rounds=1)
        bare, *others = (seconds for seconds, _ in take_turns(*jobs, rounds=rounds))
    costs = [seconds - bare for seconds in others]
    return [
        ImportCost(statement, cost, cost / costs[0])
        for statement, cost in zip(statements[1:], costs)
    ]


# ---- d. Memory -----------------------------------------------------------------------


class MemoryRow(NamedTuple):
    """The peak of one call, the input excluded, the answer included."""

    call: str
    data: str
    init: str
    n: int
    bytes_each: float


def peak_bytes(job: Callable[[], Any]) -> int:
    """Return how much more memory than before is in use at the peak of a job."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        job()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def memory(photo: Array, k: int) -> list[MemoryRow]:
    """Measure the peak of `cluster_image` and `kmeans` on a photo in several types."""
    # A photo of floats has no colors that repeat: the grain is not rounded away.
    rng = np.random.default_rng(0)
    floats = (photo + rng.random(photo.shape)) / 256
    n = photo.shape[0] * photo.shape[1]
    # The peak of a step is that of any step but the first.
    few_steps: dict[str, Any] = {"max_iter": 3}
    cases = [
        (cluster_image, "uint8 RGB photo", photo, {}),
        (cluster_image, "float32 RGB photo", floats.astype(np.float32), few_steps),
        (cluster_image, "float64 RGB photo", floats, few_steps),
        (kmeans, "float64 points, (n, 3)", floats.reshape(-1, 3), few_steps),
    ]
    rows = []
    for call, data, values, how in cases:
        for init in ("random", "k-means++"):
            progress(f"memory: {call.__name__}, {data}, {init}")
            job = partial(call, values, k, init=init, n_init=1, rng=0, **how)
            each = peak_bytes(job) / n
            rows.append(MemoryRow(call.__name__, data, init, n, each))
    return rows


# ---- e. Where the time goes ----------------------------------------------------------


class PartOfTime(NamedTuple):
    """A part of one `segment_image` call."""

    part: str
    median_seconds: float
    ratio_to_copy: float


# The functions that `segment_image` spends its time in, by what they are there for.
PARTS = {
    "count the colors": ("distinct_colors",),
    "fit: build the pass": ("BlockedSweep", "CellSweep"),
    "fit: seed and run": ("cluster",),
    "look up and paint": ("look_up", "paint"),
}


@contextmanager
def stopwatches() -> Iterator[dict[str, float]]:
    """Measure the seconds of each part of all calls inside the with block."""
    spent = dict.fromkeys(PARTS, 0.0)

    def watched(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            seconds, result = timed(partial(function, *args, **kwargs))
            spent[part] += seconds
            return result

        return run

    with ExitStack() as stack:
        for part, names in PARTS.items():
            for name in names:
                function = watched(part, getattr(image_module, name))
                stack.enter_context(patch.object(image_module, name, function))
        yield spent


def parts_of_time(photo: Array, k: int, n_seeds: int) -> list[PartOfTime]:
    """Measure where the time of one `segment_image` call goes, beside a copy."""
    progress(f"where the time goes, {n_seeds} seeds")
    runs: list[dict[str, float]] = []
    for seed in range(n_seeds):
        with stopwatches() as spent:
            whole, _ = timed(partial(segment_image, photo, k, n_init=1, rng=seed))
        rest = whole - sum(spent.values())
        copy, _ = timed(photo.copy)
        runs.append({**spent, "the rest": rest, "the whole call": whole})
        runs[-1]["a copy of the pixels"] = copy
    medians = {part: statistics.median(run[part] for run in runs) for part in runs[0]}
    copy = medians["a copy of the pixels"]
    return [
        PartOfTime(part, seconds, seconds / copy) for part, seconds in medians.items()
    ]
