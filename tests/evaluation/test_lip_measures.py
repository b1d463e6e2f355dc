"""Lip distance, agreement of openings and rest in silence, on mouths whose answers are known."""

import numpy as np
import pytest

from talkvid.evaluation.lip_distance import lip_distance, lip_movement_distance, still_mouth, upright_lips
from talkvid.evaluation.opening_agreement import opening_agreement
from talkvid.evaluation.pairing import aligned, paired
from talkvid.evaluation.silence import mouth_rest
from talkvid.evaluation.tracks import FaceTracks, gather
from tests.evaluation.drawn import EYE_DISTANCE, babble, sighting, tracks_with

WAVE = 0.15 + 0.1 * np.sin(np.arange(100) / 5)


def rolled(tracks: FaceTracks, degrees: float) -> FaceTracks:
    """Return the same face with its head tilted."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    return FaceTracks(**{**vars(tracks), "lips": tracks.lips @ turn, "eyes": tracks.eyes @ turn})


def test_a_clip_against_itself_has_no_distance_wherever_the_face_is() -> None:
    truth = tracks_with(WAVE)
    moved = gather(
        [sighting(float(gap), jaw=float(gap), at=(50 + k, 300 - k)) for k, gap in enumerate(WAVE)],
        fps=25,
        size=(9, 9),
    )
    larger = FaceTracks(**{**vars(truth), "lips": truth.lips * 3, "eyes": truth.eyes * 3})
    for made in (truth, moved, larger):
        assert lip_distance(made, truth) == pytest.approx(0, abs=1e-4)
        assert opening_agreement(made, truth) == pytest.approx(1)


def test_the_distance_is_in_percent_of_the_eye_distance() -> None:
    narrow, wide = tracks_with(np.full(10, 0.1)), tracks_with(np.full(10, 0.1), width=np.full(10, 1.1))
    # Point x moves by 0.1 x / 0.5 eye distances to either side: over both rings' 20 places …
    places = np.abs(np.concatenate([np.linspace(-1, 1, 11), np.linspace(0.8, -0.8, 9)])).mean()
    assert lip_distance(wide, narrow) == pytest.approx(100 * 0.1 * places, rel=1e-4)
    # … but a mouth that is merely another one does not move differently.
    assert lip_movement_distance(wide, narrow) == pytest.approx(0, abs=1e-4)
    assert EYE_DISTANCE == 100


def test_a_tilted_head_counts_in_the_first_form_only() -> None:
    truth = tracks_with(WAVE)
    tilted = rolled(truth, 20)
    assert lip_distance(tilted, truth) > 5
    assert lip_movement_distance(tilted, truth) == pytest.approx(0, abs=1e-4)
    assert upright_lips(tilted) == pytest.approx(upright_lips(truth), abs=1e-4)


def test_talking_out_of_step_is_worse_than_a_still_mouth() -> None:
    truth = tracks_with(WAVE)
    opposite = truth.at((np.arange(100) + 16) % 100)
    still = still_mouth(truth)
    assert opening_agreement(opposite, truth) < -0.5 and opening_agreement(still, truth) == 0
    assert lip_movement_distance(opposite, truth) > lip_movement_distance(still, truth) > 0.5


def test_the_still_mouth_is_that_of_the_first_picture_with_a_face() -> None:
    truth = tracks_with(np.array([np.nan, 0.2, 0.4]))
    assert (still_mouth(truth).lips == truth.lips[1]).all() and len(still_mouth(truth)) == 3
    with pytest.raises(ValueError, match="no picture"):
        still_mouth(tracks_with(np.full(3, np.nan)))


def test_pictures_are_paired_by_time_and_only_where_both_have_a_face() -> None:
    truth = tracks_with(np.linspace(0, 1, 60), fps=30)
    made = tracks_with(np.r_[np.nan, np.linspace(0, 1, 49)], fps=25)
    ours, theirs = paired(made, truth)
    # Made picture k is shown at (k + 0.5) / 25 s: that is true picture floor(1.2 k + 0.6).
    assert len(ours) == len(theirs) == 49
    assert theirs.lips[:3, 5, 1].tolist() == truth.lips[[1, 3, 4], 5, 1].tolist()
    assert len(paired(tracks_with(np.full(100, 0.1)), tracks_with(np.full(40, 0.1)))[0]) == 40
    with pytest.raises(ValueError, match="share no picture"):
        paired(tracks_with(np.full(5, np.nan)), truth)


def test_rest_compares_silence_with_speech() -> None:
    rate, rng = 16000, np.random.default_rng(0)
    hum = np.sin(2 * np.pi * 150 * np.arange(2 * rate) / rate) * (1 + np.sin(np.arange(2 * rate) / 900))
    sound = np.r_[1e-4 * rng.standard_normal(2 * rate), 0.2 * hum, np.zeros(rate)].astype(np.float32)
    still, moving = 0.1 + 0.005 * rng.standard_normal(50), 0.1 + 0.05 * rng.standard_normal(50)
    rest = mouth_rest(tracks_with(np.r_[still, moving, still[:25]]), sound)
    assert rest.in_speech == pytest.approx(moving.std(), rel=0.25)
    assert rest.ratio == pytest.approx(0.1, abs=0.06)
    # The other way round: a mouth that talks while nobody speaks.
    assert mouth_rest(tracks_with(np.r_[moving, still, moving[:25]]), sound).ratio > 3


def test_rest_says_nothing_without_silence() -> None:
    sound, _ = babble(2.0, seed=0)
    assert np.isnan(mouth_rest(tracks_with(np.full(50, 0.1)), np.zeros_like(sound)).ratio)


def test_aligned_tracks_keep_pictures_without_a_face() -> None:
    truth = tracks_with(np.linspace(0, 1, 60), fps=30)
    ours, theirs = aligned(tracks_with(np.r_[np.nan, np.linspace(0, 1, 59)]), truth)
    # 60 made pictures last 2.4 s, the true clip 2 s: 50 moments are shared.
    assert len(ours) == len(theirs) == 50 and theirs.fps == 25
    assert not ours.found[0] and theirs.found.all()
    assert theirs.lips[:3, 5, 1].tolist() == truth.lips[[0, 1, 3], 5, 1].tolist()


def test_scaled_tracks_are_those_of_stretched_pictures() -> None:
    tracks = tracks_with(np.array([0.1, np.nan, 0.3]))
    wide = tracks.scaled((800, 200))
    assert wide.size == (800, 200) and tracks.scaled((400, 400)) is tracks
    np.testing.assert_allclose(wide.lips, tracks.lips * [2, 0.5, 2])
    np.testing.assert_allclose(wide.points, tracks.points * [2, 0.5])
    np.testing.assert_allclose(wide.box, tracks.box * [2, 0.5, 2, 0.5])
    assert wide.found.tolist() == [True, False, True]
