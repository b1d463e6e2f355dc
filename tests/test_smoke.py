"""The whole way: one portrait and a second of speech become a video, through the scripts' door."""

import json
import os
import shutil
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "test_samples" / "short_case" / "astronaut"
CONFIG = ROOT / "src" / "talkvid" / "weights" / "talkvid-mini" / "config.json"
SECONDS = 1.0


@dataclass(frozen=True)
class Run:
    """A finished command, what it printed, and the folder it was called in."""

    folder: Path
    output: str
    messages: str

    @property
    def video(self) -> Path:
        return self.folder / self.output.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of the README's first command in a folder of its own, with paths relative to it.

    The script finds the environment that the tests run in and makes none.
    """
    folder = tmp_path_factory.mktemp("caller")
    shutil.copy(SAMPLE / "ref.png", folder / "face.png")
    with wave.open(str(SAMPLE / "aud.wav")) as source, wave.open(str(folder / "second.wav"), "wb") as sink:
        sink.setparams(source.getparams())
        sink.writeframes(source.readframes(round(SECONDS * source.getframerate())))
    flags = ["--reference_image_path", "face.png", "--audio_path", "second.wav", "--device", "cpu"]
    result = subprocess.run(
        ["bash", str(ROOT / "scripts" / "inference.sh"), *flags],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHON": sys.executable},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return Run(folder, result.stdout, result.stderr)


def test_the_last_line_is_the_path_in_the_callers_folder(run: Run) -> None:
    assert run.output.strip().splitlines()[-1] == str(Path("output", "face_second.mp4"))
    assert run.video.is_file()


def test_the_first_lines_say_what_is_used(run: Run) -> None:
    for what in ("model:", "face backend:", "speech encoder:", "device:", "precision"):
        assert what in run.messages + run.output


def test_picture_and_sound_last_as_long_as_the_speech(run: Run) -> None:
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    with av.open(str(run.video)) as container:
        frames = sum(1 for _ in container.decode(video=0))
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (config["width"], config["height"])
        assert float(stream.average_rate or 0) == pytest.approx(config["fps"])
    with av.open(str(run.video)) as container:
        sound = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert frames == max(1, int(SECONDS * config["fps"] + 0.5))
    assert abs(samples / sound.rate - SECONDS) <= 2 * 1024 / sound.rate


def test_the_picture_is_the_portrait_and_it_moves(run: Run) -> None:
    with av.open(str(run.video)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert frames.std() > 20
    assert np.abs(np.diff(frames.astype(np.int16), axis=0)).max() > 10


def test_the_video_says_that_it_is_synthetic(run: Run) -> None:
    with av.open(str(run.video)) as container:
        assert any("synthetic" in str(value).lower() for value in container.metadata.values())
    sidecar = next(run.video.parent.glob("*.json"))
    assert json.loads(sidecar.read_text(encoding="utf-8"))


def test_nothing_else_is_left_behind(run: Run) -> None:
    left = {path.name for path in run.folder.rglob("*") if path.is_file()}
    assert {name for name in left if not name.endswith(".json")} == {
        "face.png",
        "second.wav",
        "face_second.mp4",
    }
