"""The figures of chapter 6, from the names that the chapter's own code makes."""

import contextlib
import doctest
import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import ACCENT, CLUSTERS, INK, PAPER, SOFT, save

from kmeans_np import assign, lloyd
from kmeans_np.seeding import random_points

PAGE = Path(__file__).parents[1] / "6-starts-k-and-limits.md"


def run_page() -> dict[str, Any]:
    """Run the code of the chapter, and return what it named."""
    names: dict[str, Any] = {}
    text = PAGE.read_text(encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        for example in doctest.DocTestParser().get_examples(text):
            exec(example.source, names)
    return names


def show_clusters(
    ax: Axes, points: np.ndarray, labels: np.ndarray, centroids: np.ndarray
) -> None:
    """Draw points in the colors of their clusters, and the centroids as crosses."""
    colors = np.array(CLUSTERS)[labels]
    ax.scatter(*points.T, c=colors, s=14, alpha=0.8, linewidths=0)
    ax.scatter(*centroids.T, marker="X", s=80, c=INK, edgecolors=PAPER, linewidths=1)
    ax.set_aspect("equal")
    ax.set_axis_off()


def draw_two_ends(points: np.ndarray, ends: list[float]) -> None:
    """Draw a good end and the most frequent kind of bad one."""
    best = min(ends)
    # One centroid too many in one group, and one too few in two others.
    bad = next(i for i, end in enumerate(ends) if 4 * best < end < 6 * best)
    figure = Figure(figsize=(7, 3.4))
    figure.get_layout_engine().set(wspace=0.12)
    for ax, seed in zip(figure.subplots(1, 2), (ends.index(best), bad)):
        rng = np.random.default_rng(seed)
        start = random_points(points, 5, np.ones(len(points)), rng)
        *_, last = lloyd(points, start, tol=0)
        show_clusters(ax, points, last.labels, last.new_centroids)
        ax.set_title(f"seed {seed}: inertia {last.inertia:.1f}")
    save(figure, "6-two-ends")


def draw_elbow(ks: list[int], left: dict[str, np.ndarray]) -> None:
    """Draw what is left of the inertia over k, for three kinds of data."""
    titles = ("three groups", "no groups", "the picture")
    figure = Figure(figsize=(8, 2.9))
    axes = figure.subplots(1, 3, sharey=True)
    for ax, title, percents in zip(axes, titles, left.values()):
        ax.plot(ks, percents, color=SOFT)
        ax.scatter(ks, percents, s=28, color=CLUSTERS[0], zorder=3)
        ax.set(title=title, xlabel="k", xticks=ks, ylim=(0, 105))
    for ax, k, word in ((axes[0], 3, "elbow"), (axes[1], 4, "a bend all the same")):
        height = left["groups" if k == 3 else "even"][k - 1]
        ax.scatter(k, height, s=40, color=ACCENT, zorder=4)
        arrow = {"arrowstyle": "-", "color": ACCENT, "linewidth": 1, "shrinkB": 5}
        place = (k + 0.3, height + 28)
        ax.annotate(word, (k, height), place, color=ACCENT, arrowprops=arrow)
    axes[0].set_ylabel("inertia left, in %")
    save(figure, "6-elbow")


def draw_limits(names: dict[str, Any]) -> None:
    """Draw rings, moons and unequal groups in the colors of their clusters."""
    figure = Figure(figsize=(8, 2.7))
    shown = (
        ("two rings", names["rings"], names["ring_labels"]),
        ("two moons", names["moons"], names["moon_labels"]),
        ("wide and narrow", names["unequal"], names["answer"].labels),
    )
    for ax, (title, points, labels) in zip(figure.subplots(1, 3), shown):
        means = np.stack([points[labels == label].mean(axis=0) for label in (0, 1)])
        assert np.array_equal(assign(points, means)[0], labels)
        show_clusters(ax, points, labels, means)
        low, high = points.min(axis=0), points.max(axis=0)
        draw_border(ax, means, low, high)
        ax.set_title(title, loc="center")
    save(figure, "6-limits")


def draw_border(
    ax: Axes, centroids: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    """Draw where both centroids are equally far, within the box of the points."""
    middle = centroids.mean(axis=0)
    across = centroids[1] - centroids[0]
    along = np.array([-across[1], across[0]]) / np.hypot(*across)
    ts = np.linspace(-1, 1, 2001)[:, np.newaxis] * np.hypot(*(high - low))
    line = middle + ts * along
    inside = ((line >= low) & (line <= high)).all(axis=1)
    ax.plot(*line[inside].T, color=INK, linewidth=1, linestyle=(0, (4, 3)))


def draw_position(image: np.ndarray, same_cluster: dict[int, np.ndarray]) -> None:
    """Draw the picture, and one cluster without and with a position weight."""
    figure = Figure(figsize=(7, 1.98))
    panels = {"the picture": image}
    for weight, sky in same_cluster.items():
        # In few gray levels: they are only there to know one's way about.
        gray = image.mean(axis=2, keepdims=True) // 32 * 32
        faded = np.repeat(212 + 0.15 * gray, 3, axis=2).astype(np.uint8)
        panels[f"position_weight {weight}"] = np.where(sky[..., None], image, faded)
    for ax, (title, panel) in zip(figure.subplots(1, 3), panels.items()):
        ax.imshow(panel[::2, ::2], interpolation="nearest")
        ax.set_title(title)
        ax.set_axis_off()
    save(figure, "6-position")


if __name__ == "__main__":
    names = run_page()
    draw_two_ends(names["points"], names["ends"])
    draw_elbow(names["ks"], names["left"])
    draw_limits(names)
    draw_position(names["image"], names["same_cluster"])
