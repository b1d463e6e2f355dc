import itertools
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from export_material import row_of, span_of

from talkvid.curation.duplicates import LEAST_AGREEMENT, agreement, find_duplicates
from talkvid.curation.look import MOMENTS, SIDE, brightness, look_at, moments_of
from talkvid.curation.manifest import ClipRow
from talkvid.media import ffmpeg
from talkvid.media.video import probe
from talkvid.media.writer import VideoWriter

COUNT, FPS = 75, 25


def talk(path: Path, *, scene: int, motion: int, count: int = COUNT) -> Path:
    """Write a head before a wall: `scene` draws the wall, `motion` how the head and its mouth move."""
    drawn = np.random.default_rng(scene)
    wall = cv2.resize(
        drawn.integers(30, 220, (6, 8, 3), dtype=np.uint8), (192, 144), interpolation=cv2.INTER_CUBIC
    )
    steps = np.cumsum(np.random.default_rng(1000 + motion).normal(0, 0.8, (count, 3)), axis=0)
    with VideoWriter(path, 192, 144, FPS, crf=14, preset="ultrafast") as writer:
        for across, down, mouth in steps:
            picture = wall.copy()
            centre = (round(96 + 4 * np.tanh(across / 4)), round(72 + 4 * np.tanh(down / 4)))
            cv2.ellipse(picture, centre, (28, 40), 0, 0, 360, (200, 160, 140), -1)
            lips = (10, 2 + round(6 * abs(np.sin(mouth))))
            cv2.ellipse(picture, (centre[0], centre[1] + 20), lips, 0, 0, 360, (90, 20, 30), -1)
            writer.write(picture)
    return path


def row(path: Path, *, first: int = 0, number: int = 1) -> ClipRow:
    info = probe(path)
    fps = round(info.fps)
    count = round(COUNT / FPS * fps)
    return row_of(
        span_of(
            path, first, count, fps=fps, number=number, width=info.width, height=info.height, has_audio=False
        )
    )


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ClipRow]:
    """Return clips: two talks before one wall, one before another, and copies of the first."""
    folder = tmp_path_factory.mktemp("talks")
    first = talk(folder / "first.mp4", scene=1, motion=1)
    talk(folder / "same_wall.mp4", scene=1, motion=2)
    talk(folder / "other.mp4", scene=3, motion=1)
    ffmpeg.run("-i", first, "-crf", "38", "-preset", "ultrafast", folder / "poor_copy.mp4")
    ffmpeg.run("-i", first, "-vf", "scale=96:72", "-r", "30", "-crf", "26", folder / "small_copy.mkv")
    ffmpeg.run(
        "-i", first, "-vf", "eq=brightness=0.08:contrast=0.9", "-crf", "24", folder / "bright_copy.mp4"
    )
    ffmpeg.run("-i", first, "-vf", "hflip", "-crf", "20", folder / "mirrored.mp4")
    return {path.stem: row(path) for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def looks(rows: dict[str, ClipRow]) -> dict[str, list[list[int]]]:
    """Return the small pictures of each clip."""
    return {one.clip_id: look_at(one) for one in rows.values()}


def test_copies_are_found_and_another_talk_before_the_same_wall_is_none(
    rows: dict[str, ClipRow], looks: dict[str, list[list[int]]]
) -> None:
    (group,) = find_duplicates(list(rows.values()), looks)
    names = {one.clip_id: stem for stem, one in rows.items()}
    members = [names[clip_id] for clip_id in group.members]
    assert sorted(members) == ["bright_copy", "first", "poor_copy", "small_copy"]
    assert names[group.kept] == members[0] == "bright_copy", "of the largest pictures the first name"


def test_movement_tells_two_moments_before_one_wall_apart_by_a_wide_margin(
    rows: dict[str, ClipRow], looks: dict[str, list[list[int]]]
) -> None:
    def motion(stem: str) -> np.ndarray:
        pictures = np.array(looks[rows[stem].clip_id], np.float64)
        return (pictures - pictures.mean(0)).ravel()

    copies = [agreement(motion("first"), motion(stem)) for stem in ("poor_copy", "small_copy", "bright_copy")]
    assert min(copies) > LEAST_AGREEMENT + 0.15
    assert agreement(motion("first"), motion("same_wall")) < LEAST_AGREEMENT - 0.25


def test_the_groups_do_not_hang_on_the_order_of_the_clips(
    rows: dict[str, ClipRow], looks: dict[str, list[list[int]]]
) -> None:
    expected = find_duplicates(list(rows.values()), looks)
    for seed in range(5):
        mixed = list(rows.values())
        random.Random(seed).shuffle(mixed)
        assert find_duplicates(mixed, looks) == expected


def test_a_still_picture_has_copies_too_and_a_clip_of_another_length_is_none(tmp_path: Path) -> None:
    level = np.random.default_rng(0).integers(0, 255, SIDE * SIDE).tolist()
    spans = [span_of(tmp_path / f"{name}.mp4", 0, count) for name, count in (("a", 50), ("b", 50), ("c", 60))]
    still = [row_of(span) for span in spans]
    groups = find_duplicates(still, {one.clip_id: [level] * len(MOMENTS) for one in still})
    assert [group.members for group in groups] == [(still[0].clip_id, still[1].clip_id)]


def test_no_two_of_many_different_clips_are_taken_for_copies(tmp_path: Path) -> None:
    drawn = np.random.default_rng(4)
    many = [row_of(span_of(tmp_path / f"{number}.mp4", 0, 50)) for number in range(1500)]
    looks = {one.clip_id: drawn.integers(0, 255, (len(MOMENTS), SIDE * SIDE)).tolist() for one in many}
    looks[many[7].clip_id] = looks[many[1234].clip_id]
    (group,) = find_duplicates(many, looks)
    assert set(group.members) == {many[7].clip_id, many[1234].clip_id}


def test_the_looks_lie_inside_the_clip_in_their_order(rows: dict[str, ClipRow], tmp_path: Path) -> None:
    for count in (1, 2, 7, 300):
        one = row_of(span_of(tmp_path / "v.mp4", 40, count))
        places = moments_of(one)
        assert places == sorted(places)
        assert places[0] >= 40 and places[-1] < 40 + count
    pairs = itertools.pairwise(moments_of(rows["first"]))
    assert all(later > earlier for earlier, later in pairs)


def test_brightness_goes_from_black_to_white() -> None:
    assert brightness([[0, 0], [0, 0]]) == 0
    assert brightness([[255, 255]]) == 1
