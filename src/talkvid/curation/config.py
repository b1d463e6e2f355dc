"""Settings of curation: one tree whose sections are checked by the stages that they are for."""

import hashlib
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from talkvid.config import from_values, load_config
from talkvid.curation.licences import refuse_non_commercial

SCORING = ("head", "quality", "motion")
"""What scores clips unless told otherwise."""
STAGES = (*SCORING, "own")
"""The scoring stages in the order of the verdict, the cheapest first; `own` are filters of plug-in files."""

SECTIONS = {
    "scan": ("talkvid.curation.scan_config", "ScanConfig"),
    "balance": ("talkvid.curation.balance", "BalanceConfig"),
    "head": ("talkvid.curation.head", "HeadConfig"),
    "quality": ("talkvid.curation.quality", "QualityConfig"),
    "motion": ("talkvid.curation.motion", "MotionConfig"),
    "own": ("talkvid.curation.own", "OwnConfig"),
    "download": ("talkvid.curation.download", "DownloadConfig"),
    "annotate": ("talkvid.curation.annotate_parts", "AnnotateConfig"),
    "materialise": ("talkvid.curation.materialise", "MaterialiseConfig"),
    "report": ("talkvid.curation.report_settings", "ReportConfig"),
    "pack": ("talkvid.curation.pack_settings", "PackConfig"),
}
"""Section -> where its dataclass is; imported only when the section is looked at."""

PROFILES = ("default", "parity")
FINISH = ("materialise", "annotate", "export", "report")


@dataclass(frozen=True)
class RunConfig:
    """How the work is done; no result depends on it."""

    executor: Literal["local", "inline", "ray"] = "local"
    """Processes of this machine, this process, or a ray cluster."""
    workers: int = 2
    deadline_s: float = 900.0
    """Seconds that scoring a clip may take before its worker is ended."""
    scan_deadline_s: float = 7200.0
    """The same for the scan of a whole file."""
    attempts: int = 2
    """How often a clip is tried whose worker died or was late."""
    gpus_per_worker: float = 0.0
    """Share of a GPU that ray sets aside for each worker."""
    limit: int = 0
    """No more than that many source files; 0: all."""

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("attempts", 1), ("limit", 0), ("gpus_per_worker", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"run.{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("deadline_s", "scan_deadline_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"run.{name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class CurateConfig:
    """Everything that a run of curation may be told."""

    profile: str = "default"
    """`default`, `parity`, or a YAML file with rules and settings."""
    input: str = ""
    """A folder of videos, a list of them, or the run folder of an earlier stage."""
    output: str = ""
    """The run folder."""
    stages: list[str] = field(default_factory=lambda: list(SCORING))
    """Which scores a clip needs before it may be kept; `own` is added where `own.filters` names any."""
    score_all: bool = False
    """Score clips that an earlier stage has rejected, too."""
    commercial_safe: bool = False
    """Refuse backends and models that do not allow commercial use, the embedded faces included."""
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    """Stage -> score -> comparisons, such as `>= 0.85, <= 0.999`; `off` for none."""
    scan: dict[str, Any] = field(default_factory=dict)
    balance: dict[str, Any] = field(default_factory=dict)
    """How many of the clips that would be kept may be of one length."""
    head: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    motion: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    """Filters of plug-in files: `own.filters=[NAME]`, judged by `rules.own`."""
    download: dict[str, Any] = field(default_factory=dict)
    annotate: dict[str, Any] = field(default_factory=dict)
    materialise: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    pack: dict[str, Any] = field(default_factory=dict)
    """How kept clips become a data set for others."""
    run: RunConfig = field(default_factory=RunConfig)
    finish: list[str] = field(default_factory=lambda: ["export", "report"])
    """What `run` does behind the decision: materialise, annotate, export, report."""

    def __post_init__(self) -> None:
        for name, choices in (("stages", STAGES), ("finish", FINISH)):
            unknown = [value for value in getattr(self, name) if value not in choices]
            if unknown:
                raise ValueError(f"{name} holds {unknown[0]!r}: choose from {', '.join(choices)}")

    @property
    def active(self) -> tuple[str, ...]:
        """Return the stages asked for, in the order of the verdict."""
        wanted = {*self.stages, *(["own"] if self.own.get("filters") else [])}
        return tuple(stage for stage in STAGES if stage in wanted)


def load_curate_config(*yaml_paths: Path | str, overrides: Sequence[str] = ()) -> CurateConfig:
    """Return the settings: defaults, then the profile, then each YAML file, then each `section.key=value`.

    Every section of a stage is checked and filled with its defaults.  Raises as `load_config` does.
    """
    overrides = [_quoted_rule(override) for override in overrides]
    profile = load_config(CurateConfig, *yaml_paths, overrides=overrides).profile
    config = load_config(CurateConfig, profile_file(profile), *yaml_paths, overrides=overrides)
    sections: dict[str, Any] = {
        name: asdict(section(config, name)) for name in ("scan", "balance", *config.active)
    }
    config = replace(config, profile=profile, **sections)
    check_commercial(config)
    return config


def check_commercial(config: CurateConfig) -> None:
    """Raise ValueError where `commercial_safe` is set and an active stage or annotation goes against it."""
    if config.commercial_safe:
        stages = {name: getattr(config, name) for name in config.active}
        refuse_non_commercial(stages, section(config, "annotate"))


def profile_file(name: str) -> Path:
    """Return the YAML file of a profile; raise ValueError for an unknown one."""
    if name in PROFILES:
        return Path(str(files("talkvid.curation") / "profiles" / f"{name}.yaml"))
    if Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        return Path(name)
    raise ValueError(f"profile {name!r} is unknown: choose {' or '.join(PROFILES)}, or name a YAML file")


def section(config: CurateConfig, name: str) -> Any:
    """Return one section as the dataclass of its stage; raise ValueError for a wrong key or value."""
    module, schema = SECTIONS[name]
    return from_values(getattr(importlib.import_module(module), schema), getattr(config, name), key=name)


def _quoted_rule(override: str) -> str:
    """Return a rule's comparison as a YAML string: bare, `>` would begin a text of several lines."""
    key, equals, value = override.partition("=")
    bare = key.startswith("rules.") and equals and value[:1] in ("<", ">")
    return f"{key}={json.dumps(value)}" if bare else override


def digest(values: Mapping[str, Any]) -> str:
    """Return the short hash of plain values, the same whatever the order of their keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
