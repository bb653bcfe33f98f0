"""Passes over the points that give the textbook's answer in less time and memory.

What this file adds: nothing but the names of the passes. `BlockedSweep` looks at every
point, in blocks that stay in the processor's cache. `BoundedSweep` remembers how long
each point is safe from a change of cluster, and looks only at those that are not.
`CellSweep`, for colors, looks at cells of neighboring colors, and at single ones only
where a cell lies between centroids. What it leaves out: every decision. The loop, the
rule for ties, the means and the empty clusters are those of `kmeans_np.lloyd`.
"""

from kmeans_np.sweeps.blocked import BlockedSweep
from kmeans_np.sweeps.bounded import BoundedSweep
from kmeans_np.sweeps.cells import CellSweep

__all__ = ["BlockedSweep", "BoundedSweep", "CellSweep"]
