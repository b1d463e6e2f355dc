"""Linear layers: several of one input at once on a GPU, oneDNN's kernel on a CPU; the same numbers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SMALLEST_WORK = 1 << 21
"""Multiplications below which the call itself costs more than a better kernel saves."""


class Linear(nn.Linear):
    """A linear layer that takes the fastest exact kernel at hand; keys and training are those of torch's."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the projection: (... C) -> (... D)."""
        return linear(input, self.weight, self.bias)


def linear(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return hidden (... C) times weight (D C), plus bias (D,): (... D).

    Without gradients, on a CPU in float32, by oneDNN, which adds the bias while it writes; torch's own way
    writes the bias first, and its library reaches a third less of an AMD processor's rate.
    """
    if _onednn_takes(hidden, weight):
        result: Tensor = torch.ops.mkldnn._linear_pointwise(hidden.contiguous(), weight, bias, "none", [], "")
        return result
    return F.linear(hidden, weight, bias)


def parallel_linears(hidden: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    """Return hidden (... C) times each of the weights (N D C): N tensors (... D), by one product on a GPU."""
    if hidden.device.type == "cpu" and not torch.compiler.is_compiling():
        return tuple(linear(hidden, weight) for weight in weights)
    rows = hidden.reshape(1, -1, hidden.shape[-1]).expand(len(weights), -1, -1)
    products = torch.bmm(rows, weights.transpose(1, 2))
    return products.unflatten(1, hidden.shape[:-1]).unbind(0)


def gated_linear(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return v gelu(g) of hidden (... C), where v and g (... D) are its projection by weight (2 D C).

    By oneDNN the gate is taken, and the value multiplied, while the product is written.
    """
    if _onednn_takes(hidden, weight):
        (to_value, to_gate), (value_bias, gate_bias) = weight.chunk(2), bias.chunk(2)
        hidden = hidden.contiguous()
        gate = torch.ops.mkldnn._linear_pointwise(hidden, to_gate, gate_bias, "gelu", [], "none")
        product = torch.ops.mkldnn._linear_pointwise.binary
        result: Tensor = product(hidden, gate, to_value, value_bias, "mul")
        return result
    value, gate = linear(hidden, weight, bias).chunk(2, dim=-1)
    if torch.is_grad_enabled():
        return value * F.gelu(gate)
    return F.gelu(gate).mul_(value)  # in the memory just written


def predicts_on_cpu(hidden: Tensor, weight: Tensor) -> bool:
    """Return whether a layer may take a way of its own: on a CPU in float32, neither trained nor compiled."""
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or hidden.device.type != "cpu":
        return False
    return hidden.dtype == weight.dtype == torch.float32


def _onednn_takes(hidden: Tensor, weight: Tensor) -> bool:
    if not predicts_on_cpu(hidden, weight) or not weight.is_contiguous():
        return False
    if hidden.numel() * weight.shape[0] < _SMALLEST_WORK:
        return False
    # The operator is the one torch's own compiler emits; a build without oneDNN lacks it.
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
