"""The API of an estimator: parameters to get, set and copy, and the output format.

No base class of scikit-learn is used. It is imported only when scikit-learn itself asks
for tags.
"""

import inspect
import sys
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kmeans_np.estimator.inputs import InputError, NotFittedError, known_to_sklearn

OUTPUTS = ("default", "pandas", "polars")


class Parameters:
    """The parameters of an estimator, and the format of its output."""

    n_features_in_: int
    _n_features_out: int

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {each.name: each.default for each in parameters}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters and their values.

        Parameters
        ----------
        deep : bool, default True
            Has no effect: no parameter is itself an estimator.

        Returns
        -------
        dict
            The values by name.
        """
        return {name: getattr(self, name) for name in sorted(self._defaults())}

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            The values by name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no parameter of this name.
        """
        for name, value in params.items():
            if name not in self._defaults():
                valid = sorted(self._defaults())
                words = (
                    f"Invalid parameter {name!r} for estimator {self}. Valid "
                    f"parameters are: {valid!r}."
                )
                raise InputError(name, f"be one of {valid!r}", name, words)
            setattr(self, name, value)
        return self

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Show the non-default parameters, in at most N_CHAR_MAX characters."""
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, default in self._defaults().items()
            if repr(getattr(self, name)) != repr(default)
        ]
        text = " ".join(f"{type(self).__name__}({', '.join(changed)})".split())
        return text if len(text) <= N_CHAR_MAX else text[: N_CHAR_MAX - 3] + "..."

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what kind of estimator this is."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="clusterer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float64", "float32"]),
            input_tags=InputTags(),
        )

    def _wrong(self, name: str, rule: str) -> InputError:
        """Return the error for a parameter, with scikit-learn's message."""
        who, value = type(self).__name__, repr(getattr(self, name))
        words = f"The {name!r} parameter of {who} must be {rule}. Got {value} instead."
        return InputError(name, f"be {rule}", value, words)

    def _check(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise self._wrong(name, rule)

    def _check_count(self, name: str) -> None:
        value = getattr(self, name)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        self._check(name, whole and value >= 1, "an int in the range [1, inf)")

    def _check_word(self, name: str, *allowed: str) -> None:
        value = getattr(self, name)
        holds = isinstance(value, str) and value in allowed
        self._check(name, holds, f"a str among {{{', '.join(map(repr, allowed))}}}")

    def _check_fitted(self) -> None:
        if not hasattr(self, "cluster_centers_"):
            name = type(self).__name__
            raise known_to_sklearn(NotFittedError)(
                f"This {name} instance is not fitted yet. Call 'fit' with appropriate "
                "arguments before using this estimator."
            )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the column names of the output of `transform`.

        Parameters
        ----------
        input_features : (n_features,) array_like of str, optional
            The names of the features. They are checked, but have no effect: the names
            returned are those of the clusters.

        Returns
        -------
        (n_clusters,) array of str objects
            "kmeans0", "kmeans1", and so on.

        Raises
        ------
        ValueError
            If the estimator is not fitted yet, `input_features` are not
            `feature_names_in_`, or their number is not that of the features.
        """
        self._check_fitted()
        if input_features is not None:
            given = np.asarray(input_features, object)
            fitted = getattr(self, "feature_names_in_", None)
            name = "input_features"
            if fitted is not None and not np.array_equal(fitted, given):
                words = "input_features is not equal to feature_names_in_"
                raise InputError(name, "be feature_names_in_", "others", words)
            if given.shape[:1] != (self.n_features_in_,):
                got = len(given) if given.ndim else given
                rule = f"length equal to number of features ({self.n_features_in_})"
                words = f"input_features should have {rule}, got {got}"
                raise InputError(name, f"have {rule}", got, words)
        prefix = type(self).__name__.lower()
        names = [f"{prefix}{number}" for number in range(self._n_features_out)]
        return np.array(names, dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what `transform` and `fit_transform` return.

        Parameters
        ----------
        transform : "default", "pandas", "polars" or None
            An array, or a data frame of one of these libraries; None changes nothing.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `transform` has another value.
        """
        if transform is None:
            return self
        if transform not in OUTPUTS:
            rule, got = f"be in {list(OUTPUTS)}", repr(transform)
            words = f"output config must {rule}, got {got}"
            raise InputError("transform", rule, got, words)
        self._sklearn_output_config = {"transform": transform}
        return self

    def _in_its_form(self, values: NDArray[Any], data: Any) -> Any:
        """Return the values of `data` as an array or data frame, as chosen."""
        config = getattr(self, "_sklearn_output_config", {})
        form = config.get("transform")
        if form is None and "sklearn" in sys.modules:
            form = sys.modules["sklearn"].get_config()["transform_output"]
        names = list(self.get_feature_names_out())
        if form == "pandas":
            import pandas as pd

            return pd.DataFrame(values, getattr(data, "index", None), names)
        if form == "polars":
            import polars as pl

            return pl.DataFrame(values, schema=names, orient="row")
        return values
