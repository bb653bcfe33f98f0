"""A run of `lloyd` with all that is needed to show it again."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.clustering.choose_sweep import make_sweep
from kmeans_np.lloyd import Array, Floats, Step, lloyd

# The steps that are kept of a long run: the first, the last, and others between.
FIRST, BETWEEN, LAST = 10, 40, 10
MOST_STEPS = FIRST + BETWEEN + LAST


class Recording(NamedTuple):
    """A run, as it was.

    Attributes
    ----------
    points : (m, d) array of float64
        What was clustered: distinct colors, scaled, or points.
    weights : (m,) array of float64
        How many pixels have each color.
    start : (k, d) array of float64
        The centroids that it started from.
    steps : list of Step
        The steps that are kept, in order; their labels are those of `points`.
    inertias : (n_iter,) array of float64
        The inertia of every step, kept or not.
    mean_variance : float
        The mean variance of the features, which `tol` is measured in.
    tol : float
        The tolerance.
    max_iter : int
        The largest number of steps.
    labels : (m,) array of int
        The nearest of the last centroids for each point.
    counts : (k,) array of float64
        How many pixels each of the last centroids has.
    inertia : float
        The inertia of the last centroids.
    """

    points: Floats
    weights: Floats
    start: Floats
    steps: list[Step]
    inertias: Floats
    mean_variance: float
    tol: float
    max_iter: int
    labels: Array
    counts: Floats
    inertia: float

    @property
    def n_iter(self) -> int:
        """How many steps the run had."""
        return len(self.inertias)

    @property
    def end(self) -> Step:
        """The last step."""
        return self.steps[-1]

    def counts_of(self, step: Step) -> Floats:
        """Return how many pixels each cluster of a step has, (k,)."""
        counts = np.bincount(step.labels, self.weights, len(self.start))
        return counts.astype(np.float64, copy=False)

    def inertia_after(self, step: Step) -> float:
        """Return the inertia after the update of a step, while the labels stay.

        A mean is where the squared distances to its points are smallest: to come there
        saves each cluster the squared move of its centroid, times its count. If a
        cluster restarted, the inertia of the next step is not far, and nobody has
        computed this one: that of the step is returned.
        """
        if step.restarted:
            return step.inertia
        moves = np.square(step.new_centroids - step.centroids).sum(axis=1)
        return max(0.0, step.inertia - float(self.counts_of(step) @ moves))

    def inertia_of_moves(self) -> Floats:
        """Return the inertia after each assign, each update and at the end, (2 n + 1,).

        The updates of steps that are not kept lie between the steps around them.
        """
        values = np.append(self.inertias, self.inertia)
        both = np.append(
            np.stack([values[:-1], (values[:-1] + values[1:]) / 2], axis=1), values[-1]
        )
        for step in self.steps:
            both[2 * step.iteration - 1] = self.inertia_after(step)
        return both


def kept_steps(n_iter: int) -> list[int]:
    """Return which of so many iterations are kept, from 1."""
    if n_iter <= MOST_STEPS:
        return list(range(1, n_iter + 1))
    rest = n_iter - FIRST - LAST
    between = [FIRST + 1 + i * rest // BETWEEN for i in range(BETWEEN)]
    return [*range(1, FIRST + 1), *between, *range(n_iter - LAST + 1, n_iter + 1)]


def record(
    points: Floats,
    weights: Floats,
    start: Floats,
    *,
    max_iter: int,
    tol: float,
    callback: Callable[[Step], Any] | None = None,
) -> Recording:
    """Run `lloyd` from given centroids and keep what the steps saw.

    Parameters
    ----------
    points : (m, d) array of float64
        The points.
    weights : (m,) array of float64
        How many times each point counts, all above 0.
    start : (k, d) array of float64
        Where the centroids start.
    max_iter, tol
        As of `lloyd`.
    callback : callable, optional
        Called with each step. If it returns a true value, the run ends there.

    Returns
    -------
    Record
        The run.
    """
    sweep, origin = make_sweep(points, weights, len(start))

    def again() -> Iterator[Step]:
        for step in lloyd(sweep, start - origin, max_iter=max_iter, tol=tol):
            yield step._replace(
                centroids=step.centroids + origin,
                labels=step.labels.astype(np.min_scalar_type(len(start) - 1)),
                new_centroids=step.new_centroids + origin,
            )

    steps, inertias = _kept(again, callback)
    tally = sweep(steps[-1].new_centroids - origin)
    return Recording(
        points=points,
        weights=weights,
        start=start,
        steps=steps,
        inertias=inertias,
        mean_variance=sweep.mean_variance(),
        tol=tol,
        max_iter=max_iter,
        labels=tally.labels.astype(steps[-1].labels.dtype),
        counts=tally.counts,
        inertia=tally.inertia,
    )


def _kept(
    again: Callable[[], Iterator[Step]], callback: Callable[[Step], Any] | None
) -> tuple[list[Step], Floats]:
    """Return the steps to keep of a run that can be had again, and all inertias."""
    steps, inertias = [], []
    for step in again():
        if callback is not None and callback(step):
            step = step._replace(stopped_by="callback")
        inertias.append(step.inertia)
        if step.iteration <= MOST_STEPS:
            steps.append(step)
        if step.stopped_by == "callback":
            break
    if len(inertias) > MOST_STEPS:
        # Labels of all steps may be too many to keep. The same run again, to the same
        # bits, costs time only.
        kept = kept_steps(len(inertias))
        those = (each for each in again() if each.iteration in kept)
        steps = [*islice(those, len(kept) - 1), step]
    return steps, np.array(inertias)
