"""`explain`: the run it keeps is the run of `lloyd`, and what it writes is whole."""

import json
import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import SAMPLE

from kmeans_np import assign, explain, lloyd, read_image
from kmeans_np.colors import COLOR_SPACES
from kmeans_np.explanation.examples import examples
from kmeans_np.explanation.film import moves
from kmeans_np.explanation.recording import kept_steps, record
from kmeans_np.explanation.subject import (
    MOST_BYTES,
    cloud,
    subject_of_image,
    subject_of_points,
)


def same_steps(explanation, points, start, weights=None, **options):
    """The steps of an explanation are those of the textbook on these points."""
    steps = list(lloyd(points, start, weights=weights, **options))
    assert explanation.n_iter == len(steps)
    assert explanation.stopped_by == steps[-1].stopped_by
    np.testing.assert_allclose(
        explanation.inertias, [step.inertia for step in steps], rtol=1e-9, atol=1e-12
    )
    for mine in explanation.steps:
        theirs = steps[mine.iteration - 1]
        np.testing.assert_allclose(mine.centroids, theirs.centroids, atol=1e-9)
        np.testing.assert_allclose(mine.new_centroids, theirs.new_centroids, atol=1e-9)
        assert mine.n_changed == theirs.n_changed
        assert mine.shift == pytest.approx(theirs.shift, rel=1e-6, abs=1e-12)
        assert mine.restarted == theirs.restarted
        assert mine.stopped_by == theirs.stopped_by
    return steps


