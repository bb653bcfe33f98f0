"""The photographs, where runs start on them, and the inertia that judges everybody."""

import io
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image

Array = NDArray[Any]

# Photographs that scikit-learn and scikit-image ship, 0.1 to 0.3 megapixels.
SMALL = ("china", "flower", "coffee", "astronaut", "chelsea", "rocket")
LARGE = "12 megapixels"
# Points are judged in blocks: large enough that threads do not wait for Python, small
# enough that not all differences are in memory at once.
BLOCK = 2**18


@cache
def photo(name: str) -> Array:
    """Return a photograph, (rows, columns, 3), uint8."""
    if name == LARGE:
        return np.array(Image.open(io.BytesIO(large_jpeg())))
    if name in ("china", "flower"):
        return load_sample_image(f"{name}.jpg")
    return getattr(skimage.data, name)()


@cache
def large_jpeg(rows: int = 3000, columns: int = 4000) -> bytes:
    """Return a photograph at another size, as a camera would have written it.

    To resample adds colors in between, the grain of a sensor (which grows with the root
    of the light) scatters them, and JPEG scatters them again: so the number of distinct
    colors is that of a photo of this size, and not that of the small one.
    """
    resized = Image.fromarray(photo("china")).resize((columns, rows), Image.LANCZOS)
    developed = np.array(resized)
    rng = np.random.default_rng(0)
    for strip in np.array_split(developed, max(1, rows // 512)):
        light = strip.astype(np.float32)
        grain = rng.standard_normal(strip.shape, dtype=np.float32)
        light += grain * np.sqrt(4 + light / 10)
        strip[:] = np.rint(light.clip(0, 255))
    file = io.BytesIO()
    Image.fromarray(developed).save(file, "jpeg", quality=92)
    return file.getvalue()


def random_colors(image: Array, k: int, seed: int) -> Array:
    """Return k distinct colors near those of random pixels, (k, 3), as float64.

    They lie between whole gray levels: there, no pixel is equally near to two of them.
    Ties are broken by rounding in peers, and runs that differ there drift apart.
    """
    rng = np.random.default_rng(seed)
    pixels = image.reshape(-1, image.shape[-1])
    drawn = pixels[rng.integers(len(pixels), size=40 * k)]
    colors = rng.permutation(np.unique(drawn, axis=0))[:k]
    return colors + rng.uniform(-0.25, 0.25, colors.shape)


def inertia(points: Array, labels: Array, centroids: Array) -> float:
    """Add up the squared distances of all points to their centroids.

    The same for everybody: direct differences in float64, for the labels and centroids
    that came back, whatever inertia they are said to have.
    """
    centroids = np.asarray(centroids, np.float64)

    def of_block(start: int) -> float:
        block = slice(start, start + BLOCK)
        differences = points[block] - centroids[labels[block]]
        return float(np.vdot(differences, differences))

    labels = np.asarray(labels).ravel()
    with ThreadPoolExecutor() as pool:
        return sum(pool.map(of_block, range(0, len(points), BLOCK)))


def means(points: Array, labels: Array) -> Array:
    """Return the mean of the points of each label."""
    counts = np.bincount(labels)
    sums = [np.bincount(labels, column) for column in points.T]
    return np.stack(sums, axis=1) / np.maximum(counts, 1)[:, np.newaxis]
