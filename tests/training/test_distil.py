"""Distillation: what the loss is, who learns, and that a student gets to where its guided teacher is."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from talkvid.dataset.batch import Batch
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.model.bundle import ModelBundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.guidance import guided_prediction
from talkvid.training.config import LossConfig
from talkvid.training.config_distil import DistilConfig
from talkvid.training.distil import DistilTask
from talkvid.training.distil_rounds import Round, plan_rounds, round_of
from talkvid.training.distil_teacher import Teacher
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.randomness import StepRandom
from talkvid.training.run_folder import RunFolder
from tests import parity
from tests.training.distil_world import clips, learn, small_bundle, taught
from tests.training.golden import batch_of, networks

SCALE = 3.0
LATENT = (1, 4, 2, 8, 12)
PLAIN = LossConfig(snr_gamma=0, noise_offset=0, unconditional_probability=0)


class Still(torch.nn.Module):
    """An image autoencoder whose latents are always the same."""

    channels, factor = 4, 8

    def encode(self, images: Tensor) -> Tensor:
        picture = torch.linspace(-1, 1, 4 * 8 * 12).reshape(1, 4, 8, 12)
        return picture.expand(len(images), -1, -1, -1).clone()

    def decode(self, latents: Tensor) -> Tensor:
        return latents


def one_clip() -> Batch:
    """A clip of two frames."""
    whole = batch_of("stage_3")
    values = {name: value[:1] for name, value in vars(whole).items() if value is not None}
    for name in ("kps_images", "lip_masks"):
        values[name] = values[name][:, :, :2]
    for name in ("audio_windows", "target_points"):
        values[name] = values[name][:, :2]
    return Batch(**{**values, "target_images": torch.zeros(1, 3, 2, 64, 96)})


def student_and_teacher(rounds: list[Round]) -> DistilTask:
    """A student that begins as its teacher, in the first round."""
    config = BundleConfig(latent_channels=4, reference_attention_weight=0.9, audio_attention_weight=2.0)
    modules: dict[str, torch.nn.Module] = {**networks().networks(), "vae": Still()}
    task = distillation(ModelBundle(config=config, modules=modules), rounds)
    task.teacher = Teacher(
        networks(),
        guidance_scale=rounds[0].guidance_scale,
        reference_weight=config.reference_attention_weight,
        audio_weight=config.audio_attention_weight,
    )
    return task


def distillation(bundle: ModelBundle, rounds: list[Round]) -> DistilTask:
    """The task of a student, in stage 4, without a teacher yet."""
    task = DistilTask(
        bundle,
        loss=PLAIN,
        rounds=rounds,
        folder=RunFolder(Path("unused")),
        dtype=torch.float32,
        num_inference_steps=25,
    )
    task.network.enter_stage(4)
    return task


def guidance_round() -> Round:
    return plan_rounds(DistilConfig(guidance_scale=SCALE, student_steps=[]), 10)[0]


def steps_round(num_steps: int, substeps: int, scale: float = SCALE) -> Round:
    return Round("steps", 10, "teacher", scale, num_steps=num_steps, substeps=substeps)


@torch.no_grad()
def predicted(task: DistilTask, noisy: Tensor, t: int, *, scale: float) -> Tensor:
    """What the pipeline would predict with the student's networks."""
    batch, own = one_clip(), task.network
    reference = own.reference_net.features(task.vae.encode(batch.reference_image))
    return guided_prediction(
        own.denoising_unet,
        noisy,
        timesteps=torch.tensor([t]),
        guidance_scale=scale,
        audio_tokens=own.audio_projection(batch.audio_windows),
        kps_features=own.v_kps_guider(batch.kps_images),
        reference=reference,
        reference_weight=0.9,
        audio_weight=2.0,
    )


