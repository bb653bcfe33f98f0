"""K-means from scratch in NumPy, to segment pictures and to be read."""

from kmeans_np.clustering import Clustering, kmeans
from kmeans_np.files import read_image, write_image
from kmeans_np.image import Segmentation, cluster_image, segment_image
from kmeans_np.lloyd import Step, Sweep, assign, lloyd, update
from kmeans_np.sample import sample_image

__all__ = [
    "Clustering",
    "Segmentation",
    "Step",
    "Sweep",
    "assign",
    "cluster_image",
    "kmeans",
    "lloyd",
    "read_image",
    "sample_image",
    "segment_image",
    "update",
    "write_image",
]
