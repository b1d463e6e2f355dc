"""The door `talkvid study`: make a folder, analyse answers, and one line for every mistake."""

import argparse
import csv
import json
import re
from pathlib import Path

import pytest

from talkvid.cli import study
from talkvid.cli.main import VERBS, main
from talkvid.evaluation.raters.key import read_key, write_key
from talkvid.evaluation.raters.questions import FIRST, SECOND
from talkvid.evaluation.suite.user_scores import read_user_scores
from tests.evaluation.raters.conftest import PICTURES, draw
from tests.evaluation.raters.planted import attentive, planted_key, write_answers


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name in ("YakFlow7", "XerusGan"):
        draw(folder / name / "speech.mp4", PICTURES[name], name=name)
    return folder


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    assert main(["study", *map(str, arguments)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("talkvid: error: ")
    return said.removeprefix("talkvid: error: ")


def test_make_prints_the_page_and_analyse_reads_what_raters_hand_back(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "study" in VERBS
    given = [f"--videos=Ours={videos / 'YakFlow7'}", f"--videos=Theirs={videos / 'XerusGan'}"]
    out = tmp_path / "study"
    assert main(["study", "make", *given, "--output", str(out), "--raters", "5", "--catch", "1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(out / "for_raters" / "index.html")]
    assert "5 raters, 2 trials each, 4 videos; hand out for_raters/" in captured.err

    key = read_key(out / "key.json")
    answers = write_answers(
        tmp_path / "answers",
        key,
        attentive(lambda trial, key: FIRST if key.names(trial)[0] == "Ours" else SECOND),
        raters=key.raters[:4],
    )
    (answers / "broken.json").write_text("{")
    report = tmp_path / "report"
    words = ["--key", str(out / "key.json"), "--answers", str(answers), "-o", str(report)]
    assert main(["study", "analyse", *words]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(report / "index.html")]
    assert "4 raters count, 0 excluded, 1 handed in nothing, 1 files refused" in captured.err
    assert "Ours: 1.00 [1.00, 1.00] (Overall, share preferred, 0 to 1)" in captured.err
    scores = json.loads((report / "user_scores.json").read_text())
    assert {name: (score["mean"], score["raters"]) for name, score in scores.items()} == {
        "Ours": (1.0, 4),
        "Theirs": (0.0, 4),
    }
    assert read_user_scores(report / "user_scores.json")["Ours"].unit == "share preferred, 0 to 1"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and answers of systems with names that could break a table or a page."""
    folder = tmp_path_factory.mktemp("planted")
    key = planted_key(
        "mos",
        systems=("a|b", "<script>alert(1)</script>"),
        raters=4,
        trials=4,
        questions=("lip_sync", "overall"),
    )
    write_key(key, folder / "key.json")
    answers = write_answers(folder / "answers", key, attentive(lambda trial, key: 2 + len(trial.clip)))
    (answers / "<img src=x>|.json").write_text("[]")
    return folder


def test_every_file_of_an_analysis_says_the_same(planted: Path, tmp_path: Path) -> None:
    words = ["--key", str(planted / "key.json"), "--answers", str(planted / "answers"), "-o", str(tmp_path)]
    assert main(["study", "analyse", *words]) == 0
    content = json.loads((tmp_path / "analysis.json").read_text())
    assert content["format"] == "talkvid-study-analysis/1" and len(content["tables"]) == 2
    opinion = content["tables"][1]["opinions"][0]
    assert (opinion["system"], opinion["mean"], opinion["answers"], opinion["raters"]) == ("a|b", 4.0, 8, 4)
    with (tmp_path / "analysis.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["of"] == "a|b"]
    assert [(row["question"], row["measure"], row["value"], row["clips"]) for row in rows] == [
        ("lip_sync", "mean opinion score", "4", str(opinion["clips"])),
        ("overall", "mean opinion score", "4", str(opinion["clips"])),
    ]
    page = (tmp_path / "index.html").read_text()
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    text = (tmp_path / "analysis.md").read_text()
    assert "a\\|b" in text and "<img" not in text.replace("\\<", "")
    assert "| mean opinion score | a\\|b | 4.000 |" in text


def test_an_analysis_can_be_made_again_in_its_folder(planted: Path, tmp_path: Path) -> None:
    words = ["--key", str(planted / "key.json"), "--answers", str(planted / "answers"), "-o", str(tmp_path)]
    assert main(["study", "analyse", *words]) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["study", "analyse", *words]) == 0
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_mistakes_are_one_line(
    videos: Path, planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    key = planted / "key.json"
    assert fails(capsys, "make", "-o", out) == "no videos are given: --videos NAME=DIR, once for each system"
    assert "give the name and the folder as NAME=DIR" in fails(capsys, "make", "--videos", videos, "-o", out)
    one = f"A={videos / 'YakFlow7'}"
    assert "A is given twice" in fails(capsys, "make", "--videos", one, "--videos", one, "-o", out)
    assert "side by side needs two" in fails(capsys, "make", "--videos", one, "-o", out)
    assert fails(capsys, "make", "--videos", one, "--key", key, "-o", out) == (
        "--key belongs to `talkvid study analyse`, not to `make`"
    )
    assert "--seed belongs to `talkvid study make`" in fails(capsys, "analyse", "--seed", "1", "-o", out)
    assert "give the key with --key FILE" in fails(capsys, "analyse", "-o", out)
    nowhere = fails(capsys, "analyse", "--key", tmp_path / "no.json", "--answers", planted, "-o", out)
    assert "no.json: this key does not exist" in nowhere
    (tmp_path / "bad.json").write_text("nonsense")
    bad = fails(capsys, "analyse", "--key", key, "--answers", tmp_path / "bad.json", "-o", out)
    assert bad.startswith("none of 1 answer files can be used; bad.json: it is not JSON")
    answers = planted / "answers"
    few = fails(capsys, "analyse", "--key", key, "--answers", answers, "--draws", "5", "-o", out)
    assert few == "draws must be 200 or more for intervals, got 5"
    share = fails(capsys, "analyse", "--key", key, "--answers", answers, "--least_share", "2", "-o", out)
    assert share == "least_share must lie between 0 and 1, got 2.0"
    assert not out.exists()


def test_the_flags_of_the_page_on_studies_exist() -> None:
    text = (Path(__file__).parents[2] / "docs" / "user_study.md").read_text(encoding="utf-8")
    parser = argparse.ArgumentParser()
    study.add_arguments(parser)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_]+", text)) - {"--user_scores"}
    assert len(named) > 12 and named <= set(re.findall(r"--[a-z_]+", parser.format_help()))


def test_a_full_folder_is_not_written_over(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious.txt").write_text("here")
    given = [f"--videos=A={videos / 'YakFlow7'}", f"--videos=B={videos / 'XerusGan'}"]
    assert "not empty" in fails(capsys, "make", *given, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
