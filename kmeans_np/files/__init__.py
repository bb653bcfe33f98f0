"""Image files in, image files out.

What this file adds: nothing but the names. `read_image` and `write_image` are for
everyone, and `open_image` for images that are too large for memory; `png_bytes` is the
content of a file that is not to be written. `check_writable` and `check_replaceable`
refuse beforehand an image or a path that `write_image` would refuse; `as_path`,
`check_readable`, `path_errors` and `path_refusal` do the same for other files. What it
leaves out: what to do with the pixels.
"""

from kmeans_np.files.opening import open_image
from kmeans_np.files.paths import (
    as_path,
    check_readable,
    check_replaceable,
    path_errors,
    path_refusal,
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
    "open_image",
    "path_errors",
    "path_refusal",
    "png_bytes",
    "read_image",
    "write_image",
]
