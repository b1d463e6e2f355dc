import numpy as np
import pytest

from talkvid.face.retarget import STRATEGIES, face_scale, nearest_frame, resample, retarget
from talkvid.records import Array

# A portrait whose eyes are 40 px apart, its nose 24 px below them.
REFERENCE = np.array([[100.0, 100], [140, 100], [120, 124]])
# A driving face twice as large with the same proportions, moving 20 px right and 10 px down per frame.
DRIVING = np.array([[200.0, 200], [280, 200], [240, 248]]) + np.arange(4)[:, None, None] * np.array(
    [20.0, 10]
)


def test_fix_face_repeats_the_portrait() -> None:
    points = retarget("fix_face", REFERENCE, num_frames=3)
    assert points.shape == (3, 3, 2)
    assert np.array_equal(points, np.repeat(REFERENCE[None], 3, axis=0))


def test_offsets_go_the_drivers_way_in_full_size_of_the_portraits_face() -> None:
    points = retarget("offset_retarget", REFERENCE, DRIVING, num_frames=4)
    expected = REFERENCE + np.arange(4)[:, None, None] * np.array([10.0, 5])
    assert np.allclose(points, expected)


def test_naive_retargeting_scales_about_the_nose_and_not_about_the_image_origin() -> None:
    points = retarget("naive_retarget", REFERENCE, DRIVING, num_frames=4)
    expected = REFERENCE + np.arange(4)[:, None, None] * np.array([10.0, 5])
    assert np.allclose(points, expected)
    far = retarget("naive_retarget", REFERENCE, DRIVING + 1000.0, num_frames=4)
    assert np.allclose(far, expected)


def test_the_drivers_shape_is_carried_over_by_naive_retargeting_only() -> None:
    nodding = DRIVING.copy()
    nodding[2, 2, 1] += 8
    naive = retarget("naive_retarget", REFERENCE, nodding, num_frames=4)
    offset = retarget("offset_retarget", REFERENCE, nodding, num_frames=4)
    assert np.allclose(naive[2, 2] - naive[2, 0], [20, 28])
    assert np.allclose(offset[2] - offset[2, :1], REFERENCE - REFERENCE[:1])


def test_no_retarget_scales_poses_to_the_output_size() -> None:
    points = retarget(
        "no_retarget", REFERENCE, DRIVING, num_frames=4, driving_size=(1024, 512), output_size=(512, 512)
    )
    assert np.allclose(points, DRIVING * [0.5, 1.0])


def test_the_anchor_is_the_frame_turned_like_the_portrait_and_not_the_last() -> None:
    turned = np.array([[200.0, 200], [280, 200], [255, 248]])
    frontal = np.array([[200.0, 200], [260, 200], [230, 236]])
    track = np.stack([turned, frontal, turned])
    assert nearest_frame(REFERENCE, track) == 1
    assert np.allclose(face_scale(REFERENCE, track[1]), [40 / 60, 24 / 36])


def test_a_nose_on_the_eye_line_gives_finite_points() -> None:
    flat = np.array([[200.0, 200], [280, 200], [240, 200]])
    track = np.repeat(flat[None], 3, axis=0)
    assert np.allclose(face_scale(REFERENCE, flat), [0.5, 0.5])
    for strategy in STRATEGIES:
        assert np.isfinite(retarget(strategy, REFERENCE, track, num_frames=5)).all()


def test_whole_numbers_and_five_points_are_fine() -> None:
    reference = np.array([[100, 100], [140, 100], [120, 124], [105, 140], [135, 140]])
    points = retarget("naive_retarget", reference, DRIVING.astype(int), num_frames=4)
    assert points.shape == (4, 3, 2) and points.dtype == np.float64


def test_frames_without_a_face_are_filled_from_their_neighbours() -> None:
    holes = DRIVING.copy()
    holes[1] = np.nan
    points = retarget("no_retarget", REFERENCE, holes, num_frames=4)
    assert np.allclose(points, DRIVING)
    with pytest.raises(ValueError, match="no face in any of the 4 frames"):
        retarget("no_retarget", REFERENCE, np.full_like(DRIVING, np.nan), num_frames=4)


def test_motion_keeps_its_speed_when_the_rates_are_known() -> None:
    track = np.arange(30, dtype=float)[:, None, None] * np.ones((1, 3, 2))
    shown = resample(track, 43, fps=25.0, driving_fps=30.0)
    # Frame 20 is shown at 0.8 s, where the driving video is at its frame 24.
    assert shown[20, 0, 0] == pytest.approx(24.0)
    assert shown[42, 0, 0] == 29.0


def test_without_rates_the_whole_track_is_stretched_over_the_output() -> None:
    track = np.arange(10, dtype=float)[:, None, None] * np.ones((1, 3, 2))
    shown = resample(track, 20)
    assert shown[:, 0, 0] == pytest.approx(np.clip((np.arange(20) + 0.5) / 2 - 0.5, 0, 9))
    assert np.allclose(resample(track, 10), track)
    assert resample(track, 1)[0, 0, 0] == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("strategy", "driving", "message"),
    [
        ("mirror", DRIVING, "unknown retarget strategy"),
        ("naive_retarget", None, "needs driving key points"),
        ("naive_retarget", DRIVING[0], "shape"),
        ("offset_retarget", np.zeros((3, 3, 2)), "both eyes"),
    ],
)
def test_what_cannot_be_retargeted_is_said(strategy: str, driving: Array | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retarget(strategy, REFERENCE, driving, num_frames=3)
