"""K-means from scratch in NumPy, to segment images and to be read."""

# The first import: the others take a moment, in which Ctrl-C may come.
from kmeans_np import interrupt as interrupt
from kmeans_np.arrays import Progress
from kmeans_np.clustering import Clustering, kmeans
from kmeans_np.estimator import KMeans
from kmeans_np.explanation import Explanation, color_cloud, explain
from kmeans_np.files import (
    Metadata,
    open_image,
    read_image,
    read_metadata,
    write_image,
)
from kmeans_np.image import (
    Batch,
    Segmentation,
    apply_palette,
    cluster_image,
    inertia_curve,
    segment_image,
)
from kmeans_np.lloyd import Step, Sweep, assign, lloyd, update
from kmeans_np.sample import sample_image

__all__ = [
    "Batch",
    "Clustering",
    "Explanation",
    "KMeans",
    "Metadata",
    "Progress",
    "Segmentation",
    "Step",
    "Sweep",
    "apply_palette",
    "assign",
    "cluster_image",
    "color_cloud",
    "explain",
    "inertia_curve",
    "kmeans",
    "lloyd",
    "open_image",
    "read_image",
    "read_metadata",
    "sample_image",
    "segment_image",
    "update",
    "write_image",
]

__version__ = "0.2.0"
