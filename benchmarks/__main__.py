"""Measure kmeans_np beside its peers, and print Markdown tables.

Progress goes to stderr. The exit code is 1 if answers that must agree do not; it never
depends on a time.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

try:
    from benchmarks import harness, plot, report, scale
    from benchmarks.cases import FULL, PARTS, QUICK, Size
except ImportError as error:
    sys.exit(f"{error}; the benchmarks need: pip install -e '.[bench]'")

PACKAGES = (
    "numpy",
    "scikit-learn",
    "scikit-learn-intelex",
    "opencv-python-headless",
    "scipy",
    "faiss-cpu",
    "pillow",
)


def machine() -> dict[str, Any]:
    """Return what the numbers depend on besides the code."""
    info, name = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2] for line in lines if "model name" in line]
        name = next(iter(names), name).strip()
    affinity = getattr(os, "sched_getaffinity", None)
    about = {
        "processor": name,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2) if affinity else "unknown",
        "Python": platform.python_version(),
    }
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            about[package] = version(package)
    return about


def measured(parts: Sequence[str], size: Size, bad: list[str]) -> Iterator[harness.Row]:
    """Measure all cases of some parts; note down which answers disagree."""
    for part in parts:
        cases = PARTS[part](part, size)
        disturbed = harness.busy if part == "busy" else contextlib.nullcontext
        with disturbed(), contextlib.suppress(StopIteration):
            case = next(cases)
            while True:
                row = harness.measure(case, size.rounds)
                bad += harness.disagreements(case, row)
                yield row
                case = cases.send(row)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test in about a minute"
    )
    names = [*PARTS, scale.PART]
    parser.add_argument(
        "--only",
        metavar="PART",
        nargs="+",
        choices=names,
        default=names,
        help=f"run only these parts: {', '.join(names)}",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all numbers")
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="draw the part `whole`"
    )
    args = parser.parse_args(argv)
    for name in ("json", "picture"):
        path = getattr(args, name)
        if path and not path.resolve().parent.is_dir():
            parser.error(f"--{name}: there is no folder {path.parent}")
    if args.picture and "whole" not in args.only:
        parser.error("--picture: it shows the part whole, which does not run")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks; return 1 if answers that must agree do not.

    Ctrl-C ends it with the tables of what is measured by then; it returns 1, too.
    """
    args, bad, rows = parsed(argv), list[str](), list[harness.Row]()
    about, size, done = machine(), QUICK if args.quick else FULL, False
    sizes: list[scale.Run] = []
    try:
        for row in measured([p for p in PARTS if p in args.only], size, bad):
            rows.append(row)
        if scale.PART in args.only:
            sizes += scale.runs(args.quick)
        done = True
    except KeyboardInterrupt:
        harness.say("stopped; told is what was measured until now")
    if args.json:
        found = {"machine": about, "rows": [row._asdict() for row in rows]}
        found["scale"] = [run._asdict() for run in sizes]
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if args.picture and rows:
        plot.draw([row for row in rows if row.part == "whole"], args.picture)
    told = ["; ".join(f"{name}: {value}" for name, value in about.items())]
    told += report.paragraphs(rows, int(about["cores"]))
    told += [scale.told(sizes)] if sizes else []
    told += [f"DISAGREEMENT: {sentence}" for sentence in bad]
    print(*told, sep="\n\n")
    return 0 if done and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
