"""`apply_palette`: paint an image in given colors."""

from typing import Any

from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.colors import COLOR_SPACES
from kmeans_np.image.clusters import Clusters
from kmeans_np.image.features import Features, feature_spec
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import assign_clusters
from kmeans_np.image.segmentation import Segmentation, build_segmentation


def apply_palette(
    image: ArrayLike,
    palette: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    alpha: bool | str = "auto",
    color_space: str = "rgb",
    color_profile: bytes | None = None,
) -> Segmentation:
    """Give each pixel its nearest color in a palette.

    Parameters
    ----------
    image : ([planes,] rows, columns[, channels]) array_like of real numbers
        The image, as in `cluster_image`.
    palette : (k, channels) array_like of real numbers; (k,) for gray
        The colors, in the unit and range of the image, without alpha. For an image of
        integers, they are compared as given and rounded when they are painted.
    mask : ([planes,] rows, columns) array_like of bool or int, optional
        True (or nonzero) for the pixels to include; by default, all.
    channel_axis : int or None, default -1
        The axis of the channels; None if the image has no such axis.
    alpha : bool, "auto" or "weights", default "auto"
        Whether the last channel is alpha, and whether opacity is the weight of a pixel,
        as in `cluster_image`.
    color_space : "rgb", "lab" or "oklab", default "rgb"
        The space in which distances are measured, as in `cluster_image`.
    color_profile : bytes, optional
        The ICC profile of the image, as in `cluster_image`.

    Returns
    -------
    Segmentation
        The result, with the painted `image`. Cluster i is color i of the palette, and
        may have no pixels. Of two colors at the same distance, the first is taken;
        distances below about 1e-150 count as the same.

    Raises
    ------
    TypeError
        If `image` or `palette` is not an array of real numbers, or another argument has
        a wrong type.
    ValueError
        If `palette` is empty, has another number of channels than the image, or is not
        in the range of its type; or another argument has a wrong value, as in
        `cluster_image`.

    Warns
    -----
    UserWarning
        If `color_profile` cannot be used.

    Examples
    --------
    >>> from kmeans_np import apply_palette
    >>> answer = apply_palette([[1, 2, 90], [80, 255, 0]], [0, 100, 255])
    >>> answer.image
    array([[  0,   0, 100],
           [100, 255,   0]])
    >>> answer.counts
    array([3, 2, 1])
    """
    source = open_source(image, mask, None, channel_axis, alpha)
    channels, dtype = source.layout.channels, source.layout.dtype
    spec, white = feature_spec(color_space, color_profile=color_profile), None
    space = spec.color_space
    if COLOR_SPACES[space] is not None:
        white = checks.white(dtype, channels, space)
    features = Features(space, 1.0 if white is None else white, spec.color_profile)
    colors = checks.palette(palette, channels, dtype, white)
    centroids = features.of_centroids(colors, channels, "palette")
    painted = (colors if dtype.kind == "f" else colors.round()).astype(dtype)
    clusters: Any = Clusters(features, centroids, painted)
    return build_segmentation(source, source.run(assign_clusters, clusters))
