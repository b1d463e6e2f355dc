"""Convolutions by Winograd's way give the numbers of torch's."""

import pytest
import torch
import torch.nn.functional as F

from talkvid.model import winograd
from talkvid.model.layers import ResidualBlock, Upsample
from talkvid.model.winograd import Convolution

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (3, 5), (16, 12)])
def test_the_convolution_equals_torchs_for_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(3, 48, *size).to(memory_format=torch.channels_last)
    weight, bias = torch.randn(40, 48, 3, 3) / 20, torch.randn(40)
    expected = F.conv2d(hidden.double(), weight.double(), bias.double(), padding=1)
    result = winograd.winograd(hidden, weight, bias)
    assert result.is_contiguous(memory_format=torch.channels_last) or size[0] % 4 or size[1] % 4
    torch.testing.assert_close(result.double(), expected, atol=2e-5, rtol=0)
    without = winograd.winograd(hidden, weight) + bias[:, None, None]
    torch.testing.assert_close(without, result, atol=1e-5, rtol=0)


def test_pictures_in_several_pieces_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight = torch.randn(5, 16, 8, 8), torch.randn(16, 16, 3, 3) / 12
    whole = winograd.winograd(hidden, weight)
    monkeypatch.setattr(winograd, "_TILES_AT_ONCE", 8)  # two pictures of four tiles
    torch.testing.assert_close(winograd.winograd(hidden, weight), whole, atol=1e-6, rtol=0)


def test_the_error_is_about_that_of_adding_up_directly() -> None:
    torch.manual_seed(1)
    hidden, weight = torch.randn(2, 320, 16, 16), torch.randn(32, 320, 3, 3) / 2880**0.5
    hidden = hidden.to(memory_format=torch.channels_last)  # as in a run
    exact = F.conv2d(hidden.double(), weight.double(), padding=1)
    ours = (winograd.winograd(hidden, weight) - exact).square().mean().sqrt()
    direct = (F.conv2d(hidden, weight, padding=1) - exact).square().mean().sqrt()
    assert ours < 3 * direct and ours < 2e-6  # of numbers about 1; with the points 0, +-1, +-2 it is 3.6e-6


def test_it_is_taken_where_it_pays_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, ...]] = []
    plain = winograd.winograd

    def noted(hidden: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        taken.append(tuple(hidden.shape))
        return plain(hidden, *weights)

    monkeypatch.setattr(winograd, "winograd", noted)
    wide, narrow = Convolution(256, 256), Convolution(32, 32)
    maps = torch.randn(8, 256, 16, 16)
    with torch.no_grad():
        wide(maps)
        assert taken == [(8, 256, 16, 16)]
        narrow(torch.randn(8, 32, 16, 16))  # the transforms would cost more than they save
        wide(maps[:, :, :4])
        wide(maps[:1, :, :8, :8])  # few pixels, for which the weights would be transformed
        wide.bfloat16()(maps.bfloat16())
        wide.float()
    wide(maps).sum().backward()
    assert len(taken) == 1
    assert wide.weight.grad is not None and wide.weight.grad.any()


def test_blocks_of_a_wide_network_give_the_same_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(192, 256, embedding_dim=16, norm_groups=32, norm_eps=1e-5).eval()
    enlarge, hidden, embedding = Upsample(256), torch.randn(4, 192, 16, 16), torch.randn(2, 16)
    with torch.no_grad():
        fast = enlarge(block(hidden, embedding), (32, 32))
        monkeypatch.setattr(winograd, "_SMALLEST_SIDE", 1000)
        plain = enlarge(block(hidden, embedding), (32, 32))
    assert not torch.equal(fast, plain)
    torch.testing.assert_close(fast, plain, atol=2e-5, rtol=0)
