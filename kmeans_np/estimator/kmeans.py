"""`KMeans`: the estimator, with scikit-learn's names, rules and attributes."""

import warnings
from html import escape
from numbers import Integral, Real
from operator import attrgetter
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmeans_np import checks
from kmeans_np.clustering import (
    Clustering,
    PointsInMemory,
    clusters_in_html,
    direct_inertia,
    fit,
    nearest_centroids,
)
from kmeans_np.estimator.inputs import (
    ConvergenceWarning,
    InputError,
    check_names,
    feature_names,
    known_to_sklearn,
    table_of,
    weights_of,
)
from kmeans_np.estimator.parameters import Parameters
from kmeans_np.lloyd import Array, Floats, Step, squared_distances
from kmeans_np.seeding import SEEDINGS
from kmeans_np.stack_level import find_stack_level

# The number of random starts for n_init="auto".
AUTO = 10


class KMeans(Parameters):
    """K-means clustering, a replacement for `sklearn.cluster.KMeans`.

    From the same starting centroids, the result equals that of scikit-learn: labels,
    number of steps and centroids. scikit-learn is neither needed nor imported.

    Parameters
    ----------
    n_clusters : int, default 8
        The number of clusters.
    init : str, (n_clusters, n_features) array_like of real numbers, or callable
        Where the centroids start, by default "random":

        - "random": at distinct samples drawn at random [1]_;
        - "k-means++": at samples that are spread out [2]_;
        - "optimal": at the best centroids of all [3]_, for one feature (scikit-learn
          does not have this);
        - an array: at these centroids;
        - a callable: at what ``init(X, n_clusters, random_state=...)`` returns.
    n_init : int or "auto", default "auto"
        The number of starts, of which the best is kept. "auto" is 10 for random starts
        and callables, and 1 otherwise.
    max_iter : int, default 300
        The maximum number of iterations per start.
    tol : float, default 1e-4
        Convergence tolerance, relative to the mean variance of the features, at least
        0. A run stops when the squared distances that the centroids moved in a step sum
        up to at most `tol` times that variance.
    verbose : int, default 0
        Whether to print each step.
    random_state : None, int, numpy.random.RandomState or numpy.random.Generator
        The source of random numbers. The same int gives the same result.
    copy_x : bool, default True
        Has no effect: the data are never modified.
    algorithm : "lloyd" or "elkan", default "lloyd"
        Has no effect: bounds are used where they help, and the result is the same.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) array of float64 or float32
        The centroids, rounded to float32 if the data are float32.
    labels_ : (n_samples,) array of int32
        The number of the nearest centroid of each sample, as `predict` returns it for
        the same data.
    inertia_ : float
        The weighted sum of the squared distances of the samples to their centroids.
    n_iter_ : int
        The number of steps of the best start.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : (n_features,) array of str objects
        The names of the features, if the data have any.

    See Also
    --------
    kmeans : the same as a function.

    Notes
    -----
    Starts do not depend on the order of the samples, or on whether a sample is repeated
    or has that weight; centroids depend on these only in the last bits.

    float32 data have the labels, inertia and number of steps of the same numbers in
    float64, to the last bit. The centroids stay float64 internally, and `predict`,
    `transform` and `score` use these, unless `cluster_centers_` is set to other values.
    So adding an offset that the type of the data can represent exactly changes no
    label, except for exact ties that rounding decides.

    `KMeans` does not subclass `BaseEstimator` but follows its API, so scikit-learn's
    pipelines, searches, ``clone`` and ``set_output`` accept it. For code that requires
    the base class, such as ``Birch(n_clusters=...)``, derive a subclass::

        class SklearnKMeans(KMeans, ClusterMixin, BaseEstimator):
            pass

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on
       Information Theory 28 (1982), 129-137. :doi:`10.1109/TIT.1982.1056489`
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful
       seeding", Proceedings of the 18th ACM-SIAM Symposium on Discrete Algorithms
       (2007), 1027-1035.
    .. [3] H. Wang and M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one
       dimension by dynamic programming", The R Journal 3 (2011), 29-33.

    Examples
    --------
    >>> from kmeans_np import KMeans
    >>> X = [[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]]
    >>> model = KMeans(n_clusters=2, init=[[0, 0], [9, 9]]).fit(X)
    >>> model.labels_
    array([0, 0, 0, 1, 1, 1], dtype=int32)
    >>> model.predict([[0, 0], [12, 3]])
    array([0, 1], dtype=int32)
    >>> model.cluster_centers_
    array([[ 1.,  2.],
           [10.,  2.]])
    """

    cluster_centers_: NDArray[Any]
    labels_: NDArray[np.int32]
    inertia_: float
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "random",
        n_init: int | str = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm

    def fit(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Find the clusters.

        Parameters
        ----------
        X : (n_samples, n_features) array_like or data frame of real numbers
            The samples, between -1e100 and 1e100; integers must be within 2**53, where
            float64 is exact. float32 stays float32, everything else becomes float64.
        y : object, optional
            Has no effect.
        sample_weight : (n_samples,) array_like of real numbers, optional
            How many times each sample counts: 0, or between 1e-100 and 1e100; by
            default, once.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, `X` or `sample_weight` has a wrong value, or a start
            contains numbers that `X` may not contain.
        TypeError
            If `X` is sparse, or some names of its columns are strings and others are
            not.

        Warns
        -----
        ConvergenceWarning
            If there are fewer distinct samples than `n_clusters`. The last centroids
            are then copies without samples.
        RuntimeWarning
            If `n_init` is above 1 although `init` is an array, or `algorithm` is
            "elkan" for one cluster.
        """
        who = type(self).__name__
        array = table_of(X, who)
        names = feature_names(X)
        self._check_parameters()
        k, n = int(self.n_clusters), len(array)
        if n < k:
            words = f"n_samples={n} should be >= n_clusters={k}."
            raise InputError("n_clusters", f"be at most {n}", k, words)
        weights = weights_of(sample_weight, n, who)
        self.n_features_in_ = array.shape[1]
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        found = self._best(array, weights, k)
        centers = found.centroids
        missing = k - len(centers)
        if missing:
            warnings.warn(
                f"Number of distinct clusters ({len(centers)}) found smaller than "
                f"n_clusters ({k}). Possibly due to duplicate points in X.",
                known_to_sklearn(ConvergenceWarning),
                stacklevel=find_stack_level(),
            )
            centers = np.concatenate([centers, centers[-1:].repeat(missing, axis=0)])
        self._float64_centers = centers
        self.cluster_centers_ = centers.astype(array.dtype)
        self._n_features_out = k
        self.labels_ = found.labels.astype(np.int32)
        exact = self._exact_centers()
        self.inertia_ = direct_inertia(array, weights, exact, self.labels_)
        self.n_iter_ = found.n_iter
        return self

    def _repr_html_(self) -> str:
        """Return the parameters, and after `fit` a table of the clusters."""
        if not hasattr(self, "cluster_centers_"):
            return f"<code>{escape(repr(self))}</code>"
        counts = np.bincount(self.labels_, minlength=len(self.cluster_centers_))
        heading = f"{self!r}: inertia {self.inertia_:.6g}, {self.n_iter_} steps"
        return clusters_in_html(heading, counts, self.cluster_centers_)

    def _check_parameters(self) -> None:
        self._check_count("n_clusters")
        if isinstance(self.init, str):
            self._check_word("init", *sorted(SEEDINGS))
        if isinstance(self.n_init, str):
            self._check_word("n_init", "auto")
        else:
            self._check_count("n_init")
        self._check_count("max_iter")
        is_number = isinstance(self.tol, Real) and not isinstance(self.tol, bool)
        holds = is_number and 0 <= self.tol < np.inf
        self._check("tol", holds, "a float in the range [0.0, inf)")
        holds = isinstance(self.verbose, (Integral, np.bool_)) and self.verbose >= 0
        rule = "an int in the range [0, inf) or an instance of 'bool'"
        self._check("verbose", holds, rule)
        holds = isinstance(self.copy_x, (bool, np.bool_))
        self._check("copy_x", holds, "an instance of 'bool'")
        self._check_word("algorithm", "elkan", "lloyd")

    def _best(self, array: Array, weights: Floats, k: int) -> Clustering:
        """Return the best of all starts."""
        seed = self.random_state
        if isinstance(seed, np.random.RandomState):
            seed = seed.randint(2**31 - 1, size=4).tolist()
        try:
            rng = np.random.default_rng(seed)
        except (TypeError, ValueError):
            rule = "None, an int of at least 0, a RandomState or a Generator"
            raise self._wrong("random_state", rule) from None
        data = PointsInMemory(array, weights, k)
        options = checks.Options(
            self.init,
            self._starts(k),
            int(self.max_iter),
            float(self.tol),
            rng,
            callback=_print if self.verbose else None,
            coarse_start=False,
        )
        if isinstance(self.init, str):
            if SEEDINGS[self.init].prepare_best is not None:
                if array.shape[1] > 1:
                    rule = "'k-means++' or 'random' for more than one feature"
                    raise self._wrong("init", rule)
                options = options.from_the_best_start()
            return fit(data, k, options)

        def run(init: Any) -> Clustering:
            centers = self._centers(init, array, k).astype(np.float64)
            return fit(data, k, options._replace(init=centers, n_init=None))

        if not callable(self.init):
            return run(self.init)
        runs = []
        for _ in range(self._n_init):
            state = np.random.RandomState(rng.integers(2**31))
            runs.append(run(self.init(array, k, random_state=state)))
        return min(runs, key=attrgetter("inertia"))

    def _starts(self, k: int) -> int:
        """Return the number of starts, and warn about useless options."""
        if self.algorithm == "elkan" and k == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using "
                "'lloyd' instead.",
                RuntimeWarning,
                stacklevel=find_stack_level(),
            )
        given = not isinstance(self.init, str) and not callable(self.init)
        one = given or (isinstance(self.init, str) and self.init == "k-means++")
        self._n_init = 1 if one else AUTO
        if not isinstance(self.n_init, str):
            self._n_init = int(self.n_init)
        if given and self._n_init != 1:
            warnings.warn(
                "Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={self._n_init}.",
                RuntimeWarning,
                stacklevel=find_stack_level(),
            )
            self._n_init = 1
        return self._n_init

    def _centers(self, init: Any, array: Array, k: int) -> Array:
        centers = table_of(init, type(self).__name__, "init")
        for size, wanted, what in (
            (len(centers), k, "the number of clusters"),
            (centers.shape[1], array.shape[1], "the number of features of the data"),
        ):
            if size != wanted:
                got = f"shape of the initial centers {centers.shape}"
                rule = f"match {what} {wanted}"
                words = f"The {got} does not {rule}."
                raise InputError("init", rule, got, words)
        return centers

    def _exact_centers(self) -> Floats:
        """Return the centroids before they were rounded to the type of the data.

        If `cluster_centers_` has been set to other values, these are returned.
        """
        centers = np.asarray(self.cluster_centers_)
        exact: Floats | None = getattr(self, "_float64_centers", None)
        if exact is not None and centers.dtype == np.float32:
            with np.errstate(over="ignore"):
                if np.array_equal(exact.astype(np.float32), centers):
                    return exact
        return centers.astype(np.float64)

    def _labels(self, array: Array) -> NDArray[np.int32]:
        centers = self._exact_centers()
        return nearest_centroids(array, centers).astype(np.int32)

    def _checked(self, X: Any) -> Array:
        """Check data, which must have the features of `fit`, and return them."""
        self._check_fitted()
        who = type(self).__name__
        check_names(getattr(self, "feature_names_in_", None), feature_names(X), who)
        array = table_of(X, who)
        if array.shape[1] != self.n_features_in_:
            has = f"{array.shape[1]} features"
            needs = f"{self.n_features_in_} features"
            words = f"X has {has}, but {who} is expecting {needs} as input."
            raise InputError("X", f"have {needs}", has, words)
        return array

    def predict(self, X: Any) -> NDArray[np.int32]:
        """Return the number of the nearest centroid of each sample.

        Parameters
        ----------
        X : (n_samples, n_features) array_like or data frame of real numbers
            The samples.

        Returns
        -------
        (n_samples,) array of int32
            The numbers, 0 to n_clusters - 1; of two centroids at the same distance, the
            lower number.

        Raises
        ------
        ValueError
            If the estimator is not fitted yet, or `X` has a wrong value or other
            features than in `fit`.
        TypeError
            If `X` is sparse, or some names of its columns are strings and others are
            not.
        """
        return self._labels(self._checked(X))

    def fit_predict(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.int32]:
        """Find the clusters and return the labels.

        Parameters
        ----------
        X : (n_samples, n_features) array_like or data frame of real numbers
            The samples, as in `fit`.
        y : object, optional
            Has no effect.
        sample_weight : (n_samples,) array_like of real numbers, optional
            How many times each sample counts, as in `fit`.

        Returns
        -------
        (n_samples,) array of int32
            The labels.
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def transform(self, X: Any) -> Any:
        """Return the distance of each sample to each centroid.

        Parameters
        ----------
        X : (n_samples, n_features) array_like or data frame of real numbers
            The samples.

        Returns
        -------
        (n_samples, n_clusters) array of float64 or float32, or data frame
            The distances, in the unit of the data; float32 if both `X` and
            `cluster_centers_` are float32. `set_output` chooses between an array and a
            data frame.

        Raises
        ------
        ValueError
            If the estimator is not fitted yet, or `X` has a wrong value or other
            features than in `fit`.
        TypeError
            If `X` is sparse, or some names of its columns are strings and others are
            not.
        """
        array = self._checked(X)
        centers = self._exact_centers()
        kind = np.result_type(array, np.asarray(self.cluster_centers_))
        distances = np.empty((len(array), len(centers)), kind)
        for number, center in enumerate(centers):
            distances[:, number] = np.sqrt(squared_distances(array, center))
        return self._in_its_form(distances, X)

    def fit_transform(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Find the clusters and return the distances to the centroids.

        Parameters
        ----------
        X : (n_samples, n_features) array_like or data frame of real numbers
            The samples, as in `fit`.
        y : object, optional
            Has no effect.
        sample_weight : (n_samples,) array_like of real numbers, optional
            How many times each sample counts, as in `fit`.

        Returns
        -------
        (n_samples, n_clusters) array of float64 or float32, or data frame
            The distances, as in `transform`.
        """
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def score(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return minus the inertia of the samples: larger is better.

        Parameters
        ----------
        X : (n_samples, n_features) array_like or data frame of real numbers
            The samples.
        y : object, optional
            Has no effect.
        sample_weight : (n_samples,) array_like of real numbers, optional
            How many times each sample counts: 0, or between 1e-100 and 1e100; by
            default, once.

        Returns
        -------
        float
            Minus the weighted sum of the squared distances of the samples to their
            centroids, in the squared unit of the data.

        Raises
        ------
        ValueError
            If the estimator is not fitted yet, or `X` or `sample_weight` has a wrong
            value, or `X` has other features than in `fit`.
        TypeError
            If `X` is sparse, or some names of its columns are strings and others are
            not.
        """
        array = self._checked(X)
        weights = weights_of(sample_weight, len(array), type(self).__name__)
        labels, exact = self._labels(array), self._exact_centers()
        return -direct_inertia(array, weights, exact, labels)


def _print(step: Step) -> None:
    """Print a step like scikit-learn, which counts from 0."""
    number = step.iteration - 1
    if number == 0:
        print("Initialization complete")
    print(f"Iteration {number}, inertia {step.inertia}.")
    if step.stopped_by == "labels":
        print(f"Converged at iteration {number}: strict convergence.")
    elif step.stopped_by == "tol":
        print(
            f"Converged at iteration {number}: center shift {step.shift} within "
            "tolerance."
        )
