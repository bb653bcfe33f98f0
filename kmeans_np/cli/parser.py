"""The argument parser: usage errors on one line, with suggestions."""

import argparse
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from kmeans_np.checks import printable
from kmeans_np.files.formats import either, suffixes

# What the types of options are called in errors.
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "number_of_starts": "a whole number or auto",
    "page": "a whole number or all",
    "channel_axis": "a whole number, auto or none",
}
# How much alike names are if one may be meant by the other.
NEAR = 0.7
# How argparse words its errors, and how they are worded here.
_CHOICE = r"argument (.+?): invalid choice: (.+?) \(.*\)"
_TYPE = r"argument (.+?): invalid (\w+) value: (.+)"
_REWORDED = (
    (r"argument (.+?): expected .*", "{0} needs a value"),
    (r"the following arguments are required: (.+)", "{0} must be given"),
    (r"one of the arguments (.+) is required", "{0} must be given"),
    (
        r"argument (.+?): not allowed with argument (.+)",
        "{0} and {1} cannot be combined",
    ),
    (
        r"ambiguous option: (.+?)(?:=.*)? could match (.+)",
        "{0} is ambiguous: it may mean {1}",
    ),
)
_SHELLS = ("bash", "zsh", "tcsh")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that names the help to read."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments; what is unknown is refused by the command that it is for."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            getattr(found, "parser", self).refuse(unknown)
        return found

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Exit because of arguments that the command does not have."""
        argument = next((each for each in unknown if each[0:1] == "-"), unknown[0])
        name = argument.split("=")[0]
        if name[0:1] == "-":
            if name in self._option_string_actions:
                self._exit(f"{name} must stand after the command")
            close = get_close_matches(name, self._option_string_actions, 1, NEAR)
            self._exit(f"unknown option {name}{_did_you_mean(close)}")
        self._exit(f"unexpected argument {argument}")

    def error(self, message: str) -> NoReturn:
        """Print the message on one line and exit with status 2."""
        if found := re.fullmatch(_CHOICE, message):
            self._refuse_choice(*found.groups())
        if found := re.fullmatch(_TYPE, message):
            name, kind, value = found.groups()
            self._exit(f"{_short(name)} must be {_TYPES.get(kind, kind)}, got {value}")
        if message.endswith("are required: COMMAND"):
            self._exit("no command was given")
        for pattern, words in _REWORDED:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                message = words.format(*map(_listed, found.groups()))
        self._exit(message)

    def _refuse_choice(self, name: str, value: str) -> NoReturn:
        action: Any = next(
            each
            for each in self._actions
            if name in (each.metavar, "/".join(each.option_strings))
        )
        choices, word = [*map(str, action.choices)], value.strip("'\"")
        suggestion = _did_you_mean(get_close_matches(word, choices, n=1))
        if action.option_strings:
            rule = f"{_short(name)} must be {either(choices)}, got {value}"
            self._exit(f"{rule}{suggestion}")
        if Path(word).exists() or word.lower().endswith((*suffixes(bool),)):
            suggestion = _did_you_mean([f"{self.prog} segment {word} -k 8"])
        others = f"; choose {either(choices)}"
        if word.replace(".", "").isdigit():
            others = "; put options after the command"
        self._exit(f"{word} is not a command{suggestion or others}")

    def _exit(self, message: str) -> NoReturn:
        see = " See" if message.endswith("?") else "; see"
        line = f"kmeans-np: error: {message}{see} {self.prog} --help"
        self.exit(2, f"{printable(line)}\n")


def _short(names: str) -> str:
    """Return the first of the names of an option."""
    return names.split("/")[0]


def _listed(names: str) -> str:
    """Return names, as argparse lists them, as words."""
    each = names.split(", ") if ", " in names else names.split(" ")
    return either([*map(_short, each)], "and" if ", " in names else "or")


def _did_you_mean(close: Sequence[str]) -> str:
    return f"; did you mean {close[0]}?" if close else ""


class PrintCompletion(argparse.Action):
    """The option that prints a script with which a shell completes the command."""

    def __init__(self, option_strings: Sequence[str], dest: str, **_: Any) -> None:
        words = "print a script that completes this command in a shell (needs shtab)"
        super().__init__(option_strings, dest, choices=_SHELLS, help=words)

    def __call__(self, parser: Any, _: Any, shell: Any, *__: Any) -> None:
        """Print the script, and exit."""
        try:
            import shtab
        except ImportError:
            words = "--print-completion needs shtab; install it: pip install shtab"
            parser.exit(2, f"kmeans-np: error: {words}\n")
        for each in _every_action(parser):
            if each.metavar in ("IMAGE", "FILE", "OUT", "FOLDER"):
                each.complete = shtab.FILE
        print(shtab.complete(parser, shell))
        parser.exit()


def _every_action(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """Yield the options of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _every_action(command)
