"""The mel measure: a mouth that follows the sound scores high, a late, foreign or still one does not."""

from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.lags import LagCurve, correlations, lag_curve, ranking_share
from talkvid.evaluation.mel_fit import fit, save_weights
from talkvid.evaluation.mel_measure import (
    NUM_INPUTS,
    WEIGHTS_FILE,
    MelWeights,
    control,
    default_weights,
    load_weights,
    mel_agreement,
    sound_inputs,
)
from talkvid.evaluation.mouth_signals import mouth_signals, resampled
from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array
from tests.evaluation.drawn import babble, opening_from, tracks_with

SECONDS = 8.0


def clip(seed: int, *, late_s: float = 0.0) -> tuple[FaceTracks, Array]:
    sound, loudness = babble(SECONDS, seed=seed)
    opening = opening_from(loudness, late_s=late_s)
    return tracks_with(opening, width=1.0 - opening), sound


@pytest.fixture(scope="module")
def weights() -> MelWeights:
    """Weights fitted on mouths that follow loudness exactly."""
    return fit(clip(seed) for seed in range(12))


def test_opening_and_width_come_out_in_eye_distances_whatever_the_depth() -> None:
    tracks = tracks_with(np.array([0.1, 0.2, np.nan]), width=np.array([0.8, 1.0, np.nan]))
    signals = mouth_signals(tracks)
    assert signals.opening[:2] == pytest.approx([0.1, 0.2], abs=1e-6)
    assert signals.width[:2] == pytest.approx([0.8, 1.0], abs=1e-6)
    assert signals.known.tolist() == [True, True, False]
    # A head turned by 60 degrees: x shrinks to a half and the rest becomes depth, in eyes and lips alike.
    turn = np.array([[0.5, 0, np.sqrt(0.75)], [0, 1, 0], [-np.sqrt(0.75), 0, 0.5]])
    turned = FaceTracks(**{**vars(tracks), "lips": tracks.lips @ turn, "eyes": tracks.eyes @ turn})
    assert mouth_signals(turned).width[:2] == pytest.approx([0.8, 1.0], abs=1e-5)


def test_resampling_keeps_time_and_marks_what_was_not_seen() -> None:
    opening = np.linspace(0.1, 0.5, 50)
    opening[20:30] = np.nan
    values, known = resampled(mouth_signals(tracks_with(opening, fps=25.0)))
    assert len(values) == 100 and known.sum() == 80 and not known[40:60].any()
    # Picture 10 shows the moment (10 + 0.5) / 25 = 0.42 s, which lies between rows 20 and 21.
    assert values[20:22, 0].mean() == pytest.approx(opening[10], abs=1e-3)


def test_a_mouth_that_follows_scores_high_and_the_controls_do_not(weights: MelWeights) -> None:
    tracks, sound = clip(100)
    found = mel_agreement(tracks, sound, weights=weights)
    assert found.score > 0.8 and found.at_zero > 0.8
    assert abs(found.lag_s) <= 0.021
    foreign = control(tracks, sound, others=[clip(seed)[1] for seed in (101, 102, 103)], weights=weights)
    turned = control(tracks, sound, weights=weights)
    assert len(foreign) == 3 and len(turned) == 13
    assert max(foreign.mean(), turned.mean()) < found.score - 0.3


@pytest.mark.parametrize("late_s", [-0.2, 0.1, 0.2])
def test_a_late_mouth_has_a_positive_lag(weights: MelWeights, late_s: float) -> None:
    tracks, sound = clip(100, late_s=late_s)
    found = mel_agreement(tracks, sound, weights=weights)
    assert found.lag_s == pytest.approx(late_s, abs=0.03)
    assert found.score > 0.8 > found.at_zero


@pytest.mark.parametrize("pictures", [-5, 5])
def test_a_planted_shift_of_the_sound_is_found_with_its_sign_and_surely(
    weights: MelWeights, pictures: int
) -> None:
    found, late_s = [], pictures / 25
    for seed in range(100, 104):
        tracks, sound = clip(seed)
        late = np.roll(sound, round(late_s * 16000))
        agreement = mel_agreement(tracks, late, weights=weights)
        assert agreement.lag_is_sure and agreement.rise > 0.2
        found.append(agreement.lag_s)
    # The sound is late, hence the mouth early.
    assert found == pytest.approx([-late_s] * 4, abs=0.04)


def test_the_lag_of_a_foreign_sound_and_one_at_the_end_of_the_reach_are_not_sure(weights: MelWeights) -> None:
    tracks, sound = clip(100)
    foreign = [mel_agreement(tracks, clip(seed)[1], weights=weights) for seed in range(101, 111)]
    assert sum(one.lag_is_sure for one in foreign) <= 1
    late = np.roll(sound, round(0.34 * 16000))
    at_the_end = mel_agreement(tracks, late, weights=weights)
    assert at_the_end.score > 0.25 and at_the_end.lag_s == -0.3
    assert at_the_end.rise == 0.0 and not at_the_end.lag_is_sure


