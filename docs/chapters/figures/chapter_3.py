"""The figures of chapter 3: the same in NumPy, line by line."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from style import CLUSTERS, INK, LINE, SOFT, save

from kmeans_np import assign, lloyd, sample_image
from kmeans_np.lloyd import squared_distances

POINTS = np.array([[3, 4], [4, 1], [2, 1], [9, 4], [8, 5], [7, 6]])


def draw_cells(ax: Axes, left: float, table: np.ndarray, title: str) -> None:
    """Draw a table of whole numbers, its left edge at `left`."""
    rows, columns = table.shape
    for row, column in np.ndindex(rows, columns):
        place = (left + column, row)
        ax.add_patch(Rectangle(place, 1, 1, facecolor="white", edgecolor=LINE))
        how = {"ha": "center", "va": "center", "fontsize": 10}
        ax.text(place[0] + 0.5, row + 0.5, f"{table[row, column]:.0f}", **how)
    middle = left + columns / 2
    ax.text(middle, -0.75, title, ha="center", va="center", weight="bold", fontsize=9.5)
    shape = f"({rows}, {columns})" if title != "labels" else f"({rows},)"
    ax.text(middle, -0.28, shape, ha="center", va="center", color=SOFT, fontsize=9)


def draw_table() -> None:
    """Draw the points, the centroids, the table of distances, and its labels."""
    centroids = POINTS[[0, 1]]
    distances = np.stack([squared_distances(POINTS, c) for c in centroids], axis=1)
    labels, _ = assign(POINTS, centroids)
    figure = Figure(figsize=(7.5, 3.6), layout="none")
    ax = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    ax.set(xlim=(-0.2, 14.6), ylim=(6.1, -1.1))
    ax.set_axis_off()
    draw_cells(ax, 0.4, POINTS, "points")
    draw_cells(ax, 4.2, centroids, "centroids")
    draw_cells(ax, 8.0, distances, "distances")
    draw_cells(ax, 12.9, labels[:, np.newaxis], "labels")
    for row, name in enumerate("ABCDEF"):
        ax.text(0.15, row + 0.5, name, ha="center", va="center", color=SOFT)
    for number in (0, 1):
        how = {"ha": "center", "va": "center", "weight": "bold"}
        ax.text(3.95, number + 0.5, number, color=CLUSTERS[number], **how)
    for row, label in enumerate(labels):
        color = CLUSTERS[label]
        for place in ((8.0 + label, row), (12.9, row)):
            ax.add_patch(Rectangle(place, 1, 1, facecolor=color, alpha=0.22))
        how = {"arrowstyle": "-|>", "color": color, "shrinkA": 2, "shrinkB": 2}
        ends = {"xy": (12.9, row + 0.5), "xytext": (10.05, row + 0.5)}
        ax.annotate("", arrowprops=how, **ends)
    ax.text(11.5, -0.5, "argmin", ha="center", va="center", family="monospace")
    ax.text(7.1, 3, "a row for each point,\na column for\neach centroid", ha="right",
            va="center", color=SOFT, fontsize=9)  # fmt: skip
    save(figure, "3-table")


def draw_crop() -> None:
    """Draw the crop, and the crop in the colors of its three centroids."""
    crop = sample_image()[120:200, 270:370]
    points = crop.reshape(-1, 3).astype(float)
    steps = list(lloyd(points, points[[0, 4000, 7999]]))
    centroids = steps[-1].new_centroids
    labels, _ = assign(points, centroids)
    painted = centroids[labels].round().astype(np.uint8).reshape(crop.shape)
    figure = Figure(figsize=(7.5, 3.2))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    titles = ["the crop", "its pixels in the colors of their centroids"]
    for ax, image, title in zip(figure.subplots(1, 2), (crop, painted), titles):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(title, color=INK, fontsize=10)
        ax.set_axis_off()
    save(figure, "3-crop")


if __name__ == "__main__":
    draw_table()
    draw_crop()
