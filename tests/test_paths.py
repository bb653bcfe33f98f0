"""What is at a path: what is replaced, by what, and what a killed process leaves."""

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tables import crossed

from kmeans_np import explain, open_image, read_image, write_image
from kmeans_np.cli import clusters, explaining
from kmeans_np.files import png

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have no such files"
)

OLD = np.uint8([[[0, 0, 0], [9, 9, 9], [250, 0, 0]], [[0, 90, 0]] * 3])
NEW = OLD[::-1].copy()
EXPLANATION = explain(NEW, 2, rng=0)
PART = re.compile(r"\.[0-9a-f]{16}\.part")


class Source:
    """An image that is read in blocks, and does something each time."""

    shape, dtype, ndim = NEW.shape, NEW.dtype, 3

    def __init__(self, do=lambda: None):
        self.do = do

    def __getitem__(self, index):
        self.do()
        return NEW[index]


# Everything that writes a file.
WRITERS = {
    ".png": lambda path, _: write_image(path, NEW),
    ".html": lambda path, _: EXPLANATION.save(path),
    ".npy": write_image,
    ".tif": write_image,
    ".zarr": write_image,
}
writers = pytest.mark.parametrize("suffix", WRITERS)


def is_new(path):
    if path.suffix == ".html":
        return path.read_text(encoding="utf-8").startswith("<!doctype html>")
    if path.suffix == ".png":
        return np.array_equal(read_image(path), NEW)
    with open_image(path) as image:
        return np.array_equal(image[...], NEW)


# ---- Only files and folders are replaced -----------------------------------------


def listen(path):
    # Its name may be 108 bytes long.
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def device(kind):
    """Make a device that does nothing; not one of the system, if it is replaced."""

    def make(path):
        try:
            os.mknod(path, 0o666 | kind, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("devices are not permitted here")

    return make


def linked(make):
    def make_link(path):
        make(path.with_name("far"))
        path.symlink_to("far")

    return make_link


def two_links(path):
    path.symlink_to("other")
    path.with_name("other").symlink_to(path.name)


CIRCLE = (
    "path must be a file that can be written, got {}: its links lead in a circle; "
    "choose another path"
)
SPECIAL = {
    "FIFO": (os.mkfifo, "a FIFO"),
    "socket": (listen, "a socket"),
    "device": (device(stat.S_IFCHR), "a device"),
    "block device": (device(stat.S_IFBLK), "a device"),
    "link to a FIFO": (linked(os.mkfifo), "a FIFO"),
    "link to a socket": (linked(listen), "a socket"),
    "link to a device": (linked(device(stat.S_IFCHR)), "a device"),
    "link to itself": (lambda path: path.symlink_to(path.name), CIRCLE),
    "links in a circle": (two_links, CIRCLE),
}


def state(folder):
    """What is in a folder: each thing by its number, kind and permissions."""
    found = {path: path.lstat() for path in folder.iterdir()}
    return {path: (each.st_ino, each.st_mode) for path, each in found.items()}


def sentence_about(kind, path):
    if "{}" in kind:
        return kind.format(path)
    return (
        f"path must be an ordinary file or a new name, got {path}, which is {kind}; "
        "choose another name"
    )


@pytest.mark.parametrize(("suffix", "special"), crossed(WRITERS, SPECIAL))
def test_what_is_no_file_is_left_as_it_is(tmp_path, suffix, special, monkeypatch):
    # It is refused before the work.
    monkeypatch.setattr(png, "png_bytes", None)
    monkeypatch.setattr(type(EXPLANATION), "_page", None)
    path = tmp_path / f"out{suffix}"
    make, kind = SPECIAL[special]
    make(path)
    before = state(tmp_path)
    with pytest.raises((ValueError, OSError)) as caught:
        WRITERS[suffix](path, Source())
    assert str(caught.value) == sentence_about(kind, path)
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "option", "target"),
    [
        ("segment in.png -k 2 -o out.png", "-o", "out.png"),
        ("segment in.png -k 2 -o folder", "-o", "folder/in-k2.png"),
        ("segment in.png -k 2 --labels out.npy", "--labels", "out.npy"),
        ("segment in.png -k 2 --labels folder", "--labels", "folder/in-labels.png"),
        ("segment in.png -k 2 --overlay out.png", "--overlay", "out.png"),
        ("segment in.png -k 2", "-o", "in-k2.png"),
        ("explain in.png -k 2 -o out.gif", "-o", "out.gif"),
        ("explain in.png -k 2 -o folder", "-o", "folder/in-k2.html"),
        ("demo --output folder", "--output", "folder/sample.png"),
    ],
)
def test_the_command_line_says_so_before_the_work(
    tmp_path, run, monkeypatch, command, option, target
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clusters, "cluster_image", None)
    monkeypatch.setattr(explaining, "explained", None)
    write_image("in.png", OLD)
    Path("folder").mkdir()
    os.mkfifo(target)
    before = state(tmp_path)
    sentence = sentence_about("a FIFO", target).removeprefix("path")
    assert run(*command.split()) == (2, "", f"kmeans-np: error: {option}{sentence}\n")
    assert state(tmp_path) == before


