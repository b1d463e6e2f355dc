"""Distillation targets against numbers worked by hand, and against the sampler they are made for."""

import math

import pytest
import torch
from torch import Tensor

from talkvid.diffusion.distillation import ddim_between, progressive_target, velocity_between
from talkvid.diffusion.schedule import NUM_TRAIN_TIMESTEPS, NoiseSchedule
from talkvid.training.config_distil import NOISE_LEVELS

SHAPE = (1, 2, 3, 4, 5)


def four_levels() -> NoiseSchedule:
    """A schedule whose angles are 30, 45, 60 and, as pure noise, 90 degrees."""
    schedule = NoiseSchedule(num_train_timesteps=4)
    object.__setattr__(schedule, "alphas_cumprod", torch.tensor([0.75, 0.5, 0.25, 0.0]))
    return schedule


def constant(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1, 1), value)


def test_one_step_from_pure_noise_to_clean_latents_is_two_of_the_teacher_as_worked_by_hand() -> None:
    # z = 2 at 90 degrees; the teacher says v = -1 there, and v = 1 at 45 degrees:
    #   z' = cos(45) 2 - sin(45) (-1) = 3 / sqrt 2,  z'' = cos(45) z' - sin(45) 1 = 3 / 2 - 1 / sqrt 2
    # and one step of 90 degrees gives z'' = -v.
    asked: list[int] = []

    def teacher(latents: Tensor, timesteps: Tensor) -> Tensor:
        asked.append(int(timesteps))
        expected = {3: 2.0, 1: 3 / math.sqrt(2)}[int(timesteps)]
        assert float(latents) == pytest.approx(expected)
        return constant(-1.0 if int(timesteps) == 3 else 1.0)

    target = progressive_target(
        teacher, constant(2.0), start=torch.tensor([3]), length=4, substeps=2, schedule=four_levels()
    )
    assert asked == [3, 1]
    assert float(target) == pytest.approx(1 / math.sqrt(2) - 1.5)


def test_a_step_between_two_noisy_levels_is_worked_by_hand() -> None:
    # From 60 to 30 degrees with z = 1 and v = 2: cos(30) - 2 sin(30) = sqrt(3) / 2 - 1.
    start, end = torch.tensor([2]), torch.tensor([0])
    arrived = ddim_between(four_levels(), constant(2.0), constant(1.0), start=start, end=end)
    assert float(arrived) == pytest.approx(math.sqrt(3) / 2 - 1)
    back = velocity_between(four_levels(), constant(1.0), arrived, start=start, end=end)
    assert float(back) == pytest.approx(2.0)


@pytest.mark.parametrize("num_steps", [25, 8, 4, 2, 1])
def test_a_step_is_the_sampler_s_at_every_place_of_its_grid(num_steps: int) -> None:
    schedule, length = NoiseSchedule(), NUM_TRAIN_TIMESTEPS // num_steps
    latents, velocity = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(3))
    for t in schedule.timesteps(num_steps).tolist():
        start = torch.tensor([t])
        ours = ddim_between(schedule, velocity, latents, start=start, end=start - length)
        sampler = schedule.ddim_step(velocity, latents, t=t, num_steps=num_steps)
        torch.testing.assert_close(ours, sampler, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("num_steps", "substeps"), [(4, 2), (8, 2), (5, 4), (8, 3), (1, 2)])
def test_the_sampler_goes_with_the_target_where_the_teacher_goes_in_several_steps(
    num_steps: int, substeps: int
) -> None:
    schedule, length = NoiseSchedule(), NUM_TRAIN_TIMESTEPS // num_steps
    latents = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))

    def teacher(latents: Tensor, timesteps: Tensor) -> Tensor:
        return torch.sin(3 * latents) + timesteps.reshape(-1, 1, 1, 1, 1) / 500

    for t in schedule.timesteps(num_steps).tolist():
        expected, at = latents.double(), t
        for part in range(1, substeps + 1):  # the teacher's steps, by the definition x_0 = a x - s v
            to = t - length * part // substeps
            alpha, after = (
                float(schedule.alphas_cumprod[place]) if place >= 0 else 1.0 for place in (at, to)
            )
            velocity = teacher(expected, torch.tensor([at]))
            clean = math.sqrt(alpha) * expected - math.sqrt(1 - alpha) * velocity
            noise = math.sqrt(alpha) * velocity + math.sqrt(1 - alpha) * expected
            expected, at = math.sqrt(after) * clean + math.sqrt(1 - after) * noise, to
        assert at == t - length
        target = progressive_target(
            teacher,
            latents,
            start=torch.tensor([t]),
            length=length,
            substeps=substeps,
            schedule=schedule,
        )
        reached = schedule.ddim_step(target, latents, t=t, num_steps=num_steps)
        torch.testing.assert_close(reached, expected.float(), atol=2e-5, rtol=1e-5)


def test_each_video_of_a_batch_has_its_own_step() -> None:
    schedule = NoiseSchedule()
    latents = torch.randn(3, *SHAPE[1:], generator=torch.Generator().manual_seed(7))
    starts = torch.tensor([999, 499, 249])

    def teacher(latents: Tensor, timesteps: Tensor) -> Tensor:
        return latents.square() - timesteps.reshape(-1, 1, 1, 1, 1) / 1000

    rule = {"length": 250, "substeps": 2, "schedule": schedule}
    together = progressive_target(teacher, latents, start=starts, **rule)  # type: ignore[arg-type]
    for number in range(3):
        one = slice(number, number + 1)
        alone = progressive_target(teacher, latents[one], start=starts[one], **rule)  # type: ignore[arg-type]
        torch.testing.assert_close(together[one], alone)


def test_a_single_step_of_the_teacher_is_its_own_velocity() -> None:
    latents, velocity = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(9))
    target = progressive_target(
        lambda latents, timesteps: velocity,
        latents,
        start=torch.tensor([999]),
        length=125,
        substeps=1,
        schedule=NoiseSchedule(),
    )
    torch.testing.assert_close(target, velocity, atol=1e-5, rtol=1e-5)


def test_the_settings_know_how_many_noise_levels_the_schedule_has() -> None:
    assert NOISE_LEVELS == NUM_TRAIN_TIMESTEPS
