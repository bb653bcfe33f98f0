"""Anything at all as image and arguments: a right result, or one of the errors."""

import traceback
import warnings
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from kmeans_np import (
    Segmentation,
    apply_palette,
    assign,
    cluster_image,
    inertia_curve,
)
from kmeans_np.checks import ArgumentError
from kmeans_np.clustering import choose_sweep

# ---- What may come of a call -----------------------------------------------------


class Refused(Exception):  # noqa: N818
    """The call ended in one of the documented errors."""


def check_refusal(error):
    """The error is from the border, and its one sentence has rule and remedy."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = Path(frames[-1].filename).parent
    assert folder.parent.name == "kmeans_np", "refused elsewhere"
    assert folder.name in ("checks", "image"), "not refused at the border"
    sentence = str(error)
    assert isinstance(error, ArgumentError)
    assert error.argument
    assert error.rule
    assert error.remedy
    assert "\n" not in sentence


def called(function, *args, **options):
    """Return what a call returns, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function(*args, **options)
        except (TypeError, ValueError) as error:
            check_refusal(error)
            event(f"{error.argument} refused")
            raise Refused from None
    assert {warning.category for warning in caught} <= {UserWarning}
    texts = [str(warning.message) for warning in caught]
    assert all(text.startswith("asked for k = ") for text in texts)
    event(f"{function.__name__} right" + (" with a warning" if texts else ""))
    return result, texts


@contextmanager
def passes_for_large_images(wanted):
    """Let small images take the passes that are made for large ones."""
    with pytest.MonkeyPatch.context() as patch:
        if wanted:
            patch.setattr(choose_sweep, "MUCH_WORK", 0)
            patch.setattr(choose_sweep, "FEW_COLORS", 0)
        yield


# ---- What is thrown at it --------------------------------------------------------

ANYTHING = [
    *(None, True, False, 0, 1, 2, -1, 1.5, 0.0, np.nan, np.inf, 1j, 10**30, -(10**30)),
    *("", "auto", "random", "k-means++", "lab", "rgb", "0x1f", b"random", "a\nb"),
    *((), [], [[]], [0], [1, 2], [[1, 2], [3]], {}, {1: 2}, {1}, range(3)),
    *(np.int8(2), np.uint64(3), np.float32(0.5), np.True_, np.array(2), np.array([2])),
    *(np.zeros((0, 3)), np.zeros((3, 0, 3)), np.ones((2, 2)), np.ones((2, 3, 2, 2, 2))),
    *(np.array(["a"]), np.array([None]), np.array([1j]), np.array([], int)),
    *(np.array(["2020-01-01"], "M8[D]"), np.ones((2, 3), np.longdouble)),
    *(np.ma.masked_array([[1, 2]], [[0, 1]]), np.zeros(2, [("red", "u1")])),
    *(Decimal(1), Fraction(1, 2), date(2020, 1, 1), object(), print, iter([1])),
    *(memoryview(b"abcd"), bytearray(b"abcd"), slice(3), Ellipsis, NotImplemented),
]
TYPES = [
    *("bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"),
    *(">u2", ">i4", ">f4", ">f8"),
]
LIKELY_TYPES = st.sampled_from(["u1", "u1", "u2", "f4", "f8"]) | st.sampled_from(TYPES)


