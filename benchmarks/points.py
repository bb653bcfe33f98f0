"""Points that are no picture: mixtures of Gaussians, and tables of real data."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_digits, make_blobs

from benchmarks.pictures import Array, photo

# How far the centers of a mixture scatter, in standard deviations of its noise: the
# clusters overlap, as in data that are worth clustering.
SPREAD = 3.0
PATCH = 8


class Table(NamedTuple):
    """A table of points, and into how many clusters it goes."""

    data: str
    n: int
    d: int
    k: int
    dtype: str = "float32"

    def __str__(self) -> str:
        """Say what it is, shortly."""
        size = f"{self.n:,} x {self.d}, k = {self.k}"
        return f"{self.data}, {size}{', float64' * (self.dtype == 'float64')}"

    def points(self) -> Array:
        """Return the points, (n, d), in one piece, and in no order."""
        drawn = MAKERS[self.data](self)
        order = np.random.default_rng(1).permutation(len(drawn))[: self.n]
        return np.ascontiguousarray(drawn[order], self.dtype)


def mixture(table: Table) -> Array:
    """Draw points around k centers."""
    rng = np.random.default_rng(table.n + 1000 * table.d + table.k)
    # As far apart in any number of dimensions as in 2.
    centers = rng.normal(scale=SPREAD * np.sqrt(2 / table.d), size=(table.k, table.d))
    return make_blobs(table.n, centers=centers, random_state=0)[0]


def colors_and_places(_: Table) -> Array:
    """Return red, green, blue, row and column of a photograph's pixels.

    Noise below one gray level leaves no two of them equal.
    """
    image = photo("china")
    places = np.indices(image.shape[:2]).reshape(2, -1).T / 4
    rows = np.hstack([image.reshape(-1, 3), places])
    return rows + np.random.default_rng(0).random(rows.shape)


def patches(table: Table) -> Array:
    """Return the main components of a photograph's gray patches of 8 x 8 pixels."""
    gray = photo("china").mean(axis=2)
    rows = sliding_window_view(gray, (PATCH, PATCH)).reshape(-1, PATCH * PATCH)
    rows = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(rows.T @ rows)
    # The last have the largest variance. The very last is brightness, which would leave
    # the others nothing to say.
    return rows @ axes[:, -table.d - 1 : -1]


def digits(table: Table) -> Array:
    """Return scikit-learn's handwritten digits, each often, with noise."""
    rows = np.tile(load_digits().data, (-(-table.n // 1797), 1))
    return rows + np.random.default_rng(0).normal(size=rows.shape)


MAKERS: dict[str, Callable[[Table], Array]] = {
    "mixture": mixture,
    "colors and places": colors_and_places,
    "patches": patches,
    "digits": digits,
}
TABLES = (
    Table("mixture", 50_000, 2, 4),
    Table("mixture", 200_000, 2, 16),
    Table("mixture", 200_000, 2, 64, "float64"),
    Table("mixture", 1_000_000, 3, 16),
    Table("mixture", 200_000, 3, 64, "float64"),
    Table("mixture", 1_000_000, 4, 8),
    Table("mixture", 500_000, 8, 16),
    Table("mixture", 200_000, 8, 256),
    Table("mixture", 200_000, 32, 4),
    Table("mixture", 200_000, 32, 64),
    Table("mixture", 50_000, 32, 16, "float64"),
    Table("mixture", 50_000, 128, 4),
    Table("mixture", 50_000, 128, 256),
    Table("mixture", 50_000, 128, 16, "float64"),
    Table("colors and places", 273_280, 5, 4),
    Table("colors and places", 273_280, 5, 64),
    Table("colors and places", 100_000, 5, 256, "float64"),
    Table("patches", 200_000, 8, 16),
    Table("patches", 100_000, 32, 64),
    Table("patches", 50_000, 32, 256, "float64"),
    Table("digits", 50_000, 64, 10),
)
