"""What one video is made of, and the conditions that follow from it for each kind of model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from talkvid.diffusion.noise import frame_noise
from talkvid.face.eyelids import Eyelids
from talkvid.face.keypoints import draw_vkps
from talkvid.face.mouth_stage import MouthStage
from talkvid.inference.conditions import FrameCache, FrameConditions, PictureFeatures, PlainConditions
from talkvid.inference.device import Placement
from talkvid.inference.head_track import HeadTrack
from talkvid.inference.mouth_conditions import MouthConditions
from talkvid.inference.settings import VideoSettings
from talkvid.model.bundle import ModelBundle
from talkvid.model.head_motion import HeadMotion
from talkvid.model.lip_predictor import LipPredictor
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array, Face, FeatureRows
from talkvid.speech.align import FrameAligner

DECODE_BATCH = 4
"""Frames decoded together."""


@dataclass(frozen=True)
class Scene:
    """Everything at the size and rate of the video."""

    portrait: Array
    """(H W 3) uint8"""
    speech: FeatureRows
    """(T D) features of the whole sound"""
    poses: Array
    """(F 3 2) key points in pixels"""
    face: Face | None = None
    """The portrait's face in pixels."""
    spoken: Array | None = None
    """(F,) bool: whether somebody speaks."""

    @property
    def num_frames(self) -> int:
        """Return the number of frames of the video."""
        return len(self.poses)


def build_conditions(
    bundle: ModelBundle, placement: Placement, scene: Scene, settings: VideoSettings
) -> FrameConditions:
    """Return the source of each frame's conditions for the kind of model the bundle holds."""
    tokens = audio_tokens(bundle, placement, scene, num_pad=settings.num_pad_audio_frames)
    if bundle.config.condition == "warped_portrait":
        return _mouth_conditions(bundle, placement, scene, settings, tokens)
    vae = cast(ImageAutoencoder, bundle.vae)
    height, width = scene.portrait.shape[:2]
    shape = (bundle.config.latent_channels, height // vae.factor, width // vae.factor)
    if bundle.config.kps_drawing != "reference":
        raise ValueError(f"kps_drawing {bundle.config.kps_drawing!r} needs the condition warped_portrait")
    guider = bundle.v_kps_guider
    return PlainConditions(
        scene.portrait,
        noise=lambda frame: frame_noise(settings.seed, frame, shape).to(placement.device),
        decode=lambda latents: decode_pictures(vae, latents.to(placement.dtype), placement=placement),
        audio_tokens=tokens,
        kps_features=None
        if guider is None
        else PictureFeatures(guider, lambda frame: draw_vkps(scene.poses[frame], width, height), placement),
    )


def _mouth_conditions(
    bundle: ModelBundle,
    placement: Placement,
    scene: Scene,
    settings: VideoSettings,
    tokens: FrameCache[Tensor] | None,
) -> MouthConditions:
    predictor = bundle.lip_predictor
    if not isinstance(predictor, LipPredictor):
        raise ValueError(f"the checkpoint {bundle.source} has no lip_predictor; its condition needs one")
    assert scene.face is not None
    stage = MouthStage(scene.portrait, scene.face)
    height, width = scene.portrait.shape[:2]
    mover = bundle.head_motion
    head = HeadTrack(
        scene.face,
        poses=scene.poses,
        size=(width, height),
        lively=mover.cpu().float() if isinstance(mover, HeadMotion) else None,
        settings=settings,
        speech=scene.speech,
        spoken=scene.spoken,
    )
    motion = (
        predictor.cpu()
        .float()
        .track(
            scene.speech,
            scene.num_frames,
            fps=settings.fps,
            own_shape=stage.shape.moving,
            spoken=scene.spoken,
        )
    )
    guider = bundle.v_kps_guider
    return MouthConditions(
        stage,
        motion=motion,
        head=head,
        lids=Eyelids(scene.portrait, scene.face) if settings.blink else None,
        vae=cast(ImageAutoencoder, bundle.vae),
        to_tensor=lambda pictures: signed_pictures(pictures, placement),
        audio_tokens=tokens,
        kps_features=None if guider is None else lambda draw: PictureFeatures(guider, draw, placement),
    )


def audio_tokens(
    bundle: ModelBundle, placement: Placement, scene: Scene, *, num_pad: int
) -> FrameCache[Tensor] | None:
    """Return the audio tokens (N D) of each frame, projected once, or None for a model without them."""
    projection = bundle.audio_projection
    if projection is None:
        return None
    aligner = FrameAligner(scene.speech, scene.num_frames, num_pad=num_pad)

    @torch.no_grad()
    def make(frames: list[int]) -> Sequence[Tensor]:
        windows = aligner.windows_at(torch.tensor(frames))
        tokens: Tensor = projection(windows.to(placement.device, placement.dtype))
        return list(tokens)

    return FrameCache(make)


def signed_pictures(pictures: Array, placement: Placement) -> Tensor:
    """Return pictures (… H W 3) uint8 on the device, in [-1, 1]."""
    signed = placement.tensor(pictures, dtype=torch.float32) / 127.5 - 1
    return signed.to(placement.dtype)


@torch.no_grad()
def decode_pictures(
    vae: ImageAutoencoder, latents: Tensor, *, placement: Placement | None = None
) -> list[Array]:
    """Return the pictures (H W 3) uint8 of latents (F C h w), rounded to the nearest level.

    A network that is compiled, and one on a GPU, always gets `DECODE_BATCH` frames: one shape, tuned once.
    """
    count = len(latents)
    decode = vae.decode if placement is None else placement.compiled(cast(nn.Module, vae), "decode")
    if placement is not None and (placement.compiles or placement.device.type == "cuda"):
        latents = torch.cat([latents, latents[-1:].expand(max(0, DECODE_BATCH - count), -1, -1, -1)])
        placement.begin_step()
    levels = (decode(latents)[:count].float() * 255).round().clamp(0, 255).to(torch.uint8)
    return list(np.ascontiguousarray(rearrange(levels, "f c h w -> f h w c").cpu().numpy()))
