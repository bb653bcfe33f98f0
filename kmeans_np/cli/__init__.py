"""The command line: what it reads and writes, what it does, and what it says."""

from kmeans_np.cli.arguments import build_parser
from kmeans_np.cli.messages import (
    PROBLEMS,
    discard_stdout,
    quieted,
    report,
    status_of,
)
from kmeans_np.cli.streams import streams
