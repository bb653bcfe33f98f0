"""`kmeans-np explain`, as a person at a shell meets it."""

import json
import re
import sys

import numpy as np
import pytest
from test_cli import Terminal, everything_in, lines_shown

from kmeans_np import explain, read_image, sample_image, write_image
from kmeans_np.cli import explaining, messages


def run_of(path):
    """The first run of a page."""
    page = path.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(data[1])[0]


def test_it_writes_a_page_beside_the_picture(photo, run):
    status, out, errors = run("explain", photo, "-k", 3)
    page = photo.with_name("photo-k3.html")
    assert (status, errors) == (0, "")
    assert re.fullmatch(rf"{page}: 3 clusters, converged in \d+ steps\n", out)
    told = run_of(page)
    expected = explain(read_image(photo), 3, rng=0)
    assert told["inertias"] == expected.inertias.tolist()
    assert told["about"].startswith("photo.png")


@pytest.mark.slow
def test_it_explains_the_built_in_picture(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("explain", "--sample", "-k", 2)[0] == 0
    told = run_of(tmp_path / "sample-k2.html")
    assert told["shape"] == list(sample_image().shape)


def test_a_playground_needs_no_picture(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("explain", "--playground", "-k", 2, "--max-iter", 2)[0] == 0
    page = tmp_path / "playground.html"
    assert run_of(page)["k"] == 2
    assert '<body data-opens="own">' in page.read_text(encoding="utf-8")
    # As any file whose name was not given, it is not replaced.
    status, _, errors = run("explain", "--playground")
    assert status == 2
    assert "playground.html" in errors
    assert run("explain", "--playground", "--max-iter", 2, "--force")[0] == 0
    assert run_of(page)["k"] == 4


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("a.html", b"<!doc"),
        pytest.param("a.gif", b"GIF8", marks=pytest.mark.slow),
        ("a.png", b"\x89PNG"),
    ],
)
def test_the_suffix_says_what_is_written(photo, run, name, begin):
    output = photo.with_name(name)
    assert run("explain", photo, "-k", 2, "--max-iter", 2, "-o", output)[0] == 0
    assert output.read_bytes().startswith(begin)


def test_a_folder_is_made_for_it(photo, run, tmp_path):
    assert run("explain", photo, "-k", 2, "-o", f"{tmp_path}/new/pages/")[0] == 0
    assert (tmp_path / "new" / "pages" / "photo-k2.html").exists()


def test_options_are_those_of_the_function(photo, run, tmp_path):
    picture = read_image(photo)
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[:30] = 255
    write_image(tmp_path / "mask.png", mask)
    page = tmp_path / "page.html"
    options = ["--mask", tmp_path / "mask.png", "--init", "k-means++", "--seed", 5]
    options += ["--max-iter", 4, "--tol", 0]
    assert run("explain", photo, "-k", 3, "-o", page, *options)[0] == 0
    expected = explain(
        picture, 3, mask=mask > 0, init="k-means++", rng=5, max_iter=4, tol=0
    )
    told = run_of(page)
    assert told["inertias"] == expected.inertias.tolist()
    assert told["init"] == "k-means++"


def test_alpha_can_be_a_band(tmp_path, run, rng):
    image = rng.integers(1, 255, (9, 9, 4), dtype=np.uint8)
    write_image(tmp_path / "four.png", image)
    run("explain", tmp_path / "four.png", "-k", 2, "-o", tmp_path / "rgba.html")
    run(
        "explain",
        tmp_path / "four.png",
        "-k",
        2,
        "--alpha",
        "no",
        "-o",
        tmp_path / "4.html",
    )
    assert len(run_of(tmp_path / "rgba.html")["axes"]) == 3
    assert len(run_of(tmp_path / "4.html")["axes"]) == 4


@pytest.mark.parametrize("shape", [(20, 30), (30, 4)])
def test_a_gray_picture_is_a_picture(tmp_path, run, rng, shape):
    write_image(tmp_path / "gray.png", rng.integers(0, 255, shape, dtype=np.uint8))
    assert run("explain", tmp_path / "gray.png", "-k", 2)[0] == 0
    assert run_of(tmp_path / "gray-k2.html")["shown"] == [*shape]


