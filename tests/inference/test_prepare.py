import numpy as np
import pytest

from talkvid.inference.prepare import prepare_portrait
from talkvid.records import Array

from .conftest import PlantedDetector


def chequered(width: int, height: int) -> Array:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(256, 256), (256, 128), (128, 320)])
@pytest.mark.parametrize("framing", ["head", "upper_body", "full"])
@pytest.mark.parametrize("size", [(800, 600), (300, 900), (120, 120)])
def test_the_face_is_cropped_unstretched_at_any_size(
    width: int, height: int, framing: str, size: tuple[int, int]
) -> None:
    portrait = prepare_portrait(
        chequered(*size), PlantedDetector(70.0), width=width, height=height, framing=framing
    )
    assert portrait.image.shape == (height, width, 3)
    x0, y0, x1, y1 = portrait.box
    assert (x1 - x0) / (y1 - y0) == pytest.approx(width / height, rel=0.03)
    scale = width / (x1 - x0)
    eyes = portrait.face.points[1] - portrait.face.points[0]
    assert eyes[0] == pytest.approx(0.4 * 70 * scale, rel=0.03)
    assert 0 < portrait.face.points[2, 0] < width and 0 < portrait.face.points[2, 1] < height


def test_the_points_lie_where_the_crop_shows_them() -> None:
    picture = np.zeros((600, 800, 3), np.uint8)
    picture[300 + 4 - 3 : 300 + 4 + 4, 400 - 3 : 400 + 4] = 255
    portrait = prepare_portrait(picture, PlantedDetector(80.0), width=256, height=256)
    rows, columns = np.nonzero(portrait.image[..., 0] > 128)
    nose = portrait.face.points[2]
    assert abs(columns.mean() + 0.5 - nose[0]) < 1.5 and abs(rows.mean() + 0.5 - nose[1]) < 1.5


def test_a_portrait_large_enough_is_not_filled_beyond_its_border() -> None:
    portrait = prepare_portrait(chequered(800, 600), PlantedDetector(200.0), width=256, height=256)
    x0, y0, x1, y1 = portrait.box
    assert 0 <= x0 < x1 <= 800 and 0 <= y0 < y1 <= 600


def test_a_tiny_face_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "talkvid"):
        prepare_portrait(chequered(200, 200), PlantedDetector(30.0), width=64, height=64)
    assert "30 pixels wide" in caplog.text
