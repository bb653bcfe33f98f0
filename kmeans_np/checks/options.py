"""The border for numbers and choices: how many clusters, and how to run.

What this file adds: one function for each kind of argument, as for arrays, and
`options`, which judges all that say how to run. What it leaves out: to act on them.
"""

# NumPy loads numpy.random when it is first named, which takes as long as the rest of
# this package: so it is not named in annotations that are evaluated.
from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np

from kmeans_np.checks.arrays import Named, finite, got, place_along, real_array, shown
from kmeans_np.lloyd import Floats, Step
from kmeans_np.seeding import SEEDINGS

Callback = Callable[[Step], Any]


class Options(NamedTuple):
    """How to run: arguments that have passed their checks. `n_init` None is "auto"."""

    init: str | Floats
    n_init: int | None
    max_iter: int
    tol: float
    rng: np.random.Generator
    callback: Callback | None
    coarse_start: bool


def whole_number(value: Any, name: str, remedy: str) -> int:
    """Return `value` as an int of at least 1."""
    is_bool = isinstance(value, (bool, np.bool_))
    try:
        number = None if is_bool else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(
            f"{name} must be a whole number of at least 1, got {got(value)}; {remedy}"
        )
    if number < 1:
        raise ValueError(
            f"{name} must be a whole number of at least 1, got {number}; {remedy}"
        )
    return number


def n_clusters(value: Any, n: int, noun: str) -> int:
    """Return k as an int from 1 to the number of points (`noun`) that take part."""
    k = whole_number(value, "k", "pass the number of clusters to find, such as 8")
    if k > n:
        raise ValueError(
            f"k must be at most the number of {noun}, {n:,}, got {k:,}; ask for fewer "
            "clusters"
        )
    return k


def _given_centroids(value: Any, k: int, d: int) -> Floats:
    array = real_array(value, "init")
    if d == 1 and array.shape == (k,):
        array = array[:, np.newaxis]
    if array.shape != (k, d):
        raise ValueError(
            f"init must hold one centroid for each of the {k} clusters with {d} "
            f"numbers each, shape ({k}, {d}), got shape {array.shape}; pass another "
            "array, or 'random' or 'k-means++'"
        )
    place = place_along("row", "column")
    finite(array, Named("init", place, "pass finite centroids"))
    return array.astype(np.float64)


def _n_init(value: Any, given: bool) -> int | None:
    if isinstance(value, str) and value == "auto":
        return None
    if isinstance(value, str):
        raise ValueError(
            "n_init must be 'auto' or a whole number of at least 1, got "
            f"{shown(value)}; pass the number of starts, such as 10"
        )
    number = whole_number(value, "n_init", "pass the number of starts, or 'auto'")
    if given and number > 1:
        raise ValueError(
            f"n_init must be 1 when init gives the centroids, got {number}; every "
            "start would be the same"
        )
    return number


def at_least_0(value: Any, name: str, remedy: str) -> float:
    """Return `value` as a float of at least 0."""
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool):
        raise TypeError(
            f"{name} must be a number of at least 0, got {got(value)}; {remedy}"
        )
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not 0 <= number < np.inf:
        raise ValueError(
            f"{name} must be a finite number of at least 0, got {number}; {remedy}"
        )
    return number


def _generator(value: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise type(error)(
            "rng must be None, a whole number of at least 0 or a "
            f"numpy.random.Generator, got {got(value)}; pass a "
            "seed such as 0 to get the same result every time"
        ) from None


def flag(value: Any, name: str) -> bool:
    """Return `value` as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(
            f"{name} must be True or False, got {got(value)}; pass one of these"
        )
    return bool(value)


def text(value: Any, name: str) -> str:
    """Return `value`, a string that a file can hold."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {got(value)}; pass one, or ''")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{name} must be text that can be written as UTF-8, got {shown(value)}; "
            "leave out what is no character, a lone surrogate"
        ) from None
    return value


def one_of(value: Any, name: str, names: Collection[str], other: str = "") -> str:
    """Return `value` if it is one of some names.

    `other` says what else could have been passed.
    """
    if not isinstance(value, str) or value not in names:
        *first, last = (*map(repr, names), *([other] if other else []))
        raise ValueError(
            f"{name} must be {', '.join(first)} or {last}, got {shown(value)}; pass "
            "one of these"
        )
    return value


def function(value: Any, name: str, argument: str) -> None:
    """Refuse what is neither a function nor None."""
    if value is not None and not callable(value):
        raise TypeError(
            f"{name} must be a function of one {argument}, got {got(value)}; pass a "
            "function, or None"
        )


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
    """Return how to run K-means with k clusters of points with d features."""
    if isinstance(init, str):
        one_of(init, "init", SEEDINGS, "an array of centroids")
    else:
        init = _given_centroids(init, k, d)
    function(callback, "callback", "Step")
    return Options(
        init,
        _n_init(n_init, given=not isinstance(init, str)),
        whole_number(max_iter, "max_iter", "pass the largest number of steps"),
        at_least_0(
            tol,
            "tol",
            "pass a small number such as 1e-4, or 0 to go on until nothing changes",
        ),
        _generator(rng),
        callback,
        flag(coarse_start, "coarse_start"),
    )
