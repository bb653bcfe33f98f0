"""Every source gives the same answer, to the last bit, whatever is asked of it."""

import pickle

import dask.array as da
import numpy as np
import pytest
from tables import crossed
from test_sources import ARRAYS, POINT_SOURCES, POINTS, in_chunks, in_zarr, mapped

from kmeans_np import (
    apply_palette,
    cluster_image,
    inertia_curve,
    kmeans,
    sample_image,
    segment_image,
)

RNG = np.random.default_rng(1)
PICTURE = sample_image()[:150, :200]
FLOATS = (PICTURE / 255 + RNG.normal(scale=0.02, size=PICTURE.shape)).astype("f4")
FLOATS = FLOATS.clip(0, 1)
PLACES = np.indices(PICTURE.shape[:2]).sum(0)
MASK = PLACES % 5 > 0
# Some do not count, and none but powers of two add up without rounding.
WEIGHTS = np.where(PLACES % 4 > 0, RNG.random(MASK.shape) ** 9, 0)
WIDE = np.where(PLACES % 3 > 0, 10.0 ** RNG.integers(-30, 30, MASK.shape), 0)
REPEATS = (PLACES % 4).astype(np.uint8)
BANDS = (RNG.random((150, 200, 7)) * np.arange(1, 8)).astype("f4")

