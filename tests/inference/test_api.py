import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from talkvid import TalkVidInference
from talkvid.inference.conditions import FrameCache, PictureFeatures, PlainConditions
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import ModuleSpec

from .conftest import TINY_CONFIG, PlantedDetector

pytestmark = pytest.mark.usefixtures("planted")
AAC_FRAME = 1024


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> TalkVidInference:
    return TalkVidInference(tiny_checkpoint, device="cpu")


def frames_and_sound(path: os.PathLike[str]) -> tuple[int, float, float]:
    """Return the number of frames, the start of the sound and its length in samples of 16 kHz."""
    with av.open(os.fspath(path)) as container:
        count = sum(1 for _ in container.decode(video=0))
    with av.open(os.fspath(path)) as container:
        frames = list(container.decode(audio=0))
    first = frames[0]
    assert first.time is not None
    return count, first.time, sum(frame.samples for frame in frames)


@pytest.mark.parametrize(
    ("seconds", "fps", "expected"),
    [
        (0.04, None, 1),
        (0.004, None, 1),
        (0.52, None, 13),
        (1.433, 30.0, 43),
        (1.433, 25.0, 36),
        (2.0, 23.976, 48),
    ],
)
def test_the_video_has_exactly_the_frames_of_the_rule_and_the_whole_sound(
    model: TalkVidInference,
    portrait: Path,
    sound: Callable[[float], Path],
    tmp_path: Path,
    seconds: float,
    fps: float | None,
    expected: int,
) -> None:
    """The reference crashes below one window and lowers the frame rate to fit; both are corrected."""
    result = model.generate(portrait, sound(seconds), tmp_path / "out.mp4", fps=fps, num_inference_steps=1)
    count, start_s, samples = frames_and_sound(result)
    assert count == result.num_frames == expected
    assert result.fps == (fps or 25.0)
    assert abs(start_s) < 1e-3
    assert abs(samples - expected / result.fps * 16000) <= 2 * AAC_FRAME


def test_one_object_makes_many_videos_also_when_it_saves_memory(
    tiny_checkpoint: Path, portrait: Path, sound: Callable[[float], Path], tmp_path: Path
) -> None:
    """The reference deletes its networks to save memory and fails in the second call."""
    model = TalkVidInference(tiny_checkpoint, device="cpu", save_gpu_memory=True)
    speech = sound(0.4)
    first = model.generate(portrait, speech, tmp_path / "a.mp4")
    second = model.generate(portrait, speech, tmp_path / "b.mp4")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_seed_and_window_say_everything_about_the_noise(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], tmp_path: Path
) -> None:
    speech = sound(0.2)
    one = model.generate(portrait, speech, tmp_path / "1.mp4", seed=1)
    same = model.generate(portrait, speech, tmp_path / "2.mp4", seed=1)
    other = model.generate(portrait, speech, tmp_path / "3.mp4", seed=2)
    assert one.path.read_bytes() == same.path.read_bytes() != other.path.read_bytes()


def test_the_side_car_tells_how_to_make_the_video_again(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], tmp_path: Path
) -> None:
    result = model.generate(
        reference_image=portrait, audio_file=sound(0.2), output_path=tmp_path / "out.mp4", seed=5, label=True
    )
    assert result.sidecar == tmp_path / "out.mp4.json"
    content = json.loads(result.sidecar.read_text())
    assert content["synthetic"] is True and content["seed"] == 5 and content["settings"]["label"] is True
    assert content["num_frames"] == 5 and content["model"]["name"] == "tiny"
    assert len(content["model"]["weights"]) == 5
    assert len(content["inputs"]["audio"]["sha256"]) == 64 and "torch" in content["versions"]
    assert {
        "inputs",
        "portrait",
        "loading",
        "speech",
        "reference",
        "denoising",
        "decoding",
        "encoding",
        "total",
    } <= set(content["timings_s"])
    with av.open(os.fspath(result)) as container:
        assert "synthetic" in container.metadata["comment"].lower()


