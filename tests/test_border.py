"""Bad input by table: each row what comes, the error, and its whole sentence."""

import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
import refusals

from kmeans_np import cluster_image, kmeans, segment_image

NAN, INF = np.nan, np.inf
POINTS = np.arange(12.0).reshape(6, 2)
IMAGE = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
LONG = np.dtype(np.longdouble)

ARRAYS = {"kmeans": "points", "segment_image": "image", "cluster_image": "image"}
FUNCTIONS = {
    "kmeans": kmeans,
    "segment_image": segment_image,
    "cluster_image": cluster_image,
}
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS)
IMAGE_FUNCTIONS = pytest.mark.parametrize("function", [segment_image, cluster_image])


def refused(error, sentence, function, *args, **kwargs):
    """Check that a call is refused at the border, in exactly these words."""
    caught = refusals.refused(error, sentence, function, *args, **kwargs)
    last = traceback.extract_tb(caught.__traceback__)[-1]
    assert Path(last.filename).parent.name == "checks", "not refused at the border"
    shown = caught.__cause__ or (
        None if caught.__suppress_context__ else caught.__context__
    )
    assert shown is None, "another error is shown above this one"


def table(*rows):
    """Make a test of each row, named by its first entry."""
    return [pytest.param(*row, id=name) for name, *row in rows]


def put(array, **values):
    """Return a copy with values at places: put(a, _1_0=NAN) sets a[1, 0]."""
    array = array.copy()
    for place, value in values.items():
        array[tuple(int(number) for number in place[1:].split("_"))] = value
    return array


# ---- What is clustered: the same rules for points and images ---------------------

NOT_NUMBERS = table(
    (
        "the name of a file",
        "photo.jpg",
        "NAME must hold real numbers of at most 64 bits, got 'photo.jpg' (str); pass "
        "an array of numbers, such as read_image returns",
    ),
    (
        "the content of a file",
        b"GIF",
        "NAME must hold real numbers of at most 64 bits, got b'GIF' (bytes); pass an "
        "array of numbers, such as read_image returns",
    ),
    (
        "None",
        None,
        "NAME must hold real numbers of at most 64 bits, got None (NoneType); pass "
        "an array of numbers, such as read_image returns",
    ),
    (
        "a dict",
        {"a": 1},
        "NAME must hold real numbers of at most 64 bits, got {'a': 1} (dict); pass "
        "an array of numbers, such as read_image returns",
    ),
    (
        "a set",
        {7},
        "NAME must hold real numbers of at most 64 bits, got {7} (set); pass an "
        "array of numbers, such as read_image returns",
    ),
    (
        "a masked array",
        np.ma.masked_equal([[1.0, 2.0], [3.0, 4.0]], 2),
        "NAME must be a plain array, got a masked array, whose mask would be lost; "
        "REMEDY",
    ),
    (
        "a masked array without a mask",
        np.ma.ones((2, 2)),
        "NAME must be a plain array, got a masked array, whose mask would be lost; "
        "REMEDY",
    ),
    (
        "complex",
        np.ones((2, 2), complex),
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "complex128; take its real part or its magnitude",
    ),
    (
        "complex of 64 bits",
        np.ones((2, 2), np.complex64),
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "complex64; take its real part or its magnitude",
    ),
    (
        "complex in a list",
        [[1, 2j]],
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "complex128; take its real part or its magnitude",
    ),
    (
        "objects",
        np.ones((2, 2), object),
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "object; pass an array of numbers, such as read_image returns",
    ),
    (
        "None in a list",
        [[1, None]],
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "object; pass an array of numbers, such as read_image returns",
    ),
    (
        "whole numbers beyond 64 bits",
        [[10**30, 1]],
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "object; pass an array of numbers, such as read_image returns",
    ),
    (
        "strings",
        [["1", "2"]],
        "NAME must hold real numbers of at most 64 bits, got an array of type <U1; "
        "pass an array of numbers, such as read_image returns",
    ),
    (
        "bytes in an array",
        np.array([[b"1", b"2"]]),
        "NAME must hold real numbers of at most 64 bits, got an array of type |S1; "
        "pass an array of numbers, such as read_image returns",
    ),
    (
        "dates",
        np.zeros((2, 2), "datetime64[s]"),
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "datetime64[s]; pass an array of numbers, such as read_image returns",
    ),
    (
        "durations",
        np.zeros((2, 2), "timedelta64[D]"),
        "NAME must hold real numbers of at most 64 bits, got an array of type "
        "timedelta64[D]; pass an array of numbers, such as read_image returns",
    ),
    (
        "records",
        np.zeros((2, 2), [("a", "i1")]),
        "NAME must hold real numbers of at most 64 bits, got an array of type [('a', "
        "'i1')]; pass an array of numbers, such as read_image returns",
    ),
)


