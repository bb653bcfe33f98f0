"""The command line, as a person at a shell meets it."""

import importlib.metadata
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kmeans_np.__main__ as cli
from kmeans_np import (
    cluster_image,
    lloyd,
    read_image,
    sample_image,
    segment_image,
    write_image,
)

PICTURE = sample_image()[::5, ::5]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


@pytest.fixture
def photo(tmp_path):
    """A picture in a folder of its own."""
    path = tmp_path / "pictures" / "photo.png"
    path.parent.mkdir()
    write_image(path, PICTURE)
    return path


@pytest.fixture
def run(capsys):
    """Run a command in this process; return its status, its output and its errors."""

    def run(*args):
        try:
            status = cli.main([str(arg) for arg in args])
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


def spawn(*args, program=("-m", "kmeans_np"), **options):
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, *program, *map(str, args)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        **options,
    )


def everything_in(folder):
    """The content of all files in a folder and below."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def colors_of(image):
    return len(np.unique(image.reshape(-1, image.shape[-1]), axis=0))


# ---- segment ---------------------------------------------------------------------


def test_the_segmented_picture_lands_beside_the_input(photo, run, monkeypatch):
    monkeypatch.chdir("/")
    before = photo.read_bytes()
    status, out, err = run("segment", photo, "-k", 4)
    target = photo.with_name("photo-k4.png")
    assert status == 0
    assert re.fullmatch(
        rf"{re.escape(str(target))}: 4 colors after \d+ steps?, until the colors "
        r"hardly moved\n",
        out,
    )
    assert err == ""
    assert sorted(photo.parent.iterdir()) == [target, photo]
    assert photo.read_bytes() == before


@pytest.mark.parametrize("k", [1, 2, 8, 20])
def test_the_segmented_picture_is_that_of_segment_image(photo, run, k):
    assert run("segment", photo, "-k", k)[0] == 0
    image = read_image(photo.with_name(f"photo-k{k}.png"))
    assert np.array_equal(image, segment_image(PICTURE, k, rng=0))
    assert image.shape == PICTURE.shape
    assert colors_of(image) == k


def test_every_option_is_passed_on(photo, run, monkeypatch):
    monkeypatch.chdir(photo.parent)
    status, out, _ = run(
        *("segment", photo, "-k", 6, "--init", "k-means++", "--n-init", 3),
        *("--max-iter", 2, "--tol", 0.5e-6, "--seed", 7, "--output", "x.png"),
    )
    assert status == 0
    assert out == "x.png: 6 colors after 2 steps, which was the limit\n"
    how = {"init": "k-means++", "n_init": 3, "max_iter": 2, "tol": 0.5e-6, "rng": 7}
    assert np.array_equal(read_image("x.png"), segment_image(PICTURE, 6, **how))


def test_tol_0_goes_on_until_nothing_changes(photo, run):
    _, out, _ = run("segment", photo, "-k", 3, "--tol", 0)
    answer = cluster_image(PICTURE, 3, tol=0, rng=0)
    assert answer.stopped_by == "labels"
    assert out.endswith(
        f": 3 colors after {answer.n_iter} steps, until no pixel changed cluster\n"
    )


def test_one_color_and_one_step_are_said_in_the_singular(photo, run):
    _, out, _ = run("segment", photo, "-k", 1, "--max-iter", 1)
    assert ": 1 color after 1 step, " in out


@pytest.mark.parametrize("command", ["segment", "palette"])
def test_the_same_seed_gives_the_same_bytes(photo, run, tmp_path, command):
    def bytes_of(seed):
        output = ["-o", tmp_path / "out.png"] if command == "segment" else []
        how = ["--max-iter", 1, "--n-init", 1, "--seed", seed]
        status, out, _ = run(command, photo, "-k", 8, *how, *output)
        assert status == 0
        return (tmp_path / "out.png").read_bytes() if output else out

    assert bytes_of(0) == bytes_of(0)
    assert bytes_of(0) != bytes_of(1)


def test_the_output_may_be_a_file_or_a_folder(photo, run, tmp_path):
    (tmp_path / "results").mkdir()
    assert run("segment", photo, "-k", 2, "-o", tmp_path / "a.webp")[0] == 0
    status, out, _ = run("segment", photo, "-k", 2, "-o", tmp_path / "results")
    assert status == 0
    target = tmp_path / "results" / "photo-k2.png"
    assert out.startswith(f"{target}: ")
    assert np.array_equal(read_image(target), read_image(tmp_path / "a.webp"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp", ".gif", ".PNG"])
def test_kinds_without_loss_hold_exactly_k_colors(photo, run, tmp_path, suffix):
    assert run("segment", photo, "-k", 5, "-o", tmp_path / f"out{suffix}")[0] == 0
    image = read_image(tmp_path / f"out{suffix}")
    assert np.array_equal(image, segment_image(PICTURE, 5, rng=0))


def test_a_jpeg_goes_in_and_comes_out(tmp_path, run):
    write_image(tmp_path / "photo.jpg", PICTURE)
    assert run("segment", tmp_path / "photo.jpg", "-k", 3)[0] == 0
    assert colors_of(read_image(tmp_path / "photo-k3.png")) == 3
    target = tmp_path / "poster.jpg"
    assert run("segment", tmp_path / "photo.jpg", "-k", 3, "-o", target)[0] == 0
    assert read_image(target).shape == PICTURE.shape


def test_gray_stays_gray_and_16_bits_stay_16_bits(tmp_path, run):
    for name, image in {
        "gray.png": PICTURE[..., 0],
        "deep.png": PICTURE[..., 0].astype(np.uint16) * 257,
    }.items():
        write_image(tmp_path / name, image)
        assert run("segment", tmp_path / name, "-k", 3)[0] == 0
        segmented = read_image(tmp_path / name.replace(".png", "-k3.png"))
        assert segmented.dtype == image.dtype
        assert segmented.shape == image.shape
        assert len(np.unique(segmented)) == 3


def test_alpha_and_transparent_pixels_are_kept(tmp_path, run):
    alpha = np.full(PICTURE.shape[:2], 200, np.uint8)
    alpha[:, :30] = 0
    image = np.dstack([PICTURE, alpha])
    write_image(tmp_path / "cut.png", image)
    assert run("segment", tmp_path / "cut.png", "-k", 3)[0] == 0
    segmented = read_image(tmp_path / "cut-k3.png")
    assert np.array_equal(segmented[..., 3], alpha)
    assert np.array_equal(segmented[:, :30], image[:, :30])
    assert colors_of(segmented[:, 30:]) == 3


@POSIX
def test_the_input_is_not_overwritten(photo, run, tmp_path, monkeypatch):
    monkeypatch.chdir(photo.parent)
    (tmp_path / "link.png").symlink_to(photo)
    (tmp_path / "twin.png").hardlink_to(photo)
    before = everything_in(tmp_path)
    for source, target in [
        (photo, photo),
        (photo, "photo.png"),
        ("photo.png", "./photo.png"),
        (photo, "../pictures/photo.png"),
        (photo, tmp_path / "link.png"),
        (tmp_path / "link.png", photo),
        (photo, tmp_path / "twin.png"),
    ]:
        status, out, err = run("segment", source, "-k", 2, "-o", target)
        assert (status, out) == (2, "")
        assert err == (
            "kmeans-np: error: the output must not be the input, got "
            f"{Path(target)} for both; choose another -o, or --force to overwrite the "
            "input\n"
        )
        assert everything_in(tmp_path) == before


def test_the_input_is_overwritten_by_force(photo, run):
    status, out, err = run("segment", photo, "-k", 2, "-o", photo, "--force")
    assert (status, err) == (0, "")
    assert out.startswith(f"{photo}: 2 colors")
    assert np.array_equal(read_image(photo), segment_image(PICTURE, 2, rng=0))
    assert list(photo.parent.iterdir()) == [photo]


@pytest.mark.parametrize("name", ["out.xyz", "out"])
def test_an_unknown_suffix_is_refused_before_any_work(photo, run, monkeypatch, name):
    def too_late(*_, **__):
        raise AssertionError("the picture was clustered")

    monkeypatch.setattr(cli, "cluster_image", too_late)
    status, out, err = run("segment", photo, "-k", 2, "-o", name)
    assert (status, out) == (2, "")
    assert err == (
        "kmeans-np: error: path must end in one of .png, .jpg, .jpeg, .webp, .tif, "
        f".tiff, .bmp, .gif to be written, got {Path(name)}; choose one of these, such "
        "as .png\n"
    )


def test_an_image_that_cannot_be_so_written_is_refused_before_any_work(
    tmp_path, run, monkeypatch
):
    def too_late(*_, **__):
        raise AssertionError("the picture was clustered")

    monkeypatch.setattr(cli, "cluster_image", too_late)
    opaque = np.full(PICTURE.shape[:2], 255, np.uint8)
    write_image(tmp_path / "alpha.png", np.dstack([PICTURE, opaque]))
    status, _, err = run("segment", tmp_path / "alpha.png", "-k", 2, "-o", "out.jpg")
    assert (status, err.count("\n")) == (2, 1)


def test_a_name_with_a_slash_at_its_end_is_a_folder_to_be_made(photo, run, tmp_path):
    folder = tmp_path / "new" / "results"
    status, out, err = run("segment", photo, "-k", 2, "-o", f"{folder}/")
    assert (status, err) == (0, "")
    assert [path.name for path in folder.iterdir()] == [f"{photo.stem}-k2.png"]
    assert out.startswith(str(folder))


def test_no_folder_is_made_for_a_picture_that_does_not_come(run, tmp_path):
    before = set(tmp_path.rglob("*"))
    assert (
        run("segment", tmp_path / "missing.png", "-k", 2, "-o", f"{tmp_path}/a/")[0]
        == 2
    )
    assert run("demo", "--output", tmp_path / "b", "--seed", -1)[0] == 2
    assert set(tmp_path.rglob("*")) == before


# ---- palette ---------------------------------------------------------------------


def test_the_palette_is_a_line_for_each_color(photo, run):
    status, out, err = run("palette", photo, "-k", 5)
    assert (status, err) == (0, "")
    answer = cluster_image(PICTURE, 5, rng=0)
    lines = out.splitlines()
    assert len({len(line) for line in lines}) == 1, "columns are not aligned"
    rows = [
        re.fullmatch(r"#([0-9a-f]{6})  +([\d.]+)%  +([\d,]+) pixels", line).groups()
        for line in lines
    ]
    assert [[*bytes.fromhex(color)] for color, _, _ in rows] == answer.palette.tolist()
    counts = [int(count.replace(",", "")) for _, _, count in rows]
    assert counts == answer.counts.tolist()
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == PICTURE.shape[0] * PICTURE.shape[1]
    shares = [float(share) for _, share, _ in rows]
    assert np.allclose(shares, 100 * answer.shares, atol=0.005)
    assert np.isclose(sum(shares), 100, atol=0.005 * len(shares))


def test_the_palette_as_json_says_it_all(photo, run):
    status, out, err = run("palette", photo, "-k", 5, "--json")
    assert (status, err) == (0, "")
    answer = cluster_image(PICTURE, 5, rng=0)
    summary = json.loads(out)
    clusters = summary.pop("clusters")
    assert summary == {
        "image": str(photo),
        "inertia": answer.inertia,
        "n_iter": answer.n_iter,
        "stopped_by": answer.stopped_by,
    }
    assert [list(cluster) for cluster in clusters] == [
        ["hex", "color", "count", "share"]
    ] * 5
    assert [cluster["color"] for cluster in clusters] == answer.palette.tolist()
    assert [cluster["count"] for cluster in clusters] == answer.counts.tolist()
    assert np.isclose(sum(cluster["share"] for cluster in clusters), 1)
    for cluster in clusters:
        assert cluster["hex"] == "#{:02x}{:02x}{:02x}".format(*cluster["color"])


def test_the_palette_takes_the_options_of_segment(photo, run):
    how = ["--init", "k-means++", "--n-init", 2, "--max-iter", 3, "--tol", 0]
    _, out, _ = run("palette", photo, "-k", 4, *how, "--seed", 5, "--json")
    answer = cluster_image(
        PICTURE, 4, init="k-means++", n_init=2, max_iter=3, tol=0, rng=5
    )
    assert json.loads(out)["inertia"] == answer.inertia
    assert json.loads(out)["stopped_by"] == "max_iter"


@pytest.mark.parametrize("factor", [1, 257], ids=["8 bits", "16 bits"])
def test_gray_levels_are_shown_as_hex_colors(tmp_path, run, factor):
    gray = np.array([[0, 0, 0, 255, 171, 171]], np.uint16) * factor
    write_image(tmp_path / "gray.png", gray.astype(np.uint8) if factor == 1 else gray)
    _, out, _ = run("palette", tmp_path / "gray.png", "-k", 3)
    assert [line.split()[0] for line in out.splitlines()] == [
        "#000000",
        "#ababab",
        "#ffffff",
    ]


def test_levels_without_a_hex_color_are_shown_as_numbers(tmp_path, run):
    from PIL import Image

    levels = np.array([[0.5, 0.5, -2.0]], np.float32)
    Image.fromarray(levels).save(tmp_path / "heights.tif")
    _, out, _ = run("palette", tmp_path / "heights.tif", "-k", 2)
    assert [line.split()[0] for line in out.splitlines()] == ["0.5", "-2.0"]


def test_transparent_pixels_have_no_share_in_the_palette(tmp_path, run):
    image = np.full((4, 5, 4), 255, np.uint8)
    image[0] = [9, 9, 9, 0]
    image[1] = [255, 0, 0, 255]
    write_image(tmp_path / "cut.png", image)
    _, out, _ = run("palette", tmp_path / "cut.png", "-k", 2)
    assert out == "#ffffff   66.67%  10 pixels\n#ff0000   33.33%   5 pixels\n"


@pytest.mark.parametrize("command", ["segment", "palette"])
def test_more_colors_than_there_are_is_a_note_and_no_error(tmp_path, run, command):
    image = np.zeros((6, 6, 3), np.uint8)
    image[:2] = [255, 0, 0]
    write_image(tmp_path / "flag.png", image)
    status, out, err = run(command, tmp_path / "flag.png", "-k", 7)
    assert status == 0
    assert err == (
        "kmeans-np: note: k = 7 clusters were asked for, the answer has 2: there are "
        "no more distinct colors\n"
    )
    assert ("2 colors after" in out) or out.count("\n") == 2


# ---- demo ------------------------------------------------------------------------


def test_the_demo_writes_what_it_names(tmp_path, run):
    folder = tmp_path / "new" / "demo"
    status, out, err = run("demo", "--output", folder)
    assert (status, err) == (0, "")
    names = ["sample.png", "sample-k2.png", "sample-k4.png", "sample-k8.png"]
    named = [line.split(": ")[0] for line in out.splitlines()]
    assert named == [str(folder / name) for name in [*names, "demo.png"]]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*names, "demo.png"]
    )
    pictures = [read_image(folder / name) for name in names]
    assert np.array_equal(pictures[0], sample_image())
    for k, picture in zip((2, 4, 8), pictures[1:]):
        assert np.array_equal(picture, segment_image(sample_image(), k, rng=0))
        assert colors_of(picture) == k
    # All in a row, opaque, with the colors by their shares below, the largest first.
    sheet = read_image(folder / "demo.png")
    assert sheet.shape == (375 + 36, 4 * 500 + 3 * 12, 4)
    assert not sheet[:, 500:512, 3].any(), "the gaps are not transparent"
    for number, picture in enumerate(pictures):
        panel = sheet[:375, 512 * number :][:, :500]
        assert np.array_equal(panel[..., :3], picture)
        assert (panel[..., 3] == 255).all()
    assert not sheet[375:, :500, 3].any(), "the picture itself has no bar of colors"
    bar = sheet[-1, 512 * 2 :][:500]
    answer = cluster_image(sample_image(), 4, rng=0)
    assert (bar[:, 3] == 255).all()
    assert bar[0, :3].tolist() == answer.palette[0].tolist()
    assert bar[-1, :3].tolist() == answer.palette[-1].tolist()
    for color, share in zip(answer.palette, answer.shares):
        assert abs((bar[:, :3] == color).all(axis=1).sum() - 500 * share) <= 1


def test_the_demo_names_its_folder_when_not_told(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "DEMO_KS", (2,))
    status, out, _ = run("demo")
    assert status == 0
    assert out.startswith(f"{Path('kmeans-np-demo', 'sample.png')}: ")
    assert (tmp_path / "kmeans-np-demo" / "demo.png").is_file()


def test_the_demo_says_what_is_wrong_with_its_folder(tmp_path, run):
    (tmp_path / "file").write_text("in the way")
    assert run("demo", "--output", tmp_path / "file") == (
        2,
        "",
        f"kmeans-np: error: path must be a folder that can be written, got "
        f"{tmp_path / 'file'}, of which the system says: File exists; mend that or "
        "choose another path\n",
    )
    assert (tmp_path / "file").read_text() == "in the way"


# ---- Help and version ------------------------------------------------------------


def test_the_version_is_that_of_the_package(run):
    version = importlib.metadata.version("kmeans-np")
    assert run("--version") == (0, f"kmeans-np {version}\n", "")


def test_help_names_the_commands(run):
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    for command in ("segment", "palette", "demo"):
        assert f"\n    {command} " in out
    assert "COMMAND --help has the options of a command and examples" in out


@pytest.mark.parametrize("command", ["segment", "palette", "demo"])
def test_the_help_of_a_command_has_examples_that_work(run, command):
    status, out, err = run(command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: kmeans-np {command} ")
    examples = out.split("examples:\n")[1].splitlines()
    assert len(examples) >= 2
    for example in examples:
        program, *args = shlex.split(example.split(">")[0])
        assert program == "kmeans-np"
        assert cli.build_parser().parse_args(args).run.__name__ == command


def test_the_help_of_segment_names_every_option_of_segment_image(run):
    _, out, _ = run("segment", "--help")
    for option in ("-k", "--init", "--n-init", "--max-iter", "--tol", "--seed", "-o"):
        assert f"\n  {option}" in out
    assert " ".join(out.split()).count("(default: ") == 6


def test_the_installed_command_is_this_one():
    scripts = importlib.metadata.entry_points(group="console_scripts")
    assert scripts["kmeans-np"].load() is cli.main


# ---- What goes wrong -------------------------------------------------------------

READ = "path must be an image file that can be read, got {folder}/"
FOLDER_FOR_FILE = "which is a folder; check the spelling"
FILE_FOR_FOLDER = "of which a part is a file and not a folder; check the spelling"
DAMAGED = (
    "which is damaged, cut short, no image or of a kind that cannot be read; get it "
    "anew or convert it to PNG"
)
PROBLEMS = {
    "missing": (
        ["{folder}/missing.png", "-k", "2"],
        READ + "missing.png, which does not exist or whose folder does not; check the "
        "spelling",
    ),
    "a folder": (
        ["{folder}/folder", "-k", "2"],
        READ + "folder, " + FOLDER_FOR_FILE,
    ),
    "empty": (
        ["{folder}/empty.png", "-k", "2"],
        "path must be an image file, got {folder}/empty.png, which is empty; get the "
        "file anew",
    ),
    "cut short": (
        ["{folder}/short.png", "-k", "2"],
        "path must be an image file, got {folder}/short.png, " + DAMAGED,
    ),
    "no image": (
        ["{folder}/two\nlines.txt", "-k", "2"],
        "path must be an image file, got {folder}/two lines.txt, " + DAMAGED,
    ),
    "k = 0": (
        ["{folder}/photo.png", "-k", "0"],
        "k must be a whole number of at least 1, got 0; pass the number of clusters to "
        "find, such as 8",
    ),
    "k negative": (
        ["{folder}/photo.png", "-k", "-3"],
        "k must be a whole number of at least 1, got -3; pass the number of clusters "
        "to find, such as 8",
    ),
    "k above the pixels": (
        ["{folder}/photo.png", "-k", "7501"],
        "k must be at most the number of pixels, 7,500, got 7,501; ask for fewer "
        "clusters",
    ),
    "n-init 0": (
        ["{folder}/photo.png", "-k", "2", "--n-init", "0"],
        "--n-init must be a whole number of at least 1, got 0; pass the number of "
        "starts, or 'auto'",
    ),
    "max-iter 0": (
        ["{folder}/photo.png", "-k", "2", "--max-iter", "0"],
        "--max-iter must be a whole number of at least 1, got 0; pass the largest "
        "number of steps",
    ),
    "tol negative": (
        ["{folder}/photo.png", "-k", "2", "--tol", "-1"],
        "tol must be a finite number of at least 0, got -1.0; pass a small number such "
        "as 1e-4, or 0 to go on until nothing changes",
    ),
    "seed negative": (
        ["{folder}/photo.png", "-k", "2", "--seed", "-1"],
        "--seed must be None, a whole number of at least 0 or a "
        "numpy.random.Generator, got -1 (int); pass a seed such as 0 to get the same "
        "result every time",
    ),
    "fully transparent": (
        ["{folder}/clear.png", "-k", "1"],
        "image must have at least one pixel that is not fully transparent, got 6 "
        "transparent ones; pass image[..., :-1] to cluster the hidden colors",
    ),
}
if os.name == "nt":
    del PROBLEMS["a folder"], PROBLEMS["no image"]


@pytest.fixture
def troubles(tmp_path):
    """A folder with one file for each kind of trouble."""
    write_image(tmp_path / "photo.png", PICTURE)
    write_image(tmp_path / "clear.png", np.zeros((2, 3, 4), np.uint8))
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "short.png").write_bytes((tmp_path / "photo.png").read_bytes()[:999])
    if os.name != "nt":
        (tmp_path / "two\nlines.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize("command", ["segment", "palette"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_problem_is_one_line_and_status_2(troubles, run, command, problem):
    args, sentence = PROBLEMS[problem]
    before = everything_in(troubles)
    status, out, err = run(command, *(arg.format(folder=troubles) for arg in args))
    assert err == f"kmeans-np: error: {sentence.format(folder=troubles)}\n"
    assert (status, out) == (2, "")
    assert everything_in(troubles) == before


@POSIX
@pytest.mark.parametrize("source", [".", "..", "/"])
def test_a_folder_as_the_input_is_refused(troubles, run, monkeypatch, source):
    monkeypatch.chdir(troubles / "folder")
    before = everything_in(troubles)
    status, out, err = run("segment", source, "-k", 2)
    assert (status, out) == (2, "")
    assert err == (
        "kmeans-np: error: path must be an image file that can be read, got "
        f"{source}, {FOLDER_FOR_FILE}\n"
    )
    assert everything_in(troubles) == before


UNWRITABLE = {
    "folder missing": (
        "missing/out.png",
        "path must be a file that can be written, got {target}, which does not exist "
        "or whose folder does not; check the spelling",
    ),
    "folder a file": (
        "photo.png/out.png",
        "path must be a file that can be written, got {target}, " + FILE_FOR_FOLDER,
    ),
    "alpha for JPEG": (
        "out.jpg",
        "image must be gray or RGB to be written as uint8 to a .jpg file, got shape "
        "(75, 100, 4); choose other channels, another suffix or another type",
    ),
}


@pytest.mark.parametrize("problem", UNWRITABLE)
def test_a_target_that_cannot_be_written_is_one_line(troubles, run, problem):
    name, sentence = UNWRITABLE[problem]
    opaque = np.full(PICTURE.shape[:2], 255, np.uint8)
    write_image(troubles / "alpha.png", np.dstack([PICTURE, opaque]))
    before = everything_in(troubles)
    source, target = troubles / "alpha.png", troubles / name
    status, out, err = run("segment", source, "-k", 2, "-o", target)
    assert err == f"kmeans-np: error: {sentence.format(target=target)}\n"
    assert (status, out) == (2, "")
    assert everything_in(troubles) == before


USAGE = {
    "no command": (
        [],
        "kmeans-np: error: the following arguments are required: COMMAND; see "
        "kmeans-np --help",
    ),
    "unknown option": (
        ["segment", "photo.png", "-k", "2", "--colour"],
        "kmeans-np: error: unrecognized arguments: --colour; see kmeans-np --help",
    ),
    "two pictures": (
        ["palette", "a.png", "b.png", "-k", "2"],
        "kmeans-np: error: unrecognized arguments: b.png; see kmeans-np --help",
    ),
    "no picture": (
        ["palette", "-k", "2"],
        "kmeans-np palette: error: the following arguments are required: IMAGE; see "
        "kmeans-np palette --help",
    ),
    "no k": (
        ["segment", "photo.png"],
        "kmeans-np segment: error: the following arguments are required: -k; see "
        "kmeans-np segment --help",
    ),
    "k a word": (
        ["segment", "photo.png", "-k", "x"],
        "kmeans-np segment: error: argument -k: invalid int value: 'x'; see kmeans-np "
        "segment --help",
    ),
    "k a float": (
        ["palette", "photo.png", "-k", "2.5"],
        "kmeans-np palette: error: argument -k: invalid int value: '2.5'; see "
        "kmeans-np palette --help",
    ),
    "tol a word": (
        ["segment", "photo.png", "-k", "2", "--tol", "low"],
        "kmeans-np segment: error: argument --tol: invalid float value: 'low'; see "
        "kmeans-np segment --help",
    ),
    "an option without its value": (
        ["segment", "photo.png", "-k"],
        "kmeans-np segment: error: argument -k: expected one argument; see kmeans-np "
        "segment --help",
    ),
}


@pytest.mark.parametrize("problem", USAGE)
def test_wrong_usage_is_one_line_and_status_2(run, problem):
    args, line = USAGE[problem]
    assert run(*args) == (2, "", line + "\n")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["cluster", "photo.png"], ["COMMAND", "'cluster'", "segment", "palette"]),
        (["segment", "a.png", "-k", "2", "--init", "x"], ["--init", "random", "'x'"]),
        (["segment", "a.png", "-k", "2", "--n-init", "x"], ["--n-init", "'x'"]),
    ],
    ids=["unknown command", "unknown init", "n-init a word"],
)
def test_a_wrong_choice_is_one_line_that_names_it(run, args, words):
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert re.fullmatch(r"kmeans-np.*: error: .*; see kmeans-np.* --help\n", err)
    assert all(word in err for word in words)


def test_a_lack_of_memory_is_one_line(photo, run, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr(cli, "cluster_image", no_memory)
    assert run("segment", photo, "-k", 2) == (
        2,
        "",
        "kmeans-np: error: not enough memory for this picture\n",
    )


def test_an_interruption_is_one_line_and_status_130(photo, run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "cluster_image", interrupted)
    before = everything_in(photo.parent)
    assert run("segment", photo, "-k", 2) == (130, "", "kmeans-np: stopped\n")
    assert everything_in(photo.parent) == before


# ---- Progress --------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stderr at which a person waits."""

    def isatty(self):
        return True


