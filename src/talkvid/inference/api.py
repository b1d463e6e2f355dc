"""`TalkVidInference`: load a model once, generate as many videos as wanted."""

import logging
import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from talkvid.face.detect import FaceDetector, build_detector
from talkvid.files import make_parent
from talkvid.inference.compose import PasteBack, draw_label
from talkvid.inference.device import Placement, choose_device, choose_dtype
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.poses import pose_track
from talkvid.inference.prepare import Portrait, prepare_portrait
from talkvid.inference.report import announce, sidecar_content
from talkvid.inference.scene import Scene
from talkvid.inference.settings import (
    AUDIO_RATE,
    GenerateSettings,
    LoadOptions,
    PathLike,
    VideoSettings,
    build,
    default_output,
    resolve,
)
from talkvid.inference.sidecar import describe_files, synthetic_metadata, write_sidecar
from talkvid.inference.timing import Timings
from talkvid.media.audio import AudioSource, load_audio, num_frames
from talkvid.media.image import load_image
from talkvid.media.writer import VideoWriter
from talkvid.model.bundle import EMBEDDED_FOLDER, ModelBundle, load_bundle
from talkvid.model.checkpoints import Checkpoint, PartPaths, locate
from talkvid.records import Array
from talkvid.speech.activity import speech_activity
from talkvid.speech.features import build_speech_encoder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenerationResult:
    """A finished video; usable wherever a path is."""

    path: Path
    num_frames: int
    fps: float
    sidecar: Path
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds per part and in total."""

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


class TalkVidInference:
    """One model on one device; weights are read when the first video is made, and kept."""

    def __init__(self, checkpoint_path: PathLike | None = None, device: str = "auto", **options: Any) -> None:
        """Take a folder of a model or a hub id (None: the embedded model); options as in `LoadOptions`.

        Raises ValueError, FileNotFoundError or TypeError when the options or the checkpoint make no sense.
        """
        self.options = build(LoadOptions, {"checkpoint_path": checkpoint_path, "device": device, **options})
        chosen = choose_device(self.options.device, self.options.gpu_id)
        self.placement = Placement(
            chosen, choose_dtype(self.options.dtype, chosen), saves_memory=self.options.save_gpu_memory
        )
        self.checkpoint = self._find()
        self.config = self.checkpoint.config
        self._detector: FaceDetector | None = None
        self._bundle: ModelBundle | None = None
        self._weights: list[dict[str, str]] = []

    @classmethod
    def from_options(cls, options: LoadOptions) -> "TalkVidInference":
        """Return the model that the options name."""
        return cls(**{entry.name: getattr(options, entry.name) for entry in fields(options)})

    def generate(
        self,
        reference_image: PathLike,
        audio_file: PathLike,
        output_path: PathLike | None = None,
        **settings: Any,
    ) -> GenerationResult:
        """Return the finished video of one portrait and one speech file; settings as in `GenerateSettings`.

        Without `output_path` it is `output/<portrait>_<speech>.mp4`. An older file of that name stays until
        the new one is complete. Raises ValueError or FileNotFoundError for whatever is wrong with the input.
        """
        return self.generate_with(
            build(GenerateSettings, settings),
            reference_image=reference_image,
            audio_file=audio_file,
            output_path=output_path or default_output(reference_image, audio_file),
        )

    def generate_with(
        self,
        settings: GenerateSettings,
        *,
        reference_image: PathLike,
        audio_file: PathLike,
        output_path: PathLike,
    ) -> GenerationResult:
        """Return the finished video, as `generate` does, from checked settings."""
        timings = Timings()
        with timings.part("total"):
            video = resolve(settings, self.config)
            self._check_window(video)
            target = Path(output_path)
            _check_output(target, reference_image, audio_file)
            with timings.part("inputs"):
                picture, waveform = load_image(reference_image), load_audio(audio_file, rate=AUDIO_RATE)
            duration_s = len(waveform) / AUDIO_RATE
            announce(self.config, self.options, video, self.placement, self._face_detector(video).name)
            with timings.part("portrait"):
                portrait = self._prepare(picture, video, reference_image)
            finish = _Finisher(portrait, video)
            writer = VideoWriter(
                target,
                *finish.size,
                video.fps,
                audio=AudioSource(os.fspath(audio_file)),
                metadata=synthetic_metadata(self.config.name),
            )
            frames = num_frames(duration_s, video.fps)
            logger.info("%.2f s of speech: %d frames at %g per second", duration_s, frames, video.fps)
            with timings.part("poses"):
                poses = pose_track(
                    portrait.face.points, video,
                    num_frames=frames, duration_s=duration_s, detector=self._face_detector(video),
                )  # fmt: skip
            with timings.part("loading"):
                bundle = self._load()
            with timings.part("speech"):
                speech, spoken = self._encode(bundle, waveform), speech_activity(waveform, video.fps)
            del waveform
            scene = Scene(portrait.image, speech, poses, face=portrait.face, spoken=spoken)
            with writer, closing(self._frames(bundle, scene, video, timings)) as stream:
                for frame in stream:
                    with timings.part("encoding"):
                        writer.write(finish(frame))
        content = sidecar_content(
            config=self.config,
            options=self.options,
            video=video,
            placement=self.placement,
            num_frames=frames,
            inputs={
                "reference_image": reference_image,
                "audio": audio_file,
                "kps": video.kps_path,
                "driving_video": video.driving_video,
            },
            output=target,
            weights=self._weights,
            timings_s=timings.rounded(),
        )
        sidecar = write_sidecar(target, content)
        logger.info("wrote %s: %d frames in %.1f s", target, frames, timings.seconds["total"])
        return GenerationResult(target, frames, video.fps, sidecar, timings.rounded())

    def _frames(
        self, bundle: ModelBundle, scene: Scene, video: VideoSettings, timings: Timings
    ) -> Generator[Array, None, None]:
        return Pipeline(bundle, self.placement).frames(scene, video, timings)

    def _find(self) -> Checkpoint:
        """Return config and files of the checkpoint, before any is read; refuse what the options forbid."""
        parts = self._parts()
        path = self.options.checkpoint_path
        if path is None and not parts.networks() and parts.unet_config_path is None:
            path = EMBEDDED_FOLDER
        found = locate(None if path is None else os.fspath(path), parts=parts)
        config = found.config
        if self.options.commercial_safe and not config.commercial_use:
            raise ValueError(
                f"commercial_safe: the weights of {config.name} forbid commercial use "
                f"({config.license or 'no licence stated'}); give --checkpoint_path to weights that allow it"
            )
        return found

    def _parts(self) -> PartPaths:
        names = [entry.name for entry in fields(PartPaths)]
        given = {name: getattr(self.options, name) for name in names}
        return PartPaths(**{name: os.fspath(value) for name, value in given.items() if value is not None})

    def _check_window(self, video: VideoSettings) -> None:
        motion = self.config.modules["denoising_unet"].config.get("motion")
        longest = motion.get("max_frames") if motion else None
        if longest is not None and video.context_frames > longest:
            raise ValueError(
                f"context_frames: this checkpoint sees {longest} frames at most, got {video.context_frames}"
            )

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

    def _prepare(self, picture: Array, video: VideoSettings, source: PathLike) -> Portrait:
        return prepare_portrait(
            picture,
            self._face_detector(video),
            width=video.image_width,
            height=video.image_height,
            face=video.face,
            framing=video.framing,
            source=source,
        )

    def _load(self) -> ModelBundle:
        """Return the networks, read on first use."""
        if self._bundle is None:
            path = self.options.checkpoint_path
            self._bundle = load_bundle(
                None if path is None else os.fspath(path),
                parts=self._parts(),
                dtype=self.placement.dtype,
                test_stage=self.options.test_stage,
            )
            files = [path for path in self._bundle.files.values() if path.is_file()]
            self._weights = describe_files(files)
        return self._bundle

    def _encode(self, bundle: ModelBundle, waveform: Array) -> Any:
        encoder = build_speech_encoder(
            bundle.speech_encoder, device=self.placement.device, dtype=self.placement.dtype
        )
        return encoder.encode(waveform)


class _Finisher:
    """What happens to every frame before it is written."""

    def __init__(self, portrait: Portrait, video: VideoSettings) -> None:
        self._paste = PasteBack(portrait.original, portrait.box) if video.keep_frame else None
        self._label = video.label
        self.size = self._paste.size if self._paste else (video.image_width, video.image_height)

    def __call__(self, frame: Array) -> Array:
        """Return the frame as it is written."""
        if self._paste is not None:
            frame = self._paste(frame)
        return draw_label(frame) if self._label else frame


def _check_output(target: Path, reference_image: PathLike, audio_file: PathLike) -> None:
    """Raise ValueError when the output cannot be written there or would replace an input."""
    if target.suffix.lower() not in (".mp4", ".m4v", ".mov"):
        raise ValueError(f"{target}: only mp4 is written; give an output path that ends in .mp4")
    for source in (reference_image, audio_file):
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise ValueError(f"{target}: this is an input; give another output path")
    make_parent(target.absolute())
