"""What an answer tells, shows and does: `Segmentation` and `apply_palette`."""

import base64
import copy
import dataclasses
import gc
import inspect
import pickle
import re
import weakref
from html.parser import HTMLParser

import imageio.v3 as iio
import numpy as np
import pytest
from tables import crossed

from kmeans_np import (
    KMeans,
    Segmentation,
    apply_palette,
    assign,
    cluster_image,
    kmeans,
    sample_image,
    segment_image,
)
from kmeans_np.colors import lab_from_rgb
from kmeans_np.pictures import separated_colors

NAN = np.nan
# Two grays, one of them twice as often, and a pixel that takes no part.
GRAY = np.array([[10, 14, 90], [10, 14, 7]], np.uint8)
MASK = np.array([[1, 1, 1], [1, 1, 0]], bool)
RGB = np.array([[[9, 0, 0], [0, 8, 0]], [[9, 0, 0], [0, 0, 7]]], np.uint8)


def gray_answer():
    return cluster_image(GRAY, 2, mask=MASK, init=[10, 90])


# ---- Attributes ------------------------------------------------------------------


def test_all_that_is_known_by_hand():
    answer = gray_answer()
    assert answer.labels.tolist() == [[0, 0, 1], [0, 0, -1]]
    assert answer.labels.dtype == np.int8
    assert answer.palette.tolist() == [12, 90]
    assert answer.palette.dtype == np.uint8
    assert answer.centroids.tolist() == [[12], [90]]
    assert answer.counts.tolist() == [4, 1]
    assert answer.counts.dtype == np.int64
    assert answer.shares.tolist() == [0.8, 0.2]
    assert answer.image.tolist() == [[12, 12, 90], [12, 12, 7]]
    assert answer.inertia == 16
    assert answer.n_iter == 2
    assert answer.stopped_by == "labels"


def test_with_weights_counts_and_shares_are_of_weights():
    weights = [[0.5, 0, 3], [0.5, 0, 5]]
    answer = cluster_image(GRAY, 2, mask=MASK, weights=weights, init=[10, 90])
    assert answer.labels.tolist() == [[1, 1, 0], [1, 1, -1]]
    assert answer.palette.tolist() == [90, 10]
    assert answer.counts.tolist() == [3, 1]
    assert answer.counts.dtype == np.float64
    assert answer.shares.tolist() == [0.75, 0.25]
    assert answer.inertia == 0


@pytest.mark.parametrize(
    ("k", "dtype"),
    [
        *((1, "i1"), (128, "i1"), (129, "i2"), (2**15 + 1, "i4")),
        pytest.param(2**15, "i2", marks=pytest.mark.slow),
    ],
)
def test_labels_are_of_the_smallest_signed_type(k, dtype):
    image = np.array([[0, 1000, 2**16 - 1]], np.uint16)
    answer = apply_palette(image, np.arange(2**16)[-k:])
    assert answer.labels.dtype == dtype
    assert answer.labels.max() == k - 1


def test_it_is_frozen():
    answer = gray_answer()
    for field in dataclasses.fields(answer):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(answer, field.name, None)


def test_the_docstring_tells_every_attribute():
    text = inspect.getdoc(Segmentation).partition("Attributes")[2]
    told = re.findall(r"^(\w+) : ", text, re.MULTILINE)
    names = [field.name for field in dataclasses.fields(Segmentation)]
    assert told == [name for name in names if not name.startswith("_")]


def test_answers_can_be_kept_and_told_apart():
    answer, other = gray_answer(), gray_answer()
    assert len({answer, other}) == 2
    for again in (pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
        assert repr(again) == repr(answer)
        assert np.array_equal(again.overlay(), answer.overlay())
        assert np.array_equal(again.apply(GRAY).labels, answer.apply(GRAY).labels)


def test_what_is_written_to_an_answer_changes_no_other():
    answer = cluster_image(RGB, 3, rng=0)
    expected = answer.apply(RGB)
    for array in (answer.palette, answer.centroids, answer.image):
        array[:] = 0
    again = answer.apply(RGB)
    assert np.array_equal(again.labels, expected.labels)
    assert np.array_equal(again.image, expected.image)
    assert expected.palette.any()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            lambda: gray_answer(),
            "<Segmentation of a 2 x 3 image of uint8 into 2 colors: inertia 16, "
            "stopped by 'labels' after 2 steps>",
        ),
        (
            lambda: cluster_image(RGB / 2, 1),
            "<Segmentation of a 2 x 2 x 3 image of float64 into 1 color: inertia "
            "41.4375, best of 10 starts, stopped by 'labels' after 2 steps>",
        ),
        (
            lambda: apply_palette(GRAY.astype(">u2"), [0, 50, 99]),
            "<Segmentation of a 2 x 3 image of >u2 into 3 colors: inertia 722, "
            "clusters given>",
        ),
    ],
)
def test_it_prints_as_one_line(answer, line):
    assert repr(answer()) == str(answer()) == line


