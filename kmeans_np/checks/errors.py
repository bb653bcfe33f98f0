"""Errors that know which argument broke which rule, and how they show values."""

from typing import Any

# So many characters of a value are shown.
LONGEST = 60


def printable(text: object) -> str:
    """Return text with an escape for each character that cannot be shown.

    Names of files may hold anything, and a terminal obeys some of it.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    # So Python has the bytes of a file name that are no UTF-8.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def describe(value: Any, with_type: bool = False) -> str:
    """Return a value in words that fit on one line."""
    text = repr(value)
    # A string keeps its spaces.
    text = printable(text if isinstance(value, str) else " ".join(text.split()))
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return f"{text} ({type(value).__name__})" if with_type else text


def pluralize(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def sentence(argument: str, rule: str, got: str, found: str, remedy: str) -> str:
    """Return the sentence that an error says, all of it printable."""
    came = "".join(f", {part}" for part in (got and f"got {got}", found) if part)
    return printable(f"{argument} must {rule}{came}; {remedy}")


class ArgumentError(Exception):
    """An argument that is not as it must be, and what to do about it.

    Code looks at the fields; the sentence, made of them, is for people. One of the
    classes below is raised, which are also the built-in errors that callers expect.

    Parameters
    ----------
    argument : str
        What the argument is called.
    rule : str
        What it must, such as "be finite".
    got : object
        What came instead, in words or as a path; "" if the rule already says it.
    remedy : str
        What to do, such as "pass another mask".
    found : str, optional
        What is wrong with what came, such as "which is a folder".
    shell_rule, shell_remedy : str, optional
        What the command line says for `rule` and `remedy` where these are Python.
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
        # Exceptions are made again from `args`, which here is the sentence alone.
        return _blank, (type(self),), {**vars(self), "args": self.args}


def _blank(kind: type[ArgumentError]) -> ArgumentError:
    return kind.__new__(kind)


class ArgumentValueError(ArgumentError, ValueError):
    """An argument of the right type and a wrong value."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of a wrong type."""


class ArgumentIndexError(ArgumentError, IndexError):
    """An index beyond what there is."""


class ArgumentOSError(ArgumentError, OSError):
    """A file or other source that the operating system or a library cannot serve.

    `errno`, `strerror` and `filename` may be set, as those of any OSError.
    """

    def __reduce__(self) -> Any:
        blank, kind, state = super().__reduce__()
        system = ("errno", "strerror", "filename")
        return blank, kind, state | {name: getattr(self, name) for name in system}


class ArgumentFileNotFoundError(ArgumentOSError, FileNotFoundError):
    """A path at which nothing is."""


class ArgumentIsADirectoryError(ArgumentOSError, IsADirectoryError):
    """A folder in place of a file."""


class ArgumentNotADirectoryError(ArgumentOSError, NotADirectoryError):
    """A path that leads through a file."""


class ArgumentPermissionError(ArgumentOSError, PermissionError):
    """A path that may not be read or written."""
