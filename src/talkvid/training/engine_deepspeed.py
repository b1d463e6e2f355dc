"""DeepSpeed ZeRO: through accelerate on GPUs and in one CPU process, by itself in several CPU processes.

accelerate 1.15 takes several CPU processes for one, so there DeepSpeed is started without it. What differs
from the other engines: gradients live in flat pieces, so parameters without a gradient (an unconditional
step leaves whole networks without) step with a gradient of zero, that is with momentum and decay; and in
half precision the weights themselves are half, with a float32 copy in the optimiser. ZeRO stage 3, which
run.offload=parameters needs, divides the weights among the processes: `whole` puts them together.
"""

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from talkvid.extras import require
from talkvid.training.config import OptimizerConfig, RunConfig
from talkvid.training.engine_deepspeed_settings import CUT_STAGE, deepspeed_settings
from talkvid.training.engine_optimizer import apply_settings, build_optimizer
from talkvid.training.engine_processes import Processes, join, part

_ACCELERATOR = "DS_ACCELERATOR"
_SWITCH = "ACCELERATE_USE_DEEPSPEED"
_LOCAL_RANK = "LOCAL_RANK"
"""Both want it set, without a launcher too."""
logger = logging.getLogger(__name__)

_TAG = "deepspeed"
_HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


class DeepSpeedEngine:
    """Engine `deepspeed`."""

    def __init__(
        self, run: RunConfig, *, optimizer: OptimizerConfig, train_bs: int, device: str, offload: str
    ) -> None:
        self.name = "deepspeed"
        self.optimizer_config, self.offload = optimizer, offload
        self.half = _HALF.get(run.precision)
        self.settings = deepspeed_settings(
            run, optimizer=optimizer, train_bs=train_bs, processes=run.num_processes, offload=offload
        )
        self.cut = self.settings["zero_optimization"]["stage"] == CUT_STAGE
        if self.cut and run.ema_decay > 0:
            raise ValueError(
                f"run.ema_decay={run.ema_decay} follows whole weights, but run.offload={offload} with "
                f"{run.deepspeed_config} divides them (ZeRO stage {CUT_STAGE}): set run.ema_decay=0, or "
                "run.offload=optimizer with ZeRO stage 2"
            )
        _choose_accelerator(device)
        self.deepspeed = require("deepspeed", extra="deepspeed")
        logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
        join(device)
        self.alone = device == "cpu" and run.num_processes > 1
        self.accelerator: Any = None
        self.own_variables = [name for name in (_SWITCH, _LOCAL_RANK) if name not in os.environ]
        os.environ.setdefault(_LOCAL_RANK, "0")
        if self.alone:
            self.device = torch.device(device)
        else:
            self.accelerator = self._accelerator(run)
            self.device = self.accelerator.device
        self.processes = Processes(self.device)
        if offload == "parameters" and self.processes.is_main:
            logger.info(
                "run.offload=%s: ZeRO stage %d, whatever %s says, divides the weights among the processes",
                offload,
                CUT_STAGE,
                run.deepspeed_config,
            )

    def prepare(self, network: nn.Module, parameters: Sequence[nn.Parameter]) -> nn.Module:
        """Return the network as DeepSpeed runs it; its weights become half precision where the run is."""
        self.network = network
        optimizer = build_optimizer(parameters, self.optimizer_config, offloaded=self.offload != "none")
        if self.alone:
            self.engine, *_ = self.deepspeed.initialize(
                model=network, optimizer=optimizer, config=self.settings
            )
        else:
            self.engine, _ = self.accelerator.prepare(network, optimizer)
        if not isinstance(self.engine, self.deepspeed.DeepSpeedEngine):
            raise ValueError(
                f"run.engine=deepspeed, but accelerate prepared a {type(self.engine).__name__}: check the "
                "launch command and the ACCELERATE_ variables"
            )
        return self.engine if self.half is None else _Casting(self.engine, self.half)

    def micro_batch(self, *, last: bool) -> AbstractContextManager[object]:
        """Return an empty context, after telling DeepSpeed whether an update follows."""
        self.engine.set_gradient_accumulation_boundary(last)
        return nullcontext()

    def autocast(self) -> AbstractContextManager[object]:
        """Return torch's autocast, which serves what is not DeepSpeed's: the image autoencoder."""
        return torch.autocast(self.device.type, dtype=self.half, enabled=self.half is not None)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one of the step's micro-batches; DeepSpeed shares them out and scales them."""
        self.engine.backward(loss)

    def update(self, complete: Callable[[], None]) -> float:
        """Clip, step, forget; return the gradient norm. Missing gradients are zeros in the flat pieces."""
        self.engine.step()
        if self.cut or self.offload != "none":
            _forget_gradients(self.engine.optimizer, cut=self.cut)
        return float(self.engine.get_global_grad_norm() or 0.0)

    def whole(self) -> AbstractContextManager[object]:
        """Return the context that puts divided weights together; up to ZeRO stage 2 they always are."""
        return self._gathered() if self.cut else nullcontext()

    @contextmanager
    def _gathered(self) -> Iterator[None]:
        """Hold all weights, and keep DeepSpeed from dividing them again behind each layer that runs."""
        hooks = [(part, part._forward_pre_hooks, part._forward_hooks) for part in self.network.modules()]
        with self.deepspeed.zero.GatheredParameters(list(self.network.parameters())):
            try:
                for part, _, _ in hooks:
                    part._forward_pre_hooks, part._forward_hooks = OrderedDict(), OrderedDict()
                yield
            finally:
                for part, before, after in hooks:
                    part._forward_pre_hooks, part._forward_hooks = before, after

    def save(self, folder: Path) -> None:
        """Write DeepSpeed's state, and the random state of each process."""
        self.engine.save_checkpoint(str(folder), tag=_TAG)
        save_file(self._random_state(), folder / self._random_file())

    def load(self, folder: Path) -> None:
        """Take the state back; DeepSpeed reads its own files with pickle, so it must be a state of ours."""
        found, _ = self.engine.load_checkpoint(str(folder), tag=_TAG)
        if found is None:
            raise ValueError(f"{folder}: DeepSpeed finds no state of its own there")
        apply_settings(self.engine.optimizer, self.optimizer_config)
        state = load_file(folder / self._random_file())
        torch.set_rng_state(state["cpu"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"])

    def close(self) -> None:
        """Leave the group of processes, and the environment as it was."""
        for name in self.own_variables:
            os.environ.pop(name, None)
        part()

    def _accelerator(self, run: RunConfig) -> Any:
        from accelerate import Accelerator
        from accelerate.utils import DeepSpeedPlugin, DistributedType, GradientAccumulationPlugin

        accelerator = Accelerator(
            mixed_precision="no" if run.precision == "fp32" else run.precision,
            deepspeed_plugin=DeepSpeedPlugin(hf_ds_config=self.settings, zero3_init_flag=False),
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=self.optimizer_config.accumulation
            ),
        )
        if accelerator.distributed_type != DistributedType.DEEPSPEED:
            self.name = str(accelerator.distributed_type)
        return accelerator

    def _random_file(self) -> str:
        return f"random-{self.processes.rank}.safetensors"

    def _random_state(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        return state | ({"cuda": torch.cuda.get_rng_state()} if self.device.type == "cuda" else {})


class _Casting(nn.Module):
    """Gives a half-precision network its inputs in its own type, and its output in float32."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Return what the network returns, in float32."""
        with torch.autocast("cuda" if torch.cuda.is_available() else "cpu", enabled=False):
            output = self.network(
                *(self._cast(value) for value in inputs),
                **{name: self._cast(value) for name, value in named.items()},
            )
        return output.float()

    def _cast(self, value: Any) -> Any:
        is_real = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(self.dtype) if is_real else value


def _forget_gradients(optimizer: Any, *, cut: bool) -> None:
    """Set the gradients of stage 3, and the offloaded ones of lower stages, to zero.

    DeepSpeed 0.19 leaves them, and a weight without a gradient in the next step would step with the old one.
    """
    if cut:
        optimizer.grad_partitions_flat_buffer.zero_()
    held = optimizer.fp32_partitioned_groups_flat if cut else optimizer.single_partition_of_fp32_groups
    for weights in held:
        if weights.grad is not None:
            weights.grad.zero_()


def _choose_accelerator(device: str) -> None:
    """Tell DeepSpeed the kind of device, which it settles when it is imported."""
    found = os.environ.setdefault(_ACCELERATOR, device)
    if found != device:
        raise ValueError(
            f"{_ACCELERATOR}={found} in the environment, but the run is on {device}: set run.device, or "
            f"{_ACCELERATOR}={device}"
        )
