"""Tables of cases, of which the default suite takes a selection, the gate all."""

from itertools import product

import pytest
from hypothesis import settings

# For laws whose examples take long: a fifth of the number of the others.
few_examples = settings(max_examples=settings.default.max_examples // 5)


def chosen(cases, *usual):
    """Mark all cases as slow but the usual ones, for `pytest.mark.parametrize`."""
    return [
        case if case in usual else pytest.param(case, marks=pytest.mark.slow)
        for case in cases
    ]


def crossed(*axes, usual=None):
    """Combine the values of all axes, for `pytest.mark.parametrize`.

    Those off the diagonal, in which each value of each axis has its turn, are slow; of
    the first axis, only the usual values have theirs, if there are some.
    """
    axes = [[*axis] for axis in axes]
    turns = [[*(usual or axes[0])], *axes[1:]]
    longest = max(map(len, turns))
    diagonal = [tuple(axis[i % len(axis)] for axis in turns) for i in range(longest)]
    return [
        case if case in diagonal else pytest.param(*case, marks=pytest.mark.slow)
        for case in product(*axes)
    ]
