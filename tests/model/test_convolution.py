import pytest
import torch
from torch import nn
from torch.nn import functional

from talkvid.model.convolution import convolution_silu
from talkvid.model.kps_guider import VKpsGuider


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_fused_convolution_is_the_plain_one(
    stride: int, dtype: torch.dtype, memory: torch.memory_format
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 11, 3, stride=stride, padding=1).to(dtype)
    maps = torch.randn(3, 5, 17, 13, dtype=dtype).contiguous(memory_format=memory)
    kept = maps.clone()
    with torch.no_grad():
        fused, plain = convolution_silu(layer, maps), functional.silu(layer(maps))
    torch.testing.assert_close(fused, plain, atol=1e-6, rtol=1e-6)
    assert torch.equal(maps, kept) and fused.dtype == dtype


def test_with_gradients_the_guider_learns_as_before() -> None:
    torch.manual_seed(1)
    guider = VKpsGuider(out_channels=6, block_channels=(3, 4, 5))
    nn.init.normal_(guider.conv_out.weight)
    pictures = torch.rand(1, 3, 2, 16, 16)
    with torch.no_grad():
        predicted = guider(pictures)
    learned = guider(pictures)
    learned.square().sum().backward()
    assert guider.conv_in.weight.grad is not None and guider.conv_in.weight.grad.abs().max() > 0
    torch.testing.assert_close(predicted, learned.detach(), atol=1e-6, rtol=1e-6)
