"""The pictures, where runs start on them, and how an answer about them is judged."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.metrics import pairwise_distances_argmin

Array = NDArray[Any]

# Points are judged in blocks: large enough that threads do not wait for Python, small
# enough that not all differences are in memory at once.
BLOCK = 2**18
# Rows of a photo that are developed at once: a large one in floats is gigabytes.
STRIP = 512


class Answer(NamedTuple):
    """What a contender brings back from a picture.

    Attributes
    ----------
    labels : (rows, columns) or (n,) array of int
        The cluster of each pixel.
    centroids : (k, channels) array of float64
        The centroids that the labels belong to.
    image : array of uint8
        The picture, each pixel in the color of its cluster.
    n_iter : int or None
        The number of steps, if the contender tells.
    """

    labels: Array
    centroids: Array
    image: Array
    n_iter: int | None


# ---- Pictures ----------------------------------------------------------------------


class Picture(NamedTuple):
    """A photograph by its name and size; the small one has no size of its own."""

    name: str
    rows: int = 0
    columns: int = 0

    @property
    def is_large(self) -> bool:
        """Say whether slow contenders take minutes on it."""
        return self.rows * self.columns > 5e6

    def pixels(self) -> Array:
        """Return it as an array of uint8, (rows, columns, 3)."""
        if not self.rows:
            return china()
        return enlarged_photo(self.rows, self.columns)


@cache
def china() -> Array:
    """Return the photograph, 427 x 640, that scikit-learn ships."""
    return load_sample_image("china.jpg")


@lru_cache(maxsize=1)
def enlarged_jpeg(rows: int, columns: int) -> bytes:
    """Return the photograph at another size, as a camera would have written it.

    To resample adds colors in between, the grain of a sensor (which grows with the
    root of the light) scatters them, and JPEG scatters them again: so the number of
    distinct colors is that of a photo of this size, and not that of the small one.
    """
    resized = Image.fromarray(china()).resize((columns, rows), Image.Resampling.LANCZOS)
    developed = np.array(resized)
    rng = np.random.default_rng(0)
    for start in range(0, rows, STRIP):
        strip = developed[start : start + STRIP]
        light = strip.astype(np.float32)
        grain = rng.standard_normal(strip.shape, dtype=np.float32)
        light += grain * np.sqrt(4 + light / 10)
        strip[:] = np.rint(light.clip(0, 255))
    file = io.BytesIO()
    Image.fromarray(developed).save(file, "jpeg", quality=92)
    return file.getvalue()


@lru_cache(maxsize=1)
def enlarged_photo(rows: int, columns: int) -> Array:
    """Return the pixels of the enlarged photograph, read back from its JPEG."""
    with warnings.catch_warnings():
        # 100 megapixels are meant.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return np.array(Image.open(io.BytesIO(enlarged_jpeg(rows, columns))))


def n_colors(image: Array) -> int:
    """Count the distinct colors of a uint8 RGB image."""
    codes = image.reshape(-1, 3) @ np.array([2**16, 2**8, 1], np.int32)
    return len(np.unique(codes))


# ---- Starts ------------------------------------------------------------------------


def random_centroids(image: Array, k: int, seed: int) -> Array:
    """Return k distinct colors near those of random pixels, as float64.

    They lie between whole gray levels: there, no pixel is equally near to two of them.
    Ties are broken by rounding in peers, and runs that differ there drift apart.
    """
    rng = np.random.default_rng(seed)
    pixels = image.reshape(-1, image.shape[-1])
    drawn = pixels[rng.integers(len(pixels), size=20 * k)]
    colors = rng.permutation(np.unique(drawn, axis=0))[:k]
    if len(colors) < k:
        raise ValueError(f"seed {seed} draws only {len(colors)} colors, not {k}")
    return colors + rng.uniform(-0.25, 0.25, colors.shape)


def nearest(image: Array, centroids: Array) -> Array:
    """Return the number of each pixel's nearest centroid, (n,), as int32."""
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float32)
    labels = pairwise_distances_argmin(pixels, centroids.astype(np.float32))
    return labels.astype(np.int32)


# ---- Judging -----------------------------------------------------------------------


def inertia(points: Array, labels: Array, centroids: Array) -> float:
    """Add up the squared distances of all points to their centroids.

    The same for every contender: direct differences in float64, for the labels and
    centroids that it gave, whatever inertia it says it has.
    """

    def of_block(start: int) -> float:
        block = slice(start, start + BLOCK)
        differences = points[block] - centroids[labels[block]]
        return float(np.vdot(differences, differences))

    with ThreadPoolExecutor() as pool:
        return sum(pool.map(of_block, range(0, len(points), BLOCK)))


def picture_inertia(image: Array, answer: Answer) -> float:
    """Return the inertia of an answer over all pixels of a picture."""
    pixels = image.reshape(-1, image.shape[-1])
    return inertia(pixels, answer.labels.ravel(), answer.centroids)


def share_alike(one: Answer, other: Answer) -> float:
    """Return the part of the pixels that two answers put into the same cluster.

    Clusters may be numbered differently: each is taken for that with the nearest
    centroid.
    """
    between = one.centroids[:, np.newaxis] - other.centroids
    same = (between**2).sum(axis=2).argmin(axis=1)
    alike = same[one.labels.ravel()] == other.labels.ravel()
    return float(alike.mean())


def size_of(image: Array) -> str:
    """Say how large a picture is and how many colors it has."""
    rows, columns = image.shape[:2]
    return f"{rows:,} x {columns:,} pixels, {n_colors(image):,} distinct colors"
