"""What the denoiser is told about each frame, made when a window first needs it and dropped with the frame.

Shapes: F frames, N audio tokens, D their width, C channels, h w latent and H W picture height and width.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from talkvid.inference.device import Placement
from talkvid.records import Array

Value = TypeVar("Value")


@dataclass(frozen=True)
class WindowConditions:
    """The conditions of one window; None where the model has no such input."""

    audio_tokens: Tensor | None = None
    """(1 F N D)"""
    kps_features: Tensor | None = None
    """(1 C F h w)"""


class FrameConditions(Protocol):
    """One strategy per kind of model."""

    @property
    def reference_picture(self) -> Array:
        """Return the picture (H W 3) uint8 the reference net looks at."""

    def initial(self, frame: int) -> Tensor:
        """Return the latents (C h w) float32 that sampling starts from."""

    def window(self, frames: Sequence[int]) -> WindowConditions:
        """Return the conditions of these frames."""

    def pictures(self, frames: Sequence[int], latents: Tensor) -> list[Array]:
        """Return the frames of the video (H W 3) uint8 from their final latents (F C h w)."""

    def release(self, frame: int) -> None:
        """Drop what is kept for a frame that is not needed any more."""


class FrameCache(Generic[Value]):
    """One value per frame, made in batches when first asked for and kept until released."""

    def __init__(self, make: Callable[[list[int]], Sequence[Value]]) -> None:
        self._make = make
        self._values: dict[int, Value] = {}

    def get(self, frames: Sequence[int]) -> list[Value]:
        """Return the values of the frames, repeated frames included."""
        missing = [frame for frame in dict.fromkeys(frames) if frame not in self._values]
        if missing:
            self._values.update(zip(missing, self._make(missing), strict=True))
        return [self._values[frame] for frame in frames]

    def release(self, frame: int) -> None:
        """Forget a frame."""
        self._values.pop(frame, None)

    def __contains__(self, frame: int) -> bool:
        return frame in self._values

    def __len__(self) -> int:
        return len(self._values)


class PictureFeatures:
    """Features of key-point pictures: computed once per distinct picture, kept while a frame needs them."""

    def __init__(self, guider: nn.Module, draw: Callable[[int], Array], placement: Placement) -> None:
        self._guider = guider
        self._draw = draw
        self._placement = placement
        self._keys: dict[int, bytes] = {}
        self._features: dict[bytes, Tensor] = {}
        self.num_computed = 0

    def get(self, frames: Sequence[int]) -> Tensor:
        """Return the features (1 C F h w) of the frames."""
        fresh: dict[bytes, Array] = {}
        for frame in frames:
            if frame not in self._keys:
                picture = self._draw(frame)
                self._keys[frame] = key = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
                if key not in self._features:
                    fresh[key] = picture
        if fresh:
            self._compute(fresh)
        keys = [self._keys[frame] for frame in frames]
        if len(set(keys)) == 1:
            feature = self._features[keys[0]].to(self._placement.device)
            return feature.unsqueeze(1).expand(-1, len(keys), -1, -1).unsqueeze(0)
        stacked = torch.stack([self._features[key] for key in keys], dim=1)
        return stacked.unsqueeze(0).to(self._placement.device)

    def _compute(self, pictures: dict[bytes, Array]) -> None:
        images = self._placement.tensor(np.stack(list(pictures.values()))) / 255  # F H W 3
        features = self._guider(rearrange(images, "f h w c -> 1 c f h w"))[0]  # C F h w
        if self._placement.saves_memory:
            features = features.cpu()
        for slot, key in enumerate(pictures):
            self._features[key] = features[:, slot].clone()
        self.num_computed += len(pictures)

    def release(self, frame: int) -> None:
        """Forget a frame, and its features when no other frame needs them (the last ones are kept)."""
        key = self._keys.pop(frame, None)
        if key is not None and len(self._features) > 1 and key not in self._keys.values():
            del self._features[key]

    def __len__(self) -> int:
        return len(self._features)


class PlainConditions:
    """The V-Express class of models: noise, audio tokens and a drawing of the key points for every frame."""

    def __init__(
        self,
        portrait: Array,
        *,
        noise: Callable[[int], Tensor],
        decode: Callable[[Tensor], list[Array]],
        audio_tokens: FrameCache[Tensor] | None,
        kps_features: PictureFeatures | None,
    ) -> None:
        self._portrait = portrait
        self._noise = noise
        self._decode = decode
        self._audio_tokens = audio_tokens
        self._kps_features = kps_features

    @property
    def reference_picture(self) -> Array:
        """Return the portrait (H W 3) uint8."""
        return self._portrait

    def initial(self, frame: int) -> Tensor:
        """Return the noise (C h w) of the frame."""
        return self._noise(frame)

    def window(self, frames: Sequence[int]) -> WindowConditions:
        """Return the conditions of these frames."""
        audio, kps = self._audio_tokens, self._kps_features
        return WindowConditions(
            audio_tokens=None if audio is None else torch.stack(audio.get(frames))[None],
            kps_features=None if kps is None else kps.get(frames),
        )

    def pictures(self, frames: Sequence[int], latents: Tensor) -> list[Array]:
        """Return the decoded latents (F C h w): they are the frames (H W 3) uint8."""
        return self._decode(latents)

    def release(self, frame: int) -> None:
        """Drop what is kept for a frame."""
        for cache in (self._audio_tokens, self._kps_features):
            if cache is not None:
                cache.release(frame)
