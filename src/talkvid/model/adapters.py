"""Low-rank adapters as one small file: written, read, and added to a model's weights (arXiv 2106.09685)."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from talkvid.model.weights import read_state, save_state

logger = logging.getLogger(__name__)

_FORMAT = "talkvid-lora"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"  # the names under which adapters are commonly stored


class LowRank(NamedTuple):
    """The change of one linear layer: up @ down, of the shape of its weight (out in)."""

    down: Tensor
    """(rank in)."""
    up: Tensor
    """(out rank)."""


@dataclass(frozen=True)
class Adapters:
    """All adapters of a training."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    """The ends of layer names that the training asked for."""
    base: str
    """Name of the model they were trained on."""
    step: int
    layers: Mapping[str, LowRank]
    """`<network>.<layer>` -> its change."""

    @property
    def scale(self) -> float:
        """Return the factor on every change."""
        return self.alpha / self.rank

    @property
    def num_parameters(self) -> int:
        """Return how many numbers the adapters hold."""
        return sum(layer.down.numel() + layer.up.numel() for layer in self.layers.values())


def adapter_file_name(step: int) -> str:
    """Return the name under which a training run writes its adapters."""
    return f"lora-{step}.safetensors"


def merged_weight(weight: Tensor, layer: LowRank, scale: float) -> Tensor:
    """Return a layer's weight (out in) with its change added in fp32, in the weight's own type."""
    change = layer.up.detach().float() @ layer.down.detach().float()
    return (weight.detach().float() + scale * change).to(weight.dtype)


def save_adapters(adapters: Adapters, path: str | Path) -> None:
    """Write the adapters as safetensors whose header says what they are."""
    state = {}
    for name, layer in adapters.layers.items():
        state[name + _DOWN], state[name + _UP] = layer.down, layer.up
    about = {
        "format": _FORMAT,
        "rank": str(adapters.rank),
        "alpha": repr(float(adapters.alpha)),
        "targets": json.dumps(list(adapters.targets)),
        "base": adapters.base,
        "step": str(adapters.step),
    }
    save_state(state, path, metadata=about)


def read_adapters(path: str | Path) -> Adapters:
    """Return the adapters in a file of ours; FileNotFoundError, or ValueError where it is something else."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"adapters {path} do not exist; a training with lora.rank writes lora-<step>")
    about = _metadata(path)
    if about.get("format") != _FORMAT:
        raise ValueError(f"{path}: holds no adapters of ours; give the lora-<step>.safetensors of a training")
    state = read_state(path)
    names = [key.removesuffix(_DOWN) for key in state if key.endswith(_DOWN)]
    if len(state) != 2 * len(names) or any(name + _UP not in state for name in names):
        raise ValueError(f"{path}: its tensors are no pairs of *{_DOWN} and *{_UP}")
    return Adapters(
        rank=int(about["rank"]),
        alpha=float(about["alpha"]),
        targets=tuple(json.loads(about["targets"])),
        base=about["base"],
        step=int(about["step"]),
        layers={name: LowRank(state[name + _DOWN], state[name + _UP]) for name in names},
    )


@torch.no_grad()
def apply_adapters(modules: Mapping[str, nn.Module], adapters: Adapters, *, name: str = "") -> None:
    """Add the adapters to the weights of a model's networks, for good; `name` is the model's.

    ValueError naming the first layer that the model lacks or that has another shape; it is then unchanged.
    """
    if name and name != adapters.base:
        logger.warning("the adapters were trained on model %r and are added to %r", adapters.base, name)
    known = {
        f"{network}.{key}": value
        for network, module in modules.items()
        for key, value in module.named_parameters()
    }
    weights = {}
    for path, layer in adapters.layers.items():
        weight = known.get(f"{path}.weight")
        shape = (layer.up.shape[0], layer.down.shape[1])
        if weight is None or weight.shape != shape:
            found = "has no such layer" if weight is None else f"has {tuple(weight.shape)} there"
            raise ValueError(
                f"adapters for {adapters.base!r} change {path} {shape}, this model {found}: give the model "
                "they were trained on"
            )
        weights[path] = weight
    for path, weight in weights.items():
        weight.copy_(merged_weight(weight, _like(adapters.layers[path], weight), adapters.scale))
    logger.info("added %d adapters of rank %d, made at step %d", len(weights), adapters.rank, adapters.step)


def _like(layer: LowRank, weight: Tensor) -> LowRank:
    return LowRank(layer.down.to(weight.device), layer.up.to(weight.device))


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error}); fetch it again") from error
