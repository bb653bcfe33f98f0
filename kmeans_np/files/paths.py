"""Paths: checks, safe replacement of files, and clear errors."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kmeans_np.checks import (
    ArgumentError,
    ArgumentFileNotFoundError,
    ArgumentIsADirectoryError,
    ArgumentNotADirectoryError,
    ArgumentOSError,
    ArgumentPermissionError,
    ArgumentTypeError,
    ArgumentValueError,
    describe,
)

READABLE = "an image file that can be read"
UNREADABLE = ": not a readable image (unsupported format or damaged file)"
_URL = re.compile(r"(https?|ftp|s3|gs|file):/")
WRITABLE = "a file that can be written"
_ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")
_CHECK_SPELLING, _CHOOSE_ANOTHER = "check the spelling", "choose another name"
# For errors of the operating system: what is raised, what is wrong, and the remedy.
_REFUSALS: dict[type[OSError], tuple[type[ArgumentOSError], str, str]] = {
    FileNotFoundError: (
        ArgumentFileNotFoundError,
        ": no such file or folder",
        _CHECK_SPELLING,
    ),
    IsADirectoryError: (
        ArgumentIsADirectoryError,
        ": is a folder",
        "name a file in it",
    ),
    NotADirectoryError: (
        ArgumentNotADirectoryError,
        ": a part of it is a file, not a folder",
        _CHECK_SPELLING,
    ),
    PermissionError: (
        ArgumentPermissionError,
        ": permission denied",
        "check the permissions of the file and its folder",
    ),
}
_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def as_path(path: Any) -> Path:
    """Return `path` as a Path, or raise TypeError or ValueError if it is none."""
    try:
        if "\0" in os.fspath(path):
            rule = "not hold a null character"
            raise ArgumentValueError("path", rule, describe(path), _CHECK_SPELLING)
        os.fsencode(path)
        return Path(path)
    except TypeError:
        rule, got = "be a string or a path", type(path).__name__
        remedy = "pass the name of a file, such as 'photo.jpg'"
        raise ArgumentTypeError("path", rule, got, remedy) from None
    except UnicodeEncodeError:
        rule, got = "be a name that the file system can hold", os.fspath(path)
        remedy = "remove the invalid characters"
        raise ArgumentValueError("path", rule, describe(got), remedy) from None


@contextmanager
def path_errors(path: Path, rule: str) -> Iterator[None]:
    """Raise clear errors for what the operating system reports about a path."""
    try:
        yield
    except ArgumentError:
        raise
    except OSError as error:
        kind, found, remedy = _REFUSALS.get(type(error)) or (
            ArgumentOSError,
            f": {_in_lower_case(error.strerror or str(error))}",
            "choose another path",
        )
        if error.errno == errno.ELOOP:
            found = ": its links lead in a circle"
        got = os.fspath(path)
        if kind is ArgumentFileNotFoundError and rule == WRITABLE:
            # It is the folder that is missing.
            found, remedy = ": its folder does not exist", "create it, or name another"
        if kind is ArgumentFileNotFoundError and _URL.match(got):
            # `Path` has removed the double slash.
            got = _URL.sub(r"\1://", got)
            found, remedy = ": is a URL", "download it, and name the file"
        refusal = kind("path", f"be {rule}", got, remedy, found=found)
        refusal.errno, refusal.strerror = error.errno, error.strerror
        refusal.filename = os.fspath(path)
        raise refusal from None


def _in_lower_case(text: str) -> str:
    """Return a message of the operating system in lower case, to follow a colon."""
    return text[:1].lower() + text[1:]


def special(status: os.stat_result) -> str | None:
    """Return what is at a path if it is no file or folder, such as "a device"."""
    return _SPECIAL.get(stat.S_IFMT(status.st_mode))


def check_readable(path: Path, rule: str = "be an ordinary file") -> None:
    """Reject what is not an ordinary file: reading from a FIFO might never begin."""
    try:
        kind = special(path.stat())
    except OSError:
        return  # Opening it will raise the error.
    if kind:
        remedy = "save its data to a file first"
        raise ArgumentValueError("path", rule, path, remedy, found=f"which is {kind}")


def check_replaceable(path: Path, folder: bool = False) -> int | None:
    """Return the mode of what is at a path, None if it does not exist.

    Only ordinary files can be replaced; and Zarr folders, by a folder. A link stands
    for what it points to.
    """
    with path_errors(path, WRITABLE):
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(status.st_mode) and not folder:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        is_zarr = any((path / name).is_file() for name in _ZARR_FILES)
        if stat.S_ISDIR(status.st_mode) and not is_zarr:
            rule, found = "be a new name or a Zarr", "which is a folder but not a Zarr"
            raise ArgumentValueError("path", rule, path, _CHOOSE_ANOTHER, found=found)
    kind = special(status)
    if kind:
        rule, found = "be an ordinary file or a new name", f"which is {kind}"
        raise ArgumentValueError("path", rule, path, _CHOOSE_ANOTHER, found=found)
    return stat.S_IMODE(status.st_mode)


@contextmanager
def open_draft(path: Path, folder: bool = False) -> Iterator[Path]:
    """Yield an empty file or folder to write to; rename it if nothing fails.

    Otherwise, everything is left as it was. The draft never has wider permissions than
    what it replaces.
    """
    mode = check_replaceable(path, folder)
    # A link is kept: what it points to is replaced.
    target = Path(os.path.realpath(path))
    if mode is not None and folder and not target.is_dir():
        # Those who may read the file may list the folder that replaces it.
        mode |= (mode & 0o444) >> 2
    names = (f".{os.urandom(8).hex()}.part" for _ in range(2))
    draft, old = (target.with_name(name) for name in names)
    with path_errors(path, WRITABLE):
        try:
            if folder:
                draft.mkdir(0o777 if mode is None else mode & 0o777 | 0o700)
            else:
                # The owner must be able to write to it, even if it will be read-only.
                access = 0o666 if mode is None else mode & 0o777 | 0o600
                draft.touch(access, exist_ok=False)
            yield draft
            if mode is not None:
                draft.chmod(mode)
            if folder:
                _replace_folder(target, draft, old)
            else:
                draft.replace(target)
        finally:
            _remove(draft)


def _replace_folder(target: Path, draft: Path, old: Path) -> None:
    """Rename the old folder and then the new one, or restore the old one."""
    try:
        # A folder cannot replace another in one step.
        if target.exists():
            target.rename(old)
        draft.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        import shutil

        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name and rename it, or leave everything as it was."""
    with open_draft(path) as draft:
        draft.write_bytes(data)


