import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from talkvid.dataset import preprocess
from talkvid.dataset.prepare_clip import Tools
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.sources import Source
from talkvid.records import Face
from talkvid.speech.features import LogMelEncoder
from tests.dataset.clip_maker import RedSquareDetector, prepare, prepare_one, write_clip, write_sound


def test_what_comes_in_is_done_or_failed_with_a_reason(tmp_path: Path, settings: PrepareSettings) -> None:
    sound = write_sound(tmp_path / "s.wav", 2.0)
    good = write_clip(tmp_path / "good.mp4", sound=sound)

    def seldom(number: int) -> tuple[int, int] | None:
        return (96, 64) if number < 9 else None

    (tmp_path / "torn.mp4").write_bytes(good.read_bytes()[:3000])
    (tmp_path / "empty.mp4").write_bytes(b"")
    sources = [
        Source("good", good),
        Source("faceless", write_clip(tmp_path / "faceless.mp4", face_at=lambda _: None, sound=sound)),
        Source("seldom", write_clip(tmp_path / "seldom.mp4", face_at=seldom, sound=sound)),
        Source("silent", write_clip(tmp_path / "silent.mp4")),
        Source("short", write_clip(tmp_path / "short.mp4", num_frames=4, sound=sound)),
        Source("torn", tmp_path / "torn.mp4"),
        Source("empty", tmp_path / "empty.mp4"),
        Source("missing", tmp_path / "missing.mp4"),
    ]
    summary = prepare(sources, settings)
    assert (summary.done, summary.failed, summary.total) == (1, 7, 8)
    reasons = {
        row["id"]: row["reason"] for row in json.loads((settings.output_dir / "set.failed.json").read_text())
    }
    assert "no face in any of its 48 frames" in reasons["faceless"]
    assert "seen in 19% of the frames" in reasons["seldom"]
    assert "no audio stream" in reasons["silent"]
    assert "too short: 4 frames" in reasons["short"]
    assert "empty" in reasons["empty"]
    assert "does not exist" in reasons["missing"]
    assert all("\n" not in reason for reason in reasons.values())
    assert [entry["id"] for entry in json.loads((settings.output_dir / "set.json").read_text())] == ["good"]
    left = [path.name for path in settings.output_dir.rglob("*") if path.is_file()]
    lists = ["set.failed.json", "set.journal.jsonl", "set.json", "set.sync.csv"]
    assert sorted(left) == ["good.mp4", "good.safetensors", "good.safetensors", *lists]


def test_a_head_that_lies_on_its_side_fails_with_the_remedy(
    tmp_path: Path, settings: PrepareSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SidewaysDetector(RedSquareDetector):
        def detect(self, image: Any) -> list[Face]:
            return [replace(face, points=face.points[:, ::-1]) for face in super().detect(image)]

    tools = Tools(SidewaysDetector(), LogMelEncoder())
    monkeypatch.setattr(preprocess, "load_tools", lambda *_args, **_kwargs: tools)
    video = write_clip(
        tmp_path / "a.mp4", face_at=lambda _: (64, 64), sound=write_sound(tmp_path / "s.wav", 2.0)
    )
    summary = prepare([Source("a", video)], settings)
    assert summary.failures["a"] == "the head lies on its side (tilted by 90 degrees); turn the video upright"


def test_sources_are_never_touched(tmp_path: Path, settings: PrepareSettings) -> None:
    """Bytes and time stamp stay."""  # 5.14: the source was re-encoded in place, deleted if ffmpeg failed
    video = write_clip(
        tmp_path / "out" / "videos" / "a.mp4", fps=23.976, sound=write_sound(tmp_path / "s.wav", 2.0)
    )
    before = hashlib.sha256(video.read_bytes()).hexdigest(), video.stat().st_mtime_ns
    summary = prepare([Source("a", video)], settings)
    assert "written over its own source" in summary.failures["a"]
    prepare_one(Source("a", video), replace(settings, output_dir=tmp_path / "elsewhere"))
    assert (hashlib.sha256(video.read_bytes()).hexdigest(), video.stat().st_mtime_ns) == before


def test_a_restart_keeps_what_is_done_and_redoes_what_is_lost_or_changed(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    """Peer defects 1 and 9: finished clips were deleted, or done again, on every start."""
    sound = write_sound(tmp_path / "s.wav", 2.0)
    sources = [Source(name, write_clip(tmp_path / f"{name}.mp4", sound=sound)) for name in ("a", "b")]
    prepare(sources, settings)
    crop = settings.output_dir / "videos" / "a.mp4"
    torn = crop.with_name(".a.0123abcd.pictures.mp4")
    torn.write_bytes(b"half")
    before, listed = crop.stat().st_mtime_ns, (settings.output_dir / "set.json").read_bytes()
    again = prepare(sources, settings)
    assert (again.done, again.skipped) == (0, 2)
    assert crop.stat().st_mtime_ns == before
    assert (settings.output_dir / "set.json").read_bytes() == listed
    crop.unlink()
    lost = prepare(sources, settings)
    assert (lost.done, lost.skipped) == (1, 1)
    assert not torn.exists()
    other = prepare(sources, replace(settings, size=32))
    assert (other.done, other.skipped) == (2, 0)


def test_one_output_folder_never_mixes_two_clips_of_one_id(tmp_path: Path, settings: PrepareSettings) -> None:
    sound = write_sound(tmp_path / "s.wav", 2.0)
    (tmp_path / "x").mkdir()
    first, second = (write_clip(tmp_path / part / "a.mp4", sound=sound) for part in (".", "x"))
    prepare_one(Source("a", first), settings)
    summary = prepare([Source("a", second)], settings)
    assert "its id is taken by" in summary.failures["a"]
