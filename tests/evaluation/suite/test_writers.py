"""What is written: stable columns, plain text, official names for official numbers alone."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.markdown import DASH, MOST_COLUMNS, chunks, number, plain
from talkvid.evaluation.suite.method_table import method_table
from talkvid.evaluation.suite.metric import Column, LeftOut
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult
from talkvid.evaluation.suite.spreadsheets import RESULT_FIELDS, SUMMARY_FIELDS, results_csv, summary_csv
from talkvid.evaluation.suite.summary import summarise
from talkvid.evaluation.suite.summary_page import groups_markdown, summary_markdown
from talkvid.evaluation.suite.told_facts import told_facts, told_value
from talkvid.evaluation.suite.writers import summary_json, write_tables
from tests.evaluation.suite.made_up import made_up_evaluation

NASTY = '=HYPERLINK("http://x")|`a`\n# **b** [c](d) <script>'


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def one_column(column: Column, *, left_out: tuple[LeftOut, ...] = (), metric: str = "m") -> Evaluation:
    pairs = [Pair(system, clip, Path("/v.mp4")) for system in ("ours", "theirs") for clip in "abcdef"]
    results = tuple(PairResult(pair, {metric: MetricResult({column.key: 1.25}, {})}) for pair in pairs)
    return Evaluation({metric: (column,)}, results, left_out=left_out)


def cells_of_line(text: str, name: str) -> list[str]:
    """Return the cells of the first table line that begins with the name."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]


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


def test_the_json_holds_the_whole_table_and_no_nan() -> None:
    evaluation = made_up_evaluation()
    summary, groups = summarise(evaluation, resamples=20), group_tables(evaluation, resamples=20)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    told = json.loads(summary_json(evaluation, summary, groups), parse_constant=refuse)
    cells = {(cell["row"], cell["number"]): cell for cell in told["cells"]}
    ours = summary.cell("ours", "syncnet", "lse_d")
    assert cells["ours", "lse_d"]["mean"] == ours.mean and cells["ours", "lse_d"]["low"] == ours.low
    assert told["left_out"][0]["name"] == "fvd"
    assert told["bootstrap"] == {"resamples": 20, "seed": 0, "interval": "95 % percentile"}
    assert told["warnings"] == list(summary.warnings)
    assert {row["name"]: row["lacks"] for row in told["rows"]}["sadtalker"] == ["clip_12"]
    control = next(
        one for one in told["controls"] if one["control"] == "truth: still frame" and one["key"] == "identity"
    )
    assert (control["auc"], control["told"]) == (0, False)
    assert [group["value"] for group in told["groups"][1]["values"]] == ["English", "German", "Polish"]


def test_the_summary_tells_numbers_counts_arrows_and_what_is_left_out() -> None:
    evaluation = made_up_evaluation()
    summary = summarise(evaluation)
    text = summary_markdown(evaluation, summary)
    ours = summary.cell("ours", "syncnet", "lse_d")
    table = text[text.index("## Table") :]
    assert "| LSE-D ↓ | LSE-C ↑ | A/V offset, frames →0 |" in table
    assert cells_of_line(table, "ours (12)")[1] == f"{ours.mean:.3f} [{ours.low:.3f}, {ours.high:.3f}]"
    assert "LMD, px ↓" in table and "| pictures |" in table and "flicker ratio →1" in table
    wav2lip = summary.cell("wav2lip", "lmd", "lmd_px")
    assert f"{wav2lip.mean:.3f} [{wav2lip.low:.3f}, {wav2lip.high:.3f}] (11)" in table
    assert r"| sadtalker (11)\* |" in table and "a row of other clips than the rest" in table
    assert "## On the clips that all have" in table
    assert cells_of_line(table, "truth: still frame (12)")[5] == DASH, "a still mouth has no lag"
    assert "**0.00 (12)**" in text, "the identity cosine of a still frame"
    assert "- fvd: model\\_ckpts" not in text
    assert "- fvd: model_ckpts/evaluation/i3d.pt is absent; fetch it: talkvid models fetch i3d\n" in text
    assert (
        "**syncnet** (118 measured): crop: face tracks, 224x224; size: 512x512 (108x); 256x256 (10x)" in text
    )
    assert "frames: 121 to 132; version: 1" in text
    assert "95 % percentile bootstrap over clips, 1000 resamples, seed 0" in text
    assert "yardstick: embedded (packaged face networks)" in text and "ab" * 32 in text
    assert (
        "- wav2lip: LMD, px: 1 clip: no picture has a face on both sides (0 of 125 made \\| 125 true) (1)"
        in text
    )
    assert all(f"- {plain(line)}\n" in text for line in summary.warnings)


def test_intervals_can_be_left_away() -> None:
    evaluation = made_up_evaluation()
    text = summary_markdown(evaluation, summarise(evaluation, resamples=20), intervals=False)
    assert cells_of_line(text[text.index("## Table") :], "ours (12)")[1] == "7.362"


