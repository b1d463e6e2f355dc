"""The embedded motion scores on drawn clips: what they notice, and what they let pass."""

import time

import numpy as np
import pytest

from talkvid.curation.motion import EmbeddedMotionScorer, MotionConfig, build_motion_scorer
from talkvid.curation.motion_frames import segment_pictures
from talkvid.curation.point_track_clip import PointTrackClip, stretches
from talkvid.curation.point_tracks import PointTracks, grid_points
from talkvid.media.luma import small_luma
from talkvid.records import Array

from .drawn_motion import clip_of, room, shaken, texture


def scores_of(frames: Array, fps: float = 25.0) -> dict[str, float]:
    """Return the scores of grey frames (F H W), shown as the shared decode shows them."""
    scorer, span = EmbeddedMotionScorer(), clip_of(len(frames), fps)
    look = scorer.begin(span)
    for index in scorer.wanted(span):
        look.see_luma(index, frames[index])
    return dict(look.finish())


@pytest.fixture(scope="module")
def good() -> dict[str, float]:
    return scores_of(room())


def test_a_calm_head_before_a_still_wall_is_in_range(good: dict[str, float]) -> None:
    assert 0.8 < good["point_track_ratio"] < 1.0
    assert good["point_track_lowest"] > 0.8
    assert good["point_track_shake"] < 0.1
    assert good["point_track_longest_still_s"] < 0.5


def test_a_frozen_picture_keeps_every_point_and_stands_still_all_the_time() -> None:
    scores = scores_of(np.repeat(room(1), 120, axis=0))
    assert scores["point_track_ratio"] == 1.0
    # Counted from the first to the last picture looked at: 0.2 s at each end are left out.
    assert scores["point_track_longest_still_s"] == pytest.approx(4.8 - 2 * 0.2, abs=0.5)


def test_a_freeze_of_two_seconds_inside_a_clip_is_noticed(good: dict[str, float]) -> None:
    frames = room()
    frames[40:90] = frames[40]
    scores = scores_of(frames)
    assert scores["point_track_longest_still_s"] == pytest.approx(2.0, abs=0.4)
    assert good["point_track_longest_still_s"] < 0.5


def test_codec_noise_on_a_frozen_picture_does_not_hide_it() -> None:
    frozen = np.repeat(room(1), 120, axis=0).astype(np.int16)
    noise = np.random.default_rng(0).integers(-2, 3, frozen.shape)
    scores = scores_of(np.clip(frozen + noise, 0, 255).astype(np.uint8))
    assert scores["point_track_longest_still_s"] > 4.0
    assert scores["point_track_ratio"] == 1.0


@pytest.mark.parametrize("at", [0.25, 0.5, 0.9])
def test_a_hidden_cut_pulls_the_lowest_share_down_wherever_it_lies(at: float) -> None:
    first, second = room(), room(seed=7)
    cut = int(len(first) * at)
    scores = scores_of(np.concatenate([first[:cut], second[cut:]]))
    assert scores["point_track_lowest"] < 0.35
    assert scores["point_track_ratio"] < 0.95


def test_a_cut_between_the_stretches_of_a_long_clip_is_noticed_too() -> None:
    # 25 s: the published stretches leave out 6 to 9.5 s and 15.5 to 19 s.
    first, second = room(625), room(625, seed=7)
    chosen = {index for pictures in segment_pictures(25.0, 625, 25.0) for index in pictures}
    cut = 200
    assert not any(index in chosen for index in range(170, 230))
    scores = scores_of(np.concatenate([first[:cut], second[cut:]]))
    assert scores["point_track_lowest"] < 0.35
    assert scores["point_track_ratio"] > 0.85


def test_a_cut_behind_the_last_look_is_noticed_too() -> None:
    # 124 pictures: looks at 5, 17 … 113, and 0.2 s at the end are left out.
    scores = scores_of(np.concatenate([room(124)[:115], room(124, seed=7)[115:]]))
    assert scores["point_track_lowest"] < 0.35
    assert scores["point_track_ratio"] > 0.85


@pytest.mark.parametrize("amplitude", [4.0, 10.0])
def test_a_trembling_camera_shakes_what_is_background(amplitude: float, good: dict[str, float]) -> None:
    scores = scores_of(shaken(room(), amplitude))
    assert scores["point_track_shake"] > 0.5 * amplitude / 3.2
    assert scores["point_track_ratio"] < good["point_track_ratio"]


