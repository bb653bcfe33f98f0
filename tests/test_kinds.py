"""Kinds of image by table, each against the textbook on the pixels that take part."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from kmeans_np import Sweep, assign, cluster_image, kmeans, lloyd
from kmeans_np.clustering import choose_sweep
from kmeans_np.colors import lab_from_rgb, rgb_from_lab
from kmeans_np.colors.spaces import oklab_from_rgb, rgb_from_oklab


@pytest.fixture(autouse=True)
def fast_passes(monkeypatch):
    """Let images of this size take the passes that are made for larger ones."""
    monkeypatch.setattr(choose_sweep, "MUCH_WORK", 33_000)


# ---- The textbook's answer -------------------------------------------------------


class Expected(NamedTuple):
    labels: Any
    centroids: Any
    counts: Any
    inertia: float
    steps: list[Any]


def textbook(points, start, weights=None, **how):
    """Run the textbook from a start, then put the largest clusters first.

    A point that is equally near to two centroids belongs to the first in the order.
    """
    points = np.asarray(points, np.float64)
    weights = np.ones(len(points)) if weights is None else weights
    steps = list(lloyd(points, start, weights=weights, **how))
    centroids = steps[-1].new_centroids
    while True:
        labels, distances = assign(points, centroids)
        counts = np.bincount(labels, weights, len(centroids))
        order = np.lexsort((*centroids.T[::-1], -counts))
        if (order == np.arange(len(order))).all():
            inertia = float((weights * distances).sum())
            return Expected(labels, centroids, counts, inertia, steps)
        centroids = centroids[order]


def assert_same_steps(seen, steps, scale):
    """Each step of the run is that of the textbook."""
    assert len(seen) == len(steps)
    for one, other in zip(seen, steps):
        gap = np.abs(one.new_centroids - other.new_centroids).max()
        assert gap <= 1e-9 * scale
        assert one.inertia == pytest.approx(other.inertia, rel=1e-8)
        assert one.n_changed == pytest.approx(other.n_changed, rel=1e-12)
        assert one.stopped_by == other.stopped_by


# ---- The table -------------------------------------------------------------------

# Shape, channel_axis, alpha, and whether the last channel is alpha.
FORMS = {
    "gray": ((50, 40), -1, "auto", False),
    "gray+alpha": ((50, 40, 2), -1, "auto", True),
    "rgb": ((50, 40, 3), -1, "auto", False),
    "rgba": ((50, 40, 4), -1, "auto", True),
    "one channel": ((50, 40, 1), -1, "auto", False),
    "2 bands": ((50, 40, 2), -1, False, False),
    "4 bands": ((50, 40, 4), -1, False, False),
    "5 bands": ((50, 40, 5), -1, "auto", False),
    "5 with alpha": ((50, 40, 5), -1, True, True),
    "12 bands": ((30, 40, 12), -1, "auto", False),
    "rgb first": ((3, 50, 40), 0, "auto", False),
    "rgb between": ((50, 3, 40), 1, "auto", False),
    "rgba first": ((4, 50, 40), -3, "auto", True),
    "bands first": ((12, 30, 40), 0, "auto", False),
    "volume": ((6, 20, 17), None, "auto", False),
    "rgb volume": ((5, 20, 20, 3), -1, "auto", False),
    "rgba film": ((5, 20, 20, 4), -1, "auto", True),
    "volume, rgb first": ((3, 5, 20, 20), 0, "auto", False),
    "film, rgb between": ((5, 3, 20, 20), 1, "auto", False),
    "one row": ((1, 2000, 3), -1, "auto", False),
    "one column": ((2000, 1), -1, "auto", False),
    "large gray": ((173, 151), -1, "auto", False),
    "large rgb": ((173, 151, 3), -1, "auto", False),
    "large rgba": ((173, 151, 4), -1, "auto", True),
}
RANGES = {
    "bool": (0, 1),
    "uint8": (0, 255),
    "uint16": (0, 65535),
    "uint32": (0, 2**32 - 1),
    "int8": (-128, 127),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**50), 2**50),
    "float16": (-1, 1),
    "float32": (0, 1),
    "float64": (-1000, 2000),
}
ORDERS = ("F", "negative", "every second", "read-only", "memmap", "byte-swapped")
# How to run, in turn.
HOWS = ({}, {"tol": 0}, {"max_iter": 3, "tol": 0}, {"tol": 0.05})


class Kind(NamedTuple):
    """A kind of image: `few` says whether it has few distinct colors."""

    dtype: str
    form: str
    few: bool = False
    order: str = "C"
    mask: bool = False
    weights: str | None = None
    k: int = 6

    def __str__(self):
        parts = [self.dtype, self.form, "few" if self.few else "many"]
        parts += [self.order] if self.order != "C" else []
        parts += ["mask"] if self.mask else []
        parts += [f"weights {self.weights}"] if self.weights else []
        return "-".join(parts).replace(" ", "_")


KINDS = [
    # Every type.
    *(Kind(dtype, "gray") for dtype in RANGES if dtype != "bool"),
    *(Kind(dtype, "rgb") for dtype in RANGES if dtype != "bool"),
    Kind("bool", "gray", few=True, k=2),
    Kind("bool", "rgb", few=True, k=4),
    Kind("bool", "5 bands", few=True, k=5),
    Kind("bool", "rgba", few=True, mask=True, k=3),
    # Integers with few distinct colors, up to 64 bits of them.
    *(Kind(dtype, "gray", few=True) for dtype in ("uint16", "uint32", "int64")),
    *(Kind(dtype, "rgb", few=True) for dtype in ("uint8", "uint16", "int8", "int16")),
    Kind("uint8", "5 bands", few=True),
    Kind("int8", "12 bands", few=True),
    Kind("uint32", "2 bands", few=True),
    Kind("int64", "rgb", few=True),
    Kind("int32", "gray+alpha", few=True, weights="whole"),
    Kind("uint16", "volume", few=True, mask=True, weights="fractions"),
    # Every form.
    *(Kind("uint8", form) for form in FORMS if form not in ("gray", "rgb")),
    *(Kind("float32", form) for form in FORMS if form not in ("gray", "rgb")),
    Kind("uint8", "large gray", mask=True, weights="fractions"),
    Kind("uint8", "large rgb", mask=True, order="F"),
    Kind("uint16", "large gray", few=True, k=140),
    Kind("int16", "large rgb", few=True, mask=True),
    Kind("bool", "large rgb", few=True, weights="whole", k=4),
    Kind("uint8", "large rgb", k=130),
    *(Kind("uint16", form) for form in ("gray+alpha", "rgba", "12 bands", "volume")),
    # Every memory order.
    *(Kind("uint8", "rgb", order=order) for order in ORDERS[:-1]),
    *(Kind("uint16", "gray", order=order, few=True) for order in ORDERS),
    *(Kind("float32", "rgba", order=order, mask=True) for order in ORDERS),
    *(Kind("int32", "rgb first", order=order, few=True) for order in ORDERS),
    *(Kind("float64", "12 bands", order=order) for order in ORDERS),
    # What takes part, and how much.
    Kind("uint8", "rgb", mask=True),
    Kind("uint8", "rgb", weights="whole"),
    Kind("uint8", "rgb", weights="fractions"),
    Kind("uint8", "rgba", mask=True, weights="whole"),
    Kind("uint8", "gray+alpha", mask=True, weights="fractions"),
    Kind("uint8", "rgb volume", mask=True, weights="whole", order="F"),
    Kind("int16", "12 bands", mask=True, weights="whole"),
    Kind("int16", "gray", mask=True, weights="whole", few=True),
    Kind("uint32", "rgba film", mask=True, weights="fractions"),
    Kind("float16", "rgba", mask=True, weights="whole"),
    Kind("float32", "bands first", mask=True),
    Kind("float64", "gray", mask=True, weights="fractions", k=40),
    Kind("float64", "rgb", mask=True, weights="whole", order="every second"),
    Kind("float64", "volume", mask=True, order="negative"),
]


# Those whose like is there with another type or form.
LIKE_OTHERS = {
    *(Kind(dtype, "rgb") for dtype in RANGES if dtype not in ("uint8", "float32")),
    *(Kind("float32", form) for form in FORMS if form not in ("gray", "rgb", "rgba")),
    *(Kind("float64", "12 bands", order=order) for order in ORDERS),
    Kind("uint8", "large rgb", k=130),
}


def values_of(kind, shape, rng):
    """Draw colors of several groups, some of them cut off at the ends of the range."""
    low, high = RANGES[kind.dtype]
    n = int(np.prod(shape[:-1]))
    groups = rng.uniform(0.05, 0.95, (7, shape[-1]))
    size = 200 if kind.few else n
    shares = groups[rng.integers(0, 7, size)] + rng.normal(0, 0.1, (size, shape[-1]))
    colors = low + np.clip(shares, 0, 1) * (high - low)
    if np.dtype(kind.dtype).kind != "f":
        colors = np.rint(colors)
    if kind.few:
        colors = colors[rng.integers(0, size, n)]
    return colors.astype(kind.dtype).reshape(shape)


def laid_out(image, order, path):
    """Return the same image in another memory order."""
    if order == "F":
        return np.asfortranarray(image)
    if order == "negative":
        return np.flip(np.flip(image).copy())
    if order == "every second":
        wide = np.ones([2 * length for length in image.shape], image.dtype)
        every_second = wide[(slice(None, None, 2),) * image.ndim]
        every_second[...] = image
        return every_second
    if order == "read-only":
        image.flags.writeable = False
    if order == "memmap":
        image.tofile(path / "image")
        return np.memmap(path / "image", image.dtype, "r", shape=image.shape)
    if order == "byte-swapped":
        return image.astype(image.dtype.newbyteorder())
    return image


class Case(NamedTuple):
    """An image of a kind, what is known of it, and its textbook's answer."""

    image: Any
    options: dict[str, Any]
    last: Any
    part: Any
    expected: Expected


