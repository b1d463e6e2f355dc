"""The folders 0_video_download and 4_annotation: settings complete, read, and in line with the others."""

from dataclasses import fields
from pathlib import Path

import pytest

from talkvid.curation.annotate_parts import AnnotateConfig
from talkvid.curation.config import load_curate_config, section
from talkvid.curation.download import DownloadConfig
from talkvid.curation.download_run import SOURCES

FOLDERS = {"download": ("0_video_download", DownloadConfig), "annotate": ("4_annotation", AnnotateConfig)}

NAMED = {
    "download": ("what", "method", "interval_s", "rate_limit_bytes_per_s", "retry_gone"),
    "annotate": ("speech_model", "caption", "persons", "age_gender", "duplicates", "reject_duplicates"),
}
"""Settings that the README must explain."""


@pytest.mark.parametrize("name", FOLDERS)
def test_the_settings_of_a_folder_are_the_defaults_and_all_there_are(root: Path, name: str) -> None:
    folder, schema = FOLDERS[name]
    config = load_curate_config(root / "data_pipeline" / folder / "config.yaml")
    assert set(getattr(config, name)) == {field.name for field in fields(schema)}
    assert section(config, name) == schema()


def test_what_is_fetched_is_what_the_next_stage_takes(root: Path) -> None:
    pipeline = root / "data_pipeline"
    fetched = load_curate_config(pipeline / "0_video_download" / "config.yaml").output
    taken = load_curate_config(pipeline / "1_video_rough_segmentation" / "config.yaml").input
    assert Path(taken).resolve() == (Path(fetched) / SOURCES).resolve()
    heads = load_curate_config(pipeline / "3_head_detail_filtering" / "config.yaml").output
    annotated = load_curate_config(pipeline / "4_annotation" / "config.yaml").input
    assert Path(annotated).resolve() == Path(heads).resolve()


@pytest.mark.parametrize("name", FOLDERS)
def test_the_readme_of_a_folder_names_its_settings_and_files(root: Path, name: str) -> None:
    folder, schema = FOLDERS[name]
    text = (root / "data_pipeline" / folder / "README.md").read_text(encoding="utf-8")
    told = NAMED[name]
    assert set(told) <= {field.name for field in fields(schema)}
    assert all(setting in text for setting in told)
    script = next((root / "data_pipeline" / folder).glob("*.sh"))
    assert f"bash {script.name}" in text
    assert len(script.read_text().splitlines()) <= 20
