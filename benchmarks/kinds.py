"""Other images than 8-bit photos, palettes that are given, and curves over k.

Features are made by hand here, in NumPy, so that everyone clusters the same numbers.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.spatial import KDTree
from sklearn.cluster import KMeans

from benchmarks.harness import TOL, progress, take_turns
from benchmarks.pictures import Array, inertia
from benchmarks.plan import Plan
from benchmarks.report import Verdict, at_least, at_most, geometric_mean, ms, table
from kmeans_np import apply_palette, cluster_image, inertia_curve

KS = (4, 16)
CURVE = tuple(range(1, 13))
PALETTES = (16, 256)


class Kind(NamedTuple):
    """A kind of image: what `cluster_image` gets, and the same as points."""

    name: str
    image: Array
    options: dict[str, Any]
    points: Array


class Beside(NamedTuple):
    """One job: ours and a peer's, medians of times, and how good both are.

    `ratio` is the mean inertia of ours beside that of the peer.
    """

    job: str
    peer: str
    seconds: float
    peer_seconds: float
    ratio: float

    @property
    def speed(self) -> float:
        """Return how many times as long the peer takes."""
        return self.peer_seconds / self.seconds


class Kinds(NamedTuple):
    """What was measured: kinds of images, palettes, and curves."""

    kinds: list[Beside]
    palettes: list[Beside]
    curves: list[Beside]


# ---- The images --------------------------------------------------------------------


def kinds_of(photo: Array) -> Iterator[Kind]:
    """Make images of many kinds of a photo, each with the points that it stands for."""
    rows, columns, _ = photo.shape
    pixels = photo.reshape(-1, 3).astype(np.float64)
    gray = photo[..., 1]
    yield Kind("gray, uint8", gray, {}, gray.reshape(-1, 1))
    deep = (pixels @ [0.299, 0.587, 0.114] * 16).astype(np.uint16)
    yield Kind("gray, 12 of 16 bits", deep.reshape(rows, columns), {}, deep[:, None])
    wide = (pixels * 257).astype(np.uint16)
    yield Kind("RGB, uint16", wide.reshape(photo.shape), {}, wide)
    floats = (pixels / 255).astype(np.float32)
    yield Kind("RGB, float32", floats.reshape(photo.shape), {}, floats)
    mask = np.hypot(*np.indices((rows, columns))) < rows
    yield Kind("RGB, masked", photo, {"mask": mask}, photo[mask])
    clear = np.dstack([photo, np.where(mask, 255, 0).astype(np.uint8)])
    yield Kind("RGBA", clear, {}, photo[mask])
    rng = np.random.default_rng(0)
    mixing = rng.random((3, 12))
    bands = (pixels @ mixing + rng.normal(0, 4, (rows * columns, 12))).astype("f4")
    options = {"normalize": True}
    scaled = (bands - bands.mean(axis=0)) / bands.std(axis=0)
    shape = (rows, columns, 12)
    yield Kind("12 bands, normalized", bands.reshape(shape), options, scaled)
    places = np.indices((rows, columns)).reshape(2, -1).T * (255 / max(rows, columns))
    points = np.append(pixels, places, axis=1)
    yield Kind("RGB and place", photo, {"position_weight": 1.0}, points)


# ---- Measuring ---------------------------------------------------------------------


def theirs(points: Array, k: int, seed: int) -> KMeans:
    """Run scikit-learn from random starts on points, as it is called."""
    floats = points.astype(np.float32, copy=False)
    return KMeans(k, init="random", n_init=1, tol=TOL, random_state=seed).fit(floats)


def beside_scikit_learn(kind: Kind, k: int, plan: Plan) -> Beside:
    """Cluster a kind of image, and the same points with scikit-learn."""
    spent, found = [], []
    for seed in range(plan.kind_seeds):
        ours = partial(cluster_image, kind.image, k, rng=seed, **kind.options)
        jobs = (ours, partial(theirs, kind.points, k, seed))
        (mine, answer), (peer, model) = take_turns(*jobs, rounds=plan.kind_rounds)
        spent.append((mine, peer))
        taking_part = answer.labels.ravel()
        labels = taking_part[taking_part >= 0], model.labels_
        found.append([judged(kind.points, one) for one in labels])
    mine, peer = map(statistics.median, zip(*spent))
    ours_mean, theirs_mean = map(statistics.fmean, zip(*found))
    job = f"{kind.name}, k = {k}"
    return Beside(job, "scikit-learn", mine, peer, ours_mean / theirs_mean)


def judged(points: Array, labels: Array) -> float:
    """Return the inertia of labels with the means of their points."""
    counts = np.bincount(labels)
    sums = [np.bincount(labels, x) for x in points.T]
    return inertia(points, labels, np.stack(sums, axis=1) / counts[:, None])


def in_pillow(photo: Array, palette: Array) -> Array:
    """Return the labels that Pillow gives for a palette."""
    indexed = Image.new("P", (1, 1))
    indexed.putpalette(palette.tobytes())
    return np.asarray(Image.fromarray(photo).quantize(palette=indexed, dither=0))


def in_a_tree(photo: Array, palette: Array) -> Array:
    """Return the labels that SciPy's tree finds, with all cores."""
    return KDTree(palette).query(photo.reshape(-1, 3), workers=-1)[1]


