"""Seconds spent per part of a run."""

import contextlib
import time
from collections.abc import Iterator, Sequence


class Timings:
    """Adds up wall-clock seconds under names."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside the block for this part."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def denoised(self, frames: Sequence[Sequence[int]], steps: Sequence[int]) -> None:
        """Hear that the denoiser worked on windows of these frames, each at its step; for whoever watches."""

    def rounded(self) -> dict[str, float]:
        """Return the seconds per part to the millisecond."""
        return {name: round(value, 3) for name, value in self.seconds.items()}