def lines_shown(text):
    """Split what a terminal got at each return to the start of the line."""
    return text.split("\r\x1b[K")


def test_a_person_at_a_terminal_sees_each_step_of_long_work(photo, run, monkeypatch):
    monkeypatch.setattr(cli, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(cli.time, "monotonic", iter(range(10**6)).__next__)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    how = ("--n-init", 1, "--tol", 0, "--max-iter", 3)
    status, _, _ = run("segment", photo, "-k", 40, *how)
    assert status == 0
    first, *steps, last = lines_shown(terminal.getvalue())
    assert (first, last) == ("", ""), "the line is not taken away at the end"
    assert steps[0] == "step 1: 7,500 pixels changed cluster"
    assert len(steps) == 3
    for number, step in enumerate(steps, 1):
        assert re.fullmatch(rf"step {number}: [\d,]+ pixels changed cluster", step)


def test_short_work_shows_no_progress(photo, run, monkeypatch):
    monkeypatch.setattr(cli.time, "monotonic", lambda: 42.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run("segment", photo, "-k", 4)
    assert terminal.getvalue() == ""


def test_progress_is_shown_ten_times_a_second_at_most(photo, run, monkeypatch):
    monkeypatch.setattr(cli, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(cli.time, "monotonic", lambda: 42.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run("segment", photo, "-k", 4)
    assert len(lines_shown(terminal.getvalue())) == 3  # nothing, one step, nothing


def test_progress_is_taken_away_before_an_error(photo, run, monkeypatch):
    def interrupted(*_, callback, **__):
        callback(next(lloyd(PICTURE[0], PICTURE[0, :2])))
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(cli, "cluster_image", interrupted)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    status, _, _ = run("segment", photo, "-k", 2)
    assert status == 130
    assert lines_shown(terminal.getvalue())[-1] == "kmeans-np: stopped\n"


# Enough steps for a minute, so that it is surely still running when it is stopped.
LONG_JOB = ["-k", 200, "--tol", 0, "--n-init", 1000]
AT_ONCE = (
    "-c",
    # What a shell starts in the background ignores control-C: not this.
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "import sys, kmeans_np.__main__ as cli; cli.SECONDS_BEFORE_PROGRESS = 0; "
    "sys.exit(cli.main(sys.argv[1:]))",
)


def at_a_terminal(*args):
    """Start a command whose stderr is a terminal; return it and the other end."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *AT_ONCE, *map(str, args)],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def rest_of(terminal):
    """Read a terminal until nobody writes to it any more."""
    text = b""
    try:
        while part := os.read(terminal, 10_000):
            text += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    return text.decode()


@POSIX
def test_a_real_terminal_shows_progress_and_is_left_clean(photo):
    process, terminal = at_a_terminal("segment", photo, "-k", 16, "--tol", 0)
    shown = lines_shown(rest_of(terminal))
    assert process.wait(60) == 0
    assert len(shown) > 2
    assert shown[0] == shown[-1] == ""
    for step in shown[1:-1]:
        assert re.fullmatch(r"step \d+: [\d,]+ pixels changed cluster", step)


@POSIX
def test_control_c_stops_a_long_run_at_once_and_leaves_nothing(photo):
    process, terminal = at_a_terminal("segment", photo, *LONG_JOB)
    begun = os.read(terminal, 10_000)
    process.send_signal(signal.SIGINT)
    shown = begun.decode() + rest_of(terminal)
    assert process.wait(60) == 130
    assert shown.startswith("\r\x1b[Kstep 1: ")
    assert lines_shown(shown)[-1] == "kmeans-np: stopped\r\n"
    assert list(photo.parent.iterdir()) == [photo]


def test_pipes_are_quiet(photo):
    done = spawn("segment", photo, "-k", 16, program=AT_ONCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


# ---- Real processes --------------------------------------------------------------


def test_the_module_runs(photo):
    done = spawn("segment", photo, "-k", 3)
    target = photo.with_name("photo-k3.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{target}: 3 colors after ")
    assert np.array_equal(read_image(target), segment_image(PICTURE, 3, rng=0))


def test_a_process_fails_with_one_line_and_status_2(tmp_path):
    done = spawn("segment", tmp_path / "missing.png", "-k", 3)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "kmeans-np: error: path must be an image file that can be read, got "
        f"{tmp_path / 'missing.png'}, which does not exist or whose folder does not; "
        "check the spelling\n"
    )


def test_a_process_without_a_command_fails_with_one_line_and_status_2():
    done = spawn()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "kmeans-np: error: the following arguments are required: COMMAND; see "
        "kmeans-np --help\n"
    )


def in_a_shell(line, *args, buffered=True):
    """Run a line of shell, in which "$@" is the command."""
    command = [sys.executable, "-m", "kmeans_np", *map(str, args)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@POSIX
@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
def test_a_reader_that_has_seen_enough_is_no_error(photo, buffered):
    line = '{ "$@"; echo status $? >&2; } | head -0'
    done = in_a_shell(line, "palette", photo, "-k", 3, buffered=buffered)
    assert (done.stdout, done.stderr) == ("", "status 0\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_output_that_cannot_be_written_is_one_line(photo):
    done = in_a_shell('"$@" > /dev/full', "palette", photo, "-k", 3)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"kmeans-np: error: .*No space left on device\n", done.stderr)


@POSIX
@pytest.mark.parametrize("stream", ["", "2"], ids=["stdout", "stderr"])
def test_a_closed_stream_is_no_error(photo, stream):
    done = in_a_shell(f'"$@" {stream}>&-', "segment", photo, "-k", 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert photo.with_name("photo-k3.png").is_file()


@POSIX
def test_an_error_does_not_go_to_stdout_when_stderr_is_closed(tmp_path):
    done = in_a_shell('"$@" 2>&-', "palette", tmp_path / "missing.png", "-k", 3)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_a_name_that_cannot_be_printed_is_escaped(tmp_path):
    write_image(tmp_path / "été.png", PICTURE)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = spawn("segment", tmp_path / "été.png", "-k", 2, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xe9t\\xe9-k2.png: 2 colors" in done.stdout
    assert (tmp_path / "été-k2.png").is_file()
