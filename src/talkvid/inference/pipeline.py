"""From a prepared portrait, speech and poses to frames, one after the other, in memory that does not grow.

Shapes: C channels, F frames, h w latent and H W picture height and width.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from talkvid import log
from talkvid.diffusion.noise import frame_noise
from talkvid.diffusion.sampler import WindowPredictor, num_calls, stream_latents
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.face.keypoints import draw_vkps
from talkvid.inference.conditions import FrameCache, FrameConditions, PictureFeatures, PlainConditions
from talkvid.inference.device import Placement
from talkvid.inference.settings import VideoSettings
from talkvid.inference.timing import Timings
from talkvid.model.bundle import ModelBundle
from talkvid.model.conditions import ReferenceCache
from talkvid.model.guidance import guided_prediction
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array, Face
from talkvid.speech.align import FrameAligner

logger = logging.getLogger(__name__)

DECODE_BATCH = 4
"""Frames decoded together."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Scene:
    """What one video is made of, everything at the size and rate of the video."""

    portrait: Array
    """(H W 3) uint8"""
    speech: Tensor
    """(T D) features of the whole sound"""
    poses: Array
    """(F 3 2) key points in pixels"""
    face: Face | None = None
    """The portrait's face in pixels."""

    @property
    def num_frames(self) -> int:
        """Return the number of frames of the video."""
        return len(self.poses)


class Pipeline:
    """Runs the networks of one model; keeps nothing between two videos."""

    def __init__(self, bundle: ModelBundle, placement: Placement) -> None:
        self.bundle = bundle
        self.placement = placement

    @property
    def vae(self) -> ImageAutoencoder:
        """Return the image autoencoder."""
        return cast(ImageAutoencoder, self.bundle.vae)

    def frames(self, scene: Scene, settings: VideoSettings, timings: Timings) -> Generator[Array, None, None]:
        """Yield the frames (H W 3) uint8 of the video in order."""
        with timings.part("reference"):
            reference = self.project_reference(scene.portrait)
        bundle = self.bundle
        with self.placement.use(
            bundle.denoising_unet, bundle.v_kps_guider, bundle.audio_projection, bundle.vae
        ):
            conditions = self.conditions(scene, settings)
            stream = self.latents(scene, settings, conditions, reference, timings)
            for chunk in _chunks(stream, DECODE_BATCH):
                with timings.part("decoding"):
                    pictures = self.decode([latents for _, latents in chunk])
                for (frame, _), picture in zip(chunk, pictures, strict=True):
                    yield conditions.finish(frame, picture)
                    conditions.release(frame)

    @torch.no_grad()
    def project_reference(self, portrait: Array) -> ReferenceCache | None:
        """Return the keys and values of the portrait for every reference attention, computed once."""
        bundle = self.bundle
        if bundle.reference_net is None:
            return None
        with self.placement.use(bundle.vae, bundle.reference_net, bundle.denoising_unet):
            latents = self.vae.encode(self.signed_image(portrait))
            return bundle.denoising_unet.project_reference(bundle.reference_net.features(latents))

    def signed_image(self, picture: Array) -> Tensor:
        """Return a picture (H W 3) uint8 as (1 3 H W) in [-1, 1]."""
        image = self.placement.tensor(picture, dtype=torch.float32).permute(2, 0, 1)[None] / 127.5 - 1
        return image.to(self.placement.dtype)

    def conditions(self, scene: Scene, settings: VideoSettings) -> FrameConditions:
        """Return the source of the conditions of each frame, by the kind of model."""
        height, width = scene.portrait.shape[:2]
        guider, audio = self.bundle.v_kps_guider, self.bundle.audio_projection
        return PlainConditions(
            None if audio is None else FrameCache(self._audio_tokens(scene, settings)),
            None
            if guider is None
            else PictureFeatures(
                guider, lambda frame: draw_vkps(scene.poses[frame], width, height), self.placement
            ),
        )

    def _audio_tokens(self, scene: Scene, settings: VideoSettings) -> Callable[[list[int]], Sequence[Tensor]]:
        """Return the function that makes the audio tokens (N D) of each of some frames."""
        projection = self.bundle.audio_projection
        assert projection is not None
        aligner = FrameAligner(scene.speech, scene.num_frames, num_pad=settings.num_pad_audio_frames)

        @torch.no_grad()
        def make(frames: list[int]) -> Sequence[Tensor]:
            windows = aligner.windows_at(torch.tensor(frames))
            tokens: Tensor = projection(windows.to(self.placement.device, self.placement.dtype))
            return list(tokens)

        return make

    def latents(
        self,
        scene: Scene,
        settings: VideoSettings,
        conditions: FrameConditions,
        reference: ReferenceCache | None,
        timings: Timings,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (frame, final latents (C h w)) in order."""
        steps = settings.num_inference_steps
        size, overlap = settings.context_frames, settings.context_overlap
        factor = self.vae.factor
        height, width = scene.portrait.shape[:2]
        shape = (self.bundle.config.latent_channels, height // factor, width // factor)
        total = num_calls(scene.num_frames, steps, size=size, overlap=overlap)
        ticks = log.progress(range(total + 1), total=total, description="denoising")

        def initial(frame: int) -> Tensor:
            return frame_noise(settings.seed, frame, shape).to(self.placement.device)

        predict = self.predictor(settings, conditions, reference)

        def counted(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
            next(ticks)
            with timings.part("denoising"):
                return predict(latents, frames, step)

        schedule = NoiseSchedule()
        timesteps = schedule.timesteps(steps)

        def update(prediction: Tensor, latents: Tensor, step: int) -> Tensor:
            return schedule.ddim_step(prediction, latents, t=int(timesteps[step]), num_steps=steps)

        yield from stream_latents(
            scene.num_frames,
            steps,
            size=size,
            overlap=overlap,
            predict=counted,
            update=update,
            initial=initial,
        )

    def predictor(
        self, settings: VideoSettings, conditions: FrameConditions, reference: ReferenceCache | None
    ) -> WindowPredictor:
        """Return the function that predicts for one window, guidance applied, in float32."""
        timesteps = NoiseSchedule().timesteps(settings.num_inference_steps)
        dtype = self.placement.dtype

        @torch.no_grad()
        def predict(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
            given = conditions.window(frames)
            inputs = latents.to(dtype)
            if given.base_latents is not None:
                inputs = torch.cat([inputs, given.base_latents], dim=1)
            return guided_prediction(
                self.bundle.denoising_unet,
                inputs,
                timesteps=timesteps[step : step + 1].to(latents.device),
                guidance_scale=settings.guidance_scale,
                audio_tokens=given.audio_tokens,
                kps_features=given.kps_features,
                reference=reference,
                reference_weight=settings.reference_attention_weight,
                audio_weight=settings.audio_attention_weight,
                batched=not self.placement.saves_memory,
            ).float()

        return predict

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor]) -> list[Array]:
        """Return the pictures (H W 3) uint8 of some frames' latents (C h w), rounded to the nearest level."""
        images = self.vae.decode(torch.stack(list(latents)).to(self.placement.dtype))
        levels = (images.float() * 255).round().clamp(0, 255).to(torch.uint8)
        return list(np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy()))


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
