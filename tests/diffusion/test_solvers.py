"""The samplers for few steps: against diffusers, a model with a known solution, and any order of windows."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from talkvid.diffusion.noise import frame_noise, step_noise
from talkvid.diffusion.sampler import Memory, stream_latents
from talkvid.diffusion.schedule import BETA_END, BETA_START, NoiseSchedule
from talkvid.diffusion.solvers import DpmSolver, UniPcSolver, build_solver
from talkvid.diffusion.windows import context_windows, plain_order

NAMES = ("dpm++", "unipc", "lcm")
MULTISTEP = ("dpm++", "unipc")
ENDING_IN_NOISE = NoiseSchedule()
ENDING_IN_SIGNAL = NoiseSchedule(zero_terminal_snr=False)
BETAS = {"beta_start": BETA_START, "beta_end": BETA_END, "beta_schedule": "scaled_linear"}


def a_field(latents: Tensor, t: int) -> Tensor:
    """A velocity that is no straight line in anything."""
    return torch.sin(2 * latents) * math.cos(t / 300) + 0.3 * latents + t / 2000


def solve(
    name: str,
    schedule: NoiseSchedule,
    num_steps: int,
    *,
    velocity: Callable[[Tensor, int], Tensor],
    start: Tensor,
    until: int | None = None,
) -> Tensor:
    """Return the latents (C F h w) at the end, or those the prediction at time step `until` is made for."""
    solver = build_solver(name, schedule, num_steps=num_steps, seed=5)
    memory: Memory = ()
    latents = start
    for step, t in enumerate(schedule.timesteps(num_steps).tolist()):
        if t == until:
            return latents
        frames = range(start.shape[1])
        latents, memory = solver.advance(velocity(latents, t), latents, step, frames=frames, memory=memory)
    return latents


def of_diffusers(scheduler: Any, num_steps: int, start: Tensor, timesteps: list[int]) -> Tensor:
    scheduler.set_timesteps(num_steps)
    assert scheduler.timesteps.tolist() == timesteps
    latents = start
    for t in scheduler.timesteps:
        latents = scheduler.step(a_field(latents, int(t)), t, latents, return_dict=False)[0]
    return latents


@pytest.mark.parametrize("num_steps", [1, 2, 3, 5, 8, 20, 25])
@pytest.mark.parametrize("name", MULTISTEP)
def test_the_multistep_samplers_equal_those_of_diffusers(name: str, num_steps: int) -> None:
    """On a schedule that ends in a little signal, where diffusers computes the same without a floor."""
    import diffusers

    common = {
        **BETAS, "prediction_type": "v_prediction", "timestep_spacing": "trailing",
        "solver_order": 2, "final_sigmas_type": "zero",
    }  # fmt: skip
    theirs = (
        diffusers.DPMSolverMultistepScheduler(**common)
        if name == "dpm++"
        else diffusers.UniPCMultistepScheduler(**common, solver_type="bh2")
    )
    start = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    timesteps = ENDING_IN_SIGNAL.timesteps(num_steps).tolist()
    expected = of_diffusers(theirs, num_steps, start, timesteps)
    ours = solve(name, ENDING_IN_SIGNAL, num_steps, velocity=a_field, start=start)
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("schedule", [ENDING_IN_NOISE, ENDING_IN_SIGNAL], ids=["noise", "signal"])
def test_lcm_equals_that_of_diffusers(schedule: NoiseSchedule, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.schedulers import scheduling_lcm

    start = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    step = 0

    def our_noise(*_: Any, **__: Any) -> Tensor:
        nonlocal step
        step += 1
        return torch.stack([step_noise(5, frame, step - 1, (2, 4, 4)) for frame in range(3)], dim=1)

    monkeypatch.setattr(scheduling_lcm, "randn_tensor", our_noise)
    theirs = scheduling_lcm.LCMScheduler(
        **BETAS, prediction_type="v_prediction", clip_sample=False,
        rescale_betas_zero_snr=schedule.zero_terminal_snr,
    )  # fmt: skip
    timesteps = schedule.timesteps(4).tolist()
    theirs.set_timesteps(timesteps=timesteps)
    latents = start
    for t in theirs.timesteps:
        latents = theirs.step(a_field(latents, int(t)), int(t), latents, return_dict=False)[0]
    ours = solve("lcm", schedule, 4, velocity=a_field, start=start)
    torch.testing.assert_close(ours, latents, atol=1e-5, rtol=1e-5)


MEAN = torch.tensor([1.0, -0.5, 0.3, 0.0], dtype=torch.float64).view(4, 1, 1, 1)
DEVIATION = torch.tensor([0.3, 0.7, 1.5, 1.0], dtype=torch.float64).view(4, 1, 1, 1)


def gaussian_velocity(schedule: NoiseSchedule) -> Callable[[Tensor, int], Tensor]:
    """Return the exact velocity where clean latents are normally distributed."""

    def velocity(latents: Tensor, t: int) -> Tensor:
        alpha = schedule.alphas_cumprod[t].double()
        variance = alpha * DEVIATION**2 + 1 - alpha
        clean = MEAN + alpha.sqrt() * DEVIATION**2 / variance * (latents - alpha.sqrt() * MEAN)
        return (alpha.sqrt() * latents - clean) / (1 - alpha).sqrt()

    return velocity


def exact_flow(schedule: NoiseSchedule, latents: Tensor, start: int, end: int) -> Tensor:
    """Return where the probability flow carries latents: distances to the mean scale with the deviation."""
    (one, one_spread), (two, two_spread) = (
        (alpha.sqrt(), (alpha * DEVIATION**2 + 1 - alpha).sqrt())
        for alpha in (schedule.alphas_cumprod[t].double() for t in (start, end))
    )
    return two * MEAN + (latents - one * MEAN) * two_spread / one_spread


def errors(name: str, schedule: NoiseSchedule) -> list[float]:
    """Return the largest error half way down, at t = 499, with 10, 20 and 40 steps of the whole way."""
    start = torch.randn(4, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    truth = exact_flow(schedule, start, 999, 499)
    velocity = gaussian_velocity(schedule)
    return [
        float((solve(name, schedule, steps, velocity=velocity, start=start, until=499) - truth).abs().max())
        for steps in (10, 20, 40)
    ]


def ddim_error(schedule: NoiseSchedule) -> float:
    latents = start = torch.randn(4, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for t in schedule.timesteps(20).tolist():
        if t == 499:
            break
        latents = schedule.ddim_step(gaussian_velocity(schedule)(latents, t), latents, t=t, num_steps=20)
    return float((latents - exact_flow(schedule, start, 999, 499)).abs().max())


@pytest.mark.parametrize("schedule", [ENDING_IN_NOISE, ENDING_IN_SIGNAL], ids=["noise", "signal"])
@pytest.mark.parametrize("name", MULTISTEP)
def test_halving_the_step_quarters_the_error(name: str, schedule: NoiseSchedule) -> None:
    """Second order, from pure noise too, where the first two steps are of first order."""
    ten, twenty, forty = errors(name, schedule)
    assert ten / twenty > 3.4 and twenty / forty > 3.4
    assert twenty < 0.3 * ddim_error(schedule)


def test_the_corrector_makes_unipc_nearer_than_the_same_step_without_it() -> None:
    assert errors("unipc", ENDING_IN_NOISE)[1] < 0.7 * errors("dpm++", ENDING_IN_NOISE)[1]


@pytest.mark.parametrize("name", MULTISTEP)
def test_a_step_from_pure_noise_is_that_of_ddim_and_nothing_is_infinite(name: str) -> None:
    """Once, elsewhere: the infinite log-SNR of t = 999 gave NaN latents."""
    start = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    solver = build_solver(name, ENDING_IN_NOISE, num_steps=4, seed=0)
    stepped, _ = solver.advance(a_field(start, 999), start, 0, frames=range(3), memory=())
    expected = ENDING_IN_NOISE.ddim_step(a_field(start, 999), start, t=999, num_steps=4)
    torch.testing.assert_close(stepped, expected, atol=1e-6, rtol=0)
    for steps in (1, 2, 3, 6, 7, 30):
        assert solve(name, ENDING_IN_NOISE, steps, velocity=a_field, start=start).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_one_step_gives_the_clean_prediction(name: str) -> None:
    start = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    ours = solve(name, ENDING_IN_NOISE, 1, velocity=a_field, start=start)
    torch.testing.assert_close(ours, -a_field(start, 999))


@pytest.mark.parametrize("solver", [DpmSolver, UniPcSolver])
def test_the_memory_of_a_frame_does_not_grow(solver: type[DpmSolver | UniPcSolver]) -> None:
    memory: Memory = ()
    latents = torch.randn(2, 3, 4, 4)
    lengths = []
    made = solver(ENDING_IN_NOISE, 8)
    for step in range(8):
        latents, memory = made.advance(latents, latents, step, frames=range(3), memory=memory)
        lengths.append(len(memory))
    assert max(lengths) == lengths[-1] == (1 if solver is DpmSolver else 3)


def drifting_predictor(latents: Tensor, frames: Sequence[int], step: int) -> Tensor:
    """Mix neighbours in time and depend on place and step, so that a wrong order would show."""
    mixed = latents + latents.mean(dim=2, keepdim=True)
    return torch.tanh(mixed) * (1 + step) + torch.tensor(frames).view(1, 1, -1, 1, 1) / 50


class OneByOne:
    """Takes the frames singly, in reverse."""

    def __init__(self, solver: Any) -> None:
        self.solver = solver

    def advance(
        self, prediction: Tensor, latents: Tensor, step: int, *, frames: Sequence[int], memory: Memory
    ) -> tuple[Tensor, Memory]:
        parts: list[tuple[Tensor, Memory]] = []
        for slot in reversed(range(len(frames))):
            own = slice(slot, slot + 1)
            parts.insert(
                0,
                self.solver.advance(
                    prediction[:, own], latents[:, own], step,
                    frames=frames[own], memory=tuple(part[:, own] for part in memory),
                ),
            )  # fmt: skip
        stepped = torch.cat([part[0] for part in parts], dim=1)
        return stepped, tuple(
            torch.cat(kept, dim=1) for kept in zip(*(part[1] for part in parts), strict=True)
        )


def run(name: str, *, plain: bool, single: bool = False, first_frame: int = 0) -> dict[int, Tensor]:
    num_frames, num_steps, size, overlap = 23, 5, 6, 2
    solver = build_solver(name, ENDING_IN_NOISE, num_steps=num_steps, seed=3)
    stream = stream_latents(
        num_frames, num_steps, size=size, overlap=overlap, predict=drifting_predictor,
        update=OneByOne(solver) if single else solver,
        initial=lambda frame: frame_noise(3, frame, (2, 2, 2)),
        order=plain_order(len(context_windows(num_frames, size, overlap)), num_steps) if plain else None,
        first_frame=first_frame,
    )  # fmt: skip
    return dict(stream)


@pytest.mark.parametrize("name", NAMES)
def test_frames_do_not_depend_on_the_order_of_windows_on_their_company_or_on_where_it_begins(
    name: str,
) -> None:
    whole = run(name, plain=False)
    assert list(whole) == list(range(23))
    for other in (
        run(name, plain=True),
        run(name, plain=False, single=True),
        run(name, plain=False, first_frame=9),
    ):
        assert other and all(torch.equal(latents, whole[frame]) for frame, latents in other.items())


def test_the_noise_of_lcm_differs_from_step_to_step_and_from_frame_to_frame() -> None:
    made = [step_noise(1, frame, step, (2, 3)) for frame in range(3) for step in range(3)]
    made += [frame_noise(1, frame, (2, 3)) for frame in range(3)]
    assert len({tuple(noise.flatten().tolist()) for noise in made}) == 12
    assert torch.equal(step_noise(1, 2, 0, (2, 3)), step_noise(1, 2, 0, (2, 3)))
