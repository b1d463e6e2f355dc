"""The training loss: squared velocity error, lips emphasised, time steps weighted by their SNR."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DiffusionLoss:
    """The loss of one batch and its parts."""

    total: Tensor
    """() what is minimised."""
    plain: Tensor
    """() mean squared error without any weight, detached."""
    per_video: Tensor
    """(B,) error of each video with the lip emphasis, without the SNR weight, detached."""


def emphasise_lips(error: Tensor, lip_mask: Tensor, weight: float) -> Tensor:
    """Return the error (B C F h w) times `weight` inside the lip mask (B 1 F h w), as it is outside.

    Mask values lie in [0, 1]; the weight is not renormalised by the area of the mask.
    """
    return error * (1 + (weight - 1) * lip_mask)


def min_snr_weight(snr: Tensor, gamma: float) -> Tensor:
    """Return min(snr + 1, gamma) / (snr + 1) for velocity prediction: (B,) -> (B,); 1 when gamma is 0.

    Section 3.4 of arXiv 2303.09556 with the form the reference implementation uses: the cap holds for
    snr + 1, not snr.
    """
    if gamma < 0:
        raise ValueError(f"snr_gamma must be 0 (off) or positive, got {gamma}")
    if gamma == 0:
        return torch.ones_like(snr)
    return (snr + 1).clamp(max=gamma) / (snr + 1)


def diffusion_loss(
    prediction: Tensor,
    target: Tensor,
    *,
    snr: Tensor,
    lip_mask: Tensor | None = None,
    lip_weight: float = 1.0,
    snr_gamma: float = 5.0,
) -> DiffusionLoss:
    """Return the loss of a prediction (B C F h w) against its target of the same shape, in float32.

    snr (B,) is that of each video's time step; lip_mask (B 1 F h w) in [0, 1].
    """
    squared = (prediction.float() - target.float()).square()
    weighted = squared if lip_mask is None else emphasise_lips(squared, lip_mask.float(), lip_weight)
    per_video = weighted.flatten(1).mean(dim=1)
    total = (per_video * min_snr_weight(snr.float(), snr_gamma)).mean()
    return DiffusionLoss(total=total, plain=squared.mean().detach(), per_video=per_video.detach())
