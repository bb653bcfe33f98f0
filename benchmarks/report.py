"""What was measured, as Markdown."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.harness import OURS, Row, geometric_mean, ms, percent, table
from benchmarks.peers import LLOYD, SHORTCUTS
from benchmarks.pictures import LARGE

TITLES = {
    "given": "Photographs, from the same given centroids",
    "whole": "Photographs, with default settings",
    "limit": "A large photograph, compared with decoding its file",
    "points": "Points, from the same given centroids",
    "predict": "Labels of points, `predict`",
    "clusters": "Many clusters",
    "busy": "While another process keeps one core busy",
    "threads": "All threads and one thread",
    "twice": "Two runs at once",
    "kinds": "Other images",
    "palettes": "Fixed palettes",
    "curves": "The inertia over k",
    "starts": "Random starts and k-means++, both on a histogram",
    "small": "Small things",
}
ONE = "one thread"


def peers(row: Row) -> list[str]:
    """Return who else clusters all the data, but scikit-learn; the fastest first."""
    return [who for who in row.others() if who not in (*SHORTCUTS, LLOYD, ONE)]


def paragraphs(rows: Sequence[Row], cores: int) -> Iterator[str]:
    """Tell all, part by part."""
    for part, title in TITLES.items():
        some = [row for row in rows if row.part == part]
        if some:
            yield f"## {title}"
            yield from summary(some)
            yield TABLES.get(part, beside_all)(some, cores)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Say how the ratios are, all together, of small and of large pictures."""
    large = [row for row in rows if row.name.startswith(LARGE)]
    small = [row for row in rows if row not in large]
    for name, some in (("", small), (f"{LARGE}: ", large)):
        told = []
        for who, ratios in {
            LLOYD: [row.ratio(LLOYD) for row in some if LLOYD in row.spent],
            "the fastest other": [
                row.ratio(peers(row)[0]) for row in some if peers(row)
            ],
        }.items():
            if len(ratios) > 1:
                mean = geometric_mean(ratios)
                told.append(f"{who} {mean:.2f} (at least {min(ratios):.2f})")
        if told:
            yield f"{name}Times as long as ours, geometric mean: {'; '.join(told)}."


def beside_all(rows: Sequence[Row], _: int) -> str:
    """Return times and ratios: scikit-learn, and the fastest of the others."""
    heads = ["", "ours, ms"]
    heads += ["scikit-learn"] if any(LLOYD in row.spent for row in rows) else []
    heads += ["fastest other"] if any(map(peers, rows)) else []
    judged = any(len(row.inertia) > 1 for row in rows)
    heads += ["their inertia"] if judged else []
    return table(tuple(heads), (beside(row, heads) for row in rows))


def beside(row: Row, heads: Sequence[str]) -> tuple[str, ...]:
    """Return a row of `beside_all`."""
    told = [row.name, ms(row.spent[OURS].wall)]
    if "scikit-learn" in heads:
        told.append(f"{row.ratio(LLOYD):.2f}" if LLOYD in row.spent else "")
    if "fastest other" in heads:
        some = peers(row)
        told.append(f"{row.ratio(some[0]):.2f} ({some[0]})" if some else "")
    if "their inertia" in heads:
        theirs = [
            row.inertia[who] for who in row.inertia if who in (LLOYD, *peers(row))
        ]
        told.append(percent(min(theirs), row.inertia[OURS]) if theirs else "")
    return tuple(told)


def with_shortcuts(rows: Sequence[Row], cores: int) -> str:
    """Return what users do instead, too: its time, and how much worse it is."""
    heads = ("", *(f"{who}, inertia" for who in SHORTCUTS))
    told = [
        (
            row.name,
            *(
                f"{row.ratio(who):.2f}, {percent(row.inertia[who], row.inertia[OURS])}"
                if who in row.spent
                else ""
                for who in SHORTCUTS
            ),
        )
        for row in rows
    ]
    return f"{beside_all(rows, cores)}\n\nWhat is done instead:\n\n{table(heads, told)}"


def with_processor_time(rows: Sequence[Row], _: int) -> str:
    """Return what another process costs, and what all cores together spend."""
    heads = ("", "ours, ms", "scikit-learn", "processor time", "with one thread")
    return table(
        heads,
        (
            (
                row.name,
                ms(row.spent[OURS].wall),
                f"{row.ratio(LLOYD):.2f}",
                ms(row.spent[OURS].cpu),
                f"{row.spent[ONE].cpu / row.spent[OURS].cpu:.2f}",
            )
            for row in rows
        ),
    )


def by_threads(rows: Sequence[Row], cores: int) -> str:
    """Return the serial share of each, and what follows from it (Amdahl)."""
    heads = ("", "ours, ms", "one thread", "serial share", "8 cores", "16 cores")
    told = []
    for row in rows:
        speed = row.ratio(ONE)
        # Of n cores, a share s that is serial leaves 1 / (s + (1 - s) / n).
        serial = min(1.0, max(0.0, (cores / speed - 1) / max(cores - 1, 1)))
        more = (f"{1 / (serial + (1 - serial) / n):.1f}" for n in (8, 16))
        wall = ms(row.spent[OURS].wall)
        told.append((row.name, wall, f"{speed:.2f}", f"{serial:.0%}", *more))
    return table(heads, told)


TABLES: dict[str, Callable[[Sequence[Row], int], str]] = {
    "whole": with_shortcuts,
    "busy": with_processor_time,
    "threads": by_threads,
}
