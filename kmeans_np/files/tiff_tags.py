"""The tags of a TIFF: reading metadata from them, and writing metadata to them."""

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.files.metadata import GDAL, Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.files.pillow import ORIENTATION, fitting, size_seen
from kmeans_np.lloyd import Array

CHANNELS = 277
_ACROSS, _DOWN, _UNIT, _PROFILE = 282, 283, 296, 34675
WIDTH, LENGTH = 256, 257
SUBFILE_TYPE, _COPY_OR_MASK = 254, 1 | 4
# The largest number of tags in a classic TIFF.
_MOST_TAGS = 2**16 - 1
_DESCRIPTION, _IMAGES = 270, re.compile(r"ImageJ=\S*\simages=(\d+)")
_OME_AXES, _MICRONS = "TZ", 25_400
_IMAGEJ_UNIT = re.compile(r"ImageJ=.*?\sunit=(\S+)", re.DOTALL)
_IN_INCHES = {"inch": 1, "cm": 1 / 2.54, "mm": 1 / 25.4, "nm": 1 / 25.4e6}
_IN_INCHES |= dict.fromkeys(("micron", "um", "\u00b5m", r"\u00B5m"), 1 / _MICRONS)
_EXTRA, _OTHER = 338, "unspecified"
_EXTRA_CHANNELS = {1: "premultiplied alpha", 2: "alpha"}
# The scale, points, matrix and keys of a GeoTIFF; and the notes of GDAL.
_PLACE = (33550, 33922, 34264, 34735, 34736, 34737, GDAL)
_NO_DATA, _ASCII = 42113, 2
# The version number of a BigTIFF, whose offsets have 64 bits.
_BIG = 43


def numbers_of(tags: Any, tag: int) -> list[int]:
    """Return the values of a tag; none if it is missing."""
    found = tags.get(tag, ())
    return [found] if isinstance(found, int) else [*found]


def tags_of(file: BinaryIO, page: int = 0) -> Any:
    """Return the tags of a page of a TIFF."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    head = file.read(8)
    is_big = _BIG in head[2:4]
    # Pillow mistakes the version number of a big-endian BigTIFF for that of a classic
    # one.
    classic = {b"II": b"II*\0", b"MM": b"MM\0*"}.get(head[:2], head) + bytes(4)
    tags: Any = ImageFileDirectory_v2(classic if is_big else head)
    tags._bigtiff = is_big
    file.seek(pages_of(file)[page][1])
    tags.load(file)
    file.seek(0)
    return tags


def describe_tiff(file: BinaryIO, path: Path, page: int = 0) -> Metadata:
    """Return the metadata of a page of a TIFF."""
    with decode_errors(path):
        offsets = pages_of(file)
        tags = tags_of(file, min(page, len(offsets) - 1))
        channels, extra = int(tags.get(CHANNELS, 1)), numbers_of(tags, _EXTRA)
        place = {tag: (tags.tagtype[tag], tags[tag]) for tag in _PLACE if tags.get(tag)}
        kind = "RGB" if channels - len(extra) == 3 else "L"
        # ImageJ writes large stacks without a page for each plane.
        found = _IMAGES.match(str(tags.get(_DESCRIPTION, "")))
        n_pages = max(len(offsets), int(found[1]) if found else 1)
        about = Metadata(
            color_profile=fitting(tags.get(_PROFILE), kind),
            resolution=_resolution(tags),
            place=place or None,
            no_data=_number(tags.get(_NO_DATA)),
            extra_channels=tuple(_EXTRA_CHANNELS.get(n, _OTHER) for n in extra) or None,
            n_pages=n_pages,
            size=size_seen(
                (int(tags[LENGTH]), int(tags[WIDTH])), tags.get(ORIENTATION)
            ),
        )
        return replace(about, **_describe_stack(file)) if n_pages > 1 else about


def _resolution(tags: Any) -> tuple[float, float] | None:
    """Return the pixels per inch, if the tags specify them."""
    inches = {2: 1.0, 3: 1 / 2.54}.get(tags.get(_UNIT, 2))
    if found := _IMAGEJ_UNIT.match(str(tags.get(_DESCRIPTION, ""))):
        inches = inches or _IN_INCHES.get(found[1])
    across, down = (float(tags.get(tag) or 0) for tag in (_ACROSS, _DOWN))
    # Some programs write 0 / 0.
    is_known = inches is not None and 0 < across < math.inf and 0 < down < math.inf
    return (across / inches, down / inches) if inches and is_known else None


def _number(text: Any) -> float | None:
    """Return the number in a text, as GDAL writes the value for no data."""
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def pages_of(file: BinaryIO) -> list[tuple[int, int]]:
    """Return the number of each page of a TIFF and where it begins.

    Each page has the offset of the next. Reduced copies and masks of the page before do
    not count as pages, but have numbers.
    """
    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    big = struct.unpack(f"{order}H", file.read(2))[0] == _BIG
    # A page begins with the number of its tags, and ends with the offset of the next.
    count, entry, place, start = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
    file.seek(start)
    found: dict[int, bool] = {}
    while data := file.read(struct.calcsize(place)):
        (at,) = struct.unpack(order + place, data)
        if at == 0 or at in found:
            break
        file.seek(at)
        (n,) = struct.unpack(order + count, file.read(struct.calcsize(count)))
        tags = file.read(min(n, _MOST_TAGS) * entry)
        found[at] = True
        if len(tags) < n * entry:
            # The number of tags is damaged, so there is no next page.
            break
        for tag in range(0, len(tags), entry):
            if struct.unpack_from(f"{order}H", tags, tag) == (SUBFILE_TYPE,):
                # The value follows tag, type and count.
                kind = struct.unpack_from(f"{order}I", tags, tag + (12 if big else 8))
                found[at] = not kind[0] & _COPY_OR_MASK
    file.seek(0)
    pages = enumerate(found.items())
    return [(number, at) for number, (at, is_one) in pages if is_one or number == 0]


def series_of(file: BinaryIO) -> Any:
    """Return tifffile's series of the images in a file; a stack is one series."""
    import tifffile

    file.seek(0)
    return tifffile.TiffFile(file).series


