"""What an array of 2 axes is: a gray image, or points."""

import warnings

import numpy as np
import pandas as pd
import pytest
from tables import crossed

from kmeans_np import explain, inertia_curve


def mapped(values, folder):
    np.save(folder / "values.npy", values)
    return np.load(folder / "values.npy", mmap_mode="r")


MAKERS = {
    "uint8": lambda values, _: values.astype(np.uint8),
    "uint16": lambda values, _: values.astype(np.uint16) * 200,
    "int16": lambda values, _: np.asfortranarray(values - 90, np.int16),
    "float32": lambda values, _: values.astype(np.float32),
    "float64": lambda values, _: values / 255,
    "bool": lambda values, _: values > 100,
    "list": lambda values, _: values.tolist(),
    "frame": lambda values, _: pd.DataFrame(values),
    "mapped": lambda values, folder: mapped(values.astype(np.uint16), folder),
}
# What an array of this shape is if nothing is said.
SHAPES = {
    (40, 40): "unclear",
    (60, 40): "unclear",
    (3, 50): "unclear",
    (16, 16): "unclear",
    (40, 17): "unclear",
    (1, 1): "unclear",
    (17, 16): "points",
    (50, 3): "points",
    (2, 1): "points",
}


def scatter(values, axis):
    """The inertia with one cluster."""
    return ((values - values.mean(axis=axis)) ** 2).sum()


@pytest.mark.parametrize(
    ("maker", "kind"), crossed(MAKERS, ["auto", "image", "points", "auto"])
)
def test_two_axes_are_what_is_said_or_plain(maker, kind, tmp_path):
    for shape, plain in SHAPES.items():
        values = np.random.default_rng(0).integers(0, 256, shape)
        data = MAKERS[maker](values, tmp_path)
        expected = plain if kind == "auto" else kind
        if expected == "unclear":
            for function, k in ((inertia_curve, [1]), (explain, 1)):
                with pytest.raises(ValueError, match=r"pass kind='image' .*='points'"):
                    function(data, k)
            continue
        array = np.asarray(data, float)
        inertia = scatter(array, None if expected == "image" else 0)
        assert inertia_curve(data, [1], kind=kind)[0] == pytest.approx(inertia)
        explanation = explain(data, 1, kind=kind, tol=0, rng=0)
        found = explanation.inertias[-1] * explanation.unit**2
        assert found == pytest.approx(inertia)
        n, noun = array.size, "pixels"
        if expected == "points":
            n, noun = len(array), "points"
        assert repr(explanation).startswith(f"<Explanation of {n:,} {noun} in 1 ")


@pytest.mark.parametrize(
    ("shape", "more", "dtype"),
    crossed(
        [(40, 50), (60, 5)],
        [{}, {"mask"}, {"weights"}, {"weights", "position_weight"}, {"normalize"}],
        ["uint8", "uint16", "float32"],
    ),
)
def test_a_gray_image_has_the_curve_of_one_with_a_channel(shape, more, dtype, rng):
    gray = rng.integers(0, 256, shape).astype(dtype)
    values = {"mask": gray > 60, "weights": gray, "position_weight": 0.1}
    how = {"rng": 0} | {name: values.get(name, True) for name in more}
    ks, steps, others = [1, 2, 5, 9], [], []
    curve = inertia_curve(gray, ks, kind="image", callback=steps.append, **how)
    other = inertia_curve(gray[..., np.newaxis], ks, callback=others.append, **how)
    assert curve.tolist() == other.tolist()
    for step, expected in zip(steps, others, strict=True):
        assert np.array_equal(step.centroids, expected.centroids)
        assert np.array_equal(step.labels, expected.labels)
    without = inertia_curve(gray, ks, channel_axis=None, **how)
    assert curve.tolist() == without.tolist()


@pytest.mark.parametrize("shape", [(20, 30), (60, 5)])
def test_a_gray_image_is_explained_as_one_in_color(shape, rng):
    gray = rng.integers(0, 256, shape).astype(np.uint8)
    color = np.stack([gray] * 3, axis=-1)
    start = np.array([[20.0], [90.0], [201.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = explain(gray, 3, kind="image", init=start, tol=0)
        other = explain(color, 3, init=start.repeat(3, axis=1), tol=0)
    assert one.n_iter == other.n_iter
    np.testing.assert_allclose(3 * one.inertias, other.inertias)
    for step, expected in zip(one.steps, other.steps, strict=True):
        assert np.array_equal(step.labels, expected.labels)