# ---- In a notebook ---------------------------------------------------------------


class Page(HTMLParser):
    """A page: its picture, its swatches, its text; and whether it is well formed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.swatches, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "img":
            assert attributes["alt"]
            kind, _, content = attributes["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(iio.imread(base64.b64decode(content, validate=True)))
            return
        self.open.append(tag)
        found = re.search(r"background:rgb\((\d+),(\d+),(\d+)\)", str(attributes))
        if found:
            self.swatches.append([int(level) for level in found.groups()])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page_of(answer):
    text = answer._repr_html_()
    assert "http" not in text
    page = Page(text)
    assert len(page.pictures) == 1
    return page


def test_it_shows_the_picture_and_its_palette_with_shares():
    answer = cluster_image(RGB, 3, rng=0)
    page = page_of(answer)
    assert np.array_equal(page.pictures[0], answer.image)
    assert page.swatches == answer.palette.tolist()
    names = [f"#{color.tobytes().hex()}" for color in answer.palette]
    heading, _, entries = page.text.partition("#")
    shares = ["50.0%", "25.0%", "25.0%"]
    assert f"#{entries}".split() == [x for pair in zip(names, shares) for x in pair]
    # k, the steps and the inertia.
    assert heading.startswith("3 colors, ")
    assert "after" in heading
    assert heading.strip().endswith(f"inertia {answer.inertia:.6g}")


def test_several_images_show_the_first_ones_and_one_palette():
    images = [np.roll(RGB, number, axis=1) for number in range(6)]
    answer = cluster_image(images, 3, rng=0)
    page = Page(answer._repr_html_())
    assert len(page.pictures) == 4
    for picture, image in zip(page.pictures, answer.image):
        assert np.array_equal(picture, image)
    assert page.swatches == answer.palette.tolist()
    assert "and 2 more" in page.text


@pytest.mark.parametrize("fitted", ["kmeans", "KMeans"])
def test_points_show_a_table_of_their_clusters(fitted):
    points = np.array([[0.0, 1], [0, 3], [10, 2], [10, 2]])
    if fitted == "kmeans":
        answer = kmeans(points, 2, init=points[[0, 2]])
    else:
        estimator = KMeans(2, init=points[[0, 2]], n_init=1)
        assert "KMeans(" in Page(estimator._repr_html_()).text
        answer = estimator.fit(points)
    text = Page(answer._repr_html_()).text
    assert "inertia 2" in text
    assert "050.0%20 2" in text
    assert "150.0%210 2" in text


def test_of_many_clusters_the_first_are_listed():
    points = np.arange(40.0)[:, None] * np.ones(12)
    text = Page(kmeans(points, 40, init=points)._repr_html_()).text
    assert "and 8 more" in text
    assert "…" in text


def test_it_shows_gray():
    page = page_of(gray_answer())
    shown = np.broadcast_to(gray_answer().image[..., np.newaxis], (2, 3, 3))
    assert np.array_equal(page.pictures[0], shown)
    assert page.swatches == [[12] * 3, [90] * 3]
    assert page.text.split()[-4:] == ["12", "80.0%", "90", "20.0%"]


def test_it_shows_the_colors_of_an_image_with_alpha_where_they_can_be_seen():
    opacity = np.array([[255, 1], [255, 0]], np.uint8)
    answer = cluster_image(np.dstack([RGB, opacity]), 2, rng=0)
    page = page_of(answer)
    assert np.array_equal(page.pictures[0][0, :, :3], answer.image[0, :, :3])
    assert page.pictures[0][..., 3].tolist() == [[255, 255], [255, 0]]
    assert page.swatches == answer.palette.tolist() == [[9, 0, 0], [0, 8, 0]]
    assert re.findall(r"[0-9.]+%", page.text) == ["66.7%", "33.3%"]
    gray = np.dstack([GRAY, 255 * MASK.astype(np.uint8)])
    page = page_of(cluster_image(gray, 2, rng=0))
    assert page.swatches == [[12] * 3, [90] * 3]


@pytest.mark.parametrize("nodata", [NAN, np.inf, -np.inf, np.finfo("f8").min, 1e200])
def test_it_shows_what_is_segmented_beside_what_is_no_number(nodata):
    image = np.where(MASK, GRAY / 100, nodata)
    answer = cluster_image(image, 2, mask=MASK, init=[0.1, 0.9])
    page = page_of(answer)
    # From the smallest value to the largest.
    assert page.pictures[0][..., 0][MASK].tolist() == [0, 0, 255, 0, 0]
    assert page.swatches == [[0] * 3, [255] * 3]
    bands = np.repeat(image[..., np.newaxis], 5, axis=-1)
    page = page_of(cluster_image(bands, 2, mask=MASK, init=[[0.1] * 5, [0.9] * 5]))
    assert page.pictures[0][..., 0][MASK].tolist() == [0, 0, 255, 0, 0]


def test_it_shows_16_bits_from_the_smallest_to_the_largest():
    image = RGB.astype(np.uint16) * 100 + 1000
    page = page_of(cluster_image(image, 3, rng=0))
    expected = np.rint(RGB.astype(float) / 9 * 255)
    assert np.array_equal(page.pictures[0], expected)


def test_it_shows_the_middle_plane_of_a_volume(rng):
    volume = rng.integers(0, 256, (5, 6, 7), np.uint8)
    answer = cluster_image(volume, 3, channel_axis=None, rng=0)
    assert np.array_equal(page_of(answer).pictures[0][..., 0], answer.image[2])
    color = rng.integers(0, 256, (4, 3, 6, 7), np.uint8)
    answer = cluster_image(color, 3, channel_axis=1, rng=0)
    shown = page_of(answer).pictures[0]
    assert np.array_equal(shown, np.moveaxis(answer.image[2], 0, -1))


@pytest.mark.parametrize("shape", [(1, 5000), (2000, 3), (1281, 641), (640, 640)])
def test_it_shows_large_pictures_smaller(shape, rng):
    image = rng.integers(0, 256, shape, np.uint8)
    answer = apply_palette(image, [0, 80, 200])
    shown = page_of(answer).pictures[0][..., 0]
    step = -(-max(shape) // 640)
    assert np.array_equal(shown, answer.image[::step, ::step])


def test_it_lists_the_largest_colors_and_says_how_many_more():
    image = np.arange(100, dtype=np.uint8).reshape(10, 10)
    page = page_of(cluster_image(image, 100, rng=0))
    assert len(page.swatches) == 32
    assert page.text.endswith("and 68 more")
    assert page.text.count("1.0%") == 32


# ---- Well-separated colors -------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "apart"),
    [
        *[(2, 120), (3, 100), (8, 60), (20, 35), (50, 25)],
        pytest.param(1000, 7, marks=pytest.mark.slow),
    ],
)
def test_colors_of_labels_are_far_apart(k, apart):
    colors = separated_colors(k)
    assert colors.shape == (k, 3)
    assert colors.dtype == np.uint8
    # From each other, and from black and white.
    lab = lab_from_rgb(np.concatenate([[[0] * 3, [255] * 3], colors]) / 255)
    for number in range(2, len(lab)):
        distances = np.sqrt(((lab[:number] - lab[number]) ** 2).sum(axis=1))
        assert distances.min() > apart
    # A further cluster changes no color of the others.
    assert np.array_equal(separated_colors(k + 1)[:k], colors)


@pytest.mark.slow
def test_when_there_are_no_more_colors_they_begin_again():
    colors = separated_colors(5000)
    assert len(np.unique(colors[:4000], axis=0)) == 4000
    assert np.array_equal(colors[4096:], colors[: 5000 - 4096])


# ---- The overlay -----------------------------------------------------------------


def as_rgb(gray):
    return np.repeat(np.asarray(gray)[..., np.newaxis], 3, axis=-1)


def test_an_overlay_that_covers_nothing_is_the_image(rng):
    image = rng.integers(0, 256, (9, 8, 3), np.uint8)
    shown = cluster_image(image, 4, rng=0).overlay(alpha=0)
    assert np.array_equal(shown, image)
    assert shown.dtype == np.uint8
    assert not np.shares_memory(shown, image)
    gray = image[..., 0]
    shown = cluster_image(gray, 4, rng=0).overlay(alpha=0)
    assert np.array_equal(shown, as_rgb(gray))


def test_an_overlay_that_covers_all_is_a_color_for_each_label(rng):
    image = rng.integers(0, 256, (9, 8, 3), np.uint8)
    answer = cluster_image(image, 4, rng=0)
    shown = answer.overlay(alpha=1)
    colors = separated_colors(4)
    assert np.array_equal(shown, colors[answer.labels])
    half = np.rint((colors[answer.labels].astype(float) + image) / 2)
    assert np.array_equal(answer.overlay(alpha=0.5), half)
    assert np.array_equal(answer.overlay(), answer.overlay(alpha=0.35))
    third = np.rint(colors[answer.labels] * 0.3 + image * 0.7)
    assert np.array_equal(answer.overlay(alpha=0.3), third)


@pytest.mark.parametrize("outline", [False, True])
@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_an_overlay_leaves_alone_what_takes_no_part(alpha, outline, rng):
    image = rng.integers(0, 256, (12, 15, 3), np.uint8)
    mask = rng.random((12, 15)) < 0.6
    answer = cluster_image(image, 3, mask=mask, rng=0)
    shown = answer.overlay(alpha=alpha, outline=outline)
    assert np.array_equal(shown[~mask], image[~mask])
    opacity = np.where(mask, 255, 0).astype(np.uint8)
    answer = cluster_image(np.dstack([image, opacity]), 3, rng=0)
    assert np.array_equal(answer.overlay(alpha=alpha, outline=outline), shown)


def test_an_outline_is_one_pixel_wide_around_each_region():
    image = np.full((6, 8), 100, np.uint8)
    image[2:5, 3:6] = 200
    shown = cluster_image(image, 2, rng=0).overlay(alpha=0, outline=True)
    line = (shown == 255).all(axis=-1) | (shown == 0).all(axis=-1)
    assert line.tolist() == [
        [False] * 8,
        [False, False, False, True, True, True, False, False],
        [False, False, True, False, False, True, False, False],
        [False, False, True, False, False, True, False, False],
        [False, False, True, True, True, True, False, False],
        [False] * 8,
    ]
    # White where it is dark, black where it is light.
    assert (shown[line & (image == 100)] == 255).all()
    assert (shown[line & (image == 200)] == 0).all()
    assert np.array_equal(shown[~line], as_rgb(image)[~line])


def test_a_straight_border_has_a_line_on_one_side_only():
    image = np.repeat(np.array([[50, 50, 90, 90]], np.uint8), 3, axis=0)
    for turned in (image, image.T):
        shown = cluster_image(turned, 2, init=[50, 90]).overlay(alpha=0, outline=True)
        assert np.count_nonzero((shown == 255).all(axis=-1)) == 3


def test_the_line_around_what_takes_no_part_is_inside():
    image = np.full((5, 5), 9, np.uint8)
    mask = np.zeros((5, 5), bool)
    mask[1:4, 1:4] = True
    answer = cluster_image(image, 1, mask=mask)
    line = (answer.overlay(alpha=0, outline=True) == 255).all(axis=-1)
    ring = mask.copy()
    ring[2, 2] = False
    assert np.array_equal(line, ring)


def test_a_region_without_neighbors_has_no_line():
    answer = cluster_image(np.full((3, 4), 9, np.uint8), 1)
    assert (answer.overlay(alpha=0, outline=True) == 9).all()


def test_planes_have_outlines_of_their_own(rng):
    volume = rng.integers(0, 256, (3, 6, 7), np.uint8)
    answer = cluster_image(volume, 2, channel_axis=None, rng=0)
    shown = answer.overlay(alpha=0.4, outline=True)
    assert shown.shape == (3, 6, 7, 3)
    for plane, picture in zip(volume, shown):
        alone = (
            answer.apply(volume)
            if plane is None
            else apply_palette(plane, answer.centroids)
        )
        assert np.array_equal(alone.overlay(alpha=0.4, outline=True), picture)


def test_an_overlay_of_other_types_shows_from_smallest_to_largest():
    values = np.array([[-5.0, 0, 5], [2.5, -2.5, 5]])
    levels = np.rint((values + 5) / 10 * 255)
    for dtype, factor in (("f4", 1), ("f8", 1e90), ("i2", 10), ("i8", 2**40)):
        image = (values * factor).astype(dtype)
        answer = cluster_image(image, 2, rng=0)
        assert np.array_equal(answer.overlay(alpha=0), as_rgb(levels))
    image = np.array([[0, 30_000], [65_535, 13_107]], np.uint16)
    shown = cluster_image(image, 2, rng=0).overlay(alpha=0)
    assert shown[..., 0].tolist() == [[0, 117], [255, 51]]
    flags = np.array([[True, False]])
    assert cluster_image(flags, 2, rng=0).overlay(alpha=0)[..., 1].tolist() == [
        [255, 0]
    ]
    same = cluster_image(np.full((2, 2), 7.5), 1).overlay(alpha=0)
    assert (same == same[0, 0, 0]).all()


def test_an_overlay_of_colors_of_other_types_keeps_their_proportions():
    image = np.array([[[0, 0.2, 0.4], [0.8, 0.1, 0.3]]])
    shown = cluster_image(image, 2, rng=0).overlay(alpha=0)
    assert shown.tolist() == [[[0, 64, 128], [255, 32, 96]]]


def test_an_overlay_of_bands_is_gray(rng):
    image = rng.integers(0, 3000, (6, 7, 12)).astype(np.uint16)
    shown = cluster_image(image, 3, rng=0).overlay(alpha=0)
    assert shown.shape == (6, 7, 3)
    assert (np.ptp(shown, axis=-1) == 0).all()
    brighter = image.copy()
    brighter[2, 3] = 3000
    shown = cluster_image(brighter, 3, rng=0).overlay(alpha=0)
    assert (shown[2, 3] == 255).all()


@pytest.mark.parametrize(
    ("nodata", "bands"),
    crossed([NAN, np.inf, -np.inf, np.finfo("f8").min, 1e200], [1, 3, 5]),
)
def test_an_overlay_beside_what_is_no_number(nodata, bands):
    image = np.repeat(np.where(MASK, GRAY / 100, nodata)[..., np.newaxis], bands, -1)
    answer = cluster_image(image, 2, mask=MASK, init=[[0.1] * bands, [0.9] * bands])
    shown = answer.overlay(alpha=0)
    assert shown[MASK][:, 0].tolist() == [0, 13, 255, 0, 13]
    covered = answer.overlay(alpha=1, outline=False)
    assert np.array_equal(covered[MASK], separated_colors(2)[answer.labels[MASK]])
    assert np.array_equal(covered[~MASK], shown[~MASK])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"alpha": 1.1}, ValueError),
        ({"alpha": -0.1}, ValueError),
        ({"alpha": NAN}, ValueError),
        ({"alpha": True}, TypeError),
        ({"alpha": "half"}, TypeError),
        ({"outline": 1}, TypeError),
        ({"outline": None}, TypeError),
    ],
)
def test_an_overlay_refuses(options, error):
    (name,) = options
    with pytest.raises(error, match=f"^{name} must be .*; pass "):
        gray_answer().overlay(**options)


# ---- Where a cluster is ----------------------------------------------------------


def test_the_mask_of_a_cluster():
    answer = gray_answer()
    found = answer.mask_of(0)
    assert found.dtype == bool
    assert found.tolist() == [[True, True, False], [True, True, False]]
    assert answer.mask_of(np.int64(1)).sum() == 1
    # As the mask of another call, it restricts that to them.
    inner = cluster_image(GRAY, 2, mask=found, rng=0)
    assert inner.labels.tolist() == [[0, 1, -1], [0, 1, -1]]


@pytest.mark.parametrize(
    ("label", "error"),
    [(-1, ValueError), (2, ValueError), (1.0, TypeError), (True, TypeError)],
)
def test_there_is_no_other_cluster(label, error):
    with pytest.raises(error, match=r"^label must be a whole number from 0 to 1, got "):
        gray_answer().mask_of(label)


# ---- The same clusters in another image ------------------------------------------


def test_frames_of_a_film_do_not_flicker(rng):
    # Every pixel stays what it is, but for noise that is small beside its distance to
    # the next cluster.
    still = np.array([[20, 20, 20], [120, 60, 30], [230, 200, 90]], np.uint8)
    which = rng.integers(0, 3, (30, 40))
    noise = rng.integers(-12, 13, (6, 30, 40, 3))
    frames = np.clip(still[which].astype(int) + noise, 0, 255).astype(np.uint8)
    first = cluster_image(frames[0], 3, rng=0)
    answers = [first.apply(frame) for frame in frames]
    for answer in answers:
        assert np.array_equal(answer.labels, first.labels)
        assert np.array_equal(answer.image, first.image)
        assert np.array_equal(answer.palette, first.palette)
    # On its own, each frame has colors of its own.
    alone = segment_image(frames[1], 3, rng=0)
    assert not np.array_equal(alone, first.image)


def test_another_size_and_clusters_without_pixels():
    first = cluster_image(RGB, 3, rng=0)
    other = np.zeros((1, 5, 3), np.uint8)
    other[0, :, 1] = [7, 8, 9, 6, 5]
    answer = first.apply(other)
    green = int(first.labels[0, 1])
    assert answer.labels.tolist() == [[green] * 5]
    assert answer.counts.tolist() == [5 * (label == green) for label in range(3)]
    assert answer.shares.tolist() == [float(label == green) for label in range(3)]
    assert answer.inertia == 1 + 0 + 1 + 4 + 9
    assert (answer.n_iter, answer.stopped_by) == (0, "given")
    assert np.array_equal(answer.palette, first.palette)
    assert answer.mask_of((green + 1) % 3).sum() == 0
    assert len(page_of(answer).swatches) == 3
    assert answer.overlay(outline=True).shape == (1, 5, 3)


def test_each_pixel_of_another_image_has_its_nearest(rng):
    film = rng.integers(0, 256, (2, 25, 30, 3), np.uint8)
    for dtype in ("uint8", "uint16", "int32", "float32", "float64"):
        first = cluster_image(film[0].astype(dtype), 7, rng=0)
        answer = first.apply(film[1].astype(dtype))
        labels, distances = assign(film[1].reshape(-1, 3), first.centroids)
        assert np.array_equal(answer.labels.ravel(), labels)
        assert answer.inertia == pytest.approx(distances.sum(), rel=1e-9)
        assert np.array_equal(answer.image, first.palette[answer.labels])


def test_mask_and_alpha_of_another_image():
    opacity = np.full((2, 2, 1), 9, np.uint8)
    first = cluster_image(np.append(RGB, opacity, axis=-1), 3, rng=0)
    opacity[1, 0] = 0
    other = np.append(RGB, opacity, axis=-1)
    answer = first.apply(other, mask=[[0, 1], [1, 1]])
    expected = first.labels.copy()
    expected[:, 0] = -1
    assert np.array_equal(answer.labels, expected)
    assert answer.counts.sum() == 2
    assert np.array_equal(answer.image, other)


def test_the_features_are_those_of_the_first_image(rng):
    # In units of the first image, all of the second is nearest to the darkest cluster.
    image = rng.integers(100, 256, (20, 30, 3), np.uint8)
    dark = (image // 10).astype(np.uint8)
    for options in (
        {"normalize": True},
        {"color_space": "lab"},
        {"color_space": "lab", "normalize": True},
    ):
        first = cluster_image(image, 4, rng=0, **options)
        answer = first.apply(dark)
        darkest = first.centroids.sum(axis=1).argmin()
        assert (answer.labels == darkest).mean() > 0.5
        assert not np.array_equal(answer.labels, cluster_image(dark, 4, rng=0).labels)
    first = cluster_image(image, 4, rng=0, position_weight=1)
    same = np.full((10, 30, 3), 177, np.uint8)
    points = np.append(same.reshape(-1, 3), np.argwhere(same[..., 0]), axis=1)
    unit = np.ptp(image.reshape(-1, 3).astype(float), axis=0).max() / 30
    scale = np.array([1, 1, 1, unit, unit])
    labels, _ = assign(points * scale, first.centroids * scale)
    assert np.array_equal(first.apply(same).labels.ravel(), labels)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (RGB.astype(np.uint16), "uint8, got uint16"),
        (RGB.astype(np.int8), "uint8, got int8"),
        (RGB / 255, "uint8, got float64"),
        (RGB[..., 0], r"3, got shape \(2, 2\)"),
        (RGB[..., :2], "3, got 2"),
        (np.dstack([RGB, RGB[..., 0]]), "3, got 4"),
        (RGB[np.newaxis], r"3, got shape \(1, 2, 2, 3\)"),
        (RGB[:0], r"got shape \(0, 2, 3\)"),
    ],
)
def test_other_kinds_of_image_are_refused(other, words):
    answer = cluster_image(RGB, 2, rng=0)
    with pytest.raises(ValueError, match=f"^image must .*{words}; "):
        answer.apply(other)


def test_color_is_no_gray_volume():
    answer = cluster_image(GRAY, 2, rng=0)
    with pytest.raises(ValueError, match=r"^image must .* 2, got shape \(2, 2, 3\); "):
        answer.apply(RGB)


def test_another_byte_order_is_the_same_type():
    image = GRAY.astype(np.uint16)
    answer = cluster_image(image, 2, rng=0)
    swapped = answer.apply(image.astype(">u2"))
    assert np.array_equal(swapped.labels, answer.labels)
    assert np.array_equal(swapped.image, answer.image)


def test_lab_refuses_the_same_as_the_first_time():
    answer = cluster_image(RGB / 255, 2, color_space="lab", rng=0)
    with pytest.raises(ValueError, match=r"^image must hold .* floats from 0 to 1"):
        answer.apply(RGB / 2)


# ---- A given palette -------------------------------------------------------------


def nearest_by_force(image, palette):
    """Look at each pixel and each color, one by one."""
    pixels = image.reshape(-1, image.shape[-1])
    palette = np.asarray(palette, np.float64).reshape(len(palette), -1)
    return assign(pixels, palette)


PALETTES = {
    "few": lambda rng, channels: rng.integers(0, 256, (5, channels)),
    "one": lambda rng, channels: rng.integers(0, 256, (1, channels)),
    "many": lambda rng, channels: rng.integers(0, 256, (1000, channels)),
    "halves": lambda rng, channels: rng.integers(0, 511, (40, channels)) / 2,
    "twice": lambda rng, channels: rng.integers(0, 6, (60, channels)) * 50,
    "corners": lambda rng, channels: 255 * rng.integers(0, 2, (16, channels)),
}


@pytest.mark.parametrize(
    ("palette", "dtype", "channels"),
    crossed(PALETTES, ["uint8", "uint16", "int16", "float32", "float64"], [1, 3, 5]),
)
def test_each_pixel_has_the_nearest_color_exactly(palette, dtype, channels, rng):
    colors = PALETTES[palette](rng, channels).astype(np.float64)
    image = rng.integers(0, 256, (40, 50, channels)).astype(dtype)
    answer = apply_palette(image, colors)
    labels, distances = nearest_by_force(image, colors)
    # Ties to the first included.
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.inertia == pytest.approx(distances.sum(), rel=1e-9)
    assert np.array_equal(answer.counts, np.bincount(labels, minlength=len(colors)))
    assert answer.shares.sum() == pytest.approx(1)
    rounded = colors if dtype[0] == "f" else np.rint(colors)
    assert np.array_equal(answer.palette, rounded.astype(dtype))
    assert np.array_equal(answer.image, answer.palette[answer.labels])
    assert answer.image.dtype == dtype
    assert np.array_equal(answer.centroids, colors)
    assert (answer.n_iter, answer.stopped_by) == (0, "given")


def test_of_two_colors_at_the_same_distance_the_first_is_taken():
    image = np.array([[10, 11, 12, 13, 14]], np.uint8)
    assert apply_palette(image, [10, 14]).labels.tolist() == [[0, 0, 0, 1, 1]]
    assert apply_palette(image, [14, 10]).labels.tolist() == [[1, 1, 0, 0, 0]]
    assert apply_palette(image, [10, 10, 14, 14]).labels.tolist() == [[0, 0, 0, 2, 2]]
    large = np.repeat(image, 5000, axis=0).repeat(4, axis=1)
    for dtype in (np.uint8, np.uint16, np.float32):
        answer = apply_palette(large.astype(dtype), [14, 10])
        assert answer.labels[-1].tolist() == [1] * 8 + [0] * 12


def test_colors_are_compared_before_they_are_rounded():
    image = np.array([[9, 10, 11]], np.uint8)
    answer = apply_palette(image, [8.6, 10.4, 10.6])
    assert answer.labels.tolist() == [[0, 1, 2]]
    assert answer.palette.tolist() == [9, 10, 11]
    assert answer.centroids[:, 0].tolist() == [8.6, 10.4, 10.6]
    assert answer.inertia == pytest.approx(0.4**2 * 3)
    assert apply_palette(image, [0.5, 1.5, 254.5]).palette.tolist() == [0, 2, 254]


@pytest.mark.parametrize("far", [1e3, 1e6, 1e30, 1e100])
def test_colors_far_out(far, rng):
    # Looked at from afar, all colors are the same; and near ones are still found.
    for dtype in ("float32", "float64"):
        limit = min(far, float(np.finfo(dtype).max) / 2)
        colors = rng.random((20, 3)) * limit
        image = rng.random((60, 70, 3)).astype(dtype)
        for palette in (colors, np.concatenate([colors, rng.random((9, 3))])):
            answer = apply_palette(image, palette)
            labels, _ = nearest_by_force(image, palette)
            assert np.array_equal(answer.labels.ravel(), labels)


def test_a_palette_for_gray_may_be_a_list_or_a_column():
    for palette in ([0, 50, 99], [[0], [50], [99]]):
        answer = apply_palette(GRAY, palette)
        assert answer.labels.tolist() == [[0, 0, 2], [0, 0, 0]]
        assert answer.palette.tolist() == [0, 50, 99]
        assert answer.centroids.shape == (3, 1)
        one_channel = apply_palette(GRAY[..., np.newaxis], palette)
        assert one_channel.palette.tolist() == [[0], [50], [99]]
        assert np.array_equal(one_channel.labels, answer.labels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_nearest_in_lab(dtype, rng):
    top = np.iinfo(dtype).max if dtype[0] == "u" else 1
    image = (rng.random((40, 50, 3)) * top).astype(dtype)
    palette = rng.random((30, 3)) * top
    answer = apply_palette(image, palette, color_space="lab")
    lab = lab_from_rgb(image.reshape(-1, 3) / top)
    labels, distances = assign(lab, lab_from_rgb(palette / top))
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.inertia == pytest.approx(distances.sum(), rel=1e-9)
    assert (answer.labels != apply_palette(image, palette).labels).any()
    shown = palette if dtype[0] == "f" else np.rint(palette)
    assert np.array_equal(answer.palette, shown.astype(dtype))
    np.testing.assert_allclose(answer.centroids, palette, rtol=1e-9)


def test_with_mask_and_alpha(rng):
    image = rng.integers(0, 256, (30, 40, 4), np.uint8)
    image[..., 3] = rng.choice(np.array([0, 7, 255], np.uint8), (30, 40))
    mask = rng.random((30, 40)) < 0.5
    palette = rng.integers(0, 256, (12, 3), np.uint8)
    before = image.copy(), palette.copy()
    answer = apply_palette(image, palette, mask=mask)
    part = mask & (image[..., 3] > 0)
    labels, distances = nearest_by_force(image[part][:, :3], palette)
    assert np.array_equal(answer.labels[part], labels)
    assert (answer.labels[~part] == -1).all()
    assert np.array_equal(answer.image[part][:, :3], palette[labels])
    assert np.array_equal(answer.image[~part], image[~part])
    assert np.array_equal(answer.image[..., 3], image[..., 3])
    assert answer.counts.sum() == part.sum()
    assert answer.inertia == distances.sum()
    assert all(map(np.array_equal, before, (image, palette)))
    bands = apply_palette(image, rng.integers(0, 256, (12, 4)), alpha=False)
    assert (bands.labels >= 0).all()
    assert bands.palette.shape == (12, 4)


def test_volumes_and_channels_elsewhere(rng):
    volume = rng.integers(0, 256, (3, 6, 7), np.uint8)
    levels = [200, 3, 77]
    answer = apply_palette(volume, levels, channel_axis=None)
    labels, _ = nearest_by_force(volume[..., np.newaxis], levels)
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.image.shape == volume.shape
    colors = rng.integers(0, 256, (5, 3))
    first = apply_palette(volume, colors, channel_axis=0)
    last = apply_palette(np.moveaxis(volume, 0, -1), colors)
    assert np.array_equal(first.labels, last.labels)
    assert np.array_equal(np.moveaxis(first.image, 0, -1), last.image)


def test_a_palette_answers_as_clusters_do():
    first = apply_palette(RGB, [[9, 0, 0], [0, 9, 9], [1, 1, 1]])
    assert first.apply(RGB[:1]).labels.tolist() == first.labels[:1].tolist()
    assert first.overlay(alpha=1).shape == (2, 2, 3)
    assert first.mask_of(0).tolist() == [[True, False], [True, False]]
    assert len(page_of(first).swatches) == 3
    again = apply_palette(first.image, first.palette)
    assert np.array_equal(again.image, first.image)
    assert again.inertia == 0


@pytest.mark.parametrize(
    ("image", "palette", "error"),
    [
        (RGB, [[0, 0, 256]], ValueError),
        (RGB, [[0, -1, 0]], ValueError),
        (RGB, [[0, NAN, 0]], ValueError),
        (RGB, [[0, 0]], ValueError),
        (RGB, [0, 0, 0], ValueError),
        (RGB, [], ValueError),
        (RGB, "web", TypeError),
        (RGB, None, TypeError),
        (GRAY, [[0, 1]], ValueError),
        (GRAY > 50, [0, 2], ValueError),
        (RGB.astype(np.float16), [[0, 0, 1e5]], ValueError),
    ],
)
def test_palettes_that_are_refused(image, palette, error):
    with pytest.raises(error, match=r"^palette must .*; "):
        apply_palette(image, palette)


# ---- Memory ----------------------------------------------------------------------


def bytes_kept(value, seen):
    """Count the bytes that an answer keeps alive, whatever views it holds."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        kept = 0 if id(value) in seen else value.nbytes
        seen.add(id(value))
        return kept
    if dataclasses.is_dataclass(value):
        value = vars(value).values()
    elif not isinstance(value, tuple | list):
        return 0
    return sum(bytes_kept(part, seen) for part in value)


@pytest.mark.parametrize(
    ("dtype", "order", "masked"),
    crossed(["uint8", "float32"], ["C", "F"], [True, False]),
)
def test_it_keeps_labels_and_image_but_no_pixels(dtype, order, masked, rng):
    image = np.array(sample_image(), dtype, order=order)
    mask = rng.random(image.shape[:2]) < 0.9 if masked else None
    for answer in (
        cluster_image(image, 4, mask=mask, rng=0, max_iter=2),
        apply_palette(image, image[0, :4], mask=mask),
    ):
        seen = {id(image), id(image.base), id(mask)}
        kept = bytes_kept(answer, seen)
        # Labels, the segmented image, what takes part; and a little.
        assert kept <= answer.labels.nbytes * (2 if masked else 1) + image.nbytes + 999


def test_the_pixels_of_the_run_are_let_go():
    image, seen = np.array(sample_image()[:50], "f8"), []

    def watch(step):
        seen.append(weakref.ref(step.labels))

    answer = cluster_image(image, 3, rng=0, callback=watch, max_iter=5)
    gc.collect()
    assert answer.n_iter == len(seen)
    assert not any(ref() is not None for ref in seen)
