import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from talkvid.curation import thumbnails
from talkvid.curation.thumbnails import Request, make_thumbnails, shrink
from talkvid.media.writer import VideoWriter


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two seconds, the first red and the second blue."""
    path = tmp_path_factory.mktemp("pictures") / "two.mp4"
    with VideoWriter(path, 320, 180, 25, preset="ultrafast", gop=10) as writer:
        for number in range(50):
            colour = (200, 30, 30) if number < 25 else (30, 30, 200)
            writer.write(np.full((180, 320, 3), colour, np.uint8))
    return path


def colour(jpeg: bytes) -> tuple[int, ...]:
    return tuple(int(level) for level in np.asarray(Image.open(io.BytesIO(jpeg))).mean(axis=(0, 1)).round())


def test_a_thumbnail_shows_its_own_span_small_and_in_shape(video: Path) -> None:
    wanted = [Request("red", str(video), 0.0, 1.0), Request("blue", str(video), 1.0, 2.0)]
    found = make_thumbnails(wanted, executor="inline")
    assert (found["red"].width, found["red"].height) == (208, 117)
    assert np.allclose(colour(found["red"].jpeg), (200, 30, 30), atol=12)
    assert np.allclose(colour(found["blue"].jpeg), (30, 30, 200), atol=12)
    assert found["red"].data_url.startswith("data:image/jpeg;base64,/9j/")


def test_pictures_come_from_processes_too_and_a_missing_file_costs_only_its_own(video: Path) -> None:
    wanted = [Request("gone", "/nowhere/x.mp4", 0, 1), Request("here", str(video), 0, 1)]
    assert set(make_thumbnails(wanted, workers=1, deadline_s=60)) == {"here"}


def test_when_the_time_is_over_the_first_ones_are_there(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(request: Request) -> dict[str, Any]:
        time.sleep(0.05)
        return {"jpeg": "", "width": 1, "height": 1}

    monkeypatch.setattr(thumbnails, "draw", slow)
    wanted = [Request(str(number), str(video), 0, 1) for number in range(1000)]
    found = make_thumbnails(wanted, executor="inline", budget_s=0.3)
    assert 0 < len(found) < 60
    assert list(found) == [str(number) for number in range(len(found))]


def test_no_request_starts_no_process() -> None:
    assert make_thumbnails([]) == {}


@pytest.mark.parametrize(
    ("height", "width", "size"), [(90, 160, (160, 90)), (400, 100, (52, 208)), (1, 900, (208, 1))]
)
def test_pictures_are_only_ever_made_smaller(height: int, width: int, size: tuple[int, int]) -> None:
    assert shrink(np.zeros((height, width, 3), np.uint8), 208).size == size
