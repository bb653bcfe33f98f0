"""Points as a cloud, a plane or a histogram, with centroids among them."""

import numpy as np

from kmeans_np.explanation.canvas import (
    INK,
    LINE,
    PANEL,
    RGB,
    SCALE,
    SOFT,
    WHITE,
    Box,
    Canvas,
    mixed,
    rgb_of,
)
from kmeans_np.explanation.subject import Subject, cloud
from kmeans_np.lloyd import Array, Floats
from kmeans_np.sweeps import BlockedSweep

# How the cloud of three features is turned and tilted, in radians.
TURN, TILT = 2.25, 0.42
# The share of its panel that the dots of a cloud would cover if none hid another.
COVERED = 0.14
BINS = 128


class Cloud:
    """Points of any number of features, seen from one side, with centroids among them.

    Three features are seen in depth, two as a plane with the cells of the centroids,
    one as a histogram; of more, the first three are seen.
    """

    def __init__(self, material: Subject, start: Floats) -> None:
        self.dots, self.weights = cloud(material.points, material.weights)
        self.own = rgb_of([SOFT]).repeat(len(self.dots), axis=0)
        self.axes, self.unseen = material.axes[:3], len(material.axes) - 3
        seen = self.dots[:, :3]
        low, high = seen.min(axis=0), seen.max(axis=0)
        if material.is_image:
            self.own = material.rgb(self.dots)
            whole = material.screen.as_it_is and material.features.space is None
            low = np.full(len(low), 0.0 if whole else low.min())
            high = np.full(len(low), 1.0 if whole else high.max())
        else:
            # Where the centroids start is seen too, unless that is far away.
            near, room = start[:, :3], high - low
            low = np.clip(near.min(axis=0), low - room, low)
            high = np.clip(near.max(axis=0), high, high + room)
        # A box around them, not too flat to be seen as one, however the points lie.
        middle, reach = low / 2 + high / 2, (high - low) / 2
        least = 0.15 * float(reach.max()) or float(np.abs(middle).max()) or 1.0
        reach = np.maximum(reach, least)
        self.middle, self.low, self.high = middle, middle - reach, middle + reach
        (a, b), (c, d) = np.sin([TURN, TILT]), np.cos([TURN, TILT])
        # To the right, up, and toward us.
        turned = np.array([[-c, a, 0], [-a * b, -c * b, d], [a * d, c * d, b]])
        basis = [np.array([[1.0], [0], [0]]), np.eye(3)[:, :2], turned][len(low) - 1]
        self.basis, nearness = basis[:2], seen @ basis[2]
        self.order = np.lexsort((-self.weights, nearness))

    def places(self, points: Array, box: Box) -> Floats:
        """Return where in a box points (..., d) are, (..., 2)."""
        flat = (points[..., :3] - self.middle) @ self.basis.T * self.scale(box)
        return np.asarray(flat * (1, -1) + np.add(box[:2], box[2:]) / 2)

    def scale(self, box: Box) -> float:
        """Return how many pixels a unit has."""
        extent = np.abs(self.basis) @ (self.high - self.low)
        room = 0.84 * np.array([box[2] - box[0], box[3] - box[1]])
        some = extent > 0
        return float((room[some] / extent[some]).min())

    def draw(
        self, paper: Canvas, box: tuple[int, int, int, int], size: float, colors: RGB,
        path: Floats | None, cells: Floats | None,
    ) -> None:  # fmt: skip
        """Draw the cloud in a box of a paper, and nothing beyond.

        `size` is that of the names of the axes, 0 for none. `colors`, (k, 3), are those
        of the clusters. `path`, (t, k, d), is where the centroids have been, and at
        last are; None for no centroids yet. `cells`, (k, d), are the centroids whose
        clusters the dots show; None for dots without cluster.
        """
        left, top, right, bottom = box
        canvas = Canvas(right - left, bottom - top, PANEL)
        box = (0, 0, right - left, bottom - top)
        shown = self.own
        if cells is not None:
            shown = colors[BlockedSweep(self.dots).assign(cells)[0]]
        if len(self.axes) == 1:
            self._histogram(canvas, box, shown)
        else:
            if len(self.axes) == 2 and cells is not None:
                self._cells(canvas, box, colors, cells)
            if len(self.axes) == 3:
                for edge in self.places(self._edges(), box).reshape(-1, 2, 2):
                    canvas.line(edge, LINE, (box[3] - box[1]) / 255)
            self._dots(canvas, box, shown)
        if size:
            self._names(canvas, box, size)
        if path is not None:
            self._centroids(canvas, box, colors, path)
        paper.image.paste(canvas.image, (left * SCALE, top * SCALE))

    def _dots(self, canvas: Canvas, box: Box, colors: RGB) -> None:
        extent = self.scale(box) * np.abs(self.basis) @ (self.high - self.low)
        area = COVERED * float(np.maximum(extent, (box[3] - box[1]) / 8).prod())
        radii = np.sqrt(area / np.pi * self.weights / self.weights.sum())
        unit = (box[3] - box[1]) / 255
        radii = np.clip(radii, 0.75 * unit, 4.5 * unit)[self.order].tolist()
        places = self.places(self.dots, box)[self.order]
        tones = [tuple(color) for color in colors[self.order].tolist()]
        for place, radius, tone in zip(places, radii, tones):
            canvas.dot(place, radius, tone)

    def _cells(self, canvas: Canvas, box: Box, colors: RGB, cells: Floats) -> None:
        down, across = np.mgrid[: box[3], : box[2]] + 0.5
        away = np.stack([across, down], axis=-1).reshape(-1, 2) - np.array(box[2:]) / 2
        values = away * (1, -1) / self.scale(box) + self.middle
        labels = BlockedSweep(values).assign(cells)[0].reshape(down.shape)
        canvas.picture(0, 0, mixed(colors, PANEL, 0.78)[labels])

    def _edges(self) -> Floats:
        """Return the edges of the box around the points, (axis, 4, 2 ends, 3)."""
        both = ((0, 0), (0, 1), (1, 0), (1, 1))
        first = [[(end, *others) for end in (0, 1)] for others in both]
        each = np.stack([np.roll(first, axis, axis=2) for axis in range(3)])
        return np.asarray(np.stack([self.low, self.high])[each, np.arange(3)])

    def _names(self, canvas: Canvas, box: Box, size: float) -> None:
        _, _, right, bottom = box
        if len(self.axes) < 3:
            canvas.text(right - size, bottom - size, self.axes[0], size, SOFT, True)
            if len(self.axes) == 2:
                canvas.text(size, 1.8 * size, self.axes[1], size, SOFT)
            return
        if self.unseen > 0:
            words = f"{self.unseen} more feature{'s'[: self.unseen - 1]} not shown"
            canvas.text(right - size, bottom - size, words, size, SOFT, True)
        center = np.array([right, bottom]) / 2
        for name, edges in zip(self.axes, self.places(self._edges(), box)):
            # Beside the outermost of the four, and of two such the lower or left one.
            away = edges.mean(axis=1) - center
            far = np.hypot(*away.T) + away @ (-0.005, 0.02)
            across, down = away[far.argmax()] * (1 + 0.8 * size / far.max()) + center
            width = canvas.width_of(name, size)
            sideways = (across - center[0]) / far.max()
            begin = across - width / 2 + np.clip(2 * sideways, -1, 1) * width / 2
            canvas.text(begin, down + 0.4 * size, name, size, SOFT)

    def _centroids(self, canvas: Canvas, box: Box, colors: RGB, path: Floats) -> None:
        places = self.places(path, box)
        unit = (box[3] - box[1]) / 255
        if len(self.axes) == 1:
            # Nothing is below the axis: there the path goes back in time.
            ages = np.arange(len(path))[::-1, np.newaxis] / max(8, len(path))
            places[..., 1] = self._axis(box) + 0.22 * (box[3] - box[1]) * ages
        many = 1.0 if len(colors) <= 16 else 0.7
        for width, ink in ((3.4, WHITE), (1.5, INK)):
            for line in places.swapaxes(0, 1):
                if len(line) > 1:
                    canvas.line(line, ink, width * unit * many)
        for place, color in zip(places[-1], colors.tolist()):
            for radius, tone in ((7.2, INK), (6.2, WHITE), (4.6, tuple(color))):
                canvas.dot(place, radius * unit * many, tone)

    def _axis(self, box: Box) -> float:
        return box[1] + 0.7 * (box[3] - box[1])

    def _histogram(self, canvas: Canvas, box: Box, colors: RGB) -> None:
        width = float((self.high - self.low)[0]) or 1.0
        bins = ((self.dots[:, 0] - self.low[0]) / width * BINS).astype(int)
        bins = np.minimum(bins, BINS - 1)
        heights = np.bincount(bins, self.weights, BINS)
        foot, tall = self._axis(box), 0.58 * (box[3] - box[1]) / heights.max()
        edges = self.places(np.linspace(self.low, self.high, BINS + 1), box)[:, 0]
        filled = np.zeros(BINS)
        for dot in np.argsort(self.dots[:, 0], kind="stable"):
            place, below = bins[dot], filled[bins[dot]]
            filled[place] += self.weights[dot]
            bar = (edges[place], foot - filled[place] * tall, edges[place + 1])
            canvas.box((*bar, foot - below * tall), tuple(colors[dot].tolist()))
        canvas.line(np.array([[edges[0], foot], [edges[-1], foot]]), LINE, 1)
