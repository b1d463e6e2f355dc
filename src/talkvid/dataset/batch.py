"""What one training step reads, and which samples it reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """One window of one clip, F frames of H x W pixels; latents are h x w.

    With cached latents no picture is decoded: `reference_image` and `target_images` are 0 x 0 pixels then.
    """

    id: str
    reference_image: Tensor
    """(3 H W) in [-1, 1]."""
    target_images: Tensor
    """(3 F H W) in [-1, 1]."""
    kps_images: Tensor
    """(3 F H W) in [0, 1]."""
    audio_windows: Tensor
    """(F W D): the rows of speech features around each frame."""
    lip_masks: Tensor
    """(1 F h w) in [0, 1]."""
    reference_points: Tensor
    """(5 2) pixels of the reference image."""
    target_points: Tensor
    """(F 5 2) pixels of the target images."""
    reference_moments: Tensor | None = None
    """(2 C h w): mean and standard deviation of the cached scaled latents; None where nothing is cached."""
    target_moments: Tensor | None = None
    """(F 2 C h w), the same of the target frames."""


@dataclass(frozen=True)
class Batch:
    """B samples of equal shape; the tensors of `Sample` with a leading B."""

    ids: tuple[str, ...]
    reference_image: Tensor
    target_images: Tensor
    kps_images: Tensor
    audio_windows: Tensor
    lip_masks: Tensor
    reference_points: Tensor
    target_points: Tensor
    reference_moments: Tensor | None = None
    target_moments: Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same batch on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Return the same batch in memory from which a GPU copies by itself; data loaders call this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
        return Batch(**{**values, **changed})


def collate(samples: Sequence[Sample]) -> Batch:
    """Return the samples as one batch."""
    stacked: dict[str, Any] = {}
    for name in (field.name for field in fields(Sample) if field.name != "id"):
        values = [getattr(sample, name) for sample in samples]
        stacked[name] = None if values[0] is None else torch.stack(values)
    return Batch(ids=tuple(sample.id for sample in samples), **stacked)


class SampleKey(NamedTuple):
    """Which sample, in which pass over the data."""

    epoch: int
    number: int


class StepBatches:
    """The batches of a training, each a function of the seed and its place alone.

    Micro-batch m of step s on process r takes the places ((s * accumulation + m) * processes + r) * size
    onwards of an endless sequence of shuffled passes. So a resumed run needs nothing but the step number,
    and two processes read what one process with two micro-batches per step would read.
    """

    def __init__(
        self,
        num_samples: int,
        size: int,
        *,
        seed: int,
        first_step: int = 0,
        last_step: int,
        accumulation: int = 1,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if num_samples < 1:
            raise ValueError("the data set has no sample to train on")
        self.num_samples = num_samples
        self.size = size
        self.seed = seed
        self.first_step, self.last_step = first_step, last_step
        self.accumulation, self.rank, self.processes = accumulation, rank, processes

    def __len__(self) -> int:
        return max(0, self.last_step - self.first_step) * self.accumulation

    def __iter__(self) -> Iterator[list[SampleKey]]:
        epoch, order = -1, np.empty(0, dtype=np.int64)
        for micro in range(self.first_step * self.accumulation, self.last_step * self.accumulation):
            first = (micro * self.processes + self.rank) * self.size
            keys = []
            for place in range(first, first + self.size):
                if place // self.num_samples != epoch:
                    epoch = place // self.num_samples
                    order = np.random.default_rng([self.seed, epoch]).permutation(self.num_samples)
                keys.append(SampleKey(epoch, int(order[place % self.num_samples])))
            yield keys