def test_a_zarr_is_replaced_by_the_command_line_and_nothing_put_in_it(tmp_path, run):
    np.save(tmp_path / "in.npy", OLD)
    target = tmp_path / "out.zarr"
    for _ in range(2):
        run("segment", tmp_path / "in.npy", "-k", 2, "-o", target)
        assert {path.name for path in target.iterdir()} == {"zarr.json", "c"}
    assert {path.name for path in tmp_path.iterdir()} == {"in.npy", "out.zarr"}


@writers
def test_a_link_to_nothing_stays_one_and_is_written_to(tmp_path, suffix):
    path, target = tmp_path / f"out{suffix}", tmp_path / f"far{suffix}"
    path.symlink_to(target.name)
    WRITERS[suffix](path, Source())
    assert path.is_symlink()
    assert not target.is_symlink()
    assert is_new(target)
    assert len([*tmp_path.iterdir()]) == 2


# ---- Reading ---------------------------------------------------------------------


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("read", [read_image, open_image])
def test_what_is_no_file_is_not_read(tmp_path, read, special):
    """Of a FIFO, reading would wait for somebody to write to it."""
    path = tmp_path / "in.npy"
    make, kind = SPECIAL[special]
    make(path)
    if kind == "a FIFO":
        # Somebody does, so that this test does not wait if all is broken.
        end = os.open(path, os.O_RDWR)
        os.write(end, bytes(64))
    with pytest.raises((ValueError, OSError)) as caught:
        read(path)
    assert str(caught.value) == (
        f"path must be an ordinary file, got {path}, which is {kind}; save its data "
        f"to a file first"
        if "{}" not in kind
        else kind.format(path).replace(
            "a file that can be written", "an image file that can be read"
        )
    )
    if kind == "a FIFO":
        os.close(end)


def test_a_palette_may_come_from_another_command(tmp_path, run):
    fifo, picture = tmp_path / "palette", tmp_path / "in.png"
    write_image(picture, OLD)
    os.mkfifo(fifo)
    child = subprocess.Popen(["sh", "-c", f"echo '#ff0000' > '{fifo}'"])
    assert run("segment", picture, "--palette", fifo)[0] == 0
    assert child.wait() == 0
    device(stat.S_IFCHR)(tmp_path / "device")
    _, _, err = run("segment", picture, "--palette", tmp_path / "device")
    assert "which is a device" in err


# ---- Permissions -----------------------------------------------------------------


@pytest.fixture
def drafts(monkeypatch):
    """The mode of each draft, as soon as it is there."""
    modes, functions = [], {name: getattr(os, name) for name in ("open", "mkdir")}

    def watch(name):
        def create(path, *args, **options):
            there = os.path.lexists(path)
            answer = functions[name](path, *args, **options)
            if PART.fullmatch(Path(path).name) and not there:
                modes.append(stat.S_IMODE(Path(path).stat().st_mode))
            return answer

        return create

    for name in functions:
        monkeypatch.setattr(os, name, watch(name))
    return modes


def under(umask, function, *args):
    before = os.umask(umask)
    try:
        function(*args)
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("suffix", "mode"), crossed(WRITERS, [0o600, 0o640, 0o644, 0o444, 0o666, 0o400])
)
@pytest.mark.parametrize("umask", [0, 0o022])
def test_a_draft_is_never_open_to_more_than_what_it_replaces(
    tmp_path, drafts, suffix, mode, umask
):
    path = tmp_path / f"secret{suffix}"
    WRITERS[suffix](path, Source())
    if suffix == ".zarr":
        mode |= 0o700 | (mode & 0o444) >> 2
    path.chmod(mode)
    drafts.clear()

    def look():
        (draft,) = (each for each in tmp_path.iterdir() if each != path)
        drafts.append(stat.S_IMODE(draft.stat().st_mode))

    under(umask, WRITERS[suffix], path, Source(look))
    assert len(drafts) == 1 + (suffix not in (".png", ".html"))
    # Whoever writes it has to read and write it, and to look into a folder.
    assert all(each & ~(mode | 0o700) == 0 for each in drafts)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert is_new(path)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@writers
