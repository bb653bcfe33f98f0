"""What a typed project may write: every call must be known to mypy and pyright."""

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

from kmeans_np import KMeans


def clusters(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Fit, ask for everything, and return the labels."""
    weights = np.ones(len(points))
    model = KMeans(
        3, init="k-means++", n_init=2, max_iter=100, tol=1e-3, random_state=0
    )
    assert_type(model.fit(points, sample_weight=weights), KMeans)
    assert_type(model.set_params(n_clusters=2).set_output(transform="default"), KMeans)
    assert_type(model.fit_predict(points), NDArray[np.int32])
    assert_type(model.predict(points.tolist()), NDArray[np.int32])
    assert_type(model.score(points), float)
    assert_type(model.labels_, NDArray[np.int32])
    assert_type(model.inertia_, float)
    assert_type(model.n_iter_, int)
    assert_type(model.n_features_in_, int)
    names: list[str] = model.get_feature_names_out().tolist()
    distances: NDArray[np.float64] = model.transform(points)
    centers: NDArray[np.float64] = model.cluster_centers_
    print(names, distances.shape, centers.shape, model.get_params()["n_clusters"])
    return model.labels_


class Cautious(KMeans):
    """An estimator of the project's own."""

    def __init__(self, n_clusters: int = 2, *, random_state: int | None = None) -> None:
        super().__init__(n_clusters, random_state=random_state)


def main() -> None:
    """Run it all."""
    points = np.random.default_rng(0).normal(size=(50, 2))
    print(clusters(points), Cautious(random_state=1).fit(points).labels_)


if __name__ == "__main__":
    main()
