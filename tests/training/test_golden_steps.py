"""One training step equals the reference implementation's: loss, gradients, and three steps of AdamW.

Single tensors are compared in float64: in float32 the reference's own norms are off by 8e-6, ours by 6e-6.
"""

import math

import pytest
import torch

from tests.training.golden import CASES, Case, gradient_norms

pytestmark = pytest.mark.usefixtures("one_thread")

RELATIVE = 1e-5


def norms_of(case: Case) -> dict[str, float]:
    return {
        name: float(parameter.grad.double().norm())
        for name, parameter in case.networks.named_parameters()
        if parameter.grad is not None
    }


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return Case.load(request.param)


def test_the_time_steps_and_the_unconditional_draw_are_those_of_the_reference(case: Case) -> None:
    _, draws = case.draws(CASES[case.name]["seed"])
    assert draws.timesteps.tolist() == CASES[case.name]["timesteps"]
    assert draws.unconditional == CASES[case.name]["do_uncond"]


def test_loss_and_gradients_of_each_network_are_those_of_the_reference(case: Case) -> None:
    output = case.step()
    output.loss.backward()
    assert output.loss.item() == pytest.approx(CASES[case.name]["loss"], rel=RELATIVE)
    ours = norms_of(case)
    for network, norm in CASES[case.name]["grad_norms"].items():
        if "/" not in network and network != "total":
            mine = [value for name, value in ours.items() if name.startswith(f"{network}.")]
            assert math.hypot(*mine) == pytest.approx(norm, rel=RELATIVE, abs=1e-7)


def test_the_gradient_of_every_tensor_is_that_of_the_reference(case: Case) -> None:
    case.double().step().loss.backward()
    ours, golden = norms_of(case), gradient_norms(case.name)
    for name, norm in golden.items():
        # A gradient the reference computes as zero need not exist here.
        assert ours.get(name, 0.0) == pytest.approx(norm, rel=RELATIVE, abs=1e-7), name
    assert not set(ours) - set(golden)


def test_three_steps_of_adamw_follow_the_reference(case: Case) -> None:
    info = CASES[case.name]
    parameters = [entry for entry in case.networks.parameters() if entry.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses, norms = [], []
    for step in range(3):
        output = case.step(info["seed"] + step)
        output.loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, 1.0)))
        case.networks.complete_gradients()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(output.loss.item())
    with torch.no_grad():
        losses.append(case.step(info["seed"] + 3).loss.item())
    # Adam divides by the gradient's size, which turns rounding of small gradients into steps.
    assert losses == pytest.approx(info["adamw_lr1e-3_losses"], rel=3 * RELATIVE)
    assert norms == pytest.approx(info["adamw_pre_clip_grad_norms"], rel=5 * RELATIVE)