def frozen_draws(task: DistilTask, seed: int) -> tuple[Tensor, Tensor, int]:
    """Latents, noise and place in the grid that the loss of `seed` draws."""
    random = StepRandom.of(seed, step=0)
    noise = random.normal(LATENT, like=torch.zeros(1))
    place = int(random.integers(task.round.num_steps or 1000, 1))
    return task.vae.encode(torch.zeros(2, 3, 64, 96)).transpose(0, 1)[None], noise, place


def test_the_loss_of_guidance_is_the_squared_distance_to_the_guided_prediction() -> None:
    task = student_and_teacher([guidance_round()])
    output = task.loss(task.network, one_clip(), StepRandom.of(3, step=0))
    latents, noise, t = frozen_draws(task, 3)
    noisy = task.schedule.add_noise(latents, noise, t)
    guided, own = (predicted(task, noisy, t, scale=scale) for scale in (SCALE, 1.0))
    apart = float((guided - own).square().mean())
    assert apart > 1e-4
    assert float(output.loss.detach()) == pytest.approx(apart, rel=1e-4)
    assert float(output.parts["plain_loss"]) == pytest.approx(apart, rel=1e-4)
    sigma = float(1 - task.schedule.alphas_cumprod[t])
    assert float(output.parts["clean_loss"]) == pytest.approx(sigma * apart, rel=1e-4)
    assert float(output.parts["student_steps"]) == 0


def test_the_loss_of_a_step_is_the_distance_to_two_guided_steps_of_the_sampler() -> None:
    task = student_and_teacher([steps_round(4, 2)])
    output = task.loss(task.network, one_clip(), StepRandom.of(5, step=0))
    latents, noise, place = frozen_draws(task, 5)
    schedule = NoiseSchedule()
    t = int(schedule.timesteps(4)[place])
    noisy = schedule.add_noise(latents, noise, t)
    there = noisy
    for at in (t, t - 125):
        there = schedule.ddim_step(predicted(task, there, at, scale=SCALE), there, t=at, num_steps=8)
    here = schedule.ddim_step(predicted(task, noisy, t, scale=1.0), noisy, t=t, num_steps=4)
    # A step is z cos(d) - v sin(d): an error of the velocity arrives times the sine of the angle.
    before, after = (float(schedule.alphas_cumprod[place]) if place >= 0 else 1.0 for place in (t, t - 250))
    sine = ((1 - before) * after) ** 0.5 - (before * (1 - after)) ** 0.5
    assert float(output.loss.detach()) == pytest.approx(
        float((here - there).square().mean()) / sine**2, rel=1e-3
    )
    assert float(output.parts["student_steps"]) == 4


def test_lips_count_more_where_the_settings_say_so() -> None:
    task = student_and_teacher([guidance_round()])
    plain = task.loss(task.network, one_clip(), StepRandom.of(3, step=0))
    task.loss_config = replace(PLAIN, lip_weight=5.0)
    lips = task.loss(task.network, one_clip(), StepRandom.of(3, step=0))
    assert float(lips.loss) > 1.05 * float(plain.loss)
    assert float(lips.parts["plain_loss"]) == pytest.approx(float(plain.parts["plain_loss"]))


def test_only_the_denoiser_of_the_student_learns() -> None:
    task = student_and_teacher([guidance_round()])
    assert task.teacher is not None
    task.loss(task.network, one_clip(), StepRandom.of(1, step=0)).loss.backward()
    with_gradient = {
        name.partition(".")[0] for name, entry in task.network.named_parameters() if entry.grad is not None
    }
    assert with_gradient == {"denoising_unet"}
    assert all(entry.grad is not None for entry in task.network.denoising_unet.parameters())
    assert not any(entry.requires_grad for entry in task.teacher.networks.parameters())


@pytest.fixture(scope="module")
def teacher() -> TalkingHeadNetworks:
    """Networks for which guidance means something."""
    return taught(80)


