import numpy as np
import pytest
import skimage.data

from talkvid.face.centerface import CenterFaceDetector, centerface_path, decode, suppress
from talkvid.face.onnx_shapes import free_picture_size


def test_a_cell_of_the_network_is_decoded_as_worked_by_hand() -> None:
    heat = np.zeros((4, 5))
    heat[2, 3] = 0.8
    size = np.zeros((2, 4, 5))
    size[:, 2, 3] = np.log([6.0, 5.0])
    offset = np.zeros((2, 4, 5))
    offset[:, 2, 3] = [0.1, -0.2]
    points = np.full((10, 4, 5), 0.5)
    boxes, five, scores = decode(heat, size, offset, points, 0.5)
    # Centre (3.3, 2.6) cells of 4 px, 24 px high and 20 px wide.
    assert np.allclose(boxes, [[3.3 * 4 - 10, 2.6 * 4 - 12, 3.3 * 4 + 10, 2.6 * 4 + 12]], atol=1e-4)
    assert np.allclose(five, np.tile([3.3 * 4, 2.6 * 4], (1, 5, 1)), atol=1e-4)
    assert scores.tolist() == [0.8]


def test_overlapping_boxes_leave_the_best() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [1, 1, 11, 11], [30, 30, 40, 40]])
    assert suppress(boxes, np.array([0.6, 0.9, 0.7]), 0.3) == [1, 2]
    assert suppress(np.zeros((0, 4)), np.zeros(0), 0.3) == []


def test_the_face_is_found_at_any_size_and_aspect() -> None:
    detector = CenterFaceDetector()
    portrait = skimage.data.astronaut()
    for picture in (portrait, portrait[:300], portrait[:, 100:330], portrait[::2, ::2]):
        assert len(detector.detect(picture)) == 1, picture.shape


def test_a_file_that_is_no_network_is_refused() -> None:
    with pytest.raises((ValueError, IndexError)):
        free_picture_size(b"\x07\x07\x07")
    assert centerface_path().name == "centerface.onnx"
