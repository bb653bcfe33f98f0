"""Points to run K-means on, in memory or not: the same questions to both."""

# NumPy loads numpy.random when it is first named, which takes as long as the rest of
# this package: so it is not named in annotations that are evaluated.
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
        How many have a weight.
    origin : (d,) array of float64
        Where they have their zero in all that follows.
    n_alike : int
        How many features, the first ones, are in one unit.
    """

    n: int
    n_alike: int
    origin: Floats

    @property
    def sweep(self) -> Sweep:
        """The pass over them, as seen from there."""

    @property
    def few(self) -> Distinct | None:
        """The distinct points in order, if there are few."""

    def histograms(self) -> Histograms | None:
        """Return histograms of the points, None if there are none."""

    def start(self, init: str, k: int, rng: np.random.Generator) -> Floats:
        """Return starting centroids by the seeding of a name; see `Starts.start`."""

    def extend(self, centroids: Floats, k: int, rng: np.random.Generator) -> Floats:
        """Return some centroids, and others spread out, k in all."""

    def inertia(self, centroids: Floats, labels: Labels) -> float:
        """Add up the weighted squared distances, point by point."""

    def labels_of_all(self, labels: Labels, centroids: Floats) -> Labels:
        """Return the labels of all points, also of those that have no weight."""

    @property
    def shift(self) -> Shift:
        """From where the points are looked at."""

    def uniform_clusters(
        self, labels: Labels, centroids: Floats
    ) -> tuple[NDArray[np.bool_], Array]:
        """Return which clusters have equal points only, and what is stored of one.

        Equal in the features that are in one unit; labels are those of all points.
        """


class PointsInMemory(Starts):
    """Points in memory, to run K-means on.

    Parameters
    ----------
    points : (n, d) array of real numbers
        The points.
    weights : (n,) array of float64
        How many times each counts. Those of weight 0 get a label.
    k : int
        The largest number of clusters.
    values : (n, c) array, optional
        What is stored of each; the points themselves when not given.
    cells : bool, default False
        Whether the points are distinct 8-bit colors in the order of their cells.
    n_alike : int, optional
        How many features, the first ones, are in one unit; all when not given.
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
        """Return the labels of all points, also of those that have no weight."""
        if self.counting.all():
            return labels
        others = ~self.counting
        every = np.empty(len(others), np.int32)
        every[self.counting] = labels
        every[others], _ = BlockedSweep(self.every_point[others]).assign(centroids)
        return every

    @cached_property
    def shift(self) -> Shift:
        """From where the points are looked at."""
        points = self.points
        return Shift(self.origin, find_scaling(points[:: sample_step(len(points))]))

    def uniform_clusters(
        self, labels: Labels, centroids: Floats
    ) -> tuple[NDArray[np.bool_], Array]:
        """Return which clusters have equal points only, and what is stored of one."""
        points, values = self.every_point[:, : self.n_alike], self.values
        if not self.counting.all():
            points, values = points[self.counting], values[self.counting]
            labels = labels[self.counting]
        single, first = single_points(points, labels, len(centroids))
        return single, values[first]
