"""Laws: what must not change the answer, and what it must be equal to."""

import inspect
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icc import DISPLAY_P3
from tables import chosen, crossed

from kmeans_np import (
    apply_palette,
    assign,
    cluster_image,
    inertia_curve,
    kmeans,
    sample_image,
    segment_image,
)
from kmeans_np.colors import lab_from_rgb


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args, **options)


def bits(answer):
    """All of an answer, to the last bit."""
    arrays = answer.labels, answer.image, answer.palette, answer.centroids
    rest = answer.counts, np.float64(answer.inertia), np.int64(answer.n_iter)
    return b"".join(part.tobytes() for part in (*arrays, *rest)), answer.stopped_by


@pytest.fixture(scope="module")
def photos(china):
    """A part of a photograph, in color and gray."""
    part = china[150:290, 200:360]
    return {"photo": part, "gray photo": part[..., 1]}


PHOTOS = ["photo", "gray photo"]


# ---- Scale and offset ------------------------------------------------------------

UNITS = {
    "256 x as uint16": (lambda image: image.astype(np.uint16) * np.uint16(256), 256, 0),
    "float": (lambda image: image / 255, 1 / 255, 0),
    "float + 1000": (lambda image: image / 255 + 1000, 1 / 255, 1000),
    "float32 of levels": (lambda image: image.astype(np.float32), 1, 0),
    "int32 - 300": (lambda image: image.astype(np.int32) - 300, 1, -300),
}


@pytest.mark.parametrize(
    ("unit", "k", "init", "name"),
    crossed(UNITS, [3, 8], ["random", "k-means++", "given"], PHOTOS),
)
def test_the_unit_changes_no_label(photos, name, init, k, unit):
    image, (change, scale, offset) = photos[name], UNITS[unit]
    starts = [init, init]
    if init == "given":
        # Between the levels, so that no pixel is equally near to two of them.
        flat = image.reshape(image.shape[0] * image.shape[1], -1)
        rng = np.random.default_rng(k)
        colors = np.unique(flat, axis=0)
        start = rng.choice(colors, k, replace=False) + rng.random((k, colors.shape[1]))
        starts = [start, start * scale + offset]
    first, other = (
        cluster_image(variant, k, init=start, rng=5)
        for variant, start in zip((image, change(image)), starts)
    )
    assert np.array_equal(first.labels, other.labels)
    assert first.n_iter == other.n_iter
    assert first.stopped_by == other.stopped_by
    back = (other.centroids - offset) / scale
    np.testing.assert_allclose(back, first.centroids, rtol=0, atol=1e-8)
    assert other.inertia / scale**2 == pytest.approx(first.inertia, rel=1e-8)


@pytest.mark.parametrize(
    ("unit", "channels"), crossed(["256 x as uint16", "float", "float + 1000"], [1, 3])
)
def test_nor_does_it_in_a_whole_picture(channels, unit):
    image, (change, _, _) = sample_image()[..., :channels], UNITS[unit]
    first = cluster_image(image, 5, rng=2)
    assert np.array_equal(cluster_image(change(image), 5, rng=2).labels, first.labels)


@pytest.mark.parametrize("offset", [-3, 100, 2**40])
@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_a_constant_added_changes_no_label(photos, dtype, offset):
    image = photos["photo"].astype(dtype)
    answers = [
        cluster_image(image + value, 5, rng=1, max_iter=20).labels
        for value in (0, offset)
    ]
    assert np.array_equal(*answers)


# ---- Many copies of few points ---------------------------------------------------


