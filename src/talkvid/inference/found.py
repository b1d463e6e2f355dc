"""Which checkpoint the options mean, found before any of it is read."""

import os
from dataclasses import fields

from talkvid.inference.settings import LoadOptions
from talkvid.model.bundle import EMBEDDED_FOLDER
from talkvid.model.checkpoints import Checkpoint, PartPaths, locate


def find_checkpoint(options: LoadOptions) -> Checkpoint:
    """Return config and files of the checkpoint; ValueError or FileNotFoundError for what cannot be used."""
    parts = part_paths(options)
    path = options.checkpoint_path
    if path is None and not parts.networks() and parts.unet_config_path is None:
        path = EMBEDDED_FOLDER
    found = locate(None if path is None else os.fspath(path), parts=parts)
    config = found.config
    if options.commercial_safe and not config.commercial_use:
        raise ValueError(
            f"commercial_safe: the weights of {config.name} forbid commercial use "
            f"({config.license or 'no licence stated'}); give --checkpoint_path to weights that allow it"
        )
    return found


def part_paths(options: LoadOptions) -> PartPaths:
    """Return the paths that were given for single parts."""
    names = [entry.name for entry in fields(PartPaths)]
    given = {name: getattr(options, name) for name in names}
    return PartPaths(**{name: os.fspath(value) for name, value in given.items() if value is not None})