def numbers(dtype, bad):
    """Numbers of a type: ordinary ones and those at its ends."""
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if not bad:
            low, high = max(low, -(2**53)), min(high, 2**53)
        ends = [low, high, high - 1, low // 2, 0, 1]
        return st.sampled_from(ends) | st.integers(max(low, -300), min(high, 300))
    limits = np.finfo(dtype)
    ends = [limits.max, limits.min, limits.tiny, limits.smallest_subnormal, limits.eps]
    ends = [float(end) for end in ends]
    ends += [-0.0, 0.0, 1.0, 1e-160, -1e-160, 1e-200, 1e-80, 1e80, 1e100, -1e100]
    ends += [200.3, 1e8, 1e8 + 1, 0.1]
    if bad:
        ends += [np.nan, np.inf, -np.inf, 1e200, -1e200]
    else:
        ends = [end for end in ends if abs(end) <= min(1e100, float(limits.max))]
    some = st.floats(0, 1) | st.floats(-1000, 1000)
    return st.sampled_from(ends) | some


@st.composite
def filled(draw, shape, dtype, bad=False):
    """Draw an array of few different numbers, so that there are many equal pixels."""
    dtype = np.dtype(dtype)
    few = draw(st.lists(numbers(dtype, bad), min_size=1, max_size=8))
    if bad and dtype.kind == "f":
        few.append(draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e200])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    with np.errstate(over="ignore"):
        values = np.array(few, object if dtype.kind in "iu" else None).astype(dtype)
    array = values[rng.integers(0, len(values), shape)]
    if draw(st.booleans()) and dtype.kind == "f" and array.size:
        # Or of many different ones.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            factors = rng.random(shape).astype(dtype)
            array = (array * factors).astype(dtype)
    return array


LENGTHS = st.sampled_from([1, 1, 2, 3, 5, 9, 20])


@st.composite
def shapes(draw):
    """Draw shape and channel_axis of an image."""
    axes = draw(st.sampled_from(["gray", "color", "color", "volume", "color volume"]))
    n_places = 3 if "volume" in axes else 2
    places = [draw(LENGTHS) for _ in range(n_places)]
    while np.prod(places) > 400:
        places[places.index(max(places))] = 1
    if "color" not in axes:
        return tuple(places), draw(st.sampled_from([None, -1][: 4 - n_places]))
    axis = draw(st.sampled_from([-1, -1, -1, *range(-n_places - 1, n_places + 1)]))
    channels = draw(st.sampled_from([1, 2, 3, 3, 3, 4, 4, 5]))
    places.insert(axis % (n_places + 1), channels)
    return tuple(places), axis


@st.composite
def images(draw, shape_and_axis=None, dtype=None):
    """Draw an image and its channel_axis; numbers that are not allowed are rare."""
    shape, axis = shape_and_axis or draw(shapes())
    dtype = np.dtype(dtype or draw(LIKELY_TYPES))
    bad = draw(st.sampled_from([False] * 4 + [True]))
    image = draw(filled(shape, dtype, bad))
    return draw(st.sampled_from([image, image.copy(order="F"), image[::-1]])), axis


def channels_last(image, axis):
    if axis is None or image.ndim == 2:
        return image[..., np.newaxis]
    return np.moveaxis(image, axis, -1)


@st.composite
def masks(draw, image, axis, places):
    """Draw a mask, or None."""
    kind = draw(st.sampled_from(["none", "some", "finite"] * 5 + ["nothing"]))
    if kind == "none":
        return None
    if kind == "finite":
        last = channels_last(image, axis).astype(np.float64)
        return (np.isfinite(last) & (np.abs(last) < 1e100)).all(axis=-1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = rng.random(places) < 0.6
    mask.flat[0] = kind == "some"
    mask &= kind == "some"
    return draw(st.sampled_from([mask, mask.astype(np.uint8), mask.tolist()]))


def weights_of(places):
    usual = st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.5, 1e-100, 1e50, 1e100])
    unusual = st.sampled_from([-1.0, np.nan, np.inf, 1e-200, 1e200])
    odd = st.integers(0, 9).flatmap(lambda i: usual if i else usual | unusual)
    few = st.lists(odd, min_size=1, max_size=4)
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(
        lambda few, seed: np.random.default_rng(seed).choice(few, places), few, seeds
    )


