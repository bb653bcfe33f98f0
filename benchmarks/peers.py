"""Who else does it: every library that clusters all pixels, and what users do instead.

Everybody gets the same whole job, from the uint8 array to the labels of all pixels and
the painted picture, each at its best setting. A peer that is not there is left out.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from sklearn.cluster import KMeans, MiniBatchKMeans
from threadpoolctl import ThreadpoolController

from benchmarks.pictures import Array

TOL, MAX_ITER = 1e-4, 300
LLOYD = "scikit-learn"
INTEL, OPENCV, SCIPY, FAISS = "Intel's extension", "OpenCV", "SciPy", "faiss"
SAMPLE, BATCHES, PILLOW = "10,000-pixel sample", "MiniBatchKMeans", "Pillow"
SHORTCUTS = (SAMPLE, BATCHES, PILLOW)
# Whose threads may be in each other's way: one alone may be faster.
THREADED = (LLOYD, INTEL, FAISS)
# OpenCV does no more steps than this, whatever it is told.
OPENCV_MAX_ITER = 100
# Who took longer than this with fewer clusters of a picture is not asked for more.
PATIENCE = 1.5

_pools = ThreadpoolController()


class Answer(NamedTuple):
    """The label of each point, and the centroids that the labels belong to."""

    labels: Array
    centroids: Array


class Start(NamedTuple):
    """What a run starts from: given centroids, or k and a seed."""

    image: Array
    k: int
    centroids: Array | None = None
    seed: int = 0
    max_iter: int = MAX_ITER
    # For those who have no stop rule: as many as scikit-learn needs.
    steps: int = MAX_ITER

    def pixels(self) -> Array:
        """Return the pixels, (n, channels), as peers want them."""
        return self.image.reshape(-1, self.image.shape[-1]).astype(np.float32)


def optional(module: str) -> ModuleType | None:
    """Import a peer's module, if it is there."""
    try:
        return import_module(module)
    except ImportError:
        return None


# Imported like this, Intel's extension leaves scikit-learn itself as it is.
intel, cv2 = optional("sklearnex.cluster"), optional("cv2")
vq, faiss = optional("scipy.cluster.vq"), optional("faiss")


def on_one_core(job: Callable[[], Any]) -> Any:
    """Run a job whose library takes all cores with one."""
    with _pools.limit(limits=1):
        return job()


def both_ways(job: Callable[[], Any]) -> tuple[Callable[[], Any], ...]:
    """Return a job with all cores, and with one: which is faster beside other work."""
    return job, partial(on_one_core, job)


def fit(
    points: Array, start: Any, kind: Any = KMeans, **options: Any
) -> tuple[Any, Answer]:
    """Fit an estimator that is used like scikit-learn's; from centroids, or k."""
    given = not isinstance(start, int)
    k = len(start) if given else start
    how = {"n_init": 1, "tol": TOL, "max_iter": MAX_ITER, "init": "random"}
    how |= {"init": start.astype(points.dtype)} if given else {}
    model = kind(k, **how | options).fit(points)
    return model, Answer(model.labels_, model.cluster_centers_)


def painted(start: Start, answer: Answer) -> Answer:
    """Paint the picture, which is a part of the job."""
    palette = np.rint(answer.centroids).clip(0, 255).astype(np.uint8)
    palette.take(answer.labels.ravel(), axis=0).reshape(start.image.shape)
    return answer


def sklearn(start: Start, kind: Any = KMeans) -> Answer:
    """Run scikit-learn's `KMeans`, or another estimator that is used like it."""
    given = start.k if start.centroids is None else start.centroids
    options = {"random_state": start.seed, "max_iter": start.max_iter}
    return painted(start, fit(start.pixels(), given, kind, **options)[1])


def opencv(start: Start) -> Answer:
    """Run `cv2.kmeans`; from given centroids, by the labels that belong to them.

    It stops when no centroid moves further than `eps`; a bound that takes about as many
    steps as the others' rule is tol * variance / sqrt(k).
    """
    pixels, labels = start.pixels(), None
    flags = cv2.KMEANS_RANDOM_CENTERS
    eps = np.sqrt(TOL * float(pixels.var(axis=0).mean()) / np.sqrt(start.k))
    criteria = (3, min(start.steps, OPENCV_MAX_ITER), eps)
    if start.centroids is not None:
        flags = cv2.KMEANS_USE_INITIAL_LABELS
        labels = vq.vq(pixels, start.centroids.astype(np.float32), False)[0]
        labels = labels.astype(np.int32)[:, np.newaxis]
        criteria = (cv2.TERM_CRITERIA_COUNT, min(start.steps, OPENCV_MAX_ITER), 0.0)
    cv2.setRNGSeed(start.seed)
    _, found, centroids = cv2.kmeans(pixels, start.k, labels, criteria, 1, flags)
    return painted(start, Answer(found.ravel(), centroids))


def scipy(start: Start) -> Answer:
    """Run `kmeans2`, which has no stop rule."""
    given = start.centroids is not None
    init = start.centroids.astype(np.float32) if given else start.k
    how = {"minit": "matrix" if given else "points", "check_finite": False}
    found = vq.kmeans2(start.pixels(), init, start.steps, rng=start.seed, **how)
    return painted(start, Answer(found[1], found[0]))


def faiss_kmeans(start: Start) -> Answer:
    """Run `faiss.Kmeans` on all points, without its subsampling."""
    pixels = start.pixels()
    how = {"max_points_per_centroid": len(pixels), "min_points_per_centroid": 1}
    how |= {"niter": start.steps, "seed": start.seed}
    model = faiss.Kmeans(3, start.k, check_input_data_for_NaNs=False, **how)
    given = start.centroids
    model.train(
        pixels, init_centroids=None if given is None else given.astype(np.float32)
    )
    labels = model.index.search(pixels, 1)[1].ravel()
    return painted(start, Answer(labels, model.centroids))


def sample(start: Start) -> Answer:
    """Fit scikit-learn to some random pixels, seeded by k-means++; predict all."""
    pixels = start.pixels()
    some = np.random.default_rng(start.seed).integers(len(pixels), size=10_000)
    options = {"init": "k-means++", "random_state": start.seed}
    model, _ = fit(pixels[some], start.k, **options)
    return painted(start, Answer(model.predict(pixels), model.cluster_centers_))


def mini_batches(start: Start) -> Answer:
    """Run scikit-learn's `MiniBatchKMeans`, seeded by k-means++."""
    model = MiniBatchKMeans(start.k, batch_size=4096, n_init=1, random_state=start.seed)
    model.fit(start.pixels())
    return painted(start, Answer(model.labels_, model.cluster_centers_))


def pillow(start: Start) -> Answer:
    """Run Pillow's `quantize` with K-means until at most one pixel changes."""
    found = Image.fromarray(start.image).quantize(start.k, kmeans=1)
    palette = np.array(found.getpalette()[: 3 * start.k], np.float64).reshape(-1, 3)
    return painted(start, Answer(np.asarray(found).ravel(), palette))


FULL_DATA: dict[str, tuple[bool, Callable[[Start], Answer]]] = {
    LLOYD: (True, sklearn),
    INTEL: (bool(intel), lambda start: sklearn(start, intel.KMeans)),
    OPENCV: (bool(cv2 and vq), opencv),
    SCIPY: (bool(vq), scipy),
    FAISS: (bool(faiss), faiss_kmeans),
}
INSTEAD: dict[str, Callable[[Start], Answer]] = {
    SAMPLE: sample,
    BATCHES: mini_batches,
    PILLOW: pillow,
}