@EVERY_FUNCTION
@pytest.mark.parametrize(("value", "sentence"), NOT_NUMBERS)
def test_what_does_not_hold_real_numbers_is_refused(function, value, sentence):
    remedy = "fill it or leave the masked values out"
    if ARRAYS[function] == "image":
        remedy = "pass image.data, and a mask that is False where it is masked"
    sentence = sentence.replace("NAME", ARRAYS[function]).replace("REMEDY", remedy)
    refused(TypeError, sentence, FUNCTIONS[function], value, 1)


@EVERY_FUNCTION
@pytest.mark.skipif(LONG.itemsize == 8, reason="long double is float64 here")
def test_long_doubles_are_not_cut_down(function):
    refused(
        TypeError,
        f"{ARRAYS[function]} must hold real numbers of at most 64 bits, got an array "
        f"of type {LONG}; convert it to float64, if you can spare the digits",
        FUNCTIONS[function],
        np.ones((2, 2), LONG),
        1,
    )


@EVERY_FUNCTION
def test_lists_of_different_lengths_are_refused(function):
    refused(
        ValueError,
        f"{ARRAYS[function]} must be a rectangular array, got nested sequences of "
        "different lengths; make them equally long",
        FUNCTIONS[function],
        [[1, 2], [3]],
        1,
    )


TOO_LARGE = table(
    (
        "1e200",
        np.array([[0.0, 1e200]]),
        "NAME must lie between -1e+100 and 1e+100, so that sums of squares stay "
        "finite, got a value of size 1e+200; scale it down",
    ),
    (
        "-1e200",
        np.array([[-1e200, 0.0]]),
        "NAME must lie between -1e+100 and 1e+100, so that sums of squares stay "
        "finite, got a value of size 1e+200; scale it down",
    ),
    (
        "2**53 + 1",
        np.array([[2**53 + 1, 0]], np.int64),
        "NAME must lie between -9,007,199,254,740,992 and 9,007,199,254,740,992, so "
        "that float64 holds it exactly, got a value of size 9,007,199,254,740,993; "
        "scale it down",
    ),
    (
        "the smallest int64, which has no positive counterpart",
        np.array([[-(2**63), 0]], np.int64),
        "NAME must lie between -9,007,199,254,740,992 and 9,007,199,254,740,992, so "
        "that float64 holds it exactly, got a value of size "
        "9,223,372,036,854,775,808; scale it down",
    ),
    (
        "the largest uint64",
        np.array([[2**64 - 1, 0]], np.uint64),
        "NAME must lie between -9,007,199,254,740,992 and 9,007,199,254,740,992, so "
        "that float64 holds it exactly, got a value of size "
        "18,446,744,073,709,551,615; scale it down",
    ),
)


@EVERY_FUNCTION
@pytest.mark.parametrize(("value", "sentence"), TOO_LARGE)
def test_numbers_that_float64_cannot_serve_are_refused(function, value, sentence):
    if ARRAYS[function] == "image":
        sentence += ", or leave out with a mask what stands for no data"
    sentence = sentence.replace("NAME", ARRAYS[function])
    refused(ValueError, sentence, FUNCTIONS[function], value, 1)


@EVERY_FUNCTION
@pytest.mark.parametrize(
    "value", [[[2**53, -(2**53)]], [[1e100, -1e100]]], ids=["2**53", "1e100"]
)
def test_numbers_at_the_limits_are_taken(function, value):
    value = np.array(value, np.int64 if isinstance(value[0][0], int) else np.float64)
    FUNCTIONS[function](value, 1)


# ---- Points ----------------------------------------------------------------------

