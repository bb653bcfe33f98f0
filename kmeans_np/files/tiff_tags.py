"""The tags of a TIFF: what they say about its numbers, and those that say it again."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kmeans_np.files.metadata import GDAL, Metadata
from kmeans_np.files.paths import decode_errors
from kmeans_np.files.pillow import fitting

CHANNELS = 277
_ACROSS, _DOWN, _UNIT, _PROFILE = 282, 283, 296, 34675
_EXTRA, _OTHER = 338, "unspecified"
_EXTRA_CHANNELS = {1: "premultiplied alpha", 2: "alpha"}
# Scale, points and matrix, and the keys, of a GeoTIFF; and what GDAL notes down.
_PLACE = (33550, 33922, 34264, 34735, 34736, 34737, GDAL)
_NO_DATA, _ASCII = 42113, 2
# The number of a TIFF whose places have 64 bits.
_BIG = 43


def numbers_of(tags: Any, tag: int) -> list[int]:
    """Return the numbers of a tag, none if it is missing."""
    found = tags.get(tag, ())
    return [found] if isinstance(found, int) else [*found]


def tags_of(file: BinaryIO, page: int = 0) -> Any:
    """Return the tags of a page of a TIFF."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    head = file.read(8)
    if _BIG in head[2:4]:
        head += file.read(8)
    tags = ImageFileDirectory_v2(head)
    file.seek(pages_of(file)[page])
    tags.load(file)
    file.seek(0)
    return tags


def describe_tiff(file: BinaryIO, path: Path) -> Metadata:
    """Return what a TIFF says about its numbers."""
    with decode_errors(path):
        tags = tags_of(file)
        channels, extra = int(tags.get(CHANNELS, 1)), numbers_of(tags, _EXTRA)
        place = {tag: (tags.tagtype[tag], tags[tag]) for tag in _PLACE if tags.get(tag)}
        kind = "RGB" if channels - len(extra) == 3 else "L"
        return Metadata(
            color_profile=fitting(tags.get(_PROFILE), kind),
            resolution=_resolution(tags),
            place=place or None,
            no_data=_number(tags.get(_NO_DATA)),
            extra_channels=tuple(_EXTRA_CHANNELS.get(n, _OTHER) for n in extra) or None,
            n_pages=len(pages_of(file)),
        )


def _resolution(tags: Any) -> tuple[float, float] | None:
    """Return the pixels per inch, if that is what the tags say."""
    inches = {2: 1.0, 3: 1 / 2.54}.get(tags.get(_UNIT, 2))
    across, down = tags.get(_ACROSS), tags.get(_DOWN)
    if inches is None or not across or not down:
        return None
    return float(across) / inches, float(down) / inches


def _number(text: Any) -> float | None:
    """Return the number that a text says, as GDAL writes that of no data."""
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


def pages_of(file: BinaryIO) -> list[int]:
    """Return where each page of a TIFF begins: each says where the next one does."""
    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    big = struct.unpack(f"{order}H", file.read(2))[0] == _BIG
    # A page begins with the number of its tags, and ends with where the next one is.
    count, entry, place, start = ("Q", 20, "Q", 8) if big else ("H", 12, "I", 4)
    file.seek(start)
    pages: dict[int, None] = {}
    while data := file.read(struct.calcsize(place)):
        (at,) = struct.unpack(order + place, data)
        if at == 0 or at in pages:
            break
        pages[at] = None
        file.seek(at)
        (n,) = struct.unpack(order + count, file.read(struct.calcsize(count)))
        file.seek(n * entry, os.SEEK_CUR)
    return [*pages]


def says_unspecified(metadata: Metadata, channels: int) -> bool:
    """Return whether the last of 2 or 4 channels is declared to be no alpha."""
    return metadata.has_alpha is False and channels in (2, 4)


def tags_for_pillow(metadata: Metadata) -> Any:
    """Return the tags of metadata that Pillow has no options for."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    for tag, kind, value in _placed(metadata):
        tags.tagtype[tag] = kind
        tags[tag] = value
    return tags


def _placed(metadata: Metadata) -> Iterator[tuple[int, int, Any]]:
    """Yield the tags of place and of no data: number, type and value."""
    for tag, (kind, value) in (metadata.place or {}).items():
        yield tag, kind, value
    if metadata.no_data is not None:
        yield _NO_DATA, _ASCII, f"{metadata.no_data:.17g}"


def tiff_options(shape: tuple[int, ...], metadata: Metadata) -> dict[str, Any]:
    """Return what tifffile has to know to write an image of this shape."""
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
