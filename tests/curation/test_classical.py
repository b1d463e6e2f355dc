"""The embedded quality score: measures of drawn pictures whose blur, noise and blocks are known."""

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from talkvid.curation.classical import ClassicalLook, ClassicalScorer
from talkvid.curation.classical_measures import (
    PictureMeasures,
    block_grid,
    centre_of,
    edge_width,
    measure_picture,
)
from talkvid.curation.classical_scale import CURVES, STEEPEST, Curve, classical_scores, fitted_curve, parts_of
from talkvid.curation.quality import QualityConfig, build_quality_scorer
from talkvid.curation.records import Span
from talkvid.curation.scorer import Unscorable
from talkvid.media.image import load_image
from talkvid.records import Array

PORTRAIT = Path(__file__).parents[2] / "test_samples" / "short_case" / "astronaut"


@pytest.fixture(scope="module")
def portrait() -> Array:
    """A sharp portrait, RGB (256 256 3)."""
    (path,) = [path for path in PORTRAIT.iterdir() if path.suffix in (".png", ".jpg")]
    return load_image(path)


def span(num_frames: int = 250, fps: int = 25, width: int = 512, height: int = 512) -> Span:
    return Span("film", "film.mp4", 1, 0, num_frames, (1, fps), 0, num_frames, width, height, float(fps))


def score(*pictures: Array) -> dict[str, float]:
    look = ClassicalLook(span())
    for index, picture in enumerate(pictures):
        look.see(index, picture)
    return dict(look.finish())


def jpeg(picture: Array, quality: int) -> Array:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.5])
def test_the_width_of_a_known_edge_is_found(sigma: float) -> None:
    profile = np.array([math.erf((column - 25) / (sigma * math.sqrt(2))) for column in range(51)])
    up_and_down = np.concatenate([profile, -profile] * 4)
    picture = np.tile(128 + 60 * up_and_down, (300, 1)).astype(np.float32)
    # The slope is taken over two pixels, which makes narrow edges a little wider.
    assert edge_width(picture) == pytest.approx(math.hypot(sigma, math.sqrt(1 / 3)), rel=0.05)


def test_a_picture_without_edges_has_the_widest() -> None:
    assert edge_width(np.full((200, 200), 90, np.float32)) == 10.0


def test_noise_is_measured_in_levels(portrait: Array) -> None:
    noise = np.random.default_rng(0).normal(0, 8, (512, 512, 3))
    grey = np.clip(np.full((512, 512, 3), 120) + noise, 0, 255).astype(np.uint8)
    # Grey is 0.299, 0.587, 0.114 of the colours, so their noise of 8 levels becomes 5.35.
    assert measure_picture(grey).noise == pytest.approx(8 * math.hypot(0.299, 0.587, 0.114), rel=0.08)
    assert measure_picture(portrait).noise < 1.5


def test_the_grid_of_a_block_coder_shows_and_only_where_it_lies(portrait: Array) -> None:
    grey = cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    coarse = cv2.cvtColor(jpeg(portrait, 8), cv2.COLOR_RGB2GRAY).astype(np.float32)
    marks, edges = block_grid(grey.astype(np.float32))
    assert 0.6 < marks < 1.5 and 0.8 < edges < 1.2
    marked, edged = block_grid(coarse)
    assert marked > 4 and edged > 1.4
    assert block_grid(coarse[3:, 3:])[0] < 1.5  # off the grid there is nothing to see


def test_the_centre_starts_on_the_grid_and_has_a_largest_size() -> None:
    numbered = np.arange(1080 * 1920).reshape(1080, 1920)
    centre = centre_of(numbered)
    row, column = divmod(int(centre[0, 0]), 1920)
    assert row % 8 == 0 and column % 8 == 0
    assert centre.shape == (592, 768)
    assert abs(row + 296 - 0.425 * 1080) <= 8 and abs(column + 384 - 960) <= 8
    assert centre_of(np.zeros((4320, 7680))).shape == (1024, 1024)


