"""The loop around the step: exact resume, accumulation, run folders, launches and endings."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from talkvid.dataset.batch import Batch, SampleKey
from talkvid.training import run as training_run
from talkvid.training.engine import choose_device
from talkvid.training.logbook import read_losses
from talkvid.training.run import run_training
from talkvid.training.run_folder import RunFolder
from talkvid.training.task import TalkingHeadTask
from talkvid.training.trainer import StepOutput
from tests.training.synthetic import Settings, make_dataset

MIXED = "loss.unconditional_probability=0.5"


def weights(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(folder / f"denoising_unet-{step}.safetensors")


def test_a_resumed_run_gives_the_same_losses_and_weights_to_the_last_digit(
    settings: Settings, tmp_path: Path
) -> None:
    common = [MIXED, "run.max_steps=5", "run.save_every=2", "data.train_bs=1", "model.start_from="]
    whole = run_training(settings(1, "run.train=whole", *common))
    assert len(set(whole)) == 5
    run_training(settings(1, "run.train=broken", *common, "run.max_steps=3"))
    folder = tmp_path / "exp" / "broken" / "stage_1"
    # As a killed run leaves it: the last state half-written, the log further than the last complete state.
    (folder / "checkpoint-3" / "state.json").unlink()
    rest = run_training(settings(1, "run.train=broken", *common, "run.resume=true"))
    assert rest == whole[2:]
    assert [row["loss"] for row in read_losses(folder / "losses.csv")] == whole
    ours, theirs = weights(folder, 5), weights(tmp_path / "exp" / "whole" / "stage_1", 5)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_two_micro_batches_make_the_step_of_one_batch_of_both(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A loss that is a mean over samples, with no noise of its own per micro-batch.
    def mean_of_squares(self: Any, network: torch.nn.Module, batch: Batch, random: object) -> StepOutput:
        noisy = self.vae.moments(batch.reference_image)[0][:, :, None]
        prediction = network(
            noisy,
            torch.full((len(noisy),), 500),
            reference_latents=noisy[:, :, 0],
            kps_images=None,
            audio_windows=None,
        )
        return StepOutput(prediction.square().mean())

    monkeypatch.setattr(TalkingHeadTask, "loss", mean_of_squares)
    flips = "augment.flip_probability=0"
    together = run_training(settings(1, "run.train=one", "data.train_bs=2", flips))
    split = run_training(settings(1, "run.train=two", "data.train_bs=1", "optimizer.accumulation=2", flips))
    assert split[0] == pytest.approx(together[0], rel=1e-6)
    # Behind a step AdamW has divided rounding by the root of small moments, as in the stored curves.
    assert split == pytest.approx(together, rel=3e-5)


def test_validation_leaves_the_losses_as_they_were_and_is_logged(
    settings: Settings, drawn: Path, tmp_path: Path
) -> None:
    plain = run_training(settings(1, "run.train=plain"))
    looked = run_training(
        settings(
            1,
            "run.train=looked",
            f"validation.meta_paths=[{drawn / 'train.json'}]",
            "validation.every=1",
            "validation.num_batches=1",
        )
    )
    assert looked == plain
    rows = read_losses(tmp_path / "exp" / "looked" / "stage_1" / "losses.csv")
    assert all(row["validation_loss"] > 0 for row in rows)


def test_a_folder_with_content_is_refused_unless_resumed(settings: Settings) -> None:
    run_training(settings(1, "run.max_steps=1"))
    with pytest.raises(ValueError, match=r"stage_1 is not empty: continue it with run\.resume=true"):
        run_training(settings(1, "run.max_steps=1"))
    assert run_training(settings(1, "run.max_steps=1", "run.resume=true")) == []


def test_resuming_with_another_seed_is_refused(settings: Settings) -> None:
    run_training(settings(1, "run.max_steps=1"))
    with pytest.raises(ValueError, match=r"seed=12580, this run says 7"):
        run_training(settings(1, "run.max_steps=2", "run.resume=true", "run.seed=7"))


def test_a_stage_without_the_one_before_says_so(settings: Settings) -> None:
    with pytest.raises(FileNotFoundError, match="train stage 1 of 'drawn' first"):
        run_training(settings(2))


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_the_clips(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> StepOutput:
        return StepOutput(torch.tensor(float("nan"), requires_grad=True))

    monkeypatch.setattr(TalkingHeadTask, "loss", broken)
    with pytest.raises(ValueError, match=r"the loss of step 1 is nan for clip\d, clip\d"):
        run_training(settings(1))
    note = json.loads((tmp_path / "exp" / "drawn" / "stage_1" / "bad_batch-1.json").read_text())
    assert note["step"] == 1 and len(note["ids"]) == 2


def test_an_unknown_key_is_named_before_anything_is_built(settings: Settings) -> None:
    with pytest.raises(ValueError, match="train_bs"):
        settings(1, "data.train_sb=2")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named(settings: Settings) -> None:
    assert choose_device("auto") in ("cpu", "mps")
    with pytest.raises(ValueError, match=r"run\.device=cuda"):
        run_training(settings(1, "run.device=cuda"))
    with pytest.raises(ValueError, match=r"fp16 needs a GPU"):
        run_training(settings(1, "run.precision=fp16"))


def test_8_bit_adam_is_asked_for_by_name_or_not_at_all(settings: Settings) -> None:
    with pytest.raises((ImportError, ValueError), match="adamw_8bit"):
        run_training(settings(1, "optimizer.name=adamw_8bit"))


def test_bf16_trains(settings: Settings) -> None:
    losses = run_training(settings(1, "run.precision=bf16", "run.max_steps=1"))
    assert losses[0] > 0


def test_data_workers_change_nothing(settings: Settings) -> None:
    alone = run_training(settings(1, "run.train=alone"))
    assert run_training(settings(1, "run.train=helped", "data.num_workers=2")) == alone


def test_half_written_checkpoints_are_never_picked_up(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "stage_1")
    assert folder.open(resume=False) is None
    with folder.new_checkpoint(10, {}) as path:
        (path / "model").write_text("10")
    with pytest.raises(RuntimeError), folder.new_checkpoint(20, {}) as path:
        raise RuntimeError("killed")
    (folder.path / ".partial-30").mkdir()
    (folder.path / "checkpoint-40").mkdir()
    leftovers = [folder.path / name for name in (".denoising_unet-30.0123abcd.safetensors", ".tmpIEpknU")]
    for path in leftovers:
        path.write_text("half")
    assert folder.open(resume=True) == folder.path / "checkpoint-10"
    assert not (folder.path / ".partial-30").exists()
    assert not any(path.exists() for path in leftovers)
    for step in (20, 30):
        with folder.new_checkpoint(step, {}):
            pass
    folder.drop_old_checkpoints(2)
    assert list(folder.checkpoints()) == [20, 30]


def test_the_steps_of_the_shipped_stages_are_the_numbers_of_their_files(
    settings: Settings, root: Path
) -> None:
    # 5.3, 5.4: names that were written and names that were asked for differed by a step and a time stamp.
    from talkvid.config import load_config
    from talkvid.training.config import TrainConfig

    for stage, steps in ((1, 40000), (2, 75000), (3, 100000)):
        config = load_config(TrainConfig, root / "src" / "configs" / f"stage_{stage}.yaml")
        assert config.run.stage == stage and config.run.max_steps == steps
        assert training_run.stage_folder("exp", "x", stage) == Path(f"exp/x/stage_{stage}")


def test_the_sample_key_is_what_the_loader_hands_over() -> None:
    assert SampleKey(epoch=2, number=5) == (2, 5)


def test_a_run_can_start_from_single_parts(settings: Settings, drawn: Path, tmp_path: Path) -> None:
    run_training(settings(1, "run.train=first", "run.max_steps=1"))
    folder = tmp_path / "exp" / "first" / "stage_1"
    parts = [
        f"model.{name}_path={folder / f'{name}-1.safetensors'}"
        for name in ("reference_net", "denoising_unet")
    ]
    losses = run_training(
        settings(
            1,
            "run.train=second",
            *parts,
            "model.random_init=false",
            f"model.vae_path={folder}/vae.safetensors",
        )
    )
    assert len(losses) == 2


def test_a_stage_without_weights_says_which_settings_name_them(settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"model\.reference_net_path"):
        run_training(settings(1, "model.random_init=false"))


def test_a_clip_that_is_shorter_than_its_list_says_is_named(settings: Settings, tmp_path: Path) -> None:
    path = make_dataset(tmp_path / "short", num_clips=1)
    entries = json.loads(path.read_text())
    entries[0]["num_frames"] = 500
    path.write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=r"clip0\.safetensors: 14 frames, number \d+ is asked for"):
        run_training(settings(1, f"data.meta_paths=[{path}]", "data.train_bs=1"))


def test_a_run_that_only_measures_saves_nothing(settings: Settings, tmp_path: Path) -> None:
    assert len(run_training(settings(1, "run.save_every=0"))) == 2
    folder = tmp_path / "exp" / "drawn" / "stage_1"
    assert (folder / "losses.csv").is_file() and RunFolder(folder).latest_checkpoint() is None
    assert not list(folder.glob("denoising_unet-*"))
