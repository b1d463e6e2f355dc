"""The whole pipeline on tiny networks against numbers of the reference implementation."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkvid.diffusion.sampler import stream_latents
from talkvid.face.keypoints import draw_vkps
from talkvid.inference.device import Placement
from talkvid.inference.pipeline import Pipeline
from talkvid.inference.scene import Scene, build_conditions
from talkvid.inference.settings import GenerateSettings, VideoSettings, resolve
from talkvid.inference.timing import Timings
from talkvid.media.image import resize
from talkvid.model.audio_projection import AudioProjection
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import DiffusersVae, ImageAutoencoder
from talkvid.model.weights import load_state
from talkvid.speech.features import TransformersEncoder
from tests import parity

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = Path(__file__).parents[1] / "data" / "parity"
WEIGHTS = DATA / "weights"
CONFIGS: dict[str, Any] = json.loads((DATA / "configs.json").read_text())
LATENT_TOLERANCE = 1e-4
VIDEO_TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return load_file(DATA / "pipeline.safetensors")


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    guider = CONFIGS["v_kps_guider"]
    bundle = SimpleNamespace(
        config=BundleConfig(context_frames=6, context_overlap=2),
        reference_net=ReferenceNet(UNetConfig.from_dict(CONFIGS["reference_net"])),
        denoising_unet=DenoisingUNet(UNetConfig.from_dict(CONFIGS["denoising_unet"])),
        v_kps_guider=VKpsGuider(
            guider["conditioning_embedding_channels"], block_channels=guider["block_out_channels"]
        ),
        audio_projection=AudioProjection(**CONFIGS["audio_projection"]),
    )
    for name in ("reference_net", "denoising_unet", "v_kps_guider", "audio_projection"):
        load_state(getattr(bundle, name), parity.state(name), source=name)
    bundle.vae = DiffusersVae(CONFIGS["vae"])
    load_state(bundle.vae.network, load_file(WEIGHTS / "vae.safetensors"), source="vae")
    for module in (bundle.reference_net, bundle.denoising_unet, bundle.vae):
        module.eval().requires_grad_(False)
    return Pipeline(bundle, Placement(torch.device("cpu"), torch.float32))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def speech(golden: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("wav2vec2")
    model = Wav2Vec2Model(Wav2Vec2Config(**CONFIGS["audio_encoder"]))
    stored = {key: value.float() for key, value in load_file(WEIGHTS / "audio_encoder.safetensors").items()}
    model.load_state_dict(stored, strict=False)
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
    return TransformersEncoder(folder).encode(golden["in.waveform"].numpy())


@pytest.fixture(scope="module")
def scene(golden: dict[str, Tensor], speech: Tensor) -> Scene:
    return Scene(golden["mid.reference_image_uint8"].numpy(), speech, golden["in.kps"].double().numpy())


def settings_of(case: str) -> VideoSettings:
    guided = case == "cfg"
    return resolve(
        GenerateSettings(
            num_inference_steps=4 if guided else 2,
            guidance_scale=3.5 if guided else 1.0,
            reference_attention_weight=0.95 if guided else 1.0,
            audio_attention_weight=3.0 if guided else 1.0,
            context_frames=6,
            context_overlap=2,
        ),
        BundleConfig(),
    )


def test_the_resized_portrait_is_that_of_the_reference(golden: dict[str, Tensor]) -> None:
    """Two levels of 255: Pillow itself changed its Lanczos arithmetic since the numbers were made."""
    ours = torch.from_numpy(resize(golden["in.reference_image_uint8"].numpy(), 128, 64)).int()
    assert int((ours - golden["mid.reference_image_uint8"].int()).abs().max()) <= 2


def test_the_key_point_pictures_equal_the_reference(golden: dict[str, Tensor], scene: Scene) -> None:
    for frame in range(14):
        drawn = draw_vkps(scene.poses[frame], 128, 64)
        assert torch.equal(torch.from_numpy(drawn), golden["in.kps_images_uint8"][frame])


def test_conditions_equal_the_reference(golden: dict[str, Tensor], scene: Scene, pipeline: Pipeline) -> None:
    conditions = build_conditions(pipeline.bundle, pipeline.placement, scene, settings_of("cfg"))
    window = conditions.window(range(14))
    assert window.audio_tokens is not None and window.kps_features is not None
    torch.testing.assert_close(window.audio_tokens, golden["mid.audio_tokens"], atol=2e-5, rtol=0)
    torch.testing.assert_close(window.kps_features, golden["mid.kps_feature"], atol=2e-5, rtol=0)


@pytest.mark.parametrize("case", ["cfg", "nocfg"])
def test_latents_after_each_step_and_the_video_equal_the_reference(
    case: str, golden: dict[str, Tensor], scene: Scene, pipeline: Pipeline
) -> None:
    settings = settings_of(case)
    steps = settings.num_inference_steps
    conditions = build_conditions(pipeline.bundle, pipeline.placement, scene, settings)
    predict = pipeline.predictor(settings, conditions, pipeline.project_reference(scene.portrait))
    initial = golden[f"{case}/latents_init"][0]
    take_step = pipeline.update(settings)
    done: list[list[Tensor]] = [[] for _ in range(steps)]

    def update(prediction: Tensor, latents: Tensor, step: int) -> Tensor:
        stepped = take_step(prediction, latents, step)
        done[step].append(stepped)
        return stepped

    stream = stream_latents(
        14, steps, size=6, overlap=2, predict=predict, update=update, initial=lambda frame: initial[:, frame]
    )
    final = torch.stack([latents for _, latents in stream])
    for step in range(steps):
        ours = torch.cat(done[step], dim=1)
        stored = golden[f"{case}/latents_after_step_{step}"][0]
        difference = float((ours - stored).abs().max())
        print(f"{case} latents after step {step}: largest difference {difference:.2e}")
        assert difference <= LATENT_TOLERANCE
    with torch.no_grad():
        video = cast(ImageAutoencoder, pipeline.bundle.vae).decode(final).permute(1, 0, 2, 3)
    difference = float((video - golden[f"{case}/video"][0]).abs().max())
    print(f"{case} video: largest difference {difference:.2e}")
    assert difference <= VIDEO_TOLERANCE


def test_frames_do_not_depend_on_the_windows_order_or_on_saving_memory(
    scene: Scene, pipeline: Pipeline
) -> None:
    settings = settings_of("cfg")
    timings = Timings()
    frames = list(pipeline.frames(scene, settings, timings))
    assert len(frames) == 14 and frames[0].shape == (64, 128, 3)
    assert {"reference", "denoising", "decoding"} <= set(timings.seconds)
    saving = Pipeline(pipeline.bundle, Placement(torch.device("cpu"), torch.float32, saves_memory=True))
    for _ in range(2):
        again = list(saving.frames(scene, settings, Timings()))
        worst = max(int(abs(a.astype(int) - b.astype(int)).max()) for a, b in zip(frames, again, strict=True))
        assert worst <= 1