SOURCES = {
    **ARRAYS,
    "dask": lambda array, _: da.from_array(array, chunks=70),
    "dask, rows": lambda array, _: in_chunks(
        array, [0, 0, len(array) // 3, len(array)]
    ),
}
KINDS = {
    "colors": (PICTURE, {}),
    "gray": (PICTURE[..., 0], {"n_init": 2, "coarse_start": False}),
    "mask": (PICTURE, {"mask": MASK}),
    "alpha": (np.dstack([PICTURE, PLACES.astype("u1")]), {}),
    "16 bits": (PICTURE.astype("u2") * 257, {}),
    "int64": (PICTURE.astype("i8") * 10**12, {}),
    "wide channels": (np.dstack([PICTURE] * 3).astype("u2"), {}),
    "floats": (FLOATS, {}),
    "bands": (BANDS, {}),
    "channels first": (np.moveaxis(FLOATS, -1, 0), {"channel_axis": 0}),
    "volume": (FLOATS.reshape(5, 30, 600), {"channel_axis": None}),
    "float alpha and mask": (np.dstack([FLOATS, PLACES % 7 / 6]), {"mask": MASK}),
    "places": (PICTURE, {"position_weight": 0.5}),
    "places of a mask": (FLOATS, {"position_weight": 0.5, "mask": MASK}),
    "normalized": (BANDS, {"normalize": True}),
    "normalized places": (FLOATS, {"normalize": True, "position_weight": 2}),
    "lab": (FLOATS, {"color_space": "lab"}),
    "normalized lab": (PICTURE, {"color_space": "lab", "normalize": True}),
    "far": (BANDS.astype("f8") + 1e6, {}),
    "given": (BANDS, {"init": BANDS[0, :4]}),
    "k-means++ of few": (np.round(BANDS[..., :1] * 99), {"init": "k-means++"}),
    "weights": (PICTURE, {"weights": WEIGHTS}),
    "weights of 8 digits": (PICTURE, {"weights": WEIGHTS.astype("f4")}),
    "wide weights": (PICTURE, {"weights": WIDE}),
    "repeats": (PICTURE, {"weights": REPEATS}),
    "weights of bands": (BANDS, {"weights": WEIGHTS}),
    "repeats of bands": (BANDS, {"weights": REPEATS, "normalize": True}),
    "weights of places": (FLOATS, {"weights": WEIGHTS, "position_weight": 1}),
    "weights in a mask": (FLOATS, {"weights": WEIGHTS, "mask": MASK}),
    "weights of alpha": (np.dstack([FLOATS, PLACES % 7 / 6]), {"weights": WEIGHTS}),
}


def stored(source, kind, folder):
    """Return an image and its options, with what lies over it, in a source."""
    image, how = KINDS[kind]
    over = {name: how[name] for name in ("mask", "weights") if name in how}
    if source.startswith("dask"):
        over = {name: da.from_array(one, chunks=60) for name, one in over.items()}
    elif source != "array":
        over = {name: in_zarr(one, folder / name) for name, one in over.items()}
    return SOURCES[source](image, folder), how | over


def assert_same(found, expected):
    for name in ("palette", "centroids", "counts", "shares", "labels", "image"):
        one, other = (np.asarray(getattr(each, name)) for each in (found, expected))
        assert (one.dtype, one.shape) == (other.dtype, other.shape), name
        assert one.tobytes() == other.tobytes(), name
    for name in ("inertia", "n_iter", "stopped_by"):
        assert getattr(found, name) == getattr(expected, name), name


@pytest.mark.parametrize(("kind", "source"), crossed(KINDS, SOURCES))
def test_clusters(kind, source, tmp_path):
    image, how = stored(source, kind, tmp_path)
    how = {"rng": 3, "max_iter": 9} | how
    found = cluster_image(image, 4, **how)
    expected = cluster_image(KINDS[kind][0], 4, **how | KINDS[kind][1])
    assert_same(found, expected)
    painted = np.asarray(segment_image(image, 4, **how))
    assert painted.tobytes() == np.asarray(expected.image).tobytes()


@pytest.mark.parametrize(("kind", "source"), crossed(KINDS, SOURCES))
def test_curves(kind, source, tmp_path):
    if "init" in KINDS[kind][1]:
        pytest.skip("a curve begins with k-means++")
    image, how = stored(source, kind, tmp_path)
    known = {"n_init", "coarse_start"}
    how, own = ({n: h[n] for n in h if n not in known} for h in (how, KINDS[kind][1]))
    options = {"rng": 3, "max_iter": 5}
    found = inertia_curve(image, [2, 4, 5], kind="image", **options | how)
    expected = inertia_curve(KINDS[kind][0], [2, 4, 5], kind="image", **options | own)
    # k-means|| goes on otherwise than k-means++, about as well.
    exact = np.array_equal(found, expected)
    assert exact or np.allclose(found, expected, rtol=0.2)
    assert (np.diff(found) <= 0).all()


@pytest.mark.parametrize(("kind", "source"), crossed(KINDS, SOURCES))
def test_the_same_clusters_in_another_image(kind, source, tmp_path):
    if "weights" in KINDS[kind][1]:
        pytest.skip("weights are of one image")
    image, how = stored(source, kind, tmp_path)
    mask = {"mask": how.pop("mask")} if "mask" in how else {}
    own = {name: KINDS[kind][1][name] for name in mask}
    turned = KINDS[kind][0][::-1]
    clusters = cluster_image(turned, 4, rng=1, max_iter=5, **how)
    found = clusters.apply(image, **mask)
    assert_same(found, clusters.apply(KINDS[kind][0], **own))


@pytest.mark.parametrize(
    ("kind", "source"),
    crossed(["colors", "mask", "alpha", "floats", "bands", "lab", "volume"], SOURCES),
)
def test_palettes(kind, source, tmp_path):
    image, how = stored(source, kind, tmp_path)
    own = KINDS[kind][1]
    palette = cluster_image(KINDS[kind][0], 6, rng=0, max_iter=2, **own).palette
    found = apply_palette(image, palette, **how)
    assert_same(found, apply_palette(KINDS[kind][0], palette, **own))


# ---- Points ------------------------------------------------------------------------

# So many that those with a weight do not go into memory all the same.
MANY = np.concatenate([POINTS, POINTS[:15_000] + 1.5])
POINT_WEIGHTS = {
    "weights": RNG.random(len(MANY)) ** 5 * (np.arange(len(MANY)) % 3 > 0),
    "repeats": np.arange(len(MANY)) % 4,
    "ones": np.ones(len(MANY)),
}


@pytest.mark.parametrize("init", ["random", "k-means++"])
@pytest.mark.parametrize(("weights", "source"), crossed(POINT_WEIGHTS, POINT_SOURCES))
def test_weights_of_points(weights, source, init, tmp_path):
    own = POINT_WEIGHTS[weights]
    # k-means++ is another one outside of memory, unless there are few distinct points.
    points = MANY.round(-1) if init == "k-means++" else MANY
    how = {"rng": 0, "max_iter": 6, "init": init}
    expected = kmeans(points, 5, weights=own, **how)
    stored = POINT_SOURCES[source](points, tmp_path)
    (tmp_path / "weights").mkdir()
    lazy = da.from_array(own, chunks=3000)
    for over in (own, mapped(own, tmp_path / "weights"), lazy):
        found = kmeans(stored, 5, weights=over, **how)
        for name in ("centroids", "counts", "labels"):
            one, other = (np.asarray(getattr(x, name)) for x in (found, expected))
            assert one.tobytes() == other.tobytes(), name
        assert found.inertia == expected.inertia


@pytest.mark.parametrize("source", POINT_SOURCES)
def test_weights_outside_of_memory_are_checked(source, tmp_path):
    points = POINT_SOURCES[source](POINTS, tmp_path)
    tmp_path = tmp_path / "weights"
    tmp_path.mkdir()
    for value, sentence in (
        (-1.0, "weights must be 0 or between .* got -1.0 at place 17000; give points"),
        (np.nan, "weights must be finite, got 1 NaN value, the first at place 17000;"),
        (1e200, "weights must be 0 or between .* got 1e.200 at place 17000; scale"),
    ):
        weights = np.ones(len(POINTS))
        weights[17_000] = value
        for over in (weights, mapped(weights, tmp_path), da.from_array(weights, 7000)):
            with pytest.raises(ValueError, match=sentence):
                kmeans(points, 3, weights=over)
    zeros = mapped(np.zeros(len(POINTS)), tmp_path)
    with pytest.raises(ValueError, match="weights must not all be 0, got only zeros"):
        kmeans(points, 3, weights=zeros)
    with pytest.raises(ValueError, match="one number for each of the 20,000 points"):
        kmeans(points, 3, weights=zeros[1:])


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["colors", "bands"])
def test_weights_of_pixels_outside_of_memory_are_checked(kind, source, tmp_path):
    image = SOURCES[source](KINDS[kind][0], tmp_path)
    weights = np.ones(MASK.shape)
    weights[100, 20] = -1
    mask = np.ones(MASK.shape, bool)
    with pytest.raises(ValueError, match=r"got -1.0 at row 100, column 20; give pix"):
        cluster_image(image, 3, weights=weights, mask=mask)
    # What is outside of the mask may be anything.
    weights[100, 20], mask[100, 20] = np.nan, False
    cluster_image(image, 3, weights=weights, mask=mask, max_iter=1)
    with pytest.raises(ValueError, match="one number for each pixel, shape"):
        cluster_image(image, 3, weights=weights[1:])
    weights[...], weights[0, :2] = 0, 1
    with pytest.raises(ValueError, match="number of pixels with a weight, 2, got 3"):
        cluster_image(image, 3, weights=weights)