def test_an_even_pan_is_not_shake_but_loses_what_leaves_the_picture() -> None:
    wide = texture(3, 180, 700)
    frames = np.stack([wide[:, number : number + 320] for number in range(120)])
    scores = scores_of(frames)
    assert scores["point_track_shake"] < 0.2
    assert 0.6 < scores["point_track_ratio"] < 0.95


def test_points_hidden_by_an_arm_are_lost_and_found_again() -> None:
    frames = room(head=False)
    arm = texture(50)[:, :120]
    first, hidden = frames[0], frames[1].copy()
    hidden[:, 100:220] = arm
    tracks = PointTracks(first)
    covered = (grid_points(180, 320)[:, 0] > 110) & (grid_points(180, 320)[:, 0] < 210)
    tracks.step(hidden)
    assert tracks.visible[covered].mean() < 0.35
    assert tracks.visible[~covered].mean() > 0.95
    tracks.step(frames[2])
    assert tracks.visible.all()


def test_followed_points_move_as_the_picture_does() -> None:
    wide = texture(4, 200, 360)
    step = PointTracks(wide[10:190, 20:340]).step(wide[8:188, 15:335])
    assert step.visible.mean() > 0.9
    assert np.nanmedian(step.moves, axis=0) == pytest.approx([5, 2], abs=0.1)


def test_points_without_texture_stay_in_sight_and_say_nothing_of_the_camera() -> None:
    flat = np.full((180, 320), 90, np.uint8)
    tracks = PointTracks(flat)
    step = tracks.step(flat + np.random.default_rng(0).integers(0, 4, flat.shape).astype(np.uint8))
    assert step.visible.all() and np.isnan(step.moves).all()
    assert not tracks.step(np.full_like(flat, 160)).visible.any()


@pytest.mark.parametrize("seconds", [1, 5, 9, 16, 25, 40])
def test_looks_are_among_the_pictures_that_are_wanted(seconds: int) -> None:
    parts = stretches(25.0, 25 * seconds, float(seconds))
    assert [list(part.looks) for part in parts if part.scored] == segment_pictures(
        25.0, 25 * seconds, float(seconds)
    )
    wanted = EmbeddedMotionScorer().wanted(clip_of(25 * seconds))
    assert list(wanted) == sorted(set(wanted))
    assert wanted[0] >= 0 and wanted[-1] < 25 * seconds
    for part in parts:
        assert set(part.looks) <= set(part.pictures) <= set(wanted)
    # Nowhere is there a gap of more than a step: cuts and freezes have no place to hide in.
    assert np.diff(wanted).max(initial=0) <= 5
    assert wanted[0] <= 5 and 25 * seconds - wanted[-1] <= 6


@pytest.mark.parametrize("frames", [1, 2, 3, 12])
def test_a_clip_of_a_few_pictures_has_finite_scores(frames: int) -> None:
    # Once: clips of less than a second stopped the program or lost the clip.
    scores = scores_of(room(frames))
    assert all(np.isfinite(value) for value in scores.values())
    assert 0 <= scores["point_track_ratio"] <= 1


@pytest.mark.parametrize("shape", [(16, 24), (2160, 3840), (320, 180), (3, 500)])
def test_any_size_of_picture_is_brought_to_one_size(shape: tuple[int, int]) -> None:
    small = small_luma(np.zeros((*shape, 3), np.uint8), 320)
    assert max(small.shape) == 320
    parts = stretches(25.0, 3, 0.12)
    clip = PointTrackClip(25.0, parts)
    for index in range(3):
        clip.see(index, np.zeros((*shape, 3), np.uint8))
    assert clip.finish()["point_track_ratio"] == 1.0


def test_pictures_of_other_scorers_are_not_looked_at() -> None:
    frames, span = room(60), clip_of(60)
    scorer = EmbeddedMotionScorer()
    look = scorer.begin(span)
    for index, frame in enumerate(frames):
        look.see_luma(index, frame)
    assert dict(look.finish()) == scores_of(frames)


def test_a_clip_of_five_seconds_costs_little() -> None:
    begin = time.process_time()
    scores_of(room(125))
    assert time.process_time() - begin < 1.0


def test_the_embedded_scorer_is_the_default_and_names_itself() -> None:
    scorer = build_motion_scorer(MotionConfig())
    assert (scorer.stage, scorer.backend) == ("motion", "embedded")
    assert scorer.signature()["backend"] == "embedded"
