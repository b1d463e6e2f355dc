import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from talkvid.cli.main import run_verb
from talkvid.dataset.check import check, judge_together, table
from talkvid.dataset.check_clip import CheckSettings, ClipReport
from talkvid.dataset.face_info import load_face_info, save_face_info
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.sources import Source
from talkvid.media import ffmpeg
from tests.dataset.clip_maker import CROP_PX, prepare_one, write_clip, write_sound

Spoil = Callable[[Path, dict[str, Any]], None]


@pytest.fixture
def prepared(tmp_path: Path, settings: PrepareSettings) -> Path:
    """Return the list of one prepared clip of 48 frames."""
    video = write_clip(tmp_path / "a.mp4", sound=write_sound(tmp_path / "s.wav", 2.0))
    prepare_one(Source("a", video), settings)
    return settings.output_dir / "set.json"


def problems(path: Path, **settings: Any) -> dict[str, str]:
    report = check(path, CheckSettings(**settings), executor="inline")
    assert len(report.clips) == 1
    return report.clips[0].problems


def test_what_was_just_prepared_is_sound(prepared: Path) -> None:
    report = check(prepared, CheckSettings(), executor="inline")
    assert report.is_sound, report
    (clip,) = report.clips
    assert (clip.frames, clip.face_rows, clip.fps, clip.size) == (48, 48, 24.0, f"{CROP_PX}x{CROP_PX}")
    assert (clip.rows, clip.dim, clip.gop, clip.found) == (200, 80, 12, 1.0)
    assert abs(clip.sound_s - 2.0) < 0.07
    assert clip.sync == "undecided"
    assert "1 clips = 1 sound + 0 faulty" in table(report)


def ffmpeg_again(*options: str) -> Spoil:
    def spoil(root: Path, entry: dict[str, Any]) -> None:
        video = root / entry["video"]
        ffmpeg.run("-i", video, *options, video.with_name("other.mp4"))
        video.with_name("other.mp4").replace(video)

    return spoil


def face_info(change: Callable[[dict[str, Any]], None]) -> Spoil:
    def spoil(root: Path, entry: dict[str, Any]) -> None:
        info, metadata = load_face_info(root / entry["face_info"])
        values = {name: rows.copy() for name, rows in info.values.items()}
        change(values)
        save_face_info(root / entry["face_info"], replace(info, values=values), metadata)

    return spoil


def features(change: Callable[[Any], Any]) -> Spoil:
    def spoil(root: Path, entry: dict[str, Any]) -> None:
        from safetensors.numpy import load_file, save_file

        path = root / entry["audio_embeds"]
        rows = np.ascontiguousarray(change(load_file(path)["global_embeds"].copy()))
        save_file({"global_embeds": rows}, path, metadata={"rate_hz": "100"})

    return spoil


def remove(name: str) -> Spoil:
    return lambda root, entry: (root / entry[name]).unlink()


def shorter_face_info(root: Path, entry: dict[str, Any]) -> None:
    info, metadata = load_face_info(root / entry["face_info"])
    cut = {name: rows[:-1] for name, rows in info.values.items()}
    save_face_info(root / entry["face_info"], replace(info, found=info.found[:-1], values=cut), metadata)


def torn_video(root: Path, entry: dict[str, Any]) -> None:
    video = root / entry["video"]
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])


def nan_at(name: str, row: int) -> Callable[[dict[str, Any]], None]:
    return lambda values: values[name].__setitem__((row, 0, 0), np.nan)


def nan_row(rows: Any) -> Any:
    rows[3] = np.nan
    return rows


def away(values: dict[str, Any]) -> None:
    values["points"][5:9] += 10 * CROP_PX


