"""What each stage trains and zeroes, at full size on the meta device and on the tiny networks."""

import gzip
import json
from functools import cache
from typing import Any

import pytest
import torch

from talkvid.model.bundle_config import BundleConfig
from talkvid.model.registry import build_module
from talkvid.model.unet_config import UNetConfig
from talkvid.training.config_distil import DISTILLATION
from talkvid.training.network import TalkingHeadNetworks
from talkvid.training.stages import STAGES, trainable_names
from tests import parity
from tests.training.golden import Case, networks

NEVER_TRAINED = ["conv_out.weight", "conv_out.bias"]


@cache
def full_size() -> dict[str, Any]:
    """The four networks at the published size, without memory."""
    with torch.device("meta"):
        config = BundleConfig.published(UNetConfig())
        return {name: build_module(name, spec) for name, spec in config.modules.items()}


@cache
def trainable_in_the_reference() -> dict[str, list[str]]:
    names: dict[str, list[str]] = json.loads(
        gzip.decompress((parity.DATA / "trainable.json.gz").read_bytes())
    )
    return names


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != DISTILLATION])
def test_the_trainable_names_are_those_of_the_reference_less_its_unused_output(stage: int) -> None:
    # 5.5: conv_out of the reference net never gets a gradient; it is frozen here.
    for network, names in trainable_names(full_size(), stage).items():
        expected = trainable_in_the_reference()[f"trainable_stage{stage}_{network}"]
        if network == "reference_net" and expected:
            assert set(NEVER_TRAINED) <= set(expected)
            expected = [name for name in expected if name not in NEVER_TRAINED]
        assert sorted(names) == sorted(expected), network


def test_the_repaired_recipe_adds_what_reaches_a_feature_of_the_last_block_and_nothing_else() -> None:
    # 5.9: the reference freezes up_blocks.3 although its blocks feed the denoiser.
    case = Case.load("stage_3")
    plain = set(trainable_names(case.networks.networks(), 3)["reference_net"])
    case.networks.enter_stage(3, recipe="repaired", zero=False)
    case.step().loss.backward()
    reference_net = case.networks.reference_net
    reached = {name for name, entry in reference_net.named_parameters() if entry.grad is not None}
    repaired = set(trainable_names(case.networks.networks(), 3, recipe="repaired")["reference_net"])
    added = repaired - plain
    assert added and all(name.startswith("up_blocks.3.") for name in added)
    constant = {name for name in repaired if "attn2.to_" in name and not name.endswith("bias")}
    assert repaired - constant == reached - constant


def test_stages_1_and_2_start_with_zero_projections_and_stage_3_keeps_what_was_trained() -> None:
    def largest(found: TalkingHeadNetworks, part: str) -> float:
        return max(
            float(p.abs().max()) for name, p in found.denoising_unet.named_parameters() if part in name
        )

    for stage in (1, 2):
        found = networks()
        found.enter_stage(stage)
        assert largest(found, "temporal_transformer.proj_out") == largest(found, "attn2.to_out") == 0
        assert largest(found, "attn1_5.to_out") > 0
    found = networks()
    found.enter_stage(3)
    assert largest(found, "temporal_transformer.proj_out") > 0 and largest(found, "attn2.to_out") > 0


def test_stage_1_skips_time_and_sound_without_changing_the_prediction() -> None:
    case = Case.load("stage_1")
    assert not case.networks.hears
    with torch.no_grad():
        quick = case.step().loss
        case.networks.hears = True
        case.networks.denoising_unet.set_skips_motion(False)
        assert torch.equal(quick, case.step().loss)


def test_stage_2_skips_nothing_although_its_projections_start_at_zero() -> None:
    found = networks()
    found.enter_stage(2)
    assert found.hears
    assert not found.denoising_unet.mid_block.skips_motion


def test_a_stage_freezes_what_it_does_not_train() -> None:
    found = networks()
    found.enter_stage(2)
    names = trainable_names(found.networks(), 2)
    for network, module in found.networks().items():
        trains = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
        assert trains == set(names[network])
