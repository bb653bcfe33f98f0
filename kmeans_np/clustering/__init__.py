"""`kmeans`, and the runs that it shares with images.

What this file adds: nothing but the names. `passes` chooses the pass, `runs` does the
work around the loop, `points` is `kmeans`. What it leaves out: the loop itself
(`kmeans_np.lloyd`) and pictures (`kmeans_np.image`).
"""

from kmeans_np.clustering.parted import surveyed
from kmeans_np.clustering.passes import are_many, direct_inertia
from kmeans_np.clustering.points import kmeans
from kmeans_np.clustering.runs import (
    Clustering,
    describe_stop,
    fit,
    fit_each,
    fit_parts,
    nearest,
    warn_if_fewer,
)

__all__ = [
    "Clustering",
    "are_many",
    "describe_stop",
    "direct_inertia",
    "fit",
    "fit_each",
    "fit_parts",
    "kmeans",
    "nearest",
    "surveyed",
    "warn_if_fewer",
]
