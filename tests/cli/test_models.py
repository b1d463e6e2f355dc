"""`talkvid models`: the list, files brought in from a folder, and what is found wrong with files."""

import hashlib
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from talkvid.catalogue.presence import look, read_notes
from talkvid.catalogue.record import ModelFile
from talkvid.catalogue.table import MODELS
from talkvid.cli.main import run_verb
from talkvid.model.bundle import build_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.unet_config import UNetConfig

TINY = UNetConfig(
    block_out_channels=(32, 32),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    attention_head_dim=2,
    cross_attention_dim=64,
    norm_num_groups=8,
)
NETWORKS = ("denoising_unet", "reference_net", "v_kps_guider", "audio_projection", "motion_module")


def models(*arguments: str, folder: Path) -> int:
    return run_verb("models", [*arguments, "--folder", str(folder)])


def pinned(monkeypatch: pytest.MonkeyPatch, name: str, **contents: bytes) -> None:
    """Give a model of the catalogue the sizes and checksums of made-up files, by the stem of their names."""
    files = tuple(
        replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest(), instead=())
        for file in MODELS[name].files
        if (content := contents.get(Path(file.place).stem)) is not None
    )
    monkeypatch.setitem(MODELS, name, replace(MODELS[name], files=files))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the release with tiny networks: `*.bin` at its top, the rest below `model_ckpts/`."""
    root = tmp_path_factory.mktemp("V-Express")
    torch.manual_seed(0)
    bundle = build_bundle(BundleConfig.published(TINY, speech_dim=768))
    motion: dict[str, torch.Tensor] = {}
    for name, module in bundle.modules.items():
        state = module.state_dict()
        motion |= {key: value for key, value in state.items() if "motion_module" in key}
        torch.save({key: value for key, value in state.items() if key not in motion}, root / f"{name}.bin")
    torch.save(motion, root / "motion_module.bin")
    unet = root / "model_ckpts" / "stable-diffusion-v1-5" / "unet"
    unet.mkdir(parents=True)
    values = {key: value for key, value in TINY.to_dict().items() if key != "motion"}
    (unet / "config.json").write_text(json.dumps(values).ljust(743))
    return root


@pytest.fixture
def imported(release: Path, tmp_path: Path) -> Path:
    """A models' folder with the whole release in it."""
    folder = tmp_path / "models"
    assert models("import", "sd15-unet-config", "v-express", "--from", str(release), folder=folder) == 0
    return folder


def test_the_list_names_every_model_its_use_and_its_licence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["list"]):
        assert models(*arguments, folder=tmp_path) == 0
        out = capsys.readouterr().out
        for record in MODELS.values():
            (line,) = [line for line in out.splitlines() if line.split(" ")[0] == record.name]
            assert record.purpose in line and record.licence.name in line
    assert models("list", "--commercial_safe", folder=tmp_path) == 0
    safe = {line.split(" ")[0] for line in capsys.readouterr().out.splitlines()}
    assert {"mediapipe", "sd-vae", "centerface"} <= safe
    assert not safe & {"insightface", "v-express", "talkvid-mini", "dover", "syncnet", "animatediff"}


def test_the_list_as_json_tells_sources_and_checksums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models("list", "wav2vec2-base-960h", "--json", folder=tmp_path) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["name"] == "wav2vec2" and told["licence"]["commercial"] is True
    assert told["size"] == sum(file["size"] for file in told["files"])
    assert all(file["status"] == "absent" and len(file["sha256"]) == 64 for file in told["files"])
    assert told["files"][2]["source"].startswith(
        "https://huggingface.co/facebook/wav2vec2-base-960h/blob/22aad5"
    )


