"""Tables for spreadsheets: the same columns in every run, one line a number, and never a formula."""

import csv
import io
import json
from pathlib import Path

import pytest

from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult
from talkvid.evaluation.suite.spreadsheets import RESULT_FIELDS, SUMMARY_FIELDS, results_csv, summary_csv
from talkvid.evaluation.suite.summary import summarise
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.runs import one_column


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_pair_and_number_is_one_line_with_the_same_columns() -> None:
    evaluation = made_up_evaluation()
    text = results_csv(evaluation)
    lines = read_csv(text)
    assert text.count("\n") == len(lines) + 1, "no line is broken"
    assert tuple(lines[0]) == RESULT_FIELDS
    wanted = sum(
        max(sum(len(evaluation.columns[name]) for name in result.metrics), bool(result.failure))
        for result in evaluation.pairs
    )
    assert len(lines) == wanted
    first = lines[0]
    assert (first["row"], first["clip"], first["metric"], first["number"]) == (
        "ours",
        "clip_01",
        "syncnet",
        "lse_d",
    )
    assert float(first["value"]) == evaluation.pairs[0].metrics["syncnet"].values["lse_d"]
    assert (first["fps"], first["frames"], first["crop"]) == ("25.0", "121", "face tracks, 224x224")
    assert json.loads(first["facts"])["size"] == "512x512"
    assert json.loads(first["groups"]) == {"gender": "female", "language": "Polish"}
    other = one_column(Column("n", "N", "higher", "A number."))
    assert tuple(read_csv(results_csv(other))[0]) == RESULT_FIELDS, "whatever the metrics"


def test_an_empty_value_has_its_reason_beside_it() -> None:
    lines = read_csv(results_csv(made_up_evaluation()))
    empty = [line for line in lines if not line["value"]]
    assert {line["reason"] for line in empty} == {
        "/made_up/sadtalker/clip_05.mp4: not a video",
        "no picture has a face on both sides (0 of 125 made | 125 true)",
        "a still mouth has no lag",
    }
    assert not any(line["reason"] for line in lines if line["value"])
    (broken,) = [line for line in empty if line["row"] == "sadtalker"]
    assert broken["metric"] == ""


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", "\r="])
def test_no_text_is_a_formula_to_a_spreadsheet(begin: str) -> None:
    nasty = f'{begin}HYPERLINK("http://x")\nmore'
    pair = Pair(nasty, nasty, Path(f"{begin}.mp4"), groups={"a": nasty})
    column = Column("n", nasty, "zero", "A number.")
    result = MetricResult({"n": -1.5}, {"crop": nasty}, (nasty,))
    evaluation = Evaluation(
        {"m": (column,)}, (PairResult(pair, {"m": result}), PairResult(pair, failure=nasty))[:1]
    )
    for text in (results_csv(evaluation), summary_csv(summarise(evaluation))):
        (line,) = read_csv(text)[:1]
        for name, value in line.items():
            assert value == "-1.5" or not value.startswith(("=", "+", "-", "@", "\t", "\r")), name
            assert "\n" not in value
        assert line["value"] == "-1.5", "a negative number stays a number"


def test_the_table_as_csv_has_every_cell_of_table_and_subgroups() -> None:
    evaluation = made_up_evaluation()
    summary, groups = summarise(evaluation, resamples=20), group_tables(evaluation, resamples=20)
    lines = read_csv(summary_csv(summary, groups))
    assert tuple(lines[0]) == SUMMARY_FIELDS
    found = {(line["group"], line["clips"], line["row"], line["number"]): line for line in lines}
    assert len(found) == len(lines)
    own, shared = (found["", clips, "wav2lip", "lmd_px"] for clips in ("own", "shared"))
    assert (own["num_clips"], own["num_missing"], shared["num_clips"]) == ("11", "1", "9")
    assert float(own["value"]) == summary.cell("wav2lip", "lmd", "lmd_px").mean
    polish = found["language=Polish", "own", "ours", "fid"]
    assert polish["value"] == "" and "too few" in polish["reasons"]
    assert found["gender=female", "own", "ours", "fid"]["value"] == "52.5"
