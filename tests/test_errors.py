"""Errors: their fields, their sentences, and that nobody reads the latter."""

import ast
import copy
import errno
import multiprocessing
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import DecompressionBombError, DecompressionBombWarning
from refusals import refused
from tables import crossed
from test_house import LADDER, tree_of

from kmeans_np import (
    KMeans,
    cluster_image,
    kmeans,
    open_image,
    read_image,
    segment_image,
    write_image,
)
from kmeans_np.arrays import LazyArray
from kmeans_np.arrays.dask_rows import locate_errors
from kmeans_np.checks import errors
from kmeans_np.cli import build_parser, messages
from kmeans_np.files import as_path, check_readable, paths

da = pytest.importorskip("dask.array")

POINTS, IMAGE = np.arange(12.0).reshape(6, 2), np.arange(60.0).reshape(4, 5, 3)
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.ArgumentError)
]

# ---- Sentences that no other table has -------------------------------------------


def sliced(tmp_path):
    np.save(tmp_path / "image.npy", IMAGE)
    return open_image(tmp_path / "image.npy")


REFUSALS = {
    "labels of a batch": (
        ValueError,
        "out must be left out for several images, got ndarray; write each image as it "
        "comes",
        lambda _: segment_image([IMAGE, IMAGE], 2, out=IMAGE),
    ),
    "an array of another shape to paint": (
        ValueError,
        "out must have the shape of the image, (4, 5, 3), got (6, 2); make it like the "
        "image",
        lambda _: segment_image(IMAGE, 2, out=POINTS),
    ),
    "nothing to paint": (
        ValueError,
        "out must have the shape of the image, (4, 5, 3), got none; make it like the "
        "image",
        lambda _: segment_image(IMAGE, 2, out="file"),
    ),
    "a mask of a batch": (
        ValueError,
        "mask must be left out for several images, whose sizes may differ; leave "
        "it out, or pass one image at a time",
        lambda _: segment_image([IMAGE, IMAGE], 2, mask=IMAGE[..., 0] > 3),
    ),
    "no batch": (
        ValueError,
        "image must hold at least one image, got none; pass some",
        lambda _: cluster_image({}.values(), 2),
    ),
    "a batch of two kinds": (
        ValueError,
        "image must be RGB of type float64, as the first one is, got image 1, which is "
        "gray of type float64; convert it",
        lambda _: cluster_image([IMAGE, IMAGE[..., 0]], 2),
    ),
    "a Dask array of any length": (
        ValueError,
        "points must have a known shape as a Dask array, got (nan, 2); call "
        "points.compute_chunk_sizes() first",
        lambda _: kmeans((a := da.from_array(POINTS))[a[:, 0] > 3], 2),
    ),
    "blocks that differ": (
        ValueError,
        "points must be blocks (m, d) of one type with as many features each, got "
        "block 1 of type float64 and shape (6, 1) after blocks of type float64 with 2 "
        "features; convert it",
        lambda _: kmeans([POINTS, POINTS[:, :1]], 2),
    ),
    "blocks that are there once": (
        TypeError,
        "points must be something to iterate over twice, once for each step, got a "
        "generator, which can be iterated over only once; pass a list, or an object "
        "that can be iterated over again",
        lambda _: kmeans((POINTS for _ in range(2)), 2),
    ),
    "no blocks": (
        ValueError,
        "points must hold at least one block, got none; pass some",
        lambda _: kmeans({}.values(), 2),
    ),
    "no copy of a file": (
        ValueError,
        "copy must be True or None for an image that is read from a file, got False; "
        "leave it out",
        lambda folder: sliced(folder).__array__(copy=False),
    ),
    "no copy of a view": (
        ValueError,
        "copy must be True or None for an array that is computed when it is read, got "
        "False; leave it out",
        lambda _: LazyArray((2,), np.dtype("u1"), None, print).__array__(copy=False),
    ),
    "too many parts of an index": (
        IndexError,
        "index must have at most 3 parts and one '...', got (0, 0, 0, 0) for an image "
        "of shape (4, 5, 3); leave some out",
        lambda folder: sliced(folder)[0, 0, 0, 0],
    ),
    "a row beyond": (
        IndexError,
        "index must be from -4 to 3 along an axis of length 4, got 4; count from 0",
        lambda folder: sliced(folder)[4],
    ),
    "backwards": (
        ValueError,
        "index must have positive steps, got slice(None, None, -1); reverse what was "
        "read",
        lambda folder: sliced(folder)[::-1],
    ),
    "a list as an index": (
        TypeError,
        "index must be of slices, whole numbers and '...', got list; read a slice and "
        "index that",
        lambda folder: sliced(folder)[[1, 2]],
    ),
    "no path": (
        TypeError,
        "path must be a string or a path, got int; pass the name of a file, such as "
        "'photo.jpg'",
        lambda _: as_path(3),
    ),
    "a null character": (
        ValueError,
        "path must not hold a null character, got 'a\\x00'; check the spelling",
        lambda _: as_path("a\0"),
    ),
    "a device": (
        ValueError,
        "path must be an ordinary file, got /dev/null, which is a device; save its "
        "data to a file first",
        lambda _: check_readable(Path("/dev/null")),
    ),
    "features that grew": (
        ValueError,
        "image must stay between -1e+100 and 1e+100 when it is normalized or has a "
        "position_weight, got larger numbers; bring it to the unit and scale of the "
        "image",
        lambda _: errors_of_features(),
    ),
    "a sparse array": (
        TypeError,
        "X must be dense, got a sparse csr_array; pass X.toarray() if it fits in "
        "memory",
        lambda _: KMeans(2).fit(sparse()),
    ),
    "dates for an estimator": (
        ValueError,
        "X must hold numbers, got an array of type datetime64[s]; convert it",
        lambda _: KMeans(2).fit(np.zeros((3, 2), "datetime64[s]")),
    ),
}


