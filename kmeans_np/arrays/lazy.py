"""Arrays that are computed when they are read."""

import math
import operator
import os
import time
from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.arrays.chunks import BLOCK, Place, tiles
from kmeans_np.checks import ArgumentValueError
from kmeans_np.lloyd import Array


class Progress(NamedTuple):
    """The progress of work on an image that is read in blocks.

    Attributes
    ----------
    task : str
        The current task: "count" the colors, "paint" the pixels, or, where most pixels
        have a color of their own, "look" at them in one of many passes.
    done, total : int
        The number of pixels (for several images, of images) that are done, and of all.
    seconds : float
        The time since the task began, in seconds.
    """

    task: str
    done: int
    total: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        """The estimated time for the rest of this task, in seconds."""
        left = self.total / self.done - 1 if self.done else float("inf")
        return self.seconds * left


Report = Callable[[Progress], Any]


class Reporter:
    """Reports the progress of a task to a function, if there is one."""

    def __init__(self, report: Report | None, task: str, total: int) -> None:
        self.report, self.task, self.total = report, task, total
        self.done, self.begin = 0, time.perf_counter()

    def add(self, done: int) -> None:
        """Report that this many more pixels are done."""
        self.reach(self.done + done)

    def reach(self, done: int) -> None:
        """Report that this many pixels are done in total."""
        self.done = done
        if self.report is not None:
            spent = time.perf_counter() - self.begin
            self.report(Progress(self.task, self.done, self.total, spent))


class LazyArray(np.lib.mixins.NDArrayOperatorsMixin):
    """A read-only array that is computed when it is read.

    ``view[rows, columns]`` computes a block, and ``np.asarray(view)`` the whole array;
    so do arithmetic and the methods of an array, such as ``view.max()``. Nothing is
    kept. In all other respects, it is like a NumPy array whose flag ``writeable`` is
    False.

    Parameters
    ----------
    shape : tuple of int
        The lengths of the axes.
    dtype : numpy.dtype
        The dtype of the elements.
    chunks : tuple of int, or None
        The shape of the chunks that are best read as a whole; None if any shape will
        do.
    compute : callable
        Returns the block at a place, given as slices with positive steps.
    """

    # As with an array, no other attributes can be set by mistake.
    __slots__ = ("_chunks", "_compute", "_dtype", "_shape", "_token")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        chunks: tuple[int, ...] | None,
        compute: Callable[[Place], Array],
    ) -> None:
        self._shape, self._dtype, self._chunks = shape, dtype, chunks
        self._compute, self._token = compute, os.urandom(16).hex()

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return self._dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of the chunks that are best read as a whole."""
        return self._chunks

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """The size of an element, in bytes."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The size of all elements in memory, in bytes."""
        return self.size * self.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        size = " x ".join(f"{length:,}" for length in self.shape)
        return f"<LazyArray of {size} {self.dtype}, computed when it is read>"

    def __iter__(self) -> Iterator[Array]:
        return map(self.__getitem__, range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return value in self._whole()

    def __bool__(self) -> bool:
        return bool(self._whole())

    def __bytes__(self) -> bytes:
        return self._whole().tobytes()

    def __int__(self) -> int:
        return int(self._whole())

    def __float__(self) -> float:
        return float(self._whole())

    def __index__(self) -> int:
        return operator.index(self._whole())

    def __getitem__(self, index: Any) -> Array:
        index = index if isinstance(index, tuple) else (index,)
        basic = (int, np.integer, slice, EllipsisType)
        if any(isinstance(one, bool) or not isinstance(one, basic) for one in index):
            # All other kinds of NumPy indexing.
            found: Array = np.asarray(self)[index]
            return found
        each = zip(_in_full(index, self.ndim), self.shape, strict=True)
        places, then = zip(*(_forwards(one, n) for one, n in each))
        taken: Array = self._read(places)[then]
        return taken

    def __setitem__(self, index: Any, value: Any) -> None:
        raise _read_only()

    def __delitem__(self, index: Any) -> None:
        raise _read_only()

    def __eq__(self, other: Any) -> Any:
        return self._whole() == _computed(other)

    def __ne__(self, other: Any) -> Any:
        return self._whole() != _computed(other)

    def _read(self, place: Place) -> Array:
        shape = [len(range(p.start, p.stop, p.step or 1)) for p in place]
        if 0 in shape:
            return np.empty(shape, self.dtype)
        if math.prod(shape) <= BLOCK:
            return self._compute(place)
        result = np.empty(shape, self.dtype)
        for tile in tiles(shape, self.chunks):
            inside = (
                slice(p.start + t.start * p.step, p.start + t.stop * p.step, p.step)
                for p, t in zip(place, tile)
            )
            ends = zip(inside, place)
            result[tile] = self._compute(
                tuple(slice(i.start, min(i.stop, p.stop), i.step) for i, p in ends)
            )
        return result

    def _whole(self) -> Array:
        """Return the whole array, read-only: changes to it would be lost."""
        whole = np.asarray(self)
        whole.flags.writeable = False
        return whole

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            rule = "be True or None for an array that is computed when it is read"
            raise ArgumentValueError("copy", rule, "False", "leave it out")
        return self[...].astype(dtype or self.dtype, copy=False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a LazyArray has no attribute {name!r}")
        return getattr(self._whole(), name)

    def __dask_tokenize__(self) -> str:
        # The source may be a file whose content changes before Dask compares this array
        # with another one.
        return self._token

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **how: Any) -> Any:
        targets = how.get("out", ())
        if method == "at":
            targets = inputs[:1]
        if any(isinstance(one, LazyArray) for one in targets):
            raise _read_only()
        if "where" in how:
            how["where"] = _computed(how["where"])
        return getattr(ufunc, method)(*map(_computed, inputs), **how)


def _computed(value: Any) -> Any:
    """Return a lazy array as an array, and other values unchanged."""
    return np.asarray(value) if isinstance(value, LazyArray) else value


def _read_only() -> ValueError:
    return ValueError(
        "an array that is computed when it is read cannot be written to; write to a "
        "copy, such as numpy.array(labels)"
    )


def _in_full(index: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    """Return an index of ints, slices and Ellipsis with one entry for each axis."""
    if sum(one is ... for one in index) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if len(index) - (... in index) > ndim:
        raise IndexError(f"too many indices for an array with {ndim} axes")
    where = index.index(...) if ... in index else len(index)
    rest = index[where + 1 :]
    return (*index[:where], *[slice(None)] * (ndim - where - len(rest)), *rest)


def _forwards(index: Any, n: int) -> tuple[slice, Any]:
    """Return what to read of an axis, with a positive step, and how to index that."""
    if not isinstance(index, slice):
        number = operator.index(index)
        if not -n <= number < n:
            raise IndexError(f"index {number} is out of bounds for an axis of size {n}")
        return slice(number % n, number % n + 1, 1), 0
    where = range(n)[index]
    if not where:
        return slice(0, 0, 1), slice(None)
    if where.step > 0:
        return slice(where.start, where[-1] + 1, where.step), slice(None)
    return slice(where[-1], where.start + 1, -where.step), slice(None, None, -1)
