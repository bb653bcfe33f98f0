"""The page of `explain` where readers try: starts, spaces, two runs, questions."""

# Fixtures are imported, and then named as arguments.
# ruff: noqa: F811

import re

import numpy as np
import pytest
from browser import canvas, chromium, visit, visits  # noqa: F401
from tables import chosen
from test_page import (  # noqa: F401
    EXAMPLES,
    RUN,
    address,
    click,
    color_of,
    contrast,
    go_to,
    hover,
    made,
    open_own,
    own_picture,
    same_run,
    small,
    text,
)

from kmeans_np import apply_palette, explain
from kmeans_np.colors import COLOR_SPACES
from kmeans_np.explanation.examples import examples

SPACES = ("lab", "oklab")
CALM = {"reduced_motion": "reduce"}


def points_in(image, space):
    """The pixels of an image in a color space."""
    pixels = image.reshape(-1, 3) / 255
    entry = COLOR_SPACES[space]
    return pixels if entry is None else entry.from_rgb(pixels, 1.0)


def start_at(tab, pixels):
    """Start from pixels of the first picture."""
    go_to(tab, "own:" + ";".join(f"{row},{column}" for row, column in pixels))


def try_start(tab, pixels):
    start_at(tab, pixels)
    click(tab, "#own-run")


def spot_of(tab, row, column):
    """Where a pixel is on the screen."""
    tab.locator("#picture").scroll_into_view_if_needed()
    box = tab.locator("#picture").bounding_box()
    rows, columns = tab.evaluate("page.run.shown.slice(0, 2)")
    x = box["x"] + (column + 0.5) * box["width"] / columns
    return x, box["y"] + (row + 0.5) * box["height"] / rows


