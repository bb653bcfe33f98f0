"""What the command line reads and writes beside files: streams, patterns, layouts."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tables import chosen

from kmeans_np import (
    apply_palette,
    cluster_image,
    read_image,
    sample_image,
    segment_image,
    write_image,
)

PICTURE = sample_image()[::5, ::5]
BANDS = np.random.default_rng(0).integers(0, 900, (6, 30, 40)).astype(np.uint16)


def spawn(*args, data=b"", **options):
    """Run a command in a process of its own, and give it bytes to read."""
    command = [sys.executable, "-m", "kmeans_np", *map(str, args)]
    return subprocess.run(
        command, input=data, capture_output=True, timeout=60, check=False, **options
    )


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def npy(image):
    file = io.BytesIO()
    np.save(file, image)
    return file.getvalue()


# ---- Standard input and output ---------------------------------------------------


@pytest.mark.parametrize("output", chosen([[], ["-o", "-"]], []))
def test_a_picture_goes_through_a_pipe(output, tmp_path):
    found = spawn("segment", "-", "-k", 4, *output, data=png(PICTURE), cwd=tmp_path)
    assert found.returncode == 0
    image = np.asarray(Image.open(io.BytesIO(found.stdout)).convert("RGB"))
    assert np.array_equal(image, segment_image(PICTURE, 4, rng=0))
    assert found.stderr.startswith(b"standard output: 4 colors, best of ")
    assert [*tmp_path.iterdir()] == []


def test_an_array_goes_through_a_pipe(tmp_path):
    how = ("segment", "-", "-k", 3, "--channel-axis", 0)
    found = spawn(*how, data=npy(BANDS), cwd=tmp_path)
    expected = segment_image(BANDS, 3, channel_axis=0, rng=0)
    assert np.array_equal(np.load(io.BytesIO(found.stdout)), expected)


@pytest.mark.parametrize("option", chosen(["--labels", "--overlay"], "--labels"))
def test_another_output_goes_to_standard_output(option, tmp_path):
    data = png(PICTURE[..., 0])
    how = ("segment", "-", "-k", 3, "-o", "out.png", option, "-")
    found = spawn(*how, data=data, cwd=tmp_path)
    assert found.returncode == 0
    assert found.stdout[:4] == b"\x89PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.slow
def test_what_comes_from_standard_input_may_be_written_to_files(tmp_path):
    found = spawn(
        "segment", "-", "-k", 2, "-o", "o.png", data=png(PICTURE), cwd=tmp_path
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.startswith(b"o.png: 2 colors")
    image = read_image(tmp_path / "o.png")
    assert np.array_equal(image, segment_image(PICTURE, 2, rng=0))


def test_a_palette_goes_from_one_command_to_the_next(tmp_path):
    colors = spawn("palette", "-", "-k", 4, "--json", data=png(PICTURE)).stdout
    listed = [row["color"] for row in json.loads(colors)["clusters"]]
    assert listed == cluster_image(PICTURE, 4, rng=0).palette.tolist()
    write_image(tmp_path / "other.png", 255 - PICTURE)
    how = ("segment", "other.png", "--palette", "-", "-o", "o.png")
    assert spawn(*how, data=colors, cwd=tmp_path).returncode == 0
    expected = apply_palette(255 - PICTURE, np.uint8(listed)).image
    assert np.array_equal(read_image(tmp_path / "o.png"), expected)


@pytest.mark.parametrize("option", chosen(["--mask", "--weights"], "--mask"))
def test_what_lies_over_pixels_comes_from_standard_input(option, tmp_path):
    part = np.zeros(PICTURE.shape[:2], np.uint8)
    part[10:50] = 1
    write_image(tmp_path / "photo.png", PICTURE)
    how = ("segment", "photo.png", "-k", 3, option, "-", "--labels", "l.npy")
    found = spawn(*how, data=npy(part), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    over = {"mask": part > 0} if option == "--mask" else {"weights": part}
    expected = cluster_image(PICTURE, 3, rng=0, **over)
    assert np.array_equal(np.load(tmp_path / "l.npy"), expected.labels)


def test_the_page_goes_to_standard_output(tmp_path):
    found = spawn("explain", "-", "-k", 2, data=png(PICTURE), cwd=tmp_path)
    assert found.returncode == 0
    assert found.stdout.startswith(b"<!doctype html>")
    assert [*tmp_path.iterdir()] == []


BAD_STREAMS = {
    "nothing": (["segment", "-", "-k", 2], b"", "standard input: is empty"),
    "text": (
        ["palette", "-", "-k", 2],
        b"hello",
        "standard input: not a readable image",
    ),
    "two": (["segment", "-", "-k", 2, "--mask", "-"], b"", "if IMAGE is -"),
    "several": (["segment", "a.png", "b.png", "-k", 2, "-o", "-"], b"", "be a folder"),
    "two out": (
        ["segment", "-", "-k", 2, "--labels", "-"],
        b"",
        "-o must be given if --labels is -",
    ),
}


@pytest.mark.parametrize("case", BAD_STREAMS)
def test_a_bad_stream_is_one_line(case, tmp_path):
    command, data, words = BAD_STREAMS[case]
    found = spawn(*command, data=data, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (1 if ": " in words else 2, b"")
    lines = found.stderr.decode().splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert "stdin" not in lines[0]


# ---- Patterns --------------------------------------------------------------------


def test_patterns_that_no_shell_expanded(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    for name in ("scans/b.png", "scans/a.png", "[odd].png"):
        write_image(tmp_path / name, PICTURE)
    status, out, _ = run("segment", "scans/*.png", "[odd].png", "-k", 2, "-o", "to/")
    assert status == 0
    places = [line.split(":")[0] for line in out.splitlines()]
    assert places == ["to/a-k2.png", "to/b-k2.png", "to/[odd]-k2.png"]


def test_a_pattern_that_matches_nothing_is_refused(tmp_path, run):
    status, _, err = run("segment", tmp_path / "*.png", "-k", 2)
    assert status == 2
    assert "*.png, which matches none; check the spelling" in err


# ---- Layouts, alpha, weights -----------------------------------------------------


@pytest.mark.parametrize("axis", [0, -3, "none"])
@pytest.mark.parametrize("option", [[], ["--color-space", "rgb", "--normalize"]])
def test_bands_first_and_volumes(axis, option, tmp_path, run):
    np.save(tmp_path / "in.npy", BANDS)
    how = ("-k", 3, "--channel-axis", axis, *option)
    named = ("-o", tmp_path / "out.npy", "--labels", tmp_path / "labels.npy")
    assert run("segment", tmp_path / "in.npy", *how, *named)[0] == 0
    expected = cluster_image(
        BANDS,
        3,
        channel_axis=None if axis == "none" else axis,
        normalize=bool(option),
        rng=0,
    )
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected.image)
    assert np.array_equal(np.load(tmp_path / "labels.npy"), expected.labels)
    status, out, _ = run("palette", tmp_path / "in.npy", *how, "--json")
    assert status == 0
    colors = [row["color"] for row in json.loads(out)["clusters"]]
    assert colors == expected.palette.tolist()
    (tmp_path / "colors.json").write_text(out)
    how = ("--palette", tmp_path / "colors.json", "--channel-axis", axis)
    assert run("segment", tmp_path / "in.npy", *how, *named)[0] == 0
    if not option:
        assert np.array_equal(np.load(tmp_path / "labels.npy"), expected.labels)


def test_a_mask_of_a_volume(tmp_path, run):
    part = BANDS > 300
    np.save(tmp_path / "in.npy", BANDS)
    np.save(tmp_path / "mask.npy", part)
    how = ("-k", 3, "--channel-axis", "none", "--mask", tmp_path / "mask.npy")
    assert (
        run("segment", tmp_path / "in.npy", *how, "--labels", tmp_path / "l.npy")[0]
        == 0
    )
    expected = cluster_image(BANDS, 3, channel_axis=None, mask=part, rng=0)
    assert np.array_equal(np.load(tmp_path / "l.npy"), expected.labels)
    np.save(tmp_path / "mask.npy", part[:, :-1])
    status, _, err = run("segment", tmp_path / "in.npy", *how, "--force")
    assert status == 2
    assert (
        "planes, rows and columns as the picture, 6, 30 and 40, got 6, 29 and 40" in err
    )


@pytest.mark.parametrize("axis", ["two", "1.5", ""])
def test_a_bad_axis_is_one_line(axis, tmp_path, run):
    status, _, err = run("segment", tmp_path / "a.npy", "-k", 2, "--channel-axis", axis)
    assert (status, err.count("\n")) == (2, 1)
    assert "--channel-axis" in err


def test_an_axis_that_is_not_there_is_named_as_the_option(tmp_path, run):
    np.save(tmp_path / "in.npy", BANDS)
    status, _, err = run("segment", tmp_path / "in.npy", "-k", 2, "--channel-axis", 7)
    assert (status, err.count("\n")) == (2, 1)
    assert "error: --channel-axis must be an axis" in err


@pytest.mark.parametrize("answer", ["yes", "no", "auto"])
def test_whether_there_is_alpha_is_said(answer, tmp_path, run):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 4)).astype(np.uint8)
    image[:10, :, 3] = 0
    write_image(tmp_path / "in.png", image)
    labels = tmp_path / "labels.npy"
    how = ("-k", 3, "--alpha", answer, "--labels", labels)
    assert run("segment", tmp_path / "in.png", *how)[0] == 0
    assert (np.load(labels)[:10] == -1).all() == (answer != "no")


def test_weights_count(tmp_path, run):
    weights = np.random.default_rng(0).random(PICTURE.shape[:2])
    expected = cluster_image(PICTURE, 3, weights=weights, rng=0)
    write_image(tmp_path / "in.png", PICTURE)
    np.save(tmp_path / "w.npy", weights)
    how = (tmp_path / "in.png", "-k", 3, "--weights", tmp_path / "w.npy")
    assert run("segment", *how, "--labels", tmp_path / "l.npy")[0] == 0
    assert np.array_equal(np.load(tmp_path / "l.npy"), expected.labels)
    status, out, _ = run("palette", *how, "--json")
    shares = [row["share"] for row in json.loads(out)["clusters"]]
    assert shares == expected.shares.tolist()
    status, out, _ = run("palette", *how)
    assert f"{expected.counts[0]:,.1f} weighted pixels" in out
    np.save(tmp_path / "w.npy", -weights)
    status, _, err = run("palette", *how)
    assert (status, err.count("\n")) == (2, 1)
    assert "--weights must" in err
    for other in ("--shared-palette", "--palette=x"):
        k = [] if "=" in other else ["-k", 3]
        given = (tmp_path / "in.png", "--weights", tmp_path / "w.npy", other, *k)
        status, _, err = run("segment", *given)
        assert status == 2
        assert f"--weights must be left out with {other.split('=')[0]}" in err


# ---- What is there already -------------------------------------------------------

COMMANDS = {
    "segment": ["segment", "in.png", "-k", 2],
    "labels": ["segment", "in.png", "-k", 2, "-o", "named.png", "--labels", "to/"],
    "overlay": ["segment", "in.png", "-k", 2, "-o", "named.png", "--overlay", "to/"],
    "folder": ["segment", "in.png", "-k", 2, "-o", "to/"],
    "page": ["explain", "in.png", "-k", 2],
    "demo": ["demo", "--output", "to/"],
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_file_whose_name_was_not_given_is_not_replaced(
    case, tmp_path, run, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "in.png", PICTURE)
    command = COMMANDS[case]
    assert run(*command)[0] == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    status, _, err = run(*command)
    assert (status, err.count("\n")) == (2, 1)
    assert "already exists; name the output with" in err
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before
    assert run(*command, "--force")[0] == 0


def test_a_file_whose_name_was_given_is_replaced(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "in.png", PICTURE)
    for k in (2, 3):
        assert run("segment", "in.png", "-k", k, "-o", "out.png")[0] == 0
        assert run("explain", "in.png", "-k", k, "-o", "out.html")[0] == 0
        assert run("demo")[0] == 0
    assert len(np.unique(read_image("out.png").reshape(-1, 3), axis=0)) == 3


def test_a_blurring_target_is_noted(tmp_path, run):
    write_image(tmp_path / "in.png", PICTURE)
    for k, suffix in ((3, ".jpg"), (3, ".png"), (1, ".jpg")):
        target = tmp_path / f"out{suffix}"
        status, _, err = run("segment", tmp_path / "in.png", "-k", k, "-o", target)
        assert status == 0
        blurs = (k, suffix) == (3, ".jpg")
        assert ("holds more than the 3 colors; choose .png" in err) is blurs
