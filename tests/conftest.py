import numpy as np
import pytest
from hypothesis import settings

# Small machines pause now and then; a slow example says nothing about the code.
settings.register_profile("kmeans_np", deadline=None)
settings.load_profile("kmeans_np")


@pytest.fixture(scope="session")
def china():
    """A photograph, 427 x 640 RGB, that scikit-learn ships."""
    from sklearn.datasets import load_sample_image

    image = load_sample_image("china.jpg")
    image.flags.writeable = False
    return image


@pytest.fixture(scope="session")
def iris():
    """Fisher's iris flowers, (150, 4)."""
    from sklearn.datasets import load_iris

    return load_iris().data


@pytest.fixture
def rng():
    return np.random.default_rng(0)