def test_every_line_of_a_table_has_as_many_cells_as_its_head() -> None:
    evaluation = made_up_evaluation()
    result = replace(evaluation.pairs[0], pair=replace(evaluation.pairs[0].pair, system=NASTY))
    strange = replace(evaluation, pairs=(*evaluation.pairs, result), left_out=(LeftOut(NASTY, NASTY),))
    summary = summarise(strange, resamples=20)
    text = summary_markdown(strange, summary, title=NASTY)
    text += groups_markdown(summary, group_tables(strange, resamples=20))
    tables = [part.splitlines() for part in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
    assert len(tables) >= 8
    for lines in tables:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) == 1, lines[0]
    assert "<script>" not in text and "**b**" not in text and "[c](d)" not in text


@given(st.text(max_size=60))
def test_no_text_ends_a_cell_or_a_line(text: str) -> None:
    told = plain(text)
    assert len(told.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(?:\\\\)*\|", told)
    assert "<" not in told and ">" not in told


def test_a_negative_zero_is_shown_as_zero() -> None:
    assert (number(-0.0004, 3), number(-0.0006, 3), number(None, 3)) == ("0.000", "-0.001", DASH)


def test_wide_tables_are_broken_between_metrics() -> None:
    evaluation = made_up_evaluation()
    columns = summarise(evaluation, resamples=5).columns
    parts = chunks(columns)
    assert [one.id for part in parts for one in part] == [one.id for one in columns]
    assert all(len(part) <= MOST_COLUMNS for part in parts)
    assert len([part for part in parts if any(one.metric == "syncnet" for one in part)]) == 1


def test_subgroups_are_told_with_their_counts() -> None:
    evaluation = made_up_evaluation()
    text = groups_markdown(summarise(evaluation, resamples=20), group_tables(evaluation, resamples=20))
    assert "## gender" in text and "## language" in text
    assert "| Polish: ours (3°) |" in text and "| German: ours (5) |" in text
    assert "wrong sound" not in text, "controls have no subgroups to compare"


def test_the_method_table_has_the_numbers_on_the_clips_that_all_have() -> None:
    evaluation = made_up_evaluation()
    summary = summarise(evaluation, resamples=20)
    text = method_table(summary, user_scores={"ours": 3.4})
    assert text.startswith("| Method | LMD ↓ | LSE-D ↓ | LSE-C ↑ | FID ↓ | LPIPS ↓ | User Score ↑ |\n")
    shared = summary.cell("ours", "lmd", "lmd_px", shared=True)
    assert cells_of_line(text, "ours")[1] == f"{shared.mean:.2f}"
    assert cells_of_line(text, "ours")[4:] == [r"47.30\*", "0.17", "3.40"]
    assert cells_of_line(text, "wav2lip")[6] == DASH
    assert "- LMD, px: of the 9 clips that all rows have.\n" in text
    assert (
        r"- \* FID: rows of other clips each, not to be compared (ours 12, wav2lip 12, sadtalker 10)." in text
    )
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


def test_all_files_are_written_whole(tmp_path: Path) -> None:
    evaluation = made_up_evaluation()
    summary, groups = summarise(evaluation, resamples=20), group_tables(evaluation, resamples=20)
    written = write_tables(evaluation, summary, tmp_path / "run", groups=groups)
    names = ["results.csv", "summary.csv", "summary.json", "summary.md", "groups.md"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(names)
    before = {path: path.read_bytes() for path in written}
    write_tables(evaluation, summary, tmp_path / "run", groups=groups)
    assert {path: path.read_bytes() for path in written} == before, "the same run gives the same bytes"
    assert "groups.md" not in [path.name for path in write_tables(evaluation, summary, tmp_path / "plain")]


def test_a_failure_leaves_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = made_up_evaluation()
    summary = summarise(evaluation, resamples=5)
    (target,) = [path for path in write_tables(evaluation, summary, tmp_path) if path.name == "summary.md"]
    before = target.read_bytes()

    def half(path: Path, text: str, **_: str) -> int:
        path.write_bytes(text.encode()[:10])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="no space"):
        write_tables(evaluation, summary, tmp_path, title="Another")
    assert target.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_facts_of_many_videos_are_told_by_what_they_share() -> None:
    facts = [{"frames": count, "fps": 25.0, "crop": "none", "exact": count > 1} for count in (1, 2, 2, 3, 9)]
    facts[0]["size"] = "2x2"
    assert told_facts(facts) == {
        "crop": "none",
        "size": "2x2",
        "fps": "25",
        "frames": "1 to 9",
        "exact": "yes (4x); no (1x)",
    }
    sizes = [{"size": text} for text in "aabbbcde"]
    assert told_facts(sizes) == {"size": "b (3x); a (2x); c (1x); 2 other values"}
    assert told_value({"torch": "2.13", "fps": 0.1 + 0.2, "x": None}) == "torch 2.13, fps 0.3, x none"
    assert told_value(dict.fromkeys(range(41), "hash")) == "41 entries, in results.json"