def made(kind, number, path):
    rng = np.random.default_rng(number)
    shape, axis, alpha, has_alpha = FORMS[kind.form]
    gray = axis is None or len(shape) == 2
    last_shape = (*shape, 1) if gray else (*np.delete(shape, axis), shape[axis])
    last = values_of(kind, last_shape, rng)
    colors = last[..., :-1] if has_alpha else last
    part = np.ones(last_shape[:-1], bool)
    options = {"channel_axis": axis, "alpha": alpha, **HOWS[number % len(HOWS)]}
    if has_alpha:
        last[..., -1] = rng.choice([0, 1, RANGES[kind.dtype][1]], part.shape)
        part &= last[..., -1] > 0
    if kind.mask:
        options["mask"] = rng.random(part.shape) < 0.8
        wild = RANGES[kind.dtype]
        if last.dtype.kind == "f":
            wild = (np.nan, np.inf, -np.inf, np.finfo(last.dtype).min)
        outside = last[~options["mask"]]
        last[~options["mask"]] = rng.choice(wild, outside.shape).astype(last.dtype)
        part &= options["mask"]
    weights = None
    if kind.weights:
        weights = rng.integers(0, 4, part.shape).astype(np.uint8)
        if kind.weights == "fractions":
            weights = weights * rng.random(part.shape)
        options["weights"] = weights
        weights = weights[part].astype(np.float64)
    points = colors[part].astype(np.float64)
    start = rng.choice(np.unique(points, axis=0), kind.k, replace=False)
    how = {key: options[key] for key in ("tol", "max_iter") if key in options}
    expected = textbook(points, start, weights, **how)
    options["init"] = start
    image = last[..., 0] if gray else np.moveaxis(last, -1, axis)
    image = laid_out(np.ascontiguousarray(image), kind.order, path)
    return Case(image, options, last, part, expected)


