"""A run as a sheet: every step on one picture, for a slide."""

from typing import NamedTuple

import numpy as np

import kmeans_np.explanation.canvas as ink
from kmeans_np.checks import pluralize
from kmeans_np.explanation.canvas import RGB, Canvas
from kmeans_np.explanation.film import Painter
from kmeans_np.explanation.recording import Recording
from kmeans_np.explanation.subject import Subject
from kmeans_np.files import png_bytes
from kmeans_np.lloyd import Array, Floats

WIDEST, MARGIN, GAP = 3200, 72, 40
LARGE, MEDIUM, SMALL = 52, 26, 22
# The height of the title, and of what stands below a picture.
TITLE, BELOW = 190, 110
# How tall the curve is if it has a row of its own.
CURVE = 240
BAR = 24
# A picture has at most so many pixels in a row or column, and its cell at least so many
# in a row.
LARGEST, NARROWEST = 640, 220
# How wide a sheet is for its height, if it can be.
FORM = 16 / 9


class Cell(NamedTuple):
    """One picture of a sheet: points or picture as they are, or at a step."""

    name: str
    inertia: float | None = None
    # The centroids, (k, d), and the nearest of them for each point, (m,).
    centroids: Floats | None = None
    labels: Array | None = None
    # How much of all is in each cluster, (k,).
    shares: Floats | None = None
    # Where the centroids have been, and at last are, (t, k, d).
    path: Floats | None = None


