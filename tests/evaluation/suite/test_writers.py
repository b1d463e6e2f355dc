"""What is written as JSON and Markdown: plain text, counts, arrows, and whole files or none."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.markdown import DASH, MOST_COLUMNS, chunks, number, plain
from talkvid.evaluation.suite.metric import LeftOut
from talkvid.evaluation.suite.summary import summarise
from talkvid.evaluation.suite.summary_page import groups_markdown, summary_markdown
from talkvid.evaluation.suite.told_facts import told_facts, told_value
from talkvid.evaluation.suite.writers import summary_json, write_tables
from tests.evaluation.suite.made_up import made_up_evaluation
from tests.evaluation.suite.runs import cells_of_line

NASTY = '=HYPERLINK("http://x")|`a`\n# **b** [c](d) <script>'


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


def test_controls_stand_only_in_the_tables_where_they_have_numbers() -> None:
    evaluation = made_up_evaluation()
    parts = summary_markdown(evaluation, summarise(evaluation, resamples=20)).split("\n|  |")
    (pictures,) = [part for part in parts if "FID ↓" in part.splitlines()[0]]
    rows = [
        line.split(" |")[0].removeprefix("| ") for line in pictures.splitlines()[2:] if line.startswith("|")
    ]
    assert rows == ["ours (12)", "wav2lip (12)", r"sadtalker (11)\*", "truth (12)", "truth: still frame (12)"]


def test_the_command_can_be_given_to_a_shell() -> None:
    evaluation = made_up_evaluation()
    told = replace(evaluation, settings={"command": ["talkvid", "evaluate", "my videos"], "unpaired": []})
    text = summary_markdown(told, summarise(told, resamples=5))
    assert "- command: talkvid evaluate 'my videos'\n- unpaired: none\n" in text


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
    assert told_facts([{"size": text} for text in "abcd"])["size"].endswith("; 1 other value")
    assert (told_value([]), told_value(None), told_value(False)) == ("none", "none", "no")
    sizes = [{"size": text} for text in "aabbbcde"]
    assert told_facts(sizes) == {"size": "b (3x); a (2x); c (1x); 2 other values"}
    assert told_value({"torch": "2.13", "fps": 0.1 + 0.2, "x": None}) == "torch 2.13, fps 0.3, x none"
    assert told_value(dict.fromkeys(range(41), "hash")) == "41 entries, in results.json"
