"""Every source gives the same answer, to the last bit, whatever is asked of it."""

import pickle

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icc import DISPLAY_P3
from sample import SAMPLE
from sources import (
    ARRAYS,
    Slices,
    assert_same,
    few_as_many,
    in_zarr,
    on_dask,
)
from tables import chosen, crossed, few_examples

from kmeans_np import (
    apply_palette,
    cluster_image,
    inertia_curve,
    segment_image,
)
from kmeans_np.arrays import LazyArray


@pytest.fixture(autouse=True)
def small():
    with few_as_many(), dask.config.set(scheduler="synchronous"):
        yield


RNG = np.random.default_rng(1)
PICTURE = SAMPLE[::6, ::6][:50, :60]
FLOATS = (PICTURE / 255 + RNG.normal(scale=0.02, size=PICTURE.shape)).astype("f4")
FLOATS = FLOATS.clip(0, 1)
PLACES = np.indices(PICTURE.shape[:2]).sum(0)
MASK = PLACES % 5 > 0
# Some do not count, and none but powers of two add up without rounding.
WEIGHTS = np.where(PLACES % 4 > 0, RNG.random(MASK.shape) ** 9, 0)
WIDE = np.where(PLACES % 3 > 0, 10.0 ** RNG.integers(-30, 30, MASK.shape), 0)
REPEATS = (PLACES % 4).astype(np.uint8)
BANDS = (RNG.random((*MASK.shape, 7)) * np.arange(1, 8)).astype("f4")
LEVELS = (FLOATS * 20).astype("i8")
ROWS = np.zeros_like(MASK)
ROWS[20:24], ROWS[33:40, 10:] = True, True
# Of colors that no screen can show, Lab has some between these.
CORNERS = (RNG.integers(0, 2, PICTURE.shape) * 0.999 + FLOATS / 1000).clip(0, 1)

