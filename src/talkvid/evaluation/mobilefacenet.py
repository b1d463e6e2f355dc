"""MobileFaceNet as a yardstick of identity where ArcFace is not at hand; the weights are the user's.

The network of Chen et al. 2018 (arXiv 1804.07573) for faces of 112 x 96, 128 numbers. Never learned from.
"""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from talkvid.evaluation.identity import aligned_face, unit
from talkvid.model.weights import load_state, read_state
from talkvid.records import Array

MODEL_VARIABLE = "TALKVID_MOBILEFACENET"
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, repeats and first stride, table 1 of the paper."""


class MobileFaceNetEmbedder:
    """Turns faces into 128 numbers; cosines of one person are about 0.5 to 1, of two about 0."""

    name = "MobileFaceNet"
    measure = "MobileFaceNet cosine"

    def __init__(self, weights: Path | str | None = None) -> None:
        """Take the weights' file, default $TALKVID_MOBILEFACENET; FileNotFoundError, or ValueError if it does
        not fit.
        """
        path = Path(weights or os.environ.get(MODEL_VARIABLE, ""))
        if not path.is_file():
            raise FileNotFoundError(
                f"MobileFaceNet weights {str(path)!r} are not a file: give their path or set {MODEL_VARIABLE}"
            )
        self._net = MobileFaceNet()
        load_state(self._net, read_state(path), source=str(path))
        self._net.eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(self, picture: Array, points: Array) -> Array:
        """Return (128,) of length 1 for the face at `points` (5 2) of an RGB (H W 3) uint8 picture."""
        face = torch.from_numpy(aligned_face(picture, points, width=96).copy())
        batch = (face.permute(2, 0, 1)[None].float() - 127.5) / 128
        vector: Array = self._net(batch)[0].double().numpy()
        return unit(vector)


class MobileFaceNet(nn.Module):
    """(B, 3, 112, 96) in -1 … 1 → (B, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, 64, 3, stride=2, padding=1)
        self.dw_conv1 = ConvNorm(64, 64, 3, padding=1, groups=64)
        blocks: list[nn.Module] = []
        channels = 64
        for expansion, width, repeats, first_stride in BOTTLENECKS:
            for number in range(repeats):
                blocks.append(Bottleneck(channels, width, expansion, stride=1 if number else first_stride))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = ConvNorm(channels, 512, 1)
        self.linear7 = ConvNorm(512, 512, (7, 6), groups=512, active=False)
        self.linear1 = ConvNorm(512, 128, 1, active=False)

    def forward(self, faces: Tensor) -> Tensor:
        """Return the embeddings."""
        hidden = self.conv2(self.blocks(self.dw_conv1(self.conv1(faces))))
        embedded: Tensor = self.linear1(self.linear7(hidden)).flatten(1)
        return embedded


class ConvNorm(nn.Module):
    """Convolution, batch norm and, unless it is linear, a PReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs) if active else None

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, outputs, h, w)."""
        hidden = self.bn(self.conv(hidden))
        return hidden if self.prelu is None else self.prelu(hidden)


class Bottleneck(nn.Module):
    """Widen, filter each channel, narrow linearly; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, *, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, outputs, h, w)."""
        change: Tensor = self.conv(hidden)
        return hidden + change if self.residual else change
