"""From an image to its clusters: the same steps wherever the pixels are stored."""

from typing import Any, NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.arrays import MemoryRows, Rows
from kmeans_np.clustering import (
    Clustering,
    ColumnStats,
    Data,
    PartitionedPoints,
    PointsInMemory,
    assign_to,
    column_stats,
    fit,
    fit_path,
    use_tree_sums,
    warn_if_fewer,
)
from kmeans_np.colors import Colors
from kmeans_np.image.clusters import Clusters, FoundClusters
from kmeans_np.image.features import (
    Features,
    FeatureSpec,
    feature_spec,
    fit_features,
    with_features,
)
from kmeans_np.image.source import Source
from kmeans_np.lloyd import Floats


class Plan(NamedTuple):
    """The clusters to find: arguments that have passed their checks."""

    # The number of clusters.
    k: int
    # How features are computed.
    spec: FeatureSpec
    # The options of the run.
    options: checks.Options


def make_plan(
    source: Source,
    k: Any,
    color_space: Any,
    normalize: Any,
    position_weight: Any,
    color_profile: Any,
    **options: Any,
) -> Plan:
    """Check everything that can be rejected before any pixel is read."""
    spec = feature_spec(color_space, normalize, position_weight, color_profile)
    k, layout = checks.n_clusters(k, source.size, "pixels"), source.layout
    d = spec.n_features(layout.channels, len(layout.shape))
    return Plan(k, spec, checks.options(k, d, **options))


def find_clusters(source: Source, plan: Plan) -> FoundClusters:
    """Find the clusters of an image."""
    k, spec, options = plan
    rows, colors = colors_or_pixels(source, bool(spec.position_weight))
    noun = "pixels" + " with a weight" * source.weighted
    checks.n_clusters(k, n_counting(source, rows, colors), noun)
    layout = source.layout
    features, rows, stats = fit_features(rows, spec, max(layout.shape))
    if not isinstance(options.init, str):
        init = features.of_centroids(options.init, layout.channels, "init")
        options = options._replace(init=init)
    coarse = options.coarse_start and isinstance(options.init, str)
    data = as_data(rows, k, layout.channels, colors, stats, coarse)
    result = fit(data, k, options, largest_first=True)
    warn_if_fewer(len(result.counts), k, "color")
    palette = features.palette(exact_colors(features, data, result, k), layout.dtype)
    clusters = Clusters(features, result.centroids, palette)
    return source.prepare_painting(clusters, result, colors, data)


def assign_clusters(source: Source, clusters: Clusters) -> FoundClusters:
    """Assign the pixels of an image to the nearest of fixed clusters."""
    features, layout, stats = clusters.features, source.layout, None
    rows, colors = colors_or_pixels(source, bool(features.pixel))
    dtype, rows = rows.dtype, with_features(rows, features)
    if features.space is not None:
        stats = column_stats(rows)
        extremes = stats.stored_low, stats.stored_high
        checks.range_of_rgb(dtype, *extremes, features.color_space)
    k = len(clusters.centroids)
    data = as_data(rows, k, layout.channels, colors, stats)
    result = assign_to(data, clusters.centroids)
    palette = clusters.palette.astype(layout.dtype, copy=False)
    clusters = clusters._replace(palette=palette)
    return source.prepare_painting(clusters, result, colors, data)


def find_path(
    source: Source, ks: list[int], spec: FeatureSpec, options: checks.Options
) -> list[Clustering]:
    """Return the results for rising numbers of clusters, each from the one before.

    If the callback ends the run, there are fewer results than `ks`.
    """
    rows, colors = colors_or_pixels(source, bool(spec.position_weight))
    noun = "pixels" + " with a weight" * source.weighted
    checks.largest_k(ks[-1], n_counting(source, rows, colors), noun)
    data = prepare_data(rows, colors, ks[-1], spec, max(source.layout.shape))
    return fit_path(data, ks, options)


# ---- The steps ---------------------------------------------------------------------


def colors_or_pixels(source: Source, of_places: bool) -> tuple[Rows, Colors | None]:
    """Decide whether to cluster distinct colors or pixels; return them.

    If positions are features, no two pixels are equal.
    """
    colors = None if of_places else source.count()
    if colors is None:
        return source.rows(), None
    return MemoryRows(colors.colors, colors.counts), colors


def n_counting(source: Source, rows: Rows, colors: Colors | None) -> int:
    """Return the number of included pixels with a positive weight."""
    if source.weighted:
        return source.n_weighted
    return rows.shape[0] if colors is None else int(colors.counts.sum())


def prepare_data(
    rows: Rows, colors: Colors | None, k: int, spec: FeatureSpec, side: int = 1
) -> Data:
    """Return points with the features of `spec`, to cluster.

    `colors` are the distinct colors that the rows are, None for pixels; `side` is the
    longest side of their image.
    """
    channels = rows.shape[1]
    _, rows, stats = fit_features(rows, spec, side)
    return as_data(rows, k, channels, colors, stats, coarse_start=True)


def as_data(
    rows: Rows,
    k: int,
    channels: int,
    colors: Colors | None = None,
    stats: ColumnStats | None = None,
    coarse_start: bool = False,
) -> Data:
    """Return points to cluster; if they are few, in memory.

    `colors` are the distinct colors that the rows are, None for pixels; for `stats` and
    `coarse_start` see `PartitionedPoints`.
    """
    if rows.outside and use_tree_sums(*rows.shape, k):
        return PartitionedPoints(rows, channels, stats, coarse_start)
    part = rows.load()
    cells = colors is not None and colors.are_cells and part.points is part.values
    if rows.outside:
        checks.finite(part.values, rows.names)
    return PointsInMemory(
        part.points, part.weights, k, values=part.values, cells=cells, n_alike=channels
    )


def exact_colors(features: Features, data: Data, result: Clustering, k: int) -> Floats:
    """Return the colors of clusters, exact for clusters of a single color.

    The mean of equal numbers may differ from them in the last digit. If it differs by
    more, it is not their mean, because the run was cut short. But if there are fewer
    clusters than k, each of them is a single color.
    """
    channels = data.n_alike
    colors = features.inverse_transform(result.centroids, channels)[:, :channels]
    single, own = data.uniform_clusters(result.labels, result.centroids)
    scale = 1e-9 * np.abs(own) + 1e-12 * np.abs(colors).max()
    near = (np.abs(colors - own) <= scale).all(axis=1) | (len(colors) < k)
    exact: Floats = np.where((single & near)[:, np.newaxis], own, colors)
    return exact
