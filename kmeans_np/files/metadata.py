"""The metadata of image files, to be read and written to other files."""

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from kmeans_np.checks import ArgumentIndexError
from kmeans_np.checks.options import whole_number
from kmeans_np.files.formats import content_format, format_of
from kmeans_np.files.paths import READABLE, as_path, check_readable, path_errors

# The tag in which GDAL stores, as XML, what it knows about the bands.
GDAL = 42112
STATISTICS = re.compile(r'\s*<Item[^>]*name="STATISTICS_[^>]*>.*?</Item>', re.DOTALL)
ABOUT_BANDS = re.compile(r"\s*<Item[^>]*\ssample=[^>]*>.*?</Item>", re.DOTALL)


@dataclass(frozen=True)
class Metadata:
    """What an image file says about its values; None where it says nothing.

    Attributes
    ----------
    color_profile : bytes, optional
        The ICC profile, which defines the colors of the values. None if the file is
        read as another color model than the one it has, such as CMYK.
    resolution : tuple of float, optional
        Pixels per inch, horizontally and vertically.
    place : dict of int to (int, value), optional
        The tags of a GeoTIFF with the location of the pixels on Earth, and GDAL's notes
        about the bands, such as their scale and offset: the TIFF type and the value of
        each tag, by its number.
    no_data : float, optional
        The value that stands for no data; it may be NaN.
    extra_channels : tuple of str, optional
        What the channels besides gray or RGB are: "alpha", "premultiplied alpha" (when
        read, colors are not multiplied any more) or "unspecified", such as infrared.
    n_pages : int
        The number of images in the file.
    stack : tuple of (str, int), optional
        The axes of the images in the file, if they are alike: a letter and a length
        each. "T" is time, as in an animation, "Z" depth, "C" channels; other letters
        are those of tifffile. ``read_image(path, page="all")`` returns channels as the
        last axis and all others as the first.
    size : tuple of int, optional
        The rows and columns of an image in the file, upright.
    durations : tuple of float, optional
        How long each frame of an animation is shown, in milliseconds.
    loop : int, optional
        How many times an animation is played; 0 for endlessly.
    """

    color_profile: bytes | None = None
    resolution: tuple[float, float] | None = None
    place: dict[int, tuple[int, Any]] | None = None
    no_data: float | None = None
    extra_channels: tuple[str, ...] | None = None
    n_pages: int = 1
    stack: tuple[tuple[str, int], ...] | None = None
    size: tuple[int, int] | None = None
    durations: tuple[float, ...] | None = None
    loop: int | None = None

    @property
    def has_alpha(self) -> bool | None:
        """Whether the last channel is alpha; None if the file does not say."""
        if self.has_channel_pages:
            return False
        if self.extra_channels is None:
            return None
        return "alpha" in "".join(self.extra_channels[-1:])

    @property
    def planes(self) -> tuple[tuple[str, int], ...]:
        """The axes of `stack` that make up the first axis of the array."""
        return tuple(pair for pair in self.stack or () if pair[0] != "C")

    @property
    def has_channel_pages(self) -> bool:
        """Whether pages are channels, which become the last axis."""
        return len(self.planes) < len(self.stack or ())

    def place_of(self, labels: bool) -> dict[int, tuple[int, Any]] | None:
        """Return the place for an image with other values on the same grid.

        Statistics are removed; for labels, everything about bands is removed.
        """
        place = dict(self.place or {})
        if GDAL in place:
            kind, text = place[GDAL]
            pattern = ABOUT_BANDS if labels else STATISTICS
            place[GDAL] = kind, pattern.sub("", text)
        return place or None

    def suiting(self, shape: tuple[int, ...]) -> "Metadata":
        """Return the metadata that also apply to an image of this shape.

        A profile is for gray or for RGB, and the channels may differ. With planes, the
        first axis is that of the images; with four axes, it always is.
        """
        planes, n = self.planes, math.prod(length for _, length in self.planes)
        are_there = bool(planes) and len(shape) > 2 and shape[0] == n
        if len(shape) == 3 and self.size is not None:
            # An image may happen to have as many rows as there are images.
            are_there = are_there and shape[1:] == self.size
        metadata = self
        if not are_there:
            planes = (("I", shape[0]),) if len(shape) == 4 else ()
            if not planes or len(self.durations or ()) != shape[0]:
                metadata = replace(self, durations=None, loop=None)
        shape = shape[1:] if planes else shape
        of_channels = [("C", n) for n in shape[2:] if ("C", n) in (self.stack or ())]
        metadata = replace(metadata, stack=(*planes, *of_channels) or None)
        channels = 1 if len(shape) < 3 else shape[2]
        extra = len(self.extra_channels or ())
        if self.extra_channels and channels - extra not in (1, 3):
            metadata, extra = replace(metadata, extra_channels=None), 0
        model = b"GRAY" if channels - extra in (1, 2) else b"RGB "
        if self.color_profile is not None and self.color_profile[16:20] != model:
            metadata = replace(metadata, color_profile=None)
        return metadata


