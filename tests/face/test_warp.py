import numpy as np
import pytest
import torch

from talkvid.face.warp import backward_field, warp_batch, warp_image


def spots(centres: np.ndarray, size: int = 128) -> np.ndarray:
    yy, xx = np.mgrid[0:size, 0:size]
    light = sum(np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * 3.0**2)) for x, y in centres)
    return np.repeat((np.clip(light, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def brightest(image: np.ndarray, near: np.ndarray) -> np.ndarray:
    x, y = (int(value) for value in near)
    part = image[y - 8 : y + 9, x - 8 : x + 9, 0].astype(float)
    rows, columns = np.mgrid[-8:9, -8:9]
    return np.array([x + (part * columns).sum() / part.sum(), y + (part * rows).sum() / part.sum()])


SOURCE = np.array([[40.0, 50], [88, 50], [64, 90]])
TARGET = np.array([[44.0, 46], [90, 55], [60, 96]])


def test_what_lies_at_the_source_points_arrives_at_the_target_points() -> None:
    warped = warp_image(spots(SOURCE), SOURCE, TARGET)
    for target in TARGET:
        assert np.abs(brightest(warped, target) - target).max() < 0.7


def test_nothing_moves_when_the_points_stay_or_far_from_them() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    assert np.array_equal(warp_image(image, SOURCE * 0.9, SOURCE * 0.9), image)
    field = backward_field(torch.tensor(SOURCE)[None].float(), torch.tensor(TARGET)[None].float(), 128, 128)
    for edge in (field[0, :, 0], field[0, :, -1], field[0, :, :, 0], field[0, :, :, -1]):
        assert edge.abs().max() < 1.0


def test_a_batch_is_warped_like_its_pictures_one_by_one() -> None:
    image = spots(SOURCE)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    source, target = (torch.from_numpy(points)[None].float() for points in (SOURCE, TARGET))
    batch = warp_batch(tensor.repeat(2, 1, 1, 1), torch.cat([source, source]), torch.cat([target, source]))
    assert np.abs(batch[0].permute(1, 2, 0).numpy() * 255 - warp_image(image, SOURCE, TARGET)).mean() < 0.5
    assert torch.allclose(batch[1], tensor[0], atol=1e-4)


def test_closing_lips_that_meet_in_one_place_stay_finite() -> None:
    source = torch.tensor([[[60.0, 60], [60, 70], [50, 65], [70, 65]]])
    target = torch.tensor([[[60.0, 65], [60, 65], [50, 65], [70, 65]]])
    field = backward_field(source, target, 128, 128)
    assert torch.isfinite(field).all() and field.abs().max() < 12


def test_points_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="must both be"):
        backward_field(torch.zeros(1, 3, 2), torch.zeros(1, 4, 2), 64, 64)
