"""Images larger than memory: time and peak of the whole job, beside those in memory.

The pictures are photographs side by side, each lighter or darker, with noise in every
pixel, so that there are millions of colors. They are written to a temporary folder, of
which a full run takes about 15 gigabytes.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_sample_image

from benchmarks.harness import progress
from benchmarks.pictures import Array
from benchmarks.plan import Plan
from benchmarks.report import Verdict, at_most, table
from benchmarks.scale_jobs import K
from kmeans_np import write_image
from kmeans_np.clustering import PointsInMemory, assign_to
from kmeans_np.colors import ColorCounts, ColorPacking, merge_counts

# A gigapixel may take so much, and so many times as long a pixel as 12 megapixels.
PEAK, SLOWER, DASK_SLOWER = 2**30, 1.3, 1.5
SMALL, LARGE = ("in memory", "memory map"), ("memory map", "Zarr", "BigTIFF")
# These are compared, in turns and as often, with the first; the fastest of each counts.
BY_DASK, TURNS = ("Zarr by Dask", "Zarr by Dask, large chunks"), 3
FLOATS = ("floats in memory", "floats, memory map")
PEERS = ("MiniBatchKMeans", "dask-ml")


class Run(NamedTuple):
    """A job on a picture with so many pixels."""

    job: str
    n: int
    seconds: float
    peak: float
    inertia: float | None


class Merges(NamedTuple):
    """Counts of synthetic chunks, merged in a tree."""

    n_chunks: int
    n_colors: int
    seconds: float
    largest: int
    sent: int


class Scale(NamedTuple):
    """All runs, and the merges."""

    runs: list[Run]
    merges: Merges


def scale(plan: Plan) -> Scale:
    """Measure all sizes, the last with Dask, the one before it with the peers."""
    runs: list[Run] = []
    sides = plan.scale_sides
    for side in sides:
        last, middle = side == sides[-1], side == sides[-2]
        jobs = [*(LARGE if last else SMALL)]
        jobs += [*BY_DASK, *("Zarr", *BY_DASK) * (TURNS - 1)] if last else []
        jobs += [*PEERS] if middle else []
        jobs += [*FLOATS] if side == sides[0] else []
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "source"
            paint(source.with_suffix(".npy"), side)
            if last or middle:
                image = np.load(source.with_suffix(".npy"), mmap_mode="r")
                for suffix in (".zarr", ".tif"):
                    write_image(source.with_suffix(suffix), image)
            colors = counted(source.with_suffix(".npy")) if middle else None
            runs += [run(job, source, side * side, colors) for job in jobs]
    return Scale(fastest(runs), merge_all(plan.merged_chunks))


def fastest(runs: list[Run]) -> list[Run]:
    """Keep the fastest run of each job on each picture, with the highest peak."""
    of_each: dict[tuple[str, int], list[Run]] = {}
    for one in runs:
        of_each.setdefault((one.job, one.n), []).append(one)
    return [
        min(same, key=lambda one: one.seconds)._replace(
            peak=max(one.peak for one in same)
        )
        for same in of_each.values()
    ]


def paint(path: Path, side: int) -> None:
    """Write a square picture of photographs side by side."""
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (side, side, 3))
    rng = np.random.default_rng(0)
    for top in range(0, side, 427):
        row: list[Array] = []
        while sum(photo.shape[1] for photo in row) < side:
            photo = photos[rng.integers(2)][:, :: rng.choice([-1, 1])]
            row.append(photo + rng.integers(-12, 13, 3, dtype=np.int16))
        band = np.concatenate(row, axis=1)[: side - top, :side]
        band += rng.integers(-2, 3, band.shape, dtype=np.int16)
        out[top : top + len(band)] = band.clip(0, 255)
    out.flush()


def run(job: str, source: Path, n: int, colors: Any) -> Run:
    """Run a job in a process of its own."""
    target = source.with_name(f"target-{time.monotonic_ns()}")
    words = [sys.executable, "-m", "benchmarks.scale_jobs", job, source, target]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    inertia = None
    if colors is not None:
        centers = np.array(told["centers"]) if told["centers"] else None
        inertia = colors.inertia(centers)
    progress(f"scale: {job}, {n:,} pixels: {told['seconds']:.1f} s")
    return Run(job, n, told["seconds"], told["peak"], inertia)


class Counted(NamedTuple):
    """The colors of a picture, to judge everybody's centroids by."""

    colors: Any

    def inertia(self, centers: Array | None) -> float:
        """Return the inertia of all pixels with these centroids; None for ours."""
        if centers is None:
            from kmeans_np import cluster_image

            row, counts = self.colors.colors[np.newaxis], self.colors.counts
            return cluster_image(row, K, rng=0, weights=counts[np.newaxis]).inertia
        colors = np.ascontiguousarray(self.colors.colors)
        data = PointsInMemory(colors, self.colors.counts, len(centers))
        return assign_to(data, centers.astype(np.float64)).inertia


