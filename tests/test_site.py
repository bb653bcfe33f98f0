"""The site builds without a warning, and the figures of the chapters are as drawn."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from test_notebook import need

import kmeans_np
from kmeans_np.cli import build_parser

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "chapters" / "figures"
SCRIPTS = sorted(FIGURES.glob("chapter_*.py"))
# Chapter 4 makes this one, and tests/test_docs.py looks at it.
OTHERS = {"segmented.png"}
# In gray levels, on average: a curve that lies one pixel higher differs by more.
ALIKE = 0.1

pytestmark = pytest.mark.docs


def run(*words):
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    need("sphinx", "furo", "myst_parser", "numpydoc")
    folder = tmp_path_factory.mktemp("site")
    strictly = ("-W", "--keep-going", "-q", "-b", "html")
    run("-m", "sphinx", *strictly, "-d", folder / "trees", "docs", folder / "html")
    return folder / "html"


def test_the_site_has_every_page_and_every_source_file(site):
    pages = {p.relative_to(ROOT / "docs") for p in (ROOT / "docs").rglob("*.md")}
    sources = {p.relative_to(ROOT) for p in (ROOT / "kmeans_np").rglob("*.py")}
    for page in pages | {Path("source") / source for source in sources}:
        assert (site / page.with_suffix(".html")).exists(), page


def test_the_playground_is_on_the_site(site):
    text = (site / "playground.html").read_text(encoding="utf-8")
    assert '<iframe src="play.html"' in text
    assert 'data-opens="own"' in (site / "play.html").read_text(encoding="utf-8")


def test_the_site_fetches_nothing(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"""(?:src=|<link[^>]*href=)["']?(?:https?:)?//""", text)


def test_the_links_of_the_site_lead_somewhere(site):
    anchors = {}
    for page in site.rglob("*.html"):
        for target in re.findall(r'href="([^"]+)"', page.read_text(encoding="utf-8")):
            link = urlsplit(target)
            if link.scheme:
                continue
            file = page.parent / unquote(link.path) if link.path else page
            assert file.exists(), f"{target} in {page.relative_to(site)}"
            if link.fragment and file not in anchors:
                text = file.read_text(encoding="utf-8")
                anchors[file] = set(re.findall(r'id="([^"]+)"', text))
            if link.fragment:
                assert unquote(link.fragment) in anchors[file], target


def test_the_reference_has_all_public_names():
    text = (ROOT / "docs" / "reference.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto\w+:: (\w+)", text, re.MULTILINE)
    assert sorted(listed) == kmeans_np.__all__


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_figures_of_a_chapter_are_what_its_script_draws(script, tmp_path):
    need("matplotlib")
    # What libraries announce to one another is not the affair of the figures.
    run("-W", "error", "-W", "ignore::DeprecationWarning", script, tmp_path)
    number = script.stem.removeprefix("chapter_")
    made = {figure.name for figure in tmp_path.iterdir()}
    assert made == {figure.name for figure in FIGURES.glob(f"{number}-*")}
    for name in made:
        drawn = kmeans_np.read_image(tmp_path / name)
        shown = kmeans_np.read_image(FIGURES / name)
        assert drawn.shape == shown.shape, name
        difference = np.abs(drawn.astype(float) - shown).mean()
        assert difference < ALIKE, f"{name} differs by {difference:.2f} gray levels"


def test_every_figure_has_a_script():
    numbers = "|".join(script.stem.removeprefix("chapter_") for script in SCRIPTS)
    for figure in FIGURES.glob("*.png"):
        assert figure.name in OTHERS or re.match(f"({numbers})-", figure.name), figure


def test_the_command_line_page_has_every_option(site):
    text = (site / "command-line.html").read_text(encoding="utf-8")
    [commands] = [each for each in build_parser()._actions if each.nargs == "A..."]
    for name, parser in commands.choices.items():
        assert f"kmeans-np {name}" in text
        for option in parser._actions:
            for flag in {*option.option_strings} - {"-h", "--help"}:
                assert f'<span class="pre">{flag}' in text, flag


def test_signatures_have_the_names_of_the_source(site):
    text = (site / "reference.html").read_text(encoding="utf-8")
    assert "ArrayLike" in text
    for private in ("_NestedSequence", "_SupportsArray", "_Buffer"):
        assert private not in text


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("instal", "installing"),
        ("transpar", "recipes/transparent-icon"),
        ("geotiff", "files"),
        ("domin", "recipes/dominant-colors"),
        ("threshold", "recipes/gray-levels"),
        ("complet", "installing"),
    ],
)
def test_the_search_finds_what_people_look_for(words, page, site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    found = json.loads(index[index.index("{") : index.rindex("}") + 1])
    number = found["docnames"].index(page)
    there = [found[key].get(words, []) for key in ("terms", "titleterms")]
    assert any(number == each or number in np.atleast_1d(each) for each in there)


def test_the_site_has_an_icon_and_the_changelog(site):
    first = (site / "index.html").read_text(encoding="utf-8")
    assert "favicon.svg" in first
    changes = (site / "changelog.html").read_text(encoding="utf-8")
    assert kmeans_np.__version__ in changes
