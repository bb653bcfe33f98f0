"""The figures of chapter 7, from the names that the chapter's own code makes."""

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from style import ACCENT, CLUSTERS, INK, SOFT, save

PAGE = Path(__file__).parents[1] / "7-fast-without-changing-the-answer.md"


def run_page() -> dict[str, Any]:
    """Run the code of the chapter, and return what it named."""
    names: dict[str, Any] = {}
    text = PAGE.read_text(encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        for code in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
            examples = doctest.DocTestParser().get_examples(code)
            for source in [one.source for one in examples] or [code]:
                exec(source, names)
    return names


def draw_gap() -> None:
    """Draw a point, the two nearest centroids, and how far these may move."""
    figure = Figure(figsize=(7.5, 2.7))
    ax = figure.subplots()
    for x, reach, color, name in (
        (0, 1, CLUSTERS[0], "its own centroid\nmoves by at most 1"),
        (10, 2, CLUSTERS[1], "the other\nmoves by at most 2"),
    ):
        ax.add_patch(Circle((x, 0), reach, color=color, alpha=0.18, linewidth=0))
        ax.scatter(x, 0, marker="X", s=90, color=color, zorder=3)
        ax.text(x, -reach - 0.3, name, ha="center", va="top", color=color)
    ax.scatter(3, 0, s=60, color=INK, zorder=3)
    ax.text(3, -0.4, "the point", ha="center", va="top")
    draw_length(ax, 0, 3, 2.2, "3 before", SOFT)
    draw_length(ax, 3, 10, 2.2, "7 before", SOFT)
    draw_length(ax, -1, 3, 3.3, "at most 4 after", CLUSTERS[0])
    draw_length(ax, 3, 8, 3.3, "at least 5 after", CLUSTERS[1])
    ax.set(xlim=(-3, 13), ylim=(-3.7, 4.2), aspect="equal")
    ax.set_axis_off()
    save(figure, "7-gap")


def draw_length(
    ax: Axes, begin: float, end: float, height: float, text: str, color: str
) -> None:
    """Draw an arrow with two heads, and what it measures."""
    arrow = {"arrowstyle": "<->", "color": color, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (begin, height), (end, height), arrowprops=arrow)
    ax.text((begin + end) / 2, height + 0.1, text, ha="center", color=color)


def draw_looked_at(shares: list[float]) -> None:
    """Draw which share of the colors each step looked at."""
    figure = Figure(figsize=(7.5, 2.7))
    ax = figure.subplots()
    steps = range(1, len(shares) + 1)
    ax.bar(steps, [100] * len(shares), color=SOFT, alpha=0.12, width=0.8)
    ax.bar(steps, [100 * share for share in shares], color=CLUSTERS[0], width=0.8)
    ax.text(len(shares) + 0.4, 80, "need no look", color=SOFT, ha="right")
    ticks = [1, 5, 10, 15, 20, len(shares)]
    ax.set(xlabel="step", ylabel="colors, in %", xticks=ticks, yticks=[0, 50, 100])
    ax.set_title("looked at in each step")
    ax.margins(x=0.01)
    save(figure, "7-looked-at")


def draw_work(work: dict[str, int]) -> None:
    """Draw how many differences each idea leaves, added to those before."""
    titles = ("the textbook, on pixels", "on distinct colors")
    titles += ("and with deadlines", "and from a coarse start")
    figure = Figure(figsize=(7.5, 2.2))
    ax = figure.subplots()
    millions = [differences / 1e6 for differences in work.values()]
    bars = ax.barh(titles, millions, color=[SOFT, *[CLUSTERS[0]] * 2, ACCENT])
    ax.bar_label(bars, [f"{number:.1f}" for number in millions], padding=4)
    ax.invert_yaxis()
    ax.set_title("differences in the whole run, in millions")
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    save(figure, "7-work")


if __name__ == "__main__":
    names = run_page()
    draw_gap()
    draw_looked_at([n / names["m"] for n in names["looked_at"]])
    draw_work(names["work"])
