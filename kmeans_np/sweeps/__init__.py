"""Passes that give the textbook's result in less time and memory."""

from kmeans_np.sweeps.blocked import BlockedSweep
from kmeans_np.sweeps.bounded import BoundedSweep
from kmeans_np.sweeps.cells import CellSweep
