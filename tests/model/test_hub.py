"""What goes to the hub comes back as it was: one commit, only the files needed, errors as sentences."""

import json
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard, constants

from talkvid import TalkVidInference
from talkvid.cli.main import main
from talkvid.model.bundle import EMBEDDED_FOLDER, ModelBundle, build_bundle, load_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig
from talkvid.model.checkpoints import NETWORKS
from talkvid.model.hub import hub_origin, is_hub_name, split_hub_name
from talkvid.model.hub_card import copy_notices, forbids_commerce
from talkvid.model.hub_files import checkpoint_files
from talkvid.model.hub_save import source_folder
from tests.inference.conftest import TINY_CONFIG, PlantedDetector, write_sound
from tests.model.fake_hub import TOKEN, Hub, Repository, running_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on loopback that the client of this process asks, with an empty cache."""
    with running_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(1)
    save_bundle(build_bundle(TINY_CONFIG), folder)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def public(hub: Hub, files: dict[str, bytes], name: str = "me/tiny") -> str:
    hub.repositories.setdefault(name, Repository())
    return hub.repositories[name].commit(files)


def frames(model: TalkVidInference, folder: Path) -> list[np.ndarray]:
    speech = write_sound(folder / "speech.wav", 0.4)
    return list(
        model.generate_stream(Path(__file__).parents[2] / "test_samples/short_case/astronaut/ref.png", speech)
    )


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(120.0))


@pytest.mark.usefixtures("planted")
def test_what_is_pushed_comes_back_with_the_same_frames(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    model = TalkVidInference(tiny, device="cpu")
    expected = frames(model, tmp_path)
    address = model.push_to_hub("me/tiny", private=True, token=TOKEN)
    assert address.startswith(f"{hub.url}/me/tiny/commit/") and hub.repositories["me/tiny"].private
    back = TalkVidInference.from_pretrained("me/tiny", token=TOKEN, device="cpu")
    again = frames(back, tmp_path)
    assert len(again) == 10 and all(np.array_equal(*pair) for pair in zip(again, expected, strict=True))
    # And a bundle that has worked, whose projections are fused then.
    pushed = back._load().push_to_hub("me/second", token=TOKEN).rpartition("/")[2]
    third = TalkVidInference.from_pretrained(f"me/second@{pushed}", device="cpu")
    assert all(np.array_equal(*pair) for pair in zip(frames(third, tmp_path), expected, strict=True))


def test_the_card_says_what_the_hub_wants_to_know(hub: Hub, tiny: Path) -> None:
    bundle = load_bundle(tiny)
    record = {"base": "other", "base_source": "you/base@main", "languages": ["German", "de", "en"]}
    bundle.config = replace(bundle.config, extra={"training": record})
    bundle.push_to_hub("me/tiny", token=TOKEN)
    files = hub.repositories["me/tiny"].commits[hub.repositories["me/tiny"].refs["main"]]
    data = ModelCard(files["README.md"].decode()).data.to_dict()
    assert (data["library_name"], data["pipeline_tag"], data["license"]) == (
        "talkvid",
        "image-to-video",
        "mit",
    )
    assert (data["base_model"], data["language"]) == ("you/base", ["de", "en"])
    assert "talking-head" in data["tags"]
    assert "licensed under MIT" in files["NOTICE.md"].decode()
    assert "from_pretrained" in files["README.md"].decode()


def test_the_embedded_model_keeps_its_card_its_notice_and_its_licence(hub: Hub) -> None:
    TalkVidInference(device="cpu").push_to_hub("me/mini", token=TOKEN)
    files = hub.repositories["me/mini"].commits[hub.repositories["me/mini"].refs["main"]]
    assert files["NOTICE.md"] == (EMBEDDED_FOLDER / "NOTICE.md").read_bytes()
    for path in EMBEDDED_FOLDER.glob("*.safetensors"):
        assert len(files[path.name]) == path.stat().st_size  # the stored precision, not that of this machine
    card = ModelCard(files["README.md"].decode())
    assert card.data.to_dict()["license"] == "cc-by-nc-4.0"
    assert card.text.strip() == (EMBEDDED_FOLDER / "README.md").read_text(encoding="utf-8").strip()
    with pytest.raises(
        ValueError, match=r"commercial_safe: the weights of talkvid-mini forbid commercial use"
    ):
        TalkVidInference.from_pretrained("me/mini", commercial_safe=True, device="cpu")


def test_a_fine_tune_of_the_embedded_model_inherits_notice_and_licence(tmp_path: Path) -> None:
    config = BundleConfig.from_file(EMBEDDED_FOLDER)
    run = tmp_path / "run"
    run.mkdir()
    copy_notices(EMBEDDED_FOLDER, run, config, derived=True)
    told = (run / "NOTICE.md").read_text()
    assert told.startswith("Trained from talkvid-mini") and "Attribution-NonCommercial" in told
    (tmp_path / "out").mkdir()
    config.to_file(run / "config.json")
    (run / "ema").mkdir()
    assert copy_notices(run / "ema", tmp_path / "out", config) == ["NOTICE.md"]
    assert (tmp_path / "out" / "NOTICE.md").read_text() == told


@pytest.mark.parametrize("stated", ["cc-by-nc-4.0", "CC BY-NC-SA 4.0", "research-only"])
def test_a_card_that_forbids_commerce_counts_whatever_the_config_says(
    hub: Hub, tiny: Path, stated: str
) -> None:
    head = f"---\nlicense: other\nlicense_name: {stated}\n---\n# tiny\n"
    public(hub, {**files_of(tiny), "README.md": head.encode()})
    with pytest.raises(ValueError, match=r"the card of tiny says .* which forbids commercial use"):
        TalkVidInference.from_pretrained("me/tiny", commercial_safe=True, device="cpu")
    public(hub, {"README.md": b"---\nlicense: mit\n---\n# tiny\n"})
    safe: dict[str, Any] = {"commercial_safe": True, "face_backend": "mediapipe"}
    TalkVidInference.from_pretrained("me/tiny", device="cpu", **safe)
    assert not forbids_commerce("openrail++") and not forbids_commerce("ncsa")


def test_only_what_is_needed_is_fetched_and_only_once(hub: Hub, tiny: Path) -> None:
    extras = dict.fromkeys(
        ("photo.png", "pytorch_model.bin", "old/denoising_unet.safetensors", "run.py"), b"x"
    )
    public(hub, {**files_of(tiny), **extras})
    bundle = ModelBundle.from_pretrained("me/tiny")
    assert sorted(hub.fetched()) == sorted(files_of(tiny))
    hub.asked.clear()
    folder = Path(bundle.source)
    load_bundle("me/tiny")
    assert hub.fetched() == []
    (folder / "vae.safetensors").unlink()  # as after a download that was cut short
    load_bundle("me/tiny")
    assert set(hub.fetched()) <= {"vae.safetensors"} and (folder / "vae.safetensors").is_file()


def test_a_revision_stays_what_it_was(hub: Hub, tiny: Path) -> None:
    first = public(hub, files_of(tiny))
    other = json.loads((tiny / "config.json").read_text()) | {"name": "changed"}
    public(hub, {"config.json": json.dumps(other).encode()})
    assert ModelBundle.from_pretrained("me/tiny").config.name == "changed"
    assert ModelBundle.from_pretrained(f"me/tiny@{first}").config.name == "tiny"
    assert ModelBundle.from_pretrained("me/tiny", revision=first).config.name == "tiny"
    with pytest.raises(ValueError, match="contradict each other"):
        ModelBundle.from_pretrained(f"me/tiny@{first}", revision="main")
    with pytest.raises(ValueError, match="only models on the hub have revisions"):
        ModelBundle.from_pretrained(tiny, revision="main")


def test_without_a_connection_the_cache_is_used(
    hub: Hub, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public(hub, files_of(tiny))
    load_bundle("me/tiny")
    hub.broken = True
    assert load_bundle("me/tiny").config.name == "tiny"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_bundle("me/tiny").config.name == "tiny"
    hub.asked.clear()
    assert ModelBundle.from_pretrained("me/tiny", local_files_only=True).config.name == "tiny"
    assert hub.asked == []
    with pytest.raises(FileNotFoundError, match=r"you/other is not in the cache .* fetch it once"):
        load_bundle("you/other")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("me/hidden", "no model that the hub shows you; check the name, and for a private one set HF_TOKEN"),
        ("me/nothing-like-it", "no model that the hub shows you"),
        ("me/gated", "its owner asks for consent first"),
        ("me/tiny@v9", "has no revision 'v9'"),
        ("me/text", "holds no checkpoint"),
    ],
)
def test_errors_are_one_sentence(hub: Hub, tiny: Path, name: str, told: str) -> None:
    public(hub, files_of(tiny))
    public(hub, {"README.md": b"nothing here"}, "me/text")
    public(hub, files_of(tiny), "me/hidden")
    public(hub, files_of(tiny), "me/gated")
    hub.repositories["me/hidden"].private = hub.repositories["me/gated"].gated = True
    with pytest.raises((FileNotFoundError, ValueError), match=told) as caught:
        load_bundle(name)
    assert "\n" not in str(caught.value)


def test_a_push_without_the_right_says_so_and_a_name_is_checked(hub: Hub, tiny: Path) -> None:
    with pytest.raises(OSError, match=r"me/tiny: the hub took nothing \(401.*HF_TOKEN"):
        load_bundle(tiny).push_to_hub("me/tiny", token="hf_wrong")
    with pytest.raises(ValueError, match="cannot be a name on the hub"):
        load_bundle(tiny).push_to_hub("me/ti ny", token=TOKEN)
    hub.broken = True
    with pytest.raises(OSError, match="the hub cannot be reached"):
        load_bundle(tiny).push_to_hub("me/tiny", token=TOKEN)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch RAN",)


def test_nothing_of_a_repository_is_run(
    hub: Hub, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = files_of(tiny)
    del files["reference_net.safetensors"]
    public(
        hub,
        {**files, "reference_net.bin": pickle.dumps({"weight": Evil()}), "modeling.py": b"open('RAN', 'w')"},
    )
    with pytest.raises(ValueError, match="wants to run code"):
        load_bundle("me/tiny")
    assert not (tmp_path / "RAN").exists() and "modeling.py" not in hub.fetched()


def test_no_path_of_this_machine_leaves_it(hub: Hub, tiny: Path) -> None:
    bundle = load_bundle(tiny)
    extra = {"training": {"base": "tiny", "base_source": str(tiny), "train": "x"}, "kept": 1}
    bundle.config = replace(bundle.config, extra=extra, speech_encoder="/home/anna/models/wav2vec2-base-960h")
    bundle.push_to_hub("me/tiny", token=TOKEN)
    files = hub.repositories["me/tiny"].commits[hub.repositories["me/tiny"].refs["main"]]
    texts = files["config.json"] + files["README.md"] + files["NOTICE.md"]
    assert b"/home" not in texts and str(tiny).encode() not in texts
    config = json.loads(files["config.json"])
    assert config["speech_encoder"] == "wav2vec2-base-960h" and config["extra"]["kept"] == 1


def test_the_command_pushes_an_export(
    hub: Hub, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    told = ["models", "export", "--checkpoint", str(tiny), "--push_to_hub", "me/tiny"]
    assert main([*told, "--private", "--dtype", "fp16"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{hub.url}/me/tiny/commit/")
    repository = hub.repositories["me/tiny"]
    assert repository.private
    files = repository.commits[repository.refs["main"]]
    assert {"config.json", "README.md", "NOTICE.md", "vae.safetensors"} <= files.keys()
    assert ModelCard(files["README.md"].decode()).data.to_dict()["pipeline_tag"] == "image-to-video"
    assert main([*told[:-1], "me/tiny@trial"]) == 0 and repository.refs["trial"] != repository.refs["main"]
    assert load_bundle("me/tiny@trial").config.name == "tiny"
    capsys.readouterr()
    assert main(["models", "export", "--checkpoint", str(tiny), "--private"]) == 2
    assert "or --push_to_hub" in capsys.readouterr().err


def test_a_saved_folder_is_whole_or_not_there(tiny: Path, tmp_path: Path) -> None:
    bundle = ModelBundle.from_pretrained(tiny)
    saved = bundle.save_pretrained(tmp_path / "saved", dtype=torch.float16)
    assert {"config.json", "README.md", "NOTICE.md", "vae.safetensors"} <= files_of(saved).keys()
    with pytest.raises(ValueError, match="not empty"):
        bundle.save_pretrained(saved)
    del bundle.modules["vae"]
    bundle.modules["vae"] = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        bundle.save_pretrained(tmp_path / "broken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved"]


def test_the_files_of_a_training_run_are_those_of_its_last_whole_step() -> None:
    exports = [f"{network}-{step}.safetensors" for network in NETWORKS for step in (50, 100)]
    names = [*exports, "denoising_unet-150.safetensors", "denoising_unet-100.pth", "config.json",
             "vae.safetensors", "checkpoint-100/optimizer.bin", "lora-100.safetensors"]  # fmt: skip
    config = TINY_CONFIG
    rest = ["config.json", "vae.safetensors"]
    assert checkpoint_files(names, config) == sorted([*(n for n in exports if "-100" in n), *rest])
    assert checkpoint_files(names, config, step=50) == sorted([*(n for n in exports if "-50" in n), *rest])


def test_of_the_release_the_parts_are_fetched_that_generation_reads() -> None:
    parts = ["stable-diffusion-v1-5/unet/config.json", "sd-vae-ft-mse/config.json",
             "sd-vae-ft-mse/diffusion_pytorch_model.safetensors", "wav2vec2-base-960h/config.json",
             "wav2vec2-base-960h/pytorch_model.bin"]  # fmt: skip
    wanted = [
        *(f"{name}.bin" for name in (*NETWORKS, "motion_module")),
        *(f"model_ckpts/{name}" for name in parts),
    ]
    others = ["model_ckpts/insightface_models/models/buffalo_l/det_10g.onnx", "assets/a.mp4", "app.py",
              "model_ckpts/sd-vae-ft-mse/diffusion_pytorch_model.bin", "model_ckpts/../x.bin"]  # fmt: skip
    assert checkpoint_files([*wanted, *others], None) == sorted(wanted)


def test_a_model_from_the_hub_knows_its_commit(hub: Hub, tiny: Path) -> None:
    commit = public(hub, files_of(tiny))
    folder = source_folder(load_bundle("me/tiny"))
    assert folder is not None and hub_origin(folder) == f"me/tiny@{commit}" and hub_origin(tiny) is None


def test_a_name_on_the_hub_is_told_from_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp").mkdir()
    assert is_hub_name("owner/name") and is_hub_name("owner/name@v1.0") and is_hub_name("o/n@refs/pr/1")
    assert not any(map(is_hub_name, ("exp/run", "name", "/a/b", "a/b/c", "../a", "./a", "a/b@")))
    assert split_hub_name("o/n@v1") == ("o/n", "v1") and split_hub_name("o/n", "v2") == ("o/n", "v2")