def test_the_table_is_large_and_has_no_row_twice():
    assert len(set(KINDS)) == len(KINDS) >= 60
    assert len(set(KINDS) - LIKE_OTHERS) >= 60


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        pytest.param(
            *(i, kind),
            id=str(kind),
            marks=pytest.mark.slow if kind in LIKE_OTHERS or i % 2 else (),
        )
        for i, kind in enumerate(KINDS)
    ],
)
def test_is_the_textbook_on_the_pixels_that_take_part(number, kind, tmp_path):
    image, options, last, part, expected = made(kind, number, tmp_path)
    before, seen = image.tobytes(), []
    answer = cluster_image(image, kind.k, **options, callback=seen.append)
    labels, centroids, counts, inertia, steps = expected
    scale = np.ptp(last[part].astype(np.float64))
    # The run.
    assert_same_steps(seen, steps, scale)
    n_iter, stopped_by = steps[-1].iteration, steps[-1].stopped_by
    assert (answer.n_iter, answer.stopped_by) == (n_iter, stopped_by)
    # The clusters.
    assert answer.labels.dtype == (np.int8 if kind.k <= 128 else np.int16)
    assert answer.labels.shape == part.shape
    assert (answer.labels[~part] == -1).all()
    assert np.array_equal(answer.labels[part], labels)
    assert np.abs(answer.centroids - centroids).max() <= 1e-9 * scale
    assert answer.inertia == pytest.approx(inertia, rel=1e-8)
    assert answer.counts.dtype == (np.float64 if kind.weights else np.int64)
    np.testing.assert_allclose(answer.counts, counts, rtol=1e-12)
    np.testing.assert_allclose(answer.shares, counts / counts.sum(), rtol=1e-12)
    # The picture.
    rounded = answer.centroids if image.dtype.kind == "f" else np.rint(answer.centroids)
    palette = rounded.astype(image.dtype)
    assert answer.palette.dtype == image.dtype
    gray = options["channel_axis"] is None or image.ndim == 2
    assert np.array_equal(answer.palette, palette[:, 0] if gray else palette)
    painted = last.astype(image.dtype)
    painted[..., : palette.shape[1]][part] = palette[labels]
    if gray:
        painted = painted[..., 0]
    else:
        painted = np.moveaxis(painted, -1, options["channel_axis"])
    assert answer.image.shape == image.shape
    assert answer.image.dtype == image.dtype
    assert answer.image.tobytes() == painted.tobytes()
    assert np.asarray(answer.image).flags.writeable
    # The input.
    assert image.tobytes() == before
    assert not np.shares_memory(answer.image, image)
    # Distinct colors stand for the pixels where that pays.
    counting = last[part & (options.get("weights", 1) > 0)]
    bits = [int(np.ptp(band.astype(np.float64))).bit_length() for band in last[part].T]
    if image.dtype.kind == "f" or sum(bits[: len(palette.T)]) > 64:
        assert len(seen[0].labels) == len(counting)
    elif kind.few or (image.dtype == np.uint8 and len(palette.T) in (1, 3)):
        colors = np.unique(counting[:, : len(palette.T)], axis=0)
        assert len(seen[0].labels) == len(colors)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind("uint8", "rgb"), "CellSweep"),
        (Kind("uint8", "rgba film"), "CellSweep"),
        (Kind("uint8", "rgb", weights="fractions"), "CellSweep"),
        (Kind("uint8", "12 bands"), "BoundedSweep"),
        (Kind("float32", "rgb"), "BoundedSweep"),
        (Kind("int32", "rgb"), "BoundedSweep"),
        (Kind("float64", "gray", mask=True, weights="fractions", k=40), "BoundedSweep"),
        (Kind("uint16", "gray", few=True, order="F"), "BlockedSweep"),
    ],
    ids=str,
)
def test_the_table_reaches_every_pass(kind, expected, tmp_path, monkeypatch):
    case, seen, begin = made(kind, KINDS.index(kind), tmp_path), [], Sweep.__init__

    def watched(self, *args):
        seen.append(type(self).__name__)
        begin(self, *args)

    monkeypatch.setattr(Sweep, "__init__", watched)
    cluster_image(case.image, kind.k, **case.options)
    assert seen[0] == expected


