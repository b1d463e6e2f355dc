"""DeepSpeed's own settings: a JSON file, its `auto` entries filled, at one with the run's settings."""

import json
from pathlib import Path
from typing import Any

import torch

from talkvid.training.config import OptimizerConfig, RunConfig

Settings = dict[str, Any]

CUT_STAGE = 3
"""The stage of ZeRO that divides the weights among the processes."""
_STAGES = (1, 2, CUT_STAGE)
_OFFLOADED = {"offload_optimizer": ("optimizer", "parameters"), "offload_param": ("parameters",)}
"""DeepSpeed's sections, and the values of run.offload that need them."""
_ELSEWHERE = {
    "optimizer": "optimizer.name and optimizer.learning_rate",
    "scheduler": "optimizer.learning_rate, which is constant",
    "torch_autocast": "run.precision",
}


def deepspeed_settings(
    run: RunConfig, *, optimizer: OptimizerConfig, train_bs: int, processes: int, offload: str
) -> Settings:
    """Return the settings of run.deepspeed_config for DeepSpeed, with nothing left open.

    FileNotFoundError or ValueError when the file cannot be read, or says something else than the run.
    """
    path, settings = _read(run)
    for section, key in _ELSEWHERE.items():
        if section in settings:
            raise ValueError(f"{path}: remove {section!r}, this trainer takes it from {key}")
    _fill(path, settings, "train_micro_batch_size_per_gpu", train_bs, f"data.train_bs={train_bs}")
    accumulation = optimizer.accumulation
    _fill(
        path,
        settings,
        "gradient_accumulation_steps",
        accumulation,
        f"optimizer.accumulation={accumulation}",
    )
    batch_size = train_bs * accumulation * processes
    meaning = f"data.train_bs * optimizer.accumulation * run.num_processes = {batch_size}"
    _fill(path, settings, "train_batch_size", batch_size, meaning)
    limit = optimizer.max_grad_norm
    _fill(path, settings, "gradient_clipping", limit, f"optimizer.max_grad_norm={limit}")
    for precision in ("fp16", "bf16"):
        section = settings.setdefault(precision, {})
        wanted = run.precision == precision
        _fill(path, section, "enabled", wanted, f"run.precision={run.precision}", inside=f"{precision}.")
    _zero(path, settings, run=run, offload=offload)
    settings.setdefault("steps_per_print", 10**9)
    # Ours is AdamW of torch or bitsandbytes; DeepSpeed's own one for offloading has to be compiled first.
    settings["zero_allow_untested_optimizer"] = True
    settings["zero_force_ds_cpu_optimizer"] = False
    return settings


def _read(run: RunConfig) -> tuple[Path, Settings]:
    if not run.deepspeed_config:
        raise ValueError(
            "run.engine=deepspeed needs run.deepspeed_config, such as src/configs/zero2_config.json"
        )
    path = Path(run.deepspeed_config)
    if not path.is_file():
        raise FileNotFoundError(f"run.deepspeed_config={path} does not exist")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: expected an object of DeepSpeed's settings")
    return path, settings


def _fill(path: Path, section: Settings, key: str, value: Any, meaning: str, *, inside: str = "") -> None:
    """Put `value` where the file says auto or nothing; complain where it says something else."""
    found = section.get(key, "auto")
    if found != "auto" and found != value:
        raise ValueError(f'{path} says {inside}{key}={found}, the run says {meaning}: write "auto" there')
    section[key] = value


def _zero(path: Path, settings: Settings, *, run: RunConfig, offload: str) -> None:
    zero = settings.setdefault("zero_optimization", {"stage": 2})
    stage = zero.setdefault("stage", 2)
    if stage not in _STAGES:
        raise ValueError(f"{path} says zero_optimization.stage={stage}: this trainer runs stages 1, 2 and 3")
    if offload == "parameters":
        zero["stage"] = CUT_STAGE
    pinned = torch.cuda.is_available() and run.device != "cpu"
    for key, choices in _OFFLOADED.items():
        found = zero.get(key, {}).get("device", "none")
        wanted = "cpu" if offload in choices else "none"
        if found not in (wanted, "none"):
            raise ValueError(
                f"{path} says zero_optimization.{key}.device={found}, the run says run.offload={offload}: "
                "remove it there and set run.offload"
            )
        if wanted == "cpu":
            zero[key] = {"pin_memory": pinned} | zero.get(key, {}) | {"device": wanted}
