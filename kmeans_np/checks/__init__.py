"""The border: the one place that judges what callers pass in, and words the errors.

What this file adds: the names of the checks. Each returns its argument in the form that
the rest of the package relies on, or raises an error whose one sentence gives the
argument's name, the rule, what came, and the remedy. What it leaves out: files and
folders, whose troubles only show when they are used (`kmeans_np.files`).
"""

from kmeans_np.checks.arrays import (
    POINTS,
    Named,
    counted,
    points,
    points_shape,
    printable,
    real_array,
    shown,
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
    only_for_images,
    palette,
    same_channels,
    several_k,
    share,
    white,
)

__all__ = [
    "AS_THEY_ARE",
    "POINTS",
    "Callback",
    "Compared",
    "Named",
    "Options",
    "compared",
    "counted",
    "features",
    "finite_pixels",
    "flag",
    "has_alpha",
    "image",
    "image_or_points",
    "label",
    "like",
    "mask",
    "n_clusters",
    "named_pixels",
    "only_for_images",
    "options",
    "palette",
    "pixel_weights",
    "place_of_pixel",
    "points",
    "points_shape",
    "printable",
    "real_array",
    "same_channels",
    "several_k",
    "share",
    "shown",
    "some_take_part",
    "text",
    "weights",
    "white",
]
