"""Guidance in a middle range of noise levels alone (arXiv 2404.07724): elsewhere it costs without gain."""

from talkvid.diffusion.schedule import NoiseSchedule


def guided_steps(schedule: NoiseSchedule, num_steps: int, *, low: float, high: float) -> list[bool]:
    """Return for each step whether low < sigma <= high holds for its noise level.

    sigma is that of the paper, noise over signal, sqrt((1 - a) / a): infinite at pure noise.
    """
    alphas = schedule.alphas_cumprod.double()[schedule.timesteps(num_steps)]
    sigmas = ((1 - alphas) / alphas).sqrt()
    return [low < sigma <= high for sigma in sigmas.tolist()]
