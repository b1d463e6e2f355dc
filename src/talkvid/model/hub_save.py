"""A model as a folder to hand on: networks, config without paths of this machine, card and notices."""

from dataclasses import replace
from pathlib import Path

import torch

from talkvid.files import atomic_path
from talkvid.model.bundle import ModelBundle, save_bundle
from talkvid.model.bundle_config import CONFIG_FILE
from talkvid.model.hub_card import copy_notices, portable, short_card, with_head
from talkvid.model.hub_files import CARD_FILE


def write_checkpoint(bundle: ModelBundle, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a model into an existing folder as it goes to the hub; dtype converts the weights.

    The card is that of the folder it came from, with a head that the hub reads, where that is a folder of
    ours; else a short one of what the config knows.
    """
    config = portable(bundle.config)
    save_bundle(replace(bundle, config=config), folder, dtype=dtype)
    source = source_folder(bundle)
    if source is not None:
        copy_notices(source, folder, config)
    card = None if source is None else source / CARD_FILE
    if card is not None and card.is_file() and (card.parent / CONFIG_FILE).is_file():
        text = with_head(card.read_text(encoding="utf-8"), config)
    else:
        count = sum(entry.numel() for module in bundle.modules.values() for entry in module.parameters())
        text = short_card(config, num_parameters=count)
    with atomic_path(folder / CARD_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def source_folder(bundle: ModelBundle) -> Path | None:
    """Return the folder that the denoiser of a bundle was read from, None for one that was never stored."""
    path = bundle.files.get("denoising_unet")
    return None if path is None else Path(path).parent
