"""Every source refuses what is no good, in the words that an array is refused in."""

import dask
import dask.array as da
import numpy as np
import pytest
from sources import POINT_SOURCES, Slices, few_as_many, mapped
from tables import crossed
from test_one_road import BANDS, FLOATS, MASK, OUTSIDE, PICTURE, SOURCES

from kmeans_np import cluster_image, inertia_curve, kmeans, segment_image


@pytest.fixture(autouse=True)
def small():
    with few_as_many(), dask.config.set(scheduler="synchronous"):
        yield


HIDDEN = np.dstack([PICTURE, np.zeros_like(PICTURE[..., 0])])
ZEROS = np.zeros((4, 4), np.uint8)
BAD = {
    "k": (ZEROS, {"k": 17}, "k must be at most the number of pixels, 16"),
    "no k": (ZEROS, {"k": 0}, "k must be a whole number of at least 1"),
    "tol": (ZEROS, {"tol": -1}, "tol must be"),
    "callback": (ZEROS, {"callback": 3}, "callback must be a function of one Step"),
    "no byte seen in a mask": (
        HIDDEN,
        {"mask": MASK},
        "mask must include at least one pixel that is not fully transparent",
    ),
    "axes": (ZEROS[0], {}, "image must have 2 axes"),
    "no rows": (ZEROS[:0], {}, "image must hold at least one row"),
    "complex": (ZEROS.astype(complex), {}, "image must hold real numbers"),
    "mask of floats": (ZEROS, {"mask": np.ones(4)}, "mask must hold bools"),
    "mask of a row": (ZEROS, {"mask": np.ones(4, int)}, "mask must have one value"),
    "mask of nothing": (ZEROS, {"mask": ZEROS}, "mask must include at least one"),
    "weights": (PICTURE, {"weights": PICTURE}, "weights must have one number for each"),
    "alpha of gray": (ZEROS, {"alpha": True}, "alpha must be False"),
    "nothing is seen": (HIDDEN, {}, "image must have at least one pixel that"),
    "no float is seen": (HIDDEN / 255, {"alpha": True}, "image must have at least one"),
    "no float in a mask": (
        FLOATS,
        {"mask": ~MASK & MASK},
        "mask must include at least one",
    ),
    "nothing seen in a mask": (
        HIDDEN / 255,
        {"alpha": True, "mask": MASK},
        "mask must include at least one pixel that is not fully transparent",
    ),
    "range of lab": (
        FLOATS * 2,
        {"color_space": "lab"},
        "floats from 0 to 1 for color_space='lab', got float32 from",
    ),
    "bands of lab": (
        BANDS,
        {"color_space": "lab"},
        "red, green and blue for color_space='lab', got 7 channels",
    ),
    "progress": (ZEROS, {"progress": 3}, "progress must be a function of one Prog"),
}


@pytest.mark.parametrize(("name", "source"), crossed(BAD, OUTSIDE))
def test_bad_input(name, source, tmp_path):
    image, how, message = BAD[name]
    said = []
    for each in (image, SOURCES[source](image, tmp_path)):
        options = {"k": 2} | how
        with pytest.raises((ValueError, TypeError), match=message) as error:
            cluster_image(each, options.pop("k"), **options)
        said.append((error.type, str(error.value)))
    assert said[0] == said[1]


# ---- What is no number --------------------------------------------------------------


def refused(image, **how):
    with pytest.raises(ValueError, match="image must be finite") as error:
        cluster_image(image, 4, **how)
    return str(error.value)


@pytest.mark.parametrize(
    ("how", "source"),
    crossed(["plain", "mask", "normalize"], OUTSIDE),
)
def test_the_place_of_what_is_no_number(how, source, tmp_path):
    how = {} if how == "plain" else {how: MASK if how == "mask" else True}
    image = FLOATS.copy()
    image[40, 21, 1], image[41, 2] = np.nan, np.inf
    expected = refused(image, **how)
    assert "1 NaN value and 3 infinite values" in expected
    assert "the first at row 40, column 21" in expected
    assert refused(SOURCES[source](image, tmp_path), **how) == expected


@pytest.mark.parametrize("source", OUTSIDE)
def test_an_alpha_that_is_no_number(source, tmp_path):
    image, mask = FLOATS.copy(), np.ones_like(MASK)
    image[41, 20, 2], mask[41, 20], mask[3, 3] = np.nan, False, False
    stored = SOURCES[source](image, tmp_path)
    expected = refused(image, alpha=True)
    assert "the first at row 41, column 20" in expected
    assert refused(stored, alpha=True) == expected
    cluster_image(stored, 4, alpha=True, mask=mask, rng=0, max_iter=1)


