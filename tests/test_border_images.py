"""Bad input by table, for what only images have: see `test_border`."""

import numpy as np
import pytest
from test_border import (
    GRAY,
    IMAGE,
    INF,
    NAN,
    RGB,
    RGBA,
    put,
    refused,
    table,
)

from kmeans_np import (
    apply_palette,
    cluster_image,
    explain,
    inertia_curve,
    segment_image,
)

VOLUME = np.arange(48.0).reshape(2, 3, 4, 2)
SOME = np.eye(4, 5) > 0
IMAGE_FUNCTIONS = pytest.mark.parametrize("function", [segment_image, cluster_image])

# ---- Axes, channels, alpha -------------------------------------------------------

AXES = table(
    (
        "a gray volume with an axis too many",
        ValueError,
        VOLUME,
        {"channel_axis": None},
        "image must have 2 axes, (rows, columns), or 3, (planes, rows, columns), "
        "without channels, got shape (2, 3, 4, 2); pass one image at a time, and flat "
        "pixels to kmeans",
    ),
    (
        "gray with a channel axis",
        ValueError,
        GRAY,
        {"channel_axis": 0},
        "channel_axis must be -1 or None for an image of 2 axes, which is gray, got 0; "
        "leave it out",
    ),
    (
        "an axis beyond",
        ValueError,
        IMAGE,
        {"channel_axis": 3},
        "channel_axis must be an axis of image, -3 to 2, got 3; pass the axis of the "
        "channels, such as -1",
    ),
    (
        "an axis below",
        ValueError,
        IMAGE,
        {"channel_axis": -4},
        "channel_axis must be an axis of image, -3 to 2, got -4; pass the axis of the "
        "channels, such as -1",
    ),
    (
        "a word as an axis",
        TypeError,
        IMAGE,
        {"channel_axis": "last"},
        "channel_axis must be a whole number or None, got 'last' (str); pass the axis "
        "of the channels, such as -1, or None for a gray volume",
    ),
    (
        "a bool as an axis",
        TypeError,
        IMAGE,
        {"channel_axis": True},
        "channel_axis must be a whole number or None, got True (bool); pass the axis "
        "of the channels, such as -1, or None for a gray volume",
    ),
    (
        "an unknown word for alpha",
        TypeError,
        IMAGE,
        {"alpha": "yes"},
        "alpha must be True, False, 'auto' or 'weights', got 'yes' (str); pass True if "
        "the last channel is alpha",
    ),
    (
        "a number for alpha",
        TypeError,
        IMAGE,
        {"alpha": 1},
        "alpha must be True, False, 'auto' or 'weights', got 1 (int); pass True if the "
        "last channel is alpha",
    ),
    (
        "gray cannot have alpha",
        ValueError,
        GRAY,
        {"alpha": True},
        "alpha must be False or 'auto' for an image with fewer than 2 channels, got "
        "True; leave it out",
    ),
    (
        "nor can a single channel",
        ValueError,
        IMAGE[..., :1],
        {"alpha": True},
        "alpha must be False or 'auto' for an image with fewer than 2 channels, got "
        "True; leave it out",
    ),
)


@IMAGE_FUNCTIONS
@pytest.mark.parametrize(("error", "image", "options", "sentence"), AXES)
def test_axes_that_are_none_are_refused(function, error, image, options, sentence):
    refused(error, sentence, function, image, 1, **options)


# ---- What takes part -------------------------------------------------------------

