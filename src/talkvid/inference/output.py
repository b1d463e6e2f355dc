"""What `TalkVidPipeline` returns, and the frames on the way there."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.io import wavfile

from talkvid.inference.report import sidecar_content
from talkvid.inference.settings import PathLike
from talkvid.inference.sidecar import synthetic_metadata, write_sidecar
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array

OUTPUT_TYPES = ("pil", "np", "pt")


@dataclass
class TalkVidPipelineOutput:
    """The video of one call, as diffusers' video pipelines return theirs, and its sound."""

    frames: list[Any]
    """One video: PIL pictures (pil), or from 0 to 1 an array (F H W 3) (np) or a tensor (F 3 H W) (pt)."""
    audio: Array
    """(N,) float32, full scale 1, mono."""
    sampling_rate: int
    """Of `audio`, in Hz."""
    fps: float
    about: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the side-car of a saved video tells."""

    def save(self, path: PathLike) -> Path:
        """Return the path of the mp4 after writing it with its sound, marked as synthetic, and its side-car.

        Raises ValueError for a path that cannot be written and for a video without frames.
        """
        pictures = uint8_frames(self.frames[0])
        if not pictures:
            raise ValueError(f"{path}: there are no frames to write")
        height, width = pictures[0].shape[:2]
        target, config = Path(path), self.about["config"]
        with ExitStack() as stack:
            sound = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".wav"))
            wavfile.write(sound.name, self.sampling_rate, self.audio)
            source, marks = AudioSource(sound.name), synthetic_metadata(config.name)
            writer = stack.enter_context(
                VideoWriter(target, width, height, self.fps, audio=source, metadata=marks)
            )
            for picture in pictures:
                writer.write(picture)
        write_sidecar(target, sidecar_content(**self.about, output=target))
        return target


class FrameCollector:
    """Keeps frames in the form that was asked for.

    pil holds 3 bytes per pixel, np and pt 12: at 512 x 512 px and 25 frames per second 20 and 79 MB per
    second of video.
    """

    def __init__(self, output_type: str, num_frames: int, height: int, width: int) -> None:
        assert output_type in OUTPUT_TYPES, output_type
        self.count = 0
        self._type = output_type
        self._pictures: list[Image.Image] = []
        self._values = np.empty((0 if output_type == "pil" else num_frames, height, width, 3), np.float32)

    def add(self, frame: Array) -> None:
        """Take the next frame (H W 3) uint8."""
        if self._type == "pil":
            self._pictures.append(Image.fromarray(frame))
        else:
            np.divide(frame, np.float32(255), out=self._values[self.count])
        self.count += 1

    def video(self) -> Any:
        """Return what was collected; a tensor shares its memory with the array it was collected in."""
        if self._type == "pil":
            return self._pictures
        values = self._values[: self.count]
        return torch.from_numpy(values).permute(0, 3, 1, 2) if self._type == "pt" else values


def uint8_frames(video: Any) -> list[Array]:
    """Return the frames (H W 3) uint8 of a video in any of the three forms, the levels it was made of."""
    if isinstance(video, torch.Tensor):
        video = video.permute(0, 2, 3, 1).cpu().float().numpy()
    if isinstance(video, np.ndarray):
        return [np.rint(frame * 255).astype(np.uint8) for frame in video]
    return [np.asarray(picture) for picture in video]
