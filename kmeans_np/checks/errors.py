"""Errors that name the argument, the rule, the value received and the remedy."""

from typing import Any

# The number of characters of a value that are shown.
LONGEST = 60


def printable(text: object) -> str:
    """Return text with an escape for each character that cannot be displayed.

    File names may contain any character, and some control the terminal.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    # Python represents bytes of a file name that are not UTF-8 like this.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def describe(value: Any, with_type: bool = False) -> str:
    """Return a value as text that fits on one line."""
    text = repr(value)
    # A string keeps its spaces.
    text = printable(text if isinstance(value, str) else " ".join(text.split()))
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return f"{text} ({type(value).__name__})" if with_type else text


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun, singular or plural."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def sentence(argument: str, rule: str, got: str, found: str, remedy: str) -> str:
    """Return the sentence of an error, with only printable characters."""
    came = f", got {got}" if got else ""
    if found:
        came += found if found[0] == ":" else f", {found}"
    return printable(f"{argument} must {rule}{came}; {remedy}")


class ArgumentError(Exception):
    """An error about an argument: which rule it breaks, and what to do.

    Code should check the fields, not the sentence made of them. What is raised is one
    of the subclasses below, which are also the built-in errors that callers expect.

    Parameters
    ----------
    argument : str
        The name of the argument.
    rule : str
        What it must do, such as "be finite".
    got : object
        The value received, in words or as a path; "" if the rule already says it.
    remedy : str
        What to do, such as "pass another mask".
    found : str, optional
        What is wrong with the value, such as "which is empty", or ": is a folder".
    shell_rule, shell_remedy : str, optional
        The `rule` and `remedy` for the command line, if these are about Python.
    """

    def __init__(
        self,
        argument: str,
        rule: str,
        got: object,
        remedy: str,
        *,
        found: str = "",
        shell_rule: str | None = None,
        shell_remedy: str | None = None,
    ) -> None:
        self.argument, self.rule, self.remedy = argument, rule, remedy
        self.got, self.found = str(got), found
        self.shell_rule = rule if shell_rule is None else shell_rule
        self.shell_remedy = remedy if shell_remedy is None else shell_remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        return sentence(self.argument, self.rule, self.got, self.found, self.remedy)

    def __reduce__(self) -> Any:
        # By default, exceptions are unpickled from `args`, which here is only the
        # sentence.
        return _blank, (type(self),), {**vars(self), "args": self.args}


def _blank(kind: type[ArgumentError]) -> ArgumentError:
    return kind.__new__(kind)


class ArgumentValueError(ArgumentError, ValueError):
    """An argument of the right type with a wrong value."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of a wrong type."""


class ArgumentIndexError(ArgumentError, IndexError):
    """An index out of range."""


class ArgumentOSError(ArgumentError, OSError):
    """A file or another source that cannot be read or written.

    `errno`, `strerror` and `filename` may be set, as in any OSError.
    """

    def __reduce__(self) -> Any:
        blank, kind, state = super().__reduce__()
        system = ("errno", "strerror", "filename")
        return blank, kind, state | {name: getattr(self, name) for name in system}


class ArgumentFileNotFoundError(ArgumentOSError, FileNotFoundError):
    """A path that does not exist."""


class ArgumentIsADirectoryError(ArgumentOSError, IsADirectoryError):
    """A folder instead of a file."""


class ArgumentNotADirectoryError(ArgumentOSError, NotADirectoryError):
    """A path that leads through a file."""


class ArgumentPermissionError(ArgumentOSError, PermissionError):
    """A path that may not be read or written."""
