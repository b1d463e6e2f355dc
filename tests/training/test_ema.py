"""The running mean of the trained weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from talkvid.training.ema import RunningMean


def network(dtype: torch.dtype = torch.float32) -> nn.Linear:
    made = nn.Linear(2, 1, dtype=dtype)
    made.bias.requires_grad_(False)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[1.0, 2.0]]))
    return made


def test_the_mean_follows_the_trained_weights_by_its_decay() -> None:
    made = network()
    mean = RunningMean(made, decay=0.75)
    assert list(mean.means) == ["weight"]
    for value in (5.0, 9.0):
        with torch.no_grad():
            made.weight.fill_(value)
        mean.update()
    # 0.75 * (0.75 * 1 + 0.25 * 5) + 0.25 * 9 and the same from 2.
    assert torch.equal(mean.means["weight"], torch.tensor([[3.75, 4.3125]]))


def test_the_network_holds_the_mean_inside_the_context_alone() -> None:
    made = network(torch.bfloat16)
    mean = RunningMean(made, decay=0.5)
    own = made.weight.data
    with torch.no_grad():
        made.weight.fill_(9)
    mean.update()
    with mean.applied():
        assert made.weight.dtype == torch.bfloat16
        assert made.weight.tolist() == [[5.0, 5.5]]
    assert made.weight.data_ptr() == own.data_ptr() and made.weight.tolist() == [[9.0, 9.0]]
    with pytest.raises(RuntimeError), mean.applied():
        raise RuntimeError("the disk is full")
    assert made.weight.tolist() == [[9.0, 9.0]]


def test_it_comes_back_exactly_and_only_for_the_same_weights(tmp_path: Path) -> None:
    mean = RunningMean(network(), decay=0.9)
    mean.means["weight"].copy_(torch.tensor([[1 / 3, 2 / 3]]))
    mean.save(tmp_path)
    again = RunningMean(network(), decay=0.9)
    again.load(tmp_path)
    assert torch.equal(again.means["weight"], mean.means["weight"])
    other = network()
    other.bias.requires_grad_(True)
    with pytest.raises(
        ValueError, match=r"ema\.safetensors: holds the means of 1 weights, this run trains 2"
    ):
        RunningMean(other, decay=0.9).load(tmp_path)
    with pytest.raises(ValueError, match="holds the means of 0 weights"):
        again.load(tmp_path / "nothing")
