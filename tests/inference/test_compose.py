import numpy as np

from talkvid.inference.compose import PasteBack, draw_label


def test_the_crop_lands_where_it_came_from_and_the_rest_stands_still() -> None:
    picture = np.full((200, 300, 3), 50, np.uint8)
    paste = PasteBack(picture, (100, 40, 200, 140))
    result = paste(np.full((64, 64, 3), 250, np.uint8))
    assert result.shape == (200, 300, 3)
    assert (result[90, 150] == 250).all()
    assert (result[:40] == 50).all() and (result[140:] == 50).all() and (result[:, :100] == 50).all()
    border = result[90, 100:110, 0].astype(int)
    assert (np.diff(border) >= 0).all() and border[0] == 50 and border[-1] == 250


def test_a_crop_that_reaches_outside_has_no_soft_border_there() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    result = PasteBack(picture, (-20, -20, 120, 120))(np.full((64, 64, 3), 200, np.uint8))
    assert (result == 200).all()


def test_the_same_crop_pasted_back_gives_the_picture() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 90, 3), dtype=np.uint8)
    result = PasteBack(picture, (10, 20, 74, 84))(picture[20:84, 10:74])
    assert np.abs(result.astype(int) - picture).max() <= 1


def test_sizes_are_even_and_large_pictures_are_made_smaller() -> None:
    assert PasteBack(np.zeros((101, 77, 3), np.uint8), (0, 0, 70, 70)).size == (76, 100)
    assert PasteBack(np.zeros((3000, 2000, 3), np.uint8), (0, 0, 70, 70)).size == (1280, 1920)


def test_the_label_changes_the_lower_right_corner_alone() -> None:
    frame = np.full((256, 256, 3), 128, np.uint8)
    labelled = draw_label(frame)
    assert labelled.shape == frame.shape and (frame == 128).all()
    assert (labelled[:200] == 128).all() and (labelled[:, :100] == 128).all()
    assert labelled[230:, 150:].std() > 20
