"""LMD against RAD-NeRF's numbers, our lip points beside it, and distances of key points and embeddings."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from talkvid.evaluation.keypoint_distance import embedding_distance, keypoint_distance
from talkvid.evaluation.landmark_distance import landmark_distance, lip_landmark_distance
from talkvid.evaluation.lip_distance import lip_distance
from tests.evaluation.drawn import tracks_with
from tests.evaluation.picture_pairs import DATA, stored

CASES = stored("lmd.json")["cases"]
POINTS = load_file(DATA / "lmd.safetensors")
NAMES = ("same", "noise", "shifted", "double_size", "late_3_frames", "rotated")


@pytest.mark.parametrize("case", NAMES)
def test_distances_are_the_recorded_ones(case: str) -> None:
    made, truth = POINTS[f"{case}_pred"], POINTS[f"{case}_truth"]
    mouth = landmark_distance(made, truth)
    assert mouth.pixels == pytest.approx(CASES[case]["mouth_px"], abs=1e-4)
    assert mouth.over_eye_centres == pytest.approx(CASES[case]["ours_mouth_over_eye_centres"], abs=1e-6)
    outer = CASES[case]["ours_mouth_over_outer_eye_corners"]
    assert mouth.over_outer_corners == pytest.approx(outer, abs=1e-6)
    face = landmark_distance(made, truth, part="face")
    assert face.pixels == pytest.approx(CASES[case]["face_px"], abs=1e-4)
    assert (mouth.name, face.name, mouth.num_measured) == ("LMD", "F-LMD", 10)


def test_pictures_without_a_face_are_counted_and_never_spoil_the_mean() -> None:
    # Once: the meter crashed on a picture without a face (TypeError, UnboundLocalError).
    made, truth = POINTS["noise_pred"].copy(), POINTS["noise_truth"].copy()
    made[3], truth[7] = np.nan, np.nan
    found = landmark_distance(made, truth)
    expected = CASES["noise_missing_pred3_truth7"]
    assert found.pixels == pytest.approx(expected["mouth_px_over_valid_pairs"], abs=1e-4)
    assert (found.num_measured, found.num_frames) == (expected["valid_pairs"], 10)
    assert (found.missing_made, found.missing_truth) == ((3,), (7,))
    assert found.over_eye_centres is not None and np.isfinite(found.over_eye_centres)


def test_a_video_without_any_face_has_no_distance() -> None:
    nobody = np.full((4, 68, 2), np.nan)
    found = landmark_distance(nobody, POINTS["noise_truth"][:4])
    assert (found.pixels, found.over_eye_centres, found.over_outer_corners) == (None, None, None)
    assert (found.num_measured, found.missing_made) == (0, (0, 1, 2, 3))


def test_pixels_grow_with_the_picture_and_the_normalised_form_does_not() -> None:
    made, truth = POINTS["noise_pred"].astype(float), POINTS["noise_truth"].astype(float)
    small, large = landmark_distance(made, truth), landmark_distance(2 * made, 2 * truth, size=(512, 512))
    assert large.pixels == pytest.approx(2 * (small.pixels or 0))
    assert large.over_eye_centres == pytest.approx(small.over_eye_centres)
    assert large.protocol["size"] == "512x512"


def test_landmarks_of_other_shapes_or_lengths_are_refused() -> None:
    truth = POINTS["noise_truth"]
    with pytest.raises(ValueError, match="not \\(pictures, 68, 2\\)"):
        landmark_distance(truth[:, :40], truth)
    with pytest.raises(ValueError, match="9 made and 10 true"):
        landmark_distance(truth[1:], truth)


def test_our_lip_points_are_measured_under_their_own_name() -> None:
    opening = np.array([0.1, 0.3, np.nan, 0.2])
    truth, made = tracks_with(np.full(4, 0.1)), tracks_with(opening)
    found = lip_landmark_distance(made, truth)
    assert found.name != "LMD" and "40 lip points" in found.name
    assert (found.num_measured, found.missing_made, found.missing_truth) == (3, (2,), ())
    # Eyes are 100 px apart, so a hundredth of it is a pixel: the percent of our own measure.
    assert found.pixels == pytest.approx(lip_distance(made, truth), rel=1e-5)
    assert found.over_eye_centres == pytest.approx((found.pixels or 0) / 100, rel=1e-5)
    assert found.over_outer_corners is None
    with pytest.raises(ValueError, match="one length, rate and size"):
        lip_landmark_distance(made, truth.cut(0, 3))
    with pytest.raises(ValueError, match="at 30 cannot"):
        lip_landmark_distance(made, tracks_with(np.full(4, 0.1), fps=30))


def test_key_points_are_compared_at_256_pixels() -> None:
    truth = np.array([[[0.0, 0.0], [100.0, 50.0]], [[10.0, 10.0], [20.0, 20.0]]])
    made = truth + np.array([3.0, 4.0])
    found = keypoint_distance(
        made, truth, made_size=(512, 512), truth_size=(512, 512), backend="face-alignment"
    )
    assert (found.name, found.mean_l2, found.mean_l1) == ("AKD", 2.5, 1.75)
    larger = keypoint_distance(
        2 * truth, truth, made_size=(512, 256), truth_size=(256, 128), backend="centre"
    )
    assert larger.mean_l2 == 0 and larger.name == "AKD form (centre)"


def test_pictures_without_key_points_are_counted() -> None:
    truth = np.ones((3, 5, 2))
    made = truth + 1
    made[0, 2, 1] = np.nan
    sizes = {"made_size": (256, 256), "truth_size": (256, 256)}
    found = keypoint_distance(made, truth, **sizes, backend="face-alignment")
    assert (found.mean_l1, found.missing_made, found.missing_truth) == (1, 1, 0)
    nobody = keypoint_distance(np.full((3, 5, 2), np.nan), truth, **sizes, backend="face-alignment")
    assert (nobody.mean_l1, nobody.mean_l2, nobody.missing_made) == (None, None, 3)
    with pytest.raises(ValueError, match="do not belong together"):
        keypoint_distance(made[:, :4], truth, **sizes, backend="face-alignment")
    with pytest.raises(ValueError, match="means nothing without its backend"):
        keypoint_distance(made, truth, **sizes, backend=" ")


def test_embeddings_are_compared_picture_by_picture_under_the_backends_name() -> None:
    made = [np.array([3.0, 0.0]), None, np.array([0.0, 1.0])]
    truth = [np.array([0.0, 4.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])]
    found = embedding_distance(made, truth, backend="ArcFace")
    assert (
        found.name == "AED form (ArcFace)"
        and embedding_distance(made, truth, backend="OpenFace").name == "AED"
    )
    assert (found.mean_l2, found.mean_l1) == (2.5, 1.75)
    assert (found.num_frames, found.missing_made, found.missing_truth) == (3, 1, 0)
    assert embedding_distance([None], [None], backend="ArcFace").mean_l2 is None
    assert embedding_distance([], [], backend="ArcFace").num_frames == 0
    with pytest.raises(ValueError, match=r"\[2, 3\] numbers"):
        embedding_distance([np.ones(3)], [np.ones(2)], backend="ArcFace")
