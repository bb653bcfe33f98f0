"""The table of file formats: one row more, and all that reads or writes knows it."""

import pickle
import sys

import numpy as np
import pytest
from sample import SAMPLE

from kmeans_np import (
    cluster_image,
    open_image,
    read_image,
    segment_image,
    write_image,
)
from kmeans_np.cli import inputs
from kmeans_np.files import SlicedImage
from kmeans_np.files.formats import FORMATS, Format

PHOTO = SAMPLE[::8, ::8]
KINDS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")


# ---- A format from outside -------------------------------------------------------


def numbers_in(file):
    """A line with the type and the shape, and one with all numbers."""
    dtype, *shape = file.readline().split()
    return np.array(file.readline().split(), dtype.decode()).reshape([*map(int, shape)])


def content_of(image):
    shape, numbers = " ".join(map(str, image.shape)), " ".join(map(str, image.flat))
    return f"{image.dtype} {shape}\n{numbers}\n".encode()


class TextImage(SlicedImage):
    def __init__(self, path):
        with path.open("rb") as file:
            self.numbers = numbers_in(file)
        chunks = (8, *self.numbers.shape[1:])
        super().__init__(path, self.numbers.shape, self.numbers.dtype, chunks)

    def _chunk(self, place):
        return self.numbers[place[0] * 8 : place[0] * 8 + 8]


def write_blocks(draft, source):
    image = np.empty(source.shape, source.dtype)
    for place, block in source.blocks((8, *source.shape[1:])):
        image[place] = block
    draft.write_bytes(content_of(image))


HOW = {
    "read": lambda file, _: numbers_in(file),
    "write": content_of,
    "open": TextImage,
    "write_blocks": write_blocks,
}
# What can be done with such files: all, and what can be done with an array.
ROWS = {"all": HOW, "array": {name: HOW[name] for name in ("open", "write_blocks")}}


@pytest.fixture(params=ROWS)
def text(request, monkeypatch):
    """A row more, for the time of a test, and whether it is one of arrays."""
    row = Format((".txt", ".text"), types=None, channels=None, **ROWS[request.param])
    # In the command line, what has as many pixels is not read as a whole.
    monkeypatch.setattr(inputs, "LARGE", 2**9)
    FORMATS.append(row)
    yield request.param == "array"
    FORMATS.remove(row)


@pytest.fixture
def path(text, tmp_path):  # noqa: ARG001
    write_image(tmp_path / "photo.txt", PHOTO)
    return tmp_path / "photo.txt"


def whole(path):
    with open_image(path) as image:
        return image[...]


# ---- What knows it ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.txt", "A.TEXT"])
def test_it_is_written_read_and_opened(text, tmp_path, name):
    path = tmp_path / name
    write_image(path, PHOTO)
    assert path.read_bytes() == content_of(PHOTO)
    assert np.array_equal(whole(path), PHOTO)
    if text:
        with pytest.raises(ValueError, match="not a readable image"):
            read_image(path)
    else:
        assert np.array_equal(read_image(path), PHOTO)


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize("shape", [(4,), (3, 4, 1), (2, 3, 4, 1)], ids=str)
def test_arrays_keep_their_axes_and_type(tmp_path, shape):
    array = np.arange(np.prod(shape)).reshape(shape) - 3
    write_image(tmp_path / "a.txt", array)
    again = whole(tmp_path / "a.txt")
    assert np.array_equal(again, array)
    assert again.dtype == array.dtype


def test_what_lies_outside_of_memory_is_written_block_by_block(path, tmp_path):
    reports = []
    with open_image(path) as image:
        again = pickle.loads(pickle.dumps(image))
        write_image(tmp_path / "again.txt", again, progress=reports.append)
        write_image(tmp_path / "again.tif", image)
    assert reports[-1].done == reports[-1].total == PHOTO.shape[0] * PHOTO.shape[1]
    for name in ("again.txt", "again.tif"):
        assert np.array_equal(whole(tmp_path / name), PHOTO)


def test_names_of_files_are_images(path, tmp_path):
    write_image(tmp_path / "b.png", PHOTO[::-1])
    several = segment_image([path, tmp_path / "b.png"], 3, rng=0)
    expected = segment_image([PHOTO, PHOTO[::-1]], 3, rng=0)
    for image, other in zip(several, expected):
        assert np.array_equal(image, other)


