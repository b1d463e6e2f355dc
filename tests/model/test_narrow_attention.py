"""Attention of narrow heads gives the numbers of torch's kernel."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from talkvid.model import narrow_attention
from talkvid.model.attention import FeedForward
from talkvid.model.linear import gated_linear

pytestmark = pytest.mark.usefixtures("one_thread")


def over_frames(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    queries, keys, values = (part.transpose(1, 2) for part in (queries, keys, values))
    return F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2)


@pytest.mark.parametrize("shape", [(6, 4, 70, 70, 8), (1, 4, 900, 64, 8), (5, 2, 33, 5, 4), (2, 1, 1, 3, 2)])
@pytest.mark.parametrize("at_once", [64, 5000, 1 << 17])
def test_attention_in_blocks_equals_torchs(
    shape: tuple[int, ...], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(narrow_attention, "_SCORES_AT_ONCE", at_once)
    rows, heads, length, known, width = shape
    queries = torch.randn(rows, length, heads, width).transpose(1, 2)
    keys, values = (torch.randn(rows, known, heads, width).transpose(1, 2) for _ in range(2))
    expected = F.scaled_dot_product_attention(queries, keys, values)
    result = narrow_attention.narrow_attention(queries, keys, values)
    torch.testing.assert_close(result, expected, atol=3e-6, rtol=0)


@pytest.mark.parametrize("frames", [1, 7, 24])
def test_attention_over_frames_side_by_side_equals_torchs(frames: int) -> None:
    torch.manual_seed(0)
    queries, keys, values = (torch.randn(2, frames, 150, 4) for _ in range(3))
    expected = over_frames(queries, keys, values)
    result = narrow_attention.narrow_frame_attention(queries, keys, values)
    torch.testing.assert_close(result, expected, atol=3e-6, rtol=0)


def test_scores_beyond_the_range_of_powers_stay_finite() -> None:
    torch.manual_seed(0)
    queries, keys = (60 * torch.randn(2, 2, 20, 8) for _ in range(2))
    values = torch.randn(2, 2, 20, 8)
    expected = F.scaled_dot_product_attention(queries, keys, values)
    result = narrow_attention.narrow_attention(queries, keys, values)
    assert (queries @ keys.transpose(2, 3)).abs().max() > 10_000
    torch.testing.assert_close(result, expected, atol=2e-3, rtol=0)  # float32 knows such scores to 1e-3
    across = narrow_attention.narrow_frame_attention(queries, keys, values)
    wanted = over_frames(queries, keys, values)
    torch.testing.assert_close(across, wanted, atol=2e-3, rtol=0)


def test_only_many_scores_of_narrow_heads_go_this_way(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    plain, across = narrow_attention.narrow_attention, narrow_attention.narrow_frame_attention

    def noted(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        calls.append("narrow_attention")
        return plain(queries, keys, values)

    def noted_across(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        calls.append("narrow_frame_attention")
        return across(queries, keys, values)

    monkeypatch.setattr(narrow_attention, "narrow_attention", noted)
    monkeypatch.setattr(narrow_attention, "narrow_frame_attention", noted_across)
    many, few = torch.randn(8, 4, 128, 8), torch.randn(2, 4, 64, 8)
    wide, frames = torch.randn(8, 4, 128, 16), torch.randn(2, 24, 256, 8)
    with torch.no_grad():
        narrow_attention.attention(few, few, few)
        narrow_attention.attention(wide, wide, wide)
        narrow_attention.attention(*[many.bfloat16()] * 3)
        narrow_attention.frame_attention(*[frames[:, :8]] * 3)
        assert not calls
        narrow_attention.attention(many, many, many)
        narrow_attention.frame_attention(frames, frames, frames)
    assert calls == ["narrow_attention", "narrow_frame_attention"]
    trained = many.clone().requires_grad_()
    narrow_attention.attention(trained, many, many).sum().backward()
    assert len(calls) == 2 and trained.grad is not None


def test_the_gated_layer_in_pieces_equals_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, hidden = FeedForward(64), torch.randn(2, 200, 64)
    weight, bias = layer.get_parameter("net.0.proj.weight"), layer.get_parameter("net.0.proj.bias")
    value, gate = F.linear(hidden, weight, bias).chunk(2, dim=-1)
    inner = value * F.gelu(gate)
    with torch.no_grad():
        assert hidden.numel() * 512 >= 1 << 21
        torch.testing.assert_close(gated_linear(hidden, weight, bias), inner, atol=3e-6, rtol=0)
        monkeypatch.setattr("talkvid.model.attention._ROWS", 90)
        fast = layer(hidden)
    plain = layer(hidden)
    torch.testing.assert_close(fast, plain, atol=5e-6, rtol=0)
    plain.sum().backward()
    assert weight.grad is not None
