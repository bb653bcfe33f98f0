"""Photographs: from the same given centroids, the whole job, and the frontier."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.cluster import KMeans

from benchmarks.contenders import (
    FULL_DATA,
    OPENCV,
    OURS_AS_CALLED,
    OURS_GIVEN,
    OURS_SPREAD,
    answer,
    full_data_peers,
    given,
)
from benchmarks.harness import (
    LLOYD,
    OURS,
    OURS_PLUS_PLUS,
    PLUS_PLUS,
    TOL,
    Cell,
    Contender,
    Disagreements,
    Start,
    progress,
    race,
)
from benchmarks.pictures import (
    Answer,
    Array,
    Picture,
    nearest,
    picture_inertia,
    random_centroids,
    share_alike,
)
from benchmarks.plan import Plan
from benchmarks.shortcuts import SHORTCUTS

# How far apart the inertias of two answers from the same start may be: scikit-learn's
# sums in float32 move its centroids, the more so the more pixels there are, and may end
# a run many steps earlier or later. In float64 only rounding is left.
FLOAT32_MARGIN = 0.03
FLOAT64_MARGIN, FLOAT64_ALIKE = 1e-6, 0.9999
# On a large picture, float64 takes long: some steps of it must do, and not too many k.
REFEREE_STEPS, REFEREE_LARGEST_K = 5, 64
# On a large picture, a peer is left out that took this many times as long as
# scikit-learn on the first picture, at the same k: it would take minutes, and not win.
# With many clusters, where everyone takes minutes, only the fastest of the peers stays.
TOO_SLOW, MANY = 3.0, 64
# An inertia so little above another is taken for equal to it.
EQUAL = 1.001


def leave_out_slow(
    peers: dict[str, Contender], cell: Cell, picture: Picture, before: Sequence[Cell]
) -> dict[str, Contender]:
    """Return the peers without those that are too slow, noting in the cell who is."""
    for small in before:
        if not picture.is_large or small.k != cell.k or small.picture == cell.picture:
            continue
        scikit_learn = small.seconds(LLOYD)
        others = set(peers) & set(small.runs) - {LLOYD}
        for name in others:
            times = small.seconds(name) / scikit_learn
            if times > TOO_SLOW or (cell.k >= MANY and name != small.fastest(others)):
                cell.skipped[name] = f"{times:.1f} times scikit-learn's on {small}"
    return {name: peer for name, peer in peers.items() if name not in cell.skipped}


def told(cell: Cell, what: str) -> None:
    """Say how a cell went."""
    if LLOYD in cell.runs:
        others = [name for name in FULL_DATA if name in cell.runs]
        best = cell.fastest(others)
        what += f", {cell.ratio(LLOYD):.2f} times as fast as scikit-learn"
        what += f", {cell.ratio(best):.2f} times as {best}"
    progress(f"{cell}: {what}")


# ---- From the same given centroids -------------------------------------------------


def starts_at_given(
    image: Array, k: int, max_iter: int, seeds: int, *, with_labels: bool
) -> Iterator[Start]:
    """Yield starts from k random colors."""
    for seed in range(seeds):
        centroids = random_centroids(image, k, seed)
        labels = nearest(image, centroids) if with_labels else None
        yield Start(image, k, seed, centroids, labels, max_iter)


def same_start(plan: Plan, bad: Disagreements) -> list[Cell]:
    """Cluster pictures from the same given centroids, everyone."""
    cells: list[Cell] = []
    for picture in plan.pictures:
        image = picture.pixels()
        for k in plan.ks:
            max_iter = plan.max_iter(picture, k)
            cell = Cell(picture.name, k, max_iter)
            peers = leave_out_slow(full_data_peers("given"), cell, picture, cells)
            starts = starts_at_given(
                image, k, max_iter, plan.pace.seeds, with_labels=OPENCV in peers
            )
            for start, answers in race(cell, OURS_GIVEN | peers, starts, plan.pace):
                compare(cell, start, answers, bad)
                if start.seed == 0:
                    referee(cell, start, picture, answers[OURS], bad)
            told(cell, "given centroids")
            cells.append(cell)
    return cells


def compare(
    cell: Cell, start: Start, answers: dict[str, Answer], bad: Disagreements
) -> None:
    """Compare our answer with scikit-learn's in float32."""
    if LLOYD not in answers:
        return
    ours, theirs = (
        next(run for run in cell.runs[name] if run.seed == start.seed)
        for name in (OURS, LLOYD)
    )
    apart = abs(ours.inertia / theirs.inertia - 1)
    bad.unless(
        apart <= FLOAT32_MARGIN,
        f"{cell}, seed {start.seed}: our inertia {ours.inertia:.8g}, scikit-learn's "
        f"{theirs.inertia:.8g}, from the same start in {ours.steps} and "
        f"{theirs.steps} steps",
    )
    alike = share_alike(answers[OURS], answers[LLOYD])
    worst = cell.agreement
    worst["inertia apart"] = max(worst.get("inertia apart", 0.0), apart)
    worst["labeled alike"] = min(worst.get("labeled alike", 1.0), alike)


