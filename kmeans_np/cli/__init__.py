"""What the command line is made of.

What this file adds: nothing but the names. `words` is what it says, `inputs` and
`outputs` are its files, `finding` finds the clusters, `commands` is what a person can
ask for, and `arguments` how. What it leaves out: to run it (`kmeans_np.__main__`).
"""

from kmeans_np.cli.arguments import build_parser
from kmeans_np.cli.words import PROBLEMS, nobody_reads, report

__all__ = ["PROBLEMS", "build_parser", "nobody_reads", "report"]
