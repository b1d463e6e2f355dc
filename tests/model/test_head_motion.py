import numpy as np
import pytest
import torch

from talkvid.model.bundle import EMBEDDED_FOLDER, load_bundle
from talkvid.model.head_motion import POSE_NUMBERS, HeadMotion, HeadMotionConfig

ROWS = torch.zeros(3000, 80)


@pytest.fixture(scope="module")
def motion() -> HeadMotion:
    made = HeadMotion(HeadMotionConfig(taps=16, amplitude=1.0))
    bump = torch.hann_window(16)
    made.kernel.copy_(torch.eye(6) * (bump / bump.norm())[:, None, None])
    made.deviation.copy_(torch.tensor([0.1, 0.1, 0.02, 0.05, 0.05, 0.05]))
    made.blink_curve.copy_(
        torch.tensor([0, 0, 0, 0, 0.2, 0.9, 1, 0.8, 0.4, 0.2, 0.1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    )
    made.blink_timing.copy_(torch.tensor([0.5, 0.5, 0.3, 0.1, 0.1]))
    return made


def test_the_same_seed_moves_the_same_and_another_one_differently(motion: HeadMotion) -> None:
    first, again, other = (motion.poses(ROWS, 200, fps=25, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and np.abs(first - other).max() > 0.01
    blinks = [motion.blinks(500, fps=25, seed=seed) for seed in (1, 1, 2)]
    assert np.array_equal(blinks[0], blinks[1]) and not np.array_equal(blinks[0], blinks[2])


def test_a_longer_video_begins_like_a_shorter_one(motion: HeadMotion) -> None:
    long, short = (motion.poses(ROWS, count, fps=25, seed=3) for count in (300, 120))
    np.testing.assert_allclose(long[:120], short, atol=1e-6)
    np.testing.assert_allclose(
        motion.blinks(300, fps=25, seed=3)[:100], motion.blinks(120, fps=25, seed=3)[:100], atol=1e-6
    )


def test_the_first_frame_is_the_portrait_and_the_eyes_are_open_at_both_ends(motion: HeadMotion) -> None:
    for seed in range(20):
        assert np.abs(motion.poses(ROWS, 5, fps=25, seed=seed)[0]).max() == 0
        closure = motion.blinks(100 + seed, fps=25, seed=seed)
        assert closure[0] == 0 and closure[-1] < 0.3


def test_the_motion_does_not_depend_on_the_frame_rate(motion: HeadMotion) -> None:
    coarse, fine = (motion.poses(ROWS, round(8 * fps), fps=fps, seed=4) for fps in (25.0, 50.0))
    np.testing.assert_allclose(fine[::2], coarse, atol=1e-6)


def test_the_head_moves_less_in_silence(motion: HeadMotion) -> None:
    spoken = np.arange(2000) < 1000
    poses = motion.poses(torch.zeros(8000, 80), 2000, fps=25, seed=5, spoken=spoken)
    ratio = poses[1050:, 0].std() / poses[50:950, 0].std()
    assert 0.3 < ratio < 0.65


def test_louder_speech_moves_the_head_more() -> None:
    lively = HeadMotion(HeadMotionConfig(taps=16, amplitude=1.0))
    lively.kernel[8] = torch.eye(6)
    lively.deviation.fill_(0.1)
    lively.liveliness.fill_(0.3)
    loud = torch.where(torch.arange(16000) < 8000, 1.0, -1.0)[:, None].expand(-1, 80)
    poses = lively.poses(loud, 4000, fps=25, seed=6)
    assert poses[50:1950, 1].std() > 1.3 * poses[2050:, 1].std()


def test_blinks_come_at_the_rate_that_was_set(motion: HeadMotion) -> None:
    closure = motion.blinks(25 * 600, fps=25, seed=7)
    count = int(((closure[1:] > 0.4) & (closure[:-1] <= 0.4)).sum())
    expected = 600 / np.exp(0.5 + 0.5**2 / 2)
    assert closure.min() == 0 and closure.max() <= 1
    assert abs(count - expected) < 0.12 * expected


def test_the_embedded_motion_is_as_large_as_that_of_calm_speakers() -> None:
    motion = load_bundle(EMBEDDED_FOLDER).head_motion
    assert isinstance(motion, HeadMotion)
    poses = np.concatenate([motion.poses(ROWS, 500, fps=25, seed=seed)[50:] for seed in range(8)])
    deviation = dict(zip(POSE_NUMBERS, poses.std(axis=0), strict=True))
    assert 0.03 < deviation["across"] < 0.12 and 0.02 < deviation["down"] < 0.08
    assert all(0.01 < deviation[name] < 0.05 for name in ("roll", "yaw", "pitch"))
    assert np.abs(np.diff(poses[:400, 0])).max() < 0.06
