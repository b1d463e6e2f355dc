"""What the yardstick sees in files: looked at once, kept in memory for a while and on disk for later runs."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from talkvid.evaluation.following import cache_name
from talkvid.evaluation.video_look import VideoLook, Yardstick, kept_look, look_at
from talkvid.media.audio import load_audio
from talkvid.media.image import load_image
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

Kept = TypeVar("Kept")

LOOKS_IN_MEMORY = 6
"""The made video, the true one and the portrait of one pair, and of the one before."""
SOUNDS_IN_MEMORY = 8
SOUND_BYTES = 64 << 20
"""All of these together, of long sounds fewer; a single one may be longer."""


@dataclass(frozen=True)
class Eye:
    """Who looks at the pictures."""

    yardstick: Yardstick
    told: str = ""
    """What its looks depend on beside the yardstick's name: versions and hashes of its networks."""
    note: str = ""
    """What to beware of in its judgement."""

    @property
    def signature(self) -> str:
        """Return what its looks depend on, one line."""
        return f"{self.yardstick.name} {self.told}".strip()


class Looks:
    """Looks at files through one eye and loads their sounds; the last few stay in memory.

    The folder, unless it is None, keeps looks for later runs; a file that was changed is looked at again.
    """

    def __init__(self, eye: Eye, folder: Path | None = None) -> None:
        self.eye = eye
        self._folder = folder
        self._looks: OrderedDict[Hashable, VideoLook] = OrderedDict()
        self._sounds: OrderedDict[Hashable, Array] = OrderedDict()

    def of_video(self, path: Path) -> VideoLook:
        """Return the look at all pictures of a video; FileNotFoundError or ValueError where it is broken."""
        return self._look(path, partial(self._watch, path))

    def of_picture(self, path: Path) -> VideoLook:
        """Return the look at one picture; FileNotFoundError or ValueError where it is none."""
        return self._look(path, lambda: self._at([load_image(path)], 1.0))

    def sound(self, path: Path, *, rate: int = 16000) -> Array:
        """Return the sound (N,) float32 mono of a file; of a video from its first picture on."""
        key = (*_state(path), rate)
        sound = _remembered(self._sounds, key, lambda: load_audio(path, rate=rate), most=SOUNDS_IN_MEMORY)
        while len(self._sounds) > 1 and sum(kept.nbytes for kept in self._sounds.values()) > SOUND_BYTES:
            self._sounds.popitem(last=False)
        return sound

    def _watch(self, path: Path) -> VideoLook:
        return self._at(read_frames(path), probe(path).fps)

    def _at(self, frames: Iterable[Array], fps: float) -> VideoLook:
        return look_at(frames, self.eye.yardstick, fps=fps)

    def _look(self, path: Path, make: Callable[[], VideoLook]) -> VideoLook:
        target = None if self._folder is None else self._folder / cache_name(path, told=self.eye.signature)
        return _remembered(self._looks, _state(path), lambda: kept_look(target, make), most=LOOKS_IN_MEMORY)


def first_picture(look: VideoLook) -> VideoLook:
    """Return the look at a video's first picture alone."""
    return VideoLook(look.tracks.at(np.zeros(1, int)), look.sharpness[:1], look.embeddings[:1], 0.0, 0.0)


def stilled(look: VideoLook) -> VideoLook:
    """Return the look at a video that shows its first picture all the time."""
    return VideoLook(
        tracks=look.tracks.at(np.zeros(len(look.tracks), int)),
        sharpness=np.repeat(look.sharpness[:1], len(look.sharpness), axis=0),
        embeddings=np.repeat(look.embeddings[:1], len(look.embeddings), axis=0),
        flicker=0.0,
        drift=0.0,
    )


def _state(path: Path) -> tuple[str, int, int]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; check the path")
    state = path.stat()
    return str(path.resolve()), state.st_size, state.st_mtime_ns


def _remembered(
    memory: OrderedDict[Hashable, Kept], key: Hashable, make: Callable[[], Kept], *, most: int
) -> Kept:
    """Return what `memory` holds under `key`, or make it; the one not wanted for longest is forgotten."""
    kept = memory[key] if key in memory else make()
    memory[key] = kept
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)
    return kept
