"""Names of files that hold anything: shown so that one line stays one line."""

import ast
import io
import json
import os
import sys
import warnings

import dask.array as da
import numpy as np
import pytest
import zarr
from tables import crossed

from kmeans_np import cluster_image, explain, open_image, read_image, write_image
from kmeans_np.checks import ArgumentValueError, printable
from kmeans_np.cli import messages

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have no such names"
)

PICTURE = np.uint8([[[0, 0, 0], [9, 9, 9], [250, 0, 0]], [[0, 90, 0]] * 3])
# What stands in the name of a file, and how it is shown.
NAMES = {
    "plain": (b"photo", "photo"),
    "sets the title": (b"\x1b]0;mine\x07", r"\x1b]0;mine\x07"),
    "clears the screen": (b"\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    "two lines": (b"two\nlines", r"two\nlines"),
    "writes over": (b"bad\rgood", r"bad\rgood"),
    "no UTF-8": (b"caf\xe9", r"caf\xe9"),
    "half UTF-8": (b"\xe2\x82", r"\xe2\x82"),
    "C1": "\x9b31m",
    "backwards": "\u202egnp",
    "ends a line": "a\u2028b\u2029c\x85d",
    "invisible": "a\u200bb\U000e0041",
    "spaces": (b"a   b ", "a   b "),
    "letters": ("Überweg 日本 🌅".encode(), "Überweg 日本 🌅"),
    "like a message": "a, got b; alpha=False, as in (c, or raise PIL.d; pass a seed e",
    "an option": (b"-k", "-k"),
    "long": (b"n" * 240, "n" * 240),
}
for key, name in NAMES.items():
    if isinstance(name, str):
        escapes = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
        )
        NAMES[key] = (name.encode(), escapes)


def checked(text, shown, lines=None):
    """Check that a terminal shows all of a text, and the name in it."""
    text.encode("utf-8")
    found = text.removesuffix("\n").split("\n")
    assert all(map(str.isprintable, found))
    assert any(shown in line for line in found)
    assert lines is None or len(found) == lines


def test_the_table_has_all_that_python_calls_not_printable():
    """Each kind of character by its category, and each byte that is no UTF-8."""
    for code in [*range(0x300), 0x200B, 0x2028, 0xD800, 0xDC7F, 0xDD00, 0xE000]:
        text = printable(f"a{chr(code)}b")
        assert text.isprintable()
        assert text.startswith("a")
        assert text.endswith("b")
        if chr(code) not in "\\'":
            assert ast.literal_eval(f"'{text}'") == f"a{chr(code)}b"
    for byte in range(0x80, 0x100):
        assert printable(os.fsdecode(bytes([byte]))) == f"\\x{byte:02x}"


# ---- Commands --------------------------------------------------------------------


def picture(folder, name, image=PICTURE):
    path = folder / (name + ".png")
    write_image(path, image)
    return path


def damaged(folder, name):
    path = folder / (name + ".png")
    path.write_bytes(b"no picture")
    return path


def other_kind(folder, name):
    return picture(folder, name, PICTURE[..., 0])


