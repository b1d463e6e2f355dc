import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.config import load_config
from talkvid.face.landmark_net import LandmarkConfig, LandmarkNet, load_landmark_net
from talkvid.face.pose import angles_from_matrix, matrix_from_angles
from talkvid.training.face_augment import MIRROR, draw_batch, place_window
from talkvid.training.face_landmarks import (
    FaceLandmarksConfig,
    Run,
    landmark_loss,
    validate,
    write_network,
)
from talkvid.training.face_teacher import STORED_SIZE, Samples, read_split

SIZE = 112
CONFIG = Path(__file__).parents[2] / "src" / "configs" / "mini" / "face_landmarks.yaml"


@pytest.fixture
def samples() -> Samples:
    """Six dark windows with one bright spot at the first point of each."""
    generator = np.random.default_rng(3)
    points = generator.uniform(-0.15, 0.15, (6, 145, 2)).astype(np.float32)
    places = points[:, 0] * STORED_SIZE + (STORED_SIZE - 1) / 2
    yy, xx = np.mgrid[0:STORED_SIZE, 0:STORED_SIZE]
    far = [(xx - x) ** 2 + (yy - y) ** 2 for x, y in places]
    images = np.stack([np.exp(-distance / 18) * 255 for distance in far]).astype(np.uint8)
    return Samples(
        images=np.repeat(images[..., None], 3, axis=3),
        points=points,
        rotations=np.repeat(matrix_from_angles(np.array([[5.0, 10, 0]])), 6, axis=0).astype(np.float32),
        jaw_open=np.linspace(0, 1, 6).astype(np.float32),
        clips=np.array([0, 0, 0, 0, 1, 1]),
    )


def spot(image: np.ndarray) -> np.ndarray:
    light = image[..., 0].astype(float)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


@pytest.mark.parametrize("mirror", [False, True])
def test_points_move_with_the_picture(samples: Samples, mirror: bool) -> None:
    image, points, _ = place_window(samples, 2, SIZE, 0.4, 1.1, np.array([0.05, -0.03]), mirror=mirror)
    index = int(np.flatnonzero(MIRROR == 0)[0]) if mirror else 0
    expected = points[index] * SIZE + (SIZE - 1) / 2
    assert np.abs(spot(image) - expected).max() < 0.3


def test_a_turn_rolls_the_head_and_a_mirror_reverses_yaw_and_roll(samples: Samples) -> None:
    still = np.zeros(2)
    rolled = angles_from_matrix(place_window(samples, 0, SIZE, np.radians(20), 1.0, still)[2])
    assert rolled[2] == pytest.approx(-20, abs=1.5)
    mirrored = angles_from_matrix(place_window(samples, 0, SIZE, 0.0, 1.0, still, mirror=True)[2])
    assert np.allclose(mirrored, [5, -10, 0], atol=1e-3)


def test_a_batch_depends_on_its_seed_alone(samples: Samples) -> None:
    first, second = (draw_batch(samples, np.arange(6), SIZE, np.random.default_rng(5)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)
    assert first[0].shape == (6, SIZE, SIZE, 3) and first[0].dtype == np.uint8


def test_the_loss_is_zero_for_the_truth_and_counts_lips_more() -> None:
    net = LandmarkNet(LandmarkConfig()).eval()
    with torch.inference_mode():
        found = net(torch.rand(1, 3, SIZE, SIZE))
    assert landmark_loss(found, found.points, found.rotation, found.jaw_open) == 0
    lips, outline = found.points.clone(), found.points.clone()
    lips[0, 5] += 0.1
    outline[0, 45] += 0.1
    wrong_lips = landmark_loss(found, lips, found.rotation, found.jaw_open)
    assert wrong_lips > 1.5 * landmark_loss(found, outline, found.rotation, found.jaw_open)


def test_training_learns_and_continues_where_it_stopped(samples: Samples, tmp_path: Path) -> None:
    config = FaceLandmarksConfig(work_dir=str(tmp_path), steps=60, batch=6)

    def started() -> Run:
        torch.manual_seed(0)
        return Run(config, LandmarkNet(LandmarkConfig()), tmp_path)

    run = started()
    losses = [run.train_step(samples, step) for step in range(12)]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    run.save(12)
    following = run.train_step(samples, 12)
    again = started()
    assert again.step == 12
    assert again.train_step(samples, 12) == pytest.approx(following, rel=1e-5)


def test_what_is_written_can_be_loaded(samples: Samples, tmp_path: Path) -> None:
    net = LandmarkNet(LandmarkConfig()).eval()
    errors = validate(net, samples)
    assert set(errors) == {"five_points", "lips", "all_points", "rotation_deg", "jaw_open"}
    write_network(net, tmp_path, FaceLandmarksConfig(), errors)
    windows = torch.rand(1, 3, SIZE, SIZE)
    with torch.inference_mode():
        assert torch.allclose(load_landmark_net(tmp_path)(windows).points, net(windows).points, atol=5e-3)


def test_the_committed_config_loads_and_a_missing_split_is_named(tmp_path: Path) -> None:
    config = load_config(FaceLandmarksConfig, CONFIG)
    assert config.steps > 1000
    with pytest.raises(FileNotFoundError, match=r"split\.csv"):
        read_split(tmp_path / "split.csv", "train")
    with (tmp_path / "split.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["file", "person", "split"], ["a.mp4", "p1", "train"], ["b.jpg", "p2", "val"]]
        )
    assert read_split(tmp_path / "split.csv", "train") == ["a.mp4"]
    with pytest.raises(ValueError, match=r"no \.mp4 clip of split 'val'"):
        read_split(tmp_path / "split.csv", "val")
