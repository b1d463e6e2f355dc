"""Samplers for fewer steps than DDIM needs: DPM-Solver++(2M), UniPC, and LCM for distilled models.

Latents and memory are (C F h w); `step` counts from 0. Every frame goes its own way: the results depend on
the frame's predictions alone, not on which frames come together.

Pure noise. The schedule begins at t = 999 with a signal of exactly zero: there log(signal / sigma) is minus
infinity and the first step infinitely long in it. In the limit that step is DDIM's (the update needs
exp(-infinity) = 0 alone), and an extrapolation through the first prediction has weight 1 / infinity = 0.
So the multistep samplers take their first two steps in first order; only the corrector of UniPC, a mean of
two predictions, works from the first step on. Nothing is clamped. The last step ends at sigma = 0, where
every order gives the last clean prediction.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from talkvid import plugins
from talkvid.diffusion.noise import step_noise
from talkvid.diffusion.sampler import Memory, Solver
from talkvid.diffusion.schedule import NoiseSchedule

LCM_SIGMA_DATA = 0.5
LCM_TIMESTEP_SCALING = 10.0


class _Grid:
    """Signal and noise of the time steps of a run, and of its end: clean latents."""

    def __init__(self, schedule: NoiseSchedule, num_steps: int) -> None:
        self.timesteps: list[int] = schedule.timesteps(num_steps).tolist()
        alphas = [float(schedule.alphas_cumprod[t]) for t in self.timesteps] + [1.0]
        self.signals = [math.sqrt(alpha) for alpha in alphas]
        self.sigmas = [math.sqrt(1 - alpha) for alpha in alphas]
        self.log_ratios = [
            -math.inf if signal == 0 else math.inf if sigma == 0 else math.log(signal / sigma)
            for signal, sigma in zip(self.signals, self.sigmas, strict=True)
        ]
        """log(signal / sigma), half the log-SNR, from minus infinity at pure noise to infinity at the end."""
        self.lengths = [after - before for before, after in pairwise(self.log_ratios)]
        """How long each step is in it."""

    @property
    def num_steps(self) -> int:
        """Return the number of steps."""
        return len(self.timesteps)

    def clean(self, velocity: Tensor, latents: Tensor, step: int) -> Tensor:
        """Return the prediction of the clean latents, signal x - sigma v (arXiv 2202.00512)."""
        return self.signals[step] * latents - self.sigmas[step] * velocity

    def base(self, latents: Tensor, clean: Tensor, step: int) -> Tensor:
        """Return the latents one step later if the clean prediction stayed what it is: a step of DDIM."""
        shrink = self.sigmas[step + 1] / self.sigmas[step]
        return shrink * latents - self.signals[step + 1] * math.expm1(-self.lengths[step]) * clean

    def weight(self, step: int) -> float:
        """Return the factor of whatever corrects the clean prediction within a step."""
        return -self.signals[step + 1] * math.expm1(-self.lengths[step])

    def can_extrapolate(self, step: int) -> bool:
        """Return whether the step and the one before it are of finite length."""
        return step > 0 and math.isfinite(self.lengths[step]) and math.isfinite(self.lengths[step - 1])


class DpmSolver:
    """DPM-Solver++(2M), algorithm 2 of arXiv 2211.01095: second order, one prediction per step."""

    def __init__(self, schedule: NoiseSchedule, num_steps: int) -> None:
        self._grid = _Grid(schedule, num_steps)

    def advance(
        self, prediction: Tensor, latents: Tensor, step: int, *, frames: Sequence[int], memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Return the latents after the step; the clean prediction is remembered."""
        grid = self._grid
        clean = grid.clean(prediction, latents, step)
        if grid.can_extrapolate(step):
            (before,) = memory
            ratio = grid.lengths[step - 1] / grid.lengths[step]
            return grid.base(latents, clean + (clean - before) / (2 * ratio), step), (clean,)
        return grid.base(latents, clean, step), (clean,)


