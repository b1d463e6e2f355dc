"""`talkvid evaluate` on drawn videos, with measures that stand on no network."""

import argparse
import ast
import importlib
import json
import re
from pathlib import Path

import pytest

from talkvid.cli import evaluate
from talkvid.cli.main import run_verb
from talkvid.evaluation.suite.registry import METRICS
from talkvid.evaluation.suite.store import load_evaluation
from tests.evaluation.suite.drawn_videos import write_sound, write_video

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "evaluate.md").read_text(encoding="utf-8")
QUICK = ["--executor", "inline", "--workers", "1", "--metrics", "pixel,duration"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips: true grey 100, made 10 and 20 brighter, with sound."""
    folder = tmp_path_factory.mktemp("videos")
    for number in (1, 2):
        sound = write_sound(folder / "sounds" / f"{number}.wav", level=0.2 * number)
        write_video(folder / "true" / f"{number}.mp4", [100] * 10, sound=sound)
        write_video(folder / "made" / f"{number}.mp4", [100 + 10 * number] * 10, sound=sound)
    return folder


def test_folders_become_a_table_and_a_report(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*QUICK, "--generated", f"ours={videos / 'made'}", "--reference", str(videos / "true")]
    output = tmp_path / "run"
    assert run_verb("evaluate", [*command, "--output", str(output)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("  ours (2)  truth (2)")
    l1 = next(line for line in lines if line.startswith("L1 "))
    assert float(l1.split()[-2]) == pytest.approx(15, abs=1) and float(l1.split()[-1]) == 0
    page = Path(lines[-1])
    assert page.is_file() and page.parent == output and "ours" in page.read_text(encoding="utf-8")
    names = {path.name for path in output.iterdir()}
    # As the page on this command says; this run measured nothing that looks, or compares sets, or has groups.
    told = {
        name for row in DOCS.splitlines() if row.startswith("| `") for name in re.findall(r"`([\w.]+)`", row)
    }
    assert names == told - {"groups.md", "looks", "features"}
    found = load_evaluation(output)
    rows = {result.pair.row for result in found.pairs}
    assert rows == {
        "ours", "truth", "truth: shifted sound by 0.6 s", "truth: wrong sound", "truth: still frame",
        "ours: wrong sound",
    }  # fmt: skip
    assert found.settings["unpaired"] == [] and found.settings["command"][0] == "talkvid"


def test_one_video_alone_is_enough(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*QUICK, "--generated", str(videos / "made" / "1.mp4"), "--output", str(tmp_path)]
    assert run_verb("evaluate", [*command, "--no_controls"]) == 0
    out = capsys.readouterr().out
    assert "1 (1)" in out and "duration right" in out and "PSNR" not in out
    (result,) = load_evaluation(tmp_path).pairs
    assert list(result.metrics) == ["duration"] and result.metrics["duration"].values["late_s"] is not None


def test_a_list_says_the_same_and_more(videos: Path, tmp_path: Path) -> None:
    entries = [
        {
            "row": row,
            "clip": clip,
            "made": f"{folder}/{clip}.mp4",
            "truth": f"true/{clip}.mp4",
            "groups": {"n": clip},
        }
        for row, folder in (("ours", "made"), ("copy", "true"))
        for clip in ("1", "2")
    ]
    path = videos / "videos.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    output = tmp_path / "run"
    assert run_verb("evaluate", [*QUICK, "--list", str(path), "--no_controls", "-o", str(output)]) == 0
    found = load_evaluation(output)
    assert [result.pair.id for result in found.pairs] == ["ours/1", "ours/2", "copy/1", "copy/2"]
    assert found.pairs[2].metrics["pixel"].values["l1"] == 0
    assert (output / "groups.md").is_file()


def test_scores_of_a_study_stand_in_the_table_of_methods(videos: Path, tmp_path: Path) -> None:
    scores = tmp_path / "user_scores.json"
    told = {"mean": 3.4, "low": 3.1, "high": 3.7, "raters": 12, "question": "overall", "unit": "mean score"}
    scores.write_text(json.dumps({"ours": told}), encoding="utf-8")
    command = [*QUICK, "--generated", f"ours={videos / 'made'}", "--no_controls"]
    output = tmp_path / "run"
    assert run_verb("evaluate", [*command, "--user_scores", str(scores), "--output", str(output)]) == 0
    text = (output / "summary.md").read_text(encoding="utf-8")
    assert text.index("| Method |") < text.index(" | 3.40 |") < text.index("mean score, overall, 12 raters")


def test_unpaired_files_are_told_and_can_be_allowed(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    write_video(made / "1.mp4", [110] * 10)
    write_video(made / "9.mp4", [110] * 10)
    command = [*QUICK, "--generated", str(made), "--reference", str(videos / "true"), "--no_controls"]
    command += ["--output", str(tmp_path / "run")]
    assert run_verb("evaluate", command) == 2
    assert "1 of 2 made videos have no true video: 9" in capsys.readouterr().err
    assert run_verb("evaluate", [*command, "--allow_missing"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert "unpaired: made: 1 of 2 made videos have no true video: 9" in told
    assert "unpaired: made: 1 of 2 true videos of --reference have no made video: 2" in told
    found = load_evaluation(tmp_path / "run")
    assert len(found.settings["unpaired"]) == 2 and found.settings["lacking"] == {
        "a sound": 2,
        "a true video": 1,
    }


def test_a_video_that_cannot_be_opened_is_a_row_and_an_exit_code(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    write_video(made / "1.mp4", [110] * 10)
    (made / "2.mp4").write_bytes(b"no video")
    command = [*QUICK, "--generated", str(made), "--reference", str(videos / "true")]
    assert run_verb("evaluate", [*command, "--output", str(tmp_path / "run")]) == 1
    out = capsys.readouterr().out
    psnr = next(line for line in out.splitlines() if line.startswith("PSNR (dB)"))
    assert re.search(r"\d\d\.\d\d \(1\) +-$", psnr)  # of one of the two videos; none where nothing differs
    assert "failed: made/2: " in out and "2.mp4: this video cannot be opened" in out
    assert out.splitlines()[-1] == str(tmp_path / "run" / "report.html")


def test_the_metrics_are_listed_with_what_they_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("evaluate", ["--list_metrics", "--weights", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split()[0] for line in lines[::2]] == list(METRICS)
    state = dict(zip(METRICS, lines[1::2], strict=True))
    assert state["pixel"].strip() == "available"
    assert state["sync"].endswith("fetch it with talkvid models fetch syncnet")


def test_the_page_on_this_command_names_flags_and_python_that_exist() -> None:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_]+", DOCS)) - {"--check"}  # of sha256sum
    assert named and named <= set(re.findall(r"--[a-z_]+", parser.format_help()))
    (code,) = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to evaluate: give --generated DIR|FILE or --list FILE"),
        (["--generated", "gone"], "--generated gone: no such file or folder"),
        (["--generated", "sounds"], "no file in it ends in .mp4"),
        (["--generated", "made", "--reference", "gone"], "--reference gone: no such file or folder"),
        (["--generated", "made", "--metrics", "pixl"], "did you mean 'pixel'?"),
        (["--generated", "made", "--output", "made/run"], "made/run: lies in made, which is judged"),
        (["--generated", "made", "--reference", "true", "--output", "true"], "true: lies in true"),
        (["--generated", "made", "--output", "made/1.mp4"], "lies in made"),
        (["--generated", "made/1.mp4", "--output", "made/2.mp4"], "made/2.mp4: the output is a file"),
        (["--generated", "made/1.mp4", "--output", "made/2.mp4/run"], "cannot be made (Not a directory)"),
        (["--generated", "made", "made"], "names 'made' twice"),
        (["--generated", "truth=made"], "a system cannot be called \"truth\""),
        (["--generated", "made", "--list", "x.json"], "says all that is judged; leave out --generated"),
        (["--list", "x.json"], "x.json: no such file; give a JSON list of videos"),
        (["--generated", "made", "--syncnet", "gone.pth"], "gone.pth: no such file; give the weights for"),
        (["--generated", "made", "--fvd_fps", "0"], "fvd_fps must be above 0"),
        (["--generated", "made", "--user_scores", "x.json"], "x.json: no such file; give the user_scores"),
        (["--generated", "made", "--yardstick_model", "made/1.mp4"], "'embedded' takes no model file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(videos)
    command = words if "--output" in words else [*words, "--output", str(tmp_path)]
    assert run_verb("evaluate", command) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith("talkvid: error: ") and message in error[-1]
    assert not (videos / "made" / "run").exists()
