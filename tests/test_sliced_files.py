"""Images too large for memory: read in slices, written in blocks, or not at all."""

import asyncio
import errno
import json
import mmap
import os
import shutil
import signal
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from refusals import refused
from tables import crossed, few_examples
from zarr.storage import LocalStore

from kmeans_np import read_image, sample_image, write_image
from kmeans_np.files import SlicedImage, open_image, tiff, write_blocks
from kmeans_np.files import open as opening
from kmeans_np.files.tiff import TIFF_TYPES
from kmeans_np.files.write_blocks import write_sliced

RNG = np.random.default_rng(11)
KINDS = ("npy", "zarr", "tif")
kinds = pytest.mark.parametrize("kind", KINDS)
RGB = RNG.integers(0, 256, (90, 130, 3), dtype=np.uint8)
GRAY = RGB[..., 0].copy()


def some(shape, dtype):
    """Return an image of random numbers that use all bytes of the type."""
    if np.dtype(dtype).kind == "f":
        return RNG.normal(size=shape).astype(dtype)
    if dtype == "bool":
        return RNG.random(shape) < 0.5
    about = np.iinfo(dtype)
    return RNG.integers(about.min, about.max, shape, dtype, endpoint=True)


class Lazy:
    """An image that is made when it is read, and counts how often that is."""

    def __init__(self, shape, dtype="uint8", chunks=None, fail_at=None, error=None):
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)
        self.fail_at, self.error, self.reads = fail_at, error, 0
        if chunks:
            self.chunks = chunks

    def __getitem__(self, index):
        self.reads += 1
        if self.reads == self.fail_at:
            raise self.error
        whole = tuple(part.indices(n) for part, n in zip(index, self.shape))
        axes = np.ogrid[tuple(slice(*part) for part in whole)]
        return sum(7**i * axis for i, axis in enumerate(axes)).astype(self.dtype)

    def whole(self):
        return self[tuple(slice(0, n) for n in self.shape)]


def same(image, expected):
    assert type(image) is np.ndarray
    assert image.shape == expected.shape
    assert image.dtype == expected.dtype.newbyteorder("=")
    assert np.array_equal(image, expected)
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert image.flags.owndata or image.base.flags.owndata
    assert image.dtype.isnative


def read(path, index=...):
    with open_image(path) as image:
        return image[index]


# ---- There and back --------------------------------------------------------------

SHAPES = [(1, 1), (9, 13), (16, 512), (513, 40), (520, 530, 3), (33, 5, 1)]
SHAPES += [(40, 50, 2), (600, 20, 4), (40, 50, 7)]
TYPES = ["bool", "int64", "float16"]


# By default every shape of one type, and every type in one shape.
WRITTEN = [
    pytest.param(
        *(kind, shape, dtype),
        marks=() if dtype == "uint16" or shape == (40, 50, 7) else pytest.mark.slow,
    )
    for kind in KINDS
    for shape in SHAPES
    for dtype in sorted({*TYPES, *TIFF_TYPES})
    if kind != "tif" or dtype in TIFF_TYPES
]


@pytest.mark.parametrize(("kind", "shape", "dtype"), WRITTEN, ids=str)
def test_what_was_written_is_read_again(tmp_path, kind, shape, dtype):
    image = some(shape, dtype)
    first, second = tmp_path / f"first.{kind}", tmp_path / f"second.{kind}"
    write_sliced(first, image)
    if kind == "tif" and shape[2:] == (1,):
        image = image[..., 0]
    with open_image(first) as opened:
        assert isinstance(opened, SlicedImage)
        assert (opened.shape, opened.ndim) == (image.shape, image.ndim)
        assert opened.dtype == dtype
        assert len(opened.chunks) == image.ndim
        assert all(0 < size <= n for size, n in zip(opened.chunks, image.shape))
        write_sliced(second, opened)
    same(read(first), image)
    same(read(second), image)
    if kind == "tif":
        same(read_image(second), image)


@kinds
@given(data=st.data(), block=st.integers(600, 20_000), smallest=st.integers(1, 100))
@few_examples
def test_blocks_and_chunks_of_any_size_are_written(
    tmp_path_factory, kind, data, block, smallest
):
    """Small limits, so that small images have several blocks along every axis."""
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=3, max_side=70))
    if len(shape) == 3:
        shape = (*shape[:2], min(shape[2], 5))
    chunks = data.draw(st.none() | st.tuples(*[st.integers(9, 40)] * len(shape)))
    image = Lazy(shape, "uint16", chunks)
    path = tmp_path_factory.mktemp("blocks") / f"image.{kind}"
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_blocks, "BLOCK", block)
        patch.setattr(write_blocks, "SMALLEST_CHUNK", smallest)
        patch.setattr(write_blocks, "USUAL_TILE_SIDES", range(16, 1025, 16))
        patch.setattr(write_blocks, "TILE_SIDE", 32)
        write_sliced(path, image, progress=lambda *call: calls.append(call))
    expected = image.whole()
    if kind == "tif" and shape[2:] == (1,):
        expected = expected[..., 0]
    same(read(path), expected)
    pixels = shape[0] * shape[1]
    assert calls == sorted(calls)
    assert calls[-1] == (pixels, pixels)
    if kind == "npy":
        assert np.array_equal(np.load(path), expected)