@st.composite
def spoiled(draw, options):
    """Replace one or two of the options by anything at all, in a quarter of cases."""
    how_many = draw(st.sampled_from([0] * 6 + [1, 2]))
    names = st.lists(st.sampled_from(sorted(options)), unique=True)
    for name in draw(names)[:how_many]:
        value = draw(st.sampled_from(ANYTHING))
        # This many starts or steps would be right, and take for ever.
        if not (name == "n_init" and isinstance(value, int) and value > 99):
            options[name] = value
    return options


def goes_on(_step):
    """Watch, and let it go on."""


def stops(step):
    return step.iteration > 1


@st.composite
def calls(draw):
    """Draw the arguments of `cluster_image`."""
    image, axis = draw(images())
    gray = axis is None or image.ndim == 2
    places = image.shape if gray else tuple(np.delete(image.shape, axis))
    n = int(np.prod(places))
    channels = 1 if gray else image.shape[axis]
    alpha = draw(st.sampled_from(["auto"] * 6 + [False, False, True]))
    if alpha is True or (alpha == "auto" and not gray and channels in (2, 4)):
        channels -= 1
    k = draw(st.integers(1, max(1, min(n, 9))) | st.integers(1, n + 1))
    position = draw(st.sampled_from([0.0, 0, 0, 1, 0.1, 1e-300, 1e6]))
    numbers_each = channels + (len(places) if position else 0)
    options = {
        "image": image,
        "k": k,
        "mask": draw(masks(image, axis, places)),
        "weights": draw(st.none() | weights_of(places)),
        "channel_axis": axis,
        "alpha": alpha,
        "color_space": draw(st.sampled_from(["rgb", "rgb", "rgb", "lab"])),
        "normalize": draw(st.sampled_from([False, False, True])),
        "position_weight": position,
        "init": draw(
            st.sampled_from(["random", "k-means++"])
            | filled((k, max(1, numbers_each)), "f8")
        ),
        "n_init": draw(st.sampled_from(["auto", "auto", 1, 2])),
        "max_iter": draw(st.sampled_from([300, 300, 1, 5])),
        "tol": draw(st.sampled_from([1e-4, 1e-4, 0, 0.0, 1, 1e300])),
        "rng": draw(st.sampled_from([0, 0, None, [1, 2]])),
        "callback": draw(st.sampled_from([None, None, goes_on, stops])),
        "coarse_start": draw(st.booleans()),
    }
    return draw(spoiled(options)), draw(st.booleans())


# ---- A right result --------------------------------------------------------------


