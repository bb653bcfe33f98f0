"""Arrays that are read, computed and written block by block."""

from kmeans_np.arrays.chunks import (
    BlockReader,
    check_known_shape,
    chunks_of,
    in_memory,
    is_sliced,
    release_pages,
    shape_only,
    tiles,
)
from kmeans_np.arrays.dask_rows import (
    DaskRows,
    as_rows,
    is_dask,
    locate_errors,
    merge_in_tree,
    select,
)
from kmeans_np.arrays.lazy import LazyArray, Progress, Report, Reporter
from kmeans_np.arrays.rows import CHUNK_BYTES, BlockRows, MemoryRows, Part, Rows
from kmeans_np.arrays.stacked import concatenate_blocks, re_iterable
