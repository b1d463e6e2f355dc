import numpy as np
import pytest

from talkvid.face.masks import lip_mask


def test_the_mask_is_the_lip_box_twice_as_large() -> None:
    mask = lip_mask(np.array([[20.0, 30], [40, 30], [30, 26], [30, 34]]), 64, 64)
    assert mask.shape == (64, 64) and mask.dtype == np.float32
    assert mask.sum() == 40 * 16
    assert (mask[22:38, 10:50] == 1).all()


def test_a_mouth_at_the_upper_or_left_edge_is_weighted_as_far_as_it_is_seen() -> None:
    mask = lip_mask(np.array([[2.0, 1], [12, 1], [7, 0], [7, 5]]), 64, 64)
    assert mask[0, 0] == 1 and mask.sum() == 17 * 8
    assert lip_mask(np.array([[60.0, 60], [70, 66]]), 64, 64).any()
    assert not lip_mask(np.array([[-40.0, -40], [-30, -36]]), 64, 64).any()


@pytest.mark.parametrize("lips", [np.zeros((0, 2)), np.zeros((4, 3)), np.full((4, 2), np.nan)])
def test_points_that_make_no_box_are_refused(lips: np.ndarray) -> None:
    with pytest.raises(ValueError, match="lip points"):
        lip_mask(lips, 64, 64)
