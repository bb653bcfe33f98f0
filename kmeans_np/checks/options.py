"""Checks of the options of a run, such as k, the starts and the stopping rule."""

# NumPy loads numpy.random when it is first used, which takes as long as loading the
# rest of this package. So annotations that name it must not be evaluated.
from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.checks.arrays import ErrorContext, finite, place_along, real_array
from kmeans_np.checks.errors import ArgumentTypeError, ArgumentValueError, describe
from kmeans_np.lloyd import Floats, Step
from kmeans_np.seeding import SEEDINGS

Callback = Callable[[Step], Any]
# A tolerance that is never reached: only unchanged labels stop the run.
NEVER = -1.0


class Options(NamedTuple):
    """The options of a run, after their checks. `n_init` is None for "auto"."""

    init: str | Floats
    n_init: int | None
    max_iter: int
    tol: float
    rng: np.random.Generator
    callback: Callback | None
    coarse_start: bool

    def from_the_best_start(self) -> Options:
        """Return options for an optimal start, which the loop only has to confirm."""
        return self._replace(n_init=1, tol=NEVER, coarse_start=False)


def whole_number(value: Any, name: str, remedy: str, least: int = 1) -> int:
    """Return `value` as an int of at least `least`."""
    rule = f"be a whole number of at least {least}"
    is_bool = isinstance(value, (bool, np.bool_))
    try:
        number = None if is_bool else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise ArgumentTypeError(name, rule, describe(value, with_type=True), remedy)
    if number < least:
        raise ArgumentValueError(name, rule, number, remedy)
    return number


def n_clusters(value: Any, n: int, noun: str) -> int:
    """Return k as an int from 1 to n, the number of included points (`noun`)."""
    k = whole_number(value, "k", "pass the number of clusters to find, such as 8")
    if k > n:
        rule = f"be at most the number of {noun}, {n:,}"
        raise ArgumentValueError("k", rule, f"{k:,}", "ask for fewer clusters")
    return k


def _others(init: str) -> str:
    names = [repr(name) for name in SEEDINGS if name != init]
    return ", ".join(names[:-1]) + f" or {names[-1]}"


def _given_centroids(value: Any, k: int, d: int) -> Floats:
    array = real_array(value, "init")
    if d == 1 and array.shape == (k,):
        array = array[:, np.newaxis]
    if array.shape != (k, d):
        raise ArgumentValueError(
            "init",
            f"hold one centroid for each of the {k} clusters with {d} numbers each, "
            f"shape ({k}, {d})",
            f"shape {array.shape}",
            "pass another array, or 'random' or 'k-means++'",
        )
    place = place_along("row", "column")
    finite(array, ErrorContext("init", place, "pass finite centroids"))
    return array.astype(np.float64)


def at_least_0(value: Any, name: str, remedy: str) -> float:
    """Return `value` as a float of at least 0."""
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool):
        rule = "be a number of at least 0"
        raise ArgumentTypeError(name, rule, describe(value, with_type=True), remedy)
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not 0 <= number < np.inf:
        rule = "be a finite number of at least 0"
        raise ArgumentValueError(name, rule, number, remedy)
    return number


def check_bool(value: Any, name: str) -> bool:
    """Return `value` as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        got = describe(value, with_type=True)
        raise ArgumentTypeError(name, "be True or False", got, "pass one of these")
    return bool(value)


def check_str(value: Any, name: str) -> str:
    """Return `value`, a string that can be written to a file."""
    if not isinstance(value, str):
        got = describe(value, with_type=True)
        raise ArgumentTypeError(name, "be a string", got, "pass one, or ''")
    try:
        value.encode()
    except UnicodeEncodeError:
        rule = "be text that can be written as UTF-8"
        remedy = "remove its lone surrogates"
        raise ArgumentValueError(name, rule, describe(value), remedy) from None
    return value


def one_of(value: Any, name: str, names: Collection[str], other: str = "") -> str:
    """Return `value` if it is one of these names.

    `other` describes other allowed values for the error.
    """
    if not isinstance(value, str) or value not in names:
        *first, last = (*map(repr, names), *([other] if other else []))
        rule, got = f"be {', '.join(first)} or {last}", describe(value)
        raise ArgumentValueError(name, rule, got, "pass one of these")
    return value


def function(value: Any, name: str, argument: str) -> None:
    """Reject values that are neither callable nor None."""
    if value is not None and not callable(value):
        rule, got = f"be a function of one {argument}", describe(value, with_type=True)
        raise ArgumentTypeError(name, rule, got, "pass a function, or None")


def options(
    k: int,
    d: int,
    *,
    init: Any,
    n_init: Any,
    max_iter: Any,
    tol: Any,
    rng: Any,
    callback: Any,
    coarse_start: Any = False,
) -> Options:
    """Return the options for running K-means on points with d features."""
    same_starts = not isinstance(init, str)
    if isinstance(init, str):
        one_of(init, "init", SEEDINGS, "an array of centroids")
        same_starts = SEEDINGS[init].prepare_best is not None
        if same_starts and d != 1:
            raise ArgumentValueError(
                "init",
                f"be {_others(init)} for several features, since the best clusters can "
                "only be found for one",
                f"{init!r} for {d} features",
                "pass another, or one channel and no position_weight",
                shell_remedy="choose one of these, or a gray picture",
            )
    else:
        init = _given_centroids(init, k, d)
    function(callback, "callback", "Step")
    if isinstance(n_init, str) and n_init != "auto":
        rule = "be 'auto' or a whole number of at least 1"
        remedy = "pass the number of starts, such as 10"
        raise ArgumentValueError("n_init", rule, describe(n_init), remedy)
    n_starts = None
    if not isinstance(n_init, str):
        remedy = "pass the number of starts, or 'auto'"
        n_starts = whole_number(n_init, "n_init", remedy)
        if n_starts > 1 and same_starts:
            rule = "be 1 when all starts are the same, as given or optimal ones are"
            raise ArgumentValueError("n_init", rule, n_starts, "leave it out")
    max_iter = whole_number(max_iter, "max_iter", "pass the largest number of steps")
    remedy = "pass a small number such as 1e-4, or 0 to run until nothing changes"
    tol = at_least_0(tol, "tol", remedy)
    try:
        rng = np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        wrong_type = isinstance(error, TypeError)
        kind = ArgumentTypeError if wrong_type else ArgumentValueError
        raise kind(
            "rng",
            "be None, a whole number of at least 0 or a numpy.random.Generator",
            describe(rng, with_type=wrong_type),
            "pass a seed such as 0 to get the same result every time",
            shell_rule="be a whole number of at least 0",
            shell_remedy="pass another, such as 0",
        ) from None
    coarse_start = check_bool(coarse_start, "coarse_start")
    found = Options(init, n_starts, max_iter, tol, rng, callback, coarse_start)
    return (
        found.from_the_best_start() if isinstance(init, str) and same_starts else found
    )
