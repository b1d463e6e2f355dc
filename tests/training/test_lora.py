"""Adapters change nothing at first, learn alone, and leave files that work without them and with them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from talkvid.model.adapters import adapter_file_name, apply_adapters, read_adapters, save_adapters
from talkvid.model.bundle import load_bundle
from talkvid.model.checkpoints import NETWORKS, module_file_name
from talkvid.training.config import LoraConfig
from talkvid.training.lora import add_lora, collect_adapters, merged_state, target_layers
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.run import run_training
from tests.training.golden import Case, networks
from tests.training.synthetic import Settings

pytest.importorskip("peft")
ADAPTED = LoraConfig(rank=2, alpha=4)


def adapted(name: str = "stage_3", config: LoraConfig = ADAPTED, *, checkpointing: bool = False) -> Case:
    case = Case.load(name, gradient_checkpointing=checkpointing)
    add_lora(case.networks, config, seed=1)
    return case


def shake(network: TalkingHeadNetworks) -> None:
    """Give the adapters something to say: they start as no change."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))


def test_adapters_start_as_no_change_and_are_all_that_trains() -> None:
    plain = Case.load("stage_3").step().loss
    case = adapted()
    assert torch.equal(case.step().loss, plain)
    trains = [name for name, entry in case.networks.named_parameters() if entry.requires_grad]
    assert trains and all(".lora_A." in name or ".lora_B." in name for name in trains)
    for network in ("reference_net", "denoising_unet", "audio_projection"):
        assert any(name.startswith(network) for name in trains), network
    assert not any("reference_net" in name and "attn2" in name for name in trains)  # only sees a zero token


@pytest.mark.parametrize("checkpointing", [False, True])
def test_every_adapter_of_both_networks_gets_a_gradient(checkpointing: bool) -> None:
    case = adapted(checkpointing=checkpointing)
    shake(case.networks)
    case.step().loss.backward()
    parameters = {name: entry for name, entry in case.networks.named_parameters() if entry.requires_grad}
    without = [name for name, entry in parameters.items() if entry.grad is None or not entry.grad.any()]
    assert without == []
    assert all(entry.grad is None for entry in case.networks.parameters() if not entry.requires_grad)


def test_merged_weights_load_into_plain_networks_and_predict_the_same() -> None:
    case = adapted()
    shake(case.networks)
    plain = Case.load("stage_3")
    before = plain.step().loss.detach()
    for name, module in plain.networks.networks().items():
        module.load_state_dict(merged_state(case.networks.networks()[name]))
    merged = float(plain.step().loss.detach())
    assert merged == pytest.approx(float(case.step().loss.detach()), rel=1e-5)
    assert merged != pytest.approx(float(before), rel=1e-4)


def test_the_adapters_alone_turn_their_base_into_the_merged_networks(tmp_path: Path) -> None:
    case = adapted()
    shake(case.networks)
    found = case.networks.networks()
    save_adapters(collect_adapters(found, ADAPTED, base="tiny", step=7), tmp_path / adapter_file_name(7))
    stored = read_adapters(tmp_path / "lora-7.safetensors")
    assert (stored.rank, stored.alpha, stored.base, stored.step) == (2, 4.0, "tiny", 7)
    assert stored.targets == ("to_q", "to_k", "to_v", "to_out.0")
    base = networks().networks()
    apply_adapters(base, stored)
    for name in NETWORKS:
        merged = merged_state(found[name])
        assert all(torch.equal(tensor, merged[key]) for key, tensor in base[name].state_dict().items()), name


def test_adapters_for_another_model_change_nothing_and_say_so(tmp_path: Path) -> None:
    case = adapted()
    adapters = collect_adapters(case.networks.networks(), ADAPTED, base="tiny", step=1)
    only_guider = {"v_kps_guider": case.networks.v_kps_guider}
    with pytest.raises(ValueError, match=r"adapters for 'tiny' change \S+ .*, this model has no such layer"):
        apply_adapters(only_guider, adapters)
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no adapters of ours"):
        read_adapters(tmp_path / "other.safetensors")
    with pytest.raises(FileNotFoundError, match="do not exist"):
        read_adapters(tmp_path / "none.safetensors")


def test_a_target_that_is_no_layer_names_the_nearest() -> None:
    case = Case.load("stage_3")
    with pytest.raises(
        ValueError, match=r"lora\.targets: 'to_kq' is no linear layer .*; choose among .*to_q"
    ):
        target_layers(case.networks, ["to_q", "to_kq"])
    with pytest.raises(ValueError, match=r"choose among .*proj_out.*to_q"):
        target_layers(case.networks, ["zzzz"])


def test_targets_are_sought_only_in_what_the_stage_trains() -> None:
    names = target_layers(Case.load("stage_2").networks, ["to_q"])
    assert any("motion_modules" in name for name in names) and any(".attn2." in name for name in names)
    assert not any("reference_net" in name or ".attn1." in name for name in names)


def test_adapters_behind_a_zero_projection_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"lie behind temporal_transformer\.proj_out, which is zero and frozen"
    ):
        adapted("stage_2")
    with pytest.raises(ValueError, match=r"lie behind attn2\.to_out.*add to_out\.0 to lora\.targets"):
        adapted("stage_2", LoraConfig(rank=2, targets=["attn2.to_q"]))
    assert adapted("stage_2_resume").networks.hears


LORA = ("lora.rank=2", "lora.dropout=0.2", "run.train=adapted")


def test_a_resumed_run_of_adapters_gives_the_same_losses_and_files_to_the_last_digit(
    settings: Settings, tmp_path: Path
) -> None:
    run_training(settings(1, "run.max_steps=1"))
    base = tmp_path / "exp" / "drawn" / "stage_1"
    common = [f"model.start_from={base}", "data.train_bs=1", *LORA, "run.save_every=1"]
    whole = run_training(settings(1, *common, "run.train=whole", "run.max_steps=3"))
    assert len(set(whole)) == 3
    run_training(settings(1, *common, "run.max_steps=1"))
    rest = run_training(settings(1, *common, "run.max_steps=3", "run.resume=true"))
    assert rest == whole[1:]
    first, second = (tmp_path / "exp" / name / "stage_1" for name in ("whole", "adapted"))
    for name in (*(module_file_name(network, 3) for network in NETWORKS), adapter_file_name(3)):
        ours, theirs = load_file(first / name), load_file(second / name)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    with pytest.raises(ValueError, match="was made with lora="):
        run_training(settings(1, *common, "run.max_steps=4", "run.resume=true", "lora.rank=3"))
    _check_exports(base, second)


def _check_exports(base: Path, run: Path) -> None:
    adapters = read_adapters(run / adapter_file_name(3))
    assert adapters.base == "drawn-stage_1"
    config = json.loads((run / "config.json").read_text())
    assert config["extra"]["training"]["base"] == "drawn-stage_1"
    assert (run / adapter_file_name(3)).stat().st_size < (
        run / module_file_name(NETWORKS[0], 3)
    ).stat().st_size / 4
    started, learned = load_bundle(base), load_bundle(run)
    apply_adapters(started.modules, adapters, name=started.config.name)
    for name in NETWORKS:
        ours, theirs = started.modules[name].state_dict(), learned.modules[name].state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