class UniPcSolver:
    """UniPC of order 2 with B(h) = e^h - 1 ("bh2") on clean predictions, arXiv 2302.04867, appendix B.

    The prediction of a step first corrects the step that led to it, then the next step is predicted.
    """

    def __init__(self, schedule: NoiseSchedule, num_steps: int) -> None:
        self._grid = _Grid(schedule, num_steps)

    def advance(
        self, prediction: Tensor, latents: Tensor, step: int, *, frames: Sequence[int], memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Return the latents after the step; these latents and up to two clean predictions are remembered."""
        grid = self._grid
        clean = grid.clean(prediction, latents, step)
        if step > 0:
            latents = self._correct(clean, step - 1, memory)
        known = (latents, clean, *memory[1:2])
        if not grid.can_extrapolate(step) or step == grid.num_steps - 1:
            return grid.base(latents, clean, step), known
        ratio = grid.lengths[step - 1] / grid.lengths[step]
        slope = (clean - memory[1]) / ratio
        return grid.base(latents, clean, step) + grid.weight(step) * slope / 2, known

    def _correct(self, arrived: Tensor, step: int, memory: Memory) -> Tensor:
        """Return the latents after `step` again, with the clean prediction made where it arrived."""
        grid = self._grid
        start, clean, *older = memory
        result = grid.base(start, clean, step)
        length, weight = grid.lengths[step], grid.weight(step)
        if not grid.can_extrapolate(step):
            return result + weight * (arrived - clean) / 2
        # Two differences D_m / r_m, whose factors a_m solve the paper's condition R a = phi / B.
        ratio = -grid.lengths[step - 1] / length
        first = (math.expm1(-length) / -length - 1) / math.expm1(-length)
        second = 2 * ((math.expm1(-length) / -length - 1) / -length - 0.5) / math.expm1(-length)
        factor_old = (second - first) / (ratio - 1)
        factor_new = first - factor_old
        return result + weight * (factor_old * (older[0] - clean) / ratio + factor_new * (arrived - clean))


class LcmSolver:
    """Multistep sampling of latent consistency models, arXiv 2310.04378: clean prediction, then fresh noise.

    The noise of every step comes from (seed, frame, step). The boundary condition is the paper's, with sigma
    0.5 and time steps stretched tenfold; it is close to no change from t = 20 on.
    """

    def __init__(self, schedule: NoiseSchedule, num_steps: int, *, seed: int) -> None:
        self._grid = _Grid(schedule, num_steps)
        self._seed = seed

    def advance(
        self, prediction: Tensor, latents: Tensor, step: int, *, frames: Sequence[int], memory: Memory
    ) -> tuple[Tensor, Memory]:
        """Return the latents after the step; nothing is remembered."""
        grid = self._grid
        scaled = grid.timesteps[step] * LCM_TIMESTEP_SCALING
        keep = LCM_SIGMA_DATA**2 / (scaled**2 + LCM_SIGMA_DATA**2)
        take = scaled / math.sqrt(scaled**2 + LCM_SIGMA_DATA**2)
        clean = take * grid.clean(prediction, latents, step) + keep * latents
        if step == grid.num_steps - 1:
            return clean, ()
        shape = (latents.shape[0], *latents.shape[2:])
        noise = torch.stack([step_noise(self._seed, frame, step, shape) for frame in frames], dim=1)
        return grid.signals[step + 1] * clean + grid.sigmas[step + 1] * noise.to(latents), ()


_BUILDERS: dict[str, Callable[[NoiseSchedule, int, int], Solver]] = {
    "dpm++": lambda schedule, num_steps, seed: DpmSolver(schedule, num_steps),
    "unipc": lambda schedule, num_steps, seed: UniPcSolver(schedule, num_steps),
    "lcm": lambda schedule, num_steps, seed: LcmSolver(schedule, num_steps, seed=seed),
}


def build_solver(name: str, schedule: NoiseSchedule, *, num_steps: int, seed: int) -> Solver:
    """Return the solver of that name, "dpm++", "unipc", "lcm" or a plug-in's, for velocity predictions.

    `seed` is that of the noise LCM adds. Use a new one for other numbers of steps.
    """
    if name in _BUILDERS:
        return _BUILDERS[name](schedule, num_steps, seed)
    solver: Solver = plugins.find("sampler", name)(schedule, num_steps, seed=seed)
    return solver