def test_it_opens_what_it_wrote(photo, run, monkeypatch):
    opened = []
    monkeypatch.setattr(
        explaining.webbrowser, "open", lambda address: opened.append(address) or True
    )
    assert run("explain", photo, "-k", 2, "--open")[0] == 0
    assert opened == [photo.with_name("photo-k2.html").resolve().as_uri()]


def test_it_says_when_there_is_no_browser(photo, run, monkeypatch):
    monkeypatch.setattr(explaining.webbrowser, "open", lambda _: False)
    status, out, _ = run("explain", photo, "-k", 2, "--open")
    assert status == 0
    page = photo.with_name("photo-k2.html")
    assert out.endswith(f"no browser was found; open {page} in one\n")


def test_fewer_colors_than_asked_for_are_noted(tmp_path, run):
    write_image(tmp_path / "two.png", np.eye(8, dtype=np.uint8) * 255)
    status, _, errors = run("explain", tmp_path / "two.png", "-k", 5)
    assert status == 0
    assert errors.startswith("kmeans-np: note: asked for k = 5, but there are")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ["-k", 2],
            "IMAGE must be given, or --sample for the built-in picture, or "
            "--playground, got none of them; pass one of them",
        ),
        (
            ["photo.png", "--sample", "-k", 2],
            "IMAGE must be given, or --sample for the built-in picture, or "
            "--playground, got more than one of them; pass one of them",
        ),
        (
            ["photo.png", "--playground"],
            "IMAGE must be given, or --sample for the built-in picture, or "
            "--playground, got more than one of them; pass one of them",
        ),
        (
            ["photo.png"],
            "-k must be given, got nothing; pass the number of clusters to find, such",
        ),
        (
            ["--playground", "-k", 0],
            "-k must be a whole number of at least 1, got 0; pass the number of",
        ),
        (
            ["--playground", "-o", "film.gif"],
            "-o must end in .html with --playground, got film.gif; it is a page",
        ),
        (
            ["photo.png", "-k", 0],
            "-k must be a whole number of at least 1, got 0; pass the number of "
            "clusters to find, such as 8",
        ),
        (
            ["photo.png", "-k", 2, "-o", "film.mp4"],
            "-o must end in one of .html, .gif, .png, got film.mp4; choose .html for a "
            "page to step through, .gif for a film, .png for a sheet",
        ),
        (
            ["photo.png", "-k", 2, "-o", "photo.png"],
            "the output must not be an input, got photo.png; write it to another file, "
            "or pass --force to write over the input",
        ),
        (
            ["photo.png", "-k", 2, "-o", "nowhere/page.html"],
            "-o nowhere/page.html: its folder does not exist; create it, or name "
            "another",
        ),
        (
            ["missing.png", "-k", 2],
            "missing.png: no such file or folder; check the spelling",
        ),
        (
            ["photo.png", "-k", 2, "--tol", -1],
            "--tol must",
        ),
        (
            ["photo.png", "-k", 99999],
            "-k must be at most the number of pixels, 7,500, got 99,999",
        ),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    photo, run, monkeypatch, args, sentence
):
    monkeypatch.chdir(photo.parent)
    before = everything_in(photo.parent)
    status, out, errors = run("explain", *args)
    assert (status, out) == (
        1 if ": no such" in sentence or ": its" in sentence else 2,
        "",
    )
    assert errors.startswith(f"kmeans-np: error: {sentence}")
    assert errors.count("\n") == 1
    assert everything_in(photo.parent) == before


def test_an_input_is_written_over_by_force_only(photo, run):
    before = photo.read_bytes()
    status, _, _ = run("explain", photo, "-k", 2, "-o", photo, "--force")
    assert status == 0
    assert photo.read_bytes() != before


def test_progress_is_shown_and_taken_away(photo, run, monkeypatch):
    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(messages.time, "monotonic", iter(range(10**6)).__next__)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert run("explain", photo, "-k", 4)[0] == 0
    shown = lines_shown(terminal.getvalue())
    assert any("step 2: " in line for line in shown)
    assert shown[-1] == ""


