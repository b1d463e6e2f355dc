"""The schedule equals the reference's numbers and holds its own identities."""

import pytest
import torch

from talkvid.diffusion.schedule import NoiseSchedule
from tests import parity

GOLDEN = parity.fixture("scheduler")
SCHEDULE = NoiseSchedule()
STEP_TOLERANCE = 1e-6


def same(result: torch.Tensor, golden: torch.Tensor, tolerance: float = 0.0) -> bool:
    assert result.shape == golden.shape
    return bool((result - golden).abs().max() <= tolerance)


def test_alphas_and_betas_equal_the_reference() -> None:
    assert same(SCHEDULE.betas, GOLDEN["betas"], 1e-7)
    assert same(SCHEDULE.alphas_cumprod, GOLDEN["alphas_cumprod"], 1e-7)


def test_the_last_training_step_is_pure_noise() -> None:
    assert SCHEDULE.alphas_cumprod[-1] == 0
    assert NoiseSchedule(zero_terminal_snr=False).alphas_cumprod[-1] > 0.004


@pytest.mark.parametrize("num_steps", [1, 2, 4, 10, 20, 25, 30, 50])
def test_time_steps_trail(num_steps: int) -> None:
    assert SCHEDULE.timesteps(num_steps).tolist() == GOLDEN[f"timesteps/{num_steps}"].tolist()


@pytest.mark.parametrize("num_steps", [0, 1001])
def test_an_impossible_number_of_steps_is_refused(num_steps: int) -> None:
    with pytest.raises(ValueError, match="num_inference_steps must be from 1 to 1000"):
        SCHEDULE.timesteps(num_steps)


def test_a_chain_of_steps_equals_the_reference() -> None:
    latents = GOLDEN["step/in.latents"]
    for index, t in enumerate(SCHEDULE.timesteps(4).tolist()):
        velocity = GOLDEN[f"step/{index}/in.v"]
        clean = SCHEDULE.clean_from_velocity(velocity, latents, t)
        assert same(clean, GOLDEN[f"step/{index}/out.x0"], STEP_TOLERANCE)
        latents = SCHEDULE.ddim_step(velocity, latents, t=t, num_steps=4)
        assert same(latents, GOLDEN[f"step/{index}/out.prev"], STEP_TOLERANCE)


@pytest.mark.parametrize("t", [39, 479, 959, 999])
def test_single_steps_of_the_default_grid_equal_the_reference(t: int) -> None:
    result = SCHEDULE.ddim_step(GOLDEN["step25/in.v"], GOLDEN["step/in.latents"], t=t, num_steps=25)
    assert same(result, GOLDEN[f"step25/{t}/out.prev"], STEP_TOLERANCE)


@pytest.mark.parametrize("t", [0, 1, 250, 500, 998, 999])
def test_noising_and_velocity_equal_the_reference(t: int) -> None:
    latents, noise = GOLDEN["step/in.latents"], GOLDEN["train/in.noise"]
    steps = torch.tensor([t])
    assert same(SCHEDULE.add_noise(latents, noise, steps), GOLDEN[f"train/{t}/noisy"], STEP_TOLERANCE)
    assert same(SCHEDULE.velocity(latents, noise, steps), GOLDEN[f"train/{t}/velocity"], STEP_TOLERANCE)


def test_signal_to_noise_ratio_equals_the_reference() -> None:
    assert torch.allclose(SCHEDULE.snr(torch.arange(1000)), GOLDEN["train/snr"], rtol=1e-6, atol=0)


def test_the_true_velocity_leads_back_to_the_clean_latents_from_any_step() -> None:
    latents, noise = torch.randn(3, 4, 2, 8, 8), torch.randn(3, 4, 2, 8, 8)
    t = torch.tensor([0, 640, 999])
    noisy, velocity = SCHEDULE.add_noise(latents, noise, t), SCHEDULE.velocity(latents, noise, t)
    assert torch.allclose(SCHEDULE.clean_from_velocity(velocity, noisy, t), latents, atol=1e-5)


def test_half_precision_latents_keep_their_type() -> None:
    latents = torch.randn(1, 4, 2, 8, 8).half()
    stepped = SCHEDULE.ddim_step(latents, latents, t=499, num_steps=2)
    assert stepped.dtype == torch.float16