def test_the_command_line_reads_and_writes_it(path, text, run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(TextImage, "close", lambda image: opened.append(image.path))
    out, labels = tmp_path / "out.txt", tmp_path / "labels.txt"
    words = ("-k", 3, "-o", out, "--labels", labels)
    assert run("segment", path, *words)[::2] == (0, "")
    # Once is enough: it is large here.
    assert opened == [path]
    answer = cluster_image(PHOTO, 3, rng=0)
    assert np.array_equal(whole(out), answer.image)
    assert np.array_equal(whole(labels), answer.labels)
    # Not a gray picture of them, as in a .png.
    assert whole(labels).dtype == answer.labels.dtype
    # An array stays one if nobody says otherwise; a large picture becomes a TIFF.
    status, printed, _ = run("segment", path, "-k", 3)
    assert status == 0
    name = tmp_path / f"photo-k3.{'txt' if text else 'tif'}"
    assert printed.startswith(f"{name}: 3 colors")
    assert np.array_equal(whole(name), answer.image)
    monkeypatch.setattr(inputs, "LARGE", 2**30)
    name = tmp_path / f"photo-k2.{'txt' if text else 'png'}"
    assert run("segment", path, "-k", 2)[1].startswith(f"{name}: 2 colors")


def said(function, *args):
    with pytest.raises(ValueError, match="must ") as caught:
        function(*args)
    return str(caught.value)


@pytest.mark.usefixtures("text")
def test_errors_and_help_list_it(tmp_path, run, monkeypatch):
    ours, arrays = ".txt, .text", ".npy, .zarr, .txt, .text"
    writable = f"end in one of {', '.join(KINDS)}, {arrays} to be written, got"
    assert writable in said(write_image, "a.xyz", PHOTO)
    assert f"in one of {arrays}, .tif, .tiff to be read" in said(open_image, "a.png")
    (tmp_path / "a.npy").write_bytes(b"nothing")
    damaged = said(open_image, tmp_path / "a.npy")
    assert damaged.endswith(f"convert it to one of {arrays}, .tif, .tiff")
    monkeypatch.setitem(sys.modules, "zarr", None)
    others = f"be a .npy, {ours}, .tif or .tiff to be read in slices, while zarr"
    assert others in said(open_image, "a.zarr")
    write_image(tmp_path / "a.png", PHOTO)
    _, _, err = run("segment", tmp_path / "a.png", "-k", 2, "--labels", "a.jpg")
    assert f"--labels must end in one of {arrays}, .png, .tif, .tiff, got" in err
    help_text = " ".join(run("segment", "--help")[1].split())
    assert ".zarr, .txt or .text keep exactly K colors, .jpg or .jpeg do" in help_text
    assert ".zarr, .txt, .text, .png, .tif or .tiff, or into a folder" in help_text


def test_without_the_row_nothing_knows_it(tmp_path):
    for function, *image in ((write_image, PHOTO), (open_image,)):
        sentence = said(function, tmp_path / "a.txt", *image)
        assert ".txt" not in sentence.split(", got")[0]


# ---- What a row says -------------------------------------------------------------


@pytest.fixture
def toy(request):
    """A row more, of files that are read as one black pixel."""
    row = Format((".toy",), lambda *_: np.zeros((1, 1), np.uint8), **request.param)
    FORMATS.append(row)
    yield row
    FORMATS.remove(row)


def toys(**columns):
    return pytest.mark.parametrize("toy", [columns], indirect=True)


@pytest.mark.usefixtures("toy")
@toys(starts=(b"toy",))
def test_what_files_begin_with_says_more_than_their_names(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"toy")
    assert read_image(tmp_path / "picture.png").shape == (1, 1)
    write_image(tmp_path / "picture.png", PHOTO)
    (tmp_path / "picture.png").rename(tmp_path / "picture.toy")
    assert np.array_equal(read_image(tmp_path / "picture.toy"), PHOTO)
    (tmp_path / "text.toy").write_bytes(b"text")
    assert "not a readable image" in said(read_image, tmp_path / "text.toy")


@pytest.mark.usefixtures("toy")
@toys()
def test_what_cannot_be_written_is_not_listed(tmp_path):
    (tmp_path / "picture.toy").write_bytes(b"toy")
    assert read_image(tmp_path / "picture.toy").shape == (1, 1)
    assert ".toy" not in said(write_image, tmp_path / "a.toy", PHOTO).split(", got")[0]


@pytest.mark.usefixtures("toy")
@toys(write=lambda _: b"toy", channels=(1, 5), longest=50)
def test_what_it_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "picture.toy"
    sentence = said(write_image, path, PHOTO)
    assert sentence.startswith("image must be gray or of 5 channels to be written as")
    assert "at most 50 rows and columns" in said(write_image, path, PHOTO[..., 0])
    with pytest.raises(
        TypeError, match="must hold numbers of type uint8 to be written"
    ):
        write_image(path, PHOTO[:50, :50, 0].astype(np.uint16))
    write_image(path, PHOTO[:50, :50, :1])
    assert path.read_bytes() == b"toy"


def test_no_suffix_stands_in_two_rows():
    suffixes = [suffix for row in FORMATS for suffix in row.suffixes]
    assert len(suffixes) == len({*suffixes})
    assert all(suffix == suffix.lower() for suffix in suffixes)
    assert all(suffix.startswith(".") for suffix in suffixes)