@pytest.mark.parametrize(("weights", "source"), crossed(POINT_WEIGHTS, POINT_SOURCES))
def test_curves_of_points(weights, source, tmp_path):
    points = POINT_SOURCES[source](MANY, tmp_path)
    if source.startswith("blocks"):
        pytest.skip("an image may be a list of lists, so a list of blocks is none")
    own = POINT_WEIGHTS[weights]
    how = {"kind": "points", "rng": 0, "max_iter": 5, "normalize": weights == "ones"}
    found = inertia_curve(points, [3, 5], weights=own, **how)
    assert np.array_equal(found, inertia_curve(MANY, [3, 5], weights=own, **how))
    with pytest.raises(ValueError, match=r"points with a weight, .* got 35,001"):
        inertia_curve(points, [2, 35_001], weights=own, **how)


# ---- What lies over pixels, and what it leaves out ---------------------------------

FEW = RNG.integers(0, 60, (150, 200, 3)).astype("u1") // 8 * 8
OVER = {
    "huge weights outside of the mask": (
        {"weights": np.where(MASK, REPEATS + 1.0, 3e38), "mask": MASK},
        {"weights": REPEATS + 1.0, "mask": MASK},
    ),
    "huge weights where nothing is seen": (
        {"weights": np.where(PLACES % 256 > 0, REPEATS + 1.0, 3e38)},
        {"weights": REPEATS + 1.0},
    ),
    "small weights, none in some chunks": (
        {"weights": (REPEATS + 1) * 1e-20 * (np.arange(150) > 80)[:, np.newaxis]},
        {"weights": (REPEATS + 1) * 1e-20 * (np.arange(150) > 80)[:, np.newaxis]},
    ),
    "a mask of any whole numbers": (
        {"mask": (PLACES % 3 - 1).astype("i1")},
        {"mask": PLACES % 3 != 1},
    ),
    "a mask of negative numbers": ({"mask": -MASK.astype("i2")}, {"mask": MASK}),
}


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize(("over", "source"), crossed(OVER, SOURCES))
def test_what_lies_over_pixels(over, source, floats, tmp_path):
    image = FEW / 255 if floats else FEW
    if "seen" in over:
        image = np.dstack([image, (PLACES % 256).astype(image.dtype)])
    given, plain = OVER[over]
    how = {"rng": 0, "max_iter": 5}
    found = cluster_image(SOURCES[source](image, tmp_path), 4, **how, **given)
    assert_same(found, cluster_image(image, 4, **how, **plain))


REFUSED = r"image must (be finite|lie between)"


