"""One training step as functions of a batch and its random numbers (recipe: V-Express, arXiv 2406.02511)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from talkvid.dataset.batch import Batch
from talkvid.diffusion.losses import diffusion_loss
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.training.config import LossConfig
from talkvid.training.randomness import StepRandom
from talkvid.training.trainer import StepOutput


class Encoder(Protocol):
    """An image autoencoder, seen from here."""

    def encode(self, images: Tensor) -> Tensor:
        """Return scaled latents (B C h w) of (B 3 H W) in [-1, 1]."""


@runtime_checkable
class SamplingEncoder(Protocol):
    """An encoder that gives a distribution, which training samples."""

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the scaled latents, each (B C h w)."""


@dataclass(frozen=True)
class Latents:
    """The pictures of a batch as scaled latents."""

    target: Tensor
    """(B C F h w)."""
    reference: Tensor
    """(B C h w)."""


@dataclass(frozen=True)
class Draws:
    """Everything random in a step behind the encoder."""

    noise: Tensor
    """(B C F h w), its offset included."""
    timesteps: Tensor
    """(B,) whole numbers."""
    unconditional: bool
    """Whether this step sees no condition at all."""
    kps_drop: Tensor | None
    """(B,) bool: clips without key points."""
    reference_drop: Tensor | None
    """(blocks B F) bool: frames without reference, block by block in order of execution."""


def encode_and_draw(
    encoder: Encoder | SamplingEncoder,
    batch: Batch,
    *,
    loss: LossConfig,
    num_timesteps: int,
    num_blocks: int,
    random: StepRandom,
) -> tuple[Latents, Draws]:
    """Return latents, sampled from the encoder's posterior, and the draws of one step.

    The order in which the numbers are drawn is that of the reference implementation, with cached moments too.
    """
    if batch.target_moments is None:
        target = encode_frames(encoder, batch.target_images, random)
    else:
        target = sample_moments(batch.target_moments, random)
    batch_size, num_frames = target.shape[0], target.shape[2]
    noise = random.normal(target.shape, like=target)
    if loss.noise_offset > 0:
        noise = noise + loss.noise_offset * random.normal((*target.shape[:2], 1, 1, 1), like=target)
    timesteps = random.integers(num_timesteps, batch_size)
    if batch.reference_moments is None:
        reference = encode_frames(encoder, batch.reference_image[:, :, None], random)[:, :, 0]
    else:
        reference = sample_moments(batch.reference_moments[:, None], random)[:, :, 0]
    unconditional = random.shared_uniform() < loss.unconditional_probability
    kps_drop = None
    if loss.kps_drop > 0 and not unconditional:
        kps_drop = random.uniform(batch_size) < loss.kps_drop
    reference_drop = None
    if loss.reference_drop > 0:
        rows = [random.uniform(batch_size * num_frames) for _ in range(num_blocks)]
        reference_drop = (torch.stack(rows) < loss.reference_drop).unflatten(1, (batch_size, num_frames))
    device = target.device
    return Latents(target, reference), Draws(
        noise=noise,
        timesteps=timesteps.to(device),
        unconditional=unconditional,
        kps_drop=None if kps_drop is None else kps_drop.to(device),
        reference_drop=None if reference_drop is None else reference_drop.to(device),
    )


@torch.no_grad()
def encode_frames(encoder: Encoder | SamplingEncoder, images: Tensor, random: StepRandom) -> Tensor:
    """Return scaled latents of (B 3 F H W) in [-1, 1] as (B C F h w), sampled where the encoder can."""
    batch_size = images.shape[0]
    flat = images.transpose(1, 2).flatten(0, 1)
    if isinstance(encoder, SamplingEncoder):
        mean, deviation = encoder.moments(flat)
        latents = mean + deviation * random.normal(mean.shape, like=mean)
    else:
        latents = encoder.encode(flat)
    return latents.unflatten(0, (batch_size, -1)).transpose(1, 2)


def sample_moments(moments: Tensor, random: StepRandom) -> Tensor:
    """Return latents (B C F h w) drawn from moments (B F 2 C h w) as `encode_frames` draws them."""
    mean, deviation = moments.flatten(0, 1).unbind(1)
    latents = mean + deviation * random.normal(mean.shape, like=mean)
    return latents.unflatten(0, (len(moments), -1)).transpose(1, 2)


def denoising_loss(
    network: nn.Module,
    batch: Batch,
    *,
    latents: Latents,
    draws: Draws,
    schedule: NoiseSchedule,
    loss: LossConfig,
) -> StepOutput:
    """Return the weighted velocity loss of one batch, (scalar), as a function of its draws."""
    noisy = schedule.add_noise(latents.target, draws.noise, draws.timesteps)
    velocity = schedule.velocity(latents.target, draws.noise, draws.timesteps)
    conditioned = not draws.unconditional
    prediction = network(
        noisy,
        draws.timesteps,
        reference_latents=latents.reference if conditioned else None,
        kps_images=batch.kps_images if conditioned else None,
        audio_windows=batch.audio_windows if conditioned else None,
        kps_drop=draws.kps_drop,
        reference_drop=draws.reference_drop,
    )
    result = diffusion_loss(
        prediction,
        velocity,
        snr=schedule.snr(draws.timesteps),
        lip_mask=batch.lip_masks,
        lip_weight=loss.lip_weight,
        snr_gamma=loss.snr_gamma,
    )
    return StepOutput(result.total, {"plain_loss": result.plain})
