"""The numbered folders: each stage reads what the one before writes, from whatever folder it is started."""

import os
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from talkvid.config import load_config
from talkvid.curation.config import CurateConfig, load_curate_config

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "data_pipeline"
CHAIN = [
    ("1_video_rough_segmentation", "rough_segementation.sh", "config.yaml", "segment"),
    ("2_video_quality_motion_filtering", "video_quality_dover.sh", "config.yaml", "quality"),
    ("2_video_quality_motion_filtering", "video_motion_cotracker.sh", "config_motion.yaml", "motion"),
    ("3_head_detail_filtering", "head_filter.sh", "config.yaml", "head"),
]


def paths_of(folder: str, name: str) -> tuple[Path, Path]:
    """Return input and output of a stage."""
    config = load_config(CurateConfig, PIPELINE / folder / name)
    return Path(config.input).resolve(), Path(config.output).resolve()


def test_the_input_of_every_stage_is_the_output_of_the_one_before() -> None:
    # Once: the motion stage read the list of the beginning, so that the quality stage had no effect.
    stages = [paths_of(folder, name) for folder, _, name, _ in CHAIN]
    for before, after in pairwise(stages):
        assert after[0] == before[1]
    assert len({output for _, output in stages}) == len(stages)
    assert stages[0][0].parent == paths_of("0_video_download", "config.yaml")[1]
    for last in ("4_annotation", "5_statistics"):
        assert paths_of(last, "config.yaml")[0] == stages[-1][1]


@pytest.mark.parametrize("path", sorted(PIPELINE.rglob("config*.yaml")), ids=lambda path: path.parent.name)
def test_every_setting_of_the_folders_is_known_and_no_path_is_somebody_elses(path: Path) -> None:
    config = load_curate_config(path)
    for place in (config.input, config.output):
        assert not place or Path(place).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize(("folder", "script", "config", "verb"), CHAIN)
def test_a_stage_script_starts_its_verb_with_its_settings_from_any_folder(
    tmp_path: Path, folder: str, script: str, config: str, verb: str
) -> None:
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$PWD|" "$@"\n')
    fake.chmod(0o755)
    result = subprocess.run(
        ["bash", str(PIPELINE / folder / script), "two words", "a.b=1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(fake)},
        check=True,
    )
    place, _, command = result.stdout.strip().partition("| ")
    launcher, *words = command.split(" ", 1)
    assert Path(place) == tmp_path
    assert Path(launcher).resolve() == ROOT / "src" / "talkvid" / "cli" / "launch.py"
    assert words == [f"curate {verb} --config {PIPELINE / folder / config} two words a.b=1"]


def test_conda_environments_are_those_of_the_package_and_its_extras() -> None:
    # Once: four environments of hundreds of pins, of which no two agreed.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {"datapipe.yaml": "video-py310", "env_head.yml": "env_head"}
    files = [path for path in PIPELINE.rglob("*.y*ml") if not path.name.startswith("config")]
    assert {path.name: yaml.safe_load(path.read_text())["name"] for path in files} == names
    for path in files:
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        assert dependencies[:2] == ["python=3.11", "pip"] and len(dependencies) == 3
        (package,) = dependencies[2]["pip"]
        match = re.fullmatch(r"-e (\S+)\[([a-z,]+)\]", package)
        assert match is not None and (path.parent / match[1]).resolve() == ROOT
        assert set(match[2].split(",")) <= set(project["optional-dependencies"])


def test_a_whole_chain_of_stages_run_alone_gives_the_verdicts_of_one_run(tmp_path: Path) -> None:
    from curation_jobs import draw_video

    for number in range(2):
        draw_video(tmp_path / "videos" / f"v{number}.mp4", seconds=1.0, shade=60 + 90 * number, size=128)
    (tmp_path / "videos" / "bad.mp4").write_text("no video")
    rules = [f"rules.scan.{name}=off" for name in ("duration_s", "has_audio", "speech_ratio")]
    first = str(tmp_path / "videos")
    common = ["--executor", "inline", *rules]
    for number, verb in enumerate(["segment", "quality", "motion", "head"]):
        out = str(tmp_path / f"{number}")
        talkvid(verb, first, "-o", out, *(common if verb == "segment" else ["--executor", "inline"]))
        first = out
    talkvid("run", str(tmp_path / "videos"), "-o", str(tmp_path / "all"), *common, "finish=[export]")
    from talkvid.curation.manifest import read_clips

    chain, whole = ({row.name: row.status for row in read_clips(tmp_path / name)} for name in ("3", "all"))
    assert chain == whole and whole["bad"] == "failed" and len(whole) == 3


def talkvid(verb: str, *words: str) -> str:
    command = [sys.executable, "-m", "talkvid.cli.curate", verb, *words]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout
