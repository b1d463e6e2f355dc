"""The optimiser of a training: AdamW in its plain, its 8-bit and its offloaded form."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from talkvid.extras import require
from talkvid.training.config import OptimizerConfig


def settings_of(config: OptimizerConfig) -> dict[str, Any]:
    """Return AdamW's own settings, which a resumed run takes from its configuration again."""
    return {
        "lr": config.learning_rate,
        "betas": (config.beta1, config.beta2),
        "eps": config.epsilon,
        "weight_decay": config.weight_decay,
    }


def build_optimizer(
    parameters: Iterable[nn.Parameter], config: OptimizerConfig, *, offloaded: bool = False
) -> torch.optim.Optimizer:
    """Return AdamW over the parameters; the 8-bit form needs bitsandbytes and a GPU.

    `offloaded` gives the form for state in the machine's memory, whose steps the processor does.
    """
    settings = settings_of(config)
    if offloaded and config.name != "adamw":
        raise ValueError(
            f"optimizer.name={config.name} keeps its state on the GPU, but run.offload (or "
            "run.save_gpu_memory) moves it away: set optimizer.name=adamw, or run.offload=none"
        )
    if config.name == "adamw":
        # One pass over the memory per step is what counts where the processor does it.
        return torch.optim.AdamW(parameters, fused=True if offloaded else None, **settings)
    try:
        bitsandbytes = require("bitsandbytes", extra="deepspeed")
    except ImportError as error:
        raise ImportError(f"optimizer.name=adamw_8bit: {error}; or choose optimizer.name=adamw") from error
    if not torch.cuda.is_available():
        raise ValueError("optimizer.name=adamw_8bit needs an NVIDIA GPU; set optimizer.name=adamw")
    optimizer: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(parameters, **settings)
    return optimizer


def apply_settings(optimizer: torch.optim.Optimizer, config: OptimizerConfig) -> None:
    """Give the optimiser the settings of the configuration, in place of those of a loaded state."""
    for group in optimizer.param_groups:
        group.update(settings_of(config))
