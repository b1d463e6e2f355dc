"""Random changes act alike on pictures and points."""

import numpy as np
import pytest

from talkvid.dataset.augment import (
    MIRRORED_LIPS,
    Augmentation,
    change_frame,
    change_points,
    draw_augmentation,
)
from talkvid.face.keypoints import draw_vkps
from talkvid.records import Array


def dot_picture(points: Array, size: int) -> Array:
    """A black picture with one bright pixel per point."""
    picture = np.zeros((size, size, 3), np.uint8)
    for x, y in points.astype(int):
        picture[y, x] = 255
    return picture


def brightest(picture: Array) -> tuple[int, int]:
    y, x = np.unravel_index(picture[..., 0].astype(int).argmax(), picture.shape[:2])
    return int(x), int(y)


def whole(size: int, **changes: float) -> Augmentation:
    values = {"left": 0.0, "top": 0.0, "source_width": size, "source_height": size, **changes}
    return Augmentation(width=size, height=size, **values)  # type: ignore[arg-type]


def test_without_settings_nothing_changes() -> None:
    change = draw_augmentation((32, 32), (32, 32), rng=np.random.default_rng(0))
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    points = np.array([[3.0, 4.0]])
    assert np.array_equal(change_frame(picture, change), picture)
    assert np.array_equal(change_points(points, change), points)


def test_a_mirrored_face_keeps_its_point_names_and_colours() -> None:
    # The two eyes at different heights: a mere swap of colours would show.
    five = np.array([[10.0, 12], [40, 16], [24, 30], [14, 44], [36, 46]])
    change = whole(64, flip=True)
    mirrored = change_points(five, change)
    assert mirrored[0].tolist() == [63 - 40, 16] and mirrored[1].tolist() == [63 - 10, 12]
    assert mirrored[3].tolist() == [63 - 36, 46] and mirrored[4].tolist() == [63 - 14, 44]
    drawn = draw_vkps(mirrored, 64, 64)
    assert drawn[16, 63 - 40].tolist() == [255, 0, 0]  # the eye on the image's left stays red
    assert drawn[12, 63 - 10].tolist() == [0, 255, 0]


def test_mirrored_lips_run_in_the_same_order_from_the_image_left_corner() -> None:
    angles = np.pi - np.arange(20) / 20 * 2 * np.pi
    ring = np.stack([np.cos(angles), -np.sin(angles)], axis=1) * 9 + 31.5
    lips = np.concatenate([ring, ring * 0.5])
    mirrored = change_points(lips, whole(64, flip=True))
    assert np.allclose(
        mirrored[:20], ring, atol=1e-4
    )  # a symmetric mouth mirrors onto itself, point by point
    assert sorted(MIRRORED_LIPS) == list(range(40))


@pytest.mark.parametrize("flip", [False, True])
def test_a_crop_moves_points_with_the_picture(flip: bool) -> None:
    point = np.array([[40.0, 21.0]])
    change = Augmentation(left=16, top=8, source_width=32, source_height=32, width=64, height=64, flip=flip)
    x, y = brightest(change_frame(dot_picture(point, 64), change))
    moved = change_points(point, change)[0]
    assert abs(moved - (x, y)).max() <= 1


def test_the_crop_keeps_the_shape_of_the_output_and_stays_inside() -> None:
    for seed in range(50):
        change = draw_augmentation((80, 64), (32, 48), rng=np.random.default_rng(seed), min_crop=0.5)
        assert change.source_width / change.source_height == pytest.approx(32 / 48)
        assert 0 <= change.left <= 80 - change.source_width + 1e-9
        assert 0 <= change.top <= 64 - change.source_height + 1e-9


def test_one_setting_never_changes_what_another_one_draws() -> None:
    plain = draw_augmentation((64, 64), (64, 64), rng=np.random.default_rng(5), flip_probability=0.5)
    richer = draw_augmentation(
        (64, 64), (64, 64), rng=np.random.default_rng(5), flip_probability=0.5, min_crop=0.7, colour=0.2
    )
    assert plain.flip == richer.flip


def test_colour_changes_leave_grey_grey_and_stay_in_range() -> None:
    grey = np.full((4, 4, 3), 200, np.uint8)
    changed = change_frame(grey, whole(4, brightness=1.2, contrast=1.5, saturation=0.3))
    assert changed.max() == 255 and np.ptp(changed) == 0
