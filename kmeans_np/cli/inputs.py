"""What the command line reads: pictures, and what lies over their pixels."""

import argparse
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmeans_np.arrays import LazyArray, shape_only
from kmeans_np.checks import ArgumentValueError, image_or_points, pluralize
from kmeans_np.cli.messages import named, reading
from kmeans_np.files import (
    Metadata,
    as_path,
    open_image,
    read_image,
    read_metadata,
)
from kmeans_np.files.formats import either, format_of, is_opened
from kmeans_np.files.metadata import NOTHING
from kmeans_np.files.paths import check_readable, path_errors
from kmeans_np.image.layout import Layout, lay_out
from kmeans_np.lloyd import Array

# From so many pixels on, a picture that can be read in slices is.
LARGE = 2**26
# The files of tables, and what stands between their columns; if none does, it is space.
TABLES = (".csv", ".tsv", ".txt")
DELIMITERS = ("\t", ";", ",")


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing on stderr from libraries, of which some print what they think.

    That may be libraries in C, so it is the stream of the process that is turned.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # It is closed, which is quiet enough.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


class Picture(NamedTuple):
    """A picture, and what the options and its file say about it."""

    image: Any
    about: Metadata
    layout: Layout
    # Whether its alpha says how much each pixel counts.
    by_opacity: bool = False


class Overlays(NamedTuple):
    """What lies over the pixels of each picture: arrays from files, or None."""

    mask: Array | None
    weights: Array | None
    # Where the mask comes from.
    mask_path: str


def read_overlays(args: argparse.Namespace) -> Overlays:
    """Read which pixels take part, and how much each counts."""
    # Of a volume, its mask is one, too.
    mask, weights = args.mask, vars(args).get("weights")
    page = args.page if args.page == "all" else 1
    return Overlays(
        None if mask is None else read_array(Path(mask), "--mask", page),
        None if weights is None else read_array(Path(weights), "--weights", page),
        mask or "",
    )


def read_array(path: Path, option: str, page: int | str = 1) -> Array:
    """Read a picture, or another array, that was named by an option or argument."""
    with reading(), named(option), _quiet():
        if is_opened(path) and page in (1, "all"):
            with open_image(path) as image:
                return np.asarray(image)
        if isinstance(page, str):
            return read_image(path, page=page)
        n_pages = read_metadata(path).n_pages if page != 1 else 1
        if 1 <= page <= n_pages:
            return read_image(path, page=page - 1)
    rule = f"be from 1 to {n_pages:,}, the number of images in {path}"
    raise ArgumentValueError("--page", rule, page, "choose one of these")


@contextmanager
def open_picture(
    args: argparse.Namespace, path: Path, in_slices: bool = True
) -> Iterator[Picture]:
    """Read a picture, and close it; one too large for memory is only opened."""
    with ExitStack() as opened:
        is_first = args.page == 1 or (args.page == "all" and is_opened(path))
        image = _in_slices(path) if in_slices and is_first else None
        if image is None:
            image = read_array(path, "IMAGE", args.page)
        else:
            opened.enter_context(image)
        about = _describe(path, args.page).suiting(image.shape)
        alpha: Any = {"yes": True, "no": False}.get(args.alpha, args.alpha)
        if alpha == "auto" and about.has_alpha is not None and image.ndim > 2:
            alpha = about.has_alpha and image.shape[-1] > 1
        axis = args.channel_axis
        if axis == "auto":
            axis = None if about.planes and image.ndim == 3 else -1
        layout, _ = lay_out(shape_only(image), axis, alpha)
        by_opacity = args.alpha == "weights" and layout.has_alpha
        yield Picture(image, about, layout, by_opacity)


def _in_slices(path: Path) -> Any:
    """Return an opened picture if it is too large to be read, or cannot be."""
    if is_opened(path):
        with reading(), named("IMAGE"):
            return open_image(path)
    if format_of(path).open is not None:
        # Not all files of such a format can be read in slices, and few need it.
        with suppress(OSError, ValueError), _quiet():
            image = open_image(path)
            if math.prod(image.shape[:2]) >= LARGE:
                return image
            image.close()
    return None


def _describe(path: Path, page: int | str) -> Metadata:
    """Return what the file of a picture says about its numbers, and note the rest.

    What cannot be told is no reason not to do anything with the picture.
    """
    about = NOTHING
    with suppress(OSError, ValueError, IndexError), _quiet():
        about = read_metadata(path, page=0 if isinstance(page, str) else page - 1)
    if page != "all":
        # It is one of them.
        about = replace(about, stack=None, durations=None, loop=None)
    if about.n_pages > 1 and page != "all":
        warnings.warn(
            f"reading page {page} of {about.n_pages:,}; pass --page N for another, or "
            "--page all",
            stacklevel=2,
        )
    return about


