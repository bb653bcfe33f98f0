"""What more starts and better starts cost on photographs, and what they bring."""

import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from sklearn.cluster import KMeans

from benchmarks.contenders import answer_of_ours, in_floats
from benchmarks.harness import TOL, progress, take_turns
from benchmarks.pictures import Array, inertia, picture_inertia
from benchmarks.plan import Plan
from benchmarks.report import Verdict, at_most, geometric_mean, ms, table
from kmeans_np import cluster_image

STARTS = 10


class Restarts(NamedTuple):
    """One picture and one k: medians of times, means of inertia, over the seeds.

    Seconds and inertia are of 1 random start, 10 random starts, 1 start by k-means++
    and 10 of these; then the mean inertia of scikit-learn's 10 random starts.
    """

    picture: str
    k: int
    n_seeds: int
    seconds: tuple[float, float, float, float]
    inertia: tuple[float, float, float, float]
    peer_inertia: float | None

    @property
    def cost_of_ten(self) -> float:
        """Return how many times the time of one random start ten take."""
        return self.seconds[1] / self.seconds[0]

    @property
    def cost_of_plus_plus(self) -> float:
        """Return how many times the time of random starts k-means++ takes, at worst."""
        one, ten, one_spread, ten_spread = self.seconds
        return max(one_spread / one, ten_spread / ten)


WAYS = (("random", 1), ("random", STARTS), ("k-means++", 1), ("k-means++", STARTS))


def restarts(plan: Plan) -> list[Restarts]:
    """Measure all pictures and k."""
    rows = []
    for number, picture in enumerate(plan.pictures):
        image = picture.pixels()
        for k in plan.restart_ks:
            progress(f"restarts: {picture.name}, k = {k}")
            beside = number == 0 and k <= plan.restart_largest_k
            rows.append(measure(plan, picture.name, image, k, beside))
    return rows


def measure(plan: Plan, name: str, image: Array, k: int, beside: bool) -> Restarts:
    """Measure one picture and one k, if so asked beside scikit-learn's inertia."""
    seconds, found, theirs = [], [], []
    for seed in range(plan.restart_seeds):
        jobs = [
            partial(cluster_image, image, k, init=init, n_init=n_init, rng=seed)
            for init, n_init in WAYS
        ]
        runs = take_turns(*jobs, rounds=plan.pace.rounds)
        seconds.append([spent for spent, _ in runs])
        found.append([picture_inertia(image, answer_of_ours(a)) for _, a in runs])
        if beside:
            theirs.append(peer_inertia(image, k, seed))
    return Restarts(
        name,
        k,
        plan.restart_seeds,
        tuple(map(statistics.median, zip(*seconds))),
        tuple(map(statistics.fmean, zip(*found))),
        statistics.fmean(theirs) if theirs else None,
    )


def peer_inertia(image: Array, k: int, seed: int) -> float:
    """Return the inertia of the best of scikit-learn's random starts."""
    how: dict[str, Any] = {"init": "random", "n_init": STARTS, "tol": TOL}
    model = KMeans(k, random_state=seed, **how).fit(in_floats(image))
    pixels = image.reshape(-1, image.shape[-1])
    return inertia(pixels, model.labels_, model.cluster_centers_.astype(float))


def verdicts(rows: Sequence[Restarts]) -> list[Verdict]:
    """Judge costs and inertia."""
    beside = [r.inertia[1] / r.peer_inertia for r in rows if r.peer_inertia]
    return [
        at_most("ten random starts beside one", 2, max(r.cost_of_ten for r in rows)),
        at_most(
            "their inertia beside scikit-learn's of ten, on average",
            1,
            geometric_mean(beside),
        ),
        at_most(
            "k-means++ beside random starts",
            1.5,
            max(r.cost_of_plus_plus for r in rows),
        ),
    ]


def section(rows: Sequence[Restarts]) -> Iterator[str]:
    """Tell of restarts."""
    yield "## Restarts on photos"
    yield (
        "`cluster_image` from one and ten starts, random and by k-means++. Medians "
        f"over {rows[0].n_seeds} seeds; mean inertia beside that of one random start; "
        "the last column is that of ten random starts beside the best of "
        "scikit-learn's ten."
    )
    heads = ("picture", "k", "1 random, ms", "10 random", "ratio")
    heads += ("1 k-means++", "10 k-means++", "ratio at worst")
    heads += ("inertia of 10 random", "1 k-means++", "10 k-means++", "10 beside theirs")
    told = []
    for row in rows:
        one, ten, spread, ten_spread = row.seconds
        times = (ms(one), ms(ten), f"{row.cost_of_ten:.2f}", ms(spread), ms(ten_spread))
        base = row.inertia[0]
        inertias = tuple(f"{100 * (i / base - 1):+.2f} %" for i in row.inertia[1:])
        theirs = row.peer_inertia
        beside = "-" if theirs is None else f"{row.inertia[1] / theirs:.4f}"
        where = (row.picture, str(row.k))
        told.append((*where, *times, f"{row.cost_of_plus_plus:.2f}", *inertias, beside))
    yield table(heads, told)
