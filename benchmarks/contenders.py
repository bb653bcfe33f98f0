"""Who clusters pictures: kmeans_np, and every library that does it on all pixels.

All get the same whole job: from the uint8 array to the labels of all pixels and the
painted picture. What a peer needs on the way (float32, a palette) is a part of its job,
done in the fastest way that was found.

An optional peer that cannot be imported is left out and named in `MISSING`.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController

from benchmarks.harness import (
    LLOYD,
    OURS,
    OURS_PLUS_PLUS,
    PLUS_PLUS,
    TOL,
    Contender,
    Job,
    Start,
)
from benchmarks.pictures import Answer, Array
from kmeans_np import cluster_image, segment_image

ELKAN = "scikit-learn (Elkan)"
INTEL, OPENCV, SCIPY, FAISS = "scikit-learn-intelex", "OpenCV", "SciPy", "faiss"
# OpenCV does no more steps than this, whatever it is told.
OPENCV_MAX_ITER = 100

MISSING: dict[str, str] = {}


def optional(name: str, module: str) -> ModuleType | None:
    """Import a peer's module, or note down why that is not possible."""
    try:
        return import_module(module)
    except ImportError as error:
        MISSING[name] = str(error)
        return None


# Imported like this, Intel's extension leaves scikit-learn itself as it is.
intel = optional(INTEL, "sklearnex.cluster")
cv2 = optional(OPENCV, "cv2")
vq = optional(SCIPY, "scipy.cluster.vq")
faiss = optional(FAISS, "faiss")

_pools = ThreadpoolController()


def on_cores(threads: int | None) -> AbstractContextManager[Any]:
    """Limit the threads of scikit-learn and faiss in a with block; None: no limit."""
    return nullcontext() if threads is None else _pools.limit(limits=threads)


# ---- Ours --------------------------------------------------------------------------


def answer_of_ours(found: Any) -> Answer:
    """Return what is judged of a `Segmentation`."""
    return Answer(found.labels, found.centroids, found.image, found.n_iter)


def given(start: Start) -> Answer:
    """Run `cluster_image` from given centroids."""
    found = cluster_image(
        start.image,
        start.k,
        init=start.centroids,
        n_init=1,
        max_iter=start.max_iter,
        tol=TOL,
    )
    return answer_of_ours(found)


def segment(start: Start, **options: Any) -> Array:
    """Run `segment_image` as users call it."""
    return segment_image(start.image, start.k, rng=start.seed, **options)


def reveal(start: Start, painted: Array, **options: Any) -> Answer:
    """Run the same seed once more, to see what is behind a painted picture."""
    found = cluster_image(start.image, start.k, rng=start.seed, **options)
    return answer_of_ours(found)._replace(image=painted)


OURS_GIVEN = {OURS: Contender(given)}
OURS_AS_CALLED = {OURS: Contender(segment, reveal=reveal)}
OURS_SPREAD = {
    OURS_PLUS_PLUS: Contender(
        partial(segment, init="k-means++"), reveal=partial(reveal, init="k-means++")
    )
}


# ---- Peers -------------------------------------------------------------------------


def in_floats(image: Array) -> Array:
    """Return the pixels, (n, channels), as the peers want them."""
    return image.reshape(-1, image.shape[-1]).astype(np.float32)


def answer(start: Start, labels: Array, centroids: Array, n_iter: int | None) -> Answer:
    """Paint the picture, and put labels and centroids into shape."""
    palette = np.rint(centroids).clip(0, 255).astype(np.uint8)
    painted = palette.take(labels.ravel(), axis=0).reshape(start.image.shape)
    labels = labels.reshape(start.image.shape[:2])
    return Answer(labels, centroids.astype(np.float64), painted, n_iter)


def sklearn(
    start: Start,
    how: str,
    *,
    estimator: Any = KMeans,
    **options: Any,
) -> Answer:
    """Run scikit-learn's `KMeans`, or another estimator that is used like it."""
    init = start.centroids.astype(np.float32) if how == "given" else how
    model = estimator(
        start.k,
        init=init,
        n_init=1,
        max_iter=start.max_iter,
        tol=TOL,
        random_state=start.seed,
        **options,
    )
    model.fit(in_floats(start.image))
    return answer(start, model.labels_, model.cluster_centers_, int(model.n_iter_))


