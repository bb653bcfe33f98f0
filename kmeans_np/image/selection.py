"""Which pixels are included, according to mask, alpha and weights, part by part."""

import math
import operator
from functools import reduce
from typing import NamedTuple

import numpy as np

from kmeans_np import checks
from kmeans_np.checks import WeightStats
from kmeans_np.colors import Units
from kmeans_np.image.layout import Layout
from kmeans_np.lloyd import Array


class PartLook(NamedTuple):
    """What was found in mask, alpha and weights of some pixels."""

    # The number of pixels that the mask includes.
    n_masked: int
    # The number of these that are not fully transparent.
    n: int
    # Statistics of the alpha of the former, and of the weights of the latter.
    alpha: WeightStats | None
    weights: WeightStats | None

    @property
    def size(self) -> int:
        """The number of included pixels with a positive weight."""
        return self.n if self.weights is None else self.weights.n


def look_at_part(
    n: int, mask: Array | None, alpha: Array | None, weights: Array | None, start: int
) -> PartLook:
    """Examine mask, alpha and weights, (n,) each, of consecutive pixels.

    `start` is the number of the first of them among all pixels of the image.
    """
    numbers = np.arange(start, start + n)
    if mask is not None:
        mask = mask.astype(bool, copy=False)
        numbers = numbers[mask]
    n_masked, found_alpha, found_weights = len(numbers), None, None
    if alpha is not None:
        alpha = alpha if mask is None else alpha[mask]
        found_alpha = checks.weight_stats(alpha, numbers)
        numbers = numbers[alpha > 0]
    if weights is not None:
        weights = weights[numbers - start]
        found_weights = checks.weight_stats(weights, numbers)
    return PartLook(n_masked, len(numbers), found_alpha, found_weights)


def which_take_part(
    mask: Array | None, alpha: Array | None, weights: Array | None
) -> Array | None:
    """Return which pixels are included and have a positive weight; None for all."""
    parts = [part > 0 for part in (alpha, weights) if part is not None]
    if mask is not None:
        parts.append(mask != 0)
    return reduce(operator.and_, parts) if parts else None


def check_looks(looks: list[PartLook], layout: Layout, is_masked: bool) -> Units | None:
    """Reject bad alpha and weights, and images without any included pixel.

    Returns the units that weights are split into for exact sums, None without weights.
    """
    alphas = [look.alpha for look in looks if look.alpha is not None]
    weights = [look.weights for look in looks if look.weights is not None]

    def say_place(number: Array) -> str:
        return checks.place_of_pixel(
            np.array(np.unravel_index(number[0], layout.shape))
        )

    if alphas and layout.dtype.kind == "f":
        found = checks.merge_weight_stats(alphas)
        if found.not_finite is not None:
            names = checks.named_pixels(say_place, layout.channel_axis)
            first = np.array([found.not_finite])
            raise names.not_finite(found.nan, found.infinite, first)
    size, n = math.prod(layout.shape), sum(look.n for look in looks)
    n_masked = sum(look.n_masked for look in looks) if is_masked else None
    checks.some_take_part(n, size, n_masked)
    if not weights:
        return None
    among = " that is included" if n < size else ""
    found = checks.merge_weight_stats(weights)
    checks.check_weight_stats(found, say_place, "pixel", among)
    return Units.of(found.least, found.largest, size)
