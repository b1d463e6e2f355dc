"""Whether `section.key=value` in a document is a setting of training or of curation."""

import functools
import importlib
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from talkvid.config import load_config
from tests.documents import ROOT

OVERRIDE = re.compile(r"([a-z_]+(?:\.\w+)+)=(.*)", flags=re.DOTALL)


def check_settings(words: Iterable[str]) -> None:
    """Fail for a `section.key=value` that neither training nor curation takes; a value N stands for any."""
    for word in words:
        match = OVERRIDE.fullmatch(word)
        if match is None or match[1].split(".")[0] not in sections():
            continue
        is_example = re.fullmatch(r"[A-Z_]+|.*[|…].*|\[[A-Z]+\]", match[2]) or match[1].startswith("own.")
        if is_example or match[1].endswith("…"):
            assert has_key(match[1]), word
        else:
            setting_loads(word)


@functools.cache
def sections() -> dict[str, tuple[Any, ...]]:
    """Return section -> the dataclasses that have it; none for rules, whose keys are scores."""
    from talkvid.curation.config import SECTIONS, CurateConfig
    from talkvid.training.config import TrainConfig

    found: dict[str, tuple[Any, ...]] = {"rules": ()}
    for schema in (CurateConfig(), TrainConfig()):
        for name in (field.name for field in fields(schema)):
            value = getattr(schema, name)
            if is_dataclass(value):
                found[name] = (*found.get(name, ()), value)
    for name, (module, schema_name) in SECTIONS.items():
        found[name] = (*found.get(name, ()), getattr(importlib.import_module(module), schema_name)())
    return found


def has_key(key: str) -> bool:
    """Return whether a section has such a key; every score may be a rule's."""
    section, *names = key.split(".")
    schemas = sections()[section]
    for name in names:
        schemas = tuple(getattr(schema, name) for schema in schemas if hasattr(schema, name))
    return bool(schemas) or section == "rules"


@functools.cache
def setting_loads(override: str) -> None:
    """Fail unless training or curation takes the override with its value."""
    from talkvid.curation.config import SECTIONS, load_curate_config, section
    from talkvid.training.config import TrainConfig

    name, errors = override.split(".")[0], []
    stage_4 = [ROOT / "src" / "configs" / "stage_4.yaml"] if name == "distil" else []
    try:
        load_config(TrainConfig, *stage_4, overrides=[override])
        return
    except ValueError as error:
        errors.append(error)
    try:
        config = load_curate_config(overrides=[override])
        if name in SECTIONS:
            section(config, name)
    except (ValueError, FileNotFoundError) as error:
        pytest.fail(f"{override}: {errors[0]}; {error}")
