"""Checks of the data and weights of an estimator, with scikit-learn's messages."""

import numbers
import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmeans_np import checks
from kmeans_np.lloyd import Array, Floats
from kmeans_np.stack_level import find_stack_level

# The number of names that an error lists.
LISTED = 5
KINDS = (np.dtype(np.float64), np.dtype(np.float32))


class NotFittedError(ValueError, AttributeError):
    """The estimator is not fitted yet; scikit-learn's own class is used if imported."""


class ConvergenceWarning(UserWarning):
    """Too few clusters were found; scikit-learn's own class is used if imported."""


def known_to_sklearn(kind: type[Any]) -> type[Any]:
    """Return scikit-learn's exception of the same name, if it has been imported."""
    found: type[Any] = getattr(
        sys.modules.get("sklearn.exceptions"), kind.__name__, kind
    )
    return found


def is_frame(data: Any) -> bool:
    """Return whether data have named columns, as in pandas or polars."""
    return hasattr(data, "columns") and hasattr(data, "to_numpy")


def feature_names(data: Any) -> NDArray[np.object_] | None:
    """Return the column names of a data frame, None if they are not strings."""
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


class InputError(checks.ArgumentValueError):
    """An error with scikit-learn's message, which other code looks for."""

    def __init__(self, argument: str, rule: str, got: object, words: str) -> None:
        self.words = words
        super().__init__(argument, rule, got, remedy="")

    def __str__(self) -> str:
        return self.words


class Input(checks.ErrorContext):
    """An argument of an estimator, with scikit-learn's error messages."""

    def not_finite(self, nan: int, infinite: int, first: Array) -> InputError:
        """Return the error for NaN, or for infinity if there is no NaN."""
        if nan:
            words = f"Input {self.name} contains NaN.\n{self.remedy}"
            return InputError(self.name, "be finite", "NaN", words)
        return _too_large(self.name)


def _too_large(name: str) -> InputError:
    got = "infinity or a value too large for dtype('float64')"
    return InputError(name, "be finite", got, f"Input {name} contains {got}.")


def array_of(data: Any, name: str) -> Array:
    """Return array-like data as an array of real numbers of at most 64 bits.

    Raises TypeError or ValueError about the argument `name`.
    """
    if hasattr(data, "toarray"):
        raise checks.ArgumentTypeError(
            name,
            "be dense",
            f"a sparse {type(data).__name__}",
            f"pass {name}.toarray() if it fits in memory",
        )
    if isinstance(data, np.ma.MaskedArray):
        return checks.real_array(data, name)  # This raises the error.
    array: Array = data.to_numpy() if is_frame(data) else np.asarray(data)
    if array.dtype.kind == "c":
        words = f"Complex data not supported\n{array}\n"
        raise InputError(name, "hold real numbers", array.dtype, words)
    if array.dtype.kind not in "OUSbiuf":
        got = f"an array of type {array.dtype}"
        raise checks.ArgumentValueError(name, "hold numbers", got, "convert it")
    if array.dtype.kind == "O":
        return _objects(data, array, name)
    if array.dtype.kind in "US" or array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    return array


def _objects(data: Any, array: Array, name: str) -> Array:
    """Return objects as float64; reject integers that it cannot represent."""
    try:
        if hasattr(data, "isna"):
            # Columns of pandas, with its own missing values.
            values: Array = data.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = array.astype(np.float64)
    except OverflowError:
        raise _too_large(name) from None
    # Larger values are rejected as too large for a float.
    sizes = np.abs(values)
    large = array[(sizes >= checks.LARGEST_INTEGER) & (sizes <= checks.LARGEST)]
    whole = [int(each) for each in large if isinstance(each, numbers.Integral)]
    if whole:
        _named(name).check_size(np.dtype(np.int64), min(whole), max(whole))
    return values


def _named(name: str, remedy: str = "") -> Input:
    return Input(name, checks.POINTS.say_place, remedy)


def floats_of(array: Array, who: str, name: str) -> Array:
    """Return an array as float64, or as float32 if it is float32.

    Raises ValueError for NaN and infinity, and, like `kmeans`, for floats whose squares
    overflow and integers that float64 cannot represent.
    """
    if array.size:
        remedy = f"{who} does not accept missing values encoded as NaN natively."
        checks.finite(array, _named(name, remedy))
    return array if array.dtype in KINDS else array.astype(np.float64)


def table_of(data: Any, who: str, name: str = "X") -> Array:
    """Return array-like data with rows and columns as float64 or float32."""
    array = array_of(data, name)
    if array.ndim < 2:
        what = "1D" if array.ndim else "scalar"
        words = (
            f"Expected 2D array, got {what} array instead:\narray={array}.\nReshape "
            "your data either using array.reshape(-1, 1) if your data has a single "
            "feature or array.reshape(1, -1) if it contains a single sample."
        )
        raise InputError(name, "have 2 axes", f"shape {array.shape}", words)
    if array.ndim > 2:
        words = f"Found array with dim {array.ndim}. {who} expected <= 2."
        raise InputError(name, "have 2 axes", f"shape {array.shape}", words)
    array = floats_of(array, who, name)
    for size, what in zip(array.shape, ("sample", "feature")):
        if size == 0:
            words = (
                f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum "
                f"of 1 is required by {who}."
            )
            rule = f"hold at least one {what}"
            raise InputError(name, rule, f"shape {array.shape}", words)
    return array


def weights_of(value: Any, n: int, who: str) -> Floats:
    """Return the weights of n samples as float64."""
    name = "sample_weight"
    if value is None:
        return np.ones(n)
    weights = floats_of(array_of(value, name), who, name)
    if isinstance(value, numbers.Real):
        weights = np.full(n, weights)
    rule, got = f"have the shape {(n,)}", f"shape {weights.shape}"
    if weights.ndim != 1:
        words = (
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. "
            f"Expected either a scalar value or a 1D array of length {n}."
        )
        raise InputError(name, rule, got, words)
    if weights.shape != (n,):
        words = f"sample_weight.shape == {weights.shape}, expected {(n,)}!"
        raise InputError(name, rule, got, words)
    if (weights < 0).any():
        words = "Negative values in data passed to `sample_weight`."
        raise InputError(name, "be at least 0", "negative values", words)
    if not weights.any():
        rule, words = "not all be 0", "sample_weight must not be zero everywhere."
        raise InputError(name, rule, "only zeros", words)
    place = checks.place_along("place")
    return checks.not_negative(weights, place, "sample", name=name)


def check_names(fitted: Any, seen: Any, who: str) -> None:
    """Warn or raise if the columns have other names than in `fit`."""
    if (fitted is None) != (seen is None):
        note = f"X has feature names, but {who} was fitted without feature names"
        if seen is None:
            note = f"X does not have valid feature names, but {who} was fitted with "
            note += "feature names"
        warnings.warn(note, stacklevel=find_stack_level())
    elif seen is not None and not np.array_equal(fitted, seen):
        words = _differ(fitted.tolist(), seen.tolist())
        raise InputError("X", "have the feature names of the fit", "others", words)


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
