"""A run to be seen, as a page, a film and a sheet; and the colors as a cloud."""

from kmeans_np.explanation.color_cloud import color_cloud
from kmeans_np.explanation.explain import (
    Explanation,
    as_playground,
    check_suffix,
    explain,
)
