"""Reading and writing image files; all formats are in one table."""

from kmeans_np.files.animations import ANY, BMP, GIF, JPEG, WEBP
from kmeans_np.files.deep_formats import AVIF, HEIC, JPEG_2000, NETPBM
from kmeans_np.files.formats import FORMATS, OTHERS
from kmeans_np.files.metadata import Metadata, read_metadata
from kmeans_np.files.npy import NPY
from kmeans_np.files.open import SlicedImage, open_image
from kmeans_np.files.paths import (
    as_path,
    check_readable,
    check_replaceable,
    path_errors,
)
from kmeans_np.files.png import PNG, png_bytes
from kmeans_np.files.read import read_image
from kmeans_np.files.tiff import TIFF
from kmeans_np.files.write import check_writable, write_image
from kmeans_np.files.zarr import ZARR

FORMATS += [PNG, JPEG, WEBP, TIFF, BMP, GIF, NPY, ZARR]
FORMATS += [JPEG_2000, NETPBM, AVIF, HEIC]
OTHERS += [ANY]
