"""Noise that depends on the seed and the frame alone, not on windows, streaming or processes."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def frame_noise(seed: int, frame_index: int, shape: Sequence[int]) -> Tensor:
    """Return standard normal noise for one frame: float32 on the CPU, the same on every machine.

    The generator is seeded with a hash of (seed, frame_index): neighbouring seeds and frames are unrelated.
    """
    return _noise(f"{seed}/{frame_index}", shape)


def step_noise(seed: int, frame_index: int, step: int, shape: Sequence[int]) -> Tensor:
    """Return the noise that a sampler adds to one frame after one step, as `frame_noise` does."""
    return _noise(f"{seed}/{frame_index}/{step}", shape)


def _noise(key: str, shape: Sequence[int]) -> Tensor:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    generator = torch.Generator(device="cpu").manual_seed(int.from_bytes(digest, "big") >> 1)
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