# ---- What is compared: CIELAB ----------------------------------------------------

# Made with skimage.color.rgb2lab of scikit-image 0.26.0.
LAB = {
    (0, 0, 0): (0.000000000, 0.000000000, 0.000000000),
    (255, 255, 255): (100.000000000, -0.002454938, 0.004653421),
    (255, 0, 0): (53.240587944, 80.092308226, 67.202751044),
    (0, 255, 0): (87.735099488, -86.183029744, 83.179703175),
    (0, 0, 255): (32.295672565, 79.185590912, -107.857300207),
    (255, 255, 0): (97.139507040, -21.554681017, 94.478122276),
    (0, 255, 255): (91.113301441, -48.090596233, -14.126329820),
    (255, 0, 255): (60.323506527, 98.233053863, -60.821015244),
    (128, 128, 128): (53.585013452, -0.001472646, 0.002791451),
    (1, 2, 3): (0.509825068, -0.122490305, -0.470496077),
    (10, 10, 11): (2.762026287, 0.142414911, -0.387742156),
    (12, 40, 200): (28.809146833, 52.941118731, -82.162124005),
    (200, 30, 90): (44.160887009, 65.806642573, 10.615001926),
    (250, 128, 114): (67.264007117, 45.225536684, 29.096488828),
    (34, 139, 34): (50.593294553, -49.585776907, 45.016835647),
    (70, 130, 180): (52.465393576, -4.080020666, -32.188280828),
    (210, 180, 140): (74.975764239, 5.019880031, 24.430969374),
    (75, 0, 130): (20.468866676, 51.684564796, -53.310495620),
    (139, 69, 19): (37.469786419, 26.442144248, 40.984187590),
    (3, 0, 9): (0.353007698, 2.035892307, -3.129396354),
    (240, 255, 240): (98.565597410, -7.567264488, 5.479768572),
    (90, 20, 160): (27.329424228, 55.483277303, -60.559656398),
    (220, 120, 180): (63.298880683, 46.355781408, -14.419408596),
    (17, 93, 61): (34.567996322, -30.777391661, 12.151776488),
}
LEVELS, LABS = np.array([*LAB], np.uint8), np.array([*LAB.values()])


