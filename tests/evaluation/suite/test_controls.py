"""Which videos are scored beside the made ones, on tiny real files."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.suite.controls import with_controls
from talkvid.evaluation.suite.pair import SHIFTED, STILL, TRUTH, WRONG, Pair
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from tests.media.conftest import write_wav

SHIFTED_ROW = "truth: shifted sound by 0.6 s"


def sound(path: Path, *, pitch: float = 220.0, seconds: float = 1.0) -> Path:
    times = np.arange(round(seconds * 8000)) / 8000
    return write_wav(path, 0.3 * np.sin(2 * np.pi * pitch * times), 8000)


def video(path: Path, *, heard: Path | None = None, seconds: float = 1.0) -> Path:
    audio = None if heard is None else AudioSource(heard, 0.0)
    with VideoWriter(path, 32, 32, 10, audio=audio, preset="ultrafast") as writer:
        for _ in range(round(seconds * 10)):
            writer.write(np.full((32, 32, 3), 90, np.uint8))
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips a, b, c: true videos with their own sounds, and driving sounds."""
    folder = tmp_path_factory.mktemp("clips")
    for pitch, clip in enumerate("abc", start=2):
        own = sound(folder / f"own_{clip}.wav", pitch=100.0 * pitch)
        video(folder / f"true_{clip}.mp4", heard=own)
        sound(folder / f"{clip}.wav", pitch=150.0 * pitch)
    return folder


@pytest.fixture
def files(written: Path, tmp_path: Path) -> Path:
    """A copy of them, to be changed."""
    return Path(shutil.copytree(written, tmp_path / "clips"))


def pairs_of(
    files: Path, *, systems: Sequence[str] = ("ours", "theirs"), clips: str = "abc", truth: bool = True
) -> list[Pair]:
    return [
        Pair(
            system,
            clip,
            files / f"{system}_{clip}.mp4",
            reference=files / f"true_{clip}.mp4" if truth else None,
            audio=files / f"{clip}.wav",
            groups={"gender": "female"},
        )
        for system in systems
        for clip in clips
    ]


def rows(pairs: Sequence[Pair]) -> dict[str, str]:
    """Return by row the clips in it, in order."""
    found: dict[str, str] = {}
    for pair in pairs:
        found[pair.row] = found.get(pair.row, "") + pair.clip
    return found


def test_the_truth_of_every_clip_is_controlled_once_and_every_system_hears_a_wrong_sound(files: Path) -> None:
    given = pairs_of(files)
    made = with_controls(given)
    assert made[: len(given)] == given
    assert list(rows(made).items()) == [
        ("ours", "abc"),
        ("theirs", "abc"),
        ("truth", "abc"),
        (SHIFTED_ROW, "abc"),
        ("truth: wrong sound", "abc"),
        ("truth: still frame", "abc"),
        ("ours: wrong sound", "abc"),
        ("theirs: wrong sound", "abc"),
    ]
    of_truth = [pair for pair in made if pair.system == TRUTH]
    for pair in of_truth:
        assert pair.made == pair.reference == files / f"true_{pair.clip}.mp4"
        assert pair.groups == {"gender": "female"}
        assert pair.control is not None
        assert pair.control.shift_s == (0.6 if pair.control.name == SHIFTED else 0.0)
        assert pair.control.still == (pair.control.name == STILL)
        if pair.control.name != WRONG:
            assert pair.audio is None, "the true video's own sound is the true one"


def test_the_wrong_sound_is_the_next_clips_and_the_same_in_every_row(files: Path) -> None:
    made = [pair for pair in with_controls(pairs_of(files)) if pair.row.endswith(WRONG)]
    for pair in made:
        following = {"a": "b", "b": "c", "c": "a"}[pair.clip]
        assert pair.audio == files / f"{following}.wav"
    assert len(made) == 9


def test_the_order_of_the_pairs_changes_no_control(files: Path) -> None:
    given = pairs_of(files)
    first = {pair.id: pair for pair in with_controls(given)}
    random.Random(4).shuffle(given)
    assert {pair.id: pair for pair in with_controls(given)} == first


def test_one_sound_under_two_names_is_no_wrong_sound(files: Path) -> None:
    shutil.copy(files / "a.wav", files / "b.wav")
    made = {
        pair.clip: pair.audio for pair in with_controls(pairs_of(files)) if pair.row == "truth: wrong sound"
    }
    assert made == {"a": files / "c.wav", "b": files / "c.wav", "c": files / "a.wav"}


