"""The random numbers of a training step, each a function of the seed and the step's place alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Distinct first words keep the streams of one seed apart.
_SHARED, _OWN, _VALIDATION = 1, 2, 3


@dataclass(frozen=True)
class StepRandom:
    """Generators of one micro-batch; both live on the CPU, so that every device sees the same numbers."""

    shared: torch.Generator
    """Draws that every micro-batch and process of an optimiser step agrees on."""
    own: torch.Generator
    """Draws of this micro-batch alone."""

    @classmethod
    def of(cls, seed: int, *, step: int, micro: int = 0) -> "StepRandom":
        """Return the generators of micro-batch `micro` (counted over all processes) of a step."""
        return cls(_generator(_SHARED, seed, step), _generator(_OWN, seed, step, micro))

    @classmethod
    def of_validation(cls, seed: int, *, batch: int) -> "StepRandom":
        """Return the generators of a validation batch, the same at every validation."""
        return cls(_generator(_VALIDATION, seed, batch, 0), _generator(_VALIDATION, seed, batch, 1))

    @classmethod
    def single(cls, seed: int) -> "StepRandom":
        """Return one stream for both, seeded as plain torch code would seed it."""
        generator = torch.Generator().manual_seed(seed)
        return cls(generator, generator)

    def normal(self, shape: Sequence[int], *, like: Tensor) -> Tensor:
        """Return standard normal numbers on the device and in the type of `like`."""
        return torch.randn(tuple(shape), generator=self.own).to(like)

    def uniform(self, *shape: int) -> Tensor:
        """Return numbers in [0, 1) of this micro-batch, on the CPU."""
        return torch.rand(shape, generator=self.own)

    def shared_uniform(self) -> float:
        """Return one number in [0, 1) that all micro-batches of the step share."""
        return float(torch.rand(1, generator=self.shared))

    def integers(self, high: int, count: int) -> Tensor:
        """Return `count` whole numbers from 0 to high - 1."""
        return torch.randint(0, high, (count,), generator=self.own)


def _generator(*words: int) -> torch.Generator:
    state = np.random.SeedSequence([word % 2**64 for word in words]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
