"""What a training runs on: device, precision, processes; exactly what was asked for, or an error."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from talkvid.training.config import OptimizerConfig, RunConfig
from talkvid.training.engine_processes import Processes

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")
_TRUE = ("1", "true", "yes")


class Engine(Protocol):
    """What drives the optimiser: one process, DDP or DeepSpeed. All processes call every method together."""

    name: str
    """`single`, `ddp` or `deepspeed`, as found out after the processes have met."""
    device: torch.device
    processes: Processes

    def prepare(self, network: nn.Module, parameters: Sequence[nn.Parameter]) -> nn.Module:
        """Take over the network and its trained parameters; return the module to call in training."""

    def micro_batch(self, *, last: bool) -> AbstractContextManager[object]:
        """Return the context of one forward and backward; `last` is the one before the update."""

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the run's precision holds, for training and for a look in between."""

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a micro-batch's mean loss, shared out over the micro-batches of a step."""

    def update(self, complete: Callable[[], None]) -> float:
        """Clip, step and forget the gradients; return their norm before clipping.

        `complete` gives the gradients their last touch; engines that flatten gradients do without it.
        """

    def whole(self) -> AbstractContextManager[object]:
        """Return the context in which this process's network holds every weight in full."""

    def save(self, folder: Path) -> None:
        """Write the state of all processes into a folder that exists."""

    def load(self, folder: Path) -> None:
        """Take the state back; the optimiser's settings stay those of this run."""

    def close(self) -> None:
        """Part from the other processes."""


@dataclass(frozen=True)
class Savings:
    """What a run does to need less GPU memory."""

    gradient_checkpointing: bool
    offload: str


def memory_savings(run: RunConfig) -> Savings:
    """Return what run.gradient_checkpointing, run.offload and run.save_gpu_memory come to."""
    if run.offload != "none" and run.engine != "deepspeed":
        raise ValueError(
            f"run.offload={run.offload} is DeepSpeed's, but run.engine={run.engine}: choose "
            "run.engine=deepspeed, or run.offload=none with run.save_gpu_memory=true"
        )
    if not run.save_gpu_memory:
        return Savings(run.gradient_checkpointing, run.offload)
    offload = "optimizer" if run.engine == "deepspeed" and run.offload == "none" else run.offload
    return Savings(gradient_checkpointing=True, offload=offload)


def launch_command(run: RunConfig) -> str:
    """Return the command that starts the engine and the processes that the settings ask for."""
    start = (
        "python" if run.num_processes == 1 else f"torchrun --nproc_per_node {run.num_processes}"
    ) + " src/train.py"
    return f"{start} … run.engine={run.engine} run.num_processes={run.num_processes}"


def check_launch(run: RunConfig, *, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ValueError when the launcher speaks, through the environment, of another run than the settings.

    Some launchers silently start one process, or several that know nothing of each other.
    """
    found = int(environment.get("WORLD_SIZE") or 1)
    if found != run.num_processes:
        raise ValueError(
            f"run.num_processes={run.num_processes}, but the launch started {found} process(es): use "
            f"`{launch_command(run)}`, or set run.num_processes={found}"
        )
    if environment.get("ACCELERATE_USE_FSDP", "").lower() in _TRUE:
        raise ValueError(
            f"run.engine={run.engine}, but the launch asks for FSDP (ACCELERATE_USE_FSDP), which this "
            f"trainer does not use: `{launch_command(run)}`"
        )
    if environment.get("ACCELERATE_USE_DEEPSPEED", "").lower() in _TRUE and run.engine != "deepspeed":
        raise ValueError(
            f"run.engine={run.engine}, but the launch asks for DeepSpeed (ACCELERATE_USE_DEEPSPEED): set "
            f"run.engine=deepspeed, or start with `{launch_command(run)}`"
        )


def choose_device(name: str) -> str:
    """Return the type of device to train on; ValueError when the one asked for is not there."""
    if name not in DEVICES:
        raise ValueError(f"run.device must be one of {', '.join(DEVICES)}, got {name!r}")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if present[kind])
    if not present[name]:
        raise ValueError(f"run.device={name}: torch sees no such device here; use run.device=cpu")
    return name


def build_engine(run: RunConfig, *, optimizer: OptimizerConfig, train_bs: int = 1) -> Engine:
    """Return the engine of the run, its processes joined, after making sure that it is what was asked for."""
    check_launch(run)
    device = choose_device(run.device)
    if run.precision == "fp16" and device == "cpu":
        raise ValueError("run.precision=fp16 needs a GPU; on the CPU use bf16 or fp32")
    if run.engine != "single" and device == "mps":
        raise ValueError(f"run.engine={run.engine} needs run.device=cpu or cuda, not mps")
    savings = memory_savings(run)
    if run.save_gpu_memory:
        logger.info(
            "run.save_gpu_memory switches on run.gradient_checkpointing=true and run.offload=%s",
            savings.offload,
        )
    engine: Engine
    if run.engine == "deepspeed":
        from talkvid.training.engine_deepspeed import DeepSpeedEngine

        engine = DeepSpeedEngine(
            run, optimizer=optimizer, train_bs=train_bs, device=device, offload=savings.offload
        )
    else:
        from talkvid.training.engine_accelerate import AccelerateEngine

        engine = AccelerateEngine(run, optimizer=optimizer, device=device)
    asked = (run.engine, run.num_processes, device)
    found = (engine.name, engine.processes.count, engine.device.type)
    if asked != found:
        engine.close()
        raise ValueError(
            f"asked for run.engine={asked[0]} run.num_processes={asked[1]} on {asked[2]}, the launch gave "
            f"{found[0]} with {found[1]} process(es) on {found[2]}: use `{launch_command(run)}`"
        )
    return engine
