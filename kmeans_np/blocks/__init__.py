"""Arrays that are read, computed and written block by block.

What this file adds: nothing but the names. `Sliced` reads what lies outside of memory,
`stacked` makes one array of blocks, `rows_of` has points there looked at part by part,
`View` computes what is not there yet, `copy` writes it. What it leaves out: what the
numbers mean (`kmeans_np.image`).
"""

from kmeans_np.blocks.dask_rows import (
    DaskRows,
    is_dask,
    known_shape,
    merged_in_tree,
    place_of_errors,
)
from kmeans_np.blocks.rows import CHUNK_BYTES, Rows, rows_of
from kmeans_np.blocks.sliced import Sliced, in_memory, is_sliced, stand_in, tiles
from kmeans_np.blocks.stacked import again, stacked
from kmeans_np.blocks.views import Progress, Report, Reporter, View, copy

__all__ = [
    "CHUNK_BYTES",
    "DaskRows",
    "Progress",
    "Report",
    "Reporter",
    "Rows",
    "Sliced",
    "View",
    "again",
    "copy",
    "in_memory",
    "is_dask",
    "is_sliced",
    "known_shape",
    "merged_in_tree",
    "place_of_errors",
    "rows_of",
    "stacked",
    "stand_in",
    "tiles",
]
