"""The page of `explain` in a real browser."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F811

import functools
import re
from binascii import b2a_base64

import numpy as np
import pytest
from browser import canvas, chromium, visit, visits  # noqa: F401
from PIL import Image
from sample import SAMPLE
from tables import chosen, crossed

from kmeans_np import (
    assign,
    cluster_image,
    explain,
    lloyd,
    sample_image,
    write_image,
)
from kmeans_np.explanation import as_playground
from kmeans_np.pictures import screen, separated_colors

SPEEDS = (0.5, 1, 2, 4)
# With more, runs on pictures would be long.
TOL = 2e-3
EXAMPLES = ("bad-start", "empty-cluster", "tie", "k-above-the-colors")
CONTROLS = ("first", "back", "play", "forward", "last", "slider", "speed")
VIEWS = ("story", "picture-view", "cloud-view", "curve-view", "table-view")


# ---- What is explained --------------------------------------------------------------


@functools.cache
def small():
    return SAMPLE[::11, ::11]


@functools.cache
def gray():
    return small().mean(axis=-1).astype(np.uint8)


def see_through():
    """A picture whose first rows are transparent, and some others half so."""
    alpha = np.full((*small().shape[:2], 1), 255, np.uint8)
    alpha[:6], alpha[12:20] = 0, 128
    return np.concatenate([small(), alpha], axis=-1)


def corner():
    mask = np.ones(small().shape[:2], bool)
    mask[20:, 25:] = False
    return mask


def bands():
    return np.dstack([small(), small()[::-1, :, :2]])


def volume():
    return np.stack([np.roll(gray(), 3 * plane, axis=0) for plane in range(5)])


# Each: what is explained, and how.
IMAGES = {
    "photo": (sample_image, {}),
    "small": (small, {}),
    "gray": (gray, {"channel_axis": None}),
    "see-through": (see_through, {}),
    "masked": (small, {"mask": corner()}),
    "uint16": (lambda: small().astype(np.uint16) * 200 + 7, {}),
    "int8": (lambda: (small() // 2).astype(np.int8) - 20, {}),
    "float32": (lambda: small().astype(np.float32) / 200 - 0.2, {}),
    "bands": (bands, {}),
    "volume": (volume, {"channel_axis": None}),
}


def groups(d, n=40):
    """Three groups of points."""
    rng = np.random.default_rng(d)
    centers = rng.uniform(-5, 5, (3, 1, d))
    return (centers + rng.normal(0, 0.8, (3, n, d))).reshape(-1, d)


def far_start():
    """A start whose last two centroids are far from every point."""
    return np.concatenate([groups(2)[[0, 50]], [[90.0, 90.0], [95.0, -80.0]]])


def slow_line():
    """Points on which K-means takes more than 60 steps."""
    return np.random.default_rng(7).normal(size=(3000, 1))


POINTS = {
    "line": lambda: explain(groups(1), 3, rng=0),
    "plane": lambda: explain(groups(2), 3, rng=1, title="Three groups"),
    "space": lambda: explain(groups(3), 3, rng=0),
    "seven": lambda: explain(groups(7), 3, rng=0),
    "restarts": lambda: explain(groups(2), 4, init=far_start()),
    "long": lambda: explain(slow_line(), 20, rng=1, tol=0),
    "labels": lambda: explain(groups(2), 3, rng=1, tol=0),
    "tol": lambda: explain(groups(3), 6, rng=1, tol=0.05),
    "max_iter": lambda: explain(groups(3), 6, rng=1, tol=0, max_iter=2),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Explain something once; return the answer and the file of its page."""
    folder = tmp_path_factory.mktemp("pages")

    @functools.cache
    def made(name):
        if name in POINTS:
            explanation = POINTS[name]()
        else:
            image, options = IMAGES[name]
            explanation = explain(
                image(), 4, rng=2, title=name, tol=TOL * (name != "photo"), **options
            )
        path = folder / f"{name}.html"
        explanation.save(path)
        return explanation, path

    return made


# ---- What the page shows ----------------------------------------------------------


def text(tab, name):
    return tab.locator(f"#{name}").inner_text()


def address(tab):
    return tab.evaluate("location.hash.slice(1)")


def go_to(tab, name):
    """Change the address, as a link on a page does."""
    tab.evaluate(
        """name => location.hash === `#${name}` || new Promise((done) => {
            addEventListener("hashchange", done, { once: true });
            location.hash = name;
        }).then(() => true)""",
        name,
    )


def click(tab, selector, **options):
    """Click without waiting for a page to stand still that does not move."""
    tab.click(selector, force=True, **options)


def hover(tab, selector):
    tab.hover(selector, force=True)


def said(tab, numbers):
    """Numbers as the page writes them."""
    return tab.evaluate("numbers => numbers.map(real)", [float(x) for x in numbers])


def counted(tab, numbers):
    return tab.evaluate("numbers => numbers.map(whole)", [float(x) for x in numbers])


