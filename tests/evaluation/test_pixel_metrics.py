"""L1, PSNR and SSIM against skimage's and torchmetrics' numbers, and how pictures are paired."""

import json
import math
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

from talkvid.evaluation.frame_pairs import aligned_pairs, frame_pairs
from talkvid.evaluation.pixel_metrics import pixel_agreement
from talkvid.evaluation.ssim import GAUSSIAN, GAUSSIAN_MIRRORED, UNIFORM, picture_ssim, ssim
from talkvid.records import Array
from tests.evaluation.picture_pairs import drawn_pair, noise_frames, stored

GOLDEN = stored("image_metrics.json")


def test_the_drawn_pictures_are_those_the_numbers_were_recorded_with() -> None:
    first, second = drawn_pair()
    corners = [first[0, 0], second[0, 0], first[40, 50], second[40, 50]]
    assert [pixel.tolist() for pixel in corners] == GOLDEN["first_pixels"]


def test_l1_and_psnr_are_those_of_skimage() -> None:
    found = pixel_agreement([drawn_pair()])
    assert found.psnr_db == pytest.approx(GOLDEN["psnr"], abs=1e-9)
    assert found.l1 == pytest.approx(GOLDEN["l1"], abs=1e-9)
    assert found.protocol["data_range"] == 255 and found.protocol["size"] == "88x72"


def test_psnr_per_picture_and_pooled_are_two_numbers_under_two_names() -> None:
    # Once: one library pools the error over a batch, so the same videos had 24.06 or 24.63 dB.
    first, second = drawn_pair()
    found = pixel_agreement([(first, second), (first, np.roll(first, 1, axis=0))])
    assert found.psnr_db == pytest.approx((GOLDEN["psnr"] + GOLDEN["psnr_second"]) / 2, abs=1e-9)
    assert found.psnr_pooled_db == pytest.approx(GOLDEN["psnr_pooled"], abs=1e-4)
    assert found.psnr_pooled_db < found.psnr_db - 0.1


def test_equal_pictures_are_counted_and_do_not_make_the_mean_infinite() -> None:
    first, second = drawn_pair()
    found = pixel_agreement([(first, second), (first, first)])
    assert (found.num_equal, found.num_frames) == (1, 2)
    assert found.psnr_db == pytest.approx(GOLDEN["psnr"], abs=1e-9)
    assert found.psnr_pooled_db == pytest.approx(GOLDEN["psnr"] + 10 * math.log10(2), abs=1e-9)
    assert math.isinf(pixel_agreement([(first, first)]).psnr_db)


def test_dark_pictures_do_not_wrap_around() -> None:
    dark, light = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    assert pixel_agreement([(dark, light)]).l1 == 255
    assert pixel_agreement([(dark, light)]).psnr_db == 0


def test_pictures_of_another_size_or_type_are_refused_and_never_broadcast() -> None:
    first, second = drawn_pair()
    for measure in (pixel_agreement, ssim):
        with pytest.raises(ValueError, match="bring both to one size"):
            measure([(first, second[:1])])
        with pytest.raises(ValueError, match="RGB uint8"):
            measure([(first / 255, second / 255)])


def test_ssim_follows_three_stated_rules() -> None:
    # Once: "SSIM" of one pair was 0.79, 0.80 or 0.81 by window and border, and no paper said which.
    first, second = drawn_pair()
    assert picture_ssim(first, second) == pytest.approx(GOLDEN["ssim_gaussian"], abs=1e-9)
    assert picture_ssim(first, second, rule=UNIFORM) == pytest.approx(GOLDEN["ssim_uniform"], abs=1e-9)
    mirrored = picture_ssim(first, second, rule=GAUSSIAN_MIRRORED)
    assert mirrored == pytest.approx(GOLDEN["ssim_gaussian_mirrored"], abs=1e-5)
    assert len({rule.stated for rule in (GAUSSIAN, UNIFORM, GAUSSIAN_MIRRORED)}) == 3


