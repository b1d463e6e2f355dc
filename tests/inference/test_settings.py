from dataclasses import replace
from typing import Any

import pytest

from talkvid.inference.settings import (
    GenerateSettings,
    LoadOptions,
    build,
    default_output,
    resolve,
)
from talkvid.model.bundle_config import BundleConfig

CONFIG = BundleConfig(
    fps=25.0,
    width=256,
    height=320,
    num_inference_steps=6,
    guidance_scale=1.0,
    context_frames=12,
    context_overlap=3,
    audio_attention_weight=2.0,
)


def test_what_is_not_said_comes_from_the_checkpoint() -> None:
    resolved = resolve(GenerateSettings(num_inference_steps=9), CONFIG)
    assert (resolved.image_width, resolved.image_height, resolved.fps) == (256, 320, 25.0)
    assert (resolved.num_inference_steps, resolved.context_frames, resolved.audio_attention_weight) == (
        9,
        12,
        2.0,
    )
    assert resolved.retarget_strategy == "fix_face" and resolved.seed == 42


def test_given_poses_are_used_unless_fix_face_was_asked_for() -> None:
    assert resolve(GenerateSettings(kps_path="k.pth"), CONFIG).retarget_strategy == "naive_retarget"
    asked = GenerateSettings(kps_path="k.pth", retarget_strategy="fix_face")
    assert resolve(asked, CONFIG).retarget_strategy == "fix_face"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"retarget_strategy": "naive"}, "retarget_strategy: 'naive'"),
        ({"retarget_strategy": "naive_retarget"}, "needs poses"),
        ({"image_width": 250}, "image_width"),
        ({"fps": float("nan")}, "fps"),
        ({"fps": 0}, "fps"),
        ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"guidance_scale": 0.5}, "guidance_scale"),
        ({"context_overlap": 12}, "context_overlap"),
        ({"context_overlap": -1}, "context_overlap"),
        ({"num_pad_audio_frames": 3}, "num_pad_audio_frames"),
        ({"standard_audio_sampling_rate": 44100}, "16000"),
        ({"audio_embeddings_type": "local"}, "global"),
        ({"framing": "legs"}, "framing"),
        ({"face": "0"}, "face"),
        ({"kps_path": "a", "driving_video": "b"}, "leave one of them out"),
    ],
)
def test_an_impossible_setting_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        resolve(GenerateSettings(**values), CONFIG)
    assert "\n" not in str(error.value)


def test_a_one_step_model_says_which_settings_it_does_not_use(caplog: pytest.LogCaptureFixture) -> None:
    config = replace(CONFIG, name="small", prediction_type="residual", num_inference_steps=1)
    resolved = resolve(GenerateSettings(num_inference_steps=25, guidance_scale=3.5), config)
    assert (resolved.num_inference_steps, resolved.guidance_scale) == (1, 1.0)
    assert "num_inference_steps 25 and guidance_scale 3.5 not used" in caplog.text
    caplog.clear()
    resolve(GenerateSettings(), config)
    assert not caplog.text


def test_options_that_exclude_each_other_are_an_error_and_never_a_quiet_nothing() -> None:
    with pytest.raises(ValueError, match="windows_per_batch"):
        LoadOptions(do_multi_devices_inference=True, windows_per_batch=2)


def test_the_commercial_safe_profile_refuses_insightface() -> None:
    with pytest.raises(ValueError, match="insightface"):
        LoadOptions(commercial_safe=True, face_backend="insightface")
    with pytest.raises(ValueError, match="insightface"):
        LoadOptions(commercial_safe=True, insightface_model_path="models")


def test_the_insightface_folder_chooses_that_backend() -> None:
    assert LoadOptions().face_backend_name == "embedded"
    assert LoadOptions(insightface_model_path="models").face_backend_name == "insightface"
    assert (
        LoadOptions(insightface_model_path="models", face_backend="embedded").face_backend_name == "embedded"
    )


def test_an_unknown_option_names_the_nearest_one() -> None:
    with pytest.raises(TypeError, match="guidance_scale"):
        build(GenerateSettings, {"guidance_scal": 2})


def test_the_default_output_is_named_after_both_inputs() -> None:
    assert str(default_output("a/anna.jpg", "b/hello.mp3")) == "output/anna_hello.mp4"
