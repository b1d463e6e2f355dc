"""Inner features of one U-Net call in a later one: what is reused, what is not, how both halves agree."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from talkvid.inference.feature_reuse import ReusedFeatures
from talkvid.model.conditions import InnerFeatures
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.guidance import GuidedFeatures, guided_prediction
from talkvid.model.unet_config import MotionConfig, UNetConfig

LATENTS = torch.randn(1, 4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
TOKENS = torch.randn(1, 3, 2, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module", params=[1, 2], ids=["one_layer", "two_layers"])
def denoiser(request: pytest.FixtureRequest) -> DenoisingUNet:
    torch.manual_seed(0)
    config = UNetConfig(
        block_out_channels=(8, 16),
        layers_per_block=request.param,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=2,
        cross_attention_dim=16,
        norm_num_groups=4,
        motion=MotionConfig(num_heads=2, norm_groups=4, max_frames=8),
    )
    model = DenoisingUNet(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(std=0.1)  # no branch may be a hidden zero
    return model


def predict(
    model: DenoisingUNet, latents: Tensor, t: int, inner: InnerFeatures | None = None, tokens: Tensor = TOKENS
) -> Tensor:
    return model(latents, torch.tensor([t]), audio_tokens=tokens, inner=inner)


def test_a_full_call_is_the_plain_one_and_reusing_its_features_at_once_changes_nothing(
    denoiser: DenoisingUNet,
) -> None:
    plain, inner = predict(denoiser, LATENTS, 500), InnerFeatures()
    assert torch.equal(predict(denoiser, LATENTS, 500, inner), plain)
    assert inner.kept is not None
    assert torch.equal(predict(denoiser, LATENTS, 500, inner), plain)


def test_a_reusing_call_sees_the_new_latents_and_time_step_but_not_in_the_inner_layers(
    denoiser: DenoisingUNet,
) -> None:
    inner = InnerFeatures()
    first = predict(denoiser, LATENTS, 500, inner)
    kept = inner.kept
    moved = LATENTS + 0.1
    reused = predict(denoiser, moved, 460, inner)
    assert inner.kept is kept
    assert not torch.equal(reused, first)
    assert not torch.equal(reused, predict(denoiser, moved, 460))
    calls = []
    handle = denoiser.mid_block.register_forward_hook(lambda *_: calls.append("inner"))
    predict(denoiser, moved, 460, inner)
    assert not calls
    predict(denoiser, moved, 460, InnerFeatures())
    assert calls == ["inner"]
    handle.remove()


@pytest.mark.parametrize("batched", [True, False])
def test_both_halves_of_a_guided_prediction_keep_their_own(denoiser: DenoisingUNet, batched: bool) -> None:
    def guided(latents: Tensor, t: int, scale: float, inner: GuidedFeatures | None) -> Tensor:
        return guided_prediction(
            denoiser, latents, timesteps=torch.tensor([t]), guidance_scale=scale, audio_tokens=TOKENS,
            kps_features=None, reference=None, batched=batched, inner=inner,
        )  # fmt: skip

    features = GuidedFeatures()
    plain = guided(LATENTS, 500, 2.0, None)
    torch.testing.assert_close(guided(LATENTS, 500, 2.0, features), plain)
    torch.testing.assert_close(guided(LATENTS, 500, 2.0, features), plain)
    # Without guidance the conditional half of the kept features is the right one.
    torch.testing.assert_close(guided(LATENTS, 500, 1.0, features), predict(denoiser, LATENTS, 500))
    # Guidance that sets in has no unconditional features yet: both halves are computed, whatever was kept.
    late = GuidedFeatures()
    guided(LATENTS, 500, 1.0, late)
    moved = LATENTS + 0.1
    torch.testing.assert_close(guided(moved, 460, 2.0, late), guided(moved, 460, 2.0, None))


def steps_of(reuse: ReusedFeatures, frames: Sequence[int], num_steps: int) -> list[bool]:
    """Return which steps of a window compute its features, filling those that are asked for."""
    full = []
    for step in range(num_steps):
        features = reuse.at(frames, step)
        assert features is not None
        full.append(features.conditional.kept is None)
        features.conditional.kept = torch.zeros(1)
    return full


def test_every_nth_step_of_each_window_is_a_full_one_and_nothing_stays_behind() -> None:
    reuse = ReusedFeatures(3, 8)
    assert steps_of(reuse, [0, 1], 8) == [True, False, False, True, False, False, True, False]
    assert len(reuse) == 0
    first = reuse.at([0, 1], 0)
    assert reuse.at([4, 5], 0) is not first and len(reuse) == 2
    assert reuse.at([0, 1], 1) is first


def test_one_means_that_nothing_is_kept() -> None:
    reuse = ReusedFeatures(1, 8)
    assert [reuse.at([0], step) for step in range(8)] == [None] * 8
