"""`talkvid evaluate --bench`: a model makes videos, those of others stand beside them, a run goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from talkvid.cli.bench_generator import load_generator, model_setup
from talkvid.cli.main import run_verb
from talkvid.evaluation.bench.clips import BenchClip
from talkvid.evaluation.suite.store import load_evaluation
from talkvid.inference.settings import GenerateSettings
from tests.evaluation.bench.bench_made_up import write_bench, write_outputs
from tests.inference.conftest import PlantedDetector
from tests.inference.conftest import tiny_checkpoint as tiny_checkpoint

CLIPS = 3
Run = Callable[..., int]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    return write_bench(tmp_path / "bench", clips=CLIPS)


@pytest.fixture
def evaluate(bench: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the verb over the bench with a tiny model, in this process; further words follow."""
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(30.0))
    monkeypatch.chdir(tmp_path)
    good = [
        "--bench", str(bench), "--output", str(tmp_path / "run"), "--executor", "inline", "--workers", "1",
        "--metrics", "duration,pixel",
    ]  # fmt: skip
    model = ["--checkpoint_path", str(tiny_checkpoint)]
    flags = "--generate_flags=--num_inference_steps 1 --device cpu"

    def run(*words: str, makes: bool = True) -> int:
        return run_verb("evaluate", [*good, *(model if makes else []), *([flags] if makes else []), *words])

    return run


def times_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*.mp4"))}


def test_videos_are_made_scored_and_kept_by_the_next_run(
    evaluate: Run, bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate() == 0
    out, _ = capsys.readouterr()
    assert "bench: 3 clips = 3 ready + 0 broken\ntalkvid: 3 of 3 clips" in out
    report = Path(out.splitlines()[-1])
    assert report.is_file() and report.suffix == ".html"
    run = tmp_path / "run"
    evaluation = load_evaluation(run)
    ours = [result for result in evaluation.pairs if result.pair.row == "talkvid"]
    assert [result.metrics["duration"].values["missing_frames"] for result in ours] == [0] * CLIPS
    assert all(result.pair.groups for result in ours)
    assert (run / "groups.md").is_file() and "Subgroups" in (run / "bench.md").read_text()

    made, results = times_of(run / "videos"), (run / "results.json").read_bytes()
    assert len(made) == CLIPS
    assert evaluate() == 0  # what is done before is not done again
    assert times_of(run / "videos") == made
    assert (run / "results.json").read_bytes() == results


def test_another_seed_makes_the_videos_again(evaluate: Run, tmp_path: Path) -> None:
    assert evaluate("--limit", "1", "--no_controls") == 0
    before = (tmp_path / "run" / "videos" / "clip0000.mp4").read_bytes()
    seed = "--generate_flags=--num_inference_steps 1 --device cpu --seed 7"
    assert evaluate("--limit", "1", "--no_controls", seed) == 0
    assert (tmp_path / "run" / "videos" / "clip0000.mp4").read_bytes() != before


def test_finished_videos_of_others_are_rows_and_what_they_lack_is_told(
    evaluate: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wav2lip = write_outputs(tmp_path / "wav2lip", range(2), error=0.2)
    words = ("--no_generate", "--no_controls", "--outputs", f"Wav2Lip={wav2lip}", f"V-Express={wav2lip}")
    assert evaluate(*words, makes=False) == 1
    out, _ = capsys.readouterr()
    assert "Wav2Lip: 2 of 3 clips (1 no video of this name)" in out
    rows = [result.pair.row for result in load_evaluation(tmp_path / "run").pairs]
    assert rows == ["Wav2Lip"] * 2 + ["V-Express"] * 2
    assert not (tmp_path / "run" / "videos").exists()
    assert evaluate(*words, "--common_clips", "--limit", "2", makes=False) == 0


def test_a_clip_without_a_face_is_a_failure_with_its_reason(
    evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector())
    assert evaluate("--limit", "1") == 2
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(30.0))
    (tmp_path / "bench" / "data" / "imgs" / "clip0001.png").write_bytes(b"no picture")
    assert evaluate() == 1
    told = json.loads((tmp_path / "run" / "bench.json").read_text())
    assert told["bench"]["ready"] == 2 and "not a picture" in told["bench"]["broken"]["clip0001"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--generated", "x"], "--generated does not go with --bench"),
        (["--list", "x.json"], "--list does not go with --bench"),
        (["--no_generate"], "says how videos are made"),
        (["--generate_flags=--audio x.wav"], "--audio is another for every clip"),
        (["--generate_flags=--sed 7"], "unrecognized arguments: --sed 7"),
        (["--generate_flags=--num_inference_steps 0"], "num_inference_steps: must be from 1 to 1000"),
        (["--checkpoint_path", "absent"], "absent"),
        (["--outputs", "Wav2Lip=absent"], "give NAME=DIR"),
        (["--metrics", "pixle"], "did you mean 'pixel'"),
        (["--metrics", "sync", "--syncnet", __file__], "syncnet"),
        (["--generate_workers", "0"], "workers must be at least 1"),
        (["--workers", "2"], "add --workers 1"),
        (["--limit", "0"], "limit must be at least 1"),
        (["--groups", "mood"], "no column 'mood' to group by"),
        (["--system", "truth"], "no system can be called 'truth'"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_made(
    evaluate: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert evaluate(*words) == 2
    _, err = capsys.readouterr()
    assert message in err.splitlines()[-1] and err.splitlines()[-1].startswith("talkvid: error:")
    assert not (tmp_path / "run" / "videos").exists()


def test_an_output_among_the_inputs_is_refused(evaluate: Run, bench: Path) -> None:
    assert evaluate("--output", str(bench / "data" / "imgs")) == 2
    assert evaluate("--no_generate", "--outputs", f"a={bench}", "--output", str(bench), makes=False) == 2


def test_flags_of_a_bench_need_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("evaluate", ["--generated", "x", "--common_clips"]) == 2
    assert "--common_clips belongs to a bench: give --bench DIR" in capsys.readouterr().err


def test_what_a_video_depends_on_is_in_the_signature(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def signature(flags: str = "", *, folder: Path = tiny_checkpoint, use_keypoints: bool = True) -> str:
        return model_setup(str(folder), flags, use_keypoints=use_keypoints).signature()

    first = signature()
    assert signature("--device cpu --save_gpu_memory") == first
    others = [signature("--seed 7"), signature("--framing full"), signature(use_keypoints=False)]
    changed = shutil.copytree(tiny_checkpoint, tmp_path / "changed")
    others.append(signature(folder=changed))
    assert len({first, *others}) == 5


def test_key_points_of_the_bench_are_handed_to_the_model(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[GenerateSettings, dict[str, Path]]] = []
    monkeypatch.setattr(
        "talkvid.inference.api.TalkVidInference.generate_with",
        lambda _, settings, **files: asked.append((settings, files)),
    )
    clip = BenchClip("ann", tmp_path / "ann.png", tmp_path / "ann.wav", keypoints=tmp_path / "ann.pth")
    for use_keypoints in (True, False):
        setup = model_setup(str(tiny_checkpoint), "--seed 7", use_keypoints=use_keypoints)
        load_generator(setup)(clip, tmp_path / "ann.mp4")
    settings, files = asked[0]
    assert settings.kps_path == clip.keypoints and settings.seed == 7
    assert files == {
        "reference_image": clip.portrait, "audio_file": clip.audio, "output_path": tmp_path / "ann.mp4",
    }  # fmt: skip
    assert asked[1][0].kps_path is None
