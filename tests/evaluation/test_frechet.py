"""The Fréchet distance against pytorch-fid's and fvd-comparison's numbers, and moments gathered in pieces."""

from typing import Any

import numpy as np
import pytest

from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.frechet import frechet_distance, trace_of_root
from talkvid.records import Array
from tests.evaluation.picture_pairs import stored

ROWS = stored("frechet.json")["rows"]


def features(dim: int, rule: dict[str, Any]) -> Array:
    random = np.random.RandomState(rule["seed"])
    rank = rule.get("rank") or dim
    spread = random.randn(rank, dim) / np.sqrt(dim)
    made: Array = random.randn(rule["n"], rank) @ spread * rule.get("scale", 1.0) + rule.get("shift", 0.0)
    return made


def gathered(rows: Array, *, batch: int = 50) -> FeatureMoments:
    moments = FeatureMoments(rows.shape[1])
    for first in range(0, len(rows), batch):
        moments.add(rows[first : first + batch])
    return moments


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_distance_is_the_recorded_one(row: dict[str, Any]) -> None:
    made, truth = (features(row["dim"], row[side]) for side in ("a", "b"))
    assert made[0, :3] == pytest.approx(row["a_first3"])
    found = frechet_distance(gathered(made), gathered(truth), allow_rank_deficient=True)
    assert found.distance == pytest.approx(row["symmetric_eigen"], rel=1e-7, abs=1e-6)
    # The matrix root of low rank is itself up to 1.6e-7 off.
    assert found.distance == pytest.approx(row["pytorch_fid"], rel=2e-7, abs=1e-6)
    assert found.mean_term == pytest.approx(row["mean_term"], rel=1e-9, abs=1e-12)
    assert found.distance >= 0


def test_two_samples_a_side_give_the_product_worked_by_hand() -> None:
    first, second = (
        np.array([[1.0, 2.0, 0.0], [3.0, -1.0, 2.0]]),
        np.array([[0.0, 1.0, 1.0], [2.0, 2.0, 5.0]]),
    )
    u, v = ((rows[0] - rows[1]) / np.sqrt(2) for rows in (first, second))
    assert trace_of_root(np.outer(u, u), np.outer(v, v)) == pytest.approx(abs(u @ v), rel=1e-12)
    apart = np.square(first.mean(0) - second.mean(0)).sum()
    found = frechet_distance(gathered(first), gathered(second), allow_rank_deficient=True)
    assert found.distance == pytest.approx(apart + u @ u + v @ v - 2 * abs(u @ v), rel=1e-12)
    assert found.rank_deficient and found.protocol["rank_deficient"] is True


def test_equal_sets_are_exactly_not_below_zero() -> None:
    # Once: equal sets gave -4e-9, a distance below zero.
    rows = np.random.RandomState(4).randn(200, 64) @ np.random.RandomState(5).randn(64, 64)
    found = frechet_distance(gathered(rows), gathered(rows))
    assert 0 <= found.distance < 1e-6 and found.covariance_term >= 0
    assert not found.rank_deficient


def test_too_few_samples_are_refused_with_how_many_are_needed() -> None:
    # Once: one or two videos a side gave a finite number without meaning.
    rows = np.random.RandomState(1).randn(8, 8)
    with pytest.raises(ValueError, match=r"8 made and 9 true samples are too few .* needs 9 on each side"):
        frechet_distance(gathered(rows), gathered(np.vstack([rows, rows[:1]])))
    nine = np.random.RandomState(2).randn(9, 8)
    assert not frechet_distance(gathered(nine), gathered(nine + 1)).rank_deficient
    assert frechet_distance(gathered(rows), gathered(nine), allow_rank_deficient=True).rank_deficient
    with pytest.raises(ValueError, match="too few"):
        frechet_distance(gathered(rows[:1]), gathered(nine), allow_rank_deficient=True)
    with pytest.raises(ValueError, match="cannot be compared"):
        frechet_distance(gathered(nine), gathered(nine[:, :4]))


def test_moments_in_batches_and_of_workers_are_those_of_the_whole_set() -> None:
    rows = 1e6 + np.random.RandomState(6).randn(101, 12) @ np.random.RandomState(7).randn(12, 12)
    workers = [gathered(rows[:30], batch=7), gathered(rows[30:31]), gathered(rows[31:], batch=64)]
    whole = FeatureMoments(12)
    for worker in workers:
        whole.merge(FeatureMoments.from_arrays(worker.arrays()))
    whole.merge(FeatureMoments(12))
    assert whole.count == 101
    assert whole.mean == pytest.approx(rows.mean(0), rel=1e-14)
    assert whole.covariance == pytest.approx(np.cov(rows, rowvar=False), rel=1e-9, abs=1e-8)


def test_memory_does_not_grow_with_the_number_of_features() -> None:
    moments = FeatureMoments(16)
    before = sum(array.nbytes for array in moments.arrays().values())
    for seed in range(50):
        moments.add(np.random.RandomState(seed).randn(40, 16), num_clips=1)
    assert sum(array.nbytes for array in moments.arrays().values()) == before
    assert (moments.count, moments.num_clips) == (2000, 50)


def test_float32_features_are_summed_in_float64() -> None:
    rows = (1000 + np.random.RandomState(8).randn(5000, 3)).astype(np.float32)
    moments = gathered(rows, batch=3)
    assert moments.covariance == pytest.approx(np.cov(rows.astype(np.float64), rowvar=False), rel=1e-9)


def test_features_that_are_not_numbers_never_enter_the_mean() -> None:
    rows = np.random.RandomState(9).randn(5, 4)
    moments = gathered(rows)
    rows[1, 2], rows[3, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match="2 of 5 features are not finite"):
        moments.add(rows)
    assert moments.count == 5 and np.isfinite(moments.mean).all()
    with pytest.raises(ValueError, match="take"):
        moments.add(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="cannot be joined"):
        moments.merge(FeatureMoments(3))
    with pytest.raises(ValueError, match="broken"):
        FeatureMoments.from_arrays({**moments.arrays(), "mean": np.full(4, np.nan)})
    with pytest.raises(ValueError, match="no covariance"):
        _ = gathered(rows[:1]).covariance
