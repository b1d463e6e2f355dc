"""Lips in the face frame, the mouth window, and a portrait on the stage."""

import cv2
import numpy as np
import pytest

from talkvid.face.layout import CONTOUR_PARTS, NUM_CONTOUR
from talkvid.face.lip_motion import NUM_MOVING, face_frame, face_shape, mouth_opening
from talkvid.face.mouth_stage import MouthStage
from talkvid.face.mouth_window import (
    CAVITY_SHADE,
    MOUTH_SIZE,
    cut_window,
    mouth_corner,
    paste_mask,
    paste_window,
    to_window,
    warp_window,
    window_matrix,
)
from talkvid.face.warp import sample
from talkvid.records import Array, Face

SIZE = 200


def drawn_face(*, turn_deg: float = 0.0, scale: float = 1.0) -> tuple[Array, Face]:
    """Return a picture of a simple face and its landmarks, turned and scaled about the middle."""
    ring = np.pi - np.arange(20) / 20 * 2 * np.pi
    circle = np.stack([np.cos(ring), -np.sin(ring)], axis=1)
    lips: Array = np.concatenate([circle * [20, 8], circle * [14, 1.5]]) + np.array([100, 130])
    outline = np.arange(36) / 36 * 2 * np.pi
    contour: Array = np.full((NUM_CONTOUR, 2), 100.0)
    contour[:36] = np.stack([100 + 45 * np.sin(outline), 105 - 65 * np.cos(outline)], axis=1)
    for eye, x in (("image_left_eye", 75), ("image_right_eye", 125)):
        contour[CONTOUR_PARTS[eye]] = np.array([x, 82]) + np.random.default_rng(x).normal(0, 3, (16, 2))
    contour[CONTOUR_PARTS["nose_ridge"]] = np.stack([np.full(6, 100), np.linspace(85, 105, 6)], axis=1)
    contour[CONTOUR_PARTS["nose_base"]] = np.stack([np.linspace(90, 110, 9), np.full(9, 110)], axis=1)
    five: Array = np.array([[75, 80], [125, 80], [100, 105], [80, 130], [120, 130]], np.float64)
    picture: Array = np.full((SIZE, SIZE, 3), (120, 140, 160), np.uint8)
    cv2.ellipse(picture, (100, 105), (45, 65), 0, 0, 360, (220, 180, 150), -1, cv2.LINE_AA)
    cv2.fillPoly(picture, [lips[:20].round().astype(np.int32)], (180, 60, 60), cv2.LINE_AA)
    matrix = cv2.getRotationMatrix2D((100, 100), turn_deg, scale)
    picture = cv2.warpAffine(picture, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    five, lips, contour = (
        (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) for points in (five, lips, contour)
    )
    box = np.array([*contour[:36].min(axis=0), *contour[:36].max(axis=0)], np.float32)
    return picture, Face(box=box, points=five, score=1.0, lips=lips, contour=contour)


def open_mouth(stage: MouthStage, amount: float) -> Array:
    """Return a displacement that moves lower lips and chin down."""
    motion = np.zeros((NUM_MOVING, 2))
    motion[11:20, 1] = motion[31:40, 1] = amount
    motion[45:52, 1] = amount
    return motion


def test_the_face_frame_does_not_see_turn_scale_and_place() -> None:
    plain = face_shape(drawn_face()[1])
    turned = face_shape(drawn_face(turn_deg=17, scale=0.8)[1])
    np.testing.assert_allclose(plain.landmarks, turned.landmarks, atol=1e-3)
    frame = turned.frame
    points = np.random.default_rng(0).uniform(0, 200, (7, 2))
    np.testing.assert_allclose(frame.to_picture(frame.to_face(points)), points, atol=1e-9)


def test_eyes_that_draw_near_do_not_shrink_the_face() -> None:
    points = drawn_face()[1].points
    turned = points.copy()
    turned[:2, 0] = [90, 110]
    assert face_frame(turned).size == pytest.approx(0.9 * 50)


def test_the_window_shows_landmarks_where_it_says() -> None:
    picture, face = drawn_face(turn_deg=-20, scale=0.9)
    shape = face_shape(face)
    window = cut_window(picture, shape.frame)
    x, y = to_window(shape.lips[:20].mean(axis=0)).round().astype(int)
    assert window[y, x, 0] > 150 > window[y, x, 1]
    left, top = mouth_corner(shape)
    assert abs(left + MOUTH_SIZE / 2 - x) <= 2 and abs(top + MOUTH_SIZE / 2 - y) <= 2


def test_a_warp_to_its_own_landmarks_changes_nothing() -> None:
    picture, face = drawn_face()
    shape = face_shape(face)
    window = cut_window(picture, shape.frame)
    assert np.abs(warp_window(window, shape, shape).astype(int) - window).max() <= 1


def test_parting_lips_show_a_dark_mouth_not_stretched_lips() -> None:
    picture, face = drawn_face()
    shape = face_shape(face)
    motion = np.zeros((NUM_MOVING, 2))
    motion[11:20, 1] = motion[31:40, 1] = 0.3
    window = cut_window(picture, shape.frame)
    target = shape.moved(motion)
    x, y = to_window(target.lips[20:].mean(axis=0)).round().astype(int)
    inside = warp_window(window, shape, target)[y, x].astype(int)
    lips = np.array([180, 60, 60])
    assert np.abs(inside - CAVITY_SHADE * lips).max() <= 6


def test_teeth_stay_at_their_place_when_the_lips_move() -> None:
    picture, face = drawn_face()
    assert face.lips is not None
    face.lips[31:40, 1] += 6  # a smile: the inner lower lip lies lower
    cv2.fillPoly(picture, [face.lips[20:].round().astype(np.int32)], (240, 240, 240), cv2.LINE_AA)
    picture[:, 98:103][picture[:, 98:103, 1] == 240] = 0  # a gap between two teeth
    shape = face_shape(face)
    motion = np.zeros((NUM_MOVING, 2))
    motion[:40, 0] = 0.1
    window = cut_window(picture, shape.frame)
    row = round(to_window(shape.lips[20:].mean(axis=0))[1])
    moved = warp_window(window, shape, shape.moved(motion))
    before, after = (int(np.argmin(one[row, 60:100, 1])) for one in (window, moved))
    assert before == after
    plain = warp_window(np.roll(window, 7, axis=1), shape, shape.moved(motion))
    assert int(np.argmin(plain[row, 60:100, 1])) != after  # it is the picture that says where teeth are


def test_a_frame_at_rest_is_the_portrait() -> None:
    picture, face = drawn_face(turn_deg=8)
    stage = MouthStage(picture, face)
    still = stage.shape.moved(np.zeros((NUM_MOVING, 2)))
    frame = stage.finish(still, np.zeros((MOUTH_SIZE, MOUTH_SIZE, 3), np.float32))
    assert np.abs(frame.astype(int) - picture).mean() < 0.5
    outside = np.abs(frame.astype(int) - picture)[:40]
    assert outside.max() == 0


def test_an_open_mouth_moves_the_lower_lip_and_leaves_the_brow() -> None:
    picture, face = drawn_face()
    stage = MouthStage(picture, face)
    target = stage.shape.moved(open_mouth(stage, 0.2))
    assert mouth_opening(target.lips) > mouth_opening(stage.shape.lips) + 0.15
    frame = stage.finish(target, np.zeros((MOUTH_SIZE, MOUTH_SIZE, 3), np.float32))
    assert frame[145, 100, 1] < 120 < picture[145, 100, 1]
    assert (frame[:60] == picture[:60]).all()


def test_the_networks_change_lands_on_the_mouth() -> None:
    picture, face = drawn_face()
    stage = MouthStage(picture, face)
    still = stage.shape.moved(np.zeros((NUM_MOVING, 2)))
    change = np.full((MOUTH_SIZE, MOUTH_SIZE, 3), -0.2, np.float32)
    difference = stage.finish(still, change).astype(int) - picture
    assert difference[130, 100].mean() == pytest.approx(-51, abs=4)
    assert np.abs(difference[90]).max() <= 8  # resampling of edges alone


def test_a_view_has_the_networks_size() -> None:
    picture, face = drawn_face()
    stage = MouthStage(picture, face)
    view = stage.view(stage.shape.moved(open_mouth(stage, 0.1)))
    assert view.warped.shape == view.drawing.shape == stage.reference.shape == (MOUTH_SIZE, MOUTH_SIZE, 3)
    assert view.drawing[..., 0].max() == view.drawing[..., 1].max() == 255


def test_a_face_without_lips_is_refused() -> None:
    picture, face = drawn_face()
    with pytest.raises(ValueError, match="gives no lip contour"):
        MouthStage(picture, Face(box=face.box, points=face.points, score=1.0))


@pytest.mark.parametrize("moved", [False, True])
def test_a_pasted_window_is_mixed_by_its_weight_in_the_whole_picture(moved: bool) -> None:
    picture, face = drawn_face(turn_deg=8)
    frame, random = face_frame(face.points), np.random.default_rng(5)
    window = cv2.GaussianBlur(random.normal(128, 200, (160, 160, 3)).clip(0, 255), (0, 0), 1)
    places = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float32)
    if moved:
        places += cv2.GaussianBlur(random.normal(0, 60, places.shape), (0, 0), 15).astype(np.float32)
    matrix = window_matrix(frame)
    spots = (places.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    weight = sample(paste_mask(), spots, method=cv2.INTER_LINEAR, outside=cv2.BORDER_CONSTANT)[..., None]
    colours = sample(window.astype(np.float32), spots)
    expected = np.clip(np.rint(picture + (colours - picture) * weight), 0, 255)
    pasted = paste_window(picture, window, frame, places=places if moved else None)
    assert pasted.dtype == np.uint8 and (pasted != picture).any()
    assert np.abs(pasted - expected).max() <= 1 and (pasted != expected).mean() < 1e-3
