"""K-means as an estimator that scikit-learn's tools take for one of theirs."""

from kmeans_np.estimator.kmeans import KMeans
