"""The table that papers print: official names for official numbers alone."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.markdown import DASH
from talkvid.evaluation.suite.method_table import method_table
from talkvid.evaluation.suite.metric import Column, LeftOut
from talkvid.evaluation.suite.result import SetResult
from talkvid.evaluation.suite.summary import summarise
from talkvid.evaluation.suite.user_scores import read_user_scores
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.runs import cells_of_line, one_column


def test_the_method_table_has_the_numbers_on_the_clips_that_all_have() -> None:
    evaluation = made_up_evaluation()
    summary = summarise(evaluation, resamples=20)
    text = method_table(
        summary, user_scores={"ours": UserScore(3.4, 3.1, 3.7, 12, "overall", "mean opinion score")}
    )
    assert text.startswith("| Method | LMD ↓ | LSE-D ↓ | LSE-C ↑ | FID ↓ | LPIPS ↓ | User Score ↑ |\n")
    shared = summary.cell("ours", "lmd", "lmd_px", shared=True)
    assert cells_of_line(text, "ours")[1] == f"{shared.mean:.2f}"
    assert cells_of_line(text, "ours")[4:] == [r"47.30\*", "0.17", "3.40"]
    assert cells_of_line(text, "wav2lip")[6] == DASH
    assert "- LMD, px: of the 9 clips that all rows have.\n" in text
    assert (
        r"- \* FID: rows of other clips each, not to be compared (ours 12, wav2lip 12, sadtalker 10)." in text
    )
    assert "- User Score: mean opinion score, overall, 12 raters.\n" in text
    assert "- User Score: not rated: wav2lip, sadtalker, truth.\n" in text
    assert [line for line in text.splitlines() if "wrong sound" in line] == []


@pytest.mark.parametrize(
    ("heading", "metric", "field"),
    [
        ("LMD form, 40 lip points (px)", "lmd", "LMD"),
        ("LSE-D (other weights)", "sync", "LSE-D"),
        ("FID (other weights)", "fid", "FID"),
        ("LPIPS (alex, other weights)", "lpips", "LPIPS"),
    ],
)
def test_another_number_never_stands_under_an_official_name(heading: str, metric: str, field: str) -> None:
    # Once: numbers of other points and other weights were printed under the names that papers use.
    summary = summarise(one_column(Column("n", heading, "lower", "A number."), metric=metric), resamples=5)
    text = method_table(summary)
    assert cells_of_line(text, "ours") == ["ours", *[DASH] * 6]
    assert f"- {field}: not measured; {heading} is another number and stands in its own column.\n" in text


def test_a_metric_left_out_is_a_dash_with_its_reason() -> None:
    left = (LeftOut("sync", "syncnet_v2.model is absent; fetch it: talkvid models fetch syncnet"),)
    summary = summarise(one_column(Column("fid", "FID", "lower", "A distance."), left_out=left), resamples=5)
    text = method_table(summary)
    assert cells_of_line(text, "ours") == ["ours", DASH, DASH, DASH, "1.25", DASH, DASH]
    for field in ("LSE-D", "LSE-C"):
        assert (
            f"- {field}: left out: syncnet_v2.model is absent; fetch it: talkvid models fetch syncnet\n"
            in text
        )
    assert "- LMD: not measured.\n" in text and "- User Score: no study with raters was made.\n" in text


def test_a_distance_refused_for_a_row_is_a_dash_with_its_reason() -> None:
    evaluation = made_up_evaluation()
    refused = SetResult("wav2lip", "fid", "", 12, {}, {}, reason="1500 samples are too few")
    sets = tuple(refused if one.row == "wav2lip" and not one.group else one for one in evaluation.sets)
    text = method_table(summarise(replace(evaluation, sets=sets), resamples=5))
    assert cells_of_line(text, "wav2lip")[4] == DASH
    assert "- FID of wav2lip: 1500 samples are too few.\n" in text


SCORE = UserScore(3.4, 3.1, 3.7, 12, "overall", "mean opinion score, 1 to 5")


def test_scores_of_a_study_are_read_as_they_were_written(tmp_path: Path) -> None:
    target = tmp_path / "user_scores.json"
    one = UserScore(0.5, None, None, 1, "lips", "share preferred, 0 to 1")
    target.write_text(json.dumps({"ours": asdict(SCORE), "theirs": asdict(one)}))
    assert read_user_scores(target) == {"ours": SCORE, "theirs": one}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "not JSON"),
        ([1], "holds no scores by system"),
        ({"ours": 3.4}, "ours: must have high, low, mean"),
        ({"ours": {**asdict(SCORE), "more": 1}}, "ours: must have"),
        ({"ours": {**asdict(SCORE), "mean": None}}, "must be numbers"),
        ({"ours": {**asdict(SCORE), "low": float("nan")}}, "must be numbers"),
        ({"ours": {**asdict(SCORE), "raters": "12"}}, "raters must be a count"),
        ({"ours": {**asdict(SCORE), "unit": 5}}, "question and unit texts"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: Any, match: str) -> None:
    target = tmp_path / "user_scores.json"
    target.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=match) as refused:
        read_user_scores(target)
    assert str(target) in str(refused.value) and "\n" not in str(refused.value)


def test_a_missing_file_of_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json: no such file; give the user_scores\.json"):
        read_user_scores(tmp_path / "none.json")