@given(st.data())
def test_many_copies_of_few_points(data):
    # OpenCV's: N points, of which at most a tenth are distinct, and k up to N.
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = data.draw(st.integers(10, 200)), data.draw(st.integers(1, 4))
    dtype = data.draw(st.sampled_from([np.uint8, np.int16, np.float32, np.float64]))
    init = data.draw(st.sampled_from(["random", "k-means++"]))
    few = rng.integers(0, 99, (n // 10, d)).astype(dtype)
    points = few[rng.integers(0, len(few), n)]
    k = data.draw(st.integers(1, n))
    expected = min(k, len(np.unique(points, axis=0)))

    def image(points, k, **options):
        image = points.reshape(1, n, d)
        return cluster_image(image, k, alpha=False, **options)

    for function in (kmeans, image):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answer = function(points, k, init=init, rng=0)
        texts = [str(warning.message) for warning in caught]
        assert len(texts) == (expected < k)
        for text in texts:
            assert f"k = {k:,}, " in text
            assert f"only {expected:,} distinct" in text
        assert len(answer.centroids) == expected
        assert set(answer.labels.ravel().tolist()) == set(range(expected))
        assert (answer.counts > 0).all()


TYPES = ["bool", "u1", "u2", "u4", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2"]


@pytest.mark.parametrize(
    ("dtype", "channels", "init"),
    crossed(TYPES, [0, 2, 3, 5], ["random", "k-means++"]),
)
def test_more_clusters_than_colors_give_the_picture_back(dtype, channels, init, rng):
    dtype = np.dtype(dtype)
    values = rng.random((30, 40, channels) if channels else (30, 40))
    if dtype.kind in "iu":
        low, high = max(np.iinfo(dtype).min, -(2**53)), min(np.iinfo(dtype).max, 2**53)
        values = low + values * (high - low)
    pixels = values.astype(dtype) if dtype.kind != "b" else values > 0.5
    # Seven pixels over and over.
    image = pixels[:1, :7].repeat(30, axis=0).repeat(4, axis=1)
    n = len(np.unique(image.reshape(-1, channels or 1), axis=0))
    message = f"asked for k = 40, but there (is|are) only {n} distinct colors?$"
    how = {"alpha": False, "init": init, "rng": 0}
    with pytest.warns(UserWarning, match=message) as caught:
        painted = segment_image(image, 40, **how)
    assert len(caught) == 1
    assert painted.dtype == dtype
    assert painted.tobytes() == image.tobytes()
    # As many clusters as colors are nothing to warn of.
    assert len(cluster_image(image, n, **how).palette) == n


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "bool", "f2", "f4", "f8"])
@pytest.mark.parametrize("normalize", [False, True])
def test_also_in_lab_and_normalized(dtype, normalize, rng):
    top = np.iinfo(dtype).max if dtype[0] == "u" else 1
    pixels = (rng.random((1, 7, 3)) * top).astype(dtype)
    if dtype == "bool":
        pixels = rng.random((1, 7, 3)) > 0.5
    image = pixels.repeat(30, axis=0).repeat(4, axis=1)
    for space in ("rgb", "lab"):
        with pytest.warns(UserWarning, match="k = 40") as caught:
            painted = segment_image(
                image, 40, color_space=space, normalize=normalize, rng=0
            )
        assert len(caught) == 1
        assert painted.tobytes() == image.tobytes()


# ---- The inertia -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "dtype", "name"),
    crossed([1, 2, 7, 40], ["uint8", "uint16", "float32"], PHOTOS),
)
def test_the_inertia_is_that_of_labels_and_centroids(photos, name, dtype, k):
    image = photos[name].astype(dtype)
    answer = cluster_image(image, k, rng=k, max_iter=6)
    difference = (
        image.reshape(*answer.labels.shape, -1) - answer.centroids[answer.labels]
    )
    assert answer.inertia == pytest.approx((difference**2).sum(), rel=1e-8)
    weights = np.random.default_rng(k).random(answer.labels.shape)
    answer = cluster_image(image, k, weights=weights, rng=k, max_iter=6)
    difference = (
        image.reshape(*answer.labels.shape, -1) - answer.centroids[answer.labels]
    )
    expected = (weights[..., np.newaxis] * difference**2).sum()
    assert answer.inertia == pytest.approx(expected, rel=1e-8)


def test_the_inertia_in_lab(photos):
    image = photos["photo"]
    answer = cluster_image(image, 6, color_space="lab", rng=0)
    lab = lab_from_rgb(image.reshape(-1, 3) / 255)
    centers = lab_from_rgb(answer.centroids / 255)
    labels, distances = assign(lab, centers)
    assert np.array_equal(answer.labels.ravel(), labels)
    assert answer.inertia == pytest.approx(distances.sum(), rel=1e-8)


# ---- Weights, masks, places ------------------------------------------------------

