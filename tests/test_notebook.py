"""The tutorial notebook runs from top to bottom, without a warning."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"
# Warnings are errors, but for what the kernel thinks of itself.
STRICT = """
import warnings

warnings.simplefilter("error")
warnings.filterwarnings("ignore", module="ipykernel")
"""
pytestmark = pytest.mark.docs


def need(*modules):
    """Skip the test without what the extra `docs` brings; in the gate, fail."""
    missing = [name for name in modules if find_spec(name) is None]
    reason = f'no {", ".join(missing)}: pip install -e ".[test,docs]"'
    if missing and os.environ.get("KMEANS_NP_GATE"):
        pytest.fail(reason)
    if missing:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def notebook():
    need("nbformat")
    import nbformat

    found = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(found)
    return found


def text_of(output):
    return output.get("text", "") + str(output.get("data", ""))


def test_it_runs_and_shows_what_its_text_says(notebook, tmp_path, monkeypatch):
    need("nbclient", "nbformat", "ipykernel")
    import nbclient
    import nbformat

    # Nobody's own settings of IPython and Jupyter.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    folder = tmp_path / "here"
    folder.mkdir()
    strict = nbformat.v4.new_code_cell(STRICT)
    run = nbformat.from_dict({**notebook, "cells": [strict, *notebook.cells]})
    where = {"metadata": {"path": str(folder)}}
    # What is printed may come in pieces: they are put together again.
    how = {"timeout": 120, "coalesce_streams": True}
    nbclient.NotebookClient(run, resources=where, **how).execute()

    outputs = [output for cell in run.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    shown = "\n".join(text_of(output) for output in outputs)
    for words in (
        "(375, 500, 3), dtype('uint8')",
        "(187500, 3)",
        "[48478, 106760, 26435, 5827]",
        "inertia 25,361",
        "step  1: inertia 25,361, 187,500 pixels changed cluster",
        "step 22: inertia  5,028,     481 pixels changed cluster",
        "stopped by tol",
        "'text/plain': 'True'",
        "in 4 clusters: stopped by 'tol' after 22 steps",
        "<iframe",
        # As HTML, which a page made of the notebook keeps.
        'src="data:image/gif;base64,',
    ):
        assert words in shown, words
    assert [file.name for file in folder.iterdir()] == ["film.gif"]


def test_it_is_stored_without_outputs(notebook):
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_its_links_lead_somewhere(notebook):
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (NOTEBOOK.parent / target).exists(), target
