"""Images: `segment_image`, `cluster_image`, `apply_palette` and `inertia_curve`."""

from kmeans_np.image.batch import Batch
from kmeans_np.image.cluster import cluster_image, segment_image
from kmeans_np.image.curve import inertia_curve
from kmeans_np.image.palette import apply_palette
from kmeans_np.image.segmentation import Segmentation
