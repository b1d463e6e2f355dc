"""A whole model: its config and its networks, read from any layout and written in ours."""

import logging
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from talkvid.model.audio_projection import AudioProjection
from talkvid.model.bundle_config import CONFIG_FILE, BundleConfig, ModuleSpec
from talkvid.model.checkpoints import MODEL_FOLDER, Checkpoint, PartPaths, locate
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.hub_mixin import HubMixin
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.registry import build_hollow, build_module
from talkvid.model.tiny_vae import load_tiny_decoder, with_preview
from talkvid.model.vae import DiffusersVae, ImageAutoencoder
from talkvid.model.weights import (
    MOTION_MODULE,
    OLD_ATTENTION,
    REFERENCE_NET,
    UNCHANGED,
    KeyAdapter,
    State,
    has_old_attention,
    load_state,
    read_state,
    save_weights,
)

logger = logging.getLogger(__name__)

EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "weights" / "talkvid-mini"
_ADAPTERS: dict[str, KeyAdapter] = {"reference_net": REFERENCE_NET}
# What --test_stage stage_1 sets to zero: that stage trained neither temporal layers nor audio attention.
_UNTRAINED_IN_STAGE_1 = ("temporal_transformer.proj_out", "attn2.to_out")

Network = TypeVar("Network", bound=nn.Module)


@dataclass
class ModelBundle(HubMixin):
    """The networks of one checkpoint, in evaluation mode, and its config."""

    config: BundleConfig
    modules: dict[str, nn.Module]
    """Network -> module, named as in the config."""
    speech_encoder: str = ""
    """Folder, hub id or built-in name of the speech encoder."""
    source: str = ""
    """Where the checkpoint came from."""
    files: dict[str, Path] = field(default_factory=dict)
    """Network -> the file its weights came from."""

    @property
    def denoising_unet(self) -> DenoisingUNet:
        """Return the denoiser."""
        return self._required("denoising_unet", DenoisingUNet)

    @property
    def reference_net(self) -> ReferenceNet | None:
        """Return the reference net, if the model has one."""
        return self._optional("reference_net", ReferenceNet)

    @property
    def v_kps_guider(self) -> VKpsGuider | None:
        """Return the key-point guider, if the model has one."""
        return self._optional("v_kps_guider", VKpsGuider)

    @property
    def audio_projection(self) -> AudioProjection | None:
        """Return the audio projection, if the model has one."""
        return self._optional("audio_projection", AudioProjection)

    @property
    def vae(self) -> nn.Module:
        """Return the image autoencoder, a module with the interface of `ImageAutoencoder`."""
        return self._required("vae", nn.Module)

    @property
    def lip_predictor(self) -> nn.Module | None:
        """Return the speech-to-lips network, if the model has one."""
        return self.modules.get("lip_predictor")

    @property
    def head_motion(self) -> nn.Module | None:
        """Return the model of a head that moves and blinks by itself, if there is one."""
        return self.modules.get("head_motion")

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "ModelBundle":
        """Move every network, and return the bundle."""
        for module in self.modules.values():
            module.to(device=device, dtype=dtype)
        return self

    @classmethod
    def _opened(cls, name: str | Path | None, **options: Any) -> "ModelBundle":
        return load_bundle(name, **options)

    def _to_save(self) -> "ModelBundle":
        return self

    def _optional(self, name: str, kind: type[Network]) -> Network | None:
        module = self.modules.get(name)
        if module is not None and not isinstance(module, kind):
            raise ValueError(f"modules.{name} is a {type(module).__name__}, {kind.__name__} is needed")
        return module

    def _required(self, name: str, kind: type[Network]) -> Network:
        module = self._optional(name, kind)
        if module is None:
            raise ValueError(f"the checkpoint {self.source} has no {name}")
        return module


def load_bundle(
    checkpoint_path: str | Path | None = None,
    *,
    parts: PartPaths | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = torch.float32,
    model_folder: str | Path = MODEL_FOLDER,
    test_stage: str = "stage_3",
    step: int | None = None,
    found: Checkpoint | None = None,
) -> ModelBundle:
    """Return the model of a checkpoint: a folder of ours, a training run, the V-Express release, a hub id.

    None is the embedded model, or, when `parts` names networks, the release below `model_folder`.
    `test_stage` "stage_1" zeroes what that stage had not trained. A training run gives the exports of `step`,
    or of the last complete step; `found` is what `locate` returned for it, and is not sought again. dtype
    None keeps what the files have. Every file is loaded strictly: ValueError names the first key or shape
    that does not fit, FileNotFoundError what is absent.
    """
    parts = parts or PartPaths()
    if checkpoint_path is None and not parts.networks() and parts.unet_config_path is None:
        if not (EMBEDDED_FOLDER / CONFIG_FILE).is_file():
            raise FileNotFoundError(
                f"the embedded model {EMBEDDED_FOLDER} is not installed: give --checkpoint_path"
            )
        checkpoint_path = EMBEDDED_FOLDER
    checkpoint = found or locate(checkpoint_path, parts=parts, model_folder=model_folder, step=step)
    modules = {
        name: _load_module(name, spec, checkpoint).to(device=device, dtype=dtype).eval().requires_grad_(False)
        for name, spec in checkpoint.config.modules.items()
    }
    bundle = ModelBundle(
        config=checkpoint.config,
        modules=modules,
        speech_encoder=checkpoint.speech_encoder,
        source=str(checkpoint_path or model_folder),
        files=checkpoint.files,
    )
    _check(bundle)
    if parts.preview_vae is not None:
        _decode_previews(bundle, Path(parts.preview_vae), device=device, dtype=dtype)
    if test_stage == "stage_1":
        _zero_untrained(bundle.denoising_unet)
    logger.info("loaded %s from %s", bundle.config.name, bundle.source)
    return bundle