# ---- Color spaces -------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_converts_colors_as_the_package_does(made, visit):
    tab = visit(made("small")[1])
    colors = np.random.default_rng(0).random((300, 3))
    colors[:3] = [[0, 0, 0], [1, 1, 1], [0.003, 0.001, 0.002]]
    for name in SPACES:
        there, back = tab.evaluate(
            """([name, colors]) => {
                const { fromRgb, toRgb } = SPACES[name];
                const there = colors.map(fromRgb);
                return [there, there.map(toRgb)];
            }""",
            [name, colors.tolist()],
        )
        expected = COLOR_SPACES[name].from_rgb(colors, 1.0)
        np.testing.assert_allclose(there, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(back, colors, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_a_run_in_another_space_is_shown_in_its_colors(space, tmp_path, visit):
    explanation = explain(small(), 4, rng=2, color_space=space, tol=2e-3)
    explanation.save(tmp_path / "page.html")
    tab = visit(tmp_path / "page.html", "stop")
    found = tab.evaluate(f"({RUN})(page.run)")
    points = points_in(small(), space)
    np.testing.assert_allclose(
        np.reshape(found["points"], (-1, 3)), points, rtol=1e-12, atol=1e-12
    )
    steps = same_run(found, points, found["start"], tol=2e-3, max_iter=300)
    assert found["labels"][-1] == steps[-1].labels.tolist()
    # The picture is painted as cluster_image paints it from there.
    palette = COLOR_SPACES[space].to_rgb(steps[-1].new_centroids).clip(0, 1) * 255
    expected = apply_palette(small(), palette, color_space=space).image
    painted = canvas(tab, "picture")[..., :3]
    assert np.abs(painted.astype(int) - expected).max() <= 1
    assert (painted == expected).mean() > 0.99
    name = COLOR_SPACES[space].name
    assert f"compared in {name}" in text(tab, "about")
    go_to(tab, "flatten")
    assert name in text(tab, "formula")
    assert f"{space}_from_rgb" in text(tab, "code")


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_ones_own_runs_in_another_space(space, made, visit):
    tab = visit(made("small")[1], "own:3,4;20,30;9,40")
    tab.select_option("#own-space", space)
    assert f"space={space}" in address(tab)
    click(tab, "#own-run")
    found = tab.evaluate(f"({RUN})(page.run)")
    points = points_in(small(), space)
    start = [
        points[row * small().shape[1] + column]
        for row, column in ((3, 4), (20, 30), (9, 40))
    ]
    np.testing.assert_allclose(found["start"], start, rtol=1e-12, atol=1e-12)
    same_run(found, points, found["start"], tol=2e-3, max_iter=300)
    # Who opens the address sees the same.
    inertia = text(tab, "inertia")
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    assert text(tab, "inertia") == inertia
    assert tab.evaluate("page.run.end.inertia") == found["end"]["inertia"]
    assert tab.locator("#own-space").input_value() == space


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gray", "bands", "plane", "int8", "float32"])
def test_only_colors_have_spaces(name, made, visit):
    tab = visit(made(name)[1], "own")
    assert tab.locator("#own-space").is_hidden()


# ---- Two runs side by side ----------------------------------------------------------


def overlaps(one, other):
    """How many pixels each pair of clusters shares."""
    both = np.zeros((one.max() + 1, other.max() + 1), int)
    np.add.at(both, (one, other), 1)
    return both


def test_two_starts_are_compared_and_explained(tmp_path, visit):
    # A start in each of three groups, and then two of them in one.
    points = examples()[0].run.points
    explain(points, 3, rng=0).save(tmp_path / "page.html")
    tab = visit(tmp_path / "page.html", **CALM)
    for numbers in ([0, 40, 70], [3, 7, 40]):
        go_to(tab, "own:" + ";".join(",".join(map(str, points[i])) for i in numbers))
        click(tab, "#own-run")
    assert tab.locator("#compare").is_visible()
    options = tab.locator("#compare-one option")
    # The first run of the page can be chosen, too.
    assert options.count() == 3
    ends = [tab.evaluate(f"page.tried[{i}].end.inertia") for i in range(3)]
    assert tab.locator("#verdict").is_hidden()
    click(tab, "#compare summary")
    verdict = text(tab, "verdict")
    less = 100 * (1 - ends[1] / ends[2])
    assert less > 1
    assert (
        f"Run 2 had the better start: it ends with an inertia that is {less:.1f}% lower"
        in verdict
    )
    shares = re.search(
        r"Run 3 spends 2 clusters, (\d) and (\d), where run 2 needs only one, (\d)[.]",
        verdict,
    )
    labels = [
        np.array(
            tab.evaluate(f"[...labelsFor(page.tried[{i}], endOf(page.tried[{i}]))]")
        )
        for i in (1, 2)
    ]
    both = overlaps(labels[1], labels[0])
    for label in shares.groups()[:2]:
        assert both[int(label)].argmax() == int(shares[3])
    # A run beside itself, and one with another k.
    tab.select_option("#compare-one", "2")
    assert "twice" in text(tab, "verdict")
    go_to(
        tab, "own:" + ";".join(",".join(map(str, points[i])) for i in range(0, 88, 11))
    )
    click(tab, "#own-run")
    assert "more clusters, 8 against 3" in text(tab, "verdict")


@pytest.mark.slow
def test_pictures_of_two_runs_stand_side_by_side(made, visit):
    tab = visit(made("small")[1], **CALM)
    starts = [[(3, 4), (20, 30)], [(3, 4), (20, 30), (9, 40), (30, 3)]]
    for start in starts:
        try_start(tab, start)
    for side, start in zip(("one", "other"), starts):
        palette = tab.evaluate(
            "i => page.compared[+i].steps.at(-1).newCentroids", side == "other"
        )
        assert len(palette) == len(start)
        expected = apply_palette(small(), np.array(palette) * 255).image
        painted = canvas(tab, f"compare-{side}-view")[..., :3]
        assert np.abs(painted.astype(int) - expected).max() <= 1
        assert tab.locator(f"#compare-{side}-palette span").count() == len(start)
    boxes = [
        tab.locator(f"#compare-{side}-view").bounding_box() for side in ("one", "other")
    ]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    # The same start twice is as good.
    try_start(tab, starts[1])
    click(tab, "#compare summary")
    assert "neither start was better" in text(tab, "verdict")
    # In another space, each is measured in both.
    tab.select_option("#own-space", "oklab")
    click(tab, "#own-run")
    verdict = text(tab, "verdict")
    inertias = tab.evaluate("page.compared.map((run) => real(run.end.inertia))")
    assert "cannot be compared" in verdict
    assert f"in RGB {inertias[0]} and " in verdict
    assert re.search(f"in Oklab [0-9.,]+ and {re.escape(inertias[1])}[.]", verdict)
    assert text(tab, "about").count("compared in Oklab") == 1
    # Who compares runs that differ in two things learns of neither.
    tab.select_option("#compare-one", "1")
    assert "Two things differ" in text(tab, "verdict")
    # Another tab has no place for them.
    click(tab, "[data-run=tie]")
    assert tab.locator("#compare").is_hidden()


@pytest.mark.slow
def test_runs_of_another_picture_are_forgotten(made, own_picture, visit):
    tab = visit(made("small")[1], **CALM)
    for start in ([(3, 4), (20, 30)], [(3, 4), (30, 3)]):
        try_start(tab, start)
    assert tab.locator("#compare").is_visible()
    open_own(tab, own_picture[0])
    assert tab.locator("#compare").is_hidden()
    click(tab, "#own-random")
    click(tab, "#own-run")
    assert tab.evaluate("page.tried.length") == 1


# ---- Starts by hand -----------------------------------------------------------------


def test_a_start_is_dragged_while_one_looks(made, visit):
    tab = visit(made("small")[1], "own:3,4;20,30")
    before = canvas(tab, "picture")
    tab.mouse.move(*spot_of(tab, 20, 30))
    tab.mouse.down()
    tab.mouse.move(*spot_of(tab, 12, 33), steps=3)
    tab.wait_for_function("page.own[1].row === 12")
    tab.evaluate("new Promise(requestAnimationFrame)")
    # What the first assign would do is seen while it is dragged.
    pixels = small().reshape(-1, 3) / 255
    start = [small()[3, 4] / 255, small()[12, 33] / 255]
    near = ((pixels[:, None] - start) ** 2).sum(axis=2).argmin(axis=1)
    expected = np.rint(np.array(start) * 255)[near].reshape(small().shape)
    assert (canvas(tab, "picture")[..., :3] == expected).all()
    tab.mouse.move(*spot_of(tab, 30, 10), steps=3)
    tab.mouse.up()
    tab.mouse.move(0, 0)
    assert address(tab) == "own:3,4;30,10"
    assert tab.locator("#own-chips button").count() == 2
    assert (canvas(tab, "picture") == before).all()
    # Elsewhere a press drops another one.
    tab.mouse.click(*spot_of(tab, 10, 10))
    assert address(tab) == "own:3,4;30,10;10,10"


@pytest.mark.slow
def test_a_finger_drags_a_start_and_does_not_scroll(made, visit):
    phone = {"viewport": {"width": 390, "height": 740}, "has_touch": True}
    tab = visit(made("small")[1], "own:3,4;20,30", **phone)
    session = tab.context.new_cdp_session(tab)

    def touch(kind, *spot):
        points = [{"x": spot[0], "y": spot[1]}] if spot else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    scrolled = tab.evaluate("scrollY")
    touch("touchStart", *spot_of(tab, 20, 30))
    for row in (16, 12, 8):
        touch("touchMove", *spot_of(tab, row, 30))
    touch("touchEnd")
    tab.wait_for_function("page.dragged === null")
    assert address(tab) == "own:3,4;8,30"
    assert tab.evaluate("scrollY") == scrolled


@pytest.mark.slow
def test_a_start_is_dragged_on_the_plane(made, visit):
    tab = visit(made("plane")[1], "own:0,0;2,-3")
    box = tab.locator("#cloud").bounding_box()
    project = """point => {
        const { width, height } = byId("cloud").getBoundingClientRect();
        return frameOf(page.run, { width, height }).project(point);
    }"""
    x, y = tab.evaluate(project, [2, -3])
    tab.mouse.move(box["x"] + x, box["y"] + y)
    tab.mouse.down()
    tab.mouse.move(box["x"] + x - 80, box["y"] + y - 50, steps=4)
    tab.mouse.up()
    moved = tab.evaluate("page.own[1].point")
    assert tab.evaluate(project, moved) == pytest.approx([x - 80, y - 50], abs=1.5)
    assert tab.locator("#own-chips button").count() == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "gray", "space"])
