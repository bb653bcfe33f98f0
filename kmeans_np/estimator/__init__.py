"""K-means as an estimator that scikit-learn's tools take for one of theirs.

What this file adds: nothing but the name. `inputs` takes what scikit-learn takes,
`parameters` makes a class an estimator, and `kmeans` is `KMeans`. What it leaves out:
images (`kmeans_np.image`).
"""

from kmeans_np.estimator.kmeans import KMeans

__all__ = ["KMeans"]
