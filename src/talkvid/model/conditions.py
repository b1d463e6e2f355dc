"""What the blocks of a U-Net are given besides their input: reference, audio, weights, frame count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from talkvid.model.attention import KeyValue


@dataclass(frozen=True)
class ReferenceCache:
    """Keys and values of the reference image for every attn1_5 of a denoiser, projected once per image."""

    entries: Mapping[str, KeyValue]
    """Block name -> keys and values, each (R heads L D/heads); R is 1 or the number of videos."""

    def __getitem__(self, name: str) -> KeyValue:
        return self.entries[name]

    def to(self, device: torch.device | str) -> "ReferenceCache":
        """Return the same cache on another device."""
        return ReferenceCache(
            {name: KeyValue(*(part.to(device) for part in entry)) for name, entry in self.entries.items()}
        )


@dataclass(frozen=True)
class Conditions:
    """Inputs of one U-Net call that every block sees.

    The first `num_unconditional` videos of the batch get no reference and no audio: attention to zeros,
    which is a constant and is added as such.
    """

    num_frames: int = 1
    num_unconditional: int = 0
    tokens: Tensor | None = None
    """Audio (or text) tokens of the conditional rows: (rows N D); None is attention to zeros."""
    reference: ReferenceCache | Literal["self"] | None = None
    """None is attention to zeros; "self" lets attn1_5 attend to its own frame."""
    reference_weight: float = 1.0
    audio_weight: float = 1.0
    dropped: Mapping[str, Tensor] = field(default_factory=dict)
    """Block name -> (rows,) bool, true where that frame sees a zero reference in that block."""
    features: dict[str, Tensor] | None = None
    """Where the reference net puts its features: block name -> (B h*w C).

    A block recomputed in backward puts its own in again; nothing inside a block reads this.
    """
    last_feature: str | None = None
    """Block behind whose feature nothing is needed any more."""

    @property
    def num_plain_rows(self) -> int:
        """Return the number of leading (video, frame) rows without conditions."""
        return self.num_unconditional * self.num_frames

    @property
    def is_complete(self) -> bool:
        """Return whether all wanted features are there."""
        return self.features is not None and self.last_feature in self.features


@dataclass
class InnerFeatures:
    """Inner feature maps of one U-Net call, for a later call to reuse (DeepCache, arXiv 2312.00858).

    Computed anew are the first convolution, the first layer, the last two and the output. At Stable
    Diffusion 1.5's size that is 24 % of a call (`benchmarks/fewer_steps.py --flops`).
    """

    num_outer: ClassVar[int] = 2
    """Layers on the way out that are always computed; on the way in one less."""
    kept: Tensor | None = None
    """(rows C h w) what those layers read; None until a call has put it here."""
