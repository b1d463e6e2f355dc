"""Looking at videos with a yardstick that is told what to see, and the table made of it."""

import json
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.following import cache_name
from talkvid.evaluation.mouth_report import COLUMNS, Case, measure_case, mouth_report
from talkvid.evaluation.report_writer import HEADINGS, as_json, as_markdown, as_page, write_report
from talkvid.evaluation.tracks import load_tracks, save_tracks
from talkvid.evaluation.video_look import VideoLook, kept_look, load_look, look_at, save_look
from talkvid.evaluation.yardstick import FaceYardstick
from talkvid.face.mediapipe_backend import MediapipeFace
from talkvid.records import Array
from tests.evaluation.drawn import ToldYardstick, babble, opening_from, sighting

GREYISH = (90, 120, 150)
OFFICIAL = ("lse", "lmd", "fid", "fvd", "sync-c", "sync-d")


class ColourEmbedder:
    """Knows people by the mean colour of the picture."""

    name, measure = "colour", "identity cosine"

    def embed(self, picture: Array, points: Array) -> Array:
        colour = picture.mean(axis=(0, 1))
        return colour / np.linalg.norm(colour)


def pictures(count: int, colour: tuple[int, int, int] = GREYISH) -> Iterator[Array]:
    rng = np.random.default_rng(0)
    still = np.clip(np.array(colour) + rng.normal(0, 20, (400, 400, 3)), 0, 255).astype(np.uint8)
    return (still for _ in range(count))


def look_of(opening: Array, colour: tuple[int, int, int] = GREYISH, *, num_faces: int = 1) -> VideoLook:
    seen = [sighting(gap, width=1 - gap, jaw=gap) if np.isfinite(gap) else None for gap in opening]
    yardstick = ToldYardstick(seen, num_faces)
    return look_at(pictures(len(opening), colour), yardstick, fps=25, embedder=ColourEmbedder())


def test_a_look_holds_every_picture_once_and_every_fifth_in_full() -> None:
    look = look_of(np.r_[0.1, np.nan, 0.3, np.full(9, 0.2)])
    assert len(look.tracks) == 12 and look.tracks.found.sum() == 11
    assert look.sharpness.shape == (3,) and look.embeddings.shape == (3, 3)
    assert look.tracks.size == (400, 400) and look.flicker == 0 and look.drift == 0
    assert look.tracks.one_face_share == pytest.approx(11 / 12)
    assert look_of(np.full(4, 0.1), num_faces=2).tracks.one_face_share == 0
    with pytest.raises(ValueError, match="no pictures"):
        look_of(np.zeros(0))


def test_looks_and_tracks_survive_their_files_and_are_made_once(tmp_path: Path) -> None:
    look = look_of(np.r_[np.nan, np.full(6, 0.2)])
    save_look(look, tmp_path / "look.npz")
    again = load_look(tmp_path / "look.npz")
    assert again is not None and again.drift == look.drift
    np.testing.assert_array_equal(again.tracks.lips, look.tracks.lips)
    np.testing.assert_array_equal(again.embeddings, look.embeddings)
    save_tracks(look.tracks, tmp_path / "tracks.npz")
    tracks = load_tracks(tmp_path / "tracks.npz")
    assert tracks is not None and tracks.fps == 25 and tracks.size == (400, 400)
    np.testing.assert_array_equal(tracks.num_faces, look.tracks.num_faces)
    assert load_tracks(tmp_path / "none.npz") is None

    made: list[int] = []

    def make() -> VideoLook:
        made.append(1)
        return look

    for _ in range(2):
        kept_look(tmp_path / "kept.npz", make)
    kept_look(None, make)
    assert len(made) == 2


def test_a_changed_video_is_looked_at_again(tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"one")
    before = cache_name(video)
    assert cache_name(video) == before and cache_name(video, told="other") != before
    video.write_bytes(b"longer")
    assert cache_name(video) != before


def talking(seed: int, *, colour: tuple[int, int, int] = GREYISH) -> tuple[VideoLook, Array]:
    sound, loudness = babble(6.0, seed=seed)
    return look_of(opening_from(loudness), colour), sound


def test_truth_still_and_foreign_rows_come_in_the_right_order() -> None:
    others = [babble(6.0, seed=seed)[0] for seed in (7, 8)]
    cases = []
    for seed in (1, 2):
        truth, sound = talking(seed)
        portrait = look_of(np.array([0.2]))
        out_of_step = truth.retimed((np.arange(150) + 30) % 150)
        still = look_of(np.full(150, float(truth.tracks.jaw_open[0])))
        for row, made in (("truth", truth), ("out of step", out_of_step), ("still", still)):
            cases.append(Case(row, str(seed), made, sound, truth=truth, portrait=portrait, others=others))
    report = mouth_report(cases)
    rows = {row.name: row.mean for row in report.rows}
    assert [row.name for row in report.rows] == ["truth", "out of step", "still"]
    assert rows["truth"].opening_r == pytest.approx(1) and rows["truth"].lip_distance == pytest.approx(
        0, abs=1e-4
    )
    assert rows["still"].mel == 0 and np.isnan(rows["still"].lag_s)
    assert rows["still"].lip_distance == pytest.approx(rows["still"].still_distance)
    assert rows["out of step"].lip_distance > rows["truth"].still_distance * 0.8
    assert rows["truth"].identity == pytest.approx(1) and rows["truth"].sharpness == pytest.approx(1)
    assert rows["truth"].flicker != rows["truth"].flicker  # nothing flickers in the true clip: no ratio
    assert report.rows[0].num_clips == 2 and len(report.clips) == 6
    assert len(report.rows[0].mean.controls) == 4


