"""Classifier-free guidance (arXiv 2207.12598) without computing attention to zeros."""

from collections.abc import Mapping

import torch
from torch import Tensor

from talkvid.model.conditions import ReferenceCache
from talkvid.model.denoising_unet import DenoisingUNet


def guided_prediction(
    denoiser: DenoisingUNet,
    latents: Tensor,
    *,
    timesteps: Tensor,
    guidance_scale: float,
    audio_tokens: Tensor | None,
    kps_features: Tensor | None,
    reference: ReferenceCache | Mapping[str, Tensor] | None,
    reference_weight: float = 1.0,
    audio_weight: float = 1.0,
    batched: bool = True,
) -> Tensor:
    """Return uncond + scale x (cond - uncond): latents (B C F h w), timesteps (B,) -> (B C' F h w).

    The unconditional half has zero key-point features, zero audio tokens and a zero reference; its
    attentions to them are constants. A scale of 1 needs the conditional half alone. `batched` False runs
    the halves one after the other, in half the memory. Conditions as in `DenoisingUNet.forward`.
    """
    weights = {"reference_weight": reference_weight, "audio_weight": audio_weight}
    conditions = {"audio_tokens": audio_tokens, "kps_features": kps_features, "reference": reference}
    timesteps = timesteps.expand(latents.shape[0])
    if guidance_scale == 1.0:
        return denoiser(latents, timesteps, **conditions, **weights)
    if batched:
        both = denoiser(
            torch.cat([latents, latents]),
            torch.cat([timesteps, timesteps]),
            num_unconditional=latents.shape[0],
            **conditions,
            **weights,
        )
        unconditional, conditional = both.chunk(2)
    else:
        unconditional = denoiser(latents, timesteps, **weights)
        conditional = denoiser(latents, timesteps, **conditions, **weights)
    return unconditional + guidance_scale * (conditional - unconditional)