def palettes(photo: Array, plan: Plan) -> Iterator[Beside]:
    """Apply a palette, beside Pillow and SciPy."""
    pixels = photo.reshape(-1, 3)
    peers: dict[str, Callable[[Array, Array], Array]] = {
        "Pillow": in_pillow,
        "SciPy, KDTree": in_a_tree,
    }
    for k in PALETTES:
        palette = cluster_image(photo, k, rng=0).palette
        exact = palette.astype(float)
        jobs = [partial(apply_palette, photo, palette)]
        jobs += [partial(peer, photo, palette) for peer in peers.values()]
        (mine, ours), *others = take_turns(*jobs, rounds=plan.kind_rounds)
        best = inertia(pixels, ours.labels.ravel(), exact)
        for name, (spent, labels) in zip(peers, others):
            ratio = best / inertia(pixels, labels.ravel(), exact)
            yield Beside(f"palette of {k}", name, mine, spent, ratio)


def curves(photo: Array, plan: Plan) -> Iterator[Beside]:
    """Draw the inertia over k, beside one run of scikit-learn for each."""
    points = photo.reshape(-1, 3)

    def one_by_one(data: Array) -> list[float]:
        return [theirs(data, k, 0).inertia_ for k in CURVE]

    noise = np.random.default_rng(0).normal(0, 2, points.shape)
    for name, data in (("photo", photo), ("points", points[::4] + noise[::4])):
        jobs = (
            partial(inertia_curve, data, CURVE, rng=0),
            partial(one_by_one, data.reshape(-1, 3)),
        )
        (mine, ours), (peer, other) = take_turns(*jobs, rounds=plan.kind_rounds)
        ratio = geometric_mean([a / b for a, b in zip(ours, other)])
        yield Beside(f"{name}, k = 1 to {CURVE[-1]}", "scikit-learn", mine, peer, ratio)


def kinds(plan: Plan) -> Kinds:
    """Measure all of it on the small photo."""
    photo = plan.pictures[0].pixels()
    rows = []
    for kind in kinds_of(photo):
        for k in KS:
            progress(f"kinds: {kind.name}, k = {k}")
            rows.append(beside_scikit_learn(kind, k, plan))
    progress("kinds: palettes and curves")
    return Kinds(rows, [*palettes(photo, plan)], [*curves(photo, plan)])


# ---- Telling -----------------------------------------------------------------------


def verdicts(found: Kinds) -> list[Verdict]:
    """Judge speeds and inertia."""
    speeds = [row.speed for row in found.kinds]
    exact = [row.ratio for row in found.palettes]
    return [
        at_least("kinds of images, geometric mean", 1, geometric_mean(speeds)),
        at_most("palettes: inertia beside the best", 1.0, max(exact)),
    ]


def section(found: Kinds) -> Iterator[str]:
    """Tell of kinds, palettes and curves."""
    yield "## Other images, palettes, curves"
    yield (
        "`cluster_image` as it is called, from the image to labels and painted "
        "picture, beside one random start of scikit-learn on the same features in "
        "float32 (not timed: making them); `apply_palette`; and `inertia_curve`. "
        "Pillow's palettes are looked up in a coarse table and not exact. The last "
        "column is our inertia beside the peer's, on average."
    )
    heads = ("job", "peer", "ours, ms", "theirs, ms", "times as fast", "inertia")
    rows: Sequence[Beside] = [*found.kinds, *found.palettes, *found.curves]
    yield table(
        heads,
        [
            (
                row.job,
                row.peer,
                ms(row.seconds),
                ms(row.peer_seconds),
                f"{row.speed:.2f}",
                f"{row.ratio:.4f}",
            )
            for row in rows
        ],
    )