KINDS = {
    "uint8 gray": ("uint8", 1),
    "uint8": ("uint8", 3),
    "few uint8": ("few", 3),
    "uint16": ("uint16", 1),
    "int16": ("int16", 3),
    "float32": ("float32", 3),
    "float64": ("float64", 5),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
EVERY_KIND_IN_TURN = pytest.mark.parametrize(
    ("kind", "init", "normalize"),
    crossed(KINDS, ["random", "k-means++", "given"], [False, True]),
)


def row_of(kind, rng, n=2500):
    """Return pixels of a kind, (1, n, channels), as some groups of them."""
    dtype, channels = KINDS[kind]
    groups = rng.integers(20, 230, (6, channels))
    values = groups[rng.integers(0, 6, n)] + rng.normal(0, 15, (n, channels))
    values = np.clip(values, 0, 255)
    if dtype == "few":
        values, dtype = values[rng.integers(0, 60, n)], "uint8"
    if dtype in ("uint16", "int16"):
        values = values * 100
    return values.astype(dtype)[np.newaxis]


@EVERY_KIND_IN_TURN
def test_weights_are_repetitions(kind, init, normalize, rng):
    image = row_of(kind, rng)
    weights = rng.integers(0, 4, image.shape[:2])
    how = {"init": image[0, :4] if init == "given" else init, "normalize": normalize}
    if init != "given":
        # Soon after the start: in the end, different starts may reach the same.
        how |= {"n_init": 1, "max_iter": 1}
    answer = cluster_image(image, 4, weights=weights, rng=3, **how)
    repeated = np.repeat(image, weights[0], axis=1)
    expected = cluster_image(repeated, 4, rng=3, **how)
    assert np.array_equal(np.repeat(answer.labels, weights[0], axis=1), expected.labels)
    assert answer.n_iter == expected.n_iter
    assert answer.inertia == pytest.approx(expected.inertia, rel=1e-9)
    assert np.array_equal(answer.counts, expected.counts)
    assert np.array_equal(answer.palette, expected.palette) or kind[:5] == "float"
    np.testing.assert_allclose(answer.centroids, expected.centroids, rtol=1e-9)
    # Without a weight a pixel has no say, but it has its nearest label and is painted.
    again = expected.apply(image)
    assert np.array_equal(answer.labels, again.labels)
    assert answer.counts.dtype == np.float64


def test_weights_are_repetitions_of_places_too(rng):
    image = row_of("float32", rng)
    weights = rng.integers(0, 4, image.shape[:2])
    # What has no weight does not make the range of values any wider.
    image[weights == 0] *= 9
    start = np.append(image[0, :4], [[0, 10], [0, 500], [0, 1000], [0, 2000]], axis=1)
    answer = cluster_image(image, 4, weights=weights, init=start, position_weight=0.5)
    widest = np.ptp(image[0][weights[0] > 0].astype(float), axis=0).max()
    places = 0.5 * widest / 2500 * np.argwhere(np.ones((1, 2500)))
    points = np.append(image[0].astype(float), places, axis=1)
    start[:, 3:] *= 0.5 * widest / 2500
    repeated = kmeans(np.repeat(points, weights[0], axis=0), 4, init=start)
    order = np.argsort(-repeated.counts)
    assert np.array_equal(answer.counts, repeated.counts[order])
    assert answer.inertia == pytest.approx(repeated.inertia, rel=1e-9)
    assert answer.n_iter == repeated.n_iter


@EVERY_KIND_IN_TURN
def test_a_mask_is_as_if_only_those_pixels_were_there(kind, init, normalize, rng):
    image = row_of(kind, rng).reshape(50, 50, -1)
    mask, weights = rng.random((50, 50)) < 0.7, rng.random((50, 50))
    how = {"init": image[0, :4] if init == "given" else init, "normalize": normalize}
    answer = cluster_image(image, 4, mask=mask, weights=weights, rng=3, **how)
    one_row = image[mask][np.newaxis]
    expected = cluster_image(
        one_row, 4, weights=weights[mask][np.newaxis], rng=3, **how
    )
    assert np.array_equal(answer.labels[mask], expected.labels[0])
    assert (answer.labels[~mask] == -1).all()
    assert np.array_equal(answer.image[mask], expected.image[0])
    assert np.array_equal(answer.image[~mask], image[~mask])
    assert answer.centroids.tobytes() == expected.centroids.tobytes()
    assert answer.inertia == expected.inertia
    # A weight of 0 is no pixel either, but is painted.
    unweighted = cluster_image(image, 4, mask=mask, rng=3, **how)
    by_weight = cluster_image(image, 4, weights=mask, rng=3, **how)
    assert np.array_equal(unweighted.labels[mask], by_weight.labels[mask])
    assert (by_weight.labels >= 0).all()


MOVES = {
    "upside down": lambda array: array[::-1],
    "mirrored": lambda array: array[:, ::-1],
    "turned": np.rot90,
    "transposed": lambda array: np.swapaxes(array, 0, 1),
    "shuffled": lambda array: np.random.default_rng(1).permutation(array),
    "shuffled columns": lambda array: np.random.default_rng(1).permutation(array, 1),
}


@pytest.mark.parametrize(("kind", "move"), crossed(KINDS, MOVES))
def test_pixels_elsewhere_have_the_same_answer_there(kind, move, rng):
    image, there = row_of(kind, rng).reshape(50, 50, -1), MOVES[move]
    # Points of integers are taken by their colors, so even random starts are the same.
    starts = [image[7, :5]] + ["random", "k-means++"] * (kind[:5] == "uint8")
    for init in starts:
        answer = cluster_image(image, 5, init=init, rng=2)
        moved = cluster_image(there(image), 5, init=init, rng=2)
        assert np.array_equal(there(answer.labels), moved.labels)
        np.testing.assert_allclose(moved.image, there(answer.image), rtol=1e-6)
        np.testing.assert_allclose(moved.centroids, answer.centroids, rtol=1e-9)
        assert moved.n_iter == answer.n_iter


@EVERY_KIND
def test_the_axis_of_the_channels_may_be_any(kind, rng):
    image = row_of(kind, rng).reshape(50, 50, -1)
    expected = cluster_image(image, 5, rng=2)
    for axis in (0, 1, -2, -3):
        moved = np.moveaxis(image, -1, axis)
        answer = cluster_image(moved, 5, rng=2, channel_axis=axis)
        assert np.array_equal(answer.labels, expected.labels)
        assert np.array_equal(np.moveaxis(answer.image, axis, -1), expected.image)
        assert answer.centroids.tobytes() == expected.centroids.tobytes()
        assert answer.image.flags.c_contiguous


@EVERY_KIND
def test_planes_are_rows_like_others(kind, rng):
    image = row_of(kind, rng).reshape(50, 50, -1)
    expected = cluster_image(image, 5, rng=2)
    volume = cluster_image(image.reshape(5, 10, 50, -1), 5, rng=2)
    assert np.array_equal(volume.labels.reshape(50, 50), expected.labels)
    if image.shape[-1] == 1:
        gray = cluster_image(image.reshape(5, 10, 50), 5, rng=2, channel_axis=None)
        assert np.array_equal(gray.labels, volume.labels)
        assert gray.palette.tolist() == volume.palette[:, 0].tolist()


@pytest.mark.parametrize(("kind", "init"), crossed(KINDS, ["random", "k-means++"]))
def test_the_same_seed_has_the_same_bits_in_every_memory_order(kind, init, rng):
    image = row_of(kind, rng).reshape(50, 50, -1)
    wide = np.zeros((100, 100, 2 * image.shape[-1]), image.dtype)
    wide[::2, ::2, ::2] = image
    backwards = np.flip(np.flip(image).copy())
    variants = image, np.asfortranarray(image), wide[::2, ::2, ::2], backwards
    how = {"init": init, "rng": 4, "n_init": 3}
    found = {bits(cluster_image(variant, 6, **how)) for variant in variants}
    assert len(found) == 1


# ---- The same clusters again -----------------------------------------------------

OPTIONS = {
    "plain": {},
    "lab": {"color_space": "lab"},
    "normalized": {"normalize": True},
    "places": {"position_weight": 0.7},
    "all": {"color_space": "lab", "normalize": True, "position_weight": 1},
}


@pytest.mark.parametrize(
    ("options", "dtype", "alpha"),
    crossed(OPTIONS, ["uint8", "uint16", "float32", "float64"], [False, True]),
)
def test_applied_to_the_same_image_they_are_the_same(
    photos, options, dtype, alpha, rng
):
    image = photos["photo"]
    if dtype == "uint16":
        image = image.astype(dtype) * np.uint16(257)
    if dtype[0] == "f":
        image = (image / 255).astype(dtype)
    mask = rng.random(image.shape[:2]) < 0.9
    if alpha:
        opacity = rng.choice([0, image.max()], image.shape[:2]).astype(dtype)
        image = np.dstack([image, opacity])
    answer = cluster_image(image, 6, mask=mask, rng=0, **OPTIONS[options])
    again = answer.apply(image, mask=mask)
    assert np.array_equal(again.labels, answer.labels)
    assert again.image.tobytes() == answer.image.tobytes()
    assert np.array_equal(again.counts, answer.counts)
    assert again.inertia == pytest.approx(answer.inertia, rel=1e-8)
    assert (again.n_iter, again.stopped_by) == (0, "given")
    once_more = again.apply(image, mask=mask)
    assert np.array_equal(once_more.labels, answer.labels)


@pytest.mark.parametrize(
    ("space", "dtype", "k"),
    crossed(["rgb", "lab"], ["uint8", "uint16", "float64"], [3, 20]),
)
def test_the_centroids_as_a_palette_have_the_same_labels(photos, space, dtype, k):
    image = photos["photo"].astype(dtype)
    if dtype == "float64":
        image = image / 255
    answer = cluster_image(image, k, color_space=space, rng=0)
    again = apply_palette(image, answer.centroids, color_space=space)
    assert np.array_equal(again.labels, answer.labels)
    assert np.array_equal(again.image, answer.image)
    assert np.array_equal(again.counts, answer.counts)
    assert again.inertia == pytest.approx(answer.inertia, rel=1e-8)


def test_gray_centroids_as_a_palette(photos):
    answer = cluster_image(photos["gray photo"], 9, rng=0)
    for palette in (answer.centroids, answer.centroids[:, 0]):
        again = apply_palette(photos["gray photo"], palette)
        assert np.array_equal(again.labels, answer.labels)
        assert np.array_equal(again.palette, answer.palette)


def test_segment_image_is_the_image_of_cluster_image(photos, rng):
    opacity = rng.choice(np.array([0, 9], np.uint8), (140, 160))
    image = np.moveaxis(np.dstack([photos["photo"], opacity]), -1, 1)
    options = {
        "mask": rng.random((140, 160)) < 0.9,
        "weights": rng.random((140, 160)),
        "alpha": True,
        "color_space": "lab",
        "color_profile": DISPLAY_P3,
        "normalize": True,
        "position_weight": 0.5,
        "init": "k-means++",
        "n_init": 2,
        "max_iter": 2,
        "tol": 0,
        "rng": 3,
        "callback": lambda step: step.iteration == 1,
        "coarse_start": False,
    }
    expected = ["image", "k", *options, "channel_axis", "progress"]
    for function, own in ((segment_image, ["out"]), (cluster_image, [])):
        names = inspect.signature(function).parameters
        assert sorted(names) == sorted(expected + own)
    painted = []
    for left_out in ("nothing", *options):
        some = {**options, "channel_axis": 1}
        some.pop(left_out, None)
        some.setdefault("rng", 0)
        painted.append(segment_image(image, 5, **some).tobytes())
        assert painted[-1] == cluster_image(image, 5, **some).image.tobytes()
    assert len(set(painted)) > len(options) / 2, "the options make a difference"


def test_segmenting_twice_changes_nothing(photos):
    once = segment_image(photos["photo"], 7, rng=0)
    assert np.array_equal(segment_image(once, 7, rng=1), once)


# ---- The curve -------------------------------------------------------------------


@pytest.mark.parametrize("options", chosen(OPTIONS, "plain", "all"))
def test_the_curve_never_rises_and_is_the_inertia_of_its_centroids(photos, options):
    image, steps = photos["photo"][:40, :50], []
    ks = [1, 2, 3, 8, 30]
    curve = inertia_curve(
        image, ks, rng=0, callback=steps.append, max_iter=8, **OPTIONS[options]
    )
    assert curve.shape == (5,)
    assert (np.diff(curve) < 0).all()
    # The last step of each k tells the centroids, in what is compared.
    firsts = [i for i, step in enumerate(steps) if step.iteration == 1]
    assert [len(steps[i].centroids) for i in firsts] == ks
    last = [steps[i - 1] for i in [*firsts[1:], 0]]
    points = image.reshape(-1, 3).astype(float)
    if options == "plain":
        found = [assign(points, step.new_centroids)[1].sum() for step in last]
        np.testing.assert_allclose(curve, found, rtol=1e-8)
    alone = cluster_image(image, 1, **OPTIONS[options])
    assert curve[0] == pytest.approx(alone.inertia, rel=1e-8)
    assert (curve[1:] <= [step.inertia for step in last[1:]]).all()


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_the_curve_is_about_as_good_as_runs_of_their_own(dtype, rng):
    # Six groups of pixels, far apart: so the elbow is at six.
    groups = np.array([[20, 20, 20], [220, 20, 40], [30, 210, 20], [20, 40, 230]])
    groups = np.append(groups, [[230, 220, 30], [210, 210, 230]], axis=0)
    noise = rng.normal(0, 5, (40, 60, 3))
    image = (groups[rng.integers(0, 6, (40, 60))] + noise).astype(dtype)
    ks = [2, 4, 6, 8]
    curve = inertia_curve(image, ks, rng=0)
    own = [cluster_image(image, k, init="k-means++", rng=0).inertia for k in ks]
    assert (curve < 1.3 * np.array(own)).all()
    assert curve[1] / curve[2] > 10 > 2 > curve[2] / curve[3]


def test_the_curve_goes_on_from_the_centroids_of_the_k_before(rng):
    # Seven bands have no histogram, on which to start anew would cost little.
    image, steps = rng.random((20, 30, 7)), []
    inertia_curve(image, [3, 4, 9], rng=0, callback=steps.append)
    ends = [step.new_centroids for step in steps if step.stopped_by]
    starts = [step.centroids for step in steps if step.iteration == 1]
    for before, k in ((3, 4), (4, 9)):
        (start,) = (start for start in starts if len(start) == k)
        gaps = [np.abs(start[:before] - e).max() for e in ends if len(e) == before]
        assert min(gaps) < 1e-12
        assert len(np.unique(start, axis=0)) == k


def test_the_curve_in_any_order_and_with_repeated_numbers(photos):
    image = photos["gray photo"]
    options = {"channel_axis": None, "rng": 0}
    rising = inertia_curve(image, [1, 3, 4, 9], **options)
    mixed = inertia_curve(image, np.array([4, 9, 1, 4, 3]), **options)
    assert mixed.tolist() == rising[[2, 3, 0, 2, 1]].tolist()
    assert inertia_curve(image, range(1, 3), **options)[0] == rising[0]
    variance = image.astype(float).var() * image.size
    assert rising[0] == pytest.approx(variance, rel=1e-9)


def test_the_curve_of_points_is_that_of_the_image_of_them(iris, rng):
    weights = rng.random(150)
    ks, options = [1, 2, 3, 5], {"normalize": True, "rng": 0}
    points = inertia_curve(iris, ks, weights=weights, **options)
    image = inertia_curve(
        iris[np.newaxis], ks, weights=weights[np.newaxis], alpha=False, **options
    )
    assert points.tolist() == image.tolist()
    integers = np.rint(10 * iris).astype(np.uint8)
    with_alpha_first = integers[:, [3, 0, 1]]
    assert inertia_curve(with_alpha_first, ks, rng=0).tolist() == pytest.approx(
        inertia_curve(with_alpha_first.astype(float), ks, rng=0).tolist()
    )


@pytest.mark.parametrize("options", [{}, {"mask": True}, {"weights": True}])
def test_the_curve_ends_at_0_for_as_many_clusters_as_colors(options, rng):
    image = rng.integers(0, 4, (20, 30)).astype(np.uint8)
    what = dict.fromkeys(options, image > 0)
    n = 4 - len(options)
    curve = inertia_curve(image, [1, n - 1, n], channel_axis=None, rng=0, **what)
    assert curve[1] > curve[2] == 0
    with pytest.warns(
        UserWarning, match=f"k = 9, but there (is|are) only {n} distinct"
    ) as caught:
        curve = inertia_curve(image, [1, n, 9], channel_axis=None, rng=0, **what)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert curve[1:].tolist() == [0, 0]


def test_the_curve_that_was_stopped_is_nan_for_what_was_not_begun(photos):
    image, ks = photos["photo"], [6, 2, 4, 3]
    whole = inertia_curve(image, ks, rng=0)

    def at_four(step):
        return len(step.centroids) == 4

    curve = inertia_curve(image, ks, rng=0, callback=at_four)
    assert np.isnan(curve).tolist() == [True, False, False, False]
    assert curve[[1, 3]].tolist() == whole[[1, 3]].tolist()
    assert whole[2] <= curve[2] < curve[3]
    assert np.isnan(inertia_curve(image, [2, 3], rng=0, callback=bool)).tolist() == [
        False,
        True,
    ]


def test_the_same_seed_has_the_same_curve(photos):
    curves = {
        inertia_curve(photos["photo"], [2, 5, 9], rng=seed).tobytes()
        for seed in (0, 0, 0)
    }
    assert len(curves) == 1


# ---- Global state ----------------------------------------------------------------


def test_global_random_state_is_neither_read_nor_set(photos):
    image = photos["photo"]
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    first = segment_image(image, 5, rng=1)
    inertia_curve(image, [2, 3])
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert np.array_equal(segment_image(image, 5, rng=1), first)
