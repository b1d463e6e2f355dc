"""Conditions of the embedded model: lips follow the speech, the portrait the lips, a residual is added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from talkvid.face.lip_motion import FaceFrame, FaceShape, face_frame
from talkvid.face.mouth_stage import MouthStage
from talkvid.face.warp import warp_image
from talkvid.inference.conditions import FrameCache, PictureFeatures, WindowConditions
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array, Face

STILL_PX = 0.25
"""Poses that differ less than this from the portrait's leave its head where it is."""


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
        face: Face,
        motion: Array,
        poses: Array,
        vae: ImageAutoencoder,
        to_tensor: Callable[[Array], Tensor],
        audio_tokens: FrameCache[Tensor] | None,
        kps_features: Callable[[Callable[[int], Array]], PictureFeatures] | None,
    ) -> None:
        """Take the lips' motion (F P 2) in face sizes and the head's poses (F 3 2) in pixels.

        `to_tensor` brings pictures (F H W 3) uint8 to the device as (F H W 3) in [-1, 1].
        """
        self._stage = stage
        self._face = face
        self._motion = motion
        self._poses = poses
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
            picture, place = self._moved(frame)
            finished.append(self._stage.finish(stand.target, change, picture=picture, frame=place))
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

    def _moved(self, frame: int) -> tuple[Array | None, FaceFrame | None]:
        """Return the portrait with its head moved to the frame's pose, or None where it stands still."""
        here, there = self._face.points[: len(self._poses[frame])], self._poses[frame]
        if float(np.abs(there - here).max()) < STILL_PX:
            return None, None
        turn, shift = similarity(here, there)
        assert self._face.contour is not None
        source = np.concatenate([self._face.points, self._face.contour])
        moved = source @ turn.T + shift
        return warp_image(self._stage.portrait, source, moved), face_frame(moved[:5])


def similarity(source: Array, target: Array) -> tuple[Array, Array]:
    """Return turn-and-scale (2, 2) and shift (2,) that bring `source` points (N 2) nearest to `target`.

    Least squares without reflection (Umeyama, 1991), for points in the plane.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    first, second = source - centre, target - goal
    spread = float((first**2).sum())
    along = float((first * second).sum()) / spread
    across = float((first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return turn, goal - turn @ centre
