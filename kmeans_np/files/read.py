"""Reading image files as a whole."""

import os

import numpy as np

from kmeans_np.checks.options import whole_number
from kmeans_np.files.formats import content_format
from kmeans_np.files.metadata import check_page, has_several
from kmeans_np.files.paths import READABLE, as_path, check_readable, path_errors
from kmeans_np.lloyd import Array


def read_image(path: str | os.PathLike[str], *, page: int | str = 0) -> Array:
    """Read an image file.

    Parameters
    ----------
    path : str or path-like
        A PNG, JPEG, WebP, TIFF, BMP or GIF file, or another format that Pillow reads.
    page : int or "all", default 0
        Which of several images in a file, from 0: a page of a TIFF, or a frame of an
        animation. With "all", all of them as one array; for a TIFF, this needs tifffile
        and imagecodecs.

    Returns
    -------
    ([pages,] rows, columns[, channels]) array
        The image, turned upright if the file has its orientation: gray, gray with
        alpha, RGB or RGBA of dtype uint8; or gray of dtype uint16, int16, int32 or
        float32 if the file has these. Palettes and other color models are converted to
        RGB, with transparency to RGBA; 1-bit pixels become 0 and 255.

        - PPM and PGM of more than 8 bits are uint16, with white as 65,535.
        - PNG of 16-bit gray with a transparent gray is gray with alpha.
        - With tifffile and imagecodecs: PNG of 16-bit gray with alpha, RGB or RGBA;
          TIFF with any number of bands, of dtype uint8, uint16, uint32, int8, int16,
          int32, float32 or float64; JPEG 2000 of more than 8 bits or signed, with
          unchanged values; AVIF of more than 8 bits, as uint16 with white as 65,535. If
          a TIFF begins with a preview, as a DNG does, the image itself is read.
        - With pillow-heif: HEIC; of more than 8 bits, as uint16 with white as 65,535.

        With ``page="all"``, a file with only one image gives that image. Pages that are
        the channels of one image, as microscopes write them, become its channels. All
        other axes of a TIFF, such as time and depth, are combined into the first axis
        of the array; `Metadata.stack` has their lengths.

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
        If `path` is neither a string nor a path, or `page` neither an integer nor
        "all".
    IndexError
        If the file does not have this page.
    ValueError
        - If the file is empty, not an image, incomplete or visibly damaged, or not an
          ordinary file but a FIFO, a socket or a device.
        - If it has more than about 179 million pixels (four bands count as one).
        - If its values would be changed, or it needs a package that is not installed.
        - If `page` is negative, or "all" and the pages are not alike.

    Notes
    -----
    Damage to the pixels is detected if the file has checksums, which are compared: in a
    PNG, and in a TIFF compressed with deflate, as `write_image` writes it. In other
    files (JPEG, WebP, BMP, GIF, and TIFF with another compression or none), only
    invalid data can be detected. There, and in the header of any TIFF, a changed bit
    may give an image with other pixels.
    """
    path = as_path(path)
    if page != "all":
        remedy = 'pass 0 for the first, or "all"'
        page = whole_number(page, "page", remedy, least=0)
    with path_errors(path, READABLE):
        check_readable(path)
        with path.open("rb") as file:
            row = content_format(file, path)
            assert row.read is not None
            if page == "all" and row.read_all and has_several(row.describe, file, path):
                image = row.read_all(file, path)
            elif isinstance(page, int) and page > 0:
                check_page(row.describe, file, path, page)
                image = row.read(file, path, page)
            else:
                image = row.read(file, path)
    # 16-bit files may have the byte order of the machine that wrote them.
    return np.ascontiguousarray(image, image.dtype.newbyteorder("="))
