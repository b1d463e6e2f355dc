"""The loss against numbers worked by hand and the reference's weights."""

import pytest
import torch

from talkvid.diffusion.losses import diffusion_loss, emphasise_lips, min_snr_weight
from talkvid.diffusion.schedule import NoiseSchedule
from tests import parity


def test_snr_weights_equal_the_reference_at_every_time_step() -> None:
    weights = min_snr_weight(NoiseSchedule().snr(torch.arange(1000)), 5.0)
    golden = parity.fixture("scheduler")["train/min_snr_weight_gamma5_vpred"]
    assert torch.allclose(weights, golden, rtol=1e-6, atol=0)


def test_the_cap_holds_for_snr_plus_one() -> None:
    assert min_snr_weight(torch.tensor([0.0, 4.0, 9.0]), 5.0).tolist() == [1.0, 1.0, 0.5]
    assert min_snr_weight(torch.tensor([9.0]), 0.0).tolist() == [1.0]
    with pytest.raises(ValueError, match="snr_gamma"):
        min_snr_weight(torch.tensor([9.0]), -1.0)


def test_lips_weigh_more_and_the_rest_as_before() -> None:
    error, mask = torch.ones(1, 4, 1, 2, 2), torch.tensor([[1.0, 0.5], [0.0, 0.0]]).expand(1, 1, 1, 2, 2)
    emphasised = emphasise_lips(error, mask, 100.0)
    assert emphasised[0, 0, 0].tolist() == [[100.0, 50.5], [1.0, 1.0]]
    assert torch.equal(emphasise_lips(error, mask, 1.0), error)


def test_each_video_is_weighted_by_its_own_time_step() -> None:
    target = torch.zeros(2, 1, 1, 1, 1)
    prediction = torch.tensor([2.0, 1.0]).reshape(2, 1, 1, 1, 1)
    loss = diffusion_loss(prediction, target, snr=torch.tensor([9.0, 0.0]))
    assert loss.per_video.tolist() == [4.0, 1.0]
    assert loss.total == (4 * 0.5 + 1 * 1) / 2
    assert loss.plain == 2.5


def test_the_loss_is_computed_in_full_precision_and_has_a_gradient() -> None:
    prediction = torch.full((1, 1, 1, 2, 2), 300.0, dtype=torch.float16, requires_grad=True)
    loss = diffusion_loss(prediction, torch.zeros(1, 1, 1, 2, 2).half(), snr=torch.tensor([0.0]))
    assert loss.total == 90000  # beyond half precision
    loss.total.backward()
    assert prediction.grad is not None
