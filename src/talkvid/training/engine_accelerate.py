"""One process, or several under DistributedDataParallel, through accelerate."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
)
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from talkvid.training.config import OptimizerConfig, RunConfig
from talkvid.training.engine_optimizer import apply_settings, build_optimizer
from talkvid.training.engine_processes import PATIENCE, Processes, join, part

_NAMES = {
    DistributedType.NO: "single",
    DistributedType.MULTI_CPU: "ddp",
    DistributedType.MULTI_GPU: "ddp",
}


class AccelerateEngine:
    """Engine `single` and engine `ddp`."""

    def __init__(self, run: RunConfig, *, optimizer: OptimizerConfig, device: str) -> None:
        self.optimizer_config = optimizer
        self.accelerator = Accelerator(
            mixed_precision="no" if run.precision == "fp32" else run.precision,
            # Micro-batches are counted here; a launcher's environment must not divide a second time.
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            cpu=device == "cpu",
            kwargs_handlers=[
                # An unconditional step leaves whole networks without gradient.
                DistributedDataParallelKwargs(find_unused_parameters=True),
                InitProcessGroupKwargs(timeout=PATIENCE),
            ],
        )
        self.name = _NAMES.get(self.accelerator.distributed_type, str(self.accelerator.distributed_type))
        if run.engine == "ddp" and run.num_processes == 1 and self.name == "single":
            join(device)  # accelerate knows no group of one process
            self.name = "ddp"
        self.device: torch.device = self.accelerator.device
        self.processes = Processes(self.device)

    def prepare(self, network: nn.Module, parameters: Sequence[nn.Parameter]) -> nn.Module:
        """Return the network, under ddp wrapped, which accelerate has moved to its device."""
        self.parameters = list(parameters)
        optimizer = build_optimizer(self.parameters, self.optimizer_config)
        wrapped, self.optimizer = self.accelerator.prepare(network, optimizer)
        if self.name == "ddp" and not isinstance(wrapped, DistributedDataParallel):
            wrapped = DistributedDataParallel(wrapped, find_unused_parameters=True)
        self.network: nn.Module = wrapped
        return self.network

    def micro_batch(self, *, last: bool) -> AbstractContextManager[object]:
        """Return the context of one forward and backward; gradients meet in the last one."""
        if last or not isinstance(self.network, DistributedDataParallel):
            return nullcontext()
        return self.network.no_sync()

    def autocast(self) -> AbstractContextManager[object]:
        """Return accelerate's autocast."""
        context: AbstractContextManager[object] = self.accelerator.autocast()
        return context

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one of the step's micro-batches, scaled under fp16."""
        self.accelerator.backward(loss / self.optimizer_config.accumulation)

    def update(self, complete: Callable[[], None]) -> float:
        """Complete, clip, step, forget; return the gradient norm."""
        complete()
        limit = self.optimizer_config.max_grad_norm
        norm = self.accelerator.clip_grad_norm_(self.parameters, limit if limit > 0 else math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(norm)

    def whole(self) -> AbstractContextManager[object]:
        """Return an empty context: every process holds all weights."""
        return nullcontext()

    def save(self, folder: Path) -> None:
        """Write weights and optimiser once, and the random state of each process."""
        self.accelerator.save_state(str(folder))

    def load(self, folder: Path) -> None:
        """Take weights, optimiser and random state back."""
        self.accelerator.load_state(str(folder))
        apply_settings(self.optimizer, self.optimizer_config)

    def close(self) -> None:
        """Leave the group of processes."""
        part()
