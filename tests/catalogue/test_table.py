"""The catalogue: its records hold together, and every flag, setting and place in it is one that exists."""

import argparse
import importlib
import re
from dataclasses import fields
from pathlib import Path, PurePosixPath

import pytest

from talkvid.catalogue.commercial import refuse, refuse_paths
from talkvid.catalogue.markdown import with_tables
from talkvid.catalogue.record import HubFile, WebFile, ZipMember
from talkvid.catalogue.table import MODELS, SETS, at_path, expand, find
from talkvid.cli.main import VERBS
from talkvid.curation.annotate_parts import AnnotateConfig
from talkvid.curation.head import HeadConfig
from talkvid.curation.motion import MotionConfig
from talkvid.curation.quality import QualityConfig
from talkvid.evaluation import weight_files
from talkvid.training.config import ModelConfig

ROOT = Path(__file__).resolve().parents[2]
FILES = [(record, form) for record in MODELS.values() for file in record.files for form in file.forms]


def test_places_are_unique_and_stay_inside_the_folder() -> None:
    places = [form.place for _, form in FILES]
    assert len(set(places)) == len(places)
    for place in places:
        path = PurePosixPath(place)
        assert not path.is_absolute() and ".." not in path.parts and len(path.parts) > 1


def test_checksums_sizes_and_sources_have_their_form() -> None:
    for _, form in FILES:
        assert re.fullmatch(r"([0-9a-f]{64})?", form.sha256)
        assert form.size is None or form.size > 0
        if isinstance(form.source, HubFile):
            assert re.fullmatch(r"main|[0-9a-f]{40}", form.source.revision)
            # A file that may change under its name needs a checksum, or the server's word for it.
            assert form.source.told.startswith("https://huggingface.co/")
        elif isinstance(form.source, WebFile | ZipMember):
            assert form.source.url.startswith("https://") and form.sha256


def test_what_a_model_needs_and_what_sets_hold_exists_and_comes_first() -> None:
    for record in MODELS.values():
        assert all(name in MODELS for name in record.needs)
        assert record.licence.link.startswith("https://")
        assert record.embedded != bool(record.files)
    assert [record.name for record in expand(["v-express"])][-1] == "v-express"
    assert {record.name for record in expand(["v-express"])} == {
        "v-express", "sd-vae", "sd15-unet-config", "wav2vec2",
    }  # fmt: skip
    assert {record.name for record in expand(["all"])} == {
        record.name for record in MODELS.values() if record.fetchable
    }
    for names in SETS.values():
        assert all(MODELS[name].fetchable for name in names)


def test_every_flag_that_takes_a_model_exists() -> None:
    flags: set[str] = set()
    for verb in VERBS:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"talkvid.cli.{verb}").add_arguments(parser)
        flags |= set(re.findall(r"--[a-z][a-z0-9_]+", parser.format_help()))
    for record in MODELS.values():
        named = {flag for text in record.used_by for flag in re.findall(r"--[a-z][a-z0-9_]+", text)}
        assert named <= flags, (record.name, named - flags)


def test_every_setting_that_takes_a_model_exists() -> None:
    schemas = {
        "model": ModelConfig,
        "head": HeadConfig,
        "quality": QualityConfig,
        "motion": MotionConfig,
        "annotate": AnnotateConfig,
    }
    texts = [text for record in MODELS.values() for text in record.used_by]
    settings = [found.groups() for text in texts if (found := re.match(r"([a-z]+)\.([a-z_]+)", text))]
    assert {section for section, _ in settings} == set(schemas)
    for section, key in settings:
        assert key in {field.name for field in fields(schemas[section])}, (section, key)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("model_ckpts/v-express", "v-express"),
        ("/elsewhere/sd-vae-ft-mse", "sd-vae"),
        ("model_ckpts/sd-vae-ft-mse/diffusion_pytorch_model.bin", "sd-vae"),
        ("facebook/hubert-base-ls960", "hubert"),
        ("model_ckpts/insightface_models", "insightface"),
        ("model_ckpts/evaluation/w600k_r50.onnx", "arcface"),
        ("model_ckpts/evaluation", None),
        ("exp/mine/stage_3", None),
        ("config.json", None),
    ],
)
def test_a_path_or_hub_id_is_known_by_its_end(path: str, name: str | None) -> None:
    record = at_path(path)
    assert (record.name if record else None) == name


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    assert find("buffalo_l") is MODELS["insightface"]
    with pytest.raises(ValueError, match=r"no model is called 'covtracker'; did you mean 'cotracker'\?"):
        find("covtracker")


def test_only_what_states_that_commercial_use_is_allowed_is_let_through() -> None:
    refuse(["mediapipe", "sd-vae", "wav2vec2", "lpips-alex"], remedy="-")
    for name in ("talkvid-mini", "talkvid-landmarks", "insightface", "v-express", "syncnet", "cotracker"):
        with pytest.raises(ValueError, match=f"commercial_safe: {MODELS[name].title.split('(')[0]}"):
            refuse([name], remedy="-")
    refuse_paths([None, "model_ckpts/sd-vae-ft-mse", "mine/weights.bin"], remedy="-")
    with pytest.raises(ValueError, match="V-Express"):
        refuse_paths(["/data/v-express/motion_module.bin"], remedy="-")


def test_metrics_read_their_checksums_from_the_catalogue() -> None:
    files = [value for value in vars(weight_files).values() if isinstance(value, weight_files.PublishedFile)]
    assert len(files) == 8
    for file in files:
        (own,) = MODELS[file.fetched_as].files
        assert (file.name, file.sha256) == (own.name, own.sha256)
        assert file.fetch_command == MODELS[file.fetched_as].fetch_command


@pytest.mark.parametrize("page", ["models.md", "licences.md"])
def test_the_tables_of_the_documents_are_those_of_the_catalogue(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    command = "python -m talkvid.catalogue.markdown docs/models.md docs/licences.md"
    assert with_tables(text) == text, f"make them anew: {command}"
    with pytest.raises(ValueError, match="no table 'uses_'"):
        with_tables("<!-- table: uses_ -->\n<!-- end of table -->")


def test_every_model_and_every_door_stands_on_the_page_of_licences() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    for record in MODELS.values():
        assert f"`{record.name}` | [{record.licence.name}]({record.licence.link})" in text
    for verb in ("generate", "app", "preprocess", "curate", "evaluate", "train", "models"):
        assert f"`talkvid {verb}`" in text
