"""Every step of a run, to be seen: a page, a film and a sheet.

What this file adds: nothing but the names. `material` is what is explained, `record`
runs `lloyd` and keeps what its steps saw, `examples` are four runs worth seeing. `film`
and `sheet` are drawn with `canvas` and `scatter`, `page` has its browser's part in
`player/`, and `explain` is for all of it. What it leaves out: to compute anything that
`lloyd` has not computed.
"""

from kmeans_np.explanation.explain import Explanation, check_suffix, explain

__all__ = ["Explanation", "check_suffix", "explain"]
