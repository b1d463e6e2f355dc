"""Our small landmark network: a window about a face in, lip and contour points, head rotation and jaw out."""

import json
import typing
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from talkvid.face.layout import IRISES, LIP_CORNERS, NOSE_TIP, NUM_CONTOUR
from talkvid.records import NUM_LIP

Module = TypeVar("Module", bound=nn.Module)

NUM_POINTS = NUM_LIP + NUM_CONTOUR
FIVE = (*(NUM_LIP + index for index in IRISES), NUM_LIP + NOSE_TIP, *LIP_CORNERS)
"""Indices of the five points among lips and contour."""
NUM_ROTATION = 6
WEIGHTS = "face_landmarks.safetensors"
CONFIG = "face_landmarks.json"


@dataclass(frozen=True)
class LandmarkConfig:
    """Sizes of the network."""

    size: int = 112
    """Side of the input window in pixels."""
    channels: tuple[int, int, int, int] = (24, 40, 80, 160)
    squeeze: int = 48
    """Channels of the last map before it is read off."""
    hidden: int = 256


@dataclass(frozen=True)
class Landmarks:
    """What the network says of B windows."""

    points: Tensor
    """(B 145 2): 40 lip, then 105 contour points; the window spans -0.5 to 0.5."""
    rotation: Tensor
    """(B 3 3) head rotation in the axes of `pose.py`, as seen in the window."""
    jaw_open: Tensor
    """(B,) 0 to 1."""


class LandmarkNet(nn.Module):
    """Convolutions from 112 px down to 7 px, then all coordinates at once (no heat maps)."""

    def __init__(self, config: LandmarkConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third, last = config.channels
        self.trunk = nn.Sequential(
            _convolution(3, first, stride=2),
            _convolution(first, second, stride=2),
            _Residual(second, depth=1),
            _convolution(second, third, stride=2),
            _Residual(third, depth=2),
            _convolution(third, last, stride=2),
            _Residual(last, depth=2),
            _convolution(last, config.squeeze, kernel=1),
        )
        map_side = config.size // 16
        self.hidden = nn.Linear(config.squeeze * map_side**2, config.hidden)
        self.points = nn.Linear(config.hidden, NUM_POINTS * 2)
        self.others = nn.Linear(config.hidden, NUM_ROTATION + 1)

    def forward(self, windows: Tensor) -> Landmarks:
        """Return the landmarks of RGB windows (B 3 size size) in [0, 1]."""
        features = self.trunk(windows * 4 - 2).flatten(1)
        hidden = functional.relu(self.hidden(features))
        points, others = self.points(hidden).float(), self.others(hidden).float()
        return Landmarks(
            points=points.reshape(-1, NUM_POINTS, 2),
            rotation=rotation_from_six(others[:, :NUM_ROTATION]),
            jaw_open=others[:, NUM_ROTATION],
        )

    def start_from_shapes(self, mean: Tensor, modes: Tensor) -> None:
        """Set the read-off to the mean shape (290,) and its first modes (K 290)."""
        with torch.no_grad():
            self.points.weight.mul_(0.01)
            # Hidden units are not negative: half of them push each mode up, half down.
            count = min(modes.shape[0], self.config.hidden // 2)
            self.points.weight[:, :count] = modes[:count].T
            self.points.weight[:, count : 2 * count] = -modes[:count].T
            self.points.bias.copy_(mean)
            self.others.weight.mul_(0.1)
            self.others.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1.0, 0, 0.1]))


def rotation_from_six(numbers: Tensor) -> Tensor:
    """Return (B 3 3) rotations whose first two columns are the orthogonalised halves of (B 6) (Zhou et al.
    2019).
    """
    first = functional.normalize(numbers[:, :3], dim=-1)
    second = numbers[:, 3:] - (first * numbers[:, 3:]).sum(-1, keepdim=True) * first
    second = functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def load_landmark_net(folder: Path | None = None) -> LandmarkNet:
    """Return the trained network in eval mode, from a folder or from the package's own weights.

    FileNotFoundError when the weights are missing.
    """
    place = folder if folder is not None else Path(str(files("talkvid.weights")))
    weights, config = place / WEIGHTS, place / CONFIG
    if not weights.is_file() or not config.is_file():
        raise FileNotFoundError(f"{weights} and {config.name}, the face landmark network, are missing")
    sizes: dict[str, Any] = json.loads(config.read_text())["network"]
    net = LandmarkNet(LandmarkConfig(**{**sizes, "channels": tuple(sizes["channels"])}))
    net.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
    return net.eval()


def describe(config: LandmarkConfig) -> dict[str, Any]:
    """Return the network's sizes as plain values for its JSON file."""
    return asdict(config)


def channels_last(module: Module) -> Module:
    """Return the module with its weights laid out channels last, which CPUs convolve faster."""
    # torch's own annotation of Module.to lacks this argument alone.
    moved: Module = typing.cast(Any, module).to(memory_format=torch.channels_last)
    return moved


def fold_norms(net: LandmarkNet) -> nn.Module:
    """Return the trunk with its batch norms folded into the convolutions: the same numbers, fewer passes."""
    folded = []
    for part in net.trunk:
        if isinstance(part, _Residual):
            part = _Residual.of([_folded(step) for step in part.steps])
        else:
            part = _folded(part)
        folded.append(part)
    return nn.Sequential(*folded).eval()


class _Residual(nn.Module):
    """Convolutions at one size whose result is added to their input."""

    def __init__(self, channels: int, *, depth: int) -> None:
        super().__init__()
        last = depth - 1
        self.steps = nn.ModuleList(
            _convolution(channels, channels, active=index < last) for index in range(depth)
        )

    @classmethod
    def of(cls, steps: list[nn.Module]) -> "_Residual":
        block = cls(1, depth=1)
        block.steps = nn.ModuleList(steps)
        return block

    def forward(self, features: Tensor) -> Tensor:
        result = features
        for step in self.steps:
            result = step(result)
        return functional.relu(features + result)


def _convolution(
    inside: int, outside: int, *, stride: int = 1, kernel: int = 3, active: bool = True
) -> nn.Sequential:
    parts: list[nn.Module] = [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
    ]
    return nn.Sequential(*parts, nn.ReLU()) if active else nn.Sequential(*parts)


def _folded(part: nn.Module) -> nn.Module:
    assert isinstance(part, nn.Sequential)
    convolution, norm, *rest = part
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return nn.Sequential(fuse_conv_bn_eval(convolution, norm), *rest)
