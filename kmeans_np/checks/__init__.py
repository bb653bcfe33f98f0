"""The border: the one place that judges what callers pass in, and words the errors.

What this file adds: the names of the checks. Each returns its argument in the form that
the rest of the package relies on, or raises an error whose one sentence gives the
argument's name, the rule, what came, and the remedy. What it leaves out: files and
folders, whose troubles only show when they are used (`kmeans_np.files`).
"""

from kmeans_np.checks.arrays import (
    counted,
    finite_pixels,
    image,
    points,
    real_array,
    some_visible,
    weights,
)
from kmeans_np.checks.options import Callback, Options, n_clusters, options

__all__ = [
    "Callback",
    "Options",
    "counted",
    "finite_pixels",
    "image",
    "n_clusters",
    "options",
    "points",
    "real_array",
    "some_visible",
    "weights",
]
