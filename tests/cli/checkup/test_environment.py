"""Variables that change behaviour are told with their effect, and secrets in them are not."""

import re
from pathlib import Path

import pytest

from talkvid.app import server
from talkvid.cli.checkup import environment
from talkvid.cli.checkup.check import Check

ROOT = Path(__file__).resolve().parents[3]


def told(**environ: str) -> dict[str, Check]:
    return {check.name: check for check in environment.check_environment(environ)}


def test_nothing_set_is_one_line() -> None:
    assert [check.detail for check in told(HOME="/root").values()] == ["none is set that changes anything"]


def test_passwords_and_keys_are_not_shown() -> None:
    checks = told(
        HTTPS_PROXY="http://anna:geheim@proxy.example:3128",
        http_proxy="anna:geheim@proxy.example:3128",
        HF_TOKEN="hf_geheim",
        PIP_INDEX_URL="https://user:geheim@pypi.example/simple?token=geheim",
        WANDB_API_KEY="geheim",
    )
    assert len(checks) == 5 and not any("geheim" in check.detail for check in checks.values())
    assert "http://***@proxy.example:3128" in checks["HTTPS_PROXY"].detail
    assert "***@proxy.example:3128" in checks["http_proxy"].detail
    assert "pypi.example/simple" in checks["PIP_INDEX_URL"].detail


@pytest.mark.parametrize("value", ["", "-1"])
def test_gpus_that_are_hidden_are_noted(value: str) -> None:
    check = told(CUDA_VISIBLE_DEVICES=value)["CUDA_VISIBLE_DEVICES"]
    assert check.status == "note" and "hides every GPU" in check.detail
    assert told(CUDA_VISIBLE_DEVICES="0,1")["CUDA_VISIBLE_DEVICES"].status == "ok"


def test_an_offline_hub_and_a_mirror_are_told() -> None:
    checks = told(HF_HUB_OFFLINE="1", HF_ENDPOINT="https://mirror.example")
    assert (
        checks["HF_HUB_OFFLINE"].status == "note" and "https://mirror.example" in checks["HF_ENDPOINT"].detail
    )


def test_a_variable_of_ours_that_nothing_reads_is_a_misspelling() -> None:
    check = told(TALKVID_FACE_LANDMARKS="x")["TALKVID_FACE_LANDMARKS"]
    assert check.status == "note" and "nothing reads" in check.detail


def test_an_ffmpeg_that_is_not_there_stops_videos() -> None:
    check = told(IMAGEIO_FFMPEG_EXE="/nowhere/ffmpeg")["IMAGEIO_FFMPEG_EXE"]
    assert check.status == "broken" and "generate" in check.stops


@pytest.mark.parametrize("name", server.OPENING_VARIABLES)
def test_a_variable_for_which_the_page_does_not_start_stops_the_page(name: str) -> None:
    assert told(**{name: "true"})[name].stops == ("app",)
    assert name not in told(**{name: "false"})


def test_every_variable_of_ours_that_the_code_reads_is_known() -> None:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*"), *(ROOT / "tests").rglob("*.py")]
    own = Path(__file__).resolve()
    texts = [path.read_text(encoding="utf-8") for path in files if path.is_file() and path != own]
    read = {name for text in texts for name in re.findall(r"[\"'${]TALKVID_[A-Z_]+[A-Z]\b", text)}
    read = {name.lstrip("\"'${") for name in read}
    assert len(read) > 3 and read <= set(environment.KNOWN), read - set(environment.KNOWN)
