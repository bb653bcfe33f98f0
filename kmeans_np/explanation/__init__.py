"""Every step of a run, to be seen: a page, a film and a sheet."""

from kmeans_np.explanation.explain import Explanation, check_suffix, explain
