"""The denoiser at work: one window, or several at once, with guidance and their conditions.

Shapes: B windows, C channels, F frames of a window, h w latent height and width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.inference.conditions import FrameConditions, WindowConditions
from talkvid.inference.device import Placement
from talkvid.inference.feature_reuse import ReusedFeatures
from talkvid.inference.fewer_steps import guidance_scales
from talkvid.inference.settings import VideoSettings
from talkvid.model.bundle import ModelBundle
from talkvid.model.conditions import ReferenceCache
from talkvid.model.guidance import GuidedFeatures, guided_prediction

_MOST_WINDOWS = 4
"""More windows in a call fill no GPU better."""
_KEPT_PER_PIXEL = 30
"""Numbers alive at once per latent pixel, frame and channel of the outermost level, roughly counted: the
gated feed-forward holds 12 of them, the skips of all levels 7, norm and residuals the rest."""


class WindowDenoiser:
    """Predicts for windows of one video in float32, guidance applied."""

    def __init__(
        self,
        bundle: ModelBundle,
        placement: Placement,
        settings: VideoSettings,
        conditions: FrameConditions,
        reference: ReferenceCache | None,
    ) -> None:
        if placement.compiles and settings.reuse_features > 1:
            raise ValueError("compile: one recorded network cannot reuse features; leave reuse_features out")
        if bundle.config.prediction_type == "residual":
            timesteps = torch.zeros(1, dtype=torch.long)
        else:
            timesteps = NoiseSchedule().timesteps(settings.num_inference_steps)
        self._timesteps = timesteps.to(placement.device)
        self._denoiser = placement.compiled(bundle.denoising_unet)
        self._width = bundle.denoising_unet.config.block_out_channels[0]
        self._placement = placement
        self._settings = settings
        self._conditions = conditions
        self._reference = reference
        self._scales = guidance_scales(settings)
        self._reuse = ReusedFeatures(settings.reuse_features, settings.num_inference_steps)
        self._padded_to = 1

    def __call__(self, latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
        """Return the prediction (1 C F h w) for the latents (1 C F h w) of these frames."""
        return self.together(latents, [frames], [step])

    def together(self, latents: Tensor, frames: Sequence[Sequence[int]], steps: Sequence[int]) -> Tensor:
        """Return the predictions (B C F h w) for latents (B C F h w) of windows at their own steps.

        Windows of another guidance scale, and those that reuse features, go to the network one after the
        other.
        """
        predictions: dict[int, Tensor] = {}
        for slots in self._groups(steps):
            some = self._predict(latents[slots], [frames[slot] for slot in slots], [steps[s] for s in slots])
            predictions.update(zip(slots, some, strict=True))
        return torch.stack([predictions[slot] for slot in range(len(steps))])

    def batch_size(self, num_frames: int, height: int, width: int) -> int:
        """Return how many windows of latents height x width to give at once, and fix the batch to it.

        What the options say; else one on a CPU and where memory is to be saved, and on a GPU as many as half
        of its free memory holds by a rough count.
        """
        place, size = self._placement, self._placement.windows_per_batch
        if size is None and place.device.type == "cuda" and not place.saves_memory:
            halves = 2 if self._settings.guidance_scale != 1 else 1
            numbers = halves * num_frames * height * width * self._width * _KEPT_PER_PIXEL
            free, _ = torch.cuda.mem_get_info(place.device)
            size = max(1, min(_MOST_WINDOWS, free // 2 // (numbers * place.dtype.itemsize)))
        size = size or 1
        self._padded_to = size if place.compiles else 1
        return size

    def _groups(self, steps: Sequence[int]) -> list[list[int]]:
        if self._settings.reuse_features > 1:
            return [[slot] for slot in range(len(steps))]
        by_scale: dict[float, list[int]] = {}
        for slot, step in enumerate(steps):
            by_scale.setdefault(self._scales[step], []).append(slot)
        return list(by_scale.values())

    @torch.no_grad()
    def _predict(self, latents: Tensor, frames: list[Sequence[int]], steps: list[int]) -> Tensor:
        """Return the predictions (B C F h w) of windows that share a guidance scale."""
        place, count = self._placement, len(frames)
        inner: GuidedFeatures | None = self._reuse.at(frames[0], steps[0])
        missing = max(0, self._padded_to - count) if inner is None else 0
        if missing:  # a compiled network is given one shape only
            latents = torch.cat([latents, latents[-1:].expand(missing, -1, -1, -1, -1)])
            frames, steps = frames + [frames[-1]] * missing, steps + [steps[-1]] * missing
        given = _joined([self._conditions.window(window) for window in frames])
        place.begin_step()
        prediction = guided_prediction(
            self._denoiser,
            latents.to(place.dtype),
            timesteps=self._timesteps[steps],
            guidance_scale=self._scales[steps[0]],
            audio_tokens=given.audio_tokens,
            kps_features=given.kps_features,
            reference=self._reference,
            reference_weight=self._settings.reference_attention_weight,
            audio_weight=self._settings.audio_attention_weight,
            batched=not place.saves_memory,
            inner=inner,
        )
        # A copy: a recorded graph writes its next result over this one.
        return prediction[:count].to(torch.float32, copy=True)


def _joined(windows: Sequence[WindowConditions]) -> WindowConditions:
    """Return the conditions of several windows as those of a batch."""
    if len(windows) == 1:
        return windows[0]
    audio = [window.audio_tokens for window in windows if window.audio_tokens is not None]
    kps = [window.kps_features for window in windows if window.kps_features is not None]
    return WindowConditions(
        audio_tokens=torch.cat(audio) if audio else None, kps_features=torch.cat(kps) if kps else None
    )
