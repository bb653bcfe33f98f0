"""A run as a film: an endless GIF over its moves."""

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import kmeans_np.explanation.canvas as ink
from kmeans_np.clustering import STOP_REASONS
from kmeans_np.colors import distinct_colors, look_up
from kmeans_np.explanation.canvas import RGB, Box, Canvas
from kmeans_np.explanation.recording import Recording
from kmeans_np.explanation.scatter import Cloud
from kmeans_np.explanation.subject import Subject
from kmeans_np.lloyd import Array, Floats, Step

WIDTH, HEIGHT, MARGIN, GAP = 760, 434, 28, 24
LARGE, MEDIUM, SMALL = 21, 14, 12
TOP, PANEL = 84, 255
# A film shows at most so many steps: the first, the last, and others between.
FIRST, BETWEEN, LAST = 9, 8, 3
# How long frames are held, in milliseconds: a move, but all together not much longer
# than so long; and the last.
MOVE, SHORTEST, TOGETHER, END = 700, 350, 20_000, 3000
# A GIF frame has 256 colors, one of which says that nothing changed.
COLORS = 255
NAMES = ("choose", "assign", "update", "stop")


class Move(NamedTuple):
    """What a frame shows."""

    # One of "flatten" or "points", "choose", "assign", "update" and "stop".
    name: str
    # What happened, in one line, and what else is worth saying.
    caption: str
    note: str
    # Where in the inertia of all moves it is.
    here: int | None = None
    # The centroids, (k, d), and the cluster of each point, (m,); None as long as there
    # are none.
    centroids: Floats | None = None
    labels: Array | None = None
    # The centroids that the labels are the nearest of, (k, d).
    cells: Floats | None = None
    # How much of all is in each cluster, (k,).
    shares: Floats | None = None
    # Where the centroids have been, and at last are, (t, k, d).
    path: Floats | None = None


def moves(record: Recording, material: Subject) -> Iterator[Move]:
    """Yield the moves of a run: flatten, choose, assign and update, and stop.

    They are at most some forty.
    """
    start, k = record.start, len(record.start)
    noun = "pixels" if material.is_image else "points"
    yield _first(material)
    words = f"choose: {k} starting centroid{'s' if k > 1 else ''}"
    yield Move("choose", words, "", None, start, path=start[np.newaxis])
    path, before = [start], 0
    shown = {step.iteration for step in shown_steps(record.steps)}
    for step in record.steps:
        path.append(step.new_centroids)
        if step.iteration in shown:
            yield from _of_step(record, step, np.array(path), before, noun)
            before = step.iteration
    shares = record.counts / record.counts.sum()
    last = record.end.new_centroids
    why, note = _why(record, noun)
    yield Move(
        "stop", why, note, 2 * record.n_iter, last, record.labels, last, shares,
        np.array(path),
    )  # fmt: skip


def _first(material: Subject) -> Move:
    """Return the move that makes points of pixels."""
    if not material.is_image:
        what = f"{material.n:,} points of {len(material.axes)} features"
        return Move("points", what.replace(" 1 features", " 1 feature"), "")
    sizes = f" {ink.TIMES} ".join(f"{size:,}" for size in material.shape)
    words = f"{sizes} {ink.ARROW} {material.n:,} {ink.TIMES} {len(material.axes)}"
    note = "each pixel" if material.part is None else "each included pixel"
    note += " is a row"
    if material.features.space is not None:
        note += f", in {material.features.space.name}"
    elif material.unit != 1:
        note += f", divided by {material.unit:,.0f}"
    if material.reduced:
        note += " (shown reduced)"
    return Move("flatten", f"flatten: {words}", note)