def test_a_peak_rises_above_what_lies_beyond_it_only_inside_the_reach() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.6, 0.5, 0.2, 0.25, 0.0, 0.0])
    curve = LagCurve(values, rate_hz=10)
    assert curve.rise(within_s=0.1) == pytest.approx(0.35)
    assert curve.rise(within_s=0.0) == pytest.approx(0.1)
    assert LagCurve(values[3:], rate_hz=10).rise(within_s=0.1) == 0.0
    assert LagCurve(values[:4], rate_hz=10).rise(within_s=0.1) == 0.0
    assert LagCurve(np.zeros(31), rate_hz=50).rise(within_s=0.1) == 0.0


def test_a_sound_half_a_second_late_is_out_of_reach(weights: MelWeights) -> None:
    tracks, sound = clip(100)
    late = np.concatenate([np.zeros(8000, np.float32), sound])[: len(sound)]
    assert mel_agreement(tracks, late, weights=weights).score < 0.5


def test_still_and_unseen_mouths_score_nothing(weights: MelWeights) -> None:
    _, sound = clip(100)
    trembling = 0.1 + 0.0005 * np.random.default_rng(0).standard_normal(200)
    for opening in (np.full(200, 0.1), trembling, np.full(200, np.nan)):
        found = mel_agreement(tracks_with(opening), sound, weights=weights)
        assert found.score == 0.0 and np.isnan(found.lag_s)


def test_tracks_without_blendshapes_are_judged_by_the_lips(weights: MelWeights) -> None:
    tracks, sound = clip(100)
    bare = FaceTracks(**{**vars(tracks), "jaw_open": np.full(len(tracks), np.nan, np.float32)})
    assert mel_agreement(bare, sound, weights=weights).score > 0.8


def test_frame_rates_do_not_matter(weights: MelWeights) -> None:
    sound, loudness = babble(SECONDS, seed=100)
    opening = opening_from(loudness, fps=30.0)
    found = mel_agreement(tracks_with(opening, fps=30.0, width=1.0 - opening), sound, weights=weights)
    assert found.score > 0.8 and abs(found.lag_s) <= 0.021


def test_inputs_are_half_a_second_of_forty_bands_without_the_clips_mean() -> None:
    sound, _ = babble(2.0, seed=1)
    inputs = sound_inputs(sound)
    assert inputs.shape == (100, NUM_INPUTS) == (100, 1000)
    windows = inputs.reshape(100, 40, 25)
    assert windows[:, :, 12].mean(axis=0) == pytest.approx(np.zeros(40), abs=1e-6)
    # Row 60's window is rows 48 to 72, and its middle is row 60 itself.
    assert windows[60, :, 0] == pytest.approx(windows[48, :, 12])
    quieter = sound_inputs(sound * np.float32(0.2))
    assert quieter == pytest.approx(inputs, abs=1e-3)


def test_lag_curve_finds_a_planted_shift_and_leaves_unknown_rows_out() -> None:
    rng = np.random.default_rng(3)
    told = rng.standard_normal((300, 1))
    mouth = np.roll(told, 7, axis=0)
    known = np.ones(300, bool)
    mouth[100:150], known[100:150] = 1e6, False
    curve = lag_curve(mouth, told, known, rate_hz=50, reach_s=0.3)
    assert curve.best_lag_s == pytest.approx(0.14) and curve.best == pytest.approx(1.0)
    assert lag_curve(mouth[:40], told[:40], known[:40], rate_hz=50, reach_s=0.3).best == 0.0


def test_correlation_of_a_constant_is_nothing_and_auc_counts_pairs() -> None:
    steady, rising = np.ones((9, 1)), np.arange(9.0)[:, None]
    assert correlations(steady, rising).tolist() == [0.0]
    assert correlations(rising, 5 - 2 * rising).tolist() == pytest.approx([-1.0])
    assert ranking_share(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx(3.5 / 4)


def test_weights_survive_their_file_and_a_wrong_file_is_named(tmp_path: Path, weights: MelWeights) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(weights, path, metadata={"clips": "drawn"})
    assert load_weights(path).matrix == pytest.approx(weights.matrix, abs=1e-6)
    save_weights(MelWeights(weights.matrix[:10], weights.offset), path, metadata={})
    with pytest.raises(ValueError, match="expected"):
        load_weights(path)
    with pytest.raises(FileNotFoundError, match="no weights"):
        load_weights(tmp_path / "absent.safetensors")


def test_fitting_nothing_is_an_error_and_a_still_clip_teaches_nothing() -> None:
    _, sound = clip(0)
    with pytest.raises(ValueError, match="no clip"):
        fit([(tracks_with(np.full(200, 0.1)), sound)])


def test_the_packages_weights_are_small_and_say_what_they_learned_from() -> None:
    from safetensors import safe_open

    assert WEIGHTS_FILE.stat().st_size < 200_000
    assert np.isfinite(default_weights().matrix).all() and default_weights().matrix.any()
    with safe_open(WEIGHTS_FILE, "np") as file:
        told = file.metadata()
    assert "CC BY-NC" in told["license"] and len(told["clips"].split()) > 40
    assert "generated" not in told["clips"]
    assert (WEIGHTS_FILE.parent / "README.md").read_text(encoding="utf-8").count("CC BY-NC") >= 1
