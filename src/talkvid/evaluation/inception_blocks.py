"""Inception-v3 as the network of 2015 that FID is defined by, up to its last pooling.

Szegedy et al. 2016 (arXiv 1512.00567, figures 5 to 7 and table 1), with the three habits of the original
TensorFlow graph that the FID depends on: average pooling counts only what lies inside the picture, the last
block pools by maximum, norms use an epsilon of 0.001. Blocks are tables; modules have the published names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Pool = Literal["none", "average", "max", "max, stride 2"]
Size = int | tuple[int, int]
NORM_EPSILON = 0.001


@dataclass(frozen=True)
class Step:
    """A convolution with norm and ReLU; `name` is what the published file calls it."""

    name: str
    channels: int
    kernel: Size = 1
    stride: int = 1
    padding: Size = 0


@dataclass(frozen=True)
class Branch:
    """Pooling, then steps one after another, then perhaps several side by side on the last one's output."""

    steps: tuple[Step, ...] = ()
    pool: Pool = "none"
    fork: tuple[Step, ...] = ()

    def out_channels(self, channels: int) -> int:
        """Return how many channels come out when `channels` go in."""
        if self.fork:
            return sum(step.channels for step in self.fork)
        return self.steps[-1].channels if self.steps else channels


class ConvNorm(nn.Module):
    """(B, C, H, W) → convolution without bias, norm, ReLU."""

    def __init__(self, channels: int, step: Step) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, step.channels, step.kernel, step.stride, step.padding, bias=False)
        self.bn = nn.BatchNorm2d(step.channels, eps=NORM_EPSILON)

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, channels, H', W')."""
        return torch.relu(self.bn(self.conv(values)))


class Mixed(nn.Module):
    """(B, C, H, W) → the outputs of all branches behind one another along C."""

    def __init__(self, channels: int, branches: tuple[Branch, ...]) -> None:
        super().__init__()
        self.branches = branches
        self.out_channels = sum(branch.out_channels(channels) for branch in branches)
        for branch in branches:
            width = channels
            for step in branch.steps:
                self.add_module(step.name, ConvNorm(width, step))
                width = step.channels
            for step in branch.fork:
                self.add_module(step.name, ConvNorm(width, step))

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, out_channels, H', W')."""
        return torch.cat([part for branch in self.branches for part in self._run(branch, values)], dim=1)

    def _run(self, branch: Branch, values: Tensor) -> list[Tensor]:
        values = pooled(values, branch.pool)
        for step in branch.steps:
            values = self.get_submodule(step.name)(values)
        return [self.get_submodule(step.name)(values) for step in branch.fork] or [values]


def pooled(values: Tensor, pool: Pool) -> Tensor:
    """Return the 3 x 3 pooling of (B C H W); "none" changes nothing."""
    if pool == "average":
        return functional.avg_pool2d(values, 3, stride=1, padding=1, count_include_pad=False)
    if pool == "max":
        return functional.max_pool2d(values, 3, stride=1, padding=1)
    if pool == "max, stride 2":
        return functional.max_pool2d(values, 3, stride=2)
    return values


def across(name: str, channels: int, length: int) -> Step:
    """Return a 1 x length convolution that keeps the size."""
    return Step(name, channels, (1, length), padding=(0, length // 2))


def down(name: str, channels: int, length: int) -> Step:
    """Return a length x 1 convolution that keeps the size."""
    return Step(name, channels, (length, 1), padding=(length // 2, 0))


def square(name: str, channels: int, length: int = 3) -> Step:
    """Return a length x length convolution that keeps the size."""
    return Step(name, channels, length, padding=length // 2)


def fine_block(pool_channels: int) -> tuple[Branch, ...]:
    """Return the branches at 35 x 35 (figure 5)."""
    return (
        Branch((Step("branch1x1", 64),)),
        Branch((Step("branch5x5_1", 48), square("branch5x5_2", 64, 5))),
        Branch((Step("branch3x3dbl_1", 64), square("branch3x3dbl_2", 96), square("branch3x3dbl_3", 96))),
        Branch((Step("branch_pool", pool_channels),), pool="average"),
    )


def middle_block(width: int) -> tuple[Branch, ...]:
    """Return the branches at 17 x 17 (figure 6), `width` channels inside."""
    return (
        Branch((Step("branch1x1", 192),)),
        Branch(
            (Step("branch7x7_1", width), across("branch7x7_2", width, 7), down("branch7x7_3", 192, 7)),
        ),
        Branch(
            (
                Step("branch7x7dbl_1", width),
                down("branch7x7dbl_2", width, 7),
                across("branch7x7dbl_3", width, 7),
                down("branch7x7dbl_4", width, 7),
                across("branch7x7dbl_5", 192, 7),
            )
        ),
        Branch((Step("branch_pool", 192),), pool="average"),
    )


def coarse_block(pool: Pool) -> tuple[Branch, ...]:
    """Return the branches at 8 x 8 (figure 7)."""
    return (
        Branch((Step("branch1x1", 320),)),
        Branch(
            (Step("branch3x3_1", 384),),
            fork=(across("branch3x3_2a", 384, 3), down("branch3x3_2b", 384, 3)),
        ),
        Branch(
            (Step("branch3x3dbl_1", 448), square("branch3x3dbl_2", 384)),
            fork=(across("branch3x3dbl_3a", 384, 3), down("branch3x3dbl_3b", 384, 3)),
        ),
        Branch((Step("branch_pool", 192),), pool=pool),
    )


TO_MIDDLE = (
    Branch((Step("branch3x3", 384, 3, stride=2),)),
    Branch(
        (
            Step("branch3x3dbl_1", 64),
            square("branch3x3dbl_2", 96),
            Step("branch3x3dbl_3", 96, 3, stride=2),
        )
    ),
    Branch(pool="max, stride 2"),
)
TO_COARSE = (
    Branch((Step("branch3x3_1", 192), Step("branch3x3_2", 320, 3, stride=2))),
    Branch(
        (
            Step("branch7x7x3_1", 192),
            across("branch7x7x3_2", 192, 7),
            down("branch7x7x3_3", 192, 7),
            Step("branch7x7x3_4", 192, 3, stride=2),
        )
    ),
    Branch(pool="max, stride 2"),
)
STEM: tuple[Step | Pool, ...] = (
    Step("Conv2d_1a_3x3", 32, 3, stride=2),
    Step("Conv2d_2a_3x3", 32, 3),
    square("Conv2d_2b_3x3", 64),
    "max, stride 2",
    Step("Conv2d_3b_1x1", 80),
    Step("Conv2d_4a_3x3", 192, 3),
    "max, stride 2",
)
MIXED: Mapping[str, tuple[Branch, ...]] = {
    "Mixed_5b": fine_block(32),
    "Mixed_5c": fine_block(64),
    "Mixed_5d": fine_block(64),
    "Mixed_6a": TO_MIDDLE,
    "Mixed_6b": middle_block(128),
    "Mixed_6c": middle_block(160),
    "Mixed_6d": middle_block(160),
    "Mixed_6e": middle_block(192),
    "Mixed_7a": TO_COARSE,
    "Mixed_7b": coarse_block("average"),
    "Mixed_7c": coarse_block("max"),
}
