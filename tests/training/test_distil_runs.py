"""Stage 4 as a run: from the shipped settings, resumed exactly, and what its checkpoints say of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from talkvid.config import load_config
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.model.bundle import load_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.training.config import TrainConfig
from talkvid.training.logbook import read_losses
from talkvid.training.run import run_training
from tests.training.launching import engine_settings, needs_deepspeed, train
from tests.training.synthetic import Settings, small_settings

ROUNDS = ["distil.teacher_steps=10", "distil.student_steps=[5,1]", "run.max_steps=6"]


def stage_4(drawn: Path) -> list[str]:
    """Settings of a distillation that takes two steps in each of three rounds."""
    return [
        *ROUNDS,
        f"model.config_path={drawn / 'tiny_own.json'}",
        "run.gradient_checkpointing=false",
        "run.trackers=[]",
        "data.train_bs=1",
        "data.num_frames=2",
    ]


@pytest.fixture(scope="module")
def started(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of two steps of training, from chance."""
    root = tmp_path_factory.mktemp("start")
    yaml = Path(__file__).resolve().parents[2] / "src" / "configs" / "stage_1.yaml"
    asked = [*small_settings(drawn, root), "run.trackers=[]", f"model.config_path={drawn / 'tiny_own.json'}"]
    run_training(load_config(TrainConfig, yaml, overrides=asked))
    return root / "drawn" / "stage_1"


def weights(folder: Path, step: int, name: str = "denoising_unet") -> dict[str, torch.Tensor]:
    return load_file(folder / f"{name}-{step}.safetensors")


def test_a_distillation_leaves_a_checkpoint_that_is_sampled_as_it_was_taught(
    settings: Settings, drawn: Path, started: Path, tmp_path: Path
) -> None:
    asked = [*stage_4(drawn), f"model.start_from={started}", "run.ema_decay=0.5"]
    losses = run_training(settings(4, *asked))
    folder = tmp_path / "exp" / "drawn" / "stage_4"
    rows = read_losses(folder / "losses.csv")
    assert [row["loss"] for row in rows] == losses
    assert [row["student_steps"] for row in rows] == [0, 0, 5, 5, 1, 1]
    # At pure noise both are the same number, but for rounding.
    assert all(row["plain_loss"] * (1 + 1e-6) >= row["clean_loss"] > 0 for row in rows)
    for place, steps in (("", 1), ("ema", 1), ("rounds/steps_5", 5), ("rounds/guidance", 25)):
        config = load_bundle(folder / place).config
        assert (config.num_inference_steps, config.guidance_scale, config.sampler) == (steps, 1.0, "ddim")
        plain = resolve(GenerateSettings(), config)
        assert (plain.num_inference_steps, plain.guidance_scale, plain.sampler) == (steps, 1.0, "ddim")
    # Only the denoiser has changed since the teacher.
    first = load_file(folder / "teacher" / "denoising_unet.safetensors")
    assert any(not torch.equal(first[name], entry) for name, entry in weights(folder, 6).items())
    for name in ("reference_net", "v_kps_guider", "audio_projection"):
        first = load_file(folder / "teacher" / f"{name}.safetensors")
        assert all(torch.equal(first[key], entry) for key, entry in weights(folder, 6, name).items())
    # The running mean is what teaches the next round.
    mean, last = weights(folder / "rounds" / "steps_5", 4), weights(folder, 6)
    assert any(not torch.equal(mean[name], last[name]) for name in mean)


