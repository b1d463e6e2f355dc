"""`TalkVidInference`: load a model once, generate as many videos as wanted."""

import logging
import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from talkvid.face.detect import FaceDetector, build_detector
from talkvid.inference.device import Placement, choose_autoencoder_dtype, choose_device, choose_dtype
from talkvid.inference.found import find_checkpoint, part_paths
from talkvid.inference.job import Job, check_output, prepare_job, read_inputs
from talkvid.inference.many_devices import choose_devices
from talkvid.inference.parts import PartsWriter, mention_parts
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.processes import Order, shared_frames
from talkvid.inference.report import announce, made_from, sidecar_content
from talkvid.inference.result import GenerationResult
from talkvid.inference.scene import Scene
from talkvid.inference.settings import (
    GenerateSettings,
    LoadOptions,
    PathLike,
    VideoSettings,
    build,
    default_output,
    resolve,
)
from talkvid.inference.sidecar import describe_files, synthetic_metadata, write_sidecar
from talkvid.inference.stream import FrameStream
from talkvid.inference.timing import Timings
from talkvid.media.audio import AudioSource
from talkvid.media.writer import QUICK, VideoWriter
from talkvid.model.bundle import ModelBundle, load_bundle
from talkvid.model.hub_mixin import HubMixin
from talkvid.records import Array
from talkvid.speech.features import SpeechEncoder, build_speech_encoder

__all__ = ["GenerationResult", "TalkVidInference"]

logger = logging.getLogger(__name__)