def rows(tab):
    """The table, a list of texts for each row that is shown."""
    return tab.evaluate(
        "[...byId('clusters').tBodies[0].rows].filter((row) => !row.hidden)"
        ".map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )


def color_of(tab, name):
    """The RGB of a variable of the style."""
    value = tab.evaluate("name => hexToRgb(themed(name))", name)
    return np.array(value, np.float64)


def names_of(explanation):
    """The names of all the moves."""
    steps = [step.iteration for step in explanation.steps]
    both = [f"{kind}-{step}" for step in steps for kind in ("assign", "update")]
    return ["flatten", "choose", *both, "stop"]


def moves_of(explanation):
    """Each step's moves: name, step, labels, centroids that the labels belong to."""
    for step in explanation.steps:
        yield f"assign-{step.iteration}", step, step.labels, step.centroids
        yield f"update-{step.iteration}", step, step.labels, step.centroids
    step = explanation.steps[-1]
    labels, _ = assign(explanation.points, step.new_centroids)
    yield "stop", step, labels, step.new_centroids


def places_at(name, step):
    return step.centroids if name.startswith("assign") else step.new_centroids


class Shown:
    """The plane that a page shows of an image, found from the image alone."""

    def __init__(self, name, explanation):
        image, options = IMAGES[name]
        channels = image()
        if options.get("channel_axis", -1) is None:
            channels = channels[..., np.newaxis]
        part = options.get("mask", np.ones(channels.shape[:-1], bool))
        if channels.shape[-1] == 4:
            part, channels = part & (channels[..., 3] > 0), channels[..., :3]
        self.screen, self.unit = screen(channels, part), explanation.unit
        middle = len(channels) // 2 if channels.ndim == 4 else slice(None)
        self.part, self.values = part[middle], channels[middle]
        points = self.values[self.part] / explanation.unit
        self.points = points.astype(np.float64)
        # The number of the color of each pixel.
        m = len(explanation.points)
        both = np.concatenate([explanation.points, self.points])
        _, same = np.unique(both, axis=0, return_inverse=True)
        number = np.empty(same.max() + 1, np.intp)
        number[same.ravel()[:m]] = np.arange(m)
        self.number = number[same.ravel()[m:]]

    def labels(self, labels):
        """The label of each pixel, -1 outside, from those of the distinct colors."""
        picture = np.full(self.part.shape, -1)
        picture[self.part] = labels[self.number]
        return picture

    def rgb(self, colors):
        colors = np.asarray(colors) * self.unit
        if self.screen.as_it_is:
            colors = np.rint(colors).astype(np.uint8)
        return self.screen.rgb(colors)

    def painted(self, labels, centroids, paper):
        """The picture, those that take no part paler."""
        picture = 0.3 * self.screen.rgb(self.values) + 0.7 * paper
        here = self.labels(labels)
        picture[self.part] = self.rgb(centroids)[here[self.part]]
        return picture


def faded(picture, paper):
    return 0.18 * picture + 0.82 * paper


def assert_picture(tab, expected, part=True):
    """Those that take part to the last bit, the others as near as blending rounds."""
    found = canvas(tab, "picture")
    assert (found[..., 3] == 255).all()
    assert found.shape[:2] == expected.shape[:2]
    off = np.abs(found[..., :3] - expected)
    assert off.max() <= 1
    assert (off[np.broadcast_to(part, off.shape[:2])] == 0).all()


# ---- Going through the moves ------------------------------------------------------


def test_every_control(made, visit):
    explanation, path = made("plane")
    names = names_of(explanation)
    tab = visit(path)

    def assert_at(i):
        found = tab.evaluate(
            """[page.at, byId("slider").value, location.hash, byId("count").innerText,
            ...["first", "back", "forward", "last"].map((id) => byId(id).disabled)]"""
        )
        assert found[:3] == [i, str(i), f"#{names[i]}"]
        assert re.findall(r"\d+", found[3]) == [str(i + 1), str(len(names))]
        assert found[4:] == [i == 0] * 2 + [i == len(names) - 1] * 2

    assert_at(0)
    for i in range(1, 5):
        tab.click("#forward")
        assert_at(i)
    tab.click("#back")
    assert_at(3)
    tab.click("#last")
    assert_at(len(names) - 1)
    tab.click("#back")
    assert_at(len(names) - 2)
    tab.click("#first")
    assert_at(0)
    assert tab.locator("#slider").get_attribute("max") == str(len(names) - 1)
    for i in range(len(names)):
        tab.fill("#slider", str(i))
        assert_at(i)
        label = tab.locator("#slider").get_attribute("aria-valuetext")
        assert "".join(re.findall(r"\d+", label)) == "".join(
            re.findall(r"\d", names[i])
        )
    # A dot of the curve is the assign move of its step.
    tab.locator("#curve .dot").nth(1).click()
    assert_at(names.index("assign-2"))


@pytest.mark.slow
def test_play_and_speed(made, visit):
    explanation, path = made("plane")
    end = len(names_of(explanation)) - 1
    tab = visit(path, frozen=True)

    def at():
        return tab.evaluate("page.at")

    play = tab.locator("#play")
    assert play.get_attribute("aria-label") == "Play"
    for speed in SPEEDS:
        click(tab, "#first") if at() else None
        tab.select_option("#speed", str(speed))
        play.click(force=True)
        assert play.get_attribute("aria-label") == "Pause"
        tab.clock.run_for(int(1500 / speed) - 20)
        assert at() == 0
        tab.clock.run_for(40)
        assert at() == 1
        play.click(force=True)
        assert play.get_attribute("aria-label") == "Play"
        tab.clock.run_for(3100)
        assert at() == 1
    # It stops at the end, and begins again from there.
    play.click(force=True)
    tab.clock.run_for(375 * end + 2000)
    assert at() == end
    assert play.get_attribute("aria-label") == "Play"
    play.click(force=True)
    assert at() == 0
    # The speed can be changed on the way, and every other control stops the play.
    tab.select_option("#speed", "0.5")
    tab.clock.run_for(2900)
    assert at() == 0
    tab.clock.run_for(200)
    assert at() == 1
    for stop, there in (("#forward", 2), ("#back", 0), ("#last", end)):
        tab.evaluate("open(page.run, 1)")
        play.click(force=True)
        click(tab, stop)
        tab.clock.run_for(3100)
        assert at() == there


@pytest.mark.slow
def test_an_update_travels_unless_motion_is_reduced(made, visit):
    explanation, path = made("small")
    shown, step = Shown("small", explanation), explanation.steps[0]
    paper = np.zeros(3)  # All pixels take part.
    before = shown.painted(step.labels, step.centroids, paper)
    after = shown.painted(step.labels, step.new_centroids, paper)
    tab = visit(path, "assign-1", frozen=True)
    click(tab, "#forward")
    assert_picture(tab, before)
    tab.clock.run_for(200)
    between = canvas(tab, "picture")[..., :3]
    assert (between != before).any()
    assert (between != after).any()
    tab.clock.run_for(700)
    assert_picture(tab, after)
    calm = visit(path, "assign-1", frozen=True, reduced_motion="reduce")
    click(calm, "#forward")
    assert_picture(calm, after)


@pytest.mark.slow
def test_the_keyboard(made, visit):
    explanation, path = made("small")
    end = len(names_of(explanation)) - 1
    tab = visit(path, reduced_motion="reduce")

    def press(*keys):
        for key in keys:
            tab.keyboard.press(key)
        return tab.evaluate("page.at")

    assert press("ArrowRight", "ArrowRight") == 2
    assert press("ArrowLeft") == 1
    assert press("End") == end
    assert press("ArrowRight") == end
    assert press("Home") == 0
    assert press("ArrowLeft") == 0
    press(" ")
    assert tab.evaluate("page.playing !== null")
    press(" ")
    assert tab.evaluate("page.playing === null")
    # The browser's own keys are left to it.
    assert press("Control+ArrowRight", "Alt+ArrowDown") == 0
    # A slider goes by its own keys, but space plays.
    tab.focus("#slider")
    assert press("ArrowRight") == 1
    assert press("ArrowUp") == 2
    assert press("End") == end
    assert press("Home") == 0
    press(" ")
    assert tab.evaluate("page.playing !== null")
    press(" ")
    # The choice of speed, too.
    tab.focus("#speed")
    assert press("ArrowDown", "ArrowDown") == 0
    assert tab.locator("#speed").input_value() == "4"
    assert press("Home") == 0
    # A button is pressed once by space and by enter.
    tab.focus("#forward")
    assert press(" ") == 1
    assert press("Enter") == 2
    assert press("ArrowRight") == 3


@pytest.mark.slow
def test_keys_on_the_picture_and_on_the_cloud(made, visit):
    tab = visit(made("small")[1], "assign-2")
    rows, columns = small().shape[:2]

    def pixel():
        return tab.evaluate("page.pixel")

    def said_pixel():
        return [int(x) for x in re.findall(r"\d+", text(tab, "pixel"))[:5]]

    tab.focus("#picture")
    tab.keyboard.press("Shift+ArrowRight")
    row, column = rows // 2, columns // 2 + 1
    assert pixel() == [row, column]
    tab.keyboard.press("Shift+ArrowDown")
    tab.keyboard.press("Shift+ArrowDown")
    tab.keyboard.press("Shift+ArrowUp")
    tab.keyboard.press("Shift+ArrowLeft")
    assert pixel() == [row + 1, column - 1]
    assert said_pixel() == [row + 1, column - 1, *small()[row + 1, column - 1]]
    # Without shift it goes faster, if anything; never out of the picture.
    tab.keyboard.press("ArrowUp")
    assert pixel()[0] <= row
    for _ in range(rows):
        tab.keyboard.press("ArrowUp")
    assert pixel() == [0, column - 1]
    for _ in range(columns):
        tab.keyboard.press("ArrowRight")
    assert pixel() == [0, columns - 1]
    tab.keyboard.press("Escape")
    assert pixel() is None
    assert address(tab) == "assign-2"
    # The other keys do what they do elsewhere.
    tab.keyboard.press("End")
    assert address(tab) == "stop"
    # On the cloud the arrows turn it.
    go_to(tab, "assign-2")
    tab.focus("#cloud")
    seen = [canvas(tab, "cloud")]
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight"):
        tab.keyboard.press(key)
        seen.append(canvas(tab, "cloud"))
        assert (seen[-1] != seen[-2]).any()
    tab.keyboard.press("ArrowDown")
    assert (canvas(tab, "cloud") == seen[0]).all()
    assert address(tab) == "assign-2"


@pytest.mark.slow
@pytest.mark.parametrize("start", ["", "own"])
def test_the_tab_key_reaches_everything(made, visit, start):
    tab = visit(made("small")[1], "assign-1")
    if start:
        tab.click("[data-run=own]")
        tab.click("#own-random")
    tab.evaluate("document.activeElement.blur()")
    name = "(each) => each.id || each.title || JSON.stringify(each.dataset)"
    expected = tab.evaluate(
        f"""[...document.querySelectorAll("button, input, select, canvas, tbody tr")]
        .filter((each) => !each.disabled && each.checkVisibility())
        .filter((each) => each.id !== "marks")
        .map({name})"""
    )
    assert len(expected) == len(set(expected)) > 15
    reached = []
    for _ in range(len(expected) + 2):
        tab.keyboard.press("Tab")
        focused, outline = tab.evaluate(
            f"""[({name})(document.activeElement),
            getComputedStyle(document.activeElement).outlineStyle]"""
        )
        reached.append(focused)
        # Where the focus is can be seen.
        assert outline != "none" or focused not in expected
    assert set(expected) <= set(reached)


# ---- The address ------------------------------------------------------------------


@pytest.mark.slow
def test_every_move_has_an_address(made, visit):
    explanation, path = made("plane")
    tab = visit(path)
    for name in names_of(explanation):
        assert address(tab) == name
        # From anywhere, it leads there.
        kind = text(tab, "move"), text(tab, "sentence"), text(tab, "where")
        tab.evaluate("open(page.runs[0], page.moves.length - 2 - page.at)")
        go_to(tab, name)
        assert kind == (text(tab, "move"), text(tab, "sentence"), text(tab, "where"))
        tab.keyboard.press("ArrowRight")
    # And when the page is opened there.
    step = explanation.steps[1]
    other = visit(path, "update-2")
    assert (
        rows(other)[0][2]
        == said(
            other, [np.linalg.norm(step.new_centroids - step.centroids, axis=1)[0]]
        )[0]
    )


@pytest.mark.slow
def test_addresses_of_prepared_runs_and_of_nothing(made, visit):
    _, path = made("plane")
    tab = visit(path, "tie/assign-1")
    for name in ("tie", *EXAMPLES):
        go_to(tab, f"{name}/assign-1")
        pressed = tab.locator("#runs [aria-pressed=true]")
        assert pressed.count() == 1
        assert pressed.get_attribute("data-run") == name
        assert address(tab) == f"{name}/assign-1"
        assert "1" in text(tab, "where")
    # By the tabs, too, and back.
    for name in ("tie", "run", "bad-start"):
        click(tab, f"#runs [data-run={name}]")
        # Where something is asked, a run is opened at its question.
        assert address(tab) == ("flatten" if name == "run" else f"{name}/choose")
    for name in ("tie/", "tie/nonsense"):
        go_to(tab, name)
        assert address(tab) == "tie/flatten"
    for nonsense in ("%zz", "assign-0x", "assign-999", "a/b/c", "%3Cb%3E", "é", "/"):
        go_to(tab, "tie/update-1")
        go_to(tab, nonsense)
        assert (address(tab), tab.evaluate("page.at")) == ("flatten", 0), nonsense
    assert address(visit(path, "%")) == "flatten"


@pytest.mark.slow
def test_steps_that_are_not_kept(made, visit):
    explanation, path = made("long")
    kept = [step.iteration for step in explanation.steps]
    assert len(kept) == 60 < explanation.n_iter
    tab = visit(path)
    note = re.findall(r"\d+", text(tab, "curve-note"))
    assert note[:2] == [str(explanation.n_iter), "60"]
    missing = next(i for i in range(1, kept[-1]) if i not in kept)
    following = min(i for i in kept if i > missing)
    for kind in ("assign", "update"):
        go_to(tab, f"{kind}-{missing}")
        assert address(tab) == f"{kind}-{following}"
    step = explanation.steps[kept.index(following)]
    assert [str(following), str(explanation.n_iter)] == re.findall(
        r"\d+", text(tab, "where")
    )
    go_to(tab, f"assign-{following}")
    changed, n, inertia = counted(tab, [step.n_changed, 3000]) + said(
        tab, [step.inertia]
    )
    sentence = text(tab, "sentence")
    assert changed in sentence
    assert n in sentence
    assert inertia in sentence
    assert len(tab.locator("#curve .dot").all()) == 60


# ---- What is painted --------------------------------------------------------------


@pytest.mark.parametrize("name", chosen(IMAGES, "see-through"))
def test_the_picture_is_painted_with_the_centroids(name, made, visit):
    explanation, path = made(name)
    shown = Shown(name, explanation)
    tab = visit(path)
    paper = color_of(tab, "--paper")
    original = 0.3 * shown.screen.rgb(shown.values) + 0.7 * paper
    original[shown.part] = shown.screen.rgb(shown.values)[shown.part]
    assert_picture(tab, original, shown.part)
    moves = list(moves_of(explanation))
    for move, step, labels, _ in [*moves[:4], moves[-3], moves[-2], moves[-1]]:
        go_to(tab, move)
        painted = shown.painted(labels, places_at(move, step), paper)
        assert_picture(tab, painted, shown.part)


@pytest.mark.slow
def test_what_changed_and_the_original(made, visit):
    explanation, path = made("masked")
    shown = Shown("masked", explanation)
    tab = visit(path, "assign-1")
    paper = color_of(tab, "--paper")
    before = None
    for move, step, labels, _ in list(moves_of(explanation))[:6]:
        go_to(tab, move)
        plain = shown.painted(labels, places_at(move, step), paper)
        here = shown.labels(labels)
        if move.startswith("assign"):
            same = np.zeros(here.shape, bool) if before is None else here == before
            before = here
        click(tab, "[data-mode=changed]")
        assert tab.locator("#paint [aria-pressed=true]").inner_text() == "changed"
        changed = shown.part & ~same
        assert changed.sum() == step.n_changed
        pale = np.where(
            (shown.part & same)[..., np.newaxis], faded(plain, paper), plain
        )
        assert_picture(tab, pale, changed)
        click(tab, "[data-mode=original]")
        as_it_is = 0.3 * small() + 0.7 * paper
        as_it_is[shown.part] = small()[shown.part]
        assert_picture(tab, as_it_is, shown.part)
        click(tab, "[data-mode=painted]")
        assert_picture(tab, plain, shown.part)
    # At the stop nothing changed any more.
    go_to(tab, "stop")
    click(tab, "[data-mode=changed]")
    *_, (_, step, labels, _) = moves_of(explanation)
    plain = shown.painted(labels, step.new_centroids, paper)
    plain[shown.part] = faded(plain, paper)[shown.part]
    assert_picture(tab, plain, False)


@pytest.mark.slow
def test_a_cluster_lights_up(made, visit):
    explanation, path = made("masked")
    shown, step = Shown("masked", explanation), explanation.steps[2]
    tab = visit(path, "update-3")
    paper = color_of(tab, "--paper")
    plain = shown.painted(step.labels, step.new_centroids, paper)
    here = shown.labels(step.labels)
    cloud = canvas(tab, "cloud")

    def assert_lit(label):
        others = (shown.part & (here != label))[..., np.newaxis]
        lit = np.where(others, faded(plain, paper), plain)
        assert_picture(tab, lit, here == label)
        assert (canvas(tab, "cloud") != cloud).any()

    for label in range(4):
        hover(tab, f"#clusters tr[data-cluster='{label}']")
        assert_lit(label)
    hover(tab, "h1")
    assert_picture(tab, plain, shown.part)
    assert (canvas(tab, "cloud") == cloud).all()
    tab.focus("#clusters tr[data-cluster='2']")
    assert_lit(2)
    # Of the original, too.
    click(tab, "[data-mode=original]")
    hover(tab, "#clusters tr[data-cluster='1']")
    original = 0.3 * small() + 0.7 * paper
    other = (shown.part & (here != 1))[..., np.newaxis]
    original[shown.part] = small()[shown.part]
    assert_picture(tab, np.where(other, faded(original, paper), original), here == 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "touch"),
    [
        ("masked", False),
        ("masked", True),
        ("uint16", True),
        ("bands", False),
        ("volume", False),
    ],
)
def test_a_pixel_says_how_far_it_is(name, touch, made, visit):
    explanation, path = made(name)
    shown = Shown(name, explanation)
    tab = visit(path, "assign-2", has_touch=touch)
    inside = np.argwhere(shown.part)
    spots = [inside[len(inside) // 5], inside[len(inside) // 2]]

    def point_at(row, column):
        box, (height, width) = tab.locator("#picture").bounding_box(), shown.part.shape
        spot = (
            box["x"] + (column + 0.5) * box["width"] / width,
            box["y"] + (row + 0.5) * box["height"] / height,
        )
        (tab.touchscreen.tap if touch else tab.mouse.move)(*spot)

    moves = [each for each in moves_of(explanation) if each[0][-2:] in ("-2", "op")]
    overtaken = 0
    for move, step, labels, _ in moves:
        go_to(tab, move)
        places = places_at(move, step)
        nearest, _ = assign(explanation.points, places)
        # At an update, some pixels are nearer to another centroid than to their own.
        over = np.argwhere(shown.labels(nearest) != shown.labels(labels))[:1]
        overtaken += len(over)
        for row, column in [*spots, *over]:
            point_at(row, column)
            point = shown.values[row, column] / explanation.unit
            distances = np.linalg.norm(places - point, axis=1)
            assert [row[3] for row in rows(tab)] == said(tab, distances)
            label, winner = shown.labels(labels)[row, column], distances.argmin()
            wins = tab.locator("#clusters td.wins")
            assert wins.count() == 1
            assert wins.locator("..").get_attribute("data-cluster") == str(winner)
            told = [row, column, *said(tab, shown.values[row, column])]
            told += [label] if label != winner else []
            told += [winner, *said(tab, [distances[winner]])]
            if label == winner and explanation.unit != 1:
                told += [f"{explanation.unit:.0f}"]
            found = re.findall(r"\d[\d,]*(?:\.\d+)?", text(tab, "pixel"))
            assert [str(x) for x in told] == [x.rstrip(",") for x in found]
    assert overtaken == 1
    if not touch:
        hover(tab, "h1")
        assert tab.locator("#clusters td.wins").count() == 0
    if name == "masked":
        row, column = np.argwhere(~shown.part)[-1]
        point_at(row, column)
        assert [row[3] for row in rows(tab)] == [""] * 4
        assert re.findall(r"\d+", text(tab, "pixel")) == [
            str(x) for x in (row, column, *small()[row, column])
        ]


@pytest.mark.slow
def test_dragging_turns_the_cloud(made, visit):
    tab = visit(made("space")[1], "update-1")
    before = canvas(tab, "cloud")
    box = tab.locator("#cloud").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(*ways):
        tab.mouse.move(x, y)
        tab.mouse.down()
        for right, down in ways:
            tab.mouse.move(x + right, y + down)
        tab.mouse.up()

    drag((40, 0))
    around = canvas(tab, "cloud")
    assert (around != before).any()
    drag((0, 25))
    turned = canvas(tab, "cloud")
    assert (turned != around).any()
    # Without a button pressed nothing turns; and back is back.
    tab.mouse.move(x - 50, y)
    assert (canvas(tab, "cloud") == turned).all()
    drag((-40, -25))
    assert np.abs(canvas(tab, "cloud").astype(int) - before).mean() < 0.5
    # It stays turned from move to move.
    drag((60, 10), (90, 20))
    turn = tab.evaluate("page.turn")
    go_to(tab, "assign-2")
    assert tab.evaluate("page.turn") == turn
    # The arrow keys still go from move to move.
    tab.keyboard.press("ArrowRight")
    assert (address(tab), tab.evaluate("page.turn")) == ("update-2", turn)
    # The plane and the line do not turn.
    for name in ("plane", "line"):
        tab = visit(made(name)[1], "update-1")
        before = canvas(tab, "cloud")
        drag((40, 25))
        assert (canvas(tab, "cloud") == before).all()


# ---- What is said -----------------------------------------------------------------


def test_numbers_are_written_with_four_digits(made, visit):
    tab = visit(made("plane")[1])
    rng = np.random.default_rng(0)
    numbers = rng.uniform(1, 10, 200) * 10.0 ** rng.integers(-4, 7, 200)
    for number, word in zip(numbers, said(tab, numbers)):
        assert "e" not in word
        assert float(word.replace(",", "")) == pytest.approx(number, rel=5.1e-4)
    assert said(tab, [0, 0.5, 12, 1234.6]) == ["0", "0.5", "12", "1,235"]
    assert counted(tab, [187500, 1, 0]) == ["187,500", "1", "0"]
    # And colors are rounded as NumPy does.
    halves = [x / 4 for x in range(21)]
    assert (
        tab.evaluate("halves => halves.map(rint)", halves) == np.rint(halves).tolist()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "masked", "restarts", "seven"])
def test_every_move_says_the_numbers_of_its_step(name, made, visit):
    explanation, path = made(name)
    points, weights = explanation.points, explanation.weights
    n, k = weights.sum(), len(explanation.steps[0].centroids)
    tab = visit(path, "assign-1", reduced_motion="reduce")
    assert tab.evaluate("page.moves.length") == 2 * explanation.n_iter + 3
    previous, restarts = None, 0
    for move, step, labels, centroids in moves_of(explanation):
        kind = move.split("-")[0]
        sentence, inertia = text(tab, "sentence"), text(tab, "inertia")
        counts = np.bincount(labels, weights, k)
        shares = tab.evaluate("shares => shares.map(percent)", (counts / n).tolist())
        moved, table = [""] * k, rows(tab)
        if kind == "assign":
            expected = step.inertia
            told = counted(tab, [n])
            if previous is None or not step.n_changed:
                told += said(tab, [step.inertia])
            else:
                told += counted(tab, [step.n_changed])
                told += tab.evaluate("two => realTwo(...two)", [previous, step.inertia])
        elif kind == "update":
            lengths = np.linalg.norm(step.new_centroids - step.centroids, axis=1)
            moved = said(tab, lengths)
            for label in step.restarted:
                moved[label] = "restarted"
            own = step.new_centroids[labels]
            after = (weights * ((points - own) ** 2).sum(axis=1)).sum()
            expected = step.inertia if step.restarted else after
            previous = None if step.restarted else after
            lengths[counts == 0] = 0
            told = []
            if lengths.any():
                told = [str(lengths.argmax()), *said(tab, [lengths.max()])]
                if not step.restarted:
                    told += tab.evaluate(
                        "two => realTwo(...two)", [step.inertia, after]
                    )
            told += [str(label) for label in step.restarted]
            restarts += len(step.restarted)
        else:
            own = centroids[labels]
            expected = (weights * ((points - own) ** 2).sum(axis=1)).sum()
            told = said(tab, [expected, explanation.n_iter])
            if step.stopped_by != "labels":
                told += said(tab, [step.shift])
        for word in told:
            assert re.search(rf"(?<![\d.,]){re.escape(word)}(?![\d,]*\d)", sentence), (
                move
            )
        # After a restart it is not known before the next assign.
        is_known = kind != "update" or not step.restarted
        assert [inertia] == (said(tab, [expected]) if is_known else [""]), move
        assert [row[1] for row in table] == shares, move
        assert [row[2] for row in table] == moved, move
        if kind != "stop":
            where = re.findall(r"\d+", text(tab, "where"))
            assert where == [str(step.iteration), str(explanation.n_iter)]
        tab.keyboard.press("ArrowRight")
    assert kind == "stop"
    assert (restarts > 0) == (name == "restarts")


@pytest.mark.slow
def test_the_first_moves_say_the_shapes_and_the_start(made, visit):
    explanation, path = made("uint16")
    tab = visit(path)
    rows, columns = small().shape[:2]
    sentence = text(tab, "sentence")
    told = [str(rows), str(columns), "3", "65535", *counted(tab, [rows * columns])]
    for word in told:
        assert word in sentence
    assert "reshape(-1, 3) / 65535" in text(tab, "code")
    assert text(visit(made("int8")[1]), "code").endswith("reshape(-1, 3) / 127")
    assert text(visit(made("float32")[1]), "code").endswith("reshape(-1, 3)")
    left_out = int((~corner()).sum())
    assert str(left_out) in text(visit(made("masked")[1]), "sentence")
    tab = visit(path)
    # The start: the centroids have the colors of pixels, which are marked.
    go_to(tab, "choose")
    assert "4" in text(tab, "sentence")
    swatches = tab.evaluate(
        "[...document.querySelectorAll('#clusters .swatch')]"
        ".map((each) => each.style.background)"
    )
    found = np.array([re.findall(r"\d+", each) for each in swatches], int)
    start = Shown("uint16", explanation).rgb(explanation.steps[0].centroids)
    assert (found == start).all()
    assert (canvas(tab, "marks")[..., 3] > 0).any()
    about = text(tab, "about")
    assert "uint16" in about
    assert about.endswith("4")


@pytest.mark.parametrize("reason", chosen(["labels", "tol", "max_iter"], "tol"))
def test_why_it_stopped(reason, made, visit):
    explanation, path = made(reason)
    assert explanation.stopped_by == reason
    tab = visit(path, "stop")
    step = explanation.steps[-1]
    tol = {"labels": 0, "tol": 0.05, "max_iter": 0}[reason]
    variance = explanation.points.var(axis=0).mean()
    sentence = text(tab, "sentence")
    numbers = [explanation.n_iter]
    if reason != "labels":
        numbers += [step.shift, tol * variance, tol, variance]
    for word in said(tab, numbers):
        assert word in sentence
    word = {
        "labels": "no label changed",
        "tol": "hardly moved",
        "max_iter": "largest number",
    }
    assert word[reason] in sentence
    code = {"labels": "n_changed == 0", "tol": "smallest_shift", "max_iter": "max_iter"}
    assert code[reason] in text(tab, "code")
    assert (text(tab, "formula") == "") == (reason == "")


@pytest.mark.slow
def test_gray_knows_the_best_there_is(tmp_path, visit):
    gray = SAMPLE[::6, ::6, 1]
    best = cluster_image(gray, 6, init="optimal").inertia
    for init, words in (
        ("optimal", "No clusters have a smaller inertia."),
        ("random", "% more."),
    ):
        found = explain(gray, 6, kind="image", init=init, rng=1)
        found.save(tmp_path / "page.html")
        tab = visit(tmp_path / "page.html", "stop")
        assert text(tab, "sentence").endswith(words)
        bests = tab.evaluate("page.runs[0].bests")
        assert bests[5] * 255**2 == pytest.approx(best)
        assert np.all(np.diff(bests) < 0)
        if init == "random":
            end = tab.evaluate("page.runs[0].end.inertia")
            more = 100 * (end / bests[5] - 1)
            told = float(re.findall(r"([\d.]+)% more", text(tab, "sentence"))[0])
            assert told == pytest.approx(more, abs=0.5)
        else:
            go_to(tab, "choose")
            assert "the best possible ones" in text(tab, "sentence")
    # Of three channels nobody knows.
    explain(SAMPLE[::9, ::9], 3, rng=0).save(tmp_path / "color.html")
    tab = visit(tmp_path / "color.html", "stop")
    assert "more." not in text(tab, "sentence")


# ---- The prepared runs, and what the page computes itself -------------------------


def same_run(found, points, start, weights=None, **options):
    """Whether a run of the page is that of `lloyd`."""
    steps = list(lloyd(points, start, weights=weights, **options))
    assert len(found["steps"]) == len(steps) == len(found["inertias"])
    for theirs, step in zip(found["steps"], steps):
        for key, value in (
            ("centroids", step.centroids),
            ("newCentroids", step.new_centroids),
            ("inertia", step.inertia),
            ("shift", step.shift),
            ("counts", np.bincount(step.labels, weights, len(start))),
        ):
            np.testing.assert_allclose(theirs[key], value, rtol=1e-9, atol=1e-9)
        assert theirs["nChanged"] == step.n_changed
        assert theirs["restarted"] == list(step.restarted)
        assert theirs["stoppedBy"] == step.stopped_by
        assert theirs["iteration"] == step.iteration
    labels, distances = assign(points, step.new_centroids)
    end = np.bincount(labels, weights, len(start))
    np.testing.assert_array_equal(found["end"]["counts"], end)
    inertia = (distances if weights is None else weights * distances).sum()
    np.testing.assert_allclose(found["end"]["inertia"], inertia, rtol=1e-9, atol=1e-9)
    return steps


# A run as it is in the browser, its points and the labels at each step.
RUN = """run => ({ ...JSON.parse(JSON.stringify(run)),
    points: Array.from(run.points), d: run.d,
    labels: movesOf(run).filter((move) => move.kind === "assign")
        .map((move) => Array.from(labelsFor(run, move))) })"""


@pytest.mark.parametrize("name", chosen(EXAMPLES, "empty-cluster"))
def test_prepared_runs_are_real(name, made, visit):
    tab = visit(made("plane")[1], f"{name}/stop")
    found = tab.evaluate(f"({RUN})(page.run)")
    points = np.reshape(found["points"], (-1, found["d"]))
    options = {"tol": found["tol"], "max_iter": found["maxIter"]}
    # Pixels of one color count as one that is so many times as heavy.
    distinct, same, weights = np.unique(
        points, axis=0, return_inverse=True, return_counts=True
    )
    steps = same_run(found, distinct, found["start"], weights, **options)
    for step, labels in zip(steps, found["labels"]):
        assert labels == step.labels[same.ravel()].tolist()
    assert text(tab, "intro")
    # Each shows what it is for.
    if name == "bad-start":
        best = min(
            list(lloyd(points, points[np.random.default_rng(seed).choice(90, 3)]))[
                -1
            ].inertia
            for seed in range(5)
        )
        assert steps[-1].inertia > 3 * best
    elif name == "empty-cluster":
        assert steps[0].restarted == (2,)
        go_to(tab, "empty-cluster/update-1")
        assert rows(tab)[2][2] == "restarted"
    elif name == "tie":
        distances = np.linalg.norm(points[3] - np.array(found["start"]), axis=1)
        assert distances[0] == distances[1]
        assert found["labels"][0][3] == 0
    else:
        assert len(np.unique(points, axis=0)) == 3
        assert (np.array(found["end"]["counts"]) > 0).tolist() == [True] * 3 + [
            False
        ] * 2


def a_case(seed):
    """Points and a start: with ties, copies, restarts, far centroids, or none of it."""
    rng = np.random.default_rng(seed)
    n, d, k = rng.integers(1, [120, 6, 13])
    kinds = (
        lambda: rng.integers(-2, 3, (n, d)).astype(float),
        lambda: rng.normal(size=(n, d)),
        lambda: rng.integers(0, 256, (n, d)) / 255,
        lambda: np.repeat(rng.normal(size=(n // 6 + 1, d)), 6, axis=0) * 1e3,
        lambda: 0.1 + 0.3 * (rng.random((n, d)) > 0.8),
    )
    points = kinds[seed % len(kinds)]()
    if rng.random() < 0.5:
        start = points[rng.integers(0, len(points), k)]
    else:
        start = rng.normal(size=(k, d)) * 3 + 50 * (rng.random() < 0.3)
    tol, max_iter = rng.choice([0, 1e-4, 1e-2]), rng.choice([1, 3, 300])
    return points, start, {"tol": float(tol), "max_iter": int(max_iter)}


@pytest.mark.parametrize("number", chosen([20, 150], 20))
def test_what_the_page_computes_is_lloyd(number, made, visit):
    tab = visit(made("plane")[1])
    cases = [a_case(seed) for seed in range(number)]
    # A step that restarts a cluster is not the last, however little moved.
    two = np.array([[0.0], [1.0]])
    cases.append((two, np.array([[0.5], [0.5]]), {"tol": 10.0, "max_iter": 300}))
    told = [
        [
            points.ravel().tolist(),
            start.tolist(),
            {"tol": how["tol"], "maxIter": how["max_iter"]},
        ]
        for points, start, how in cases
    ]
    found = tab.evaluate(
        """cases => cases.map(([points, start, how]) => {
            const flat = Float64Array.from(points);
            const run = lloyd(flat, start, how);
            const labels = (step) => assign(flat, step.centroids).labels;
            return { ...run, labels: run.steps.map((step) => [...labels(step)]) };
        })""",
        told,
    )
    seen = set()
    for run, (points, start, how) in zip(found, cases):
        steps = same_run(run, points, start, **how)
        assert run["labels"] == [step.labels.tolist() for step in steps]
        seen |= {steps[-1].stopped_by, any(step.restarted for step in steps)}
    assert seen == {"labels", "tol", "max_iter", True, False}


# ---- Try it yourself --------------------------------------------------------------


def assert_own_run(tab, points, start, tol=TOL):
    click(tab, "#own-run")
    found = tab.evaluate(f"({RUN})(page.run)")
    np.testing.assert_allclose(np.reshape(found["points"], points.shape), points, 1e-15)
    np.testing.assert_allclose(found["start"], start, rtol=1e-15)
    steps = same_run(found, points, found["start"], tol=tol, max_iter=300)
    for step, labels in zip(steps, found["labels"]):
        assert labels == step.labels.tolist()
    own, move = address(tab).split("/")
    assert (own.split(":")[0], move) == ("own", "choose")
    assert own.count(";") == len(start) - 1
    # Who opens the address, or the page anew, is at the same place of the same run.
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    again = tab.evaluate(f"({RUN})(page.run)")
    for key in ("id", "start", "steps", "inertias", "end"):
        assert again[key] == found[key]
    assert address(tab) == f"{own}/choose"
    assert str(len(start)) in text(tab, "about").split("k = ")[-1]
    return steps


@pytest.mark.slow
def test_own_centroids_on_the_picture(made, visit):
    explanation, path = made("masked")
    shown = Shown("masked", explanation)
    tab = visit(path, "assign-2", reduced_motion="reduce")
    click(tab, "[data-run=own]")
    own = tab.locator("#own-chips button")
    assert own.count() == 0
    assert tab.locator("#own-run").is_disabled()
    box = tab.locator("#picture").bounding_box()
    height, width = shown.part.shape

    def tap(row, column):
        x = (column + 0.5) * box["width"] / width
        y = (row + 0.5) * box["height"] / height
        click(tab, "#picture", position={"x": x, "y": y})

    spots = [(5, 5), (14, 40), (30, 10), (9, 30)]
    for number, spot in enumerate(spots, 1):
        tap(*spot)
        assert own.count() == number
        box = tab.locator("#picture").bounding_box()
    tap(28, 40)  # This one takes no part.
    assert own.count() == 4
    own.nth(1).click()
    assert own.count() == 3
    del spots[1]
    # Pointing at rows and keys of the moves leave the choice alone.
    heading = text(tab, "move")
    tab.evaluate("document.activeElement.blur()")
    hover(tab, "#clusters tr[data-cluster='1']")
    hover(tab, "h1")
    for key in ("ArrowRight", "End", " "):
        tab.keyboard.press(key)
    assert text(tab, "move") == heading
    assert own.count() == 3
    start = [small()[spot] / 255 for spot in spots]
    steps = assert_own_run(tab, shown.points, start)
    # It can be walked through as any other.
    for move, step in ((f"assign-{step.iteration}", step) for step in steps):
        tab.keyboard.press("ArrowRight")
        assert re.fullmatch(f"own:[^/]+/{move}", address(tab))
        colors = np.rint(step.centroids * 255)
        painted = canvas(tab, "picture")[..., :3]
        assert (painted[shown.part] == colors[step.labels]).all()
        assert said(tab, [step.inertia])[0] in text(tab, "sentence")
        tab.keyboard.press("ArrowRight")
        assert address(tab).endswith(f"/update-{step.iteration}")
    # And the first run is there as it was.
    click(tab, "[data-run=run]")
    go_to(tab, "stop")
    assert said(tab, [explanation.steps[-1].shift])[0] in text(tab, "sentence")


@pytest.mark.slow
def test_own_centroids_by_keyboard(made, visit):
    tab = visit(made("small")[1])
    for _ in range(6):
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.dataset.run") == "own"
    tab.keyboard.press("Enter")
    tab.focus("#picture")
    own = tab.locator("#own-chips button")
    for number, key in enumerate(("Left", "Down", "Right", "Right"), 1):
        for _ in range(3 * number):
            tab.keyboard.press(f"Arrow{key}")
        row, column = tab.evaluate("page.pixel")
        tab.keyboard.press("Enter")
        assert own.count() == number
        last = tab.evaluate("page.own.at(-1)")
        assert [last["row"], last["column"]] == [row, column]
        np.testing.assert_allclose(last["point"], small()[row, column] / 255, 1e-15)
    start = tab.evaluate("page.own.map(({ point }) => point)")
    assert_own_run(tab, small().reshape(-1, 3) / 255, start)


@pytest.mark.slow
def test_own_centroids_on_the_plane(made, visit):
    explanation, path = made("plane")
    tab = visit(path)
    click(tab, "[data-run=own]")
    points = explanation.points
    unit = None
    for i in (3, 50, 90, 110):
        tab.locator("#cloud").scroll_into_view_if_needed()
        x, y, unit = tab.evaluate(
            """point => {
                const { width, height } = byId("cloud").getBoundingClientRect();
                const frame = frameOf(page.run, { width, height });
                const [one, other] = [frame.project([0, 0]), frame.project([1, 0])];
                return [...frame.project(point), other[0] - one[0]];
            }""",
            points[i].tolist(),
        )
        click(tab, "#cloud", position={"x": x, "y": y})
        last = tab.evaluate("page.own.at(-1).point")
        assert np.abs(last - points[i]).max() <= 1.5 / unit
    start = tab.evaluate("page.own.map(({ point }) => point)")
    assert len(start) == 4
    assert_own_run(tab, points, start, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gray", "plane", "line", "seven"])
def test_own_centroids_at_random_and_cleared(name, made, visit):
    explanation, path = made(name)
    k = len(explanation.steps[0].centroids)
    tab = visit(path)
    click(tab, "[data-run=own]")
    own = tab.locator("#own-chips button")
    click(tab, "#own-random")
    assert own.count() == k
    assert tab.locator("#own-random").is_disabled()
    own.first.click()
    assert own.count() == k - 1
    click(tab, "#own-clear")
    assert own.count() == 0
    click(tab, "#own-random")
    start = np.array(tab.evaluate("page.own.map(({ point }) => point)"))
    points = explanation.points
    if name == "gray":
        points = gray().reshape(-1, 1) / 255
    # They are points, and none twice.
    assert len(np.unique(start, axis=0)) == k
    assert (start[:, np.newaxis] == points).all(axis=-1).any(axis=1).all()
    assert_own_run(tab, points, start, TOL if name == "gray" else 1e-4)


# ---- The page as a whole ----------------------------------------------------------


def contrast(one, other):
    """The contrast of two RGB colors, as WCAG 2 defines it."""

    def luminance(rgb):
        share = np.asarray(rgb) / 255
        linear = np.where(
            share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    crossed(["small", "plane"], ["light", "dark"], [1280, 360]),
)
def test_everyone_can_use_it(name, scheme, width, made, visit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    how = {"viewport": {"width": width, "height": 780}, "color_scheme": scheme}
    tab = visit(made(name)[1], reduced_motion="reduce", **how)
    for at in ("flatten", "assign-2", "tie/choose", "tie/stop", "own"):
        go_to(tab, at)
        if at == "own":
            click(tab, "#own-random")
            click(tab, "#own-elbow")
            tab.wait_for_function("!byId('elbow-view').hasAttribute('aria-busy')")
            # Two runs beside each other.
            click(tab, "#own-run")
            click(tab, "#elbow-ks button:nth-child(3)")
            click(tab, "#compare summary")
        faults = axe.run(tab).response["violations"]
        told = [
            (fault["help"], node["html"]) for fault in faults for node in fault["nodes"]
        ]
        assert told == [], at


@pytest.mark.slow
def test_light_dark_and_print(made, visit):
    _, path = made("small")
    seen = []
    for scheme in ("light", "dark"):
        tab = visit(path, "update-2", color_scheme=scheme)
        colors = {
            name: color_of(tab, f"--{name}")
            for name in ("paper", "raised", "ink", "soft", "accent", "on-accent")
        }
        for name in ("ink", "soft", "accent"):
            assert contrast(colors[name], colors["paper"]) >= 4.5, (scheme, name)
        assert contrast(colors["ink"], colors["raised"]) >= 4.5
        assert contrast(colors["on-accent"], colors["accent"]) >= 3
        body = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        found = [float(x) for x in re.findall(r"\d+", body)]
        assert found == colors["paper"].tolist()
        seen.append(colors)
    assert seen[0]["paper"].mean() > 200
    assert seen[1]["paper"].mean() < 50
    # Paper is white, and has what can be read, and nothing to press.
    tab.emulate_media(media="print")
    assert color_of(tab, "--paper").tolist() == [255] * 3
    for name in ("controls", "runs", "paint"):
        assert not tab.locator(f"#{name}").is_visible()
    for name in VIEWS:
        assert tab.locator(f"#{name}").is_visible()


BOX = """(id) => {
    const { left, right, top, bottom } = byId(id).getBoundingClientRect();
    return [left, right, top, bottom];
}"""
# Whether a control lies in the window, with nothing over it.
HIT = f"""(id) => {{
    const [left, right, top, bottom] = ({BOX})(id);
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const inside = left >= 0 && right <= innerWidth;
    return inside && top >= 0 && bottom <= innerHeight && byId(id).contains(hit);
}}"""
# How many views the controls cover.
COVERED = """[...document.querySelectorAll("figure, #small-print")].filter((each) =>
    each.getBoundingClientRect().bottom > byId("controls").getBoundingClientRect().top
).length"""


@pytest.mark.parametrize("width", chosen([1280, 768, 360]))
def test_all_widths(width, made, visit):
    size = {"width": width, "height": 780}
    cases = [("small", VIEWS), ("plane", [*VIEWS[:1], *VIEWS[2:]])]
    for name, views in cases:
        tab = visit(made(name)[1], "update-1", viewport=size)
        for run in ("", "tie/update-1", "own"):
            if run == "own":
                click(tab, "[data-run=own]")
                click(tab, "#own-random")
                # On a phone, the views of a run are there when there is one.
                shown = tab.locator("#table-view").is_visible()
                assert shown == (width > 700)
                click(tab, "#own-run")
            elif run:
                go_to(tab, run)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            here = [view for view in views if not (run and view == "picture-view")]
            boxes = tab.evaluate(f"ids => ids.map({BOX})", here)
            for view, (left, right, top, bottom) in zip(here, boxes):
                assert right - left > 150, view
                assert bottom - top > 50, view
                assert 0 <= left < right <= width, view
            # The controls can be hit, and cover nothing at the end of the page.
            tab.evaluate("scrollTo(0, document.body.scrollHeight)")
            assert tab.evaluate(f"ids => ids.filter({HIT})", CONTROLS) == [*CONTROLS]
            assert tab.evaluate(COVERED) == 0
            tab.evaluate("scrollTo(0, 0)")


@pytest.mark.parametrize("name", chosen(["line", "plane", "space", "seven"], "seven"))
def test_points_of_any_number_of_features(name, made, visit):
    explanation, path = made(name)
    d = explanation.points.shape[1]
    tab = visit(path)
    assert not tab.locator("#picture-view").is_visible()
    assert f"{len(explanation.points)}" in text(tab, "sentence")
    assert str(d) in text(tab, "sentence")
    first = canvas(tab, "cloud")
    seen = [first]
    for move in ("choose", "assign-1", "update-1", "stop"):
        go_to(tab, move)
        seen.append(canvas(tab, "cloud"))
        assert seen[-1].shape == first.shape
        assert (seen[-1] != seen[-2]).any()
    assert ("7" in text(tab, "cloud-note")) == (d == 7)
    # The colors of the clusters are in the cloud, each for its dots.
    colors = tab.evaluate("CLUSTERS.slice(0, 3).map(hexToRgb)")
    for color in colors:
        assert (seen[-1][..., :3] == color).all(axis=-1).sum() > 20


@pytest.mark.slow
def test_a_large_picture_says_that_it_is_reduced(tmp_path, visit):
    image = np.kron(SAMPLE, np.ones((2, 2, 1), np.uint8))
    image[::2, ::3] //= 2
    explanation = explain(image, 3, rng=0, max_iter=3)
    path = tmp_path / "large.html"
    explanation.save(path)
    tab = visit(path, "assign-2")
    rows, columns, _ = canvas(tab, "picture").shape
    assert rows * columns * 3 <= 900_000 < image.size
    print_ = text(tab, "small-print")
    assert re.findall(r"\d[\d,]*", print_)[:4] == counted(
        tab, [rows, columns, 750, 1000]
    )
    assert counted(tab, [explanation.steps[1].n_changed])[0] in text(tab, "sentence")
    step = explanation.steps[1]
    here = image[
        np.ix_(np.arange(rows) * 750 // rows, np.arange(columns) * 1000 // columns)
    ]
    labels, _ = assign(here.reshape(-1, 3) / 255, step.centroids)
    colors = np.rint(step.centroids * 255)
    assert_picture(tab, colors[labels].reshape(here.shape))
    # The place that is said of a pixel is the one in the whole picture.
    tab.focus("#picture")
    tab.keyboard.press("Shift+ArrowLeft")
    row, column = tab.evaluate("page.pixel")
    found = [int(x) for x in re.findall(r"\d+", text(tab, "pixel"))[:5]]
    place = row * 750 // rows, column * 1000 // columns
    assert found == [*place, *image[place]]


def markup(path):
    """The page without the packed numbers, whose letters mean nothing."""
    content = path.read_text(encoding="utf-8")
    return re.sub(r'"data": "[A-Za-z0-9+/=]*"', "", content)


@pytest.mark.slow
def test_a_page_of_noise_is_small(tmp_path):
    # Nothing is harder to press.
    rng = np.random.default_rng(0)
    for noise in (
        rng.integers(0, 256, (375, 500, 3), np.uint8),
        rng.random((375, 500, 3), np.float32),
    ):
        explanation = explain(noise, 8, rng=0, max_iter=30, tol=0)
        assert explanation.n_iter == 30
        explanation.save(tmp_path / "noise.html")
        assert (tmp_path / "noise.html").stat().st_size <= 2_000_000


def test_the_page_is_small_and_asks_nothing_of_any_network(made):
    assert made("photo")[1].stat().st_size <= 2_000_000
    assert made("photo")[0].n_iter >= 30
    for name in ("photo", "plane"):
        content = markup(made(name)[1]).replace("http://www.w3.org/2000/svg", "")
        assert len(content) < 200_000
        for word in ("http", "//www", "import(", "fetch(", "@import", "src="):
            assert word not in content.lower(), word


TITLE = """<b>"it's" & 'that'</b></script><script>throw 1</script>&lt;@data@"""


# ---- A picture of the reader's own -------------------------------------------------


def open_own(tab, path):
    tab.set_input_files("#own-picture", path)
    name = path.name
    tab.wait_for_function(f"byId('about').textContent.startsWith({name!r})")


@pytest.fixture
def own_picture(tmp_path):
    """A file of a picture of one's own, and the picture."""
    image = np.ascontiguousarray(SAMPLE[::8, ::9])
    path = tmp_path / "mine.png"
    write_image(path, image)
    return path, image


@pytest.mark.parametrize("init", chosen(["random", "k-means++"], "k-means++"))
def test_a_picture_of_ones_own_runs_as_lloyd_does(init, made, own_picture, visit):
    path, image = own_picture
    tab = visit(made("photo")[1], "own")
    open_own(tab, path)
    tab.fill("#own-k", "5")
    tab.select_option("#own-init", init)
    tab.fill("#own-seed", "7")
    click(tab, "#own-random")
    start = tab.evaluate("page.own.map(({ point }) => point)")
    assert len({tuple(each) for each in start}) == 5
    points = image.reshape(-1, 3) / 255
    assert {tuple(each) for each in start} <= {tuple(each) for each in points.tolist()}
    # The same seed is the same start.
    click(tab, "#own-clear")
    click(tab, "#own-random")
    assert tab.evaluate("page.own.map(({ point }) => point)") == start
    click(tab, "#own-clear")
    tab.fill("#own-seed", "8")
    click(tab, "#own-random")
    assert tab.evaluate("page.own.map(({ point }) => point)") != start
    click(tab, "#own-clear")
    tab.fill("#own-seed", "7")
    click(tab, "#own-random")
    click(tab, "#own-run")
    found = tab.evaluate(f"({RUN})(page.run)")
    np.testing.assert_allclose(np.reshape(found["points"], points.shape), points, 1e-15)
    same_run(found, points, np.array(start), tol=1e-4, max_iter=100)
    # Step by step, and back to the first picture.
    go_to(tab, f"{address(tab).split('/')[0]}/assign-2")
    click(tab, "#own-clear")
    click(tab, "#own-back")
    assert "mine.png" not in text(tab, "about")


@pytest.mark.parametrize("name", chosen(["small", "gray", "plane"], "small"))
def test_the_best_of_each_k_is_found_and_shown(name, made, visit):
    tab = visit(made(name)[1], "own")
    click(tab, "#own-elbow")
    tab.wait_for_function("!byId('elbow-view').hasAttribute('aria-busy')")
    found = tab.evaluate("""page.elbow.map(({ chosen, inertia }) =>
        [chosen.map((i) => pointOf(page.run, i)), inertia])""")
    points = np.reshape(tab.evaluate("[...page.run.points]"), (-1, len(found[0][0][0])))
    stop = tab.evaluate("({ tol: page.run.tol, max_iter: page.run.maxIter })")
    assert [len(start) for start, _ in found] == [*range(1, 11)]
    for start, inertia in found:
        *_, last = lloyd(points, np.array(start), **stop)
        near = ((points[:, None] - last.new_centroids) ** 2).sum(axis=2).min(axis=1)
        assert inertia == pytest.approx(near.sum(), rel=1e-9)
    assert found[0][1] > found[4][1] > found[9][1]
    # Press a k to see its clusters, at the end of their run.
    for k in (3, 7):
        click(tab, f"#elbow-ks button:nth-child({k})")
        assert tab.evaluate("page.run.k") == k
        assert tab.evaluate("page.run.end.inertia") == found[k - 1][1]
        assert tab.evaluate("page.moves[page.at].kind") == "stop"
        assert tab.locator("#elbow-ks [aria-pressed=true]").inner_text() == str(k)
    # Another start, and none of them is shown.
    click(tab, "#own-clear")
    assert tab.locator("#elbow-ks [aria-pressed=true]").count() == 0
    assert tab.locator("#elbow-view").is_visible()


@pytest.mark.slow
def test_no_more_clusters_than_different_colors_are_compared(made, tmp_path, visit):
    image = np.zeros((8, 8, 3), np.uint8)
    image[:3], image[:, :2] = 200, 90
    write_image(tmp_path / "three.png", image)
    tab = visit(made("photo")[1], "own")
    open_own(tab, tmp_path / "three.png")
    click(tab, "#own-elbow")
    tab.wait_for_function("!byId('elbow-view').hasAttribute('aria-busy')")
    assert tab.evaluate("page.elbow.map(({ k }) => k)") == [1, 2, 3]
    assert tab.evaluate("page.elbow[2].inertia") < 1e-12
    # Those of a picture are not those of another.
    click(tab, "#own-back")
    assert tab.locator("#elbow-view").is_hidden()


@pytest.mark.slow
def test_a_playground_opens_where_pictures_are_opened(made, tmp_path, visit):
    as_playground(made("photo")[0]).save(tmp_path / "play.html")
    tab = visit(tmp_path / "play.html")
    assert tab.locator("#own-file").is_visible()
    assert tab.locator("[data-run=own]").get_attribute("aria-pressed") == "true"
    # An address goes before it.
    assert address(visit(tmp_path / "play.html", "assign-2")) == "assign-2"


@pytest.mark.slow
def test_a_phones_photo_is_upright_and_a_large_one_reduced(made, tmp_path, visit):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "phone.jpg", exif=exif)
    tab = visit(made("photo")[1], "own")
    open_own(tab, tmp_path / "phone.jpg")
    assert re.search("400 . 300 pixels, reduced to", text(tab, "about"))
    rows, columns, _ = tab.evaluate("page.run.shown")
    assert rows > columns
    assert rows * columns <= 40_100
    assert tab.evaluate("page.run.weights.length") <= 4000


@pytest.mark.slow
def test_what_is_dropped_or_pasted_is_opened(made, own_picture, visit):
    path, image = own_picture
    data = b2a_base64(path.read_bytes(), newline=False).decode()
    put = """([type, data, kind]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const files = new DataTransfer();
        files.items.add(new File([bytes], `${kind}.png`, { type }));
        const event = kind === "drop"
            ? new DragEvent(kind, { dataTransfer: files, bubbles: true })
            : new ClipboardEvent(kind, { clipboardData: files, bubbles: true });
        document.body.dispatchEvent(event);
    }"""
    for kind in ("drop", "paste"):
        tab = visit(made("photo")[1])
        tab.evaluate(put, ["image/png", data, kind])
        tab.wait_for_function(f"byId('about').textContent.startsWith('{kind}.png')")
        assert tab.evaluate("page.run.shown") == [*image.shape]
    tab.evaluate(put, ["text/plain", data, "drop"])
    tab.wait_for_function("byId('own-text').textContent.includes('is no picture')")
    tab.evaluate(put, ["image/png", data[:80], "drop"])
    tab.wait_for_function("byId('own-text').textContent.includes('cannot be shown')")


@pytest.mark.slow
def test_false_colors_are_easy_to_tell_apart(made, visit):
    tab = visit(made("photo")[1], "assign-2")
    shown = canvas(tab, "picture")[..., :3].reshape(-1, 3)
    click(tab, "#paint [data-mode=false]")
    false = canvas(tab, "picture")[..., :3].reshape(-1, 3)
    expected = separated_colors(16)[:4]
    assert {*map(tuple, np.unique(false, axis=0))} == {*map(tuple, expected)}
    # The same pixels are together.
    pairs = np.unique(np.concatenate([shown, false], axis=1), axis=0)
    assert len(pairs) == len(np.unique(shown, axis=0)) == 4
    swatch = (
        "getComputedStyle(document.querySelector('#clusters .swatch')).backgroundColor"
    )
    assert tab.evaluate(swatch) == f"rgb({', '.join(map(str, expected[0]))})"


@pytest.mark.parametrize("name", chosen(["photo", "gray"], "gray"))
def test_a_pixel_is_a_point_of_the_cloud(name, made, visit):
    tab = visit(made(name)[1], "assign-2")
    before = canvas(tab, "cloud")
    box = tab.evaluate("byId('picture').getBoundingClientRect().toJSON()")
    tab.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    assert (canvas(tab, "cloud") != before).any()
    tab.mouse.move(box["x"] + box["width"] / 2, 5)
    assert (canvas(tab, "cloud") == before).all()


@pytest.mark.parametrize("name", chosen(["photo", "gray"], "gray"))
def test_a_dot_shows_its_pixels(name, made, visit):
    tab = visit(made(name)[1], "assign-2")
    before = canvas(tab, "picture")
    x, y, _ = tab.evaluate("drawn.dots.at(-1)")
    box = tab.evaluate("byId('cloud').getBoundingClientRect().toJSON()")
    tab.mouse.move(box["x"] + x, box["y"] + (box["height"] / 2 if y is None else y))
    seen = canvas(tab, "picture")
    assert (seen != before).any()
    near = tab.evaluate("Array.from(viewOf().near)")
    assert 0 < sum(near) < len(near) / 2
    tab.mouse.move(box["x"] + 3, box["y"] - 30)
    assert (canvas(tab, "picture") == before).all()


@pytest.mark.parametrize("width", chosen([1920, 1280, 800]))
def test_a_wide_page_may_become_narrow(width, made, visit):
    tab = visit(made("photo")[1], "assign-1", viewport={"width": width, "height": 800})
    for narrow in (740, 360):
        tab.set_viewport_size({"width": narrow, "height": 740})
        # The event of the new size comes a moment later.
        tab.wait_for_function("byId('picture').clientWidth <= innerWidth")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


SCREENS = [(1920, 1080), (1280, 800), (740, 360), (360, 740), (412, 915)]


@pytest.mark.parametrize("size", chosen(SCREENS))
def test_picture_and_cloud_share_every_screen(size, made, visit):
    width, height = size
    tab = visit(
        made("photo")[1], "assign-1", viewport={"width": width, "height": height}
    )
    low = tab.evaluate("byId('controls').getBoundingClientRect().top")
    for stage in ("picture", "cloud"):
        box = tab.evaluate(f"byId('{stage}').getBoundingClientRect().toJSON()")
        assert box["top"] >= 0
        assert box["bottom"] <= low
        assert box["height"] >= 100


@pytest.mark.parametrize("size", chosen(SCREENS))
def test_the_stage_stays_where_it_is(size, made, visit):
    width, height = size
    tab = visit(made("photo")[1], viewport={"width": width, "height": height})
    boxes = set()
    for name in ("choose", "assign-1", "update-1", "assign-2", "stop"):
        go_to(tab, name)
        rect = "byId('{}').getBoundingClientRect()"
        boxes.add(
            tab.evaluate(
                f"[{rect}.top, {rect}.left, {rect}.width].join()".replace(
                    "{}", "picture"
                )
            )
        )
        boxes.add(
            tab.evaluate(
                f"'cloud' + [{rect}.top, {rect}.left].join()".replace("{}", "cloud")
            )
        )
    assert len(boxes) == 2


@pytest.mark.parametrize("width", chosen([360, 390, 412]))
def test_every_tap_of_a_phone_counts(width, made, visit):
    phone = {"viewport": {"width": width, "height": 740}, "has_touch": True}
    tab = visit(made("photo")[1], "own", **phone)
    assert address(tab) == "own"
    box = tab.evaluate("byId('picture').getBoundingClientRect().toJSON()")
    scrolled = tab.evaluate("scrollY")
    for taps in range(1, 4):
        x, y = box["x"] + box["width"] * taps / 4, box["y"] + box["height"] / 2
        tab.touchscreen.tap(x, y)
        tab.wait_for_function(f"page.own.length === {taps}")
        assert tab.evaluate("scrollY") == scrolled
        assert tab.evaluate("byId('picture').getBoundingClientRect().y") == box["y"]


@pytest.mark.slow
def test_what_hardly_changes_is_shown_shortly(made, visit):
    tab = visit(made("photo")[1])
    paces = tab.evaluate("page.moves.map((move) => pace(move))")
    assert max(paces) == 1
    assert paces[2] == 1
    assert min(paces) >= 0.1
    assert paces[-3] < paces[2]


def test_titles_are_text(tmp_path, visit):
    path = tmp_path / "title.html"
    explain(groups(2), 2, rng=0, title=TITLE).save(path)
    tab = visit(path)
    assert text(tab, "about").startswith(TITLE)
    assert tab.title().startswith(TITLE)
    assert tab.locator("b").count() == 0
    assert tab.locator("script").count() == 2


@pytest.mark.slow
def test_it_shows_itself_in_a_frame(made, visit, tmp_path):
    explanation, _ = made("small")
    path = tmp_path / "notebook.html"
    content = f"<!doctype html><title>a notebook</title>{explanation._repr_html_()}"
    path.write_text(content, encoding="utf-8")
    tab = visit(path, ready="iframe")
    frame = tab.frame_locator("iframe")
    frame.locator("body.ready").wait_for()
    frame.locator("#last").dispatch_event("click")
    assert frame.locator("#last").is_disabled()
    frame.locator("#back").dispatch_event("click")
    step = explanation.steps[-1]
    word = said(tab.frames[1], [step.inertia])[0]
    assert word in frame.locator("#sentence").inner_text()
    colors = np.rint(step.new_centroids * 255)
    shown = Shown("small", explanation)
    assert_picture(tab.frames[1], colors[shown.labels(step.labels)])
    frame.locator("#forward").press("Home")
    assert frame.locator("#first").is_disabled()
