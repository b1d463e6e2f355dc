import numpy as np

from talkvid.dataset.face_follow import follow_face
from talkvid.records import Array, Face
from tests.dataset.clip_maker import face_of

PICTURE = np.zeros((360, 640, 3), np.uint8)


def face(x: float, y: float, size: float) -> Face:
    return face_of(np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2]))


def follow(frames: list[list[Face]]) -> list[Face | None]:
    return follow_face((PICTURE, faces) for faces in frames)[0]


def centre(found: Face | None) -> Array:
    assert found is not None
    return np.round((found.box[:2] + found.box[2:]) / 2)


def test_a_larger_passer_by_never_takes_over() -> None:
    frames = [[face(300, 180, 100)] for _ in range(50)]
    for number in range(20, 28):
        frames[number].insert(0, face(60 * (number - 20), 180, 150))
    followed = follow(frames)
    assert all(np.array_equal(centre(found), [300, 180]) for found in followed)


def test_of_two_persons_the_same_one_is_kept_whatever_their_order() -> None:
    frames = [
        [face(200 + n, 180, 100), face(480, 180, 96 + (n % 3) * 4)][:: 1 if n % 2 else -1] for n in range(40)
    ]
    followed = follow(frames)
    assert [centre(found)[0] for found in followed] == [200 + n for n in range(40)]


def test_of_two_equal_faces_the_central_one_is_taken() -> None:
    followed = follow([[face(60, 60, 100), face(330, 180, 100)] for _ in range(5)])
    assert centre(followed[0])[0] == 330


def test_a_face_lost_for_a_while_is_found_again() -> None:
    frames = [[face(300 + n, 180, 100)] if not 10 <= n < 40 else [] for n in range(60)]
    followed = follow(frames)
    assert [number for number, found in enumerate(followed) if found is None] == list(range(10, 40))


def test_a_jump_to_another_place_is_another_face() -> None:
    frames = [[face(150, 180, 100)] if n < 40 else [face(500, 180, 60)] for n in range(60)]
    followed, count = follow_face((PICTURE, faces) for faces in frames)
    assert count == 2
    assert all(found is None for found in followed[40:])


def test_a_clip_without_faces_gives_none_for_every_frame() -> None:
    assert follow_face((PICTURE, []) for _ in range(3)) == ([None, None, None], 0)