def counted(path: Path) -> Counted:
    """Count the colors of a picture."""
    image = np.load(path, "r")
    counts = ColorCounts(ColorPacking(np.dtype(np.uint8), 3), image.size // 3)
    for start in range(0, len(image), 256):
        counts.add(np.array(image[start : start + 256]).reshape(-1, 3))
    return Counted(counts.colors())


def merge_all(n_chunks: int, n_colors: int = 20_000, together: int = 16) -> Merges:
    """Merge the counts of many chunks, as the tree of tasks does.

    Each chunk has colors of a scene of 2**20, some of them in every chunk.
    """
    rng = np.random.default_rng(0)
    scene = rng.choice(2**24, 2**20, replace=False).astype(np.uint32)
    seconds, largest, sent = 0.0, 0, 0

    def chunk() -> tuple[Array, Array]:
        picks = (2**20 * rng.random(n_colors) ** 3).astype(int)
        codes = np.unique(scene[picks])
        return codes, np.full(len(codes), 50, np.uint64)

    # What is waiting at each level: as few chunks as can be are there at a time.
    levels: list[list[tuple[Array, Array]]] = [[]]
    for number in range(n_chunks):
        levels[0].append(chunk())
        level = 0
        last = number == n_chunks - 1
        while len(levels[level]) == together or (last and level < len(levels) - 1):
            parts = levels[level]
            sent += sum(codes.nbytes + counts.nbytes for codes, counts in parts)
            start = time.perf_counter()
            both = merge_counts(parts) if parts else None
            seconds += time.perf_counter() - start
            levels[level] = []
            level += 1
            if level == len(levels):
                levels.append([])
            if both is not None:
                levels[level].append(both)
                largest = max(largest, len(both[0]))
    return Merges(n_chunks, n_colors, seconds, largest, sent)


# ---- Telling -----------------------------------------------------------------------


def of(found: Scale, job: str) -> Run:
    """Return the run of a job on the largest picture that it ran on."""
    return max((one for one in found.runs if one.job == job), key=lambda one: one.n)


def verdicts(found: Scale) -> list[Verdict]:
    """Judge peaks, times a pixel, and Dask beside the direct run."""
    smallest = min(one.n for one in found.runs)
    base = next(r for r in found.runs if (r.job, r.n) == ("in memory", smallest))
    large = of(found, "memory map")
    slower = (large.seconds / large.n) / (base.seconds / base.n)
    peak = max(of(found, job).peak for job in LARGE)
    direct = of(found, "Zarr").seconds
    small, big = (of(found, job).seconds / direct for job in BY_DASK)
    return [
        at_most("peak, the largest picture in blocks, GiB", PEAK / 2**30, peak / 2**30),
        at_most("time a pixel, beside the smallest in memory", SLOWER, slower),
        at_most("Dask with two processes beside the direct run", DASK_SLOWER, small),
        at_most("the same, with chunks of 4096 x 4096", DASK_SLOWER, big),
    ]


def section(found: Scale) -> Iterator[str]:
    """Tell of all runs."""
    yield "## Larger than memory"
    yield (
        f"The whole job with k = {K}, from file to file but for the first and the "
        "peers, each in a process of its own, with its peak resident size (by Dask, "
        "that of the largest process, whose chunks are those of the Zarr, 1024 x 1024, "
        f"or 4096 x 4096; these and the Zarr itself in turns, the fastest of {TURNS}). "
        "Floats hardly repeat: they are compared one by "
        "one, as a memory map in a pass for each step. Peers: `partial_fit` on bands "
        "of 64 rows, then `predict`; and at most 30 steps from a random start."
    )
    heads = ("job", "pixels", "seconds", "ns a pixel", "peak, MB", "inertia")
    yield table(heads, [row(one) for one in found.runs])
    merges = found.merges
    yield (
        f"The counts of {merges.n_chunks:,} synthetic chunks of about "
        f"{merges.n_colors:,} colors each are merged in {merges.seconds:.1f} s of one "
        f"core, {1e3 * merges.seconds / merges.n_chunks:.2f} ms a chunk; the largest "
        f"merge has {merges.largest:,} colors, and {merges.sent / 1e9:.2f} GB are sent."
    )


def row(one: Run) -> Sequence[str]:
    """Return a run as a row of the table."""
    inertia = "" if one.inertia is None else f"{one.inertia:.5g}"
    each = f"{1e9 * one.seconds / one.n:.1f}"
    size = f"{one.peak / 1e6:,.0f}"
    return (one.job, f"{one.n:,}", f"{one.seconds:.2f}", each, size, inertia)
