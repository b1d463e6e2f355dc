"""Which checkpoint the options mean, found before any of it is read."""

import os
from dataclasses import fields

from talkvid.catalogue.commercial import refuse_face_backend, refuse_paths
from talkvid.inference.settings import LoadOptions
from talkvid.model.bundle import EMBEDDED_FOLDER
from talkvid.model.bundle_config import CONFIG_FILE
from talkvid.model.checkpoints import Checkpoint, PartPaths, locate
from talkvid.model.hub_card import forbids_commerce, stated_licence


def find_checkpoint(options: LoadOptions) -> Checkpoint:
    """Return config and files of the checkpoint; ValueError or FileNotFoundError for what cannot be used."""
    parts = part_paths(options)
    path = options.checkpoint_path
    if path is None and not parts.networks() and parts.unet_config_path is None:
        path = EMBEDDED_FOLDER
    if options.commercial_safe:
        given = [getattr(parts, entry.name) for entry in fields(PartPaths)]
        refuse_paths(
            [options.checkpoint_path, *given], remedy="give --checkpoint_path to weights that allow it"
        )
    found = locate(None if path is None else os.fspath(path), parts=parts)
    if options.commercial_safe:
        _refuse_non_commercial(found)
        refuse_face_backend(options.face_backend_name)
    return found


def _refuse_non_commercial(found: Checkpoint) -> None:
    """Raise ValueError where the config or the card beside the weights does not allow commercial use."""
    config, folder = found.config, found.files["denoising_unet"].parent
    stated = stated_licence(folder)
    if not config.commercial_use:
        raise ValueError(
            f"commercial_safe: the weights of {config.name} forbid commercial use "
            f"({config.license or stated or 'no licence stated'}); give --checkpoint_path to weights that "
            "allow it"
        )
    if forbids_commerce(stated):
        raise ValueError(
            f"commercial_safe: the card of {config.name} says {stated}, which forbids commercial use, "
            f"although its {CONFIG_FILE} allows it; ask its owner, or give --checkpoint_path to other weights"
        )


def part_paths(options: LoadOptions) -> PartPaths:
    """Return the paths that were given for single parts."""
    names = [entry.name for entry in fields(PartPaths)]
    given = {name: getattr(options, name) for name in names}
    return PartPaths(**{name: os.fspath(value) for name, value in given.items() if value is not None})
