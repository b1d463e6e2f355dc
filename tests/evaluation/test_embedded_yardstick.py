"""The yardstick of the package's own networks, on portraits we may ship: it follows, measures and counts."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from talkvid.evaluation.embedded_yardstick import EmbeddedYardstick
from talkvid.evaluation.following import FaceFollower, cache_name
from talkvid.evaluation.mouth_signals import mouth_signals
from talkvid.evaluation.tracks import FaceTracks, Sighting
from talkvid.evaluation.video_look import look_at
from talkvid.media.image import load_image
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from tests.evaluation.drawn import sighting

SAMPLES = Path(__file__).resolve().parents[2] / "test_samples" / "short_case"
STEP = np.array([1.3, 0.7])


@pytest.fixture(scope="module")
def yardstick() -> EmbeddedYardstick:
    return EmbeddedYardstick()


@pytest.fixture(scope="module")
def astronaut() -> Array:
    return load_image(SAMPLES / "astronaut" / "ref.png")


@pytest.fixture(scope="module")
def hopper() -> Array:
    return load_image(SAMPLES / "hopper" / "ref.jpg")


def at(portrait: Array, move: Array, *, noise: float = 0.0, seed: int = 0) -> Array:
    """Return the portrait moved by (2,) pixels, with Gaussian noise of that many grey levels."""
    matrix = np.array([[1, 0, move[0]], [0, 1, move[1]]], np.float32)
    picture = cv2.warpAffine(portrait, matrix, portrait.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    shaken = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return np.clip(shaken, 0, 255).astype(np.uint8)


def opened(portrait: Array, tracks: FaceTracks, gap: float) -> Array:
    """Return the portrait with what lies below the lips' middle moved down and a dark mouth between."""
    rows, columns = np.mgrid[: portrait.shape[0], : portrait.shape[1]].astype(np.float32)
    lips = tracks.lips[0, :, :2]
    across, middle = (lips[25] + lips[35]) / 2
    half_width = 0.6 * (lips[10, 0] - lips[0, 0])
    drop = gap * tracks.eye_distance[0] * np.clip(1 - ((columns - across) / half_width) ** 2, 0, 1)
    source = np.where(rows > middle, np.maximum(rows - drop, middle), rows).astype(np.float32)
    picture = cv2.remap(portrait, columns, source, cv2.INTER_LINEAR)
    picture[(rows > middle) & (rows < middle + drop)] = (40, 10, 10)
    return picture


def test_a_moving_face_is_found_in_every_picture_and_a_still_mouth_hardly_trembles(
    yardstick: EmbeddedYardstick, astronaut: Array
) -> None:
    pictures = (at(astronaut, number * STEP, noise=2, seed=number) for number in range(12))
    tracks = yardstick.follow(pictures, fps=25)
    assert tracks.found.all() and tracks.size == astronaut.shape[1::-1]
    moves = np.diff(tracks.points[:, 2], axis=0).mean(axis=0)
    assert moves == pytest.approx(STEP, abs=0.1)
    # Hundredths of the inter-ocular distance; a talking mouth's deviation is 0.05 and more.
    assert mouth_signals(tracks).opening.std() < 0.004
    assert mouth_signals(tracks).width.std() < 0.02
    assert not tracks.lips[..., 2].any() and not tracks.eyes[..., 2].any()
    left, right = tracks.eyes[0, :, :2]
    assert left == pytest.approx(tracks.points[0, 0], abs=0.12 * float(tracks.eye_distance[0]))
    assert right == pytest.approx(tracks.points[0, 1], abs=0.12 * float(tracks.eye_distance[0]))
    assert np.isfinite(tracks.pose).all()


@pytest.mark.parametrize("who", ["astronaut", "hopper"])
def test_a_wider_mouth_is_seen_wider(
    yardstick: EmbeddedYardstick, who: str, request: pytest.FixtureRequest
) -> None:
    portrait = request.getfixturevalue(who)
    closed = yardstick.follow([portrait], fps=25)
    tracks = yardstick.follow([opened(portrait, closed, gap) for gap in (0.0, 0.1, 0.2, 0.3)], fps=25)
    signals = mouth_signals(tracks)
    assert (np.diff(signals.opening) > 0.02).all() and signals.opening[-1] > signals.opening[0] + 0.15
    assert (np.diff(signals.jaw_open) > 0).all() and signals.jaw_open[0] >= 0 and signals.jaw_open[-1] < 1


