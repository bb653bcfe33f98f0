"""``python -m benchmarks``: run all parts, print Markdown, write JSON if asked."""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

try:
    from benchmarks import contenders, parts
except ImportError as error:
    sys.exit(f"{error}; the benchmarks need: pip install -e '.[bench]'")

K = 8


@dataclass(frozen=True)
class Size:
    """How much to measure."""

    photo_ks: tuple[int, ...]
    photo_seeds: int
    photo_rounds: int
    large_photo: tuple[int, int]
    large_ks: tuple[int, ...]
    large_seeds: int
    whole_job_seeds: int
    import_rounds: int
    parts_seeds: int


FULL = Size((2, 4, 8, 16, 64), 5, 3, (3000, 4000), (4, 8), 2, 10, 15, 5)
QUICK = Size((4, 8), 2, 1, (900, 1200), (), 0, 3, 10, 3)


# ---- The machine -------------------------------------------------------------------


def processor_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Return what the numbers depend on besides the code."""
    affinity = getattr(os, "sched_getaffinity", None)
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else "unknown"
    return {
        "processor": processor_name(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load before": load,
        "system": platform.system(),
        "Python": platform.python_version(),
        "NumPy": version("numpy"),
        "scikit-learn": version("scikit-learn"),
        "kmeans_np": version("kmeans-np"),
    }


# ---- Running -----------------------------------------------------------------------


class Results(NamedTuple):
    """The rows of all tables."""

    same_start: list[parts.PhotoCell]
    whole_job: list[parts.WholeJob]
    imports: list[parts.ImportCost]
    memory: list[parts.MemoryRow]
    parts_of_time: list[parts.PartOfTime]


def run(size: Size, bad: parts.Disagreements) -> Results:
    """Measure everything. What disagrees is added to `bad`."""
    china = contenders.china()
    # The first calls of a process load libraries and start threads.
    contenders.ours(china[::8, ::8], 2, "random", 0)
    for peer in contenders.PEERS.values():
        peer(china[::8, ::8], 2, "random", 0)
    cells = [
        parts.same_start("china", china, k, size.photo_seeds, size.photo_rounds, bad)
        for k in size.photo_ks
    ]
    whole_job = parts.whole_job(china, K, size.whole_job_seeds, size.photo_rounds, bad)
    imports = parts.import_costs(size.import_rounds)
    parts.progress("enlarging the photo")
    large = contenders.enlarged_photo(*size.large_photo)
    cells += [
        parts.same_start("enlarged", large, k, size.large_seeds, 1, bad)
        for k in size.large_ks
    ]
    return Results(
        cells,
        whole_job,
        imports,
        parts.memory(large, K),
        parts.parts_of_time(large, K, size.parts_seeds),
    )


# ---- Telling -----------------------------------------------------------------------


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: words to the left, numbers to the right."""
    numbers = [cell[:1].isdigit() for cell in rows[0]]
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers)
        )
        + " |"
        for row in (heads, *rows)
    ]
    rule = [
        "-" * (width + 1) + (":" if number else "-")
        for width, number in zip(widths, numbers)
    ]
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(lines)


def ms(seconds: float) -> str:
    """Return seconds as milliseconds, three digits of them or more."""
    digits = max(0, 2 - int(f"{seconds * 1e3:e}".partition("e")[2]))
    return f"{seconds * 1e3:,.{digits}f}"


def geometric_means(cells: Sequence[parts.PhotoCell]) -> dict[str, float]:
    """Return the geometric mean of the ratios of each picture, and of all."""
    ratios = {cell.picture: [] for cell in cells} | {"all": []}
    for cell in cells:
        ratios[cell.picture].append(cell.ratio)
        ratios["all"].append(cell.ratio)
    return {name: statistics.geometric_mean(some) for name, some in ratios.items()}


