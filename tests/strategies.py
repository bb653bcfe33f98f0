"""What hypothesis draws: points that are hard on K-means, and starts for them."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def arrays(shape, elements, dtype=np.float64):
    return hnp.arrays(dtype, shape, elements=elements)


@st.composite
def tied_points(draw, max_n=60, max_d=4, max_k=7):
    """Small integers, so that ties and duplicates abound, and a start among them."""
    n, d = draw(st.integers(1, max_n)), draw(st.integers(1, max_d))
    size = draw(st.sampled_from([1, 2, 5, 30]))
    points = draw(arrays((n, d), st.integers(-size, size).map(float)))
    k = draw(st.integers(1, min(n, max_k)))
    start = draw(arrays((k, d), st.integers(-size, size).map(float)))
    return points, start


@st.composite
def generic_points(draw, max_n=60, max_d=9, max_k=7):
    """Points from a generator, in which ties do not happen, and a start among them."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, d = draw(st.integers(1, max_n)), draw(st.integers(1, max_d))
    k = draw(st.integers(1, min(n, max_k)))
    scale = draw(st.sampled_from([1e-12, 1.0, 1e6]))
    points = rng.normal(size=(n, d)) * scale
    return points, points[rng.choice(n, k, replace=False)]


def any_points():
    return st.one_of(tied_points(), generic_points())


def repetitions(n, least=0):
    """Whole weights for n points, not all of them 0."""
    weights = arrays(n, st.integers(least, 4).map(float))
    return weights.filter(lambda w: w.any())