NOTHING = Metadata()
# The metadata that are kept in a file of another format, and the words for errors.
KEPT = {
    "color_profile": "color profile",
    "resolution": "resolution",
    "place": "place on Earth",
    "no_data": "declaration of no data",
    "durations": "durations of frames",
}


def check_page(
    describe: Callable[..., Metadata] | None, file: BinaryIO, path: Path, page: int
) -> None:
    """Raise IndexError if a file does not have this page."""
    n_pages = describe(file, path).n_pages if describe and page else 1
    if page >= n_pages:
        rule = f"be from 0 to {n_pages - 1} for {path}"
        raise ArgumentIndexError("page", rule, page, "count from 0")


def has_several(
    describe: Callable[..., Metadata] | None, file: BinaryIO, path: Path
) -> bool:
    """Return whether a file has several images."""
    return describe is not None and describe(file, path).n_pages > 1


def read_metadata(path: str | os.PathLike[str], *, page: int = 0) -> Metadata:
    """Read what an image file says about its values.

    Parameters
    ----------
    path : str or path-like
        A file that `read_image` or `open_image` reads.
    page : int, default 0
        Which of several images in the file, from 0. What concerns all images, such as a
        stack, is returned for any page.

    Returns
    -------
    Metadata
        The color profile, the resolution, the location on Earth, the value for no data,
        the kinds of additional channels, and the number of images. .npy and .zarr files
        have no metadata.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    IsADirectoryError
        If `path` is a folder.
    NotADirectoryError
        If a part of `path` is a file, not a folder.
    PermissionError
        If the file may not be read.
    OSError
        If the file cannot be read for another reason.
    TypeError
        If `path` is neither a string nor a path, or `page` is not an integer.
    IndexError
        If the file does not have this page.
    ValueError
        If the file is empty or not an image, or `page` is negative.
    """
    path = as_path(path)
    page = whole_number(page, "page", "pass 0 for the first", least=0)
    row = format_of(path)
    if row.open is not None and row.read is None:
        return NOTHING
    with path_errors(path, READABLE):
        check_readable(path)
        with path.open("rb") as file:
            describe = content_format(file, path).describe
            check_page(describe, file, path, page)
            found: Metadata = describe(file, path, page) if describe else NOTHING
            return found


def lost(path: Path, metadata: Metadata) -> Sequence[str]:
    """Return the metadata that a file with this suffix cannot hold, in words."""
    row, names = format_of(path), {name for name, _ in metadata.planes}
    found = [
        words
        for name, words in KEPT.items()
        if getattr(metadata, name) is not None and name not in row.metadata
    ]
    low, high = row.resolutions
    if KEPT["resolution"] not in found and metadata.resolution is not None:
        fits = all(low <= each <= high for each in metadata.resolution)
        found += [] if fits else [KEPT["resolution"]]
    # The images of an animation follow each other in time.
    if row.write_all is not None and not names <= {*row.axes}:
        found.append("axes of the stack")
    return found
