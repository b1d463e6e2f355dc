"""Means, intervals and counts against numbers worked by hand."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkvid.evaluation.suite.cells import Cell, Statistic, intervals
from talkvid.evaluation.suite.gathered import NO_SUCH_NUMBER, NOT_FINITE
from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult
from talkvid.evaluation.suite.summary import Summary, summarise
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.runs import clips, pair_of, run


def cell(summary: Summary, row: str, *, shared: bool = False) -> Cell:
    return summary.cell(row, "m", "n", shared=shared)


def test_a_cell_is_the_mean_of_its_clips_and_nan_never_enters_it() -> None:
    # Once: a single NaN made the mean of a whole table NaN.
    found = cell(summarise(run({"ours": clips(1, 2, 6, math.nan, math.inf, None)})), "ours")
    assert found.mean == 3
    assert (found.num_clips, found.num_missing, found.num_unasked) == (3, 3, 0)
    assert found.reasons == {NOT_FINITE: 2, NO_SUCH_NUMBER: 1}
    assert found.statistic == "mean"


def test_a_column_that_is_best_at_zero_is_summed_up_by_the_median() -> None:
    found = cell(summarise(run({"ours": clips(-1, 0, 1, 2, 90)}, better="zero")), "ours")
    assert (found.mean, found.statistic) == (1, "median")
    assert found.low is not None and found.high is not None
    assert found.low in (-1, 0) and found.high in (2, 90), "ends are medians of five of these numbers"


def test_the_interval_of_two_clips_is_that_of_all_resamples() -> None:
    # Of 1 and 3 the resampled means are 1 (a quarter), 2 (a half) and 3 (a quarter).
    assert intervals([np.array([1.0, 3.0])], ["mean"], resamples=4000, seed=0) == [(1.0, 3.0)]


def test_the_interval_is_what_resampling_one_by_one_gives() -> None:
    values = np.array([0.2, 0.9, 0.4, 0.4, 0.1, 0.7])
    draws = np.random.default_rng([7, 6]).integers(6, size=(200, 6))
    means = sorted(sum(values[place] for place in draw) / 6 for draw in draws)
    # The 2.5th percentile of 200 sorted numbers lies at place 0.025 * 199 = 4.975, counted from 0.
    low = means[4] + 0.975 * (means[5] - means[4])
    high = means[194] + 0.025 * (means[195] - means[194])
    assert intervals([values], ["mean"], resamples=200, seed=7) == [pytest.approx((low, high))]


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    samples = [generator.normal(size=40) for _ in range(300)]
    ends = intervals(samples, ["mean"] * 300, resamples=400, seed=1)
    covered = np.mean([found is not None and found[0] <= 0 <= found[1] for found in ends])
    assert 0.89 <= covered <= 0.98, "95 % are promised, and percentile intervals of 40 are slightly narrow"


def test_one_clip_has_a_number_and_no_interval() -> None:
    found = cell(summarise(run({"ours": clips(4)})), "ours")
    assert (found.mean, found.low, found.high, found.num_clips, found.few) == (4, None, None, 1, True)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30),
    st.sampled_from(["mean", "median"]),
    st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_an_interval_lies_within_the_values_and_no_other_cell_moves_it(
    values: list[float], statistic: Statistic, seed: int
) -> None:
    sample, other = np.array(values), np.arange(float(len(values)))
    first = intervals([other, sample], ["mean", statistic], resamples=50, seed=seed)[1]
    assert first == intervals([sample], [statistic], resamples=50, seed=seed)[0]
    assert first is not None
    slack = 1e-9 * max(abs(sample).max(), 1)
    assert sample.min() - slack <= first[0] <= first[1] <= sample.max() + slack


def test_the_order_of_the_pairs_changes_nothing() -> None:
    evaluation = made_up_evaluation()
    turned = Evaluation(**{**vars(evaluation), "pairs": tuple(reversed(evaluation.pairs))})
    first, second = summarise(evaluation, resamples=60), summarise(turned, resamples=60)
    assert first.cells == second.cells
    assert first.shared == second.shared


def test_rows_are_compared_on_the_clips_that_all_have() -> None:
    found = summarise(
        run(
            {
                "ours": clips(1, 2, 3, 4),
                "theirs": clips(10, None, 30),
                "truth": clips(5, 5, 5, 5),
                "truth: wrong sound": {"c0": 7.0},
            }
        )
    )
    assert [cell(found, row).mean for row in ("ours", "theirs", "truth")] == [2.5, 20, 5]
    shared = [cell(found, row, shared=True) for row in ("ours", "theirs", "truth")]
    assert [one.mean for one in shared] == [2, 20, 5], "clips c0 and c2 alone"
    assert [one.num_clips for one in shared] == [2, 2, 2], "the control's clips do not count"
    rows = {row.name: row for row in found.rows}
    assert rows["theirs"].lacks == ("c3",) and rows["ours"].lacks == ()
    assert rows["truth: wrong sound"].lacks == ("c1", "c2", "c3")
    assert any(line.startswith("theirs lacks 1 of 4 clips (c3)") for line in found.warnings)


def test_a_row_without_any_number_does_not_empty_the_comparison() -> None:
    found = summarise(run({"ours": clips(1, 2), "theirs": clips(None, None)}))
    assert cell(found, "ours", shared=True).num_clips == 2
    assert cell(found, "theirs", shared=True).mean is None


def test_rows_stand_in_order_systems_truth_controls() -> None:
    rows = ["truth: wrong sound", "b: wrong sound", "truth", "b", "a"]
    found = summarise(run({row: clips(1) for row in rows}))
    assert [row.name for row in found.rows] == ["b", "a", "truth", "truth: wrong sound", "b: wrong sound"]
    assert [row.control for row in found.rows] == ["", "", "truth", "wrong sound", "wrong sound"]


def test_what_nobody_asked_for_is_not_missing() -> None:
    measured = PairResult(pair_of("ours", "a"), {"m": MetricResult({"n": 1.0}, {})})
    unasked = PairResult(pair_of("ours", "b"))
    broken = PairResult(pair_of("ours", "c"), failure="no video")
    wrong = PairResult(pair_of("ours", "d"), {"m": MetricResult({}, {}, reason="no face")})
    column = Column("n", "Number", "higher", "A number.")
    found = summarise(Evaluation({"m": (column,)}, (measured, unasked, broken, wrong)))
    ours = cell(found, "ours")
    assert (ours.num_clips, ours.num_missing, ours.num_unasked) == (1, 2, 1)
    assert ours.reasons == {"the video could not be opened: no video": 1, "no face": 1}
    assert found.rows[0].failed == ("c",)
    assert "ours: 1 of 4 videos did not open (no video)" in found.warnings


def test_the_note_on_the_number_itself_is_its_reason() -> None:
    column = Column("n", "Number", "higher", "A number.")
    result = MetricResult({"n": None}, {}, ("2 pictures show no face", "no n: the mouth is still"))
    found = summarise(Evaluation({"m": (column,)}, (PairResult(pair_of("ours", "a"), {"m": result}),)))
    assert cell(found, "ours").reasons == {"the mouth is still": 1}


def test_a_distance_of_sets_joins_its_row_without_an_interval() -> None:
    sets = [
        SetResult("ours", "fid", "", 2, {"fid": 30.5}, {}),
        SetResult("ours", "fid", "gender=male", 1, {"fid": 99.0}, {}),
        SetResult("theirs", "fid", "", 2, {"fid": math.nan}, {}, reason="40 samples are too few"),
    ]
    found = summarise(run({"ours": clips(1, 2), "theirs": clips(1, 2)}, sets=sets))
    ours, theirs = found.cell("ours", "fid", "fid"), found.cell("theirs", "fid", "fid")
    assert (ours.mean, ours.low, ours.num_clips, ours.statistic) == (30.5, None, 2, "whole set")
    assert (theirs.mean, theirs.num_clips, theirs.num_missing) == (None, 0, 2)
    assert theirs.reasons == {"40 samples are too few": 2}
    assert found.cell("ours", "fid", "fid", shared=True) == ours


def test_distances_of_different_sets_are_not_compared() -> None:
    sets = [SetResult(row, "fid", "", count, {"fid": 1.0}, {}) for row, count in (("ours", 2), ("theirs", 1))]
    found = summarise(run({"ours": clips(1, 2), "theirs": clips(1)}, sets=sets))
    assert found.cell("ours", "fid", "fid").mean == 1
    assert found.cell("ours", "fid", "fid", shared=True).mean is None


def test_an_empty_run_has_an_empty_table() -> None:
    found = summarise(Evaluation({}, ()))
    assert (found.rows, found.cells, found.separations) == ((), {}, ())


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="0 resamples"):
        summarise(run({"ours": clips(1)}), resamples=0)


def test_five_hundred_clips_take_seconds() -> None:
    generator = np.random.default_rng(3)
    columns = tuple(Column(f"k{number}", f"K{number}", "higher", "A number.") for number in range(40))
    pairs = tuple(
        PairResult(
            pair_of(row, f"{clip:03d}"),
            {
                "m": MetricResult(
                    {f"k{n}": float(value) for n, value in enumerate(generator.normal(size=40))}, {}
                )
            },
        )
        for row in [*(f"s{number}" for number in range(6)), "truth", "truth: wrong sound"]
        for clip in range(500)
    )
    begin = time.process_time()
    found = summarise(Evaluation({"m": columns}, pairs))
    spent = time.process_time() - begin
    assert len(found.cells) == 320
    assert spent < 20, f"{spent:.1f} CPU seconds for 500 clips x 40 columns x 8 rows; about 4 are usual"
