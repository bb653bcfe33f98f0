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
        A PNG, JPEG, WebP, TIFF, BMP or GIF file, or another that Pillow reads.
    page : int or "all", default 0
        Which of several images in a file: a page of a TIFF, a frame of an animation; or
        all of them as one array. Of a TIFF, that takes the extra ``kmeans-np[deep]``.

    Returns
    -------
    (rows, columns[, channels]) or (pages, rows, columns[, channels]) array
        Gray, gray with alpha, RGB or RGBA, of type uint8; or gray of type uint16,
        int16, int32 or float32 if the file holds that. Turned upright, if the file
        says how the camera was held. Palettes and other color models come as RGB, with
        transparency as RGBA, black and white as 0 and 255.

        PPM and PGM of more than 8 bits come as uint16, with white as 65,535; PNG of
        16-bit gray with a transparent gray as gray with alpha. With pillow-heif, also
        HEIC, of more than 8 bits as uint16 with white as 65,535.

        With the extra ``kmeans-np[deep]`` also PNG files of uint16 gray with alpha, RGB
        or RGBA, and TIFF files of any number of bands, of type uint8, uint16, uint32,
        int8, int16, int32, float32 or float64; JPEG 2000 of more than 8 bits or with
        signs, with its numbers as they are; and AVIF of more than 8 bits, as uint16
        with white as 65,535. Of a TIFF that begins with a preview, as a DNG does, the
        picture.

        All pages of a file that has only one are that image. Pages that are the
        channels of one image, as microscopes write them, are its channels, and all
        other axes of a TIFF, such as time and depth, the first axis of the array;
        `Metadata.stack` has their lengths.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError, NotADirectoryError
        If `path` is a folder, or goes through a file.
    PermissionError, OSError
        If the file may not or cannot be read.
    TypeError
        If `path` is neither a string nor a path, or `page` neither an int nor "all".
    IndexError
        If the file has no such page.
    ValueError
        If the file is empty, no image, cut short or seen to be damaged, of more than
        about 179 million pixels (four bands count as one), of a type that would change
        on the way, or of one that needs the extra, or pillow-heif, which is not
        installed; if its pages are to be read all at once and are not alike; or if it
        is no file but a FIFO, a socket or a device.

    Notes
    -----
    Damage to the pixels is found where the file has checksums, which are compared: in
    a PNG, and in a TIFF that is compressed by deflate, as `write_image` compresses it.
    In other files (JPEG, WebP, BMP, GIF, and TIFF without compression or with another
    one) a reader can only find what makes no sense. There, and in the header of any
    TIFF, a changed bit may give an image with other pixels.
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
    # 16-bit files may come in the byte order of the machine that wrote them.
    return np.ascontiguousarray(image, image.dtype.newbyteorder("="))