def test_a_sharp_portrait_passes_and_spoilt_copies_do_not(portrait: Array) -> None:
    small = cv2.resize(portrait, (64, 64), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(1).normal(0, 25, portrait.shape)
    spoilt = {
        "sharpness": cv2.GaussianBlur(portrait, (0, 0), 4),
        "sharpness of a small copy": cv2.resize(small, (256, 256), interpolation=cv2.INTER_CUBIC),
        "compression": jpeg(portrait, 6),
        "noise": np.clip(portrait + noise, 0, 255).astype(np.uint8),
        "exposure": (portrait.astype(float) * 0.03).astype(np.uint8),
    }
    assert score(portrait)["classical_quality"] > 50
    sharpness = score(portrait)["classical_sharpness"]
    assert sharpness > 75
    for name, picture in spoilt.items():
        scores = score(picture)
        part = f"classical_{name.split()[0]}"
        assert scores["classical_quality"] < 50, name
        assert scores[part] == scores["classical_quality"], name
    mild = score(cv2.GaussianBlur(portrait, (0, 0), 0.8))["classical_sharpness"]
    assert score(spoilt["sharpness"])["classical_sharpness"] < mild < sharpness


def test_one_odd_picture_does_not_decide(portrait: Array) -> None:
    black = np.zeros_like(portrait)
    assert score(portrait, portrait, black)["classical_quality"] == score(portrait)["classical_quality"]
    assert score(portrait, black, black)["classical_quality"] < 1


def test_pictures_too_small_are_turned_down_by_name() -> None:
    with pytest.raises(Unscorable, match="512x512 cannot be judged, 128 pixels") as raised:
        score(np.zeros((120, 300, 3), np.uint8))
    assert raised.value.code == "QUALITY_LOW"
    with pytest.raises(ValueError, match="300x120 is too small"):
        measure_picture(np.zeros((120, 300, 3), np.uint8))


@pytest.mark.parametrize(("num_frames", "looks"), [(250, 10), (2, 2), (1, 1), (60, 3), (25 * 90, 60)])
def test_looks_are_spread_over_the_clip(num_frames: int, looks: int) -> None:
    wanted = ClassicalScorer().wanted(span(num_frames))
    assert len(wanted) == looks == len(set(wanted))
    assert wanted == sorted(wanted) and wanted[0] >= 0 and wanted[-1] < num_frames
    assert abs(wanted[0] - (num_frames - 1 - wanted[-1])) <= 1


def test_curves_fall_and_are_fitted_between_good_and_bad() -> None:
    curve = Curve(half=2.0, steepness=3.0)
    values = [curve(value) for value in (0, 1, 2, 4, 100)]
    assert values[0] == 100 and values[2] == 50 and values == sorted(values, reverse=True)
    fitted = fitted_curve([0.9, 1.0, 1.1], [4.0, 5.0])
    assert fitted.half == pytest.approx(math.sqrt(1.09 * 4.0))
    assert fitted(1.09) == pytest.approx(90) and fitted(4.0) == pytest.approx(10)
    assert fitted_curve([1.0, 1.0], [1.1, 1.1]).steepness == STEEPEST


def test_each_part_falls_with_its_own_measure() -> None:
    good = PictureMeasures(1.0, 0.8, 1.1, 1.05, 0.05, 120, 180, 0.0)
    scores = classical_scores([good])
    assert scores["classical_quality"] == min(parts_of(vars(good)).values()) > 50
    for measure, half in ((name, CURVES[name].half) for name in CURVES):
        worse = classical_scores([replace(good, **{measure: half * 1.5})])
        assert worse["classical_quality"] < 50 < scores["classical_quality"], measure
    for change in ({"brightness": 12.0}, {"brightness": 245.0}, {"contrast": 10.0}, {"clipped": 0.7}):
        assert classical_scores([replace(good, **change)])["classical_exposure"] < 50


def test_the_settings_are_checked_and_are_part_of_the_signature() -> None:
    scorer = build_quality_scorer(QualityConfig(looks_per_s=2.0))
    assert (scorer.stage, scorer.backend) == ("quality", "embedded")
    assert len(scorer.wanted(span(250))) == 20
    assert scorer.signature() != build_quality_scorer(QualityConfig()).signature()
    for change, message in (({"looks_per_s": 0.0}, "looks_per_s"), ({"device": "tpu"}, "cpu or cuda"),
                            ({"num_threads": 0}, "num_threads")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            QualityConfig(**change)  # type: ignore[arg-type]
