"""Weights drawn from the names of a network's tensors, so that two implementations can be compared."""

import hashlib
import math
import zlib

import torch
from torch import Tensor, nn


def seeded_state(network: nn.Module, *, factors: dict[str, float] | None = None) -> dict[str, Tensor]:
    """Return weights under the names of `network`, each drawn with the CRC-32 of its name as seed.

    Matrices are normal with deviation sqrt(2 / inputs), norms' weights near 1, the rest near 0; `factors`
    scales single tensors. Counters stay.
    """
    state: dict[str, Tensor] = {}
    for key, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            state[key] = tensor
            continue
        drawn = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))
        if key.endswith("running_var"):
            drawn = 1 + 0.1 * drawn.abs()
        elif tensor.ndim >= 2:
            drawn = drawn * math.sqrt(2) / math.sqrt(math.prod(tensor.shape[1:]))
        elif key.endswith("weight"):
            drawn = 1 + 0.1 * drawn
        else:
            drawn = 0.1 * drawn
        state[key] = drawn * (factors or {}).get(key, 1.0)
    return state


def state_sha256(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 over names and bytes, names sorted."""
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode() + state[key].numpy().tobytes())
    return digest.hexdigest()
