"""Four small runs in which something happens that one should have seen."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kmeans_np.explanation.recording import Recording, record
from kmeans_np.explanation.subject import Subject, subject_of_image, subject_of_points


class Question(NamedTuple):
    """What is asked before it is shown."""

    # The name of the move at which it is asked; the next one shows the answer.
    move: str
    text: str
    # What may be answered; and which is right, its number.
    choices: tuple[str, ...]
    right: int


class Example(NamedTuple):
    """A prepared run."""

    # What it is called in addresses and on the page, and what there is to see.
    name: str
    title: str
    words: str
    material: Subject
    run: Recording
    question: Question | None = None


# What is asked of each, by its name.
QUESTIONS = {
    "bad-start": Question(
        "choose",
        "Two of the three centroids start in the same group. Where will they "
        "be at the end?",
        (
            "One of them moves over to the group that has none.",
            "Both stay in the group in which they start.",
            "One of them is given up.",
        ),
        1,
    ),
    "empty-cluster": Question(
        "assign-1",
        "No point has joined cluster 2. What will happen to its centroid?",
        (
            "It jumps to the point that is farthest from the centroid it has joined.",
            "It stays where it is, without points.",
            "It is taken away: two clusters are left.",
        ),
        0,
    ),
    "tie": Question(
        "choose",
        "The point in the middle is as far from centroid 0 as from centroid 1. "
        "Which will it join?",
        (
            "Neither: it is in no cluster.",
            "Centroid 1.",
            "Centroid 0.",
        ),
        2,
    ),
    "k-above-the-colors": Question(
        "choose",
        "There are three colors and five centroids, two of them at colors that "
        "others have. How many clusters will have pixels?",
        ("Five: equal centroids share their pixels.", "Three.", "Four."),
        1,
    ),
}


def examples() -> list[Example]:
    """Return the four prepared runs."""
    # Three groups of 30 points each.
    centers = np.array([[2.0, 2.0], [8.0, 2.5], [5.0, 8.0]])
    spread = np.random.default_rng(5).normal(0, 0.7, (3, 30, 2))
    blobs = (centers[:, np.newaxis] + spread).reshape(-1, 2).round(2)
    seven = [[0, 1], [0, 3], [1, 2], [4, 2], [7, 2], [8, 1], [8, 3]]
    flag = np.full((6, 9, 3), [200, 60, 45], np.uint8)
    flag[:, 3:6] = [240, 225, 190]
    flag[:, 6:] = [40, 85, 130]
    return [
        _example(
            "bad-start",
            "Bad start",
            "Three groups, but two of the three starting centroids lie in the same "
            "one. They share it to the end, and the third has to serve two groups: the "
            "inertia is about nine times that of the three groups that you see. No "
            "step is wrong. K-means only finds an answer that neither move improves, "
            "so it is run from several starts, of which the best is kept.",
            subject_of_points(blobs),
            [blobs[3], blobs[7], blobs[40]],
        ),
        _example(
            "empty-cluster",
            "Empty cluster",
            "Centroid 2 starts far from everything: no point is nearer to it than to "
            "another, and no points have no mean. So its centroid restarts at the "
            "point that is farthest from the centroid it has joined. A program that "
            "divides anyway gets 0 / 0, \u201cnot a number\u201d, which argmin then "
            "takes for the smallest of all distances.",
            subject_of_points(blobs),
            [blobs[0], blobs[45], [14.0, 11.0]],
        ),
        _example(
            "tie",
            "Tie",
            "The point in the middle is exactly as far from centroid 0 as from "
            "centroid 1. The rule is: the lower number wins. Without a rule, the "
            "answer would depend on the program; with it, all give the same.",
            subject_of_points(np.array(seven, np.float64)),
            [[1.0, 2.0], [7.0, 2.0]],
        ),
        _example(
            "k-above-the-colors",
            "k above the colors",
            "This picture has three colors, and five clusters were asked for. Two "
            "centroids start on colors that others have already: they lose every tie "
            "and stay empty, since there is no color left to restart at. The package "
            "answers with three clusters and says so in a warning.",
            subject_of_image(flag, None, -1, "auto"),
            [flag[0, column] / 255 for column in (0, 4, 8, 4, 0)],
        ),
    ]


def _example(
    name: str,
    title: str,
    words: str,
    material: Subject,
    start: ArrayLike,
) -> Example:
    centroids = np.array(start, np.float64)
    run = record(material.points, material.weights, centroids, max_iter=300, tol=1e-4)
    return Example(name, title, words, material, run, QUESTIONS[name])
