"""DOVER's sampling and views against stored numbers of the original and against plain loops."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid.curation.dover_sampling import AESTHETIC, TECHNICAL, Draws, draw, square_corners
from talkvid.curation.dover_views import DoverViews, enlarged, fragments, resized
from talkvid.records import Array

DATA = Path(__file__).parents[1] / "data" / "curation"
SAMPLER = json.loads((DATA / "dover_sampler.json").read_text())["rows"]


def starts(entry: dict[str, Any], count: int) -> Sequence[int]:
    drawn = entry["drawn"]
    return drawn[0] if drawn else [0] * count


@pytest.mark.parametrize("row", SAMPLER, ids=[str(row["frames"]) for row in SAMPLER])
def test_the_pictures_are_those_of_the_original_when_given_its_draws(row: dict[str, Any]) -> None:
    for sampling, name in ((TECHNICAL, "technical"), (AESTHETIC, "aesthetic")):
        entry = row[name]
        ranges = entry["ranges"] or [[0, 0]]
        assert sampling.num_starts(row["frames"]) == ranges[0][1]
        found = sampling.indices(row["frames"], starts(entry, sampling.num_parts))
        assert found == entry["indices"]


def test_a_short_clip_goes_on_at_its_beginning() -> None:
    # Once: nobody knew that clips of up to 186 pictures wrap: the last run of 125 pictures ends with pictures
    # 1, 3 … 19 of the clip. Scores are comparable only if it stays so; the beginning is then seen twice.
    last = TECHNICAL.indices(125, (0, 0, 0))[64:]
    assert last[:22] == list(range(82, 125, 2)) and last[22:] == list(range(1, 20, 2))
    assert all(np.diff(TECHNICAL.indices(187, (0, 0, 0))[64:]) == 2)
    assert min(np.diff(TECHNICAL.indices(186, (0, 0, 0))[64:])) < 0


def test_draws_depend_on_the_clip_alone_and_fill_their_ranges() -> None:
    assert draw("a", 900, seed=0).technical_starts == draw("a", 900, seed=0).technical_starts
    many = [draw(str(number), 900, seed=0) for number in range(200)]
    technical = np.array([entry.technical_starts for entry in many])
    assert technical.min() >= 0 and 225 <= technical.max() < TECHNICAL.num_starts(900) == 236
    assert len({entry.aesthetic_starts for entry in many}) == 200
    rows = np.stack([entry.rows for entry in many])
    assert rows.min() >= 0 and rows.max() < 1 and abs(rows.mean() - 0.5) < 0.01
    # Numbers that every machine and version must give.
    assert draw("clip", 900, seed=0).technical_starts == draw_by_hand("clip", 236)


def draw_by_hand(clip_id: str, high: int) -> tuple[int, ...]:
    import random

    chance = random.Random(f"dover/0/{clip_id}")
    return tuple(int(chance.random() * high) for _ in range(3))


def marked(height: int, width: int) -> Array:
    """A picture in which every pixel tells where it lies."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, rows // 256 * 16 + columns // 256], 2).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(360, 640), (1080, 1920), (224, 224), (230, 700)])
def test_squares_are_cut_in_their_cells_and_keep_their_place_in_a_run(height: int, width: int) -> None:
    draws = draw("clip", 300, seed=3)
    picture = marked(height, width)
    for run in range(3):
        view = fragments(picture, draws, run=run)
        for i in range(7):
            for j in range(7):
                room = (max(height // 7 - 32, 0), max(width // 7 - 32, 0))
                top = min(height // 7 * i, height - 32) + int(draws.rows[i, j, run] * room[0])
                left = min(width // 7 * j, width - 32) + int(draws.columns[i, j, run] * room[1])
                square = view[32 * i : 32 * i + 32, 32 * j : 32 * j + 32]
                assert np.array_equal(square, picture[top : top + 32, left : left + 32])


def test_a_small_picture_is_judged_whole() -> None:
    # Once: the grid was laid out before enlarging, so only the top left part of a small picture was judged.
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[80:, 110:] = 255  # below and right of all that was looked at
    large = enlarged(picture)
    assert large.shape == (224, 298, 3)
    view = fragments(large, draw("clip", 40, seed=0), run=0)
    assert view[-32:, -32:].min() == 255 and view[:32, :32].max() == 0
    corners = square_corners(298, np.zeros((7, 7)))
    assert corners[-1, 0] + 32 > 283
    assert np.array_equal(enlarged(large), large)


def test_the_small_view_is_antialiased_and_rounded() -> None:
    # Once: whether the resizing averaged depended on the library's version, up to 75 levels for a pixel.
    stripes = np.zeros((896, 896, 3), np.uint8)
    stripes[::2] = (
        255  # without antialiasing this would come out as 0 or 255, or whatever two rows happen to be
    )
    small = resized(stripes)
    assert small.shape == (224, 224, 3) and small.dtype == np.uint8
    assert np.abs(small[2:-2].astype(int) - 128).max() <= 1
    assert np.array_equal(resized(np.full((500, 300, 3), 77, np.uint8)), np.full((224, 224, 3), 77, np.uint8))


def test_views_hold_the_same_however_long_and_large_the_clip_is() -> None:
    views = DoverViews(1000, draw("clip", 1000, seed=0))
    assert len(views.wanted) <= 128 and not views.complete
    picture = marked(270, 480)
    for index in views.wanted:
        views.see(index, picture)
    assert views.complete
    held = sum(value.nbytes for value in vars(views).values() if isinstance(value, np.ndarray))
    assert held == 128 * 224 * 224 * 3
    assert views.technical().shape == (3, 3, 32, 224, 224) and views.aesthetic().shape == (1, 3, 32, 224, 224)


def as_shares(draws: list[Any], side: int) -> Array:
    """The original's whole numbers, drawn below side // 7 - 32, as shares that give the same numbers."""
    return (np.array(draws) + 0.5) / (side // 7 - 32)


@pytest.mark.parametrize("case", ["face_3_seed0", "face_3_seed1"])
def test_views_of_a_real_clip_equal_those_of_the_original(case: str, shared: Path) -> None:
    import av

    golden = json.loads((shared / "golden" / "dover_views.json").read_text())[case]
    with av.open(str(shared / "media" / "dev" / "talking" / "video-retalking__face__3.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = pictures[0].shape[:2]
    numpy_draws = [entry["drawn"] for entry in golden["draws"] if entry["fn"].startswith("np")]
    torch_draws = [entry["drawn"] for entry in golden["draws"] if entry["fn"].startswith("torch")]
    draws = Draws(
        (0, 0, 0), tuple(numpy_draws[0]), as_shares(torch_draws[0], height), as_shares(torch_draws[1], width)
    )
    views = DoverViews(len(pictures), draws)
    for index in views.wanted:
        views.see(index, pictures[index])
    technical = views._technical.transpose(3, 0, 1, 2).astype(np.float32)
    aesthetic = np.ascontiguousarray(views._aesthetic.transpose(3, 0, 1, 2))
    for name, found in (("technical", np.ascontiguousarray(technical)), ("aesthetic", aesthetic)):
        expected = golden["views"][name]
        places = expected["sample_flat_index"]
        assert list(found.shape) == expected["shape"]
        assert found.ravel()[places].tolist() == expected["sample"], name
        assert hashlib.sha256(found.tobytes()).hexdigest() == expected["sha256"], name
