"""A table of clusters in HTML, for notebooks."""

from html import escape

from kmeans_np.lloyd import Array, Floats

# So many rows and columns are shown.
MOST_CLUSTERS, MOST_FEATURES = 32, 8


def clusters_in_html(heading: str, counts: Array, centroids: Floats) -> str:
    """Return a table with a row for each cluster: number, share, count, centroid.

    `counts` is a (k,) array and `centroids` a (k, d) array; of many, the first are
    shown.
    """
    total, d = counts.sum(), centroids.shape[1]
    features = min(d, MOST_FEATURES)
    more = " …" if d > features else ""
    rows = "".join(
        f"<tr><th>{number}</th><td>{count / total:.1%}</td><td>{count:,.6g}</td>"
        f"<td>{' '.join(f'{x:.4g}' for x in centroid[:features])}{more}</td></tr>"
        for number, (count, centroid) in enumerate(
            zip(counts[:MOST_CLUSTERS].tolist(), centroids.tolist())
        )
    )
    left = len(counts) - MOST_CLUSTERS
    after = f"<p>and {left:,} more</p>" if left > 0 else ""
    return (
        f"<div><p><code>{escape(heading)}</code></p><table><thead><tr><th>cluster</th>"
        "<th>share</th><th>count</th><th>centroid</th></tr></thead><tbody>"
        f"{rows}</tbody></table>{after}</div>"
    )
