"""Settings written for the original TalkVid pipeline, read into ours; what has no place here is said."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from talkvid.config import read_yaml, to_yaml
from talkvid.curation.config import STAGES, load_curate_config
from talkvid.curation.profiles import rules_of
from talkvid.files import atomic_path

Settings = list[str]
"""Our settings as `section.key=value`."""

OUR_OWN_WAY = "the run folder and its journals take this place"
BY_RUN = "set run.workers and run.executor for your machine"
NO_AV1_FLAG = "AV1 needs no flag"
ONE_PASS = "with query frame 0 the backward pass changes nothing and is not made"

LEFT_OUT = {
    "data_sample.start_sample": "use --limit, or a list of the files that are meant",
    "data_sample.end_sample": "use --limit, or a list of the files that are meant",
    "rough_clip.num_workers": BY_RUN,
    "rough_clip.max_threads": BY_RUN,
    "rough_clip.threshold": BY_RUN,
    "rough_clip.video_clips_folder": "clips are spans; talkvid curate materialise writes files",
    "rough_clip.output_json_folder": OUR_OWN_WAY,
    "rough_clip.json_path": OUR_OWN_WAY,
    "rough_clip.use_augmentation": "scan.lengths has balanced and windows",
    "rough_clip.clip_duration": "the original code does not use it",
    "dover_filter.input_path": "each stage reads the clips of the one before",
    "dover_filter.out_dir": OUR_OWN_WAY,
    "dover_filter.num_processes": BY_RUN,
    "cotracker.json_path": "each stage reads the clips of the one before, not the first list",
    "cotracker.output_json": OUR_OWN_WAY,
    "cotracker.offline": "only the offline network is used",
    "cotracker.backward_tracking": ONE_PASS,
    "cotracker.num_gpus": BY_RUN,
    "cotracker.runs_per_gpu": BY_RUN,
    "cotracker.gpu_preprocess": "pictures are shrunk in one way alone, so that no flag changes a score",
    "head_filter.input_path": "each stage reads the clips of the one before",
    "head_filter.output_dir": OUR_OWN_WAY,
    "head_filter.num_processes": BY_RUN,
}
"""Key of the original settings -> why it is not taken over."""


def import_settings(source: Path, target: Path) -> list[str]:
    """Write the settings of a YAML file of the original pipeline as ours, and return what was not taken over.

    Known are `config_0_0.yaml` with its SECTIONS, and `head_threshold.yml`.  Ours begin with the profile
    `parity`.  Raises FileNotFoundError, or ValueError for a file without such sections, an unknown key or a
    target that exists.
    """
    if target.exists():
        raise ValueError(f"{target} exists already; name another file with -o")
    values = _read(source)
    overrides: Settings = ["profile=parity"]
    notes: list[str] = []
    for key, value in _leaves(values):
        if key in LEFT_OUT or key.endswith(("av1_flg", "start_sample", "end_sample")):
            notes.append(f"{key} is left out: {LEFT_OUT.get(key, NO_AV1_FLAG if 'av1' in key else BY_LIST)}")
        elif key in TAKEN:
            overrides += TAKEN[key](value)
        else:
            raise ValueError(f"{source}: {key} is no setting of the original pipeline that is known here")
    overrides.append(f"stages=[{','.join(_stages(values))}]")
    config = load_curate_config(overrides=overrides)
    rules_of(config)
    text = "".join(f"# {note}\n" for note in notes) + to_yaml(config)
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return notes


BY_LIST = LEFT_OUT["data_sample.start_sample"]


def _read(source: Path) -> dict[str, Any]:
    """Return the sections of the file; those of thresholds alone are put where they belong."""
    values = read_yaml(source)
    known = [name for name in SECTIONS if name in values]
    if not known:
        raise ValueError(f"{source} has none of the sections {', '.join(SECTIONS)}")
    head = values.get("head_filter") or {}
    if "thresholds" not in head and "avg_movement" in head:
        values["head_filter"] = {"thresholds": head}
    return values


SECTIONS = {
    "data_sample": "",
    "rough_clip": "",
    "dover_filter": "quality",
    "cotracker": "motion",
    "head_filter": "head",
}
"""Section of the original -> our scoring stage."""


def _stages(values: Mapping[str, Any]) -> list[str]:
    wanted = {SECTIONS[name] for name in values if name in SECTIONS}
    return [stage for stage in STAGES if stage in wanted]


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _set(*templates: str) -> Callable[[Any], Settings]:
    """Return what makes settings of a value; `{}` stands for it."""
    return lambda value: [template.replace("{}", json.dumps(value)) for template in templates]


def _head_rule(name: str) -> Callable[[Any], Settings]:
    return lambda value: [f"rules.head.{name}=>= {float(value):g}"]


def _detector(value: Any) -> Settings:
    return [f"scan.cuts.detector={str(value).lower()}"]


def _devices(section: str) -> Callable[[Any], Settings]:
    return lambda value: [f"{section}.device={'cuda' if value else 'cpu'}"]


def _first_frame(value: Any) -> Settings:
    if value != 0:
        raise ValueError(
            f"cotracker.grid_query_frame is {value}: only 0, the clip's first picture, is known here"
        )
    return []


TAKEN: dict[str, Callable[[Any], Settings]] = {
    "rough_clip.input_json_file": _set("input={}"),
    "rough_clip.detector_type": _detector,
    "rough_clip.detector_threshold": _set("scan.cuts.threshold={}"),
    "rough_clip.use_fixed_duration": lambda value: ["scan.lengths=fixed"] if value else [],
    "rough_clip.duration_threshold": lambda value: [f"rules.scan.duration_s=> {float(value):g}"],
    "dover_filter.threshold": lambda value: [f"rules.quality.dover_scores=>= {float(value):g}"],
    "dover_filter.test_num": _set("run.limit={}"),
    "dover_filter.model.onnx_path": _set("quality.backend=dover", "quality.model_path={}"),
    "dover_filter.cuda.devices": _devices("quality"),
    "cotracker.checkpoint": _set("motion.backend=cotracker", "motion.checkpoint={}"),
    "cotracker.grid_query_frame": _first_frame,
    "cotracker.grid_size": _set("motion.grid={}"),
    "cotracker.device_ids": _devices("motion"),
    "head_filter.cuda.devices": lambda value: ["head.backend=insightface", *_devices("head")(value)],
    **{
        f"head_filter.thresholds.{kind}_{name}": _head_rule(f"{kind}_{name}")
        for kind in ("avg", "min")
        for name in ("movement", "orientation", "completeness", "resolution", "rotation")
    },
    "head_filter.thresholds.face_consistency": _head_rule("face_consistency"),
}
"""Key of the original settings -> ours."""