def read_points(path: Path) -> Array | None:
    """Return points, (n, d), if a file has some, and no picture."""
    if path.suffix.lower() == ".npy":
        array = read_array(path, "IMAGE")
        # In doubt it is a gray picture.
        with suppress(ArgumentValueError):
            if not image_or_points(array, "auto", None, -1, "auto"):
                return array
    return _read_table(path) if path.suffix.lower() in TABLES else None


@reading()
def _read_table(path: Path) -> Array:
    """Return the numbers of a table with a point a row; it may have a head."""
    rule = "a table of numbers, one point a row"
    path = as_path(path)
    with named("IMAGE"), path_errors(path, rule):
        check_readable(path)
        lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    rows = [(n, line) for n, line in enumerate(lines, 1) if line.split("#")[0].strip()]
    first = rows[0][1] if rows else ""
    delimiter = next((mark for mark in DELIMITERS if mark in first), None)
    cells = [(n, line.split("#")[0].split(delimiter)) for n, line in rows]
    if cells and not any(map(_is_number, cells[0][1])):
        del cells[0]
    width = len(cells[0][1]) if cells else 0
    found, remedy = "which has no numbers", "pass another file"
    for n, row in cells:
        bad = next((cell for cell in row if not _is_number(cell)), None)
        if bad is not None:
            found = f"with {bad.strip()!r} in line {n:,}"
            remedy = "keep only columns of numbers, with decimal points"
            break
        if len(row) != width:
            found = f"with {pluralize(len(row), 'number')} in line {n:,}, not {width}"
            remedy = "give every row the same number of columns"
            break
    else:
        if cells:
            return np.array([[float(cell) for cell in row] for _, row in cells])
    raise ArgumentValueError("IMAGE", f"be {rule}", path, remedy, found=found)


def _is_number(cell: str) -> bool:
    with suppress(ValueError):
        float(cell)
        return True
    return False


def which_take_part(picture: Picture, overlays: Overlays) -> dict[str, Any]:
    """Return the arguments that say what takes part, and where the channels are."""
    layout = picture.layout
    return {
        "mask": _mask_for(picture, overlays),
        "weights": overlays.weights,
        "channel_axis": layout.channel_axis,
        "alpha": "weights" if picture.by_opacity else layout.has_alpha,
    }


def _mask_for(picture: Picture, overlays: Overlays) -> Any:
    """Return which pixels take part: of a mask of this size, those that have data."""
    image, about, layout, _ = picture
    mask = None
    if overlays.mask is not None:
        mask = _mask_of(overlays.mask, layout.shape)
        if not mask.any():
            rule, path = "include at least one pixel", overlays.mask_path
            remedy = "paint the pixels to include white"
            found = "which is black or transparent everywhere"
            raise ArgumentValueError("--mask", rule, path, remedy, found=found)
    if about.no_data is None:
        return mask
    with np.errstate(over="ignore", invalid="ignore"):
        no_data = np.asarray(about.no_data).astype(image.dtype)
    if image.dtype.kind != "f" and no_data != about.no_data:
        # Such a number cannot be in it.
        return mask

    def have_data(place: Any) -> NDArray[np.bool_]:
        block = np.asarray(image[layout.with_channels(place)])
        bad = (block == no_data) | ((block != block) & (no_data != no_data))
        axis = layout.channel_axis
        good: NDArray[np.bool_] = ~(bad if axis is None else bad.any(axis=axis))
        return good if mask is None else good & mask[place]

    if isinstance(image, np.ndarray):
        return have_data(tuple(slice(0, n) for n in layout.shape))
    chunks = getattr(image, "chunks", None)
    chunks = chunks and layout.without_channels(chunks)
    return LazyArray(layout.shape, np.dtype(bool), chunks, have_data)


def _mask_of(painted: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels take part: those that are neither black nor transparent."""
    if painted.shape == shape:
        painted = painted[..., np.newaxis]
    if painted.shape[:-1] != shape:
        kinds = (
            ["rows", "columns"] if len(shape) == 2 else ["planes", "rows", "columns"]
        )
        names, sizes = either(kinds, "and"), either([*map(str, shape)], "and")
        raise ArgumentValueError(
            "--mask",
            f"have as many {names} as the picture, {sizes}",
            either([*map(str, painted.shape[: len(shape)])], "and"),
            "make it of the same size",
        )
    # NaN is neither.
    some = (painted > 0) | (painted < 0)
    if painted.shape[-1] in (2, 4):
        some = some[..., :-1] & some[..., -1:]
    part: NDArray[np.bool_] = np.logical_or.reduce(some, axis=-1)
    return part