def test_a_start_is_taken_from_the_cloud(name, made, visit):
    tab = visit(made(name)[1], "own")
    box = tab.locator("#cloud").bounding_box()
    x, y, _ = tab.evaluate("drawn.dots.at(-1)")
    y = box["height"] / 2 if y is None else y
    tab.mouse.click(box["x"] + x, box["y"] + y)
    [point] = tab.evaluate("page.own.map(({ point }) => point)")
    if name != "gray":
        d = len(point)
        dots = np.reshape(tab.evaluate("[...page.run.dots]"), (-1, d))
        found = (dots == point).all(axis=1).nonzero()[0]
        # It is there, or one of those that lie over each other there.
        near = tab.evaluate(
            "i => drawn.dots.find((each) => each[2] === i)", int(found[0])
        )
        assert near[:2] == pytest.approx([x, y], abs=1)
        # To turn the cloud is no press.
        tab.mouse.move(box["x"] + x, box["y"] + y)
        tab.mouse.down()
        tab.mouse.move(box["x"] + x + 60, box["y"] + y + 5, steps=3)
        tab.mouse.up()
    assert tab.evaluate("page.own.length") == 1
    click(tab, "#own-run")
    kept = address(tab)
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    assert (tab.evaluate("page.run.start"), address(tab)) == ([point], kept)


