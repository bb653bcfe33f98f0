"""The command line, as a person at a shell meets it."""

import importlib.metadata
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sample import SAMPLE, labels_in
from tables import crossed

import kmeans_np.__main__ as cli
from kmeans_np import (
    __version__,
    apply_palette,
    cluster_image,
    interrupt,
    lloyd,
    read_image,
    sample_image,
    segment_image,
    write_image,
)
from kmeans_np.cli import arguments, clusters, commands, messages

PICTURE = SAMPLE[::5, ::5]
ROOT = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


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
    channels = image.shape[-1]
    places = np.uint64(2**16) ** np.arange(channels, dtype=np.uint64)
    return len(np.unique(image.reshape(-1, channels).astype(np.uint64) @ places))


# ---- segment ---------------------------------------------------------------------


def test_the_segmented_picture_lands_beside_the_input(photo, run, monkeypatch):
    monkeypatch.chdir("/")
    before = photo.read_bytes()
    status, out, err = run("segment", photo, "-k", 4)
    target = photo.with_name("photo-k4.png")
    assert status == 0
    assert re.fullmatch(
        rf"{re.escape(str(target))}: 4 colors, best of 10 starts, "
        r"converged in \d+ steps? on all pixels\n",
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
    end = "stopped at the limit of 2 steps on all pixels"
    assert out == f"x.png: 6 colors, best of 3 starts, {end}\n"
    how = {"init": "k-means++", "n_init": 3, "max_iter": 2, "tol": 0.5e-6, "rng": 7}
    assert np.array_equal(read_image("x.png"), segment_image(PICTURE, 6, **how))


def test_tol_0_goes_on_until_nothing_changes(photo, run):
    _, out, _ = run("segment", photo, "-k", 3, "--tol", 0)
    answer = cluster_image(PICTURE, 3, tol=0, rng=0)
    assert answer.stopped_by == "labels"
    assert out.endswith(
        f": 3 colors, best of 10 starts, converged in {answer.n_iter} steps on all "
        "pixels\n"
    )


def test_one_color_and_one_step_are_said_in_the_singular(photo, run):
    _, out, _ = run("segment", photo, "-k", 1, "--max-iter", 1)
    assert ": 1 color, best of 10 starts, converged in 1 step" in out


@pytest.mark.parametrize("command", ["segment", "palette"])
def test_the_same_seed_gives_the_same_bytes(photo, run, tmp_path, command):
    def bytes_of(seed):
        output = ["-o", tmp_path / "out.png"] if command == "segment" else []
        how = ["--max-iter", 1, "--n-init", 1, "--seed", seed]
        status, out, _ = run(command, photo, "-k", 40, *how, *output)
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
            f"kmeans-np: error: the output must not be an input, got {Path(target)} "
            "for -o; write it to another file or folder, or pass --force to write over "
            "the input\n"
        )
        assert everything_in(tmp_path) == before


def test_the_input_is_overwritten_by_force(photo, run):
    status, out, err = run("segment", photo, "-k", 2, "-o", photo, "--force")
    assert (status, err) == (0, "")
    assert out.startswith(f"{photo}: 2 colors")
    assert np.array_equal(read_image(photo), segment_image(PICTURE, 2, rng=0))
    assert list(photo.parent.iterdir()) == [photo]


def test_an_unknown_suffix_is_refused_before_any_work(photo, run, monkeypatch):
    def too_late(*_, **__):
        raise AssertionError("the picture was clustered")

    monkeypatch.setattr(clusters, "cluster_image", too_late)
    status, out, err = run("segment", photo, "-k", 2, "-o", "out.xyz")
    assert (status, out) == (2, "")
    assert err == (
        "kmeans-np: error: -o must end in one of .png, .jpg, .jpeg, .webp, .tif, "
        ".tiff, .bmp, .gif, .npy, .zarr to be written, got out.xyz; choose one of "
        "these, such as .png\n"
    )


def test_an_image_that_cannot_be_so_written_is_refused_before_any_work(
    tmp_path, run, monkeypatch
):
    def too_late(*_, **__):
        raise AssertionError("the picture was clustered")

    monkeypatch.setattr(clusters, "cluster_image", too_late)
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
        == 1
    )
    assert run("demo", "--output", tmp_path / "b", "--seed", -1)[0] == 2
    assert set(tmp_path.rglob("*")) == before


# ---- Several pictures ------------------------------------------------------------


