"""Whole trainings under every engine: as one process would do it, resumed exactly, ended together."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from talkvid.model.bundle import load_bundle
from talkvid.training.logbook import read_losses
from talkvid.training.run import run_training
from tests.training.launching import engine_settings, launcher, run, train
from tests.training.synthetic import Settings, small_settings

RELATIVE = 1e-5
EXPORT = "denoising_unet-5.safetensors"
needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed"
)
ENGINES = [
    pytest.param(("ddp", 2), id="ddp in two processes"),
    pytest.param(("deepspeed", 2), id="deepspeed under torchrun", marks=[needs_deepspeed, pytest.mark.slow]),
    pytest.param(
        ("deepspeed", 1), id="deepspeed through accelerate", marks=[needs_deepspeed, pytest.mark.slow]
    ),
]


def common(processes: int) -> list[str]:
    """A step of two clips, in one process or in two, with a running mean of the weights."""
    steps = ["run.max_steps=5", "run.save_every=2", "run.keep_states=0", "run.ema_decay=0.5"]
    return [*steps, "data.train_bs=1", f"optimizer.accumulation={2 // processes}"]


def losses_of(folder: Path) -> list[float]:
    return [row["loss"] for row in read_losses(folder / "losses.csv")]


def same_weights(ours: Path, theirs: Path) -> bool:
    first, second = load_file(ours), load_file(theirs)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_trains_as_one_process_with_more_micro_batches_and_resumes_exactly(
    engine: tuple[str, int], settings: Settings, drawn: Path, tmp_path: Path
) -> None:
    name, processes = engine
    # DeepSpeed moves what an unconditional step leaves without gradient, which the others do not.
    mixed = f"loss.unconditional_probability={0.5 if name == 'ddp' else 0}"
    alone = run_training(settings(1, "run.train=alone", mixed, *common(1)))
    assert len(set(alone)) == 5

    asked = [*small_settings(drawn, tmp_path / "exp"), *engine_settings(name, processes), *common(processes)]
    ended = train([*asked, mixed, "run.train=whole"], processes=processes)
    assert ended.code == 0, ended.errors[-3000:]
    whole = tmp_path / "exp" / "whole" / "stage_1"
    assert losses_of(whole) == pytest.approx(alone, rel=RELATIVE)
    assert load_bundle(whole / "ema").config.name == "whole-stage_1"

    # As a run leaves it that was killed in its last save: the last state half-written, networks beyond it.
    killed = tmp_path / "exp" / "killed" / "stage_1"
    shutil.copytree(whole, killed)
    (killed / "checkpoint-5").rename(killed / ".partial-5")
    (killed / "denoising_unet-4.safetensors").rename(killed / ".denoising_unet-4.0123abcd.safetensors")
    shutil.copy(whole / "denoising_unet-4.safetensors", killed)
    # 5.1: looking at held-out clips changes no loss.
    looking = [f"validation.meta_paths=[{drawn / 'train.json'}]", "validation.every=1"]
    small = ["validation.num_batches=1", "validation.num_videos=0", "run.resume=true", "run.train=killed"]
    ended = train([*asked, mixed, *looking, *small], processes=processes)
    assert ended.code == 0, ended.errors[-3000:]
    assert "removing the networks of step 5" in ended.errors
    assert losses_of(killed) == losses_of(whole)
    assert read_losses(killed / "losses.csv")[-1]["validation_loss"] > 0
    assert not list(killed.glob(".*"))
    for file in (EXPORT, f"ema/{EXPORT}", "reference_net-5.safetensors"):
        assert same_weights(killed / file, whole / file), file
    assert not same_weights(whole / EXPORT, whole / f"ema/{EXPORT}")
    state = json.loads((killed / "checkpoint-5" / "state.json").read_text())
    assert (state["engine"], state["processes"]) == (name, processes)
    with pytest.raises(
        ValueError, match=rf"made with engine='{name}', this run says 'single'.*model\.start_from="
    ):
        run_training(settings(1, "run.train=killed", "run.resume=true", mixed, *common(processes)))


@pytest.mark.slow
@needs_deepspeed
def test_state_in_the_machines_memory_gives_the_same_losses(drawn: Path, tmp_path: Path) -> None:
    asked = [*small_settings(drawn, tmp_path / "exp"), *engine_settings("deepspeed", 1)]
    found = []
    for number, extra in enumerate(("run.offload=none", "run.save_gpu_memory=true")):
        ended = train([*asked, extra, f"run.train=run{number}", "run.max_steps=3"])
        assert ended.code == 0, ended.errors[-3000:]
        found.append(losses_of(tmp_path / "exp" / f"run{number}" / "stage_1"))
    assert len(found[0]) == 3
    assert found[1] == pytest.approx(found[0], rel=RELATIVE)


def disturbed(what: str, step: int, drawn: Path, folder: Path) -> list[str]:
    """How two processes ended when something happened to the second one alone."""
    worker = ["-m", "tests.training.engine_worker", what, str(folder / "ending"), str(step)]
    asked = [*small_settings(drawn, folder / "exp"), *engine_settings("ddp", 2), "run.max_steps=6"]
    ended = run([*launcher(2), *worker, *asked])
    assert ended.code == 0, ended.errors[-3000:]
    return [(folder / f"ending.{rank}").read_text() for rank in range(2)]


def test_a_loss_that_is_not_a_number_in_one_process_stops_all(drawn: Path, tmp_path: Path) -> None:
    endings = disturbed("nan", 2, drawn, tmp_path)
    assert endings[0] == endings[1]
    assert endings[0].startswith("ValueError: the loss of step 2 is nan for clip")
    folder = tmp_path / "exp" / "drawn" / "stage_1"
    note = json.loads((folder / "bad_batch-2.json").read_text())
    # The clips of the process it happened in, which is not the one that writes.
    assert note["step"] == 2 and len(note["ids"]) == 2
    assert not list(folder.glob("checkpoint-*"))


def test_a_signal_to_one_process_saves_and_stops_all(drawn: Path, tmp_path: Path) -> None:
    endings = disturbed("terminate", 3, drawn, tmp_path)
    assert endings == ["SystemExit: 143"] * 2
    folder = tmp_path / "exp" / "drawn" / "stage_1"
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-3"]
    assert len(losses_of(folder)) == 3
    asked = [*small_settings(drawn, tmp_path / "exp"), *engine_settings("ddp", 2), "run.max_steps=4"]
    ended = train([*asked, "run.resume=true"], processes=2)
    assert ended.code == 0, ended.errors[-3000:]
    assert len(losses_of(folder)) == 4


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
