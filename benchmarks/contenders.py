"""The pictures, and who clusters them: kmeans_np and its peer, in the same harness."""

import io
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_limits

from kmeans_np import cluster_image

Array = NDArray[Any]

TOL = 1e-4
MAX_ITER = 300
# Pixels are judged in blocks, as all their differences together would not fit the
# memory of a small machine.
BLOCK = 2**18


# ---- Pictures ----------------------------------------------------------------------


def china() -> Array:
    """Return the photograph, 427 x 640, that scikit-learn ships."""
    return load_sample_image("china.jpg")


@cache
def enlarged_photo(rows: int, columns: int) -> Array:
    """Return the photograph at another size, as a camera would have written it.

    To resample adds colors in between, the grain of a sensor (which grows with the
    root of the light) scatters them, and JPEG scatters them again: so the number of
    distinct colors is that of a photo of this size, and not that of the small one.
    """
    resized = Image.fromarray(china()).resize((columns, rows), Image.Resampling.LANCZOS)
    values = np.asarray(resized).astype(np.float32)
    rng = np.random.default_rng(0)
    grain = rng.standard_normal(values.shape, dtype=np.float32)
    values += grain * np.sqrt(4 + values / 10)
    developed = Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8))
    file = io.BytesIO()
    developed.save(file, "jpeg", quality=92)
    return np.array(Image.open(file))


def n_colors(image: Array) -> int:
    """Count the distinct colors of a uint8 RGB image."""
    codes = image.reshape(-1, 3) @ np.array([2**16, 2**8, 1])
    return len(np.unique(codes))


def random_centroids(image: Array, k: int, seed: int) -> Array:
    """Return k distinct colors of random pixels, as float64."""
    rng = np.random.default_rng(seed)
    pixels = image.reshape(-1, image.shape[-1])
    drawn = pixels[rng.integers(len(pixels), size=20 * k)]
    colors = rng.permutation(np.unique(drawn, axis=0))[:k]
    if len(colors) < k:
        raise ValueError(f"seed {seed} draws only {len(colors)} colors, not {k}")
    return colors.astype(np.float64)


# ---- Contenders --------------------------------------------------------------------


class Answer(NamedTuple):
    """What a contender brings back from a picture."""

    labels: Array
    centroids: Array
    image: Array
    n_iter: int
    inertia: float


def ours(image: Array, k: int, init: Array | str, seed: int) -> Answer:
    """Run `cluster_image`, one start."""
    found = cluster_image(
        image, k, init=init, n_init=1, max_iter=MAX_ITER, tol=TOL, rng=seed
    )
    return Answer(
        found.labels, found.centroids, found.image, found.n_iter, found.inertia
    )


def sklearn(
    image: Array, k: int, init: Array | str, seed: int, *, threads: int | None
) -> Answer:
    """Run scikit-learn at its best: float32, and painted the fast way."""
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float32)
    model = KMeans(
        k, init=init, n_init=1, max_iter=MAX_ITER, tol=TOL, random_state=seed
    )
    with threadpool_limits(threads):
        model.fit(pixels)
    palette = np.rint(model.cluster_centers_).astype(np.uint8)
    painted = palette.take(model.labels_, axis=0).reshape(image.shape)
    return Answer(
        model.labels_.reshape(image.shape[:2]),
        model.cluster_centers_.astype(np.float64),
        painted,
        model.n_iter_,
        model.inertia_,
    )


# What counts is the peer's best time. All cores win on an idle machine; but where
# another process wants one of them, scikit-learn's threads wait for each other, and one
# thread was seen to be four times as fast.
PEERS = {"all": partial(sklearn, threads=None), "one": partial(sklearn, threads=1)}


# ---- Judging -----------------------------------------------------------------------


def inertia(image: Array, answer: Answer) -> float:
    """Add up the squared distances of all pixels to their centroids.

    The same for every contender: direct differences in float64, for the labels and
    centroids that it gave, whatever inertia it says it has.
    """
    pixels, labels = image.reshape(-1, image.shape[-1]), answer.labels.ravel()
    total = 0.0
    for start in range(0, len(pixels), BLOCK):
        block = slice(start, start + BLOCK)
        differences = pixels[block] - answer.centroids[labels[block]]
        total += float((differences**2).sum())
    return total


def share_alike(one: Answer, other: Answer) -> float:
    """Return the part of the pixels that two answers put into the same cluster.

    Clusters may be numbered differently: each is taken for that with the nearest
    centroid.
    """
    between = one.centroids[:, np.newaxis] - other.centroids
    same = (between**2).sum(axis=2).argmin(axis=1)
    return float((same[one.labels] == other.labels).mean())
