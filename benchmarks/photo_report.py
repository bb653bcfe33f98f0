"""What the parts about photographs have to tell."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.contenders import FULL_DATA
from benchmarks.harness import LLOYD, OURS, OURS_PLUS_PLUS, Cell
from benchmarks.photos import ahead_of
from benchmarks.report import (
    Verdict,
    at_least,
    at_most,
    geometric_mean,
    ms,
    percent_above,
    table,
)

LARGEST_K_OF_DEFAULTS = 16
NOTHING = "-"


def against_scikit_learn(cell: Cell) -> float:
    """Return the ratio against scikit-learn's Lloyd."""
    return cell.ratio(LLOYD)


def against_fastest(cell: Cell) -> float:
    """Return the ratio against the fastest peer that clusters all pixels."""
    return cell.ratio(cell.fastest(FULL_DATA))


def speed_verdicts(cells: Sequence[Cell], bounds: Sequence[float]) -> list[Verdict]:
    """Judge the ratios by four bounds: mean and smallest, scikit-learn and fastest."""
    kinds = (
        ("scikit-learn", against_scikit_learn),
        ("the fastest full-data peer", against_fastest),
    )
    verdicts = []
    for (who, ratio_of), mean, smallest in zip(kinds, bounds[::2], bounds[1::2]):
        ratios = [ratio_of(cell) for cell in cells]
        verdicts += [
            at_least(f"against {who}, geometric mean", mean, geometric_mean(ratios)),
            at_least(f"against {who}, every cell", smallest, min(ratios)),
        ]
    return verdicts


def same_start_verdicts(cells: Sequence[Cell]) -> list[Verdict]:
    """Judge the part with given centroids."""
    return speed_verdicts(cells, (5, 2, 2, 1))


def whole_job_verdicts(cells: Sequence[Cell]) -> list[Verdict]:
    """Judge the part with the defaults, inertia included."""
    worse = [cell.inertia(OURS) / cell.inertia(LLOYD) for cell in cells]
    return [
        *speed_verdicts(cells, (10, 3, 4, 1.5)),
        at_most(
            "mean inertia beside scikit-learn's, mean of the cells",
            1.001,
            geometric_mean(worse),
        ),
        at_most(
            "mean inertia beside scikit-learn's, every cell",
            1.001,
            max(worse),
        ),
    ]


# ---- Tables ------------------------------------------------------------------------


def ratio_table(cells: Sequence[Cell]) -> str:
    """Return ours beside scikit-learn and beside the fastest peer."""
    heads = ("picture", "k", "ours, ms", "scikit-learn, ms", "ratio")
    heads += ("fastest peer", "its ms", "ratio", "pixels labeled alike")
    rows = []
    for cell in cells:
        best = cell.fastest(FULL_DATA)
        alike = cell.agreement.get("labeled alike")
        rows.append(
            (
                cell.picture,
                str(cell.k),
                ms(cell.seconds(OURS)),
                ms(cell.seconds(LLOYD)),
                f"{cell.ratio(LLOYD):.2f}",
                best,
                ms(cell.seconds(best)),
                f"{cell.ratio(best):.2f}",
                NOTHING if alike is None else f"{alike:.2%}",
            )
        )
    return without_empty_column(heads, rows)


