"""Drawing for the film and the sheet: text, pictures, palettes and curves.

All is drawn three times as large and then shrunk, so that every edge is smooth.
"""

from collections.abc import Sequence
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np.checks import ArgumentValueError
from kmeans_np.lloyd import Array, Floats

RGB = NDArray[np.uint8]
Box = tuple[float, float, float, float]

PAPER, INK, SOFT, LINE, ACCENT = "#fdfcfa", "#1f2530", "#6b7280", "#dcd8d0", "#c8502d"
PANEL, WHITE = "#f5f2ec", "#ffffff"
CLUSTERS = (
    "#3a6fb5", "#dd7a2a", "#3d9970", "#8a5fb3", "#c94f5e", "#2b9db0", "#b58f1e",
    "#7a8494",
)  # fmt: skip
# How much larger things are drawn than they are shown.
SCALE = 3
# Signs that the font lacks, as strokes in units of its size from the base line.
TIMES, ARROW = "\N{MULTIPLICATION SIGN}", "→"
SIGNS = {
    TIMES: (0.56, [(0.1, 0.12, 0.46, 0.48), (0.1, 0.48, 0.46, 0.12)]),
    ARROW: (0.9, [(0.1, 0.3, 0.8, 0.3), (0.6, 0.5, 0.8, 0.3), (0.6, 0.1, 0.8, 0.3)]),
}
# How numbers are written, from which on; in two digits if nothing is said.
FORMS = ((1e10, ".2e"), (100, ",.0f"), (1, ".2f"), (0.01, ".3f"), (1e-9, ""))


