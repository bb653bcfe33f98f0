"""What Pillow cannot hold: color of 16 bits a channel, many bands, other numbers.

What this file adds: PNG files of color with 16 bits a channel, by imagecodecs, and TIFF
files of any number of bands and of many types, by tifffile. Both are the package's
extra "deep", and are imported when such a file is met. What it leaves out: everything
that Pillow holds without loss, which needs no extra.
"""

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from kmeans_np.checks import counted
from kmeans_np.files.paths import decode_errors, path_refusal, too_large
from kmeans_np.lloyd import Array

TIFF_TYPES = (
    "uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64",
)  # fmt: skip
# From here on a TIFF needs places of 64 bits, with something to spare for the rest.
CLASSIC_TIFF = 2**32 - 2**25
ORIENTATION, PREMULTIPLIED = 0x0112, 1
GRAY_OR_RGB, JPEG = ("MINISBLACK", "RGB"), 7


def libraries(
    rule: str, came: object, found: str = "", argument: str = "path"
) -> tuple[ModuleType, ModuleType]:
    """Return imagecodecs and tifffile, or raise ValueError that names what needs them.

    The arguments are those of `path_refusal`.
    """
    try:
        import imagecodecs
        import tifffile
    except ImportError as error:
        remedy = 'install what it needs: pip install "kmeans-np[deep]"'
        raise ValueError(path_refusal(rule, came, found, remedy, argument)) from error
    return imagecodecs, tifffile


def _libraries_for(path: Path, kind: str) -> tuple[ModuleType, ModuleType]:
    rule = "be an image with 8 bits a channel, or gray of type uint16, int32 or float32"
    missing = "as long as tifffile and imagecodecs are missing"
    return libraries(f"{rule}, {missing}", path, kind)


@contextmanager
def header(file: BinaryIO) -> Iterator[Any]:
    """Let Pillow look at a file, without its pixels, and go back to the start."""
    from PIL import Image

    # Pillow warns from 89 million pixels on that a file may be an attack. Here that is
    # just a large picture; at twice that, Pillow refuses.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as picture:
            yield picture
    file.seek(0)


def read_png(file: BinaryIO, path: Path) -> tuple[Array, Any]:
    """Read a PNG of 16 bits a channel; return it with its orientation."""
    imagecodecs, _ = _libraries_for(path, "a PNG with 16 bits a color channel")
    with decode_errors(path):
        with header(file) as picture:
            orientation = picture.getexif().get(ORIENTATION)
        return imagecodecs.png_decode(file.read()), orientation


def read_tiff(file: BinaryIO, path: Path, kind: str) -> tuple[Array, Any]:
    """Read a TIFF, all its bands, as they are; return it with its orientation.

    `kind` says what is known of it, if it cannot be read.
    """
    _, tifffile = _libraries_for(path, kind)
    with decode_errors(path):
        page, (rows, columns, bands) = tiff_page(tifffile, file)
        refusal = unlike_gray_or_rgb(path, page, kind)
        # A tile may claim to be larger than the image.
        highest, widest = max(rows, page.tilelength), max(columns, page.tilewidth)
    _check_size(path, highest, widest, bands)
    if refusal:
        raise refusal
    with decode_errors(path):
        check_parts(file, page)
        # Axes: bands one after the other, depth, rows, columns, bands side by side.
        image = np.moveaxis(page.asarray(squeeze=False)[:, 0], 0, -2)
        image = image.reshape((rows, columns, bands)[: 2 if bands == 1 else 3])
        if bands in (2, 4) and PREMULTIPLIED in page.extrasamples:
            image = _without_alpha(image)
        return image, page.tags.valueof(ORIENTATION)


def tiff_page(tifffile: ModuleType, file: BinaryIO) -> tuple[Any, tuple[int, ...]]:
    """Return the first page of a TIFF, with its rows, columns and bands."""
    page = tifffile.TiffFile(file).pages[0]
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    return page, tuple(map(int, shape))


def unlike_gray_or_rgb(path: Path, page: Any, kind: str) -> ValueError | None:
    """Return the error for a page of another color model, type or depth, if it is."""
    model = getattr(page.photometric, "name", page.photometric)
    planes = int(page.imagedepth)
    # Tiles in JPEG are decoded to RGB.
    known = model in GRAY_OR_RGB or (model == "YCBCR" and page.compression == JPEG)
    if known and page.dtype in TIFF_TYPES and planes == 1:
        return None
    types = f"{', '.join(TIFF_TYPES[:-1])} or {TIFF_TYPES[-1]}"
    rule = f"be a TIFF of one plane of gray, RGB or other bands of the type {types}"
    found = f"{kind}, of {counted(planes, 'plane')} of the color model {model}"
    remedy = "read it with another library and pass the array"
    return ValueError(path_refusal(rule, path, found, remedy))


def check_parts(file: BinaryIO, page: Any) -> None:
    """Refuse missing parts, and parts cut short; tifffile would leave holes."""
    end = file.seek(0, os.SEEK_END)
    parts = list(zip(page.dataoffsets, page.databytecounts))
    cut = any(count == 0 or start + count > end for start, count in parts)
    if cut or len(parts) != math.prod(page.chunked):
        raise EOFError


def _check_size(path: Path, rows: int, columns: int, bands: int) -> None:
    """Refuse what Pillow refuses; four bands take the place of a pixel."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and rows * columns * -(-bands // 4) > 2 * limit:
        raise too_large(path)


def _without_alpha(image: Array) -> Array:
    """Undo that colors were multiplied by their alpha, as Pillow does for 8 bits."""
    full = 1 if image.dtype.kind == "f" else np.iinfo(image.dtype).max
    alpha = image[..., -1:].astype(np.float64)
    result = image * np.divide(full, alpha, out=np.ones_like(alpha), where=alpha > 0)
    if image.dtype.kind != "f":
        result = np.rint(np.minimum(result, full))
    result[..., -1:] = alpha
    return result.astype(image.dtype)


def encode(image: Array, suffix: str) -> bytes:
    """Return the content of a .png or .tif file that Pillow could not write."""
    imagecodecs, tifffile = libraries("", "")
    if suffix == ".png":
        content: bytes = imagecodecs.png_encode(np.ascontiguousarray(image))
        return content
    file = BytesIO()
    tifffile.imwrite(
        file,
        image,
        bigtiff=image.nbytes > CLASSIC_TIFF,
        **tiff_options(image.shape),
    )
    return file.getvalue()


def tiff_options(shape: tuple[int, ...]) -> dict[str, Any]:
    """Return what tifffile has to know to write an image of this shape."""
    bands = 1 if len(shape) == 2 else shape[2]
    return {
        "photometric": "rgb" if bands in (3, 4) else "minisblack",
        "planarconfig": None if len(shape) == 2 else "contig",
        "extrasamples": ["unassalpha"] if bands in (2, 4) else None,
        "compression": "zlib",
        "metadata": None,
    }
