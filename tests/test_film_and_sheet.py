"""The film and the sheet: what a learner sees of a run."""

import io
from itertools import pairwise

import numpy as np
import pytest
from sample import SAMPLE

from kmeans_np import sample_image
from kmeans_np.explanation import film as films
from kmeans_np.explanation.canvas import (
    ACCENT,
    CLUSTERS,
    PAPER,
    Canvas,
    brief,
    fitted,
    mixed,
    rgb_of,
)  # fmt: skip
from kmeans_np.explanation.film import END, MARGIN, PANEL, TOP, gif_bytes, moves
from kmeans_np.explanation.recording import record
from kmeans_np.explanation.sheet import WIDEST, cells, grid_of, sheet_bytes
from kmeans_np.explanation.subject import subject_of_image, subject_of_points
from kmeans_np.seeding import random_points

# The left panel of a frame, where the picture is.
LEFT = (slice(TOP, TOP + PANEL), slice(MARGIN, MARGIN + 340))


def run(material, k, **options):
    k = min(k, len(material.points))
    start = random_points(
        material.points, k, material.weights, np.random.default_rng(0)
    )
    start = options.pop("start", start)
    options = {"max_iter": 300, "tol": 1e-4} | options
    return record(material.points, material.weights, start, **options)


def image(array, mask=None, channel_axis=-1, alpha="auto"):
    return subject_of_image(array, mask, channel_axis, alpha)


def frames_of(data):
    """The frames of a GIF as RGB, and how long each is held."""
    from PIL import Image

    frames, holds = [], []
    with Image.open(io.BytesIO(data)) as file:
        for number in range(file.n_frames):
            file.seek(number)
            holds.append(file.info["duration"])
            frames.append(np.asarray(file.convert("RGB")))
    return frames, holds


def opened(data):
    from PIL import Image

    with Image.open(io.BytesIO(data)) as file:
        return np.asarray(file.convert("RGB"))


def colors_in(picture):
    codes = np.unique(picture.reshape(-1, 3) @ [2**16, 2**8, 1])
    return {(code >> 16, code >> 8 & 255, code & 255) for code in codes.tolist()}


@pytest.fixture(scope="module")
def small():
    """Every fifth pixel of the sample."""
    return image(np.ascontiguousarray(SAMPLE[::5, ::5]))


@pytest.fixture(scope="module")
def small_run(small):
    return run(small, 4, tol=0.1)


@pytest.fixture(scope="module")
def small_film(small, small_run):
    return gif_bytes(small_run, small)


@pytest.fixture(scope="module")
def small_sheet(small, small_run):
    return sheet_bytes(small_run, small)


def words_of(record, material):
    return [move.caption for move in moves(record, material)]


