"""Image files in, image files out, and a picture that needs no file.

What this file adds: reading and writing, with imageio, which is imported when it is
first needed. What it leaves out: what to do with the pixels.
"""

import os
import shutil
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from kmeans_np.checks import real_array
from kmeans_np.colors import distinct_colors
from kmeans_np.lloyd import Array

# How each kind of file is written, without loss where it can be, so that a segmented
# image keeps its k colors; the numbers of channels, and of rows or columns, that it can
# hold.
_JPEG = ({"quality": 95, "subsampling": 0}, (1, 3), 65_500)
_TIFF = ({"compression": "tiff_deflate"}, (1, 2, 3, 4), 2**31 - 1)
_FORMATS: dict[str, tuple[dict[str, Any], tuple[int, ...], int]] = {
    ".png": ({}, (1, 2, 3, 4), 2**31 - 1),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": ({"lossless": True, "exact": True}, (1, 3, 4), 16_383),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": ({}, (1, 3), 2**31 - 1),
    ".gif": ({}, (1, 3), 65_535),
}
_GIF_COLORS = 256
_SIXTEEN_BIT = (".png", ".tif", ".tiff")
_KINDS = {1: "gray", 2: "gray with alpha", 3: "RGB", 4: "RGBA"}

# Color models that are read as red, green and blue.
_READ_AS = {
    "1": "L",
    "P": "RGB",
    "PA": "RGBA",
    "La": "LA",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}
# Color models of which one color may be declared transparent.
_MAY_HIDE = ("1", "L", "P", "RGB")


def read_image(path: str | os.PathLike[str]) -> Array:
    """Read an image file.

    Parameters
    ----------
    path : str or path-like
        A PNG, JPEG, WebP, TIFF, BMP or GIF file, or another that Pillow reads. Of a
        file with several images, the first is read.

    Returns
    -------
    (rows, columns) or (rows, columns, channels) array
        Gray, gray with alpha, RGB or RGBA, of type uint8; or gray of type uint16,
        int32 or float32 if the file holds that. Turned upright, if the file says how
        the camera was held. Palettes and other color models come as RGB, with
        transparency as RGBA, black and white as 0 and 255.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError, NotADirectoryError
        If `path` is a folder, or goes through a file.
    PermissionError, OSError
        If the file may not or cannot be read.
    TypeError
        If `path` is neither a string nor a path.
    ValueError
        If the file is empty, no image, damaged or cut short, of more than about 179
        million pixels, or of a type that would change on the way: color of 16 bits a
        channel, or integers of 32 bits without or 8 or 16 bits with sign.
    """
    path = _as_path(path)
    with explained(path, "an image file that can be read"), path.open("rb") as file:
        head = file.read(32)
        file.seek(0)
        if not head:
            raise ValueError(
                f"path must be an image file, got {path}, which is empty; get the file "
                "anew"
            )
        # The header of a PNG: its signature, then at 24 and 25 the bits a channel and
        # the color model, 0 for gray.
        if head.startswith(b"\x89PNG") and head[24:25] == b"\x10" and head[25]:
            raise _deep_color(path, "PNG")
        return _decode(file, path, is_tiff=head.startswith((b"II", b"MM")))


def _deep_color(path: Path, kind: str) -> ValueError:
    return ValueError(
        "path must be an image with 8 bits a channel, or 16 bits of gray, got "
        f"{path}, a {kind} with 16 bits a color channel; read it with another "
        "library and pass the array"
    )


def _as_path(path: Any) -> Path:
    try:
        if "\0" in os.fspath(path):
            raise ValueError(
                f"path must not hold a null character, got {path!r}; check the spelling"
            )
        return Path(path)
    except TypeError:
        raise TypeError(
            "path must be a string or a path, got "
            f"{type(path).__name__}; pass the name of a file, such as 'photo.jpg'"
        ) from None


_WRONG_KIND = {
    IsADirectoryError: "which is a folder",
    NotADirectoryError: "of which a part is a file and not a folder",
}


