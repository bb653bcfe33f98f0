"""A run as one HTML file that needs nothing else.

The player that draws the run in a browser stands in the folder `player` beside this
file.
"""

import html
import json
import re
import zlib
from binascii import b2a_base64
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.explanation.examples import Example, examples
from kmeans_np.explanation.recording import Recording
from kmeans_np.explanation.subject import Subject, cloud
from kmeans_np.lloyd import Array, Step
from kmeans_np.optimal import OptimalClusters
from kmeans_np.order import distinct
from kmeans_np.pictures import separated_colors

# The color spaces whose formulas the player has.
SPACES = ("rgb", "lab", "oklab")
# For so many clusters the page knows the best there is.
MOST_CLUSTERS = 16
SCRIPTS = (
    "kmeans.js",
    "spaces.js",
    "seeding.js",
    "material.js",
    "words.js",
    "views.js",
    "pictures.js",
    "elbow.js",
    "compare.js",
    "own.js",
    "pointing.js",
    "address.js",
    "player.js",
)


class Caption(NamedTuple):
    """What a page says of a run beside its steps."""

    # What it is called, such as the name of the file.
    title: str
    # Where the centroids came from: "random", "k-means++", "optimal" or "given"; and
    # how many starts were tried.
    init: str
    n_init: int
    # How many clusters were asked for.
    k: int


def page(run: Recording, material: Subject, caption: Caption, opens: str) -> str:
    """Return the page of a run, in HTML.

    `opens` is what it shows if its address does not say.
    """
    space = material.features.color_space
    if space not in SPACES:
        rule = f"be one of {', '.join(SPACES)} for a page"
        remedy = "save a film (.gif) or a sheet (.png)"
        raise ArgumentValueError("color_space", rule, repr(space), remedy)
    tab = "This picture" if material.is_image else "These points"
    runs = [_run_data(Example("run", tab, "", material, run), caption)]
    for each in examples():
        its_own = Caption(each.title, "given", 1, len(each.run.start))
        runs.append(_run_data(each, its_own))
    player = files("kmeans_np.explanation") / "player"

    def part(name: str) -> str:
        return (player / name).read_text(encoding="utf-8")

    # "</script>" in a title must not end the script.
    data = json.dumps(runs, allow_nan=False).replace("<", "\\u003c")
    parts = {
        "title": html.escape(
            f"{caption.title} - K-means, step by step".removeprefix(" - ")
        ),
        "style": part("player.css"),
        "opens": html.escape(opens),
        "data": data,
        "script": "\n".join(part(name) for name in SCRIPTS),
    }
    return re.sub("@(.*?)@", lambda name: parts[name[1]], part("player.html"))


def _run_data(example: Example, caption: Caption) -> dict[str, Any]:
    """Return what the player needs to know of a run and of what was clustered."""
    material, run = example.material, example.run
    dots, weights = cloud(material.points, material.weights)
    low, width = np.broadcast_arrays(material.screen.low, material.screen.width)
    about = f"{material.n:,} points"
    if material.is_image:
        about = " \u00d7 ".join(f"{n:,}" for n in material.size) + " pixels"
    return {
        "isImage": material.is_image,
        "shape": material.shape,
        "shown": material.shown.shape[:-1],
        "full": material.size,
        "plane": material.plane,
        "n": material.n,
        "all": material.n_all,
        "nDistinct": len(material.points),
        "axes": material.axes,
        "unit": material.unit,
        "space": material.features.color_space,
        "signed": material.dtype.kind == "i",
        "reduced": material.reduced,
        "screen": {
            "low": low.tolist(),
            "width": width.tolist(),
            "asItIs": material.screen.as_it_is,
        },
        "values": _packed(np.moveaxis(material.shown, -1, 0)),
        "part": None if material.part is None else _packed(material.part),
        "dots": _packed(dots),
        "dotWeights": _packed(weights),
        "start": run.start.tolist(),
        "steps": [_step(run, step) for step in run.steps],
        "inertias": run.inertias.tolist(),
        "meanVariance": run.mean_variance,
        "tol": run.tol,
        "maxIter": run.max_iter,
        "end": {"counts": run.counts.tolist(), "inertia": run.inertia},
        "bests": _bests(run),
        "separated": separated_colors(max(caption.k, MOST_CLUSTERS)).tolist(),
        "id": example.name,
        "title": example.title,
        "intro": example.words,
        "question": example.question and example.question._asdict(),
        "init": caption.init,
        "nInit": caption.n_init,
        "k": caption.k,
        # The line below the heading.
        "about": " · ".join(filter(None, [caption.title, about])),
    }


def _bests(run: Recording) -> list[float]:
    """Return the least inertia for each number of clusters, where it is known."""
    if run.points.shape[1] > 1:
        return []
    points, weights = distinct(run.points, run.weights)
    best, found = OptimalClusters(points, weights), []
    for k in range(1, min(MOST_CLUSTERS, len(points)) + 1):
        centroids = best(k)[:, 0]
        places = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, points[:, 0])
        away = points[:, 0] - centroids[places]
        found.append(float((weights * away * away).sum()))
    return found


def _step(run: Recording, step: Step) -> dict[str, Any]:
    """Return a step. Its labels are found again from its centroids."""
    return {
        "iteration": step.iteration,
        "centroids": step.centroids.tolist(),
        "counts": run.counts_of(step).tolist(),
        "inertia": step.inertia,
        "newCentroids": step.new_centroids.tolist(),
        "nChanged": step.n_changed,
        "shift": step.shift,
        "restarted": step.restarted,
        "stoppedBy": step.stopped_by,
    }


def _packed(values: Array) -> dict[str, str]:
    """Return an array as numbers that a browser has, deflated, in letters.

    Whole numbers stand as the difference to the one before, which takes less space.
    """
    kind = values.dtype.kind
    if kind == "b":
        values = values.astype(np.uint8)
    elif values.dtype.itemsize > (4 if kind in "iu" else 8):
        values = values.astype(np.float64)
    elif values.dtype == np.float16:
        values = values.astype(np.float32)
    flat = values.astype(values.dtype.newbyteorder("<")).ravel()
    if flat.dtype.kind in "iu":
        flat = np.diff(flat, prepend=flat.dtype.type(0)).astype(flat.dtype)
    data = b2a_base64(zlib.compress(flat.tobytes(), 9), newline=False)
    return {"kind": flat.dtype.str[1:], "data": data.decode("ascii")}
