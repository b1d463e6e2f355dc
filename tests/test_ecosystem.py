"""The examples of docs/ecosystem.md run as they stand, and its commands are understood."""

import argparse
import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from talkvid.cli.main import VERBS
from talkvid.curation.config import load_curate_config, section
from talkvid.media.video import read_frames
from talkvid.model.bundle import build_bundle, save_bundle
from tests.inference.conftest import TINY_CONFIG, write_sound
from tests.model.fake_hub import TOKEN, Repository, running_hub

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "ecosystem.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()
]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a portrait and a short speech, in which the example is run."""
    shutil.copy(ROOT / "test_samples" / "short_case" / "astronaut" / "ref.png", tmp_path / "portrait.png")
    write_sound(tmp_path / "speech.wav", 0.12)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_block(number: int) -> None:
    exec(compile(PYTHON[number], f"block {number} of docs/ecosystem.md", "exec"), {"__name__": "example"})


def test_the_example_of_the_hub(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    save_bundle(build_bundle(TINY_CONFIG), there / "made")
    with running_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(there / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        hub.repositories["your-name/my-speaker"] = Repository()
        files = {path.name: path.read_bytes() for path in (there / "made").iterdir()}
        hub.repositories["your-name/my-speaker"].commit(files)
        run_block(0)
        copy = hub.repositories["your-name/my-speaker-copy"]
    assert len(list(read_frames(there / "output" / "talking.mp4"))) == 3
    assert copy.private and (there / "my-speaker-copy" / "config.json").is_file()
    weights = "denoising_unet.safetensors"
    assert copy.commits[copy.refs["main"]][weights] == (there / "my-speaker-copy" / weights).read_bytes()


def test_the_first_example_of_the_pipeline(there: Path) -> None:
    run_block(1)
    assert len(list(read_frames("talking.mp4"))) == len(list(read_frames("silent.mp4"))) == 3
    assert Path("talking.mp4.json").is_file()


def test_the_second_example_of_the_pipeline(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_block(2)
    told = capsys.readouterr().out
    assert "step 0 of frames 0 to 4" in told and "5 (512, 512)" in told and told.count("(512, 512, 3)") == 3


def test_the_example_of_datasets(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow (extra curation) is not installed")
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    from export_material import numbered_video, row_of, span_of, write_manifest

    from talkvid.curation.materialise import MaterialiseConfig, materialise
    from talkvid.curation.pack import pack
    from talkvid.curation.pack_settings import PackConfig

    video = numbered_video(there / "media" / "film.mp4", count=20)
    run = write_manifest(there / "run", [row_of(span_of(video, 5, 7))])
    materialise(run, MaterialiseConfig(), executor="inline")
    pack(run, there / "packed", PackConfig())
    before, datasets.config.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE, True
    try:
        run_block(3)
    finally:
        datasets.config.HF_HUB_OFFLINE = before
    assert capsys.readouterr().out.split() == ["film-scene1", "None", "None", "7"]


def test_there_are_no_other_examples() -> None:
    assert len(PYTHON) == 4 and len(COMMANDS) == 4


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str) -> None:
    program, verb, *rest = shlex.split(command)
    assert program == "talkvid" and verb in VERBS
    parser = argparse.ArgumentParser(allow_abbrev=False)
    importlib.import_module(f"talkvid.cli.{verb}").add_arguments(parser)
    args = parser.parse_intermixed_args(rest)
    if verb == "curate":
        settings = [word for word in args.words if "=" in word]
        section(load_curate_config(overrides=settings), "pack")


def test_what_is_told_of_memory_is_arithmetic() -> None:
    pixels = 512 * 512 * 3
    assert f"{pixels / 1e6:.1f} MB as a PIL picture and {4 * pixels / 1e6:.1f} MB" in TEXT
    assert f"{1500 * pixels / 1e9:.1f} GB and {1500 * 4 * pixels / 1e9:.1f} GB per minute" in TEXT