@contextmanager
def explained(path: Path, rule: str) -> Iterator[None]:
    """Say what the operating system does not like about a path, and what to do."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(
            f"path must be {rule}, got {path}, which does not exist or whose folder "
            "does not; check the spelling"
        ) from None
    except (IsADirectoryError, NotADirectoryError) as error:
        raise type(error)(
            f"path must be {rule}, got {path}, "
            f"{_WRONG_KIND[type(error)]}; check the spelling"
        ) from None
    except PermissionError:
        raise PermissionError(
            f"path must be {rule}, got {path}, which is not permitted; check the "
            "permissions of the file and its folder"
        ) from None
    except OSError as error:
        raise OSError(
            f"path must be {rule}, got {path}, of which the system says: "
            f"{error.strerror or error}; mend that or choose another path"
        ) from None


def _decode(file: BinaryIO, path: Path, is_tiff: bool) -> Array:
    from imageio import v3 as iio

    try:
        # Pillow warns from 89 million pixels on that a file may be an attack. Here
        # that is just a large picture; at twice that, Pillow refuses.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened: Any = iio.imopen(file, "r", plugin="pillow")
            with opened as reader:
                about = reader.metadata(index=0)
                mode = _READ_AS.get(about["mode"])
                if "transparency" in about and about["mode"] in _MAY_HIDE:
                    mode = "RGBA"
                image: Array = reader.read(index=0, mode=mode)
                # Only now, since Pillow turns some kinds of files upright itself.
                held = reader.metadata(index=0, exclude_applied=False)
        bits = np.max(about.get("BitsPerSample", 8)) if is_tiff else 8
        # 1 is unsigned, 2 signed; Pillow reads both as the one that it has.
        signed = np.max(about.get("SampleFormat", 1)) == 2 if is_tiff else False
    except MemoryError:
        raise
    # Damaged files make decoders fail in many ways.
    except Exception as error:
        if "DecompressionBomb" in repr(error.__cause__):
            raise ValueError(
                "path must be an image of at most 179 million pixels, got "
                f"{path}, which claims to have more; cut it into parts, or raise "
                "PIL.Image.MAX_IMAGE_PIXELS if you trust it"
            ) from error
        raise ValueError(
            f"path must be an image file, got {path}, which is damaged, cut short, no "
            "image or of a kind that cannot be read; get it anew or convert it to PNG"
        ) from error
    if image.ndim == 3 and bits > 8:
        raise _deep_color(path, "TIFF")
    if is_tiff and image.dtype.kind != "f" and signed != (image.dtype.kind == "i"):
        raise ValueError(
            "path must be a TIFF of 8 or 16 bits without sign, 32 bits with sign, or "
            f"float32, got {path}, of {bits} bits {'with' if signed else 'without'} "
            "sign; read it with another library and pass the array"
        )
    image = _upright(image, held.get("Orientation"))
    # 16-bit files may come in the byte order of the machine that wrote them.
    return np.ascontiguousarray(image, image.dtype.newbyteorder("="))


def _upright(image: Array, orientation: Any) -> Array:
    """Turn an image as EXIF says; imageio would mirror the channels of a palette."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def write_image(path: str | os.PathLike[str], image: npt.ArrayLike) -> None:
    """Write an image file, or leave everything as it was.

    The file is written under another name in the same folder and renamed when it is
    complete, so that `path` never holds half a picture. A file that is there is
    replaced.

    Parameters
    ----------
    path : str or path-like
        Where to; its suffix names the kind: .png, .tif, .tiff, .webp, .bmp and .gif
        keep every pixel (.gif has at most 256 colors, .webp makes gray RGB), .jpg and
        .jpeg (of quality 95) blur the edges between colors.
    image : (rows, columns) or (rows, columns, channels) array_like of uint8 or uint16
        The image: gray, gray with alpha, RGB or RGBA, as far as the kind of file
        allows; uint16 only gray as .png, .tif and .tiff.

    Raises
    ------
    TypeError
        If `image` is of another type than the kind of file can hold.
    ValueError
        If the suffix is unknown, or the shape of `image`, or the number of its colors,
        not possible in such a file.
    FileNotFoundError, NotADirectoryError, IsADirectoryError
        If the folder does not exist, or `path` is a folder.
    PermissionError, OSError
        If the file may not be written, or the disk is full.
    """
    path = _as_path(path)
    array = real_array(image, "image")
    data = _encode(array.astype(array.dtype.newbyteorder("="), copy=False), path)
    # A link stays a link: what it points to is replaced.
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
    with explained(path, "a file that can be written"):
        if target.is_dir():
            raise IsADirectoryError
        try:
            draft.write_bytes(data)
            if target.exists():
                shutil.copymode(target, draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _check_suffix(path: Path) -> str:
    """Return the suffix of a file to write, or raise ValueError if it is unknown."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(
            f"path must end in one of {', '.join(_FORMATS)} to be written, got {path}; "
            "choose one of these, such as .png"
        )
    return suffix


def check_writable(image: Array, path: Path) -> None:
    """Raise TypeError or ValueError if such an image cannot be in such a file."""
    suffix = _check_suffix(path)
    if image.dtype not in (np.uint8, np.uint16):
        raise TypeError(
            f"image must hold numbers of type uint8 or uint16 to be written, got type "
            f"{image.dtype}; scale it to 0 to 255 and convert it, as in "
            "np.rint(255 * image).astype(np.uint8)"
        )
    if image.dtype == np.uint16 and suffix not in _SIXTEEN_BIT:
        raise TypeError(
            f"image must hold numbers of type uint8 to be written to a {suffix} file, "
            "got type uint16; choose .png, or convert it, as in "
            "(image // 257).astype(np.uint8)"
        )
    _, possible, longest = _FORMATS[suffix]
    possible = (1,) if image.dtype == np.uint16 else possible
    channels = 1 if image.ndim < 3 else image.shape[-1]
    if image.ndim not in (2, 3) or image.size == 0 or channels not in possible:
        names = " or ".join(_KINDS[number] for number in possible)
        raise ValueError(
            f"image must be {names} to be written as {image.dtype} to a {suffix} file, "
            f"got shape {image.shape}; choose other channels, another suffix or "
            "another type"
        )
    if max(image.shape[:2]) > longest:
        raise ValueError(
            f"image must have at most {longest:,} rows and columns to be written to a "
            f"{suffix} file, got shape {image.shape}; choose .png"
        )


def _encode(image: Array, path: Path) -> bytes:
    """Return the content of the file that `path` shall be."""
    check_writable(image, path)
    suffix = path.suffix.lower()
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if suffix == ".gif" and image.ndim == 3:
        n_colors = len(distinct_colors(image.reshape(-1, 3)).counts)
        if n_colors > _GIF_COLORS:
            raise ValueError(
                f"image must have at most {_GIF_COLORS} colors to be written to a .gif "
                f"file, got {n_colors:,}; choose .png, or fewer colors"
            )
    from imageio import v3 as iio

    data: bytes = iio.imwrite(
        "<bytes>",
        image,
        extension=suffix,
        plugin="pillow",
        is_batch=False,
        **_FORMATS[suffix][0],
    )
    return data