# ---- Addresses and reloads ----------------------------------------------------------


def test_the_address_holds_what_was_chosen(made, visit):
    tab = visit(made("small")[1], "own")
    for field, value in (("k", "7"), ("seed", "12")):
        tab.fill(f"#own-{field}", value)
        tab.locator(f"#own-{field}").blur()
    tab.select_option("#own-init", "k-means++")
    click(tab, "#paint [data-mode=false]")
    assert address(tab) == "own?show=false&k=7&seed=12&init=k-means++"
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    for field, value in (("k", "7"), ("seed", "12"), ("init", "k-means++")):
        assert tab.locator(f"#own-{field}").input_value() == value
    assert tab.locator("#paint [aria-pressed=true]").inner_text() == "false colors"
    click(tab, "#own-random")
    click(tab, "#own-run")
    click(tab, "#forward")
    seen, kept = canvas(tab, "picture"), address(tab)
    assert re.fullmatch(
        r"own:[\d,;]+/assign-1\?show=false&seed=12&init=k-means\+\+", kept
    )
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    assert address(tab) == kept
    assert (canvas(tab, "picture") == seen).all()
    # Elsewhere only what is painted is kept.
    click(tab, "[data-run=run]")
    assert address(tab) == "flatten?show=false"
    # Nonsense is as nothing.
    tab = visit(made("small")[1], "own?k=x&seed=&init=best&space=cmyk&show=all")
    assert address(tab) == "own"


@pytest.mark.slow
def test_a_reload_keeps_a_picture_of_ones_own(made, own_picture, visit):
    path, image = own_picture
    tab = visit(made("small")[1], "own")
    open_own(tab, path)
    click(tab, "#own-random")
    click(tab, "#own-run")
    click(tab, "#forward")
    seen, kept = canvas(tab, "picture"), address(tab)
    assert kept.startswith("mine:")
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    assert text(tab, "about").startswith("mine.png")
    assert (address(tab), tab.evaluate("page.run.shown")) == (kept, [*image.shape])
    assert (canvas(tab, "picture") == seen).all()
    # Somebody else has not got it, and is told so.
    tab = visit(made("gray")[1], kept, viewport={"width": 1000, "height": 700})
    assert "belongs to another picture" in text(tab, "own-text")
    assert tab.evaluate("page.own.length") == 0


