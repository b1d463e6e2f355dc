"""Whether the tensors of a published file are those that our networks of the published sizes expect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from talkvid.model.bundle_config import BundleConfig
from talkvid.model.registry import build_hollow
from talkvid.model.weights import (
    MOORE_PRETRAINED,
    MOTION_MODULE,
    OLD_ATTENTION,
    REFERENCE_NET,
    UNCHANGED,
    KeyAdapter,
    State,
    has_old_attention,
    load_state,
    read_state,
)


@dataclass(frozen=True)
class _Kind:
    """How a file is read: as which network, renamed how, and what the file may lack."""

    module: str
    adapter: KeyAdapter = UNCHANGED
    may_miss: Callable[[nn.Module], list[str]] = lambda _module: []


def _no_motion(_module: nn.Module) -> list[str]:
    return ["*motion_modules.*"]


def _only_motion(module: nn.Module) -> list[str]:
    return [name for name in module.state_dict() if "motion_modules." not in name]


KINDS: Mapping[str, _Kind] = {
    "denoising_unet": _Kind("denoising_unet", may_miss=_no_motion),
    "reference_net": _Kind("reference_net", REFERENCE_NET),
    "v_kps_guider": _Kind("v_kps_guider"),
    "audio_projection": _Kind("audio_projection"),
    "motion_module": _Kind("denoising_unet", MOTION_MODULE, _only_motion),
    "moore_denoising_unet": _Kind("denoising_unet", MOORE_PRETRAINED, _no_motion),
}
"""What `ModelFile.network` may be."""


def check_file(path: str | Path, network: str, config: BundleConfig) -> int:
    """Return how many tensors of a file were compared with a network of KINDS, name by name, shape by shape.

    No weights are copied. ValueError names the first key or shape that does not fit, or says why the file
    cannot be read.
    """
    kind = KINDS[network]
    state = _adapted(read_state(path), kind)
    if not state:
        raise ValueError(f"{path}: holds no tensors of a {network}")
    module = build_hollow(kind.module, config.modules[kind.module])
    load_state(module, state, source=str(path), may_miss=kind.may_miss(module))
    return len(state)


def _adapted(state: State, kind: _Kind) -> State:
    if kind.module == "denoising_unet" and has_old_attention(state):
        return OLD_ATTENTION.apply(state)
    return kind.adapter.apply(state)
