"""Metrics of pictures and of whole sets, against numbers worked by hand."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.evaluation import ssim as ssim_rules
from talkvid.evaluation.clip_rule import ClipRule
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.lpips import Lpips
from talkvid.evaluation.suite.metric import Metric, SetMetric
from talkvid.evaluation.suite.registry import build_suite
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import FID_INCEPTION, I3D_KINETICS
from talkvid.records import Array
from tests.evaluation.picture_pairs import drawn_weights
from tests.evaluation.suite.fake_view import Clip, FakeView
from tests.evaluation.test_i3d import Standing, scripted
from tests.evaluation.test_inception import MANIFEST
from tests.evaluation.test_lpips import head_state, trunk_state

STILL = np.full(8, 0.1)


def metric(name: str, **settings: object) -> Metric:
    found = build_suite([name], MetricSettings(**settings)).metrics  # type: ignore[arg-type]
    assert len(found) == 1
    return found[0]


def set_metric(name: str, **settings: object) -> SetMetric:
    found = build_suite([name], MetricSettings(**settings)).sets  # type: ignore[arg-type]
    assert len(found) == 1
    return found[0]


def brighter(*levels: int, size: int = 64, fps: float = 25.0) -> Clip:
    """A still face whose pictures are so many levels brighter."""
    return Clip(np.full(len(levels), 0.1), brightness=np.array(levels), size=size, fps=fps)


def test_l1_and_both_psnr_of_known_differences() -> None:
    found = metric("pixel").measure(FakeView(brighter(3, 5), truth=brighter(0, 0)))
    assert found.values["l1"] == pytest.approx(4)
    each = [10 * math.log10(255**2 / squared) for squared in (9, 25)]
    assert found.values["psnr"] == pytest.approx(np.mean(each))
    assert found.values["psnr_pooled"] == pytest.approx(10 * math.log10(255**2 / 17))
    assert found.notes == ()
    told = {"fps": 25, "true_fps": 25, "size": "64x64", "frames": 2, "version": 1, "data_range": 255.0}
    assert told.items() <= dict(found.facts).items() and "none" in str(found.facts["resize"])


def test_an_infinite_psnr_is_absent_with_a_note() -> None:
    # Once: one infinite value made the mean of a whole table infinite.
    found = metric("pixel").measure(FakeView(brighter(0, 0), truth=brighter(0, 0)))
    assert dict(found.values) == {"l1": 0, "psnr": None, "psnr_pooled": None}
    assert len(found.notes) == 2 and "infinite" in found.notes[0]
    some = metric("pixel").measure(FakeView(brighter(0, 5), truth=brighter(0, 0)))
    assert some.values["psnr"] == pytest.approx(10 * math.log10(255**2 / 25))
    assert some.notes == ("1 of 2 pictures equal the true ones: not in the PSNR",)


def test_sizes_and_rates_that_differ_are_told() -> None:
    made, truth = brighter(*[3] * 10, size=80, fps=25), brighter(*[0] * 12, fps=30)
    found = metric("pixel").measure(FakeView(made, truth=truth))
    told = {"fps": 25, "true_fps": 30, "made_size": "80x80", "true_size": "64x64", "frames": 10}
    assert told.items() <= dict(found.facts).items() and "area" in str(found.facts["resize"])


def test_ssim_is_that_of_the_rule_that_is_asked_for_and_named_so() -> None:
    view = FakeView(brighter(0, 40), truth=Clip(np.array([0.3, 0.1]), size=64))
    pairs = list(view.frame_pairs())
    for name, rule in (
        ("gaussian", ssim_rules.GAUSSIAN),
        ("gaussian_mirrored", ssim_rules.GAUSSIAN_MIRRORED),
        ("uniform", ssim_rules.UNIFORM),
    ):
        built = metric("ssim", ssim_rule=name)
        found = built.measure(view)
        singly = [ssim_rules.picture_ssim(*pair, rule=rule) for pair in pairs]
        keys = [column.key for column in built.columns]
        assert [found.values[key] for key in keys] == pytest.approx([np.mean(singly), min(singly)])
        assert found.facts["rule"] == rule.stated
        assert (keys[0] == "ssim") == (name == "gaussian") == (built.columns[0].heading == "SSIM")


def test_change_over_time_is_told_of_both_videos_and_as_a_ratio() -> None:
    made, truth = brighter(0, 6, 0, 6), brighter(0, 2, 4, 6)
    found = metric("temporal_l1").measure(FakeView(made, truth=truth))
    assert dict(found.values) == {
        "temporal_l1": pytest.approx(6),
        "temporal_l1_truth": pytest.approx(2),
        "temporal_l1_ratio": pytest.approx(3),
    }
    still = metric("temporal_l1").measure(FakeView(made, truth=brighter(*[1] * 4)))
    assert still.values["temporal_l1_ratio"] is None and "stands still" in still.notes[0]


def test_change_over_time_compares_the_same_moments_whatever_the_rates() -> None:
    # 50 pictures per second beside 25: every second true picture, so that steps are of equal time.
    truth = brighter(0, 50, 2, 50, 4, 50, 6, 50, fps=50)
    found = metric("temporal_l1").measure(FakeView(brighter(0, 2, 4, 6), truth=truth))
    assert found.values["temporal_l1"] == pytest.approx(2)
    assert found.facts["true_fps"] == 50 and found.facts["steps"] == 3
    shown = [theirs.mean() - ours.mean() for ours, theirs in FakeView(brighter(0), truth=truth).frame_pairs()]
    assert shown == [pytest.approx(50)]


@pytest.fixture
def lpips_files(tmp_path: Path) -> dict[str, Path]:
    torch.save(trunk_state("alex"), tmp_path / "trunk.pth")
    torch.save(head_state("alex"), tmp_path / "heads.pth")
    return {"lpips_trunk": tmp_path / "trunk.pth", "lpips_heads": tmp_path / "heads.pth"}


def test_lpips_of_other_weights_is_the_networks_mean_under_another_name(lpips_files: dict[str, Path]) -> None:
    view = FakeView(brighter(0, 40, size=72), truth=Clip(np.array([0.3, 0.1]), size=72))
    built = metric("lpips", **lpips_files)
    found = built.measure(view)
    network = Lpips(lpips_files["lpips_trunk"], lpips_files["lpips_heads"])
    singly = [network.distances(ours[None], theirs[None])[0] for ours, theirs in view.frame_pairs()]
    assert dict(found.values) == {"lpips_alex_other_weights": pytest.approx(np.mean(singly), rel=1e-5)}
    assert (
        "other weights" in built.columns[0].heading and str(network.facts["heads_sha256"]) in built.signature
    )
    assert found.facts["frames"] == 2 and found.facts["trunk_sha256"] == network.facts["trunk_sha256"]


def test_temporal_lpips_bears_the_same_name(lpips_files: dict[str, Path]) -> None:
    built = metric("temporal_lpips", **lpips_files)
    clip = brighter(0, 30, 0, size=72)
    found = built.measure(FakeView(clip, truth=clip))
    made, truth, ratio = (found.values[column.key] for column in built.columns)
    assert made == truth != 0 and ratio == pytest.approx(1)
    assert all("other weights" in column.heading for column in built.columns)
    assert built.columns[0].key == "temporal_lpips_alex_other_weights"


def moments_of(rows: Array) -> FeatureMoments:
    moments = FeatureMoments(rows.shape[1])
    moments.add(rows, num_clips=1)
    return moments


@pytest.fixture
def i3d(tmp_path: Path) -> Path:
    return scripted(Standing(), tmp_path / "i3d.pt")


def test_fvd_sees_the_clips_of_the_rule_at_one_rate(i3d: Path) -> None:
    rule = ClipRule(length=10, per_video=2)
    built = set_metric("fvd", i3d=i3d, trust_i3d=True, fvd_clips=rule, fvd_fps=25.0)
    # 24 pictures at 50 per second are 12 at 25: clips begin with numbers 0 and 2, that is pictures 0 and 4.
    made = brighter(*range(24), size=16, fps=50)
    found = built.features(FakeView(made, truth=brighter(*[20] * 12, size=16)))
    corner = next(brighter(0, size=16).frames())[0, 0]
    assert found.made.dtype == np.float32 and found.made.shape == found.truth.shape == (2, 400)
    assert (found.made[:, 0] - corner[0]).tolist() == [0, 4]
    assert (found.made[:, 1] - corner[2]).tolist() == [18, 22]
    assert set((found.truth[:, 0] - corner[0]).tolist()) == {20}
    told = {"fps": 25, "source_fps": 50, "clip_length": 10, "clips": 2, "clips_per_video": 2, "size": "16x16"}
    assert told.items() <= dict(found.facts).items()


def test_fvd_of_another_network_has_another_name_and_needs_samples(i3d: Path) -> None:
    built = set_metric("fvd", i3d=i3d, trust_i3d=True, allow_rank_deficient=True)
    rng = np.random.default_rng(0)
    made, truth = (moments_of(rng.normal(size=(5, 400))) for _ in range(2))
    found = built.distance(made, truth)
    assert list(found.values) == ["fvd_other_weights"] and "other network" in built.columns[0].heading
    assert "5 made and 5 true samples are fewer than the 401" in found.notes[0]
    assert found.facts["fps"] == 25 and found.facts["clip_length"] == 16 and found.facts["rank_deficient"]
    strict = set_metric("fvd", i3d=i3d, trust_i3d=True)
    # Once: a distance of one video a side was told as if it were one.
    with pytest.raises(ValueError, match="5 made and 5 true samples are too few"):
        strict.distance(made, truth)
    assert (
        strict.signature
        == built.signature
        != set_metric("fvd", i3d=i3d, trust_i3d=True, fvd_fps=24.0).signature
    )


def test_a_video_too_short_for_fvd_is_refused_with_its_numbers(i3d: Path) -> None:
    built = set_metric("fvd", i3d=i3d, trust_i3d=True)
    with pytest.raises(ValueError, match=r"the true video at 25 pictures per second: a video of 12 pictures"):
        built.features(FakeView(brighter(*range(20), size=16), truth=brighter(*range(12), size=16)))


def test_an_unknown_torchscript_file_does_not_run_unless_trusted(i3d: Path) -> None:
    with pytest.raises(ValueError, match="not the published I3D"):
        build_suite(["fvd"], MetricSettings(i3d=i3d))


class MeanColours:
    """Stands for Inception: a picture's three mean values."""

    dims, sha256, device, published, name = 3, "0" * 64, "cpu", True, "FID"

    def __init__(self, path: Path, *, device: str) -> None:
        assert path.name == FID_INCEPTION.name
        self.facts = {"features": "mean colours"}

    def batches(self, frames: object) -> object:
        for frame in frames:  # type: ignore[attr-defined]
            yield frame.mean(axis=(0, 1))[None]


