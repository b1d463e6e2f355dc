import numpy as np
import pytest

from talkvid.face.crop import (
    Square,
    box_square,
    clip_square,
    face_square,
    fit_inside,
    following_squares,
    square_crop,
)
from talkvid.records import Face

BOX = np.array([40.0, 30, 80, 90], dtype=np.float32)


def test_a_head_square_is_about_the_face_and_upper_body_reaches_lower() -> None:
    face = Face(box=BOX, points=np.zeros((5, 2), dtype=np.float32), score=1.0)
    head, body = face_square(face), face_square(face, framing="upper_body")
    assert head.side == pytest.approx(50 * 2.2)
    assert head.left + head.side / 2 == pytest.approx(60)
    assert body.side > head.side
    assert body.top + body.side / 2 > head.top + head.side / 2
    with pytest.raises(ValueError, match="unknown framing"):
        box_square(BOX, framing="feet")


def test_a_crop_at_full_size_shows_the_pixels_themselves() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    assert np.array_equal(square_crop(image, Square(10, 5, 40), 40), image[5:45, 10:50])


def test_a_crop_at_the_right_border_is_padded_and_not_stretched() -> None:
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    image[40:60, 80:100] = 255
    crop = square_crop(image, Square(60, 20, 60), 60, border="black")
    assert crop.shape == (60, 60, 3)
    assert (crop[20:40, 20:40] == 255).all()
    assert (crop[:, 40:] == 0).all()


def test_what_lies_beyond_the_picture_repeats_its_edge_by_default() -> None:
    image = np.full((50, 50, 3), 77, dtype=np.uint8)
    assert (square_crop(image, Square(-30, -30, 100), 64) == 77).all()


def test_points_and_pixels_agree_when_a_crop_is_shrunk_or_enlarged() -> None:
    yy, xx = np.mgrid[0:200, 0:200]
    spot = np.exp(-((xx - 90.0) ** 2 + (yy - 120.0) ** 2) / (2 * 8.0**2))
    image = np.repeat((spot * 255).astype(np.uint8)[..., None], 3, axis=2)
    square = Square(40.5, 60.25, 120)
    for size in (48, 300):
        crop = square_crop(image, square, size)[..., 0].astype(float)
        rows, columns = np.mgrid[0:size, 0:size]
        centre = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
        # Pixel i covers [i, i + 1) of the square, its centre lies half a pixel further.
        expected = square.to_window(np.array([90.5, 120.5]), size) - 0.5
        assert np.abs(centre - expected).max() < 0.07 * max(size / 120, 1)
        assert np.allclose(square.to_picture(square.to_window(BOX[:2], size), size), BOX[:2])


def test_fitting_moves_a_square_inside_and_shrinks_it_only_when_it_must() -> None:
    assert fit_inside(Square(-10, 40, 50), 100, 80) == Square(0, 30, 50)
    assert fit_inside(Square(0, 0, 500), 100, 80).side == 80


def test_the_square_of_a_clip_holds_every_face() -> None:
    boxes = np.stack([BOX + shift for shift in (-60, 0, 0, 0, 70)]).astype(np.float32)
    boxes[2] = np.nan
    square = clip_square(boxes)
    known = boxes[np.isfinite(boxes).all(axis=1)]
    assert square.left <= known[:, 0].min() and square.top <= known[:, 1].min()
    assert square.left + square.side >= known[:, 2].max()
    with pytest.raises(ValueError, match="no face in any"):
        clip_square(np.full((3, 4), np.nan))


def test_a_following_square_keeps_its_size_and_moves_smoothly() -> None:
    boxes = np.stack([BOX + np.array([shift, 0, shift, 0]) for shift in np.linspace(0, 200, 60)])
    boxes[20:25] = np.nan
    squares = following_squares(boxes, smooth_frames=4)
    assert len(squares) == 60 and len({round(square.side, 6) for square in squares}) == 1
    steps = np.diff([square.left for square in squares])
    assert (steps >= 0).all() and steps.max() < 6
