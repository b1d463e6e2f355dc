"""Where the first weights come from: the previous stage, a checkpoint, published parts, or chance."""

import logging
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch
from torch import nn

from talkvid.model.bundle import ModelBundle, build_bundle, load_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.checkpoints import PartPaths, complete_exports, locate
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import DiffusersVae
from talkvid.model.weights import MOORE_PRETRAINED, MOTION_MODULE, REFERENCE_NET, load_weights
from talkvid.training.config import ModelConfig, RunConfig
from talkvid.training.run_folder import RunFolder, stage_folder
from talkvid.training.speech_fit import SpeechFeatures, fit_config, renew_audio_projection

logger = logging.getLogger(__name__)

MOTION_KEYS = "*motion_modules.*"


def starting_model(
    run: RunConfig, model: ModelConfig, *, folder: RunFolder, resuming: bool, speech: SpeechFeatures
) -> ModelBundle:
    """Return the model a run starts with, or continues with, on the CPU in fp32.

    FileNotFoundError or ValueError when its weights are not where the settings say, or read other speech
    features than the data has; that is found before weights are read.
    """
    if resuming:
        bundle = load_bundle(folder.path)
    elif (source := starting_folder(run, model)) is not None:
        config = fit_config(locate(source, parts=_parts(model)).config, speech, model)
        logger.info("starting from %s", source)
        bundle = load_bundle(source, parts=_parts(model))
        if model.new_audio_projection:
            renew_audio_projection(bundle, config, seed=run.seed)
    else:
        bundle = _from_parts(run, model, speech=speech)
    for module in bundle.modules.values():
        _align(module)
    return bundle


def starting_folder(run: RunConfig, model: ModelConfig) -> str | None:
    """Return the folder (or hub name) of weights to start from; None: from single parts or from chance."""
    if model.start_from:
        return model.start_from
    if run.stage == 1:
        return None
    previous = stage_folder(run.output_root, run.train, run.stage - 1)
    if complete_exports(previous):
        return str(previous)
    if model.denoising_unet_path:
        return None
    raise FileNotFoundError(
        f"{previous} holds no step with every network exported: train stage {run.stage - 1} of "
        f"{run.train!r} first, or name other weights with model.start_from"
    )


def _align(module: nn.Module) -> None:
    """Move all weights to memory of torch's own.

    Tensors of a file begin anywhere, and matrix products round differently where memory is not aligned: a
    resumed run would leave the path of an uninterrupted one in the last digit.
    """
    for tensor in chain(module.parameters(), module.buffers()):
        tensor.data = tensor.data.clone()


def _parts(model: ModelConfig) -> PartPaths:
    names = (
        "unet_config_path",
        "vae_path",
        "reference_net_path",
        "denoising_unet_path",
        "motion_module_path",
        "v_kps_guider_path",
        "audio_projection_path",
    )
    return PartPaths(**{name: getattr(model, name) or None for name in names})


def _from_parts(run: RunConfig, model: ModelConfig, *, speech: SpeechFeatures) -> ModelBundle:
    paths = {
        "reference_net": model.reference_net_path,
        "denoising_unet": model.denoising_unet_path,
        "v_kps_guider": model.v_kps_guider_path,
        "audio_projection": model.audio_projection_path,
    }
    if not model.random_init:
        for name in ("reference_net", "denoising_unet"):
            if not paths[name]:
                raise ValueError(
                    f"stage {run.stage} has no weights to start from: set model.{name}_path or "
                    "model.start_from, or model.random_init=true"
                )
    config = fit_config(_config(model, speech_dim=speech.dim), speech, model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        bundle = build_bundle(config, source="its parts")
    denoiser = bundle.denoising_unet
    for name, path in paths.items():
        if not path:
            continue
        adapter = MOORE_PRETRAINED if name == "denoising_unet" else REFERENCE_NET
        may_miss = (MOTION_KEYS,) if name == "denoising_unet" else ()
        load_weights(bundle.modules[name], Path(path), adapter=adapter, may_miss=may_miss)
    if model.motion_module_path:
        others = [name for name in denoiser.state_dict() if "motion_modules." not in name]
        load_weights(denoiser, Path(model.motion_module_path), adapter=MOTION_MODULE, may_miss=others)
    _load_vae(bundle, model)
    return bundle


def _config(model: ModelConfig, *, speech_dim: int) -> BundleConfig:
    if model.config_path:
        config = BundleConfig.from_file(model.config_path)
    else:
        unet = UNetConfig.from_file(model.unet_config_path) if model.unet_config_path else UNetConfig()
        config = BundleConfig.published(unet, speech_dim=speech_dim)
    if model.vae_path and Path(model.vae_path).is_dir():
        spec = ModuleSpec("autoencoder_kl", DiffusersVae.read_config(model.vae_path))
        config = replace(config, modules={**config.modules, "vae": spec})
    if "vae" not in config.modules:
        raise ValueError("the model has no image autoencoder: set model.vae_path to its folder")
    return config


def _load_vae(bundle: ModelBundle, model: ModelConfig) -> None:
    vae = bundle.vae
    path = Path(model.vae_path) if model.vae_path else None
    if path is None and model.config_path:
        beside = Path(model.config_path).with_name("vae.safetensors")
        path = beside if beside.is_file() else None
    if path is None:
        if not model.random_init:
            raise ValueError("the image autoencoder has no weights: set model.vae_path")
        logger.warning("the image autoencoder is random: this run tests the machinery, nothing else")
    elif path.is_dir():
        assert isinstance(vae, DiffusersVae)
        vae.load_folder(path)
    else:
        load_weights(vae, path)
    vae.eval().requires_grad_(False)
