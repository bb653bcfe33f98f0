"""The figures of chapter 4: from pixels to segments."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import ACCENT, INK, LINE, SOFT, save

from kmeans_np import Step, assign, lloyd, sample_image
from kmeans_np.seeding import random_points

SHOWN = (1, 2, 5)


def run(points: np.ndarray) -> list[Step]:
    """Return the steps of the chapter, from its four random points."""
    rng = np.random.default_rng(0)
    return list(lloyd(points, random_points(points, 4, np.ones(len(points)), rng)))


def draw_steps(image: np.ndarray, steps: list[Step]) -> None:
    """Draw the picture as some steps see it, and the inertia of all."""
    figure = Figure(figsize=(8, 5.0), layout="none")
    axes = figure.subplots(2, 3).ravel()
    figure.subplots_adjust(0.015, 0.075, 0.985, 0.94, wspace=0.06, hspace=0.27)
    shown = [steps[number - 1] for number in SHOWN] + [steps[-1]]
    show(axes[0], image, "the picture")
    for ax, step in zip(axes[1:], shown):
        painted = step.centroids[step.labels].reshape(image.shape)
        show(ax, painted, f"step {step.iteration}: inertia {step.inertia:,.0f}")
        for number, color in enumerate(step.centroids):
            strip = ax.inset_axes((number / 4, -0.12, 1 / 4, 0.085))
            strip.set(facecolor=color, xticks=[], yticks=[])
            strip.spines[:].set_visible(False)
    curve = axes[5]
    curve.plot(range(1, len(steps) + 1), [step.inertia for step in steps], color=SOFT)
    marked = [(step.iteration, step.inertia) for step in shown]
    curve.scatter(*zip(*marked), color=ACCENT, zorder=3)
    curve.set_xticks([1, 5, 10, 15, 22])
    curve.set_yticks([0, 10_000, 20_000], ["0", "10,000", "20,000"])
    curve.set_ylim(0)
    curve.set_title("inertia of every step")
    place = curve.get_position()
    curve.set_position((place.x0 + 0.07, place.y0, place.width - 0.07, place.height))
    save(figure, "4-steps")


def show(ax: Axes, image: np.ndarray, title: str) -> None:
    """Show every second row and column of a picture: enough for its size here."""
    ax.imshow(image[::2, ::2], interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()


def draw_cloud(points: np.ndarray, steps: list[Step]) -> None:
    """Draw every 50th point in the space of colors, before and after."""
    centroids = steps[-1].new_centroids
    labels, _ = assign(points, centroids)
    few = slice(None, None, 50)
    figure = Figure(figsize=(8, 3.9), layout="none")
    for number, title in enumerate(["the colors of the picture", "their clusters"]):
        place = (number * 0.5 - 0.03, 0, 0.5, 0.94)
        ax = figure.add_axes(place, projection="3d", computed_zorder=False)
        colors = (points if number == 0 else centroids[labels])[few]
        ax.scatter(*points[few].T, c=colors, s=3, depthshade=False, rasterized=True)
        if number:
            how = {"s": 130, "edgecolor": "white", "linewidth": 2, "depthshade": False}
            ax.scatter(*centroids.T, c=centroids, **how)
        for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), ("red", "green", "blue")):
            axis.set_label_text(name, color=INK)
            axis.set_ticks([0, 0.5, 1], ["0", "0.5", "1"])
            axis.set_pane_color((1, 1, 1, 0))
            axis.line.set_color(LINE)
            axis._axinfo["grid"]["color"] = LINE
        ax.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
        ax.view_init(elev=18, azim=-55)
        ax.set_box_aspect((1, 1, 1), zoom=0.93)
        ax.set_title(title, loc="center", y=0.98)
    save(figure, "4-cloud")


if __name__ == "__main__":
    image = sample_image()
    points = (image / 255).reshape(-1, 3)
    steps = run(points)
    draw_steps(image, steps)
    draw_cloud(points, steps)
