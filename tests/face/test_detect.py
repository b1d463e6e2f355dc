import importlib.util
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from talkvid.face.detect import build_detector, choose_face
from talkvid.face.embedded import EmbeddedDetector
from talkvid.records import Array, Face


def face(left: float, top: float, side: float) -> Face:
    box = np.array([left, top, left + side, top + side], dtype=np.float32)
    return Face(box=box, points=np.zeros((5, 2), dtype=np.float32), score=0.9)


@pytest.fixture(scope="module")
def detector() -> EmbeddedDetector:
    return EmbeddedDetector()


@pytest.fixture(scope="module")
def portrait() -> Array:
    """A NASA portrait, public domain, that comes with scikit-image."""
    picture: Array = skimage.data.astronaut()
    return picture


def test_the_only_face_is_chosen_and_of_several_only_a_clearly_larger_one() -> None:
    assert choose_face([face(0, 0, 10)]).area == 100
    small, large = face(50, 0, 10), face(0, 0, 13)
    assert choose_face([small, large]) is large
    with pytest.raises(ValueError, match=r"p\.png: 2 faces found \(1: 12x12 at \(0, 0\), 2: 10x10") as caught:
        choose_face([small, face(0, 0, 12)], source="p.png")
    assert "--face" in str(caught.value)


def test_a_face_can_be_named_by_size_or_number() -> None:
    faces = [face(0, 0, 10), face(20, 0, 12), face(40, 0, 11)]
    assert choose_face(faces, "largest") is faces[1]
    assert choose_face(faces, 2) is faces[2]
    assert choose_face(faces, "3") is faces[0]
    for wrong in (0, 4, "second"):
        with pytest.raises(ValueError, match="face"):
            choose_face(faces, wrong)


def test_a_picture_without_a_face_is_an_error_that_names_it() -> None:
    for choice in ("auto", "largest", 1):
        with pytest.raises(ValueError, match=r"dog\.jpg: no face found"):
            choose_face([], choice, source=Path("dog.jpg"))


def test_an_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="embedded, insightface, mediapipe, centerface"):
        build_detector("dlib")


def test_the_embedded_detector_finds_the_astronaut(detector: EmbeddedDetector, portrait: Array) -> None:
    found = detector.detect(portrait)
    assert detector.name == "embedded" and len(found) == 1
    (one,) = found
    expected = np.array([[205, 102], [247, 106], [226, 129], [203, 143], [246, 147]])
    assert np.abs(one.points - expected).max() < 7
    assert one.lips is not None and one.contour is not None and one.pose is not None
    assert one.lips.shape == (40, 2) and one.contour.shape == (105, 2)
    assert np.abs(one.lips.mean(axis=0) - [225, 147]).max() < 7
    # She faces the camera, her head tilted a little clockwise.
    assert np.abs(one.pose - [-6, 0, 4]).max() < 8
    assert one.box[0] < 195 and one.box[2] > 255 and one.score > 0.5


def test_pose_and_points_follow_a_turned_picture(detector: EmbeddedDetector, portrait: Array) -> None:
    upright = detector.detect(portrait)[0]
    mirrored = detector.detect(np.ascontiguousarray(portrait[:, ::-1]))[0]
    assert upright.pose is not None and mirrored.pose is not None
    assert abs(mirrored.pose[2] + upright.pose[2]) < 3 and abs(mirrored.pose[1] + upright.pose[1]) < 5
    width = portrait.shape[1]
    assert np.abs((width - mirrored.points[[1, 0, 2, 4, 3], 0]) - upright.points[:, 0]).max() < 5


def test_the_lip_contour_has_its_parts_in_order(detector: EmbeddedDetector, portrait: Array) -> None:
    lips = detector.detect(portrait)[0].lips
    assert lips is not None
    assert lips[0, 0] < lips[10, 0] and lips[20, 0] < lips[30, 0]
    assert lips[5, 1] < lips[25, 1] < lips[35, 1] < lips[15, 1]


def test_sizes_and_places_of_the_face_do_not_matter(detector: EmbeddedDetector, portrait: Array) -> None:
    canvas = np.full((720, 1280, 3), 90, dtype=np.uint8)
    canvas[150:662, 700:1212] = portrait
    moved = detector.detect(canvas)[0]
    here = detector.detect(portrait)[0]
    assert np.abs(moved.points - [700, 150] - here.points).max() < 4
    tiny = np.full((1080, 1920, 3), 90, dtype=np.uint8)
    tiny[500:756, 900:1156] = portrait[::2, ::2]
    assert np.abs((detector.detect(tiny)[0].points - [900, 500]) * 2 - here.points).max() < 8


def test_two_people_are_two_faces_and_nobody_is_none(detector: EmbeddedDetector, portrait: Array) -> None:
    assert len(detector.detect(np.concatenate([portrait, portrait], axis=1))) == 2
    assert detector.detect(skimage.data.coffee()) == []
    assert detector.detect(np.zeros((40, 30, 3), dtype=np.uint8)) == []


def test_an_optional_backend_that_is_not_installed_names_its_extra(tmp_path: Path) -> None:
    if importlib.util.find_spec("insightface") is not None:
        pytest.skip("insightface is installed here")
    (tmp_path / "models" / "buffalo_l").mkdir(parents=True)
    (tmp_path / "models" / "buffalo_l" / "det.onnx").touch()
    with pytest.raises(ImportError, match=r"talkvid\[face\]"):
        build_detector("insightface", model_path=tmp_path)


def test_insightface_without_its_models_says_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ROOT/models/NAME"):
        build_detector("insightface", model_path=tmp_path)


def test_mediapipe_agrees_with_the_embedded_backend(detector: EmbeddedDetector, portrait: Array) -> None:
    pytest.importorskip("mediapipe", reason="the extra mediapipe is not installed")
    from talkvid.face.mediapipe_backend import MODEL_VARIABLE, MediapipeDetector

    with pytest.raises(FileNotFoundError, match=MODEL_VARIABLE):
        MediapipeDetector("nothing.task")
    try:
        teacher = MediapipeDetector()
    except FileNotFoundError:
        pytest.skip(f"{MODEL_VARIABLE} does not name the FaceLandmarker model")
    (one,) = teacher.detect(portrait)
    assert np.abs(one.points - detector.detect(portrait)[0].points).max() < 6
