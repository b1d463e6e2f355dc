"""The published release lands in the layout that the loader reads, and a second start fetches nothing."""

from pathlib import Path, PurePosixPath

import huggingface_hub
import pytest

from talkvid.cli.main import main
from talkvid.cli.models import place_of

RELEASE = [
    "README.md",
    "denoising_unet.bin",
    "model_ckpts/sd-vae-ft-mse/config.json",
    "model_ckpts/a/b/c.onnx",
]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def download(repo: str, name: str, *, local_dir: Path) -> str:
        names.append(name)
        path = Path(local_dir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, repo: RELEASE)
    return names


def test_every_model_file_goes_to_its_place_once(fetched: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "model_ckpts"
    assert main(["models", "--folder", str(folder)]) == 0
    assert fetched == RELEASE[1:]
    assert (folder / "v-express" / "denoising_unet.bin").read_text() == "denoising_unet.bin"
    assert (folder / "sd-vae-ft-mse" / "config.json").is_file() and (folder / "a/b/c.onnx").is_file()
    assert not (folder / ".fetching").exists()
    assert main(["models", "--folder", str(folder)]) == 0
    assert fetched == RELEASE[1:]


def test_listing_fetches_nothing(
    fetched: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--list", "--folder", str(tmp_path)]) == 0
    assert fetched == [] and capsys.readouterr().out.count("to fetch") == 3


def test_a_hub_out_of_reach_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: object, repo: str) -> None:
        raise RuntimeError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", fail)
    assert main(["models"]) == 2
    assert "is the hub reachable?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("motion_module.bin", PurePosixPath("v-express/motion_module.bin")),
        ("model_ckpts/x/y.bin", PurePosixPath("x/y.bin")),
        ("README.md", None),
        ("model_ckpts/../../x", None),
        ("/etc/passwd", None),
    ],
)
def test_a_file_of_the_release_has_one_place(name: str, place: PurePosixPath | None) -> None:
    assert place_of(name) == place
