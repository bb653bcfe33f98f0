"""Paths, and what is said when something is wrong with what they lead to.

What this file adds: the checks of a path, the one way to write a file, and the
sentences about files that are damaged or too large. What it leaves out: what stands in
the files.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def as_path(path: Any) -> Path:
    """Return `path` as a Path, or raise TypeError or ValueError if it is none."""
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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it, or leave all as it was."""
    # A link stays a link: what it points to is replaced.
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{os.urandom(8).hex()}.part")
    with explained(path, "a file that can be written"):
        if target.is_dir():
            raise IsADirectoryError
        try:
            draft.write_bytes(data)
            if target.exists():
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Raise ValueError if what stands in an image file cannot be understood."""
    try:
        yield
    except MemoryError:
        raise
    # Damaged files make decoders fail in many ways.
    except Exception as error:
        if "DecompressionBomb" in repr(error) + repr(error.__cause__):
            raise too_large(path) from error
        raise ValueError(
            f"path must be an image file, got {path}, which is damaged, cut short, no "
            "image or of a kind that cannot be read; get it anew or convert it to PNG"
        ) from error


def too_large(path: Path) -> ValueError:
    """Return the error for a file that claims more pixels than there should be."""
    return ValueError(
        "path must be an image of at most 179 million pixels, got "
        f"{path}, which claims to have more; cut it into parts, or raise "
        "PIL.Image.MAX_IMAGE_PIXELS if you trust it"
    )