@pytest.mark.parametrize("killed_at", [3, 4, pytest.param(5, marks=pytest.mark.slow)])
def test_a_resumed_distillation_gives_the_same_losses_and_weights_to_the_last_digit(
    settings: Settings, drawn: Path, started: Path, tmp_path: Path, killed_at: int
) -> None:
    asked = [*stage_4(drawn), f"model.start_from={started}", "run.ema_decay=0.5"]
    asked += [f"run.save_every={killed_at}", "run.keep_states=0"]
    whole = tmp_path / "exp" / "whole" / "stage_4"
    losses = run_training(settings(4, *asked, "run.train=whole"))
    broken = tmp_path / "exp" / "broken" / "stage_4"
    shutil.copytree(whole, broken)
    # As a killed run leaves it: no state behind that step, and of the rounds what was there.
    shutil.rmtree(broken / "checkpoint-6")
    if killed_at <= 4:
        shutil.rmtree(broken / "rounds" / "steps_5")
    # Where the teacher came from may have changed since: the run has its own copy.
    rest = run_training(
        settings(4, *asked, "run.train=broken", "run.resume=true", f"model.start_from={tmp_path / 'gone'}")
    )
    assert rest == losses[killed_at:]
    for place in ("", "ema"):
        ours, theirs = weights(broken / place, 6), weights(whole / place, 6)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for folder in (broken, whole):
        config = BundleConfig.from_file(folder)
        assert (config.num_inference_steps, config.guidance_scale) == (1, 1.0)


@pytest.mark.parametrize(
    ("engine", "processes"),
    [
        ("ddp", 2),
        pytest.param("deepspeed", 1, marks=[needs_deepspeed, pytest.mark.slow]),
        pytest.param("deepspeed", 2, marks=[needs_deepspeed, pytest.mark.slow]),
    ],
)
def test_every_engine_distils_as_one_process_does(
    settings: Settings, drawn: Path, started: Path, tmp_path: Path, engine: str, processes: int
) -> None:
    shared = [*stage_4(drawn), f"model.start_from={started}", "run.save_every=3"]
    losses = run_training(settings(4, *shared, "run.train=alone", "optimizer.accumulation=2"))
    asked = [*small_settings(drawn, tmp_path / "exp", stage=4), *shared, *engine_settings(engine, processes)]
    ended = train([*asked, f"optimizer.accumulation={2 // processes}"], stage=4, processes=processes)
    assert ended.code == 0, ended.errors[-3000:]
    folder = tmp_path / "exp" / "drawn" / "stage_4"
    assert [row["loss"] for row in read_losses(folder / "losses.csv")] == pytest.approx(losses, rel=1e-4)
    assert load_bundle(folder).config.num_inference_steps == 1


def test_a_distillation_with_settings_that_would_shift_its_rounds_is_not_resumed(
    settings: Settings, drawn: Path, started: Path
) -> None:
    asked = [*stage_4(drawn), f"model.start_from={started}", "distil.student_steps=[]", "run.max_steps=1"]
    run_training(settings(4, *asked))
    for change in ("run.max_steps=2", "distil.guidance_scale=2"):
        with pytest.raises(ValueError, match="was made with distil="):
            run_training(settings(4, *asked, change, "run.resume=true"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("loss.unconditional_probability=0.1", "loss.unconditional_probability=0.1: a student in stage 4"),
        ("loss.kps_drop=0.5", "set it to 0"),
        ("validation.guidance_scale=3.5", "needs no guidance; set it to 1"),
        ("model.new_audio_projection=true", "set it to False"),
        ("run.max_steps=2", "cannot hold 3 rounds"),
    ],
)
def test_settings_against_the_purpose_of_a_distillation_are_refused(
    settings: Settings, change: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        settings(4, "run.max_steps=6", change)


def test_other_stages_have_no_teacher(settings: Settings) -> None:
    with pytest.raises(ValueError, match="stage 3 has no teacher"):
        settings(3, "distil.guidance_scale=2")


def test_a_teacher_of_another_kind_is_refused(
    settings: Settings, drawn: Path, started: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(started, other)
    config = BundleConfig.from_file(other)
    replace(config, num_pad_audio_frames=config.num_pad_audio_frames + 1).to_file(other / "config.json")
    asked = [*stage_4(drawn), f"model.start_from={started}", f"distil.teacher={other}"]
    with pytest.raises(ValueError, match="has num_pad_audio_frames 3, the student 2: choose another teacher"):
        run_training(settings(4, *asked))
