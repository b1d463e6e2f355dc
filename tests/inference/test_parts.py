"""A long generation that is killed goes on where it was, to the same frames."""

import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from talkvid import TalkVidInference
from talkvid.inference import parts
from talkvid.inference.parts import PartsWriter, differing
from talkvid.media.audio import AudioSource

from .conftest import write_sound

pytestmark = pytest.mark.usefixtures("planted", "short_stretches")
FPS = 25
FRAMES = 29
KILLED_AT = 19
STRETCH = 8
KILLED_RUN = f"""
import os, signal, sys
import talkvid.inference.api as api
from talkvid.inference import parts
from tests.inference.conftest import PlantedDetector

parts.STRETCH_FRAMES = {STRETCH}
api.build_detector = lambda *_, **__: PlantedDetector(60.0)
write = parts.PartsWriter.write

def dying(self, frame):
    write(self, frame)
    if self._next == {KILLED_AT}:
        os.kill(os.getpid(), signal.SIGKILL)

parts.PartsWriter.write = dying
model, portrait, speech, target = sys.argv[1:]
api.TalkVidInference(model, device="cpu").generate(portrait, speech, target, resume=True, seed=7)
"""


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "STRETCH_FRAMES", STRETCH)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("speech") / "speech.wav", FRAMES / FPS)


@pytest.fixture(scope="module")
def killed(
    tiny_checkpoint: Path, portrait: Path, speech: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run that was killed in its third stretch."""
    folder = tmp_path_factory.mktemp("killed")
    root = Path(__file__).parents[2]
    inputs = [str(path) for path in (tiny_checkpoint, portrait, speech, folder / "out.mp4")]
    told = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, *inputs], cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == -signal.SIGKILL, told.stderr
    return folder


@pytest.fixture
def left(killed: Path, tmp_path: Path) -> Path:
    """A copy of what the killed run left; the path of its video."""
    shutil.copytree(killed, tmp_path / "left")
    return tmp_path / "left" / "out.mp4"


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> TalkVidInference:
    return TalkVidInference(tiny_checkpoint, device="cpu")


def frames(path: os.PathLike[str]) -> tuple[np.ndarray, list[Fraction]]:
    """Return the pictures (F H W 3) and their times."""
    with av.open(os.fspath(path)) as container:
        decoded = list(container.decode(video=0))
    times = [frame.pts * frame.time_base for frame in decoded if frame.pts is not None and frame.time_base]
    return np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]), times


def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(
    model: TalkVidInference, portrait: Path, speech: Path, tmp_path: Path, left: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    assert sorted(path.name for path in parts.parts_folder(left).glob("0*.mp4")) == [
        "000000.mp4",
        "000001.mp4",
    ]
    assert not left.exists()
    unbroken = model.generate(portrait, speech, tmp_path / "whole.mp4", resume=True, seed=7)
    with caplog.at_level("INFO", "talkvid"):
        resumed = model.generate(portrait, speech, left, resume=True, seed=7)
    assert f"16 of {FRAMES} frames were made before" in caplog.text
    (expected, times), (found, found_times) = frames(unbroken), frames(resumed)
    assert len(expected) == FRAMES and np.array_equal(expected, found)
    assert times == found_times == [Fraction(number, FPS) for number in range(FRAMES)]
    assert unbroken.path.read_bytes() == resumed.path.read_bytes()
    assert sorted(path.name for path in left.parent.iterdir()) == ["out.mp4", "out.mp4.json"]


def test_another_setting_starts_anew_and_says_which(
    model: TalkVidInference, portrait: Path, speech: Path, tmp_path: Path, left: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    made = model.generate(portrait, speech, left, resume=True, seed=8, label=True)
    assert "made anew" in caplog.text and "settings.label, settings.seed" in caplog.text
    expected = model.generate(portrait, speech, tmp_path / "whole.mp4", resume=True, seed=8, label=True)
    assert np.array_equal(frames(made)[0], frames(expected)[0])


def test_another_sound_of_the_same_name_starts_anew(
    model: TalkVidInference, portrait: Path, speech: Path, tmp_path: Path, left: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    other = write_sound(tmp_path / speech.name, FRAMES / FPS, rate=8000)
    made = model.generate(portrait, other, left, resume=True, seed=7)
    assert "inputs.audio" in caplog.text and made.num_frames == FRAMES


def test_a_spoiled_stretch_is_made_again(
    model: TalkVidInference, portrait: Path, speech: Path, tmp_path: Path, left: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with (parts.parts_folder(left) / "000001.mp4").open("ab") as file:
        file.write(b"x")
    resumed = model.generate(portrait, speech, left, resume=True, seed=7)
    assert "000001.mp4: this stretch is missing or spoiled" in caplog.text
    unbroken = model.generate(portrait, speech, tmp_path / "whole.mp4", resume=True, seed=7)
    assert unbroken.path.read_bytes() == resumed.path.read_bytes()


def test_without_resume_nothing_is_kept_and_older_stretches_are_left_alone(
    model: TalkVidInference, portrait: Path, speech: Path, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = sorted(path.name for path in parts.parts_folder(left).iterdir())
    with caplog.at_level("INFO", "talkvid"):
        model.generate(portrait, speech, left, seed=7)
    assert "--resume would go on there" in caplog.text
    assert sorted(path.name for path in parts.parts_folder(left).iterdir()) == before


def test_two_runs_of_one_video_do_not_mix(tmp_path: Path, speech: Path) -> None:
    def writer() -> PartsWriter:
        return PartsWriter(
            tmp_path / "out.mp4",
            (16, 16),
            25,
            num_frames=4,
            made_from={},
            audio=AudioSource(speech),
            metadata={},
        )

    with pytest.raises(RuntimeError, match="stop"), writer():
        with pytest.raises(ValueError, match="another run is writing"), writer():
            pass
        raise RuntimeError("stop")


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), 23.976, 12.5])
def test_joined_pictures_keep_their_times(tmp_path: Path, fps: float) -> None:
    count = 3 * STRETCH + 1
    sound = write_sound(tmp_path / "s.wav", 0.3)
    with PartsWriter(
        tmp_path / "out.mp4",
        (64, 48),
        fps,
        num_frames=count,
        made_from={},
        audio=AudioSource(sound),
        metadata={},
    ) as writer:
        for number in range(count):
            writer.write(np.full((48, 64, 3), 8 * number, np.uint8))
    pictures, times = frames(tmp_path / "out.mp4")
    assert np.abs(pictures.mean(axis=(1, 2, 3)) - 8 * np.arange(count)).max() < 3
    exact = Fraction(fps).limit_denominator(1001)
    assert max(abs(time - number / exact) for number, time in enumerate(times)) < Fraction(1, 10_000)


def test_differences_are_named_with_their_place() -> None:
    before = {"settings": {"seed": 1, "fps": 25}, "inputs": {"audio": "a"}, "dtype": "fp32"}
    now = {"settings": {"seed": 2, "fps": 25}, "inputs": {"audio": "a", "kps": "b"}, "dtype": "fp32"}
    assert differing(before, now) == ["inputs.kps", "settings.seed"]
    assert differing(before, before) == []
