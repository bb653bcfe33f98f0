"""What the command line is made of."""

from kmeans_np.cli.arguments import build_parser
from kmeans_np.cli.words import PROBLEMS, nobody_reads, report

__all__ = ["PROBLEMS", "build_parser", "nobody_reads", "report"]