def test_a_single_clip_has_no_wrong_sound_and_that_is_said(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = with_controls(pairs_of(files, clips="b"))
    assert list(rows(made)) == ["ours", "theirs", "truth", SHIFTED_ROW, "truth: still frame"]
    assert "no two clips with different sounds" in caplog.text


def test_without_a_true_video_the_made_ones_are_controlled(files: Path) -> None:
    made = rows(with_controls(pairs_of(files, systems=["ours"], truth=False)))
    assert made == dict.fromkeys(
        ["ours", "ours: shifted sound by 0.6 s", "ours: wrong sound", "ours: still frame"], "abc"
    )


def test_only_the_clips_without_a_true_video_are_controlled_by_made_ones(files: Path) -> None:
    given = pairs_of(files, systems=["ours"], clips="ab") + pairs_of(
        files, systems=["ours"], clips="c", truth=False
    )
    made = rows(with_controls(given))
    assert made["truth"] == made[SHIFTED_ROW] == "ab"
    assert made["ours: still frame"] == "c"
    assert made["ours: wrong sound"] == "abc"


def test_a_silent_true_video_is_heard_with_a_driving_sound_of_its_length(files: Path) -> None:
    video(files / "true_a.mp4")
    video(files / "true_b.mp4", seconds=2)
    made = {pair.id: pair for pair in with_controls(pairs_of(files))}
    assert made["truth/a"].audio == made["truth: still frame/a"].audio == files / "a.wav"
    assert made[f"{SHIFTED_ROW}/a"].audio == files / "a.wav"
    assert made["truth/b"].audio is None, "1 s of sound is not that of 2 s of pictures"
    assert rows(list(made.values()))[SHIFTED_ROW] == rows(list(made.values()))["truth: wrong sound"] == "ac"
    assert made["truth/c"].audio is None


def test_made_videos_without_any_sound_are_shown_still_and_no_more(files: Path) -> None:
    given = [Pair("ours", clip, video(files / f"made_{clip}.mp4")) for clip in "ab"]
    assert rows(with_controls(given)) == {"ours": "ab", "ours: still frame": "ab"}


def test_the_sound_of_the_video_itself_serves_where_none_is_given(files: Path) -> None:
    given = [Pair("ours", clip, files / f"true_{clip}.mp4") for clip in "ab"]
    made = {pair.id: pair for pair in with_controls(given)}
    assert made["ours: wrong sound/a"].audio == files / "true_b.mp4"
    assert made["ours: shifted sound by 0.6 s/a"].audio is None


def test_every_shift_is_a_row(files: Path) -> None:
    made = with_controls(pairs_of(files, clips="ab"), shifts_s=(0.2, 0.6))
    shifts = {
        pair.row: pair.control.shift_s for pair in made if pair.control and pair.control.name == SHIFTED
    }
    assert shifts == {"truth: shifted sound by 0.2 s": 0.2, SHIFTED_ROW: 0.6}


def test_an_unreadable_true_video_is_still_asked_for_so_that_its_failure_is_told(files: Path) -> None:
    (files / "true_a.mp4").write_bytes(b"no video")
    made = rows(with_controls(pairs_of(files)))
    assert made["truth"] == "abc"
    assert made[SHIFTED_ROW] == "bc"


def test_two_true_videos_of_one_clip_are_told(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    given = [
        Pair("ours", "a", files / "ours.mp4", reference=files / "true_a.mp4", audio=files / "a.wav"),
        Pair("theirs", "a", files / "theirs.mp4", reference=files / "true_b.mp4", audio=files / "a.wav"),
    ]
    assert {pair.made for pair in with_controls(given) if pair.row == TRUTH} == {files / "true_a.mp4"}
    assert "a: 2 true videos" in caplog.text


@pytest.mark.parametrize("shift", [0.0, -0.6, float("nan"), float("inf")])
def test_a_shift_that_is_no_delay_is_refused(files: Path, shift: float) -> None:
    with pytest.raises(ValueError, match="give seconds above 0"):
        with_controls(pairs_of(files), shifts_s=[shift])


def test_names_that_would_be_mistaken_for_controls_are_refused(files: Path) -> None:
    with pytest.raises(ValueError, match='cannot be called "truth"'):
        with_controls(pairs_of(files, systems=["truth"]))
    with pytest.raises(ValueError, match="two videos have this name"):
        with_controls(pairs_of(files, systems=["ours", "ours"]))
    with pytest.raises(ValueError, match="ours: wrong sound/a: two videos"):
        with_controls(pairs_of(files, systems=["ours", "ours: wrong sound"]))
    with pytest.raises(ValueError, match="two videos have this name"):
        with_controls(pairs_of(files), shifts_s=[0.6, 0.6])
