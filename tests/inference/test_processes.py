"""Several processes make the frames that one makes; one that dies ends all, in one line."""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from talkvid import TalkVidInference
from talkvid.inference.processes import _complaint
from talkvid.inference.settings import GenerateSettings, LoadOptions
from talkvid.inference.timing import Timings

from .conftest import write_sound

pytestmark = pytest.mark.usefixtures("planted")
FRAMES = 33


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("speech") / "speech.wav", FRAMES / 25)


def many(checkpoint: Path | None, count: int) -> TalkVidInference:
    return TalkVidInference(checkpoint, device="cpu", do_multi_devices_inference=True, num_processes=count)


def children() -> int:
    """Return how many processes are at work, after a moment for those that were ended."""
    for _ in range(50):
        if not multiprocessing.active_children():
            return 0
        time.sleep(0.1)
    return len(multiprocessing.active_children())


def test_any_number_of_processes_makes_the_same_frames_bit_for_bit(
    tiny_checkpoint: Path, portrait: Path, speech: Path
) -> None:
    expected = list(TalkVidInference(tiny_checkpoint, device="cpu").generate_stream(portrait, speech))
    assert len(expected) == FRAMES
    for count in (1, 2, 4):
        with many(tiny_checkpoint, count).generate_stream(portrait, speech) as stream:
            found = list(stream)
        assert all(np.array_equal(left, right) for left, right in zip(found, expected, strict=True))
        assert children() == 0


def test_more_processes_than_windows_are_not_started(
    tiny_checkpoint: Path, portrait: Path, sound: Callable[[float], Path]
) -> None:
    with many(tiny_checkpoint, 7).generate_stream(portrait, sound(0.4)) as stream:  # 10 frames, 2 windows
        next(stream)
        assert len(multiprocessing.active_children()) == 2
    assert children() == 0


def test_a_video_made_by_two_may_be_taken_up_by_two(
    tiny_checkpoint: Path, portrait: Path, speech: Path
) -> None:
    alone, two = TalkVidInference(tiny_checkpoint, device="cpu"), many(tiny_checkpoint, 2)
    expected = list(alone.generate_stream(portrait, speech, guidance_scale=1.0))
    settings = GenerateSettings(guidance_scale=1.0)
    with two._job(settings, portrait, speech, Timings()) as job:
        found = list(two._finished(job, first_frame=17))
    assert all(np.array_equal(left, right) for left, right in zip(found, expected[17:], strict=True))


def test_a_process_that_dies_ends_all_with_one_line(
    tiny_checkpoint: Path, portrait: Path, speech: Path
) -> None:
    stream = many(tiny_checkpoint, 2).generate_stream(portrait, speech)
    next(stream)
    youngest = max(multiprocessing.active_children(), key=lambda child: child.name)
    assert youngest.pid is not None
    os.kill(youngest.pid, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match=r"process \d of 2 \(cpu\) was killed by SIGKILL") as told:
        list(stream)
    assert "\n" not in str(told.value) and children() == 0


def test_a_mistake_found_in_a_process_is_told_as_alone(
    tiny_checkpoint: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "model")
    model = many(tmp_path / "model", 2)
    (tmp_path / "model" / "vae.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="vae"):
        list(model.generate_stream(portrait, speech))
    assert children() == 0


def test_what_went_wrong_first_is_told_and_not_what_followed() -> None:
    class Ended:
        def __init__(self, name: str, exitcode: int | None, *words: object) -> None:
            self.name, self.process = name, self
            self.exitcode = exitcode
            self.pipe, theirs = multiprocessing.Pipe()
            for word in words:
                theirs.send(word)
            theirs.close()

        def join(self, timeout: float) -> None:
            assert timeout < 10

        def epitaph(self) -> str:
            return "was killed by SIGSEGV"

    lost = RuntimeError("Connection closed by peer")
    cause = ValueError("no room for temporary data")
    crew = [Ended("process 1", 1, lost), Ended("process 2", 1, (3, "picture"), cause), Ended("process 3", 0)]
    assert str(_complaint(crew)) == str(cause)  # type: ignore[arg-type]
    assert isinstance(_complaint(crew[:1]), ChildProcessError)  # type: ignore[arg-type]
    killed = [Ended("process 1", 1, lost), Ended("process 2", -11)]
    assert str(_complaint(killed)).startswith("process 2 was killed by SIGSEGV")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"do_multi_devices_inference": True, "device": "cpu"}, "give --num_processes"),
        ({"num_processes": 2}, "only with --do_multi_devices_inference"),
        ({"do_multi_devices_inference": True, "device": "cpu", "num_processes": 0}, "from 1 to 64"),
        ({"gpu_id": "0,1"}, "several GPUs need --do_multi_devices_inference"),
        ({"gpu_id": "0,0", "do_multi_devices_inference": True}, "different ones"),
        ({"gpu_id": "0;1", "do_multi_devices_inference": True}, "such as 0,1"),
    ],
)
def test_options_that_contradict_are_told_at_the_door(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LoadOptions(**options)  # type: ignore[arg-type]


def test_a_machine_without_gpus_says_so(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(ValueError, match="there is only the device cpu"):
        TalkVidInference(tiny_checkpoint, do_multi_devices_inference=True)
    with pytest.raises(ValueError, match="--gpu_id 1"):
        TalkVidInference(tiny_checkpoint, gpu_id="1")


def test_gpus_are_chosen_by_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from talkvid.inference.many_devices import choose_devices

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)

    def chosen(**options: object) -> list[str]:
        return choose_devices(LoadOptions(**options))  # type: ignore[arg-type]

    assert chosen(do_multi_devices_inference=True) == ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]
    assert chosen(do_multi_devices_inference=True, gpu_id="2,0") == ["cuda:2", "cuda:0"]
    assert chosen(do_multi_devices_inference=True, num_processes=3) == ["cuda:0", "cuda:1", "cuda:2"]
    assert chosen(gpu_id=3) == chosen(gpu_id="3") == ["cuda:3"]
    assert chosen() == ["cuda:0"]
    with pytest.raises(ValueError, match="4 GPU"):
        chosen(do_multi_devices_inference=True, gpu_id="3,4")
    with pytest.raises(ValueError, match="one per GPU at most"):
        chosen(do_multi_devices_inference=True, num_processes=5)
