"""The processes of a run, seen from one of them."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the first one validates and writes large files meanwhile."""


def join(device: str) -> None:
    """Let this process meet those of its launch; without a launcher it is a group of its own."""
    if dist.is_initialized():
        return
    backend = "nccl" if device == "cuda" else "gloo"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK") or 0))
    if os.environ.get("WORLD_SIZE"):
        dist.init_process_group(backend, timeout=PATIENCE)
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1, timeout=PATIENCE)


class Processes:
    """Who this process is, and what all of them agree on."""

    def __init__(self, device: torch.device) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.device = device
        self.rank = dist.get_rank() if together else 0
        self.count = dist.get_world_size() if together else 1

    @property
    def is_main(self) -> bool:
        """Return whether this is the one process that writes and logs."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of each number over the processes."""
        if self.count == 1:
            return values
        total = values.to(self.device, copy=True)
        dist.all_reduce(total)
        return total / self.count

    def gather(self, value: Value) -> list[Value]:
        """Return the value of every process, in the order of their ranks."""
        if self.count == 1:
            return [value]
        found: list[Value] = [value] * self.count
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Return when all processes have come this far."""
        if self.count > 1:
            dist.barrier()

    def from_main(self, work: Callable[[], Value]) -> Value:
        """Return what `work` gives in the main process, which alone does it; its error stops all."""
        outcome: list[object] = [None, None]
        failure: Exception | None = None
        if self.is_main:
            try:
                outcome[0] = work()
            except Exception as error:
                failure = error
                outcome[1] = str(error)
        if self.count > 1:
            dist.broadcast_object_list(outcome, src=0, device=self.device)
        if failure is not None:
            raise failure
        if outcome[1] is not None:
            raise ValueError(f"process {self.rank} stops because the first one failed: {outcome[1]}")
        return outcome[0]  # type: ignore[return-value]


def part() -> None:
    """Leave the group of processes, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
