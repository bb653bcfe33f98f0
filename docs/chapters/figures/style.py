"""How the figures of the chapters look, and where they go.

Each `chapter_N.py` here draws the figures of chapter N from the package's own answers:
``python docs/chapters/figures/chapter_2.py [FOLDER]`` writes them to FOLDER, or beside
itself. It needs the extra `docs`, which brings matplotlib.
"""

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

PAPER, INK, SOFT, LINE, ACCENT = "#fdfcfa", "#1f2530", "#6b7280", "#dcd8d0", "#c8502d"
# One color for each cluster, the same in all chapters and in the page of `explain`.
CLUSTERS = (
    "#3a6fb5", "#dd7a2a", "#3d9970", "#8a5fb3", "#c94f5e", "#2b9db0", "#b58f1e",
    "#7a8494",
)  # fmt: skip

mpl.rcParams.update(
    {
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "axes.edgecolor": LINE,
        "axes.labelcolor": SOFT,
        "axes.titlecolor": INK,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.labelsize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=CLUSTERS),
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "legend.frameon": False,
        "lines.linewidth": 2,
        "savefig.dpi": 160,
        "text.color": INK,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
    }
)


def save(figure: Figure, name: str) -> None:
    """Write a figure as NAME.png to the folder that the command line names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    # Without the version of matplotlib the same picture is the same file.
    figure.savefig(folder / f"{name}.png", metadata={"Software": None})