COPY = ("-c", "copy")
FAULTS: dict[str, tuple[Spoil, str, str]] = {
    "fewer frames": (ffmpeg_again("-frames:v", "40", "-c:a", "copy"), "frames", "40 frames can be decoded"),
    "another rate": (ffmpeg_again("-r", "30", "-c:a", "copy"), "fps", "30.000 frames per second"),
    "uneven rate": (
        ffmpeg_again("-vf", "setpts=PTS+0.1/TB*gt(N\\,20)", "-fps_mode", "passthrough", "-c:a", "copy"),
        "fps",
        "no constant rate",
    ),
    "short sound": (ffmpeg_again("-af", "atrim=end=1.5", "-c:v", "copy"), "sound length", "1.5"),
    "no sound": (ffmpeg_again("-an", *COPY), "sound", "no audio stream"),
    "oblong": (ffmpeg_again("-vf", "scale=64:32", "-c:a", "copy"), "square", "64x32"),
    "few key frames": (
        ffmpeg_again("-g", "48", "-keyint_min", "48", "-c:a", "copy"),
        "gop",
        "up to 48 frames apart, 12 are allowed",
    ),
    "torn": (torn_video, "video", "a.mp4"),
    "no video": (remove("video"), "video", "does not exist"),
    "no face info": (remove("face_info"), "face info", "no such face info"),
    "no features": (remove("audio_embeds"), "features", "does not exist"),
    "short face info": (shorter_face_info, "face rows", "47 rows"),
    "not a number": (face_info(nan_at("lips", 7)), "face values", "lips"),
    "face elsewhere": (face_info(away), "face place", "in 4 frames"),
    "short features": (features(lambda rows: rows[:150]), "feature rows", "150 rows at 100 per second"),
    "features not a number": (features(nan_row), "feature values", "not a number"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_named(prepared: Path, name: str) -> None:
    spoil, kind, text = FAULTS[name]
    spoil(prepared.parent, json.loads(prepared.read_text())[0])
    found = problems(prepared)
    assert text in found[kind], found
    assert "\n" not in found[kind]


def test_a_limit_for_key_frames_can_be_given(prepared: Path) -> None:
    assert problems(prepared, gop=6) == {"gop": "key frames are up to 12 frames apart, 6 are allowed"}
    assert problems(prepared, gop=12) == {}


def test_clips_of_another_size_or_encoder_than_the_rest_and_doubled_ids_are_named() -> None:
    usual = ClipReport("a", size="64x64", dim=80)
    report = judge_together(
        [usual, replace(usual, id="b"), replace(usual, id="b"), ClipReport("c", size="32x32", dim=768)]
    )
    assert report.counts == {"encoder": 1, "id": 2, "size": 1}
    assert set(report.clips[3].problems) == {"size", "encoder"}
    assert report.clips[0].problems == {}


def test_the_command_prints_a_table_writes_a_report_and_says_so_by_its_exit_code(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inline = ("--executor", "inline", "--workers", "1")
    assert run_verb("preprocess", ["--check", str(prepared), *inline]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == [
        "id",
        "frames",
        "fps",
        "size",
        "sound_s",
        "rows",
        "gop",
        "mouth_late_s",
        "sync",
    ]
    assert shown[1].split()[:4] == ["a", "48", "24", f"{CROP_PX}x{CROP_PX}"]
    assert shown[-1] == str(prepared.with_name("set.check.json"))
    assert json.loads(Path(shown[-1]).read_text())["sound"] is True
    torn_video(prepared.parent, json.loads(prepared.read_text())[0])
    report = tmp_path / "found.json"
    assert run_verb("check_data", [str(prepared), "--report", str(report), "--sync", "off", *inline]) == 1
    stored = json.loads(report.read_text())
    assert stored["sound"] is False
    assert stored["counts"]["video"] == 1
    assert "a.mp4" in stored["clips"][0]["problems"]["video"]
    assert run_verb("check_data", [str(tmp_path / "missing.json"), *inline]) == 2


def test_in_worker_processes_as_many_clips_come_out_as_are_listed(prepared: Path) -> None:
    entry = json.loads(prepared.read_text())[0]
    listed = [entry, {**entry, "id": "b", "video": "videos/b.mp4"}, {**entry, "id": "c"}]
    prepared.write_text(json.dumps(listed))
    report = check(prepared, CheckSettings(sync=False), workers=2)
    assert [clip.id for clip in report.clips] == ["a", "b", "c"]
    assert [bool(clip.problems) for clip in report.clips] == [False, True, False]


def reference_like(prepared: Path, *, num_faces: int, rows: int) -> Path:
    """Rewrite the entry to files of the reference's kind: pickled lists of faces, pickled features."""
    root = prepared.parent
    entry = json.loads(prepared.read_text())[0]
    info, _ = load_face_info(root / entry["face_info"])
    frames = [
        [
            {
                "bbox": info.values["box"][n],
                "kps": info.values["points"][n],
                "det_score": np.float32(0.8),
                "landmark_3d_68": None,
                "landmark_2d_106": np.tile(info.values["points"][n, 2], (106, 1)),
            }
        ]
        for n in range(num_faces)
    ]
    torch.save(frames, root / "a_face_info.pt")
    torch.save({"global_embeds": torch.zeros(rows, 1, 768)}, root / "a_aud_embeds.pt")
    path = root / "reference.json"
    path.write_text(json.dumps([{**entry, "face_info": "a_face_info.pt", "audio_embeds": "a_aud_embeds.pt"}]))
    return path


def test_prepared_files_of_the_reference_are_checked_too(prepared: Path) -> None:
    sound = check(reference_like(prepared, num_faces=48, rows=99), CheckSettings(), executor="inline")
    assert sound.is_sound, sound
    assert (sound.clips[0].dim, sound.clips[0].face_rows) == (768, 48)
    assert any("do not state their rate" in note for note in sound.clips[0].notes)
    # 5.14: faces were dropped from the middle of the reference's clips.
    found = problems(reference_like(prepared, num_faces=40, rows=80))
    assert set(found) == {"face rows", "feature rows"}


def test_a_pickle_that_would_run_something_is_not_opened(prepared: Path) -> None:
    path = reference_like(prepared, num_faces=48, rows=99)

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (prepared.parent / "sprung",))

    torch.save([Trap()], prepared.parent / "a_face_info.pt")
    assert "more than numbers" in problems(path)["face info"]
    assert not (prepared.parent / "sprung").exists()


def test_the_clip_at_hand_that_the_reference_prepared_is_reported(shared: Path, tmp_path: Path) -> None:
    folder = shared / "media" / "peer_prepared"
    name = "RD_Radio10_0_clip_0"
    entry = {
        "id": name,
        "video": str(folder / f"{name}.mp4"),
        "face_info": str(folder / f"{name}_face_info.pt"),
        "audio_embeds": str(folder / f"{name}_aud_embeds.pt"),
        "num_frames": 61,
        "fps": 29.97002997,
    }
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([entry]))
    found = problems(listed)
    # One picture of its video is missing: 62 are stated, 61 come, with a hole of two frames' time.
    assert found == {"fps": "frames lie 0.0334 to 0.0667 s apart: no constant rate"}