def rgb_of(colors: Sequence[str]) -> RGB:
    """Return colors such as "#fdfcfa" as an array (n, 3)."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], np.uint8)


def mixed(colors: RGB, other: str, share: float) -> RGB:
    """Return colors (..., 3) with a share, 0 to 1, of another."""
    both: Floats = colors * (1 - share) + rgb_of([other])[0] * share
    return np.rint(both).astype(np.uint8)


def brief(value: float) -> str:
    """Return a number, 0 or more, briefly: 5,027 or 1.53 or 0.031 or 0.0000021."""
    for least, form in FORMS:
        if value >= least:
            return f"{value:{form or f'.{1 - floor(log10(value))}f'}}"
    return f"{value:.1e}" if value else "0"


def fitted(picture: RGB, width: int, height: int) -> RGB:
    """Return a picture as large as fits: by whole factors, or only some pixels of it.

    No pixel is a mixture of others, so that the colors stay those of the centroids.
    """
    rows, columns = picture.shape[:2]
    factor = min(width / columns, height / rows)
    if factor >= 1:
        return picture.repeat(int(factor), axis=0).repeat(int(factor), axis=1)
    places = []
    for n in (rows, columns):
        kept = max(1, int(n * factor))
        places.append((2 * np.arange(kept) + 1) * n // (2 * kept))
    return picture[np.ix_(*places)]


class Canvas:
    """A paper to draw on. All places and sizes are in pixels of what comes out."""

    def __init__(self, width: int, height: int, color: str = PAPER) -> None:
        from PIL import Image, ImageDraw

        self.image = Image.new("RGB", (width * SCALE, height * SCALE), color)
        self.draw = ImageDraw.Draw(self.image)
        self.fonts: dict[float, Any] = {}

    def pixels(self) -> RGB:
        """Return what was drawn, (height, width, 3)."""
        return np.asarray(self.image.reduce(SCALE))

    def picture(self, left: float, top: float, picture: RGB) -> None:
        """Lay a picture on it, pixel for pixel."""
        from PIL import Image

        large = picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
        place = (round(left) * SCALE, round(top) * SCALE)
        self.image.paste(Image.fromarray(large), place)

    def box(self, box: Box, color: Any) -> None:
        """Fill from left and top to right and bottom."""
        left, top, right, bottom = (round(each * SCALE) for each in box)
        if right > left and bottom > top:
            self.draw.rectangle((left, top, right - 1, bottom - 1), fill=color)

    def line(self, points: Array, color: Any, width: float) -> None:
        """Draw a line through points (n, 2)."""
        places = [tuple(place) for place in (np.asarray(points) * SCALE).tolist()]
        self.draw.line(places, color, max(1, round(width * SCALE)), "curve")

    def dot(self, center: Array, radius: float, color: Any) -> None:
        """Draw a disk."""
        (across, down), reach = center, radius * SCALE
        left, top = across * SCALE - reach, down * SCALE - reach
        self.draw.ellipse((left, top, left + 2 * reach, top + 2 * reach), color)

    def font(self, size: float) -> Any:
        """Return the font that comes with Pillow."""
        from PIL import ImageFont

        if size not in self.fonts:
            try:
                self.fonts[size] = ImageFont.load_default(size * SCALE)
            except TypeError:
                raise ArgumentValueError(
                    "path",
                    "end in .html as long as Pillow is older than 10.1, whose letters "
                    "have one size",
                    "",
                    "install a newer one: pip install --upgrade Pillow",
                ) from None
        return self.fonts[size]

    def width_of(self, words: str, size: float) -> float:
        """Return how wide a line of text is."""
        signs = sum(SIGNS[sign][0] * size for sign in words if sign in SIGNS)
        plain = "".join(sign for sign in words if sign not in SIGNS)
        return signs + float(self.font(size).getlength(plain)) / SCALE

    def text(
        self, left: float, base: float, words: str, size: float, color: str = INK,
        right: bool = False,
    ) -> float:  # fmt: skip
        """Write a line on a base line, to the left of a place or to the right of it.

        Returns where it ends.
        """
        place = left - self.width_of(words, size) if right else left
        for sign in SIGNS:
            words = words.replace(sign, f"\n{sign}\n")
        for part in words.split("\n"):
            if part in SIGNS:
                width, strokes = SIGNS[part]
                for x0, y0, x1, y1 in strokes:
                    stroke = np.array([[x0, -y0], [x1, -y1]]) * size + (place, base)
                    self.line(stroke, color, size / 13)
                place += width * size
            elif part:
                where = (place * SCALE, base * SCALE)
                self.draw.text(where, part, color, self.font(size), anchor="ls")
                place += self.width_of(part, size)
        return place


def palette_bar(
    canvas: Canvas, box: Box, colors: RGB, shares: Floats, size: float
) -> None:
    """Draw the colors of the clusters, each as wide as its share, and the shares."""
    left, top, right, bottom = box
    ends = left + np.concatenate([[0], np.cumsum(shares)]) * (right - left)
    canvas.box((left - 1, top - 1, right + 1, bottom + 1), LINE)
    for begin, end, color, share in zip(ends, ends[1:], colors, shares.tolist()):
        canvas.box((begin, top, end, bottom), tuple(color.tolist()))
        words = f"{share:.0%}"
        if share > 0 and canvas.width_of(words, size) + 6 < end - begin:
            canvas.text(begin, bottom + 1.35 * size, words, size, SOFT)


def curve(
    canvas: Canvas, box: Box, values: Floats, here: int | None, pen: float
) -> None:
    """Draw how the inertia falls, from 0 up, and where in it we are, if at all."""
    left, top, right, bottom = box
    rise = values / (values.max() or 1.0) * (bottom - top)
    places = np.stack([np.linspace(left, right, len(values)), bottom - rise], axis=1)
    canvas.line(np.array([[left, bottom], [right, bottom]]), LINE, pen)
    canvas.line(places, LINE, 1.7 * pen)
    if here is not None:
        canvas.line(places[: here + 1], INK, 1.7 * pen)
        canvas.dot(places[here], 5 * pen, PAPER)
        canvas.dot(places[here], 3.8 * pen, ACCENT)
