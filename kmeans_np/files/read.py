"""Reading image files as a whole."""

import os

import numpy as np

from kmeans_np.checks.options import whole_number
from kmeans_np.files.formats import content_format
from kmeans_np.files.metadata import check_page
from kmeans_np.files.paths import READABLE, as_path, check_readable, path_errors
from kmeans_np.lloyd import Array


def read_image(path: str | os.PathLike[str], *, page: int = 0) -> Array:
    """Read an image file.

    Parameters
    ----------
    path : str or path-like
        A PNG, JPEG, WebP, TIFF, BMP or GIF file, or another that Pillow reads.
    page : int, default 0
        Which of several images in a file: a page of a TIFF, a frame of an animation.

    Returns
    -------
    (rows, columns) or (rows, columns, channels) array
        Gray, gray with alpha, RGB or RGBA, of type uint8; or gray of type uint16,
        int16, int32 or float32 if the file holds that. Turned upright, if the file
        says how the camera was held. Palettes and other color models come as RGB, with
        transparency as RGBA, black and white as 0 and 255.

        With the extra ``kmeans-np[deep]`` also PNG files of uint16 gray with alpha, RGB
        or RGBA, and TIFF files of any number of bands, of type uint8, uint16, uint32,
        int8, int16, int32, float32 or float64.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError, NotADirectoryError
        If `path` is a folder, or goes through a file.
    PermissionError, OSError
        If the file may not or cannot be read.
    TypeError
        If `path` is neither a string nor a path, or `page` is no int.
    IndexError
        If the file has no such page.
    ValueError
        If the file is empty, no image, cut short or seen to be damaged, of more than
        about 179 million pixels (four bands count as one), of a type that would change
        on the way, or of one that needs the extra, which is not installed; if it begins
        with a preview, as a camera's raw file does; or if it is no file but a FIFO, a
        socket or a device.

    Notes
    -----
    Damage to the pixels is found where the file has checksums, which are compared: in
    a PNG, and in a TIFF that is compressed by deflate, as `write_image` compresses it.
    In other files (JPEG, WebP, BMP, GIF, and TIFF without compression or with another
    one) a reader can only find what makes no sense. There, and in the header of any
    TIFF, a changed bit may give an image with other pixels.
    """
    path = as_path(path)
    page = whole_number(page, "page", "pass 0 for the first", least=0)
    with path_errors(path, READABLE):
        check_readable(path)
        with path.open("rb") as file:
            row = content_format(file, path)
            assert row.read is not None
            if page > 0:
                check_page(row.describe, file, path, page)
                image = row.read(file, path, page)
            else:
                image = row.read(file, path)
    # 16-bit files may come in the byte order of the machine that wrote them.
    return np.ascontiguousarray(image, image.dtype.newbyteorder("="))
