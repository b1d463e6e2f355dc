"""Judging files: videos whose pictures say how far a drawn mouth is open."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from talkvid.evaluation.judge import cases_of, main, read_list
from talkvid.evaluation.mouth_report import mouth_report
from talkvid.evaluation.tracks import Sighting
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from tests.evaluation.drawn import babble, opening_from, sighting

SIDE = 64
SECONDS = 4.0


class PictureYardstick:
    """Reads the opening from the brightness of the picture."""

    name = "brightness"

    def __init__(self) -> None:
        self.looks = 0

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        for frame in frames:
            self.looks += 1
            gap = float(frame.mean()) / 255
            yield frame, sighting(gap, width=1 - gap, jaw=gap, at=(32, 40))

    def count(self, frame: Array) -> int:
        return 1


def write_video(path: Path, openings: Array, sound: Path) -> None:
    with VideoWriter(path, SIDE, SIDE, 25, audio=AudioSource(sound), preset="ultrafast", crf=10) as writer:
        for gap in openings:
            writer.write(np.full((SIDE, SIDE, 3), round(gap * 255), np.uint8))


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of two clips: as they are, and still."""
    folder = tmp_path_factory.mktemp("videos")
    entries = []
    for seed in (1, 2):
        sound, loudness = babble(SECONDS, seed=seed)
        wav = folder / f"{seed}.wav"
        wavfile.write(wav, 16000, (sound.clip(-1, 1) * 32767).astype(np.int16))
        openings = opening_from(loudness)
        write_video(folder / f"true{seed}.mp4", openings, wav)
        write_video(folder / f"still{seed}.mp4", np.full(len(openings), openings[0]), wav)
        Image.fromarray(np.full((SIDE, SIDE, 3), 60, np.uint8)).save(folder / f"{seed}.png")
        common = {"clip": str(seed), "truth": f"true{seed}.mp4", "portrait": f"{seed}.png"}
        entries += [
            {"row": "truth", "made": f"true{seed}.mp4", **common},
            {"row": "still", "made": f"still{seed}.mp4", "sound": f"{seed}.wav", **common},
        ]
    path = folder / "videos.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def test_files_are_judged_and_looked_at_once(listed: Path, tmp_path: Path) -> None:
    videos = read_list(listed)
    yardstick = PictureYardstick()
    report = mouth_report(cases_of(videos, yardstick, cache=tmp_path))
    rows = {row.name: row.mean for row in report.rows}
    assert rows["truth"].opening_r == pytest.approx(1) and rows["still"].opening_r == pytest.approx(
        0, abs=0.2
    )
    assert rows["truth"].lip_distance == pytest.approx(0, abs=1e-3)
    assert rows["still"].lip_distance == pytest.approx(rows["still"].still_distance, rel=0.1)
    assert rows["still"].mel == 0 and rows["truth"].one_face == 1
    assert len(rows["truth"].controls) == 2  # the one other clip of the row, for each
    # Two clips, true and still, 100 pictures each, and four portraits; the truth was kept.
    assert yardstick.looks == 4 * 100 + 4
    mouth_report(cases_of(videos, yardstick, cache=tmp_path))
    assert yardstick.looks == 4 * 100 + 8


def test_without_other_clips_the_control_is_the_sound_turned_round(listed: Path) -> None:
    video = next(video for video in read_list(listed) if video.row == "truth")
    report = mouth_report(cases_of([video], PictureYardstick()))
    assert len(report.rows[0].mean.controls) == 5  # 1.0, 1.5, … 3.0 s of 4 s


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no list of videos"),
        ('[{"row": "a", "clip": "b"}]', "entry 1: must have row, clip and made"),
        ('[{"row": "a", "clip": "b", "made": "x.mp4", "colour": 1}]', "may have truth, portrait, sound"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "videos.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_list(path)


def test_absent_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "videos.json"
    with pytest.raises(FileNotFoundError, match="give a JSON list"):
        read_list(path)
    path.write_text('[{"row": "a", "clip": "b", "made": "x.mp4"}]', encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"entry 1: .*x\.mp4 does not exist"):
        read_list(path)
    monkeypatch.setattr("sys.argv", ["judge", "--list", str(path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
