"""Inner features of the denoiser, kept per window between the steps that compute them (DeepCache)."""

from collections.abc import Sequence

from talkvid.model.guidance import GuidedFeatures


class ReusedFeatures:
    """What every window keeps from one full step to the next.

    Full steps are 0, N, 2 N ... of each window, and the step in which guidance sets in. A window holds its
    features from a full step until no step before the next one needs them: at Stable Diffusion 1.5's size,
    512 x 512 and 24 frames 2 x 24 x 320 x 64 x 64 numbers, 120 MiB in half precision, half without guidance.
    """

    def __init__(self, every: int, num_steps: int) -> None:
        self._every = every
        self._num_steps = num_steps
        self._windows: dict[int, GuidedFeatures] = {}

    def at(self, frames: Sequence[int], step: int) -> GuidedFeatures | None:
        """Return the features of the window of these frames for its step; None where nothing is reused."""
        if self._every == 1:
            return None
        window = frames[0]
        features = GuidedFeatures() if step % self._every == 0 else self._windows[window]
        if (step + 1) % self._every == 0 or step + 1 == self._num_steps:
            self._windows.pop(window, None)
        else:
            self._windows[window] = features
        return features

    def __len__(self) -> int:
        """Return how many windows keep features."""
        return len(self._windows)
