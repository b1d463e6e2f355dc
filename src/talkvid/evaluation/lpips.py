"""LPIPS 0.1, the learned perceptual distance of two pictures (Zhang et al. 2018, arXiv 1801.03924)."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from talkvid.evaluation.facts import WHOLE, Fact, Facts, checked_stack, picture_size
from talkvid.evaluation.frame_pairs import FramePair
from talkvid.evaluation.lpips_trunks import ALEX_LAYERS, VGG_LAYERS, Layer, Trunk
from talkvid.evaluation.weight_files import (
    ALEXNET,
    LPIPS_ALEX,
    LPIPS_OLD,
    LPIPS_VGG,
    VGG16,
    PublishedFile,
    file_sha256,
)
from talkvid.model.weights import KeyAdapter, load_weights
from talkvid.records import Array

VERSION = 1
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""Mean and deviation of R, G, B in -1 … 1 that the heads were learned with."""
SMALL = 1e-10
"""Added to the length of a feature before it is divided by it."""
BATCH = 8
Network = Literal["alex", "vgg"]


@dataclass(frozen=True)
class _Recipe:
    layers: tuple[Layer, ...]
    trunk: PublishedFile
    heads: PublishedFile


RECIPES: Mapping[str, _Recipe] = {
    "alex": _Recipe(ALEX_LAYERS, ALEXNET, LPIPS_ALEX),
    "vgg": _Recipe(VGG_LAYERS, VGG16, LPIPS_VGG),
}


class LinearHeads(nn.Module):
    """One weight per channel and tapped layer."""

    adapter = KeyAdapter(renames=((r"^lin(\d+)\.model\.1\.weight$", r"weights.\1"),))
    """From the published names to ours."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.zeros(1, count, 1, 1)) for count in channels])


@dataclass(frozen=True)
class LpipsAgreement:
    """LPIPS of F pairs; 0 for equal pictures, larger is further."""

    name: str
    """ "LPIPS (alex)" or "LPIPS (vgg)" where both files are the published ones, else a name that says so."""
    mean: float
    num_frames: int
    protocol: Facts


class Lpips:
    """The distance with a trunk and heads of the user's; both files are checked name by name."""

    def __init__(
        self,
        trunk_path: str | os.PathLike[str],
        heads_path: str | os.PathLike[str],
        *,
        network: Network = "alex",
        device: str | torch.device = "cpu",
    ) -> None:
        """Take torchvision's file of AlexNet or VGG-16 and the heads of version 0.1 that belong to it.

        FileNotFoundError with the command that fetches the file; ValueError naming what does not fit.
        """
        if network not in RECIPES:
            raise ValueError(f"the network of LPIPS is alex or vgg, got {network!r}")
        recipe = RECIPES[network]
        trunk_file, heads_file = recipe.trunk.found(trunk_path), recipe.heads.found(heads_path)
        heads_sha256 = file_sha256(heads_file)
        if heads_sha256 in LPIPS_OLD:
            raise ValueError(
                f"{heads_file}: heads of LPIPS 0.0, which knew no input scaling; "
                f"fetch 0.1 with {recipe.heads.fetch_command}"
            )
        self.network, self.device = network, torch.device(device)
        self.trunk = Trunk(recipe.layers)
        self.heads = LinearHeads(self.trunk.tapped_channels)
        _load(self.trunk, trunk_file, self.trunk.adapter, recipe.trunk)
        _load(self.heads, heads_file, self.heads.adapter, recipe.heads)
        if any(bool((weight < 0).any()) for weight in self.heads.weights):
            raise ValueError(f"{heads_file}: heads of LPIPS are never below 0; {recipe.heads.fetch_command}")
        self.published = heads_sha256 == recipe.heads.sha256 and recipe.trunk.is_published(trunk_file)
        self._files: dict[str, Fact] = {
            "trunk_sha256": file_sha256(trunk_file),
            "heads_sha256": heads_sha256,
        }
        for module in (self.trunk, self.heads):
            module.to(self.device).eval().requires_grad_(False)

    @property
    def name(self) -> str:
        """Return what the number may be called: "LPIPS" only with the published weights."""
        kind = f"LPIPS ({self.network})"
        return kind if self.published else f"{kind} form, other weights"

    @property
    def facts(self) -> Facts:
        """Return how it is measured, without the counts."""
        return {
            "version": VERSION,
            "lpips": "0.1",
            "network": self.network,
            "input": "RGB in -1 to 1 at the pictures' own size",
            "crop": WHOLE,
            "average": "over positions, sum over layers",
            **self._files,
        }

    @torch.inference_mode()
    def distances(self, first: Array, second: Array) -> Array:
        """Return the distances (B,) float64 of uint8 pictures (B H W 3) of one size."""
        first, second = checked_stack(first), checked_stack(second)
        if first.shape != second.shape:
            raise ValueError(
                f"pictures of {first.shape} and {second.shape} cannot be compared; make one size"
            )
        smallest = self.trunk.smallest_side
        if min(first.shape[1:3]) < smallest:
            raise ValueError(
                f"pictures of {picture_size(first[0])} are too small; {self.name} needs {smallest} px or more"
            )
        total = torch.zeros(len(first), dtype=torch.float64, device=self.device)
        taps = zip(self.trunk(self._scaled(first)), self.trunk(self._scaled(second)), strict=True)
        for (ours, theirs), weight in zip(taps, self.heads.weights, strict=True):
            squared = (_unit_length(ours) - _unit_length(theirs)) ** 2
            total += (squared * weight).sum(dim=1).mean(dim=(1, 2)).double()
        result: Array = total.cpu().numpy()
        return result

    def agreement(self, pairs: Iterable[FramePair]) -> LpipsAgreement:
        """Return the mean distance of made and true pictures (H W 3) uint8, BATCH pairs in memory."""
        total, count = 0.0, 0
        sizes: set[str] = set()
        for made, truth in _batches(pairs):
            total += float(self.distances(made, truth).sum())
            count += len(made)
            sizes.add(picture_size(made[0]))
        if not count:
            raise ValueError("there are no pictures to compare")
        facts = {**self.facts, "size": ", ".join(sorted(sizes)), "frames": count}
        return LpipsAgreement(self.name, total / count, count, facts)

    def _scaled(self, pictures: Array) -> Tensor:
        """Return (B 3 H W): 0 … 255 to -1 … 1, then less SHIFT, over SCALE."""
        values = torch.from_numpy(np.ascontiguousarray(pictures)).to(self.device).permute(0, 3, 1, 2)
        shift, scale = (torch.tensor(row, device=self.device)[:, None, None] for row in (SHIFT, SCALE))
        return (values.float() / 127.5 - 1 - shift) / scale


def _unit_length(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + SMALL)


def _load(module: nn.Module, path: os.PathLike[str], adapter: KeyAdapter, published: PublishedFile) -> None:
    try:
        load_weights(module, os.fspath(path), adapter=adapter)
    except ValueError as error:
        raise ValueError(f"{error}; fetch it with {published.fetch_command}") from error


def _batches(pairs: Iterable[FramePair]) -> Iterator[FramePair]:
    """Yield stacks (B H W 3) of up to BATCH pairs of one size."""
    waiting: list[FramePair] = []
    for pair in pairs:
        if waiting and (len(waiting) == BATCH or pair[0].shape != waiting[0][0].shape):
            yield _stacked(waiting)
            waiting = []
        waiting.append(pair)
    if waiting:
        yield _stacked(waiting)


def _stacked(pairs: list[FramePair]) -> FramePair:
    return np.stack([made for made, _ in pairs]), np.stack([truth for _, truth in pairs])
