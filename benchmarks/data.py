"""Points that are no picture: mixtures of Gaussians, and tables of real data."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.pictures import Array, china

# How far the centers of a mixture scatter, in standard deviations of its noise: the
# clusters overlap, as in data that are worth clustering. It is the scatter in 2
# dimensions, and as far in any other number: else all clusters would lie apart in many.
SPREAD = 3.0
PATCH = 8


class Case(NamedTuple):
    """A table of points, and into how many clusters it goes."""

    data: str
    n: int
    d: int
    k: int
    dtype: str

    def __str__(self) -> str:
        return f"{self.data}, n = {self.n:,}, d = {self.d}, k = {self.k}, {self.dtype}"

    def points(self) -> Array:
        """Return the points, (n, d), in one piece."""
        return np.ascontiguousarray(MAKERS[self.data](self), self.dtype)


def mixture(case: Case) -> Array:
    """Draw points around k centers."""
    rng = np.random.default_rng(case.n + 1000 * case.d + case.k)
    points = rng.standard_normal((case.n, case.d))
    scale = SPREAD * np.sqrt(2 / case.d)
    centers = rng.normal(scale=scale, size=(case.k, case.d))
    points += centers[rng.integers(case.k, size=case.n)]
    return points


def colors_and_positions(case: Case) -> Array:
    """Return red, green, blue, row and column of the photograph's pixels.

    Noise below one gray level leaves no two of them equal.
    """
    image = china()
    grid = np.indices(image.shape[:2]).reshape(2, -1).T / 4
    table = np.hstack([image.reshape(-1, 3), grid])
    return _some(table + np.random.default_rng(0).random(table.shape), case)


def patches(case: Case) -> Array:
    """Return the main components of the photograph's gray patches of 8 x 8 pixels."""
    gray = china().mean(axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(gray, (PATCH, PATCH))
    table = windows.reshape(-1, PATCH * PATCH)
    table = table - table.mean(axis=0)
    _, axes = np.linalg.eigh(table.T @ table)
    # The last have the largest variance. The very last is brightness, which would
    # leave the others nothing to say.
    return _some(table @ axes[:, -case.d - 1 : -1], case)


def digits(case: Case) -> Array:
    """Return the handwritten digits that scikit-learn ships."""
    return _some(load_digits().data, case)


def _some(table: Array, case: Case) -> Array:
    """Return n rows of a table, drawn by chance."""
    drawn = np.random.default_rng(1).permutation(len(table))[: case.n]
    return table[drawn]


MAKERS: dict[str, Callable[[Case], Array]] = {
    "mixture": mixture,
    "photo's colors and positions": colors_and_positions,
    "photo's patches": patches,
    "digits": digits,
}


def _cases(*rows: tuple[Any, ...]) -> list[Case]:
    """Return a case for each k of each (data, n, d, ks, dtype)."""
    return [Case(data, n, d, k, t) for data, n, d, ks, t in rows for k in ks]


# Every dimension and every k occurs, with as many points as scikit-learn clusters in
# some seconds. The digits are fewer than 50,000: shown, but not judged.
CASES = _cases(
    ("mixture", 1_000_000, 2, (4, 16), "float32"),
    ("mixture", 1_000_000, 3, (4, 16), "float32"),
    ("mixture", 1_000_000, 5, (4,), "float64"),
    ("mixture", 1_000_000, 8, (4,), "float32"),
    ("mixture", 200_000, 2, (64,), "float32"),
    ("mixture", 200_000, 3, (16, 64), "float32"),
    ("mixture", 200_000, 5, (4, 16, 64), "float32"),
    ("mixture", 200_000, 8, (4, 16, 64), "float32"),
    ("mixture", 200_000, 32, (4, 16, 64), "float32"),
    ("mixture", 200_000, 2, (16,), "float64"),
    ("mixture", 200_000, 3, (64,), "float64"),
    ("mixture", 200_000, 8, (16,), "float64"),
    ("mixture", 50_000, 2, (256,), "float32"),
    ("mixture", 50_000, 5, (256,), "float32"),
    ("mixture", 50_000, 8, (256,), "float64"),
    ("mixture", 50_000, 32, (16,), "float64"),
    ("mixture", 50_000, 32, (256,), "float32"),
    ("mixture", 50_000, 128, (4, 16, 64, 256), "float32"),
    ("mixture", 50_000, 128, (16,), "float64"),
    ("photo's colors and positions", 273_280, 5, (4, 16, 64), "float32"),
    ("photo's colors and positions", 100_000, 5, (16, 256), "float64"),
    ("photo's patches", 200_000, 8, (16, 64), "float32"),
    ("photo's patches", 100_000, 32, (4, 16, 64), "float32"),
    ("photo's patches", 50_000, 32, (256,), "float64"),
    ("digits", 1_797, 64, (16,), "float64"),
)
