"""What a training runs on: device, precision, processes; exactly what was asked for, or an error."""

import importlib.util
import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from talkvid.training.config import OptimizerConfig, RunConfig

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_launch(run: RunConfig, *, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ValueError when the launch asks for an engine or processes that this run would not have.

    Launchers ask through the environment, and some of them then silently start one process.
    """
    asked = []
    if run.engine != "single":
        asked.append(f"run.engine={run.engine}")
    if run.num_processes != 1:
        asked.append(f"run.num_processes={run.num_processes}")
    for name in ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP"):
        if environment.get(name, "false").lower() in ("1", "true", "yes"):
            asked.append(f"{name}={environment[name]}")
    if int(environment.get("WORLD_SIZE") or 1) > 1:
        asked.append(f"WORLD_SIZE={environment['WORLD_SIZE']}")
    if asked:
        raise ValueError(
            f"the launch asks for {', '.join(asked)}, but this trainer runs in one process: start it with "
            "python src/train.py, run.engine=single and run.num_processes=1"
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


def build_accelerator(run: RunConfig, *, accumulation: int) -> Accelerator:
    """Return the accelerator of the run, after making sure that it is what was asked for."""
    check_launch(run)
    device = choose_device(run.device)
    if run.precision == "fp16" and device == "cpu":
        raise ValueError("run.precision=fp16 needs a GPU; on the CPU use bf16 or fp32")
    accelerator = Accelerator(
        mixed_precision="no" if run.precision == "fp32" else run.precision,
        gradient_accumulation_steps=accumulation,
        cpu=device == "cpu",
    )
    if accelerator.num_processes != run.num_processes or accelerator.device.type != device:
        raise ValueError(
            f"asked for {run.num_processes} process(es) on {device}, got {accelerator.num_processes} on "
            f"{accelerator.device.type}: check the launch command"
        )
    return accelerator


def build_optimizer(parameters: Iterable[nn.Parameter], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Return AdamW over the parameters; the 8-bit form needs bitsandbytes and a GPU."""
    settings: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": (config.beta1, config.beta2),
        "eps": config.epsilon,
        "weight_decay": config.weight_decay,
    }
    if config.name == "adamw":
        return torch.optim.AdamW(parameters, **settings)
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ImportError(
            "optimizer.name=adamw_8bit needs bitsandbytes: pip install bitsandbytes, or choose adamw"
        )
    if not torch.cuda.is_available():
        raise ValueError("optimizer.name=adamw_8bit needs an NVIDIA GPU; set optimizer.name=adamw")
    import bitsandbytes

    optimizer: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(parameters, **settings)
    return optimizer
