"""Arrays that are read, computed and written block by block."""

from kmeans_np.blocks.dask_rows import (
    DaskRows,
    as_rows,
    is_dask,
    known_shape,
    merged_in_tree,
    place_of_errors,
    select,
)
from kmeans_np.blocks.rows import CHUNK_BYTES, BlockRows, MemoryRows, Part, Rows
from kmeans_np.blocks.sliced import Sliced, in_memory, is_sliced, stand_in, tiles
from kmeans_np.blocks.stacked import again, stacked
from kmeans_np.blocks.views import Progress, Report, Reporter, View, copy

__all__ = [
    "CHUNK_BYTES",
    "BlockRows",
    "DaskRows",
    "MemoryRows",
    "Part",
    "Progress",
    "Report",
    "Reporter",
    "Rows",
    "Sliced",
    "View",
    "again",
    "as_rows",
    "copy",
    "in_memory",
    "is_dask",
    "is_sliced",
    "known_shape",
    "merged_in_tree",
    "place_of_errors",
    "select",
    "stacked",
    "stand_in",
    "tiles",
]