TABLES = {
    "comma.csv": "x,y\n1,2\n1.5,2\n9,9\n8.5,9\n",
    "semicolon.csv": "1;2\n1.5;2\n9;9\n8.5;9",
    "tab.tsv": "# measured\n1\t2\n1.5\t2\n\n9\t9\n8.5\t9\n",
    "space.txt": "length width\r\n1 2\r\n1.5   2\r\n9 9\r\n8.5 9e0\r\n",
    "mark.csv": "\ufeff1,2\n1.5,2 # a note\n9,9\n8.5,9\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_points_are_read_from_a_table(name, tmp_path, run):
    path = tmp_path / name
    path.write_text(TABLES[name], encoding="utf-8", newline="")
    status, _, errors = run("explain", path, "-k", 2, "--n-init", 3)
    assert (status, errors) == (0, "")
    told = run_of(path.with_name(f"{path.stem}-k2.html"))
    assert (told["isImage"], told["n"], told["nInit"]) == (False, 4, 3)
    assert told["end"]["inertia"] == 0.25
    assert told["about"].startswith(name)


def test_points_are_read_from_an_array(tmp_path, run):
    points = np.random.default_rng(0).normal(size=(40, 3))
    np.save(tmp_path / "points.npy", points)
    assert run("explain", tmp_path / "points.npy", "-k", 2)[0] == 0
    told = run_of(tmp_path / "points-k2.html")
    assert (told["isImage"], told["n"]) == (False, 40)
    # Of many columns it is a gray picture, as for the other commands.
    np.save(tmp_path / "gray.npy", np.abs(points @ points.T))
    assert run("explain", tmp_path / "gray.npy", "-k", 2)[0] == 0
    assert run_of(tmp_path / "gray-k2.html")["isImage"]


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("a.csv", b"1,2\n3,x\n", [], "with 'x' in line 2; keep only columns of num"),
        ("a.csv", b"x,y\n1,2\n\n3\n", [], "with 1 number in line 4, not 2; give ev"),
        ("a.csv", b"x,y\n", [], "which has no numbers; pass another file"),
        ("a.csv", b"", [], "which has no numbers"),
        ("a.csv", b"1,5;2\n3,5;4\n", [], "'1,5' in line 1; keep only columns of"),
        ("a.csv", b"\xff\xfe1\x00\n", [], "which has no numbers"),
        ("a.csv", b"1,nan\n2,3\n", [], "finite"),
        ("a.csv", b"1,2\n3,4\n", ["--mask", "m.png"], "--mask must be left out for"),
        ("a.csv", b"1,2\n3,4\n", ["--color-space", "lab"], "--color-space must be le"),
        ("b.csv", None, [], "no such file"),
    ],
)
def test_what_is_no_table_of_points_is_refused(
    name, content, options, words, tmp_path, run
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, out, errors = run("explain", tmp_path / name, "-k", 2, *options)
    given = bool(options) or words == "finite"
    assert (status, out, errors.count("\n")) == (2 if given else 1, "", 1)
    assert words in errors
    assert {path.name for path in tmp_path.iterdir()} <= {name}


def test_color_spaces_and_starts_are_options(photo, run):
    page = photo.with_name("page.html")
    how = ["--color-space", "oklab", "--n-init", 3, "--seed", 5]
    assert run("explain", photo, "-k", 3, "-o", page, *how)[0] == 0
    told = run_of(page)
    expected = explain(read_image(photo), 3, color_space="oklab", n_init=3, rng=5)
    assert told["inertias"] == expected.inertias.tolist()
    assert told["space"] == "oklab"


def test_it_says_how_many_clusters_there_are(run, tmp_path):
    write_image(tmp_path / "two.png", np.uint8([[[0] * 3, [9] * 3]] * 3))
    status, out, errors = run("explain", tmp_path / "two.png", "-k", 5)
    assert status == 0
    assert "only 2 distinct colors" in errors
    assert ": 2 clusters, " in out