def errors_of_features():
    from kmeans_np.checks import features

    features(np.array([[1e101]]), "image")


def sparse():
    from scipy.sparse import csr_array

    return csr_array(POINTS)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_its_fields_and_its_sentence(tmp_path, name):
    error, sentence, call = REFUSALS[name]
    refused(error, sentence, call, tmp_path)


@pytest.mark.parametrize(
    ("call", "argument", "rule", "got"),
    [
        (lambda: KMeans(0).fit(POINTS), "n_clusters", "an int in the range", "0"),
        (lambda: KMeans(9).fit(POINTS), "n_clusters", "be at most 6", "9"),
        (lambda: KMeans(2).fit(POINTS * np.nan), "X", "be finite", "NaN"),
        (lambda: KMeans(2).fit(POINTS[0]), "X", "have 2 axes", "shape (2,)"),
        (lambda: KMeans(2).fit(POINTS[:0]), "X", "at least one sample", "shape (0, 2)"),
        (lambda: KMeans(2, init=POINTS).fit(POINTS), "init", "number of clusters", ""),
        (
            lambda: KMeans(2).fit(POINTS, sample_weight=-POINTS[:, 1]),
            "sample_weight",
            "be at least 0",
            "negative values",
        ),
    ],
)
def test_an_estimator_has_the_words_of_scikit_learn_and_fields(
    call, argument, rule, got
):
    with pytest.raises(errors.ArgumentValueError) as caught:
        call()
    refusal = caught.value
    assert refusal.argument == argument
    assert rule in refusal.rule
    assert got in refusal.got
    assert str(refusal) == refusal.words
    again = pickle.loads(pickle.dumps(refusal))
    assert (str(again), vars(again)) == (str(refusal), vars(refusal))


# ---- What an error is -----------------------------------------------------------


def an_error(kind):
    error = kind(
        "path",
        "be a file",
        "a\nb",
        "pass image.data",
        found="which is none",
        shell_rule="be a picture",
        shell_remedy="convert it",
    )
    error.add_note("seen")
    return error


COPIES = [
    *(lambda e, p=p: pickle.loads(pickle.dumps(e, p)) for p in range(6)),
    copy.copy,
    copy.deepcopy,
]


@pytest.mark.parametrize(("kind", "copied"), crossed(KINDS, COPIES))
def test_a_copy_of_an_error_is_the_same(kind, copied):
    error = an_error(kind)
    if isinstance(error, OSError):
        error.errno, error.strerror, error.filename = 2, "gone", "a\nb"
    again = copied(error)
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert again.args == error.args
    said = r"path must be a file, got a\nb, which is none; pass image.data"
    assert str(again) == str(error) == said
    if isinstance(error, OSError):
        assert (again.errno, again.strerror, again.filename) == (2, "gone", "a\nb")


def test_an_error_is_what_callers_expect():
    for kind in KINDS:
        names = [one.__name__ for one in kind.__mro__]
        expected = kind.__name__.removeprefix("Argument").replace("Error", "")
        assert kind is errors.ArgumentError or f"{expected}Error" in names
    with pytest.raises(ValueError, match="k must") as caught:
        kmeans(POINTS, 0)
    assert isinstance(caught.value, errors.ArgumentValueError)


