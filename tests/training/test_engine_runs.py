"""Whole trainings under every engine: as one process would do it, resumed exactly, ended together."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from talkvid.model.bundle import load_bundle
from talkvid.training.logbook import read_losses
from talkvid.training.run import run_training
from talkvid.training.run_folder import RunFolder
from tests.training.launching import divided, engine_settings, launcher, needs_deepspeed, run, train
from tests.training.synthetic import Settings, small_settings

RELATIVE = 1e-5
EXPORT = "denoising_unet-4.safetensors"
MIXED = "loss.unconditional_probability=0.5"
CONDITIONED = "loss.unconditional_probability=0"
"""DeepSpeed moves what an unconditional step leaves without gradient, which the others do not."""


def common(processes: int) -> list[str]:
    """A step of two clips, in one process or in two."""
    steps = ["run.max_steps=4", "run.save_every=2", "run.keep_states=0"]
    return [*steps, "data.train_bs=1", f"optimizer.accumulation={2 // processes}"]


def light(drawn: Path) -> list[str]:
    """What spares each process the import of diffusers and tensorboard."""
    return [f"model.config_path={drawn / 'tiny_own.json'}", "run.trackers=[]"]


def losses_of(folder: Path) -> list[float]:
    return [row["loss"] for row in read_losses(folder / "losses.csv")]


def same_weights(ours: Path, theirs: Path) -> bool:
    first, second = load_file(ours), load_file(theirs)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@dataclass(frozen=True)
class Training:
    """One of several trainings in the same processes, and what happens in the last of these in `step`."""

    settings: list[str]
    what: str = ""
    step: int = 0


def train_together(
    trainings: Sequence[Training], folder: Path, *, processes: int
) -> tuple[list[list[str]], str]:
    """How each training ended in each process, and what was logged."""
    plan, ending = folder / "plan.json", folder / "ending"
    plan.write_text(json.dumps([asdict(entry) for entry in trainings]))
    worker = ["-m", "tests.training.engine_worker", "trainings", str(ending), str(plan)]
    ended = run([*launcher(processes), *worker])
    assert ended.code == 0, ended.errors[-3000:]
    found = [json.loads(ending.with_name(f"ending.{rank}").read_text()) for rank in range(processes)]
    return [list(entry) for entry in zip(*found, strict=True)], ended.errors


@dataclass(frozen=True)
class Trained:
    """What two launches left behind: a whole training, and one resumed where a save broke off."""

    root: Path
    settings: list[str]
    first: list[list[str]]
    second: list[list[str]]
    log: str

    def stage(self, name: str) -> Path:
        return self.root / name / "stage_1"


def train_twice(
    settings: Sequence[str],
    drawn: Path,
    folder: Path,
    *,
    processes: int,
    first: Sequence[Training] = (),
    second: Sequence[Training] = (),
) -> Trained:
    """Train, break the last save, and resume in new processes; other trainings go with both launches."""
    asked = [*small_settings(drawn, folder / "exp"), *common(processes), *settings]
    endings, _ = train_together([Training([*asked, "run.train=whole"]), *first], folder, processes=processes)
    whole, killed = (folder / "exp" / name / "stage_1" for name in ("whole", "killed"))
    # As a run leaves it that was killed in its last save: the last state half-written, networks beyond it.
    shutil.copytree(whole, killed)
    (killed / "checkpoint-4").rename(killed / ".partial-4")
    (killed / "denoising_unet-2.safetensors").rename(killed / ".denoising_unet-2.0123abcd.safetensors")
    shutil.copy(whole / "denoising_unet-2.safetensors", killed)
    # 5.1: looking at held-out clips changes no loss.
    looking = [f"validation.meta_paths=[{drawn / 'train.json'}]", "validation.every=1"]
    small = ["validation.num_batches=1", "validation.num_videos=0", "run.resume=true", "run.train=killed"]
    resumed = Training([*asked, *looking, *small])
    later, log = train_together([resumed, *second], folder, processes=processes)
    return Trained(folder / "exp", asked, endings, later, log)


def check_resumed(found: Trained, alone: Sequence[float], *, engine: str, processes: int) -> None:
    """The losses are those of one process, and resuming changed nothing."""
    whole, killed = found.stage("whole"), found.stage("killed")
    assert (found.first[0], found.second[0]) == (["done"] * processes,) * 2
    assert len(set(alone)) == 4
    assert losses_of(whole) == pytest.approx(alone, rel=RELATIVE)
    assert "removing the networks of step 4" in found.log
    assert losses_of(killed) == losses_of(whole)
    assert read_losses(killed / "losses.csv")[-1]["validation_loss"] > 0
    assert not list(killed.glob(".*"))
    for file in (EXPORT, "reference_net-4.safetensors"):
        assert same_weights(killed / file, whole / file), file
    state = json.loads((killed / "checkpoint-4" / "state.json").read_text())
    assert (state["engine"], state["processes"]) == (engine, processes)


@pytest.fixture(scope="module")
def pair(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two processes under ddp; the first launch ends some trainings badly."""
    folder = tmp_path_factory.mktemp("pair")
    ddp = [*small_settings(drawn, folder / "exp"), *engine_settings("ddp", 2), *light(drawn)]
    long = [*ddp, "run.max_steps=6"]
    unseen = f"validation.meta_paths=[{drawn / 'unseen.json'}]"
    return train_twice(
        [*engine_settings("ddp", 2), *light(drawn), MIXED, "run.ema_decay=0.5"],
        drawn,
        folder,
        processes=2,
        first=[
            Training([*long, "run.train=nan"], "nan", 2),
            Training([*long, "run.train=stopped"], "terminate", 3),
            Training([*ddp, "run.train=blind", unseen]),
        ],
        second=[Training([*ddp, "run.train=stopped", "run.max_steps=4", "run.resume=true"])],
    )


