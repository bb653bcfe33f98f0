"""The moving picture of the README: the page of `explain`, as a visitor sees it.

`python docs/film_of_page.py docs/page.gif` makes it anew, in Chromium driven by
Playwright.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from kmeans_np import explain, sample_image

SIZE = {"width": 1000, "height": 510}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The moves that are shown, and for how many milliseconds.
MOVES = {
    "flatten": 1200,
    "choose": 1500,
    "assign-1": 1300,
    "update-1": 1300,
    "assign-2": 900,
    "update-2": 900,
    "assign-4": 700,
    "assign-7": 700,
    "assign-12": 700,
    "stop": 1800,
}


def shot(tab: Page) -> Image.Image:
    """Return what is seen."""
    return Image.open(io.BytesIO(tab.screenshot())).convert("RGB")


def frames(tab: Page, page: Path) -> list[tuple[Image.Image, int]]:
    """Walk through a run, and point at a pixel at its end."""
    tab.goto(page.as_uri())
    tab.wait_for_selector("body.ready")
    shown = []
    for move, time in MOVES.items():
        tab.evaluate("move => (location.hash = move)", move)
        tab.wait_for_timeout(200)
        shown.append((shot(tab), time))
    box = tab.locator("#picture").bounding_box()
    assert box is not None
    for x, y in ((0.5, 0.45), (0.15, 0.6)):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        shown.append((shot(tab), 1500))
    return shown


def main(path: str) -> None:
    """Write the film."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page = Path(folder) / "page.html"
        explain(sample_image(), 4, rng=6, title="The built-in picture").save(page)
        chromium = next(filter(None, map(shutil.which, NAMES)))
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        tab = browser.new_context(viewport=SIZE, reduced_motion="reduce").new_page()
        shown = frames(tab, page)
        browser.close()
    # One palette for all, so that what stays is stored once.
    all_colors = Image.new("RGB", (SIZE["width"], SIZE["height"] * 3))
    for i in range(3):
        all_colors.paste(shown[4 * i][0], (0, SIZE["height"] * i))
    palette = all_colors.quantize(128, kmeans=2)
    pictures = [
        picture.quantize(palette=palette, dither=Image.Dither.NONE)
        for picture, _ in shown
    ]
    times = [time for _, time in shown]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=times, loop=0
    )


if __name__ == "__main__":
    main(sys.argv[1])
