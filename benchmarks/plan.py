"""How much is measured: the sizes, seeds and time budgets of a full and a quick run."""

from dataclasses import dataclass

from benchmarks.harness import MAX_ITER, Pace
from benchmarks.pictures import Picture

CHINA = Picture("china")


@dataclass(frozen=True)
class Plan:
    """How much to measure, part by part."""

    pictures: tuple[Picture, ...]
    ks: tuple[int, ...]
    pace: Pace
    # From the second on, a picture is large: there, given centroids get fewer steps.
    few_steps: dict[int, int]
    # Who takes longer from a random start is not started with k-means++ as well.
    longest: float
    limit: Picture
    limit_rounds: int
    restart_ks: tuple[int, ...]
    restart_seeds: int
    # Ten starts of scikit-learn's: on the first picture, up to this k.
    restart_largest_k: int
    feature_rounds: int
    # A quick run takes every so many cases, with this share of their points.
    feature_step: int
    feature_share: float
    kind_seeds: int
    kind_rounds: int
    growth: tuple[Picture, ...]
    growth_ks: tuple[int, ...]
    growth_seeds: int
    memory: Picture
    import_rounds: int
    icon_rounds: int
    # Squares of so many pixels a side; and how many synthetic counts are merged.
    scale_sides: tuple[int, ...]
    merged_chunks: int

    def max_iter(self, picture: Picture, k: int) -> int:
        """Return the largest number of steps from given centroids."""
        return self.few_steps.get(k, MAX_ITER) if picture.is_large else MAX_ITER


FULL = Plan(
    pictures=(CHINA, Picture("12 megapixels", 3000, 4000)),
    ks=(2, 4, 8, 16, 64, 256),
    pace=Pace(seeds=5, rounds=2, seconds=6.0, scikit_learn_seconds=25.0),
    few_steps={64: 20, 256: 10},
    longest=1.0,
    limit=Picture("12 megapixels", 3000, 4000),
    limit_rounds=7,
    restart_ks=(4, 8, 16, 64, 256),
    restart_seeds=5,
    restart_largest_k=64,
    feature_rounds=3,
    feature_step=1,
    feature_share=1.0,
    kind_seeds=3,
    kind_rounds=3,
    growth=(
        Picture("0.1", 274, 365),
        Picture("0.3", 474, 632),
        Picture("1", 866, 1155),
        Picture("3", 1500, 2000),
        Picture("12", 3000, 4000),
        Picture("30", 4743, 6325),
        Picture("100", 8660, 11547),
    ),
    growth_ks=(2, 4, 8, 16, 32, 64, 128, 256),
    growth_seeds=3,
    memory=Picture("12 megapixels", 3000, 4000),
    import_rounds=15,
    icon_rounds=31,
    scale_sides=(3_464, 10_000, 32_768),
    merged_chunks=100_000,
)

QUICK = Plan(
    pictures=(Picture("small", 150, 200), Picture("larger", 300, 400)),
    ks=(4, 16),
    pace=Pace(seeds=1, rounds=1, seconds=2.0, scikit_learn_seconds=4.0),
    few_steps={},
    longest=2.0,
    limit=Picture("larger", 600, 800),
    limit_rounds=3,
    restart_ks=(4, 16),
    restart_seeds=1,
    restart_largest_k=16,
    feature_rounds=1,
    feature_step=5,
    feature_share=0.05,
    kind_seeds=1,
    kind_rounds=1,
    growth=(
        Picture("0.03", 150, 200),
        Picture("0.1", 274, 365),
        Picture("0.3", 474, 632),
    ),
    growth_ks=(2, 8, 32),
    growth_seeds=1,
    memory=Picture("larger", 600, 800),
    import_rounds=3,
    icon_rounds=5,
    scale_sides=(300, 500, 900),
    merged_chunks=50,
)