def test_a_picture_is_the_textbook_on_its_scaled_pixels():
    image = SAMPLE[::5, ::5]
    explanation = explain(image, 5, rng=3)
    pixels = image.reshape(-1, 3) / 255
    start = explanation.steps[0].centroids
    steps = same_steps(explanation, pixels, start)
    assert explanation.unit == 255
    # Its start is among the pixels.
    assert all((pixels == centroid).all(axis=1).any() for centroid in start)
    # The labels of distinct colors are those of the pixels.
    _, inverse = np.unique(pixels, axis=0, return_inverse=True)
    order = np.lexsort(explanation.points.T[::-1])
    for mine in explanation.steps:
        labels = mine.labels[order][inverse.ravel()]
        assert np.array_equal(labels, steps[mine.iteration - 1].labels)


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_points_are_the_textbook(d, k, seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 6, (40, d)).astype(float)
    start = rng.integers(-3, 9, (k, d)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # So few distinct points.
        explanation = explain(points, k, init=start)
    same_steps(explanation, points, start)


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        (np.uint8, 255), (np.uint16, 65535), (np.int16, 32767), (bool, 1),
        (np.float32, 1), (np.float64, 1), (np.float16, 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_images_of_all_types_are_scaled_and_flattened(kind, unit, channels, rng):
    image = (rng.random((12, 9, channels)) * (1 if unit == 1 else 200)).astype(kind)
    if kind is bool:
        image = rng.random((12, 9, channels)) > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        explanation = explain(image, 2, init=image[0, :2].astype(float))
    assert explanation.unit == unit
    points = image.reshape(-1, channels).astype(float) / unit
    same_steps(explanation, points, image[0, :2].astype(float) / unit)


def test_only_pixels_that_take_part_are_explained(rng):
    image = rng.integers(0, 255, (20, 30, 4), dtype=np.uint8)
    image[:5, :, 3] = 0
    mask = rng.random((20, 30)) > 0.3
    explanation = explain(image, 3, mask=mask, rng=0)
    inside = mask & (image[..., 3] > 0)
    points = image[inside][:, :3] / 255
    same_steps(explanation, points, explanation.steps[0].centroids)
    assert explanation.weights.sum() == inside.sum()


def test_a_volume_is_explained_whole_and_shown_in_its_middle_plane(rng):
    volume = rng.integers(0, 4000, (5, 8, 9), dtype=np.uint16)
    explanation = explain(volume, 2, channel_axis=None, rng=0)
    points = volume.reshape(-1, 1) / 65535
    same_steps(explanation, points, explanation.steps[0].centroids)
    material = subject_of_image(volume, None, None, "auto")
    assert material.plane == (2, 5)
    assert np.array_equal(material.shown[..., 0], volume[2])
    labels = explanation.steps[0].labels
    expected, _ = assign(
        volume[2].reshape(-1, 1) / 65535, explanation.steps[0].centroids
    )
    assert np.array_equal(material.labels_shown(labels).ravel(), expected)


def test_points_far_from_zero_lose_no_digits(rng):
    points = rng.random((300, 2))
    near = explain(points, 3, init=points[:3])
    far = explain(points + 2.0**30, 3, init=points[:3] + 2.0**30)
    assert far.n_iter == near.n_iter
    np.testing.assert_allclose(far.inertias, near.inertias, rtol=1e-6)


@pytest.mark.slow
def test_long_runs_keep_the_first_the_last_and_some_between(rng):
    points = np.sort(rng.random((1500, 1)) ** 2, axis=0)
    explanation = explain(points, 40, init=points[:40], tol=0)
    n_iter = explanation.n_iter
    assert n_iter > 60
    kept = [step.iteration for step in explanation.steps]
    assert kept == kept_steps(n_iter)
    assert len(kept) == 60
    same_steps(explanation, points, points[:40], tol=0)


@given(st.integers(1, 2000))
def test_kept_steps_are_in_order_and_reach_from_first_to_last(n_iter):
    kept = kept_steps(n_iter)
    assert kept == sorted(set(kept))
    assert len(kept) == min(n_iter, 60)
    assert kept[:10] == list(range(1, min(10, n_iter) + 1))
    assert kept[-10:] == list(range(max(1, n_iter - 9), n_iter + 1))
    gaps = np.diff(kept)
    if n_iter > 60:
        between = gaps[10:-11]
        assert between.max() - between.min() <= 1


def test_a_callback_sees_every_step_and_can_stop():
    points = np.arange(30.0).reshape(-1, 1)
    seen = []
    explanation = explain(points, 4, rng=1, callback=lambda step: seen.append(step))
    assert [step.iteration for step in seen] == list(range(1, explanation.n_iter + 1))
    explanation = explain(points, 4, rng=1, callback=lambda step: step.iteration == 2)
    assert explanation.n_iter == 2
    assert explanation.stopped_by == "callback"


def test_a_long_run_that_a_callback_stops_ends_there(rng):
    points = np.sort(rng.random((1500, 1)) ** 2, axis=0)
    explanation = explain(
        points, 40, init=points[:40], tol=0, callback=lambda step: step.iteration == 65
    )
    assert explanation.n_iter == 65
    assert explanation.steps[-1].iteration == 65
    assert explanation.steps[-1].stopped_by == "callback"
    assert len(explanation.steps) == 60


def test_the_same_seed_gives_the_same_page(tmp_path):
    image = SAMPLE[::10, ::10]
    for name in ("one.html", "two.html"):
        explain(image, 3, rng=7).save(tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_more_clusters_than_colors_warns():
    image = np.zeros((4, 4, 3), np.uint8)
    image[2:] = 255
    with pytest.warns(
        UserWarning, match=r"k = 5, but there are only 2 distinct colors"
    ):
        explanation = explain(image, 5, rng=0)
    assert explanation.steps[0].centroids.shape == (2, 3)


def test_the_input_is_not_written_to(rng):
    image = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
    image.flags.writeable = False
    start = np.array([[0.0, 0, 0], [255, 255, 255]])
    start.flags.writeable = False
    explain(image, 2, init=start)
    points = rng.random((9, 2))
    points.flags.writeable = False
    explain(points, 2, rng=0)


@given(st.integers(0, 2**32 - 1))
def test_the_inertia_falls_with_every_move(seed):
    rng = np.random.default_rng(seed)
    points = rng.random((60, 2)) + 5
    run = record(points, np.ones(60), points[:5], max_iter=300, tol=0)
    moves = run.inertia_of_moves()
    assert len(moves) == 2 * run.n_iter + 1
    assert (np.diff(moves) <= 1e-9).all()
    for step in run.steps:
        assert moves[2 * step.iteration - 2] == step.inertia
        if not step.restarted:
            there = step.new_centroids[step.labels]
            after = np.square(points - there).sum()
            assert moves[2 * step.iteration - 1] == pytest.approx(after, abs=1e-9)
    assert moves[-1] == run.inertia


# ---- What is shown -----------------------------------------------------------------


@pytest.mark.slow
def test_what_is_shown_of_a_large_picture_are_pixels_of_it(rng):
    image = rng.integers(0, 255, (900, 1300, 3), dtype=np.uint8)
    material = subject_of_image(image, None, -1, "auto")
    assert material.reduced
    assert material.shown.nbytes <= MOST_BYTES
    assert np.array_equal(
        material.shown.reshape(-1, 3), image.reshape(-1, 3)[material.where]
    )
    centroids = rng.random((4, 3))
    labels, _ = assign(material.points, centroids)
    expected, _ = assign(material.shown.reshape(-1, 3) / 255, centroids)
    assert np.array_equal(material.labels_shown(labels).ravel(), expected)


@pytest.mark.slow
def test_the_pixels_shown_of_a_masked_picture_have_their_own_labels(rng):
    image = rng.integers(0, 255, (800, 900, 3), dtype=np.uint8)
    mask = rng.random((800, 900)) > 0.4
    material = subject_of_image(image, mask, -1, "auto")
    labels, _ = assign(material.points, rng.random((5, 3)))
    shown = material.labels_shown(labels)
    assert np.array_equal(shown >= 0, material.part)
    rows, columns = np.nonzero(material.part)
    chosen = material.shown[rows, columns] / 255
    assert np.array_equal(chosen, image[mask][material.where] / 255)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_a_cloud_has_all_the_weight_and_the_mean(d, seed):
    rng = np.random.default_rng(seed)
    points = rng.random((9000, d)) ** 3
    weights = rng.integers(1, 9, 9000).astype(float)
    dots, masses = cloud(points, weights)
    assert len(dots) == len(masses) <= 4000
    if d <= 3:
        assert masses.sum() == weights.sum()
        mean = np.average(points, axis=0, weights=weights)
        np.testing.assert_allclose(np.average(dots, axis=0, weights=masses), mean)
    else:
        assert {*map(tuple, dots)} <= {*map(tuple, points)}


def test_few_points_are_their_own_cloud(rng):
    points, weights = rng.random((50, 2)), np.ones(50)
    assert cloud(points, weights)[0] is points


def test_many_points_are_shown_in_part(rng):
    points = rng.random((200_000, 2))
    material = subject_of_points(points)
    assert material.reduced
    assert material.shown.nbytes <= MOST_BYTES
    assert np.array_equal(material.shown, points[material.where])


# ---- The prepared runs ---------------------------------------------------------------


def test_each_prepared_run_shows_what_it_promises():
    bad, empty, tie, above = examples()
    good = explain(bad.material.points, 3, init="k-means++", rng=0)
    assert 8 < bad.run.inertia / good.inertias[-1] < 10
    assert empty.run.steps[0].restarted == (2,)
    first, points = tie.run.steps[0], tie.run.points
    middle = (points == [4, 2]).all(axis=1)
    to_both = [np.square(points[middle] - c).sum() for c in first.centroids]
    assert to_both[0] == to_both[1]
    assert first.labels[middle] == 0
    assert (above.run.counts > 0).sum() == 3
    assert len(above.run.start) == 5


# ---- What is written -----------------------------------------------------------------


def test_the_numbers_of_the_page_are_those_of_the_steps(tmp_path):
    explanation = explain(SAMPLE[::4, ::4], 4, rng=2)
    explanation.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    run = json.loads(found[1])[0]
    assert run["inertias"] == explanation.inertias.tolist()
    assert len(run["steps"]) == len(explanation.steps)
    for told, step in zip(run["steps"], explanation.steps):
        assert told["iteration"] == step.iteration
        assert told["centroids"] == step.centroids.tolist()
        assert told["newCentroids"] == step.new_centroids.tolist()
        assert told["inertia"] == step.inertia
        assert told["nChanged"] == step.n_changed
        assert told["shift"] == step.shift
        assert told["restarted"] == list(step.restarted)
        assert told["stoppedBy"] == step.stopped_by
        counts = np.bincount(step.labels, explanation.weights, 4)
        assert told["counts"] == counts.tolist()
    labels, distances = assign(explanation.points, explanation.steps[-1].new_centroids)
    inertia = (distances * explanation.weights).sum()
    assert run["end"]["inertia"] == pytest.approx(inertia, rel=1e-9)
    counts = np.bincount(labels, explanation.weights, 4)
    assert run["end"]["counts"] == counts.tolist()


def test_the_lines_of_code_on_the_page_are_those_of_the_package():
    from importlib.resources import files

    words = (files("kmeans_np.explanation") / "player" / "words.js").read_text("utf-8")
    lloyd_py = (files("kmeans_np") / "lloyd.py").read_text("utf-8")
    block = words[
        words.index("const CODE = {") : words.index("};", words.index("const CODE"))
    ]
    quoted = dict(
        re.findall(r"""^  "?([\w+-]+)"?: ["'](.*)["'],$""", block, re.MULTILINE)
    )
    for move in ("assign", "update", "given", "labels", "tol", "max_iter"):
        line = quoted[move].split(" = ")[-1] if move == "given" else quoted[move]
        assert f"{line}" in lloyd_py, move


def test_save_writes_what_the_suffix_says(tmp_path):
    explanation = explain(SAMPLE[::20, ::20], 3, rng=0, max_iter=1)
    for name, begin in (
        ("a.html", b"<!doctype html>"),
        ("b.GIF", b"GIF89a"),
        ("c.png", b"\x89PNG"),
    ):
        explanation.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert read_image(tmp_path / "c.png").ndim == 3
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "steps.mp4",
            "path must end in one of .html, .gif, .png, got steps.mp4; choose .html "
            "for a page to step through, .gif for a film, .png for a sheet",
        ),
        (
            "steps",
            "path must end in one of .html, .gif, .png, got steps; choose .html for a "
            "page to step through, .gif for a film, .png for a sheet",
        ),
    ],
)
def test_save_refuses_other_files(name, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        explain([[0.0], [1.0]], 1).save(name)


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_an_old_pillow_is_told_what_to_do(tmp_path, monkeypatch, name):
    from PIL import ImageFont

    def load_default():
        raise AssertionError("not called without a size")

    monkeypatch.setattr(ImageFont, "load_default", load_default)
    with pytest.raises(ValueError, match=r"Pillow is older than 10.1.* --upgrade"):
        explain([[0.0], [1.0]], 1).save(tmp_path / name)
    assert not [*tmp_path.iterdir()]


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    explanation = explain([[0.0], [1.0]], 1)
    path = tmp_path / "page.html"
    path.write_text("mine")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        explanation.save(path)
    assert path.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (
            {"k": 7},
            ValueError,
            "k must be at most the number of points, 6, got 7",
        ),
        ({"k": 2.5}, TypeError, "k must be a whole number of at least 1, got 2.5"),
        (
            {"title": 3},
            TypeError,
            "title must be a string, got 3 (int); pass one, or ''",
        ),
        ({"mask": np.ones(6)}, ValueError, "mask must be left out for points"),
        (
            {"init": "best"},
            ValueError,
            "init must be 'random', 'k-means++', 'optimal' or an array",
        ),
        ({"init": [[1.0]]}, ValueError, "init must"),
        ({"tol": -1}, ValueError, "tol must"),
        ({"max_iter": 0}, ValueError, "max_iter must"),
        ({"rng": -1}, ValueError, "rng must"),
        ({"callback": 1}, TypeError, "callback must be a function"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, error, sentence):
    points = np.arange(12.0).reshape(6, 2)
    with pytest.raises(error) as refused:
        explain(points, **{"k": 2, **arguments})
    assert str(refused.value).startswith(sentence)


def test_bad_pictures_are_refused_in_words():
    image = np.full((3, 4, 3), np.nan)
    with pytest.raises(ValueError, match="row 0, column 0"):
        explain(image, 2)
    with pytest.raises(ValueError, match="image_or_points must have 2 axes"):
        explain([1.0, 2.0], 1)


def test_it_says_what_it_is():
    explanation = explain(np.zeros((3, 5, 3), np.uint8), 1)
    assert repr(explanation) == (
        "<Explanation of 15 pixels in 1 cluster: stopped by 'tol' after 1 step>"
    )


def test_a_notebook_gets_the_whole_page_in_a_frame():
    from html import unescape

    shown = explain([[0.0], [1.0]], 1, title='a "b" </script>')._repr_html_()
    page = unescape(
        re.fullmatch(r'<iframe srcdoc="(.*?)" title=.*', shown, re.DOTALL)[1]
    )
    assert page.startswith("<!doctype html>")
    assert page.count("</script>") == 2


# ---- Several starts, and color spaces ------------------------------------------------


def test_of_several_starts_the_best_run_is_kept():
    points = np.random.default_rng(0).normal(size=(60, 2))
    rng = np.random.default_rng(4)
    runs = [explain(points, 6, rng=rng) for _ in range(8)]
    ends = [assign(points, run.steps[-1].new_centroids)[1].sum() for run in runs]
    best = explain(points, 6, n_init=8, rng=np.random.default_rng(4))
    assert len(set(ends)) > 1
    assert (best.points == points).all()
    expected = runs[int(np.argmin(ends))]
    assert best.inertias.tolist() == expected.inertias.tolist()
    assert (best.steps[0].centroids == expected.steps[0].centroids).all()


def test_a_callback_that_ends_a_run_ends_the_search():
    seen = []

    def callback(step):
        seen.append(step.iteration)
        return len(seen) == 2

    points = np.random.default_rng(0).normal(size=(60, 2))
    run = explain(points, 6, n_init=8, tol=0, rng=0, callback=callback)
    assert (seen, run.stopped_by) == ([1, 2], "callback")


@pytest.mark.parametrize("space", ["lab", "oklab"])
def test_colors_are_compared_in_a_color_space(space):
    image = SAMPLE[::9, ::9]
    pixels = COLOR_SPACES[space].from_rgb(image.reshape(-1, 3), 255.0)
    colors = np.array([[200, 90, 30], [20, 30, 40], [90, 120, 200]])
    explanation = explain(image, 3, color_space=space, init=colors)
    # Given centroids are in the unit of the image.
    start = COLOR_SPACES[space].from_rgb(colors, 255.0)
    np.testing.assert_allclose(explanation.steps[0].centroids, start, atol=1e-12)
    same_steps(explanation, pixels, start)


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        (
            SAMPLE[..., 0],
            {"color_space": "lab", "kind": "image"},
            "red, green and blue",
        ),
        (SAMPLE[:9] - 0.5, {"color_space": "oklab"}, "floats from 0 to 1"),
        (SAMPLE[:9], {"color_space": "hsv"}, "color_space must be 'rgb', 'lab' or"),
        (np.eye(9, 2), {"color_space": "lab"}, "color_space must be left out for poi"),
        (SAMPLE[:9], {"n_init": 0}, "n_init must be a whole number of at least 1"),
        (np.eye(9, 2), {"n_init": 2, "init": np.eye(3, 2)}, "n_init must be 1 when"),
    ],
)
def test_what_cannot_be_compared_or_tried_is_refused(image, options, words):
    with pytest.raises(ValueError, match=words):
        explain(image, 3, **options)


def test_the_sheet_and_the_film_name_the_space():
    explanation = explain(SAMPLE[::9, ::9], 3, color_space="lab", rng=0)
    first = next(moves(explanation._run, explanation._material))
    assert "in CIELAB" in first.note


def test_a_page_knows_only_some_color_spaces(monkeypatch, tmp_path):
    monkeypatch.setitem(COLOR_SPACES, "same", COLOR_SPACES["lab"])
    explanation = explain(SAMPLE[::40, ::40], 2, color_space="same", rng=0)
    with pytest.raises(ValueError, match=r"save a film \(.gif\) or a sheet \(.png\)"):
        explanation.save(tmp_path / "page.html")
    assert not [*tmp_path.iterdir()]
    explanation.save(tmp_path / "sheet.png")
