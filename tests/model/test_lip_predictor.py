"""Speech to lips: windows, silence, rest, gain."""

import dataclasses

import numpy as np
import pytest
import torch

from talkvid.model.lip_predictor import (
    LEAST_GAP,
    LOWER,
    UPPER,
    LipPredictor,
    LipPredictorConfig,
    cut_windows,
    inner_gap,
    smooth_over_time,
    speech_gate,
    uncrossed,
)

TINY = LipPredictorConfig(feature_dim=6, num_coefficients=4, rows_before=8, rows_after=8, channels=8)


def tiny_predictor() -> LipPredictor:
    torch.manual_seed(0)
    return LipPredictor(TINY).eval()


def closed_lips() -> np.ndarray:
    shape = np.random.default_rng(0).normal(0, 0.1, (57, 2)).astype(np.float32)
    shape[[37, 36, 35, 34, 33]] = shape[23:28]
    return shape


def test_one_motion_comes_for_every_frame_at_any_rate() -> None:
    features = torch.randn(120, 6)
    for fps, num_frames in ((25.0, 30), (24.0, 29), (30.0, 36)):
        motion = tiny_predictor().predict(features, num_frames, fps=fps, own_shape=closed_lips())
        assert motion.shape == (num_frames, 57, 2)
        assert motion.dtype == np.float32
        assert np.isfinite(motion).all()


def test_closed_lips_stay_as_they_are_in_silence() -> None:
    model = tiny_predictor()
    silent = np.zeros(30, bool)
    motion = model.predict(torch.randn(120, 6), 30, fps=25.0, own_shape=closed_lips(), spoken=silent)
    assert np.abs(motion).max() == 0


def test_open_lips_go_to_the_networks_rest_in_silence() -> None:
    model = tiny_predictor()
    shape = closed_lips()
    shape[[37, 36, 35, 34, 33]] += 0.3
    silent = np.zeros(30, bool)
    motion = model.predict(torch.randn(120, 6), 30, fps=25.0, own_shape=shape, spoken=silent)
    rest = model(model.silent_row.expand(1, 16, -1), torch.from_numpy(shape)[None])[0].detach().numpy()
    np.testing.assert_allclose(motion, np.broadcast_to(rest, motion.shape), atol=1e-6)


def test_gain_scales_the_motion_around_its_mean() -> None:
    model = tiny_predictor()
    features = torch.randn(120, 6)
    once = model.predict(features, 30, fps=25.0, own_shape=closed_lips())
    model.config = dataclasses.replace(TINY, gain=2 * TINY.gain)
    twice = model.predict(features, 30, fps=25.0, own_shape=closed_lips())
    np.testing.assert_allclose(twice.mean(axis=0), once.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(twice - twice.mean(axis=0), 2 * (once - once.mean(axis=0)), atol=1e-5)


def test_a_frame_hears_only_what_is_near_it() -> None:
    model = tiny_predictor()
    model.config = dataclasses.replace(TINY, gain=1.0)  # any other gain looks at the mean of the whole motion
    features = torch.randn(400, 6)
    changed = features.clone()
    changed[300:] = 0
    before = model.predict(features, 100, fps=25.0, own_shape=closed_lips())
    after = model.predict(changed, 100, fps=25.0, own_shape=closed_lips())
    np.testing.assert_allclose(before[:60], after[:60], atol=1e-6)
    assert np.abs(before[80:] - after[80:]).max() > 0


def test_windows_outside_the_sound_are_filled() -> None:
    rows = torch.arange(5.0)[:, None].expand(5, 2)
    windows = cut_windows(rows, torch.tensor([0, 4]), 2, 2, fill=torch.tensor([-1.0, -2.0]))
    assert windows[:, :, 0].tolist() == [[-1, -1, 0, 1], [2, 3, 4, -1]]
    assert windows[0, 0].tolist() == [-1, -2]


def test_the_gate_is_half_open_where_speech_begins_and_ends() -> None:
    spoken = torch.zeros(50, dtype=torch.bool)
    spoken[20:30] = True
    gate = speech_gate(spoken, 25.0)
    assert gate[21:29].min() > 0.98
    assert float(gate[19] + gate[20]) == pytest.approx(1, abs=1e-4)
    assert gate[19] < 0.25 and gate[30] < 0.25
    assert gate[:17].max() == 0 and gate[33:].max() == 0


def test_lips_that_would_cross_touch_and_others_stay_as_they_are() -> None:
    own = torch.from_numpy(closed_lips())[None]
    own[:, LOWER] = own[:, UPPER] + torch.tensor([0.0, 0.2])
    crossed, parted = own.clone(), own + 0.01
    crossed[:, LOWER, 1] -= 0.3
    shapes = uncrossed(torch.cat([crossed, parted]), own)
    gap = shapes[:, LOWER, 1] - shapes[:, UPPER, 1]
    torch.testing.assert_close(gap[0], torch.full((9,), LEAST_GAP))
    middle = (crossed[0, LOWER, 1] + crossed[0, UPPER, 1]) / 2
    torch.testing.assert_close((shapes[0, LOWER, 1] + shapes[0, UPPER, 1]) / 2, middle)
    torch.testing.assert_close(shapes[1:], parted)


def test_the_motion_never_brings_the_lips_past_each_other() -> None:
    model = tiny_predictor()
    torch.nn.init.normal_(model.shape_basis)
    own = closed_lips()
    own[LOWER] = own[UPPER] + np.array([0, 0.1], np.float32)
    features = torch.randn(120, 6, generator=torch.Generator().manual_seed(0))
    shapes = own + model.predict(features, 30, fps=25.0, own_shape=own)
    gap = shapes[:, LOWER, 1] - shapes[:, UPPER, 1]
    assert gap.min() == pytest.approx(LEAST_GAP, abs=1e-5)
    assert (gap < LEAST_GAP + 1e-5).mean() > 0.1


def test_smoothing_keeps_what_is_constant() -> None:
    values = torch.full((9, 3, 2), 0.7)
    torch.testing.assert_close(smooth_over_time(values, 1.3), values)


def test_the_gap_is_that_of_the_inner_lips() -> None:
    shapes = torch.zeros(1, 57, 2)
    shapes[0, [37, 36, 35, 34, 33], 1] = 0.25
    assert float(inner_gap(shapes)[0]) == pytest.approx(0.25)
