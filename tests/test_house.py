"""The house: what may import what, how large a file may be, what is public."""

import ast
import functools
import io
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from sample import SAMPLE
from sources import few_as_many

import kmeans_np
from kmeans_np import (
    Clustering,
    KMeans,
    Segmentation,
    Step,
    cluster_image,
    explain,
    inertia_curve,
    kmeans,
    lloyd,
    segment_image,
)
from kmeans_np.lloyd import Tally

PACKAGE = Path(kmeans_np.__file__).parent

# The reading order. Each file imports only from files before it.
LADDER = [
    "lloyd",
    "tree_sums",
    "order",
    "optimal",
    "seeding",
    "threads",
    "stack_level",
    "checks/errors",
    "checks/arrays",
    "checks/options",
    "checks/weights",
    "checks/images",
    "checks/features",
    "checks/__init__",
    "arrays/chunks",
    "arrays/stacked",
    "arrays/lazy",
    "arrays/rows",
    "arrays/dask_rows",
    "arrays/__init__",
    "sweeps/blocked",
    "sweeps/totals",
    "sweeps/products",
    "sweeps/scaling",
    "sweeps/bounded",
    "sweeps/nearest",
    "sweeps/cells",
    "sweeps/partitioned",
    "sweeps/__init__",
    "clustering/choose_sweep",
    "clustering/coarse_start",
    "clustering/uniform",
    "clustering/data",
    "clustering/column_stats",
    "clustering/partitioned",
    "clustering/stop_reasons",
    "clustering/table",
    "clustering/fitting",
    "clustering/outside",
    "clustering/kmeans",
    "clustering/__init__",
    "estimator/inputs",
    "estimator/parameters",
    "estimator/kmeans",
    "estimator/__init__",
    "colors/lookup",
    "colors/cell_counts",
    "colors/distinct",
    "colors/counts",
    "colors/spaces",
    "colors/profiles",
    "colors/__init__",
    "files/paths",
    "files/formats",
    "files/metadata",
    "files/profiles",
    "files/pillow",
    "files/frames",
    "files/png",
    "files/animations",
    "files/deep_formats",
    "files/open",
    "files/write_blocks",
    "files/tiff_tags",
    "files/tiff_pages",
    "files/tiff",
    "files/npy",
    "files/zarr",
    "files/read",
    "files/write",
    "files/__init__",
    "pictures",
    "image/layout",
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
    "explanation/subject",
    "explanation/recording",
    "explanation/examples",
    "explanation/canvas",
    "explanation/scatter",
    "explanation/film",
    "explanation/sheet",
    "explanation/page",
    "explanation/color_cloud",
    "explanation/explain",
    "explanation/__init__",
    "cli/messages",
    "cli/streams",
    "cli/inputs",
    "cli/palettes",
    "cli/outputs",
    "cli/parser",
    "cli/clusters",
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


@functools.cache
def imports_of(node):
    return {*_imports_of(node)}


def _imports_of(node):
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
    for node in ast.walk(tree_of(name)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= set(range(first.lineno, first.end_lineno + 1))
    return lines


def test_the_ladder_has_every_file():
    files = {path.relative_to(PACKAGE) for path in PACKAGE.glob("**/*.py")}
    assert {path.with_suffix("").as_posix() for path in files} == {"__init__", *LADDER}


def test_each_file_imports_only_from_files_above_it():
    for name in LADDER:
        above = {dotted(other) for other in LADDER[: LADDER.index(name)]}
        mine = {n for n in imports_of(tree_of(name)) if n.startswith("kmeans_np.")}
        assert mine <= above, name


def test_nothing_but_numpy_imageio_and_the_standard_library():
    for name in LADDER:
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
        if name == "cli/parser":
            allowed |= {"shtab"}
        if name == "files/zarr":
            allowed |= {"zarr"}
        if name in ("image/dask_source", "arrays/dask_rows", "clustering/outside"):
            allowed |= {"dask"}
        if name == "threads":
            allowed |= {"threadpoolctl"}
        if name in ("files/png", "files/deep_formats"):
            allowed |= {"imagecodecs"}
        if name in ("files/tiff_tags", "files/tiff_pages", "files/tiff"):
            allowed |= {"tifffile"}
        if name == "files/deep_formats":
            allowed |= {"pillow_heif"}
        assert {n.split(".")[0] for n in imports_of(tree_of(name))} <= allowed, name


def test_every_file_stays_within_its_budget():
    for name in LADDER:
        lines = lines_of_code(name)
        assert len(lines) <= LARGEST.get(name, LARGEST_MODULE), name
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.FunctionDef):
                body = set(range(node.lineno, node.end_lineno + 1))
                assert len(body & lines) <= LARGEST_FUNCTION, (name, node.name)


def test_every_file_begins_with_one_plain_sentence():
    for name in LADDER:
        first, *rest = ast.get_docstring(tree_of(name)).splitlines()
        assert first.endswith("."), name
        assert rest[:1] in ([], [""]), name


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


# ---- One road ----------------------------------------------------------------------

# Where data lies is asked when it comes, and by what reads, stacks and writes it.
ASKING = {
    "arrays/chunks", "arrays/stacked", "arrays/dask_rows", "arrays/__init__",
    "clustering/outside", "clustering/kmeans", "image/open_source", "image/batch",
    "image/curve", "image/cluster", "files/write", "cli/outputs",
}  # fmt: skip


def test_where_data_lies_is_asked_once():
    asking = set()
    for name in LADDER:
        names = {n.id for n in ast.walk(tree_of(name)) if isinstance(n, ast.Name)}
        if names & {"is_dask", "is_sliced"}:
            asking.add(name)
    assert asking <= ASKING


def frames_to_the_loop(call):
    """The functions of the package from the one called to `lloyd`, the deepest way."""
    deepest = []

    def profile(frame, event, _):
        if event == "call" and frame.f_code is lloyd.__code__:
            names, caller = [], frame.f_back
            while caller is not None:
                if Path(caller.f_code.co_filename).is_relative_to(PACKAGE):
                    names.insert(0, caller.f_code.co_name)
                caller = caller.f_back
            deepest.append(names)

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return max(deepest, key=len)


IMAGE = SAMPLE[::6, ::6][:50, :60]
FLOATS = IMAGE / np.float32(255)


def computed(image, **how):
    lazy = segment_image(da.from_array(image, chunks=40), 4, rng=0, **how)
    return lazy.compute(scheduler="synchronous")


@pytest.mark.parametrize(
    "call",
    [
        lambda: segment_image(IMAGE, 4, rng=0),
        lambda: segment_image(FLOATS, 4, rng=0),
        lambda: segment_image(IMAGE, 4, out=np.empty_like(IMAGE)),
        lambda: segment_image(FLOATS, 4, out=np.empty_like(FLOATS)),
        lambda: cluster_image(FLOATS, 4, coarse_start=False, position_weight=1),
        lambda: cluster_image([IMAGE, IMAGE], 4, rng=0),
        lambda: cluster_image(da.from_array(IMAGE), 4, rng=0),
        lambda: inertia_curve(IMAGE, [2, 3], rng=0),
        lambda: inertia_curve(FLOATS.reshape(-1, 3), [2, 3], kind="points", rng=0),
        lambda: kmeans(FLOATS.reshape(-1, 3), 4, rng=0),
        lambda: KMeans(4, n_init=1, random_state=0).fit(FLOATS.reshape(-1, 3)),
        lambda: explain(IMAGE, 3, rng=0),
    ],
)
def test_the_loop_is_six_calls_away(call):
    with few_as_many(), dask.config.set(scheduler="synchronous"):
        assert len(frames_to_the_loop(call)) <= 6


@pytest.mark.parametrize("image", [IMAGE, FLOATS], ids=["colors", "floats"])
def test_the_loop_is_six_calls_away_from_a_task(image):
    with few_as_many():
        names = frames_to_the_loop(lambda: computed(image))
    assert names[0] == "_run_in_task"
    assert len(names[1:]) <= 6


def test_labels_are_arrays_to_the_type_checker():
    for kind in (Step, Tally, Clustering, Segmentation):
        hints = kind.__annotations__
        assert "labels" in hints
        assert not any(hint is Any or hint == "Any" for hint in hints.values())
