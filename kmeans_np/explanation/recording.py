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
    """A run, as it was."""

    # What was clustered, (m, d): distinct colors, scaled, or points; and how many
    # pixels have each.
    points: Floats
    weights: Floats
    # The centroids that it started from, (k, d).
    start: Floats
    # The steps that are kept, in order; their labels are those of `points`.
    steps: list[Step]
    # The inertia of every step, kept or not, (n_iter,).
    inertias: Floats
    # The mean variance of the features, which `tol` is measured in.
    mean_variance: float
    tol: float
    max_iter: int
    # Of the last centroids: the nearest for each point, how many pixels each has, and
    # their inertia.
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
        between = (values[:-1] + values[1:]) / 2
        both = np.append(np.stack([values[:-1], between], axis=1), values[-1])
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
    """Run `lloyd` from centroids `start`, (k, d), and keep what the steps saw.

    Each of `points`, (m, d), counts as often as `weights`, (m,), all above 0. If
    `callback` returns a true value for a step, the run ends there.
    """
    sweep, origin = make_sweep(points, weights, len(start))

    def again() -> Iterator[Step]:
        for step in lloyd(sweep, start - origin, max_iter=max_iter, tol=tol):
            yield step._replace(
                centroids=step.centroids + origin,
                labels=step.labels.astype(np.min_scalar_type(len(start) - 1)),
                new_centroids=step.new_centroids + origin,
            )

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
    tally = sweep(steps[-1].new_centroids - origin)
    return Recording(
        points=points,
        weights=weights,
        start=start,
        steps=steps,
        inertias=np.array(inertias),
        mean_variance=sweep.mean_variance(),
        tol=tol,
        max_iter=max_iter,
        labels=tally.labels.astype(steps[-1].labels.dtype),
        counts=tally.counts,
        inertia=tally.inertia,
    )
