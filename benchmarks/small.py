"""Small things: what the import costs, and a picture of icon size."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.harness import (
    MAX_ITER,
    TOL,
    Disagreements,
    progress,
    take_turns,
)
from benchmarks.pictures import Array, china, random_centroids
from benchmarks.plan import Plan
from benchmarks.report import Verdict, at_most, ms, table
from kmeans_np import cluster_image, lloyd, segment_image

ICON, K = 64, 4
# Below this, nobody waits.
SHORT = 2e-3


class Small(NamedTuple):
    """Imports, less the interpreter's own start; and the icon, medians of times."""

    import_numpy: float
    import_ours: float
    icon_defaults: float
    icon_plus_plus: float
    icon_given: float
    icon_textbook: float

    @property
    def ratio(self) -> float:
        """Return how many times NumPy's import ours takes."""
        return self.import_ours / self.import_numpy


def small(plan: Plan, bad: Disagreements) -> Small:
    """Measure imports and the icon."""
    return Small(*import_costs(plan.import_rounds), *icon(plan.icon_rounds, bad))


def import_costs(rounds: int) -> Iterator[float]:
    """Time imports in fresh interpreters, less the interpreter's own start."""
    progress(f"imports, {rounds} rounds")
    statements = ("pass", "import numpy", "import kmeans_np")
    with tempfile.TemporaryDirectory() as compiled:
        # All of them find compiled code, wherever the environment would put it.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        jobs = [
            partial(
                subprocess.run,
                [sys.executable, "-c", statement],
                check=True,
                env=environment,
            )
            for statement in statements
        ]
        take_turns(*jobs, rounds=1)
        bare, *others = (seconds for seconds, _ in take_turns(*jobs, rounds=rounds))
    return (seconds - bare for seconds in others)


def textbook(pixels: Array, centroids: Array) -> tuple[Array, int]:
    """Run the textbook on all pixels; return the last centroids and the steps."""
    *_, last = lloyd(pixels, centroids, tol=TOL, max_iter=MAX_ITER)
    return last.new_centroids, last.iteration


def icon(rounds: int, bad: Disagreements) -> list[float]:
    """Time the icon: with defaults, k-means++, given centroids; and the textbook."""
    progress(f"the icon, {rounds} rounds")
    picture = np.array(Image.fromarray(china()).resize((ICON, ICON)))
    pixels = picture.reshape(-1, 3)
    seconds = []
    for seed in range(3):
        start = random_centroids(picture, K, seed)
        jobs = [
            partial(segment_image, picture, K, rng=seed),
            partial(segment_image, picture, K, init="k-means++", rng=seed),
            partial(cluster_image, picture, K, init=start, tol=TOL, max_iter=MAX_ITER),
            partial(textbook, pixels, start),
        ]
        runs = take_turns(*jobs, rounds=rounds)
        seconds.append([spent for spent, _ in runs])
        ours, (_, steps) = runs[2][1], runs[3][1]
        bad.unless(
            ours.n_iter == steps,
            f"the icon, seed {seed}: we take {ours.n_iter} steps, the textbook {steps}",
        )
    return list(map(statistics.median, zip(*seconds)))


def verdicts(found: Small) -> list[Verdict]:
    """Judge the import and the icon."""
    bound = max(SHORT, found.icon_textbook) * 1e3
    return [
        at_most("`import kmeans_np` beside `import numpy`", 1.25, found.ratio),
        Verdict(
            f"a {ICON} x {ICON} icon, k = {K}: at most 2 ms or the textbook's time",
            f"{found.icon_defaults * 1e3:.3g} ms (bound {bound:.3g} ms)",
            found.icon_defaults * 1e3 <= bound,
        ),
    ]


def section(found: Small) -> Iterator[str]:
    """Tell of both."""
    yield "## Small things"
    yield (
        "Imports in fresh interpreters, less the interpreter's own start: NumPy "
        f"{ms(found.import_numpy)} ms, kmeans_np (NumPy included) "
        f"{ms(found.import_ours)} ms, ratio {found.ratio:.2f}."
    )
    rows = [
        ("`segment_image`, defaults", ms(found.icon_defaults)),
        ("`segment_image`, k-means++", ms(found.icon_plus_plus)),
        ("`cluster_image`, given centroids", ms(found.icon_given)),
        ("the textbook on all pixels, the same centroids", ms(found.icon_textbook)),
    ]
    yield f"An icon of {ICON} x {ICON} pixels, k = {K}, medians:"
    yield table(("call", "ms"), rows)
