"""Defects of the reference's step (parity 5.1, 5.2, 5.6, 5.7, 5.8) that must not come back."""

import pytest
import torch

from talkvid.model.guidance import guided_prediction
from talkvid.training.trainer import untouched
from tests.training.golden import CASES, Case


def gradients(case: Case) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone()
        for name, parameter in case.networks.named_parameters()
        if parameter.grad is not None
    }


def test_an_inference_call_in_between_leaves_the_next_step_as_it_was() -> None:
    # 5.1: the reference's validation replaced the training's attention for good.
    case = Case.load("stage_3")
    found = case.networks
    with untouched(found):
        latents, _ = case.draws(1)
        guided_prediction(
            found.denoising_unet,
            latents.target,
            timesteps=torch.tensor([500]),
            guidance_scale=3.5,
            audio_tokens=found.audio_projection(case.batch.audio_windows),
            kps_features=found.v_kps_guider(case.batch.kps_images),
            reference=found.reference_net.features(latents.reference),
            reference_weight=0.95,
            audio_weight=1.5,
        )
        torch.rand(10)
    assert found.training and all(module.training for module in found.modules())
    assert case.step().loss.item() == pytest.approx(CASES["stage_3"]["loss"], rel=1e-5)


def test_a_look_in_between_leaves_the_random_numbers_of_others_as_they_were() -> None:
    case = Case.load("stage_1")
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with untouched(case.networks):
        torch.rand(100)
    assert torch.equal(torch.rand(4), expected)


def test_a_second_micro_batch_sees_its_own_reference() -> None:
    # 5.2: the reference kept the first micro-batch's features for the following ones.
    alone = Case.load("stage_2_resume")
    alone.step(205).loss.backward()
    second_alone = gradients(alone)
    both = Case.load("stage_2_resume")
    both.step(204).loss.backward()
    first = gradients(both)
    both.step(205).loss.backward()
    for name, total in gradients(both).items():
        assert torch.allclose(total, first[name] + second_alone[name], rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("name", ["stage_1", "stage_2_resume", "stage_3", "stage_3_uncond"])
def test_recomputing_layers_in_backward_loses_no_gradient(name: str) -> None:
    plain, saving = Case.load(name), Case.load(name, gradient_checkpointing=True)
    plain.step().loss.backward()
    saving.step().loss.backward()
    expected, found = gradients(plain), gradients(saving)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert torch.allclose(found[key], value, rtol=1e-4, atol=1e-6), key


def test_recomputing_layers_loses_no_gradient_in_an_unconditional_step_of_stage_2() -> None:
    # 5.7: without an input that needs a gradient the reference lost those of the down blocks.
    seed = CASES["stage_3_uncond"]["seed"]
    plain, saving = Case.load("stage_2_resume"), Case.load("stage_2_resume", gradient_checkpointing=True)
    assert plain.draws(seed)[1].unconditional
    plain.step(seed).loss.backward()
    saving.step(seed).loss.backward()
    expected, found = gradients(plain), gradients(saving)
    assert any("down_blocks.0.motion_modules" in name for name in expected)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert torch.allclose(found[key], value, rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize("training", [True, False])
def test_recomputing_acts_on_the_reference_net_in_every_mode(training: bool) -> None:
    # 5.8: the reference net was in evaluation mode, where its switch did nothing.
    case = Case.load("stage_3", gradient_checkpointing=True)
    reference_net = case.networks.reference_net.train(training)
    calls: list[int] = []
    reference_net.get_submodule("down_blocks.0.resnets.0").register_forward_hook(lambda *_: calls.append(1))
    case.step().loss.backward()
    assert len(calls) == 2


def test_a_step_needs_no_process_group() -> None:
    # 5.6: the reference broadcast the unconditional draw, which fails without a launcher.
    assert not torch.distributed.is_initialized()
    Case.load("stage_3").step().loss.backward()


def test_conditions_are_dropped_per_clip_and_per_frame_and_block() -> None:
    case = Case.load("stage_3")
    _, draws = case.draws(CASES["stage_3"]["seed"])
    assert draws.kps_drop is not None and draws.kps_drop.shape == (2,)
    assert draws.reference_drop is not None and draws.reference_drop.shape == (10, 2, 4)
    assert 0 < int(draws.reference_drop.sum()) < 80
    assert len({tuple(row.flatten().tolist()) for row in draws.reference_drop}) > 1


def test_an_unconditional_step_trains_the_denoiser_alone() -> None:
    case = Case.load("stage_3_uncond")
    case.step().loss.backward()
    case.networks.complete_gradients()
    for name, network in case.networks.networks().items():
        trained = [entry for entry in network.parameters() if entry.requires_grad]
        assert trained
        assert all((entry.grad is not None) == (name == "denoising_unet") for entry in trained)