@pytest.mark.parametrize("shape", [(1000,), (5, 6, 7, 8), (40, 50, 60)], ids=str)
@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_any_number_of_axes(tmp_path, monkeypatch, kind, shape):
    monkeypatch.setattr(write_blocks, "BLOCK", 3000)
    image = some(shape, "uint8")
    write_sliced(tmp_path / f"image.{kind}", image)
    same(read(tmp_path / f"image.{kind}"), image)


@kinds
def test_each_pixel_is_read_once(tmp_path, kind, monkeypatch):
    class Counting(Lazy):
        def __getitem__(self, index):
            counts[index[:2]] += 1
            sizes.append(part.stop - part.start for part in index)
            return super().__getitem__(index)

    monkeypatch.setattr(write_blocks, "BLOCK", 2**19)
    counts, sizes = np.zeros((700, 1500), int), []
    image = Counting((700, 1500, 3), "uint8", (256, 256, 3))
    write_sliced(tmp_path / f"image.{kind}", image)
    assert (counts == 1).all()
    for size in sizes:
        rows, columns, channels = size
        assert rows * columns * channels <= 2**19


@kinds
@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_is_read(tmp_path, kind, order):
    image = RNG.integers(0, 2**16, (40, 50)).astype(order + "u2")
    path = tmp_path / f"image.{kind}"
    if kind == "npy":
        np.save(path, image)
    elif kind == "zarr":
        zarr.create_array(path, data=image, chunks=(16, 16), zarr_format=2)
    else:
        tifffile.imwrite(path, image, byteorder=order, tile=(16, 16), metadata=None)
    same(read(path), image)
    write_sliced(path, image)
    same(read(path), image)


def test_a_zarr_keeps_its_chunks_and_a_tiff_its_tiles(tmp_path):
    first = tmp_path / "first.zarr"
    zarr.create_array(first, shape=(900, 700, 3), chunks=(208, 256, 3), dtype="u1")
    with open_image(first) as image:
        assert image.chunks == (208, 256, 3)
        for name in ("second.zarr", "second.tif"):
            write_sliced(tmp_path / name, image)
            with open_image(tmp_path / name) as again:
                assert again.chunks == (208, 256, 3)