def without_empty_column(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the table, without its last column if that says nothing."""
    if all(row[-1] == NOTHING for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return table(heads, rows)


def everyone(cells: Sequence[Cell], tell: Callable[[Cell, str], str]) -> str:
    """Return one row for each cell, with what is told of each contender."""
    names = [n for n in (OURS, *FULL_DATA) if any(n in cell.runs for cell in cells)]
    rows = [
        (
            cell.picture,
            str(cell.k),
            *(tell(cell, n) if n in cell.runs else NOTHING for n in names),
        )
        for cell in cells
    ]
    return table(("picture", "k", *names), rows)


def time_and_seeds(cell: Cell, name: str) -> str:
    """Tell a contender's time, and from how many seeds it is."""
    return f"{ms(cell.seconds(name))} ({len(cell.runs[name])})"


def inertia_and_steps(cell: Cell, name: str) -> str:
    """Tell a contender's inertia (beside ours), and its steps."""
    steps = cell.steps(name)
    told = "" if steps is None else f" in {steps:g}"
    if name == OURS:
        return f"{cell.inertia(name):.5g}{told}"
    seeds = cell.shared(name)
    return percent_above(cell.inertia(name, seeds), cell.inertia(OURS, seeds)) + told


def means(cells: Sequence[Cell]) -> str:
    """Tell the geometric means of the ratios, picture by picture and of all."""
    pictures = list(dict.fromkeys(cell.picture for cell in cells))
    told = []
    for picture in (*pictures, "all"):
        some = [cell for cell in cells if picture in ("all", cell.picture)]
        one = geometric_mean(map(against_scikit_learn, some))
        two = geometric_mean(map(against_fastest, some))
        told.append(f"{picture} {one:.2f} and {two:.2f}")
    return (
        "Geometric means of the ratios, against scikit-learn and against the fastest "
        f"full-data peer: {'; '.join(told)}."
    )


def skipped(cells: Sequence[Cell]) -> Iterator[str]:
    """Tell who was left out, and why."""
    reasons = [
        f"{cell}: {name} ({why})"
        for cell in cells
        for name, why in cell.skipped.items()
    ]
    if reasons:
        yield "Left out: " + "; ".join(reasons) + "."


def where_a_peer_wins(cells: Sequence[Cell]) -> str:
    """Tell the cells where a peer that clusters all pixels is faster."""
    lost = []
    for cell in cells:
        peers = [n for n in FULL_DATA if n in cell.runs and cell.ratio(n) < 1]
        told = ", ".join(f"{n} ({cell.ratio(n):.2f})" for n in peers)
        if told:
            lost.append(f"{cell}: {told}")
    if not lost:
        return "No peer that clusters all pixels is faster anywhere."
    return "Faster than ours (their time beside ours): " + "; ".join(lost) + "."


def tables(cells: Sequence[Cell]) -> Iterator[str]:
    """Tell what is told of both parts."""
    yield ratio_table(cells)
    yield means(cells)
    yield where_a_peer_wins(cells)
    yield "Median time of each, ms (number of seeds):"
    yield everyone(cells, time_and_seeds)
    yield "Mean inertia (peers: above ours, of the same seeds), and median steps:"
    yield everyone(cells, inertia_and_steps)
    yield from skipped(cells)


def same_start_section(cells: Sequence[Cell]) -> Iterator[str]:
    """Tell of the given centroids."""
    yield "## Photos, from the same given centroids"
    few = [f"{cell} ({cell.max_iter})" for cell in cells if cell.max_iter < 300]
    yield (
        "One start at random colors, max_iter = 300, tol = 1e-4; the whole job, from "
        "the uint8 array to labels and painted picture. Ratios are of median times "
        "over the seeds that both have run. scikit-learn and faiss are run with all "
        "cores and, where that takes below 2 s, with one: the faster counts. SciPy and "
        "faiss have no stop rule and OpenCV another one: they are told to take as many "
        "steps as scikit-learn (OpenCV: 100 at most, and it is given the labels of the "
        "first step). Inertia is added up over all pixels by direct differences in "
        "float64; peers work in float32. Not timed: from the first seed, our answer is "
        "compared with scikit-learn's in float64, where both must be the same (on a "
        "large picture: of the first 5 steps, up to k = 64)."
        + (f" Everyone takes fewer steps at most in: {', '.join(few)}." * bool(few))
    )
    yield from tables(cells)


def whole_job_section(cells: Sequence[Cell]) -> Iterator[str]:
    """Tell of the whole job."""
    yield "## Photos, the whole job as users call it"
    yield (
        "Ours: `segment_image(image, k)` with its defaults. Peers: one start at random "
        "points of their own. SciPy and faiss take as many steps as scikit-learn from "
        "the same seed; OpenCV stops when no centroid moves further than "
        "sqrt(tol * variance / sqrt(k)), which takes about as many, or after 100."
    )
    yield from tables(cells)


# ---- The frontier ------------------------------------------------------------------


def on_the_frontier(cells: Sequence[Cell]) -> Iterator[tuple[Cell, str, list[str]]]:
    """Yield each cell and start that is to be on the frontier, and who is ahead."""
    for cell in cells:
        yield cell, OURS_PLUS_PLUS, ahead_of(cell, OURS_PLUS_PLUS)
        if cell.k <= LARGEST_K_OF_DEFAULTS:
            yield cell, OURS, ahead_of(cell, OURS)


def frontier_verdicts(cells: Sequence[Cell]) -> list[Verdict]:
    """Judge whether nobody reaches our mean inertia in less time."""
    kinds = {
        OURS_PLUS_PLUS: "with k-means++, nobody reaches our inertia in less time",
        OURS: f"with the defaults and k up to {LARGEST_K_OF_DEFAULTS}, nobody does",
    }
    verdicts = []
    for ours, words in kinds.items():
        found = [who for _, start, who in on_the_frontier(cells) if start == ours]
        free = sum(not who for who in found)
        told = f"{free} of {len(found)} cells"
        verdicts.append(Verdict(words, told, free == len(found)))
    return verdicts


def frontier_table(cells: Sequence[Cell]) -> str:
    """Return time and inertia of all contenders on one picture."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.runs))
    names.sort(key=lambda name: name not in (OURS, OURS_PLUS_PLUS))
    rows = []
    for name in names:
        told = []
        for cell in cells:
            if name not in cell.runs:
                told.append(NOTHING)
                continue
            best = min(map(cell.inertia, cell.runs))
            above = percent_above(cell.inertia(name), best)
            told.append(f"{ms(cell.seconds(name))}, {above}")
        rows.append((name, *told))
    return table(("contender", *(f"k = {cell.k}" for cell in cells)), rows)


def frontier_section(cells: Sequence[Cell]) -> Iterator[str]:
    """Tell of the frontier."""
    yield "## Photos, the frontier: time against inertia"
    yield (
        "Median time in ms, and mean inertia above the best in the column. Shortcuts: "
        "scikit-learn fitted to a sample, then `predict` on all pixels; "
        "`MiniBatchKMeans` with two batch sizes, on one thread; Pillow's "
        "`quantize(kmeans=1)`. To reach an inertia means to come within 0.1 %."
    )
    if not any(LLOYD in cell.runs for cell in cells):
        yield "Peers that cluster all pixels were not measured in this run."
    for picture in dict.fromkeys(cell.picture for cell in cells):
        some = [cell for cell in cells if cell.picture == picture]
        yield f"On {picture}:"
        yield frontier_table(some)
    lost = [
        f"{cell}, {'k-means++' if start == OURS_PLUS_PLUS else 'defaults'}: "
        + ", ".join(who)
        for cell, start, who in on_the_frontier(cells)
        if who
    ]
    yield (
        "Who reaches our inertia in less time: " + "; ".join(lost) + "."
        if lost
        else "Nobody reaches our inertia in less time."
    )
    yield from skipped(cells)
