"""Frames as they are finished: how many is known, who takes them sets the pace, and closing ends the work."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid import TalkVidInference
from talkvid.inference.conditions import PlainConditions
from talkvid.media.spool import Spool
from talkvid.media.writer import VideoWriter

pytestmark = pytest.mark.usefixtures("planted")


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> TalkVidInference:
    return TalkVidInference(tiny_checkpoint, device="cpu")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The frames that were decoded so far."""
    seen: list[int] = []
    pictures = PlainConditions.pictures

    def counted(self: PlainConditions, frames: Any, latents: Any) -> Any:
        seen.extend(frames)
        return pictures(self, frames, latents)

    monkeypatch.setattr(PlainConditions, "pictures", counted)
    return seen


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_the_stream_has_the_frames_of_the_video(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    written: list[np.ndarray] = []
    write = "talkvid.media.writer.VideoWriter.write"

    def keep(writer: VideoWriter, frame: np.ndarray) -> None:
        written.append(frame)
        writer.num_frames = 1

    monkeypatch.setattr(write, keep)
    speech = sound(0.8)
    with pytest.raises(RuntimeError):  # no picture reached the encoder
        model.generate(portrait, speech, tmp_path / "out.mp4", keep_frame=True)
    stream = model.generate_stream(portrait, speech, keep_frame=True)
    assert (len(stream), stream.num_frames, stream.fps) == (20, 20, 25.0)
    assert (stream.width, stream.height) == (160, 120)
    frames = list(stream)
    assert len(frames) == 20 and frames[0].dtype == np.uint8
    assert all(np.array_equal(left, right) for left, right in zip(frames, written, strict=True))
    assert next(stream, None) is None


def test_no_frame_is_made_before_it_is_asked_for(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], decoded: list[int]
) -> None:
    with model.generate_stream(portrait, sound(2.0)) as stream:
        assert stream.num_frames == 50 and not decoded
        next(stream)
        assert 1 <= len(decoded) <= 16
        for _ in range(9):
            next(stream)
        assert len(decoded) <= 26
    assert len(decoded) <= 26


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux shows them")
@pytest.mark.parametrize("taken", [0, 1, 7])
def test_closing_ends_the_work_and_frees_its_files(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], decoded: list[int], taken: int
) -> None:
    speech = sound(1.0)
    list(model.generate_stream(portrait, sound(0.1)))
    decoded.clear()
    before = open_files()
    stream = model.generate_stream(portrait, speech)
    assert open_files() > before
    for _ in range(taken):
        next(stream)
    made = len(decoded)
    stream.close()
    assert open_files() == before and len(decoded) == made
    assert next(stream, None) is None


def test_a_mistake_is_told_before_the_first_frame(
    model: TalkVidInference, portrait: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.wav"):
        model.generate_stream(portrait, tmp_path / "none.wav")
    with pytest.raises(TypeError, match="seed"):
        model.generate_stream(portrait, tmp_path / "none.wav", sed=1)


def test_an_error_in_the_making_frees_everything(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(PlainConditions, "pictures", failing)
    closed: list[Spool] = []
    close = Spool.close

    def noted(spool: Spool) -> None:
        closed.append(spool)
        close(spool)

    monkeypatch.setattr(Spool, "close", noted)
    stream = model.generate_stream(portrait, sound(0.4))
    with pytest.raises(RuntimeError, match="out of memory"):
        next(stream)
    assert len({id(spool) for spool in closed}) == 2
