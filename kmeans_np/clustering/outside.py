"""Checks of points outside of memory, and of weights in memory or outside of it."""

from typing import Any

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import (
    BlockReader,
    Part,
    as_rows,
    check_known_shape,
    in_memory,
    is_dask,
    is_sliced,
)
from kmeans_np.checks import WeightStats
from kmeans_np.lloyd import Array


class _Column:
    """Weights (n,) as one column (n, 1) that is read in slices."""

    def __init__(self, weights: Any) -> None:
        self.source, self.dtype = BlockReader(weights, "weights"), weights.dtype
        self.shape = (*weights.shape, 1)
        chunks = self.source.chunks
        self.chunks = None if chunks is None else (*chunks, 1)

    def __getitem__(self, place: tuple[slice, slice]) -> Array:
        return self.source[place[:1]][:, np.newaxis]


def check_outside(points: Any) -> Any:
    """Check points outside of memory, of which only shape and dtype are known."""
    checks.real_array(np.empty(0, points.dtype), "points")
    checks.points_shape(points.shape)
    if is_dask(points):
        check_known_shape(points, "points")
    return points


def checked_weights(weights: Any, points: Any) -> tuple[Any, int]:
    """Check the weights of points; return them, and how many are positive.

    They stay outside of memory if the points are; None for None.
    """
    n = points.shape[0]
    if weights is None:
        return None, n
    if not is_sliced(points) or not is_sliced(weights):
        array = checks.weights(in_memory(weights, "weights"), n)
        return _like(array, points), int(np.count_nonzero(array))
    checks.real_array(np.empty(0, weights.dtype), "weights")
    checks.check_weights_shape(weights.shape, n)
    column = weights[:, np.newaxis] if is_dask(weights) else _Column(weights)
    found = as_rows(column, name="weights").gather(_look, checks.merge_weight_stats)
    n_positive = checks.check_weight_stats(found, checks.place_along("place"), "point")
    return _like(weights, points), n_positive


def _like(weights: Any, points: Any) -> Any:
    """Return weights as a Dask array if the points are one."""
    if not is_dask(points) or is_dask(weights):
        return weights
    import dask.array

    return dask.array.from_array(weights, chunks=points.chunks[:1])


def _look(part: Part) -> WeightStats:
    numbers = np.arange(part.start, part.start + len(part))
    return checks.weight_stats(part.values[:, 0], numbers)
