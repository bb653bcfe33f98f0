"""Which files the command line writes for which picture, and that none is an input."""

import argparse
import math
import os
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.arrays import LazyArray, is_sliced
from kmeans_np.checks import ArgumentValueError, pluralize
from kmeans_np.cli.inputs import Picture
from kmeans_np.cli.messages import Progress, describe_segmentation, named
from kmeans_np.cli.palettes import shown_colors
from kmeans_np.files import (
    Metadata,
    as_path,
    check_replaceable,
    check_writable,
    path_errors,
    write_image,
)
from kmeans_np.files.animations import GIF
from kmeans_np.files.formats import Format, either, format_of, is_opened, suffixes
from kmeans_np.files.paths import write_whole
from kmeans_np.files.png import PALETTE_SIZE, PNG, indexed_bytes
from kmeans_np.files.write import suiting_file
from kmeans_np.image import Segmentation
from kmeans_np.lloyd import Array
from kmeans_np.pictures import separated_colors

# So many labels go into 16 bits, with a number left for pixels that take no part.
MOST_LABELS = 65_535


class Output(NamedTuple):
    """A file to write."""

    # What it was asked for with.
    option: str
    path: Path
    # Whether that is the name that was given, and not one made from the input's.
    chosen: bool


class Outputs(NamedTuple):
    """The files to write for a picture."""

    source: Path
    picture: Output
    labels: Output | None
    overlay: Output | None


class Plan:
    """Which files `kmeans-np segment` writes, called with `args` for k colors.

    None of them is an input, unless by force, and none is written twice, or else there
    is a ValueError, before anything is written.
    """

    def __init__(self, args: argparse.Namespace, k: int) -> None:
        self.args, self.k = args, k
        read = (*args.images, args.mask, args.weights, args.palette)
        self.inputs = {identity(Path(name)) for name in read if name} - {None}
        there = [name for name in read if name and identity(Path(name))]
        self.sources = [os.path.realpath(name) for name in there]
        self.taken: dict[str, str] = {}
        self.pictures = [self._outputs(Path(name)) for name in args.images]

    def _outputs(self, source: Path) -> Outputs:
        args = self.args
        ending = f"k{self.k}" if args.palette is None else "palette"
        if args.page not in (1, "all"):
            ending = f"page{args.page}-{ending}"
        picture = self._output(source, "-o", args.output, ending)
        labels = overlay = None
        if args.labels is not None:
            labels = self._output(source, "--labels", args.labels, "labels")
            _check_labels(labels.path, self.k)
        if args.overlay is not None:
            overlay = self._output(source, "--overlay", args.overlay, "overlay")
            with named("--overlay"):
                check_writable(np.zeros((1, 1, 3), np.uint8), overlay.path)
        return Outputs(source, picture, labels, overlay)

    def _output(
        self, source: Path, option: str, given: str | None, ending: str
    ) -> Output:
        """Return the file to write for a picture, as an option gives it."""
        with named("IMAGE"):
            as_path(source)
        name = f"{source.stem}-{ending}{self._suffix(source, option, given)}"
        beside = source.parent / name
        output, several = output_of(option, given, beside), len(self.args.images) > 1
        if output.chosen and several:
            rule, found = "be a folder for several pictures", "which is not one"
            remedy = "add / at its end to make it one"
            raise ArgumentValueError(option, rule, given, remedy, found=found)
        if output.chosen and not output.path.suffix:
            rule = "be a folder, or a file with a suffix such as .png"
            remedy = "add the suffix, or / to make the folder"
            found = "which is neither"
            raise ArgumentValueError(option, rule, given, remedy, found=found)
        if output.chosen:
            check_output(output)
        self.take(output, str(source) if several else option)
        return output

    def _suffix(self, source: Path, option: str, given: str | None) -> str:
        """Return what the name of a file ends in that was not given."""
        row = format_of(source)
        if is_opened(source):
            # An array of any size stays one; but a folder is none to be printed.
            is_printed = given is not None and given == self.args.stdout
            return ".npy" if row.folder and is_printed else source.suffix
        # So do several images, in as many colors as they need.
        is_kept = self.args.page == "all" and row.write_all is not None
        if option == "--labels":
            is_kept = is_kept and holds_labels(row)
        elif row is GIF:
            is_kept = is_kept and option == "-o" and self.k < PALETTE_SIZE
        return source.suffix if is_kept else ".png"

    def take(self, output: Output, whose: str) -> None:
        """Keep a file for a picture or option, or say why that cannot be."""
        path = output.path
        self._check_folders(path, whose)
        if identity(path) in self.inputs and not self.args.force:
            remedy = "write it to another file or folder, or pass --force to write over"
            raise ArgumentValueError(
                "the output",
                "not be an input",
                f"{path} for {whose}",
                f"{remedy} the input",
            )
        if not output.chosen:
            check_new(output, self.args.force)
        real = os.path.realpath(path)
        if real in self.taken:
            raise ArgumentValueError(
                "the outputs",
                "be different files",
                f"{path} for {self.taken[real]} and for {whose}",
                "rename one or leave it out",
            )
        self.taken[real] = whose

    def _check_folders(self, path: Path, whose: str) -> None:
        """Refuse a Zarr that takes the place of a folder with an input or output in it.

        And the reverse: what is in a folder that a Zarr takes the place of.
        """
        real = os.path.realpath(path)
        folders = [each for each in self.taken if format_of(Path(each)).folder]
        if format_of(path).folder:
            folders.append(real)
        for folder in folders:
            for other in (real, *self.taken, *self.sources):
                if Path(folder) in Path(other).parents:
                    rule, got = "not replace a folder that holds another file", folder
                    found, remedy = f"which holds {other}", "choose another name"
                    raise ArgumentValueError(
                        "the output", rule, f"{got} for {whose}", remedy, found=found
                    )

    def checked(self, outputs: Outputs, source: Picture) -> Outputs:
        """Return the files for a picture, when it is known what it holds.

        What no PNG can hold, or is too large, goes to a TIFF, unless another name was
        chosen.
        """
        picture, (image, about, layout, _) = outputs.picture, source
        in_blocks = format_of(picture.path).write_blocks is not None
        if is_sliced(image) and not picture.chosen and not in_blocks:
            # Too large to be written as a whole.
            picture = picture._replace(path=picture.path.with_suffix(".tif"))
        with named("-o"):
            try:
                check_writable(image, picture.path, about)
            except (TypeError, ValueError):
                if picture.chosen:
                    raise
                picture = picture._replace(path=picture.path.with_suffix(".tif"))
                check_writable(image, picture.path, about)
        if picture != outputs.picture:
            self.take(picture, str(outputs.source))
        for output, dtype, channels in (
            (outputs.labels, labels_dtype(outputs.labels, self.k), ()),
            (outputs.overlay, np.dtype(np.uint8), (3,)),
        ):
            if output is not None:
                shape = (*layout.shape, *channels)
                dummy = np.broadcast_to(np.zeros((), dtype), shape)
                with named(output.option):
                    check_writable(dummy, output.path, on_the_grid(about, layout.shape))
        for output in (picture, outputs.labels, outputs.overlay):
            if output is not None:
                check_output(output)
        return outputs._replace(picture=picture)


