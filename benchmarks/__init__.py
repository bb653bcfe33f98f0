"""How long kmeans_np takes and how much memory it needs, beside scikit-learn.

Run ``python -m benchmarks`` from the root of the repository.
"""
