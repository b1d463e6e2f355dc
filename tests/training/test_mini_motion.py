import numpy as np
import pytest

from talkvid.face.head_warp import head_depth
from talkvid.model.head_motion import RATE_HZ, HeadMotion, HeadMotionConfig
from talkvid.records import Array
from talkvid.training.mini_motion import fit, fit_blinks, noise_filter
from talkvid.training.mini_motion_clips import MovingClip, lid_closure, turned_back
from talkvid.training.mini_motion_figures import blink_events, motion_figures

DEPTH = np.array([-1.6, 1.6, 0.3, 1.3, 1.8, 0.35, 0.65, 0.3])
BLINK = np.array([0.2, 0.8, 0.9, 0.6, 0.3, 0.1])
EVERY = 50


def face_points() -> Array:
    return np.random.default_rng(0).uniform([-1, -0.8], [1, 1.8], (145, 2))


def moving_clip(seed: int, frames: int = 600) -> MovingClip:
    """A clip whose head swings, whose landmarks have known depths, and whose lids shut every 2 s."""
    random = np.random.default_rng(seed)
    smooth = np.convolve(np.hanning(25), [1.0])
    poses = np.stack([np.convolve(random.normal(size=frames + 24), smooth, "valid") for _ in range(6)], 1)
    poses *= np.array([0.1, 0.06, 0.02, 0.04, 0.06, 0.05]) / poses.std(axis=0)
    points = face_points()
    turn = poses[:, [4, 5]] * [1, -1]
    shapes = points + head_depth(points, DEPTH)[:, None] * turn[:, None]
    closure = np.zeros(frames)
    for start in range(20, frames - 10, EVERY):
        closure[start : start + len(BLINK)] = BLINK
    return MovingClip(
        name=f"clip{seed}", person=f"p{seed}", synced=True, poses=poses, shapes=shapes, closure=closure,
        loudness=random.normal(size=frames), spoken=np.ones(frames, bool),
    )  # fmt: skip


CLIPS = [moving_clip(seed) for seed in range(4)]


def test_filtered_noise_has_the_spectrum_and_the_deviation_of_the_tracks() -> None:
    times = np.arange(4000) / RATE_HZ
    random = np.random.default_rng(1)
    slow = np.convolve(random.normal(size=4024), np.hanning(25), "valid")
    track = np.stack([slow, 0.5 * slow + np.convolve(random.normal(size=4008), np.hanning(9), "valid")], 1)
    assert len(times) == len(track)
    kernel = noise_filter([track / track.std(axis=0)], 64)
    np.testing.assert_allclose((kernel**2).sum(axis=(0, 2)), 1, atol=1e-6)
    noise = random.normal(size=(40000, 2))
    made = sum(noise[64 - tap :][: 40000 - 64] @ kernel[tap].T for tap in range(64))
    speed, true_speed = (np.diff(some, axis=0).std(axis=0) for some in (made, track / track.std(axis=0)))
    np.testing.assert_allclose(speed, true_speed, rtol=0.2)
    assert np.corrcoef(made.T)[0, 1] == pytest.approx(np.corrcoef(track.T)[0, 1], abs=0.1)


def test_a_head_s_shift_size_and_roll_are_found_again() -> None:
    random = np.random.default_rng(2)
    moves = random.normal(0, [0.1, 0.1, 0.03, 0.05], (40, 4))
    points = face_points()
    track = []
    for across, down, size, roll in moves:
        cos, sin = np.exp(size) * np.cos(roll), np.exp(size) * np.sin(roll)
        track.append(points @ np.array([[cos, sin], [-sin, cos]]) + [across, down])
    found, shapes = turned_back(np.stack(track))
    np.testing.assert_allclose(found - found.mean(axis=0), moves - moves.mean(axis=0), atol=0.02)
    assert shapes.std(axis=0).max() < 1e-3


def test_lids_are_shut_where_the_gap_is_small() -> None:
    contour = np.zeros((100, 105, 2))
    along = np.linspace(-1, 1, 9)
    gap = np.ones(100)
    gap[50:53] = 0.1
    for start in (36, 52):
        contour[:, start : start + 9] = np.stack([along, 0.2 * (1 - along**2)], -1)
        upper = np.stack([along, -0.2 * (1 - along**2)], -1)[-2:0:-1]
        contour[:, start + 9 : start + 16] = upper
        contour[:, start : start + 16, 1] *= gap[:, None]
    closure = lid_closure(contour)
    assert closure[40] == pytest.approx(0) and closure[51] == pytest.approx(0.9)


def test_blinks_are_counted_and_timed() -> None:
    assert len(blink_events(CLIPS[0].closure, at_least=0.35)) == 12
    curve, timing = fit_blinks(CLIPS, 20)
    assert curve.max() == pytest.approx(1) and curve[0] == 0 and curve[-1] == 0
    mean, spread, _, partial, _ = timing
    assert np.exp(mean + spread**2 / 2) == pytest.approx(EVERY / RATE_HZ, rel=0.05)
    assert partial == 0


def test_the_fitted_model_moves_like_its_clips() -> None:
    model = HeadMotion(HeadMotionConfig(taps=64))
    fit(model, CLIPS)
    figures = motion_figures(model, CLIPS, CLIPS[:2], seed=1)
    assert figures["model"]["blinks_per_minute"] == pytest.approx(30, abs=8)
    assert max(np.abs(figures["held_out"]["told_by_loudness"])) < 0.2
    np.testing.assert_allclose(figures["model"]["deviation"], figures["train"]["deviation"], rtol=0.35)
    np.testing.assert_allclose(figures["model"]["speed_per_s"], figures["train"]["speed_per_s"], rtol=0.35)
    points = face_points()
    found = head_depth(points, model.depth.double().numpy())
    assert np.corrcoef(found, head_depth(points, DEPTH))[0, 1] > 0.95