class TestMoves:
    def test_come_in_order(self, small, small_run):
        names = [move.name for move in moves(small_run, small)]
        n = (len(names) - 3) // 2
        assert n == small_run.n_iter <= 20
        assert names == ["flatten", "choose", *["assign", "update"] * n, "stop"]

    def test_say_the_numbers_of_the_steps(self, small, small_run):
        words = words_of(small_run, small)
        assert words[0] == "flatten: 75 × 100 × 3 → 7,500 × 3"  # noqa: RUF001
        assert words[1] == "choose: 4 starting centroids"
        assert words[2] == "assign 1: all 7,500 pixels join their nearest centroid"
        third = small_run.steps[2]
        assert words[6] == (
            f"assign 3: {third.n_changed:,.0f} of 7,500 pixels changed cluster"
        )
        far = np.linalg.norm(third.new_centroids - third.centroids, axis=1).max()
        assert words[7] == f"update 3: the farthest centroid moved {far:.3f}"

    def test_assign_paints_with_the_centroids_before_and_update_after(
        self, small, small_run
    ):
        all_moves = list(moves(small_run, small))
        for step, one, other in zip(
            small_run.steps, all_moves[2:-1:2], all_moves[3:-1:2], strict=True
        ):
            assert np.array_equal(one.centroids, step.centroids)
            assert np.array_equal(other.centroids, step.new_centroids)
            assert np.array_equal(one.path[-1], step.centroids)
            assert np.array_equal(other.path[-1], step.new_centroids)
            for move in (one, other):
                assert np.array_equal(move.labels, step.labels)
                assert np.array_equal(move.cells, step.centroids)
                assert move.shares * 7500 == pytest.approx(small_run.counts_of(step))
        stop = all_moves[-1]
        assert np.array_equal(stop.centroids, small_run.end.new_centroids)
        assert np.array_equal(stop.labels, small_run.labels)
        assert stop.shares * 7500 == pytest.approx(small_run.counts)

    def test_the_path_is_where_the_centroids_have_been(self, small, small_run):
        *_, stop = moves(small_run, small)
        been = [small_run.start, *(step.new_centroids for step in small_run.steps)]
        assert np.array_equal(stop.path, been)

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"tol": 0}, "no pixel changes cluster any more"),
            ({"tol": 1e-2}, "the centroids hardly move"),
            ({"max_iter": 2}, "no more were allowed"),
            ({"callback": lambda step: step.iteration == 2}, "the callback said so"),
        ],
    )
    def test_the_last_says_why_it_stopped(self, small, options, why):
        found = run(small, 4, **options)
        assert words_of(found, small)[-1] == (
            f"stopped after {found.n_iter} steps: {why}"
        )

    def test_the_last_gives_the_two_numbers_of_the_stop_rule(self, small, small_run):
        *_, stop = moves(small_run, small)
        assert small_run.end.stopped_by == "tol"
        assert brief(small_run.end.shift) in stop.note
        assert brief(0.1 * small_run.mean_variance) in stop.note

    def test_a_restart_is_told(self):
        points = subject_of_points(np.array([[0.0, 0], [1, 0], [5, 0], [6, 0]]))
        found = run(points, 3, start=np.array([[0.0, 0], [6, 0], [99, 99]]))
        assert words_of(found, points)[3].startswith(
            "update 1: an empty cluster restarted, the farthest centroid moved "
        )

    def test_points_are_called_points(self):
        points = subject_of_points(np.arange(12.0).reshape(6, 2))
        first, *others = moves(run(points, 2), points)
        assert first.name == "points"
        assert first.caption == "6 points of 2 features"
        assert not any("pixel" in move.caption for move in others)

    def test_pixels_that_take_no_part_are_not_counted(self, small):
        mask = np.zeros((75, 100), bool)
        mask[20:40] = True
        part = image(small.shown, mask)
        words = words_of(run(part, 2), part)
        assert "→ 2,000" in words[0]
        assert "all 2,000 pixels" in words[2]

    def test_long_films_are_thinned_and_say_so(self, small):
        long = run(small, 4, tol=0)
        assert len(long.steps) > 20
        all_moves = list(moves(long, small))
        assert len(all_moves) == 43
        shown = [int(move.note.split()[1]) for move in all_moves[2:-1:2]]
        assert shown[:9] == list(range(1, 10))
        assert shown[-3:] == [long.n_iter - 2, long.n_iter - 1, long.n_iter]
        for before, number, move in zip(shown, shown[1:], all_moves[4:-1:2]):
            assert ("not shown" in move.note) == (number > before + 1)
            if number > before + 2:
                assert f"steps {before + 1} to {number - 1} are" in move.note


