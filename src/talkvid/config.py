"""Settings: dataclasses are the schema, YAML files and `section.key=value` overrides are only values.

The one place that knows OmegaConf.  It merges and checks; what leaves this file are frozen dataclasses.
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

Schema = TypeVar("Schema")

REQUIRED = "???"
HERE = "${here}"
"""In a value of a YAML file: the folder the file lies in, so that its paths hold wherever one stands."""


def load_config(schema: type[Schema], *yaml_paths: Path | str, overrides: Sequence[str] = ()) -> Schema:
    """Return `schema` filled from its defaults, then each YAML file, then each `section.key=value`.

    Later values win and lists are replaced whole.  Nested dataclasses are built inside out, so the checks
    of every `__post_init__` run; tuples come back as tuples.  An unknown key, a value of the wrong type, a
    missing required key, an unreadable YAML file and a failed check raise ValueError in one line; a missing
    file raises FileNotFoundError.  `${here}` in a value of a YAML file is the folder the file lies in.
    """
    merged = OmegaConf.structured(schema)
    for path in yaml_paths:
        merged = _merge(merged, _read_yaml(Path(path)), source=f"{path}: ")
    for override in overrides:
        merged = _merge(merged, _read_override(override), source="")
    try:
        plain = OmegaConf.to_container(merged, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(_first_line(error)) from error
    return typing.cast(Schema, _build(plain, schema, key=""))


def from_values(schema: type[Schema], values: Mapping[str, Any], *, key: str = "") -> Schema:
    """Return `schema` filled from its defaults, then from plain values, checked as by `load_config`.

    `key` is the name of the section in messages.
    """
    merged = OmegaConf.structured(schema)
    merged = _merge(merged, OmegaConf.create(dict(values)), source=f"{key}: " if key else "")
    return typing.cast(Schema, _build(OmegaConf.to_container(merged, resolve=True), schema, key=key))


def to_yaml(config: Any) -> str:
    """Return a dataclass of `load_config` as YAML text that loads back to an equal object."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the plain values of a YAML file that follows no schema; raises as `load_config` does."""
    return typing.cast(dict[str, Any], OmegaConf.to_container(_read_yaml(path), resolve=False))


def _read_yaml(path: Path) -> DictConfig:
    if not path.is_file():
        raise FileNotFoundError(f"config file {path} does not exist")
    try:
        loaded = OmegaConf.load(path)
    except (YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, DictConfig):
        raise ValueError(f"{path} must hold 'key: value' pairs at its top, found {type(loaded).__name__}")
    values = _with_folder(OmegaConf.to_container(loaded, resolve=False), path.resolve().parent)
    return typing.cast(DictConfig, OmegaConf.create(values))


def _with_folder(value: Any, folder: Path) -> Any:
    """Return plain values with the folder of their file in the place of `${here}`."""
    if isinstance(value, str):
        return value.replace(HERE, str(folder))
    if isinstance(value, Mapping):
        return {key: _with_folder(inner, folder) for key, inner in value.items()}
    return [_with_folder(inner, folder) for inner in value] if isinstance(value, list) else value


def _read_override(override: str) -> DictConfig:
    key, equals, _ = override.partition("=")
    if not equals or not key.strip("-") or key.startswith("-"):
        raise ValueError(f"override {override!r} is not of the form section.key=value")
    try:
        return OmegaConf.from_dotlist([override])
    except (YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"override {override!r} cannot be read: {' '.join(str(error).split())}") from error


def _merge(base: DictConfig, change: DictConfig, *, source: str) -> DictConfig:
    try:
        return typing.cast(DictConfig, OmegaConf.merge(base, change))
    except OmegaConfBaseException as error:
        message = _first_line(error)
        if not message.startswith("Key '"):
            key, value = _failing_leaf(base, change)
            message = f"{key}={value!r}: {message}"
        raise ValueError(source + message) from error


def _failing_leaf(base: DictConfig, change: DictConfig) -> tuple[str, Any]:
    """Return key and value of the first setting of `change` that cannot be merged alone."""
    for key, value in _leaves(OmegaConf.to_container(change, resolve=False)):
        alone: Any = value
        for part in reversed(key.split(".")):
            alone = {part: alone}
        try:
            OmegaConf.merge(base, alone)
        except OmegaConfBaseException:
            return key, value
    return "config", OmegaConf.to_container(change)


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))


def _build(value: Any, annotation: Any, *, key: str) -> Any:
    """Return the plain `value` as the type that `annotation` names: dataclass, tuple, list, dict or leaf."""
    if isinstance(value, str) and value == REQUIRED:
        raise ValueError(f"{key} is required and has no value; set {key}=…")
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        choices = [choice for choice in arguments if choice is not type(None)]
        return _build(value, choices[0], key=key) if len(choices) == 1 else value
    if dataclasses.is_dataclass(annotation) and isinstance(value, Mapping):
        return _build_dataclass(value, typing.cast(type[Any], annotation), key=key)
    if origin is tuple:
        inner = [arguments[0]] * len(value) if arguments[1:] == (Ellipsis,) else arguments
        return tuple(_build_item(item, kind, key=key) for item, kind in zip(value, inner, strict=True))
    if origin is list:
        return [_build_item(item, arguments[0], key=key) for item in value]
    if origin is dict:
        return {name: _build(item, arguments[1], key=f"{key}.{name}") for name, item in value.items()}
    return value


def _build_item(value: Any, annotation: Any, *, key: str) -> Any:
    """Return one item of a sequence; OmegaConf leaves dataclasses in sequences unchecked, so check here."""
    if dataclasses.is_dataclass(annotation) and isinstance(value, Mapping):
        checked = _merge(OmegaConf.structured(annotation), OmegaConf.create(dict(value)), source=f"{key}: ")
        value = OmegaConf.to_container(checked, resolve=True)
    return _build(value, annotation, key=key)


def _build_dataclass(values: Mapping[str, Any], schema: type[Any], *, key: str) -> Any:
    hints = typing.get_type_hints(schema)
    inner = {
        name: _build(value, hints[name], key=f"{key}.{name}" if key else str(name))
        for name, value in values.items()
    }
    try:
        return schema(**inner)
    except TypeError as error:
        raise ValueError(f"{key or schema.__name__}: {error}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
