"""The table of the README: one large photograph, beside what people use for it.

`python -m benchmarks.glance` prints it. Each runs in a process of its own, once to warm
up on a small picture and three times on the large one; the best time counts, and the
memory beyond that of the process with the picture in it.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from benchmarks.cases import ours
from benchmarks.harness import OURS, say, table
from benchmarks.peers import (
    LLOYD,
    OPENCV,
    PILLOW,
    Answer,
    Start,
    opencv,
    pillow,
    sklearn,
)
from benchmarks.pictures import LARGE, inertia, photo
from benchmarks.scale import peak

K, ROUNDS = 8, 3
JOBS: dict[str, Callable[[Start], Answer]] = {
    OURS: ours,
    LLOYD: sklearn,
    OPENCV: opencv,
    PILLOW: pillow,
}


def measure(who: str, picture: str) -> tuple[float, int, float]:
    """Return the seconds, the bytes beyond the picture, and the inertia."""
    image = np.load(picture)
    JOBS[who](Start(image[::50, ::50].copy(), K))
    before, seconds = peak(), []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        answer = JOBS[who](Start(image, K))
        seconds.append(time.perf_counter() - begun)
    size = peak() - before
    found = inertia(image.reshape(-1, 3), answer.labels, answer.centroids)
    return min(seconds), size, found


def main() -> None:
    """Measure all in processes of their own, and print the table."""
    every = 8 if "--quick" in sys.argv else 1
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        picture = f"{folder}/picture.npy"
        np.save(picture, photo(LARGE)[::every, ::every])
        for who in JOBS:
            words = [sys.executable, "-m", "benchmarks.glance", "--one", who, picture]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            found[who] = json.loads(done.stdout.splitlines()[-1])
            say(f"{who}: {found[who][0]:.2f} s")
    least = found[OURS][2]
    rows = [
        ("seconds", *(f"{seconds:.2f}" for seconds, _, _ in found.values())),
        ("memory, MB", *(f"{size / 1e6:,.0f}" for _, size, _ in found.values())),
        ("inertia", *(f"{value / least - 1:+.1%}" for *_, value in found.values())),
    ]
    print(table(("", *found), rows))


if __name__ == "__main__":
    if "--one" in sys.argv:
        at = sys.argv.index("--one")
        print(json.dumps(measure(*sys.argv[at + 1 : at + 3])))
    else:
        main()
