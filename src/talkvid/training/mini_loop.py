"""The loop all parts of the embedded model are trained with: seeded, resumable, averaged weights, one log."""

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from talkvid.files import atomic_path
from talkvid.training.logbook import Logbook, Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoopConfig:
    """How long a part is trained, how fast, and where it keeps its state."""

    out: str = "exp/talkvid-mini"
    seed: int = 42
    max_steps: int = 2000
    batch_size: int = 8
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    weight_decay: float = 1e-4
    average: float = 0.998
    """Share of the old weights kept in the running average each step; 0 turns averaging off."""
    save_every: int = 100
    validate_every: int = 200
    stop_after_s: float = 0.0
    """Save and stop after this many seconds; 0 runs to the end. The same command goes on from there."""
    device: str = "cpu"
    autocast: bool = True
    """Compute in bfloat16 where it is safe."""
    threads: int = 1
    workers: int = 0
    """Processes that make batches ahead; 0 makes them in the training process. The numbers stay the same."""

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.batch_size < 1:
            raise ValueError("loop.max_steps and loop.batch_size must be at least 1")


class Averaged:
    """A copy of a module whose weights are the running average of the original's."""

    def __init__(self, module: nn.Module, keep: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.keep = keep

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move the average towards `module`; faster in the first steps."""
        keep = min(self.keep, (1 + step) / (10 + step)) if self.keep else 0.0
        for mean, value in zip(self.module.state_dict().values(), module.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)


StepFunction = Callable[[int, torch.Generator], dict[str, float]]
Validation = Callable[[int], dict[str, float]]


class Loop:
    """Runs steps from the last saved state on and saves modules, averages, optimisers and the step."""

    def __init__(
        self,
        config: LoopConfig,
        name: str,
        *,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        columns: tuple[str, ...],
    ) -> None:
        self.config = config
        self.folder = Path(config.out) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.modules = dict(modules)
        self.optimizers = dict(optimizers)
        self.averages = {key: Averaged(module, config.average) for key, module in modules.items()}
        self.columns = columns
        self.base_rates = {
            key: [group["lr"] for group in opt.param_groups] for key, opt in optimizers.items()
        }
        self.step = 0
        self._resume()

    @property
    def state_path(self) -> Path:
        """Return where the state of the run lies."""
        return self.folder / "state.pt"

    def run(self, train_step: StepFunction, validate: Validation | None = None) -> bool:
        """Run to the last step; return False when the time ran out before."""
        config = self.config
        start = time.monotonic()
        book = Logbook(self.folder, first_step=self.step, columns=self.columns)
        progress = Progress(self.step, config.max_steps)
        try:
            while self.step < config.max_steps:
                self._set_rates()
                generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
                values = train_step(self.step, generator)
                self.step += 1
                for key, module in self.modules.items():
                    self.averages[key].update(module, self.step)
                last = self.step == config.max_steps
                late = bool(config.stop_after_s) and time.monotonic() - start > config.stop_after_s
                if validate and (self.step % config.validate_every == 0 or last):
                    values |= validate(self.step)
                    logger.info(
                        "step %d: %s", self.step, ", ".join(f"{k} {v:.4g}" for k, v in values.items())
                    )
                book.add(self.step, values)
                progress.update(self.step, values)
                if self.step % config.save_every == 0 or last or late:
                    self._save()
                if late and not last:
                    logger.info("stopped after %d steps; the same command goes on", self.step)
                    return False
        finally:
            progress.close()
            book.close()
        return True

    def average(self, name: str) -> Any:
        """Return the averaged copy of a module."""
        return self.averages[name].module

    def _set_rates(self) -> None:
        """Warm up linearly, then follow half a cosine down to a twentieth."""
        config = self.config
        done = self.step / config.max_steps
        factor = 0.05 + 0.95 * 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))
        factor *= min(1.0, (self.step + 1) / max(config.warmup_steps, 1))
        for key, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self.base_rates[key], strict=True):
                group["lr"] = rate * factor

    def _save(self) -> None:
        state = {
            "step": self.step,
            "modules": {key: module.state_dict() for key, module in self.modules.items()},
            "averages": {key: average.module.state_dict() for key, average in self.averages.items()},
            "optimizers": {key: optimizer.state_dict() for key, optimizer in self.optimizers.items()},
        }
        with atomic_path(self.state_path) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        if not self.state_path.is_file():
            return
        state = torch.load(self.state_path, map_location=self.config.device, weights_only=True)
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
            self.averages[key].module.load_state_dict(state["averages"][key])
        for key, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][key])
        self.step = int(state["step"])
        logger.info("%s goes on from step %d", self.folder, self.step)


class _Batches(Dataset[Any]):
    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __getitem__(self, step: int) -> Any:
        return self.make(step)


def prefetched(make: Callable[[int], Any], first: int, last: int, *, workers: int) -> Iterator[Any]:
    """Yield make(first) … make(last - 1) in order, made ahead by `workers` processes (0: in this one)."""
    if workers:
        cv2.setNumThreads(1)  # a forked process would wait for ever for OpenCV's threads, which stay behind
    loader = DataLoader(
        _Batches(make),
        batch_size=None,
        sampler=range(first, last),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    yield from loader


def apply_step(
    loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], *, clip: float = 1.0
) -> None:
    """Take one optimiser step on `loss` with the gradient's norm cut at `clip`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()
