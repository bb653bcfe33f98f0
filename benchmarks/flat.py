"""Flat pictures: few colors in large areas, and others that are rare."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[Any]
# Drawn so much larger, and reduced: so edges are soft, as those of a browser are.
LARGER = 3
ROWS, COLUMNS = 400, 600


def color(rng: np.random.Generator) -> tuple[int, int, int]:
    """Return a random color."""
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def drawn(draw: Callable[[ImageDraw.ImageDraw, Any], None], seed: int) -> Array:
    """Return a picture as something draws it on white."""
    size = (COLUMNS * LARGER, ROWS * LARGER)
    picture = Image.new("RGB", size, "white")
    draw(ImageDraw.Draw(picture), np.random.default_rng(seed))
    return np.array(picture.resize((COLUMNS, ROWS), Image.Resampling.LANCZOS))


def logo(paper: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw discs and boxes, the last ones small, and a name."""
    for size in (400, 280, 150, 60, 20):
        x, y = rng.integers(500, 1300), rng.integers(300, 900)
        shape = paper.ellipse if rng.random() < 0.5 else paper.rectangle
        shape((x - size, y - size, x + size, y + size), fill=color(rng))
    font = ImageFont.load_default(120)
    paper.text((600, 1000), "Brand name", fill=color(rng), font=font)


def chart(paper: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw bars of unlike heights with a legend."""
    n, font = int(rng.integers(4, 9)), ImageFont.load_default(36)
    for number in range(n):
        fill, left = color(rng), 200 + number * 1300 // n
        top = 1030 - int(rng.random() ** 2 * 700)
        paper.rectangle((left, top, left + 1100 // n, 1050), fill=fill)
        paper.rectangle((1540, 120 + number * 60, 1580, 160 + number * 60), fill=fill)
        words = f"Series {number}"
        paper.text((1600, 120 + number * 60), words, fill="#333333", font=font)
    for y in range(200, 1050, 150):
        paper.line((150, y, 1700, y), fill="#dddddd", width=3)


def screenshot(paper: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw a window with a menu of icons, and lines of text."""
    font = ImageFont.load_default(50)
    paper.rectangle((0, 0, 1800, 110), fill=color(rng))
    paper.rectangle((0, 110, 480, 1200), fill="#f0f0f2")
    for y in range(160, 1150, 90):
        paper.rectangle((40, y, 100, y + 60), fill=color(rng))
        paper.text((130, y), "Menu entry", fill="#3c3c3c", font=font)
        fill = color(rng) if rng.random() < 0.2 else "#141414"
        paper.text((540, y), "The quick brown fox jumps over it", fill=fill, font=font)
    paper.ellipse((1720, 30, 1770, 80), fill="#e61e1e")


def land(paper: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw a map: fields, waters, some of other colors, and roads."""
    usual = ("#c8dcb4", "#aad3df", "#f0e6c8")
    for number in range(60):
        middle = rng.integers(0, [1800, 1200])
        spread = rng.normal(0, 200 / (1 + number / 8), (6, 2))
        fill = color(rng) if number < 8 or number > 55 else usual[number % 3]
        paper.polygon([tuple(p) for p in (middle + spread).tolist()], fill=fill)
    for _ in range(8):
        places = rng.integers(0, [1800, 1200], (5, 2)).tolist()
        paper.line([tuple(place) for place in places], fill="#fab43c", width=8)


def pixel_art(seed: int) -> Array:
    """Return large pixels of 40 colors, most of them rare."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (40, 3)).astype(np.uint8)
    numbers = rng.choice(40, (24, 32), p=rng.dirichlet(np.full(40, 0.3)))
    for _ in range(60):
        y, x, number = rng.integers(0, [22, 30, 40])
        numbers[y : y + 2, x : x + 3] = number
    return palette[np.kron(numbers, np.ones((16, 16), int))]


def flat_picture(kind: str, seed: int) -> Array:
    """Return a picture of a kind, (rows, columns, 3), uint8."""
    return pixel_art(seed) if kind == "pixel art" else drawn(DRAWN[kind], seed)


DRAWN: dict[str, Callable[[ImageDraw.ImageDraw, Any], None]] = {
    "logo": logo,
    "chart": chart,
    "screenshot": screenshot,
    "map": land,
}
FLAT = (*DRAWN, "pixel art")
