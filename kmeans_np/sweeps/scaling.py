"""Centering and scaling of points, so that float32 is precise enough."""

from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Floats, Tally
from kmeans_np.sweeps.totals import inertia_from_totals

# About how many points are used to find their middle.
SAMPLE = 1024
# A row of this many values is wide enough for NumPy to be fast.
WIDE = 512


class Scaling(NamedTuple):
    """The centering and scaling of points, so that float32 is precise enough."""

    # (d,) array of float64: a point in the middle of the points.
    center: Floats
    # A power of two that scales distances from there to about 1.
    scale: float

    def apply(self, points: Array, dtype: Any) -> Array:
        """Return points (n, d), centered and scaled."""
        n, d = points.shape
        moved, step = np.empty((n, d), dtype), wide_rows(points)
        whole = n - n % step
        # NumPy processes wide rows much faster, so many rows are combined into one.
        wide = points[:whole].reshape(-1, step * d) - np.tile(self.center, step)
        moved[:whole].reshape(-1, step * d)[:] = wide * self.scale
        moved[whole:] = (points[whole:] - self.center) * self.scale
        return moved

    def tally(
        self,
        labels: Any,
        totals: Floats,
        centroids: Floats,
        moments: Floats,
        n_changed: float,
    ) -> Tally:
        """Return the tally of a pass, given its totals (k, d + 1) and the moments."""
        sums, counts = totals[:, :-1].copy(), totals[:, -1].copy()
        scatter = float(moments[0])
        inertia = inertia_from_totals(sums, counts, centroids, self.center, scatter)
        return Tally(labels, sums, counts, inertia, n_changed)


def sample_step(n: int) -> int:
    """Return the step between the points of a sample of n points."""
    return -(-n // SAMPLE)


def find_scaling(sample: Array) -> Scaling:
    """Return the scaling of points, given every `sample_step(n)`-th of them."""
    # In a fixed memory order, on which the order of NumPy's sums depends.
    sample = sample.astype(np.float64, order="C")
    center = sample[0] + (sample - sample[0]).mean(axis=0)
    typical = ((sample - center) ** 2).sum(axis=1).mean()
    return Scaling(center, 2.0 ** -max(int(np.frexp(typical)[1]) // 2, -500))


def mean_variance(moments: Floats, weight: float) -> float:
    """Return the variance of points around their mean, averaged over the columns.

    The moments, (d + 1,), are the weighted sums of their squared distances to a center,
    and of their differences from it.
    """
    scatter, lever = moments[0], moments[1:]
    # Divided first, since the square of a large sum may overflow.
    total = float(scatter) - float((lever / weight * lever).sum())
    return max(total, 0.0) / weight / len(lever)


def wide_rows(points: Array) -> int:
    """Return how many rows of points (n, d) to combine to a wide one."""
    n, d = points.shape
    return max(1, min(n, WIDE // d)) if points.flags.c_contiguous else 1


def extremes(points: Array) -> tuple[Floats, Floats]:
    """Return the minimum and maximum of each column of points (n, d)."""
    # NumPy processes wide rows much faster, so many rows are combined into one.
    n, d = points.shape
    wide = wide_rows(points)
    whole = n - n % wide
    rows = points[:whole].reshape(-1, wide * d)
    low, high = (
        find(np.concatenate([find(rows, 0).reshape(wide, d), points[whole:]]), 0)
        for find in (np.min, np.max)
    )
    return low.astype(np.float64), high.astype(np.float64)
