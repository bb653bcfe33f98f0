"""The estimator beside scikit-learn's: the same call, with another import."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import sklearn.cluster

import kmeans_np
from benchmarks.contenders import on_cores
from benchmarks.data import CASES, Case
from benchmarks.features import FEWEST_POINTS, MARGINS, beside_points
from benchmarks.harness import (
    MAX_ITER,
    TOL,
    Disagreements,
    faster_way,
    progress,
    take_turns,
)
from benchmarks.pictures import Array
from benchmarks.plan import Plan
from benchmarks.report import Verdict, at_least, geometric_mean, ms, table


class Pair(NamedTuple):
    """What both take for the same, in seconds."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Return how many times our time theirs takes."""
        return self.theirs / self.ours


class EstimatorCell(NamedTuple):
    """One case: to fit, and then to predict the labels of all points."""

    case: Case
    fit: Pair
    predict: Pair

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain dicts."""
        pairs = {"fit": self.fit._asdict(), "predict": self.predict._asdict()}
        return self.case._asdict() | pairs


def estimator(plan: Plan, bad: Disagreements) -> list[EstimatorCell]:
    """Measure the cases of the features; in a quick run, parts of some of them."""
    cells = []
    for case in CASES[:: plan.feature_step]:
        n = max(1_000, int(case.n * plan.feature_share))
        cell = measure(case._replace(n=n), plan.feature_rounds, bad)
        progress(f"estimator: {cell.case}: {cell.fit.ratio:.2f} times as fast")
        cells.append(cell)
    return cells


def measure(case: Case, rounds: int, bad: Disagreements) -> EstimatorCell:
    """Fit and predict the points of a case, both from the same places."""
    points = case.points()
    case = case._replace(n=len(points))
    start = beside_points(points, case)
    (fit_ours, ours), (fit_theirs, theirs) = both(
        partial(fitted, kmeans_np.KMeans, points, start),
        partial(fitted, sklearn.cluster.KMeans, points, start),
        rounds,
    )
    (ours_seconds, labels), (theirs_seconds, _) = both(
        partial(ours.predict, points), partial(theirs.predict, points), rounds
    )
    margin = MARGINS[case.dtype]
    bad.unless(
        abs(ours.inertia_ / theirs.inertia_ - 1) <= margin
        and (labels == ours.labels_).all(),
        f"{case}: our inertia_ {ours.inertia_:.8g}, scikit-learn's "
        f"{theirs.inertia_:.8g}; predict says what fit said of "
        f"{(labels == ours.labels_).mean():.2%}",
    )
    return EstimatorCell(
        case, Pair(fit_ours, fit_theirs), Pair(ours_seconds, theirs_seconds)
    )


def both(ours: Any, theirs: Any, rounds: int) -> list[tuple[float, Any]]:
    """Run both in turns; scikit-learn with one core too where it may be faster so."""
    mine, other = take_turns(ours, theirs, rounds=rounds)

    def alone() -> Any:
        with on_cores(1):
            return theirs()

    return [mine, faster_way(other, alone, rounds)]


def fitted(kind: Any, points: Array, start: Array) -> Any:
    """Return a fitted estimator of a kind."""
    model = kind(len(start), init=start, n_init=1, max_iter=MAX_ITER, tol=TOL)
    return model.fit(points)


# ---- Telling -----------------------------------------------------------------------


def verdicts(cells: Sequence[EstimatorCell]) -> list[Verdict]:
    """Judge the ratios of all cells that are large enough."""
    ratios = [cell.fit.ratio for cell in cells if cell.case.n >= FEWEST_POINTS]
    # A quick run has only small ones.
    ratios = ratios or [cell.fit.ratio for cell in cells]
    return [at_least("fit, geometric mean", 1, geometric_mean(ratios))]


def section(cells: Sequence[EstimatorCell]) -> Iterator[str]:
    """Tell of all cases."""
    yield "## The estimator"
    yield (
        "`KMeans(k, init=start).fit(X)`, then `predict(X)`, beside the same calls of "
        "scikit-learn, from the same centroids as above; ratios of its times to ours."
    )
    heads = ("data", "n", "d", "k", "type", "fit, ms", "scikit-learn, ms", "ratio")
    heads += ("predict, ms", "scikit-learn, ms", "ratio")
    rows = []
    for case, *pairs in cells:
        size = (case.data, f"{case.n:,}", str(case.d), str(case.k), case.dtype)
        times = [(ms(p.ours), ms(p.theirs), f"{p.ratio:.2f}") for p in pairs]
        rows.append((*size, *times[0], *times[1]))
    yield table(heads, rows)
    parts = [
        f"{name} {geometric_mean([getattr(cell, name).ratio for cell in cells]):.2f}, "
        f"faster in {sum(getattr(cell, name).ratio > 1 for cell in cells)}"
        for name in ("fit", "predict")
    ]
    yield f"Geometric means: {'; '.join(parts)} of {len(cells)} cells."
