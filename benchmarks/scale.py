"""Images larger than memory: time and peak of the whole job, from file to file.

The pictures are photographs side by side, each lighter or darker, with noise in every
pixel, so that there are millions of colors. They are written to a temporary folder, of
which a full run takes about 15 gigabytes. Each job runs in a process of its own, so
that its peak can be told: ``python -m benchmarks.scale JOB SOURCE TARGET``, with files
that are named without their suffix.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import say, table
from benchmarks.pictures import Array, photo
from kmeans_np import cluster_image, open_image, segment_image, write_image

PART, K = "scale", 8
BY_DASK = "Zarr by Dask", "Zarr by Dask, large chunks"
# What MiniBatchKMeans is given at a time, in rows of the picture.
ROWS = 64


class Run(NamedTuple):
    """A job on a picture with so many pixels; the peak is in bytes."""

    job: str
    n: int
    seconds: float
    peak: float


# ---- The jobs, each in a process of its own ------------------------------------------


def in_memory(source: str, _: str) -> float:
    """Segment an image that is in memory."""
    image = np.load(f"{source}.npy")
    start = time.perf_counter()
    segment_image(image, K, rng=0)
    return time.perf_counter() - start


def memory_map(source: str, target: str) -> float:
    """Segment a memory map into another."""
    image = np.load(f"{source}.npy", mmap_mode="r")
    start = time.perf_counter()
    out = np.lib.format.open_memmap(f"{target}.npy", "w+", image.dtype, image.shape)
    segment_image(image, K, rng=0, out=out)
    return time.perf_counter() - start


def of_floats(job: Callable[[str, str], float]) -> Callable[[str, str], float]:
    """Return a job on the image as floats that hardly repeat."""

    def on_floats(source: str, target: str) -> float:
        if not Path(name := f"{source}-floats.npy").exists():
            image = np.load(f"{source}.npy", mmap_mode="r")
            out = np.lib.format.open_memmap(name, "w+", np.float32, image.shape)
            rng = np.random.default_rng(0)
            for row, floats in zip(image, out):
                floats[:] = (row + rng.random(row.shape)) / 256
            out.flush()
        return job(f"{source}-floats", target)

    return on_floats


def file_to_file(suffix: str) -> Callable[[str, str], float]:
    """Return what segments a file in slices into another, in blocks."""

    def job(source: str, target: str) -> float:
        start = time.perf_counter()
        with open_image(f"{source}{suffix}") as image:
            write_image(f"{target}{suffix}", cluster_image(image, K, rng=0).image)
        return time.perf_counter() - start

    return job


def by_dask(source: str, target: str, **chunks: Any) -> tuple[float, int]:
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
        return seconds, max(client.run(peak).values())


def in_large_chunks(source: str, target: str) -> tuple[float, int]:
    """Do the same in chunks of tens of megabytes, as Dask advises."""
    return by_dask(source, target, chunks=(4096, 4096, 3))


def by_mini_batches(source: str, _: str) -> float:
    """Fit scikit-learn's MiniBatchKMeans to a memory map, and predict all pixels."""
    from sklearn.cluster import MiniBatchKMeans

    image = np.load(f"{source}.npy", mmap_mode="r")
    start = time.perf_counter()
    model = MiniBatchKMeans(K, random_state=0, n_init=1)
    for step in (model.partial_fit, model.predict):
        for first in range(0, len(image), ROWS):
            step(image[first : first + ROWS].reshape(-1, 3).astype(np.float32))
    return time.perf_counter() - start


def peak() -> int:
    """Return the peak resident size of this process, in bytes."""
    # Not that of getrusage, which includes that of the process it was forked from.
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (one for one in status.read_text().splitlines() if "VmHWM" in one)
    return 1024 * int(line.split()[1])


JOBS: dict[str, Callable[[str, str], Any]] = {
    "in memory": in_memory,
    "memory map": memory_map,
    "floats, in memory": of_floats(in_memory),
    "floats, memory map": of_floats(memory_map),
    "Zarr": file_to_file(".zarr"),
    "BigTIFF": file_to_file(".tif"),
    BY_DASK[0]: by_dask,
    BY_DASK[1]: in_large_chunks,
    "MiniBatchKMeans": by_mini_batches,
}


# ---- Running them --------------------------------------------------------------------


def runs(quick: bool) -> Iterator[Run]:
    """Run all jobs: floats on the smallest picture only, files on the largest."""
    sides = (300, 600) if quick else (3_464, 10_000, 32_768)
    for side in sides:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "source"
            paint(source.with_suffix(".npy"), side)
            names = ["in memory", "memory map"]
            if side == sides[0]:
                names += ["floats, in memory", "floats, memory map"]
            elif side < sides[-1]:
                names += ["MiniBatchKMeans"]
            else:
                image = np.load(source.with_suffix(".npy"), mmap_mode="r")
                for suffix in (".zarr", ".tif"):
                    write_image(source.with_suffix(suffix), image)
                names[0:1] = [
                    "Zarr",
                    "BigTIFF",
                    "Zarr by Dask",
                    "Zarr by Dask, large chunks",
                ]
            for name in names:
                yield run(name, source, side * side)


def paint(path: Path, side: int) -> None:
    """Write a square picture of photographs side by side."""
    photos = [photo(name) for name in ("china", "flower")]
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (side, side, 3))
    rng = np.random.default_rng(0)
    for top in range(0, side, 427):
        row: list[Array] = []
        while sum(one.shape[1] for one in row) < side:
            one = photos[rng.integers(2)][:, :: rng.choice([-1, 1])]
            row.append(one + rng.integers(-12, 13, 3, dtype=np.int16))
        band = np.concatenate(row, axis=1)[: side - top, :side]
        band += rng.integers(-2, 3, band.shape, dtype=np.int16)
        out[top : top + len(band)] = band.clip(0, 255)
    out.flush()


def run(job: str, source: Path, n: int) -> Run:
    """Run a job in a process of its own."""
    target = source.with_name(f"target-{time.monotonic_ns()}")
    words = [sys.executable, "-m", "benchmarks.scale", job, str(source), str(target)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    seconds, size = json.loads(done.stdout.splitlines()[-1])
    say(f"{PART}: {job}, {n:,} pixels: {seconds:.1f} s")
    return Run(job, n, seconds, size)


def told(found: Sequence[Run]) -> str:
    """Tell of all runs."""
    heads = ("", "pixels", "seconds", "ns a pixel", "peak, MB")
    rows = (
        (
            one.job,
            f"{one.n:,}",
            f"{one.seconds:.2f}",
            f"{1e9 * one.seconds / one.n:.1f}",
            f"{one.peak / 1e6:,.0f}",
        )
        for one in found
    )
    return f"## Larger than memory\n\n{table(heads, rows)}"


if __name__ == "__main__":
    spent = JOBS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(spent if isinstance(spent, tuple) else (spent, peak())))
