"""`talkvid generate --manifest`: every sample is made once, or has its reason; mistakes are told by line."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from talkvid.cli.main import run_verb
from talkvid.inference.manifest import read_manifest
from talkvid.inference.many_samples import take_place
from talkvid.inference.settings import GenerateSettings
from tests.inference.conftest import PlantedDetector, write_sound
from tests.inference.conftest import portrait as portrait
from tests.inference.conftest import tiny_checkpoint as tiny_checkpoint

Write = Callable[..., Path]


@pytest.fixture
def listed(tmp_path: Path, portrait: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a list of these lines beside a portrait and a sound, and return its path."""
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(60.0))
    folder = tmp_path / "lists"
    folder.mkdir()
    os.symlink(portrait, folder / "anna.png")
    write_sound(folder / "hello.wav", 0.2)

    def write(*lines: object) -> Path:
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (folder / "list.jsonl").write_text("\n".join(text) + "\n")
        return folder / "list.jsonl"

    return write


def sample(output: str, **more: object) -> dict[str, object]:
    return {"reference_image": "anna.png", "audio": "hello.wav", "output": output, **more}


def generate(manifest: Path, checkpoint: Path, *flags: str) -> int:
    return run_verb(
        "generate",
        ["--manifest", str(manifest), "--checkpoint_path", str(checkpoint), "--device", "cpu", *flags],
    )


def size(path: Path) -> tuple[int, int, int]:
    """Return width, height and number of frames of a video."""
    with av.open(os.fspath(path)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, sum(1 for _ in container.decode(video=0))


def test_every_sample_is_done_done_before_or_failed_with_its_reason(
    listed: Write, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)  # paths are relative to the list, not to here
    lines = [
        sample("made/a.mp4"),
        sample("made/b.mp4", image_width=96, seed=3),
        sample("made/c.mp4", audio="none.wav"),
    ]
    flags = ("--executor", "inline", "--num_inference_steps", "1")
    manifest = listed(*lines)
    assert generate(manifest, tiny_checkpoint, *flags) == 1
    out, err = capsys.readouterr()
    made = manifest.parent / "made"
    assert out.splitlines() == [str(made / "a.mp4"), str(made / "b.mp4")]
    assert "3 samples = 2 done + 0 done before + 1 failed" in err.splitlines()[-1]
    assert (size(made / "a.mp4"), size(made / "b.mp4")) == ((64, 64, 5), (96, 64, 5))
    told = json.loads((made / "b.mp4.json").read_text())["settings"]
    assert (told["seed"], told["num_inference_steps"]) == (3, 1)
    journal = (manifest.parent / "list.journal.jsonl").read_text().splitlines()
    failed = [json.loads(line) for line in journal if '"failed"' in line]
    assert [entry["id"] for entry in failed] == ["made/c.mp4"] and "none.wav" in failed[0]["reason"]

    write_sound(manifest.parent / "none.wav", 0.2)
    (made / "a.mp4").unlink()
    times = (made / "b.mp4").stat().st_mtime_ns
    assert generate(manifest, tiny_checkpoint, *flags) == 0
    assert "3 samples = 2 done + 1 done before + 0 failed" in capsys.readouterr().err.splitlines()[-1]
    assert (made / "b.mp4").stat().st_mtime_ns == times and (made / "c.mp4").is_file()

    assert generate(manifest, tiny_checkpoint, *flags, "--label") == 0  # another setting: all are made again
    assert "3 samples = 3 done + 0 done before" in capsys.readouterr().err.splitlines()[-1]


def test_two_workers_make_the_videos_of_one(
    listed: Write, tiny_checkpoint: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Worker processes know nothing of a planted detector: a real portrait is needed.
    person = str(root / "test_samples" / "short_case" / "astronaut" / "ref.png")
    lines = [{**sample(f"{name}.mp4"), "reference_image": person} for name in "abcd"]
    manifest = listed(*lines)
    assert generate(manifest, tiny_checkpoint, "--workers", "2") == 0
    assert "4 samples = 4 done + 0 done before + 0 failed" in capsys.readouterr().err.splitlines()[-1]
    contents = {(manifest.parent / f"{name}.mp4").read_bytes() for name in "abcd"}
    assert len(contents) == 1


BAD_LINES: dict[str, tuple[object, str]] = {
    "unknown key": (sample("b.mp4", sed=1), r"list\.jsonl:2: unknown key 'sed'; did you mean 'seed'"),
    "no sound": ({"reference_image": "anna.png", "output": "b.mp4"}, r"list\.jsonl:2: audio is missing"),
    "not JSON": ('{"audio": ', r"list\.jsonl:2: this is not JSON"),
    "not an object": ("[1]", r"list\.jsonl:2: give an object"),
    "a setting out of range": (sample("b.mp4", fps=500), r"list\.jsonl:2: fps: must be"),
    "a number for a text": (sample("b.mp4", fps="fast"), r"list\.jsonl:2: "),
    "an output used twice": (sample("./a.mp4"), r"list\.jsonl:2: output '\./a\.mp4' is that of line 1"),
    "a file given twice": (sample("b.mp4", audio_path="x.wav"), r"list\.jsonl:2: audio is given twice"),
    "a window too long": (sample("b.mp4", context_frames=33), r"b\.mp4: .*8 frames at most"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_mistake_is_told_by_its_line_before_anything_is_made(
    case: str, listed: Write, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, words = BAD_LINES[case]
    manifest = listed(sample("a.mp4"), line)
    assert generate(manifest, tiny_checkpoint, "--executor", "inline") == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("talkvid: error: ")
    import re

    assert re.search(words, complaint), complaint
    assert not (manifest.parent / "a.mp4").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--manifest", "x.jsonl", "--portrait", "a.png"],
            "--reference_image_path does not go with --manifest",
        ),
        (["--manifest", "x.jsonl", "--do_multi_devices_inference"], "a sample each"),
        (["--manifest", "none.jsonl"], r"none\.jsonl: this list does not exist"),
        (["--portrait", "a.png", "--audio", "a.wav", "--workers", "2"], "--workers belongs to a list"),
        (["--portrait", "a.png"], "--audio_path is missing"),
        ([], "--reference_image_path is missing"),
    ],
)
def test_flags_that_do_not_go_together_are_told(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert run_verb("generate", flags) == 2
    assert re.search(words, capsys.readouterr().err.splitlines()[-1])


def test_paths_are_relative_to_the_list_and_blank_lines_are_none(tmp_path: Path) -> None:
    line = json.dumps({**sample("o/a.mp4"), "audio": "/s/b.wav", "kps_path": "k.npy",
                       "retarget_strategy": "no_retarget"})  # fmt: skip
    (tmp_path / "l.jsonl").write_text(f"\n{line}\n\n")
    [found] = read_manifest(tmp_path / "l.jsonl", GenerateSettings(seed=9))
    assert found.reference_image == tmp_path / "anna.png" and found.audio == Path("/s/b.wav")
    assert found.output == tmp_path / "o" / "a.mp4" and found.id == "o/a.mp4"
    assert found.settings.kps_path == tmp_path / "k.npy" and found.settings.seed == 9


def test_a_worker_takes_a_place_that_is_free_again(tmp_path: Path) -> None:
    first, lock = take_place(tmp_path, 2)
    second, other = take_place(tmp_path, 2)
    assert (first, second) == (0, 1) and lock is not None and other is not None
    with pytest.raises(RuntimeError, match="all 2 places"):
        take_place(tmp_path, 2)
    lock.close()
    assert take_place(tmp_path, 2)[0] == 0
