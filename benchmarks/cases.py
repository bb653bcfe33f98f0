"""What is measured: each part yields its cases, and is told what came of each."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.spatial import KDTree
from sklearn.cluster import KMeans as ScikitLearn

import kmeans_np
from benchmarks.flat import FLAT, flat_picture
from benchmarks.harness import OURS, Case, Row, threads
from benchmarks.peers import (
    FULL_DATA,
    INSTEAD,
    INTEL,
    LLOYD,
    MAX_ITER,
    PATIENCE,
    SAMPLE,
    THREADED,
    TOL,
    Answer,
    Start,
    both_ways,
    fit,
    intel,
)
from benchmarks.pictures import (
    LARGE,
    SMALL,
    Array,
    inertia,
    large_jpeg,
    means,
    photo,
    random_colors,
)
from benchmarks.points import TABLES, Table
from kmeans_np import apply_palette, cluster_image, inertia_curve, kmeans, lloyd

# Runs in float32 drift apart in hundreds of steps, and may end at different optima.
DRIFT = 0.02
ONE, TEXTBOOK = "one thread", "the textbook"
Cases = Generator[Case, Row, None]


class Size(NamedTuple):
    """How much to measure: all, or enough to see that it works."""

    photos: tuple[str, ...] = (*SMALL, LARGE)
    ks: tuple[int, ...] = (2, 4, 8, 16, 64, 256)
    # On the large picture; there, given centroids get this many steps.
    large_ks: tuple[int, ...] = (2, 8, 16, 64)
    large_steps: int = 20
    tables: tuple[Table, ...] = TABLES
    # Which of all points, and of each picture's rows and columns.
    every: int = 1
    rounds: int = 5


FULL = Size()
QUICK = Size(("china",), (4, 16), (), 20, TABLES[::6], 4, 1)


# ---- Photographs ---------------------------------------------------------------------


def ours(start: Start, **options: Any) -> Answer:
    """Cluster and paint a picture."""
    how = {"rng": start.seed, "max_iter": start.max_iter, "tol": TOL, **options}
    if start.centroids is not None:
        how["init"] = start.centroids
    found = cluster_image(start.image, start.k, **how)
    assert found.image is not None
    return Answer(found.labels, found.centroids)


def picture_judge(image: Array) -> Callable[[Answer], float]:
    """Return what judges answers about a picture."""
    pixels = image.reshape(-1, image.shape[-1])
    return lambda answer: inertia(pixels, answer.labels, answer.centroids)


def photographs(part: str, size: Size, given: bool) -> Cases:
    """Cluster photographs: from given centroids, or as users call it."""
    for name in size.photos:
        image = photo(name)[:: size.every, :: size.every]
        slow: set[str] = set()
        for k in size.large_ks if name == LARGE else size.ks:
            max_iter = size.large_steps if given and name == LARGE else MAX_ITER
            centroids = random_colors(image, k, k) if given else None
            start = Start(image, k, centroids, max_iter=max_iter)
            start = start._replace(steps=steps_of(start))
            jobs = {OURS: (partial(ours, start),)}
            for who, (there, job) in FULL_DATA.items():
                if there and (who not in slow or who == LLOYD):
                    alone = partial(job, start)
                    jobs[who] = both_ways(alone) if who in THREADED else (alone,)
            for who, job in () if given else INSTEAD.items():
                if who not in slow:
                    # The batches of one are too small for threads.
                    both = both_ways(partial(job, start))
                    jobs[who] = both if who == SAMPLE else both[1:]
            judge = picture_judge(image)
            tolerance = DRIFT if given else np.inf
            row = yield Case(part, f"{name}, k = {k}", jobs, judge, tolerance)
            slow |= {who for who, spent in row.spent.items() if spent.wall > PATIENCE}


def steps_of(start: Start) -> int:
    """Return how many steps scikit-learn takes, for those who have no stop rule."""
    if start.max_iter < MAX_ITER:
        return start.max_iter
    # On a large picture, in every 16th pixel.
    pixels = start.pixels()[:: 16 if start.image.size > 10**7 else 1]
    given = start.k if start.centroids is None else start.centroids
    model, _ = fit(pixels, given, random_state=start.seed)
    return int(model.n_iter_)


def limit(part: str, size: Size) -> Cases:
    """Segment a large picture, beside the decoding of its file."""
    jpeg = large_jpeg(3000 // size.every, 4000 // size.every)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        path.write_bytes(jpeg)
        image = kmeans_np.read_image(path)
        jobs: dict[str, Any] = {
            OURS: (lambda: kmeans_np.segment_image(image, 8, rng=0),),
            "decoding the JPEG": (lambda: kmeans_np.read_image(path),),
        }
        yield Case(part, f"{LARGE}, k = 8", jobs)


# ---- Points --------------------------------------------------------------------------


def starting_points(points: Array, k: int) -> Array:
    """Return centroids beside k points, so that none is equally near to two of them."""
    rng = np.random.default_rng(2)
    drawn = points[rng.choice(len(points), k, replace=False)].astype(np.float64)
    return drawn + 1e-3 * points.std(axis=0) * rng.normal(size=drawn.shape)


def our_fit(points: Array, start: Array) -> Answer:
    """Run `kmeans` from given centroids."""
    found = kmeans(points, len(start), init=start, max_iter=MAX_ITER, tol=TOL)
    return Answer(found.labels, found.centroids)


def fit_jobs(points: Array, start: Array) -> dict[str, Any]:
    """Return who fits points, from given centroids."""
    theirs = partial(fit, points, start)
    jobs = {OURS: (partial(our_fit, points, start),)}
    jobs[LLOYD] = both_ways(lambda: theirs()[1])
    if intel:
        jobs[INTEL] = both_ways(lambda: theirs(intel.KMeans)[1])
    return jobs


def predict_jobs(points: Array, start: Array) -> dict[str, Any]:
    """Return who labels points once they have fitted them for two steps."""
    how = {"init": start, "n_init": 1, "max_iter": 2}
    mine = kmeans_np.KMeans(len(start), **how).fit(points)
    theirs = ScikitLearn(len(start), **how).fit(points)
    return {
        OURS: (partial(mine.predict, points),),
        LLOYD: both_ways(partial(theirs.predict, points)),
    }


def points_part(part: str, size: Size, jobs_of: Callable[..., Any]) -> Cases:
    """Fit, or label, tables of points."""
    for table in size.tables:
        points = table._replace(n=table.n // size.every**2).points()

        def judge(answer: Answer, points: Array = points) -> float:
            return inertia(points, answer.labels, answer.centroids)

        jobs = jobs_of(points, starting_points(points, table.k))
        judged = judge if jobs_of is fit_jobs else None
        yield Case(part, str(table), jobs, judged, DRIFT)


def many_clusters(part: str, size: Size) -> Cases:
    """Compare the default, which looks for its start first, with what it saves."""
    china = photo("china")[:: size.every, :: size.every]
    rng = np.random.default_rng(0)
    four = np.dstack([china, china[..., :1]])
    deep = (four[::2, ::2] * 257.0 + rng.integers(0, 257, four[::2, ::2].shape)) % 65536
    images = {
        "RGB": china,
        "uint16, 4 channels": deep.astype(np.uint16),
        "float32, 4 channels": (deep / 65535).astype(np.float32),
    }
    for name, image in images.items():
        for k in (500, 2_000)[: 2 if size.every == 1 else 0] or (50,):
            start = Start(image, k)
            jobs: dict[str, Any] = {OURS: (partial(ours, start, alpha=False),)}
            jobs["without coarse_start"] = (
                partial(ours, start, alpha=False, coarse_start=False),
            )
            jobs[LLOYD] = both_ways(
                lambda start=start: fit(start.pixels(), start.k, random_state=0)[1]
            )
            yield Case(part, f"{name}, k = {k:,}", jobs, picture_judge(image))


# ---- Beside other work, and with more threads ----------------------------------------


def with_one_thread(job: Callable[[], Any]) -> Any:
    """Run a job of ours by one thread."""
    with threads(1):
        return job()


def samples(size: Size) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """Yield a few jobs of every kind, each with its peer."""
    for table in size.tables[1::4]:
        points = table._replace(n=table.n // size.every**2).points()
        start = starting_points(points, table.k)
        yield f"kmeans: {table}", fit_jobs(points, start)
        yield f"predict: {table}", predict_jobs(points, start)
    for name in (size.photos[0], size.photos[-1]):
        image = photo(name)[:: size.every, :: size.every]
        start = Start(image, 8, random_colors(image, 8, 8), max_iter=20)
        jobs = {OURS: (partial(ours, start),)}
        jobs[LLOYD] = both_ways(partial(FULL_DATA[LLOYD][1], start))
        yield f"{name}, k = 8", jobs


def beside_work(part: str, size: Size) -> Cases:
    """Do some of it all with another process on one of the cores."""
    for name, jobs in samples(size):
        mine = jobs[OURS][0]
        some = {OURS: (mine,), LLOYD: jobs[LLOYD]}
        yield Case(part, name, some | {ONE: (partial(with_one_thread, mine),)})


def by_threads(part: str, size: Size) -> Cases:
    """Do it with all threads, and with one."""
    for name, jobs in samples(size):
        mine = jobs[OURS][0]
        yield Case(part, name, {OURS: (mine,), ONE: (partial(with_one_thread, mine),)})


def two_at_once(part: str, size: Size) -> Cases:
    """Do something twice at once, beside one after the other."""
    for name, jobs in samples(size):
        job = jobs[OURS][0]
        if name.startswith("predict"):
            continue
        pair: dict[str, Any] = {
            "one after the other": (lambda job=job: (job(), job()),)
        }
        yield Case(
            part, f"two threads, {name}", {OURS: (partial(in_threads, job),)} | pair
        )
        # Not for short ones: to start a process takes longer.
        forked = {OURS: (partial(in_processes, job),)}
        yield Case(part, f"two processes, {name}", forked | pair)


def in_threads(job: Callable[[], Any]) -> None:
    """Run a job twice at once in threads."""
    with ThreadPoolExecutor(2) as pool:
        for running in [pool.submit(job), pool.submit(job)]:
            running.result()


def in_processes(job: Callable[[], Any]) -> None:
    """Run a job twice at once in processes."""
    context = get_context("fork" if sys.platform == "linux" else None)
    running = [context.Process(target=job) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join()


# ---- Other images, palettes, curves --------------------------------------------------


def kinds(part: str, size: Size) -> Cases:
    """Cluster other images than 8-bit photographs; features made by hand for others."""
    for name, image, options, points in kinds_of(photo("china")[:: size.every]):
        for k in (4, 16):

            def mine(image: Array = image, k: int = k, how: Any = options) -> Array:
                return cluster_image(image, k, rng=0, **how).labels

            def theirs(points: Array = points, k: int = k) -> Array:
                floats = points.astype(np.float32, copy=False)
                return fit(floats, k, random_state=0)[1].labels

            def judge(labels: Array, points: Array = points) -> float:
                labels = labels.ravel()[labels.ravel() >= 0]
                return inertia(points, labels, means(points, labels))

            jobs = {OURS: (mine,), LLOYD: both_ways(theirs)}
            yield Case(part, f"{name}, k = {k}", jobs, judge)


def kinds_of(image: Array) -> Generator[tuple[str, Array, dict[str, Any], Array]]:
    """Yield images of many kinds, with options, and the points that they stand for."""
    rows, columns, _ = image.shape
    pixels = image.reshape(-1, 3).astype(np.float64)
    yield "gray", image[..., 1], {}, image[..., 1].reshape(-1, 1)
    deep = (pixels @ [0.299, 0.587, 0.114] * 16).astype(np.uint16)
    yield "gray, 12 of 16 bits", deep.reshape(rows, columns), {}, deep[:, np.newaxis]
    wide = (pixels * 257).astype(np.uint16)
    yield "RGB, uint16", wide.reshape(image.shape), {}, wide
    floats = (pixels / 255).astype(np.float32)
    yield "RGB, float32", floats.reshape(image.shape), {}, floats
    mask = np.hypot(*np.indices((rows, columns))) < rows
    yield "RGB with a mask", image, {"mask": mask}, image[mask]
    clear = np.dstack([image, np.where(mask, 255, 0).astype(np.uint8)])
    yield "RGBA", clear, {}, image[mask]
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 4, (rows * columns, 12))
    bands = (pixels @ rng.random((3, 12)) + noise).astype(np.float32)
    scaled = (bands - bands.mean(axis=0)) / bands.std(axis=0)
    normalized = {"normalize": True}
    yield "12 bands, normalized", bands.reshape(rows, columns, 12), normalized, scaled
    places = np.indices((rows, columns)).reshape(2, -1).T * (255 / max(rows, columns))
    points = np.append(pixels, places, axis=1)
    yield "RGB and place", image, {"position_weight": 1.0}, points


def palettes(part: str, size: Size) -> Cases:
    """Give each pixel the nearest color of a palette."""
    image = photo("china")[:: size.every]
    pixels = image.reshape(-1, 3)
    for k in (16, 256):
        palette = cluster_image(image, k, rng=0).palette
        indexed = Image.new("P", (1, 1))
        indexed.putpalette(palette.tobytes())
        tree, picture = KDTree(palette), Image.fromarray(image)

        def judge(labels: Array, palette: Array = palette) -> float:
            return inertia(pixels, labels, palette)

        jobs: dict[str, Any] = {
            OURS: (lambda p=palette: apply_palette(image, p).labels,),
            "Pillow": (
                lambda p=indexed, i=picture: np.asarray(
                    i.quantize(palette=p, dither=0)
                ),
            ),
            "SciPy's KDTree": (lambda t=tree: t.query(pixels, workers=-1)[1],),
        }
        yield Case(part, f"a palette of {k}", jobs, judge, 1e-9)


def by_pillow(picture: Image.Image, palette: Image.Image) -> Array:
    """Return the labels that Pillow gives for a palette."""
    return np.asarray(picture.quantize(palette=palette, dither=0))


def curves(part: str, size: Size) -> Cases:
    """Draw the inertia over k, beside one run of scikit-learn for each."""
    image, ks = photo("china")[:: size.every], range(1, 13)
    points = image.reshape(-1, 3).astype(np.float32)
    jobs = {
        OURS: (lambda: inertia_curve(image, ks, rng=0),),
        LLOYD: both_ways(lambda: [fit(points, k, random_state=0) for k in ks]),
    }
    yield Case(part, "a photograph, k = 1 to 12", jobs)


def starts(part: str, size: Size) -> Cases:
    """Choose starts at random and by k-means++, in flat pictures and photographs."""
    pictures = [(name, [photo(name)]) for name in size.photos if name != LARGE]
    seeds = range(4 if size is FULL else 1)
    pictures += [(kind, [flat_picture(kind, seed) for seed in seeds]) for kind in FLAT]
    for name, some in pictures:
        for k in (4, 16):

            def run(init: str, some: list[Array] = some, k: int = k) -> float:
                return sum(
                    cluster_image(image, k, init=init, rng=seed).inertia
                    for image in some
                    for seed in range(5)
                )

            jobs = {
                OURS: (partial(run, "random"),),
                "k-means++": (partial(run, "k-means++"),),
            }
            yield Case(part, f"{name}, k = {k}", jobs, float)


def small_things(part: str, _: Size) -> Cases:
    """Import the package, and cluster an icon."""

    modules = {OURS: "kmeans_np", "import numpy": "numpy"}
    with tempfile.TemporaryDirectory() as folder:
        # As it is from the second time on, when nothing has to be compiled any more.
        env = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)

        def python(code: str) -> None:
            subprocess.run([sys.executable, "-c", code], check=True, env=env)

        python("import kmeans_np")
        jobs = {who: (partial(python, f"import {m}"),) for who, m in modules.items()}
        yield Case(part, "import kmeans_np", jobs)
    icon = np.asarray(Image.fromarray(photo("china")).resize((64, 64)))
    points, start = icon.reshape(-1, 3), random_colors(icon, 4, 4)
    yield Case(
        part,
        "an icon, 64 x 64, k = 4",
        {
            OURS: (lambda: kmeans_np.segment_image(icon, 4, rng=0),),
            TEXTBOOK: (lambda: [*lloyd(points, start, tol=TOL)],),
        },
    )


PARTS: dict[str, Callable[[str, Size], Cases]] = {
    "given": partial(photographs, given=True),
    "whole": partial(photographs, given=False),
    "limit": limit,
    "points": partial(points_part, jobs_of=fit_jobs),
    "predict": partial(points_part, jobs_of=predict_jobs),
    "clusters": many_clusters,
    "busy": beside_work,
    "threads": by_threads,
    "twice": two_at_once,
    "kinds": kinds,
    "palettes": palettes,
    "curves": curves,
    "starts": starts,
    "small": small_things,
}
