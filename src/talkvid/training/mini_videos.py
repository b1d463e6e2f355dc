"""Videos of held-out clips made through everybody's door: portrait and sound files in, mp4 out."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from scipy.io import wavfile

from talkvid.files import atomic_path
from talkvid.inference.api import TalkVidInference
from talkvid.media.video import read_frames
from talkvid.records import Array, Face
from talkvid.training.mini_clips import AUDIO_RATE_HZ


class VideoMaker:
    """Makes a finished mp4 of each portrait and sound in a folder, where it can be watched afterwards."""

    def __init__(self, model: TalkVidInference, folder: Path) -> None:
        self._model, self._folder = model, folder

    @property
    def fps(self) -> float:
        """Return the frame rate of the videos."""
        return float(self._model.config.fps)

    def frames(self, portrait: Array, face: Face, sound: Array, count: int, *, name: str) -> Iterator[Array]:
        """Yield the frames (H W 3) uint8 of `name`.mp4: `portrait` saying `count` frames of `sound` (16 kHz).

        The model finds the face itself, so `face` is not looked at; frame rate and size are the model's.
        """
        yield from self.say(portrait, sound[: round(count / self.fps * AUDIO_RATE_HZ)], name=name)

    def say(self, portrait: Array, sound: Array, *, name: str) -> Iterator[Array]:
        """Yield the frames (H W 3) uint8 of `name`.mp4: `portrait` saying `sound` (N,) at 16 kHz."""
        picture, speech = self._folder / f"{name}.png", self._folder / f"{name}.wav"
        with atomic_path(picture) as temporary:
            Image.fromarray(portrait).save(temporary)
        with atomic_path(speech) as temporary:
            wavfile.write(temporary, AUDIO_RATE_HZ, (sound.clip(-1, 1) * 32767).astype("int16"))
        made = self._model.generate(picture, speech, self._folder / f"{name}.mp4", face="largest")
        yield from read_frames(made.path)