HOLES = put(POINTS, _4_1=NAN)
POINT_SHAPES = table(
    (
        "a number",
        3.5,
        "points must have 2 axes, (n, d), got shape (); pass one row for each point "
        "and one column for each feature",
    ),
    (
        "one axis",
        [1, 2, 3],
        "points must have 2 axes, (n, d), got shape (3,); if each number is a point, "
        "pass np.reshape(points, (-1, 1))",
    ),
    (
        "an empty list",
        [],
        "points must have 2 axes, (n, d), got shape (0,); if each number is a point, "
        "pass np.reshape(points, (-1, 1))",
    ),
    (
        "an image",
        IMAGE,
        "points must have 2 axes, (n, d), got shape (4, 5, 3); pass one row for each "
        "point and one column for each feature",
    ),
    (
        "four axes",
        np.ones((1, 2, 3, 4)),
        "points must have 2 axes, (n, d), got shape (1, 2, 3, 4); pass one row for "
        "each point and one column for each feature",
    ),
    (
        "no points",
        np.ones((0, 3)),
        "points must hold at least one point with at least one feature, got shape "
        "(0, 3); check how they were selected",
    ),
    (
        "no features",
        np.ones((3, 0)),
        "points must hold at least one point with at least one feature, got shape "
        "(3, 0); check how they were selected",
    ),
    (
        "NaN",
        HOLES,
        "points must be finite, got 1 NaN value, the first at row 4, column 1; leave "
        "those rows out, as in points[np.isfinite(points).all(axis=1)]",
    ),
    (
        "infinity",
        put(POINTS, _2_1=-INF, _3_0=INF).astype(np.float32),
        "points must be finite, got 2 infinite values, the first at row 2, column 1; "
        "leave those rows out, as in points[np.isfinite(points).all(axis=1)]",
    ),
    (
        "NaN and infinity",
        put(HOLES, _4_0=INF, _5_1=NAN),
        "points must be finite, got 2 NaN values and 1 infinite value, the first at "
        "row 4, column 0; leave those rows out, as in "
        "points[np.isfinite(points).all(axis=1)]",
    ),
    (
        "only NaN",
        np.full((2000, 2), NAN),
        "points must be finite, got 4,000 NaN values, the first at row 0, column 0; "
        "leave those rows out, as in points[np.isfinite(points).all(axis=1)]",
    ),
)


@pytest.mark.parametrize(("points", "sentence"), POINT_SHAPES)
def test_points_of_a_wrong_shape_or_not_finite_are_refused(points, sentence):
    refused(ValueError, sentence, kmeans, points, 1)


def test_the_remedy_for_points_that_are_not_finite_works():
    points = put(HOLES, _0_0=-INF)
    assert len(kmeans(points[np.isfinite(points).all(axis=1)], 2).labels) == 4


# ---- Images ----------------------------------------------------------------------

RGB = np.arange(60.0).reshape(4, 5, 3)
GRAY = np.arange(20, dtype=np.float32).reshape(4, 5)
RGBA = np.ones((2, 3, 4))

IMAGE_SHAPES = table(
    (
        "a number",
        7,
        "image must have 2 axes, (rows, columns), 3, with channels, or 4, (planes, "
        "rows, columns) with channels, got shape (); pass one image at a "
        "time, and flat pixels to kmeans",
    ),
    (
        "one axis",
        [1, 2, 3],
        "image must have 2 axes, (rows, columns), 3, with channels, or 4, (planes, "
        "rows, columns) with channels, got shape (3,); pass one image at a "
        "time, and flat pixels to kmeans",
    ),
    (
        "several images",
        np.ones((2, 2, 4, 5, 3)),
        "image must have 2 axes, (rows, columns), 3, with channels, or 4, (planes, "
        "rows, columns) with channels, got shape (2, 2, 4, 5, 3); pass one image at a "
        "time, and flat pixels to kmeans",
    ),
    (
        "no rows",
        IMAGE[:0],
        "image must hold at least one row, one column and one channel, got shape "
        "(0, 5, 3); check how it was cropped",
    ),
    (
        "no columns",
        IMAGE[:, :0, 0],
        "image must hold at least one row, one column and one channel, got shape "
        "(4, 0); check how it was cropped",
    ),
    (
        "no channels",
        IMAGE[..., :0],
        "image must hold at least one row, one column and one channel, got shape "
        "(4, 5, 0); check how it was cropped",
    ),
    (
        "NaN in RGB",
        put(RGB, _1_2_0=NAN),
        "image must be finite, got 1 NaN value, the first at row 1, column 2; leave "
        "those pixels out with a mask, such as np.isfinite(image).all(axis=2)",
    ),
    (
        "infinity in RGB",
        put(RGB, _3_4_2=INF, _3_4_1=-INF),
        "image must be finite, got 2 infinite values, the first at row 3, column 4; "
        "leave those pixels out with a mask, such as np.isfinite(image).all(axis=2)",
    ),
    (
        "NaN in gray",
        put(GRAY, _2_3=NAN, _3_0=NAN),
        "image must be finite, got 2 NaN values, the first at row 2, column 3; leave "
        "those pixels out with a mask, such as np.isfinite(image)",
    ),
    (
        "NaN and infinity in float16",
        put(GRAY, _0_1=INF, _3_0=NAN).astype(np.float16),
        "image must be finite, got 1 NaN value and 1 infinite value, the first at row "
        "0, column 1; leave those pixels out with a mask, such as np.isfinite(image)",
    ),
    (
        "NaN in a pixel that is seen, with others transparent",
        put(RGBA, _0_0_0=NAN, _0_0_3=0, _1_2_1=NAN),
        "image must be finite, got 1 NaN value, the first at row 1, column 2; leave "
        "those pixels out with a mask, such as np.isfinite(image).all(axis=2)",
    ),
    (
        "NaN in gray with alpha",
        put(np.ones((2, 2, 2)), _1_1_0=NAN),
        "image must be finite, got 1 NaN value, the first at row 1, column 1; leave "
        "those pixels out with a mask, such as np.isfinite(image).all(axis=2)",
    ),
    (
        "fully transparent",
        np.zeros((20, 100, 4), np.uint8),
        "image must have at least one pixel that is not fully transparent, got 2,000 "
        "transparent ones; pass alpha=False, or the image without its last channel, to "
        "cluster the hidden colors",
    ),
    (
        "gray, fully transparent",
        np.zeros((2, 2, 2)),
        "image must have at least one pixel that is not fully transparent, got 4 "
        "transparent ones; pass alpha=False, or the image without its last channel, to "
        "cluster the hidden colors",
    ),
)


