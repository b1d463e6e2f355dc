"""The loop: micro-batches, backward, clip, step, log, save; what is learned is the task's business."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from talkvid.training.config import OptimizerConfig, RunConfig
from talkvid.training.engine import build_accelerator, build_optimizer
from talkvid.training.logbook import Logbook, Progress
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder, read_state

logger = logging.getLogger(__name__)

COLUMNS = ("loss", "gradient_norm", "learning_rate", "seconds", "validation_loss")


@dataclass(frozen=True)
class StepOutput:
    """Loss of one micro-batch, and its named parts for the log."""

    loss: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class TrainingBatch(Protocol):
    """A batch knows its samples' names and can go to a device."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the names of the samples."""

    def to(self, device: torch.device | str) -> Any:
        """Return the batch on a device."""


class Task(Protocol):
    """What is trained: a network whose trainable parameters are set, and its loss."""

    @property
    def network(self) -> nn.Module:
        """Return the trained module."""

    def loss(self, network: nn.Module, batch: Any, random: StepRandom) -> StepOutput:
        """Return the loss of a batch; `network` is the task's own, perhaps wrapped by the engine."""

    def to(self, device: torch.device) -> None:
        """Move the network, and what else the loss needs, to a device."""

    def complete_gradients(self) -> None:
        """Give gradients their last touch, when all of a step are there and before they are clipped."""

    def export(self, folder: RunFolder, step: int) -> None:
        """Write the trained modules into the run folder."""


@dataclass(frozen=True)
class Reader:
    """Where a process reads: micro-batches from step `first_step` on, for process `rank` of `processes`."""

    first_step: int
    last_step: int
    accumulation: int
    rank: int
    processes: int


class Trainer:
    """Trains a task in an opened run folder, from `checkpoint` (what `RunFolder.open` gave) or from step 0.

    `batches` gives the micro-batches from a place on; `validate` a loss without gradient, every
    `validate_every` steps; `record` are settings that a resumed run must share.
    """

    def __init__(
        self,
        task: Task,
        *,
        run: RunConfig,
        optimizer: OptimizerConfig,
        folder: RunFolder,
        checkpoint: Path | None,
        batches: Callable[[Reader], Iterable[Any]],
        validate: Callable[[], float] | None = None,
        validate_every: int = 1000,
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self.task, self.run_config, self.optimizer_config = task, run, optimizer
        self.folder, self.batches = folder, batches
        self.validate, self.validate_every = validate, validate_every
        self.record = dict(record or {})
        self.checkpoint = checkpoint
        self.accelerator = build_accelerator(run, accumulation=optimizer.accumulation)
        task.to(self.accelerator.device)
        self.parameters = [entry for entry in task.network.parameters() if entry.requires_grad]
        if not self.parameters:
            raise ValueError("no parameter trains: check the stage and the model's parts")
        self.network, self.optimizer = self.accelerator.prepare(
            task.network, build_optimizer(self.parameters, optimizer)
        )
        self.step = self._restore()

    def train(self) -> list[float]:
        """Run to `max_steps` and return the loss of every step done now."""
        run = self.run_config
        if self.step >= run.max_steps:
            logger.info("%s is at step %d of %d: nothing to do", self.folder.path, self.step, run.max_steps)
            return []
        reader = Reader(
            first_step=self.step,
            last_step=run.max_steps,
            accumulation=self.optimizer_config.accumulation,
            rank=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )
        logbook = Logbook(self.folder.path, first_step=self.step, columns=COLUMNS)
        progress = Progress(self.step, run.max_steps)
        losses = []
        try:
            stream = iter(self.batches(reader))
            while self.step < run.max_steps:
                values = self._one_step(stream)
                losses.append(values["loss"])
                if self.validate is not None and self.step % self.validate_every == 0:
                    values["validation_loss"] = self._validate()
                if (
                    self.step % run.log_every == 0
                    or self.step == run.max_steps
                    or "validation_loss" in values
                ):
                    logbook.add(self.step, values)
                progress.update(self.step, {"loss": values["loss"]})
                if run.save_every and (self.step % run.save_every == 0 or self.step == run.max_steps):
                    self.save()
        finally:
            progress.close()
            logbook.close()
        return losses

    def save(self) -> None:
        """Write the trained modules and the full state; the state counts once it is complete."""
        if not self.accelerator.is_main_process:
            return
        self.task.export(self.folder, self.step)
        with self.folder.new_checkpoint(self.step, self.record) as path:
            self.accelerator.save_state(str(path))
        self.folder.drop_old_checkpoints(self.run_config.keep_states)
        logger.info("saved step %d in %s", self.step, self.folder.path)

    def _restore(self) -> int:
        if self.checkpoint is None:
            return 0
        state = read_state(self.checkpoint)
        for name, value in self.record.items():
            if state.get(name) != value:
                raise ValueError(
                    f"{self.checkpoint} was made with {name}={state.get(name)!r}, this run says {value!r}: "
                    "resume with the same setting, or choose another run.train"
                )
        self.accelerator.load_state(str(self.checkpoint))
        logger.info("continuing from %s", self.checkpoint)
        return int(state["step"])

    def _one_step(self, stream: Iterator[Any]) -> dict[str, float]:
        started = time.monotonic()
        sums: dict[str, float] = {}
        gradient_norm = 0.0
        count = self.optimizer_config.accumulation
        for micro in range(count):
            batch: TrainingBatch = next(stream).to(self.accelerator.device)
            place = micro * self.accelerator.num_processes + self.accelerator.process_index
            random = StepRandom.of(self.run_config.seed, step=self.step, micro=place)
            with _memory_advice(), self.accelerator.accumulate(self.network):
                with self.accelerator.autocast():
                    output = self.task.loss(self.network, batch, random)
                self._check_finite(output.loss, batch.ids)
                self.accelerator.backward(output.loss)
                if self.accelerator.sync_gradients:
                    self.task.complete_gradients()
                    gradient_norm = self._clip()
                self.optimizer.step()
                self.optimizer.zero_grad()
            for name, value in {"loss": output.loss, **output.parts}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
        self.step += 1
        return {
            **{name: value / count for name, value in sums.items()},
            "gradient_norm": gradient_norm,
            "learning_rate": self.optimizer_config.learning_rate,
            "seconds": time.monotonic() - started,
        }

    def _clip(self) -> float:
        limit = self.optimizer_config.max_grad_norm
        return float(self.accelerator.clip_grad_norm_(self.parameters, limit if limit > 0 else math.inf))

    def _check_finite(self, loss: Tensor, ids: tuple[str, ...]) -> None:
        if bool(torch.isfinite(loss)):
            return
        value = float(loss.detach())
        path = self.folder.path / f"bad_batch-{self.step + 1}.json"
        path.write_text(json.dumps({"step": self.step + 1, "loss": str(value), "ids": list(ids)}) + "\n")
        raise ValueError(
            f"the loss of step {self.step + 1} is {value} for {', '.join(ids)} (noted in {path}): "
            "look at these clips, lower optimizer.learning_rate or choose run.precision=bf16"
        )

    def _validate(self) -> float:
        assert self.validate is not None
        with untouched(self.task.network):
            return self.validate()


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Evaluate inside without a trace: no gradients, and modes and random state as before afterwards."""
    modes = {module: module.training for module in network.modules()}
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        network.eval()
        try:
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


@contextmanager
def _memory_advice() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ValueError(
            "the GPU has not enough memory: lower data.train_bs (with optimizer.accumulation), set "
            "run.gradient_checkpointing=true, or choose run.precision=bf16"
        ) from error
