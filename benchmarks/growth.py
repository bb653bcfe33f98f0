"""How time and memory grow with pixels and clusters."""

import statistics
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import progress, take_turns
from benchmarks.pictures import Array, size_of
from benchmarks.plan import CHINA, Plan
from benchmarks.report import Verdict, at_most, ms, table
from kmeans_np import cluster_image, kmeans, segment_image

K = 8


class Point(NamedTuple):
    """A size (pixels or k), and the median time for it."""

    size: int
    seconds: float


class MemoryRow(NamedTuple):
    """The peak of one call, the input excluded, the answer included."""

    call: str
    data: str
    init: str
    n: int
    bytes_each: float


class Growth(NamedTuple):
    """Time against pixels and against k, and the memory table."""

    pixels: list[Point]
    clusters: list[Point]
    memory_size: str
    memory: list[MemoryRow]


def growth(plan: Plan) -> Growth:
    """Measure all sizes."""
    pixels, clusters = [], []
    for picture in plan.growth:
        progress(f"growth: {picture.name} megapixels")
        image = picture.pixels()
        n = image.shape[0] * image.shape[1]
        pixels.append(Point(n, median_time(image, K, plan.growth_seeds)))
    for k in plan.growth_ks:
        progress(f"growth: k = {k}")
        seconds = median_time(CHINA.pixels(), k, plan.growth_seeds)
        clusters.append(Point(k, seconds))
    photo = plan.memory.pixels()
    return Growth(pixels, clusters, size_of(photo), memory(photo))


def median_time(image: Array, k: int, seeds: int) -> float:
    """Return the median time of `segment_image` with its defaults, over the seeds."""
    jobs = (partial(segment_image, image, k, rng=seed) for seed in range(seeds))
    return statistics.median(take_turns(job, rounds=3)[0][0] for job in jobs)


def exponent(points: Sequence[Point]) -> float:
    """Return the slope of log time against log size, by least squares."""
    slope, _ = np.polyfit(*np.log(np.array(points)).T, 1)
    return float(slope)


# ---- Memory ------------------------------------------------------------------------


def peak_bytes(job: Callable[[], Any]) -> int:
    """Return how much more memory than before is in use at the peak of a job."""
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        job()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def memory(photo: Array) -> list[MemoryRow]:
    """Measure the peak of `cluster_image` and `kmeans` on a photo in several types."""
    # A photo of floats has no colors that repeat: the grain is not rounded away.
    rng = np.random.default_rng(0)
    floats = (photo + rng.random(photo.shape)) / 256
    n = photo.shape[0] * photo.shape[1]
    # The peak of a step is that of any step but the first.
    few_steps: dict[str, Any] = {"max_iter": 3}
    cases = [
        (segment_image, "uint8 RGB photo", photo, {}),
        (cluster_image, "uint8 RGB photo", photo, {}),
        (cluster_image, "uint8 gray photo", photo[..., 1].copy(), {}),
        (cluster_image, "float32 RGB photo", floats.astype(np.float32), few_steps),
        (cluster_image, "float64 RGB photo", floats, few_steps),
        (kmeans, "float64 points, (n, 3)", floats.reshape(-1, 3), few_steps),
    ]
    rows = []
    for call, data, values, how in cases:
        for init in ("random", "k-means++"):
            progress(f"memory: {call.__name__}, {data}, {init}")
            job = partial(call, values, K, init=init, rng=0, **how)
            each = peak_bytes(job) / n
            rows.append(MemoryRow(call.__name__, data, init, n, each))
    return rows


# ---- Telling -----------------------------------------------------------------------


def verdicts(found: Growth) -> list[Verdict]:
    """Judge the exponent of pixels, and the memory for 8-bit color."""
    color = [row.bytes_each for row in found.memory if "uint8 RGB" in row.data]
    return [
        at_most("exponent of time against pixels", 1, exponent(found.pixels), ""),
        at_most("peak extra memory, uint8 color", 24, max(color), " bytes a pixel"),
    ]


def section(found: Growth) -> Iterator[str]:
    """Tell of growth."""
    yield "## Growth"
    yield (
        f"`segment_image` with its defaults. Against pixels (k = {K}), time grows with "
        f"the power {exponent(found.pixels):.2f}, fitted in logarithms; against k "
        f"(china), with the power {exponent(found.clusters):.2f}."
    )
    rows = [
        (f"{p.size:,}", ms(p.seconds), f"{p.seconds / p.size * 1e9:.3g}")
        for p in found.pixels
    ]
    yield table(("pixels", "median, ms", "ns a pixel"), rows)
    rows = [
        (str(p.size), ms(p.seconds), f"{p.seconds / p.size * 1e3:.3g}")
        for p in found.clusters
    ]
    yield table(("k", "median, ms", "ms a cluster"), rows)
    yield f"## Peak memory, k = {K}, {found.memory_size}"
    small = found.memory[0].n < 10e6
    yield (
        "Extra bytes for each pixel or point at the peak (tracemalloc), the input "
        "excluded, the answer included."
        + " On an image this small, fixed costs and colors weigh more."
        * small
    )
    heads = ("call", "data", "init", "bytes each")
    yield table(heads, [(*r[:3], f"{r.bytes_each:.1f}") for r in found.memory])