# What is said, its status, and how it comes about: the arguments for a folder and name.
OUTCOMES = {
    "written": (0, lambda d, n: ["segment", picture(d, n), "-k", 2]),
    "written to": (
        0,
        lambda d, n: [
            *("segment", picture(d, "in"), "-k", 2, "-o", d / (n + ".webp")),
            *("--labels", d / (n + ".npy"), "--overlay", d / (n + ".gif")),
        ],
    ),
    "a folder made": (
        0,
        lambda d, n: ["segment", picture(d, "in"), "-k", 2, "-o", f"{d / n}/"],
    ),
    "an array": (
        0,
        lambda d, n: [
            *("segment", picture(d, "in"), "-k", 2),
            *("-o", d / (n + ".zarr"), "--labels", d / (n + ".tif")),
        ],
    ),
    "noted": (0, lambda d, n: ["segment", picture(d, "in"), picture(d, n), "-k", 5]),
    "demo": (0, lambda d, n: ["demo", f"--output={d / n}"]),
    "explained": (0, lambda d, n: ["explain", picture(d, n), "-k", 2]),
    "no browser": (0, lambda d, n: ["explain", picture(d, n), "-k", 2, "--open"]),
    "JSON": (0, lambda d, n: ["palette", picture(d, n), "-k", 2, "--json"]),
    "missing": (1, lambda d, n: ["segment", d / n, "-k", 2]),
    "missing array": (1, lambda d, n: ["segment", d / (n + ".npy"), "-k", 2]),
    "damaged": (1, lambda d, n: ["palette", damaged(d, n), "-k", 2]),
    "k too large": (1, lambda d, n: ["segment", d / "x", picture(d, n), "-k", 7]),
    "of another kind": (
        1,
        lambda d, n: [
            *("segment", picture(d, "in"), other_kind(d, n), "-k", 2),
            "--shared-palette",
        ],
    ),
    "mask": (1, lambda d, n: ["segment", picture(d, "in"), "-k", 2, "--mask", d / n]),
    "black mask": (
        2,
        lambda d, n: [
            *("segment", picture(d, "in"), "-k", 2),
            *("--mask", picture(d, n, PICTURE * 0)),
        ],
    ),
    "palette": (1, lambda d, n: ["segment", d / "x", "--palette", damaged(d, n)]),
    "suffix": (
        2,
        lambda d, n: ["segment", picture(d, "in"), "-k", 2, "-o", d / (n + ".x")],
    ),
    "no suffix": (2, lambda d, n: ["segment", d / "x", "-k", 2, "-o", d / n / "a"]),
    "no folder": (1, lambda d, n: ["explain", d / "x", "-k", 2, "-o", d / n / "a.gif"]),
    "labels": (
        2,
        lambda d, n: ["segment", d / "x", "-k", 2, "--labels", d / (n + ".x")],
    ),
    "input": (
        2,
        lambda d, n: ["explain", picture(d, n), "-k", 2, "-o", d / (n + ".png")],
    ),
    "twice": (
        2,
        lambda d, n: [
            *("segment", d / "x", "-k", 2, "-o", d / (n + ".png")),
            *("--overlay", d / (n + ".png")),
        ],
    ),
    "no such option": (2, lambda d, n: ["palette", d / "x", "-k", 2, d / n]),
    "no such choice": (2, lambda _, n: ["palette", "x", "-k", 2, f"--init={n}"]),
}
LINES = {"written to": 3, "an array": 2, "no browser": 2}
MANY_LINES = ("noted", "demo", "JSON", "k too large", "of another kind")


@pytest.mark.parametrize(
    ("outcome", "name"), crossed(OUTCOMES, NAMES, usual=[*OUTCOMES][::3])
)
def test_what_is_said_about_a_name_is_a_line(tmp_path, run, monkeypatch, outcome, name):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    name, shown = os.fsdecode(NAMES[name][0]), NAMES[name][1]
    status, make = OUTCOMES[outcome]
    args = make(tmp_path, name)
    found, out, err = run(*args)
    # A pattern that matches nothing is an argument, and no file.
    is_pattern = outcome.startswith("missing") and "[" in name
    assert found == (2 if is_pattern else status)
    said = err if status or outcome == "noted" else out
    lines = None if outcome in MANY_LINES else LINES.get(outcome, 1)
    if outcome == "no such choice":
        # In quotes, where a single one is escaped.
        assert said.endswith("--help\n")
    elif outcome == "JSON":
        shown = str(tmp_path / shown) + ".png"
        assert json.loads(out)["image"] == shown
        shown = json.dumps(shown)
    checked(said, shown if outcome != "no such choice" else "", lines)
    assert err == "" or said == err


