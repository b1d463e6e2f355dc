"""`--commercial_safe` at every door where a model can be chosen: what does not allow it is refused."""

import argparse
import importlib
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from talkvid.cli import evaluate_bench
from talkvid.cli.main import run_verb
from talkvid.config import to_yaml
from talkvid.curation.config import load_curate_config
from talkvid.curation.curate import make_plan
from talkvid.curation.run_folder import RunFolder
from talkvid.evaluation.suite.registry import METRICS, build_suite
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.inference.found import find_checkpoint
from talkvid.inference.settings import LoadOptions
from talkvid.model.bundle import EMBEDDED_FOLDER
from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig
from talkvid.training.commercial import refuse_non_commercial_start
from talkvid.training.config import DistilConfig, ModelConfig, RunConfig, TrainConfig
from talkvid.training.run_folder import RunFolder as TrainingFolder
from talkvid.training.run_folder import stage_folder

ROOT = Path(__file__).resolve().parents[2]
DOORS = ("generate", "app", "preprocess", "curate", "evaluate", "train", "models")
FACES = "the embedded landmark network is under CC BY-NC 4.0"


@pytest.mark.parametrize("verb", DOORS)
def test_every_door_has_the_flag_in_both_spellings(verb: str) -> None:
    parser = argparse.ArgumentParser()
    importlib.import_module(f"talkvid.cli.{verb}").add_arguments(parser)
    spelled = [action.option_strings for action in parser._actions if action.dest == "commercial_safe"]
    assert spelled == [["--commercial_safe", "--commercial-safe"]]


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """A checkpoint whose own config allows commercial use; its weights are not read here."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    config = BundleConfig.from_file(EMBEDDED_FOLDER / CONFIG_FILE)
    replace(config, name="allowed", license="MIT", commercial_use=True).to_file(folder / CONFIG_FILE)
    for path in EMBEDDED_FOLDER.glob("*.safetensors"):
        (folder / path.name).touch()
    return folder


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "the weights of talkvid-mini forbid commercial use (CC-BY-NC-4.0)"),
        (["--checkpoint_path", "model_ckpts/v-express"], "V-Express is under V-Express: research only"),
        (["--checkpoint_path", "tk93/V-Express"], "V-Express is under V-Express: research only"),
        (["--motion_module_path", "m/animatediff/mm_sd_v15_v2.ckpt"], "(commercial use not stated)"),
        (["--face_backend", "insightface"], "use --face_backend mediapipe"),
    ],
)
def test_generate_refuses_models_that_do_not_allow_it(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = ROOT / "test_samples" / "short_case" / "astronaut"
    common = ["--portrait", str(samples / "ref.png"), "--audio", str(samples / "aud.wav")]
    for spelling in ("--commercial_safe", "--commercial-safe"):
        assert run_verb("generate", [*common, *flags, spelling]) == 2
        assert message in capsys.readouterr().err


def test_generate_refuses_the_embedded_faces_and_takes_mediapipe(allowed: Path) -> None:
    # Once: the remedy for insightface was the embedded backend, whose network is CC BY-NC 4.0.
    options = LoadOptions(checkpoint_path=allowed, commercial_safe=True)
    with pytest.raises(ValueError, match=rf"{FACES}.*as face_backend use mediapipe"):
        find_checkpoint(options)
    assert find_checkpoint(replace(options, face_backend="mediapipe")).config.name == "allowed"
    assert find_checkpoint(replace(options, commercial_safe=False)).config.name == "allowed"


def test_the_page_refuses_the_embedded_model_before_it_is_served(
    capsys: pytest.CaptureFixture[str], allowed: Path
) -> None:
    pytest.importorskip("gradio")
    assert run_verb("app", ["--port", "0", "--commercial-safe"]) == 2
    assert "the weights of talkvid-mini forbid commercial use" in capsys.readouterr().err
    assert run_verb("app", ["--port", "0", "--commercial-safe", "--checkpoint_path", str(allowed)]) == 2
    assert FACES in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], FACES),
        (["--face_backend", "insightface"], "InsightFace buffalo_l is under InsightFace: research only"),
        (["--face_backend", "mediapipe"], ""),
    ],
)
def test_preprocess_refuses_faces_that_do_not_allow_it(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("preprocess", ["--input_dir", str(tmp_path / "no"), *flags, "--commercial_safe"]) == 2
    told = capsys.readouterr().err
    assert message in told and ("commercial_safe" in told) == bool(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], FACES),
        (["head.backend=insightface"], "InsightFace buffalo_l is under"),
        (["head.backend=mediapipe", "quality.backend=dover"], "DOVER is under S-Lab License 1.0"),
        (["head.backend=mediapipe", "motion.backend=cotracker"], "CoTracker3, offline is under CC BY-NC 4.0"),
        (["head.backend=mediapipe", "annotate.persons=insightface"], "leave out annotate.persons"),
        (["head.backend=mediapipe", "annotate.age_gender=insightface"], "leave out annotate.age_gender"),
        (["profile=parity"], "is under"),
    ],
)
def test_curate_refuses_backends_that_do_not_allow_it(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos").mkdir()
    arguments = ["run", str(tmp_path / "videos"), "-o", str(tmp_path / "out"), *words, "--commercial_safe"]
    assert run_verb("curate", arguments) == 2
    told = capsys.readouterr().err
    assert "commercial_safe: " in told and message in told
    assert not (tmp_path / "out").exists()


def test_curate_takes_what_allows_it_and_remembers_the_promise(tmp_path: Path) -> None:
    words = ["commercial_safe=true", "head.backend=mediapipe", "annotate.speech_model=faster-whisper-small"]
    config = load_curate_config(overrides=words)
    assert config.commercial_safe and config.head["backend"] == "mediapipe"
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    with pytest.raises(ValueError, match="DOVER"):
        load_curate_config(tmp_path / "config.yaml", overrides=["quality.backend=dover"])


def test_curate_refuses_the_scores_of_an_earlier_run_that_do_not_allow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = load_curate_config(overrides=["stages=[head]"])
    (tmp_path / "earlier").mkdir()
    monkeypatch.setattr("talkvid.curation.curate.is_run_folder", lambda path: True)
    monkeypatch.setattr(RunFolder, "settings", lambda self: earlier)
    config = load_curate_config(overrides=["stages=[motion]", "commercial_safe=true"])
    config = replace(config, input=str(tmp_path / "earlier"), output=str(tmp_path / "out"))
    with pytest.raises(ValueError, match=FACES):
        make_plan(config, scores=("motion",))
    assert make_plan(replace(config, commercial_safe=False), scores=("motion",)).config.active


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--metrics", "csim"], "ArcFace (buffalo_l's w600k_r50) is under InsightFace: research only"),
        (["--metrics", "pixel,sync"], "SyncNet is under no stated licence"),
        (["--metrics", "mel"], "weights of the mel measure is under CC BY-NC 4.0"),
        (["--metrics", "default"], f"{FACES} (no commercial use); learned from clips that may be used"),
        (["--yardstick", "embedded"], "as --yardstick use mediapipe"),
    ],
)
def test_evaluate_refuses_measures_and_eyes_that_do_not_allow_it(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").touch()
    arguments = ["--generated", str(tmp_path / "a.mp4"), "-o", str(tmp_path / "out"), *flags]
    assert run_verb("evaluate", [*arguments, "--commercial_safe"]) == 2
    assert message in capsys.readouterr().err


def test_groups_of_metrics_leave_those_out_by_name(tmp_path: Path) -> None:
    settings = MetricSettings(weights_dir=tmp_path, commercial_safe=True)
    left = {one.name: one.reason for one in build_suite(["all"], settings).left_out}
    refused = {name for name, reason in left.items() if reason.startswith("commercial_safe: ")}
    assert refused == {"sync", "mel", "csim", "identity", "fvd"}
    assert all(entry.models for entry in METRICS.values() if entry.weights)
    free = {one.name: one.reason for one in build_suite(["all"], MetricSettings(tmp_path)).left_out}
    assert not any(reason.startswith("commercial_safe") for reason in free.values())


def test_the_model_that_makes_a_benchs_videos_is_held_to_it_too() -> None:
    args = Namespace(
        checkpoint_path=None, generate_flags=None, no_vkps=False, generate_workers=None, system=None,
        generate_deadline_s=None, executor="inline", commercial_safe=True,
    )  # fmt: skip
    with pytest.raises(ValueError, match="talkvid-mini forbid commercial use"):
        evaluate_bench._generator(args)
    args.commercial_safe = False
    assert evaluate_bench._generator(args).system == "talkvid"


def _training(tmp_path: Path, *, model: ModelConfig, **values: Any) -> tuple[TrainConfig, TrainingFolder]:
    run = RunConfig(train="t", output_root=str(tmp_path / "exp"), **{"commercial_safe": True, **values})
    return TrainConfig(run=run, model=model), TrainingFolder(stage_folder(run.output_root, "t", run.stage))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ModelConfig(start_from=str(EMBEDDED_FOLDER)), r"does not allow commercial use \(CC-BY-NC-4.0\)"),
        (ModelConfig(start_from="model_ckpts/v-express"), "V-Express is under"),
        (ModelConfig(motion_module_path="model_ckpts/animatediff/mm_sd_v15_v2.ckpt"), "AnimateDiff motion"),
        (ModelConfig(random_init=True), ""),
        (ModelConfig(reference_net_path="model_ckpts/moore_pretrained/reference_unet.pth"), ""),
    ],
)
def test_train_refuses_first_weights_that_do_not_allow_it(
    model: ModelConfig, message: str, tmp_path: Path
) -> None:
    config, folder = _training(tmp_path, model=model)
    if message:
        with pytest.raises(ValueError, match=f"commercial_safe: .*{message}"):
            refuse_non_commercial_start(config, folder, resuming=False)
    else:
        refuse_non_commercial_start(config, folder, resuming=False)
    free = replace(config, run=replace(config.run, commercial_safe=False))
    refuse_non_commercial_start(free, folder, resuming=False)


def test_train_refuses_a_teacher_that_does_not_allow_it(tmp_path: Path, allowed: Path) -> None:
    model = ModelConfig(start_from=str(allowed))
    config, folder = _training(tmp_path, model=model)
    refuse_non_commercial_start(config, folder, resuming=False)
    taught = object.__new__(TrainConfig)
    taught.__dict__.update(config.__dict__, distil=DistilConfig(teacher=str(EMBEDDED_FOLDER)))
    with pytest.raises(ValueError, match=r"talkvid-mini: its config does not allow commercial use"):
        refuse_non_commercial_start(taught, folder, resuming=False)


@pytest.mark.parametrize("promised", [True, False])
def test_train_goes_on_from_its_own_runs_when_they_made_the_promise(promised: bool, tmp_path: Path) -> None:
    config, folder = _training(tmp_path, model=ModelConfig())
    folder.path.mkdir(parents=True)
    stored = replace(config, run=replace(config.run, commercial_safe=promised))
    (folder.path / "settings.yaml").write_text(to_yaml(stored))
    if promised:
        refuse_non_commercial_start(config, folder, resuming=True)
    else:
        with pytest.raises(ValueError, match=r"was begun without run\.commercial_safe"):
            refuse_non_commercial_start(config, folder, resuming=True)


def test_the_flag_of_train_is_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", str(ROOT / "src/configs/stage_1.yaml"), "--print_config", "--commercial-safe"]
    assert run_verb("train", arguments) == 0
    assert "commercial_safe: true" in capsys.readouterr().out
