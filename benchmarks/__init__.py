"""How fast kmeans_np is, beside everything else that does the same job.

``python -m benchmarks`` prints the tables of ``docs/benchmarks.md``. Every part is a
list of cases, every case a few jobs that do the same; one harness times them all.
"""