def test_an_error_is_pickled_with_its_fields(tmp_path):
    for call, error in (
        (lambda: kmeans(POINTS, "2"), errors.ArgumentTypeError),
        (lambda: read_image(tmp_path / "no.png"), FileNotFoundError),
    ):
        with pytest.raises(error) as caught:
            call()
        sent = pickle.loads(pickle.dumps(caught.value))
        assert type(sent) is type(caught.value)
        assert str(sent) == str(caught.value)
        assert vars(sent) == vars(caught.value)
        assert getattr(sent, "errno", 0) == getattr(caught.value, "errno", 0)


@pytest.mark.slow
def test_an_error_comes_from_another_process_with_its_fields(tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        with pytest.raises(errors.ArgumentTypeError) as caught:
            pool.submit(kmeans, POINTS, "2").result()
        assert caught.value.argument == "k"
        assert caught.value.got == "'2' (str)"
        path = tmp_path / "no.png"
        with pytest.raises(FileNotFoundError) as lost:
            pool.submit(read_image, path).result()
        assert (lost.value.errno, lost.value.filename) == (errno.ENOENT, str(path))
        assert lost.value.got == str(path)


def test_an_error_keeps_what_it_came_from(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ValueError, match="damaged") as caught:
        read_image(tmp_path / "a.png")
    assert isinstance(caught.value.__cause__, Exception)


@pytest.mark.parametrize(
    ("call", "kind", "number"),
    [
        (lambda d: read_image(d / "no.png"), FileNotFoundError, errno.ENOENT),
        (read_image, IsADirectoryError, errno.EISDIR),
        (
            lambda d: (
                (d / "folder.png").mkdir(),
                write_image(d / "folder.png", np.uint8([[0]])),
            ),
            IsADirectoryError,
            errno.EISDIR,
        ),
        (
            lambda d: write_image(d / "file" / "a.png", np.uint8([[0]])),
            NotADirectoryError,
            errno.ENOTDIR,
        ),
    ],
)
def test_errors_of_the_system_keep_their_number_and_file(tmp_path, call, kind, number):
    (tmp_path / "file").touch()
    with pytest.raises(kind) as caught:
        call(tmp_path)
    error = caught.value
    assert isinstance(error, errors.ArgumentOSError)
    assert error.errno == number
    assert error.filename == error.got
    assert error.argument == "path"


# ---- Nobody reads the text ------------------------------------------------------

ASKED = (ast.Compare, ast.Attribute, ast.Subscript, ast.Starred, ast.comprehension)


def named_errors(tree):
    """The names that stand for errors: caught, or annotated as one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        if isinstance(node, ast.arg) and node.annotation is not None:
            kind = ast.unparse(node.annotation)
            if re.search(r"(Exception|Error)\b", kind):
                yield node.arg


def texts(tree):
    """The expressions that are the text of an error: str(e), f"{e}", e.args."""
    found = {*named_errors(tree)}

    def is_error(node):
        # Also what it came from, such as error.__cause__.
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in found

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("str", "repr") and any(map(is_error, node.args)):
                yield node
        elif isinstance(node, ast.JoinedStr):
            parts = [part for part in node.values if hasattr(part, "value")]
            if any(is_error(part.value) for part in parts):
                yield node
        elif isinstance(node, ast.Attribute) and node.attr == "args" and is_error(node):
            yield node


def read_texts(tree):
    """Yield the lines on which the text of an error is asked something."""
    parents = {
        child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)
    }
    for node in texts(tree):
        up = parents[node]
        # What stands in `args` may be something else than text.
        if isinstance(node, ast.Attribute) and isinstance(up, ast.Subscript):
            up = parents[up]
        while isinstance(up, (ast.BinOp, ast.BoolOp, ast.IfExp, ast.NamedExpr)):
            up = parents[up]
        of_library = isinstance(up, ast.Call) and ast.unparse(up.func).startswith("re.")
        if of_library or isinstance(up, ASKED):
            yield node.lineno


def test_no_code_reads_the_text_of_an_error():
    found = {name: [*read_texts(tree_of(name))] for name in LADDER}
    assert not any(found.values()), found


@pytest.mark.parametrize(
    "code",
    [
        "if ' must ' in str(error): pass",
        "if 'Bomb' in repr(error) + repr(error.__cause__): pass",
        "name = str(error).partition(' ')",
        "name = f'{error}'.split()",
        "text = re.sub('a', 'b', str(error))",
        "if error.args == ('a',): pass",
        "name = error.args[0].split()",
    ],
)
def test_code_that_reads_the_text_of_an_error_is_found(code):
    tree = ast.parse(f"try:\n    pass\nexcept Exception as error:\n    {code}")
    assert {*read_texts(tree)} == {4}


def test_an_error_of_another_library_is_known_by_its_type():
    """Words like our own do not make it ours, nor other words another's."""

    class Broken:
        shape, dtype, ndim = (4, 2), np.dtype("f8"), 2

        def __getitem__(self, _):
            raise ValueError("rows must be sorted; sort them")

    array = da.from_array(Broken(), meta=np.empty((0, 0)))
    for fail in (array.compute, lambda: kmeans(array, 2)):
        refused = pytest.raises(OSError, match=r"^points must be readable")
        with refused, locate_errors(array, "points"):
            fail()
    own = errors.ArgumentValueError("k", "be small", 9, "pass another")
    with pytest.raises(errors.ArgumentError) as caught, locate_errors(array, "image"):
        raise own
    assert caught.value is own


@pytest.mark.parametrize("kind", [DecompressionBombError, DecompressionBombWarning])
@pytest.mark.parametrize("how", ["itself", "cause", "context", "twice"])
def test_too_many_pixels_are_known_by_type(how, kind):
    def fail():
        if how == "itself":
            raise kind("")
        try:
            raise kind("")
        except kind as error:
            if how == "cause":
                raise OSError from error
            if how == "context":
                raise OSError  # noqa: B904
            try:
                raise OSError from error
            except OSError as second:
                raise KeyError from second

    refused = pytest.raises(ValueError, match="at most 179 million pixels")
    with refused, paths.decode_errors(Path("a.png")):
        fail()


def test_a_word_about_pixels_is_only_a_word():
    refused = pytest.raises(ValueError, match="not a readable image")
    with refused, paths.decode_errors(Path("DecompressionBomb.png")):
        raise ValueError("DecompressionBombError")


# ---- In a shell ------------------------------------------------------------------


def test_the_command_line_says_the_fields(capsys):
    error = an_error(errors.ArgumentValueError)
    messages.report(error)
    error.argument = "rng"
    messages.report(error, "picture.png")
    # A name is a name, even if it is like a sentence.
    messages.report(errors.ArgumentValueError("k", "be x", "a, got b; c", "d"), "b")
    messages.report(errors.ArgumentValueError("k", "be x", "b", "d"), "b")
    messages.report(errors.ArgumentValueError("k", "be x", "b", "d"), "")
    messages.report(errors.ArgumentValueError("k", "be x", "b, c", "d"), "b")
    assert capsys.readouterr().err.splitlines() == [
        r"kmeans-np: error: path must be a picture, got a\nb, which is none; convert "
        "it",
        r"kmeans-np: error: picture.png: --seed must be a picture, got a\nb, which is "
        "none; convert it",
        "kmeans-np: error: b: -k must be x, got a, got b; c; d",
        *["kmeans-np: error: -k must be x, got b; d"] * 2,
        "kmeans-np: error: b: -k must be x, got b, c; d",
    ]


@pytest.mark.parametrize(
    ("argument", "shown"), [("path", "--mask"), ("image", "--mask: image")]
)
def test_an_error_names_the_option(argument, shown):
    error = errors.ArgumentValueError(argument, "be x", "y", "z")
    with pytest.raises(errors.ArgumentValueError) as caught, messages.named("--mask"):
        raise error
    assert (caught.value.argument, caught.value.rule) == (shown, "be x")
    with pytest.raises(ValueError, match=r"^--mask: no$"), messages.named("--mask"):
        raise OSError("no")


def options():
    """All options of all commands."""
    (commands,) = (
        action for action in build_parser()._actions if hasattr(action.choices, "items")
    )
    for command in commands.choices.values():
        for action in command._actions:
            yield from action.option_strings


def test_options_that_errors_name_are_there():
    assert {*messages._FLAGS.values()} <= {*options()}
    said = set()
    for name in LADDER:
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.Call):
                for given in node.keywords:
                    if given.arg in ("shell_rule", "shell_remedy"):
                        said |= {*re.findall(r"--[a-z-]+", ast.unparse(node))}
    assert {"--alpha", "--color-space"} <= said <= {*options()}
