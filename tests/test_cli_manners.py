"""What one expects of a command: quiet, completion, colors, words about files."""

import re
import subprocess
import sys

import numpy as np
import pytest
from test_cli import Terminal

from kmeans_np import read_image, write_image
from kmeans_np.cli import build_parser, messages


def commands():
    """Every command's name and parser."""
    [found] = [each for each in build_parser()._actions if each.nargs == "A..."]
    return found.choices.items()


# ---- Quiet ---------------------------------------------------------------------------


def test_quiet_prints_only_what_was_asked_for(photo, run, tmp_path):
    two = tmp_path / "two.png"
    write_image(two, np.zeros((4, 4, 3), np.uint8))
    out = f"{tmp_path}/out/"
    # A note that there are fewer colors, and a line for each file.
    loud = run("segment", photo, two, "-k", 3, "-o", out)
    assert loud[0] == 0
    assert "note: " in loud[2]
    assert loud[1].count("\n") == 2
    for flag in ("-q", "--quiet"):
        assert run("segment", photo, two, "-k", 3, "-o", out, "--force", flag) == (
            0,
            "",
            "",
        )
    # A palette is what was asked for, and an error is no note.
    assert run("palette", photo, "-k", 3, "-q")[1].count("%") == 3
    assert run("segment", "none.png", "-k", 3, "-q")[2].startswith("kmeans-np: error: ")
    # It ends with the command.
    assert run("segment", photo, "-k", 3, "-o", out, "--force")[1]


def test_quiet_shows_no_progress(photo, run, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(messages, "SECONDS_BEFORE_PROGRESS", -1)
    monkeypatch.setattr(sys, "stderr", terminal)
    run("segment", photo, "-k", 8, "--force")
    assert terminal.getvalue()
    terminal.truncate(0)
    run("segment", photo, "-k", 8, "--force", "-q")
    assert terminal.getvalue() == ""


def test_every_command_has_it():
    for name, parser in commands():
        assert "--quiet" in parser.format_help(), name


# ---- Completion ----------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_completion_has_commands_and_options(shell, run):
    pytest.importorskip("shtab")
    status, out, err = run("--print-completion", shell)
    assert (status, err) == (0, "")
    for name, _ in commands():
        assert name in out
    assert "--color-space" in out
    assert "k-means++" in out


@pytest.mark.skipif(sys.platform == "win32", reason="bash")
def test_bash_takes_the_completion(run, tmp_path):
    pytest.importorskip("shtab")
    (tmp_path / "c.sh").write_text(run("--print-completion", "bash")[1])
    done = subprocess.run(
        ["bash", "-c", f". {tmp_path}/c.sh && complete -p kmeans-np"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "kmeans-np" in done.stdout


def test_without_shtab_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    status, out, err = run("--print-completion", "bash")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "pip install shtab" in err


# ---- Colors in a terminal ------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "begin"),
    [
        ({"COLORTERM": "truecolor", "TERM": "xterm"}, "\x1b[48;2;{0};{1};{2}m"),
        ({"COLORTERM": "", "TERM": "xterm-256color"}, "\x1b[48;5;"),
        ({"COLORTERM": "", "TERM": "vt100"}, None),
        ({"COLORTERM": "truecolor", "TERM": "dumb"}, None),
        ({"COLORTERM": "truecolor", "TERM": "xterm", "NO_COLOR": "1"}, None),
    ],
    ids=["24 bits", "256", "none", "dumb", "NO_COLOR"],
)
def test_a_terminal_shows_the_colors(environment, begin, photo, run, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    plain = run("palette", photo, "-k", 3)[1]
    assert "\x1b" not in plain  # It is no terminal.
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    run("palette", photo, "-k", 3)
    lines = terminal.getvalue().splitlines()
    for line, bare in zip(lines, plain.splitlines(), strict=True):
        assert re.sub(r"\x1b\[[0-9;]*m( +)?", "", line).strip() == bare
        if begin is None:
            assert line == bare
        else:
            rgb = [int(bare[at : at + 2], 16) for at in (1, 3, 5)]
            assert line.startswith(begin.format(*rgb))


# ---- Words about files ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.png", "none.png: no such file or folder; check the spelling"),
        ("folder", "folder: is a folder; name a file in it"),
        ("notes.txt", "notes.txt: not a readable image (unsupported format or damaged"),
        ("empty.png", "empty.png: is empty; download it or write it again"),
        ("https://example.com/a.png", "https://example.com/a.png: is a URL; download "),
        ("notes.txt/a.png", "notes.txt/a.png: a part of it is a file, not a folder"),
    ],
)
@pytest.mark.parametrize("command", ["segment", "palette", "cloud", "explain"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other errors")
def test_a_file_that_is_no_picture(command, name, words, run, tmp_path, monkeypatch):
    if command == "explain" and "notes.txt" in name:
        pytest.skip("it reads tables of text")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("Dear diary,")
    (tmp_path / "empty.png").touch()
    status, out, err = run(command, name, "-k", 2)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"kmeans-np: error: {words}")


def test_an_option_names_itself_beside_its_file(photo, run):
    status, _, err = run("segment", photo, "-k", 2, "--mask", "none.png")
    assert status == 1
    assert err.startswith("kmeans-np: error: --mask none.png: no such file")


def test_some_bad_files_are_status_1_and_the_others_are_done(photo, run, tmp_path):
    out = tmp_path / "out"
    status, _, err = run("segment", photo, "none.png", "-k", 2, "-o", f"{out}/")
    assert status == 1
    assert err.count("\n") == 1
    assert len(np.unique(read_image(out / "photo-k2.png").reshape(-1, 3), axis=0)) == 2


def test_the_help_tells_the_statuses_and_no_color(run):
    out = run("--help")[1]
    for words in ("exit status", "130", "NO_COLOR"):
        assert words in out


def test_how_many_starts_were_tried_is_told(photo, run):
    assert "best of 10 starts, converged in" in run("segment", photo, "-k", 4)[1]
    single = run("segment", photo, "-k", 4, "--n-init", 1, "--force")[1]
    assert "best of" not in single
    assert re.search(r"converged in \d+ steps?$", single.strip())


def test_one_pixel_is_told_in_the_singular(run, tmp_path):
    image = np.zeros((3, 3, 3), np.uint8)
    image[0, 0] = 255
    write_image(tmp_path / "dot.png", image)
    out = run("palette", tmp_path / "dot.png", "-k", 2)[1]
    assert "8 pixels" in out
    assert out.endswith("1 pixel\n")
