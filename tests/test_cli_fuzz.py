"""Damaged files through the command line: a result, or one line and status 2.

Nothing else ever comes: no traceback, no word of a library in C, no leftover file.
"""

import contextlib
import io
import os
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from PIL import Image
from tables import crossed

import kmeans_np.__main__ as cli

RGB = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, RGB[..., 0] // 100 * 100])
GRAY = RGB[..., 0]


def encoded(image, kind, mode=None, **options):
    """The content of an image file."""
    picture, file = Image.fromarray(image), io.BytesIO()
    picture = picture.convert(mode) if mode else picture
    picture.save(file, kind, **options)
    return file.getvalue()


FILES = {
    "PNG": encoded(RGB, "PNG"),
    "PNG with alpha": encoded(RGBA, "PNG"),
    "PNG with a palette": encoded(RGB, "PNG", "P", transparency=0),
    "PNG of 1 bit": encoded(GRAY, "PNG", "1"),
    "PNG of 16 bits": encoded(GRAY.astype(np.uint16) * 257, "PNG"),
    "JPEG": encoded(RGB, "JPEG"),
    "JPEG of 4 inks": encoded(RGB, "JPEG", "CMYK", progressive=True),
    "GIF": encoded(RGB, "GIF", "P", transparency=3),
    "WebP": encoded(RGB, "WEBP"),
    "WebP without loss": encoded(RGBA, "WEBP", lossless=True),
    "BMP": encoded(RGB, "BMP"),
    "BMP with a palette": encoded(RGB, "BMP", "P"),
    "TIFF": encoded(RGB, "TIFF"),
    "TIFF by deflate": encoded(RGBA, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF by LZW": encoded(GRAY, "TIFF", compression="tiff_lzw"),
    "TIFF by JPEG": encoded(RGB, "TIFF", compression="jpeg"),
    "TIFF by fax": encoded(GRAY, "TIFF", "1", compression="group4"),
    "TIFF of 16 bits": encoded(GRAY.astype(np.uint16) * 257, "TIFF"),
    "TIFF of floats": encoded(GRAY.astype(np.float32), "TIFF"),
}
with contextlib.suppress(ImportError):
    import imagecodecs
    import tifffile

    FILES["PNG of 48 bits"] = imagecodecs.png_encode(RGB.astype(np.uint16) * 257)
    for name, options in {
        "TIFF of 48 bits": {"photometric": "rgb"},
        "TIFF of 48 bits by deflate": {"photometric": "rgb", "compression": "zlib"},
        "TIFF of 12 bands": {"planarconfig": "separate", "rowsperstrip": 2},
    }.items():
        bands = RGB.astype(np.uint16)
        if "bands" in name:
            bands = np.concatenate([bands] * 4, axis=2).transpose(2, 0, 1)
        file = io.BytesIO()
        tifffile.imwrite(file, bands, **{"photometric": "minisblack", **options})
        FILES[name] = file.getvalue()
IMAGES = sorted(FILES)
TEXTS = ["colors", "JSON"]
FILES["colors"] = b"#ff0000  60.00%  38 pixels\n#00ff00\n\n#0000FF 40%\n"
FILES["JSON"] = (
    b'{"clusters": [{"hex": "#ff0000", "color": [255, 0, 0], "count": 38}, '
    b'{"hex": "#0000ff", "color": [0, 0, 255], "count": 25}], "inertia": 1.5}'
)
SUFFIXES = (".png", ".jpg", ".gif", ".tif", ".webp", ".bmp", ".txt", "")
# What to damage, and a command in which {} is the file with it.
SEGMENT = "segment {} -k 2 -o s.png --labels l.npy --overlay o.png"
SEVERAL = "segment good.png {} -k 2 --shared-palette -o out/"
MASK = "segment good.png -k 2 --mask {} -o s.png"
PALETTE = "palette {} -k 2 --json"
COLORS = "segment good.png --palette {} -o s.png"
cases = st.one_of(
    st.tuples(
        st.sampled_from(IMAGES), st.sampled_from([SEGMENT, SEVERAL, MASK, PALETTE])
    ),
    st.tuples(st.sampled_from(TEXTS), st.just(COLORS)),
)
numbers = st.sampled_from([0, 1, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1])
forms = st.sampled_from(["<H", ">H", "<I", ">I"])
places = st.integers(0, 1500)
damages = st.one_of(
    st.tuples(st.just("cut"), places),
    st.tuples(st.just("flip"), places, st.integers(1, 255)),
    st.tuples(st.just("write"), places, numbers, forms),
    st.tuples(st.just("repeat"), places, st.integers(1, 30)),
    st.tuples(st.just("splice"), places, st.sampled_from(sorted(FILES))),
)


def damaged(content, damages):
    """The content of a file after some damages."""
    content = bytearray(content)
    for kind, place, *how in damages:
        place %= len(content) or 1
        if kind == "cut":
            del content[place:]
        elif kind == "flip" and content:
            content[place] ^= how[0]
        elif kind == "write":
            number, form = how
            number &= 2 ** (8 * struct.calcsize(form)) - 1
            content[place : place + struct.calcsize(form)] = struct.pack(form, number)
        elif kind == "repeat":
            content[place:place] = content[place : place + how[0]]
        elif kind == "splice":
            content[place:] = FILES[how[0]][place:]
    return bytes(content)


def run(*args):
    """Run a command in this process; return its status, its output and its errors.

    What libraries in C print goes to the file descriptor and not to sys.stderr.
    """
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            with (
                open(2, "w", closefd=False) as stream,
                contextlib.redirect_stderr(stream),
                contextlib.redirect_stdout(io.StringIO()) as out,
            ):
                status = cli.main(args)
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        file.seek(0)
        return status, out.getvalue(), file.read().decode()


def everything_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_right(status, out, err, written, command):
    """A result and perhaps notes; or one error, and no file but those of others."""
    lines, about_good = err.splitlines(), 0
    expected = {SEGMENT: ["l.npy", "o.png", "s.png"], PALETTE: []}
    files = expected.get(command, ["s.png"])
    if command is SEVERAL:
        files, about_good = ["bad-k2.png", "good-k2.png"], 2
    if status in (1, 2):
        files = ["good-k2.png"] if command is SEVERAL else []
        assert len(lines) == 1, err
        assert lines[0].startswith("kmeans-np: error: ")
        assert out.count("\n") == about_good
    else:
        assert status == 0
        assert all(line.startswith("kmeans-np: note: ") for line in lines), err
        assert out
    assert written == files


def fuzz(case, damages, suffix):
    """Run a command with a damaged file, in a folder of its own."""
    kind, command = case
    with (
        tempfile.TemporaryDirectory() as name,
        contextlib.chdir(name),
        pytest.MonkeyPatch.context() as patch,
    ):
        # What claims to have more pixels takes longer, but no other way.
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
        folder = Path(name)
        (folder / f"bad{suffix}").write_bytes(damaged(FILES[kind], damages))
        (folder / "good.png").write_bytes(FILES["PNG"])
        before = everything_in(folder)
        status, out, err = run(*command.format(f"bad{suffix}").split())
        after = everything_in(folder)
        event(f"status {status}: {command}")
        assert {path: after.get(path) for path in before} == before
        written = sorted(path.name for path in after.keys() - before.keys())
        is_right(status, out, err, written, command)


any_damage = given(
    case=cases,
    damages=st.lists(damages, max_size=4),
    suffix=st.sampled_from(SUFFIXES),
)


@any_damage
def test_a_damaged_file_is_a_result_or_one_line(case, damages, suffix):
    fuzz(case, damages, suffix)


def patched(kind, place, form, *numbers):
    """The content of a file of a kind, with other numbers at a place of its header."""
    content = bytearray(FILES[kind])
    struct.pack_into(form, content, place, *numbers)
    return bytes(content)


def tagged(tag, number):
    """A TIFF whose header says this about it."""
    place = FILES["TIFF"].index(struct.pack("<HHI", tag, 4, 1))
    return patched("TIFF", place + 8, "<I", number)


def png(columns, rows, content, *chunks):
    """A PNG of gray whose checksums are right."""
    header = b"IHDR" + struct.pack(">2I5B", columns, rows, 8, 0, 0, 0, 0)
    parts = [header, *chunks, b"IDAT" + zlib.compress(content), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
        for part in parts
    )


def long_chunk(begin):
    """A part of a PNG that is 32 kB long, and 32 MB when unpacked."""
    return begin + zlib.compress(bytes(2**25))


START = FILES["JPEG"].index(b"\xff\xc0")
BOMBS = {
    "PNG": lambda: png(60_000, 60_000, bytes(99)),
    "largest PNG": lambda: png(2**31 - 1, 2**31 - 1, bytes(99)),
    "PNG that hardly may be": lambda: png(13_000, 13_700, bytes(99)),
    "PNG with a text": lambda: png(7, 9, bytes(72), long_chunk(b"zTXta\0\0")),
    "PNG with a profile": lambda: png(7, 9, bytes(72), long_chunk(b"iCCPa\0\0")),
    "JPEG": lambda: patched("JPEG", START + 5, ">2H", 65_535, 65_535),
    "GIF": lambda: patched("GIF", 6, "<2H", 65_535, 65_535),
    "BMP": lambda: patched("BMP", 18, "<2i", 2**31 - 1, 2**31 - 1),
    "WebP": lambda: patched("WebP without loss", 21, "<I", 2**28 - 1),
    "wide TIFF": lambda: tagged(256, 2**32 - 1),
    "high TIFF": lambda: tagged(257, 2**31),
}


@pytest.mark.parametrize(
    ("bomb", "command"),
    crossed(BOMBS, [SEGMENT, MASK], usual=["PNG with a profile", "JPEG", "high TIFF"]),
)
def test_a_file_that_claims_to_be_huge_is_refused_at_once(
    tmp_path, monkeypatch, bomb, command
):
    monkeypatch.chdir(tmp_path)
    Path("bomb").write_bytes(BOMBS[bomb]())
    Path("good.png").write_bytes(FILES["PNG"])
    before = everything_in(tmp_path)
    tracemalloc.start()
    status, out, err = run(*command.format("bomb").split())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("kmeans-np: error: ")
    assert everything_in(tmp_path) == before
    assert peak < 20e6


@pytest.mark.slow
def test_damaged_files_are_lines_of_a_process(tmp_path):
    """All in one process: what goes on stderr there does not pass through Python."""
    paths = []
    for number, kind in enumerate(IMAGES):
        for name, damage in (
            ("short", ("cut", len(FILES[kind]) * 2 // 3)),
            ("other", ("repeat", len(FILES[kind]) // 2, 20)),
            ("wrong", ("write", len(FILES[kind]) * 3 // 4, 2**31 - 1, ">I")),
        ):
            paths.append(tmp_path / f"{number}-{name}{SUFFIXES[number % 8]}")
            paths[-1].write_bytes(damaged(FILES[kind], [damage]))
    command = [sys.executable, "-m", "kmeans_np", "segment", *paths]
    done = subprocess.run(
        [*command, "-k", "2", "-o", f"{tmp_path}/out/"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    lines = [x for x in done.stderr.splitlines() if not x.startswith("kmeans-np: note")]
    assert all(line.startswith("kmeans-np: error: ") for line in lines), done.stderr
    written = [line.split(": ")[0] for line in done.stdout.splitlines()]
    assert len(lines) + len(written) == len(paths)
    assert sorted(written) == sorted(map(str, (tmp_path / "out").iterdir()))
    assert len(lines) > len(IMAGES)


@pytest.mark.slow
@any_damage
@settings(max_examples=2000)
def test_many_damaged_files_are_results_or_one_line(case, damages, suffix):
    fuzz(case, damages, suffix)
