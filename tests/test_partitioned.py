"""Points outside of memory: each answer is that of the same points in memory."""

import tracemalloc
import warnings
from itertools import pairwise

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import (
    POINT_SOURCES,
    Anew,
    Slices,
    assert_same,
    few_as_many,
    mapped,
)
from tables import crossed, few_examples

from kmeans_np import inertia_curve, kmeans, threads
from kmeans_np.arrays import MemoryRows, as_rows, rows
from kmeans_np.arrays.chunks import BlockReader
from kmeans_np.clustering import column_stats, partitioned
from kmeans_np.clustering.partitioned import PartitionedPoints
from kmeans_np.lloyd import lloyd
from kmeans_np.seeding import random_points
from kmeans_np.sweeps import BlockedSweep, BoundedSweep
from kmeans_np.sweeps.partitioned import FEW, Shift
from kmeans_np.tree_sums import branches, merge_branches, piece_of, tree_sum


def crowds(n, d, dtype, offset=0.0, seed=0):
    """Return points in crowds that overlap."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(scale=40, size=(9, d))
    points = middles[rng.integers(0, 9, n)] + rng.normal(scale=25, size=(n, d))
    return (points + offset).astype(dtype)


@pytest.fixture
def small_pieces():
    """Few points are many pieces."""
    with few_as_many(), dask.config.set(scheduler="synchronous"):
        yield


# ---- Sums in a tree ----------------------------------------------------------------


@given(
    n=st.integers(1, 40),
    cuts=st.sets(st.integers(1, 39)),
    order=st.randoms(use_true_random=False),
    together=st.integers(2, 5),
)
def test_a_tree_of_sums_is_the_same_however_it_is_cut_and_merged(
    n, cuts, order, together
):
    sums = np.random.default_rng(n).normal(size=(n, 3)) * 10.0 ** np.arange(3)
    expected = tree_sum(branches(sums))
    edges = [0, *sorted(cut for cut in cuts if cut < n), n]
    parts = [branches(sums[a:b], a) for a, b in pairwise(edges)]
    while len(parts) > 1:
        order.shuffle(parts)
        parts = [merge_branches(parts[:together]), *parts[together:]]
    assert tree_sum(parts[0]).tobytes() == expected.tobytes()


def test_a_tree_of_sums_adds_neighbors_first():
    # 2^53 + 1 + 1 is 2^53 from the left; 1 + 1 is 2, which is not lost.
    sums = np.array([[2.0**53], [0.0], [1.0], [1.0], [1.0]])
    assert tree_sum(branches(sums[:4])) == 2.0**53 + 2
    assert sorted(branches(sums)) == [(0, 4), (2, 0)]


@pytest.mark.parametrize("d", [1, 3, 64, 65, 100, 1000, 10**5, 10**8])
def test_pieces_are_powers_of_two_and_not_too_large(d):
    n = piece_of(d)
    assert n & (n - 1) == 0
    assert n * d <= 2**22 or n == 2**10
    assert n == 2**16 or n == 2**10 or 2 * n * d > 2**22


# ---- The same answer ---------------------------------------------------------------


@few_examples
@given(
    n=st.integers(1700, 2300),
    d=st.sampled_from([1, 2, 3, 17, 40]),
    dtype=st.sampled_from(["f4", "f8", "u1", "i4"]),
    offset=st.sampled_from([0.0, 200.3, 1e6]),
    k=st.sampled_from([6, 13, 30]),
    chunk=st.integers(100, 3000),
    tol=st.sampled_from([0, 1e-3]),
)
def test_the_answer_is_that_in_memory(n, d, dtype, offset, k, chunk, tol):
    with few_as_many(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", chunk * d)
        points = crowds(n, d, dtype, 0 if dtype == "u1" else offset, seed=chunk)
        how = {"rng": n, "tol": tol, "max_iter": 9}
        expected = kmeans(points, k, **how)
        assert_same(kmeans(Slices(points, (chunk, 1)), k, **how), expected)
        lazy = da.from_array(points, chunks=(chunk, max(1, d // 2)))
        found = kmeans(lazy, k, **how)
        assert_same(found, expected)
        assert found.labels.chunks == lazy.chunks[:1]


@pytest.mark.slow
def test_pieces_of_their_usual_size():
    points = crowds(200_000, 3, "f4")
    expected = kmeans(points, 8, rng=0, max_iter=30)
    assert_same(kmeans(Slices(points), 8, rng=0, max_iter=30), expected)
    lazy = da.from_array(points, chunks=(30_000, -1))
    assert_same(kmeans(lazy, 8, rng=0, max_iter=30), expected)


@pytest.mark.usefixtures("small_pieces")
def test_memory_maps(tmp_path):
    points = crowds(3_000, 4, "f4")
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    found = kmeans(mapped, 5, rng=0)
    assert not isinstance(found.labels, np.ndarray)
    assert_same(found, kmeans(points, 5, rng=0))
    assert found.labels[7] == kmeans(points, 5, rng=0).labels[7]


@pytest.mark.parametrize(
    ("start", "n_init"), [("far", 1), ("crowded", 1), ("at random", 3)]
)
@pytest.mark.usefixtures("small_pieces")
def test_clusters_that_empty_restart_alike(start, n_init):
    points = crowds(2_000, 2, "f8")
    k, how = 12, {"n_init": n_init, "rng": 1}
    if n_init == 1:
        away = np.arange(k)[:, np.newaxis] + (1e5 if start == "far" else 0.0)
        how = {"init": points[:k] * 1e-9 + away}
    expected = kmeans(points, k, max_iter=9, **how)
    assert_same(kmeans(Slices(points), k, max_iter=9, **how), expected)
    assert (expected.counts > 0).all()


@pytest.mark.usefixtures("small_pieces")
def test_inertia_that_is_a_small_part_of_the_scatter():
    points = crowds(2_000, 3, "f8") * 1e-6
    points += 1e3 * np.random.default_rng(0).integers(0, 4, (2_000, 1))
    expected = kmeans(points, 4, init="random", rng=3, n_init=5)
    assert expected.inertia < 1e-3 * points.var() * points.size
    assert_same(kmeans(Slices(points), 4, rng=3, n_init=5), expected)


@pytest.mark.parametrize("k", [5, 12, 30])
@pytest.mark.usefixtures("small_pieces")
def test_copies_and_fewer_distinct_points_than_clusters(k):
    points = np.random.default_rng(0).integers(0, 3, (2_000, 3)) * [0.1, 1, 7]
    points[:1_900] = points[0]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        expected = kmeans(points, k, rng=0)
        assert_same(kmeans(Slices(points), k, rng=0), expected)
        spread = kmeans(Slices(points), k, init="k-means++", rng=0)
        far = points[:k] * 0.0 + np.arange(k)[:, np.newaxis]
        assert_same(kmeans(Slices(points), k, init=far), kmeans(points, k, init=far))
    assert len(spread.centroids) == len(expected.centroids) == min(k, 27)
    assert len(warned) == (5 if k > 27 else 0)
    assert all(w.filename == __file__ for w in warned)


@pytest.mark.usefixtures("small_pieces")
def test_every_step_is_that_in_memory():
    points = crowds(2_001, 5, "f8")
    outside = PartitionedPoints(as_rows(Slices(points))).sweep
    inside = BoundedSweep(points)
    assert outside.mean_variance() == inside.mean_variance()
    start = random_points(points, 15, np.ones(len(points)), np.random.default_rng(0))

    def labels_of(centroids):
        return BlockedSweep(points).assign(centroids)[0]

    for one, other in zip(lloyd(outside, start), lloyd(inside, start), strict=True):
        assert one.new_centroids.tobytes() == other.new_centroids.tobytes()
        assert (one.inertia, one.n_changed) == (other.inertia, other.n_changed)
    # Compared with labels other than the last ones, and with another number of them.
    early = outside(start)
    other = outside(start[::-1])
    assert outside(start, other.labels).n_changed == 2_001 - early.counts[7]
    assert outside(start[:3]).n_changed == 2_001
    for sweep in (outside, inside):
        first, _ = sweep(start), sweep(start[::-1])
        moved = start + np.linspace(0, 30, 5)
        moves = sweep(moved, first.labels).n_changed, sweep(moved).n_changed
        assert moves[0] == np.count_nonzero(labels_of(moved) != labels_of(start))
        assert moves[1] == 2_001


@pytest.mark.usefixtures("small_pieces")
def test_the_farthest_points_of_all_parts():
    points = crowds(2_000, 2, "f8").round(-1)
    outside = PartitionedPoints(as_rows(Slices(points))).sweep
    inside = BoundedSweep(points)
    start = points[:4] + 0.5
    labels, own = outside(start).labels, inside(start).labels
    found = [*outside.farthest(start, labels)]
    assert len(found) > 4 * FEW
    for one, other in zip(found, inside.farthest(start, own), strict=True):
        assert one.point.tolist() == other.point.tolist()
        assert (one.weight, one.label) == (other.weight, other.label)


# ---- Points with weights, wherever they lie ------------------------------------------

MANY = crowds(3500, 3, "f8")
POINT_WEIGHTS = {
    "weights": np.random.default_rng(1).random(3500) ** 5 * (np.arange(3500) % 3 > 0),
    "repeats": np.arange(3500) % 4,
    "ones": np.ones(3500),
}
WHERE_WEIGHTS_ARE = {
    "memory": lambda weights, _: weights,
    "memory map": mapped,
    "dask": lambda weights, _: da.from_array(weights, chunks=1300),
    "dask in one chunk": lambda weights, _: da.from_array(weights),
}


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("source", "weights", "init", "over"),
    crossed(
        *(POINT_SOURCES, POINT_WEIGHTS, ["random", "k-means++"], WHERE_WEIGHTS_ARE),
        usual=["slices", "dask", "blocks", "zarr", "array"],
    ),
)
def test_weights_of_points(weights, source, init, over, tmp_path):
    own = POINT_WEIGHTS[weights]
    # k-means++ is another one outside of memory, unless there are few distinct points.
    points = (MANY / 5).round(-1) if init == "k-means++" else MANY
    how = {"rng": 0, "max_iter": 4, "init": init}
    expected = kmeans(points, 5, weights=own, **how)
    stored = POINT_SOURCES[source](points, tmp_path)
    (tmp_path / "weights").mkdir()
    lying = WHERE_WEIGHTS_ARE[over](own, tmp_path / "weights")
    assert_same(kmeans(stored, 5, weights=lying, **how), expected)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("weights", "source"),
    # An image may be a list of lists, so a list of blocks is none.
    crossed(POINT_WEIGHTS, [s for s in POINT_SOURCES if not s.startswith("blocks")]),
)
def test_curves_of_points(weights, source, tmp_path):
    points = POINT_SOURCES[source](MANY, tmp_path)
    own = POINT_WEIGHTS[weights]
    how = {"kind": "points", "rng": 0, "max_iter": 4, "normalize": weights == "ones"}
    found = inertia_curve(points, [3, 5], weights=own, **how)
    assert np.array_equal(found, inertia_curve(MANY, [3, 5], weights=own, **how))
    with pytest.raises(ValueError, match=r"points with a weight, .* got 3,501"):
        inertia_curve(points, [2, 3501], weights=own, **how)


# ---- k-means|| ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("small_pieces")
def test_scalable_starts_depend_on_no_chunks(monkeypatch):
    points = crowds(2_000, 3, "f4")
    how = {"init": "k-means++", "rng": 0, "max_iter": 5}
    expected = kmeans(Slices(points), 9, **how)
    monkeypatch.setattr(rows, "BLOCK", 2**15)
    assert_same(kmeans(Slices(points), 9, **how), expected)
    assert_same(kmeans(da.from_array(points, chunks=(701, 2)), 9, **how), expected)


@pytest.mark.slow
def test_scalable_starts_are_about_as_good_as_one_by_one():
    points = crowds(60_000, 4, "f4")
    how = {"init": "k-means++", "max_iter": 1}
    theirs = [kmeans(points, 30, rng=seed, **how).inertia for seed in range(5)]
    at_random = [kmeans(points, 30, rng=s, max_iter=1).inertia for s in range(5)]
    source = Slices(points)
    ours = [kmeans(source, 30, rng=seed, **how).inertia for seed in range(5)]
    assert np.mean(ours) < 1.03 * np.mean(theirs) < 1.03 * np.mean(at_random)


@pytest.mark.usefixtures("small_pieces")
def test_scalable_starts_take_few_passes():
    points = crowds(2_000, 2, "f4")
    source = Slices(points)
    kmeans(source, 60, init="k-means++", max_iter=1, rng=0)
    assert source.n_read < 25 * points.size


@pytest.mark.parametrize(("weight", "expected"), [(1, 0.2), (4, 0.5), (36, 0.9)])
def test_far_points_are_drawn_by_weight_and_squared_distance(weight, expected):
    # 20,000 at distance 1 and as many at 2: one in five draws is of the former, or more
    # if they weigh more.
    points = np.repeat([[0.0], [1.0], [2.0]], [1, 20_000, 20_000], axis=0)
    weights = np.repeat([1.0, weight, 1.0], [1, 20_000, 20_000])
    points += np.linspace(0, 1e-3, len(points))[:, np.newaxis]
    parts = as_rows(Slices(points), weights)
    shift = PartitionedPoints(parts).shift
    centroid = shift.apply(points[:1])
    share = []
    for key in range(20):
        look, merge = partitioned._draw, partitioned._first
        drawn = parts.gather(look, merge, shift, centroid, 100, key)
        assert len(drawn.points) == 100
        share.append((drawn.points + shift.origin < 1.5).mean())
    assert np.mean(share) == pytest.approx(expected, abs=0.03)


# ---- Memory, and what is read ------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_points(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 2**18)
    # Several need not be in the same place at the same time each time.
    monkeypatch.setattr(threads, "n_threads", lambda: 1)
    points = np.random.default_rng(0).random((2**21, 2), np.float32)
    peaks = []
    for count in (2**16, 2**19, 2**21):
        source = Slices(points[:count])
        tracemalloc.start()
        try:
            kmeans(source, 3, rng=0, max_iter=2)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert source.largest <= rows.BLOCK
    assert peaks[2] < 1.02 * peaks[1]


def test_few_points_are_read_as_a_whole():
    points = crowds(16_384, 2, "f8")
    source = Slices(points)
    found = kmeans(source, 4, rng=0)
    assert source.n_read == points.size
    assert isinstance(found.labels, np.ndarray)
    assert_same(found, kmeans(points, 4, rng=0))
    lazy = kmeans(da.from_array(points, chunks=1_000), 4, rng=0)
    assert_same(lazy, found)


# ---- Errors ------------------------------------------------------------------------


def said(kind, points):
    """Return what the error says that `kmeans` raises."""
    with pytest.raises(kind) as error:
        kmeans(points, 4)
    return str(error.value)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.usefixtures("small_pieces")
def test_points_that_are_not_finite(lazy):
    points = crowds(3_000, 3, "f8")
    points[2_000, 1], points[2_900:, 2], points[2_100, 0] = np.nan, np.inf, np.nan
    outside = da.from_array(points, chunks=100) if lazy else Slices(points)
    message = said(ValueError, outside)
    assert message == said(ValueError, points)
    assert (
        "got 2 NaN values and 100 infinite values, the first at row 2000, col"
        in message
    )


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("value", [1e200, -1e101])
def test_points_that_are_too_large(value):
    points = crowds(3_000, 3, "f8")
    points[1_234, 1] = value
    assert said(ValueError, Slices(points)) == said(ValueError, points)


@pytest.mark.parametrize(
    "array",
    [np.zeros(20_000), np.zeros((20, 30, 40)), np.zeros((0, 3)), np.zeros((9, 0))],
)
def test_shapes_that_are_no_points(array):
    assert said(ValueError, Slices(array)) == said(ValueError, array)


def test_types_that_are_no_numbers():
    for dtype in ("c16", "U3"):
        array = np.zeros((30_000, 2), dtype)
        assert said(TypeError, Slices(array)).startswith("points must hold real num")


def test_what_dask_cannot_do():
    lazy = da.from_array(crowds(20_000, 2, "f8"), chunks=5_000)
    unknown = lazy[lazy[:, 0] > 0]
    with pytest.raises(ValueError, match="points must have a known shape"):
        kmeans(unknown, 3)


class Broken(Slices):
    """An array of which a part cannot be read."""

    ndim = 2

    def __getitem__(self, place):
        if place[0].start <= 77_777 < place[0].stop:
            raise ValueError("bad checksum")
        return super().__getitem__(place)


def test_a_part_that_cannot_be_read_is_named(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 2**17)
    broken = Broken(crowds(200_000, 2, "f4"))
    sentence = (
        "points must be readable everywhere, got ValueError: bad checksum, at "
        "[65536:131072, 0:2]; mend that part or leave it out"
    )
    assert said(OSError, broken) == sentence
    lazy = da.from_array(broken, chunks=(10_000, 2))
    own = sentence.replace("65536", "70000").replace("131072", "80000")
    assert said(OSError, lazy) == own


@pytest.mark.usefixtures("small_pieces")
def test_a_pass_that_did_not_end_is_made_anew():
    points = crowds(2_000, 3, "f8")
    sweep = PartitionedPoints(as_rows(Slices(points))).sweep
    expected = BoundedSweep(points)(points[:5])
    sweep(points[5:10])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shift, "sweep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sweep(points[:5])
    assert sweep(points[:5]).sums.tobytes() == expected.sums.tobytes()


def interrupt(*_):
    raise KeyboardInterrupt


def test_rows_are_read_through_sliced():
    assert isinstance(as_rows(Slices(np.zeros((9, 2)))).source, BlockReader)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("d", [2, 8, 30])
def test_the_order_of_memory_changes_no_bit(d):
    points = crowds(2_000, d, np.float64)
    expected = kmeans(points, 6, rng=0, max_iter=5)
    turned = np.asfortranarray(points)
    assert_same(kmeans(turned, 6, rng=0, max_iter=5), expected)
    assert_same(kmeans(Slices(turned), 6, rng=0, max_iter=5), expected)


# ---- Blocks of points --------------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
@few_examples
@given(
    ends=st.lists(st.integers(0, 2_000), min_size=1, max_size=6),
    d=st.sampled_from([2, 3, 12]),
)
def test_blocks_of_points_are_points(ends, d):
    points = crowds(2_000, d, np.float32)
    how = {"rng": 0, "max_iter": 5}
    expected = kmeans(points, 5, **how)
    made = Anew(points, sorted(ends))
    found = kmeans([*made], 5, **how)
    assert not isinstance(found.labels, np.ndarray)
    assert_same(found, expected)
    assert_same(kmeans(made, 5, **how), expected)
    assert_same(kmeans(tuple(map(Slices, made)), 5, **how), expected)


@pytest.mark.usefixtures("small_pieces")
def test_blocks_are_asked_for_in_order():
    made = Anew(crowds(30_000, 2, np.float64), [*range(300, 30_000, 300)])
    labels = kmeans(made, 3, rng=0, max_iter=1).labels
    # A few more, since a block may be asked for twice where it is cut.
    assert made.n_made <= 1.2 * 100 * made.n_begun
    made.n_made = 0
    assert labels[29_000:].shape == (1000,)
    assert made.n_made <= 100


@pytest.mark.slow
@pytest.mark.usefixtures("small_pieces")
def test_blocks_in_files(tmp_path):
    points = crowds(2_000, 6, np.float32)
    names = [tmp_path / f"{number}.npy" for number in range(4)]
    for name, part in zip(names, np.split(points, 4)):
        np.save(name, part)
    blocks = [np.load(name, mmap_mode="r") for name in names]
    assert_same(kmeans(blocks, 7, rng=0), kmeans(points, 7, rng=0))
    weights = np.arange(2_000) % 3
    assert_same(
        kmeans(blocks, 7, rng=0, weights=weights),
        kmeans(points, 7, rng=0, weights=weights),
    )


def test_few_points_in_blocks():
    blocks = [np.array([[1.0], [2.0]]), np.empty((0, 1)), np.array([[8.0], [9.0]])]
    found = kmeans(blocks, 2, rng=0)
    assert sorted(found.centroids.ravel().tolist()) == [1.5, 8.5]
    # Rows, not blocks.
    assert len(kmeans([[1.0, 2.0], [3.0, 4.0]], 1).labels) == 2
    assert len(kmeans([np.array([1.0, 2.0]), np.array([3.0, 4.0])], 1).labels) == 2


class Torn(Slices):
    def __getitem__(self, place):
        raise OSError("no such device")


@pytest.mark.parametrize(
    ("blocks", "kind", "message"),
    [
        (
            [np.ones((3, 2)), np.ones((3, 4))],
            ValueError,
            r"points must be blocks \(m, d\) of one type with as many features each, "
            r"got block 1 of type float64 and shape \(3, 4\) after blocks of type "
            "float64 with 2 features; convert it",
        ),
        ([np.ones((3, 2)), np.ones((3, 2), int)], ValueError, "block 1 of type int64"),
        ([np.ones((3, 2)), np.ones(3)], ValueError, r"block 1 .* and shape \(3,\)"),
        ([np.array([["a"]])], TypeError, "points must"),
        ([np.ones((0, 2))], ValueError, "points must"),
        (
            (np.ones((3, 2)) for _ in range(3)),
            TypeError,
            "points must be something to iterate over twice, once for each step, got a "
            "generator, which can be iterated over only once; pass a list",
        ),
        ({}.values(), ValueError, "points must hold at least one block, got none"),
        (
            [np.ones((3, 2)), Torn(np.ones((9, 2)))],
            OSError,
            "block 1 of points must be readable everywhere, got .* no such device",
        ),
        (
            [np.ones((3, 2)), np.array([[0, np.nan]] * 3)],
            ValueError,
            "points must be finite, got 3 NaN values, the first at row 3, column 1",
        ),
    ],
)
def test_blocks_that_are_none(blocks, kind, message):
    with pytest.raises(kind, match=message):
        kmeans(blocks, 2)


# ---- Range, mean and variance ------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("offset", [0.0, 1e7])
@pytest.mark.parametrize("weighted", [False, True])
def test_column_stats_are_those_of_all_points(weighted, offset):
    points = crowds(2_003, 3, "f8", offset)
    points[:, 2] = 4.75
    weights = np.random.default_rng(0).random(2_003) if weighted else np.ones(2_003)
    weights[::7] = weights[::7].round() * 2
    some = weights > 0
    expected = np.average(points[some], axis=0, weights=weights[some])
    spread = np.average((points[some] - expected) ** 2, axis=0, weights=weights[some])
    lazy = da.from_array(points, chunks=(400, 2))
    found = [
        column_stats(rows, spread=True)
        for rows in (
            MemoryRows(points, weights),
            as_rows(Slices(points), weights),
            as_rows(lazy, da.from_array(weights, chunks=400)),
        )
    ]
    for stats in found:
        assert stats.mean == pytest.approx(expected, rel=1e-13)
        assert stats.variance == pytest.approx(spread, rel=1e-9, abs=1e-15)
        assert np.array_equal(stats.low, points[some].min(axis=0))
        assert np.array_equal(stats.high, points[some].max(axis=0))
        for one, other in zip(stats, found[0], strict=True):
            assert one.tobytes() == other.tobytes()
