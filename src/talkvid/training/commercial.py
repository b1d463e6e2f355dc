"""What a training that must be safe for commercial use refuses to start from."""

from dataclasses import fields
from pathlib import Path

from talkvid.catalogue.commercial import FLAG, refuse_paths
from talkvid.config import load_config
from talkvid.model.checkpoints import locate
from talkvid.training.config import TrainConfig
from talkvid.training.run_folder import SETTINGS_FILE, RunFolder
from talkvid.training.start import starting_folder

REMEDY = "start from other weights, or with model.random_init=true"


def refuse_non_commercial_start(config: TrainConfig, folder: RunFolder, *, resuming: bool) -> None:
    """Raise ValueError where `run.commercial_safe` is set and the first weights may not be used commercially.

    A checkpoint may when its config says so, or when it is a run of ours that was itself made with
    `run.commercial_safe`. Single files outside the layout of the catalogue are the user's to judge, and so
    are the clips.
    """
    if not config.run.commercial_safe:
        return
    if resuming:
        _require(str(folder.path), "it was begun")
        return
    model, teacher = config.model, config.distil.teacher or None
    single = [getattr(model, part.name) for part in fields(model) if part.name.endswith("_path")]
    refuse_paths([*single, model.start_from, teacher], remedy=REMEDY)
    for source in (starting_folder(config.run, model), teacher):
        if source is not None and not locate(source).config.commercial_use:
            _require(source, "it was trained")


def _require(source: str, what: str) -> None:
    """Return when a run folder says that it was made with the same promise."""
    settings = Path(source) / SETTINGS_FILE
    if settings.is_file():
        if load_config(TrainConfig, settings).run.commercial_safe:
            return
        raise ValueError(f"{FLAG}: {source}: {what} without run.commercial_safe; {REMEDY}")
    licence = locate(source).config.license or "no licence stated"
    raise ValueError(f"{FLAG}: {source}: its config does not allow commercial use ({licence}); {REMEDY}")
