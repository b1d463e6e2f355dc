import cv2
import numpy as np
import pytest

from talkvid.face.head_warp import NODES, ROUNDS, HeadWarp, head_depth
from talkvid.face.warp import sample
from talkvid.records import Array
from tests.face.drawn_head import SIZE, drawn_head

DEPTH = np.array([-1.7, 1.8, 0.2, 1.4, 2.5, 0.3, 0.7, 0.4])
POSES = {
    "across": [0.15, 0, 0, 0, 0, 0],
    "down": [0, 0.12, 0, 0, 0, 0],
    "larger": [0, 0, 0.06, 0, 0, 0],
    "roll": [0, 0, 0, 0.1, 0, 0],
    "yaw": [0, 0, 0, 0, 0.12, 0],
    "pitch": [0, 0, 0, 0, 0, 0.12],
    "all": [-0.12, -0.08, -0.04, -0.08, -0.1, 0.1],
}


def warp() -> HeadWarp:
    return HeadWarp(drawn_head()[1], width=SIZE, height=SIZE, depth=DEPTH)


def grid() -> Array:
    return np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float32)


def test_the_portrait_s_own_pose_moves_nothing() -> None:
    np.testing.assert_allclose(warp().places(np.zeros(6)), grid(), atol=1e-4)


@pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
def test_the_border_stays_where_it_is(pose: list[float]) -> None:
    shift = np.abs(warp().places(np.array(pose)) - grid()).max(axis=-1)
    edge = np.concatenate([shift[0], shift[-1], shift[:, 0], shift[:, -1]])
    assert edge.max() < 0.2 and shift.max() > 3


@pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
def test_the_picture_is_never_folded(pose: list[float]) -> None:
    places = warp().places(np.array(pose))
    right, down = np.diff(places, axis=1)[:-1], np.diff(places, axis=0)[:, :-1]
    area = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    assert area.min() > 0.25


@pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
def test_face_points_arrive_where_the_pose_puts_them(pose: list[float]) -> None:
    _, face = drawn_head()
    made = warp()
    points = np.asarray(face.points, np.float64)
    goal = points + made.displacement(points, np.array(pose))
    places = made.places(np.array(pose))
    columns, rows = goal.T.astype(np.float32)
    back = sample(places, np.stack([columns, rows], axis=-1)[None].astype(np.float32))[0]
    np.testing.assert_allclose(back, points, atol=0.25)


@pytest.mark.parametrize("depth", [DEPTH, None], ids=["deep", "flat"])
@pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
def test_places_are_those_of_the_plain_formula_in_double_precision(
    pose: list[float], depth: Array | None
) -> None:
    made = HeadWarp(drawn_head()[1], width=SIZE, height=SIZE, depth=depth)
    centres = (np.arange(NODES) + 0.5) * (SIZE / NODES) - 0.5
    nodes = np.stack(np.meshgrid(centres, centres), axis=-1)
    across, down, log_scale, roll, yaw, pitch = pose

    def displacement(points: Array) -> Array:
        here = made.frame.to_face(points)
        deep = 0 if depth is None else head_depth(here, depth)
        x, y = here[..., 0] + deep * yaw, here[..., 1] - deep * pitch
        turn = np.exp(log_scale) * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        there = np.stack([x, y], axis=-1) @ turn.T + [across, down]
        return (made.frame.to_picture(there) - points) * made.share(points, here)[..., None]

    shift = np.zeros_like(nodes)
    for _ in range(ROUNDS):
        shift = -displacement(nodes + shift)
    expected = grid() + cv2.resize(shift, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(made.places(np.array(pose)), expected, atol=2e-4)


def test_a_shift_carries_the_whole_head_as_it_is() -> None:
    made = warp()
    size = made.frame.size
    places = made.places(np.array([0.1, 0, 0, 0, 0, 0]))
    inside = (grid() - places)[100:180, 100:160]
    np.testing.assert_allclose(inside[..., 0], 0.1 * size, atol=0.3)
    np.testing.assert_allclose(inside[..., 1], 0, atol=0.3)


def test_a_turn_carries_the_nose_further_than_the_ears_and_looks_the_right_way() -> None:
    _, face = drawn_head()
    made = warp()
    nose, ear = np.array([128.0, 145.0]), np.array([72.0, 130.0])
    yaw, up = np.array([0, 0, 0, 0, 0.1, 0]), np.array([0, 0, 0, 0, 0, 0.1])
    assert made.displacement(nose, yaw)[0] > made.displacement(ear, yaw)[0] + 2
    assert made.displacement(nose, up)[1] < made.displacement(ear, up)[1] - 2
    assert face.contour is not None


def test_depth_is_a_hill_with_a_nose_on_a_plain() -> None:
    points = np.array([[0, 0.7], [0, 0.0], [1.2, 0.5], [30, 30]])
    nose, eyes, ear, far = head_depth(points, DEPTH)
    assert nose > eyes > ear > far
    assert far == pytest.approx(-1.7)
