"""Measure kmeans_np beside its peers: Markdown, and if asked JSON and a picture.

Progress goes to stderr. The exit code is 1 if answers that must agree do not; it never
depends on a time.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

try:
    from benchmarks import (
        estimator,
        features,
        growth,
        harness,
        kinds,
        limit,
        photo_report,
        photos,
        plot,
        restarts,
        scale,
        small,
    )
    from benchmarks.contenders import MISSING
    from benchmarks.plan import FULL, QUICK, Plan
    from benchmarks.report import Verdict, verdict_table
except ImportError as error:
    sys.exit(f"{error}; the benchmarks need: pip install -e '.[bench]'")

PACKAGES = (
    "kmeans-np",
    "numpy",
    "scikit-learn",
    "scikit-learn-intelex",
    "opencv-python-headless",
    "scipy",
    "faiss-cpu",
    "pillow",
    "imageio",
)


class Part(NamedTuple):
    """A part of the benchmarks: how to judge and to tell what was measured."""

    verdicts: Callable[[Any], list[Verdict]]
    section: Callable[[Any], Iterator[str]]


PARTS = {
    "same-start": Part(
        photo_report.same_start_verdicts, photo_report.same_start_section
    ),
    "whole-job": Part(photo_report.whole_job_verdicts, photo_report.whole_job_section),
    "frontier": Part(photo_report.frontier_verdicts, photo_report.frontier_section),
    "limit": Part(limit.verdicts, limit.section),
    "restarts": Part(restarts.verdicts, restarts.section),
    "features": Part(features.verdicts, features.section),
    "estimator": Part(estimator.verdicts, estimator.section),
    "kinds": Part(kinds.verdicts, kinds.section),
    "growth": Part(growth.verdicts, growth.section),
    "scale": Part(scale.verdicts, scale.section),
    "small": Part(small.verdicts, small.section),
}


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
    about = {
        "processor": processor_name(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "load before": load,
        "system": platform.system(),
        "Python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            about[package] = "not installed"
    return about


# ---- Running -----------------------------------------------------------------------


def warm_up(plan: Plan) -> None:
    """Run everybody once: first calls load libraries and start threads."""
    harness.progress("warming up")
    image = plan.pictures[0].pixels()[::4, ::4].copy()
    cell, pace = harness.Cell("warming up", 2), harness.Pace(1, 1, 1.0, 1.0)
    contenders = photos.OURS_AS_CALLED | photos.full_data_peers("random")
    start = harness.Start(image, 2, 0, max_iter=5)
    for _ in harness.race(cell, contenders, [start], pace):
        pass


def measure(
    plan: Plan, names: Sequence[str], bad: harness.Disagreements
) -> Iterator[tuple[str, Any]]:
    """Measure the parts that are named, one after the other."""
    whole_job: list[harness.Cell] = []
    jobs: dict[str, Callable[[], Any]] = {
        "same-start": partial(photos.same_start, plan, bad),
        "whole-job": partial(photos.whole_job, plan, bad),
        # It goes on with what the whole job has measured.
        "frontier": lambda: photos.frontier(plan, whole_job),
        "limit": partial(limit.limit, plan),
        "restarts": partial(restarts.restarts, plan),
        "features": partial(features.features, plan, bad),
        "estimator": partial(estimator.estimator, plan, bad),
        "kinds": partial(kinds.kinds, plan),
        "growth": partial(growth.growth, plan),
        "scale": partial(scale.scale, plan),
        "small": partial(small.small, plan, bad),
    }
    for name, job in jobs.items():
        if name in names:
            seconds, found = harness.timed(job)
            harness.progress(f"---- {name} took {seconds:.0f} s")
            if name == "whole-job":
                whole_job = found
            yield name, found


def plain(value: Any) -> Any:
    """Return a result as what JSON has: dicts, lists, numbers and words."""
    if hasattr(value, "as_json"):
        return plain(value.as_json())
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


# ---- Telling -----------------------------------------------------------------------


def told(about: dict[str, Any], results: dict[str, Any], quick: bool) -> Iterator[str]:
    """Tell everything, paragraph by paragraph."""
    yield "# Benchmarks" + " (quick)" * quick
    yield "; ".join(f"{name}: {value}" for name, value in about.items())
    for name, why in MISSING.items():
        yield f"{name} could not be imported and is left out: {why}"
    yield "## What is to be reached"
    if quick:
        yield "Sizes are small here: this shows that all works, not how fast it is."
    verdicts = all_verdicts(results)
    yield verdict_table(verdicts)
    for name, found in results.items():
        yield from PARTS[name].section(found)


def all_verdicts(results: dict[str, Any]) -> list[tuple[str, Verdict]]:
    """Return the verdicts of all parts, each with the name of its part."""
    return [
        (name, verdict)
        for name, found in results.items()
        for verdict in PARTS[name].verdicts(found)
    ]


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test in under two minutes"
    )
    parser.add_argument(
        "--only",
        metavar="PART",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        help=f"run only these parts: {', '.join(PARTS)}",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all numbers")
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="write the frontier as a picture"
    )
    args = parser.parse_args(argv)
    for name in ("json", "picture"):
        path = getattr(args, name)
        if path and not path.resolve().parent.is_dir():
            parser.error(f"--{name}: there is no folder {path.parent}")
    if args.picture and "frontier" not in args.only:
        parser.error("--picture: it shows the part frontier, which does not run")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks; return 1 if answers that must agree do not.

    Ctrl-C ends it with the tables of the parts that are done; it returns 1 then, too.
    """
    args = parsed(argv)
    plan, bad = QUICK if args.quick else FULL, harness.Disagreements()
    about, begin = machine(), time.perf_counter()
    results: dict[str, Any] = {}
    warm_up(plan)
    try:
        for name, found in measure(plan, args.only, bad):
            results[name] = found
            if args.json:
                # After every part, so that a long run that is killed leaves something.
                report = {
                    "machine": about,
                    "missing": MISSING,
                    "plan": asdict(plan),
                    "seconds": time.perf_counter() - begin,
                    "verdicts": all_verdicts(results),
                    **results,
                    "disagreements": list(bad),
                }
                words = json.dumps(plain(report), indent=1)
                args.json.write_text(words + "\n", encoding="utf-8")
    except KeyboardInterrupt:
        harness.progress("stopped; told is what was measured until now")
        if not results:
            return 1
    spent = time.perf_counter() - begin
    print("\n\n".join(told(about, results, args.quick)))
    print(f"\nMeasured in {spent:.0f} s.")
    for sentence in bad:
        print(f"\nDISAGREEMENT: {sentence}")
    if args.picture and "frontier" in results:
        plot.draw(results["frontier"], args.picture)
    return 1 if bad or set(args.only) - set(results) else 0


if __name__ == "__main__":
    sys.exit(main())
