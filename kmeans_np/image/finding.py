"""The clusters of an image, found on checked input.

What this file adds: the whole task for one image. Take the image apart, or count it in
blocks, compare what is to be compared, cluster it, and put everything together again.
What it leaves out: who asks, and for how many images (`kmeans_np.image.cluster`).

Nothing is scaled on the way. To divide all values by 255 would divide all distances by
255, and change neither which centroid is nearest nor when it stops, while whole gray
levels add up without any rounding.
"""

import math
import operator
from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.blocks import Report, in_memory, is_sliced
from kmeans_np.clustering import Clustering, are_many, fit, surveyed, warn_if_fewer
from kmeans_np.image.features import Features, Points, compare, fitted
from kmeans_np.image.pixels import Pixels, take_apart
from kmeans_np.image.pointwise import AlphaRows, PixelRows, fit_pixels, with_ranges
from kmeans_np.image.segmentation import (
    Clusters,
    Segmentation,
    in_full,
    rounded,
    single_colors,
    told,
    undo_rounding,
)
from kmeans_np.image.streamed import (
    Painted,
    Streamed,
    count,
    open_streamed,
    points_of,
)


class Take(NamedTuple):
    """What of an image takes part: the arguments, not checked yet."""

    mask: Any
    weights: Any
    channel_axis: Any
    alpha: Any


Prepared = tuple[Pixels | Streamed, Features, Points, checks.Options]


def cluster(
    image: Any,
    k: int,
    take: Take,
    what: checks.Compared,
    progress: Report | None = None,
    in_blocks: bool = False,
    stacklevel: int = 3,
    **how: Any,
) -> Segmentation:
    """Cluster an image; `in_blocks` even if it lies in memory.

    `stacklevel` is that of the caller's caller, whom a warning is for.
    """
    prepared = None
    if take.weights is None and (in_blocks or is_sliced(image)):
        streamed = open_streamed(image, take.mask, take.channel_axis, take.alpha)
        # Places make every pixel another one.
        if not what.position_weight:
            prepared = _counted(streamed, k, what, progress, how)
        if prepared is None and is_sliced(image):
            answer = _in_passes(streamed, k, what, progress, stacklevel + 1, how)
            if answer is not None:
                return answer
    if prepared is None:
        prepared = _in_memory(image, k, take, what, how)
    pixels, features, points, options = prepared
    # It has been checked; differences of NumPy's unsigned integers may be floats.
    k = operator.index(k)
    result, clusters = fitted_clusters(features, points, k, options)
    warn_if_fewer(len(result.counts), k, "colors", stacklevel)
    return in_full(result, pixels, points, clusters)


def fitted_clusters(
    features: Features, points: Points, k: int, options: checks.Options
) -> tuple[Clustering, Clusters]:
    """Cluster the points; return the answer for them, and for other images."""
    if not isinstance(options.init, str):
        channels = points.colors.shape[1]
        init = features.of_centroids(options.init, channels, "init")
        options = options._replace(init=init)
    result = fit(
        points.points,
        points.weights,
        k,
        options,
        cells=points.cells,
        largest_first=True,
        n_alike=points.colors.shape[1],
    )
    return result, _clusters(result, features, points, k)


def _in_memory(
    image: Any, k: int, take: Take, what: checks.Compared, how: dict[str, Any]
) -> Prepared:
    image = in_memory(image)
    pixels = take_apart(image, take.mask, take.channel_axis, take.alpha)
    masses = checks.pixel_weights(take.weights, pixels.shape, pixels.part)
    n, channels = pixels.values.shape
    n = n if masses is None else int(np.count_nonzero(masses))
    checks.n_clusters(k, n, "pixels" if masses is None else "pixels with a weight")
    axes = what.n_axes(pixels.shape)
    options = checks.options(k, channels + axes, **how)
    return pixels, *compare(pixels, masses, what), options


def _counted(
    streamed: Streamed,
    k: int,
    what: checks.Compared,
    progress: Report | None,
    how: dict[str, Any],
) -> Prepared | None:
    """Prepare an image in blocks; None if its pixels have to be compared one by one."""
    # All that can be refused before the image is read.
    checks.n_clusters(k, math.prod(streamed.shape), "pixels")
    options = checks.options(k, streamed.layout.channels, **how)
    if streamed.layout.needs_ranges:
        rows = PixelRows(streamed, progress)
        layout = with_ranges(streamed.layout, rows, rows.named())
        streamed = streamed._replace(layout=layout)
    colors = count(streamed, progress)
    if colors is None:
        return None
    checks.n_clusters(k, int(colors.counts.sum()), "pixels")
    features = fitted(colors.colors, colors.counts, what, max(streamed.shape))
    return streamed, features, points_of(colors, features), options


def _in_passes(
    streamed: Streamed,
    k: int,
    what: checks.Compared,
    progress: Report | None,
    stacklevel: int,
    how: dict[str, Any],
) -> Segmentation | None:
    """Compare the pixels one by one, in passes; None if they fit in memory."""
    layout = streamed.layout
    axes = what.n_axes(streamed.shape)
    options = checks.options(k, layout.channels + axes, **how)
    if layout.has_alpha and layout.dtype.kind == "f":
        alpha = AlphaRows(streamed)
        surveyed(alpha, alpha.named())
    rows = PixelRows(streamed, progress)
    n, side = rows.shape[0], max(streamed.shape)
    k = checks.n_clusters(k, n, "pixels")
    if not are_many(n, layout.channels + axes, k):
        return None
    named = rows.named()
    result, clusters, find = fit_pixels(rows, k, what, side, options, named)
    warn_if_fewer(len(result.counts), k, "colors", stacklevel)
    views = Painted(streamed, find, clusters.palette, clusters.features)
    return told(result, streamed, clusters, views.image, views.labels)


def _clusters(
    result: Clustering, features: Features, points: Points, k: int
) -> Clusters:
    """Return the clusters found, with the palette to paint with."""
    channels = points.colors.shape[1]
    colors = features.centroids(result.centroids, channels)[:, :channels]
    labels, compared, own = result.labels, points.points[:, :channels], points.colors
    counting = points.weights > 0
    if not counting.all():
        labels, compared, own = labels[counting], compared[counting], own[counting]
    single, first = single_colors(compared, labels, len(colors))
    colors = undo_rounding(colors, single, own[first], k)
    palette = rounded(colors, points.colors.dtype, features.white)
    return Clusters(features, result.centroids, palette)