def test_a_clone_of_the_release_is_imported_and_verified(
    imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(path.name for path in (imported / "v-express").iterdir()) == sorted(
        f"{name}.bin" for name in NETWORKS
    )
    capsys.readouterr()
    assert models("verify", folder=imported) == 0
    out = capsys.readouterr().out
    for name in NETWORKS:
        assert f"right    v-express/{name}.bin: no checksum is known; " in out
        assert f"named and shaped as our {name}" in out
    assert "2 of 2 models are whole and right" in out
    assert look(MODELS["v-express"], imported).status == "verified"
    assert models("list", "v-express", folder=imported) == 0
    assert "verified (structure)" in capsys.readouterr().out


def test_links_leave_the_files_where_they_are(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models"
    arguments = ["import", "sd15-unet-config", "v-express", "--from", str(release), "--link"]
    assert models(*arguments, folder=folder) == 0
    for name in NETWORKS:
        assert (folder / "v-express" / f"{name}.bin").readlink() == release / f"{name}.bin"
    assert models(*arguments, folder=folder) == 0  # once more changes nothing
    assert models("verify", folder=folder) == 0
    assert all((release / f"{name}.bin").is_file() for name in NETWORKS)


@pytest.mark.parametrize("damage", ["truncated", "empty", "another network", "code"])
def test_a_network_that_does_not_fit_is_told_by_its_name(
    damage: str, imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = imported / "v-express" / "reference_net.bin"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "another network":
        path.write_bytes((imported / "v-express" / "v_kps_guider.bin").read_bytes())
    else:
        torch.save({"weight": os.system}, path)
    (imported / ".verified.json").unlink()
    capsys.readouterr()
    assert models("verify", "v-express", folder=imported) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    expected = {
        "truncated": "not a readable torch file",
        "empty": "is empty",
        "another network": "unexpected keys",
        "code": "wants to run code",
    }[damage]
    assert len(wrong) == 1 and "reference_net.bin" in wrong[0] and expected in wrong[0]


def test_a_file_that_changed_after_it_came_is_noticed(
    imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = imported / "v-express" / "v_kps_guider.bin"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert look(MODELS["v-express"], imported).status == "there"
    assert models("verify", "v-express", folder=imported) == 1
    assert "v_kps_guider.bin: has changed since it came" in capsys.readouterr().out


def test_a_truncated_file_of_a_recorded_size_is_told_without_reading_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned(monkeypatch, "cotracker", scaled_offline=b"weights" * 100)
    path = tmp_path / "cotracker" / "scaled_offline.pth"
    path.parent.mkdir()
    path.write_bytes(b"weights" * 99)
    assert models("list", "cotracker", folder=tmp_path) == 0
    assert "scaled_offline.pth has 693 bytes, not 700" in capsys.readouterr().out
    assert models("verify", folder=tmp_path) == 1
    assert "WRONG    cotracker/scaled_offline.pth: has 693 bytes, not 700" in capsys.readouterr().out
    path.write_bytes(b"Weights" * 100)
    assert models("verify", folder=tmp_path) == 1
    assert "the checksum is" in capsys.readouterr().out
    path.write_bytes(b"weights" * 100)
    assert models("verify", folder=tmp_path) == 0
    assert read_notes(tmp_path)["cotracker/scaled_offline.pth"].by == "catalogue"


def test_verify_names_what_is_absent_only_when_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models("verify", folder=tmp_path) == 0
    assert "no model of the catalogue lies here" in capsys.readouterr().out
    assert models("verify", "dover", folder=tmp_path) == 1
    assert "absent   dover/DOVER.pth: not there" in capsys.readouterr().out


def test_the_right_one_of_many_files_of_one_name_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = {"config": b'{"vae": 1}', "diffusion_pytorch_model": b"v" * 99}
    pinned(monkeypatch, "sd-vae", **contents)
    source = tmp_path / "downloads"
    others = {"config": b'{"u": 1}', "diffusion_pytorch_model": b"u" * 50}
    for folder, made in (("unet", others), ("sd-vae-ft-mse", contents)):
        (source / folder).mkdir(parents=True)
        (source / folder / "config.json").write_bytes(made["config"])
        weights = made["diffusion_pytorch_model"]
        (source / folder / "diffusion_pytorch_model.safetensors").write_bytes(weights)
    assert models("import", "sd-vae", "--from", str(source), folder=tmp_path / "models") == 0
    assert (tmp_path / "models" / "sd-vae-ft-mse" / "config.json").read_bytes() == contents["config"]
    twice = tmp_path / "twice"
    for folder in ("a", "b"):
        (twice / folder).mkdir(parents=True)
        (twice / folder / "config.json").write_bytes(contents["config"])
    assert models("import", "sd-vae", "--from", str(twice), folder=tmp_path / "more") == 1
    assert "config.json lies there more than once" in capsys.readouterr().out


def test_a_file_of_another_content_is_not_imported_and_nothing_is_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = tmp_path / "any-name", tmp_path / "models"
    source.write_bytes(b"not DOVER")
    digest = hashlib.sha256(b"not DOVER").hexdigest()
    arguments = ["import", "dover", "--from", str(source)]
    assert models(*arguments, folder=folder) == 1
    assert f"--sha256 {digest}" in capsys.readouterr().out and not folder.exists()
    assert models(*arguments, "--sha256", digest, folder=folder) == 0
    assert (folder / "dover" / "DOVER.pth").read_bytes() == b"not DOVER"
    source.write_bytes(b"another")
    other = hashlib.sha256(b"another").hexdigest()
    assert models(*arguments, "--sha256", other, folder=folder) == 1
    assert "say --replace" in capsys.readouterr().out
    assert models(*arguments, "--sha256", other, "--replace", folder=folder) == 0
    assert (folder / "dover" / "DOVER.pth").read_bytes() == b"another"


def test_settings_that_another_program_wrote_are_taken_and_said_to_be_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned(monkeypatch, "sd-vae", config=b'{"vae": 1}', diffusion_pytorch_model=b"v" * 99)
    source, folder = tmp_path / "sd-vae-ft-mse", tmp_path / "models"
    source.mkdir()
    (source / "config.json").write_text('{"vae": 1, "_diffusers_version": "0.4"}')
    (source / "diffusion_pytorch_model.safetensors").write_bytes(b"v" * 99)
    assert models("import", "sd-vae", "--from", str(source), folder=folder) == 0
    assert look(MODELS["sd-vae"], folder).status == "verified"
    assert models("verify", "sd-vae", folder=folder) == 0
    out = capsys.readouterr().out
    assert (
        "config.json: not the recorded settings, which another program may have written; JSON with 2" in out
    )
    (folder / "sd-vae-ft-mse" / "config.json").write_text('{"vae": 1')
    assert models("verify", "sd-vae", folder=folder) == 1


def test_what_is_not_found_is_named_and_the_rest_imported(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half, folder = tmp_path / "half", tmp_path / "models"
    half.mkdir()
    (half / "v_kps_guider.bin").write_bytes((release / "v_kps_guider.bin").read_bytes())
    models("import", "sd15-unet-config", "--from", str(release), folder=folder)
    capsys.readouterr()
    assert models("import", "v-express", "--from", str(half), folder=folder) == 1
    out = capsys.readouterr().out
    assert str(folder / "v-express" / "v_kps_guider.bin") in out
    assert out.count(f"not found in {half}") == 4
    assert models("list", "v-express", folder=folder) == 0
    assert "1 of 5 files" in capsys.readouterr().out


def test_a_zip_file_is_imported_without_unpacking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = {"det_10g": b"d" * 30, "1k3d68": b"k" * 40}
    pinned(monkeypatch, "insightface", **contents)
    packed, folder = tmp_path / "buffalo_l.zip", tmp_path / "models"
    with zipfile.ZipFile(packed, "w") as archive:
        for stem, content in contents.items():
            archive.writestr(f"buffalo_l/{stem}.onnx", content)
        archive.writestr("/etc/evil.onnx", b"x")
    assert models("import", "insightface", "--from", str(packed), folder=folder) == 0
    assert look(MODELS["insightface"], folder).status == "verified"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("det_10g.onnx", b"D" * 30)
    (folder / "insightface_models/models/buffalo_l/det_10g.onnx").unlink()
    capsys.readouterr()
    assert models("import", "insightface", "--from", str(packed), folder=folder) == 1
    assert "det_10g.onnx: not imported: det_10g.onnx in" in capsys.readouterr().out


def test_a_safetensors_file_that_was_cut_short_is_noticed_by_its_header(tmp_path: Path) -> None:
    from talkvid.cli.model_store.structure import check_structure

    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(100)}, path)
    file = ModelFile("a/model.safetensors", None)
    assert check_structure(path, file, tmp_path) == "safetensors with 1 tensors"
    for content in (path.read_bytes()[:-4], path.read_bytes() + b"\0", b"{}", b"\xff" * 50):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="fetch it again"):
            check_structure(path, file, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "dovr"], "did you mean 'dover'"),
        (["list", "--url", "https://x"], "--url belongs to `talkvid models fetch`"),
        (["verify", "--accept_licence"], "--accept_licence belongs to `talkvid models fetch`"),
        (["fetch", "dover", "--from", "x"], "--from belongs to `talkvid models import`"),
        (["fetch", "dover", "--checkpoint", "x"], "--checkpoint belongs to `talkvid models export`"),
        (["export", "dover"], "export takes --checkpoint and --output"),
        (["export"], "needs --checkpoint and --output"),
        (["import", "dover"], "import NAME --from FOLDER_OR_FILE"),
        (["import", "dover", "--from", "/nowhere"], "no such file or folder"),
        (["import", "centerface", "--from", "/"], "comes with the package"),
        (["import", "insightface", "--from", "/", "--commercial_safe"], "commercial_safe: InsightFace"),
    ],
)
def test_a_call_that_makes_no_sense_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models(*arguments, folder=tmp_path) == 2
    told = capsys.readouterr().err
    assert message in told and len(told.splitlines()) == 1
