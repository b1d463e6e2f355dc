"""Tables of subgroups against means worked by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.suite.groups import GroupTable, group_tables
from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.pair import TRUTH, Control, Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult
from talkvid.evaluation.suite.summary import summarise
from tests.evaluation.suite.made_up import GROUPS, made_up_evaluation

SCORE = Column("n", "Number", "higher", "A number.")
FID = Column("fid", "FID", "lower", "A distance.")
AGES = {"a": "0-19", "b": "0-19", "c": "60+", "d": "60+", "e": "60+", "f": "60+", "g": "60+", "h": None}
NUMBERS: dict[str, dict[str, float | None]] = {
    "ours": {"a": 1.0, "b": 4.0, "c": 2.0, "d": 3.0, "e": 7.0, "f": None, "g": math.nan, "h": 100.0},
    "theirs": {"a": 10.0, "c": 20.0, "d": 40.0, "e": 0.0, "f": 0.0, "g": 0.0},
}


def run(*, sets: tuple[SetResult, ...] = ()) -> Evaluation:
    results = []
    for system, values in NUMBERS.items():
        for clip, value in values.items():
            age = AGES[clip]
            groups = {} if age is None else {"age": age}
            pair = Pair(system, clip, Path(f"/{system}/{clip}.mp4"), groups=groups)
            results.append(PairResult(pair, {"m": MetricResult({"n": value}, {})}))
    return Evaluation({"m": (SCORE,), "fid": (FID,)}, tuple(results), sets=sets)


def only_table(evaluation: Evaluation) -> GroupTable:
    (found,) = group_tables(evaluation, resamples=50)
    return found


def test_means_of_subgroups_are_those_worked_by_hand() -> None:
    table = only_table(run())
    assert (table.dimension, table.num_unstated) == ("age", 1)
    young, old = table.groups
    assert (young.value, young.num_clips, young.few) == ("0-19", 2, True)
    assert (old.value, old.num_clips, old.few) == ("60+", 5, False)
    means = {(group.value, row): group.cell(row, "m", "n").mean for group in table.groups for row in NUMBERS}
    assert means == {
        ("0-19", "ours"): 2.5,  # (1 + 4) / 2
        ("0-19", "theirs"): 10.0,  # b is not shown by them
        ("60+", "ours"): 4.0,  # (2 + 3 + 7) / 3; f has no number, g is not finite
        ("60+", "theirs"): 12.0,  # (20 + 40) / 5
    }
    ours = old.cell("ours", "m", "n")
    assert (ours.num_clips, ours.num_missing, ours.few) == (3, 2, True)
    assert ours.low is not None and ours.high is not None and 2 <= ours.low <= 4 <= ours.high <= 7
    assert young.cell("theirs", "m", "n").num_clips == 1


def test_a_group_that_is_everyone_is_the_table_itself() -> None:
    evaluation = made_up_evaluation()
    same = tuple(
        PairResult(Pair(**{**vars(result.pair), "groups": {"all": "yes"}}), result.metrics, result.failure)
        for result in evaluation.pairs
    )
    whole = Evaluation(**{**vars(evaluation), "pairs": same, "sets": ()})
    (group,) = only_table(whole).groups
    assert dict(group.cells) == dict(summarise(whole, resamples=50).cells)


def test_groups_of_a_real_looking_run_are_the_means_of_their_clips() -> None:
    evaluation = made_up_evaluation()
    tables = {table.dimension: table for table in group_tables(evaluation, resamples=20)}
    assert list(tables) == ["gender", "language"]
    for dimension, table in tables.items():
        for group in table.groups:
            values = [
                result.metrics["syncnet"].values["lse_c"]
                for result in evaluation.pairs
                if result.pair.row == "ours" and GROUPS[result.pair.clip][dimension] == group.value
            ]
            cell = group.cell("ours", "syncnet", "lse_c")
            assert cell.mean == pytest.approx(np.mean([value for value in values if value is not None]))
            assert cell.num_clips == group.num_clips == len(values)
    assert {group.value: group.few for group in tables["language"].groups} == {
        "English": True,
        "German": False,
        "Polish": True,
    }


def test_distances_of_sets_stand_in_the_group_they_were_measured_for() -> None:
    sets = (
        SetResult("ours", "fid", "", 8, {"fid": 10.0}, {}),
        SetResult("ours", "fid", "age=60+", 5, {"fid": 20.0}, {}),
        SetResult("ours", "fid", "age=0-19", 2, {}, {}, reason="2 samples are too few"),
    )
    young, old = only_table(run(sets=sets)).groups
    assert old.cell("ours", "fid", "fid").mean == 20
    assert young.cell("ours", "fid", "fid").mean is None
    assert young.cell("ours", "fid", "fid").reasons == {"2 samples are too few": 2}
    assert old.cell("theirs", "fid", "fid").mean is None


def test_a_row_that_is_not_in_a_group_has_nothing_there() -> None:
    pairs = [
        Pair("ours", "a", Path("/a.mp4"), groups={"age": "60+"}),
        Pair("truth", "b", Path("/b.mp4"), groups={"age": "0-19"}, control=Control(TRUTH)),
    ]
    results = tuple(PairResult(pair, {"m": MetricResult({"n": 1.0}, {})}) for pair in pairs)
    young, old = only_table(Evaluation({"m": (SCORE,)}, results)).groups
    assert set(young.cells) == {("truth", "m", "n")} and set(old.cells) == {("ours", "m", "n")}
    assert young.cell("ours", "m", "n").mean is None


def test_without_groups_there_is_no_table() -> None:
    result = PairResult(Pair("ours", "a", Path("/a.mp4")), {"m": MetricResult({"n": 1.0}, {})})
    assert group_tables(Evaluation({"m": (SCORE,)}, (result,))) == []


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="0 resamples"):
        group_tables(run(), resamples=0)
