"""Portraits without a true clip: who says what, against which sound it is judged, and the sheet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from talkvid.evaluation.mouth_report import mouth_report
from talkvid.media.image import load_image
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from talkvid.training import mini_portraits
from talkvid.training.mini_portraits import portrait_cases, save_moments, strangers
from tests.evaluation.drawn import babble
from tests.training.test_mini_report import Brightness, grey

FPS = 25.0


class Parrot:
    """Opens the mouth as loud as the sound is."""

    fps = FPS

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def say(self, portrait: Array, sound: Array, *, name: str) -> Iterator[Array]:
        self.asked.append((name, len(sound)))
        level = np.abs(sound[: len(sound) // 640 * 640]).reshape(-1, 640).mean(axis=1)
        return (grey(0.05 + gap) for gap in level)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    portraits, speech = tmp_path / "portraits", tmp_path / "speech"
    portraits.mkdir()
    speech.mkdir()
    for number in range(2):
        Image.fromarray(grey(0.1 + number / 10)).save(portraits / f"p{number}.png")
    for number in range(3):
        sound, _ = babble(7.0, seed=number)
        wavfile.write(speech / f"s{number}.wav", 16000, (sound.clip(-1, 1) * 32767).astype(np.int16))
    return portraits, speech


def test_every_portrait_says_two_sounds_and_is_shown_with_a_wrong_one(folders: tuple[Path, Path]) -> None:
    people, parrot = strangers(*folders), Parrot()
    found = list(portrait_cases(parrot, "ours", people, Brightness()))
    assert len(found) == 2 * 2 * 3
    assert [name for name, _ in parrot.asked[:3]] == ["p0-s2", "p0-s0", "p0-s1"]
    rows = [case.row for case in found[:6]]
    names = ["ours", "wrong sound", "still"]
    assert rows == [f"portraits, 20 s: {name}" for name in names] + [f"portraits: {name}" for name in names]
    ours, wrong = found[0], found[1]
    assert len(ours.made.tracks) == round(20 * FPS)
    assert len(wrong.made.tracks) == round(mini_portraits.SECONDS * FPS)
    assert len(wrong.sound) == round(mini_portraits.SECONDS * 16000)


def test_the_table_tells_the_own_sound_from_a_wrong_one_and_a_still_mouth(folders: tuple[Path, Path]) -> None:
    cases = portrait_cases(Parrot(), "ours", strangers(*folders), Brightness())
    rows = {row.name: row.mean for row in mouth_report(cases).rows}
    assert rows["portraits: ours"].mel > rows["portraits: wrong sound"].mel + 0.2
    assert rows["portraits: still"].mel == 0
    assert np.isnan(rows["portraits: ours"].opening_r)


def test_too_few_sounds_and_an_empty_folder_are_refused(folders: tuple[Path, Path]) -> None:
    portraits, speech = folders
    (speech / "s0.wav").unlink()
    with pytest.raises(ValueError, match="at least 3 are needed"):
        strangers(portraits, speech)
    with pytest.raises(FileNotFoundError, match="holds no file"):
        strangers(speech, speech)


def test_the_sheet_shows_the_moments_of_every_video_in_order(tmp_path: Path) -> None:
    video = tmp_path / "dark_to_bright.mp4"
    with VideoWriter(video, 64, 64, FPS) as writer:
        for number in range(32):
            writer.write(grey(number / 32))
    save_moments([video, video], tmp_path / "sheet.png")
    sheet = load_image(tmp_path / "sheet.png")
    tile, line = mini_portraits.TILE, mini_portraits.LINE
    assert sheet.shape == (2 * (tile + line), mini_portraits.SHEET_MOMENTS * tile, 3)
    middles = sheet[line + tile // 2, tile // 2 :: tile, 0].astype(int)
    assert (np.diff(middles) > 10).all()
