"""The figures of chapter 1: an image is a tensor."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from style import ACCENT, INK, LINE, PAPER, SOFT, save

from kmeans_np import sample_image

SKY, SUN, HILL, LAKE = [90, 150, 210], [250, 220, 120], [50, 110, 60], [20, 80, 110]
TINY = np.array(
    [
        [SKY, SKY, SKY, SKY],
        [SKY, SUN, SKY, HILL],
        [HILL, SUN, HILL, HILL],
        [LAKE, SUN, LAKE, LAKE],
    ],
    dtype=np.uint8,
)
CELL = 16  # colors of the cloud are put together in cubes so many levels wide


def ink_on(color: np.ndarray) -> str:
    """Return the color of letters that can be read on a color."""
    return INK if color @ [0.3, 0.6, 0.1] > 125 else "white"


def reduced(image: np.ndarray, by: int) -> np.ndarray:
    """Return a smaller picture, whose pixels are the means of squares of pixels."""
    rows, columns = (length // by for length in image.shape[:2])
    blocks = image[: by * rows, : by * columns].reshape(rows, by, columns, by, -1)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8).squeeze()


def frame(ax: Axes, rows: int, columns: int) -> None:
    """Number the rows and columns, without lines around them."""
    ax.set_xticks(range(columns))
    ax.set_yticks(range(rows))
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)


def draw_tiny() -> None:
    """Draw the tiny picture, its numbers in its pixels, and its three channels."""
    figure = Figure(figsize=(8, 3.1))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    axes = figure.subplots(1, 4, width_ratios=[1.5, 1, 1, 1])
    axes[0].imshow(TINY)
    frame(axes[0], 4, 4)
    axes[0].set(xlabel="column", ylabel="row")
    axes[0].xaxis.set_label_position("top")
    for row, column in np.ndindex(4, 4):
        pixel = TINY[row, column]
        text = "\n".join(str(value) for value in pixel)
        how = {"ha": "center", "va": "center", "fontsize": 9, "color": ink_on(pixel)}
        axes[0].text(column, row, text, **how)
    for channel, name in enumerate(("red", "green", "blue")):
        ax, plane = axes[1 + channel], TINY[:, :, channel]
        ax.imshow(plane, cmap="gray", vmin=0, vmax=255)
        frame(ax, 4, 4)
        ax.tick_params(labeltop=False, labelleft=False)
        ax.set_title(f"channel {channel}: {name}", loc="center", fontsize=10)
        for row, column in np.ndindex(4, 4):
            value = plane[row, column]
            how = {"ha": "center", "va": "center", "fontsize": 9}
            ax.text(
                column, row, value, color="black" if value > 125 else "white", **how
            )
    save(figure, "1-tiny")


def draw_order() -> None:
    """Draw the tiny picture with its pixels numbered, and the list they become."""
    figure = Figure(figsize=(8, 3.4), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.7, 16.3), ylim=(7.0, -0.55), aspect="equal")
    ax.set_axis_off()
    for number, pixel in enumerate(TINY.reshape(-1, 3)):
        row, column = divmod(number, 4)
        for place in ((6 + column, row), (number - 0.2, 5.3)):
            ax.add_patch(
                Rectangle(place, 1, 1, facecolor=pixel / 255, edgecolor=PAPER, lw=2)
            )
            middle = (place[0] + 0.5, place[1] + 0.5)
            how = {"ha": "center", "va": "center", "color": ink_on(pixel)}
            ax.text(*middle, number, **how)
    for row in range(4):
        ax.text(5.8, row + 0.5, f"row {row}", ha="right", va="center", color=SOFT)
        left = 4 * row - 0.2
        ax.plot([left + 0.08, left + 3.92], [5.12, 5.12], color=SOFT, lw=1)
        ax.text(left + 2, 4.98, f"row {row}", ha="center", color=SOFT)
    ax.text(10.3, 2, "shape (4, 4, 3)", va="center")
    ax.text(7.8, 6.72, "shape (16, 3)", ha="center")
    save(figure, "1-order")


def draw_cloud() -> None:
    """Draw the built-in picture, and its colors as a cloud."""
    image = sample_image()
    points = image.reshape(-1, 3)
    _, cell, counts = np.unique(
        points // CELL, axis=0, return_inverse=True, return_counts=True
    )
    sums = [np.bincount(cell.ravel(), weights=channel) for channel in points.T]
    means = np.stack(sums, axis=1) / counts[:, np.newaxis]
    figure = Figure(figsize=(8, 4.1), layout="none")
    ax = figure.add_axes((0.015, 0.2, 0.41, 0.6))
    ax.imshow(reduced(image, 2), interpolation="nearest")
    ax.set_axis_off()
    ax = figure.add_axes((0.415, 0.0, 0.56, 1), projection="3d", computed_zorder=False)
    how = {"depthshade": False, "edgecolor": PAPER, "linewidth": 0.3}
    far_first = np.lexsort(means.T[[2, 1, 0]] * [[1], [-1], [1]])
    ax.scatter(
        *means[far_first].T, c=means[far_first] / 255, s=counts[far_first] / 12, **how
    )
    for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), ("red", "green", "blue")):
        axis.set_label_text(name, color=INK)
        axis.set_ticks([0, 128, 255])
        axis.set_pane_color((1, 1, 1, 0))
        axis.line.set_color(LINE)
        axis._axinfo["grid"]["color"] = LINE
    ax.set(xlim=(0, 255), ylim=(0, 255), zlim=(0, 255))
    ax.view_init(elev=18, azim=-55)
    ax.set_box_aspect((1, 1, 1), zoom=0.93)
    save(figure, "1-cloud")


def draw_slices() -> None:
    """Draw what four slices of the built-in picture show."""
    image = sample_image()
    figure = Figure(figsize=(8, 2.3))
    slices = {
        "image": image,
        "image[100:200, 250:350]": image[100:200, 250:350],
        "image[::-1]": image[::-1],
        "image[:, :, 2]": image[:, :, 2],
    }
    axes = figure.subplots(1, 4, width_ratios=[4, 3, 4, 4])
    for ax, (code, part) in zip(axes, slices.items()):
        how = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "nearest"}
        ax.imshow(part if len(part) == 100 else reduced(part, 3), **how)
        ax.set_title(code, loc="center", fontsize=8.5, family="DejaVu Sans Mono")
        ax.set_axis_off()
    # The picture is shown reduced, and so is the place of the square.
    side, how = 100 / 3, {"fill": False, "edgecolor": ACCENT, "linewidth": 1.5}
    axes[0].add_patch(Rectangle((250 / 3, side), side, side, **how))
    save(figure, "1-slices")


if __name__ == "__main__":
    draw_tiny()
    draw_slices()
    draw_order()
    draw_cloud()