@IMAGE_FUNCTIONS
@pytest.mark.parametrize(("image", "sentence"), IMAGE_SHAPES)
def test_images_without_pixels_to_cluster_are_refused(function, image, sentence):
    refused(ValueError, sentence, function, image, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_remedy_for_images_that_are_not_finite_works(dtype):
    image = put(RGB, _0_0_0=NAN, _1_1_1=INF, _2_2_2=-INF).astype(dtype)
    mask = np.isfinite(image).all(axis=2)
    painted = segment_image(image, 3, mask=mask)
    assert np.isfinite(painted[mask]).all()
    assert np.array_equal(painted[~mask], image[~mask], equal_nan=True)


def test_the_remedy_for_transparent_images_works():
    image = np.dstack([IMAGE, np.zeros((4, 5), np.uint8)])
    assert segment_image(image[..., :-1], 3).shape == (4, 5, 3)
    assert segment_image(image, 3, alpha=False).shape == (4, 5, 4)


def test_the_remedy_for_masked_arrays_works():
    masked = np.ma.masked_equal(GRAY, 7)
    answer = cluster_image(masked.data, 2, mask=~masked.mask)
    assert np.array_equal(answer.labels == -1, masked.mask)


@IMAGE_FUNCTIONS
@pytest.mark.parametrize("hidden", [NAN, INF, -INF, 1e200])
def test_what_is_hidden_under_full_transparency_does_not_matter(function, hidden):
    image = put(RGBA, _0_1_3=0)
    image[0, 1, :3] = hidden
    answer = function(image, 1)
    painted = answer if function is segment_image else answer.image
    assert np.array_equal(painted, image, equal_nan=True)


# ---- k ---------------------------------------------------------------------------

WRONG_K = table(
    (
        "0",
        ValueError,
        0,
        "k must be a whole number of at least 1, got 0; pass the number of clusters to "
        "find, such as 8",
    ),
    (
        "negative",
        ValueError,
        -3,
        "k must be a whole number of at least 1, got -3; pass the number of clusters "
        "to find, such as 8",
    ),
    (
        "a negative NumPy integer",
        ValueError,
        np.int8(-128),
        "k must be a whole number of at least 1, got -128; pass the number of clusters "
        "to find, such as 8",
    ),
    (
        "a float",
        TypeError,
        2.0,
        "k must be a whole number of at least 1, got 2.0 (float); pass the number of "
        "clusters to find, such as 8",
    ),
    (
        "NaN",
        TypeError,
        NAN,
        "k must be a whole number of at least 1, got nan (float); pass the number of "
        "clusters to find, such as 8",
    ),
    (
        "a bool",
        TypeError,
        True,
        "k must be a whole number of at least 1, got True (bool); pass the number of "
        "clusters to find, such as 8",
    ),
    (
        "a NumPy bool",
        TypeError,
        np.True_,
        f"k must be a whole number of at least 1, got {np.True_!r} "
        f"({type(np.True_).__name__}); pass the number of clusters to find, such as 8",
    ),
    (
        "a string",
        TypeError,
        "2",
        "k must be a whole number of at least 1, got '2' (str); pass the number of "
        "clusters to find, such as 8",
    ),
    (
        "None",
        TypeError,
        None,
        "k must be a whole number of at least 1, got None (NoneType); pass the number "
        "of clusters to find, such as 8",
    ),
    (
        "a list",
        TypeError,
        [2],
        "k must be a whole number of at least 1, got [2] (list); pass the number of "
        "clusters to find, such as 8",
    ),
    (
        "an array of one number",
        TypeError,
        np.array([2]),
        "k must be a whole number of at least 1, got array([2]) (ndarray); pass the "
        "number of clusters to find, such as 8",
    ),
)


@EVERY_FUNCTION
@pytest.mark.parametrize(("error", "k", "sentence"), WRONG_K)
def test_k_that_counts_nothing_is_refused(function, error, k, sentence):
    data = POINTS if function == "kmeans" else IMAGE
    refused(error, sentence, FUNCTIONS[function], data, k)


def test_k_above_the_number_of_points_is_refused():
    refused(
        ValueError,
        "k must be at most the number of points, 6, got 7; ask for fewer clusters",
        kmeans,
        POINTS,
        7,
    )


def test_k_above_the_number_of_points_with_a_weight_is_refused():
    refused(
        ValueError,
        "k must be at most the number of points with a weight, 2, got 3; ask for fewer "
        "clusters",
        kmeans,
        POINTS,
        3,
        weights=[0, 1, 0, 0, 2, 0],
    )


@IMAGE_FUNCTIONS
def test_k_above_the_number_of_pixels_is_refused(function):
    refused(
        ValueError,
        "k must be at most the number of pixels, 1,200, got 1,000,000; ask for fewer "
        "clusters",
        function,
        np.zeros((30, 40, 3), np.uint8),
        10**6,
    )


@IMAGE_FUNCTIONS
def test_k_above_the_number_of_visible_pixels_is_refused(function):
    refused(
        ValueError,
        "k must be at most the number of pixels, 5, got 6; ask for fewer clusters",
        function,
        put(RGBA, _1_0_3=0),
        6,
    )


@EVERY_FUNCTION
def test_k_above_the_distinct_ones_is_a_warning_that_points_at_the_call(function):
    noun = "point" if function == "kmeans" else "color"
    data = np.ones((6, 2)) if function == "kmeans" else np.ones((2, 3, 3), np.uint8)
    with pytest.warns(UserWarning, match="asked for") as caught:
        FUNCTIONS[function](data, 4)
    assert [str(warning.message) for warning in caught] == [
        f"asked for k = 4, but there is only 1 distinct {noun}"
    ]
    assert caught[0].filename == __file__


# ---- How to run ------------------------------------------------------------------

# For k = 2 clusters of points with 3 features, or of RGB pixels.
THREE = np.arange(60.0).reshape(20, 3)

WRONG_OPTIONS = table(
    (
        "init unknown",
        ValueError,
        {"init": "kmeans++"},
        "init must be 'random', 'k-means++', 'optimal' or an array of centroids, got "
        "'kmeans++'; pass one of these",
    ),
    (
        "init empty",
        ValueError,
        {"init": ""},
        "init must be 'random', 'k-means++', 'optimal' or an array of centroids, got "
        "''; pass one of these",
    ),
    (
        "init None",
        TypeError,
        {"init": None},
        "init must hold real numbers of at most 64 bits, got None (NoneType); pass "
        "an array of numbers, such as read_image returns",
    ),
    (
        "init complex",
        TypeError,
        {"init": np.ones((2, 3), complex)},
        "init must hold real numbers of at most 64 bits, got an array of type "
        "complex128; take its real part or its magnitude",
    ),
    (
        "init masked",
        TypeError,
        {"init": np.ma.ones((2, 3))},
        "init must be a plain array, got a masked array, whose mask would be lost; "
        "fill it or leave the masked values out",
    ),
    (
        "init ragged",
        ValueError,
        {"init": [[1, 2, 3], [4]]},
        "init must be a rectangular array, got nested sequences of different lengths; "
        "make them equally long",
    ),
    (
        "init with too few centroids",
        ValueError,
        {"init": [[1, 2, 3]]},
        "init must hold one centroid for each of the 2 clusters with 3 numbers each, "
        "shape (2, 3), got shape (1, 3); pass another array, or 'random' or "
        "'k-means++'",
    ),
    (
        "init with too many numbers",
        ValueError,
        {"init": np.ones((2, 4))},
        "init must hold one centroid for each of the 2 clusters with 3 numbers each, "
        "shape (2, 3), got shape (2, 4); pass another array, or 'random' or "
        "'k-means++'",
    ),
    (
        "init with one axis",
        ValueError,
        {"init": [1, 2]},
        "init must hold one centroid for each of the 2 clusters with 3 numbers each, "
        "shape (2, 3), got shape (2,); pass another array, or 'random' or 'k-means++'",
    ),
    (
        "init with NaN",
        ValueError,
        {"init": [[1, 2, 3], [4, NAN, NAN]]},
        "init must be finite, got 2 NaN values, the first at row 1, column 1; pass "
        "finite centroids",
    ),
    (
        "init with infinity",
        ValueError,
        {"init": [[1, 2, INF], [4, 5, NAN]]},
        "init must be finite, got 1 NaN value and 1 infinite value, the first at row "
        "0, column 2; pass finite centroids",
    ),
    (
        "init too large",
        ValueError,
        {"init": [[1, 2, 3], [4, 5, 1e200]]},
        "init must lie between -1e+100 and 1e+100, so that sums of squares stay "
        "finite, got a value of size 1e+200; scale it down",
    ),
    (
        "n_init 0",
        ValueError,
        {"n_init": 0},
        "n_init must be a whole number of at least 1, got 0; pass the number of "
        "starts, or 'auto'",
    ),
    (
        "n_init negative",
        ValueError,
        {"n_init": -1},
        "n_init must be a whole number of at least 1, got -1; pass the number of "
        "starts, or 'auto'",
    ),
    (
        "n_init a float",
        TypeError,
        {"n_init": 10.0},
        "n_init must be a whole number of at least 1, got 10.0 (float); pass the "
        "number of starts, or 'auto'",
    ),
    (
        "n_init a bool",
        TypeError,
        {"n_init": True},
        "n_init must be a whole number of at least 1, got True (bool); pass the number "
        "of starts, or 'auto'",
    ),
    (
        "n_init None",
        TypeError,
        {"n_init": None},
        "n_init must be a whole number of at least 1, got None (NoneType); pass the "
        "number of starts, or 'auto'",
    ),
    (
        "n_init another word",
        ValueError,
        {"n_init": "10"},
        "n_init must be 'auto' or a whole number of at least 1, got '10'; pass the "
        "number of starts, such as 10",
    ),
    (
        "n_init several with given centroids",
        ValueError,
        {"init": [[1, 2, 3], [4, 5, 6]], "n_init": 10},
        "n_init must be 1 when all starts are the same, as given or optimal ones are, "
        "got 10; leave it out",
    ),
    (
        "max_iter 0",
        ValueError,
        {"max_iter": 0},
        "max_iter must be a whole number of at least 1, got 0; pass the largest number "
        "of steps",
    ),
    (
        "max_iter negative",
        ValueError,
        {"max_iter": -300},
        "max_iter must be a whole number of at least 1, got -300; pass the largest "
        "number of steps",
    ),
    (
        "max_iter a float",
        TypeError,
        {"max_iter": 1e3},
        "max_iter must be a whole number of at least 1, got 1000.0 (float); pass the "
        "largest number of steps",
    ),
    (
        "max_iter a bool",
        TypeError,
        {"max_iter": True},
        "max_iter must be a whole number of at least 1, got True (bool); pass the "
        "largest number of steps",
    ),
    (
        "max_iter None",
        TypeError,
        {"max_iter": None},
        "max_iter must be a whole number of at least 1, got None (NoneType); pass the "
        "largest number of steps",
    ),
    (
        "tol negative",
        ValueError,
        {"tol": -1e-4},
        "tol must be a finite number of at least 0, got -0.0001; pass a small number "
        "such as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol NaN",
        ValueError,
        {"tol": NAN},
        "tol must be a finite number of at least 0, got nan; pass a small number such "
        "as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol infinite",
        ValueError,
        {"tol": np.float32(INF)},
        "tol must be a finite number of at least 0, got inf; pass a small number such "
        "as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol beyond float64",
        ValueError,
        {"tol": 10**400},
        "tol must be a finite number of at least 0, got inf; pass a small number such "
        "as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol a bool",
        TypeError,
        {"tol": False},
        "tol must be a number of at least 0, got False (bool); pass a small number "
        "such as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol a string",
        TypeError,
        {"tol": "1e-4"},
        "tol must be a number of at least 0, got '1e-4' (str); pass a small number "
        "such as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol None",
        TypeError,
        {"tol": None},
        "tol must be a number of at least 0, got None (NoneType); pass a small number "
        "such as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "tol complex",
        TypeError,
        {"tol": 1j},
        "tol must be a number of at least 0, got 1j (complex); pass a small number "
        "such as 1e-4, or 0 to run until nothing changes",
    ),
    (
        "rng negative",
        ValueError,
        {"rng": -1},
        "rng must be None, a whole number of at least 0 or a numpy.random.Generator, "
        "got -1; pass a seed such as 0 to get the same result every time",
    ),
    (
        "rng a string",
        TypeError,
        {"rng": "0"},
        "rng must be None, a whole number of at least 0 or a numpy.random.Generator, "
        "got '0' (str); pass a seed such as 0 to get the same result every time",
    ),
    (
        "rng a float",
        TypeError,
        {"rng": 1.5},
        "rng must be None, a whole number of at least 0 or a numpy.random.Generator, "
        "got 1.5 (float); pass a seed such as 0 to get the same result every time",
    ),
    (
        "callback a word",
        TypeError,
        {"callback": "print"},
        "callback must be a function of one Step, got 'print' (str); pass a function, "
        "or None",
    ),
    (
        "callback a bool",
        TypeError,
        {"callback": False},
        "callback must be a function of one Step, got False (bool); pass a function, "
        "or None",
    ),
)


@EVERY_FUNCTION
@pytest.mark.parametrize(("error", "options", "sentence"), WRONG_OPTIONS)
def test_impossible_options_are_refused(function, error, options, sentence):
    data = THREE if function == "kmeans" else IMAGE
    refused(error, sentence, FUNCTIONS[function], data, 2, **options)


@EVERY_FUNCTION
@pytest.mark.parametrize("wrong", [{"tol": -1}, {"max_iter": 0}, {"rng": "0"}])
def test_nothing_runs_before_everything_is_judged(function, wrong):
    steps = []
    data = THREE if function == "kmeans" else IMAGE
    with pytest.raises((TypeError, ValueError)):
        FUNCTIONS[function](data, 2, callback=steps.append, **wrong)
    assert steps == []


@pytest.mark.parametrize("init", [[1, 2, 3], [[1, 2]], [[[1], [2]]]])
def test_centroids_for_a_gray_image_are_one_number_each(init):
    refused(
        ValueError,
        "init must hold one centroid for each of the 2 clusters with 1 numbers each, "
        f"shape (2, 1), got shape {np.shape(init)}; pass another array, or 'random' or "
        "'k-means++'",
        cluster_image,
        GRAY,
        2,
        init=init,
    )


# ---- Weights ---------------------------------------------------------------------

WRONG_WEIGHTS = table(
    (
        "negative",
        ValueError,
        [1, 1, 0.5, -0.5, 1, -1],
        "weights must be 0 or between 1e-100 and 1e+100, got -0.5 at place 3; give "
        "points that do not count a weight of 0",
    ),
    (
        "negative integers",
        ValueError,
        [1, -2, 1, 1, 1, 1],
        "weights must be 0 or between 1e-100 and 1e+100, got -2 at place 1; give "
        "points that do not count a weight of 0",
    ),
    (
        "too small to be squared with",
        ValueError,
        [1, 0, 1, 1, 5e-324, 1],
        "weights must be 0 or between 1e-100 and 1e+100, got 5e-324 at place 4; scale "
        "them all",
    ),
    (
        "NaN",
        ValueError,
        [1, 1, NAN, 1, 1, NAN],
        "weights must be finite, got 2 NaN values, the first at place 2; give points "
        "that do not count a weight of 0",
    ),
    (
        "infinity",
        ValueError,
        [1, 1, 1, 1, INF, NAN],
        "weights must be finite, got 1 NaN value and 1 infinite value, the first at "
        "place 4; give points that do not count a weight of 0",
    ),
    (
        "all zero",
        ValueError,
        [0] * 6,
        "weights must not all be 0, got only zeros; give at least one point a positive "
        "weight",
    ),
    (
        "too few",
        ValueError,
        [1, 2],
        "weights must have one number for each of the 6 points, shape (6,), got shape "
        "(2,); pass them in the order of the points",
    ),
    (
        "none at all",
        ValueError,
        [],
        "weights must have one number for each of the 6 points, shape (6,), got shape "
        "(0,); pass them in the order of the points",
    ),
    (
        "a column",
        ValueError,
        np.ones((6, 1)),
        "weights must have one number for each of the 6 points, shape (6,), got shape "
        "(6, 1); pass them in the order of the points",
    ),
    (
        "one number",
        ValueError,
        3,
        "weights must have one number for each of the 6 points, shape (6,), got shape "
        "(); pass them in the order of the points",
    ),
    (
        "ragged",
        ValueError,
        [1, 1, 1, 1, 1, [1, 2]],
        "weights must be a rectangular array, got nested sequences of different "
        "lengths; make them equally long",
    ),
    (
        "too large",
        ValueError,
        [1, 1, 1, 1, 1, 1e200],
        "weights must be 0 or between 1e-100 and 1e+100, got 1e+200 at place 5; scale "
        "them all",
    ),
    (
        "objects",
        TypeError,
        np.ones(6, object),
        "weights must hold real numbers of at most 64 bits, got an array of type "
        "object; pass an array of numbers, such as read_image returns",
    ),
    (
        "a dict",
        TypeError,
        {},
        "weights must hold real numbers of at most 64 bits, got {} (dict); pass an "
        "array of numbers, such as read_image returns",
    ),
    (
        "complex",
        TypeError,
        [1j] * 6,
        "weights must hold real numbers of at most 64 bits, got an array of type "
        "complex128; take its real part or its magnitude",
    ),
    (
        "masked",
        TypeError,
        np.ma.ones(6),
        "weights must be a plain array, got a masked array, whose mask would be lost; "
        "fill it or leave the masked values out",
    ),
)


@pytest.mark.parametrize(("error", "weights", "sentence"), WRONG_WEIGHTS)
def test_weights_that_are_no_repetitions_are_refused(error, weights, sentence):
    refused(error, sentence, kmeans, POINTS, 1, weights=weights)


# ---- What is unusual and right ---------------------------------------------------


class Painting:
    """Anything that NumPy can read as an array."""

    def __array__(self, dtype=None, copy=None):
        return np.array(IMAGE, dtype=dtype)


UNUSUAL = table(
    ("nested lists", IMAGE.tolist()),
    ("tuples", tuple(map(tuple, GRAY.tolist()))),
    ("something with __array__", Painting()),
    ("columns first in memory", np.asfortranarray(IMAGE)),
    ("every other pixel, mirrored", IMAGE[::-1, ::2]),
    ("one row repeated without memory", np.broadcast_to(IMAGE[0], (4, 5, 3))),
    ("the other byte order", RGB.astype(RGB.dtype.newbyteorder())),
    ("bool", IMAGE % 2 == 0),
    ("bool gray", GRAY > 7),
    ("float16", RGB.astype(np.float16)),
    ("int8", (IMAGE - 30).astype(np.int8)),
    ("uint16", IMAGE.astype(np.uint16) * 257),
    ("int64", IMAGE.astype(np.int64) - 30),
    ("uint64", IMAGE.astype(np.uint64)),
    ("one channel", IMAGE[..., :1]),
    ("seven channels", np.arange(140.0).reshape(4, 5, 7)),
    ("gray with alpha", IMAGE[..., :2] + np.uint8(1)),
    ("one row", IMAGE[:1]),
    ("one column", IMAGE[:, :1]),
)


@pytest.mark.parametrize("image", UNUSUAL)
def test_unusual_images_are_taken_and_not_touched(image):
    before = np.array(image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # too few colors, for bool
        segmented = segment_image(image, 3, rng=0)
    assert segmented.shape == before.shape
    assert segmented.dtype == before.dtype
    assert np.array_equal(before, np.asarray(image))
    assert len(np.unique(segmented.reshape(-1, segmented.shape[-1]), axis=0)) > 1


def test_read_only_arrays_are_taken():
    image, points, weights = IMAGE.copy(), POINTS.copy(), np.ones(6)
    init = POINTS[:2].copy()
    for array in (image, points, weights, init):
        array.flags.writeable = False
    assert segment_image(image, 3).flags.writeable
    assert kmeans(points, 2, weights=weights, init=init).centroids.flags.writeable


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, bool])
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 1, 4)])
def test_an_image_of_one_pixel_comes_back(shape, dtype):
    image = np.ones(shape, dtype)
    answer = cluster_image(image, 1)
    assert np.array_equal(answer.image, image)
    assert answer.image.dtype == dtype
    assert answer.counts.tolist() == [1]


