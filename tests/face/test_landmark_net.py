import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from talkvid.face.alignment import Window, window_of
from talkvid.face.landmark_net import LandmarkConfig, LandmarkNet, fold_norms, load_landmark_net
from talkvid.face.layout import mirrored_contour, mirrored_lips
from talkvid.face.pose import about_z, angles_from_matrix, matrix_from_angles

POINTS = np.array([[80.0, 90], [120, 100], [98, 118], [80, 132], [110, 140]])


def test_angles_and_matrices_are_each_others_inverse() -> None:
    angles = np.random.default_rng(0).uniform([-80, -80, -80], [80, 80, 80], (50, 3))
    assert np.allclose(angles_from_matrix(matrix_from_angles(angles)), angles, atol=1e-3)


def test_signs_of_the_angles_are_those_of_the_record() -> None:
    forward, upward = np.array([0.0, 0, 1]), np.array([0.0, 1, 0])
    assert (matrix_from_angles(np.array([20.0, 0, 0])) @ forward)[1] > 0
    assert (matrix_from_angles(np.array([0.0, 20, 0])) @ forward)[0] > 0
    assert (matrix_from_angles(np.array([0.0, 0, 20])) @ upward)[0] > 0
    assert angles_from_matrix(about_z(np.radians(-15)))[2] == pytest.approx(15)


def test_a_window_is_upright_and_maps_points_there_and_back() -> None:
    window = window_of(POINTS)
    inside = window.to_window(POINTS, 112)
    assert np.allclose(window.to_picture(inside, 112), POINTS)
    assert 7 < np.degrees(window.angle) < 14
    upright = inside[1] - inside[0]
    assert abs(np.degrees(np.arctan2(upright[1], upright[0]))) < 5
    assert (inside > 0).all() and (inside < 111).all()


@pytest.mark.parametrize("side", [80.0, 700.0])
def test_what_a_window_shows_is_where_its_points_say(side: float) -> None:
    yy, xx = np.mgrid[0:900, 0:900]
    spot = np.array([430.0, 480.0])
    light = np.exp(-((xx - spot[0]) ** 2 + (yy - spot[1]) ** 2) / (2 * (side / 20) ** 2)) * 255
    image = np.repeat(light.astype(np.uint8)[..., None], 3, axis=2)
    window = Window(np.array([425.0, 470.0]), side, 0.3)
    shown = window.cut(image, 112)[..., 0].astype(float)
    rows, columns = np.mgrid[0:112, 0:112]
    centre = np.array([(shown * columns).sum(), (shown * rows).sum()]) / shown.sum()
    assert np.abs(centre - window.to_window(spot, 112)).max() < 0.6


def test_a_mirrored_face_has_its_points_swapped_twice_back() -> None:
    for swap in (np.array(mirrored_lips()), np.array(mirrored_contour())):
        assert np.array_equal(swap[swap], np.arange(len(swap)))
    assert mirrored_lips()[0] == 10 and mirrored_lips()[5] == 5 and mirrored_lips()[20] == 30


def test_folding_the_norms_changes_no_number() -> None:
    torch.manual_seed(0)
    net = LandmarkNet(LandmarkConfig())
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.2
            module.running_var = torch.rand(module.num_features) + 0.5
    net.eval()
    windows = torch.rand(2, 3, 112, 112)
    assert torch.allclose(fold_norms(net)(windows), net.trunk(windows), atol=1e-3, rtol=1e-3)


def test_shapes_of_the_answer_and_a_true_rotation() -> None:
    found = LandmarkNet(LandmarkConfig()).eval()(torch.rand(3, 3, 112, 112))
    assert found.points.shape == (3, 145, 2) and found.jaw_open.shape == (3,)
    product = found.rotation @ found.rotation.transpose(1, 2)
    assert torch.allclose(product, torch.eye(3).expand(3, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(found.rotation), torch.ones(3), atol=1e-5)


def test_the_packaged_network_loads_and_is_small() -> None:
    import talkvid.weights

    folder = Path(talkvid.weights.__path__[0])
    assert (folder / "face_landmarks.safetensors").stat().st_size < 4_000_000
    description = json.loads((folder / "face_landmarks.json").read_text())
    assert "CC BY-NC" in description["licence"] and "MediaPipe" in description["teacher"]
    net = load_landmark_net()
    with torch.inference_mode():
        blank = net(torch.full((1, 3, 112, 112), 0.5))
    assert torch.isfinite(blank.points).all()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"face_landmarks\.safetensors"):
        load_landmark_net(tmp_path)


def test_a_window_beyond_the_picture_is_black_there() -> None:
    image = np.full((50, 50, 3), 200, dtype=np.uint8)
    shown = Window(np.array([0.0, 0.0]), 60.0, 0.0).cut(image, 112)
    assert (shown[:40, :40] == 0).all() and (shown[70:, 70:] == 200).all()
    assert cv2.mean(shown)[0] > 20