@pytest.mark.parametrize("place", [(0, 0), (22, 59), (23, 0), (49, 59)])
def test_the_place_in_a_chunk_of_dask(place):
    image, mask = FLOATS.copy(), MASK.copy()
    image[place], mask[place] = np.nan, True
    row, column = place
    lazy = da.from_array(image, chunks=23)
    assert f"the first at row {row}, column {column}" in refused(lazy, mask=mask)


LIMITS = r"image must (be finite|lie between)"


@pytest.mark.parametrize(
    ("source", "bad"), crossed(SOURCES, [np.nan, 1e200], usual=["array", "dask"])
)
def test_pixels_without_weight_are_checked(source, bad, tmp_path):
    image, weights = FLOATS.astype("f8"), np.ones(MASK.shape)
    image[40, 7, 1], weights[40, 7] = bad, 0
    stored = SOURCES[source](image, tmp_path)
    for how in ({}, {"normalize": True}, {"position_weight": 1}):
        with pytest.raises(ValueError, match=LIMITS) as e:
            cluster_image(stored, 4, weights=weights, **how)
        assert bad == 1e200 or "row 40, column 7" in str(e.value)
    # Outside of the mask nothing is.
    mask = weights > 0
    cluster_image(stored, 4, weights=weights, mask=mask, max_iter=1)


@pytest.mark.parametrize(
    ("how", "bad", "source"),
    crossed([{}, {"normalize": True}], ["1e200", "nan", "nan"], SOURCES),
)
def test_one_bad_image_among_several_is_refused(source, how, bad, tmp_path):
    image = FLOATS.astype("f8")
    image[40, 7, 1] = float(bad)
    images = [FLOATS.astype("f8"), SOURCES[source](image, tmp_path)]
    with pytest.raises(ValueError, match=LIMITS) as error:
        cluster_image(images, 3, **how)
    assert bad == "1e200" or "row 40, column 7" in str(error.value)


# ---- Weights ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "kind"),
    crossed(SOURCES, ["colors", "bands"], usual=["slices", "dask"]),
)
def test_weights_of_pixels_are_checked(kind, source, tmp_path):
    image = SOURCES[source](PICTURE if kind == "colors" else BANDS, tmp_path)
    weights, mask = np.ones(MASK.shape), np.ones(MASK.shape, bool)
    weights[40, 20] = -1
    with pytest.raises(ValueError, match=r"got -1.0 at row 40, column 20; give pix"):
        cluster_image(image, 3, weights=weights, mask=mask)
    # What is outside of the mask may be anything.
    weights[40, 20], mask[40, 20] = np.nan, False
    cluster_image(image, 3, weights=weights, mask=mask, max_iter=1)
    with pytest.raises(ValueError, match="one number for each pixel, shape"):
        cluster_image(image, 3, weights=weights[1:])
    weights[...], weights[0, :2] = 0, 1
    with pytest.raises(ValueError, match="number of pixels with a weight, 2, got 3"):
        cluster_image(image, 3, weights=weights)


POINTS = np.random.default_rng(0).normal(scale=30, size=(2000, 3))


@pytest.mark.parametrize("source", POINT_SOURCES)
def test_weights_of_points_are_checked(source, tmp_path):
    points = POINT_SOURCES[source](POINTS, tmp_path)
    tmp_path = tmp_path / "weights"
    tmp_path.mkdir()
    for value, sentence in (
        (-1.0, "weights must be 0 or between .* got -1.0 at place 1700; give points"),
        (np.nan, "weights must be finite, got 1 NaN value, the first at place 1700;"),
        (1e200, "weights must be 0 or between .* got 1e.200 at place 1700; scale"),
    ):
        weights = np.ones(len(POINTS))
        weights[1700] = value
        for over in (weights, mapped(weights, tmp_path), da.from_array(weights, 700)):
            with pytest.raises(ValueError, match=sentence):
                kmeans(points, 3, weights=over)
    zeros = mapped(np.zeros(len(POINTS)), tmp_path)
    with pytest.raises(ValueError, match="weights must not all be 0, got only zeros"):
        kmeans(points, 3, weights=zeros)
    with pytest.raises(ValueError, match="one number for each of the 2,000 points"):
        kmeans(points, 3, weights=zeros[1:])


