"""Image files in, image files out, and the checks of paths."""

from kmeans_np.files.opening import open_image
from kmeans_np.files.paths import (
    as_path,
    check_readable,
    check_replaceable,
    explained,
)
from kmeans_np.files.png import png_bytes
from kmeans_np.files.reading import read_image
from kmeans_np.files.sliced import SlicedImage
from kmeans_np.files.writing import check_writable, write_image

__all__ = [
    "SlicedImage",
    "as_path",
    "check_readable",
    "check_replaceable",
    "check_writable",
    "explained",
    "open_image",
    "png_bytes",
    "read_image",
    "write_image",
]
