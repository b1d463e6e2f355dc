"""The stages: what each trains and what it sets to zero first, as rows of a table."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """A named part of one network: parameters whose name matches, less those that match `but_not`."""

    network: str
    matches: str = ""
    but_not: str = r"(?!)"

    def contains(self, name: str) -> bool:
        """Return whether the parameter called `name` inside the network belongs here."""
        return bool(re.search(self.matches, name)) and not re.search(self.but_not, name)


@dataclass(frozen=True)
class Stage:
    """One row: the groups that train and the groups set to zero before training."""

    trains: tuple[str, ...]
    zeroed: tuple[str, ...] = ()


AUDIO = r"attentions\.\d+\.transformer_blocks\.\d+\.(attn2|norm2)\."
MOTION = r"motion_modules\."
# The reference net's own output is never used: what it gives are the features of its blocks.
NEVER_REACHED = r"^conv_out\."

GROUPS: dict[str, Group] = {
    "reference_net": Group("reference_net", but_not=rf"{NEVER_REACHED}|^up_blocks\.3\."),
    "reference_net.repaired": Group("reference_net", but_not=NEVER_REACHED),
    "denoising_unet": Group("denoising_unet"),
    "denoising_unet.spatial": Group("denoising_unet", but_not=f"{MOTION}|{AUDIO}"),
    "denoising_unet.audio": Group("denoising_unet", AUDIO),
    "denoising_unet.motion": Group("denoising_unet", MOTION),
    "v_kps_guider": Group("v_kps_guider"),
    "audio_projection": Group("audio_projection"),
    "temporal_out": Group("denoising_unet", r"temporal_transformer\.proj_out\."),
    "audio_out": Group("denoising_unet", r"attn2\.to_out\."),
}

STAGES: dict[int, Stage] = {
    1: Stage(("reference_net", "denoising_unet.spatial", "v_kps_guider"), ("temporal_out", "audio_out")),
    2: Stage(
        ("denoising_unet.audio", "denoising_unet.motion", "audio_projection"), ("temporal_out", "audio_out")
    ),
    3: Stage(("reference_net", "denoising_unet", "v_kps_guider", "audio_projection")),
    # Distillation: the denoiser learns to predict as a guided one; what it is told stays what it was.
    4: Stage(("denoising_unet",)),
}

Networks = Mapping[str, nn.Module]
"""The trained networks by name; every name of a group's `network` is a key, absent networks are skipped."""


def trainable_names(networks: Networks, stage: int, *, recipe: str = "reference") -> dict[str, list[str]]:
    """Return the names of the parameters that train, per network, in the network's order."""
    groups = [_group(name, recipe) for name in STAGES[stage].trains]
    names: dict[str, list[str]] = {}
    for network_name, network in networks.items():
        mine = [group for group in groups if group.network == network_name]
        dead = _beyond_last_feature(network) if network_name == "reference_net" else frozenset()
        names[network_name] = [
            name
            for name, _ in network.named_parameters()
            if name not in dead and any(group.contains(name) for group in mine)
        ]
    return names


def choose_trainable(networks: Networks, stage: int, *, recipe: str = "reference") -> list[nn.Parameter]:
    """Freeze everything but what the stage trains and return that, in a fixed order."""
    chosen: list[nn.Parameter] = []
    total = 0
    for network_name, names in trainable_names(networks, stage, recipe=recipe).items():
        trains = frozenset(names)
        for name, parameter in networks[network_name].named_parameters():
            parameter.requires_grad_(name in trains)
            total += parameter.numel()
            if name in trains:
                chosen.append(parameter)
    trainable = sum(parameter.numel() for parameter in chosen)
    logger.info("stage %d trains %.1f M of %.1f M parameters", stage, trainable / 1e6, total / 1e6)
    return chosen


@torch.no_grad()
def zero_projections(networks: Networks, stage: int) -> int:
    """Set the output projections that the stage starts without to zero; return how many tensors that were."""
    count = 0
    for group_name in STAGES[stage].zeroed:
        for parameter in group_parameters(networks, group_name):
            parameter.zero_()
            count += 1
    return count


def contributes_nothing(networks: Networks, group_name: str) -> bool:
    """Return whether a group of output projections is zero and stays so: its branch can be skipped."""
    return all(
        not parameter.requires_grad and not bool(parameter.detach().any())
        for parameter in group_parameters(networks, group_name)
    )


def group_parameters(networks: Networks, group_name: str) -> Iterator[nn.Parameter]:
    """Yield the parameters of a group."""
    group = GROUPS[group_name]
    network = networks.get(group.network)
    if network is None:
        return
    for name, parameter in network.named_parameters():
        if group.contains(name):
            yield parameter


def _group(name: str, recipe: str) -> Group:
    return GROUPS.get(f"{name}.{recipe}", GROUPS[name])


def _beyond_last_feature(reference_net: nn.Module) -> frozenset[str]:
    """Return the parameters behind the last block's feature, which no loss ever reaches."""
    names = [name for name, _ in reference_net.named_parameters()]
    pattern = re.compile(r"^up_blocks\.(\d+)\.attentions\.(\d+)\.")
    places = [tuple(map(int, match.groups())) for name in names if (match := pattern.match(name))]
    if not places:
        return frozenset()
    block, attention = max(places)
    last = re.compile(
        rf"^up_blocks\.{block}\.attentions\.{attention}\.(proj_out\.|transformer_blocks\.\d+\.(attn2|norm3|ff)\.)"
    )
    return frozenset(name for name in names if last.match(name))
