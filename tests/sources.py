"""Where points and images may lie, and how to let few of them take the ways of many."""

from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

from kmeans_np import seeding, tree_sums
from kmeans_np.arrays import chunks, lazy, rows
from kmeans_np.clustering import choose_sweep, partitioned
from kmeans_np.colors import counts
from kmeans_np.sweeps import totals

# What is small to the package, and is less here.
SMALLER = [
    (choose_sweep, "MUCH_WORK", 0),
    (choose_sweep, "TEXTBOOK", 2**9),
    (totals, "TEXTBOOK", 2**9),
    (tree_sums, "MOST", 2**9),
    (tree_sums, "LEAST", 2**8),
    (seeding, "FEW_POINTS", 1000),
    (partitioned, "FEW_POINTS", 1000),
    (rows, "BLOCK", 2**12),
    (chunks, "BLOCK", 2**10),
    (lazy, "BLOCK", 2**10),
    (counts, "COUNT_BLOCK", 1000),
    (counts, "MANY_COLORS", 500),
    (counts, "TABLE_BITS", 12),
]


@contextmanager
def few_as_many():
    """Let few points, and small images, take the ways of many, in many parts."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in SMALLER:
            patch.setattr(module, name, value)
        yield


class Slices:
    """An array of which only slices can be had, and that counts what is read."""

    def __init__(self, array, chunks=None):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.n_read, self.largest = 0, 0
        if chunks:
            self.chunks = chunks

    def __getitem__(self, place):
        found = self.array[place]
        self.n_read += found.size
        self.largest = max(self.largest, found.size)
        return found


class Anew:
    """Blocks of points that are made when they are asked for."""

    def __init__(self, points, ends):
        self.points, self.ends, self.n_made, self.n_begun = points, ends, 0, 0

    def __iter__(self):
        self.n_begun += 1
        for start, end in pairwise([0, *self.ends, len(self.points)]):
            self.n_made += 1
            yield self.points[start:end].copy()


def mapped(array, folder):
    np.save(folder / "array.npy", array)
    return np.load(folder / "array.npy", mmap_mode="r")


def in_zarr(array, folder):
    import zarr

    chunks = tuple(n // 2 + 1 for n in array.shape)
    stored = zarr.create_array(
        folder / "a.zarr", shape=array.shape, dtype=array.dtype, chunks=chunks
    )
    stored[...] = array
    return stored


def in_hdf5(array, folder):
    import h5py

    file = h5py.File(folder / "array.h5", "w")
    return file.create_dataset("array", data=array)


def in_chunks(array, edges):
    """Return a Dask array of chunks of rows between these edges, which may be empty."""
    import dask.array as da

    rows = tuple(b - a for a, b in pairwise(edges))
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


def on_dask(array, _=None):
    return in_chunks(array, [0, 0, len(array) // 3, len(array)])


def in_blocks(array, _):
    n = len(array)
    return Anew(array, [n // 7, n // 7, n // 2])


ARRAYS = {
    "array": lambda array, _: array,
    "memory map": mapped,
    "slices": lambda array, _: Slices(array),
    "zarr": in_zarr,
    "hdf5": in_hdf5,
}
POINT_SOURCES = ARRAYS | {
    "dask": on_dask,
    "blocks": lambda array, _: [*in_blocks(array, _)],
    "blocks anew": in_blocks,
}


def assert_same(found, expected):
    """Assert that two answers are the same, to the last bit."""
    names = {"palette", "centroids", "counts", "shares", "labels", "image"}
    for name in sorted(names & {*dir(expected)}):
        one, other = (np.asarray(getattr(each, name)) for each in (found, expected))
        assert (one.dtype, one.shape) == (other.dtype, other.shape), name
        assert one.tobytes() == other.tobytes(), name
    for name in ("inertia", "n_iter", "stopped_by"):
        assert getattr(found, name) == getattr(expected, name), name