# ---- Questions ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_what_will_happen_is_asked_before_it_is_shown(name, made, visit):
    [question] = [each.question for each in examples() if each.name == name]
    tab = visit(made("plane")[1], **CALM)
    for number, choice in enumerate(question.choices):
        click(tab, f"[data-run={name}]")
        assert address(tab) == f"{name}/{question.move}"
        assert text(tab, "question") == question.text
        choices = tab.locator("#choices button")
        assert choices.all_inner_texts() == [*question.choices]
        # What there is to see is not told yet.
        assert text(tab, "intro") == ""
        choices.nth(number).click()
        assert tab.evaluate("page.at") == tab.evaluate("firstMove(page.run)") + 1
        assert tab.locator("#ask").is_hidden()
        answer = text(tab, "intro")
        assert f"You said: “{choice}”" in answer
        right = number == question.right
        assert ("So it is." in answer) == right
        assert (f"It is: “{question.choices[question.right]}”" in answer) != right
        # A step back asks again, and keeps what was said.
        click(tab, "#back")
        assert choices.nth(number).get_attribute("aria-pressed") == "true"
    # Who goes on without an answer is told, too.
    tab = visit(made("plane")[1], f"{name}/{question.move}")
    click(tab, "#forward")
    assert "You said" not in text(tab, "intro")
    assert text(tab, "intro")


def test_the_answers_are_right():
    by_name = {each.name: each for each in examples()}
    right = {
        name: each.question.choices[each.question.right]
        for name, each in by_name.items()
    }
    assert [*by_name] == [*EXAMPLES]
    # Both centroids stay in the group in which they start.
    run = by_name["bad-start"].run
    assert np.abs(run.end.new_centroids[:2] - run.start[:2]).max() < 2
    assert right["bad-start"].startswith("Both stay")
    run = by_name["empty-cluster"].run
    first = run.steps[0]
    far = ((run.points - first.centroids[first.labels]) ** 2).sum(axis=1)
    assert (first.new_centroids[2] == run.points[far.argmax()]).all()
    assert right["empty-cluster"].startswith("It jumps to the point")
    assert by_name["tie"].run.steps[0].labels[3] == 0
    assert right["tie"] == "Centroid 0."
    assert (by_name["k-above-the-colors"].run.counts > 0).sum() == 3
    assert right["k-above-the-colors"] == "Three."


# ---- What is seen -------------------------------------------------------------------


@pytest.mark.parametrize("name", chosen(["small", "gray", "plane"], "plane"))
def test_a_step_back_shows_the_picture_of_before(name, made, visit):
    tab = visit(made(name)[1], **CALM)
    shown = ["cloud"] if name == "plane" else ["cloud", "picture"]
    last = tab.evaluate("page.moves.length") - 1
    seen = []
    for _ in range(min(last, 8)):
        seen.append([canvas(tab, each) for each in shown])
        click(tab, "#forward")
    # What the pointer does on the way changes nothing.
    hover(tab, "#cloud")
    hover(tab, "#clusters tbody tr")
    tab.mouse.move(0, 0)
    for before in reversed(seen):
        click(tab, "#back")
        for each, pixels in zip(shown, before):
            assert (canvas(tab, each) == pixels).all()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_edges_and_swatches_are_seen(scheme, made, visit):
    tab = visit(made("small")[1], "assign-1", color_scheme=scheme)
    edge = color_of(tab, "--edge")
    for ground in ("paper", "raised", "stage"):
        assert contrast(edge, color_of(tab, f"--{ground}")) >= 3, ground
    border = tab.evaluate(
        "getComputedStyle(document.querySelector('.swatch')).boxShadow"
    )
    assert [float(x) for x in re.findall(r"\d+", border)[:3]] == edge.tolist()
    # The cube is drawn with it.
    drawn = canvas(tab, "cloud")[..., :3].astype(float)
    assert (np.abs(drawn - edge).max(axis=-1) < 40).sum() > 200
    # The tab that is open is known as such under the pointer.
    pressed = "document.querySelector('nav [aria-pressed=true]')"
    underline = f"getComputedStyle({pressed}).borderBottomColor"
    before = tab.evaluate(underline)
    hover(tab, "nav [aria-pressed=true]")
    assert tab.evaluate(underline) == before
    found = [float(x) for x in re.findall(r"\d+", before)]
    assert found == color_of(tab, "--accent").tolist()


# ---- One thing after another --------------------------------------------------------


