"""Metrics by name: which there are, what is left out and why, and what their signatures cover."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from talkvid.evaluation.clip_rule import ClipRule
from talkvid.evaluation.suite.listing import as_markdown
from talkvid.evaluation.suite.metric import Metric, Need, SetMetric
from talkvid.evaluation.suite.registry import METRICS, build_suite, resolved
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.weight_files import (
    ALEXNET,
    ARCFACE,
    FID_INCEPTION,
    I3D_KINETICS,
    LPIPS_ALEX,
    LPIPS_VGG,
    SYNCNET,
    VGG16,
)
from tests.evaluation.test_lpips import head_state, trunk_state

WEIGHTLESS = [entry.name for entry in METRICS.values() if not entry.weights]
OFFICIAL = {"LSE-D", "LSE-C", "AV offset (frames of 1/25 s)", "SSIM", "LPIPS (alex)", "FID", "FVD"}
FIELD_NAMES = re.compile(r"LSE|Sync-|LMD|CSIM|FID|FVD|LPIPS|AKD|AED|SSIM|PSNR")


@pytest.fixture
def nowhere(tmp_path: Path) -> MetricSettings:
    return MetricSettings(weights_dir=tmp_path / "none")


def test_names_are_told_once_in_the_order_of_the_tables() -> None:
    assert resolved(["ssim", "mel", "ssim", "pixel"]) == ("mel", "pixel", "ssim")
    assert resolved(["all"]) == tuple(METRICS) == resolved(["all", "mel"])
    assert set(resolved(["all"])) - set(resolved(["default"])) == {"identity", "temporal_lpips"}


def test_an_unknown_name_is_refused_with_the_known_ones_and_a_guess() -> None:
    with pytest.raises(
        ValueError, match=r"no metric 'lpisp', did you mean 'lpips'\?.*known are all, default"
    ) as told:
        resolved(["mel", "lpisp"])
    assert all(name in str(told.value) for name in METRICS)
    with pytest.raises(ValueError, match="no metric 'SSIM', did you mean 'ssim'"):
        resolved(["SSIM"])
    with pytest.raises(ValueError, match=r"no metric 'zzzz'; known"):
        resolved(["zzzz"])
    with pytest.raises(ValueError, match="no metric was named"):
        build_suite([], MetricSettings())


def test_the_registry_loads_no_torch() -> None:
    told = "import sys; import talkvid.evaluation.suite.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told], check=False).returncode == 0


def test_what_needs_no_weights_is_built_and_fits_its_entry(nowhere: MetricSettings) -> None:
    suite = build_suite(["all"], nowhere)
    assert [metric.name for metric in suite.metrics] == WEIGHTLESS and not suite.sets
    for metric in suite.metrics:
        entry = METRICS[metric.name]
        assert isinstance(metric, Metric) and not isinstance(metric, SetMetric)
        assert (metric.columns, metric.needs, metric.hears) == (entry.columns, entry.needs, entry.hears)
        assert "\n" not in metric.signature and f'"{metric.name}"' in metric.signature
    assert len({metric.signature for metric in suite.metrics}) == len(suite.metrics)


def test_weights_that_were_never_fetched_leave_their_metric_out_by_name(nowhere: MetricSettings) -> None:
    # Once: without its weights a metric was computed with other ones under the same name.
    left = {one.name: one.reason for one in build_suite(["all"], nowhere).left_out}
    assert set(left) == {entry.name for entry in METRICS.values() if entry.weights}
    for name, files in {
        "sync": [SYNCNET],
        "fid": [FID_INCEPTION],
        "fvd": [I3D_KINETICS],
        "lpips": [ALEXNET, LPIPS_ALEX],
        "temporal_lpips": [ALEXNET, LPIPS_ALEX],
        "csim": [ARCFACE],
    }.items():
        for file in files:
            assert str(nowhere.weights_dir / file.name) in left[name] and file.fetch_command in left[name]
        assert "\n" not in left[name]
    assert "give their path" in left["identity"]
    vgg = build_suite(["lpips"], replace(nowhere, lpips_network="vgg")).left_out[0].reason
    assert VGG16.name in vgg and LPIPS_VGG.name in vgg


def test_a_path_that_was_given_and_is_not_there_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.model.*weights for syncnet"):
        MetricSettings(syncnet=tmp_path / "none.model")


@pytest.mark.parametrize(
    ("name", "place"),
    [("sync", SYNCNET), ("fid", FID_INCEPTION), ("fvd", I3D_KINETICS), ("lpips", ALEXNET)],
)
def test_a_file_that_is_there_and_broken_is_an_error_that_names_it(
    tmp_path: Path, name: str, place: object
) -> None:
    for file in (SYNCNET, FID_INCEPTION, I3D_KINETICS, ALEXNET, LPIPS_ALEX):
        (tmp_path / file.name).write_bytes(b"not weights")
    with pytest.raises(ValueError, match=re.escape(place.name)):  # type: ignore[attr-defined]
        build_suite([name], MetricSettings(weights_dir=tmp_path))


def test_a_missing_package_leaves_its_metric_out_and_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "face.onnx").write_bytes(b"")
    (tmp_path / "sync.model").write_bytes(b"")
    for module in ("insightface.model_zoo", "scenedetect"):
        monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    settings = MetricSettings(arcface=tmp_path / "face.onnx", syncnet=tmp_path / "sync.model")
    left = {one.name: one.reason for one in build_suite(["sync", "csim"], settings).left_out}
    assert "talkvid[face]" in left["csim"] and "talkvid[eval]" in left["sync"]


@pytest.mark.parametrize(
    "wrong",
    [{"sync_protocol": "cropped"}, {"lpips_network": "squeeze"}, {"ssim_rule": "box"}, {"fvd_fps": 0.0}],
)
def test_settings_that_are_unknown_are_refused(wrong: dict[str, str | float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.*(choose|above 0)"):
        MetricSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="too short for I3D"):
        MetricSettings(fvd_clips=ClipRule(length=9))


def test_signatures_change_with_every_setting_that_moves_numbers(tmp_path: Path) -> None:
    def signature(name: str, **settings: object) -> str:
        suite = build_suite([name], MetricSettings(**settings))  # type: ignore[arg-type]
        return suite.metrics[0].signature

    assert signature("ssim") == signature("ssim") != signature("ssim", ssim_rule="uniform")
    torch.save(trunk_state("alex"), tmp_path / "trunk.pth")
    torch.save(head_state("alex"), tmp_path / "heads.pth")
    other = {name: 2 * tensor for name, tensor in head_state("alex").items()}
    torch.save(other, tmp_path / "other.pth")
    trunk = tmp_path / "trunk.pth"
    first = signature("lpips", lpips_trunk=trunk, lpips_heads=tmp_path / "heads.pth")
    assert first != signature("lpips", lpips_trunk=trunk, lpips_heads=tmp_path / "other.pth")


def test_keys_are_unique_and_every_number_says_what_it_is() -> None:
    columns = [column for entry in METRICS.values() for column in entry.columns]
    assert (
        len({column.key for column in columns}) == len({column.heading for column in columns}) == len(columns)
    )
    for column in columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.key)
        assert column.meaning.endswith(".") and len(column.meaning) > 15 and column.digits >= 1
    for entry in METRICS.values():
        assert entry.description and "\n" not in entry.description and entry.needs <= set(Need)
        assert entry.hears is False or Need.SOUND in entry.needs


def test_only_official_numbers_bear_official_names() -> None:
    # Once: a mouth measure of other points was called LMD, another network's cosine CSIM.
    for entry in METRICS.values():
        for column in entry.columns:
            if FIELD_NAMES.search(column.heading):
                official = column.heading in OFFICIAL or column.heading.startswith(
                    ("PSNR", "SSIM, worst", "CSIM (ArcFace)", "temporal LPIPS (alex)")
                )
                assert official or " form" in column.heading, column.heading


def test_the_documentation_has_the_table_of_all_metrics() -> None:
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert as_markdown() in page, (
        "run: python -c 'from talkvid.evaluation.suite.listing import as_markdown; print(as_markdown())'"
    )
    rows = as_markdown().splitlines()
    assert len(rows) == 2 + sum(len(entry.columns) for entry in METRICS.values())
    assert len({row.count("|") for row in rows}) == 1
