"""What can be chosen by name stands in a table: a new entry is the whole change."""

import colorsys
from itertools import pairwise

import numpy as np
import pytest
from sample import SAMPLE
from sources import Slices, in_chunks

from kmeans_np import (
    apply_palette,
    cluster_image,
    inertia_curve,
    kmeans,
    read_image,
    segment_image,
    write_image,
)
from kmeans_np.colors import COLOR_SPACES, ColorSpace
from kmeans_np.lloyd import lloyd, stop_reason
from kmeans_np.seeding import SEEDINGS, Seeding

PICTURE = SAMPLE[:60, :80]


# ---- Color spaces --------------------------------------------------------------------


def yiq_from_rgb(rgb, white):
    return np.array([colorsys.rgb_to_yiq(*row) for row in rgb / white])


def rgb_from_yiq(yiq):
    # Not by colorsys, which clips.
    back = np.linalg.inv(np.array([colorsys.rgb_to_yiq(*row) for row in np.eye(3)]).T)
    return yiq @ back.T


@pytest.fixture
def yiq(monkeypatch):
    space = ColorSpace("YIQ", yiq_from_rgb, rgb_from_yiq, "in YIQ, as televisions did")
    monkeypatch.setitem(COLOR_SPACES, "yiq", space)


@pytest.mark.usefixtures("yiq")
def test_a_color_space_is_an_entry(tmp_path, run):
    how = {"color_space": "yiq", "rng": 0}
    answer = cluster_image(PICTURE, 5, **how)
    colors, numbers = np.unique(PICTURE.reshape(-1, 3), axis=0, return_inverse=True)
    points = yiq_from_rgb(colors, 255.0)[numbers.ravel()]
    start = yiq_from_rgb(answer.centroids, 255.0)
    labels, distances = zip(
        *(
            (int(d.argmin()), d.min())
            for d in (((point - start) ** 2).sum(axis=1) for point in points)
        )
    )
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.inertia == pytest.approx(sum(distances))
    assert np.array_equal(answer.palette, np.rint(answer.centroids))
    for source in (Slices(PICTURE), in_chunks(PICTURE, [0, 20, 60])):
        assert np.array_equal(np.asarray(segment_image(source, 5, **how)), answer.image)
    again = apply_palette(PICTURE, answer.palette, color_space="yiq")
    assert np.mean(again.labels == answer.labels) > 0.99
    assert inertia_curve(PICTURE, [5], **how)[0] <= 1.1 * answer.inertia
    write_image(tmp_path / "p.png", PICTURE)
    run("segment", tmp_path / "p.png", "-k", 5, "--color-space", "yiq")
    assert np.array_equal(read_image(tmp_path / "p-k5.png"), answer.image)
    with pytest.raises(
        ValueError, match="must be 'rgb', 'lab', 'oklab' or 'yiq', got 'cmyk'"
    ):
        cluster_image(PICTURE, 5, color_space="cmyk")
    with pytest.raises(ValueError, match="red, green and blue for color_space='yiq'"):
        cluster_image(PICTURE[..., 0], 5, color_space="yiq")
    with pytest.raises(ValueError, match="0 to 1 for color_space='yiq', got float64"):
        cluster_image(PICTURE * 1.0, 5, color_space="yiq")


@pytest.mark.usefixtures("yiq")
def test_the_help_lists_color_spaces(capsys):
    assert "--color-space {rgb,lab,oklab,yiq}" in help_of_segment(capsys)
    assert "as televisions did" in help_of_segment(capsys)


def help_of_segment(capsys):
    from kmeans_np.__main__ import main

    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    return " ".join(capsys.readouterr().out.split())


# ---- Seedings ------------------------------------------------------------------------


def first_points(points, k, weights, _):
    """Take the k points with most weight."""
    return points[np.argsort(-weights, kind="stable")[:k]].astype(float)


@pytest.fixture
def first(monkeypatch):
    monkeypatch.setitem(SEEDINGS, "most", Seeding("the most frequent", first_points))


@pytest.mark.usefixtures("first")
def test_a_seeding_is_an_entry(tmp_path, run):
    how = {"init": "most", "coarse_start": False}
    answer = cluster_image(PICTURE, 4, **how)
    colors, counts = np.unique(PICTURE.reshape(-1, 3), axis=0, return_counts=True)
    start = first_points(colors, 4, counts, None)
    *_, last = lloyd(PICTURE.reshape(-1, 3), start)
    assert answer.n_iter == last.iteration
    for source in (Slices(PICTURE), in_chunks(PICTURE, [0, 20, 60])):
        assert np.array_equal(np.asarray(segment_image(source, 4, **how)), answer.image)
    points = PICTURE.reshape(-1, 3)
    assert kmeans(points, 4, init="most").n_iter == last.iteration
    write_image(tmp_path / "p.png", PICTURE)
    run("segment", tmp_path / "p.png", "-k", 4, "--init", "most")
    assert (tmp_path / "p-k4.png").exists()
    with pytest.raises(
        ValueError, match=r"'random', 'k-means.*', 'most' or an array of"
    ):
        kmeans(points, 4, init="least")


@pytest.mark.usefixtures("first")
def test_a_seeding_that_needs_all_points_says_so():
    points = np.random.default_rng(0).random((30_000, 2))
    assert len(kmeans(points, 5, init="most", max_iter=2).centroids) == 5
    few = Slices(points.round(1))
    assert len(kmeans(few, 5, init="most", max_iter=2).centroids) == 5
    sentence = "init must be 'random' or 'k-means.*' for more than 10,000 distinct poi"
    for source in (Slices(points), in_chunks(points, [0, 9000, 30_000])):
        with pytest.raises(ValueError, match=sentence):
            kmeans(source, 5, init="most")


@pytest.mark.usefixtures("first")
def test_the_help_lists_seedings(capsys):
    text = help_of_segment(capsys)
    assert "--init {random,k-means++,optimal,most}" in text
    assert "the most frequent" in text


# ---- Stop reasons --------------------------------------------------------------------


def test_every_reason_to_stop_is_in_the_table():
    from kmeans_np.clustering import STOP_REASONS

    points = np.random.default_rng(0).random((50, 2))
    steps = [*lloyd(points, points[:4], tol=0)]
    reasons = {steps[-1].stopped_by, "callback"}
    for before, step in pairwise(steps):
        reasons.add(stop_reason(before, before.shift, 999))
        reasons.add(stop_reason(step, -1, step.iteration))
    assert reasons - {None} == {*STOP_REASONS}
    for reason in STOP_REASONS.values():
        assert "3 steps" in reason.end.format(steps="3 steps")
        assert "{" not in reason.because.format(noun="pixel")