def output_of(option: str, given: str | None, beside: Path) -> Output:
    """Return the file that was given, or one in that folder, or one beside the input.

    `beside` is the last, and has its name.
    """
    if given is None:
        return Output(option, beside, chosen=False)
    # A Zarr is a folder, too, and one to be replaced.
    is_zarr = format_of(Path(given)).folder
    is_folder = given.endswith(("/", os.sep))
    if is_folder or (os.path.isdir(given) and not is_zarr):  # noqa: PTH112
        return Output(option, Path(given) / beside.name, chosen=False)
    return Output(option, Path(given), chosen=True)


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever its names."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def check_new(output: Output, force: bool) -> None:
    """Refuse to replace, unless by force, a file whose name was not given."""
    is_there, path = False, output.path
    with suppress(OSError, ValueError):
        is_folder = path.is_dir() and format_of(path).folder
        is_there = path.is_file() or is_folder
    if is_there and not force:
        rule, found = "be a new file, unless it is named", ": already exists"
        remedy = f"name the output with {output.option}, or pass --force to replace it"
        raise ArgumentValueError("the output", rule, path, remedy, found=found)


def check_output(output: Output) -> None:
    """Refuse, before any work, a path to which nothing can be written."""
    with named(output.option):
        path = as_path(output.path)
        check_replaceable(path, format_of(path).folder)
        # Other folders are made.
        if output.chosen:
            with path_errors(path, "a file that can be written"):
                path.parent.stat()


def holds_labels(row: Format) -> bool:
    """Return whether a format keeps up to 65,535 labels in gray, or any numbers."""
    return row.lossless and row.keeps(np.dtype(np.uint16)) and row.fits((1, 1))


def _check_labels(path: Path, k: int) -> None:
    names = suffixes(holds_labels, arrays_first=True)
    if path.suffix.lower() not in names:
        rule = f"end in one of {', '.join(names)}"
        remedy = "choose .npy for an array of numbers, or .png for a gray picture of "
        raise ArgumentValueError("--labels", rule, path, f"{remedy}them")
    if k > MOST_LABELS and format_of(path).types is not None:
        rule = f"be a .npy file for more than {MOST_LABELS:,} colors"
        got, remedy = f"{path} for {k:,}", "choose that, or fewer colors"
        raise ArgumentValueError("--labels", rule, got, remedy)


def make_folder(folder: Path, option: str) -> None:
    """Make a folder, and those that it is in, unless it is there."""
    with named(option), path_errors(folder, "a folder that can be written"):
        as_path(folder).mkdir(parents=True, exist_ok=True)