@pytest.mark.parametrize("bad", [np.nan, 1e200])
@pytest.mark.parametrize("source", SOURCES)
def test_pixels_without_weight_are_checked(source, bad, tmp_path):
    image = FLOATS.astype("f8")
    image[120, 7, 1] = bad
    weights = np.ones(MASK.shape)
    weights[120, 7] = 0
    stored = SOURCES[source](image, tmp_path)
    for how in ({}, {"normalize": True}, {"position_weight": 1}):
        with pytest.raises(ValueError, match=REFUSED) as e:
            cluster_image(stored, 4, weights=weights, **how)
        assert bad == 1e200 or "row 120, column 7" in str(e.value)
    # Outside of the mask nothing is.
    mask = weights > 0
    cluster_image(stored, 4, weights=weights, mask=mask, max_iter=1)


@pytest.mark.parametrize("source", POINT_SOURCES)
@pytest.mark.parametrize("weight", [0, 1])
def test_points_that_are_no_numbers_are_found_with_weights(source, weight, tmp_path):
    points, weights = MANY.copy(), np.ones(len(MANY))
    weights[:100] = 0
    points[30_000, 1], weights[30_000] = np.nan, weight
    stored = POINT_SOURCES[source](points, tmp_path)
    with pytest.raises(ValueError, match="points must be finite") as error:
        kmeans(stored, 3, weights=weights)
    assert "row 30000, column 1" in str(error.value)


@pytest.mark.parametrize("bad", [np.nan, 1e200])
@pytest.mark.parametrize("how", [{}, {"normalize": True}])
@pytest.mark.parametrize("source", SOURCES)
def test_one_bad_image_among_several_is_refused(source, how, bad, tmp_path):
    image = FLOATS.astype("f8")
    image[120, 7, 1] = bad
    images = [FLOATS.astype("f8"), SOURCES[source](image, tmp_path)]
    with pytest.raises(ValueError, match=REFUSED) as error:
        cluster_image(images, 3, **how)
    assert bad == 1e200 or "row 120, column 7" in str(error.value)


@pytest.mark.parametrize("kind", ["colors", "bands"])
@pytest.mark.parametrize("source", SOURCES)
def test_an_answer_that_was_followed_goes_to_another_process(kind, source, tmp_path):
    if source in ("slices", "hdf5"):
        pytest.skip("the image itself does not")
    image, how = stored(source, kind, tmp_path)
    how = how | {"rng": 0, "max_iter": 2, "progress": lambda _: None}
    answer = cluster_image(image, 3, weights=WEIGHTS, **how)
    sent = pickle.dumps(answer)
    assert_same(pickle.loads(sent), answer)
    # Neither pixels, colors nor weights go with it twice, or at all.
    assert len(sent) < 2.4 * KINDS[kind][0].nbytes + 20_000


def test_arrays_of_unknown_length_are_refused():
    points = da.from_array(MANY, chunks=999)
    unknown = points[points[:, 0] > 0]
    sentence = "must have a known shape as a Dask array, .*compute_chunk_sizes.. first"
    for call in (
        lambda: kmeans(unknown, 3),
        lambda: kmeans(MANY, 3, weights=unknown[:, 0]),
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


@pytest.mark.parametrize("name", ["mask", "weights"])
def test_what_cannot_be_read_on_dask_is_named(name):
    def read(block, block_info=None):
        if block_info and block_info[0]["array-location"][0][0] == 100:
            raise OSError("the disk is gone")
        return block

    over = da.ones(MASK.shape, chunks=50).map_blocks(read, dtype="f8")
    over = over > 0 if name == "mask" else over
    lazy = da.from_array(FLOATS, chunks=50)
    with pytest.raises(OSError, match=f"{name} must be readable.* the disk is gone"):
        cluster_image(lazy, 3, **{name: over})
    if name == "weights":
        weights = da.ones(len(MANY), chunks=50).map_blocks(read, dtype="f8")
        with pytest.raises(OSError, match=r"weights must be readable.*100:150"):
            kmeans(da.from_array(MANY, chunks=9000), 3, weights=weights)


@pytest.mark.parametrize("source", SOURCES)
def test_labels_of_steps_may_be_read_after_the_end(source, tmp_path):
    image, how = stored(source, "weights of bands", tmp_path)
    answers = []
    for picture, options in ((image, how), KINDS["weights of bands"]):
        steps = []
        cluster_image(picture, 3, rng=0, max_iter=2, callback=steps.append, **options)
        answers.append([np.array(step.labels, "i4") for step in steps])
    assert len(answers[0]) == 2
    assert np.array_equal(*answers)