@pytest.mark.parametrize("trained", [guidance_round(), steps_round(4, 2)], ids=["guidance", "four steps"])
def test_a_student_gets_to_where_its_guided_teacher_is(trained: Round, teacher: TalkingHeadNetworks) -> None:
    bundle = small_bundle()
    for name, network in teacher.networks().items():
        bundle.modules[name].load_state_dict(network.state_dict())
    task = distillation(bundle, [trained])
    task.teacher = Teacher(copy.deepcopy(teacher), guidance_scale=SCALE)
    before = {name: entry.clone() for name, entry in task.teacher.networks.state_dict().items()}

    @torch.no_grad()
    def apart() -> float:
        """Squared distance to the target at noise that training never draws."""
        found = [task.loss(task.network, clips(), StepRandom.of(99, step=step)) for step in range(4)]
        return sum(float(output.parts["plain_loss"]) for output in found) / len(found)

    first = apart()
    learn(task, list(task.network.denoising_unet.parameters()), steps=60, learning_rate=3e-3)
    # A tenth after 80 steps, measured; a quarter is asked for after 60.
    assert apart() < first / 4
    assert all(torch.equal(before[name], entry) for name, entry in task.teacher.networks.state_dict().items())


def test_a_teacher_in_half_precision_is_near_the_one_in_full() -> None:
    full, half = (
        Teacher(networks().to(dtype), guidance_scale=SCALE).predictor(
            one_clip(), torch.linspace(-1, 1, 384).reshape(1, 4, 8, 12)
        )
        for dtype in (torch.float32, torch.bfloat16)
    )
    noisy = torch.randn(LATENT, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):  # what a run in half precision is inside of
        exact, rough = (predict(noisy, torch.tensor([500])) for predict in (full, half))
    assert rough.dtype == exact.dtype == torch.float32
    # Autocast does not reach the teacher in full: it is the float32 prediction to the last digit.
    assert torch.equal(exact, full(noisy, torch.tensor([500])))
    assert 0 < float((rough - exact).norm() / exact.norm()) < 0.05


def test_rounds_share_the_steps_of_the_run_and_teach_each_other() -> None:
    rounds = plan_rounds(DistilConfig(guidance_scale=SCALE, student_steps=[8, 4], teacher_steps=24), 100)
    assert [(entry.name, entry.last_step, entry.substeps) for entry in rounds] == [
        ("guidance", 33, 1),
        ("steps_8", 66, 3),
        ("steps_4", 100, 2),
    ]
    assert [(entry.teacher, entry.guidance_scale) for entry in rounds] == [
        ("teacher", SCALE),
        ("rounds/guidance", 1.0),
        ("rounds/steps_8", 1.0),
    ]
    assert [round_of(rounds, step).num_steps for step in (1, 33, 34, 66, 67, 100, 101)] == [
        0,
        0,
        8,
        8,
        4,
        4,
        4,
    ]
    direct = plan_rounds(DistilConfig(guidance=False, guidance_scale=SCALE, student_steps=[8]), 100)
    assert (direct[0].teacher, direct[0].guidance_scale, direct[0].last_step) == ("teacher", SCALE, 100)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"student_steps": [7]}, "do not divide into 7 equal steps"),
        ({"student_steps": [4, 8]}, "one step of 8 must be several whole steps of 4"),
        ({"student_steps": [10]}, "one step of 10 must be several whole steps of 16"),
        ({"guidance": False, "student_steps": []}, "leave nothing to learn"),
        ({"guidance_scale": 1.0}, "is no guidance to learn"),
        ({"guidance_scale": 0.5}, "must be from 1 to 100"),
        ({"teacher_precision": "fp8"}, "distil.teacher_precision must be one of"),
    ],
)
def test_impossible_distillations_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DistilConfig(**settings)  # type: ignore[arg-type]


def test_the_fixture_s_latents_fit_the_tiny_networks() -> None:
    assert parity.network("denoising_unet").config.in_channels == LATENT[1]
