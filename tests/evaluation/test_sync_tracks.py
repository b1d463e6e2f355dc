"""Tracks and crops against stored numbers of SyncNet's published pipeline, and cases worked by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid.evaluation.sync_crop import TrackCrop, cut, smoothed, square, whole_frame
from talkvid.evaluation.sync_shots import ShotWatch
from talkvid.evaluation.sync_tracks import FaceTrack, TrackRules, overlap, track_faces
from talkvid.records import Array

STORED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "evaluation" / "sync_tracks.json").read_text()
)
BOX = np.array([[100.0, 100.0, 220.0, 260.0]])
NO_BOX = np.zeros((0, 4))


def test_tracks_are_those_of_the_published_pipeline() -> None:
    boxes = [np.array(found).reshape(-1, 4) for found in STORED["boxes"]]
    tracks = track_faces(boxes, TrackRules()).tracks
    assert [(track.first_frame, len(track)) for track in tracks] == [
        (told["first"], told["frames"]) for told in STORED["tracks"]
    ]
    for track, told in zip(tracks, STORED["tracks"], strict=True):
        assert track.boxes.mean(axis=0) == pytest.approx(told["mean"], abs=1e-5)


def test_a_track_needs_more_sightings_than_the_rule_says() -> None:
    # Once: "at least 100" was told of tracks; the pipeline keeps only those with more than 100.
    assert track_faces([BOX] * 100, TrackRules()).tracks == ()
    found = track_faces([BOX] * 101, TrackRules())
    assert [len(track) for track in found.tracks] == [101] and found.num_short == 0
    refused = track_faces([BOX] * 100, TrackRules())
    assert (refused.num_short, refused.longest, refused.largest_px) == (1, 100, 0.0)


def test_a_shot_needs_at_least_as_many_pictures_and_no_track_crosses_a_cut() -> None:
    rules = TrackRules(min_track=20)
    assert [len(track) for track in track_faces([BOX] * 60, rules).tracks] == [60]
    cut_in_two = track_faces([BOX] * 60, rules, shots=[(0, 25), (25, 60)])
    assert [(track.first_frame, len(track)) for track in cut_in_two.tracks] == [(0, 25), (25, 35)]
    assert [len(track) for track in track_faces([BOX] * 60, rules, shots=[(0, 20), (20, 60)]).tracks] == [40]


@pytest.mark.parametrize(("missed", "lengths"), [(24, [64]), (25, [])])
def test_a_face_may_be_missed_for_twenty_four_pictures_and_its_boxes_are_filled_in(
    missed: int, lengths: list[int]
) -> None:
    boxes = [BOX] * 20 + [NO_BOX] * missed + [BOX + np.array([10.0, 0, 10, 0])] * 20
    found = track_faces(boxes, TrackRules(min_track=30))
    assert [len(track) for track in found.tracks] == lengths
    if lengths:
        track = found.tracks[0]
        assert track.num_seen == 40
        assert track.boxes[19 + 5] == pytest.approx(BOX[0] + np.array([10, 0, 10, 0]) * 5 / 25)


def test_small_faces_are_counted_and_left_out() -> None:
    found = track_faces([np.array([[0.0, 0, 100, 80]])] * 30, TrackRules(min_track=20))
    assert found.tracks == () and (found.num_small, found.largest_px) == (1, 100.0)
    assert len(track_faces([np.array([[0.0, 0, 80, 101]])] * 30, TrackRules(min_track=20)).tracks) == 1


def test_overlap_is_intersection_over_union() -> None:
    first = np.array([0.0, 0, 10, 10])
    assert overlap(first, first) == 1.0
    assert overlap(first, np.array([5.0, 0, 15, 10])) == pytest.approx(1 / 3)
    assert overlap(first, np.array([10.0, 0, 20, 10])) == 0.0
    assert overlap(np.zeros(4), np.zeros(4)) == 0.0


@pytest.mark.parametrize("wrong", [{"min_track": 0}, {"max_gap": 0}, {"min_overlap": 1.0}])
def test_impossible_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong)))):
        TrackRules(**wrong)


def test_crops_are_the_squares_of_the_published_pipeline() -> None:
    boxes = np.array(STORED["crop_boxes"])
    crop = TrackCrop(FaceTrack(0, boxes, len(boxes)))
    squares = [
        square(float(crop.centre_x[index]), float(crop.centre_y[index]), float(crop.half[index]))
        for index in range(len(boxes))
    ]
    assert squares == [tuple(told) for told in STORED["crop_squares"]]


def test_the_square_lies_below_the_face_and_is_wider_by_the_crop_scale() -> None:
    left, top, right, bottom = square(300.0, 200.0, 50.0)
    assert (left, right, top, bottom) == (230, 370, 150, 290)
    assert square(300.0, 200.0, 50.0, crop_scale=0.0) == (250, 150, 350, 250)


def test_what_lies_outside_the_picture_is_grey() -> None:
    picture = np.full((60, 80, 3), 200, np.uint8)
    part = cut(picture, -10, 50, 20, 80)
    assert part.shape == (30, 30, 3)
    assert (part[:10, 10:] == 200).all() and (part[10:] == 110).all() and (part[:, :10] == 110).all()
    assert (cut(picture, 200, 200, 230, 220) == 110).all() and (cut(picture, -50, -50, -20, -9) == 110).all()


def test_a_crop_shows_the_face_and_a_jump_of_one_box_does_not_move_it() -> None:
    boxes = np.repeat(BOX, 40, axis=0)
    boxes[20] += 60
    crop = TrackCrop(FaceTrack(5, boxes, 40))
    picture = np.zeros((400, 400, 3), np.uint8)
    left, top, right, bottom = square(160.0, 180.0, 80.0)
    picture[top:bottom, left:right] = 255
    for index in (7, 20, 32):
        assert (crop(picture, index) == 255).all() and crop(picture, index).shape == (224, 224, 3)


def test_the_running_median_sees_zeros_beyond_the_ends() -> None:
    values = np.arange(100.0, 130.0)
    assert smoothed(values)[[0, 15, 29]].tolist() == [100.0, 115.0, 123.0]


def test_the_whole_frame_is_stretched_and_one_of_the_right_size_stays() -> None:
    ramp = np.repeat(np.arange(112, dtype=np.uint8)[None, :, None], 300, axis=0).repeat(3, axis=2)
    stretched = whole_frame(ramp)
    assert stretched.shape == (224, 224, 3)
    # Bilinear with pixel centres: the middle of two neighbours lies a quarter from each new sample.
    assert stretched[10, 100:104, 0].tolist() == pytest.approx([49.75, 50.25, 50.75, 51.25], abs=0.5)
    right: Array = np.zeros((224, 224, 3), np.uint8)
    assert whole_frame(right) is right


def test_a_cut_is_found_and_all_pictures_belong_to_one_shot() -> None:
    pytest.importorskip("scenedetect")
    rng = np.random.default_rng(0)
    scenes = [np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8))] * 30
    scenes += [np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8))] * 30
    watch, alone = ShotWatch("content"), ShotWatch("none")
    for picture in scenes:
        watch.see(picture)
        alone.see(picture)
    assert watch.shots() == [(0, 30), (30, 60)]
    assert alone.shots() == [(0, 60)]
    # Once: a video without a cut gave no shot at all, so nothing of it was scored.
    still = ShotWatch("content")
    for picture in scenes[:30]:
        still.see(picture)
    assert still.shots() == [(0, 30)] and ShotWatch("content").shots() == []
    with pytest.raises(ValueError, match="choose one of content, none"):
        ShotWatch("hash")
