"""Every network equals the reference implementation on tiny random weights."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.guidance import guided_prediction
from talkvid.model.layers import timestep_features
from talkvid.model.reference_net import ReferenceNet
from tests import parity

pytestmark = pytest.mark.usefixtures("one_thread")

TOLERANCE = 2e-5  # absolute, for one forward pass with values of order 1
WEIGHTS = {"w1_1": (1.0, 1.0), "w095_3": (0.95, 3.0)}


def close(result: Tensor, golden: Tensor, tolerance: float = TOLERANCE) -> bool:
    assert result.shape == golden.shape
    return bool((result - golden).abs().max() <= tolerance)


@pytest.fixture(scope="module", autouse=True)
def _no_gradients() -> Any:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def denoiser() -> DenoisingUNet:
    return parity.network("denoising_unet")


@pytest.fixture(scope="module")
def reference_net() -> ReferenceNet:
    return parity.network("reference_net")


def test_the_guider_equals_the_reference() -> None:
    golden = parity.fixture("v_kps_guider")
    assert close(parity.network("v_kps_guider")(golden["in.kps_images"]), golden["out.features"])


def test_the_audio_projection_equals_the_reference_and_takes_short_windows() -> None:
    golden, projection = parity.fixture("audio_projection"), parity.network("audio_projection")
    assert close(projection(golden["in.x"]), golden["out"])
    assert close(projection(golden["in.x_short"]), golden["out_short"])
    assert close(projection(golden["in.x"].unflatten(0, (2, 2))).flatten(0, 1), golden["out"])


def test_the_reference_net_equals_the_reference(reference_net: ReferenceNet) -> None:
    golden = parity.fixture("unet2d")
    assert close(reference_net(golden["in.sample"]), golden["out.t0"])
    zero_token = torch.zeros(2, 1, 768)
    assert close(reference_net(golden["in.sample"], encoder_tokens=zero_token), golden["out.t0"])


def test_the_reference_net_takes_sizes_that_no_power_of_two_divides(reference_net: ReferenceNet) -> None:
    golden = parity.fixture("unet2d")
    assert close(reference_net(golden["in.sample_odd"], torch.tensor([7])), golden["out.odd"])


def test_the_reference_net_reads_text_as_the_reference_does() -> None:
    shared = os.environ.get("TALKVID_SHARED")
    if not shared:
        pytest.skip("TALKVID_SHARED is not set: the text projections are not among the weights kept here")
    folder = Path(shared) / "parity"
    weights = load_file(folder / "weights" / "reference_net.safetensors")
    if not any("attn2.to_k" in key for key in weights):
        pytest.skip(f"{folder}/weights/reference_net.safetensors lacks the text projections")
    net = parity.build("reference_net")
    net.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    golden = load_file(folder / "unet2d.safetensors")
    result = net(golden["in.sample"], golden["in.timesteps"], encoder_tokens=golden["in.encoder"])
    assert close(result, golden["out.t_enc"])


def test_the_denoiser_without_a_reference_equals_the_reference(denoiser: DenoisingUNet) -> None:
    golden = parity.fixture("unet3d_plain")
    sample, timesteps, kps = golden["in.sample"], golden["in.timesteps"], golden["in.kps_features"]
    tokens = golden["in.audio_tokens"].unflatten(0, (2, 5))
    both = denoiser(sample, timesteps, audio_tokens=tokens, kps_features=kps, reference="self")
    assert close(both, golden["out"])
    assert close(denoiser(sample, timesteps, audio_tokens=tokens, reference="self"), golden["out.no_kps"])
    per_video = golden["in.audio_tokens_per_video"][:, None].expand(-1, 5, -1, -1)
    result = denoiser(sample, torch.tensor(300), audio_tokens=per_video, kps_features=kps, reference="self")
    assert close(result, golden["out.per_video"])
    odd = denoiser(
        golden["in.sample_odd"],
        torch.tensor([40]),
        audio_tokens=golden["in.audio_tokens"][None, :3],
        reference="self",
    )
    assert close(odd, golden["out.odd"])


def test_every_part_of_the_denoiser_equals_the_reference(denoiser: DenoisingUNet) -> None:
    golden = parity.fixture("unet3d_blocks")
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: seen.__setitem__(name, output)

    names = {key.split("/")[0] for key in golden if key.endswith("/out")} - {"time_proj"}
    handles = [denoiser.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    result = denoiser(
        golden["in.sample"],
        torch.tensor([123]),
        audio_tokens=golden["in.audio_tokens"][None],
        reference="self",
    )
    for handle in handles:
        handle.remove()
    assert close(result, golden["out"])
    assert len(names) >= 8
    for name in names:
        wanted = golden[f"{name}/out"]
        wanted = wanted.transpose(1, 2).flatten(0, 1) if wanted.ndim == 5 else wanted
        assert close(seen[name], wanted), name
    features = timestep_features(golden["time_proj/in0"], 32, flip_sin_to_cos=True, freq_shift=0)
    assert close(features, golden["time_proj/out"])


def test_the_features_of_the_portrait_equal_the_reference(reference_net: ReferenceNet) -> None:
    golden = parity.fixture("reference_attention")
    features = reference_net.features(golden["in.reference_latents"])
    assert {f"bank/{name}" for name in features} == {key for key in golden if key.startswith("bank/")}
    for name, feature in features.items():
        assert close(feature, golden[f"bank/{name}"]), name


@pytest.mark.parametrize("case", WEIGHTS)
def test_reference_attention_equals_the_reference(
    case: str, denoiser: DenoisingUNet, reference_net: ReferenceNet
) -> None:
    golden, timesteps = parity.fixture("reference_attention"), torch.tensor([601])
    reference_weight, audio_weight = WEIGHTS[case]
    weights: dict[str, Any] = {"reference_weight": reference_weight, "audio_weight": audio_weight}
    sample = golden["in.sample"]
    features = reference_net.features(golden["in.reference_latents"])
    conditions: dict[str, Any] = {
        "audio_tokens": golden["in.audio_tokens"][None],
        "kps_features": golden["in.kps_features"],
        "reference": denoiser.project_reference(features),
    }
    assert close(denoiser(sample, timesteps, **conditions, **weights), golden[f"out.nocfg.{case}"])
    assert close(denoiser(sample, timesteps, **weights), golden[f"out.uncond.{case}"])
    both = denoiser(torch.cat([sample, sample]), timesteps, num_unconditional=1, **conditions, **weights)
    assert close(both, golden[f"out.cfg.{case}"])
    unconditional, conditional = golden[f"out.cfg.{case}"].chunk(2)
    for batched in (True, False):
        result = guided_prediction(
            denoiser,
            sample,
            timesteps=timesteps,
            guidance_scale=3.5,
            batched=batched,
            **conditions,
            **weights,
        )
        assert close(result, unconditional + 3.5 * (conditional - unconditional))


def test_dropping_the_reference_equals_the_reference(
    denoiser: DenoisingUNet, reference_net: ReferenceNet
) -> None:
    golden = parity.fixture("reference_drop")
    draws = torch.stack([golden[f"draw/{index:02d}"] for index in range(10)])
    result = denoiser(
        golden["in.sample"],
        torch.tensor([100, 900]),
        audio_tokens=golden["in.audio_tokens"].unflatten(0, (2, 4)),
        reference=reference_net.features(golden["in.reference_latents"]),
        reference_drop=draws.unflatten(1, (2, 4)) < 0.2,
    )
    assert close(result, golden["out"])