def opencv(start: Start, how: str) -> Answer:
    """Run `cv2.kmeans`.

    From given centroids, it takes the labels that belong to them, and as many steps as
    scikit-learn. From its own, it stops when no centroid moves further than `eps`.
    Ours is a rule for the sum over all centroids; a bound of the largest shift squared
    that takes about as many steps is tol * variance / sqrt(k). (For tol * variance / k
    it takes up to five times as many, for tol * variance down to a third.)
    """
    pixels = in_floats(start.image)
    counts, both = cv2.TERM_CRITERIA_COUNT, 3
    if how == "given":
        criteria = (counts, min(start.steps, OPENCV_MAX_ITER), 0.0)
        labels = start.labels[:, np.newaxis].copy()
        flags = cv2.KMEANS_USE_INITIAL_LABELS
    else:
        variance = float(pixels.var(axis=0, dtype=np.float64).mean())
        eps = np.sqrt(TOL * variance / np.sqrt(start.k))
        criteria = (both, min(start.max_iter, OPENCV_MAX_ITER), eps)
        plus_plus = how == "k-means++"
        labels = None
        flags = cv2.KMEANS_PP_CENTERS if plus_plus else cv2.KMEANS_RANDOM_CENTERS
    # Its random numbers are global.
    cv2.setRNGSeed(start.seed)
    _, labels, centroids = cv2.kmeans(pixels, start.k, labels, criteria, 1, flags)
    return answer(start, labels, centroids, None)


def scipy(start: Start, how: str) -> Answer:
    """Run `kmeans2`, which has no stop rule: as many steps as scikit-learn."""
    init = start.centroids.astype(np.float32) if how == "given" else start.k
    centroids, labels = vq.kmeans2(
        in_floats(start.image),
        init,
        iter=start.steps,
        minit={"given": "matrix", "random": "points", "k-means++": "++"}[how],
        check_finite=False,
        rng=start.seed,
    )
    return answer(start, labels, centroids, start.steps)


def faiss_kmeans(start: Start, how: str) -> Answer:
    """Run `faiss.Kmeans` on all points, as many steps as scikit-learn."""
    pixels = in_floats(start.image)
    options = {"niter": start.steps, "nredo": 1, "seed": start.seed}
    if how == "k-means++":
        # Older versions start at random points only.
        options["init_method"] = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
    model = faiss.Kmeans(
        pixels.shape[1],
        start.k,
        **options,
        check_input_data_for_NaNs=False,
        # No subsampling, and no word about few points.
        max_points_per_centroid=len(pixels),
        min_points_per_centroid=1,
    )
    centroids = start.centroids.astype(np.float32) if how == "given" else None
    model.train(pixels, init_centroids=centroids)
    _, labels = model.index.search(pixels, 1)
    return answer(start, labels, model.centroids, start.steps)


def either_way(job: Job, *, counted: bool = False) -> Contender:
    """Return a contender that may be faster on one core."""
    return Contender(job, partial(_on_one_core, job), counted)


def _on_one_core(job: Job, start: Start) -> Any:
    with on_cores(1):
        return job(start)


def full_data_peers(how: str) -> dict[str, Contender]:
    """Return who clusters all pixels, from "given", "random" or "k-means++" starts.

    The names of those with k-means++ say so.
    """
    peers = {LLOYD: either_way(partial(sklearn, how=how))}
    if how != "k-means++":
        # One kind of scikit-learn with k-means++ is enough.
        peers[ELKAN] = either_way(partial(sklearn, how=how, algorithm="elkan"))
    if intel:
        peers[INTEL] = Contender(partial(sklearn, how=how, estimator=intel.KMeans))
    if cv2:
        peers[OPENCV] = Contender(partial(opencv, how=how), counted=how == "given")
    if vq:
        peers[SCIPY] = Contender(partial(scipy, how=how), counted=True)
    if faiss:
        peers[FAISS] = either_way(partial(faiss_kmeans, how=how), counted=True)
    if how != "k-means++":
        return peers
    return {name + PLUS_PLUS: contender for name, contender in peers.items()}


FULL_DATA = (LLOYD, ELKAN, INTEL, OPENCV, SCIPY, FAISS)
