"""The code of the README and of docs/ runs, and prints what stands there."""

import ast
import doctest
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from tables import chosen

ROOT = Path(__file__).parents[1]
RECIPE_INDEX = ROOT / "docs" / "recipes" / "README.md"
RECIPES = sorted(set(RECIPE_INDEX.parent.glob("*.md")) - {RECIPE_INDEX})
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.md"))
OTHERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), RECIPE_INDEX]
PAGES = OTHERS + CHAPTERS + RECIPES
# The pages whose code takes longest; that of chapter 4 runs below, too.
LONG = {"scale.md"} | {page.name for page in CHAPTERS if page.name[0] in "4567"}
LONG |= {"coming-from-scikit-learn.md", "microscope-slide.md", "what-matters-more.md"}
LONG |= {
    "regions-that-hold-together.md",
    "film.md",
    "gray-volume.md",
    "many-bands.md",
    "stained-tissue.md",
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")


def name(page):
    return str(page.relative_to(ROOT))


def but_long(pages):
    return chosen(pages, *(page for page in pages if page.name not in LONG))


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        if match[1] == language:
            yield text[: match.start()].count("\n") + 1, match[2]


@pytest.fixture(scope="module")
def photo_file(tmp_path_factory):
    from kmeans_np import sample_image, write_image

    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    write_image(path, sample_image())
    return path


@pytest.fixture
def beside_a_photo(photo_file, tmp_path, monkeypatch):
    """A folder with a photo.jpg in it, as a reader has."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(photo_file, "photo.jpg")
    return tmp_path


def run_python(page):
    """Run the code of a page, and check that it prints what stands there."""
    names = {}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    for line, code in blocks(page, "python"):
        if ">>>" in code:
            test = parser.get_doctest(code, names, page.name, str(page), line)
            runner.run(test, clear_globs=False)
            names.update(test.globs)
        else:
            exec(compile(code, f"{page}:{line}", "exec"), names)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.usefixtures("beside_a_photo")
@pytest.mark.parametrize("page", but_long(OTHERS + CHAPTERS), ids=name)
def test_python_code_runs_and_prints_what_it_says(page):
    run_python(page)


@pytest.mark.parametrize("recipe", but_long(RECIPES), ids=name)
def test_recipes_run_and_make_the_figures_they_show(recipe, beside_a_photo):
    from kmeans_np import read_image

    run_python(recipe)
    figures = FIGURE.findall(recipe.read_text(encoding="utf-8"))
    assert figures, "a recipe needs a picture"
    for figure in figures:
        made, shown = beside_a_photo / figure, recipe.parent / figure
        same = np.array_equal(read_image(made), read_image(shown))
        assert same, f"{shown} is not the picture that the page makes, {made}"


def test_the_recipe_on_choosing_k_works_for_a_gray_slide(beside_a_photo):
    from kmeans_np import read_image

    names, parser = {}, doctest.DocTestParser()
    for _, code in blocks(RECIPE_INDEX.parent / "choosing-k.md", "python"):
        if ">>>" in code:
            code = "".join(each.source for each in parser.get_examples(code))
        exec(code, names)
        if names["beads"].ndim == 3:
            names["beads"] = names["beads"].mean(axis=-1).astype(np.uint8)
    beads = names["beads"].astype(float)
    assert names["inertia"][0] == pytest.approx(beads.var() * beads.size)
    made = read_image(beside_a_photo / "choosing-k.png")
    for k in names["ks"]:
        painted = made[204:300, 104 * k - 100 : 104 * k - 4, 0]
        assert len(np.unique(painted)) == k


def test_the_index_lists_every_recipe():
    listed = re.findall(r"\]\(([\w-]+\.md)\)", RECIPE_INDEX.read_text(encoding="utf-8"))
    assert sorted(set(listed)) == [recipe.name for recipe in RECIPES]


def test_the_readme_has_code_to_run():
    assert any(True for _ in blocks(ROOT / "README.md", "python"))


@pytest.mark.usefixtures("beside_a_photo")
@pytest.mark.parametrize(
    "page", chosen(PAGES, *(p for p in PAGES if p.name != "for-teachers.md")), ids=name
)
def test_shell_examples_of_the_command_line_run(page, run, monkeypatch):
    for _, code in blocks(page, "sh"):
        for command in code.splitlines():
            words = shlex.split(command, comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                monkeypatch.setenv(*words.pop(0).split("=", 1))
            if words and words[0].endswith("kmeans-np"):
                status, _, err = run(*words[1:])
                assert status == 0, err


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)|src=\"([^\"]+)\"", text):
        target = target[0] or target[1]
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_the_walk_makes_the_picture_it_shows(beside_a_photo):
    from kmeans_np import read_image

    chapter = ROOT / "docs" / "chapters" / "4-from-pixels-to-segments.md"
    run_python(chapter)
    expected = read_image(chapter.parent / "figures" / "segmented.png")
    assert np.array_equal(read_image(beside_a_photo / "segmented.png"), expected)


@pytest.mark.slow
def test_the_film_of_the_first_page_is_the_one_that_is_made(tmp_path):
    from imageio import v3 as iio

    from kmeans_np import explain, sample_image

    explain(sample_image(), 4, rng=0).save(tmp_path / "steps.gif")
    made, shown = (
        iio.imread(f) for f in (tmp_path / "steps.gif", ROOT / "docs/steps.gif")
    )
    assert made.shape == shown.shape
    # Other versions of Pillow may draw letters a little differently.
    assert np.abs(made.astype(int) - shown).mean() < 2


@pytest.mark.parametrize("chapter", CHAPTERS, ids=name)
def test_chapters_quote_the_package_as_it_is(chapter):
    package = ROOT / "kmeans_np"
    sources = "\n".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    lines = {line.strip() for line in sources.splitlines()}
    for number, quote in blocks(chapter, "py"):
        for line in quote.splitlines():
            assert line.strip() in lines, f"{chapter.name}:{number}: {line}"


def test_the_contributing_page_lists_every_file_in_reading_order():
    from test_house import LADDER, tree_of

    text = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| \[`(.+)`\]\(\.\./kmeans_np/\1\.py\) \| (.+) \|$", text, re.M
    )
    headers = [ast.get_docstring(tree_of(name)).split("\n")[0] for name in LADDER]
    assert listed == [*zip(LADDER, headers, strict=True)]


def test_the_first_page_quotes_lines_of_lloyd_as_they_are():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    source = (ROOT / "kmeans_np" / "lloyd.py").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| \d\. .*\| `(.+)` \|$", text, re.MULTILINE)
    assert len(quoted) == 4
    for line in quoted:
        assert f"    {line}\n" in source