def test_without_truth_and_portrait_what_can_be_measured_is() -> None:
    made, sound = talking(3, colour=(150, 20, 20))
    found = measure_case(Case("ours", "3", made, sound))
    assert np.isfinite([found.mel, found.mel_control, found.lag_s, found.one_face, found.drift]).all()
    assert np.isnan([found.opening_r, found.lip_distance, found.identity, found.sharpness]).all()
    other = measure_case(Case("ours", "3", made, sound, portrait=look_of(np.array([0.2]), (20, 150, 20))))
    assert other.identity < 0.5


def test_a_video_without_any_face_is_reported_and_not_an_error() -> None:
    truth, sound = talking(4)
    empty = look_of(np.full(150, np.nan))
    found = measure_case(Case("ours", "4", empty, sound, truth=truth, portrait=look_of(np.array([0.2]))))
    assert found.one_face == 0 and found.mel == 0 and np.isnan(found.lip_distance)


def test_the_report_is_written_in_three_forms(tmp_path: Path) -> None:
    made, sound = talking(5)
    report = mouth_report([Case("<ours>", "clip & co", made, sound)], identity_name="MobileFaceNet cosine")
    table = as_markdown(report)
    lines = table.splitlines()
    assert len({line.count("|") for line in lines}) == 1 and lines[2].startswith("| <ours> (1) |")
    assert "opening vs truth" not in table and "mel measure" in table
    content = json.loads(as_json(report, settings={"fps": 25}))
    assert content["rows"][0]["opening_r"] is None and content["settings"]["fps"] == 25
    assert content["clips"][0]["mel"] == pytest.approx(report.rows[0].mean.mel, abs=1e-4)
    page = as_page(report, title="Known videos")
    assert "&lt;ours&gt;" in page and "<ours>" not in page and "http" not in page
    HTMLParser().feed(page)
    write_report(report, tmp_path / "out", title="Known videos")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.html",
        "report.json",
        "report.md",
    ]


def test_no_column_bears_the_name_of_an_official_metric() -> None:
    told = " ".join([*COLUMNS, *HEADINGS, *HEADINGS.values()]).lower()
    assert not [name for name in (*OFFICIAL, "csim") if name in told]
    assert set(COLUMNS) <= set(HEADINGS)


def test_the_yardstick_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)  # type: ignore[arg-type]
    with pytest.raises(ImportError, match=r"talkvid\[mediapipe\]"):
        FaceYardstick("anything.task")


class PlantedDetector:
    """Looks as `MediapipeDetector` does; a picture's first value says what is in it."""

    def __init__(self) -> None:
        self.searched = 0

    def look(self, image: Array, box: Array) -> MediapipeFace | None:
        told = sighting(0.1)
        if image[0, 0, 0] == 0:
            return None
        mesh = np.zeros((478, 3), np.float32)
        mesh[[33, 133, 362, 263], 0] = [0, 20, 100, 120]
        return MediapipeFace(face=told.face, jaw_open=0.25, mesh=mesh)

    def detect(self, image: Array) -> list[object]:
        self.searched += 1
        return [] if image[0, 0, 0] == 0 else [sighting(0.1).face]

    def count(self, image: Array) -> int:
        return 1


class NoFaces:
    def detect(self, image: Array) -> list[object]:
        return []


def test_the_yardstick_follows_one_face_and_searches_sparsely_while_it_is_gone() -> None:
    detector = PlantedDetector()
    yardstick = FaceYardstick.__new__(FaceYardstick)
    yardstick._detector, yardstick._far = detector, NoFaces()  # type: ignore[assignment]
    values = [1, 1, 1, *[0] * 11, 1, 1, 1, 1, 1, 1]
    tracks = yardstick.follow((np.full((8, 8, 3), value, np.uint8) for value in values), fps=25)
    assert len(tracks) == len(values) and tracks.found[:3].all() and not tracks.found[3:14].any()
    assert tracks.found[-2:].all()
    # The first picture and, from the loss on, every fifth; not those where the face is followed.
    assert detector.searched == 5
    assert tracks.eyes[0].tolist() == [[10, 0, 0], [110, 0, 0]]
    assert tracks.jaw_open[0] == 0.25 and np.isnan(tracks.jaw_open[5])
    with pytest.raises(ValueError, match="no pictures"):
        yardstick.follow(iter(()), fps=25)
