"""Checks that validate arguments and raise clear errors.

Each returns its argument in the form that the rest of the package relies on. What can
only be checked when a file is opened is checked in `kmeans_np.files`.
"""

from kmeans_np.checks.arrays import (
    LARGEST,
    LARGEST_INTEGER,
    POINTS,
    ErrorContext,
    finite,
    place_along,
    points,
    points_shape,
    real_array,
)
from kmeans_np.checks.errors import (
    ArgumentError,
    ArgumentFileNotFoundError,
    ArgumentIndexError,
    ArgumentIsADirectoryError,
    ArgumentNotADirectoryError,
    ArgumentOSError,
    ArgumentPermissionError,
    ArgumentTypeError,
    ArgumentValueError,
    describe,
    pluralize,
    printable,
    sentence,
)
from kmeans_np.checks.features import (
    check_color_profile,
    check_fraction,
    check_label,
    features,
    image_or_points,
    largest_k,
    like,
    palette,
    position_weight,
    range_of_rgb,
    same_channels,
    several_k,
    white,
)
from kmeans_np.checks.images import (
    finite_pixels,
    has_alpha,
    image,
    mask,
    named_pixels,
    names_of_pixels,
    pixel_weights,
    place_of_pixel,
    some_take_part,
    weights_image,
)
from kmeans_np.checks.options import (
    Callback,
    Options,
    check_bool,
    check_str,
    function,
    n_clusters,
    one_of,
    options,
    whole_number,
)
from kmeans_np.checks.weights import (
    WeightStats,
    check_weight_stats,
    check_weights_shape,
    merge_weight_stats,
    not_negative,
    weight_stats,
    weights,
)
