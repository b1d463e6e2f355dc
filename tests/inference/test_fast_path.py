"""The fast path gives what the plain one gives: batches of windows, fused layers, compiled networks."""

import copy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.inference.denoise import WindowDenoiser
from talkvid.inference.device import Placement, keep_freed_memory
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.scene import Scene
from talkvid.inference.settings import GenerateSettings, LoadOptions, VideoSettings, resolve
from talkvid.inference.timing import Timings
from talkvid.model.attention import Attention, fuse_attention
from talkvid.model.bundle import ModelBundle, load_bundle, save_bundle
from talkvid.model.linear import Linear
from talkvid.model.motion import TemporalAttention
from talkvid.records import Array

pytestmark = pytest.mark.usefixtures("one_thread")
NUM_FRAMES = 23
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bundle(tiny_checkpoint: Path) -> ModelBundle:
    loaded = load_bundle(tiny_checkpoint)
    torch.manual_seed(1)
    for parameter in loaded.denoising_unet.parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.05)  # temporal layers start at zero, where nothing would show
    return loaded


@pytest.fixture(scope="module")
def scene() -> Scene:
    generator = np.random.default_rng(0)
    portrait = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    points = np.array([[20.0, 25.0], [44.0, 25.0], [32.0, 40.0]])
    poses = points + np.linspace(0, 6, NUM_FRAMES)[:, None, None]
    return Scene(portrait, torch.randn(2 * NUM_FRAMES, 80), poses)


def settings_of(bundle: ModelBundle, **values: object) -> VideoSettings:
    return resolve(GenerateSettings(**values), bundle.config)  # type: ignore[arg-type]


def video(
    bundle: ModelBundle, scene: Scene, settings: VideoSettings, *, batch: int | None, compiles: bool = False
) -> Array:
    placement = Placement(CPU, torch.float32, windows_per_batch=batch, compiles=compiles)
    return np.stack(list(Pipeline(bundle, placement).frames(scene, settings, Timings()))).astype(int)


