"""K-means as an estimator that works with scikit-learn's tools."""

from kmeans_np.estimator.kmeans import KMeans
