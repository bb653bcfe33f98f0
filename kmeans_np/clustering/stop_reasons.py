"""Why a run stopped, in words."""

from typing import NamedTuple

from kmeans_np.checks import pluralize


class StopReason(NamedTuple):
    """A reason to stop."""

    # How long the run went on, or why no longer: what follows "after 3 steps, ".
    until: str
    # The same as what is so now: what follows "stopped: ".
    because: str


# Those of `kmeans_np.lloyd.stop_reason`, and what else can end a run. A {noun} is a
# pixel or a point.
STOP_REASONS = {
    "labels": StopReason(
        "until no {noun} changed cluster", "no {noun} changes cluster any more"
    ),
    "tol": StopReason("until the colors hardly moved", "the centroids hardly move"),
    "max_iter": StopReason("which was the limit", "no more were allowed"),
    "callback": StopReason("when the callback said so", "the callback said so"),
}


def describe_stop(n_iter: int, stopped_by: str) -> str:
    """Say in words after how many steps a run stopped, and by what."""
    return f"stopped by {stopped_by!r} after {pluralize(n_iter, 'step')}"
