"""One job of the part `scale`, in a process of its own, so that its peak can be told.

``python -m benchmarks.scale_jobs JOB SOURCE TARGET`` prints seconds, peak and centroids
as JSON. SOURCE and TARGET have no suffix: it is that of the job's kind of file.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kmeans_np import cluster_image, open_image, segment_image, write_image

K = 8
# What MiniBatchKMeans is given at a time, in rows of the picture.
ROWS = 64


def in_memory(source: str, _: str) -> float:
    """Segment an image that is in memory."""
    image = np.load(f"{source}.npy")
    start = time.perf_counter()
    segment_image(image, K, rng=0)
    return time.perf_counter() - start


def floats_in_memory(source: str, _: str) -> float:
    """Segment an image of floats that is in memory."""
    image = np.load(as_floats(source))
    start = time.perf_counter()
    segment_image(image, K, rng=0)
    return time.perf_counter() - start


def as_floats(source: str) -> str:
    """Write the image as floats that hardly repeat; return the file's name."""
    name = f"{source}-floats.npy"
    if not Path(name).exists():
        image = np.load(f"{source}.npy", mmap_mode="r")
        out = np.lib.format.open_memmap(name, "w+", np.float32, image.shape)
        rng = np.random.default_rng(0)
        for row, floats in zip(image, out):
            floats[:] = (row + rng.random(row.shape)) / 256
        out.flush()
    return name


def floats_in_blocks(source: str, target: str) -> float:
    """Segment a memory map of floats into another."""
    return in_blocks(as_floats(source).removesuffix(".npy"), target)


def in_blocks(source: str, target: str) -> float:
    """Segment a memory map into another."""
    image = np.load(f"{source}.npy", mmap_mode="r")
    start = time.perf_counter()
    out = np.lib.format.open_memmap(f"{target}.npy", "w+", image.dtype, image.shape)
    segment_image(image, K, rng=0, out=out)
    return time.perf_counter() - start


def file_to_file(suffix: str) -> Callable[[str, str], float]:
    """Return what segments a file in slices into another, in blocks."""

    def job(source: str, target: str) -> float:
        start = time.perf_counter()
        with open_image(f"{source}{suffix}") as image:
            write_image(f"{target}{suffix}", cluster_image(image, K, rng=0).image)
        return time.perf_counter() - start

    return job


def by_dask(source: str, target: str, **chunks: Any) -> dict[str, float]:
    """Segment a Zarr into another by Dask, with two processes."""
    import dask.array as da
    from distributed import Client, LocalCluster

    workers: Any = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        LocalCluster(**workers, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        start = time.perf_counter()
        image = da.from_zarr(f"{source}.zarr", **chunks)
        segment_image(image, K, rng=0).to_zarr(f"{target}.zarr")
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "peak": max(client.run(peak).values())}


def in_large_chunks(source: str, target: str) -> dict[str, float]:
    """Do the same in chunks of tens of megabytes, as Dask advises."""
    return by_dask(source, target, chunks=(4096, 4096, 3))


def peak() -> int:
    """Return the peak resident size of this process, in bytes."""
    # Not that of getrusage, which includes that of the process it was forked from.
    status = Path("/proc/self/status")
    if not status.exists():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (one for one in status.read_text().splitlines() if "VmHWM" in one)
    return 1024 * int(line.split()[1])


def by_mini_batches(source: str, _: str) -> dict[str, Any]:
    """Fit scikit-learn's MiniBatchKMeans to a memory map, and predict all pixels."""
    from sklearn.cluster import MiniBatchKMeans

    image = np.load(f"{source}.npy", mmap_mode="r")
    start = time.perf_counter()
    model = MiniBatchKMeans(K, random_state=0, n_init=1)
    blocks = [slice(i, i + ROWS) for i in range(0, len(image), ROWS)]
    for block in blocks:
        model.partial_fit(image[block].reshape(-1, 3).astype(np.float32))
    for block in blocks:
        model.predict(image[block].reshape(-1, 3).astype(np.float32))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "centers": model.cluster_centers_.tolist()}


def by_dask_ml(source: str, _: str) -> dict[str, Any]:
    """Fit dask-ml's KMeans, which compares all pixels, with random starts."""
    import dask.array as da
    from dask_ml.cluster import KMeans

    image = da.from_zarr(f"{source}.zarr")
    start = time.perf_counter()
    points = image.reshape(-1, 3, merge_chunks=True).astype(np.float32)
    points = points.rechunk((2**20, 3))
    model = KMeans(K, init="random", random_state=0, max_iter=30).fit(points)
    model.labels_.max().compute()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "centers": model.cluster_centers_.tolist()}


JOBS: dict[str, Callable[[str, str], Any]] = {
    "in memory": in_memory,
    "memory map": in_blocks,
    "floats in memory": floats_in_memory,
    "floats, memory map": floats_in_blocks,
    "Zarr": file_to_file(".zarr"),
    "BigTIFF": file_to_file(".tif"),
    "Zarr by Dask": by_dask,
    "Zarr by Dask, large chunks": in_large_chunks,
    "MiniBatchKMeans": by_mini_batches,
    "dask-ml": by_dask_ml,
}


def main(name: str, source: str, target: str) -> None:
    """Run a job and tell."""
    found = JOBS[name](source, target)
    told = found if isinstance(found, dict) else {"seconds": found}
    print(json.dumps({"peak": peak(), "centers": None, **told}))


if __name__ == "__main__":
    main(*sys.argv[1:])