@pytest.mark.parametrize(
    ("abilities", "dtype", "expected"),
    [({"avx512_bf16": True}, None, "bf16"), ({}, None, "fp32"), ({"avx512_bf16": True}, "fp32", "fp32")],
)
def test_side_car_and_log_tell_the_precision_of_the_autoencoder(
    tiny_checkpoint: Path,
    portrait: Path,
    sound: Callable[[float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    abilities: dict[str, bool],
    dtype: str | None,
    expected: str,
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: abilities, raising=False)
    model = TalkVidInference(tiny_checkpoint, device="cpu", dtype=dtype)
    with caplog.at_level("INFO", "talkvid"):
        result = model.generate(portrait, sound(0.04), tmp_path / "out.mp4", num_inference_steps=1)
    content = json.loads(result.sidecar.read_text())
    assert (content["dtype"], content["autoencoder_dtype"]) == ("fp32", expected)
    assert ("autoencoder computes in bf16" in caplog.text) == (expected == "bf16")
    vae = model._load().vae
    assert next(vae.parameters()).dtype == {"bf16": torch.bfloat16, "fp32": torch.float32}[expected]


def test_the_whole_picture_may_be_kept(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], tmp_path: Path
) -> None:
    result = model.generate(portrait, sound(0.1), tmp_path / "out.mp4", keep_frame=True)
    with av.open(os.fspath(result)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert frame.shape == (120, 160, 3)
    assert abs(int(frame[60, 157, 0]) - 250) < 12


def test_a_picture_of_another_shape_is_made_on_request(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], tmp_path: Path
) -> None:
    result = model.generate(portrait, sound(0.1), tmp_path / "out.mp4", image_width=96, image_height=64)
    with av.open(os.fspath(result)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (96, 64)


def test_an_older_video_stays_until_the_new_one_is_complete(
    model: TalkVidInference,
    portrait: Path,
    sound: Callable[[float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"older")
    calls = 0
    pictures = PlainConditions.pictures

    def failing(self: PlainConditions, frames: Any, latents: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("out of memory")
        return pictures(self, frames, latents)

    monkeypatch.setattr(PlainConditions, "pictures", failing)
    speech = sound(1.0)
    with pytest.raises(RuntimeError, match="out of memory"):
        model.generate(portrait, speech, target)
    assert target.read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", speech.name]


def test_a_window_longer_than_the_position_table_is_refused_before_the_weights_are_read(
    tiny_checkpoint: Path, portrait: Path, sound: Callable[[float], Path], tmp_path: Path
) -> None:
    """The reference dies inside the network with a shape error."""
    model = TalkVidInference(tiny_checkpoint, device="cpu")
    with pytest.raises(ValueError, match="8 frames at most"):
        model.generate(portrait, sound(1.0), tmp_path / "out.mp4", context_frames=9)
    assert model._bundle is None


def test_a_picture_without_a_face_is_named(
    tiny_checkpoint: Path,
    portrait: Path,
    sound: Callable[[float], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reference answers with a bare IndexError."""
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector())
    with pytest.raises(ValueError, match=r"anna\.png.*no face"):
        TalkVidInference(tiny_checkpoint, device="cpu").generate(portrait, sound(0.2), tmp_path / "out.mp4")
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(60, 50))
    model = TalkVidInference(tiny_checkpoint, device="cpu")
    with pytest.raises(ValueError, match="--face"):
        model.generate(portrait, sound(0.2), tmp_path / "out.mp4")
    assert model.generate(portrait, sound(0.1), tmp_path / "out.mp4", face="largest").num_frames == 3


def test_the_output_is_never_an_input(model: TalkVidInference, portrait: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"some video")
    with pytest.raises(ValueError, match="is an input"):
        model.generate(portrait, clip, clip)
    with pytest.raises(ValueError, match=r"\.mp4"):
        model.generate(portrait, clip, tmp_path / "out.avi")


def test_a_checkpoint_of_another_architecture_is_refused_by_key(
    tmp_path: Path, portrait: Path, sound: Callable[[float], Path]
) -> None:
    spec = TINY_CONFIG.modules["audio_projection"]
    wider = ModuleSpec(spec.kind, {**spec.config, "depth": 2})
    save_bundle(build_bundle(TINY_CONFIG), tmp_path / "model")
    replace(TINY_CONFIG, modules={**TINY_CONFIG.modules, "audio_projection": wider}).to_file(
        tmp_path / "model" / "config.json"
    )
    with pytest.raises(ValueError, match=r"audio_projection\.safetensors.*layers\.1"):
        TalkVidInference(tmp_path / "model", device="cpu").generate(
            portrait, sound(0.1), tmp_path / "out.mp4"
        )
    assert not (tmp_path / "out.mp4").exists()


def test_unknown_options_are_named(
    tiny_checkpoint: Path, portrait: Path, sound: Callable[[float], Path]
) -> None:
    with pytest.raises(TypeError, match="dtype"):
        TalkVidInference(tiny_checkpoint, dtyp="fp32")
    with pytest.raises(TypeError, match="seed"):
        TalkVidInference(tiny_checkpoint, device="cpu").generate(portrait, sound(0.1), "out.mp4", sed=1)


def test_weights_that_forbid_commercial_use_are_refused_in_the_safe_profile(tmp_path: Path) -> None:
    (tmp_path / "vae.safetensors").touch()
    replace(TINY_CONFIG, commercial_use=False, license="CC BY-NC 4.0").to_file(tmp_path / "config.json")
    with pytest.raises(ValueError, match="CC BY-NC"):
        TalkVidInference(tmp_path, device="cpu", commercial_safe=True)


def test_memory_does_not_grow_with_the_length(
    model: TalkVidInference, portrait: Path, sound: Callable[[float], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The conditions under way are counted at every decoding: 12 s hold as few as 3 s."""
    most = {"tokens": 0, "pictures": 0}
    get_tokens, get_pictures = FrameCache.get, PictureFeatures.get

    def tokens(self: Any, frames: Any) -> Any:
        values = get_tokens(self, frames)
        most["tokens"] = max(most["tokens"], len(self))
        return values

    def pictures(self: Any, frames: Any) -> Any:
        values = get_pictures(self, frames)
        most["pictures"] = max(most["pictures"], len(self))
        return values

    monkeypatch.setattr(FrameCache, "get", tokens)
    monkeypatch.setattr(PictureFeatures, "get", pictures)
    held = []
    for seconds in (3.0, 9.0):
        moving = np.array([[[20, 25], [44, 25], [32, 36]]], float) + np.arange(100)[:, None, None] % 7
        np.save(tmp_path / "kps.npy", moving)
        model.generate(
            portrait, sound(seconds), tmp_path / "out.mp4",
            kps_path=tmp_path / "kps.npy", kps_fps=25, kps_size="64x64", retarget_strategy="no_retarget",
        )  # fmt: skip
        held.append(dict(most))
    assert held[0] == held[1]
    assert most["tokens"] <= 24