@pytest.mark.slow
def test_a_run_is_shown_with_its_own_starts_and_space(made, visit):
    tab = visit(made("small")[1], "own:3,4;20,30;9,40/assign-1?space=oklab")
    for start in ("own", "own?space=lab", "tie", "bogus/assign-1"):
        go_to(tab, start)
        click(tab, "[data-run=tie]")
        click(tab, "[data-run=own]")
        shown = tab.evaluate("page.run.space")
        assert tab.locator("#own-space").input_value() == shown, start
        starts = tab.evaluate("page.run.start.length")
        assert tab.locator("#own-chips button").count() == starts
        assert tab.locator("#ask").is_hidden()
    # What was chosen and not run is there again, too.
    go_to(tab, "own:3,4;20,30")
    click(tab, "[data-run=run]")
    click(tab, "[data-run=own]")
    assert address(tab) == "own:3,4;20,30"
    # A press on the tab that is open takes nothing away.
    click(tab, "[data-run=own]")
    assert address(tab) == "own:3,4;20,30"


@pytest.mark.slow
def test_what_is_known_of_one_picture_is_not_shown_of_another(made, own_picture, visit):
    tab = visit(made("small")[1], "own")
    open_own(tab, own_picture[0])
    click(tab, "#own-random")
    click(tab, "#own-run")
    click(tab, "#own-elbow")
    tab.wait_for_function("!byId('elbow-view').hasAttribute('aria-busy')")
    go_to(tab, "own:3,4;20,30/stop")
    assert tab.locator("#elbow-view").is_hidden()
    assert "mine.png" not in text(tab, "compare-one")
    assert tab.evaluate("page.tried.length") == 2
    # Nor that of one color space of another.
    click(tab, "#own-elbow")
    tab.wait_for_function("!byId('elbow-view').hasAttribute('aria-busy')")
    go_to(tab, "own?space=lab")
    assert tab.locator("#elbow-view").is_hidden()


@pytest.mark.slow
def test_an_address_waits_for_its_picture(made, own_picture, visit):
    path, _ = own_picture
    kept = "mine:3,4;20,30/choose"
    tab = visit(made("gray")[1], kept, viewport={"width": 1000, "height": 700})
    assert address(tab) == kept
    open_own(tab, path)
    assert address(tab) == "mine:3,4;20,30"


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad", ["own:0,500", "own:99,0", "own:-1,3", "own:1,2,3", "own:a,b", "own:~1,2"]
)
def test_starts_outside_of_the_picture_are_none(bad, made, visit):
    tab = visit(made("small")[1], f"{bad}?show=toString")
    assert address(tab) == "own"
    assert tab.locator("#paint [aria-pressed=true]").inner_text() == "painted"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plane", "gray"])
def test_a_start_dragged_out_of_the_plane_stays_at_its_edge(name, made, visit):
    start = "own:0,0;2,-3" if name == "plane" else "own:~0.2;~0.5"
    tab = visit(made(name)[1], start)
    tab.locator("#cloud").scroll_into_view_if_needed()
    box = tab.locator("#cloud").bounding_box()
    x, y = tab.evaluate("""() => {
        const { width, height } = byId("cloud").getBoundingClientRect();
        return frameOf(page.run, { width, height }).project(page.own[1].point);
    }""")
    last = tab.evaluate("""() => {
        const { width, height } = byId("cloud").getBoundingClientRect();
        return frameOf(page.run, { width, height }).place([width, 0])[0];
    }""")
    tab.mouse.move(box["x"] + x, box["y"] + y)
    tab.mouse.down()
    for i in range(8):
        tab.mouse.move(box["x"] + box["width"] + 40 + i % 2, box["y"] + y)
    tab.mouse.up()
    assert tab.evaluate("page.own[1].point[0]") == pytest.approx(last)
    assert tab.locator("#own-chips button").count() == 2


