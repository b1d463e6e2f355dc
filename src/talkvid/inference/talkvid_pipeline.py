"""`TalkVidPipeline`: the same generator in the manner of diffusers' pipelines.

It is a thin face over `TalkVidInference` and no subclass of diffusers' DiffusionPipeline: our networks lie
flat in one folder instead of a model_index.json with sub-folders, several of them are called by other methods
than `forward` (which diffusers' offloading hooks rely on), and sampling goes window by window.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.inference.api import TalkVidInference
from talkvid.inference.device import dtype_name
from talkvid.inference.given import as_files
from talkvid.inference.output import OUTPUT_TYPES, FrameCollector, TalkVidPipelineOutput
from talkvid.inference.settings import GenerateSettings, VideoSettings, build, one_of
from talkvid.inference.stream import FrameStream
from talkvid.inference.timing import Timings
from talkvid.media.audio import load_audio, probe_audio
from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.hub_mixin import HubMixin

StepCallback = Callable[["TalkVidPipeline", int, int, dict[str, Any]], Any]


class TalkVidPipeline(HubMixin):
    """A model on a device, called with a portrait and a speech; weights are read at the first call."""

    def __init__(self, model: TalkVidInference) -> None:
        self.model = model
        """Which does all the work."""
        self._interrupt = False

    @classmethod
    def _opened(
        cls, name: str | Path | None, *, torch_dtype: torch.dtype | str | None = None, **options: Any
    ) -> "TalkVidPipeline":
        if torch_dtype is not None:
            options["dtype"] = _precision(torch_dtype)
        return cls(TalkVidInference(name, **options))

    def _to_save(self) -> ModelBundle:
        return self.model._to_save()

    @property
    def config(self) -> BundleConfig:
        """Return the checkpoint's config, which holds the defaults of every setting."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Return where the networks work."""
        return self.model.placement.device

    @property
    def dtype(self) -> torch.dtype:
        """Return the precision they work in."""
        return self.model.placement.dtype

    @property
    def components(self) -> dict[str, nn.Module]:
        """Return the networks by name, read now if they were not yet."""
        return dict(self.model._load().modules)

    def to(self, *places: torch.device | torch.dtype | str) -> "TalkVidPipeline":
        """Return this pipeline on another device, in another precision, or both; weights are read anew.

        Raises ValueError for a device that is not there and for fp16 on a CPU.
        """
        changes: dict[str, Any] = {}
        for place in places:
            if isinstance(place, torch.dtype):
                changes["dtype"] = _precision(place)
            else:
                changes |= {"device": str(place), "gpu_id": None}
        self.model = TalkVidInference.from_options(replace(self.model.options, **changes))
        return self

    def enable_model_cpu_offload(self) -> None:
        """Keep on the GPU only the networks that are at work (`save_gpu_memory`); ValueError on a CPU."""
        if self.device.type == "cpu":
            raise ValueError(
                "enable_model_cpu_offload: the networks are on the CPU; move them to a GPU first"
            )
        self.model = TalkVidInference.from_options(replace(self.model.options, save_gpu_memory=True))

    def interrupt(self) -> None:
        """End the call after the denoiser's present step; its output has the frames finished by then."""
        self._interrupt = True

    def __call__(
        self,
        image: Any,
        audio: Any,
        *,
        sampling_rate: int | None = None,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: StepCallback | None = None,
        **settings: Any,
    ) -> "TalkVidPipelineOutput | tuple[Any, ...]":
        """Return the video of one portrait and one speech, all its frames in memory.

        image and audio: paths, or what `talkvid.inference.given` describes. settings: `num_inference_steps`,
        `guidance_scale`, `seed`, `height`, `width`, `fps` and the others of `GenerateSettings`; None is the
        checkpoint's default. `generator` gives its initial seed (noise is drawn per frame from it).
        output_type: pil, np or pt. `callback_on_step_end(pipe, step, timestep, {"frames": …})` is called
        after each window and step, and may call `interrupt`. Without `return_dict` the result is the tuple
        (frames,). Raises ValueError or FileNotFoundError for what is wrong with the input.
        """
        self._interrupt = False
        one_of("output_type", output_type, OUTPUT_TYPES)
        chosen = self._settings(settings, generator)
        video = self.model.check(build(GenerateSettings, chosen))
        timings = _Watched(self, video, callback_on_step_end)
        with as_files(image, audio, sampling_rate) as (portrait, speech), timings.part("total"):
            stream = self.model.generate_stream(portrait, speech, timings=timings, **chosen)
            rate = probe_audio(speech).rate
            collector = FrameCollector(output_type, stream.num_frames, stream.height, stream.width)
            with stream:
                try:
                    for frame in stream:
                        collector.add(frame)
                except _Interrupted:
                    pass
            sound = load_audio(speech, rate=rate)
        output = TalkVidPipelineOutput([collector.video()], sound, rate, stream.fps)
        output.about = self._about(video, collector.count, timings, image=image, audio=audio)
        return output if return_dict else (output.frames,)

    def stream(
        self,
        image: Any,
        audio: Any,
        *,
        sampling_rate: int | None = None,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> FrameStream:
        """Return the frames (H W 3) uint8 as they are finished, in memory that does not grow with them."""
        chosen = self._settings(settings, generator)
        files = as_files(image, audio, sampling_rate)
        portrait, speech = files.__enter__()
        try:
            inner = self.model.generate_stream(portrait, speech, **chosen)
        except BaseException:
            files.__exit__(None, None, None)
            raise

        def close() -> None:
            inner.close()
            files.__exit__(None, None, None)

        return FrameStream(
            (frame for frame in inner),
            num_frames=inner.num_frames,
            fps=inner.fps,
            size=(inner.width, inner.height),
            on_close=close,
        )

    def _settings(self, given: dict[str, Any], generator: torch.Generator | None) -> dict[str, Any]:
        """Return settings under our names; ValueError where the seed is told twice."""
        chosen = {name: value for name, value in given.items() if value is not None}
        for theirs, ours in (("height", "image_height"), ("width", "image_width")):
            if theirs in chosen:
                chosen[ours] = chosen.pop(theirs)
        if generator is not None:
            if "seed" in chosen:
                raise ValueError("generator and seed both give the seed; leave one of them out")
            chosen["seed"] = int(generator.initial_seed())
        return chosen

    def _about(
        self, video: VideoSettings, num_frames: int, timings: Timings, *, image: Any, audio: Any
    ) -> dict[str, Any]:
        """Return all that the side-car of a saved video needs but the hash of its file."""
        model = self.model
        inputs = {"reference_image": image, "audio": audio}
        return {
            "config": model.config,
            "options": model.options,
            "video": video,
            "placement": model.placement,
            "num_frames": num_frames,
            "inputs": {name: path for name, path in inputs.items() if isinstance(path, str | Path)},
            "weights": model._weights,
            "timings_s": timings.rounded(),
        }


class _Interrupted(Exception):
    """Somebody has called `interrupt`."""


class _Watched(Timings):
    """Timings that call back after every window and step."""

    def __init__(self, pipe: TalkVidPipeline, video: VideoSettings, callback: StepCallback | None) -> None:
        super().__init__()
        self._pipe, self._callback = pipe, callback
        residual = pipe.config.prediction_type == "residual"
        steps = video.num_inference_steps
        self._timesteps: list[int] = [0] if residual else NoiseSchedule().timesteps(steps).tolist()

    def denoised(self, frames: Sequence[Sequence[int]], steps: Sequence[int]) -> None:
        """Call back once per window; raise when the call was interrupted."""
        for window, step in zip(frames, steps, strict=True):
            if self._callback is not None:
                self._callback(self._pipe, step, self._timesteps[step], {"frames": list(window)})
        if self._pipe._interrupt:
            raise _Interrupted


def _precision(dtype: torch.dtype | str) -> str:
    """Return the name of a precision; ValueError for one that is not offered."""
    if isinstance(dtype, str):
        return {"float16": "fp16", "float32": "fp32", "bfloat16": "bf16"}.get(dtype, dtype)
    try:
        return dtype_name(dtype)
    except StopIteration:
        raise ValueError(f"torch_dtype {dtype}: use torch.float16, torch.bfloat16 or torch.float32") from None
