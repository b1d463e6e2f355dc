"""Fine-tuning by low-rank adapters (LoRA, arXiv 2106.09685), which the peft library puts into the layers."""

import difflib
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from talkvid.extras import require
from talkvid.model.adapters import Adapters, LowRank, merged_weight
from talkvid.training.config import LoraConfig
from talkvid.training.network import TalkingHeadNetworks

logger = logging.getLogger(__name__)

_NAME = "lora"  # peft's name of the one set of adapters
_BASE = ".base_layer."  # where peft keeps the layer it wraps
# The reference net reads one zero token, so nothing before the bias of this attention gets a gradient.
_WITHOUT_GRADIENT = re.compile(r"^reference_net\..*\.attn2\.")


def add_lora(network: TalkingHeadNetworks, config: LoraConfig, *, seed: int = 0) -> None:
    """Put an adapter beside each layer that `config.targets` names, train these and freeze all the rest.

    The layers are linear ones whose weights train now (`enter_stage` comes first). Adapters start as no
    change; their first weights follow from `seed`. ValueError naming a target without a layer and the
    nearest there are, or adapters behind a branch that contributes nothing; ImportError without peft.
    """
    layers = target_layers(network, config.targets)
    peft = require("peft", extra="train")
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha or config.rank,
        lora_dropout=config.dropout,
        target_modules="|".join(re.escape(name) for name in layers),
    )
    total = sum(parameter.numel() for parameter in network.parameters())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(settings, network, adapter_name=_NAME)
    network.train()
    network.skip_idle_branches()
    _refuse_idle(network, layers)
    added = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    counts = Counter(name.partition(".")[0] for name in layers)
    logger.info(
        "adapters of rank %d train %.3f M parameters beside %.1f M frozen ones, in layers of %s",
        config.rank,
        added / 1e6,
        total / 1e6,
        ", ".join(f"{name} ({count})" for name, count in counts.items()),
    )


def target_layers(network: nn.Module, targets: Collection[str]) -> list[str]:
    """Return the names of the trainable linear layers whose name is a target or ends in `.<target>`."""
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.weight.requires_grad and not _WITHOUT_GRADIENT.match(name)
    ]
    for target in targets:
        if not any(_matches(name, target) for name in names):
            endings = sorted({_ending(name) for name in names})
            near = difflib.get_close_matches(target, [*endings, *names], n=3, cutoff=0.5) or endings
            raise ValueError(
                f"lora.targets: {target!r} is no linear layer of what this stage trains; choose among "
                f"{', '.join(near)}"
            )
    return [name for name in names if any(_matches(name, target) for target in targets)]


def merged_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a network as if it never had adapters, their change added; as it is without."""
    layers = _adapted(network)
    state = {key: tensor for key, tensor in network.state_dict().items() if ".lora_" not in key}
    merged = {key.replace(_BASE, "."): tensor for key, tensor in state.items()}
    for name, layer in layers.items():
        weight = layer.get_base_layer().weight
        merged[f"{name}.weight"] = merged_weight(weight, _low_rank(layer), layer.scaling[_NAME])
    return merged


def collect_adapters(
    networks: Mapping[str, nn.Module], config: LoraConfig, *, base: str, step: int
) -> Adapters:
    """Return the adapters of some networks, as `save_adapters` writes them."""
    layers = {
        f"{network}.{name}": _low_rank(layer)
        for network, module in networks.items()
        for name, layer in _adapted(module).items()
    }
    return Adapters(
        rank=config.rank,
        alpha=config.alpha or config.rank,
        targets=tuple(config.targets),
        base=base,
        step=step,
        layers=layers,
    )


def _matches(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _ending(name: str) -> str:
    """Return the last part of a name, with the one before it where it is a number: `to_out.0`."""
    *_, before, last = name.split(".")
    return f"{before}.{last}" if last.isdigit() else last


def _adapted(network: nn.Module) -> dict[str, Any]:
    """Return the layers with an adapter; peft's layers are known by what they hold, so peft may be absent."""
    return {
        name: module
        for name, module in network.named_modules()
        if hasattr(module, "lora_A") and _NAME in module.lora_A
    }


def _low_rank(layer: Any) -> LowRank:
    return LowRank(layer.lora_A[_NAME].weight.detach(), layer.lora_B[_NAME].weight.detach())


def _refuse_idle(network: TalkingHeadNetworks, layers: Iterable[str]) -> None:
    """Raise ValueError when adapters lie behind output projections that are zero and frozen."""
    idle = []
    if network.denoising_unet.mid_block.skips_motion:
        idle.append((r"^denoising_unet\..*motion_modules\.", "temporal_transformer.proj_out", "proj_out"))
    if not network.hears:
        idle.append((r"^audio_projection\.|^denoising_unet\..*\.attn2\.", "attn2.to_out", "to_out.0"))
    for pattern, projection, remedy in idle:
        behind = [name for name in layers if re.search(pattern, name)]
        if behind:
            raise ValueError(
                f"{len(behind)} adapters (first: {behind[0]}) lie behind {projection}, which is zero and "
                f"frozen: start from a model that trained it, or add {remedy} to lora.targets"
            )
