"""What the command line says: errors, notes, progress, and what became of a picture."""

import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self
from weakref import WeakSet

import numpy as np

from kmeans_np.arrays import Progress as BlocksDone
from kmeans_np.checks import ArgumentError, pluralize, printable, sentence
from kmeans_np.clustering import STOP_REASONS
from kmeans_np.image import Segmentation
from kmeans_np.lloyd import Array, Step

SECONDS_BEFORE_PROGRESS = 0.5
LONGEST_NAME = 30
# What a bad file or argument raises.
PROBLEMS = (OSError, ValueError, TypeError, MemoryError)
# What the functions call otherwise than the command line does.
_FLAGS = {
    "k": "-k",
    "rng": "--seed",
    "init": "--init",
    "n_init": "--n-init",
    "max_iter": "--max-iter",
    "tol": "--tol",
    "position_weight": "--position-weight",
    "mask": "--mask",
    "palette": "--palette",
    "weights": "--weights",
    "channel_axis": "--channel-axis",
    "color_space": "--color-space",
}


# Errors in a file that was read, as opposed to wrong usage.
_OF_FILES: "WeakSet[BaseException]" = WeakSet()


class _Streams:
    """What paths are called, of files that stand for standard input and output."""

    names: Mapping[str, str] = {}
    stdout_is_taken = False
    # Whether only errors are printed.
    quiet = False


@contextmanager
def quieted(quiet: bool) -> Iterator[None]:
    """Print only errors, and no notes or progress, if `quiet`."""
    _Streams.quiet = quiet
    try:
        yield
    finally:
        _Streams.quiet = False


@contextmanager
def called(names: Mapping[str, str], stdout_is_taken: bool) -> Iterator[None]:
    """Call paths by other names; if standard output is taken, print on stderr."""
    _Streams.names, _Streams.stdout_is_taken = names, stdout_is_taken
    try:
        yield
    except ArgumentError as error:
        error.got = shown(error.got)
        raise
    finally:
        _Streams.names, _Streams.stdout_is_taken = {}, False


def shown(text: str) -> str:
    """Return a line as it is printed."""
    for path, name in _Streams.names.items():
        text = re.sub(rf"{re.escape(path)}[\\/\w.-]*", name, text)
    return printable(text)


@contextmanager
def named(option: str) -> Iterator[None]:
    """Let errors about a file name the option or argument that it came from."""
    try:
        yield
    except ArgumentError as error:
        is_path = error.argument == "path"
        error.argument = option if is_path else f"{option}: {error.argument}"
        raise
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{option}: {error}") from error


@contextmanager
def reading() -> Iterator[None]:
    """Mark errors as those of a file, not of an option; also usable as a decorator."""
    try:
        yield
    except (ArgumentError, ValueError) as error:
        _OF_FILES.add(error)
        raise


def report(error: BaseException, about: object = "") -> None:
    """Say on stderr what went wrong, and with which picture, if there are several."""
    words = str(error) or "not enough memory for this picture"
    is_named = False
    if isinstance(error, ArgumentError):
        flag, is_named = _FLAGS.get(error.argument), error.got == str(about)
        rule, remedy = error.shell_rule, error.shell_remedy
        argument = flag or error.argument
        words = sentence(argument, rule, error.got, error.found, remedy)
        if error.found.startswith(":"):
            # As other commands report a file: its name, and what is wrong.
            option = f"{argument} " if argument.startswith("-") else ""
            words = f"{option}{error.got}{error.found}; {remedy}"
    begin = f"{about}: " if about and not is_named else ""
    print(shown(f"kmeans-np: error: {begin}{words}"), file=sys.stderr)


@contextmanager
def noted(about: object = "") -> Iterator[None]:
    """Say on stderr what is worth a warning, when all went well."""
    begin = f"{about}: " if about else ""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        yield
    if _Streams.quiet:
        return
    for words in dict.fromkeys(str(note.message) for note in notes):
        print(shown(f"kmeans-np: note: {begin}{words}"), file=sys.stderr)


def print_lines(*lines: str) -> None:
    """Print lines at once, unless the command is quiet."""
    if _Streams.quiet:
        return
    to = sys.stderr if _Streams.stdout_is_taken else sys.stdout
    try:
        print(*map(shown, lines), sep="\n", flush=True, file=to)
    except BrokenPipeError:
        discard_stdout()


def swatch(rgb: Array) -> str:
    """Return a patch of a color, if standard output is a terminal that shows it.

    See https://no-color.org for `NO_COLOR`.
    """
    term = os.environ.get("TERM", "")
    if os.environ.get("NO_COLOR") or term == "dumb" or not sys.stdout.isatty():
        return ""
    red, green, blue = rgb.tolist()
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return f"\x1b[48;2;{red};{green};{blue}m    \x1b[0m "
    if "256color" in term:
        # The cube of 6 levels a channel begins at 16.
        red, green, blue = (round(level / 51) for level in (red, green, blue))
        return f"\x1b[48;5;{16 + 36 * red + 6 * green + blue}m    \x1b[0m "
    return ""


def discard_stdout() -> None:
    """Let what is printed go nowhere: its reader has seen enough, as `head` has."""
    # Not even the interpreter, when it ends, shall try to print the rest.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """A line on stderr that says how far the run is, if a person is waiting there.

    When all is done, it is taken away.
    """

    def __init__(self, about: str = "") -> None:
        about = printable(about)
        if len(about) > LONGEST_NAME:
            about = "..." + about[3 - LONGEST_NAME :]
        self.begin = f"{about}: " if about else ""
        self.due = time.monotonic() + SECONDS_BEFORE_PROGRESS
        self.shown = False

    def __call__(self, step: Step) -> None:
        """Show this step, unless the last one was shown a moment ago."""
        changed = f"{step.n_changed:,.0f} pixels changed cluster"
        self._show(f"step {step.iteration}: {changed}")

    def of_blocks(self, blocks: BlocksDone) -> None:
        """Show how much of a picture is done that is read in blocks."""
        words = {"count": "counting", "look": "looking", "paint": "painting"}
        doing = words[blocks.task]
        share, left = blocks.done / blocks.total, blocks.seconds_left
        self._show(f"{doing}: {share:.0%}, {left:,.0f} s left")

    def _show(self, words: str) -> None:
        if _Streams.quiet or not sys.stderr.isatty():
            return
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + 0.1
            self.shown = True
            sys.stderr.write(f"\r\x1b[K{self.begin}{words}")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def describe_segmentation(answer: Segmentation) -> str:
    """Say in how many colors a picture is, and how that came."""
    colors = pluralize(len(answer.palette), "color")
    if answer.stopped_by == "given":
        return f"{np.count_nonzero(answer.counts)} of {colors} used"
    end = describe_end(answer.n_iter, answer.stopped_by)
    if answer.n_starts > 1:
        # Those are tried on a histogram, or on the distinct colors.
        end = f"best of {answer.n_starts:,} starts, {end} on all pixels"
    return f"{colors}, {end}"


def describe_end(n_iter: int, stopped_by: str) -> str:
    """Say after how many steps a run ended, and whether it converged."""
    return STOP_REASONS[stopped_by].end.format(steps=pluralize(n_iter, "step"))


def status_of(error: BaseException) -> int:
    """Return the exit status for an error: 1 for a file's, 2 for an argument's."""
    is_of_file = error in _OF_FILES or isinstance(error, (OSError, MemoryError))
    return 1 if is_of_file else 2