def test_fid_is_the_distance_of_all_pictures_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FID_INCEPTION.name).write_bytes(b"")
    monkeypatch.setattr("talkvid.evaluation.inception.InceptionFeatures", MeanColours)
    built = set_metric("fid", weights_dir=tmp_path)
    assert built.columns[0].key == "fid" and built.columns[0].heading == "FID" and built.dims == 3
    found = built.features(FakeView(brighter(2, 4, 6, 8), truth=brighter(12, 14, 16, 18, 12)))
    base = next(brighter(0).frames()).mean(axis=(0, 1))
    assert (found.made - base)[:, 0] == pytest.approx([2, 4, 6, 8], abs=1e-3)
    assert (found.truth - base)[:, 1] == pytest.approx([12, 14, 16, 18, 12], abs=1e-3)
    assert (found.facts["frames"], found.facts["true_frames"], found.facts["size"]) == (4, 5, "64x64")
    # Two sets of one covariance, a shift of 10 in each of three numbers: |m1 - m2|² alone is left.
    rows = found.made
    shifted = built.distance(moments_of(rows), moments_of(rows + 10))
    assert shifted.values["fid"] == pytest.approx(300, rel=1e-6) and shifted.notes == ()


def test_fid_of_other_weights_has_another_name(tmp_path: Path) -> None:
    torch.save(drawn_weights(MANIFEST), tmp_path / "inception.pth")
    built = set_metric("fid", inception=tmp_path / "inception.pth")
    assert built.dims == 2048 and built.columns[0].key == "fid_other_weights"
    assert built.columns[0].heading == "Inception Fréchet distance, other weights"
    found = built.features(FakeView(brighter(0, 9, size=32), truth=brighter(0, size=32)))
    assert found.made.shape == (2, 2048) and found.truth.shape == (1, 2048)
    np.testing.assert_allclose(found.made[0], found.truth[0], atol=1e-4)
    with pytest.raises(ValueError, match=r"2 made and 2 true samples are too few.*2049"):
        built.distance(moments_of(found.made), moments_of(found.made))


def test_published_files_earn_the_names(tmp_path: Path, i3d: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from talkvid.evaluation.weight_files import file_sha256

    genuine = replace(I3D_KINETICS, sha256=file_sha256(i3d))
    monkeypatch.setattr("talkvid.evaluation.i3d.I3D_KINETICS", genuine)
    built = set_metric("fvd", i3d=i3d)
    assert (built.columns[0].key, built.columns[0].heading) == ("fvd", "FVD")
