"""Standard input and standard output in the place of files, and wildcards."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from kmeans_np.checks import ArgumentValueError
from kmeans_np.cli.messages import called

# What stands for standard input among inputs, and for standard output among outputs.
STREAM = "-"
_STDIN, _STDOUT = "standard input", "standard output"
_INPUTS = {
    "images": "IMAGE",
    "image": "IMAGE",
    "mask": "--mask",
    "weights": "--weights",
    "palette": "--palette",
}
_OUTPUTS = {"output": "-o", "labels": "--labels", "overlay": "--overlay"}
# What is opened and not read is known by its name.
_NPY, _NPY_START = ".npy", b"\x93NUMPY"


@contextmanager
def streams(args: argparse.Namespace) -> Iterator[None]:
    """Put files in the place of standard input and output while a command runs.

    What comes from standard input is in a file first, and what goes to standard output
    comes from one in the end, if nothing goes wrong. A picture from standard input goes
    to standard output, unless something else is said.
    """
    if "images" in vars(args):
        args.images = _expanded(args.images)
    reading = _options_with_stream(args, _INPUTS)
    writing = _options_with_stream(args, _OUTPUTS)
    if "IMAGE" in reading and vars(args).get("output", "") is None:
        if writing:
            rule = f"be given if {writing[0]} is {STREAM}"
            raise _refusal("-o", rule, "neither a file nor a folder")
        args.output, writing = STREAM, ["-o"]
    args.stdout = None
    if writing and len(vars(args).get("images", [])) > 1:
        raise _refusal(writing[0], "be a folder for several pictures", STREAM)
    if not reading and not writing:
        yield
        return
    with tempfile.TemporaryDirectory() as name:
        folder, names = Path(name), {}
        if reading:
            stdin = _read_stdin(folder)
            names[str(stdin)] = _STDIN
            _replace(args, _INPUTS, str(stdin))
        if writing:
            _check_stdout(writing[0])
            (folder / "out").mkdir()
            names[str(folder / "out")] = _STDOUT
            args.stdout = f"{folder / 'out'}/"
            _replace(args, _OUTPUTS, args.stdout)
        with called(names, stdout_is_taken=bool(writing)):
            yield
        for path in (folder / "out").glob("*"):
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()


def _options_with_stream(
    args: argparse.Namespace, options: Mapping[str, str]
) -> list[str]:
    """Return the option that has a stream for a file, if one has."""
    given = vars(args)
    having = [
        option
        for name, option in options.items()
        for value in _listed(given.get(name))
        if value == STREAM
    ]
    if len(having) > 1:
        raise _refusal(having[1], f"be a file if {having[0]} is {STREAM}", STREAM)
    return having


def _replace(args: argparse.Namespace, options: Mapping[str, str], path: str) -> None:
    """Put a path in the place of the stream."""
    for name in options:
        value = vars(args).get(name)
        if value == STREAM:
            setattr(args, name, path)
        elif isinstance(value, list):
            setattr(args, name, [path if each == STREAM else each for each in value])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _read_stdin(folder: Path) -> Path:
    """Write what comes from standard input to a file; return its path."""
    if not hasattr(sys.stdin, "buffer"):
        raise _refusal(STREAM, "be open", "standard input, which is closed")
    start = sys.stdin.buffer.read(len(_NPY_START))
    path = folder / f"stdin{_NPY if start == _NPY_START else ''}"
    with path.open("wb") as file:
        file.write(start)
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _check_stdout(option: str) -> None:
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        rule = "go to a file or another command"
        remedy = "add > and the name of a file, or give that to the option"
        got = (
            "a terminal" if sys.stdout.isatty() else "standard output, which is closed"
        )
        raise ArgumentValueError(f"{option} {STREAM}", rule, got, remedy)


def _refusal(argument: str, rule: str, got: str) -> ArgumentValueError:
    return ArgumentValueError(argument, rule, got, "give the name of a file or folder")


def _expanded(names: Sequence[str]) -> list[str]:
    """Return the names of files, and in the place of a pattern those that it matches.

    Not every shell does that by itself.
    """
    found = []
    for name in names:
        # A file may have such a name.
        if not has_magic(name) or Path(name).exists():
            found.append(name)
            continue
        matches = sorted(glob(name, recursive=True))  # noqa: PTH207
        if not matches:
            rule, remedy = "be existing files", "check the spelling"
            got = f"{name}, which matches none"
            raise ArgumentValueError("IMAGE", rule, got, remedy)
        found += matches
    return found
