"""The picture of the part `whole`: a small and a large photograph."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import OURS, Row
from benchmarks.peers import SHORTCUTS

SHOWN = ("china, k = 16", "12 megapixels, k = 16")
OUR_COLOR, PEER_COLOR, SHORTCUT_COLOR = "#c2410c", "#1e3a5f", "#6b7280"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw a panel for each of the cases that are shown, a bar for each contender."""
    # Only who wants the picture waits for the import.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [row for row in rows if row.name in SHOWN] or [*rows[:1]]
    figure, panels = pyplot.subplots(
        1, len(shown), figsize=(11, 4.2), dpi=120, squeeze=False, layout="constrained"
    )
    for panel, row in zip(panels[0], shown):
        fill(panel, row)
    figure.supxlabel("time, ms (shorter is better); beside it, inertia above the best")
    figure.savefig(path)
    pyplot.close(figure)


def fill(panel: Any, row: Row) -> None:
    """Draw the bars of one case, the fastest on top, each with its inertia."""
    names = sorted(row.spent, key=lambda who: -row.spent[who].wall)
    times = [1e3 * row.spent[who].wall for who in names]
    best = min(row.inertia.values())
    bars = panel.barh(names, times, color=[color_of(who) for who in names], height=0.62)
    words = [
        f"{t:,.0f}, {100 * (row.inertia[w] / best - 1):+.1f} %"
        for w, t in zip(names, times)
    ]
    panel.bar_label(bars, words, padding=4, fontsize=9)
    panel.set_title(row.name, fontsize=11)
    panel.set_xscale("log")
    panel.set_xlim(min(times) / 2, max(times) * 12)
    panel.xaxis.set_major_formatter("{x:,g}")
    panel.spines[["top", "right"]].set_visible(False)
    for label in panel.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")


def color_of(who: str) -> str:
    """Return the color of a contender's kind."""
    if who == OURS:
        return OUR_COLOR
    return SHORTCUT_COLOR if who in SHORTCUTS else PEER_COLOR