def same_start_section(cells: Sequence[parts.PhotoCell]) -> Iterator[str]:
    """Tell part a."""
    yield "## Photos, from the same given centroids"
    yield (
        "One start, the same stop rule; the whole job from the uint8 array to labels "
        "and painted image. scikit-learn runs in float32, with all cores and with one, "
        "and the better time counts (its cores: which that was for most seeds). "
        "Medians over the seeds; inertia, added up over all pixels by direct "
        "differences in float64, averaged; the last two columns are of the worst seed."
    )
    heads = ("picture", "k", "seeds", "ours, ms", "scikit-learn, ms", "ratio")
    heads += ("its cores", "our steps", "its steps", "our inertia", "its inertia")
    heads += ("inertia apart", "pixels labeled alike")
    rows = [
        (
            cell.picture,
            str(cell.k),
            str(cell.n_seeds),
            ms(cell.our_seconds),
            ms(cell.peer_seconds),
            f"{cell.ratio:.2f}",
            cell.peer_cores,
            f"{cell.our_steps:g}",
            f"{cell.peer_steps:g}",
            f"{cell.our_inertia:.6g}",
            f"{cell.peer_inertia:.6g}",
            f"{cell.largest_difference:.4%}",
            f"{cell.smallest_share_alike:.3%}",
        )
        for cell in cells
    ]
    yield table(heads, rows)
    means = geometric_means(cells).items()
    yield "Geometric mean of the ratios: " + ", ".join(
        f"{name} {mean:.2f}" for name, mean in means
    )


def whole_job_section(rows: Sequence[parts.WholeJob]) -> Iterator[str]:
    """Tell part b."""
    ours, peer = rows
    yield f"## The whole job, china, k = {ours.k}, one random start of each one's own"
    heads = ("contender", "seeds", "median, ms", "sum, ms", "mean inertia", "steps")
    yield table(
        heads,
        [
            (
                row.contender,
                str(row.n_seeds),
                ms(row.median_seconds),
                ms(row.sum_seconds),
                f"{row.mean_inertia:.6g}",
                f"{row.mean_steps:.1f}",
            )
            for row in rows
        ],
    )
    yield (
        f"Ratio of the sums {peer.sum_seconds / ours.sum_seconds:.2f}, of the medians "
        f"{peer.median_seconds / ours.median_seconds:.2f}; our mean inertia is "
        f"{ours.mean_inertia / peer.mean_inertia:.4f} times scikit-learn's."
    )


def sections(results: Results, photo: contenders.Array) -> Iterator[str]:
    """Tell all parts, paragraph by paragraph."""
    if results.same_start:
        yield from same_start_section(results.same_start)
    yield from whole_job_section(results.whole_job)
    yield "## Import, less the interpreter's own start"
    rows = [
        (c.statement, ms(c.median_seconds), f"{c.ratio:.2f}") for c in results.imports
    ]
    yield table(("statement", "median, ms", "ratio"), rows)
    size = (
        f"{photo.shape[0]} x {photo.shape[1]} pixels, "
        f"{contenders.n_colors(photo):,} distinct colors"
    )
    yield f"## Peak memory, k = {K}, {size}"
    small = photo.shape[0] * photo.shape[1] < 10e6
    yield (
        "Extra bytes for each pixel or point at the peak (tracemalloc), the input "
        "excluded, the answer included."
        + (" On an image this small, fixed costs and colors weigh more." * small)
    )
    heads = ("call", "data", "init", "bytes each")
    yield table(
        heads,
        [(*row[:3], f"{row.bytes_each:.1f}") for row in results.memory],
    )
    yield f"## Where the time of one `segment_image` goes, k = {K}, {size}"
    heads = ("part", "median, ms", "times a copy")
    rows = [
        (row.part, ms(row.median_seconds), f"{row.ratio_to_copy:.1f}")
        for row in results.parts_of_time
    ]
    yield table(heads, rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks; return 1 if answers that must agree do not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test in under half a minute"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all numbers")
    args = parser.parse_args(argv)
    if args.json and not args.json.resolve().parent.is_dir():
        parser.error(f"--json: there is no folder {args.json.parent}")
    size, bad = QUICK if args.quick else FULL, parts.Disagreements()
    about, begin = machine(), time.perf_counter()
    results = run(size, bad)
    spent = time.perf_counter() - begin
    print("# Benchmarks" + " (quick)" * args.quick)
    print("\n" + "; ".join(f"{name}: {value}" for name, value in about.items()))
    for paragraph in sections(results, contenders.enlarged_photo(*size.large_photo)):
        print(f"\n{paragraph}")
    print(f"\nMeasured in {spent:.0f} s.")
    if args.json:
        report = {"machine": about, "seconds": spent, "size": asdict(size)}
        report["geometric_means"] = geometric_means(results.same_start)
        for name, rows in results._asdict().items():
            report[name] = [row._asdict() for row in rows]
        report["disagreements"] = list(bad)
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for sentence in bad:
        print(f"\nDISAGREEMENT: {sentence}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
