"""Metrics that look at the face, on mouths that open as planted."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.lip_distance import lip_distance, lip_movement_distance, still_mouth
from talkvid.evaluation.suite.metric import Measured
from talkvid.evaluation.suite.metrics.outcome import outcome
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.registry import METRICS, build_suite
from talkvid.evaluation.suite.weights import MetricSettings
from tests.evaluation.drawn import EYE_DISTANCE
from tests.evaluation.suite.fake_view import Clip, FakeView, talking

FACELESS = np.r_[0.1, np.nan, np.full(3, 0.1), np.nan, np.nan, np.full(3, 0.1)]
"""Three of ten pictures without a face, of those measured for sharpness (0 and 5) one."""


def measured(name: str, view: FakeView) -> Measured:
    found = build_suite([name], MetricSettings()).metrics[0].measure(view)
    assert set(found.values) == {column.key for column in METRICS[name].columns}
    assert all(value is None or np.isfinite(value) for value in found.values.values())
    assert {"yardstick": "told", "version": 1, "fps": view.made.fps}.items() <= dict(found.facts).items()
    assert found.facts["frames"] == len(view.clip) and found.facts["crop"]
    return found


def test_the_mel_measure_and_its_control_come_with_the_lag() -> None:
    truth, sound = talking(4.0, seed=1)
    others = [talking(4.0, seed=seed)[1] for seed in (7, 8)]
    found = measured("mel", FakeView(truth, heard=sound, others=others))
    assert found.values["mel"] > 0.4 > found.values["mel_control"]  # type: ignore[operator]
    margin = found.values["mel"] - found.values["mel_control"]  # type: ignore[operator]
    assert found.values["mel_margin"] == pytest.approx(margin) and found.facts["above_all_controls"] is True
    assert found.values["mel_sure_lag_s"] == found.values["mel_lag_s"]
    assert found.facts["controls"] == 2 and found.facts["control"] == "sounds of other clips"
    late, _ = talking(4.0, seed=1, late_s=0.12)
    lag = measured("mel", FakeView(late, heard=sound, others=others)).values["mel_lag_s"]
    assert lag - found.values["mel_lag_s"] == pytest.approx(0.12, abs=0.021)  # type: ignore[operator]


def test_without_other_clips_the_own_sound_is_turned_round() -> None:
    truth, sound = talking(6.0, seed=1)
    found = measured("mel", FakeView(truth, heard=sound))
    assert found.facts["control"] == "own sound turned round" and found.facts["controls"] == 9
    short, quick = talking(1.5, seed=1)
    found = measured("mel", FakeView(short, heard=quick))
    assert found.values["mel_control"] is found.values["mel_margin"] is None
    assert any("1.50 s are too short" in note for note in found.notes)


def test_a_still_mouth_has_no_lag_and_measure_0() -> None:
    _, sound = talking(4.0, seed=1)
    found = measured("mel", FakeView(Clip(np.full(100, 0.1)), heard=sound))
    assert found.values["mel"] == 0 and found.values["mel_lag_s"] is None
    assert found.values["mel_sure_lag_s"] is None
    assert "no mel_lag_s: the mouth stands still" in found.notes


def test_a_lag_that_is_not_sure_is_left_out_of_the_sure_ones() -> None:
    truth, _ = talking(4.0, seed=1)
    found = measured("mel", FakeView(truth, heard=talking(4.0, seed=9)[1], others=[talking(4.0, seed=7)[1]]))
    assert found.values["mel_lag_s"] is not None and found.values["mel_sure_lag_s"] is None
    assert any(note.startswith("no mel_sure_lag_s: the correlation is too") for note in found.notes)


def test_a_mouth_that_rests_in_silence_is_told_from_one_that_does_not() -> None:
    rate, rng = 16000, np.random.default_rng(0)
    hum = np.sin(2 * np.pi * 150 * np.arange(2 * rate) / rate) * (1 + np.sin(np.arange(2 * rate) / 900))
    sound = np.r_[1e-4 * rng.standard_normal(2 * rate), 0.2 * hum].astype(np.float32)
    rest, talk = 0.1 + 0.005 * rng.standard_normal(50), 0.1 + 0.05 * rng.standard_normal(50).clip(-1.5, 1.5)
    calm = measured("silence", FakeView(Clip(np.r_[rest, talk]), heard=sound))
    restless = measured("silence", FakeView(Clip(np.r_[talk, rest]), heard=sound))
    assert calm.values["rest_ratio"] < 0.5 and restless.values["rest_ratio"] > 2  # type: ignore[operator]
    assert calm.values["opening_in_speech"] == pytest.approx(talk.std(), rel=0.25)
    silent = measured("silence", FakeView(Clip(np.r_[rest, talk]), heard=np.zeros_like(sound)))
    assert silent.values["opening_in_speech"] is silent.values["rest_ratio"] is None
    assert len(silent.notes) == 2 and "while the sound speaks" in silent.notes[0]


def test_lips_are_measured_beside_a_still_mouth() -> None:
    truth, _ = talking(4.0, seed=1)
    found = measured("lips", FakeView(truth, truth=truth))
    assert found.values["lip_distance"] == pytest.approx(0, abs=1e-4) and found.values[
        "opening_r"
    ] == pytest.approx(1)
    still = still_mouth(truth.look.tracks)
    for key, distance in (("lip_distance", lip_distance), ("lip_movement", lip_movement_distance)):
        assert found.values[f"{key}_still"] == pytest.approx(distance(still, truth.look.tracks))
    frozen = measured("lips", FakeView(Clip(np.full(100, truth.opening[0])), truth=truth))
    assert frozen.values["lip_distance"] == pytest.approx(frozen.values["lip_distance_still"])
    assert frozen.values["opening_r"] == 0


def test_the_form_of_lmd_is_in_pixels_of_the_true_video() -> None:
    # All points of a mouth twice as open in the middle: worked by hand from the drawn rings.
    made, truth = Clip(np.full(6, 0.3)), Clip(np.full(6, 0.1))
    places = [clip.look.tracks.lips[0, :, :2].astype(np.float64) for clip in (made, truth)]
    apart = np.linalg.norm(places[0] - places[0].mean(0) - places[1] + places[1].mean(0), axis=1).mean()
    found = measured("lmd", FakeView(made, truth=truth))
    assert found.values["lmd_form_px"] == pytest.approx(apart, rel=1e-5) and apart > 1
    assert found.values["lmd_form_eyes"] == pytest.approx(apart / EYE_DISTANCE, rel=1e-5)
    assert (
        found.facts["lmd_name"] == "LMD form, 40 lip points" and found.facts["akd_name"] == "AKD form (told)"
    )


def test_a_made_video_of_another_size_is_brought_to_the_true_ones() -> None:
    # Once: pixels of a small video were compared with pixels of a large one.
    truth = Clip(np.full(6, 0.1))
    small = Clip(np.full(6, 0.3), size=200)
    same, resized = (measured("lmd", FakeView(made, truth=truth)) for made in (Clip(np.full(6, 0.3)), small))
    for key, value in same.values.items():
        assert resized.values[key] == pytest.approx(value, rel=1e-5)
    assert resized.facts["size"] == "200x200" and resized.facts["lmd_size"] == "400x400"
    halved = measured("lmd", FakeView(Clip(np.full(6, 0.3)), truth=Clip(np.full(6, 0.1), size=200)))
    assert halved.values["lmd_form_px"] == pytest.approx(same.values["lmd_form_px"] / 2, rel=1e-5)  # type: ignore[operator]
    assert halved.values["akd_form"] == pytest.approx(same.values["akd_form"], rel=1e-5)


def test_the_form_of_akd_is_the_shift_of_the_whole_face_at_256() -> None:
    truth = Clip(np.full(6, 0.1))
    moved = dataclasses.replace(truth, shift=(25.0, 0.0))
    found = measured("lmd", FakeView(moved, truth=truth))
    # 25 of 400 px are 16 of 256, in one of two directions; about its own centre nothing has moved.
    assert found.values["akd_form"] == pytest.approx(8, rel=1e-5)
    assert found.facts["akd_l2"] == pytest.approx(16, rel=1e-5)
    assert found.values["lmd_form_px"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", ["lips", "lmd", "sharpness"])
def test_pictures_without_a_face_are_left_out_counted_and_told(name: str) -> None:
    # Once: a picture without a face stopped the measuring of all.
    full = Clip(np.full(10, 0.1))
    found = measured(name, FakeView(Clip(FACELESS), truth=full))
    assert found.facts["faceless"] == 3
    assert "3 of 10 made pictures show no face and are left out" in found.notes
    assert None not in found.values.values()
    reverse = build_suite([name], MetricSettings()).metrics[0]
    if name != "sharpness":
        found = reverse.measure(FakeView(full, truth=Clip(FACELESS)))
        assert found.facts["true_faceless"] == 3 and "3 of 10 true pictures" in found.notes[0]


@pytest.mark.parametrize("name", ["mel", "silence", "lips", "lmd", "sharpness"])
def test_a_video_without_any_face_has_no_number_but_a_reason(name: str) -> None:
    view = FakeView(Clip(np.full(10, np.nan)), truth=Clip(np.full(10, 0.1)), heard=talking(2.0)[1])
    with pytest.raises(ValueError, match="no face is found in any of the 10 pictures of the made video"):
        build_suite([name], MetricSettings()).metrics[0].measure(view)


def test_faces_are_counted_in_shares() -> None:
    found = measured("faces", FakeView(Clip(FACELESS)))
    assert dict(found.values) == {"one_face": 70, "no_face": 30, "more_faces": 0}
    several = measured("faces", FakeView(Clip(np.full(4, 0.1), num_faces=2)))
    assert dict(several.values) == {"one_face": 0, "no_face": 0, "more_faces": 100}
    none = measured("faces", FakeView(Clip(np.full(4, np.nan), num_faces=0)))
    assert dict(none.values) == {"one_face": 0, "no_face": 100, "more_faces": 0}


def test_flicker_is_told_of_both_and_as_a_ratio_and_drift_alone() -> None:
    flashing = Clip(np.full(60, 0.1), brightness=np.tile([0, 6], 30))
    calmer = Clip(np.full(60, 0.1), brightness=np.tile([0, 2], 30))
    found = measured("flicker", FakeView(flashing, truth=calmer))
    # `Clip.look` is taken of the drawn pictures, whose brightness the look sees too.
    assert found.values["flicker"] == pytest.approx(6, abs=0.01)
    assert found.values["flicker_ratio"] == pytest.approx(3, abs=0.01)
    still = measured("flicker", FakeView(flashing, truth=Clip(np.full(60, 0.1))))
    assert still.values["flicker_ratio"] is None and "nothing changes" in still.notes[0]
    paling = Clip(np.full(75, 0.1), brightness=np.repeat([0, 10, 20], 25))
    assert measured("drift", FakeView(paling)).values["drift"] == pytest.approx(20, abs=0.01)


def test_rates_that_differ_are_told_beside_the_flicker() -> None:
    made, truth = (Clip(np.full(60, 0.1), brightness=np.tile([0, 2], 30), fps=fps) for fps in (25.0, 30.0))
    assert "25 and 30 pictures per second" in measured("flicker", FakeView(made, truth=truth)).notes[0]


def test_sharpness_is_told_beside_the_portrait_that_was_taken() -> None:
    truth = Clip(np.full(6, 0.1))
    found = measured("sharpness", FakeView(truth, truth=truth))
    assert found.values["sharpness_ratio"] == pytest.approx(1)
    assert found.facts["portrait"] == "the true video's first picture" and found.facts["measured"] == 2
    alone = measured("sharpness", FakeView(truth))
    assert alone.facts["portrait"] == "the made video's own first picture"
    with pytest.raises(ValueError, match="no face is found in the portrait"):
        measured("sharpness", FakeView(truth, portrait=Clip(np.array([np.nan]))))


def test_duration_needs_no_face(tmp_path: Path) -> None:
    from tests.evaluation.test_sync_video import states, write_flashes
    from tests.media.conftest import write_wav

    wave = write_wav(tmp_path / "one.wav", 0.1 * np.ones(16000), 16000)
    video = write_flashes(tmp_path / "one.mp4", states(22), 25, wave)
    view = FakeView(Clip(np.full(22, np.nan)), pair=Pair("ours", "clip", video, audio=wave))
    found = build_suite(["duration"], MetricSettings()).metrics[0].measure(view)
    assert found.values["missing_frames"] == 3 and found.values["duration_right"] == 0
    assert found.values["late_s"] == pytest.approx(-0.12, abs=1e-3)
    assert "22 pictures where the sound asks for 25" in found.notes[0]
    assert found.facts["fps"] == 25 and found.facts["wanted_frames"] == 25
    right = write_flashes(tmp_path / "two.mp4", states(25), 25, wave)
    view = FakeView(Clip(np.full(25, np.nan)), pair=Pair("ours", "clip", right, audio=wave))
    found = build_suite(["duration"], MetricSettings()).metrics[0].measure(view)
    assert found.values["missing_frames"] == 0 and found.values["duration_right"] == 1 and not found.notes


def test_a_value_that_is_no_number_never_leaves() -> None:
    # Once: a NaN of one clip made the mean of all NaN.
    found = outcome(
        {"a": float("nan"), "b": float("inf"), "c": None, "d": 1},
        facts={},
        absent={"a": "nothing moves", "c": "no true video"},
    )
    assert dict(found.values) == {"a": None, "b": None, "c": None, "d": 1.0}
    assert found.notes == ("no a: nothing moves", "no b: not a finite number", "no c: no true video")


def test_metrics_against_a_true_video_say_when_there_is_none() -> None:
    view = FakeView(Clip(np.full(6, 0.1)))
    for name, entry in METRICS.items():
        if entry.weights or not any(need.name == "REFERENCE" for need in entry.needs):
            continue
        with pytest.raises(ValueError, match="no true video"):
            build_suite([name], MetricSettings()).metrics[0].measure(view)
