"""Colors: counting them, looking them up, and converting between color spaces."""

from kmeans_np.colors.counts import ColorCounts, ColorPacking, Units, merge_counts
from kmeans_np.colors.distinct import (
    TABLE_BITS,
    Colors,
    Counted,
    Lookup,
    distinct_colors,
    distinct_of,
    distinct_values,
    look_up,
)
from kmeans_np.colors.lookup import take, take_colors
from kmeans_np.colors.profiles import UNUSABLE, of_profile
from kmeans_np.colors.spaces import COLOR_SPACES, ColorSpace, lab_from_rgb, rgb_from_lab
