"""`talkvid models fetch` against a server on this machine: whole, interrupted, changed, refused, gated."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from talkvid.catalogue.generation import V_EXPRESS
from talkvid.catalogue.presence import look, read_notes
from talkvid.catalogue.record import HubFile, ModelFile, ZipMember
from talkvid.catalogue.table import MODELS
from talkvid.cli import models
from talkvid.cli.main import run_verb
from talkvid.cli.model_store.room import RESERVE
from talkvid.fetching.http_file import HttpSettings
from tests.cli.model_server import COMMIT, ModelServer, serve

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()
REPOSITORY = "facebook/cotracker3"
PLACE = Path("cotracker") / "scaled_offline.pth"
QUICK = HttpSettings(timeout_s=5, retries=2, backoff_s=0.0)
Usage = namedtuple("Usage", "total used free")
STARTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
from talkvid.cli.main import main
raise SystemExit(main())
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.delenv("TALKVID_MIRROR", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(models, "HttpSettings", lambda: QUICK)
    with serve() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def cotracker(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """The record of one file on the hub, with the size and the checksum of what the server has there."""
    record = MODELS["cotracker"]
    file = replace(record.files[0], size=len(CONTENT), sha256=DIGEST)
    monkeypatch.setitem(MODELS, "cotracker", replace(record, files=(file,)))
    server.hub_file(REPOSITORY, "scaled_offline.pth", CONTENT)
    return server


def fetch(*arguments: str, folder: Path) -> int:
    return run_verb("models", ["fetch", *arguments, "--folder", str(folder), "--accept_licence"])


def test_a_file_is_fetched_once_after_its_licence_was_shown(
    cotracker: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch("cotracker", folder=tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "CC BY-NC 4.0 (no commercial use)" in lines[1] and "LICENSE" in lines[1]
    assert lines[2:] == [str(tmp_path / PLACE), str(tmp_path)]
    assert (tmp_path / PLACE).read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "cotracker").iterdir()] == ["scaled_offline.pth"]
    (note,) = read_notes(tmp_path).values()
    assert (note.by, note.sha256) == ("catalogue", DIGEST)
    assert note.source == f"{REPOSITORY}@{COMMIT}:scaled_offline.pth"
    asked = len(cotracker.asked)
    assert fetch("cotracker", folder=tmp_path) == 0
    assert len(cotracker.asked) == asked


@pytest.mark.parametrize("answer", [None, "n\n", "y\n"])
def test_nothing_is_asked_for_before_a_restricting_licence_is_accepted(
    answer: str | None, cotracker: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("stdin", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr(sys.stdin, "readline", lambda: answer or "", raising=False)
    code = run_verb("models", ["fetch", "cotracker", "--folder", str(tmp_path)])
    told = capsys.readouterr().err
    if answer == "y\n":
        assert code == 0 and (tmp_path / PLACE).is_file()
        return
    assert code == 2 and not cotracker.asked and not list(tmp_path.iterdir())
    assert ("say --accept_licence" if answer is None else "was not accepted") in told


def test_free_models_are_fetched_without_a_question(server: ModelServer, tmp_path: Path) -> None:
    content = b"task" * 1000
    server.files["/it.task"] = content
    digest = hashlib.sha256(content).hexdigest()
    url = f"{server.address}/it.task"
    arguments = ["fetch", "mediapipe", "--folder", str(tmp_path), "--url", url, "--sha256", digest]
    assert run_verb("models", arguments) == 0
    assert (tmp_path / "mediapipe" / "face_landmarker.task").read_bytes() == content


def test_a_broken_connection_is_taken_up_at_the_byte_it_reached(
    cotracker: ModelServer, tmp_path: Path
) -> None:
    cotracker.cuts[f"/{REPOSITORY}/scaled_offline.pth"] = [40_000, 25_000]
    assert fetch("cotracker", folder=tmp_path) == 0
    assert (tmp_path / PLACE).read_bytes() == CONTENT
    store = [one for one in cotracker.gets("scaled_offline.pth") if one.path.startswith("/store/")]
    assert [one.range for one in store] == ["", "bytes=40000-", "bytes=65000-"]
    assert [one.sent for one in store] == [40_000, 25_000, len(CONTENT) - 65_000]


def test_what_came_before_a_stop_is_not_fetched_again(cotracker: ModelServer, tmp_path: Path) -> None:
    cotracker.cuts[f"/{REPOSITORY}/scaled_offline.pth"] = [40_000, 0, 0, 0]
    assert fetch("cotracker", folder=tmp_path) == 2
    part = tmp_path / "cotracker" / "scaled_offline.pth.part"
    assert part.read_bytes() == CONTENT[:40_000] and not (tmp_path / PLACE).exists()
    assert look(MODELS["cotracker"], tmp_path).status == "part"
    cotracker.asked.clear()
    assert fetch("cotracker", folder=tmp_path) == 0
    assert sum(one.sent for one in cotracker.asked) == len(CONTENT) - 40_000
    assert not part.exists()


def test_a_file_that_changed_meanwhile_begins_anew(cotracker: ModelServer, tmp_path: Path) -> None:
    path = f"/{REPOSITORY}/scaled_offline.pth"
    cotracker.files[path] = bytes(len(CONTENT))
    cotracker.cuts[path] = [40_000, 0, 0, 0]
    with pytest.MonkeyPatch.context() as patch:
        file = replace(MODELS["cotracker"].files[0], sha256="")
        patch.setitem(MODELS, "cotracker", replace(MODELS["cotracker"], files=(file,)))
        assert fetch("cotracker", folder=tmp_path) == 2
    cotracker.files[path] = CONTENT
    cotracker.asked.clear()
    assert fetch("cotracker", folder=tmp_path) == 0
    store = [one for one in cotracker.gets("scaled_offline.pth") if one.path.startswith("/store/")]
    assert [(one.range, one.sent) for one in store] == [("bytes=40000-", len(CONTENT))]
    assert (tmp_path / PLACE).read_bytes() == CONTENT


def test_a_file_of_another_checksum_is_removed_with_a_sentence(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/it"] = CONTENT
    arguments = ["dover", "--url", f"{server.address}/it"]
    assert fetch(*arguments, folder=tmp_path) == 2
    told = capsys.readouterr().err
    assert MODELS["dover"].files[0].sha256 in told and f"--sha256 {DIGEST}" in told
    assert not list((tmp_path / "dover").iterdir())
    assert fetch(*arguments, "--sha256", DIGEST, folder=tmp_path) == 0
    assert (tmp_path / "dover" / "DOVER.pth").read_bytes() == CONTENT
    assert "next: python -m talkvid.curation.dover_convert --checkpoint" in capsys.readouterr().out


def test_without_a_recorded_checksum_what_the_hub_states_is_checked_and_recorded(
    server: ModelServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(MODELS, "v-express", replace(V_EXPRESS, needs=()))
    for file in V_EXPRESS.files:
        server.hub_file("tk93/V-Express", file.name, CONTENT + file.name.encode())
    assert fetch("v-express", folder=tmp_path) == 0
    notes = read_notes(tmp_path)
    assert {note.by for note in notes.values()} == {"server"} and len(notes) == 5
    assert "the one that the server states was checked" in caplog.text
    assert look(MODELS["v-express"], tmp_path).status == "verified"
    shutil.rmtree(tmp_path / "v-express")
    server.lies = True
    assert fetch("v-express", folder=tmp_path) == 2
    assert "the server states" in capsys.readouterr().err
    assert not list((tmp_path / "v-express").iterdir())


def test_small_files_are_checked_by_the_sum_that_git_gives_them(server: ModelServer, tmp_path: Path) -> None:
    file = MODELS["sd15-unet-config"].files[0]
    assert isinstance(file.source, HubFile)
    config = b'{"sample_size": 64}'.ljust(743)
    server.hub_file(file.source.repository, file.source.path, config)
    assert fetch("sd15-unet-config", folder=tmp_path) == 0
    assert read_notes(tmp_path)[file.place].by == "server"
    assert (tmp_path / file.place).read_bytes() == config


def test_a_hub_whose_file_has_changed_is_noticed_before_anything_comes(
    cotracker: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cotracker.hub_file(REPOSITORY, "scaled_offline.pth", CONTENT[::-1])
    assert fetch("cotracker", folder=tmp_path) == 2
    assert f"not {DIGEST} as recorded" in capsys.readouterr().err
    assert not cotracker.gets("scaled_offline.pth")


@pytest.mark.parametrize(("status", "message"), [(401, "HF_TOKEN"), (403, "accept its terms"), (404, "404")])
def test_a_refusal_of_the_hub_is_one_sentence_with_the_remedy(
    status: int, message: str, cotracker: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"/{REPOSITORY}/resolve/main/scaled_offline.pth"
    cotracker.statuses[path] = [status] * 9
    assert fetch("cotracker", folder=tmp_path) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert message in told[-1] and told[-1].startswith("talkvid: error: ")
    assert len([one for one in cotracker.asked if one.path == path]) == 1


def test_a_server_at_fault_is_asked_again(cotracker: ModelServer, tmp_path: Path) -> None:
    path = f"/{REPOSITORY}/resolve/main/scaled_offline.pth"
    cotracker.statuses[path] = [500, 503]  # the question for the checksum
    store = f"/store/{DIGEST}/{REPOSITORY}/scaled_offline.pth"
    cotracker.statuses[store] = [500, 502]
    assert fetch("cotracker", folder=tmp_path) == 0
    assert (tmp_path / PLACE).read_bytes() == CONTENT
    cotracker.statuses[store] = [500] * 9
    shutil.rmtree(tmp_path / "cotracker")
    assert fetch("cotracker", folder=tmp_path) == 2


def test_the_token_goes_to_the_hub_and_not_to_its_store(
    cotracker: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_ofthistest")
    assert fetch("cotracker", folder=tmp_path) == 0
    hub = [one for one in cotracker.asked if "/resolve/" in one.path]
    store = [one for one in cotracker.asked if one.path.startswith("/store/")]
    assert {one.authorization for one in hub} == {"Bearer hf_ofthistest"}
    assert {one.authorization for one in store} == {""} and hub and store


def test_a_full_disk_is_noticed_before_anything_is_fetched(
    cotracker: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(10**9, 10**9 - 5000, 5000))
    assert fetch("cotracker", folder=tmp_path) == 2
    assert "102 kB are to come and 5.0 kB are free" in capsys.readouterr().err
    assert not cotracker.gets("scaled_offline.pth")
    # What has come already needs no more room.
    part = tmp_path / "cotracker" / "scaled_offline.pth.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:90_000])
    free = RESERVE + len(CONTENT) - 90_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(10**9, 10**9 - free, free))
    tag = f'"{hashlib.md5(CONTENT).hexdigest()}"'
    address = f"{cotracker.address}/{REPOSITORY}/resolve/main/scaled_offline.pth"
    notes = {"address": address, "total": len(CONTENT), "tag": tag, "type": ""}
    part.with_name(f"{part.name}.json").write_text(json.dumps(notes))
    assert fetch("cotracker", folder=tmp_path) == 0
    assert sum(one.sent for one in cotracker.asked) == len(CONTENT) - 90_000


def test_the_mirror_is_asked_for_the_layout_itself(
    cotracker: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALKVID_MIRROR", f"{cotracker.address}/models/")
    cotracker.files[f"/models/{PLACE.as_posix()}"] = CONTENT
    assert fetch("cotracker", folder=tmp_path) == 0
    assert [one.path for one in cotracker.asked] == [f"/models/{PLACE.as_posix()}"]
    assert (tmp_path / PLACE).read_bytes() == CONTENT


def test_members_of_a_zip_file_come_out_of_one_fetch(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zip_of: dict[str, bytes]
) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../outside.onnx", b"never")
        for name, content in zip_of.items():
            archive.writestr(f"buffalo_l/{name}", content)
    server.files["/pack.zip"] = packed.getvalue()
    record, digest = MODELS["insightface"], hashlib.sha256(packed.getvalue()).hexdigest()
    files = tuple(
        ModelFile(
            f"insightface_models/models/buffalo_l/{name}",
            ZipMember(f"{server.address}/pack.zip", name, len(packed.getvalue()), digest),
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
        for name, content in zip_of.items()
    )
    monkeypatch.setitem(MODELS, "insightface", replace(record, files=files))
    server.cuts["/pack.zip"] = [700]
    folder = tmp_path / "models"
    assert fetch("insightface", folder=folder) == 0
    for file in files:
        assert (folder / file.place).read_bytes() == zip_of[file.name]
    assert [one.range for one in server.gets("/pack.zip")] == ["", "bytes=700-"]
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {f"models/{file.place}" for file in files} | {"models/.verified.json", "models/.fetching"}


@pytest.fixture
def zip_of() -> dict[str, bytes]:
    return {"det_10g.onnx": os.urandom(2000), "1k3d68.onnx": os.urandom(500)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda it: it.name)
def test_a_stopped_command_leaves_a_part_and_the_next_one_goes_on_there(
    number: signal.Signals, server: ModelServer, tmp_path: Path
) -> None:
    server.files["/it"], server.slow_after["/it"] = CONTENT, 40_960
    arguments = ["syncnet", "--url", f"{server.address}/it", "--sha256", DIGEST]
    command = [sys.executable, "-c", STARTED, "models", "fetch", *arguments]
    process = subprocess.Popen(
        [*command, "--folder", str(tmp_path), "--accept_licence"], stderr=subprocess.PIPE, text=True
    )
    server.wait_for(40_960)
    part = tmp_path / "evaluation" / "syncnet_v2.model.part"
    while not (part.is_file() and part.stat().st_size == 40_960):
        assert process.poll() is None
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    if number == signal.SIGINT:
        assert re.search(r"what came so far is kept", told)
    assert part.read_bytes() == CONTENT[:40_960] and not part.with_suffix("").exists()
    server.release.set()
    server.slow_after.clear()
    server.asked.clear()
    assert fetch(*arguments, folder=tmp_path) == 0
    assert [(one.range, one.sent) for one in server.asked] == [("bytes=40960-", len(CONTENT) - 40_960)]
    assert (tmp_path / "evaluation" / "syncnet_v2.model").read_bytes() == CONTENT


def test_two_commands_do_not_write_into_one_folder(
    cotracker: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    with (tmp_path / ".fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert fetch("cotracker", folder=tmp_path) == 2
    assert "another `talkvid models fetch` is at work" in capsys.readouterr().err
    assert fetch("cotracker", folder=tmp_path) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to fetch"),
        (["dovr"], "did you mean 'dover'"),
        (["../../etc/passwd"], "no model is called '../../etc/passwd'"),
        (["talkvid-mini"], "comes with the package"),
        (["mobilefacenet"], "talkvid models import mobilefacenet --from FILE"),
        (["v-express", "--url", "https://x/y"], "belong to one model of a single file"),
        (["dover", "--url", "file:///etc/passwd"], "not a web address"),
        (["insightface", "--commercial_safe"], "commercial_safe: InsightFace buffalo_l is under"),
        (["syncnet", "--commercial-safe"], "commercial use not stated"),
        (["production", "--commercial_safe"], "V-Express: research only"),
    ],
)
def test_what_cannot_be_fetched_is_told_before_anything_is_asked(
    arguments: list[str], message: str, server: ModelServer, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert fetch(*arguments, folder=tmp_path / "models") == 2
    assert message in capsys.readouterr().err
    assert not server.asked


def test_listing_shows_licences_and_places_and_fetches_nothing(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("models", ["fetch", "all", "--list", "--folder", str(tmp_path / "models")]) == 0
    out = capsys.readouterr().out
    files = sum(len(record.files) for record in MODELS.values() if record.fetchable)
    assert out.count("(to fetch)") == files and out.count("  licence: ") >= 20
    assert not server.asked and not (tmp_path / "models").exists()