def save_bundle(bundle: ModelBundle, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Write `config.json` and one safetensors file per network, the config last; dtype converts weights."""
    folder = Path(folder)
    for name, module in bundle.modules.items():
        save_weights(module, folder / f"{name}.safetensors", dtype=dtype)
    bundle.config.to_file(folder / CONFIG_FILE)


def build_bundle(config: BundleConfig, *, source: str = "") -> ModelBundle:
    """Return a bundle with fresh, random weights, in training mode."""
    modules = {name: build_module(name, spec) for name, spec in config.modules.items()}
    return ModelBundle(config=config, modules=modules, speech_encoder=config.speech_encoder, source=source)


def _load_module(name: str, spec: ModuleSpec, checkpoint: Checkpoint) -> nn.Module:
    path = checkpoint.files.get(name)
    if path is None or not path.exists():
        raise FileNotFoundError(f"the weights of {name} are missing: {path or 'no file in the checkpoint'}")
    if name == "vae" and path.is_dir():
        vae = build_module(name, spec)
        assert isinstance(vae, DiffusersVae)
        vae.load_folder(path)
        return vae
    state = _module_state(name, path, checkpoint.files.get("motion_module"))
    module = build_hollow(name, spec)  # no time and memory for weights that are replaced at once
    load_state(module, state, source=str(path))
    if any(tensor.is_meta for tensor in chain(module.parameters(), module.buffers())):
        module = build_module(name, spec)  # it has buffers that are computed, not stored
        load_state(module, state, source=str(path))
    return module


def check_network(name: str, spec: ModuleSpec, checkpoint: Checkpoint) -> None:
    """Return when the file of a network has the names and shapes that its config says.

    Files are mapped, their numbers are not read. Raises as loading would: ValueError for what does not fit,
    FileNotFoundError for what is absent.
    """
    path = checkpoint.files.get(name)
    if path is None or not path.exists():
        raise FileNotFoundError(f"the weights of {name} are missing: {path or 'no file in the checkpoint'}")
    module = build_hollow(name, spec)
    if isinstance(module, DiffusersVae) and path.is_dir():
        module.load_folder(path)
        return
    load_state(module, _module_state(name, path, checkpoint.files.get("motion_module")), source=str(path))


def _module_state(name: str, path: Path, motion_file: Path | None) -> State:
    """Return the tensors of a network; the temporal layers of a separate file prevail."""
    state = read_state(path)
    adapter = _ADAPTERS.get(name, UNCHANGED)
    if name == "denoising_unet" and has_old_attention(state):
        logger.info("%s: converting audio attention of the older form", path)
        adapter = OLD_ATTENTION
    state = adapter.apply(state)
    if name == "denoising_unet" and motion_file is not None:
        motion = MOTION_MODULE.apply(read_state(motion_file))
        if not motion:
            raise ValueError(f"{motion_file}: holds no motion modules")
        state.update(motion)
    return state


def _check(bundle: ModelBundle) -> None:
    vae = bundle.vae
    if not isinstance(vae, ImageAutoencoder):
        raise ValueError(f"modules.vae: {type(vae).__name__} is no image autoencoder")
    if vae.channels != bundle.config.latent_channels:
        raise ValueError(
            f"the image autoencoder has {vae.channels} latent channels, the checkpoint works with "
            f"{bundle.config.latent_channels}: give the autoencoder it was trained with"
        )


def _decode_previews(
    bundle: ModelBundle, path: Path, *, device: torch.device | str, dtype: torch.dtype | None
) -> None:
    """Have the pictures decoded by the small autoencoder at `path`."""
    decoder = load_tiny_decoder(path).to(device=device, dtype=dtype).eval().requires_grad_(False)
    bundle.modules["vae"] = with_preview(bundle.vae, decoder, source=path)


@torch.no_grad()
def _zero_untrained(denoiser: DenoisingUNet) -> None:
    for name, parameter in denoiser.named_parameters():
        if any(part in name for part in _UNTRAINED_IN_STAGE_1):
            parameter.zero_()