class Parsed(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open, self.images = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def taken_apart(image, options):
    """Return the image with channels last, its colors, and which pixels take part."""
    axis, alpha = options.get("channel_axis", -1), options.get("alpha", "auto")
    last = channels_last(image, axis)
    gray = axis is None or image.ndim == 2
    if isinstance(alpha, str):
        alpha = not gray and last.shape[-1] in (2, 4)
    part = np.ones(last.shape[:-1], bool)
    if options.get("mask") is not None:
        part &= np.asarray(options["mask"]).astype(bool)
    if alpha:
        with np.errstate(invalid="ignore"):
            part &= last[..., -1] > 0
    return last, last[..., :-1] if alpha else last, part


def check_painted(answer, image, options):
    """Contract 10: shape and type, every pixel in the color of its cluster."""
    axis = options.get("channel_axis", -1)
    last, colors, part = taken_apart(image, options)
    assert isinstance(answer, Segmentation)
    assert answer.image.shape == image.shape
    assert answer.image.dtype == answer.palette.dtype == image.dtype
    assert answer.labels.shape == part.shape
    k = len(answer.palette)
    smallest = next(t for t in ("i1", "i2", "i4") if k - 1 <= np.iinfo(t).max)
    assert answer.labels.dtype == smallest
    assert np.array_equal(answer.labels >= 0, part)
    assert answer.labels.max() < k
    painted = channels_last(answer.image, axis).copy()
    channels = colors.shape[-1]
    inside = painted[..., :channels][part]
    palette = answer.palette.reshape(k, channels)
    assert np.array_equal(inside, palette[answer.labels[part]])
    painted[..., :channels][part] = colors[part]
    assert painted.tobytes() == last.tobytes(), "something else was painted"
    return colors[part], part


def check_nearest(pixels, answer):
    """Contract 3: labels and inertia belong to the centroids."""
    centroids, inside = answer.centroids, answer.labels[answer.labels >= 0]
    points = pixels.astype(np.float64)
    _, nearest = assign(points, centroids)
    own = ((points - centroids[inside]) ** 2).sum(axis=1)
    # Where the origin was moved, the last digits of the values may decide.
    doubt = 1e-15 * (1e-290 + np.abs(points).max() ** 2)
    assert (own <= nearest * (1 + 1e-9) + doubt).all()
    return own


def check_clusters(answer, pixels, weights, k, texts):
    """Contracts 3 and 4, where colors are compared as they are."""
    own, inside = check_nearest(pixels, answer), answer.labels[answer.labels >= 0]
    counting = weights > 0
    points = pixels.astype(np.float64)[counting]
    distinct, found = len(np.unique(points, axis=0)), len(answer.palette)
    assert found <= min(k, distinct)
    # Points that are nearer than this to each other count as equal.
    if all(np.diff(np.unique(band)).min(initial=1) > 1e-150 for band in points.T):
        assert found == min(k, distinct)
        if found < k:
            back = answer.palette[inside].reshape(pixels.shape)[counting]
            assert np.array_equal(back, pixels[counting])
    totals = np.bincount(inside, weights, found)
    np.testing.assert_allclose(answer.counts, totals, rtol=1e-9)
    inertia = (weights * own).sum()
    slack = 1e-15 * np.abs(points).max() ** 2 * weights.sum() + 1e-300
    assert abs(answer.inertia - inertia) <= 1e-8 * inertia + slack
    assert len(texts) == (found < k)


def check_answer(answer):
    """What holds for every answer, however it was found."""
    assert np.isfinite(answer.centroids).all()
    assert np.isfinite(answer.inertia)
    assert answer.inertia >= 0
    np.testing.assert_allclose(answer.shares.sum(), 1)
    assert "\n" not in repr(answer)
    assert Parsed(answer._repr_html_()).open == []


def check_shown(answer, share, outline):
    shown, _ = called(answer.overlay, alpha=share, outline=outline)
    assert shown.shape == (*answer.labels.shape, 3)
    assert shown.dtype == np.uint8


def clustered(options, large):
    """Call `cluster_image`; check whatever comes."""
    arrays = [value for value in options.values() if isinstance(value, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    with passes_for_large_images(large):
        answer, texts = called(cluster_image, **options)
    assert [array.tobytes() for array in arrays] == before, "an argument was written to"
    image, k = np.asarray(options["image"]), int(options["k"])
    pixels, part = check_painted(answer, image, options)
    weights = options["weights"]
    kind = np.int64 if weights is None else np.float64
    weights = np.ones(part.shape) if weights is None else np.asarray(weights, kind)
    weights = weights[part]
    assert answer.counts.dtype == kind
    assert (answer.counts > 0).all(), "an empty cluster"
    assert (np.diff(answer.counts) <= 0).all(), "not the largest first"
    assert len(texts) == (len(answer.palette) < k)
    plain = not (options["normalize"] or options["position_weight"])
    if plain and options["color_space"] == "rgb":
        check_clusters(answer, pixels, weights, k, texts)
    check_answer(answer)
    return answer


def fuzz_cluster_image(call, share, outline):
    options, large = call
    try:
        answer = clustered(options, large)
    except Refused:
        return
    check_shown(answer, share, outline)
    with passes_for_large_images(large):
        again, _ = called(answer.apply, options["image"], mask=options["mask"])
    assert np.array_equal(again.labels, answer.labels)
    assert again.image.tobytes() == answer.image.tobytes()


# ---- The other calls -------------------------------------------------------------


@st.composite
def films(draw):
    """Draw the arguments of `cluster_image`, and another image of its kind."""
    options, _ = draw(calls())
    image, axis = options["image"], options["channel_axis"]
    options["k"] = 2
    options["init"] = "random"
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3, 4):
        image = np.zeros((2, 3), np.uint8)
    shape = tuple(draw(LENGTHS) if length > 5 else length for length in image.shape)
    other, _ = draw(images((shape, axis), image.dtype))
    places = np.empty(shape)
    if type(axis) is int and image.ndim > 2:
        places = np.delete(shape, axis) if -len(shape) <= axis < len(shape) else shape
        places = np.empty(places)
    mask = draw(st.none() | st.just(np.ones(places.shape, bool)))
    arguments = draw(spoiled({"image": other, "mask": mask}))
    return options, arguments, draw(st.booleans())


def fuzz_apply(film):
    options, arguments, large = film
    try:
        answer, _ = called(cluster_image, **options)
        with passes_for_large_images(large):
            found, _ = called(answer.apply, **arguments)
    except Refused:
        return
    how = {key: options[key] for key in ("channel_axis", "alpha")}
    image = np.asarray(arguments["image"])
    pixels, _ = check_painted(found, image, {**how, "mask": arguments["mask"]})
    assert np.array_equal(found.palette, answer.palette)
    assert (found.stopped_by, found.n_iter) == ("given", 0)
    plain = not (options["normalize"] or options["position_weight"])
    if plain and options["color_space"] == "rgb":
        check_nearest(pixels, found)
    check_answer(found)
    check_shown(found, 0.5, True)


@st.composite
def palette_calls(draw):
    """Draw the arguments of `apply_palette`."""
    options, large = draw(calls())
    names = ("image", "mask", "channel_axis", "alpha", "color_space")
    options = {name: options[name] for name in names}
    image, axis = options["image"], options["channel_axis"]
    channels, dtype = 1, np.dtype("u1")
    if isinstance(image, np.ndarray) and image.dtype.kind in "biuf":
        dtype = image.dtype if image.dtype.itemsize <= 8 else dtype
        if isinstance(axis, int) and -image.ndim <= axis < image.ndim > 2:
            channels = image.shape[axis]
            auto = isinstance(options["alpha"], str) and channels in (2, 4)
            channels -= auto or options["alpha"] is True
    k = draw(st.sampled_from([1, 1, 2, 3, 7, 40, 200]))
    shape = (k, max(1, channels)) if channels > 1 or draw(st.booleans()) else (k,)
    bad = draw(st.sampled_from([False] * 8 + [True]))
    dtypes = st.sampled_from([dtype, dtype, np.dtype("f8")])
    options["palette"] = draw(filled(shape, draw(dtypes), bad))
    return draw(spoiled(options)), large


def fuzz_apply_palette(call):
    options, large = call
    try:
        with passes_for_large_images(large):
            answer, texts = called(apply_palette, **options)
    except Refused:
        return
    assert not texts
    image, palette = np.asarray(options["image"]), np.asarray(options["palette"])
    pixels, _ = check_painted(answer, image, options)
    expected = palette.reshape(len(palette), -1).astype(np.float64)
    rounded = expected if image.dtype.kind == "f" else np.rint(expected)
    painted = answer.palette.reshape(expected.shape)
    assert np.array_equal(painted, rounded.astype(image.dtype))
    if options["color_space"] == "rgb":
        assert np.array_equal(answer.centroids, expected)
        labels, distances = assign(pixels, expected)
        found = answer.labels[answer.labels >= 0]
        # Distances whose squares float64 hardly holds count as equal.
        others = pixels[found != labels] - expected[found[found != labels]]
        assert ((others**2).sum(axis=1) < 1e-300).all()
        assert answer.inertia == pytest.approx(distances.sum(), rel=1e-8, abs=1e-300)
    counts = np.bincount(answer.labels[answer.labels >= 0], minlength=len(palette))
    assert np.array_equal(answer.counts, counts)
    check_answer(answer)
    check_shown(answer, 1, True)


@st.composite
def curve_calls(draw):
    """Draw the arguments of `inertia_curve`, for images and for points."""
    options, large = draw(calls())
    for name in ("k", "init", "n_init", "coarse_start"):
        del options[name]
    image = options.pop("image")
    options["kind"] = draw(st.sampled_from(["auto", "image"]))
    if draw(st.booleans()):
        n, d = draw(LENGTHS), draw(st.integers(1, 4))
        image = draw(filled((n, d), draw(LIKELY_TYPES)))
        options.update(mask=None, weights=draw(st.none() | weights_of(n)))
        options.update(channel_axis=-1, alpha="auto", color_space="rgb")
        options |= {"position_weight": 0, "kind": "points"}
    ks = st.lists(st.integers(1, 5), min_size=1, max_size=4) | st.just(range(1, 4))
    options |= {"image_or_points": image, "ks": draw(ks)}
    return draw(spoiled(options)), large


def fuzz_inertia_curve(call):
    options, large = call
    try:
        with passes_for_large_images(large):
            curve, texts = called(inertia_curve, **options)
    except Refused:
        return
    assert len(texts) <= 1
    ks = np.asarray(options["ks"])
    assert curve.shape == ks.shape
    assert curve.dtype == np.float64
    falling = curve[np.argsort(ks, kind="stable")]
    begun = ~np.isnan(falling)
    if options["callback"] is None:
        assert begun.all()
    assert (np.diff(begun.astype(int)) <= 0).all(), "only the last were not begun"
    assert begun[0]
    assert (np.diff(falling[begun]) <= 0).all()
    assert (falling[begun] >= 0).all()


@st.composite
def questions(draw):
    """Draw what an answer is asked: an overlay or a mask."""
    name, options = draw(
        st.sampled_from(
            [
                ("overlay", {"alpha": 0.5, "outline": True}),
                ("mask_of", {"label": 1}),
            ]
        )
    )
    options = dict(options)
    for key in options:
        options[key] = draw(st.just(options[key]) | st.sampled_from(ANYTHING))
    return name, options


SOME = cluster_image(np.arange(12, dtype=np.uint8).reshape(3, 4), 3, rng=0)


def fuzz_questions(question):
    name, options = question
    try:
        result, texts = called(getattr(SOME, name), **options)
    except Refused:
        return
    assert not texts
    if name == "overlay":
        assert 0 <= options["alpha"] <= 1
        assert isinstance(options["outline"], bool | np.bool_)
        assert result.shape == (3, 4, 3)
    else:
        assert np.array_equal(result, SOME.labels == options["label"])
        assert result.any()


# ---- Some examples by default, and many for the gate -----------------------------

SHARES = st.sampled_from([0, 0.5, 1, 1 / 3])
LENIENT = list(HealthCheck)
FUZZES = {
    "cluster_image": (fuzz_cluster_image, calls(), SHARES, st.booleans()),
    "apply": (fuzz_apply, films()),
    "apply_palette": (fuzz_apply_palette, palette_calls()),
    "inertia_curve": (fuzz_inertia_curve, curve_calls()),
    "questions": (fuzz_questions, questions()),
}
EVERY_CALL = pytest.mark.parametrize("name", FUZZES)


def run(name, **how):
    body, *strategies = FUZZES[name]
    lenient = settings(**how, suppress_health_check=LENIENT)
    lenient(given(*strategies)(body))()


@EVERY_CALL
def test_is_right_or_refuses(name):
    run(name)


@pytest.mark.slow
@EVERY_CALL
def test_is_right_or_refuses_for_long(name):
    run(name, max_examples=1000)
