"""Sampler, guidance interval, reused features and previews: what goes together, what a run makes of it."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from talkvid import TalkVidInference
from talkvid.diffusion.guidance_interval import guided_steps
from talkvid.diffusion.schedule import NoiseSchedule
from talkvid.inference.fewer_steps import guidance_scales, parse_interval
from talkvid.inference.settings import GenerateSettings, resolve
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.denoising_unet import DenoisingUNet

from .conftest import SMALL_UNET, TINY_CONFIG

PLAIN = BundleConfig(name="plain")
DISTILLED = replace(PLAIN, name="quick", sampler="lcm", num_inference_steps=4, guidance_scale=1.0)


def test_a_distilled_checkpoint_runs_with_its_own_steps_guidance_and_sampler() -> None:
    resolved = resolve(GenerateSettings(), DISTILLED)
    assert (resolved.sampler, resolved.num_inference_steps, resolved.guidance_scale) == ("lcm", 4, 1.0)
    usual = resolve(GenerateSettings(), PLAIN)
    assert (usual.sampler, usual.num_inference_steps, usual.guidance_scale) == ("ddim", 25, 3.5)
    assert (usual.guidance_interval, usual.reuse_features) == (None, 1)
    assert resolve(GenerateSettings(sampler="ddim"), DISTILLED).sampler == "ddim"


def test_a_checkpoint_of_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(ValueError, match="sampler is 'euler'; choose one of ddim"):
        replace(PLAIN, sampler="euler")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sampler": "euler"}, "sampler: 'euler'"),
        ({"sampler": "lcm"}, "sampler lcm: .* guidance_scale 3.5; use 1"),
        ({"reuse_features": 0}, "reuse_features"),
        ({"reuse_features": 2, "num_inference_steps": 1}, "only 1 steps"),
        ({"guidance_interval": "0.3"}, "guidance_interval: '0.3'"),
        ({"guidance_interval": "5:0.3"}, "LOW:HIGH"),
        ({"guidance_interval": "-1:2"}, "LOW:HIGH"),
        ({"guidance_interval": "nan:2"}, "LOW:HIGH"),
        ({"guidance_interval": "a:b"}, "LOW:HIGH"),
        ({"guidance_interval": "0.3:5", "guidance_scale": 1.0}, "no step is guided"),
        ({"guidance_interval": "0.01:0.02"}, "none of the 25 steps"),
    ],
)
def test_what_would_have_no_effect_or_a_bad_one_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        resolve(GenerateSettings(**values), PLAIN)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values", [{"sampler": "unipc"}, {"guidance_interval": "0.3:5"}, {"reuse_features": 2}], ids=str
)
def test_a_one_step_model_refuses_what_it_cannot_do(values: dict[str, Any]) -> None:
    config = replace(PLAIN, name="embedded", prediction_type="residual", num_inference_steps=1)
    with pytest.raises(ValueError, match=f"{next(iter(values))} .*embedded works in one step"):
        resolve(GenerateSettings(**values), config)
    assert resolve(GenerateSettings(sampler="ddim"), config).num_inference_steps == 1


def test_lcm_without_a_model_made_for_it_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    resolve(GenerateSettings(sampler="lcm", guidance_scale=1.0), PLAIN)
    assert "plain says nothing of being distilled" in caplog.text
    caplog.clear()
    resolve(GenerateSettings(guidance_scale=1.5), DISTILLED)
    assert not caplog.text


def test_the_interval_is_one_of_noise_levels_whatever_the_number_of_steps() -> None:
    """By hand: sigma = sqrt((1 - a) / a) is infinite at 999, and 1 where signal and noise are equal."""
    schedule = NoiseSchedule()
    alphas = schedule.alphas_cumprod[schedule.timesteps(25)]
    equal = int((alphas - 0.5).abs().argmin())
    assert guided_steps(schedule, 25, low=0.0, high=float("inf")) == [True] * 25
    assert guided_steps(schedule, 25, low=0.0, high=1e9) == [False] + [True] * 24
    above = guided_steps(schedule, 25, low=1.0, high=float("inf"))
    assert above == sorted(above, reverse=True) and abs(sum(above) - equal) <= 1
    assert parse_interval("0.3:inf") == (0.3, float("inf"))
    for steps in (10, 50):
        settings = resolve(GenerateSettings(guidance_interval="0.3:5", num_inference_steps=steps), PLAIN)
        scales = guidance_scales(settings)
        assert set(scales) == {1.0, 3.5} and len(scales) == steps
        assert 0.5 < scales.count(3.5) / steps < 0.8


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the number of frames of every call of the denoiser, as it goes on."""
    seen: list[int] = []
    forward = DenoisingUNet.forward

    def counting(self: DenoisingUNet, latents: Tensor, *args: Any, **values: Any) -> Tensor:
        seen.append(latents.shape[0] * latents.shape[2])
        return forward(self, latents, *args, **values)

    monkeypatch.setattr(DenoisingUNet, "forward", counting)
    return seen


