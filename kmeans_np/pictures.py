"""Pictures of the results: palettes, overlays, and previews in notebooks."""

from binascii import b2a_base64
from typing import NamedTuple

import numpy as np

from kmeans_np.colors import lab_from_rgb
from kmeans_np.files import png_bytes
from kmeans_np.lloyd import Array, Floats

# Heights in pixels.
BAR, GAP = 24, 12
# The largest side of a picture in a notebook, in pixels.
NOTEBOOK = 640
# The number of colors that are listed there.
LISTED = 32
# Well-separated colors are chosen among this many levels of each channel.
LEVELS = 16


def above_its_colors(
    image: Array, palette: Array | None = None, shares: Array | None = None
) -> Array:
    """Return an RGB picture above a bar of its colors, each as wide as its share.

    Without palette and shares, the place of the bar is empty. The result is RGBA with
    transparent gaps, to fit light and dark pages.
    """
    rows, columns, _ = image.shape
    picture = np.zeros((rows + GAP + BAR, columns, 4), np.uint8)
    picture[:rows] = np.dstack([image, np.full((rows, columns), 255, np.uint8)])
    if palette is not None and shares is not None:
        ends = np.rint(np.cumsum(shares) * columns).astype(int)
        for start, end, color in zip([0, *ends], ends, palette):
            picture[rows + GAP :, start:end] = [*color, 255]
    return picture


def in_a_row(pictures: list[Array]) -> Array:
    """Return RGBA pictures of the same height side by side, with gaps."""
    gap = np.zeros((len(pictures[0]), GAP, 4), np.uint8)
    row = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(row[1:], axis=1)


def separated_colors(k: int) -> Array:
    """Return k colors, (k, 3) of uint8, that are easy to tell apart.

    Each next color is the farthest, in CIELAB, from all before, and from black and
    white [1]_. When there are no more colors, they repeat.

    References
    ----------
    .. [1] C. Glasbey et al., "Colour displays for categorical images", Color Research
       and Application 32 (2007), 304-309. :doi:`10.1002/col.20327`
    """
    levels = np.linspace(0, 1, LEVELS)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    lab = lab_from_rgb(colors)
    taken, chosen = lab_from_rgb(np.array([[0, 0, 0], [1, 1, 1]])), []
    nearest = np.min([np.square(lab - one).sum(axis=1) for one in taken], axis=0)
    for _ in range(min(k, len(lab))):
        chosen.append(int(nearest.argmax()))
        distances = np.square(lab - lab[chosen[-1]]).sum(axis=1)
        np.minimum(nearest, distances, out=nearest)
    found = np.rint(colors[chosen] * 255).astype(np.uint8)
    return found.take(np.arange(k) % len(found), axis=0)


class Screen(NamedTuple):
    """The conversion of the colors of an image to RGB of uint8.

    An image of uint8 with 1 or 3 channels is shown as it is. Other images with 3
    channels are scaled from their smallest to their largest value; with more or fewer
    channels, each channel is scaled on its own, and their mean is shown.
    """

    # The value shown as 0, and the difference to the value shown as 255: (3,),
    # (channels,) or (1,).
    low: Floats
    width: Floats
    as_it_is: bool = False

    def rgb(self, colors: Array) -> Array:
        """Return colors (..., channels) as RGB."""
        if not self.as_it_is:
            # Excluded pixels may have any values.
            with np.errstate(all="ignore"):
                share = (colors.astype(np.float64) - self.low) / self.width
                share = np.nan_to_num(np.clip(share, 0, 1))
            if colors.shape[-1] != 3:
                share = share.mean(axis=-1, keepdims=True)
            colors = np.rint(share * 255).astype(np.uint8)
        return np.broadcast_to(colors, (*colors.shape[:-1], 3))


def screen(image: Array, part: Array) -> Screen:
    """Return how to show an image with channels, of which `part` is segmented."""
    channels = image.shape[-1]
    if image.dtype == np.uint8 and channels in (1, 3):
        return Screen(np.zeros(1), np.ones(1), as_it_is=True)
    inside = [image[..., channel][part] for channel in range(channels)]
    low = np.array([float(values.min()) for values in inside])
    high = np.array([float(values.max()) for values in inside])
    if channels == 3:
        low, high = np.full(3, low.min()), np.full(3, high.max())
    return Screen(low, np.where(high > low, high - low, 1.0))


