"""Every layout of a checkpoint loads the same networks, and what is absent or wrong is named."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from talkvid.model.bundle import ModelBundle, build_bundle, load_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.checkpoints import NETWORKS, PartPaths, exported_modules, module_file_name
from talkvid.model.unet_config import UNetConfig
from talkvid.model.weights import save_weights
from tests import parity

UNET = UNetConfig(
    block_out_channels=(32, 64),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    attention_head_dim=4,
    cross_attention_dim=64,
    norm_num_groups=8,
)
CONFIG = replace(
    BundleConfig.published(UNET, speech_dim=24),
    modules={
        **BundleConfig.published(UNET, speech_dim=24).modules,
        "vae": ModuleSpec("autoencoder_kl", parity.CONFIGS["vae"]),
    },
    speech_encoder="log-mel",
)


@pytest.fixture(scope="module")
def model() -> ModelBundle:
    torch.manual_seed(0)
    return build_bundle(CONFIG)


@pytest.fixture
def release(model: ModelBundle, tmp_path: Path) -> Path:
    """A folder like model_ckpts/ after the published release was moved there."""
    root = tmp_path / "model_ckpts"
    (root / "v-express").mkdir(parents=True)
    for name in NETWORKS:
        state = model.modules[name].state_dict()
        motion = {key: value for key, value in state.items() if "motion_module" in key}
        torch.save({key: state[key] for key in state if key not in motion}, root / f"v-express/{name}.bin")
        if motion:
            torch.save(motion, root / "v-express/motion_module.bin")
    (root / "sd-vae-ft-mse").mkdir()
    weights = {key.removeprefix("network."): value for key, value in model.vae.state_dict().items()}
    save_file(weights, root / "sd-vae-ft-mse/diffusion_pytorch_model.safetensors")
    (root / "sd-vae-ft-mse/config.json").write_text(json.dumps(parity.CONFIGS["vae"]))
    (root / "stable-diffusion-v1-5/unet").mkdir(parents=True)
    values = {key: value for key, value in UNET.to_dict().items() if key != "motion"}
    (root / "stable-diffusion-v1-5/unet/config.json").write_text(json.dumps(values))
    (root / "wav2vec2-base-960h").mkdir()
    (root / "wav2vec2-base-960h/config.json").write_text("{}")
    return root


def same(first: ModelBundle, second: ModelBundle) -> bool:
    return all(
        torch.equal(a, b)
        for name in (*NETWORKS, "vae")
        for a, b in zip(
            first.modules[name].state_dict().values(),
            second.modules[name].state_dict().values(),
            strict=True,
        )
    )


def test_our_own_folder_gives_the_model_back(model: ModelBundle, tmp_path: Path) -> None:
    save_bundle(model, tmp_path)
    loaded = load_bundle(tmp_path)
    assert same(loaded, model)
    assert loaded.config == BundleConfig.from_file(tmp_path)
    assert loaded.speech_encoder == "log-mel"
    assert not any(parameter.requires_grad for parameter in loaded.denoising_unet.parameters())
    assert not loaded.denoising_unet.training


def test_weights_can_be_stored_and_loaded_in_half_precision(model: ModelBundle, tmp_path: Path) -> None:
    save_bundle(model, tmp_path, dtype=torch.float16)
    assert load_bundle(tmp_path, dtype=torch.bfloat16).denoising_unet.dtype == torch.bfloat16
    stored = load_file(tmp_path / "denoising_unet.safetensors")
    assert all(tensor.dtype == torch.float16 for tensor in stored.values())


@pytest.mark.parametrize("inner", ["", "v-express"])
def test_the_published_layout_loads(inner: str, model: ModelBundle, release: Path) -> None:
    loaded = load_bundle(release / inner, model_folder=release)
    assert same(loaded, model)
    assert (loaded.config.fps, loaded.config.num_pad_audio_frames) == (30.0, 2)
    assert loaded.speech_encoder == str(release / "wav2vec2-base-960h")


def test_the_denoiser_may_hold_its_temporal_layers_itself(model: ModelBundle, release: Path) -> None:
    torch.save(model.denoising_unet.state_dict(), release / "v-express/denoising_unet.bin")
    (release / "v-express/motion_module.bin").unlink()
    assert same(load_bundle(release), model)


def test_paths_of_networks_prevail(model: ModelBundle, release: Path) -> None:
    moved = release / "elsewhere.safetensors"
    save_weights(model.denoising_unet, moved)
    (release / "v-express/denoising_unet.bin").unlink()
    parts = PartPaths(denoising_unet_path=moved)
    assert same(load_bundle(None, parts=parts, model_folder=release), model)


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("v-express/reference_net.bin", "lacks reference_net.bin"),
        ("sd-vae-ft-mse", "image autoencoder .*sd-vae-ft-mse is missing.*--vae_path"),
        ("stable-diffusion-v1-5", "UNet config .*--unet_config_path"),
        ("wav2vec2-base-960h", "speech encoder .*--audio_encoder_path"),
    ],
)
def test_what_the_release_lacks_is_named_with_the_command(absent: str, message: str, release: Path) -> None:
    (release / absent).rename(release / "hidden")
    with pytest.raises(FileNotFoundError, match=message) as caught:
        load_bundle(release, model_folder=release)
    assert "bash scripts/download_models.sh" in str(caught.value)


def test_missing_temporal_layers_are_an_error(release: Path) -> None:
    (release / "v-express/motion_module.bin").unlink()
    with pytest.raises(ValueError, match=r"denoising_unet.bin: 0 unexpected keys and \d+ missing keys"):
        load_bundle(release)


def test_temporal_layers_of_another_length_are_an_error(release: Path) -> None:
    path = release / "v-express/motion_module.bin"
    motion = torch.load(path, weights_only=True)
    cut = {key: value[:, :24] if key.endswith(".pe") else value for key, value in motion.items()}
    torch.save(cut, path)
    with pytest.raises(ValueError, match=r"pos_encoder.pe is \(1, 24, 32\), the config says \(1, 32, 32\)"):
        load_bundle(release)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_training_run_loads_at_its_last_complete_step(
    suffix: str, model: ModelBundle, release: Path, tmp_path: Path
) -> None:
    run = tmp_path / "stage_2"
    run.mkdir()
    for step in (1, 20):
        for name in NETWORKS:
            path = run / module_file_name(name, step, suffix=suffix)
            state = model.modules[name].state_dict()
            save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    assert model.reference_net is not None
    save_weights(model.reference_net, run / module_file_name("reference_net", 30))
    assert list(exported_modules(run)) == [1, 20, 30]
    loaded = load_bundle(run, model_folder=release)
    assert same(loaded, model)
    assert loaded.files["denoising_unet"].name == f"denoising_unet-20{suffix}"
    assert loaded.config.fps == 24.0


def test_names_of_exports_are_those_the_reference_writes() -> None:
    assert module_file_name("denoising_unet", 40001, suffix=".pth") == "denoising_unet-40001.pth"


def test_stage_1_checkpoints_leave_out_what_that_stage_had_not_trained(release: Path) -> None:
    zeroed = load_bundle(release, test_stage="stage_1").denoising_unet.state_dict()
    parts = [key for key in zeroed if "temporal_transformer.proj_out" in key or "attn2.to_out" in key]
    assert parts and not any(zeroed[key].any() for key in parts)


def test_another_architecture_is_one_line(model: ModelBundle, tmp_path: Path) -> None:
    save_bundle(model, tmp_path)
    (tmp_path / "v_kps_guider.safetensors").replace(tmp_path / "denoising_unet.safetensors")
    with pytest.raises(ValueError, match="belongs to another architecture") as caught:
        load_bundle(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_autoencoder_with_other_channels_is_refused(model: ModelBundle, tmp_path: Path) -> None:
    save_bundle(ModelBundle(replace(model.config, latent_channels=8), model.modules), tmp_path)
    with pytest.raises(ValueError, match="4 latent channels, the checkpoint works with 8"):
        load_bundle(tmp_path)


def test_no_such_folder_and_no_file_for_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist: fetch the models"):
        load_bundle(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"is no folder of ours \(config.json\)"):
        load_bundle(tmp_path, model_folder=tmp_path / "none")
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="is a file: give the folder"):
        load_bundle(tmp_path / "net.bin")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"guidance_scal": 2}, "unknown key 'guidance_scal'; did you mean 'guidance_scale'?"),
        ({"prediction_type": "epsilon"}, "choose one of v_prediction, residual"),
        ({"context_overlap": 24}, "context_overlap must be from 0 to context_frames - 1 = 23"),
        ({"modules": {"vae": {"type": "x"}}}, "modules.vae must have the keys kind and config"),
    ],
)
def test_a_wrong_config_is_refused_by_name(values: dict[str, object], message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        BundleConfig.from_file(tmp_path)


def test_an_unknown_kind_of_network_is_refused() -> None:
    config = BundleConfig(modules={"vae": ModuleSpec("small_autoencodr")})
    with pytest.raises(ValueError, match="'small_autoencodr' is not known; did you mean 'small_autoencoder'"):
        build_bundle(config)


def test_loading_temporal_layers_does_not_load_torchs_compiler(tmp_path: Path) -> None:
    small = {"vae": ModuleSpec("small_autoencoder", {})}
    made = build_bundle(replace(CONFIG, modules={**CONFIG.modules, **small}, latent_channels=8))
    assert any(name.endswith("pos_encoder.pe") for name in made.denoising_unet.state_dict())
    save_bundle(made, tmp_path)
    # Once: the table of positions, made where networks have no memory, cost 1.5 s of imports.
    code = "import sys; from talkvid.model.bundle import load_bundle; load_bundle(sys.argv[1]); "
    code += "sys.exit('torch._dynamo' in sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
