"""`kmeans`, and the code of its runs, which images use as well."""

from kmeans_np.clustering.choose_sweep import (
    direct_inertia,
    nearest_centroids,
    use_tree_sums,
)
from kmeans_np.clustering.column_stats import ColumnStats, column_stats
from kmeans_np.clustering.data import Data, PointsInMemory
from kmeans_np.clustering.fitting import (
    Clustering,
    assign_to,
    fit,
    fit_path,
    warn_if_fewer,
)
from kmeans_np.clustering.kmeans import kmeans
from kmeans_np.clustering.outside import check_outside, checked_weights
from kmeans_np.clustering.partitioned import PartitionedPoints
from kmeans_np.clustering.stop_reasons import STOP_REASONS, describe_stop
from kmeans_np.clustering.table import clusters_in_html
