import numpy as np
import torch

from talkvid.face.lip_motion import face_frame
from talkvid.inference.head_track import HeadTrack, pose_of
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.model.bundle import EMBEDDED_FOLDER, load_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.head_motion import HeadMotion
from talkvid.records import Array
from tests.face.drawn_head import SIZE, drawn_head

CONFIG = BundleConfig.from_file(EMBEDDED_FOLDER / "config.json")
FRAMES = 120
_, FACE = drawn_head()
LIVELY = load_bundle(EMBEDDED_FOLDER).head_motion


def track(poses: Array | None = None, **settings: object) -> HeadTrack:
    assert isinstance(LIVELY, HeadMotion)
    still = np.repeat(FACE.points[None, :3].astype(np.float64), FRAMES, axis=0)
    return HeadTrack(
        FACE,
        poses=still if poses is None else poses,
        size=(SIZE, SIZE),
        lively=LIVELY,
        settings=resolve(GenerateSettings(**settings), CONFIG),  # type: ignore[arg-type]
        speech=torch.zeros(4 * FRAMES, 80),
        spoken=np.ones(FRAMES, bool),
    )


def test_a_still_head_without_blinks_leaves_every_frame_alone() -> None:
    made = track(head_motion="still", blink=False)
    assert all(made.places(frame) is None for frame in range(FRAMES))
    assert made.closure.max() == 0


def test_a_frame_s_place_depends_on_seed_and_number_alone() -> None:
    forwards, backwards, other = track(seed=5), track(seed=5), track(seed=6)
    late = [backwards.places(frame) for frame in (100, 40)]
    early = [forwards.places(frame) for frame in (40, 100)]
    assert early[0] is not None and late[1] is not None
    assert np.array_equal(early[0], late[1])
    elsewhere = other.places(40)
    assert elsewhere is not None and not np.array_equal(early[0], elsewhere)
    assert forwards.places(0) is None


def test_the_scale_multiplies_the_motion() -> None:
    whole, half = track(), track(head_motion_scale=0.5)
    np.testing.assert_allclose(half.poses, whole.poses / 2, atol=1e-6)
    assert np.abs(whole.poses).max() > 0.01
    assert np.array_equal(half.closure, whole.closure) and whole.closure.max() > 0.4


def test_given_key_points_become_the_pose_of_the_face() -> None:
    angle, shift = 0.1, np.array([6.0, -3.0])
    turn = 1.05 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    frame = face_frame(FACE.points)
    here = FACE.points[:3].astype(np.float64)
    pose = pose_of(here, (here - frame.origin) @ turn.T + frame.origin + shift, frame)
    expected = [*(shift / frame.size), np.log(1.05), angle, 0, 0]
    np.testing.assert_allclose(pose, expected, atol=1e-6)