TAKING_PART = table(
    (
        "a mask with channels",
        ValueError,
        IMAGE,
        {"mask": IMAGE > 3},
        "mask must have one value for each pixel, shape (4, 5), got shape (4, 5, 3); "
        "leave the channels out, as in mask.any(axis=-1)",
    ),
    (
        "a mask of floats",
        TypeError,
        IMAGE,
        {"mask": np.ones((4, 5))},
        "mask must hold bools or whole numbers, got an array of type float64; convert "
        "it, as in mask > 0.5",
    ),
    (
        "the name of a mask",
        TypeError,
        IMAGE,
        {"mask": "mask.png"},
        "mask must hold real numbers of at most 64 bits, got 'mask.png' (str); pass an "
        "array of numbers, such as read_image returns",
    ),
    (
        "a mask of nothing",
        ValueError,
        IMAGE,
        {"mask": np.zeros((4, 5), bool)},
        "mask must include at least one pixel, got none of 20; mark the pixels to "
        "include with True, or pass ~mask if it marks the others",
    ),
    (
        "a mask of transparent pixels",
        ValueError,
        put(RGBA, _0_0_3=0),
        {"mask": np.arange(6).reshape(2, 3) == 0},
        "mask must include at least one pixel that is not fully transparent, got "
        "only transparent ones; pass another mask, or alpha=False to cluster the "
        "hidden colors",
    ),
    (
        "NaN within the mask",
        ValueError,
        put(RGB, _0_1_0=NAN, _2_2_1=NAN),
        {"mask": SOME},
        "image must be finite, got 1 NaN value, the first at row 2, column 2; leave "
        "those pixels out with a mask, such as np.isfinite(image).all(axis=2)",
    ),
    (
        "NaN in a volume",
        ValueError,
        put(VOLUME, _1_0_3_1=INF),
        {"alpha": False},
        "image must be finite, got 1 infinite value, the first at plane 1, row 0, "
        "column 3; leave those pixels out with a mask, such as "
        "np.isfinite(image).all(axis=3)",
    ),
    (
        "NaN in a gray volume",
        ValueError,
        put(VOLUME[..., 0], _1_2_0=NAN),
        {"channel_axis": None},
        "image must be finite, got 1 NaN value, the first at plane 1, row 2, column 0; "
        "leave those pixels out with a mask, such as np.isfinite(image)",
    ),
    (
        "NaN, channels first",
        ValueError,
        put(RGB, _1_2_0=NAN).transpose(2, 0, 1),
        {"channel_axis": 0},
        "image must be finite, got 1 NaN value, the first at row 1, column 2; leave "
        "those pixels out with a mask, such as np.isfinite(image).all(axis=0)",
    ),
    (
        "flat weights",
        ValueError,
        IMAGE,
        {"weights": np.ones(20)},
        "weights must have one number for each pixel, shape (4, 5), got shape (20,); "
        "pass one that fits the image",
    ),
    (
        "a negative weight",
        ValueError,
        IMAGE,
        {"weights": put(np.ones((4, 5)), _3_1=-2)},
        "weights must be 0 or between 1e-100 and 1e+100, got -2.0 at row 3, column 1; "
        "give pixels that do not count a weight of 0",
    ),
    (
        "a weight of NaN",
        ValueError,
        IMAGE,
        {"weights": put(np.ones((4, 5)), _3_3=NAN), "mask": SOME},
        "weights must be finite, got 1 NaN value, the first at row 3, column 3; give "
        "pixels that do not count a weight of 0",
    ),
    (
        "only weights of 0",
        ValueError,
        IMAGE,
        {"weights": ~SOME, "mask": SOME},
        "weights must not all be 0, got only zeros; give at least one pixel that is "
        "included a positive weight",
    ),
    (
        "k above the pixels in the mask",
        ValueError,
        IMAGE,
        {"k": 5, "mask": SOME},
        "k must be at most the number of pixels, 4, got 5; ask for fewer clusters",
    ),
    (
        "k above the pixels with a weight",
        ValueError,
        IMAGE,
        {"k": 5, "weights": SOME},
        "k must be at most the number of pixels with a weight, 4, got 5; ask for fewer "
        "clusters",
    ),
)


@IMAGE_FUNCTIONS
@pytest.mark.parametrize(("error", "image", "options", "sentence"), TAKING_PART)
def test_masks_and_weights_that_fit_nothing_are_refused(
    function, error, image, options, sentence
):
    refused(error, sentence, function, image, **{"k": 1} | options)


def test_what_the_mask_leaves_out_may_be_anything():
    image = put(RGB, _0_1_0=NAN, _2_3_1=INF, _1_0_2=1e200)
    weights = put(np.ones((4, 5)), _0_1=-3, _2_3=NAN)
    answer = cluster_image(image, 2, mask=SOME, weights=weights)
    assert (answer.labels[SOME] >= 0).all()
    assert np.array_equal(answer.image[~SOME], image[~SOME], equal_nan=True)


