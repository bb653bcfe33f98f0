"""Points to run K-means on: one interface for points in memory and outside of it."""

# NumPy loads numpy.random when it is first used, which takes as long as loading the
# rest of this package. So annotations that name it must not be evaluated.
from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kmeans_np.clustering.choose_sweep import direct_inertia, make_sweep
from kmeans_np.clustering.coarse_start import Histograms, histograms_of
from kmeans_np.clustering.uniform import single_points
from kmeans_np.lloyd import Array, Floats, Labels, Sweep
from kmeans_np.order import Distinct
from kmeans_np.seeding import Starts
from kmeans_np.sweeps import BlockedSweep
from kmeans_np.sweeps.partitioned import Shift
from kmeans_np.sweeps.scaling import find_scaling, sample_step


class Data(Protocol):
    """Points with weights, to run K-means on.

    Attributes
    ----------
    n : int
        The number of points with a positive weight.
    origin : (d,) array of float64
        The origin of all coordinates below.
    n_alike : int
        The number of leading features that have the same unit.
    """

    n: int
    n_alike: int
    origin: Floats

    @property
    def sweep(self) -> Sweep:
        """The pass over the points, relative to `origin`."""

    @property
    def few(self) -> Distinct | None:
        """The distinct points in order, if they are few; otherwise None."""

    def histograms(self) -> Histograms | None:
        """Return histograms of the points, None if there are none."""

    def start(self, init: str, k: int, rng: np.random.Generator) -> Floats:
        """Return starting centroids by the seeding of this name; see `Starts.start`."""

    def extend(self, centroids: Floats, k: int, rng: np.random.Generator) -> Floats:
        """Return these centroids and others that are spread out, k in all."""

    def inertia(self, centroids: Floats, labels: Labels) -> float:
        """Add up the weighted squared distances, point by point."""

    def labels_of_all(self, labels: Labels, centroids: Floats) -> Labels:
        """Return the labels of all points, including those of weight 0."""

    @property
    def shift(self) -> Shift:
        """The origin and scaling of the points."""

    def uniform_clusters(
        self, labels: Labels, centroids: Floats
    ) -> tuple[NDArray[np.bool_], Array]:
        """Return which clusters have only equal points, and a stored point of each.

        Equal means equal in the features that have the same unit; `labels` has the
        labels of all points.
        """


class PointsInMemory(Starts):
    """Points in memory, to run K-means on.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each point counts. Points of weight 0 get a label.
    k : int
        The largest number of clusters.
    values : (n, c) array, optional
        The stored values of each point, from which its features were computed; by
        default, the points themselves.
    cells : bool, default False
        Whether the points are distinct 8-bit colors, sorted by cell.
    n_alike : int, optional
        The number of leading features that have the same unit; by default, all.
    """

    def __init__(
        self,
        points: Array,
        weights: Floats,
        k: int,
        *,
        values: Array | None = None,
        cells: bool = False,
        n_alike: int | None = None,
    ) -> None:
        self.every_point, self.counting = points, weights > 0
        self.values = points if values is None else values
        if not self.counting.all():
            points, weights = points[self.counting], weights[self.counting]
        self.n_alike = points.shape[1] if n_alike is None else n_alike
        self.sweep: Sweep
        self.sweep, self.origin = make_sweep(points, weights, k, cells)
        super().__init__(self.sweep.points, self.sweep.weights)

    def histograms(self) -> Histograms | None:
        """Return histograms of the points, None if there are none."""
        return histograms_of(self.sweep, self.origin, self.n_alike)

    def inertia(self, centroids: Floats, labels: Labels) -> float:
        """Add up the weighted squared distances, point by point."""
        return direct_inertia(self.points, self.weights, centroids, labels)

    def labels_of_all(self, labels: Labels, centroids: Floats) -> Labels:
        """Return the labels of all points, including those of weight 0."""
        if self.counting.all():
            return labels
        others = ~self.counting
        every = np.empty(len(others), np.int32)
        every[self.counting] = labels
        every[others], _ = BlockedSweep(self.every_point[others]).assign(centroids)
        return every

    @cached_property
    def shift(self) -> Shift:
        """The origin and scaling of the points."""
        points = self.points
        return Shift(self.origin, find_scaling(points[:: sample_step(len(points))]))

    def uniform_clusters(
        self, labels: Labels, centroids: Floats
    ) -> tuple[NDArray[np.bool_], Array]:
        """Return which clusters have only equal points, and a stored point of each."""
        points, values = self.every_point[:, : self.n_alike], self.values
        if not self.counting.all():
            points, values = points[self.counting], values[self.counting]
            labels = labels[self.counting]
        single, first = single_points(points, labels, len(centroids))
        return single, values[first]
