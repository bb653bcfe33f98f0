"""What an estimator takes: array-likes and data frames, in scikit-learn's words.

What this file adds: the checks of data and weights as scikit-learn makes them, with its
messages, since other people's code and tests look for these. What it leaves out: which
numbers are too large to be added up, which is asked of `kmeans_np.checks`.
"""

import numbers
import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.lloyd import Array, Floats
from kmeans_np.stack_level import find_stack_level

# How many names an error lists.
LISTED = 5
KINDS = (np.dtype(np.float64), np.dtype(np.float32))


class NotFittedError(ValueError, AttributeError):
    """The estimator has not been fitted yet; scikit-learn's own if it is there."""


class ConvergenceWarning(UserWarning):
    """Fewer clusters were found than asked for; scikit-learn's own if it is there."""


def known_to_sklearn(kind: type[Any]) -> type[Any]:
    """Return scikit-learn's exception of that name, if the program has imported it."""
    found: type[Any] = getattr(
        sys.modules.get("sklearn.exceptions"), kind.__name__, kind
    )
    return found


def is_frame(data: Any) -> bool:
    """Return whether data come in named columns, as of pandas or polars."""
    return hasattr(data, "columns") and hasattr(data, "to_numpy")


def feature_names(data: Any) -> NDArray[np.object_] | None:
    """Return the names of the columns of a frame, None if they are not strings."""
    if not is_frame(data):
        return None
    names = list(data.columns)
    kinds = sorted({type(name).__qualname__ for name in names})
    if kinds == ["str"]:
        return np.array(names, dtype=object)
    if "str" in kinds:
        raise TypeError(
            "Feature names are only supported if all input features have string "
            f"names, but your input has {kinds} as feature name / column name types. "
            "If you want feature names to be stored and validated, you must convert "
            "them all to strings, by using X.columns = X.columns.astype(str) for "
            "example. Otherwise you can remove feature / column names from your input "
            "data, or convert them all to a non-string data type."
        )
    return None


class Input(checks.Named):
    """An argument of an estimator, of which errors speak in scikit-learn's words."""

    def not_finite(self, nan: int, infinite: int, first: Array) -> ValueError:
        """Return the error for NaN, or otherwise for infinity."""
        if nan:
            return ValueError(f"Input {self.name} contains NaN.\n{self.remedy}")
        return _too_large(self.name)


def _too_large(name: str) -> ValueError:
    return ValueError(
        f"Input {name} contains infinity or a value too large for dtype('float64')."
    )


def array_of(data: Any, who: str, name: str) -> Array:
    """Return array-like data as an array of real numbers of at most 64 bits.

    Raises TypeError or ValueError about the argument `name` of the estimator `who`.
    """
    if hasattr(data, "toarray"):
        raise TypeError(
            f"{name} must be dense, got a sparse {type(data).__name__}; {who} works on "
            "dense data only, so pass X.toarray() if it fits in memory"
        )
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a plain array, got a masked array, whose mask would be "
            "lost; fill it or leave the masked values out"
        )
    array: Array = data.to_numpy() if is_frame(data) else np.asarray(data)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{array}\n")
    if array.dtype.kind not in "OUSbiuf":
        raise ValueError(
            f"{name} must hold numbers, got an array of type {array.dtype}; convert it"
        )
    if array.dtype.kind == "O":
        return _objects(data, array, name)
    if array.dtype.kind in "US" or array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    return array


def _objects(data: Any, array: Array, name: str) -> Array:
    """Return objects as float64; refuse whole numbers that it does not hold."""
    try:
        if hasattr(data, "isna"):
            # Columns of pandas with missing values of its own.
            values: Array = data.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = array.astype(np.float64)
    except OverflowError:
        raise _too_large(name) from None
    # Those beyond are too large for a float, too.
    sizes = np.abs(values)
    large = array[(sizes >= checks.LARGEST_INTEGER) & (sizes <= checks.LARGEST)]
    whole = [int(each) for each in large if isinstance(each, numbers.Integral)]
    if whole:
        _named(name).check_size(np.dtype(np.int64), min(whole), max(whole))
    return values


def _named(name: str, remedy: str = "") -> Input:
    return Input(name, checks.POINTS.say_place, remedy)


def floats_of(array: Array, who: str, name: str) -> Array:
    """Return an array as float64, or as float32 if it is that.

    Raises ValueError for NaN and infinity, and, as `kmeans` does, for floats whose
    squares overflow and for whole numbers that float64 does not hold.
    """
    if array.size:
        remedy = f"{who} does not accept missing values encoded as NaN natively."
        checks.finite(array, _named(name, remedy))
    return array if array.dtype in KINDS else array.astype(np.float64)


def table_of(data: Any, who: str, name: str = "X") -> Array:
    """Return array-like data with rows and columns as float64 or float32."""
    array = array_of(data, who, name)
    if array.ndim < 2:
        what = "1D" if array.ndim else "scalar"
        raise ValueError(
            f"Expected 2D array, got {what} array instead:\narray={array}.\nReshape "
            "your data either using array.reshape(-1, 1) if your data has a single "
            "feature or array.reshape(1, -1) if it contains a single sample."
        )
    if array.ndim > 2:
        raise ValueError(f"Found array with dim {array.ndim}. {who} expected <= 2.")
    array = floats_of(array, who, name)
    for size, what in zip(array.shape, ("sample", "feature")):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum "
                f"of 1 is required by {who}."
            )
    return array


def weights_of(value: Any, n: int, who: str) -> Floats:
    """Return the weights of n samples as float64."""
    name = "sample_weight"
    if value is None:
        return np.ones(n)
    weights = floats_of(array_of(value, who, name), who, name)
    if isinstance(value, numbers.Real):
        weights = np.full(n, weights)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. "
            f"Expected either a scalar value or a 1D array of length {n}."
        )
    if weights.shape != (n,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n,)}!")
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.any():
        raise ValueError("sample_weight must not be zero everywhere.")
    place = checks.place_along("place")
    return checks.not_negative(weights, place, "sample", name=name)


def check_names(fitted: Any, seen: Any, who: str) -> None:
    """Warn or raise if the columns have other names than when it was fitted."""
    if fitted is None and seen is None:
        return
    if seen is None:
        warnings.warn(
            f"X does not have valid feature names, but {who} was fitted with feature "
            "names",
            stacklevel=find_stack_level(),
        )
    elif fitted is None:
        warnings.warn(
            f"X has feature names, but {who} was fitted without feature names",
            stacklevel=find_stack_level(),
        )
    elif not np.array_equal(fitted, seen):
        raise ValueError(_differ(fitted.tolist(), seen.tolist()))


def _differ(fitted: list[str], seen: list[str]) -> str:
    lines = ["The feature names should match those that were passed during fit."]
    unseen, missing = sorted({*seen} - {*fitted}), sorted({*fitted} - {*seen})
    for title, names in (
        ("Feature names unseen at fit time:", unseen),
        ("Feature names seen at fit time, yet now missing:", missing),
    ):
        if names:
            listed = [f"- {checks.printable(name)}" for name in names[:LISTED]]
            lines += [title, *listed]
            lines += ["- ..."] if len(names) > LISTED else []
    if not unseen and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join(lines) + "\n"