def test_something_new_has_the_usual_permissions(tmp_path, suffix, umask):
    path = tmp_path / f"new{suffix}"
    under(umask, WRITERS[suffix], path, Source())
    usual = 0o777 if suffix == ".zarr" else 0o666
    assert stat.S_IMODE(path.stat().st_mode) == usual & ~umask


def test_a_folder_is_no_more_open_than_the_file_that_it_replaces(tmp_path, drafts):
    path = tmp_path / "secret.zarr"
    path.write_text("a note")
    path.chmod(0o640)
    under(0, write_image, path, Source())
    assert drafts == [0o750]
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_the_old_folder_is_kept_when_it_cannot_go_back(tmp_path, monkeypatch):
    path, calls, rename = tmp_path / "image.zarr", [], Path.rename
    write_image(path, OLD)

    def only_once(old, new):
        calls.append(old)
        if len(calls) > 1:
            raise OSError(5, "Input/output error")
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", only_once)
    with pytest.raises(OSError, match="input/output error"):
        write_image(path, NEW)
    (part,) = tmp_path.iterdir()
    monkeypatch.undo()
    part.rename(path)
    with open_image(path) as image:
        assert np.array_equal(image[...], OLD)


# ---- What is left ----------------------------------------------------------------

# One process that is copied for each case, since the libraries take long to load.
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
import kmeans_np, tifffile, imagecodecs, zarr, imageio.v3

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def writing(draft, data):
    with open(draft, "wb") as file:
        file.write(data[: len(data) // 2])
    die()

def after(n, function):
    calls = []
    def call(*args):
        calls.append(args)
        if len(calls) > n:
            die()
        return function(*args)
    return call

class Source:
    shape, dtype, ndim, chunks = (4, 1024, 1024), np.dtype("u1"), 3, (1, 1024, 1024)
    read = staticmethod(after(1, lambda: None))
    def __getitem__(self, index):
        self.read()
        return np.ones([part.stop - part.start for part in index], "u1")

def by_blocks(path):
    from kmeans_np.files import write_blocks
    write_blocks.BLOCK = 2**20
    kmeans_np.write_image(path, Source())

def patched(name, function):
    def write(path):
        setattr(Path, name, function)
        kmeans_np.write_image(path, np.ones((2, 3), np.uint8))
    return write

cases = {
    "writing.png": patched("write_bytes", writing),
    "replacing.png": patched("replace", die),
    "replacing.npy": patched("replace", die),
    "blocks.npy": by_blocks,
    "blocks.zarr": by_blocks,
    "first rename.zarr": patched("rename", die),
    "second rename.zarr": patched("rename", after(1, Path.rename)),
}
for name, write in cases.items():
    path = Path(name) / name
    path.parent.mkdir()
    kind = path.suffix
    if kind == ".zarr":
        path.mkdir()
        (path / "zarr.json").write_text("old")
    else:
        path.write_text("old")
children = []
for name, write in cases.items():
    child = os.fork()
    if not child:
        try:
            write(Path(name) / name)
        finally:
            os._exit(1)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.mark.slow
def test_a_killed_process_leaves_what_was_there_and_parts(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=True)
    for folder in tmp_path.iterdir():
        path = folder / folder.name
        parts = [each for each in folder.iterdir() if each != path]
        assert all(PART.fullmatch(part.name) for part in parts)
        old = path / "zarr.json" if path.suffix == ".zarr" else path
        if path.name == "second rename.zarr":
            assert not path.exists()
            first, second = sorted(parts, key=lambda part: (part / "c").exists())
            assert (first / "zarr.json").read_text() == "old"
            assert (second / "zarr.json").read_text() != "old"
        else:
            assert len(parts) == 1
            assert old.read_text() == "old"
        write_image(path, NEW)
        assert is_new(path)
        assert {*folder.iterdir()} == {path, *parts}
    assert len([*tmp_path.iterdir()]) == 7
