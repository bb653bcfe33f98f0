"""The figures of chapter 5: what goes wrong."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import CLUSTERS, INK, LINE, SOFT, save

from kmeans_np import assign, cluster_image, lloyd, sample_image
from kmeans_np.seeding import random_points

GRAY_LEVELS = [[52, 105, 43], [96, 153, 210], [50, 102, 179], [25, 87, 175]]


def naive_assign(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Assign as many first attempts do: this is the broken code of the chapter."""
    differences = points[:, np.newaxis] - centroids
    return (differences * differences).sum(axis=2).argmin(axis=1)


def naive_update(points: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Update as many first attempts do."""
    mine = [points[labels == number] for number in range(k)]
    with np.errstate(invalid="ignore"):
        return np.array([some.sum(axis=0) / len(some) for some in mine])


def draw_empty() -> None:
    """Draw what an empty cluster does to the others, and without the 0 / 0."""
    points = np.array([[0.0], [2.0], [4.0], [10.0], [12.0], [14.0]])
    start = now = np.array([[2.0], [12.0], [24.0]])
    broken = []
    for _ in range(3):
        labels = naive_assign(points, now)
        broken.append((now, labels))
        now = naive_update(points, labels, 3)
    cured = [(step.centroids, step.labels) for step in lloyd(points, start)]
    figure = Figure(figsize=(8, 3.2))
    axes = figure.subplots(3, 2)
    for column, (title, states) in enumerate(
        [("0 / 0 is NaN", broken), ("the empty cluster restarts", cured)]
    ):
        axes[0, column].set_title(title)
        for row, ax in enumerate(axes[:, column]):
            ax.set(xlim=(-3, 26), ylim=(-1.3, 0.8), yticks=[])
            ax.spines[:].set_visible(False)
            if row < 2:
                ax.set_xticks([])
            else:
                ax.set_xticks([0, 4, 10, 14, 24])
            if row < len(states):
                if column == 0:
                    ax.set_ylabel(
                        f"step {row + 1}", rotation=0, ha="right", va="center"
                    )
                draw_line(ax, points, *states[row])
            else:
                ax.text(0, -0.4, "stopped after step 2", color=SOFT)
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
    save(figure, "5-empty")


def draw_line(
    ax: Axes, points: np.ndarray, centroids: np.ndarray, labels: np.ndarray
) -> None:
    """Draw points on a line in the color of their cluster, centroids below."""
    colors = np.array(CLUSTERS)
    ax.axhline(0, color=LINE, linewidth=1, zorder=0)
    ax.scatter(points[:, 0], 0 * points[:, 0], c=colors[labels], s=60)
    lost = np.isnan(centroids[:, 0])
    ax.scatter(
        centroids[~lost, 0],
        np.full((~lost).sum(), -0.75),
        c=colors[: len(centroids)][~lost],
        marker="^",
        s=50,
    )
    for place, number in enumerate(np.flatnonzero(lost)):
        ax.text(
            19 + 3.6 * place,
            -0.75,
            "NaN",
            color=colors[number],
            weight="bold",
            ha="center",
            va="center",
        )


def draw_ties() -> None:
    """Draw whom a point in the middle joins, for two orders of the centroids."""
    points = np.array([[0.0], [2.0], [4.0], [7.0], [10.0], [12.0], [14.0]])
    figure = Figure(figsize=(8, 1.4))
    for ax, centroids in zip(figure.subplots(1, 2), ([2.0, 12.0], [12.0, 2.0])):
        now = np.array(centroids)[:, np.newaxis]
        draw_line(ax, points, now, assign(points, now)[0])
        ax.set(xlim=(-1, 15), ylim=(-1.9, 0.8), yticks=[], xticks=[0, 2, 7, 12, 14])
        ax.spines[:].set_visible(False)
        for number, place in enumerate(centroids):
            ax.text(place, -1.25, f"{number}", ha="center", va="top", color=INK)
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
    save(figure, "5-ties")


def draw_uint8(image: np.ndarray) -> None:
    """Draw the first labels in float64 and in uint8."""
    pixels, colors = image.reshape(-1, 3), np.array(GRAY_LEVELS, np.uint8)
    right, _ = assign(pixels, colors)
    wrong = naive_assign(pixels, colors)
    figure = Figure(figsize=(8, 3.35), layout="none")
    axes = figure.subplots(1, 2)
    figure.subplots_adjust(0.015, 0.02, 0.985, 0.92, wspace=0.04)
    titles = ("subtracted in float64", f"in uint8: {(right != wrong).mean():.0%} wrong")
    for ax, labels, title in zip(axes, (right, wrong), titles):
        show(ax, colors[labels].reshape(image.shape), title)
    save(figure, "5-uint8")


def draw_rectangle() -> None:
    """Draw the two answers for the corners of a rectangle."""
    points = np.array([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 2.0]])
    figure = Figure(figsize=(8, 1.7))
    for ax, start in zip(figure.subplots(1, 2), (points[:2], points[:3:2])):
        *_, step = lloyd(points, start)
        colors = np.array(CLUSTERS)
        for point, label in zip(points, step.labels):
            ax.plot(*zip(point, step.centroids[label]), color=LINE, zorder=0)
        ax.scatter(*points.T, c=colors[step.labels], s=60)
        ax.scatter(*step.centroids.T, c=colors[:2], marker="^", s=60)
        ax.set(xlim=(-1, 11), ylim=(-0.8, 2.8), xticks=[0, 5, 10], yticks=[0, 2])
        ax.set_title(f"inertia {step.inertia:.0f}")
        ax.set_aspect("equal")
        ax.spines[:].set_visible(False)
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
    save(figure, "5-rectangle")


def draw_starts(image: np.ndarray) -> None:
    """Draw the answers from two random starts."""
    pixels = image.reshape(-1, 3)
    figure = Figure(figsize=(8, 2.6), layout="none")
    axes = figure.subplots(1, 3)
    figure.subplots_adjust(0.015, 0.08, 0.985, 0.92, wspace=0.06)
    show(axes[0], image, "the picture")
    for ax, seed in zip(axes[1:], (2, 7)):
        rng = np.random.default_rng(seed)
        start = random_points(pixels, 6, np.ones(len(pixels)), rng)
        answer = cluster_image(image, 6, init=start)
        show(ax, answer.image, f"seed {seed}: {answer.inertia / 1e6:.0f} million")
        for number, color in enumerate(answer.palette[answer.palette.sum(1).argsort()]):
            strip = ax.inset_axes((number / 6, -0.12, 1 / 6, 0.085))
            strip.set(facecolor=color / 255, xticks=[], yticks=[])
            strip.spines[:].set_visible(False)
    save(figure, "5-starts")


def draw_memory() -> None:
    """Draw the bytes of each way of assigning for 12 megapixels."""
    n, d, ks = 12_000_000, 3, 2.0 ** np.arange(1, 9)
    ways = {
        "all differences at once": 8 * n * ks * d,
        "one centroid at a time": 8 * n * ks,
        "one block at a time": (4 + 8) * n + 0 * ks,
    }
    figure = Figure(figsize=(8, 3.2))
    ax = figure.subplots()
    for color, (way, size) in zip(CLUSTERS, ways.items()):
        ax.plot(ks, size, color=color)
        ax.text(280, size[-1], way, color=color, va="center")
    ax.axhline(16e9, color=SOFT, linewidth=1, linestyle=(0, (4, 4)), zorder=0)
    ax.text(2, 17.5e9, "a computer with 16 GB", color=SOFT, va="bottom")
    ax.set(xscale="log", yscale="log", xlim=(2, 256), xlabel="k")
    ax.set_title("what assign writes down for 12 megapixels")
    ax.set_xticks(ks, [f"{k:.0f}" for k in ks])
    ax.set_yticks([1e8, 1e9, 1e10, 1e11], ["100 MB", "1 GB", "10 GB", "100 GB"])
    ax.minorticks_off()
    figure.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
    save(figure, "5-memory")


def show(ax: Axes, image: np.ndarray, title: str) -> None:
    """Show every second row and column of a picture: enough for its size here."""
    ax.imshow(image[::2, ::2], interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()


if __name__ == "__main__":
    image = sample_image()
    draw_empty()
    draw_ties()
    draw_uint8(image)
    draw_rectangle()
    draw_starts(image)
    draw_memory()
