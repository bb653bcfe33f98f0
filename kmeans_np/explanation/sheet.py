"""A run as a sheet: every step on one picture, for a slide."""

from typing import NamedTuple

import numpy as np

import kmeans_np.explanation.canvas as ink
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
    """One picture of a sheet.

    Attributes
    ----------
    name : str
        What it is.
    inertia : float or None
        The inertia of the centroids; None if there are none.
    centroids : (k, d) array of float64 or None
        The centroids; None for the picture as it is.
    labels : (m,) array of int or None
        The nearest of them for each point.
    shares : (k,) array of float64 or None
        How much of all is in each cluster.
    path : (t, k, d) array of float64 or None
        Where the centroids have been, and at last are.
    """

    name: str
    inertia: float | None = None
    centroids: Floats | None = None
    labels: Array | None = None
    shares: Floats | None = None
    path: Floats | None = None


class Grid(NamedTuple):
    """How the pictures of a sheet, and after them the curve, are laid out.

    Attributes
    ----------
    n, columns : int
        How many pictures there are, and how many side by side.
    cell : int
        How wide a column is, in pixels.
    tall, wide : int
        How large a picture is.
    """

    n: int
    columns: int
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
    """Return the pictures of a sheet in order.

    Parameters
    ----------
    record : Record
        The run.

    Returns
    -------
    list of Cell
        The original, each step that is kept, and the end.
    """
    found = [Cell("points")]
    path, total = [record.start], record.counts.sum()
    for step in record.steps:
        shares = record.counts_of(step) / total
        name = f"step {step.iteration}"
        found.append(
            Cell(
                name, step.inertia, step.centroids, step.labels, shares, np.array(path)
            )
        )
        path.append(step.new_centroids)
    end, shares = record.end.new_centroids, record.counts / total
    last = Cell("end", record.inertia, end, record.labels, shares, np.array(path))
    return [*found, last]


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
    """Return a run as the content of a PNG file with all of its steps.

    Parameters
    ----------
    record : Record
        The run.
    material : Material
        What it ran on.

    Returns
    -------
    bytes
        The file: at most 3,200 pixels wide.
    """
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
    """Draw the title of a sheet."""
    paper, k, n = Canvas(width, TITLE), len(record.start), record.n_iter
    steps = "1 step" if n == 1 else f"{n:,} steps"
    words = f"K-means, k = {k}: {steps}, stopped by {record.end.stopped_by}"
    size = LARGE
    while size > SMALL and paper.width_of(words, size) > width - 2 * MARGIN:
        size -= 2
    paper.text(MARGIN, 92, words, size)
    more = [
        f" {ink.TIMES} ".join(f"{side:,}" for side in material.shape),
        "each pixel in the color of its nearest centroid"
        if material.is_image
        else "each point with its nearest centroid",
        "below: the inertia, and the share of each cluster",
    ]
    if n > len(record.steps):
        more.append(f"{len(record.steps)} of the steps are shown")
    if reduced:
        more.append("shown reduced")
    while (
        len(more) > 1 and paper.width_of(" · ".join(more), MEDIUM) > width - 2 * MARGIN
    ):
        more.pop(1)
    paper.text(MARGIN, 138, " · ".join(more), MEDIUM, ink.SOFT)
    return paper.pixels()


def _drawn(painter: Painter, cell: Cell, grid: Grid) -> RGB:
    """Draw a cell of a sheet."""
    tall, wide = grid.tall, grid.wide
    paper = Canvas(grid.cell, tall + BELOW)
    image = painter.material.is_image
    colors = painter.colors(cell.centroids)
    if image:
        paper.picture(
            0, 0, ink.fitted(painter.painted(cell.labels, colors), wide, tall)
        )
    else:
        painter.cloud.draw(
            paper, (0, 0, wide, tall), 0, colors, cell.path, cell.centroids
        )
    name = "original" if image and cell.centroids is None else cell.name
    paper.text(0, tall + 32, name, MEDIUM)
    if cell.shares is not None and cell.inertia is not None:
        words = ink.brief(cell.inertia)
        paper.text(grid.cell, tall + 32, words, MEDIUM, ink.SOFT, True)
        bar = (1, tall + 48, grid.cell - 1, tall + 48 + BAR)
        ink.palette_bar(paper, bar, colors, cell.shares, SMALL)
    return paper.pixels()


def _curve(record: Recording, width: int, height: int) -> RGB:
    """Draw how the inertia falls."""
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
