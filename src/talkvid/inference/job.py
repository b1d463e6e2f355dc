"""One video ready to be made: inputs read, portrait prepared, poses known, speech heard."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from talkvid.face.detect import FaceDetector
from talkvid.files import make_parent
from talkvid.inference.compose import PasteBack, draw_label
from talkvid.inference.poses import pose_track
from talkvid.inference.prepare import Portrait, prepare_portrait
from talkvid.inference.scene import Scene
from talkvid.inference.settings import AUDIO_RATE, PathLike, VideoSettings
from talkvid.inference.timing import Timings
from talkvid.media.audio import num_frames, spool_audio
from talkvid.media.image import load_image
from talkvid.media.spool import Spool
from talkvid.records import Array
from talkvid.speech.activity import speech_activity
from talkvid.speech.features import SpeechEncoder, SpooledFeatures

logger = logging.getLogger(__name__)


class Finisher:
    """What happens to every frame before it is handed out."""

    def __init__(self, portrait: Portrait, video: VideoSettings) -> None:
        self._paste = PasteBack(portrait.original, portrait.box) if video.keep_frame else None
        self._label = video.label
        self.size = self._paste.size if self._paste else (video.image_width, video.image_height)

    def __call__(self, frame: Array) -> Array:
        """Return the frame (H W 3) uint8 as it is shown."""
        if self._paste is not None:
            frame = self._paste(frame)
        return draw_label(frame) if self._label else frame


@dataclass
class Job:
    """What one video needs besides the networks; sound and its features lie on disk until `close`."""

    video: VideoSettings
    reference_image: PathLike
    audio_file: PathLike
    portrait: Portrait
    poses: Array
    """(F 3 2) key points in pixels"""
    waveform: Spool
    """(N,) 16 kHz"""
    timings: Timings
    finish: Finisher = field(init=False)
    _speech: SpooledFeatures | None = None

    def __post_init__(self) -> None:
        self.finish = Finisher(self.portrait, self.video)

    @property
    def num_frames(self) -> int:
        """Return the number of frames of the video."""
        return len(self.poses)

    @property
    def inputs(self) -> dict[str, PathLike | None]:
        """Return the files the video is made from, None for those it has not."""
        return {
            "reference_image": self.reference_image,
            "audio": self.audio_file,
            "kps": self.video.kps_path,
            "driving_video": self.video.driving_video,
        }

    def scene(self, encoder: SpeechEncoder) -> Scene:
        """Return portrait, poses and speech; the sound is heard here, block by block."""
        with self.timings.part("speech"):
            self._speech = SpooledFeatures(encoder.stream(self.waveform), dim=encoder.dim)
            spoken = speech_activity(self.waveform, self.video.fps)
        self.waveform.close()
        return Scene(self.portrait.image, self._speech, self.poses, face=self.portrait.face, spoken=spoken)

    def close(self) -> None:
        """Give the disk space of sound and features back."""
        self.waveform.close()
        if self._speech is not None:
            self._speech.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def prepare_job(
    video: VideoSettings,
    *,
    reference_image: PathLike,
    audio_file: PathLike,
    picture: Array,
    waveform: Spool,
    detector: FaceDetector,
    timings: Timings,
) -> Job:
    """Return the job of one portrait and one speech; ValueError or FileNotFoundError for what is wrong."""
    duration_s = len(waveform) / AUDIO_RATE
    with timings.part("portrait"):
        portrait = prepare_portrait(
            picture,
            detector,
            width=video.image_width,
            height=video.image_height,
            face=video.face,
            framing=video.framing,
            source=reference_image,
        )
    frames = num_frames(duration_s, video.fps)
    logger.info("%.2f s of speech: %d frames at %g per second", duration_s, frames, video.fps)
    with timings.part("poses"):
        poses = pose_track(
            portrait.face.points, video, num_frames=frames, duration_s=duration_s, detector=detector
        )
    return Job(video, reference_image, audio_file, portrait, poses, waveform, timings)


def read_inputs(reference_image: PathLike, audio_file: PathLike, timings: Timings) -> tuple[Array, Spool]:
    """Return the picture (H W 3) uint8 and the sound at 16 kHz, on disk."""
    with timings.part("inputs"):
        return load_image(reference_image), spool_audio(audio_file, rate=AUDIO_RATE)


def check_output(target: Path, reference_image: PathLike, audio_file: PathLike) -> None:
    """Raise ValueError when the output cannot be written there or would replace an input."""
    if target.suffix.lower() not in (".mp4", ".m4v", ".mov"):
        raise ValueError(f"{target}: only mp4 is written; give an output path that ends in .mp4")
    for source in (reference_image, audio_file):
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise ValueError(f"{target}: this is an input; give another output path")
    make_parent(target.absolute())
