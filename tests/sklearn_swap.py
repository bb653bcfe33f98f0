"""A pytest plugin: scikit-learn's own tests of K-means run against ours.

``pytest -p sklearn_swap --pyargs sklearn.cluster.tests.test_k_means`` (with this folder
on the path) puts `kmeans_np.KMeans` in the place of `sklearn.cluster.KMeans` before the
tests are imported, and leaves out those that are not about public, dense `KMeans`.
"""

import kmeans_np

# Tests of something else, by name, and why.
OTHERS = {
    "test_relocate_empty_clusters": "a private function in Cython",
    "test_minibatch_update_consistency": "MiniBatchKMeans",
    "test_minibatch_kmeans_partial_fit_init": "MiniBatchKMeans",
    "test_minibatch_kmeans_verbose": "MiniBatchKMeans",
    "test_minibatch_kmeans_warning_init_size": "MiniBatchKMeans",
    "test_minibatch_sensible_reassign": "MiniBatchKMeans",
    "test_minibatch_reassign": "MiniBatchKMeans",
    "test_minibatch_with_many_reassignments": "MiniBatchKMeans",
    "test_minibatch_kmeans_init_size": "MiniBatchKMeans",
    "test_minibatch_declared_convergence": "MiniBatchKMeans",
    "test_minibatch_iter_steps": "MiniBatchKMeans",
    "test_dense_sparse": "sparse data",
    "test_predict_dense_sparse": "sparse data",
    "test_predict_does_not_change_cluster_centers": "sparse data",
    "test_k_means_function": "the function k_means",
    "test_euclidean_distance": "a private function in Cython",
    "test_inertia": "a private function in Cython",
    "test_is_same_clustering": "a private function in Cython",
    "test_kmeans_plusplus_wrong_params": "the function kmeans_plusplus",
    "test_kmeans_plusplus_output": "the function kmeans_plusplus",
    "test_kmeans_plusplus_norms": "the function kmeans_plusplus",
    "test_kmeans_plusplus_dataorder": "the function kmeans_plusplus",
    "test_sample_weight_init": "a private method, _init_centroids",
    "test_sample_weight_zero": "a private method, _init_centroids",
}
# Parameters of the other tests that stand for sparse data or for MiniBatchKMeans.
OTHER_PARAMETERS = ("sparse", "csr", "MiniBatchKMeans")


def pytest_configure():
    # Not when this file is imported, which whoever collects tests may do.
    import sklearn.cluster

    sklearn.cluster.KMeans = kmeans_np.KMeans


def is_ours(item):
    """Whether a test is about public, dense `KMeans`."""
    name, _, parameters = item.name.partition("[")
    ours = name not in OTHERS
    return ours and not any(word in parameters for word in OTHER_PARAMETERS)


def pytest_collection_modifyitems(config, items):
    names = {item.name.partition("[")[0] for item in items}
    unknown = OTHERS.keys() - names
    assert not unknown, f"no such tests in this scikit-learn: {unknown}"
    config.hook.pytest_deselected(items=[item for item in items if not is_ours(item)])
    items[:] = [item for item in items if is_ours(item)]
