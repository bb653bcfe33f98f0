"""Several images with one palette."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample import SAMPLE
from sources import Slices
from tables import chosen

from kmeans_np import (
    Progress,
    Segmentation,
    cluster_image,
    segment_image,
    write_image,
)
from kmeans_np.image import batch as batch_module
from kmeans_np.image.batch import ColorPool
from kmeans_np.image.open_source import open_source
from kmeans_np.image.pipeline import find_clusters, make_plan

PHOTO = SAMPLE[::2, ::2]
FRAMES = [PHOTO[:100], PHOTO[75:, ::-1], 255 - PHOTO[::2, ::3], PHOTO[:, :38]]


class Film:
    """Something to iterate over, as often as one likes."""

    def __init__(self, frames):
        self.frames = frames

    def __iter__(self):
        return iter(self.frames)


def as_one(images):
    return np.concatenate(
        [image.reshape(1, -1, *image.shape[2:]) for image in images], 1
    )


@pytest.mark.parametrize(
    "kind", chosen([list, tuple, Film], Film), ids=["list", "tuple", "film"]
)
def test_a_batch_has_the_clusters_of_all_its_pixels_together(kind):
    answer = cluster_image(kind(FRAMES), 5, rng=0)
    expected = cluster_image(as_one(FRAMES), 5, rng=0)
    for name in ("palette", "centroids", "counts", "shares", "inertia", "n_iter"):
        assert np.array_equal(getattr(answer, name), getattr(expected, name)), name
    assert answer.counts.dtype == np.int64
    assert len(answer) == len(answer.labels) == len(answer.image) == 4
    for number, frame in enumerate(FRAMES):
        one = expected.apply(frame)
        assert np.array_equal(answer.labels[number], one.labels)
        assert np.array_equal(answer.image[number], one.image)
        assert isinstance(answer[number], Segmentation)
        assert np.array_equal(answer[number].counts, one.counts)
    assert sum(one.counts for one in answer).tolist() == answer.counts.tolist()
    assert np.array_equal(answer.image[-1], answer[3].image)
    assert [one.shape for one in answer.labels[1:3]] == [(113, 250), (94, 84)]


@given(
    n=st.integers(1, 5),
    channels=st.sampled_from([(), (2,), (3,), (4,), (6,)]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    seed=st.integers(0, 2**32 - 1),
)
def test_kinds_of_images_and_any_cut_into_images(n, channels, dtype, seed):
    rng = np.random.default_rng(seed)
    shapes = rng.integers(2, 9, (n, 2))
    images = [rng.integers(0, 4, (*shape, *channels)).astype(dtype) for shape in shapes]
    answer = cluster_image(images, 2, rng=0, alpha=False)
    expected = cluster_image(as_one(images), 2, rng=0, alpha=False)
    np.testing.assert_allclose(answer.centroids, expected.centroids, rtol=1e-12)
    for one, image in zip(answer, images):
        assert np.array_equal(one.labels, expected.apply(image).labels)
        assert one.image.shape == image.shape


@pytest.mark.slow
def test_files_are_read_when_they_are_needed(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path, frame in zip(paths, FRAMES):
        write_image(path, frame)
    expected = cluster_image(FRAMES, 3, rng=0)
    for names in (paths, list(map(str, paths))):
        answer = cluster_image(names, 3, rng=0)
        assert np.array_equal(answer.palette, expected.palette)
        assert np.array_equal(answer.image[2], expected.image[2])
    for number, name in ((0, "0.zarr"), (2, "2.npy")):
        write_image(tmp_path / name, FRAMES[number])
        paths[number] = tmp_path / name
    answer = cluster_image(paths, 3, rng=0)
    assert np.array_equal(answer.palette, expected.palette)
    assert np.array_equal(answer.image[2], expected.image[2])
    with pytest.raises(FileNotFoundError, match="no such file"):
        cluster_image([*paths, tmp_path / "none.png"], 3)


def test_segmented_images_come_one_by_one():
    painted = segment_image(FRAMES, 3, rng=0)
    expected = cluster_image(FRAMES, 3, rng=0)
    assert np.array_equal(next(painted), expected.image[0])
    assert [one.shape for one in painted] == [frame.shape for frame in FRAMES[1:]]


def test_images_outside_of_memory_and_volumes():
    answer = cluster_image([Slices(frame) for frame in FRAMES], 3, rng=0)
    expected = cluster_image(FRAMES, 3, rng=0)
    assert np.array_equal(answer.image[1], expected.image[1])
    volumes = [PHOTO[..., 0].reshape(4, 47, 250), PHOTO[..., 1].reshape(47, 4, 250)]
    answer = cluster_image(volumes, 3, channel_axis=None, rng=0)
    assert answer.palette.shape == (3,)
    assert [one.shape for one in answer.labels] == [(4, 47, 250), (47, 4, 250)]


def test_options_hold_for_all():
    lab = cluster_image(FRAMES, 3, color_space="lab", rng=0)
    expected = cluster_image(as_one(FRAMES), 3, color_space="lab", rng=0)
    assert np.array_equal(lab.palette, expected.palette)
    start = [[0, 0, 0], [99, 99, 99], [255, 200, 90]]
    given = cluster_image(FRAMES, 3, init=start, rng=0)
    assert given.n_iter == cluster_image(as_one(FRAMES), 3, init=start).n_iter
    clear = np.zeros((3, 4, 4), np.uint8)
    clear[0, 0] = 255
    with_alpha = cluster_image([clear, clear], 1)
    assert with_alpha.counts.tolist() == [2]
    assert (with_alpha.labels[1] == -1).sum() == 11


def test_what_can_be_done_with_a_batch():
    answer = cluster_image(FRAMES, 3, rng=0)
    assert repr(answer).startswith("<Batch of 4 images in 3 colors: inertia ")
    assert np.array_equal(answer.mask_of(1)[2], answer[2].mask_of(1))
    assert np.array_equal(answer.overlay(alpha=1)[2], answer[2].overlay(alpha=1))
    assert np.array_equal(answer.apply(PHOTO).labels, answer[0].apply(PHOTO).labels)
    assert answer._repr_html_().count("<img") == len(answer)
    with pytest.raises(IndexError):
        answer[4]


def test_progress_counts_images():
    told = []
    cluster_image(FRAMES, 3, rng=0, progress=told.append)
    assert [(one.task, one.done, one.total) for one in told] == [
        ("count", number, 4) for number in (1, 2, 3, 4)
    ]
    assert all(isinstance(one, Progress) for one in told)


@pytest.mark.slow
def test_memory_is_for_the_colors_of_all_images(monkeypatch):
    def pool():
        pool = ColorPool()
        for frame in FRAMES * 6:
            pool.add(open_source(frame), "a frame")
        return pool

    def centroids(pool):
        plan = make_plan(pool, 4, "rgb", False, 0, None, **HOW)
        return pool.run(find_clusters, plan).clusters.centroids

    expected = centroids(pool())
    monkeypatch.setattr(batch_module, "MANY_COLORS", 1000)
    small = pool()
    n_colors = len(np.unique(as_one(FRAMES)[0], axis=0))
    assert sum(map(len, small.counts)) < 3 * n_colors
    assert np.array_equal(centroids(small), expected)


HOW = {
    "init": "random", "n_init": "auto", "max_iter": 300, "tol": 1e-4, "rng": 0,
    "callback": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("images", "how", "message"),
    [
        (iter(FRAMES), {}, "image must be something to iterate over twice, .* once"),
        (Film([]), {}, "image must hold at least one image, got none"),
        (FRAMES, {"mask": PHOTO[..., 0] > 9}, "mask must be left out for several im"),
        (FRAMES, {"weights": PHOTO[..., 0]}, "weights must be left out for several"),
        (FRAMES, {"position_weight": 1}, "position_weight must be left out for sev"),
        (FRAMES, {"tol": -1}, "tol must be"),
        (
            [PHOTO, PHOTO[..., 0]],
            {},
            "image must be RGB of type uint8, .* image 1, ",
        ),
        ([PHOTO, PHOTO / 255], {}, "got image 1, which is RGB of type float64; conv"),
        ([PHOTO, "none.png"], {}, "no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_batches_are_refused(images, how, message):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        cluster_image(images, 3, **how)


def test_out_is_for_one_image():
    with pytest.raises(ValueError, match="out must be left out for several images"):
        segment_image(FRAMES, 3, out=PHOTO)


def test_nested_lists_are_one_image():
    assert isinstance(cluster_image([[0, 9], [0, 9]], 2).labels, np.ndarray)
    assert cluster_image([[[0, 9]], [[0, 8]]], 2, alpha=False).labels.shape == (2, 1)


@pytest.mark.parametrize("function", [cluster_image, segment_image])
def test_a_warning_points_at_the_call(function):
    with pytest.warns(UserWarning, match="only . distinct color") as caught:
        function([np.zeros((2, 2), np.uint8)], 2)
    assert [one.filename for one in caught] == [__file__]