SOURCES = {
    **ARRAYS,
    "dask": lambda array, _: da.from_array(array, chunks=35),
    "dask, rows": on_dask,
}
OUTSIDE = [source for source in SOURCES if source != "array"]
KINDS = {
    "colors": (PICTURE, {}),
    "colors with k-means++": (PICTURE, {"init": "k-means++"}),
    "many clusters": (PICTURE, {"k": 70}),
    "given colors": (PICTURE, {"init": [[0, 0, 0], [90, 90, 90], [200, 120, 60]]}),
    "gray": (PICTURE[..., 0], {"n_init": 2, "coarse_start": False}),
    "bools": (PICTURE > 99, {"k": 2}),
    "mask": (PICTURE, {"mask": MASK}),
    "alpha": (np.dstack([PICTURE, PLACES.astype("u1")]), {}),
    "16 bits": (PICTURE.astype("u2") * 257, {}),
    "16 bits that hardly repeat": ((FLOATS * 65535).astype("u2"), {}),
    "int64": (PICTURE.astype("i8") * 10**12, {}),
    "far int64 outside of the mask": (
        LEVELS + 2**52 * ~MASK[..., None],
        {"mask": MASK},
    ),
    "wide channels": (np.dstack([PICTURE] * 3).astype("u2"), {}),
    "12 bands of bytes": (np.tile(PICTURE // 9, 4), {"k": 9}),
    "floats": (FLOATS, {}),
    "few pixels": (FLOATS[:9, :9], {}),
    "bands": (BANDS, {"k": 9}),
    "channels first": (np.moveaxis(FLOATS, -1, 0), {"channel_axis": 0}),
    "colors first": (np.moveaxis(PICTURE, -1, 0), {"channel_axis": 0}),
    "volume": (FLOATS.reshape(5, 30, 60), {"channel_axis": None}),
    "volume of bytes": (PICTURE.reshape(5, 10, 180), {"channel_axis": None}),
    "float alpha and mask": (np.dstack([FLOATS, PLACES % 7 / 6]), {"mask": MASK}),
    "mask of few rows": (FLOATS, {"mask": ROWS}),
    "places": (PICTURE, {"position_weight": 0.5}),
    "places of a mask": (FLOATS, {"position_weight": 0.5, "mask": MASK}),
    "normalized": (BANDS * np.geomspace(1e-3, 1e4, 7), {"normalize": True}),
    "normalized colors": (PICTURE, {"normalize": True}),
    "normalized places": (FLOATS, {"normalize": True, "position_weight": 2}),
    "lab": (FLOATS, {"color_space": "lab"}),
    "lab that no screen can show": (CORNERS, {"color_space": "lab"}),
    "normalized lab": (PICTURE, {"color_space": "lab", "normalize": True}),
    "far": (BANDS.astype("f8") + 1e6, {}),
    "given": (BANDS, {"init": BANDS[0, :4]}),
    "given places": (
        FLOATS,
        {"position_weight": 1, "init": RNG.random((4, 5)) * [1, 1, 1, *MASK.shape]},
    ),
    "given and normalized": (FLOATS, {"normalize": True, "init": FLOATS[0, :4]}),
    "k-means++ of few": (np.round(BANDS[..., :1] * 99), {"init": "k-means++"}),
    "weights": (PICTURE, {"weights": WEIGHTS}),
    "weights of 8 digits": (PICTURE, {"weights": WEIGHTS.astype("f4")}),
    "wide weights": (PICTURE, {"weights": WIDE}),
    "repeats": (PICTURE, {"weights": REPEATS}),
    "weights of bands": (BANDS, {"weights": WEIGHTS}),
    "repeats of bands": (BANDS, {"weights": REPEATS, "normalize": True}),
    "weights of places": (FLOATS, {"weights": WEIGHTS, "position_weight": 1}),
    "weights in a mask": (FLOATS, {"weights": WEIGHTS, "mask": MASK}),
    "alpha as weights": (
        np.dstack([PICTURE, PLACES.astype("u1")]),
        {"alpha": "weights"},
    ),
    "alpha as weights of floats": (
        np.dstack([FLOATS, PLACES % 7 / 6]),
        {"alpha": "weights", "weights": WEIGHTS, "mask": MASK},
    ),
    "alpha first, as weights": (
        np.moveaxis(np.dstack([PICTURE, PLACES.astype("u1")]), -1, 0),
        {"alpha": "weights", "channel_axis": 0},
    ),
    "oklab": (FLOATS, {"color_space": "oklab"}),
    "oklab in a profile": (
        PICTURE,
        {"color_space": "oklab", "color_profile": DISPLAY_P3},
    ),
    "the best levels": (PICTURE[..., 0], {"init": "optimal"}),
    "the best of few floats": (
        np.round(BANDS[..., 0] * 99),
        {"init": "optimal", "weights": WEIGHTS, "mask": MASK},
    ),
    "weights of alpha": (np.dstack([FLOATS, PLACES % 7 / 6]), {"weights": WEIGHTS}),
}
# Each of these is much like two others.
LIKE_OTHERS = {
    "colors with k-means++",
    "normalized colors",
    "colors first",
    "volume of bytes",
    "weights of 8 digits",
    "repeats",
    "weights of places",
    "weights of alpha",
    "given and normalized",
    "16 bits",
    "int64",
    "float alpha and mask",
    "places of a mask",
}
# Whatever is asked of all of them, the default suite asks of these.
USUAL = [
    "colors",
    "mask",
    "alpha",
    "floats",
    "bands",
    "channels first",
    "normalized places",
    "lab",
    "wide weights",
    "weights of bands",
    "weights in a mask",
]


def stored(source, kind, folder):
    """Return an image, k and options, with what lies over it, in a source."""
    image, own = KINDS[kind]
    how = {"rng": 3, "max_iter": 2} | own
    for name in {"mask", "weights"} & {*how}:
        if source.startswith("dask"):
            how[name] = da.from_array(how[name], chunks=40)
        elif source != "array":
            how[name] = in_zarr(how[name], folder / name)
    k = how.pop("k", len(how["init"]) if isinstance(how.get("init"), list) else 4)
    return SOURCES[source](image, folder), k, how


def in_memory(kind):
    return stored("array", kind, None)


@pytest.mark.parametrize(
    ("kind", "source"),
    crossed(KINDS, SOURCES, usual=[k for k in KINDS if k not in LIKE_OTHERS][::2]),
)
def test_clusters(kind, source, tmp_path):
    image, k, how = stored(source, kind, tmp_path)
    found = cluster_image(image, k, **how)
    own, _, plain = in_memory(kind)
    expected = cluster_image(own, k, **plain)
    assert_same(found, expected)
    # Of what is outside of memory, no more is computed than is asked for.
    lazy = da.Array if source.startswith("dask") else LazyArray
    lazy = np.ndarray if source == "array" else lazy
    assert isinstance(found.labels, lazy)
    for name in ("labels", "image"):
        one, other = getattr(found, name), getattr(expected, name)
        cut = tuple(slice(n // 3, None, 2) for n in other.shape)
        assert np.array_equal(np.asarray(one[cut]), other[cut])


@pytest.mark.parametrize(("kind", "source"), crossed(USUAL[:8], SOURCES))
def test_segmented_images(kind, source, tmp_path):
    image, k, how = stored(source, kind, tmp_path)
    painted = np.asarray(segment_image(image, k, **how))
    own, _, plain = in_memory(kind)
    assert painted.tobytes() == segment_image(own, k, **plain).tobytes()


@pytest.mark.parametrize(("kind", "source"), crossed(KINDS, SOURCES, usual=USUAL[:7]))
def test_curves(kind, source, tmp_path):
    if "init" in KINDS[kind][1]:
        pytest.skip("a curve begins with k-means++")
    if KINDS[kind][0] is CORNERS:
        pytest.skip("for fewer clusters than corners there are very different answers")
    image, _, how = stored(source, kind, tmp_path)
    own, _, plain = in_memory(kind)
    ks = [1, 2] if kind == "bools" else [2, 4, 5]
    curves = []
    for array, options in ((image, how), (own, plain)):
        known = {
            name: options[name] for name in {*options} - {"n_init", "coarse_start"}
        }
        known |= {"kind": "image", "max_iter": 5}
        curves.append(inertia_curve(array, ks, **known))
    found, expected = curves
    # k-means|| goes on otherwise than k-means++, about as well.
    exact = np.array_equal(found, expected)
    assert exact or np.allclose(found, expected, rtol=0.2)
    assert (np.diff(found) <= 0).all()


@pytest.mark.parametrize(("kind", "source"), crossed(KINDS, SOURCES, usual=USUAL[:7]))
def test_the_same_clusters_in_another_image(kind, source, tmp_path):
    if "weights" in KINDS[kind][1]:
        pytest.skip("weights are of one image")
    image, k, how = stored(source, kind, tmp_path)
    own, _, plain = in_memory(kind)
    mask = {"mask": how.pop("mask")} if "mask" in how else {}
    own_mask = {name: plain.pop(name) for name in mask}
    clusters = cluster_image(own[::-1], k, **plain)
    assert_same(clusters.apply(image, **mask), clusters.apply(own, **own_mask))


@pytest.mark.parametrize(
    ("kind", "source"),
    crossed(["colors", "mask", "alpha", "floats", "bands", "lab", "volume"], SOURCES),
)
def test_palettes(kind, source, tmp_path):
    image, k, how = stored(source, kind, tmp_path)
    own, _, plain = in_memory(kind)
    palette = cluster_image(own, k, **plain).palette
    how, plain = (
        {name: each[name] for name in each.keys() - {"rng", "max_iter"}}
        for each in (how, plain)
    )
    found = apply_palette(image, palette, **how)
    assert_same(found, apply_palette(own, palette, **plain))


@pytest.mark.parametrize(
    ("source", "kind"),
    crossed(SOURCES, ["colors", "floats", "bands"], usual=["slices", "dask", "zarr"]),
)
def test_what_can_be_done_with_an_answer(kind, source, tmp_path):
    image, k, how = stored(source, kind, tmp_path)
    found = cluster_image(image, k, **how)
    expected = cluster_image(KINDS[kind][0], k, **how)
    assert np.array_equal(np.asarray(found.mask_of(2)), expected.mask_of(2))
    assert repr(found) == repr(expected)
    if kind != "bands":
        assert np.array_equal(
            np.asarray(found.overlay(outline=True)), expected.overlay(outline=True)
        )
        assert found._repr_html_() == expected._repr_html_()
    other = KINDS[kind][0][::2]
    assert_same(found.apply(other), expected.apply(other))
    with pytest.raises(ValueError, match="image must have as many channels"):
        found.apply(Slices(np.zeros((5, 5, 2), other.dtype)))
    with pytest.raises(ValueError, match="image must be of the type of the image"):
        found.apply(Slices(other.astype("u2")))


@pytest.mark.slow
def test_a_large_picture_is_shown_small():
    image = np.kron(SAMPLE, np.ones((4, 4, 1), np.uint8))
    one, other = (cluster_image(each, 4, rng=0) for each in (image, Slices(image)))
    assert other._repr_html_() == one._repr_html_()


@few_examples
@given(
    dtype=st.sampled_from([*"?bBhHiIfd", ">u2"]),
    channels=st.sampled_from([(), (1,), (2,), (3,), (4,), (10,)]),
    repeat=st.booleans(),
    chunk=st.tuples(st.integers(9, 60), st.integers(9, 60)),
    masked=st.sampled_from([0, 0.3, 0.9]),
    given=st.booleans(),
    how=st.fixed_dictionaries(
        {"normalize": st.booleans(), "coarse_start": st.booleans()}
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_type_channels_mask_and_chunks(
    dtype, channels, repeat, chunk, masked, given, how, seed
):
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    low, high = -1, 1
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = np.linspace(low, high, 6 if repeat else 6000)
    values = values > 0 if dtype.kind == "b" else values.astype(dtype)
    image = rng.choice(values, (37, 41, *channels))
    mask = rng.random((37, 41)) >= masked if masked else None
    if masked and dtype.kind == "f":
        image[~mask] = np.nan
    alpha = channels == (10,) or "auto"
    k = 2 if dtype.kind == "b" else 3
    d = (channels or (1,))[0]
    d -= d in (2, 4, 10)
    if given:
        how = how | {"init": np.linspace(low, high, k * d).reshape(k, d)}
    how = how | {"alpha": alpha, "mask": mask, "rng": seed, "max_iter": 8}
    with few_as_many():
        expected = cluster_image(image, k, **how)
        source = Slices(image, (*chunk, *channels))
        assert_same(cluster_image(source, k, **how), expected)
        lazy = da.from_array(image, chunks=(*chunk, 2)[: image.ndim])
        assert_same(cluster_image(lazy, k, **how), expected)


@pytest.mark.parametrize("kind", ["colors", "floats", "mask of few rows", "places"])
def test_no_more_is_read_at_once_than_a_block(kind):
    image, how = KINDS[kind]
    source = Slices(image)
    painted = cluster_image(source, 4, rng=0, max_iter=2, **how).image
    assert np.asarray(painted).shape == image.shape
    assert source.largest <= 2**12 < image.size / 2


@pytest.mark.slow
def test_starts_of_many_colors_do_not_depend_on_the_chunks():
    image = np.concatenate([BANDS, BANDS**2], axis=-1)
    how = {"init": "k-means++", "rng": 0, "max_iter": 2}
    expected = cluster_image(Slices(image), 5, **how)
    for source in (Slices(image, (13, 40, 3)), da.from_array(image, chunks=25)):
        assert_same(cluster_image(source, 5, **how), expected)


@pytest.mark.slow
@pytest.mark.parametrize("most", [100, 2000])
def test_too_many_colors_are_not_counted_to_the_end(most, monkeypatch):
    monkeypatch.setattr("kmeans_np.colors.distinct.MOST_COLORS", most)
    # On average each color has four pixels.
    image = np.tile((FLOATS * 2**14).astype("u2"), (4, 1, 1))
    expected, told = cluster_image(image, 4, rng=0), []
    source = Slices(image, (5, 60, 3))
    assert_same(cluster_image(source, 4, rng=0, progress=told.append), expected)
    assert_same(cluster_image(da.from_array(image, chunks=40), 4, rng=0), expected)
    counted = [one.done for one in told if one.task == "count"]
    assert most < max(counted) < told[0].total


@pytest.mark.parametrize("space", chosen(["rgb", "lab"], "rgb"))
@pytest.mark.parametrize("source", chosen(OUTSIDE, "slices", "dask"))
def test_fewer_colors_than_clusters_come_back_to_the_last_bit(source, space, tmp_path):
    image = np.round(FLOATS.clip(0.1) * 2) * np.array([0.1, 0.3, 0.5])
    image = SOURCES[source](image, tmp_path), image
    n = len(np.unique(image[1].reshape(-1, 3), axis=0))
    with pytest.warns(UserWarning, match=f"only {n} distinct") as warned:
        answer = cluster_image(image[0], 90, rng=0, color_space=space)
    assert {one.filename for one in warned} == {__file__}
    assert len(answer.palette) == n
    assert np.asarray(answer.image).tobytes() == image[1].tobytes()
    with pytest.warns(UserWarning, match=f"only {n} distinct"):
        painted = np.asarray(segment_image(image[0], 90, rng=0, color_space=space))
    assert painted.tobytes() == image[1].tobytes()


# ---- What lies over pixels, and what it leaves out ---------------------------------

FEW = RNG.integers(0, 60, PICTURE.shape).astype("u1") // 8 * 8
SEEN = PLACES % 16 > 0
SMALL = (REPEATS + 1) * 1e-20 * (np.arange(len(PLACES)) > 27)[:, np.newaxis]
OVER = {
    "huge weights outside of the mask": (
        {"weights": np.where(MASK, REPEATS + 1.0, 3e38), "mask": MASK},
        {"weights": REPEATS + 1.0, "mask": MASK},
    ),
    "huge weights where nothing is seen": (
        {"weights": np.where(SEEN, REPEATS + 1.0, 3e38)},
        {"weights": REPEATS + 1.0},
    ),
    "small weights, none in some chunks": ({"weights": SMALL}, {"weights": SMALL}),
    "a mask of any whole numbers": (
        {"mask": (PLACES % 3 - 1).astype("i1")},
        {"mask": PLACES % 3 != 1},
    ),
    "a mask of negative numbers": ({"mask": -MASK.astype("i2")}, {"mask": MASK}),
}


@pytest.mark.parametrize(
    ("over", "source", "floats"), crossed(OVER, SOURCES, [False, True])
)
def test_what_lies_over_pixels(over, source, floats, tmp_path):
    image = FEW / 255 if floats else FEW
    if "seen" in over:
        image = np.dstack([image, SEEN.astype(image.dtype)])
    given, plain = OVER[over]
    how = {"rng": 0, "max_iter": 5}
    found = cluster_image(SOURCES[source](image, tmp_path), 4, **how, **given)
    assert_same(found, cluster_image(image, 4, **how, **plain))


# ---- Where the answer goes, and what is told on the way ----------------------------


@pytest.mark.parametrize(("kind", "source"), crossed(["colors", "floats"], SOURCES))
def test_the_answer_is_written_where_it_is_asked_for(source, kind, tmp_path):
    image, k, how = stored(source, kind, tmp_path)
    own = KINDS[kind][0]
    expected = segment_image(own, k, **how)
    out = np.lib.format.open_memmap(tmp_path / "o.npy", "w+", own.dtype, own.shape)
    assert segment_image(image, k, out=out, **how) is out
    assert np.array_equal(np.load(tmp_path / "o.npy"), expected)


def test_the_answer_may_take_the_place_of_the_image(tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "i.npy", "w+", np.uint8, PICTURE.shape)
    out[:] = PICTURE
    segment_image(out, 4, rng=0, out=out)
    assert np.array_equal(out, segment_image(PICTURE, 4, rng=0))


@pytest.mark.parametrize(("kind", "source"), crossed(["colors", "floats"], OUTSIDE))
def test_progress_is_told_of_every_pass(source, kind, tmp_path):
    image, k, how = stored(source, kind, tmp_path)
    told = []
    out = np.empty_like(KINDS[kind][0])
    segment_image(image, k, out=out, progress=told.append, **how)
    tasks = [*dict.fromkeys(one.task for one in told)]
    assert tasks == ["count" if kind == "colors" else "look", "paint"]
    for each in tasks:
        last = [one for one in told if one.task == each][-1]
        assert last.done == last.total == PLACES.size
    assert all(one.seconds_left >= 0 for one in told)


@pytest.mark.parametrize("source", chosen(SOURCES, "dask"))
def test_labels_of_steps_may_be_read_after_the_end(source, tmp_path):
    image, k, how = stored(source, "weights of bands", tmp_path)
    answers = []
    for picture, options in ((image, how), (BANDS, in_memory("weights of bands")[2])):
        steps = []
        options |= {"max_iter": 2, "callback": steps.append}
        cluster_image(picture, k, **options)
        answers.append([np.array(step.labels, "i4") for step in steps])
    assert len(answers[0]) == 2
    assert np.array_equal(*answers)


@pytest.mark.parametrize(("kind", "source"), crossed(["colors", "bands"], SOURCES))
def test_an_answer_that_was_followed_goes_to_another_process(kind, source, tmp_path):
    if source in ("slices", "hdf5"):
        pytest.skip("the image itself does not")
    image, k, how = stored(source, kind, tmp_path)
    how |= {"max_iter": 2, "progress": lambda _: None, "weights": WEIGHTS}
    answer = cluster_image(image, k, **how)
    sent = pickle.dumps(answer)
    assert_same(pickle.loads(sent), answer)
    # Neither pixels, colors nor weights go with it twice, or at all.
    assert len(sent) < 2.4 * KINDS[kind][0].nbytes + 20_000