@EVERY_FUNCTION
@pytest.mark.parametrize("k", [np.int8(2), np.uint64(2), np.array(2)], ids=repr)
def test_k_may_be_a_numpy_integer(function, k):
    data = POINTS if function == "kmeans" else IMAGE
    answer, plain = (FUNCTIONS[function](data, count, rng=0) for count in (k, 2))
    assert repr(answer) == repr(plain)


@pytest.mark.parametrize(
    "options",
    table(
        ("tol a whole number", {"tol": 0}),
        ("tol a NumPy number", {"tol": np.float16(0.5)}),
        ("rng several numbers", {"rng": [1, 2, 3]}),
        ("rng a NumPy integer", {"rng": np.uint8(3)}),
        ("rng a SeedSequence", {"rng": np.random.SeedSequence(1)}),
        ("rng a BitGenerator", {"rng": np.random.PCG64(1)}),
        ("n_init a NumPy integer", {"n_init": np.int16(2)}),
        ("n_init 1 with given centroids", {"n_init": 1, "init": [[1, 2], [3, 4]]}),
        ("centroids outside of the data", {"init": [[-1e9, 0], [1e9, 0]]}),
        ("max_iter enormous", {"max_iter": 10**30}),
        ("weights of bool", {"weights": [True, False, True, True, True, True]}),
        ("weights in part 0", {"weights": [0, 0, 1e-100, 2, 0, 1]}),
    ),
)
def test_unusual_options_are_taken(options):
    assert len(kmeans(POINTS, 2, **options).centroids) == 2
