import gc
import os
import signal
from importlib.util import find_spec
from pathlib import Path

# Where pytest keeps every core busy, more threads would only wait for each other. It
# has to be said before NumPy is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings
from sample import SAMPLE

from kmeans_np import read_image, write_image
from kmeans_np.__main__ import main

# While tests are collected there is hardly any garbage, and to look for it takes long.
gc.disable()

# Small machines pause now and then; a slow example says nothing about the code. The
# gate looks at more examples of each law (HYPOTHESIS_PROFILE=thorough).
settings.register_profile("quick", deadline=None, max_examples=10)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_finish():
    """Look for garbage, but not among what is there for all tests."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def last_look():
    """Find what is left open while a warning about it still makes a test fail.

    At the very end of a process of pytest-xdist nobody would hear of it.
    """
    yield
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Let Ctrl-C interrupt the tests and the programs that they start.

    What a shell starts in the background ignores it, and so would all of these.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def scikit_learn_has(name):
    """Return the path of some data, without an import, which takes long."""
    return Path(find_spec("sklearn").origin).parent / "datasets" / name


@pytest.fixture(scope="session")
def china():
    """A photograph, 427 x 640 RGB, that scikit-learn ships."""
    image = read_image(scikit_learn_has("images/china.jpg"))
    image.flags.writeable = False
    return image


@pytest.fixture(scope="session")
def iris():
    """Fisher's iris flowers, (150, 4)."""
    path = scikit_learn_has("data/iris.csv")
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(4))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def small_picture():
    """The built-in picture, 75 x 100."""
    return SAMPLE[::5, ::5]


@pytest.fixture
def photo(tmp_path, small_picture):
    """A picture in a folder of its own."""
    path = tmp_path / "pictures" / "photo.png"
    path.parent.mkdir()
    write_image(path, small_picture)
    return path


@pytest.fixture
def run(capsys):
    """Run a command in this process; return its status, its output and its errors."""

    def run(*args):
        try:
            status = main([str(arg) for arg in args])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run
