"""Several arrays as one: blocks of points, concatenated."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from kmeans_np.arrays.chunks import BlockReader, is_sliced
from kmeans_np.checks import ArgumentTypeError, ArgumentValueError
from kmeans_np.lloyd import Array


class ReIterable(Sequence[Any]):
    """The items of an iterable, which can be iterated over again and again.

    Items requested in order come from one iterator. All threads share it, since items
    may have one source, such as the frames of a film.
    """

    def __init__(self, items: Iterable[Any], name: str) -> None:
        self.items, self.name = items, name
        self.n = sum(1 for _ in items)
        self._begin()

    def _begin(self) -> None:
        self.rest, self.next, self.lock = iter(self.items), 0, threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # Neither iterators nor locks can be sent to another process.
        return {"items": self.items, "name": self.name, "n": self.n}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[each] for each in range(self.n)[number]]
        number = range(self.n)[number]
        with self.lock:
            if number < self.next:
                self.rest, self.next = iter(self.items), 0
            # Set before the item arrives, so that an iterator that fails is not used
            # again.
            skipped, self.next = number - self.next, self.n
            for item in islice(self.rest, skipped, None):
                self.next = number + 1
                return item
        raise ArgumentValueError(
            self.name,
            "give the same items each time it is iterated over",
            f"{self.n:,} items at first and at most {number:,} later",
            "pass a list",
        )

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(self.n))


def re_iterable(items: Any, name: str, why: str) -> Sequence[Any]:
    """Return items that can be iterated over more than once."""
    if isinstance(items, Sequence):
        return items
    if iter(items) is items:
        raise ArgumentTypeError(
            name,
            f"be something to iterate over twice, {why}",
            f"a {type(items).__name__}",
            "pass a list, or an object that can be iterated over again",
            found="which can be iterated over only once",
        )
    return ReIterable(items, name)


def concatenate_blocks(points: Any) -> Any:
    """Return blocks of points, (m, d) each, as one array; other values unchanged.

    Blocks are a sequence of arrays with two axes, or another iterable that is not an
    array.
    """
    if is_sliced(points) or isinstance(points, (str, bytes)):
        return points
    if any(hasattr(points, name) for name in ("__array__", "__array_interface__")):
        return points
    if isinstance(points, Sequence):
        return (
            ConcatenatedBlocks(points)
            if len(points) and _is_block(points[0])
            else points
        )
    if isinstance(points, (set, frozenset, dict)) or not hasattr(points, "__iter__"):
        return points
    return ConcatenatedBlocks(re_iterable(points, "points", "once for each step"))


def _is_block(value: Any) -> bool:
    return is_sliced(value) or (isinstance(value, np.ndarray) and value.ndim == 2)


class ConcatenatedBlocks:
    """Blocks of points as one array that is read in slices of rows.

    Parameters
    ----------
    blocks : sequence of (m, d) arrays
        The points. A block is requested whenever some of its rows are read.
    """

    def __init__(self, blocks: Sequence[Any]) -> None:
        self.blocks, sizes, first = blocks, [], None
        for number in range(len(blocks)):
            block = self._block(number)
            shape, dtype = block.shape, block.dtype
            first = first or (shape[1:], dtype)
            if len(shape) != 2 or (shape[1:], dtype) != first:
                raise ArgumentValueError(
                    "points",
                    "be blocks (m, d) of one type with as many features each",
                    f"block {number} of type {dtype} and shape {shape} after blocks of "
                    f"type {first[1]} with {first[0][0]} features",
                    "convert it",
                )
            sizes.append(shape[0])
        if first is None:
            rule = "hold at least one block"
            raise ArgumentValueError("points", rule, "none", "pass some")
        self.ends = np.cumsum(sizes)
        self.shape = (int(self.ends[-1]), *first[0])
        self.dtype: np.dtype[Any] = first[1]
        self.ndim = 2

    def _block(self, number: int) -> BlockReader:
        block = self.blocks[number]
        if not is_sliced(block):
            block = np.asarray(block)
        return BlockReader(block, f"block {number} of points")

    def __getitem__(self, place: tuple[slice, slice]) -> Array:
        rows, columns = range(self.shape[0])[place[0]], place[1]
        parts = [np.empty((0, self.shape[1]), self.dtype)[:, columns]]
        number = int(np.searchsorted(self.ends, rows.start, "right"))
        while len(rows):
            block, end = self._block(number), int(self.ends[number])
            begin = end - block.shape[0]
            # The number of rows in this block.
            n = len(range(rows.start, min(end, rows.stop), rows.step))
            if n:
                inside = slice(rows.start - begin, rows[n - 1] - begin + 1, rows.step)
                parts.append(block[inside, columns])
            rows, number = rows[n:], number + 1
        return parts[-1] if len(parts) == 2 else np.concatenate(parts)
