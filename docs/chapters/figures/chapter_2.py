"""The figures of chapter 2: K-means in four steps, by hand on six points."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from style import ACCENT, CLUSTERS, INK, LINE, PAPER, SOFT, save

from kmeans_np import assign, lloyd, update

NAMES = "ABCDEF"
POINTS = np.array([[3, 4], [4, 1], [2, 1], [9, 4], [8, 5], [7, 6]])
START = POINTS[[0, 1]]
WIDE, HIGH = 10.5, 7


def plane(title: str, points: np.ndarray, labels: np.ndarray | None) -> tuple:
    """Return a figure and its axes with the six points, in the colors of labels."""
    figure = Figure(figsize=(5.2, 3.85))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    ax = figure.subplots()
    ax.set(xlim=(0, WIDE), ylim=(0, HIGH), aspect="equal", title=title)
    ax.set(xlabel="across", ylabel="up", xticks=range(11), yticks=range(8))
    ax.grid(color=LINE, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    colors = [SOFT] * 6 if labels is None else [CLUSTERS[label] for label in labels]
    ax.scatter(*points.T, c=colors, s=170, zorder=3)
    for name, (across, up) in zip(NAMES, points):
        how = {"ha": "center", "va": "center_baseline", "fontsize": 9, "zorder": 6}
        ax.text(across, up, name, color="white", weight="bold", **how)
    return figure, ax


def free_side(place: np.ndarray, taken: list) -> np.ndarray:
    """Return the direction from a place that is farthest from those that are taken."""
    ways = np.array([other - place for other in taken if (other != place).any()])
    turns = np.arange(3, 35) * np.pi / 16
    sides = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    if len(ways) == 0:
        return sides[9]
    ways = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    return sides[(sides @ ways.T).max(axis=1).argmin()]


def draw_centroids(ax: Axes, centroids: np.ndarray, lines_to: list) -> None:
    """Draw the centroids as rings, with their numbers where no line goes."""
    for number, place in enumerate(centroids):
        color = CLUSTERS[number]
        how = {"facecolor": "none", "edgecolor": color, "zorder": 5}
        ax.scatter(*place, s=380, linewidth=2.5, **how)
        ax.scatter(*place, s=18, color=color, zorder=2.5)
        where = place + 0.6 * free_side(place, lines_to[number])
        how = {"ha": "center", "va": "center_baseline", "fontsize": 11}
        ax.text(*where, number, color=color, weight="bold", **how)


def draw_halves(ax: Axes, centroids: np.ndarray) -> None:
    """Tint the places that are nearer to one centroid than to the other."""
    up, across = np.mgrid[0:HIGH:281j, 0:WIDE:421j]
    labels, _ = assign(np.stack([across.ravel(), up.ravel()], axis=1), centroids)
    how = {"cmap": ListedColormap(CLUSTERS[:2]), "alpha": 0.09, "zorder": 0}
    labels = labels.reshape(up.shape)
    ax.imshow(labels, origin="lower", extent=(0, WIDE, 0, HIGH), aspect="equal", **how)


def draw_assign(name: str, step: object, changed: list[int]) -> None:
    """Draw one assign: a line from every point to its centroid, the square beside."""
    title = f"assign {step.iteration}: inertia {step.inertia:.0f}"
    figure, ax = plane(title, POINTS, step.labels)
    draw_halves(ax, step.centroids)
    _, distances = assign(POINTS, step.centroids)
    for point, label, square in zip(POINTS, step.labels, distances):
        centroid, color = step.centroids[label], CLUSTERS[label]
        ax.plot(*np.transpose([point, centroid]), color=color, lw=1.5, zorder=2)
        if square > 0:
            how = {"ha": "center", "va": "center", "fontsize": 9, "color": INK}
            box = {
                "boxstyle": "round,pad=0.12",
                "facecolor": PAPER,
                "edgecolor": "none",
            }
            ax.text(*(point + centroid) / 2, f"{square:.0f}", bbox=box, zorder=4, **how)
    for number in changed:
        how = {"facecolor": "none", "edgecolor": INK, "linestyle": ":", "zorder": 4}
        ax.scatter(*POINTS[number], s=360, linewidth=1.5, **how)
    draw_centroids(ax, step.centroids, [POINTS[step.labels == j] for j in (0, 1)])
    save(figure, name)


def draw_update(name: str, step: object) -> None:
    """Draw one update: an arrow from every centroid to the mean of its points."""
    inertia = ((POINTS - step.new_centroids[step.labels]) ** 2).sum()
    title = f"update {step.iteration}: inertia {inertia:.0f}"
    figure, ax = plane(title, POINTS, step.labels)
    for point, label in zip(POINTS, step.labels):
        ends = np.transpose([point, step.new_centroids[label]])
        ax.plot(*ends, color=CLUSTERS[label], lw=1, alpha=0.4, zorder=1)
    for number, (old, new) in enumerate(zip(step.centroids, step.new_centroids)):
        how = {"color": CLUSTERS[number], "lw": 2.2, "shrinkA": 10, "shrinkB": 10}
        how |= {"arrowstyle": "-|>", "mutation_scale": 15}
        ax.annotate("", xy=new, xytext=old, arrowprops=how, zorder=4)
        how = {"facecolor": "none", "edgecolor": CLUSTERS[number], "alpha": 0.35}
        ax.scatter(*old, s=380, linewidth=2.5, zorder=2, **how)
    lines_to = [
        [*POINTS[step.labels == number], step.centroids[number]] for number in (0, 1)
    ]
    draw_centroids(ax, step.new_centroids, lines_to)
    save(figure, name)


def draw_choose() -> None:
    """Draw the six points, two of them chosen."""
    figure, ax = plane("choose: two of the points", POINTS, None)
    draw_centroids(ax, START, [[], []])
    save(figure, "2-choose")


def draw_mean(across: np.ndarray) -> None:
    """Draw the sum of squares of three numbers from every place on their axis."""
    figure = Figure(figsize=(5.2, 3.4))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    ax = figure.subplots()
    places = np.linspace(2.5, 9.5, 141)
    sums = ((across[:, np.newaxis] - places) ** 2).sum(axis=0)
    ax.plot(places, sums, color=CLUSTERS[0])
    for place in (3, 5, 6, 7):
        height = ((across - place) ** 2).sum()
        mean = place == across.mean()
        ax.scatter(place, height, color=ACCENT if mean else CLUSTERS[0], zorder=3)
        words = f"{height}, at the mean" if mean else str(height)
        side = {6: (0, -15, "center"), 3: (8, 3, "left"), 5: (-7, -11, "right")}
        right, above, align = side.get(place, (7, -11, "left"))
        how = {"textcoords": "offset points", "ha": align}
        ax.annotate(words, (place, height), xytext=(right, above), **how)
    ax.scatter(across, [0] * 3, color=INK, s=40, zorder=3, clip_on=False)
    for number, name in zip(across, "AEF"):
        ax.annotate(name, (number, 0), xytext=(0, 6), textcoords="offset points",
                    ha="center", weight="bold")  # fmt: skip
    ax.set(xlim=(2.4, 9.6), ylim=(0, 50), xticks=range(3, 10), yticks=range(0, 51, 10))
    ax.set(xlabel="where the centroid stands, across", ylabel="sum of squares, across")
    save(figure, "2-mean")


def draw_inertia(steps: list) -> None:
    """Draw the inertia after every move."""
    moves, values = [], []
    for step in steps:
        after = ((POINTS - step.new_centroids[step.labels]) ** 2).sum()
        moves += [f"assign {step.iteration}", f"update {step.iteration}"]
        values += [step.inertia, after]
    # The run stops at the last assign.
    moves, values = moves[:-1], values[:-1]
    figure = Figure(figsize=(7, 2.9))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    ax = figure.subplots()
    ax.plot(moves, values, color=SOFT, zorder=1)
    colors = [ACCENT if move.startswith("assign") else CLUSTERS[0] for move in moves]
    ax.scatter(moves, values, c=colors, s=60, zorder=2)
    for place, value in enumerate(values):
        ax.annotate(f"{value:.0f}", (place, value), xytext=(5, 6),
                    textcoords="offset points", weight="bold")  # fmt: skip
    ax.set(ylim=(0, 96), yticks=[0, 40, 80], ylabel="inertia", xlim=(-0.3, 4.4))
    save(figure, "2-inertia")


if __name__ == "__main__":
    steps = list(lloyd(POINTS, START))
    draw_choose()
    previous = steps[0].labels
    for step in steps:
        changed = np.flatnonzero(step.labels != previous).tolist()
        draw_assign(f"2-assign-{step.iteration}", step, changed)
        if step.stopped_by is None:
            draw_update(f"2-update-{step.iteration}", step)
        previous = step.labels
    # The points of cluster 0 after the first assign are A, E and F.
    first = update(POINTS, steps[0].labels, START)
    assert first.tolist() == [[6, 5], [5, 2]]
    draw_mean(POINTS[[0, 4, 5], 0])
    draw_inertia(steps)
