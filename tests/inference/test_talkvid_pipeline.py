"""The pipeline in diffusers' manner makes the frames of `TalkVidInference`, from files and from arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from talkvid import TalkVidInference, TalkVidPipeline
from talkvid.inference.given import mono_samples, picture_array
from talkvid.inference.output import TalkVidPipelineOutput, uint8_frames
from talkvid.media.audio import duration_s, load_audio
from talkvid.media.video import read_frames
from talkvid.records import Array
from tests.inference.conftest import write_sound

SAMPLE = Path(__file__).parents[2] / "test_samples" / "short_case" / "astronaut"
FRAMES = 10


@pytest.fixture
def pipe(tiny_checkpoint: Path, planted: None) -> TalkVidPipeline:
    return TalkVidPipeline.from_pretrained(tiny_checkpoint, device="cpu")


@pytest.fixture
def speech(sound: Callable[[float], Path]) -> Path:
    return sound(0.4)


def made(pipe: TalkVidPipeline, *args: Any, **settings: Any) -> TalkVidPipelineOutput:
    output = pipe(*args, **settings)
    assert isinstance(output, TalkVidPipelineOutput)
    return output


def same(first: list[Array], second: list[Array]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(*pair) for pair in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_its_frames_are_those_of_the_generator_bit_for_bit(
    pipe: TalkVidPipeline, tiny_checkpoint: Path, portrait: Path, speech: Path, output_type: str
) -> None:
    settings: dict[str, Any] = {"num_inference_steps": 3, "guidance_scale": 1.5, "seed": 11}
    expected = list(
        TalkVidInference(tiny_checkpoint, device="cpu").generate_stream(portrait, speech, **settings)
    )
    video = made(pipe, portrait, speech, output_type=output_type, **settings).frames[0]
    assert len(expected) == FRAMES and same(uint8_frames(video), expected)
    shapes = {"np": (FRAMES, 64, 64, 3), "pt": (FRAMES, 3, 64, 64)}
    if output_type in shapes:
        assert tuple(video.shape) == shapes[output_type] and video.min() >= 0 and video.max() <= 1
    else:
        assert isinstance(video[0], Image.Image)
    other = made(pipe, portrait, speech, **{**settings, "seed": 12}).frames[0]
    assert not same(uint8_frames(other), expected)


def test_the_embedded_model_makes_the_same_frames_from_arrays_as_from_files(tmp_path: Path) -> None:
    speech = write_sound(tmp_path / "speech.wav", 0.16)
    samples = load_audio(speech, rate=16000)
    expected = list(TalkVidInference(device="cpu").generate_stream(SAMPLE / "ref.png", speech))
    pipe = TalkVidPipeline.from_pretrained(device="cpu")
    with Image.open(SAMPLE / "ref.png") as picture:
        output = made(pipe, picture, samples, sampling_rate=16000)
    assert same(uint8_frames(output.frames[0]), expected) and len(expected) == 4
    assert output.fps == 25 and output.sampling_rate == 16000 and np.array_equal(output.audio, samples)
    assert same(list(pipe.stream(SAMPLE / "ref.png", samples, sampling_rate=16000)), expected)


def test_a_generator_gives_its_seed_and_names_of_sizes_are_known(
    pipe: TalkVidPipeline, portrait: Path, speech: Path
) -> None:
    first = made(pipe, portrait, speech, generator=torch.Generator().manual_seed(7), height=72, width=96)
    second = made(pipe, portrait, speech, seed=7, image_height=72, image_width=96)
    assert first.frames[0][0].size == (96, 72)
    assert same(uint8_frames(first.frames[0]), uint8_frames(second.frames[0]))
    with pytest.raises(ValueError, match="both give the seed"):
        pipe(portrait, speech, seed=1, generator=torch.Generator())
    assert isinstance(pipe(portrait, speech, return_dict=False), tuple)


def test_every_window_and_step_calls_back_and_may_end_the_call(
    pipe: TalkVidPipeline, portrait: Path, speech: Path
) -> None:
    seen: list[tuple[int, int, tuple[int, ...]]] = []

    def tell(who: TalkVidPipeline, step: int, timestep: int, values: dict[str, Any]) -> dict[str, Any]:
        assert who is pipe
        seen.append((step, timestep, tuple(values["frames"])))
        return {}

    pipe(portrait, speech, num_inference_steps=2, callback_on_step_end=tell)
    assert {step for step, _, _ in seen} == {0, 1} and len(seen) == len(set(seen)) == 4
    assert {frame for _, _, frames in seen for frame in frames} == set(range(FRAMES))
    assert all(first[1] > second[1] for first in seen for second in seen if first[0] < second[0])

    def stop(who: TalkVidPipeline, step: int, timestep: int, values: dict[str, Any]) -> None:
        if step == 1 and max(values["frames"]) == FRAMES - 1:
            who.interrupt()

    cut = made(pipe, portrait, speech, output_type="np", callback_on_step_end=stop).frames[0]
    whole = made(pipe, portrait, speech, output_type="np").frames[0]
    assert 0 < len(cut) < FRAMES and np.array_equal(cut, whole[: len(cut)])


def test_what_is_saved_has_the_sound_and_says_that_it_is_synthetic(
    pipe: TalkVidPipeline, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    output = made(pipe, portrait, speech, output_type="np")
    path = output.save(tmp_path / "out.mp4")
    assert len(list(read_frames(path))) == FRAMES and duration_s(path) == pytest.approx(0.4, abs=0.05)
    side = (tmp_path / "out.mp4.json").read_text()
    assert '"synthetic": true' in side and '"seed": 42' in side and "anna.png" in side
    assert b"AI-generated" in path.read_bytes()
    silent = made(pipe, Image.open(portrait), load_audio(speech, rate=16000), sampling_rate=16000)
    assert silent.save(tmp_path / "arrays.mp4").is_file()
    none = TalkVidPipelineOutput([[]], output.audio, 16000, 25.0, about=output.about)
    with pytest.raises(ValueError, match="no frames to write"):
        none.save(tmp_path / "none.mp4")


def test_diffusers_own_helper_writes_the_frames(
    pipe: TalkVidPipeline, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    from diffusers.utils import export_to_video

    for output_type in ("pil", "np"):
        output = made(pipe, portrait, speech, output_type=output_type)
        target = str(tmp_path / f"{output_type}.mp4")
        try:
            export_to_video(output.frames[0], target, fps=int(output.fps))
        except ImportError as error:
            pytest.skip(f"diffusers' helper wants more packages ({error})")
        assert len(list(read_frames(target))) == FRAMES


def test_it_moves_to_a_precision_and_refuses_what_is_not_there(
    pipe: TalkVidPipeline, tiny_checkpoint: Path, portrait: Path, speech: Path
) -> None:
    full = made(pipe, portrait, speech).frames[0]
    assert pipe.to("cpu", torch.bfloat16) is pipe and pipe.dtype == torch.bfloat16
    assert not same(uint8_frames(made(pipe, portrait, speech).frames[0]), uint8_frames(full))
    assert next(pipe.components["denoising_unet"].parameters()).dtype == torch.bfloat16
    pipe.to(torch.float32)
    plain = TalkVidInference(tiny_checkpoint, device="cpu", dtype="fp32").generate_stream(portrait, speech)
    assert same(uint8_frames(made(pipe, portrait, speech).frames[0]), list(plain))
    named = TalkVidPipeline.from_pretrained(tiny_checkpoint, device="cpu", torch_dtype=torch.bfloat16)
    assert named.dtype == torch.bfloat16 and named.device.type == "cpu" and named.config.name == "tiny"
    with pytest.raises(ValueError, match="fp16: not for a CPU"):
        pipe.to(torch.float16)
    with pytest.raises(ValueError, match=r"use torch\.float16, torch.bfloat16 or torch.float32"):
        pipe.to(torch.float64)
    with pytest.raises(ValueError, match="the networks are on the CPU"):
        pipe.enable_model_cpu_offload()


def test_a_saved_pipeline_opens_again(
    pipe: TalkVidPipeline, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    expected = made(pipe, portrait, speech).frames[0]
    pipe.save_pretrained(tmp_path / "saved")
    again = TalkVidPipeline.from_pretrained(tmp_path / "saved", device="cpu")
    assert same(uint8_frames(made(again, portrait, speech).frames[0]), uint8_frames(expected))


def test_pictures_of_every_kind_are_the_same_picture(portrait: Path) -> None:
    with Image.open(portrait) as picture:
        pixels = picture_array(picture)
    floating = pixels.astype(np.float32) / 255
    tensor = torch.from_numpy(floating).permute(2, 0, 1)
    for given in (
        pixels,
        pixels[None],
        floating,
        tensor,
        tensor[None],
        tensor.mul(255).round().to(torch.uint8),
    ):
        assert np.array_equal(picture_array(given), pixels)


def test_sound_of_every_kind_is_mono() -> None:
    wave = np.linspace(-1, 1, 100, dtype=np.float32)
    for given in (wave, torch.from_numpy(wave), np.stack([wave, wave]), wave.astype(np.float64)):
        samples, rate = mono_samples(given, 8000)
        assert np.allclose(samples, wave) and samples.dtype == np.float32 and rate == 8000
    assert mono_samples({"array": wave, "sampling_rate": 24000}, None)[1] == 24000
    assert mono_samples(np.array([-32768, 16384], np.int16), 1)[0].tolist() == [-1.0, 0.5]


@pytest.mark.parametrize(
    ("image", "audio", "rate", "told"),
    [
        ([1], "a.wav", None, "image: a path, a PIL picture, an array or a tensor is needed, got list"),
        (np.zeros((2, 8, 8, 3), np.uint8), "a.wav", None, "one picture of the shape"),
        (np.full((8, 8, 3), 2.0), "a.wav", None, "floating from 0 to 1"),
        (np.zeros((8, 8, 3), np.int64), "a.wav", None, "values are uint8"),
        ("a.png", [0.1], 16000, "audio: a path, an array or a tensor is needed, got list"),
        ("a.png", np.zeros(9, np.float32), None, "samples need their rate"),
        ("a.png", np.zeros(9, np.int64), 16000, "floating"),
        ("a.png", np.array([np.nan], np.float32), 16000, "that are numbers"),
        ("a.png", np.zeros(0, np.float32), 16000, "samples"),
        ("a.png", "a.wav", 16000, "a file of sound tells its own"),
        ("a.png", {"array": np.zeros(9, np.float32), "sampling_rate": 8000}, 16000, "differs from 8000"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    pipe: TalkVidPipeline, image: Any, audio: Any, rate: int | None, told: str
) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        pipe(image, audio, sampling_rate=rate)
    assert "\n" not in str(caught.value)


def test_a_stream_that_is_closed_leaves_no_file_behind(
    pipe: TalkVidPipeline, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pipe.stream(portrait, np.zeros(16000, np.float32), sampling_rate=16000) as stream:
        assert stream.num_frames == len(stream) == 25 and next(stream).shape == (64, 64, 3)
        assert list(tmp_path.glob("talkvid-*/speech.wav"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="image: one picture"):
        pipe.stream(np.zeros((4, 4), np.uint8), np.zeros(9, np.float32), sampling_rate=16000)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_form_of_output_is_refused_before_any_work(
    pipe: TalkVidPipeline, portrait: Path, speech: Path
) -> None:
    with pytest.raises(ValueError, match="output_type: 'latent' is not supported; use pil"):
        pipe(portrait, speech, output_type="latent")
    with pytest.raises(TypeError, match="unknown option 'negative_prompt'"):
        pipe(portrait, speech, negative_prompt="blurry")
