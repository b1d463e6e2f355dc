"""What the trainer asks of the thing that learns: a task, its batches and its loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder


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
