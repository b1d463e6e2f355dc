"""A bench that is drawn: portraits, sounds, true and made videos, table; the same bytes every time."""

import csv
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from talkvid.media.image import save_image
from talkvid.records import Array

SIZE = 64
FPS = 25
RATE = 16000
DIMENSIONS = {
    "age": (("0-19", "19-30", "31-45", "46-60", "60+"), 105),
    "gender": (("female", "male"), 100),
    "ethnicity": (("Asian", "Black", "White"), 100),
    "language": (("English", "Chinese", "Arabic", "Polish", "German", "Other"), 195),
}
"""Values and number of clips of each dimension, as in TalkVid-Bench (which has more languages)."""
NUM_CLIPS = sum(count for _, count in DIMENSIONS.values())


def clip_groups(number: int, *, of: int = NUM_CLIPS) -> dict[str, str]:
    """The one dimension of clip `number` of `of`, and its value; dimensions in the bench's proportions."""
    place = number * NUM_CLIPS // of
    for dimension, (values, count) in DIMENSIONS.items():
        if place < count:
            return {dimension: values[number % len(values)]}
        place -= count
    raise AssertionError(number)


def clip_name(number: int) -> str:
    return f"clip{number:04d}"


def num_frames_of(number: int) -> int:
    """From 0.6 to 1 s."""
    return 15 + number % 11


def picture(number: int, frame: int, *, error: float = 0.0) -> Array:
    """A face of flat colour that moves over a striped ground; `error` makes it paler."""
    y, x = np.mgrid[:SIZE, :SIZE]
    ground = 90 + 40 * np.sin((x + 3 * number) / 6) * np.cos(y / 9)
    shown = np.repeat(ground[..., None], 3, axis=2)
    centre = SIZE / 2 + 6 * np.sin(frame / 4 + number)
    face = (x - centre) ** 2 + (y - 34) ** 2 < 18**2
    mouth = ((x - centre) / 8) ** 2 + ((y - 42) / (2 + 2 * (1 + np.sin(frame)))) ** 2 < 1
    shown[face] = (200, 150 + number % 40, 120)
    shown[mouth] = (120, 30, 40)
    return np.clip(shown + 100 * error, 0, 255).astype(np.uint8)


def sound(number: int) -> Array:
    """(N,) float32 as long as the pictures: a tone of the clip's own pitch whose loudness sways."""
    times = np.arange(num_frames_of(number) * RATE // FPS) / RATE
    loudness = 0.2 * (1 + np.sin(2 * np.pi * 3 * times))
    return (loudness * np.sin(2 * np.pi * (110 + 7 * (number % 50)) * times)).astype(np.float32)


def write_video(path: Path, number: int, *, error: float = 0.0) -> Path:
    """Write the pictures and the sound of a clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "threads": "1"})
        pictures.width, pictures.height, pictures.pix_fmt = SIZE, SIZE, "yuv420p"
        heard = container.add_stream(
            "alac", rate=RATE, layout="mono"
        )  # as long as the pictures to the sample
        heard.format = "s16p"
        for frame in range(num_frames_of(number)):
            shown = picture(number, frame, error=error)
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(pictures.encode(None))
        played = (sound(number)[None] * 32767).astype(np.int16)
        samples = av.AudioFrame.from_ndarray(played, format="s16p", layout="mono")
        samples.sample_rate = RATE
        container.mux(heard.encode(samples))
        container.mux(heard.encode(None))
    return path


def write_sound(path: Path, number: int) -> Path:
    """Write the sound of a clip as WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound(number) * 32767).astype("<i2").tobytes())
    return path


def write_bench(folder: Path, *, clips: int = NUM_CLIPS, true_videos: bool = True) -> Path:
    """Write a bench in TalkVid-Bench's layout with a table of subgroups and return its folder."""
    data = folder / "data"
    for number in range(clips):
        name = clip_name(number)
        (data / "imgs").mkdir(parents=True, exist_ok=True)
        save_image(data / "imgs" / f"{name}.png", picture(number, 0))
        write_sound(data / "audios" / f"{name}.wav", number)
        if true_videos:
            write_video(data / "videos" / f"{name}.mp4", number)
    rows = [{"id": clip_name(number), **clip_groups(number, of=clips)} for number in range(clips)]
    write_table(folder / "metadata.csv", rows, columns=("id", *DIMENSIONS))
    return folder


def write_outputs(folder: Path, numbers: Sequence[int], *, error: float = 0.0) -> Path:
    """Write the videos that a system made of these clips, each a little worse than the one before."""
    for number in numbers:
        write_video(folder / f"{clip_name(number)}.mp4", number, error=error * (1 + number % 7) / 7)
    return folder


def write_table(path: Path, rows: Sequence[Mapping[str, str]], *, columns: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
