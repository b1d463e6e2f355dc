"""Loading is strict, names what is wrong, and never runs a file's code."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from talkvid.model.weights import (
    MOTION_MODULE,
    REFERENCE_NET,
    UNCHANGED,
    VAE_OLD_ATTENTION,
    load_weights,
    read_state,
    save_weights,
)


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt", ".ckpt", ".safetensors"])
def test_every_kind_of_file_is_read(suffix: str, tmp_path: Path) -> None:
    path, state = tmp_path / f"net{suffix}", small().state_dict()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    loaded = read_state(path)
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_old_torch_files_and_wrapped_states_are_read(tmp_path: Path) -> None:
    path, state = tmp_path / "net.ckpt", small().state_dict()
    wrapped = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    torch.save(wrapped, path, _use_new_zipfile_serialization=False)
    assert set(read_state(path)) == set(state)


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference unpickled everything it was given."""
    monkeypatch.chdir(tmp_path)
    with open("evil.pth", "wb") as file:
        pickle.dump({"weight": Evil()}, file)
    torch.save({"weight": Evil()}, "evil.bin")
    for name in ("evil.pth", "evil.bin"):
        with pytest.raises(ValueError, match=f"{name}: the file wants to run code") as caught:
            read_state(name)
        assert "\n" not in str(caught.value)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.bin", b"", "not a readable torch file"),
        ("a.pth", b"PK\x03\x04 torn", "not a readable torch file"),
        ("a.safetensors", b"torn", "not a readable safetensors file"),
        ("a.txt", b"", "weights end in .safetensors or"),
    ],
)
def test_broken_files_are_named_in_one_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_state(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_files_without_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": 3}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="'weight' is no tensor"):
        read_state(tmp_path / "a.pth")
    with pytest.raises(FileNotFoundError, match=r"b.pth do not exist"):
        read_state(tmp_path / "b.pth")


def test_a_wrong_checkpoint_does_not_load_silently(tmp_path: Path) -> None:
    """The reference loads with strict=False six times."""
    state = small().state_dict()
    save_file({**state, "mid_block.attn9.to_q.weight": torch.zeros(1)}, tmp_path / "extra.safetensors")
    del state["1.bias"]
    save_file(state, tmp_path / "short.safetensors")
    save_file({**small().state_dict(), "0.bias": torch.zeros(4)}, tmp_path / "shape.safetensors")
    net = small()
    before = net.get_parameter("0.weight").clone()
    for name, message in (
        ("extra", r"1 unexpected key \(first: mid_block.attn9.to_q.weight\) and 0 missing keys"),
        ("short", r"0 unexpected keys and 1 missing key \(first: 1.bias\)"),
        ("shape", r"1 tensors have another shape \(first: 0.bias is \(4,\), the config says \(3,\)\)"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            load_weights(net, tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)
    assert torch.equal(before, net.get_parameter("0.weight"))
    assert load_weights(net, tmp_path / "short.safetensors", may_miss=("1.*",)) == ["1.bias"]


def test_a_model_on_the_meta_device_takes_the_tensors_themselves(tmp_path: Path) -> None:
    save_weights(small(), tmp_path / "net.safetensors", dtype=torch.float16)
    with torch.device("meta"):
        net = small()
    load_weights(net, tmp_path / "net.safetensors")
    assert net[0].weight.dtype == torch.float16 and not net[0].weight.is_meta


def test_motion_files_of_animatediff_give_temporal_layers_only() -> None:
    key = "down_blocks.0.motion_modules.0.temporal_transformer.norm.weight"
    state = {f"module.{key}": torch.ones(2), "module.conv_in.weight": torch.ones(2)}
    assert set(MOTION_MODULE.apply(state)) == {key}
    assert set(UNCHANGED.apply(state)) == set(state)


def test_a_whole_unet_serves_as_reference_net() -> None:
    state = {"conv_norm_out.weight": torch.ones(2), "conv_out.weight": torch.ones(2)}
    assert set(REFERENCE_NET.apply(state)) == {"conv_out.weight"}


def test_autoencoders_of_early_diffusers_are_renamed() -> None:
    block = "encoder.mid_block.attentions.0"
    state = {f"{block}.{name}.weight": torch.ones(2) for name in ("query", "key", "value", "proj_attn")}
    renamed = {f"{block}.{name}.weight" for name in ("to_q", "to_k", "to_v", "to_out.0")}
    assert set(VAE_OLD_ATTENTION.apply(state)) == renamed