def label_overlay(
    image: Array, labels: Array, k: int, alpha: float, outline: bool
) -> Array:
    """Draw labels, 0 to k - 1 or -1, in separated colors over an image with channels.

    The picture is RGB of uint8, as described in `kmeans_np.Segmentation.overlay`.
    """
    inside = labels >= 0
    shows = screen(image, inside)
    picture = np.empty((*labels.shape, 3), np.uint8)
    colors = separated_colors(k) * alpha
    # One plane or row at a time, since 64 bits per channel would be much for all.
    for strip, here, number, seen in zip(picture, inside, labels, image):
        strip[...] = shows.rgb(seen)
        mixed = colors[number[here]] + strip[here] * (1 - alpha)
        strip[here] = np.rint(mixed)
    if outline:
        edge: Array = np.zeros(labels.shape, bool)
        for one, other in (
            ((..., slice(-1), slice(None)), (..., slice(1, None), slice(None))),
            ((..., slice(-1)), (..., slice(1, None))),
        ):
            differ = labels[one] != labels[other]
            # The line is drawn on the first of the two pixels, if that is included.
            edge[one] |= differ & inside[one]
            edge[other] |= differ & ~inside[one]
        dark = picture[edge].mean(axis=-1, keepdims=True) < 128
        picture[edge] = np.where(dark, 255, 0)
    return picture


def segmentation_in_html(
    image: Array,
    part: Array,
    visible: Array | None,
    palette: Array,
    shares: Array,
    heading: str,
) -> str:
    """Return HTML that shows a segmented image above its palette.

    For the image, `part` and `visible` see `picture_in_html`, for the rest
    `palette_in_html`.
    """
    return (
        f'<figure style="margin:0;max-width:{NOTEBOOK}px">'
        f"{picture_in_html(image, part, visible)}"
        f"{palette_in_html(palette, screen(image, part), shares, heading)}</figure>"
    )


def picture_in_html(
    image: Array, part: Array, visible: Array | None, longest: int = NOTEBOOK
) -> str:
    """Return an image (..., rows, columns, channels) in HTML; of a volume the middle.

    `part` is the mask of segmented pixels, and `visible`, if there is alpha, that of
    visible ones. It is shown with at most `longest` rows and columns.
    """
    middle = (len(image) // 2,) if image.ndim == 4 else ()
    step = -(-max(part[middle].shape) // longest)
    shown = screen(image, part).rgb(image[middle][::step, ::step])
    if visible is not None:
        opacity = np.where(visible[middle][::step, ::step], 255, 0)
        shown = np.dstack([shown, opacity.astype(np.uint8)])
    content = b2a_base64(png_bytes(shown), newline=False).decode("ascii")
    return (
        f'<img alt="the segmented image" src="data:image/png;base64,{content}" '
        'style="max-width:100%">'
    )


def palette_in_html(palette: Array, shows: Screen, shares: Array, heading: str) -> str:
    """Return a caption in HTML: a heading, and the largest 32 colors with their shares.

    `shows` is how the colors are shown.
    """
    swatches = shows.rgb(palette)
    entries = "".join(
        '<span style="display:inline-block;margin:0 1em 0 0;white-space:nowrap">'
        '<span style="display:inline-block;width:1em;height:1em;'
        f"vertical-align:middle;border:1px solid #888;background:rgb({r},{g},{b})"
        f'"></span> <code>{color_name(color)}</code> {share:.1%}</span>'
        for (r, g, b), color, share in zip(
            swatches[:LISTED].tolist(), palette, shares.tolist()
        )
    )
    more = len(swatches) - LISTED
    entries += f" and {more} more" if more > 0 else ""
    return f"<figcaption><div>{heading}</div><div>{entries}</div></figcaption>"


def color_name(color: Array) -> str:
    """Return a color as #rrggbb, or as its numbers if it is no RGB of 8 bits."""
    if color.dtype == np.uint8 and color.size == 3:
        return f"#{color.tobytes().hex()}"
    return " ".join(f"{value:.4g}" for value in color.ravel().tolist())