@pytest.mark.parametrize(("weight", "source"), crossed([0, 1], POINT_SOURCES))
def test_points_that_are_no_numbers_are_found_with_weights(source, weight, tmp_path):
    points, weights = POINTS.copy(), np.ones(len(POINTS))
    weights[:100] = 0
    points[1500, 1], weights[1500] = np.nan, weight
    stored = POINT_SOURCES[source](points, tmp_path)
    with pytest.raises(ValueError, match="points must be finite") as error:
        kmeans(stored, 3, weights=weights)
    assert "row 1500, column 1" in str(error.value)


# ---- What cannot be read or written --------------------------------------------------


class Broken(Slices):
    """An image of which a part cannot be read."""

    ndim = 3

    def __getitem__(self, place):
        if place[0].start <= 30 < place[0].stop:
            raise ValueError("bad checksum")
        return super().__getitem__(place)


@pytest.mark.parametrize("image", [FLOATS, PICTURE], ids=["floats", "bytes"])
def test_a_part_that_cannot_be_read_is_named(image):
    sentence = (
        r"image must be readable everywhere, got ValueError: bad checksum, at "
        r"\[{}, 0:60, 0:3\]; mend that"
    )
    with pytest.raises(OSError, match=sentence.format(r"\d+:\d+")):
        cluster_image(Broken(image), 4)
    sentence = sentence.format("20:40")
    lazy = da.from_array(Broken(image), chunks=(20, 60, 3))
    with pytest.raises(OSError, match=sentence):
        cluster_image(lazy, 4, rng=0)
    with pytest.raises(OSError, match=sentence):
        segment_image(lazy, 4, rng=0, out=np.empty_like(image))
    painted = segment_image(lazy, 4, rng=0)
    with pytest.raises(OSError, match=sentence):
        painted.compute()


@pytest.mark.parametrize("name", ["mask", "weights"])
def test_what_cannot_be_read_on_dask_is_named(name):
    def read(block, block_info=None):
        if block_info and block_info[0]["array-location"][0][0] == 40:
            raise OSError("the disk is gone")
        return block

    over = da.ones(MASK.shape, chunks=20).map_blocks(read, dtype="f8")
    over = over > 0 if name == "mask" else over
    lazy = da.from_array(FLOATS, chunks=20)
    with pytest.raises(OSError, match=f"{name} must be readable.* the disk is gone"):
        cluster_image(lazy, 3, **{name: over})
    if name == "weights":
        weights = da.ones(len(POINTS), chunks=20).map_blocks(read, dtype="f8")
        with pytest.raises(OSError, match=r"weights must be readable.*40:60"):
            kmeans(da.from_array(POINTS, chunks=900), 3, weights=weights)


def test_arrays_of_unknown_length_are_refused():
    points = da.from_array(POINTS, chunks=999)
    unknown = points[points[:, 0] > 0]
    sentence = "must have a known shape as a Dask array, .*compute_chunk_sizes.. first"
    for call in (
        lambda: kmeans(unknown, 3),
        lambda: kmeans(POINTS, 3, weights=unknown[:, 0]),
        lambda: inertia_curve(unknown, [3], kind="points"),
        lambda: cluster_image(unknown[None], 3),
        lambda: segment_image(unknown[None], 3, out=np.zeros((1, 2, 3))),
        lambda: cluster_image(PICTURE, 3, mask=unknown[:, :1] > 0),
        lambda: cluster_image(PICTURE, 3, weights=unknown[:, :1]),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()


def test_where_nothing_can_be_written_is_refused_before_the_work():
    locked = np.zeros_like(PICTURE)
    locked.flags.writeable = False
    lazy = da.from_array(PICTURE)
    for image, out in ((PICTURE, locked), (lazy, lazy), (lazy, locked)):
        with pytest.raises(ValueError, match="out must be an array that can be"):
            segment_image(image, 3, out=out)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((50, 60), np.uint8), "out must have the shape of the image, "),
        (np.zeros((50, 60, 3), float), "out must have the dtype of the image, uint8"),
        ([], "out must have the shape of the image, .* got none"),
    ],
)
def test_an_out_that_does_not_fit_is_refused(out, message):
    with pytest.raises(ValueError, match=message):
        segment_image(PICTURE, 4, out=out)
