"""What users do instead when K-means on all pixels takes them too long."""

from functools import partial

import numpy as np
from PIL import Image
from sklearn.cluster import KMeans, MiniBatchKMeans

from benchmarks.contenders import answer, either_way, in_floats, on_cores
from benchmarks.harness import TOL, Contender, Start
from benchmarks.pictures import Answer


def sample(start: Start, init: str, size: int) -> Answer:
    """Fit scikit-learn to some random pixels, and predict all of them."""
    pixels = start.image.reshape(-1, start.image.shape[-1])
    rng = np.random.default_rng(start.seed)
    some = pixels[rng.integers(len(pixels), size=size)].astype(np.float32)
    model = KMeans(start.k, init=init, n_init=1, tol=TOL, random_state=start.seed)
    model.fit(some)
    labels = model.predict(in_floats(start.image))
    return answer(start, labels, model.cluster_centers_, int(model.n_iter_))


def mini_batch(start: Start, batch_size: int) -> Answer:
    """Run scikit-learn's `MiniBatchKMeans`, seeded by k-means++.

    Its batches are too small for several threads, which then only wait.
    """
    model = MiniBatchKMeans(
        start.k, batch_size=batch_size, n_init=1, random_state=start.seed
    )
    with on_cores(1):
        model.fit(in_floats(start.image))
    return answer(start, model.labels_, model.cluster_centers_, int(model.n_iter_))


def pillow(start: Start) -> Answer:
    """Run Pillow's `quantize` with K-means until at most one pixel changes."""
    found = Image.fromarray(start.image).quantize(start.k, kmeans=1)
    labels = np.asarray(found)
    palette = np.array(found.getpalette()[: 3 * start.k], np.float64).reshape(-1, 3)
    return answer(start, labels, palette, None)


SHORTCUTS = {
    **{
        f"{size:,}-pixel sample ({init})": either_way(
            partial(sample, init=init, size=size)
        )
        for size in (1_000, 10_000)
        for init in ("random", "k-means++")
    },
    **{
        f"MiniBatchKMeans ({size:,})": Contender(partial(mini_batch, batch_size=size))
        for size in (1_024, 4_096)
    },
    "Pillow": Contender(pillow),
}
