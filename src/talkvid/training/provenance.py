"""What a run folder says about where its model comes from: kept in its config, and read by the card."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from talkvid import __version__
from talkvid.dataset.index import Clip
from talkvid.model.bundle import ModelBundle
from talkvid.model.hub import hub_origin
from talkvid.model.hub_card import RECORD
from talkvid.model.hub_save import source_folder
from talkvid.training.config import TrainConfig

PACKAGES = ("torch", "accelerate", "deepspeed", "peft")


def training_record(
    config: TrainConfig, clips: Sequence[Clip], bundle: ModelBundle, *, resuming: bool
) -> dict[str, Any]:
    """Return what is to be known of a training: its base, its data, the versions it runs on.

    A resumed run begins with its own exports, so the base is the one it noted at its start.
    """
    noted: Mapping[str, Any] = bundle.config.extra.get(RECORD, {}) if resuming else {}
    return {
        "train": config.run.train,
        "stage": config.run.stage,
        "base": noted.get("base", bundle.config.name),
        "base_source": noted.get("base_source", _origin(bundle)),
        "clips": len(clips),
        "hours": round(sum(clip.num_frames / clip.fps for clip in clips) / 3600, 4),
        "languages": sorted({clip.language for clip in clips if clip.language}),
        "versions": versions(),
    }


def _origin(bundle: ModelBundle) -> str:
    """Return the base as `owner/name@commit` where it comes from the hub, else its folder's whole path."""
    folder = source_folder(bundle)
    if folder is None:
        return bundle.source
    return hub_origin(folder) or str(folder.absolute())


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of the packages a training depends on."""
    found = {"talkvid": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
