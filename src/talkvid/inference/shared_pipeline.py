"""What one of several processes does for a video: its windows, and the frames it finishes."""

from collections.abc import Iterator
from typing import cast

import torch

from talkvid.diffusion.shared_windows import Exchange, Share, stream_share
from talkvid.inference.device import Placement
from talkvid.inference.pipeline import DECODE_BATCH, Pipeline
from talkvid.inference.scene import Scene, build_conditions
from talkvid.inference.settings import VideoSettings
from talkvid.model.bundle import ModelBundle
from talkvid.model.vae import ImageAutoencoder
from talkvid.records import Array


@torch.no_grad()
def share_of_pictures(
    bundle: ModelBundle,
    placement: Placement,
    scene: Scene,
    settings: VideoSettings,
    *,
    share: Share,
    exchange: Exchange,
    first_frame: int = 0,
) -> Iterator[tuple[int, Array]]:
    """Yield (frame, picture (H W 3) uint8) of the frames this process finishes, in order of time.

    All processes together yield the frames of `Pipeline.frames`: the latents are the same, and so are the
    pictures but for the rounding of another number of frames decoded together.
    """
    pipeline = Pipeline(bundle, placement)
    modules = (bundle.denoising_unet, bundle.v_kps_guider, bundle.audio_projection, bundle.vae)
    with placement.use(*modules):
        conditions = build_conditions(bundle, placement, scene, settings)
        reference = pipeline.project_reference(conditions.reference_picture)
        predict = pipeline.predictor(settings, conditions, reference)
        factor = cast(ImageAutoencoder, bundle.vae).factor
        height, width = settings.image_height // factor, settings.image_width // factor
        for handed, ended in stream_share(
            scene.num_frames,
            settings.num_inference_steps,
            share,
            size=settings.context_frames,
            overlap=settings.context_overlap,
            predict=predict,
            update=pipeline.solver(settings),
            initial=conditions.initial,
            exchange=exchange,
            first_frame=first_frame,
            windows_per_batch=predict.batch_size(
                min(settings.context_frames, scene.num_frames), height, width
            ),
        ):
            for first in range(0, len(handed), DECODE_BATCH):
                chunk = handed[first : first + DECODE_BATCH]
                numbers = [frame for frame, _ in chunk]
                pictures = conditions.pictures(numbers, torch.stack([latents for _, latents in chunk]))
                yield from zip(numbers, pictures, strict=True)
            for frame in ended:
                conditions.release(frame)
