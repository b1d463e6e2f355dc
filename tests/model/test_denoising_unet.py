"""What the denoiser promises beyond the golden numbers: exact savings, gradients, any size, clear errors."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from talkvid.model.conditions import ReferenceCache
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.guidance import guided_prediction
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.transformer import TransformerBlock
from talkvid.model.unet_config import MotionConfig, UNetConfig

TINY = UNetConfig(
    block_out_channels=(32, 64),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    attention_head_dim=4,
    cross_attention_dim=24,
    norm_num_groups=8,
    motion=MotionConfig(max_frames=6),
)


def randomised(module: Any) -> Any:
    """No weight zero, so that a missing branch shows."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return module


def block_named(net: DenoisingUNet | ReferenceNet, name: str) -> TransformerBlock:
    block = net.get_submodule(name)
    assert isinstance(block, TransformerBlock)
    return block


@pytest.fixture(scope="module")
def denoiser() -> DenoisingUNet:
    torch.manual_seed(0)
    return randomised(DenoisingUNet(TINY))


@pytest.fixture(scope="module")
def reference_net() -> ReferenceNet:
    torch.manual_seed(0)
    return randomised(ReferenceNet(TINY))


def inputs(num_videos: int = 1, frames: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {
        "latents": torch.randn(num_videos, 4, frames, 6, 8, generator=generator),
        "timesteps": torch.full((num_videos,), 500),
        "audio_tokens": torch.randn(num_videos, frames, 5, 24, generator=generator),
        "kps_features": torch.randn(num_videos, 32, frames, 6, 8, generator=generator),
    }


@torch.no_grad()
def test_attention_to_zeros_equals_its_constant(denoiser: DenoisingUNet, reference_net: ReferenceNet) -> None:
    """Half of guidance attended to zeros at full price; leaving that out changes nothing."""
    values = inputs()
    features = reference_net.features(values["latents"][:, :, 0])
    zeros = {name: torch.zeros_like(feature) for name, feature in features.items()}
    dear = denoiser(
        values["latents"],
        values["timesteps"],
        audio_tokens=torch.zeros_like(values["audio_tokens"]),
        kps_features=torch.zeros_like(values["kps_features"]),
        reference=zeros,
        reference_weight=0.95,
        audio_weight=3.0,
    )
    cheap = denoiser(values["latents"], values["timesteps"], reference_weight=0.95, audio_weight=3.0)
    assert torch.allclose(dear, cheap, atol=1e-5)


@torch.no_grad()
def test_the_unconditional_half_costs_no_reference_or_audio_attention(denoiser: DenoisingUNet) -> None:
    rows: list[int] = []
    block = denoiser.get_submodule("mid_block.attentions.0.transformer_blocks.0")
    handles = [
        getattr(block, name).to_q.register_forward_hook(lambda *call: rows.append(call[1][0].shape[0]))
        for name in ("attn1_5", "attn2")
    ]
    values = inputs()
    features = {name: torch.randn(1, 12, width(denoiser, name)) for name in denoiser.block_names}
    guided(denoiser, values, features)
    for handle in handles:
        handle.remove()
    assert rows == [3, 3]  # the frames of the conditional half alone


@torch.no_grad()
def test_the_reference_is_projected_once_for_all_frames_and_calls(
    denoiser: DenoisingUNet, reference_net: ReferenceNet
) -> None:
    values = inputs(2)
    features = reference_net.features(values["latents"][:, :, 0])
    cache = denoiser.project_reference(features)
    assert all(entry.keys.shape[0] == 2 for entry in cache.entries.values())
    calls: list[int] = []
    layer = denoiser.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn1_5.to_k")
    handle = layer.register_forward_hook(lambda *call: calls.append(1))
    first = denoiser(values["latents"], values["timesteps"], reference=cache)
    second = denoiser(values["latents"], values["timesteps"], reference=cache)
    handle.remove()
    assert calls == []
    assert torch.equal(first, second)
    assert torch.allclose(
        first, denoiser(values["latents"], values["timesteps"], reference=features), atol=1e-6
    )


@torch.no_grad()
def test_one_portrait_serves_several_windows(denoiser: DenoisingUNet, reference_net: ReferenceNet) -> None:
    values = inputs(2)
    one = reference_net.features(values["latents"][:1, :, 0])
    two = {name: feature.repeat(2, 1, 1) for name, feature in one.items()}
    shared = denoiser(values["latents"], values["timesteps"], reference=one)
    assert torch.allclose(shared, denoiser(values["latents"], values["timesteps"], reference=two), atol=1e-6)


@torch.no_grad()
def test_features_need_no_layer_behind_the_last_of_them(reference_net: ReferenceNet) -> None:
    net = copy.deepcopy(reference_net)
    last = block_named(net, net.block_names[-1])
    assert last.attn2 is not None
    for unused in (net.conv_out, last.ff, last.norm3, last.attn2.to_q):
        for parameter in unused.parameters():
            parameter.fill_(float("nan"))
    latents = inputs()["latents"][:, :, 0]
    features, wanted = net.features(latents), reference_net.features(latents)
    assert all(torch.equal(features[name], wanted[name]) for name in wanted)


@torch.no_grad()
def test_a_missing_feature_is_named(denoiser: DenoisingUNet) -> None:
    with pytest.raises(ValueError, match=r"lack 4 of 4 blocks \(first: down_blocks.0"):
        denoiser.project_reference({})


@torch.no_grad()
def test_a_window_longer_than_the_position_table_is_refused(denoiser: DenoisingUNet) -> None:
    """The reference dies with a shape error from deep inside."""
    values = inputs(frames=7)
    with pytest.raises(ValueError, match=r"7 frames exceeds the 6 positions .* context_frames"):
        denoiser(values["latents"], values["timesteps"])


@torch.no_grad()
def test_sizes_come_from_the_config_alone() -> None:
    """The reference hard-codes 768, 320 and equal channels in and out."""
    config = replace(TINY, in_channels=16, out_channels=8, cross_attention_dim=40, motion=None)
    net = DenoisingUNet(config)
    result = net(torch.randn(1, 16, 2, 5, 7), torch.tensor([3]), audio_tokens=torch.randn(1, 2, 3, 40))
    assert result.shape == (1, 8, 2, 5, 7)
    assert ReferenceNet(replace(config, in_channels=8)).features(torch.randn(1, 8, 5, 7))
    assert not any("motion" in key for key in net.state_dict())


@torch.no_grad()
def test_a_denoiser_may_do_without_reference_or_tokens() -> None:
    net = DenoisingUNet(replace(TINY, reference_attention=False, cross_attention_dim=None))
    assert not any("attn1_5" in key or "attn2" in key for key in net.state_dict())
    assert net(torch.randn(1, 4, 2, 6, 8), torch.tensor([3])).shape == (1, 4, 2, 6, 8)


def test_checkpointing_loses_no_gradient_in_an_unconditional_step() -> None:
    """The re-entrant form left 99 trainable tensors without a gradient when no input needed one."""
    torch.manual_seed(0)
    net = randomised(DenoisingUNet(TINY))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_("motion_modules" in name or "norm1_5" in name or "attn1." in name)
    gradients = []
    for enabled in (False, True):
        net.set_gradient_checkpointing(enabled)
        net.zero_grad()
        values = inputs()
        net(values["latents"], values["timesteps"]).square().mean().backward()
        gradients.append({name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert any("down_blocks.0.motion_modules" in name for name in gradients[1])
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-7) for name in gradients[0])


def test_checkpointing_the_reference_net_acts_in_evaluation_mode_too() -> None:
    """The reference's switch never acts, since its net stays in evaluation mode."""
    torch.manual_seed(0)
    net, gradients, calls = randomised(ReferenceNet(TINY)).eval(), [], []
    net.mid_block.resnets[0].register_forward_hook(lambda *call: calls.append(1))
    for enabled in (False, True):
        net.set_gradient_checkpointing(enabled)
        net.zero_grad()
        calls.clear()
        features = net.features(inputs()["latents"][:, :, 0])
        sum(feature.square().mean() for feature in features.values()).backward()
        assert len(calls) == (2 if enabled else 1)
        gradients.append({name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-7) for name in gradients[0])


@torch.no_grad()
def test_skipping_motion_is_exact_while_it_projects_to_zero() -> None:
    torch.manual_seed(0)
    net, values = DenoisingUNet(TINY), inputs()
    plain = net(values["latents"], values["timesteps"])
    net.set_skips_motion(True)
    assert torch.equal(plain, net(values["latents"], values["timesteps"]))


@torch.no_grad()
def test_a_guidance_scale_of_one_runs_the_conditional_half_alone(denoiser: DenoisingUNet) -> None:
    values = inputs()
    features = {name: torch.randn(1, 12, width(denoiser, name)) for name in denoiser.block_names}
    result = guided(denoiser, values, features, scale=1.0)
    plain = denoiser(
        values["latents"],
        values["timesteps"],
        audio_tokens=values["audio_tokens"],
        kps_features=values["kps_features"],
        reference=features,
    )
    assert torch.equal(result, plain)


def width(denoiser: DenoisingUNet, name: str) -> int:
    return int(block_named(denoiser, name).norm2.weight.shape[0])


def guided(
    denoiser: DenoisingUNet, values: dict[str, Tensor], features: dict[str, Tensor], scale: float = 3.5
) -> Tensor:
    cache = denoiser.project_reference(features)
    assert isinstance(cache, ReferenceCache)
    return guided_prediction(
        denoiser,
        values["latents"],
        timesteps=values["timesteps"],
        guidance_scale=scale,
        audio_tokens=values["audio_tokens"],
        kps_features=values["kps_features"],
        reference=cache,
    )