def order_of(axes: str) -> list[int]:
    """Return the axes of a stack in the order planes, rows, columns, channels."""
    ends = [axes.index(axis) for axis in "YX"]
    # Samples are stored within a pixel; if there are any, channels are planes.
    ends += [axes.index(axis) for axis in "SC" if axis in axes][:1]
    return [at for at in range(len(axes)) if at not in ends] + ends


def _describe_stack(file: BinaryIO) -> dict[str, Any]:
    """Return the metadata of several pages, if they are alike and tifffile is there."""
    try:
        series = series_of(file)
    except ImportError:
        return {}
    if len(series) != 1:
        n = len(pages_of(file))
        return {"stack": (("I", n),)} if are_alike(file) else {}
    axes, shape = series[0].axes, series[0].shape
    # If there are samples, channels are planes like others.
    names = axes.replace("C", "Q") if "S" in axes else axes
    pairs = sorted(zip(names, shape), key=lambda pair: pair[0] == "C")
    return {"stack": tuple(pair for pair in pairs if pair[0] not in "YXS") or None}


def are_alike(file: BinaryIO) -> bool:
    """Return whether all pages, without reduced copies, have one size and dtype."""
    import tifffile

    file.seek(0)
    pages = tifffile.TiffFile(file).pages
    numbers = [number for number, _ in pages_of(file)]
    return (
        len({(pages[number].shape, str(pages[number].dtype)) for number in numbers})
        == 1
    )


def in_pages(images: Array, metadata: Metadata) -> tuple[Array, Any, int]:
    """Return planes, rows, columns and channels as the axes of a TIFF of pages.

    Also returns the metadata for an OME-TIFF, which names the axes for depth, time and
    channels, None if there is nothing to name; and the number of axes of a page.
    """
    planes = dict(metadata.planes)
    page = images.shape[1:] if planes else images.shape
    if not {*planes} <= {*_OME_AXES} or len(planes) < len(metadata.planes):
        return images, None, len(page)
    images = images.reshape(*planes.values(), *page)
    names = "".join(planes) + "YX" + "S" * (len(page) - 2)
    if metadata.has_channel_pages:
        images, page = np.moveaxis(images, -1, -3), page[:2]
        names = "".join(planes) + "CYX"
    about: dict[str, Any] = {"axes": names}
    for axis, per_inch in zip("XY", metadata.resolution or ()):
        about[f"PhysicalSize{axis}"] = _MICRONS / per_inch
    return images, about, len(page)


def says_unspecified(metadata: Metadata, channels: int) -> bool:
    """Return whether the last of 2 or 4 channels is declared not to be alpha."""
    return metadata.has_alpha is False and channels in (2, 4)


def tags_for_pillow(metadata: Metadata) -> Any:
    """Return the tags of metadata for which Pillow has no options."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    for tag, kind, value in _placed(metadata):
        tags.tagtype[tag] = kind
        tags[tag] = value
    return tags


def _placed(metadata: Metadata) -> Iterator[tuple[int, int, Any]]:
    """Yield the tags of place and of no data: number, type and value."""
    for tag, (kind, value) in (metadata.place or {}).items():
        # The bytes as they were read, whatever they are.
        if isinstance(value, str):
            value = value.encode("latin-1", "replace")
        yield tag, kind, value
    if metadata.no_data is not None:
        yield _NO_DATA, _ASCII, f"{metadata.no_data:.17g}"


def tiff_options(shape: tuple[int, ...], metadata: Metadata) -> dict[str, Any]:
    """Return the options for tifffile to write an image of this shape."""
    bands = 1 if len(shape) == 2 else shape[2]
    extra = metadata.extra_channels or ()
    colors = bands - len(extra)
    if colors not in (1, 3):
        extra = ("alpha",) if bands in (2, 4) else ()
        colors = bands - len(extra)
    names = {"alpha": "unassalpha", "premultiplied alpha": "unassalpha"}
    options: dict[str, Any] = {
        "photometric": "rgb" if colors == 3 else "minisblack",
        "planarconfig": None if len(shape) == 2 else "contig",
        "extrasamples": [names.get(each, _OTHER) for each in extra] or None,
        "compression": "zlib",
        "metadata": None,
        "extratags": [
            (tag, kind, 0 if kind == _ASCII else _length(value), value, True)
            for tag, kind, value in _placed(metadata)
        ],
    }
    if metadata.color_profile is not None:
        options["iccprofile"] = metadata.color_profile
    if metadata.resolution is not None:
        options |= {"resolution": metadata.resolution, "resolutionunit": "inch"}
    return options


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (tuple, list, bytes)) else 1
