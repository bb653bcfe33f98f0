"""The colors of an image as a picture: a cloud, or of gray the histogram."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np import checks
from kmeans_np.explanation.canvas import RGB, Canvas, palette_bar
from kmeans_np.explanation.scatter import Cloud
from kmeans_np.explanation.subject import subject_of_image
from kmeans_np.image import Segmentation

LEAST_SIZE = 120
# The edge around all, the bar of the palette and the letters, as shares of the width.
_EDGE, _BAR, _LETTERS = 1 / 40, 1 / 24, 1 / 45


def color_cloud(
    image: ArrayLike,
    segmentation: Segmentation | None = None,
    *,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    alpha: bool | str = "auto",
    size: int = 640,
) -> RGB:
    """Draw the distribution of the colors of an image.

    For three channels it is a cloud of dots in the color cube, larger where more pixels
    have a color; nearby colors are merged. For gray it is a histogram, for two channels
    a plane; of more than three channels, the first three are drawn.

    Parameters
    ----------
    image : (rows, columns[, channels]) or (planes, rows, columns[, channels]) array
        The image, as `cluster_image` takes it.
    segmentation : Segmentation, optional
        A segmentation of the image. Its centroids are drawn among the colors, and its
        palette below, by shares.
    mask : (rows, columns) or (planes, rows, columns) array_like of bool, optional
        True for the pixels to draw; default: all.
    channel_axis, alpha
        Which axis has the channels, and whether the last one is alpha; see
        `cluster_image`.
    size : int, default 640
        The width of the picture in pixels.

    Returns
    -------
    (height, size, 3) array of uint8
        The picture, which `write_image` writes.

    Raises
    ------
    TypeError, ValueError
        If `image`, `mask`, `channel_axis` or `alpha` is not as `cluster_image` takes
        it, `size` is not a whole number of at least 120, or `segmentation` has a
        different number of channels.

    Examples
    --------
    >>> from kmeans_np import cluster_image, color_cloud, sample_image
    >>> image = sample_image()
    >>> drawing = color_cloud(image, cluster_image(image, 4, rng=0))
    >>> drawing.dtype, drawing.shape[1:]
    (dtype('uint8'), (640, 3))
    """
    size = checks.whole_number(size, "size", "pass 640", least=LEAST_SIZE)
    material = subject_of_image(image, mask, channel_axis, alpha)
    d = material.points.shape[1]
    centroids = _centroids(segmentation, d) / material.unit
    colors = material.rgb(centroids) if len(centroids) else np.zeros((0, 3), np.uint8)
    edge, letters = round(size * _EDGE), size * _LETTERS
    wide, tall = size - 2 * edge, (size - 2 * edge) * 3 // 4
    bar = 0 if segmentation is None else round(size * _BAR)
    # Below the bar stand the shares.
    height = tall + 2 * edge + (bar and bar + edge + round(letters))
    paper = Canvas(size, height)
    box = (edge, edge, edge + wide, edge + tall)
    path: Any = None if segmentation is None else centroids[np.newaxis]
    cloud = Cloud(material, np.zeros((1, d)))
    cloud.draw(paper, box, letters, colors, path, None)
    if segmentation is not None:
        below = (edge, tall + 2 * edge, edge + wide, tall + 2 * edge + bar)
        palette_bar(paper, below, colors, segmentation.shares, letters)
    return paper.pixels()


def _centroids(segmentation: Segmentation | None, d: int) -> Any:
    """Return the centroids of an answer, without places; none without an answer."""
    if segmentation is None:
        return np.zeros((0, d))
    if not isinstance(segmentation, Segmentation):
        rule, got = "be a Segmentation", type(segmentation).__name__
        remedy = "pass what cluster_image returns"
        raise checks.ArgumentTypeError("segmentation", rule, got, remedy)
    palette = segmentation.palette.reshape(len(segmentation.palette), -1)
    if palette.shape[1] != d:
        rule = f"have {checks.pluralize(d, 'channel')}, as the image has"
        got = checks.pluralize(palette.shape[1], "channel")
        remedy = "pass that of this image"
        raise checks.ArgumentValueError("segmentation", rule, got, remedy)
    return segmentation.centroids[:, :d]