# ---- What is compared ------------------------------------------------------------

COMPARED = table(
    (
        "an unknown color space",
        ValueError,
        IMAGE,
        {"color_space": "hsv"},
        "color_space must be 'rgb', 'lab' or 'oklab', got 'hsv'; pass one of these",
    ),
    (
        "a number as a color space",
        ValueError,
        IMAGE,
        {"color_space": 3},
        "color_space must be 'rgb', 'lab' or 'oklab', got 3; pass one of these",
    ),
    (
        "gray in Lab",
        ValueError,
        GRAY,
        {"color_space": "lab"},
        "image must have the channels red, green and blue for color_space='lab', got 1 "
        "channel without alpha; leave color_space out",
    ),
    (
        "signed integers in Lab",
        ValueError,
        IMAGE.astype(np.int16),
        {"color_space": "lab"},
        "image must hold unsigned integers or floats from 0 to 1 for "
        "color_space='lab', got int16 from 0 to 59; scale it, as in image / 255",
    ),
    (
        "floats up to 255 in Lab",
        ValueError,
        RGB,
        {"color_space": "lab"},
        "image must hold unsigned integers or floats from 0 to 1 for "
        "color_space='lab', got float64 from 0 to 59; scale it, as in image / 255",
    ),
    (
        "floats below 0 in Lab",
        ValueError,
        RGB / 59 - 0.5,
        {"color_space": "lab"},
        "image must hold unsigned integers or floats from 0 to 1 for "
        "color_space='lab', got float64 from -0.5 to 0.5; scale it, as in image / 255",
    ),
    (
        "normalize",
        TypeError,
        IMAGE,
        {"normalize": "std"},
        "normalize must be True or False, got 'std' (str); pass one of these",
    ),
    (
        "a negative position weight",
        ValueError,
        IMAGE,
        {"position_weight": -1},
        "position_weight must be a finite number of at least 0, got -1.0; pass 0 to "
        "compare colors only, or about 1 for compact regions",
    ),
    (
        "a position weight that is no number",
        TypeError,
        IMAGE,
        {"position_weight": True},
        "position_weight must be a number of at least 0, got True (bool); pass 0 to "
        "compare colors only, or about 1 for compact regions",
    ),
    (
        "a position weight beyond sense",
        ValueError,
        IMAGE,
        {"position_weight": 1e7},
        "position_weight must be at most a million, got 1e+07; pass 0 to compare "
        "colors only, or about 1 for compact regions",
    ),
    (
        "centroids without their places",
        ValueError,
        IMAGE,
        {"position_weight": 1, "init": [[1, 2, 3]]},
        "init must hold one centroid for each of the 1 clusters with 5 numbers each, "
        "shape (1, 5), got shape (1, 3); pass another array, or 'random' or "
        "'k-means++'",
    ),
)


@IMAGE_FUNCTIONS
@pytest.mark.parametrize(("error", "image", "options", "sentence"), COMPARED)
def test_what_cannot_be_compared_is_refused(function, error, image, options, sentence):
    refused(error, sentence, function, image, 1, **options)


# ---- Palettes --------------------------------------------------------------------

PALETTES = table(
    (
        "empty",
        ValueError,
        IMAGE,
        [],
        "palette must hold one color a row with 3 numbers each, as the image has "
        "without alpha, got shape (0,); pass an array of shape (k, 3)",
    ),
    (
        "gray for RGBA",
        ValueError,
        RGBA,
        [[1], [2]],
        "palette must hold one color a row with 3 numbers each, as the image has "
        "without alpha, got shape (2, 1); pass an array of shape (k, 3)",
    ),
    (
        "RGB for gray",
        ValueError,
        GRAY,
        [[1, 2, 3]],
        "palette must hold one color a row with 1 number each, as the image has "
        "without alpha, got shape (1, 3); pass an array of shape (k, 1)",
    ),
    (
        "above 255",
        ValueError,
        IMAGE,
        [[0, 0, 0], [1, 2, 256]],
        "palette must lie between 0 and 255, as an image of type uint8 does, got 256 "
        "at row 1, column 2; give colors in the unit of the image",
    ),
    (
        "2 for black and white",
        ValueError,
        GRAY > 3,
        [0, 2],
        "palette must lie between 0 and 1, as an image of type bool does, got 2 at row "
        "1, column 0; give colors in the unit of the image",
    ),
    (
        "NaN",
        ValueError,
        RGB,
        [[0, NAN, 0]],
        "palette must be finite, got 1 NaN value, the first at row 0, column 1; pass "
        "finite colors",
    ),
    (
        "words",
        TypeError,
        IMAGE,
        ["#ff0000"],
        "palette must hold real numbers of at most 64 bits, got an array of type <U7; "
        "pass an array of numbers, such as read_image returns",
    ),
)