@pytest.mark.slow
def test_chunks_that_are_no_good_are_not_taken_over(tmp_path):
    chunks = {}
    for own in [(1, 1, 3), (300, 300, 3), ((700,), (1500,), (3,)), None, (700, 1500)]:
        path = tmp_path / "image.zarr"
        write_sliced(path, Lazy((700, 1500, 3), "uint8", own))
        with open_image(path) as image:
            chunks[own] = image.chunks
    assert chunks.pop((300, 300, 3)) == (300, 300, 3)
    assert {*chunks.values()} == {(700, 1024, 3)}


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("shape", "strip", "expected"),
    [
        slow((700, 9000, 3), (16, 9000, 3), (64, 1024, 3)),
        slow((2000, 9000), (50, 9000), (200, 1024)),
        slow((9000, 2000), (9000, 50), (1024, 200)),
        slow((90, 70_000), (3, 70_000), (27, 2427)),
        ((30, 9000, 3), (30, 9000, 3), (30, 2184, 3)),
        # Not so slender; a plane of a volume.
        slow((2000, 3000), (200, 3000), (200, 3000)),
        ((40, 500, 600), (1, 500, 600), (1, 500, 600)),
    ],
)
def test_strips_are_cut_and_each_is_read_once(
    shape, strip, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(write_blocks, "BLOCK", 2**21)
    thin = int(np.argmin(strip[:2]))
    read = np.zeros(-(-shape[thin] // strip[thin]), int)

    class Strips(Lazy):
        def __getitem__(self, index):
            part = index[thin]
            read[part.start // strip[thin] : -(-part.stop // strip[thin])] += 1
            return super().__getitem__(index)

    path = tmp_path / "image.zarr"
    write_sliced(path, Strips(shape, "uint8", strip))
    # Columns that stand together are in a map of a file, which needs no decoding.
    assert (read == 1).all() or thin == 1
    with open_image(path) as again:
        assert again.chunks == expected


@pytest.mark.slow
def test_an_image_of_many_bands_is_cut_smaller(tmp_path):
    """A tile or chunk of the usual size would have 800 megabytes."""
    image = Lazy((40, 300, 500), "float64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_blocks, "BLOCK", 2**21)
        for name in ("image.zarr", "image.tif"):
            write_sliced(tmp_path / name, image)
            with open_image(tmp_path / name) as again:
                assert np.prod(again.chunks) * 8 <= 2**21
                same(again[5:9, 100:200, ::50], image.whole()[5:9, 100:200, ::50])


def test_large_tiffs_are_big_and_small_ones_classic(tmp_path, monkeypatch):
    path = tmp_path / "image.tif"
    write_sliced(path, RGB)
    with tifffile.TiffFile(path) as file:
        assert not file.is_bigtiff
        page = file.pages[0]
        assert page.is_tiled
        assert (page.tilelength, page.tilewidth) == (96, 144)
        assert page.compression == 8
    # What counts is the size with full tiles, not compressed.
    for limit, big in [(96 * 144 * 3 - 1, True), (96 * 144 * 3, False)]:
        monkeypatch.setattr(tiff, "CLASSIC_TIFF", limit)
        write_sliced(path, RGB)
        with tifffile.TiffFile(path) as file:
            assert file.is_bigtiff == big
        same(read_image(path), RGB)
        same(read(path), RGB)


@pytest.mark.parametrize(
    ("channels", "model", "extra"),
    [(1, "MINISBLACK", ()), (2, "MINISBLACK", (2,)), (3, "RGB", ()), (4, "RGB", (2,)),
     (5, "MINISBLACK", (0, 0, 0, 0))],
)  # fmt: skip
def test_a_tiff_says_what_its_channels_are(tmp_path, channels, model, extra):
    path = tmp_path / "image.tif"
    write_sliced(path, some((40, 50, channels), "uint8"))
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].photometric.name == model
        assert tuple(map(int, file.pages[0].extrasamples)) == extra


# ---- Slices ----------------------------------------------------------------------

TIFFS = {
    "tiles": {"tile": (32, 16)},
    "packed tiles": {"tile": (32, 16), "compression": "zlib", "predictor": True},
    "bands apart": {"planarconfig": "separate", "tile": (16, 32)},
    "packed strips": {"rowsperstrip": 7, "compression": "lzw"},
    "strips apart": {"planarconfig": "separate", "rowsperstrip": 7,
                     "compression": "zlib"},
    "one packed strip": {"compression": "zlib", "rowsperstrip": 90},
    "strips": {"rowsperstrip": 7},
    "one strip": {},
    "planes": {"planarconfig": "separate"},
    "big": {"bigtiff": True, "byteorder": ">", "compression": "zstd"},
}  # fmt: skip


def written(folder, name, image):
    """Write a file with another library, and return its path."""
    if name in TIFFS:
        path = folder / f"{name}.tif"
        options = dict(TIFFS[name])
        if options.get("planarconfig") == "separate":
            if image.ndim == 2:
                del options["planarconfig"]
            else:
                image = np.moveaxis(image, 2, 0)
        model = "rgb" if image.ndim == 3 else "minisblack"
        tifffile.imwrite(path, image, photometric=model, metadata=None, **options)
    elif name.startswith("npy"):
        path = folder / f"{name}.npy"
        np.save(path, np.asarray(image, order=name[-1]))
    else:
        path = folder / f"{name}.zarr"
        options = {"zarr_format": 2} if name == "zarr 2" else {}
        chunks = (16, 24, 2)[: image.ndim]
        if name == "zarr in shards":
            options["shards"] = tuple(2 * size for size in chunks)
        zarr.create_array(path, data=image, chunks=chunks, **options)
    return path


OTHERS = ("npy C", "npy F", "zarr 2", "zarr 3", "zarr in shards")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    files = {}
    for name in (*TIFFS, *OTHERS):
        for kind, image in [("RGB", RGB), ("gray", GRAY)]:
            (folder / kind).mkdir(exist_ok=True)
            files[name, kind] = open_image(written(folder / kind, name, image)), image
    yield files
    for file, _ in files.values():
        file.close()


def parts(length):
    places = st.none() | st.integers(-length - 3, length + 3)
    steps = st.none() | st.integers(1, length + 3)
    return st.builds(slice, places, places, steps) | st.integers(-length, length - 1)


@pytest.mark.parametrize(("name", "kind"), crossed([*TIFFS, *OTHERS], ["RGB", "gray"]))
@few_examples
@given(data=st.data())
def test_slices_are_numpys(opened, name, kind, data):
    file, image = opened[name, kind]
    assert (file.shape, file.dtype) == (image.shape, image.dtype)
    index = [data.draw(parts(length)) for length in image.shape]
    begin = data.draw(st.integers(0, image.ndim))
    end = data.draw(st.integers(begin, image.ndim))
    index[begin:end] = [...] if data.draw(st.booleans()) else index[begin:end]
    if ... not in index:
        index = index[:end]
    index = tuple(index)
    expected = image[index]
    same(file[index], np.asarray(expected))
    if len(index) == 1:
        same(file[index[0]], np.asarray(expected))


@pytest.mark.parametrize(
    ("name", "suffix", "kind"), crossed([*TIFFS, *OTHERS], KINDS, ["RGB", "gray"])
)
def test_all_of_it_is_read_in_blocks_and_written(opened, name, suffix, kind, tmp_path):
    file, image = opened[name, kind]
    same(file[...], image)
    write_sliced(tmp_path / f"image.{suffix}", file)
    same(read(tmp_path / f"image.{suffix}"), image)


def test_only_the_tiles_that_overlap_are_decoded(tmp_path, monkeypatch):
    decoded = []
    read_chunk = tiff.TiffImage._chunk
    monkeypatch.setattr(
        tiff.TiffImage,
        "_chunk",
        lambda image, place: decoded.append(place) or read_chunk(image, place),
    )
    with open_image(written(tmp_path, "packed tiles", RGB)) as image:
        assert image.chunks == (32, 16, 3)
        image[31:33, 20:40]
        assert decoded == [(0, 1, 0), (0, 2, 0), (1, 1, 0), (1, 2, 0)]
        decoded.clear()
        image[::64, 5]
        assert decoded == [(0, 0, 0), (2, 0, 0)]
        decoded.clear()
        assert image[5:5].shape == (0, 130, 3)
        assert decoded == []


def test_what_is_mapped_is_best_read_as_it_stands_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MAPPED_CHUNK", 1000)
    chunks = {}
    for name in ("npy C", "npy F", "strips", "planes"):
        with open_image(written(tmp_path, name, RGB)) as image:
            chunks[name] = image.chunks
    assert chunks["npy C"] == (2, 130, 3)
    assert chunks["npy F"] == (90, 11, 1)
    assert chunks["strips"] == (2, 130, 3)
    assert chunks["planes"] == (2, 130, 3)


def test_slices_are_not_views_of_the_file(tmp_path):
    path = written(tmp_path, "npy C", RGB)
    with open_image(path) as image:
        image[:5][:] = 0
        same(image[:5], RGB[:5])


@pytest.mark.parametrize("name", ["npy C", "strips"])
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux says it")
@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="no such advice")
def test_what_was_read_does_not_stay_in_memory(tmp_path, name):
    image = np.ones((4000, 2000, 3), np.uint8)
    path = written(tmp_path, name, image)
    with open_image(path) as file:
        for row in range(0, 4000, 500):
            assert file[row : row + 500].all()
        found, resident = False, 0
        for line in Path("/proc/self/smaps").read_text().splitlines():
            if "-" in line.split()[0]:
                mine = line.endswith(str(path))
                found |= mine
            elif mine and line.startswith("Rss:"):
                resident += int(line.split()[1])
    assert found
    assert resident * 1024 < 2**20


INDEX = "index must {}, got {}"


@pytest.mark.parametrize("name", ["npy C", "zarr 3", "packed tiles"])
def test_what_is_no_slice_is_refused(opened, name):
    image = opened[name, "RGB"][0]
    kinds = "be of slices, whole numbers and '...'"
    for index, what in [
        (None, "NoneType"), ([1, 2], "list"), (True, "bool"), (1.5, "float"),
        (np.arange(3) > 1, "ndarray"), ("a", "str"),
    ]:  # fmt: skip
        if what == "ndarray":
            continue
        sentence = INDEX.format(kinds, f"{what}; read a slice and index that")
        refused(TypeError, sentence, image.__getitem__, index)
    refused(
        ValueError,
        INDEX.format(
            "have positive steps", "slice(None, None, -1); reverse what was read"
        ),
        image.__getitem__,
        slice(None, None, -1),
    )
    many = "have at most 3 parts and one '...'"
    for index in [(0, 0, 0, 0), (..., ...)]:
        end = f"{index!r} for an image of shape (90, 130, 3); leave some out"
        refused(IndexError, INDEX.format(many, end), image.__getitem__, index)
    refused(
        IndexError,
        INDEX.format(
            "be from -90 to 89 along an axis of length 90", "90; count from 0"
        ),
        image.__getitem__,
        90,
    )


@pytest.mark.parametrize("name", ["npy C", "zarr 3", "packed tiles", "strips"])
def test_a_closed_image_is_refused(tmp_path, name):
    path = written(tmp_path, name, RGB)
    with open_image(path) as image:
        pass
    image.close()
    refused(
        ValueError,
        f"image must be open to be read, got {path}, which was closed; open it again",
        image.__getitem__,
        0,
    )


# ---- Groups of Zarr --------------------------------------------------------------


def test_of_a_group_the_full_resolution_is_taken_or_the_only_array(tmp_path):
    group = zarr.create_group(tmp_path / "image.zarr")
    group.create_array("1", data=GRAY)
    same(read(tmp_path / "image.zarr"), GRAY)
    group.create_array("0", data=RGB)
    same(read(tmp_path / "image.zarr"), RGB)
    same(read(tmp_path / "image.zarr"), RGB)


def test_a_group_of_several_arrays_is_refused(tmp_path):
    path = tmp_path / "image.zarr"
    group = zarr.create_group(path)
    rule = (
        "path must be a Zarr array, or a group with one array or with an array '0', "
        f"got {path}, a group of "
    )
    end = "; pass the path of an array"
    refused(ValueError, f"{rule}0 arrays{end}", open_image, path)
    group.create_array("red", data=GRAY)
    group.create_array("blue", data=GRAY)
    refused(ValueError, f"{rule}2 arrays: blue, red{end}", open_image, path)


def test_files_that_do_not_belong_to_it_do_not_matter(tmp_path):
    path = written(tmp_path, "zarr 3", RGB)
    (path / "notes.txt").write_text("a note")
    same(read(path), RGB)
    group = zarr.create_group(tmp_path / "group.zarr")
    group.create_array("red", data=GRAY)
    (tmp_path / "group.zarr" / "notes").mkdir()
    (tmp_path / "group.zarr" / "notes.txt").write_text("a note")
    same(read(tmp_path / "group.zarr"), GRAY)


# ---- What cannot be opened -------------------------------------------------------

DAMAGED = (
    "path must be an image file, got {path}: not a readable image (unsupported format "
    "or damaged file); convert it to one of "
    ".npy, .zarr, .tif, .tiff"
)


@pytest.mark.parametrize("name", ["photo.png", "image", "image.npz"])
def test_other_kinds_are_refused(tmp_path, name):
    path = tmp_path / name
    kinds = "path must end in one of .npy, .zarr, .tif, .tiff to be"
    refused(
        ValueError,
        f"{kinds} read in slices, got {path}; convert it, or read it as a whole with "
        "read_image",
        open_image,
        str(path),
    )
    refused(
        ValueError,
        f"{kinds} written in blocks, got {path}; choose one of these",
        write_sliced,
        path,
        RGB,
    )


@pytest.mark.parametrize("function", [open_image, lambda path: write_sliced(path, RGB)])
def test_what_names_no_file_is_refused(function):
    refused(
        TypeError,
        "path must be a string or a path, got int; pass the name of a file, such as "
        "'photo.jpg'",
        function,
        3,
    )


@kinds
def test_a_missing_file_is_refused(tmp_path, kind):
    for path in (tmp_path / f"missing.{kind}", tmp_path / "missing" / f"image.{kind}"):
        refused(
            FileNotFoundError,
            f"path must be an image file that can be read, got {path}: no such file "
            f"or folder; check the spelling",
            open_image,
            path,
        )


@kinds
def test_a_folder_or_file_in_the_wrong_place_is_refused(tmp_path, kind):
    if sys.platform == "win32":
        pytest.skip("Windows has other errors")
    path = tmp_path / f"image.{kind}"
    path.touch() if kind == "zarr" else path.mkdir()
    error, what = IsADirectoryError, "is a folder; name a file in it"
    if kind == "zarr":
        error = NotADirectoryError
        what = "a part of it is a file, not a folder; check the spelling"
    sentence = f"path must be an image file that can be read, got {path}: {what}"
    refused(error, sentence, open_image, path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
@kinds
def test_a_file_that_may_not_be_read_is_refused(tmp_path, kind):
    path = tmp_path / f"image.{kind}"
    write_sliced(path, RGB)
    path.chmod(0)
    try:
        with pytest.raises(PermissionError, match="permission denied"):
            open_image(path)
    finally:
        path.chmod(0o700)


@pytest.mark.parametrize("content", [b"", b"Dear diary,\n", b"II", b"PK\x03\x04" * 99])
@pytest.mark.parametrize("kind", ["npy", "tif"])
def test_what_is_no_image_is_refused(tmp_path, content, kind):
    path = tmp_path / f"image.{kind}"
    path.write_bytes(content)
    refused(ValueError, DAMAGED.format(path=path), open_image, path)
    path.unlink()


@pytest.mark.parametrize("name", ["npy C", *TIFFS])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name):
    path = written(tmp_path, name, RGB)
    content = path.read_bytes()
    for end in (9, len(content) // 2, len(content) - 2):
        path.write_bytes(content[:end])
        refused(ValueError, DAMAGED.format(path=path), open_image, path)
    path.unlink()


def test_a_folder_that_is_no_zarr_is_refused(tmp_path):
    path = tmp_path / "image.zarr"
    path.mkdir()
    refused(ValueError, DAMAGED.format(path=path), open_image, path)
    (path / "zarr.json").write_text("{")
    refused(ValueError, DAMAGED.format(path=path), open_image, path)


def test_a_tile_that_is_missing_is_refused(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, GRAY, tile=(16, 16), compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        sizes = file.pages[0].databytecounts
        file.pages[0].tags["TileByteCounts"].overwrite((*sizes[:-1], 0))
    refused(ValueError, DAMAGED.format(path=path), open_image, path)


@pytest.mark.parametrize("kind", ["npy", "zarr"])
def test_what_holds_no_numbers_is_refused(tmp_path, kind):
    path = tmp_path / f"image.{kind}"
    image = np.ones((4, 4), complex)
    np.save(path, image) if kind == "npy" else zarr.create_array(path, data=image)
    refused(
        ValueError,
        "path must hold bool, integers or floats of at most 64 bits, got "
        f"{path}, which holds complex128; convert it with another library",
        open_image,
        path,
    )


def test_text_of_no_length_is_refused(tmp_path):
    path, about = tmp_path / "image.npy", {"descr": "|S0", "fortran_order": False}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**about, "shape": (3, 4)})
        file.write(bytes(99))
    refused(
        ValueError,
        "path must hold bool, integers or floats of at most 64 bits, got "
        f"{path}, which holds |S0; convert it with another library",
        open_image,
        path,
    )


def test_python_objects_are_not_unpickled(tmp_path):
    path = tmp_path / "image.npy"
    np.save(path, np.array([None]))
    refused(ValueError, DAMAGED.format(path=path), open_image, path)


@pytest.mark.parametrize(
    ("image", "options", "found"),
    [
        (GRAY, {"photometric": "miniswhite"},
         "1 channel of uint8, of 1 plane of the color model MINISWHITE"),
        (RGB[:16, :16], {"photometric": "minisblack", "volumetric": True,
                         "tile": (16, 16, 16)},
         "1 channel of uint8, of 16 planes of the color model MINISBLACK"),
        (GRAY.astype(np.uint64), {},
         "1 channel of uint64, of 1 plane of the color model MINISBLACK"),
    ],
)  # fmt: skip
def test_other_color_models_types_and_depths_are_refused(
    tmp_path, image, options, found
):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, image, metadata=None, **options)
    refused(
        ValueError,
        "path must be a TIFF of one plane of gray, RGB or other bands of the type "
        "uint8, uint16, uint32, int8, int16, int32, float32 or float64, got "
        f"{path}, a TIFF of {found}; read it with another library and pass the array",
        open_image,
        path,
    )


def test_what_cannot_be_undone_in_slices_is_refused(tmp_path):
    path = tmp_path / "image.tif"
    end = "read it as a whole with read_image and write it again"
    tifffile.imwrite(path, GRAY, metadata=None, extratags=[(274, 3, 1, 6, True)])
    refused(
        ValueError,
        f"path must be a TIFF that is stored upright to be read in slices, got {path}, "
        f"which is rotated or mirrored; {end}",
        open_image,
        path,
    )
    image = some((40, 50, 4), "uint8")
    tifffile.imwrite(
        path, image, metadata=None, photometric="rgb", extrasamples=["assocalpha"]
    )
    refused(
        ValueError,
        "path must be a TIFF without premultiplied alpha to be read in slices, got "
        f"{path}, whose colors are premultiplied by alpha; {end}",
        open_image,
        path,
    )
    for harmless in (1, 0, 9):
        extra = [(274, 3, 1, harmless, True)]
        tifffile.imwrite(path, GRAY, metadata=None, extratags=extra)
        same(read(path), GRAY)


def test_tiles_and_chunks_that_claim_to_be_huge_are_refused(tmp_path, monkeypatch):
    sentence = (
        "path must have tiles, strips or chunks of at most {:,} bytes, got {}, which "
        "has some of {:,}; write it with smaller ones"
    )
    limit = opening.LARGEST_CHUNK
    path = tmp_path / "image.zarr"
    zarr.create_array(path, shape=(2**15, 2**14), chunks=(2**15, 2**14), dtype="u1")
    refused(ValueError, sentence.format(limit, path, 2**29), open_image, path)
    for name, size in [("packed tiles", 32 * 16 * 3), ("one packed strip", 35_100)]:
        path = written(tmp_path, name, RGB)
        monkeypatch.setattr(opening, "LARGEST_CHUNK", size)
        same(read(path), RGB)
        monkeypatch.setattr(opening, "LARGEST_CHUNK", size - 1)
        refused(ValueError, sentence.format(size - 1, path, size), open_image, path)


@pytest.mark.parametrize("options", [{"tile": (64, 48)}, {"rowsperstrip": 16}])
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_tiles_in_jpeg_come_as_read_image_reads_them(tmp_path, options, subsampling):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path, sample_image(), photometric="rgb", compression="jpeg", metadata=None,
        subsampling=subsampling, **options,
    )  # fmt: skip
    same(read(path), read_image(path))
    same(read(path, np.s_[100:, 33:90:5]), read_image(path)[100:, 33:90:5])


def test_a_single_strip_may_say_that_it_goes_on_forever(tmp_path):
    path = written(tmp_path, "one packed strip", RGB)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["RowsPerStrip"].overwrite(2**32 - 1, dtype="I")
    same(read(path), RGB)


def test_one_large_strip_without_compression_is_read(tmp_path, monkeypatch):
    """It is what many programs write, and needs no decoding."""
    monkeypatch.setattr(opening, "LARGEST_CHUNK", 100)
    monkeypatch.setattr(opening, "MAPPED_CHUNK", 100)
    for name in ("one strip", "planes"):
        same(read(written(tmp_path, name, RGB), np.s_[5:7, ::3]), RGB[5:7, ::3])


# ---- What cannot be read ---------------------------------------------------------

PART = (
    "path must be readable everywhere, got {}: rows {} to {} and columns {} to {} "
    "cannot be read; download it or write it again"
)


@pytest.mark.parametrize("name", ["packed tiles", "zarr 3", "zarr 2"])
def test_a_damaged_part_is_named_and_the_others_are_read(tmp_path, name):
    path = written(tmp_path, name, GRAY)
    rows, columns = (32, 16) if name == "packed tiles" else (16, 24)
    if name == "packed tiles":
        with tifffile.TiffFile(path) as file:
            grid = file.pages[0].chunked
            offsets = file.pages[0].dataoffsets
            starts = [offsets[-1], offsets[grid[1]]]
        with path.open("r+b") as file:
            for start in starts:
                file.seek(start)
                file.write(b"\xff" * 20)
    else:
        last = (-(-90 // rows) - 1, -(-130 // columns) - 1)
        for place in (last, (1, 0)):
            chunk = path / ("c/{}/{}" if name == "zarr 3" else "{}.{}").format(*place)
            chunk.write_bytes(chunk.read_bytes()[:7])
    with open_image(path) as image:
        same(image[:rows], GRAY[:rows])
        sentence = PART.format(path, rows, 2 * rows - 1, 0, columns - 1)
        refused(ValueError, sentence, image.__getitem__, ...)
        sentence = PART.format(
            path, 90 // rows * rows, 89, 130 // columns * columns, 129
        )
        refused(ValueError, sentence, image.__getitem__, np.s_[80:, -1])
        same(image[:, columns:-20], GRAY[:, columns:-20])


def test_a_lack_of_memory_is_not_taken_for_damage(tmp_path, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    with open_image(written(tmp_path, "packed tiles", RGB)) as image:
        monkeypatch.setattr(tiff.TiffImage, "_chunk", no_memory)
        with pytest.raises(MemoryError):
            image[0]


DAMAGEABLE = ("packed tiles", "strips apart", "one strip", "big", "npy C")


@given(
    name=st.sampled_from(DAMAGEABLE),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
)
@example("one strip", [(18, 1)])
def test_a_damaged_file_is_an_array_or_a_value_error(tmp_path_factory, name, flips):
    folder = tmp_path_factory.mktemp("damage")
    path = written(folder, name, RGB[:20, :30])
    content = bytearray(path.read_bytes())
    for place, value in flips:
        # Most damage of interest is where the file describes itself.
        content[place % min(len(content), 400)] ^= value
    path.write_bytes(content)
    problem = "path must "
    try:
        with open_image(path) as image:
            assert image[:20, :20].dtype == image.dtype
    except ValueError as error:
        problem = str(error)
    assert problem.startswith("path must ")
    shutil.rmtree(folder)


# ---- What is left when it fails --------------------------------------------------


def state(folder):
    """Return all files in a folder, with what stands in them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else 0
        for path in folder.rglob("*")
    }


@kinds
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("no"), FileNotFoundError(2, "gone")]
)
@pytest.mark.parametrize("old", [True, False])
def test_a_failure_in_the_middle_leaves_all_as_it_was(
    tmp_path, monkeypatch, kind, error, old
):
    monkeypatch.setattr(write_blocks, "BLOCK", 2**14)
    path = tmp_path / f"image.{kind}"
    if old:
        write_sliced(path, GRAY)
    before = state(tmp_path)
    image = Lazy((500, 600), fail_at=3, error=error)
    with pytest.raises(type(error)) as caught:
        write_sliced(path, image)
    assert caught.value is error
    assert image.reads == 3
    assert state(tmp_path) == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_an_interrupt_waits_for_the_threads_of_zarr(tmp_path, monkeypatch):
    """They would write on, into the folder that was just removed."""
    set_chunk, calls = LocalStore.set, []

    async def slow(store, key, value):
        if "c/" in key:
            calls.append(key)
            if len(calls) == 1:
                os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.2)
        await set_chunk(store, key, value)

    monkeypatch.setattr(LocalStore, "set", slow)
    with pytest.raises(KeyboardInterrupt):
        write_sliced(tmp_path / "image.zarr", RGB)
    time.sleep(0.4)
    assert calls
    assert state(tmp_path) == {}


@kinds
def test_a_failure_of_who_watches_leaves_all_as_it_was(tmp_path, kind):
    def gone(*_):
        raise BrokenPipeError

    path = tmp_path / f"image.{kind}"
    write_sliced(path, GRAY)
    before = state(tmp_path)
    with pytest.raises(BrokenPipeError) as caught:
        write_sliced(path, RGB, progress=gone)
    assert str(caught.value) == ""
    assert state(tmp_path) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("kind", ["npy", "tif"])
def test_a_full_disk_leaves_all_as_it_was(tmp_path, monkeypatch, kind):
    path = tmp_path / f"image.{kind}"
    write_sliced(path, GRAY)
    before = state(tmp_path)
    monkeypatch.setattr(
        Path, "touch", lambda draft, *_, **__: draft.symlink_to("/dev/full")
    )
    refused(
        OSError,
        f"path must be a file that can be written, got {path}: no space left on "
        f"device; choose another path",
        write_sliced,
        path,
        some((500, 600), "uint8"),
    )
    assert state(tmp_path) == before


@pytest.mark.parametrize("when", [1, 2])
def test_a_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path, monkeypatch, when
):
    path = tmp_path / "image.zarr"
    write_sliced(path, GRAY)
    before = state(tmp_path)
    rename, calls = Path.rename, []

    def fail(old, new):
        calls.append(old)
        if len(calls) == when:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no space left on device; choose another"):
        write_sliced(path, RGB)
    assert state(tmp_path) == before


@pytest.mark.parametrize("old", ["image.npy", "image.zarr", "image.tif"])
def test_a_file_is_replaced(tmp_path, old):
    path = tmp_path / old
    path.write_text("a note")
    path.chmod(0o640)
    write_sliced(path, RGB)
    same(read(path), RGB)
    if path.is_file() and sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o640
    assert [*tmp_path.iterdir()] == [path]


@kinds
def test_an_image_may_take_the_place_of_what_it_is_made_from(tmp_path, kind):
    path = tmp_path / f"image.{kind}"
    write_sliced(path, RGB)
    with open_image(path) as image:
        write_sliced(path, image)
    same(read(path), RGB)
    assert [*tmp_path.iterdir()] == [path]


@kinds
def test_a_link_stays_a_link(tmp_path, kind):
    (tmp_path / "far").mkdir()
    path, link = tmp_path / "far" / f"image.{kind}", tmp_path / f"link.{kind}"
    write_sliced(path, GRAY)
    link.symlink_to(path, target_is_directory=kind == "zarr")
    write_sliced(link, RGB)
    assert link.is_symlink()
    same(read(path), RGB)
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("fill", [False, True])
def test_a_folder_that_is_no_zarr_is_not_replaced(tmp_path, fill):
    path = tmp_path / "image.zarr"
    path.mkdir()
    if fill:
        (path / "notes.txt").write_text("a note")
    before = state(tmp_path)
    refused(
        ValueError,
        f"path must be a new name or a Zarr, got {path}, which is a folder but not a "
        f"Zarr; choose another name",
        write_sliced,
        path,
        RGB,
    )
    assert state(tmp_path) == before


def test_a_zarr_of_either_format_is_replaced(tmp_path):
    path = tmp_path / "image.zarr"
    for version in (2, 3):
        zarr.create_group(path, zarr_format=version).create_array("far", data=GRAY)
        write_sliced(path, RGB)
        same(read(path), RGB)
        assert {p.name for p in path.iterdir()} == {"zarr.json", "c"}
        assert json.loads((path / "zarr.json").read_text())["zarr_format"] == 3
        shutil.rmtree(path)


@pytest.mark.parametrize("kind", ["npy", "tif"])
def test_a_folder_is_not_replaced_by_a_file(tmp_path, kind):
    path = tmp_path / f"image.{kind}"
    path.mkdir()
    refused(
        IsADirectoryError,
        f"path must be a file that can be written, got {path}: is a folder; name a "
        f"file in it",
        write_sliced,
        path,
        RGB,
    )
    assert [*tmp_path.iterdir()] == [path]


@kinds
def test_a_missing_folder_is_not_made(tmp_path, kind):
    path = tmp_path / "missing" / f"image.{kind}"
    refused(
        FileNotFoundError,
        f"path must be a file that can be written, got {path}: its folder does "
        "not exist; create it, or name another",
        write_sliced,
        path,
        RGB,
    )
    assert [*tmp_path.iterdir()] == []


# ---- What cannot be written ------------------------------------------------------


@pytest.mark.parametrize("image", [None, [[1, 2]], "photo.tif"])
def test_what_has_no_slices_is_refused(tmp_path, image):
    refused(
        TypeError,
        f"image must have a shape, a dtype and slices, got {type(image).__name__}; "
        "pass an array or what open_image returns",
        write_sliced,
        tmp_path / "image.npy",
        image,
    )


@pytest.mark.parametrize(
    ("kind", "dtype", "types", "remedy"),
    [
        ("npy", "complex128", "bool, integers or floats of at most 64 bits", ""),
        ("zarr", "<U3", "bool, integers or floats of at most 64 bits", ""),
        ("tif", "complex128", " or ".join(TIFF_TYPES), ""),
        ("tif", "bool", " or ".join(TIFF_TYPES), "choose .zarr or .npy, or "),
        ("tif", "int64", " or ".join(TIFF_TYPES), "choose .zarr or .npy, or "),
    ],
)
def test_other_types_are_refused(tmp_path, kind, dtype, types, remedy):
    refused(
        TypeError,
        f"image must hold {types} to be written to a .{kind} file, got type {dtype}; "
        f"{remedy}convert it",
        write_sliced,
        tmp_path / f"image.{kind}",
        np.zeros((4, 4), dtype),
    )


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("npy", ()), ("zarr", (0, 3)), ("tif", (4,)), ("tif", (4, 4, 4, 4)),
     ("tif", (4, 0)), ("tif", (1, 1, 2**16)), ("tif", (2**31, 1))],
)  # fmt: skip
def test_other_shapes_are_refused(tmp_path, kind, shape):
    rule = "have"
    if kind == "tif":
        rule = "have rows and columns, and up to 65,535 channels,"
    refused(
        ValueError,
        f"image must {rule} at least one pixel to be written to a .{kind} file, got "
        f"shape {shape}; choose another part or another suffix",
        write_sliced,
        tmp_path / f"image.{kind}",
        Lazy(shape) if shape else np.array(3),
    )
    assert [*tmp_path.iterdir()] == []


@kinds
def test_an_image_that_does_not_give_what_it_says_is_refused(tmp_path, kind):
    class Short(Lazy):
        def __getitem__(self, index):
            return super().__getitem__(index)[:, :1]

    class Other(Lazy):
        def __getitem__(self, index):
            return super().__getitem__(index).astype(float)

    for image, found in [(Short, "(9, 1) of uint8"), (Other, "(9, 13) of float64")]:
        refused(
            ValueError,
            "image must give blocks of its own type and of the requested shape, (9, "
            f"13) of uint8, got {found}; correct its shape and dtype",
            write_sliced,
            tmp_path / f"image.{kind}",
            image((9, 13)),
        )
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("kind", "missing", "others"),
    [("tif", "tifffile", ".npy or .zarr"), ("tiff", "imagecodecs", ".npy or .zarr"),
     ("zarr", "zarr", ".npy, .tif or .tiff")],
)  # fmt: skip
def test_a_missing_library_is_named(tmp_path, monkeypatch, kind, missing, others):
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / f"image.{kind}"
    names = "zarr" if kind == "zarr" else "tifffile imagecodecs"
    what = "zarr is" if kind == "zarr" else "tifffile and imagecodecs are"
    remedy = f"install what it needs: pip install {names}"
    refused(
        ValueError,
        f"path must be a {others} to be read in slices, while {what} not installed, "
        f"got {path}; {remedy}",
        open_image,
        path,
    )
    refused(
        ValueError,
        f"path must be a {others} to be written in blocks, while {what} not installed, "
        f"got {path}; {remedy}",
        write_sliced,
        path,
        RGB,
    )
    assert [*tmp_path.iterdir()] == []


# ---- Memory ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_image(tmp_path, kind):
    """200 megabytes, of which neither writing nor reading holds more than a part."""
    path = tmp_path / f"image.{kind}"
    image = Flat((8192, 8192, 3))
    tracemalloc.start()
    try:
        write_sliced(path, image)
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        with open_image(path) as again:
            for row in range(0, 8192, 1024):
                assert again[row : row + 1024, ::2, 1].min() == 7
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written < 120e6
    assert read < 60e6


class Flat(Lazy):
    """One color, which takes no time to make."""

    def __getitem__(self, index):
        size = [part.stop - part.start for part in index]
        return np.full(size, 7, self.dtype)


def test_a_picture_of_write_image_is_read_in_slices(tmp_path):
    path = tmp_path / "image.tif"
    for image in (GRAY, RGB, some((90, 130, 5), "uint16")):
        write_image(path, image)
        same(read(path, np.s_[3:50:2]), image[3:50:2])