class Grid(NamedTuple):
    """How the pictures of a sheet, and after them the curve, are laid out."""

    # How many pictures there are, and how many side by side.
    n: int
    columns: int
    # How wide a column is, in pixels, and how large a picture.
    cell: int
    tall: int
    wide: int

    @property
    def shape(self) -> tuple[int, int]:
        """The height and the width of the sheet."""
        foot = self.curve[1][0]
        return foot + MARGIN, 2 * MARGIN + self.columns * (self.cell + GAP) - GAP

    @property
    def curve(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the curve begins and ends: rows and columns of the sheet."""
        right = MARGIN + self.columns * (self.cell + GAP) - GAP
        if self.n % self.columns and self.tall >= CURVE / 2:
            top, left = self.place(self.n)
            return (top, left), (top + self.tall + BELOW, right)
        top = self.place(self.n + -self.n % self.columns)[0]
        return (top, MARGIN), (top + CURVE + BELOW, right)

    def place(self, number: int) -> tuple[int, int]:
        """Return the row and the column of the sheet where a picture begins."""
        row, column = divmod(number, self.columns)
        down = TITLE + row * (self.tall + BELOW + GAP)
        return down, MARGIN + column * (self.cell + GAP)


def cells(record: Recording) -> list[Cell]:
    """Return the pictures of a sheet: the original, each step that is kept, the end."""
    found = [Cell("points")]
    path, total = [record.start], record.counts.sum()
    for step in record.steps:
        shows = (step.centroids, step.labels, record.counts_of(step) / total)
        name = f"step {step.iteration}"
        found.append(Cell(name, step.inertia, *shows, np.array(path)))
        path.append(step.new_centroids)
    shows = (record.end.new_centroids, record.labels, record.counts / total)
    return [*found, Cell("end", record.inertia, *shows, np.array(path))]


def grid_of(n: int, rows: int, columns: int) -> Grid:
    """Return how n pictures of so many rows and columns, and a curve, are laid out."""
    blank = np.zeros((rows, columns, 3), np.uint8)
    grids: list[Grid] = []
    for across in range(min(n, 3), n + 1):
        room = (WIDEST - 2 * MARGIN + GAP) // across - GAP
        if room < NARROWEST and grids:
            break
        tall, wide, _ = ink.fitted(blank, min(room, LARGEST), LARGEST).shape
        grids.append(Grid(n, across, max(wide, NARROWEST), tall, wide))
    return min(grids, key=lambda g: abs(np.log(g.shape[1] / g.shape[0] / FORM)))


def sheet_bytes(record: Recording, material: Subject) -> bytes:
    """Return a PNG file with all the steps of a run, at most 3,200 pixels wide."""
    painter, shown = Painter(record, material), cells(record)
    size = painter.original.shape[:2] if material.is_image else (360, 480)
    grid = grid_of(len(shown), size[0], size[1])
    height, width = grid.shape
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = ink.rgb_of([ink.PAPER])
    reduced = material.reduced or (material.is_image and grid.tall < size[0])
    sheet[:TITLE] = _title(record, material, width, reduced)
    for number, cell in enumerate(shown):
        top, left = grid.place(number)
        drawn = _drawn(painter, cell, grid)
        sheet[top : top + len(drawn), left : left + grid.cell] = drawn
    (top, left), (bottom, right) = grid.curve
    sheet[top:bottom, left:right] = _curve(record, right - left, bottom - top)
    return png_bytes(sheet)


def _title(record: Recording, material: Subject, width: int, reduced: bool) -> RGB:
    paper, room = Canvas(width, TITLE), width - 2 * MARGIN
    k, steps = len(record.start), pluralize(record.n_iter, "step")
    words = f"K-means, k = {k}: {steps}, stopped by {record.end.stopped_by}"
    size = LARGE
    while size > SMALL and paper.width_of(words, size) > room:
        size -= 2
    paper.text(MARGIN, 92, words, size)
    each = "each point with its nearest centroid"
    if material.is_image:
        each = "each pixel in the color of its nearest centroid"
    shape = f" {ink.TIMES} ".join(f"{side:,}" for side in material.shape)
    more = [shape, each, "below: the inertia, and the share of each cluster"]
    space = material.features.space
    if space is not None:
        more.append(f"compared in {space.name}")
    if record.n_iter > len(record.steps):
        more.append(f"{len(record.steps)} of the steps are shown")
    if reduced:
        more.append("shown reduced")
    while len(more) > 1 and paper.width_of(" · ".join(more), MEDIUM) > room:
        more.pop(1)
    paper.text(MARGIN, 138, " · ".join(more), MEDIUM, ink.SOFT)
    return paper.pixels()


def _drawn(painter: Painter, cell: Cell, grid: Grid) -> RGB:
    tall, wide = grid.tall, grid.wide
    paper = Canvas(grid.cell, tall + BELOW)
    image = painter.material.is_image
    colors = painter.colors(cell.centroids)
    if image:
        picture = painter.painted(cell.labels, colors)
        paper.picture(0, 0, ink.fitted(picture, wide, tall))
    else:
        box = (0, 0, wide, tall)
        painter.cloud.draw(paper, box, 0, colors, cell.path, cell.centroids)
    name = "original" if image and cell.centroids is None else cell.name
    paper.text(0, tall + 32, name, MEDIUM)
    if cell.shares is not None and cell.inertia is not None:
        words = ink.brief(cell.inertia)
        paper.text(grid.cell, tall + 32, words, MEDIUM, ink.SOFT, True)
        bar = (1, tall + 48, grid.cell - 1, tall + 48 + BAR)
        ink.palette_bar(paper, bar, colors, cell.shares, SMALL)
    return paper.pixels()


def _curve(record: Recording, width: int, height: int) -> RGB:
    paper = Canvas(width, height)
    values = np.append(record.inertias, record.inertia)
    foot = height - BELOW
    ink.curve(paper, (0, 16, width - 12, foot), values, len(values) - 1, 2.4)
    name = paper.text(0, foot + 32, "inertia", MEDIUM)
    words = ink.brief(float(values[-1]))
    both = f"{ink.brief(float(values[0]))} {ink.ARROW} {words}"
    if name + MEDIUM + paper.width_of(both, MEDIUM) <= width:
        words = both
    paper.text(width, foot + 32, words, MEDIUM, ink.SOFT, True)
    return paper.pixels()
