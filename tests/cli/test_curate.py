"""The door `talkvid curate`: what its words mean, what it says, and one line for every mistake."""

from pathlib import Path

import pytest
from curation_jobs import draw_video

from talkvid.cli.main import main
from talkvid.curation.manifest import read_clips

LENIENT = [f"rules.scan.{name}=off" for name in ("duration_s", "has_audio", "speech_ratio")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with one clip that its head rejects and one file that failed."""
    folder = tmp_path_factory.mktemp("run")
    draw_video(folder / "videos" / "square.mp4", size=128)
    (folder / "videos" / "bad.mp4").write_text("no video")
    words = [str(folder / "videos"), "-o", str(folder / "out"), "--executor", "inline", "finish=[export]"]
    assert main(["curate", "run", *words, *LENIENT]) == 0
    return folder / "out"


def test_a_run_writes_its_folder_and_a_reject_is_no_error(finished: Path) -> None:
    files = {path.name for path in finished.iterdir()}
    assert {
        "clips.parquet",
        "videos.parquet",
        "events.jsonl",
        "config.yaml",
        "status.json",
        "journal",
    } <= files
    rows = {row.video_id: (row.status, row.code) for row in read_clips(finished)}
    assert rows == {"square": ("rejected", "NO_FACE"), "bad": ("failed", "NOT_A_VIDEO")}


def test_the_backends_are_named_first_and_stand_ins_are_called_so(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Once: nothing said which model had made a score.
    capsys.readouterr()
    out = str(finished.parent / "again")
    assert main(["curate", "quality", str(finished), "-o", out, "--executor", "inline"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("quality: backend embedded (a classical no-reference measure, not DOVER")
    assert last == out


def test_decide_judges_anew_in_place_and_scores_nothing(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = (finished / "journal" / "score.jsonl").read_bytes()
    assert main(["curate", "decide", str(finished), "stages=[]"]) == 0
    assert capsys.readouterr().out.strip() == str(finished / "clips.parquet")
    assert {row.video_id: row.status for row in read_clips(finished)} == {"square": "kept", "bad": "failed"}
    assert main(["curate", "decide", str(finished), "stages=[head,quality,motion]"]) == 0
    assert {row.status for row in read_clips(finished)} == {"rejected", "failed"}
    assert (finished / "journal" / "score.jsonl").read_bytes() == journal


def test_a_dry_run_lists_files_and_makes_no_folder(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, out = finished.parent / "videos", finished.parent / "dry"
    assert main(["curate", "run", str(videos), "-o", str(out), "--dry_run", "--limit", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("scan ") for line in lines) == 1
    assert "1 source files; nothing was done (--dry_run)" in lines and not out.exists()


def test_a_run_folder_goes_on_with_its_own_settings(finished: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = (finished / "clips.parquet").read_bytes()
    assert main(["curate", "run", "-o", str(finished)]) == 0
    assert (finished / "clips.parquet").read_bytes() == before


@pytest.mark.parametrize(("words", "message"), [
    (["run"], "there is no output folder"),
    (["run", "-o", "OUT"], "there is no input"),
    (["run", "nowhere", "-o", "OUT"], "nowhere: no such folder, list or video"),
    (["quality", "nowhere", "-o", "OUT"], "stage quality wants the run folder of an earlier stage"),
    (["decide", "nowhere"], "nowhere is not the folder of a run"),
    (["run", "a", "b", "-o", "OUT"], "one input is expected, got 2"),
    (["run", "x", "-o", "OUT", "quality.bakend=dover"], "bakend"),
    (["run", "x", "-o", "OUT", "run.workers=0"], "run.workers must be at least 1, got 0"),
    (["import-config"], "which file?"),
    (["fly"], "invalid choice: 'fly'"),
])  # fmt: skip
def test_a_mistake_is_one_line_with_its_remedy(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["curate", *words])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    error_lines = capsys.readouterr().err.strip().splitlines()
    assert code == 2 and len(error_lines) == 1 and message in error_lines[0], error_lines
    assert not (tmp_path / "OUT").exists()


def test_decide_refuses_settings_that_would_need_new_scores(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["curate", "decide", str(finished), "head.looks=published"]) == 2
    assert "decide takes rules.…, profile=… and stages=…" in capsys.readouterr().err


def test_a_missing_model_file_is_named_with_the_command_that_fetches_it(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished.parent / "dover"
    words = [str(finished), "-o", str(out), "quality.backend=dover", "quality.model_path=nowhere.onnx"]
    assert main(["curate", "quality", *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "nowhere.onnx" in error and "talkvid" in error