@pytest.mark.parametrize(("error", "image", "palette", "sentence"), PALETTES)
def test_palettes_that_fit_no_image_are_refused(error, image, palette, sentence):
    refused(error, sentence, apply_palette, image, palette)


# ---- What is asked of an answer --------------------------------------------------

ASKED = table(
    (
        "another image of other axes",
        ValueError,
        "apply",
        (IMAGE[..., 0],),
        "image must have as many axes as the image that was clustered, 3, got shape "
        "(4, 5); pass one of its kind",
    ),
    (
        "another image of another type",
        ValueError,
        "apply",
        (IMAGE / 255,),
        "image must be of the type of the image that was clustered, uint8, got "
        "float64; convert it, with care for the unit",
    ),
    (
        "another image of other channels",
        ValueError,
        "apply",
        (np.dstack([IMAGE, IMAGE]),),
        "image must have as many channels without alpha as the image that was "
        "clustered, 3, got 6; pass one of its kind",
    ),
    (
        "a label beyond",
        ValueError,
        "mask_of",
        (2,),
        "label must be a whole number from 0 to 1, got 2; pass the number of a cluster",
    ),
    (
        "a negative label",
        ValueError,
        "mask_of",
        (-1,),
        "label must be a whole number from 0 to 1, got -1; pass the number of a "
        "cluster",
    ),
    (
        "a float as a label",
        TypeError,
        "mask_of",
        (1.0,),
        "label must be a whole number from 0 to 1, got 1.0 (float); pass the number of "
        "a cluster",
    ),
    (
        "too much",
        ValueError,
        "overlay",
        {"alpha": 1.5},
        "alpha must be at most 1, got 1.5; pass a share from 0 to 1",
    ),
    (
        "too little",
        ValueError,
        "overlay",
        {"alpha": -0.5},
        "alpha must be a finite number of at least 0, got -0.5; pass a share from 0 to "
        "1",
    ),
    (
        "a word for alpha",
        TypeError,
        "overlay",
        {"alpha": "auto"},
        "alpha must be a number of at least 0, got 'auto' (str); pass a share from 0 "
        "to 1",
    ),
    (
        "a color for the outline",
        TypeError,
        "overlay",
        {"outline": "red"},
        "outline must be True or False, got 'red' (str); pass one of these",
    ),
)


@pytest.mark.parametrize(("error", "method", "arguments", "sentence"), ASKED)
def test_what_an_answer_does_not_know_is_refused(error, method, arguments, sentence):
    method = getattr(cluster_image(IMAGE, 2, rng=0), method)
    if isinstance(arguments, dict):
        refused(error, sentence, method, **arguments)
    else:
        refused(error, sentence, method, *arguments)


# ---- Curves ----------------------------------------------------------------------

CURVES = table(
    (
        "0",
        ValueError,
        ([0, 1],),
        {},
        "ks must be at least 1, got 0; leave it out",
    ),
    (
        "more than there are pixels",
        ValueError,
        ([1, 21],),
        {},
        "ks must be from 1 to the number of pixels, 20, got 21; leave it out",
    ),
    (
        "none",
        ValueError,
        (np.zeros(0, int),),
        {},
        "ks must be a list of at least one number, got shape (0,); pass the numbers of "
        "clusters to try, such as range(1, 11)",
    ),
    (
        "a single number",
        ValueError,
        (3,),
        {},
        "ks must be a list of at least one number, got shape (); pass the numbers of "
        "clusters to try, such as range(1, 11)",
    ),
    (
        "floats",
        TypeError,
        ([1.0, 2.0],),
        {},
        "ks must hold whole numbers, got an array of type float64; pass the numbers of "
        "clusters to try, such as range(1, 11)",
    ),
)