@pytest.mark.usefixtures("planted")
def test_every_setting_is_in_the_side_car_and_does_something(
    tiny_checkpoint: Path, portrait: Path, sound: Callable[[float], Path], tmp_path: Path, rows: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    model, speech = TalkVidInference(tiny_checkpoint, device="cpu"), sound(0.2)
    made: dict[str, bytes] = {}
    calls: dict[str, list[int]] = {}
    cases: dict[str, dict[str, Any]] = {
        "plain": {},
        "ddim": {"sampler": "ddim", "reuse_features": 1},
        "dpm++": {"sampler": "dpm++"},
        "unipc": {"sampler": "unipc"},
        "lcm": {"sampler": "lcm", "guidance_scale": 1.0},
        "interval": {"guidance_interval": "0.3:5"},
        "reuse": {"reuse_features": 2},
    }
    for name, values in cases.items():
        rows.clear()
        result = model.generate(portrait, speech, tmp_path / f"{name}.mp4", num_inference_steps=6, **values)
        made[name], calls[name] = result.path.read_bytes(), list(rows)
        settings = json.loads(result.sidecar.read_text())["settings"]
        told = {key: settings[key] for key in ("sampler", "guidance_interval", "reuse_features")}
        assert told == {
            "sampler": "ddim", "guidance_interval": None, "reuse_features": 1,
            **{key: value for key, value in values.items() if key in told},
        }  # fmt: skip
    assert made["ddim"] == made["plain"]
    assert len(set(made.values())) == len(cases) - 1
    assert calls["plain"] == calls["unipc"] == [10] * 6
    assert calls["lcm"] == [5] * 6
    assert calls["interval"].count(10) == 4 and calls["interval"].count(5) == 2
    assert "guidance in 4 of 6 steps" in caplog.text
    assert "inner features computed in 3 of 6 steps" in caplog.text
    assert "differs from the checkpoint: sampler unipc instead of ddim" in caplog.text


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("sampler", ["unipc", "lcm"])
def test_frames_are_the_same_when_memory_is_saved(
    tiny_checkpoint: Path, portrait: Path, sound: Callable[[float], Path], sampler: str
) -> None:
    """One half after the other, as memory is saved, gives the same frames."""
    speech = sound(0.6)
    settings: dict[str, Any] = {"sampler": sampler, "num_inference_steps": 4}
    settings |= {"guidance_scale": 2.0, "reuse_features": 2}
    whole, saving = (
        list(TalkVidInference(tiny_checkpoint, device="cpu", save_gpu_memory=saves).generate_stream(
            portrait, speech, **settings
        ))
        for saves in (False, True)
    )  # fmt: skip
    assert len(whole) == 15
    worst = max(int(abs(a.astype(int) - b.astype(int)).max()) for a, b in zip(whole, saving, strict=True))
    assert worst <= 1


@pytest.mark.usefixtures("planted")
def test_previews_are_named_in_log_and_side_car(
    portrait: Path, sound: Callable[[float], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    unet = {**SMALL_UNET, "in_channels": 4, "out_channels": 4}
    vae = ModuleSpec("small_autoencoder", {**TINY_CONFIG.modules["vae"].config, "latent_channels": 4})
    modules = {**TINY_CONFIG.modules, "denoising_unet": ModuleSpec("denoising_unet", unet),
               "reference_net": ModuleSpec("reference_net", unet), "vae": vae}  # fmt: skip
    save_bundle(build_bundle(replace(TINY_CONFIG, latent_channels=4, modules=modules)), tmp_path / "model")
    small = [8, 8, 8, 8]
    tiny: Any = AutoencoderTiny(encoder_block_out_channels=small, decoder_block_out_channels=small)
    tiny.save_pretrained(tmp_path / "tiny")
    speech = sound(0.1)
    plain = TalkVidInference(tmp_path / "model", device="cpu").generate(portrait, speech, tmp_path / "a.mp4")
    assert json.loads(plain.sidecar.read_text())["preview_vae"] is None
    caplog.clear()
    quick = TalkVidInference(tmp_path / "model", device="cpu", preview_vae=tmp_path / "tiny")
    preview = quick.generate(portrait, speech, tmp_path / "b.mp4")
    content = json.loads(preview.sidecar.read_text())
    assert content["preview_vae"] == str(tmp_path / "tiny")
    assert len(content["model"]["weights"]) == 6
    assert "preview: the pictures are decoded by" in caplog.text
    assert preview.path.read_bytes() != plain.path.read_bytes()


def test_a_preview_that_cannot_be_is_refused_before_anything_is_read(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"preview_vae: .* has a small decoder of its own"):
        TalkVidInference(device="cpu", preview_vae=tmp_path / "tiny")
    with pytest.raises(FileNotFoundError, match=r"preview_vae .*tiny: it does not exist"):
        TalkVidInference(tiny_checkpoint, device="cpu", preview_vae=tmp_path / "tiny")