def test_ssim_of_a_video_is_the_mean_of_its_pictures() -> None:
    first, second = drawn_pair()
    found = ssim([(first, second), (first, first)])
    assert found.mean == pytest.approx((GOLDEN["ssim_gaussian"] + 1) / 2, abs=1e-9)
    assert found.lowest == pytest.approx(GOLDEN["ssim_gaussian"], abs=1e-9)
    assert "cropped" in str(found.protocol["rule"]) and found.protocol["frames"] == 2


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    small = np.zeros((10, 40, 3), np.uint8)
    with pytest.raises(ValueError, match="11x11 window"):
        ssim([(small, small)])
    with pytest.raises(ValueError, match="no pictures"):
        ssim([])


def test_the_stored_frames_of_a_real_clip_give_the_recorded_numbers(shared: Path) -> None:
    golden = json.loads((shared / "golden" / "image_metrics.json").read_text())["results"]
    frames = load_file(shared / "golden" / "image_metrics.safetensors")
    first, second = frames["frame_a_rgb_u8"], frames["frame_b_rgb_u8"]
    assert picture_ssim(first, second) == pytest.approx(golden["skimage_ssim_gaussian_paper"], abs=1e-6)
    uniform = picture_ssim(first, second, rule=UNIFORM)
    assert uniform == pytest.approx(golden["skimage_ssim_uint8_channel_axis"], abs=1e-6)
    mirrored = picture_ssim(first, second, rule=GAUSSIAN_MIRRORED)
    assert mirrored == pytest.approx(golden["torchmetrics_ssim_range1"], abs=1e-5)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    assert picture_ssim(*grey) == pytest.approx(golden["skimage_ssim_gray_gaussian"], abs=1e-6)
    found = pixel_agreement([(first, second)])
    assert found.psnr_db == pytest.approx(golden["skimage_psnr_uint8"], abs=1e-6)
    assert found.l1 == pytest.approx(golden["l1_0_255"], abs=1e-6)
    assert 2 / 255 * found.l1 == pytest.approx(golden["l1_minus1_1"], abs=1e-6)


def numbered(count: int) -> list[Array]:
    return [np.full((4, 4, 3), number, np.uint8) for number in range(count)]


def test_videos_of_different_length_or_size_are_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match="made video ends after 3 pictures"):
        list(frame_pairs(numbered(3), numbered(4)))
    with pytest.raises(ValueError, match="true video ends after 2 pictures"):
        list(frame_pairs(numbered(5), numbered(2)))
    with pytest.raises(ValueError, match=r"pair 0: the made picture is 32x32, the true one 16x16"):
        list(frame_pairs(noise_frames(1), noise_frames(1, size=16)))
    with pytest.raises(ValueError, match="no pictures"):
        list(frame_pairs([], []))
    with pytest.raises(ValueError, match="uint8"):
        list(frame_pairs([np.zeros((4, 4, 3), np.float32)], numbered(1)))


def test_a_true_video_of_another_rate_is_read_at_the_made_pictures_middles() -> None:
    pairs = list(aligned_pairs(numbered(24), numbered(30), made_fps=24, truth_fps=30))
    partners = [int(truth[0, 0, 0]) for _, truth in pairs]
    assert partners == [math.floor((k + 0.5) / 24 * 30) for k in range(24)]
    halved = [
        int(truth[0, 0, 0]) for _, truth in aligned_pairs(numbered(5), numbered(9), made_fps=25, truth_fps=50)
    ]
    assert halved == [1, 3, 5, 7]
    doubled = aligned_pairs(numbered(4), numbered(2), made_fps=50, truth_fps=25)
    assert [int(truth[0, 0, 0]) for _, truth in doubled] == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="above 0"):
        list(aligned_pairs(numbered(1), numbered(1), made_fps=0, truth_fps=25))
    with pytest.raises(ValueError, match="share no picture"):
        list(aligned_pairs(numbered(1), [], made_fps=25, truth_fps=25))


def test_an_endless_video_is_compared_one_picture_at_a_time() -> None:
    endless = repeat(numbered(1)[0])
    assert sum(1 for _ in aligned_pairs(numbered(7), endless, made_fps=25, truth_fps=25)) == 7
