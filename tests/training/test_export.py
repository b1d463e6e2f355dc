"""An export is a whole folder or none, loads in both layouts, and its card tells what is known."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from talkvid.cli.main import main
from talkvid.model.bundle import ModelBundle, build_bundle, load_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.checkpoints import NETWORKS
from talkvid.model.unet_config import UNetConfig
from talkvid.training.export import export_checkpoint
from talkvid.training.run import run_training
from tests import parity
from tests.training.synthetic import Settings

FIVE = tuple(f"{name}.bin" for name in (*NETWORKS, "motion_module"))


def small_config() -> BundleConfig:
    unet = UNetConfig.from_dict(parity.CONFIGS["denoising_unet"])
    config = BundleConfig.published(unet, speech_dim=48, fps=24.0, speech_encoder="log-mel")
    vae = ModuleSpec("autoencoder_kl", parity.CONFIGS["vae"])
    return replace(config, name="small", modules={**config.modules, "vae": vae})


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of ours whose four networks have the sizes that the release's layout implies."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    save_bundle(build_bundle(small_config()), folder)
    return folder


def same(first: ModelBundle, second: ModelBundle) -> bool:
    return all(
        torch.equal(tensor, second.modules[name].state_dict()[key])
        for name, module in first.modules.items()
        for key, tensor in module.state_dict().items()
    )


def test_the_five_files_hold_what_the_reference_writes_and_load_again(stored: Path, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    export_checkpoint(stored, folder, layout="v-express")
    assert set(FIVE) <= {path.name for path in folder.iterdir()}
    states = {name: torch.load(folder / name, weights_only=True) for name in FIVE}
    motion = states["motion_module.bin"]
    # The denoiser holds the temporal layers as well, as checkpoint_files.json says of the reference's files.
    assert motion and all("motion_module" in key for key in motion)
    whole = states["denoising_unet.bin"]
    assert {key for key in whole if "motion_module" in key} == set(motion)
    assert same(load_bundle(stored), load_bundle(folder))
    unet = json.loads((folder / "unet_config.json").read_text())
    assert unet["block_out_channels"] == [32, 32, 64, 64] and "motion" not in unet


def test_the_five_files_alone_load_as_the_published_release_does(stored: Path, tmp_path: Path) -> None:
    export_checkpoint(stored, tmp_path / "all", layout="v-express")
    root = tmp_path / "model_ckpts"
    (root / "v-express").mkdir(parents=True)
    for name in FIVE:
        (tmp_path / "all" / name).rename(root / "v-express" / name)
    (root / "stable-diffusion-v1-5/unet").mkdir(parents=True)
    (tmp_path / "all" / "unet_config.json").rename(root / "stable-diffusion-v1-5/unet/config.json")
    (root / "wav2vec2-base-960h").mkdir()
    (root / "wav2vec2-base-960h/config.json").write_text("{}")
    (root / "sd-vae-ft-mse").mkdir()
    (root / "sd-vae-ft-mse/config.json").write_text(json.dumps(parity.CONFIGS["vae"]))
    weights = {
        key.removeprefix("network."): value for key, value in load_file(stored / "vae.safetensors").items()
    }
    torch.save(weights, root / "sd-vae-ft-mse/diffusion_pytorch_model.bin")
    assert same(load_bundle(stored), load_bundle(root, model_folder=root))


def test_half_precision_is_stored_as_asked(stored: Path, tmp_path: Path) -> None:
    for layout in ("talkvid", "v-express"):
        export_checkpoint(stored, tmp_path / layout, layout=layout, dtype=torch.float16)
        assert load_bundle(tmp_path / layout).denoising_unet.dtype == torch.float32
    tensors = torch.load(tmp_path / "v-express" / "denoising_unet.bin", weights_only=True).values()
    assert {tensor.dtype for tensor in tensors} == {torch.float16}
    assert "stored as float16" in (tmp_path / "talkvid" / "README.md").read_text()


def test_a_card_without_a_training_has_honest_blanks(stored: Path, tmp_path: Path) -> None:
    export_checkpoint(stored, tmp_path / "new")
    card = (tmp_path / "new" / "README.md").read_text()
    for line in ("| base | not recorded |", "| clips | not recorded |", "| last validation | not recorded |"):
        assert line in card
    assert "Not recorded. The licences of the base" in card
    assert same(load_bundle(stored), load_bundle(tmp_path / "new"))


def test_nothing_appears_when_the_export_fails_and_nothing_is_overwritten(
    stored: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    save_bundle(load_bundle(stored), broken)
    (broken / "reference_net.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="reference_net"):
        export_checkpoint(broken, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
    with pytest.raises(ValueError, match=r"broken: the output folder is not empty"):
        export_checkpoint(stored, broken)
    with pytest.raises(ValueError, match="the output is a file"):
        export_checkpoint(stored, stored / "config.json")


def test_a_model_of_another_kind_cannot_take_the_published_layout(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="'talkvid-mini' cannot take the layout v-express: it is a model of another"
    ):
        export_checkpoint(None, tmp_path / "out", layout="v-express")
    assert list(tmp_path.iterdir()) == []


def test_a_fine_tune_is_exported_by_the_command_with_a_card_that_knows_it(
    settings: Settings, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    pytest.importorskip("peft")
    run_training(settings(1, "run.max_steps=1"))
    base = tmp_path / "exp" / "drawn" / "stage_1"
    looks = [
        f"validation.meta_paths=[{drawn / 'train.json'}]",
        "validation.every=1",
        "validation.num_videos=0",
    ]
    run_training(
        settings(1, "run.train=me", "run.save_every=1", f"model.start_from={base}", "lora.rank=2", *looks)
    )
    run = tmp_path / "exp" / "me" / "stage_1"
    assert main(["models", "export", "--checkpoint", str(run), "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for line in (
        "| base | drawn-stage_1 |",
        "| name | me |",
        "| clips | 3 |",
        "| step | 2 |",
        "rank 2, alpha 2",
    ):
        assert line in card, line
    assert "| last validation | not" not in card and str(tmp_path) not in card
    assert same(load_bundle(run), load_bundle(tmp_path / "out"))
    # The adapters alone, on their base, are the same model.
    command = ["models", "export", "--checkpoint", str(base), "--lora", str(run / "lora-2.safetensors")]
    with caplog.at_level(logging.WARNING):
        assert main([*command, "--output", str(tmp_path / "joined"), "--layout", "v-express"]) == 0
    assert "v_kps_guider has other sizes than the release" in caplog.text
    assert same(load_bundle(run), load_bundle(tmp_path / "joined"))
    assert (
        main(["models", "export", "--checkpoint", str(run), "--output", str(tmp_path / "old"), "--step", "1"])
        == 0
    )
    assert not same(load_bundle(run), load_bundle(tmp_path / "old"))


def test_mixed_up_flags_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "export", "--checkpoint", "x"]) == 2
    assert "needs --checkpoint and --output" in capsys.readouterr().err
    assert main(["models", "--checkpoint", "x", "--output", "y"]) == 2
    assert "--checkpoint belongs to `talkvid models export`, not list" in capsys.readouterr().err
