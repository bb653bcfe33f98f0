"""A real browser for the tests of pages: Chromium, driven by Playwright."""

import os
import shutil
from base64 import b64decode

import numpy as np
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
OWN_SCHEMES = ("file:", "data:", "blob:", "about:")

# A copy is read, since the browser warns when a canvas that it draws on is read often.
READ = """id => {
    const canvas = document.getElementById(id);
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const pen = copy.getContext("2d", { willReadFrequently: true });
    pen.drawImage(canvas, 0, 0);
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    let letters = "";
    for (let i = 0; i < data.length; i += 32768)
        letters += String.fromCharCode(...data.subarray(i, i + 32768));
    return [canvas.height, canvas.width, btoa(letters)];
}"""


def _without(what):
    """Skip, but not in the gate, where the browser has to be there."""
    if os.environ.get("KMEANS_NP_GATE"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests of a file: its event loop ends with them."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without("the page is tested in a browser: pip install playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        _without(f"the page is tested in Chromium: install one of {', '.join(NAMES)}")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visits:
    """Opens pages; keeps what the browser complains of and asks for."""

    def __init__(self, browser):
        self.browser, self.troubles, self.count = browser, [], 0
        self.usual, self.others = self.tab(), []

    def tab(self, **options):
        size = {"width": 1280, "height": 700}
        tab = self.browser.new_context(**{"viewport": size, **options}).new_page()
        tab.set_default_timeout(10_000)
        tab.on("console", self.on_console)
        tab.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        tab.on("request", self.on_request)
        return tab

    def on_console(self, message):
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text}")

    def on_request(self, request):
        if not request.url.startswith(OWN_SCHEMES):
            self.troubles.append(f"request: {request.url}")

    def __call__(self, path, address="", frozen=False, ready="body.ready", **options):
        """Open a file at an address within it, and wait until it is ready.

        Where time is `frozen`, only the test lets it pass. Without options it is always
        the same tab, since a new one takes as long as many a test.
        """
        tab = self.usual
        if frozen or options:
            tab = self.tab(**options)
            self.others.append(tab)
        if frozen:
            tab.clock.install(time=0)
        tab.mouse.move(0, 0)
        # A new document, even if only the address within it differs.
        self.count += 1
        tab.goto(f"{path.as_uri()}?{self.count}#{address}")
        tab.wait_for_selector(ready)
        if frozen:
            tab.clock.pause_at(3600)
        return tab

    def end(self):
        """Close what only one test needs, and return the troubles."""
        for tab in (self.usual, *self.others):
            tab.evaluate("0")  # What happened before this is known after it.
        for tab in self.others:
            tab.context.close()
        troubles, self.troubles, self.others = self.troubles, [], []
        return troubles


@pytest.fixture(scope="module")
def visits(chromium):
    return Visits(chromium)


@pytest.fixture
def visit(visits):
    """Open pages, see `Visits`. An error, a warning or a request fails the test."""
    yield visits
    assert visits.end() == []


def canvas(tab, name):
    """Return the pixels of a canvas, (rows, columns, 4)."""
    rows, columns, letters = tab.evaluate(READ, name)
    return np.frombuffer(b64decode(letters), np.uint8).reshape(rows, columns, 4)
