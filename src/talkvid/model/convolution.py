"""A convolution with its activation in one go, by oneDNN on a CPU; the same numbers but for rounding."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolution_silu(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    """Return the SiLU of the layer's output: (R C H W) -> (R D H' W').

    Without gradients on a CPU oneDNN applies it while it writes, so large maps go through memory once.
    """
    if not _onednn_takes(layer, maps):
        return F.silu(layer(maps))
    result: Tensor = torch.ops.mkldnn._convolution_pointwise(
        maps, layer.weight, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups,
        "swish", [], "",
    )  # fmt: skip
    return result


def _onednn_takes(layer: nn.Conv2d, maps: Tensor) -> bool:
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or maps.device.type != "cpu":
        return False
    if maps.dtype != torch.float32 or layer.weight.dtype != torch.float32 or layer.padding_mode != "zeros":
        return False
    # The operator is the one torch's own compiler emits; a build without oneDNN lacks it.
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
