"""What the tests of engines run in their own processes: `-m tests.training.engine_worker TASK FILE …`."""

import json
import logging
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState

from talkvid.config import load_config
from talkvid.dataset.batch import Batch
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.training import engine_accelerate, engine_deepspeed, engine_processes
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


def golden(file: Path, names: str, engine_name: str, processes: int, json_path: str, offload: str) -> None:
    """Take the steps of some golden cases, and of stage 3 once more with layers computed again."""
    run = RunConfig(
        engine=engine_name,
        num_processes=processes,
        device="cpu",
        deepspeed_config=json_path or None,
        offload=offload,
    )
    engine = build_engine(run, optimizer=OptimizerConfig(learning_rate=1e-3), train_bs=CLIPS // processes)
    found: dict[str, Any] = {name: golden_case(engine, name) for name in names.split(",")}
    found["recomputed"] = golden_case(engine, "stage_3", gradient_checkpointing=True)
    if engine.processes.is_main:
        file.write_text(json.dumps(found))
    engine.close()


@contextmanager
def disturbance(what: str, step: int) -> Iterator[None]:
    """Have a loss that is no number, or a signal, in `step` of the last process alone."""
    loss = TalkingHeadTask.loss
    rank, last = (int(os.environ.get(name, 0)) for name in ("RANK", "WORLD_SIZE"))
    calls = 0

    def changed(self: Any, network: Any, batch: Batch, random: StepRandom) -> StepOutput:
        nonlocal calls
        calls += 1
        output = loss(self, network, batch, random)
        if calls != step or rank != last - 1:
            return output
        if what == "nan":
            return StepOutput(output.loss * float("nan"), output.parts)
        os.kill(os.getpid(), signal.SIGTERM)
        return output

    TalkingHeadTask.loss = changed  # type: ignore[method-assign]
    try:
        yield
    finally:
        TalkingHeadTask.loss = loss  # type: ignore[method-assign]


def ending_of(settings: list[str]) -> str:
    root = Path(__file__).resolve().parents[2]
    config = load_config(TrainConfig, root / "src" / "configs" / "stage_1.yaml", overrides=settings)
    try:
        run_training(config)
    except (ValueError, FileNotFoundError) as error:
        return f"{type(error).__name__}: {error}"
    except SystemExit as error:
        return f"SystemExit: {error.code}"
    return "done"


def trainings(file: Path, plan: list[dict[str, Any]]) -> None:
    """Train one after the other in the same processes, and write how each ended in this one."""
    leave = engine_processes.part
    for module in (engine_accelerate, engine_deepspeed):
        module.part = lambda: None  # type: ignore[attr-defined]
    endings = []
    for entry in plan:
        AcceleratorState._reset_state(reset_partial_state=True)
        with disturbance(entry["what"], entry["step"]):
            endings.append(ending_of(entry["settings"]))
    file.with_name(f"{file.name}.{os.environ.get('RANK', 0)}").write_text(json.dumps(endings))
    leave()


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    task, target, *rest = sys.argv[1:]
    if task == "golden":
        names, engine_name, processes, json_path, offload = rest
        golden(Path(target), names, engine_name, int(processes), json_path, offload)
    else:
        trainings(Path(target), json.loads(Path(rest[0]).read_text()))