@pytest.mark.parametrize("values", [{}, {"guidance_scale": 1.0}, {"guidance_interval": "0.5:1"}])
def test_any_number_of_windows_at_once_gives_the_same_video(
    values: dict[str, object], bundle: ModelBundle, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(bundle, num_inference_steps=4, **values)
    sizes: list[int] = []
    together = WindowDenoiser.together

    def noted(
        self: WindowDenoiser, latents: Tensor, frames: Sequence[Sequence[int]], steps: Sequence[int]
    ) -> Tensor:
        sizes.append(len(frames))
        return together(self, latents, frames, steps)

    plain = video(bundle, scene, settings, batch=1)
    monkeypatch.setattr(WindowDenoiser, "together", noted)
    for batch in (2, 3, 8):
        sizes.clear()
        assert np.abs(video(bundle, scene, settings, batch=batch) - plain).max() <= 1
        assert max(sizes) == min(batch, 6)  # six windows may begin at once
    assert np.ptp(plain) > 20


def test_reused_features_stay_with_their_window_when_windows_are_batched(
    bundle: ModelBundle, scene: Scene
) -> None:
    settings = settings_of(bundle, num_inference_steps=5, reuse_features=2)
    plain = video(bundle, scene, settings, batch=1)
    assert np.abs(video(bundle, scene, settings, batch=4) - plain).max() <= 1


def test_fused_layers_give_the_numbers_of_plain_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    hidden, tokens = torch.randn(6, 40, 64), torch.randn(6, 3, 24)
    plain = [Attention(64, num_heads=4), Attention(64, num_heads=4, context_dim=24)]
    temporal = TemporalAttention(64, num_heads=4, max_frames=8)
    fused = [copy.deepcopy(layer) for layer in (*plain, temporal)]
    for layer in fused:
        fuse_attention(layer)
    across = hidden.view(1, 6, 40, 64)
    with torch.no_grad():
        for on_gpu in (False, True):  # one product for all projections, the way of a GPU, runs here as well
            monkeypatch.setattr("torch.compiler.is_compiling", lambda answer=on_gpu: answer)
            torch.testing.assert_close(fused[0](hidden), plain[0](hidden), atol=1e-5, rtol=0)
            torch.testing.assert_close(fused[1](hidden, tokens), plain[1](hidden, tokens), atol=1e-5, rtol=0)
            torch.testing.assert_close(fused[2](across), temporal(across), atol=1e-5, rtol=0)


def test_short_contexts_are_bracketed_the_other_way_in_fused_layers_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, calls = Attention(64, num_heads=4, context_dim=24), []
    short = Attention._attend_short

    def counted(layer: Attention, *given: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return short(layer, *given)

    monkeypatch.setattr(Attention, "_attend_short", counted)
    query, few, many = torch.randn(2, 40, 64), torch.randn(2, 5, 24), torch.randn(2, 9, 24)
    layer(query, few)
    fuse_attention(layer)
    layer(query, many)
    layer.bfloat16()(query.bfloat16(), few.bfloat16())
    assert not calls
    layer.float()(query, few)
    assert calls == [1]


def test_temporal_attention_equals_attention_of_each_position_over_frames() -> None:
    torch.manual_seed(0)
    layer = TemporalAttention(32, num_heads=4, max_frames=8)
    hidden = torch.randn(2, 6, 9, 32)
    moved = (hidden + layer.pos_encoder.pe[:, :6, None]).permute(0, 2, 1, 3).reshape(18, 6, 32)
    expected = Attention.forward(layer, moved).view(2, 9, 6, 32).permute(0, 2, 1, 3)
    torch.testing.assert_close(layer(hidden), expected, atol=1e-6, rtol=1e-5)


def test_many_positions_are_attended_to_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, hidden = TemporalAttention(32, num_heads=4, max_frames=8), torch.randn(1, 6, 9, 32)
    whole = layer(hidden)
    monkeypatch.setattr("talkvid.model.motion._MOST_HEADS", 8)
    torch.testing.assert_close(layer(hidden), whole, atol=1e-6, rtol=1e-5)


def test_the_fast_linear_layer_gives_the_numbers_of_torch_and_keeps_gradients() -> None:
    torch.manual_seed(0)
    layer, hidden = Linear(256, 384), torch.randn(3, 40, 256)[:, ::2]
    expected = torch.nn.functional.linear(hidden, layer.weight, layer.bias)
    assert hidden.numel() * 384 >= 1 << 21
    with torch.no_grad():
        torch.testing.assert_close(layer(hidden), expected, atol=1e-5, rtol=0)
    layer(hidden).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.any()


def test_a_fused_model_saves_moves_copies_and_loads_under_its_own_names(
    bundle: ModelBundle, tmp_path: Path
) -> None:
    fused = copy.deepcopy(bundle.denoising_unet)
    before = {name: tensor.clone() for name, tensor in fused.state_dict().items()}
    fuse_attention(fused)
    fused.double().float()
    layers = [module for module in fused.modules() if isinstance(module, Attention)]
    assert layers and all(layer._fused is not None for layer in layers)
    assert all(layer.to_v.weight.data_ptr() == layer._fused[-1].data_ptr() for layer in layers)  # type: ignore[index]
    assert all(torch.equal(tensor, before[name]) for name, tensor in fused.state_dict().items())
    saved = ModelBundle(bundle.config, {**bundle.modules, "denoising_unet": fused}, bundle.speech_encoder)
    save_bundle(saved, tmp_path)
    assert load_file(tmp_path / "denoising_unet.safetensors").keys() == before.keys()
    again = load_bundle(tmp_path).denoising_unet.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in again.items())
    copied = copy.deepcopy(fused)
    copied.load_state_dict({name: torch.zeros_like(tensor) for name, tensor in before.items()})
    assert not any(m._fused is not None for m in copied.modules() if isinstance(m, Attention))
    assert all(torch.equal(tensor, before[name]) for name, tensor in fused.state_dict().items())


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc's")
def test_freed_memory_is_kept_for_the_next_tensor() -> None:
    script = """
import ctypes, resource, sys, torch
from talkvid.inference.device import keep_freed_memory
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: pages are 4 KiB, whatever the machine prefers
if sys.argv[1] == "keep":
    keep_freed_memory()
def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(1 << 24).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
warm = [touch() for _ in range(20)]
print(sum(touch() for _ in range(5)))
"""
    faults = {}
    for way in ("keep", "plain"):
        command = [sys.executable, "-c", script, way]
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        faults[way] = int(result.stdout)
    assert faults["plain"] > 50_000 and faults["keep"] < 1000  # 64 MiB are 16,384 pages


def test_another_c_library_keeps_its_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("touched"))
    keep_freed_memory()


@pytest.mark.slow
def test_compiled_networks_give_the_same_video(bundle: ModelBundle, scene: Scene) -> None:
    settings = settings_of(bundle, num_inference_steps=2)
    plain = video(bundle, scene, settings, batch=1)
    assert np.abs(video(bundle, scene, settings, batch=2, compiles=True) - plain).max() <= 1


def test_what_cannot_be_compiled_or_batched_is_refused(
    bundle: ModelBundle, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="compile: a compiled network stays where it is"):
        Placement(CPU, torch.float32, saves_memory=True, compiles=True)
    settings = settings_of(bundle, num_inference_steps=4, reuse_features=2)
    with pytest.raises(ValueError, match=r"compile: .* leave reuse_features out"):
        video(bundle, scene, settings, batch=1, compiles=True)
    with pytest.raises(ValueError, match="windows_per_batch: must be from 1 to 64, got 0"):
        LoadOptions(windows_per_batch=0)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"compile: no C\+\+ compiler was found; apt install g\+\+"):
        Placement(CPU, torch.float32, compiles=True)