@pytest.mark.slow
def test_the_right_button_and_other_fingers_drag_nothing(made, visit):
    phone = {"viewport": {"width": 390, "height": 740}, "has_touch": True}
    tab = visit(made("small")[1], "own:3,4;20,30", **phone)
    tab.mouse.move(*spot_of(tab, 20, 30))
    tab.mouse.down(button="right")
    tab.mouse.move(*spot_of(tab, 12, 33), steps=2)
    tab.mouse.up(button="right")
    assert address(tab) == "own:3,4;20,30"
    # Whatever happens during a drag, it ends.
    tab.mouse.move(*spot_of(tab, 20, 30))
    tab.mouse.down()
    go_to(tab, "tie")
    tab.mouse.move(200, 200, steps=2)
    tab.mouse.up()
    assert address(tab) == "tie/choose"


@pytest.mark.slow
def test_a_tap_beside_a_start_drops_another(made, visit):
    phone = {"viewport": {"width": 390, "height": 740}, "has_touch": True}
    tab = visit(made("small")[1], "own:20,30", **phone)
    x, y = spot_of(tab, 20, 30)
    tab.touchscreen.tap(x, y)
    assert tab.evaluate("page.own.length") == 1
    tab.touchscreen.tap(x + 18, y)
    assert tab.evaluate("page.own.length") == 2
    click(tab, "#own-run")
    # A run has as many clusters as starts, and another is a press away.
    assert tab.locator("#own-k").input_value() == "2"
    tab.fill("#own-seed", "5")
    click(tab, "#own-random")
    assert tab.evaluate("page.own.length") == 2
    click(tab, "#own-run")
    assert "picked at random" in text(tab, "sentence")
    tab.evaluate("location.reload()")
    tab.wait_for_selector("body.ready")
    assert "random with seed 5" in tab.evaluate("page.run.how")


def verdict(tab, low, high, **options):
    """What is said of two runs with these inertias."""
    return tab.evaluate(
        """([low, high, options]) => {
            const [run] = page.runs;
            const [one, other] = [low, high].map((inertia, i) => ({
                ...run, end: { ...run.end, inertia },
                start: run.start.slice(0, options.starts?.[i] ?? 99),
            }));
            page.tried = [one, other];
            return verdictOn(one, other);
        }""",
        [low, high, options],
    )


@pytest.mark.slow
def test_verdicts_do_not_hang_on_rounding(made, visit):
    tab = visit(made("small")[1])
    assert "without inertia" in verdict(tab, 0, 8e-31)
    assert "without inertia" in verdict(tab, 0, 1e-30, starts=[2, 4])
    assert "neither start was better" in verdict(tab, 5, 5.001)
    assert "Run 1 had the better start" in verdict(tab, 5, 6)
    assert "0.0% lower" in verdict(tab, 5.0001, 5, starts=[2, 4])
    assert "had a bad start" in verdict(tab, 5, 6, starts=[2, 4])


@pytest.mark.slow
def test_pixels_that_count_less_are_said_and_not_compared(tmp_path, visit):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 4)).astype(np.uint8)
    explain(image, 3, alpha="weights", rng=0).save(tmp_path / "page.html")
    tab = visit(tmp_path / "page.html", "own")
    assert "count each pixel once" in text(tab, "about")
    click(tab, "#own-random")
    click(tab, "#own-run")
    assert tab.evaluate("page.tried.length") == 1


@pytest.mark.slow
def test_play_stops_at_a_question(made, visit):
    tab = visit(made("plane")[1], "empty-cluster/flatten", frozen=True)
    click(tab, "#play")
    tab.clock.run_for(20_000)
    assert address(tab) == "empty-cluster/assign-1"
    assert tab.locator("#play").get_attribute("aria-label") == "Play"


@pytest.mark.slow
def test_space_on_a_summary_opens_it(made, visit):
    tab = visit(made("small")[1], **CALM)
    for start in ([(3, 4), (20, 30)], [(3, 4), (30, 3)]):
        try_start(tab, start)
    tab.focus("#compare summary")
    tab.keyboard.press(" ")
    assert tab.locator("#verdict").is_visible()
    assert tab.evaluate("page.playing") is None
    # After a press of the mouse on a tab, space plays.
    click(tab, "[data-run=run]")
    tab.keyboard.press(" ")
    assert tab.evaluate("page.playing") is not None
