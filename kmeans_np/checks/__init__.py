"""The border: the one place that judges what callers pass in, and words the errors.

What this file adds: the names of the checks. Each returns its argument in the form that
the rest of the package relies on, or raises an error whose one sentence gives the
argument's name, the rule, what came, and the remedy. What it leaves out: files and
folders, whose troubles only show when they are used (`kmeans_np.files`).
"""

from kmeans_np.checks.arrays import (
    LARGEST,
    LARGEST_INTEGER,
    POINTS,
    Named,
    counted,
    finite,
    not_negative,
    place_along,
    points,
    points_shape,
    real_array,
    weights,
)
from kmeans_np.checks.images import (
    finite_pixels,
    has_alpha,
    image,
    mask,
    named_pixels,
    pixel_weights,
    place_of_pixel,
    some_take_part,
)
from kmeans_np.checks.options import (
    Callback,
    Options,
    flag,
    function,
    n_clusters,
    options,
    text,
)
from kmeans_np.checks.questions import (
    AS_THEY_ARE,
    Compared,
    compared,
    features,
    image_or_points,
    label,
    like,
    palette,
    same_channels,
    several_k,
    share,
    white,
)

__all__ = [
    "AS_THEY_ARE",
    "LARGEST",
    "LARGEST_INTEGER",
    "POINTS",
    "Callback",
    "Compared",
    "Named",
    "Options",
    "compared",
    "counted",
    "features",
    "finite",
    "finite_pixels",
    "flag",
    "function",
    "has_alpha",
    "image",
    "image_or_points",
    "label",
    "like",
    "mask",
    "n_clusters",
    "named_pixels",
    "not_negative",
    "options",
    "palette",
    "pixel_weights",
    "place_along",
    "place_of_pixel",
    "points",
    "points_shape",
    "real_array",
    "same_channels",
    "several_k",
    "share",
    "some_take_part",
    "text",
    "weights",
    "white",
]