def test_two_processes_train_as_one_with_more_micro_batches_and_resume_exactly(
    pair: Trained, settings: Settings, drawn: Path
) -> None:
    alone = run_training(settings(1, "run.train=alone", MIXED, *light(drawn), *common(1)))
    check_resumed(pair, alone, engine="ddp", processes=2)
    whole, killed = pair.stage("whole"), pair.stage("killed")
    assert load_bundle(whole / "ema").config.name == "whole-stage_1"
    assert same_weights(killed / "ema" / EXPORT, whole / "ema" / EXPORT)
    assert not same_weights(whole / EXPORT, whole / "ema" / EXPORT)
    again = [
        *light(drawn),
        f"run.output_root={pair.root}",
        "run.train=killed",
        "run.resume=true",
        MIXED,
        *common(2),
    ]
    with pytest.raises(
        ValueError, match=r"made with .*engine='ddp', this run says 'single'.*model\.start_from="
    ):
        run_training(settings(1, *again, "run.ema_decay=0.5"))


def test_a_loss_that_is_not_a_number_in_one_process_stops_all(pair: Trained) -> None:
    endings = pair.first[1]
    assert endings[0] == endings[1]
    assert endings[0].startswith("ValueError: the loss of step 2 is nan for clip")
    note = json.loads((pair.stage("nan") / "bad_batch-2.json").read_text())
    # The clips of the process it happened in, which is not the one that writes.
    assert note["step"] == 2 and len(note["ids"]) == 2
    assert not list(pair.stage("nan").glob("checkpoint-*"))


def test_a_signal_to_one_process_saves_and_stops_all(pair: Trained) -> None:
    assert pair.first[2] == ["SystemExit: 143"] * 2
    assert pair.second[1] == ["done"] * 2
    folder = pair.stage("stopped")
    assert list(RunFolder(folder).checkpoints()) == [3, 4]
    assert len(losses_of(folder)) == 4


def test_held_out_clips_that_cannot_be_used_stop_all_before_the_first_step(pair: Trained) -> None:
    main, other = pair.first[3]
    assert main.startswith("FileNotFoundError: ") and "unseen.json" in main
    assert other.startswith("ValueError: process 1 stops because the first one failed: ")
    assert not list(pair.stage("blind").glob("checkpoint-*"))


@pytest.mark.slow
@needs_deepspeed
@pytest.mark.parametrize("offload", ["none", "parameters"])
@pytest.mark.parametrize("processes", [1, 2], ids=["through accelerate", "under torchrun"])
def test_deepspeed_trains_as_one_process_with_more_micro_batches_and_resumes_exactly(
    processes: int, offload: str, settings: Settings, drawn: Path, tmp_path: Path
) -> None:
    alone = run_training(settings(1, "run.train=alone", CONDITIONED, *common(1)))
    asked = [*engine_settings("deepspeed", processes), CONDITIONED, f"run.offload={offload}"]
    # A running mean needs whole weights.
    how = f"run.deepspeed_config={divided(tmp_path)}" if offload == "parameters" else "run.ema_decay=0.5"
    found = train_twice([*asked, how], drawn, tmp_path, processes=processes)
    check_resumed(found, alone, engine="deepspeed", processes=processes)


@pytest.mark.slow
@needs_deepspeed
@pytest.mark.parametrize("processes", [1, 2])
def test_what_lives_in_the_machines_memory_changes_nothing(
    processes: int, drawn: Path, tmp_path: Path
) -> None:
    asked = [*small_settings(drawn, tmp_path / "exp"), *engine_settings("deepspeed", processes)]
    # Steps with and without conditions: a weight without a gradient must not step with that of the last one.
    asked += ["run.max_steps=4", "loss.unconditional_probability=0.3", "data.train_bs=1"]
    divide = [f"run.deepspeed_config={divided(tmp_path)}", "run.offload=parameters"]
    ways = {"none": [], "optimizer": ["run.save_gpu_memory=true"], "parameters": divide}
    trainings = [Training([*asked, *extra, f"run.train={name}"]) for name, extra in ways.items()]
    for training in trainings:  # each in processes of its own: accelerate knows one set of settings
        endings, _ = train_together([training], tmp_path, processes=processes)
        assert endings == [["done"] * processes]
    plain, *others = (tmp_path / "exp" / name / "stage_1" for name in ways)
    kept = {path.name: load_file(path) for path in plain.glob("*-4.safetensors")}
    assert len(kept) == 4
    for other in others:
        assert losses_of(other) == pytest.approx(losses_of(plain), rel=RELATIVE)
        for file, weights in kept.items():
            found = load_file(other / file)
            assert all(torch.allclose(found[name], weights[name], atol=1e-4) for name in weights), (
                other,
                file,
            )


def test_processes_that_know_nothing_of_each_other_are_refused(drawn: Path, tmp_path: Path) -> None:
    # Two processes of one launcher, while the settings speak of one.
    ended = train(small_settings(drawn, tmp_path / "exp"), processes=2)
    assert ended.code != 0
    assert "run.num_processes=1, but the launch started 2 process(es)" in ended.errors
    assert not (tmp_path / "exp").exists()


@pytest.mark.slow
def test_a_training_killed_twice_ends_where_an_undisturbed_one_ends() -> None:
    ended = run([sys.executable, "-m", "benchmarks.kill_resume", "--kills", "2", "--steps", "10"])
    assert ended.code == 0, ended.errors
    assert ended.errors.rstrip().endswith(": 0 differ")
