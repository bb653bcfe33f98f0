"""How fast kmeans_np is, how good its answers are, and how much memory it needs.

It is measured beside every library that a user would take instead. Run
``python -m benchmarks`` from the root of the repository; ``__main__.py`` says what the
parts are.
"""
