"""What the command line says: errors, notes, progress, and what became of a picture."""

import os
import re
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kmeans_np.blocks import Progress as BlocksDone
from kmeans_np.checks import counted, printable
from kmeans_np.image import Segmentation
from kmeans_np.lloyd import Step

SECONDS_BEFORE_PROGRESS = 0.5
LONGEST_NAME = 30
# What a bad file or argument raises.
PROBLEMS = (OSError, ValueError, TypeError, MemoryError)
# What the functions call otherwise than the command line does.
_FLAGS = {
    "k": "-k",
    "rng": "--seed",
    "n_init": "--n-init",
    "max_iter": "--max-iter",
    "tol": "--tol",
    "position_weight": "--position-weight",
    "mask": "--mask",
    "palette": "--palette",
}
# What they say in Python, and how to say it in a shell.
_IN_A_SHELL = (
    (r"None, a whole number of at least 0 or a \S+$", "a whole number of at least 0"),
    (r"pass a seed .*", "pass another, such as 0"),
    (r"alpha=False(, or the image without its last channel,)?", "--no-alpha"),
    (r"color_space='lab'", "--color-space lab"),
    (r"leave color_space out", "leave that out"),
    (r", or raise PIL\..*", ""),
    (r"read it with another library and pass the array", "convert it"),
    (r"pass an array of shape .*", "choose another palette"),
    # Examples that are code.
    (r", (as in|such as) (\(|[a-z]+(\.|\(| [/>])).*", ""),
)


def _in_a_shell(text: str) -> str:
    for in_python, in_a_shell in _IN_A_SHELL:
        text = re.sub(in_python, in_a_shell, text)
    return text


def _reworded(error: BaseException) -> str:
    """Return what an error says, in the words of a shell."""
    text = str(error) or "not enough memory for this picture"
    rule, got, rest = text.partition(", got ")
    came, semicolon, remedy = rest.rpartition("; ")
    name, _, rule = _in_a_shell(rule).partition(" ")
    # What came may be the name of a file, which may be like anything.
    came = came.removesuffix(" (int)") if name == "rng" else came
    rest = f"{came}{semicolon}{_in_a_shell(remedy)}"
    return f"{_FLAGS.get(name, name)} {rule}{got}{rest}"


@contextmanager
def named(option: str) -> Iterator[None]:
    """Let errors about a file name the option or argument that it came from."""
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        name, _, rest = str(error).partition(" ")
        begin = option if name == "path" else f"{option}: {name}"
        raise ValueError(f"{begin} {rest}") from error


def report(error: BaseException, about: object = "") -> None:
    """Say on stderr what went wrong, and with which picture, if there are several."""
    text, about = printable(_reworded(error)), printable(about)
    begin = "" if not about or f"got {about}," in text else f"{about}: "
    print(f"kmeans-np: error: {begin}{text}", file=sys.stderr)


@contextmanager
def noted(about: object = "") -> Iterator[None]:
    """Say on stderr what is worth a warning, when all went well."""
    begin = f"{about}: " if about else ""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", UserWarning)
        yield
    for note in notes:
        line = printable(f"kmeans-np: note: {begin}{note.message}")
        print(line, file=sys.stderr)


def say(*lines: str) -> None:
    """Print lines now, if there is somebody to read them."""
    try:
        print(*map(printable, lines), sep="\n", flush=True)
    except BrokenPipeError:
        nobody_reads()


def nobody_reads() -> None:
    """Let what is printed go nowhere: its reader has seen enough, as `head` has."""
    # Not even the interpreter, when it ends, shall try to print the rest.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """A line on stderr that says how far the run is, if a person is waiting there."""

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
        if sys.stderr.isatty() and time.monotonic() >= self.due:
            self.due = time.monotonic() + 0.1
            self.shown = True
            sys.stderr.write(f"\r\x1b[K{self.begin}{words}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def in_words(answer: Segmentation) -> str:
    """Say in how many colors a picture is, and how that came."""
    colors = counted(len(answer.palette), "color")
    if answer.stopped_by == "given":
        return f"{np.count_nonzero(answer.counts)} of {colors} used"
    reasons = {
        "labels": "until no pixel changed cluster",
        "tol": "until the colors hardly moved",
        "max_iter": "which was the limit",
    }
    after = counted(answer.n_iter, "step")
    return f"{colors} after {after}, {reasons[answer.stopped_by]}"
