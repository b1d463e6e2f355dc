import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator
from torch.nn import functional

from talkvid.face.warp import GRID, STIFFNESS, backward_field, sample, warp_image


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
    field = np.abs(backward_field(SOURCE, TARGET, 128, 128))
    assert max(edge.max() for edge in (field[:, 0], field[:, -1], field[:, :, 0], field[:, :, -1])) < 1.0


@pytest.mark.parametrize("size", [(128, 128), (160, 96)])
def test_the_field_is_a_regularised_thin_plate_spline(size: tuple[int, int]) -> None:
    width, height = size
    random = np.random.default_rng(2)
    target = random.random((40, 2)) * np.array(size) * 0.7 + np.array(size) * 0.15
    source = target + random.standard_normal((40, 2)) * 2
    across, down = np.linspace(0, width - 1, 6), np.linspace(0, height - 1, 6)
    border = np.array([(x, y) for x in across for y in down if x in across[[0, -1]] or y in down[[0, -1]]])
    side = max(size)
    spline = RBFInterpolator(
        np.concatenate([target, border]) / side,
        np.concatenate([source - target, 0 * border]) / side,
        smoothing=STIFFNESS / 2,  # its kernel is r^2 log r, half of ours
    )
    nodes = np.stack(np.meshgrid(np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, GRID)), -1)
    expected = (spline(nodes.reshape(-1, 2) / side) * side).T.reshape(2, GRID, GRID)
    np.testing.assert_allclose(backward_field(source, target, width, height), expected, atol=5e-3)


def test_between_its_nodes_the_field_is_linear() -> None:
    image = np.arange(96 * 128, dtype=np.float32).reshape(96, 128) % 251
    field = backward_field(SOURCE, TARGET, 128, 96)
    full = functional.interpolate(
        torch.from_numpy(field)[None], size=(96, 128), mode="bilinear", align_corners=True
    )[0].numpy()
    columns, rows = np.meshgrid(np.arange(128, dtype=np.float32), np.arange(96, dtype=np.float32))
    expected = sample(image, np.stack([columns + full[0], rows + full[1]], axis=-1))
    assert (np.abs(warp_image(image, SOURCE, TARGET) - expected) > 0.1).mean() < 0.01


def test_closing_lips_that_meet_in_one_place_stay_finite() -> None:
    source = np.array([[60.0, 60], [60, 70], [50, 65], [70, 65]])
    target = np.array([[60.0, 65], [60, 65], [50, 65], [70, 65]])
    field = backward_field(source, target, 128, 128)
    assert np.isfinite(field).all() and np.abs(field).max() < 12


def test_points_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="must both be"):
        backward_field(np.zeros((3, 2)), np.zeros((4, 2)), 64, 64)
