"""The table of file formats: what each holds, and what reads and writes it."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from kmeans_np.checks import ArgumentValueError
from kmeans_np.lloyd import Array

_KINDS = {1: "gray", 2: "gray with alpha", 3: "RGB", 4: "RGBA"}
ANY_NUMBERS = "bool, integers or floats of at most 64 bits"


class Extra(NamedTuple):
    """What pip installs for some formats, and the packages that this brings."""

    name: str
    packages: tuple[str, ...]

    @property
    def missing(self) -> str:
        """The words for when one of the packages is missing."""
        verb = "is" if len(self.packages) == 1 else "are"
        return f"as long as {' and '.join(self.packages)} {verb} missing"

    def check(
        self, rule: str, got: object, found: str = "", argument: str = "path"
    ) -> None:
        """Raise ValueError that names what needs the packages if one is missing.

        The arguments are the fields of the error.
        """
        try:
            for package in self.packages:
                import_module(package)
        except ImportError as error:
            remedy = f'install what it needs: pip install "{self.name}"'
            raise ArgumentValueError(
                argument, rule, got, remedy, found=found
            ) from error


DEEP = Extra("kmeans-np[deep]", ("tifffile", "imagecodecs"))


class Format(NamedTuple):
    """A row of the table; what cannot be done with such files is None."""

    # What their names end in, in lower case.
    suffixes: tuple[str, ...]
    # Returns the whole image, upright, of an open file and its path, which is for
    # errors; and, if its `Metadata` say that there are several, of the number of one.
    # What can only be opened is opened wherever an image is read.
    read: Callable[..., Array] | None = None
    # Returns all images in an open file, if they are alike: planes, rows, columns and,
    # if there are any, channels.
    read_all: Callable[[BinaryIO, Path], Array] | None = None
    # Returns the `Metadata` of an open file and its path; and, if there are several
    # images, of the number of one.
    describe: Callable[..., Any] | None = None
    # What they begin with, if they are known by that, whatever their names are.
    starts: tuple[bytes, ...] = ()
    # Returns the `SlicedImage` of a path.
    open: Callable[[Path], Any] | None = None
    # Returns the content of the file of an image and, if such files hold any, of its
    # `Metadata`.
    write: Callable[..., bytes] | None = None
    # Returns the content of a file of several images, an array with an axis for them in
    # front, and of their `Metadata`.
    write_all: Callable[[Array, Any], bytes] | None = None
    # Writes a `Source` to the path of an empty file or folder: what lies outside of
    # memory, or without `write` every image.
    write_blocks: Callable[[Path, Any], None] | None = None
    # The types that are kept; None for all real ones of at most 64 bits.
    types: tuple[str, ...] | None = ("uint8",)
    # The numbers of channels; None for any number of axes, of any length.
    channels: Sequence[int] | None = (1, 3)
    longest: int = 2**31 - 1
    # Which fields of `Metadata` are written.
    metadata: tuple[str, ...] = ()
    # The names of axes of several images that are kept.
    axes: str = "TI"
    # The fewest and the most pixels per inch that can be written.
    resolutions: tuple[float, float] = (0.0, np.inf)
    # Whether what was written is read again as it was.
    lossless: bool = True
    # Whether it is a folder and not a file.
    folder: bool = False
    # What it takes to open it and to write it in blocks.
    extra: Extra | None = None
    # Raises ValueError if an image, for a file with a suffix, needs what is missing.
    check: Callable[[Array, str], None] | None = None

    def keeps(self, dtype: Any) -> bool:
        """Return whether such a file keeps numbers of a type as they are."""
        return is_number(dtype) if self.types is None else dtype in self.types

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether it can hold an image of a shape, however long that is."""
        if self.channels is None:
            return bool(shape) and 0 not in shape
        pictured = len(shape) in (2, 3) and 0 not in shape
        return pictured and (*shape, 1)[2] in self.channels

    @property
    def kinds(self) -> str:
        """The kinds of images that it holds, in words."""
        channels = self.channels or ()
        names = [_KINDS.get(n, f"of {n} channels") for n in channels[:4]]
        if len(channels) > len(names):
            names.append(f"of up to {channels[-1]:,} channels")
        return " or ".join(names)


# In the order in which errors list them. `kmeans_np.files` puts them in.
FORMATS: list[Format] = []
# What reads a file that is of none of them.
OTHERS: list[Format] = []


def format_of(path: Path) -> Format:
    """Return the format that the suffix names, or one of which nothing can be done."""
    suffix = path.suffix.lower()
    return next((each for each in FORMATS if suffix in each.suffixes), Format(()))


def content_format(file: BinaryIO, path: Path) -> Format:
    """Return the format of an open file: what its first bytes say, or its suffix.

    Raises ValueError if it is empty.
    """
    head = file.read(32)
    file.seek(0)
    if head[4:8] == b"ftyp":
        # Before that is the length of this part, and behind it what it may be, too.
        head = b"ftypavif" if b"avif" in head else head[4:]
    if not head:
        rule, found = "be an image file", "which is empty"
        raise ArgumentValueError("path", rule, path, "get the file anew", found=found)
    known = [each for each in FORMATS if head.startswith(each.starts)]
    if not format_of(path).starts:
        known.append(format_of(path))
    return next((each for each in known if each.read), OTHERS[0])


def suffixes(
    which: Callable[[Format], object], arrays_first: bool = False
) -> list[str]:
    """Return the suffixes of some formats; it may begin with those that hold all."""
    rows = sorted(FORMATS, key=lambda each: arrays_first and each.types is not None)
    return [suffix for each in rows if which(each) for suffix in each.suffixes]


def suffixes_in_slices() -> str:
    """Return a list of what can be opened."""
    return ", ".join(suffixes(lambda each: each.open, arrays_first=True))


def is_opened(path: Path) -> bool:
    """Return whether a file can be opened to be read in slices, and not read."""
    row = format_of(path)
    return row.open is not None and row.read is None


def check_extra(path: Path, aim: str) -> None:
    """Raise ValueError if what opens a file, or writes its blocks, is missing."""
    extra = format_of(path).extra
    if extra:
        others = suffixes(lambda each: each.open and each.extra != extra, True)
        extra.check(f"be a {either(others)} {aim}, {extra.missing}", path)


def either(names: Sequence[str], word: str = "or") -> str:
    """List names, the last two with a word between them."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def is_number(dtype: Any) -> bool:
    """Return whether it is a real type of at most 64 bits, or bool."""
    return dtype.kind in "buif" and dtype.itemsize <= 8
