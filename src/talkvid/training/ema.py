"""A running mean of the trained weights, which often generates better than the last of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FILE = "ema.safetensors"


class RunningMean:
    """mean = decay * mean + (1 - decay) * weight after each step, in float32, beginning at the first weights.

    It follows the parameters of `network` that train, adapters included; what is frozen has no mean.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.weights = _trained(network)
        self.means: dict[str, Tensor] = {
            name: weight.detach().to(torch.float32, copy=True) for name, weight in self.weights.items()
        }

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        now = [weight.detach().to(torch.float32) for weight in self.weights.values()]
        torch._foreach_lerp_(list(self.means.values()), now, 1 - self.decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network hold the means inside, in its own types, and its own weights again afterwards."""
        own = {name: weight.data for name, weight in self.weights.items()}
        try:
            for name, weight in self.weights.items():
                weight.data = self.means[name].to(weight.dtype)
            yield
        finally:
            for name, weight in self.weights.items():
                weight.data = own[name]

    def save(self, folder: Path) -> None:
        """Write the means into a state's folder."""
        save_file({name: mean.contiguous() for name, mean in self.means.items()}, folder / FILE)

    def load(self, folder: Path) -> None:
        """Take the means of a state back; ValueError when they belong to other parameters."""
        path = folder / FILE
        stored: Mapping[str, Tensor] = load_file(path) if path.is_file() else {}
        if stored.keys() != self.means.keys():
            raise ValueError(
                f"{path}: holds the means of {len(stored)} weights, this run trains {len(self.means)}: "
                "resume with the same run.ema_decay and the same trained layers"
            )
        for name, mean in self.means.items():
            mean.copy_(stored[name])


def _trained(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
