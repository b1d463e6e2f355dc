"""Distillation targets: what a student must predict to go in one DDIM step where its teacher takes several.

With cos(angle) = sqrt(a_t) and sin(angle) = sqrt(1 - a_t), a DDIM step turns by the difference of two angles:
z_end = cos(d) z - sin(d) v (arXiv 2202.00512, appendix D). Solved for v that is the target, without a
division by signal or noise: pure noise, where the signal is zero, and clean latents are no special case.

Shapes: B videos, C channels, F frames, h w latent height and width. Time step -1 is that of clean latents.
"""

from typing import Protocol

import torch
from torch import Tensor

from talkvid.diffusion.schedule import NoiseSchedule


class Predictor(Protocol):
    """Predicts velocities, guidance already applied."""

    def __call__(self, latents: Tensor, timesteps: Tensor) -> Tensor:
        """Return the velocity (B C F h w) of noisy latents (B C F h w) at time steps (B,)."""


def ddim_between(
    schedule: NoiseSchedule, velocity: Tensor, latents: Tensor, *, start: Tensor, end: Tensor
) -> Tensor:
    """Return the latents (B ...) at time steps `end` (B,), from those at `start` (B,) and their velocity."""
    turn_cos, turn_sin = _turn(schedule, start, end, like=latents)
    return turn_cos * latents - turn_sin * velocity


def velocity_between(
    schedule: NoiseSchedule, latents: Tensor, arrived: Tensor, *, start: Tensor, end: Tensor
) -> Tensor:
    """Return the velocity (B ...) with which `ddim_between` leads from `latents` to `arrived`."""
    turn_cos, turn_sin = _turn(schedule, start, end, like=latents)
    return (turn_cos * latents - arrived) / turn_sin


def progressive_target(
    predict: Predictor,
    latents: Tensor,
    *,
    start: Tensor,
    length: int,
    substeps: int,
    schedule: NoiseSchedule,
) -> Tensor:
    """Return the velocity (B ...) whose one DDIM step equals `substeps` of the teacher's (algorithm 2 there).

    The step goes from `start` (B,) down by `length` time steps, the teacher's in nearly equal parts of it.
    """
    arrived, at = latents, start
    for part in range(1, substeps + 1):
        to = start - length * part // substeps
        arrived = ddim_between(schedule, predict(arrived, at), arrived, start=at, end=to)
        at = to
    return velocity_between(schedule, latents, arrived, start=start, end=at)


def _turn(schedule: NoiseSchedule, start: Tensor, end: Tensor, *, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the angle between two time steps, shaped to multiply `like`."""
    known = torch.cat([schedule.alphas_cumprod.double(), torch.ones(1, dtype=torch.float64)])
    first, second = known[start.cpu()], known[end.cpu()]  # the last one, at -1, is clean
    cosine = (first * second).sqrt() + ((1 - first) * (1 - second)).sqrt()
    sine = ((1 - first) * second).sqrt() - (first * (1 - second)).sqrt()
    shape = (-1, *[1] * (like.ndim - 1))
    return cosine.reshape(shape).to(like), sine.reshape(shape).to(like)