@pytest.fixture
def photos(photo):
    """Three pictures in a folder: the photo, one upside down, and one of noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    paths = [photo, photo.with_name("mirror.png"), photo.with_name("noise.png")]
    write_image(paths[1], PICTURE[::-1])
    write_image(paths[2], noise)
    return paths


def test_each_of_several_pictures_is_as_it_is_alone(photos, run):
    status, out, err = run("segment", *photos, "-k", 3)
    assert (status, err) == (0, "")
    targets = [path.with_name(f"{path.stem}-k3.png") for path in photos]
    assert [line.split(": ")[0] for line in out.splitlines()] == [*map(str, targets)]
    for path, target in zip(photos, targets):
        segmented = segment_image(read_image(path), 3, rng=0)
        assert np.array_equal(read_image(target), segmented)


def test_each_picture_is_told_when_it_is_done(photos, monkeypatch):
    told, out = [], io.TextIOWrapper(io.BytesIO())

    def watched(*args, **options):
        told.append(out.buffer.getvalue().count(b"\n"))
        return cluster_image(*args, **options)

    monkeypatch.setattr(clusters, "cluster_image", watched)
    monkeypatch.setattr(sys, "stdout", out)
    assert cli.main(["segment", *map(str, photos), "-k", "2"]) == 0
    assert told == [0, 1, 2]


@pytest.mark.parametrize("there", [True, False])
def test_several_pictures_go_to_a_folder(photos, run, tmp_path, there):
    folder = tmp_path / "new" / "results"
    if there:
        folder.mkdir(parents=True)
    given = folder if there else f"{folder}/"
    for option, ending in (("-o", "k2"), ("--labels", "labels")):
        status, _, err = run("segment", *photos, "-k", 2, option, given)
        assert (status, err) == (0, "")
        names = {f"{path.stem}-{ending}.png" for path in photos}
        assert names <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("option", ["-o", "--labels", "--overlay"])
@pytest.mark.parametrize("name", ["missing", "out.png", "photo.png"])
def test_several_pictures_are_not_written_to_one_file(photos, run, option, name):
    before = everything_in(photos[0].parent)
    target = photos[0].with_name(name)
    status, out, err = run("segment", *photos, "-k", 2, option, target)
    assert (status, out) == (2, "")
    assert err == (
        f"kmeans-np: error: {option} must be a folder for several pictures, got "
        f"{target}, which is not one; add / at its end to make it one\n"
    )
    assert everything_in(photos[0].parent) == before


@pytest.mark.parametrize("how", [[], ["--shared-palette"]], ids=["", "shared"])
def test_the_others_are_done_when_some_are_bad(photos, run, how):
    photo, mirror, noise = photos
    missing = photo.with_name("missing.png")
    short = photo.with_name("short.png")
    short.write_bytes(photo.read_bytes()[:999])
    clear = photo.with_name("clear.png")
    write_image(clear, np.zeros((2, 3, 4), np.uint8))
    paths = [missing, photo, short, mirror, clear, noise]
    status, out, err = run("segment", *paths, "-k", 2, *how)
    assert status == 1
    lines = err.splitlines()
    for path, line in zip([missing, short, clear], lines, strict=True):
        assert line.startswith("kmeans-np: error: ")
        assert str(path) in line
    written = [path.with_name(f"{path.stem}-k2.png") for path in photos]
    named = [line.split(": ")[0] for line in out.splitlines()]
    assert [name for name in named if "palette" not in name] == [*map(str, written)]
    assert {*photo.parent.iterdir()} == {*photos, short, clear, *written}


def test_an_error_that_names_no_file_gets_its_name(photo, run, monkeypatch):
    monkeypatch.chdir(photo.parent)
    write_image("small.png", PICTURE[:2, :2])
    Path("small.png").rename("a")
    status, out, err = run("segment", "photo.png", "a", "-k", 5)
    assert status == 1
    assert out.startswith("photo-k5.png: ")
    assert err == (
        "kmeans-np: error: a: -k must be at most the number of pixels, 4, got 5; ask "
        "for fewer clusters\n"
    )


@POSIX
def test_a_note_names_its_picture(photos, run):
    flag = photos[0].with_name("two\nlines.png")
    write_image(flag, np.uint8([[[0, 0, 0], [9, 9, 9], [9, 9, 9]]]))
    status, _, err = run("segment", photos[0], flag, "-k", 3)
    assert status == 0
    assert err == (
        f"kmeans-np: note: {photos[0].parent}/two\\nlines.png: asked for k = 3, but "
        "there are only 2 distinct colors\n"
    )


@pytest.mark.parametrize(
    "how", [["-k", 0], ["--seed", -1], ["--tol", -1], ["--position-weight", -1]]
)
def test_what_no_picture_could_mend_is_one_line_for_all(photos, run, how):
    k = [] if "-k" in how else ["-k", 2]
    status, out, err = run("segment", *photos, *k, *how)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"kmeans-np: error: {how[0]} must be ")


def test_a_lack_of_memory_spares_the_other_pictures(photos, run, monkeypatch):
    def little_memory(image, *args, **options):
        if image.shape == PICTURE.shape:
            raise MemoryError
        return cluster_image(image, *args, **options)

    monkeypatch.setattr(clusters, "cluster_image", little_memory)
    status, out, err = run("segment", *photos, "-k", 2)
    assert status == 1
    assert err.splitlines() == [
        f"kmeans-np: error: {path}: not enough memory for this picture"
        for path in photos[:2]
    ]
    assert out.startswith(f"{photos[2].with_name('noise-k2.png')}: ")


def test_an_interruption_ends_it_for_all_pictures(photos, run, monkeypatch):
    def interrupted(image, *args, **options):
        if image.shape != PICTURE.shape:
            raise KeyboardInterrupt
        return cluster_image(image, *args, **options)

    monkeypatch.setattr(clusters, "cluster_image", interrupted)
    done = photos[0].with_name("photo-k2.png")
    status, out, err = run("segment", photos[0], photos[2], photos[1], "-k", 2)
    assert (status, err) == (130, "kmeans-np: stopped\n")
    assert out.startswith(f"{done}: ")
    assert {*done.parent.iterdir()} == {*photos, done}


def test_two_pictures_with_the_same_output_are_refused(photos, run, tmp_path):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "photo.png"
    gif = photos[0].with_suffix(".gif")
    write_image(twin, PICTURE)
    write_image(gif, PICTURE // 64 * 64)
    before = everything_in(tmp_path)
    for other, output in ((twin, [f"{tmp_path}/new/"]), (gif, []), (photos[0], [])):
        folder = Path(*output) if output else photos[0].parent
        options = ["-o", *output] if output else []
        status, out, err = run("segment", photos[0], other, "-k", 2, *options)
        assert (status, out) == (2, "")
        assert err == (
            f"kmeans-np: error: the outputs must be different files, got "
            f"{folder / 'photo-k2.png'} for {photos[0]} and for {other}; rename one or "
            "leave it out\n"
        )
    assert everything_in(tmp_path) == before


def test_two_ways_to_the_same_output_are_refused(photo, run, monkeypatch):
    monkeypatch.chdir(photo.parent)
    status, out, err = run("segment", "photo.png", photo, "-k", 2)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the outputs must be different files" in err


def test_an_output_that_is_another_input_is_refused(photos, run):
    """As when all pictures of a folder are segmented for the second time."""
    folder = photos[0].parent
    assert run("segment", *photos, "-k", 2)[0] == 0
    again, before = sorted(folder.iterdir()), everything_in(folder)
    status, out, err = run("segment", *again, "-k", 2)
    assert (status, out) == (2, "")
    assert err == (
        f"kmeans-np: error: the output must not be an input, got "
        f"{folder / 'mirror-k2.png'} for {folder / 'mirror.png'}; write it to another "
        "file or folder, or pass --force to write over the input\n"
    )
    assert everything_in(folder) == before
    assert run("segment", *again, "-k", 2, "--force")[0] == 0


# ---- One palette for several pictures --------------------------------------------


def alike(kind):
    """Three pictures of a kind, and how they are called."""
    images = [PICTURE, PICTURE[:40, ::-1] // 2, 255 - PICTURE[:, :30]]
    if kind in ("gray", "gray of 16 bits", "floats"):
        images = [image[..., 1] for image in images]
    if kind == "gray of 16 bits":
        images = [image.astype(np.uint16) * 200 for image in images]
    if kind == "floats":
        images = [np.float32(image) / 7 for image in images]
    if kind == "RGBA":
        alphas = [np.uint8(image[..., :1] // 90 * 90) for image in images]
        images = [np.concatenate(both, 2) for both in zip(images, alphas)]
    return images


def write_all(folder, images, suffix=".png"):
    paths = [folder / f"{number}{suffix}" for number in range(len(images))]
    for path, image in zip(paths, images):
        write_image(path, image)
    return paths


def as_one(images):
    """All pixels of some pictures as one picture with one row."""
    return np.concatenate([i.reshape(1, -1, *i.shape[2:]) for i in images], axis=1)


def taken_apart(row, images):
    """The parts of such a row, as pictures again."""
    ends = np.cumsum([image.shape[0] * image.shape[1] for image in images])[:-1]
    parts = np.split(row, ends, axis=1)
    return [part.reshape(like.shape[: part.ndim]) for part, like in zip(parts, images)]


KINDS = ["RGB", "gray", "RGBA", "gray of 16 bits", "floats"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_palette_is_that_of_all_pixels_together(tmp_path, run, kind):
    images = alike(kind)
    suffix = ".tif" if kind == "floats" else ".png"
    paths = write_all(tmp_path, images, suffix)
    folder = f"{tmp_path}/out/"
    status, out, err = run(
        *("segment", *paths, "-k", 4, "--shared-palette", "--tol", 0),
        *("-o", folder, "--labels", folder),
    )
    assert (status, err) == (0, "")
    answer = cluster_image(as_one(images), 4, rng=0, tol=0)
    assert out.startswith(
        "one palette for 3 pictures: 4 colors, best of 10 starts, converged in "
        f"{answer.n_iter} steps on all pixels\n"
    )
    labels = taken_apart(answer.labels, images)
    for number, image in enumerate(images):
        segmented = read_image(tmp_path / "out" / f"{number}-k4{suffix}")
        expected = answer.apply(image)
        assert np.array_equal(segmented, expected.image)
        assert np.array_equal(expected.labels, labels[number])
        found = labels_in(tmp_path / "out" / f"{number}-labels.png")
        assert np.array_equal(found, labels[number].astype(np.uint8))  # -1 is 255


@pytest.mark.slow
def test_the_palette_does_not_depend_on_the_order(photos, run, tmp_path):
    def written(paths, folder):
        folder = tmp_path / folder
        command = ("segment", *paths, "-k", 5, "--shared-palette", "-o", f"{folder}/")
        assert run(*command)[0] == 0
        return everything_in(folder)

    assert written(photos, "a") == written(photos[::-1], "b")


def test_a_color_is_used_in_several_pictures_or_in_one(tmp_path, run):
    images = [np.uint8([[[9, 9, 9], [99, 0, 0]]]), np.uint8([[[9, 9, 9]] * 3])]
    paths = write_all(tmp_path, images)
    status, out, _ = run("segment", *paths, "-k", 2, "--shared-palette")
    assert status == 0
    assert out.splitlines()[1:] == [
        f"{tmp_path / '0-k2.png'}: 2 of 2 colors used",
        f"{tmp_path / '1-k2.png'}: 1 of 2 colors used",
    ]


def test_a_picture_of_another_kind_is_left_out(tmp_path, run):
    gray = PICTURE[..., 0]
    images = [PICTURE, gray, gray.astype(np.uint16), PICTURE[::-1]]
    paths = write_all(tmp_path, images)
    status, out, err = run("segment", *paths, "-k", 3, "--shared-palette")
    assert status == 1
    begin = (
        "kmeans-np: error: image must be RGB of type uint8, as the first one is, got"
    )
    assert err.splitlines() == [
        f"{begin} {paths[1]}, which is gray of type uint8; convert it",
        f"{begin} {paths[2]}, which is gray of type uint16; convert it",
    ]
    assert out.startswith("one palette for 2 pictures: 3 colors")
    answer = cluster_image(as_one([images[0], images[3]]), 3, rng=0)
    expected = answer.apply(images[3]).image
    assert np.array_equal(read_image(tmp_path / "3-k3.png"), expected)


@pytest.mark.parametrize("names", [["a.png"], ["a.png", "b.png"]])
def test_there_is_no_palette_of_pictures_that_are_all_bad(run, names):
    status, out, err = run("segment", *names, "-k", 2, "--shared-palette")
    assert (status, out, err.count("\n")) == (1, "", len(names))


@pytest.mark.parametrize("k", [3, 6])
def test_more_colors_than_all_pictures_have_is_one_note(tmp_path, run, k):
    image = np.uint8([[[0, 0, 0], [9, 9, 9], [9, 9, 9]]])
    paths = write_all(tmp_path, [image, image])
    status, _, err = run("segment", *paths, "-k", k, "--shared-palette")
    assert status == 0
    assert err == (
        f"kmeans-np: note: asked for k = {k}, but there are only 2 distinct colors\n"
    )
    assert np.array_equal(read_image(tmp_path / f"0-k{k}.png"), image)
    assert run("segment", *paths, "-k", 7, "--shared-palette")[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", [["--color-space", "lab"], ["--normalize"]])
def test_one_palette_in_other_features(tmp_path, run, how):
    images = alike("RGB")
    paths = write_all(tmp_path, images)
    command = ("segment", *paths, "-k", 4, "--shared-palette", "--tol", 0, *how)
    assert run(*command)[0] == 0
    features = {"color_space": "lab"} if "lab" in how else {"normalize": True}
    answer = cluster_image(as_one(images), 4, rng=0, tol=0, **features)
    for path, part in zip(paths, taken_apart(answer.labels, images)):
        segmented = read_image(path.with_name(f"{path.stem}-k4.png"))
        assert np.array_equal(segmented, answer.palette[part])


def test_a_mask_is_for_all_pictures(tmp_path, run):
    images = [PICTURE, PICTURE[::-1], 255 - PICTURE]
    paths = write_all(tmp_path, images)
    part = np.zeros(PICTURE.shape[:2], bool)
    part[10:50, 20:] = True
    write_image(tmp_path / "mask.png", part * np.uint8(255))
    masked = as_one([image[part][np.newaxis] for image in images])
    for how, answer in (
        ([], cluster_image(PICTURE, 3, mask=part, rng=0)),
        (["--shared-palette"], cluster_image(masked, 3, rng=0)),
    ):
        command = ("segment", *paths, "-k", 3, "--mask", tmp_path / "mask.png", *how)
        assert run(*command, "--force")[0] == 0
        expected = answer.apply(PICTURE, mask=part).image
        assert np.array_equal(read_image(tmp_path / "0-k3.png"), expected)


# ---- Masks -----------------------------------------------------------------------

PART = np.zeros(PICTURE.shape[:2], bool)
PART[10:60, 30:90] = True


@pytest.mark.parametrize("command", ["segment", "palette"])
def test_a_mask_says_what_takes_part(photo, run, tmp_path, command):
    write_image(tmp_path / "mask.png", PART * np.uint8(255))
    how = ["-k", 3, "--mask", tmp_path / "mask.png"]
    answer = cluster_image(PICTURE, 3, mask=PART, rng=0)
    if command == "palette":
        _, out, _ = run("palette", photo, *how, "--json")
        counts = [cluster["count"] for cluster in json.loads(out)["clusters"]]
        assert counts == answer.counts.tolist()
        assert sum(counts) == PART.sum()
    else:
        assert run("segment", photo, *how)[0] == 0
        segmented = read_image(photo.with_name("photo-k3.png"))
        assert np.array_equal(segmented, answer.image)
        assert np.array_equal(segmented[~PART], PICTURE[~PART])


BLUE, RED_HIDDEN = [0, 0, 1], [255, 0, 0, 0]
MASKS = {
    "gray": (np.uint8([[0, 1, 255]]), [[False, True, True]]),
    "gray of 16 bits": (np.uint16([[0, 1, 65535]]), [[False, True, True]]),
    "floats": (np.float32([[0, -0.5, np.nan]]), [[False, True, False]]),
    "gray with alpha": (np.uint8([[[0, 255], [9, 1], [9, 0]]]), [[False, True, False]]),
    "RGB": (np.uint8([[[0, 0, 0], BLUE, [9, 9, 9]]]), [[False, True, True]]),
    "RGBA": (
        np.uint8([[[0, 0, 0, 255], [*BLUE, 1], RED_HIDDEN]]),
        [[False, True, False]],
    ),
}


@pytest.mark.parametrize("kind", MASKS)
def test_pixels_that_are_black_or_transparent_in_the_mask_take_no_part(
    tmp_path, run, kind
):
    image, part = MASKS[kind]
    write_image(tmp_path / "mask.tif", image)
    path = tmp_path / "picture.tif"
    write_image(path, np.uint8([[10, 20, 30]]))
    status, *_ = run(
        *("segment", path, "-k", 1, "--mask", tmp_path / "mask.tif"),
        *("--labels", tmp_path / "labels.npy"),
    )
    assert status == 0
    assert (np.load(tmp_path / "labels.npy") == 0).tolist() == part


BAD_MASKS = {
    "missing": (
        None,
        "--mask {mask}: no such file or folder; check the spelling",
    ),
    "another size": (
        PART[:, :99] * np.uint8(1),
        "--mask must have as many rows and columns as the picture, 75 and 100, got 75 "
        "and 99; make it of the same size",
    ),
    "turned": (
        PART.T * np.uint8(1),
        "--mask must have as many rows and columns as the picture, 75 and 100, got "
        "100 and 75; make it of the same size",
    ),
    "black": (
        PART * np.uint8(0),
        "--mask must include at least one pixel, got {mask}, which is black or "
        "transparent everywhere; paint the pixels to include white",
    ),
}


@pytest.mark.parametrize("how", [[], ["--shared-palette"]], ids=["", "shared"])
@pytest.mark.parametrize("problem", BAD_MASKS)
def test_a_bad_mask_is_one_line(photo, run, tmp_path, problem, how):
    image, sentence = BAD_MASKS[problem]
    mask = tmp_path / "mask.png"
    if image is not None:
        write_image(mask, image)
    before = everything_in(tmp_path)
    status, out, err = run("segment", photo, "-k", 2, "--mask", mask, *how)
    # A mask that is not there is one thing, a mask that does not fit another.
    assert (status, out) == (1 if image is None or how else 2, "")
    assert err == f"kmeans-np: error: {sentence.format(mask=mask)}\n"
    assert everything_in(tmp_path) == before


def test_a_mask_that_leaves_only_transparent_pixels_is_one_line(tmp_path, run):
    image = np.zeros((2, 3, 4), np.uint8)
    image[0, 0] = 255
    write_image(tmp_path / "icon.png", image)
    write_image(tmp_path / "mask.png", 255 - image[..., 3])
    how = ["-k", 1, "--mask", tmp_path / "mask.png"]
    status, out, err = run("segment", tmp_path / "icon.png", *how)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("kmeans-np: error: --mask must include at least one pixel ")
    assert "; pass another mask, or --alpha no to cluster the hidden colors\n" in err
    assert run("segment", tmp_path / "icon.png", *how, "--alpha", "no")[0] == 0


# ---- Labels and overlays ---------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npy", ".png", ".tif", ".TIFF"])
def test_labels_are_written_as_they_are(photo, run, tmp_path, suffix):
    write_image(tmp_path / "mask.png", PART * np.uint8(255))
    target = tmp_path / f"labels{suffix}"
    status, out, err = run(
        *("segment", photo, "-k", 5, "--mask", tmp_path / "mask.png"),
        *("--labels", target),
    )
    assert (status, err) == (0, "")
    npy, signed = suffix == ".npy", suffix != ".png"
    labels = labels_in(target)
    expected = cluster_image(PICTURE, 5, mask=PART, rng=0).labels
    assert labels.dtype == (np.int8 if npy else np.int32 if signed else np.uint8)
    assert np.array_equal(labels, expected.astype(labels.dtype))
    nowhere = -1 if signed else 255
    assert (labels[~PART] == nowhere).all()
    assert out.splitlines()[1] == (
        f"{target}: labels 0 to 4, and {nowhere} for pixels that take no part"
    )


@pytest.mark.parametrize(("k", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_more_labels_than_a_byte_holds_take_two(tmp_path, run, k, dtype):
    image = np.arange(300, dtype=np.uint16).reshape(10, 30) * 200
    part = np.ones(image.shape, np.uint8)
    part[0, 0] = 0
    write_image(tmp_path / "deep.png", image)
    write_image(tmp_path / "mask.png", part)
    target = tmp_path / "labels.png"
    how = ["--mask", tmp_path / "mask.png", "--labels", target]
    assert run("segment", tmp_path / "deep.png", "-k", k, *how)[0] == 0
    labels = labels_in(target)
    assert labels.dtype == dtype
    assert labels[0, 0] == np.iinfo(dtype).max
    assert np.unique(labels[part > 0]).tolist() == [*range(k)]


def test_the_overlay_has_outlines(photo, run, tmp_path):
    target = tmp_path / "overlay.png"
    status, out, _ = run("segment", photo, "-k", 4, "--overlay", target)
    assert status == 0
    assert out.splitlines()[1] == f"{target}: the labels over the picture"
    expected = cluster_image(PICTURE, 4, rng=0).overlay(outline=True)
    assert np.array_equal(read_image(target), expected)


def test_labels_and_overlays_may_go_to_a_folder(photos, run, tmp_path):
    folder = f"{tmp_path}/out/"
    status, out, err = run(
        *("segment", *photos, "-k", 3, "-o", folder, "--labels", folder),
        *("--overlay", folder),
    )
    assert (status, err) == (0, "")
    assert f"{Path(folder, 'photo-labels.png')}: labels 0 to 2\n" in out
    assert {path.name for path in Path(folder).iterdir()} == {
        f"{path.stem}-{ending}.png"
        for path in photos
        for ending in ("k3", "labels", "overlay")
    }
    labels = labels_in(Path(folder, "noise-labels.png"))
    expected = cluster_image(read_image(photos[2]), 3, rng=0).labels
    assert np.array_equal(labels, expected)


BAD_OUTPUTS = {
    "labels as JPEG": (
        ["--labels", "l.jpg"],
        "--labels must end in one of .npy, .zarr, .png, .tif, .tiff, got l.jpg; choose "
        ".npy for an array of numbers, or .png for a gray picture of them",
    ),
    "too many labels": (
        ["-k", "65536", "--labels", "l.png"],
        "--labels must be a .npy file for more than 65,535 colors, got l.png for "
        "65,536; choose that, or fewer colors",
    ),
    "overlay of an unknown kind": (
        ["--overlay", "o.xyz"],
        "--overlay must end in one of .png, .jpg, .jpeg, .webp, .tif, .tiff, .bmp, "
        ".gif, .npy, .zarr to be written, got o.xyz; choose one of these, such as .png",
    ),
    "no suffix": (
        ["-o", "out"],
        "-o must be a folder, or a file with a suffix such as .png, got out, which is "
        "neither; add the suffix, or / to make the folder",
    ),
    "labels without a folder": (
        ["--labels", "missing/l.npy"],
        f"--labels {Path('missing/l.npy')}: its folder does not exist; create it, "
        "or name another",
    ),
    "twice the same": (
        ["-o", "x.png", "--overlay", "./x.png"],
        "the outputs must be different files, got x.png for -o and for --overlay; "
        "rename one or leave it out",
    ),
    "twice the same by default": (
        ["--labels", "photo-k2.png"],
        "the outputs must be different files, got photo-k2.png for -o and for "
        "--labels; rename one or leave it out",
    ),
    "labels over the input": (
        ["--labels", "photo.png"],
        "the output must not be an input, got photo.png for --labels; write it to "
        "another file or folder, or pass --force to write over the input",
    ),
    "overlay over the mask": (
        ["--mask", "mask.png", "--overlay", "mask.png"],
        "the output must not be an input, got mask.png for --overlay; write it to "
        "another file or folder, or pass --force to write over the input",
    ),
    "picture over the palette": (
        ["--palette", "colors.png", "-o", "colors.png"],
        "the output must not be an input, got colors.png for -o; write it to another "
        "file or folder, or pass --force to write over the input",
    ),
}


@pytest.mark.parametrize("problem", BAD_OUTPUTS)
def test_an_output_that_cannot_be_is_refused_before_any_work(
    photo, run, monkeypatch, problem
):
    def too_late(*_, **__):
        raise AssertionError("the picture was read")

    args, sentence = BAD_OUTPUTS[problem]
    monkeypatch.chdir(photo.parent)
    write_image("mask.png", PART * np.uint8(255))
    Path("colors.png").write_text("#000000")
    monkeypatch.setattr(commands, "open_picture", too_late)
    before = everything_in(photo.parent)
    args = args if {"-k", "--palette"} & {*args} else ["-k", "2", *args]
    assert run("segment", "photo.png", *args) == (
        1 if "does not exist" in sentence else 2,
        "",
        f"kmeans-np: error: {sentence}\n",
    )
    assert everything_in(photo.parent) == before


def test_labels_and_masks_are_overwritten_by_force(photo, run, monkeypatch):
    monkeypatch.chdir(photo.parent)
    write_image("mask.png", PART * np.uint8(255))
    how = ["-k", 2, "--mask", "mask.png", "--labels", "mask.png", "--force"]
    assert run("segment", "photo.png", *how)[0] == 0
    assert np.array_equal(labels_in("mask.png") != 255, PART)


def test_an_older_output_is_replaced(photo, run, tmp_path):
    target = tmp_path / "labels.npy"
    target.write_text("older")
    for k in (2, 3):
        assert run("segment", photo, "-k", k, "--labels", target)[0] == 0
        assert np.load(target).max() == k - 1


@pytest.mark.parametrize("suffix", [".npy", ".png"])
def test_labels_that_cannot_be_written_leave_nothing(
    photo, run, tmp_path, monkeypatch, suffix
):
    replace = Path.replace

    def full(self, target):
        if "labels" in Path(target).name:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    target = tmp_path / f"labels{suffix}"
    target.write_text("older")
    status, _, err = run("segment", photo, "-k", 2, "--labels", target)
    assert status == 1
    assert err == (
        f"kmeans-np: error: --labels {target}: no space left on device; choose "
        f"another path\n"
    )
    assert target.read_text() == "older"
    assert {*tmp_path.iterdir()} == {photo.parent, target}


# ---- Given palettes --------------------------------------------------------------

COLORS = np.uint8([[200, 30, 30], [30, 200, 30], [30, 30, 200], [20, 40, 60]])


@pytest.mark.parametrize("form", ["printed", "JSON", "plain", "of Windows", "with BOM"])
def test_a_palette_is_what_palette_prints(photo, run, tmp_path, form):
    path = tmp_path / "palette"
    if form in ("printed", "JSON"):
        json_too = ["--json"] if form == "JSON" else []
        _, out, _ = run("palette", photo, "-k", 4, *json_too)
        path.write_text(out)
        colors = cluster_image(PICTURE, 4, rng=0).palette
    else:
        text = "\n#C81E1E\r\n  #1ec81e\t50%\n\n#1e1ec8 blue\n#14283c"
        encoding = {"of Windows": "utf-16", "with BOM": "utf-8-sig"}.get(form, "ascii")
        path.write_text(text, encoding=encoding, newline="")
        colors = COLORS
    status, out, err = run("segment", photo, "--palette", path)
    assert (status, err) == (0, "")
    expected = apply_palette(PICTURE, colors)
    target = photo.with_name("photo-palette.png")
    used = np.count_nonzero(expected.counts)
    assert out == f"{target}: {used} of 4 colors used\n"
    assert np.array_equal(read_image(target), expected.image)


def test_a_palette_goes_to_other_pictures(photos, run, tmp_path):
    (tmp_path / "p.txt").write_text("#c81e1e\n#1ec81e\n#1e1ec8\n#14283c\n")
    write_image(tmp_path / "mask.png", PART * np.uint8(255))
    folder = f"{tmp_path}/out/"
    how = ["--palette", tmp_path / "p.txt", "--color-space", "lab", "-o", folder]
    how += ["--mask", tmp_path / "mask.png", "--labels", folder]
    assert run("segment", *photos[:2], *how)[0] == 0
    expected = apply_palette(PICTURE, COLORS, mask=PART, color_space="lab")
    labels = labels_in(Path(folder, "photo-labels.png"))
    assert np.array_equal(labels, expected.labels.astype(np.uint8))
    assert (expected.labels != apply_palette(PICTURE, COLORS, mask=PART).labels).any()
    image = read_image(Path(folder, "photo-palette.png"))
    assert np.array_equal(image, expected.image)


GRAYS = {
    "gray": (PICTURE[..., 0], np.uint8([0, 128, 255])),
    "gray of 16 bits": (
        PICTURE[..., 0].astype(np.uint16) * 200,
        np.uint16([0, 128 * 257, 65535]),
    ),
}


@pytest.mark.parametrize("kind", GRAYS)
def test_hex_colors_are_levels_of_a_gray_picture(tmp_path, run, kind):
    image, levels = GRAYS[kind]
    write_image(tmp_path / "gray.png", image)
    (tmp_path / "p.txt").write_text("#000000\n#808080\n#ffffff\n")
    command = ("segment", tmp_path / "gray.png", "--palette", tmp_path / "p.txt")
    assert run(*command)[0] == 0
    segmented = read_image(tmp_path / "gray-palette.png")
    assert np.array_equal(segmented, apply_palette(image, levels).image)


@pytest.mark.parametrize("kind", ["gray of 16 bits", "floats", "RGBA"])
def test_json_has_the_colors_of_any_kind_of_picture(tmp_path, run, kind):
    image = alike(kind)[0]
    path = tmp_path / "picture.tif"
    write_image(path, image)
    _, out, _ = run("palette", path, "-k", 3, "--json")
    (tmp_path / "p.json").write_text(out)
    status, out, _ = run("segment", path, "--palette", tmp_path / "p.json")
    assert status == 0
    segmented = read_image(out.split(": ")[0])
    expected = apply_palette(image, cluster_image(image, 3, rng=0).palette)
    assert np.array_equal(segmented, expected.image)


NO_PALETTE = (
    "--palette must be a palette: the output of kmeans-np palette, lines that begin "
    "with a color such as #ff8800, orange or 255 136 0, or a picture of swatches, got "
    "p, which "
    "{}; choose another file"
)
BAD_PALETTES = {
    "empty": (b"", NO_PALETTE.format("has no colors")),
    "blank": (b" \n\n", NO_PALETTE.format("has no colors")),
    "words": (b"#ff0000\nredd\n", NO_PALETTE.format("has 'redd' in line 2")),
    "short": (b"#f0\n", NO_PALETTE.format("has '#f0' in line 1")),
    "long": (b"#ff000000", NO_PALETTE.format("has '#ff000000' in line 1")),
    "very long": (b"x" * 999, NO_PALETTE.format(f"has '{'x' * 20}' in line 1")),
    "no text": (b"\x89PNG\r\n", NO_PALETTE.format("is neither text nor a picture")),
    "broken UTF-16": (b"\xff\xfe#", NO_PALETTE.format("is neither text nor a picture")),
    "half of JSON": (b'{"clusters": [', NO_PALETTE.format("is other JSON, or none")),
    "other JSON": (b'{"a": 1}', NO_PALETTE.format("is other JSON, or none")),
    "deep JSON": (
        b'{"clusters":' + b"[" * 99_999,
        NO_PALETTE.format("is other JSON, or none"),
    ),
    "JSON without colors": (b'{"clusters": []}', NO_PALETTE.format("has no colors")),
    "JSON of unlike colors": (
        b'{"clusters": [{"color": 1}, {"color": [1, 2, 3]}]}',
        NO_PALETTE.format("is other JSON, or none"),
    ),
    "JSON with words": (
        b'{"clusters": [{"color": ["red"]}]}',
        NO_PALETTE.format("is other JSON, or none"),
    ),
    "JSON of gray": (
        b'{"clusters": [{"color": 1}]}',
        "--palette must hold one color a row with 3 numbers each, as the image has "
        "without alpha, got shape (1,); choose another palette",
    ),
    "JSON out of range": (
        b'{"clusters": [{"color": [1, 2, 300]}]}',
        "--palette must lie between 0 and 255, as an image of type uint8 does, got "
        "300.0 at row 0, column 2; give colors in the unit of the image",
    ),
    "JSON with infinity": (
        b'{"clusters": [{"color": [1, 2, 1e999]}]}',
        "--palette must be finite, got 1 infinite value, the first at row 0, column 2; "
        "pass finite colors",
    ),
}


@pytest.mark.parametrize("problem", BAD_PALETTES)
def test_a_bad_palette_is_one_line(photo, run, monkeypatch, problem):
    content, sentence = BAD_PALETTES[problem]
    monkeypatch.chdir(photo.parent)
    Path("p").write_bytes(content)
    before = everything_in(photo.parent)
    status, out, err = run("segment", "photo.png", "--palette", "p")
    # A file that is no palette is one thing, colors that do not fit another.
    given = 1 if "must be a palette" in sentence else 2
    assert (status, out, err) == (given, "", f"kmeans-np: error: {sentence}\n")
    assert everything_in(photo.parent) == before


@pytest.mark.parametrize("name", ["missing", "pictures"])
def test_a_palette_that_is_no_file_is_one_line(photo, run, tmp_path, name):
    status, out, err = run("segment", photo, "--palette", tmp_path / name)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"kmeans-np: error: --palette {tmp_path / name}: ")


def test_colors_do_not_fit_gray_pictures_or_floats(tmp_path, run):
    (tmp_path / "p.txt").write_text("#808080\n#808081\n")
    write_image(tmp_path / "gray.png", PICTURE[..., 0])
    write_image(tmp_path / "floats.tif", np.float32(PICTURE[..., 0]))
    paths = [tmp_path / "gray.png", tmp_path / "floats.tif"]
    _, _, err = run("segment", *paths, "--palette", tmp_path / "p.txt")
    assert err.splitlines() == [
        f"kmeans-np: error: {paths[0]}: --palette must hold grays for a gray picture, "
        "got #808081; write one such as #808080",
        f"kmeans-np: error: {paths[1]}: --palette must hold the picture's own numbers "
        "for type float32, got colors like #ff8800; write its numbers",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["--shared-palette"], ["--palette", "p.txt"]),
        (["--normalize"], ["--palette", "p.txt"]),
        (["--position-weight", "1"], ["--palette", "p.txt"]),
        (["--position-weight", "1"], ["--shared-palette"]),
    ],
)
def test_what_makes_no_sense_together_is_refused(photo, run, one, other):
    k = [] if "--palette" in other else ["-k", 2]
    assert run("segment", photo, *k, *one, *other) == (
        2,
        "",
        f"kmeans-np: error: {one[0]} must be left out with {other[0]}, got both; leave "
        "one out\n",
    )


# ---- What is compared ------------------------------------------------------------

COMPARED = {
    "lab": (["--color-space", "lab"], {"color_space": "lab"}),
    "normalize": (["--normalize"], {"normalize": True}),
    "position": (["--position-weight", 0.7], {"position_weight": 0.7}),
    "all": (
        ["--color-space", "lab", "--normalize", "--position-weight", 1],
        {"color_space": "lab", "normalize": True, "position_weight": 1},
    ),
}


@pytest.mark.parametrize("what", COMPARED)
def test_what_is_compared_is_passed_on(photo, run, what):
    options, arguments = COMPARED[what]
    answer = cluster_image(PICTURE, 5, rng=0, **arguments)
    assert run("segment", photo, "-k", 5, *options)[0] == 0
    segmented = read_image(photo.with_name("photo-k5.png"))
    assert np.array_equal(segmented, answer.image)
    assert (segmented != segment_image(PICTURE, 5, rng=0)).any()
    _, out, _ = run("palette", photo, "-k", 5, *options, "--json")
    assert json.loads(out)["inertia"] == answer.inertia


def test_a_fourth_band_may_be_none_of_alpha(tmp_path, run):
    scene = np.dstack([PICTURE, PICTURE[..., 0] // 64 * 64])
    path = tmp_path / "scene.tif"
    write_image(path, scene)
    (tmp_path / "p.json").write_text('{"clusters": [{"color": [1, 2, 3, 4]}]}')
    target = tmp_path / "out.tif"
    answer = cluster_image(scene, 3, alpha=False, rng=0)
    for how, expected in (
        (["-k", 3], answer.image),
        (["-k", 3, "--shared-palette"], answer.image),
        (["--palette", tmp_path / "p.json"], np.full_like(scene, [1, 2, 3, 4])),
    ):
        assert run("segment", path, "--alpha", "no", *how, "-o", target)[0] == 0
        assert np.array_equal(read_image(target), expected)
    _, out, _ = run("palette", path, "-k", 3, "--alpha", "no")
    colors = [line.split("  ")[0] for line in out.splitlines()]
    assert colors == [str(color) for color in answer.palette.tolist()]


@pytest.mark.parametrize("how", [[], ["-o", "out/"]], ids=["beside", "folder"])
def test_what_no_png_holds_becomes_a_tiff(tmp_path, run, monkeypatch, how):
    monkeypatch.chdir(tmp_path)
    heights = np.float32(PICTURE[..., 0]) / 7
    write_image("heights.tif", heights)
    status, out, _ = run("segment", "heights.tif", "-k", 3, *how)
    assert status == 0
    target = Path("out" if how else ".", "heights-k3.tif")
    assert out.startswith(f"{target}: 3 colors")
    assert np.array_equal(read_image(target), segment_image(heights, 3, rng=0))
    status, _, err = run("segment", "heights.tif", "-k", 3, "-o", "heights.png")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("kmeans-np: error: -o: image must hold numbers of type uint8")
    # The input is safe there, too.
    Path("heights-k3.tif").write_bytes(Path("heights.tif").read_bytes())
    status, _, err = run("segment", "heights.tif", "heights-k3.tif", "-k", 3)
    assert status == 1
    assert "the output must not be an input, got heights-k3.tif for heights" in err


ADVICE = {
    "NaN": (
        "hole.tif",
        [],
        "image must be finite, got 1 NaN value, the first at row 3, column 4; leave "
        "those pixels out with a mask",
    ),
    "CIELAB of gray": (
        "gray.png",
        ["--color-space", "lab"],
        "image must have the channels red, green and blue for --color-space lab, got 1 "
        "channel without alpha; leave that out",
    ),
    "too large": (
        "bomb.gif",
        [],
        "IMAGE must be an image of at most 179 million pixels, got bomb.gif, which "
        "claims to have more; cut it into parts",
    ),
    "floats as PNG": (
        "hole.tif",
        ["-o", "x.png"],
        "-o: image must hold numbers of type uint8 or uint16 to be written to a .png "
        "file, got type float32; choose .tif, or scale it to 0 to 255 and convert it",
    ),
}


@pytest.mark.parametrize("problem", ADVICE)
def test_advice_is_for_a_shell(tmp_path, run, monkeypatch, problem):
    monkeypatch.chdir(tmp_path)
    name, how, sentence = ADVICE[problem]
    hole = np.float32(PICTURE[..., 0])
    hole[3, 4] = np.nan
    write_image("hole.tif", hole)
    write_image("gray.png", PICTURE[..., 0])
    write_image("bomb.gif", PICTURE[..., 0])
    gif = Path("bomb.gif").read_bytes()
    Path("bomb.gif").write_bytes(gif[:6] + b"\xff" * 4 + gif[10:])
    status, _, err = run("segment", name, "-k", 2, *how)
    assert (status, err) == (
        1 if "bomb" in name else 2,
        f"kmeans-np: error: {sentence}\n",
    )


def test_advice_about_a_rare_tiff_is_for_a_shell(tmp_path, run):
    tifffile = pytest.importorskip("tifffile")
    inks = np.zeros((5, 6, 4), np.uint16)
    tifffile.imwrite(tmp_path / "inks.tif", inks, photometric="separated")
    status, _, err = run("segment", tmp_path / "inks.tif", "-k", 1)
    assert status == 1
    assert err.startswith("kmeans-np: error: IMAGE must be a TIFF of ")
    assert err.endswith(" of the color model SEPARATED; convert it\n")


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
def test_gray_levels_are_shown_as_what_says_all(tmp_path, run, factor):
    gray = np.array([[0, 0, 0, 255, 171, 171]], np.uint16) * factor
    write_image(tmp_path / "gray.png", gray.astype(np.uint8) if factor == 1 else gray)
    _, out, _ = run("palette", tmp_path / "gray.png", "-k", 3)
    # Of 16 bits, a hex color would not say all.
    levels = ["0", "43947", "65535"]
    if factor == 1:
        levels = ["#000000", "#ababab", "#ffffff"]
    assert [line.split()[0] for line in out.splitlines()] == levels


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
        "kmeans-np: note: asked for k = 7, but there are only 2 distinct colors\n"
    )
    assert ("2 colors" in out) or out.count("\n") == 2


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
    pictures, answers = [read_image(folder / name) for name in names], {}
    assert np.array_equal(pictures[0], sample_image())
    for k, picture in zip((2, 4, 8), pictures[1:]):
        answer = cluster_image(pictures[0], k, rng=0)
        answers[k] = answer
        assert np.array_equal(picture, answer.image)
        assert colors_of(picture) == k
    # All in a row, opaque, with the colors by their shares below, the largest first.
    sheet = read_image(folder / "demo.png")
    assert np.array_equal(sheet, read_image(ROOT / "docs" / "demo.png"))
    assert sheet.shape == (375 + 36, 4 * 500 + 3 * 12, 4)
    assert not sheet[:, 500:512, 3].any(), "the gaps are not transparent"
    for number, picture in enumerate(pictures):
        panel = sheet[:375, 512 * number :][:, :500]
        assert np.array_equal(panel[..., :3], picture)
        assert (panel[..., 3] == 255).all()
    assert not sheet[375:, :500, 3].any(), "the picture itself has no bar of colors"
    bar = sheet[-1, 512 * 2 :][:500]
    answer = answers[4]
    assert (bar[:, 3] == 255).all()
    assert bar[0, :3].tolist() == answer.palette[0].tolist()
    assert bar[-1, :3].tolist() == answer.palette[-1].tolist()
    for color, share in zip(answer.palette, answer.shares):
        assert abs((bar[:, :3] == color).all(axis=1).sum() - 500 * share) <= 1


@pytest.mark.slow
def test_the_demo_names_its_folder_when_not_told(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "DEMO_KS", (2,))
    status, out, _ = run("demo")
    assert status == 0
    assert out.startswith(f"{Path('kmeans-np-demo', 'sample.png')}: ")
    assert (tmp_path / "kmeans-np-demo" / "demo.png").is_file()


def test_the_demo_says_what_is_wrong_with_its_folder(tmp_path, run):
    (tmp_path / "file").write_text("in the way")
    assert run("demo", "--output", tmp_path / "file") == (
        1,
        "",
        f"kmeans-np: error: --output {tmp_path / 'file'}: file exists; choose another "
        f"path\n",
    )
    assert (tmp_path / "file").read_text() == "in the way"


# ---- Help and version ------------------------------------------------------------


def test_the_version_is_that_of_the_package(run):
    assert importlib.metadata.version("kmeans-np") == __version__
    assert run("--version") == (0, f"kmeans-np {__version__}\n", "")


def test_help_names_the_commands(run):
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    for command in ("segment", "palette", "demo"):
        assert f"\n    {command} " in out
    assert "options of a command, and examples: kmeans-np COMMAND --help" in out


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
        assert arguments.build_parser().parse_args(args).run.__name__ == command


@pytest.mark.parametrize("command", ["segment", "palette"])
def test_the_help_says_what_each_option_does(run, command):
    _, out, _ = run(command, "--help")
    usage, text = out.split("\n\n", 1)
    options = re.findall(r"--[\w-]+|-[ko]\\b", usage)
    assert len(options) >= 10
    for option in options:
        assert re.search(rf"^  (-o OUT, )?{option}\b.*\n? +[a-z]", text, re.MULTILINE)


def test_the_installed_command_is_this_one():
    scripts = importlib.metadata.entry_points(group="console_scripts")
    assert scripts["kmeans-np"].load() is cli.main


# ---- What goes wrong -------------------------------------------------------------

READ = "{folder}/"
FOLDER_FOR_FILE = ": is a folder; name a file in it"
FILE_FOR_FOLDER = ": a part of it is a file, not a folder; check the spelling"
DAMAGED = (
    ": not a readable image (unsupported format or damaged file); convert it to PNG"
)
PROBLEMS = {
    "missing": (
        ["{folder}/missing.png", "-k", "2"],
        READ + "missing.png: no such file or folder; check the spelling",
    ),
    "a folder": (
        ["{folder}/folder", "-k", "2"],
        READ + "folder" + FOLDER_FOR_FILE,
    ),
    "empty": (
        ["{folder}/empty.png", "-k", "2"],
        "{folder}/empty.png: is empty; download it or write it again",
    ),
    "cut short": (
        ["{folder}/short.png", "-k", "2"],
        READ + "short.png" + DAMAGED,
    ),
    "no image": (
        ["{folder}/two\nlines.txt", "-k", "2"],
        READ + "two\\nlines.txt" + DAMAGED,
    ),
    "k = 0": (
        ["{folder}/photo.png", "-k", "0"],
        "-k must be a whole number of at least 1, got 0; pass the number of clusters "
        "to find, such as 8",
    ),
    "k negative": (
        ["{folder}/photo.png", "-k", "-3"],
        "-k must be a whole number of at least 1, got -3; pass the number of clusters "
        "to find, such as 8",
    ),
    "k above the pixels": (
        ["{folder}/photo.png", "-k", "7501"],
        "-k must be at most the number of pixels, 7,500, got 7,501; ask for fewer "
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
        "--tol must be a finite number of at least 0, got -1.0; pass a small number "
        "such as 1e-4, or 0 to run until nothing changes",
    ),
    "position weight negative": (
        ["{folder}/photo.png", "-k", "2", "--position-weight", "-0.5"],
        "--position-weight must be a finite number of at least 0, got -0.5; pass 0 to "
        "compare colors only, or about 1 for compact regions",
    ),
    "seed negative": (
        ["{folder}/photo.png", "-k", "2", "--seed", "-1"],
        "--seed must be a whole number of at least 0, got -1; pass another, such as 0",
    ),
    "fully transparent": (
        ["{folder}/clear.png", "-k", "1"],
        "image must have at least one pixel that is not fully transparent, got 6 "
        "transparent ones; pass --alpha no to cluster the hidden colors",
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
def test_a_problem_is_one_line_and_its_status(troubles, run, command, problem):
    args, sentence = PROBLEMS[problem]
    before = everything_in(troubles)
    status, out, err = run(command, *(arg.format(folder=troubles) for arg in args))
    assert err == f"kmeans-np: error: {sentence.format(folder=troubles)}\n"
    assert (status, out) == (2 if " must " in sentence else 1, "")
    assert everything_in(troubles) == before


@POSIX
@pytest.mark.parametrize("source", [".", "..", "/"])
def test_a_folder_as_the_input_is_refused(troubles, run, monkeypatch, source):
    monkeypatch.chdir(troubles / "folder")
    before = everything_in(troubles)
    status, out, err = run("segment", source, "-k", 2)
    assert (status, out) == (1, "")
    assert err == (f"kmeans-np: error: {source}{FOLDER_FOR_FILE}\n")
    assert everything_in(troubles) == before


UNWRITABLE = {
    "folder missing": (
        "missing/out.png",
        "-o {target}: its folder does not exist; create it, or name another",
    ),
    "folder a file": (
        "photo.png/out.png",
        "-o {target}" + FILE_FOR_FOLDER,
    ),
    "alpha for JPEG": (
        "out.jpg",
        "-o: image must be gray or RGB to be written as uint8 to a .jpg file, got "
        "shape (75, 100, 4); choose other channels, another suffix or another type",
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
    assert (status, out) == (2 if " must " in sentence else 1, "")
    assert everything_in(troubles) == before


USAGE = {
    "no command": ([], "no command was given; see kmeans-np --help"),
    "a command misspelt": (
        ["segmnt", "photo.png"],
        "segmnt is not a command; did you mean segment? See kmeans-np --help",
    ),
    "no such command": (
        ["frobnicate"],
        "frobnicate is not a command; choose segment, palette, explain, cloud or demo; "
        "see kmeans-np --help",
    ),
    "a picture without a command": (
        ["photo.JPG", "-k", "8"],
        "photo.JPG is not a command; did you mean kmeans-np segment photo.JPG -k 8? "
        "See "
        "kmeans-np --help",
    ),
    "an option misspelt": (
        ["segment", "photo.png", "-k", "2", "--color-spaec=lab"],
        "unknown option --color-spaec; did you mean --color-space? See kmeans-np "
        "segment --help",
    ),
    "unknown option": (
        ["palette", "photo.png", "-k", "2", "--xyz"],
        "unknown option --xyz; see kmeans-np palette --help",
    ),
    "an option that may be two": (
        ["segment", "photo.png", "-k", "2", "--no"],
        "--no is ambiguous: it may mean --no-alpha and --normalize; see kmeans-np "
        "segment --help",
    ),
    "an option before the command": (
        ["-q", "segment", "photo.png", "-k", "2"],
        "-q must stand after the command; see kmeans-np segment --help",
    ),
    "a value before the command": (
        ["--seed", "3", "segment", "photo.png"],
        "3 is not a command; put options after the command; see kmeans-np --help",
    ),
    "two pictures": (
        ["palette", "a.png", "b.png", "-k", "2"],
        "unexpected argument b.png; see kmeans-np palette --help",
    ),
    "no picture": (
        ["palette", "-k", "2"],
        "IMAGE must be given; see kmeans-np palette --help",
    ),
    "neither picture nor k": (
        ["palette"],
        "IMAGE and -k must be given; see kmeans-np palette --help",
    ),
    "no k": (
        ["segment", "photo.png"],
        "-k or --palette must be given; see kmeans-np segment --help",
    ),
    "two that exclude each other": (
        ["segment", "photo.png", "-k", "2", "--palette", "a.txt"],
        "--palette and -k cannot be combined; see kmeans-np segment --help",
    ),
    "k a word": (
        ["segment", "photo.png", "-k", "x"],
        "-k must be a whole number, got 'x'; see kmeans-np segment --help",
    ),
    "k a float": (
        ["palette", "photo.png", "-k", "2.5"],
        "-k must be a whole number, got '2.5'; see kmeans-np palette --help",
    ),
    "tol a word": (
        ["segment", "photo.png", "-k", "2", "--tol", "low"],
        "--tol must be a number, got 'low'; see kmeans-np segment --help",
    ),
    "n-init a word": (
        ["segment", "photo.png", "-k", "2", "--n-init", "many"],
        "--n-init must be a whole number or auto, got 'many'; see kmeans-np segment "
        "--help",
    ),
    "page a word": (
        ["segment", "photo.png", "-k", "2", "--page", "last"],
        "--page must be a whole number or all, got 'last'; see kmeans-np segment "
        "--help",
    ),
    "axis a word": (
        ["cloud", "photo.png", "--channel-axis", "last"],
        "--channel-axis must be a whole number, auto or none, got 'last'; see "
        "kmeans-np "
        "cloud --help",
    ),
    "a choice misspelt": (
        ["segment", "photo.png", "-k", "2", "--init", "kmeans++"],
        "--init must be random, k-means++ or optimal, got 'kmeans++'; did you mean "
        "k-means++? See kmeans-np segment --help",
    ),
    "an option without its value": (
        ["segment", "photo.png", "-k"],
        "-k needs a value; see kmeans-np segment --help",
    ),
}


@pytest.mark.parametrize("problem", USAGE)
def test_wrong_usage_is_one_line_and_status_2(run, problem):
    args, line = USAGE[problem]
    assert run(*args) == (2, "", f"kmeans-np: error: {line}\n")


def test_a_lack_of_memory_is_one_line(photo, run, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr(clusters, "cluster_image", no_memory)
    assert run("segment", photo, "-k", 2) == (
        1,
        "",
        "kmeans-np: error: not enough memory for this picture\n",
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [(clusters, "cluster_image"), (cli, "build_parser"), (cli, "_prepare_output")],
)
def test_an_interruption_is_one_line_and_status_130(
    photo, run, monkeypatch, module, name
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, name, interrupted)
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
    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(messages.time, "monotonic", iter(range(10**6)).__next__)
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


@pytest.mark.parametrize("how", [[], ["--shared-palette"]], ids=["", "shared"])
def test_the_progress_says_which_picture_it_is(photos, run, monkeypatch, how):
    long = photos[0].with_name(f"a{'b' * 50}.png")
    photos[0].rename(long)
    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(messages.time, "monotonic", iter(range(10**6)).__next__)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert run("segment", *photos[1:], long, "-k", 3, *how)[0] == 0
    shown = [line.split("step")[0] for line in lines_shown(terminal.getvalue())]
    names = ["mirror.png: ", "noise.png: ", f"...{'b' * 23}.png: "]
    assert {*shown} == {"", *(["all pictures: "] if how else names)}


def test_short_work_shows_no_progress(photo, run, monkeypatch):
    monkeypatch.setattr(messages.time, "monotonic", lambda: 42.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run("segment", photo, "-k", 4)
    assert terminal.getvalue() == ""


def test_progress_is_shown_ten_times_a_second_at_most(photo, run, monkeypatch):
    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(messages.time, "monotonic", lambda: 42.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    run("segment", photo, "-k", 4)
    assert len(lines_shown(terminal.getvalue())) == 3  # nothing, one step, nothing


def test_progress_is_taken_away_before_an_error(photo, run, monkeypatch):
    def interrupted(*_, callback, **__):
        callback(next(lloyd(PICTURE[0], PICTURE[0, :2])))
        raise KeyboardInterrupt

    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(clusters, "cluster_image", interrupted)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    status, _, _ = run("segment", photo, "-k", 2)
    assert status == 130
    assert lines_shown(terminal.getvalue())[-1] == "kmeans-np: stopped\n"


# Enough steps for a minute, so that it is surely still running when it is stopped.
LONG_JOB = ["-k", 200, "--tol", 0, "--n-init", 1000, "--position-weight", 1]
AT_ONCE = (
    "-c",
    "import sys; from kmeans_np.cli import messages; "
    "messages.SECONDS_BEFORE_PROGRESS = 0; "
    "from kmeans_np.__main__ import main; sys.exit(main(sys.argv[1:]))",
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
@pytest.mark.slow
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


@pytest.mark.slow
def test_pipes_are_quiet(photo):
    done = spawn("segment", photo, "-k", 16, program=AT_ONCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


# ---- Ctrl-C during the import ----------------------------------------------------

# Python imports this before anything else. Before the import of a certain module, it
# presses Ctrl-C.
PRESS = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == os.environ["PRESS_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""
SCRIPT = "import sys\nfrom kmeans_np.__main__ import main\nsys.exit(main())\n"
USER = "import kmeans_np.__main__\n"


def press(folder, program, at, arguments=("--version",), **options):
    """Run a program in which Ctrl-C comes before the import of a module."""
    for name, text in {
        "sitecustomize.py": PRESS,
        "kmeans-np": SCRIPT,
        "user.py": USER,
    }.items():
        (folder / name).write_text(text)
    paths = [str(folder), str(Path(cli.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PRESS_AT": at}
    return spawn(*arguments, program=[program], cwd=folder, env=environment, **options)


@POSIX
@pytest.mark.parametrize(
    ("program", "at"),
    crossed(
        ["-mkmeans_np", "kmeans-np", "-mkmeans_np.__main__"],
        ["numpy", "kmeans_np.lloyd", "kmeans_np.cli.messages"],
    ),
)
def test_ctrl_c_during_the_import_is_one_line_and_status_130(tmp_path, program, at):
    done = press(tmp_path, program, at)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "kmeans-np: stopped\n"


@POSIX
@pytest.mark.slow
def test_ctrl_c_during_the_import_is_ignored_where_it_was(tmp_path):
    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    done = press(tmp_path, "-mkmeans_np", "kmeans_np.lloyd", preexec_fn=ignore)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"kmeans-np {__version__}\n"


@POSIX
@pytest.mark.slow
def test_ctrl_c_during_the_import_is_for_the_program_of_the_user(tmp_path):
    done = press(tmp_path, "user.py", "kmeans_np.cli.messages", ["kmeans_np"])
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("\nKeyboardInterrupt\n")


@pytest.mark.parametrize(
    ("started", "argv", "expected"),
    [
        ("python -m kmeans_np palette photo.png", "-m palette photo.png", True),
        ("python -X dev -mkmeans_np --help", "-m --help", True),
        ("python -Im kmeans_np", "-m", True),
        ("python -Imkmeans_np.__main__ --help", "-m --help", True),
        ("python /usr/bin/kmeans-np demo", "/usr/bin/kmeans-np demo", True),
        ("python kmeans-np.exe demo", "kmeans-np.exe demo", True),
        ("python -m pytest kmeans_np", "-m kmeans_np", False),
        ("python -m kmeans_np.sample", "-m", False),
        ("python -m my_kmeans_np", "-m", False),
        ("python -m cProfile -m kmeans_np", "prof.py -m kmeans_np", False),
        ("python kmeans_np", "kmeans_np", False),
        ("python app.py kmeans-np", "app.py kmeans-np", False),
        ("python -c code kmeans_np", "-c kmeans_np", False),
        ("python -c spawn_main --fork", "/usr/bin/kmeans-np segment a.png", False),
        ("python", "", False),
        ("python", None, False),
    ],
)
def test_the_command_line_knows_itself(monkeypatch, started, argv, expected):
    monkeypatch.setattr(sys, "orig_argv", started.split())
    if argv is None:  # as where Python is embedded
        monkeypatch.delattr(sys, "argv")
    else:
        monkeypatch.setattr(sys, "argv", argv.split() or [""])
    assert interrupt.is_command_line() is expected


def test_ctrl_c_raises_again_once_the_command_line_runs(run):
    before = signal.signal(signal.SIGINT, interrupt.stop)
    try:
        run("--version")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        # One that others have set stays.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        run("--version")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@POSIX
@pytest.mark.slow
def test_tests_pass_where_ctrl_c_was_ignored_when_they_started():
    tests = ["test_threads.py", "test_parallel.py", "test_sliced_files.py"]
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0",
            "-k", "interrupt or ctrl_c", *tests,
        ],
        cwd=Path(__file__).parent,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


# ---- Real processes --------------------------------------------------------------


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["--version", "--help", "palette"])
def test_a_copy_runs_that_is_not_installed(photo, tmp_path, arguments):
    package = Path(cli.__file__).parent
    shutil.copytree(package, tmp_path / "clone" / "kmeans_np")
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    # All that is installed beside NumPy, the package itself aside.
    for path in Path(np.__file__).parents[1].iterdir():
        if "kmeans" not in path.name:
            (libraries / path.name).symlink_to(path)
    how = {
        "cwd": tmp_path / "clone",
        "env": {**os.environ, "PYTHONPATH": str(libraries)},
    }
    code = (
        "import importlib.metadata, kmeans_np; print(kmeans_np.__file__);"
        "importlib.metadata.version('kmeans-np')"
    )
    done = spawn(program=("-S", "-c", code), **how)
    assert done.stdout.startswith(str(tmp_path))
    assert "PackageNotFoundError" in done.stderr
    more = [photo, "-k", 2] if arguments == "palette" else []
    done = spawn(arguments, *more, program=("-S", "-m", "kmeans_np"), **how)
    assert (done.returncode, done.stderr) == (0, "")
    if arguments == "--version":
        assert done.stdout == f"kmeans-np {__version__}\n"


def test_the_module_runs(photo):
    done = spawn("segment", photo, "-k", 3)
    target = photo.with_name("photo-k3.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{target}: 3 colors, best of ")
    assert np.array_equal(read_image(target), segment_image(PICTURE, 3, rng=0))


@pytest.mark.slow
def test_a_process_fails_with_one_line_and_status_1(tmp_path):
    done = spawn("segment", tmp_path / "missing.png", "-k", 3)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"kmeans-np: error: {tmp_path / 'missing.png'}: no such file or folder; check "
        f"the spelling\n"
    )


@pytest.mark.slow
def test_a_process_without_a_command_fails_with_one_line_and_status_2():
    done = spawn()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "kmeans-np: error: no command was given; see kmeans-np --help\n"
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


@pytest.fixture
def stdout(monkeypatch):
    """Put a file in the place of stdout, and close it at the end."""
    opened = []

    def put(file):
        opened.append(file)
        monkeypatch.setattr(sys, "stdout", file)

    yield put
    for file in opened:
        file.close()


@POSIX
def test_nobody_reads_what_is_printed(photo, stdout, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    stdout(os.fdopen(writer, "w"))
    assert cli.main(["palette", str(photo), "-k", "3"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_what_is_printed_finds_no_space(photo, stdout, capsys):
    stdout(os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))
    assert cli.main(["palette", str(photo), "-k", "3"]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r"kmeans-np: error: .*No space left on device\n", error)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_is_not_there_is_no_error(photo, stream, monkeypatch):
    monkeypatch.setattr(sys, stream, None)
    assert cli.main(["segment", str(photo), "-k", "3"]) == 0
    assert photo.with_name("photo-k3.png").is_file()


def test_a_name_that_cannot_be_printed_is_escaped(tmp_path, stdout):
    write_image(tmp_path / "été.png", PICTURE)
    printed = io.BytesIO()
    stdout(io.TextIOWrapper(printed, "ascii"))
    assert cli.main(["segment", str(tmp_path / "été.png"), "-k", "2"]) == 0
    assert b"\\xe9t\\xe9-k2.png: 2 colors" in printed.getvalue()
    assert (tmp_path / "été-k2.png").is_file()


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_has_seen_enough_is_no_error(photo, buffered):
    line = '{ "$@"; echo status $? >&2; } | head -0'
    done = in_a_shell(line, "palette", photo, "-k", 3, buffered=buffered)
    assert (done.stdout, done.stderr) == ("", "status 0\n")


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("buffered", [True, False])
def test_all_pictures_are_done_when_nobody_reads_about_them(photos, buffered):
    line = '{ "$@"; echo status $? >&2; } | head -0'
    done = in_a_shell(line, "segment", *photos, "-k", 3, buffered=buffered)
    assert (done.stdout, done.stderr) == ("", "status 0\n")
    assert all(path.with_name(f"{path.stem}-k3.png").exists() for path in photos)


def broken_tiff(path):
    """A file at which libtiff, which is written in C, prints a line of its own."""
    from PIL import Image

    # Without checksums, which would be looked at before.
    Image.fromarray(PICTURE).save(path, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    content[100:120] = b"\xff" * 20
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["IMAGE", "--mask"])
def test_libraries_in_c_are_quiet(photo, tmp_path, option):
    broken_tiff(tmp_path / "broken.tif")
    code = "import sys, kmeans_np; kmeans_np.read_image(sys.argv[1])"
    loud = spawn(tmp_path / "broken.tif", program=("-c", code))
    assert not loud.stderr.startswith("Traceback")  # but with what libtiff has to say
    paths = [tmp_path / "broken.tif"]
    if option == "--mask":
        paths = [photo, "--mask", *paths]
    done = spawn("segment", *paths, "-k", 3)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"kmeans-np: error: {'' if option == 'IMAGE' else f'{option} '}{paths[-1]}"
        f"{DAMAGED}\n"
    )


def test_what_is_said_after_a_picture_was_read_is_heard(photo, tmp_path, capfd):
    broken_tiff(tmp_path / "broken.tif")
    small = tmp_path / "small.png"
    write_image(small, PICTURE[:1, :1])
    paths = [str(path) for path in (tmp_path / "broken.tif", small, photo)]
    assert cli.main(["segment", *paths, "-k", "2"]) == 1
    said = capfd.readouterr().err.splitlines()
    assert [line.split(":")[1] for line in said] == [" error"] * 2
    assert photo.with_name("photo-k2.png").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_output_that_cannot_be_written_is_one_line(photo):
    done = in_a_shell('"$@" > /dev/full', "palette", photo, "-k", 3)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"kmeans-np: error: .*No space left on device\n", done.stderr)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("stream", ["", "2"], ids=["stdout", "stderr"])
def test_a_closed_stream_is_no_error(photo, stream):
    done = in_a_shell(f'"$@" {stream}>&-', "segment", photo, "-k", 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert photo.with_name("photo-k3.png").is_file()


@POSIX
@pytest.mark.slow
def test_an_error_does_not_go_to_stdout_when_stderr_is_closed(tmp_path):
    done = in_a_shell('"$@" 2>&-', "palette", tmp_path / "missing.png", "-k", 3)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.slow
def test_a_name_that_a_process_cannot_print_is_escaped(tmp_path):
    write_image(tmp_path / "été.png", PICTURE)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = spawn("segment", tmp_path / "été.png", "-k", 2, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xe9t\\xe9-k2.png: 2 colors" in done.stdout
    assert (tmp_path / "été-k2.png").is_file()