def test_the_mirror_image_of_a_face_gives_the_mirror_image_of_its_points(
    yardstick: EmbeddedYardstick, astronaut: Array
) -> None:
    straight = yardstick.follow([astronaut], fps=25)
    mirrored = yardstick.follow([np.ascontiguousarray(astronaut[:, ::-1])], fps=25)
    corners = mirrored.points[0][[1, 0, 2, 4, 3]]
    corners[:, 0] = astronaut.shape[1] - 1 - corners[:, 0]
    # What is left comes from the two windows, which CenterFace places a little differently.
    assert corners == pytest.approx(straight.points[0], abs=0.02 * float(straight.eye_distance[0]))
    assert mirrored.pose[0] * (1, -1, -1) == pytest.approx(straight.pose[0], abs=1.5)


def test_a_face_that_goes_is_missed_and_found_again(yardstick: EmbeddedYardstick, astronaut: Array) -> None:
    empty = np.full_like(astronaut, 90)
    tracks = yardstick.follow([astronaut] * 2 + [empty] * 6 + [astronaut] * 6, fps=25)
    assert tracks.found[:2].all() and not tracks.found[2:8].any() and tracks.found[-1]
    assert np.isnan(tracks.lips[3]).all()
    # The whole picture is searched again at the latest after five pictures.
    assert tracks.found[8:].sum() >= 2


def test_all_faces_are_counted_and_the_largest_is_followed(
    yardstick: EmbeddedYardstick, astronaut: Array, hopper: Array
) -> None:
    small = cv2.resize(astronaut, (180, 180))
    both = np.concatenate([hopper, np.pad(small, ((130, 130), (0, 0), (0, 0)))], axis=1)
    look = look_at([both] * 2, yardstick, fps=25)
    assert look.tracks.num_faces.tolist() == [2, 2] and look.tracks.one_face_share == 0.0
    alone = yardstick.follow([hopper], fps=25)
    assert look.tracks.points[0, 2] == pytest.approx(alone.points[0, 2], abs=3)
    assert yardstick.count(np.zeros((200, 200, 3), np.uint8)) == 0


def test_another_face_at_another_place_is_not_taken_for_the_last_one(
    yardstick: EmbeddedYardstick, astronaut: Array
) -> None:
    (last,) = (seen for _, seen in yardstick.watch([astronaut]))
    assert last is not None and yardstick.near(astronaut, last) is not None
    width = float(last.face.box[2] - last.face.box[0])
    assert yardstick.near(at(astronaut, np.array([0.9 * width, 0.0])), last) is None


class Told(FaceFollower):
    """Sees a face of the size that the picture's first value tells, and none at 0."""

    name = "told"

    def __init__(self) -> None:
        self.searched = 0

    def near(self, frame: Array, last: Sighting) -> Sighting | None:
        return self._told(frame)

    def anywhere(self, frame: Array, last: Sighting | None) -> Sighting | None:
        self.searched += 1
        return self._told(frame)

    def count(self, frame: Array) -> int:
        return 1

    def _told(self, frame: Array) -> Sighting | None:
        size = int(frame[0, 0, 0])
        if not size:
            return None
        seen = sighting(0.1)
        seen.face.box[:] = (0, 0, size, size)
        return seen


class Other(Told):
    name = "other"


def shown(*sizes: int) -> Iterator[Array]:
    return (np.full((8, 8, 3), size, np.uint8) for size in sizes)


def test_a_face_of_twice_the_area_is_another_one_and_a_lost_one_is_sought_sparsely() -> None:
    told = Told()
    assert told.follow(shown(100, 105, 110, 100), fps=25).found.all() and told.searched == 1
    told = Told()
    assert told.follow(shown(100, 150, 150), fps=25).found.all() and told.searched == 2
    told = Told()
    tracks = told.follow(shown(100, *[0] * 11, 100, 100, 100, 100, 100), fps=25)
    # The first picture, the loss, and from then on every fifth one.
    assert told.searched == 5 and tracks.found.tolist() == [True] + [False] * 15 + [True]
    with pytest.raises(ValueError, match="no pictures"):
        told.follow(shown(), fps=25)


def test_two_yardsticks_keep_what_they_saw_apart(tmp_path: Path) -> None:
    # Once: the kept file's name did not say which yardstick had looked.
    video = tmp_path / "clip.mp4"
    with VideoWriter(video, 64, 64, 25, preset="ultrafast") as writer:
        for picture in [np.full((64, 64, 3), 100, np.uint8)] * 3:
            writer.write(picture)
    told, other = Told(), Other()
    first = told.follow_file(video, cache=tmp_path / "kept")
    assert told.follow_file(video, cache=tmp_path / "kept").found.tolist() == first.found.tolist()
    assert told.searched == 1 and len(list((tmp_path / "kept").iterdir())) == 1
    other.follow_file(video, cache=tmp_path / "kept")
    assert other.searched == 1 and len(list((tmp_path / "kept").iterdir())) == 2
    assert cache_name(video) != cache_name(video, told="told")
