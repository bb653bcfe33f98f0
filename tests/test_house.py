"""The house: what may import what, how large a file may be, what is public."""

import ast
import functools
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import kmeans_np

PACKAGE = Path(kmeans_np.__file__).parent

# The reading order. Each file imports only from files before it.
LADDER = [
    "lloyd",
    "pieces",
    "order",
    "seeding",
    "threads",
    "stack_level",
    "checks/errors",
    "checks/arrays",
    "checks/options",
    "checks/weights",
    "checks/images",
    "checks/questions",
    "checks/__init__",
    "blocks/sliced",
    "blocks/stacked",
    "blocks/views",
    "blocks/rows",
    "blocks/dask_rows",
    "blocks/__init__",
    "sweeps/blocked",
    "sweeps/totals",
    "sweeps/products",
    "sweeps/frame",
    "sweeps/bounded",
    "sweeps/cells",
    "sweeps/partitioned",
    "sweeps/__init__",
    "clustering/passes",
    "clustering/uniform",
    "clustering/data",
    "clustering/column_stats",
    "clustering/partitioned",
    "clustering/fitting",
    "clustering/weights",
    "clustering/kmeans",
    "clustering/__init__",
    "estimator/inputs",
    "estimator/parameters",
    "estimator/kmeans",
    "estimator/__init__",
    "colors/lookup",
    "colors/distinct",
    "colors/counts",
    "colors/spaces",
    "colors/__init__",
    "files/paths",
    "files/checksums",
    "files/png",
    "files/deep",
    "files/reading",
    "files/sliced",
    "files/opening",
    "files/tiles",
    "files/writing",
    "files/__init__",
    "pictures",
    "image/pixels",
    "image/features",
    "image/clusters",
    "image/selection",
    "image/source",
    "image/block_source",
    "image/dask_source",
    "image/open_source",
    "image/pipeline",
    "image/segmentation",
    "image/batch",
    "image/cluster",
    "image/palette",
    "image/curve",
    "image/__init__",
    "sample",
    "explanation/material",
    "explanation/record",
    "explanation/examples",
    "explanation/canvas",
    "explanation/scatter",
    "explanation/film",
    "explanation/sheet",
    "explanation/page",
    "explanation/explain",
    "explanation/__init__",
    "cli/words",
    "cli/inputs",
    "cli/outputs",
    "cli/finding",
    "cli/commands",
    "cli/explaining",
    "cli/arguments",
    "cli/__init__",
    "interrupt",
    "__main__",
]
LARGEST_MODULE, LARGEST_FUNCTION = 400, 60
LARGEST = {"lloyd": 130}


def dotted(name):
    return "kmeans_np." + name.removesuffix("/__init__").replace("/", ".")


@functools.cache
def tree_of(name):
    return ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))


def imports_of(node):
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            yield from (alias.name for alias in part.names)
        elif isinstance(part, ast.ImportFrom):
            yield part.module
            if part.module == "kmeans_np":
                yield from (f"kmeans_np.{alias.name}" for alias in part.names)


def lines_of_code(name):
    """The numbers of the lines that are neither blank, comment nor docstring."""
    text = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    skipped = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
        tokenize.DEDENT, tokenize.ENDMARKER,
    }  # fmt: skip
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= set(range(first.lineno, first.end_lineno + 1))
    return lines


def test_the_ladder_has_every_file():
    files = {path.relative_to(PACKAGE) for path in PACKAGE.glob("**/*.py")}
    assert {path.with_suffix("").as_posix() for path in files} == {"__init__", *LADDER}


@pytest.mark.parametrize("name", LADDER)
def test_each_file_imports_only_from_files_above_it(name):
    above = {dotted(other) for other in LADDER[: LADDER.index(name)]}
    mine = {n for n in imports_of(tree_of(name)) if n.startswith("kmeans_np.")}
    assert mine <= above


@pytest.mark.parametrize("name", LADDER)
def test_nothing_but_numpy_imageio_and_the_standard_library(name):
    allowed = set(sys.stdlib_module_names) | {"numpy", "kmeans_np"}
    if name.startswith("files/"):
        # Pillow comes with imageio, which writes no palettes, and tells neither the
        # header of a TIFF nor the orientation of what it does not read itself.
        allowed |= {"imageio", "PIL"}
    if name == "estimator/parameters":
        # When scikit-learn itself asks, or frames of these libraries are asked for.
        allowed |= {"sklearn", "pandas", "polars"}
    if name in ("explanation/canvas", "explanation/film"):
        # It writes text and films, too.
        allowed |= {"PIL"}
    if name == "files/opening":
        allowed |= {"zarr"}
    if name in ("image/dask_source", "blocks/dask_rows", "clustering/weights"):
        allowed |= {"dask"}
    if name == "files/deep":
        allowed |= {"imagecodecs", "tifffile"}
    assert {n.split(".")[0] for n in imports_of(tree_of(name))} <= allowed


@pytest.mark.parametrize("name", LADDER)
def test_every_file_stays_within_its_budget(name):
    lines = lines_of_code(name)
    assert len(lines) <= LARGEST.get(name, LARGEST_MODULE)
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.FunctionDef):
            body = set(range(node.lineno, node.end_lineno + 1))
            assert len(body & lines) <= LARGEST_FUNCTION, node.name


@pytest.mark.parametrize("name", LADDER)
def test_every_file_begins_with_one_plain_sentence(name):
    first, *rest = ast.get_docstring(tree_of(name)).splitlines()
    assert first.endswith(".")
    assert rest[:1] in ([], [""])


def test_the_only_loop_is_in_lloyd():
    callers = [
        n for n in LADDER if "for iteration in" in (PACKAGE / f"{n}.py").read_text()
    ]
    assert callers == ["lloyd"]


def test_public_names_are_sorted_documented_and_all_there():
    names = kmeans_np.__all__
    assert names == sorted(names)
    modules = {name.split("/")[0] for name in LADDER} - {*names}
    assert {n for n in vars(kmeans_np) if n[0] != "_"} - modules == {*names}
    for name in names:
        assert getattr(kmeans_np, name).__doc__, name


def test_public_functions_document_all_their_arguments():
    import inspect

    for name in kmeans_np.__all__:
        thing = getattr(kmeans_np, name)
        if inspect.isfunction(thing):
            for argument in inspect.signature(thing).parameters:
                assert argument in thing.__doc__.split("Returns\n")[0], (name, argument)


def test_image_libraries_are_not_imported_before_they_are_needed():
    late = {"imageio", "PIL", "imagecodecs", "tifffile", "numpy.random", "sklearn"}
    late |= {"zarr", "dask", "distributed", "hashlib", "shutil", "concurrent.futures"}
    # NumPy 1 imports numpy.random with itself.
    code = (
        "import sys, numpy; before = {*sys.modules}; import kmeans_np;"
        f"print({late} & {{*sys.modules}} - before)"
    )
    run = [sys.executable, "-c", code]
    found = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert found.strip() == "set()"


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()