@contextmanager
def decode_errors(path: Path) -> Iterator[None]:
    """Raise ValueError if an image file cannot be decoded."""
    try:
        yield
    except (MemoryError, ArgumentError):
        raise
    # Damaged files make decoders fail in many ways.
    except Exception as error:
        if _has_too_many_pixels(error):
            raise too_large(path) from error
        raise ArgumentValueError(
            "path",
            "be an image file",
            path,
            "convert it to PNG",
            found=UNREADABLE,
        ) from error


def _has_too_many_pixels(error: BaseException | None) -> bool:
    """Return whether Pillow rejected the number of pixels, even in a wrapped error."""
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    while error is not None:
        if isinstance(error, (DecompressionBombError, DecompressionBombWarning)):
            return True
        error = error.__cause__ or error.__context__
    return False


def too_large(path: Path) -> ArgumentValueError:
    """Return the error for a file that claims to have too many pixels."""
    remedy = "cut it into parts"
    return ArgumentValueError(
        "path",
        "be an image of at most 179 million pixels",
        path,
        f"{remedy}, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it",
        found="which claims to have more",
        shell_remedy=remedy,
    )


def unlike_images(path: Path, what: str, found: str = "") -> ArgumentValueError:
    """Return the error for images in a file that do not fit into one array."""
    remedy = "choose one with {}page"
    return ArgumentValueError(
        "path",
        f"hold {what} to be read at once",
        path,
        remedy.format(""),
        found=found,
        shell_remedy=remedy.format("--"),
    )