class TalkVidInference(HubMixin):
    """One model on one device; weights are read when the first video is made, and kept."""

    def __init__(self, checkpoint_path: PathLike | None = None, device: str = "auto", **options: Any) -> None:
        """Take a folder of a model or a hub id (None: the embedded model); options as in `LoadOptions`.

        Raises ValueError, FileNotFoundError or TypeError when the options or the checkpoint make no sense.
        """
        self.options = build(LoadOptions, {"checkpoint_path": checkpoint_path, "device": device, **options})
        self._devices = choose_devices(self.options)
        chosen = choose_device(self._devices[0])
        self.placement = Placement(
            chosen,
            choose_dtype(self.options.dtype, chosen),
            saves_memory=self.options.save_gpu_memory,
            autoencoder_dtype=choose_autoencoder_dtype(self.options.dtype, chosen),
            windows_per_batch=self.options.windows_per_batch,
            compiles=self.options.compile,
        )
        self.checkpoint = find_checkpoint(self.options)
        self.config = self.checkpoint.config
        self._detector: FaceDetector | None = None
        self._bundle: ModelBundle | None = None

    @classmethod
    def from_options(cls, options: LoadOptions) -> "TalkVidInference":
        """Return the model that the options name."""
        return cls(**{entry.name: getattr(options, entry.name) for entry in fields(options)})

    @classmethod
    def _opened(cls, name: PathLike | None, **options: Any) -> "TalkVidInference":
        return cls(name, **options)

    def _to_save(self) -> ModelBundle:
        """Return the networks as they are stored, whatever device and precision this one works in."""
        parts = replace(part_paths(self.options), preview_vae=None)
        path = self.options.checkpoint_path
        return load_bundle(None if path is None else os.fspath(path), parts=parts, dtype=None)

    def generate(
        self,
        reference_image: PathLike,
        audio_file: PathLike,
        output_path: PathLike | None = None,
        *,
        resume: bool = False,
        **settings: Any,
    ) -> GenerationResult:
        """Return the finished video of one portrait and one speech file; settings as in `GenerateSettings`.

        Without `output_path` it is `output/<portrait>_<speech>.mp4`. An older file of that name stays until
        the new one is complete. With `resume` finished stretches are kept beside it, and a call after a
        killed one goes on there. Raises ValueError or FileNotFoundError for whatever is wrong with the input.
        """
        return self.generate_with(
            build(GenerateSettings, settings),
            reference_image=reference_image,
            audio_file=audio_file,
            output_path=output_path or default_output(reference_image, audio_file),
            resume=resume,
        )

    def generate_stream(
        self,
        reference_image: PathLike,
        audio_file: PathLike,
        *,
        timings: Timings | None = None,
        **settings: Any,
    ) -> FrameStream:
        """Return the frames (H W 3) uint8 of the video as they are finished, without writing anything.

        The stream knows `num_frames`, `fps`, `width` and `height`; closing it ends the work. Settings and
        errors as in `generate`; whatever is wrong with the input is raised here, before the first frame.
        `timings` counts the seconds of each part.
        """
        timings = timings or Timings()
        job = self._job(build(GenerateSettings, settings), reference_image, audio_file, timings)
        return FrameStream(
            self._finished(job),
            num_frames=job.num_frames,
            fps=job.video.fps,
            size=job.finish.size,
            on_close=job.close,
        )

    def generate_with(
        self,
        settings: GenerateSettings,
        *,
        reference_image: PathLike,
        audio_file: PathLike,
        output_path: PathLike,
        resume: bool = False,
        timings: Timings | None = None,
    ) -> GenerationResult:
        """Return the finished video, as `generate` does, from checked settings.

        `timings` counts the seconds of each part; one of your own can tell how far the work is.
        """
        timings, target = timings or Timings(), Path(output_path)
        with timings.part("total"):
            check_output(target, reference_image, audio_file)
            with self._job(settings, reference_image, audio_file, timings) as job:
                if len(self._devices) == 1:
                    with timings.part("loading"):
                        self._load()
                with self._writer(job, target, resume=resume) as writer:
                    first = writer.first_frame if isinstance(writer, PartsWriter) else 0
                    with closing(self._finished(job, first_frame=first)) as frames:
                        for frame in frames:
                            with timings.part("encoding"):
                                writer.write(frame)
        content = sidecar_content(
            config=self.config,
            options=self.options,
            video=job.video,
            placement=self.placement,
            num_frames=job.num_frames,
            inputs=job.inputs,
            output=target,
            weights=self._weights,
            timings_s=timings.rounded(),
        )
        sidecar = write_sidecar(target, content)
        logger.info("wrote %s: %d frames in %.1f s", target, job.num_frames, timings.seconds["total"])
        return GenerationResult(target, job.num_frames, job.video.fps, sidecar, timings.rounded())

    def _job(
        self, settings: GenerateSettings, reference_image: PathLike, audio_file: PathLike, timings: Timings
    ) -> Job:
        """Return what is known before the networks are read; ValueError for what is wrong with it."""
        video = self.check(settings)
        picture, waveform = read_inputs(reference_image, audio_file, timings)
        announce(self.config, self.options, video, self.placement, self._face_detector(video).name)
        return prepare_job(
            video,
            reference_image=reference_image,
            audio_file=audio_file,
            picture=picture,
            waveform=waveform,
            detector=self._face_detector(video),
            timings=timings,
        )

    def _finished(self, job: Job, *, first_frame: int = 0) -> Generator[Array, None, None]:
        """Yield the frames from `first_frame` on as they are shown."""
        if first_frame == job.num_frames:
            return
        if len(self._devices) > 1:
            order = Order(
                self.options, job.video, job.audio_file, job.portrait, job.poses, first_frame=first_frame
            )
            with job.timings.part("processes"), closing(shared_frames(order, self._devices)) as frames:
                for frame in frames:
                    yield job.finish(frame)
            return
        with job.timings.part("loading"):
            bundle = self._load()
        scene = job.scene(self._encoder(bundle))
        with closing(self._frames(bundle, scene, job.video, job.timings, first_frame)) as frames:
            for frame in frames:
                yield job.finish(frame)

    def _frames(
        self,
        bundle: ModelBundle,
        scene: Scene,
        video: VideoSettings,
        timings: Timings,
        first_frame: int = 0,
    ) -> Generator[Array, None, None]:
        return Pipeline(bundle, self.placement).frames(scene, video, timings, first_frame=first_frame)

    def _writer(self, job: Job, target: Path, *, resume: bool) -> VideoWriter | PartsWriter:
        audio, metadata = AudioSource(os.fspath(job.audio_file)), synthetic_metadata(self.config.name)
        if not resume:
            mention_parts(target)
            return VideoWriter(
                target, *job.finish.size, job.video.fps, audio=audio, metadata=metadata, **QUICK
            )
        origin = made_from(
            config=self.config,
            options=self.options,
            video=job.video,
            placement=self.placement,
            num_frames=job.num_frames,
            inputs=job.inputs,
            weights=self._weights,
        )
        return PartsWriter(
            target,
            job.finish.size,
            job.video.fps,
            num_frames=job.num_frames,
            made_from=origin,
            audio=audio,
            metadata=metadata,
        )

    def check(self, settings: GenerateSettings) -> VideoSettings:
        """Return the settings with the checkpoint's defaults filled in; ValueError for what it cannot do."""
        video = resolve(settings, self.config)
        motion = self.config.modules["denoising_unet"].config.get("motion")
        longest = motion.get("max_frames") if motion else None
        if longest is not None and video.context_frames > longest:
            raise ValueError(
                f"context_frames: this checkpoint sees {longest} frames at most, got {video.context_frames}"
            )
        return video

    def _face_detector(self, video: VideoSettings) -> FaceDetector:
        if self._detector is None:
            path = self.options.insightface_model_path
            self._detector = build_detector(
                self.options.face_backend_name,
                model_path=None if path is None else os.fspath(path),
                det_size=(video.image_width, video.image_height),
                device=self.placement.device.type if self.placement.device.type == "cuda" else "cpu",
            )
        return self._detector

    def _load(self) -> ModelBundle:
        """Return the networks, read on first use."""
        if self._bundle is None:
            path = self.options.checkpoint_path
            self._bundle = load_bundle(
                None if path is None else os.fspath(path),
                parts=part_paths(self.options),
                # Each tensor goes from the mapped file to where it will work, never all of them through RAM.
                device="cpu" if self.placement.saves_memory else self.placement.device,
                dtype=self.placement.dtype,
                test_stage=self.options.test_stage,
                found=self.checkpoint,
            )
        return self._bundle

    @cached_property
    def _weights(self) -> list[dict[str, str]]:
        """Return path and hash of the files with weights."""
        return describe_files(path for path in self.checkpoint.files.values() if path.is_file())

    def _encoder(self, bundle: ModelBundle) -> SpeechEncoder:
        return build_speech_encoder(
            bundle.speech_encoder, device=self.placement.device, dtype=self.placement.dtype
        )
