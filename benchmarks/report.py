"""What all parts tell with: Markdown tables, numbers in words, and verdicts."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Verdict(NamedTuple):
    """What is to be reached, and what was."""

    target: str
    figure: str
    reached: bool


def at_least(target: str, bound: float, figure: float, unit: str = "") -> Verdict:
    """Judge a figure that should be large."""
    return Verdict(
        f"{target}: at least {bound:g}{unit}", f"{figure:.3g}{unit}", figure >= bound
    )


def at_most(target: str, bound: float, figure: float, unit: str = "") -> Verdict:
    """Judge a figure that should be small."""
    # A bound like 1 or 1.001 asks for more digits.
    shown = f"{figure:.4f}" if 1 <= bound < 1.01 else f"{figure:.3g}"
    return Verdict(
        f"{target}: at most {bound:g}{unit}", f"{shown}{unit}", figure <= bound
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: words to the left, numbers to the right."""
    columns = [list(column) for column in zip(heads, *rows)]
    numbers = [all(map(_is_number, column[1:])) for column in columns]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers)
        )
        + " |"
        for row in (heads, *rows)
    ]
    rule = [
        "-" * (width + 1) + (":" if number else "-")
        for width, number in zip(widths, numbers)
    ]
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(lines)


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "+-" or not cell


def ms(seconds: float) -> str:
    """Return seconds as milliseconds, three digits of them or more."""
    digits = max(0, 2 - int(f"{seconds * 1e3:e}".partition("e")[2]))
    return f"{seconds * 1e3:,.{digits}f}"


def percent_above(value: float, base: float) -> str:
    """Return how far a value is above another, as signed percents."""
    above = 100 * (value / base - 1)
    return f"{above:+.1f} %" if abs(above) >= 10 else f"{above:+.2f} %"


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean, NaN of nothing."""
    values = list(values)
    return statistics.geometric_mean(values) if values else math.nan


def verdict_table(verdicts: Sequence[tuple[str, Verdict]]) -> str:
    """Return all verdicts as one table."""
    rows = [
        (part, verdict.target, verdict.figure, "yes" if verdict.reached else "NO")
        for part, verdict in verdicts
    ]
    return table(("part", "to reach", "measured", "reached"), rows)