def write(
    plan: Plan, outputs: Outputs, answer: Segmentation, about: Metadata
) -> list[str]:
    """Write the files for a picture, and return a line about each.

    `about` is what its own file says.
    """
    lines = []
    for output in (outputs.picture, outputs.labels, outputs.overlay):
        if output is None:
            continue
        if not output.chosen:
            make_folder(output.path.parent, output.option)
        path = output.path
        with named(output.option):
            if output is outputs.picture:
                path = _write_picture(plan, outputs, answer, about)
                words = describe_segmentation(answer)
            elif output is outputs.labels:
                words = _write_labels(output, answer, about)
            else:
                shown = answer.overlay(outline=True)
                like = on_the_grid(replace(about, no_data=None), shown.shape[:-1])
                write_image(path, shown, like=like)
                words = "the labels over the picture"
        lines.append(f"{path}: {words}")
    return lines


def _write_picture(
    plan: Plan, outputs: Outputs, answer: Segmentation, about: Metadata
) -> Path:
    """Write the segmented picture; return where that is."""
    output = outputs.picture
    path = output.path
    _note_blur(path, len(answer.palette))
    like = replace(about, place=about.place_of(labels=False))
    try:
        _write(path, answer.image, like)
    except ValueError:
        if output.chosen or format_of(path) is not GIF:
            raise
        # Pixels that take no part have colors of their own, more than it can hold.
        output = output._replace(path=path.with_suffix(".png"))
        plan.take(output, str(outputs.source))
        _write(output.path, answer.image, like)
    return output.path


def _note_blur(path: Path, k: int) -> None:
    if k > 1 and not format_of(path).lossless:
        kept = either(suffixes(lambda each: each.write and each.lossless)[:1])
        words = f"a {path.suffix.lower()} file blurs edges, and holds more than the"
        colors = f"{words} {pluralize(k, 'color')}; choose {kept} to keep them"
        warnings.warn(f"{path.name}: {colors}", stacklevel=2)


def _write(path: Path, image: Any, like: Metadata) -> None:
    """Write a picture, and say meanwhile how far that is."""
    with Progress(path.name) as progress:
        write_image(path, image, like=like, progress=progress.of_blocks)


def labels_dtype(output: Output | None, k: int) -> np.dtype[Any]:
    """Return the type of the labels in a file: -1 is one of them, if that may be."""
    kind: np.dtype[Any] = np.dtype(np.int32)
    if output is not None and not format_of(output.path).keeps(kind):
        kind = np.dtype(np.uint8 if k <= np.iinfo(np.uint8).max else np.uint16)
    return kind


def on_the_grid(about: Metadata, shape: tuple[int, ...]) -> Metadata:
    """Return the metadata that also hold for labels or an overlay of a picture.

    No color profile; and planes as depth, so that equal ones are not taken for one.
    """
    about = replace(about, color_profile=None, extra_channels=None, size=None)
    n_planes = math.prod(length for _, length in about.planes) if about.planes else 0
    if len(shape) < 3 or shape[0] == n_planes:
        return about
    return replace(about, stack=(("Z", shape[0]),))


def _write_labels(output: Output, answer: Segmentation, about: Metadata) -> str:
    """Write the labels, and say what the numbers are."""
    path, labels, k = output.path, answer.labels, len(answer.palette)
    some_out = answer.counts.sum() < math.prod(labels.shape)
    if answer.counts.dtype.kind == "f":
        # With weights that says nothing.
        some_out = labels.min() < 0
    row, kind = format_of(path), labels_dtype(output, k)
    no_label = -1 if kind.kind == "i" else np.iinfo(kind).max
    like = on_the_grid(replace(about, place=about.place_of(labels=True)), labels.shape)
    if row is PNG and labels.ndim == 3:
        # As frames, those that are alike would be one.
        like = replace(like, stack=(("Z", len(labels)),))
    declared = no_label if some_out and "no_data" in row.metadata else None
    like = replace(like, no_data=declared, durations=None, loop=None)
    if row.types is None:
        _write(path, labels, like)
    elif row is PNG and kind == np.uint8 and labels.ndim == 2:
        colors, is_short = answer.palette, answer.palette.dtype == np.uint8
        # Of more bits, all may be so dark that there is nothing to see.
        shown = shown_colors(colors, about) if is_short else None
        numbers = _numbers(labels, kind, no_label)
        palette = separated_colors(k) if shown is None else shown
        if some_out:
            palette = np.pad(palette, ((0, 0), (0, 1)), constant_values=255)
            # All others, of which one occurs, are transparent.
            palette = np.pad(palette, ((0, no_label + 1 - k), (0, 0)))
        like = suiting_file(like, path, labels.shape)
        write_whole(path, indexed_bytes(np.asarray(numbers), palette, like))
    else:
        _write(path, _numbers(labels, kind, no_label), like)
    words = f"labels 0 to {k - 1}"
    return words + f", and {no_label} for pixels that take no part" * bool(some_out)


def _numbers(labels: Any, kind: np.dtype[Any], no_label: int) -> Any:
    """Return labels as a type, with a number for -1; outside of memory, when read."""

    def shown(place: Any) -> Array:
        block = labels[place]
        numbers: Array = block.astype(kind)
        numbers[block < 0] = no_label
        return numbers

    chunks = getattr(labels, "chunks", None)
    view = LazyArray(labels.shape, kind, chunks, shown)
    return view if isinstance(labels, LazyArray) else np.asarray(view)
