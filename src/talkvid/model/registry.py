"""The kinds of networks a checkpoint may hold, and how each is built from the values in its config."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from talkvid.model.audio_projection import AudioProjection
from talkvid.model.bundle_config import ModuleSpec
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import DiffusersVae


def _small_autoencoder(values: Mapping[str, Any]) -> nn.Module:
    from talkvid.model.autoencoder import AutoencoderConfig, SmallAutoencoder

    return SmallAutoencoder(AutoencoderConfig(**values))


def _lip_predictor(values: Mapping[str, Any]) -> nn.Module:
    from talkvid.model.lip_predictor import LipPredictor, LipPredictorConfig

    return LipPredictor(LipPredictorConfig(**values))


def _head_motion(values: Mapping[str, Any]) -> nn.Module:
    from talkvid.model.head_motion import HeadMotion, HeadMotionConfig

    return HeadMotion(HeadMotionConfig(**values))


BUILDERS: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
    "reference_net": lambda values: ReferenceNet(UNetConfig.from_dict(values)),
    "denoising_unet": lambda values: DenoisingUNet(UNetConfig.from_dict(values)),
    "v_kps_guider": lambda values: VKpsGuider(**values),
    "audio_projection": lambda values: AudioProjection(**values),
    "autoencoder_kl": DiffusersVae,
    "small_autoencoder": _small_autoencoder,
    "lip_predictor": _lip_predictor,
    "head_motion": _head_motion,
}


def build_module(name: str, spec: ModuleSpec) -> nn.Module:
    """Return a network with fresh weights; ValueError for an unknown kind or sizes it does not take."""
    if spec.kind not in BUILDERS:
        near = difflib.get_close_matches(spec.kind, BUILDERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"modules.{name}.kind: {spec.kind!r} is not known{hint}")
    try:
        return BUILDERS[spec.kind](spec.config)
    except TypeError as error:
        raise ValueError(f"modules.{name}.config: {error}") from error


def build_hollow(name: str, spec: ModuleSpec) -> nn.Module:
    """Return a network whose weights have names and shapes and no memory; ValueError as `build_module`."""
    with torch.device("meta"), _Unfilled():
        return build_module(name, spec)


class _Unfilled(TorchFunctionMode):
    """Leaves out the random filling of new weights; on "meta" torch would load its compiler for it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)