def referee(
    cell: Cell, start: Start, picture: Picture, ours: Answer, bad: Disagreements
) -> None:
    """Compare our answer with scikit-learn's in float64, where they are the same."""
    image = start.image
    if picture.is_large:
        if start.k > REFEREE_LARGEST_K:
            return
        start = start._replace(max_iter=REFEREE_STEPS)
        ours = given(start)
    model = KMeans(
        start.k, init=start.centroids, n_init=1, max_iter=start.max_iter, tol=TOL
    ).fit(image.reshape(-1, image.shape[-1]).astype(np.float64))
    theirs = answer(start, model.labels_, model.cluster_centers_, int(model.n_iter_))
    apart = abs(picture_inertia(image, ours) / picture_inertia(image, theirs) - 1)
    alike = share_alike(ours, theirs)
    cell.agreement |= {"in float64, inertia": apart, "in float64, labels": alike}
    bad.unless(
        apart <= FLOAT64_MARGIN
        and alike >= FLOAT64_ALIKE
        and ours.n_iter == theirs.n_iter,
        f"{cell}: beside scikit-learn in float64, our inertia is {apart:.2g} apart, "
        f"{alike:.4%} of the pixels are labeled alike, after {ours.n_iter} and "
        f"{theirs.n_iter} steps",
    )


# ---- The whole job, as users call it -----------------------------------------------


def starts_of_their_own(plan: Plan, image: Array, k: int) -> Iterator[Start]:
    """Yield starts that only give a seed."""
    for seed in range(plan.pace.seeds):
        yield Start(image, k, seed)


def whole_job(plan: Plan, bad: Disagreements) -> list[Cell]:
    """Segment pictures: ours by its defaults, peers from one random start each."""
    cells: list[Cell] = []
    for picture in plan.pictures:
        image = picture.pixels()
        for k in plan.ks:
            cell = Cell(picture.name, k)
            peers = leave_out_slow(full_data_peers("random"), cell, picture, cells)
            starts = starts_of_their_own(plan, image, k)
            for start, answers in race(cell, OURS_AS_CALLED | peers, starts, plan.pace):
                check_paint(cell, start, answers.get(OURS), bad)
            told(cell, "the whole job")
            cells.append(cell)
    return cells


def check_paint(
    cell: Cell, start: Start, ours: Answer | None, bad: Disagreements
) -> None:
    """Check that the painted picture is what labels and centroids make of it."""
    if ours is None:
        return
    again = answer(start, ours.labels, ours.centroids, ours.n_iter)
    bad.unless(
        np.array_equal(ours.image, again.image),
        f"{cell}, seed {start.seed}: segment_image and cluster_image differ",
    )


# ---- The frontier ------------------------------------------------------------------


def frontier(plan: Plan, cells: list[Cell]) -> list[Cell]:
    """Add shortcuts and k-means++ starts to the cells of the whole job.

    Without any cells, ours and the shortcuts are measured.
    """
    if not cells:
        cells = [Cell(picture.name, k) for picture in plan.pictures for k in plan.ks]
    pictures = {picture.name: picture for picture in plan.pictures}
    for cell in cells:
        image = pictures[cell.picture].pixels()
        entrants = OURS_AS_CALLED | OURS_SPREAD | SHORTCUTS
        for name, peer in full_data_peers("k-means++").items():
            plain = name.removesuffix(PLUS_PLUS)
            if plain not in cell.runs:
                continue
            if cell.seconds(plain) > plan.longest:
                cell.skipped[name] = f"over {plan.longest:g} s from a random start"
            else:
                entrants[name] = peer
        new = {name: who for name, who in entrants.items() if name not in cell.runs}
        starts = starts_of_their_own(plan, image, cell.k)
        for _ in race(cell, new, starts, plan.pace):
            pass
        who = ahead_of(cell, OURS_PLUS_PLUS)
        progress(f"{cell}: the frontier, ahead of k-means++: {', '.join(who) or '-'}")
    return cells


def ahead_of(cell: Cell, ours: str) -> list[str]:
    """Return who reaches our mean inertia or a lower one in less time."""
    inertia, seconds = cell.inertia(ours) * EQUAL, cell.seconds(ours)
    return [
        name
        for name in cell.runs
        if name not in (OURS, OURS_PLUS_PLUS)
        and cell.inertia(name) <= inertia
        and cell.seconds(name) < seconds
    ]
