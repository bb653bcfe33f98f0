"""Why a run stopped, in words."""

from typing import NamedTuple

from kmeans_np.checks import pluralize


class StopReason(NamedTuple):
    """A reason to stop."""

    # How the run ended, after some {steps}.
    end: str
    # The state at the end, which follows "stopped: ".
    because: str


# The reasons of `kmeans_np.lloyd.stop_reason`, and others that can end a run. A {noun}
# is a pixel or a point.
STOP_REASONS = {
    "labels": StopReason("converged in {steps}", "no {noun} changes cluster any more"),
    "tol": StopReason("converged in {steps}", "the centroids hardly move"),
    "max_iter": StopReason("stopped at the limit of {steps}", "no more were allowed"),
    "callback": StopReason(
        "stopped by the callback after {steps}", "the callback said so"
    ),
}


def describe_stop(n_iter: int, stopped_by: str, n_starts: int = 1) -> str:
    """Return in words after how many steps a run stopped, and why."""
    stop = f"stopped by {stopped_by!r} after {pluralize(n_iter, 'step')}"
    return f"best of {n_starts:,} starts, {stop}" if n_starts > 1 else stop
