"""How far `segment_image` is from the time that it takes to open the picture at all."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.harness import progress, take_turns, timed
from benchmarks.pictures import enlarged_jpeg, size_of
from benchmarks.plan import Plan
from benchmarks.report import Verdict, at_most, ms, table
from kmeans_np import read_image, segment_image

K = 8

# Where the time of `segment_image` is looked for: the parts, and for each the functions
# that it is spent in, by the module that calls them and the name they have there. None
# of them may call another one of the table, or time would count twice.
PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "count the colors": (("kmeans_np.image.source", "distinct_of"),),
    "fit: build the pass": (
        ("kmeans_np.clustering.data", "make_sweep"),
        ("kmeans_np.clustering.data", "histograms_of"),
    ),
    "fit: starts on histograms": (("kmeans_np.clustering.fitting", "coarse_start"),),
    "fit: all colors": (("kmeans_np.clustering.fitting", "_run"),),
    "look up": (("kmeans_np.image.source", "look_up"),),
    "paint": (("kmeans_np.image.source", "paint"),),
}


class PartOfTime(NamedTuple):
    """A part of one `segment_image` call, beside a copy of the pixels."""

    part: str
    median_seconds: float
    ratio_to_copy: float


class Limit(NamedTuple):
    """The whole call beside the decoding of the file, and its parts."""

    size: str
    segment_seconds: float
    decode_seconds: float
    parts: list[PartOfTime]

    @property
    def ratio(self) -> float:
        """Return how many times the decoding the call takes."""
        return self.segment_seconds / self.decode_seconds


def limit(plan: Plan) -> Limit:
    """Measure the large photo."""
    progress("the limit: segment and decode")
    image = plan.limit.pixels()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        path.write_bytes(enlarged_jpeg(plan.limit.rows, plan.limit.columns))
        # Every round has another seed, so that the median is not of one lucky start.
        pairs = []
        for seed in range(plan.limit_rounds):
            jobs = (
                partial(segment_image, image, K, rng=seed),
                partial(read_image, path),
            )
            pairs.append([seconds for seconds, _ in take_turns(*jobs, rounds=1)])
    segment, decode = map(statistics.median, zip(*pairs))
    return Limit(size_of(image), segment, decode, parts_of_time(plan))


@contextmanager
def stopwatches() -> Iterator[dict[str, float]]:
    """Measure the seconds of each part of all calls inside the with block."""
    spent: dict[str, float] = {}

    def watched(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            seconds, result = timed(partial(function, *args, **kwargs))
            spent[part] += seconds
            return result

        return run

    with ExitStack() as stack:
        for part, functions in PARTS.items():
            for module_name, name in functions:
                module = import_module(module_name)
                if not hasattr(module, name):
                    progress(f"no {name} in {module_name}: its time is in the rest")
                    continue
                spent[part] = 0.0
                function = watched(part, getattr(module, name))
                stack.enter_context(patch.object(module, name, function))
        yield spent


def parts_of_time(plan: Plan) -> list[PartOfTime]:
    """Measure where the time of one `segment_image` call goes, beside a copy."""
    progress("the limit: where the time goes")
    image = plan.limit.pixels()
    runs: list[dict[str, float]] = []
    for seed in range(plan.limit_rounds):
        with stopwatches() as spent:
            whole, _ = timed(partial(segment_image, image, K, rng=seed))
        rest = whole - sum(spent.values())
        copy, _ = timed(image.copy)
        runs.append({**spent, "the rest": rest, "the whole call": whole})
        runs[-1]["a copy of the pixels"] = copy
    medians = {part: statistics.median(run[part] for run in runs) for part in runs[0]}
    copy = medians["a copy of the pixels"]
    return [
        PartOfTime(part, seconds, seconds / copy) for part, seconds in medians.items()
    ]


def verdicts(found: Limit) -> list[Verdict]:
    """Judge the time beside the decoding."""
    return [at_most("`segment_image` beside decoding the JPEG", 1.5, found.ratio)]


def section(found: Limit) -> Iterator[str]:
    """Tell of the limit."""
    yield f"## The limit, k = {K}, {found.size}"
    yield (
        f"`segment_image` takes {ms(found.segment_seconds)} ms, and `read_image` takes "
        f"{ms(found.decode_seconds)} ms to decode the JPEG file: the ratio is "
        f"{found.ratio:.2f}. Where the time goes, medians:"
    )
    rows = [
        (row.part, ms(row.median_seconds), f"{row.ratio_to_copy:.1f}")
        for row in found.parts
    ]
    yield table(("part", "median, ms", "times a copy"), rows)
