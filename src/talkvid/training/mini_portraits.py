"""Pictures and speech without a true clip: the embedded model on strangers' portraits, measured and shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talkvid import log
from talkvid.dataset.sources import AUDIO_SUFFIXES
from talkvid.evaluation.identity import FaceEmbedder
from talkvid.evaluation.mouth_report import Case
from talkvid.evaluation.video_look import VideoLook, Yardstick, look_at
from talkvid.files import atomic_path
from talkvid.media.audio import load_audio
from talkvid.media.image import load_image, resize
from talkvid.media.video import probe, read_frames
from talkvid.records import Array
from talkvid.training.mini_clips import AUDIO_RATE_HZ

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SPEECHES_EACH = 2
"""How many of the sounds every portrait says."""
SECONDS = 6.0
"""Length of every video."""
LONG_SECONDS = 20.0
NUM_LONG = 3
"""How many of the portraits speak for so long, to see whether the picture drifts."""
SHEET_MOMENTS = 8
TILE = 176
LINE = 18


class Speaker(Protocol):
    """Makes the pictures that are judged, as `VideoMaker` does."""

    @property
    def fps(self) -> float:
        """Return the frame rate of what is made."""
        ...

    def say(self, portrait: Array, sound: Array, *, name: str) -> Iterator[Array]:
        """Yield the frames (H W 3) uint8 of the portrait saying `sound` (N,) at 16 kHz."""
        ...


@dataclass(frozen=True)
class Stranger:
    """One portrait with the sounds it says."""

    name: str
    picture: Array
    """(H W 3) uint8."""
    sounds: dict[str, Array]
    """Every sound (N,) float32 at 16 kHz by its name, the ones it says first."""


def strangers(portraits: Path, speech: Path) -> list[Stranger]:
    """Return every picture of a folder; each says the next two sounds of the other folder.

    FileNotFoundError when a folder holds nothing; ValueError with fewer than three sounds, of which one has
    to be wrong.
    """
    pictures, files = _files(portraits, PICTURE_SUFFIXES), _files(speech, AUDIO_SUFFIXES)
    if len(files) <= SPEECHES_EACH:
        raise ValueError(f"{speech}: {len(files)} sounds; at least {SPEECHES_EACH + 1} are needed")
    sounds = {file.stem: load_audio(file, rate=AUDIO_RATE_HZ) for file in files}
    names = list(sounds)
    return [
        Stranger(
            name=picture.stem,
            picture=load_image(picture),
            sounds={name: sounds[name] for name in _turned(names, number * SPEECHES_EACH)},
        )
        for number, picture in enumerate(pictures)
    ]


def portrait_cases(
    maker: Speaker,
    model_name: str,
    people: Sequence[Stranger],
    yardstick: Yardstick,
    *,
    embedder: FaceEmbedder | None = None,
) -> Iterator[Case]:
    """Yield three cases of each portrait and sound: the model, it hearing another sound, a still picture.

    All are judged against the sound of the case; there is no true clip.
    """

    def say(person: Stranger, name: str, seconds: float) -> VideoLook:
        frames = maker.say(person.picture, _start(person.sounds[name], seconds), name=f"{person.name}-{name}")
        return look_at(frames, yardstick, fps=maker.fps, embedder=embedder)

    for number, person in enumerate(log.progress(people, total=len(people), description="portraits")):
        portrait = look_at([person.picture], yardstick, fps=1, embedder=embedder)
        names = list(person.sounds)
        wrong = say(person, names[SPEECHES_EACH], SECONDS)
        for place, name in enumerate(names[:SPEECHES_EACH]):
            long = number < NUM_LONG and place == 0
            made = say(person, name, LONG_SECONDS if long else SECONDS)
            rows = {
                model_name: made,
                "wrong sound": wrong,
                "still": _held(portrait, len(made.tracks), maker.fps),
            }
            others = [_start(sound, SECONDS) for key, sound in person.sounds.items() if key != name]
            kind = f"portraits, {LONG_SECONDS:g} s" if long else "portraits"
            for row, video in rows.items():
                sound = _start(person.sounds[name], len(video.tracks) / maker.fps)
                clip = f"{person.name}, {name}"
                yield Case(f"{kind}: {row}", clip, video, sound, portrait=portrait, others=others)


def _held(portrait: VideoLook, count: int, fps: float) -> VideoLook:
    """Return the look at one picture shown `count` times."""
    return replace(portrait, tracks=portrait.tracks.at(np.zeros(count, int), fps=fps))


def _start(sound: Array, seconds: float) -> Array:
    """Return the first `seconds` of a sound, said again where it is shorter."""
    return np.resize(sound, round(seconds * AUDIO_RATE_HZ))


def draw_moments(videos: Sequence[Path]) -> Array:
    """Return one sheet (height width 3) uint8: eight moments of every video, evenly spread, one row each."""
    canvas = Image.new("RGB", (SHEET_MOMENTS * TILE, len(videos) * (TILE + LINE)), (250, 250, 250))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=12)
    for row, video in enumerate(videos):
        top = row * (TILE + LINE)
        draw.text((4, top + 2), video.stem, font=font, fill=(40, 40, 40))
        for column, frame in enumerate(_moments(video)):
            tile = resize(frame, max(1, round(TILE * frame.shape[1] / frame.shape[0])), TILE)
            canvas.paste(Image.fromarray(tile[:, :TILE]), (column * TILE, top + LINE))
    return np.array(canvas)


def save_moments(videos: Sequence[Path], target: Path) -> None:
    """Write the sheet of `videos` to `target` (png)."""
    with atomic_path(target) as temporary:
        Image.fromarray(draw_moments(videos)).save(temporary)


def _moments(video: Path) -> Iterator[Array]:
    duration_s = probe(video).duration_s or 1.0
    for number in range(SHEET_MOMENTS):
        start_s = duration_s * (number + 0.5) / SHEET_MOMENTS
        yield next(read_frames(video, start_s=start_s))


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in suffixes)
    if not found:
        raise FileNotFoundError(f"{folder}: holds no file that ends in {', '.join(suffixes)}")
    return found


def _turned(names: list[str], start: int) -> list[str]:
    start %= len(names)
    return [*names[start:], *names[:start]]
