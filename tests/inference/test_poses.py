from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from talkvid.inference.poses import implied_rate, parse_size, pose_track, track_head
from talkvid.inference.settings import GenerateSettings, VideoSettings, resolve
from talkvid.media.video import VideoInfo
from talkvid.model.bundle_config import BundleConfig
from talkvid.records import Array, Face

from .conftest import PlantedDetector

POINTS = np.array([[200, 200], [300, 200], [250, 260], [215, 320], [285, 320]], float)


def moving_track(num_poses: int) -> Array:
    """The head moves two pixels to the right per pose."""
    return POINTS[None, :3] + np.arange(num_poses)[:, None, None] * np.array([2.0, 0.0])


def settings(path: Path, **values: object) -> VideoSettings:
    given = GenerateSettings(kps_path=path, retarget_strategy="no_retarget", fps=30.0, **values)  # type: ignore[arg-type]
    return resolve(given, BundleConfig())


def test_the_pose_of_time_t_is_shown_at_time_t(tmp_path: Path) -> None:
    """The reference cuts the poses and shows at 1.374 s what belongs to 0.767 s."""
    np.save(tmp_path / "kps.npy", moving_track(90))
    for fps, num_frames in ((30.0, 43), (25.0, 36), (24.0, 34)):
        chosen = replace(settings(tmp_path / "kps.npy", kps_fps=30.0), fps=fps)
        track = pose_track(
            POINTS, chosen, num_frames=num_frames, duration_s=1.433, detector=PlantedDetector()
        )
        assert track.shape == (num_frames, 3, 2)
        times = np.arange(num_frames) / fps
        np.testing.assert_allclose(track[:, 2, 0], 250 + 2 * 30 * times, atol=1e-9)


def test_poses_are_scaled_to_the_size_of_the_video(tmp_path: Path) -> None:
    np.save(tmp_path / "kps.npy", moving_track(10))
    small = settings(tmp_path / "kps.npy", image_width=256, image_height=128)
    track = pose_track(POINTS, small, num_frames=10, duration_s=0.34, detector=PlantedDetector())
    np.testing.assert_allclose(track[0], POINTS[:3] * [0.5, 0.25])


def test_fix_face_stands_still_and_says_that_poses_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    still = replace(settings(tmp_path / "none.npy"), retarget_strategy="fix_face")
    with caplog.at_level("WARNING", "talkvid"):
        track = pose_track(POINTS, still, num_frames=7, duration_s=0.2, detector=PlantedDetector())
    assert "not used" in caplog.text
    assert np.array_equal(track, np.repeat(POINTS[None, :3], 7, axis=0))


def test_a_file_of_the_wrong_shape_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "kps.npy", np.zeros((4, 7)))
    with pytest.raises(ValueError, match=r"kps\.npy.*shape"):
        pose_track(
            POINTS, settings(tmp_path / "kps.npy"), num_frames=5, duration_s=1, detector=PlantedDetector()
        )


def test_a_key_point_file_lasts_as_long_as_its_speech_unless_that_is_no_frame_rate() -> None:
    assert implied_rate(48, 2.0, 25.0) == 24.0
    assert implied_rate(48, 60.0, 25.0) == 25.0
    assert implied_rate(5000, 2.0, 25.0) == 25.0


@pytest.mark.parametrize("text", ["512", "512x", "ax512", "0x512", "-1x5"])
def test_a_size_is_two_numbers(text: str) -> None:
    assert parse_size("640x480") == (640, 480)
    with pytest.raises(ValueError, match="kps_size"):
        parse_size(text)


class WanderingDetector:
    """Two faces change places in the list; in the third picture there is none."""

    name = "wandering"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: Array) -> list[Face]:
        self.calls += 1
        here, there = PlantedDetector(40.0).detect(image)[0], PlantedDetector(40.0).detect(image)[0]
        there = replace(there, points=there.points + 500)
        if self.calls == 3:
            return []
        return [here, there] if self.calls % 2 else [there, here]


def test_one_face_of_a_driving_video_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(*_: object, **__: object) -> Iterator[Array]:
        yield from np.zeros((6, 100, 200, 3), np.uint8)

    info = VideoInfo(200, 100, 12.5, 6, 0.48, False, 0)
    monkeypatch.setattr("talkvid.inference.poses.probe", lambda path: info)
    monkeypatch.setattr("talkvid.inference.poses.read_frames", frames)
    points, rate, size = track_head("drive.mp4", WanderingDetector(), end_s=10, fps=25)
    assert (rate, size) == (12.5, (200, 100))
    assert np.isnan(points[2]).all()
    assert np.allclose(points[[0, 1, 3, 4, 5], 2], points[0, 2])
    with pytest.raises(ValueError, match=r"drive\.mp4: no face"):
        track_head("drive.mp4", PlantedDetector(), end_s=10, fps=25)
