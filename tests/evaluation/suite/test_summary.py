"""Means, intervals, counts, AUC and warnings, against numbers worked by hand."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkvid.evaluation.suite.cells import Cell, Statistic, intervals
from talkvid.evaluation.suite.gathered import NO_SUCH_NUMBER, NOT_FINITE
from talkvid.evaluation.suite.metric import Better, Column
from talkvid.evaluation.suite.pair import STILL, TRUTH, WRONG, Control, Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult
from talkvid.evaluation.suite.separation import goodness
from talkvid.evaluation.suite.summary import Summary, summarise
from tests.evaluation.suite.made_up import made_up_evaluation

CONTROLS = {None: None, TRUTH: Control(TRUTH), WRONG: Control(WRONG), STILL: Control(STILL, still=True)}
Values = Mapping[str, float | None]


def pair(system: str, clip: str, control: str | None = None) -> Pair:
    return Pair(system, clip, Path(f"/{system}/{clip}.mp4"), control=CONTROLS[control])


def run(
    rows: Mapping[tuple[str, str | None], Values],
    *,
    better: Better = "higher",
    sets: Sequence[SetResult] = (),
) -> Evaluation:
    """Return a run of one metric with one number, by (system, control) and clip."""
    column = Column("n", "Number", better, "A number.")
    fid = Column("fid", "FID", "lower", "A distance.")
    return Evaluation(
        columns={"m": (column,), "fid": (fid,)},
        pairs=tuple(
            PairResult(pair(system, clip, control), {"m": MetricResult({"n": value}, {})})
            for (system, control), values in rows.items()
            for clip, value in values.items()
        ),
        sets=tuple(sets),
    )


def clips(*values: float | None) -> dict[str, float | None]:
    return {f"c{number}": value for number, value in enumerate(values)}


def cell(summary: Summary, row: str, *, shared: bool = False) -> Cell:
    return summary.cell(row, "m", "n", shared=shared)


def test_a_cell_is_the_mean_of_its_clips_and_nan_never_enters_it() -> None:
    # Once: a single NaN made the mean of a whole table NaN.
    found = cell(summarise(run({("ours", None): clips(1, 2, 6, math.nan, math.inf, None)})), "ours")
    assert found.mean == 3
    assert (found.num_clips, found.num_missing, found.num_unasked) == (3, 3, 0)
    assert found.reasons == {NOT_FINITE: 2, NO_SUCH_NUMBER: 1}
    assert found.statistic == "mean"


def test_a_column_that_is_best_at_zero_is_summed_up_by_the_median() -> None:
    found = cell(summarise(run({("ours", None): clips(-1, 0, 1, 2, 90)}, better="zero")), "ours")
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
    found = cell(summarise(run({("ours", None): clips(4)})), "ours")
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
                ("ours", None): clips(1, 2, 3, 4),
                ("theirs", None): clips(10, None, 30),
                ("truth", TRUTH): clips(5, 5, 5, 5),
                ("truth", WRONG): {"c0": 7.0},
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
    found = summarise(run({("ours", None): clips(1, 2), ("theirs", None): clips(None, None)}))
    assert cell(found, "ours", shared=True).num_clips == 2
    assert cell(found, "theirs", shared=True).mean is None


def test_rows_stand_in_order_systems_truth_controls() -> None:
    rows = [("truth", WRONG), ("b", WRONG), ("truth", TRUTH), ("b", None), ("a", None)]
    found = summarise(run({row: clips(1) for row in rows}))
    assert [row.name for row in found.rows] == ["b", "a", "truth", "truth: wrong sound", "b: wrong sound"]
    assert [row.control for row in found.rows] == ["", "", "truth", "wrong sound", "wrong sound"]


def test_what_nobody_asked_for_is_not_missing() -> None:
    measured = PairResult(pair("ours", "a"), {"m": MetricResult({"n": 1.0}, {})})
    unasked = PairResult(pair("ours", "b"))
    broken = PairResult(pair("ours", "c"), failure="no video")
    wrong = PairResult(pair("ours", "d"), {"m": MetricResult({}, {}, reason="no face")})
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
    found = summarise(Evaluation({"m": (column,)}, (PairResult(pair("ours", "a"), {"m": result}),)))
    assert cell(found, "ours").reasons == {"the mouth is still": 1}


def test_a_distance_of_sets_joins_its_row_without_an_interval() -> None:
    sets = [
        SetResult("ours", "fid", "", 2, {"fid": 30.5}, {}),
        SetResult("ours", "fid", "gender=male", 1, {"fid": 99.0}, {}),
        SetResult("theirs", "fid", "", 2, {"fid": math.nan}, {}, reason="40 samples are too few"),
    ]
    found = summarise(run({("ours", None): clips(1, 2), ("theirs", None): clips(1, 2)}, sets=sets))
    ours, theirs = found.cell("ours", "fid", "fid"), found.cell("theirs", "fid", "fid")
    assert (ours.mean, ours.low, ours.num_clips, ours.statistic) == (30.5, None, 2, "whole set")
    assert (theirs.mean, theirs.num_clips, theirs.num_missing) == (None, 0, 2)
    assert theirs.reasons == {"40 samples are too few": 2}
    assert found.cell("ours", "fid", "fid", shared=True) == ours


def test_distances_of_different_sets_are_not_compared() -> None:
    sets = [SetResult(row, "fid", "", count, {"fid": 1.0}, {}) for row, count in (("ours", 2), ("theirs", 1))]
    found = summarise(run({("ours", None): clips(1, 2), ("theirs", None): clips(1)}, sets=sets))
    assert found.cell("ours", "fid", "fid").mean == 1
    assert found.cell("ours", "fid", "fid", shared=True).mean is None


@pytest.mark.parametrize(
    ("better", "truth", "control", "auc"),
    [
        ("higher", (5, 6, 7, 8, 9), (1, 2, 3, 4, 5), 24.5 / 25),  # one tie
        ("lower", (5, 6, 7, 8, 9), (1, 2, 3, 4, 5), 0.5 / 25),
        ("zero", (-1, 0, 1, 0, 0), (-9, 9, 8, -8, 7), 1.0),
        ("one", (1, 0.9, 1.1, 1, 1), (0.2, 3, 0.1, 4, 1.05), 23 / 25),  # 1.05 is nearer than 0.9 and 1.1
    ],
)
def test_auc_is_how_often_the_truth_is_better(
    better: Better, truth: Sequence[float], control: Sequence[float], auc: float
) -> None:
    rows = {("truth", TRUTH): clips(*truth), ("truth", WRONG): clips(*control)}
    (found,) = summarise(run(rows, better=better)).separations
    assert found.auc == pytest.approx(auc)
    assert (found.row, found.control, found.num_clips) == ("truth", "truth: wrong sound", 5)


def test_both_sides_of_an_auc_are_the_same_clips() -> None:
    rows = {("truth", TRUTH): clips(9, None, 1, 1, 1, 1), ("truth", WRONG): clips(None, 0, 2, 2, 2, 2)}
    (found,) = summarise(run(rows)).separations
    assert (found.auc, found.num_clips, found.told) == (0, 4, None)


def test_a_number_that_cannot_tell_the_truth_from_a_control_is_warned_of() -> None:
    rows = {
        ("truth", TRUTH): clips(1, 2, 3, 4, 5, 6),
        ("truth", WRONG): clips(1, 2, 3, 4, 5, 5),
        ("truth", STILL): clips(0, 0, 0, 0, 0, 0),
    }
    found = summarise(run(rows))
    # Wins of 1 to 6 over 1, 2, 3, 4, 5, 5: 0, 1, 2, 3, 4, 6; ties: 1, 1, 1, 1, 2, 0: (16 + 6 / 2) / 36.
    assert found.warnings == ("Number cannot tell the truth from wrong sound here (AUC 0.53 of 6 clips)",)


def test_too_few_clips_say_nothing_either_way() -> None:
    rows = {("truth", TRUTH): clips(9, 9, 9, 9), ("truth", WRONG): clips(1, 1, 1, 1)}
    found = summarise(run(rows))
    assert found.separations[0].told is None
    assert found.warnings == (
        "too few clips to say whether Number can tell the truth from wrong sound: 4 clips of 5",
    )


def test_a_number_that_a_control_leaves_as_it_is_is_told_in_one_line() -> None:
    rows = {row: clips(1, 2, 3, 4, 5) for row in ((TRUTH, TRUTH), (TRUTH, WRONG), (TRUTH, STILL))}
    assert summarise(run(rows)).warnings == (
        "Number cannot tell the truth from wrong sound: equal in every clip",
        "Number cannot tell the truth from still frame: equal in every clip",
    )


def test_a_system_that_its_sound_does_not_matter_to_is_warned_of() -> None:
    rows = {
        ("ours", None): clips(1, 2, 3, 4, 5),
        ("ours", WRONG): clips(2, 3, 4, 5, 6),
    }
    (line,) = summarise(run(rows)).warnings
    assert line == (
        "Number cannot tell ours from ours with wrong sound here (AUC 0.32 of 5 clips), "
        "or these videos are no better than that"
    )


def test_a_column_without_a_good_side_is_not_ranked() -> None:
    rows = {("truth", TRUTH): clips(1, 2, 3, 4, 5), ("truth", WRONG): clips(1, 2, 3, 4, 5)}
    assert summarise(run(rows, better="none")).separations == ()
    with pytest.raises(ValueError, match="cannot be ranked"):
        goodness(np.zeros(2), "none")


@pytest.mark.parametrize(("better", "sign"), [("higher", 1), ("lower", -1)])
def test_a_system_that_beats_the_truth_beyond_chance_is_warned_of(better: Better, sign: int) -> None:
    # Wav2Lip, trained against SyncNet, has better LSE-D and LSE-C than true videos.
    truth = np.array([6.0, 7.0, 6.5, 7.5, 6.8, 7.2])
    rows = {
        ("trained", None): clips(*(sign * (truth + np.array([1, 1.2, 0.8, 1, 1.1, 0.9])))),
        ("lucky", None): clips(*(sign * (truth + np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.05])))),
        ("truth", TRUTH): clips(*(sign * truth)),
        ("truth", WRONG): clips(*(sign * truth - sign * 5)),
    }
    found = summarise(run(rows, better=better))
    assert [one.row for one in found.better_than_truth] == ["trained"]
    (one,) = found.better_than_truth
    assert (one.made, one.truth) == (
        pytest.approx(sign * (truth.mean() + 1)),
        pytest.approx(sign * truth.mean()),
    )
    assert 0.8 < one.low < 1 < one.high < 1.2
    (line,) = found.warnings
    assert line.startswith("Number: trained is better than the truth (")
    assert "in 6 clips" in line


def test_four_clips_are_too_few_to_beat_the_truth() -> None:
    rows = {("ours", None): clips(9, 9, 9, 9), ("truth", TRUTH): clips(1, 1, 1, 1)}
    assert summarise(run(rows)).better_than_truth == ()


def test_a_run_without_controls_says_so() -> None:
    without = "no controls were scored: nothing shows that these numbers tell good from bad here"
    assert summarise(run({("ours", None): clips(1, 2)})).warnings == (without,)
    still = {("truth", TRUTH): clips(*range(2, 8)), ("truth", STILL): clips(*[0] * 6)}
    assert summarise(run(still)).warnings == (
        "no control with a wrong sound: there are no two clips with different sounds",
    )


def test_the_made_up_run_is_warned_of_as_its_numbers_say() -> None:
    found = summarise(made_up_evaluation())
    assert (
        "identity cosine cannot tell the truth from still frame here (AUC 0.00 of 12 clips)" in found.warnings
    )
    assert [(one.row, one.key) for one in found.better_than_truth] == [
        ("wav2lip", "lse_d"),
        ("wav2lip", "lse_c"),
    ]
    assert [one.name for one in found.left_out] == ["fvd", "csim"]
    assert found.cell("wav2lip", "lmd", "lmd_px").num_clips == 11
    assert found.cell("truth: wrong sound", "lmd", "lmd_px").num_unasked == 12
    assert all("\n" not in line for line in found.warnings)


def test_an_empty_run_has_an_empty_table() -> None:
    found = summarise(Evaluation({}, ()))
    assert (found.rows, found.cells, found.separations) == ((), {}, ())


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="0 resamples"):
        summarise(run({("ours", None): clips(1)}), resamples=0)


def test_five_hundred_clips_take_seconds() -> None:
    generator = np.random.default_rng(3)
    columns = tuple(Column(f"k{number}", f"K{number}", "higher", "A number.") for number in range(40))
    rows: list[tuple[str, str | None]] = [(f"s{number}", None) for number in range(6)]
    pairs = tuple(
        PairResult(
            pair(system, f"{clip:03d}", control),
            {
                "m": MetricResult(
                    {f"k{n}": float(value) for n, value in enumerate(generator.normal(size=40))}, {}
                )
            },
        )
        for system, control in [*rows, ("truth", TRUTH), ("truth", WRONG)]
        for clip in range(500)
    )
    begin = time.process_time()
    found = summarise(Evaluation({"m": columns}, pairs))
    spent = time.process_time() - begin
    assert len(found.cells) == 320
    assert spent < 20, f"{spent:.1f} CPU seconds for 500 clips x 40 columns x 8 rows; about 4 are usual"
