"""Classifier-free guidance (arXiv 2207.12598) without computing attention to zeros."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from talkvid.model.conditions import InnerFeatures, ReferenceCache


@dataclass
class GuidedFeatures:
    """Inner features of both halves of a guided prediction, each kept by the last call that computed it."""

    unconditional: InnerFeatures = field(default_factory=InnerFeatures)
    conditional: InnerFeatures = field(default_factory=InnerFeatures)

    @property
    def both(self) -> InnerFeatures:
        """Return the features of a call with both halves, empty unless both were kept."""
        halves = [half.kept for half in (self.unconditional, self.conditional) if half.kept is not None]
        return InnerFeatures(torch.cat(halves) if len(halves) == 2 else None)

    def keep(self, both: InnerFeatures) -> None:
        """Take over what a call with both halves kept."""
        assert both.kept is not None
        self.unconditional.kept, self.conditional.kept = both.kept.chunk(2)


def guided_prediction(
    denoiser: Callable[..., Any],
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
    inner: GuidedFeatures | None = None,
) -> Tensor:
    """Return uncond + scale x (cond - uncond): latents (B C F h w), timesteps (B,) -> (B C' F h w).

    The unconditional half has zero key-point features, zero audio tokens and a zero reference; its
    attentions to them are constants. A scale of 1 needs the conditional half alone. `batched` False runs
    the halves one after the other, in half the memory. `denoiser` is a `DenoisingUNet`, compiled or not, and
    takes conditions as its `forward` does.
    `inner` features are reused where they are there, else computed and kept.
    """
    weights = {"reference_weight": reference_weight, "audio_weight": audio_weight}
    conditions = {"audio_tokens": audio_tokens, "kps_features": kps_features, "reference": reference}
    timesteps = timesteps.expand(latents.shape[0])
    if guidance_scale == 1.0:
        own = None if inner is None else inner.conditional
        return denoiser(latents, timesteps, inner=own, **conditions, **weights)
    if inner is not None and inner.unconditional.kept is None:
        inner.conditional.kept = None  # guidance sets in: both halves anew, one after the other or not
    if batched:
        joint = None if inner is None else inner.both
        both = denoiser(
            torch.cat([latents, latents]),
            torch.cat([timesteps, timesteps]),
            num_unconditional=latents.shape[0],
            inner=joint,
            **conditions,
            **weights,
        )
        if inner is not None and joint is not None:
            inner.keep(joint)
        unconditional, conditional = both.chunk(2)
    else:
        halves = (None, None) if inner is None else (inner.unconditional, inner.conditional)
        unconditional = denoiser(latents, timesteps, inner=halves[0], **weights)
        conditional = denoiser(latents, timesteps, inner=halves[1], **conditions, **weights)
    return unconditional + guidance_scale * (conditional - unconditional)
