import pytest
import torch
from torch import nn

from talkvid.inference.device import (
    Placement,
    choose_autoencoder_dtype,
    choose_device,
    choose_dtype,
    dtype_name,
)
from talkvid.model.autoencoder import SmallAutoencoder


def test_auto_finds_a_device_and_the_cpu_works_in_fp32() -> None:
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    cpu = choose_device("cpu")
    assert choose_dtype(None, cpu) == torch.float32
    assert dtype_name(torch.float32) == "fp32"


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "", "cuda:-1"])
def test_an_unknown_device_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match="--device"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has a GPU")
def test_a_gpu_that_is_not_there_is_an_error_and_not_a_cpu() -> None:
    with pytest.raises(ValueError, match="no NVIDIA GPU"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="--gpu_id 3"):
        choose_device("cpu", 3)


def test_two_different_gpu_numbers_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="contradict"):
        choose_device("cuda:1", 0)


def test_precision_is_chosen_by_name_and_half_precision_needs_a_gpu() -> None:
    assert choose_dtype("bf16", torch.device("cpu")) == torch.bfloat16
    assert choose_dtype(None, torch.device("cuda")) == torch.float16
    with pytest.raises(ValueError, match="fp16"):
        choose_dtype("fp16", torch.device("cpu"))
    with pytest.raises(ValueError, match="fp8"):
        choose_dtype("fp8", torch.device("cpu"))


def test_saving_memory_moves_modules_back_and_works_again_and_again() -> None:
    module = nn.Linear(2, 2)
    placement = Placement(torch.device("meta"), torch.float32)
    assert not placement.saves_memory
    saving = Placement(torch.device("cpu"), torch.bfloat16, saves_memory=True)
    for _ in range(2):
        with saving.use(module, None):
            assert module.weight.dtype == torch.bfloat16
    assert module.weight.device.type == "cpu"


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, None)],
)
def test_the_small_autoencoder_is_in_bf16_where_the_cpu_has_it_and_no_precision_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, abilities: dict[str, bool], expected: torch.dtype | None
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert choose_autoencoder_dtype(None, torch.device("cpu")) == expected
    assert choose_autoencoder_dtype("fp32", torch.device("cpu")) is None
    assert choose_autoencoder_dtype(None, torch.device("cuda")) is None


def test_only_the_small_autoencoder_computes_in_another_precision() -> None:
    autoencoder, other = SmallAutoencoder(), nn.Linear(2, 2)
    placement = Placement(torch.device("cpu"), torch.float32, autoencoder_dtype=torch.bfloat16)
    for _ in range(2):
        with placement.use(autoencoder, other):
            assert autoencoder.decoder[0].weight.dtype == torch.bfloat16
            assert autoencoder.latent_mean.dtype == other.weight.dtype == torch.float32
    with Placement(torch.device("cpu"), torch.float32).use(autoencoder):
        assert autoencoder.decoder[0].weight.dtype == torch.float32
