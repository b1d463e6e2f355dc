"""What the tests of engines run in their own processes: `-m tests.training.engine_worker TASK FILE …`."""

import json
import math
import os
import signal
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from talkvid.config import load_config
from talkvid.dataset.batch import Batch
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.training.config import OptimizerConfig, RunConfig, TrainConfig
from talkvid.training.engine import Engine, build_engine
from talkvid.training.learning import StepOutput
from talkvid.training.randomness import StepRandom
from talkvid.training.run import run_training
from talkvid.training.step import Draws, Latents, denoising_loss
from talkvid.training.task import TalkingHeadTask
from tests.training.golden import CASES, Case

CLIPS = 2
STEPS = 3


def part_of(case: Case, seed: int, *, rank: int, processes: int) -> tuple[Batch, Latents, Draws]:
    """A process's clips of a golden batch, its draws those the reference made for these clips."""
    latents, draws = case.draws(seed)
    size = CLIPS // processes
    mine = slice(rank * size, (rank + 1) * size)
    values: dict[str, Any] = {entry.name: getattr(case.batch, entry.name) for entry in fields(case.batch)}
    own_values: dict[str, Any] = {
        name: None if value is None else value[mine] for name, value in values.items()
    }
    batch = Batch(**own_values)
    own = replace(
        draws,
        noise=draws.noise[mine],
        timesteps=draws.timesteps[mine],
        kps_drop=None if draws.kps_drop is None else draws.kps_drop[mine],
        reference_drop=None if draws.reference_drop is None else draws.reference_drop[:, mine],
    )
    return batch, Latents(latents.target[mine], latents.reference[mine]), own


def gradient_norms(engine: Engine, case: Case) -> dict[str, float | None]:
    """The gradient norm of each network before clipping; None where no weight has a gradient."""

    def gradient(parameter: torch.nn.Parameter) -> torch.Tensor | None:
        if engine.name != "deepspeed":
            return parameter.grad
        from deepspeed.utils import safe_get_full_grad

        found: torch.Tensor | None = safe_get_full_grad(parameter)
        return found

    norms: dict[str, float | None] = {}
    for name, network in case.networks.networks().items():
        found = [gradient(entry) for entry in network.parameters() if entry.requires_grad]
        there = [float(entry.double().norm()) for entry in found if entry is not None]
        norms[name] = math.hypot(*there) if there else None
    return norms


def golden_case(engine: Engine, name: str, *, gradient_checkpointing: bool = False) -> dict[str, Any]:
    """Loss and gradient norms of a golden case's first step, and the losses of three steps of AdamW."""
    case = Case.load(name, gradient_checkpointing=gradient_checkpointing)
    network = engine.prepare(
        case.networks, [entry for entry in case.networks.parameters() if entry.requires_grad]
    )
    losses, totals, unconditional = [], [], []
    norms: dict[str, float | None] = {}
    for step in range(STEPS):
        rank, count = engine.processes.rank, engine.processes.count
        seed = CASES[name]["seed"] + step
        batch, latents, draws = part_of(case, seed, rank=rank, processes=count)
        with engine.micro_batch(last=True):
            with engine.autocast():
                output = denoising_loss(
                    network, batch, latents=latents, draws=draws, schedule=NoiseSchedule(), loss=case.loss
                )
            engine.backward(output.loss)
        if step == 0:
            norms = gradient_norms(engine, case)
        losses.append(float(engine.processes.mean(output.loss.detach()[None])))
        totals.append(engine.update(case.networks.complete_gradients))
        unconditional.append(draws.unconditional)
    return {"losses": losses, "norms": norms, "totals": totals, "unconditional": unconditional}


def golden(file: Path, engine_name: str, processes: int, json_path: str, offload: str = "none") -> None:
    run = RunConfig(
        engine=engine_name,
        num_processes=processes,
        device="cpu",
        deepspeed_config=json_path or None,
        offload=offload,
    )
    engine = build_engine(run, optimizer=OptimizerConfig(learning_rate=1e-3), train_bs=CLIPS // processes)
    found: dict[str, Any] = {name: golden_case(engine, name) for name in CASES}
    found["recomputed"] = golden_case(engine, "stage_3", gradient_checkpointing=True)
    if engine.processes.is_main:
        file.write_text(json.dumps(found))
    engine.close()


def disturbed(file: Path, what: str, step: int, settings: list[str]) -> None:
    """Train while, in the last process alone, a loss is no number or a signal arrives in `step`."""
    loss = TalkingHeadTask.loss
    rank, last = (int(os.environ.get(name, 0)) for name in ("RANK", "WORLD_SIZE"))

    def changed(self: Any, network: Any, batch: Batch, random: StepRandom) -> StepOutput:
        changed.calls += 1  # type: ignore[attr-defined]
        output = loss(self, network, batch, random)
        if changed.calls != step or rank != last - 1:  # type: ignore[attr-defined]
            return output
        if what == "nan":
            return StepOutput(output.loss * float("nan"), output.parts)
        os.kill(os.getpid(), signal.SIGTERM)
        return output

    changed.calls = 0  # type: ignore[attr-defined]
    TalkingHeadTask.loss = changed  # type: ignore[method-assign]
    root = Path(__file__).resolve().parents[2]
    config = load_config(TrainConfig, root / "src" / "configs" / "stage_1.yaml", overrides=settings)
    ending = "done"
    try:
        run_training(config)
    except ValueError as error:
        ending = f"ValueError: {error}"
    except SystemExit as error:
        ending = f"SystemExit: {error.code}"
    file.with_name(f"{file.name}.{rank}").write_text(ending)


if __name__ == "__main__":
    torch.set_num_threads(1)
    task, target, *rest = sys.argv[1:]
    if task == "golden":
        golden(Path(target), rest[0], int(rest[1]), *rest[2:])
    else:
        disturbed(Path(target), task, int(rest[0]), rest[1:])
