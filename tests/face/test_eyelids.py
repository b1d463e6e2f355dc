import itertools

import numpy as np
import pytest

from talkvid.face.eyelids import Eyelids
from talkvid.face.head_warp import HeadWarp
from talkvid.face.warp import sample
from talkvid.records import Array
from tests.face.drawn_head import EYES, IRIS, SKIN, drawn_head


def iris_pixels(picture: Array) -> int:
    return int((np.abs(picture.astype(int) - IRIS).max(axis=-1) < 25).sum())


def white_pixels(picture: Array) -> int:
    return int((picture.min(axis=-1) > 225).sum())


def test_open_eyes_leave_the_picture_as_it_is() -> None:
    picture, face = drawn_head()
    lids = Eyelids(picture, face)
    assert lids.count == 2
    assert lids.close(picture, 0.0) is picture


def test_shut_lids_cover_the_eye_with_skin_and_touch_nothing_else() -> None:
    picture, face = drawn_head()
    shut = Eyelids(picture, face).close(picture, 1.0)
    assert iris_pixels(picture) > 100 and iris_pixels(shut) < 5
    assert white_pixels(shut) < 0.05 * white_pixels(picture)
    for x, y in EYES.values():
        lid = shut[round(y) - 4 : round(y) + 2, round(x) - 5 : round(x) + 6].astype(int)
        assert np.abs(lid - SKIN).mean() < 15
    changed = (shut != picture).any(axis=-1)
    assert changed.any() and not changed[:80].any() and not changed[125:].any()


def test_the_lid_comes_down_steadily() -> None:
    picture, face = drawn_head()
    lids = Eyelids(picture, face)
    shown = [white_pixels(lids.close(picture, closure)) for closure in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all(before > after for before, after in itertools.pairwise(shown))


def test_a_slight_closure_changes_the_picture_only_slightly() -> None:
    picture, face = drawn_head()
    little = Eyelids(picture, face).close(picture, 0.03).astype(int) - picture
    assert np.abs(little).mean() < 0.1


@pytest.mark.parametrize("case", [{"opening": 1.0}, {"glasses": True}], ids=["shut", "dark glasses"])
def test_eyes_that_cannot_be_seen_open_are_left_alone(case: dict[str, float]) -> None:
    picture, face = drawn_head(**case)  # type: ignore[arg-type]
    lids = Eyelids(picture, face)
    assert lids.count == 0
    assert np.array_equal(lids.close(picture, 1.0), picture)


def test_a_face_without_contour_does_not_blink() -> None:
    from dataclasses import replace

    picture, face = drawn_head()
    lids = Eyelids(picture, replace(face, contour=None, lips=None))
    assert lids.close(picture, 1.0) is picture


def test_lids_shut_where_the_head_has_moved_to() -> None:
    picture, face = drawn_head()
    places = HeadWarp(face, width=256, height=256, depth=None).places(np.array([0.15, 0.1, 0, 0.08, 0, 0]))
    moved = sample(picture, places)
    shut = Eyelids(picture, face).close(moved, 1.0, places=places)
    assert iris_pixels(moved) > 100 and iris_pixels(shut) < 5
