"""From a scene to frames, one after the other, in memory that does not grow with the length.

Shapes: C channels, F frames, h w latent and H W picture height and width.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar, cast

import torch
from torch import Tensor

from talkvid import log
from talkvid.diffusion.sampler import LatentUpdate, Solver, num_calls, stream_latents
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.diffusion.solvers import build_solver
from talkvid.inference.conditions import FrameConditions
from talkvid.inference.denoise import WindowDenoiser
from talkvid.inference.device import Placement
from talkvid.inference.scene import DECODE_BATCH, Scene, build_conditions, signed_pictures
from talkvid.inference.settings import VideoSettings
from talkvid.inference.timing import Timings
from talkvid.model.bundle import ModelBundle
from talkvid.model.conditions import ReferenceCache
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array

Item = TypeVar("Item")


class Pipeline:
    """Runs the networks of one model; keeps nothing between two videos."""

    def __init__(self, bundle: ModelBundle, placement: Placement) -> None:
        self.bundle = bundle
        self.placement = placement

    def frames(
        self, scene: Scene, settings: VideoSettings, timings: Timings, *, first_frame: int = 0
    ) -> Generator[Array, None, None]:
        """Yield the frames (H W 3) uint8 of the video in order, from `first_frame` on."""
        bundle, place = self.bundle, self.placement
        with place.use(bundle.denoising_unet, bundle.v_kps_guider, bundle.audio_projection, bundle.vae):
            with timings.part("conditions"):
                conditions = build_conditions(bundle, place, scene, settings)
            with timings.part("reference"):
                reference = self.project_reference(conditions.reference_picture)
            stream = self.latents(
                scene.num_frames, settings, conditions, reference, timings, first_frame=first_frame
            )
            for chunk in _chunks(stream, DECODE_BATCH):
                numbers = [frame for frame, _ in chunk]
                with timings.part("decoding"):
                    pictures = conditions.pictures(numbers, torch.stack([latents for _, latents in chunk]))
                if numbers[0] == first_frame:
                    for frame in range(first_frame):
                        conditions.release(frame)
                for frame, picture in zip(numbers, pictures, strict=True):
                    yield picture
                    conditions.release(frame)

    @torch.no_grad()
    def project_reference(self, picture: Array) -> ReferenceCache | None:
        """Return keys and values of a picture (H W 3) for every reference attention, computed once."""
        bundle = self.bundle
        if bundle.reference_net is None:
            return None
        image = signed_pictures(picture, self.placement).permute(2, 0, 1)[None]
        with self.placement.use(bundle.reference_net):
            latents = cast(ImageAutoencoder, bundle.vae).encode(image)
            return bundle.denoising_unet.project_reference(bundle.reference_net.features(latents))

    def latents(
        self,
        num_frames: int,
        settings: VideoSettings,
        conditions: FrameConditions,
        reference: ReferenceCache | None,
        timings: Timings,
        *,
        first_frame: int = 0,
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (frame, final latents (C h w)) in order, showing how far the work is."""
        steps = settings.num_inference_steps
        size, overlap = settings.context_frames, settings.context_overlap
        total = num_calls(num_frames, steps, size=size, overlap=overlap, first_frame=first_frame)
        ticks = iter(log.progress(range(total), total=total, description="denoising"))
        predict = _Counted(self.predictor(settings, conditions, reference), ticks, timings)
        sides = settings.image_height, settings.image_width
        height, width = (side // cast(ImageAutoencoder, self.bundle.vae).factor for side in sides)
        yield from stream_latents(
            num_frames,
            steps,
            size=size,
            overlap=overlap,
            predict=predict,
            update=self.solver(settings),
            initial=conditions.initial,
            first_frame=first_frame,
            windows_per_batch=predict.inner.batch_size(min(size, num_frames), height, width),
        )
        next(ticks, None)

    def solver(self, settings: VideoSettings) -> LatentUpdate | Solver:
        """Return the sampler of the settings; `update` is that of DDIM and of models without noise."""
        if settings.sampler == "ddim":
            return self.update(settings)
        return build_solver(
            settings.sampler, NoiseSchedule(), num_steps=settings.num_inference_steps, seed=settings.seed
        )

    def update(self, settings: VideoSettings) -> LatentUpdate:
        """Return the sampling step of the model: DDIM, or the residual added to what it started from."""
        if self.bundle.config.prediction_type == "residual":
            return lambda prediction, latents, step: latents + prediction
        steps = settings.num_inference_steps
        schedule = NoiseSchedule()
        timesteps = schedule.timesteps(steps).tolist()
        return lambda prediction, latents, step: schedule.ddim_step(
            prediction, latents, t=timesteps[step], num_steps=steps
        )

    def predictor(
        self, settings: VideoSettings, conditions: FrameConditions, reference: ReferenceCache | None
    ) -> WindowDenoiser:
        """Return what predicts for windows, guidance applied, in float32."""
        return WindowDenoiser(self.bundle, self.placement, settings, conditions, reference)


class _Counted:
    """A denoiser whose time is taken and whose windows are counted."""

    def __init__(self, inner: WindowDenoiser, ticks: Iterator[int], timings: Timings) -> None:
        self.inner = inner
        self._ticks = ticks
        self._timings = timings

    def __call__(self, latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        return self.together(latents, [frames], [step])

    def together(self, latents: Tensor, frames: Sequence[Sequence[int]], steps: Sequence[int]) -> Tensor:
        for _ in steps:
            next(self._ticks)
        with self._timings.part("denoising"):
            predictions = self.inner.together(latents, frames, steps)
        self._timings.denoised(frames, steps)
        return predictions


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
