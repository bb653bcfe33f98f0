"""`kmeans` on points of any kind, beside scikit-learn, from the same centroids."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans

from benchmarks.contenders import INTEL, intel, on_cores
from benchmarks.data import CASES, Case
from benchmarks.harness import (
    LLOYD,
    MAX_ITER,
    OURS,
    TOL,
    Disagreements,
    faster_way,
    progress,
    take_turns,
)
from benchmarks.pictures import Array, inertia
from benchmarks.plan import Plan
from benchmarks.report import (
    Verdict,
    at_least,
    geometric_mean,
    ms,
    percent_above,
    table,
)
from kmeans_np import kmeans

FEWEST_POINTS = 50_000
# In float64 the answers are the same but for rounding. In float32, runs of hundreds of
# steps drift apart, and may end at different optima.
MARGINS = {"float64": 1e-6, "float32": 0.02}


class Fit(NamedTuple):
    """One contender's run: median seconds, inertia and steps."""

    seconds: float
    inertia: float
    steps: int


class FeatureCell(NamedTuple):
    """One case: the runs of all contenders."""

    case: Case
    fits: dict[str, Fit]

    @property
    def ratio(self) -> float:
        """Return how many times our time scikit-learn takes."""
        return self.fits[LLOYD].seconds / self.fits[OURS].seconds

    @property
    def is_judged(self) -> bool:
        """Say whether it is as large as what the targets are for."""
        return self.case.n >= FEWEST_POINTS

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain dicts."""
        fits = {name: fit._asdict() for name, fit in self.fits.items()}
        return self.case._asdict() | {"ratio": self.ratio, "fits": fits}


def features(plan: Plan, bad: Disagreements) -> list[FeatureCell]:
    """Measure all cases; in a quick run a part of the points of some of them."""
    cells = []
    for case in CASES[:: plan.feature_step]:
        n = max(1_000, int(case.n * plan.feature_share))
        cell = measure(case._replace(n=n), plan.feature_rounds)
        judge(cell, bad)
        progress(f"features: {cell.case}: {cell.ratio:.2f} times as fast")
        cells.append(cell)
    return cells


def measure(case: Case, rounds: int) -> FeatureCell:
    """Cluster the points of a case, everyone from the same random points."""
    points = case.points()
    case = case._replace(n=len(points))
    start = beside_points(points, case)

    def peer(threads: int | None = None, estimator: Any = KMeans) -> Any:
        return partial(sklearn, points, start, estimator, threads)

    jobs = {OURS: partial(ours, points, start), LLOYD: peer()}
    if intel:
        jobs[INTEL] = peer(estimator=intel.KMeans)
    found = dict(zip(jobs, take_turns(*jobs.values(), rounds=rounds)))
    found[LLOYD] = faster_way(found[LLOYD], peer(threads=1), rounds)
    fits = {
        name: Fit(seconds, inertia(points, labels, centroids.astype(float)), steps)
        for name, (seconds, (labels, centroids, steps)) in found.items()
    }
    return FeatureCell(case, fits)


def beside_points(points: Array, case: Case) -> Array:
    """Return starting centroids a little beside points.

    In tables of whole numbers there would be ties, which are broken by rounding in
    peers.
    """
    rng = np.random.default_rng(0)
    start = points[rng.choice(len(points), case.k, replace=False)]
    shift = 1e-3 * points.std() * rng.standard_normal(start.shape)
    start += shift.astype(case.dtype)
    return start


def ours(points: Array, start: Array) -> tuple[Array, Array, int]:
    """Run `kmeans` from given centroids."""
    found = kmeans(points, len(start), init=start, max_iter=MAX_ITER, tol=TOL)
    return found.labels, found.centroids, found.n_iter


def sklearn(
    points: Array, start: Array, estimator: Any, threads: int | None
) -> tuple[Array, Array, int]:
    """Run scikit-learn's `KMeans`, or one like it, from given centroids."""
    model = estimator(len(start), init=start, n_init=1, max_iter=MAX_ITER, tol=TOL)
    with on_cores(threads):
        model.fit(points)
    return model.labels_, model.cluster_centers_, int(model.n_iter_)


def apart(cell: FeatureCell) -> float:
    """Return how far our inertia and scikit-learn's are apart."""
    return abs(cell.fits[OURS].inertia / cell.fits[LLOYD].inertia - 1)


def judge(cell: FeatureCell, bad: Disagreements) -> None:
    """Compare our answer with scikit-learn's."""
    one, other = cell.fits[OURS], cell.fits[LLOYD]
    exact = cell.case.dtype == "float64"
    bad.unless(
        apart(cell) <= MARGINS[cell.case.dtype]
        and (not exact or one.steps == other.steps),
        f"{cell.case}: our inertia {one.inertia:.8g}, scikit-learn's "
        f"{other.inertia:.8g}, in {one.steps} and {other.steps} steps",
    )


# ---- Telling -----------------------------------------------------------------------


def verdicts(cells: Sequence[FeatureCell]) -> list[Verdict]:
    """Judge the ratios of all cells that are large enough."""
    ratios = [cell.ratio for cell in cells if cell.is_judged]
    # A quick run has only small ones.
    ratios = ratios or [cell.ratio for cell in cells]
    return [
        at_least("against scikit-learn, geometric mean", 1.5, geometric_mean(ratios)),
        at_least("against scikit-learn, every cell", 1, min(ratios)),
    ]


def section(cells: Sequence[FeatureCell]) -> Iterator[str]:
    """Tell of all cases."""
    yield "## Any features"
    yield (
        "`kmeans` from the same random points, max_iter = 300, tol = 1e-4, beside "
        "scikit-learn's Lloyd on the points in the type they have. Mixtures have k "
        f"Gaussians, no two points are equal. Below {FEWEST_POINTS:,} points a case is "
        "shown, but not judged."
    )
    heads = ("data", "n", "d", "k", "type", "ours, ms", "scikit-learn, ms", "ratio")
    heads += ("intelex, ms", "our steps", "its steps", "its inertia")
    rows = []
    for cell in cells:
        case, fits = cell.case, cell.fits
        mine, theirs = fits[OURS], fits[LLOYD]
        size = (case.data, f"{case.n:,}", str(case.d), str(case.k), case.dtype)
        times = (ms(mine.seconds), ms(theirs.seconds), f"{cell.ratio:.2f}")
        intels = ms(fits[INTEL].seconds) if INTEL in fits else "-"
        steps = (str(mine.steps), str(theirs.steps))
        above = percent_above(theirs.inertia, mine.inertia)
        rows.append((*size, *times, intels, *steps, above))
    yield table(heads, rows)
    lost = [f"{cell.case} ({cell.ratio:.2f})" for cell in cells if cell.ratio < 1]
    yield (
        f"scikit-learn is faster in: {'; '.join(lost)}."
        if lost
        else "scikit-learn is nowhere faster."
    )
    yield from against_intel(cells)


def against_intel(cells: Sequence[FeatureCell]) -> Iterator[str]:
    """Tell how Intel's extension does, where it was measured."""
    ratios = [
        cell.fits[INTEL].seconds / cell.fits[OURS].seconds
        for cell in cells
        if INTEL in cell.fits
    ]
    if ratios:
        faster = sum(ratio < 1 for ratio in ratios)
        yield (
            f"Beside {INTEL}: geometric mean {geometric_mean(ratios):.2f}, smallest "
            f"{min(ratios):.2f}; it is faster in {faster} of {len(ratios)} cells."
        )
