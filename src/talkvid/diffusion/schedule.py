"""The noise schedule: zero-terminal-SNR betas, trailing time steps, velocity prediction, DDIM."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

# The values of Stable Diffusion 1.5.
NUM_TRAIN_TIMESTEPS = 1000
BETA_START = 0.00085
BETA_END = 0.012


def scaled_linear_betas(num: int, *, start: float, end: float) -> Tensor:
    """Return betas whose square roots are evenly spaced: (num,) float32."""
    return torch.linspace(start**0.5, end**0.5, num, dtype=torch.float32).square()


def rescale_to_zero_terminal_snr(betas: Tensor) -> Tensor:
    """Return betas whose last step is pure noise, algorithm 1 of arXiv 2305.08891: (T,) -> (T,)."""
    signal = torch.cumprod(1 - betas, dim=0).sqrt()
    first, last = signal[0].clone(), signal[-1].clone()
    signal = (signal - last) * (first / (first - last))
    cumulative = signal.square()
    alphas = torch.cat([cumulative[:1], cumulative[1:] / cumulative[:-1]])
    return 1 - alphas


def trailing_timesteps(num_steps: int, *, num_train_timesteps: int = NUM_TRAIN_TIMESTEPS) -> Tensor:
    """Return time steps from the noisiest down, evenly spaced from the end: (num_steps,) int64.

    Table 2 of arXiv 2305.08891. ValueError unless 1 <= num_steps <= num_train_timesteps.
    """
    if not 1 <= num_steps <= num_train_timesteps:
        raise ValueError(f"num_inference_steps must be from 1 to {num_train_timesteps}, got {num_steps}")
    spacing = num_train_timesteps / num_steps
    steps = torch.arange(num_train_timesteps, 0, -spacing, dtype=torch.float64)[:num_steps]
    return steps.round().long() - 1


@dataclass(frozen=True)
class NoiseSchedule:
    """Signal and noise of every training time step; x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise.

    Time steps `t` below are integers or (B,) integer tensors for tensors of leading dimension B.
    """

    num_train_timesteps: int = NUM_TRAIN_TIMESTEPS
    beta_start: float = BETA_START
    beta_end: float = BETA_END
    zero_terminal_snr: bool = True
    betas: Tensor = field(init=False, repr=False, compare=False)
    alphas_cumprod: Tensor = field(init=False, repr=False, compare=False)
    """(T,) float32: a_t."""

    def __post_init__(self) -> None:
        betas = scaled_linear_betas(self.num_train_timesteps, start=self.beta_start, end=self.beta_end)
        if self.zero_terminal_snr:
            betas = rescale_to_zero_terminal_snr(betas)
        object.__setattr__(self, "betas", betas)
        object.__setattr__(self, "alphas_cumprod", torch.cumprod(1 - betas, dim=0))

    def timesteps(self, num_steps: int) -> Tensor:
        """Return the `num_steps` time steps of sampling, noisiest first: (num_steps,) int64."""
        return trailing_timesteps(num_steps, num_train_timesteps=self.num_train_timesteps)

    def add_noise(self, latents: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """Return x_t of clean latents (B ...) and standard noise of the same shape."""
        signal, sigma = self._signal_and_sigma(t, latents)
        return signal * latents + sigma * noise

    def velocity(self, latents: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """Return the training target v = sqrt(a) noise - sqrt(1 - a) x_0 (arXiv 2202.00512): (B ...)."""
        signal, sigma = self._signal_and_sigma(t, latents)
        return signal * noise - sigma * latents

    def snr(self, t: Tensor) -> Tensor:
        """Return the signal-to-noise ratio a / (1 - a) at time steps (B,): (B,) float32."""
        alphas = self.alphas_cumprod.to(t.device)[t]
        return alphas.sqrt().div((1 - alphas).sqrt()).square()

    def clean_from_velocity(self, velocity: Tensor, noisy: Tensor, t: Tensor | int) -> Tensor:
        """Return x_0 = sqrt(a) x_t - sqrt(1 - a) v: (B ...)."""
        signal, sigma = self._signal_and_sigma(t, noisy)
        return signal * noisy - sigma * velocity

    def ddim_step(self, velocity: Tensor, noisy: Tensor, *, t: int, num_steps: int) -> Tensor:
        """Return the latents one deterministic step later (DDIM, arXiv 2010.02502, eta 0): (B ...).

        `t` is one of `timesteps(num_steps)`; the step after the last one ends at the clean latents.
        """
        signal, sigma = self._signal_and_sigma(t, noisy)
        clean = signal * noisy - sigma * velocity
        noise = signal * velocity + sigma * noisy
        next_t = t - self.num_train_timesteps // num_steps
        if next_t < 0:
            return clean
        next_signal, next_sigma = self._signal_and_sigma(next_t, noisy)
        return next_signal * clean + next_sigma * noise

    def _signal_and_sigma(self, t: Tensor | int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(a_t) and sqrt(1 - a_t), shaped to multiply `like`, in its number type."""
        alphas = self.alphas_cumprod[torch.as_tensor(t).cpu()]
        alphas = alphas.reshape(-1, *[1] * (like.ndim - 1)) if alphas.ndim else alphas
        return alphas.sqrt().to(like), (1 - alphas).sqrt().to(like)
