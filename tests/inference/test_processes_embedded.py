"""The embedded model by two processes, or from the middle on: the frames are those of one run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid import TalkVidInference
from talkvid.inference.settings import GenerateSettings
from talkvid.inference.timing import Timings

from .conftest import write_sound

SIZES: dict[str, Any] = {"image_width": 128, "image_height": 128}


@pytest.fixture(scope="module")
def inputs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real portrait and 0.8 s of sound: 20 frames, 3 windows of 8."""
    speech = write_sound(tmp_path_factory.mktemp("speech") / "speech.wav", 0.8)
    return root / "test_samples" / "short_case" / "astronaut" / "ref.png", speech


@pytest.fixture(scope="module")
def expected(inputs: tuple[Path, Path]) -> list[np.ndarray]:
    return list(TalkVidInference(device="cpu").generate_stream(*inputs, **SIZES))


def test_two_processes_make_the_frames_of_one(inputs: tuple[Path, Path], expected: list[np.ndarray]) -> None:
    two = TalkVidInference(device="cpu", do_multi_devices_inference=True, num_processes=2)
    with two.generate_stream(*inputs, **SIZES) as stream:
        found = list(stream)
    assert len(found) == len(expected) == 20
    assert any(not np.array_equal(picture, expected[0]) for picture in expected)
    assert all(np.array_equal(left, right) for left, right in zip(found, expected, strict=True))


def test_a_start_in_the_middle_makes_the_frames_of_the_whole(
    inputs: tuple[Path, Path], expected: list[np.ndarray]
) -> None:
    model = TalkVidInference(device="cpu")
    with model._job(GenerateSettings(**SIZES), *inputs, Timings()) as job:
        rest = list(model._finished(job, first_frame=8))
    assert all(np.array_equal(left, right) for left, right in zip(rest, expected[8:], strict=True))
