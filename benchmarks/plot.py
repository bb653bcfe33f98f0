"""The frontier as a picture: time against inertia, ours and theirs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contenders import FULL_DATA
from benchmarks.harness import OURS, OURS_PLUS_PLUS, PLUS_PLUS, Cell

KS = (8, 64)
OUR_COLOR, PEER_COLOR, SHORTCUT_COLOR = "#c1272d", "#33608c", "#7a7a7a"
# The finest differences that are shown, in percent: below, the axis is linear.
FINEST = 0.5
# Inches; with DOTS to an inch, 900 pixels wide.
WIDTH, HEIGHT, DOTS = 9.0, 4.3, 100


class Point(NamedTuple):
    """A contender's milliseconds, and percents of inertia above the best."""

    name: str
    time: float
    above: float


def color_of(name: str) -> str:
    """Return the color of a contender's kind."""
    if name in (OURS, OURS_PLUS_PLUS):
        return OUR_COLOR
    plain = name.removesuffix(PLUS_PLUS)
    return PEER_COLOR if plain in FULL_DATA else SHORTCUT_COLOR


def label_of(name: str) -> str:
    """Return a contender's name, short enough to stand beside its point."""
    words = {
        "scikit-learn-intelex": "intelex",
        "MiniBatchKMeans": "mini-batch",
        "-pixel": "",
        "10,000": "10k",
        "1,000": "1k",
        "1,024": "1k",
        "4,096": "4k",
        "k-means++": "++",
        " (random)": "",
        "(": "",
        ")": "",
    }
    for long, short in words.items():
        name = name.replace(long, short)
    return name


def points_of(cell: Cell) -> list[Point]:
    """Return the points of a cell, ours first, so that theirs make room."""
    best = min(map(cell.inertia, cell.runs))
    points = [
        Point(name, 1e3 * cell.seconds(name), 100 * (cell.inertia(name) / best - 1))
        for name in cell.runs
    ]
    return sorted(points, key=lambda point: color_of(point.name) != OUR_COLOR)


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw a panel for each picture and k, and write the picture."""
    # Only who wants the picture waits for the import.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ks = [k for k in KS if any(cell.k == k for cell in cells)]
    ks = ks or sorted({cell.k for cell in cells})[-2:]
    pictures = list(dict.fromkeys(cell.picture for cell in cells))
    figure, panels = pyplot.subplots(
        len(pictures),
        len(ks),
        dpi=DOTS,
        figsize=(WIDTH, HEIGHT * len(pictures)),
        squeeze=False,
        layout="constrained",
    )
    drawn = []
    for row, picture in zip(panels, pictures):
        for panel, k in zip(row, ks):
            cell = next(c for c in cells if (c.picture, c.k) == (picture, k))
            fill(panel, cell)
            drawn.append((panel, points_of(cell)))
    for panel in panels[-1]:
        panel.set_xlabel("time, ms (better: to the left and down)")
    for panel in panels[:, 0]:
        panel.set_ylabel("mean inertia above the best, %")
    handles = [
        pyplot.Line2D([], [], marker="o", linestyle="", color=color, label=words)
        for color, words in (
            (OUR_COLOR, "kmeans_np"),
            (PEER_COLOR, "all pixels (++: seeded by k-means++)"),
            (SHORTCUT_COLOR, "shortcuts"),
        )
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    # Names are placed in dots: once all else is, they must not move anything.
    figure.canvas.draw()
    figure.set_layout_engine("none")
    for panel, points in drawn:
        name_points(panel, points)
    figure.savefig(path, dpi=DOTS)
    pyplot.close(figure)


def fill(panel: Any, cell: Cell) -> None:
    """Draw the points of one cell, each with its name beside it."""
    points = points_of(cell)
    panel.set_title(f"{cell}", fontsize=11)
    panel.set_xscale("log")
    panel.set_yscale("symlog", linthresh=FINEST)
    highest = max(point.above for point in points)
    panel.set_ylim(-0.4 * FINEST, max(highest * 1.6, 2 * FINEST))
    times = [point.time for point in points]
    panel.set_xlim(min(times) / 2.5, max(times) * 2.5)
    marks = [mark for mark in (0, 0.25, 0.5, 1, 2, 5, 10, 20, 50) if mark <= highest]
    panel.set_yticks(marks, [f"{mark:g}" for mark in marks])
    panel.set_yticks([], minor=True)
    panel.xaxis.set_major_formatter("{x:,g}")
    panel.grid(alpha=0.25, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    for name, time, above in points:
        ours = color_of(name) == OUR_COLOR
        size, layer = (8, 3) if ours else (5, 2)
        panel.plot(
            time, above, "o", markersize=size, color=color_of(name), zorder=layer
        )


# ---- Names -------------------------------------------------------------------------


class Box(NamedTuple):
    """A rectangle on the picture, in dots."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Say whether two rectangles have something in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def within(self, other: "Box") -> bool:
        """Say whether it is inside another one."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def places(x: float, y: float, width: float, height: float) -> Iterator[Box]:
    """Yield where a name may stand: right or left of its point, ever further off."""
    for move in sorted(range(-90, 91, 3), key=abs):
        for gap in (8.0, 19.0):
            for left in (x + gap, x - gap - width):
                bottom = y + move - height / 2
                yield Box(left, bottom, left + width, bottom + height)
        if abs(move) > height:
            bottom = y + move - height / 2
            yield Box(x - width / 2, bottom, x + width / 2, bottom + height)


def name_points(panel: Any, points: Sequence[Point]) -> None:
    """Write each name where it meets no point and no other name."""
    spots = [panel.transData.transform((p.time, p.above)) for p in points]
    taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in spots]
    whole = Box(*panel.get_window_extent().extents)
    for point, (x, y) in zip(points, spots):
        color = color_of(point.name)
        ours = color == OUR_COLOR
        text, letter = label_of(point.name), 8.8 if ours else 6.5
        width, height = letter * len(text), 13.0 if ours else 11.0
        free = (
            box
            for box in places(x, y, width, height)
            if box.within(whole) and not any(map(box.meets, taken))
        )
        box = next(free, Box(x + 8, y - height / 2, x + 8 + width, y + height / 2))
        taken.append(box)
        middle = (box.bottom + box.top) / 2
        # A name that is not just beside its point is tied to it.
        far = abs(middle - y) > height or not (
            x - 10 <= box.right and box.left <= x + 10
        )
        panel.annotate(
            text,
            (x, y),
            xytext=((box.left + box.right) / 2, middle),
            xycoords="figure pixels",
            textcoords="figure pixels",
            fontsize=9 if ours else 8,
            fontweight="bold" if ours else "normal",
            color=color,
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.5, "shrinkB": 2}
            if far
            else None,
        )
