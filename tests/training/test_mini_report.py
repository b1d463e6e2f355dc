"""The report's cases: what is made of a clip, what it is judged against, and videos made from files."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from talkvid.evaluation.mouth_report import mouth_report
from talkvid.evaluation.tracks import Sighting
from talkvid.media.image import load_image
from talkvid.media.writer import VideoWriter
from talkvid.records import Array, Face
from talkvid.training.mini_clips import ClipSource, encode_picture
from talkvid.training.mini_data import PackedClip
from talkvid.training.mini_report import cases
from talkvid.training.mini_videos import VideoMaker
from tests.evaluation.drawn import babble, opening_from, sighting

SIDE, SECONDS = 64, 4.0


def grey(gap: float) -> Array:
    return np.full((SIDE, SIDE, 3), round(gap * 255), np.uint8)


def packed(seed: int) -> PackedClip:
    """Return a clip whose brightness says how far the mouth is open."""
    sound, loudness = babble(SECONDS, seed=seed)
    openings = opening_from(loudness)
    pictures = [encode_picture(grey(gap)) for gap in openings]
    seen = [sighting(float(gap), at=(32, 40)) for gap in openings]
    count = len(openings)
    return PackedClip(
        source=ClipSource(str(seed), Path("none"), "person", "val", True, 0.0),
        jpeg=np.frombuffer(b"".join(pictures), np.uint8),
        ends=np.cumsum([len(picture) for picture in pictures]),
        audio=sound,
        size=SIDE,
        points=np.stack([one.face.points.clip(1, SIDE - 1) for one in seen]),
        lips=np.stack([one.lips[:, :2] for one in seen]),
        contour=np.zeros((count, 105, 2)),
        pose=np.zeros((count, 3)),
        jaw_open=openings,
        found=np.ones(count, bool),
    )


class Brightness:
    """Reads the opening from the brightness of the picture."""

    name = "brightness"

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        for frame in frames:
            gap = float(frame.mean()) / 255
            yield frame, sighting(gap, width=1 - gap, jaw=gap, at=(32, 40))

    def count(self, frame: Array) -> int:
        return 1


class Parrot:
    """Opens the mouth as loud as the sound is, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Array, Array]] = []

    def frames(self, portrait: Array, face: Face, sound: Array, count: int, *, name: str) -> Iterator[Array]:
        self.asked.append((name, portrait, sound))
        level = np.abs(sound[: count * 640]).reshape(count, 640).mean(axis=1)
        return (grey(0.05 + gap) for gap in level)


def test_every_clip_gives_four_rows_judged_against_its_own_sound_and_pictures() -> None:
    clips, parrot = [packed(1), packed(2)], Parrot()
    made = list(cases(parrot, "ours", clips, Brightness()))
    assert [case.row for case in made] == ["truth", "ours", "wrong sound", "still"] * 2
    assert [name for name, _, _ in parrot.asked] == ["1", "1-wrong_sound", "2", "2-wrong_sound"]
    own, foreign = parrot.asked[0][2], parrot.asked[1][2]
    assert (own == clips[0].audio).all() and (foreign == clips[1].audio).all()
    assert np.abs(parrot.asked[0][1].astype(int) - clips[0].picture(0)).max() == 0
    assert all((case.sound == clips[0].audio).all() for case in made[:4])
    # With two clips there is one foreign sound; the clip's own is no control.
    assert all(len(case.others) == 1 and (case.others[0] == clips[1].audio).all() for case in made[:4])
    with pytest.raises(ValueError, match="at least 2"):
        next(cases(parrot, "ours", clips[:1], Brightness()))
    rows = {row.name: row.mean for row in mouth_report(made).rows}
    assert rows["truth"].opening_r == pytest.approx(1)
    assert rows["ours"].opening_r > 0.6 > rows["wrong sound"].opening_r + 0.3
    assert rows["still"].mel == 0 and rows["still"].lip_distance == pytest.approx(
        rows["still"].still_distance
    )


def test_videos_are_made_from_files_as_everybodys_are(tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    class Model:
        config = SimpleNamespace(fps=25.0)

        def generate(self, portrait: Path, speech: Path, output: Path, **settings: Any) -> SimpleNamespace:
            given.update(picture=load_image(portrait), speech=wavfile.read(speech), settings=settings)
            with VideoWriter(output, SIDE, SIDE, 25, preset="ultrafast") as writer:
                for _ in range(10):
                    writer.write(grey(0.5))
            return SimpleNamespace(path=output)

    sound, _ = babble(SECONDS, seed=1)
    portrait = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    face = sighting(0.1).face
    maker = VideoMaker(Model(), tmp_path / "videos")  # type: ignore[arg-type]
    frames = list(maker.frames(portrait, face, sound, 10, name="one"))
    assert len(frames) == 10 and abs(int(frames[0][0, 0, 0]) - 128) < 4
    assert (given["picture"] == portrait).all() and given["settings"] == {"face": "largest"}
    rate, speech = given["speech"]
    assert rate == 16000 and len(speech) == 6400
    assert speech / 32767 == pytest.approx(sound[:6400].clip(-1, 1), abs=1e-4)
    assert (tmp_path / "videos" / "one.mp4").is_file()