# Made with colour-science 0.4.7, as XYZ_to_Oklab(sRGB_to_XYZ(levels / 255)).
OKLAB = {
    (0, 0, 0): (0.000000000, 0.000000000, 0.000000000),
    (255, 255, 255): (1.000001735, 0.000002285, -0.000113653),
    (255, 0, 0): (0.627925901, 0.224887604, 0.125804933),
    (0, 255, 0): (0.866451875, -0.233921435, 0.179421768),
    (0, 0, 255): (0.452032954, -0.032351638, -0.311620544),
    (255, 255, 0): (0.967981077, -0.071393472, 0.198489851),
    (0, 255, 255): (0.905414673, -0.149446543, -0.039504648),
    (255, 0, 255): (0.701657393, 0.274626251, -0.169268747),
    (128, 128, 128): (0.599871847, 0.000001371, -0.000068177),
    (1, 2, 3): (0.082309939, -0.003925209, -0.007021013),
    (10, 10, 11): (0.145249616, 0.000592936, -0.002064659),
    (12, 40, 200): (0.408597422, -0.019860697, -0.238288672),
    (200, 30, 90): (0.544851151, 0.200644267, 0.027007285),
    (250, 128, 114): (0.734987298, 0.133710497, 0.071197732),
    (34, 139, 34): (0.557811880, -0.134624897, 0.101775933),
    (70, 130, 180): (0.588009515, -0.040804329, -0.090644181),
    (210, 180, 140): (0.786183513, 0.016924536, 0.061455001),
    (75, 0, 130): (0.338981829, 0.094199443, -0.152613839),
    (139, 69, 19): (0.470773097, 0.070810497, 0.086922852),
    (3, 0, 9): (0.078793741, 0.022489465, -0.034774562),
    (240, 255, 240): (0.984844663, -0.020747626, 0.014212525),
    (90, 20, 160): (0.399416867, 0.095876250, -0.173536119),
    (220, 120, 180): (0.702097277, 0.137674337, -0.038218293),
    (17, 93, 61): (0.425300065, -0.083631028, 0.030701979),
}


