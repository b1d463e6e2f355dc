"""The two networks LPIPS looks with, down to their last tapped layer: AlexNet and VGG-16.

Krizhevsky 2014 (arXiv 1404.5997) and Simonyan & Zisserman 2015, in the sizes of torchvision's weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from talkvid.model.weights import KeyAdapter


@dataclass(frozen=True)
class Layer:
    """A convolution with ReLU, perhaps after max pooling, perhaps tapped."""

    published: int
    """Its number in the published file: `features.<number>.weight`."""
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 1
    pool_before: int = 0
    """Side of a max pooling with stride 2 in front of it; 0 for none."""
    tapped: bool = True


ALEX_LAYERS = (
    Layer(0, 64, 11, stride=4, padding=2),
    Layer(3, 192, 5, padding=2, pool_before=3),
    Layer(6, 384, 3, pool_before=3),
    Layer(8, 256, 3),
    Layer(10, 256, 3),
)
VGG_LAYERS = (
    Layer(0, 64, 3, tapped=False),
    Layer(2, 64, 3),
    Layer(5, 128, 3, pool_before=2, tapped=False),
    Layer(7, 128, 3),
    Layer(10, 256, 3, pool_before=2, tapped=False),
    Layer(12, 256, 3, tapped=False),
    Layer(14, 256, 3),
    Layer(17, 512, 3, pool_before=2, tapped=False),
    Layer(19, 512, 3, tapped=False),
    Layer(21, 512, 3),
    Layer(24, 512, 3, pool_before=2, tapped=False),
    Layer(26, 512, 3, tapped=False),
    Layer(28, 512, 3),
)


class Trunk(nn.Module):
    """(B, 3, H, W) → the tapped layers' outputs after ReLU, finest first."""

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        super().__init__()
        self.layers = layers
        self.convolutions = nn.ModuleList()
        channels = 3
        for layer in layers:
            self.convolutions.append(
                nn.Conv2d(channels, layer.channels, layer.kernel, layer.stride, layer.padding)
            )
            channels = layer.channels

    @property
    def tapped_channels(self) -> tuple[int, ...]:
        """Return how many channels each tapped layer has."""
        return tuple(layer.channels for layer in self.layers if layer.tapped)

    @property
    def adapter(self) -> KeyAdapter:
        """Return the table from torchvision's published names to ours; its classifier is of no use here."""
        renames = tuple(
            (rf"^features\.{layer.published}\.", f"convolutions.{number}.")
            for number, layer in enumerate(self.layers)
        )
        return KeyAdapter(renames=renames, ignores=(r"^classifier\.",))

    @property
    def smallest_side(self) -> int:
        """Return the least height or width of a picture that leaves the last layer something to see."""
        needed = 1
        for layer in reversed(self.layers):
            needed = max((needed - 1) * layer.stride + layer.kernel - 2 * layer.padding, 1)
            if layer.pool_before:
                needed = (needed - 1) * 2 + layer.pool_before
        return needed

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the tapped features of (B 3 H W)."""
        taps = []
        values = pictures
        for layer, convolution in zip(self.layers, self.convolutions, strict=True):
            if layer.pool_before:
                values = functional.max_pool2d(values, layer.pool_before, stride=2)
            values = torch.relu(convolution(values))
            if layer.tapped:
                taps.append(values)
        return taps