def test_a_title_is_the_name_as_it_is_shown(tmp_path, run):
    path = picture(tmp_path, os.fsdecode(b"caf\xe9 \x1b[2J"))
    assert run("explain", path, "-k", 2, "-o", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>caf\\xe9 \\x1b[2J.png - K-means" in page
    assert "\x1b" not in page


def test_a_leading_dash_comes_after_two(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path, "-k")
    assert run("segment", "-k", 2, "--", "-k.png")[0] == 0
    assert read_image("-k-k2.png").shape == PICTURE.shape


@pytest.mark.parametrize("name", ["two lines", "no UTF-8"])
def test_progress_is_a_line(tmp_path, run, monkeypatch, name):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    name, shown = os.fsdecode(NAMES[name][0]), NAMES[name][1]
    run("segment", picture(tmp_path, name), picture(tmp_path, "b"), "-k", 2)
    shows = terminal.getvalue().split("\r\x1b[K")
    assert any(line.startswith(f"{shown}.png: step") for line in shows)
    assert all(map(str.isprintable, shows))


@pytest.mark.parametrize(
    "args",
    [
        ["segment", "{}", "-k", 2],
        ["segment", "x.png", "-k", 2, "-o", "{}"],
        ["segment", "x.png", "-k", 2, "--labels", "{}"],
        ["segment", "x.png", "--palette", "{}"],
        ["segment", "x.png", "-k", 2, "--mask", "{}"],
        ["palette", "{}", "-k", 2],
        ["explain", "{}", "-k", 2],
        ["explain", "--sample", "-k", 2, "-o", "{}"],
        ["demo", "--output", "{}"],
    ],
    ids=lambda args: " ".join(map(str, args)),
)
@pytest.mark.parametrize("name", ["\ud800.png", "\0.png", "n" * 300 + ".png"])
def test_a_name_that_no_file_has_is_one_line(run, args, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*(str(arg).replace("{}", name) for arg in args))
    # To be read it is a file that cannot be, otherwise an argument.
    assert status in (1, 2)
    assert out == ""
    assert err.startswith("kmeans-np: error: ")
    checked(err, printable(name), 1)
    assert [*tmp_path.iterdir()] == []


# ---- Functions -------------------------------------------------------------------


def group(path):
    zarr.create_group(path)
    return path


def npy(path):
    np.save(path, np.array(["text"]))
    return path


def text(path):
    path.write_bytes(b"II*\0 no picture")
    return path


def tiff(path):
    """A TIFF of bands whose model of colors is none that is read."""
    import tifffile

    tifffile.imwrite(path, PICTURE.astype("u2"), photometric="cielab", metadata=None)
    return path


PROBLEMS = {
    "missing": lambda d, n: read_image(d / n),
    "empty": lambda d, n: ((d / n).touch(), read_image(d / n)),
    "folder": lambda d, _: read_image(d),
    "damaged": lambda d, n: read_image(text(d / (n + ".tif"))),
    "model": lambda d, n: read_image(tiff(d / (n + ".tif"))),
    "no slices": lambda d, n: open_image(d / n),
    "damaged slices": lambda d, n: open_image(text(d / (n + ".npy"))),
    "model of slices": lambda d, n: open_image(tiff(d / (n + ".tif"))),
    "no numbers": lambda d, n: open_image(npy(d / (n + ".npy"))),
    "no array": lambda d, n: open_image(group(d / (n + ".zarr"))),
    "suffix": lambda d, n: write_image(d / n, PICTURE),
    "no folder": lambda d, n: write_image(d / n / "a.png", PICTURE),
    "no folder in blocks": lambda d, n: write_image(d / n / "a.npy", PICTURE),
    "folder to replace": lambda d, n: (
        (d / (n + ".zarr")).mkdir(),
        write_image(d / (n + ".zarr"), PICTURE),
    ),
    "save": lambda d, n: explain(PICTURE, 2).save(d / n),
    "file as folder": lambda d, n: read_image(text(d / n) / "a.png"),
}


@pytest.mark.parametrize(("problem", "name"), crossed(PROBLEMS, NAMES))
def test_an_exception_shows_the_name(tmp_path, problem, name):
    folder = tmp_path / os.fsdecode(NAMES[name][0])
    folder.mkdir()
    with pytest.raises((ValueError, OSError)) as caught:
        PROBLEMS[problem](folder, "x")
    checked(str(caught.value), NAMES[name][1], 1)


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif", ".zarr"])
@pytest.mark.parametrize("name", ["clears the screen", "no UTF-8", "long"])
def test_files_of_any_name_come_back(tmp_path, name, suffix):
    path = tmp_path / (os.fsdecode(NAMES[name][0]) + suffix)
    write_image(path, PICTURE)
    if suffix != ".png":
        with open_image(path) as image:
            assert np.array_equal(image[...], PICTURE)
            image.close()
            with pytest.raises(ValueError, match="closed") as caught:
                image[0]
        checked(str(caught.value), NAMES[name][1])
    if suffix in (".png", ".tif"):
        assert np.array_equal(read_image(path), PICTURE)


def test_names_of_arrays_are_shown_in_a_sentence(tmp_path):
    arrays = zarr.create_group(tmp_path / "group.zarr")
    for name in ("\x1b[2J", "two\nlines"):
        arrays.create_array(name, data=PICTURE)
    with pytest.raises(ValueError, match="a group of 2 arrays") as caught:
        open_image(tmp_path / "group.zarr")
    checked(str(caught.value), r"\x1b[2J, two\nlines")


@pytest.mark.parametrize("of_dask", [False, True])
def test_what_others_say_is_shown_in_a_sentence(of_dask):
    class Unreadable:
        shape, dtype, ndim = (40, 50, 3), np.dtype("u1"), 3

        def __getitem__(self, _):
            raise OSError("cannot read \x1b[2J\n caf\udce9")

    image = Unreadable()
    if of_dask:
        image = da.from_array(image, chunks=(20, 50, 3), meta=np.empty(0, "u1"))
    with pytest.raises(OSError, match="must be readable") as caught:
        np.asarray(cluster_image(image, 2).labels)
    checked(str(caught.value), r"OSError: cannot read \x1b[2J\n caf\xe9")


@pytest.mark.parametrize(
    "function",
    [
        read_image,
        open_image,
        lambda path: write_image(path, PICTURE),
        lambda path: write_image(path.replace("png", "npy"), PICTURE),
        explain(PICTURE, 2, rng=0).save,
    ],
)
def test_a_name_that_the_file_system_cannot_hold_is_refused(function):
    with pytest.raises(ValueError, match="the file system can hold") as caught:
        function("\ud800.png")
    assert type(caught.value) is ArgumentValueError
    checked(str(caught.value), r"'\ud800.")


def test_a_title_that_no_file_holds_is_refused_before_the_run():
    def never(_):
        raise AssertionError

    with pytest.raises(ValueError, match="title must be text") as caught:
        explain(PICTURE, 2, title="\udce9", callback=never)
    checked(str(caught.value), r"'\udce9'")


def test_values_keep_their_spaces_and_show_no_escapes():
    class Odd:
        def __repr__(self):
            return "\x1b[2J  of\ntwo lines"

    for value, shown in (("a  b\x1b", r"'a  b\x1b'"), (Odd(), r"\x1b[2J of two lines")):
        with pytest.raises((TypeError, ValueError)) as caught:
            cluster_image(PICTURE, 2, init=value)
        checked(str(caught.value), shown)


def test_what_others_say_is_a_line_on_stderr(capsys):
    with messages.noted("\x1b[2J"):
        warnings.warn("two\nlines", stacklevel=1)
    checked(capsys.readouterr().err, r"note: \x1b[2J: two\nlines", 1)
    messages.report(ValueError("two\nlines"), "\x1b[2J")
    checked(capsys.readouterr().err, r"error: \x1b[2J: two\nlines", 1)


def test_a_name_like_a_message_is_not_reworded(tmp_path, run):
    name, shown = NAMES["like a message"]
    _, _, err = run("palette", damaged(tmp_path, name.decode()), "-k", 2)
    checked(err, f"error: {tmp_path}/{shown}.png: not a readable", 1)