def shown_steps(steps: list[Step]) -> list[Step]:
    """Return the steps that a film shows: all, or the first, some, and the last."""
    if len(steps) <= FIRST + BETWEEN + LAST:
        return steps
    rest = len(steps) - FIRST - LAST
    kept = [FIRST + (2 * i + 1) * rest // (2 * BETWEEN) for i in range(BETWEEN)]
    return [*steps[:FIRST], *(steps[i] for i in kept), *steps[-LAST:]]


def _of_step(
    record: Recording, step: Step, path: Floats, before: int, noun: str
) -> Iterator[Move]:
    number, total = step.iteration, record.counts.sum()
    note = f"step {number} of {record.n_iter}"
    if number == before + 2:
        note += f" · step {before + 1} is not shown"
    if number > before + 2:
        note += f" · steps {before + 1} to {number - 1} are not shown"
    changed = f"{step.n_changed:,.0f} of {total:,.0f} {noun} changed cluster"
    if number == 1:
        changed = f"all {total:,.0f} {noun} join their nearest centroid"
        changed = changed if total > 1 else "the only one joins its nearest centroid"
    words, here = f"assign {number}: {changed}", 2 * number - 2
    clusters = (step.labels, step.centroids, record.counts_of(step) / total)
    yield Move("assign", words, note, here, step.centroids, *clusters, path[:-1])
    moved = step.new_centroids - step.centroids
    far = np.sqrt(np.square(moved).sum(axis=1)).max()
    words = f"the farthest centroid moved {ink.brief(float(far))}"
    if step.restarted:
        n = len(step.restarted)
        what = "an empty cluster" if n == 1 else f"{n} empty clusters"
        words = f"{what} restarted, {words}"
    words, here = f"update {number}: {words}", 2 * number - 1
    yield Move("update", words, note, here, step.new_centroids, *clusters, path)


def _why(record: Recording, noun: str) -> tuple[str, str]:
    n, shift = record.n_iter, ink.brief(record.end.shift)
    least = ink.brief(record.tol * record.mean_variance)
    steps = "1 step" if n == 1 else f"{n} steps"
    stopped_by = str(record.end.stopped_by)
    why = STOP_REASONS[stopped_by].because.format(noun=noun[:-1])
    if stopped_by == "tol" and not record.end.shift:
        why = "no centroid moves"
    numbers = {
        "tol": f"squared moves {shift}, not above tol {ink.TIMES} variance {least}",
        "max_iter": f"max_iter = {record.max_iter}",
    }
    return f"stopped after {steps}: {why}", numbers.get(stopped_by, "")


class Painter:
    """What a run is shown with: its picture or points, at any move."""

    def __init__(self, record: Recording, material: Subject) -> None:
        self.record, self.material = record, material
        self.cloud = Cloud(material, record.start)
        self.original: RGB = np.zeros((1, 1, 3), np.uint8)
        if material.is_image:
            self.original = material.screen.rgb(material.shown).copy()
            if material.part is not None:
                out = ~material.part
                self.original[out] = ink.mixed(self.original[out], ink.PAPER, 0.65)

    def colors(self, centroids: Floats | None) -> RGB:
        """Return the color of each cluster, (k, 3): of an image, its centroid's."""
        if centroids is None:
            return np.zeros((0, 3), np.uint8)
        if self.material.is_image:
            return self.material.rgb(centroids)
        return ink.rgb_of(ink.CLUSTERS)[np.arange(len(centroids)) % len(ink.CLUSTERS)]

    def painted(self, labels: Array | None, colors: RGB) -> RGB:
        """Return the picture with each pixel in the color of its cluster."""
        if labels is None:
            return self.original
        shown = self.material.labels_shown(labels)
        return np.where(shown[..., np.newaxis] < 0, self.original, colors[shown])

    def frame(self, move: Move) -> Canvas:
        """Draw what a film shows at a move."""
        paper = Canvas(WIDTH, HEIGHT)
        _headlines(paper, move, self.material.is_image)
        half = (WIDTH - 2 * MARGIN - GAP) // 2
        right, foot = WIDTH - MARGIN, TOP + PANEL
        middle, left = right - half, MARGIN
        colors = self.colors(move.centroids)
        if self.material.is_image:
            paper.box((left, TOP, left + half, foot), ink.PANEL)
            whole = self.painted(move.labels, colors)
            picture = ink.fitted(whole, half, PANEL)
            across = left + (half - picture.shape[1]) // 2
            paper.picture(across, TOP + (PANEL - picture.shape[0]) // 2, picture)
            left = middle
        box = (left, TOP, right, foot)
        self.cloud.draw(paper, box, SMALL, colors, move.path, move.cells)
        self._palette(
            paper, (MARGIN, foot + 17, MARGIN + half, foot + 37), move, colors
        )
        values = self.record.inertia_of_moves()
        at = (middle, foot + 36, right, foot + 70)
        ink.curve(paper, at, values, move.here, 1)
        paper.text(middle, foot + 27, "inertia", SMALL, ink.SOFT)
        if move.here is not None:
            here = ink.brief(float(values[move.here]))
            paper.text(right, foot + 27, here, SMALL, ink.INK, True)
        return paper

    def _palette(self, paper: Canvas, box: Box, move: Move, colors: RGB) -> None:
        left, top, right, bottom = box
        if move.shares is not None:
            ink.palette_bar(paper, box, colors, move.shares, SMALL)
        elif len(colors):
            gap = 4 if len(colors) <= 32 else 0
            wide = min(bottom - top, (right - left + gap) / len(colors) - gap)
            for place, color in enumerate(colors.tolist()):
                begin = left + place * (wide + gap)
                paper.box((begin - 1, top - 1, begin + wide + 1, bottom + 1), ink.LINE)
                paper.box((begin, top, begin + wide, bottom), tuple(color))


def _headlines(paper: Canvas, move: Move, is_image: bool) -> None:
    """Write which move it is, and what happened."""
    place: float = MARGIN
    for name in ("flatten" if is_image else "points", *NAMES):
        here = name == move.name
        color = ink.INK if here else ink.SOFT
        end = paper.text(place, 32, name, MEDIUM, color)
        if here:
            paper.box((place, 38, end, 40), ink.ACCENT)
        place = end + 18
    paper.text(WIDTH - MARGIN, 32, move.note, SMALL, ink.SOFT, True)
    room = WIDTH - 2 * MARGIN
    size = LARGE if paper.width_of(move.caption, LARGE) <= room else MEDIUM
    paper.text(MARGIN, 68, move.caption, size)


def gif_bytes(record: Recording, material: Subject) -> bytes:
    """Return a GIF file that loops for ever over the moves, the last held longest."""
    painter, frames = Painter(record, material), []
    kept = ink.rgb_of([ink.PAPER, ink.INK, ink.SOFT, ink.LINE, ink.ACCENT, ink.PANEL])
    for move in moves(record, material):
        exact = np.unique([*kept, *painter.colors(move.centroids)], axis=0)
        # Of so many colors that they cannot all be kept, none need be.
        exact = exact if len(exact) <= COLORS // 2 else kept
        frames.append(_indexed(painter.frame(move).pixels(), exact))
    pause = max(SHORTEST, min(MOVE, TOGETHER // len(frames))) // 10 * 10
    file = io.BytesIO()
    frames[0].save(
        file, "GIF", save_all=True, append_images=frames[1:], loop=0,
        duration=[2 * pause] * 2 + [pause] * (len(frames) - 3) + [END],
    )  # fmt: skip
    return file.getvalue()


def _indexed(frame: RGB, exact: RGB) -> Any:
    """Return a frame with a palette, in which some colors remain as they are."""
    from PIL import Image

    pixels = frame.reshape(-1, 3)
    distinct = distinct_colors(pixels)
    same = (distinct.colors[:, np.newaxis] == exact).all(axis=-1)
    numbers = same.argmax(axis=1).astype(np.uint8)
    places = look_up(numbers, distinct)
    others = look_up(~same.any(axis=1), distinct)
    rest = Image.fromarray(pixels[others][np.newaxis])
    rest = rest.quantize(
        COLORS - len(exact), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    places[others] = len(exact) + np.asarray(rest)[0]
    image = Image.fromarray(places.reshape(frame.shape[:2]))
    image.putpalette([*exact.reshape(-1).tolist(), *(rest.getpalette() or [])])
    return image
