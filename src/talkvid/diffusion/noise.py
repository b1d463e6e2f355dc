"""Noise that depends on the seed and the frame alone, not on windows, streaming or processes."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def frame_noise(seed: int, frame_index: int, shape: Sequence[int]) -> Tensor:
    """Return standard normal noise for one frame: float32 on the CPU, the same on every machine.

    The generator is seeded with a hash of (seed, frame_index): neighbouring seeds and frames are unrelated.
    """
    digest = hashlib.blake2b(f"{seed}/{frame_index}".encode(), digest_size=8).digest()
    generator = torch.Generator(device="cpu").manual_seed(int.from_bytes(digest, "big") >> 1)
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
