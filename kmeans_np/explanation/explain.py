"""`explain`: a run of K-means to walk through, and the answer that can be saved."""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.arrays import in_memory
from kmeans_np.clustering import describe_stop, warn_if_fewer
from kmeans_np.explanation.recording import Recording, record
from kmeans_np.explanation.subject import Subject, subject_of_image, subject_of_points
from kmeans_np.files.paths import as_path, check_replaceable, write_whole
from kmeans_np.lloyd import Floats, Step
from kmeans_np.seeding import seed

# How high a page is in a notebook, in pixels.
HEIGHT = 860
SUFFIXES = (".html", ".gif", ".png")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """A recorded run of K-means: the result of `explain`.

    In a notebook it is displayed as the page that `save` writes.

    Attributes
    ----------
    title : str
        The title of the page.
    """

    title: str
    _run: Recording
    _material: Subject
    _init: str
    _k: int
    _n_init: int
    # What the page shows if its address does not say.
    _opens: str = ""

    @property
    def steps(self) -> list[Step]:
        """The steps, as `lloyd` yields them, with labels of `points`.

        Of a run with more than 60 steps: the first 10, the last 10, and 40 in between.
        """
        return self._run.steps

    @property
    def points(self) -> Floats:
        """The points that were clustered, (m, d) array of float64.

        For an image, its distinct colors, divided by `unit`, or in the color space.
        """
        return self._run.points

    @property
    def weights(self) -> Floats:
        """The weight of each of `points`, (m,) array of float64."""
        return self._run.weights

    @property
    def unit(self) -> float:
        """The number that colors were divided by.

        For images of integers, the largest value of the type, such as 255 for uint8;
        otherwise 1.
        """
        return self._material.unit

    @property
    def inertias(self) -> Floats:
        """The inertia of every step, (n_iter,) array of float64."""
        return self._run.inertias

    @property
    def n_iter(self) -> int:
        """The number of steps."""
        return self._run.n_iter

    @property
    def stopped_by(self) -> str:
        """Why the run stopped: "labels", "tol", "max_iter" or "callback"."""
        return str(self._run.end.stopped_by)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to a file.

        The file is written under a temporary name and renamed when it is complete. An
        existing file is replaced.

        Parameters
        ----------
        path : str or path-like
            The file to write. Its suffix decides: .html is a self-contained page to
            step through in a browser, forward and back; .gif an animation; .png a sheet
            of all steps.

        Raises
        ------
        ValueError
            If the suffix is a different one, or `path` exists and is not an ordinary
            file.
        FileNotFoundError, NotADirectoryError, IsADirectoryError
            If the folder does not exist, or `path` is a folder.
        PermissionError, OSError
            If the file may not be written, or the disk is full.
        """
        path = as_path(path)
        check_suffix(path)
        # Before the work of drawing it.
        check_replaceable(path)
        suffix = path.suffix.lower()
        if suffix == ".html":
            data = self._page().encode("utf-8")
        elif suffix == ".gif":
            # What draws is imported when something is drawn.
            from kmeans_np.explanation.film import gif_bytes

            data = gif_bytes(self._run, self._material)
        else:
            from kmeans_np.explanation.sheet import sheet_bytes

            data = sheet_bytes(self._run, self._material)
        write_whole(path, data)

    def _page(self) -> str:
        from kmeans_np.explanation.page import Caption, page

        caption = Caption(self.title, self._init, self._n_init, self._k)
        return page(self._run, self._material, caption, self._opens)

    def __repr__(self) -> str:
        noun = "pixels" if self._material.is_image else "points"
        end = describe_stop(self.n_iter, self.stopped_by)
        return (
            f"<Explanation of {self._material.n:,} {noun} in "
            f"{checks.pluralize(self._k, 'cluster')}: {end}>"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return (
            f'<iframe srcdoc="{escape(self._page())}" title="K-means, step by '
            f'step" style="width:100%;height:{HEIGHT}px;border:0"></iframe>'
        )


def check_suffix(path: Any) -> None:
    """Raise ValueError if nothing can be written to a file of this name."""
    if path.suffix.lower() not in SUFFIXES:
        rule = f"end in one of {', '.join(SUFFIXES)}"
        remedy = "choose .html for a page to step through, .gif for a film, .png for "
        raise checks.ArgumentValueError("path", rule, path, f"{remedy}a sheet")


def explain(
    image_or_points: ArrayLike,
    k: int,
    *,
    kind: str = "auto",
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    alpha: bool | str = "auto",
    color_space: str = "rgb",
    init: str | ArrayLike = "random",
    n_init: int = 1,
    max_iter: int = 300,
    tol: float = 1e-4,
    rng: Any = None,
    callback: checks.Callback | None = None,
    title: str = "",
) -> Explanation:
    """Run the textbook algorithm, and record every step.

    This is a run of `lloyd`, to look at. To get a result fast, use `cluster_image` or
    `kmeans`.

    Parameters
    ----------
    image_or_points : (n, d), or (..., rows, columns, channels) array_like of numbers
        Points, one a row, as `kmeans` takes them; or an image, as `cluster_image` takes
        it. `kind` says which.
    k : int
        The number of clusters, from 1 to the number of pixels or points.
    kind : "auto", "image" or "points", default "auto"
        Whether the array is an image (gray, if it has 2 axes) or points. With "auto",
        an array of 3 or more axes is an image, and so is any array with
        ``channel_axis=None``. An array of 2 axes is taken for points if it has more
        rows than columns and at most 16 columns; otherwise it is refused, because it
        may be a gray image.
    mask, channel_axis, alpha
        Which pixels of an image are included, and how its channels are stored; see
        `cluster_image`.
    color_space : "rgb", "lab" or "oklab", default "rgb"
        The space in which the colors of an RGB image are compared; see `cluster_image`.
    init : "random", "k-means++", "optimal" or (k, d) array_like, default "random"
        The starting centroids: k random distinct points; points that are spread out;
        for one feature, the best possible centroids; or these, in the unit of the
        image.
    n_init : int, default 1
        The number of starts. The run with the smallest inertia is kept.
    max_iter : int, default 300
        The maximum number of steps.
    tol : float, default 1e-4
        The convergence tolerance; see `lloyd`.
    rng : None, int or numpy.random.Generator, optional
        The seed or generator; anything that `numpy.random.default_rng` accepts.
    callback : callable, optional
        Called with each `kmeans_np.Step`. If it returns a true value, the run stops.
    title : str, default ""
        The title of the page; text that can be encoded as UTF-8.

    Returns
    -------
    Explanation
        The recorded run, which can be saved as a page, an animation or a sheet.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If `image_or_points`, `mask`, `channel_axis`, `alpha` or `color_space` is not as
        `cluster_image` wants it.
    ValueError
        If an array of 2 axes may be an image or points and `kind` does not say which,
        or what only images have is given for points.
    ValueError
        If `k` is below 1 or above the number of pixels or points that take part, or
        `init`, `n_init`, `max_iter`, `tol` or `rng` not as `kmeans` wants it, or
        `title` has a lone surrogate.

    Warns
    -----
    UserWarning
        If there are fewer distinct colors or points than `k`.

    See Also
    --------
    lloyd : the steps alone, one at a time.

    Examples
    --------
    >>> from kmeans_np import explain
    >>> points = [[0.0], [2.0], [4.0], [10.0], [12.0], [14.0]]
    >>> explanation = explain(points, 2, init=[[1.0], [5.0]])
    >>> explanation
    <Explanation of 6 points in 2 clusters: stopped by 'labels' after 3 steps>
    >>> explanation.inertias.tolist()
    [158.0, 31.0, 16.0]
    """
    title = checks.check_str(title, "title")
    array = in_memory(image_or_points, "image_or_points")
    if checks.image_or_points(array, kind, mask, channel_axis, alpha, color_space):
        material = subject_of_image(array, mask, channel_axis, alpha, color_space)
    else:
        material = subject_of_points(checks.points(array))
    k = checks.n_clusters(k, material.n, "pixels" if material.is_image else "points")
    n_init = checks.whole_number(n_init, "n_init", "pass the number of starts")
    how = {"n_init": n_init, "max_iter": max_iter, "tol": tol, "rng": rng}
    d = material.points.shape[1]
    options = checks.options(k, d, init=init, callback=callback, **how)
    chosen = options.init
    name = chosen if isinstance(chosen, str) else "given"
    if not isinstance(chosen, str):
        options = options._replace(init=material.points_of(chosen, "init"))
    run = _best_run(material, k, options)
    noun = "color" if material.is_image else "point"
    warn_if_fewer(int((run.counts > 0).sum()), k, noun)
    return Explanation(title, run, material, name, k, n_init)


def _best_run(material: Subject, k: int, options: checks.Options) -> Recording:
    """Run from each start; return the run that ends with the smallest inertia."""
    points, weights, best = material.points, material.weights, None
    for _ in range(options.n_init or 1):
        start = seed(options.init, points, k, weights, options.rng)
        run = record(
            points,
            weights,
            np.array(start, np.float64),
            max_iter=options.max_iter,
            # Of the best start it is below 0, to see it confirmed, which nobody asked
            # for.
            tol=max(options.tol, 0.0),
            callback=options.callback,
        )
        if best is None or run.inertia < best.inertia:
            best = run
        if run.end.stopped_by == "callback":
            break
    assert best is not None
    return best


def as_playground(run: Explanation) -> Explanation:
    """Return a run whose page opens where readers try starts and pictures of theirs."""
    return replace(run, _opens="own")