class TestFilm:
    def test_loops_for_ever(self, small_film):
        from PIL import Image

        with Image.open(io.BytesIO(small_film)) as file:
            assert file.format == "GIF"
            assert file.info["loop"] == 0

    def test_has_a_frame_for_each_move_the_last_held_longest(
        self, small, small_run, small_film
    ):
        frames, holds = frames_of(small_film)
        assert len(frames) == len(list(moves(small_run, small)))
        assert holds[-1] == END == max(holds)
        assert holds.count(END) == 1
        assert 350 <= min(holds) <= 700

    def test_is_as_large_as_a_slide_wants_it(self, small_film):
        frames, _ = frames_of(small_film)
        assert {frame.shape for frame in frames} == {(434, 760, 3)}

    def test_each_frame_paints_its_move(self, small, small_run, small_film):
        frames, _ = frames_of(small_film)
        for frame, move in list(zip(frames, moves(small_run, small)))[2:]:
            palette = small.rgb(move.centroids)
            painted = palette[small.labels_shown(move.labels)]
            picture = frame[LEFT][:, 20:320]  # in the middle, 3 times as large
            top = (PANEL - 225) // 2
            assert np.array_equal(picture[top : top + 225][1::3, 1::3], painted)

    def test_the_first_frames_show_the_picture_as_it_is(self, small, small_film):
        frames, _ = frames_of(small_film)
        for frame in frames[:2]:
            picture = frame[LEFT][(PANEL - 225) // 2 :][:225, 20:320][1::3, 1::3]
            error = np.abs(picture.astype(int) - small.shown)
            assert error.mean() < 4

    def test_the_palette_bar_is_as_wide_as_the_shares(
        self, small, small_run, small_film
    ):
        frames, _ = frames_of(small_film)
        colors = small.rgb(small_run.end.new_centroids)
        row = frames[-1][TOP + PANEL + 27, MARGIN : MARGIN + 340]
        for color, count in zip(colors, small_run.counts):
            wide = (row == color).all(axis=1).sum()
            assert wide == pytest.approx(340 * count / 7500, abs=2)

    def test_the_dot_goes_along_the_curve(self, small_film):
        frames, _ = frames_of(small_film)
        below = [frame[TOP + PANEL + 24 :, 380:] for frame in frames]
        accent = [(part == rgb_of([ACCENT])).all(axis=-1) for part in below]
        assert not accent[0].any()
        assert not accent[1].any()
        where = [np.nonzero(dots)[1].mean() for dots in accent[2:]]
        assert where[0::2] == sorted(where[0::2])
        assert where[0] < 20
        assert where[-1] > 340
        for assign, update in zip(where[0:-1:2], where[1:-1:2]):
            assert assign < update

    def test_only_the_color_of_the_centroids_changes_from_assign_to_update(
        self, small_film
    ):
        frames, _ = frames_of(small_film)
        assign, update = (frame[LEFT][50:200:3, 20:320:3] for frame in frames[2:4])
        pairs = {
            (*one, *other)
            for one, other in zip(
                assign.reshape(-1, 3).tolist(), update.reshape(-1, 3).tolist()
            )
        }
        assert len(pairs) == 4

    def test_colors_of_centroids_stay_among_any_number_of_others(self):
        frame = RNG.integers(0, 256, (200, 200, 3)).astype(np.uint8)
        exact = np.array([[1, 2, 3], [200, 100, 7]], np.uint8)
        frame[50, 60], frame[70, 80] = exact
        shown = np.asarray(films._indexed(frame, exact).convert("RGB"))
        assert np.array_equal(shown[50, 60], exact[0])
        assert np.array_equal(shown[70, 80], exact[1])
        assert np.abs(shown.astype(int) - frame).mean() < 25

    @pytest.mark.slow
    def test_same_run_same_bytes(self, small):
        found = run(small, 4, max_iter=1)
        assert gif_bytes(found, small) == gif_bytes(found, small)

    @pytest.mark.slow
    @pytest.mark.parametrize("k", [4, pytest.param(8, marks=pytest.mark.slow)])
    def test_the_sample_takes_at_most_three_megabytes(self, k):
        material = image(sample_image())
        data = gif_bytes(run(material, k), material)
        assert 10_000 < len(data) <= 3_000_000

    def test_points_have_the_colors_of_their_clusters(self):
        rng = np.random.default_rng(1)
        points = subject_of_points(
            rng.normal(size=(60, 2)) + 9 * np.arange(60)[:, None] // 20
        )
        found = run(points, 3)
        first, *_, last = moves(found, points)
        clusters = {tuple(color) for color in rgb_of(CLUSTERS)[:3].tolist()}
        painter = films.Painter(found, points)
        assert not clusters & colors_in(painter.frame(first).pixels())
        assert clusters <= colors_in(painter.frame(last).pixels())

    @pytest.mark.slow
    def test_what_is_far_away_is_not_drawn_over_the_words(self):
        points = subject_of_points(np.random.default_rng(1).normal(size=(60, 2)))
        frames = []
        for place in (2, 900):
            start = np.array([[0.0, 0], [1, 1], [place, 2 * place]])
            found = run(points, 3, start=start, max_iter=1)
            _, _, _, update, _ = moves(found, points)
            update = update._replace(caption="")
            frames.append(films.Painter(found, points).frame(update).pixels())
        assert np.array_equal(frames[0][:TOP], frames[1][:TOP])
        assert not np.array_equal(frames[0], frames[1])


class TestSheet:
    def test_has_the_original_every_step_and_the_end(
        self, small, small_run, small_sheet
    ):
        found = cells(small_run)
        n = small_run.n_iter
        assert len(found) == n + 2
        assert [cell.name for cell in found[1:-1]] == [
            f"step {number}" for number in range(1, n + 1)
        ]
        grid = grid_of(len(found), 75, 100)
        sheet = opened(small_sheet)
        assert sheet.shape == (*grid.shape, 3)
        factor = grid.wide // 100
        palettes = [step.centroids for step in small_run.steps]
        labels = [step.labels for step in small_run.steps]
        palettes.append(small_run.end.new_centroids)
        labels.append(small_run.labels)
        pictures = [small.shown]
        pictures += [
            small.rgb(palette)[small.labels_shown(label)]
            for palette, label in zip(palettes, labels)
        ]
        for number, picture in enumerate(pictures):
            top, left = grid.place(number)
            here = sheet[top : top + grid.tall, left : left + grid.wide]
            large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            assert np.array_equal(here, large), number

    def test_each_inertia_is_that_of_its_centroids(self, small_run):
        found = cells(small_run)
        assert [cell.inertia for cell in found[1:]] == [
            *small_run.inertias, small_run.inertia,
        ]  # fmt: skip

    @pytest.mark.slow
    def test_the_curve_ends_in_a_dot(self, small_run, small_sheet):
        sheet = opened(small_sheet)
        (top, left), (bottom, right) = grid_of(small_run.n_iter + 2, 75, 100).curve
        accent = (sheet == rgb_of([ACCENT])).all(axis=-1)
        assert accent.any()
        assert accent[top:bottom, left:right].sum() == accent.sum()

    @pytest.mark.parametrize("n", [3, 4, 9, 18, 33, 62])
    @pytest.mark.parametrize(
        "size", [(375, 500), (500, 375), (1, 1), (12, 8), (9, 900), (900, 9)]
    )
    def test_fits_a_slide(self, n, size):
        grid = grid_of(n, *size)
        height, width = grid.shape
        assert width <= WIDEST
        assert height < 1.6 * WIDEST
        places = [grid.place(number) for number in range(n)]
        assert len(set(places)) == n
        (top, left), (bottom, right) = grid.curve
        assert (top, left) not in places
        assert bottom < height
        assert right <= width
        assert right - left >= 200
        if size == (375, 500) and n >= 18:
            assert 1.3 < width / height < 2.2

    def test_a_curve_below_all_pictures_is_lower_than_they_are(self):
        grid = grid_of(3, 500, 375)
        (top, _), (bottom, _) = grid.curve
        assert top > grid.place(2)[0]
        assert bottom - top < grid.tall

    def test_many_steps_have_smaller_pictures(self):
        assert grid_of(62, 375, 500).wide < grid_of(20, 375, 500).wide

    def test_same_run_same_bytes(self, small, small_run, small_sheet):
        assert sheet_bytes(small_run, small) == small_sheet


S = SAMPLE
MASK = np.zeros((25, 20), bool)
MASK[3:20, 4:9] = True
NAN = np.where(MASK[..., None], S[:25, :20] / 255.0, np.nan)
RNG = np.random.default_rng(5)
IMAGES = {
    "k = 300": (image(S[::9, ::9]), 300),
    "gray": (image(S[::9, ::9, 0], channel_axis=None), 3),
    "portrait": (image(S[::9, ::40]), 3),
    "one pixel": (image(S[:1, :1]), 1),
    "tiny": (image(S[::31, ::62][:12, :8]), 3),
    "row": (image(S[:1]), 3),
    "mask": (image(S[:25, :20], MASK), 3),
    "NaN outside": (image(NAN, MASK), 3),
    "alpha": (image(np.dstack([S, S[..., 0] // 99])[::9, ::9]), 3),
    "uint16": (image(S[::9, ::9].astype(np.uint16) * 200), 3),
    "float": (image(S[::9, ::9] / 51 - 2), 3),
    "two channels": (image(S[::9, ::9, :2], alpha=False), 3),
    "seven channels": (image(np.dstack([S, S, S])[::9, ::9, :7]), 3),
    "volume": (image(S[:30, :12, :], channel_axis=None), 3),
}
POINTS = {
    "1 feature": (subject_of_points(RNG.normal(size=(80, 1))), 3),
    "2 features": (subject_of_points(RNG.normal(size=(80, 2))), 3),
    "3 features": (subject_of_points(RNG.normal(size=(80, 3))), 3),
    "7 features": (subject_of_points(RNG.normal(size=(80, 7))), 12),
    "one point": (subject_of_points(np.zeros((1, 2))), 1),
    "one place": (subject_of_points(np.full((7, 3), 1e9)), 1),
    "on a line": (subject_of_points(np.arange(20.0)[:, None] * [[1, 0, 0]]), 2),
    "large": (subject_of_points(RNG.normal(size=(20, 2)) * 1e150), 2),
}


RARE = {
    "row", "k = 300", "alpha", "two channels", "seven channels", "volume",
    "NaN outside", "one point", "one place", "on a line", "large", "portrait", "uint16",
    "tiny", "one pixel", "float", "gray", "2 features", "3 features", "7 features",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in RARE else [])
        for name in [*IMAGES, *POINTS]
    ],
)
def test_whatever_is_explained(name):
    material, k = (IMAGES | POINTS)[name]
    found = run(material, k, max_iter=1)
    frames, _ = frames_of(gif_bytes(found, material))
    assert len(frames) == 3 + 2 * found.n_iter
    for one, other in pairwise(frames):
        assert (one != other).any()
    sheet = opened(sheet_bytes(found, material))
    assert sheet.shape[1] <= WIDEST
    assert (sheet[0] == rgb_of([PAPER])).all()


@pytest.mark.slow
def test_a_run_of_one_step(small):
    found = run(small, 4, max_iter=1)
    assert len(frames_of(gif_bytes(found, small))[0]) == 5
    assert [cell.name for cell in cells(found)] == ["points", "step 1", "end"]
    assert "stopped after 1 step:" in words_of(found, small)[-1]


def test_a_run_with_more_steps_than_are_kept():
    line = subject_of_points(np.geomspace(1, 1e6, 4000)[:, None])
    found = run(line, 6, tol=0)
    assert found.n_iter > 60
    assert len(list(moves(found, line))) == 43
    kept = cells(found)
    assert len(kept) == 62
    assert kept[-2].name == f"step {found.n_iter}"


def test_pixels_that_take_no_part_are_dimmed():
    material, k = IMAGES["mask"]
    found = run(material, k, max_iter=2)
    painter = films.Painter(found, material)
    for labels in (None, found.labels):
        colors = material.rgb(found.end.new_centroids)
        picture = painter.painted(labels, colors)
        assert np.array_equal(picture[~MASK], mixed(S[:25, :20][~MASK], PAPER, 0.65))
    assert colors_in(picture[MASK]) == {tuple(color) for color in colors.tolist()}
    assert np.array_equal(painter.painted(None, colors)[MASK], S[:25, :20][MASK])


def test_small_pictures_grow_by_whole_factors_and_large_ones_lose_pixels():
    picture = S[:12, :8]
    assert np.array_equal(fitted(picture, 50, 50)[::4, ::4], picture)
    assert fitted(picture, 50, 50).shape == (48, 32, 3)
    assert fitted(S, 100, 100).shape == (75, 100, 3)
    assert colors_in(fitted(S, 100, 100)) <= colors_in(S)
    assert fitted(S[:1], 50, 50).shape == (1, 50, 3)


def test_signs_that_the_font_lacks_are_drawn():
    for sign in "×→":  # noqa: RUF001
        paper = Canvas(100, 40)
        end = paper.text(10, 30, f"1{sign}2", 20)
        assert end == pytest.approx(10 + paper.width_of(f"1{sign}2", 20))
        with_it, without = paper.pixels(), Canvas(100, 40)
        without.text(10, 30, "1", 20)
        assert (with_it != without.pixels())[:, 20:40].any()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"), (5027.4, "5,027"), (187500, "187,500"), (1.534, "1.53"),
        (0.0312, "0.031"), (0.0000021, "0.0000021"), (2.1e-20, "2.1e-20"),
        (4.5e15, "4.50e+15"),
    ],
)  # fmt: skip
def test_numbers_are_brief(value, words):
    assert brief(value) == words
