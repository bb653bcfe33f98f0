"""The middle and the scale of points, from which float32 goes far."""

from typing import Any, NamedTuple

import numpy as np

from kmeans_np.lloyd import Array, Floats, Tally
from kmeans_np.sweeps.totals import inertia_from_totals

# About how many points are looked at for their middle.
SAMPLE = 1024
# How many numbers in a row are wide.
WIDE = 512


class Scaling(NamedTuple):
    """How points are moved and scaled, so that float32 is precise enough."""

    # (d,) array of float64: a place in the middle of the points.
    center: Floats
    # A power of two that makes distances there about 1.
    scale: float

    def apply(self, points: Array, dtype: Any) -> Array:
        """Return points (n, d) moved and scaled."""
        n, d = points.shape
        moved, step = np.empty((n, d), dtype), wide_rows(points)
        whole = n - n % step
        # NumPy goes through wide rows much faster, so many are taken side by side.
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
        """Return the tally of a pass with these totals (k, d + 1), and with moments."""
        sums, counts = totals[:, :-1].copy(), totals[:, -1].copy()
        scatter = float(moments[0])
        inertia = inertia_from_totals(sums, counts, centroids, self.center, scatter)
        return Tally(labels, sums, counts, inertia, n_changed)


def sample_step(n: int) -> int:
    """Return which of n points tell where the middle is: every so many of them."""
    return -(-n // SAMPLE)


def find_scaling(sample: Array) -> Scaling:
    """Return the scaling of points of which this is every `sample_step(n)`-th."""
    # In one order of memory, since in others NumPy adds up in another order.
    sample = sample.astype(np.float64, order="C")
    center = sample[0] + (sample - sample[0]).mean(axis=0)
    typical = ((sample - center) ** 2).sum(axis=1).mean()
    return Scaling(center, 2.0 ** -max(int(np.frexp(typical)[1]) // 2, -500))


def mean_variance(moments: Floats, weight: float) -> float:
    """Return the variance of points around their mean, averaged over the columns.

    The moments, (d + 1,), are the weighted sum of their squared distances to a center,
    and those of the ways from there.
    """
    scatter, lever = moments[0], moments[1:]
    # Divided first, since a square of sums of large numbers may be infinite.
    total = float(scatter) - float((lever / weight * lever).sum())
    return max(total, 0.0) / weight / len(lever)


def wide_rows(points: Array) -> int:
    """Return how many rows of points (n, d) can be taken side by side as one."""
    n, d = points.shape
    return max(1, min(n, WIDE // d)) if points.flags.c_contiguous else 1


def extremes(points: Array) -> tuple[Floats, Floats]:
    """Return the smallest and the largest number of each column of points (n, d)."""
    # NumPy goes through wide rows much faster, so many are taken side by side.
    n, d = points.shape
    wide = wide_rows(points)
    whole = n - n % wide
    rows = points[:whole].reshape(-1, wide * d)
    low, high = (
        find(np.concatenate([find(rows, 0).reshape(wide, d), points[whole:]]), 0)
        for find in (np.min, np.max)
    )
    return low.astype(np.float64), high.astype(np.float64)
