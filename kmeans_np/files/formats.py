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
    """The packages that some formats need, and their names for pip."""

    packages: tuple[str, ...]
    names: str

    @property
    def missing(self) -> str:
        """The words for errors about a missing package."""
        verb = "is" if len(self.packages) == 1 else "are"
        return f"while {' and '.join(self.packages)} {verb} not installed"

    def check(
        self, rule: str, got: object, found: str = "", argument: str = "path"
    ) -> None:
        """Raise ValueError if one of the packages is missing.

        The parameters are the fields of the error.
        """
        try:
            for package in self.packages:
                import_module(package)
        except ImportError as error:
            remedy = f"install what it needs: pip install {self.names}"
            raise ArgumentValueError(
                argument, rule, got, remedy, found=found
            ) from error


DEEP = Extra(("tifffile", "imagecodecs"), "tifffile imagecodecs")


class Format(NamedTuple):
    """A row of the table. Fields are None for what a format does not support."""

    # The suffixes of file names, in lower case.
    suffixes: tuple[str, ...]
    # Returns the whole image, upright, given an open file, its path (for errors), and,
    # for files with several images, the number of one. Formats without `read` are
    # opened wherever an image is read.
    read: Callable[..., Array] | None = None
    # Returns all images of an open file, if they are alike: (planes, rows, columns[,
    # channels]).
    read_all: Callable[[BinaryIO, Path], Array] | None = None
    # Returns the `Metadata`, given an open file, its path, and, for files with several
    # images, the number of one.
    describe: Callable[..., Any] | None = None
    # The first bytes of files that are recognized by these, whatever their names are.
    starts: tuple[bytes, ...] = ()
    # Returns the `SlicedImage`, given a path.
    open: Callable[[Path], Any] | None = None
    # Returns the content of a file, given an image and, if such files hold any, its
    # `Metadata`.
    write: Callable[..., bytes] | None = None
    # Returns the content of a file, given several images, as an array with an axis for
    # them in front, and their `Metadata`.
    write_all: Callable[[Array, Any], bytes] | None = None
    # Writes a `Source` to the path of an empty file or folder. Used for images outside
    # of memory, and for all images if there is no `write`.
    write_blocks: Callable[[Path, Any], None] | None = None
    # The dtypes that are kept; None for all real ones of at most 64 bits.
    types: tuple[str, ...] | None = ("uint8",)
    # The numbers of channels; None for any number of axes of any length.
    channels: Sequence[int] | None = (1, 3)
    longest: int = 2**31 - 1
    # The fields of `Metadata` that are written.
    metadata: tuple[str, ...] = ()
    # The names of axes of several images that are kept.
    axes: str = "TI"
    # The smallest and largest resolution that can be written, in pixels per inch.
    resolutions: tuple[float, float] = (0.0, np.inf)
    # Whether an image that was written is read again unchanged.
    lossless: bool = True
    # Whether it is a folder, not a file.
    folder: bool = False
    # The packages needed to open it and to write it in blocks.
    extra: Extra | None = None
    # Raises ValueError if writing an image to a file with this suffix needs a missing
    # package.
    check: Callable[[Array, str], None] | None = None

    def keeps(self, dtype: Any) -> bool:
        """Return whether such a file keeps values of this dtype unchanged."""
        return is_number(dtype) if self.types is None else dtype in self.types

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether it can hold an image of this shape, ignoring `longest`."""
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


# In the order in which errors list them. Filled by `kmeans_np.files`.
FORMATS: list[Format] = []
# What reads files of no listed format.
OTHERS: list[Format] = []


def format_of(path: Path) -> Format:
    """Return the format of a suffix, or one that supports nothing if it is unknown."""
    suffix = path.suffix.lower()
    return next((each for each in FORMATS if suffix in each.suffixes), Format(()))


def content_format(file: BinaryIO, path: Path) -> Format:
    """Return the format of an open file, by its first bytes or its suffix.

    Raises ValueError if it is empty.
    """
    head = file.read(32)
    file.seek(0)
    if head[4:8] == b"ftyp":
        # Before the brand is the length of this part, and behind it are compatible
        # brands.
        head = b"ftypavif" if b"avif" in head else head[4:]
    if not head:
        rule, remedy = "be an image file", "download it or write it again"
        raise ArgumentValueError("path", rule, path, remedy, found=": is empty")
    known = [each for each in FORMATS if head.startswith(each.starts)]
    if not format_of(path).starts:
        known.append(format_of(path))
    return next((each for each in known if each.read), OTHERS[0])


def suffixes(
    which: Callable[[Format], object], arrays_first: bool = False
) -> list[str]:
    """Return the suffixes of some formats; optionally, those for any array first."""
    rows = sorted(FORMATS, key=lambda each: arrays_first and each.types is not None)
    return [suffix for each in rows if which(each) for suffix in each.suffixes]


def suffixes_in_slices() -> str:
    """Return a list of the suffixes that can be opened."""
    return ", ".join(suffixes(lambda each: each.open, arrays_first=True))


def is_opened(path: Path) -> bool:
    """Return whether a file is opened and read in slices, not read as a whole."""
    row = format_of(path)
    return row.open is not None and row.read is None


def check_extra(path: Path, aim: str) -> None:
    """Raise ValueError if a package to open a file or write its blocks is missing."""
    extra = format_of(path).extra
    if extra:
        others = suffixes(lambda each: each.open and each.extra != extra, True)
        extra.check(f"be a {either(others)} {aim}, {extra.missing}", path)


def either(names: Sequence[str], word: str = "or") -> str:
    """Join names with commas, and the last two with `word`."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def is_number(dtype: Any) -> bool:
    """Return whether a dtype is bool, or real with at most 64 bits."""
    return dtype.kind in "buif" and dtype.itemsize <= 8