@pytest.mark.parametrize(("error", "arguments", "options", "sentence"), CURVES)
def test_impossible_ks_are_refused(error, arguments, options, sentence):
    refused(error, sentence, inertia_curve, IMAGE, *arguments, **options)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("mask", [[True, False], [True, True]], "[[True, False], [True, True]]"),
        ("channel_axis", 0, "0"),
        ("alpha", False, "False"),
        ("color_space", "lab", "'lab'"),
        ("position_weight", 1, "1"),
    ],
)
@pytest.mark.parametrize("kind", ["auto", "points"])
def test_what_only_images_have_is_refused_for_points(name, value, shown, kind):
    sentence = (
        f"{name} must be left out for points, (n, d), got {shown}; leave it out, or "
        "for a gray image pass kind='image'"
    )
    points = GRAY[:2, :2] if kind == "points" else GRAY[:2, :1]
    options = {"kind": kind, name: value}
    refused(ValueError, sentence, inertia_curve, points, [1], **options)
    if name in ("mask", "position_weight"):
        options = {"kind": "image", name: value}
        assert inertia_curve(GRAY[:2, :2], [1], **options).shape == (1,)


def test_no_channel_axis_contradicts_points():
    refused(
        ValueError,
        "channel_axis must be left out for points, (n, d), got None; leave it out, or "
        "for a gray image pass kind='image'",
        inertia_curve,
        GRAY,
        [1],
        kind="points",
        channel_axis=None,
    )


NEITHER = table(
    (
        "a list of numbers",
        [1, 2, 3],
        "auto",
        "image_or_points must have 2 axes, (n, d), or those of an image, got shape "
        "(3,); if each number is a point, pass np.reshape(points, (-1, 1)) and "
        "kind='points'",
    ),
    (
        "an image for points",
        IMAGE,
        "points",
        "image_or_points must have 2 axes, (n, d), for kind='points', got shape "
        "(4, 5, 3); pass kind='image', or one point a row, as in "
        "np.reshape(points, (-1, 3))",
    ),
    (
        "an image or points",
        np.zeros((512, 512), np.uint8),
        "auto",
        "image_or_points must have more rows than columns and at most 16 columns to be "
        "taken for points, got shape (512, 512); pass kind='image' for a gray image, "
        "or kind='points' if each row is a point",
    ),
    (
        "an empty array",
        np.zeros((0, 3)),
        "auto",
        "points must hold at least one point with at least one feature, got shape "
        "(0, 3); check how they were selected",
    ),
    (
        "another word",
        IMAGE,
        "gray",
        "kind must be 'auto', 'image' or 'points', got 'gray'; pass one of these",
    ),
    (
        "no word",
        IMAGE,
        None,
        "kind must be 'auto', 'image' or 'points', got None; pass one of these",
    ),
)


@pytest.mark.parametrize("function", [inertia_curve, explain])
@pytest.mark.parametrize(("value", "kind", "sentence"), NEITHER)
def test_neither_points_nor_an_image(function, value, kind, sentence):
    k = 1 if function is explain else [1]
    refused(ValueError, sentence, function, value, k, kind=kind)


def test_more_clusters_than_points_with_a_weight():
    refused(
        ValueError,
        "ks must be from 1 to the number of points with a weight, 1, got 2; leave it "
        "out",
        inertia_curve,
        [[1], [2]],
        [2],
        weights=[0, 3],
    )


def test_palettes_for_cielab_are_of_the_screen():
    refused(
        ValueError,
        "palette must lie between 0 and 1.0, as an image of type float64 does, got 7.0 "
        "at row 0, column 1; give colors in the unit of the image",
        apply_palette,
        RGB / 100,
        [[0, 7.0, 0]],
        color_space="lab",
    )
