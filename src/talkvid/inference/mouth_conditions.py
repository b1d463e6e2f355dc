"""Conditions of the embedded model: lips follow the speech, the portrait the lips, a residual is added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from talkvid.face.eyelids import Eyelids
from talkvid.face.lip_motion import FaceShape
from talkvid.face.mouth_stage import MouthStage
from talkvid.face.warp import sample
from talkvid.inference.conditions import FrameCache, PictureFeatures, WindowConditions
from talkvid.inference.head_track import HeadTrack
from talkvid.model.lip_predictor import LipTrack
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array

MADE_TOGETHER = 8
"""Frames whose warped portraits are encoded at once, as many as the embedded model's window has."""


@dataclass(frozen=True)
class _Stand:
    """One frame on the stage."""

    target: FaceShape
    drawing: Array
    base: Tensor
    """(C h w) latents of the warped portrait's mouth."""


class MouthConditions:
    """The `warped_portrait` kind: the network changes the mouth of the warped portrait and nothing else."""

    def __init__(
        self,
        stage: MouthStage,
        *,
        motion: LipTrack | Array,
        head: HeadTrack,
        lids: Eyelids | None,
        vae: ImageAutoencoder,
        to_tensor: Callable[[Array], Tensor],
        audio_tokens: FrameCache[Tensor] | None,
        kps_features: Callable[[Callable[[int], Array]], PictureFeatures] | None,
    ) -> None:
        """Take the lips' motion (F P 2) in face sizes, the head's track, and lids unless the eyes stay open.

        `to_tensor` brings pictures (F H W 3) uint8 to the device as (F H W 3) in [-1, 1].
        """
        self._stage = stage
        self._motion = motion
        self._head = head
        self._lids = lids
        self._vae = vae
        self._to_tensor = to_tensor
        self._audio_tokens = audio_tokens
        self._stands = FrameCache(self._make)
        self._kps_features = None if kps_features is None else kps_features(self._drawing)

    @property
    def reference_picture(self) -> Array:
        """Return the picture (H W 3) uint8 the reference net looks at."""
        return self._stage.reference

    def initial(self, frame: int) -> Tensor:
        """Return the latents (C h w) of the warped portrait: sampling starts there, without noise."""
        if frame not in self._stands:
            first = frame - frame % MADE_TOGETHER
            self._stands.get(range(first, min(first + MADE_TOGETHER, len(self._motion))))
        return self._stands.get([frame])[0].base.float()

    def window(self, frames: Sequence[int]) -> WindowConditions:
        """Return the conditions of these frames."""
        self._stands.get(frames)
        audio, kps = self._audio_tokens, self._kps_features
        return WindowConditions(
            audio_tokens=None if audio is None else torch.stack(audio.get(frames))[None],
            kps_features=None if kps is None else kps.get(frames),
        )

    @torch.no_grad()
    def pictures(self, frames: Sequence[int], latents: Tensor) -> list[Array]:
        """Return the frames of the video (H W 3) uint8 from their final latents (F C h w)."""
        stands = self._stands.get(frames)
        base = torch.stack([stand.base for stand in stands])
        after, before = self._vae.decode(torch.cat([latents.to(base.dtype), base])).float().chunk(2)
        changes = rearrange(after - before, "f c h w -> f h w c").cpu().numpy()
        finished = []
        for frame, stand, change in zip(frames, stands, changes, strict=True):
            places = self._head.places(frame)
            picture = self._stage.portrait if places is None else sample(self._stage.portrait, places)
            if self._lids is not None:
                picture = self._lids.close(picture, float(self._head.closure[frame]), places=places)
            finished.append(self._stage.finish(stand.target, change, picture=picture, places=places))
        return finished

    def release(self, frame: int) -> None:
        """Drop what is kept for a frame."""
        for cache in (self._audio_tokens, self._kps_features, self._stands):
            if cache is not None:
                cache.release(frame)

    @torch.no_grad()
    def _make(self, frames: list[int]) -> list[_Stand]:
        targets = [self._stage.shape.moved(self._motion[frame]) for frame in frames]
        views = [self._stage.view(target) for target in targets]
        images = self._to_tensor(np.stack([view.warped for view in views]))
        base = self._vae.encode(rearrange(images, "f h w c -> f c h w"))
        return [
            _Stand(target, view.drawing, latents)
            for target, view, latents in zip(targets, views, base, strict=True)
        ]

    def _drawing(self, frame: int) -> Array:
        return self._stands.get([frame])[0].drawing