def test_oklab_by_hand():
    # Of white all cones see about 1, so the rows of the second matrix are added up.
    found = oklab_from_rgb(np.array([[1.0, 1, 1], [0, 0, 0], [0.5, 0.5, 0.5]]))
    np.testing.assert_allclose(found[0], [1, 0, 0], atol=2e-4)
    np.testing.assert_allclose(found[1], [0, 0, 0], atol=1e-12)
    # Of gray, L is the cube root of its light.
    light = ((0.5 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(found[2], [np.cbrt(light), 0, 0], atol=2e-4)


def test_oklab_is_that_of_colour_science():
    expected = [OKLAB[tuple(color)] for color in LEVELS.tolist()]
    np.testing.assert_allclose(oklab_from_rgb(LEVELS, 255), expected, atol=2e-9)


def test_back_from_oklab(rng):
    colors = rng.random((1000, 3))
    np.testing.assert_allclose(
        rgb_from_oklab(oklab_from_rgb(colors)), colors, atol=1e-9
    )


def test_in_oklab_is_the_textbook_on_oklab(rng):
    image = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    points = oklab_from_rgb(image.reshape(-1, 3), 255)
    first = image[0, :4].astype(float)
    answer = cluster_image(image, 4, init=first, color_space="oklab", tol=0)
    expected = kmeans(points, 4, init=oklab_from_rgb(first, 255), tol=0)
    order = np.argsort(-expected.counts, kind="stable")
    assert np.array_equal(order[answer.labels.ravel()], expected.labels)
    assert answer.inertia == pytest.approx(expected.inertia)
    shown = rgb_from_oklab(expected.centroids[order]).clip(0, 1) * 255
    assert np.array_equal(answer.palette, np.rint(shown).astype(np.uint8))


def test_blue_stays_blue_in_oklab():
    # Between blue and white CIELAB turns purple: more red than green.
    ends = np.uint8([[[0, 0, 255], [255, 255, 255]]])
    lab, oklab = (
        cluster_image(ends, 1, color_space=space).palette[0].astype(int)
        for space in ("lab", "oklab")
    )
    assert lab[0] - lab[1] > 20
    assert oklab[1] > oklab[0]


def test_lab_by_hand():
    # Red by the definition: linear red is 1, so X, Y and Z are the first column of the
    # matrix of sRGB, in parts of the white of D65.
    x, y, z = np.cbrt(np.array([0.412453, 0.212671, 0.019334]) / [0.95047, 1, 1.08883])
    red = [116 * y - 16, 500 * (x - y), 200 * (y - z)]
    found = lab_from_rgb(np.array([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]))
    # The matrix in six digits leaves white a little off the middle.
    np.testing.assert_allclose(found[0], [100, 0, 0], atol=0.005)
    np.testing.assert_allclose(found[1], [0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found[2], red, atol=1e-9)


def test_lab_is_that_of_scikit_image():
    np.testing.assert_allclose(lab_from_rgb(LEVELS / 255), LABS, atol=1e-6)


def test_back_from_lab(rng):
    colors = np.concatenate([LEVELS / 255, rng.random((1000, 3))])
    # Means of colors may lie outside of what a screen can show.
    colors = np.concatenate([colors, colors - 0.3])
    np.testing.assert_allclose(rgb_from_lab(lab_from_rgb(colors)), colors, atol=1e-9)
    # Where the curve goes over into a line, the standard's digits leave a small step.
    bend = np.full((1, 3), 0.04045)
    np.testing.assert_allclose(rgb_from_lab(lab_from_rgb(bend)), bend, atol=1e-7)


def test_the_middle_between_black_and_white_is_the_gray_of_half_the_lightness():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0] = 255
    answer = cluster_image(image, 1, color_space="lab")
    # L = 50: Y = (66 / 116)^3 = 0.1842, which sRGB writes as 1.055 Y^(1 / 2.4) - 0.055.
    gray = 255 * (1.055 * (66 / 116) ** (3 / 2.4) - 0.055)
    assert answer.palette.tolist() == [[119, 119, 119]]
    np.testing.assert_allclose(answer.centroids, [[gray] * 3], atol=0.01)
    assert answer.inertia == pytest.approx(4 * 50**2, rel=1e-6)


def in_lab_colors(dtype, rng, shape=(80, 75)):
    """Return an image of the colors in the table, and which these are."""
    which = rng.integers(0, len(LAB), shape)
    if dtype == "uint16":
        return LEVELS[which].astype(dtype) * np.uint16(257), which, 65535
    if dtype == "uint32":
        return LEVELS[which].astype(dtype) * np.uint32(0x01010101), which, 2**32 - 1
    if dtype == "uint8":
        return LEVELS[which], which, 255
    return (LEVELS[which] / 255).astype(dtype), which, 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("first", [0, 1])
def test_in_lab_is_the_textbook_on_lab(dtype, first, rng):
    image, which, white = in_lab_colors(dtype, rng)
    seen, starts = [], slice(first, None, 4)
    expected = textbook(LABS[which].reshape(-1, 3), LABS[starts])
    answer = cluster_image(
        image,
        len(LABS[starts]),
        init=LEVELS[starts] / 255 * white,
        color_space="lab",
        callback=seen.append,
    )
    # As far as float32 and the digits of the table go.
    near = {"rtol": 1e-5, "atol": 1e-4}
    assert len(seen) == len(expected.steps) == answer.n_iter
    assert answer.stopped_by == expected.steps[-1].stopped_by
    for one, other in zip(seen, expected.steps):
        np.testing.assert_allclose(one.new_centroids, other.new_centroids, **near)
    assert np.array_equal(answer.labels.ravel(), expected.labels)
    np.testing.assert_allclose(
        lab_from_rgb(answer.centroids / white), expected.centroids, **near
    )
    assert answer.inertia == pytest.approx(expected.inertia, rel=1e-5)
    assert answer.image.dtype == answer.palette.dtype == image.dtype
    shown = np.clip(answer.centroids, 0, white)
    shown = shown if image.dtype.kind == "f" else np.rint(shown)
    assert np.array_equal(answer.image, shown.astype(dtype)[answer.labels])


def test_in_lab_with_mask_alpha_and_weights(rng):
    image, which, _ = in_lab_colors("uint8", rng)
    opacity = rng.choice(np.array([0, 9, 255], np.uint8), which.shape)
    mask, weights = rng.random(which.shape) < 0.7, rng.random(which.shape)
    part = mask & (opacity > 0)
    expected = textbook(LABS[which][part], LABS[2:7], weights[part])
    answer = cluster_image(
        np.dstack([image, opacity]),
        5,
        mask=mask,
        weights=weights,
        color_space="lab",
        init=LEVELS[2:7],
    )
    assert np.array_equal(answer.labels[part], expected.labels)
    assert (answer.labels[~part] == -1).all()
    assert answer.inertia == pytest.approx(expected.inertia, rel=1e-6)
    assert answer.n_iter == len(expected.steps)
    assert np.array_equal(answer.image[..., 3], opacity)
    assert np.array_equal(answer.image[..., :3][~part], image[~part])


def test_lab_sees_what_rgb_does_not():
    # In gray levels, the greens are nearest to each other; to the eye, the blues.
    blues, greens = [[0, 0, 255], [75, 0, 130]], [[0, 255, 0], [34, 139, 34]]
    image = np.array([blues + greens], np.uint8)
    rgb, lab = (
        cluster_image(image, 3, color_space=space, tol=0, n_init=20, rng=0)
        for space in ("rgb", "lab")
    )
    assert len({*rgb.labels[0, 2:].tolist()}) == 1
    assert len({*lab.labels[0, :2].tolist()}) == 1
    assert lab.labels.max() == rgb.labels.max() == 2


# ---- What is compared: unlike bands and places -----------------------------------


class Hand(NamedTuple):
    """Features made by hand, and the way back to colors."""

    features: Any
    back: Any


def normalized(colors, weights):
    """Bring each channel to mean 0 and variance 1."""
    mean = np.average(colors, axis=0, weights=weights)
    variance = np.average((colors - mean) ** 2, axis=0, weights=weights)
    deviation = np.sqrt(np.where(variance > 0, variance, 1))
    return Hand((colors - mean) / deviation, lambda c: c * deviation + mean)


def as_they_are(colors, _weights):
    return Hand(colors, lambda c: c)


def with_places(colors, places, position_weight, side, weights):
    """Append the places; return also how much a row or column counts."""
    widest = np.ptp(colors[weights > 0], axis=0).max()
    unit = position_weight * (widest or 1) / side
    return np.append(colors, places * unit, axis=1), unit


FEATURES = [
    # form, dtype, few, mask and alpha and weights, normalize, position_weight
    ("12 bands", "uint16", False, True, True, 0),
    ("rgb", "uint8", False, False, True, 0),
    ("rgba", "uint8", False, True, True, 0),
    ("gray", "float32", False, False, True, 0),
    ("volume", "int16", True, True, True, 0),
    ("5 bands", "float64", False, True, True, 0),
    ("2 bands", "bool", True, False, True, 0),
    ("gray", "uint8", False, False, False, 1.0),
    ("rgb", "uint8", False, True, False, 0.3),
    ("rgba first", "float32", False, True, False, 2.0),
    ("volume", "uint16", False, False, False, 1.0),
    ("rgb volume", "uint8", True, True, False, 0.5),
    ("one row", "float16", False, False, False, 1.0),
    ("12 bands", "int32", False, True, True, 1.0),
    ("rgb", "uint8", True, False, True, 0.1),
    ("film, rgb between", "float64", False, True, True, 0.7),
    ("gray+alpha", "bool", True, True, True, 1e-3),
    ("gray", "int64", False, False, True, 50.0),
]


@pytest.mark.parametrize(
    ("form", "dtype", "few", "mask", "normalize", "position_weight"), FEATURES
)
def test_features_are_those_made_by_hand(
    form, dtype, few, mask, normalize, position_weight, tmp_path
):
    kind = Kind(dtype, form, few=few, mask=mask, weights="fractions" if mask else None)
    kind = kind._replace(k=2 if dtype == "bool" else 5)
    case = made(kind, 4 * len(form), tmp_path)
    has_alpha, options = FORMS[form][3], dict(case.options)
    colors = case.last[..., :-1] if has_alpha else case.last
    points = colors[case.part].astype(np.float64)
    weights = np.ones(len(points))
    if mask:
        weights = options["weights"][case.part]
    make = normalized if normalize else as_they_are
    features, back = make(points, weights)
    unit, places = 0, np.argwhere(case.part)
    if position_weight:
        side = max(case.part.shape)
        features, unit = with_places(features, places, position_weight, side, weights)
    rng = np.random.default_rng(9)
    chosen = rng.choice(np.flatnonzero(weights), 5 * kind.k, replace=False)
    _, first = np.unique(points[chosen], axis=0, return_index=True)
    chosen = chosen[first[: kind.k]]
    expected = textbook(features, features[chosen], weights, tol=1e-3)
    seen = []
    options["init"] = points[chosen]
    if position_weight:
        options["init"] = np.append(points[chosen], places[chosen], axis=1)
    answer = cluster_image(
        case.image,
        kind.k,
        **{**options, "tol": 1e-3},
        normalize=normalize,
        position_weight=position_weight,
        callback=seen.append,
    )
    assert answer.n_iter == len(expected.steps) == len(seen)
    assert answer.stopped_by == expected.steps[-1].stopped_by
    assert np.array_equal(answer.labels[case.part], expected.labels)
    assert (answer.labels[~case.part] == -1).all()
    assert answer.inertia == pytest.approx(expected.inertia, rel=1e-8)
    np.testing.assert_allclose(answer.counts, expected.counts, rtol=1e-12)
    # In the image's own unit, with places in pixels.
    channels = points.shape[1]
    centroids = back(expected.centroids[:, :channels])
    scale = 1e-9 * np.ptp(points)
    np.testing.assert_allclose(answer.centroids[:, :channels], centroids, atol=scale)
    assert answer.centroids.shape[1] == channels + (places.shape[1] if unit else 0)
    if position_weight:
        found = expected.centroids[:, channels:] / unit
        np.testing.assert_allclose(answer.centroids[:, channels:], found, atol=1e-6)
    palette = answer.centroids[:, :channels]
    if np.dtype(dtype).kind != "f":
        palette = np.rint(palette)
    assert np.array_equal(answer.palette.reshape(palette.shape), palette.astype(dtype))


@pytest.mark.parametrize("normalize", [False, True])
def test_lab_with_places_and_normalized(normalize, rng):
    image, which, _ = in_lab_colors("uint8", rng, (30, 40))
    lab = LABS[which].reshape(-1, 3)
    weights = np.ones(len(lab))
    features, _ = (normalized if normalize else as_they_are)(lab, weights)
    places = np.argwhere(np.ones(which.shape))
    features, _ = with_places(features, places, 0.8, 40, weights)
    chosen = [7, 500, 801, 1100]
    expected = textbook(features, features[chosen])
    answer = cluster_image(
        image,
        4,
        color_space="lab",
        normalize=normalize,
        position_weight=0.8,
        init=np.append(image.reshape(-1, 3)[chosen], places[chosen], axis=1),
    )
    assert answer.n_iter == len(expected.steps)
    assert np.array_equal(answer.labels.ravel(), expected.labels)
    assert answer.inertia == pytest.approx(expected.inertia, rel=1e-6)
    assert answer.palette.shape == (4, 3)
    assert answer.centroids.shape == (4, 5)


def test_lab_normalized_is_that_of_lab(rng):
    image, which, _ = in_lab_colors("uint8", rng)
    features, _ = normalized(LABS[which].reshape(-1, 3), np.ones(which.size))
    chosen = [3, 1700, 2500]
    expected = textbook(features, features[chosen])
    answer = cluster_image(
        image,
        3,
        color_space="lab",
        normalize=True,
        init=image.reshape(-1, 3)[chosen],
    )
    assert np.array_equal(answer.labels.ravel(), expected.labels)
    assert answer.inertia == pytest.approx(expected.inertia, rel=1e-6)


@pytest.mark.parametrize(("position_weight", "mixed"), [(1, 40), (20, 0)])
def test_a_place_counts_as_much_as_the_widest_range(position_weight, mixed, rng):
    # Gray levels of 0 and 100 at random in 10 x 40 pixels. With 1, the way from the
    # first column to the last counts as much as that from 0 to 100, which all pixels
    # have to go: two clusters are two levels. With 20, they are two halves.
    image = rng.choice(np.array([0, 100], np.uint8), (10, 40))
    start = [[0, 5, 10], [100, 5, 30]]
    answer = cluster_image(image, 2, position_weight=position_weight, init=start)
    assert np.count_nonzero(np.ptp(answer.labels, axis=0)) == mixed
    if mixed:
        assert np.array_equal(answer.image, image)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [30, 50])
def test_a_channel_that_is_the_same_everywhere_says_nothing(rows, weighted, rng):
    image = rng.random((rows, 20, 3))
    image[..., 1] = 0.1
    weights = rng.random((rows, 20)) if weighted else None
    start, how = image[:4, 0], {"normalize": True, "weights": weights}
    with_it = cluster_image(image, 4, init=start, **how)
    two = {"alpha": False, "init": start[:, [0, 2]]}
    without = cluster_image(image[..., [0, 2]], 4, **two, **how)
    assert np.array_equal(with_it.labels, without.labels)
    assert with_it.inertia == pytest.approx(without.inertia)
    np.testing.assert_allclose(with_it.image[..., 1], 0.1, rtol=1e-15)
    # Nor does it where it is another: in the next image of a film, say.
    image[..., 1] = 0.2
    assert np.array_equal(with_it.apply(image).labels, with_it.labels)


def test_a_table_of_few_colors_may_repeat_without_a_warning(rng):
    # As many clusters as colors: nothing to warn of, and no color changes.
    image, _, _ = in_lab_colors("uint8", rng)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = cluster_image(image, len(LAB), color_space="lab", init=LEVELS)
    assert np.array_equal(answer.image, image)
    assert answer.inertia == pytest.approx(0, abs=1e-9)
