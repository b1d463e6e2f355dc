"""A checkpoint as something to hand on: one folder, in our layout or in that of the V-Express release."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import torch

from talkvid.files import atomic_folder
from talkvid.model.adapters import apply_adapters, read_adapters
from talkvid.model.bundle import ModelBundle, load_bundle, save_bundle
from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig
from talkvid.model.checkpoints import NETWORKS
from talkvid.model.hub_card import copy_notices, portable
from talkvid.model.hub_save import source_folder
from talkvid.model.unet_config import UNetConfig
from talkvid.model.weights import MOTION_MODULE, save_state
from talkvid.training.card import CARD_FILE, write_card

logger = logging.getLogger(__name__)

LAYOUTS = ("talkvid", "v-express")
UNET_CONFIG_FILE = "unet_config.json"
_MOTION = "motion_module"


def export_checkpoint(
    checkpoint: str | Path | None,
    output: str | Path,
    *,
    layout: str = "talkvid",
    dtype: torch.dtype = torch.float32,
    step: int | None = None,
    adapters: str | Path | None = None,
) -> ModelBundle:
    """Write a checkpoint as the new folder `output`, whole or not at all, and return what was written.

    checkpoint: anything `load_bundle` reads, a training run at its last complete step or at `step`;
    adapters: a lora-<step>.safetensors to add to its weights. ValueError for a folder that holds anything
    or a model that the layout cannot hold; FileNotFoundError for absent weights.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r} is not known; choose one of {', '.join(LAYOUTS)}")
    learned = None if adapters is None else read_adapters(adapters)
    with atomic_folder(output) as folder:
        bundle = load_bundle(checkpoint, step=step)
        if learned is not None:
            apply_adapters(bundle.modules, learned, name=bundle.config.name)
        source, bundle = source_folder(bundle), replace(bundle, config=portable(bundle.config))
        if source is not None:
            copy_notices(source, folder, bundle.config)
        if layout == "talkvid":
            save_bundle(bundle, folder, dtype=dtype)
        else:
            _save_published_layout(bundle, folder, dtype)
        write_card(folder / CARD_FILE, bundle, layout=layout, dtype=dtype, adapters=learned)
    logger.info("wrote %s to %s in the layout %s", bundle.config.name, output, layout)
    return bundle


def _save_published_layout(bundle: ModelBundle, folder: Path, dtype: torch.dtype) -> None:
    """Write the five files of the V-Express release, and beside them what only our loader reads.

    As the reference's training leaves them: the denoiser whole, and its temporal layers once more alone.
    """
    _check_published(bundle.config)
    for name in NETWORKS:
        save_state(bundle.modules[name].state_dict(), folder / f"{name}.bin", dtype=dtype)
    motion = MOTION_MODULE.apply(bundle.denoising_unet.state_dict())
    save_state(motion, folder / f"{_MOTION}.bin", dtype=dtype)
    save_state(bundle.vae.state_dict(), folder / "vae.safetensors", dtype=dtype)
    unet = dict(bundle.config.modules["denoising_unet"].config)
    for ours in ("motion", "reference_attention"):
        unet.pop(ours, None)
    (folder / UNET_CONFIG_FILE).write_text(json.dumps(unet, indent=1) + "\n", encoding="utf-8")
    bundle.config.to_file(folder / CONFIG_FILE)


def _check_published(config: BundleConfig) -> None:
    """Raise ValueError for a model of another kind; warn of sizes that are not those of the release."""
    lacking = [name for name in NETWORKS if name not in config.modules]
    if lacking or config.condition != "none" or config.prediction_type != "v_prediction":
        reason = f"it has no {lacking[0]}" if lacking else "it is a model of another kind"
        raise ValueError(f"model {config.name!r} cannot take the layout v-express: {reason}; use talkvid")
    unet = UNetConfig.from_dict(config.modules["denoising_unet"].config)
    if unet.motion is None:
        raise ValueError(
            f"model {config.name!r} cannot take the layout v-express: it has no temporal layers; use talkvid"
        )
    speech_dim = int(config.modules["audio_projection"].config.get("embedding_dim", 768))
    usual = BundleConfig.published(
        unet, speech_dim=speech_dim, num_pad_audio_frames=config.num_pad_audio_frames
    )
    unusual = [
        name
        for name in ("v_kps_guider", "audio_projection")
        if {**usual.modules[name].config, **config.modules[name].config} != usual.modules[name].config
    ]
    release = UNetConfig()
    if (unet.down_block_types, unet.up_block_types) != (release.down_block_types, release.up_block_types):
        unusual.append("denoising_unet")
    for name in unusual:
        logger.warning("%s has other sizes than the release: only our loader reads it, by config.json", name)
